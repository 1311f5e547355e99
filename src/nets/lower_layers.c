/* Normalisations, pooling, resizing, sampling. */
#include "nets/lower.h"
#include "onnx/attr.h"

/* ---- normalisations -------------------------------------------------------------------------- */

struct norm {
    struct rp_nn_act src, dst, add;
    int kind;
    float eps;
    int gamma, beta;               /* buffers, -1: none */
    struct rp_nn_act scale, shift; /* buffer -1: none */
};

static int emit_norm(struct rp_nn_lower *l, const struct rp_nn_node *n, const struct norm *m)
{
    struct rp_op_net_norm *const op = &rp_nn_begin(l, RP_NN_OP_net_norm)->net_norm;

    op->kind = m->kind;
    op->groups = 1;
    op->eps = m->eps;
    rp_nn_put_act(l, RP_NN_AT(net_norm, src), &m->src);
    rp_nn_put_act(l, RP_NN_AT(net_norm, dst), &m->dst);
    if (m->gamma >= 0)
        rp_nn_put(l, RP_NN_AT(net_norm, gamma), m->gamma, 0);
    if (m->beta >= 0)
        rp_nn_put(l, RP_NN_AT(net_norm, beta), m->beta, 0);
    if (m->scale.buffer >= 0) {
        rp_nn_put_number(l, RP_NN_AT(net_norm, scale), m->scale.buffer, m->scale.at);
        rp_nn_put_number(l, RP_NN_AT(net_norm, shift), m->shift.buffer, m->shift.at);
        op->style_ld = m->scale.ld;
    }
    if (n->residual >= 0)
        rp_nn_put_act(l, RP_NN_AT(net_norm, add), &m->add);
    RP_CHECK(rp_nn_then(l, &n->tail, &op->then, RP_NN_AT(net_norm, then)));
    RP_CHECK(rp_nn_put_work(l, RP_NN_AT(net_norm, work), rp_norm_work(op)));
    return rp_nn_emit(l);
}

static int finish_norm(struct rp_nn_lower *l, struct rp_nn_node *n, struct rp_nn_view *x,
                       const struct rp_nn_parts *parts, struct norm *m)
{
    struct rp_nn_view y, add;
    const struct rp_nn_value *const out = rp_nn_out(l->g, n, 0);

    RP_CHECK(rp_nn_as(l, x, parts, &m->src));
    if (n->residual >= 0) {
        RP_CHECK(rp_nn_value_view(l, n->residual, &add));
        RP_CHECK(rp_nn_reshaped(l, &add, x->rank, x->dim));
        RP_CHECK(rp_nn_as(l, &add, parts, &m->add));
    }
    RP_CHECK(rp_nn_fresh(l, x->rank, x->dim, parts->order, &y));
    RP_CHECK(rp_nn_as(l, &y, parts, &m->dst));
    RP_CHECK(emit_norm(l, n, m));
    if (out)
        RP_CHECK(rp_nn_reshaped(l, &y, out->rank, out->dim));
    return rp_nn_result(l, n, 0, &y);
}

/* Scale or shift of each row's channels, [n][c]. */
static int style_of(struct rp_nn_lower *l, struct rp_nn_node *n, int i, const struct rp_nn_view *x,
                    bool copy, struct rp_nn_act *out)
{
    struct rp_nn_view v, own;

    RP_CHECK(rp_nn_input(l, n, i, &v));
    if (rp_nn_count(&v) != x->dim[0] * x->dim[1])
        return rp_nn_cannot_node(l->g, n, "a style that does not fit");
    RP_CHECK(rp_nn_as_float32(l, &v));
    RP_CHECK(rp_nn_reshaped(l, &v, 2, x->dim));
    if (copy) {
        RP_CHECK(rp_nn_copied(l, &v, (const int[]){0, 1}, &own));
        v = own;
    }
    return rp_nn_as_nchw(l, &v, out);
}

