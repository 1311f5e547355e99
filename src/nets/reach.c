/* One function for each operation. Sizes are those of the C operations (ops/net_core.h), which a
 * GPU's keep to. Numbers are checked before anything is computed from them: no product of two sizes
 * here leaves int64. */
#include "nets/reach.h"

#include <math.h>

#include "ops/net_core.h"

#define MOST INT32_MAX   /* of a size; also of a tensor's numbers */
#define WINDOW (1 << 20) /* of what positions are made of: positions stay within int */
#define POSITION (1 << 29)

struct reaches {
    struct rp_nn_reach *r;
    int n;
    bool bad;
    unsigned given;
};

/* ---- sizes ----------------------------------------------------------------------------------- */

static void want(struct reaches *s, bool right)
{
    s->bad |= !right;
}

static bool within(int64_t v, int64_t lo, int64_t hi)
{
    return v >= lo && v <= hi;
}

/* Their product; 0, and bad, if it is more than a tensor may have. */
static int64_t times(struct reaches *s, int64_t a, int64_t b)
{
    const bool right = within(a, 0, MOST) && within(b, 0, MOST) && a * b <= MOST;

    want(s, right);
    return right ? a * b : 0;
}

/* Bytes of a number in a copy, which knows all types; 0: there is none. */
static int64_t size_of_any(int type)
{
    switch (type) {
    case RP_ACT_F64:
    case RP_ACT_I64:
        return 8;
    case RP_ACT_F32:
    case RP_ACT_I32:
        return 4;
    case RP_ACT_F16:
        return 2;
    case RP_ACT_BOOL:
        return 1;
    default:
        return 0;
    }
}

static int64_t size_of(struct reaches *s, int type)
{
    want(s, type == RP_ACT_F32 || type == RP_ACT_F16);
    return type == RP_ACT_F16 ? 2 : 4;
}

/* ---- pointers -------------------------------------------------------------------------------- */

static bool is_given(const struct reaches *s)
{
    return s->given >> s->n & 1;
}

static void add(struct reaches *s, struct rp_nn_reach r)
{
    if (s->n < RP_NN_MAX_REACH)
        s->r[s->n++] = r;
    else
        s->bad = true;
}

static void floats(struct reaches *s, size_t at, int64_t n, bool needed)
{
    want(s, within(n, 0, MOST));
    add(s, (struct rp_nn_reach){.at = at, .to = n * 4, .align = 4, .needed = needed});
}

static void work(struct reaches *s, size_t at, size_t bytes)
{
    want(s, bytes <= INT64_MAX / 2);
    add(s, (struct rp_nn_reach){
               .at = at, .to = (int64_t) bytes, .align = 16, .needed = bytes > 0, .written = true});
}

/* A tensor at `at` in the arguments. One that is not there may have any sizes. */
static void act(struct reaches *s, size_t at, const struct rp_act *t, bool needed, bool written)
{
    struct rp_nn_reach r = {.at = at + offsetof(struct rp_act, data),
                            .align = 16,
                            .needed = needed,
                            .written = written};

    if (needed || is_given(s)) {
        const int64_t size = size_of(s, t->type);

        want(s, t->n >= 1 && t->h >= 1 && t->w >= 1 && t->c >= 1 && t->ld >= 1 && t->ld % 8 == 0 &&
                    t->c <= t->ld);
        const int64_t pixels = times(s, times(s, t->n, t->h), t->w);
        times(s, pixels, t->ld);
        if (!s->bad)
            r.to = ((pixels - 1) * t->ld + RP_ACT_ROUND(t->c)) * size;
    }
    add(s, r);
}

/* One whose sizes are each t's or 1. */
static void wide_act(struct reaches *s, size_t at, const struct rp_act *a, const struct rp_act *t,
                     bool needed)
{
    if (needed || is_given(s))
        want(s, (a->n == 1 || a->n == t->n) && (a->h == 1 || a->h == t->h) &&
                    (a->w == 1 || a->w == t->w) && (a->c == 1 || a->c == t->c));
    act(s, at, a, needed, false);
}

static void then(struct reaches *s, size_t at, const struct rp_net_then *t, int64_t channels)
{
    want(s, within(t->fn, 0, RP_FN_COUNT - 1));
    floats(s, at + offsetof(struct rp_net_then, slope), channels, t->fn == RP_FN_PRELU);
}

