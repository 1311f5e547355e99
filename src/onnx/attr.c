#include "onnx/attr.h"

#include "onnx/impl.h"

static float float_of(uint64_t bits)
{
    const uint32_t u = (uint32_t) bits;
    float v;

    memcpy(&v, &u, sizeof(v));
    return v;
}

static void parse_attr(struct rp_onnx_text message, struct rp_onnx_attr *a)
{
    struct rp_field f;
    struct rp_wire w = rp_wire_over(message);

    *a = (struct rp_onnx_attr){.there = true};
    while (rp_wire_next(&w, &f)) {
        if (f.number == 2 && f.kind == RP_WIRE_32)
            a->f = float_of(f.v);
        else if (f.number == 3)
            a->i = (int64_t) f.v;
        else if (f.number == 4)
            a->s = f.text;
        else if (f.number == 5)
            a->tensor = f.text;
        else if (f.number == 6 || f.number == 11)
            a->graph = true;
        else if (f.number == 7 && !rp_wire_floats(&f, a->floats, RP_ONNX_MAX_ATTR, &a->nfloats))
            break;
        else if (f.number == 8 && !rp_wire_ints(&f, a->ints, RP_ONNX_MAX_ATTR, &a->nints))
            break;
    }
}

static struct rp_onnx_text attr_name(struct rp_onnx_text message)
{
    struct rp_field f;
    struct rp_wire w = rp_wire_over(message);

    while (rp_wire_next(&w, &f))
        if (f.number == 1)
            return f.text;
    return (struct rp_onnx_text){0};
}

struct rp_onnx_attr rp_onnx_attr(const struct rp_onnx_node *n, const char *name)
{
    struct rp_onnx_attr a = {0};
    struct rp_field f;
    struct rp_wire w = rp_wire_over(n->message);

    while (!a.there && rp_wire_next(&w, &f))
        if (f.number == 5 && f.kind == RP_WIRE_BYTES && rp_onnx_is(attr_name(f.text), name))
            parse_attr(f.text, &a);
    return a;
}

int64_t rp_onnx_attr_int(const struct rp_onnx_node *n, const char *name, int64_t absent)
{
    const struct rp_onnx_attr a = rp_onnx_attr(n, name);

    return a.there ? a.i : absent;
}

float rp_onnx_attr_float(const struct rp_onnx_node *n, const char *name, float absent)
{
    const struct rp_onnx_attr a = rp_onnx_attr(n, name);

    return a.there ? a.f : absent;
}

bool rp_onnx_has_graph(const struct rp_onnx_node *n)
{
    struct rp_onnx_attr a;
    struct rp_field f;
    struct rp_wire w = rp_wire_over(n->message);

    while (rp_wire_next(&w, &f)) {
        if (f.number != 5 || f.kind != RP_WIRE_BYTES)
            continue;
        parse_attr(f.text, &a);
        if (a.graph)
            return true;
    }
    return false;
}

bool rp_onnx_tensor(struct rp_onnx_text message, struct rp_onnx_tensor *out)
{
    return rp_onnx_parse_tensor(message, out);
}

/* Element i of raw data. */
static int64_t integer(int type, const char *p, size_t i)
{
    int64_t wide;
    int32_t word;

    if (type == RP_ONNX_INT64)
        return memcpy(&wide, p + 8 * i, sizeof(wide)), wide;
    if (type == RP_ONNX_INT32)
        return memcpy(&word, p + 4 * i, sizeof(word)), word;
    return type == RP_ONNX_INT8 ? (int64_t) (int8_t) p[i] : (int64_t) (uint8_t) p[i];
}

bool rp_onnx_integers(const struct rp_onnx_tensor *t, int64_t *out, size_t n)
{
    int have = 0;
    struct rp_field f;
    struct rp_wire w = rp_wire_over(t->message);
    const size_t size = (size_t) rp_onnx_type_size(t->type);

    if ((t->type != RP_ONNX_INT64 && t->type != RP_ONNX_INT32 && t->type != RP_ONNX_UINT8 &&
         t->type != RP_ONNX_INT8 && t->type != RP_ONNX_BOOL) ||
        n > INT32_MAX)
        return false;
    if (t->raw.n) {
        if (t->raw.n != n * size)
            return false;
        for (size_t i = 0; i < n; i++)
            out[i] = integer(t->type, t->raw.p, i);
        return true;
    }
    while (rp_wire_next(&w, &f))
        if (f.number == (size == 8 ? 7 : 5) && !rp_wire_ints(&f, out, (int) n, &have))
            return false;
    return (size_t) have == n;
}
