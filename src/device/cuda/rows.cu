/* Rows of a batch whose number is known on the device only. */
#include "device/cuda/cuda.h"
#include "device/cuda/kernel.cuh"
#include "ops/rows_core.h"

#define THREADS 256
#define MOST_BLOCKS 264

static __global__ void rows(const __grid_constant__ struct rp_op_rows a)
{
    rp_rows_step(&a);
}

extern "C" int rp_cuda_rows(struct rp_stream *stream, const struct rp_op_rows *a)
{
    RP_LAUNCH(stream, 1, 1, rows, *a);
    return rp_cuda_launched("rows");
}

/* Tensors are of words, and begin at words. */
static __global__ void __launch_bounds__(THREADS)
    row_copy(const __grid_constant__ struct rp_op_row_copy a)
{
    size_t offset;

    if (!rp_row_offset(&a, &offset))
        return;
    uint32_t *const d = (uint32_t *) ((uint8_t *) a.dst + (a.put ? offset : 0));
    const uint32_t *const s = (const uint32_t *) ((const uint8_t *) a.src + (a.put ? 0 : offset));

    for (size_t i = (size_t) blockIdx.x * blockDim.x + threadIdx.x; i < a.bytes / 4;
         i += (size_t) gridDim.x * blockDim.x)
        d[i] = s[i];
}

extern "C" int rp_cuda_row_copy(struct rp_stream *stream, const struct rp_op_row_copy *a)
{
    const size_t blocks = (a->bytes / 4 + THREADS - 1) / THREADS;

    RP_LAUNCH(stream, (unsigned) RP_CLAMP(blocks, 1, MOST_BLOCKS), THREADS, row_copy, *a);
    return rp_cuda_launched("row_copy");
}
