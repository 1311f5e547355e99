/* Convolutions. */
#include "device/cuda/net_conv.cuh"

/* ---- multiplying -------------------------------------------------------------------------------
 */

/* How numbers are multiplied: float16, and float32 as RP_PRODUCT_TF32 and RP_PRODUCT_FULL say. */
enum way { BY_TF32, BY_HALF, BY_FULL, WAYS };
template <way BY> struct stored {
    enum { type = BY == BY_HALF ? RP_ACT_F16 : RP_ACT_F32 };
};

#ifdef __CUDACC__
/* A word of an operand as the units want it. What TF32 leaves of a number of float32 is a number
 * itself, whose own 11 bits make almost all of it. */
template <way BY> RP_DEV void take(uint32_t *word, uint32_t *rest)
{
    if (BY == BY_HALF)
        return;
    const uint32_t high = rp_to_tf32(*word);

    if (BY == BY_FULL)
        *rest = rp_to_tf32(__float_as_uint(__uint_as_float(*word) - __uint_as_float(high)));
    *word = high;
}

/* One step of a warp: WM x WN of the tile. */
template <way BY, int WM, int WN>
RP_DEV void multiply(float sum[WM / 16][WN / 8][4], const char *a, const char *b)
{
    const int lane = (int) threadIdx.x % RP_WARP;
    const int row_a = lane % 16, piece_a = lane / 16;
    const int row_b = lane % 8 + lane / 16 * 8, piece_b = lane / 8 % 2;

#pragma unroll
    for (int k = 0; k < PIECES; k += 2) {
        uint32_t fa[WM / 16][4], fb[WN / 8][2], rest_a[WM / 16][4], rest_b[WN / 8][2];

#pragma unroll
        for (int i = 0; i < WM / 16; i++) {
            rp_rows_of_four(fa[i],
                            a + (i * 16 + row_a) * ROW + (((k + piece_a) ^ (row_a & 7)) * 16));
#pragma unroll
            for (int j = 0; j < 4; j++)
                take<BY>(&fa[i][j], &rest_a[i][j]);
        }
#pragma unroll
        for (int i = 0; i < WN / 16; i++) {
            uint32_t r[4];

            rp_rows_of_four(r, b + (i * 16 + row_b) * ROW + (((k + piece_b) ^ (row_b & 7)) * 16));
#pragma unroll
            for (int j = 0; j < 4; j++) {
                fb[i * 2 + j / 2][j % 2] = r[j];
                take<BY>(&fb[i * 2 + j / 2][j % 2], &rest_b[i * 2 + j / 2][j % 2]);
            }
        }
#pragma unroll
        for (int i = 0; i < WM / 16; i++)
#pragma unroll
            for (int j = 0; j < WN / 8; j++) {
                if (BY == BY_HALF) {
                    rp_mma_half(sum[i][j], fa[i], fb[j]);
                    continue;
                }
                if (BY == BY_FULL) {
                    rp_mma_float(sum[i][j], rest_a[i], fb[j]);
                    rp_mma_float(sum[i][j], fa[i], rest_b[j]);
                }
                rp_mma_float(sum[i][j], fa[i], fb[j]);
            }
    }
}
#else
/* What each lane holds of it, without the units' way of sharing operands. */
template <way BY, int WM, int WN>
static void multiply(float sum[WM / 16][WN / 8][4], const char *a, const char *b)
{
    const int lane = (int) threadIdx.x % RP_WARP, type = stored<BY>::type;
    const int count = BY == BY_HALF ? 8 : 4;

    for (int i = 0; i < WM / 16 * (WN / 8) * 4; i++) {
        const int row = i / (WN / 8) / 4 * 16 + lane / 4 + i % 4 / 2 * 8;
        const int out = i / 4 % (WN / 8) * 8 + lane % 4 * 2 + i % 2;
        float *const to = &sum[0][0][0] + i;

        for (int k = 0; k < PIECES; k++)
            for (int j = 0; j < count; j++)
                *to += rp_number_get(a + row * ROW + ((k ^ (row & 7)) * 16), type, j) *
                       rp_number_get(b + out * ROW + ((k ^ (out & 7)) * 16), type, j);
    }
}
#endif

