/* Normalisations and attention. Sums are in float32, of what differs from the mean, in an order
 * that depends on the sizes of one picture only. */
#ifdef __CUDACC__
#include <cooperative_groups.h>
#endif

#include "device/cuda/net.cuh"

#define THREADS 256

/* ---- over the pixels of a channel
 * ------------------------------------------------------------------- */

/* In one step, where a picture is small: 16 channels in a block, 8 in a thread. */
#define SMALL 256 /* pixels */
#define LANES (THREADS / 2)

/* Sums of all lanes' eights for this thread's piece of channels. */
RP_DEV void join_lanes(float v[8], float *room)
{
    const int me = (int) threadIdx.x, piece = me % 2;

#pragma unroll
    for (int j = 0; j < 8; j++)
        room[j * THREADS + me] = v[j];
    __syncthreads();
    for (int k = LANES / 2; k; k /= 2) {
        if (me / 2 < k)
#pragma unroll
            for (int j = 0; j < 8; j++)
                room[j * THREADS + me] += room[j * THREADS + me + 2 * k];
        __syncthreads();
    }
#pragma unroll
    for (int j = 0; j < 8; j++)
        v[j] = room[j * THREADS + piece];
    __syncthreads();
}

RP_DEV void finish_eight(const struct rp_op_net_norm &a, const float from[8], const float mean[8],
                         const float factor[8], int n, int64_t pixel, int c)
{
    float v[8], add[8];

#pragma unroll
    for (int j = 0; j < 8; j++)
        v[j] = (from[j] - mean[j]) * factor[j];
    if (a.gamma)
        scale_eight(v, a.gamma, c, a.src.c);
    if (a.beta)
        shift_eight(v, a.beta, c, a.src.c);
    if (a.scale)
        scale_eight(v, a.scale + (int64_t) n * a.style_ld, c, a.src.c);
    if (a.shift)
        shift_eight(v, a.shift + (int64_t) n * a.style_ld, c, a.src.c);
    rp_eight_then(&a.then, v, c, a.src.c);
    if (a.add.data) {
        rp_eight_get(a.add.data, a.add.type, pixel * a.add.ld + c, add);
        rp_eight_add(v, add);
    }
    rp_eight_store(a.dst, pixel, v, c);
    if (a.also.to.data)
        rp_eight_also(a.also, pixel, v, c);
}

static __global__ void __launch_bounds__(THREADS)
    instance_small(const __grid_constant__ struct rp_op_net_norm a)
{
    __shared__ float room[8 * THREADS];
    const int n = (int) blockIdx.y, c = ((int) blockIdx.x * 2 + (int) threadIdx.x % 2) * 8;
    const int count = a.src.h * a.src.w;
    const int64_t first = (int64_t) n * count;
    const bool in = c < RP_ACT_ROUND(a.src.c);
    float mean[8] = {0, 0, 0, 0, 0, 0, 0, 0}, square[8] = {0, 0, 0, 0, 0, 0, 0, 0}, v[8];

    for (int i = (int) threadIdx.x / 2; in && i < count; i += LANES) {
        rp_eight_get(a.src.data, a.src.type, (first + i) * a.src.ld + c, v);
        rp_eight_add(mean, v);
    }
    join_lanes(mean, room);
#pragma unroll
    for (int j = 0; j < 8; j++)
        mean[j] /= (float) count;
    for (int i = (int) threadIdx.x / 2; in && i < count; i += LANES) {
        rp_eight_get(a.src.data, a.src.type, (first + i) * a.src.ld + c, v);
#pragma unroll
        for (int j = 0; j < 8; j++)
            square[j] = fmaf(v[j] - mean[j], v[j] - mean[j], square[j]);
    }
    join_lanes(square, room);
#pragma unroll
    for (int j = 0; j < 8; j++)
        square[j] = 1 / sqrtf(square[j] / (float) count + a.eps);
    for (int i = (int) threadIdx.x / 2; in && i < count; i += LANES) {
        rp_eight_get(a.src.data, a.src.type, (first + i) * a.src.ld + c, v);
        finish_eight(a, v, mean, square, n, first + i, c);
    }
}

