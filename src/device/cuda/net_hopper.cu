/* Convolutions of float16 on the units of sm_90, which read both operands from shared memory and
 * work beside the warps. A group of four warps has 64 rows of a tile. */
#include "device/cuda/hopper.cuh"
#include "device/cuda/net_conv.cuh"

/* One step of a group of four warps: its 64 rows times all of B, begun. */
template <int BN> RP_DEV void begin_step(float sum[BN / 8][4], const char *a, const char *b)
{
    const uint64_t da = rp_operand(a, 8 * ROW), db = rp_operand(b, 8 * ROW);

    rp_units_begin();
#pragma unroll
    for (int k = 0; k < 4; k++)
        rp_unit<BN>::multiply(sum, da + 2 * k, db + 2 * k);
    rp_units_end();
}

/* ---- the kernel ---------------------------------------------------------------------------------
 */

template <int COUNT> RP_DEV void clear(float *v)
{
#pragma unroll
    for (int i = 0; i < COUNT; i++)
        v[i] = 0;
}

template <int COUNT> RP_DEV void add(float *to, const float *v)
{
#pragma unroll
    for (int i = 0; i < COUNT; i++)
        to[i] += v[i];
}

/* What this block has of its tile's sums: all, or one of `blocks` parts. */
template <int BN>
RP_DEV void end_tile(const struct rp_op_net_conv &a, const conv_plan &p, float sum[1][BN / 8][4],
                     char *shared, int group, int split, int blocks)
{
    const int warp = (int) threadIdx.x / RP_WARP, m = (int) blockDim.x / 2; /* rows of the tile */

    if (blocks > 1) {
        const int tile =
            (group * (int) gridDim.y + (int) blockIdx.y) * (int) gridDim.x + (int) blockIdx.x;

        if (!join<BN / 2>(&sum[0][0][0], a.work, tile, split, blocks))
            return;
    }
    rp_fetch_wait(0);
    __syncthreads(); /* nobody reads what was fetched any more */
    const in_rows place = {(int) blockIdx.x * m + warp * 16, p.pixels};
    finish<16, BN>(a, p, sum, (float *) shared + warp * 16 * (BN + PITCH), place,
                   (int) blockIdx.y * BN, group);
}

/* SERIAL: a block does all parts of a sum, one after the other, and adds them up as join() does. */
template <int BM, int BN, bool SIMPLE, bool SERIAL>
static __global__ void __launch_bounds__(BM * 2)
    conv_hopper(const __grid_constant__ struct rp_op_net_conv a,
                const __grid_constant__ conv_plan p)
{
    enum { THREADS = BM * 2, STAGE = (BM + BN) * ROW };
    RP_SHARED_FLOATS(shared_floats);
    char *const shared = (char *) shared_floats +
                         (1024 - (unsigned) __cvta_generic_to_shared(shared_floats) % 1024) % 1024;
    const int blocks = SERIAL ? 1 : p.splits;
    const int group = (int) blockIdx.z / blocks, split = (int) blockIdx.z % blocks;
    const int m0 = (int) blockIdx.x * BM, n0 = (int) blockIdx.y * BN;
    const int first = p.steps * split / blocks, end = p.steps * (split + 1) / blocks;
    const int warp = (int) threadIdx.x / RP_WARP, ahead = p.stages - 2;
    float sum[1][BN / 8][4], total[1][SERIAL ? BN / 8 : 1][4];
    fetcher<RP_ACT_F16, BM, BN, THREADS, SIMPLE> f;
    int scale_c, stage = 0, next = ahead, s = first;

    clear<sizeof(total) / sizeof(float)>(&total[0][0][0]);
    f.start(a, p, m0, n0, group, first, shared);
    scale_c = f.c;
    rp_after_others();
    for (int i = 0; i < ahead; i++) {
        if (first + i < end)
            f.step(a, p, i);
        rp_fetch_group();
    }
#pragma unroll 1
    for (int part = 1; part <= (SERIAL ? p.splits : 1); part++) {
        const int part_end = SERIAL ? p.steps * part / p.splits : end;

        clear<BN / 2>(&sum[0][0][0]);
#pragma unroll 1
        for (; s < part_end; s++) {
            rp_fetch_wait(ahead - 1);
            if (a.in_scale) {
                f.scale(a, p, group, stage, scale_c);
                scale_c = (scale_c + ROW / 2) % RP_ACT_ROUND(a.src.c / a.groups);
            }
            rp_units_may_read();
            __syncthreads();
            begin_step<BN>(sum[0], shared + stage * STAGE + warp / 4 * 64 * ROW,
                           shared + stage * STAGE + BM * ROW);
            /* where the step before the last was: every warp waited for it before the barrier */
            if (s + ahead < end)
                f.step(a, p, next);
            rp_fetch_group();
            rp_units_wait<1>();
            stage = stage + 1 == p.stages ? 0 : stage + 1;
            next = next + 1 == p.stages ? 0 : next + 1;
        }
        rp_units_wait<0>();
        if (SERIAL)
            add<BN / 2>(&total[0][0][0], &sum[0][0][0]);
    }
    if constexpr (SERIAL)
        end_tile<BN>(a, p, total, shared, group, split, blocks);
    else
        end_tile<BN>(a, p, sum, shared, group, split, blocks);
}

