/* Colour matching, sharpening, erosion. */
#include "device/cuda/kernel.cuh"
#include "ops/match_core.h"

/* ---- shrinking by area ----------------------------------------------------------------------- */

/* How a picture is shrunk; the same for all pixels. */
struct shrink {
    struct rp_img src;
    struct rp_area_factors by;
    double sx, sy;
};

static struct shrink shrink_to(const struct rp_img *src, int w, int h)
{
    struct shrink s;

    s.src = *src;
    s.by = rp_area_factors(src->w, src->h, w, h);
    s.sx = rp_resize_scale(src->w, w);
    s.sy = rp_resize_scale(src->h, h);
    return s;
}

RP_DEV int shrunken(const struct shrink *s, int x, int y, int c)
{
    if (s->by.x)
        return rp_area_value_whole(&s->src, x, y, s->by, c);
    const struct rp_area_span across = rp_area_span(x, s->sx, s->src.w);
    const struct rp_area_span down = rp_area_span(y, s->sy, s->src.h);
    return rp_area_value(&s->src, &across, &down, c);
}

static __global__ void __launch_bounds__(256)
    resize_area(const __grid_constant__ struct shrink s, const __grid_constant__ struct rp_img dst)
{
    const int x = rp_my_x(), y = rp_my_y();

    if (x >= dst.w || y >= dst.h)
        return;
    for (int c = 0; c < dst.ch; c++)
        rp_pixel(&dst, x, y)[c] = (uint8_t) shrunken(&s, x, y, c);
}

extern "C" int rp_cuda_resize_area(struct rp_stream *stream, const struct rp_op_resize_area *a)
{
    if (a->dst.w < 1 || a->dst.h < 1)
        return 0;
    RP_LAUNCH(stream, rp_grid(a->dst.w, a->dst.h), rp_tile(), resize_area,
              shrink_to(&a->src, a->dst.w, a->dst.h), a->dst);
    return rp_cuda_launched("resize_area");
}

static __global__ void __launch_bounds__(256)
    colour_gap(const __grid_constant__ struct shrink one,
               const __grid_constant__ struct shrink other, int size, float *dst)
{
    const int x = rp_my_x(), y = rp_my_y();

    if (x >= size || y >= size)
        return;
    for (int c = 0; c < 3; c++)
        dst[3 * ((size_t) y * size + x) + c] =
            (float) (shrunken(&one, x, y, c) - shrunken(&other, x, y, c));
}

/* A pixel that is the mean of many, by a warp. Sums of whole numbers, in any order. */
RP_DEV int shrunken_by_warp(const struct shrink *s, int x, int y, int c)
{
    const int w = s->by.x, n = w * s->by.y, lane = (int) threadIdx.x;
    const uint8_t *const p = rp_pixel(&s->src, x * w, y * s->by.y) + c;
    int sum = 0;

    for (int i = lane; i < n; i += RP_WARP)
        sum += p[(ptrdiff_t) (i / w) * s->src.stride + 3 * (i % w)];
#pragma unroll
    for (int k = RP_WARP / 2; k; k /= 2)
        sum += __shfl_xor_sync(RP_ALL_LANES, sum, k);
    return rp_area_mean(sum, s->by);
}

static __global__ void __launch_bounds__(256)
    colour_gap_of_many(const __grid_constant__ struct shrink one,
                       const __grid_constant__ struct shrink other, int size, float *dst)
{
    const int i = (int) (blockIdx.x * blockDim.y + threadIdx.y); /* the same in all lanes */

    if (i >= 3 * size * size)
        return;
    const int x = i / 3 % size, y = i / 3 / size, c = i % 3;
    const int gap = shrunken_by_warp(&one, x, y, c) - shrunken_by_warp(&other, x, y, c);
    if (threadIdx.x == 0)
        dst[i] = (float) gap;
}

extern "C" int rp_cuda_colour_gap(struct rp_stream *stream, const struct rp_op_colour_gap *a)
{
    const struct shrink one = shrink_to(&a->a, a->size, a->size);
    const struct shrink other = shrink_to(&a->b, a->size, a->size);

    if (a->size < 1)
        return 0;
    if (one.by.x && other.by.x && one.by.x + other.by.x >= 12)
        RP_LAUNCH(stream, rp_div_up(3 * a->size * a->size, 8), dim3(RP_WARP, 8), colour_gap_of_many,
                  one, other, a->size, a->dst);
    else
        RP_LAUNCH(stream, rp_grid(a->size, a->size), rp_tile(), colour_gap, one, other, a->size,
                  a->dst);
    return rp_cuda_launched("colour_gap");
}

/* ---- enlarging a difference ------------------------------------------------------------------ */

