/* --segment: which share of a video's pieces this process makes. */
#ifndef RP_SEGMENT_H
#define RP_SEGMENT_H

#include "base/base.h"

enum { RP_SEGMENT_MOST = 1000000 };

struct rp_segment {
    int number, count; /* 0 to count - 1; count 0: no share, all of it */
};

/* The value of a variable of the environment, or NULL. */
typedef const char *rp_env_fn(const char *name);

/* "2/6" is the second of six. "auto" is what the environment says: an array of Slurm, ranks of
 * Open MPI, an indexed Job of Kubernetes (which must say in JOB_COMPLETION_COUNT how many there
 * are), an array of AWS Batch. NULL: no share. RP_ERR_USAGE with a sentence. */
int rp_segment_parse(struct rp_segment *out, const char *text, rp_env_fn *env);

/* Its pieces of `pieces`: from *first on, up to *end, which is excluded. All are given out, in
 * order, and shares differ by one at most. */
void rp_segment_share(const struct rp_segment *segment, int64_t pieces, int64_t *first,
                      int64_t *end);

#endif /* RP_SEGMENT_H */
