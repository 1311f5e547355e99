/* A place where frames are worked on: the CPU, or one GPU.
 *
 * A device brings memory, streams (ordered queues of work), the table of operations and the verbs
 * that need more than a launch: loops whose count is in device memory. Everything above this folder
 * is written once against these and does not know which device it runs on.
 *
 * Threads: a device may be used from any thread; a stream belongs to one thread at a time. */
#ifndef RP_DEVICE_H
#define RP_DEVICE_H

#include "base/base.h"
#include "ops/ops.h"

struct rp_device;
struct rp_stream;

/* Work that is recorded on a stream; called once per iteration when it runs eagerly. */
typedef int rp_record_fn(void *priv);

struct rp_device_fns {
    const char *name; /* "cpu", "cuda" */
    bool host_memory; /* device memory is host memory: pointers may be used directly */

    void (*destroy)(struct rp_device *dev);

    /* Zeroed, 64-byte aligned. RP_ERR_NOMEM or RP_ERR_DEVICE_MEM. */
    int (*alloc)(struct rp_device *dev, size_t size, void **out);
    void (*free)(struct rp_device *dev, void *p);

    int (*stream_create)(struct rp_device *dev, struct rp_stream **out); /* *out may stay NULL */
    void (*stream_destroy)(struct rp_device *dev, struct rp_stream *stream);

    /* Ordered on the stream. Host pointers must stay valid until sync(). */
    int (*upload)(struct rp_device *dev, struct rp_stream *s, void *dst, const void *src, size_t n);
    int (*download)(struct rp_device *dev, struct rp_stream *s, void *dst, const void *src, size_t n);
    int (*copy)(struct rp_device *dev, struct rp_stream *s, void *dst, const void *src, size_t n);
    int (*zero)(struct rp_device *dev, struct rp_stream *s, void *dst, size_t n);
    int (*sync)(struct rp_device *dev, struct rp_stream *s);

    /* for (*index = 0; *index < *count; ++*index) body(priv), both in device memory. Recorded: one
     * conditional node whose body is recorded once. Loops may be nested. */
    int (*loop)(struct rp_device *dev, struct rp_stream *s, const int32_t *count, int32_t *index,
                rp_record_fn *body, void *priv);
};

struct rp_device {
    const struct rp_device_fns *fns;
    const struct rp_ops *ops;
    int id;          /* GPU number, 0 on the CPU */
    char title[96];  /* "CPU, 2 cores" */
};

/* The CPU: never fails but for memory. */
int rp_device_cpu(struct rp_device **out);
void rp_device_destroy(struct rp_device **dev);

#endif /* RP_DEVICE_H */
