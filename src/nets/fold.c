/* What does nothing goes; what multiplies and adds constants per channel becomes one node, AFFINE,
 * and part of the convolution before it. */
#include "nets/graph.h"
#include "onnx/attr.h"

#include <math.h>

/* ---- nodes without effect -------------------------------------------------------------------- */

static bool real_type(int type)
{
    return type == RP_ONNX_FLOAT || type == RP_ONNX_HALF || type == RP_ONNX_DOUBLE;
}

/* Comparisons give the reals 0 and 1. */
static bool comparison(const struct rp_nn_graph *g, const struct rp_nn_value *v)
{
    const enum rp_nn_kind kind = v->maker >= 0 ? g->node[v->maker].kind : RP_NN_UNKNOWN;

    return kind == RP_NN_EQUAL || kind == RP_NN_LESS || kind == RP_NN_GREATER;
}

static bool idle(const struct rp_nn_graph *g, const struct rp_nn_node *n)
{
    const struct rp_nn_value *const x = rp_nn_in(g, n, 0), *const y = rp_nn_out(g, n, 0);

    if (!x || !y || x->count != y->count || x->constant)
        return false;
    if (n->kind == RP_NN_DROPOUT)
        return !rp_nn_out(g, n, 1) || !rp_nn_out(g, n, 1)->uses;
    if (n->kind == RP_NN_IDENTITY)
        return true;
    return n->kind == RP_NN_CAST && real_type(y->type) && (real_type(x->type) || comparison(g, x));
}

/* ---- constants per channel ------------------------------------------------------------------- */

/* Is it one number, or one for each channel of x (axis 1)? Then they are written to out. */
static bool per_channel(struct rp_nn_graph *g, int constant, const struct rp_nn_value *x,
                        float *out)
{
    const struct rp_nn_value *const c = &g->value[constant];
    const int axis = 1 - (x->rank - c->rank);
    const float *const v = c->constant ? rp_nn_reals(g, constant) : NULL;

    if (!v || c->rank > x->rank)
        return false;
    for (int i = 0; i < c->rank; i++)
        if (c->dim[i] != 1 && (i != axis || c->dim[i] != x->dim[1]))
            return false;
    for (int64_t i = 0; i < x->dim[1]; i++)
        out[i] = c->count == 1 ? v[0] : v[i];
    return true;
}

static bool same_sizes(const struct rp_nn_value *a, const struct rp_nn_value *b)
{
    return a->rank == b->rank && !memcmp(a->dim, b->dim, (size_t) a->rank * sizeof(*a->dim));
}

static bool make_affine(struct rp_nn_node *n, int channels)
{
    n->channels = channels;
    n->scale = malloc((size_t) RP_MAX(channels, 1) * sizeof(float));
    n->shift = malloc((size_t) RP_MAX(channels, 1) * sizeof(float));
    if (n->scale && n->shift)
        return true;
    free(n->scale);
    free(n->shift);
    n->scale = n->shift = NULL;
    return false;
}

static void keep_first(struct rp_nn_graph *g, struct rp_nn_node *n, int first)
{
    const int x = n->in[first];

    for (int i = 0; i < n->nin; i++)
        if (i != first && n->in[i] >= 0)
            g->value[n->in[i]].uses--;
    n->in[0] = x;
    n->nin = 1;
}

/* x + k, k - x, x * k, x / k. */
static void fold_arithmetic(struct rp_nn_graph *g, struct rp_nn_node *n)
{
    const int constant = n->nin == 2 && rp_nn_in(g, n, 0) && rp_nn_in(g, n, 0)->constant ? 0 : 1;
    const struct rp_nn_value *const x = rp_nn_in(g, n, 1 - constant), *const y = rp_nn_out(g, n, 0);

    if (n->nin != 2 || !x || !y || !rp_nn_in(g, n, constant) || x->constant ||
        (x->rank != 4 && x->rank != 2) || !same_sizes(x, y) || x->dim[1] > INT32_MAX ||
        (n->kind == RP_NN_DIV && constant == 0) || !make_affine(n, (int) x->dim[1]))
        return;
    if (!per_channel(g, n->in[constant], x, n->shift)) {
        free(n->scale);
        free(n->shift);
        n->scale = n->shift = NULL;
        return;
    }
    for (int c = 0; c < n->channels; c++) {
        const float k = n->shift[c];

        n->scale[c] = n->kind == RP_NN_MUL ? k : n->kind == RP_NN_DIV ? 1 / k : 1;
        n->shift[c] = n->kind == RP_NN_ADD ? k : n->kind == RP_NN_SUB ? -k : 0;
        if (n->kind == RP_NN_SUB && constant == 0) {
            n->scale[c] = -1;
            n->shift[c] = k;
        }
    }
    keep_first(g, n, 1 - constant);
    n->kind = RP_NN_AFFINE;
}

static void fold_batch_norm(struct rp_nn_graph *g, struct rp_nn_node *n)
{
    const float *part[4]; /* scale, bias, mean, variance */
    const struct rp_nn_value *const x = rp_nn_in(g, n, 0);
    const float eps = rp_onnx_attr_float(n->onnx, "epsilon", 1e-5f);

    if (n->nin != 5 || !x || x->rank < 2 || x->dim[1] > INT32_MAX ||
        rp_onnx_attr_int(n->onnx, "training_mode", 0))
        return;
    for (int i = 0; i < 4; i++) {
        const struct rp_nn_value *const v = rp_nn_in(g, n, i + 1);

        if (!v || v->count != x->dim[1] || !(part[i] = rp_nn_reals(g, n->in[i + 1])))
            return;
    }
    if (!make_affine(n, (int) x->dim[1]))
        return;
    for (int c = 0; c < n->channels; c++) {
        n->scale[c] = part[0][c] / sqrtf(part[3][c] + eps);
        n->shift[c] = part[1][c] - part[2][c] * n->scale[c];
    }
    keep_first(g, n, 0);
    n->kind = RP_NN_AFFINE;
}