/* In two steps: sums of parts of the pixels, of what differs from the first pixel; then all. A
 * block has 64 channels. */
#define ROWS (THREADS / 8)

RP_DEV void first_pixel(const struct rp_op_net_norm &a, int n, int c, float v[8])
{
    rp_eight_get(a.src.data, a.src.type, (int64_t) n * a.src.h * a.src.w * a.src.ld + c, v);
}

/* To one channel's sums of its differences and of their squares from the first pixel. */
RP_DEV void add_pixel(float sum[16], const float v[8], const float zero[8])
{
#pragma unroll
    for (int j = 0; j < 8; j++) {
        const float d = v[j] - zero[j];

        sum[j] += d;
        sum[8 + j] = fmaf(d, d, sum[8 + j]);
    }
}

/* The sums of a block: threads below 64 get those of one channel each, the next 64 their squares.
 */
typedef float sums_room[16][THREADS + 4]; /* neighbours are in other banks */
RP_DEV float sum_block(const float sum[16], sums_room room)
{
    const int me = (int) threadIdx.x, row = me / 64 * 8 + me % 8, column = me % 64 / 8;
    float s = 0;

#pragma unroll
    for (int j = 0; j < 16; j++)
        room[j][me] = sum[j];
    __syncthreads();
    for (int i = 0; me < 128 && i < ROWS; i++)
        s += room[row][i * 8 + column];
    return s;
}

/* What becomes of a channel: its mean and what it is multiplied by, of such sums. */
RP_DEV void end_sums(const struct rp_op_net_norm &a, int n, int c, float s, float q, float *mean,
                     float *factor)
{
    const int count = a.src.h * a.src.w;

    s /= (float) count;
    const float var = q / (float) count - s * s;
    *mean = s + rp_number_get(a.src.data, a.src.type, (int64_t) n * count * a.src.ld + c);
    *factor = 1 / sqrtf((var < 0 ? 0 : var) + a.eps);
}

static __global__ void __launch_bounds__(THREADS)
    instance_sums(const __grid_constant__ struct rp_op_net_norm a)
{
    __shared__ sums_room room;
    const int n = (int) blockIdx.z, part = (int) blockIdx.y, me = (int) threadIdx.x;
    const int c = ((int) blockIdx.x * 8 + me % 8) * 8, all = RP_ACT_ROUND(a.src.c);
    const int count = a.src.h * a.src.w, mine = (int) blockIdx.x * 64 + me % 64;
    const int begin = (int) ((int64_t) count * part / RP_NORM_PARTS);
    const int end = (int) ((int64_t) count * (part + 1) / RP_NORM_PARTS);
    float *const work = (float *) ((char *) a.work + RP_NET_COUNTERS);
    float zero[8], v[8], sum[16];

#pragma unroll
    for (int j = 0; j < 16; j++)
        sum[j] = 0;
    if (c < all) {
        first_pixel(a, n, c, zero);
        for (int i = begin + me / 8; i < end; i += ROWS) {
            rp_eight_get(a.src.data, a.src.type, ((int64_t) n * count + i) * a.src.ld + c, v);
            add_pixel(sum, v, zero);
        }
    }
    const float s = sum_block(sum, room);

    if (me < 128 && mine < all)
        work[(((int64_t) n * RP_NORM_PARTS + part) * all + mine) * 2 + me / 64] = s;
}

