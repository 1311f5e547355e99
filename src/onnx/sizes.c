#include "onnx/sizes.h"

#include "onnx/edit.h"

#define UNKNOWN RP_WIRE_KEY(15, RP_WIRE_VARINT) /* an unknown field, which readers skip */

/* What is known of a graph. */
struct sizes {
    bool open;   /* an input of any height or width */
    bool stated; /* an output that has a number for one */
    const struct rp_onnx_image *erase; /* in the second walk: erase the numbers; else NULL */
};

static void walk_value(struct sizes *s, struct rp_onnx_text value_info, int list)
{
    struct rp_onnx_text dim;
    struct rp_onnx_stated size;
    struct rp_onnx_dims dims = rp_onnx_dims(value_info);

    for (int i = 0; rp_onnx_next_dim(&dims, &dim); i++) {
        const bool stated = rp_onnx_stated(dim, &size);

        s->open |= list == RP_ONNX_INPUT && i > 0 && !stated; /* the first one is the batch */
        s->stated |= list == RP_ONNX_OUTPUT && stated;
        while (s->erase && list != RP_ONNX_INPUT && rp_onnx_stated(dim, &size))
            *rp_onnx_byte(s->erase, size.key) = UNKNOWN;
    }
}

static void walk(struct sizes *s, struct rp_onnx_text message, bool graph)
{
    struct rp_field f;
    struct rp_wire w = rp_wire_over(message);

    while (rp_wire_next(&w, &f)) {
        if (f.kind != RP_WIRE_BYTES)
            continue;
        if (!graph && f.number == RP_ONNX_GRAPH)
            walk(s, f.text, true); // NOLINT(misc-no-recursion): one level
        else if (graph && f.number >= RP_ONNX_INPUT && f.number <= RP_ONNX_BETWEEN)
            walk_value(s, f.text, f.number);
    }
}

bool rp_onnx_open_sizes(const struct rp_onnx_image *image)
{
    const struct rp_onnx_text file = {image->data, image->size};
    struct sizes s = {0};

    walk(&s, file, false);
    if (!s.open || !s.stated)
        return false;
    s.erase = image;
    walk(&s, file, false);
    return true;
}

void rp_onnx_load_open(struct rp_onnx_image *out, const char *path)
{
    rp_log_hold(true); /* a file that cannot be read is reported by ONNX Runtime */
    const bool open = rp_onnx_outline(out, path) >= 0 && rp_onnx_open_sizes(out);
    rp_onnx_unmap(out);
    if (open && rp_onnx_load(out, path) >= 0 && !rp_onnx_open_sizes(out))
        rp_onnx_unmap(out);
    rp_log_hold(false);
}
