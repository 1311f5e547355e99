/* Fully connected layers. What takes their time is to read the weights: a warp makes four outputs,
 * so that many reads are on their way at once, of up to four rows, which share them. A sum is in
 * the same order whatever is made beside it. */
#include "device/cuda/net.cuh"

#define THREADS 256
#define PIECE 4 /* numbers that a lane reads at once */

/* From how many outputs on a warp makes four of them: before, there are too few warps. */
#define MANY_OUTS 4096

RP_DEV float4 piece(const float *v, int i)
{
    return ((const float4 *) v)[i];
}

RP_DEV void add_piece(float *sum, const float4 &s, const float4 &w)
{
    *sum = fmaf(s.x, w.x, *sum);
    *sum = fmaf(s.y, w.y, *sum);
    *sum = fmaf(s.z, w.z, *sum);
    *sum = fmaf(s.w, w.w, *sum);
}

/* Outputs o to o + OUTS - 1 of a part, for rows r to r + ROWS - 1. */
template <int OUTS, int ROWS>
RP_DEV void sums(const struct rp_op_net_linear &a, int part, int r, int o, float sum[OUTS][ROWS])
{
    const int lane = (int) threadIdx.x % RP_WARP, pieces = RP_ACT_ROUND(a.src.c) / PIECE;
    const float *w[OUTS], *source[ROWS];

#pragma unroll
    for (int i = 0; i < OUTS; i++)
        w[i] =
            a.weights + ((int64_t) part * a.dst.c + rp_mini(o + i, a.dst.c - 1)) * pieces * PIECE;
#pragma unroll
    for (int j = 0; j < ROWS; j++)
        source[j] =
            (const float *) a.src.data + rp_linear_source(&a, part, rp_mini(r + j, a.src.n - 1), o);
#pragma unroll 4
    for (int k = lane; k < pieces; k += RP_WARP) {
        float4 s[ROWS];

#pragma unroll
        for (int j = 0; j < ROWS; j++) {
            s[j] = piece(source[j], k);
            if (a.squares)
                s[j] =
                    make_float4(s[j].x * s[j].x, s[j].y * s[j].y, s[j].z * s[j].z, s[j].w * s[j].w);
        }
#pragma unroll
        for (int i = 0; i < OUTS; i++) {
            const float4 v = piece(w[i], k);

#pragma unroll
            for (int j = 0; j < ROWS; j++)
                add_piece(&sum[i][j], s[j], v);
        }
    }
}

template <int OUTS, int ROWS>
static __global__ void __launch_bounds__(THREADS)
    linear(const __grid_constant__ struct rp_op_net_linear a, int64_t count)
{
    const int64_t i = (int64_t) blockIdx.x * (THREADS / RP_WARP) + threadIdx.x / RP_WARP;
    const int each = (a.dst.c + OUTS - 1) / OUTS, rows = (a.src.n + ROWS - 1) / ROWS;
    const int lane = (int) threadIdx.x % RP_WARP;
    const int r = (int) (i % rows) * ROWS, o = (int) (i / rows % each) * OUTS;
    const int part = (int) (i / rows / each);
    float sum[OUTS][ROWS] = {}, mine = 0;

    if (i >= count)
        return;
    sums<OUTS, ROWS>(a, part, r, o, sum);
#pragma unroll
    for (int k = 0; k < OUTS * ROWS; k++) {
        const float v = rp_warp_sum(sum[k / ROWS][k % ROWS]);

        mine = lane == k ? v : mine;
    }
    const int my_out = o + lane / ROWS, my_row = r + lane % ROWS;
    if (lane < OUTS * ROWS && my_out < a.dst.c && my_row < a.src.n)
        rp_linear_finish(&a, mine, part, my_row, my_out);
}

template <int OUTS, int ROWS>
static void launch(struct rp_stream *stream, const struct rp_op_net_linear *a)
{
    const int64_t count =
        (int64_t) rp_linear_parts(a) * rp_div_up(a->dst.c, OUTS) * rp_div_up(a->src.n, ROWS);

    RP_LAUNCH(stream, (unsigned) ((count + THREADS / RP_WARP - 1) / (THREADS / RP_WARP)), THREADS,
              (linear<OUTS, ROWS>), *a, count);
}

extern "C" int rp_cuda_net_linear(struct rp_stream *stream, const struct rp_op_net_linear *a)
{
    const bool many = (int64_t) rp_linear_parts(a) * a->dst.c >= MANY_OUTS;

    if (a->src.n > 1)
        many ? launch<4, 4>(stream, a) : launch<1, 4>(stream, a);
    else
        many ? launch<4, 1>(stream, a) : launch<1, 1>(stream, a);
    return rp_cuda_launched("net_linear");
}
