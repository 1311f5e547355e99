/* Measured choices: how many frames in flight fill a GPU. */
#ifndef RP_TUNE_H
#define RP_TUNE_H

#include "engine/plan.h"
#include "pipeline/team.h"

/* Slots for --cuda-graph-slots auto: 1, 2, 4, 8 programs are measured on this frame until more of
 * them gain less than 5 %, inside the memory that is free (or --cuda-graph-memory). Kept in the
 * plan cache under `key`, so that the next start does not measure.
 * @param slots  the number; 1 when the frame cannot be recorded */
int rp_tune_slots(struct rp_plans *plans, const char *key, const struct rp_plan *plan,
                  struct rp_media_frame *frame, int *slots);

#endif /* RP_TUNE_H */
