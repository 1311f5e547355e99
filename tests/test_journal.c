/* The journal of a job in pieces: what was written is read back, and of what was cut or damaged
 * anywhere exactly the lines before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/path.h"
#include "pipeline/journal.h"

enum { PIECES = 4, HEAD_LINES = 9 };

static char root[] = "/tmp/rp_journal_XXXXXX";
static char path[sizeof(root) + 16];
static char *text;
static size_t size;

static const struct rp_journal_head head = {
    .program = "reprise 0.1.0 of a day",
    .options = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    .models = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    .target = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
    .sources = "0000000000000000000000000000000000000000000000000000000000000000",
    .device = "cpu",
    .first = 10,
    .end = 1000,
    .piece = 250,
    .lockstep = 1,
    .machine = "x86_64 Intel avx2 fma; ONNX Runtime 1.29.0",
};

static struct rp_journal_piece piece_of(int number)
{
    struct rp_journal_piece p = {
        .number = number,
        .first = 250 * number + 10 * !number,
        .end = 250 * number + 250,
        .frames = 240,
        .bytes = 12345678901 + number,
        .faces = 7,
        .changed = 5,
        .checked = 10,
        .positive = 1,
        .overflow = number == 1,
        .damaged = number == 2,
        .last = number == 3,
        .before = 0xdeadbeef,
    };

    memset(p.sha256, 'a' + number, RP_SHA256_HEX - 1);
    rp_content_sample_begin(&p.after, 990);
    for (int i = 0; i < 250 * (number + 1); i++)
        rp_content_sample(&p.after, i / 29.97, (i + 1) / 29.97);
    return p;
}

static void assert_piece(const struct rp_journal_piece *a, int number)
{
    const struct rp_journal_piece b = piece_of(number);

    assert_true(a->number == b.number && a->first == b.first && a->end == b.end);
    assert_true(a->frames == b.frames && a->bytes == b.bytes && a->faces == b.faces);
    assert_true(a->changed == b.changed && a->checked == b.checked && a->positive == b.positive);
    assert_true(a->overflow == b.overflow && a->damaged == b.damaged && a->before == b.before);
    assert_true(a->last == b.last);
    assert_string_equal(a->sha256, b.sha256);
    assert_memory_equal(&a->after, &b.after, sizeof(b.after));
    assert_int_equal(rp_journal_state(&a->after), rp_journal_state(&b.after));
}

static int make(void **state)
{
    struct rp_journal j;
    uint8_t *data;

    (void) state;
    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    assert_non_null(mkdtemp(root));
    snprintf(path, sizeof(path), "%s/a.journal", root);
    assert_int_equal(rp_journal_begin(&j, path, &head), 0);
    for (int i = 0; i < PIECES; i++) {
        const struct rp_journal_piece p = piece_of(i);
        assert_int_equal(rp_journal_add(&j, &p), 0);
    }
    rp_journal_close(&j);
    assert_int_equal(rp_file_read(path, 1 << 20, &data, &size), 0);
    text = (char *) data;
    return 0;
}

static int unmake(void **state)
{
    (void) state;
    free(text);
    unlink(path);
    return rmdir(root);
}

/* Bytes to the end of the n-th line, from 1. */
static size_t lines_end(int n)
{
    const char *at = text;

    while (n--)
        at = strchr(at, '\n') + 1;
    return (size_t) (at - text);
}

/* Parse and check that there are the head, or not, and the first pieces. */
static void assert_holds(const char *data, size_t n, bool whole_head, int pieces)
{
    struct rp_journal_head got;
    struct rp_journal_list list = {0};
    bool valid;
    char *const copy = malloc(n ? n : 1); /* so that a sanitizer sees what is read beyond it */

    memcpy(copy, data, n);
    assert_int_equal(rp_journal_parse(copy, n, &got, &valid, &list), 0);
    free(copy);
    assert_int_equal(valid, whole_head);
    assert_int_equal(list.n, pieces);
    if (valid) {
        assert_true(rp_journal_same(&got, &head, NULL, 0));
        assert_string_equal(got.machine, head.machine);
    }
    for (int i = 0; i < list.n; i++)
        assert_piece(&list.piece[i], i);
    rp_journal_list_free(&list);
}

static int lines_before(size_t at)
{
    int n = 0;

    for (size_t i = 0; i < at; i++)
        n += text[i] == '\n';
    return n;
}

static void test_whole(void **state)
{
    (void) state;
    assert_holds(text, size, true, PIECES);
    assert_int_equal(lines_before(size), HEAD_LINES + PIECES);
}

static void test_cut(void **state)
{
    (void) state;
    for (size_t n = 0; n <= size; n++) {
        const int lines = lines_before(n);
        assert_holds(text, n, lines >= HEAD_LINES, RP_MAX(lines - HEAD_LINES, 0));
    }
}

/* One byte of another value; zeros from somewhere on, as after a power cut; a line twice, a line
 * less, two that have changed places. */
