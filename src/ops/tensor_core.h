/* Pixels to tensors and back: the arithmetic of one value. */
#ifndef RP_OPS_TENSOR_CORE_H
#define RP_OPS_TENSOR_CORE_H

#include "ops/core.h"

/* OpenCV's 8-bit grey: 15 fraction bits. */
RP_FN int rp_grey(int b, int g, int r)
{
    return (b * 3735 + g * 19235 + r * 9798 + (1 << 14)) >> 15;
}

/* round: 0 = keep, 1 = truncate, 2 = to the nearest whole number, halves to even. */
RP_FN float rp_from_tensor(float v, float mul, float add, int round)
{
    const float f = rp_clamp_unit(v * mul + add) * 255.0f;

    return round == 1 ? (float) (int) f : round == 2 ? (float) rp_round_f(f) : f;
}

RP_FN float rp_normalise(float v, float div, float mean, float std)
{
    return (v / div - mean) / std;
}

/* Number of the k-th tile of this turn of the loop, -1 if there is none. */
RP_FN int rp_tile_number(int step, int tiles, const int32_t *turn, int k)
{
    const int64_t t = (turn ? (int64_t) *turn * tiles : 0) + k;

    return t >= 0 && t < (int64_t) step * step ? (int) t : -1;
}

/* How many of n numbers have a pixel: they read every step-th of `have` pixels, from off on. */
RP_FN int rp_tile_side(int n, int have, int step, int off)
{
    return have > off ? rp_mini(n, (have - off + step - 1) / step) : 0;
}

#endif /* RP_OPS_TENSOR_CORE_H */
