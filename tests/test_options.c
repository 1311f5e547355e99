/* Every option type, names, messages, config files, and what happens if memory runs out. */
#include "option_table.h"

#include "base/path.h"

#include <locale.h>
#include <pthread.h>
#include <setjmp.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- memory that runs out: the linker sends these calls here ------------------------------ */

static int calls_until_failure; /* 0: never */

static bool fails_now(void)
{
    return calls_until_failure && --calls_until_failure == 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
int __real_vasprintf(char **out, const char *fmt, va_list args);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
int __wrap_vasprintf(char **out, const char *fmt, va_list args);

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return fails_now() ? NULL : __real_realloc(p, size);
}

char *__wrap_strdup(const char *s)
{
    return fails_now() ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t n)
{
    return fails_now() ? NULL : __real_strndup(s, n);
}

int __wrap_vasprintf(char **out, const char *fmt, va_list args)
{
    return fails_now() ? -1 : __real_vasprintf(out, fmt, args);
}

/* ---- helpers ------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    return rp_settings_create((struct rp_settings **) state, option_groups);
}

static int tear_down(void **state)
{
    struct rp_settings *s = *state;

    calls_until_failure = 0;
    rp_settings_destroy(&s);
    rp_settings_destroy(&s);
    return 0;
}

static const struct look_options *look(const struct rp_settings *s)
{
    return rp_settings_get(s, &look_group);
}

static const struct list_options *lists(const struct rp_settings *s)
{
    return rp_settings_get(s, &list_group);
}

static void good(struct rp_settings *s, const char *name, const char *value)
{
    if (rp_settings_set(s, name, 1, &value) != 0)
        fail_msg("--%s %s: %s", name, value, rp_last_error());
    assert_true(promises_kept(s));
}

/* Refused, with this sentence (NULL: any), and the value does not change. */
static void bad(struct rp_settings *s, const char *name, const char *value, const char *message)
{
    char *const before = rp_settings_text(s, name);

    if (rp_settings_set(s, name, 1, &value) != RP_ERR_USAGE)
        fail_msg("--%s %s: was taken", name, value);
    if (message)
        assert_string_equal(rp_last_error(), message);
    char *const after = rp_settings_text(s, name);
    if (before)
        assert_string_equal(before, after);
    else
        assert_null(after);
    free(before);
    free(after);
}

static void has_text(const struct rp_settings *s, const char *name, const char *text)
{
    char *const got = rp_settings_text(s, name);

    if (text)
        assert_string_equal(got, text);
    else
        assert_null(got);
    free(got);
}

#define SET(s, name, ...)                                                         \
    rp_settings_set(s, name, (int) RP_ARRAY_LEN(((const char *[]){__VA_ARGS__})), \
                    (const char *const[]){__VA_ARGS__})

/* ---- types --------------------------------------------------------------------------------- */

static void test_defaults(void **state)
{
    struct rp_settings *const s = *state;

    has_text(s, "look-fast", "no");
    has_text(s, "look-count", "8");
    has_text(s, "look-tens", NULL);
    has_text(s, "look-score", "0.50");
    has_text(s, "look-gain", NULL);
    has_text(s, "look-path", NULL);
    has_text(s, "look-mode", "one");
    has_text(s, "look-model", NULL);
    has_text(s, "look-size", "640x640");
    has_text(s, "look-box", NULL);
    has_text(s, "look-memory", "1G");
    has_text(s, "sources", NULL);
    has_text(s, "angles", "0");
    has_text(s, "margin", "0 0 0 0");
    has_text(s, "nothing", NULL);
    assert_int_equal(look(s)->model, -1);
    assert_false(rp_settings_is_set(s, "look-count"));
    assert_null(rp_settings_get(s, &(struct rp_opt_group){0}));
    assert_true(promises_kept(s));
}

static void test_flag(void **state)
{
    struct rp_settings *const s = *state;

    assert_int_equal(rp_settings_set(s, "look-fast", 0, NULL), 0);
    assert_true(look(s)->fast);
    assert_true(rp_settings_is_set(s, "look-fast"));
    good(s, "look-fast", "no");
    assert_false(look(s)->fast);
    good(s, "look-fast", "TRUE");
    has_text(s, "look-fast", "yes");
    good(s, "look-fast", "0");
    good(s, "look-fast", "on");
    bad(s, "look-fast", "maybe", "--look-fast: 'maybe' is neither yes nor no");
    assert_int_equal(SET(s, "look-fast", "yes", "no"), RP_ERR_USAGE);
}

