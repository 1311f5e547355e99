/* Reads the benchmark's report, for the table and for the page. */
#include <math.h>
#include <string.h>

#include "app/report.h"

double report_number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);

    return json_is_number(v) ? json_number_value(v) : NAN;
}

const char *report_text(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));

    return text ? text : "";
}

void report_reasons(const json_t *o, void (*fn)(void *priv, const char *key, const char *why),
                    void *priv)
{
    json_t *object = (json_t *) o; /* the iterator needs it so; nothing is changed */

    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        const char *key = json_object_iter_key(at);
        const char *why = json_string_value(json_object_iter_value(at));
        size_t n = strlen(key);

        if (why && n >= 6 && !strcmp(key + n - 6, "reason"))
            fn(priv, key, why);
    }
}
