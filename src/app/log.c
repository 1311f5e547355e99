/* Messages on stderr: log lines, and the progress bar, which share the last line of the terminal.
 * Both come from threads of the library, hence the lock. */
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "app/app.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum rp_log_level shown = RP_LOG_INFO;
static atomic_bool drawn;
static char bar[APP_BAR_SIZE];

const char *app_clean(const char *text, char out[APP_CLEAN])
{
    char piece[APP_CLEAN / 6]; /* a byte becomes six at most */
    size_t n = strnlen(text, sizeof(piece) - 1);

    for (int i = 0; i < 3 && n > 1 && ((unsigned char) text[n] & 0xc0) == 0x80; i++)
        n--; /* not within a character */
    memcpy(piece, text, n);
    piece[n] = '\0';
    rp_text_clean(RP_TEXT_TERMINAL, piece, out, APP_CLEAN);
    return text + n;
}

void app_put(FILE *f, const char *text)
{
    char clean[APP_CLEAN];

    while (*text) {
        text = app_clean(text, clean);
        fputs(clean, f);
    }
}

void app_put_lines(FILE *f, char *text)
{
    for (char *line = text, *end; *line; line = end) {
        end = line + strcspn(line, "\n");
        const bool more = *end != '\0';

        *end = '\0';
        app_put(f, line);
        putc('\n', f);
        end += more;
    }
}

/* ---- log lines ---- */

/* Columns of the terminal now. What it says itself comes first: it may have been resized since
 * $COLUMNS was set. */
int app_bar_width(void)
{
    struct winsize size = {0};
    const char *const columns = getenv("COLUMNS");
    const long n = columns ? strtol(columns, NULL, 10) : 0;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return n > 0 && n < APP_BAR_SIZE ? (int) n : 80;
}

/* Without wrapping at the end of the line: the terminal may be narrower already, before it says so,
 * and the bar must not take more lines then. */
static void put_bar(void)
{
    fprintf(stderr, "\033[?7l%s\033[?7h", bar);
}

/* Go to where the bar begins. A terminal that became narrower than the bar has wrapped it, so that
 * it takes several lines; the cursor is in the last one. True if so. */
static bool go_to_bar(void)
{
    const int length = (int) strlen(bar), width = app_bar_width();
    const int above = atomic_load(&drawn) && length > width ? (length - 1) / width : 0;

    if (above)
        fprintf(stderr, "\033[%dA", above);
    fputc('\r', stderr);
    return above > 0;
}

static void erase_bar(void)
{
    if (atomic_load(&drawn))
        fputs(go_to_bar() ? "\033[J" : "\033[K", stderr);
}

/* For a terminal that became narrower. */
static void cut_bar(void)
{
    const size_t width = (size_t) app_bar_width();

    if (strlen(bar) >= width)
        bar[width - 1] = '\0';
}

static bool error_said;

bool app_error_said(void)
{
    pthread_mutex_lock(&lock);
    const bool said = error_said;
    pthread_mutex_unlock(&lock);
    return said;
}

/* Columns of a word; bytes that go on with a character take none. */
static int word_width(const char *word, int bytes)
{
    int n = 0;

    for (int i = 0; i < bytes; i++)
        n += ((unsigned char) word[i] & 0xc0) != 0x80;
    return n;
}

/* A text without control characters, with ends of lines between words where it is wider than the
 * terminal, which would cut words. A word that is wider than a line begins where it is. */
static void put_words(const char *text, int column, int width)
{
    while (*text) {
        const int blanks = (int) strspn(text, " ");
        const int bytes = (int) strcspn(text + blanks, " ");
        const int n = word_width(text + blanks, bytes);

        if (column > 0 && column + blanks + n > width && n <= width) {
            putc('\n', stderr);
            column = n;
        } else {
            fprintf(stderr, "%.*s", blanks, text);
            column = (column + blanks + n) % width;
        }
        fprintf(stderr, "%.*s", bytes, text + blanks);
        text += blanks + bytes;
    }
}

static void put_line(const char *head, const char *line)
{
    struct winsize size = {0};
    const bool terminal = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    const size_t n = terminal ? rp_text_clean(RP_TEXT_TERMINAL, line, NULL, 0) + 1 : 0;
    char *const clean = n ? malloc(n) : NULL;

    fputs(head, stderr);
    if (clean) {
        rp_text_clean(RP_TEXT_TERMINAL, line, clean, n);
        put_words(clean, (int) strlen(head), size.ws_col);
    } else {
        app_put(stderr, line);
    }
    putc('\n', stderr);
    free(clean);
}

static void print_line(void *priv, enum rp_log_level level, const char *line)
{
    static const char *const prefix[] = {
        [RP_LOG_ERROR] = "error: ",
        [RP_LOG_WARN] = "warning: ",
        [RP_LOG_INFO] = "",
        [RP_LOG_DEBUG] = "debug: ",
    };

    (void) priv;
    if (level < RP_LOG_ERROR || level > RP_LOG_DEBUG)
        return;
    pthread_mutex_lock(&lock);
    error_said |= level == RP_LOG_ERROR;
    erase_bar();
    put_line(prefix[level], line);
    if (atomic_load(&drawn)) {
        cut_bar();
        put_bar();
    }
    fflush(stderr);
    pthread_mutex_unlock(&lock);
}

void app_log_level(enum rp_log_level level)
{
    shown = level;
    rp_set_log(level, print_line, NULL);
}

enum rp_log_level app_log_level_get(void)
{
    return shown;
}

void app_log(enum rp_log_level level, const char *fmt, ...)
{
    char *line = NULL;
    va_list args;

    if (level > shown)
        return;
    va_start(args, fmt);
    if (vasprintf(&line, fmt, args) < 0)
        line = NULL;
    va_end(args);
    print_line(NULL, level, line ? line : "out of memory");
    free(line);
}

/* ---- the bar ---- */

void app_bar_draw(const char *text)
{
    pthread_mutex_lock(&lock);
    const bool wrapped = go_to_bar();
    rp_text_clean(RP_TEXT_TERMINAL, text, bar, sizeof(bar));
    /* overwrite the old one: erasing first would flicker */
    if (wrapped)
        fputs("\033[J", stderr);
    put_bar();
    fputs("\033[K", stderr);
    fflush(stderr);
    atomic_store(&drawn, true);
    pthread_mutex_unlock(&lock);
}

void app_bar_end(void)
{
    pthread_mutex_lock(&lock);
    erase_bar();
    atomic_store(&drawn, false);
    fflush(stderr);
    pthread_mutex_unlock(&lock);
}

bool app_bar_is_drawn(void)
{
    return atomic_load(&drawn);
}