static void test_int(void **state)
{
    struct rp_settings *const s = *state;

    good(s, "look-count", "1");
    good(s, "look-count", "+32");
    assert_int_equal(look(s)->count, 32);
    bad(s, "look-count", "33", "--look-count: 33 is outside 1 to 32");
    bad(s, "look-count", "0", NULL);
    bad(s, "look-count", "-1", NULL);
    bad(s, "look-count", "3.0", "--look-count: '3.0' is not a whole number");
    bad(s, "look-count", "0x10", NULL);
    bad(s, "look-count", " 3", NULL);
    bad(s, "look-count", "3 ", NULL);
    bad(s, "look-count", "", "--look-count: an empty value");
    bad(s, "look-count", "-", NULL);
    bad(s, "look-count", "99999999999999999999", NULL);
    good(s, "look-tens", "-100");
    good(s, "look-tens", "20");
    bad(s, "look-tens", "25", "--look-tens: '25' must be -100 to 100 in steps of 10");
    good(s, "look-any", "-2147483648");
    has_text(s, "look-any", "-2147483648");
    bad(s, "look-any", "2147483648", "--look-any: 2147483648 is outside -2147483648 to 2147483647");
    assert_int_equal(SET(s, "look-count", "1", "2"), RP_ERR_USAGE);
    assert_string_equal(rp_last_error(), "--look-count: takes one value, not 2");
    assert_int_equal(rp_settings_set(s, "look-count", 0, NULL), RP_ERR_USAGE);
    assert_string_equal(rp_last_error(), "--look-count: needs a value");
}

static void test_float(void **state)
{
    struct rp_settings *const s = *state;

    good(s, "look-score", "0.30");
    assert_true(look(s)->score == 0.3); /* and not 6 * 0.05 */
    good(s, "look-score", "1");
    good(s, "look-score", ".15");
    good(s, "look-score", "0.3500001");
    assert_true(look(s)->score == 0.35);
    good(s, "look-score", "-0.0");
    has_text(s, "look-score", "0.00");
    good(s, "look-score", "1e-9");
    good(s, "look-score", "1.0000001");
    assert_true(look(s)->score == 1);
    bad(s, "look-score", "1.01", "--look-score: 1.01 is outside 0.00 to 1.00");
    bad(s, "look-score", "0.33", "--look-score: '0.33' must be 0.00 to 1.00 in steps of 0.05");
    bad(s, "look-score", "-0.05", NULL);
    good(s, "look-gain", "-0.123456789012345");
    has_text(s, "look-gain", "-0.123456789012345");
    bad(s, "look-gain", "1.0000001", "--look-gain: 1.0000001 is outside -1 to 1");
    static const char *const not_numbers[] = {
        "nan", "inf", "-inf", "1e999", "0x1p-1", "0,5", "1.0.0", " 1", "1 ", "1f", "e", "--1", "."};
    for (size_t i = 0; i < RP_ARRAY_LEN(not_numbers); i++)
        bad(s, "look-gain", not_numbers[i], NULL);
    bad(s, "look-score", "nan", "--look-score: 'nan' is not a number");
}

/* With a locale whose decimal point is a comma, everything is as before. */
static void test_locale(void **state)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"};
    bool found = false;

    for (size_t i = 0; i < RP_ARRAY_LEN(names) && !found; i++)
        found = setlocale(LC_ALL, names[i]) != NULL;
    if (!found)
        skip();
    test_float(state);
    setlocale(LC_ALL, "C");
}

static void test_string(void **state)
{
    struct rp_settings *const s = *state;
    char text[] = "a path with blanks";

    good(s, "look-path", text);
    text[0] = 'X'; /* it was copied */
    assert_string_equal(look(s)->path, "a path with blanks");
    good(s, "look-path", look(s)->path); /* from itself */
    good(s, "look-path", "later wins");
    has_text(s, "look-path", "later wins");
    bad(s, "look-path", "", "--look-path: an empty value");
}

