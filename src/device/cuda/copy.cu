/* Copies and fills as kernels, for recorded graphs: see rewrite.c. */
#include "device/cuda/kernel.cuh"

/* Rows of `words` units of T each; pitches in bytes. */
template <typename T>
static __global__ void copy_rows(uint8_t *dst, size_t dst_pitch, const uint8_t *src,
                                 size_t src_pitch, size_t words, size_t rows)
{
    const size_t n = words * rows, step = (size_t) gridDim.x * blockDim.x;

    for (size_t i = (size_t) blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
        const size_t y = rows == 1 ? 0 : i / words, x = i - y * words;

        ((T *) (dst + y * dst_pitch))[x] = ((const T *) (src + y * src_pitch))[x];
    }
}

/* Rows of `width` elements of 1, 2 or 4 bytes. */
template <typename T>
static __global__ void fill_rows(uint8_t *dst, size_t pitch, T value, size_t width, size_t rows)
{
    const size_t n = width * rows, step = (size_t) gridDim.x * blockDim.x;

    for (size_t i = (size_t) blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
        const size_t y = rows == 1 ? 0 : i / width, x = i - y * width;

        ((T *) (dst + y * pitch))[x] = value;
    }
}

extern "C" const void *rp_cuda_copy_kernel(int unit)
{
    return unit == 16 ? (const void *) copy_rows<uint4>
           : unit == 4 ? (const void *) copy_rows<uint32_t>
                       : (const void *) copy_rows<uint8_t>;
}

extern "C" const void *rp_cuda_fill_kernel(int unit)
{
    return unit == 4 ? (const void *) fill_rows<uint32_t>
           : unit == 2 ? (const void *) fill_rows<uint16_t>
                       : (const void *) fill_rows<uint8_t>;
}
