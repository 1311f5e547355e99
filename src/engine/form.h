/* Opening a network in the form that is best for it. */
#ifndef RP_FORM_H
#define RP_FORM_H

#include "engine/engine.h"

/* rp_model_open(), and where the layout is left open (RP_LAYOUT_AUTO) on a GPU, in the one that the
 * plan cache says. Where it says nothing: NCHW, or what is found best and then kept if `measure`. */
int rp_form_open(struct rp_model **out, struct rp_engine *engine, struct rp_device *device,
                 const struct rp_model_params *params, bool measure);

#endif /* RP_FORM_H */
