/* Frames: our pixel formats and libav's, conversion, and frames that own an AVFrame. */
#include "media/av.h"

#include <libavutil/imgutils.h>

/* clang-format off */
static const struct {
    enum AVPixelFormat av;
    int planes, depth;
    enum rp_pixfmt alpha; /* the same with alpha; itself when it has */
} formats[RP_FMT_COUNT] = {
    [RP_FMT_YUV420P]     = {AV_PIX_FMT_YUV420P,       3,  8, RP_FMT_YUVA420P},
    [RP_FMT_YUV422P]     = {AV_PIX_FMT_YUV422P,       3,  8, RP_FMT_YUVA422P},
    [RP_FMT_YUV444P]     = {AV_PIX_FMT_YUV444P,       3,  8, RP_FMT_YUVA444P},
    [RP_FMT_YUV420P10]   = {AV_PIX_FMT_YUV420P10LE,   3, 10, RP_FMT_YUVA420P10},
    [RP_FMT_YUV422P10]   = {AV_PIX_FMT_YUV422P10LE,   3, 10, RP_FMT_YUVA422P10},
    [RP_FMT_YUV444P10]   = {AV_PIX_FMT_YUV444P10LE,   3, 10, RP_FMT_YUVA444P10},
    [RP_FMT_BGR24]       = {AV_PIX_FMT_BGR24,         1,  8, RP_FMT_BGR24_ALPHA},
    [RP_FMT_YUVA420P]    = {AV_PIX_FMT_YUVA420P,      4,  8, RP_FMT_YUVA420P},
    [RP_FMT_YUVA444P10]  = {AV_PIX_FMT_YUVA444P10LE,  4, 10, RP_FMT_YUVA444P10},
    [RP_FMT_YUVA422P]    = {AV_PIX_FMT_YUVA422P,      4,  8, RP_FMT_YUVA422P},
    [RP_FMT_YUVA444P]    = {AV_PIX_FMT_YUVA444P,      4,  8, RP_FMT_YUVA444P},
    [RP_FMT_YUVA420P10]  = {AV_PIX_FMT_YUVA420P10LE,  4, 10, RP_FMT_YUVA420P10},
    [RP_FMT_YUVA422P10]  = {AV_PIX_FMT_YUVA422P10LE,  4, 10, RP_FMT_YUVA422P10},
    /* libav has no such layout: in an AVFrame it is BGR24 with data[3]; the writer interleaves */
    [RP_FMT_BGR24_ALPHA] = {AV_PIX_FMT_BGRA,          1,  8, RP_FMT_BGR24_ALPHA},
};
/* clang-format on */

enum AVPixelFormat rp_pixfmt_to_av(enum rp_pixfmt fmt)
{
    return formats[fmt].av;
}

int rp_pixfmt_planes(enum rp_pixfmt fmt)
{
    return formats[fmt].planes;
}

int rp_pixfmt_depth(enum rp_pixfmt fmt)
{
    return formats[fmt].depth;
}

bool rp_pixfmt_alpha(enum rp_pixfmt fmt)
{
    return formats[fmt].alpha == fmt;
}

static enum rp_pixfmt nearest_yuv(const AVPixFmtDescriptor *d)
{
    const bool deep = d->comp[0].depth > 8, grey = d->nb_components < 3;
    const bool alpha = d->flags & AV_PIX_FMT_FLAG_ALPHA;
    enum rp_pixfmt plain = deep ? RP_FMT_YUV444P10 : RP_FMT_YUV444P;

    if (grey || (d->log2_chroma_w && d->log2_chroma_h))
        plain = deep ? RP_FMT_YUV420P10 : RP_FMT_YUV420P;
    else if (d->log2_chroma_w)
        plain = deep ? RP_FMT_YUV422P10 : RP_FMT_YUV422P;
    return alpha ? formats[plain].alpha : plain;
}

enum rp_pixfmt rp_pixfmt_nearest(enum AVPixelFormat fmt, bool *same)
{
    const AVPixFmtDescriptor *const d = av_pix_fmt_desc_get(fmt);

