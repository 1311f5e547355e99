/* Bicubic resize as OpenCV does it: positions and weights of one axis, and the arithmetic of one
 * value. */
#ifndef RP_OPS_CUBIC_CORE_H
#define RP_OPS_CUBIC_CORE_H

#include "ops/core.h"
#include "ops/resize_core.h"

/* One axis of a destination pixel: the four source pixels, clamped to the picture, and their 11-bit
 * weights. */
struct rp_cubic {
    int at[4], w[4];
};

/* Each weight is rounded by itself, so that their sum may be off by a little, as in OpenCV. */
RP_FN struct rp_cubic rp_cubic_at(int d, double scale, int size)
{
    const float a = -0.75f;
    struct rp_cubic c;
    float f, k[4];
    const int s = rp_resize_at(d, scale, &f);
    const float g = 1.0f - f;

    k[0] = ((a * (f + 1.0f) - 5.0f * a) * (f + 1.0f) + 8.0f * a) * (f + 1.0f) - 4.0f * a;
    k[1] = ((a + 2.0f) * f - (a + 3.0f)) * f * f + 1.0f;
    k[2] = ((a + 2.0f) * g - (a + 3.0f)) * g * g + 1.0f;
    k[3] = 1.0f - k[0] - k[1] - k[2];
    for (int i = 0; i < 4; i++) {
        c.at[i] = rp_clampi(s - 1 + i, 0, size - 1);
        c.w[i] = rp_resize_weight(k[i]);
    }
    return c;
}

RP_FN int rp_cubic_across(int a, int b, int c, int d, const int w[4])
{
    return a * w[0] + b * w[1] + c * w[2] + d * w[3];
}

/* The weights of a column, from 11 bits to the scale of its sums. */
RP_FN float rp_cubic_weight(int w)
{
    return (float) w * (1.0f / (2048.0f * 2048.0f));
}

/* From the last row to the first, in OpenCV's order. */
RP_FN uint8_t rp_cubic_down(int a, int b, int c, int d, const float w[4])
{
    float v = (float) d * w[3];

    v = (float) c * w[2] + v;
    v = (float) b * w[1] + v;
    v = (float) a * w[0] + v;
    return rp_round_u8(v);
}

#endif /* RP_OPS_CUBIC_CORE_H */
