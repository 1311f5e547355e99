/* Hashes of known inputs. */
#include "base/hash.h"

#include "base/path.h"

#include <setjmp.h>
#include <unistd.h>

#include <cmocka.h>

static const char abc_sum[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
static const char empty_sum[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
static const char million_sum[] =
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

static void test_data(void **state)
{
    char hex[RP_SHA256_HEX];

    (void) state;
    assert_int_equal(rp_sha256_data("abc", 3, hex), 0);
    assert_string_equal(hex, abc_sum);
    assert_int_equal(rp_sha256_data(NULL, 0, hex), 0);
    assert_string_equal(hex, empty_sum);
    assert_int_equal(rp_crc32(0, "abc", 3), 0x352441c2);
    assert_int_equal(rp_crc32(0, NULL, 0), 0);
    assert_int_equal(rp_crc32(rp_crc32(0, "ab", 2), "c", 1), 0x352441c2);
    assert_int_equal(rp_crc32(0x352441c2, NULL, 0), 0x352441c2);
}

/* A million letters: more than one read() gives. */
static void test_file(void **state)
{
    char name[] = "/tmp/rp_hash_XXXXXX", hex[RP_SHA256_HEX];
    char *const text = malloc(1000000);
    uint32_t crc;
    struct rp_sums both;

    (void) state;
    close(mkstemp(name));
    assert_int_equal(rp_sha256_file(name, hex), 0);
    assert_string_equal(hex, empty_sum);
    assert_int_equal(rp_crc32_file(name, &crc), 0);
    assert_int_equal(crc, 0);
    memset(text, 'a', 1000000);
    assert_int_equal(rp_file_write(name, text, 1000000), 0);
    assert_int_equal(rp_sha256_file(name, hex), 0);
    assert_string_equal(hex, million_sum);
    assert_int_equal(rp_crc32_file(name, &crc), 0);
    assert_int_equal(crc, rp_crc32(0, text, 1000000));
    assert_int_equal(rp_sums_file(name, &both), 0);
    assert_int_equal(both.crc32, crc);
    assert_string_equal(both.sha256, million_sum);
    unlink(name);
    free(text);
}

static void test_missing(void **state)
{
    char hex[RP_SHA256_HEX] = "x";
    uint32_t crc;
    struct rp_sums both;

    (void) state;
    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    assert_int_equal(rp_sha256_file("/nowhere/x.onnx", hex), RP_ERR_IO);
    assert_string_equal(rp_last_error(), "/nowhere/x.onnx: No such file or directory");
    assert_string_equal(hex, "");
    assert_int_equal(rp_crc32_file("/tmp", &crc), RP_ERR_IO);
    assert_non_null(strstr(rp_last_error(), "/tmp"));
    assert_int_equal(rp_sums_file("/nowhere/x.onnx", &both), RP_ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_missing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
