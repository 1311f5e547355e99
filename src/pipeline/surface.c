#include "pipeline/surface.h"

static int alloc_block(void *priv, size_t size, void **out)
{
    struct rp_device *const dev = priv;

    return dev->fns->alloc_beside(dev, size, out);
}

static void free_block(void *priv, void *p)
{
    struct rp_device *const dev = priv;

    dev->fns->free(dev, p);
}

/* On the reading thread. The surface is the decoder's again on return, and the planes are ready for
 * whatever reads them. */
static int read_surface(void *priv, const struct rp_surface *from, uint8_t *const *plane,
                        const int *stride)
{
    struct rp_surfaces *const s = priv;
    struct rp_device *const dev = s->device;
    const int w = from->w, h = from->h;
    const struct rp_planes to = {.plane = {plane[0], plane[1], plane[2]},
                                 .stride = {stride[0], stride[1], stride[2]},
                                 .w = w,
                                 .h = h,
                                 .sub_x = 1,
                                 .sub_y = 1,
                                 .depth = from->deep ? 10 : 8};

    RP_CHECK(dev->ops->semi_read(
        s->stream, &(const struct rp_op_semi_read){
                       .y = {from->y, from->y_stride, w, h, 1},
                       .uv = {from->uv, from->uv_stride, (w + 1) / 2 * 2, (h + 1) / 2, 1},
                       .dst = &to}));
    return dev->fns->sync(dev, s->stream);
}

int rp_surfaces_open(struct rp_surfaces **out, struct rp_device *device)
{
    struct rp_surfaces *s;

    *out = NULL;
    if (!device->fns->beside)
        return rp_fail(RP_ERR_UNSUPPORTED, "%s has no decoder for video", device->title);
    if (!(s = calloc(1, sizeof(*s))))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    s->device = device;
    const int ret = device->fns->beside(device, &s->stream, &s->decoder.context, &s->decoder.queue);
    if (ret < 0) {
        free(s);
        return ret;
    }
    s->decoder.memory = (struct rp_frame_memory){alloc_block, free_block, device, .only = true};
    s->decoder.read = read_surface;
    s->decoder.priv = s;
    *out = s;
    return 0;
}

void rp_surfaces_close(struct rp_surfaces **surfaces)
{
    struct rp_surfaces *const s = *surfaces;

    if (!s)
        return;
    s->device->fns->stream_destroy(s->device, s->stream);
    free(s);
    *surfaces = NULL;
}
