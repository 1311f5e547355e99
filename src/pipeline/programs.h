/* Programs that are idle: of several resolutions, kept for the next frame or the next job. If there
 * are too many, or their memory is over the limit, the least recently used are dropped. */
#ifndef RP_PROGRAMS_H
#define RP_PROGRAMS_H

#include "pipeline/program.h"

#define RP_IDLE_PROGRAMS 72 /* those of all slots of a job, and some more */
#define RP_IDLE_KINDS 8     /* plan, size, format */

struct rp_programs {
    struct rp_program *idle[RP_IDLE_PROGRAMS]; /* most recently used first */
    int n;
    int64_t hits, misses, evictions;
};

/* A program of this plan and with these parameters, idle or new; the caller's until it is given
 * back. Its reference faces are those that the plan's selector has now. */
int rp_programs_take(struct rp_programs *programs, const struct rp_plan *plan,
                     const struct rp_program_params *params, struct rp_program **out);
/* The same for frames like this one, one frame a launch. */
int rp_programs_take_for(struct rp_programs *programs, const struct rp_plan *plan,
                         const struct rp_media_frame *frame, struct rp_program **out);
/* Give it back. No launch of it may be in flight. */
void rp_programs_give(struct rp_programs *programs, struct rp_program **program);

/* Device memory of the idle programs: buffers, and what recordings keep. */
size_t rp_programs_bytes(const struct rp_programs *programs);

/* Call fn for each slot of the idle programs: to read clocks. */
void rp_programs_each(const struct rp_programs *programs,
                      void (*fn)(void *priv, const struct rp_slot *slot), void *priv);
/* Set their clocks to zero. */
void rp_programs_reset_clocks(struct rp_programs *programs);

void rp_programs_clear(struct rp_programs *programs);

#endif /* RP_PROGRAMS_H */