int rp_nn_lower_norm(struct rp_nn_lower *l, struct rp_nn_node *n)
{
    struct rp_nn_view x;
    struct rp_nn_parts parts;
    struct norm m = {
        .kind = RP_NORM_INSTANCE, .eps = n->eps, .gamma = -1, .beta = -1, .scale.buffer = -1};

    RP_CHECK(rp_nn_input(l, n, 0, &x));
    rp_nn_parts_nchw(4, &parts);
    if (n->nin == 3) {
        RP_CHECK(style_of(l, n, 1, &x, false, &m.scale));
        RP_CHECK(style_of(l, n, 2, &x, false, &m.shift));
        if (m.scale.ld != m.shift.ld) { /* they have one distance from row to row */
            RP_CHECK(style_of(l, n, 1, &x, true, &m.scale));
            RP_CHECK(style_of(l, n, 2, &x, true, &m.shift));
        }
    }
    return finish_norm(l, n, &x, &parts, &m);
}

/* Constants of so many elements. */
static int constants(struct rp_nn_lower *l, struct rp_nn_node *n, int i, int64_t count, int *buffer)
{
    const float *const v = rp_nn_in(l->g, n, i) ? rp_nn_reals(l->g, n->in[i]) : NULL;

    if (!v || rp_nn_in(l->g, n, i)->count != count)
        return rp_nn_cannot_node(l->g, n, "a scale or bias that is not constant, or does not fit");
    return rp_nn_floats(l, v, count, buffer);
}

int rp_nn_lower_instance_norm(struct rp_nn_lower *l, struct rp_nn_node *n)
{
    struct rp_nn_view x;
    struct rp_nn_parts parts;
    struct norm m = {.kind = RP_NORM_INSTANCE,
                     .scale.buffer = -1,
                     .eps = rp_onnx_attr_float(n->onnx, "epsilon", 1e-5f)};

    RP_CHECK(rp_nn_input(l, n, 0, &x));
    if (x.rank < 3 || !rp_nn_parts_nchw(x.rank, &parts) || rp_nn_count(&x) < 1)
        return rp_nn_cannot_node(l->g, n, "other than one or two spatial axes");
    RP_CHECK(constants(l, n, 1, x.dim[1], &m.gamma));
    RP_CHECK(constants(l, n, 2, x.dim[1], &m.beta));
    return finish_norm(l, n, &x, &parts, &m);
}

/* Of the last axis; all others are rows. */
static int norm_rows(struct rp_nn_lower *l, struct rp_nn_node *n, struct rp_nn_view *x,
                     struct norm *m)
{
    struct rp_nn_parts parts = {.rank = x->rank};

    for (int i = 0; i < x->rank; i++) {
        parts.order[i] = i;
        parts.part[i] = i == x->rank - 1 ? 3 : 2;
    }
    return finish_norm(l, n, x, &parts, m);
}

/* Over the last axes, from `axis` on: they become one. */
int rp_nn_lower_layer_norm(struct rp_nn_lower *l, struct rp_nn_node *n)
{
    struct rp_nn_view x;
    int64_t rows = 1, each = 1;
    struct norm m = {.kind = RP_NORM_LAYER,
                     .beta = -1,
                     .scale.buffer = -1,
                     .eps = rp_onnx_attr_float(n->onnx, "epsilon", 1e-5f)};
    int64_t axis = rp_onnx_attr_int(n->onnx, "axis", -1);

    RP_CHECK(rp_nn_input(l, n, 0, &x));
    for (int i = 1; i < n->nout; i++)
        if (rp_nn_out(l->g, n, i) && rp_nn_out(l->g, n, i)->uses)
            return rp_nn_cannot_node(l->g, n, "mean and deviation as results");
    axis += axis < 0 ? x.rank : 0;
    if (x.rank < 1 || axis < 0 || axis >= x.rank || rp_nn_count(&x) < 1)
        return rp_nn_cannot_node(l->g, n, "an axis that makes no sense");
    for (int i = 0; i < x.rank; i++)
        *(i < axis ? &rows : &each) *= x.dim[i];
    RP_CHECK(constants(l, n, 1, each, &m.gamma));
    if (rp_nn_in(l->g, n, 2))
        RP_CHECK(constants(l, n, 2, each, &m.beta));
    if (axis == x.rank - 1 && x.rank > 1)
        return norm_rows(l, n, &x, &m);
    RP_CHECK(rp_nn_reshaped(l, &x, 2, (const int64_t[]){rows, each}));
    return norm_rows(l, n, &x, &m);
}

