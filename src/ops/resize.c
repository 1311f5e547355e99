/* resize and resize_float. Columns are done in chunks: positions and weights are made once per
 * chunk, then each row is gathered into packed pairs, which the compiler can vectorise. */
#include "ops/ops.h"
#include "ops/resize_core.h"

#include <string.h>

#define CHUNK 512 /* destination pixels */
#define PAD 4     /* a gathered pixel is written as four bytes */

struct columns {
    int n;
    int inside;                           /* how many, from the left, have a pixel to their right */
    int mixed;                            /* some weight is not 0 */
    int at[CHUNK];                        /* byte offset of the left pixel */
    int16_t w0[4 * CHUNK], w1[4 * CHUNK]; /* one per channel value */
};

static void make_columns(struct columns *c, int x, int n, double scale, int sw, int ch)
{
    c->n = n;
    c->inside = 0;
    c->mixed = 0;
    for (int i = 0; i < n; i++) {
        float f;
        const int s = rp_resize_column(x + i, scale, sw, &f);
        const int w0 = rp_resize_weight(1.0f - f), w1 = rp_resize_weight(f);

        c->at[i] = s * ch;
        if (s < sw - 1)
            c->inside = i + 1;
        c->mixed |= w1;
        for (int k = 0; k < ch; k++) {
            c->w0[i * ch + k] = (int16_t) w0;
            c->w1[i * ch + k] = (int16_t) w1;
        }
    }
}

/* The left pixels of a chunk, packed. Of a pixel with a right neighbour four bytes may be read. */
static void gather_left(uint8_t *restrict dst, const uint8_t *restrict src,
                        const struct columns *restrict c, int ch)
{
    if (ch == 3) {
        for (int i = 0; i < c->inside; i++)
            memcpy(dst + 3 * i, src + c->at[i], 4);
        for (int i = c->inside; i < c->n; i++)
            memcpy(dst + 3 * i, src + c->at[i], 3);
    } else if (ch == 4) {
        for (int i = 0; i < c->n; i++)
            memcpy(dst + 4 * i, src + c->at[i], 4);
    } else {
        for (int i = 0; i < c->n; i++)
            dst[i] = src[c->at[i]];
    }
}

static void gather_right(uint8_t *restrict dst, const uint8_t *restrict src,
                         const struct columns *restrict c, int ch)
{
    if (ch == 3) {
        for (int i = 0; i < c->inside; i++) {
            uint32_t v; /* ends with the right pixel */

            memcpy(&v, src + c->at[i] + 2, 4);
            v >>= 8;
            memcpy(dst + 3 * i, &v, 4);
        }
    } else if (ch == 4) {
        for (int i = 0; i < c->inside; i++)
            memcpy(dst + 4 * i, src + c->at[i] + 4, 4);
    } else {
        for (int i = 0; i < c->inside; i++)
            dst[i] = src[c->at[i] + 1];
    }
    memset(dst + c->inside * ch, 0, (size_t) (c->n - c->inside) * ch); /* weight 0 */
}

RP_HOT static void across(int16_t *restrict dst, const uint8_t *restrict left,
                          const uint8_t *restrict right, const int16_t *restrict w0,
                          const int16_t *restrict w1, int n)
{
    for (int i = 0; i < n; i++)
        dst[i] = (int16_t) rp_resize_across(left[i], right[i], w0[i], w1[i]);
}

RP_HOT static void across_plain(int16_t *restrict dst, const uint8_t *restrict left, int n)
{
    for (int i = 0; i < n; i++)
        dst[i] = (int16_t) rp_resize_across(left[i], 0, 2048, 0);
}

RP_HOT static void down(uint8_t *restrict dst, const int16_t *restrict upper,
                        const int16_t *restrict lower, int16_t w0, int16_t w1, int n)
{
    for (int i = 0; i < n; i++)
        dst[i] = rp_resize_down(upper[i], lower[i], w0, w1);
}

static void across_row(int16_t *dst, const uint8_t *src, const struct columns *c, int ch)
{
    uint8_t left[4 * CHUNK + PAD], right[4 * CHUNK + PAD];

    gather_left(left, src, c, ch);
    if (c->mixed) {
        gather_right(right, src, c, ch);
        across(dst, left, right, c->w0, c->w1, c->n * ch);
    } else {
        across_plain(dst, left, c->n * ch);
    }
}

RP_HOT static void half_row(uint8_t *restrict dst, const uint8_t *restrict p,
                            const uint8_t *restrict q, int n, int ch)
{
    if (ch == 3) {
        for (int x = 0; x < n; x++)
            for (int k = 0; k < 3; k++)
                dst[3 * x + k] =
                    rp_resize_mean(p[6 * x + k], p[6 * x + 3 + k], q[6 * x + k], q[6 * x + 3 + k]);
    } else {
        for (int x = 0; x < n; x++)
            for (int k = 0; k < ch; k++)
                dst[ch * x + k] = rp_resize_mean(p[2 * ch * x + k], p[2 * ch * x + ch + k],
                                                 q[2 * ch * x + k], q[2 * ch * x + ch + k]);
    }
}

