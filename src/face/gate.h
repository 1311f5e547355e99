/* The content check. It cannot be switched off: a job without its model does not start. */
#ifndef RP_GATE_H
#define RP_GATE_H

#include "models/pool.h"

struct rp_gate_model; /* shared */
struct rp_gate_slot;  /* in one slot, for frames of one size */

/* RP_ERR_MISSING with the command that fetches the model. */
int rp_gate_create(struct rp_gate_model **out, struct rp_pool *pool);
void rp_gate_destroy(struct rp_gate_model **gate);

int rp_gate_attach(struct rp_gate_slot **out, const struct rp_gate_model *gate, struct rp_slot *slot);
void rp_gate_detach(struct rp_gate_slot **at);

/* Record: look at the frame, add it to the verdict (device memory of the slot). */
int rp_gate_record(struct rp_gate_slot *at, const struct rp_img *frame);
struct rp_verdict *rp_gate_verdict(const struct rp_gate_slot *at);

/* FaceFusion's rules (algorithms section 31): a frame is looked at when its number is a multiple of
 * this; a video is blocked when more than 10 % of those were positive. */
int rp_gate_interval(double fps);
bool rp_gate_blocks(int64_t checked, int64_t positive);

#endif /* RP_GATE_H */
