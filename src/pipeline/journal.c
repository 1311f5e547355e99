#include "pipeline/journal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/path.h"

#define FIRST_LINE "reprise-journal 2"
enum { CRC_DIGITS = 8, LINE_MAX_BYTES = 2048, PIECE_MAX = 10000000, LOCKSTEP_MAX = 64 };

/* ---- lines ----------------------------------------------------------------------------------- */

/* Words of a line, taken one after the other; a failure is remembered. */
struct words {
    char *at; /* NULL: there are no more */
    bool bad;
};

static const char *take(struct words *w)
{
    char *const word = w->at;

    if (!word || !*word || *word == ' ') {
        w->bad = true;
        w->at = NULL;
        return "";
    }
    char *const blank = strchr(word, ' ');
    if (blank)
        *blank = '\0';
    w->at = blank ? blank + 1 : NULL;
    return word;
}

static int64_t take_number(struct words *w, int64_t most)
{
    const char *const word = take(w);
    const size_t n = strlen(word);

    if (w->bad || !n || n > 18 || strspn(word, "0123456789") != n || (n > 1 && *word == '0')) {
        w->bad = true;
        return 0;
    }
    const int64_t value = strtoll(word, NULL, 10);
    w->bad |= value > most;
    return w->bad ? 0 : value;
}

static uint64_t take_hex(struct words *w, size_t digits)
{
    const char *const word = take(w);

    if (w->bad || strlen(word) != digits || strspn(word, "0123456789abcdef") != digits) {
        w->bad = true;
        return 0;
    }
    return strtoull(word, NULL, 16);
}

static void take_sum(struct words *w, char sum[RP_SHA256_HEX])
{
    const char *const word = take(w);

    if (w->bad || strlen(word) != RP_SHA256_HEX - 1 ||
        strspn(word, "0123456789abcdef") != RP_SHA256_HEX - 1) {
        w->bad = true;
        sum[0] = '\0';
        return;
    }
    memcpy(sum, word, RP_SHA256_HEX);
}

static bool ends(const struct words *w)
{
    return !w->bad && !w->at;
}

/* ---- the sampler ----------------------------------------------------------------------------- */

