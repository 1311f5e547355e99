/* What the *_core.h files build on. They hold the arithmetic of one element, compiled by the C
 * compiler and by nvcc, and must give the same bits in both: no library functions that round, no
 * fused multiply-add but rp_fma() (-ffp-contract=off, -fmad=false), conversions to int only after a
 * clamp. */
#ifndef RP_OPS_CORE_H
#define RP_OPS_CORE_H

#include <math.h>

#include "ops/types.h"

#ifdef __CUDACC__
#define RP_FN static __host__ __device__ inline
#else
#define RP_FN static inline
#endif

/* Row functions of the C versions are compiled twice, and the CPU decides which clone runs. Both
 * round alike because neither may contract. Sanitizers and clang 14 do not support such functions.
 * RP_HOT_FMA: for functions that call rp_fma(), which is one instruction in its first clone (in
 * RP_HOT's it is a call). */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(RP_NO_CLONES)
#define RP_HOT __attribute__((target_clones("avx2", "default")))
#if __GNUC__ >= 12 /* older ones do not know that level */
#define RP_HOT_FMA __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define RP_HOT_FMA __attribute__((target_clones("fma", "default")))
#endif
#else
#define RP_HOT
#define RP_HOT_FMA
#endif

#define RP_INLINE static inline __attribute__((always_inline))

/* a * b + c with a single rounding, on every device. */
RP_FN float rp_fma(float a, float b, float c)
{
    return fmaf(a, b, c);
}

RP_FN int rp_mini(int a, int b)
{
    return a < b ? a : b;
}

RP_FN int rp_maxi(int a, int b)
{
    return a > b ? a : b;
}

RP_FN int rp_clampi(int v, int lo, int hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

RP_FN uint8_t rp_clip_u8(int v)
{
    return (uint8_t) rp_clampi(v, 0, 255);
}

/* Not a number becomes lo. */
RP_FN float rp_clampf(float v, float lo, float hi)
{
    v = v > lo ? v : lo;
    return v < hi ? v : hi;
}

/* Limits of the clamps in inner loops, whose values are hidden from the C compiler: gcc 12 makes
 * two instructions of a clamp between unknown values, but four to ten between constants. */
#ifdef __cplusplus
#define rp_zero 0.0f
#define rp_one 1.0f
#define rp_white 255.0f
#else
extern const float rp_zero, rp_one, rp_white;
#endif

RP_FN float rp_clamp_unit(float v)
{
    return rp_clampf(v, rp_zero, rp_one);
}

RP_FN float rp_clamp_white(float v)
{
    return rp_clampf(v, rp_zero, rp_white);
}

RP_FN double rp_clampd(double v, double lo, double hi)
{
    v = v > lo ? v : lo;
    return v < hi ? v : hi;
}

/* To the nearest whole number, halves to even; |v| < 2^22. The sum has no fraction bits left. */
RP_FN int rp_round_f(float v)
{
    union {
        float f;
        int32_t i;
    } u;

    u.f = v + 12582912.0f; /* 1.5 * 2^23 */
    return u.i - 0x4b400000;
}

/* The same in double; |v| < 2^31. */
RP_FN int rp_round_d(double v)
{
    union {
        double f;
        int64_t i;
    } u;

    u.f = v + 6755399441055744.0; /* 1.5 * 2^52 */
    return (int) (u.i - 0x4338000000000000LL);
}

/* Towards minus infinity; the value must fit an int. */
RP_FN int rp_floor_f(float v)
{
    const int i = (int) v;

    return i - ((float) i > v);
}

RP_FN int rp_floor_d(double v)
{
    const int i = (int) v;

    return i - ((double) i > v);
}

RP_FN int rp_ceil_d(double v)
{
    const int i = (int) v;

    return i + ((double) i < v);
}

/* 8-bit result of a float in 0..255 (anything else is clipped), halves to even. */
RP_FN uint8_t rp_round_u8(float v)
{
    return (uint8_t) rp_round_f(rp_clamp_white(v));
}

RP_FN uint8_t rp_trunc_u8(float v)
{
    return (uint8_t) (int) rp_clamp_white(v);
}

#endif /* RP_OPS_CORE_H */