    *same = true;
    for (size_t i = 0; i < RP_ARRAY_LEN(formats); i++)
        if (formats[i].av == fmt && i != RP_FMT_BGR24_ALPHA)
            return (enum rp_pixfmt) i;
    switch (fmt) { /* the same, but full range */
    case AV_PIX_FMT_YUVJ420P:
        return RP_FMT_YUV420P;
    case AV_PIX_FMT_YUVJ422P:
        return RP_FMT_YUV422P;
    case AV_PIX_FMT_YUVJ444P:
        return RP_FMT_YUV444P;
    default:
        break;
    }
    *same = false;
    if (d && ((d->flags & AV_PIX_FMT_FLAG_PAL) ||
              (d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_ALPHA)) ==
                  (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_ALPHA)))
        return RP_FMT_BGR24_ALPHA;
    if (!d || (d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_BAYER)))
        return RP_FMT_BGR24;
    return nearest_yuv(d);
}

/* Those of BGR24_ALPHA are not used as they are. */
bool rp_pixfmt_stays(enum AVPixelFormat fmt)
{
    bool same;

    return rp_pixfmt_nearest(fmt, &same) != RP_FMT_BGR24_ALPHA && same;
}

/* ---- colour ---------------------------------------------------------------------------------- */

static bool is_full_range(const AVFrame *f)
{
    switch (f->format) {
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUVJ422P:
    case AV_PIX_FMT_YUVJ444P:
    case AV_PIX_FMT_YUVJ440P:
    case AV_PIX_FMT_YUVJ411P:
        return true;
    default:
        return f->color_range == AVCOL_RANGE_JPEG;
    }
}

struct rp_colour rp_colour_of(const AVFrame *f)
{
    struct rp_colour c = {.full_range = is_full_range(f)};

    switch (f->colorspace) {
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
    case AVCOL_SPC_FCC:
        c.matrix = RP_MATRIX_BT601;
        break;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
        c.matrix = RP_MATRIX_BT2020;
        break;
    case AVCOL_SPC_BT709:
    case AVCOL_SPC_SMPTE240M: /* nearly the same numbers */
        c.matrix = RP_MATRIX_BT709;
        break;
    default: /* as FFmpeg, so FaceFusion too; players assume BT.709 from 720 lines */
        c.matrix = RP_MATRIX_BT601;
        break;
    }
    return c;
}

int rp_sws_matrix(enum rp_matrix matrix)
{
    return matrix == RP_MATRIX_BT601    ? SWS_CS_ITU601
           : matrix == RP_MATRIX_BT2020 ? SWS_CS_BT2020
                                        : SWS_CS_ITU709;
}

/* Grey has no chroma to convert, and swscale would assume full range. */
static bool copy_grey(const AVFrame *src, AVFrame *dst)
{
    if (src->format != AV_PIX_FMT_GRAY8 || dst->format != AV_PIX_FMT_YUV420P ||
        src->width != dst->width || src->height != dst->height)
        return false;
    const int cw = (dst->width + 1) / 2, ch = (dst->height + 1) / 2;
    av_image_copy_plane(dst->data[0], dst->linesize[0], src->data[0], src->linesize[0], src->width,
                        src->height);
    for (int p = 1; p < 3; p++)
        for (int y = 0; y < ch; y++)
            memset(dst->data[p] + (ptrdiff_t) y * dst->linesize[p], 128, (size_t) cw);
    return true;
}

int rp_sws_run(struct SwsContext **sws, const AVFrame *src, struct rp_colour from, AVFrame *dst,
               struct rp_colour to)
{
    const bool scaled = src->width != dst->width || src->height != dst->height;
    const int flags = (scaled ? SWS_BICUBIC : SWS_BILINEAR) | SWS_ACCURATE_RND |
                      SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP;

    return copy_grey(src, dst) || rp_copy_grey_alpha(src, dst)
               ? 0
               : rp_sws_run_with(sws, flags, src, from, dst, to);
}

