/* Colouring: lightness of the frame and colours of a network, joined in Lab, with OpenCV's numbers.
 *
 * OpenCV's floating point Lab is a table on the way there and a spline on the way back:
 *   - L of a colour is interpolated between the corners of 32x32x32 cells, at sixteenths of a cell
 *     and in whole numbers. It is up to 0.19 off the real L, which is half a level of grey, so it
 *     is done here as there.
 *   - the curve from linear light to sRGB is a natural cubic spline through 1025 points. */
#ifndef RP_OPS_COLOUR_CORE_H
#define RP_OPS_COLOUR_CORE_H

#include "ops/contrast_core.h"
#include "ops/paste_core.h"
#include "ops/resize_core.h"
#include "ops/tensor_core.h"

/* ---- lightness ------------------------------------------------------------------------------- */

/* A channel's place in the table, in sixteenths of a cell, 0..512: v / 255 of 16384, rounded,
 * without its last 5 bits. */
RP_FN int rp_light_place(int v)
{
    return (257 * v + 2) >> 7;
}

/* Between the two of an entry, times 16. */
RP_FN int rp_light_pair(int pair, int w)
{
    return (pair & 65535) * (16 - w) + (pair >> 16) * w;
}

/* L of a pixel, 0..100. */
RP_FN float rp_light(const struct rp_colour_tables *t, int b, int g, int r)
{
    const int last = RP_LIGHT_CELLS - 1, row = RP_LIGHT_CELLS, slab = row * (RP_LIGHT_CELLS + 1);
    const int pr = rp_light_place(r), pg = rp_light_place(g), pb = rp_light_place(b);
    const int cr = rp_mini(pr >> 4, last), cg = rp_mini(pg >> 4, last), cb = rp_mini(pb >> 4, last);
    const int wr = pr - 16 * cr, wg = pg - 16 * cg, wb = pb - 16 * cb;
    const int32_t *const light = &t->light[0][0][0];
    const int at = slab * cr + row * cg + cb;
    const int p =
        rp_light_pair(light[at], wb) * (16 - wg) + rp_light_pair(light[at + row], wb) * wg;
    const int q = rp_light_pair(light[at + slab], wb) * (16 - wg) +
                  rp_light_pair(light[at + slab + row], wb) * wg;

    return (float) (100 * rp_descale(p * (16 - wr) + q * wr, 12)) / 16384.0f;
}

/* ---- Lab to colours -------------------------------------------------------------------------- */

/* Lab's cube, which below 6/29 is its tangent there. */
RP_FN float rp_lab_light(float root)
{
    const float knee = 6.0f / 29.0f, from = root - knee, over = from > rp_zero ? from : rp_zero;
    const float above = over + knee;

    return above * above * above + (from - over) * (108.0f / 841.0f);
}

/* Linear light, red green blue, of L 0..100 and a, b. What is out of 0..1 or not a number is
 * clipped later. */
RP_FN void rp_lab_linear(float l, float a, float b, float rgb[3])
{
    const float root = (l + 16.0f) / 116.0f, y = rp_lab_light(root);
    const float x = rp_lab_light(root + a / 500.0f), z = rp_lab_light(root - b / 200.0f);

    /* XYZ (D65) over the white point to sRGB */
    rgb[0] = 3.07993271f * x - 1.53715f * y - 0.542781975f * z;
    rgb[1] = -0.921235181f * x + 1.875991f * y + 0.0452442612f * z;
    rgb[2] = 0.0528909755f * x - 0.204043f * y + 1.15115158f * z;
}

/* sRGB, 0..1, of linear light. */
RP_FN float rp_gamma(const struct rp_colour_tables *t, float v)
{
    const float at = rp_clamp_unit(v) * (float) RP_GAMMA_STEPS;
    const int i = rp_mini((int) at, RP_GAMMA_STEPS - 1);
    const float f = at - (float) i, *const k = &t->gamma[0][0];

    return ((k[4 * i + 3] * f + k[4 * i + 2]) * f + k[4 * i + 1]) * f + k[4 * i];
}

