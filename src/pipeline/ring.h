/* The ring: frames between one reader, the workers and one writer.
 *
 * It has a fixed number of places, so memory does not depend on the length of the video: the reader
 * waits for a free place, workers finish frames in any order, the writer takes finished frames in
 * the order in which they were read. The first failure of any side stops all of them.
 *
 * If the host needs several frames between analysing and processing (the tracker does), each frame
 * is taken twice: see rp_ring_split(). */
#ifndef RP_RING_H
#define RP_RING_H

#include "base/base.h"

struct rp_media_frame;
struct rp_ring;

int rp_ring_create(struct rp_ring **out, int places);

/* Call before the first frame. Every frame is then taken once to be analysed and again to be
 * processed: in order, and not before the `ahead` frames after it have been analysed, or all that
 * are left. The ring must have more than `ahead` places.
 *
 * A frame that is `aside` is analysed only, as one of the frames around others: it is not taken
 * again, and the writer does not get it. Without the call there must be none. */
void rp_ring_split(struct rp_ring *ring, int ahead);

/* Call before the first frame: tickets that are taken together are of frames of one piece, whose
 * first frames have the multiples of this number. So what a piece holds does not depend on where a
 * job began. */
void rp_ring_cut(struct rp_ring *ring, int64_t piece);

/* Frees frames that are still inside. All threads must have left. */
void rp_ring_destroy(struct rp_ring **ring);

/* Reader: wait for a place and add a frame, which becomes the ring's; after RP_ERR_CLOSED, the
 * answer after a failure, it stays the caller's. */
int rp_ring_put(struct rp_ring *ring, struct rp_media_frame *frame);
/* Reader: there are no more. */
void rp_ring_end(struct rp_ring *ring);

enum rp_pass { RP_PASS_WHOLE = 0, RP_PASS_ANALYSE, RP_PASS_PROCESS, RP_PASS_COUNT };

/* A ticket: one frame to be worked on, once. */
struct rp_ticket {
    struct rp_media_frame *frame;
    int64_t number; /* frames that were read before it */
    int place;
    enum rp_pass pass;
    bool aside; /* nothing is put out of this frame */
};

/* Worker: wait for tickets of `most` consecutive frames, fewer only at the end or at that of a
 * piece (so which frames go together does not depend on speed); one at a time if split. Returns how
 * many; RP_ERR_CLOSED at the end or after a failure and, without `wait`, if there is nothing to do
 * now. The ring must have at least `most` places. */
int rp_ring_take(struct rp_ring *ring, struct rp_ticket *ticket, int most, bool wait);
/* Worker: the ticket of this place is done. */
void rp_ring_done(struct rp_ring *ring, int place);

/* Writer: wait for the next frame in order; *frame becomes the caller's. It is NULL at the end;
 * RP_ERR_CLOSED after a failure. */
int rp_ring_get(struct rp_ring *ring, struct rp_media_frame **frame);

/* Any side, on the thread that failed: stop all sides. The first status and sentence are kept. */
void rp_ring_fail(struct rp_ring *ring, int status);
/* 0, or the first failure; its sentence becomes the calling thread's last error. */
int rp_ring_status(struct rp_ring *ring);

#endif /* RP_RING_H */
