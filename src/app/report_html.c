/* The benchmark as one HTML file: tables, and bars as inline SVG. It fetches nothing and has no
 * scripts. */
#include <math.h>

#include "app/report.h"

#define MAX_BARS 8

static const char style[] =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;"
    "color:#1a1a1a;background:#fff}"
    "h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9em}"
    "th,td{padding:.2em .6em;text-align:right;border-bottom:1px solid #ddd}"
    "th:first-child,td:first-child{text-align:left}"
    "p.why{color:#666;font-size:.85em;margin:.2em 0}"
    ".wide{overflow-x:auto}svg{max-width:100%;height:auto}text{font:12px system-ui,sans-serif}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}th,td{border-color:#333}"
    "text{fill:#ddd}p.why{color:#999}}";

static void put_char(FILE *f, char c)
{
    switch (c) {
    case '<':
        fputs("&lt;", f);
        break;
    case '>':
        fputs("&gt;", f);
        break;
    case '&':
        fputs("&amp;", f);
        break;
    case '"':
        fputs("&quot;", f);
        break;
    case '\'':
        fputs("&#39;", f);
        break;
    default:
        putc(c, f);
    }
}

/* Control characters, which a page must not have, are shown as on a terminal. */
static void put_text(FILE *f, const char *text)
{
    char clean[APP_CLEAN];

    while (*text) {
        text = app_clean(text, clean);
        for (const char *c = clean; *c; c++)
            put_char(f, *c);
    }
}

static void put_row(FILE *f, const char *name, const char *value)
{
    fputs("<tr><td>", f);
    put_text(f, name);
    fputs("</td><td>", f);
    put_text(f, value);
    fputs("</td></tr>\n", f);
}

static void put_value(FILE *f, const char *name, double v, int digits, const char *unit)
{
    char text[64];

    if (!isfinite(v))
        return;
    snprintf(text, sizeof(text), "%.*f %s", digits, v, unit);
    put_row(f, name, text);
}

static void put_cell(FILE *f, int digits, double v)
{
    if (isfinite(v))
        fprintf(f, "<td>%.*f</td>", digits, v);
    else
        fputs("<td>&ndash;</td>", f);
}

static void put_reason(void *priv, const char *key, const char *why)
{
    FILE *f = priv;

    fputs("<p class=why>", f);
    put_text(f, key);
    fputs(": ", f);
    put_text(f, why);
    fputs("</p>\n", f);
}

/* ---- bars ---- */

struct bar {
    const char *name;
    double value; /* not finite: left out */
};

static void put_bars(FILE *f, const struct bar *bars, int n, const char *unit)
{
    static const char *const colours[] = {"#b4552d", "#c98a1b", "#6b8f3a",
                                          "#2f7d8c", "#3f5fa8", "#7a4a9c"};
    double most = 0;
    int rows = 0;

    for (int i = 0; i < n; i++) {
        if (isfinite(bars[i].value)) {
            most = fmax(most, bars[i].value);
            rows++;
        }
    }
    if (!rows || most <= 0)
        return;
    fprintf(f, "<svg width=\"760\" height=\"%d\" viewBox=\"0 0 760 %d\" role=\"img\">\n",
            26 * rows + 6, 26 * rows + 6);
    for (int i = 0, y = 4; i < n; i++) {
        const double width = 420 * bars[i].value / most;

        if (!isfinite(bars[i].value))
            continue;
        fprintf(f, "<text x=\"0\" y=\"%d\">", y + 14);
        put_text(f, bars[i].name);
        fputs("</text>", f);
        fprintf(f, "<rect x=\"180\" y=\"%d\" width=\"%.1f\" height=\"18\" fill=\"%s\"/>", y,
                fmax(width, 1), colours[i % 6]);
        fprintf(f, "<text x=\"%.1f\" y=\"%d\">%.*f %s</text>\n", 186 + width, y + 14,
                bars[i].value < 100 ? 3 : 1, bars[i].value, unit);
        y += 26;
    }
    fputs("</svg>\n", f);
}

/* ---- parts ---- */

static void put_machine(FILE *f, const json_t *o)
{
    static const char *const keys[] = {"gpu",         "driver",  "cuda",   "cpu",
                                       "onnxruntime", "reprise", "commit", "date"};
    const json_t *roof = json_object_get(o, "roof");

    fputs("<table>\n", f);
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        if (*report_text(o, keys[i]))
            put_row(f, keys[i], report_text(o, keys[i]));
    }
    put_value(f, "matrix product", report_number(roof, "tflops"), 2, "TFLOP/s");
    put_value(f, "copy, read and written", 1e-9 * report_number(roof, "copy_bytes_per_second"), 1,
              "GB/s");
    fputs("</table>\n", f);
    report_reasons(o, put_reason, f);
}

static void put_model_table(FILE *f, const json_t *models)
{
    static const struct {
        const char *key;
        int digits;
    } columns[] = {
        {"gflop", 2},         {"plain_ms", 3}, {"eager_ms", 3},          {"ort_graph_ms", 3},
        {"graph_ms", 3},      {"slots", 0},    {"slots_ms_per_item", 3}, {"speedup", 2},
        {"roof_fraction", 3}, {"nodes", 0},    {"max_abs_diff", 6}};
    fputs("<div class=wide><table>\n<tr><th>network</th><th>GFLOP</th><th>plain ms</th><th>eager "
          "ms</th><th>ORT graph ms</th><th>graph ms</th><th>slots</th><th>ms an item</th>"
          "<th>faster</th><th>of roof</th><th>nodes</th><th>difference</th></tr>\n",
          f);
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *m = json_array_get(models, i);

        fputs("<tr><td>", f);
        put_text(f, report_text(m, "name"));
        fputs("</td>", f);
        for (size_t c = 0; c < sizeof(columns) / sizeof(*columns); c++)
            put_cell(f, columns[c].digits, report_number(m, columns[c].key));
        fputs("</tr>\n", f);
    }
    fputs("</table></div>\n", f);
}

