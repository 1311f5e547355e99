/* A line for each thing that was checked, and how many passed: of the programs check*.c. */
#ifndef TELL_H
#define TELL_H

#include <stdarg.h>
#include <stdio.h>

#include "base/base.h"

static struct {
    int passed, failed;
} told;

static void tell(bool ok, const char *fmt, ...) RP_PRINTF(2, 3);

static void tell(bool ok, const char *fmt, ...)
{
    va_list ap;

    printf("%s ", ok ? "ok    " : "FAILED");
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    fflush(stdout);
    *(ok ? &told.passed : &told.failed) += 1;
}

#endif /* TELL_H */