/* A string with choices, or with a beginning of its own. */
static void test_string_choices(void **state)
{
    struct rp_settings *s = *state;

    has_text(s, "look-name", "model_b");
    assert_string_equal(look(s)->name, "model_b");
    good(s, "look-name", "model_z");
    assert_string_equal(look(s)->name, "model_z");
    good(s, "look-name", "own/any thing");
    has_text(s, "look-name", "own/any thing");
    bad(s, "look-name", "own", "--look-name: 'own' is not one of its 26 choices");
    bad(s, "look-name", "model_1",
        "--look-name: 'model_1' is not one of its 26 choices; did you mean model_a?");
    bad(s, "look-name", "", "--look-name: an empty value");
    has_text(s, "look-name", "own/any thing");
}

static void test_choice(void **state)
{
    struct rp_settings *const s = *state;

    good(s, "look-mode", "reference");
    assert_int_equal(look(s)->mode, 2);
    bad(s, "look-mode", "foo", "--look-mode: 'foo' is not one of many, one, reference");
    bad(s, "look-mode", "Many",
        "--look-mode: 'Many' is not one of many, one, reference; did you mean many?");
    good(s, "look-model", "model_z");
    assert_int_equal(look(s)->model, 25);
    bad(s, "look-model", "mdel_c",
        "--look-model: 'mdel_c' is not one of its 26 choices; did you mean model_c?");
    bad(s, "look-model", "x", "--look-model: 'x' is not one of its 26 choices");
}

static void test_size(void **state)
{
    struct rp_settings *const s = *state;

    good(s, "look-size", "320x320");
    assert_int_equal(look(s)->size.w, 320);
    bad(s, "look-size", "100x100", "--look-size: '100x100' is not one of 320x320, 640x640");
    bad(s, "look-size", "large", "--look-size: 'large' is not one of 320x320, 640x640");
    good(s, "look-box", "1x32768");
    has_text(s, "look-box", "1x32768");
    static const char *const wrong[] = {"0x1",
                                        "1x0",
                                        "32769x1",
                                        "1x32769",
                                        "1x",
                                        "x1",
                                        "1X1",
                                        "1x1x1",
                                        "-1x1",
                                        "1x-1",
                                        "1 x 1",
                                        "1x1 ",
                                        "99999999999999999999x1"};
    for (size_t i = 0; i < RP_ARRAY_LEN(wrong); i++)
        bad(s, "look-box", wrong[i], NULL);
    bad(s, "look-box", "wide",
        "--look-box: 'wide' is not a size such as 640x480 (1 to 32768 each)");
}

static void test_bytes(void **state)
{
    struct rp_settings *const s = *state;

    good(s, "look-memory", "512M");
    assert_true(look(s)->memory == 512 << 20);
    has_text(s, "look-memory", "512M");
    good(s, "look-memory", "1536k");
    has_text(s, "look-memory", "1536K");
    good(s, "look-memory", "5000");
    has_text(s, "look-memory", "5000");
    good(s, "look-memory", "1T");
    bad(s, "look-memory", "1025G", "--look-memory: 1025G is outside 1K to 1T");
    bad(s, "look-memory", "1023", NULL);
    bad(s, "look-memory", "much",
        "--look-memory: 'much' is not a size in bytes such as 512M or 2G");
    static const char *const wrong[] = {"1.5G", "-1G",      "1GB", "G",
                                        "1P",   "8388608T", "1 G", "99999999999999999999"};
    for (size_t i = 0; i < RP_ARRAY_LEN(wrong); i++)
        bad(s, "look-memory", wrong[i], NULL);
}

static void test_strings(void **state)
{
    struct rp_settings *const s = *state;

    assert_int_equal(SET(s, "sources", "a b.png", "c.png"), 0);
    assert_int_equal(lists(s)->sources.n, 2);
    assert_string_equal(lists(s)->sources.v[0], "a b.png");
    has_text(s, "sources", "a b.png c.png");
    assert_int_equal(SET(s, "sources", "d", ""), RP_ERR_USAGE);
    assert_int_equal(rp_settings_set(s, "sources", 0, NULL), RP_ERR_USAGE);
    assert_string_equal(rp_last_error(), "--sources: needs one or more values");
    has_text(s, "sources", "a b.png c.png");
    assert_int_equal(rp_settings_set_text(s, "sources", "  x\ty\n z "), 0);
    has_text(s, "sources", "x y z");
    assert_int_equal(rp_settings_set(s, "sources", 2, (const char *const *) lists(s)->sources.v),
                     0);
    has_text(s, "sources", "x y");
}

