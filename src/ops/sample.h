/* Affine sampling, one chunk of a row at a time, for warp and paste: the positions of its pixels,
 * which of them lie inside the picture, and the mix of four samples with all channels of a pixel in
 * one vector. */
#ifndef RP_OPS_SAMPLE_H
#define RP_OPS_SAMPLE_H

#include "ops/warp_core.h"

#define RP_CHUNK 256 /* destination pixels */

struct rp_positions {
    int ix[RP_CHUNK], iy[RP_CHUNK];
    float tx[RP_CHUNK], ty[RP_CHUNK];
};

/* Pixels x .. x + n - 1 of the line, for a picture of w x h. */
RP_HOT_FMA static void rp_make_positions(struct rp_positions *restrict p,
                                         const struct rp_warp_line *l, int x, int n, int w, int h)
{
    const struct rp_warp_line k = *l;

    for (int i = 0; i < n; i++) {
        p->ix[i] = rp_warp_split(rp_warp_x(&k, x + i), w, &p->tx[i]);
        p->iy[i] = rp_warp_split(rp_warp_y(&k, x + i), h, &p->ty[i]);
    }
}

struct rp_span {
    int from, to;
};

/* The pixels of s whose samples (0,0) lie in x1 .. x2 - 1 and y1 .. y2 - 1. They are one span:
 * along a line each coordinate only grows or only falls, even after rounding. */
static inline struct rp_span rp_span_within(const struct rp_positions *p, struct rp_span s, int x1,
                                            int y1, int x2, int y2)
{
    while (s.from < s.to &&
           (p->ix[s.from] < x1 || p->ix[s.from] >= x2 || p->iy[s.from] < y1 || p->iy[s.from] >= y2))
        s.from++;
    while (s.from < s.to && (p->ix[s.to - 1] < x1 || p->ix[s.to - 1] >= x2 ||
                             p->iy[s.to - 1] < y1 || p->iy[s.to - 1] >= y2))
        s.to--;
    return s;
}

/* One pixel: a float per channel, and perhaps an unused one. */
typedef float rp_vec4 __attribute__((vector_size(16)));

/* rp_bilinear() of four channels. */
RP_INLINE rp_vec4 rp_bilinear4(rp_vec4 a, rp_vec4 b, rp_vec4 c, rp_vec4 d, float tx, float ty)
{
    const rp_vec4 upper = a + tx * (b - a), lower = c + tx * (d - c);

    return upper + ty * (lower - upper);
}

#endif /* RP_OPS_SAMPLE_H */
