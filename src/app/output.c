/* stdout: whether it can still be written, and JSON lines. */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"
#include "base/json.h"

/* The errno of a failed write may have been set by an earlier flush, so this asks the pipe. */
bool app_reader_gone(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO};

    return poll(&p, 1, 0) == 1 && (p.revents & POLLERR);
}

static bool output_lost; /* something was not printed: memory was out */

void app_print(const char *fmt, ...)
{
    char *line = NULL;
    va_list args;

    va_start(args, fmt);
    if (vasprintf(&line, fmt, args) < 0)
        line = NULL;
    va_end(args);
    if (line)
        app_put(stdout, line);
    else
        output_lost = true;
    free(line);
}

int app_flush(void)
{
    static bool said;
    static int status = RP_ERR_IO; /* of the first failure */
    int bad = fflush(stdout);
    int error = errno;

    if (output_lost) {
        output_lost = false;
        app_log(RP_LOG_ERROR, "stdout: out of memory");
        return RP_ERR_NOMEM;
    }
    if (!bad && !ferror(stdout))
        return RP_OK;
    if (!said && bad && (error == ENOSPC || error == EDQUOT || error == EIO))
        status = RP_ERR_AGAIN;
    if (!said && !app_reader_gone())
        app_log(RP_LOG_ERROR, "stdout: %s", bad ? strerror(error) : "could not be written");
    said = true;
    return status;
}

/* ---- JSON ---- */

/* Memory ran out while the object of the current line was made. */
static bool json_incomplete;

json_t *app_json_text(const char *text)
{
    json_t *json;
    char *clean;
    size_t size;

    if (!text)
        return json_null();
    size = rp_text_clean(RP_TEXT_UTF8, text, NULL, 0) + 1;
    clean = malloc(size);
    if (!clean)
        return NULL;
    rp_text_clean(RP_TEXT_UTF8, text, clean, size);
    json = json_string(clean);
    free(clean);
    return json;
}

json_t *app_json_number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

void app_json_put(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value))
        json_incomplete = true;
}

void app_json_add(json_t *array, json_t *value)
{
    if (json_array_append_new(array, value))
        json_incomplete = true;
}

int app_json_line(json_t *object)
{
    /* 9 digits preserve a float exactly. */
    const size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(9);
    char *line = json_incomplete ? NULL : rp_json_text(object, flags);

    json_incomplete = false;
    json_decref(object);
    if (!line) {
        app_log(RP_LOG_ERROR, "out of memory");
        return RP_ERR_NOMEM;
    }
    app_put(stdout, line); /* \\u009b and the like are what JSON calls these characters too */
    putchar('\n');
    free(line);
    return app_flush();
}
