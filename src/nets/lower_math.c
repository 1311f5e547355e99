/* Sums, functions of one number, reductions, softmax. */
#include "nets/lower.h"
#include "onnx/attr.h"

/* ---- element by element ---------------------------------------------------------------------- */

static bool broadcast(const struct rp_nn_view *a, const struct rp_nn_view *b, int64_t *dim)
{
    for (int i = 0; i < a->rank; i++) {
        if (a->dim[i] != b->dim[i] && a->dim[i] != 1 && b->dim[i] != 1)
            return false;
        dim[i] = a->dim[i] == 1 ? b->dim[i] : a->dim[i];
    }
    return true;
}

/* The operand whose order in memory the result takes. */
static const struct rp_nn_view *leading(const struct rp_nn_lower *l, const struct rp_nn_view *a,
                                        const struct rp_nn_view *b, const int64_t *dim)
{
    const size_t bytes = (size_t) a->rank * sizeof(*dim);
    const bool whole_a = !memcmp(a->dim, dim, bytes), whole_b = !memcmp(b->dim, dim, bytes);

    if (whole_a && whole_b)
        return l->plan->buffer[a->buffer].memory == RP_NN_WEIGHTS ? b : a;
    if (whole_a || whole_b)
        return whole_a ? a : b;
    return rp_nn_count(b) > rp_nn_count(a) ? b : a;
}

/* Parts of the result; where the operands' sizes of 1 alternate too often, they are repeated. */
static bool parts_of(const struct rp_nn_view *y, struct rp_nn_view *a, struct rp_nn_view *b,
                     struct rp_nn_parts *parts)
{
    unsigned mask[RP_NN_RANK];

    for (int i = 0; i < y->rank; i++)
        mask[i] = (y->dim[i] != 1 && a->dim[i] == 1) | (y->dim[i] != 1 && b->dim[i] == 1) << 1;
    if (rp_nn_parts_masked(y, mask, parts))
        return true;
    memset(mask, 0, sizeof(mask));
    return rp_nn_expand(a, y->rank, y->dim) && rp_nn_expand(b, y->rank, y->dim) &&
           rp_nn_parts_masked(y, mask, parts);
}

int rp_nn_eltwise(struct rp_nn_lower *l, struct rp_nn_view a, struct rp_nn_view b, int op,
                  float scalar, const struct rp_nn_tail *tail, struct rp_nn_view *dst)
{
    int64_t dim[RP_NN_RANK];
    int order[RP_NN_RANK];
    struct rp_nn_parts parts;
    struct rp_nn_act aa, ab, ay;
    const bool two = b.buffer >= 0;

    if (!two)
        b = a;
    if (!a.rank && !b.rank)
        RP_CHECK(rp_nn_reshaped(l, &a, 1, (const int64_t[]){1}));
    if (!rp_nn_raise(&a, RP_MAX(a.rank, b.rank)) || !rp_nn_raise(&b, a.rank) ||
        !broadcast(&a, &b, dim))
        return rp_nn_cannot(l->g, "sizes that do not fit");
    memcpy(order, leading(l, &a, &b, dim)->order, sizeof(order));
    RP_CHECK(rp_nn_fresh(l, a.rank, dim, order, dst));
    if (rp_nn_count(dst) < 1 || !parts_of(dst, &a, &b, &parts))
        return rp_nn_cannot(l->g, "sizes that do not fit");
    RP_CHECK(rp_nn_as(l, &a, &parts, &aa));
    if (two)
        RP_CHECK(rp_nn_as(l, &b, &parts, &ab));
    RP_CHECK(rp_nn_as(l, dst, &parts, &ay));
    struct rp_op_net_eltwise *const e = &rp_nn_begin(l, RP_NN_OP_net_eltwise)->net_eltwise;
    e->op = op;
    e->scalar = scalar;
    rp_nn_put_act(l, RP_NN_AT(net_eltwise, a), &aa);
    if (two)
        rp_nn_put_act(l, RP_NN_AT(net_eltwise, b), &ab);
    rp_nn_put_act(l, RP_NN_AT(net_eltwise, dst), &ay);
    RP_CHECK(rp_nn_then(l, tail, &e->then, RP_NN_AT(net_eltwise, then)));
    return rp_nn_emit(l);
}

/* Slopes count in channels, which must be the innermost axis. */
static int channels_last(struct rp_nn_lower *l, struct rp_nn_view *x)
{
    int order[RP_NN_RANK];
    struct rp_nn_view copy;

    if (x->rank < 2)
        return rp_nn_cannot(l->g, "slopes that do not fit");
    if (x->order[x->rank - 1] == 1)
        return 0;
    rp_nn_order(x->rank, true, order);
    RP_CHECK(rp_nn_copied(l, x, order, &copy));
    *x = copy;
    return 0;
}