static void test_choices(void **state)
{
    struct rp_settings *const s = *state;

    assert_int_equal(SET(s, "angles", "270", "0"), 0);
    assert_int_equal(lists(s)->angles.n, 2);
    assert_int_equal(lists(s)->angles.v[0], 3);
    assert_int_equal(lists(s)->angles.v[1], 0);
    has_text(s, "angles", "270 0");
    assert_int_equal(SET(s, "angles", "0", "90", "0"), RP_ERR_USAGE);
    assert_string_equal(rp_last_error(), "--angles: '0' is given twice");
    assert_int_equal(SET(s, "angles", "0", "45"), RP_ERR_USAGE);
    assert_string_equal(rp_last_error(), "--angles: '45' is not one of 0, 90, 180, 270");
    has_text(s, "angles", "270 0");
}

static void test_ints(void **state)
{
    struct rp_settings *const s = *state;

    assert_int_equal(SET(s, "margin", "5", "10"), 0);
    assert_int_equal(lists(s)->margin.n, 2);
    has_text(s, "margin", "5 10");
    assert_int_equal(SET(s, "margin", "5", "101"), RP_ERR_USAGE);
    assert_string_equal(rp_last_error(), "--margin: 101 is outside 0 to 100");
    assert_int_equal(SET(s, "margin", "1,2"), RP_ERR_USAGE);
    assert_int_equal(SET(s, "margin", "1", "2", "3", "4", "5", "6", "7", "8"), 0);
    assert_int_equal(SET(s, "margin", "1", "2", "3", "4", "5", "6", "7", "8", "9"), RP_ERR_USAGE);
    has_text(s, "margin", "1 2 3 4 5 6 7 8");
}

/* ---- names and tables ---------------------------------------------------------------------- */

static void test_names(void **state)
{
    struct rp_settings *const s = *state;
    bool ambiguous = true;

    assert_string_equal(rp_settings_find(s, "look_size", &ambiguous)->name, "look-size");
    assert_false(ambiguous);
    assert_string_equal(rp_settings_find(s, "sou", &ambiguous)->name, "sources");
    assert_null(rp_settings_find(s, "look-m", &ambiguous));
    assert_true(ambiguous);
    /* the whole name of one is the beginning of another */
    assert_string_equal(rp_settings_find(s, "look-mode", &ambiguous)->name, "look-mode");
    assert_false(ambiguous);
    assert_null(rp_settings_find(s, "", NULL));
    assert_null(rp_settings_find(s, "look-modes", &ambiguous));
    assert_false(ambiguous);

    bad(s, "look-scor3", "1", "unknown option --look-scor3; did you mean --look-score?");
    bad(s, "xyz", "1", "unknown option --xyz");
    bad(s, "look-m", "1", "option --look-m could be --look-mode, --look-model or --look-memory");
    bad(s, "look-s", "1", "option --look-s could be --look-score or --look-size");
    bad(s, "look", "1", "option --look could be --look-fast, --look-count, --look-tens ...");
    good(s, "sou", "x");
    assert_true(rp_settings_is_set(s, "sources"));
    assert_false(rp_settings_is_set(s, "xyz"));
}

static void count(void *priv, const struct rp_opt_group *group, const struct rp_opt *opt)
{
    assert_non_null(group);
    assert_non_null(opt->name);
    ++*(int *) priv;
}

/* A beginning is of an option that is not ours, if there is one; of ours only where it is of one.
 */
static void test_shortened(void **state)
{
    bool ambiguous;
    struct rp_settings *const s = *state;

    assert_string_equal(rp_settings_find(s, "kee", &ambiguous)->name, "keep");
    assert_string_equal(rp_settings_find(s, "ke", &ambiguous)->name, "keep");
    assert_string_equal(rp_settings_find(s, "keepe", &ambiguous)->name, "keeper");
    assert_string_equal(rp_settings_find(s, "kept", &ambiguous)->name, "kept");
    assert_false(ambiguous);
}

