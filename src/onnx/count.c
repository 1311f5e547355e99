/* The shapes of all values of a graph, and the cost of a run.
 *
 * One pass over the nodes, which an ONNX file lists in the order of their use. One function per
 * family of operators sets the shape of the first result (or of all); what it cannot work out stays
 * as the file states. */
#include "onnx/attr.h"
#include "onnx/impl.h"

#define MAX_NUMBERS 64 /* elements of integer tensors up to this many are followed */

struct shape {
    int rank; /* -1 = unknown */
    int64_t dim[RP_ONNX_MAX_RANK];
};

struct count {
    struct rp_onnx *o;
    struct rp_onnx_cost *cost;
};

static const struct shape unknown = {.rank = -1};

/* ---- values ---------------------------------------------------------------------------------- */

static struct rp_onnx_value *value(struct rp_onnx *o, const struct rp_onnx_node *n, int i, bool out)
{
    const int count = out ? n->nout : n->nin;
    const int *const list = out ? n->out : n->in;

    return i < count && list[i] >= 0 ? &o->value[list[i]] : NULL;
}

static struct rp_onnx_value *input(struct rp_onnx *o, const struct rp_onnx_node *n, int i)
{
    return value(o, n, i, false);
}

static struct shape shape_of(const struct rp_onnx_value *v)
{
    struct shape s = unknown;

    if (v) {
        s.rank = v->rank;
        memcpy(s.dim, v->dim, sizeof(s.dim));
    }
    return s;
}

static bool known(const struct shape *s)
{
    for (int i = 0; i < s->rank; i++)
        if (s->dim[i] < 0)
            return false;
    return s->rank >= 0;
}

/* A shape that was worked out replaces the file's only if it is complete. */
static void set_shape(struct rp_onnx_value *v, const struct shape *s)
{
    if (!v || v->weight || (!known(s) && v->rank >= 0))
        return;
    v->rank = s->rank;
    for (int i = 0; i < s->rank; i++)
        v->dim[i] = s->dim[i] >= 0 && s->dim[i] <= RP_ONNX_MAX_DIM ? s->dim[i] : -1;
}

static void set_numbers(struct rp_onnx_value *v, const int64_t *number, int n)
{
    if (!v || v->weight || n > MAX_NUMBERS)
        return;
    free(v->number);
    v->numbers = 0;
    v->number = malloc((size_t) RP_MAX(n, 1) * sizeof(*number));
    if (!v->number)
        return;
    if (n)
        memcpy(v->number, number, (size_t) n * sizeof(*number));
    v->numbers = n;
}

/* ---- elements of constants ------------------------------------------------------------------- */

/* Integers of a TensorProto; -1 if they cannot be read. */
static int tensor_numbers(const struct rp_onnx_tensor *t, int64_t *out)
{
    int n = 0;
    struct rp_field f;
    struct rp_wire w = rp_wire_over(t->message);
    const size_t size = t->type == RP_ONNX_INT64 ? 8 : 4;

    if (t->type != RP_ONNX_INT64 && t->type != RP_ONNX_INT32)
        return -1;
    if (t->raw.n) {
        if (t->raw.n / size > MAX_NUMBERS)
            return -1;
        for (n = 0; (size_t) n < t->raw.n / size; n++) {
            int32_t small;

            if (size == 8) {
                memcpy(&out[n], t->raw.p + 8 * n, 8);
            } else {
                memcpy(&small, t->raw.p + 4 * n, 4);
                out[n] = small;
            }
        }
        return n;
    }
    while (rp_wire_next(&w, &f))
        if (f.number == (size == 8 ? 7 : 5) && !rp_wire_ints(&f, out, MAX_NUMBERS, &n))
            return -1;
    return rp_onnx_elements(t->rank, t->dim) == (double) n ? n : -1;
}

/* Reals of a weight or of a Constant node; -1 if they cannot be read. */
static int floats(const struct rp_onnx_value *v, float *out)
{
    int n = 0;
    struct rp_field f;
    struct rp_wire w;
    struct rp_onnx_tensor made;
    const struct rp_onnx_tensor *t = v ? v->weight : NULL;

    if (!t && v && v->constant.n && rp_onnx_parse_tensor(v->constant, &made))
        t = &made;
    if (!t || t->type != RP_ONNX_FLOAT || t->raw.n / 4 > RP_ONNX_MAX_RANK)
        return -1;
    w = rp_wire_over(t->message);
    if (t->raw.n) {
        memcpy(out, t->raw.p, t->raw.n / 4 * 4);
        return (int) (t->raw.n / 4);
    }
    while (rp_wire_next(&w, &f))
        if (f.number == 4 && !rp_wire_floats(&f, out, RP_ONNX_MAX_RANK, &n))
            return -1;
    return n;
}

/* @return how many, -1 if they are not known */
static int numbers(const struct rp_onnx_value *v, int64_t *out)
{
    if (!v)
        return -1;
    if (v->weight)
        return tensor_numbers(v->weight, out);
    if (!v->number)
        return -1;
    memcpy(out, v->number, (size_t) v->numbers * sizeof(*out));
    return v->numbers;
}

/* Elements of a small tensor of reals, also of one that whole numbers were cast to; -1 if they are
 * not known. */
