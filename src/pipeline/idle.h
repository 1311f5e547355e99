/* What a job leaves for the next one: things that took long to open, found by key, each used by one
 * job at a time. If there are too many, or their memory is over the limit, the least recently used
 * are dropped.
 *
 * Threads: any; but what belongs to a device is given, taken, cleared and destroyed on the thread
 * of that device's work. */
#ifndef RP_IDLE_H
#define RP_IDLE_H

#include "device/device.h"

#define RP_IDLE_MOST 4 /* of one device */

struct rp_idle;

struct rp_idle_thing {
    const struct rp_device *device;
    char *key;    /* heap; given away with the thing */
    void *object;
    size_t bytes; /* of the device's memory that it takes */
    size_t limit; /* bytes that all kept things of the device may take */
    void (*destroy)(void *object);
};

/* @param keep  false: nothing is kept */
int rp_idle_create(struct rp_idle **out, bool keep);
/* Nothing may be left of a device that has a thread of its own. */
void rp_idle_destroy(struct rp_idle **idle);

/* The object of this key, which becomes the caller's; NULL if there is none. */
void *rp_idle_take(struct rp_idle *idle, const struct rp_device *device, const char *key);

/* Keep it, or destroy it at once. */
void rp_idle_give(struct rp_idle *idle, const struct rp_idle_thing *thing);

/* Destroy everything of this device: before it closes, or because its memory is needed. */
void rp_idle_clear(struct rp_idle *idle, const struct rp_device *device);

#endif /* RP_IDLE_H */
