/* Mattes, alpha planes, and what is put behind them. */
#include "device/cuda/kernel.cuh"
#include "ops/matte_core.h"

/* ---- alpha planes ---------------------------------------------------------------------------- */

template <bool WIDE> RP_DEV int alpha_sample(const uint8_t *row, int x)
{
    return WIDE ? ((const uint16_t *) row)[x] : row[x];
}

template <bool WIDE>
static __global__ void __launch_bounds__(256)
    alpha_read(const __grid_constant__ struct rp_op_alpha_read a)
{
    const int x = rp_my_x(), y = rp_my_y();

    if (x >= a.dst.w || y >= a.dst.h)
        return;
    const uint8_t *const row = a.src.plane[3];
    a.dst.data[(ptrdiff_t) y * a.dst.stride + x] =
        row ? (uint8_t) rp_alpha_8(alpha_sample<WIDE>(row + (ptrdiff_t) y * a.src.stride[3], x),
                                   a.src.depth)
            : 255;
}

extern "C" int rp_cuda_alpha_read(struct rp_stream *stream, const struct rp_op_alpha_read *a)
{
    if (a->dst.w < 1 || a->dst.h < 1)
        return 0;
    if (a->src.depth > 8)
        RP_LAUNCH(stream, rp_grid(a->dst.w, a->dst.h), rp_tile(), alpha_read<true>, *a);
    else
        RP_LAUNCH(stream, rp_grid(a->dst.w, a->dst.h), rp_tile(), alpha_read<false>, *a);
    return rp_cuda_launched("alpha_read");
}

template <bool WIDE>
static __global__ void __launch_bounds__(256)
    alpha_write(const __grid_constant__ struct rp_op_alpha_write a)
{
    const int x = rp_my_x(), y = rp_my_y();

    if (x >= a.src.w || y >= a.src.h)
        return;
    uint8_t *const row = a.dst.plane[3] + (ptrdiff_t) y * a.dst.stride[3];
    const int v = a.src.data[(ptrdiff_t) y * a.src.stride + x];
    if (!WIDE)
        row[x] = (uint8_t) v;
    else if (a.fresh || rp_alpha_8(alpha_sample<true>(row, x), a.dst.depth) != v)
        ((uint16_t *) row)[x] = (uint16_t) rp_alpha_deep(v, a.dst.depth);
}

extern "C" int rp_cuda_alpha_write(struct rp_stream *stream, const struct rp_op_alpha_write *a)
{
    if (a->src.w < 1 || a->src.h < 1)
        return 0;
    if (a->dst.depth > 8)
        RP_LAUNCH(stream, rp_grid(a->src.w, a->src.h), rp_tile(), alpha_write<true>, *a);
    else
        RP_LAUNCH(stream, rp_grid(a->src.w, a->src.h), rp_tile(), alpha_write<false>, *a);
    return rp_cuda_launched("alpha_write");
}

/* ---- mattes ---------------------------------------------------------------------------------- */

static __global__ void __launch_bounds__(256)
    key_matte(const __grid_constant__ struct rp_op_key_matte a)
{
    const int x = rp_my_x(), y = rp_my_y();

    if (x >= a.src.w || y >= a.src.h)
        return;
    const uint8_t *const p = rp_pixel(&a.src, x, y);
    a.dst[(size_t) y * a.src.w + x] = rp_key_matte(p[0], p[1], p[2]);
}

extern "C" int rp_cuda_key_matte(struct rp_stream *stream, const struct rp_op_key_matte *a)
{
    if (a->src.w < 1 || a->src.h < 1)
        return 0;
    RP_LAUNCH(stream, rp_grid(a->src.w, a->src.h), rp_tile(), key_matte, *a);
    return rp_cuda_launched("key_matte");
}

static __global__ void __launch_bounds__(256)
    matte_u8(const __grid_constant__ struct rp_op_matte_u8 a)
{
    const int x = rp_my_x(), y = rp_my_y();

    if (x >= a.dst.w || y >= a.dst.h)
        return;
    const size_t plane = (size_t) a.dst.w * a.dst.h;
    const float *const p = a.src + (size_t) y * a.dst.w + x;
    uint8_t *const out = a.dst.data + (ptrdiff_t) y * a.dst.stride + x;
    if (a.classes < 2) {
        *out = rp_matte_u8(*p);
        return;
    }
    float best = p[0];
    int at = 0;
    for (int k = 1; k < a.classes; k++)
        if (p[(size_t) k * plane] > best) {
            best = p[(size_t) k * plane];
            at = k;
        }
    *out = at ? 255 : 0;
}

extern "C" int rp_cuda_matte_u8(struct rp_stream *stream, const struct rp_op_matte_u8 *a)
{
    if (a->dst.w < 1 || a->dst.h < 1)
        return 0;
    RP_LAUNCH(stream, rp_grid(a->dst.w, a->dst.h), rp_tile(), matte_u8, *a);
    return rp_cuda_launched("matte_u8");
}

/* ---- backdrop -------------------------------------------------------------------------------- */

static __global__ void __launch_bounds__(256)
    backdrop(const __grid_constant__ struct rp_op_backdrop a)
{
    const int x = rp_my_x(), y = rp_my_y();

    if (x >= a.dst.img.w || y >= a.dst.img.h)
        return;
    const int matte = a.matte.data[(ptrdiff_t) y * a.matte.stride + x];
    const uint8_t *const in = rp_pixel(a.front.data ? &a.front : &a.dst.img, x, y);
    uint8_t *const out = rp_pixel(&a.dst.img, x, y);
    const float share = rp_fill_share(matte, a.fill[3]);
    uint8_t v[3];
    int changed = 0;

    rp_despill(v, in, a.despill);
#pragma unroll
    for (int c = 0; c < 3; c++) {
        v[c] = rp_fill(v[c], (float) a.fill[c], share);
        changed |= v[c] ^ out[c];
    }
    if (changed) {
#pragma unroll
        for (int c = 0; c < 3; c++)
            out[c] = v[c];
        a.dst.changed[(size_t) (y / RP_TILE) * a.dst.tiles_w + x / RP_TILE] = 1;
    }
    if (a.dst.alpha.data) {
        uint8_t *const alpha = a.dst.alpha.data + (ptrdiff_t) y * a.dst.alpha.stride + x;

        *alpha = (uint8_t) rp_mini(*alpha, matte);
    }
}

extern "C" int rp_cuda_backdrop(struct rp_stream *stream, const struct rp_op_backdrop *a)
{
    if (a->dst.img.w < 1 || a->dst.img.h < 1)
        return 0;
    RP_LAUNCH(stream, rp_grid(a->dst.img.w, a->dst.img.h), rp_tile(), backdrop, *a);
    return rp_cuda_launched("backdrop");
}
