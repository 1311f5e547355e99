/* A plan in a file, so that the next start need not make it: its steps and buffers as bytes, and
 * apart from them the constants, which plans of several sizes share.
 *
 * The bytes are those of this build's structs: whoever keeps them makes a new build's key another
 * one. They are input like any other: what is not whole, or would leave a buffer's memory, is not
 * taken. */
#ifndef RP_NETS_KEEP_H
#define RP_NETS_KEEP_H

#include "nets/plan.h"

/* Tells constants apart: of their bytes, and where they lie. Not against those who make two of the
 * same sum on purpose. */
struct rp_nn_sum {
    uint64_t lane[8];
};

/* Begin with {{0}}; all but the last part is a multiple of 64 bytes. */
void rp_nn_sum_add(struct rp_nn_sum *sum, const void *data, size_t bytes);
bool rp_nn_sum_same(const struct rp_nn_sum *a, const struct rp_nn_sum *b);
/* 32 hex digits and a zero byte. */
void rp_nn_sum_text(const struct rp_nn_sum *sum, char text[33]);

/* All constants in order, as they lie in memory, with the zeros between them; a callback's failure
 * ends it. */
typedef int rp_nn_part_fn(void *priv, size_t offset, const void *data, size_t bytes);
int rp_nn_plan_parts(const struct rp_nn_plan *plan, rp_nn_part_fn *fn, void *priv);
/* The same, for the sum alone. */
int rp_nn_plan_sum(const struct rp_nn_plan *plan, struct rp_nn_sum *out);

/* @param sum  of its constants
 * @param out  heap bytes */
int rp_nn_keep(const struct rp_nn_plan *plan, const struct rp_nn_sum *sum, void **out,
               size_t *size);

/* The plan of such bytes, without its constants. RP_ERR_MODEL, without a log line, if they are
 * anything else. */
int rp_nn_kept(struct rp_nn_plan **out, struct rp_nn_sum *sum, const void *data, size_t size);

#endif /* RP_NETS_KEEP_H */