static int reals(const struct rp_onnx_value *v, float *out)
{
    const int read = floats(v, out);

    if (read >= 0 || !v)
        return read;
    if (v->reals) {
        memcpy(out, v->real, sizeof(v->real));
        return v->reals;
    }
    if (v->type != RP_ONNX_FLOAT || !v->number || v->numbers > RP_ONNX_MAX_RANK)
        return -1;
    for (int i = 0; i < v->numbers; i++)
        out[i] = (float) v->number[i];
    return v->numbers;
}

static void set_reals(struct rp_onnx_value *v, const float *real, int n)
{
    if (!v || v->weight || n > RP_ONNX_MAX_RANK)
        return;
    memcpy(v->real, real, (size_t) n * sizeof(*real));
    v->reals = n;
}

/* ---- attributes ------------------------------------------------------------------------------ */

/* The axes of an operator, from an attribute or, in newer files, an input; -1 if unknown. */
static int axes_of(struct rp_onnx *o, const struct rp_onnx_node *n, int in, int64_t *out)
{
    const struct rp_onnx_attr a = rp_onnx_attr(n, "axes");

    if (a.there) {
        memcpy(out, a.ints, (size_t) a.nints * sizeof(*out));
        return a.nints;
    }
    return input(o, n, in) ? numbers(input(o, n, in), out) : 0;
}

static bool axis_in(int64_t *axis, int rank)
{
    if (*axis < 0)
        *axis += rank;
    return *axis >= 0 && *axis < rank;
}

/* ---- shapes: same, broadcast ----------------------------------------------------------------- */

typedef struct shape shape_fn(struct rp_onnx *o, const struct rp_onnx_node *n);

static struct shape like_first(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    return shape_of(input(o, n, 0));
}

static struct shape broadcast_two(const struct shape *a, const struct shape *b)
{
    struct shape s = {.rank = RP_MAX(a->rank, b->rank)};

    if (a->rank < 0 || b->rank < 0)
        return unknown;
    for (int i = 0; i < s.rank; i++) {
        const int ia = i - (s.rank - a->rank), ib = i - (s.rank - b->rank);
        const int64_t da = ia < 0 ? 1 : a->dim[ia], db = ib < 0 ? 1 : b->dim[ib];

        s.dim[i] = da == 1 ? db : db == 1 || da == db ? da : RP_MAX(da, db);
        if ((da < 0 && db <= 1) || (db < 0 && da <= 1))
            s.dim[i] = -1;
    }
    return s;
}

/* Sums and products of sizes, as exporters write them. */
static void follow_arithmetic(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    int64_t a[MAX_NUMBERS], b[MAX_NUMBERS], r[MAX_NUMBERS];
    const int na = numbers(input(o, n, 0), a), nb = numbers(input(o, n, 1), b);
    const int count = RP_MAX(na, nb);

    if (n->nin != 2 || na < 1 || nb < 1 || (na != nb && na != 1 && nb != 1))
        return;
    for (int i = 0; i < count; i++) {
        const int64_t x = a[na == 1 ? 0 : i], y = b[nb == 1 ? 0 : i];
        bool bad = false;

        if (rp_onnx_is(n->op, "Add"))
            bad = __builtin_add_overflow(x, y, &r[i]);
        else if (rp_onnx_is(n->op, "Sub"))
            bad = __builtin_sub_overflow(x, y, &r[i]);
        else if (rp_onnx_is(n->op, "Mul"))
            bad = __builtin_mul_overflow(x, y, &r[i]);
        else if (rp_onnx_is(n->op, "Div") && y > 0)
            r[i] = x / y;
        else
            return;
        if (bad)
            return;
    }
    set_numbers(value(o, n, 0, true), r, count);
}

/* Quotients and products of sizes as reals. */
static void follow_factors(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    float a[RP_ONNX_MAX_RANK], b[RP_ONNX_MAX_RANK], r[RP_ONNX_MAX_RANK];
    const bool div = rp_onnx_is(n->op, "Div");
    const int na = n->nin == 2 ? reals(input(o, n, 0), a) : -1, nb = reals(input(o, n, 1), b);
    const struct rp_onnx_value *const out = value(o, n, 0, true);

    if ((!div && !rp_onnx_is(n->op, "Mul")) || na < 1 || nb < 1 ||
        (na != nb && na != 1 && nb != 1) || !out || out->type != RP_ONNX_FLOAT)
        return;
    for (int i = 0; i < RP_MAX(na, nb); i++) {
        const float x = a[na == 1 ? 0 : i], y = b[nb == 1 ? 0 : i];

        if (div && y == 0)
            return;
        r[i] = div ? x / y : x * y;
    }
    set_reals(value(o, n, 0, true), r, RP_MAX(na, nb));
}

static struct shape broadcast(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    struct shape s = shape_of(input(o, n, 0));

    for (int i = 1; i < n->nin; i++) {
        const struct shape other = shape_of(input(o, n, i));

        s = broadcast_two(&s, &other);
    }
    follow_arithmetic(o, n);
    follow_factors(o, n);
    return s;
}

/* Numbers pass unchanged (Identity, Cast, Squeeze, Unsqueeze). */
static void follow_first(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    int64_t v[MAX_NUMBERS];
    const int k = numbers(input(o, n, 0), v);

    if (k >= 0)
        set_numbers(value(o, n, 0, true), v, k);
}

static struct shape same_value(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    follow_first(o, n);
    return like_first(o, n);
}

/* ---- shapes: convolutions and pooling -------------------------------------------------------- */

