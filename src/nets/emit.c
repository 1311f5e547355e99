/* Buffers, views of values, copies, and steps as they are written down. */
#include "nets/lower.h"

#define FOLDED_WORK 2e9 /* multiply-adds for constants that are made, not read */

static int no_memory(void)
{
    return rp_fail(RP_ERR_NOMEM, "out of memory");
}

/* ---- buffers --------------------------------------------------------------------------------- */

int rp_nn_buffer(struct rp_nn_lower *l, enum rp_nn_memory memory, size_t bytes, int *out)
{
    struct rp_nn_plan *const p = l->plan;

    if (p->nbuffers == p->buffer_cap) {
        const int cap = RP_MAX(2 * p->buffer_cap, 256);
        struct rp_nn_buffer *const grown = realloc(p->buffer, (size_t) cap * sizeof(*grown));

        if (!grown)
            return no_memory();
        p->buffer = grown;
        p->buffer_cap = cap;
    }
    *out = p->nbuffers;
    p->buffer[p->nbuffers++] =
        (struct rp_nn_buffer){.memory = memory, .bytes = bytes, .first = -1, .last = -1};
    return 0;
}

int rp_nn_constant(struct rp_nn_lower *l, size_t bytes, void **host, int *buffer)
{
    *buffer = 0;
    if (bytes > l->most - l->folded) {
        rp_nn_cannot(l->g, "its constants need too much memory");
        return RP_ERR_UNSUPPORTED;
    }
    l->folded += bytes;
    RP_CHECK(rp_nn_buffer(l, RP_NN_WEIGHTS, bytes, buffer));
    if (!(*host = calloc(RP_ACT_ROUND(RP_MAX(bytes, 1)), 1))) {
        no_memory();
        return RP_ERR_NOMEM;
    }
    l->plan->buffer[*buffer].host = *host;
    l->plan->buffer[*buffer].owned = true;
    return 0;
}

int rp_nn_floats(struct rp_nn_lower *l, const float *v, int64_t n, int *buffer)
{
    void *host;

    RP_CHECK(rp_nn_constant(l, (size_t) n * sizeof(float), &host, buffer));
    memcpy(host, v, (size_t) n * sizeof(float));
    return 0;
}

/* ---- views of values ------------------------------------------------------------------------- */

/* Whole numbers become reals; those of a file are never copied otherwise. */
static int read_constant(struct rp_nn_lower *l, int value, struct rp_nn_view *view)
{
    float *made;
    struct rp_nn_value *const v = &l->g->value[value];
    const float *const real = rp_nn_reals(l->g, value);
    const int64_t *const whole = real ? NULL : rp_nn_wholes(l->g, value);
    const size_t bytes = (size_t) v->count * sizeof(float);

    rp_nn_flat(view, v->rank, v->dim);
    if (real) {
        RP_CHECK(rp_nn_buffer(l, RP_NN_WEIGHTS, bytes, &view->buffer));
        l->plan->buffer[view->buffer].host = v->real;
        return 0;
    }
    if (!whole)
        return rp_nn_cannot(l->g, "a constant that cannot be read: %.*s",
                            (int) RP_MIN(v->name.n, 60), v->name.p);
    RP_CHECK(rp_nn_constant(l, bytes, (void **) &made, &view->buffer));
    for (int64_t i = 0; i < v->count; i++)
        made[i] = (float) whole[i];
    return 0;
}

int rp_nn_value_view(struct rp_nn_lower *l, int value, struct rp_nn_view *out)
{
    struct rp_nn_view *const view = &l->view[value];

    if (view->buffer < 0 && l->g->value[value].constant)
        RP_CHECK(read_constant(l, value, view));
    if (view->buffer < 0)
        return rp_nn_cannot(l->g, "a tensor that nothing makes");
    *out = *view;
    return 0;
}

int rp_nn_input(struct rp_nn_lower *l, const struct rp_nn_node *n, int i, struct rp_nn_view *out)
{
    if (!rp_nn_in(l->g, n, i))
        return rp_nn_cannot_node(l->g, n, "an input is missing");
    return rp_nn_value_view(l, n->in[i], out);
}

