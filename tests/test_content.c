/* Which frames of a video the content check examines: the rule at the end of face/content.h. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "face/content.h"

enum { MANY = 20000 };

static double times[MANY + 1];
static bool chosen[MANY];

/* Examines n frames shown at times[], of which `claimed` are claimed; how many were examined while
 * reading, and with late ones. */
static int64_t sample(int64_t n, int64_t claimed, int64_t *all)
{
    int64_t now = 0, late = 0;
    struct rp_content_sampler s;

    rp_content_sample_begin(&s, claimed);
    for (int64_t i = 0; i < n; i++)
        now += chosen[i] = rp_content_sample(&s, times[i], i + 1 < n ? times[i + 1] : INFINITY);
    assert_int_equal(now, s.chosen);
    for (int64_t i = 0; i < n; i++) {
        const bool is_late = rp_content_is_late(&s, i);

        assert_false(is_late && chosen[i]); /* none is counted twice */
        late += is_late;
        chosen[i] |= is_late;
    }
    assert_int_equal(rp_content_is_late(&s, -1), late > 0);
    *all = now + late;
    return now;
}

static void constant(double fps)
{
    for (int i = 0; i <= MANY; i++)
        times[i] = i / fps;
}

/* What is promised of n frames, however many were claimed. */
static void assert_promise(int64_t n, int64_t claimed)
{
    int64_t all, last = 0;

    sample(n, claimed, &all);
    if (all < RP_MIN(n, RP_CONTENT_LEAST) || !chosen[0] || !chosen[n - 1])
        fail_msg("%lld frames, %lld claimed: %lld examined", (long long) n, (long long) claimed,
                 (long long) all);
    for (int64_t i = 1; i < n; i++) {
        if (!chosen[i])
            continue;
        if (i - last > RP_CONTENT_APART || (i > last + 1 && times[i] - times[last] > 1.00001))
            fail_msg("%lld frames, %lld claimed: none between %lld and %lld", (long long) n,
                     (long long) claimed, (long long) last, (long long) i);
        last = i;
    }
}

/* Long videos of ordinary rates: the frames that FaceFusion looks at, and the last. */
static void test_ordinary(void **state)
{
    int64_t all;
    static const double rates[] = {12, 24000 / 1001., 24, 25, 30000 / 1001., 30,
                                   50, 60000 / 1001., 60};

    (void) state;
    for (size_t r = 0; r < RP_ARRAY_LEN(rates); r++) {
        for (int rounded = 0; rounded < 2; rounded++) { /* to milliseconds, as Matroska does */
            constant(rates[r]);
            for (int i = 0; rounded && i <= MANY; i++)
                times[i] = rint(times[i] * 1000) / 1000;
            const int64_t n = 100 * (int64_t) rates[r] + 7;
            assert_promise(n, n);
            assert_int_equal(sample(n, n, &all), 102);
            assert_int_equal(all, 102);
            if (rounded && rates[r] != rint(rates[r]))
                continue; /* half a millisecond decides between two frames */
            for (int64_t i = 0; i < n; i++)
                if (chosen[i] != (i % (int64_t) rates[r] == 0 || i == n - 1))
                    fail_msg("%g a second: frame %lld", rates[r], (long long) i);
        }
    }
    constant(0.5);
    assert_int_equal(sample(50, 50, &all), 50);
}

/* Short ones: 20 or a few more, and no second reading if the claim is right. */
static void test_short(void **state)
{
    int64_t all;

    (void) state;
    constant(480);
    for (int64_t n = 1; n <= 1000; n++) {
        const int64_t now = sample(n, n, &all);

        assert_int_equal(now, all);
        assert_true(now >= RP_MIN(n, 20) && now <= RP_MAX(n * 20 / 480, 39));
        assert_promise(n, n);
    }
}

static void test_false_claims(void **state)
{
    static const int64_t claims[] = {-5, 0, 1, 7, 100, 5000, 1000000000, INT64_MAX};
    static const double rates[] = {0.1, 3, 25, 100, 480, 90000};
    static const int64_t lengths[] = {1, 2, 19, 20, 21, 59, 61, 100, 601, 1200, 1261, 5003};

    (void) state;
    for (size_t r = 0; r < RP_ARRAY_LEN(rates); r++) {
        constant(rates[r]);
        for (size_t c = 0; c < RP_ARRAY_LEN(claims); c++)
            for (size_t l = 0; l < RP_ARRAY_LEN(lengths); l++)
                assert_promise(lengths[l], claims[c]);
    }
}

/* Times that rise by any amounts; the bound by which a job ends early holds. */
static void test_any_times(void **state)
{
    uint32_t seed = 1;
    int64_t all;
    struct rp_content_sampler s;

    (void) state;
    for (int round = 0; round < 200; round++) {
        double longest = 0;
        const int64_t n = 1 + round * 17;

        times[0] = round - 100.;
        for (int64_t i = 1; i <= n; i++) {
            seed = seed * 1664525 + 1013904223;
            const double gap = exp2(-(double) (seed >> 28)) * (1 + round % 3);
            times[i] = times[i - 1] + gap;
            longest = fmax(longest, gap);
        }
        assert_promise(n, round % 2 ? n : n / 3);
        rp_content_sample_begin(&s, n);
        sample(n, n, &all);
        assert_true(all <= rp_content_most(&s, n, times[n - 1] - times[0], longest));
    }
    times[5] = NAN;
    sample(20, 1000, &all);
    assert_int_equal(all, 20);
    rp_content_sample_begin(&s, 1000);
    assert_int_equal(rp_content_most(&s, 1000, NAN, 1), INT64_MAX / 200);
    assert_int_equal(rp_content_most(&s, 1000, INFINITY, 1), INT64_MAX / 200);
}

static void test_limit(void **state)
{
    (void) state;
    assert_false(rp_content_blocks(0, 0));
    assert_false(rp_content_blocks(20, 2));
    assert_true(rp_content_blocks(20, 3));
    assert_true(rp_content_blocks(9, 1));
    assert_false(rp_content_blocks(INT64_MAX / 200, 1000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ordinary),     cmocka_unit_test(test_short),
        cmocka_unit_test(test_false_claims), cmocka_unit_test(test_any_times),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
