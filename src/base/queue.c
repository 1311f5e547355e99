#include "base/queue.h"

#include <pthread.h>

struct rp_queue {
    pthread_mutex_t mutex;
    pthread_cond_t has_room, has_item;
    int capacity, count, first;
    bool closed;
    void *item[]; /* `capacity` of them, used in a circle */
};

int rp_queue_create(struct rp_queue **out, int capacity)
{
    *out = NULL;
    if (capacity < 1)
        return rp_fail(RP_ERR_INVALID, "a queue of %d items", capacity);

    struct rp_queue *const q = calloc(1, sizeof(*q) + (size_t) capacity * sizeof(q->item[0]));
    if (!q)
        return rp_fail(RP_ERR_NOMEM, "a queue of %d items: out of memory", capacity);
    q->capacity = capacity;
    pthread_mutex_init(&q->mutex, NULL);
    pthread_cond_init(&q->has_room, NULL);
    pthread_cond_init(&q->has_item, NULL);
    *out = q;
    return 0;
}

void rp_queue_destroy(struct rp_queue **queue)
{
    struct rp_queue *const q = *queue;

    if (!q)
        return;
    pthread_cond_destroy(&q->has_item);
    pthread_cond_destroy(&q->has_room);
    pthread_mutex_destroy(&q->mutex);
    free(q);
    *queue = NULL;
}

int rp_queue_push(struct rp_queue *queue, void *item)
{
    int ret = RP_ERR_CLOSED;

    pthread_mutex_lock(&queue->mutex);
    while (queue->count == queue->capacity && !queue->closed)
        pthread_cond_wait(&queue->has_room, &queue->mutex);
    if (!queue->closed) {
        queue->item[(queue->first + queue->count) % queue->capacity] = item;
        queue->count++;
        pthread_cond_signal(&queue->has_item);
        ret = 0;
    }
    pthread_mutex_unlock(&queue->mutex);
    return ret;
}

int rp_queue_pop(struct rp_queue *queue, void **item)
{
    int ret = RP_ERR_CLOSED;

    pthread_mutex_lock(&queue->mutex);
    while (!queue->count && !queue->closed)
        pthread_cond_wait(&queue->has_item, &queue->mutex);
    if (queue->count) {
        *item = queue->item[queue->first];
        queue->first = (queue->first + 1) % queue->capacity;
        queue->count--;
        pthread_cond_signal(&queue->has_room);
        ret = 0;
    }
    pthread_mutex_unlock(&queue->mutex);
    return ret;
}

void rp_queue_close(struct rp_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->closed = true;
    pthread_cond_broadcast(&queue->has_room);
    pthread_cond_broadcast(&queue->has_item);
    pthread_mutex_unlock(&queue->mutex);
}
