/* The batch size of a network: most files fix it at one, though the network itself does not care.
 *
 * The file's bytes are mapped privately and changed in place, number by number, so that even a large
 * file costs a few pages: the first size of inputs and outputs, the first number of constant shapes
 * that Reshape, Expand and Resize give to what was computed, and the notes on shapes in between are
 * made unreadable. Whether the network still means the same is not decided here: whoever opens it
 * over n rows compares them with the network of one row (gang.c). */
#include "onnx/impl.h"
#include "engine/ort.h"

enum { MODEL_GRAPH = 7, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12, GRAPH_VALUE_INFO = 13, INT64_DATA = 7 };
#define UNUSED_FIELD 9 /* of GraphProto: a reader skips it */

/* ---- one number ------------------------------------------------------------------------------ */

/* A small number as the wire has it: one byte. */
static bool set_varint(const uint8_t *p, uint64_t is, int n)
{
    if (is != 1 || *p != 1)
        return false;
    *(uint8_t *) p = (uint8_t) n;
    return true;
}

static struct rp_onnx_text part(struct rp_onnx_text message, int number)
{
    struct rp_field f;
    struct rp_wire w = rp_wire_over(message);

    while (rp_wire_next(&w, &f))
        if (f.number == number && f.kind == RP_WIRE_BYTES)
            return f.text;
    return (struct rp_onnx_text){0};
}

/* ValueInfoProto: type (2), tensor_type (1), shape (2), dim (1), dim_value (1). An open size stays. */
static bool set_value_info(struct rp_onnx_text info, int n)
{
    struct rp_field f;
    const struct rp_onnx_text dim = part(part(part(part(info, 2), 1), 2), 1);
    struct rp_wire w = rp_wire_over(dim);

    while (rp_wire_next(&w, &f))
        if (f.number == 1 && f.kind == RP_WIRE_VARINT)
            return set_varint(w.p - 1, f.v, n);
    return dim.n > 0;
}

/* TensorProto of integers: raw, or as a list. */
static void set_first(const struct rp_onnx_tensor *t, int n)
{
    struct rp_field f;
    struct rp_wire w = rp_wire_over(t->message);
    static const uint8_t one[8] = {1};

    if (t->type != RP_ONNX_INT64)
        return;
    if (t->raw.n >= sizeof(one) && !memcmp(t->raw.p, one, sizeof(one)))
        *(uint8_t *) t->raw.p = (uint8_t) n;
    while (rp_wire_next(&w, &f)) {
        if (f.number != INT64_DATA)
            continue;
        if (f.kind == RP_WIRE_VARINT)
            set_varint(w.p - 1, f.v, n);
        else if (f.kind == RP_WIRE_BYTES && f.text.n > 1)
            set_varint((const uint8_t *) f.text.p, (uint8_t) f.text.p[0], n);
        return; /* the first number only */
    }
}

/* ---- the file -------------------------------------------------------------------------------- */

static bool is_constant(const struct rp_onnx_value *v)
{
    return v && (v->weight || v->constant.n);
}

/* The shape that a node gives to what was computed: which input says it, -1 if none. */
static int shape_input(const struct rp_onnx_node *node)
{
    return rp_onnx_is(node->op, "Reshape") || rp_onnx_is(node->op, "Expand") ? 1
           : rp_onnx_is(node->op, "Resize")                                  ? 3
                                                                             : -1;
}

static void set_shapes(const struct rp_onnx *o, int n)
{
    const struct rp_onnx_node *node;
    const int nnodes = rp_onnx_nodes(o, &node);

    for (int i = 0; i < nnodes; i++) {
        struct rp_onnx_tensor t;
        const int at = shape_input(&node[i]);

        if (at < 0 || at >= node[i].nin || is_constant(rp_onnx_value(o, node[i].in[0])))
            continue;
        const struct rp_onnx_value *const shape = rp_onnx_value(o, node[i].in[at]);
        if (shape && shape->weight)
            set_first(shape->weight, n);
        else if (shape && shape->constant.n && rp_onnx_parse_tensor(shape->constant, &t))
            set_first(&t, n);
    }
}

static bool is_weight(const struct rp_onnx *o, struct rp_onnx_text name)
{
    const struct rp_onnx_tensor *weight;
    const int n = rp_onnx_weights(o, &weight);

    for (int i = 0; i < n; i++)
        if (weight[i].name.n == name.n && !memcmp(weight[i].name.p, name.p, name.n))
            return true;
    return false;
}

