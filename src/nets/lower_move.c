/* Nodes that only move numbers: mostly another view of the same buffer. */
#include "nets/lower.h"
#include "onnx/attr.h"

static int64_t axis_of(const struct rp_nn_node *n, int64_t absent, int rank)
{
    const int64_t axis = rp_onnx_attr_int(n->onnx, "axis", absent);

    return axis < 0 ? axis + rank : axis;
}

/* ---- Reshape and its kind -------------------------------------------------------------------- */

static int to_result_sizes(struct rp_nn_lower *l, struct rp_nn_node *n, struct rp_nn_view *v)
{
    const struct rp_nn_value *const out = rp_nn_out(l->g, n, 0);

    return out ? rp_nn_reshaped(l, v, out->rank, out->dim) : 0;
}

static int transpose(struct rp_nn_lower *l, struct rp_nn_node *n, struct rp_nn_view *v)
{
    int perm[RP_NN_RANK];
    unsigned seen = 0;
    const struct rp_onnx_attr a = rp_onnx_attr(n->onnx, "perm");

    for (int i = 0; i < v->rank; i++) {
        const int64_t p = a.there ? (i < a.nints ? a.ints[i] : -1) : v->rank - 1 - i;

        if (p < 0 || p >= v->rank || (seen >> p & 1))
            return rp_nn_cannot_node(l->g, n, "a perm that makes no sense");
        seen |= 1u << p;
        perm[i] = (int) p;
    }
    rp_nn_transpose(v, perm);
    return 0;
}

static int expand(struct rp_nn_lower *l, struct rp_nn_node *n, struct rp_nn_view *v)
{
    const struct rp_nn_value *const out = rp_nn_out(l->g, n, 0);

    if (out && rp_nn_expand(v, out->rank, out->dim))
        return 0;
    return rp_nn_cannot_node(l->g, n, "sizes that do not fit");
}

/* As if it were of size 1, with an axis of these parts after it. */
static int tile_axis(struct rp_nn_lower *l, struct rp_nn_view *v, int axis, int64_t times)
{
    int64_t dim[RP_NN_RANK];
    const int rank = v->rank;

    if (rank == RP_NN_RANK)
        return rp_nn_cannot(l->g, "too many axes");
    memcpy(dim, v->dim, (size_t) axis * sizeof(*dim));
    memcpy(dim + axis + 1, v->dim + axis, (size_t) (rank - axis) * sizeof(*dim));
    dim[axis] = 1;
    RP_CHECK(rp_nn_reshaped(l, v, rank + 1, dim));
    dim[axis] = times;
    if (!rp_nn_expand(v, rank + 1, dim))
        return rp_nn_cannot(l->g, "sizes that do not fit");
    dim[axis] = times * dim[axis + 1];
    memmove(dim + axis + 1, dim + axis + 2, (size_t) (rank - axis - 1) * sizeof(*dim));
    return rp_nn_reshaped(l, v, rank, dim);
}

static int tile(struct rp_nn_lower *l, struct rp_nn_node *n, struct rp_nn_view *v)
{
    const struct rp_nn_value *const out = rp_nn_out(l->g, n, 0);
    const int64_t *const times = n->nin > 1 ? rp_nn_wholes(l->g, n->in[1]) : NULL;

    if (!times || rp_nn_in(l->g, n, 1)->count != v->rank || !out || out->rank != v->rank)
        return rp_nn_cannot_node(l->g, n, "repeats that are not constants");
    for (int i = 0; i < v->rank; i++) {
        if (times[i] < 1 || times[i] > INT32_MAX || v->dim[i] * times[i] != out->dim[i])
            return rp_nn_cannot_node(l->g, n, "repeats that make no sense");
        if (v->dim[i] != 1 && times[i] != 1)
            RP_CHECK(tile_axis(l, v, i, times[i]));
    }
    return expand(l, n, v);
}

/* ---- Slice, Split ---------------------------------------------------------------------------- */

/* A list of whole numbers, from an attribute or an input. */
struct list {
    const int64_t *v;
    int64_t n;
};

static bool list_of(struct rp_nn_lower *l, const struct rp_nn_node *n,
                    const struct rp_onnx_attr *attr, int in, struct list *out)
{
    *out = (struct list){attr->ints, attr->nints};
    if (attr->there)
        return true;
    *out = (struct list){0};
    if (!rp_nn_in(l->g, n, in))
        return true;
    *out = (struct list){rp_nn_wholes(l->g, n->in[in]), rp_nn_in(l->g, n, in)->count};
    return out->v != NULL;
}