#define QUARTER (RP_NORM_PARTS / 4)
static __global__ void __launch_bounds__(THREADS)
    instance_end(const __grid_constant__ struct rp_op_net_norm a)
{
    __shared__ float means[64], factors[64], parts[4][2][64];
    const int n = (int) blockIdx.z, me = (int) threadIdx.x;
    const int c = ((int) blockIdx.x * 8 + me % 8) * 8, all = RP_ACT_ROUND(a.src.c);
    const int count = a.src.h * a.src.w, mine = (int) blockIdx.x * 64 + me % 64;
    const float *const work = (const float *) ((const char *) a.work + RP_NET_COUNTERS);
    float v[8], s = 0, q = 0;

    for (int p = me / 64 * QUARTER; mine < all && p < (me / 64 + 1) * QUARTER; p++) {
        const float *const from = work + (((int64_t) n * RP_NORM_PARTS + p) * all + mine) * 2;

        s += from[0];
        q += from[1];
    }
    parts[me / 64][0][me % 64] = s;
    parts[me / 64][1][me % 64] = q;
    __syncthreads();
    if (me < 64 && mine < all) {
        s = parts[0][0][me] + parts[1][0][me] + parts[2][0][me] + parts[3][0][me];
        q = parts[0][1][me] + parts[1][1][me] + parts[2][1][me] + parts[3][1][me];
        end_sums(a, n, mine, s, q, &means[me], &factors[me]);
    }
    __syncthreads();
    if (c >= all)
        return;
    for (int i = (int) blockIdx.y * ROWS + me / 8; i < count; i += (int) gridDim.y * ROWS) {
        const int64_t pixel = (int64_t) n * count + i;

        rp_eight_get(a.src.data, a.src.type, pixel * a.src.ld + c, v);
        finish_eight(a, v, means + me % 8 * 8, factors + me % 8 * 8, n, pixel, c);
    }
}

/* From sm_90 on in one step, as long as the pixels fit into the registers of a cluster of blocks,
 * which read each other's sums. */
#define CLUSTER 8
#define EACH 4 /* pixels in a thread */
#define CLUSTER_PIXELS (CLUSTER * ROWS * EACH)
#ifdef __CUDACC__
static __global__ void __cluster_dims__(1, CLUSTER, 1) __launch_bounds__(THREADS)
    instance_cluster(const __grid_constant__ struct rp_op_net_norm a)
{
#if __CUDA_ARCH__ >= 900
    __shared__ sums_room room;
    __shared__ float own[2][64], all_sums[2][64], means[64], factors[64];
    const cooperative_groups::cluster_group cluster = cooperative_groups::this_cluster();
    const int n = (int) blockIdx.z, me = (int) threadIdx.x, all = RP_ACT_ROUND(a.src.c);
    const int c = ((int) blockIdx.x * 8 + me % 8) * 8, mine = (int) blockIdx.x * 64 + me % 64;
    const int count = c < all ? a.src.h * a.src.w : 0; /* pixels of this thread's channels */
    const int first = (int) blockIdx.y * ROWS * EACH + me / 8;
    const int64_t picture = (int64_t) n * a.src.h * a.src.w;
    float v[EACH][8], zero[8], sum[16];

#pragma unroll
    for (int j = 0; j < 16; j++)
        sum[j] = 0;
    if (count)
        first_pixel(a, n, c, zero);
#pragma unroll
    for (int e = 0; e < EACH; e++)
        if (first + e * ROWS < count)
            rp_eight_get(a.src.data, a.src.type, (picture + first + e * ROWS) * a.src.ld + c, v[e]);
#pragma unroll
    for (int e = 0; e < EACH; e++)
        if (first + e * ROWS < count)
            add_pixel(sum, v[e], zero);
    const float s = sum_block(sum, room);
    if (me < 128)
        own[me / 64][me % 64] = s;
    cluster.sync();
    if (me < 128) {
        float total = 0;

#pragma unroll
        for (int r = 0; r < CLUSTER; r++)
            total += *cluster.map_shared_rank(&own[me / 64][me % 64], r);
        all_sums[me / 64][me % 64] = total;
    }
    cluster.sync(); /* nobody leaves while its sums are read */
    if (me < 64 && mine < all)
        end_sums(a, n, mine, all_sums[0][me], all_sums[1][me], &means[me], &factors[me]);
    __syncthreads();
#pragma unroll
    for (int e = 0; e < EACH; e++)
        if (first + e * ROWS < count)
            finish_eight(a, v[e], means + me % 8 * 8, factors + me % 8 * 8, n,
                         picture + first + e * ROWS, c);
#else
    (void) a;
#endif
}

