/* The benchmark's report: what benchmark.c and report_html.c read of it. */
#ifndef APP_REPORT_H
#define APP_REPORT_H

#include "app/app.h"

/* A number of the report, NaN when it is null or missing; a text, "" likewise. */
double report_number(const json_t *o, const char *key);
const char *report_text(const json_t *o, const char *key);

/* Call fn for every "…reason" of an object: what could not be measured, and why. */
void report_reasons(const json_t *o, void (*fn)(void *priv, const char *key, const char *why),
                    void *priv);

/* ---- report_html.c ---- */

/* The report as one page that needs nothing else. */
void report_html(FILE *f, const json_t *report);

#endif /* APP_REPORT_H */