int rp_nn_result(struct rp_nn_lower *l, const struct rp_nn_node *n, int i,
                 const struct rp_nn_view *view)
{
    const struct rp_nn_value *const v = rp_nn_out(l->g, n, i);

    if (!v)
        return 0;
    if (v->rank != view->rank ||
        (v->rank && memcmp(v->dim, view->dim, (size_t) v->rank * sizeof(*v->dim)) != 0))
        return rp_nn_cannot_node(l->g, n, "the sizes of its result are not clear");
    l->view[n->out[i]] = *view;
    return 0;
}

static int fresh_of(struct rp_nn_lower *l, enum rp_act_type type, int rank, const int64_t *dim,
                    const int *order, struct rp_nn_view *out)
{
    void *host;
    const int64_t numbers = rp_nn_dense(out, rank, dim, order);

    if (numbers < 0 || numbers > INT32_MAX)
        return rp_nn_cannot(l->g, "a tensor is too large");
    if (l->folding)
        return rp_nn_constant(l, (size_t) RP_MAX(numbers, 8) * sizeof(float), &host, &out->buffer);
    RP_CHECK(rp_nn_buffer(l, RP_NN_ARENA, 0, &out->buffer));
    l->plan->buffer[out->buffer].type = type;
    l->plan->buffer[out->buffer].bytes =
        (size_t) RP_MAX(numbers, 8) * (size_t) rp_nn_size(l, out->buffer);
    return 0;
}

int rp_nn_fresh(struct rp_nn_lower *l, int rank, const int64_t *dim, const int *order,
                struct rp_nn_view *out)
{
    const bool half = l->half_now && rp_nn_is_large(l, rank, dim);

    return fresh_of(l, half ? RP_ACT_F16 : RP_ACT_F32, rank, dim, order, out);
}

int rp_nn_fresh_nchw(struct rp_nn_lower *l, int rank, const int64_t *dim, struct rp_nn_view *out)
{
    int order[RP_NN_RANK];

    rp_nn_order(rank, true, order);
    return rp_nn_fresh(l, rank, dim, order, out);
}

int rp_nn_fresh_result(struct rp_nn_lower *l, const struct rp_nn_node *n, struct rp_nn_view *out)
{
    return rp_nn_fresh_value(l, n->out[0], out);
}

int rp_nn_fresh_value(struct rp_nn_lower *l, int value, struct rp_nn_view *out)
{
    const struct rp_nn_value *const v = &l->g->value[value];
    const struct rp_nn_home *const home = &l->home[value];

    if (home->whole < 0 || l->folding)
        return rp_nn_fresh_nchw(l, v->rank, v->dim, out);
    struct rp_nn_view *const whole = &l->view[home->whole];
    const bool half_now = l->half_now;

    l->half_now = l->half[home->whole];
    if (whole->buffer < 0)
        RP_CHECK(rp_nn_fresh_nchw(l, 4, l->g->value[home->whole].dim, whole));
    l->half_now = half_now;
    *out = *whole;
    rp_nn_slice(out, 1, home->at, v->dim[1], 1);
    return 0;
}

/* ---- steps ----------------------------------------------------------------------------------- */

union rp_nn_args *rp_nn_begin(struct rp_nn_lower *l, enum rp_nn_op op)
{
    l->step = (struct rp_nn_step){.op = op};
    return &l->step.args;
}

void rp_nn_put(struct rp_nn_lower *l, size_t at, int buffer, int64_t bytes)
{
    struct rp_nn_step *const s = &l->step;

    if (s->nfix < RP_NN_MAX_FIX)
        s->fix[s->nfix] = (struct rp_nn_fix){at, buffer, bytes};
    s->nfix++;
}

enum rp_act_type rp_nn_type(const struct rp_nn_lower *l, int buffer)
{
    return l->plan->buffer[buffer].type;
}

int64_t rp_nn_size(const struct rp_nn_lower *l, int buffer)
{
    return rp_nn_type(l, buffer) == RP_ACT_F16 ? (int64_t) sizeof(uint16_t)
                                               : (int64_t) sizeof(float);
}

void rp_nn_put_number(struct rp_nn_lower *l, size_t at, int buffer, int64_t number)
{
    rp_nn_put(l, at, buffer, number * rp_nn_size(l, buffer));
}

void rp_nn_put_act(struct rp_nn_lower *l, size_t at, const struct rp_nn_act *a)
{
    const struct rp_act act = {NULL, rp_nn_type(l, a->buffer), a->n, a->h, a->w, a->c, a->ld};

    memcpy((char *) &l->step.args + at, &act, sizeof(act));
    rp_nn_put_number(l, at + offsetof(struct rp_act, data), a->buffer, a->at);
}

