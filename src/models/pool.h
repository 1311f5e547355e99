/* The models that one pipeline uses: resolved by the store, taken from the shelf of all that are
 * open, shared by all slots. */
#ifndef RP_POOL_H
#define RP_POOL_H

#include "engine/engine.h"
#include "models/shelf.h"
#include "models/store.h"

struct rp_pool;

struct rp_pool_params {
    struct rp_shelf *shelf; /* where models are taken from; NULL: one of its own */
    struct rp_plans *plans; /* optimised models and choices, or NULL; must outlive the pool */
    int threads;            /* in one run of a model: 0 = all cores, 1 = the slot's own thread */
    enum rp_layout layout;  /* on a GPU */
    bool tensorrt;          /* on a GPU: networks through TensorRT */
    bool measure;           /* layout auto: see rp_form_open() */
};

int rp_pool_create(struct rp_pool **out, struct rp_engine *engine, struct rp_device *device,
                   const struct rp_store *store, const struct rp_pool_params *params);
void rp_pool_destroy(struct rp_pool **pool);

struct rp_device *rp_pool_device(const struct rp_pool *pool);

/* The models that were opened so far, in that order; NULL behind the last. */
const struct rp_model *rp_pool_model(const struct rp_pool *pool, int index);

/* The model of this name, or, when it is only a default and not installed, the lite one of its kind
 * (rp_store_resolve() says which errors). *entry tells what it became. The model is
 * given back with the pool. */
int rp_pool_get(struct rp_pool *pool, enum rp_model_kind kind, const char *name, bool named,
                const struct rp_model_entry **entry, struct rp_model **model);

/* A second file of the same package, by kind and name; no fallback. */
int rp_pool_get_exact(struct rp_pool *pool, enum rp_model_kind kind, const char *name,
                      struct rp_model **model);

/* The same where the job can do without it: not installed leaves *model NULL. */
int rp_pool_get_optional(struct rp_pool *pool, enum rp_model_kind kind, const char *name,
                         struct rp_model **model);

#endif /* RP_POOL_H */
