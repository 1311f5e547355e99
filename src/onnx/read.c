/* The graph of a file: nodes, weights, and the names that connect them. */
#include "onnx/impl.h"

#define MAX_PARTS (1 << 22) /* more nodes, weights or names than any network has */

/* ---- values by name -------------------------------------------------------------------------- */

static uint64_t hash(struct rp_onnx_text name)
{
    uint64_t h = 14695981039346656037u;

    for (size_t i = 0; i < name.n; i++)
        h = (h ^ (uint8_t) name.p[i]) * 1099511628211u;
    return h ^ h >> 29;
}

static bool grow_index(struct rp_onnx *o)
{
    const size_t cap = o->index_cap ? 2 * o->index_cap : 1024;
    int *const index = malloc(cap * sizeof(*index));

    if (!index)
        return false;
    memset(index, 0xff, cap * sizeof(*index));
    for (int i = 0; i < o->nvalues; i++) {
        size_t at = hash(o->value[i].name) & (cap - 1);

        while (index[at] >= 0)
            at = (at + 1) & (cap - 1);
        index[at] = i;
    }
    free(o->index);
    o->index = index;
    o->index_cap = cap;
    return true;
}

/* Add an element of `size` bytes to an array; NULL when out of memory. */
static void *one_more(void **array, int n, size_t size)
{
    if (n == MAX_PARTS)
        return NULL;
    if ((n & (n - 1)) == 0) { /* full at each power of two */
        void *const grown = realloc(*array, (n ? 2 * (size_t) n : 1) * size);

        if (!grown)
            return NULL;
        *array = grown;
    }
    return memset((char *) *array + (size_t) n * size, 0, size);
}

/* The value of this name, made if it is new. -1: no name (left out), -2: out of memory. */
static int find_value(struct rp_onnx *o, struct rp_onnx_text name)
{
    size_t at;
    struct rp_onnx_value *v;

    if (!name.n)
        return -1;
    if (2 * (size_t) o->nvalues >= o->index_cap && !grow_index(o))
        return -2;
    at = hash(name) & (o->index_cap - 1);
    for (; o->index[at] >= 0; at = (at + 1) & (o->index_cap - 1))
        if (rp_onnx_same(o->value[o->index[at]].name, name))
            return o->index[at];
    if (!(v = one_more((void **) &o->value, o->nvalues, sizeof(*o->value))))
        return -2;
    v->name = name;
    v->rank = -1;
    return o->index[at] = o->nvalues++;
}

/* ---- the graph ------------------------------------------------------------------------------- */

static int no_memory(void)
{
    return rp_fail(RP_ERR_NOMEM, "out of memory");
}

static int add_weight(struct rp_onnx *o, struct rp_onnx_text message)
{
    struct rp_onnx_tensor *const t = one_more((void **) &o->weight, o->nweights, sizeof(*t));

    if (!t)
        return no_memory();
    if (!rp_onnx_parse_tensor(message, t))
        return RP_ERR_MODEL;
    if (t->raw.n)
        t->offset = t->raw.p - (const char *) o->data;
    o->nweights++;
    return 0;
}

/* Add a list of value numbers to o->link. */
static int add_links(struct rp_onnx *o, struct rp_onnx_text node, int number, int *n)
{
    struct rp_field f;
    struct rp_wire w = rp_wire_over(node);

    *n = 0;
    while (rp_wire_next(&w, &f)) {
        if (f.number != number || f.kind != RP_WIRE_BYTES)
            continue;
        int *const link = one_more((void **) &o->link, o->nlinks, sizeof(*link));
        if (!link || (*link = find_value(o, f.text)) == -2)
            return no_memory();
        o->nlinks++;
        ++*n;
    }
    return w.bad ? RP_ERR_MODEL : 0;
}

static int add_node(struct rp_onnx *o, struct rp_onnx_text message)
{
    struct rp_field f;
    struct rp_wire w = rp_wire_over(message);
    struct rp_onnx_node *const n = one_more((void **) &o->node, o->nnodes, sizeof(*n));

    if (!n)
        return no_memory();
    n->message = message;
    while (rp_wire_next(&w, &f)) {
        if (f.number == 3)
            n->name = f.text;
        else if (f.number == 4)
            n->op = f.text;
        else if (f.number == 7)
            n->domain = f.text;
    }
    RP_CHECK(add_links(o, message, 1, &n->nin));
    RP_CHECK(add_links(o, message, 2, &n->nout));
    o->nnodes++;
    return 0;
}

