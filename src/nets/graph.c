/* From a file to a graph of nodes with known kinds and sizes. */
#include "nets/graph.h"

#include "onnx/attr.h"
#include "onnx/wire.h"

static const struct {
    const char *name;
    enum rp_nn_kind kind;
} kinds[] = {
#define ENTRY(ours, theirs) {theirs, RP_NN_##ours},
    RP_NN_KINDS(ENTRY)
#undef ENTRY
        {"Upsample", RP_NN_RESIZE}, /* what it was called before */
};

const char *rp_nn_kind_name(enum rp_nn_kind kind)
{
    for (size_t i = 0; i < RP_ARRAY_LEN(kinds); i++)
        if (kinds[i].kind == kind)
            return kinds[i].name;
    return kind == RP_NN_AFFINE      ? "Affine"
           : kind == RP_NN_NORM      ? "Norm"
           : kind == RP_NN_MODULATED ? "Modulated"
                                     : "?";
}

static enum rp_nn_kind kind_of(const struct rp_onnx_node *n)
{
    if (!n->op.n || (n->domain.n && !rp_onnx_is(n->domain, "ai.onnx")))
        return RP_NN_UNKNOWN;
    for (size_t i = 0; i < RP_ARRAY_LEN(kinds); i++)
        if (rp_onnx_is(n->op, kinds[i].name))
            return kinds[i].kind;
    return RP_NN_UNKNOWN;
}

/* ---- reasons --------------------------------------------------------------------------------- */

int rp_nn_cannot(struct rp_nn_graph *g, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    if (!g->why[0])
        vsnprintf(g->why, sizeof(g->why), fmt, args);
    va_end(args);
    return RP_ERR_UNSUPPORTED;
}

int rp_nn_cannot_node(struct rp_nn_graph *g, const struct rp_nn_node *n, const char *why)
{
    if (n->onnx)
        return rp_nn_cannot(g, "%.*s: %s", (int) RP_MIN(n->onnx->op.n, 40), n->onnx->op.p, why);
    return rp_nn_cannot(g, "%s: %s", rp_nn_kind_name(n->kind), why);
}

/* ---- values ---------------------------------------------------------------------------------- */

struct rp_nn_value *rp_nn_in(const struct rp_nn_graph *g, const struct rp_nn_node *n, int i)
{
    return i < n->nin && n->in[i] >= 0 ? &g->value[n->in[i]] : NULL;
}

struct rp_nn_value *rp_nn_out(const struct rp_nn_graph *g, const struct rp_nn_node *n, int i)
{
    return i < n->nout && n->out[i] >= 0 ? &g->value[n->out[i]] : NULL;
}

bool rp_nn_is_nearest(const struct rp_nn_node *n)
{
    const struct rp_onnx_attr mode = rp_onnx_attr(n->onnx, "mode");

    return !mode.there || rp_onnx_is(mode.s, "nearest");
}

/* Its elements are in the file, so memory for them may be taken: none is shorter than a byte. */
static bool stored(const struct rp_nn_value *v)
{
    return v->constant && v->tensor.message.n && (uint64_t) v->count <= v->tensor.message.n;
}

const float *rp_nn_reals(struct rp_nn_graph *g, int value)
{
    struct rp_nn_value *const v = value >= 0 ? &g->value[value] : NULL;

    if (!v || v->real || !stored(v))
        return v ? v->real : NULL;
    v->real = malloc((size_t) RP_MAX(v->count, 1) * sizeof(float));
    if (v->real && !rp_onnx_floats(&v->tensor, v->real, (size_t) v->count)) {
        free(v->real);
        v->real = NULL;
    }
    return v->real;
}

const int64_t *rp_nn_wholes(struct rp_nn_graph *g, int value)
{
    struct rp_nn_value *const v = value >= 0 ? &g->value[value] : NULL;

    if (!v || v->whole || !stored(v))
        return v ? v->whole : NULL;
    v->whole = malloc((size_t) RP_MAX(v->count, 1) * sizeof(int64_t));
    if (v->whole && !rp_onnx_integers(&v->tensor, v->whole, (size_t) v->count)) {
        free(v->whole);
        v->whole = NULL;
    }
    return v->whole;
}

