/* Convolutions. A large one is a product of matrices: rows are the pixels of the result, the sum
 * runs over taps and channels, and of the source's rows only addresses exist. Blocks of tiles; what
 * a tile needs is fetched some steps ahead, while warps multiply. All tiles add in the same order,
 * so that which of them is used changes nothing of the result. */
#include "device/cuda/mma.cuh"
#include "device/cuda/net.cuh"
#include "ops/net_core.h"

#define ROW RP_CONV_STEP /* bytes of a row of a step, 8 pieces of 16 */
#define PIECES (ROW / 16)
#define COUNTERS (RP_NET_COUNTERS / 4)
#define PITCH 4 /* more floats in a row of the results that a warp turns */

/* What the kernel wants to know beside the arguments. */
struct conv_plan {
    int pixels, out, row, height, width; /* of all pictures; of a group; of a sum; of a result */
    int splits, stages, steps;
    bool simple; /* see fetcher */
    bool quick;  /* the end works on 8 channels at a time */
};

template <int TYPE> struct number;
template <> struct number<RP_ACT_F32> {
    typedef float type;
};
template <> struct number<RP_ACT_F16> {
    typedef uint16_t type;
};

/* ---- fetching ---------------------------------------------------------------------------------
 */

/* One thread's part of all steps: piece `piece` of some rows of A (pixels) and B (outputs). SIMPLE:
 * the source is neither enlarged nor mirrored, and the window is not larger than 16. */
template <int TYPE, int BM, int BN, int THREADS, bool SIMPLE> struct fetcher {
    typedef typename number<TYPE>::type T;
    static const int EACH = 16 / sizeof(T), STEP = ROW / sizeof(T);
    static const int STRIDE = THREADS / PIECES, A = BM / STRIDE, B = BN / STRIDE;

    int at[A];             /* of the first tap in the source; else of the picture */
    uint32_t in[A];        /* taps that are in the source: rows, and from bit 16 on columns */
    int y[SIMPLE ? 1 : A]; /* of the first tap in the enlarged source */
    int x[SIMPLE ? 1 : A];
    int m; /* the first row's pixel */
    const T *weight;
    int apart;        /* from a row of B to the next of this thread */
    int rows;         /* of B that there are */
    int ky, kx, c, k; /* where the next step begins */
    char *to;

    RP_DEV_METHOD void start(const struct rp_op_net_conv &a, const conv_plan &p, int m0, int n0,
                             int group, int first_step, char *shared)
    {
        const int piece = (int) threadIdx.x % PIECES, row = (int) threadIdx.x / PIECES;
        const int each = a.src.c / a.groups, room = RP_ACT_ROUND(each);

        to = shared + row * ROW + ((piece ^ (row & 7)) * 16);
        k = first_step * STEP + piece * EACH;
        c = k % room;
        kx = k / room % a.kw;
        ky = k / room / a.kw;
        m = m0 + row;
#pragma unroll
        for (int i = 0; i < A; i++)
            start_row(a, p, i, group * each);
        weight = (const T *) a.weights + (int64_t) (group * p.out + n0 + row) * p.row + k;
        apart = STRIDE * p.row;
        rows = p.out - n0 - row;
    }

    RP_DEV_METHOD void start_row(const struct rp_op_net_conv &a, const conv_plan &p, int i,
                                 int first)
    {
        const int pixel = m + i * STRIDE, n = pixel / (p.height * p.width);
        const int q = pixel % (p.height * p.width);
        const int sy = q / p.width * a.stride_h - a.pad_top;
        const int sx = q % p.width * a.stride_w - a.pad_left;

        if (SIMPLE) {
            at[i] = ((n * a.src.h + sy) * a.src.w + sx) * a.src.ld + first;
            in[i] = 0;
            for (int t = 0; t < a.kh; t++)
                in[i] |= (uint32_t) ((unsigned) (sy + t * a.dilation_h) < (unsigned) a.src.h) << t;
            for (int t = 0; t < a.kw; t++)
                in[i] |= (uint32_t) ((unsigned) (sx + t * a.dilation_w) < (unsigned) a.src.w)
                         << (16 + t);
        } else {
            y[i] = sy;
            x[i] = sx;
            at[i] = n * a.src.h * a.src.w * a.src.ld + first;
            in[i] = 1;
        }
        if (pixel >= p.pixels)
            in[i] = 0;
    }

    /* The source of row i of this step, and whether it is there or a zero. */
    RP_DEV_METHOD bool source(const struct rp_op_net_conv &a, int i, int tap, int *from) const
    {
        if (SIMPLE) {
            *from = at[i] + tap;
            return (in[i] >> ky) & (in[i] >> (16 + kx)) & 1;
        }
        const int fy = rp_pad_source(y[i] + ky * a.dilation_h, a.src.h, a.up, a.pad_mode);
        const int fx = rp_pad_source(x[i] + kx * a.dilation_w, a.src.w, a.up, a.pad_mode);
        *from = at[i] + (fy * a.src.w + fx) * a.src.ld + c;
        return fy >= 0 && fx >= 0 && in[i];
    }

    RP_DEV_METHOD void step(const struct rp_op_net_conv &a, const conv_plan &p, int stage)
    {
        char *const here = to + stage * (BM + BN) * ROW;
        const bool more = k < p.row;
        const int tap = (ky * a.dilation_h * a.src.w + kx * a.dilation_w) * a.src.ld + c;

#pragma unroll
        for (int i = 0; i < A; i++) {
            int from;
            const bool have = source(a, i, tap, &from) && more;

            rp_fetch(here + i * STRIDE * ROW, (const T *) a.src.data + (have ? from : 0), have);
        }
#pragma unroll
        for (int i = 0; i < B; i++) {
            const bool have = more && i * STRIDE < rows;

            rp_fetch(here + (BM + i * STRIDE) * ROW,
                     have ? weight + i * apart : (const T *) a.weights, have);
        }
        advance(a);
    }

    RP_DEV_METHOD void advance(const struct rp_op_net_conv &a)
    {
        const int room = RP_ACT_ROUND(a.src.c / a.groups);

        k += STEP;
        c += STEP;
        weight += STEP;
        while (c >= room) {
            c -= room;
            if (++kx == a.kw) {
                kx = 0;
                ky++;
            }
        }
    }

    /* Multiplies the pieces that this thread fetched; c0: the channel of its piece. */
    RP_DEV_METHOD void scale(const struct rp_op_net_conv &a, const conv_plan &p, int group,
                             int stage, int c0)
    {
        char *const here = to + stage * (BM + BN) * ROW;
        const int each = a.src.c / a.groups;

#pragma unroll
        for (int i = 0; i < A; i++) {
            T *const v = (T *) (here + i * STRIDE * ROW);
            const int n = (m + i * STRIDE) / (p.height * p.width);
            const float *const s = a.in_scale + (int64_t) n * a.src.c + group * each + c0;

            if (m + i * STRIDE >= p.pixels)
                continue;
#pragma unroll
            for (int j = 0; j < EACH; j++)
                if (c0 + j < each)
                    rp_number_put(v, TYPE, j, rp_number_get(v, TYPE, j) * s[j]);
        }
    }
};

