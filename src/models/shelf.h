/* The models that are open in the process: each file once for each device and way of opening it,
 * whatever number of pipelines use it, and kept for the next one when nobody does.
 *
 * The files of the models that nobody uses may add up to so many bytes for each device; beyond that
 * the one whose use is longest ago is closed. A file that has changed on disk is opened anew; who
 * still uses it as it was goes on doing so.
 *
 * Threads: any. What is of a GPU is taken, given back and cleared from that GPU's thread, on which
 * it is opened and closed. */
#ifndef RP_SHELF_H
#define RP_SHELF_H

#include "engine/form.h"

struct rp_shelf;

/* @param limit  bytes of model files kept for each device; 0: a quarter of the memory, on a GPU of
 *               what would be free without them; negative: nothing is kept */
int rp_shelf_create(struct rp_shelf **out, int64_t limit);
void rp_shelf_destroy(struct rp_shelf **shelf); /* nothing is used any more */

/* How a model is to be opened. */
struct rp_shelf_wish {
    struct rp_model_params model;
    bool measure; /* see rp_form_open() */
};

/* The model of this file, opened unless it is there. Not for files that are edited. Plans, engine
 * and device must outlive it. */
int rp_shelf_take(struct rp_shelf *shelf, struct rp_engine *engine, struct rp_device *device,
                  const struct rp_shelf_wish *wish, struct rp_model **out);
void rp_shelf_give(struct rp_shelf *shelf, struct rp_model **model);

/* Close what nobody uses on this device: before it closes, or because its memory is needed. */
void rp_shelf_clear(struct rp_shelf *shelf, const struct rp_device *device);

#endif /* RP_SHELF_H */