static void slice_axis(struct rp_nn_view *v, int axis, int64_t start, int64_t end, int64_t by)
{
    const int64_t dim = v->dim[axis];
    int64_t count = 0;

    if (start < 0)
        start = start < -dim ? -1 : start + dim;
    if (end < 0)
        end = end < -dim ? -1 : end + dim;
    if (by > 0) {
        start = RP_CLAMP(start, 0, dim);
        end = RP_CLAMP(end, 0, dim);
        count = end > start ? (end - start - 1) / by + 1 : 0;
    } else {
        start = RP_CLAMP(start, -1, dim - 1);
        end = RP_CLAMP(end, -1, dim - 1);
        count = start > end ? (start - end - 1) / -by + 1 : 0;
    }
    rp_nn_slice(v, axis, count ? start : 0, count, by);
}

static int slice(struct rp_nn_lower *l, struct rp_nn_node *n, struct rp_nn_view *v)
{
    const struct rp_onnx_attr a = rp_onnx_attr(n->onnx, "starts"),
                              b = rp_onnx_attr(n->onnx, "ends"), c = rp_onnx_attr(n->onnx, "axes"),
                              none = {0};
    struct list start, end, axes, by;

    if (!list_of(l, n, &a, 1, &start) || !list_of(l, n, &b, 2, &end) ||
        !list_of(l, n, &c, 3, &axes) || !list_of(l, n, &none, 4, &by) || start.n != end.n ||
        start.n > v->rank || (axes.v && axes.n != start.n) || (by.v && by.n != start.n))
        return rp_nn_cannot_node(l->g, n, "starts, ends, axes or steps that are not constants");
    for (int64_t i = 0; i < start.n; i++) {
        const int64_t axis = axes.v ? (axes.v[i] < 0 ? axes.v[i] + v->rank : axes.v[i]) : i;
        const int64_t step = by.v ? by.v[i] : 1;

        if (axis < 0 || axis >= v->rank || !step || step < -INT32_MAX || step > INT32_MAX)
            return rp_nn_cannot_node(l->g, n, "an axis or step that makes no sense");
        slice_axis(v, (int) axis, start.v[i], end.v[i], step);
    }
    return 0;
}

static int split(struct rp_nn_lower *l, struct rp_nn_node *n, const struct rp_nn_view *whole)
{
    int64_t at = 0;
    const int64_t axis = axis_of(n, 0, whole->rank);

    if (axis < 0 || axis >= whole->rank)
        return rp_nn_cannot_node(l->g, n, "an axis that makes no sense");
    for (int i = 0; i < n->nout; i++) {
        const struct rp_nn_value *const out = rp_nn_out(l->g, n, i);
        struct rp_nn_view v = *whole;

        if (!out || out->rank != whole->rank || out->dim[axis] < 0 ||
            out->dim[axis] > whole->dim[axis] - at)
            return rp_nn_cannot_node(l->g, n, "parts that do not fit");
        rp_nn_slice(&v, (int) axis, at, out->dim[axis], 1);
        RP_CHECK(rp_nn_result(l, n, i, &v));
        at += out->dim[axis];
    }
    return 0;
}

/* ---- blocks of pixels ------------------------------------------------------------------------ */

static int depth_to_space(struct rp_nn_lower *l, struct rp_nn_node *n, struct rp_nn_view *v)
{
    static const int crd[] = {0, 1, 4, 2, 5, 3}, dcr[] = {0, 3, 4, 1, 5, 2};
    const int64_t b = rp_onnx_attr_int(n->onnx, "blocksize", 0);
    const struct rp_onnx_attr mode = rp_onnx_attr(n->onnx, "mode");
    const bool is_crd = mode.there && rp_onnx_is(mode.s, "CRD");

    if (v->rank != 4 || b < 1 || b > 1024 || v->dim[1] % (b * b))
        return rp_nn_cannot_node(l->g, n, "channels that are not whole blocks");
    const int64_t c = v->dim[1] / (b * b), h = v->dim[2], w = v->dim[3];
    const int64_t split_crd[] = {v->dim[0], c, b, b, h, w},
                  split_dcr[] = {v->dim[0], b, b, c, h, w};
    RP_CHECK(rp_nn_reshaped(l, v, 6, is_crd ? split_crd : split_dcr));
    rp_nn_transpose(v, is_crd ? crd : dcr);
    return to_result_sizes(l, n, v);
}

