/* Plans of native networks, and their constants, in the cache: the next start takes them from there
 * instead of reading, folding and packing the model file again.
 *
 * A plan is an entry for each file and sizes, and is small. Constants are an entry by their sum, so
 * that plans of all sizes share them, here as on the device. A file that is cut, changed or of
 * another build is dropped with one log line, and both are made again. */
#ifndef RP_ENGINE_KEPT_H
#define RP_ENGINE_KEPT_H

#include "device/device.h"
#include "engine/cache.h"
#include "nets/keep.h"

#define RP_KEPT_KEY 1024

/* The key of a plan: the file as rp_cache_stamp() says, the sizes of its inputs, the type that
 * tensors are stored in, and this build. */
void rp_kept_key(const char *stamp, int inputs, const int *ranks, const int64_t *const *dims,
                 enum rp_act_type storage, char key[RP_KEPT_KEY]);

/* 1 and the plan, without its constants, with their sum; 0: there is none; or RP_ERR_NOMEM. */
int rp_kept_plan(struct rp_cache *cache, const char *key, struct rp_nn_plan **out,
                 struct rp_nn_sum *sum);
/* Keep a plan and its constants. That they cannot be kept is no failure. */
void rp_kept_put(struct rp_cache *cache, const char *key, const struct rp_nn_plan *plan,
                 const struct rp_nn_sum *sum);

/* Constants into memory of the device, `bytes` long: 1; 0: they are not there; or a failure of the
 * device. */
int rp_kept_constants(struct rp_cache *cache, const struct rp_nn_sum *sum, size_t bytes,
                      struct rp_device *device, void *to);
/* Those of a plan that has them. */
int rp_kept_upload(const struct rp_nn_plan *plan, struct rp_device *device, void *to);

#endif /* RP_ENGINE_KEPT_H */
