/* Normalisations and attention in C. */
#include "base/base.h"
#include "ops/net_core.h"

size_t rp_norm_work(const struct rp_op_net_norm *a)
{
    if (a->kind != RP_NORM_INSTANCE && a->kind != RP_NORM_GROUP)
        return 0;
    return RP_NET_COUNTERS + rp_norm_work_floats(a) * sizeof(float);
}

/* What is joined: pixels [y0, y1) x [x0, x1), channels [c0, c1) of row n. */
struct span {
    int n, y0, y1, x0, x1, c0, c1;
};

/* The mean, and the mean of the squares of what differs from it; sums in double. */
static void moments(const struct rp_act *t, const struct span *s, bool central, double *mean,
                    double *square)
{
    const double count =
        (double) (s->y1 - s->y0) * (double) (s->x1 - s->x0) * (double) (s->c1 - s->c0);
    double sum = 0, squares = 0;

    for (int y = s->y0; central && y < s->y1; y++)
        for (int x = s->x0; x < s->x1; x++)
            for (int c = s->c0; c < s->c1; c++)
                sum += (double) rp_act_get(t, s->n, y, x, c);
    *mean = sum / count;
    for (int y = s->y0; y < s->y1; y++)
        for (int x = s->x0; x < s->x1; x++)
            for (int c = s->c0; c < s->c1; c++) {
                const double v = (double) rp_act_get(t, s->n, y, x, c) - *mean;

                squares += v * v;
            }
    *square = squares / count;
}

static void norm_span(const struct rp_op_net_norm *a, const struct span *s)
{
    double mean, square, factor;

    moments(&a->src, s, a->kind <= RP_NORM_LAYER, &mean, &square);
    if (a->kind == RP_NORM_L2)
        factor = 1 / RP_MAX(sqrt(square * (s->c1 - s->c0)), (double) a->eps);
    else
        factor = 1 / sqrt(square + (double) a->eps);
    for (int y = s->y0; y < s->y1; y++)
        for (int x = s->x0; x < s->x1; x++) {
            for (int c = s->c0; c < s->c1; c++) {
                const double v = (double) rp_act_get(&a->src, s->n, y, x, c) - mean;

                rp_norm_put(a, (float) (v * factor), s->n, y, x, c);
            }
            for (int c = a->dst.c; s->c1 == a->dst.c && c < RP_ACT_ROUND(a->dst.c); c++)
                rp_act_put(&a->dst, s->n, y, x, c, 0);
        }
}

int rp_c_net_norm(struct rp_stream *stream, const struct rp_op_net_norm *a)
{
    const bool pixels = a->kind >= RP_NORM_LAYER;
    const int groups = a->kind == RP_NORM_INSTANCE ? a->src.c
                       : a->kind == RP_NORM_GROUP  ? a->groups
                                                   : 1;
    const int each = a->src.c / groups;

    (void) stream;
    for (int n = 0; n < a->src.n; n++)
        for (int g = 0; g < groups; g++)
            for (int y = 0; y < (pixels ? a->src.h : 1); y++)
                for (int x = 0; x < (pixels ? a->src.w : 1); x++) {
                    const struct span s = {.n = n,
                                           .y0 = y,
                                           .y1 = pixels ? y + 1 : a->src.h,
                                           .x0 = x,
                                           .x1 = pixels ? x + 1 : a->src.w,
                                           .c0 = g * each,
                                           .c1 = (g + 1) * each};
                    norm_span(a, &s);
                }
    return 0;
}

int rp_c_net_softmax(struct rp_stream *stream, const struct rp_op_net_softmax *a)
{
    (void) stream;
    for (int r = 0; r < a->rows; r++) {
        const int64_t from = (int64_t) r * a->src_ld, to = (int64_t) r * a->dst_ld;
        float most = -INFINITY;
        double sum = 0;

        for (int i = 0; i < a->count; i++)
            most = rp_net_max(rp_number_get(a->src, a->type, from + i), most);
        for (int i = 0; i < a->count; i++)
            sum += rp_exp((double) (rp_number_get(a->src, a->type, from + i) - most));
        for (int i = 0; i < a->count; i++)
            rp_number_put(
                a->dst, a->type, to + i,
                (float) (rp_exp((double) (rp_number_get(a->src, a->type, from + i) - most)) / sum));
        for (int i = a->count; i < RP_MIN(RP_ACT_ROUND(a->count), a->dst_ld); i++)
            rp_number_put(a->dst, a->type, to + i, 0);
    }
    return 0;
}

/* One row of a matrix of dst. */
static void matmul_row(const struct rp_op_net_matmul *a, int64_t pa, int64_t pb, int64_t pd, int i)
{
    for (int j = 0; j < a->columns; j++) {
        float sum = 0;

        for (int k = 0; k < a->depth; k++)
            sum += rp_number_get(a->a.data, a->type, pa + (int64_t) i * a->a.ld + k) *
                   rp_number_get(
                       a->b.data, a->type,
                       pb + (a->b_rows ? (int64_t) j * a->b.ld + k : (int64_t) k * a->b.ld + j));
        rp_number_put(a->dst.data, a->type, pd + (int64_t) i * a->dst.ld + j,
                      rp_net_then(&a->then, sum * a->scale, 0));
    }
}

int rp_c_net_matmul(struct rp_stream *stream, const struct rp_op_net_matmul *a)
{
    (void) stream;
    for (int64_t n = 0; n < a->batch; n++)
        for (int64_t h = 0; h < a->heads; h++)
            for (int i = 0; i < a->rows; i++)
                matmul_row(a, n * a->a.by_batch + h * a->a.by_head,
                           n * a->b.by_batch + h * a->b.by_head,
                           n * a->dst.by_batch + h * a->dst.by_head, i);
    return 0;
}