int rp_sws_run_with(struct SwsContext **sws, int flags, const AVFrame *src, struct rp_colour from,
                    AVFrame *dst, struct rp_colour to)
{
    *sws = sws_getCachedContext(*sws, src->width, src->height, src->format, dst->width, dst->height,
                                dst->format, flags, NULL, NULL, NULL);
    if (!*sws)
        return rp_fail(RP_ERR_UNSUPPORTED, "no conversion from %s to %s",
                       av_get_pix_fmt_name(src->format), av_get_pix_fmt_name(dst->format));
    /* Fails for pairs where it has no meaning. */
    sws_setColorspaceDetails(*sws, sws_getCoefficients(rp_sws_matrix(from.matrix)), from.full_range,
                             sws_getCoefficients(rp_sws_matrix(to.matrix)), to.full_range, 0,
                             1 << 16, 1 << 16);
    const int n = sws_scale(*sws, (const uint8_t *const *) src->data, src->linesize, 0, src->height,
                            dst->data, dst->linesize);
    return n < 0 ? rp_fail(rp_av_status(n), "converting pixels: %s", av_err2str(n)) : 0;
}

/* ---- allocation ------------------------------------------------------------------------------ */

#define ALIGN 64

int rp_avframe_alloc(AVFrame **out, enum AVPixelFormat fmt, int w, int h, struct rp_pool *pool)
{
    const int size = av_image_get_buffer_size(fmt, FFALIGN(w, ALIGN), h, ALIGN);
    AVFrame *const f = *out = av_frame_alloc();

    if (!f || size < 0)
        goto nomem;
    f->format = fmt;
    f->width = w;
    f->height = h;
    f->buf[0] = pool ? rp_pool_buffer(pool, (size_t) size + ALIGN * 8)
                     : av_buffer_alloc((size_t) size + ALIGN * 8);
    if (!f->buf[0])
        goto nomem;
    uint8_t *const base = f->buf[0]->data + (-(uintptr_t) f->buf[0]->data & (ALIGN - 1));
    if (av_image_fill_linesizes(f->linesize, fmt, FFALIGN(w, ALIGN)) < 0)
        goto nomem;
    for (int p = 0; p < 4; p++)
        f->linesize[p] = FFALIGN(f->linesize[p], ALIGN);
    if (av_image_fill_pointers(f->data, fmt, h, base, f->linesize) < 0)
        goto nomem;
    f->extended_data = f->data;
    return 0;

nomem:
    av_frame_free(out);
    return rp_fail(RP_ERR_NOMEM, "no memory for a frame of %dx%d", w, h);
}

int rp_bgr_alpha_alloc(AVFrame **out, int w, int h, struct rp_pool *pool)
{
    const int stride = FFALIGN(w, ALIGN);

    RP_CHECK(rp_avframe_alloc(out, AV_PIX_FMT_BGR24, w, h, pool));
    AVFrame *const f = *out;
    if (!(f->buf[1] = av_buffer_alloc((size_t) stride * (size_t) h + ALIGN * 8))) {
        av_frame_free(out);
        return rp_fail(RP_ERR_NOMEM, "no memory for the alpha of a frame");
    }
    f->data[3] = f->buf[1]->data + (-(uintptr_t) f->buf[1]->data & (ALIGN - 1));
    f->linesize[3] = stride;
    return 0;
}

static void copy_rows(uint8_t *to, int to_stride, const uint8_t *from, int from_stride,
                      size_t bytes, int h)
{
    for (int y = 0; y < h; y++)
        rp_put_bytes(to + (ptrdiff_t) y * to_stride, from + (ptrdiff_t) y * from_stride, bytes);
}

int rp_bgr_alpha_copy(AVFrame **out, const AVFrame *from)
{
    const int w = from->width, h = from->height;

    RP_CHECK(rp_bgr_alpha_alloc(out, w, h, NULL));
    AVFrame *const f = *out;
    copy_rows(f->data[0], f->linesize[0], from->data[0], from->linesize[0], (size_t) w * 3, h);
    copy_rows(f->data[3], f->linesize[3], from->data[3], from->linesize[3], (size_t) w, h);
    if (av_frame_copy_props(f, from) >= 0)
        return 0;
    av_frame_free(out);
    return rp_fail(RP_ERR_NOMEM, "out of memory");
}

