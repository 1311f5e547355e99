/* The table of the CUDA versions. */
#include "device/cuda/cuda.h"

#define ENTRY(name) rp_cuda_##name,
const struct rp_ops rp_ops_cuda = {RP_OPS(ENTRY)};
