/* warp, in three steps: the positions of a chunk of pixels, their four samples packed, the mix. The
 * first and the last step vectorise; the middle one is loads and stores. */
#include "ops/ops.h"
#include "ops/sample.h"

#include <string.h>

/* One pixel, B in the lowest byte; outside the picture black or the nearest pixel. */
static uint32_t border_pixel(const struct rp_img *s, int x, int y, int replicate)
{
    uint32_t v = 0;

    if (!replicate && ((unsigned) x >= (unsigned) s->w || (unsigned) y >= (unsigned) s->h))
        return 0;
    x = rp_clampi(x, 0, s->w - 1);
    y = rp_clampi(y, 0, s->h - 1);
    memcpy(&v, s->data + (ptrdiff_t) y * s->stride + (ptrdiff_t) x * s->ch, (size_t) s->ch);
    return v;
}

/* The packed samples of a chunk at (0,0), (1,0), (0,1), (1,1). */
typedef uint32_t samples[4][RP_CHUNK];

// NOLINTBEGIN(clang-analyzer-core.*): the spans are within the positions that were made

static void gather_border(samples t, const struct rp_img *s, const struct rp_positions *p,
                          struct rp_span span, int replicate)
{
    for (int i = span.from; i < span.to; i++) {
        const int x = p->ix[i], y = p->iy[i];

        t[0][i] = border_pixel(s, x, y, replicate);
        t[1][i] = border_pixel(s, x + 1, y, replicate);
        t[2][i] = border_pixel(s, x, y + 1, replicate);
        t[3][i] = border_pixel(s, x + 1, y + 1, replicate);
    }
}

/* A pixel and its right neighbour. With more than one channel eight bytes are read. */
RP_INLINE void pair(uint32_t *left, uint32_t *right, const uint8_t *p, int ch)
{
    uint64_t v = 0;

    memcpy(&v, p, ch == 1 ? 2 : 8);
    *left = ch == 1 ? p[0] : (uint32_t) v;
    *right = (uint32_t) (v >> 8 * ch);
}

/* For pixels that lie inside and whose right neighbour is not the last of its row. next: bytes from
 * a sample to its place in the next row of samples, to prefetch it: the rows of a frame are too far
 * apart for the processor to foresee. */
RP_INLINE void gather_inside(samples t, const struct rp_img *img,
                             const struct rp_positions *restrict p, struct rp_span span,
                             ptrdiff_t next, int ch)
{
    const uint8_t *const data = img->data;
    const ptrdiff_t stride = img->stride;

    for (int i = span.from; i < span.to; i++) {
        const uint8_t *at = data + p->iy[i] * stride + p->ix[i] * (ptrdiff_t) ch;

        pair(&t[0][i], &t[1][i], at, ch);
        pair(&t[2][i], &t[3][i], at + stride, ch);
        __builtin_prefetch(at + next);
        __builtin_prefetch(at + next + stride);
    }
}

static void gather(samples t, const struct rp_img *s, const struct rp_positions *p, int n,
                   int replicate, ptrdiff_t next)
{
    const struct rp_span inside =
        rp_span_within(p, (struct rp_span){0, n}, 0, 0, s->w - 2, s->h - 1);

    gather_border(t, s, p, (struct rp_span){0, inside.from}, replicate);
    if (s->ch == 3)
        gather_inside(t, s, p, inside, next, 3);
    else if (s->ch == 1)
        gather_inside(t, s, p, inside, next, 1);
    else
        gather_inside(t, s, p, inside, next, 4);
    gather_border(t, s, p, (struct rp_span){inside.to, n}, replicate);
}

RP_INLINE float mix(const samples t, const struct rp_positions *p, int i, int shift)
{
    return rp_bilinear((float) (int) (t[0][i] >> shift & 255),
                       (float) (int) (t[1][i] >> shift & 255),
                       (float) (int) (t[2][i] >> shift & 255),
                       (float) (int) (t[3][i] >> shift & 255), p->tx[i], p->ty[i]);
}

