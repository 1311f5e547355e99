/* Convolutions and what is one: fully connected layers, scaling per channel. */
#include <math.h>

#include "nets/lower_conv.h"
#include "onnx/attr.h"

int rp_nn_constant_floats(struct rp_nn_lower *l, const struct rp_nn_node *n, int i,
                          const float **out)
{
    struct rp_nn_view v, flat;

    *out = NULL;
    RP_CHECK(rp_nn_input(l, n, i, &v));
    if (l->plan->buffer[v.buffer].memory != RP_NN_WEIGHTS)
        return 0;
    rp_nn_flat(&flat, v.rank, v.dim);
    if (memcmp(flat.step, v.step, (size_t) v.rank * sizeof(*v.step)) != 0) {
        struct rp_nn_view copy;
        const int64_t count = rp_nn_count(&v);
        const bool before = l->folding;

        l->folding = true;
        RP_CHECK(rp_nn_fresh(l, 1, &count, (const int[]){0}, &copy));
        flat.buffer = copy.buffer;
        RP_CHECK(rp_nn_copy_view(l, &v, &flat));
        l->folding = before;
        v.buffer = copy.buffer;
        v.at = 0;
    }
    *out = (const float *) l->plan->buffer[v.buffer].host + v.at;
    return 0;
}

/* ---- the convolution itself ------------------------------------------------------------------ */

/* weights * scale, packed; the pointer to them is at `at`. */
static int put_weights(struct rp_nn_lower *l, const struct rp_nn_conv *c, size_t at)
{
    void *packed;
    int ret, buffer;
    float *scaled = NULL;
    const struct rp_op_net_conv *const o = &c->op;
    const size_t per = (size_t) (c->src.c / o->groups) * (size_t) o->kh * (size_t) o->kw;
    const enum rp_act_type type = rp_nn_type(l, c->src.buffer);
    const size_t bytes = rp_conv_pack_bytes(type, c->out, c->src.c, o->groups, o->kh, o->kw);

    RP_CHECK(rp_nn_constant(l, bytes, &packed, &buffer));
    if (c->scale && c->weights) {
        if (!(scaled = malloc(RP_MAX(per * (size_t) c->out, 1) * sizeof(*scaled))))
            return rp_fail(RP_ERR_NOMEM, "out of memory");
        for (int k = 0; k < c->out; k++)
            for (size_t i = 0; i < per; i++)
                scaled[(size_t) k * per + i] = c->weights[(size_t) k * per + i] * c->scale[k];
    }
    ret = rp_conv_pack(scaled ? scaled : c->weights, type, c->out, c->src.c, o->groups, o->kh,
                       o->kw, packed);
    free(scaled);
    rp_nn_put(l, at, buffer, 0);
    return ret;
}

static int put_bias(struct rp_nn_lower *l, const struct rp_nn_conv *c, size_t at)
{
    void *host;
    int buffer;

    if (!c->bias && !c->shift)
        return 0;
    RP_CHECK(rp_nn_constant(l, (size_t) c->out * sizeof(float), &host, &buffer));
    for (int k = 0; k < c->out; k++)
        ((float *) host)[k] = (c->bias ? c->bias[k] : 0) * (c->scale ? c->scale[k] : 1) +
                              (c->shift ? c->shift[k] : 0);
    rp_nn_put(l, at, buffer, 0);
    return 0;
}

/* The tensor that is added must have the result's parts: its view in `parts`. */
static int put_residual(struct rp_nn_lower *l, const struct rp_nn_node *n,
                        const struct rp_nn_act *add)
{
    if (n->residual < 0)
        return 0;
    rp_nn_put_act(l, RP_NN_AT(net_conv, add), add);
    l->step.args.net_conv.add_last = n->residual_last;
    return 0;
}

static int residual_act(struct rp_nn_lower *l, const struct rp_nn_node *n,
                        const struct rp_nn_parts *parts, struct rp_nn_act *out)
{
    struct rp_nn_view v;

    *out = (struct rp_nn_act){0};
    if (n->residual < 0)
        return 0;
    RP_CHECK(rp_nn_value_view(l, n->residual, &v));
    return rp_nn_as(l, &v, parts, out);
}

/* What the next layer wants of the result, beside it: of the same sizes. */
static int put_also(struct rp_nn_lower *l, const struct rp_nn_node *n, const struct rp_nn_conv *c)
{
    int buffer;
    struct rp_nn_act act;
    struct rp_op_net_conv *const op = &l->step.args.net_conv;

    if (n->also < 0)
        return 0;
    struct rp_nn_view y = l->view[n->also];
    if (y.rank == 5)
        return rp_nn_cannot_node(l->g, n, "a second result of rank 5");
    RP_CHECK(rp_nn_as_nchw(l, &y, &act));
    rp_nn_put_act(l, RP_NN_AT(net_conv, also.to), &act);
    if (n->also_scale) {
        RP_CHECK(rp_nn_floats(l, n->also_scale, c->dst.c, &buffer));
        rp_nn_put(l, RP_NN_AT(net_conv, also.scale), buffer, 0);
        RP_CHECK(rp_nn_floats(l, n->also_shift, c->dst.c, &buffer));
        rp_nn_put(l, RP_NN_AT(net_conv, also.shift), buffer, 0);
    }
    return rp_nn_then(l, &n->also_tail, &op->also.then, RP_NN_AT(net_conv, also.then));
}

/* Its place, before a step is begun: that may be inside of a Concat's result. */
static int make_also(struct rp_nn_lower *l, const struct rp_nn_node *n)
{
    int ret;
    const bool before = l->half_now;

    if (n->also < 0)
        return 0;
    l->half_now = l->half[n->also];
    ret = rp_nn_fresh_value(l, n->also, &l->view[n->also]);
    l->half_now = before;
    return ret;
}