/* A second result, of dst's sizes. */
static void also(struct reaches *s, size_t at, const struct rp_net_also *a,
                 const struct rp_act *dst)
{
    if (is_given(s))
        want(s, a->to.n == dst->n && a->to.h == dst->h && a->to.w == dst->w && a->to.c == dst->c);
    act(s, at + offsetof(struct rp_net_also, to), &a->to, false, true);
    floats(s, at + offsetof(struct rp_net_also, scale), dst->c, false);
    floats(s, at + offsetof(struct rp_net_also, shift), dst->c, false);
    then(s, at + offsetof(struct rp_net_also, then), &a->then, dst->c);
}

#define AT(op, field) offsetof(struct rp_op_##op, field)

/* ---- operations ------------------------------------------------------------------------------ */

/* Positions of a window in a source: none leaves int. */
static void window(struct reaches *s, const int v[6], int64_t rows, int64_t columns)
{
    for (int i = 0; i < 6; i++) /* window, steps, spread */
        want(s, within(v[i], 1, WINDOW));
    want(s, rows * v[2] <= POSITION && columns * v[3] <= POSITION &&
                (int64_t) v[0] * v[4] <= POSITION && (int64_t) v[1] * v[5] <= POSITION);
}

static void conv_sizes(struct reaches *s, const struct rp_op_net_conv *a)
{
    want(s, within(a->shuffle, 1, 64) && within(a->groups, 1, MOST) && within(a->up, 1, 16) &&
                within(a->pad_top, -WINDOW, WINDOW) && within(a->pad_left, -WINDOW, WINDOW) &&
                within(a->pad_mode, 0, RP_PAD_REFLECT) && within(a->product, 0, RP_PRODUCT_FULL) &&
                within(a->shuffle_order, 0, RP_SHUFFLE_DCR) && a->dst.n == a->src.n);
    window(s, (const int[]){a->kh, a->kw, a->stride_h, a->stride_w, a->dilation_h, a->dilation_w},
           a->dst.h, a->dst.w);
    want(s, (int64_t) a->src.h * a->up <= POSITION && (int64_t) a->src.w * a->up <= POSITION);
    const int64_t out = times(s, a->dst.c, (int64_t) a->shuffle * a->shuffle);
    if (!s->bad)
        want(s, a->src.c % a->groups == 0 && out % a->groups == 0);
    times(s, times(s, times(s, a->kh, a->kw), out), RP_ACT_ROUND((int64_t) a->src.c));
    if (!s->bad)
        times(s, times(s, a->src.n, out), times(s, rp_conv_h(a), rp_conv_w(a)));
}

static void reach_net_conv(struct reaches *s, const struct rp_op_net_conv *a)
{
    act(s, AT(net_conv, src), &a->src, true, false);
    act(s, AT(net_conv, dst), &a->dst, true, true);
    conv_sizes(s, a);
    if (s->bad)
        return;
    const int out = rp_conv_out(a);
    add(s, (struct rp_nn_reach){.at = AT(net_conv, weights),
                                .align = 16,
                                .needed = true,
                                .to = (int64_t) rp_conv_pack_bytes(a->src.type, out, a->src.c,
                                                                   a->groups, a->kh, a->kw)});
    floats(s, AT(net_conv, bias), out, false);
    floats(s, AT(net_conv, in_scale), times(s, a->src.n, a->src.c), false);
    floats(s, AT(net_conv, out_scale), times(s, a->src.n, out), false);
    floats(s, AT(net_conv, post_scale), times(s, a->src.n, out), false);
    wide_act(s, AT(net_conv, add), &a->add, &a->dst, false);
    then(s, AT(net_conv, then), &a->then, out);
    also(s, AT(net_conv, also), &a->also, &a->dst);
    work(s, AT(net_conv, work), rp_conv_work(a));
}

/* What `from` says is kept within the span by whoever reads it. */
static void reach_net_linear(struct reaches *s, const struct rp_op_net_linear *a)
{
    act(s, AT(net_linear, src), &a->src, true, false);
    act(s, AT(net_linear, dst), &a->dst, true, true);
    want(s, a->src.type == RP_ACT_F32 && a->dst.type == RP_ACT_F32 && a->src.h == 1 &&
                a->src.w == 1 && a->dst.h == 1 && a->dst.w == 1 && a->span >= 1);
    if (s->bad)
        return;
    const int64_t parts = a->dst.n / a->src.n, outs = times(s, parts, a->dst.c);
    want(s, a->dst.n % a->src.n == 0 && (int64_t) a->span * 4 >= s->r[0].to);
    s->r[0].to = (int64_t) a->span * 4;
    add(s, (struct rp_nn_reach){.at = AT(net_linear, weights),
                                .align = 16,
                                .needed = true,
                                .to = 4 * times(s, outs, RP_ACT_ROUND((int64_t) a->src.c))});
    floats(s, AT(net_linear, bias), outs, false);
    want(s, !is_given(s) || a->dst.c % 8 == 0);
    floats(s, AT(net_linear, from), outs / 8, false);
    then(s, AT(net_linear, then), &a->then, a->dst.c);
}

