/* A bounded queue of pointers between threads: mutex, two conditions, a close flag.
 *
 * Frames are few and large, so one lock per frame costs nothing measurable. */
#ifndef RP_QUEUE_H
#define RP_QUEUE_H

#include "base/base.h"

struct rp_queue;

/* @param capacity  most items waiting at once, at least 1. RP_ERR_NOMEM when out of memory. */
int rp_queue_create(struct rp_queue **out, int capacity);

/* Items still inside are not freed: call rp_queue_close() and drain it with rp_queue_pop()
 * first. */
void rp_queue_destroy(struct rp_queue **queue);

/* Wait for room and add the item. Returns 0, or RP_ERR_CLOSED when the queue was closed (item not
 * taken). */
int rp_queue_push(struct rp_queue *queue, void *item);

/* Wait for an item. Returns 0, or RP_ERR_CLOSED when closed and empty. */
int rp_queue_pop(struct rp_queue *queue, void **item);

/* No more pushes: from now on rp_queue_push() and, once the queue is empty, rp_queue_pop() return
 * RP_ERR_CLOSED, also in threads that wait already. May be repeated. */
void rp_queue_close(struct rp_queue *queue);

#endif /* RP_QUEUE_H */
