/* What the kernel files share. They hold kernels and their launchers only; the arithmetic of one
 * element is in ops/ *_core.h, the same as in C.
 *
 * RP_LAUNCH puts a kernel on the recording stream. tests/emulate.h replaces it and CUDA's keywords,
 * so that kernels can be checked without a GPU. */
#ifndef RP_KERNEL_CUH
#define RP_KERNEL_CUH

#ifdef __CUDACC__
#include <cuda_fp16.h>
#endif

#include "device/cuda/cuda.h"
#include "ops/core.h"

#ifndef RP_LAUNCH
#define RP_LAUNCH(stream, grid, block, kernel, ...) \
    (kernel)<<<(grid), (block), 0, (stream)->record>>>(__VA_ARGS__)
#define RP_LAUNCH_SHARED(stream, grid, block, bytes, kernel, ...) \
    (kernel)<<<(grid), (block), (bytes), (stream)->record>>>(__VA_ARGS__)
#define RP_SHARED_FLOATS(name) extern __shared__ float name[]
#endif

#define RP_DEV static __device__ __forceinline__

#define RP_WARP 32
#define RP_ALL_LANES 0xffffffffu

/* Threads of a kernel that works on pixels: a warp is 32 pixels of a row. */
#define RP_TILE_W 32
#define RP_TILE_H 8

static inline unsigned rp_div_up(int n, int per)
{
    return n > 0 ? (unsigned) ((n - 1) / per + 1) : 0;
}

/* Blocks of RP_TILE_W x RP_TILE_H threads for w x h items. */
static inline dim3 rp_grid(int w, int h)
{
    return dim3(rp_div_up(w, RP_TILE_W), rp_div_up(h, RP_TILE_H));
}

static inline dim3 rp_tile(void)
{
    return dim3(RP_TILE_W, RP_TILE_H);
}

/* May rows be read n bytes at a time? */
static inline bool rp_aligned(const void *p, size_t stride, size_t n)
{
    return ((uintptr_t) p | stride) % n == 0;
}

/* This thread's item of rp_grid(). */
RP_DEV int rp_my_x(void)
{
    return (int) (blockIdx.x * RP_TILE_W + threadIdx.x);
}

RP_DEV int rp_my_y(void)
{
    return (int) (blockIdx.y * RP_TILE_H + threadIdx.y);
}

RP_DEV int rp_my_number(void)
{
    return (int) (threadIdx.y * blockDim.x + threadIdx.x);
}

RP_DEV uint8_t *rp_pixel(const struct rp_img *i, int x, int y)
{
    return i->data + (ptrdiff_t) y * i->stride + (ptrdiff_t) x * i->ch;
}

/* Byte i of little-endian words. */
RP_DEV int rp_byte(const uint32_t *words, int i)
{
    return (int) (words[i >> 2] >> 8 * (i & 3) & 255);
}

RP_DEV uint32_t rp_pack(const uint8_t *b)
{
    return b[0] | (uint32_t) b[1] << 8 | (uint32_t) b[2] << 16 | (uint32_t) b[3] << 24;
}

/* All threads of a one-dimensional block copy n bytes, a multiple of 4; src NULL: zeros. */
RP_DEV void rp_copy_words(void *dst, const void *src, size_t n)
{
    uint32_t *const d = (uint32_t *) dst;
    const uint32_t *const s = (const uint32_t *) src;

    for (unsigned i = threadIdx.x; i < n / 4; i += blockDim.x)
        d[i] = s ? s[i] : 0;
}

/* rp_sum_512() by a warp: s[m] is number lane + 32 m. The sum is right in lane 0. */
#define RP_PER_LANE (512 / RP_WARP)

RP_DEV double rp_warp_sum_512(double s[RP_PER_LANE])
{
#pragma unroll
    for (int k = RP_PER_LANE / 2; k; k /= 2)
#pragma unroll
        for (int m = 0; m < k; m++)
            s[m] += s[m + k];
    double sum = s[0];
#pragma unroll
    for (int k = RP_WARP / 2; k; k /= 2)
        sum += __shfl_down_sync(RP_ALL_LANES, sum, k);
    return sum;
}

#endif /* RP_KERNEL_CUH */