static void put_model(FILE *f, const json_t *m)
{
    const struct bar bars[] = {
        {"plain run, host tensors", report_number(m, "plain_ms")},
        {"eager on the device", report_number(m, "eager_ms")},
        {"ONNX Runtime's graph", report_number(m, "ort_graph_ms")},
        {"own graph", report_number(m, "graph_ms")},
        {"own graphs, at once", report_number(m, "slots_ms_per_item")},
    };

    fputs("<h3>", f);
    put_text(f, report_text(m, "name"));
    fputs("</h3>\n", f);
    put_bars(f, bars, sizeof(bars) / sizeof(*bars), "ms");
    report_reasons(m, put_reason, f);
}

static void put_models(FILE *f, const json_t *models)
{
    if (!json_array_size(models))
        return;
    fputs("<h2>Networks</h2>\n", f);
    put_model_table(f, models);
    for (size_t i = 0; i < json_array_size(models); i++)
        put_model(f, json_array_get(models, i));
}

/* Frames a second, by the number of frames in flight. */
static void put_slots(FILE *f, const json_t *runs)
{
    static const char *const names[MAX_BARS] = {"1 at once", "2 at once", "4 at once", "8 at once"};
    struct bar bars[MAX_BARS];
    int n = 0;

    for (; n < 4 && (size_t) n < json_array_size(runs); n++)
        bars[n] = (struct bar){names[n], report_number(json_array_get(runs, (size_t) n), "fps")};
    put_bars(f, bars, n, "frames/s");
}

static void put_shares(FILE *f, const json_t *shares)
{
    struct bar bars[MAX_BARS];
    int n = 0;

    for (; n < MAX_BARS && (size_t) n < json_array_size(shares); n++) {
        const json_t *s = json_array_get(shares, (size_t) n);

        bars[n] = (struct bar){report_text(s, "name"), report_number(s, "ms")};
    }
    if (n)
        put_bars(f, bars, n, "ms of a frame");
}

static void put_frame(FILE *f, const char *title, const json_t *o)
{
    const struct bar bars[] = {
        {"eager", report_number(o, "eager_fps")},
        {"networks recorded", report_number(o, "model_fps")},
        {"frame recorded", report_number(o, "graph_fps")},
        {"several at once", report_number(o, "slots_fps")},
        {"in lockstep", report_number(json_object_get(o, "lockstep"), "fps")},
    };

    if (!json_is_object(o))
        return;
    fprintf(f, "<h2>%s, %.0f&times;%.0f</h2>\n", title, report_number(o, "width"),
            report_number(o, "height"));
    put_bars(f, bars, sizeof(bars) / sizeof(*bars), "frames/s");
    put_slots(f, json_object_get(o, "slot_runs"));
    put_shares(f, json_object_get(o, "shares"));
    fputs("<table>\n", f);
    put_row(f, "networks", report_text(o, "analyser"));
    put_value(f, "faces", report_number(o, "faces"), 0, "");
    put_value(f, "frames at once", report_number(o, "slots"), 0, "");
    put_value(f, "its networks as plain runs", report_number(o, "plain_networks_ms"), 3, "ms");
    put_value(f, "processor time a frame", report_number(o, "host_us_per_frame"), 1, "us");
    put_value(f, "launches a frame", report_number(o, "launches_per_frame"), 0, "");
    put_value(f, "nodes", report_number(o, "nodes"), 0, "");
    put_value(f, "memory of a recording", report_number(o, "pool_bytes"), 0, "bytes");
    put_value(f, "frame without faces", report_number(o, "empty_frame_us"), 1, "us");
    put_value(f, "of which not the detector", report_number(o, "empty_face_part_us"), 1, "us");
    if (json_is_boolean(json_object_get(o, "identical")))
        put_row(f, "replay equals eager",
                json_is_true(json_object_get(o, "identical")) ? "yes" : "no");
    fputs("</table>\n", f);
    report_reasons(o, put_reason, f);
}

static void put_job(FILE *f, const json_t *o)
{
    if (!json_is_object(o))
        return;
    fputs("<h2>Whole job</h2>\n<table>\n", f);
    put_row(f, "target", report_text(o, "target_path"));
    put_row(f, "mode", report_text(o, "mode"));
    put_value(f, "runs", report_number(o, "cycle_count"), 0, "");
    put_value(f, "average", report_number(o, "average_run"), 2, "s");
    put_value(f, "fastest", report_number(o, "fastest_run"), 2, "s");
    put_value(f, "slowest", report_number(o, "slowest_run"), 2, "s");
    put_value(f, "speed", report_number(o, "relative_fps"), 2, "frames/s");
    fputs("</table>\n", f);
    report_reasons(o, put_reason, f);
}

void report_html(FILE *f, const json_t *report)
{
    fprintf(f,
            "<!DOCTYPE html>\n<html lang=en>\n<meta charset=utf-8>\n"
            "<meta name=viewport content=\"width=device-width\">\n"
            "<title>reprise benchmark</title>\n<style>%s</style>\n<h1>reprise benchmark</h1>\n",
            style);
    put_machine(f, report);
    put_frame(f, "Work on a frame", json_object_get(report, "frame_graph"));
    put_frame(f, "Analysing a frame", json_object_get(report, "analysis"));
    put_models(f, json_object_get(report, "models"));
    put_job(f, json_object_get(report, "job"));
    fputs("</html>\n", f);
}
