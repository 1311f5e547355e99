/* Writing ONNX files of a few nodes into memory of the caller.
 *
 *     struct rp_onnx_out out = {.data = buffer, .size = sizeof(buffer)};
 *     const size_t graph = rp_onnx_begin_model(&out, "sum");
 *     rp_onnx_put_node(&out, "Add a b > c");
 *     rp_onnx_put_value(&out, RP_ONNX_INPUT, "a", 2, (int64_t[]){-1, 3});
 *     ...
 *     RP_CHECK(rp_onnx_end_model(&out, graph));     out.n bytes are the file
 *
 * The numbers of fields are those of onnx.proto, at most 15. */
#ifndef RP_ONNX_WRITE_H
#define RP_ONNX_WRITE_H

#include "onnx/onnx.h"

struct rp_onnx_out {
    uint8_t *data;
    size_t size, n; /* capacity; bytes written */
    bool full;      /* it did not fit: from then on nothing is written */
};

/* A model of operator set 17; what is put between the two calls is in its graph. RP_ERR_LIMIT when
 * there was not enough room. */
size_t rp_onnx_begin_model(struct rp_onnx_out *out, const char *name);
int rp_onnx_end_model(struct rp_onnx_out *out, size_t begun);

/* A node: its operator, inputs and outputs, "Clip x - most > y"; "-" is an input left out. */
void rp_onnx_put_node(struct rp_onnx_out *out, const char *text);
/* The same with attributes, which are put before rp_onnx_end(). */
size_t rp_onnx_begin_node(struct rp_onnx_out *out, const char *text);
void rp_onnx_put_int(struct rp_onnx_out *out, const char *attribute, int64_t v);
void rp_onnx_put_ints(struct rp_onnx_out *out, const char *attribute, int n, const int64_t *v);

/* A tensor of float32 in a list of the graph; -1 in dim leaves a size open. */
void rp_onnx_put_value(struct rp_onnx_out *out, enum rp_onnx_list list, const char *name, int rank,
                       const int64_t *dim);

/* A weight; without raw bytes it has no elements. */
void rp_onnx_put_weight(struct rp_onnx_out *out, const char *name, enum rp_onnx_type type, int rank,
                        const int64_t *dim, const void *raw, size_t n);

/* ---- single fields ---- */

void rp_onnx_put_number(struct rp_onnx_out *out, unsigned field, uint64_t v);
void rp_onnx_put_bytes(struct rp_onnx_out *out, unsigned field, const void *p, size_t n);
void rp_onnx_put_text(struct rp_onnx_out *out, unsigned field, const char *text);

/* A nested message of the fields put between the two calls. @return for rp_onnx_end() */
size_t rp_onnx_begin(struct rp_onnx_out *out, unsigned field);
void rp_onnx_end(struct rp_onnx_out *out, size_t begun);

#endif /* RP_ONNX_WRITE_H */
