/* Alpha beside BGR, of whatever pixel format a decoder gives it in. */
#include "media/keep.h"

#include <libavutil/intfloat.h>
#include <libavutil/intreadwrite.h>
#include <libavutil/pixdesc.h>

#include <math.h>

/* ---- alpha of a frame ------------------------------------------------------------------------ */

static void fill(uint8_t *to, int stride, int w, int h)
{
    for (int y = 0; y < h; y++)
        memset(to + (ptrdiff_t) y * stride, 255, (size_t) w);
}

/* 256 words of 0xAARRGGBB, in the machine's order. */
static void palette_alpha(const AVFrame *from, uint8_t *to, int stride)
{
    uint32_t word[256];
    uint8_t alpha[256], any = 0, all = 255;

    memcpy(word, from->data[1], sizeof(word));
    for (int i = 0; i < 256; i++) {
        alpha[i] = (uint8_t) (word[i] >> 24);
        any |= alpha[i];
        all &= alpha[i];
    }
    if (!any || all == 255) {
        fill(to, stride, from->width, from->height);
        return;
    }
    for (int y = 0; y < from->height; y++)
        for (int x = 0; x < from->width; x++)
            to[(ptrdiff_t) y * stride + x] =
                alpha[from->data[0][(ptrdiff_t) y * from->linesize[0] + x]];
}

static uint8_t from_float(uint32_t bits)
{
    const float v = av_int2float(bits);

    return v >= 1 ? 255 : v > 0 ? (uint8_t) lrintf(255 * v) : 0; /* what is no number: 0 */
}

static void deep_alpha(const AVFrame *from, const AVPixFmtDescriptor *d, uint8_t *to, int stride)
{
    const bool number = d->flags & AV_PIX_FMT_FLAG_FLOAT;
    const int c = d->nb_components - 1, shift = d->comp[c].depth - 8;
    uint32_t pixel[64];

    for (int y = 0; y < from->height; y++)
        for (int x = 0; x < from->width; x += 64) {
            const int n = RP_MIN(64, from->width - x);
            av_read_image_line2(pixel, (const uint8_t **) from->data, from->linesize, d, x, y, c, n,
                                0, sizeof(*pixel));
            for (int i = 0; i < n; i++)
                to[(ptrdiff_t) y * stride + x + i] =
                    number ? from_float(pixel[i]) : (uint8_t) (pixel[i] >> shift);
        }
}

void rp_alpha_plane(const AVFrame *from, uint8_t *to, int stride)
{
    const AVPixFmtDescriptor *const d = av_pix_fmt_desc_get(from->format);
    const AVComponentDescriptor *const c = &d->comp[d->nb_components - 1];

    if (from->format == AV_PIX_FMT_PAL8) {
        palette_alpha(from, to, stride);
    } else if (!(d->flags & AV_PIX_FMT_FLAG_ALPHA)) {
        fill(to, stride, from->width, from->height);
    } else if (c->depth != 8) {
        deep_alpha(from, d, to, stride);
    } else {
        for (int y = 0; y < from->height; y++) {
            const uint8_t *at = from->data[c->plane] + (ptrdiff_t) y * from->linesize[c->plane];
            at += c->offset;
            for (int x = 0; x < from->width; x++, at += c->step)
                to[(ptrdiff_t) y * stride + x] = *at;
        }
    }
}

bool rp_alpha_used(const uint8_t *alpha, int stride, int w, int h, bool soft)
{
    for (int y = 0; y < h; y++, alpha += stride)
        for (int x = 0; x < w; x++)
            if (alpha[x] != 255 && (!soft || alpha[x] != 0))
                return true;
    return false;
}

/* ---- grey ------------------------------------------------------------------------------------ */

static void fill_chroma(AVFrame *dst, bool deep)
{
    for (int p = 1; p < 3; p++)
        for (int y = 0; y < (dst->height + 1) / 2; y++) {
            uint8_t *const row = dst->data[p] + (ptrdiff_t) y * dst->linesize[p];
            for (int x = 0; x < (dst->width + 1) / 2; x++)
                if (deep)
                    AV_WL16(row + 2 * (ptrdiff_t) x, 512);
                else
                    row[x] = 128;
        }
}

bool rp_copy_grey_alpha(const AVFrame *src, AVFrame *dst)
{
    const bool deep = dst->format == AV_PIX_FMT_YUVA420P10LE;
    const AVPixFmtDescriptor *const d = av_pix_fmt_desc_get(src->format);

    if (d->nb_components != 2 || !(d->flags & AV_PIX_FMT_FLAG_ALPHA) ||
        (!deep && dst->format != AV_PIX_FMT_YUVA420P) || src->width != dst->width ||
        src->height != dst->height || d->comp[0].depth != (deep ? 16 : 8))
        return false;
    for (int y = 0; y < src->height; y++)
        for (int x = 0; x < src->width; x++)
            for (int c = 0; c < 2; c++) {
                uint8_t *const row = dst->data[c * 3] + (ptrdiff_t) y * dst->linesize[c * 3];
                const uint8_t *const at = src->data[0] + (ptrdiff_t) y * src->linesize[0] +
                                          (ptrdiff_t) x * (deep ? 4 : 2) + (deep ? 2 : 1) * c;
                if (!deep)
                    row[x] = *at;
                else
                    AV_WL16(row + 2 * (ptrdiff_t) x,
                            (d->flags & AV_PIX_FMT_FLAG_BE ? AV_RB16(at) : AV_RL16(at)) >> 6);
            }
    fill_chroma(dst, deep);
    return true;
}
