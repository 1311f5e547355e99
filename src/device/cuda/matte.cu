/* Mattes, alpha planes and backgrounds. */
#include "device/cuda/kernel.cuh"
#include "ops/matte_core.h"

/* ---- alpha planes ---------------------------------------------------------------------------- */

template <bool WIDE> RP_DEV int alpha_sample(const uint8_t *row, int x)
{
    return WIDE ? ((const uint16_t *) row)[x] : row[x];
}

template <bool WIDE>
static __global__ void __launch_bounds__(256)
    alpha_read(const __grid_constant__ struct rp_planes src, const __grid_constant__ struct rp_img dst)
{
    const int x = rp_my_x(), y = rp_my_y();

    if (x >= dst.w || y >= dst.h)
        return;
    const uint8_t *const row = src.plane[3];
    dst.data[(ptrdiff_t) y * dst.stride + x] =
        row ? (uint8_t) rp_alpha_8(alpha_sample<WIDE>(row + (ptrdiff_t) y * src.stride[3], x),
                                   src.depth)
            : 255;
}

extern "C" int rp_cuda_alpha_read(struct rp_stream *stream, const struct rp_op_alpha_read *a)
{
    if (a->dst.w < 1 || a->dst.h < 1)
        return 0;
    if (a->src->depth > 8)
        RP_LAUNCH(stream, rp_grid(a->dst.w, a->dst.h), rp_tile(), alpha_read<true>, *a->src, a->dst);
    else
        RP_LAUNCH(stream, rp_grid(a->dst.w, a->dst.h), rp_tile(), alpha_read<false>, *a->src, a->dst);
    return rp_cuda_launched("alpha_read");
}

template <bool WIDE>
static __global__ void __launch_bounds__(256)
    alpha_write(const __grid_constant__ struct rp_img src, const __grid_constant__ struct rp_planes dst,
                int fresh)
{
    const int x = rp_my_x(), y = rp_my_y();

    if (x >= src.w || y >= src.h)
        return;
    uint8_t *const row = dst.plane[3] + (ptrdiff_t) y * dst.stride[3];
    const int v = src.data[(ptrdiff_t) y * src.stride + x];
    if (!WIDE)
        row[x] = (uint8_t) v;
    else if (fresh || rp_alpha_8(alpha_sample<true>(row, x), dst.depth) != v)
        ((uint16_t *) row)[x] = (uint16_t) rp_alpha_deep(v, dst.depth);
}

extern "C" int rp_cuda_alpha_write(struct rp_stream *stream, const struct rp_op_alpha_write *a)
{
    if (a->src.w < 1 || a->src.h < 1)
        return 0;
    if (a->dst->depth > 8)
        RP_LAUNCH(stream, rp_grid(a->src.w, a->src.h), rp_tile(), alpha_write<true>, a->src, *a->dst,
                  a->fresh);
    else
        RP_LAUNCH(stream, rp_grid(a->src.w, a->src.h), rp_tile(), alpha_write<false>, a->src, *a->dst,
                  a->fresh);
    return rp_cuda_launched("alpha_write");
}

static __global__ void __launch_bounds__(256)
    alpha_split(const __grid_constant__ struct rp_op_alpha_split a)
{
    const int x = rp_my_x(), y = rp_my_y();

    if (x >= a.src.w || y >= a.src.h)
        return;
    const uint8_t *const in = rp_pixel(&a.src, x, y);
    for (int c = 0; a.bgr.data && c < 3; c++)
        rp_pixel(&a.bgr, x, y)[c] = in[c];
    if (a.alpha.data)
        *rp_pixel(&a.alpha, x, y) = a.src.ch == 4 ? in[3] : 255;
}

extern "C" int rp_cuda_alpha_split(struct rp_stream *stream, const struct rp_op_alpha_split *a)
{
    if (a->src.w < 1 || a->src.h < 1)
        return 0;
    RP_LAUNCH(stream, rp_grid(a->src.w, a->src.h), rp_tile(), alpha_split, *a);
    return rp_cuda_launched("alpha_split");
}

static __global__ void __launch_bounds__(256)
    alpha_join(const __grid_constant__ struct rp_op_alpha_join a)
{
    const int x = rp_my_x(), y = rp_my_y();

    if (x >= a.dst.w || y >= a.dst.h)
        return;
    uint8_t *const out = rp_pixel(&a.dst, x, y);
    for (int c = 0; a.bgr.data && c < 3; c++)
        out[c] = rp_pixel(&a.bgr, x, y)[c];
    if (a.dst.ch == 4 && a.alpha.data)
        out[3] = *rp_pixel(&a.alpha, x, y);
}

extern "C" int rp_cuda_alpha_join(struct rp_stream *stream, const struct rp_op_alpha_join *a)
{
    if (a->dst.w < 1 || a->dst.h < 1)
        return 0;
    RP_LAUNCH(stream, rp_grid(a->dst.w, a->dst.h), rp_tile(), alpha_join, *a);
    return rp_cuda_launched("alpha_join");
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