static void test_former(void **state)
{
    struct rp_settings *const s = *state;

    good(s, "border", "7");
    has_text(s, "margin", "7");
    bad(s, "border", "x", "--margin: 'x' is not a whole number");
    bad(s, "bound", "7", "--bound is an option of earlier versions of FaceFusion; use --margin");
    assert_int_equal(rp_settings_read_ini_text(s, "c.ini", "[more]\nborder = 9\n"), 0);
    has_text(s, "margin", "7"); /* what was given before stays */
    assert_int_equal(rp_settings_read_ini_text(s, "c.ini", "[more]\nbound = 9\n"), RP_ERR_USAGE);
    assert_string_equal(rp_last_error(),
                        "c.ini:2: bound is a key of earlier versions of FaceFusion; use --margin");
    assert_int_equal(rp_settings_read_ini_text(s, "c.ini", "[look]\nborder = 9\n"), RP_ERR_USAGE);
    assert_string_equal(rp_last_error(), "c.ini:2: border belongs into [lists], not [look]");
}

static void test_elsewhere(void **state)
{
    struct rp_settings *const s = *state;

    bad(s, "look-mode", "crowd",
        "--look-mode: 'crowd' is a mode of others, which this program does "
        "not have; choose among many, one, reference");
    bad(s, "look-model", "model_0",
        "--look-model: 'model_0' is a model of others, which this program does not have");
}

static void test_each(void **state)
{
    int n = 0;

    rp_settings_each(*state, count, &n);
    assert_int_equal(n, 19);
    assert_string_equal(rp_opt_choices(rp_settings_find(*state, "look-model", NULL))[1], "model_b");
    assert_null(rp_opt_choices(rp_settings_find(*state, "look-count", NULL)));
}

static void wrong_table(const struct rp_opt opt)
{
    const struct rp_opt opts[] = {opt, {"the-other", 0, RP_OPT_FLAG, 0}, {0}};
    const struct rp_opt_group group = {"g", "G", 8, opts};
    struct rp_settings *s;

    assert_true(rp_settings_create(&s, (const struct rp_opt_group *const[]){&group, NULL}) < 0);
    assert_null(s);
}

static void test_wrong_tables(void **state)
{
    (void) state;
    wrong_table((struct rp_opt){"", 0, RP_OPT_FLAG, 0});
    wrong_table((struct rp_opt){"a", 0, RP_OPT_INT, 8});
    wrong_table((struct rp_opt){"a", 0, RP_OPT_CHOICES, 0, .choices = modes});
    wrong_table((struct rp_opt){"a", 0, RP_OPT_CHOICE, 0});
    wrong_table((struct rp_opt){"a", 0, (enum rp_opt_type) 99, 0});
    wrong_table((struct rp_opt){"a", 0, RP_OPT_INT, 0, .min = 1});
    wrong_table((struct rp_opt){"the-other", 0, RP_OPT_INT, 0});
    wrong_table((struct rp_opt){"the_other", 0, RP_OPT_INT, 0});
    wrong_table((struct rp_opt){"a", 0, RP_OPT_INT, 0, .max = 3, .def_text = "4"});
    assert_non_null(strstr(rp_last_error(), "default of --a"));
}

/* ---- config files -------------------------------------------------------------------------- */

static void ini_good(struct rp_settings *s, const char *text)
{
    if (rp_settings_read_ini_text(s, "c.ini", text) != 0)
        fail_msg("%s", rp_last_error());
    assert_true(promises_kept(s));
}

static void ini_bad(struct rp_settings *s, const char *text, const char *message)
{
    assert_true(rp_settings_read_ini_text(s, "c.ini", text) < 0);
    assert_string_equal(rp_last_error(), message);
}

static void test_ini(void **state)
{
    struct rp_settings *const s = *state;

    ini_good(s, "; a comment\n# another\n\n[look]\nlook_count = 3\nlook-score=0.25\n"
                "look_fast = yes\nlook_path = a ; b # c = d\nlook_mode =\n\n"
                "[lists]\nsources = a.png  b.png\nangles: 90 180");
    assert_int_equal(look(s)->count, 3);
    assert_true(look(s)->score == 0.25);
    assert_true(look(s)->fast);
    assert_int_equal(look(s)->mode, 1);
    assert_false(rp_settings_is_set(s, "look-mode"));
    assert_true(rp_settings_is_set(s, "look-count"));
#if RP_INIH_OPTIONS
    assert_string_equal(look(s)->path, "a ; b # c = d");
#endif
    has_text(s, "sources", "a.png b.png");
    has_text(s, "angles", "90 180");
}

