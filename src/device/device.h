/* A place where frames are worked on: the CPU, or one GPU.
 *
 * A device provides memory, streams (ordered queues of work), the table of operations, and what
 * needs more than a launch: loops and choices whose numbers are in device memory. Everything that
 * builds on this folder is written once and does not know which device it runs on.
 *
 * Threads: a device may be used from any thread unless one_thread is set; a stream belongs to one
 * thread at a time. */
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

/* Rows of bytes to be copied; strides in bytes. */
struct rp_transfer {
    void *dst;
    const void *src;
    size_t dst_stride, src_stride, bytes; /* `bytes` of each row */
    int n;
};

/* Work on a stream. Called once when it is recorded; as the body of an eager loop, once per
 * iteration. */
typedef int rp_record_fn(void *priv);

struct rp_device_fns {
    const char *name; /* "cpu", "cuda" */
    bool host_memory; /* device memory is host memory; only port.c and ort.h ask */
    bool one_thread;  /* all work must come from the thread that opened it */

    void (*destroy)(struct rp_device *dev);
    /* From here on the calling thread opens and runs networks on behalf of the device's own, which
     * records nothing meanwhile. NULL: any thread may do any work. */
    int (*enter)(struct rp_device *dev);

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

    /* Zeroed host memory that copies inside a recording may use (pinned on a GPU). Threads: any. */
    int (*alloc_host)(struct rp_device *dev, size_t size, void **out);
    void (*free_host)(struct rp_device *dev, void *p);
    /* Is this such memory? Only then transfer() returns at once. */
    bool (*is_pinned)(struct rp_device *dev, const void *p);
    /* Copy rows, to the device or from it, in order with the stream's replays or, unless `replayed`,
     * with its eager work. Never part of a recording; host memory must stay until that work has been
     * waited for. */
    int (*transfer)(struct rp_device *dev, struct rp_stream *s, const struct rp_transfer *rows,
                    bool replayed);

    /* ---- for a decoder on the device, on another thread; NULL on a device without ---- */

    /* A stream for operations that run now, beside the device's own work: at most one thread uses it.
     * It cannot record. *context, *queue: CUcontext, CUstream. */
    int (*beside)(struct rp_device *dev, struct rp_stream **out, void **context, void **queue);
    /* As alloc(), but not zeroed. Threads: any; so also free(). */
    int (*alloc_beside)(struct rp_device *dev, size_t size, void **out);

    /* for (*index = 0; *index < *count; ++*index) body(priv), both numbers in device memory.
     * Recorded, it is one conditional node whose body is recorded once. Loops may be nested. */
    int (*loop)(struct rp_device *dev, struct rp_stream *s, const int32_t *count, int32_t *index,
                rp_record_fn *body, void *priv);

    /* body(priv[*which]), with *which in device memory; nothing if it is not 0 to n - 1. Recorded,
     * it is one conditional node with n bodies. May be inside loops and other choices. */
    int (*choose)(struct rp_device *dev, struct rp_stream *s, const int32_t *which, int n,
                  rp_record_fn *body, void *const *priv);

    /* ---- recording; all NULL on a device that cannot record ---- */

    /* From here on work on this stream is recorded instead of done. Meanwhile ONNX Runtime's
     * allocations come from the stream's own pool. */
    int (*record_begin)(struct rp_device *dev, struct rp_stream *s);
    /* End the recording. *out is ready to be replayed. After a failure, too, nothing is being
     * recorded any more. */
    int (*record_end)(struct rp_device *dev, struct rp_stream *s, struct rp_recording **out);
    /* End the recording without a result, after a failure. */
    void (*record_drop)(struct rp_device *dev, struct rp_stream *s);
    bool (*is_recording)(struct rp_device *dev, const struct rp_stream *s);
    /* Launch a recording; returns at once. With `inline_` it runs in order with the device's eager
     * work, else on the stream's own queue, at the same time as other streams. */
    int (*replay)(struct rp_device *dev, struct rp_stream *s, struct rp_recording *r, bool inline_);
    /* Wait for the stream's replays. */
    int (*replay_wait)(struct rp_device *dev, struct rp_stream *s);
    void (*recording_free)(struct rp_device *dev, struct rp_recording **r);
    void (*recording_census)(const struct rp_recording *r, struct rp_census *out);

    /* ---- for ONNX Runtime ---- */

    void *(*queue)(struct rp_device *dev);  /* cudaStream_t of eager work */
    /* Pools: one set per GPU and process. `pinned`: host memory. */
    void *(*pool_alloc)(int id, size_t size, bool pinned);
    void (*pool_free)(int id, void *p, bool pinned);
    size_t (*pool_bytes)(const struct rp_stream *s); /* activations of this stream's recordings */
    /* A failure is not reported: who asks can do without. */
    int (*memory)(struct rp_device *dev, size_t *free_bytes, size_t *total);
};

struct rp_device {
    const struct rp_device_fns *fns;
    const struct rp_ops *ops;
    int id;          /* GPU number, 0 on the CPU */
    char title[96];  /* "CPU, 2 cores" */
    char version[96]; /* driver and runtime, as far as results depend on them; "" on the CPU */
};

/* The CPU. Fails only when out of memory. */
int rp_device_cpu(struct rp_device **out);

/* GPU number `id` through the CUDA module. RP_ERR_UNSUPPORTED with a sentence that names what is
 * missing (module, driver, GPU). A device serves one thread: all work on it must come from the
 * thread that opened it, and whatever lives on it must be made and destroyed there. Only networks
 * may be opened by threads that called enter(). */
int rp_device_cuda(struct rp_device **out, int id);
void rp_device_destroy(struct rp_device **dev);

#endif /* RP_DEVICE_H */
