#include "base/api.h"

int rp_api_check(int api)
{
    if (api < 1)
        return rp_fail(RP_ERR_INVALID, "API %d: give RP_API_VERSION of the header that the program "
                       "is compiled with", api);
    if (api > RP_API_VERSION)
        return rp_fail(RP_ERR_UNSUPPORTED, "the program was compiled for API %d of reprise, this "
                       "library %s has API %d; install a newer library", api, rp_version(),
                       RP_API_VERSION);
    return 0;
}

int rp_api_check_size(const char *name, size_t size, size_t own_size)
{
    if (size > own_size)
        return rp_fail(RP_ERR_UNSUPPORTED, "%s: it has %zu bytes in the program and %zu in this "
                       "library %s; install a newer library", name, size, own_size, rp_version());
    return 0;
}

void rp_api_take(void *own, size_t own_size, const void *theirs, size_t size)
{
    memset(own, 0, own_size);
    if (theirs)
        memcpy(own, theirs, RP_MIN(own_size, size));
}

void rp_api_give(void *theirs, size_t size, const void *own, size_t own_size)
{
    const size_t both = RP_MIN(size, own_size);

    memcpy(theirs, own, both);
    memset((uint8_t *) theirs + both, 0, size - both);
}
