#include "ops/detect_core.h"

/* Find the cut that keeps the best `room` of the passing rows: by score, then by position. */
static struct rp_decode_cut find_cut(const struct rp_op_decode *a, int rows, int room)
{
    struct rp_decode_cut cut = {0, 0};
    struct rp_candidate c;

    /* The largest key that at least `room` rows reach, bit by bit: 32 passes, but only for frames
     * with thousands of candidates. */
    for (int bit = 31; bit >= 0; bit--) {
        const uint32_t key = cut.key | 1u << bit;
        int n = 0;
        for (int i = 0; i < rows; i++)
            n += rp_decode_row(a, i, &c) && rp_order_key(c.score) >= key;
        if (n >= room)
            cut.key = key;
    }
    cut.ties = room;
    for (int i = 0; i < rows; i++)
        cut.ties -= rp_decode_row(a, i, &c) && rp_order_key(c.score) > cut.key;
    return cut;
}

int rp_c_decode(struct rp_stream *stream, const struct rp_op_decode *a)
{
    struct rp_candidates *const dst = a->dst;
    const int rows = rp_decode_rows(a), landmarks = a->decoder != RP_DECODE_ULTRAFACE;
    struct rp_decode_cut cut = {0, RP_MAX_CANDIDATES};
    struct rp_candidate c;
    int passing = 0;

    (void) stream;
    if (a->first) {
        dst->count = 0;
        dst->has_landmarks = landmarks;
    }
    dst->has_landmarks = dst->has_landmarks && landmarks;

    int stored = rp_candidates_stored(dst);
    /* Positions continue after those of the previous detector, so that no two candidates share
     * one. */
    const int base = stored ? dst->c[stored - 1].index + 1 : 0, room = RP_MAX_CANDIDATES - stored;

    for (int i = 0; i < rows; i++)
        passing += rp_decode_row(a, i, &c);
    if (passing > room && room > 0)
        cut = find_cut(a, rows, room);
    for (int i = 0; i < rows && stored < RP_MAX_CANDIDATES; i++) {
        if (!rp_decode_row(a, i, &c))
            continue;
        const uint32_t key = rp_order_key(c.score);
        if (key < cut.key || (key == cut.key && cut.ties-- <= 0))
            continue;
        c.index = base + i;
        dst->c[stored++] = c;
    }
    dst->count += passing;
    return 0;
}

static void sift(const struct rp_candidate *c, int32_t *order, int root, int n)
{
    for (int child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && rp_nms_before(c, order[child], order[child + 1]))
            child++;
        if (!rp_nms_before(c, order[root], order[child]))
            return;
        const int32_t t = order[root];
        order[root] = order[child];
        order[child] = t;
    }
}

int rp_c_nms(struct rp_stream *stream, const struct rp_op_nms *a)
{
    const struct rp_candidate *const c = a->src->c;
    const int stored = rp_candidates_stored(a->src);
    int32_t order[RP_MAX_CANDIDATES];
    int n = 0;

    (void) stream;
    for (int i = 0; i < stored; i++)
        if (rp_nms_passes(&c[i], a->threshold))
            order[n++] = i;

    /* Heap sort: the order is total, so any sort gives the same result. */
    for (int i = n / 2 - 1; i >= 0; i--)
        sift(c, order, i, n);
    for (int end = n - 1; end > 0; end--) {
        const int32_t t = order[0];
        order[0] = order[end];
        order[end] = t;
        sift(c, order, 0, end);
    }
    rp_nms_greedy(a, order, n);
    return 0;
}
