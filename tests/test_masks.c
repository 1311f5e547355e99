/* Masks without a network: the options, which of them each processor uses, and the recording rules.
 * Masks from networks are in test_masks.py. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "face/analyser.h"
#include "engine/play.h"
#include "face/mask.h"

enum { SIZE = 64 };

struct fixture {
    struct rp_settings *settings;
    struct rp_device *device;
    struct rp_slot *slot;
    struct rp_masks *masks;
    struct rp_masker *masker;
    struct rp_dface *face;
    struct rp_affine *affine;
};

static int set_up(void **state)
{
    static const struct rp_opt_group *const groups[] = {&rp_mask_group, NULL};
    static const struct rp_affine unmoved = {{1, 0, 0, 0, 1, 0}, {1, 0, 0, 0, 1, 0}};
    struct fixture *const f = *state = calloc(1, sizeof(*f));

    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    return !f || rp_settings_create(&f->settings, groups) || rp_device_cpu(&f->device) ||
           rp_slot_create(&f->slot, f->device) ||
           rp_slot_alloc(f->slot, sizeof(*f->face), (void **) &f->face) ||
           rp_slot_constant(f->slot, &unmoved, sizeof(unmoved), (void **) &f->affine);
}

static int tear_down(void **state)
{
    struct fixture *const f = *state;

    rp_masker_destroy(&f->masker);
    rp_masks_destroy(&f->masks);
    rp_slot_destroy(&f->slot);
    rp_device_destroy(&f->device);
    rp_settings_destroy(&f->settings);
    free(f);
    return 0;
}

static void set(struct fixture *f, const char *name, const char *text)
{
    if (rp_settings_set_text(f->settings, name, text))
        fail_msg("%s %s: %s", name, text, rp_last_error());
}

/* Records the mask of the face and plays the list. */
static int make_mask(struct fixture *f)
{
    struct rp_list list = {0};

    rp_list_begin(&list, f->slot);
    rp_masker_record(f->masker, &(const struct rp_mask_of){.face = f->face, .affine = f->affine});
    int ret = rp_list_end(f->slot);
    if (ret >= 0)
        ret = rp_play(&list, f->slot);
    rp_list_clear(&list);
    return ret;
}

/* The mask of a processor with this use of masks. */
static const float *mask_of(struct fixture *f, const struct rp_mask_use *use)
{
    rp_masker_destroy(&f->masker);
    rp_masks_destroy(&f->masks);
    assert_int_equal(rp_masks_create(&f->masks, NULL, f->settings, use), 0);
    assert_int_equal(rp_masker_create(&f->masker, f->masks, f->slot, SIZE, SIZE), 0);
    assert_int_equal(make_mask(f), 0);
    return rp_masker_mask(f->masker);
}

/* Black columns and rows of a mask, counted from the middle of
 * each side: top, right, bottom, left. */
static void edges(const float *mask, int edge[4])
{
    for (int i = 0; i < 4; i++)
        edge[i] = 0;
    while (edge[0] < SIZE && mask[edge[0] * SIZE + SIZE / 2] == 0)
        edge[0]++;
    while (edge[1] < SIZE && mask[SIZE / 2 * SIZE + SIZE - 1 - edge[1]] == 0)
        edge[1]++;
    while (edge[2] < SIZE && mask[(SIZE - 1 - edge[2]) * SIZE + SIZE / 2] == 0)
        edge[2]++;
    while (edge[3] < SIZE && mask[SIZE / 2 * SIZE + edge[3]] == 0)
        edge[3]++;
}

static void has_edges(const float *mask, int top, int right, int bottom, int left)
{
    int edge[4];

    edges(mask, edge);
    assert_int_equal(edge[0], top);
    assert_int_equal(edge[1], right);
    assert_int_equal(edge[2], bottom);
    assert_int_equal(edge[3], left);
}

/* The jaw in the lower half, the nose's lower points in the middle, brows above, mouth between. */
static void put_points(struct rp_dface *face)
{
    for (int i = 0; i < 68; i++) {
        const float across = (float) (i % 17) / 16;
        float x = 8 + 48 * across, y = 12;

        if (i < 17) /* a bowl */
            y = 24 + 36 * (1 - 4 * (across - 0.5f) * (across - 0.5f));
        else if (i < 36)
            y = i >= 31 ? 36 : 12;
        else if (i >= 48) {
            x = 18 + 28 * across;
            y = i % 2 ? 38 : 54;
        }
        face->lm68[2 * i] = x;
        face->lm68[2 * i + 1] = y;
    }
}

/* ---- options --------------------------------------------------------------------------------- */

