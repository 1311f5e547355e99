/* Bicubic resize. */
#include "device/cuda/kernel.cuh"
#include "ops/cubic_core.h"

/* Positions and weights are made once per block. */
template <int CH>
static __global__ void __launch_bounds__(256)
    resize_cubic(const __grid_constant__ struct rp_img s, const __grid_constant__ struct rp_img d,
                 double sx, double sy)
{
    __shared__ struct rp_cubic column[RP_TILE_W], row[RP_TILE_H];
    const int x = rp_my_x(), y = rp_my_y(), t = rp_my_number();
    float w[4];
    int sum[CH][4];

    if (t < RP_TILE_W)
        column[t] = rp_cubic_at(x, sx, s.w);
    else if (t < RP_TILE_W + RP_TILE_H)
        row[t - RP_TILE_W] =
            rp_cubic_at((int) blockIdx.y * RP_TILE_H + t - RP_TILE_W, sy, s.h);
    __syncthreads();
    if (x >= d.w || y >= d.h)
        return;

    const struct rp_cubic c = column[threadIdx.x], r = row[threadIdx.y];
#pragma unroll
    for (int j = 0; j < 4; j++) {
        const uint8_t *const p = s.data + (ptrdiff_t) r.at[j] * s.stride;

        w[j] = rp_cubic_weight(r.w[j]);
#pragma unroll
        for (int k = 0; k < CH; k++)
            sum[k][j] = rp_cubic_across(p[CH * c.at[0] + k], p[CH * c.at[1] + k],
                                        p[CH * c.at[2] + k], p[CH * c.at[3] + k], c.w);
    }
    uint8_t *const out = d.data + (ptrdiff_t) y * d.stride + CH * (ptrdiff_t) x;
#pragma unroll
    for (int k = 0; k < CH; k++)
        out[k] = rp_cubic_down(sum[k][0], sum[k][1], sum[k][2], sum[k][3], w);
}

extern "C" int rp_cuda_resize_cubic(struct rp_stream *stream, const struct rp_op_resize_cubic *a)
{
    const struct rp_img *const s = &a->src, *const d = &a->dst;
    const dim3 grid = rp_grid(d->w, d->h);
    const double sx = rp_resize_scale(s->w, d->w), sy = rp_resize_scale(s->h, d->h);

    if (s->w < 1 || s->h < 1 || d->w < 1 || d->h < 1)
        return 0;
    if (d->ch == 3)
        RP_LAUNCH(stream, grid, rp_tile(), resize_cubic<3>, *s, *d, sx, sy);
    else if (d->ch == 4)
        RP_LAUNCH(stream, grid, rp_tile(), resize_cubic<4>, *s, *d, sx, sy);
    else
        RP_LAUNCH(stream, grid, rp_tile(), resize_cubic<1>, *s, *d, sx, sy);
    return rp_cuda_launched("resize_cubic");
}