/* ---- the kernel ---------------------------------------------------------------------------------
 */

template <way BY, int BM, int BN, int WM, int WN, bool SIMPLE>
static __global__ void __launch_bounds__(BM / WM * (BN / WN) * RP_WARP)
    conv_tiles(const __grid_constant__ struct rp_op_net_conv a, const __grid_constant__ conv_plan p)
{
    enum { THREADS = BM / WM * (BN / WN) * RP_WARP, STAGE = (BM + BN) * ROW };
    RP_SHARED_FLOATS(shared_floats);
    char *const shared = (char *) shared_floats;
    const int group = (int) blockIdx.z / p.splits, split = (int) blockIdx.z % p.splits;
    const int m0 = (int) blockIdx.x * BM, n0 = (int) blockIdx.y * BN;
    const int first = p.steps * split / p.splits, end = p.steps * (split + 1) / p.splits;
    const int warp = (int) threadIdx.x / RP_WARP;
    const int wm = warp % (BM / WM) * WM, wn = warp / (BM / WM) * WN;
    float sum[WM / 16][WN / 8][4];
    fetcher<stored<BY>::type, BM, BN, THREADS, SIMPLE> f;
    int scale_c, room = RP_ACT_ROUND(a.src.c / a.groups);

#pragma unroll
    for (int i = 0; i < WM / 16; i++)
#pragma unroll
        for (int j = 0; j < WN / 8; j++)
#pragma unroll
            for (int h = 0; h < 4; h++)
                sum[i][j][h] = 0;
    f.start(a, p, m0, n0, group, first, shared);
    scale_c = f.c;
    rp_after_others();
    for (int s = 0; s < p.stages - 1; s++) {
        if (first + s < end)
            f.step(a, p, s);
        rp_fetch_group();
    }
    int stage = 0, next = p.stages - 1;
#pragma unroll 1
    for (int s = first; s < end; s++) {
        rp_fetch_wait(p.stages - 2);
        if (a.in_scale) {
            f.scale(a, p, group, stage, scale_c);
            scale_c = (scale_c + ROW / (BY == BY_HALF ? 2 : 4)) % room;
        }
        __syncthreads();
        if (s + p.stages - 1 < end)
            f.step(a, p, next);
        rp_fetch_group();
        multiply<BY, WM, WN>(sum, shared + stage * STAGE + wm * ROW,
                             shared + stage * STAGE + (BM + wn) * ROW);
        stage = stage + 1 == p.stages ? 0 : stage + 1;
        next = next + 1 == p.stages ? 0 : next + 1;
    }
    if (p.splits > 1) {
        const int tile =
            ((int) blockIdx.z / p.splits * (int) gridDim.y + (int) blockIdx.y) * (int) gridDim.x +
            (int) blockIdx.x;
        if (!join<WM * WN / 32>(&sum[0][0][0], a.work, tile, split, p.splits))
            return;
    }
    rp_fetch_wait(0);
    __syncthreads(); /* nobody reads what was fetched any more */
    const in_rows place = {m0 + wm, p.pixels};
    finish<WM, WN>(a, p, sum, shared_floats + warp * 16 * (WN + PITCH), place, n0 + wn, group);
}

/* ---- others
 * -------------------------------------------------------------------------------------- */

