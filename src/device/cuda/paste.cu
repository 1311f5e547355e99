/* Operations that write into the frame: paste, blend, and the face debugger's drawings. */
#include "device/cuda/kernel.cuh"
#include "ops/draw_core.h"
#include "ops/paste_core.h"

/* ---- regions --------------------------------------------------------------------------------- */

/* A region's size is known on the device only, so a fixed number of blocks goes over it in pieces
 * of PIECE_W x RP_TILE_H pixels; blocks without a piece return at once. */
#define PIECE_W (2 * RP_TILE_W)
#define MAX_BLOCKS 1024

static unsigned region_blocks(const struct rp_img *frame)
{
    const unsigned n = rp_div_up(frame->w, PIECE_W) * rp_div_up(frame->h, RP_TILE_H);

    return n < MAX_BLOCKS ? n : MAX_BLOCKS;
}

struct pieces {
    int across, count;
};

RP_DEV struct pieces region_pieces(const struct rp_region *r)
{
    struct pieces p = {(r->x2 - r->x1 + PIECE_W - 1) / PIECE_W, 0};

    if (r->x1 < r->x2 && r->y1 < r->y2)
        p.count = p.across * ((r->y2 - r->y1 + RP_TILE_H - 1) / RP_TILE_H);
    return p;
}

/* All threads of the grid mark the region's tiles. */
RP_DEV void mark(const struct rp_canvas *c, const struct rp_region *r)
{
    const int tx1 = r->x1 / RP_TILE, tx2 = rp_mini((r->x2 + RP_TILE - 1) / RP_TILE, c->tiles_w);
    const int ty1 = r->y1 / RP_TILE, ty2 = rp_mini((r->y2 + RP_TILE - 1) / RP_TILE, c->tiles_h);
    const int threads = (int) (blockDim.x * blockDim.y), w = tx2 - tx1;

    if (!c->changed || w < 1 || ty1 >= ty2)
        return;
    for (int i = (int) blockIdx.x * threads + rp_my_number(); i < w * (ty2 - ty1);
         i += (int) gridDim.x * threads)
        c->changed[(size_t) (ty1 + i / w) * c->tiles_w + tx1 + i % w] = 1;
}

/* ---- paste ----------------------------------------------------------------------------------- */

RP_DEV float mask_at(const struct rp_op_paste *a, int x, int y)
{
    return (unsigned) x < (unsigned) a->w && (unsigned) y < (unsigned) a->h
               ? a->mask[(size_t) y * a->w + x]
               : 0.0f;
}

/* x: frame column, counted from the region's first. */
RP_DEV void paste_pixel(const struct rp_op_paste *a, const struct rp_warp_line *l, uint8_t *frame,
                        int x)
{
    float tx, ty;
    const int ix = rp_warp_split(rp_warp_x(l, x), a->w, &tx);
    const int iy = rp_warp_split(rp_warp_y(l, x), a->h, &ty);
    const float m =
        rp_clampf(rp_bilinear(mask_at(a, ix, iy), mask_at(a, ix + 1, iy), mask_at(a, ix, iy + 1),
                              mask_at(a, ix + 1, iy + 1), tx, ty),
                  0.0f, 1.0f);

    if (!(m > 0.0f))
        return;
    const size_t row = 3 * (size_t) a->w;
    const float *const y0 = a->crop + (size_t) rp_clampi(iy, 0, a->h - 1) * row;
    const float *const y1 = a->crop + (size_t) rp_clampi(iy + 1, 0, a->h - 1) * row;
    const size_t x0 = 3 * (size_t) rp_clampi(ix, 0, a->w - 1);
    const size_t x1 = 3 * (size_t) rp_clampi(ix + 1, 0, a->w - 1);
#pragma unroll
    for (int c = 0; c < 3; c++) {
        const float v = rp_paste_sample(
            rp_bilinear(y0[x0 + c], y0[x1 + c], y1[x0 + c], y1[x1 + c], tx, ty), a->bytes);

        frame[c] = a->keep == 0.0f ? rp_paste_mix(frame[c], v, m)
                                   : rp_paste_keep(frame[c], v, m, a->keep, a->blend);
    }
}