static bool instance_at_once(struct rp_stream *stream, const struct rp_op_net_norm *a)
{
    const dim3 grid(rp_div_up(a->src.c, 64), CLUSTER, (unsigned) a->src.n);

    if (rp_gpu_major() < 9 || a->src.h * a->src.w > CLUSTER_PIXELS)
        return false;
    RP_LAUNCH(stream, grid, THREADS, instance_cluster, *a);
    return true;
}
#else
static bool instance_at_once(struct rp_stream *, const struct rp_op_net_norm *)
{
    return false;
}
#endif

static void instance(struct rp_stream *stream, const struct rp_op_net_norm *a)
{
    const unsigned slabs = rp_div_up(a->src.c, 64);
    const int count = a->src.h * a->src.w;

    if (count <= SMALL) {
        RP_LAUNCH(stream, dim3(rp_div_up(a->src.c, 16), (unsigned) a->src.n), THREADS,
                  instance_small, *a);
        return;
    }
    if (instance_at_once(stream, a))
        return;
    RP_LAUNCH(stream, dim3(slabs, RP_NORM_PARTS, (unsigned) a->src.n), THREADS, instance_sums, *a);
    RP_LAUNCH(stream, dim3(slabs, rp_div_up(count, 8 * ROWS), (unsigned) a->src.n), THREADS,
              instance_end, *a);
}

/* ---- over groups, and over a pixel's channels
 * ---------------------------------------------------------- */

/* Sum over a block, in one order, for every thread. */
RP_DEV float block_sum(float v, float *room)
{
    const int me = (int) threadIdx.x;

    room[me] = v;
    __syncthreads();
    for (int k = THREADS / 2; k; k /= 2) {
        if (me < k)
            room[me] += room[me + k];
        __syncthreads();
    }
    v = room[0];
    __syncthreads();
    return v;
}

RP_DEV float get_at(const struct rp_op_net_norm &a, int64_t pixel, int c)
{
    return rp_number_get(a.src.data, a.src.type, pixel * a.src.ld + c);
}

/* A block has a group of a picture. */
static __global__ void __launch_bounds__(THREADS)
    norm_group(const __grid_constant__ struct rp_op_net_norm a, int each)
{
    __shared__ float room[THREADS];
    const int groups = a.src.c / each, c0 = (int) blockIdx.x % groups * each;
    const int n = (int) blockIdx.x / groups, pixels = a.src.h * a.src.w, count = each * pixels;
    const int64_t first = (int64_t) n * pixels;
    float sum = 0, square = 0;

    for (int i = (int) threadIdx.x; i < count; i += THREADS)
        sum += get_at(a, first + i / each, c0 + i % each);
    const float mean = block_sum(sum, room) / (float) count;
    for (int i = (int) threadIdx.x; i < count; i += THREADS) {
        const float d = get_at(a, first + i / each, c0 + i % each) - mean;

        square = fmaf(d, d, square);
    }
    const float factor = 1 / sqrtf(block_sum(square, room) / (float) count + a.eps);
    for (int i = (int) threadIdx.x; i < count; i += THREADS) {
        const int q = i / each, c = c0 + i % each;

        rp_norm_put(&a, (get_at(a, first + q, c) - mean) * factor, n, q / a.src.w, q % a.src.w, c);
    }
    const int rest = RP_ACT_ROUND(a.src.c) - a.src.c;
    for (int i = (int) threadIdx.x; c0 + each == a.src.c && i < rest * pixels; i += THREADS)
        rp_number_put(a.dst.data, a.dst.type, (first + i / rest) * a.dst.ld + a.src.c + i % rest,
                      0);
}

