/* Convolutions of volumes (rank 5), frame by frame: a kernel of several frames is as many kernels
 * of one, whose sums are added up where the result is. Frames before the first and after the last
 * one are zeros that are copied there, so that each kernel sees as many frames as the result has.
 */
#include "nets/lower_conv.h"
#include "onnx/attr.h"

#define MAX_FRAMES 4096 /* steps for a node, where frames cannot be done together */

struct volume {
    struct rp_nn_conv conv;
    int frames, stride, dilation; /* of the kernel */
    int begin, end;               /* zeros */
};

static int64_t third(const struct rp_nn_node *n, const char *name, int i, int64_t absent)
{
    const struct rp_onnx_attr a = rp_onnx_attr(n->onnx, name);

    return a.there ? (i < a.nints ? a.ints[i] : -1) : absent;
}

/* Strides, dilations and pads along the depth. */
static bool depth_of(const struct rp_nn_node *n, struct volume *v)
{
    const struct rp_onnx_attr same = rp_onnx_attr(n->onnx, "auto_pad");
    const int64_t each[] = {third(n, "strides", 0, 1), third(n, "dilations", 0, 1),
                            third(n, "pads", 0, 0), third(n, "pads", 3, 0)};

    for (int i = 0; i < 4; i++)
        if (each[i] < (i < 2) || each[i] > 1 << 10)
            return false;
    v->stride = (int) each[0];
    v->dilation = (int) each[1];
    v->begin = (int) each[2];
    v->end = (int) each[3];
    return !same.there || rp_onnx_is(same.s, "NOTSET") || rp_onnx_is(same.s, "VALID");
}

static int set_up(struct rp_nn_lower *l, const struct rp_nn_node *n, const struct rp_nn_view *x,
                  struct volume *v)
{
    struct rp_nn_window win = {0};
    struct rp_nn_conv *const c = &v->conv;
    const struct rp_nn_value *const w = rp_nn_in(l->g, n, 1), *const b = rp_nn_in(l->g, n, 2),
                                    *const out = rp_nn_out(l->g, n, 0);
    const struct rp_nn_act frame = {.h = (int) x->dim[3], .w = (int) x->dim[4]};
    const int64_t groups = rp_onnx_attr_int(n->onnx, "group", 1);

    RP_CHECK(rp_nn_constant_floats(l, n, 1, &c->weights));
    if (!c->weights || w->rank != 5 || !out || out->rank != 5 || groups < 1 ||
        w->dim[1] * groups != x->dim[1] || w->dim[0] < 1 || w->dim[0] % groups || w->count < 1 ||
        w->count > INT32_MAX || (n->scale && n->channels != w->dim[0]))
        return rp_nn_cannot_node(l->g, n, "weights that are not constants, or do not fit");
    if (b) {
        RP_CHECK(rp_nn_constant_floats(l, n, 2, &c->bias));
        if (!c->bias || b->count != w->dim[0])
            return rp_nn_cannot_node(l->g, n, "a bias that is not constant, or does not fit");
    }
    v->frames = (int) w->dim[2];
    win.kernel[0] = (int) w->dim[3];
    win.kernel[1] = (int) w->dim[4];
    if (!depth_of(n, v) || !rp_nn_window_of(n, 3, &frame, &win))
        return rp_nn_cannot_node(l->g, n, "strides, dilations or pads that are not known");
    const int64_t room =
        x->dim[2] + v->begin + v->end - (int64_t) v->dilation * (v->frames - 1) - 1;
    if (room < 0 || out->dim[0] != x->dim[0] || out->dim[1] != w->dim[0] ||
        out->dim[2] != room / v->stride + 1 || out->dim[3] < 1 || out->dim[4] < 1 ||
        out->dim[3] != rp_nn_slide(frame.h, &win, 0) ||
        out->dim[4] != rp_nn_slide(frame.w, &win, 1))
        return rp_nn_cannot_node(l->g, n, "a result of unexpected size");
    c->out = (int) w->dim[0];
    c->op.groups = (int) groups;
    rp_nn_conv_window(&c->op, &win);
    return 0;
}

