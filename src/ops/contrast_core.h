/* "Optimise contrast" before a landmark network: 8-bit Lab and back, and CLAHE on L, with OpenCV's
 * numbers. All arithmetic is in whole numbers; powers and roots come from tables made on the host.
 * The only floats, in the mix of four tiles, are exact for tiles whose sides are powers of two. */
#ifndef RP_OPS_CONTRAST_CORE_H
#define RP_OPS_CONTRAST_CORE_H

#include "ops/core.h"
#include "ops/ops.h"

#define RP_DARK_MEAN 30 /* of L, 0..255: darker crops get more contrast */
#define RP_CLAHE_CLIP 2

/* v / 2^n to the nearest whole number, halves up. */
RP_FN int rp_descale(int v, int n)
{
    return (v + (1 << (n - 1))) >> n;
}

/* Three channels to L, a, b. The first counts as red, whatever it is. */
RP_FN void rp_lab_from(const struct rp_lab_tables *t, const uint8_t in[3], uint8_t lab[3])
{
    /* sRGB to XYZ (D65) over the white point, 12 fraction bits */
    const int r = t->linear[in[0]], g = t->linear[in[1]], b = t->linear[in[2]];
    const int x = t->root[rp_descale(r * 1777 + g * 1541 + b * 778, 12)];
    const int y = t->root[rp_descale(r * 871 + g * 2929 + b * 296, 12)];
    const int z = t->root[rp_descale(r * 73 + g * 448 + b * 3575, 12)];

    /* L = 116 y - 16 of 100, on 255; 15 fraction bits */
    lab[0] = rp_clip_u8(rp_descale(296 * y - 1336934, 15));
    lab[1] = rp_clip_u8(rp_descale(500 * (x - y) + (128 << 15), 15));
    lab[2] = rp_clip_u8(rp_descale(200 * (y - z) + (128 << 15), 15));
}

/* The cube of v, or the line below it near 0; 14 fraction bits, -8145 <= v <= 26868. The divisions
 * truncate one after the other, as in OpenCV. */
RP_FN int rp_lab_cube(int v)
{
    return v <= 3390 ? v * 108 / 841 - 290 : v * v / 16384 * v / 16384;
}

/* A channel from linear light with 26 fraction bits. */
RP_FN uint8_t rp_lab_gamma(const struct rp_lab_tables *t, int linear)
{
    return (uint8_t) t->gamma[rp_clampi(rp_descale(linear, 14), 0, 4095)];
}

RP_FN void rp_lab_to(const struct rp_lab_tables *t, const uint8_t lab[3], uint8_t out[3])
{
    const int y = t->light[lab[0]], root = t->light_root[lab[0]];
    const int a = ((lab[1] * 5 * 53687 + 128) >> 13) - 4194; /* a / 500 */
    const int b = ((lab[2] * 41943 + 16) >> 9) - 10485 + 1;  /* b / 200 */
    const int x = rp_lab_cube(root + a), z = rp_lab_cube(root - b);

    out[0] = rp_lab_gamma(t, 12615 * x - 6296 * y - 2223 * z);
    out[1] = rp_lab_gamma(t, -3773 * x + 7684 * y + 185 * z);
    out[2] = rp_lab_gamma(t, 217 * x - 836 * y + 4715 * z);
}

/* ---- CLAHE ----------------------------------------------------------------------------------- */

/* Most pixels that a grey level of a tile keeps. */
RP_FN int rp_clahe_limit(int area)
{
    return rp_maxi(RP_CLAHE_CLIP * area / 256, 1);
}

/* The count of level i of a tile after the `clipped` pixels cut off were shared out over all
 * levels. */
RP_FN int rp_clahe_share(int count, int i, int limit, int clipped)
{
    const int rest = clipped % 256, step = rest ? rp_maxi(256 / rest, 1) : 256;

    return rp_mini(count, limit) + clipped / 256 + (i % step == 0 && i / step < rest);
}

/* The new level, from the number of pixels that are as dark or darker. */
RP_FN uint8_t rp_clahe_level(int sum, int area)
{
    return rp_round_u8((float) sum * (255.0f / (float) area));
}

/* The two tiles between which position v lies, and how far it is towards the second. */
RP_FN float rp_clahe_between(int v, int tile, int at[2])
{
    const float t = (float) v * (1.0f / (float) tile) - 0.5f;
    const int i = rp_floor_f(t);

    at[0] = rp_maxi(i, 0);
    at[1] = rp_mini(i + 1, RP_CONTRAST_TILES - 1);
    return t - (float) i;
}

/* The new L of a pixel. */
RP_FN uint8_t rp_clahe_mix(const struct rp_contrast_work *k, int l, int x, int y, int tile_w,
                           int tile_h)
{
    int tx[2], ty[2];
    const float fx = rp_clahe_between(x, tile_w, tx), fy = rp_clahe_between(y, tile_h, ty);
    const uint8_t(*const up)[256] = k->level[ty[0]], (*const down)[256] = k->level[ty[1]];
    const float a = (float) up[tx[0]][l] * (1 - fx) + (float) up[tx[1]][l] * fx;
    const float b = (float) down[tx[0]][l] * (1 - fx) + (float) down[tx[1]][l] * fx;

    return rp_round_u8(a * (1 - fy) + b * fy);
}

/* Is the mean of L, from the sums of all tiles, that dark? */
RP_FN int rp_contrast_dark(const struct rp_contrast_work *k, int w, int h)
{
    int64_t sum = 0;

    for (int i = 0; i < RP_CONTRAST_TILES * RP_CONTRAST_TILES; i++)
        sum += k->sum[i];
    return sum < (int64_t) RP_DARK_MEAN * w * h;
}

/* The second step for one pixel: Lab to colours, in place. */
RP_FN void rp_contrast_finish(const struct rp_op_contrast *a, int dark, int x, int y, uint8_t *p)
{
    uint8_t lab[3] = {p[0], p[1], p[2]};

    if (dark)
        lab[0] = rp_clahe_mix(a->work, lab[0], x, y, a->dst.w / RP_CONTRAST_TILES,
                              a->dst.h / RP_CONTRAST_TILES);
    rp_lab_to(a->tables, lab, p);
}

#endif /* RP_OPS_CONTRAST_CORE_H */
