#include "device/device.h"

void rp_device_destroy(struct rp_device **dev)
{
    if (!*dev)
        return;
    (*dev)->fns->destroy(*dev);
    *dev = NULL;
}