static void test_defaults(void **state)
{
    static const char *const want[][2] = {
        {"face-occluder-model", "xseg_1"},
        {"face-parser-model", "bisenet_resnet_34"},
        {"face-mask-types", "box"},
        {"face-mask-areas", "upper-face lower-face mouth"},
        {"face-mask-regions", "skin left-eyebrow right-eyebrow left-eye right-eye glasses nose mouth "
                              "upper-lip lower-lip"},
        {"face-mask-blur", "0.30"},
        {"face-mask-padding", "0"},
    };
    const struct fixture *const f = *state;

    for (size_t i = 0; i < RP_ARRAY_LEN(want); i++) {
        char *const text = rp_settings_text(f->settings, want[i][0]);

        assert_string_equal(text, want[i][1]);
        free(text);
    }
}

static void test_every_value(void **state)
{
    static const char *const good[][2] = {
        {"face-occluder-model", "many"}, {"face-occluder-model", "xseg_2"},
        {"face-occluder-model", "xseg_3"}, {"face-parser-model", "bisenet_resnet_18"},
        {"face-mask-types", "region area occlusion box"}, {"face-mask-areas", "mouth upper-face"},
        {"face-mask-regions", "lower-lip skin"}, {"face-mask-blur", "0.00"},
        {"face-mask-blur", "1.00"}, {"face-mask-blur", "0.05"}, {"face-mask-padding", "0 100 1 99"},
    };
    struct fixture *const f = *state;

    for (size_t i = 0; i < RP_ARRAY_LEN(good); i++) {
        char *text;

        set(f, good[i][0], good[i][1]);
        text = rp_settings_text(f->settings, good[i][0]);
        assert_string_equal(text, good[i][1]);
        free(text);
    }
}

static void test_errors(void **state)
{
#define REGIONS "skin, left-eyebrow, right-eyebrow, left-eye, right-eye, glasses, nose, mouth, " \
                "upper-lip, lower-lip"
    static const char *const bad[][3] = {
        {"face-occluder-model", "xseg_4",
         "'xseg_4' is not one of many, xseg_1, xseg_2, xseg_3; did you mean xseg_1?"},
        {"face-occluder-model", "", "needs a value"},
        {"face-parser-model", "many", "'many' is not one of bisenet_resnet_18, bisenet_resnet_34"},
        {"face-parser-model", "", "needs a value"},
        {"face-mask-types", "hat", "'hat' is not one of box, occlusion, area, region"},
        {"face-mask-types", "box area box", "'box' is given twice"},
        {"face-mask-types", "", "needs one or more values"},
        {"face-mask-areas", "nose", "'nose' is not one of upper-face, lower-face, mouth"},
        {"face-mask-areas", "mouth mouth", "'mouth' is given twice"},
        {"face-mask-areas", "", "needs one or more values"},
        {"face-mask-regions", "hair", "'hair' is not one of " REGIONS},
        {"face-mask-regions", "nose skin nose", "'nose' is given twice"},
        {"face-mask-regions", "", "needs one or more values"},
        {"face-mask-blur", "1.05", "1.05 is outside 0.00 to 1.00"},
        {"face-mask-blur", "-0.05", "-0.05 is outside 0.00 to 1.00"},
        {"face-mask-blur", "0.33", "'0.33' must be 0.00 to 1.00 in steps of 0.05"},
        {"face-mask-blur", "soft", "'soft' is not a number"},
        {"face-mask-padding", "101", "101 is outside 0 to 100"},
        {"face-mask-padding", "5 -1", "-1 is outside 0 to 100"},
        {"face-mask-padding", "1.5", "'1.5' is not a whole number"},
        {"face-mask-padding", "1 2 3 4 5", "5 numbers; at most 4 are allowed"},
        {"face-mask-padding", "", "needs one or more values"},
    };
    struct fixture *const f = *state;

    for (size_t i = 0; i < RP_ARRAY_LEN(bad); i++) {
        char want[256];
        char *const before = rp_settings_text(f->settings, bad[i][0]);

        snprintf(want, sizeof(want), "--%s: %s", bad[i][0], bad[i][2]);
        assert_int_equal(rp_settings_set_text(f->settings, bad[i][0],
                                              bad[i][1][0] ? bad[i][1] : NULL), RP_ERR_USAGE);
        assert_string_equal(rp_last_error(), want);
        char *const after = rp_settings_text(f->settings, bad[i][0]);
        assert_string_equal(before, after);
        free(before);
        free(after);
    }
}

/* ---- what processors make of them ------------------------------------------------------------ */

static const struct rp_mask_use swapper = {.chosen = RP_MASK_ALL};
static const struct rp_mask_use enhancer = {
    .always = RP_MASK_BIT(BOX), .chosen = RP_MASK_BIT(OCCLUSION), .no_padding = true};