/* A fully connected layer of vectors, and nothing that only convolutions do. */
static bool is_linear(const struct rp_nn_lower *l, const struct rp_nn_node *n,
                      const struct rp_nn_conv *c)
{
    const struct rp_op_net_conv *const o = &c->op;

    return c->src.h == 1 && c->src.w == 1 && c->dst.h == 1 && c->dst.w == 1 && o->kh == 1 &&
           o->kw == 1 && o->groups == 1 && o->shuffle <= 1 && o->pad_top == 0 && o->pad_left == 0 &&
           c->in_scale < 0 && c->out_scale < 0 && n->residual < 0 && n->also < 0 &&
           rp_nn_type(l, c->src.buffer) == RP_ACT_F32 && rp_nn_type(l, c->dst.buffer) == RP_ACT_F32;
}

static int emit_linear(struct rp_nn_lower *l, const struct rp_nn_node *n,
                       const struct rp_nn_conv *c)
{
    struct rp_op_net_linear *const op = &rp_nn_begin(l, RP_NN_OP_net_linear)->net_linear;

    op->span = (c->src.n - 1) * c->src.ld + RP_ACT_ROUND(c->src.c);
    rp_nn_put_act(l, RP_NN_AT(net_linear, src), &c->src);
    rp_nn_put_act(l, RP_NN_AT(net_linear, dst), &c->dst);
    RP_CHECK(put_weights(l, c, RP_NN_AT(net_linear, weights)));
    RP_CHECK(put_bias(l, c, RP_NN_AT(net_linear, bias)));
    RP_CHECK(rp_nn_then(l, &n->tail, &op->then, RP_NN_AT(net_linear, then)));
    if (c->lengths) {
        op->squares = 1;
        op->then.fn = RP_FN_RSQRT;
    }
    return rp_nn_emit(l);
}

int rp_nn_conv_emit(struct rp_nn_lower *l, const struct rp_nn_node *n, struct rp_nn_conv *c,
                    const struct rp_nn_act *add)
{
    if (c->src.c < 1 || c->out < 1 || c->op.groups < 1)
        return rp_nn_cannot_node(l->g, n, "no channels");
    if (is_linear(l, n, c))
        return emit_linear(l, n, c);
    RP_CHECK(make_also(l, n));
    struct rp_op_net_conv *const op = &rp_nn_begin(l, RP_NN_OP_net_conv)->net_conv;

    *op = c->op;
    if (op->shuffle < 1)
        op->shuffle = 1;
    if (op->up < 1)
        op->up = 1;
    rp_nn_put_act(l, RP_NN_AT(net_conv, src), &c->src);
    rp_nn_put_act(l, RP_NN_AT(net_conv, dst), &c->dst);
    RP_CHECK(put_weights(l, c, RP_NN_AT(net_conv, weights)));
    RP_CHECK(put_bias(l, c, RP_NN_AT(net_conv, bias)));
    if (c->in_scale >= 0)
        rp_nn_put_number(l, RP_NN_AT(net_conv, in_scale), c->in_scale, c->in_scale_at);
    if (c->out_scale >= 0)
        rp_nn_put_number(l, RP_NN_AT(net_conv, out_scale), c->out_scale, c->out_scale_at);
    RP_CHECK(put_residual(l, n, add));
    RP_CHECK(rp_nn_then(l, &n->tail, &op->then, RP_NN_AT(net_conv, then)));
    RP_CHECK(put_also(l, n, c));
    RP_CHECK(rp_nn_put_work(l, RP_NN_AT(net_conv, work), rp_conv_work(op)));
    return rp_nn_emit(l);
}

struct rp_nn_conv rp_nn_conv_new(const struct rp_nn_node *n)
{
    return (struct rp_nn_conv){.scale = n->scale,
                               .shift = n->shift,
                               .in_scale = -1,
                               .out_scale = -1,
                               .op = {.kh = 1,
                                      .kw = 1,
                                      .stride_h = 1,
                                      .stride_w = 1,
                                      .dilation_h = 1,
                                      .dilation_w = 1,
                                      .groups = 1}};
}

void rp_nn_conv_window(struct rp_op_net_conv *op, const struct rp_nn_window *w)
{
    op->kh = w->kernel[0];
    op->kw = w->kernel[1];
    op->stride_h = w->stride[0];
    op->stride_w = w->stride[1];
    op->dilation_h = w->dilation[0];
    op->dilation_w = w->dilation[1];
    op->pad_top = w->begin[0];
    op->pad_left = w->begin[1];
}

int rp_nn_drop_weights(struct rp_nn_lower *l, int value)
{
    struct rp_nn_view *const v = &l->view[value];

    if (v->buffer < 0 || l->plan->buffer[v->buffer].owned || l->plan->buffer[v->buffer].first >= 0)
        return 0;
    l->plan->buffer[v->buffer].host = NULL;
    v->buffer = -1;
    rp_nn_drop(l->g, value);
    return 0;
}

/* ---- Conv ------------------------------------------------------------------------------------ */

/* Weights [out][in][kh][kw] or, transposed, [in][out][kh][kw]. */
static int kernel_of(struct rp_nn_lower *l, const struct rp_nn_node *n, struct rp_nn_conv *c,
                     struct rp_nn_window *w)
{
    const struct rp_nn_value *const v = rp_nn_in(l->g, n, 1), *const bias = rp_nn_in(l->g, n, 2);
    const bool turned = n->kind == RP_NN_CONV_TRANSPOSE;

