/* Measures how many launches in flight fill a GPU, and of how many frames. */
#ifndef RP_TUNE_H
#define RP_TUNE_H

#include "engine/cache.h"
#include "pipeline/program.h"

#define RP_SOME_SLOTS 4
#define RP_SOME_FRAMES 4 /* in lockstep */

struct rp_launches {
    int frames; /* of one, in lockstep */
    int slots;  /* of them in flight */
};

/* Frames a second; 0: not possible. */
typedef int rp_rate_fn(void *priv, struct rp_launches way, double *fps);

/* The fastest: 1, 2, 4, 8 launches, as long as more of them gain 5 %; with `lockstep` then the same
 * for 4 and 8 frames a launch, as long as that gains 10 %. One that fails is not taken.
 * @param best  its frames are where to begin; 1 slot if nothing is possible */
int rp_tune_search(rp_rate_fn *rate, void *priv, bool lockstep, struct rp_launches *best);

/* For --cuda-graph-slots auto: measured on this frame, within the free memory (or
 * --cuda-graph-memory). The result is kept in the cache under `key`, so that the next start does
 * not measure.
 * @param frame     NULL: nothing is measured, and what is not known is RP_SOME_SLOTS
 * @param lockstep  the number of frames is to be chosen, too
 * @param out       its frames are where to begin; 1 slot if the frame cannot be recorded */
int rp_tune_launches(struct rp_cache *cache, const char *key, const struct rp_plan *plan,
                     struct rp_media_frame *frame, bool lockstep, struct rp_launches *out);

#endif /* RP_TUNE_H */
