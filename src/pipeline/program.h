/* The frame program: all work on one frame, in one slot, for frames of one size and format.
 *
 * This is the unit that a GPU records into one graph. It is written as record functions and knows
 * nothing of files. */
#ifndef RP_PROGRAM_H
#define RP_PROGRAM_H

#include "engine/graph.h"
#include "face/analyser.h"
#include "face/gate.h"
#include "face/selector.h"
#include "media/media.h"
#include "pipeline/ring.h"
#include "processors/processor.h"

#define RP_MAX_PROCESSORS 16

/* What every slot of a job shares. Parts may be NULL: then the program leaves that work out. */
struct rp_plan {
    struct rp_device *device;
    const struct rp_analyser *analyser;
    const struct rp_selector *selector;
    const struct rp_gate_model *gate;
    const struct rp_graph_options *graph;
    bool split; /* the host acts between analysing and processing: programs can do them apart */
    bool alpha;       /* a processor makes the frame transparent: it leaves with an alpha plane */
    bool whole_frame; /* a processor works on the whole frame: every one is changed */
    double shrink;    /* below 1: faces are found in the frame as it came, processors work on one so
                       * much smaller, which leaves; 0: as it came */
    int nprocessors;
    struct {
        const struct rp_processor *def;
        void *self;
    } processor[RP_MAX_PROCESSORS];
};

struct rp_program;

/* A side of the output of a target's side: FaceFusion's size, whole and then to the nearest even
 * number (halves to a multiple of 4), but never 0. At scale 1 it stays as it is, odd or not. */
int rp_scaled_side(int side, double scale);

/* Size of the frames that the processors make of frames of w x h; RP_ERR_LIMIT with a sentence when
 * they would be too large. */
int rp_plan_size(const struct rp_plan *plan, int w, int h, int *out_w, int *out_h);

/* The frame's size and format are fixed for the life of the program. */
int rp_program_create(struct rp_program **out, const struct rp_plan *plan, int w, int h,
                      enum rp_pixfmt fmt);
void rp_program_destroy(struct rp_program **program);

/* True if a frame has the size and format that the program was made for. */
bool rp_program_fits(const struct rp_program *program, const struct rp_media_frame *frame);

struct rp_frame_result {
    int faces;     /* found */
    int selected;  /* worked on */
    bool overflow; /* more faces than fit */
    bool changed;  /* pixels were written */
    bool looked, positive; /* content check */
};

/* One whose frames go in step with those of others: rp_team, which calls these. stage() takes the
 * frame (and looks at it), work() is the record function, collect() what is left to do when the work
 * of all was waited for. */
int rp_program_create_in_step(struct rp_program **out, const struct rp_plan *plan, int w, int h,
                              enum rp_pixfmt fmt, struct rp_gang *gang, int member);
int rp_program_stage(struct rp_program *program, struct rp_media_frame *frame, bool look);
int rp_program_work(void *program);
int rp_program_collect(struct rp_program *program, struct rp_frame_result *result);
/* What a recording of its work writes, for verification. */
int rp_program_watch(const struct rp_program *program, struct rp_graph *graph);

/* Begin work on a frame. The frame must stay until rp_program_finish().
 * @param look  run the content check on it first (on the pixels as they came) */
int rp_program_submit(struct rp_program *program, struct rp_media_frame *frame, bool look);

/* Wait for the frame that was submitted; its pixels are changed in place (it
 * is made writable only if something changed). Processors that make frames
 * of another size give it new planes, see rp_media_frame_resize(). */
int rp_program_finish(struct rp_program *program, struct rp_frame_result *result);

/* The same in two passes, each ended by rp_program_finish() (a plan with `split`). Analysing, with
 * the content check, leaves the faces in rp_program_faces() and changes nothing; processing works
 * on the faces that are there then. The slot may have done other frames in between. */
int rp_program_submit_pass(struct rp_program *program, struct rp_media_frame *frame,
                           enum rp_pass pass, bool look);
struct rp_dfaces *rp_program_faces(struct rp_program *program); /* host */

/* Submit and finish. */
int rp_program_run(struct rp_program *program, struct rp_media_frame *frame, bool look,
                   struct rp_frame_result *result);

/* Only the content check: for a picture, whose pixels must not change when it is refused. */
int rp_program_look(struct rp_program *program, const struct rp_media_frame *frame, bool *positive);

/* Only find faces: copies them to `faces` (host). Needs no selector or processors. */
int rp_program_analyse(struct rp_program *program, const struct rp_media_frame *frame,
                       struct rp_dfaces *faces);

/* For measuring: put a frame where it stays (on a GPU in device memory), work on it again and again
 * with rp_program_repeat(), each ended by finish(), which changes nothing of the frame. The frame
 * must stay as long as it is worked on. */
int rp_program_place(struct rp_program *program, struct rp_media_frame *frame);
int rp_program_repeat(struct rp_program *program);

/* The frame (and the faces found in it) as the last repeat left it, in
 * one block of rp_program_bytes() bytes on the host; its form is the
 * program's own, the same for programs of one device and frame size. */
size_t rp_program_bytes(const struct rp_program *program);
int rp_program_pixels(struct rp_program *program, uint8_t *out);

/* The recording of the frame's work (device that can record), else NULL. */
const struct rp_graph *rp_program_graph(const struct rp_program *program);

/* The slot, for its clocks and its memory figure. */
const struct rp_slot *rp_program_slot(const struct rp_program *program);

/* A frame over pixels that somebody else owns (BGR24). */
void rp_frame_over_image(struct rp_media_frame *out, const struct rp_image *image);

#endif /* RP_PROGRAM_H */