static void test_ini_forms(void **state)
{
    struct rp_settings *const s = *state;

    ini_good(s, "\xef\xbb\xbf[look]\r\nlook_count = 5\r\nlook_path = x y\r\n\r\n[lists]\r\n");
    assert_int_equal(look(s)->count, 5);
    assert_string_equal(look(s)->path, "x y");
    ini_good(s, "");
    ini_good(s, "\n\n");
    ini_good(s, "[look]");
    ini_good(s, "[unknown]\nempty =\n[look]\nunknown =\n"); /* as in FaceFusion's own file */
}

static void test_ini_further_lines(void **state)
{
    struct rp_settings *const s = *state;

    ini_good(s, "[lists]\nsources =\n    a.png\n  ; no\n\tb.png\n\n    c.png\nkeep = 1\n"
                "margin = 1 2\n  3 4\n");
    has_text(s, "sources", "a.png b.png c.png");
    has_text(s, "margin", "1 2 3 4");
    assert_true(lists(s)->keep);
}

static void test_ini_first_come(void **state)
{
    struct rp_settings *const s = *state;

    good(s, "look-count", "7");
    ini_good(s, "[look]\nlook_count = 9\nlook_tens = 20\n");
    assert_int_equal(look(s)->count, 7);
    assert_int_equal(look(s)->tens, 20);
    ini_good(s, "[look]\nlook_tens = 30\n");
    assert_int_equal(look(s)->tens, 20);
    good(s, "look-tens", "40");
    assert_int_equal(look(s)->tens, 40);
    ini_bad(s, "[look]\nlook_count = 99\n", "c.ini:2: look_count: 99 is outside 1 to 32");
    ini_good(s, "[more]\nmargin = 5\n"); /* the other section of the group */
    assert_int_equal(lists(s)->margin.v[0], 5);
}

static void test_ini_bad(void **state)
{
    struct rp_settings *const s = *state;

    ini_bad(s, "[look]\nlook_score = 0.25\n\nlook_count = 99\n[lists]\n",
            "c.ini:4: look_count: 99 is outside 1 to 32");
    assert_true(look(s)->score == 0.5); /* all or nothing */
    assert_false(rp_settings_is_set(s, "look-score"));
    ini_bad(s, "[look]\n\nlook_scores = 1\n",
            "c.ini:3: unknown key look_scores in [look]; did you mean look_score?");
    ini_bad(s, "[look]\nfoo = 1\n", "c.ini:2: unknown key foo in [look]");
    ini_bad(s, "[look]\nlook_coun = 3\n",
            "c.ini:2: unknown key look_coun in [look]; did you mean look_count?");
    ini_bad(s, "[more]\nlook_count = 1\n", "c.ini:2: look_count belongs into [look], not [more]");
    ini_bad(s, "[more]\nmargins = 1\n",
            "c.ini:2: unknown key margins in [more]; did you mean margin?");
    ini_bad(s, "[look]\nmargin = 1\n", "c.ini:2: margin belongs into [lists], not [look]");
    ini_bad(s, "[list]\nmargin = 1\n",
            "c.ini:2: unknown section [list] at margin; did you mean [lists]?");
    ini_bad(s, "[other]\nmargin = 1\n", "c.ini:2: unknown section [other] at margin");
    ini_bad(s, "margin = 1\n", "c.ini:1: margin stands before the first [section]");
    ini_bad(s, "[look]\nlook_count\n", "c.ini:2: neither a [section] nor key = value");
#if RP_INIH_OPTIONS /* elsewhere inih goes on to the next line */
    ini_bad(s, "[look\nlook_count = 1\n", "c.ini:1: neither a [section] nor key = value");
#endif
    ini_bad(s, "[look]\nlook_count = 1\nlook_count = 2\n",
            "c.ini:3: look_count stands in line 2 already");
    ini_bad(s, "[look]\nfoo =\n  bar\n", "c.ini:3: unknown key foo in [look]");
    ini_bad(s, "[lists]\nmargin = 1\n  x\nkeep = 1\n",
            "c.ini:2: margin: 'x' is not a whole number");
}

