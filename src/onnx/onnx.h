/* What an ONNX file contains: nodes, weights and shapes, and, counted from these, the floating
 * point operations and bytes of one run.
 *
 * It reads the protobuf wire format of a file in memory. Nothing in the file is trusted: every length
 * is checked against what is there, nesting has a fixed depth, and numbers that make no sense
 * become "unknown". To run a network, ONNX Runtime reads the file itself.
 *
 * Files are changed by sizes.h and rows.h, and written by write.h. */
#ifndef RP_ONNX_H
#define RP_ONNX_H

#include "base/base.h"

#define RP_ONNX_MAX_RANK 8

/* Bytes of the file, without a zero byte after them. */
struct rp_onnx_text {
    const char *p;
    size_t n;
};

/* Element types that matter here, as in TensorProto.DataType. */
enum rp_onnx_type {
    RP_ONNX_FLOAT = 1,
    RP_ONNX_UINT8 = 2,
    RP_ONNX_INT8 = 3,
    RP_ONNX_INT32 = 6,
    RP_ONNX_INT64 = 7,
    RP_ONNX_BOOL = 9,
    RP_ONNX_HALF = 10,
    RP_ONNX_DOUBLE = 11,
};

/* Fields of onnx.proto: the graph of a ModelProto; the lists of a GraphProto in which each
 * ValueInfoProto describes a tensor. */
enum { RP_ONNX_GRAPH = 7 };
enum rp_onnx_list { RP_ONNX_INPUT = 11, RP_ONNX_OUTPUT = 12, RP_ONNX_BETWEEN = 13 };

struct rp_onnx_tensor {
    struct rp_onnx_text name;
    int type;                      /* TensorProto.DataType */
    int rank;                      /* -1: more than RP_ONNX_MAX_RANK, or nonsense */
    int64_t dim[RP_ONNX_MAX_RANK];
    double bytes;                  /* of its elements; 0 if the type has no fixed size */
    struct rp_onnx_text raw;       /* raw_data; n = 0 if the elements are stored in another way */
    int64_t offset;                /* of raw in the file, -1 if there is none */
    struct rp_onnx_text message;   /* the whole TensorProto */
};

struct rp_onnx_node {
    struct rp_onnx_text op, name, domain;
    int nin, nout;
    const int *in, *out;           /* numbers of values; -1 = left out */
    struct rp_onnx_text message;   /* the whole NodeProto */
};

/* A tensor by name: input, weight or result of a node. */
struct rp_onnx_value {
    struct rp_onnx_text name;
    int type;                      /* 0 = unknown */
    int rank;                      /* -1 = unknown */
    int64_t dim[RP_ONNX_MAX_RANK]; /* -1 = unknown */
    const struct rp_onnx_tensor *weight; /* NULL if it is not a weight */
    struct rp_onnx_text constant;  /* TensorProto of the Constant node that makes it */
    int64_t *number;               /* elements of a small integer tensor if known, or NULL */
    int numbers;
    float real[RP_ONNX_MAX_RANK]; /* the same of reals, which factors of a Resize are */
    int reals;                    /* 0: not known */
};

struct rp_onnx;

/* A file in memory, which may be changed there. */
struct rp_onnx_image {
    void *data; /* NULL: empty */
    size_t size;
};

/* All of a file. What becomes of the file afterwards does not matter; one that becomes shorter
 * meanwhile is RP_ERR_IO, one that is too large to be ONNX RP_ERR_MODEL, and then *out is empty. */
int rp_onnx_load(struct rp_onnx_image *out, const char *path);

/* The same without the bytes of large weights, which take neither time nor memory: they are zero. */
int rp_onnx_outline(struct rp_onnx_image *out, const char *path);
/* The first `size` bytes of a file, read into memory that no other process can change, as it can a
 * mapped file. RP_ERR_IO, also for a file that is shorter; then *out is empty. End it with
 * rp_onnx_unmap(). */
int rp_onnx_copy(struct rp_onnx_image *out, const char *path, int64_t size);
void rp_onnx_unmap(struct rp_onnx_image *image);

/* RP_ERR_IO, or RP_ERR_MODEL when it is not an ONNX file. */
int rp_onnx_open(struct rp_onnx **out, const char *path);

/* The same for a file in memory, which must outlive the object. @param name  for messages */
int rp_onnx_read(struct rp_onnx **out, const char *name, const void *data, size_t size);
void rp_onnx_close(struct rp_onnx **onnx);

int rp_onnx_nodes(const struct rp_onnx *onnx, const struct rp_onnx_node **nodes);
/* In the order of the file. */
int rp_onnx_weights(const struct rp_onnx *onnx, const struct rp_onnx_tensor **weights);
/* All n elements of a weight of type float, float16 or double, however they are stored. False if it
 * has another type or another number of elements. */
bool rp_onnx_floats(const struct rp_onnx_tensor *weight, float *out, size_t n);
const struct rp_onnx_value *rp_onnx_value(const struct rp_onnx *onnx, int number);
/* Numbers of values. Weights do not count as inputs. */
int rp_onnx_inputs(const struct rp_onnx *onnx, const int **values);
int rp_onnx_outputs(const struct rp_onnx *onnx, const int **values);

struct rp_onnx_cost {
    int nodes;
    double flop;             /* 2 for each multiply-add of Conv, ConvTranspose, Gemm and MatMul */
    double weight_bytes;
    double activation_bytes; /* read and written between nodes, each tensor once per use */
    bool complete;           /* everything needed was known */
    char unknown[64];        /* operator of the first node of unknown cost; else "" */
};

/* Work out the shapes of all values and count.
 * @param in_dim  sizes of the inputs, in order; NULL, or NULL for one input: as in the file, with 1
 *                for an open first dimension */
void rp_onnx_count(struct rp_onnx *onnx, const int64_t *const *in_dim, struct rp_onnx_cost *cost);

bool rp_onnx_is(struct rp_onnx_text text, const char *word);
bool rp_onnx_same(struct rp_onnx_text a, struct rp_onnx_text b);

#endif /* RP_ONNX_H */
