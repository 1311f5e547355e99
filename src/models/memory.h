/* Sums of model files that were computed before: a model of half a gigabyte is hashed once, not at
 * every start.
 *
 * The memory is a text file in the user's cache, a line a file: its size, its time of change,
 * CRC-32, SHA-256 and path. An entry counts only while size and time are still those of the file.
 * It may be deleted at any time. */
#ifndef RP_MEMORY_H
#define RP_MEMORY_H

#include "base/hash.h"

/* Sums of a file, from memory or, when it is not remembered or
 * `anew`, from its bytes, which are then remembered. */
int rp_memory_sums(const char *path, bool anew, struct rp_sums *sums);

/* Remember sums that the caller has just computed. A failure is no harm and says nothing. */
void rp_memory_keep(const char *path, const struct rp_sums *sums);

#endif /* RP_MEMORY_H */