struct window {
    int rank; /* spatial */
    int64_t kernel[RP_ONNX_MAX_RANK], stride[RP_ONNX_MAX_RANK], dilation[RP_ONNX_MAX_RANK];
    int64_t pad[2 * RP_ONNX_MAX_RANK], output_pad[RP_ONNX_MAX_RANK];
    bool same, ceil;
};

static void take_ints(const struct rp_onnx_node *n, const char *name, int64_t *to, int count)
{
    const struct rp_onnx_attr a = rp_onnx_attr(n, name);

    for (int i = 0; i < count && i < a.nints; i++)
        to[i] = RP_CLAMP(a.ints[i], 0, 1 << 20);
}

static struct window window_of(const struct rp_onnx_node *n, int rank)
{
    struct window w = {.rank = rank};
    const struct rp_onnx_attr pad = rp_onnx_attr(n, "auto_pad");

    for (int i = 0; i < rank; i++)
        w.kernel[i] = w.stride[i] = w.dilation[i] = 1;
    take_ints(n, "kernel_shape", w.kernel, rank);
    take_ints(n, "strides", w.stride, rank);
    take_ints(n, "dilations", w.dilation, rank);
    take_ints(n, "pads", w.pad, RP_MIN(2 * rank, RP_ONNX_MAX_ATTR));
    take_ints(n, "output_padding", w.output_pad, rank);
    for (int i = 0; i < rank; i++)
        w.stride[i] = RP_MAX(w.stride[i], 1);
    w.same = pad.there && pad.s.n > 4 && !memcmp(pad.s.p, "SAME", 4);
    w.ceil = rp_onnx_attr_int(n, "ceil_mode", 0) != 0;
    return w;
}

/* The spatial sizes that result when a window moves over them. */
static void slide(const struct window *w, struct shape *s)
{
    for (int i = 0; i < w->rank; i++) {
        int64_t *const d = &s->dim[i + 2];
        const int64_t span = w->dilation[i] * (w->kernel[i] - 1) + 1;
        int64_t room;

        if (*d < 0)
            continue;
        if (w->same) {
            *d = (*d + w->stride[i] - 1) / w->stride[i];
            continue;
        }
        room = *d + w->pad[i] + w->pad[i + w->rank] - span;
        if (room < 0)
            *d = -1;
        else
            *d = (room + (w->ceil ? w->stride[i] - 1 : 0)) / w->stride[i] + 1;
    }
}

static void unslide(const struct window *w, struct shape *s)
{
    for (int i = 0; i < w->rank; i++) {
        int64_t *const d = &s->dim[i + 2];
        const int64_t span = w->dilation[i] * (w->kernel[i] - 1) + 1;

        if (*d < 1)
            *d = -1;
        else if (w->same)
            *d *= w->stride[i];
        else
            *d =
                w->stride[i] * (*d - 1) + w->output_pad[i] + span - w->pad[i] - w->pad[i + w->rank];
        if (*d < 0 || *d > RP_ONNX_MAX_DIM)
            *d = -1;
    }
}

static struct shape pool(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    struct shape s = like_first(o, n);

    if (s.rank < 3)
        return unknown;
    const struct window w = window_of(n, s.rank - 2);
    slide(&w, &s);
    return s;
}

static struct shape global_pool(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    struct shape s = like_first(o, n);

    for (int i = 2; i < s.rank; i++)
        s.dim[i] = 1;
    return s;
}

/* The kernel's size is taken from the weight, whatever the attribute says or leaves out. */
static bool weigh(struct rp_onnx *o, const struct rp_onnx_node *n, struct shape *x, struct shape *w)
{
    *x = shape_of(input(o, n, 0));
    *w = shape_of(input(o, n, 1));
    return x->rank >= 3 && w->rank == x->rank && known(w);
}

static struct shape conv(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    struct shape s, w;
    struct window win;

    if (!weigh(o, n, &s, &w))
        return unknown;
    win = window_of(n, s.rank - 2);
    memcpy(win.kernel, w.dim + 2, (size_t) win.rank * sizeof(*w.dim));
    s.dim[1] = w.dim[0];
    slide(&win, &s);
    return s;
}

static struct shape conv_transpose(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    struct shape s, w;
    struct window win;
    const struct rp_onnx_attr given = rp_onnx_attr(n, "output_shape");
    const int64_t group = RP_CLAMP(rp_onnx_attr_int(n, "group", 1), 1, 1 << 20);

    if (!weigh(o, n, &s, &w))
        return unknown;
    win = window_of(n, s.rank - 2);
    memcpy(win.kernel, w.dim + 2, (size_t) win.rank * sizeof(*w.dim));
    s.dim[1] = w.dim[1] * group;
    unslide(&win, &s);
    for (int i = 0; i < win.rank && given.nints == win.rank; i++)
        s.dim[i + 2] = given.ints[i];
    return s;
}

/* ---- shapes: products ------------------------------------------------------------------------ */

static struct shape gemm(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    const struct shape a = shape_of(input(o, n, 0)), b = shape_of(input(o, n, 1));

    if (a.rank != 2 || b.rank != 2)
        return unknown;
    return (struct shape){
        2, {a.dim[rp_onnx_attr_int(n, "transA", 0) != 0], b.dim[rp_onnx_attr_int(n, "transB", 0) == 0]}};
}

