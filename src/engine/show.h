/* Describes a list for people and programs: what is done, on which buffers, and how much of it.
 *
 * Addresses do not appear: buffers are numbered in the order in which the list first uses them
 * ("b7"), so the same work reads the same in every slot and process. A place inside a buffer counts
 * as a buffer of its own. */
#ifndef RP_SHOW_H
#define RP_SHOW_H

#include <jansson.h>

#include "base/hash.h"
#include "engine/list.h"

/* Text of several lines: items, indented by loops and choices; buffers with the number of bytes
 * used of them; totals. The body of a loop counts once, and so does each branch of a choice.
 * @param memory  device memory of the work, for the totals; 0: unknown
 * @return a heap string; NULL when out of memory */
char *rp_list_text(const struct rp_list *list, size_t memory);

/* The same as a JSON object, with the hash. A new reference; NULL when out of memory. What is not
 * known is null in it. */
json_t *rp_list_json(const struct rp_list *list, size_t memory);

/* SHA-256 of the items and of the stamps of the networks' files (rp_cache_stamp()). Equal hashes
 * mean the same work, given the same constants in the buffers. RP_ERR_IO when a file cannot be
 * read. */
int rp_list_hash(const struct rp_list *list, char hex[RP_SHA256_HEX]);

#endif /* RP_SHOW_H */
