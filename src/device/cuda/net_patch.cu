/* Convolutions of float16 with windows larger than a pixel, on sm_90. A tile is a patch of the
 * result, eight pixels wide. What its window sees of the source is fetched once for all taps, 64
 * channels at a time, as a box of the tensor; a tap is the same box read from another row on. One
 * warp has weights fetched, tap by tap, another the patches. Around the source there are zeros,
 * which the box brings with it, or what is inside, mirrored, which that warp puts there.
 *
 * Which convolutions are done so depends on the sizes of one row alone, as they add in an order of
 * their own: 64 channels, tap by tap, then the next 64. */
#include "device/cuda/hopper.cuh"
#include "device/cuda/net_conv.cuh"

#define WIDE 8         /* pixels: the rows of an operand that lie together */
#define DEEP (ROW / 2) /* channels */
#define MOST_WINDOW 7
#define MOST_WIDE (WIDE + MOST_WINDOW - 1)
#define MOST_STAGES 8
#define HELPERS (2 * RP_WARP) /* threads that do not multiply */

/* What the kernel wants to know beside the arguments and conv_plan. */
struct patch_plan {
    int across, down, tiles, outs; /* tiles: of a picture, of all, of the outputs */
    int w, h, bytes;               /* of a patch of the source; its room in shared memory */
    int deep;                      /* parts of 64 channels */
};

struct patch_barriers {
    uint64_t came[2], right[2], left[2]; /* of patches: fetched, mirrored, done with */
    uint64_t weights_came[MOST_STAGES], weights_left[MOST_STAGES];
};

/* Where a tile is. */
struct patch_at {
    int n, y, x, out;
};

RP_DEV struct patch_at find_tile(const patch_plan &q, int tile, int height, int out)
{
    const int rest = tile / q.across;
    const struct patch_at at = {rest / q.down, rest % q.down * height, tile % q.across * WIDE, out};

    return at;
}

/* Of a warp's 16 rows, two rows of pixels. */
struct in_patch {
    int n, y, x, height, width;

    RP_DEV_METHOD int pixel(int row) const
    {
        const int py = y + row / WIDE, px = x + row % WIDE;

        return py < height && px < width ? (n * height + py) * width + px : -1;
    }
};

/* ---- fetching ----------------------------------------------------------------------------------
 */

/* One thread has the weights of all steps fetched. */
RP_DEV void fetch_weights(const conv_plan &p, const patch_plan &q, const CUtensorMap *map,
                          struct patch_barriers *b, char *room, int stage_bytes, int taps, int out)
{
    int stage = 0, round = 0;

    for (int part = 0; part < q.deep; part++)
        for (int tap = 0; tap < taps; tap++) {
            if (round > 0)
                rp_barrier_wait(&b->weights_left[stage], (round - 1) & 1);
            rp_barrier_expect(&b->weights_came[stage], stage_bytes);
            rp_box_of_three(room + stage * stage_bytes, map, &b->weights_came[stage], part * DEEP,
                            tap, out);
            if (++stage == p.stages) {
                stage = 0;
                round++;
            }
        }
}

/* Pixels of a patch outside of the source, as pairs: what they mirror is inside. By a warp; returns
 * how many there are. */
RP_DEV int list_mirrored(const struct rp_op_net_conv &a, const patch_plan &q, uint32_t *pairs,
                         int y0, int x0)
{
    const int lane = (int) threadIdx.x % RP_WARP;
    int count = 0;

    if (y0 >= 0 && x0 >= 0 && y0 + q.h <= a.src.h && x0 + q.w <= a.src.w)
        return 0;
    for (int i = lane; i - lane < q.w * q.h; i += RP_WARP) {
        const int y = i / q.w, x = i % q.w;
        const int fy = rp_pad_source(y0 + y, a.src.h, 1, a.pad_mode) - y0;
        const int fx = rp_pad_source(x0 + x, a.src.w, 1, a.pad_mode) - x0;
        const bool is = y < q.h && (fy != y || fx != x) && (unsigned) fy < (unsigned) q.h &&
                        (unsigned) fx < (unsigned) q.w;
        const unsigned all = __ballot_sync(RP_ALL_LANES, is);

        if (is)
            pairs[count + __popc(all & ((1u << lane) - 1))] =
                (uint32_t) i | (uint32_t) (fy * q.w + fx) << 16;
        count += __popc(all);
    }
    __syncwarp();
    return count;
}