static bool parse_dim(struct rp_onnx_text message, int64_t *dim)
{
    struct rp_field f;
    struct rp_wire w = rp_wire_over(message);

    *dim = -1;
    while (rp_wire_next(&w, &f))
        if (f.number == 1 && f.kind == RP_WIRE_VARINT && f.v <= RP_ONNX_MAX_DIM)
            *dim = (int64_t) f.v;
    return !w.bad;
}

static bool parse_shape(struct rp_onnx_text message, struct rp_onnx_value *v)
{
    bool ok = true;
    struct rp_field f;
    struct rp_wire w = rp_wire_over(message);

    v->rank = 0;
    while (rp_wire_next(&w, &f)) {
        if (f.number != 1 || f.kind != RP_WIRE_BYTES)
            continue;
        if (v->rank == RP_ONNX_MAX_RANK)
            break;
        ok &= parse_dim(f.text, &v->dim[v->rank++]);
    }
    if (w.p != w.end)
        v->rank = -1;
    return ok && !w.bad;
}

/* TypeProto.Tensor, inside a TypeProto. */
static bool parse_type(struct rp_onnx_text message, struct rp_onnx_value *v)
{
    bool ok = true;
    struct rp_field f, g;
    struct rp_wire w = rp_wire_over(message);

    while (rp_wire_next(&w, &f)) {
        if (f.number != 1 || f.kind != RP_WIRE_BYTES)
            continue;
        struct rp_wire tensor = rp_wire_over(f.text);
        while (rp_wire_next(&tensor, &g)) {
            if (g.number == 1 && g.kind == RP_WIRE_VARINT)
                v->type = g.v < 64 ? (int) g.v : 0;
            else if (g.number == 2 && g.kind == RP_WIRE_BYTES)
                ok &= parse_shape(g.text, v);
        }
        ok &= !tensor.bad;
    }
    return ok && !w.bad;
}

/* A ValueInfoProto; *number is the value it describes, -1 without a name. */
static int add_info(struct rp_onnx *o, struct rp_onnx_text message, int *number)
{
    struct rp_field f;
    struct rp_onnx_text name = {0}, type = {0};
    struct rp_wire w = rp_wire_over(message);

    while (rp_wire_next(&w, &f)) {
        if (f.number == 1)
            name = f.text;
        else if (f.number == 2)
            type = f.text;
    }
    if (w.bad)
        return RP_ERR_MODEL;
    *number = find_value(o, name);
    if (*number == -2)
        return no_memory();
    if (*number < 0 || parse_type(type, &o->value[*number]))
        return 0;
    return RP_ERR_MODEL;
}

static int add_end(struct rp_onnx *o, struct rp_onnx_text message, int **list, int *n)
{
    int number;
    int *at;

    RP_CHECK(add_info(o, message, &number));
    if (number < 0)
        return 0;
    if (!(at = one_more((void **) list, *n, sizeof(*at))))
        return no_memory();
    *at = number;
    ++*n;
    return 0;
}

static int add_field(struct rp_onnx *o, const struct rp_field *f)
{
    int number;

    if (f->kind != RP_WIRE_BYTES)
        return 0;
    switch (f->number) {
    case 1:
        return add_node(o, f->text);
    case 5:
        return add_weight(o, f->text);
    case RP_ONNX_INPUT:
        return add_end(o, f->text, &o->input, &o->ninputs);
    case RP_ONNX_OUTPUT:
        return add_end(o, f->text, &o->output, &o->noutputs);
    case RP_ONNX_BETWEEN:
        return add_info(o, f->text, &number);
    default:
        return 0;
    }
}