static bool set_ends(const struct rp_onnx *o, struct rp_onnx_text graph, int n)
{
    bool ok = true;
    struct rp_field f;
    struct rp_wire w = rp_wire_over(graph);

    for (const uint8_t *tag = w.p; rp_wire_next(&w, &f); tag = w.p) {
        if (f.kind != RP_WIRE_BYTES)
            continue;
        if (f.number == GRAPH_VALUE_INFO && *tag == (GRAPH_VALUE_INFO << 3 | RP_WIRE_BYTES))
            *(uint8_t *) tag = UNUSED_FIELD << 3 | RP_WIRE_BYTES;
        else if (f.number == GRAPH_OUTPUT ||
                 (f.number == GRAPH_INPUT && !is_weight(o, part(f.text, 1))))
            ok &= set_value_info(f.text, n);
    }
    return ok && !w.bad;
}

/* A branch is chosen for all rows at once. */
static int check_flow(const struct rp_onnx *o, const char *path)
{
    const struct rp_onnx_node *node;
    const int n = rp_onnx_nodes(o, &node);

    for (int i = 0; i < n; i++)
        if (rp_onnx_is(node[i].op, "If") || rp_onnx_is(node[i].op, "Loop") ||
            rp_onnx_is(node[i].op, "Scan"))
            return rp_fail(RP_ERR_MODEL, "%s: it has control flow", path);
    return 0;
}

static int edit(const char *path, const struct rp_onnx_image *file, int n)
{
    int ret;
    struct rp_onnx *o = NULL;
    const struct rp_onnx_text model = {file->data, file->size};

    RP_TRY(rp_onnx_read(&o, path, file->data, file->size));
    RP_TRY(check_flow(o, path));
    if (!set_ends(o, part(model, MODEL_GRAPH), n)) {
        ret = rp_fail(RP_ERR_MODEL, "%s: an input or output has not one row", path);
        goto fail;
    }
    set_shapes(o, n);
fail:
    rp_onnx_close(&o);
    return ret;
}

/* Nothing is changed where the file leaves the rows open. */
static int check_open(const char *path)
{
    int ret;
    struct rp_onnx *o = NULL;

    RP_TRY(rp_onnx_open(&o, path));
    ret = check_flow(o, path);
    rp_onnx_close(&o);
fail:
    return ret;
}

/* ---- models ---------------------------------------------------------------------------------- */

static int open_edited(struct rp_model *m, int n)
{
    int ret;
    struct rp_onnx_image file;

    RP_TRY(rp_onnx_map(&file, m->path, true));
    if ((ret = edit(m->path, &file, n)) >= 0)
        ret = rp_model_open(&m->rows[n], m->engine, m->device,
                            &(struct rp_model_params){.path = m->path, .name = m->name,
                                                      .threads = m->threads, .plans = m->plans,
                                                      .layout = m->layout,
                                                      .deterministic = m->deterministic,
                                                      .edited = &file, .rows = n});
    rp_onnx_unmap(&file);
fail:
    return ret;
}

/* Does every tensor begin with this size? */
static bool all_begin_with(const struct rp_tensor_info *t, int n, int64_t size)
{
    for (int i = 0; i < n; i++)
        if (t[i].rank < 1 || t[i].dim[0] != size)
            return false;
    return n > 0;
}

void rp_model_rows_bad(struct rp_model *m, const char *why)
{
    rp_log(RP_LOG_DEBUG, "%s: one frame at a time: %s", m->name, why);
    m->one_row = true;
}

static int try_open(struct rp_model *m, int n)
{
    int ret;

    rp_log_hold(true);
    if (all_begin_with(m->in, m->nin, -1) && all_begin_with(m->out, m->nout, -1)) {
        ret = check_open(m->path);
        m->rows[n] = m;
    } else {
        ret = open_edited(m, n);
    }
    rp_log_hold(false);
    if (ret < 0)
        rp_model_rows_bad(m, rp_last_error());
    else if (m->recordable && !m->rows[n]->recordable)
        rp_model_rows_bad(m, "then it could not be recorded");
    return ret == RP_ERR_NOMEM || ret == RP_ERR_DEVICE_MEM ? ret : 0; /* else it just has not got it */
}

int rp_model_rows(struct rp_model **out, struct rp_model *m, int n)
{
    *out = NULL;
    if (m->one_row || m->tensorrt || m->foreign || n < 2 || n > RP_MAX_GANG)
        return 0;
    if (!m->rows[n])
        RP_CHECK(try_open(m, n));
    *out = m->one_row ? NULL : m->rows[n];
    return 0;
}