static __global__ void __launch_bounds__(256)
    colour_shift(const __grid_constant__ struct rp_op_colour_shift a, double sx, double sy)
{
    const int x = rp_my_x(), y = rp_my_y(), size = a.size;
    float t, across[4], down[4];
    int column[4];
    const float *row[4];

    if (x >= a.src.w || y >= a.src.h)
        return;
    const int left = rp_resize_at(x, sx, &t);
    rp_cubic_weights(t, across);
    const int top = rp_resize_at(y, sy, &t);
    rp_cubic_weights(t, down);
    for (int k = 0; k < 4; k++) {
        column[k] = 3 * rp_clampi(left - 1 + k, 0, size - 1);
        row[k] = a.gap + 3 * (size_t) rp_clampi(top - 1 + k, 0, size - 1) * size;
    }
    const uint8_t *const src = rp_pixel(&a.src, x, y);
    for (int c = 0; c < 3; c++) {
        float sum[4];

        for (int k = 0; k < 4; k++)
            sum[k] = rp_cubic_across(row[k][column[0] + c], row[k][column[1] + c],
                                     row[k][column[2] + c], row[k][column[3] + c], across);
        uint8_t v = rp_colour_shift(src[c], rp_cubic_down(sum[0], sum[1], sum[2], sum[3], down));
        if (a.factor)
            v = rp_blend(src[c], v, (float) (1.0 - *a.factor), (float) *a.factor);
        if (a.dst.data)
            rp_pixel(&a.dst, x, y)[c] = v;
        if (a.pixels)
            a.pixels[3 * ((size_t) y * a.src.w + x) + c] = v;
    }
}

extern "C" int rp_cuda_colour_shift(struct rp_stream *stream, const struct rp_op_colour_shift *a)
{
    if (a->src.w < 1 || a->src.h < 1)
        return 0;
    RP_LAUNCH(stream, rp_grid(a->src.w, a->src.h), rp_tile(), colour_shift, *a,
              rp_resize_scale(a->size, a->src.w), rp_resize_scale(a->size, a->src.h));
    return rp_cuda_launched("colour_shift");
}

/* ---- likeness -------------------------------------------------------------------------------- */

#define COUNTING RP_COLOUR_RUN /* threads */

/* Two launches: each block counts its share of both pictures' pixels; then one block adds. */
static __global__ void __launch_bounds__(COUNTING)
    count_colours(const __grid_constant__ struct rp_op_colour_likeness a)
{
    __shared__ int count[RP_COLOUR_BINS];
    __shared__ struct rp_colour_per per[256];
    const int part = (int) blockIdx.x, picture = (int) blockIdx.y;
    const struct rp_img *const img = picture ? &a.b : &a.a;
    const int n = img->w * img->h;

    for (int i = (int) threadIdx.x; i < RP_COLOUR_BINS; i += COUNTING)
        count[i] = 0;
    for (int i = (int) threadIdx.x; i < 256; i += COUNTING)
        per[i] = rp_colour_per(i);
    __syncthreads();
    for (int i = part * COUNTING + (int) threadIdx.x; i < n; i += RP_COLOUR_PARTS * COUNTING) {
        const uint8_t *const p = rp_pixel(img, i % img->w, i / img->w);

        atomicAdd(&count[rp_colour_bin(per, p[0], p[1], p[2])], 1);
    }
    __syncthreads();
    for (int i = (int) threadIdx.x; i < RP_COLOUR_BINS; i += COUNTING)
        a.work->count[part][picture][i] = count[i];
}

/* The sum over a block, right in thread 0. sums: shared. */
RP_DEV int64_t block_sum(int64_t v, int64_t sums[COUNTING / RP_WARP])
{
    const int t = (int) threadIdx.x;

    for (int k = RP_WARP / 2; k; k /= 2)
        v += __shfl_down_sync(RP_ALL_LANES, v, k);
    if (t % RP_WARP == 0)
        sums[t / RP_WARP] = v;
    __syncthreads();
    v = 0;
    for (int i = 0; t == 0 && i < COUNTING / RP_WARP; i++)
        v += sums[i];
    __syncthreads(); /* sums is used again */
    return v;
}

static __global__ void __launch_bounds__(COUNTING)
    compare_colours(const __grid_constant__ struct rp_op_colour_likeness a)
{
    __shared__ int64_t sums[COUNTING / RP_WARP];
    struct rp_colour_sums s = {0, 0, 0};

    for (int i = (int) threadIdx.x; i < RP_COLOUR_BINS; i += COUNTING) {
        int64_t one = 0, other = 0;

#pragma unroll
        for (int part = 0; part < RP_COLOUR_PARTS; part++) {
            one += a.work->count[part][0][i];
            other += a.work->count[part][1][i];
        }
        s.ab += one * other;
        s.aa += one * one;
        s.bb += other * other;
    }
    s.ab = block_sum(s.ab, sums);
    s.aa = block_sum(s.aa, sums);
    s.bb = block_sum(s.bb, sums);
    if (threadIdx.x == 0)
        *a.dst = rp_colour_likeness(&s, (int64_t) a.a.w * a.a.h, (int64_t) a.b.w * a.b.h);
}

