/* Transcendental functions shared by C and CUDA, so that both give the same bits. They use only the
 * four operations and comparisons of IEEE doubles, which are correctly rounded everywhere, so
 * results are equal as long as nothing is contracted to fused multiply-add (-ffp-contract=off,
 * -fmad=false).
 *
 * Bounds, against the exact value: rp_exp, rp_ln, rp_cbrt 1 ULP, rp_sincos, rp_atan2 3 ULP of
 * double. The float versions compute in double and round once: 0.5001 ULP of float.
 * tests/test_ops_faces.c compares them densely with the C library. */
#ifndef RP_OPS_MATH_CORE_H
#define RP_OPS_MATH_CORE_H

#include <stdint.h>
#include <string.h>

#include "ops/core.h"

RP_FN double rp_from_bits(uint64_t bits)
{
    double v;

    memcpy(&v, &bits, sizeof(v));
    return v;
}

RP_FN uint64_t rp_to_bits(double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

/* Not NaN and not infinite. */
RP_FN int rp_finite(double v)
{
    return v - v == 0;
}

RP_FN double rp_abs(double v)
{
    return v < 0 ? -v : v;
}

RP_FN double rp_inf(void)
{
    return rp_from_bits(0x7ff0000000000000u);
}

RP_FN double rp_nan(void)
{
    return rp_from_bits(0x7ff8000000000000u);
}

/* 2^k, -1022 <= k <= 1023. */
RP_FN double rp_pow2(int k)
{
    return rp_from_bits((uint64_t) (k + 1023) << 52);
}

/* To the nearest whole number, half to even; for |v| < 2^51. */
RP_FN double rp_nearest(double v)
{
    const double magic = 6755399441055744.0; /* 1.5 * 2^52 */

    return (v + magic) - magic;
}

RP_FN double rp_exp(double x)
{
    if (x != x)
        return x;
    if (x > 709.79)
        return rp_inf();
    if (x < -745.2)
        return 0;

    /* x = k ln 2 + r; the high part of ln 2 has 29 bits, so that its product with k is exact. */
    const double k = rp_nearest(x * 0x1.71547652b82fep+0);
    const double r = (x - k * 0x1.62e42fe000000p-1) - k * 0x1.f473de6af278fp-30;

    /* Taylor series; at |r| <= 0.35 the first term left out is 4e-18. */
    double p = 1.0 / 6227020800.0;
    p = p * r + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = 1 + (r + r * r * p);

    /* In two steps: 2^k itself may be out of range at both ends. */
    const int half = (int) k / 2;
    return p * rp_pow2(half) * rp_pow2((int) k - half);
}

/* Natural logarithm. (rp_log() logs messages.) */
RP_FN double rp_ln(double x)
{
    if (x != x || x < 0)
        return rp_nan();
    if (x == 0)
        return -rp_inf();
    if (!rp_finite(x))
        return x;

    int k = 0;
    if (x < 2.2250738585072014e-308) {
        x *= 18014398509481984.0; /* 2^54 */
        k = -54;
    }
    uint64_t bits = rp_to_bits(x);
    k += (int) (bits >> 52) - 1023;
    double m = rp_from_bits((bits & 0xfffffffffffffu) | 0x3ff0000000000000u);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        k++;
    }

    /* log(1 + f) = f - f^2/2 + s (f^2/2 + R), s = f / (2 + f), R = 2 (s^2/3 + s^4/5 + ...). */
    const double f = m - 1, s = f / (2 + f), z = s * s, half = 0.5 * f * f;
    double r = 2.0 / 23;
    r = r * z + 2.0 / 21;
    r = r * z + 2.0 / 19;
    r = r * z + 2.0 / 17;
    r = r * z + 2.0 / 15;
    r = r * z + 2.0 / 13;
    r = r * z + 2.0 / 11;
    r = r * z + 2.0 / 9;
    r = r * z + 2.0 / 7;
    r = r * z + 2.0 / 5;
    r = r * z + 2.0 / 3;
    r *= z;
    return k * 0x1.62e42fe000000p-1 - ((half - (s * (half + r) + k * 0x1.f473de6af278fp-30)) - f);
}

/* Sine and cosine of x radians, |x| <= 10^6. Larger angles and NaN count as 0: a meaningless angle
 * must not become a meaningless matrix. */
RP_FN void rp_sincos(double x, double *sine, double *cosine)
{
    if (!(x >= -1e6 && x <= 1e6))
        x = 0;

    /* pi/2 in three parts, the first two of 29 bits: their products with k are exact. */
    const double k = rp_nearest(x * 0x1.45f306dc9c883p-1);
    const double r =
        ((x - k * 0x1.921fb54000000p+0) - k * 0x1.10b4611000000p-30) - k * 0x1.4c4c6628b80dcp-59;
    const double z = r * r;

    double s = 1.0 / 355687428096000.0;
    s = s * z - 1.0 / 1307674368000.0;
    s = s * z + 1.0 / 6227020800.0;
    s = s * z - 1.0 / 39916800.0;
    s = s * z + 1.0 / 362880.0;
    s = s * z - 1.0 / 5040.0;
    s = s * z + 1.0 / 120.0;
    s = s * z - 1.0 / 6.0;
    s = r + r * z * s;

    double c = -1.0 / 6402373705728000.0;
    c = c * z + 1.0 / 20922789888000.0;
    c = c * z - 1.0 / 87178291200.0;
    c = c * z + 1.0 / 479001600.0;
    c = c * z - 1.0 / 3628800.0;
    c = c * z + 1.0 / 40320.0;
    c = c * z - 1.0 / 720.0;
    c = c * z + 1.0 / 24.0;
    /* 1 - z/2 loses bits of z/2; add them again. */
    const double h = 0.5 * z, w = 1 - h;
    c = w + (((1 - w) - h) + z * z * c);

    const int quadrant = (int) k & 3;
    const double a = quadrant & 1 ? c : s, b = quadrant & 1 ? s : c;
    *sine = quadrant & 2 ? -a : a;
    *cosine = quadrant == 1 || quadrant == 2 ? -b : b;
}