/* A piece of a pixel of a patch. */
RP_DEV uint4 *piece_of(char *patch, uint32_t pixel, int piece)
{
    return (uint4 *) (patch + pixel * ROW + ((piece ^ (int) (pixel & 7)) * 16));
}

/* A warp copies what is mirrored, several pieces at a time. */
RP_DEV void mirror(char *patch, const uint32_t *pairs, int count)
{
    enum { AT_ONCE = 4, LANES = RP_WARP / PIECES };
    const int lane = (int) threadIdx.x % RP_WARP, piece = lane % PIECES;

#pragma unroll 1
    for (int i = lane / PIECES; i < count; i += AT_ONCE * LANES) {
        uint32_t pair[AT_ONCE];
        uint4 v[AT_ONCE];

#pragma unroll
        for (int k = 0; k < AT_ONCE; k++)
            pair[k] = pairs[rp_mini(i + k * LANES, count - 1)];
#pragma unroll
        for (int k = 0; k < AT_ONCE; k++)
            v[k] = *piece_of(patch, pair[k] >> 16, piece);
#pragma unroll
        for (int k = 0; k < AT_ONCE; k++)
            *piece_of(patch, pair[k] & 0xffff, piece) = v[k];
    }
    rp_units_may_read();
}

RP_DEV void fetch_patch(const patch_plan &q, const CUtensorMap *map, struct patch_barriers *b,
                        char *room, int part, int x0, int y0, int n)
{
    const int one = part & 1;

    if (part > 1)
        rp_barrier_wait(&b->left[one], (part / 2 - 1) & 1);
    rp_barrier_expect(&b->came[one], q.w * q.h * ROW);
    rp_box_of_four(room + one * q.bytes, map, &b->came[one], part * DEEP, x0, y0, n);
}

/* A warp has the patches fetched, each while the one before is worked on. */
RP_DEV void fetch_patches(const struct rp_op_net_conv &a, const patch_plan &q,
                          const CUtensorMap *map, struct patch_barriers *b, char *room,
                          uint32_t *pairs, const patch_at &at)
{
    const int y0 = at.y - a.pad_top, x0 = at.x - a.pad_left;
    const bool first = threadIdx.x % RP_WARP == 0;
    int mirrored = 0;

    if (first)
        fetch_patch(q, map, b, room, 0, x0, y0, at.n);
    __syncwarp();
    if (a.pad_mode != RP_PAD_ZERO)
        mirrored = list_mirrored(a, q, pairs, y0, x0);
    for (int part = 0; part < q.deep; part++) {
        if (a.pad_mode != RP_PAD_ZERO) {
            rp_barrier_wait(&b->came[part & 1], (part / 2) & 1);
            mirror(room + (part & 1) * q.bytes, pairs, mirrored);
            __syncwarp();
            if (first)
                rp_barrier_arrive(&b->right[part & 1]);
        }
        if (first && part + 1 < q.deep)
            fetch_patch(q, map, b, room, part + 1, x0, y0, at.n);
        __syncwarp();
    }
}

/* ---- multiplying -------------------------------------------------------------------------------
 */

/* One step of a group of four warps: one tap of EACH times 64 pixels, begun. Of 64 channels the
 * first 16 STEPS are there; the others are zeros. */
template <int EACH, int BN, int STEPS>
RP_DEV void begin_tap(float sum[EACH][BN / 8][4], const char *pixels, int apart,
                      const char *weights)
{
    const uint64_t db = rp_operand(weights, WIDE * ROW);

    rp_units_begin();
#pragma unroll
    for (int e = 0; e < EACH; e++) {
        const uint64_t da = rp_operand(pixels + e * 8 * apart, apart);

#pragma unroll
        for (int k = 0; k < STEPS; k++)
            rp_unit<BN>::multiply(sum[e], da + 2 * k, db + 2 * k);
    }
    rp_units_end();
}