static const struct rp_mask_use editor = {.always = RP_MASK_BIT(BOX), .no_padding = true};
static const struct rp_mask_use debugger = {.chosen = RP_MASK_ALL, .no_blur = true};
static const struct rp_mask_use lips = {.always = RP_MASK_BIT(AREA),
                                        .chosen = RP_MASK_BIT(OCCLUSION),
                                        .areas = 1u << RP_AREA_LOWER_FACE};

/* 1 to 4 percentages as in CSS. 64 pixels without blur: at least 1 is black. */
static void test_padding(void **state)
{
    struct fixture *const f = *state;

    set(f, "face-mask-blur", "0");
    has_edges(mask_of(f, &swapper), 1, 1, 1, 1);
    set(f, "face-mask-padding", "25");
    has_edges(mask_of(f, &swapper), 16, 16, 16, 16);
    set(f, "face-mask-padding", "25 12");
    has_edges(mask_of(f, &swapper), 16, 7, 16, 7);
    set(f, "face-mask-padding", "25 12 7");
    has_edges(mask_of(f, &swapper), 16, 7, 4, 7);
    set(f, "face-mask-padding", "25 12 7 50");
    has_edges(mask_of(f, &swapper), 16, 7, 4, 32);
    has_edges(mask_of(f, &enhancer), 1, 1, 1, 1);
    has_edges(mask_of(f, &editor), 1, 1, 1, 1);
    set(f, "face-mask-padding", "100 0 0 0");
    const float *const none = mask_of(f, &swapper);
    for (int i = 0; i < SIZE * SIZE; i++)
        assert_true(none[i] == 0);
}

static void test_blur(void **state)
{
    struct fixture *const f = *state;
    int soft = 0;

    set(f, "face-mask-blur", "0.5");
    const float *mask = mask_of(f, &swapper);
    for (int i = 0; i < SIZE; i++)
        soft += mask[SIZE / 2 * SIZE + i] > 0 && mask[SIZE / 2 * SIZE + i] < 1;
    assert_true(soft > 10);
    assert_true(mask[SIZE / 2 * SIZE + SIZE / 2] > 0.99999f);
    mask = mask_of(f, &debugger);
    for (int i = 0; i < SIZE * SIZE; i++)
        assert_true(mask[i] == 0 || mask[i] == 1);
}

/* Sum of the mask's rows from..to. */
static double ink(const float *mask, int from, int to)
{
    double sum = 0;

    for (int i = from * SIZE; i < to * SIZE; i++)
        sum += mask[i];
    return sum;
}

static void test_areas(void **state)
{
    struct fixture *const f = *state;

    put_points(f->face);
    set(f, "face-mask-types", "area");
    const double all = ink(mask_of(f, &swapper), 0, SIZE);
    set(f, "face-mask-areas", "upper-face");
    const float *mask = mask_of(f, &swapper);
    assert_true(ink(mask, 44, SIZE) == 0);
    assert_true(ink(mask, 0, 40) > 200);
    set(f, "face-mask-areas", "mouth");
    mask = mask_of(f, &swapper);
    assert_true(ink(mask, 0, 30) == 0);
    assert_true(ink(mask, 38, 54) > 100);
    /* the lip syncer's is the lower face whatever was chosen, and no box */
    const double lower = ink(mask_of(f, &lips), 0, SIZE);
    assert_true(lower > 200);
    assert_true(lower < all);
    assert_true(ink(mask_of(f, &lips), 0, 20) == 0);
    set(f, "face-mask-areas", "lower-face");
    set(f, "face-mask-types", "box");
    assert_true(ink(mask_of(f, &lips), 0, SIZE) == lower);
}

/* The lesser of the two at each pixel; equal to FaceFusion's clipped minimum. */
static void test_box_and_area(void **state)
{
    struct fixture *const f = *state;
    float box[SIZE * SIZE], area[SIZE * SIZE];

    put_points(f->face);
    memcpy(box, mask_of(f, &swapper), sizeof(box));
    set(f, "face-mask-types", "area");
    memcpy(area, mask_of(f, &swapper), sizeof(area));
    set(f, "face-mask-types", "area box");
    const float *const both = mask_of(f, &swapper);
    for (int i = 0; i < SIZE * SIZE; i++)
        assert_true(both[i] == RP_CLAMP(RP_MIN(box[i], area[i]), 0, 1));
}

