#include "pipeline/port.h"

#include "pipeline/device_image.h"

/* Layout of the formats of media.h. */
static const struct {
    bool yuv, alpha;
    int sub_x, sub_y, depth;
} formats[] = {
    [RP_FMT_YUV420P] = {true, false, 1, 1, 8},     [RP_FMT_YUV422P] = {true, false, 1, 0, 8},
    [RP_FMT_YUV444P] = {true, false, 0, 0, 8},     [RP_FMT_YUV420P10] = {true, false, 1, 1, 10},
    [RP_FMT_YUV422P10] = {true, false, 1, 0, 10},  [RP_FMT_YUV444P10] = {true, false, 0, 0, 10},
    [RP_FMT_BGR24] = {false, false, 0, 0, 8},      [RP_FMT_YUVA420P] = {true, true, 1, 1, 8},
    [RP_FMT_YUVA444P10] = {true, true, 0, 0, 10},  [RP_FMT_YUVA422P] = {true, true, 1, 0, 8},
    [RP_FMT_YUVA444P] = {true, true, 0, 0, 8},     [RP_FMT_YUVA420P10] = {true, true, 1, 1, 10},
    [RP_FMT_YUVA422P10] = {true, true, 1, 0, 10},  [RP_FMT_BGR24_ALPHA] = {false, true, 0, 0, 8},
};

bool rp_port_is_direct(const struct rp_device *device)
{
    return device->fns->host_memory;
}

bool rp_port_is_yuv(const struct rp_port *p)
{
    return formats[p->fmt].yuv;
}

void rp_frame_over_image(struct rp_media_frame *out, const struct rp_image *image)
{
    *out = (struct rp_media_frame){
        .fmt = RP_FMT_BGR24,
        .w = image->w,
        .h = image->h,
        .plane = {image->data},
        .stride = {(int) image->stride},
    };
}

void rp_frame_over_device(struct rp_media_frame *out, struct rp_image *image)
{
    *out = (struct rp_media_frame){
        .fmt = RP_FMT_BGR24, .w = image->w, .h = image->h, .device = image};
}

/* The planes of a frame as operations take them. */
static struct rp_planes planes_of(const struct rp_media_frame *f)
{
    struct rp_planes p = {
        .w = f->w, .h = f->h,
        .sub_x = formats[f->fmt].sub_x,
        .sub_y = formats[f->fmt].sub_y,
        .depth = formats[f->fmt].depth,
        .matrix = (int) f->colour.matrix,
        .full_range = f->colour.full_range,
    };

    for (int i = 0; i < 4; i++) {
        p.plane[i] = f->plane[i];
        p.stride[i] = f->stride[i];
    }
    return p;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* Rows of plane i, and bytes in a row. Alpha that no processor touches stays on the host. */
static void plane_size(const struct rp_port *p, int i, const struct rp_img *img, bool alpha,
                       int *rows, size_t *bytes)
{
    const bool yuv = formats[p->fmt].yuv, chroma = i == 1 || i == 2;
    const int sub_x = chroma ? formats[p->fmt].sub_x : 0,
              sub_y = chroma ? formats[p->fmt].sub_y : 0;

    if (i == 3)
        *rows = alpha ? img->h : 0;
    else
        *rows = !yuv && i ? 0 : (img->h + sub_y) >> sub_y;
    *bytes = yuv ? (size_t) ((img->w + sub_x) >> sub_x) * (formats[p->fmt].depth > 8 ? 2 : 1)
                 : (size_t) img->w * (i == 3 ? 1 : 3);
}

/* All planes, one after the other, rows at 64-byte steps. */
static void pack_planes(const struct rp_port *p, const struct rp_img *img, bool alpha,
                        struct rp_packing *out)
{
    size_t at = 0;

