/* A message's length comes before it but is known only after it: rp_onnx_end() makes room for
 * it. */
#include "onnx/write.h"

enum { VARINT = 0, BYTES = 2 };
enum { IR_VERSION = 8, OPSET = 17 };

/* ---- fields ---------------------------------------------------------------------------------- */

static void put(struct rp_onnx_out *out, const void *p, size_t n)
{
    out->full |= n > out->size - out->n;
    if (out->full || !n)
        return;
    memcpy(out->data + out->n, p, n);
    out->n += n;
}

static size_t varint(uint8_t to[10], uint64_t v)
{
    size_t n = 0;

    for (; v > 127; v >>= 7)
        to[n++] = (uint8_t) v | 0x80;
    to[n++] = (uint8_t) v;
    return n;
}

static void put_varint(struct rp_onnx_out *out, uint64_t v)
{
    uint8_t bytes[10];
    const size_t n = varint(bytes, v);

    put(out, bytes, n);
}

void rp_onnx_put_number(struct rp_onnx_out *out, unsigned field, uint64_t v)
{
    put_varint(out, field << 3 | VARINT);
    put_varint(out, v);
}

void rp_onnx_put_bytes(struct rp_onnx_out *out, unsigned field, const void *p, size_t n)
{
    put_varint(out, field << 3 | BYTES);
    put_varint(out, n);
    put(out, p, n);
}

void rp_onnx_put_text(struct rp_onnx_out *out, unsigned field, const char *text)
{
    rp_onnx_put_bytes(out, field, text, strlen(text));
}

size_t rp_onnx_begin(struct rp_onnx_out *out, unsigned field)
{
    put_varint(out, field << 3 | BYTES);
    return out->n;
}

void rp_onnx_end(struct rp_onnx_out *out, size_t begun)
{
    uint8_t length[10];
    const size_t n = out->n - begun, more = varint(length, n);

    put(out, length, more); /* room for as many bytes */
    if (out->full)
        return;
    memmove(out->data + begun + more, out->data + begun, n);
    memcpy(out->data + begun, length, more);
}

/* ---- messages -------------------------------------------------------------------------------- */

size_t rp_onnx_begin_model(struct rp_onnx_out *out, const char *name)
{
    size_t graph;

    rp_onnx_put_number(out, 1, IR_VERSION);
    graph = rp_onnx_begin(out, RP_ONNX_GRAPH);
    rp_onnx_put_text(out, 2, name);
    return graph;
}

int rp_onnx_end_model(struct rp_onnx_out *out, size_t begun)
{
    size_t opset;

    rp_onnx_end(out, begun);
    opset = rp_onnx_begin(out, 8);
    rp_onnx_put_number(out, 2, OPSET);
    rp_onnx_end(out, opset);
    if (out->full)
        return rp_fail(RP_ERR_LIMIT, "the network to be written needs more than %zu bytes",
                       out->size);
    return 0;
}

size_t rp_onnx_begin_node(struct rp_onnx_out *out, const char *text)
{
    unsigned field = 4; /* op_type; then input, output */
    const size_t node = rp_onnx_begin(out, 1);

    for (size_t n; (n = strcspn(text, " ")) > 0; text += n + strspn(text + n, " ")) {
        if (n == 1 && *text == '>') {
            field = 2;
            continue;
        }
        rp_onnx_put_bytes(out, field, text, n == 1 && *text == '-' ? 0 : n);
        if (field == 4)
            field = 1;
    }
    return node;
}

void rp_onnx_put_node(struct rp_onnx_out *out, const char *text)
{
    rp_onnx_end(out, rp_onnx_begin_node(out, text));
}

void rp_onnx_put_int(struct rp_onnx_out *out, const char *attribute, int64_t v)
{
    const size_t a = rp_onnx_begin(out, 5);

    rp_onnx_put_text(out, 1, attribute);
    rp_onnx_put_number(out, 3, (uint64_t) v);
    rp_onnx_end(out, a);
}

void rp_onnx_put_ints(struct rp_onnx_out *out, const char *attribute, int n, const int64_t *v)
{
    const size_t a = rp_onnx_begin(out, 5);

    rp_onnx_put_text(out, 1, attribute);
    for (int i = 0; i < n; i++)
        rp_onnx_put_number(out, 8, (uint64_t) v[i]);
    rp_onnx_end(out, a);
}

void rp_onnx_put_value(struct rp_onnx_out *out, enum rp_onnx_list list, const char *name, int rank,
                       const int64_t *dim)
{
    const size_t info = rp_onnx_begin(out, list);

    rp_onnx_put_text(out, 1, name);
    const size_t type = rp_onnx_begin(out, 2), tensor = rp_onnx_begin(out, 1);
    rp_onnx_put_number(out, 1, RP_ONNX_FLOAT);
    const size_t shape = rp_onnx_begin(out, 2);
    for (int i = 0; i < rank; i++) {
        const size_t size = rp_onnx_begin(out, 1);

        if (dim[i] < 0)
            rp_onnx_put_text(out, 2, "open");
        else
            rp_onnx_put_number(out, 1, (uint64_t) dim[i]);
        rp_onnx_end(out, size);
    }
    rp_onnx_end(out, shape);
    rp_onnx_end(out, tensor);
    rp_onnx_end(out, type);
    rp_onnx_end(out, info);
}

void rp_onnx_put_weight(struct rp_onnx_out *out, const char *name, enum rp_onnx_type type, int rank,
                        const int64_t *dim, const void *raw, size_t n)
{
    const size_t t = rp_onnx_begin(out, 5);

    for (int i = 0; i < rank; i++)
        rp_onnx_put_number(out, 1, (uint64_t) dim[i]);
    rp_onnx_put_number(out, 2, type);
    rp_onnx_put_text(out, 8, name);
    if (raw)
        rp_onnx_put_bytes(out, 9, raw, n);
    rp_onnx_end(out, t);
}
