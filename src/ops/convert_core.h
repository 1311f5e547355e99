/* YUV <-> BGR for one sample, in integers. The factors follow from the matrix's Kr and Kb;
 * rp_yuv_factors() makes them on the host. */
#ifndef RP_OPS_CONVERT_CORE_H
#define RP_OPS_CONVERT_CORE_H

#include "ops/core.h"

/* Sample i of a row that a GPU's decoder gives: bytes, or the upper 10 bits of 16. */
RP_FN void rp_semi_sample(uint8_t *dst, int to, const uint8_t *src, int from, int deep)
{
    if (deep)
        ((uint16_t *) dst)[to] = (uint16_t) (((const uint16_t *) src)[from] >> 6);
    else
        dst[to] = src[from];
}

/* All samples are first brought to 16 bits (8-bit << 8, 10-bit << 6). Colours are summed with 5
 * fraction bits, luma with 8, so that everything but the chroma terms fits 16-bit lanes; a result
 * is within 0.55 of the real-valued one (test_ops_pixels.c checks all samples).
 *
 * The exception is 8-bit video with chroma halved across, which is nearly all video: there the
 * colours equal, bit for bit, those that FFmpeg (libswscale on x86) gives to FaceFusion. libswscale
 * truncates three products instead of rounding the sum, so colours are up to 3 levels darker, green
 * 1.3 on average. That matters to networks: detected boxes moved by more than a pixel. */
struct rp_yuv_factors {
    int wide;           /* 10-bit samples */
    int coarse;         /* libswscale's arithmetic */
    int black8;         /* coarse: of luma, with 3 fraction bits */
    uint16_t y;         /* of the luma sample */
    int rv, gu, gv, bu; /* of the chroma samples */
    int r0, g0, b0;     /* constants: offsets and roundings */
    int term_shift;
    uint16_t yb, yg, yr, y0; /* from BGR */
    int luma_shift;
    int ub, ug, ur, vb, vg, vr;
    int c0; /* chroma offset and rounding for a sum of four pixels */
    int chroma_shift;
    int max; /* largest sample */
};

RP_FN int rp_yuv_round(double v)
{
    return (int) (v < 0 ? v - 0.5 : v + 0.5);
}

/* A number of libswscale's tables, which has 16 fraction bits, with the 13 that it is multiplied
 * with. */
RP_FN int rp_yuv_table(int v, int full_range)
{
    const int spread = full_range ? (int) ((int64_t) v * 224 / 255) : v;

    return (int) (((int64_t) spread * 8192 + 32768) >> 16);
}

/* Factors for 8-bit samples with chroma halved across. */
RP_FN void rp_yuv_coarse(struct rp_yuv_factors *f, int matrix, int full_range)
{
    const int tables[3][4] = {{117489, 138438, -13975, -34925},
                              {104597, 132201, -25675, -53279},
                              {110013, 140363, -12277, -42626}};
    const int *const t = tables[matrix == 1 || matrix == 2 ? matrix : 0];

    f->coarse = 1;
    f->black8 = full_range ? 0 : 8 * 16;
    f->rv = rp_yuv_table(t[0], full_range);
    f->bu = rp_yuv_table(t[1], full_range);
    f->gu = rp_yuv_table(t[2], full_range);
    f->gv = rp_yuv_table(t[3], full_range);
}

/* matrix: enum rp_matrix (0 bt709, 1 bt601, 2 bt2020). depth: 8 or 10. sub_x: of the chroma. */
RP_FN void rp_yuv_factors(struct rp_yuv_factors *f, int matrix, int full_range, int depth,
                          int sub_x)
{
    const double kr = matrix == 1 ? 0.299 : matrix == 2 ? 0.2627 : 0.2126;
    const double kb = matrix == 1 ? 0.114 : matrix == 2 ? 0.0593 : 0.0722;
    const double kg = 1.0 - kr - kb;
    const int more = depth > 8 ? 2 : 0, mul = 1 << more;
    const double ys = full_range ? 256.0 * mul - 1.0 : 219.0 * mul; /* black to white */
    const double cs = full_range ? 256.0 * mul - 1.0 : 224.0 * mul; /* chroma, end to end */
    const int black = full_range ? 0 : 16 * mul, grey = 128 * mul;
    const double luma = 8192.0 * 255.0 / ys * mul, chroma = 8192.0 * 255.0 / cs * mul;
    const double to_luma = 65536.0 * ys / 255.0 / mul, to_chroma = 32768.0 * cs / 255.0 / mul;
    int half;

    f->wide = more > 0;
    f->max = 256 * mul - 1;

    /* 13 fraction bits; the terms keep 5 of them. `half` rounds the term and the result and makes
     * up for the truncated luma product. */
    f->term_shift = 8 + more;
    half = (4096 + 256) * mul;
    f->y = (uint16_t) rp_yuv_round(luma);
    f->rv = rp_yuv_round(chroma * 2.0 * (1.0 - kr));
    f->bu = rp_yuv_round(chroma * 2.0 * (1.0 - kb));
    f->gu = rp_yuv_round(-chroma * 2.0 * (1.0 - kb) * kb / kg);
    f->gv = rp_yuv_round(-chroma * 2.0 * (1.0 - kr) * kr / kg);
    f->r0 = half - f->y * black - f->rv * grey;
    f->g0 = half - f->y * black - (f->gu + f->gv) * grey;
    f->b0 = half - f->y * black - f->bu * grey;
    f->coarse = f->black8 = 0;
    if (depth == 8 && sub_x)
        rp_yuv_coarse(f, matrix, full_range);

    /* The luma factors add up to the range and the chroma factors to 0, so that greys stay grey. */
    f->luma_shift = 8 - more;
    f->yr = (uint16_t) rp_yuv_round(to_luma * kr);
    f->yb = (uint16_t) rp_yuv_round(to_luma * kb);
    f->yg = (uint16_t) (rp_yuv_round(to_luma) - f->yr - f->yb);
    f->y0 = (uint16_t) ((black << f->luma_shift) + (1 << (f->luma_shift - 1)) + 1);

    f->chroma_shift = 15 - more + 2;
    f->ub = rp_yuv_round(to_chroma * 0.5);
    f->ur = rp_yuv_round(-to_chroma * 0.5 * kr / (1.0 - kb));
    f->ug = -f->ub - f->ur;
    f->vr = rp_yuv_round(to_chroma * 0.5);
    f->vb = rp_yuv_round(-to_chroma * 0.5 * kb / (1.0 - kr));
    f->vg = -f->vr - f->vb;
    f->c0 = (1 << (f->chroma_shift - 1)) + grey * (1 << f->chroma_shift);
}

