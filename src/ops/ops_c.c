/* The table of the C versions, and what core.h hides from the compiler. */
#include "ops/core.h"
#include "ops/ops.h"

const float rp_zero = 0.0f, rp_one = 1.0f, rp_white = 255.0f;

#define ENTRY(name) rp_c_##name,
const struct rp_ops rp_ops_c = {RP_OPS(ENTRY)};
