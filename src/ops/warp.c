/* warp: positions of a chunk of pixels, then their four samples packed, then the mix. The first and
 * the last step vectorise; the middle one is loads and stores. */
#include "ops/ops.h"
#include "ops/warp_core.h"

#include <string.h>

#define CHUNK 256 /* destination pixels */

struct positions {
    int ix[CHUNK], iy[CHUNK];
    float tx[CHUNK], ty[CHUNK];
};

RP_HOT static void make_positions(struct positions *restrict p, const struct rp_warp_line *l, int x,
                                  int n, int w, int h)
{
    const struct rp_warp_line k = *l;

    for (int i = 0; i < n; i++) {
        const float f = (float) (x + i);

        p->ix[i] = rp_warp_split(k.mx + k.m0 * f, w, &p->tx[i]);
        p->iy[i] = rp_warp_split(k.my + k.m3 * f, h, &p->ty[i]);
    }
}

/* One pixel, B in the lowest byte; what is outside is black or the nearest pixel. */
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

/* A pixel and its right neighbour. With three channels the neighbour is read from one byte before
 * it, so that nothing after it is touched. */
RP_INLINE void pair(uint32_t *left, uint32_t *right, const uint8_t *p, int ch)
{
    if (ch == 1) {
        *left = p[0];
        *right = p[1];
    } else if (ch == 3) {
        memcpy(left, p, 4);
        memcpy(right, p + 2, 4);
        *right >>= 8;
    } else {
        memcpy(left, p, 4);
        memcpy(right, p + 4, 4);
    }
}

RP_INLINE void gather(uint32_t (*restrict t)[CHUNK], const struct rp_img *s,
                      const struct positions *restrict p, int n, int replicate, int ch)
{
    for (int i = 0; i < n; i++) {
        const int x = p->ix[i], y = p->iy[i];

        if (rp_warp_inside(x, y, s->w, s->h)) {
            const uint8_t *at = s->data + (ptrdiff_t) y * s->stride + (ptrdiff_t) x * ch;

            pair(&t[0][i], &t[1][i], at, ch);
            pair(&t[2][i], &t[3][i], at + s->stride, ch);
        } else {
            t[0][i] = border_pixel(s, x, y, replicate);
            t[1][i] = border_pixel(s, x + 1, y, replicate);
            t[2][i] = border_pixel(s, x, y + 1, replicate);
            t[3][i] = border_pixel(s, x + 1, y + 1, replicate);
        }
    }
}

static void gather_any(uint32_t (*t)[CHUNK], const struct rp_img *s, const struct positions *p,
                       int n, int replicate)
{
    if (s->ch == 3)
        gather(t, s, p, n, replicate, 3);
    else if (s->ch == 1)
        gather(t, s, p, n, replicate, 1);
    else
        gather(t, s, p, n, replicate, 4);
}

RP_INLINE float mix(const uint32_t (*t)[CHUNK], const struct positions *p, int i, int shift)
{
    return rp_bilinear((float) (int) (t[0][i] >> shift & 255),
                       (float) (int) (t[1][i] >> shift & 255),
                       (float) (int) (t[2][i] >> shift & 255),
                       (float) (int) (t[3][i] >> shift & 255), p->tx[i], p->ty[i]);
}

/* out: packed like the samples. */
RP_HOT static void mix_three(uint32_t *restrict out, const uint32_t (*restrict t)[CHUNK],
                             const struct positions *restrict p, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = (uint32_t) rp_round_f(mix(t, p, i, 0)) |
                 (uint32_t) rp_round_f(mix(t, p, i, 8)) << 8 |
                 (uint32_t) rp_round_f(mix(t, p, i, 16)) << 16;
}

RP_HOT static void mix_one(uint32_t *restrict out, const uint32_t (*restrict t)[CHUNK],
                           const struct positions *restrict p, int n, int shift)
{
    for (int i = 0; i < n; i++)
        out[i] |= (uint32_t) rp_round_f(mix(t, p, i, shift)) << shift;
}

RP_HOT static void mix_add(float *restrict sum, const uint32_t (*restrict t)[CHUNK],
                           const struct positions *restrict p, int n, int shift)
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

int rp_c_warp(struct rp_stream *stream, const struct rp_op_warp *a)
{
    const struct rp_img *s = &a->src, *d = &a->dst;
    const double *m = a->affine->inv;
    const int side = a->area ? rp_warp_samples(m) : 1, ch = s->ch;
    const int replicate = a->border == 1;
    struct positions p;
    uint32_t t[4][CHUNK], out[CHUNK];
    float sum[4][CHUNK];

    (void) stream;
    if (s->w < 1 || s->h < 1)
        return 0;
    for (int y = 0; y < d->h; y++) {
        for (int x = 0; x < d->w; x += CHUNK) {
            const int n = rp_mini(CHUNK, d->w - x);

            if (side == 1) {
                const struct rp_warp_line l = rp_warp_line(m, 0.0, y);

                make_positions(&p, &l, x, n, s->w, s->h);
                gather_any(t, s, &p, n, replicate);
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
                                                               y + rp_warp_offset(j / side, side));

                    make_positions(&p, &l, x, n, s->w, s->h);
                    gather_any(t, s, &p, n, replicate);
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
