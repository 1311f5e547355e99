/* The 21 points of LivePortrait: one block for each operation, one thread for each number. */
#include "device/cuda/kernel.cuh"
#include "ops/portrait_core.h"

#define THREADS (2 * RP_WARP) /* for 63 numbers */

static __global__ void __launch_bounds__(THREADS)
    portrait_restore(const __grid_constant__ struct rp_op_portrait_restore a)
{
    __shared__ float r[9];
    const int i = (int) threadIdx.x;

    if (i == 0)
        rp_portrait_rotation(a.face.pitch[0], a.face.yaw[0], a.face.roll[0], r);
    __syncthreads();
    if (i < RP_PORTRAIT_NUMBERS)
        rp_portrait_restore_at(&a, r, i);
}

extern "C" int rp_cuda_portrait_restore(struct rp_stream *stream,
                                        const struct rp_op_portrait_restore *a)
{
    RP_LAUNCH(stream, 1, THREADS, portrait_restore, *a);
    return rp_cuda_launched("portrait_restore");
}

/* Each warp makes one of the rotations. */
static __global__ void __launch_bounds__(THREADS)
    portrait_edit(const __grid_constant__ struct rp_op_portrait_edit a)
{
    __shared__ float now[9], then[9];
    const int i = (int) threadIdx.x;

    if (i == 0)
        rp_portrait_rotation(a.face.pitch[0], a.face.yaw[0], a.face.roll[0], now);
    if (i == RP_WARP)
        rp_portrait_turn(&a, then);
    __syncthreads();
    if (i < RP_PORTRAIT_NUMBERS)
        rp_portrait_edit_at(&a, now, then, i);
}

extern "C" int rp_cuda_portrait_edit(struct rp_stream *stream, const struct rp_op_portrait_edit *a)
{
    RP_LAUNCH(stream, 1, THREADS, portrait_edit, *a);
    return rp_cuda_launched("portrait_edit");
}

static __global__ void __launch_bounds__(THREADS)
    portrait_add(const __grid_constant__ struct rp_op_portrait_add a)
{
    if (threadIdx.x < RP_PORTRAIT_NUMBERS)
        rp_portrait_add_at(&a, (int) threadIdx.x);
}

extern "C" int rp_cuda_portrait_add(struct rp_stream *stream, const struct rp_op_portrait_add *a)
{
    RP_LAUNCH(stream, 1, THREADS, portrait_add, *a);
    return rp_cuda_launched("portrait_add");
}
