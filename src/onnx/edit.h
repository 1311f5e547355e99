/* Changing a file byte by byte, in memory: shared by sizes.c and rows.c. Nothing gets longer or
 * shorter, so no length around it has to change, and even in a large file only a few pages are
 * copied. */
#ifndef RP_ONNX_EDIT_H
#define RP_ONNX_EDIT_H

#include "onnx/wire.h"

/* Walks the dimensions of a ValueInfoProto; rp_onnx_dims() starts it. */
struct rp_onnx_dims {
    struct rp_wire at[4]; /* in ValueInfoProto, TypeProto, TypeProto.Tensor, TensorShapeProto */
    int depth;
};

struct rp_onnx_dims rp_onnx_dims(struct rp_onnx_text value_info);
bool rp_onnx_next_dim(struct rp_onnx_dims *dims, struct rp_onnx_text *dim);

/* The number that a dimension states. */
struct rp_onnx_stated {
    const uint8_t *key;  /* one byte */
    const uint8_t *last; /* byte of the number */
    uint64_t v;
};

/* False: the dimension is open. */
bool rp_onnx_stated(struct rp_onnx_text dim, struct rp_onnx_stated *out);

/* The byte of the file that p, found by reading, points to. */
uint8_t *rp_onnx_byte(const struct rp_onnx_image *image, const void *p);

#endif /* RP_ONNX_EDIT_H */
