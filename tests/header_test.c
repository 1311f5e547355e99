/* A public header alone, twice, as C and as C++: -DHEADER='"reprise/reprise.h"'. symbols.sh
 * compiles it, and links it to the library to see that C++ finds the C names. */
#include HEADER
#include HEADER

#ifdef LINKED
int main(void)
{
    rp_options *options = 0;
    const int ret = rp_options_create(&options);

    rp_options_destroy(&options);
    return ret == RP_OK && rp_version()[0] == RP_VERSION_MAJOR + '0' ? 0 : 1;
}
#endif

typedef int header_test_is_not_empty;
