/* to_tensor, to_gray, from_tensor, u8_to_float, float_to_u8, float_to_tensor, and the table that
 * to_tensor reads. */
#include "ops/ops.h"
#include "ops/tensor_core.h"

#include <string.h>

static void fill(float *dst, float v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = v;
}

/* n pixels of a row, every `step` bytes. o[c] is the tensor's row, c in pixel order. */
RP_INLINE void planar(float *restrict o0, float *restrict o1, float *restrict o2,
                      const uint8_t *restrict p, size_t step, const float *restrict l0,
                      const float *restrict l1, const float *restrict l2, int n)
{
    for (int x = 0; x < n; x++, p += step) {
        o0[x] = l0[p[0]];
        o1[x] = l1[p[1]];
        o2[x] = l2[p[2]];
    }
}

static void tensor_of(const struct rp_op_to_tensor *a, int off_x, int off_y, float *dst)
{
    const struct rp_img *s = &a->src;
    const int w = rp_tile_side(a->w, s->w, a->step, off_x);
    const int h = rp_tile_side(a->h, s->h, a->step, off_y);
    const size_t plane = (size_t) a->w * a->h, step = (size_t) s->ch * a->step;
    const float *lut[3]; /* in pixel order */

    for (int c = 0; c < 3; c++)
        lut[c] = a->lut + 256 * (size_t) (a->rgb ? 2 - c : c);

    for (int y = 0; y < a->h; y++) {
        const int n = y < h ? w : 0;
        const uint8_t *p = s->data; /* not read when n is 0 */

        if (n > 0)
            p += (ptrdiff_t) (y * a->step + off_y) * s->stride + (ptrdiff_t) off_x * s->ch;
        if (a->nhwc) {
            float *o = dst + 3 * (size_t) y * a->w;
            const int c0 = a->rgb ? 2 : 0;

            for (int x = 0; x < n; x++, p += step, o += 3) {
                o[c0] = lut[0][p[0]];
                o[1] = lut[1][p[1]];
                o[2 - c0] = lut[2][p[2]];
            }
            for (int x = n; x < a->w; x++, o += 3)
                for (int c = 0; c < 3; c++)
                    o[c] = a->lut[256 * c];
        } else {
            float *o[3];

            for (int c = 0; c < 3; c++)
                o[c] = dst + plane * (size_t) (a->rgb ? 2 - c : c) + (size_t) y * a->w;
            if (step == 3)
                planar(o[0], o[1], o[2], p, 3, lut[0], lut[1], lut[2], n);
            else
                planar(o[0], o[1], o[2], p, step, lut[0], lut[1], lut[2], n);
            for (int c = 0; c < 3; c++)
                fill(o[c] + n, lut[c][0], (size_t) (a->w - n));
        }
    }
}

int rp_c_to_tensor(struct rp_stream *stream, const struct rp_op_to_tensor *a)
{
    const size_t size = (size_t) a->w * a->h * 3;

    (void) stream;
    if (!a->tiles)
        tensor_of(a, a->off_x, a->off_y, a->dst);
    for (int k = 0; k < a->tiles; k++) {
        const int t = rp_tile_number(a->step, a->tiles, a->turn, k);

        if (t >= 0)
            tensor_of(a, t % a->step, t / a->step, a->dst + size * (size_t) k);
    }
    return 0;
}

int rp_c_to_gray(struct rp_stream *stream, const struct rp_op_to_gray *a)
{
    (void) stream;
    for (int y = 0; y < a->src.h; y++) {
        const uint8_t *p = a->src.data + (ptrdiff_t) y * a->src.stride;
        float *o = a->dst + (size_t) y * a->src.w;

        for (int x = 0; x < a->src.w; x++, p += a->src.ch)
            o[x] = (float) rp_grey(p[0], p[1], p[2]) * a->scale;
    }
    return 0;
}

RP_INLINE void crop_row(float *restrict o, const float *restrict b, const float *restrict g,
                        const float *restrict r, const float mul[3], const float add[3], int round,
                        int n, size_t step)
{
    const float mb = mul[0], mg = mul[1], mr = mul[2], ab = add[0], ag = add[1], ar = add[2];

    for (int x = 0; x < n; x++) {
        o[step * x + 0] = rp_from_tensor(b[x], mb, ab, round);
        o[step * x + 1] = rp_from_tensor(g[x], mg, ag, round);
        o[step * x + 2] = rp_from_tensor(r[x], mr, ar, round);
    }
}

