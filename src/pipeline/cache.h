/* Frame programs for pictures of changing size: several resolutions side by side, the least
 * recently used one dropped when there are too many or their memory is over the limit. */
#ifndef RP_PROGRAM_CACHE_H
#define RP_PROGRAM_CACHE_H

#include "pipeline/program.h"

#define RP_CACHED_PROGRAMS 8

struct rp_program_cache {
    struct rp_program *program[RP_CACHED_PROGRAMS]; /* most recently used first */
    int n;
    int64_t hits, misses, evictions;
};

/* The program for frames like this one; stays valid until the next call. */
int rp_program_cache_get(struct rp_program_cache *cache, const struct rp_plan *plan,
                         const struct rp_media_frame *frame, struct rp_program **out);

void rp_program_cache_clear(struct rp_program_cache *cache);

#endif /* RP_PROGRAM_CACHE_H */