static uint64_t bits_of(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static double value_of(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

static int known_numbers(const struct rp_content_sampler *s)
{
    return (int) RP_MIN(s->chosen, RP_CONTENT_LEAST);
}

static void write_sampler(FILE *to, const struct rp_content_sampler *s)
{
    fprintf(to, "%" PRId64 " %" PRId64 " %" PRId64 " %016" PRIx64 " %" PRId64, s->step, s->seen,
            s->last, bits_of(s->time), s->chosen);
    for (int i = 0; i < known_numbers(s); i++)
        fprintf(to, " %" PRId64, s->number[i]);
}

static void read_sampler(struct words *w, struct rp_content_sampler *s)
{
    s->step = take_number(w, RP_CONTENT_APART);
    s->seen = take_number(w, INT64_MAX);
    s->last = take_number(w, s->seen);
    s->time = value_of(take_hex(w, 16));
    s->chosen = take_number(w, s->seen);
    w->bad |= s->step < 1;
    for (int i = 0; i < known_numbers(s) && !w->bad; i++)
        s->number[i] = take_number(w, s->seen);
}

uint32_t rp_journal_state(const struct rp_content_sampler *s)
{
    const int64_t state[] = {s->step, s->seen, s->last, (int64_t) bits_of(s->time), s->chosen};
    const uint32_t crc = rp_crc32(0, state, sizeof(state));

    return rp_crc32(crc, s->number, (size_t) known_numbers(s) * sizeof(s->number[0]));
}

/* ---- head and pieces as text ----------------------------------------------------------------- */

static char *text_of_piece(const struct rp_journal_piece *p)
{
    char *text = NULL;
    size_t size = 0;
    FILE *const to = open_memstream(&text, &size);

    if (!to)
        return NULL;
    fprintf(to,
            "piece %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %s %" PRId64
            " %" PRId64 " %" PRId64 " %" PRId64 " %d %d %d %08" PRIx32 " ",
            p->number, p->first, p->end, p->frames, p->bytes, p->sha256, p->faces, p->changed,
            p->checked, p->positive, p->overflow, p->damaged, p->last, p->before);
    write_sampler(to, &p->after);
    if (ferror(to) | fclose(to)) {
        free(text);
        return NULL;
    }
    return text;
}

static bool read_piece(char *line, struct rp_journal_piece *p)
{
    struct words w = {line, false};

    *p = (struct rp_journal_piece){0};
    if (strcmp(take(&w), "piece") != 0)
        return false;
    p->number = take_number(&w, INT32_MAX);
    p->first = take_number(&w, INT64_MAX);
    p->end = take_number(&w, INT64_MAX);
    p->frames = take_number(&w, p->end);
    p->bytes = take_number(&w, INT64_MAX);
    take_sum(&w, p->sha256);
    p->faces = take_number(&w, INT64_MAX);
    p->changed = take_number(&w, INT64_MAX);
    p->checked = take_number(&w, p->frames);
    p->positive = take_number(&w, p->checked);
    p->overflow = take_number(&w, 1);
    p->damaged = take_number(&w, 1);
    p->last = take_number(&w, 1);
    p->before = (uint32_t) take_hex(&w, 8);
    read_sampler(&w, &p->after);
    return ends(&w) && p->first < p->end && p->end - p->first <= PIECE_MAX &&
           p->frames <= p->end - p->first;
}

/* The lines that say what the job is; words without blanks but the last of a line. */
static char *text_of_head(const struct rp_journal_head *h)
{
    return rp_asprintf("program %s\noptions %s\nmodels %s\ntarget %s\nsources %s\ndevice %s\n"
                       "frames %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n",
                       h->program, h->options, h->models, h->target, h->sources, h->device,
                       h->first, h->end, h->piece, h->lockstep);
}

/* It may be shown: nothing but what a terminal prints. */
static bool is_plain(const char *text)
{
    while (*text >= ' ' && *text <= '~')
        text++;
    return !*text;
}

static void take_text(struct words *w, char *out, size_t size)
{
    const char *const word = w->at;

    w->at = NULL;
    w->bad |= !word || !*word || strlen(word) >= size || !is_plain(word);
    snprintf(out, size, "%s", w->bad ? "" : word);
}

enum { HEAD_LINES = 8 };

static bool read_head(char *line, int number, struct rp_journal_head *h)
{
    static const char *const name[HEAD_LINES] = {"program", "options", "models", "target",
                                                 "sources", "device",  "frames", "machine"};
    struct words w = {line, false};

    if (strcmp(take(&w), name[number]) != 0)
        return false;
    switch (number) {
    case 0:
        take_text(&w, h->program, sizeof(h->program));
        break;
    case 1:
        take_sum(&w, h->options);
        break;
    case 2:
        take_sum(&w, h->models);
        break;
    case 3:
        take_sum(&w, h->target);
        break;
    case 4:
        take_sum(&w, h->sources);
        break;
    case 5:
        take_text(&w, h->device, sizeof(h->device));
        break;
    case 6:
        h->first = take_number(&w, INT64_MAX);
        h->end = take_number(&w, INT64_MAX);
        h->piece = take_number(&w, PIECE_MAX);
        h->lockstep = take_number(&w, LOCKSTEP_MAX);
        w.bad |= h->piece < 1 || h->lockstep < 1;
        break;
    default:
        take_text(&w, h->machine, sizeof(h->machine));
        break;
    }
    return ends(&w);
}

/* ---- reading --------------------------------------------------------------------------------- */

int rp_journal_put(struct rp_journal_list *list, const struct rp_journal_piece *piece)
{
    if (list->n == list->room) {
        const int room = list->room ? 2 * list->room : 64;
        struct rp_journal_piece *const more = realloc(list->piece, (size_t) room * sizeof(*more));

        if (!more)
            return rp_fail(RP_ERR_NOMEM, "out of memory");
        list->piece = more;
        list->room = room;
    }
    list->piece[list->n++] = *piece;
    return 0;
}

/* A line without its end and its sum, if that is right. @param size  of the line, with its end */
static bool check_line(const char *at, size_t size, uint32_t *crc, char line[LINE_MAX_BYTES])
{
    char sum[CRC_DIGITS + 1];
    const size_t n = size - 1; /* without the end */

    if (n < CRC_DIGITS + 2 || n >= LINE_MAX_BYTES || memchr(at, '\0', n))
        return false;
    memcpy(line, at, n);
    line[n] = '\0';
    *crc = rp_crc32(*crc, at, n - CRC_DIGITS);
    snprintf(sum, sizeof(sum), "%08" PRIx32, *crc);
    if (line[n - CRC_DIGITS - 1] != ' ' || strcmp(line + n - CRC_DIGITS, sum) != 0)
        return false;
    line[n - CRC_DIGITS - 1] = '\0';
    return true;
}

int rp_journal_parse(const char *text, size_t size, struct rp_journal_head *head, bool *valid,
                     struct rp_journal_list *list)
{
    char line[LINE_MAX_BYTES];
    uint32_t crc = 0;
    const char *at = text, *end;

    *head = (struct rp_journal_head){0};
    *valid = false;
    for (int i = 0; (end = memchr(at, '\n', size - (size_t) (at - text))); i++) {
        struct rp_journal_piece piece;

        if (!check_line(at, (size_t) (end + 1 - at), &crc, line))
            break;
        at = end + 1;
        if (i == 0) {
            if (strcmp(line, FIRST_LINE) != 0)
                break;
        } else if (i <= HEAD_LINES) {
            if (!read_head(line, i - 1, head))
                break;
            *valid = i == HEAD_LINES;
        } else {
            if (!read_piece(line, &piece))
                break;
            RP_CHECK(rp_journal_put(list, &piece));
        }
    }
    return 0;
}

void rp_journal_list_free(struct rp_journal_list *list)
{
    free(list->piece);
    *list = (struct rp_journal_list){0};
}

bool rp_journal_same(const struct rp_journal_head *a, const struct rp_journal_head *b, char *what,
                     size_t size)
{
    const char *differs[9];
    int n = 0;
    size_t at = 0;

    if (strcmp(a->program, b->program) != 0)
        differs[n++] = "the program";
    if (strcmp(a->options, b->options) != 0)
        differs[n++] = "the options";
    if (strcmp(a->models, b->models) != 0)
        differs[n++] = "the models";
    if (strcmp(a->target, b->target) != 0)
        differs[n++] = "the target";
    if (strcmp(a->sources, b->sources) != 0)
        differs[n++] = "the sources";
    if (strcmp(a->device, b->device) != 0)
        differs[n++] = "the kind of device";
    if (a->first != b->first || a->end != b->end)
        differs[n++] = "the part of the video";
    if (a->piece != b->piece)
        differs[n++] = "the length of a piece";
    if (a->lockstep != b->lockstep)
        differs[n++] = "the number of frames in lockstep";
    for (int i = 0; what && i < n && at < size; i++)
        at += (size_t) snprintf(what + at, size - at, "%s%s",
                                i == 0       ? ""
                                : i + 1 == n ? " and "
                                             : ", ",
                                differs[i]);
    return n == 0;
}

int rp_journal_id(const struct rp_journal_head *head, char id[RP_JOURNAL_ID])
{
    char sum[RP_SHA256_HEX];
    char *const text = text_of_head(head);
    const int ret = text ? rp_sha256_data(text, strlen(text), sum) : RP_ERR_NOMEM;

    free(text);
    if (ret < 0)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    snprintf(id, RP_JOURNAL_ID, "%.*s", RP_JOURNAL_ID - 1, sum);
    return 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

static int write_all(const struct rp_journal *j, const char *data, size_t size)
{
    while (size) {
        const ssize_t n = write(j->fd, data, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return rp_fail(rp_io_status(n < 0 ? errno : EIO), "%s: writing: %s", j->path,
                           strerror(n < 0 ? errno : EIO));
        data += n;
        size -= (size_t) n;
    }
    return 0;
}

/* Some file systems cannot flush a file or a folder, which is no failure. */
static int flush(const struct rp_journal *j, int fd)
{
    if (fd < 0 || !fsync(fd) || errno == EINVAL || errno == EROFS || errno == EBADF)
        return 0;
    return rp_fail(rp_io_status(errno), "%s: writing: %s", j->path, strerror(errno));
}

/* Several lines, to each of which its sum is added; in one piece, so that a full disk cuts rarely.
 */
static int write_lines(struct rp_journal *j, const char *lines)
{
    char *text = NULL;
    size_t size = 0;
    FILE *const to = open_memstream(&text, &size);
    uint32_t crc = j->crc;

    if (!to)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    for (const char *at = lines; *at;) {
        const size_t n = strcspn(at, "\n");

        crc = rp_crc32(rp_crc32(crc, at, n), " ", 1);
        fprintf(to, "%.*s %08" PRIx32 "\n", (int) n, at, crc);
        at += n + (at[n] == '\n');
    }
    int ret = ferror(to) | fclose(to) ? rp_fail(RP_ERR_NOMEM, "out of memory") : 0;
    if (ret >= 0)
        ret = write_all(j, text, size);
    free(text);
    if (ret >= 0)
        ret = flush(j, j->fd);
    if (ret >= 0)
        j->crc = crc;
    return ret;
}

static int write_head(struct rp_journal *j, const struct rp_journal_head *head)
{
    char *const text = text_of_head(head);
    char *const lines =
        text ? rp_asprintf("%s\n%smachine %s\n", FIRST_LINE, text, head->machine) : NULL;
    const int ret = lines ? write_lines(j, lines) : rp_fail(RP_ERR_NOMEM, "out of memory");

    free(lines);
    free(text);
    return ret;
}

int rp_journal_begin(struct rp_journal *j, const char *path, const struct rp_journal_head *head)
{
    int ret;
    char *const dir = rp_path_dir(path);

    *j = (struct rp_journal){.path = strdup(path), .fd = -1, .folder = -1};
    if (!dir || !j->path) {
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
        goto fail;
    }
    j->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    if (j->fd < 0) {
        ret = rp_fail(rp_io_status(errno), "%s: cannot be written: %s", path, strerror(errno));
        goto fail;
    }
    j->folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    RP_TRY(write_head(j, head));
    RP_TRY(flush(j, j->folder));
    free(dir);
    return 0;

fail:
    free(dir);
    rp_journal_close(j);
    return ret;
}

int rp_journal_add(struct rp_journal *j, const struct rp_journal_piece *piece)
{
    RP_CHECK(flush(j, j->folder));
    char *const text = text_of_piece(piece);
    const int ret = text ? write_lines(j, text) : rp_fail(RP_ERR_NOMEM, "out of memory");
    free(text);
    return ret;
}

void rp_journal_close(struct rp_journal *j)
{
    if (j->path && j->fd >= 0)
        close(j->fd);
    if (j->path && j->folder >= 0)
        close(j->folder);
    free(j->path);
    *j = (struct rp_journal){.fd = -1, .folder = -1};
}