/* ---- multiplying -------------------------------------------------------------------------------
 */

#ifdef __CUDACC__
/* One step of a warp: WM x WN of the tile. */
template <int TYPE, int WM, int WN>
RP_DEV void multiply(float sum[WM / 16][WN / 8][4], const char *a, const char *b)
{
    const int lane = (int) threadIdx.x % RP_WARP;
    const int row_a = lane % 16, piece_a = lane / 16;
    const int row_b = lane % 8 + lane / 16 * 8, piece_b = lane / 8 % 2;

#pragma unroll
    for (int k = 0; k < PIECES; k += 2) {
        uint32_t fa[WM / 16][4], fb[WN / 8][2];

#pragma unroll
        for (int i = 0; i < WM / 16; i++) {
            rp_rows_of_four(fa[i],
                            a + (i * 16 + row_a) * ROW + (((k + piece_a) ^ (row_a & 7)) * 16));
            if (TYPE == RP_ACT_F32)
                for (int j = 0; j < 4; j++)
                    fa[i][j] = rp_to_tf32(fa[i][j]);
        }
#pragma unroll
        for (int i = 0; i < WN / 16; i++) {
            uint32_t r[4];

            rp_rows_of_four(r, b + (i * 16 + row_b) * ROW + (((k + piece_b) ^ (row_b & 7)) * 16));
#pragma unroll
            for (int j = 0; j < 4; j++)
                fb[i * 2 + j / 2][j % 2] = TYPE == RP_ACT_F32 ? rp_to_tf32(r[j]) : r[j];
        }
#pragma unroll
        for (int i = 0; i < WM / 16; i++)
#pragma unroll
            for (int j = 0; j < WN / 8; j++)
                if (TYPE == RP_ACT_F16)
                    rp_mma_half(sum[i][j], fa[i], fb[j]);
                else
                    rp_mma_float(sum[i][j], fa[i], fb[j]);
    }
}
#else
/* What each lane holds of it, without the units' way of sharing operands. */
template <int TYPE, int WM, int WN>
static void multiply(float sum[WM / 16][WN / 8][4], const char *a, const char *b)
{
    const int lane = (int) threadIdx.x % RP_WARP, count = TYPE == RP_ACT_F16 ? 8 : 4;

    for (int i = 0; i < WM / 16 * (WN / 8) * 4; i++) {
        const int row = i / (WN / 8) / 4 * 16 + lane / 4 + i % 4 / 2 * 8;
        const int out = i / 4 % (WN / 8) * 8 + lane % 4 * 2 + i % 2;
        float *const to = &sum[0][0][0] + i;

        for (int k = 0; k < PIECES; k++)
            for (int j = 0; j < count; j++)
                *to += rp_number_get(a + row * ROW + ((k ^ (row & 7)) * 16), TYPE, j) *
                       rp_number_get(b + out * ROW + ((k ^ (out & 7)) * 16), TYPE, j);
    }
}
#endif