    if (!v || v->rank < 3 || v->rank > 4)
        return rp_nn_cannot_node(l->g, n, "weights of other than one or two spatial axes");
    RP_CHECK(rp_nn_constant_floats(l, n, 1, &c->weights));
    if (!c->weights)
        return rp_nn_cannot_node(l->g, n, "weights that are not constants");
    c->out = (int) RP_MIN(v->dim[turned ? 1 : 0], INT32_MAX);
    w->kernel[0] = v->rank == 4 ? (int) RP_MIN(v->dim[2], INT32_MAX) : 1;
    w->kernel[1] = (int) RP_MIN(v->dim[v->rank - 1], INT32_MAX);
    const int64_t groups = rp_onnx_attr_int(n->onnx, "group", 1);
    if (c->out < 1 || groups < 1 || groups > c->src.c || c->src.c % groups ||
        (turned ? v->dim[0] != c->src.c || groups != 1
                : v->dim[1] != c->src.c / groups || c->out % groups) ||
        (n->scale && n->channels != c->out))
        return rp_nn_cannot_node(l->g, n, "weights that do not fit, or groups that are not known");
    c->op.groups = (int) groups;
    if (bias && bias->count != c->out)
        return rp_nn_cannot_node(l->g, n, "a bias that does not fit");
    if (bias) {
        RP_CHECK(rp_nn_constant_floats(l, n, 2, &c->bias));
        if (!c->bias)
            return rp_nn_cannot_node(l->g, n, "a bias that is not constant");
    }
    return 0;
}

/* As a convolution whose result is shuffled. */
static int turn(struct rp_nn_lower *l, struct rp_nn_conv *c, const struct rp_nn_window *w,
                float **made)
{
    const struct rp_deconv d = {c->src.c,       c->out,       w->kernel[0],
                                w->kernel[1],   w->stride[0], w->dilation[0],
                                w->dilation[1], w->begin[0],  w->begin[1]};
    const size_t out = (size_t) c->out * (size_t) d.stride * (size_t) d.stride;

    rp_deconv(&d, &c->op);
    const size_t count = out * (size_t) c->src.c * (size_t) c->op.kh * (size_t) c->op.kw;
    if (count > INT32_MAX || !(*made = calloc(count + 3 * out + 1, sizeof(float))))
        return rp_nn_cannot(l->g, "weights that are too large");
    float *const bias = *made + count, *const scale = bias + out, *const shift = scale + out;
    rp_deconv_weights(&d, c->weights, c->bias, *made, c->bias ? bias : NULL);
    for (size_t i = 0; c->scale && i < out; i++) {
        const size_t r2 = (size_t) d.stride * (size_t) d.stride;
        const size_t of = c->op.shuffle_order == RP_SHUFFLE_CRD ? i / r2 : i % (size_t) c->out;

        scale[i] = c->scale[of];
        shift[i] = c->shift[of];
    }
    c->scale = c->scale ? scale : NULL;
    c->shift = c->shift ? shift : NULL;
    c->weights = *made;
    c->bias = c->bias ? bias : NULL;
    c->out = (int) out;
    return 0;
}

/* Two steps: the columns of the window, and their sum with what follows it. */
static int emit_columns(struct rp_nn_lower *l, const struct rp_nn_node *n,
                        const struct rp_nn_conv *c, const struct rp_nn_act *add)
{
    int ret;
    float *weights = NULL;
    struct rp_nn_conv wide;
    const struct rp_nn_node plain = {.residual = -1, .also = -1, .tail = {.slopes = -1}};

    ret = rp_nn_columns_begin(l, c, &wide, &weights);
    if (ret >= 0)
        ret = rp_nn_conv_emit(l, &plain, &wide, NULL);
    free(weights);
    RP_CHECK(ret);
    RP_CHECK(rp_nn_columns_end(l, n, c, &wide.dst, add));
    RP_CHECK(put_bias(l, c, RP_NN_AT(net_columns, bias)));
    return rp_nn_emit(l);
}

static int finish_conv(struct rp_nn_lower *l, const struct rp_nn_node *n, struct rp_nn_conv *c)
{
    struct rp_nn_view y;
    struct rp_nn_act add;
    struct rp_nn_parts parts;
    const struct rp_nn_value *const out = rp_nn_out(l->g, n, 0);

    rp_nn_parts_nchw(out->rank, &parts);
    RP_CHECK(residual_act(l, n, &parts, &add));
    RP_CHECK(rp_nn_fresh_result(l, n, &y));
    RP_CHECK(rp_nn_as(l, &y, &parts, &c->dst));
    if (rp_nn_columns_pay(l, n, c))
        RP_CHECK(emit_columns(l, n, c, &add));
    else
        RP_CHECK(rp_nn_conv_emit(l, n, c, &add));
    return rp_nn_result(l, n, 0, &y);
}

static int check_conv(struct rp_nn_lower *l, const struct rp_nn_node *n, const struct rp_nn_conv *c,
                      const struct rp_nn_window *w)
{
    const struct rp_nn_value *const out = rp_nn_out(l->g, n, 0);
    const bool turned = n->kind == RP_NN_CONV_TRANSPOSE;
    const int up = RP_MAX(n->up, 1);
    const int64_t h = turned ? rp_nn_unslide(c->src.h, w, 0)
                             : rp_nn_slide((int64_t) c->src.h * up, w, 0),
                  v = turned ? rp_nn_unslide(c->src.w, w, 1)
                             : rp_nn_slide((int64_t) c->src.w * up, w, 1);
    const int r = turned ? 1 : RP_MAX(n->shuffle, 1);

    if (!out || out->rank < 3 || out->rank > 4 || out->dim[0] != c->src.n ||
        out->dim[1] * r * r != c->out || (out->rank == 4 ? out->dim[2] != h * r : h != 1) ||
        out->dim[out->rank - 1] != v * r || h < 1 || v < 1)
        return rp_nn_cannot_node(l->g, n, "a result of unexpected size");
    if (turned && (w->stride[0] != w->stride[1] || w->stride[0] > 8 ||
                   rp_onnx_attr(n->onnx, "output_shape").there))
        return rp_nn_cannot_node(l->g, n, "strides that differ, or above 8");
    return 0;
}

