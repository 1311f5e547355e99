/* Includes a public header alone and twice, as C and as C++: -DHEADER='"reprise/reprise.h"'.
 * symbols.sh compiles it, and links it to the library to see that C++ finds the C names. */
#include HEADER
#include HEADER

#ifdef LINKED
int main(void)
{
    rp_options *options = 0;
    const int ret = rp_options_create(&options);

    rp_options_destroy(&options);
    rp_set_log(RP_LOG_QUIET, 0, 0);
    if (rp_options_create_api(&options, RP_API_VERSION + 1) != RP_ERR_UNSUPPORTED)
        return 1;
    return ret == RP_OK && rp_version()[0] == RP_VERSION_MAJOR + '0' ? 0 : 1;
}
#endif

typedef int header_test_is_not_empty;