/* All sums of this group of warps, whose first row of pixels is `row` of the tile. */
template <int EACH, int BN>
RP_DEV void multiply_all(const struct rp_op_net_conv &a, const conv_plan &p, const patch_plan &q,
                         struct patch_barriers *b, const char *patches, const char *weights,
                         int row, float sum[EACH][BN / 8][4])
{
    const int apart = q.w * ROW;
    const bool tells = threadIdx.x % RP_WARP == 0;
    uint64_t *const ready = a.pad_mode == RP_PAD_ZERO ? b->came : b->right;
    int stage = 0, phase = 0, done = -1;

#pragma unroll 1
    for (int part = 0; part < q.deep; part++) {
        const char *const patch = patches + (part & 1) * q.bytes + row * apart;

        rp_barrier_wait(&ready[part & 1], (part / 2) & 1);
#pragma unroll 1
        for (int ky = 0; ky < a.kh; ky++)
#pragma unroll 1
            for (int kx = 0; kx < a.kw; kx++) {
                rp_barrier_wait(&b->weights_came[stage], phase);
                begin_tap<EACH, BN, DEEP / 16>(sum, patch + ky * apart + kx * ROW, apart,
                                               weights + stage * BN * ROW);
                rp_units_wait<1>(); /* the step before is done, and with it what it read */
                if (tells && done >= 0)
                    rp_barrier_arrive(&b->weights_left[done]);
                if (tells && done >= 0 && part > 0 && ky == 0 && kx == 0)
                    rp_barrier_arrive(&b->left[!(part & 1)]);
                done = stage;
                if (++stage == p.stages) {
                    stage = 0;
                    phase ^= 1;
                }
            }
    }
    rp_units_wait<0>();
}

/* What will be added to a group's pixels is asked for while they are multiplied: by itself every
 * piece would be waited for as long as memory takes. */
template <int EACH, int BN>
RP_DEV void expect_add(const struct rp_op_net_conv &a, const conv_plan &p, const patch_at &at,
                       int row)
{
    const int me = (int) threadIdx.x % (4 * RP_WARP), size = a.add.type == RP_ACT_F16 ? 2 : 4;
    const struct in_patch place = {at.n, at.y + row, at.x, p.height, p.width};
    const int m = me < EACH * 64 ? place.pixel(me) : -1;

    if (!a.add.data || m < 0 || !p.quick)
        return;
    const int pixel = a.add.n == a.dst.n ? m : m % (p.height * p.width);
    const int first = a.add.c == 1 ? 0 : at.out,
              count = a.add.c == 1 ? 1 : rp_mini(BN, a.add.c - first);
    const char *const from =
        (const char *) a.add.data + ((int64_t) pixel * a.add.ld + first) * size;

    for (int i = 0; i < count * size; i += 128)
        asm volatile("prefetch.global.L1 [%0];" ::"l"(from + i));
}

/* What a group of warps has; row: of its first pixels in the tile. */
template <int EACH, int BN>
RP_DEV void finish_patch(const struct rp_op_net_conv &a, const conv_plan &p,
                         const float sum[EACH][BN / 8][4], float *turn, const patch_at &at, int row)
{
    const int warp = (int) threadIdx.x / RP_WARP % 4;

#pragma unroll
    for (int e = 0; e < EACH; e++) {
        const struct in_patch place = {at.n, at.y + row + e * 8 + warp * 2, at.x, p.height,
                                       p.width};

        finish<16, BN>(a, p, &sum[e], turn, place, at.out, 0);
    }
}

RP_DEV void start_barriers(struct patch_barriers *b, int stages, int warps)
{
    for (int i = 0; i < 2; i++) {
        rp_barrier_init(&b->came[i], 1);
        rp_barrier_init(&b->right[i], 1);
        rp_barrier_init(&b->left[i], warps);
    }
    for (int i = 0; i < stages; i++) {
        rp_barrier_init(&b->weights_came[i], 1);
        rp_barrier_init(&b->weights_left[i], warps);
    }
    rp_barriers_ready();
}