static int space_to_depth(struct rp_nn_lower *l, struct rp_nn_node *n, struct rp_nn_view *v)
{
    const int64_t b = rp_onnx_attr_int(n->onnx, "blocksize", 0);

    if (v->rank != 4 || b < 1 || b > 1024 || v->dim[2] % b || v->dim[3] % b)
        return rp_nn_cannot_node(l->g, n, "sizes that are not whole blocks");
    const int64_t parts[] = {v->dim[0], v->dim[1], v->dim[2] / b, b, v->dim[3] / b, b};
    RP_CHECK(rp_nn_reshaped(l, v, 6, parts));
    rp_nn_transpose(v, (const int[]){0, 3, 5, 1, 2, 4});
    return to_result_sizes(l, n, v);
}

int rp_nn_lower_move(struct rp_nn_lower *l, struct rp_nn_node *n)
{
    struct rp_nn_view v;

    RP_CHECK(rp_nn_input(l, n, 0, &v));
    switch (n->kind) {
    case RP_NN_TRANSPOSE:
        RP_CHECK(transpose(l, n, &v));
        break;
    case RP_NN_EXPAND:
        RP_CHECK(expand(l, n, &v));
        break;
    case RP_NN_TILE:
        RP_CHECK(tile(l, n, &v));
        break;
    case RP_NN_SLICE:
        RP_CHECK(slice(l, n, &v));
        break;
    case RP_NN_SPLIT:
        return split(l, n, &v);
    case RP_NN_DEPTH_TO_SPACE:
        RP_CHECK(depth_to_space(l, n, &v));
        break;
    case RP_NN_SPACE_TO_DEPTH:
        RP_CHECK(space_to_depth(l, n, &v));
        break;
    default:
        RP_CHECK(to_result_sizes(l, n, &v));
        break;
    }
    return rp_nn_result(l, n, 0, &v);
}

/* ---- Concat ---------------------------------------------------------------------------------- */

/* Do the parts lie side by side already, in what joins more than these? Then that is the result. */
static bool side_by_side(struct rp_nn_lower *l, const struct rp_nn_node *n, int axis,
                         struct rp_nn_view *whole)
{
    struct rp_nn_view v = {.buffer = -1};

    for (int i = 0; i < n->nin; i++) {
        const struct rp_nn_view *const part = rp_nn_in(l->g, n, i) ? &l->view[n->in[i]] : NULL;

        if (!part || part->buffer < 0 || l->plan->buffer[part->buffer].memory != RP_NN_ARENA)
            return false;
        if (!i) {
            v = *part;
            continue;
        }
        if (part->buffer != v.buffer || part->rank != v.rank ||
            part->at != v.at + v.dim[axis] * v.step[axis] || v.dim[axis] % 8 ||
            memcmp(part->step, v.step, (size_t) v.rank * sizeof(*v.step)) != 0 ||
            memcmp(part->order, v.order, (size_t) v.rank * sizeof(*v.order)) != 0)
            return false;
        for (int d = 0; d < v.rank; d++)
            if (d != axis && part->dim[d] != v.dim[d])
                return false;
        v.dim[axis] += part->dim[axis];
        v.clean = part->clean;
    }
    *whole = v;
    return n->nin > 1;
}

int rp_nn_lower_concat(struct rp_nn_lower *l, struct rp_nn_node *n)
{
    int64_t at = 0;
    struct rp_nn_view first, whole;
    const struct rp_nn_value *const out = rp_nn_out(l->g, n, 0);

    RP_CHECK(rp_nn_input(l, n, 0, &first));
    const int64_t axis = axis_of(n, 0, first.rank);
    if (!out || out->rank != first.rank || axis < 0 || axis >= first.rank)
        return rp_nn_cannot_node(l->g, n, "an axis that makes no sense");
    whole = l->view[n->out[0]]; /* there are parts already */
    if (whole.buffer < 0 && side_by_side(l, n, (int) axis, &whole))
        return rp_nn_result(l, n, 0, &whole);
    if (whole.buffer < 0)
        RP_CHECK(rp_nn_fresh(l, out->rank, out->dim, first.order, &whole));
    for (int i = 0; i < n->nin; i++) {
        struct rp_nn_view part, place = whole;

        RP_CHECK(rp_nn_input(l, n, i, &part));
        if (part.rank != first.rank || part.dim[axis] > whole.dim[axis] - at)
            return rp_nn_cannot_node(l->g, n, "sizes that do not fit");
        for (int d = 0; d < part.rank; d++)
            if (d != axis && part.dim[d] != whole.dim[d])
                return rp_nn_cannot_node(l->g, n, "sizes that do not fit");
        rp_nn_slice(&place, (int) axis, at, part.dim[axis], 1);
        at += part.dim[axis];
        /* only behind the last part are there zeros */
        place.clean = at == whole.dim[axis] || whole.order[whole.rank - 1] != axis;
        if (part.buffer != place.buffer || part.at != place.at)
            RP_CHECK(rp_nn_copy_view(l, &part, &place));
    }
    if (at != whole.dim[axis])
        return rp_nn_cannot_node(l->g, n, "sizes that do not fit");
    return rp_nn_result(l, n, 0, &whole);
}

