/* Lists of work as text, JSON and hash: buffers for addresses, and what changes the hash. */
#include "test_media.h"

#include "base/path.h"
#include "engine/show.h"

static struct rp_device *device;
static struct rp_slot *slot;

/* What a list is recorded on: addresses that change from call to call. */
struct places {
    struct rp_img big, small;
    float *mask, *other;
    int32_t *count, *index;
};

static int set_up(void **state)
{
    const char *const source = getenv("REPRISE_SOURCE");

    if (make_dir(state) || !source || shell("/usr/bin/python3 '%s/tests/tiny_models.py' .", source))
        return -1;
    return rp_device_cpu(&device) < 0 || rp_slot_create(&slot, device) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    rp_slot_destroy(&slot);
    rp_device_destroy(&device);
    return remove_dir(state);
}

static struct places make_places(void)
{
    struct places p;
    void *at[4];

    assert_int_equal(rp_slot_image(slot, 64, 32, 3, &p.big), 0);
    assert_int_equal(rp_slot_image(slot, 32, 16, 3, &p.small), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(rp_slot_alloc(slot, 4096, &at[i]), 0);
    p.mask = at[0];
    p.other = at[1];
    p.count = at[2];
    p.index = at[3];
    return p;
}

/* Which of the differences is made. */
enum { SAME = 0, SCALAR, FLOW, NULLED, OUTSIDE, ORDER, STAGE, BYTES, DIFFERENCES };

static void record(struct rp_list *list, const struct places *p, int difference)
{
    rp_list_begin(list, slot);
    rp_record_stage(slot, difference == STAGE ? RP_STAGE_SELECT : RP_STAGE_DETECT);
    RP_OP(slot, resize, .src = p->big, .dst = p->small);
    rp_record_zero(slot, p->mask, difference == BYTES ? 40 : 44);
    rp_record_loop(slot, p->count, p->index);
    if (difference == OUTSIDE)
        rp_record_loop_end(slot);
    if (difference == ORDER)
        rp_record_copy(slot, p->other, p->mask, 44);
    RP_OP(slot, mask_ramp, .src = p->mask, .dst = p->other, .n = difference == SCALAR ? 10 : 11);
    if (difference != ORDER)
        rp_record_copy(slot, p->other, p->mask, 44);
    RP_OP(slot, mask_min, .a = p->other, .b = difference == NULLED ? NULL : p->mask,
          .dst = difference == FLOW ? p->mask : p->other, .n = 11);
    if (difference != OUTSIDE)
        rp_record_loop_end(slot);
    rp_record_choice(slot, p->index);
    rp_record_branch(slot);
    RP_OP(slot, mask_ramp, .src = p->mask, .dst = p->mask, .n = 1);
    rp_record_branch(slot);
    rp_record_choice_end(slot);
    assert_int_equal(rp_list_end(slot), 0);
}

static const char expected[] =
    "stage detect\n"
    "resize  64x32x3 -> 32x16x3 rows of 128  src=b0 dst=b1\n"
    "zero  44 bytes  dst=b2\n"
    "loop  count=b3 index=b4\n"
    "    mask_ramp  11  src=b2 dst=b5\n"
    "    copy  44 bytes  src=b2 dst=b5\n"
    "    mask_min  11  a=b5 b=b2 dst=b5\n"
    "choice  of 2  which=b4\n"
    "    branch\n"
    "        mask_ramp  1  src=b2 dst=b2\n"
    "    branch\n"
    "\n";

static void test_text(void **state)
{
    struct rp_list list = {0};
    const struct places p = make_places();

    (void) state;
    record(&list, &p, SAME);
    char *const text = rp_list_text(&list, 3000000);
    assert_non_null(text);
    if (strncmp(text, expected, strlen(expected)) != 0)
        fail_msg("not as expected:\n%s", text);
    assert_non_null(strstr(text, "b0             6144 bytes"));
    assert_non_null(strstr(text, "11 items: 4 operations, 0 networks, 1 loops, 1 choices"));
    assert_non_null(strstr(text, "device memory: 3.0 MB"));
    free(text);
    rp_list_clear(&list);
}

static void test_hash(void **state)
{
    struct rp_list list = {0};
    char first[RP_SHA256_HEX], hex[DIFFERENCES][RP_SHA256_HEX];
    struct places p = make_places();

    (void) state;
    record(&list, &p, SAME);
    assert_int_equal(rp_list_hash(&list, first), 0);
    p = make_places();
    for (int i = 0; i < DIFFERENCES; i++) {
        record(&list, &p, i);
        assert_int_equal(rp_list_hash(&list, hex[i]), 0);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(hex[i], hex[k]);
    }
    assert_string_equal(hex[SAME], first);
    rp_list_clear(&list);
    assert_int_equal(rp_list_hash(&list, first), 0);
}

static void test_json(void **state)
{
    struct rp_list list = {0};
    char hex[RP_SHA256_HEX];
    const struct places p = make_places();

    (void) state;
    record(&list, &p, SAME);
    json_t *const o = rp_list_json(&list, 0);
    assert_non_null(o);
    assert_int_equal(rp_list_hash(&list, hex), 0);
    assert_string_equal(json_string_value(json_object_get(o, "hash")), hex);
    const json_t *const items = json_object_get(o, "items"), *const loop = json_array_get(items, 3);
    assert_int_equal(json_array_size(items), 5);
    assert_string_equal(json_string_value(json_object_get(loop, "kind")), "loop");
    assert_int_equal(json_array_size(json_object_get(loop, "items")), 3);
    const json_t *const ramp = json_array_get(json_object_get(loop, "items"), 0);
    assert_string_equal(json_string_value(json_object_get(ramp, "name")), "mask_ramp");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(ramp, "buffers"), "dst")), "b5");
    assert_int_equal(json_integer_value(json_object_get(ramp, "bytes")), 88);
    assert_true(json_is_null(json_object_get(json_object_get(o, "totals"), "memory")));
    assert_int_equal(json_object_size(json_object_get(o, "buffers")), 6);
    json_decref(o);
    rp_list_clear(&list);
}