/* The source; of what is stored twice, the copy that is multiplied. */
static int source_of(struct rp_nn_lower *l, const struct rp_nn_node *n, struct rp_nn_view *x)
{
    const struct rp_nn_view none = {.buffer = -1};
    const bool before = l->half_now;
    struct rp_nn_view copy;

    RP_CHECK(rp_nn_input(l, n, 0, x));
    if (!l->twice[n->in[0]])
        return 0;
    l->half_now = true;
    const int ret = rp_nn_eltwise(l, *x, none, RP_ELT_FIRST, 0, NULL, &copy);
    l->half_now = before;
    if (ret >= 0)
        *x = copy;
    return ret;
}

int rp_nn_lower_conv(struct rp_nn_lower *l, struct rp_nn_node *n)
{
    int ret;
    float *made = NULL;
    struct rp_nn_view x;
    struct rp_nn_window w = {0};
    struct rp_nn_conv c = rp_nn_conv_new(n);

    RP_CHECK(source_of(l, n, &x));
    RP_CHECK(rp_nn_as_nchw(l, &x, &c.src));
    RP_CHECK(kernel_of(l, n, &c, &w));
    if (x.rank != rp_nn_in(l->g, n, 1)->rank || !rp_nn_window_of(n, x.rank - 2, &c.src, &w))
        return rp_nn_cannot_node(l->g, n, "strides, dilations or pads that are not known");
    for (int i = 0; i < 2; i++) {
        w.begin[i] += (int) n->pad[i];
        w.end[i] += (int) n->pad[i + 2];
    }
    RP_CHECK(check_conv(l, n, &c, &w));
    rp_nn_conv_window(&c.op, &w);
    c.op.pad_mode = n->pad_mode;
    c.op.up = n->up;
    c.op.shuffle = n->shuffle;
    c.op.shuffle_order = n->shuffle_order;
    if (n->kind == RP_NN_CONV_TRANSPOSE)
        RP_CHECK(turn(l, &c, &w, &made));
    ret = finish_conv(l, n, &c);
    free(made);
    return ret < 0 ? ret : rp_nn_drop_weights(l, n->in[1]);
}

/* ---- Gemm ------------------------------------------------------------------------------------ */

/* B as [out][in], times alpha; C, times beta, as a bias. */
struct gemm {
    float *weights, *bias;
    int in, out;
};

static int gemm_weights(struct rp_nn_lower *l, const struct rp_nn_node *n, struct gemm *m)
{
    const float *b;
    const bool matmul = n->kind == RP_NN_MATMUL;
    const bool rows = !matmul && rp_onnx_attr_int(n->onnx, "transB", 0) != 0;
    const float alpha = matmul ? 1 : rp_onnx_attr_float(n->onnx, "alpha", 1);
    const struct rp_nn_value *const v = rp_nn_in(l->g, n, 1);

    RP_CHECK(rp_nn_constant_floats(l, n, 1, &b));
    if (!b || v->rank != 2 || v->dim[0] > INT32_MAX || v->dim[1] > INT32_MAX ||
        v->count > INT32_MAX)
        return rp_nn_cannot_node(l->g, n, "a matrix that is not constant");
    m->out = (int) v->dim[rows ? 0 : 1];
    m->in = (int) v->dim[rows ? 1 : 0];
    if (m->in < 1 || m->out < 1)
        return rp_nn_cannot_node(l->g, n, "an empty matrix");
    m->weights = malloc((size_t) v->count * sizeof(float));
    m->bias = calloc((size_t) m->out, sizeof(float));
    if (!m->weights || !m->bias)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    for (int k = 0; k < m->out; k++)
        for (int i = 0; i < m->in; i++) {
            const size_t at = rows ? (size_t) k * (size_t) m->in + (size_t) i
                                   : (size_t) i * (size_t) m->out + (size_t) k;

            m->weights[(size_t) k * (size_t) m->in + (size_t) i] = alpha * b[at];
        }
    return 0;
}

static int gemm_bias(struct rp_nn_lower *l, const struct rp_nn_node *n, struct gemm *m)
{
    const float *c;
    const float beta = rp_onnx_attr_float(n->onnx, "beta", 1);
    const struct rp_nn_value *const v = n->kind == RP_NN_GEMM ? rp_nn_in(l->g, n, 2) : NULL;

    if (!v)
        return 0;
    RP_CHECK(rp_nn_constant_floats(l, n, 2, &c));
    if (!c || v->rank > 2 ||
        (v->count != 1 && (v->count != m->out || v->dim[v->rank - 1] != m->out)))
        return rp_nn_cannot_node(l->g, n, "a C that is not one row of constants");
    for (int k = 0; k < m->out; k++)
        m->bias[k] = beta * c[v->count == 1 ? 0 : k];
    return 0;
}

/* A picture whose pixels were joined to one row: then the matrix is a kernel of the picture's size,
 * and nothing need be copied. */
