/* Float masks. */
#include "device/cuda/kernel.cuh"
#include "ops/hull_core.h"
#include "ops/mask_core.h"

struct edges {
    int edge[4];
};

static __global__ void __launch_bounds__(256)
    box_mask(float *dst, int w, int h, const __grid_constant__ struct edges e)
{
    const int x = rp_my_x(), y = rp_my_y();

    if (x < w && y < h)
        dst[(size_t) y * w + x] = rp_box_value(e.edge, x, y, w, h);
}

extern "C" int rp_cuda_box_mask(struct rp_stream *stream, const struct rp_op_box_mask *a)
{
    struct edges e;

    if (a->w < 1 || a->h < 1)
        return 0;
    rp_box_edges(e.edge, a->w, a->h, a->blur, a->padding);
    RP_LAUNCH(stream, rp_grid(a->w, a->h), rp_tile(), box_mask, a->dst, a->w, a->h, e);
    return rp_cuda_launched("box_mask");
}

/* ---- gaussian -------------------------------------------------------------------------------- */

/* A block computes ACROSS values of a row, or a DOWN_W x DOWN_H tile. The part of the source that
 * it needs, edges mirrored, is in shared memory; with a radius that does not fit there the source
 * itself is read. */
#define ACROSS 256
#define DOWN_W 32
#define DOWN_H 32
#define SHARED_MAX (48 * 1024)

#define ACROSS_BYTES(radius) ((size_t) (ACROSS + 2 * (radius)) * sizeof(float))
#define DOWN_BYTES(radius) ((size_t) (DOWN_H + 2 * (radius)) * DOWN_W * sizeof(float))

static __global__ void __launch_bounds__(ACROSS)
    sum_across(const __grid_constant__ struct rp_op_gaussian a)
{
    RP_SHARED_FLOATS(padded);
    const int radius = a.size / 2, left = (int) blockIdx.x * ACROSS;
    const int n = rp_mini(ACROSS, a.w - left);
    const float *const src = a.src + (size_t) blockIdx.y * a.w;

    for (int i = (int) threadIdx.x; i < n + 2 * radius; i += ACROSS)
        padded[i] = src[rp_reflect101(left - radius + i, a.w)];
    __syncthreads();
    if ((int) threadIdx.x >= n)
        return;
    const float *const p = padded + threadIdx.x;
    float sum = a.kernel[0] * p[0];
    for (int i = 1; i < a.size; i++)
        sum = rp_gaussian_across(sum, a.kernel[i], p[i]);
    a.tmp[(size_t) blockIdx.y * a.w + left + threadIdx.x] = sum;
}

static __global__ void __launch_bounds__(256)
    sum_down(const __grid_constant__ struct rp_op_gaussian a)
{
    RP_SHARED_FLOATS(padded);
    const int radius = a.size / 2, x = rp_my_x(), top = (int) blockIdx.y * DOWN_H;
    const int n = rp_mini(DOWN_H, a.h - top);
    const float *const middle = a.kernel + radius;

    if (x < a.w)
        for (int i = (int) threadIdx.y; i < n + 2 * radius; i += RP_TILE_H)
            padded[i * DOWN_W + (int) threadIdx.x] =
                a.tmp[(size_t) rp_reflect101(top - radius + i, a.h) * a.w + x];
    __syncthreads();
    if (x >= a.w)
        return;
    for (int y = (int) threadIdx.y; y < n; y += RP_TILE_H) {
        const float *const p = padded + (y + radius) * DOWN_W + threadIdx.x;
        float sum = middle[0] * p[0];

        for (int i = 1; i <= radius; i++)
            sum = rp_gaussian_down(sum, middle[i], p[-i * DOWN_W], p[i * DOWN_W]);
        a.dst[(size_t) (top + y) * a.w + x] = sum;
    }
}

static __global__ void __launch_bounds__(256)
    sum_across_slowly(const __grid_constant__ struct rp_op_gaussian a)
{
    const int x = rp_my_x(), y = rp_my_y(), first = x - a.size / 2;
    const float *const src = a.src + (size_t) y * a.w;

    if (x >= a.w || y >= a.h)
        return;
    float sum = a.kernel[0] * src[rp_reflect101(first, a.w)];
    for (int i = 1; i < a.size; i++)
        sum = rp_gaussian_across(sum, a.kernel[i], src[rp_reflect101(first + i, a.w)]);
    a.tmp[(size_t) y * a.w + x] = sum;
}

static __global__ void __launch_bounds__(256)
    sum_down_slowly(const __grid_constant__ struct rp_op_gaussian a)
{
    const int x = rp_my_x(), y = rp_my_y(), radius = a.size / 2;
    const float *const middle = a.kernel + radius;

    if (x >= a.w || y >= a.h)
        return;
    float sum = middle[0] * a.tmp[(size_t) y * a.w + x];
    for (int i = 1; i <= radius; i++)
        sum = rp_gaussian_down(sum, middle[i], a.tmp[(size_t) rp_reflect101(y - i, a.h) * a.w + x],
                              a.tmp[(size_t) rp_reflect101(y + i, a.h) * a.w + x]);
    a.dst[(size_t) y * a.w + x] = sum;
}