    for (int i = 0; i < 4; i++) {
        plane_size(p, i, img, alpha, &out->plane[i].rows, &out->plane[i].row_bytes);
        out->plane[i].stride = (int) ((out->plane[i].row_bytes + 63) & ~(size_t) 63);
        out->plane[i].at = at;
        at += (size_t) out->plane[i].stride * (size_t) out->plane[i].rows;
    }
    out->bytes = at;
}

/* Rows between the frame's planes and a packed block on the host: for planes that are not pinned. */
static void move_rows(const struct rp_media_frame *f, uint8_t *block, const struct rp_packing *pack,
                      bool to_block)
{
    for (int i = 0; i < 4; i++) {
        uint8_t *packed = block + pack->plane[i].at, *row = f->plane[i];

        for (int y = 0; y < pack->plane[i].rows; y++) {
            memcpy(to_block ? packed : row, to_block ? row : packed, pack->plane[i].row_bytes);
            packed += pack->plane[i].stride;
            row += f->stride[i];
        }
    }
}

/* The planes in a block. */
static struct rp_planes planes_in(const struct rp_port_params *params, uint8_t *block,
                                  const struct rp_packing *pack, const struct rp_img *img)
{
    struct rp_planes at = {
        .w = img->w, .h = img->h,
        .sub_x = formats[params->fmt].sub_x,
        .sub_y = formats[params->fmt].sub_y,
        .depth = formats[params->fmt].depth,
        .matrix = (int) params->colour.matrix,
        .full_range = params->colour.full_range,
    };

    for (int i = 0; i < 4; i++) {
        at.plane[i] = pack->plane[i].rows ? block + pack->plane[i].at : NULL;
        at.stride[i] = pack->plane[i].stride;
    }
    return at;
}

static int make_blocks(struct rp_port *p, const struct rp_port_params *params)
{
    pack_planes(p, &params->from, p->alpha_in, &p->pack_in);
    pack_planes(p, &params->to, p->alpha_out, &p->pack_out);
    RP_CHECK(rp_slot_alloc(p->slot, p->pack_in.bytes, (void **) &p->device_in));
    RP_CHECK(rp_slot_alloc(p->slot, p->pack_out.bytes, (void **) &p->device_out));
    return 0;
}

static int alloc_pinned(void *device, size_t size, void **out)
{
    struct rp_device *const dev = device;

    rp_log_hold(true); /* without it frames lie in other memory */
    const int ret = dev->fns->alloc_host(dev, size, out);
    rp_log_hold(false);
    return ret;
}

static void free_pinned(void *device, void *p)
{
    struct rp_device *const dev = device;

    dev->fns->free_host(dev, p);
}

struct rp_frame_memory rp_port_memory(struct rp_device *device)
{
    if (rp_port_is_direct(device))
        return (struct rp_frame_memory){0};
    return (struct rp_frame_memory){alloc_pinned, free_pinned, device};
}

/* The planes of a direct port come with each frame; their form is set here already, for whatever
 * reads recorded work. */
int rp_port_open(struct rp_port *p, struct rp_slot *slot, const struct rp_port_params *params)
{
    *p = (struct rp_port){
        .slot = slot,
        .fmt = params->fmt,
        .direct = rp_port_is_direct(slot->device),
        .resident = params->resident,
        .alpha_in = params->alpha && formats[params->fmt].alpha,
        .alpha_out = params->alpha,
        .resized = params->from.data != params->to.data,
    };
    if (!p->direct)
        RP_CHECK(make_blocks(p, params));
    p->in = planes_in(params, p->device_in, &p->pack_in, &params->from);
    p->out = planes_in(params, p->device_out, &p->pack_out, &params->to);
    return 0;
}

void rp_port_close(struct rp_port *p)
{
    rp_port_drop(p);
}

/* ---- host ------------------------------------------------------------------------------------ */

/* Plane i of packed pixels as an image: no data where there is no such plane. */
static struct rp_img image_of(const struct rp_planes *p, int i)
{
    return (struct rp_img){.data = p->plane[i], .stride = p->stride[i], .w = p->w, .h = p->h,
                           .ch = i == 3 ? 1 : 3};
}

/* Give the result to the frame's picture on the device. */
static int give_device(const struct rp_port *p, rp_image *image)
{
    const struct rp_img bgr = image_of(&p->out, 0), alpha = image_of(&p->out, 3);

    return p->resized ? rp_device_image_replace(p->slot, image, bgr, alpha)
                      : rp_device_image_join(p->slot, image, bgr, alpha);
}

/* Can copies be made from and to its planes without the host? Those on the GPU are like pinned ones. */
static bool is_pinned(const struct rp_port *p, const struct rp_media_frame *f,
                      const struct rp_packing *pack)
{
    struct rp_device *const dev = p->slot->device;

    if (f->on_gpu)
        return true;
    for (int i = 0; i < 4; i++)
        if (pack->plane[i].rows && !dev->fns->is_pinned(dev, f->plane[i]))
            return false;
    return true;
}

/* Between the frame's planes and a block on the device. */
static int transfer(const struct rp_port *p, const struct rp_media_frame *f, uint8_t *block,
                    const struct rp_packing *pack, bool to_device, bool replayed)
{
    struct rp_device *const dev = p->slot->device;

    for (int i = 0; i < 4; i++) {
        uint8_t *const packed = block + pack->plane[i].at;
        const size_t packed_stride = (size_t) pack->plane[i].stride;
        const size_t stride = (size_t) f->stride[i];

        if (!pack->plane[i].rows)
            continue;
        RP_CHECK(dev->fns->transfer(dev, p->slot->stream, &(const struct rp_transfer){
            .dst = to_device ? packed : f->plane[i],
            .src = to_device ? f->plane[i] : packed,
            .dst_stride = to_device ? packed_stride : stride,
            .src_stride = to_device ? stride : packed_stride,
            .bytes = pack->plane[i].row_bytes,
            .n = pack->plane[i].rows}, replayed));
    }
    return 0;
}

/* Between the pinned block on the host, made when it is needed first, and that on the device. */
static int transfer_block(struct rp_port *p, bool to_device, bool replayed)
{
    struct rp_device *const dev = p->slot->device;
    const size_t bytes = to_device ? p->pack_in.bytes : p->pack_out.bytes;

    return dev->fns->transfer(dev, p->slot->stream, &(const struct rp_transfer){
        .dst = to_device ? p->device_in : p->host_out,
        .src = to_device ? p->host_in : p->device_out,
        .dst_stride = bytes, .src_stride = bytes, .bytes = bytes, .n = 1}, replayed);
}

int rp_port_take(struct rp_port *p, const struct rp_media_frame *frame, bool replayed)
{
    if (p->direct) {
        p->in = planes_of(frame);
        if (!p->alpha_in)
            p->in.plane[3] = NULL;
        return 0;
    }
    if (frame->device)
        return rp_device_image_split(p->slot, frame->device, image_of(&p->in, 0),
                                     image_of(&p->in, 3));
    if (is_pinned(p, frame, &p->pack_in))
        return transfer(p, frame, p->device_in, &p->pack_in, true, replayed);
    if (!p->host_in)
        RP_CHECK(rp_slot_alloc_host(p->slot, p->pack_in.bytes, (void **) &p->host_in));
    move_rows(frame, p->host_in, &p->pack_in, true);
    return transfer_block(p, true, replayed);
}

/* Planes of a frame's own, in pinned memory, if it comes from a reader that has such. Alpha that is
 * not worked on stays with the frame it is in. */
static int make_result(struct rp_port *p, const struct rp_media_frame *frame)
{
    rp_media_frame_free(&p->result);
    if (p->alpha_out || formats[p->fmt].alpha)
        return 0;
    RP_CHECK(rp_media_frame_twin(frame, p->out.w, p->out.h, &p->result));
    if (p->result && !frame->on_gpu && !is_pinned(p, p->result, &p->pack_out))
        rp_media_frame_free(&p->result);
    return 0;
}

int rp_port_fetch(struct rp_port *p, const struct rp_media_frame *frame, bool replayed)
{
    if (p->direct || frame->device)
        return 0;
    RP_CHECK(make_result(p, frame));
    if (p->result)
        return transfer(p, p->result, p->device_out, &p->pack_out, false, replayed);
    if (!p->host_out)
        RP_CHECK(rp_slot_alloc_host(p->slot, p->pack_out.bytes, (void **) &p->host_out));
    return transfer_block(p, false, replayed);
}

void rp_port_drop(struct rp_port *p)
{
    rp_media_frame_free(&p->result);
}

int rp_port_load(struct rp_port *p, const struct rp_media_frame *frame)
{
    RP_CHECK(rp_port_take(p, frame, false));
    return rp_slot_sync(p->slot);
}

int rp_port_give(struct rp_port *p, struct rp_media_frame *frame)
{
    if (frame->device)
        return give_device(p, frame->device);
    if (p->result)
        return rp_media_frame_become(frame, &p->result);
    if (p->resized)
        RP_CHECK(rp_media_frame_resize(frame, p->out.w, p->out.h));
    else
        RP_CHECK(rp_media_frame_writable(frame));
    if (p->alpha_out && !p->alpha_in)
        RP_CHECK(rp_media_frame_add_alpha(frame));
    if (p->direct)
        p->out = planes_of(frame);
    else
        move_rows(frame, p->host_out, &p->pack_out, false);
    return 0;
}

/* ---- recording ------------------------------------------------------------------------------- */

/* Zeros make a frame of another size independent of the frame before it. */
void rp_port_record_base(const struct rp_port *p)
{
    if (p->direct)
        return;
    if (p->resized)
        rp_record_zero(p->slot, p->device_out, p->pack_out.bytes);
    else
        rp_record_copy(p->slot, p->device_out, p->device_in, p->pack_in.bytes);
}

int rp_port_watch(const struct rp_port *p, struct rp_graph *graph)
{
    return p->direct ? 0 : rp_graph_watch(graph, p->device_out, p->pack_out.bytes);
}