/* GROUPS of four warps, EACH times 64 pixels for each of them, BN outputs. */
template <int GROUPS, int EACH, int BN, int AT_ONCE>
static __global__ void __launch_bounds__(GROUPS * 4 * RP_WARP + HELPERS, AT_ONCE)
    conv_patch(const __grid_constant__ struct rp_op_net_conv a, const __grid_constant__ conv_plan p,
               const __grid_constant__ patch_plan q, const __grid_constant__ CUtensorMap source,
               const __grid_constant__ CUtensorMap weights)
{
    enum { WARPS = GROUPS * 4, STAGE = BN * ROW };
    RP_SHARED_FLOATS(shared_floats);
    __shared__ struct patch_barriers barriers;
    __shared__ uint32_t pairs[MOST_WIDE * (GROUPS * EACH * 8 + MOST_WINDOW - 1)];
    char *const patches =
        (char *) shared_floats + (1024 - rp_shared_at(shared_floats) % 1024) % 1024;
    char *const room = patches + (q.deep > 1 ? 2 : 1) * q.bytes;
    const int warp = (int) threadIdx.x / RP_WARP, row = warp / 4 * EACH * 8;
    const struct patch_at at =
        find_tile(q, (int) blockIdx.x / q.outs, GROUPS * EACH * 8, (int) blockIdx.x % q.outs * BN);
    float sum[EACH][BN / 8][4];

    if (threadIdx.x == 0)
        start_barriers(&barriers, p.stages, WARPS);
    __syncthreads();
    rp_after_others();
    if (warp == WARPS) {
        if (threadIdx.x % RP_WARP == 0)
            fetch_weights(p, q, &weights, &barriers, room, STAGE, a.kh * a.kw, at.out);
        return;
    }
    if (warp > WARPS) {
        fetch_patches(a, q, &source, &barriers, patches, pairs, at);
        return;
    }
#pragma unroll
    for (int i = 0; i < EACH * BN / 2; i++)
        (&sum[0][0][0])[i] = 0;
    expect_add<EACH, BN>(a, p, at, row);
    multiply_all<EACH, BN>(a, p, q, &barriers, patches, room, row, sum);
    /* what was fetched is read no more: results are turned there */
    asm volatile("bar.sync 1, %0;" ::"n"(WARPS * RP_WARP) : "memory");
    finish_patch<EACH, BN>(a, p, sum, (float *) patches + warp * 16 * (BN + PITCH), at, row);
}

/* ---- many small patches ------------------------------------------------------------------------
 */

/* Where all weights of a block fit beside the patches, and 64 channels are all, blocks stay and
 * every group of warps has patches of its own, one after the other: while it stores what it has,
 * others multiply. Adds as conv_patch() does. */

struct staged_barriers {
    uint64_t came[MOST_STAGES], right[MOST_STAGES], left[MOST_STAGES], weights;
};

RP_DEV void start_staged(struct staged_barriers *b, int stages)
{
    rp_barrier_init(&b->weights, 1);
    for (int i = 0; i < stages; i++) {
        rp_barrier_init(&b->came[i], 1);
        rp_barrier_init(&b->right[i], 1);
        rp_barrier_init(&b->left[i], 4); /* warps of a group */
    }
    rp_barriers_ready();
}

/* One thread has all weights fetched, then patch after patch. */
template <int HEIGHT, int BN>
RP_DEV void fetch_staged(const struct rp_op_net_conv &a, const conv_plan &p, const patch_plan &q,
                         const CUtensorMap *source, const CUtensorMap *weights,
                         struct staged_barriers *b, char *patches, char *room, int out)
{
    const int taps = a.kh * a.kw, step = (int) gridDim.x / q.outs;
    int stage = 0, round = 0;

    rp_barrier_expect(&b->weights, taps * BN * ROW);
    for (int tap = 0; tap < taps; tap++)
        rp_box_of_three(room + tap * BN * ROW, weights, &b->weights, 0, tap, out);
    for (int tile = (int) blockIdx.x / q.outs; tile < q.tiles; tile += step) {
        const struct patch_at at = find_tile(q, tile, HEIGHT, out);

        if (round > 0)
            rp_barrier_wait(&b->left[stage], (round - 1) & 1);
        rp_barrier_expect(&b->came[stage], q.w * q.h * ROW);
        rp_box_of_four(patches + stage * q.bytes, source, &b->came[stage], 0, at.x - a.pad_left,
                       at.y - a.pad_top, at.n);
        if (++stage == p.stages) {
            stage = 0;
            round++;
        }
    }
}

/* A warp mirrors what is to be mirrored of patch after patch. */
template <int HEIGHT>
RP_DEV void mirror_staged(const struct rp_op_net_conv &a, const conv_plan &p, const patch_plan &q,
                          struct staged_barriers *b, char *patches, uint32_t *pairs)
{
    const int step = (int) gridDim.x / q.outs;
    int stage = 0, round = 0;

