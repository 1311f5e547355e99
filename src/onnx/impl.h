/* The graph as shared by the files of this folder only: read.c makes it, tensor.c reads its
 * weights, count.c adds shapes and cost, rows.c reads it. */
#ifndef RP_ONNX_IMPL_H
#define RP_ONNX_IMPL_H

#include "onnx/wire.h"

#define RP_ONNX_MAX_DIM ((int64_t) 1 << 31)

struct rp_onnx {
    char *name;
    const uint8_t *data;
    size_t size;
    struct rp_onnx_image file; /* the same memory, if it was read here; else empty */
    struct rp_onnx_node *node;
    struct rp_onnx_tensor *weight;
    struct rp_onnx_value *value;
    int *link, *input, *output;
    int nnodes, nweights, nvalues, nlinks, ninputs, noutputs;
    int *index; /* hash table of names: numbers of values, -1 = free */
    size_t index_cap;
};

bool rp_onnx_parse_tensor(struct rp_onnx_text message, struct rp_onnx_tensor *t);
int rp_onnx_type_size(int type); /* 0 = unknown */

/* Product of the dimensions, -1 if one is unknown. */
double rp_onnx_elements(int rank, const int64_t *dim);

#endif /* RP_ONNX_IMPL_H */
