/* How many launches of how many frames a GPU is found to take best. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pipeline/tune.h"

/* Frames a second by frames a launch (1, 2, 4, 8) and slots (1, 2, 4, 8); negative: it fails. */
struct table {
    double fps[4][4];
    int most; /* frames a launch that were tried */
};

static int at(int n)
{
    return n == 8 ? 3 : n / 2;
}

static int rate(void *priv, struct rp_launches way, double *fps)
{
    struct table *const t = priv;

    t->most = RP_MAX(t->most, way.frames);
    *fps = t->fps[at(way.frames)][at(way.slots)];
    return *fps < 0 ? rp_fail(RP_ERR_DEVICE_MEM, "no more memory") : 0;
}

static void assert_best(struct table t, bool lockstep, int from, struct rp_launches want, int most)
{
    struct rp_launches best = {.frames = from};

    assert_int_equal(rp_tune_search(rate, &t, lockstep, &best), 0);
    assert_int_equal(best.frames, want.frames);
    assert_int_equal(best.slots, want.slots);
    assert_int_equal(t.most, most);
}

static void test_search(void **state)
{
    /* as measured on an H200 */
    static const struct table h200 = {.fps = {{103, 147, 191, 216},
                                              {150, 220, 275, 276},
                                              {240, 300, 323, 325},
                                              {300, 340, 358, 359}}};
    static const struct table slots_do = {
        .fps = {{100, 200, 380, 400}, {0}, {200, 390, 410, 420}, {900}}};
    static const struct table no_room = {
        .fps = {{100, 200, 300, 0}, {0}, {200, 400, -1, 0}, {900}}};
    static const struct table not_recorded = {.fps = {{0}, {0}, {900}, {900}}};

    (void) state;
    assert_best(h200, false, 1, (struct rp_launches){1, 8}, 1);
    assert_best(h200, true, 1, (struct rp_launches){8, 4}, 8);
    assert_best(h200, false, 4, (struct rp_launches){4, 4}, 4);    /* a number that was asked for */
    assert_best(slots_do, true, 1, (struct rp_launches){1, 8}, 4); /* not 10 % */
    assert_best(no_room, true, 1, (struct rp_launches){1, 4}, 4);  /* what fails is not taken */
    assert_best(not_recorded, true, 1, (struct rp_launches){1, 1}, 1);
}

static void test_failure(void **state)
{
    struct table t = {.fps = {{-1}}};
    struct rp_launches best = {.frames = 1};

    (void) state;
    assert_int_equal(rp_tune_search(rate, &t, true, &best), RP_ERR_DEVICE_MEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_search),
                                       cmocka_unit_test(test_failure)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
