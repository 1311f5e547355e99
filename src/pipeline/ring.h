/* Frames in flight between one reader, several workers and one writer.
 *
 * The ring has a fixed number of places, so memory does not depend on the length of the video: the
 * reader waits for a free place, workers take frames in any order, the writer takes finished frames
 * in the order in which they were read. The first failure of any side stops all of them. */
#ifndef RP_RING_H
#define RP_RING_H

#include "base/base.h"

struct rp_media_frame;
struct rp_ring;

int rp_ring_create(struct rp_ring **out, int places);

/* Frees frames that are still inside. All threads must have left. */
void rp_ring_destroy(struct rp_ring **ring);

/* Reader: add a frame (taken over), waiting for a place. RP_ERR_CLOSED after a failure: then the
 * frame stays the caller's. */
int rp_ring_put(struct rp_ring *ring, struct rp_media_frame *frame);
/* Reader: there are no more. */
void rp_ring_end(struct rp_ring *ring);

/* Worker: wait for a frame to work on. RP_ERR_CLOSED at the end or after a failure. */
int rp_ring_take(struct rp_ring *ring, struct rp_media_frame **frame, int *place);
/* Worker: the frame of this place is finished. */
void rp_ring_done(struct rp_ring *ring, int place);

/* Writer: wait for the next frame in order; *frame is the caller's now. NULL at the end,
 * RP_ERR_CLOSED after a failure. */
int rp_ring_get(struct rp_ring *ring, struct rp_media_frame **frame);

/* Any side: stop everybody. The first status is kept. */
void rp_ring_fail(struct rp_ring *ring, int status);
int rp_ring_status(struct rp_ring *ring);

#endif /* RP_RING_H */
