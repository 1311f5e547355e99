/* Bilinear resize as OpenCV does it: positions and weights of one axis, and the arithmetic of one
 * value. */
#ifndef RP_OPS_RESIZE_CORE_H
#define RP_OPS_RESIZE_CORE_H

#include "ops/core.h"

/* Source steps per destination step, with OpenCV's double division. */
RP_FN double rp_resize_scale(int src, int dst)
{
    return 1.0 / ((double) dst / (double) src);
}

/* Position of the left (upper) sample, which may be -1 or past the end, and the weight of the
 * other. */
RP_FN int rp_resize_at(int d, double scale, float *weight)
{
    const float f = (float) ((d + 0.5) * scale - 0.5);
    const int s = rp_floor_f(f);

    *weight = f - (float) s;
    return s;
}

/* Columns: outside the picture only the edge pixel counts. */
RP_FN int rp_resize_column(int d, double scale, int size, float *weight)
{
    const int s = rp_resize_at(d, scale, weight);

    if (s >= 0 && s < size - 1)
        return s;
    *weight = 0.0f;
    return s < 0 ? 0 : size - 1;
}

/* 11-bit weights, each rounded by itself. */
RP_FN int rp_resize_weight(float w)
{
    return rp_round_f(w * 2048.0f);
}

/* The two steps of one 8-bit value: across, at 15 bits, and down. Outside the picture rows are
 * clamped but keep their two weights. */
RP_FN int rp_resize_across(int left, int right, int w0, int w1)
{
    return (left * w0 + right * w1) >> 4;
}

RP_FN uint8_t rp_resize_down(int upper, int lower, int w0, int w1)
{
    return (uint8_t) (((upper * w0 >> 16) + (lower * w1 >> 16) + 2) >> 2);
}

/* The exact 2:1 shrink. */
RP_FN uint8_t rp_resize_mean(int a, int b, int c, int d)
{
    return (uint8_t) ((a + b + c + d + 2) >> 2);
}

RP_FN int rp_resize_is_half(int sw, int sh, int dw, int dh)
{
    return sw == 2 * dw && sh == 2 * dh;
}

RP_FN float rp_resize_mix(float a, float b, float w0, float w1)
{
    return a * w0 + b * w1;
}

#endif /* RP_OPS_RESIZE_CORE_H */
