/* Convolutions of float16 with few channels in their source, mostly a network's first: all that a
 * pixel has is one piece of 16 bytes, the rows of an operand are pixels of a patch in shared
 * memory, and two taps make the 16 numbers of a product. A block keeps its weights and works on one
 * patch after the other. */
#include "device/cuda/net_conv.cuh"

#define WIDE 16 /* a tile: the rows of an operand are a row of pixels */
#define HIGH 8
#define WARPS (HIGH / 2) /* two rows each */
#define PIECE 16         /* bytes of a pixel */

/* What the kernel wants to know beside the arguments and conv_plan. */
struct few_plan {
    int across, down, tiles; /* tiles: of a row, of a column, of all pictures */
    int w, h;                /* of a patch of the source */
    int taps, pitch;         /* of a row of weights: taps, made even; bytes */
};

/* Weights of outputs o0 on to shared memory, zeros where there are none. The pitch is an odd number
 * of pieces, so that eight rows lie in all banks. */
template <int BN>
RP_DEV void fetch_few_weights(const struct rp_op_net_conv &a, const conv_plan &p, const few_plan &q,
                              char *weights, int o0)
{
    const int real = a.kh * a.kw;

    for (int i = (int) threadIdx.x; i < BN * q.taps; i += WARPS * RP_WARP) {
        const int o = i / q.taps, tap = i % q.taps;
        const bool have = o0 + o < p.out && tap < real;

        rp_fetch(weights + o * q.pitch + tap * PIECE,
                 (const char *) a.weights + (have ? ((int64_t) (o0 + o) * p.row + tap * 8) * 2 : 0),
                 have);
    }
}

/* The patch of the source for the tile at (y, x) of the result. */
RP_DEV void fetch_few(const struct rp_op_net_conv &a, const few_plan &q, char *patch, int n, int y,
                      int x)
{
    for (int i = (int) threadIdx.x; i < q.w * q.h; i += WARPS * RP_WARP) {
        const int sy = rp_pad_source(y * a.stride_h - a.pad_top + i / q.w, a.src.h, 1, a.pad_mode);
        const int sx = rp_pad_source(x * a.stride_w - a.pad_left + i % q.w, a.src.w, 1, a.pad_mode);
        const bool have = sy >= 0 && sx >= 0;

        rp_fetch(patch + i * PIECE,
                 (const uint16_t *) a.src.data + (have ? rp_act_at(&a.src, n, sy, sx, 0) : 0),
                 have);
    }
}

#ifdef __CUDACC__
/* A warp's two rows of pixels times BN outputs; patch: of the first of them. */
template <int BN>
RP_DEV void multiply_few(const struct rp_op_net_conv &a, const few_plan &q, const char *patch,
                         const char *weights, float sum[2][BN / 8][4])
{
    const int lane = (int) threadIdx.x % RP_WARP;
    const char *const pixel = patch + lane % 16 * a.stride_w * PIECE;
    const char *const output =
        weights + (lane % 8 + lane / 16 * 8) * q.pitch + lane / 8 % 2 * PIECE;
    int ky = 0, kx = 0; /* of the tap that this lane's row is of */

    if (lane / 16)
        kx = a.kw > 1, ky = !kx;
#pragma unroll 1
    for (int tap = 0; tap < q.taps; tap += 2) {
        uint32_t fa[2][4], fb[BN / 8][2];

        /* beyond the last tap: numbers that are multiplied by zero */
        const int at = (ky < a.kh ? ky * q.w + kx : 0) * PIECE;
#pragma unroll
        for (int i = 0; i < 2; i++)
            rp_rows_of_four(fa[i], pixel + i * a.stride_h * q.w * PIECE + at);
#pragma unroll
        for (int j = 0; j < BN / 16; j++) {
            uint32_t r[4];

            rp_rows_of_four(r, output + j * 16 * q.pitch + tap * PIECE);
            fb[2 * j][0] = r[0], fb[2 * j][1] = r[1];
            fb[2 * j + 1][0] = r[2], fb[2 * j + 1][1] = r[3];
        }
#pragma unroll
        for (int i = 0; i < 2; i++)
#pragma unroll
            for (int j = 0; j < BN / 8; j++)
                rp_mma_half(sum[i][j], fa[i], fb[j]);
        for (kx += 2; kx >= a.kw; kx -= a.kw)
            ky++;
    }
}
#else
/* What each lane holds of it, without the units' way of sharing operands. */
template <int BN>
static void multiply_few(const struct rp_op_net_conv &a, const few_plan &q, const char *patch,
                         const char *weights, float sum[2][BN / 8][4])
{
    const int lane = (int) threadIdx.x % RP_WARP;

    for (int i = 0; i < 2 * (BN / 8) * 4; i++) {
        const int y = i / (BN / 8) / 4, x = lane / 4 + i % 4 / 2 * 8;
        const int out = i / 4 % (BN / 8) * 8 + lane % 4 * 2 + i % 2;
        float *const to = &sum[0][0][0] + i;

        for (int tap = 0; tap < a.kh * a.kw; tap++)
            for (int c = 0; c < 8; c++)
                *to += rp_number_get(patch + ((y * a.stride_h + tap / a.kw) * q.w + x * a.stride_w +
                                              tap % a.kw) *
                                                 PIECE,
                                     RP_ACT_F16, c) *
                       rp_number_get(weights + out * q.pitch + tap * PIECE, RP_ACT_F16, c);
    }
}
#endif