static void test_ini_long_line(void **state)
{
    struct rp_settings *const s = *state;
    enum { LONG = 100000 };
    char *const text = malloc(LONG + 100);
    char *end = stpcpy(text, "[look]\nlook_path = ");

    memset(end, 'x', LONG);
    stpcpy(end + LONG, "\nlook_count = 99\n");
#if RP_INIH_OPTIONS
    ini_bad(s, text, "c.ini:3: look_count: 99 is outside 1 to 32");
    stpcpy(end + LONG, "\nlook_count = 9\n");
    ini_good(s, text);
    assert_int_equal(strlen(look(s)->path), LONG);
#else
    assert_int_equal(rp_settings_read_ini_text(s, "c.ini", text), RP_ERR_LIMIT);
    assert_int_equal(strncmp(rp_last_error(), "c.ini:2: longer than", 20), 0);
#endif
    free(text);
}

static void test_ini_file(void **state)
{
    struct rp_settings *const s = *state;
    char name[] = "/tmp/rp_ini_XXXXXX";

    close(mkstemp(name));
    assert_int_equal(rp_file_write(name, "[look]\nlook_count = 4\n", 22), 0);
    assert_int_equal(rp_settings_read_ini(s, name), 0);
    assert_int_equal(look(s)->count, 4);
    assert_int_equal(rp_file_write(name, "[look]\n\0", 8), 0);
    assert_int_equal(rp_settings_read_ini(s, name), RP_ERR_FORMAT);
    unlink(name);
    assert_int_equal(rp_settings_read_ini(s, name), RP_ERR_IO);
    assert_non_null(strstr(rp_last_error(), name));
}

/* ---- memory -------------------------------------------------------------------------------- */

static const char whole_ini[] =
    "[look]\nlook_path = a\nlook_count = 3\n[lists]\nsources = a b\n c\n";

static int run(int what, struct rp_settings *s)
{
    struct rp_settings *made = NULL;
    int ret = 0;

    switch (what) {
    case 0:
        ret = rp_settings_create(&made, option_groups);
        break;
    case 1:
        ret = SET(s, "sources", "c", "d", "e");
        break;
    case 2:
        ret = rp_settings_set_text(s, "look-path", "new");
        break;
    case 3:
        ret = rp_settings_read_ini_text(s, "c.ini", whole_ini);
        break;
    case 4:
        ret = rp_settings_set_text(s, "margin", "1 2 3");
        break;
    }
    rp_settings_destroy(&made);
    return ret;
}

/* The n-th allocation fails, for every n. */
static void test_out_of_memory(void **state)
{
    for (int what = 0; what < 5; what++) {
        int ret = RP_ERR_NOMEM, n;
        for (n = 1; ret < 0 && n < 1000; n++) {
            tear_down(state);
            assert_int_equal(set_up(state), 0);
            calls_until_failure = n;
            ret = run(what, *state);
            const bool reached = calls_until_failure == 0;
            calls_until_failure = 0;
            assert_int_equal(ret, reached ? RP_ERR_NOMEM : 0);
            if (reached) {
                has_text(*state, "sources", NULL);
                has_text(*state, "look-path", NULL);
                has_text(*state, "margin", "0 0 0 0");
            }
            assert_true(promises_kept(*state));
        }
        assert_true(n > 2 && n < 1000);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_defaults),
        T(test_flag),
        T(test_int),
        T(test_float),
        T(test_locale),
        T(test_string),
        T(test_string_choices),
        T(test_choice),
        T(test_size),
        T(test_bytes),
        T(test_strings),
        T(test_choices),
        T(test_ints),
        T(test_names),
        T(test_shortened),
        T(test_former),
        T(test_elsewhere),
        T(test_each),
        T(test_wrong_tables),
        T(test_ini),
        T(test_ini_forms),
        T(test_ini_further_lines),
        T(test_ini_first_come),
        T(test_ini_bad),
        T(test_ini_long_line),
        T(test_ini_file),
        T(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
