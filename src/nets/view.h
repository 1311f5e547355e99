/* How a tensor of the file lies in a buffer. */
#ifndef RP_NETS_VIEW_H
#define RP_NETS_VIEW_H

#include "nets/plan.h"

#define RP_NN_RANK RP_ONNX_MAX_RANK

/* Element (i0, i1, ...) is number at + i0 * step[0] + i1 * step[1] + ... of the buffer. */
struct rp_nn_view {
    int buffer; /* -1: not made yet */
    int64_t at;
    int rank;
    int64_t dim[RP_NN_RANK], step[RP_NN_RANK];
    int order[RP_NN_RANK]; /* axes from the outermost in memory to the innermost */
    bool clean;            /* up to a multiple of 8, zeros follow the innermost axis */
};

/* A tensor as operations want it (struct rp_act), with a buffer for its address. */
struct rp_nn_act {
    int buffer;
    int64_t at;
    int n, h, w, c, ld;
};

/* Which axes of a view are n, h, w, c: part[i] is the part (0 to 3) of axis order[i], which never
 * falls. */
struct rp_nn_parts {
    int rank;
    int order[RP_NN_RANK], part[RP_NN_RANK];
};

/* A dense view of these sizes in this order of axes, at the beginning of a buffer: the innermost
 * axis is followed by zeros. @return the numbers it needs, -1: too many */
int64_t rp_nn_dense(struct rp_nn_view *v, int rank, const int64_t *dim, const int *order);
/* Without gaps, in the file's order. */
void rp_nn_flat(struct rp_nn_view *v, int rank, const int64_t *dim);
int64_t rp_nn_count(const struct rp_nn_view *v);

/* The order of a file's tensors as operations want it: NHWC for rank 4 and 3 with channels first
 * (`channels`), else as they are. */
void rp_nn_order(int rank, bool channels, int *order);

/* Axes of size 1 in front, up to this rank. */
bool rp_nn_raise(struct rp_nn_view *v, int rank);
void rp_nn_transpose(struct rp_nn_view *v, const int *perm);
/* Elements from, from + by, ... of an axis. */
void rp_nn_slice(struct rp_nn_view *v, int axis, int64_t from, int64_t count, int64_t by);
/* Other sizes for the same elements in the same order; false if a copy is needed for that. */
bool rp_nn_reshape(struct rp_nn_view *v, int rank, const int64_t *dim);
/* A size of 1 becomes any, by repeating. */
bool rp_nn_expand(struct rp_nn_view *v, int rank, const int64_t *dim);

/* Parts of a tensor whose axes are batch, channels, height, width (rank 4), without height (3), or
 * without both (2). False for other ranks. */
bool rp_nn_parts_nchw(int rank, struct rp_nn_parts *p);
/* Parts for axes in the view's own order: the innermost is c, the others become n, h, w, where only
 * neighbours whose mask is the same are joined. False if that takes more than three. */
bool rp_nn_parts_masked(const struct rp_nn_view *v, const unsigned *mask, struct rp_nn_parts *p);

/* False if the view does not lie in memory like that. */
bool rp_nn_as_act(const struct rp_nn_view *v, const struct rp_nn_parts *parts,
                  struct rp_nn_act *out);

/* The copy from one view to another of the same sizes. False if it needs more axes than there
 * are. */
bool rp_nn_copy(const struct rp_nn_view *from, const struct rp_nn_view *to,
                struct rp_op_net_copy *out);

#endif /* RP_NETS_VIEW_H */
