/* Contrast of a landmarker's crop. Two launches: the first, with one block per tile, makes Lab, the
 * sum of L and the tile's new levels; the second turns every pixel back into colours. */
#include "device/cuda/kernel.cuh"
#include "ops/contrast_core.h"

#define LEVELS 256 /* also the threads of a tile's block, one per level */

/* Sum over threads 0..t of a block of LEVELS threads; the last thread has the sum of all. part:
 * shared. */
RP_DEV int block_scan(int v, int part[LEVELS / RP_WARP])
{
    const int t = (int) threadIdx.x, lane = t % RP_WARP;

#pragma unroll
    for (int k = 1; k < RP_WARP; k *= 2) {
        const int below = __shfl_up_sync(RP_ALL_LANES, v, k);

        v += lane >= k ? below : 0;
    }
    if (lane == RP_WARP - 1)
        part[t / RP_WARP] = v;
    __syncthreads();
    for (int i = 0; i < t / RP_WARP; i++)
        v += part[i];
    __syncthreads(); /* part is used again */
    return v;
}

/* All threads get the last thread's value. one: shared. */
RP_DEV int from_last(int v, int *one)
{
    if (threadIdx.x == LEVELS - 1)
        *one = v;
    __syncthreads();
    return *one;
}

static __global__ void __launch_bounds__(LEVELS)
    contrast_tile(const __grid_constant__ struct rp_op_contrast a, int w, int h)
{
    __shared__ int count[LEVELS], part[LEVELS / RP_WARP], all_clipped;
    const int t = (int) threadIdx.x, tx = (int) blockIdx.x, ty = (int) blockIdx.y;
    const int area = w * h, limit = rp_clahe_limit(area);
    int light = 0;

    count[t] = 0;
    __syncthreads();
    for (int i = t; i < area; i += LEVELS) {
        const int x = w * tx + i % w, y = h * ty + i / w;
        const uint8_t *const p = rp_pixel(&a.src, x, y);
        const uint8_t in[3] = {p[0], p[1], p[2]};
        uint8_t lab[3], *const o = rp_pixel(&a.dst, x, y);

        rp_lab_from(a.tables, in, lab);
        o[0] = lab[0];
        o[1] = lab[1];
        o[2] = lab[2];
        atomicAdd(&count[lab[0]], 1);
        light += lab[0];
    }
    light = block_scan(light, part); /* after it all counts are complete */
    if (t == LEVELS - 1)
        a.work->sum[RP_CONTRAST_TILES * ty + tx] = light;

    const int over = block_scan(rp_maxi(count[t] - limit, 0), part);
    const int clipped = from_last(over, &all_clipped);
    const int sum = block_scan(rp_clahe_share(count[t], t, limit, clipped), part);
    a.work->level[ty][tx][t] = rp_clahe_level(sum, area);
}

static __global__ void __launch_bounds__(RP_TILE_W *RP_TILE_H)
    contrast_finish(const __grid_constant__ struct rp_op_contrast a)
{
    __shared__ int dark;
    const int x = rp_my_x(), y = rp_my_y();

    if (rp_my_number() == 0)
        dark = rp_contrast_dark(a.work, a.dst.w, a.dst.h);
    __syncthreads();
    if (x < a.dst.w && y < a.dst.h)
        rp_contrast_finish(&a, dark, x, y, rp_pixel(&a.dst, x, y));
}

extern "C" int rp_cuda_contrast(struct rp_stream *stream, const struct rp_op_contrast *a)
{
    const dim3 tiles(RP_CONTRAST_TILES, RP_CONTRAST_TILES);

    if (a->src.w < RP_CONTRAST_TILES || a->src.h < RP_CONTRAST_TILES)
        return 0;
    RP_LAUNCH(stream, tiles, LEVELS, contrast_tile, *a, a->src.w / RP_CONTRAST_TILES,
              a->src.h / RP_CONTRAST_TILES);
    RP_LAUNCH(stream, rp_grid(a->dst.w, a->dst.h), rp_tile(), contrast_finish, *a);
    return rp_cuda_launched("contrast");
}
