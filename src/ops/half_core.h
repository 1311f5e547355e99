/* IEEE half precision, as bits: exact to float, rounded half to even from it. On a GPU its own
 * conversions are used: kernel.cuh includes them. */
#ifndef RP_OPS_HALF_CORE_H
#define RP_OPS_HALF_CORE_H

#include <string.h>

#include "ops/core.h"

RP_FN float rp_half_to_float(uint16_t h)
{
#ifdef __CUDA_ARCH__
    return __half2float(__ushort_as_half(h));
#else
    const uint32_t sign = (uint32_t) (h & 0x8000) << 16;
    uint32_t bits = (uint32_t) (h & 0x7fff) << 13;
    const uint32_t exponent = bits & 0x0f800000;
    float f;

    bits += 112u << 23;
    if (exponent == 0x0f800000) { /* infinite or not a number */
        bits += 112u << 23;
    } else if (exponent == 0) { /* zero or subnormal: the rest of 2^-14 * (1 + fraction) */
        bits += 1u << 23;
        memcpy(&f, &bits, sizeof(f));
        f -= 6.103515625e-05f;
        memcpy(&bits, &f, sizeof(f));
    }
    bits |= sign;
    memcpy(&f, &bits, sizeof(f));
    return f;
#endif
}

RP_FN uint16_t rp_half_from_float(float f)
{
#ifdef __CUDA_ARCH__
    return __half_as_ushort(__float2half_rn(f));
#else
    uint32_t bits;

    memcpy(&bits, &f, sizeof(f));
    const uint32_t sign = bits >> 16 & 0x8000;
    bits &= 0x7fffffff;
    if (bits > 0x7f800000)
        return (uint16_t) (sign | 0x7fff);
    if (bits >= 0x477ff000) /* 65520 and more */
        return (uint16_t) (sign | 0x7c00);
    if (bits < 0x38800000) { /* below 2^-14: in units of 2^-24, rounded by the sum */
        memcpy(&f, &bits, sizeof(f));
        f += 0.5f;
        memcpy(&bits, &f, sizeof(f));
        return (uint16_t) (sign | (bits - 0x3f000000));
    }
    return (uint16_t) (sign | ((bits - (112u << 23) + 0xfff + (bits >> 13 & 1)) >> 13));
#endif
}

#endif /* RP_OPS_HALF_CORE_H */
