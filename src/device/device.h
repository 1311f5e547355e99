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
struct rp_recording; /* work that was captured and instantiated */

/* What a recording consists of. */
struct rp_census {
    int nodes, kernels, memcpys, memsets, hosts, allocs, conditionals, others;
};

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
    int (*download)(struct rp_device *dev, struct rp_stream *s, void *dst, const void *src,
                    size_t n);
    int (*copy)(struct rp_device *dev, struct rp_stream *s, void *dst, const void *src, size_t n);
    int (*zero)(struct rp_device *dev, struct rp_stream *s, void *dst, size_t n);
    int (*sync)(struct rp_device *dev, struct rp_stream *s);

    /* Host memory that copies inside a recording may use (pinned on a GPU). */
    int (*alloc_host)(struct rp_device *dev, size_t size, void **out);
    void (*free_host)(struct rp_device *dev, void *p);

    /* for (*index = 0; *index < *count; ++*index) body(priv), both in device memory. Recorded: one
     * conditional node whose body is recorded once. Loops may be nested. */
    int (*loop)(struct rp_device *dev, struct rp_stream *s, const int32_t *count, int32_t *index,
                rp_record_fn *body, void *priv);

    /* body(priv[*which]), with *which in device memory; nothing when it is not 0 to n - 1.
     * Recorded: one conditional node with n bodies. May stand in loops and other choices. */
    int (*choose)(struct rp_device *dev, struct rp_stream *s, const int32_t *which, int n,
                  rp_record_fn *body, void *const *priv);

    /* ---- recording; all NULL on a device that cannot ---- */

    /* From here on work on this stream is noted down instead of done. Allocations of ONNX Runtime
     * come from the stream's own pool meanwhile. */
    int (*record_begin)(struct rp_device *dev, struct rp_stream *s);
    /* End it. *out is ready to be replayed. After a failure nothing is recording any more. */
    int (*record_end)(struct rp_device *dev, struct rp_stream *s, struct rp_recording **out);
    /* End it without a result: after a failure in between. */
    void (*record_drop)(struct rp_device *dev, struct rp_stream *s);
    bool (*is_recording)(struct rp_device *dev, const struct rp_stream *s);
    /* Launch; returns at once. `inline_` puts it in line with eager work of the device, else it
     * runs on the stream's own queue, beside other streams. */
    int (*replay)(struct rp_device *dev, struct rp_stream *s, struct rp_recording *r, bool inline_);
    /* Wait for the stream's replays. */
    int (*replay_wait)(struct rp_device *dev, struct rp_stream *s);
    void (*recording_free)(struct rp_device *dev, struct rp_recording **r);
    void (*recording_census)(const struct rp_recording *r, struct rp_census *out);

    /* ---- for ONNX Runtime ---- */

    void *(*queue)(struct rp_device *dev);  /* cudaStream_t of eager work */
    /* Pools: process-wide per GPU. `pinned` = host memory. */
    void *(*pool_alloc)(int id, size_t size, bool pinned);
    void (*pool_free)(int id, void *p, bool pinned);
    size_t (*pool_bytes)(const struct rp_stream *s); /* activations of this stream's recordings */
    int (*memory)(struct rp_device *dev, size_t *free_bytes, size_t *total);
};

struct rp_device {
    const struct rp_device_fns *fns;
    const struct rp_ops *ops;
    int id;          /* GPU number, 0 on the CPU */
    char title[96];  /* "CPU, 2 cores" */
    char version[96]; /* driver and runtime, as far as results depend on them; "" on the CPU */
};

/* The CPU: never fails but for memory. */
int rp_device_cpu(struct rp_device **out);

/* GPU number `id` through the CUDA module. RP_ERR_UNSUPPORTED with a sentence that names what is
 * missing (module, driver, GPU). One device serves one thread: all work on it, and the making and
 * ending of what lives on it, comes from the thread that opened it. */
int rp_device_cuda(struct rp_device **out, int id);
void rp_device_destroy(struct rp_device **dev);

#endif /* RP_DEVICE_H */
