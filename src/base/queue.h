/* A bounded queue of pointers between threads: mutex, two conditions, a close flag.
 *
 * Frames are few and large, so a lock per frame costs nothing that can be measured. */
#ifndef RP_QUEUE_H
#define RP_QUEUE_H

#include "base/base.h"

struct rp_queue;

/* @param capacity  most items waiting at once, >= 1. Fails with RP_ERR_NOMEM. */
int rp_queue_create(struct rp_queue **out, int capacity);

/* Items still inside are not freed: drain with rp_queue_pop() after rp_queue_close() first. */
void rp_queue_destroy(struct rp_queue **queue);

/* Wait for room, add. Returns 0, or RP_ERR_CLOSED when the queue was closed (item not taken). */
int rp_queue_push(struct rp_queue *queue, void *item);

/* Wait for an item. Returns 0, or RP_ERR_CLOSED when closed and empty. */
int rp_queue_pop(struct rp_queue *queue, void **item);

/* No more pushes; waiting pushers and, once empty, poppers
 * return RP_ERR_CLOSED. May be repeated. */
void rp_queue_close(struct rp_queue *queue);

#endif /* RP_QUEUE_H */
