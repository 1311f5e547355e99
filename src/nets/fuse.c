/* What follows a convolution becomes part of it: the sum with another tensor, and a function of
 * one number. Pads and enlargements before it, too. */
#include <math.h>

#include "nets/graph.h"
#include "onnx/attr.h"
#include "ops/net.h"

/* ---- facts of nodes -------------------------------------------------------------------------- */

bool rp_nn_number(struct rp_nn_graph *g, int value, float *out)
{
    const float *const v = value >= 0 && g->value[value].count == 1 ? rp_nn_reals(g, value) : NULL;

    if (v)
        *out = v[0];
    return v != NULL;
}

int rp_nn_axes(struct rp_nn_graph *g, const struct rp_nn_node *n, int in, int rank)
{
    int mask = 0;
    int64_t count = 0;
    const int64_t *axes = NULL;
    const struct rp_onnx_attr a = rp_onnx_attr(n->onnx, "axes");

    if (a.there) {
        axes = a.ints;
        count = a.nints;
    } else if (rp_nn_in(g, n, in)) {
        axes = rp_nn_wholes(g, n->in[in]);
        count = rp_nn_in(g, n, in)->count;
        if (!axes && count)
            return -1;
    }
    for (int64_t i = 0; i < count; i++) {
        const int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];

        if (axis < 0 || axis >= rank)
            return -1;
        mask |= 1 << axis;
    }
    return mask;
}

static bool clip_ends(struct rp_nn_graph *g, const struct rp_nn_node *n, struct rp_nn_tail *t)
{
    t->a = rp_onnx_attr_float(n->onnx, "min", -INFINITY);
    t->b = rp_onnx_attr_float(n->onnx, "max", INFINITY);
    return (!rp_nn_in(g, n, 1) || rp_nn_number(g, n->in[1], &t->a)) &&
           (!rp_nn_in(g, n, 2) || rp_nn_number(g, n->in[2], &t->b));
}

/* Slopes per channel, or one for all. */
static bool slopes(struct rp_nn_graph *g, const struct rp_nn_node *n, struct rp_nn_tail *t)
{
    const struct rp_nn_value *const x = rp_nn_in(g, n, 0), *const s = rp_nn_in(g, n, 1);

    if (!x || !s || !rp_nn_reals(g, n->in[1]))
        return false;
    if (rp_nn_number(g, n->in[1], &t->a)) {
        t->act = RP_NN_LEAKY;
        return true;
    }
    const bool old = g->opset < 7 && s->rank == 1; /* one for each channel, whatever x's rank */
    for (int i = 0; i < s->rank; i++)
        if (old ? s->dim[i] != x->dim[1]
                : s->dim[i] != 1 && (i + x->rank - s->rank != 1 || s->dim[i] != x->dim[1]))
            return false;
    t->slopes = n->in[1];
    return true;
}

bool rp_nn_tail(struct rp_nn_graph *g, const struct rp_nn_node *n, struct rp_nn_tail *out)
{
    *out = (struct rp_nn_tail){.act = n->kind, .slopes = -1};
    switch (n->kind) {
    case RP_NN_LEAKY:
        out->a = rp_onnx_attr_float(n->onnx, "alpha", 0.01f);
        return true;
    case RP_NN_ELU:
        out->a = rp_onnx_attr_float(n->onnx, "alpha", 1);
        return true;
    case RP_NN_HARD_SIGMOID:
        out->a = rp_onnx_attr_float(n->onnx, "alpha", 0.2f);
        out->b = rp_onnx_attr_float(n->onnx, "beta", 0.5f);
        return true;
    case RP_NN_CLIP:
        return clip_ends(g, n, out);
    case RP_NN_PRELU:
        return slopes(g, n, out);
#define CASE(ours, theirs) case RP_NN_##ours:
        RP_NN_UNARY_PLAIN(CASE)
#undef CASE
        return n->nin == 1;
    default:
        return false;
    }
}

/* ---- moving nodes ---------------------------------------------------------------------------- */

struct rp_nn_node *rp_nn_move(struct rp_nn_graph *g, struct rp_nn_node *from, struct rp_nn_node *to)
{
    const struct rp_nn_node old = *to;

    *to = *from;
    *from = old;
    to->gone = false;
    from->gone = true;
    /* each keeps its own inputs, but the results are those of `to` */
    const int made = to->out[0];
    to->out[0] = from->out[0];
    from->out[0] = made;
    g->value[to->out[0]].maker = (int) (to - g->node);
    g->value[made].maker = -1;
    g->value[made].uses = 0;
    return to;
}

static bool same_sizes(const struct rp_nn_value *a, const struct rp_nn_value *b)
{
    return a->rank == b->rank && !memcmp(a->dim, b->dim, (size_t) a->rank * sizeof(*a->dim));
}