static __global__ void __launch_bounds__(256) paste(const __grid_constant__ struct rp_op_paste a)
{
    __shared__ struct rp_region r;
    __shared__ struct rp_warp_line line[RP_TILE_H];
    const struct rp_img *const d = &a.dst.img;
    const int t = rp_my_number();

    if (t == 0)
        r = rp_paste_region(a.affine->inv, a.w, a.h, d->w, d->h);
    __syncthreads();
    const struct pieces p = region_pieces(&r);
    if (p.count)
        mark(&a.dst, &r);
    for (int i = (int) blockIdx.x; i < p.count; i += (int) gridDim.x) {
        const int left = i % p.across * PIECE_W, top = r.y1 + i / p.across * RP_TILE_H;
        const int y = top + (int) threadIdx.y;

        if (t < RP_TILE_H)
            line[t] = rp_paste_line(a.affine->m, &r, top + t);
        __syncthreads();
        for (int k = 0; k < PIECE_W; k += RP_TILE_W) {
            const int x = left + k + (int) threadIdx.x;

            if (y < r.y2 && r.x1 + x < r.x2)
                paste_pixel(&a, &line[threadIdx.y],
                            d->data + (ptrdiff_t) y * d->stride + 3 * (ptrdiff_t) (r.x1 + x), x);
        }
        __syncthreads();
    }
}

extern "C" int rp_cuda_paste(struct rp_stream *stream, const struct rp_op_paste *a)
{
    if (a->w < 1 || a->h < 1 || a->dst.img.w < 1 || a->dst.img.h < 1)
        return 0;
    RP_LAUNCH(stream, region_blocks(&a->dst.img), rp_tile(), paste, *a);
    return rp_cuda_launched("paste");
}

/* ---- blend ----------------------------------------------------------------------------------- */

/* n words per row; the first row of blocks also marks the tiles. */
static __global__ void __launch_bounds__(256)
    blend_words(const __grid_constant__ struct rp_op_blend a, float fa, float fb, int n)
{
    const struct rp_img *const d = &a.dst.img;
    const struct rp_region all = {0, 0, d->w, d->h};
    const int x = rp_my_x(), y = rp_my_y();

    if (blockIdx.y == 0)
        mark(&a.dst, &all);
    if (x >= n || y >= d->h)
        return;
    const uint32_t p = ((const uint32_t *) (a.a.data + (ptrdiff_t) y * a.a.stride))[x];
    const uint32_t q = ((const uint32_t *) (a.b.data + (ptrdiff_t) y * a.b.stride))[x];
    uint8_t out[4];
#pragma unroll
    for (int i = 0; i < 4; i++)
        out[i] = rp_blend((uint8_t) rp_byte(&p, i), (uint8_t) rp_byte(&q, i), fa, fb);
    ((uint32_t *) (d->data + (ptrdiff_t) y * d->stride))[x] = rp_pack(out);
}

static __global__ void __launch_bounds__(256)
    blend_bytes(const __grid_constant__ struct rp_op_blend a, float fa, float fb, int n)
{
    const struct rp_img *const d = &a.dst.img;
    const struct rp_region all = {0, 0, d->w, d->h};
    const int x = rp_my_x(), y = rp_my_y();

    if (blockIdx.y == 0)
        mark(&a.dst, &all);
    if (x < n && y < d->h)
        d->data[(ptrdiff_t) y * d->stride + x] =
            rp_blend(a.a.data[(ptrdiff_t) y * a.a.stride + x],
                     a.b.data[(ptrdiff_t) y * a.b.stride + x], fa, fb);
}

extern "C" int rp_cuda_blend(struct rp_stream *stream, const struct rp_op_blend *a)
{
    const struct rp_img *const d = &a->dst.img;
    const int n = d->w * d->ch;

    if (n < 1 || d->h < 1)
        return 0;
    if (n % 4 == 0 && rp_aligned(d->data, (size_t) d->stride, 4) &&
        rp_aligned(a->a.data, (size_t) a->a.stride, 4) &&
        rp_aligned(a->b.data, (size_t) a->b.stride, 4))
        RP_LAUNCH(stream, rp_grid(n / 4, d->h), rp_tile(), blend_words, *a, 1.0f - a->f, a->f,
                  n / 4);
    else
        RP_LAUNCH(stream, rp_grid(n, d->h), rp_tile(), blend_bytes, *a, 1.0f - a->f, a->f, n);
    return rp_cuda_launched("blend");
}

/* ---- draw_face ------------------------------------------------------------------------------- */

#define DRAW_THREADS 1024 /* one block: what is drawn later must be on top */

/* All threads set pixels to the same colour, so their order does not matter. */
RP_DEV void put(const struct rp_canvas *c, int x, int y, uint32_t colour)
{
    if (x < 0 || y < 0 || x >= c->img.w || y >= c->img.h)
        return;
    rp_draw_pixel(rp_pixel(&c->img, x, y), colour);
    if (c->changed && x / RP_TILE < c->tiles_w && y / RP_TILE < c->tiles_h)
        c->changed[(size_t) (y / RP_TILE) * c->tiles_w + x / RP_TILE] = 1;
}

