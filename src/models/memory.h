/* Remembers sums of model files, so that a model of half a gigabyte is hashed once, not at every
 * start.
 *
 * The memory is a text file in the user's cache, with one line per file: size, time of change,
 * CRC-32, SHA-256 and path. An entry counts only while the file still has that size and time. It
 * may be deleted at any time. */
#ifndef RP_MEMORY_H
#define RP_MEMORY_H

#include "base/hash.h"

/* Sums of a file, from memory. If they are not remembered, or with `anew`, they are computed from
 * its bytes and then remembered. */
int rp_memory_sums(const char *path, bool anew, struct rp_sums *sums);

/* Remember sums that the caller has just computed. A failure does no harm and is not reported. */
void rp_memory_keep(const char *path, const struct rp_sums *sums);

#endif /* RP_MEMORY_H */
