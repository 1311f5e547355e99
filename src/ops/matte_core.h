/* Mattes, alpha and backgrounds: the arithmetic of one value. */
#ifndef RP_OPS_MATTE_CORE_H
#define RP_OPS_MATTE_CORE_H

#include "ops/core.h"

/* An alpha sample of 10 bits as 8, and back; 255 is 1023. */
RP_FN int rp_alpha_8(int v, int depth)
{
    return depth > 8 ? (rp_mini(v, 1023) * 255 + 511) / 1023 : v;
}

RP_FN int rp_alpha_deep(int v, int depth)
{
    return depth > 8 ? (v * 1023 + 127) / 255 : v;
}

/* How little of the green screen there is in a pixel: 1 - clip(2 * (G - max(R, B)), 0, 1). */
RP_FN float rp_key_matte(int b, int g, int r)
{
    return 1.0f - rp_clamp_unit((float) (2 * (g - rp_maxi(b, r))) / 255.0f);
}

/* A matte value of 0..1 as a byte; NaN is background. */
RP_FN uint8_t rp_matte_u8(float v)
{
    return (uint8_t) (int) (rp_clamp_unit(v) * 255.0f);
}

/* How much of the fill colour a pixel gets. */
RP_FN float rp_fill_share(int matte, int fill_alpha)
{
    return (1.0f - (float) matte / 255.0f) * ((float) fill_alpha / 255.0f);
}

/* A pixel without its colour cast: each channel moves towards half the sum of the other two, if
 * that is less. strength: per channel, 0..1. */
RP_FN void rp_despill(uint8_t out[3], const uint8_t in[3], const float strength[3])
{
    int c;

    for (c = 0; c < 3; c++) {
        const float v = (float) in[c];
        const float limit = 0.5f * (float) (in[(c + 1) % 3] + in[(c + 2) % 3]);

        out[c] = rp_trunc_u8(v + ((limit < v ? limit : v) - v) * strength[c]);
    }
}

RP_FN uint8_t rp_fill(uint8_t value, float colour, float share)
{
    return rp_trunc_u8((float) value * (1.0f - share) + colour * share);
}

#endif /* RP_OPS_MATTE_CORE_H */
