/* Choosing how a native network is stored and multiplied. */
#ifndef RP_PRECISION_H
#define RP_PRECISION_H

#include "engine/engine.h"

/* What to open a model with: params->precision, but never auto. Where that is auto it is what the
 * cache knows for this file, GPU and version of ours, else TF32; *known says which. On the CPU
 * auto is float32, which is always known. */
enum rp_precision rp_precision_for(const struct rp_device *device,
                                   const struct rp_model_params *params,
                                   struct rp_precision_facts *known);

/* The model was opened with that. With auto a small network is float32. Of another of which nothing
 * is known measure both if it may be, keep what was found, and put the better model in place of
 * *model. What was asked for is only replaced if its numbers do not fit in float16. A model that is
 * not native stays as it is. */
int rp_precision_settle(struct rp_model **model, const struct rp_model_params *params,
                        const struct rp_precision_facts *known, bool may_measure);

/* How far the network's results move as TF32 and as float16 from float32, of two models of one
 * file, stored as float32 and as float16. RP_ERR_UNSUPPORTED, without a log line, if float32 itself
 * is not finite.
 * @param most  inputs are from -1 to `most`, see struct rp_model_params */
int rp_precision_measure(struct rp_model *full, struct rp_model *half, float most,
                         struct rp_precision_facts *facts);

/* The steps of that, on any device: measure a model that was opened with TF32, keep what was found
 * in the cache, and put the better one in its place; and what the cache has, false if nothing. */
int rp_precision_choose(struct rp_model **model, const struct rp_model_params *params);
bool rp_precision_recall(const struct rp_device *device, const struct rp_model_params *params,
                         struct rp_precision_facts *facts);

/* Is float16 as near to float32 as TF32? */
bool rp_precision_is_near(const struct rp_precision_facts *facts);
/* What auto takes: float32 for small networks, which take no longer by it; else float16 if it is
 * near; else TF32 if nobody sees the difference; else float32. */
enum rp_precision rp_precision_best(const struct rp_precision_facts *facts);

#endif /* RP_PRECISION_H */
