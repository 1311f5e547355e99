/* Nodes that together are one operation of ours, as exporters write them:
 *
 *   SILU       x * sigmoid(x)
 *   NORM       d = x - mean(x), d / sqrt(mean(d d) + eps), which may be followed by * scale and
 *              + shift of each channel (AdaIN)
 *   MODULATED  a convolution whose weights are w * style, and perhaps divided by their length */
#include "nets/graph.h"
#include "onnx/attr.h"

/* The node of this kind that makes input i of n, NULL if there is none. */
static struct rp_nn_node *maker(const struct rp_nn_graph *g, const struct rp_nn_node *n, int i,
                                enum rp_nn_kind kind)
{
    const struct rp_nn_value *const v = rp_nn_in(g, n, i);
    struct rp_nn_node *const m = v && v->maker >= 0 ? &g->node[v->maker] : NULL;

    return m && !m->gone && m->kind == kind && m->nin > 0 && m->in[0] >= 0 ? m : NULL;
}

static bool once(const struct rp_nn_graph *g, const struct rp_nn_node *n)
{
    return g->value[n->out[0]].uses == 1 && !g->value[n->out[0]].output;
}

static void match_silu(struct rp_nn_graph *g, struct rp_nn_node *n)
{
    for (int i = 0; i < 2 && n->nin == 2; i++) {
        struct rp_nn_node *const s = maker(g, n, i, RP_NN_SIGMOID);

        if (!s || s->in[0] != n->in[1 - i] || !once(g, s))
            continue;
        rp_nn_remove(g, s);
        g->value[s->out[0]].uses = 0;
        n->kind = RP_NN_SILU;
        n->in[0] = n->in[1 - i];
        n->nin = 1;
        return;
    }
}

/* ---- NORM ------------------------------------------------------------------------------------ */

/* The mean over height and width, kept as sizes of 1. */
static bool mean_of(struct rp_nn_graph *g, const struct rp_nn_node *n, int x)
{
    return n && n->in[0] == x && g->value[x].rank == 4 && rp_nn_axes(g, n, 1, 4) == 12 &&
           rp_onnx_attr_int(n->onnx, "keepdims", 1) != 0;
}

/* d * d, or d to the power of 2. */
static struct rp_nn_node *square_of(struct rp_nn_graph *g, const struct rp_nn_node *n, int d)
{
    float power;
    struct rp_nn_node *m = maker(g, n, 0, RP_NN_MUL);

    if (m && m->nin == 2 && m->in[0] == d && m->in[1] == d)
        return m;
    m = maker(g, n, 0, RP_NN_POW);
    return m && m->nin == 2 && m->in[0] == d && rp_nn_number(g, m->in[1], &power) && power == 2
               ? m
               : NULL;
}

/* + eps, in either order. */
static struct rp_nn_node *eps_of(struct rp_nn_graph *g, const struct rp_nn_node *root, float *eps,
                                 int *rest)
{
    struct rp_nn_node *const add = root ? maker(g, root, 0, RP_NN_ADD) : NULL;

    for (int i = 0; add && add->nin == 2 && i < 2; i++)
        if (add->in[1 - i] >= 0 && rp_nn_number(g, add->in[i], eps)) {
            *rest = 1 - i;
            return add;
        }
    return NULL;
}

/* [n][channels][1][1] for x. */
static bool style_of(const struct rp_nn_graph *g, int value, const struct rp_nn_value *x)
{
    const struct rp_nn_value *const v = &g->value[value];

    return v->rank == 4 && v->dim[0] == x->dim[0] && v->dim[1] == x->dim[1] && v->dim[2] == 1 &&
           v->dim[3] == 1;
}

/* The value that `user`, a node of this kind, joins with y, and which is a style; else -1. */
static int joined(const struct rp_nn_graph *g, const struct rp_nn_node *user, int y,
                  enum rp_nn_kind kind, const struct rp_nn_value *x)
{
    if (!user || user->kind != kind || user->nin != 2 || user->in[0] < 0 || user->in[1] < 0)
        return -1;
    const int other = user->in[0] == y ? user->in[1] : user->in[0];
    return other != y && style_of(g, other, x) ? other : -1;
}

static void take_style(struct rp_nn_graph *g, struct rp_nn_node *n)
{
    struct rp_nn_node *user = rp_nn_user(g, n->out[0]);
    const struct rp_nn_value *const x = &g->value[n->in[0]];
    const int scale = joined(g, user, n->out[0], RP_NN_MUL, x);

    if (scale < 0)
        return;
    struct rp_nn_node *const add = rp_nn_user(g, user->out[0]);
    const int shift = joined(g, add, user->out[0], RP_NN_ADD, x);
    if (shift < 0)
        return;
    g->value[user->out[0]].uses = 0;
    user->gone = true;
    n->in[1] = scale; /* Div and Sub and so on had two inputs; the third is the style's */
    n->in[2] = shift;
    n->nin = 3;
    rp_nn_move(g, n, add);
}

