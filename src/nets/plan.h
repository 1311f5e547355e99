/* A network as a list of our operations: the graph's nodes one after the other, each tensor in
 * memory where the operations want it.
 *
 *   plan.c      steps, buffers, and where in one block of memory (arena) each buffer lies
 *   view.c      how a tensor of the file lies in a buffer
 *   lower.c     nodes to steps: the rest in lower_*.c
 *   join.c      layers of the same vectors, which become one step
 *
 * Tensors are NHWC (struct rp_act). A value of the graph is a view of a buffer: transposing,
 * slicing and most reshaping change only the view, and a copy is made when an operation needs
 * another order. What depends on constants alone is computed here, by the C operations, in float32.
 *
 *   storage.c   which buffers hold float16 in a plan of float16 */
#ifndef RP_NETS_PLAN_H
#define RP_NETS_PLAN_H

#include "nets/graph.h"
#include "ops/ops.h"

enum rp_nn_op {
#define RP_NN_OP(name) RP_NN_OP_##name,
    RP_NET_OPS(RP_NN_OP)
#undef RP_NN_OP
};

union rp_nn_args {
#define RP_NN_ARGS(name) struct rp_op_##name name;
    RP_NET_OPS(RP_NN_ARGS)
#undef RP_NN_ARGS
};

#define RP_NN_MAX_FIX 14

/* One operation; its pointers are filled in when memory is known. */
struct rp_nn_step {
    enum rp_nn_op op;
    union rp_nn_args args;
    struct rp_nn_fix {
        size_t at; /* of the pointer in args */
        int buffer;
        int64_t bytes; /* from the beginning of the buffer */
    } fix[RP_NN_MAX_FIX];
    int nfix;
};

enum rp_nn_memory {
    RP_NN_ARENA = 0, /* results between steps */
    RP_NN_WEIGHTS,   /* constants */
    RP_NN_INPUT,     /* number `index` of the file */
    RP_NN_OUTPUT,
};

struct rp_nn_buffer {
    enum rp_nn_memory memory;
    enum rp_act_type type; /* of its numbers */
    int index;
    size_t bytes;
    size_t offset;   /* in the arena, or among the weights */
    int first, last; /* steps that use it; -1: none */
    void *host;      /* constants: the numbers */
    bool owned;      /* `host` is this buffer's own */
};

struct rp_nn_plan {
    struct rp_nn_step *step;
    struct rp_nn_buffer *buffer;
    int nsteps, step_cap, nbuffers, buffer_cap;
    size_t arena, weights; /* bytes in all */
    int ninputs, noutputs;
    struct rp_nn_shape {
        int type; /* TensorProto.DataType */
        int rank;
        int64_t dim[RP_ONNX_MAX_RANK];
    } in[16], out[16];
};

/* The plan of a graph, which is folded and fused on the way and keeps the constants' numbers: it
 * must outlive the plan. RP_ERR_UNSUPPORTED, without a log line, with graph->why.
 * @param storage  RP_ACT_F16: large tensors between convolutions, and the weights of these, are
 *                 float16 (storage.c); inputs, outputs, vectors and sums stay float32 */
int rp_nn_plan_make(struct rp_nn_plan **out, struct rp_nn_graph *graph, enum rp_act_type storage);
void rp_nn_plan_free(struct rp_nn_plan **plan);

/* Copy all constants to `to`, plan->weights bytes. */
void rp_nn_plan_weights(const struct rp_nn_plan *plan, void *to);

/* Floating-point operations of a run, by rp_op_describe(). */
double rp_nn_plan_flop(const struct rp_nn_plan *plan);

/* The constants are elsewhere: their memory here goes. */
void rp_nn_plan_forget(struct rp_nn_plan *plan);

/* ---- for the files of this folder ------------------------------------------------------------ */

/* Its number among all operations. */
enum rp_op_number rp_nn_op_number(enum rp_nn_op op);

/* One operation, now. */
int rp_nn_do(const struct rp_ops *ops, struct rp_stream *stream, enum rp_nn_op op,
             const union rp_nn_args *args);

/* Places for buffers, so that none lies where another is still needed. */
int rp_nn_place(struct rp_nn_plan *plan);

#endif /* RP_NETS_PLAN_H */