/* x with zeros before and behind its frames. */
static int padded(struct rp_nn_lower *l, const struct volume *v, struct rp_nn_view *x)
{
    static const int order[] = {0, 2, 3, 4, 1};
    const float zeros[8] = {0};
    struct rp_nn_view whole, part, zero;
    int64_t dim[5];

    if (!v->begin && !v->end)
        return 0;
    memcpy(dim, x->dim, sizeof(dim));
    dim[2] += v->begin + v->end;
    RP_CHECK(rp_nn_fresh(l, 5, dim, order, &whole));
    for (int i = 0; i < 3; i++) {
        const int64_t from = i == 0 ? 0 : i == 1 ? v->begin : v->begin + x->dim[2];
        const int64_t count = i == 0 ? v->begin : i == 1 ? x->dim[2] : v->end;

        part = whole;
        rp_nn_slice(&part, 2, from, count, 1);
        if (!count)
            continue;
        if (i != 1) {
            rp_nn_flat(&zero, 5, (const int64_t[]){1, 1, 1, 1, 1});
            RP_CHECK(rp_nn_floats(l, zeros, 8, &zero.buffer));
            if (!rp_nn_expand(&zero, 5, part.dim))
                return rp_nn_cannot(l->g, "sizes that do not fit");
        }
        RP_CHECK(rp_nn_copy_view(l, i == 1 ? x : &zero, &part));
    }
    *x = whole;
    return 0;
}

/* One frame of the kernel over frames of x, into y or added to it. */
static int one_step(struct rp_nn_lower *l, const struct rp_nn_node *n, struct volume *v, int tap,
                    struct rp_nn_view *x, const struct rp_nn_view *y)
{
    static const struct rp_nn_parts parts = {5, {0, 2, 3, 4, 1}, {0, 0, 1, 2, 3}};
    struct rp_nn_node as = *n;
    struct rp_nn_conv c = v->conv;
    const bool last = tap == v->frames - 1;

    RP_CHECK(rp_nn_as(l, x, &parts, &c.src));
    if (!rp_nn_as_act(y, &parts, &c.dst))
        return rp_nn_cannot_node(l->g, n, "frames that do not lie together");
    if (!last) {
        as.tail = (struct rp_nn_tail){.slopes = -1};
        c.bias = c.shift = NULL;
    }
    as.residual = tap ? 0 : -1; /* what is there already, as `add` */
    as.residual_last = false;
    as.also = -1;
    return rp_nn_conv_emit(l, &as, &c, &c.dst);
}

/* Where frames follow each other one step does all of them. */
static int one_tap(struct rp_nn_lower *l, const struct rp_nn_node *n, struct volume *v, int tap,
                   const struct rp_nn_view *x, const struct rp_nn_view *y)
{
    const int64_t frames = y->dim[2], many = v->stride == 1 ? frames : 1;

    if (y->dim[0] * (frames / many) * v->frames > MAX_FRAMES)
        return rp_nn_cannot_node(l->g, n, "too many frames");
    for (int64_t row = 0; row < y->dim[0]; row++)
        for (int64_t at = 0; at < frames; at += many) {
            struct rp_nn_view from = *x, to = *y;

            rp_nn_slice(&from, 0, row, 1, 1);
            rp_nn_slice(&to, 0, row, 1, 1);
            rp_nn_slice(&from, 2, at * v->stride + (int64_t) tap * v->dilation, many, 1);
            rp_nn_slice(&to, 2, at, many, 1);
            RP_CHECK(one_step(l, n, v, tap, &from, &to));
        }
    return 0;
}

int rp_nn_lower_volume(struct rp_nn_lower *l, struct rp_nn_node *n)
{
    int ret = 0;
    struct rp_nn_view x, y;
    struct volume v = {.conv = rp_nn_conv_new(n)};
    const struct rp_nn_value *const out = rp_nn_out(l->g, n, 0);

    RP_CHECK(rp_nn_input(l, n, 0, &x));
    if (n->residual >= 0 || n->also >= 0 || rp_nn_count(&x) < 1)
        return rp_nn_cannot_node(l->g, n, "a sum of volumes");
    RP_CHECK(set_up(l, n, &x, &v));
    const float *const whole = v.conv.weights;
    const size_t per = (size_t) v.conv.op.kh * (size_t) v.conv.op.kw;
    const size_t rows = (size_t) v.conv.out * (size_t) (x.dim[1] / v.conv.op.groups);
    float *const part = malloc(rows * per * sizeof(float));
    if (!part)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    l->half_now = false; /* sums that are added up */
    ret = padded(l, &v, &x);
    if (ret >= 0)
        ret = rp_nn_fresh_nchw(l, 5, out->dim, &y);
    v.conv.weights = part;
    for (int tap = 0; ret >= 0 && tap < v.frames; tap++) {
        for (size_t i = 0; i < rows; i++)
            memcpy(part + i * per, whole + (i * (size_t) v.frames + (size_t) tap) * per,
                   per * sizeof(float));
        ret = one_tap(l, n, &v, tap, &x, &y);
    }
    free(part);
    return ret < 0 ? ret : rp_nn_result(l, n, 0, &y);
}