/* Set pointers into arrays that no longer grow, and take weights out of the inputs. */
static int connect(struct rp_onnx *o)
{
    int used = 0, kept = 0;

    for (int i = 0; i < o->nnodes; i++) {
        o->node[i].in = o->link ? o->link + used : NULL;
        used += o->node[i].nin;
        o->node[i].out = o->link ? o->link + used : NULL;
        used += o->node[i].nout;
    }
    for (int i = 0; i < o->nweights; i++) {
        const int n = find_value(o, o->weight[i].name);

        if (n == -2)
            return no_memory();
        if (n < 0)
            continue;
        struct rp_onnx_value *const v = &o->value[n];
        v->weight = &o->weight[i];
        v->type = v->weight->type;
        v->rank = v->weight->rank;
        memcpy(v->dim, v->weight->dim, sizeof(v->dim));
    }
    for (int i = 0; i < o->ninputs; i++)
        if (!o->value[o->input[i]].weight)
            o->input[kept++] = o->input[i];
    o->ninputs = kept;
    return 0;
}

static int parse_graph(struct rp_onnx *o, struct rp_onnx_text message)
{
    struct rp_field f;
    struct rp_wire w = rp_wire_over(message);

    while (rp_wire_next(&w, &f))
        RP_CHECK(add_field(o, &f));
    return w.bad ? RP_ERR_MODEL : 0;
}

static int parse(struct rp_onnx *o)
{
    int ret = 0;
    struct rp_field f;
    struct rp_onnx_text graph = {0};
    struct rp_wire w = rp_wire_over((struct rp_onnx_text){(const char *) o->data, o->size});

    while (rp_wire_next(&w, &f))
        if (f.number == RP_ONNX_GRAPH && f.kind == RP_WIRE_BYTES)
            graph = f.text;
    if (w.bad || !graph.n)
        ret = RP_ERR_MODEL;
    if (ret >= 0)
        ret = parse_graph(o, graph);
    if (ret >= 0)
        ret = connect(o);
    return ret == RP_ERR_MODEL ? rp_fail(ret, "%s: not an ONNX file, or damaged", o->name) : ret;
}

/* ---- opening --------------------------------------------------------------------------------- */

int rp_onnx_read(struct rp_onnx **out, const char *name, const void *data, size_t size)
{
    int ret;
    struct rp_onnx *const o = *out = calloc(1, sizeof(*o));

    if (!o || !(o->name = strdup(name))) {
        ret = no_memory();
        goto fail;
    }
    o->data = data;
    o->size = size;
    RP_TRY(parse(o));
    return 0;

fail:
    rp_onnx_close(out);
    return ret;
}

int rp_onnx_open(struct rp_onnx **out, const char *path)
{
    int ret;
    struct rp_onnx_image file;
    struct rp_onnx *o = NULL;

    *out = NULL;
    RP_CHECK(rp_onnx_load(&file, path));
    ret = rp_onnx_read(&o, path, file.data, file.size);
    if (ret < 0 || !o) {
        rp_onnx_unmap(&file);
        return ret;
    }
    o->file = file;
    *out = o;
    return 0;
}

void rp_onnx_close(struct rp_onnx **onnx)
{
    struct rp_onnx *const o = *onnx;

    if (!o)
        return;
    for (int i = 0; i < o->nvalues; i++)
        free(o->value[i].number);
    rp_onnx_unmap(&o->file);
    free(o->name);
    free(o->node);
    free(o->weight);
    free(o->value);
    free(o->link);
    free(o->input);
    free(o->output);
    free(o->index);
    free(o);
    *onnx = NULL;
}

int rp_onnx_nodes(const struct rp_onnx *onnx, const struct rp_onnx_node **nodes)
{
    *nodes = onnx->node;
    return onnx->nnodes;
}

int rp_onnx_weights(const struct rp_onnx *onnx, const struct rp_onnx_tensor **weights)
{
    *weights = onnx->weight;
    return onnx->nweights;
}

const struct rp_onnx_value *rp_onnx_value(const struct rp_onnx *onnx, int number)
{
    return number >= 0 && number < onnx->nvalues ? &onnx->value[number] : NULL;
}

int rp_onnx_inputs(const struct rp_onnx *onnx, const int **values)
{
    *values = onnx->input;
    return onnx->ninputs;
}

int rp_onnx_outputs(const struct rp_onnx *onnx, const int **values)
{
    *values = onnx->output;
    return onnx->noutputs;
}