RP_FN uint16_t rp_mul_high(uint16_t a, uint16_t b)
{
    return (uint16_t) ((uint32_t) a * b >> 16);
}

RP_FN uint16_t rp_yuv_sample16(int v, int wide)
{
    return (uint16_t) (wide ? v << 6 : v << 8);
}

/* Coarse: the product of a sample with 3 fraction bits and a factor with 13, truncated to a whole
 * number, returned with 5 fraction bits. */
RP_FN int16_t rp_yuv_cut(int v8, int factor)
{
    const int16_t a = (int16_t) v8, b = (int16_t) factor;

    return (int16_t) ((int16_t) ((a * b) >> 16) * 32);
}

/* The part of a colour that the luma sample gives. */
RP_FN uint16_t rp_yuv_luma(const struct rp_yuv_factors *f, int y)
{
    if (f->coarse)
        return (uint16_t) rp_yuv_cut(8 * y - f->black8, f->y);
    return rp_mul_high(rp_yuv_sample16(y, f->wide), f->y);
}

/* The part of a colour that the chroma samples give; rp_yuv_add() adds the luma. */
RP_FN int16_t rp_yuv_term_b(const struct rp_yuv_factors *f, int u)
{
    if (f->coarse)
        return rp_yuv_cut(8 * u - 1024, f->bu);
    return (int16_t) ((f->bu * u + f->b0) >> f->term_shift);
}

RP_FN int16_t rp_yuv_term_g(const struct rp_yuv_factors *f, int u, int v)
{
    if (f->coarse)
        return (int16_t) (rp_yuv_cut(8 * u - 1024, f->gu) + rp_yuv_cut(8 * v - 1024, f->gv));
    return (int16_t) ((f->gu * u + f->gv * v + f->g0) >> f->term_shift);
}

RP_FN int16_t rp_yuv_term_r(const struct rp_yuv_factors *f, int v)
{
    if (f->coarse)
        return rp_yuv_cut(8 * v - 1024, f->rv);
    return (int16_t) ((f->rv * v + f->r0) >> f->term_shift);
}

/* luma: rp_yuv_luma(). */
RP_FN uint8_t rp_yuv_add(uint16_t luma, int16_t term)
{
    int16_t v = (int16_t) (luma + term);

    v >>= 5;
    v = v > 0 ? v : 0;
    v = v < 255 ? v : 255;
    return (uint8_t) v;
}

RP_FN uint16_t rp_bgr_luma(const struct rp_yuv_factors *f, uint8_t b, uint8_t g, uint8_t r)
{
    const uint16_t sum = (uint16_t) (rp_mul_high((uint16_t) (b << 8), f->yb) +
                                     rp_mul_high((uint16_t) (g << 8), f->yg) +
                                     rp_mul_high((uint16_t) (r << 8), f->yr) + f->y0);

    return (uint16_t) (sum >> f->luma_shift);
}

/* b, g, r: sums over four pixels (in a block of one or two pixels each counts four times or
 * twice). */
RP_FN int rp_bgr_chroma_u(const struct rp_yuv_factors *f, int b, int g, int r)
{
    return rp_clampi((f->ub * b + f->ug * g + f->ur * r + f->c0) >> f->chroma_shift, 0, f->max);
}

RP_FN int rp_bgr_chroma_v(const struct rp_yuv_factors *f, int b, int g, int r)
{
    return rp_clampi((f->vb * b + f->vg * g + f->vr * r + f->c0) >> f->chroma_shift, 0, f->max);
}

#endif /* RP_OPS_CONVERT_CORE_H */
