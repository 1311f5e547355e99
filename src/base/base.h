/* What every file of the library may use: status, log, small helpers. Never installed.
 *
 * The log is one per process: a line goes to the callback of rp_set_log(), or to stderr.
 * A failure is one statement at the place that knows most, and callers pass the status on:
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

/* Run a call that returns a status; on failure return it: where nothing has to be freed. */
#define RP_CHECK(call)                                                                             \
    do {                                                                                           \
        const int status_ = (call);                                                                \
        if (status_ < 0)                                                                           \
            return status_;                                                                        \
    } while (0)

/* The same where something has to be freed: keep the status in `ret` and leave by `fail`. */
#define RP_TRY(call)                                                                               \
    do {                                                                                           \
        if ((ret = (call)) < 0)                                                                    \
            goto fail;                                                                             \
    } while (0)

/* True if a line of this level would be shown: for lines that are costly to make. */
bool rp_log_enabled(enum rp_log_level level);

/* Log an error sentence, remember it for rp_last_error() of this thread, hand back `status`. */
int rp_fail(int status, const char *fmt, ...) RP_PRINTF(2, 3);

#define RP_MAX_SENTENCE 1024 /* bytes that rp_last_error() keeps, the zero at the end included */

/* The sentence of a failure on another thread, for rp_last_error() on this one; not shown again. */
void rp_take_error(const char *sentence);

/* While on, failures of this thread are kept for rp_last_error() but shown to developers only: for
 * an attempt that has another way when it fails. Nests. */
void rp_log_hold(bool on);
bool rp_log_held(void);

/* A heap string made like printf; NULL when memory is out. Free with free(). */
char *rp_asprintf(const char *fmt, ...) RP_PRINTF(1, 2);

/* Seconds on a clock that never goes back. */
double rp_now(void);

/* Number of processor cores this process may use (affinity and cgroup respected), at least 1. */
int rp_cpu_count(void);

#endif /* RP_BASE_H */
