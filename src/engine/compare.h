/* Made-up numbers to run a network on, and whether two of its results are equal but for rounding.
 * All on the host; tensors on a device must be downloaded first. */
#ifndef RP_COMPARE_H
#define RP_COMPARE_H

#include "engine/engine.h"

/* Numbers from `low` up to, but not including, low + span: the same for the same *seed, which is
 * advanced. */
void rp_fill_floats(float *to, size_t n, float low, float span, uint32_t *seed);

/* The elements of a tensor: reals from -1 to 1, integers 0 and 1, any bytes. */
void rp_fill_tensor(const struct rp_tensor *t, void *to, uint32_t *seed);

struct rp_difference {
    double most;  /* the largest between two elements; INFINITY: see rp_difference() */
    double scale; /* the largest magnitude of a finite number in `want` */
};

/* The difference of two results with the type and size of t. Infinities (with their signs) and NaNs
 * must be in the same places, otherwise the difference is infinite. Elements other than float32
 * differ by 1 if they are not equal. The bytes need not be aligned. */
struct rp_difference rp_difference(const struct rp_tensor *t, const void *got, const void *want);

/* True if they differ by at most `tolerance` times the scale; elements other than float32 must be
 * equal. */
bool rp_is_near(const struct rp_tensor *t, const void *got, const void *want, double tolerance);

#endif /* RP_COMPARE_H */
