/* Opening a network in the form (layout, determinism) that suits it best. */
#ifndef RP_FORM_H
#define RP_FORM_H

#include "engine/engine.h"

/* What may be measured when a network is opened. Its precision takes a second, its form many. */
enum rp_measure { RP_MEASURE_NOTHING = 0, RP_MEASURE_PRECISION, RP_MEASURE_ALL };

/* The same as rp_model_open(), but on a GPU with RP_LAYOUT_AUTO the form is taken from the cache.
 * If the cache has none, it is NCHW, or if all may be measured the form that proves best, which is
 * then kept in the cache. The same goes for the precision of a native network with
 * RP_PRECISION_AUTO (precision.h); where it may not be measured a large one is TF32 then. */
int rp_form_open(struct rp_model **out, struct rp_engine *engine, struct rp_device *device,
                 const struct rp_model_params *params, enum rp_measure measure);

/* Does the cache have the form, so that nothing would be measured? */
bool rp_form_is_known(struct rp_engine *engine, const struct rp_device *device,
                      const struct rp_model_params *params);

#endif /* RP_FORM_H */
