/* One network over several things at once: faces of a frame, tiles of a crop.
 *
 * How many there are is known on the device only. So the network is bound for 1, 2, 4 ... rows on
 * the same buffers, and a choice on the device runs the smallest of these that holds them; more
 * than fit go in groups. On a GPU that keeps its multiprocessors busy where one row leaves them
 * idle.
 *
 * A row's result may differ in its last bits between sizes of the batch, as it may between two
 * GPUs; for the same number of rows it is always the same. */
#ifndef RP_BATCH_H
#define RP_BATCH_H

#include "engine/engine.h"

#define RP_BATCH_MOST 8

struct rp_batch;

/* @param one   the network bound for one row: where rows are put in and taken out; it must outlive the
 *              batch and is never run itself
 * @param most  rows at once: 2, 4 or 8
 * *out is NULL when the model's file fixes the first size of an input or output. All sizes are run
 * once here, so that nothing is left to be chosen while recording. */
int rp_batch_open(struct rp_batch **out, struct rp_net *one, int most);
void rp_batch_close(struct rp_batch **batch);

/* Record: for each *index from 0 to *count - 1 (device memory), before(priv) fills one->in; the
 * network runs on groups of rows; then after(priv) finds the row's results in one->out. */
int rp_batch_run(struct rp_batch *batch, const int32_t *count, int32_t *index, rp_record_fn *before,
                 rp_record_fn *after, void *priv);

#endif /* RP_BATCH_H */
