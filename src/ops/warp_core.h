/* Affine sampling: where a destination pixel lies in the source, and the mix of four samples.
 * Positions as in OpenCV >= 4.11: recorded crops of it whose matrix was recorded too are matched to
 * the last byte. */
#ifndef RP_OPS_WARP_CORE_H
#define RP_OPS_WARP_CORE_H

#include "ops/core.h"

/* The sampling line of one destination row: x -> (mx + m0 * x, my + m3 * x). */
struct rp_warp_line {
    float mx, my, m0, m3;
};

/* m: destination to source. x, y: the pixel from which columns and rows are counted. The offset is
 * computed in double, and rounded to float only after that. */
RP_FN struct rp_warp_line rp_warp_line(const double m[6], double x, double y, int row)
{
    struct rp_warp_line l;

    l.mx = (float) m[1] * (float) row + (float) (m[0] * x + m[1] * y + m[2]);
    l.my = (float) m[4] * (float) row + (float) (m[3] * x + m[4] * y + m[5]);
    l.m0 = (float) m[0];
    l.m3 = (float) m[3];
    return l;
}

/* Where pixel x of the row lies. */
RP_FN float rp_warp_x(const struct rp_warp_line *l, int x)
{
    return rp_fma(l->m0, (float) x, l->mx);
}

RP_FN float rp_warp_y(const struct rp_warp_line *l, int x)
{
    return rp_fma(l->m3, (float) x, l->my);
}

/* Whole part of a coordinate and, in *fraction, the rest. NaN and coordinates out of reach of a
 * picture of this size become -2 or size + 1, where every sample is border. */
RP_FN int rp_warp_split(float v, int size, float *fraction)
{
    int i;

    v = rp_clampf(v, -2.0f, (float) (size + 1));
    i = rp_floor_f(v);
    *fraction = v - (float) i;
    return i;
}

RP_FN float rp_lerp(float a, float b, float t)
{
    return a + t * (b - a);
}

/* Samples at (0,0), (1,0), (0,1), (1,1). */
RP_FN float rp_bilinear(float a, float b, float c, float d, float tx, float ty)
{
    return rp_lerp(rp_lerp(a, b, tx), rp_lerp(c, d, tx), ty);
}

/* All four samples lie inside. */
RP_FN int rp_warp_inside(int ix, int iy, int w, int h)
{
    return (ix >= 0) & (iy >= 0) & (ix < w - 1) & (iy < h - 1);
}

/* How many samples per side make one pixel: the longest step of the matrix, rounded up, 1..8. */
RP_FN int rp_warp_samples(const double m[6])
{
    const double a = m[0] * m[0] + m[3] * m[3], b = m[1] * m[1] + m[4] * m[4];
    const double d = a > b ? a : b;
    int n = 1;

    while (n < 8 && (double) (n * n) < d)
        n++;
    return n;
}

/* Offset of sample i of n inside a pixel. */
RP_FN double rp_warp_offset(int i, int n)
{
    return (i + 0.5) / n - 0.5;
}

#endif /* RP_OPS_WARP_CORE_H */
