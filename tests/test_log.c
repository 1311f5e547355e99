/* Lines, levels, the last error, exit codes, small helpers. */
#include "base/timeline.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <unistd.h>

#include <cmocka.h>

struct seen {
    int calls, inside, overlaps, torn;
    enum rp_log_level level;
    char line[4096];
};

static void see(void *priv, enum rp_log_level level, const char *line)
{
    struct seen *const seen = priv;

    seen->overlaps += seen->inside++ != 0;
    seen->calls++;
    seen->level = level;
    snprintf(seen->line, sizeof(seen->line), "%s", line);
    const size_t len = strlen(line); /* each line of the thread test repeats one letter */
    seen->torn += len && strspn(line, (const char[]){line[0], 0}) != len;
    seen->inside--;
}

static int quiet_again(void **state)
{
    (void) state;
    rp_set_log(RP_LOG_INFO, NULL, NULL);
    return 0;
}

static void test_levels(void **state)
{
    struct seen seen = {0};

    (void) state;
    rp_set_log(RP_LOG_WARN, see, &seen);
    rp_log(RP_LOG_INFO, "no");
    rp_log(RP_LOG_DEBUG, "no");
    assert_int_equal(seen.calls, 0);
    rp_log(RP_LOG_WARN, "%d of %s", 3, "ten");
    assert_int_equal(seen.level, RP_LOG_WARN);
    assert_string_equal(seen.line, "3 of ten");
    assert_true(rp_log_enabled(RP_LOG_ERROR) && !rp_log_enabled(RP_LOG_INFO));
    rp_set_log(RP_LOG_QUIET, see, &seen);
    rp_log(RP_LOG_ERROR, "no");
    assert_int_equal(seen.calls, 1);
}

static void test_one_line(void **state)
{
    struct seen seen = {0};

    (void) state;
    rp_set_log(RP_LOG_INFO, see, &seen);
    rp_log(RP_LOG_INFO, "a\nb\x1b[31mc\r\n");
    assert_string_equal(seen.line, "a\\x0ab\\x1b[31mc");
}

static void test_long_line(void **state)
{
    struct seen seen = {0};
    char text[3001];

    (void) state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    rp_set_log(RP_LOG_INFO, see, &seen);
    rp_log(RP_LOG_INFO, "%s", text);
    assert_string_equal(seen.line, text);
}

static void check_clean(enum rp_text_form form, const char *text, const char *right)
{
    char out[128];

    assert_int_equal(rp_text_clean(form, text, out, sizeof(out)), strlen(right));
    assert_string_equal(out, right);
}

/* What commands a terminal becomes visible, all else stays. */
static void test_clean_for_terminals(void **state)
{
    (void) state;
    check_clean(RP_TEXT_TERMINAL, "", "");
    check_clean(RP_TEXT_TERMINAL, "a\\x1b %s \"'<&", "a\\x1b %s \"'<&");
    check_clean(RP_TEXT_TERMINAL, "\x1b[2J\a\t\r\n", "\\x1b[2J\\x07\\x09\\x0d\\x0a");
    check_clean(RP_TEXT_TERMINAL, "\x7f", "\\u007f");
    check_clean(RP_TEXT_TERMINAL,
                "\xc2\x9b"
                "31m\xc2\x80\xc2\x9f",
                "\\u009b31m\\u0080\\u009f");
    check_clean(RP_TEXT_TERMINAL,
                "\x9b"
                "31m",
                "\\x9b31m");
    check_clean(RP_TEXT_TERMINAL, "\xe2\x80\xae\xe2\x80\xaa\xe2\x81\xa6\xe2\x81\xa9",
                "\\u202e\\u202a\\u2066\\u2069");
    check_clean(RP_TEXT_TERMINAL, "\xc3\xa4\xc2\xa0\xe2\x82\xac\xf0\x9f\x98\x80\xe2\x80\xa9",
                "\xc3\xa4\xc2\xa0\xe2\x82\xac\xf0\x9f\x98\x80\xe2\x80\xa9");
    /* cut, too long, a surrogate, beyond the last */
    check_clean(RP_TEXT_TERMINAL, "\xe2\x82", "\\xe2\\x82");
    check_clean(RP_TEXT_TERMINAL, "\xc0\x9b\xe0\x82\x9b\xf0\x80\x80\x9b",
                "\\xc0\\x9b\\xe0\\x82\\x9b\\xf0\\x80\\x80\\x9b");
    check_clean(RP_TEXT_TERMINAL, "\xed\xa0\x80\xf4\x90\x80\x80\xff",
                "\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80\\xff");
}

static void test_clean_for_json(void **state)
{
    char *const copy = rp_utf8("a\x1b\xc2\x9b\xff\xe2\x80\xae");

    (void) state;
    assert_string_equal(copy, "a\x1b\xc2\x9b\xef\xbf\xbd\xe2\x80\xae");
    free(copy);
}