/* ---- behind a convolution -------------------------------------------------------------------- */

static bool takes_tail(const struct rp_nn_node *n)
{
    return (n->kind == RP_NN_CONV || n->kind == RP_NN_CONV_TRANSPOSE || n->kind == RP_NN_GEMM ||
            n->kind == RP_NN_AFFINE || n->kind == RP_NN_NORM || n->kind == RP_NN_MODULATED ||
            n->kind == RP_NN_ADD) &&
           n->tail.act == RP_NN_UNKNOWN && !n->residual_last;
}

static bool takes_residual(const struct rp_nn_graph *g, const struct rp_nn_node *n)
{
    return (n->kind != RP_NN_CONV || g->value[n->out[0]].rank < 5) &&
           (n->kind == RP_NN_CONV || n->kind == RP_NN_GEMM || n->kind == RP_NN_AFFINE ||
            n->kind == RP_NN_NORM || n->kind == RP_NN_MODULATED) &&
           n->residual < 0;
}

static bool fuse_tail(struct rp_nn_graph *g, struct rp_nn_node *n, struct rp_nn_node *user)
{
    struct rp_nn_tail tail;

    if (!takes_tail(n) || !rp_nn_tail(g, user, &tail) || user->in[0] != n->out[0])
        return false;
    if (tail.slopes >= 0 && (n->kind == RP_NN_ADD || n->shuffle > 1))
        return false;
    n->tail = tail;
    rp_nn_move(g, n, user);
    return true;
}

/* One number for each pixel, as StyleGAN's noise. */
static bool is_noise(const struct rp_nn_node *n, const struct rp_nn_value *v,
                     const struct rp_nn_value *y)
{
    return (n->kind == RP_NN_CONV || n->kind == RP_NN_MODULATED) && v->rank == 4 && y->rank == 4 &&
           (v->dim[0] == 1 || v->dim[0] == y->dim[0]) && v->dim[1] == 1 && v->dim[2] == y->dim[2] &&
           v->dim[3] == y->dim[3];
}

static bool fuse_residual(struct rp_nn_graph *g, struct rp_nn_node *n, struct rp_nn_node *user)
{
    const int y = n->out[0];

    if (!takes_residual(g, n) || user->kind != RP_NN_ADD || user->nin != 2 || user->residual >= 0 ||
        user->tail.act != RP_NN_UNKNOWN || user->in[0] < 0 || user->in[1] < 0)
        return false;
    const int other = user->in[0] == y ? user->in[1] : user->in[0];
    if (other == y ||
        (!is_noise(n, &g->value[other], &g->value[y]) &&
         (g->value[other].constant || !same_sizes(&g->value[other], &g->value[y]))) ||
        !same_sizes(&g->value[y], rp_nn_out(g, user, 0)))
        return false;
    n->residual = other;
    n->residual_last = n->tail.act != RP_NN_UNKNOWN || n->kind == RP_NN_NORM;
    rp_nn_move(g, n, user);
    return true;
}

/* ---- channels that become pixels ------------------------------------------------------------- */

/* The last of the nodes from `first` on that turn channels into blocks of pixels: DepthToSpace, or
 * Reshape, Transpose, Reshape. NULL: they do something else. */
static struct rp_nn_node *shuffle_of(struct rp_nn_graph *g, struct rp_nn_node *first,
                                     int64_t *block, int *order)
{
    static const int64_t perms[2][6] = {{0, 1, 4, 2, 5, 3}, {0, 3, 4, 1, 5, 2}};
    const struct rp_onnx_attr mode = rp_onnx_attr(first->onnx, "mode");

    if (first->kind == RP_NN_DEPTH_TO_SPACE) {
        *block = rp_onnx_attr_int(first->onnx, "blocksize", 0);
        *order = mode.there && rp_onnx_is(mode.s, "CRD") ? RP_SHUFFLE_CRD : RP_SHUFFLE_DCR;
        return first;
    }
    const struct rp_nn_value *const six = rp_nn_out(g, first, 0);
    struct rp_nn_node *const turn =
        first->kind == RP_NN_RESHAPE && six->rank == 6 ? rp_nn_user(g, first->out[0]) : NULL;
    struct rp_nn_node *const last =
        turn && turn->kind == RP_NN_TRANSPOSE ? rp_nn_user(g, turn->out[0]) : NULL;
    if (!last || last->kind != RP_NN_RESHAPE || last->in[0] != turn->out[0])
        return NULL;
    const struct rp_onnx_attr perm = rp_onnx_attr(turn->onnx, "perm");
    for (*order = 0; *order < 2; ++*order)
        if (perm.nints == 6 && !memcmp(perm.ints, perms[*order], sizeof(perms[0])))
            break;
    *block = *order == RP_SHUFFLE_CRD ? six->dim[2] : six->dim[1];
    if (*order == 2 || six->dim[*order == RP_SHUFFLE_CRD ? 3 : 2] != *block)
        return NULL;
    return last;
}

