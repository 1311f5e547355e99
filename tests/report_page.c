/* The page of a benchmark's report: `report_page REPORT.json >page.html`. */
#include "app/report.h"

int main(int argc, char **argv)
{
    json_error_t error;
    json_t *const report = argc == 2 ? json_load_file(argv[1], 0, &error) : NULL;

    if (argc != 2)
        fputs("usage: report_page REPORT.json\n", stderr);
    else if (!report)
        fprintf(stderr, "%s: %s\n", argv[1], error.text);
    if (!report)
        return 2;
    report_html(stdout, report);
    json_decref(report);
    return ferror(stdout) != 0;
}
