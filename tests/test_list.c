/* Lists of work: recorded once, played as often as wanted, on the CPU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/play.h"

enum { COUNT = 0, INDEX, INNER, INNER_INDEX, WHICH, NUMBERS };

static struct rp_device *device;
static struct rp_slot *slot;
static struct rp_list list;
static int32_t *number; /* device memory, which is the host's */
static uint8_t *trace;  /* bytes of steps, and from 32 on of those that were done */

static int set_up(void **state)
{
    (void) state;
    assert_int_equal(rp_device_cpu(&device), 0);
    assert_int_equal(rp_slot_create(&slot, device), 0);
    assert_int_equal(rp_slot_alloc(slot, NUMBERS * sizeof(*number), (void **) &number), 0);
    assert_int_equal(rp_slot_alloc(slot, 64, (void **) &trace), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    rp_list_clear(&list);
    rp_slot_destroy(&slot);
    rp_device_destroy(&device);
    return 0;
}

/* Copies a byte of `trace`, which shows that step number `of` was done. */
static void step(int of)
{
    const struct rp_img from = {trace + of, 1, 1, 1, 1}, to = {trace + 32 + of, 1, 1, 1, 1};

    RP_OP(slot, resize, .src = from, .dst = to);
}

/* The number of the outer turn. */
static void note_turn(int32_t *where)
{
    rp_record_copy(slot, where, number + INDEX, sizeof(*where));
}

/* Nothing is done while recording, everything when playing, with the numbers of that time. */
static void test_once_and_often(void **state)
{
    (void) state;
    rp_list_begin(&list, slot);
    step(0);
    rp_record_loop(slot, number + COUNT, number + INDEX);
    step(1);
    rp_record_loop(slot, number + INNER, number + INNER_INDEX);
    step(2);
    note_turn(number + WHICH);
    rp_record_loop_end(slot);
    rp_record_loop_end(slot);
    assert_int_equal(rp_list_end(slot), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(trace[32 + i], 0);

    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < 3; i++)
            trace[i] = (uint8_t) (10 * round + i);
        number[COUNT] = round == 2 ? 0 : round;
        number[INNER] = round == 3 ? 0 : 2;
        number[WHICH] = -1;
        assert_int_equal(rp_play(&list, slot), 0);
        assert_int_equal(trace[32], 10 * round);
        assert_int_equal(trace[33], round == 2 ? 11 : 10 * round + 1);
        assert_int_equal(trace[34], 12); /* only in the first round */
        assert_int_equal(number[WHICH], round == 1 ? 0 : -1); /* index of the last turn */
        assert_int_equal(number[INDEX], number[COUNT]);
    }
}

static void test_choices(void **state)
{
    (void) state;
    memset(trace, 0, 64);
    rp_list_begin(&list, slot);
    rp_record_choice(slot, number + WHICH);
    for (int i = 0; i < 3; i++) {
        rp_record_branch(slot);
        step(i);
    }
    rp_record_choice_end(slot);
    step(3);
    assert_int_equal(rp_list_end(slot), 0);
    for (int which = -1; which <= 3; which++) {
        memset(trace + 32, 0, 4);
        memset(trace, 7, 4);
        number[WHICH] = which;
        assert_int_equal(rp_play(&list, slot), 0);
        for (int i = 0; i < 3; i++)
            assert_int_equal(trace[32 + i], i == which ? 7 : 0);
        assert_int_equal(trace[35], 7);
    }
}

/* A decoder's planes differ with each frame. */
static void test_planes(void **state)
{
    uint8_t one[6] = {1, 2, 3, 4, 5, 6}, two[8] = {9, 8, 7, 6, 5, 4, 3, 2};
    struct rp_planes planes = {.w = 2, .h = 1, .depth = 8};

    (void) state;
    rp_list_begin(&list, slot);
    RP_OP(slot, bgr_read, .src = &planes, .dst = {trace, 6, 2, 1, 3});
    assert_int_equal(rp_list_end(slot), 0);
    planes.plane[0] = one;
    planes.stride[0] = 6;
    assert_int_equal(rp_play(&list, slot), 0);
    assert_memory_equal(trace, one, 6);
    planes.plane[0] = two + 2;
    assert_int_equal(rp_play(&list, slot), 0);
    assert_memory_equal(trace, two + 2, 6);
}