    for (int tile = (int) blockIdx.x / q.outs; tile < q.tiles; tile += step) {
        const struct patch_at at = find_tile(q, tile, HEIGHT, 0);
        const int count = list_mirrored(a, q, pairs, at.y - a.pad_top, at.x - a.pad_left);

        rp_barrier_wait(&b->came[stage], round & 1);
        mirror(patches + stage * q.bytes, pairs, count);
        __syncwarp();
        if (threadIdx.x % RP_WARP == 0)
            rp_barrier_arrive(&b->right[stage]);
        if (++stage == p.stages) {
            stage = 0;
            round++;
        }
    }
}

/* Every patch that is this group's. */
template <int GROUPS, int EACH, int BN, int STEPS>
RP_DEV void multiply_staged(const struct rp_op_net_conv &a, const conv_plan &p, const patch_plan &q,
                            struct staged_barriers *b, const char *patches, const char *room,
                            float *turn, int out)
{
    const int group = (int) threadIdx.x / (4 * RP_WARP), apart = q.w * ROW;
    const int first = (int) blockIdx.x / q.outs, step = (int) gridDim.x / q.outs;
    uint64_t *const ready = a.pad_mode == RP_PAD_ZERO ? b->came : b->right;
    float sum[EACH][BN / 8][4];

    rp_barrier_wait(&b->weights, 0);
#pragma unroll 1
    for (int i = group, tile = first + group * step; tile < q.tiles;
         i += GROUPS, tile += GROUPS * step) {
        const struct patch_at at = find_tile(q, tile, EACH * 8, out);
        const int stage = i % p.stages;
        const char *pixels = patches + stage * q.bytes, *weights = room;

#pragma unroll
        for (int k = 0; k < EACH * BN / 2; k++)
            (&sum[0][0][0])[k] = 0;
        expect_add<EACH, BN>(a, p, at, 0);
        rp_barrier_wait(&ready[stage], i / p.stages & 1);
#pragma unroll 1
        for (int ky = 0; ky < a.kh; ky++, pixels += apart)
#pragma unroll 1
            for (int kx = 0; kx < a.kw; kx++, weights += BN * ROW)
                begin_tap<EACH, BN, STEPS>(sum, pixels + kx * ROW, apart, weights);
        rp_units_wait<0>();
        if (threadIdx.x % RP_WARP == 0)
            rp_barrier_arrive(&b->left[stage]);
        finish_patch<EACH, BN>(a, p, sum, turn, at, 0);
    }
}

template <int GROUPS, int EACH, int BN, int AT_ONCE>
static __global__ void __launch_bounds__(GROUPS * 4 * RP_WARP + HELPERS, AT_ONCE)
    conv_staged(const __grid_constant__ struct rp_op_net_conv a,
                const __grid_constant__ conv_plan p, const __grid_constant__ patch_plan q,
                const __grid_constant__ CUtensorMap source,
                const __grid_constant__ CUtensorMap weights)
{
    enum { WARPS = GROUPS * 4, HEIGHT = EACH * 8 };
    RP_SHARED_FLOATS(shared_floats);
    __shared__ struct staged_barriers barriers;
    __shared__ uint32_t pairs[MOST_WIDE * (HEIGHT + MOST_WINDOW - 1)];
    char *const patches =
        (char *) shared_floats + (1024 - rp_shared_at(shared_floats) % 1024) % 1024;
    char *const room = patches + p.stages * q.bytes;
    const int warp = (int) threadIdx.x / RP_WARP;
    float *const turn = (float *) (room + a.kh * a.kw * BN * ROW) + warp * 16 * (BN + PITCH);
    const int out = (int) blockIdx.x % q.outs * BN;

    if (threadIdx.x == 0)
        start_staged(&barriers, p.stages);
    __syncthreads();
    rp_after_others();
    if (warp == WARPS) {
        if (threadIdx.x % RP_WARP == 0)
            fetch_staged<HEIGHT, BN>(a, p, q, &source, &weights, &barriers, patches, room, out);
    } else if (warp > WARPS) {
        if (a.pad_mode != RP_PAD_ZERO)
            mirror_staged<HEIGHT>(a, p, q, &barriers, patches, pairs);
    } else {
        if (a.src.c <= DEEP / 2)
            multiply_staged<GROUPS, EACH, BN, DEEP / 32>(a, p, q, &barriers, patches, room, turn,
                                                         out);
        else
            multiply_staged<GROUPS, EACH, BN, DEEP / 16>(a, p, q, &barriers, patches, room, turn,
                                                         out);
    }
}

