/* The pool: the models of one pipeline. The store finds their files, the shelf opens them, and all
 * slots share them. */
#ifndef RP_POOL_H
#define RP_POOL_H

#include <jansson.h>

#include "engine/engine.h"
#include "models/shelf.h"
#include "models/store.h"

struct rp_pool;

struct rp_pool_params {
    struct rp_shelf *shelf; /* where models are taken from; NULL: the pool has its own */
    struct rp_cache *cache; /* optimised models and choices, or NULL; must outlive the pool */
    int threads;            /* in one run of a model: 0 = all cores, 1 = the slot's own thread */
    enum rp_layout layout;  /* on a GPU */
    bool tensorrt;          /* on a GPU: networks through TensorRT */
    enum rp_network_engine by;
    enum rp_precision precision;
    enum rp_measure measure; /* layout and precision auto: see rp_form_open() */
};

int rp_pool_create(struct rp_pool **out, struct rp_engine *engine, struct rp_device *device,
                   const struct rp_store *store, const struct rp_pool_params *params);
void rp_pool_destroy(struct rp_pool **pool);

struct rp_device *rp_pool_device(const struct rp_pool *pool);

/* Are all files as they were when the models were opened? */
bool rp_pool_current(const struct rp_pool *pool);

/* Model number `index` of those opened so far, in order of opening; NULL after the last. */
const struct rp_model *rp_pool_model(const struct rp_pool *pool, int index);

/* Are all of them networks of our own? */
bool rp_pool_is_native(const struct rp_pool *pool);

/* Which models this pool has opened, and with which sizes: for the next pool of its kind. New
 * reference; NULL when out of memory. */
json_t *rp_pool_list(const struct rp_pool *pool);

/* Open and warm the models of such a list, each on a thread of its own, while the caller asks for
 * one after the other and waits only for that one. Models that would be measured first, or cannot
 * be opened, are left to the caller. NULL: nothing. */
void rp_pool_ahead(struct rp_pool *pool, const json_t *list);
/* Wait for these threads. Nothing may be recorded before. */
void rp_pool_ahead_end(struct rp_pool *pool);

/* The model of this name or, if it is only a default (not `named`) and not installed, the lite one
 * of its kind; *entry says which. Errors as of rp_store_resolve(). The model goes back to the shelf
 * with rp_pool_destroy(). */
int rp_pool_get(struct rp_pool *pool, enum rp_model_kind kind, const char *name, bool named,
                const struct rp_model_entry **entry, struct rp_model **model);

/* A further file of the same package, by kind and name, without a fallback. */
int rp_pool_get_exact(struct rp_pool *pool, enum rp_model_kind kind, const char *name,
                      struct rp_model **model);

/* The same for a file that the job can do without: *model is NULL if it is not installed. */
int rp_pool_get_optional(struct rp_pool *pool, enum rp_model_kind kind, const char *name,
                         struct rp_model **model);

#endif /* RP_POOL_H */