/* n is the Div. */
static void match_norm(struct rp_nn_graph *g, struct rp_nn_node *n)
{
    float eps;
    int rest;
    struct rp_nn_node *const sub = n->nin == 2 ? maker(g, n, 0, RP_NN_SUB) : NULL;
    struct rp_nn_node *const root = sub ? maker(g, n, 1, RP_NN_SQRT) : NULL;
    struct rp_nn_node *const add = eps_of(g, root, &eps, &rest);
    struct rp_nn_node *const var = add ? maker(g, add, rest, RP_NN_REDUCE_MEAN) : NULL;
    struct rp_nn_node *const square = var ? square_of(g, var, sub->out[0]) : NULL;
    struct rp_nn_node *const mean = square ? maker(g, sub, 1, RP_NN_REDUCE_MEAN) : NULL;
    int *in;

    if (!mean || sub->nin != 2 || !mean_of(g, mean, sub->in[0]) ||
        !mean_of(g, var, square->out[0]) || !once(g, root) || !once(g, add) || !once(g, var) ||
        !once(g, square) || !once(g, mean) || g->value[sub->out[0]].output ||
        g->value[sub->out[0]].uses != (square->kind == RP_NN_MUL ? 3 : 2) || !(eps >= 0) ||
        !(in = malloc(4 * sizeof(int))))
        return;
    struct rp_nn_node *const parts[] = {root, add, var, square, mean, sub};
    in[0] = sub->in[0];
    g->value[in[0]].uses++;
    for (size_t i = 0; i < RP_ARRAY_LEN(parts); i++) {
        rp_nn_remove(g, parts[i]);
        g->value[parts[i]->out[0]].uses = 0;
    }
    in[3] = n->out[0];
    free(n->in);
    n->in = in;
    n->out = in + 3;
    n->nin = n->nout = 1;
    n->kind = RP_NN_NORM;
    n->eps = eps;
    take_style(g, n);
}

/* ---- MODULATED ------------------------------------------------------------------------------- */

/* w * style: the constant weights [1][out][c][k][k], and a style [1][1][c][1][1]. */
static bool modulation(struct rp_nn_graph *g, const struct rp_nn_node *mul, int *weights,
                       int *style)
{
    for (int i = 0; mul && mul->nin == 2 && i < 2; i++) {
        const struct rp_nn_value *const w = rp_nn_in(g, mul, i), *const s = rp_nn_in(g, mul, 1 - i);

        if (!w || !s || !w->constant || s->constant || w->rank != 5 || s->rank != 5 ||
            w->dim[0] != 1 || s->count != w->dim[2] || s->dim[2] != w->dim[2])
            continue;
        *weights = mul->in[i];
        *style = mul->in[1 - i];
        return true;
    }
    return false;
}

/* m / sqrt(sum of m m + eps), over all but the output's channels. @return m, or NULL */
static struct rp_nn_node *demodulation(struct rp_nn_graph *g, const struct rp_nn_node *div,
                                       float *eps)
{
    int rest;
    struct rp_nn_node *const m = maker(g, div, 0, RP_NN_MUL);
    const struct rp_nn_node *const root = m ? maker(g, div, 1, RP_NN_SQRT) : NULL;
    const struct rp_nn_node *const add = eps_of(g, root, eps, &rest);
    const struct rp_nn_node *const sum = add ? maker(g, add, rest, RP_NN_REDUCE_SUM) : NULL;
    const struct rp_nn_node *const square = sum ? square_of(g, sum, m->out[0]) : NULL;

    if (!square || rp_nn_axes(g, sum, 1, 5) != 28 || !rp_onnx_attr_int(sum->onnx, "keepdims", 1) ||
        !(*eps >= 0))
        return NULL;
    return m;
}

static bool plain(const struct rp_nn_node *conv)
{
    return rp_onnx_attr_int(conv->onnx, "group", 1) == 1 && conv->nin <= 3;
}

/* n is the Conv; its weights are made by Reshape. What is left without use goes in the end. */
static void match_modulated(struct rp_nn_graph *g, struct rp_nn_node *n)
{
    float eps = 0;
    int weights, style, *in;
    const struct rp_nn_node *const reshape = n->nin >= 2 ? maker(g, n, 1, RP_NN_RESHAPE) : NULL;
    const struct rp_nn_node *const div = reshape ? maker(g, reshape, 0, RP_NN_DIV) : NULL;
    const struct rp_nn_node *m = reshape ? maker(g, reshape, 0, RP_NN_MUL) : NULL;
    const struct rp_nn_value *const x = rp_nn_in(g, n, 0), *const w = rp_nn_in(g, n, 1);

    if (div)
        m = demodulation(g, div, &eps);
    if (!m || !modulation(g, m, &weights, &style) || !plain(n) || !x || x->rank != 4 ||
        x->dim[0] != 1 || w->rank != 4 || g->value[weights].count != w->count ||
        w->dim[0] != g->value[weights].dim[1] || w->dim[1] != g->value[weights].dim[2] ||
        w->dim[2] != g->value[weights].dim[3] || !(in = malloc(6 * sizeof(int))))
        return;
    in[0] = n->in[0];
    in[1] = weights;
    in[2] = n->nin > 2 ? n->in[2] : -1;
    in[3] = style;
    in[4] = n->out[0];
    g->value[n->in[1]].uses--;
    g->value[weights].uses++;
    g->value[style].uses++;
    free(n->in);
    n->in = in;
    n->out = in + 4;
    n->nin = 4;
    n->nout = 1;
    n->kind = RP_NN_MODULATED;
    n->demodulate = div != NULL;
    n->eps = eps;
}

void rp_nn_match(struct rp_nn_graph *g)
{
    for (int i = 0; i < g->nnodes; i++) {
        struct rp_nn_node *const n = &g->node[i];

        if (n->gone)
            continue;
        if (n->kind == RP_NN_MUL)
            match_silu(g, n);
        else if (n->kind == RP_NN_DIV)
            match_norm(g, n);
        else if (n->kind == RP_NN_CONV)
            match_modulated(g, n);
    }
    rp_nn_fold(g);
}