RP_DEV void draw_bar(const struct rp_canvas *c, const int e[4], int thickness, uint32_t colour)
{
    const struct rp_bar b = rp_bar(e[0], e[1], e[2], e[3], thickness);
    const int y1 = rp_maxi(b.y1 - b.radius, 0), y2 = rp_mini(b.y2 + b.radius, c->img.h - 1);
    const int x1 = rp_maxi(b.x1 - b.radius, 0), x2 = rp_mini(b.x2 + b.radius, c->img.w - 1);
    const int w = x2 - x1 + 1;

    if (w < 1)
        return;
    for (int i = (int) threadIdx.x; i < w * (y2 - y1 + 1); i += DRAW_THREADS)
        if (rp_in_bar(&b, x1 + i % w, y1 + i / w))
            put(c, x1 + i % w, y1 + i / w, colour);
}

RP_DEV void draw_points(const struct rp_canvas *c, const struct rp_dface *f, const float *p, int n,
                        unsigned item)
{
    const int radius = rp_draw_scale(c->img.h), side = 2 * radius + 1;
    const uint32_t colour = rp_draw_points_colour(f, item);

    if (!rp_draw_any(p, 2 * n))
        return;
    for (int i = (int) threadIdx.x; i < n * side * side; i += DRAW_THREADS) {
        const int k = i / (side * side), dx = i % side - radius, dy = i / side % side - radius;

        if ((dx < 0 ? -dx : dx) <= rp_disc_width(radius, dy))
            put(c, rp_draw_int(p[2 * k]) + dx, rp_draw_int(p[2 * k + 1]) + dy, colour);
    }
}

RP_DEV void draw_box(const struct rp_canvas *c, const struct rp_dface *f)
{
    const int k = rp_draw_scale(c->img.h);
    const int x1 = rp_draw_int(f->box[0]), y1 = rp_draw_int(f->box[1]);
    const int x2 = rp_draw_int(f->box[2]), y2 = rp_draw_int(f->box[3]);
    const int edge[4][4] = {{x1, y1, x2, y1}, {x2, y1, x2, y2}, {x1, y2, x2, y2}, {x1, y1, x1, y2}};

    for (int i = 0; i < 4; i++)
        draw_bar(c, edge[i], k, RP_DRAW_RED);
    __syncthreads();
    draw_bar(c, edge[rp_draw_up(f->angle)], k + 1, RP_DRAW_UP);
}

static __global__ void __launch_bounds__(DRAW_THREADS)
    draw_face(const __grid_constant__ struct rp_op_draw_face a)
{
    const struct rp_dface *const f = a.face;

    if (a.items & RP_DEBUG_BOX)
        draw_box(&a.dst, f);
    __syncthreads();
    if (a.items & RP_DEBUG_LANDMARK_5)
        draw_points(&a.dst, f, f->lm5, 5, RP_DEBUG_LANDMARK_5);
    __syncthreads();
    if (a.items & RP_DEBUG_LANDMARK_5_68)
        draw_points(&a.dst, f, f->lm5_68, 5, RP_DEBUG_LANDMARK_5_68);
    __syncthreads();
    if (a.items & RP_DEBUG_LANDMARK_68)
        draw_points(&a.dst, f, f->lm68, 68, RP_DEBUG_LANDMARK_68);
    __syncthreads();
    if (a.items & RP_DEBUG_LANDMARK_68_5)
        draw_points(&a.dst, f, f->lm68_5, 68, RP_DEBUG_LANDMARK_68_5);
}

extern "C" int rp_cuda_draw_face(struct rp_stream *stream, const struct rp_op_draw_face *a)
{
    RP_LAUNCH(stream, 1, DRAW_THREADS, draw_face, *a);
    return rp_cuda_launched("draw_face");
}

/* ---- draw_mask ------------------------------------------------------------------------------- */

RP_DEV float mask_byte(const struct rp_op_draw_mask *a, int x, int y)
{
    if (x < 0 || y < 0 || x >= a->w || y >= a->h)
        return 0.0f;
    return (float) rp_trunc_u8(a->mask[(size_t) y * a->w + x] * 255.0f);
}