int rp_frame_planes(AVFrame **out, enum rp_pixfmt fmt, int w, int h, struct rp_pool *pool)
{
    return fmt == RP_FMT_BGR24_ALPHA ? rp_bgr_alpha_alloc(out, w, h, pool)
                                     : rp_avframe_alloc(out, formats[fmt].av, w, h, pool);
}

static void point_to_planes(struct rp_media_frame *m)
{
    const AVFrame *const f = m->ref;

    for (int p = 0; p < 4; p++)
        if (p < formats[m->fmt].planes || (p == 3 && m->fmt == RP_FMT_BGR24_ALPHA)) {
            m->plane[p] = f->data[p];
            m->stride[p] = f->linesize[p];
        }
}

int rp_frame_wrap(struct rp_media_frame **out, AVFrame **f, enum rp_pixfmt fmt,
                  struct rp_colour colour)
{
    struct rp_media_frame *const m = *out = calloc(1, sizeof(*m));

    if (!m) {
        av_frame_free(f);
        return RP_NOMEM("frame");
    }
    m->fmt = fmt;
    m->colour = colour;
    m->w = (*f)->width;
    m->h = (*f)->height;
    m->pts = (*f)->pts;
    m->key = (*f)->key_frame;
    m->ref = *f;
    *f = NULL;
    point_to_planes(m);
    return 0;
}

int rp_media_frame_alloc(struct rp_media_frame **out, enum rp_pixfmt fmt, int w, int h)
{
    AVFrame *f = NULL;

    *out = NULL;
    RP_CHECK(rp_size_check("frame", w, h));
    RP_CHECK(rp_frame_planes(&f, fmt, w, h, NULL));
    return rp_frame_wrap(out, &f, fmt, rp_colour_of(f));
    return 0;
}

void rp_media_frame_free(struct rp_media_frame **frame)
{
    if (!*frame)
        return;
    AVFrame *f = (*frame)->ref;
    struct rp_frame_store *store = (*frame)->store;
    av_frame_free(&f);
    rp_frame_store_release(&store);
    free(*frame);
    *frame = NULL;
}

/* libav knows nothing of the fourth plane of BGR24. */
static int copy_bgr_alpha(struct rp_media_frame *frame)
{
    AVFrame *old = frame->ref, *f = NULL;

    if (av_frame_is_writable(old))
        return 0;
    RP_CHECK(rp_bgr_alpha_copy(&f, old));
    frame->ref = f;
    av_frame_free(&old);
    point_to_planes(frame);
    return 0;
}

int rp_media_frame_writable(struct rp_media_frame *frame)
{
    AVFrame *const f = frame->ref;

    if (!f)
        return 0;
    if (frame->fmt == RP_FMT_BGR24_ALPHA)
        return copy_bgr_alpha(frame);
    const int ret = av_frame_make_writable(f);
    if (ret < 0)
        return rp_fail(rp_av_status(ret), "no memory for a copy of a frame");
    point_to_planes(frame);
    return 0;
}

int rp_media_frame_add_alpha(struct rp_media_frame *frame)
{
    AVFrame *const f = frame->ref;
    const enum rp_pixfmt to = formats[frame->fmt].alpha;
    const int stride = FFALIGN(frame->w * (formats[to].depth > 8 ? 2 : 1), ALIGN);
    int i = 0;

    if (to == frame->fmt)
        return 0;
    while (f && f->buf[i] && i < AV_NUM_DATA_POINTERS - 1)
        i++;
    if (!f || f->buf[i])
        return rp_fail(RP_ERR_INVALID, "this frame cannot be given an alpha plane");
    if (!(f->buf[i] = av_buffer_alloc((size_t) stride * (size_t) frame->h + ALIGN * 8)))
        return rp_fail(RP_ERR_NOMEM, "no memory for the alpha of a frame");
    f->data[3] = f->buf[i]->data + (-(uintptr_t) f->buf[i]->data & (ALIGN - 1));
    f->linesize[3] = stride;
    if (to != RP_FMT_BGR24_ALPHA)
        f->format = formats[to].av;
    frame->fmt = to;
    frame->plane[3] = f->data[3];
    frame->stride[3] = stride;
    return 0;
}