static struct shape matmul(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    struct shape a = shape_of(input(o, n, 0)), b = shape_of(input(o, n, 1)), s;

    if (a.rank < 2 || b.rank < 2)
        return unknown; /* vectors: not in the networks used here */
    const int64_t m = a.dim[a.rank - 2], k = b.dim[b.rank - 1];
    a.rank -= 2;
    b.rank -= 2;
    s = broadcast_two(&a, &b);
    if (s.rank > RP_ONNX_MAX_RANK - 2)
        return unknown;
    s.dim[s.rank++] = m;
    s.dim[s.rank++] = k;
    return s;
}

/* ---- shapes: moving data --------------------------------------------------------------------- */

static void join_reals(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    int total = 0;
    float v[RP_ONNX_MAX_RANK], all[RP_ONNX_MAX_RANK];

    for (int i = 0; i < n->nin; i++) {
        const int k = reals(input(o, n, i), v);

        if (k < 0 || total + k > RP_ONNX_MAX_RANK)
            return;
        memcpy(all + total, v, (size_t) k * sizeof(*v));
        total += k;
    }
    set_reals(value(o, n, 0, true), all, total);
}

static struct shape concat(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    int total = 0;
    int64_t axis = rp_onnx_attr_int(n, "axis", 0), v[MAX_NUMBERS], all[MAX_NUMBERS];
    struct shape s = like_first(o, n);

    for (int i = 0; i < n->nin && total >= 0; i++) {
        const int k = numbers(input(o, n, i), v);

        if (k < 0 || total + k > MAX_NUMBERS) {
            total = -1;
            break;
        }
        memcpy(all + total, v, (size_t) k * sizeof(*v));
        total += k;
    }
    if (total > 0)
        set_numbers(value(o, n, 0, true), all, total);
    else
        join_reals(o, n);
    if (s.rank < 0 || !axis_in(&axis, s.rank))
        return unknown;
    for (int i = 1; i < n->nin; i++) {
        const struct shape x = shape_of(input(o, n, i));

        if (x.rank != s.rank)
            return unknown;
        s.dim[axis] = s.dim[axis] < 0 || x.dim[axis] < 0 ? -1 : s.dim[axis] + x.dim[axis];
        if (s.dim[axis] > RP_ONNX_MAX_DIM)
            return unknown;
    }
    return s;
}

static struct shape reshape(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    int k, open = -1;
    double rest;
    int64_t want[MAX_NUMBERS];
    struct shape s, x = like_first(o, n);
    const struct rp_onnx_attr a = rp_onnx_attr(n, "shape");

    k = a.there ? a.nints : numbers(input(o, n, 1), want);
    if (a.there)
        memcpy(want, a.ints, (size_t) k * sizeof(*want));
    follow_first(o, n);
    if (k < 0 || k > RP_ONNX_MAX_RANK)
        return unknown;
    s.rank = k;
    rest = rp_onnx_elements(x.rank, x.dim);
    for (int i = 0; i < k; i++) {
        s.dim[i] = i < x.rank && want[i] == 0 ? x.dim[i] : RP_MAX(want[i], -1);
        if (want[i] == -1)
            open = i;
        else if (rest > 0 && s.dim[i] > 0)
            rest /= (double) s.dim[i];
    }
    if (open >= 0)
        s.dim[open] = rest >= 1 && rest <= (double) RP_ONNX_MAX_DIM ? (int64_t) (rest + 0.5) : -1;
    return s;
}

static struct shape flatten(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    double a = 1, b = 1;
    int64_t axis = rp_onnx_attr_int(n, "axis", 1);
    const struct shape x = like_first(o, n);

    if (!known(&x) || (axis != x.rank && !axis_in(&axis, x.rank)))
        return unknown;
    for (int i = 0; i < x.rank; i++)
        *(i < axis ? &a : &b) *= (double) x.dim[i];
    if (a > (double) RP_ONNX_MAX_DIM || b > (double) RP_ONNX_MAX_DIM)
        return unknown;
    return (struct shape){2, {(int64_t) a, (int64_t) b}};
}

static struct shape transpose(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    const struct shape x = like_first(o, n);
    const struct rp_onnx_attr perm = rp_onnx_attr(n, "perm");
    struct shape s = x;

    for (int i = 0; i < x.rank; i++) {
        int64_t from = perm.there ? -1 : x.rank - 1 - i;

        if (perm.there && i < perm.nints)
            from = perm.ints[i];
        if (from < 0 || from >= x.rank)
            return unknown;
        s.dim[i] = x.dim[from];
    }
    return s;
}

static struct shape squeeze(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    int64_t axes[MAX_NUMBERS];
    int k = axes_of(o, n, 1, axes);
    unsigned drop = 0;
    const struct shape x = like_first(o, n);
    struct shape s = {0};

    follow_first(o, n);
    if (k < 0 || x.rank < 0)
        return unknown;
    for (int i = 0; i < k; i++)
        if (axis_in(&axes[i], x.rank))
            drop |= 1u << axes[i];
    for (int i = 0; i < x.rank; i++)
        if (k ? !(drop >> i & 1) : x.dim[i] != 1)
            s.dim[s.rank++] = x.dim[i];
    return s;
}