/* Every size of the room: a whole number of characters, a zero at the end, nothing beyond. */
static void test_clean_is_cut(void **state)
{
    const char *const text = "a\x1b\xe2\x82\xacz";
    static const size_t starts[] = {0, 1, 5, 8, 9};
    char out[12];

    (void) state;
    for (size_t size = 0; size < sizeof(out); size++) {
        size_t n = 0;
        memset(out, '#', sizeof(out));
        assert_int_equal(rp_text_clean(RP_TEXT_TERMINAL, text, size ? out : NULL, size), 9);
        for (size_t i = 0; i < RP_ARRAY_LEN(starts); i++)
            n = starts[i] < size ? starts[i] : n;
        assert_true(size == 0 || strlen(out) == n);
        assert_int_equal(out[size], '#');
    }
    assert_string_equal(out, "a\\x1b\xe2\x82\xacz");
}

static void test_fail(void **state)
{
    struct seen seen = {0};

    (void) state;
    rp_set_log(RP_LOG_QUIET, see, &seen);
    assert_int_equal(rp_fail(RP_ERR_FORMAT, "%s: broken", "x"), RP_ERR_FORMAT);
    assert_string_equal(rp_last_error(), "x: broken");
    assert_int_equal(seen.calls, 0);
    rp_set_log(RP_LOG_ERROR, see, &seen);
    rp_fail(RP_ERR_IO, "again");
    assert_int_equal(seen.level, RP_LOG_ERROR);
    assert_string_equal(seen.line, "again");
}

/* 2000 letters of two bytes: the kept sentence ends with a complete one. */
static void test_last_error_is_cut_at_a_letter(void **state)
{
    char text[4001];

    (void) state;
    for (int i = 0; i < 2000; i++)
        memcpy(text + 2 * i, "\xc3\xa4", 2);
    text[4000] = '\0';
    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    rp_fail(RP_ERR_IO, "x%s", text);
    const size_t len = strlen(rp_last_error());
    assert_true(len > 1000 && len < 4001 && len % 2 == 1);
    rp_fail(RP_ERR_IO, "%s", text);
    assert_int_equal(strlen(rp_last_error()) % 2, 0);
}

static void *fail_elsewhere(void *priv)
{
    const bool was_empty = !*rp_last_error();

    (void) priv;
    rp_fail(RP_ERR_IO, "elsewhere");
    return was_empty ? &quiet_again : NULL;
}

static void test_last_error_is_of_the_thread(void **state)
{
    pthread_t thread;
    void *was_empty;

    (void) state;
    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    rp_fail(RP_ERR_IO, "here");
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, NULL), 0);
    pthread_join(thread, &was_empty);
    assert_non_null(was_empty);
    assert_string_equal(rp_last_error(), "here");
}