/* ---- AFFINE into what is before it ----------------------------------------------------------- */

static bool takes_affine(const struct rp_nn_node *n)
{
    return (n->kind == RP_NN_CONV || n->kind == RP_NN_CONV_TRANSPOSE || n->kind == RP_NN_GEMM ||
            n->kind == RP_NN_AFFINE || n->kind == RP_NN_MODULATED) &&
           !n->gone && n->tail.act == RP_NN_UNKNOWN && n->residual < 0;
}

static void join_affine(struct rp_nn_graph *g, struct rp_nn_node *first, struct rp_nn_node *affine)
{
    if (!first->scale) {
        first->scale = affine->scale;
        first->shift = affine->shift;
        first->channels = affine->channels;
        affine->scale = affine->shift = NULL;
    }
    for (int c = 0; affine->scale && c < affine->channels; c++) {
        first->scale[c] *= affine->scale[c];
        first->shift[c] = first->shift[c] * affine->scale[c] + affine->shift[c];
    }
    g->value[affine->in[0]].uses = 0;
    affine->gone = true;
    first->out[0] = affine->out[0];
    g->value[first->out[0]].maker = (int) (first - g->node);
}

static void fold_affine(struct rp_nn_graph *g, struct rp_nn_node *n)
{
    const struct rp_nn_value *const x = rp_nn_in(g, n, 0);
    struct rp_nn_node *const first = x && x->maker >= 0 ? &g->node[x->maker] : NULL;

    if (!first || !takes_affine(first) || first->out[0] != n->in[0] ||
        rp_nn_user(g, n->in[0]) != n || (first->scale && first->channels != n->channels))
        return;
    join_affine(g, first, n);
}

static bool make_ones(struct rp_nn_node *n, int channels)
{
    if (!make_affine(n, channels))
        return false;
    for (int c = 0; c < channels; c++) {
        n->scale[c] = 1;
        n->shift[c] = 0;
    }
    return true;
}

/* What is only added per channel may be added before another sum: then it is a part of the
 * convolution, as is the sum later. */
static void shift_before_sum(struct rp_nn_graph *g, struct rp_nn_node *n)
{
    const struct rp_nn_value *const x = rp_nn_in(g, n, 0);
    struct rp_nn_node *const sum = x && x->maker >= 0 ? &g->node[x->maker] : NULL;
    struct rp_nn_node *first = NULL;

    if (!sum || sum->gone || sum->kind != RP_NN_ADD || sum->nin != 2 ||
        rp_nn_user(g, n->in[0]) != n)
        return;
    for (int c = 0; c < n->channels; c++)
        if (n->scale[c] != 1)
            return;
    for (int i = 0; i < 2 && !first; i++) {
        const struct rp_nn_value *const v = rp_nn_in(g, sum, i);
        struct rp_nn_node *const m = v && v->maker >= 0 ? &g->node[v->maker] : NULL;

        if (m && takes_affine(m) && m->kind != RP_NN_AFFINE && m->out[0] == sum->in[i] &&
            rp_nn_user(g, sum->in[i]) == sum && same_sizes(v, x) &&
            (!m->scale || m->channels == n->channels))
            first = m;
    }
    if (!first || (!first->scale && !make_ones(first, n->channels)))
        return;
    for (int c = 0; c < n->channels; c++)
        first->shift[c] += n->shift[c];
    g->value[n->in[0]].uses = 0;
    n->gone = true;
    sum->out[0] = n->out[0];
    g->value[sum->out[0]].maker = (int) (sum - g->node);
}

/* ---- nodes whose results nobody uses --------------------------------------------------------- */

static void drop_unused(struct rp_nn_graph *g)
{
    for (int i = g->nnodes - 1; i >= 0; i--) {
        struct rp_nn_node *const n = &g->node[i];
        bool used = n->gone;

        for (int k = 0; k < n->nout; k++)
            used |= rp_nn_out(g, n, k) && rp_nn_out(g, n, k)->uses;
        if (!used)
            rp_nn_remove(g, n);
    }
}

void rp_nn_fold(struct rp_nn_graph *g)
{
    drop_unused(g);
    for (int i = 0; i < g->nnodes; i++) {
        struct rp_nn_node *const n = &g->node[i];

        if (n->gone || !idle(g, n))
            continue;
        rp_nn_remove(g, n);
        rp_nn_replace(g, n->out[0], n->in[0]);
    }
}

void rp_nn_affine(struct rp_nn_graph *g)
{
    for (int i = 0; i < g->nnodes; i++) {
        struct rp_nn_node *const n = &g->node[i];

        if (n->gone)
            continue;
        if (n->kind == RP_NN_BATCH_NORM)
            fold_batch_norm(g, n);
        else if (n->kind == RP_NN_ADD || n->kind == RP_NN_SUB || n->kind == RP_NN_MUL ||
                 n->kind == RP_NN_DIV)
            fold_arithmetic(g, n);
        if (n->kind == RP_NN_AFFINE)
            fold_affine(g, n);
        if (n->kind == RP_NN_AFFINE && !n->gone)
            shift_before_sum(g, n);
    }
}
