/* The content check. It cannot be switched off: a job without its models does not start.
 *
 * FaceFusion's three networks, two of which must be against a frame; one of
 * them alone; or the lite one, which also stands in where the three are not installed. */
#ifndef RP_GATE_H
#define RP_GATE_H

#include "base/option.h"
#include "models/pool.h"

struct rp_gate_model; /* shared */
struct rp_gate_slot;  /* in one slot, for frames of one size */

struct rp_gate_options {
    int model; /* index into the catalogue's choices */
};
extern const struct rp_opt_group rp_gate_group;

/* RP_ERR_MISSING with the command that fetches what is missing. */
int rp_gate_create(struct rp_gate_model **out, struct rp_pool *pool,
                   const struct rp_settings *settings);
void rp_gate_destroy(struct rp_gate_model **gate);

/* @param w,h  size of the frames */
int rp_gate_attach(struct rp_gate_slot **out, const struct rp_gate_model *gate,
                   struct rp_slot *slot, int w, int h);
void rp_gate_detach(struct rp_gate_slot **at);

/* Record: look at the frame, add it to the verdict (device memory of the slot). */
int rp_gate_record(struct rp_gate_slot *at, const struct rp_img *frame);
struct rp_verdict *rp_gate_verdict(const struct rp_gate_slot *at);

/* FaceFusion's rules: a frame is looked at when its number is a multiple of
 * this; a video is blocked when more than 10 % of those were positive. */
int rp_gate_interval(double fps);
bool rp_gate_blocks(int64_t checked, int64_t positive);

#endif /* RP_GATE_H */