/* ---- the end -----------------------------------------------------------------------------------
 */

/* 8 channels of a pixel from channel o on, where nothing is shuffled and `add`, if there is one,
 * has dst's sizes. */
RP_DEV void finish_eight(const struct rp_op_net_conv &a, const conv_plan &p, const float *from,
                         int m, int o, int out)
{
    const int64_t n = a.out_scale || a.post_scale ? m / (p.height * p.width) : 0;
    float v[8];

    if (o >= RP_ACT_ROUND(out))
        return;
#pragma unroll
    for (int j = 0; j < 8; j++) {
        v[j] = from[j];
        if (a.out_scale && o + j < out)
            v[j] *= a.out_scale[n * out + o + j];
        if (a.bias && o + j < out)
            v[j] += a.bias[o + j];
    }
    float add[8];
    if (a.add.data)
        rp_eight_get(a.add.data, a.add.type, (int64_t) m * a.add.ld + o, add);
    if (a.add.data && !a.add_last)
        rp_eight_add(v, add);
    rp_eight_then(&a.then, v, o, out);
    if (a.add.data && a.add_last)
        rp_eight_add(v, add);
#pragma unroll
    for (int j = 0; j < 8; j++) {
        if (a.post_scale && o + j < out)
            v[j] *= a.post_scale[n * out + o + j];
        if (o + j >= out)
            v[j] = 0;
    }
    rp_eight_put(a.dst.data, a.dst.type, (int64_t) m * a.dst.ld + o, v);
    if (!a.also.data)
        return;
#pragma unroll
    for (int j = 0; j < 8; j++) {
        if (a.also_scale && o + j < out)
            v[j] *= a.also_scale[o + j];
        if (a.also_shift && o + j < out)
            v[j] += a.also_shift[o + j];
    }
    rp_eight_then(&a.also_then, v, o, out);
#pragma unroll
    for (int j = 0; j < 8; j++)
        v[j] = o + j < out ? v[j] : 0;
    rp_eight_put(a.also.data, a.also.type, (int64_t) m * a.also.ld + o, v);
}

/* 16 rows of a warp's results at a time, turned by way of shared memory so that a thread has
 * neighbouring channels. */
template <int WM, int WN>
RP_DEV void finish(const struct rp_op_net_conv &a, const conv_plan &p,
                   const float sum[WM / 16][WN / 8][4], float *turn, int m0, int o0, int group)
{
    const int lane = (int) threadIdx.x % RP_WARP, out = rp_conv_out(&a);
    const int wide = WN + PITCH;

#pragma unroll
    for (int i = 0; i < WM / 16; i++) {
#pragma unroll
        for (int j = 0; j < WN / 8; j++)
#pragma unroll
            for (int h = 0; h < 4; h++)
                turn[(lane / 4 + h / 2 * 8) * wide + j * 8 + lane % 4 * 2 + h % 2] = sum[i][j][h];
        __syncwarp();
#pragma unroll 1
        for (int q = lane; q < 16 * WN / 8; q += RP_WARP) {
            const int m = m0 + i * 16 + q / (WN / 8), o = o0 + q % (WN / 8) * 8;
            const float *const from = turn + q / (WN / 8) * wide + q % (WN / 8) * 8;

            if (m >= p.pixels)
                continue;
            if (p.quick) {
                finish_eight(a, p, from, m, o, out);
                continue;
            }
            const int n = m / (p.height * p.width), r = m % (p.height * p.width);
#pragma unroll 1
            for (int j = 0; j < 8 && o + j < p.out; j++)
                rp_conv_finish(&a, from[j], n, r / p.width, r % p.width, group * p.out + o + j);
        }
        __syncwarp();
    }
}