extern "C" int rp_cuda_gaussian(struct rp_stream *stream, const struct rp_op_gaussian *a)
{
    const size_t across = ACROSS_BYTES(a->size / 2), down = DOWN_BYTES(a->size / 2);

    if (a->w < 1 || a->h < 1)
        return 0;
    if (across <= SHARED_MAX)
        RP_LAUNCH_SHARED(stream, dim3(rp_div_up(a->w, ACROSS), (unsigned) a->h), ACROSS, across,
                         sum_across, *a);
    else
        RP_LAUNCH(stream, rp_grid(a->w, a->h), rp_tile(), sum_across_slowly, *a);
    if (down <= SHARED_MAX)
        RP_LAUNCH_SHARED(stream, dim3(rp_div_up(a->w, DOWN_W), rp_div_up(a->h, DOWN_H)), rp_tile(),
                         down, sum_down, *a);
    else
        RP_LAUNCH(stream, rp_grid(a->w, a->h), rp_tile(), sum_down_slowly, *a);
    return rp_cuda_launched("gaussian");
}

/* ---- one value from one value ---------------------------------------------------------------- */

#define LINEAR 256

static __global__ void __launch_bounds__(LINEAR)
    mask_min(const __grid_constant__ struct rp_op_mask_min a)
{
    const int i = (int) (blockIdx.x * LINEAR + threadIdx.x);

    if (i < a.n)
        a.dst[i] = rp_mask_min(a.a[i], a.b ? a.b[i] : a.a[i]);
}

extern "C" int rp_cuda_mask_min(struct rp_stream *stream, const struct rp_op_mask_min *a)
{
    if (a->n < 1)
        return 0;
    RP_LAUNCH(stream, rp_div_up(a->n, LINEAR), LINEAR, mask_min, *a);
    return rp_cuda_launched("mask_min");
}

static __global__ void __launch_bounds__(LINEAR)
    mask_ramp(const __grid_constant__ struct rp_op_mask_ramp a)
{
    const int i = (int) (blockIdx.x * LINEAR + threadIdx.x);

    if (i < a.n)
        a.dst[i] = rp_mask_ramp(a.src[i]);
}

extern "C" int rp_cuda_mask_ramp(struct rp_stream *stream, const struct rp_op_mask_ramp *a)
{
    if (a->n < 1)
        return 0;
    RP_LAUNCH(stream, rp_div_up(a->n, LINEAR), LINEAR, mask_ramp, *a);
    return rp_cuda_launched("mask_ramp");
}

static __global__ void __launch_bounds__(LINEAR)
    class_mask(const __grid_constant__ struct rp_op_class_mask a)
{
    const int i = (int) (blockIdx.x * LINEAR + threadIdx.x);
    int chosen = 0;

    if (i >= a.n)
        return;
    float best = a.src[i];
#pragma unroll 4
    for (int c = 1; c < a.classes; c++) {
        const float v = a.src[(size_t) c * a.n + i];

        if (rp_class_wins(v, best)) {
            best = v;
            chosen = c;
        }
    }
    a.dst[i] = rp_class_value(a.use, chosen);
}

extern "C" int rp_cuda_class_mask(struct rp_stream *stream, const struct rp_op_class_mask *a)
{
    if (a->n < 1)
        return 0;
    RP_LAUNCH(stream, rp_div_up(a->n, LINEAR), LINEAR, class_mask, *a);
    return rp_cuda_launched("class_mask");
}

/* ---- mask_warp ------------------------------------------------------------------------------- */

static __global__ void __launch_bounds__(256)
    mask_warp(const __grid_constant__ struct rp_op_mask_warp a)
{
    __shared__ struct rp_warp_line line[RP_TILE_H];
    const int x = rp_my_x(), y = rp_my_y(), t = rp_my_number();
    float tx, ty;

    if (t < RP_TILE_H) {
        double m[6];

        rp_mask_warp_map(m, a.src_affine->m, a.dst_affine->inv);
        line[t] = rp_warp_line(m, 0.0, 0.0, (int) blockIdx.y * RP_TILE_H + t);
    }
    __syncthreads();
    if (x >= a.dw || y >= a.dh)
        return;
    const int ix = rp_warp_split(rp_warp_x(&line[threadIdx.y], x), a.sw, &tx);
    const int iy = rp_warp_split(rp_warp_y(&line[threadIdx.y], x), a.sh, &ty);
    a.dst[(size_t) y * a.dw + x] = rp_mask_sample(a.src, a.sw, a.sh, ix, iy, tx, ty);
}

extern "C" int rp_cuda_mask_warp(struct rp_stream *stream, const struct rp_op_mask_warp *a)
{
    if (a->dw < 1 || a->dh < 1)
        return 0;
    RP_LAUNCH(stream, rp_grid(a->dw, a->dh), rp_tile(), mask_warp, *a);
    return rp_cuda_launched("mask_warp");
}