/* One of a warp's two rows of pixels. */
struct in_line {
    int first, count; /* pixels: the first one's number, how many are in the picture */

    RP_DEV_METHOD int pixel(int row) const
    {
        return row < count ? first + row : -1;
    }
};

template <int BN>
RP_DEV void finish_few(const struct rp_op_net_conv &a, const conv_plan &p, float sum[2][BN / 8][4],
                       float *turn, int n, int y, int x, int o0)
{
    const int warp = (int) threadIdx.x / RP_WARP;

#pragma unroll
    for (int i = 0; i < 2; i++) {
        const int line = y + warp * 2 + i;
        const struct in_line place = {(n * p.height + line) * p.width + x,
                                      line < p.height ? rp_mini(p.width - x, WIDE) : 0};

        finish<16, BN>(a, p, &sum[i], turn, place, o0, 0);
    }
}

template <int BN>
static __global__ void __launch_bounds__(WARPS *RP_WARP)
    conv_few(const __grid_constant__ struct rp_op_net_conv a, const __grid_constant__ conv_plan p,
             const __grid_constant__ few_plan q)
{
    RP_SHARED_FLOATS(shared_floats);
    const int warp = (int) threadIdx.x / RP_WARP, o0 = (int) blockIdx.y * BN;
    float *const turn = shared_floats + warp * 16 * (BN + PITCH);
    char *const weights = (char *) (shared_floats + WARPS * 16 * (BN + PITCH));
    char *const patch = weights + BN * q.pitch;

    rp_after_others();
    fetch_few_weights<BN>(a, p, q, weights, o0);
    for (int tile = (int) blockIdx.x; tile < q.tiles; tile += (int) gridDim.x) {
        const int x = tile % q.across * WIDE, y = tile / q.across % q.down * HIGH;
        const int n = tile / q.across / q.down;
        float sum[2][BN / 8][4];

        fetch_few(a, q, patch, n, y, x);
        rp_fetch_group();
#pragma unroll
        for (int i = 0; i < BN; i++)
            (&sum[0][0][0])[i] = 0;
        rp_fetch_wait(0);
        __syncthreads();
        multiply_few<BN>(a, q, patch + warp * 2 * a.stride_h * q.w * PIECE, weights, sum);
        finish_few<BN>(a, p, sum, turn, n, y, x, o0);
        __syncthreads(); /* nobody reads the patch any more */
    }
}

/* ---- launching
 * ----------------------------------------------------------------------------------- */

typedef void few_kernel(struct rp_op_net_conv, conv_plan, few_plan);

struct few_tile {
    int n, at_once; /* outputs; blocks on a processor, about */
    few_kernel *kernel;
};

static const struct few_tile few_table[] = {
    {16, 6, conv_few<16>}, {32, 5, conv_few<32>}, {64, 3, conv_few<64>}};
#define FEW_TILES ((int) (sizeof(few_table) / sizeof(*few_table)))

static void size(int tile, int *m, int *n)
{
    *m = WIDE * HIGH;
    *n = few_table[tile].n;
}

static few_plan make_few(const struct rp_op_net_conv *a, const conv_plan &p)
{
    few_plan q = {};

    q.across = (int) rp_div_up(p.width, WIDE);
    q.down = (int) rp_div_up(p.height, HIGH);
    q.tiles = q.across * q.down * a->src.n;
    q.w = (WIDE - 1) * a->stride_w + a->kw;
    q.h = (HIGH - 1) * a->stride_h + a->kh;
    q.taps = (a->kh * a->kw + 1) / 2 * 2;
    q.pitch = (q.taps + 1) * PIECE;
    return q;
}

static int bytes_of(const few_plan &q, int n)
{
    return WARPS * 16 * (n + PITCH) * 4 + n * q.pitch + q.w * q.h * PIECE;
}

static bool can(const struct rp_op_net_conv *a, const conv_plan &p, int tile)
{
    return bytes_of(make_few(a, p), few_table[tile].n) <= rp_shared_most();
}

/* The one that has the outputs in the fewest blocks. */
static int choose(const struct rp_op_net_conv *a, const conv_plan &p)
{
    int tile = 0;

    while (tile + 1 < FEW_TILES && few_table[tile].n < p.out && can(a, p, tile + 1))
        tile++;
    return tile;
}

static int launch(struct rp_stream *stream, const struct rp_op_net_conv *a, conv_plan p, int tile)
{
    const struct few_tile &t = few_table[tile];
    const few_plan q = make_few(a, p);
    const int outs = (int) rp_div_up(p.out, t.n);
    const int some = RP_MIN(q.tiles, (int) rp_div_up(PROCESSORS * t.at_once, outs));

    rp_shared_allow((const void *) t.kernel);
    RP_LAUNCH_SHARED(stream, dim3((unsigned) some, (unsigned) outs), WARPS * RP_WARP,
                     bytes_of(q, t.n), t.kernel, *a, p, q);
    return rp_cuda_launched("net_conv");
}

const struct conv_kernels rp_conv_few = {FEW_TILES, size, can, choose, launch};
