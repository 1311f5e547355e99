#include "app/batch_name.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"

static const char *base_of(const char *path)
{
    const char *const slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* A name that only begins with a dot has no extension. */
static const char *extension_of(const char *path)
{
    const char *const base = base_of(path), *const dot = strrchr(base, '.');

    return dot && dot != base ? dot : base + strlen(base);
}

static void put_stem(FILE *f, const char *path)
{
    fwrite(base_of(path), 1, (size_t) (extension_of(path) - base_of(path)), f);
}

/* ":04d", ":4" or nothing. False if it is something else. */
static bool put_index(FILE *f, size_t index, const char *format, size_t n)
{
    int width = 0;
    bool zeros = false;
    size_t i = 0;

    if (i < n && format[i++] != ':')
        return false;
    zeros = i < n && format[i] == '0';
    for (; i < n && format[i] >= '0' && format[i] <= '9' && width < 100; i++)
        width = 10 * width + (format[i] - '0');
    i += i < n && format[i] == 'd';
    if (i != n || width > 40)
        return false;
    fprintf(f, zeros ? "%0*zu" : "%*zu", width, index);
    return true;
}

static bool is_word(const char *text, size_t n, const char *word)
{
    return strlen(word) == n && !strncmp(text, word, n);
}

/* What stands between two braces. */
static bool put_field(FILE *f, const char *text, size_t n, const struct batch_item *item)
{
    if (n >= 5 && !strncmp(text, "index", 5))
        return put_index(f, item->index, text + 5, n - 5);
    if (is_word(text, n, "source_name") && item->source)
        put_stem(f, item->source);
    else if (is_word(text, n, "target_name"))
        put_stem(f, item->target);
    else if (is_word(text, n, "target_extension"))
        fputs(extension_of(item->target), f);
    else
        return false;
    return true;
}

static bool fill(FILE *f, const char *at, const struct batch_item *item)
{
    for (; *at; at++) {
        const char *const end = *at == '{' ? strchr(at, '}') : NULL;

        if ((*at == '{' || *at == '}') && at[1] == *at) {
            fputc(*at++, f);
        } else if (*at != '{' && *at != '}') {
            fputc(*at, f);
        } else if (end && put_field(f, at + 1, (size_t) (end - at - 1), item)) {
            at = end;
        } else {
            app_log(RP_LOG_ERROR,
                    "--output-pattern: '%.*s' is none of {index}, {target_name}, "
                    "{target_extension}%s",
                    end ? (int) (end - at + 1) : 1, at,
                    item->source ? " and {source_name}" : "; {source_name} needs --source-pattern");
            return false;
        }
    }
    return true;
}

char *batch_name(const char *pattern, const struct batch_item *item)
{
    char *text = NULL;
    size_t size = 0;
    FILE *const f = open_memstream(&text, &size);

    if (!f) {
        app_log(RP_LOG_ERROR, "out of memory");
        return NULL;
    }
    const bool ok = fill(f, pattern, item);
    if (!fclose(f) && ok && size < PATH_MAX)
        return text;
    if (ok)
        app_log(RP_LOG_ERROR, "--output-pattern: the name of item %zu is too long", item->index);
    free(text);
    return NULL;
}