/* Slopes of any sizes: max(x, 0) + slope * min(x, 0). */
static int any_slopes(struct rp_nn_lower *l, struct rp_nn_node *n, const struct rp_nn_view *x)
{
    struct rp_nn_view slope, up, down, y;
    const struct rp_nn_view none = {.buffer = -1};
    const struct rp_nn_value *const out = rp_nn_out(l->g, n, 0);

    RP_CHECK(rp_nn_input(l, n, 1, &slope));
    RP_CHECK(rp_nn_eltwise(l, *x, none, RP_ELT_MAX, 0, NULL, &up));
    RP_CHECK(rp_nn_eltwise(l, *x, none, RP_ELT_MIN, 0, NULL, &down));
    RP_CHECK(rp_nn_eltwise(l, down, slope, RP_ELT_MUL, 0, NULL, &down));
    RP_CHECK(rp_nn_eltwise(l, up, down, RP_ELT_ADD, 0, NULL, &y));
    RP_CHECK(rp_nn_reshaped(l, &y, out->rank, out->dim));
    return rp_nn_result(l, n, 0, &y);
}

int rp_nn_lower_unary(struct rp_nn_lower *l, struct rp_nn_node *n)
{
    struct rp_nn_view x, y;
    struct rp_nn_tail tail;
    const struct rp_nn_view none = {.buffer = -1};
    const struct rp_nn_value *const out = rp_nn_out(l->g, n, 0);

    RP_CHECK(rp_nn_input(l, n, 0, &x));
    if (out && n->kind == RP_NN_PRELU && !rp_nn_tail(l->g, n, &tail))
        return any_slopes(l, n, &x);
    if (!out || !rp_nn_tail(l->g, n, &tail))
        return rp_nn_cannot_node(l->g, n, "numbers that are not constants");
    if (tail.act == RP_NN_GELU && rp_onnx_attr(n->onnx, "approximate").there &&
        !rp_onnx_is(rp_onnx_attr(n->onnx, "approximate").s, "none"))
        return rp_nn_cannot_node(l->g, n, "approximated");
    if (tail.act == RP_NN_PRELU)
        RP_CHECK(channels_last(l, &x));
    RP_CHECK(rp_nn_eltwise(l, x, none, RP_ELT_FIRST, 0, &tail, &y));
    RP_CHECK(rp_nn_reshaped(l, &y, out->rank, out->dim));
    return rp_nn_result(l, n, 0, &y);
}

/* Whole numbers are reals here without a fraction, truths are 0 and 1. */
int rp_nn_lower_cast(struct rp_nn_lower *l, struct rp_nn_node *n)
{
    struct rp_nn_view x, y;
    const struct rp_nn_view none = {.buffer = -1};
    const struct rp_nn_value *const in = rp_nn_in(l->g, n, 0), *const out = rp_nn_out(l->g, n, 0);
    const bool whole = out && (out->type == RP_ONNX_INT64 || out->type == RP_ONNX_INT32);

    RP_CHECK(rp_nn_input(l, n, 0, &x));
    if (!out || !in->type || (!whole && out->type != RP_ONNX_FLOAT))
        return rp_nn_cannot_node(l->g, n, "to a type that is not known");
    y = x;
    if (whole && in->type != RP_ONNX_INT64 && in->type != RP_ONNX_INT32 && in->type != RP_ONNX_BOOL)
        RP_CHECK(rp_nn_eltwise(l, x, none, RP_ELT_FIRST, 0,
                               &(const struct rp_nn_tail){.act = RP_NN_CAST, .slopes = -1}, &y));
    RP_CHECK(rp_nn_reshaped(l, &y, out->rank, out->dim));
    return rp_nn_result(l, n, 0, &y);
}

static int operation_of(enum rp_nn_kind kind)
{
    switch (kind) {
    case RP_NN_ADD:
        return RP_ELT_ADD;
    case RP_NN_SUB:
        return RP_ELT_SUB;
    case RP_NN_MUL:
        return RP_ELT_MUL;
    case RP_NN_DIV:
        return RP_ELT_DIV;
    case RP_NN_MIN:
        return RP_ELT_MIN;
    case RP_NN_MAX:
        return RP_ELT_MAX;
    case RP_NN_POW:
        return RP_ELT_POW;
    case RP_NN_LESS:
        return RP_ELT_LESS;
    case RP_NN_GREATER:
        return RP_ELT_GREATER;
    default:
        return RP_ELT_EQUAL;
    }
}