/* A warp has the channels of a pixel. */
static __global__ void __launch_bounds__(THREADS)
    norm_pixel(const __grid_constant__ struct rp_op_net_norm a)
{
    const int lane = (int) threadIdx.x % RP_WARP, count = a.src.c;
    const int64_t pixel = (int64_t) blockIdx.x * (THREADS / RP_WARP) + (int) threadIdx.x / RP_WARP;
    const int n = (int) (pixel / (a.src.h * a.src.w)), q = (int) (pixel % (a.src.h * a.src.w));
    float mean = 0, square = 0;

    if (n >= a.src.n)
        return;
    if (a.kind == RP_NORM_LAYER) {
        for (int c = lane; c < count; c += RP_WARP)
            mean += get_at(a, pixel, c);
        mean = rp_warp_sum(mean) / (float) count;
    }
    for (int c = lane; c < count; c += RP_WARP) {
        const float d = get_at(a, pixel, c) - mean;

        square = fmaf(d, d, square);
    }
    square = rp_warp_sum(square);
    float factor = 1 / sqrtf(square / (float) count + a.eps);
    if (a.kind == RP_NORM_L2)
        factor = 1 / rp_net_max(sqrtf(square), a.eps);
    for (int c = lane; c < count; c += RP_WARP)
        rp_norm_put(&a, (get_at(a, pixel, c) - mean) * factor, n, q / a.src.w, q % a.src.w, c);
    if (lane < RP_ACT_ROUND(count) - count)
        rp_number_put(a.dst.data, a.dst.type, pixel * a.dst.ld + count + lane, 0);
}

extern "C" int rp_cuda_net_norm(struct rp_stream *stream, const struct rp_op_net_norm *a)
{
    const int all = a->src.n * a->src.h * a->src.w;
    const bool plain = rp_eight_can(a->then.fn) && rp_eight_can(a->also.then.fn) &&
                       (!a->add.data || (a->add.n == a->dst.n && a->add.h == a->dst.h &&
                                         a->add.w == a->dst.w && a->add.c == a->dst.c));

    if (a->kind == RP_NORM_INSTANCE && plain)
        instance(stream, a);
    else if (a->kind == RP_NORM_INSTANCE || a->kind == RP_NORM_GROUP) {
        const int groups = a->kind == RP_NORM_GROUP ? a->groups : a->src.c;

        RP_LAUNCH(stream, (unsigned) (a->src.n * groups), THREADS, norm_group, *a,
                  a->src.c / groups);
    } else {
        RP_LAUNCH(stream, rp_div_up(all, THREADS / RP_WARP), THREADS, norm_pixel, *a);
    }
    return rp_cuda_launched("net_norm");
}

/* ---- attention
 * -------------------------------------------------------------------------------------- */

/* A short row in a thread: distributions over 16 places, or over 2 answers. */
#define SHORT_ROW 32
static __global__ void __launch_bounds__(THREADS)
    softmax_short(const __grid_constant__ struct rp_op_net_softmax a)
{
    const int64_t row = (int64_t) blockIdx.x * THREADS + threadIdx.x;
    const int64_t from = row * a.src_ld, to = row * a.dst_ld;
    float v[SHORT_ROW], most = -INFINITY, sum = 0;

    if (row >= a.rows)
        return;
#pragma unroll
    for (int i = 0; i < SHORT_ROW; i++) {
        v[i] = i < a.count ? rp_number_get(a.src, a.type, from + i) : -INFINITY;
        most = rp_net_max(v[i], most);
    }
#pragma unroll
    for (int i = 0; i < SHORT_ROW; i++) {
        v[i] = i < a.count ? RP_NET_EXP(v[i] - most) : 0;
        sum += v[i];
    }
#pragma unroll
    for (int i = 0; i < SHORT_ROW; i++)
        if (i < a.count || (i < RP_ACT_ROUND(a.count) && i < a.dst_ld))
            rp_number_put(a.dst, a.type, to + i, i < a.count ? v[i] / sum : 0);
}

