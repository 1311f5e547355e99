/* The shelf: the models that are open in the process. Each file is open once per device and way of
 * opening it, however many pipelines use it, and stays open for the next pipeline when none does.
 *
 * The files of unused models may add up to `limit` bytes per device; beyond that the least recently
 * used one is closed. A file that has changed on disk is opened again, while those who use the old
 * model keep it.
 *
 * Threads: any. But models on a GPU must be taken, given back and cleared on that GPU's thread,
 * where they are opened and closed, or by threads that entered the device. */
#ifndef RP_SHELF_H
#define RP_SHELF_H

#include "engine/form.h"

struct rp_shelf;

/* @param limit  bytes of model files kept per device; 0: a quarter of the memory, on a GPU a
 *               quarter of what would be free without them; negative: nothing is kept */
int rp_shelf_create(struct rp_shelf **out, int64_t limit);
void rp_shelf_destroy(struct rp_shelf **shelf); /* no model may be in use */

/* Which model to open, and how. */
struct rp_shelf_wish {
    struct rp_model_params model;
    enum rp_measure measure; /* see rp_form_open() */
    const int64_t (*warm)[RP_MAX_RANK]; /* NULL, or run it once if it was not open: rp_model_warm() */
};

/* Take the model of this file, which is opened unless it is on the shelf. Not for edited files.
 * Cache, engine and device must outlive the model. */
int rp_shelf_take(struct rp_shelf *shelf, struct rp_engine *engine, struct rp_device *device,
                  const struct rp_shelf_wish *wish, struct rp_model **out);
void rp_shelf_give(struct rp_shelf *shelf, struct rp_model **model);

/* Is the model's file still as it was when it was opened? */
bool rp_shelf_current(struct rp_shelf *shelf, const struct rp_model *model);

/* Close all unused models on this device, because the device is about to close or its memory is
 * needed. */
void rp_shelf_clear(struct rp_shelf *shelf, const struct rp_device *device);

#endif /* RP_SHELF_H */
