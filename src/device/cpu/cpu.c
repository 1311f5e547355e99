/* The CPU as a device: memory is memory, a stream is nothing, a loop is a loop.
 *
 * It is the default, the reference for all other devices, and what CI runs. */
#include "device/device.h"

#include "base/base.h"

static void cpu_destroy(struct rp_device *dev)
{
    free(dev);
}

static int cpu_alloc(struct rp_device *dev, size_t size, void **out)
{
    const size_t rounded = (size + 63) & ~(size_t) 63;

    (void) dev;
    *out = NULL;
    if (rounded < size)
        return rp_fail(RP_ERR_NOMEM, "out of memory: %zu bytes", size);
    void *const p = aligned_alloc(64, RP_MAX(rounded, 64));
    if (!p)
        return rp_fail(RP_ERR_NOMEM, "out of memory: %zu bytes", size);
    *out = memset(p, 0, RP_MAX(rounded, 64));
    return 0;
}

static void cpu_free(struct rp_device *dev, void *p)
{
    (void) dev;
    free(p);
}

static int cpu_alloc_host(struct rp_device *dev, size_t size, void **out)
{
    return cpu_alloc(dev, size, out);
}

static int cpu_stream_create(struct rp_device *dev, struct rp_stream **out)
{
    (void) dev;
    *out = NULL;
    return 0;
}

static void cpu_stream_destroy(struct rp_device *dev, struct rp_stream *stream)
{
    (void) dev;
    (void) stream;
}

static int cpu_copy(struct rp_device *dev, struct rp_stream *s, void *dst, const void *src,
                    size_t n)
{
    (void) dev;
    (void) s;
    if (dst != src && n)
        memcpy(dst, src, n);
    return 0;
}

static bool cpu_is_pinned(struct rp_device *dev, const void *p)
{
    (void) dev;
    (void) p;
    return true;
}

static int cpu_transfer(struct rp_device *dev, struct rp_stream *s, const struct rp_transfer *t,
                        bool replayed)
{
    (void) dev;
    (void) s;
    (void) replayed;
    for (int y = 0; y < t->n; y++)
        memcpy((uint8_t *) t->dst + (size_t) y * t->dst_stride,
               (const uint8_t *) t->src + (size_t) y * t->src_stride, t->bytes);
    return 0;
}

static int cpu_zero(struct rp_device *dev, struct rp_stream *s, void *dst, size_t n)
{
    (void) dev;
    (void) s;
    memset(dst, 0, n);
    return 0;
}

static int cpu_sync(struct rp_device *dev, struct rp_stream *s)
{
    (void) dev;
    (void) s;
    return 0;
}

static int cpu_loop(struct rp_device *dev, struct rp_stream *s, const int32_t *count,
                    int32_t *index, rp_record_fn *body, void *priv)
{
    int ret = 0;

    (void) dev;
    (void) s;
    for (*index = 0; *index < *count && ret >= 0; ++*index)
        ret = body(priv);
    return ret;
}

static int cpu_choose(struct rp_device *dev, struct rp_stream *s, const int32_t *which, int n,
                      rp_record_fn *body, void *const *priv)
{
    (void) dev;
    (void) s;
    return *which >= 0 && *which < n ? body(priv[*which]) : 0;
}

static const struct rp_device_fns cpu_fns = {
    .name = "cpu",
    .host_memory = true,
    .destroy = cpu_destroy,
    .alloc = cpu_alloc,
    .free = cpu_free,
    .stream_create = cpu_stream_create,
    .stream_destroy = cpu_stream_destroy,
    .upload = cpu_copy,
    .download = cpu_copy,
    .copy = cpu_copy,
    .zero = cpu_zero,
    .sync = cpu_sync,
    .alloc_host = cpu_alloc_host,
    .free_host = cpu_free,
    .is_pinned = cpu_is_pinned,
    .transfer = cpu_transfer,
    .loop = cpu_loop,
    .choose = cpu_choose,
};

int rp_device_cpu(struct rp_device **out)
{
    struct rp_device *const dev = *out = calloc(1, sizeof(*dev));

    if (!dev)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    dev->fns = &cpu_fns;
    dev->ops = &rp_ops_c;
    snprintf(dev->title, sizeof(dev->title), "CPU, %d core%s", rp_cpu_count(),
             rp_cpu_count() == 1 ? "" : "s");
    return 0;
}