/* ---- Gather ---------------------------------------------------------------------------------- */

/* Copies for indices that are not evenly spaced. */
static int gather_each(struct rp_nn_lower *l, struct rp_nn_view *v, int axis, const int64_t *at,
                       int64_t count)
{
    struct rp_nn_view whole;
    int64_t dim[RP_NN_RANK];

    memcpy(dim, v->dim, sizeof(dim));
    dim[axis] = count;
    RP_CHECK(rp_nn_fresh(l, v->rank, dim, v->order, &whole));
    for (int64_t i = 0; i < count; i++) {
        struct rp_nn_view from = *v, to = whole;

        rp_nn_slice(&from, axis, at[i], 1, 1);
        rp_nn_slice(&to, axis, i, 1, 1);
        to.clean = i == count - 1 || whole.order[whole.rank - 1] != axis;
        RP_CHECK(rp_nn_copy_view(l, &from, &to));
    }
    *v = whole;
    return 0;
}

/* Of indices that are computed: the axis comes first, all others are the channels of a row. */
static int gather_computed(struct rp_nn_lower *l, struct rp_nn_node *n, struct rp_nn_view *v,
                           int axis)
{
    struct rp_nn_view index, y;
    struct rp_nn_act src, at, dst;
    int64_t each = 1, dim[RP_NN_RANK];
    int rank = 0, perm[RP_NN_RANK] = {axis}, back[RP_NN_RANK];

    RP_CHECK(rp_nn_input(l, n, 1, &index));
    const int many = index.rank;
    const int64_t count = rp_nn_count(&index), rows = v->dim[axis];
    if (count < 1 || rows < 1 || rows > 1 << 24 || index.rank + v->rank - 1 > RP_NN_RANK)
        return rp_nn_cannot_node(l->g, n, "too many indices, or none");
    for (int i = 0; i < index.rank; i++)
        dim[rank++] = index.dim[i];
    for (int i = 0, k = 1; i < v->rank; i++) {
        if (i == axis)
            continue;
        perm[k++] = i;
        each *= v->dim[i];
        dim[rank++] = v->dim[i];
    }
    rp_nn_transpose(v, perm);
    RP_CHECK(rp_nn_reshaped(l, v, 2, (const int64_t[]){rows, each}));
    RP_CHECK(rp_nn_reshaped(l, &index, 2, (const int64_t[]){count, 1}));
    RP_CHECK(rp_nn_as_nchw(l, v, &src));
    RP_CHECK(rp_nn_as_nchw(l, &index, &at));
    RP_CHECK(rp_nn_fresh(l, 2, (const int64_t[]){count, each}, (const int[]){0, 1}, &y));
    RP_CHECK(rp_nn_as_nchw(l, &y, &dst));
    rp_nn_begin(l, RP_NN_OP_net_gather);
    rp_nn_put_act(l, RP_NN_AT(net_gather, src), &src);
    rp_nn_put_act(l, RP_NN_AT(net_gather, index), &at);
    rp_nn_put_act(l, RP_NN_AT(net_gather, dst), &dst);
    RP_CHECK(rp_nn_emit(l));
    RP_CHECK(rp_nn_reshaped(l, &y, rank, dim));
    for (int i = 0; i < rank; i++) /* the indices' axes go where `axis` was */
        back[i] = i < axis ? many + i : i < axis + many ? i - axis : i;
    rp_nn_transpose(&y, back);
    return rp_nn_result(l, n, 0, &y);
}