/* Min and Max may have more than two. */
int rp_nn_lower_binary(struct rp_nn_lower *l, struct rp_nn_node *n)
{
    struct rp_nn_view x, other;
    const struct rp_nn_view none = {.buffer = -1};
    const struct rp_nn_value *const out = rp_nn_out(l->g, n, 0);

    RP_CHECK(rp_nn_input(l, n, 0, &x));
    if (!out || (n->nin != 2 && n->kind != RP_NN_MIN && n->kind != RP_NN_MAX))
        return rp_nn_cannot_node(l->g, n, "other than two inputs");
    if (n->kind == RP_NN_DIV && (out->type == RP_ONNX_INT64 || out->type == RP_ONNX_INT32))
        return rp_nn_cannot_node(l->g, n, "of whole numbers");
    for (int i = 1; i < n->nin; i++) {
        float number;
        struct rp_nn_view y;
        const struct rp_nn_tail *const tail = i == n->nin - 1 ? &n->tail : NULL;
        const bool scalar = rp_nn_in(l->g, n, i) && rp_nn_in(l->g, n, i)->rank <= x.rank &&
                            rp_nn_number(l->g, n->in[i], &number);

        RP_CHECK(rp_nn_input(l, n, i, &other));
        RP_CHECK(rp_nn_eltwise(l, x, scalar ? none : other, operation_of(n->kind),
                               scalar ? number : 0, tail, &y));
        x = y;
    }
    RP_CHECK(rp_nn_reshaped(l, &x, out->rank, out->dim));
    return rp_nn_result(l, n, 0, &x);
}

/* ---- reductions ------------------------------------------------------------------------------ */

int rp_nn_reduce(struct rp_nn_lower *l, struct rp_nn_view x, int mask, int kind,
                 struct rp_nn_view *dst)
{
    int64_t dim[RP_NN_RANK];
    unsigned masks[RP_NN_RANK];
    struct rp_nn_parts parts;
    struct rp_nn_act src, to;

    for (int i = 0; i < x.rank; i++) {
        dim[i] = mask >> i & 1 ? 1 : x.dim[i];
        masks[i] = mask >> i & 1;
    }
    if (!x.rank || rp_nn_count(&x) < 1 || !rp_nn_parts_masked(&x, masks, &parts))
        return rp_nn_cannot(l->g, "axes that are not known");
    for (int i = 0; i < x.rank; i++)
        if (parts.part[i] == 0 && x.dim[parts.order[i]] != 1 && masks[parts.order[i]])
            return rp_nn_cannot(l->g, "axes that are not known");
    RP_CHECK(rp_nn_as(l, &x, &parts, &src));
    RP_CHECK(rp_nn_fresh(l, x.rank, dim, parts.order, dst));
    RP_CHECK(rp_nn_as(l, dst, &parts, &to));
    struct rp_op_net_reduce *const op = &rp_nn_begin(l, RP_NN_OP_net_reduce)->net_reduce;
    op->kind = kind;
    rp_nn_put_act(l, RP_NN_AT(net_reduce, src), &src);
    rp_nn_put_act(l, RP_NN_AT(net_reduce, dst), &to);
    return rp_nn_emit(l);
}

int rp_nn_lower_reduce(struct rp_nn_lower *l, struct rp_nn_node *n)
{
    struct rp_nn_view x, y;
    const struct rp_nn_value *const out = rp_nn_out(l->g, n, 0);
    const int kind = n->kind == RP_NN_REDUCE_MEAN  ? RP_REDUCE_MEAN
                     : n->kind == RP_NN_REDUCE_SUM ? RP_REDUCE_SUM
                     : n->kind == RP_NN_REDUCE_MAX ? RP_REDUCE_MAX
                     : n->kind == RP_NN_REDUCE_MIN ? RP_REDUCE_MIN
                                                   : RP_REDUCE_L2;

    RP_CHECK(rp_nn_input(l, n, 0, &x));
    int mask = rp_nn_axes(l->g, n, 1, x.rank);
    if (!out || mask < 0)
        return rp_nn_cannot_node(l->g, n, "axes that are not constants");
    if (!mask && !rp_onnx_attr_int(n->onnx, "noop_with_empty_axes", 0))
        mask = (1 << x.rank) - 1;
    if (!mask) {
        RP_CHECK(rp_nn_reshaped(l, &x, out->rank, out->dim));
        return rp_nn_result(l, n, 0, &x);
    }
    RP_CHECK(rp_nn_reduce(l, x, mask, kind, &y));
    RP_CHECK(rp_nn_reshaped(l, &y, out->rank, out->dim));
    return rp_nn_result(l, n, 0, &y);
}

/* The first of the largest: n - (largest of (x is the largest) * (n - number)); the last one:
 * (largest of (x is the largest) * (number + 1)) - 1. */
