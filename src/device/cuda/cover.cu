/* Covering faces. */
#include "device/cuda/kernel.cuh"
#include "ops/cover_core.h"

/* ---- cells ----------------------------------------------------------------------------------- */

#define CELL_THREADS 128

/* All lanes get the sum. */
RP_DEV uint64_t warp_sum(uint64_t v)
{
    for (int k = RP_WARP / 2; k; k /= 2) {
        const uint32_t low = __shfl_xor_sync(RP_ALL_LANES, (uint32_t) v, k);
        const uint32_t high = __shfl_xor_sync(RP_ALL_LANES, (uint32_t) (v >> 32), k);

        v += (uint64_t) high << 32 | low;
    }
    return v;
}

/* A block for each cell; whole numbers, so the order of adding does not matter. */
static __global__ void __launch_bounds__(CELL_THREADS)
    cover_cells(const __grid_constant__ struct rp_op_cover_cells a)
{
    __shared__ uint64_t part[CELL_THREADS / RP_WARP][3];
    const struct rp_cover_place p = rp_cover_place(&a.cover, a.face, a.src.w, a.src.h);
    const int t = (int) threadIdx.x, cell = (int) blockIdx.x;
    const int i = cell % p.x.cells, j = cell / p.x.cells;
    uint64_t sum[3] = {0, 0, 0};

    if (rp_cover_is_empty(&p) || j >= p.y.cells)
        return;
    const int x1 = rp_cover_first(&p.x, i), x2 = rp_cover_first(&p.x, i + 1);
    const int y1 = rp_cover_first(&p.y, j), y2 = rp_cover_first(&p.y, j + 1);
    const int w = x2 - x1, n = w * (y2 - y1);
    for (int k = t; k < n; k += CELL_THREADS) {
        const uint8_t *const v = rp_pixel(&a.src, x1 + k % w, y1 + k / w);

        for (int c = 0; c < 3; c++)
            sum[c] += v[c];
    }
    for (int c = 0; c < 3; c++) {
        sum[c] = warp_sum(sum[c]);
        if (t % RP_WARP == 0)
            part[t / RP_WARP][c] = sum[c];
    }
    __syncthreads();
    if (t >= 3)
        return;
    uint64_t all = 0;
    for (int k = 0; k < CELL_THREADS / RP_WARP; k++)
        all += part[k][t];
    a.dst[3 * cell + t] = rp_cover_mean(all, (uint64_t) n);
}

extern "C" int rp_cuda_cover_cells(struct rp_stream *stream, const struct rp_op_cover_cells *a)
{
    const int cells = a->cover.cells;

    if (cells < 1 || a->src.w < 1 || a->src.h < 1)
        return 0;
    RP_LAUNCH(stream, (unsigned) (cells * cells), CELL_THREADS, cover_cells, *a);
    return rp_cuda_launched("cover_cells");
}

/* ---- painting -------------------------------------------------------------------------------- */

#define MAX_BLOCKS 1024

RP_DEV float mask_at(const struct rp_op_cover *a, int x, int y)
{
    return (unsigned) x < (unsigned) a->w && (unsigned) y < (unsigned) a->h
               ? a->mask[(size_t) y * a->w + x]
               : 0.0f;
}

RP_DEV float mask_share(const struct rp_op_cover *a, int x, int y)
{
    const struct rp_warp_line l = rp_warp_line(a->affine->m, 0.0, 0.0, y);
    float tx, ty;
    const int ix = rp_warp_split(rp_warp_x(&l, x), a->w, &tx);
    const int iy = rp_warp_split(rp_warp_y(&l, x), a->h, &ty);

    return rp_clampf(rp_bilinear(mask_at(a, ix, iy), mask_at(a, ix + 1, iy),
                                 mask_at(a, ix, iy + 1), mask_at(a, ix + 1, iy + 1), tx, ty),
                     0.0f, 1.0f);
}