static bool fuse_shuffle(struct rp_nn_graph *g, struct rp_nn_node *n, struct rp_nn_node *user)
{
    int order = 0;
    int64_t r = 0;
    const struct rp_nn_value *const x = rp_nn_out(g, n, 0);

    if (n->kind != RP_NN_CONV || n->residual >= 0 || n->shuffle > 1 || x->rank != 4 ||
        user->in[0] != n->out[0] || rp_onnx_attr_int(n->onnx, "group", 1) != 1)
        return false;
    struct rp_nn_node *const last = shuffle_of(g, user, &r, &order);
    const struct rp_nn_value *const y = last ? rp_nn_out(g, last, 0) : NULL;
    if (!y || r < 2 || r > 8 || y->rank != 4 || y->dim[0] != x->dim[0] ||
        y->dim[1] * r * r != x->dim[1] || y->dim[2] != x->dim[2] * r || y->dim[3] != x->dim[3] * r)
        return false;
    n->shuffle = (int) r;
    n->shuffle_order = order;
    for (struct rp_nn_node *i = user; i != last;) {
        struct rp_nn_node *const next = rp_nn_user(g, i->out[0]);

        i->gone = true;
        g->value[i->out[0]].uses = 0;
        i = next;
    }
    rp_nn_move(g, n, last);
    return true;
}

/* ---- a second result ------------------------------------------------------------------------- */

/* The batch norm before the next layer, the function behind it, or both, of what something else
 * needs as it is. */
static bool fuse_also(struct rp_nn_graph *g, struct rp_nn_node *n)
{
    struct rp_nn_node *found = NULL;
    struct rp_nn_tail tail = {.slopes = -1};
    const int y = n->out[0];

    if (n->also >= 0 || g->value[y].uses < 2 || g->value[y].rank > 4)
        return false;
    for (struct rp_nn_node *u = n + 1; u < g->node + g->nnodes && !found; u++)
        if (!u->gone && u->nin > 0 && u->in[0] == y &&
            ((u->kind == RP_NN_AFFINE && u->residual < 0 && u->also < 0) ||
             rp_nn_tail(g, u, &tail)))
            found = u;
    if (!found || !same_sizes(&g->value[y], rp_nn_out(g, found, 0)))
        return false;
    if (found->kind == RP_NN_AFFINE) {
        n->also_scale = found->scale;
        n->also_shift = found->shift;
        found->scale = found->shift = NULL;
        tail = found->tail;
    }
    n->also = found->out[0];
    n->also_tail = tail;
    found->gone = true;
    g->value[n->also].maker = (int) (n - g->node);
    g->value[y].uses--;
    return true;
}

/* ---- before a convolution -------------------------------------------------------------------- */

/* A pad of height and width alone, in the order top, left, bottom, right. */
static bool pad_of(struct rp_nn_graph *g, const struct rp_nn_node *n, int64_t *out, int *mode)
{
    float value = 0;
    const struct rp_onnx_attr a = rp_onnx_attr(n->onnx, "pads"), m = rp_onnx_attr(n->onnx, "mode");
    const struct rp_nn_value *const x = rp_nn_in(g, n, 0);
    const int64_t *pads = a.there ? a.ints : NULL;

    if (!x || x->rank != 4 || rp_nn_in(g, n, 3))
        return false;
    if (!a.there && rp_nn_in(g, n, 1) && rp_nn_in(g, n, 1)->count == 8)
        pads = rp_nn_wholes(g, n->in[1]);
    if (!pads || (a.there && a.nints != 8) || pads[0] || pads[1] || pads[4] || pads[5])
        return false;
    *mode = !m.there || rp_onnx_is(m.s, "constant") ? RP_NN_PAD_ZERO
            : rp_onnx_is(m.s, "edge")               ? RP_NN_PAD_EDGE
            : rp_onnx_is(m.s, "reflect")            ? RP_NN_PAD_REFLECT
                                                    : -1;
    if (rp_nn_in(g, n, 2) && !rp_nn_number(g, n->in[2], &value))
        return false;
    if (*mode < 0 ||
        (*mode == RP_NN_PAD_ZERO && (value != 0 || rp_onnx_attr_float(n->onnx, "value", 0) != 0)))
        return false;
    for (int i = 0; i < 4; i++)
        out[i] = pads[i < 2 ? i + 2 : i + 4];
    for (int i = 0; i < 4; i++)
        if (out[i] < 0 || out[i] > 1 << 20 ||
            (*mode == RP_NN_PAD_REFLECT && out[i] >= x->dim[2 + i % 2]))
            return false;
    return true;
}

