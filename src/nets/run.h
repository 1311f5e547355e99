/* Running a plan: its steps one after the other, at addresses that stay the same. Nothing is
 * allocated or waited for in a run, so it can be captured. */
#ifndef RP_NETS_RUN_H
#define RP_NETS_RUN_H

#include "nets/plan.h"

/* Where a plan's memory is: on a device, or plain memory for the C operations. */
struct rp_nn_place {
    void *arena;            /* plan->arena bytes, zeroed once */
    void *weights;          /* only read: plan->weights bytes, from rp_nn_plan_weights() */
    void *in[16], *out[16]; /* tensors as in the file: NCHW float32 without gaps */
};

struct rp_nn_run;

/* The steps with their addresses. `plan` may go afterwards. */
int rp_nn_run_create(struct rp_nn_run **out, const struct rp_nn_plan *plan,
                     const struct rp_nn_place *place);
/* An input is elsewhere from now on. */
void rp_nn_run_bind_input(struct rp_nn_run *run, int index, void *data);
/* How its convolutions multiply float32 from now on. */
void rp_nn_run_multiply(struct rp_nn_run *run, enum rp_net_product product);
int rp_nn_run_go(const struct rp_nn_run *run, const struct rp_ops *ops, struct rp_stream *stream);
/* One step of it: its operation, whose arguments stay the run's; and doing it. */
int rp_nn_run_steps(const struct rp_nn_run *run);
enum rp_op_number rp_nn_run_step(const struct rp_nn_run *run, int i, const void **args);
int rp_nn_run_go_step(const struct rp_nn_run *run, const struct rp_ops *ops,
                      struct rp_stream *stream, int i);
void rp_nn_run_free(struct rp_nn_run **run);

#endif /* RP_NETS_RUN_H */