/* One value of the smooth surface: columns first, as in C. */
RP_DEV float smooth(const uint8_t *cells, int n, const struct rp_cover_mix *x,
                    const struct rp_cover_mix *y, int k)
{
    float column[3];

#pragma unroll
    for (int i = 0; i < 3; i++) {
        const int at = 3 * x->cell[i] + k;

        column[i] = rp_cover_mix3(y->weight, cells[3 * y->cell[0] * n + at],
                                  cells[3 * y->cell[1] * n + at], cells[3 * y->cell[2] * n + at]);
    }
    return rp_cover_mix3(x->weight, column[0], column[1], column[2]);
}

RP_DEV void paint_pixel(const struct rp_op_cover *a, const struct rp_cover_place *p,
                        const uint8_t *cells, int x, int y)
{
    float share = rp_cover_share(p, rp_cover_fourth(&p->x, x) + rp_cover_fourth(&p->y, y));

    if (share > 0 && rp_cover_masked(a))
        share = rp_cover_least(share, mask_share(a, x, y));
    if (!(share > 0))
        return;
    const struct rp_cover_mix mx = rp_cover_mix(&p->x, x, rp_cover_cell(&p->x, p->x.x1),
                                                rp_cover_cell(&p->x, p->x.x2 - 1));
    const struct rp_cover_mix my = rp_cover_mix(&p->y, y, rp_cover_cell(&p->y, p->y.x1),
                                                rp_cover_cell(&p->y, p->y.x2 - 1));
    uint8_t *const out = rp_pixel(&a->dst.img, x, y);
#pragma unroll
    for (int k = 0; k < 3; k++) {
        const float v =
            a->mode == RP_COVER_BLUR ? smooth(cells, p->x.cells, &mx, &my, k)
            : a->mode == RP_COVER_PIXELATE
                ? (float) cells[3 * (my.cell[1] * p->x.cells + mx.cell[1]) + k]
                : (float) a->colour[k];

        out[k] = rp_cover_pixel(out[k], v, share);
    }
}

/* Blocks go over the tiles of the map that the place touches: 16 x 16 pixels each. */
static __global__ void __launch_bounds__(RP_TILE *RP_TILE)
    cover(const __grid_constant__ struct rp_op_cover a)
{
    const struct rp_cover_place p = rp_cover_place(&a.cover, a.face, a.dst.img.w, a.dst.img.h);

    if (rp_cover_is_empty(&p))
        return;
    const int tx1 = p.x.x1 / RP_TILE, across = (p.x.x2 - 1) / RP_TILE - tx1 + 1;
    const int ty1 = p.y.x1 / RP_TILE, down = (p.y.x2 - 1) / RP_TILE - ty1 + 1;
    for (int i = (int) blockIdx.x; i < across * down; i += (int) gridDim.x) {
        const int tx = tx1 + i % across, ty = ty1 + i / across;
        const int x = tx * RP_TILE + (int) threadIdx.x, y = ty * RP_TILE + (int) threadIdx.y;

        if (rp_my_number() == 0 && a.dst.changed && tx < a.dst.tiles_w && ty < a.dst.tiles_h)
            a.dst.changed[(size_t) ty * a.dst.tiles_w + tx] = 1;
        if (x >= p.x.x1 && x < p.x.x2 && y >= p.y.x1 && y < p.y.x2)
            paint_pixel(&a, &p, a.cells, x, y);
    }
}

extern "C" int rp_cuda_cover(struct rp_stream *stream, const struct rp_op_cover *a)
{
    const struct rp_img *const d = &a->dst.img;
    const unsigned tiles = rp_div_up(d->w, RP_TILE) * rp_div_up(d->h, RP_TILE);

    if (!tiles)
        return 0;
    RP_LAUNCH(stream, tiles < MAX_BLOCKS ? tiles : MAX_BLOCKS, dim3(RP_TILE, RP_TILE), cover, *a);
    return rp_cuda_launched("cover");
}
