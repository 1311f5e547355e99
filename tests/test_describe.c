/* Descriptions of operations: the text has every scalar argument and no address; addresses are
 * passed on separately. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/base.h"
#include "ops/describe.h"

#ifndef __has_builtin
#define __has_builtin(x) 0
#endif

#define MOST 512 /* bytes of arguments */

static struct rp_planes planes[2];

struct subject {
    enum rp_op_number op;
    const char *name;
    size_t size;
    uint8_t real[MOST]; /* 0 where the struct has padding */
};

static bool describe(const struct subject *s, const void *args, const void *address, char *text)
{
    struct rp_op_facts f;

    rp_op_describe(s->op, args, &f);
    snprintf(text, sizeof(f.text), "%s", f.text);
    assert_true(strlen(f.text) + 1 < sizeof(f.text));
    for (int i = 0; i < f.addresses; i++)
        if (f.address[i].at == address)
            return true;
    return false;
}

/* Changes the four bytes at `at`. */
static void check_word(const struct subject *s, size_t at)
{
    static const uint32_t values[] = {1, 2, 0x40000000};
    uint8_t args[MOST] __attribute__((aligned(16))) = {0};
    char before[sizeof(((struct rp_op_facts *) 0)->text)], after[sizeof(before)];

    if (!s->real[at])
        return;
    describe(s, args, NULL, before);
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        memcpy(args + at, &values[i], sizeof(values[i]));
        describe(s, args, NULL, after);
        if (!strcmp(before, after))
            fail_msg("%s: bytes %zu to %zu of its arguments are not in \"%s\"", s->name, at, at + 3,
                     after);
    }
}

static void check_slot(const struct subject *s, size_t at)
{
    uint8_t args[MOST] __attribute__((aligned(16))) = {0};
    const struct rp_planes *const one = &planes[0], *const other = &planes[1];
    char before[sizeof(((struct rp_op_facts *) 0)->text)], after[sizeof(before)];

    if (at % sizeof(uintptr_t) == 0 && at + sizeof(uintptr_t) <= s->size) {
        memcpy(args + at, &one, sizeof(uintptr_t));
        if (describe(s, args, one, before)) {
            memcpy(args + at, &other, sizeof(uintptr_t));
            assert_true(describe(s, args, other, after));
            assert_string_equal(before, after);
            return;
        }
    } else if (at % sizeof(uintptr_t)) {
        memcpy(args + at - 4, &one, sizeof(uintptr_t));
        if (describe(s, args, one, before))
            return; /* the second half of an address */
    }
    check_word(s, at);
}

static void check_operation(const struct subject *s)
{
    const uint8_t nothing[MOST] __attribute__((aligned(16))) = {0};
    char text[sizeof(((struct rp_op_facts *) 0)->text)];

    describe(s, nothing, NULL, text);
    if (!*text)
        fail_msg("%s: is not described", s->name);
    assert_string_equal(rp_op_name(s->op), s->name);
    for (size_t at = 0; at + 4 <= s->size; at += 4)
        check_slot(s, at);
}

#if __has_builtin(__builtin_clear_padding)
#define CLEAR_PADDING(p) __builtin_clear_padding(p)
#define KNOWS_PADDING 1
#else
#define CLEAR_PADDING(p) memset(p, 0, sizeof(*(p)))
#define KNOWS_PADDING 0
#endif

static void test_every_argument(void **state)
{
    (void) state;
    if (!KNOWS_PADDING)
        print_message("skipped: this compiler does not tell what is padding\n");
#define CHECK(op_name)                                                                             \
    {                                                                                              \
        struct rp_op_##op_name args;                                                               \
        struct subject s = {RP_OP_NUMBER_##op_name, #op_name, sizeof(args), {0}};                  \
                                                                                                   \
        memset(&args, 0xff, sizeof(args));                                                         \
        CLEAR_PADDING(&args);                                                                      \
        assert_true(sizeof(args) <= MOST);                                                         \
        memcpy(s.real, &args, sizeof(args));                                                       \
        check_operation(&s);                                                                       \
    }
    RP_OPS(CHECK)
#undef CHECK
}

/* The form of planes, but not their addresses. */
static void test_planes(void **state)
{
    struct rp_planes one = {.w = 640, .h = 480, .sub_x = 1, .sub_y = 1, .depth = 8}, other = one;
    const struct rp_op_yuv_to_bgr a = {&one, {NULL, 1920, 640, 480, 3}};
    const struct rp_op_yuv_to_bgr b = {&other, a.dst};
    int *const field[] = {&other.w, &other.h, &other.sub_x, &other.sub_y, &other.depth,
                          &other.matrix, &other.full_range};
    struct rp_op_facts f, g;

    (void) state;
    rp_op_describe(RP_OP_NUMBER_yuv_to_bgr, &a, &f);
    assert_string_equal(f.text, "planes 640x480 subsampled 1 1, 8 bit, matrix 0, limited range -> "
                                "640x480x3");
    assert_true(f.read == 1.5 * 640 * 480 && f.written == 0);
    other.plane[0] = (uint8_t *) &one;
    other.stride[0] = 7;
    rp_op_describe(RP_OP_NUMBER_yuv_to_bgr, &b, &g);
    assert_string_equal(f.text, g.text);
    for (size_t i = 0; i < sizeof(field) / sizeof(*field); i++) {
        const int before = *field[i];

        *field[i] = before + 2;
        rp_op_describe(RP_OP_NUMBER_yuv_to_bgr, &b, &g);
        assert_string_not_equal(f.text, g.text);
        *field[i] = before;
    }
}

static void test_numbers(void **state)
{
    uint8_t pixels[1];
    float mask[1];
    struct rp_affine affine;
    const struct rp_op_resize resize = {{pixels, 300, 100, 50, 3}, {pixels, 640, 200, 100, 3}};
    const struct rp_op_align align = {.template_id = RP_TEMPLATE_ARCFACE_128, .w = 512, .h = 512,
                                      .scale = 1, .dst = &affine};
    const struct rp_op_mask_min min = {mask, NULL, mask, 10};
    struct rp_op_facts f;

    (void) state;
    rp_op_describe(RP_OP_NUMBER_resize, &resize, &f);
    assert_string_equal(f.text, "100x50x3 -> 200x100x3 rows of 640");
    assert_true(f.read == 100 * 50 * 3 && f.written == 200 * 100 * 3 && f.flop > f.written);
    assert_int_equal(f.addresses, 2);
    assert_string_equal(f.address[0].name, "src");
    rp_op_describe(RP_OP_NUMBER_align, &align, &f);
    assert_string_equal(f.text, "template arcface_128 512x512 points 0 scale 1");
    assert_true(f.written == sizeof(affine) && f.read == 0);
    rp_op_describe(RP_OP_NUMBER_mask_min, &min, &f);
    assert_true(f.addresses == 3 && f.address[1].at == NULL && f.read == 40 && f.written == 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_argument),
        cmocka_unit_test(test_planes),
        cmocka_unit_test(test_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
