#include "models/standins.h"

#include "rp_config.h"

bool rp_standins_allowed(void)
{
    return RP_CHECK_STANDINS;
}
