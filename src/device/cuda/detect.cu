/* Detector output to faces. Each runs in one block: the work is small, and the order matters. */
#include "device/cuda/kernel.cuh"
#include "ops/detect_core.h"

#define THREADS 1024
#define WARPS (THREADS / RP_WARP)

/* Sum over the block, for all threads. part: WARPS numbers. */
RP_DEV int block_sum(int v, int *part)
{
    const int t = (int) threadIdx.x;

    v += __shfl_xor_sync(RP_ALL_LANES, v, 16);
    v += __shfl_xor_sync(RP_ALL_LANES, v, 8);
    v += __shfl_xor_sync(RP_ALL_LANES, v, 4);
    v += __shfl_xor_sync(RP_ALL_LANES, v, 2);
    v += __shfl_xor_sync(RP_ALL_LANES, v, 1);
    __syncthreads();
    if (t % RP_WARP == 0)
        part[t / RP_WARP] = v;
    __syncthreads();
    v = 0;
    for (int i = 0; i < WARPS; i++)
        v += part[i];
    return v;
}

/* The sum of v over the threads before this one. part: WARPS numbers. */
RP_DEV uint32_t block_before(uint32_t v, uint32_t *part)
{
    const int lane = (int) threadIdx.x % RP_WARP, warp = (int) threadIdx.x / RP_WARP;
    uint32_t sum = v;

    for (int k = 1; k < RP_WARP; k *= 2) {
        const uint32_t o = __shfl_up_sync(RP_ALL_LANES, sum, k);

        if (lane >= k)
            sum += o;
    }
    __syncthreads();
    if (lane == RP_WARP - 1)
        part[warp] = sum;
    __syncthreads();
    sum -= v;
    for (int i = 0; i < warp; i++)
        sum += part[i];
    return sum;
}

/* ---- decode ---------------------------------------------------------------------------------- */

/* Rows are done in stretches of 32 rounds; in round k of a stretch each thread has one row, and
 * keeps one bit for it. (Later each lane of a warp stands for one round.) */
#define ROUNDS 32
#define STRETCH (ROUNDS * THREADS)

/* The rows of a stretch that pass, of this thread's. */
RP_DEV uint32_t passing_rows(const struct rp_op_decode *a, int first, int rows)
{
    uint32_t bits = 0;

    for (int k = 0; k < ROUNDS; k++) {
        const int i = first + k * THREADS + (int) threadIdx.x;
        struct rp_candidate c;

        if (i >= rows)
            break;
        bits |= (uint32_t) rp_decode_row(a, i, &c) << k;
    }
    return bits;
}

/* Rows whose key is at least `key`. */
RP_DEV int count_reaching(const struct rp_op_decode *a, int rows, uint32_t key, int *part)
{
    int n = 0;

    for (int i = (int) threadIdx.x; i < rows; i += THREADS) {
        struct rp_candidate c;

        n += rp_decode_row(a, i, &c) && rp_order_key(c.score) >= key;
    }
    return block_sum(n, part);
}

/* The same as find_cut() in ops/detect.c. */
RP_DEV struct rp_decode_cut find_cut(const struct rp_op_decode *a, int rows, int room, int *part)
{
    struct rp_decode_cut cut = {0, 0};

    for (int bit = 31; bit >= 0; bit--) {
        const uint32_t key = cut.key | 1u << bit;

        if (count_reaching(a, rows, key, part) >= room)
            cut.key = key;
    }
    cut.ties = room;
    if (cut.key < UINT32_MAX)
        cut.ties -= count_reaching(a, rows, cut.key + 1, part);
    return cut;
}

/* Two counters in one number: rows above the cut, and, 16 bits up, rows that tie with it. A stretch
 * has no more than 2^15 rows. */
struct kept {
    int above, ties;
};

RP_DEV struct kept unpack(uint32_t v)
{
    const struct kept k = {(int) (v & 0xffff), (int) (v >> 16)};

    return k;
}

/* Write the kept rows of a stretch in order. done: numbers of the stretches before; `count` and
 * `part` are scratch. Returns this stretch's numbers. */
RP_DEV struct kept store_rows(const struct rp_op_decode *a, int first, uint32_t bits,
                              const struct rp_decode_cut *cut, int stored, int base,
                              struct kept done, uint32_t *count, uint32_t *part)
{
    const int t = (int) threadIdx.x, lane = t % RP_WARP, warp = t / RP_WARP;
    const uint32_t below = (1u << lane) - 1;
    uint32_t above = 0, tie = 0;