/* ---- pooling --------------------------------------------------------------------------------- */

/* As floor gives, or ceil. */
static bool pooled(int64_t size, const struct rp_nn_window *w, int i, bool ceil, int64_t out)
{
    struct rp_nn_window more = *w;

    more.end[i] += ceil ? w->stride[i] - 1 : 0;
    return out >= 1 && out == rp_nn_slide(size, &more, i);
}

static bool pool_window(const struct rp_nn_node *n, int rank, const struct rp_nn_act *x,
                        struct rp_nn_window *w)
{
    const struct rp_onnx_attr kernel = rp_onnx_attr(n->onnx, "kernel_shape");

    w->kernel[0] = w->kernel[1] = 1;
    if (n->kind == RP_NN_GLOBAL_AVERAGE || n->kind == RP_NN_GLOBAL_MAX) {
        *w = (struct rp_nn_window){.kernel = {x->h, x->w}, .stride = {1, 1}, .dilation = {1, 1}};
        return true;
    }
    for (int i = 0; i < rank; i++) {
        if (i >= kernel.nints || kernel.ints[i] < 1 || kernel.ints[i] > 1 << 15)
            return false;
        w->kernel[2 - rank + i] = (int) kernel.ints[i];
    }
    return rp_nn_window_of(n, rank, x, w);
}

static void emit_pool_window(struct rp_op_net_pool *op, const struct rp_nn_window *w)
{
    op->kh = w->kernel[0];
    op->kw = w->kernel[1];
    op->stride_h = w->stride[0];
    op->stride_w = w->stride[1];
    op->dilation_h = w->dilation[0];
    op->dilation_w = w->dilation[1];
    op->pad_top = w->begin[0];
    op->pad_left = w->begin[1];
    op->pad_bottom = w->end[0];
    op->pad_right = w->end[1];
}

int rp_nn_lower_pool(struct rp_nn_lower *l, struct rp_nn_node *n)
{
    struct rp_nn_view x, y;
    struct rp_nn_act src, dst;
    struct rp_nn_window w = {0};
    const struct rp_nn_value *const out = rp_nn_out(l->g, n, 0);
    const bool ceil = rp_onnx_attr_int(n->onnx, "ceil_mode", 0) != 0;

    RP_CHECK(rp_nn_input(l, n, 0, &x));
    if (!out || x.rank < 3 || x.rank > 4 || out->rank != x.rank || rp_nn_count(&x) < 1 ||
        (rp_nn_out(l->g, n, 1) && rp_nn_out(l->g, n, 1)->uses))
        return rp_nn_cannot_node(l->g, n, "other than one or two spatial axes");
    RP_CHECK(rp_nn_as_nchw(l, &x, &src));
    if (!pool_window(n, x.rank - 2, &src, &w) || out->dim[0] != src.n || out->dim[1] != src.c ||
        (x.rank == 4 && !pooled(src.h, &w, 0, ceil, out->dim[2])) ||
        !pooled(src.w, &w, 1, ceil, out->dim[x.rank - 1]))
        return rp_nn_cannot_node(l->g, n, "a window or result of unexpected size");
    RP_CHECK(rp_nn_fresh_result(l, n, &y));
    RP_CHECK(rp_nn_as_nchw(l, &y, &dst));
    struct rp_op_net_pool *const op = &rp_nn_begin(l, RP_NN_OP_net_pool)->net_pool;
    emit_pool_window(op, &w);
    op->kind =
        n->kind == RP_NN_MAX_POOL || n->kind == RP_NN_GLOBAL_MAX ? RP_POOL_MAX : RP_POOL_MEAN;
    op->count_pads =
        n->kind == RP_NN_AVERAGE_POOL && rp_onnx_attr_int(n->onnx, "count_include_pad", 0) != 0;
    rp_nn_put_act(l, RP_NN_AT(net_pool, src), &src);
    rp_nn_put_act(l, RP_NN_AT(net_pool, dst), &dst);
    RP_CHECK(rp_nn_emit(l));
    return rp_nn_result(l, n, 0, &y);
}

/* ---- Resize ---------------------------------------------------------------------------------- */