/* A row in a block. */
static __global__ void __launch_bounds__(THREADS)
    softmax(const __grid_constant__ struct rp_op_net_softmax a)
{
    __shared__ float room[THREADS];
    const int me = (int) threadIdx.x;
    const int64_t from = (int64_t) blockIdx.x * a.src_ld, to = (int64_t) blockIdx.x * a.dst_ld;
    float most = -INFINITY, sum = 0;

    for (int i = me; i < a.count; i += THREADS)
        most = rp_net_max(rp_number_get(a.src, a.type, from + i), most);
    room[me] = most;
    __syncthreads();
    for (int k = THREADS / 2; k; k /= 2) {
        if (me < k)
            room[me] = rp_net_max(room[me + k], room[me]);
        __syncthreads();
    }
    most = room[0];
    __syncthreads();
    for (int i = me; i < a.count; i += THREADS)
        sum += RP_NET_EXP(rp_number_get(a.src, a.type, from + i) - most);
    sum = block_sum(sum, room);
    for (int i = me; i < a.count; i += THREADS)
        rp_number_put(a.dst, a.type, to + i,
                      RP_NET_EXP(rp_number_get(a.src, a.type, from + i) - most) / sum);
    for (int i = a.count + me; i < RP_ACT_ROUND(a.count) && i < a.dst_ld; i += THREADS)
        rp_number_put(a.dst, a.type, to + i, 0);
}

extern "C" int rp_cuda_net_softmax(struct rp_stream *stream, const struct rp_op_net_softmax *a)
{
    if (a->count <= SHORT_ROW && a->rows > 64)
        RP_LAUNCH(stream, rp_div_up(a->rows, THREADS), THREADS, softmax_short, *a);
    else
        RP_LAUNCH(stream, (unsigned) a->rows, THREADS, softmax, *a);
    return rp_cuda_launched("net_softmax");
}

/* 32 x 32 numbers of a product in a block, 4 in a thread. */
static __global__ void __launch_bounds__(THREADS)
    matmul(const __grid_constant__ struct rp_op_net_matmul a)
{
    __shared__ float left[32][33], right[32][33];
    const int me = (int) threadIdx.x, x = me % 32, y = me / 32;
    const int i0 = (int) blockIdx.y * 32, j0 = (int) blockIdx.x * 32;
    const int64_t n = blockIdx.z / a.heads, head = blockIdx.z % a.heads;
    const int64_t pa = n * a.a.by_batch + head * a.a.by_head;
    const int64_t pb = n * a.b.by_batch + head * a.b.by_head;
    const int64_t pd = n * a.dst.by_batch + head * a.dst.by_head;
    float sum[4] = {0, 0, 0, 0};

    for (int k0 = 0; k0 < a.depth; k0 += 32) {
#pragma unroll
        for (int r = 0; r < 4; r++) {
            const int row = y + r * 8, k = k0 + x;
            const int bj = a.b_rows ? j0 + row : j0 + x, bk = a.b_rows ? k : k0 + row;

            left[row][x] =
                i0 + row < a.rows && k < a.depth
                    ? rp_number_get(a.a.data, a.type, pa + (int64_t) (i0 + row) * a.a.ld + k)
                    : 0;
            (a.b_rows ? right[x][row] : right[row][x]) =
                bj < a.columns && bk < a.depth
                    ? rp_number_get(
                          a.b.data, a.type,
                          pb + (a.b_rows ? (int64_t) bj * a.b.ld + bk : (int64_t) bk * a.b.ld + bj))
                    : 0;
        }
        __syncthreads();
#pragma unroll 8
        for (int k = 0; k < 32; k++)
#pragma unroll
            for (int r = 0; r < 4; r++)
                sum[r] = fmaf(left[y + r * 8][k], right[k][x], sum[r]);
        __syncthreads();
    }
#pragma unroll 1
    for (int r = 0; r < 4; r++)
        if (i0 + y + r * 8 < a.rows && j0 + x < a.columns)
            rp_number_put(a.dst.data, a.type, pd + (int64_t) (i0 + y + r * 8) * a.dst.ld + j0 + x,
                          rp_net_then(&a.then, sum[r] * a.scale, 0));
}

extern "C" int rp_cuda_net_matmul(struct rp_stream *stream, const struct rp_op_net_matmul *a)
{
    RP_LAUNCH(
        stream,
        dim3(rp_div_up(a->columns, 32), rp_div_up(a->rows, 32), (unsigned) (a->batch * a->heads)),
        THREADS, matmul, *a);
    return rp_cuda_launched("net_matmul");
}
