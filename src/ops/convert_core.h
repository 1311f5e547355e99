/* YUV <-> BGR for one sample, in integers. The factors come from the matrix's Kr and Kb; made on the
 * host by rp_yuv_factors(). */
#ifndef RP_OPS_CONVERT_CORE_H
#define RP_OPS_CONVERT_CORE_H

#include "ops/core.h"

/* To BGR: 13 fraction bits, two more for 10-bit samples. From BGR: 15 fraction bits, two less. */
#define RP_YUV_FROM_BITS 13
#define RP_YUV_TO_BITS 15

struct rp_yuv_factors {
    int y;              /* of the luma sample */
    int rv, gu, gv, bu; /* of the chroma samples */
    int r0, g0, b0;     /* constants: offsets and half of the last kept bit */
    int from_shift;
    int yb, yg, yr, y0; /* from BGR */
    int ub, ug, ur, vb, vg, vr;
    int c0;             /* chroma offset and rounding for a sum of four pixels */
    int to_shift;
    int max;            /* largest sample */
};

RP_FN int rp_yuv_round(double v)
{
    return (int) (v < 0 ? v - 0.5 : v + 0.5);
}

/* matrix: enum rp_matrix (0 bt709, 1 bt601, 2 bt2020). depth: 8 or 10. */
RP_FN void rp_yuv_factors(struct rp_yuv_factors *f, int matrix, int full_range, int depth)
{
    const double kr = matrix == 1 ? 0.299 : matrix == 2 ? 0.2627 : 0.2126;
    const double kb = matrix == 1 ? 0.114 : matrix == 2 ? 0.0593 : 0.0722;
    const double kg = 1.0 - kr - kb;
    const int more = depth - 8, mul = 1 << more;
    const double ys = full_range ? 256.0 * mul - 1.0 : 219.0 * mul; /* black to white */
    const double cs = full_range ? 256.0 * mul - 1.0 : 224.0 * mul; /* chroma, end to end */
    const int black = full_range ? 0 : 16 * mul, grey = 128 * mul;
    const double from = (double) (1 << (RP_YUV_FROM_BITS + more)) * 255.0;
    const double to = (double) (1 << (RP_YUV_TO_BITS - more)) / 255.0;
    int half;

    f->from_shift = RP_YUV_FROM_BITS + more;
    half = 1 << (f->from_shift - 1);
    f->y = rp_yuv_round(from / ys);
    f->rv = rp_yuv_round(from / cs * 2.0 * (1.0 - kr));
    f->bu = rp_yuv_round(from / cs * 2.0 * (1.0 - kb));
    f->gu = rp_yuv_round(-from / cs * 2.0 * (1.0 - kb) * kb / kg);
    f->gv = rp_yuv_round(-from / cs * 2.0 * (1.0 - kr) * kr / kg);
    f->r0 = half - f->y * black - f->rv * grey;
    f->g0 = half - f->y * black - (f->gu + f->gv) * grey;
    f->b0 = half - f->y * black - f->bu * grey;

    /* The luma factors add up to the range and the chroma factors to 0, so greys stay grey. */
    f->to_shift = RP_YUV_TO_BITS - more;
    half = 1 << (f->to_shift - 1);
    f->yr = rp_yuv_round(to * ys * kr);
    f->yb = rp_yuv_round(to * ys * kb);
    f->yg = rp_yuv_round(to * ys) - f->yr - f->yb;
    f->y0 = half + black * (1 << f->to_shift);
    f->ub = rp_yuv_round(to * cs * 0.5);
    f->ur = rp_yuv_round(-to * cs * 0.5 * kr / (1.0 - kb));
    f->ug = -f->ub - f->ur;
    f->vr = rp_yuv_round(to * cs * 0.5);
    f->vb = rp_yuv_round(-to * cs * 0.5 * kb / (1.0 - kr));
    f->vg = -f->vr - f->vb;
    f->c0 = 4 * (half + grey * (1 << f->to_shift));
    f->max = (1 << depth) - 1;
}

/* The part of a colour that the chroma samples give; add the luma with rp_yuv_add(). */
RP_FN int rp_yuv_term_b(const struct rp_yuv_factors *f, int u)
{
    return f->bu * u + f->b0;
}

RP_FN int rp_yuv_term_g(const struct rp_yuv_factors *f, int u, int v)
{
    return f->gu * u + f->gv * v + f->g0;
}

RP_FN int rp_yuv_term_r(const struct rp_yuv_factors *f, int v)
{
    return f->rv * v + f->r0;
}

RP_FN uint8_t rp_yuv_add(int factor, int y, int term, int shift)
{
    return rp_clip_u8((factor * y + term) >> shift);
}

RP_FN int rp_bgr_luma(const struct rp_yuv_factors *f, int b, int g, int r)
{
    return rp_clampi((f->yb * b + f->yg * g + f->yr * r + f->y0) >> f->to_shift, 0, f->max);
}

/* b, g, r: sums over four pixels (a block of one or two counts each of them four or two times). */
RP_FN int rp_bgr_chroma_u(const struct rp_yuv_factors *f, int b, int g, int r)
{
    return rp_clampi((f->ub * b + f->ug * g + f->ur * r + f->c0) >> (f->to_shift + 2), 0, f->max);
}

RP_FN int rp_bgr_chroma_v(const struct rp_yuv_factors *f, int b, int g, int r)
{
    return rp_clampi((f->vb * b + f->vg * g + f->vr * r + f->c0) >> (f->to_shift + 2), 0, f->max);
}

#endif /* RP_OPS_CONVERT_CORE_H */
