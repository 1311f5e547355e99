/* What the kernels of networks share: 8 channels at a time. */
#ifndef RP_NET_CUH
#define RP_NET_CUH

#include "device/cuda/kernel.cuh"
#include "ops/net_core.h"

#define RP_DEV_METHOD __device__ __forceinline__

/* Of a tensor, at a multiple of 8 numbers. */
RP_DEV void rp_eight_get(const void *data, int type, int64_t at, float v[8])
{
    if (type == RP_ACT_F16) {
        const uint4 q = *(const uint4 *) ((const uint16_t *) data + at);
        const uint32_t w[4] = {q.x, q.y, q.z, q.w};

#pragma unroll
        for (int j = 0; j < 8; j++)
            v[j] = rp_half_to_float((uint16_t) (w[j / 2] >> (j % 2 * 16)));
    } else {
        const float4 *const from = (const float4 *) ((const float *) data + at);
        const float4 p = from[0], q = from[1];

        v[0] = p.x, v[1] = p.y, v[2] = p.z, v[3] = p.w;
        v[4] = q.x, v[5] = q.y, v[6] = q.z, v[7] = q.w;
    }
}

RP_DEV void rp_eight_put(void *data, int type, int64_t at, const float v[8])
{
    if (type == RP_ACT_F16) {
        uint32_t w[4];

#pragma unroll
        for (int j = 0; j < 4; j++)
            w[j] = rp_half_from_float(v[2 * j]) | (uint32_t) rp_half_from_float(v[2 * j + 1]) << 16;
        uint4 q;
        q.x = w[0], q.y = w[1], q.z = w[2], q.w = w[3];
        *(uint4 *) ((uint16_t *) data + at) = q;
    } else {
        float4 *const to = (float4 *) ((float *) data + at);

        to[0] = make_float4(v[0], v[1], v[2], v[3]);
        to[1] = make_float4(v[4], v[5], v[6], v[7]);
    }
}

RP_DEV void rp_eight_add(float v[8], const float add[8])
{
#pragma unroll
    for (int j = 0; j < 8; j++)
        v[j] += add[j];
}

/* Number j of the eight from channel o on, of a vector of `out`; beyond its end the last one, which
 * costs no branch and counts nowhere. */
RP_DEV float of_eight(const float *v, int o, int j, int out)
{
    return v[rp_mini(o + j, out - 1)];
}

/* All eight: two reads instead of eight where that can be. */
RP_DEV void get_of_eight(const float *v, int o, int out, float by[8])
{
    if (o + 8 <= out && (uintptr_t) (v + o) % 16 == 0) {
        rp_eight_get(v, RP_ACT_F32, o, by);
        return;
    }
#pragma unroll
    for (int j = 0; j < 8; j++)
        by[j] = of_eight(v, o, j, out);
}

RP_DEV void scale_eight(float v[8], const float *vector, int o, int out)
{
    float by[8];

    get_of_eight(vector, o, out, by);
#pragma unroll
    for (int j = 0; j < 8; j++)
        v[j] *= by[j];
}

RP_DEV void shift_eight(float v[8], const float *vector, int o, int out)
{
    float by[8];

    get_of_eight(vector, o, out, by);
    rp_eight_add(v, by);
}

/* Does rp_eight_then() know this function? The others are rare, and large. */
static inline bool rp_eight_can(int fn)
{
    return fn <= RP_FN_TANH;
}

/* rp_net_then() on channels c to c + 7 of `count`. */
RP_DEV void rp_eight_then(const struct rp_net_then *t, float v[8], int c, int count)
{
#define EIGHT(value)                                                  \
    {                                                                 \
        _Pragma("unroll") for (int j = 0; j < 8; j++) v[j] = (value); \
    }                                                                 \
    break
    switch (t->fn) {
    case RP_FN_RELU:
        EIGHT(rp_net_max(v[j], 0));
    case RP_FN_LEAKY:
        EIGHT(v[j] < 0 ? v[j] * t->alpha : v[j]);
    case RP_FN_PRELU:
        EIGHT(v[j] < 0 ? v[j] * t->slope[rp_mini(c + j, count - 1)] : v[j]);
    case RP_FN_CLIP:
        EIGHT(rp_net_limit(v[j], t->alpha, t->beta));
    case RP_FN_SIGMOID:
        EIGHT(rp_net_sigmoid(v[j]));
    case RP_FN_SILU:
        EIGHT(v[j] * rp_net_sigmoid(v[j]));
    case RP_FN_HSIGMOID:
        EIGHT(rp_net_limit(t->alpha * v[j] + t->beta, 0, 1));
    case RP_FN_HSWISH:
        EIGHT(v[j] * rp_net_limit(v[j] / 6 + 0.5f, 0, 1));
    case RP_FN_TANH:
        EIGHT(rp_net_tanh(v[j]));
    default:
        break;
    }
#undef EIGHT
    if (t->gain != 0)
#pragma unroll
        for (int j = 0; j < 8; j++)
            v[j] *= t->gain;
}

/* 8 channels of a pixel from channel c on; those that are none become zeros. */
RP_DEV void rp_eight_store(const struct rp_act &t, int64_t pixel, float v[8], int c)
{
#pragma unroll
    for (int j = 0; j < 8; j++)
        v[j] = c + j < t.c ? v[j] : 0;
    rp_eight_put(t.data, t.type, pixel * t.ld + c, v);
}

/* The second result of 8 channels, which are lost. */
RP_DEV void rp_eight_also(const struct rp_net_also &a, int64_t pixel, float v[8], int c)
{
    if (a.scale)
        scale_eight(v, a.scale, c, a.to.c);
    if (a.shift)
        shift_eight(v, a.shift, c, a.to.c);
    rp_eight_then(&a.then, v, c, a.to.c);
    rp_eight_store(a.to, pixel, v, c);
}

/* Sum over a warp, in one order, for every lane. */
RP_DEV float rp_warp_sum(float v)
{
#pragma unroll
    for (int k = RP_WARP / 2; k; k /= 2)
        v += __shfl_xor_sync(RP_ALL_LANES, v, k);
    return v;
}

/* Shared memory that a block may have on this GPU, and permission for a kernel to use it. */
#ifdef __CUDACC__
static inline int rp_shared_most(void)
{
    int device = 0, most = 0;

    if (cudaGetDevice(&device) != cudaSuccess ||
        cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device) !=
            cudaSuccess)
        return 48 * 1024;
    return most;
}

static inline int rp_gpu_major(void)
{
    int device = 0, major = 0;

    (void) cudaGetDevice(&device);
    (void) cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
    return major;
}

/* All that there is, whatever this launch needs: another thread may be launching the same kernel
 * with another size. */
static inline void rp_shared_allow(const void *kernel)
{
    struct cudaFuncAttributes a;

    if (cudaFuncGetAttributes(&a, kernel) == cudaSuccess)
        (void) cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    rp_shared_most() - (int) a.sharedSizeBytes);
}
#else
static inline int rp_shared_most(void)
{
    return 160 * 1024;
}

static inline void rp_shared_allow(const void *)
{
}
#endif

#endif /* RP_NET_CUH */