static bool flattened(struct rp_nn_lower *l, const struct rp_nn_node *n, struct rp_nn_view *x)
{
    const struct rp_nn_value *const v = rp_nn_in(l->g, n, 0);
    const struct rp_nn_node *const m = v->maker >= 0 ? &l->g->node[v->maker] : NULL;
    const struct rp_nn_value *const from = m && m->nin > 0 ? rp_nn_in(l->g, m, 0) : NULL;
    struct rp_nn_view view = *x;

    if (!from || (m->kind != RP_NN_FLATTEN && m->kind != RP_NN_RESHAPE) || from->rank != 4 ||
        from->count != v->count || from->dim[0] != v->dim[0] || from->dim[2] * from->dim[3] < 2 ||
        from->dim[2] > 64 || from->dim[3] > 64 || l->view[m->in[0]].buffer < 0)
        return false;
    struct rp_nn_act act;
    struct rp_nn_parts parts;
    view = l->view[m->in[0]];
    rp_nn_parts_nchw(4, &parts);
    if (!rp_nn_as_act(&view, &parts, &act))
        return false;
    *x = view;
    return true;
}

static int lower_gemm(struct rp_nn_lower *l, struct rp_nn_node *n, const struct gemm *m)
{
    struct rp_nn_view x, y;
    struct rp_nn_act add;
    struct rp_nn_parts parts;
    struct rp_nn_conv c = rp_nn_conv_new(n);
    const struct rp_nn_value *const out = rp_nn_out(l->g, n, 0);

    RP_CHECK(rp_nn_input(l, n, 0, &x));
    if (x.rank != 2 || !out || out->rank != 2 || rp_onnx_attr_int(n->onnx, "transA", 0) ||
        x.dim[1] != m->in || out->dim[0] != x.dim[0] || out->dim[1] != m->out ||
        (n->scale && n->channels != m->out))
        return rp_nn_cannot_node(l->g, n, "matrices that do not fit");
    if (flattened(l, n, &x)) {
        c.op.kh = (int) x.dim[2];
        c.op.kw = (int) x.dim[3];
    }
    RP_CHECK(rp_nn_as_nchw(l, &x, &c.src));
    c.weights = m->weights;
    c.bias = m->bias;
    c.out = m->out;
    rp_nn_parts_nchw(2, &parts);
    RP_CHECK(residual_act(l, n, &parts, &add));
    RP_CHECK(rp_nn_fresh_nchw(l, 2, out->dim, &y));
    RP_CHECK(rp_nn_as(l, &y, &parts, &c.dst));
    RP_CHECK(rp_nn_conv_emit(l, n, &c, &add));
    return rp_nn_result(l, n, 0, &y);
}

/* ---- MatMul ---------------------------------------------------------------------------------- */

/* Rows of x times a constant matrix: all axes but the last are pixels. */
static int matmul_constant(struct rp_nn_lower *l, struct rp_nn_node *n, const struct gemm *m)
{
    struct rp_nn_view x, y;
    struct rp_nn_parts parts;
    struct rp_nn_conv c = rp_nn_conv_new(n);
    const struct rp_nn_value *const out = rp_nn_out(l->g, n, 0);
    int order[RP_NN_RANK];

    RP_CHECK(rp_nn_input(l, n, 0, &x));
    if (x.rank < 2 || x.dim[x.rank - 1] != m->in || !out || out->rank != x.rank ||
        out->dim[x.rank - 1] != m->out)
        return rp_nn_cannot_node(l->g, n, "matrices that do not fit");
    rp_nn_order(x.rank, false, order);
    for (int i = 0; i < x.rank; i++) {
        parts.order[i] = order[i];
        parts.part[i] = i == x.rank - 1 ? 3 : 2;
    }
    parts.rank = x.rank;
    RP_CHECK(rp_nn_as(l, &x, &parts, &c.src));
    RP_CHECK(rp_nn_fresh(l, out->rank, out->dim, order, &y));
    RP_CHECK(rp_nn_as(l, &y, &parts, &c.dst));
    c.weights = m->weights;
    c.out = m->out;
    RP_CHECK(rp_nn_conv_emit(l, n, &c, NULL));
    return rp_nn_result(l, n, 0, &y);
}

/* A matrix of the last two axes; batch and heads are the ones before. The last axis, or with
 * `turnable` the one before it, must be the innermost in memory. */
static int matrix_of(struct rp_nn_lower *l, struct rp_nn_view *v, bool turnable,
                     struct rp_net_matrix *out, int *rows)
{
    for (int turn = 0; turn <= 1; turn++) {
        const int inner = 3 - turn, outer = 2 + turn;
        bool ok = (v->dim[inner] == 1 || v->step[inner] == 1) && v->at % 8 == 0 &&
                  (turn == 0 || turnable);

        for (int i = 0; i < 4; i++)
            ok &= i == inner || v->dim[i] == 1 || (v->step[i] >= 0 && v->step[i] % 8 == 0);
        ok &=
            v->dim[outer] == 1 || (v->step[outer] >= v->dim[inner] && v->step[outer] <= INT32_MAX);
        if (!ok)
            continue;
        *out = (struct rp_net_matrix){.ld = v->dim[outer] == 1 ? (int) RP_ACT_ROUND(v->dim[inner])
                                                               : (int) v->step[outer],
                                      .by_batch = v->dim[0] == 1 ? 0 : v->step[0],
                                      .by_head = v->dim[1] == 1 ? 0 : v->step[1]};
        *rows = turn;
        return 0;
    }
    struct rp_nn_view copy;
    RP_CHECK(rp_nn_copied(l, v, (const int[]){0, 1, 2, 3}, &copy));
    *v = copy;
    return matrix_of(l, v, turnable, out, rows); // NOLINT(misc-no-recursion): a dense one does
}

static int matmul_views(struct rp_nn_lower *l, struct rp_nn_node *n, struct rp_nn_view *a,
                        struct rp_nn_view *b, float scale, struct rp_nn_view *y)
{
    int unused, b_rows;
    struct rp_net_matrix ma, mb, my;
    const int64_t batch = a->dim[0], heads = a->dim[1];

