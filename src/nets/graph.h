/* The graph of a network as our operations need it: all sizes fixed, constants known, and what
 * follows a convolution made part of it.
 *
 *   graph.c   reads it from an ONNX file and the sizes of the inputs
 *   fold.c    removes what does nothing, and what can be done in advance
 *   fuse.c    joins nodes that one operation of ours does at once
 *
 * Batch and sizes are those that the file is given here; for another batch the graph is made again.
 * Nothing in a file is trusted: sizes are checked before memory is taken for them. */
#ifndef RP_NETS_GRAPH_H
#define RP_NETS_GRAPH_H

#include "onnx/onnx.h"

#define RP_NN_MAX_ELEMENTS ((int64_t) 1 << 31)
#define RP_NN_MAX_NODES 20000

/* Kinds of nodes. The first argument is ours, the second ONNX's name; those of ONNX that are
 * several of ours (Upsample is Resize) are in graph.c. */
/* clang-format off */
#define RP_NN_UNARY_PLAIN(X) \
    X(RELU, "Relu") X(SIGMOID, "Sigmoid") X(HARD_SWISH, "HardSwish") X(TANH, "Tanh") X(EXP, "Exp") \
    X(LOG, "Log") X(SQRT, "Sqrt") X(ABS, "Abs") X(NEG, "Neg") X(FLOOR, "Floor") X(CEIL, "Ceil") X(ERF, "Erf") \
    X(SOFTPLUS, "Softplus") X(RECIPROCAL, "Reciprocal") X(MISH, "Mish") X(SIN, "Sin") X(COS, "Cos") \
    X(ROUND, "Round") X(SIGN, "Sign") X(SILU, "") X(GELU, "Gelu")
#define RP_NN_UNARY(X) RP_NN_UNARY_PLAIN(X) \
    X(LEAKY, "LeakyRelu") X(PRELU, "PRelu") X(CLIP, "Clip") X(HARD_SIGMOID, "HardSigmoid") X(ELU, "Elu")
#define RP_NN_BINARY(X) \
    X(ADD, "Add") X(SUB, "Sub") X(MUL, "Mul") X(DIV, "Div") X(MIN, "Min") X(MAX, "Max") X(POW, "Pow") \
    X(EQUAL, "Equal") X(LESS, "Less") X(GREATER, "Greater")
#define RP_NN_MOVE(X) \
    X(RESHAPE, "Reshape") X(FLATTEN, "Flatten") X(SQUEEZE, "Squeeze") X(UNSQUEEZE, "Unsqueeze") \
    X(TRANSPOSE, "Transpose") X(SLICE, "Slice") X(SPLIT, "Split") X(CONCAT, "Concat") X(EXPAND, "Expand") \
    X(TILE, "Tile") X(GATHER, "Gather") X(PAD, "Pad") X(DEPTH_TO_SPACE, "DepthToSpace") \
    X(SPACE_TO_DEPTH, "SpaceToDepth") X(IDENTITY, "Identity") X(DROPOUT, "Dropout") X(CAST, "Cast")
#define RP_NN_OTHER(X) \
    X(CONV, "Conv") X(CONV_TRANSPOSE, "ConvTranspose") X(GEMM, "Gemm") X(MATMUL, "MatMul") \
    X(BATCH_NORM, "BatchNormalization") X(INSTANCE_NORM, "InstanceNormalization") \
    X(LAYER_NORM, "LayerNormalization") X(SOFTMAX, "Softmax") X(MAX_POOL, "MaxPool") \
    X(AVERAGE_POOL, "AveragePool") X(GLOBAL_AVERAGE, "GlobalAveragePool") X(GLOBAL_MAX, "GlobalMaxPool") \
    X(RESIZE, "Resize") X(REDUCE_MEAN, "ReduceMean") X(REDUCE_SUM, "ReduceSum") X(REDUCE_MAX, "ReduceMax") \
    X(REDUCE_MIN, "ReduceMin") X(REDUCE_L2, "ReduceL2") X(ARG_MAX, "ArgMax") X(GRID_SAMPLE, "GridSample") \
    X(CONSTANT, "Constant") X(CONSTANT_OF_SHAPE, "ConstantOfShape") X(SHAPE, "Shape")
#define RP_NN_KINDS(X) RP_NN_UNARY(X) RP_NN_BINARY(X) RP_NN_MOVE(X) RP_NN_OTHER(X)
/* clang-format on */

enum rp_nn_kind {
    RP_NN_UNKNOWN = 0,
#define RP_NN_KIND(ours, theirs) RP_NN_##ours,
    RP_NN_KINDS(RP_NN_KIND)
#undef RP_NN_KIND
        RP_NN_AFFINE, /* x * scale + shift, each per channel (axis 1): `scale`, `shift` of the node
                       */
    RP_NN_NORM, /* over height and width, of each channel; inputs x, scale, shift (or left out) */
    RP_NN_MODULATED, /* a convolution whose weights a style scales: x, style, weights */
};

struct rp_nn_value {
    struct rp_onnx_text name;
    int type; /* TensorProto.DataType */
    int rank;
    int64_t dim[RP_ONNX_MAX_RANK];
    int64_t count; /* of elements, at most RP_NN_MAX_ELEMENTS */
    int maker;     /* its node; -1: input or constant */
    int uses;      /* by nodes and as outputs */
    bool constant, output;
    struct rp_onnx_tensor tensor; /* a constant that is in the file; else its message is empty */
    float *real;                  /* elements of a constant of reals, once read or computed */
    int64_t *whole;               /* the same of whole numbers */
};