static void matrix(struct reaches *s, size_t at, const struct rp_op_net_matmul *a,
                   const struct rp_net_matrix *m, int rows, int columns)
{
    const int64_t size = size_of(s, a->type);
    struct rp_nn_reach r = {.at = at + offsetof(struct rp_net_matrix, data),
                            .align = 16,
                            .needed = true,
                            .written = m == &a->dst};

    want(s, within(m->ld, 8, MOST) && m->ld % 8 == 0 && columns <= m->ld &&
                within(m->by_batch, 0, MOST) && within(m->by_head, 0, MOST) &&
                m->by_batch % 8 == 0 && m->by_head % 8 == 0);
    const int64_t last = times(s, a->batch - 1, m->by_batch) + times(s, a->heads - 1, m->by_head) +
                         times(s, rows - 1, m->ld) + columns;
    want(s, last <= MOST);
    r.to = last * size;
    add(s, r);
}

static void reach_net_matmul(struct reaches *s, const struct rp_op_net_matmul *a)
{
    want(s, a->batch >= 1 && a->heads >= 1 && a->rows >= 1 && a->columns >= 1 && a->depth >= 1);
    if (s->bad)
        return;
    const int64_t numbers = times(s, times(s, a->batch, a->heads), times(s, a->rows, a->columns));
    matrix(s, AT(net_matmul, a), a, &a->a, a->rows, a->depth);
    matrix(s, AT(net_matmul, b), a, &a->b, a->b_rows ? a->columns : a->depth,
           a->b_rows ? a->depth : a->columns);
    matrix(s, AT(net_matmul, dst), a, &a->dst, a->rows, a->columns);
    want(s, s->bad || numbers * size_of(s, a->type) <= s->r[s->n - 1].to); /* written once */
    then(s, AT(net_matmul, then), &a->then, 0);
    want(s, a->then.fn != RP_FN_PRELU);
}

static void reach_net_softmax(struct reaches *s, const struct rp_op_net_softmax *a)
{
    const int64_t size = size_of(s, a->type);

    want(s, a->rows >= 1 && a->count >= 1 && a->src_ld >= a->count && a->dst_ld >= a->count);
    if (s->bad)
        return;
    times(s, a->rows, a->src_ld);
    times(s, a->rows, a->dst_ld);
    const int64_t room = RP_MIN(((int64_t) a->count + 7) / 8 * 8, a->dst_ld);
    add(s, (struct rp_nn_reach){.at = AT(net_softmax, src),
                                .align = 16,
                                .needed = true,
                                .to = ((int64_t) (a->rows - 1) * a->src_ld + a->count) * size});
    add(s, (struct rp_nn_reach){.at = AT(net_softmax, dst),
                                .align = 16,
                                .needed = true,
                                .written = true,
                                .to = ((int64_t) (a->rows - 1) * a->dst_ld + room) * size});
}

static void reach_net_norm(struct reaches *s, const struct rp_op_net_norm *a)
{
    act(s, AT(net_norm, src), &a->src, true, false);
    act(s, AT(net_norm, dst), &a->dst, true, true);
    want(s, within(a->kind, 0, RP_NORM_RMS) && a->dst.n == a->src.n && a->dst.h == a->src.h &&
                a->dst.w == a->src.w && a->dst.c == a->src.c && a->style_ld >= 0);
    want(s, a->kind != RP_NORM_GROUP || (a->groups >= 1 && a->src.c % a->groups == 0));
    if (s->bad)
        return;
    const int64_t style = times(s, a->src.n - 1, a->style_ld) + a->src.c;
    floats(s, AT(net_norm, gamma), a->src.c, false);
    floats(s, AT(net_norm, beta), a->src.c, false);
    floats(s, AT(net_norm, scale), style, false);
    floats(s, AT(net_norm, shift), style, false);
    then(s, AT(net_norm, then), &a->then, a->src.c);
    wide_act(s, AT(net_norm, add), &a->add, &a->dst, false);
    also(s, AT(net_norm, also), &a->also, &a->dst);
    work(s, AT(net_norm, work), rp_norm_work(a));
}

