/* Applications compiled with another version of the public header: a struct with fewer fields gets
 * these, and nothing is written past them; a larger one than the library's is refused.
 *
 * The tests make a struct smaller by passing a smaller size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <unistd.h>

#include "base/api.h"

#define UNTOUCHED 0xa5

static void assert_said(const char *part)
{
    if (!strstr(rp_last_error(), part))
        fail_msg("the sentence is '%s', not with '%s'", rp_last_error(), part);
}

static void assert_untouched(const void *from, const void *end)
{
    for (const uint8_t *p = from; p < (const uint8_t *) end; p++)
        assert_int_equal(*p, UNTOUCHED);
}

static void test_number(void **state)
{
    rp_options *o = NULL;
    rp_runtime *rt = NULL;

    (void) state;
    assert_int_equal(rp_options_create_api(&o, RP_API_VERSION), 0);
    rp_options_destroy(&o);
    assert_int_equal(rp_options_create_api(&o, RP_API_VERSION + 1), RP_ERR_UNSUPPORTED);
    assert_null(o);
    assert_said("install a newer library");
    assert_int_equal(rp_options_create_api(&o, 0), RP_ERR_INVALID);
    assert_said("RP_API_VERSION");
    assert_int_equal(rp_runtime_create_api(&rt, RP_API_VERSION + 1, NULL, 0), RP_ERR_UNSUPPORTED);
    assert_null(rt);
    assert_int_equal(rp_runtime_create_api(&rt, -1, NULL, 0), RP_ERR_INVALID);
    assert_null(rt);
}

/* Words keep the blanks of paths; a default is not given. */
static void test_words(void **state)
{
    rp_options *o = NULL;
    char **words;
    const char *const paths[] = {"a b.jpg", "c.jpg"}, *const sides[] = {"5", "10"};

    (void) state;
    assert_int_equal(rp_options_create(&o), 0);
    assert_int_equal(rp_options_get_words(o, "source-paths", &words), 0);
    assert_null(words);
    assert_int_equal(rp_options_get_words(o, "face-mask-types", &words), 1);
    assert_string_equal(words[0], "box");
    rp_free(words);
    assert_false(rp_options_is_given(o, "face-mask-types"));
    assert_int_equal(rp_options_set_words(o, "source-paths", 2, paths), 0);
    assert_int_equal(rp_options_set_words(o, "face-mask-padding", 2, sides), 0);
    assert_true(rp_options_is_given(o, "source-paths"));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rp_options_get_words(o, i ? "face-mask-padding" : "source-paths", &words), 2);
        for (int k = 0; k < 2; k++)
            assert_string_equal(words[k], i ? sides[k] : paths[k]);
        assert_null(words[2]);
        rp_free(words);
    }
    rp_options_destroy(&o);
}

/* What lies after an application's struct is not read. */
static void test_params(void **state)
{
    rp_runtime *rt;
    rp_runtime_params params;

    (void) state;
    memset(&params, UNTOUCHED, sizeof(params));
    params.models_path = "/tmp";
    assert_int_equal(rp_runtime_create_api(&rt, RP_API_VERSION, &params,
                                           offsetof(rp_runtime_params, onnxruntime)), 0);
    rp_runtime_destroy(&rt);
}

static void test_fewer_fields(void **state)
{
    rp_options *o;
    rp_option_info info, part;
    const size_t size = offsetof(rp_option_info, help);

    (void) state;
    assert_int_equal(rp_options_create(&o), 0);
    assert_int_equal(rp_options_find(o, "output-path", &info), 0);
    memset(&part, UNTOUCHED, sizeof(part));
    assert_int_equal(rp_options_find_sized(o, "output-path", &part, size), 0);
    assert_memory_equal(&part, &info, offsetof(rp_option_info, letter));
    assert_int_equal(part.letter, 'o');
    assert_untouched((const uint8_t *) &part + size, &part + 1);
    rp_options_destroy(&o);
}

/* A field that the library does not have is zero. */
static void test_more_fields(void **state)
{
    rp_options *o;
    struct {
        rp_option_info info;
        char more[24];
    } s;

    (void) state;
    memset(&s, UNTOUCHED, sizeof(s));
    assert_int_equal(rp_options_create(&o), 0);
    assert_int_equal(rp_options_find_sized(o, "output-path", &s.info, sizeof(s) - 8), 0);
    assert_string_equal(s.info.name, "output-path");
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(s.more[i], 0);
    assert_untouched(s.more + 16, &s + 1);
    rp_options_destroy(&o);
}

static void test_image(void **state)
{
    uint8_t pixels[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    const char *const path = "test_api.png";
    rp_image image = {.data = pixels, .stride = 6, .w = 2, .h = 2};
    struct {
        rp_image image;
        char more[8];
    } s = {image, ""};

    (void) state;
    assert_int_equal(rp_image_write_sized(&s.image, sizeof(s), path, 90), RP_ERR_UNSUPPORTED);
    assert_said("rp_image");
    assert_int_equal(rp_image_write(&image, path, 90), 0);
    assert_int_equal(rp_image_read_sized(&s.image, sizeof(s), path), RP_ERR_UNSUPPORTED);
    assert_null(s.image.data);
    memset(s.more, UNTOUCHED, sizeof(s.more));
    assert_int_equal(rp_image_read(&s.image, path), 0);
    assert_memory_equal(s.image.data, pixels, sizeof(pixels));
    rp_image_free(&s.image);
    assert_null(s.image.data);
    assert_untouched(s.more, &s + 1);
    rp_image_free(&image); /* not owned: only cleared */
    unlink(path);
}

static void test_mark(void **state)
{
    rp_mark mark;
    const size_t size = offsetof(rp_mark, processors);

    (void) state;
    memset(&mark, UNTOUCHED, sizeof(mark));
    assert_int_equal(rp_inspect_sized("no such file.png", &mark, size), RP_ERR_IO);
    assert_false(mark.present);
    assert_string_equal(mark.software, "");
    assert_untouched(mark.processors, &mark + 1);
    struct {
        rp_mark mark;
        char more[8];
    } larger;
    assert_int_equal(rp_inspect_sized("no such file.png", &larger.mark, sizeof(larger)),
                     RP_ERR_UNSUPPORTED);
    assert_said("rp_mark");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_params),
        cmocka_unit_test(test_fewer_fields),
        cmocka_unit_test(test_more_fields),
        cmocka_unit_test(test_image),
        cmocka_unit_test(test_mark),
    };

    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