    for (uint32_t rest = bits; rest; rest &= rest - 1) {
        const uint32_t bit = rest & (0u - rest);
        uint32_t key = UINT32_MAX;
        struct rp_candidate c;

        if (cut->key) { /* else all are kept */
            rp_decode_row(a, first + (__ffs((int) bit) - 1) * THREADS + t, &c);
            key = rp_order_key(c.score);
        }
        above |= key > cut->key ? bit : 0;
        tie |= key == cut->key ? bit : 0;
    }
    const bool any = __ballot_sync(RP_ALL_LANES, bits != 0) != 0; /* in most warps no row passes */
    uint32_t mine = 0; /* of the round with this lane's number */
    for (int k = 0; k < ROUNDS && any; k++) {
        const uint32_t n = (uint32_t) __popc(__ballot_sync(RP_ALL_LANES, (int) (above >> k & 1)));
        const uint32_t m = (uint32_t) __popc(__ballot_sync(RP_ALL_LANES, (int) (tie >> k & 1)));

        mine = lane == k ? n | m << 16 : mine;
    }
    count[lane * WARPS + warp] = mine;
    __syncthreads();
    const uint32_t own = count[t], before = block_before(own, part);
    __syncthreads();
    count[t] = before;
    if (t == THREADS - 1)
        part[0] = before + own;
    __syncthreads();
    for (int k = 0; k < ROUNDS && any; k++) {
        const uint32_t up = __ballot_sync(RP_ALL_LANES, (int) (above >> k & 1));
        const uint32_t level = __ballot_sync(RP_ALL_LANES, (int) (tie >> k & 1));
        const struct kept w = unpack(count[k * WARPS + warp]);
        const int ties = done.ties + w.ties + __popc(level & below);
        const int at =
            stored + done.above + w.above + __popc(up & below) + rp_mini(ties, cut->ties);
        const int i = first + k * THREADS + t;

        if (!(above >> k & 1) && !((tie >> k & 1) && ties < cut->ties))
            continue;
        if (at < RP_MAX_CANDIDATES) {
            struct rp_candidate c;

            rp_decode_row(a, i, &c);
            c.index = base + i;
            a->dst->c[at] = c;
        }
    }
    return unpack(part[0]);
}

static __global__ void __launch_bounds__(THREADS)
    decode(const __grid_constant__ struct rp_op_decode a)
{
    __shared__ uint32_t count[ROUNDS * WARPS], part[WARPS];
    __shared__ int sums[WARPS];
    struct rp_candidates *const dst = a.dst;
    const int rows = rp_decode_rows(&a), landmarks = a.decoder != RP_DECODE_ULTRAFACE;
    const int had = a.first ? 0 : dst->count, had_landmarks = a.first ? 1 : dst->has_landmarks;
    const int stored = had < 0 ? 0 : rp_mini(had, RP_MAX_CANDIDATES);
    const int base = stored ? dst->c[stored - 1].index + 1 : 0, room = RP_MAX_CANDIDATES - stored;
    struct rp_decode_cut cut = {0, RP_MAX_CANDIDATES};
    struct kept done = {0, 0};
    uint32_t bits = 0;
    int passing = 0;

    for (int first = 0; first < rows; first += STRETCH) {
        bits = passing_rows(&a, first, rows);
        passing += __popc(bits);
    }
    passing = block_sum(passing, sums);
    if (passing > room && room > 0)
        cut = find_cut(&a, rows, room, sums);
    for (int first = 0; first < rows && room > 0 && passing > 0; first += STRETCH) {
        if (rows > STRETCH)
            bits = passing_rows(&a, first, rows);
        const struct kept k = store_rows(&a, first, bits, &cut, stored, base, done, count, part);

        done.above += k.above;
        done.ties += k.ties;
        __syncthreads();
    }
    if (threadIdx.x == 0) {
        dst->count = had + passing;
        dst->has_landmarks = had_landmarks && landmarks;
    }
}

extern "C" int rp_cuda_decode(struct rp_stream *stream, const struct rp_op_decode *a)
{
    RP_LAUNCH(stream, 1, THREADS, decode, *a);
    return rp_cuda_launched("decode");
}

/* ---- nms ------------------------------------------------------------------------------------- */

#define PER_THREAD (RP_MAX_CANDIDATES / THREADS)

/* Sorting key of a candidate: score descending, then index ascending. Equal keys: by position. */
struct nms_work {
    uint64_t key[RP_MAX_CANDIDATES];
    uint16_t at[RP_MAX_CANDIDATES]; /* position of the candidate */
    uint16_t kept[RP_MAX_FACES];
    int n, next;
};

RP_DEV uint64_t nms_key(const struct rp_candidate *c)
{
    return (uint64_t) ~rp_order_key(c->score) << 32 | ((uint32_t) c->index ^ 0x80000000u);
}

RP_DEV bool nms_after(const struct nms_work *w, int i, int j)
{
    return w->key[i] != w->key[j] ? w->key[i] > w->key[j] : w->at[i] > w->at[j];
}