    RP_CHECK(rp_nn_as_float32(l, a)); /* all three have one type */
    RP_CHECK(rp_nn_as_float32(l, b));
    RP_CHECK(matrix_of(l, a, false, &ma, &unused));
    RP_CHECK(matrix_of(l, b, true, &mb, &b_rows));
    RP_CHECK(matrix_of(l, y, false, &my, &unused));
    struct rp_op_net_matmul *const op = &rp_nn_begin(l, RP_NN_OP_net_matmul)->net_matmul;
    *op = (struct rp_op_net_matmul){.a = ma,
                                    .b = mb,
                                    .dst = my,
                                    .type = RP_ACT_F32,
                                    .batch = (int) batch,
                                    .heads = (int) heads,
                                    .rows = (int) a->dim[2],
                                    .columns = (int) b->dim[3],
                                    .depth = (int) a->dim[3],
                                    .b_rows = b_rows,
                                    .scale = scale};
    rp_nn_put_number(l, RP_NN_AT(net_matmul, a), a->buffer, a->at);
    rp_nn_put_number(l, RP_NN_AT(net_matmul, b), b->buffer, b->at);
    rp_nn_put_number(l, RP_NN_AT(net_matmul, dst), y->buffer, y->at);
    RP_CHECK(rp_nn_then(l, &n->tail, &op->then, RP_NN_AT(net_matmul, then)));
    return rp_nn_emit(l);
}

/* scale * a * b, of rank 2 to 4; the result, of rank 4, is made. */
static int multiply(struct rp_nn_lower *l, struct rp_nn_node *n, struct rp_nn_view a,
                    struct rp_nn_view b, float scale, struct rp_nn_view *y)
{
    if (a.rank < 2 || b.rank < 2 || !rp_nn_raise(&a, 4) || !rp_nn_raise(&b, 4) ||
        a.dim[0] != b.dim[0] || a.dim[1] != b.dim[1] || a.dim[3] != b.dim[2] ||
        rp_nn_count(&a) < 1 || rp_nn_count(&b) < 1)
        return rp_nn_cannot_node(l->g, n, "matrices that do not fit");
    const int64_t dim[] = {a.dim[0], a.dim[1], a.dim[2], b.dim[3]};
    l->half_now = false;
    RP_CHECK(rp_nn_fresh(l, 4, dim, (const int[]){0, 1, 2, 3}, y));
    return matmul_views(l, n, &a, &b, scale, y);
}

int rp_nn_lower_matmul(struct rp_nn_lower *l, struct rp_nn_node *n)
{
    int ret;
    struct gemm m = {0};
    struct rp_nn_view a, b, y;
    const struct rp_nn_value *const out = rp_nn_out(l->g, n, 0);

    RP_CHECK(rp_nn_input(l, n, 0, &a));
    RP_CHECK(rp_nn_input(l, n, 1, &b));
    if (b.rank == 2 && l->plan->buffer[b.buffer].memory == RP_NN_WEIGHTS) {
        ret = gemm_weights(l, n, &m);
        if (ret >= 0)
            ret = matmul_constant(l, n, &m);
        free(m.weights);
        free(m.bias);
        return ret;
    }
    if (!out || out->rank > 4)
        return rp_nn_cannot_node(l->g, n, "matrices that do not fit");
    RP_CHECK(multiply(l, n, a, b, 1, &y));
    RP_CHECK(rp_nn_reshaped(l, &y, out->rank, out->dim));
    return rp_nn_result(l, n, 0, &y);
}

/* ---- Gemm ------------------------------------------------------------------------------------ */

/* Is it one matrix of constants, and C one row of them? */
static bool is_layer(const struct rp_nn_lower *l, const struct rp_nn_node *n)
{
    const struct rp_nn_value *const b = rp_nn_in(l->g, n, 1), *const c = rp_nn_in(l->g, n, 2),
                                    *const y = rp_nn_out(l->g, n, 0);

    return b && y && b->constant && !rp_onnx_attr_int(n->onnx, "transA", 0) &&
           (!c || (c->constant &&
                   (c->count == 1 || (c->count == y->dim[1] && c->dim[c->rank - 1] == c->count))));
}

/* alpha A B + beta C of whatever is computed. */
static int any_gemm(struct rp_nn_lower *l, struct rp_nn_node *n)
{
    const float alpha = rp_onnx_attr_float(n->onnx, "alpha", 1),
                beta = rp_onnx_attr_float(n->onnx, "beta", 1);
    const struct rp_nn_view none = {.buffer = -1};
    struct rp_nn_node plain = *n;
    struct rp_nn_view a, b, c, y;

    plain.tail = (struct rp_nn_tail){.slopes = -1};
    RP_CHECK(rp_nn_input(l, n, 0, &a));
    RP_CHECK(rp_nn_input(l, n, 1, &b));
    if (a.rank != 2 || b.rank != 2 || n->scale || n->residual >= 0)
        return rp_nn_cannot_node(l->g, n, "matrices that do not fit");
    if (rp_onnx_attr_int(n->onnx, "transA", 0))
        rp_nn_transpose(&a, (const int[]){1, 0});
    if (rp_onnx_attr_int(n->onnx, "transB", 0))
        rp_nn_transpose(&b, (const int[]){1, 0});
    RP_CHECK(multiply(l, &plain, a, b, alpha, &y));
    RP_CHECK(rp_nn_reshaped(l, &y, 2, (const int64_t[]){a.dim[0], b.dim[1]}));
    if (rp_nn_in(l->g, n, 2)) {
        RP_CHECK(rp_nn_input(l, n, 2, &c));
        RP_CHECK(rp_nn_eltwise(l, c, none, RP_ELT_MUL, beta, NULL, &c));
        RP_CHECK(rp_nn_eltwise(l, y, c, RP_ELT_ADD, 0, &n->tail, &y));
    } else {
        RP_CHECK(rp_nn_eltwise(l, y, none, RP_ELT_FIRST, 0, &n->tail, &y));
    }
    return rp_nn_result(l, n, 0, &y);
}