extern "C" int rp_cuda_colour_likeness(struct rp_stream *stream,
                                       const struct rp_op_colour_likeness *a)
{
    RP_LAUNCH(stream, dim3(RP_COLOUR_PARTS, 2), COUNTING, count_colours, *a);
    RP_LAUNCH(stream, 1, COUNTING, compare_colours, *a);
    return rp_cuda_launched("colour_likeness");
}

/* ---- sharpening ------------------------------------------------------------------------------ */

#define R RP_SHARPEN_RADIUS

/* A block sums columns of its pixels and of R more on both sides, then rows of these sums. */
static __global__ void __launch_bounds__(256)
    sharpen(const __grid_constant__ struct rp_op_sharpen a)
{
    __shared__ uint16_t sum[RP_TILE_H][3 * (RP_TILE_W + 2 * R)]; /* at most 255 * 256 */
    const int x = rp_my_x(), y = rp_my_y(), w = a.src.w, h = a.src.h;
    const int left = (int) blockIdx.x * RP_TILE_W - R;

    for (int i = (int) threadIdx.x; y < h && i < 3 * (RP_TILE_W + 2 * R); i += RP_TILE_W) {
        const int at = 3 * rp_reflect101(left + i / 3, w) + i % 3;
        int v = rp_sharpen_weight(0) * a.src.data[(ptrdiff_t) y * a.src.stride + at];

        for (int k = 1; k <= R; k++)
            v += rp_sharpen_weight(k) *
                 (a.src.data[(ptrdiff_t) rp_reflect101(y - k, h) * a.src.stride + at] +
                  a.src.data[(ptrdiff_t) rp_reflect101(y + k, h) * a.src.stride + at]);
        sum[threadIdx.y][i] = (uint16_t) v;
    }
    __syncthreads();
    if (x >= w || y >= h)
        return;
    for (int c = 0; c < 3; c++) {
        const uint16_t *const middle = &sum[threadIdx.y][3 * ((int) threadIdx.x + R) + c];
        int v = rp_sharpen_weight(0) * middle[0];

        for (int k = 1; k <= R; k++)
            v += rp_sharpen_weight(k) * (middle[-3 * k] + middle[3 * k]);
        rp_pixel(&a.dst, x, y)[c] = rp_sharpen(rp_pixel(&a.src, x, y)[c], rp_sharpen_blur(v));
    }
}

extern "C" int rp_cuda_sharpen(struct rp_stream *stream, const struct rp_op_sharpen *a)
{
    if (a->src.w < 1 || a->src.h < 1)
        return 0;
    RP_LAUNCH(stream, rp_grid(a->src.w, a->src.h), rp_tile(), sharpen, *a);
    return rp_cuda_launched("sharpen");
}

/* ---- masks, matrices, ages ------------------------------------------------------------------- */

static __global__ void __launch_bounds__(256)
    mask_erode(const __grid_constant__ struct rp_op_mask_erode a)
{
    const int x = rp_my_x(), y = rp_my_y();

    if (x < a.w && y < a.h)
        a.dst[(size_t) y * a.w + x] = rp_mask_erode(a.a, a.b, a.w, a.h, x, y);
}

extern "C" int rp_cuda_mask_erode(struct rp_stream *stream, const struct rp_op_mask_erode *a)
{
    if (a->w < 1 || a->h < 1)
        return 0;
    RP_LAUNCH(stream, rp_grid(a->w, a->h), rp_tile(), mask_erode, *a);
    return rp_cuda_launched("mask_erode");
}

static __global__ void affine_scale(const __grid_constant__ struct rp_op_affine_scale a)
{
    rp_affine_scale(a.dst, a.src, a.factor);
}

extern "C" int rp_cuda_affine_scale(struct rp_stream *stream, const struct rp_op_affine_scale *a)
{
    RP_LAUNCH(stream, 1, 1, affine_scale, *a);
    return rp_cuda_launched("affine_scale");
}

static __global__ void age_pair(const __grid_constant__ struct rp_op_age_pair a)
{
    rp_age_pair(a.dst, a.face, a.years);
}

extern "C" int rp_cuda_age_pair(struct rp_stream *stream, const struct rp_op_age_pair *a)
{
    RP_LAUNCH(stream, 1, 1, age_pair, *a);
    return rp_cuda_launched("age_pair");
}