int rp_nn_put_work(struct rp_nn_lower *l, size_t at, size_t bytes)
{
    void *host;

    if (!bytes)
        return 0;
    if (l->folding) {
        int buffer;

        RP_CHECK(rp_nn_constant(l, bytes, &host, &buffer));
        rp_nn_put(l, at, buffer, 0);
        return 0;
    }
    if (l->scratch < 0)
        RP_CHECK(rp_nn_buffer(l, RP_NN_ARENA, bytes, &l->scratch));
    struct rp_nn_buffer *const work = &l->plan->buffer[l->scratch];
    work->bytes = RP_MAX(work->bytes, bytes);
    work->first = 0; /* to the end: its counters stay zero */
    rp_nn_put(l, at, l->scratch, 0);
    return 0;
}

static double numbers(const struct rp_act *a)
{
    return (double) a->n * a->h * a->w * a->c;
}

/* About how many multiply-adds a step is. */
static double work_of(const struct rp_nn_step *s)
{
    const union rp_nn_args *const a = &s->args;

    switch (s->op) {
    case RP_NN_OP_net_conv:
        return numbers(&a->net_conv.dst) * a->net_conv.kh * a->net_conv.kw * a->net_conv.src.c *
               RP_MAX(a->net_conv.shuffle, 1) * RP_MAX(a->net_conv.shuffle, 1) / a->net_conv.groups;
    case RP_NN_OP_net_linear:
        return numbers(&a->net_linear.dst) * a->net_linear.src.c;
    case RP_NN_OP_net_matmul:
        return (double) a->net_matmul.batch * a->net_matmul.heads * a->net_matmul.rows *
               a->net_matmul.columns * a->net_matmul.depth;
    case RP_NN_OP_net_pool:
        return numbers(&a->net_pool.dst) * a->net_pool.kh * a->net_pool.kw;
    default:
        return 0; /* as much as memory */
    }
}

/* Compute a step whose inputs are constants, now. */
static int compute(struct rp_nn_lower *l)
{
    struct rp_nn_step *const s = &l->step;

    l->work += work_of(s);
    if (l->work > FOLDED_WORK)
        return rp_nn_cannot(l->g, "too much depends on constants alone");
    for (int i = 0; i < s->nfix; i++) {
        const struct rp_nn_buffer *const b = &l->plan->buffer[s->fix[i].buffer];
        char *const p = b->host ? (char *) b->host + s->fix[i].bytes : NULL;

        if (!p)
            return rp_nn_cannot(l->g, "a constant depends on an input");
        memcpy((char *) &s->args + s->fix[i].at, &p, sizeof(p));
    }
    return rp_nn_do(&rp_ops_c, NULL, s->op, &s->args);
}

/* The last step so far uses its buffers. */
static void note_uses(struct rp_nn_plan *p, int step)
{
    const struct rp_nn_step *const s = &p->step[step];

    for (int i = 0; i < s->nfix; i++) {
        struct rp_nn_buffer *const b = &p->buffer[s->fix[i].buffer];

        if (b->first < 0)
            b->first = step;
        b->last = step;
    }
}

int rp_nn_emit(struct rp_nn_lower *l)
{
    struct rp_nn_plan *const p = l->plan;
    struct rp_nn_step *const s = &l->step;

    if (s->nfix > RP_NN_MAX_FIX)
        return rp_nn_cannot(l->g, "an operation with too many tensors");
    if (l->folding)
        return compute(l);
    if (p->nsteps == p->step_cap) {
        const int cap = RP_MAX(2 * p->step_cap, 256);
        struct rp_nn_step *const grown = realloc(p->step, (size_t) cap * sizeof(*grown));

        if (!grown)
            return no_memory();
        p->step = grown;
        p->step_cap = cap;
    }
    p->step[p->nsteps] = *s;
    note_uses(p, p->nsteps++);
    return 0;
}

struct rp_nn_fix *rp_nn_fix_at(const struct rp_nn_step *s, size_t at)
{
    for (int i = 0; i < s->nfix; i++)
        if (s->fix[i].at == at)
            return (struct rp_nn_fix *) &s->fix[i];
    return NULL;
}

void rp_nn_add_fix(struct rp_nn_step *s, size_t at, const struct rp_nn_fix *from)
{
    s->fix[s->nfix++] = (struct rp_nn_fix){at, from->buffer, from->bytes};
}