/* ---- launching
 * ----------------------------------------------------------------------------------- */

struct hopper_tile {
    int m, n;
    float fixed, step; /* microseconds of a block, and of each of its steps, as measured */
    int at_once;       /* on a processor */
    bool serial;
    void (*kernel[2])(struct rp_op_net_conv, conv_plan); /* not simple, simple */
};

#define TILE(bm, bn, fixed, step, at_once, serial)                                \
    {                                                                             \
        bm, bn, fixed, step, at_once, serial,                                     \
        {                                                                         \
            conv_hopper<bm, bn, false, serial>, conv_hopper<bm, bn, true, serial> \
        }                                                                         \
    }
static const struct hopper_tile hopper_table[] = {
    TILE(128, 256, 5.0f, 0.85f, 1, false), TILE(128, 128, 3.5f, 0.50f, 1, false),
    TILE(128, 64, 2.8f, 0.35f, 2, false),  TILE(64, 64, 2.6f, 0.22f, 3, false),
    TILE(64, 32, 2.4f, 0.18f, 4, false),   TILE(128, 32, 2.5f, 0.28f, 2, false),
    TILE(128, 128, 3.5f, 0.52f, 1, true),  TILE(64, 64, 2.6f, 0.23f, 3, true),
    TILE(64, 32, 2.4f, 0.19f, 4, true),
};
#define HOPPER_TILES ((int) (sizeof(hopper_table) / sizeof(*hopper_table)))

static void size(int tile, int *m, int *n)
{
    *m = hopper_table[tile].m;
    *n = hopper_table[tile].n;
}

static bool can(const struct rp_op_net_conv *, const conv_plan &p, int tile)
{
    return !hopper_table[tile].serial || p.splits > 1;
}

static int blocks_of_sum(const struct hopper_tile &tile, const conv_plan &p)
{
    return tile.serial ? 1 : p.splits;
}

static int choose(const struct rp_op_net_conv *a, const conv_plan &p)
{
    return conv_choose(hopper_table, a, p, can);
}

static int launch(struct rp_stream *stream, const struct rp_op_net_conv *a, conv_plan p, int tile)
{
    const struct hopper_tile &t = hopper_table[tile];
    const dim3 grid(rp_div_up(p.pixels, t.m), rp_div_up(p.out, t.n),
                    a->groups * blocks_of_sum(t, p));
    const int stage = (t.m + t.n) * ROW;

    const int64_t blocks = (int64_t) grid.x * grid.y * grid.z;
    const int here = (int) RP_CLAMP((blocks + PROCESSORS - 1) / PROCESSORS, 1, t.at_once);

    /* those that share a processor share its memory: as many steps ahead as there is room for */
    p.stages = RP_CLAMP((226 * 1024 / here - 2048) / stage, 4, 8) & ~1;
    return conv_launch(stream, a, p, grid, t.m * 2, p.stages * stage + 1024, t.kernel[p.simple]);
}

const struct conv_kernels rp_conv_hopper = {HOPPER_TILES, size, can, choose, launch};
