/* The kernels that decide whether a WHILE node of a graph runs its body again, and which body of a
 * SWITCH node runs. */
#include "device/cuda/cuda.h"

static __global__ void begin(cudaGraphConditionalHandle h, const int32_t *count, int32_t *index)
{
    *index = 0;
    cudaGraphSetConditional(h, *count > 0);
}

static __global__ void next(cudaGraphConditionalHandle h, const int32_t *count, int32_t *index)
{
    const int32_t i = ++*index;

    cudaGraphSetConditional(h, i < *count);
}

/* A number without a body runs none. */
static __global__ void pick(cudaGraphConditionalHandle h, const int32_t *which)
{
    cudaGraphSetConditional(h, (unsigned) *which);
}

static __global__ void set(int32_t *index, int32_t value)
{
    *index = value;
}

extern "C" int rp_cuda_loop_begin(cudaStream_t s, cudaGraphConditionalHandle h,
                                  const int32_t *count, int32_t *index)
{
    begin<<<1, 1, 0, s>>>(h, count, index);
    return rp_cuda_launched("loop");
}

extern "C" int rp_cuda_loop_next(cudaStream_t s, cudaGraphConditionalHandle h,
                                 const int32_t *count, int32_t *index)
{
    next<<<1, 1, 0, s>>>(h, count, index);
    return rp_cuda_launched("loop");
}

extern "C" int rp_cuda_choose(cudaStream_t s, cudaGraphConditionalHandle h, const int32_t *which)
{
    pick<<<1, 1, 0, s>>>(h, which);
    return rp_cuda_launched("choice");
}

extern "C" int rp_cuda_loop_set(cudaStream_t s, int32_t *index, int32_t value)
{
    set<<<1, 1, 0, s>>>(index, value);
    return rp_cuda_launched("loop");
}
