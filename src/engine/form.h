/* Opening a network in the form that is best for it. */
#ifndef RP_FORM_H
#define RP_FORM_H

#include "engine/engine.h"

/* rp_model_open(); on a GPU, where the layout is left open (RP_LAYOUT_AUTO), in the form that the
 * plan cache names. Where it names none: NCHW, or with `measure` what is found best, then kept. */
int rp_form_open(struct rp_model **out, struct rp_engine *engine, struct rp_device *device,
                 const struct rp_model_params *params, bool measure);

#endif /* RP_FORM_H */
