/* From nodes to steps: which function does which node, and the ends of the network. */
#include "nets/lower.h"
#include "onnx/attr.h"

/* Constants that are made, not read: bytes for a file of no size, and for each byte of a file. */
#define FOLDED_BYTES ((size_t) 64 << 20)
#define FOLDED_TIMES 32

/* ---- nodes ----------------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
    rp_nn_lower_fn *fn;
    enum rp_nn_kind kinds[16]; /* 0 ends them */
} functions[] = {
    {rp_nn_lower_conv, {RP_NN_CONV, RP_NN_CONV_TRANSPOSE}},
    {rp_nn_lower_gemm, {RP_NN_GEMM}},
    {rp_nn_lower_matmul, {RP_NN_MATMUL}},
    {rp_nn_lower_affine, {RP_NN_AFFINE}},
    {rp_nn_lower_modulated, {RP_NN_MODULATED}},
    {rp_nn_lower_norm, {RP_NN_NORM}},
    {rp_nn_lower_instance_norm, {RP_NN_INSTANCE_NORM}},
    {rp_nn_lower_layer_norm, {RP_NN_LAYER_NORM}},
    {rp_nn_lower_softmax, {RP_NN_SOFTMAX}},
    {rp_nn_lower_pool, {RP_NN_MAX_POOL, RP_NN_AVERAGE_POOL, RP_NN_GLOBAL_AVERAGE, RP_NN_GLOBAL_MAX}},
    {rp_nn_lower_resize, {RP_NN_RESIZE}},
    {rp_nn_lower_grid_sample, {RP_NN_GRID_SAMPLE}},
    {rp_nn_lower_reduce, {RP_NN_REDUCE_MEAN, RP_NN_REDUCE_SUM, RP_NN_REDUCE_MAX, RP_NN_REDUCE_MIN, RP_NN_REDUCE_L2}},
    {rp_nn_lower_arg_max, {RP_NN_ARG_MAX}},
    {rp_nn_lower_concat, {RP_NN_CONCAT}},
    {rp_nn_lower_gather, {RP_NN_GATHER}},
    {rp_nn_lower_cast, {RP_NN_CAST}},
    {rp_nn_lower_pad, {RP_NN_PAD}},
    {rp_nn_lower_move, {RP_NN_RESHAPE, RP_NN_FLATTEN, RP_NN_SQUEEZE, RP_NN_UNSQUEEZE, RP_NN_TRANSPOSE, RP_NN_SLICE,
                        RP_NN_SPLIT, RP_NN_EXPAND, RP_NN_TILE, RP_NN_IDENTITY, RP_NN_DEPTH_TO_SPACE,
                        RP_NN_SPACE_TO_DEPTH}},
};
/* clang-format on */

