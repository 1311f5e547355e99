/* Measures how many launches in flight fill a GPU. */
#ifndef RP_TUNE_H
#define RP_TUNE_H

#include "engine/cache.h"
#include "pipeline/program.h"

#define RP_SOME_SLOTS 4

/* Slots for --cuda-graph-slots auto: 1, 2, 4, 8 programs are measured on this frame until more of
 * them gain less than 5 %, within the free memory (or --cuda-graph-memory). The number is kept in
 * the cache under `key`, so that the next start does not measure.
 * @param frame  NULL: nothing is measured, and what is not known is RP_SOME_SLOTS
 * @param slots  the number; 1 if the frame cannot be recorded */
int rp_tune_slots(struct rp_cache *cache, const char *key, const struct rp_plan *plan,
                  struct rp_media_frame *frame, int *slots);

#endif /* RP_TUNE_H */
