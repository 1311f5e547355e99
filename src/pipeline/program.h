/* A program: all work on the frames of one launch, for frames of one size, format and colour. A
 * launch has one frame, or several in lockstep (engine/lockstep.h).
 *
 * The lists are recorded when the program is made: one for each pass, with and without the content
 * check. On a GPU each becomes one CUDA graph. Threads: one at a time. */
#ifndef RP_PROGRAM_H
#define RP_PROGRAM_H

#include "pipeline/lane.h"

struct rp_program;

struct rp_program_params {
    int w, h;
    enum rp_pixfmt fmt;
    struct rp_colour colour;
    int frames;    /* in a launch, 1 to RP_MAX_LANES; 0: one */
    bool resident; /* pixels stay on the device: for frames over pictures there
                    * (rp_media_frame.device) or, for measuring, from rp_program_load() */
};

/* For frames like this one, one in a launch. */
struct rp_program_params rp_program_params_for(const struct rp_media_frame *frame);

int rp_program_create(struct rp_program **out, const struct rp_plan *plan,
                      const struct rp_program_params *params);
void rp_program_destroy(struct rp_program **program);

/* Does it have this plan (the same object) and these parameters? */
bool rp_program_is(const struct rp_program *program, const struct rp_plan *plan,
                   const struct rp_program_params *kind);
const struct rp_plan *rp_program_plan(const struct rp_program *program);
const struct rp_program_params *rp_program_kind(const struct rp_program *program);

/* Before it is used for another target: update its reference faces from the plan's selector. */
int rp_program_refresh(struct rp_program *program);
void rp_program_reset_clocks(struct rp_program *program);

/* ---- frames ---------------------------------------------------------------------------------- */

struct rp_frame_in {
    struct rp_media_frame *frame; /* must stay until rp_program_finish() */
    bool check;                   /* run the content check on it, before anything changes */
};

struct rp_frame_result {
    int faces;     /* found */
    int selected;  /* worked on */
    bool overflow; /* more faces were found than fit */
    bool changed;  /* pixels were written */
    bool checked, positive; /* content check */
};

/* Begin work on n frames, at most as many as a launch has; with fewer the other lanes work in vain.
 * If the plan is `split` there may be two passes, each with its own rp_program_finish(): analysing,
 * with the content check, leaves the faces in rp_program_faces() and changes nothing; processing
 * works on the faces that are there by then. Other frames may come in between. */
int rp_program_submit(struct rp_program *program, const struct rp_frame_in *frame, int n,
                      enum rp_pass pass);

/* Wait for these frames; writes n results. Pixels are changed in place; a frame is made writable
 * only if something changed. If processors change the size, it gets new planes: see
 * rp_media_frame_resize(). */
int rp_program_finish(struct rp_program *program, struct rp_frame_result *result);

/* After a failure, here or elsewhere: wait until nothing of what was submitted is going on any more,
 * so that its frames may be freed. */
void rp_program_abandon(struct rp_program *program);

/* Faces between two passes, host memory; for programs of one frame. */
struct rp_dfaces *rp_program_faces(struct rp_program *program);
/* RP_GLANCE_BYTES of the frame, after analysing; NULL if the plan does not ask for scenes. */
const uint8_t *rp_program_glance(const struct rp_program *program);

/* Submit and finish one frame. */
int rp_program_run(struct rp_program *program, struct rp_media_frame *frame, bool check,
                   struct rp_frame_result *result);

/* Only the content check: for a picture, whose pixels must not change if it is refused. */
int rp_program_check(struct rp_program *program, const struct rp_media_frame *frame,
                     bool *positive);

/* Only find faces and copy them to `faces` (host). Needs no selector or processors. */
int rp_program_analyse(struct rp_program *program, const struct rp_media_frame *frame,
                       struct rp_dfaces *faces);

/* ---- measuring ------------------------------------------------------------------------------- */

/* For a resident program: load a frame as number i of the launch, where it stays. Each
 * rp_program_repeat() works on all of them once more and is ended by rp_program_finish(), which
 * does not change the frames. They must stay as long as they are worked on. */
int rp_program_load(struct rp_program *program, int i, const struct rp_media_frame *frame);
/* Load the same frame for the whole launch. */
int rp_program_load_all(struct rp_program *program, const struct rp_media_frame *frame);
int rp_program_repeat(struct rp_program *program);

/* Frames a second of n such programs, launched in rotation for that many seconds. */
int rp_program_rate(struct rp_program *const *program, int n, double seconds, double *fps);

/* Read frame i of the launch, as the last repeat left it, and the faces found in it, into one block
 * of rp_program_bytes() bytes on the host. Its layout is private, but the same for all programs of
 * one device and frame size. */
size_t rp_program_bytes(const struct rp_program *program);
int rp_program_pixels(struct rp_program *program, int i, uint8_t *out);

/* ---- facts ----------------------------------------------------------------------------------- */

int rp_program_frames(const struct rp_program *program);

/* The list of a pass, and that of the content check; NULL if there is none. */
const struct rp_list *rp_program_list(const struct rp_program *program, enum rp_pass pass);
const struct rp_list *rp_program_check_list(const struct rp_program *program);

/* The graph of all the work on a frame; NULL if the plan has no CUDA graphs. */
const struct rp_graph *rp_program_graph(const struct rp_program *program);

/* Device memory: of buffers; of what recordings took for intermediate results. */
size_t rp_program_buffers(const struct rp_program *program);
size_t rp_program_pool(const struct rp_program *program);

/* The slot on which all the work is played, for its clock and memory. */
const struct rp_slot *rp_program_slot(const struct rp_program *program);

/* Call fn for each slot: to read clocks. */
void rp_program_each(const struct rp_program *program,
                     void (*fn)(void *priv, const struct rp_slot *slot), void *priv);

#endif /* RP_PROGRAM_H */
