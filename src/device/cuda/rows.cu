/* Rows of a batch; how many is known on the device only. */
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

/* By words if a row is a whole number of them, else (an odd number of float16) by bytes. */
static __global__ void __launch_bounds__(THREADS)
    row_copy(const __grid_constant__ struct rp_op_row_copy a)
{
    size_t offset;

    if (!rp_row_offset(&a, &offset))
        return;
    uint8_t *const d = (uint8_t *) a.dst + (a.put ? offset : 0);
    const uint8_t *const s = (const uint8_t *) a.src + (a.put ? 0 : offset);
    const size_t first = (size_t) blockIdx.x * blockDim.x + threadIdx.x;
    const size_t step = (size_t) gridDim.x * blockDim.x;

    if (a.bytes % 4) {
        for (size_t i = first; i < a.bytes; i += step)
            d[i] = s[i];
    } else {
        for (size_t i = first; i < a.bytes / 4; i += step)
            ((uint32_t *) d)[i] = ((const uint32_t *) s)[i];
    }
}

extern "C" int rp_cuda_row_copy(struct rp_stream *stream, const struct rp_op_row_copy *a)
{
    const size_t blocks = (a->bytes / 4 + THREADS - 1) / THREADS;

    RP_LAUNCH(stream, (unsigned) RP_CLAMP(blocks, 1, MOST_BLOCKS), THREADS, row_copy, *a);
    return rp_cuda_launched("row_copy");
}

static __global__ void lockstep_turn(const __grid_constant__ struct rp_op_lockstep a)
{
    rp_lockstep_turn(&a);
}

extern "C" int rp_cuda_lockstep(struct rp_stream *stream, const struct rp_op_lockstep *a)
{
    RP_LAUNCH(stream, 1, 1, lockstep_turn, *a);
    return rp_cuda_launched("lockstep");
}