static bool own_pads(const struct rp_nn_node *conv)
{
    const struct rp_onnx_attr a = rp_onnx_attr(conv->onnx, "pads"),
                              same = rp_onnx_attr(conv->onnx, "auto_pad");

    for (int i = 0; i < a.nints; i++)
        if (a.ints[i])
            return true;
    return same.there && !rp_onnx_is(same.s, "NOTSET") && !rp_onnx_is(same.s, "VALID");
}

static void fuse_pad(struct rp_nn_graph *g, struct rp_nn_node *pad)
{
    int mode;
    int64_t pads[4];
    struct rp_nn_node *const conv = rp_nn_user(g, pad->out[0]);

    if (!conv || conv->kind != RP_NN_CONV || conv->in[0] != pad->out[0] || conv->up > 1 ||
        !pad_of(g, pad, pads, &mode) || (mode != RP_NN_PAD_ZERO && own_pads(conv)))
        return;
    memcpy(conv->pad, pads, sizeof(pads));
    conv->pad_mode = mode;
    g->value[pad->in[0]].uses++;
    rp_nn_remove(g, pad);
    g->value[pad->out[0]].uses = 0;
    conv->in[0] = pad->in[0];
}

/* Each pixel stands for 2 x 2, in whatever way the node says so. */
static bool doubles(struct rp_nn_graph *g, const struct rp_nn_node *n)
{
    const struct rp_nn_value *const x = rp_nn_in(g, n, 0), *const y = rp_nn_out(g, n, 0);
    const bool old = rp_onnx_is(n->onnx->op, "Upsample") || g->opset < 11;
    const struct rp_onnx_attr how = rp_onnx_attr(n->onnx, "coordinate_transformation_mode"),
                              nearest = rp_onnx_attr(n->onnx, "nearest_mode");
    const bool floor = old || (nearest.there && rp_onnx_is(nearest.s, "floor"));
    const bool round = !nearest.there || rp_onnx_is(nearest.s, "round_prefer_floor");
    const bool asymmetric = old || (how.there && rp_onnx_is(how.s, "asymmetric"));
    const bool half =
        !how.there || rp_onnx_is(how.s, "half_pixel") || rp_onnx_is(how.s, "pytorch_half_pixel");

    if (!x || !y || x->rank != 4 || y->rank != 4 || rp_onnx_attr(n->onnx, "axes").there ||
        !rp_nn_is_nearest(n))
        return false;
    return x->dim[0] == y->dim[0] && x->dim[1] == y->dim[1] && 2 * x->dim[2] == y->dim[2] &&
           2 * x->dim[3] == y->dim[3] && x->dim[2] > 1 && x->dim[3] > 1 &&
           (asymmetric ? floor || round : half && !floor && round);
}

/* Scales that are not those of the sizes would say something else. */
static bool fixed_factors(struct rp_nn_graph *g, const struct rp_nn_node *n)
{
    for (int i = 1; i < n->nin; i++) {
        const struct rp_nn_value *const v = rp_nn_in(g, n, i);

        if (v && v->count && !v->constant)
            return false;
    }
    return true;
}

static void fuse_up(struct rp_nn_graph *g, struct rp_nn_node *n)
{
    struct rp_nn_node *const conv = rp_nn_user(g, n->out[0]);

    if (!conv || conv->kind != RP_NN_CONV || conv->in[0] != n->out[0] || conv->up > 1 ||
        !doubles(g, n) || !fixed_factors(g, n))
        return;
    conv->up = 2;
    g->value[n->in[0]].uses++;
    rp_nn_remove(g, n);
    g->value[n->out[0]].uses = 0;
    conv->in[0] = n->in[0];
}

static bool takes_also(const struct rp_nn_node *n)
{
    return n->kind == RP_NN_CONV || n->kind == RP_NN_CONV_TRANSPOSE || n->kind == RP_NN_AFFINE ||
           n->kind == RP_NN_MODULATED;
}

void rp_nn_fuse(struct rp_nn_graph *g)
{
    for (int i = 0; i < g->nnodes; i++) {
        struct rp_nn_node *const n = &g->node[i];
        struct rp_nn_node *user;

        if (n->gone || n->nout < 1 || n->out[0] < 0)
            continue;
        if (n->kind == RP_NN_PAD)
            fuse_pad(g, n);
        if (!takes_tail(n) && !takes_residual(g, n))
            continue;
        user = rp_nn_user(g, n->out[0]);
        if (user && !user->gone && !fuse_shuffle(g, n, user) && !fuse_tail(g, n, user))
            fuse_residual(g, n, user);
    }
    for (int i = 0; i < g->nnodes; i++) {
        struct rp_nn_node *const n = &g->node[i];

        if (n->gone || n->nout < 1 || n->out[0] < 0)
            continue;
        if (n->kind == RP_NN_RESIZE)
            fuse_up(g, n);
        if (takes_also(n))
            fuse_also(g, n);
    }
}