static int word_of(const struct rp_nn_node *n, const char *attribute, const char *const *words,
                   int count, int absent)
{
    const struct rp_onnx_attr a = rp_onnx_attr(n->onnx, attribute);

    for (int i = 0; i < count && a.there; i++)
        if (words[i] && rp_onnx_is(a.s, words[i]))
            return i;
    return a.there ? -1 : absent;
}

/* As the file's version of the operator says. */
static bool resize_mode(const struct rp_nn_graph *g, const struct rp_nn_node *n,
                        struct rp_op_net_resize *op)
{
    static const char *const modes[] = {"nearest", "linear", "cubic"},
                             *const coordinates[] = {"half_pixel", "pytorch_half_pixel",
                                                     "align_corners", "asymmetric",
                                                     "tf_half_pixel_for_nn"},
                             *const nearest[] = {"round_prefer_floor", "round_prefer_ceil", "floor",
                                                 "ceil"};
    const bool old = rp_onnx_is(n->onnx->op, "Upsample") || g->opset < 11;
    const struct rp_onnx_attr mode = rp_onnx_attr(n->onnx, "mode"),
                              policy = rp_onnx_attr(n->onnx, "keep_aspect_ratio_policy");

    op->mode = word_of(n, "mode", modes, 3, 0);
    if (op->mode < 0 && rp_onnx_is(mode.s, "bilinear"))
        op->mode = RP_RESIZE_LINEAR;
    op->coordinates =
        old ? RP_COORD_ASYMMETRIC : word_of(n, "coordinate_transformation_mode", coordinates, 5, 0);
    op->nearest = old ? RP_NEAREST_FLOOR : word_of(n, "nearest_mode", nearest, 4, 0);
    op->cubic_a = rp_onnx_attr_float(n->onnx, "cubic_coeff_a", -0.75f);
    return op->mode >= 0 && op->coordinates >= 0 && op->nearest >= 0 &&
           !rp_onnx_attr_int(n->onnx, "antialias", 0) &&
           (op->mode != RP_RESIZE_CUBIC || !rp_onnx_attr_int(n->onnx, "exclude_outside", 0)) &&
           !rp_onnx_attr(n->onnx, "axes").there &&
           (!policy.there || rp_onnx_is(policy.s, "stretch"));
}

/* Factors of height and width: given, or those of the sizes. */
static bool factors(struct rp_nn_graph *g, const struct rp_nn_node *n, const struct rp_nn_view *x,
                    const struct rp_nn_value *out, struct rp_op_net_resize *op)
{
    const struct rp_onnx_attr a = rp_onnx_attr(n->onnx, "scales");
    const bool upsample = rp_onnx_is(n->onnx->op, "Upsample");
    const int in = upsample || n->nin == 2 ? 1 : 2;
    const struct rp_nn_value *const v = rp_nn_in(g, n, in);
    const float *s = a.there && a.nfloats == 4 ? a.floats : NULL;

    if (!s && v && v->count && !(s = v->count == 4 ? rp_nn_reals(g, n->in[in]) : NULL))
        return false;
    op->scale_h = s ? s[2] : (float) out->dim[2] / (float) x->dim[2];
    op->scale_w = s ? s[3] : (float) out->dim[3] / (float) x->dim[3];
    return op->scale_h > 0 && op->scale_w > 0 && op->scale_h < 1e6f && op->scale_w < 1e6f &&
           (!s || (s[0] == 1 && s[1] == 1));
}

int rp_nn_lower_resize(struct rp_nn_lower *l, struct rp_nn_node *n)
{
    struct rp_nn_view x, y;
    struct rp_nn_act src, dst;
    struct rp_op_net_resize how = {0};
    const struct rp_nn_value *const out = rp_nn_out(l->g, n, 0);

    RP_CHECK(rp_nn_input(l, n, 0, &x));
    if (!out || x.rank != 4 || out->rank != 4 || x.dim[0] != out->dim[0] ||
        x.dim[1] != out->dim[1] || rp_nn_count(&x) < 1 || out->count < 1)
        return rp_nn_cannot_node(l->g, n, "other than height and width");
    if (!resize_mode(l->g, n, &how) || !factors(l->g, n, &x, out, &how))
        return rp_nn_cannot_node(l->g, n, "a mode that is not known");
    RP_CHECK(rp_nn_as_nchw(l, &x, &src));
    RP_CHECK(rp_nn_fresh_result(l, n, &y));
    RP_CHECK(rp_nn_as_nchw(l, &y, &dst));
    rp_nn_begin(l, RP_NN_OP_net_resize)->net_resize = how;
    rp_nn_put_act(l, RP_NN_AT(net_resize, src), &src);
    rp_nn_put_act(l, RP_NN_AT(net_resize, dst), &dst);
    RP_CHECK(rp_nn_emit(l));
    return rp_nn_result(l, n, 0, &y);
}

