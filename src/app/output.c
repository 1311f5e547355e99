/* stdout: whether it can still be written, and JSON lines. */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"

/* The errno of a failed write may have been set by an earlier flush, so this asks the pipe. */
bool app_reader_gone(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO};

    return poll(&p, 1, 0) == 1 && (p.revents & POLLERR);
}

int app_flush(void)
{
    static bool said;
    int bad = fflush(stdout);
    int error = errno;

    if (!bad && !ferror(stdout))
        return RP_OK;
    if (!said && !app_reader_gone())
        app_log(RP_LOG_ERROR, "stdout: %s", bad ? strerror(error) : "could not be written");
    said = true;
    return RP_ERR_IO;
}

/* ---- JSON ---- */

/* Memory ran out while the object of the current line was made. */
static bool json_incomplete;

/* Length of the UTF-8 sequence at s, 0 if there is no valid one. The end of the string is no
 * continuation byte, so nothing after it is read. */
static size_t utf8_length(const unsigned char *s)
{
    size_t n = s[0] < 0x80   ? 1
               : s[0] < 0xc2 ? 0
               : s[0] < 0xe0 ? 2
               : s[0] < 0xf0 ? 3
               : s[0] < 0xf5 ? 4
                             : 0;

    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90))
        return 0; /* longer than needed */
    if ((s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0; /* surrogates, and beyond the last code point */
    return n;
}

json_t *app_json_text(const char *text)
{
    static const char replacement[] = "\xef\xbf\xbd";
    size_t used = 0;
    json_t *json;
    char *clean;

    if (!text)
        return json_null();
    clean = malloc(3 * strlen(text) + 1);
    if (!clean)
        return NULL;
    for (const char *s = text; *s;) {
        size_t n = utf8_length((const unsigned char *) s);

        memcpy(clean + used, n ? s : replacement, n ? n : 3);
        used += n ? n : 3;
        s += n ? n : 1;
    }
    json = json_stringn(clean, used);
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
    char *line = object && !json_incomplete ? json_dumps(object, flags) : NULL;

    json_incomplete = false;
    json_decref(object);
    if (!line) {
        app_log(RP_LOG_ERROR, "out of memory");
        return RP_ERR_NOMEM;
    }
    fputs(line, stdout);
    putchar('\n');
    free(line);
    return app_flush();
}