/* Columns x to x + CHUNK of the result; each source row is resized across once. */
static void resize_columns(const struct rp_img *s, const struct rp_img *d, int x, double sx,
                           double sy)
{
    const int ch = d->ch;
    struct columns c;
    int16_t rows[2][4 * CHUNK];
    int held[2] = {-1, -1}; /* which source row is in rows[] */

    make_columns(&c, x, rp_mini(CHUNK, d->w - x), sx, s->w, ch);
    for (int y = 0; y < d->h; y++) {
        uint8_t *out = d->data + (ptrdiff_t) y * d->stride + (ptrdiff_t) x * ch;
        float f;
        const int top = rp_resize_at(y, sy, &f);
        const int w0 = rp_resize_weight(1.0f - f), w1 = rp_resize_weight(f);
        const int y0 = rp_clampi(top, 0, s->h - 1), y1 = rp_clampi(top + 1, 0, s->h - 1);
        int i0, i1;

        if (!c.mixed && w0 == 2048 && w1 == 0) { /* a copy: weight 2048 is 1 */
            uint8_t left[4 * CHUNK + PAD];

            gather_left(left, s->data + (ptrdiff_t) y0 * s->stride, &c, ch);
            memcpy(out, left, (size_t) c.n * ch);
            continue;
        }
        i0 = held[1] == y0;
        if (held[i0] != y0) {
            across_row(rows[i0], s->data + (ptrdiff_t) y0 * s->stride, &c, ch);
            held[i0] = y0;
        }
        i1 = y1 == y0 || w1 == 0 ? i0 : !i0;
        if (i1 != i0 && held[i1] != y1) {
            across_row(rows[i1], s->data + (ptrdiff_t) y1 * s->stride, &c, ch);
            held[i1] = y1;
        }
        down(out, rows[i0], rows[i1], (int16_t) w0, (int16_t) w1, c.n * ch);
    }
}

int rp_c_resize(struct rp_stream *stream, const struct rp_op_resize *a)
{
    const struct rp_img *s = &a->src, *d = &a->dst;

    (void) stream;
    if (s->w < 1 || s->h < 1 || d->w < 1 || d->h < 1)
        return 0;
    if (s->w == d->w && s->h == d->h) {
        for (int y = 0; y < d->h; y++)
            memcpy(d->data + (ptrdiff_t) y * d->stride, s->data + (ptrdiff_t) y * s->stride,
                   (size_t) d->w * d->ch);
        return 0;
    }
    if (rp_resize_is_half(s->w, s->h, d->w, d->h)) {
        for (int y = 0; y < d->h; y++) {
            const uint8_t *p = s->data + (ptrdiff_t) (2 * y) * s->stride;

            half_row(d->data + (ptrdiff_t) y * d->stride, p, p + s->stride, d->w, d->ch);
        }
        return 0;
    }
    for (int x = 0; x < d->w; x += CHUNK)
        resize_columns(s, d, x, rp_resize_scale(s->w, d->w), rp_resize_scale(s->h, d->h));
    return 0;
}

RP_HOT static void float_row(float *restrict dst, const float *restrict upper,
                             const float *restrict lower, const int *restrict left,
                             const int *restrict right, const float *restrict w, float down1, int n)
{
    for (int i = 0; i < n; i++) {
        const float p = rp_resize_mix(upper[left[i]], upper[right[i]], 1.0f - w[i], w[i]);
        const float q = rp_resize_mix(lower[left[i]], lower[right[i]], 1.0f - w[i], w[i]);

        dst[i] = rp_resize_mix(p, q, 1.0f - down1, down1);
    }
}

int rp_c_resize_float(struct rp_stream *stream, const struct rp_op_resize_float *a)
{
    const int ch = a->ch, per = CHUNK / ch;
    double sx, sy;

    (void) stream;
    if (a->sw < 1 || a->sh < 1 || a->dw < 1 || a->dh < 1)
        return 0;
    sx = rp_resize_scale(a->sw, a->dw);
    sy = rp_resize_scale(a->sh, a->dh);
    for (int x = 0; x < a->dw; x += per) {
        int left[CHUNK] = {0}, right[CHUNK] = {0};
        float w[CHUNK] = {0};
        const int n = rp_mini(per, a->dw - x);

        for (int i = 0; i < n; i++) {
            float f;
            const int s = rp_resize_column(x + i, sx, a->sw, &f);

            for (int k = 0; k < ch; k++) {
                left[i * ch + k] = s * ch + k;
                right[i * ch + k] = rp_mini(s + 1, a->sw - 1) * ch + k;
                w[i * ch + k] = f;
            }
        }
        for (int y = 0; y < a->dh; y++) {
            float f;
            const int top = rp_resize_at(y, sy, &f);
            const float *p = a->src + (size_t) rp_clampi(top, 0, a->sh - 1) * a->sw * ch;
            const float *q = a->src + (size_t) rp_clampi(top + 1, 0, a->sh - 1) * a->sw * ch;

            float_row(a->dst + ((size_t) y * a->dw + x) * ch, p, q, left, right, w, f, n * ch);
        }
    }
    return 0;
}
