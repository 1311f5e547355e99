/* The plan: what is done with each frame, and by which parts. All programs of a job share it. */
#ifndef RP_PIPELINE_PLAN_H
#define RP_PIPELINE_PLAN_H

#include "engine/graph.h"
#include "face/analyser.h"
#include "face/content.h"
#include "face/selector.h"
#include "processors/processor.h"

#define RP_MAX_PROCESSORS 16

/* Parts may be NULL: programs then leave out their work. */
struct rp_plan {
    struct rp_device *device;
    const struct rp_analyser *analyser;
    const struct rp_selector *selector;
    const struct rp_content_check *content;
    const struct rp_graph_options *graph; /* NULL: no CUDA graphs */
    int *recorded; /* NULL, or numbers of recordings: of each pass, then of the content check */
    int batch;  /* so many faces at most in one run of a network whose file allows it; 0 is 1 */
    int frames; /* in lockstep where that is to be chosen: set by the current job; 0 is 1 */
    bool split; /* the host acts between analysing and processing, which are two passes */
    double hold; /* a face of a video is held for so many seconds (face/hold.h); 0: not at all */
    bool scenes; /* the host is told where scenes begin: a glance of each frame (face/hold.h) */
    bool alpha;       /* a processor makes the frame transparent: it leaves with an alpha plane */
    bool original;    /* a processor needs the frame as it was before any processor */
    bool whole_frame; /* a processor works on the whole frame: every frame is changed */
    double shrink;    /* below 1: faces are found in the original frame, but processors work on a
                       * frame smaller by this factor, which is the result; 0: no such frame */
    bool hears;       /* a processor wants to be told what is said */
    const struct rp_speech *speech; /* of the current job, set before its frames; NULL: nothing */
    double fps;                     /* of the current job, for rp_frame_info */
    int nprocessors;
    struct {
        const struct rp_processor *def;
        void *self;
    } processor[RP_MAX_PROCESSORS];
};

/* A side of the output from the target's side, as FaceFusion computes it: truncated, then rounded
 * to the nearest even number (halves to a multiple of 4), but never 0. At scale 1 it stays as it
 * is, odd or not. */
int rp_scaled_side(int side, double scale);

/* Change w x h, the size of a frame, to the size that the processors get: smaller if the plan
 * shrinks. */
void rp_plan_shrink(const struct rp_plan *plan, int *w, int *h);

/* Size of the frames that the processors make from frames of w x h; RP_ERR_LIMIT with a sentence if
 * they would be too large. */
int rp_plan_size(const struct rp_plan *plan, int w, int h, int *out_w, int *out_h);

/* Frames in a launch of this plan: --cuda-graph-frames, or what the job has chosen; but one if the
 * host works between two passes, or if models are recorded one by one. */
int rp_plan_frames(const struct rp_plan *plan);
/* Is the number to be chosen? */
bool rp_plan_frames_are_open(const struct rp_plan *plan);

#endif /* RP_PIPELINE_PLAN_H */