/* The angle of (x, y) in radians, -pi to pi, signs of zero as in the C library. */
RP_FN double rp_atan2(double y, double x)
{
    const double arc[9] = {0x0.0p+0,
                           0x1.fd5ba9aac2f6ep-4,
                           0x1.f5b75f92c80ddp-3,
                           0x1.6f61941e4def1p-2,
                           0x1.dac670561bb4fp-2,
                           0x1.1e00babdefeb4p-1,
                           0x1.4978fa3269ee1p-1,
                           0x1.700a7c5784634p-1,
                           0x1.921fb54442d18p-1};
    const double pi = 0x1.921fb54442d18p+1, pi_low = 0x1.1a62633145c07p-53;

    if (x != x || y != y)
        return rp_nan();

    const int x_minus = (int) (rp_to_bits(x) >> 63), y_minus = (int) (rp_to_bits(y) >> 63);
    double ax = rp_abs(x), ay = rp_abs(y), angle;

    if (!rp_finite(ax) || !rp_finite(ay)) { /* only the direction counts */
        ax = rp_finite(ax) ? 0 : 1;
        ay = rp_finite(ay) ? 0 : 1;
    }
    double big = ax > ay ? ax : ay, small = ax > ay ? ay : ax;
    if (big == 0) {
        angle = 0;
    } else {
        const double scale = big > 1e300 ? 0x1.0p-200 : big < 1e-280 ? 0x1.0p+200 : 1;
        big *= scale;
        small *= scale;

        const int i = (int) (small / big * 8 + 0.5);
        const double c = i * 0.125, u = (small - c * big) / (big + c * small), z = u * u;
        double p = -1.0 / 15;
        p = p * z + 1.0 / 13;
        p = p * z - 1.0 / 11;
        p = p * z + 1.0 / 9;
        p = p * z - 1.0 / 7;
        p = p * z + 1.0 / 5;
        p = p * z - 1.0 / 3;
        angle = arc[i] + (u + u * z * p);
    }
    if (ay > ax)
        angle = (0.5 * pi - angle) + 0.5 * pi_low;
    if (x_minus)
        angle = (pi - angle) + pi_low;
    return y_minus ? -angle : angle;
}

RP_FN double rp_cbrt(double x)
{
    double a = rp_abs(x);

    if (a == 0 || !rp_finite(a))
        return x;
    int k = 0;
    if (a < 2.2250738585072014e-308) {
        a *= 18014398509481984.0; /* 2^54 */
        k = -54;
    }
    /* a = m 2^(3q), 1/8 <= m < 1 */
    const uint64_t bits = rp_to_bits(a);
    k += (int) (bits >> 52) - 1022;
    const int q = (k + 3000) / 3 - 1000 + ((k + 3000) % 3 != 0);
    const double m =
        rp_from_bits((bits & 0xfffffffffffffu) | 0x3fe0000000000000u) * rp_pow2(k - 3 * q);

    /* Halley's steps from a straight line that is at most 14 % off: 2e-3, 4e-9, exact. */
    double t = 0.4 + 0.6 * m;
    for (int i = 0; i < 3; i++) {
        const double t3 = t * t * t;
        t = t * (t3 + 2 * m) / (2 * t3 + m);
    }
    t = t - (t * t * t - m) / (3 * t * t);
    t *= rp_pow2(q);
    return x < 0 ? -t : t;
}

RP_FN float rp_expf(float x)
{
    return (float) rp_exp(x);
}

RP_FN float rp_lnf(float x)
{
    return (float) rp_ln(x);
}

RP_FN float rp_cbrtf(float x)
{
    return (float) rp_cbrt(x);
}

RP_FN float rp_atan2f(float y, float x)
{
    return (float) rp_atan2(y, x);
}

/* x^y for x >= 0; NaN for x < 0. The intermediate double has a relative error below 2e-14, so the
 * bound of 0.5001 ULP holds for results within float range. */
RP_FN float rp_powf(float x, float y)
{
    if (y == 0)
        return 1;
    if (x == 1)
        return 1;
    return (float) rp_exp((double) y * rp_ln(x));
}

/* sRGB's curve and its inverse, 0..1. */
RP_FN double rp_srgb_to_linear(double v)
{
    return v <= 0.04045 ? v / 12.92 : rp_exp(2.4 * rp_ln((v + 0.055) / 1.055));
}

RP_FN double rp_srgb_from_linear(double v)
{
    return v <= 0.0031308 ? v * 12.92 : rp_exp(1 / 2.4 * rp_ln(v)) * 1.055 - 0.055;
}

#endif /* RP_OPS_MATH_CORE_H */