static struct shape unsqueeze(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    int64_t axes[MAX_NUMBERS];
    const int k = axes_of(o, n, 1, axes);
    unsigned add = 0;
    const struct shape x = like_first(o, n);
    struct shape s = {.rank = x.rank + k};

    follow_first(o, n);
    if (k < 0 || x.rank < 0 || s.rank > RP_ONNX_MAX_RANK)
        return unknown;
    for (int i = 0; i < k; i++)
        if (axis_in(&axes[i], s.rank))
            add |= 1u << axes[i];
    for (int i = 0, from = 0; i < s.rank; i++)
        s.dim[i] = add >> i & 1 || from >= x.rank ? 1 : x.dim[from++];
    return s;
}

struct cut {
    int n;
    int64_t start[MAX_NUMBERS], end[MAX_NUMBERS], axis[MAX_NUMBERS], step[MAX_NUMBERS];
};

static bool cuts_of(struct rp_onnx *o, const struct rp_onnx_node *n, struct cut *c)
{
    int naxes, nsteps;
    const struct rp_onnx_attr starts = rp_onnx_attr(n, "starts"), ends = rp_onnx_attr(n, "ends");

    if (starts.there) {
        c->n = RP_MIN(starts.nints, ends.nints);
        memcpy(c->start, starts.ints, sizeof(starts.ints));
        memcpy(c->end, ends.ints, sizeof(ends.ints));
    } else {
        c->n = numbers(input(o, n, 1), c->start);
        if (numbers(input(o, n, 2), c->end) != c->n)
            return false;
    }
    naxes = axes_of(o, n, 3, c->axis);
    nsteps = input(o, n, 4) ? numbers(input(o, n, 4), c->step) : 0;
    if (c->n < 0 || naxes < 0 || nsteps < 0 || (naxes && naxes != c->n) ||
        (nsteps && nsteps != c->n))
        return false;
    for (int i = naxes; i < c->n; i++)
        c->axis[i] = i;
    for (int i = nsteps; i < c->n; i++)
        c->step[i] = 1;
    return true;
}

/* How many of d places a slice keeps; -1 when it makes no sense. *start becomes the first. */
static int64_t cut_length(int64_t d, int64_t *start, int64_t end, int64_t step)
{
    if (d < 0 || step == 0 || step < -RP_ONNX_MAX_DIM || step > RP_ONNX_MAX_DIM)
        return -1;
    *start =
        RP_CLAMP(*start < 0 ? RP_MAX(*start, -d) + d : *start, 0, step > 0 ? d : RP_MAX(d - 1, 0));
    end = end < 0 ? RP_MAX(end, -d - 1) + d : RP_MIN(end, d);
    if (step > 0)
        return end > *start ? (end - *start + step - 1) / step : 0;
    return *start > end ? (*start - end - step - 1) / -step : 0;
}

static void follow_slice(struct rp_onnx *o, const struct rp_onnx_node *n, const struct cut *c)
{
    int64_t v[MAX_NUMBERS], r[MAX_NUMBERS];
    const int k = numbers(input(o, n, 0), v);
    int64_t start, length;

    if (k < 0 || c->n != 1 || c->axis[0] != 0)
        return;
    start = c->start[0];
    length = cut_length(k, &start, c->end[0], c->step[0]);
    for (int64_t i = 0; i < length; i++)
        r[i] = v[start + i * c->step[0]];
    if (length >= 0)
        set_numbers(value(o, n, 0, true), r, (int) length);
}

static struct shape slice(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    struct cut c;
    struct shape s = like_first(o, n);

    if (!cuts_of(o, n, &c))
        return unknown;
    follow_slice(o, n, &c);
    for (int i = 0; i < c.n; i++) {
        int64_t start = c.start[i];

        if (s.rank < 0 || !axis_in(&c.axis[i], s.rank))
            return unknown;
        s.dim[c.axis[i]] = cut_length(s.dim[c.axis[i]], &start, c.end[i], c.step[i]);
    }
    return s;
}

/* Sets all results but the first itself. */
static struct shape split(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    int64_t axis = rp_onnx_attr_int(n, "axis", 0), part[MAX_NUMBERS];
    const struct rp_onnx_attr a = rp_onnx_attr(n, "split");
    struct shape s = like_first(o, n), first = unknown;
    int k = a.nints;

    if (s.rank < 0 || !axis_in(&axis, s.rank) || n->nout < 1)
        return unknown;
    if (a.there)
        memcpy(part, a.ints, sizeof(a.ints));
    else
        k = input(o, n, 1) ? numbers(input(o, n, 1), part) : 0;
    const int64_t whole = s.dim[axis], even = (whole + n->nout - 1) / n->nout;
    for (int i = 0; i < n->nout; i++) {
        if (k == 0 && whole >= 0)
            s.dim[axis] = RP_MAX(RP_MIN(even, whole - i * even), 0);
        else
            s.dim[axis] = i < k ? RP_MAX(part[i], -1) : -1;
        if (i == 0)
            first = s;
        else
            set_shape(value(o, n, i, true), &s);
    }
    return first;
}

static void follow_gather(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    int64_t v[MAX_NUMBERS], at[MAX_NUMBERS], r[MAX_NUMBERS];
    const int k = numbers(input(o, n, 0), v), m = numbers(input(o, n, 1), at);

    if (k < 0 || m < 0)
        return;
    for (int i = 0; i < m; i++) {
        if (!axis_in(&at[i], k))
            return;
        r[i] = v[at[i]];
    }
    set_numbers(value(o, n, 0, true), r, m);
}