int rp_nn_lower_arg_max(struct rp_nn_lower *l, struct rp_nn_node *n)
{
    void *host;
    int64_t dim[RP_NN_RANK];
    struct rp_nn_view x, top, there, left, first, y;
    const struct rp_nn_view none = {.buffer = -1};
    const struct rp_nn_value *const out = rp_nn_out(l->g, n, 0);
    const bool last = rp_onnx_attr_int(n->onnx, "select_last_index", 0) != 0;
    int64_t axis = rp_onnx_attr_int(n->onnx, "axis", 0);

    RP_CHECK(rp_nn_input(l, n, 0, &x));
    axis += axis < 0 ? x.rank : 0;
    if (!out || axis < 0 || axis >= x.rank || x.dim[axis] > 1 << 20)
        return rp_nn_cannot_node(l->g, n, "an axis that is not known");
    for (int i = 0; i < x.rank; i++)
        dim[i] = i == axis ? x.dim[i] : 1;
    RP_CHECK(rp_nn_reduce(l, x, 1 << axis, RP_REDUCE_MAX, &top));
    RP_CHECK(rp_nn_eltwise(l, x, top, RP_ELT_EQUAL, 0, NULL, &there));
    rp_nn_flat(&left, x.rank, dim);
    RP_CHECK(rp_nn_constant(l, (size_t) x.dim[axis] * sizeof(float), &host, &left.buffer));
    for (int64_t i = 0; i < x.dim[axis]; i++)
        ((float *) host)[i] = (float) (last ? i + 1 : x.dim[axis] - i);
    RP_CHECK(rp_nn_eltwise(l, there, left, RP_ELT_MUL, 0, NULL, &there));
    RP_CHECK(rp_nn_reduce(l, there, 1 << axis, RP_REDUCE_MAX, &first));
    RP_CHECK(rp_nn_eltwise(
        l, first, none, RP_ELT_SUB, last ? 1 : (float) x.dim[axis],
        &(const struct rp_nn_tail){.act = last ? RP_NN_UNKNOWN : RP_NN_NEG, .slopes = -1}, &y));
    RP_CHECK(rp_nn_reshaped(l, &y, out->rank, out->dim));
    return rp_nn_result(l, n, 0, &y);
}

/* ---- softmax --------------------------------------------------------------------------------- */

/* All axes but this one are rows; it is the innermost in memory. */
static int as_rows(struct rp_nn_lower *l, struct rp_nn_view *x, int axis, struct rp_nn_parts *parts,
                   struct rp_nn_act *out)
{
    int k = 0;

    parts->rank = x->rank;
    for (int i = 0; i < x->rank; i++)
        if (x->order[i] != axis) {
            parts->order[k] = x->order[i];
            parts->part[k++] = 2;
        }
    parts->order[k] = axis;
    parts->part[k] = 3;
    return rp_nn_as(l, x, parts, out);
}

int rp_nn_lower_softmax(struct rp_nn_lower *l, struct rp_nn_node *n)
{
    struct rp_nn_view x, y;
    struct rp_nn_parts parts;
    struct rp_nn_act src, dst;
    const bool old = l->g->opset < 13;
    int64_t axis = rp_onnx_attr_int(n->onnx, "axis", old ? 1 : -1);

    RP_CHECK(rp_nn_input(l, n, 0, &x));
    axis += axis < 0 ? x.rank : 0;
    if (axis < 0 || axis >= x.rank || rp_nn_count(&x) < 1)
        return rp_nn_cannot_node(l->g, n, "an axis that makes no sense");
    for (int64_t i = axis + 1; old && i < x.rank; i++)
        if (x.dim[i] != 1) /* it was over all axes from this one on */
            return rp_nn_cannot_node(l->g, n, "over several axes");
    RP_CHECK(rp_nn_as_float32(l, &x)); /* e^x makes errors of x large */
    RP_CHECK(as_rows(l, &x, (int) axis, &parts, &src));
    l->half_now = false;
    RP_CHECK(rp_nn_fresh(l, x.rank, x.dim, parts.order, &y));
    RP_CHECK(rp_nn_as(l, &y, &parts, &dst));
    struct rp_op_net_softmax *const op = &rp_nn_begin(l, RP_NN_OP_net_softmax)->net_softmax;
    op->rows = src.n * src.h * src.w;
    op->count = src.c;
    op->src_ld = src.ld;
    op->dst_ld = dst.ld;
    op->type = RP_ACT_F32;
    rp_nn_put_number(l, RP_NN_AT(net_softmax, src), src.buffer, src.at);
    rp_nn_put_number(l, RP_NN_AT(net_softmax, dst), dst.buffer, dst.at);
    RP_CHECK(rp_nn_emit(l));
    return rp_nn_result(l, n, 0, &y);
}