/* out: packed like the samples. */
RP_HOT static void mix_three(uint32_t *restrict out, const samples t,
                             const struct rp_positions *restrict p, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = (uint32_t) rp_round_f(mix(t, p, i, 0)) |
                 (uint32_t) rp_round_f(mix(t, p, i, 8)) << 8 |
                 (uint32_t) rp_round_f(mix(t, p, i, 16)) << 16;
}

RP_HOT static void mix_one(uint32_t *restrict out, const samples t,
                           const struct rp_positions *restrict p, int n, int shift)
{
    for (int i = 0; i < n; i++)
        out[i] |= (uint32_t) rp_round_f(mix(t, p, i, shift)) << shift;
}

RP_HOT static void mix_add(float *restrict sum, const samples t,
                           const struct rp_positions *restrict p, int n, int shift)
{
    for (int i = 0; i < n; i++)
        sum[i] += mix(t, p, i, shift);
}

RP_HOT static void mean_out(uint32_t *restrict out, const float *restrict sum, float scale, int n,
                            int shift)
{
    for (int i = 0; i < n; i++)
        out[i] |= (uint32_t) rp_round_u8(sum[i] * scale) << shift;
}

// NOLINTEND(clang-analyzer-core.*)

static void store(uint8_t *restrict dst, const uint32_t *restrict px, int n, int ch)
{
    if (ch == 3) {
        for (int i = 0; i < n - 1; i++)
            memcpy(dst + 3 * i, &px[i], 4);
        memcpy(dst + 3 * (ptrdiff_t) (n - 1), &px[n - 1], 3);
    } else if (ch == 4) {
        memcpy(dst, px, 4 * (size_t) n);
    } else {
        for (int i = 0; i < n; i++)
            dst[i] = (uint8_t) px[i];
    }
}

/* Bytes from one row of samples to the next, rounded to whole pixels. side: samples per pixel along
 * an axis. */
static ptrdiff_t next_samples(const struct rp_img *s, const double m[6], int side)
{
    return rp_round_d(rp_clampd(m[4] / side, -99, 99)) * (ptrdiff_t) s->stride +
           rp_round_d(rp_clampd(m[1] / side, -99, 99)) * (ptrdiff_t) s->ch;
}

int rp_c_warp(struct rp_stream *stream, const struct rp_op_warp *a)
{
    const struct rp_img *s = &a->src, *d = &a->dst;
    const double *m = a->affine->inv;
    const int side = a->area ? rp_warp_samples(m) : 1, ch = s->ch;
    const int replicate = a->border == 1;
    const ptrdiff_t next = next_samples(s, m, side);
    struct rp_positions p;
    samples t;
    uint32_t out[RP_CHUNK];
    float sum[4][RP_CHUNK];

    (void) stream;
    if (s->w < 1 || s->h < 1)
        return 0;
    for (int y = 0; y < d->h; y++) {
        for (int x = 0; x < d->w; x += RP_CHUNK) {
            const int n = rp_mini(RP_CHUNK, d->w - x);

            if (side == 1) {
                const struct rp_warp_line l = rp_warp_line(m, 0.0, 0.0, y);

                rp_make_positions(&p, &l, x, n, s->w, s->h);
                gather(t, s, &p, n, replicate, next);
                if (ch == 3) {
                    mix_three(out, t, &p, n);
                } else {
                    memset(out, 0, sizeof(out));
                    for (int c = 0; c < ch; c++)
                        mix_one(out, t, &p, n, 8 * c);
                }
            } else {
                memset(sum, 0, sizeof(sum));
                for (int j = 0; j < side * side; j++) {
                    const struct rp_warp_line l = rp_warp_line(m, rp_warp_offset(j % side, side),
                                                               rp_warp_offset(j / side, side), y);

                    rp_make_positions(&p, &l, x, n, s->w, s->h);
                    gather(t, s, &p, n, replicate, next);
                    for (int c = 0; c < ch; c++)
                        mix_add(sum[c], t, &p, n, 8 * c);
                }
                memset(out, 0, sizeof(out));
                for (int c = 0; c < ch; c++)
                    mean_out(out, sum[c], 1.0f / (float) (side * side), n, 8 * c);
            }
            store(d->data + (ptrdiff_t) y * d->stride + (ptrdiff_t) x * ch, out, n, ch);
        }
    }
    return 0;
}
