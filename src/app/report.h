/* The benchmark's report, as benchmark.c and report_html.c read it. */
#ifndef APP_REPORT_H
#define APP_REPORT_H

#include "app/app.h"

/* A number of the report, NaN if it is null or missing; a text, else "". */
double report_number(const json_t *o, const char *key);
const char *report_text(const json_t *o, const char *key);

/* Call fn for every "…reason" of an object: what could not be measured, and why. */
void report_reasons(const json_t *o, void (*fn)(void *priv, const char *key, const char *why),
                    void *priv);

/* ---- report_html.c ---- */

/* Write the report as one page that needs no other files. */
void report_html(FILE *f, const json_t *report);

#endif /* APP_REPORT_H */