void rp_nn_remove_step(struct rp_nn_plan *p, int s)
{
    memmove(&p->step[s], &p->step[s + 1], (size_t) (p->nsteps - s - 1) * sizeof(*p->step));
    p->nsteps--;
}

bool rp_nn_uses(const struct rp_nn_step *s, int buffer)
{
    for (int i = 0; i < s->nfix; i++)
        if (s->fix[i].buffer == buffer)
            return true;
    return false;
}

bool rp_nn_only(const struct rp_nn_plan *p, int buffer, int i, int k, int j)
{
    for (int s = 0; s < p->nsteps; s++)
        if (s != i && s != k && s != j && rp_nn_uses(&p->step[s], buffer))
            return false;
    return p->buffer[buffer].memory == RP_NN_ARENA;
}

void rp_nn_count_uses(struct rp_nn_lower *l)
{
    struct rp_nn_plan *const p = l->plan;

    for (int i = 0; i < p->nbuffers; i++)
        if (i != l->scratch)
            p->buffer[i].first = p->buffer[i].last = -1;
    for (int i = 0; i < p->nsteps; i++)
        note_uses(p, i);
}

/* ---- copies ---------------------------------------------------------------------------------- */

bool rp_nn_is_constant(const struct rp_nn_lower *l, const struct rp_nn_view *v)
{
    return l->plan->buffer[v->buffer].memory == RP_NN_WEIGHTS;
}

int rp_nn_copy_view(struct rp_nn_lower *l, const struct rp_nn_view *from,
                    const struct rp_nn_view *to)
{
    union rp_nn_args *const a = rp_nn_begin(l, RP_NN_OP_net_copy);

    if (!rp_nn_count(to))
        return 0;
    if (!rp_nn_copy(from, to, &a->net_copy))
        return rp_nn_cannot(l->g, "a copy of more than %d axes", RP_NET_AXES);
    a->net_copy.src_type = rp_nn_type(l, from->buffer);
    a->net_copy.dst_type = rp_nn_type(l, to->buffer);
    rp_nn_put_number(l, RP_NN_AT(net_copy, src), from->buffer, from->at);
    rp_nn_put_number(l, RP_NN_AT(net_copy, dst), to->buffer, to->at);
    return rp_nn_emit(l);
}

static int copied_as(struct rp_nn_lower *l, enum rp_act_type type, const struct rp_nn_view *from,
                     const int *order, struct rp_nn_view *out)
{
    int ret;
    struct rp_nn_view to;
    const bool before = l->folding;

    l->folding |= rp_nn_is_constant(l, from);
    ret = fresh_of(l, type, from->rank, from->dim, order, &to);
    if (ret >= 0)
        ret = rp_nn_copy_view(l, from, &to);
    l->folding = before;
    *out = to;
    return ret;
}

int rp_nn_copied(struct rp_nn_lower *l, const struct rp_nn_view *from, const int *order,
                 struct rp_nn_view *out)
{
    return copied_as(l, rp_nn_type(l, from->buffer), from, order, out);
}

int rp_nn_as_float32(struct rp_nn_lower *l, struct rp_nn_view *v)
{
    struct rp_nn_view copy;

    if (rp_nn_type(l, v->buffer) == RP_ACT_F32)
        return 0;
    RP_CHECK(copied_as(l, RP_ACT_F32, v, v->order, &copy));
    *v = copy;
    return 0;
}

/* A copy without gaps in the file's order has any sizes. */
int rp_nn_reshaped(struct rp_nn_lower *l, struct rp_nn_view *v, int rank, const int64_t *dim)
{
    int ret;
    int64_t count = 1;
    struct rp_nn_view flat = {0}, dense, as = {0};
    int order[RP_NN_RANK];
    const bool before = l->folding;
    const enum rp_act_type type = rp_nn_type(l, v->buffer);

    for (int i = 0; i < rank; i++)
        count *= dim[i];
    if (count != rp_nn_count(v))
        return rp_nn_cannot(l->g, "a Reshape to another number of elements");
    if (rp_nn_reshape(v, rank, dim))
        return 0;
    l->folding |= rp_nn_is_constant(l, v);
    /* into memory of the new sizes, seen with the old ones */
    rp_nn_order(rank, rank == 4, order);
    ret = fresh_of(l, type, rank, dim, order, &dense);
    as = dense;
    if (ret >= 0 && rp_nn_reshape(&as, v->rank, v->dim)) {
        as.clean = false;
        if (dense.dim[order[rank - 1]] % 8 == 0) {
            ret = rp_nn_copy_view(l, v, &as);
            *v = dense;
            l->folding = before;
            return ret;
        }
    }
    if (ret >= 0)
        ret = fresh_of(l, type, 1, &count, (const int[]){0}, &flat);
    if (ret >= 0) {
        as = flat;
        rp_nn_flat(&as, v->rank, v->dim);
        as.buffer = flat.buffer;
        ret = rp_nn_copy_view(l, v, &as);
        rp_nn_flat(v, rank, dim);
        v->buffer = flat.buffer;
    }
    l->folding = before;
    return ret;
}