/* Parts of a sum: every block leaves its own, and the last one to come adds them up, in order. */
template <int COUNT> RP_DEV bool join(float *sum, void *work, int tile, int split, int splits)
{
    __shared__ int last;
    float4 *const parts = (float4 *) ((char *) work + RP_NET_COUNTERS);
    const int threads = (int) blockDim.x, me = (int) threadIdx.x;
    const int64_t first = (int64_t) tile * splits * (COUNT / 4) * threads;

#pragma unroll
    for (int i = 0; i < COUNT / 4; i++)
        parts[first + ((int64_t) split * (COUNT / 4) + i) * threads + me] =
            make_float4(sum[4 * i], sum[4 * i + 1], sum[4 * i + 2], sum[4 * i + 3]);
    __threadfence();
    __syncthreads();
    if (me == 0) {
        last = atomicAdd((int *) work + tile, 1) == splits - 1;
        if (last)
            ((int *) work)[tile] = 0;
    }
    __syncthreads();
    if (!last)
        return false;
    __threadfence();
#pragma unroll
    for (int i = 0; i < COUNT; i++)
        sum[i] = 0;
#pragma unroll 1
    for (int s = 0; s < splits; s++)
#pragma unroll
        for (int i = 0; i < COUNT / 4; i++) {
            const float4 v = __ldcg(&parts[first + ((int64_t) s * (COUNT / 4) + i) * threads + me]);

            sum[4 * i] += v.x;
            sum[4 * i + 1] += v.y;
            sum[4 * i + 2] += v.z;
            sum[4 * i + 3] += v.w;
        }
    return true;
}

/* ---- the kernel ---------------------------------------------------------------------------------
 */

template <int TYPE, int BM, int BN, int WM, int WN, bool SIMPLE>
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
    fetcher<TYPE, BM, BN, THREADS, SIMPLE> f;
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
            scale_c = (scale_c + (int) (ROW / sizeof(typename number<TYPE>::type))) % room;
        }
        __syncthreads();
        if (s + p.stages - 1 < end)
            f.step(a, p, next);
        rp_fetch_group();
        multiply<TYPE, WM, WN>(sum, shared + stage * STAGE + wm * ROW,
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
    finish<WM, WN>(a, p, sum, shared_floats + warp * 16 * (WN + PITCH), m0 + wm, n0 + wn, group);
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
    float v[8] = {0, 0, 0, 0, 0, 0, 0, 0}, s[8], w[8];

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
    void (*kernel[2][2])(struct rp_op_net_conv,
                         conv_plan); /* float32, float16; not simple, simple */
};

#define KERNEL(type, bm, bn, wm, wn, simple) conv_tiles<type, bm, bn, wm, wn, simple>
#define TILE(bm, bn, wm, wn, fixed, step, at_once)                  \
    {                                                               \
        bm, bn, bm / wm *(bn / wn) * RP_WARP, fixed, step, at_once, \
        {                                                           \
            {NULL, KERNEL(RP_ACT_F32, bm, bn, wm, wn, true)},       \
            {                                                       \
                NULL, KERNEL(RP_ACT_F16, bm, bn, wm, wn, true)      \
            }                                                       \
        }                                                           \
    }
#define TILE_FOR_ALL(bm, bn, wm, wn, fixed, step, at_once)                                         \
    {                                                                                              \
        bm, bn, bm / wm *(bn / wn) * RP_WARP, fixed, step, at_once,                                \
        {                                                                                          \
            {KERNEL(RP_ACT_F32, bm, bn, wm, wn, false), KERNEL(RP_ACT_F32, bm, bn, wm, wn, true)}, \
            {                                                                                      \
                KERNEL(RP_ACT_F16, bm, bn, wm, wn, false),                                         \
                    KERNEL(RP_ACT_F16, bm, bn, wm, wn, true)                                       \
            }                                                                                      \
        }                                                                                          \
    }
