/* One network run on several things at once: faces of a frame, tiles of a crop.
 *
 * How many there are is known on the device only. So the network is bound for 1, 2, 4 ... rows on
 * the same buffers, and a choice on the device runs the smallest of these that is large enough; if
 * there are more than the largest holds, they are split into groups. This keeps a GPU's
 * multiprocessors busy, many of which one row would leave idle.
 *
 * A row's result may differ in its last bits between batch sizes, as it may between two GPUs; for
 * the same number of rows it is always the same. */
#ifndef RP_BATCH_H
#define RP_BATCH_H

#include "engine/engine.h"

#define RP_BATCH_MOST 8

struct rp_batch;

/* @param one   the network bound for one row, whose tensors rows are copied from and to; it must
 *              outlive the batch and is never run itself
 * @param most  rows at once: 2, 4 or 8
 * *out is NULL when the model's file fixes the first size of an input or output. All sizes are run
 * once here, so that ONNX Runtime has no choices left to make during a recording. */
int rp_batch_open(struct rp_batch **out, struct rp_net *one, int most);
void rp_batch_close(struct rp_batch **batch);

typedef void rp_batch_fn(void *priv);

/* Record: for each *index from 0 to *count - 1 (both in device memory) the work of before(priv),
 * which fills one->in; the network, on groups of rows; and the work of after(priv), which finds the
 * row's results in one->out. */
void rp_batch_record(struct rp_batch *batch, const int32_t *count, int32_t *index,
                     rp_batch_fn *before, rp_batch_fn *after, void *priv);

#endif /* RP_BATCH_H */