static rp_nn_lower_fn *function_of(enum rp_nn_kind kind)
{
#define UNARY(ours, theirs)   \
    if (kind == RP_NN_##ours) \
        return rp_nn_lower_unary;
#define BINARY(ours, theirs)  \
    if (kind == RP_NN_##ours) \
        return rp_nn_lower_binary;
    RP_NN_UNARY(UNARY)
    RP_NN_BINARY(BINARY)
#undef UNARY
#undef BINARY
    for (size_t i = 0; i < RP_ARRAY_LEN(functions); i++)
        for (int k = 0; functions[i].kinds[k]; k++)
            if (functions[i].kinds[k] == kind)
                return functions[i].fn;
    return NULL;
}

static bool all_constant(struct rp_nn_lower *l, const struct rp_nn_node *n)
{
    bool constant = true;

    for (int i = 0; i < n->nin; i++)
        if (n->in[i] >= 0)
            constant &= l->g->value[n->in[i]].constant ||
                        (l->view[n->in[i]].buffer >= 0 && rp_nn_is_constant(l, &l->view[n->in[i]]));
    return constant && n->residual < 0;
}

static bool is_volume(const struct rp_nn_lower *l, const struct rp_nn_node *n)
{
    const struct rp_nn_value *const x = rp_nn_in(l->g, n, 0);

    return n->kind == RP_NN_CONV && x && x->rank == 5;
}

static int lower_node(struct rp_nn_lower *l, struct rp_nn_node *n)
{
    rp_nn_lower_fn *const fn = is_volume(l, n) ? rp_nn_lower_volume : function_of(n->kind);
    int ret;

    if (!fn)
        return rp_nn_cannot_node(l->g, n, "a form of it that is not known");
    l->folding = all_constant(l, n);
    l->half_now = n->nout > 0 && n->out[0] >= 0 && l->half[n->out[0]];
    ret = fn(l, n);
    if (ret == RP_ERR_UNSUPPORTED && !strchr(l->g->why, ':')) { /* say where */
        char why[sizeof(l->g->why)];

        memcpy(why, l->g->why, sizeof(why));
        l->g->why[0] = 0;
        rp_nn_cannot_node(l->g, n, why);
    }
    l->folding = l->half_now = false;
    return ret;
}

/* ---- inputs and outputs ---------------------------------------------------------------------- */

/* Types of a file's inputs and outputs, as operations call them. */
static const struct {
    int theirs; /* TensorProto.DataType */
    enum rp_act_type ours;
    size_t bytes;
} types[] = {
    {RP_ONNX_FLOAT, RP_ACT_F32, 4}, {RP_ONNX_DOUBLE, RP_ACT_F64, 8}, {RP_ONNX_INT64, RP_ACT_I64, 8},
    {RP_ONNX_INT32, RP_ACT_I32, 4}, {RP_ONNX_BOOL, RP_ACT_BOOL, 1},
};

/* A tensor of the file, in its order. */
static int file_tensor(struct rp_nn_lower *l, const struct rp_nn_value *v, enum rp_nn_memory memory,
                       int index, struct rp_nn_view *file)
{
    size_t i = 0;

    while (i < RP_ARRAY_LEN(types) && types[i].theirs != v->type)
        i++;
    if (i == RP_ARRAY_LEN(types))
        return rp_nn_cannot(l->g, "an input or output of a type that is not known");
    RP_CHECK(rp_nn_buffer(l, memory, (size_t) v->count * types[i].bytes, &file->buffer));
    l->plan->buffer[file->buffer].index = index;
    l->plan->buffer[file->buffer].type = types[i].ours;
    rp_nn_flat(file, v->rank, v->dim);
    return 0;
}

static void take_shape(struct rp_nn_shape *s, const struct rp_nn_value *v)
{
    s->type = v->type;
    s->rank = v->rank;
    memcpy(s->dim, v->dim, sizeof(s->dim));
}

static int begin_input(struct rp_nn_lower *l, int i)
{
    const struct rp_nn_value *const v = &l->g->value[l->g->input[i]];
    struct rp_nn_view file, *const view = &l->view[l->g->input[i]];

    take_shape(&l->plan->in[i], v);
    RP_CHECK(file_tensor(l, v, RP_NN_INPUT, i, &file));
    if (!v->uses)
        return 0;
    l->half_now = l->half[l->g->input[i]];
    RP_CHECK(rp_nn_fresh_nchw(l, v->rank, v->dim, view));
    l->half_now = false;
    return rp_nn_copy_view(l, &file, view);
}

static int end_output(struct rp_nn_lower *l, int i)
{
    struct rp_nn_view view, file;
    const int value = l->g->output[i];
    const struct rp_nn_value *const v = &l->g->value[value];

    take_shape(&l->plan->out[i], v);
    RP_CHECK(rp_nn_value_view(l, value, &view));
    RP_CHECK(file_tensor(l, v, RP_NN_OUTPUT, i, &file));
    return rp_nn_copy_view(l, &view, &file);
}

/* Can this node's result be a part of a larger tensor? */
static bool makes_parts(const struct rp_nn_lower *l, const struct rp_nn_value *v)
{
    const struct rp_nn_node *const n = v->maker >= 0 ? &l->g->node[v->maker] : NULL;

    return n && (n->kind == RP_NN_CONV || n->kind == RP_NN_CONV_TRANSPOSE ||
                 n->kind == RP_NN_MODULATED || n->kind == RP_NN_AFFINE || n->kind == RP_NN_RESIZE ||
                 n->kind == RP_NN_MAX_POOL || n->kind == RP_NN_AVERAGE_POOL);
}

/* What the parts from `i` on of a Concat are slices of, if they are all of a Split's results, in
 * order: *parts of them. Else the part itself. */
static int whole_of(const struct rp_nn_lower *l, const struct rp_nn_node *n, int i, int *parts)
{
    const struct rp_nn_value *const v = rp_nn_in(l->g, n, i);
    const struct rp_nn_node *const m = v->maker >= 0 ? &l->g->node[v->maker] : NULL;

    *parts = 1;
    if (!m || m->kind != RP_NN_SPLIT || m->in[0] < 0 || i + m->nout > n->nin ||
        rp_onnx_attr_int(m->onnx, "axis", 0) != 1)
        return n->in[i];
    for (int k = 0; k < m->nout; k++)
        if (m->out[k] != n->in[i + k])
            return n->in[i];
    *parts = m->nout;
    return m->in[0];
}

/* Parts of a Concat of channels that begin and end at multiples of 8 (the last may end anywhere)
 * are made where it needs them. */
static void find_homes(struct rp_nn_lower *l, const struct rp_nn_node *n)
{
    int64_t at = 0;
    const struct rp_nn_value *const whole = rp_nn_out(l->g, n, 0);

    if (!whole || whole->rank != 4 || rp_onnx_attr_int(n->onnx, "axis", 0) != 1)
        return;
    for (int i = 0, parts; i < n->nin; i += parts) {
        if (!rp_nn_in(l->g, n, i))
            return;
        const int part = whole_of(l, n, i, &parts);
        const struct rp_nn_value *const v = &l->g->value[part];

        if (v->rank != 4 || v->dim[1] > whole->dim[1] - at)
            return;
        if (at % 8 == 0 && (v->dim[1] % 8 == 0 || at + v->dim[1] == whole->dim[1]) &&
            v->dim[0] == whole->dim[0] && v->dim[2] == whole->dim[2] &&
            v->dim[3] == whole->dim[3] && makes_parts(l, v) && l->home[part].whole < 0)
            l->home[part] = (struct rp_nn_home){n->out[0], at};
        at += v->dim[1];
    }
}

static bool has_styles(const struct rp_nn_graph *g)
{
    for (int i = 0; i < g->nnodes; i++)
        if (!g->node[i].gone && g->node[i].kind == RP_NN_MODULATED)
            return true;
    return false;
}

static int lower_all(struct rp_nn_lower *l)
{
    struct rp_nn_graph *const g = l->g;

    for (int i = 0; i < g->nvalues; i++) {
        l->view[i].buffer = -1;
        l->home[i].whole = -1;
    }
    /* the last ones first: what joins more of the same is behind what joins less */
    for (int i = g->nnodes - 1; i >= 0; i--)
        if (!g->node[i].gone && g->node[i].kind == RP_NN_CONCAT)
            find_homes(l, &g->node[i]);
    l->plan->ninputs = g->ninputs;
    l->plan->noutputs = g->noutputs;
    if (g->ninputs > (int) RP_ARRAY_LEN(l->plan->in) ||
        g->noutputs > (int) RP_ARRAY_LEN(l->plan->out))
        return rp_nn_cannot(g, "too many inputs or outputs");
    for (int i = 0; i < g->ninputs; i++)
        RP_CHECK(begin_input(l, i));
    for (int i = 0; i < g->nnodes; i++)
        if (!g->node[i].gone)
            RP_CHECK(lower_node(l, &g->node[i]));
    for (int i = 0; i < g->noutputs; i++)
        RP_CHECK(end_output(l, i));
    return 0;
}

/* What the steps can do together. */
static int join_steps(struct rp_nn_lower *l)
{
    rp_nn_scale_first(l->plan);
    rp_nn_second_results(l->plan);
    rp_nn_join_sums(l->plan);
    rp_nn_count_uses(l);
    RP_CHECK(rp_nn_join(l));
    if (has_styles(l->g)) {
        rp_nn_scale_last(l->plan);
        rp_nn_count_uses(l);
    }
    if (l->scratch >= 0)
        l->plan->buffer[l->scratch].last = RP_MAX(l->plan->nsteps - 1, 0);
    return 0;
}

int rp_nn_lower(struct rp_nn_graph *g, struct rp_nn_plan *plan, enum rp_act_type storage)
{
    int ret;
    const struct rp_nn_value *const first = g->ninputs ? &g->value[g->input[0]] : NULL;
    struct rp_nn_lower l = {.g = g,
                            .plan = plan,
                            .scratch = -1,
                            .nviews = g->nvalues,
                            .batch = first && first->rank ? RP_MAX(first->dim[0], 1) : 1,
                            .most = FOLDED_BYTES + FOLDED_TIMES * g->size};

    l.view = calloc((size_t) g->nvalues + 1, sizeof(*l.view));
    l.home = calloc((size_t) g->nvalues + 1, sizeof(*l.home));
    l.half = calloc(2 * ((size_t) g->nvalues + 1), sizeof(*l.half));
    l.twice = l.half ? l.half + g->nvalues + 1 : NULL;
    if (l.half && storage == RP_ACT_F16)
        rp_nn_choose_storage(g, l.half, l.twice);
    ret = l.view && l.home && l.half ? lower_all(&l) : rp_fail(RP_ERR_NOMEM, "out of memory");
    if (ret >= 0)
        ret = join_steps(&l);
    free(l.view);
    free(l.home);
    free(l.half);
    return ret;
}