/* Part of a list appended to another: loops and choices keep their ends. */
static void test_items_of_another(void **state)
{
    struct rp_list other = {0};

    (void) state;
    rp_list_begin(&other, slot);
    step(0);
    rp_record_loop(slot, number + COUNT, number + INDEX);
    step(1);
    rp_record_loop_end(slot);
    step(2);
    assert_int_equal(rp_list_end(slot), 0);

    rp_list_begin(&list, slot);
    step(3);
    rp_record_items(slot, &other, 1, 3);
    step(4);
    assert_int_equal(rp_list_end(slot), 0);
    assert_int_equal(list.n, 4);
    assert_int_equal(rp_list_next(&list, 1), 3);
    memset(trace, 5, 8);
    memset(trace + 32, 0, 8);
    number[COUNT] = 0;
    assert_int_equal(rp_play(&list, slot), 0);
    assert_memory_equal(trace + 32, ((uint8_t[]){0, 0, 0, 5, 5}), 5);
    number[COUNT] = 1;
    assert_int_equal(rp_play(&list, slot), 0);
    assert_memory_equal(trace + 32, ((uint8_t[]){0, 5, 0, 5, 5}), 5);
    rp_list_clear(&other);
}

/* rp_list_end() reports the first mistake, whatever follows it. */
static void test_mistakes(void **state)
{
    (void) state;
    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    rp_list_begin(&list, slot);
    rp_record_loop(slot, number, number + INDEX);
    assert_int_equal(rp_list_end(slot), RP_ERR_INVALID); /* no end */

    rp_list_begin(&list, slot);
    rp_record_loop_end(slot);
    step(0);
    assert_int_equal(rp_list_end(slot), RP_ERR_INVALID); /* no start */

    rp_list_begin(&list, slot);
    rp_record_branch(slot);
    assert_int_equal(rp_list_end(slot), RP_ERR_INVALID); /* outside of a choice */

    rp_list_begin(&list, slot);
    rp_record_choice(slot, number + WHICH);
    rp_record_branch(slot);
    rp_record_loop_end(slot);
    rp_record_choice_end(slot);
    assert_int_equal(rp_list_end(slot), RP_ERR_INVALID); /* another end */

    rp_list_begin(&list, slot);
    for (int i = 0; i <= RP_LIST_DEPTH; i++)
        rp_record_loop(slot, number, number + INDEX);
    assert_int_equal(rp_list_end(slot), RP_ERR_LIMIT);
    assert_non_null(strstr(rp_last_error(), "inside each other"));

    rp_list_begin(&list, slot);
    rp_record_choice(slot, number + WHICH);
    for (int i = 0; i <= RP_MAX_BRANCHES; i++)
        rp_record_branch(slot);
    rp_record_choice_end(slot);
    assert_int_equal(rp_list_end(slot), RP_ERR_LIMIT);

    rp_list_begin(&list, slot);
    step(0);
    assert_int_equal(rp_list_end(slot), 0); /* and it is like a new one */
    rp_set_log(RP_LOG_INFO, NULL, NULL);
}

/* Time counts for the stage of each item. */
static void test_stages(void **state)
{
    (void) state;
    rp_list_begin(&list, slot);
    assert_int_equal(rp_record_stage(slot, RP_STAGE_DETECT), RP_STAGE_CONVERT);
    for (int i = 0; i < 1000; i++)
        step(0);
    assert_int_equal(rp_record_stage(slot, RP_STAGE_SELECT), RP_STAGE_DETECT);
    assert_int_equal(rp_list_end(slot), 0);
    slot->own_seconds[RP_STAGE_DETECT] = 0;
    rp_slot_stage(slot, RP_STAGE_CONVERT);
    assert_int_equal(rp_play(&list, slot), 0);
    rp_slot_stage_end(slot);
    assert_true(slot->own_seconds[RP_STAGE_DETECT] > 0);
    assert_true(slot->model_seconds[RP_STAGE_DETECT] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once_and_often),  cmocka_unit_test(test_choices),
        cmocka_unit_test(test_planes),          cmocka_unit_test(test_items_of_another),
        cmocka_unit_test(test_mistakes),        cmocka_unit_test(test_stages),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
