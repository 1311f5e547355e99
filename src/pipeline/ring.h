/* Frames in flight between one reader, several workers and one writer.
 *
 * The ring has a fixed number of places, so memory does not depend on the length of the video: the
 * reader waits for a free place, workers take frames in any order, the writer takes finished frames
 * in the order in which they were read. The first failure of any side stops all of them.
 *
 * Where the host has to look at several frames between analysing and processing (the tracker), each
 * frame is taken twice: see rp_ring_split(). */
#ifndef RP_RING_H
#define RP_RING_H

#include "base/base.h"

struct rp_media_frame;
struct rp_ring;

int rp_ring_create(struct rp_ring **out, int places);

/* Before the first frame: every frame is taken once to be analysed and again to be processed, the
 * latter in order and not before the `ahead` frames behind it were analysed (those that there are).
 * The ring must have more than `ahead` places. */
void rp_ring_split(struct rp_ring *ring, int ahead);

/* Frees frames that are still inside. All threads must have left. */
void rp_ring_destroy(struct rp_ring **ring);

/* Reader: add a frame (taken over), waiting for a place. RP_ERR_CLOSED after a failure: then the
 * frame stays the caller's. */
int rp_ring_put(struct rp_ring *ring, struct rp_media_frame *frame);
/* Reader: there are no more. */
void rp_ring_end(struct rp_ring *ring);

enum rp_pass { RP_PASS_WHOLE = 0, RP_PASS_ANALYSE, RP_PASS_PROCESS, RP_PASS_COUNT };

/* Something to do with one frame. */
struct rp_turn {
    struct rp_media_frame *frame;
    int64_t number; /* frames that were read before it */
    int place;
    enum rp_pass pass;
};

/* Worker: what to do next, waiting for it: `most` frames that follow each other, fewer only at the
 * end (so that which frames belong together depends on nobody's speed); one at a time when split.
 * Returns how many; RP_ERR_CLOSED at the end or after a failure; without `wait` also when there is
 * nothing to do now. The ring must have at least as many places. */
int rp_ring_take(struct rp_ring *ring, struct rp_turn *turn, int most, bool wait);
/* Worker: the turn that was taken of this place is done. */
void rp_ring_done(struct rp_ring *ring, int place);

/* Writer: wait for the next frame in order; *frame is the caller's now. NULL at the end,
 * RP_ERR_CLOSED after a failure. */
int rp_ring_get(struct rp_ring *ring, struct rp_media_frame **frame);

/* Any side, on the thread that failed: stop everybody. The first status is kept, and its sentence. */
void rp_ring_fail(struct rp_ring *ring, int status);
/* 0, or the first failure; its sentence becomes the calling thread's last error. */
int rp_ring_status(struct rp_ring *ring);

#endif /* RP_RING_H */