static void reach_net_pool(struct reaches *s, const struct rp_op_net_pool *a)
{
    act(s, AT(net_pool, src), &a->src, true, false);
    act(s, AT(net_pool, dst), &a->dst, true, true);
    window(s, (const int[]){a->kh, a->kw, a->stride_h, a->stride_w, a->dilation_h, a->dilation_w},
           a->dst.h, a->dst.w);
    want(s, within(a->kind, 0, RP_POOL_MEAN) && a->dst.n == a->src.n && a->dst.c == a->src.c &&
                a->src.h <= POSITION && a->src.w <= POSITION &&
                within(a->pad_top, -WINDOW, WINDOW) && within(a->pad_left, -WINDOW, WINDOW) &&
                within(a->pad_bottom, -WINDOW, WINDOW) && within(a->pad_right, -WINDOW, WINDOW));
    also(s, AT(net_pool, also), &a->also, &a->dst);
}

static void reach_net_resize(struct reaches *s, const struct rp_op_net_resize *a)
{
    act(s, AT(net_resize, src), &a->src, true, false);
    act(s, AT(net_resize, dst), &a->dst, true, true);
    want(s, within(a->mode, 0, RP_RESIZE_CUBIC) &&
                within(a->coordinates, 0, RP_COORD_TF_HALF_PIXEL) &&
                within(a->nearest, 0, RP_NEAREST_CEIL) && a->dst.n == a->src.n &&
                a->dst.c == a->src.c && a->src.h <= WINDOW && a->src.w <= WINDOW &&
                a->scale_h > 1e-6f && a->scale_h < 1e6f && a->scale_w > 1e-6f &&
                a->scale_w < 1e6f && isfinite(a->cubic_a));
}

static void reach_net_eltwise(struct reaches *s, const struct rp_op_net_eltwise *a)
{
    wide_act(s, AT(net_eltwise, a), &a->a, &a->dst, true);
    wide_act(s, AT(net_eltwise, b), &a->b, &a->dst, false);
    if (is_given(s))
        want(s, a->low.n == a->dst.n && a->low.c == a->dst.c && a->low.h >= 1 && a->low.w >= 1 &&
                    a->dst.h % a->low.h == 0 && a->dst.w % a->low.w == 0);
    act(s, AT(net_eltwise, low), &a->low, false, false);
    act(s, AT(net_eltwise, dst), &a->dst, true, true);
    want(s, within(a->op, 0, RP_ELT_COUNT - 1));
    then(s, AT(net_eltwise, then), &a->then, a->dst.c);
    also(s, AT(net_eltwise, also), &a->also, &a->dst);
}

/* Bytes that a side of a copy touches, before and behind its address. What is written is written
 * once. */
static void copied(struct reaches *s, size_t at, const int *size, const int64_t *step, int type,
                   int zeros, int64_t count, bool written)
{
    const int64_t each = size_of_any(type);
    struct rp_nn_reach r = {
        .at = at, .align = RP_MAX((int) each, 1), .needed = true, .written = written};

    for (int i = 0; i < RP_NET_AXES; i++) {
        want(s, size[i] >= 1 && within(step[i], -(int64_t) MOST, MOST));
        const int64_t far = times(s, size[i] - 1, step[i] < 0 ? -step[i] : step[i]);

        *(step[i] < 0 ? &r.from : &r.to) += step[i] < 0 ? -far * each : far * each;
    }
    r.to += each;
    want(s, each > 0);
    want(s, !written || count * each <= r.to - r.from);
    r.to += zeros * each;
    add(s, r);
}

static void reach_net_copy(struct reaches *s, const struct rp_op_net_copy *a)
{
    int64_t count = 1;

    want(s, within(a->zeros, 0, 7));
    for (int i = 0; i < RP_NET_AXES; i++)
        count = times(s, count, a->size[i]);
    copied(s, AT(net_copy, src), a->size, a->src_step, a->src_type, 0, count, false);
    copied(s, AT(net_copy, dst), a->size, a->dst_step, a->dst_type, a->zeros, count, true);
}

