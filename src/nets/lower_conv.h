/* What becomes steps of rp_op_net_conv: shared by lower_conv.c, lower_columns.c, lower_volume.c. */
#ifndef RP_NETS_LOWER_CONV_H
#define RP_NETS_LOWER_CONV_H

#include "nets/lower.h"

struct rp_nn_conv {
    struct rp_nn_act src, dst;
    struct rp_op_net_conv op; /* sizes */
    const float *weights;     /* [out][c / groups][kh][kw] */
    const float *bias;        /* [out] or NULL */
    int out;
    const float *scale, *shift;        /* of the node */
    int in_scale, out_scale;           /* buffers, -1: none */
    int64_t in_scale_at, out_scale_at; /* numbers */
    bool lengths;                      /* of vectors: 1 / sqrt(sum of squares times weights) */
};

/* One of a single pixel, with what the node says of its result's channels. */
struct rp_nn_conv rp_nn_conv_new(const struct rp_nn_node *n);

void rp_nn_conv_window(struct rp_op_net_conv *op, const struct rp_nn_window *w);

/* The step, with what follows it as the node says. @param add  where that adds something */
int rp_nn_conv_emit(struct rp_nn_lower *l, const struct rp_nn_node *n, struct rp_nn_conv *c,
                    const struct rp_nn_act *add);

/* All elements of a constant in the file's order, in a buffer's memory; NULL: it is not constant.
 */
int rp_nn_constant_floats(struct rp_nn_lower *l, const struct rp_nn_node *n, int i,
                          const float **out);

/* The file's numbers are no longer needed; whoever needs them still reads them again. */
int rp_nn_drop_weights(struct rp_nn_lower *l, int value);

/* ---- lower_columns.c --------------------------------------------------------------------------
 */

/* Is it quicker column by column of its window? */
bool rp_nn_columns_pay(const struct rp_nn_lower *l, const struct rp_nn_node *n,
                       const struct rp_nn_conv *c);
/* The convolution *wide of kh x 1 that comes first, with its place; *weights are to be freed, also
 * after a failure. */
int rp_nn_columns_begin(struct rp_nn_lower *l, const struct rp_nn_conv *c, struct rp_nn_conv *wide,
                        float **weights);
/* Begin the step that adds the columns, `parts`: only the bias is missing. */
int rp_nn_columns_end(struct rp_nn_lower *l, const struct rp_nn_node *n, const struct rp_nn_conv *c,
                      const struct rp_nn_act *parts, const struct rp_nn_act *add);

#endif /* RP_NETS_LOWER_CONV_H */
