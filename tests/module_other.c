/* A CUDA module of this build or of another one, for test_module: OTHER says what differs. */
#include "device/cuda/module.h"

#define ABI 1   /* the number */
#define SIZES 2 /* the size of a table */
#define OLD 3   /* it does not say which build it is of */

#if OTHER != OLD
__attribute__((visibility("default"))) rp_module_abi_fn rp_module_abi;

void rp_module_abi(struct rp_module_abi *out)
{
    *out = rp_module_abi_here();
    out->number += OTHER == ABI;
    out->ops += OTHER == SIZES ? 8 : 0;
}
#endif

__attribute__((visibility("default"))) rp_module_open_fn rp_module_open;

int rp_module_open(struct rp_device **out, int id, const struct rp_module_host *host)
{
    *out = NULL;
    return host->fail(RP_ERR_UNSUPPORTED, "the module was asked for GPU %d", id);
}
