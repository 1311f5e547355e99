/* What read.c (the file) and count.c (its shapes and cost) share. */
#ifndef RP_ONNX_IMPL_H
#define RP_ONNX_IMPL_H

#include "onnx/onnx.h"

#define RP_ONNX_MAX_DIM ((int64_t) 1 << 31)

struct rp_wire {
    const uint8_t *p, *end;
    bool bad;
};

enum { RP_WIRE_VARINT = 0, RP_WIRE_64 = 1, RP_WIRE_BYTES = 2, RP_WIRE_32 = 5 };

struct rp_field {
    int number, kind;
    uint64_t v;                /* of numbers */
    struct rp_onnx_text text;  /* of RP_WIRE_BYTES, else empty */
};

struct rp_onnx {
    char *name;
    const uint8_t *data;
    size_t size;
    void *mapped; /* the same, to be unmapped; NULL when the memory is somebody else's */
    struct rp_onnx_node *node;
    struct rp_onnx_tensor *weight;
    struct rp_onnx_value *value;
    int *link, *input, *output;
    int nnodes, nweights, nvalues, nlinks, ninputs, noutputs;
    int *index; /* hash table of names: numbers of values, -1 = free */
    size_t index_cap;
};

struct rp_wire rp_wire_over(struct rp_onnx_text text);

/* The next field; false at the end, or when the rest makes no sense (then w->bad). */
bool rp_wire_next(struct rp_wire *w, struct rp_field *f);

/* Add the numbers of a repeated field, packed or not. False when there are more than cap. */
bool rp_wire_ints(const struct rp_field *f, int64_t *out, int cap, int *n);
bool rp_wire_floats(const struct rp_field *f, float *out, int cap, int *n);

bool rp_onnx_parse_tensor(struct rp_onnx_text message, struct rp_onnx_tensor *t);
int rp_onnx_type_size(int type); /* 0 = unknown */

/* Product of the dimensions, -1 if one is unknown. */
double rp_onnx_elements(int rank, const int64_t *dim);

#endif /* RP_ONNX_IMPL_H */