/* ---- launching
 * ----------------------------------------------------------------------------------- */

typedef void patch_kernel(struct rp_op_net_conv, conv_plan, patch_plan, CUtensorMap, CUtensorMap);

struct patch_tile {
    int m, n;
    float fixed, step; /* microseconds of a block, and of each of its taps of 64 channels */
    int at_once;       /* on a processor */
    float start;       /* conv_staged(): microseconds once; its blocks stay, "a block" is a patch */
    int threads;
    patch_kernel *kernel;
};

#define TILE(groups, each, bn, at_once, fixed, step)                                    \
    {                                                                                   \
        groups *each * 64, bn, fixed, step, at_once, 0, groups * 4 * RP_WARP + HELPERS, \
            conv_patch<groups, each, bn, at_once>                                       \
    }
#define STAGED(groups, each, bn, start, fixed, step)                          \
    {                                                                         \
        each * 64, bn, fixed, step, 1, start, groups * 4 * RP_WARP + HELPERS, \
            conv_staged<groups, each, bn, 1>                                  \
    }
static const struct patch_tile patch_table[] = {
    TILE(2, 2, 128, 1, 5.0f, 0.70f),       TILE(2, 1, 128, 2, 4.0f, 0.35f),
    TILE(2, 2, 64, 2, 4.0f, 0.40f),        TILE(2, 1, 64, 2, 3.0f, 0.27f),
    TILE(2, 2, 32, 2, 3.5f, 0.25f),        TILE(2, 1, 32, 3, 2.8f, 0.15f),
    STAGED(3, 2, 64, 4.0f, 0.50f, 0.150f), STAGED(3, 2, 32, 4.0f, 0.40f, 0.080f),
};
#define PATCH_TILES ((int) (sizeof(patch_table) / sizeof(*patch_table)))

static void size(int tile, int *m, int *n)
{
    *m = patch_table[tile].m;
    *n = patch_table[tile].n;
}

static patch_plan make_patches(const struct rp_op_net_conv *a, const conv_plan &p, int tile)
{
    const int height = patch_table[tile].m / WIDE;
    patch_plan q = {};

    q.across = (int) rp_div_up(p.width, WIDE);
    q.down = (int) rp_div_up(p.height, height);
    q.tiles = q.across * q.down * a->src.n;
    q.outs = (int) rp_div_up(p.out, patch_table[tile].n);
    q.w = WIDE + a->kw - 1;
    q.h = height + a->kh - 1;
    q.bytes = (q.w * q.h * ROW + 1023) / 1024 * 1024;
    q.deep = (int) rp_div_up(a->src.c, DEEP);
    return q;
}

static int turn_bytes(const struct patch_tile &t)
{
    return (t.threads - HELPERS) / RP_WARP * 16 * (t.n + PITCH) * 4;
}

/* Bytes of shared memory beside the stages, which are of weights, or of patches where those stay.
 */
static int fixed_bytes(const struct rp_op_net_conv *a, const patch_plan &q, const patch_tile &t)
{
    return t.start > 0 ? a->kh * a->kw * t.n * ROW + turn_bytes(t) : (q.deep > 1 ? 2 : 1) * q.bytes;
}

static int stage_bytes(const patch_plan &q, const patch_tile &t)
{
    return t.start > 0 ? q.bytes : t.n * ROW;
}

/* For how many there is room. */
static int stages_of(const struct rp_op_net_conv *a, const patch_plan &q, const patch_tile &t)
{
    const int all = 228 * 1024 / t.at_once - 5 * 1024; /* beside the block's own */

    return RP_MIN((all - fixed_bytes(a, q, t)) / stage_bytes(q, t), MOST_STAGES);
}

static bool can(const struct rp_op_net_conv *a, const conv_plan &p, int tile)
{
    const patch_plan q = make_patches(a, p, tile);

    return stages_of(a, q, patch_table[tile]) >= 2 && (patch_table[tile].start == 0 || q.deep == 1);
}