int rp_nn_lower_gemm(struct rp_nn_lower *l, struct rp_nn_node *n)
{
    int ret;
    struct gemm m = {0};

    if (!is_layer(l, n))
        return any_gemm(l, n);
    ret = gemm_weights(l, n, &m);
    if (ret >= 0)
        ret = gemm_bias(l, n, &m);
    if (ret >= 0)
        ret = lower_gemm(l, n, &m);
    free(m.weights);
    free(m.bias);
    return ret < 0 ? ret : rp_nn_drop_weights(l, n->in[1]);
}

/* ---- per channel ----------------------------------------------------------------------------- */

/* Weights have the type of the source, but the scale is not rounded: it becomes out_scale, of each
 * row, and the weights ones. @param ones  memory for them */
static int scale_outside(struct rp_nn_lower *l, struct rp_nn_conv *c, float **ones)
{
    void *host;
    const size_t count = (size_t) c->out;

    if (rp_nn_type(l, c->src.buffer) == RP_ACT_F32)
        return 0;
    RP_CHECK(rp_nn_constant(l, (size_t) c->src.n * count * sizeof(float), &host, &c->out_scale));
    if (!(*ones = malloc((count + 1) * sizeof(float))))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++)
        (*ones)[i] = 1;
    for (int n = 0; n < c->src.n; n++)
        memcpy((float *) host + (size_t) n * count, c->weights, count * sizeof(float));
    c->weights = *ones;
    return 0;
}

/* Of more than two spatial axes all but the last become the height. */
static int flat_space(struct rp_nn_lower *l, struct rp_nn_view *v)
{
    int64_t rest = 1;

    if (v->rank < 5)
        return 0;
    for (int i = 2; i < v->rank - 1; i++)
        rest *= v->dim[i];
    return rp_nn_reshaped(l, v, 4,
                          (const int64_t[]){v->dim[0], v->dim[1], rest, v->dim[v->rank - 1]});
}

/* A depthwise convolution of one pixel: multiplies, adds, and does what follows, in one step. */
int rp_nn_lower_affine(struct rp_nn_lower *l, struct rp_nn_node *n)
{
    int ret;
    float *ones = NULL;
    struct rp_nn_view x, y, r;
    struct rp_nn_act add = {0};
    struct rp_nn_parts parts;
    struct rp_nn_conv c = rp_nn_conv_new(n);
    const struct rp_nn_value *const out = rp_nn_out(l->g, n, 0);

    RP_CHECK(rp_nn_input(l, n, 0, &x));
    if (!out || x.rank < 2 || x.dim[1] != n->channels)
        return rp_nn_cannot_node(l->g, n, "sizes that do not fit");
    RP_CHECK(flat_space(l, &x));
    rp_nn_parts_nchw(x.rank, &parts);
    RP_CHECK(rp_nn_as(l, &x, &parts, &c.src));
    if (n->residual >= 0) {
        RP_CHECK(rp_nn_value_view(l, n->residual, &r));
        RP_CHECK(flat_space(l, &r));
        RP_CHECK(rp_nn_as(l, &r, &parts, &add));
    }
    if (x.rank == out->rank)
        RP_CHECK(rp_nn_fresh_result(l, n, &y));
    else
        RP_CHECK(rp_nn_fresh_nchw(l, x.rank, x.dim, &y));
    RP_CHECK(rp_nn_as(l, &y, &parts, &c.dst));
    c.op.groups = c.out = c.src.c;
    c.weights = n->scale;
    c.scale = NULL;
    RP_CHECK(scale_outside(l, &c, &ones));
    ret = rp_nn_conv_emit(l, n, &c, &add);
    free(ones);
    if (ret >= 0 && x.rank != out->rank)
        ret = rp_nn_reshaped(l, &y, out->rank, out->dim);
    return ret < 0 ? ret : rp_nn_result(l, n, 0, &y);
}

/* ---- MODULATED ------------------------------------------------------------------------------- */

/* 1 / sqrt(sum over c of style^2 * q[out][c] + eps), q the sums of squares of the weights, over the
 * square of the node's scale: a fully connected layer. */
static int lengths(struct rp_nn_lower *l, const struct rp_nn_node *n, struct rp_nn_conv *c,
                   const struct rp_nn_view *style, const float *w, int taps)
{
    struct rp_nn_view length, vector = *style;
    struct rp_nn_node none = {.residual = -1, .also = -1, .tail = {.slopes = -1}};
    struct rp_nn_conv d = rp_nn_conv_new(&none);
    struct rp_nn_parts parts;
    const int in = c->src.c, out = c->out;
    float *const q = malloc(((size_t) out * (size_t) in + (size_t) out) * sizeof(float));
    int ret = q ? 0 : rp_fail(RP_ERR_NOMEM, "out of memory");

    for (int k = 0; q && k < out; k++) {
        const float scale = c->scale ? c->scale[k] : 1, by = scale != 0 ? 1 / (scale * scale) : 1;

        q[out * in + k] = n->eps * by;
        for (int i = 0; i < in; i++) {
            float sum = 0;

            for (int t = 0; t < taps; t++) {
                const float v =
                    w[((size_t) k * (size_t) in + (size_t) i) * (size_t) taps + (size_t) t];

                sum += v * v;
            }
            q[k * in + i] = sum * by;
        }
    }
    rp_nn_parts_nchw(2, &parts);
    if (ret >= 0)
        ret = rp_nn_as(l, &vector, &parts, &d.src);
    if (ret >= 0)
        ret = rp_nn_fresh_nchw(l, 2, (const int64_t[]){c->src.n, out}, &length);
    if (ret >= 0)
        ret = rp_nn_as(l, &length, &parts, &d.dst);
    d.weights = q;
    d.bias = q ? q + out * in : NULL;
    d.out = out;
    d.lengths = true;
    if (ret >= 0)
        ret = emit_linear(l, &none, &d);
    free(q);
    if (ret < 0)
        return ret;
    c->out_scale = length.buffer;
    c->out_scale_at = length.at;
    return 0;
}