int rp_nn_lower_gather(struct rp_nn_lower *l, struct rp_nn_node *n)
{
    struct rp_nn_view v;
    int64_t at[256];
    bool even = true;
    const struct rp_nn_value *const index = rp_nn_in(l->g, n, 1), *const out =
                                                                      rp_nn_out(l->g, n, 0);
    const int64_t *const from = index ? rp_nn_wholes(l->g, n->in[1]) : NULL;

    RP_CHECK(rp_nn_input(l, n, 0, &v));
    const int64_t axis = axis_of(n, 0, v.rank);
    if (index && !index->constant && axis >= 0 && axis < v.rank)
        return gather_computed(l, n, &v, (int) axis);
    if (!from || !out || axis < 0 || axis >= v.rank || index->count < 1 ||
        index->count > (int64_t) RP_ARRAY_LEN(at))
        return rp_nn_cannot_node(l->g, n, "indices that are not constants, or too many");
    for (int64_t i = 0; i < index->count; i++) {
        at[i] = from[i] < 0 ? from[i] + v.dim[axis] : from[i];
        if (at[i] < 0 || at[i] >= v.dim[axis])
            return rp_nn_cannot_node(l->g, n, "an index outside");
        even &= i < 2 || at[i] - at[i - 1] == at[1] - at[0];
    }
    if (even)
        rp_nn_slice(&v, (int) axis, at[0], index->count, index->count > 1 ? at[1] - at[0] : 1);
    else
        RP_CHECK(gather_each(l, &v, (int) axis, at, index->count));
    RP_CHECK(rp_nn_reshaped(l, &v, out->rank, out->dim));
    return rp_nn_result(l, n, 0, &v);
}

/* ---- Pad ------------------------------------------------------------------------------------- */

/* Of height, width and channels of rank 4. */
int rp_nn_lower_pad(struct rp_nn_lower *l, struct rp_nn_node *n)
{
    float value = 0;
    struct rp_nn_view x, y;
    struct rp_nn_act src, dst;
    struct list pads;
    const struct rp_onnx_attr a = rp_onnx_attr(n->onnx, "pads"), m = rp_onnx_attr(n->onnx, "mode");
    const struct rp_nn_value *const out = rp_nn_out(l->g, n, 0);
    const int mode = !m.there || rp_onnx_is(m.s, "constant") ? RP_PAD_ZERO
                     : rp_onnx_is(m.s, "edge")               ? RP_PAD_EDGE
                     : rp_onnx_is(m.s, "reflect")            ? RP_PAD_REFLECT
                                                             : -1;

    RP_CHECK(rp_nn_input(l, n, 0, &x));
    if (!list_of(l, n, &a, 1, &pads) || pads.n != 8 || x.rank != 4 || !out || out->rank != 4 ||
        rp_nn_in(l->g, n, 3) || mode < 0 || pads.v[0] || pads.v[4] ||
        (rp_nn_in(l->g, n, 2) && !rp_nn_number(l->g, n->in[2], &value)))
        return rp_nn_cannot_node(l->g, n, "pads that are not constants, or of other axes");
    if (a.there)
        value = rp_onnx_attr_float(n->onnx, "value", 0);
    for (int i = 1; i < 4; i++)
        if (pads.v[i] < -(1 << 20) || pads.v[i] > 1 << 20 || pads.v[i + 4] > 1 << 20 ||
            x.dim[i] + pads.v[i] + pads.v[i + 4] != out->dim[i] ||
            (mode && (i == 1 ? pads.v[i] || pads.v[i + 4]
                             : mode == RP_PAD_REFLECT &&
                                   (pads.v[i] >= x.dim[i] || pads.v[i + 4] >= x.dim[i]))))
            return rp_nn_cannot_node(l->g, n, "pads that make no sense");
    RP_CHECK(rp_nn_as_nchw(l, &x, &src));
    RP_CHECK(rp_nn_fresh_nchw(l, 4, out->dim, &y));
    RP_CHECK(rp_nn_as_nchw(l, &y, &dst));
    struct rp_op_net_pad *const op = &rp_nn_begin(l, RP_NN_OP_net_pad)->net_pad;
    op->top = (int) pads.v[2];
    op->left = (int) pads.v[3];
    op->front = (int) pads.v[1];
    op->mode = mode;
    op->value = value;
    rp_nn_put_act(l, RP_NN_AT(net_pad, src), &src);
    rp_nn_put_act(l, RP_NN_AT(net_pad, dst), &dst);
    RP_CHECK(rp_nn_emit(l));
    return rp_nn_result(l, n, 0, &y);
}