static const struct conv_tile conv_table[] = {
    TILE(128, 128, 64, 32, 6, 1.3f, 1), TILE_FOR_ALL(128, 64, 32, 32, 4, 0.95f, 2),
    TILE(64, 64, 32, 32, 4, 0.8f, 3),   TILE_FOR_ALL(64, 32, 16, 32, 3, 0.65f, 4),
    TILE(32, 64, 16, 32, 3, 0.5f, 4),
};
#define TILES ((int) (sizeof(conv_table) / sizeof(*conv_table)))
#define PROCESSORS 132 /* the rule's, whatever the GPU has */

/* The tile with which the work is done in the shortest time. Blocks on one processor share it. */
static int choose_tile(const struct rp_op_net_conv *a, const conv_plan &p)
{
    int best = 0;
    float least = 0;

    for (int i = 0; i < TILES; i++) {
        const struct conv_tile &t = conv_table[i];
        const int64_t tiles =
            (int64_t) rp_div_up(p.pixels, t.m) * rp_div_up(p.out, t.n) * a->groups * p.splits;
        const int64_t each = (tiles + PROCESSORS - 1) / PROCESSORS;
        const int64_t rounds = (each + t.at_once - 1) / t.at_once;
        const float share =
            each == 1 ? 1.0f : 0.85f * (float) (each < t.at_once ? each : t.at_once);
        const float cost = (float) rounds * (t.fixed + t.step * (float) p.steps / (float) p.splits *
                                                           (share < 1 ? 1 : share));

        if (t.kernel[a->src.type == RP_ACT_F16][p.simple] && (least == 0 || cost < least)) {
            best = i;
            least = cost;
        }
    }
    return best;
}

static conv_plan make_plan(const struct rp_op_net_conv *a)
{
    conv_plan p = {};
    const bool whole = a->add.n == a->dst.n && a->add.h == a->dst.h && a->add.w == a->dst.w &&
                       a->add.c == a->dst.c;

    p.height = rp_conv_h(a);
    p.width = rp_conv_w(a);
    p.pixels = a->src.n * p.height * p.width;
    p.out = rp_conv_out(a) / a->groups;
    p.row = (int) rp_conv_row(a->src.c, a->groups, a->kh, a->kw);
    p.splits = rp_conv_split(a);
    p.steps = (int) rp_div_up(p.row * (a->src.type == RP_ACT_F16 ? 2 : 4), ROW);
    p.simple = a->up == 1 && a->pad_mode == RP_PAD_ZERO && a->kh <= 16 && a->kw <= 16;
    p.quick = a->shuffle == 1 && (a->groups == 1 || p.out % 8 == 0 || p.out == 1) &&
              (!a->add.data || whole) && rp_eight_can(a->then.fn) &&
              (!a->also.data || rp_eight_can(a->also_then.fn));
    return p;
}

/* Memory of the largest tile does not fit every GPU's processor: fewer steps ahead, then. */
static int launch_tiles(struct rp_stream *stream, const struct rp_op_net_conv *a, conv_plan p,
                        int tile)
{
    const struct conv_tile &t = conv_table[tile];
    const dim3 grid(rp_div_up(p.pixels, t.m), rp_div_up(p.out, t.n), a->groups * p.splits);
    const int stage = (t.m + t.n) * ROW;
    void (*const kernel)(struct rp_op_net_conv, conv_plan) =
        t.kernel[a->src.type == RP_ACT_F16][p.simple];

    if (p.splits > 1 && (int64_t) grid.x * grid.y * a->groups > COUNTERS)
        return rp_host.fail(RP_ERR_DEVICE, "a convolution of %d pixels is too large to be split",
                            p.pixels);
    p.stages = RP_CLAMP(rp_shared_most() / stage, 2, 4);
    rp_shared_allow((const void *) kernel, p.stages * stage);
    RP_LAUNCH_SHARED(stream, grid, t.threads, (size_t) (p.stages * stage), kernel, *a, p);
    return rp_cuda_launched("net_conv");
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
    if (rp_conv_is_odd(a)) {
        RP_LAUNCH(stream, (unsigned) (((int64_t) p.pixels * p.out * a->groups + 255) / 256), 256,
                  conv_any, *a, p);
        return rp_cuda_launched("net_conv");
    }
    return launch_tiles(stream, a, p, choose_tile(a, p));
}
