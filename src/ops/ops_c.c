/* The table of the C versions. */
#include "ops/ops.h"

#define ENTRY(name) rp_c_##name,
const struct rp_ops rp_ops_c = {RP_OPS(ENTRY)};