/* Without a mask the whole crop is pasted; also if the processor ignores the chosen masks. */
static void test_nothing_chosen(void **state)
{
    static const struct rp_mask_use occlusion_only = {.chosen = RP_MASK_BIT(OCCLUSION)};
    struct fixture *const f = *state;
    const float *mask = mask_of(f, &occlusion_only);

    for (int i = 0; i < SIZE * SIZE; i++)
        assert_true(mask[i] == 1);
    set(f, "face-mask-types", "area region");
    mask = mask_of(f, &editor);
    assert_true(mask[0] < 0.5f);
    assert_float_equal(mask[SIZE / 2 * SIZE + SIZE / 2], 1, 1e-6);
}

/* ---- rules ----------------------------------------------------------------------------------- */

static void test_needs(void **state)
{
    struct fixture *const f = *state;

    assert_int_equal(rp_masks_needs(f->settings, &swapper), 0);
    set(f, "face-mask-types", "box occlusion region");
    assert_int_equal(rp_masks_needs(f->settings, &swapper), 0);
    set(f, "face-mask-types", "box area");
    assert_int_equal(rp_masks_needs(f->settings, &swapper), RP_NEED_LANDMARKS);
    assert_int_equal(rp_masks_needs(f->settings, &enhancer), 0); /* it ignores areas */
    mask_of(f, &swapper);
    assert_false(rp_masks_see(f->masks));
}

/* What is recorded keeps its addresses, and follows the face. */
static void test_recordable(void **state)
{
    struct fixture *const f = *state;
    float first[SIZE * SIZE];

    put_points(f->face);
    set(f, "face-mask-types", "box area");
    const float *const mask = mask_of(f, &swapper);
    const size_t bytes = f->slot->bytes;
    const int blocks = f->slot->nblocks;
    memcpy(first, mask, sizeof(first));

    for (int i = 0; i < 68; i++)
        f->face->lm68[2 * i] += 10;
    assert_int_equal(make_mask(f), 0);
    assert_ptr_equal(rp_masker_mask(f->masker), mask);
    assert_memory_not_equal(mask, first, sizeof(first));
    for (int i = 0; i < 68; i++)
        f->face->lm68[2 * i] -= 10;
    assert_int_equal(make_mask(f), 0);
    assert_memory_equal(mask, first, sizeof(first));
    assert_int_equal(f->slot->bytes, bytes);
    assert_int_equal(f->slot->nblocks, blocks);
}

/* ---- operations ------------------------------------------------------------------------------ */

static void test_class_mask(void **state)
{
    /* columns: plain, two equal, all equal, not a number first, last, all, infinities */
    static const float src[3][7] = {
        {1, 5, 2, NAN, 1, NAN, -INFINITY},
        {3, 5, 2, 1, 3, NAN, -INFINITY},
        {2, 4, 2, 0, NAN, NAN, INFINITY},
    };
    static const int best[7] = {1, 0, 0, 1, 1, 0, 2};
    float dst[7] = {0};

    (void) state;
    for (uint32_t use = 0; use < 8; use++) {
        const struct rp_op_class_mask a = {&src[0][0], 3, 7, use, dst};

        assert_int_equal(rp_c_class_mask(NULL, &a), 0);
        for (int i = 0; i < 7; i++)
            assert_true(dst[i] == (float) (use >> best[i] & 1));
    }
    const struct rp_op_class_mask last = {src[0], 1, 7, 1u << 31 | 1, dst};
    assert_int_equal(rp_c_class_mask(NULL, &last), 0);
    assert_true(dst[0] == 1);
}

static void test_float_to_tensor(void **state)
{
    static const float src[2][3] = {{255, 127.5f, 0}, {-3, 300, 51}};
    struct rp_op_float_to_tensor a = {.src = src[0], .w = 2, .h = 1, .div = 255,
                                      .mean = {0.485f, 0.456f, 0.406f},
                                      .std = {0.229f, 0.224f, 0.225f}};
    float dst[3][2] = {0};

    (void) state;
    a.dst = dst[0];
    for (a.rgb = 0; a.rgb < 2; a.rgb++) {
        assert_int_equal(rp_c_float_to_tensor(NULL, &a), 0);
        for (int c = 0; c < 3; c++)
            for (int x = 0; x < 2; x++) {
                const float v = src[x][a.rgb ? 2 - c : c] / 255.0f, centred = v - a.mean[c];

                assert_true(dst[c][x] == centred / a.std[c]);
            }
    }
}

#define MASK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MASK_TEST(test_defaults),
        MASK_TEST(test_every_value),
        MASK_TEST(test_errors),
        MASK_TEST(test_padding),
        MASK_TEST(test_blur),
        MASK_TEST(test_areas),
        MASK_TEST(test_box_and_area),
        MASK_TEST(test_nothing_chosen),
        MASK_TEST(test_needs),
        MASK_TEST(test_recordable),
        cmocka_unit_test(test_class_mask),
        cmocka_unit_test(test_float_to_tensor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