void rp_nn_drop(struct rp_nn_graph *g, int value)
{
    struct rp_nn_value *const v = &g->value[value];

    if (!v->tensor.message.n)
        return;
    free(v->real);
    v->real = NULL;
}

/* The number of elements, or -1 if a size is unknown or absurd. */
static int64_t count_of(int rank, const int64_t *dim)
{
    int64_t n = 1;

    if (rank < 0)
        return -1;
    for (int i = 0; i < rank; i++) {
        if (dim[i] < 0 || (dim[i] > 0 && n > RP_NN_MAX_ELEMENTS / dim[i]))
            return -1;
        n *= dim[i];
    }
    return n;
}

static void take_numbers(struct rp_nn_value *v, const struct rp_onnx_value *from)
{
    const size_t n = (size_t) from->numbers;

    if (!v->constant && from->reals && v->type == RP_ONNX_FLOAT && v->count == from->reals &&
        (v->real = malloc(sizeof(from->real)))) {
        memcpy(v->real, from->real, sizeof(from->real));
        v->constant = true;
        return;
    }
    if (v->constant || !from->number || v->count != from->numbers ||
        !(v->whole = malloc(RP_MAX(n, 1) * sizeof(int64_t))))
        return;
    memcpy(v->whole, from->number, n * sizeof(int64_t));
    v->constant = true;
}

static void read_value(struct rp_nn_value *v, const struct rp_onnx_value *from)
{
    *v = (struct rp_nn_value){
        .name = from->name, .type = from->type, .rank = from->rank, .maker = -1};
    memcpy(v->dim, from->dim, sizeof(v->dim));
    if (from->weight) {
        v->tensor = *from->weight;
        v->constant = true;
    } else if (from->constant.n && rp_onnx_tensor(from->constant, &v->tensor)) {
        v->constant = true;
        v->type = v->tensor.type;
        v->rank = v->tensor.rank;
        memcpy(v->dim, v->tensor.dim, sizeof(v->dim));
    }
    v->count = count_of(v->rank, v->dim);
    take_numbers(v, from);
}