/* Which pixels of the frame the mask covers, into tmp. */
static __global__ void __launch_bounds__(256)
    cover(const __grid_constant__ struct rp_op_draw_mask a)
{
    __shared__ struct rp_region r;
    __shared__ struct rp_warp_line line[RP_TILE_H];
    const struct rp_img *const d = &a.dst.img;
    const int t = rp_my_number();

    if (t == 0)
        r = rp_draw_region(a.affine->inv, a.w, a.h, d->w, d->h);
    __syncthreads();
    const struct pieces p = region_pieces(&r);
    for (int i = (int) blockIdx.x; i < p.count; i += (int) gridDim.x) {
        const int left = i % p.across * PIECE_W, top = r.y1 + i / p.across * RP_TILE_H;
        const int y = top + (int) threadIdx.y;

        if (t < RP_TILE_H)
            line[t] = rp_warp_line(a.affine->m, 0.0, 0.0, top + t);
        __syncthreads();
        for (int k = 0; k < PIECE_W; k += RP_TILE_W) {
            const int x = r.x1 + left + k + (int) threadIdx.x;
            const struct rp_warp_line l = line[threadIdx.y];
            float tx, ty;

            if (y >= r.y2 || x >= r.x2)
                continue;
            const int ix = rp_warp_split(rp_warp_x(&l, x), a.w, &tx);
            const int iy = rp_warp_split(rp_warp_y(&l, x), a.h, &ty);
            a.tmp[(size_t) y * d->w + x] = rp_draw_inside(
                rp_bilinear(mask_byte(&a, ix, iy), mask_byte(&a, ix + 1, iy),
                            mask_byte(&a, ix, iy + 1), mask_byte(&a, ix + 1, iy + 1), tx, ty));
        }
        __syncthreads();
    }
}

RP_DEV bool inside(const struct rp_op_draw_mask *a, const struct rp_region *r, int x, int y)
{
    return x >= r->x1 && x < r->x2 && y >= r->y1 && y < r->y2 &&
           a->tmp[(size_t) y * a->dst.img.w + x];
}

/* Draw what pixel (x, y) contributes, if it is on the contour. */
RP_DEV void contour_pixel(const struct rp_op_draw_mask *a, const struct rp_region *r, int x, int y,
                          uint32_t colour)
{
    const int k = rp_draw_scale(a->dst.img.h), radius = rp_draw_radius(k), s = rp_draw_diagonal(k);

    if (!inside(a, r, x, y))
        return;
    if (!inside(a, r, x - 1, y) || !inside(a, r, x + 1, y) || !inside(a, r, x, y - 1) ||
        !inside(a, r, x, y + 1)) {
        for (int dy = -radius; dy <= radius; dy++) {
            const int width = rp_disc_width(radius, dy);

            for (int dx = -width; dx <= width; dx++)
                put(&a->dst, x + dx, y + dy, colour);
        }
    }
    for (int t = -1; s && t <= 1; t += 2) {
        if (!inside(a, r, x + 1, y + t) || (inside(a, r, x + 1, y) && inside(a, r, x, y + t)))
            continue;
        put(&a->dst, x + s, y - t * s, colour);
        put(&a->dst, x + s + 1, y + t - t * s, colour);
        put(&a->dst, x - s, y + t * s, colour);
        put(&a->dst, x - s + 1, y + t + t * s, colour);
    }
}

static __global__ void __launch_bounds__(256)
    contour(const __grid_constant__ struct rp_op_draw_mask a)
{
    __shared__ struct rp_region r;
    const struct rp_img *const d = &a.dst.img;

    if (rp_my_number() == 0)
        r = rp_draw_region(a.affine->inv, a.w, a.h, d->w, d->h);
    __syncthreads();
    const struct pieces p = region_pieces(&r);
    const uint32_t colour = rp_draw_mask_colour(a.face);
    for (int i = (int) blockIdx.x; i < p.count; i += (int) gridDim.x) {
        const int y = r.y1 + i / p.across * RP_TILE_H + (int) threadIdx.y;

        for (int k = 0; k < PIECE_W; k += RP_TILE_W) {
            const int x = r.x1 + i % p.across * PIECE_W + k + (int) threadIdx.x;

            if (y < r.y2 && x < r.x2)
                contour_pixel(&a, &r, x, y, colour);
        }
    }
}

extern "C" int rp_cuda_draw_mask(struct rp_stream *stream, const struct rp_op_draw_mask *a)
{
    const unsigned blocks = region_blocks(&a->dst.img);

    if (a->w < 1 || a->h < 1 || blocks < 1)
        return 0;
    RP_LAUNCH(stream, blocks, rp_tile(), cover, *a);
    RP_LAUNCH(stream, blocks, rp_tile(), contour, *a);
    return rp_cuda_launched("draw_mask");
}
