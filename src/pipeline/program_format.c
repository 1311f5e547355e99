/* Planes of a frame, and blocks that hold them. */
#include "pipeline/program_impl.h"

/* Layout of the formats of media.h. */
static const struct {
    bool yuv;
    int sub_x, sub_y, depth;
} formats[] = {
    [RP_FMT_YUV420P] = {true, 1, 1, 8},   [RP_FMT_YUV422P] = {true, 1, 0, 8},
    [RP_FMT_YUV444P] = {true, 0, 0, 8},   [RP_FMT_YUV420P10] = {true, 1, 1, 10},
    [RP_FMT_YUV422P10] = {true, 1, 0, 10}, [RP_FMT_YUV444P10] = {true, 0, 0, 10},
    [RP_FMT_BGR24] = {false, 0, 0, 8},    [RP_FMT_YUVA420P] = {true, 1, 1, 8},
    [RP_FMT_YUVA444P10] = {true, 0, 0, 10}, [RP_FMT_YUVA422P] = {true, 1, 0, 8},
    [RP_FMT_YUVA444P] = {true, 0, 0, 8},  [RP_FMT_YUVA420P10] = {true, 1, 1, 10},
    [RP_FMT_YUVA422P10] = {true, 1, 0, 10}, [RP_FMT_BGR24_ALPHA] = {false, 0, 0, 8},
};

bool rp_is_yuv(enum rp_pixfmt fmt)
{
    return formats[fmt].yuv;
}

bool rp_brings_alpha(enum rp_pixfmt fmt)
{
    return fmt == RP_FMT_YUVA420P || fmt >= RP_FMT_YUVA444P10;
}

struct rp_planes rp_frame_planes(const struct rp_media_frame *f)
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

/* Rows and bytes of a row of plane i. Alpha that no processor touches stays on the host. */
static int plane_rows(const struct rp_program *p, int i, int h)
{
    const int sub = i == 1 || i == 2 ? formats[p->fmt].sub_y : 0;

    if (i == 3)
        return p->plan->alpha ? h : 0;
    if (!rp_is_yuv(p->fmt))
        return i ? 0 : h;
    return (h + sub) >> sub;
}

static size_t plane_row_bytes(const struct rp_program *p, int i, int w)
{
    const int sub = i == 1 || i == 2 ? formats[p->fmt].sub_x : 0;

    if (!rp_is_yuv(p->fmt))
        return (size_t) w * (i == 3 ? 1 : 3);
    return (size_t) ((w + sub) >> sub) * (formats[p->fmt].depth > 8 ? 2 : 1);
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

void rp_pack_planes(const struct rp_program *p, const struct rp_img *img, bool alpha,
                    struct rp_packing *out)
{
    size_t at = 0;

    for (int i = 0; i < 4; i++) {
        const size_t row = plane_row_bytes(p, i, img->w);
        const size_t stride = rp_is_yuv(p->fmt) || i ? (row + 63) & ~(size_t) 63
                                                     : (size_t) img->stride;

        out->plane[i].stride = (int) stride;
        out->plane[i].at = at;
        at += stride * (size_t) plane_rows(p, i, img->h);
    }
    out->bytes = alpha ? at : out->plane[3].at;
}

void rp_move_rows(const struct rp_program *p, const struct rp_media_frame *f, uint8_t *block,
                  const struct rp_packing *pack, bool to_block)
{
    for (int i = 0; i < 4; i++) {
        const size_t n = plane_row_bytes(p, i, f->w);
        uint8_t *packed = block + pack->plane[i].at;
        uint8_t *row = f->plane[i];

        for (int y = i == 3 && to_block && !p->alpha_in ? 0 : plane_rows(p, i, f->h); y > 0; y--) {
            memcpy(to_block ? packed : row, to_block ? row : packed, n);
            packed += pack->plane[i].stride;
            row += f->stride[i];
        }
    }
}