/* ---- hull_mask ------------------------------------------------------------------------------- */

#define HULL_WARPS 8 /* one row each */
#define HULL_THREADS (HULL_WARPS * RP_WARP)
#define POINTS 68

struct hull_work {
    struct rp_point point[POINTS], sorted[POINTS];
    uint8_t kept[POINTS]; /* chosen, and no duplicate */
    struct rp_point chain[2][POINTS + 1];
    int n, length[2];
    struct rp_hull hull;
};

RP_DEV bool same_point(struct rp_point a, struct rp_point b)
{
    return a.x == b.x && a.y == b.y;
}

/* rp_hull_make() by a block: a thread per point finds its place in the order, then two threads of
 * different warps build the two chains. */
RP_DEV void make_hull(const struct rp_op_hull_mask *a, struct hull_work *w)
{
    const int t = (int) threadIdx.x;
    bool kept = t < POINTS && a->use[t];

    if (kept) {
        double p[2];

        rp_affine_apply(a->affine->m, a->face->lm68[2 * t], a->face->lm68[2 * t + 1], p);
        w->point[t].x = rp_hull_pixel(p[0]);
        w->point[t].y = rp_hull_pixel(p[1]);
    }
    if (t < POINTS)
        w->kept[t] = kept;
    __syncthreads();
    for (int i = 0; i < t && kept; i++)
        if (w->kept[i] && same_point(w->point[i], w->point[t]))
            kept = false;
    const int n = __syncthreads_count(kept);
    if (t < POINTS)
        w->kept[t] = kept;
    __syncthreads();
    if (kept) {
        int place = 0;

        for (int i = 0; i < POINTS; i++)
            place += w->kept[i] && rp_point_before(w->point[i], w->point[t]);
        w->sorted[place] = w->point[t];
    }
    __syncthreads();
    if (t % RP_WARP == 0 && t / RP_WARP < 2 && n > 1) {
        const int k = t / RP_WARP;
        int length = 0;

        for (int i = 0; i < n; i++)
            rp_hull_add(w->chain[k], &length, 0, w->sorted[k ? n - 1 - i : i]);
        w->length[k] = length;
    }
    __syncthreads();
    if (n < 2) {
        if (t == 0) {
            w->hull.n = n;
            w->hull.p[0] = w->sorted[0];
        }
    } else { /* each chain without its last point, the first of the other */
        const int first = w->length[0] - 1, both = first + w->length[1] - 1;

        if (t == 0)
            w->hull.n = both;
        for (int i = t; i < both; i += HULL_THREADS)
            w->hull.p[i] = i < first ? w->chain[0][i] : w->chain[1][i - first];
    }
    __syncthreads();
}

RP_DEV int64_t warp_min(int64_t v)
{
#pragma unroll
    for (int k = RP_WARP / 2; k; k /= 2) {
        const int64_t o = __shfl_xor_sync(RP_ALL_LANES, (long long) v, k);

        v = o < v ? o : v;
    }
    return v;
}

/* rp_hull_row() by a warp: the lanes share the edges, then the pixels. */
RP_DEV void hull_row(const struct rp_hull *hull, int y, int w, int h, float *row)
{
    const int lane = (int) threadIdx.x % RP_WARP;
    int64_t lo = INT64_MAX, hi = INT64_MIN;

    for (int i = lane; i < hull->n && hull->n >= 3; i += RP_WARP)
        rp_hull_edge(hull->p[i], hull->p[i + 1 < hull->n ? i + 1 : 0], y, &lo, &hi);
    lo = warp_min(lo);
    hi = -1 - warp_min(-1 - hi); /* -1 - v, not -v: that of the minimum does not overflow */
    for (int x = lane; x < w; x += RP_WARP)
        row[x] = x >= lo && x <= hi ? 1.0f : 0.0f;
    __syncwarp();
    for (int i = lane; i < hull->n; i += RP_WARP)
        rp_hull_line(hull->p[i], hull->p[i + 1 < hull->n ? i + 1 : 0], y, w, h, row);
}

static __global__ void __launch_bounds__(HULL_THREADS)
    hull_mask(const __grid_constant__ struct rp_op_hull_mask a)
{
    __shared__ struct hull_work work;
    const int y = (int) (blockIdx.x * HULL_WARPS + threadIdx.x / RP_WARP);

    make_hull(&a, &work);
    if (y < a.h)
        hull_row(&work.hull, y, a.w, a.h, a.dst + (size_t) y * a.w);
}

extern "C" int rp_cuda_hull_mask(struct rp_stream *stream, const struct rp_op_hull_mask *a)
{
    if (a->w < 1 || a->h < 1)
        return 0;
    RP_LAUNCH(stream, rp_div_up(a->h, HULL_WARPS), HULL_THREADS, hull_mask, *a);
    return rp_cuda_launched("hull_mask");
}