static void reach_net_pad(struct reaches *s, const struct rp_op_net_pad *a)
{
    act(s, AT(net_pad, src), &a->src, true, false);
    act(s, AT(net_pad, dst), &a->dst, true, true);
    want(s, within(a->top, -POSITION, POSITION) && within(a->left, -POSITION, POSITION) &&
                within(a->front, -POSITION, POSITION) && within(a->mode, 0, RP_PAD_REFLECT) &&
                a->dst.n == a->src.n && a->src.h <= POSITION && a->src.w <= POSITION &&
                a->src.c <= POSITION && a->dst.h <= POSITION && a->dst.w <= POSITION &&
                a->dst.c <= POSITION);
}

static bool is_joined(int from, int to)
{
    return to == 1 || to == from;
}

static void reach_net_reduce(struct reaches *s, const struct rp_op_net_reduce *a)
{
    act(s, AT(net_reduce, src), &a->src, true, false);
    act(s, AT(net_reduce, dst), &a->dst, true, true);
    want(s, within(a->kind, 0, RP_REDUCE_L2) && a->dst.n == a->src.n &&
                is_joined(a->src.h, a->dst.h) && is_joined(a->src.w, a->dst.w) &&
                is_joined(a->src.c, a->dst.c));
    then(s, AT(net_reduce, then), &a->then, a->dst.c);
}

static void reach_net_sample(struct reaches *s, const struct rp_op_net_sample *a)
{
    act(s, AT(net_sample, src), &a->src, true, false);
    act(s, AT(net_sample, grid), &a->grid, true, false);
    act(s, AT(net_sample, dst), &a->dst, true, true);
    want(s, within(a->dims, 2, 3) && a->depth >= 1 && within(a->mode, 0, RP_SAMPLE_CUBIC) &&
                within(a->outside, 0, RP_OUTSIDE_REFLECT) && a->grid.n == a->dst.n &&
                a->grid.h == a->dst.h && a->grid.w == a->dst.w && a->grid.c == a->dims &&
                a->src.n == a->dst.n && a->src.c == a->dst.c && a->src.h <= WINDOW &&
                a->src.w <= WINDOW);
    want(s, s->bad || a->src.h % a->depth == 0);
}

static void reach_net_gather(struct reaches *s, const struct rp_op_net_gather *a)
{
    act(s, AT(net_gather, src), &a->src, true, false);
    act(s, AT(net_gather, index), &a->index, true, false);
    act(s, AT(net_gather, dst), &a->dst, true, true);
    want(s, a->src.c == a->dst.c && times(s, times(s, a->index.n, a->index.h), a->index.w) ==
                                        times(s, times(s, a->dst.n, a->dst.h), a->dst.w));
}

static void reach_net_columns(struct reaches *s, const struct rp_op_net_columns *a)
{
    act(s, AT(net_columns, src), &a->src, true, false);
    act(s, AT(net_columns, dst), &a->dst, true, true);
    window(s, (const int[]){1, a->kw, 1, 1, 1, a->dilation}, a->dst.h, a->dst.w);
    want(s, within(a->pad_left, -WINDOW, WINDOW) && within(a->pad_mode, 0, RP_PAD_REFLECT) &&
                a->src.w <= POSITION && a->src.n == a->dst.n && a->src.h == a->dst.h);
    want(s, times(s, a->kw, a->dst.c) == a->src.c);
    floats(s, AT(net_columns, bias), a->dst.c, false);
    wide_act(s, AT(net_columns, add), &a->add, &a->dst, false);
    then(s, AT(net_columns, then), &a->then, a->dst.c);
}

/* ---- the table ------------------------------------------------------------------------------- */

int rp_nn_reach(enum rp_nn_op op, const union rp_nn_args *args, unsigned given,
                struct rp_nn_reach out[RP_NN_MAX_REACH])
{
    struct reaches s = {.r = out, .given = given};

    switch ((int) op) {
#define REACH(name)                    \
    case RP_NN_OP_##name:              \
        reach_##name(&s, &args->name); \
        break;
        RP_NET_OPS(REACH)
#undef REACH
    default:
        return -1;
    }
    return s.bad ? -1 : s.n;
}

