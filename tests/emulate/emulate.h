/* The kernels of src/device/cuda, compiled for the CPU: a module like libreprise-cuda.so that needs
 * no GPU. checkgpu loads it, so the logic of the kernels is checked wherever the tests run.
 *
 * A block's threads run one after the other, in either order; a thread that waits for others lets
 * them run. A barrier that some threads do not reach ends the process. It cannot show the
 * arithmetic of another compiler, races within a warp, or speed. */
#ifndef EMULATE_H
#define EMULATE_H

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>

#define __global__
#define __device__
#define __host__
#define __grid_constant__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
    {
    }
};

struct alignas(16) uint4 {
    unsigned x, y, z, w;
};

struct alignas(8) float2 {
    float x, y;
};

struct alignas(16) float4 {
    float x, y, z, w;
};

static inline float4 make_float4(float x, float y, float z, float w)
{
    return float4{x, y, z, w};
}

extern dim3 threadIdx, blockIdx, blockDim, gridDim;
extern float emulate_shared[];

void emulate_launch(dim3 grid, dim3 block, const std::function<void()> &thread);
int emulate_block_wait(int v);           /* the sum of all v */
uint64_t *emulate_warp_wait(uint64_t v); /* what each lane gave */
void emulate_warp_done(void);            /* after it was read */

#define RP_LAUNCH(stream, grid, block, kernel, ...) \
    ((void) (stream), emulate_launch((grid), (block), [&] { (kernel)(__VA_ARGS__); }))
#define RP_LAUNCH_SHARED(stream, grid, block, bytes, kernel, ...) \
    ((void) (bytes), RP_LAUNCH(stream, grid, block, kernel, __VA_ARGS__))
#define RP_SHARED_FLOATS(name) float *const name = emulate_shared

static inline int emulate_lane(void)
{
    return (int) ((threadIdx.y * blockDim.x + threadIdx.x) % 32);
}

static inline void __syncthreads(void)
{
    emulate_block_wait(0);
}

static inline int __syncthreads_count(int v)
{
    return emulate_block_wait(v != 0);
}

static inline int __syncthreads_or(int v)
{
    return emulate_block_wait(v != 0) > 0;
}

static inline void __syncwarp(void)
{
    emulate_warp_wait(0);
    emulate_warp_done();
}

template <typename T> static inline T emulate_shuffle(T v, int from)
{
    uint64_t bits = 0;
    T out;

    memcpy(&bits, &v, sizeof(v));
    bits = emulate_warp_wait(bits)[from >= 0 && from < 32 ? from : emulate_lane()];
    memcpy(&out, &bits, sizeof(out));
    emulate_warp_done();
    return out;
}

template <typename T> static inline T __shfl_sync(unsigned, T v, int from)
{
    return emulate_shuffle(v, from);
}

template <typename T> static inline T __shfl_xor_sync(unsigned, T v, int k)
{
    return emulate_shuffle(v, emulate_lane() ^ k);
}

template <typename T> static inline T __shfl_up_sync(unsigned, T v, int k)
{
    return emulate_shuffle(v, emulate_lane() - k);
}

template <typename T> static inline T __shfl_down_sync(unsigned, T v, int k)
{
    return emulate_shuffle(v, emulate_lane() + k);
}

static inline unsigned __ballot_sync(unsigned, int v)
{
    const uint64_t *const all = emulate_warp_wait(v != 0);
    unsigned bits = 0;

    for (int i = 0; i < 32; i++)
        bits |= (unsigned) all[i] << i;
    emulate_warp_done();
    return bits;
}

static inline int __popc(unsigned v)
{
    return __builtin_popcount(v);
}

static inline int __ffs(int v)
{
    return __builtin_ffs(v);
}

static inline void __threadfence(void)
{
}

static inline float4 __ldcg(const float4 *p)
{
    return *p;
}

static inline int atomicAdd(int *p, int v)
{
    const int was = *p;

    *p += v;
    return was;
}

static inline int atomicMin(int *p, int v)
{
    const int was = *p;

    *p = v < was ? v : was;
    return was;
}

#endif /* EMULATE_H */