static void *log_much(void *letter)
{
    char line[700];

    memset(line, *(const char *) letter, sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    for (int i = 0; i < 500; i++)
        rp_log(RP_LOG_INFO, "%s", line);
    return NULL;
}

static void run_four(void)
{
    pthread_t thread[4];

    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, log_much, (void *) &"abcd"[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
}

static void test_threads(void **state)
{
    struct seen seen = {0};

    (void) state;
    rp_set_log(RP_LOG_INFO, see, &seen);
    run_four();
    assert_int_equal(seen.calls, 2000);
    assert_int_equal(seen.overlaps, 0);
    assert_int_equal(seen.torn, 0);
}

/* What `run` writes to stderr. */
static FILE *capture(void (*run)(void))
{
    FILE *const to = tmpfile();
    const int saved = dup(2);

    assert_non_null(to);
    fflush(stderr);
    dup2(fileno(to), 2);
    run();
    fflush(stderr);
    dup2(saved, 2);
    close(saved);
    rewind(to);
    return to;
}

static void log_each_level(void)
{
    rp_log(RP_LOG_ERROR, "one");
    rp_log(RP_LOG_WARN, "two");
    rp_log(RP_LOG_INFO, "three");
    rp_log(RP_LOG_DEBUG, "four");
}

static void test_stderr(void **state)
{
    char text[200] = "";

    (void) state;
    rp_set_log(RP_LOG_DEBUG, NULL, NULL);
    FILE *const f = capture(log_each_level);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    assert_string_equal(text, "reprise: error: one\nreprise: warning: two\nreprise: three\n"
                              "reprise: debug: four\n");
}

static void test_stderr_threads(void **state)
{
    char line[800];
    int n = 0;

    (void) state;
    rp_set_log(RP_LOG_INFO, NULL, NULL);
    FILE *const f = capture(run_four);
    for (; fgets(line, sizeof(line), f); n++) {
        assert_int_equal(strlen(line), 699 + strlen("reprise: \n"));
        assert_int_equal(strspn(line + 9, (const char[]){line[9], 0}), 699);
    }
    fclose(f);
    assert_int_equal(n, 2000);
}

static void log_inside(void *priv, enum rp_log_level level, const char *line)
{
    struct seen *const seen = priv;

    (void) level;
    (void) line;
    if (seen->calls++ == 0)
        rp_log(RP_LOG_INFO, "a line from inside a callback: to stderr");
}

static struct seen inside;

static void log_one(void)
{
    rp_log(RP_LOG_INFO, "outside");
}

static void test_callback_may_log(void **state)
{
    char text[200] = "";

    (void) state;
    rp_set_log(RP_LOG_INFO, log_inside, &inside);
    FILE *const f = capture(log_one);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    assert_int_equal(inside.calls, 1);
    assert_string_equal(text, "reprise: a line from inside a callback: to stderr\n");
}

static void test_small(void **state)
{
    char *const text = rp_asprintf("%s-%d", "a", 7);
    const double before = rp_now();

    (void) state;
    assert_string_equal(text, "a-7");
    rp_free(text);
    rp_free(NULL);
    assert_true(rp_now() >= before);
    assert_in_range(rp_cpu_count(), 1, sysconf(_SC_NPROCESSORS_CONF));
    assert_int_equal(strspn(rp_version(), "0123456789."), strlen(rp_version()));
}

static void test_exit_codes(void **state)
{
    (void) state;
    assert_int_equal(rp_exit_code(RP_OK), 0);
    assert_int_equal(rp_exit_code(5), 0);
    assert_int_equal(rp_exit_code(RP_ERR_IO), 1);
    assert_int_equal(rp_exit_code(-1000), 1);
    assert_int_equal(rp_exit_code(RP_ERR_USAGE), 2);
    assert_int_equal(rp_exit_code(RP_ERR_MISSING), 2);
    assert_int_equal(rp_exit_code(RP_ERR_BLOCKED), 3);
    assert_int_equal(rp_exit_code(RP_ERR_CANCELLED), 4);
    for (int i = RP_ERR_AGAIN; i < 0; i++) {
        const bool passes =
            i == RP_ERR_AGAIN || i == RP_ERR_NOMEM || i == RP_ERR_DEVICE || i == RP_ERR_DEVICE_MEM;
        assert_int_equal(rp_exit_code(i) == 75, passes);
    }
}

/* What a retry cures, by errno. */
static void test_io_status(void **state)
{
    static const int again[] = {ENOSPC, EDQUOT, EIO, ESTALE, EHOSTUNREACH, ETIMEDOUT, EMFILE};
    static const int never[] = {0, ENOENT, EACCES, EPERM, EROFS, ENOTDIR, EFBIG, ENAMETOOLONG};

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(again); i++)
        assert_int_equal(rp_io_status(again[i]), RP_ERR_AGAIN);
    for (size_t i = 0; i < RP_ARRAY_LEN(never); i++)
        assert_int_equal(rp_io_status(never[i]), RP_ERR_IO);
    assert_int_equal(rp_io_status(ENOMEM), RP_ERR_NOMEM);
}

static void test_timeline(void **state)
{
    struct rp_moment moment[RP_MOMENTS];
    const double start = rp_process_start(), since = rp_now();

    (void) state;
    assert_true(start <= since);
    assert_true(since - start < 60); /* this process is not older */
    for (int i = 0; i < RP_MOMENTS + 10; i++)
        rp_timeline_add("number %d of %s", i, "these");
    assert_int_equal(rp_timeline_get(moment, RP_MOMENTS, rp_now() + 1), 0);
    assert_int_equal(rp_timeline_get(moment, 2, since), 2);
    assert_string_equal(moment[1].what, "number 1 of these");
    assert_true(moment[0].at >= since && moment[1].at >= moment[0].at);
    assert_int_equal(rp_timeline_get(moment, RP_MOMENTS, since), RP_MOMENTS);
    assert_string_equal(moment[RP_MOMENTS - 1].what, "number 255 of these");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_levels, quiet_again),
        cmocka_unit_test_teardown(test_one_line, quiet_again),
        cmocka_unit_test(test_clean_for_terminals),
        cmocka_unit_test(test_clean_for_json),
        cmocka_unit_test(test_clean_is_cut),
        cmocka_unit_test_teardown(test_long_line, quiet_again),
        cmocka_unit_test_teardown(test_fail, quiet_again),
        cmocka_unit_test_teardown(test_last_error_is_cut_at_a_letter, quiet_again),
        cmocka_unit_test_teardown(test_last_error_is_of_the_thread, quiet_again),
        cmocka_unit_test_teardown(test_threads, quiet_again),
        cmocka_unit_test_teardown(test_stderr, quiet_again),
        cmocka_unit_test_teardown(test_stderr_threads, quiet_again),
        cmocka_unit_test_teardown(test_callback_may_log, quiet_again),
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_exit_codes),
        cmocka_unit_test(test_io_status),
        cmocka_unit_test(test_timeline),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