size_t rp_nn_args_size(enum rp_nn_op op)
{
    switch ((int) op) {
#define SIZE(name)        \
    case RP_NN_OP_##name: \
        return sizeof(struct rp_op_##name);
        RP_NET_OPS(SIZE)
#undef SIZE
    default:
        return 0;
    }
}

/* ---- a plan ---------------------------------------------------------------------------------- */

/* Bytes of a number of the file's; 0: it is of no type that a plan can have at its ends. */
static int size_of_end(int type)
{
    switch (type) {
    case RP_ONNX_DOUBLE:
    case RP_ONNX_INT64:
        return 8;
    case RP_ONNX_FLOAT:
    case RP_ONNX_INT32:
        return 4;
    case RP_ONNX_BOOL:
        return 1;
    default:
        return 0;
    }
}

/* Is the buffer inside its memory, whatever that is? */
static bool is_inside(const struct rp_nn_plan *p, const struct rp_nn_buffer *b)
{
    const bool input = b->memory == RP_NN_INPUT;
    const size_t all = b->memory == RP_NN_ARENA ? p->arena : p->weights;
    uint64_t bytes;

    if (b->memory == RP_NN_ARENA || b->memory == RP_NN_WEIGHTS)
        return b->bytes <= all && b->offset <= all - b->bytes && b->offset % 16 == 0;
    if ((!input && b->memory != RP_NN_OUTPUT) || b->index < 0 ||
        b->index >= (input ? p->ninputs : p->noutputs))
        return false;
    const struct rp_nn_shape *const shape = input ? &p->in[b->index] : &p->out[b->index];
    bytes = (uint64_t) size_of_end(shape->type);
    for (int d = 0; d < shape->rank; d++)
        bytes *= (uint64_t) shape->dim[d];
    return b->offset == 0 && b->bytes <= bytes;
}

static bool are_sizes(const struct rp_nn_shape *shape, int n)
{
    for (int i = 0; i < n; i++) {
        int64_t all = 1;

        if (!within(shape[i].rank, 0, RP_ONNX_MAX_RANK))
            return false;
        for (int d = 0; d < shape[i].rank; d++) {
            if (!within(shape[i].dim[d], 0, MOST) || all * shape[i].dim[d] > MOST)
                return false;
            all *= shape[i].dim[d];
        }
    }
    return true;
}

static bool is_fix_sound(const struct rp_nn_plan *p, const struct rp_nn_fix *f,
                         const struct rp_nn_reach *r)
{
    const struct rp_nn_buffer *const b = &p->buffer[f->buffer];

    if (r->written && b->memory != RP_NN_ARENA && b->memory != RP_NN_OUTPUT)
        return false;
    return is_inside(p, b) && within(f->bytes, 0, (int64_t) b->bytes) && f->bytes % r->align == 0 &&
           f->bytes + r->from >= 0 && r->to <= (int64_t) b->bytes - f->bytes;
}

/* Which pointers are filled in; false if something else is, or one twice. */
static bool find_given(const struct rp_nn_plan *p, const struct rp_nn_step *s,
                       const struct rp_nn_reach *r, int n, int fix_of[RP_NN_MAX_REACH],
                       unsigned *given)
{
    *given = 0;
    for (int k = 0; k < s->nfix; k++) {
        int i = 0;

        while (i < n && r[i].at != s->fix[k].at)
            i++;
        if (i == n || (*given >> i & 1) || !within(s->fix[k].buffer, 0, p->nbuffers - 1))
            return false;
        *given |= 1u << i;
        fix_of[i] = k;
    }
    return true;
}

static bool is_step_sound(const struct rp_nn_plan *p, const struct rp_nn_step *s)
{
    unsigned given;
    int fix_of[RP_NN_MAX_REACH];
    struct rp_nn_reach r[RP_NN_MAX_REACH];
    int n = rp_nn_reach(s->op, &s->args, 0, r);

    if (n < 0 || !within(s->nfix, 0, RP_NN_MAX_FIX) || !find_given(p, s, r, n, fix_of, &given))
        return false;
    n = rp_nn_reach(s->op, &s->args, given, r);
    for (int i = 0; i < n; i++)
        if (given >> i & 1 ? !is_fix_sound(p, &s->fix[fix_of[i]], &r[i]) : r[i].needed)
            return false;
    return n >= 0;
}

bool rp_nn_plan_is_sound(const struct rp_nn_plan *p)
{
    bool sound = within(p->ninputs, 0, RP_ARRAY_LEN(p->in)) &&
                 within(p->noutputs, 0, RP_ARRAY_LEN(p->out)) && p->arena <= INT64_MAX / 2 &&
                 p->weights <= INT64_MAX / 2;

    sound = sound && are_sizes(p->in, p->ninputs) && are_sizes(p->out, p->noutputs);
    for (int i = 0; sound && i < p->nsteps; i++)
        sound = is_step_sound(p, &p->step[i]);
    return sound;
}
