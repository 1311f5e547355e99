/* Fields are those of onnx.proto: ModelProto.graph, GraphProto.input, output and value_info, and in
 * a ValueInfoProto type, tensor_type, shape, dim, dim_value. */
#include "onnx/sizes.h"

#include "onnx/impl.h"

enum { MODEL_GRAPH = 7, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12, GRAPH_VALUE = 13 };
enum { STATED = 1 << 3 | RP_WIRE_VARINT, UNKNOWN = 15 << 3 | RP_WIRE_VARINT }; /* keys of a byte */

/* What is known of a graph. */
struct sizes {
    bool open;   /* an input of any height or width */
    bool stated; /* an output that has a number for one */
    uint8_t *erase; /* the file, in the second walk: take the numbers back; else NULL */
    const void *file;
};

static void walk_dim(struct sizes *s, struct rp_onnx_text dim, int index, int part)
{
    struct rp_field f;
    bool number = false;
    struct rp_wire w = rp_wire_over(dim);

    for (const uint8_t *key = w.p; rp_wire_next(&w, &f); key = w.p) {
        if (f.number != 1 || f.kind != RP_WIRE_VARINT || *key != STATED)
            continue;
        number = true;
        if (s->erase && part != GRAPH_INPUT) /* a field that nobody knows is skipped */
            s->erase[key - (const uint8_t *) s->file] = UNKNOWN;
    }
    s->open |= part == GRAPH_INPUT && index > 0 && !number; /* the first one is the batch */
    s->stated |= part == GRAPH_OUTPUT && number;
}

/* Go down a ValueInfoProto: type (2), tensor_type (1), shape (2), dim (1). */
static void walk_value(struct sizes *s, struct rp_onnx_text message, int depth, int part)
{
    static const int numbers[] = {2, 1, 2, 1};
    struct rp_field f;
    struct rp_wire w = rp_wire_over(message);

    for (int i = 0; rp_wire_next(&w, &f);) {
        if (f.number != numbers[depth] || f.kind != RP_WIRE_BYTES)
            continue;
        if (depth < 3)
            walk_value(s, f.text, depth + 1, part);
        else
            walk_dim(s, f.text, i++, part);
    }
}

static void walk(struct sizes *s, struct rp_onnx_text message, bool graph)
{
    struct rp_field f;
    struct rp_wire w = rp_wire_over(message);

    while (rp_wire_next(&w, &f)) {
        if (f.kind != RP_WIRE_BYTES)
            continue;
        if (!graph && f.number == MODEL_GRAPH)
            walk(s, f.text, true);
        else if (graph && f.number >= GRAPH_INPUT && f.number <= GRAPH_VALUE)
            walk_value(s, f.text, 0, f.number);
    }
}

void rp_onnx_open_sizes(struct rp_onnx_image *out, const char *path)
{
    rp_log_hold(true); /* what cannot be read is ONNX Runtime's to say */
    const int ret = rp_onnx_map(out, path, true);
    rp_log_hold(false);
    if (ret < 0)
        return;

    const struct rp_onnx_text file = {out->data, out->size};
    struct sizes s = {.file = out->data};
    walk(&s, file, false);
    if (!s.open || !s.stated) {
        rp_onnx_unmap(out);
        return;
    }
    s.erase = out->data;
    walk(&s, file, false);
}
