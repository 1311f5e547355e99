/* Convolutions to few channels, column by column of their window.
 *
 * A tile of a convolution fetches its source once for each tap of the window, whatever the number
 * of outputs: 49 times for the 3 colours that a 7 x 7 window ends a swapper with. Here each column
 * of the window has outputs of its own, in a convolution of kh x 1, which fetches the source kh
 * times; what the columns give is then moved to its place and added (rp_op_net_columns). The
 * products are the same, and all sums are float32; only their order is another. */
#include "nets/lower_conv.h"

/* Outputs of a GPU's narrowest tile (net_conv.cu, net_hopper.cu): all columns together take as long
 * there as one. In C four outputs are made at once, so that more would gain nothing. */
#define MOST_OF_COLUMNS 32
#define MOST_OUTPUTS 4

/* Numbers of the source that need not be fetched again, so that a second step of a few microseconds
 * pays: in each a convolution on an H200 fetches 2.5 million (hyperswap's last one 205 million in
 * 83). */
#define FETCHES_SAVED (1 << 24)

/* A few outputs, of a source so large that the fetches that are saved are worth a second step,
 * where the columns' results need no more room than the source. Sizes of one row decide, so that a
 * row's result does not depend on the batch. */
bool rp_nn_columns_pay(const struct rp_nn_lower *l, const struct rp_nn_node *n,
                       const struct rp_nn_conv *c)
{
    const struct rp_op_net_conv *const o = &c->op;

    if (l->folding || c->out < 1 || c->out > MOST_OUTPUTS || o->kw < 3 ||
        o->kw > MOST_OF_COLUMNS / c->out || o->stride_w != 1 || o->groups != 1 || o->up > 1 ||
        o->shuffle > 1 || c->in_scale >= 0 || c->out_scale >= 0 || n->also >= 0)
        return false;
    const int room = RP_ACT_ROUND(o->kw * c->out);
    return (double) c->dst.h * c->src.w * c->src.c * o->kh * (o->kw - 1) >= FETCHES_SAVED &&
           (double) c->dst.h * room <= (double) c->src.h * c->src.c;
}

/* Weights [k * out + o][c][kh] of [o][c][kh][k], scaled as the node says. */
static void take_apart(const struct rp_nn_conv *c, float *to)
{
    const size_t kw = (size_t) c->op.kw, rows = (size_t) c->src.c * (size_t) c->op.kh;

    for (size_t k = 0; k < kw; k++)
        for (size_t o = 0; o < (size_t) c->out; o++)
            for (size_t i = 0; i < rows; i++)
                *to++ = c->weights[(o * rows + i) * kw + k] * (c->scale ? c->scale[o] : 1);
}

int rp_nn_columns_begin(struct rp_nn_lower *l, const struct rp_nn_conv *c, struct rp_nn_conv *wide,
                        float **weights)
{
    int ret;
    struct rp_nn_view view;
    const bool half_now = l->half_now;

    *wide = *c;
    wide->out = c->out * c->op.kw;
    wide->op.kw = wide->op.dilation_w = 1;
    wide->op.pad_left = 0;
    wide->bias = wide->scale = wide->shift = NULL;
    l->half_now = false; /* sums that are not complete */
    ret = rp_nn_fresh_nchw(l, 4, (const int64_t[]){c->src.n, wide->out, c->dst.h, c->src.w}, &view);
    l->half_now = half_now;
    RP_CHECK(ret);
    RP_CHECK(rp_nn_as_nchw(l, &view, &wide->dst));
    *weights = malloc((size_t) wide->out * (size_t) c->src.c * (size_t) c->op.kh * sizeof(float));
    if (!*weights)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    take_apart(c, *weights);
    wide->weights = *weights;
    return 0;
}

int rp_nn_columns_end(struct rp_nn_lower *l, const struct rp_nn_node *n, const struct rp_nn_conv *c,
                      const struct rp_nn_act *parts, const struct rp_nn_act *add)
{
    struct rp_op_net_columns *const op = &rp_nn_begin(l, RP_NN_OP_net_columns)->net_columns;

    op->kw = c->op.kw;
    op->dilation = c->op.dilation_w;
    op->pad_left = c->op.pad_left;
    op->pad_mode = c->op.pad_mode;
    rp_nn_put_act(l, RP_NN_AT(net_columns, src), parts);
    rp_nn_put_act(l, RP_NN_AT(net_columns, dst), &c->dst);
    if (n->residual >= 0) {
        rp_nn_put_act(l, RP_NN_AT(net_columns, add), add);
        op->add_last = n->residual_last;
    }
    return rp_nn_then(l, &n->tail, &op->then, RP_NN_AT(net_columns, then));
}