/* [n][c] floats without gaps. */
static int style_of(struct rp_nn_lower *l, const struct rp_nn_node *n, int in, struct rp_nn_view *v)
{
    struct rp_nn_act act;

    RP_CHECK(rp_nn_input(l, n, 3, v));
    if (rp_nn_count(v) != in)
        return rp_nn_cannot_node(l->g, n, "a style that does not fit");
    RP_CHECK(rp_nn_as_float32(l, v));
    RP_CHECK(rp_nn_reshaped(l, v, 2, (const int64_t[]){1, in}));
    return rp_nn_as_nchw(l, v, &act);
}

/* Demodulated, the scale of the node is in the lengths but for its sign. */
static void sign_weights(const struct rp_nn_conv *c, float *w, size_t per, bool demodulate)
{
    for (int k = 0; c->scale && k < c->out; k++) {
        const float s = c->scale[k], by = !demodulate ? s : s > 0 ? 1.0f : s < 0 ? -1.0f : 0.0f;

        for (size_t i = 0; i < per; i++)
            w[(size_t) k * per + i] *= by;
    }
}

/* Scale the source in advance, where it is large: a pass over it takes less time than a convolution
 * that scales what it fetches. */
#define SCALED_PIXELS 256
static int scale_source(struct rp_nn_lower *l, const struct rp_nn_view *x,
                        const struct rp_nn_view *style, struct rp_nn_conv *c)
{
    struct rp_nn_view by = *style, scaled;
    const bool half = l->half_now;
    const int64_t dim[] = {1, c->src.c, 1, 1};

    RP_CHECK(rp_nn_reshaped(l, &by, 4, dim));
    l->half_now = rp_nn_type(l, x->buffer) == RP_ACT_F16;
    const int ret = rp_nn_eltwise(l, *x, by, RP_ELT_MUL, 0, NULL, &scaled);
    l->half_now = half;
    RP_CHECK(ret);
    return rp_nn_as_nchw(l, &scaled, &c->src);
}

static int modulated(struct rp_nn_lower *l, struct rp_nn_node *n, const struct rp_nn_view *x,
                     struct rp_nn_conv *c, float *w, const float *bias)
{
    struct rp_nn_view style;
    float *shift = NULL;
    int ret;
    const int taps = c->op.kh * c->op.kw;

    RP_CHECK(style_of(l, n, c->src.c, &style));
    if (n->demodulate)
        RP_CHECK(lengths(l, n, c, &style, w, taps));
    sign_weights(c, w, (size_t) c->src.c * (size_t) taps, n->demodulate);
    if (!(shift = calloc((size_t) c->out, sizeof(float))))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    for (int k = 0; k < c->out; k++)
        shift[k] =
            (bias ? bias[k] : 0) * (c->scale ? c->scale[k] : 1) + (c->shift ? c->shift[k] : 0);
    c->weights = w;
    c->bias = shift;
    c->scale = c->shift = NULL;
    if (c->src.h * c->src.w >= SCALED_PIXELS) {
        ret = scale_source(l, x, &style, c);
    } else {
        c->in_scale = style.buffer;
        c->in_scale_at = style.at;
        ret = 0;
    }
    if (ret >= 0)
        ret = finish_conv(l, n, c);
    free(shift);
    return ret;
}

int rp_nn_lower_modulated(struct rp_nn_lower *l, struct rp_nn_node *n)
{
    int ret;
    struct rp_nn_view x;
    struct rp_nn_window w = {0};
    struct rp_nn_conv c = rp_nn_conv_new(n);
    const float *weights, *bias = NULL;
    const struct rp_nn_value *const v = rp_nn_in(l->g, n, 1);

    RP_CHECK(rp_nn_input(l, n, 0, &x));
    RP_CHECK(rp_nn_as_nchw(l, &x, &c.src));
    RP_CHECK(rp_nn_constant_floats(l, n, 1, &weights));
    c.out = (int) RP_MIN(v->dim[1], INT32_MAX);
    w.kernel[0] = (int) RP_MIN(v->dim[3], INT32_MAX);
    w.kernel[1] = (int) RP_MIN(v->dim[4], INT32_MAX);
    if (!weights || x.rank != 4 || v->dim[2] != c.src.c || c.out < 1 || v->count > INT32_MAX ||
        !rp_nn_window_of(n, 2, &c.src, &w) || (n->scale && n->channels != c.out))
        return rp_nn_cannot_node(l->g, n, "weights or a window that do not fit");
    if (rp_nn_in(l->g, n, 2)) {
        RP_CHECK(rp_nn_constant_floats(l, n, 2, &bias));
        if (!bias || rp_nn_in(l->g, n, 2)->count != c.out)
            return rp_nn_cannot_node(l->g, n, "a bias that does not fit");
    }
    RP_CHECK(check_conv(l, n, &c, &w));
    rp_nn_conv_window(&c.op, &w);
    float *const own = malloc((size_t) RP_MAX(v->count, 1) * sizeof(float));
    if (!own)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    memcpy(own, weights, (size_t) v->count * sizeof(float));
    ret = modulated(l, n, &x, &c, own, bias);
    free(own);
    return ret < 0 ? ret : rp_nn_drop_weights(l, n->in[1]);
}
