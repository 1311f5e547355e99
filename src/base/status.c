/* The log, the last error of a thread, and helpers too small for a file of their own.
 *
 * One mutex covers both the callback pointer and the delivery of a line, so lines cannot mix and
 * callbacks cannot overlap. A line logged by a callback goes to stderr, because the delivery it
 * interrupts is not over. */
#include "base/base.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define TEXT_OF(x) #x
#define VERSION_TEXT(a, b, c) TEXT_OF(a) "." TEXT_OF(b) "." TEXT_OF(c)

static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_int log_level = RP_LOG_INFO;
static rp_log_fn *log_fn;
static void *log_priv;

static _Thread_local int log_depth; /* how many times this thread holds log_mutex */
static _Thread_local char last_error[RP_MAX_SENTENCE];

static void log_lock(void)
{
    if (!log_depth++)
        pthread_mutex_lock(&log_mutex);
}

static void log_unlock(void)
{
    if (!--log_depth)
        pthread_mutex_unlock(&log_mutex);
}

void rp_set_log(enum rp_log_level level, rp_log_fn *fn, void *priv)
{
    log_lock();
    atomic_store(&log_level, level);
    log_fn = fn;
    log_priv = priv;
    log_unlock();
}

bool rp_log_enabled(enum rp_log_level level)
{
    return (int) level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

static void deliver(enum rp_log_level level, const char *line)
{
    static const char *const prefix[] = {"error: ", "warning: ", "", "debug: "};

    if (level < RP_LOG_ERROR || level > RP_LOG_DEBUG || !rp_log_enabled(level))
        return;
    log_lock();
    if (log_fn && log_depth == 1)
        log_fn(log_priv, level, line);
    else
        fprintf(stderr, "reprise: %s%s\n", prefix[level], line);
    log_unlock();
}

/* Formatted by printf: in `small`, or on the heap if it is longer and memory is available. Without
 * line ends at its end. */
static RP_PRINTF(3, 0) char *format_raw(char *small, size_t size, const char *fmt, va_list args)
{
    char *raw = small;
    va_list again;

    va_copy(again, args);
    const int len = vsnprintf(small, size, fmt, args);
    if (len < 0)
        snprintf(small, size, "%s", fmt);
    if (len >= 0 && (size_t) len >= size) {
        char *const large = malloc((size_t) len + 1);
        if (large) {
            vsnprintf(large, (size_t) len + 1, fmt, again);
            raw = large;
        }
    }
    va_end(again);
    for (size_t n = strlen(raw); n && (raw[n - 1] == '\n' || raw[n - 1] == '\r');)
        raw[--n] = '\0';
    return raw;
}

/* The line as it is shown: values from outside may contain line ends and terminal escapes. In
 * `small` or on the heap, as above. Frees `raw` if it is not `start`. */
static char *make_line(char *raw, const char *start, char *small, size_t size)
{
    char *line = small;
    const size_t len = rp_text_clean(RP_TEXT_TERMINAL, raw, small, size);
    char *const large = len >= size ? malloc(len + 1) : NULL;

    if (large) {
        rp_text_clean(RP_TEXT_TERMINAL, raw, large, len + 1);
        line = large;
    }
    if (raw != start)
        free(raw);
    return line;
}

void rp_log(enum rp_log_level level, const char *fmt, ...)
{
    char start[512], small[512];
    va_list args;

    if (!rp_log_enabled(level))
        return;
    va_start(args, fmt);
    char *const raw = format_raw(start, sizeof(start), fmt, args);
    va_end(args);
    char *const line = make_line(raw, start, small, sizeof(small));
    deliver(level, line);
    if (line != small)
        free(line);
}

/* Cut at a whole UTF-8 character, so that a cut sentence can still be shown or put into JSON. */
void rp_take_error(const char *line)
{
    size_t len = strlen(line);

    if (len >= sizeof(last_error)) {
        len = sizeof(last_error) - 1;
        while (len && ((unsigned char) line[len] & 0xc0) == 0x80)
            len--;
    }
    memcpy(last_error, line, len);
    last_error[len] = '\0';
}

static _Thread_local int held; /* rp_log_hold(true) calls not yet undone */

void rp_log_hold(bool on)
{
    held = on ? held + 1 : RP_MAX(held - 1, 0);
}

bool rp_log_held(void)
{
    return held > 0;
}

int rp_fail(int status, const char *fmt, ...)
{
    char start[512], small[512];
    va_list args;

    va_start(args, fmt);
    char *const raw = format_raw(start, sizeof(start), fmt, args);
    va_end(args);
    char *const line = make_line(raw, start, small, sizeof(small));
    rp_take_error(line);
    if (!held)
        deliver(RP_LOG_ERROR, line);
    else if (rp_log_enabled(RP_LOG_DEBUG))
        deliver(RP_LOG_DEBUG, line);
    if (line != small)
        free(line);
    return status;
}

const char *rp_last_error(void)
{
    return last_error;
}

int rp_io_status(int error)
{
    static const int again[] = {
        ENOSPC,    EDQUOT,       EIO,          EREMOTEIO,  EMFILE,       ENFILE,      EAGAIN,
        EINTR,     EBUSY,        ENOLCK,       ENOBUFS,    ETIMEDOUT,    ESTALE,      ENETDOWN,
        EHOSTDOWN, EHOSTUNREACH, ECONNREFUSED, ECONNRESET, ECONNABORTED, ENETUNREACH, ENOTCONN,
    };

    if (error == ENOMEM)
        return RP_ERR_NOMEM;
    for (size_t i = 0; i < RP_ARRAY_LEN(again); i++)
        if (error == again[i])
            return RP_ERR_AGAIN;
    return RP_ERR_IO;
}

int rp_exit_code(int status)
{
    if (status >= 0)
        return 0;
    switch (status) {
    case RP_ERR_USAGE:
    case RP_ERR_MISSING: return 2;
    case RP_ERR_BLOCKED: return 3;
    case RP_ERR_CANCELLED: return 4;
    case RP_ERR_AGAIN:
    case RP_ERR_NOMEM:
    case RP_ERR_DEVICE:
    case RP_ERR_DEVICE_MEM:
        return 75; /* EX_TEMPFAIL */
    default: return 1;
    }
}

const char *rp_version(void)
{
    return VERSION_TEXT(RP_VERSION_MAJOR, RP_VERSION_MINOR, RP_VERSION_PATCH);
}

void rp_free(void *p)
{
    free(p);
}

char *rp_asprintf(const char *fmt, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, fmt);
    const int len = vasprintf(&text, fmt, args);
    va_end(args);
    return len < 0 ? NULL : text;
}

double rp_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

const char *rp_stage_name(enum rp_stage stage)
{
    static const char *const names[RP_STAGE_COUNT] = {
        "decode", "convert", "content check", "detect", "landmark",
        "embed",  "classify", "select",       "process", "encode",
    };

    return stage >= 0 && stage < RP_STAGE_COUNT ? names[stage] : "";
}
