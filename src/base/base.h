/* What every file of the library may use: status, log, small helpers. Never installed.
 *
 * The log is one per process: a line goes to the callback of rp_set_log(), or to stderr. A failure
 * is reported once, at the place that knows most, and callers pass the status on:
 *
 *     return rp_fail(RP_ERR_FORMAT, "%s: not an ONNX file", path);
 */
#ifndef RP_BASE_H
#define RP_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reprise/reprise.h"

#define RP_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define RP_MIN(a, b) ((a) < (b) ? (a) : (b))
#define RP_MAX(a, b) ((a) > (b) ? (a) : (b))
#define RP_CLAMP(v, lo, hi) ((v) < (lo) ? (lo) : (v) > (hi) ? (hi) : (v))
#define RP_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Make a call that returns a status, and return the status if it failed. For functions that have
 * nothing to free. */
#define RP_CHECK(call)                                                                             \
    do {                                                                                           \
        const int status_ = (call);                                                                \
        if (status_ < 0)                                                                           \
            return status_;                                                                        \
    } while (0)

/* The same for functions that have something to free: keep the status in `ret` and go to `fail`. */
#define RP_TRY(call)                                                                               \
    do {                                                                                           \
        if ((ret = (call)) < 0)                                                                    \
            goto fail;                                                                             \
    } while (0)

/* True if a line of this level would be shown. Ask before making a line that costs time. */
bool rp_log_enabled(enum rp_log_level level);

/* Log an error sentence, remember it for rp_last_error() on this thread, return `status`. */
int rp_fail(int status, const char *fmt, ...) RP_PRINTF(2, 3);

#define RP_MAX_SENTENCE 1024 /* bytes that rp_last_error() keeps, including the zero at the end */

/* The status of a failed call on a file, by its errno: RP_ERR_AGAIN for what passes (no room, a
 * disk or network that fails), RP_ERR_NOMEM, else RP_ERR_IO. Leaves errno as it is. */
int rp_io_status(int error);

/* Take over the sentence of a failure on another thread, for rp_last_error() on this one. It is not
 * shown again. */
void rp_take_error(const char *sentence);

/* While on, failures on this thread are kept for rp_last_error() but logged only at debug level:
 * for attempts that have a fallback. Calls nest. */
void rp_log_hold(bool on);
bool rp_log_held(void);

/* A heap string, formatted as by printf; NULL when out of memory. Free with free(). */
char *rp_asprintf(const char *fmt, ...) RP_PRINTF(1, 2);

/* A heap copy for JSON: bytes that are not UTF-8 become U+FFFD. NULL when out of memory. */
char *rp_utf8(const char *text);

/* Seconds on a clock that never goes back. */
double rp_now(void);

/* Number of processor cores this process may use, given its affinity and cgroups; at least 1. */
int rp_cpu_count(void);

/* The kind of processor, as far as software chooses by it which code it runs, and with that how
 * sums of floats are rounded: "x86_64 AMD avx avx2 fma avx512f". */
void rp_cpu_kind(char *text, size_t size);

#endif /* RP_BASE_H */