int rp_nn_as(struct rp_nn_lower *l, struct rp_nn_view *v, const struct rp_nn_parts *parts,
             struct rp_nn_act *out)
{
    struct rp_nn_view copy;

    if (rp_nn_as_act(v, parts, out))
        return 0;
    RP_CHECK(rp_nn_copied(l, v, parts->order, &copy));
    *v = copy;
    return rp_nn_as_act(v, parts, out) ? 0 : rp_nn_cannot(l->g, "a tensor is too large");
}

int rp_nn_as_nchw(struct rp_nn_lower *l, struct rp_nn_view *v, struct rp_nn_act *out)
{
    struct rp_nn_parts parts;

    if (!rp_nn_parts_nchw(v->rank, &parts))
        return rp_nn_cannot(l->g, "a tensor of rank %d where 2 to 4 are known", v->rank);
    return rp_nn_as(l, v, &parts, out);
}

/* ---- what follows ---------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
    enum rp_nn_kind kind;
    enum rp_net_fn fn;
} functions[] = {
    {RP_NN_UNKNOWN, RP_FN_NONE}, {RP_NN_RELU, RP_FN_RELU}, {RP_NN_LEAKY, RP_FN_LEAKY}, {RP_NN_PRELU, RP_FN_PRELU},
    {RP_NN_CLIP, RP_FN_CLIP}, {RP_NN_SIGMOID, RP_FN_SIGMOID}, {RP_NN_SILU, RP_FN_SILU},
    {RP_NN_HARD_SIGMOID, RP_FN_HSIGMOID}, {RP_NN_HARD_SWISH, RP_FN_HSWISH}, {RP_NN_TANH, RP_FN_TANH},
    {RP_NN_ELU, RP_FN_ELU}, {RP_NN_SOFTPLUS, RP_FN_SOFTPLUS}, {RP_NN_GELU, RP_FN_GELU}, {RP_NN_MISH, RP_FN_MISH},
    {RP_NN_EXP, RP_FN_EXP}, {RP_NN_LOG, RP_FN_LOG}, {RP_NN_SQRT, RP_FN_SQRT}, {RP_NN_RECIPROCAL, RP_FN_RECIPROCAL},
    {RP_NN_ABS, RP_FN_ABS}, {RP_NN_NEG, RP_FN_NEG}, {RP_NN_ERF, RP_FN_ERF}, {RP_NN_SIN, RP_FN_SIN},
    {RP_NN_COS, RP_FN_COS}, {RP_NN_FLOOR, RP_FN_FLOOR}, {RP_NN_CEIL, RP_FN_CEIL}, {RP_NN_ROUND, RP_FN_ROUND},
    {RP_NN_SIGN, RP_FN_SIGN}, {RP_NN_CAST, RP_FN_TRUNC},
};
/* clang-format on */

int rp_nn_then(struct rp_nn_lower *l, const struct rp_nn_tail *tail, struct rp_net_then *then,
               size_t at)
{
    int buffer;
    const float *slopes;

    *then = (struct rp_net_then){.alpha = tail ? tail->a : 0, .beta = tail ? tail->b : 0};
    for (size_t i = 0; tail && i < RP_ARRAY_LEN(functions); i++)
        if (functions[i].kind == tail->act)
            then->fn = functions[i].fn;
    if (!tail || tail->act != RP_NN_PRELU)
        return 0;
    if (!(slopes = rp_nn_reals(l->g, tail->slopes)))
        return rp_nn_cannot(l->g, "PRelu: slopes that cannot be read");
    RP_CHECK(rp_nn_floats(l, slopes, l->g->value[tail->slopes].count, &buffer));
    rp_nn_put(l, at + offsetof(struct rp_net_then, slope), buffer, 0);
    return 0;
}
