/* benchmark: how fast this machine is, as a table, as JSON and as a page. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/report.h"

/* ---- files ---- */

static int write_failed(const char *path)
{
    app_log(RP_LOG_ERROR, "%s: %s", path, strerror(errno));
    return RP_ERR_IO;
}

static int write_text(const char *path, char *text)
{
    FILE *f = fopen(path, "we");
    bool bad;

    if (!f)
        return write_failed(path);
    app_put_lines(f, text);
    bad = ferror(f) != 0;
    return (fclose(f) || bad) ? write_failed(path) : RP_OK;
}

static int write_page(const char *path, const json_t *report)
{
    FILE *f = fopen(path, "we");
    bool bad;

    if (!f)
        return write_failed(path);
    report_html(f, report);
    bad = ferror(f) != 0;
    return (fclose(f) || bad) ? write_failed(path) : RP_OK;
}

/* ---- table ---- */

static void print_cell(int width, int digits, double v)
{
    if (isfinite(v))
        printf(" %*.*f", width, digits, v);
    else
        printf(" %*s", width, "-");
}

static void print_line(const char *name, const json_t *o, const char *key, int digits,
                       const char *unit)
{
    double v = report_number(o, key);

    if (isfinite(v))
        printf("  %-28s %12.*f %s\n", name, digits, v, unit);
}

static void print_reason(void *priv, const char *key, const char *why)
{
    (void) priv;
    app_print("  %s: %s", key, why);
    putchar('\n');
}

static void print_machine(const json_t *o)
{
    const char *gpu = report_text(o, "gpu");

    app_put(stdout, *gpu ? gpu : report_text(o, "cpu"));
    if (*gpu)
        app_print(", driver %s, CUDA %s", report_text(o, "driver"), report_text(o, "cuda"));
    app_print(", ONNX Runtime %s, reprise %s (%s)", report_text(o, "onnxruntime"),
              report_text(o, "reprise"), report_text(o, "commit"));
    putchar('\n');
    print_line("matrix product", json_object_get(o, "roof"), "tflops", 2, "TFLOP/s");
    double copy = report_number(json_object_get(o, "roof"), "copy_bytes_per_second");
    if (isfinite(copy))
        printf("  %-28s %12.1f GB/s\n", "copy, read and written", 1e-9 * copy);
    report_reasons(o, print_reason, NULL);
}

static void print_difference(double v)
{
    if (isfinite(v))
        printf(" %10.3g\n", v);
    else
        printf(" %10s\n", "-");
}

static void print_models(const json_t *models)
{
    if (!json_array_size(models))
        return;
    printf("\n%-24s %8s %9s %9s %9s %9s %5s %9s %7s %6s %10s\n", "network, ms", "GFLOP", "plain",
           "eager", "ort graph", "graph", "slots", "per item", "faster", "roof", "difference");
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *m = json_array_get(models, i);

        app_print("%-24.24s", report_text(m, "name"));
        print_cell(8, 2, report_number(m, "gflop"));
        print_cell(9, 3, report_number(m, "plain_ms"));
        print_cell(9, 3, report_number(m, "eager_ms"));
        print_cell(9, 3, report_number(m, "ort_graph_ms"));
        print_cell(9, 3, report_number(m, "graph_ms"));
        print_cell(5, 0, report_number(m, "slots"));
        print_cell(9, 3, report_number(m, "slots_ms_per_item"));
        print_cell(7, 2, report_number(m, "speedup"));
        print_cell(6, 3, report_number(m, "roof_fraction"));
        print_difference(report_number(m, "max_abs_diff"));
        report_reasons(m, print_reason, NULL);
    }
}

/* Milliseconds of each part of a frame while the GPU is fully used. */
static void print_shares(const json_t *shares)
{
    for (size_t i = 0; i < json_array_size(shares); i++) {
        const json_t *s = json_array_get(shares, i);

        app_print("  of which %-19.19s", report_text(s, "name"));
        print_cell(12, 3, report_number(s, "ms"));
        puts(" ms");
    }
}

static void print_frame(const char *title, const json_t *f)
{
    if (!json_is_object(f))
        return;
    printf("\n%s, %.0fx%.0f\n", title, report_number(f, "width"), report_number(f, "height"));
    print_line("faces", f, "faces", 0, "");
    print_line("eager", f, "eager_fps", 1, "frames/s");
    print_line("networks recorded", f, "model_fps", 1, "frames/s");
    print_line("frame recorded", f, "graph_fps", 1, "frames/s");
    print_line("several frames at once", f, "slots_fps", 1, "frames/s");
    print_line("in lockstep", json_object_get(f, "lockstep"), "fps", 1, "frames/s");
    print_line("at once", f, "slots", 0, "frames");
    print_shares(json_object_get(f, "shares"));
    print_line("networks as plain runs", f, "plain_networks_ms", 3, "ms");
    print_line("processor time a frame", f, "host_us_per_frame", 1, "us");
    print_line("nodes", f, "nodes", 0, "");
    print_line("memory of a recording", f, "pool_bytes", 0, "bytes");
    print_line("frame without faces", f, "empty_frame_us", 1, "us");
    print_line("of which not the detector", f, "empty_face_part_us", 1, "us");
    if (json_is_boolean(json_object_get(f, "identical")))
        printf("  %-28s %12s\n", "replay equals eager",
               json_is_true(json_object_get(f, "identical")) ? "yes" : "no");
    report_reasons(f, print_reason, NULL);
}

static void print_job(const json_t *j)
{
    if (!json_is_object(j))
        return;
    fputs("\njob on ", stdout);
    app_print("%s, %s, %.0f times", report_text(j, "target_path"), report_text(j, "mode"),
              report_number(j, "cycle_count"));
    putchar('\n');
    print_line("average", j, "average_run", 2, "s");
    print_line("fastest", j, "fastest_run", 2, "s");
    print_line("slowest", j, "slowest_run", 2, "s");
    print_line("speed", j, "relative_fps", 2, "frames/s");
    const json_t *const moments = json_object_get(j, "timeline");
    for (size_t i = 0; i < json_array_size(moments); i++)
        print_line(report_text(json_array_get(moments, i), "what"), json_array_get(moments, i),
                   "seconds", 3, "s after the first job's start");
    report_reasons(j, print_reason, NULL);
}

static int print_report(const json_t *o)
{
    print_machine(o);
    print_models(json_object_get(o, "models"));
    print_frame("work on a frame", json_object_get(o, "frame_graph"));
    print_frame("analysing a frame", json_object_get(o, "analysis"));
    print_job(json_object_get(o, "job"));
    return app_flush();
}

/* ---- the command ---- */

static int show(const struct app *app, char *text)
{
    json_t *report = json_loads(text, 0, NULL);
    int ret = RP_OK, printed;

    if (!report) {
        app_log(RP_LOG_ERROR, "out of memory");
        return RP_ERR_NOMEM;
    }
    if (app->json_path)
        ret = write_text(app->json_path, text);
    if (ret >= 0 && app->html_path)
        ret = write_page(app->html_path, report);
    printed = print_report(report);
    if (printed < 0 && !app_reader_gone() && ret >= 0)
        ret = printed;
    json_decref(report);
    return ret;
}

int app_benchmark(struct app *app)
{
    rp_runtime *runtime = NULL;
    char *text = NULL;
    int ret = app_runtime(app, &runtime);

    if (ret >= 0)
        ret = rp_benchmark(runtime, app->options, &text);
    if (ret >= 0)
        ret = show(app, text);
    rp_free(text);
    rp_runtime_destroy(&runtime);
    return ret;
}