static struct shape gather(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    int64_t axis = rp_onnx_attr_int(n, "axis", 0);
    const struct shape x = like_first(o, n), at = shape_of(input(o, n, 1));
    struct shape s = {.rank = x.rank + at.rank - 1};

    follow_gather(o, n);
    if (x.rank < 1 || at.rank < 0 || s.rank > RP_ONNX_MAX_RANK || !axis_in(&axis, x.rank))
        return unknown;
    for (int i = 0; i < s.rank; i++) {
        if (i < axis)
            s.dim[i] = x.dim[i];
        else if (i < axis + at.rank)
            s.dim[i] = at.dim[i - axis];
        else
            s.dim[i] = x.dim[i - at.rank + 1];
    }
    return s;
}

static struct shape shape_op(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    int64_t from = rp_onnx_attr_int(n, "start", 0), to = rp_onnx_attr_int(n, "end", RP_ONNX_MAX_RANK);
    const struct shape x = like_first(o, n);

    if (x.rank < 0)
        return unknown;
    from = RP_CLAMP(from < 0 ? from + x.rank : from, 0, x.rank);
    to = RP_CLAMP(to < 0 ? to + x.rank : to, from, x.rank);
    if (known(&x))
        set_numbers(value(o, n, 0, true), x.dim + from, (int) (to - from));
    return (struct shape){1, {to - from}};
}

static struct shape constant(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    int k;
    int64_t v[MAX_NUMBERS];
    struct rp_onnx_tensor t;
    struct shape s = unknown;
    struct rp_onnx_value *const out = value(o, n, 0, true);
    const struct rp_onnx_attr a = rp_onnx_attr(n, "value"), one = rp_onnx_attr(n, "value_int"),
                      many = rp_onnx_attr(n, "value_ints");

    if (one.there) {
        set_numbers(out, &one.i, 1);
        return (struct shape){0};
    }
    if (many.there) {
        set_numbers(out, many.ints, many.nints);
        return (struct shape){1, {many.nints}};
    }
    if (rp_onnx_attr(n, "value_float").there)
        return (struct shape){0};
    if (!a.there || !rp_onnx_parse_tensor(a.tensor, &t))
        return unknown;
    s.rank = t.rank;
    memcpy(s.dim, t.dim, sizeof(s.dim));
    if (out) {
        out->type = t.type;
        out->constant = a.tensor;
    }
    if ((k = tensor_numbers(&t, v)) >= 0)
        set_numbers(out, v, k);
    return s;
}

/* The shape is in the numbers of an input: ConstantOfShape, Expand. */
static struct shape shape_from(const struct rp_onnx_value *v)
{
    int64_t d[MAX_NUMBERS];
    const int k = numbers(v, d);
    struct shape s = {.rank = k};

    if (k < 0 || k > RP_ONNX_MAX_RANK)
        return unknown;
    for (int i = 0; i < k; i++)
        s.dim[i] = d[i] >= 0 && d[i] <= RP_ONNX_MAX_DIM ? d[i] : -1;
    return s;
}

static struct shape constant_of_shape(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    return shape_from(input(o, n, 0));
}

static struct shape expand(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    const struct shape x = like_first(o, n), to = shape_from(input(o, n, 1));

    return broadcast_two(&x, &to);
}

static struct shape tile(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    struct shape s = like_first(o, n);
    const struct shape times = shape_from(input(o, n, 1));

    if (s.rank < 0 || times.rank != s.rank)
        return unknown;
    for (int i = 0; i < s.rank; i++)
        s.dim[i] = s.dim[i] < 0 || times.dim[i] < 0 || s.dim[i] * times.dim[i] > RP_ONNX_MAX_DIM
                       ? -1
                       : s.dim[i] * times.dim[i];
    return s;
}

/* Factors of Resize (input 2) and Upsample (input 1, or an attribute). */
static int scales_of(struct rp_onnx *o, const struct rp_onnx_node *n, float *out)
{
    const struct rp_onnx_attr a = rp_onnx_attr(n, "scales");
    const struct rp_onnx_value *const v = input(o, n, rp_onnx_is(n->op, "Upsample") ? 1 : 2);
    const struct rp_onnx_value *const old = n->nin == 2 ? input(o, n, 1) : NULL; /* opset 10 */

    if (a.there) {
        memcpy(out, a.floats, RP_ONNX_MAX_RANK * sizeof(*out));
        return a.nfloats;
    }
    return reals(v ? v : old, out);
}

static struct shape resize(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    float scale[RP_ONNX_MAX_RANK];
    struct shape s = like_first(o, n);
    const struct shape sizes = shape_from(input(o, n, 3));

    if (s.rank < 0)
        return unknown;
    if (sizes.rank == s.rank)
        return sizes;
    if (scales_of(o, n, scale) != s.rank)
        return unknown;
    for (int i = 0; i < s.rank; i++) {
        const double d = (double) s.dim[i] * (double) scale[i];

        s.dim[i] = s.dim[i] >= 0 && d >= 0 && d <= (double) RP_ONNX_MAX_DIM ? (int64_t) d : -1;
    }
    return s;
}

static struct shape pad(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    int64_t v[MAX_NUMBERS] = {0};
    struct shape s = like_first(o, n);
    const struct rp_onnx_attr a = rp_onnx_attr(n, "pads");
    int k = a.nints;

    if (a.there)
        memcpy(v, a.ints, sizeof(a.ints));
    else
        k = numbers(input(o, n, 1), v);
    if (s.rank < 0 || k != 2 * s.rank || input(o, n, 3))
        return unknown;
    for (int i = 0; i < s.rank; i++) {
        int64_t d;

        if (s.dim[i] < 0 || __builtin_add_overflow(s.dim[i], v[i], &d) ||
            __builtin_add_overflow(d, v[i + s.rank], &d) || d < 0)
            d = -1;
        s.dim[i] = d;
    }
    return s;
}