RP_FN uint8_t rp_gamma_u8(const struct rp_colour_tables *t, float v)
{
    return rp_round_u8(rp_gamma(t, v) * 255.0f);
}

/* ---- one pixel ------------------------------------------------------------------------------- */

/* The new pixel, BGR, from the network's red, green and blue, 0..255, in 8-bit Lab. light: its L,
 * 0..255. */
RP_FN void rp_colour_rgb(const struct rp_lab_tables *t, int light, const float rgb[3],
                         uint8_t bgr[3])
{
    const uint8_t in[3] = {rp_trunc_u8(rgb[0]), rp_trunc_u8(rgb[1]), rp_trunc_u8(rgb[2])};
    uint8_t lab[3], out[3];

    rp_lab_from(t, in, lab);
    lab[0] = (uint8_t) light;
    rp_lab_to(t, lab, out);
    bgr[0] = out[2];
    bgr[1] = out[1];
    bgr[2] = out[0];
}

/* A value between four of a plane: upper and lower row, left and right column. */
RP_FN float rp_colour_between(const float *upper, const float *lower, int left, int right,
                              float across, float down)
{
    const float p = rp_resize_mix(upper[left], upper[right], 1.0f - across, across);
    const float q = rp_resize_mix(lower[left], lower[right], 1.0f - across, across);

    return rp_resize_mix(p, q, 1.0f - down, down);
}

/* ---- grey ------------------------------------------------------------------------------------ */

/* The four pixels around a place of the resized picture, and how far it is between them. */
struct rp_grey_place {
    int x0, x1, y0, y1;
    float across, down;
};

RP_FN struct rp_grey_place rp_grey_place(int x, int y, double sx, double sy, int w, int h)
{
    struct rp_grey_place p;
    const int top = rp_resize_at(y, sy, &p.down);

    p.x0 = rp_resize_column(x, sx, w, &p.across);
    p.x1 = rp_mini(p.x0 + 1, w - 1);
    p.y0 = rp_clampi(top, 0, h - 1);
    p.y1 = rp_clampi(top + 1, 0, h - 1);
    return p;
}

RP_FN int rp_grey_at(const struct rp_img *s, int x, int y)
{
    const uint8_t *const p = s->data + (ptrdiff_t) y * s->stride + (ptrdiff_t) x * s->ch;

    return rp_grey(p[0], p[1], p[2]);
}

/* The three values of the tensor at (x, y). */
RP_FN void rp_grey_tensor(const struct rp_op_grey_tensor *a, int x, int y, double sx, double sy,
                          float v[3])
{
    const struct rp_grey_place p = rp_grey_place(x, y, sx, sy, a->src.w, a->src.h);
    const int g[4] = {rp_grey_at(&a->src, p.x0, p.y0), rp_grey_at(&a->src, p.x1, p.y0),
                      rp_grey_at(&a->src, p.x0, p.y1), rp_grey_at(&a->src, p.x1, p.y1)};
    const int w0 = rp_resize_weight(1.0f - p.across), w1 = rp_resize_weight(p.across);
    int c, bytes;

    if (rp_resize_is_half(a->src.w, a->src.h, a->w, a->h))
        bytes = rp_resize_mean(g[0], g[1], g[2], g[3]);
    else
        bytes = rp_resize_down(rp_resize_across(g[0], g[1], w0, w1),
                               rp_resize_across(g[2], g[3], w0, w1),
                               rp_resize_weight(1.0f - p.down), rp_resize_weight(p.down));
    for (c = 0; c < 3; c++) {
        const float *const lut = a->lut + 256 * c;
        const float upper = rp_resize_mix(lut[g[0]], lut[g[1]], 1.0f - p.across, p.across);
        const float lower = rp_resize_mix(lut[g[2]], lut[g[3]], 1.0f - p.across, p.across);

        v[c] = a->bytes ? lut[bytes] : rp_resize_mix(upper, lower, 1.0f - p.down, p.down);
    }
}

#endif /* RP_OPS_COLOUR_CORE_H */
