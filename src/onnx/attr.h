/* The attributes of a node. */
#ifndef RP_ONNX_ATTR_H
#define RP_ONNX_ATTR_H

#include "onnx/onnx.h"

#define RP_ONNX_MAX_ATTR 16

/* Lists longer than RP_ONNX_MAX_ATTR are cut off there. */
struct rp_onnx_attr {
    bool there, graph; /* graph: it is one, or a list of them */
    int64_t i;
    float f;
    struct rp_onnx_text s, tensor; /* a string; a TensorProto */
    int64_t ints[RP_ONNX_MAX_ATTR];
    float floats[RP_ONNX_MAX_ATTR];
    int nints, nfloats;
};

/* The attribute of this name; `there` is false if the node has none. */
struct rp_onnx_attr rp_onnx_attr(const struct rp_onnx_node *n, const char *name);
int64_t rp_onnx_attr_int(const struct rp_onnx_node *n, const char *name, int64_t absent);
float rp_onnx_attr_float(const struct rp_onnx_node *n, const char *name, float absent);
/* Has any attribute a graph (control flow)? */
bool rp_onnx_has_graph(const struct rp_onnx_node *n);

/* A TensorProto, such as the value of a Constant node. False if it is damaged. */
bool rp_onnx_tensor(struct rp_onnx_text message, struct rp_onnx_tensor *out);
/* All n elements of a tensor of type int64, int32, uint8, int8 or bool, however they are stored.
 * False if it has another type or another number of elements. */
bool rp_onnx_integers(const struct rp_onnx_tensor *tensor, int64_t *out, size_t n);

#endif /* RP_ONNX_ATTR_H */