static struct shape reduce(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    unsigned gone = 0;
    int64_t axes[MAX_NUMBERS];
    int k = axes_of(o, n, 1, axes);
    const bool keep = rp_onnx_attr_int(n, "keepdims", 1) != 0;
    const struct rp_onnx_attr axis = rp_onnx_attr(n, "axis"); /* ArgMax */
    const struct shape x = like_first(o, n);
    struct shape s = {0};

    if (rp_onnx_is(n->op, "ArgMax") || rp_onnx_is(n->op, "ArgMin")) {
        axes[0] = axis.i;
        k = 1;
    }
    if (k < 0 || x.rank < 0)
        return unknown;
    for (int i = 0; i < k; i++)
        if (axis_in(&axes[i], x.rank))
            gone |= 1u << axes[i];
    if (k == 0 && rp_onnx_attr_int(n, "noop_with_empty_axes", 0))
        return x;
    if (k == 0)
        gone = ~0u;
    for (int i = 0; i < x.rank; i++) {
        if (!(gone >> i & 1))
            s.dim[s.rank++] = x.dim[i];
        else if (keep)
            s.dim[s.rank++] = 1;
    }
    return s;
}

static struct shape shuffle(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    struct shape s = like_first(o, n);
    const int64_t b = RP_CLAMP(rp_onnx_attr_int(n, "blocksize", 1), 1, 1024);

    if (s.rank != 4 || !known(&s))
        return unknown;
    if (rp_onnx_is(n->op, "DepthToSpace"))
        return (struct shape){4, {s.dim[0], s.dim[1] / (b * b), s.dim[2] * b, s.dim[3] * b}};
    return (struct shape){4, {s.dim[0], s.dim[1] * b * b, s.dim[2] / b, s.dim[3] / b}};
}

static struct shape grid_sample(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    const struct shape x = like_first(o, n), g = shape_of(input(o, n, 1));

    if (x.rank < 4 || x.rank > 5 || g.rank != x.rank)
        return unknown;
    return (struct shape){x.rank,
                          {x.dim[0], x.dim[1], g.dim[1], g.dim[2], x.rank == 5 ? g.dim[3] : 0}};
}

static struct shape top_k(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    int64_t axis = rp_onnx_attr_int(n, "axis", -1), k[MAX_NUMBERS];
    struct shape s = like_first(o, n);

    if (s.rank < 1 || !axis_in(&axis, s.rank) || numbers(input(o, n, 1), k) != 1)
        return unknown;
    s.dim[axis] = RP_MAX(k[0], -1);
    set_shape(value(o, n, 1, true), &s);
    return s;
}

/* ---- the table ------------------------------------------------------------------------------- */

struct family {
    shape_fn *fn;
    bool view;         /* moves no bytes */
    const char *names; /* each between blanks */
};

/* clang-format off */
static const struct family families[] = {
    {same_value, true, " Identity Dropout "},
    {same_value, false, " Cast "},
    {like_first, false, " Relu LeakyRelu PRelu Sigmoid Tanh Clip Softplus Softsign Elu Selu Celu HardSigmoid "
     "HardSwish Erf Exp Log Sqrt Abs Neg Ceil Floor Round Sign Sin Cos Tan Atan Not Reciprocal Mish Gelu "
     "QuickGelu FastGelu BiasGelu ThresholdedRelu Shrink IsNaN IsInf CumSum ScatterND ScatterElements Trilu "
     "BatchNormalization InstanceNormalization LayerNormalization SimplifiedLayerNormalization "
     "GroupNormalization GroupNorm LRN LpNormalization MeanVarianceNormalization Softmax LogSoftmax Hardmax "
     "SkipLayerNormalization QuantizeLinear DequantizeLinear "},
    {broadcast, false, " Add Sub Mul Div Pow Mod Min Max Sum Mean And Or Xor Equal Less Greater LessOrEqual "
     "GreaterOrEqual Where BitShift "},
    {conv, false, " Conv FusedConv "},
    {conv_transpose, false, " ConvTranspose "},
    {gemm, false, " Gemm FusedGemm "},
    {matmul, false, " MatMul "},
    {pool, false, " MaxPool AveragePool LpPool "},
    {global_pool, false, " GlobalAveragePool GlobalMaxPool GlobalLpPool "},
    {concat, false, " Concat "},
    {reshape, true, " Reshape "},
    {flatten, true, " Flatten "},
    {transpose, false, " Transpose "},
    {squeeze, true, " Squeeze "},
    {unsqueeze, true, " Unsqueeze "},
    {slice, false, " Slice "},
    {split, false, " Split "},
    {gather, false, " Gather "},
    {shape_op, true, " Shape "},
    {constant, true, " Constant "},
    {constant_of_shape, false, " ConstantOfShape "},
    {expand, false, " Expand "},
    {tile, false, " Tile "},
    {resize, false, " Resize Upsample "},
    {pad, false, " Pad "},
    {reduce, false, " ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare "
     "ReduceLogSum ReduceLogSumExp ArgMax ArgMin "},
    {shuffle, false, " DepthToSpace SpaceToDepth "},
    {grid_sample, false, " GridSample "},
    {top_k, false, " TopK "},
};
/* clang-format on */

