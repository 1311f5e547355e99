/* Tiles of an upscaler. */
#include "device/cuda/kernel.cuh"
#include "ops/tile_core.h"

static __global__ void __launch_bounds__(256)
    tile_cut(const __grid_constant__ struct rp_op_tile_cut a)
{
    const int x = rp_my_x(), y = rp_my_y(), n = a.grid.size;
    const int sx = rp_tile_at(&a.grid, *a.index % a.grid.across) + x;
    const int sy = rp_tile_at(&a.grid, *a.index / a.grid.across) + y;

    if (x >= n || y >= n)
        return;
    const bool inside = sx >= 0 && sx < a.src.w && sy >= 0 && sy < a.src.h;
    const uint8_t *const p = inside ? rp_pixel(&a.src, sx, sy) : NULL;
#pragma unroll
    for (int c = 0; c < 3; c++)
        a.dst[((size_t) c * n + y) * n + x] = a.lut[256 * c + (p ? p[2 - c] : 0)];
}

extern "C" int rp_cuda_tile_cut(struct rp_stream *stream, const struct rp_op_tile_cut *a)
{
    RP_LAUNCH(stream, rp_grid(a->grid.size, a->grid.size), rp_tile(), tile_cut, *a);
    return rp_cuda_launched("tile_cut");
}

/* The grid covers a whole core; threads outside the picture return at once. */
static __global__ void __launch_bounds__(256)
    tile_put(const __grid_constant__ struct rp_op_tile_put a, double sx, double sy)
{
    __shared__ struct rp_tile_axis column[RP_TILE_W], row[RP_TILE_H];
    const int t = rp_my_number(), n = a.grid.size * a.scale;
    const int left = rp_tile_at(&a.grid, *a.index % a.grid.across) * a.scale;
    const int top = rp_tile_at(&a.grid, *a.index / a.grid.across) * a.scale;
    const struct rp_region r =
        rp_tile_region(&a.grid, *a.index, a.scale, a.dst.img.w, a.dst.img.h);
    const int bx = r.x1 + (int) blockIdx.x * RP_TILE_W, by = r.y1 + (int) blockIdx.y * RP_TILE_H;
    const int x = bx + (int) threadIdx.x, y = by + (int) threadIdx.y;

    if (t < RP_TILE_W)
        column[t] = rp_tile_column(bx + t, sx, a.before.w);
    else if (t < RP_TILE_W + RP_TILE_H)
        row[t - RP_TILE_W] = rp_tile_row(by + t - RP_TILE_W, sy, a.before.h);
    __syncthreads();
    if (x >= r.x2 || y >= r.y2)
        return;

    const struct rp_tile_axis c = column[threadIdx.x], d = row[threadIdx.y];
    const uint8_t *const p = a.before.data + (ptrdiff_t) d.at0 * a.before.stride;
    const uint8_t *const q = a.before.data + (ptrdiff_t) d.at1 * a.before.stride;
    const float *const v = a.src + (size_t) (y - top) * n + (x - left);
    uint8_t *const out = rp_pixel(&a.dst.img, x, y);
#pragma unroll
    for (int k = 0; k < 3; k++)
        out[k] = rp_tile_value(v[(size_t) (2 - k) * n * n], p, q, 3 * c.at0 + k, 3 * c.at1 + k, &c,
                               &d, a.keep, a.blend);
    if ((x % RP_TILE == 0 || x == r.x1) && (y % RP_TILE == 0 || y == r.y1))
        a.dst.changed[(size_t) (y / RP_TILE) * a.dst.tiles_w + x / RP_TILE] = 1;
}

extern "C" int rp_cuda_tile_put(struct rp_stream *stream, const struct rp_op_tile_put *a)
{
    const int side = rp_tile_core(&a->grid) * a->scale;

    RP_LAUNCH(stream, rp_grid(side, side), rp_tile(), tile_put, *a,
              rp_resize_scale(a->before.w, a->dst.img.w),
              rp_resize_scale(a->before.h, a->dst.img.h));
    return rp_cuda_launched("tile_put");
}
