/* Operations of networks that work on one number, or on a few, at a time. */
#include "base/base.h"
#include "ops/net_core.h"

/* Every number of a tensor, and the zeros after the channels. */
#define EACH_PIXEL(t)                    \
    for (int n = 0; n < (t)->n; n++)     \
        for (int y = 0; y < (t)->h; y++) \
            for (int x = 0; x < (t)->w; x++)

static void end_pixel(const struct rp_act *t, int n, int y, int x)
{
    for (int c = t->c; c < RP_ACT_ROUND(t->c); c++)
        rp_act_put(t, n, y, x, c, 0);
}

int rp_c_net_pool(struct rp_stream *stream, const struct rp_op_net_pool *a)
{
    (void) stream;
    EACH_PIXEL(&a->dst)
    {
        for (int c = 0; c < a->dst.c; c++)
            rp_act_put_both(&a->dst, &a->also, n, y, x, c, rp_pool_sum(a, n, y, x, c));
        end_pixel(&a->dst, n, y, x);
    }
    return 0;
}

int rp_c_net_resize(struct rp_stream *stream, const struct rp_op_net_resize *a)
{
    (void) stream;
    EACH_PIXEL(&a->dst)
    {
        for (int c = 0; c < a->dst.c; c++)
            rp_act_put(&a->dst, n, y, x, c, rp_net_resize_at(a, n, y, x, c));
        end_pixel(&a->dst, n, y, x);
    }
    return 0;
}

int rp_c_net_eltwise(struct rp_stream *stream, const struct rp_op_net_eltwise *a)
{
    (void) stream;
    EACH_PIXEL(&a->dst)
    {
        for (int c = 0; c < a->dst.c; c++)
            rp_act_put_both(&a->dst, &a->also, n, y, x, c, rp_net_eltwise_at(a, n, y, x, c));
        end_pixel(&a->dst, n, y, x);
    }
    return 0;
}

int rp_c_net_copy(struct rp_stream *stream, const struct rp_op_net_copy *a)
{
    int64_t count = 1;

    (void) stream;
    for (int k = 0; k < RP_NET_AXES; k++)
        count *= a->size[k];
    for (int64_t i = 0; i < count; i++)
        rp_net_copy_at(a, i);
    return 0;
}

int rp_c_net_pad(struct rp_stream *stream, const struct rp_op_net_pad *a)
{
    (void) stream;
    EACH_PIXEL(&a->dst)
    {
        for (int c = 0; c < a->dst.c; c++)
            rp_act_put(&a->dst, n, y, x, c, rp_net_pad_at(a, n, y, x, c));
        end_pixel(&a->dst, n, y, x);
    }
    return 0;
}

int rp_c_net_reduce(struct rp_stream *stream, const struct rp_op_net_reduce *a)
{
    const int h = rp_reduce_span(a->src.h, a->dst.h), w = rp_reduce_span(a->src.w, a->dst.w);
    const int channels = rp_reduce_span(a->src.c, a->dst.c);

    (void) stream;
    EACH_PIXEL(&a->dst)
    {
        for (int c = 0; c < a->dst.c; c++) {
            float v = rp_reduce_first(a->kind);

            for (int i = 0; i < h; i++)
                for (int j = 0; j < w; j++)
                    for (int k = 0; k < channels; k++)
                        v = rp_reduce_join(a->kind, v, rp_act_get(&a->src, n, y + i, x + j, c + k));
            rp_act_put(&a->dst, n, y, x, c, rp_net_then(&a->then, rp_reduce_end(a, v), c));
        }
        end_pixel(&a->dst, n, y, x);
    }
    return 0;
}

int rp_c_net_sample(struct rp_stream *stream, const struct rp_op_net_sample *a)
{
    struct rp_sample_taps t[3];

    (void) stream;
    EACH_PIXEL(&a->dst)
    {
        rp_sample_find(a, n, y, x, t);
        for (int c = 0; c < a->dst.c; c++) {
            float sum = 0;

            for (int k = 0; k < t[2].count; k++)
                for (int j = 0; j < t[1].count; j++)
                    for (int i = 0; i < t[0].count; i++) {
                        const int row = rp_sample_row(a, t, j, k);

                        if (row >= 0 && t[0].at[i] >= 0)
                            sum += t[2].w[k] * t[1].w[j] * t[0].w[i] *
                                   rp_act_get(&a->src, n, row, t[0].at[i], c);
                    }
            rp_act_put(&a->dst, n, y, x, c, sum);
        }
        end_pixel(&a->dst, n, y, x);
    }
    return 0;
}

/* rp_columns_sum() of channels o to o + count - 1. */
static void add_columns(const struct rp_op_net_columns *a, int n, int y, int x, int o, int count,
                        float sum[8])
{
    for (int c = 0; c < 8; c++)
        sum[c] = 0;
    for (int k = 0; k < a->kw; k++) {
        const int sx = rp_pad_source(x + k * a->dilation - a->pad_left, a->src.w, 1, a->pad_mode);
        const int64_t at = rp_act_at(&a->src, n, y, sx, k * a->dst.c + o);

        for (int c = 0; c < count && sx >= 0; c++)
            sum[c] += rp_number_get(a->src.data, a->src.type, at + c);
    }
}

int rp_c_net_columns(struct rp_stream *stream, const struct rp_op_net_columns *a)
{
    float sum[8];

    (void) stream;
    EACH_PIXEL(&a->dst)
    {
        for (int o = 0; o < a->dst.c; o += 8) {
            const int count = RP_MIN(a->dst.c - o, 8);

            add_columns(a, n, y, x, o, count, sum);
            for (int c = 0; c < count; c++)
                rp_act_put(&a->dst, n, y, x, o + c, rp_columns_end(a, sum[c], n, y, x, o + c));
        }
        end_pixel(&a->dst, n, y, x);
    }
    return 0;
}

int rp_c_net_gather(struct rp_stream *stream, const struct rp_op_net_gather *a)
{
    int64_t i = 0;

    (void) stream;
    EACH_PIXEL(&a->dst)
    {
        const int64_t from = rp_gather_from(a, i++) * a->src.ld;

        for (int c = 0; c < a->dst.c; c++)
            rp_act_put(&a->dst, n, y, x, c, rp_number_get(a->src.data, a->src.type, from + c));
        end_pixel(&a->dst, n, y, x);
    }
    return 0;
}
