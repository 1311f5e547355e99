/* A CUDA module is called only when it is of the same build as the program. */
#include "device/device.h"

#include <setjmp.h>

#include <cmocka.h>

static const char *folder; /* of the modules */

static void opens(const char *name, const char *said)
{
    char *const path = rp_asprintf("%s/libmodule-%s.so", folder, name);
    struct rp_device *dev = NULL;

    setenv("REPRISE_CUDA_MODULE", path, 1);
    assert_int_equal(rp_device_cuda(&dev, 3), RP_ERR_UNSUPPORTED);
    assert_null(dev);
    assert_non_null(strstr(rp_last_error(), said));
    if (strstr(said, "build")) {
        assert_non_null(strstr(rp_last_error(), path));
        assert_non_null(strstr(rp_last_error(), "run make gpu again"));
    }
    free(path);
}

static void test_same(void **state)
{
    (void) state;
    opens("same", "the module was asked for GPU 3");
}

static void test_number(void **state)
{
    (void) state;
    opens("number", "another build (its interface has number");
}

static void test_sizes(void **state)
{
    (void) state;
    opens("sizes", "another build (its tables have other sizes");
}

static void test_older(void **state)
{
    (void) state;
    opens("older", "another build (its interface has number 0");
}

static void test_none(void **state)
{
    (void) state;
    opens("missing", "this installation has no CUDA module");
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),  cmocka_unit_test(test_number), cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_older), cmocka_unit_test(test_none),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: test_module FOLDER\n");
        return 2;
    }
    folder = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
