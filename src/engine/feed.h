/* A model run as other programs run it: inputs in ordinary host memory, outputs that ONNX Runtime
 * allocates anew in each run and copies to the host. For comparison only. */
#ifndef RP_FEED_H
#define RP_FEED_H

#include "engine/engine.h"

struct rp_feed;

/* Inputs with the sizes and contents of a net's, whose model
 * may be another opening of the same file.
 * @param host  one pointer an input; must stay */
int rp_feed_open(struct rp_feed **out, struct rp_model *model, const struct rp_net *like,
                 void *const *host);
void rp_feed_close(struct rp_feed **feed);
int rp_feed_run(struct rp_feed *feed);

/* Result of the last run, host memory; NULL when it is not of this size. */
const void *rp_feed_output(const struct rp_feed *feed, int index, size_t bytes);

#endif /* RP_FEED_H */