/* ---- another size ---------------------------------------------------------------------------- */

/* A plane of grey in another size, bilinear. */
static int scale_plane(const AVFrame *src, AVFrame *dst, int plane, enum AVPixelFormat grey)
{
    struct SwsContext *const sws =
        sws_getContext(src->width, src->height, grey, dst->width, dst->height, grey,
                       SWS_BILINEAR | SWS_ACCURATE_RND, NULL, NULL, NULL);

    if (!sws)
        return rp_fail(RP_ERR_NOMEM, "no memory to scale a frame's alpha");
    /* It reads four pointers and strides, whatever the format. */
    sws_scale(sws, (const uint8_t *const[4]){src->data[plane]},
              (const int[4]){src->linesize[plane]}, 0, src->height,
              (uint8_t *const[4]){dst->data[plane]}, (const int[4]){dst->linesize[plane]});
    sws_freeContext(sws);
    return 0;
}

/* The frame takes over `f`; what it owned before is freed. */
static int replace_planes(struct rp_media_frame *frame, AVFrame *f)
{
    AVFrame *old = frame->ref;

    if (av_frame_copy_props(f, old) < 0)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    frame->w = f->width;
    frame->h = f->height;
    frame->ref = f;
    point_to_planes(frame);
    av_frame_free(&old);
    return 0;
}

int rp_media_frame_twin(const struct rp_media_frame *frame, int w, int h,
                        struct rp_media_frame **out)
{
    AVFrame *f = NULL;
    const AVFrame *const from = frame->ref;

    *out = NULL;
    if (!frame->store || !from || frame->fmt == RP_FMT_BGR24_ALPHA)
        return 0;
    struct rp_pool *const pool = rp_frame_store_enter(frame->store);
    const int ret = rp_avframe_alloc(&f, from->format, w, h, pool);
    rp_frame_store_leave(frame->store);
    return ret < 0 ? ret : rp_frame_wrap(out, &f, frame->fmt, frame->colour);
}

int rp_media_frame_become(struct rp_media_frame *frame, struct rp_media_frame **twin)
{
    const int ret = replace_planes(frame, (*twin)->ref);

    if (ret >= 0) {
        (*twin)->ref = NULL;
        frame->on_gpu = false;
    }
    rp_media_frame_free(twin);
    return ret;
}

static int resize_owned(struct rp_media_frame *frame, int w, int h)
{
    int ret;
    AVFrame *f = NULL;
    const bool deep = formats[frame->fmt].depth > 8;

    RP_TRY(rp_frame_planes(&f, frame->fmt, w, h, NULL));
    memset(f->buf[0]->data, 0, f->buf[0]->size);
    if (rp_pixfmt_alpha(frame->fmt))
        RP_TRY(scale_plane(frame->ref, f, 3, deep ? AV_PIX_FMT_GRAY10LE : AV_PIX_FMT_GRAY8));
    RP_TRY(replace_planes(frame, f));
    return 0;

fail:
    av_frame_free(&f);
    return ret;
}

static int resize_lent(struct rp_media_frame *frame, int w, int h)
{
    const bool alpha = frame->fmt == RP_FMT_BGR24_ALPHA;
    uint8_t *const plane = calloc((size_t) h, (size_t) w * 3);
    uint8_t *const more = alpha ? calloc((size_t) h, (size_t) w) : NULL;

    if (!plane || (alpha && !more)) {
        free(plane);
        free(more);
        return rp_fail(RP_ERR_NOMEM, "no memory for a frame of %dx%d", w, h);
    }
    frame->plane[0] = plane;
    frame->stride[0] = w * 3;
    frame->plane[3] = more;
    frame->stride[3] = w;
    return 0;
}