/* Bitonic sort of the first n; what lies beyond, up to a power of two, sorts last. */
RP_DEV void nms_sort(struct nms_work *w, int n)
{
    const int t = (int) threadIdx.x;
    int size = 2;

    while (size < n)
        size *= 2;
    for (int i = n + t; i < size; i += THREADS) {
        w->key[i] = UINT64_MAX;
        w->at[i] = UINT16_MAX;
    }
    __syncthreads();
    for (int k = 2; k <= size; k *= 2) {
        for (int j = k / 2; j > 0; j /= 2) {
            for (int p = t; p < size / 2; p += THREADS) {
                const int i = 2 * p - (p & (j - 1)), l = i + j;

                if (nms_after(w, i, l) == !(i & k)) {
                    const uint64_t key = w->key[i];
                    const uint16_t at = w->at[i];

                    w->key[i] = w->key[l];
                    w->at[i] = w->at[l];
                    w->key[l] = key;
                    w->at[l] = at;
                }
            }
            __syncthreads();
        }
    }
}

/* The smallest number in the block, for all threads, in w->next; n if there is none. */
RP_DEV int nms_next(struct nms_work *w, int mine, int n)
{
    if (threadIdx.x == 0)
        w->next = n;
    mine = rp_mini(mine, __shfl_xor_sync(RP_ALL_LANES, mine, 16));
    mine = rp_mini(mine, __shfl_xor_sync(RP_ALL_LANES, mine, 8));
    mine = rp_mini(mine, __shfl_xor_sync(RP_ALL_LANES, mine, 4));
    mine = rp_mini(mine, __shfl_xor_sync(RP_ALL_LANES, mine, 2));
    mine = rp_mini(mine, __shfl_xor_sync(RP_ALL_LANES, mine, 1));
    __syncthreads();
    if (threadIdx.x % RP_WARP == 0 && mine < n)
        atomicMin(&w->next, mine);
    __syncthreads();
    mine = w->next;
    __syncthreads();
    return mine;
}

/* The same result as rp_nms_greedy(): the best one left is kept, and all threads drop what overlaps
 * it. Returns how many were kept; *more: there was at least one more. */
RP_DEV int nms_greedy(const struct rp_op_nms *a, struct nms_work *w, int n, bool *more)
{
    const int t = (int) threadIdx.x;
    float box[PER_THREAD][4];
    bool alive[PER_THREAD];
    int kept = 0;

#pragma unroll
    for (int k = 0; k < PER_THREAD; k++) {
        alive[k] = t + k * THREADS < n;
        if (alive[k])
            rp_box_normalise(a->src->c[w->at[t + k * THREADS]].box, box[k]);
    }
    for (;;) {
        int mine = n;
        float best[4];

#pragma unroll
        for (int k = PER_THREAD - 1; k >= 0; k--)
            mine = alive[k] ? t + k * THREADS : mine;
        const int next = nms_next(w, mine, n);
        *more = next < n;
        if (next == n || kept == RP_MAX_FACES)
            return kept;
        if (t == 0)
            w->kept[kept] = w->at[next];
        kept++;
        rp_box_normalise(a->src->c[w->at[next]].box, best);
#pragma unroll
        for (int k = 0; k < PER_THREAD; k++)
            if (alive[k] && (t + k * THREADS == next || rp_nms_overlap(best, box[k]) > a->iou))
                alive[k] = false;
    }
}

static __global__ void __launch_bounds__(THREADS) nms(const __grid_constant__ struct rp_op_nms a)
{
    __shared__ struct nms_work w;
    const int t = (int) threadIdx.x, stored = rp_candidates_stored(a.src);
    bool more;

    if (t == 0)
        w.n = 0;
    __syncthreads();
    for (int i = t; i < stored; i += THREADS) {
        const struct rp_candidate *const c = &a.src->c[i];

        if (!rp_nms_passes(c, a.threshold))
            continue;
        const int at = atomicAdd(&w.n, 1); /* any order: it will be sorted */
        w.key[at] = nms_key(c);
        w.at[at] = (uint16_t) i;
    }
    __syncthreads();
    const int n = w.n;
    nms_sort(&w, n);
    const int kept = nms_greedy(&a, &w, n, &more);

    for (int i = 0; i < kept; i++)
        rp_copy_words(&a.dst->face[i], NULL, sizeof(struct rp_dface));
    __syncthreads();
    for (int i = t / RP_WARP; i < kept; i += WARPS) {
        const struct rp_candidate *const c = &a.src->c[w.kept[i]];
        struct rp_dface *const f = &a.dst->face[i];
        const int lane = t % RP_WARP;

        if (lane == 0) {
            rp_box_normalise(c->box, f->box);
            f->score = c->score;
            f->angle = c->angle;
        }
        if (lane < 10)
            f->lm5[lane] = c->lm5[lane];
    }
    if (t == 0) {
        a.dst->count = kept;
        a.dst->overflow = more || a.src->count > RP_MAX_CANDIDATES;
    }
}

extern "C" int rp_cuda_nms(struct rp_stream *stream, const struct rp_op_nms *a)
{
    RP_LAUNCH(stream, 1, THREADS, nms, *a);
    return rp_cuda_launched("nms");
}
