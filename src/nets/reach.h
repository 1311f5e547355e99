/* What memory an operation touches, from its arguments: for plans that come from a file. */
#ifndef RP_NETS_REACH_H
#define RP_NETS_REACH_H

#include "nets/plan.h"

#define RP_NN_MAX_REACH 20

struct rp_nn_reach {
    size_t at;         /* of the pointer in the arguments */
    int64_t from, to;  /* bytes from where it points */
    int align;         /* of the address, in bytes */
    bool needed;       /* it may not be NULL */
    bool written;
};

/* @param given  bit i: pointer number i is there. Which number a pointer has, and whether it is
 * needed, does not depend on that.
 * @return how many pointers there are; -1 if the arguments make no sense: a size, a step or a kind
 *         that no plan has, or sizes that do not fit each other */
int rp_nn_reach(enum rp_nn_op op, const union rp_nn_args *args, unsigned given,
                struct rp_nn_reach out[RP_NN_MAX_REACH]);

/* Bytes of the arguments; 0: no such operation. */
size_t rp_nn_args_size(enum rp_nn_op op);

/* Do all steps stay within the memory of their buffers, and these within the plan's? */
bool rp_nn_plan_is_sound(const struct rp_nn_plan *plan);

#endif /* RP_NETS_REACH_H */