int rp_media_frame_resize(struct rp_media_frame *frame, int w, int h)
{
    RP_CHECK(rp_size_check("frame", w, h));
    if (frame->ref)
        RP_CHECK(resize_owned(frame, w, h));
    else
        RP_CHECK(resize_lent(frame, w, h));
    frame->w = w;
    frame->h = h;
    return 0;
}

int rp_media_frame_scale(struct rp_media_frame *frame, int w, int h)
{
    int ret;
    AVFrame *f = NULL;
    struct SwsContext *sws = NULL;

    if (frame->w == w && frame->h == h)
        return 0;
    RP_TRY(rp_size_check("frame", w, h));
    RP_TRY(rp_frame_planes(&f, frame->fmt, w, h, NULL));
    RP_TRY(rp_sws_run(&sws, frame->ref, frame->colour, f, frame->colour));
    if (frame->fmt == RP_FMT_BGR24_ALPHA)
        RP_TRY(scale_plane(frame->ref, f, 3, AV_PIX_FMT_GRAY8));
    RP_TRY(replace_planes(frame, f));
    f = NULL;

fail:
    av_frame_free(&f);
    sws_freeContext(sws);
    return ret;
}

/* ---- as a picture ---------------------------------------------------------------------------- */

/* BGR24 with alpha in plane 3, row by row. */
static void interleave(const struct rp_media_frame *frame, const rp_image *out)
{
    for (int y = 0; y < out->h; y++) {
        const uint8_t *const bgr = frame->plane[0] + (ptrdiff_t) y * frame->stride[0];
        const uint8_t *const alpha = frame->plane[3] + (ptrdiff_t) y * frame->stride[3];
        uint8_t *const to = out->data + y * out->stride;

        for (int x = 0; x < out->w; x++) {
            memcpy(to + 4 * x, bgr + 3 * x, 3);
            to[4 * x + 3] = alpha[x];
        }
    }
}

/* Other formats: as the reader's `rgb` does it. */
static int convert_to_image(const struct rp_media_frame *frame, const rp_image *out)
{
    int ret;
    struct SwsContext *sws = NULL;
    AVFrame *const to = av_frame_alloc();
    const bool alpha = out->format == RP_PIXEL_BGRA;

    if (!to)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    to->format = alpha ? AV_PIX_FMT_BGRA : AV_PIX_FMT_BGR24;
    to->width = out->w;
    to->height = out->h;
    to->data[0] = out->data;
    to->linesize[0] = (int) out->stride;
    ret = rp_sws_run_with(&sws, SWS_BICUBIC, frame->ref, frame->colour, to, frame->colour);
    sws_freeContext(sws);
    av_frame_free(&(AVFrame *){to});
    return ret;
}

int rp_media_frame_image(const struct rp_media_frame *frame, rp_image *out)
{
    int ret = 0;
    const bool alpha = rp_pixfmt_alpha(frame->fmt);
    const int bytes = alpha ? 4 : 3;

    *out = (rp_image){.w = frame->w, .h = frame->h, .owned = true,
                      .format = alpha ? RP_PIXEL_BGRA : RP_PIXEL_BGR};
    /* swscale writes a little past the ends of rows that are not aligned */
    out->stride = FFALIGN(frame->w * bytes, ALIGN);
    out->data = malloc((size_t) out->stride * (size_t) frame->h + ALIGN);
    if (!out->data)
        return rp_fail(RP_ERR_NOMEM, "no memory for a picture of %dx%d", frame->w, frame->h);
    if (frame->fmt == RP_FMT_BGR24)
        copy_rows(out->data, (int) out->stride, frame->plane[0], frame->stride[0],
                  (size_t) frame->w * 3, frame->h);
    else if (frame->fmt == RP_FMT_BGR24_ALPHA)
        interleave(frame, out);
    else
        ret = convert_to_image(frame, out);
    if (ret < 0) {
        free(out->data);
        *out = (rp_image){0};
    }
    return ret;
}