/* mul, add: in pixel order. */
RP_HOT static void crop_row_packed(float *o, const float *b, const float *g, const float *r,
                                   const float mul[3], const float add[3], int round, int n)
{
    if (round == 0)
        crop_row(o, b, g, r, mul, add, 0, n, 3);
    else if (round == 1)
        crop_row(o, b, g, r, mul, add, 1, n, 3);
    else
        crop_row(o, b, g, r, mul, add, 2, n, 3);
}

static void crop_of(const struct rp_op_from_tensor *a, const float *src, int off_x, int off_y)
{
    const size_t plane = (size_t) a->w * a->h, out_w = (size_t) a->w * a->step;
    float mul[3], add[3];

    for (int c = 0; c < 3; c++) {
        mul[c] = a->mul[a->rgb ? 2 - c : c];
        add[c] = a->add[a->rgb ? 2 - c : c];
    }
    for (int y = 0; y < a->h; y++) {
        const float *p = src + (size_t) y * a->w;
        const float *b = p + (a->rgb ? 2 * plane : 0), *r = p + (a->rgb ? 0 : 2 * plane);
        float *o = a->dst + 3 * (((size_t) y * a->step + off_y) * out_w + off_x);

        if (a->step == 1)
            crop_row_packed(o, b, p + plane, r, mul, add, a->round, a->w);
        else
            crop_row(o, b, p + plane, r, mul, add, a->round, a->w, 3 * (size_t) a->step);
    }
}

int rp_c_from_tensor(struct rp_stream *stream, const struct rp_op_from_tensor *a)
{
    const size_t size = (size_t) a->w * a->h * 3;

    (void) stream;
    if (!a->tiles)
        crop_of(a, a->src, a->off_x, a->off_y);
    for (int k = 0; k < a->tiles; k++) {
        const int t = rp_tile_number(a->step, a->tiles, a->turn, k);

        if (t >= 0)
            crop_of(a, a->src + size * (size_t) k, t % a->step, t / a->step);
    }
    return 0;
}

RP_HOT static void float_row(float *restrict dst, const uint8_t *restrict src, int n)
{
    for (int i = 0; i < n; i++)
        dst[i] = (float) src[i];
}

RP_HOT static void byte_row(uint8_t *restrict dst, const float *restrict src, int n)
{
    for (int i = 0; i < n; i++)
        dst[i] = rp_trunc_u8(src[i]);
}

int rp_c_u8_to_float(struct rp_stream *stream, const struct rp_op_u8_to_float *a)
{
    const int n = a->src.w * a->src.ch;

    (void) stream;
    for (int y = 0; y < a->src.h; y++)
        float_row(a->dst + (size_t) y * n, a->src.data + (ptrdiff_t) y * a->src.stride, n);
    return 0;
}

int rp_c_float_to_u8(struct rp_stream *stream, const struct rp_op_float_to_u8 *a)
{
    const int n = a->dst.w * a->dst.ch;

    (void) stream;
    for (int y = 0; y < a->dst.h; y++)
        byte_row(a->dst.data + (ptrdiff_t) y * a->dst.stride, a->src + (size_t) y * n, n);
    return 0;
}

RP_HOT static void normalise_row(float *restrict dst, const float *restrict src, float div,
                                 float mean, float std, int n)
{
    for (int x = 0; x < n; x++)
        dst[x] = rp_normalise(src[3 * x], div, mean, std);
}

int rp_c_float_to_tensor(struct rp_stream *stream, const struct rp_op_float_to_tensor *a)
{
    (void) stream;
    for (int c = 0; c < 3; c++) {
        const float *const src = a->src + (a->rgb ? 2 - c : c);

        for (int y = 0; y < a->h; y++)
            normalise_row(a->dst + ((size_t) c * a->h + y) * a->w, src + (size_t) 3 * y * a->w,
                          a->div, a->mean[c], a->std[c], a->w);
    }
    return 0;
}

void rp_tensor_lut(float lut[3][256], double div, const double mean[3], const double std[3])
{
    for (int c = 0; c < 3; c++)
        for (int v = 0; v < 256; v++)
            lut[c][v] = (float) ((v / div - mean[c]) / std[c]);
}
