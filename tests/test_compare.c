/* The comparison of results: what infinities and NaNs must not hide. And the generated numbers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/compare.h"

#define THREE(...) ((const float[3]){__VA_ARGS__})

static bool near(const float *got, const float *want)
{
    const struct rp_tensor t = {.type = RP_TYPE_F32, .count = 3, .bytes = 12};

    return rp_is_near(&t, got, want, 0.01);
}

static void test_near(void **state)
{
    (void) state;
    assert_true(near(THREE(1, 2, 100), THREE(1, 2, 100)));
    assert_true(near(THREE(1, 2.9f, 100), THREE(1, 2, 100))); /* 0.01 of the largest, not of each */
    assert_true(near(THREE(1, 2, -99.1f), THREE(1, 2, -100)));
    assert_false(near(THREE(1, 3.1f, 100), THREE(1, 2, 100)));
    assert_true(near(THREE(0, 0, 0), THREE(0, -0.0f, 0)));
    assert_false(near(THREE(1e-20f, 0, 0), THREE(0, 0, 0)));
    assert_true(near(THREE(3e38f, -3e38f, 1), THREE(3e38f, -3e38f, 2)));
    assert_false(near(THREE(3e38f, 3e38f, 1), THREE(3e38f, -3e38f, 1)));
}

static void test_infinities(void **state)
{
    (void) state;
    assert_true(near(THREE(-INFINITY, 100, -50), THREE(-INFINITY, 100.5f, -50)));
    assert_false(near(THREE(-INFINITY, 1, 2), THREE(-INFINITY, 100, -50)));
    assert_false(near(THREE(INFINITY, 1, 2), THREE(-INFINITY, 1, 2)));
    assert_false(near(THREE(1, 1, 2), THREE(INFINITY, 1, 2)));
    assert_false(near(THREE(INFINITY, 1, 2), THREE(1, 1, 2)));
    assert_false(near(THREE(1, INFINITY, 2), THREE(INFINITY, 1, 2)));
    assert_true(near(THREE(INFINITY, -INFINITY, 0), THREE(INFINITY, -INFINITY, 0)));
    assert_false(near(THREE(INFINITY, -INFINITY, 1), THREE(INFINITY, -INFINITY, 0)));
}

static void test_no_numbers(void **state)
{
    (void) state;
    assert_true(near(THREE(NAN, 1, 2), THREE(-NAN, 1, 2)));
    assert_false(near(THREE(NAN, 1, 9), THREE(NAN, 1, 2)));
    assert_false(near(THREE(0, 1, 2), THREE(NAN, 1, 2)));
    assert_false(near(THREE(NAN, 1, 2), THREE(0, 1, 2)));
    assert_false(near(THREE(NAN, 1, 2), THREE(INFINITY, 1, 2)));
}

/* At addresses not aligned for floats: outputs lie one after the other, whatever their types. */
static void test_unaligned(void **state)
{
    const struct rp_tensor t = {.type = RP_TYPE_F32, .count = 3, .bytes = 12};
    uint8_t a[16], b[16];
    struct rp_difference d;

    (void) state;
    memcpy(a + 1, THREE(1, 2, -4), 12);
    memcpy(b + 3, THREE(1, 2.5f, -8), 12);
    d = rp_difference(&t, a + 1, b + 3);
    assert_true(d.most == 4 && d.scale == 8);
}

static void test_other_types(void **state)
{
    static const int64_t a[2] = {1, 1000}, b[2] = {1, 1001};
    const struct rp_tensor t = {.type = RP_TYPE_I64, .count = 2, .bytes = 16},
                           none = {.type = RP_TYPE_I64};

    (void) state;
    assert_true(rp_is_near(&t, a, a, 0.01));
    assert_false(rp_is_near(&t, a, b, 0.01));
    assert_true(rp_difference(&t, a, b).most == 1);
    assert_true(rp_is_near(&none, a, b, 0.01));
}

static void test_fill(void **state)
{
    float a[1000], b[1000], low = INFINITY, high = -INFINITY;
    int64_t bits[1000], ones = 0;
    uint32_t one = 1, same = 1, goes_on;
    const struct rp_tensor floats = {.type = RP_TYPE_F32, .count = 1000, .bytes = sizeof(a)},
                           ints = {.type = RP_TYPE_I64, .count = 1000, .bytes = sizeof(bits)};

    (void) state;
    rp_fill_floats(a, 1000, -1, 1, &one);
    goes_on = one;
    rp_fill_floats(b, 600, -1, 1, &same);
    rp_fill_floats(b + 600, 400, -1, 1, &same);
    assert_memory_equal(a, b, sizeof(a));
    rp_fill_tensor(&floats, b, &goes_on);
    for (int i = 0; i < 1000; i++) {
        assert_true(a[i] >= -1 && a[i] < 0 && b[i] >= -1 && b[i] < 1);
        low = fminf(low, b[i]);
        high = fmaxf(high, b[i]);
    }
    assert_true(low < -0.98f && high > 0.98f);
    rp_fill_tensor(&ints, bits, &goes_on);
    for (int i = 0; i < 1000; i++) {
        assert_true(bits[i] == 0 || bits[i] == 1);
        ones += bits[i];
    }
    assert_in_range(ones, 400, 600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_near),        cmocka_unit_test(test_infinities),
        cmocka_unit_test(test_no_numbers),  cmocka_unit_test(test_unaligned),
        cmocka_unit_test(test_other_types), cmocka_unit_test(test_fill),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