static int choose(const struct rp_op_net_conv *a, const conv_plan &p)
{
    int best = 0;
    float least = 0;

    for (int i = 0; i < PATCH_TILES; i++) {
        const patch_plan q = make_patches(a, p, i);
        const int64_t blocks = (int64_t) q.tiles * q.outs;
        const float cost =
            patch_table[i].start + conv_cost(patch_table[i], blocks, q.deep * a->kh * a->kw, 1);

        if (can(a, p, i) && (least == 0 || cost < least)) {
            best = i;
            least = cost;
        }
    }
    return best;
}

/* The driver's function, without its library. */
static int map_of(CUtensorMap *map, const void *data, int rank, const cuuint64_t *sizes,
                  const cuuint64_t *apart, const cuuint32_t *box)
{
    typedef CUresult encode_fn(CUtensorMap *, CUtensorMapDataType, cuuint32_t, void *,
                               const cuuint64_t *, const cuuint64_t *, const cuuint32_t *,
                               const cuuint32_t *, CUtensorMapInterleave, CUtensorMapSwizzle,
                               CUtensorMapL2promotion, CUtensorMapFloatOOBfill);
    const cuuint32_t ones[] = {1, 1, 1, 1};
    enum cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
    void *get = NULL;

    if (cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &get, 12000, cudaEnableDefault,
                                         &found) != cudaSuccess ||
        found != cudaDriverEntryPointSuccess ||
        ((encode_fn *) get)(map, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, (cuuint32_t) rank, (void *) data,
                            sizes, apart, box, ones, CU_TENSOR_MAP_INTERLEAVE_NONE,
                            CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                            CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) != CUDA_SUCCESS)
        return rp_host.fail(RP_ERR_DEVICE, "GPU: a tensor of a network cannot be described to it");
    return 0;
}

static int map_source(CUtensorMap *map, const struct rp_act *t, const patch_plan &q)
{
    const cuuint64_t pixel = (cuuint64_t) t->ld * 2, line = pixel * (cuuint64_t) t->w;
    const cuuint64_t sizes[] = {(cuuint64_t) t->c, (cuuint64_t) t->w, (cuuint64_t) t->h,
                                (cuuint64_t) t->n};
    const cuuint64_t apart[] = {pixel, line, line * (cuuint64_t) t->h};
    const cuuint32_t box[] = {DEEP, (cuuint32_t) q.w, (cuuint32_t) q.h, 1};

    return map_of(map, t->data, 4, sizes, apart, box);
}

static int map_weights(CUtensorMap *map, const struct rp_op_net_conv *a, const conv_plan &p,
                       int outs)
{
    const cuuint64_t taps = (cuuint64_t) a->kh * (cuuint64_t) a->kw;
    const cuuint64_t tap = (cuuint64_t) p.row / taps;
    const cuuint64_t sizes[] = {tap, taps, (cuuint64_t) p.out};
    const cuuint64_t apart[] = {tap * 2, (cuuint64_t) p.row * 2};
    const cuuint32_t box[] = {DEEP, 1, (cuuint32_t) outs};

    return map_of(map, a->weights, 3, sizes, apart, box);
}

static int launch(struct rp_stream *stream, const struct rp_op_net_conv *a, conv_plan p, int tile)
{
    const struct patch_tile &t = patch_table[tile];
    const patch_plan q = make_patches(a, p, tile);
    CUtensorMap source, weights;
    int ret;

    p.stages = stages_of(a, q, t);
    if ((ret = map_source(&source, &a->src, q)) || (ret = map_weights(&weights, a, p, t.n)))
        return ret;
    const int bytes =
        RP_MAX(fixed_bytes(a, q, t) + p.stages * stage_bytes(q, t), turn_bytes(t)) + 1024;
    const int most = t.start > 0 ? PROCESSORS / q.outs : q.tiles;
    const int blocks = RP_CLAMP(most, 1, q.tiles) * q.outs;
    rp_shared_allow((const void *) t.kernel);
    RP_LAUNCH_SHARED(stream, (unsigned) blocks, (unsigned) t.threads, bytes, t.kernel, *a, p, q,
                     source, weights);
    return rp_cuda_launched("net_conv");
}

const struct conv_kernels rp_conv_patch = {PATCH_TILES, size, can, choose, launch};