static const struct family *family_of(struct rp_onnx_text op)
{
    char word[48];

    if (!op.n || op.n > sizeof(word) - 3 || memchr(op.p, 0, op.n) || memchr(op.p, ' ', op.n))
        return NULL;
    snprintf(word, sizeof(word), " %.*s ", (int) op.n, op.p);
    for (size_t i = 0; i < RP_ARRAY_LEN(families); i++)
        if (strstr(families[i].names, word))
            return &families[i];
    return NULL;
}

/* ---- counting -------------------------------------------------------------------------------- */

static double elements(const struct rp_onnx_value *v)
{
    return v ? rp_onnx_elements(v->rank, v->dim) : -1;
}

/* Multiply-adds of a node; 0 for operators whose operations are not counted, -1 if unknown. */
static double multiply_adds(struct rp_onnx *o, const struct rp_onnx_node *n, shape_fn *fn)
{
    const struct rp_onnx_value *const x = input(o, n, 0), *const w = input(o, n, 1);
    const double out = elements(value(o, n, 0, true));
    double taps = 1;

    if (fn != conv && fn != conv_transpose && fn != gemm && fn != matmul)
        return 0;
    if (out < 0 || elements(x) < 0 || elements(w) < 0)
        return -1;
    if (fn == conv ||
        fn == conv_transpose) { /* weights: out x in/group x kernel, or in x out/group x kernel */
        for (int i = 1; i < w->rank; i++)
            taps *= (double) w->dim[i];
        return (fn == conv ? out : elements(x)) * taps;
    }
    if (x->rank < 1)
        return -1;
    if (fn == gemm && rp_onnx_attr_int(n, "transA", 0))
        return out * (double) x->dim[0];
    return out * (double) x->dim[x->rank - 1];
}

static double bytes_of(const struct rp_onnx_value *v)
{
    const int size = rp_onnx_type_size(v && v->type ? v->type : RP_ONNX_FLOAT);

    return elements(v) * (size ? size : 4);
}

static void missed(struct rp_onnx_cost *cost, struct rp_onnx_text op)
{
    if (cost->complete)
        snprintf(cost->unknown, sizeof(cost->unknown), "%.*s", (int) RP_MIN(op.n, 60), op.p);
    cost->complete = false;
}

static void count_bytes(struct count *c, const struct rp_onnx_node *n)
{
    for (int i = 0; i < n->nin + n->nout; i++) {
        const bool out = i >= n->nin;
        const struct rp_onnx_value *const v = value(c->o, n, out ? i - n->nin : i, out);

        if (!v || v->weight)
            continue;
        if (elements(v) >= 0)
            c->cost->activation_bytes += bytes_of(v);
        else if (!out || i == n->nin) /* other results are seldom used */
            missed(c->cost, n->op);
    }
}

static void infer_types(struct rp_onnx *o, const struct rp_onnx_node *n)
{
    const struct rp_onnx_value *const in = input(o, n, rp_onnx_is(n->op, "Where") ? 1 : 0);

    for (int i = 0; i < n->nout; i++) {
        struct rp_onnx_value *const out = value(o, n, i, true);

        if (!out || out->type)
            continue;
        if (rp_onnx_is(n->op, "Shape") || rp_onnx_is(n->op, "ArgMax"))
            out->type = RP_ONNX_INT64;
        else if (rp_onnx_is(n->op, "Cast"))
            out->type = (int) RP_CLAMP(rp_onnx_attr_int(n, "to", 0), 0, 63);
        else if (in)
            out->type = in->type;
    }
}

static void count_node(struct count *c, const struct rp_onnx_node *n)
{
    double mac;
    struct shape s;
    const struct family *const f = family_of(n->op);

    c->cost->nodes++;
    infer_types(c->o, n);
    if (!f || rp_onnx_has_graph(n)) {
        count_bytes(c, n);
        missed(c->cost, n->op);
        return;
    }
    s = f->fn(c->o, n);
    set_shape(value(c->o, n, 0, true), &s);
    mac = multiply_adds(c->o, n, f->fn);
    if (mac < 0)
        missed(c->cost, n->op);
    else
        c->cost->flop += 2 * mac;
    if (!f->view)
        count_bytes(c, n);
}

/* Sizes of the inputs. */
static void set_inputs(struct rp_onnx *o, const int64_t *const *in_dim)
{
    for (int i = 0; i < o->ninputs; i++) {
        struct rp_onnx_value *const v = &o->value[o->input[i]];

        for (int d = 0; d < v->rank; d++) {
            if (in_dim && in_dim[i])
                v->dim[d] = RP_CLAMP(in_dim[i][d], 0, RP_ONNX_MAX_DIM);
            else if (d == 0 && v->dim[d] < 0)
                v->dim[d] = 1;
        }
    }
}

void rp_onnx_count(struct rp_onnx *o, const int64_t *const *in_dim, struct rp_onnx_cost *cost)
{
    struct count c = {o, cost};

    *cost = (struct rp_onnx_cost){.complete = true};
    set_inputs(o, in_dim);
    for (int i = 0; i < o->nnodes; i++)
        count_node(&c, &o->node[i]);
    for (int i = 0; i < o->nweights; i++)
        cost->weight_bytes += o->weight[i].bytes;
}