/* A network with its shapes; another file gives another hash. */
static void test_network(void **state)
{
    struct rp_engine *engine;
    struct rp_model *model;
    struct rp_net *net;
    struct rp_list list = {0};
    char before[RP_SHA256_HEX], after[RP_SHA256_HEX];

    (void) state;
    assert_int_equal(rp_engine_create(&engine, NULL), 0);
    assert_int_equal(rp_model_open(&model, engine, device,
                                   &(struct rp_model_params){.path = in_dir("double.onnx"),
                                                             .name = "double", .threads = 1}), 0);
    assert_int_equal(rp_net_open(&net, slot, model, NULL), 0);
    rp_list_begin(&list, slot);
    rp_record_run(net);
    assert_int_equal(rp_list_end(slot), 0);
    char *const text = rp_list_text(&list, 0);
    const char *const want = "network double  f32[1,3] -> f32[1,3]  x=b0 y=b1\n";
    if (strncmp(text, want, strlen(want)) != 0)
        fail_msg("not as expected:\n%s", text);
    assert_non_null(strstr(text, "1 networks"));
    assert_int_equal(rp_list_hash(&list, before), 0);
    assert_int_equal(shell("printf x >> '%s'", in_dir("double.onnx")), 0);
    assert_int_equal(rp_list_hash(&list, after), 0);
    assert_string_not_equal(before, after);
    assert_int_equal(shell("rm '%s'", in_dir("double.onnx")), 0);
    assert_int_equal(rp_list_hash(&list, after), RP_ERR_IO);
    json_t *const o = rp_list_json(&list, 0);
    assert_true(json_is_null(json_object_get(o, "hash")));
    assert_true(json_is_false(
        json_object_get(json_object_get(o, "totals"), "network_flop_complete")));
    json_decref(o);
    free(text);
    rp_list_clear(&list);
    rp_net_close(&net);
    rp_model_close(&model);
    rp_engine_destroy(&engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_network),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
