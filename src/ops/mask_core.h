/* Masks: the arithmetic of one value. */
#ifndef RP_OPS_MASK_CORE_H
#define RP_OPS_MASK_CORE_H

#include "ops/warp_core.h"

/* Black edges of a box mask, in pixels: top, right, bottom, left. The blur setting is a float and
 * is taken as the decimal that it stands for, which FaceFusion's doubles are. */
RP_FN void rp_box_edges(int edge[4], int w, int h, float blur, const int padding[4])
{
    const double b = rp_round_d((double) rp_clampf(blur, 0.0f, 1.0f) * 1e6) / 1e6;
    const int border = rp_maxi((int) (w * 0.5 * b) / 2, 1);
    int i;

    for (i = 0; i < 4; i++) {
        const int size = i & 1 ? w : h;

        edge[i] = rp_mini(rp_maxi(border, (int) (size * (double) padding[i] / 100.0)), size);
    }
}

RP_FN float rp_box_value(const int edge[4], int x, int y, int w, int h)
{
    return y < edge[0] || x >= w - edge[1] || y >= h - edge[2] || x < edge[3] ? 0.0f : 1.0f;
}

/* Position v mirrored into 0..n-1 without repeating the edge. */
RP_FN int rp_reflect101(int v, int n)
{
    const int period = 2 * n - 2;

    if (n == 1)
        return 0;
    v %= period;
    if (v < 0)
        v += period;
    return v < n ? v : period - v;
}

/* OpenCV's order of adding, bit for bit: a row from left to right; a column begins with the middle
 * and goes outwards, in pairs. Where a mask is all ones the sum is only about 1, and as pasted
 * pixels are truncated, that decides their bytes. */
RP_FN float rp_gaussian_across(float sum, float k, float v)
{
    return rp_fma(k, v, sum);
}

RP_FN float rp_gaussian_down(float sum, float k, float a, float b)
{
    return rp_fma(k, a + b, sum);
}

RP_FN float rp_mask_min(float a, float b)
{
    return rp_clamp_unit(a < b ? a : b);
}

RP_FN float rp_mask_ramp(float v)
{
    return (rp_clampf(v, 0.5f, 1.0f) - 0.5f) * 2.0f;
}

/* Is v larger than the best class so far? NaN never is. */
RP_FN int rp_class_wins(float v, float best)
{
    return v > best || (best != best && v == v);
}

RP_FN float rp_class_value(uint32_t use, int c)
{
    return use >> c & 1 ? 1.0f : 0.0f;
}

/* From a crop to another one of the same frame: m = source map * inverse of the destination's. */
RP_FN void rp_mask_warp_map(double m[6], const double source[6], const double inverse[6])
{
    int i;

    for (i = 0; i < 2; i++) {
        const double *const s = source + 3 * i;

        m[3 * i] = s[0] * inverse[0] + s[1] * inverse[3];
        m[3 * i + 1] = s[0] * inverse[1] + s[1] * inverse[4];
        m[3 * i + 2] = s[0] * inverse[2] + s[1] * inverse[5] + s[2];
    }
}

RP_FN float rp_mask_at(const float *mask, int w, int h, int x, int y)
{
    return (unsigned) x < (unsigned) w && (unsigned) y < (unsigned) h ? mask[(size_t) y * w + x]
                                                                      : 0.0f;
}

/* The mask at (ix + tx, iy + ty). */
RP_FN float rp_mask_sample(const float *mask, int w, int h, int ix, int iy, float tx, float ty)
{
    return rp_bilinear(rp_mask_at(mask, w, h, ix, iy), rp_mask_at(mask, w, h, ix + 1, iy),
                       rp_mask_at(mask, w, h, ix, iy + 1), rp_mask_at(mask, w, h, ix + 1, iy + 1),
                       tx, ty);
}

#endif /* RP_OPS_MASK_CORE_H */