/* What is done to the result of a node before it is stored. */
struct rp_nn_tail {
    enum rp_nn_kind act; /* RP_NN_UNKNOWN: nothing */
    float a, b;          /* LEAKY: slope; CLIP: least and most; HARD_SIGMOID, ELU: alpha and beta */
    int slopes;          /* PRELU: the value that has them */
};

struct rp_nn_node {
    enum rp_nn_kind kind;
    const struct rp_onnx_node *onnx; /* for attributes; NULL: the node is ours */
    int nin, nout;
    int *in, *out; /* values; -1: left out */
    bool gone;     /* some other node does its work */
    /* of CONV, CONV_TRANSPOSE, GEMM, AFFINE: of the output channels; NULL: ones, zeros */
    float *scale, *shift;
    int channels;
    int residual;       /* the value added; -1: none */
    bool residual_last; /* added behind the activation */
    struct rp_nn_tail tail;
    int64_t pad[4];    /* CONV: more at top, left, bottom, right than the file says */
    int pad_mode;      /* of these: enum rp_nn_pad */
    int up;            /* CONV: 2: each pixel of the input stands for 2x2 */
    int shuffle;       /* CONV: the output's channels become blocks of so many pixels; 0, 1: no */
    int shuffle_order; /* enum rp_net_shuffle */
    /* a second result: the first, times and plus these (both or none), and what follows it */
    int also; /* its value; -1: none */
    float *also_scale, *also_shift;
    struct rp_nn_tail also_tail;
    float eps;       /* NORM */
    bool demodulate; /* MODULATED */
};

enum rp_nn_pad { RP_NN_PAD_ZERO = 0, RP_NN_PAD_EDGE, RP_NN_PAD_REFLECT };

struct rp_nn_graph {
    char *name;  /* of the file, for messages */
    size_t size; /* of the file */
    struct rp_onnx *onnx;
    struct rp_nn_value *value;
    struct rp_nn_node *node;
    int nvalues, nnodes, value_cap;
    int *input, *output;
    const int *output_name; /* values of the file: the outputs, before nodes were taken out */
    int ninputs, noutputs;
    int64_t opset; /* of ONNX's own operators */
    char why[160]; /* why our operations cannot do it; "" if nothing was found yet */
};

/* The graph of a file in memory, which must outlive it.
 * @param in_dim  sizes of the inputs, as for rp_onnx_count()
 * RP_ERR_MODEL when it is not a model; RP_ERR_UNSUPPORTED, without a log line, when it is one that
 * our operations cannot do: then *out is there and its `why` says what is missing. */
int rp_nn_graph_read(struct rp_nn_graph **out, const char *name, const void *data, size_t size,
                     const int64_t *const *in_dim);
void rp_nn_graph_free(struct rp_nn_graph **graph);

/* RP_ERR_UNSUPPORTED, with the reason in graph->why (the first one stays). */
int rp_nn_cannot(struct rp_nn_graph *g, const char *fmt, ...) RP_PRINTF(2, 3);
/* The same, with the node's operator before it. */
int rp_nn_cannot_node(struct rp_nn_graph *g, const struct rp_nn_node *n, const char *why);

const char *rp_nn_kind_name(enum rp_nn_kind kind);

/* Elements of a constant; NULL if it is none, or not of this kind (then why nothing is said), or
 * memory is short. They belong to the graph. */
const float *rp_nn_reals(struct rp_nn_graph *g, int value);
const int64_t *rp_nn_wholes(struct rp_nn_graph *g, int value);
/* Free elements that can be read from the file again. */
void rp_nn_drop(struct rp_nn_graph *g, int value);

/* The value at input i of a node, NULL if it is left out. */
struct rp_nn_value *rp_nn_in(const struct rp_nn_graph *g, const struct rp_nn_node *n, int i);
struct rp_nn_value *rp_nn_out(const struct rp_nn_graph *g, const struct rp_nn_node *n, int i);

/* The node that alone uses this value, which is not an output; NULL if there is none. */
struct rp_nn_node *rp_nn_user(struct rp_nn_graph *g, int value);
/* Does a Resize or Upsample only repeat or leave out pixels? */
bool rp_nn_is_nearest(const struct rp_nn_node *n);

/* Whoever uses `from` uses `to` from now on; the same for outputs. */
void rp_nn_replace(struct rp_nn_graph *g, int from, int to);
/* Take a node out; what only it used is then unused. */
void rp_nn_remove(struct rp_nn_graph *g, struct rp_nn_node *n);

/* In this order: what does nothing goes; several nodes that are one of ours (NORM, MODULATED,
 * SILU); constants per channel; what follows a convolution. */
void rp_nn_fold(struct rp_nn_graph *g);
void rp_nn_match(struct rp_nn_graph *g);
void rp_nn_affine(struct rp_nn_graph *g);
void rp_nn_fuse(struct rp_nn_graph *g);

/* Let a node at `to`, which is then gone or done by it, stand where that one is: its results are
 * those of `to`, and it comes after all that `to` needs. */
struct rp_nn_node *rp_nn_move(struct rp_nn_graph *g, struct rp_nn_node *from,
                              struct rp_nn_node *to);

/* A node of one input as what follows another one; false if it is not of that kind, or its numbers
 * are not constants. */
bool rp_nn_tail(struct rp_nn_graph *g, const struct rp_nn_node *n, struct rp_nn_tail *out);
/* The one number of a constant; false if it is not one. */
bool rp_nn_number(struct rp_nn_graph *g, int value, float *out);
/* Axes of a reduction, Squeeze, Unsqueeze or Slice, from an attribute or input `in`, as a bit mask
 * of `rank`; 0 if there are none, -1 if they are not known or wrong. */
int rp_nn_axes(struct rp_nn_graph *g, const struct rp_nn_node *n, int in, int rank);

#endif /* RP_NETS_GRAPH_H */
