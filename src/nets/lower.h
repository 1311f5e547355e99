/* From nodes to steps: shared by the files lower*.c. */
#ifndef RP_NETS_LOWER_H
#define RP_NETS_LOWER_H

#include "nets/view.h"

/* A part of a Concat's result. */
struct rp_nn_home {
    int whole;  /* the value; -1: none */
    int64_t at; /* channel */
};

struct rp_nn_lower {
    struct rp_nn_graph *g;
    struct rp_nn_plan *plan;
    struct rp_nn_view *view; /* of each value of the graph; buffer -1: not made yet */
    int nviews;
    struct rp_nn_home *home; /* of each value: where it is made, if a Concat needs it there */
    bool *half;              /* of each value: may be float16 (storage.c) */
    bool *twice;             /* ... is float32, and products read a copy in float16 */
    bool half_now;           /* so may what the node makes that is done now */
    int64_t batch;           /* rows of the first input */
    bool folding;            /* what is made now depends on constants alone: computed at once */
    size_t folded, most;     /* bytes of constants made here; limit */
    double work;             /* multiply-adds done on constants */
    struct rp_nn_step step;  /* being filled in */
    int scratch;             /* buffer of scratch memory, -1: none yet */
};

typedef int rp_nn_lower_fn(struct rp_nn_lower *l, struct rp_nn_node *n);
rp_nn_lower_fn rp_nn_lower_move, rp_nn_lower_concat, rp_nn_lower_gather, rp_nn_lower_pad,
    rp_nn_lower_conv, rp_nn_lower_volume, rp_nn_lower_gemm, rp_nn_lower_matmul, rp_nn_lower_affine,
    rp_nn_lower_modulated, rp_nn_lower_unary, rp_nn_lower_binary, rp_nn_lower_reduce,
    rp_nn_lower_arg_max, rp_nn_lower_softmax, rp_nn_lower_norm, rp_nn_lower_instance_norm,
    rp_nn_lower_layer_norm, rp_nn_lower_pool, rp_nn_lower_resize, rp_nn_lower_grid_sample,
    rp_nn_lower_cast;

/* ---- values and views ------------------------------------------------------------------------ */

/* The view of input i of a node (a constant is read on first use). RP_ERR_UNSUPPORTED if it is left
 * out or cannot be read. */
int rp_nn_input(struct rp_nn_lower *l, const struct rp_nn_node *n, int i, struct rp_nn_view *out);
int rp_nn_value_view(struct rp_nn_lower *l, int value, struct rp_nn_view *out);

/* Result i of a node lies there. Sizes must be those that the graph says. */
int rp_nn_result(struct rp_nn_lower *l, const struct rp_nn_node *n, int i,
                 const struct rp_nn_view *view);

int rp_nn_buffer(struct rp_nn_lower *l, enum rp_nn_memory memory, size_t bytes, int *out);
bool rp_nn_is_constant(const struct rp_nn_lower *l, const struct rp_nn_view *v);

/* A new buffer with a dense view of these sizes; see rp_nn_dense(). */
int rp_nn_fresh(struct rp_nn_lower *l, int rank, const int64_t *dim, const int *order,
                struct rp_nn_view *out);
/* The same in the order that operations want: rp_nn_order(). */
int rp_nn_fresh_nchw(struct rp_nn_lower *l, int rank, const int64_t *dim, struct rp_nn_view *out);

/* The same for the result of a node, of the sizes that the graph says, inside the result of a
 * Concat if it can be made there: then no copy is needed. */
int rp_nn_fresh_result(struct rp_nn_lower *l, const struct rp_nn_node *n, struct rp_nn_view *out);

/* The same for any value, of rank 2 and more. */
int rp_nn_fresh_value(struct rp_nn_lower *l, int value, struct rp_nn_view *out);

int rp_nn_copy_view(struct rp_nn_lower *l, const struct rp_nn_view *from,
                    const struct rp_nn_view *to);
/* A dense copy in this order of axes. */
int rp_nn_copied(struct rp_nn_lower *l, const struct rp_nn_view *from, const int *order,
                 struct rp_nn_view *out);
/* The same numbers as float32, for vectors and for operations that know nothing else. */
int rp_nn_as_float32(struct rp_nn_lower *l, struct rp_nn_view *v);
/* Other sizes, by a copy if need be. */
int rp_nn_reshaped(struct rp_nn_lower *l, struct rp_nn_view *v, int rank, const int64_t *dim);

/* The view as an operation's tensor; if it lies otherwise, a copy of it, which it then becomes. */
int rp_nn_as(struct rp_nn_lower *l, struct rp_nn_view *v, const struct rp_nn_parts *parts,
             struct rp_nn_act *out);
/* Batch, channels, height, width; rank 2 to 4. */
int rp_nn_as_nchw(struct rp_nn_lower *l, struct rp_nn_view *v, struct rp_nn_act *out);

/* ---- constants ------------------------------------------------------------------------------- */