static void test_damaged(void **state)
{
    static const char values[] = {'\0', '\n', ' ', '0', '9', 'f', '-', (char) 0x80};
    char *const other = malloc(2 * size);

    (void) state;
    for (size_t at = 0; at < size; at++) {
        const int lines = lines_before(at);
        for (size_t k = 0; k < sizeof(values); k++) {
            memcpy(other, text, size);
            if (other[at] == values[k])
                continue;
            other[at] = values[k];
            assert_holds(other, size, lines >= HEAD_LINES, RP_MAX(lines - HEAD_LINES, 0));
        }
        memcpy(other, text, at);
        memset(other + at, 0, size - at);
        assert_holds(other, size, lines >= HEAD_LINES, RP_MAX(lines - HEAD_LINES, 0));
    }
    for (int n = 1; n < HEAD_LINES + PIECES; n++) {
        const size_t from = lines_end(n - 1), to = lines_end(n);
        const bool whole = n > HEAD_LINES;

        memcpy(other, text, to);
        memcpy(other + to, text + from, size - from);
        assert_holds(other, size + to - from, n >= HEAD_LINES, RP_MAX(n - HEAD_LINES, 0));
        memcpy(other, text, from);
        memcpy(other + from, text + to, size - to);
        assert_holds(other, size - to + from, whole, RP_MAX(n - 1 - HEAD_LINES, 0));
    }
    free(other);
}

/* With the right sum behind it, in the place of the first piece's line. */
static void assert_refused(const char *line)
{
    const size_t n = lines_end(HEAD_LINES);
    uint32_t crc = (uint32_t) strtoul(text + n - 9, NULL, 16);

    crc = rp_crc32(rp_crc32(crc, line, strlen(line)), " ", 1);
    char *const other = rp_asprintf("%.*s%s %08x\n", (int) n, text, line, crc);
    assert_non_null(other);
    assert_holds(other, strlen(other), true, 0);
    free(other);
}

static void test_hostile(void **state)
{
    const size_t from = lines_end(HEAD_LINES), to = lines_end(HEAD_LINES + 1) - 10;
    static const char *const values[] = {
        "-1", "+1",  "0x1", "1e3", "", "9223372036854775807", "99999999999999999999",
        "01", "nan", "a b", "\t1"};
    char line[4096];

    (void) state;
    for (size_t at = from; at < to; at++) { /* each word is replaced */
        const size_t n = strcspn(text + at, " \n");
        if (at > from && text[at - 1] != ' ')
            continue;
        for (size_t k = 0; k < RP_ARRAY_LEN(values); k++) {
            snprintf(line, sizeof(line), "%.*s%s%.*s", (int) (at - from), text + from, values[k],
                     (int) (to - at - RP_MIN(n, to - at)), text + at + RP_MIN(n, to - at));
            if (strcmp(values[k], "9223372036854775807") != 0)
                assert_refused(line);
        }
        snprintf(line, sizeof(line), "%.*s", (int) (at - from), text + from); /* too few */
        assert_refused(line);
    }
    snprintf(line, sizeof(line), "%.*s 1", (int) (to - from), text + from); /* too many */
    assert_refused(line);
    memset(line, '1', sizeof(line));
    line[sizeof(line) - 1] = '\0';
    assert_refused(line);
}

static void test_same(void **state)
{
    struct rp_journal_head other = head;
    char what[200], id[RP_JOURNAL_ID], other_id[RP_JOURNAL_ID];

    (void) state;
    assert_true(rp_journal_same(&head, &other, what, sizeof(what)));
    assert_int_equal(rp_journal_id(&head, id), 0);
    other.target[3]++;
    assert_false(rp_journal_same(&head, &other, what, sizeof(what)));
    assert_string_equal(what, "the target");
    other.options[0]++;
    other.piece++;
    assert_false(rp_journal_same(&head, &other, what, sizeof(what)));
    assert_string_equal(what, "the options, the target and the length of a piece");
    assert_false(rp_journal_same(&head, &other, what, 5));
    assert_int_equal(rp_journal_id(&other, other_id), 0);
    assert_string_not_equal(id, other_id);
    other = head;
    other.lockstep = 4;
    assert_false(rp_journal_same(&head, &other, what, sizeof(what)));
    assert_string_equal(what, "the number of frames in lockstep");
    other = head;
    other.machine[3]++; /* of pieces that fit together */
    assert_true(rp_journal_same(&head, &other, what, sizeof(what)));
    assert_int_equal(rp_journal_id(&other, other_id), 0);
    assert_string_equal(id, other_id);
    assert_int_equal(strlen(id), RP_JOURNAL_ID - 1);
}

/* A second journal of that name is not begun. */
static void test_there(void **state)
{
    struct rp_journal j;

    (void) state;
    assert_int_equal(rp_journal_begin(&j, path, &head), RP_ERR_IO);
    rp_journal_close(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),   cmocka_unit_test(test_cut),  cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_hostile), cmocka_unit_test(test_same), cmocka_unit_test(test_there),
    };

    return cmocka_run_group_tests(tests, make, unmake);
}
