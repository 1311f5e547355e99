/* What the files of convolutions share: fetching the operands of a tile, and what follows its
 * sums. A large convolution is a product of matrices: rows are the pixels of the result, the sum
 * runs over taps and channels, and of the source's rows only addresses exist. What a tile needs is
 * fetched some steps ahead, while warps multiply. All tiles of a kind of kernels (struct
 * conv_kernels) add in the same order, so that which of them is used changes nothing of the result.
 */
#ifndef RP_NET_CONV_CUH
#define RP_NET_CONV_CUH

#include "device/cuda/mma.cuh"
#include "device/cuda/net.cuh"
#include "ops/net_core.h"

#define ROW RP_CONV_STEP /* bytes of a row of a step, 8 pieces of 16 */
#define PIECES (ROW / 16)
#define COUNTERS (RP_NET_COUNTERS / 4)
#define PITCH 8 /* more floats in a row of the results that a warp turns */

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
    int here[SIMPLE ? 1 : A]; /* this tap in the source, -1: a zero */
    int m;                    /* the first row's pixel */
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
        if (!SIMPLE)
            aim(a);
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

    /* Not simple: where the tap of the next step is. Several steps share one. */
    RP_DEV_METHOD void aim(const struct rp_op_net_conv &a)
    {
#pragma unroll
        for (int i = 0; i < A; i++) {
            const int fy = rp_pad_source(y[i] + ky * a.dilation_h, a.src.h, a.up, a.pad_mode);
            const int fx = rp_pad_source(x[i] + kx * a.dilation_w, a.src.w, a.up, a.pad_mode);

            here[i] = fy >= 0 && fx >= 0 && in[i] ? at[i] + (fy * a.src.w + fx) * a.src.ld : -1;
        }
    }

    /* The source of row i of this step, and whether it is there or a zero. */
    RP_DEV_METHOD bool source(int i, int tap, int *from) const
    {
        *from = SIMPLE ? at[i] + tap : here[i] + c;
        return SIMPLE ? (in[i] >> ky) & (in[i] >> (16 + kx)) & 1 : here[i] >= 0;
    }

    RP_DEV_METHOD void step(const struct rp_op_net_conv &a, const conv_plan &p, int stage)
    {
        char *const room = to + stage * (BM + BN) * ROW;
        const bool more = k < p.row;
        const int tap = (ky * a.dilation_h * a.src.w + kx * a.dilation_w) * a.src.ld + c;

#pragma unroll
        for (int i = 0; i < A; i++) {
            int from;
            const bool have = source(i, tap, &from) && more;

            rp_fetch(room + i * STRIDE * ROW, (const T *) a.src.data + (have ? from : 0), have);
        }
#pragma unroll
        for (int i = 0; i < B; i++) {
            const bool have = more && i * STRIDE < rows;

            rp_fetch(room + (BM + i * STRIDE) * ROW,
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
        if (c < room)
            return;
        do {
            c -= room;
            if (++kx == a.kw) {
                kx = 0;
                ky++;
            }
        } while (c >= room);
        if (!SIMPLE)
            aim(a);
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

/* ---- the end -----------------------------------------------------------------------------------
 */

/* What is added to 8 channels of pixel m: of dst's sizes, or the same for all channels or pictures.
 */
RP_DEV void add_of(const struct rp_op_net_conv &a, const conv_plan &p, int m, int o, float v[8])
{
    const int at = a.add.n == a.dst.n ? m : m % (p.height * p.width);

    if (a.add.c != 1) {
        rp_eight_get(a.add.data, a.add.type, (int64_t) at * a.add.ld + o, v);
        return;
    }
    v[0] = rp_number_get(a.add.data, a.add.type, (int64_t) at * a.add.ld);
#pragma unroll
    for (int j = 1; j < 8; j++)
        v[j] = v[0];
}

/* 8 channels of a pixel from channel o on, where nothing is shuffled and `add`, if there is one,
 * has dst's height and width. */
RP_DEV void finish_eight(const struct rp_op_net_conv &a, const conv_plan &p, const float *from,
                         int m, int o, int out)
{
    float v[8], add[8];
    int64_t row = 0;

    if (o >= RP_ACT_ROUND(out))
        return;
    rp_eight_get(from, RP_ACT_F32, 0, v);
    if ((a.out_scale || a.post_scale) && a.src.n > 1)
        row = (int64_t) (m / (p.height * p.width)) * out;
    if (a.out_scale)
        scale_eight(v, a.out_scale + row, o, out);
    if (a.bias)
        shift_eight(v, a.bias, o, out);
    if (a.add.data)
        add_of(a, p, m, o, add);
    if (a.add.data && !a.add_last)
        rp_eight_add(v, add);
    rp_eight_then(&a.then, v, o, out);
    if (a.add.data && a.add_last)
        rp_eight_add(v, add);
    if (a.also.to.data) {
        float copy[8];

#pragma unroll
        for (int j = 0; j < 8; j++)
            copy[j] = v[j];
        rp_eight_also(a.also, m, copy, o);
    }
    if (a.post_scale)
        scale_eight(v, a.post_scale + row, o, out);
    rp_eight_store(a.dst, m, v, o);
}

/* Which pixel the rows of a warp's results are of, -1: none. */
struct in_rows {
    int first, pixels;

    RP_DEV_METHOD int pixel(int row) const
    {
        return first + row < pixels ? first + row : -1;
    }
};

/* 16 rows of a warp's results at a time, turned by way of shared memory so that a thread has
 * neighbouring channels. */
template <int WM, int WN, class PLACE>
RP_DEV void finish(const struct rp_op_net_conv &a, const conv_plan &p,
                   const float sum[WM / 16][WN / 8][4], float *turn, const PLACE &place, int o0,
                   int group)
{
    const int lane = (int) threadIdx.x % RP_WARP, out = rp_conv_out(&a);
    const int wide = WN + PITCH;

#pragma unroll
    for (int i = 0; i < WM / 16; i++) {
#pragma unroll
        for (int j = 0; j < WN / 8; j++)
            for (int h = 0; h < 2; h++) {
                float2 v;

                v.x = sum[i][j][2 * h], v.y = sum[i][j][2 * h + 1];
                *(float2 *) &turn[(lane / 4 + h * 8) * wide + j * 8 + lane % 4 * 2] = v;
            }
        __syncwarp();
#pragma unroll 1
        for (int q = lane; q < 16 * WN / 8; q += RP_WARP) {
            const int m = place.pixel(i * 16 + q / (WN / 8)), o = o0 + q % (WN / 8) * 8;
            const float *const from = turn + q / (WN / 8) * wide + q % (WN / 8) * 8;

            if (m < 0)
                continue;
            if (p.quick) {
                if (o < p.out)
                    finish_eight(a, p, from, m, group * p.out + o, out);
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

/* ---- launching ---------------------------------------------------------------------------------
 */

#define PROCESSORS 132 /* the rules', whatever the GPU has */

static inline conv_plan make_plan(const struct rp_op_net_conv *a)
{
    conv_plan p = {};
    const bool each = a->add.h == a->dst.h && a->add.w == a->dst.w &&
                      (a->add.n == a->dst.n || a->add.n == 1) &&
                      (a->add.c == a->dst.c || a->add.c == 1);

    p.height = rp_conv_h(a);
    p.width = rp_conv_w(a);
    p.pixels = a->src.n * p.height * p.width;
    p.out = rp_conv_out(a) / a->groups;
    p.row = (int) rp_conv_row(a->src.c, a->groups, a->kh, a->kw);
    p.splits = rp_conv_split(a);
    p.steps = (int) rp_div_up(p.row * (a->src.type == RP_ACT_F16 ? 2 : 4), ROW);
    p.simple = a->up == 1 && a->pad_mode == RP_PAD_ZERO && a->kh <= 16 && a->kw <= 16;
    p.quick = a->shuffle == 1 &&
              (a->groups == 1 || p.out % 8 == 0 ||
               rp_conv_is_depthwise(rp_conv_out(a), a->src.c, a->groups)) &&
              (!a->add.data || each) && rp_eight_can(a->then.fn) &&
              (!a->also.to.data || rp_eight_can(a->also.then.fn));
    return p;
}

/* Kernels for tiles of several sizes: those of net_conv.cu, of net_few.cu, and for float16 on sm_90
 * those of net_hopper.cu and net_patch.cu. A plan is fit for all. */
struct conv_kernels {
    int tiles;
    void (*size)(int tile, int *m, int *n);
    bool (*can)(const struct rp_op_net_conv *a, const conv_plan &p, int tile);
    int (*choose)(const struct rp_op_net_conv *a, const conv_plan &p);
    int (*launch)(struct rp_stream *stream, const struct rp_op_net_conv *a, conv_plan p, int tile);
};
extern const struct conv_kernels rp_conv_kernels, rp_conv_few, rp_conv_hopper, rp_conv_patch;

/* Which of them does this convolution on the current GPU. */
const struct conv_kernels *rp_conv_kernels_for(const struct rp_op_net_conv *a);

/* Does net_patch.cu do this one? The sizes of a row decide, since its order of adding is another:
 * few pixels of its tiles may be beyond the picture, and the sum is one. Mirrored pixels must be in
 * the patch that mirrors them. */
static inline bool conv_is_for_patches(const struct rp_op_net_conv *a)
{
    const int h = rp_conv_h(a), w = rp_conv_w(a);
    const int64_t covered = (int64_t) ((w + 7) / 8 * 8) * ((h + 15) / 16 * 16);

    return a->src.type == RP_ACT_F16 && a->groups == 1 && a->up == 1 && !a->in_scale &&
           a->stride_h == 1 && a->stride_w == 1 && a->dilation_h == 1 && a->dilation_w == 1 &&
           a->kh <= 7 && a->kw <= 7 && a->src.c >= 16 && (a->kh * a->kw > 1 || a->src.c <= 64) &&
           rp_conv_split(a) == 1 && h * w >= 1024 && 5 * (int64_t) h * w >= 4 * covered &&
           (a->pad_mode == RP_PAD_ZERO ||
            (2 * a->pad_top >= a->kh - 1 && 2 * a->pad_left >= a->kw - 1));
}

/* Does net_few.cu do this one? */
static inline bool conv_is_for_few(const struct rp_op_net_conv *a)
{
    return a->src.type == RP_ACT_F16 && a->src.c <= 8 && a->groups == 1 && a->up == 1 &&
           !a->in_scale && a->stride_h <= 2 && a->stride_w <= 2 && a->dilation_h == 1 &&
           a->dilation_w == 1 && a->kh <= 7 && a->kw <= 7 && rp_conv_split(a) == 1 &&
           rp_conv_h(a) * rp_conv_w(a) > 1;
}

/* One number in a thread, whatever the sizes. */
int rp_conv_one_by_one(struct rp_stream *stream, const struct rp_op_net_conv *a);

/* Lets launch() use programmatic dependent launches. */
extern bool rp_conv_early;

/* Microseconds of a block that leaves a part of a sum, and may add them up. */
#define JOINING 2.5f

/* The time of so many blocks of a tile, in microseconds: of one its fixed part and its steps. Those
 * that are at once on a processor share it. `parts`: blocks that a sum is split to. */
template <class TILE> static float conv_cost(const TILE &t, int64_t blocks, int steps, int parts)
{
    const int64_t each = (blocks + PROCESSORS - 1) / PROCESSORS;
    const int64_t rounds = (each + t.at_once - 1) / t.at_once;
    const float share = 0.85f * (float) (each < t.at_once ? each : t.at_once);

    return (float) rounds * (t.fixed + (parts > 1 ? JOINING : 0) +
                             t.step * (float) steps / (float) parts * (share < 1 ? 1 : share));
}

/* Of a table of tiles the one with which the work is done in the shortest time. */
template <class TILE, int COUNT>
static int conv_choose(const TILE (&table)[COUNT], const struct rp_op_net_conv *a,
                       const conv_plan &p,
                       bool (*can)(const struct rp_op_net_conv *a, const conv_plan &p, int tile))
{
    int best = 0;
    float least = 0;

    for (int i = 0; i < COUNT; i++) {
        const int parts = blocks_of_sum(table[i], p);
        const int64_t blocks = (int64_t) rp_div_up(p.pixels, table[i].m) *
                               rp_div_up(p.out, table[i].n) * a->groups * parts;
        const float cost = conv_cost(table[i], blocks, p.steps, parts);

        if (can(a, p, i) && (least == 0 || cost < least)) {
            best = i;
            least = cost;
        }
    }
    return best;
}

#ifdef __CUDACC__
static inline int conv_launch(struct rp_stream *stream, const struct rp_op_net_conv *a,
                              const conv_plan &p, dim3 grid, int threads, int bytes,
                              void (*kernel)(struct rp_op_net_conv, conv_plan))
{
    cudaLaunchConfig_t config = {};
    cudaLaunchAttribute attribute = {};

    if (p.splits > 1 && (int64_t) grid.x * grid.y * a->groups > COUNTERS)
        return rp_host.fail(RP_ERR_DEVICE, "a convolution of %d pixels is too large to be split",
                            p.pixels);
    rp_shared_allow((const void *) kernel);
    config.gridDim = grid;
    config.blockDim = dim3((unsigned) threads);
    config.dynamicSmemBytes = (size_t) bytes;
    config.stream = stream->record;
    attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attribute.val.programmaticStreamSerializationAllowed = 1;
    config.attrs = &attribute;
    config.numAttrs = rp_conv_early;
    (void) cudaLaunchKernelEx(&config, kernel, *a, p);
    return rp_cuda_launched("net_conv");
}
#else
static inline int conv_launch(struct rp_stream *stream, const struct rp_op_net_conv *a,
                              const conv_plan &p, dim3 grid, int threads, int bytes,
                              void (*kernel)(struct rp_op_net_conv, conv_plan))
{
    RP_LAUNCH_SHARED(stream, grid, (unsigned) threads, bytes, kernel, *a, p);
    return rp_cuda_launched("net_conv");
}
#endif

#endif /* RP_NET_CONV_CUH */