/* `bytes` of zeros, to be filled with what operations read; *host: where. */
int rp_nn_constant(struct rp_nn_lower *l, size_t bytes, void **host, int *buffer);
/* The same with these numbers. */
int rp_nn_floats(struct rp_nn_lower *l, const float *v, int64_t n, int *buffer);

/* ---- steps ----------------------------------------------------------------------------------- */

/* Type, and bytes of a number, of a buffer. */
enum rp_act_type rp_nn_type(const struct rp_nn_lower *l, int buffer);
int64_t rp_nn_size(const struct rp_nn_lower *l, int buffer);

/* Begin a step. @return its arguments, zeroed; pointers are put in by the following */
union rp_nn_args *rp_nn_begin(struct rp_nn_lower *l, enum rp_nn_op op);
void rp_nn_put(struct rp_nn_lower *l, size_t at, int buffer, int64_t bytes);
/* A pointer to number `number` of a buffer. */
void rp_nn_put_number(struct rp_nn_lower *l, size_t at, int buffer, int64_t number);
void rp_nn_put_act(struct rp_nn_lower *l, size_t at, const struct rp_nn_act *act);
/* Scratch memory of this many bytes, which all steps share. */
int rp_nn_put_work(struct rp_nn_lower *l, size_t at, size_t bytes);
int rp_nn_emit(struct rp_nn_lower *l);

/* Steps were changed or left out: which of them use which buffer. */
void rp_nn_count_uses(struct rp_nn_lower *l);

/* Where a step's pointer at this offset of its arguments leads; NULL: it has none. */
struct rp_nn_fix *rp_nn_fix_at(const struct rp_nn_step *s, size_t at);
/* Let it lead where `from` leads, whose place in its own step counts nothing. There must be room.
 */
void rp_nn_add_fix(struct rp_nn_step *s, size_t at, const struct rp_nn_fix *from);

void rp_nn_remove_step(struct rp_nn_plan *p, int s);
bool rp_nn_uses(const struct rp_nn_step *s, int buffer);
/* Is it a tensor between steps that only steps i, k and (unless -1) j use? */
bool rp_nn_only(const struct rp_nn_plan *p, int buffer, int i, int k, int j);

/* When all steps are there: what is scaled after it was enlarged is scaled before (scale_first.c),
 * and by the convolution that made it (scale_last.c). */
void rp_nn_scale_first(struct rp_nn_plan *plan);
void rp_nn_scale_last(struct rp_nn_plan *plan);

/* Is this step each number times that of its channel, of one picture? */
bool rp_nn_scales(const struct rp_nn_step *s);

/* A sum with what was enlarged reads it as it was before, and is done with the sum before it
 * (sums.c). */
void rp_nn_join_sums(struct rp_nn_plan *plan);

/* Second results of sums and pools, when all steps are there (second.c). */
void rp_nn_second_results(struct rp_nn_plan *plan);

/* Fully connected layers that can be done at once become one step, when all are there (join.c). */
int rp_nn_join(struct rp_nn_lower *l);

/* What follows, as operations want it; slopes are put at `at`, where struct rp_net_then is. */
int rp_nn_then(struct rp_nn_lower *l, const struct rp_nn_tail *tail, struct rp_net_then *then,
               size_t at);

#define RP_NN_AT(op, field) offsetof(struct rp_op_##op, field)

/* dst = a OP b, both of dst's sizes or 1 there (b may have buffer -1: there is only a), then
 * `tail`. dst is made. */
int rp_nn_eltwise(struct rp_nn_lower *l, struct rp_nn_view a, struct rp_nn_view b, int op,
                  float scalar, const struct rp_nn_tail *tail, struct rp_nn_view *dst);
/* Over axes of a mask, which stay as sizes of 1. */
int rp_nn_reduce(struct rp_nn_lower *l, struct rp_nn_view x, int mask, int kind,
                 struct rp_nn_view *dst);

/* ---- windows --------------------------------------------------------------------------------- */

struct rp_nn_window {
    int kernel[2], stride[2], dilation[2];
    int begin[2], end[2], output_pad[2]; /* pads */
};

/* The attributes of a node over one or two axes (of one, it is the width); `kernel` is given. False
 * if they make no sense. */
bool rp_nn_window_of(const struct rp_nn_node *n, int rank, const struct rp_nn_act *x,
                     struct rp_nn_window *w);
/* The size that it gives, or -1; i: 0 for height, 1 for width. Transposed: unslide. */
int64_t rp_nn_slide(int64_t size, const struct rp_nn_window *w, int i);
int64_t rp_nn_unslide(int64_t size, const struct rp_nn_window *w, int i);

/* ---- storage --------------------------------------------------------------------------------- */

/* Which values may be float16, and of which sizes; see storage.c. */
void rp_nn_choose_storage(const struct rp_nn_graph *g, bool *half, bool *twice);
bool rp_nn_is_large(const struct rp_nn_lower *l, int rank, const int64_t *dim);

/* Work out a plan's steps. */
int rp_nn_lower(struct rp_nn_graph *g, struct rp_nn_plan *plan, enum rp_act_type storage);

#endif /* RP_NETS_LOWER_H */
