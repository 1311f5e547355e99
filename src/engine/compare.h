/* Made-up numbers to run a network on, and whether two of its results are the same but for
 * rounding. On the host; who has tensors on a device downloads them first. */
#ifndef RP_COMPARE_H
#define RP_COMPARE_H

#include "engine/engine.h"

/* Numbers from `low` up to, but without, low + span: the same for the same *seed, which goes on. */
void rp_fill_floats(float *to, size_t n, float low, float span, uint32_t *seed);

/* The elements of a tensor: reals from -1 to 1, integers of 0 and 1, bytes of any value. */
void rp_fill_tensor(const struct rp_tensor *t, void *to, uint32_t *seed);

struct rp_difference {
    double most;  /* the largest of two elements; INFINITY: see rp_difference() */
    double scale; /* the largest magnitude of a finite number in `want` */
};

/* Of results of this kind. Infinities must be in the same places with the same signs, and so must
 * what is no number (NaN): otherwise the difference is infinite. Elements that are not float32
 * count as 1 apart if they are not equal. The bytes need not be aligned. */
struct rp_difference rp_difference(const struct rp_tensor *t, const void *got, const void *want);

/* No further apart than `tolerance` of the scale; what is not float32 must be equal. */
bool rp_is_near(const struct rp_tensor *t, const void *got, const void *want, double tolerance);

#endif /* RP_COMPARE_H */
