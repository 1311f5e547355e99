/* The file is changed in place, number by number: the first size of inputs and outputs, and the
 * first number of the constant shapes of Reshape, Expand and Resize. The file's statements about
 * shapes in between are turned into a field that readers skip. */
#include "onnx/rows.h"

#include "onnx/edit.h"

enum { INT64_DATA = 7 };
#define BETWEEN RP_WIRE_KEY(RP_ONNX_BETWEEN, RP_WIRE_BYTES)
#define UNUSED RP_WIRE_KEY(9, RP_WIRE_BYTES) /* not in GraphProto: it is skipped */

/* A file that is changed to n rows. */
struct rows {
    const struct rp_onnx_image *image;
    struct rp_onnx *onnx;
    int n;
};

/* ---- one number ------------------------------------------------------------------------------ */

/* A small number on the wire, which is one byte. */
static bool set_varint(const struct rows *r, const uint8_t *p, uint64_t is)
{
    if (is != 1 || *p != 1)
        return false;
    *rp_onnx_byte(r->image, p) = (uint8_t) r->n;
    return true;
}

/* An open size stays. */
static bool set_value_info(const struct rows *r, struct rp_onnx_text info)
{
    struct rp_onnx_text dim;
    struct rp_onnx_stated size;
    struct rp_onnx_dims dims = rp_onnx_dims(info);

    if (!rp_onnx_next_dim(&dims, &dim) || !dim.n)
        return false;
    return !rp_onnx_stated(dim, &size) || set_varint(r, size.last, size.v);
}

/* The first number of a TensorProto of integers, raw or as a list. */
static void set_first(const struct rows *r, const struct rp_onnx_tensor *t)
{
    struct rp_field f;
    struct rp_wire w = rp_wire_over(t->message);
    static const uint8_t one[8] = {1};

    if (t->type != RP_ONNX_INT64)
        return;
    if (t->raw.n >= sizeof(one) && !memcmp(t->raw.p, one, sizeof(one)))
        *rp_onnx_byte(r->image, t->raw.p) = (uint8_t) r->n;
    while (rp_wire_next(&w, &f)) {
        if (f.number != INT64_DATA)
            continue;
        if (f.kind == RP_WIRE_VARINT)
            set_varint(r, w.p - 1, f.v);
        else if (f.kind == RP_WIRE_BYTES && f.text.n > 1)
            set_varint(r, (const uint8_t *) f.text.p, (uint8_t) f.text.p[0]);
        return; /* the first number only */
    }
}

/* ---- the file -------------------------------------------------------------------------------- */

/* Which input of a node says the shape of its result; -1 if none does. */
static int shape_input(const struct rp_onnx_node *node)
{
    return rp_onnx_is(node->op, "Reshape") || rp_onnx_is(node->op, "Expand") ? 1
           : rp_onnx_is(node->op, "Resize")                                  ? 3
                                                                             : -1;
}

static const struct rp_onnx_tensor *weight_of(const struct rp_onnx *o, int number)
{
    const struct rp_onnx_value *const v = rp_onnx_value(o, number);

    return v ? v->weight : NULL;
}

static void set_shapes(const struct rows *r)
{
    const struct rp_onnx_node *node;
    const int n = rp_onnx_nodes(r->onnx, &node);

    for (int i = 0; i < n; i++) {
        const int at = shape_input(&node[i]);

        if (at < 0 || at >= node[i].nin || weight_of(r->onnx, node[i].in[0]))
            continue;
        const struct rp_onnx_tensor *const shape = weight_of(r->onnx, node[i].in[at]);
        if (shape)
            set_first(r, shape);
    }
}

static bool is_weight(const struct rp_onnx *o, struct rp_onnx_text name)
{
    const struct rp_onnx_tensor *weight;
    const int n = rp_onnx_weights(o, &weight);

    for (int i = 0; i < n; i++)
        if (rp_onnx_same(weight[i].name, name))
            return true;
    return false;
}

static bool set_ends(const struct rows *r)
{
    bool ok = true;
    struct rp_field f;
    const struct rp_onnx_text file = {r->image->data, r->image->size};
    struct rp_wire w = rp_wire_over(rp_wire_part(file, RP_ONNX_GRAPH));

    for (const uint8_t *key = w.p; rp_wire_next(&w, &f); key = w.p) {
        if (f.kind != RP_WIRE_BYTES)
            continue;
        if (*key == BETWEEN)
            *rp_onnx_byte(r->image, key) = UNUSED;
        else if (f.number == RP_ONNX_OUTPUT ||
                 (f.number == RP_ONNX_INPUT && !is_weight(r->onnx, rp_wire_part(f.text, 1))))
            ok &= set_value_info(r, f.text);
    }
    return ok && !w.bad;
}

static int check_flow(const struct rp_onnx *o, const char *name)
{
    const struct rp_onnx_node *node;
    const int n = rp_onnx_nodes(o, &node);

    for (int i = 0; i < n; i++)
        if (rp_onnx_is(node[i].op, "If") || rp_onnx_is(node[i].op, "Loop") ||
            rp_onnx_is(node[i].op, "Scan"))
            return rp_fail(RP_ERR_MODEL, "%s: it has control flow", name);
    return 0;
}

int rp_onnx_set_rows(const struct rp_onnx_image *image, const char *name, int n)
{
    int ret;
    struct rows r = {.image = image, .n = n};

    if (n < 2 || n > 127) /* a number of one byte replaces another */
        return rp_fail(RP_ERR_INVALID, "%s: %d rows; 2 to 127 are possible", name, n);
    RP_TRY(rp_onnx_read(&r.onnx, name, image->data, image->size));
    RP_TRY(check_flow(r.onnx, name));
    if (!set_ends(&r)) {
        ret = rp_fail(RP_ERR_MODEL, "%s: an input or output has not one row", name);
        goto fail;
    }
    set_shapes(&r);
fail:
    rp_onnx_close(&r.onnx);
    return ret;
}

int rp_onnx_check_rows(const char *path)
{
    int ret;
    struct rp_onnx *o;

    RP_CHECK(rp_onnx_open(&o, path));
    ret = check_flow(o, path);
    rp_onnx_close(&o);
    return ret;
}