/* A Constant node that has a number or a list instead of a tensor. */
static void read_constant(struct rp_nn_graph *g, const struct rp_onnx_node *n)
{
    const struct rp_onnx_attr one = rp_onnx_attr(n, "value_float"),
                              many = rp_onnx_attr(n, "value_floats");
    struct rp_nn_value *const v = n->nout == 1 && n->out[0] >= 0 ? &g->value[n->out[0]] : NULL;
    const int count = one.there ? 1 : many.nfloats;

    if (!v || v->constant || (!one.there && !many.there) ||
        !(v->real = malloc((size_t) RP_MAX(count, 1) * sizeof(float))))
        return;
    if (one.there)
        v->real[0] = one.f;
    else
        memcpy(v->real, many.floats, (size_t) count * sizeof(float));
    v->type = RP_ONNX_FLOAT;
    v->rank = many.there;
    v->dim[0] = v->count = count;
    v->constant = true;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static int read_node(struct rp_nn_graph *g, const struct rp_onnx_node *from)
{
    struct rp_nn_node *const n = &g->node[g->nnodes];

    *n = (struct rp_nn_node){
        .kind = kind_of(from), .onnx = from, .nin = from->nin, .nout = from->nout, .residual = -1};
    n->tail.slopes = n->also_tail.slopes = n->also = -1;
    n->in = malloc((size_t) (n->nin + n->nout + 1) * sizeof(int));
    if (!n->in)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    n->out = n->in + n->nin;
    if (n->nin)
        memcpy(n->in, from->in, (size_t) n->nin * sizeof(int));
    if (n->nout)
        memcpy(n->out, from->out, (size_t) n->nout * sizeof(int));
    if (n->kind == RP_NN_CONSTANT)
        read_constant(g, from);
    g->nnodes++;
    return 0;
}

/* Who makes what, and how often it is used. A node whose results are all constants is gone. */
static int connect(struct rp_nn_graph *g)
{
    for (int i = 0; i < g->nnodes; i++) {
        struct rp_nn_node *const n = &g->node[i];
        bool known = n->nout > 0;

        for (int k = 0; k < n->nout; k++) {
            struct rp_nn_value *const v = rp_nn_out(g, n, k);

            known &= !v || v->constant;
            if (v && v->maker >= 0)
                return rp_nn_cannot(g, "two nodes make the same tensor");
            if (v)
                v->maker = i;
        }
        n->gone = known;
        for (int k = 0; k < n->nin && !n->gone; k++)
            if (n->in[k] >= 0)
                g->value[n->in[k]].uses++;
    }
    for (int i = 0; i < g->noutputs; i++) {
        g->value[g->output[i]].uses++;
        g->value[g->output[i]].output = true;
    }
    for (int i = 0; i < g->nnodes; i++) /* what is a constant anyway needs no maker */
        for (int k = 0; k < g->node[i].nout; k++)
            if (rp_nn_out(g, &g->node[i], k) && rp_nn_out(g, &g->node[i], k)->constant)
                rp_nn_out(g, &g->node[i], k)->maker = -1;
    return 0;
}

/* Each value is made before it is used, by a node or as an input: then nodes can be done in order,
 * and nothing goes round in a circle. */
static int check_order(struct rp_nn_graph *g)
{
    int ret = 0;
    bool *const there = calloc((size_t) g->nvalues + 1, sizeof(bool));

    if (!there)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    for (int i = 0; i < g->ninputs; i++)
        there[g->input[i]] = true;
    for (int i = 0; i < g->nvalues; i++)
        there[i] |= g->value[i].constant;
    for (int i = 0; i < g->nnodes && ret >= 0; i++) {
        const struct rp_nn_node *const n = &g->node[i];

        for (int k = 0; k < n->nin && !n->gone; k++)
            if (n->in[k] >= 0 && !there[n->in[k]])
                ret = rp_nn_cannot_node(g, n, "it uses what nothing before it makes");
        for (int k = 0; k < n->nout; k++)
            if (n->out[k] >= 0)
                there[n->out[k]] = true;
    }
    for (int i = 0; i < g->noutputs && ret >= 0; i++)
        if (!there[g->output[i]])
            ret = rp_nn_cannot(g, "an output that nothing makes");
    free(there);
    return ret;
}

/* Kinds and sizes of all that is left. */
static int check(struct rp_nn_graph *g)
{
    for (int i = 0; i < g->nnodes; i++) {
        const struct rp_nn_node *const n = &g->node[i];

        if (n->gone)
            continue;
        if (n->kind == RP_NN_UNKNOWN || rp_onnx_has_graph(n->onnx))
            return rp_nn_cannot_node(g, n, "no such operation");
        for (int k = 0; k < n->nin + n->nout; k++) {
            const struct rp_nn_value *const v =
                k < n->nin ? rp_nn_in(g, n, k) : rp_nn_out(g, n, k - n->nin);

            if (v && v->count < 0 && (v->uses || k == n->nin))
                return rp_nn_cannot_node(g, n, "its sizes depend on what is computed");
        }
    }
    for (int i = 0; i < g->ninputs; i++)
        if (g->value[g->input[i]].count < 0)
            return rp_nn_cannot(g, "the size of an input is open");
    return 0;
}

static int *copy_ints(const int *from, int n)
{
    int *const to = malloc((size_t) RP_MAX(n, 1) * sizeof(int));

    if (to && n)
        memcpy(to, from, (size_t) n * sizeof(int));
    return to;
}

static int read_graph(struct rp_nn_graph *g)
{
    const struct rp_onnx_node *nodes;
    const int *in, *out;
    const int n = rp_onnx_nodes(g->onnx, &nodes);

    g->ninputs = rp_onnx_inputs(g->onnx, &in);
    g->noutputs = rp_onnx_outputs(g->onnx, &out);
    while (rp_onnx_value(g->onnx, g->nvalues))
        g->nvalues++;
    if (n > RP_NN_MAX_NODES)
        return rp_nn_cannot(g, "more than %d nodes", RP_NN_MAX_NODES);
    g->value = calloc((size_t) g->nvalues + 1, sizeof(*g->value));
    g->value_cap = g->nvalues + 1;
    g->node = calloc((size_t) n + 1, sizeof(*g->node));
    g->input = copy_ints(in, g->ninputs);
    g->output = copy_ints(out, g->noutputs);
    g->output_name = out;
    if (!g->value || !g->node || !g->input || !g->output)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    for (int i = 0; i < g->nvalues; i++)
        read_value(&g->value[i], rp_onnx_value(g->onnx, i));
    for (int i = 0; i < n; i++)
        RP_CHECK(read_node(g, &nodes[i]));
    RP_CHECK(connect(g));
    RP_CHECK(check_order(g));
    return check(g);
}

/* OperatorSetIdProto: domain and version; without a domain it is ONNX's own. */
static void read_opset(struct rp_nn_graph *g, struct rp_onnx_text file)
{
    struct rp_field f, h;
    struct rp_wire w = rp_wire_over(file);

    while (rp_wire_next(&w, &f)) {
        int64_t version = 0;
        bool own = true;
        struct rp_wire set = rp_wire_over(f.text);

        if (f.number != 8 || f.kind != RP_WIRE_BYTES)
            continue;
        while (rp_wire_next(&set, &h)) {
            if (h.number == 1)
                own = !h.text.n || rp_onnx_is(h.text, "ai.onnx");
            else if (h.number == 2)
                version = (int64_t) h.v;
        }
        if (own)
            g->opset = version;
    }
}

/* Sizes of inputs have as many numbers as the file says they have. */
int rp_nn_graph_read(struct rp_nn_graph **out, const char *name, const void *data, size_t size,
                     const int64_t *const *in_dim)
{
    int ret;
    struct rp_onnx_cost cost;
    struct rp_nn_graph *const g = *out = calloc(1, sizeof(*g));

    if (!g || !(g->name = strdup(name))) {
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
        goto fail;
    }
    g->size = size;
    RP_TRY(rp_onnx_read(&g->onnx, name, data, size));
    read_opset(g, (struct rp_onnx_text){data, size});
    rp_onnx_count(g->onnx, in_dim, &cost);
    ret = read_graph(g);
    if (ret >= 0 || ret == RP_ERR_UNSUPPORTED)
        return ret;

fail:
    rp_nn_graph_free(out);
    return ret;
}

void rp_nn_graph_free(struct rp_nn_graph **graph)
{
    struct rp_nn_graph *const g = *graph;

    if (!g)
        return;
    for (int i = 0; g->value && i < g->nvalues; i++) {
        free(g->value[i].real);
        free(g->value[i].whole);
    }
    for (int i = 0; i < g->nnodes; i++) {
        free(g->node[i].in);
        free(g->node[i].scale);
        free(g->node[i].shift);
        free(g->node[i].also_scale);
        free(g->node[i].also_shift);
    }
    rp_onnx_close(&g->onnx);
    free(g->name);
    free(g->value);
    free(g->node);
    free(g->input);
    free(g->output);
    free(g);
    *graph = NULL;
}

/* ---- changes --------------------------------------------------------------------------------- */

static bool uses(const struct rp_nn_node *n, int value)
{
    if (n->gone)
        return false;
    if (n->residual == value || n->tail.slopes == value || n->also_tail.slopes == value)
        return true;
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] == value)
            return true;
    return false;
}

struct rp_nn_node *rp_nn_user(struct rp_nn_graph *g, int value)
{
    const struct rp_nn_value *const v = &g->value[value];

    if (v->uses != 1 || v->output)
        return NULL;
    for (int i = RP_MAX(v->maker, 0); i < g->nnodes; i++)
        if (uses(&g->node[i], value))
            return &g->node[i];
    return NULL;
}

void rp_nn_replace(struct rp_nn_graph *g, int from, int to)
{
    struct rp_nn_value *const old = &g->value[from], *const now = &g->value[to];

    for (int i = 0; i < g->nnodes; i++)
        for (int k = 0; k < g->node[i].nin; k++)
            if (g->node[i].in[k] == from)
                g->node[i].in[k] = to;
    for (int i = 0; i < g->noutputs; i++)
        if (g->output[i] == from)
            g->output[i] = to;
    now->uses += old->uses;
    now->output |= old->output;
    old->uses = 0;
    old->output = false;
}

void rp_nn_remove(struct rp_nn_graph *g, struct rp_nn_node *n)
{
    n->gone = true;
    for (int k = 0; k < n->nin; k++)
        if (n->in[k] >= 0)
            g->value[n->in[k]].uses--;
}