/* ---- GridSample ------------------------------------------------------------------------------ */

static bool sample_mode(const struct rp_nn_node *n, struct rp_op_net_sample *op)
{
    static const char *const modes[] = {"bilinear", "nearest", "bicubic"},
                             *const late[] = {"linear", "nearest", "cubic"},
                             *const outside[] = {"zeros", "border", "reflection"};

    op->mode = word_of(n, "mode", modes, 3, RP_SAMPLE_LINEAR);
    if (op->mode < 0)
        op->mode = word_of(n, "mode", late, 3, RP_SAMPLE_LINEAR);
    op->outside = word_of(n, "padding_mode", outside, 3, RP_OUTSIDE_ZERO);
    op->corners = rp_onnx_attr_int(n->onnx, "align_corners", 0) != 0;
    return op->mode >= 0 && op->outside >= 0;
}

/* Of a volume, depth and height are one axis; `last`: channels are the last axis of the file. */
static void sample_parts(int rank, bool last, struct rp_nn_parts *p)
{
    p->rank = rank;
    rp_nn_order(rank, !last, p->order);
    for (int i = 0; i < rank; i++)
        p->part[i] = i == 0 ? 0 : i == rank - 1 ? 3 : i == rank - 2 ? 2 : 1;
}

int rp_nn_lower_grid_sample(struct rp_nn_lower *l, struct rp_nn_node *n)
{
    struct rp_nn_view x, grid, y;
    struct rp_nn_act src, at, dst;
    struct rp_nn_parts parts, last;
    struct rp_op_net_sample op = {0};
    const struct rp_nn_value *const out = rp_nn_out(l->g, n, 0);

    RP_CHECK(rp_nn_input(l, n, 0, &x));
    RP_CHECK(rp_nn_input(l, n, 1, &grid));
    if (!out || x.rank < 4 || x.rank > 5 || grid.rank != x.rank || out->rank != x.rank ||
        grid.dim[x.rank - 1] != x.rank - 2 || x.dim[0] != grid.dim[0] || out->dim[0] != x.dim[0] ||
        out->dim[1] != x.dim[1] || rp_nn_count(&x) < 1 || out->count < 1)
        return rp_nn_cannot_node(l->g, n, "sizes that do not fit");
    for (int i = 2; i < x.rank; i++)
        if (out->dim[i] != grid.dim[i - 1] || x.dim[i] > 1000000)
            return rp_nn_cannot_node(l->g, n, "sizes that do not fit");
    if (!sample_mode(n, &op) || (op.mode == RP_SAMPLE_CUBIC && x.rank == 5))
        return rp_nn_cannot_node(l->g, n, "a mode that is not known");
    sample_parts(x.rank, false, &parts);
    sample_parts(x.rank, true, &last);
    RP_CHECK(rp_nn_as(l, &x, &parts, &src));
    RP_CHECK(rp_nn_as(l, &grid, &last, &at));
    RP_CHECK(rp_nn_fresh_nchw(l, out->rank, out->dim, &y));
    RP_CHECK(rp_nn_as(l, &y, &parts, &dst));
    op.dims = x.rank - 2;
    op.depth = x.rank == 5 ? (int) x.dim[2] : 1;
    rp_nn_begin(l, RP_NN_OP_net_sample)->net_sample = op;
    rp_nn_put_act(l, RP_NN_AT(net_sample, src), &src);
    rp_nn_put_act(l, RP_NN_AT(net_sample, grid), &at);
    rp_nn_put_act(l, RP_NN_AT(net_sample, dst), &dst);
    RP_CHECK(rp_nn_emit(l));
    return rp_nn_result(l, n, 0, &y);
}