/* Depthwise, 8 channels of a pixel in a thread; neighbours have neighbouring channels. */
template <int TYPE>
static __global__ void __launch_bounds__(256)
    conv_depthwise(const __grid_constant__ struct rp_op_net_conv a,
                   const __grid_constant__ conv_plan p)
{
    const int pieces = RP_ACT_ROUND(a.src.c) / 8;
    const int64_t i = (int64_t) blockIdx.x * blockDim.x + threadIdx.x;
    const int m = (int) (i / pieces), c = (int) (i % pieces) * 8;
    const int n = m / (p.height * p.width), q = m % (p.height * p.width);
    alignas(16) float v[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    float s[8], w[8];

    if (m >= p.pixels)
        return;
    for (int ky = 0; ky < a.kh; ky++) {
        const int sy = rp_pad_source(q / p.width * a.stride_h - a.pad_top + ky * a.dilation_h,
                                     a.src.h, a.up, a.pad_mode);
        if (sy < 0)
            continue;
        for (int kx = 0; kx < a.kw; kx++) {
            const int sx = rp_pad_source(q % p.width * a.stride_w - a.pad_left + kx * a.dilation_w,
                                         a.src.w, a.up, a.pad_mode);
            if (sx < 0)
                continue;
            rp_eight_get(a.src.data, TYPE, rp_act_at(&a.src, n, sy, sx, c), s);
            rp_eight_get(a.weights, TYPE, (int64_t) (ky * a.kw + kx) * RP_ACT_ROUND(a.src.c) + c,
                         w);
#pragma unroll
            for (int j = 0; j < 8; j++) {
                if (a.in_scale && c + j < a.src.c)
                    s[j] *= a.in_scale[(int64_t) n * a.src.c + c + j];
                v[j] = fmaf(s[j], w[j], v[j]);
            }
        }
    }
    if (p.quick) {
        finish_eight(a, p, v, m, c, a.src.c);
        return;
    }
#pragma unroll
    for (int j = 0; j < 8; j++)
        if (c + j < a.src.c)
            rp_conv_finish(&a, v[j], n, q / p.width, q % p.width, c + j);
}

/* Any, one number in a thread: groups whose channels are no multiple of 8. */
static __global__ void __launch_bounds__(256)
    conv_any(const __grid_constant__ struct rp_op_net_conv a, const __grid_constant__ conv_plan p)
{
    const int out = rp_conv_out(&a), each = a.src.c / a.groups;
    const int64_t i = (int64_t) blockIdx.x * blockDim.x + threadIdx.x;
    const int m = (int) (i / out), o = (int) (i % out), group = o / p.out;
    const int n = m / (p.height * p.width), q = m % (p.height * p.width);
    float sum = 0;

    if (m >= p.pixels)
        return;
    for (int t = 0; t < a.kh * a.kw; t++) {
        const int sy = rp_pad_source(q / p.width * a.stride_h - a.pad_top + t / a.kw * a.dilation_h,
                                     a.src.h, a.up, a.pad_mode);
        const int sx =
            rp_pad_source(q % p.width * a.stride_w - a.pad_left + t % a.kw * a.dilation_w, a.src.w,
                          a.up, a.pad_mode);
        if (sy < 0 || sx < 0)
            continue;
        for (int c = 0; c < each; c++) {
            float s = rp_act_get(&a.src, n, sy, sx, group * each + c);

            if (a.in_scale)
                s *= a.in_scale[(int64_t) n * a.src.c + group * each + c];
            sum = fmaf(s, rp_number_get(a.weights, a.src.type, rp_conv_weight(&a, o, t, c)), sum);
        }
    }
    rp_conv_finish(&a, sum, n, q / p.width, q % p.width, o);
}

/* ---- launching
 * ----------------------------------------------------------------------------------- */

struct conv_tile {
    int m, n, threads;
    float fixed, step; /* microseconds of a block, and of each of its steps, as measured */
    int at_once;       /* on a processor */
    void (*kernel[WAYS][2])(struct rp_op_net_conv, conv_plan); /* not simple, simple */
};

#define KERNEL(by, bm, bn, wm, wn, simple) conv_tiles<by, bm, bn, wm, wn, simple>
#define SIMPLE_ONLY(by, bm, bn, wm, wn)        \
    {                                          \
        NULL, KERNEL(by, bm, bn, wm, wn, true) \
    }
#define BOTH(by, bm, bn, wm, wn)                                            \
    {                                                                       \
        KERNEL(by, bm, bn, wm, wn, false), KERNEL(by, bm, bn, wm, wn, true) \
    }
#define TILE(kernels, bm, bn, wm, wn, fixed, step, at_once)                     \
    {                                                                           \
        bm, bn, bm / wm *(bn / wn) * RP_WARP, fixed, step, at_once,             \
        {                                                                       \
            kernels(BY_TF32, bm, bn, wm, wn), kernels(BY_HALF, bm, bn, wm, wn), \
                kernels(BY_FULL, bm, bn, wm, wn)                                \
        }                                                                       \
    }
static const struct conv_tile conv_table[] = {
    TILE(SIMPLE_ONLY, 128, 128, 64, 32, 6, 1.3f, 1), TILE(BOTH, 128, 64, 32, 32, 4, 0.95f, 2),
    TILE(SIMPLE_ONLY, 64, 64, 32, 32, 4, 0.8f, 3),   TILE(BOTH, 64, 32, 16, 32, 3, 0.65f, 4),
    TILE(SIMPLE_ONLY, 32, 64, 16, 32, 3, 0.5f, 4),
};
#define TILES ((int) (sizeof(conv_table) / sizeof(*conv_table)))

static void size(int tile, int *m, int *n)
{
    *m = conv_table[tile].m;
    *n = conv_table[tile].n;
}

static way way_of(const struct rp_op_net_conv *a)
{
    return a->src.type == RP_ACT_F16 ? BY_HALF : a->product == RP_PRODUCT_FULL ? BY_FULL : BY_TF32;
}

static bool can(const struct rp_op_net_conv *a, const conv_plan &p, int tile)
{
    return conv_table[tile].kernel[way_of(a)][p.simple];
}

static int blocks_of_sum(const struct conv_tile &, const conv_plan &p)
{
    return p.splits;
}

static int choose(const struct rp_op_net_conv *a, const conv_plan &p)
{
    return conv_choose(conv_table, a, p, can);
}

/* Memory of the largest tile does not fit every GPU's processor: fewer steps ahead, then. */
static int launch(struct rp_stream *stream, const struct rp_op_net_conv *a, conv_plan p, int tile)
{
    const struct conv_tile &t = conv_table[tile];
    const dim3 grid(rp_div_up(p.pixels, t.m), rp_div_up(p.out, t.n), a->groups * p.splits);
    const int stage = (t.m + t.n) * ROW;

    p.stages = RP_CLAMP(rp_shared_most() / stage, 2, 4);
    return conv_launch(stream, a, p, grid, t.threads, p.stages * stage,
                       t.kernel[way_of(a)][p.simple]);
}

bool rp_conv_early = false;
const struct conv_kernels rp_conv_kernels = {TILES, size, can, choose, launch};

int rp_conv_one_by_one(struct rp_stream *stream, const struct rp_op_net_conv *a)
{
    const conv_plan p = make_plan(a);
    const int64_t count = (int64_t) p.pixels * p.out * a->groups;

    RP_LAUNCH(stream, (unsigned) ((count + 255) / 256), 256, conv_any, *a, p);
    return rp_cuda_launched("net_conv");
}

const struct conv_kernels *rp_conv_kernels_for(const struct rp_op_net_conv *a)
{
    if (conv_is_for_few(a))
        return &rp_conv_few;
#ifdef __CUDACC__
    if (a->src.type == RP_ACT_F16 && rp_gpu_major() == 9)
        return conv_is_for_patches(a) ? &rp_conv_patch : &rp_conv_hopper;
#endif
    return &rp_conv_kernels;
}

extern "C" int rp_cuda_net_conv(struct rp_stream *stream, const struct rp_op_net_conv *a)
{
    const conv_plan p = make_plan(a);
    const int64_t threads = (int64_t) p.pixels * RP_ACT_ROUND(a->src.c) / 8;

    if (rp_conv_is_depthwise(rp_conv_out(a), a->src.c, a->groups)) {
        RP_LAUNCH(
            stream, (unsigned) ((threads + 255) / 256), 256,
            (a->src.type == RP_ACT_F16 ? conv_depthwise<RP_ACT_F16> : conv_depthwise<RP_ACT_F32>),
            *a, p);
        return rp_cuda_launched("net_conv");
    }
    if (rp_conv_is_odd(a) || (a->product == RP_PRODUCT_EXACT && a->src.type == RP_ACT_F32))
        return rp_conv_one_by_one(stream, a);
    const struct conv_kernels *const kernels = rp_conv_kernels_for(a);
    return kernels->launch(stream, a, p, kernels->choose(a, p));
}
