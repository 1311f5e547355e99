/* The benchmark as one HTML file for people who do not know the program: a sentence, then bars
 * whose colours mean the same everywhere, then all figures with what they mean. It fetches nothing
 * and has no scripts; on a narrow screen bars go below their names and wide tables scroll inside.
 */
#include <math.h>
#include <string.h>

#include "app/report.h"

#define TEXT 64 /* of a number with its unit */

/* What is recorded: the classes of bars. */
enum way { NOTHING, IN_PART, RECORDED, AT_ONCE, LOCKSTEP, N_WAYS };

static const struct {
    const char *name, *meaning;
} ways[N_WAYS] = {
    [NOTHING] = {"not recorded", "each step is started for each frame"},
    [IN_PART] = {"in part", "each network is recorded by itself, or by ONNX Runtime"},
    [RECORDED] = {"recorded", "all steps are one CUDA graph, which is replayed"},
    [AT_ONCE] = {"several at once", "such graphs beside each other, each with its own frame"},
    [LOCKSTEP] = {"in lockstep", "one graph takes several frames, each network once for all"},
};

/* The colours, type and rules of src/web/page/app.css. */
static const char style[] =
    ":root{--ink:#1e2321;--dim:#5f6662;--line:#dfdbd0;--paper:#f5f3ee;--sheet:#fffefb;"
    "--well:#ebe8e0;--accent:#0f6a58;--w0:#a3a298;--w1:#c1852f;--w2:#3f9c86;--w3:#3a6a86;"
    "--w4:#6558a6;--s0:#0f6a58;--s1:#9a5a12;--s2:#4b56a8;--s3:#96406a;--s4:#4f6b1d;--s5:#3a6a86}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e9e8e3;--dim:#a0a6a2;--line:#323634;"
    "--paper:#151615;--sheet:#1d1f1e;--well:#101110;--accent:#63c9ae;--w0:#747b77;--w1:#e3a85c;"
    "--w2:#63c9ae;--w3:#85bddb;--w4:#a99be6;--s0:#63c9ae;--s1:#e3a85c;--s2:#a3adf0;--s3:#e293b8;"
    "--s4:#a9c66b;--s5:#85bddb}}*{box-sizing:border-box}body{font:15px/1.5 system-ui,"
    "-apple-system,\"Segoe UI\",Roboto,sans-serif;max-width:62rem;margin:0 auto;"
    "padding:1.5rem 1rem 4rem;color:var(--ink);background:var(--paper);overflow-wrap:anywhere}"
    "h1{font-size:clamp(1.6rem,5vw,2.1rem);font-weight:600;letter-spacing:-.015em;"
    "line-height:1.2;margin:1.6rem 0 .6rem;text-wrap:balance}h2{font-size:1.2rem;font-weight:600;"
    "margin:2.6rem 0 .3rem;padding-top:1.6rem;border-top:1px solid var(--line)}"
    "h3{font-size:.95rem;font-weight:600;margin:1.4rem 0 .2rem}.brand{display:flex;"
    "align-items:center;gap:.6rem;font-size:.9rem}.brand svg{height:1.35rem;fill:var(--accent)}"
    ".brand,.note,.why,small,dd,summary{color:var(--dim)}.brand,.note,.why{margin:.2em 0}.note,"
    ".why,dl,table{font-size:.9em}.lead{font-size:1.1em;margin:.3em 0}ul.key{list-style:none;"
    "margin:1.2em 0;padding:.8em 1em;background:var(--sheet);border:1px solid var(--line);"
    "border-radius:10px;font-size:.9em}ul.key i{display:inline-block;width:.8em;height:.8em;"
    "border-radius:3px;margin-right:.6em}.bar{display:grid;grid-template-columns:10.5em 1fr 12em;"
    "gap:.2em 1em;align-items:center;margin:.45em 0;font-variant-numeric:tabular-nums}"
    ".bar svg{display:block;width:100%;height:14px;background:var(--well);border-radius:4px}"
    ".bar strong{font-weight:600}.pair{border-top:1px solid var(--line);padding:.3em 0}"
    ".share{display:block;width:100%;height:22px;border-radius:5px;margin:.6em 0}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:.5em 0}th,"
    "td{padding:.35em .7em;text-align:right;border-bottom:1px solid var(--line);"
    "vertical-align:top}th{font-weight:600}th:first-child,td:first-child{text-align:left;"
    "padding-left:0}.facts td{text-align:left}.facts td:first-child{color:var(--dim);width:21em}"
    ".wide{overflow-x:auto}.wide table{white-space:nowrap}.wide th:first-child,"
    ".wide td:first-child{position:sticky;left:0;background:var(--paper)}details{margin:.8em 0}"
    "summary{cursor:pointer}summary:focus-visible{outline:2px solid var(--accent);"
    "outline-offset:3px;border-radius:3px}dt{font-weight:600;margin-top:.4em}dd{margin:0}"
    ".w0{fill:var(--w0);background:var(--w0)}.w1{fill:var(--w1);background:var(--w1)}"
    ".w2{fill:var(--w2);background:var(--w2)}.w3{fill:var(--w3);background:var(--w3)}"
    ".w4{fill:var(--w4);background:var(--w4)}.s0{fill:var(--s0);background:var(--s0)}"
    ".s1{fill:var(--s1);background:var(--s1)}.s2{fill:var(--s2);background:var(--s2)}"
    ".s3{fill:var(--s3);background:var(--s3)}.s4{fill:var(--s4);background:var(--s4)}"
    ".s5{fill:var(--s5);background:var(--s5)}"
    "@media(max-width:640px){.bar{grid-template-columns:1fr auto}.bar svg{grid-row:2;"
    "grid-column:1/3}.facts td,.facts tr{display:block;padding:.1em 0;width:auto}"
    ".facts td:first-child{border:0;width:auto;font-size:.9em}}";

/* The sign that ends a repeat. */
static const char mark[] =
    "<svg viewBox=\"0 0 22 24\" aria-hidden=true><rect x=1.2 y=6.2 width=4.6 height=4.6 rx=2.3 />"
    "<rect x=1.2 y=13.2 width=4.6 height=4.6 rx=2.3 /><rect x=9 y=2 width=2 height=20 />"
    "<rect x=14 y=2 width=5.5 height=20 /></svg>";

/* ---- text ---- */

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

/* ---- numbers as people read them ---- */

enum unit { MS, US, SECONDS, RATE, BYTES, COUNT, TIMES, PART, GFLOP, TFLOPS, COPY, SMALL };

/* Units of which the first that leaves less than 1000 is taken, each 1000 of the one before. */
static const struct {
    double factor; /* to the first */
    const char *units[4];
} forms[] = {
    [MS] = {1e3, {" µs", " ms", " s"}},
    [US] = {1, {" µs", " ms", " s"}},
    [SECONDS] = {1e6, {" µs", " ms", " s"}},
    [RATE] = {1, {""}},
    [GFLOP] = {1, {""}},
    [BYTES] = {1e-3, {" KB", " MB", " GB", " TB"}},
    [COPY] = {1e-3, {" KB/s", " MB/s", " GB/s", " TB/s"}},
    [TFLOPS] = {1e3, {" GFLOP/s", " TFLOP/s", " PFLOP/s"}},
};

/* Three digits, but for large numbers all of them. */
static void scaled_text(char text[TEXT], double v, enum unit unit)
{
    int i = 0;

    for (v *= forms[unit].factor; i < 3 && forms[unit].units[i + 1] && v >= 999.5; i++)
        v /= 1000;
    if (v > 0 && v < 0.005)
        snprintf(text, TEXT, "< 0.01%s", forms[unit].units[i]);
    else
        snprintf(text, TEXT, "%.*f%s",
                 v >= 99.95   ? 0
                 : v >= 9.995 ? 1
                              : 2,
                 v, forms[unit].units[i]);
}

static void number_text(char text[TEXT], double v, enum unit unit)
{
    if (unit == COUNT)
        snprintf(text, TEXT, "%.0f", v);
    else if (unit == TIMES)
        snprintf(text, TEXT, "%.*f×", v >= 9.95 ? 0 : 1, v);
    else if (unit == PART && v > 0 && v < 0.0005)
        snprintf(text, TEXT, "< 0.1 %%");
    else if (unit == PART)
        snprintf(text, TEXT, "%.*f %%", v < 0.0995 ? 1 : 0, 100 * v);
    else if (unit == SMALL)
        snprintf(text, TEXT, v == 0 ? "none" : "%.2g", v);
    else
        scaled_text(text, v, unit);
}

/* For a sentence: two digits. */
static void short_ms(char text[TEXT], double ms)
{
    if (ms >= 1000)
        snprintf(text, TEXT, "%.1f s", ms / 1000);
    else if (ms < 0.0995)
        snprintf(text, TEXT, "%.0f µs", 1000 * ms);
    else
        snprintf(text, TEXT, "%.*f ms", ms >= 9.95 ? 0 : ms >= 0.995 ? 1 : 2, ms);
}

static void put_fact(FILE *f, const char *name, const char *value)
{
    if (!*value)
        return;
    fputs("<tr><td>", f);
    put_text(f, name);
    fputs("</td><td>", f);
    put_text(f, value);
    fputs("</td></tr>\n", f);
}

static void put_value(FILE *f, const char *name, double v, enum unit unit)
{
    char text[TEXT];

    if (!isfinite(v) || v < 0) /* a difference of two measurements may be */
        return;
    number_text(text, v, unit);
    put_fact(f, name, text);
}

static void put_reason(void *priv, const char *key, const char *why)
{
    FILE *f = priv;
    const size_t n = strlen(key) - strlen("reason");
    char what[TEXT];

    snprintf(what, sizeof(what), "%.*s", (int) (n ? n - 1 : 0), key); /* without "_reason" */
    fputs("<p class=why>Not measured", f);
    if (*what) {
        fputs(" (", f);
        put_text(f, what);
        fputs(")", f);
    }
    fputs(": ", f);
    put_text(f, why);
    fputs("</p>\n", f);
}

/* ---- bars ---- */

struct bar {
    const char *name;
    double value; /* not finite: left out */
    enum way way;
    const char *more; /* after the value, or NULL */
};

static void put_bar(FILE *f, const struct bar *bar, double most, enum unit unit)
{
    char text[TEXT];

    number_text(text, bar->value, unit);
    fputs("<div class=bar><span>", f);
    put_text(f, bar->name);
    fprintf(f,
            "</span><svg viewBox=\"0 0 100 1\" preserveAspectRatio=none aria-hidden=true>"
            "<rect class=w%d width=%.2f height=1 /></svg><span><strong>",
            (int) bar->way, fmin(fmax(100 * bar->value / most, 0.5), 100));
    put_text(f, text);
    fputs("</strong>", f);
    if (bar->more) {
        fputs(" <small>", f);
        put_text(f, bar->more);
        fputs("</small>", f);
    }
    fputs("</span></div>\n", f);
}

/* All to the same scale. Nothing if there are fewer than two: one has nothing to be compared with.
 */
static void put_bars(FILE *f, const struct bar *bars, int n, enum unit unit)
{
    double most = 0;
    int rows = 0;

    for (int i = 0; i < n; i++) {
        most = isfinite(bars[i].value) ? fmax(most, bars[i].value) : most;
        rows += isfinite(bars[i].value);
    }
    for (int i = 0; i < n && rows > 1 && most > 0; i++)
        if (isfinite(bars[i].value))
            put_bar(f, &bars[i], most, unit);
}

/* Frames a second, with the time of one. */
static void put_rates(FILE *f, const struct bar *from, int n)
{
    enum { MOST = 8 };
    struct bar bars[MOST];
    char more[MOST][TEXT + 24], time[TEXT];

    for (int i = 0; i < n && i < MOST; i++) {
        bars[i] = from[i];
        number_text(time, 1e3 / bars[i].value, MS);
        snprintf(more[i], sizeof(more[i]), "· %s each", time);
        bars[i].more = more[i];
    }
    put_bars(f, bars, n < MOST ? n : MOST, RATE);
}

static void put_key(FILE *f)
{
    fputs("<ul class=key>\n", f);
    for (int i = 0; i < N_WAYS; i++)
        fprintf(f, "<li><i class=w%d></i><strong>%s</strong>: %s</li>\n", i, ways[i].name,
                ways[i].meaning);
    fputs("</ul>\n", f);
}

/* ---- the sentence ---- */

static double eager_fps(const json_t *frame)
{
    return report_number(frame, "eager_fps");
}

/* With what a run does by itself: several frames at once, but no lockstep. */
static double recorded_fps(const json_t *frame)
{
    return fmax(report_number(frame, "slots_fps"), report_number(frame, "graph_fps"));
}

static const char *a_frame(const json_t *frame)
{
    const double faces = report_number(frame, "faces");

    return isfinite(faces) && faces < 1 ? "A frame without a face" : "A frame";
}

static void put_recorded(FILE *f, const json_t *frame)
{
    char fast[TEXT], slow[TEXT];
    const double lockstep = report_number(json_object_get(frame, "lockstep"), "fps");

    short_ms(fast, 1e3 / recorded_fps(frame));
    short_ms(slow, 1e3 / eager_fps(frame));
    fprintf(f, "<h1>%s takes %s recorded, %s without.</h1>\n", a_frame(frame), fast, slow);
    fprintf(f, "<p class=lead>That is %.1f times as fast: %.0f frames a second instead of %.0f.",
            recorded_fps(frame) / eager_fps(frame), recorded_fps(frame), eager_fps(frame));
    if (lockstep > recorded_fps(frame)) {
        short_ms(fast, 1e3 / lockstep);
        fprintf(f, " With %.0f frames in lockstep it takes %s.",
                report_number(json_object_get(frame, "lockstep"), "frames"), fast);
    }
    fputs("</p>\n<p class=note>Recorded means that the GPU gets the list of all steps of a frame "
          "once and replays it for each further frame. Without, each step is started anew.</p>\n",
          f);
}

static void put_headline(FILE *f, const json_t *o)
{
    char text[TEXT];
    const json_t *const frame = json_object_get(o, "frame_graph");
    const json_t *const job = json_object_get(o, "job"), *models = json_object_get(o, "models");
    const double fps = report_number(job, "relative_fps");

    if (isfinite(recorded_fps(frame)) && isfinite(eager_fps(frame))) {
        put_recorded(f, frame);
    } else if (isfinite(eager_fps(frame))) {
        short_ms(text, 1e3 / eager_fps(frame));
        fprintf(f, "<h1>%s takes %s.</h1>\n", a_frame(frame), text);
        if (!*report_text(o, "gpu"))
            fputs("<p class=note>Measured on the processor. On an NVIDIA GPU the steps of a frame "
                  "are "
                  "recorded once and replayed; measured there, this page compares both.</p>\n",
                  f);
    } else if (isfinite(fps)) {
        short_ms(text, 1e3 / fps);
        fprintf(f, "<h1>A job takes %s a frame.</h1>\n", text);
    } else if (json_array_size(models)) {
        fprintf(f, "<h1>%zu network%s, measured one by one.</h1>\n", json_array_size(models),
                json_array_size(models) == 1 ? "" : "s");
    } else {
        fputs("<h1>Nothing could be measured.</h1>\n", f);
    }
}

/* ---- the frame ---- */

/* "yolo_face (face detector), ..., inswapper_128 (face swapper)" */
static void put_network(FILE *f, const char *name, size_t n, const char *kind, size_t n_kind)
{
    char text[256];

    snprintf(text, sizeof(text), "%.*s (%.*s)", (int) n, name, (int) n_kind, kind);
    for (char *c = strchr(text, '('); c && *c; c++)
        *c = (char) (*c == '_' ? ' ' : *c);
    put_text(f, text);
}

static void put_networks(FILE *f, const json_t *o)
{
    const char *at = report_text(o, "analyser");
    const json_t *const names = json_object_get(o, "processors");
    const json_t *const models = json_object_get(o, "processor_models");
    int n = 0;

    fputs("<tr><td>networks</td><td>", f);
    while (*(at += strspn(at, " "))) {
        const size_t kind = strcspn(at, "= "), more = strcspn(at, " ");

        fputs(n++ ? ", " : "", f);
        if (kind < more)
            put_network(f, at + kind + 1, more - kind - 1, at, kind);
        at += more;
    }
    for (size_t i = 0; i < json_array_size(models); i++) {
        const char *const name = json_string_value(json_array_get(models, i));
        const char *const kind = json_string_value(json_array_get(names, i));

        if (!name || !*name || !kind)
            continue;
        fputs(n++ ? ", " : "", f);
        put_network(f, name, strlen(name), kind, strlen(kind));
    }
    fputs("</td></tr>\n", f);
}

/* Frames a second, by the number of frames at once. */
static void put_slots(FILE *f, const json_t *runs)
{
    enum { MOST = 6 };
    char names[MOST][TEXT];
    struct bar bars[MOST];
    int n = 0;

    for (; n < MOST && (size_t) n < json_array_size(runs); n++) {
        const json_t *const run = json_array_get(runs, (size_t) n);
        const double slots = report_number(run, "slots");

        snprintf(names[n], TEXT, "%.0f at once", slots);
        bars[n] =
            (struct bar){names[n], report_number(run, "fps"), slots > 1 ? AT_ONCE : RECORDED, NULL};
    }
    if (n < 2)
        return;
    fputs("<details><summary>by the number of frames at once</summary>\n", f);
    put_rates(f, bars, n);
    fputs("</details>\n", f);
}

/* One bar, in parts. */
static void put_shares(FILE *f, const json_t *shares)
{
    enum { MOST = 6 };
    double sum = 0, at = 0;
    const size_t n = json_array_size(shares) < MOST ? json_array_size(shares) : MOST;

    for (size_t i = 0; i < n; i++)
        sum += fmax(report_number(json_array_get(shares, i), "ms"), 0);
    if (n < 2 || !(sum > 0))
        return;
    fputs("<h3>What the time of a frame is spent on</h3>\n<svg class=share viewBox=\"0 0 100 1\" "
          "preserveAspectRatio=none aria-hidden=true>",
          f);
    for (size_t i = 0; i < n; i++) {
        const double part = 100 * fmax(report_number(json_array_get(shares, i), "ms"), 0) / sum;

        fprintf(f, "<rect class=s%zu x=%.2f width=%.2f height=1 />", i, at, part);
        at += part;
    }
    fputs("</svg>\n<ul class=key>\n", f);
    for (size_t i = 0; i < n; i++) {
        char text[TEXT];
        const double ms = fmax(report_number(json_array_get(shares, i), "ms"), 0);

        number_text(text, ms, MS);
        fprintf(f, "<li><i class=s%zu></i>", i);
        put_text(f, report_text(json_array_get(shares, i), "name"));
        fputs(": ", f);
        put_text(f, text);
        fprintf(f, ", %.0f %%</li>\n", 100 * ms / sum);
    }
    fputs("</ul>\n", f);
}

static void put_frame_facts(FILE *f, const json_t *o)
{
    const json_t *const same = json_object_get(o, "identical");

    fputs("<table class=facts>\n", f);
    put_networks(f, o);
    put_value(f, "its networks, as other programs run them", report_number(o, "plain_networks_ms"),
              MS);
    put_value(f, "a frame without a face", report_number(o, "empty_frame_us"), US);
    put_value(f, "of it, what follows the detector", report_number(o, "empty_face_part_us"), US);
    put_value(f, "the processor works for each frame", report_number(o, "host_us_per_frame"), US);
    put_value(f, "graphs launched for each frame", report_number(o, "launches_per_frame"), COUNT);
    put_value(f, "steps in a recording", report_number(o, "nodes"), COUNT);
    put_value(f, "memory of a recording", report_number(o, "pool_bytes"), BYTES);
    if (json_is_boolean(same))
        put_fact(f, "replayed pixels equal those not recorded",
                 json_is_true(same) ? "yes, bit for bit" : "no");
    fputs("</table>\n", f);
}

static void put_frame(FILE *f, const char *title, const char *note, const json_t *o)
{
    const struct bar bars[] = {
        {"not recorded", eager_fps(o), NOTHING, NULL},
        {"networks recorded", report_number(o, "model_fps"), IN_PART, NULL},
        {"frame recorded", report_number(o, "graph_fps"), RECORDED, NULL},
        {"several at once", report_number(o, "slots_fps"), AT_ONCE, NULL},
        {"in lockstep", report_number(json_object_get(o, "lockstep"), "fps"), LOCKSTEP, NULL},
    };

    if (!json_is_object(o))
        return;
    fprintf(f, "<h2>%s</h2>\n<p class=note>%s %.0f × %.0f pixels", title, note,
            report_number(o, "width"), report_number(o, "height"));
    if (isfinite(report_number(o, "faces")))
        fprintf(f, ", %.0f face%s", report_number(o, "faces"),
                report_number(o, "faces") == 1 ? "" : "s");
    fputs(".</p>\n", f);
    if (isfinite(eager_fps(o)) && !isfinite(report_number(o, "graph_fps"))) {
        char text[TEXT];

        number_text(text, 1e3 / eager_fps(o), MS);
        fprintf(f, "<p class=lead>%.1f frames a second, %s each.</p>\n", eager_fps(o), text);
    }
    fputs(isfinite(report_number(o, "graph_fps"))
              ? "<p class=note>Frames a second; longer is better.</p>\n"
              : "",
          f);
    put_rates(f, bars, sizeof(bars) / sizeof(*bars));
    put_slots(f, json_object_get(o, "slot_runs"));
    put_shares(f, json_object_get(o, "shares"));
    put_frame_facts(f, o);
    report_reasons(o, put_reason, f);
}

/* ---- networks ---- */

static const struct column {
    const char *key, *title;
    enum unit unit;
    const char *meaning;
} columns[] = {
    {"plain_ms", "elsewhere", MS,
     "as other programs run it: inputs and outputs in ordinary memory, copied each time"},
    {"eager_ms", "not recorded", MS, "inputs and outputs stay where the network runs"},
    {"ort_graph_ms", "ONNX Runtime's graph", MS, "recorded by ONNX Runtime itself"},
    {"graph_ms", "recorded", MS, "one CUDA graph, replayed"},
    {"slots", "at once", COUNT, "the best number of graphs beside each other"},
    {"slots_ms_per_item", "each of them", MS, "time divided by the number of runs"},
    {"speedup", "faster", TIMES, "the best of ours against elsewhere"},
    {"gflop", "GFLOP", GFLOP, "billions of multiplications and additions in a run"},
    {"roof_fraction", "of the peak", PART,
     "operations a second, compared with a large product of matrices on this machine"},
    {"nodes", "steps", COUNT, "in the recording"},
    {"pool_bytes", "memory", BYTES, "that a recording keeps"},
    {"max_abs_diff", "difference", SMALL,
     "largest difference of an output between recorded and not recorded"},
};
enum { N_COLUMNS = sizeof(columns) / sizeof(*columns) };

static bool has_column(const json_t *models, const struct column *c)
{
    for (size_t i = 0; i < json_array_size(models); i++)
        if (isfinite(report_number(json_array_get(models, i), c->key)))
            return true;
    return false;
}

static void put_model_row(FILE *f, const json_t *models, const json_t *m)
{
    char text[TEXT];

    fputs("<tr><td>", f);
    put_text(f, report_text(m, "name"));
    fputs("</td>", f);
    for (int c = 0; c < N_COLUMNS; c++) {
        const double v = report_number(m, columns[c].key);

        if (!has_column(models, &columns[c]))
            continue;
        number_text(text, v, columns[c].unit);
        fputs("<td>", f);
        put_text(f, isfinite(v) ? text : "–");
        fputs("</td>", f);
    }
    fputs("</tr>\n", f);
}

static void put_model_table(FILE *f, const json_t *models)
{
    fputs("<details><summary>all figures of the networks, and what they mean</summary>\n"
          "<div class=wide><table>\n<tr><th>network</th>",
          f);
    for (int c = 0; c < N_COLUMNS; c++)
        if (has_column(models, &columns[c]))
            fprintf(f, "<th>%s</th>", columns[c].title);
    fputs("</tr>\n", f);
    for (size_t i = 0; i < json_array_size(models); i++)
        put_model_row(f, models, json_array_get(models, i));
    fputs("</table></div>\n<dl>\n", f);
    for (int c = 0; c < N_COLUMNS; c++)
        if (has_column(models, &columns[c]))
            fprintf(f, "<dt>%s</dt><dd>%s</dd>\n", columns[c].title, columns[c].meaning);
    fputs("</dl></details>\n", f);
}

/* Each network to its own scale: what it takes elsewhere, and the best of ours. */
static void put_pair(FILE *f, const json_t *m)
{
    char more[TEXT];
    const double elsewhere = report_number(m, "plain_ms"),
                 slots = report_number(m, "slots_ms_per_item"),
                 graph = report_number(m, "graph_ms"), best = fmin(slots, graph);
    const struct bar bars[] = {
        {report_text(m, "name"), elsewhere, NOTHING, "elsewhere"},
        {"", best, best < graph ? AT_ONCE : RECORDED, more},
    };

    snprintf(more, sizeof(more), "%.1f times as fast", elsewhere / best);
    if (isfinite(elsewhere) && isfinite(best)) {
        fputs("<div class=pair>", f);
        put_bars(f, bars, 2, MS);
        fputs("</div>\n", f);
    }
}

/* Without recordings: all networks to one scale. */
static void put_times(FILE *f, const json_t *models)
{
    double most = 0;

    for (size_t i = 0; i < json_array_size(models); i++)
        most = fmax(most, report_number(json_array_get(models, i), "eager_ms"));
    for (size_t i = 0; i < json_array_size(models) && most > 0; i++) {
        const json_t *const m = json_array_get(models, i);
        const struct bar bar = {report_text(m, "name"), report_number(m, "eager_ms"), NOTHING,
                                NULL};

        if (isfinite(bar.value))
            put_bar(f, &bar, most, MS);
    }
}

static void put_models(FILE *f, const json_t *models)
{
    const bool recorded = has_column(models, &(const struct column){.key = "graph_ms"});

    if (!json_array_size(models))
        return;
    fprintf(f, "<h2>Networks</h2>\n<p class=note>%s; shorter is better.</p>\n",
            recorded ? "Time of a run. Grey: elsewhere, as other programs run it; in colour: the "
                       "best of ours"
                     : "Time of a run");
    for (size_t i = 0; i < json_array_size(models) && recorded; i++)
        put_pair(f, json_array_get(models, i));
    if (!recorded)
        put_times(f, models);
    put_model_table(f, models);
    for (size_t i = 0; i < json_array_size(models); i++)
        report_reasons(json_array_get(models, i), put_reason, f);
}

/* ---- the rest ---- */

static void put_timeline(FILE *f, const json_t *o)
{
    if (!json_array_size(o))
        return;
    fputs("<details><summary>Where the first job's seconds go</summary>\n<table class=facts>\n", f);
    for (size_t i = 0; i < json_array_size(o); i++)
        put_value(f, report_text(json_array_get(o, i), "what"),
                  report_number(json_array_get(o, i), "seconds"), SECONDS);
    fputs("</table></details>\n", f);
}

static void put_job(FILE *f, const json_t *o)
{
    const double fps = report_number(o, "relative_fps");

    if (!json_is_object(o))
        return;
    fputs("<h2>A whole job, from file to file</h2>\n", f);
    if (isfinite(fps))
        fprintf(f, "<p class=lead>%.*f frames a second.</p>\n", fps < 10 ? 1 : 0, fps);
    fputs("<table class=facts>\n", f);
    put_fact(f, "target", report_text(o, "target_path"));
    put_fact(f, "runs before it",
             !strcmp(report_text(o, "mode"), "cold") ? "none" : "one, not counted");
    put_value(f, "runs", report_number(o, "cycle_count"), COUNT);
    put_value(f, "a run takes on average", report_number(o, "average_run"), SECONDS);
    if (report_number(o, "cycle_count") > 1) {
        put_value(f, "the fastest", report_number(o, "fastest_run"), SECONDS);
        put_value(f, "the slowest", report_number(o, "slowest_run"), SECONDS);
    }
    fputs("</table>\n", f);
    put_timeline(f, json_object_get(o, "timeline"));
    report_reasons(o, put_reason, f);
}

static void put_machine(FILE *f, const json_t *o)
{
    static const struct {
        const char *key, *name;
    } rows[] = {{"gpu", "GPU"},
                {"driver", "driver"},
                {"cuda", "CUDA"},
                {"cpu", "processor"},
                {"onnxruntime", "ONNX Runtime"},
                {"reprise", "reprise"},
                {"commit", "commit"},
                {"date", "measured at"}};
    const json_t *const roof = json_object_get(o, "roof");

    fputs("<h2>The machine</h2>\n<table class=facts>\n", f);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        put_fact(f, rows[i].name, report_text(o, rows[i].key));
    put_value(f, "processor cores", report_number(o, "cores"), COUNT);
    put_value(f, "peak: a large product of matrices", report_number(roof, "tflops"), TFLOPS);
    put_value(f, "copying memory, read and written", report_number(roof, "copy_bytes_per_second"),
              COPY);
    fputs("</table>\n", f);
    report_reasons(o, put_reason, f);
}

static void put_head(FILE *f, const json_t *o)
{
    const char *const gpu = report_text(o, "gpu");
    const char *const device = *gpu ? gpu : report_text(o, "cpu");

    fputs("<!DOCTYPE html>\n<html lang=en>\n<meta charset=utf-8>\n"
          "<meta name=viewport content=\"width=device-width,initial-scale=1\">\n"
          "<meta name=color-scheme content=\"light dark\">\n<title>reprise benchmark: ",
          f);
    put_text(f, device);
    fprintf(f, "</title>\n<style>%s</style>\n<p class=brand>%s<span>reprise benchmark on ", style,
            mark);
    put_text(f, device);
    fputs("</span></p>\n", f);
}

void report_html(FILE *f, const json_t *report)
{
    const json_t *const frame = json_object_get(report, "frame_graph");
    const json_t *const analysis = json_object_get(report, "analysis");

    put_head(f, report);
    put_headline(f, report);
    if (isfinite(report_number(frame, "graph_fps")) ||
        has_column(json_object_get(report, "models"), &(const struct column){.key = "graph_ms"}))
        put_key(f);
    put_frame(f, "The work on a frame", "Everything between decoding and encoding.", frame);
    put_frame(f, "Only looking at a frame",
              "All faces with points, identity, age, gender and race.", analysis);
    put_models(f, json_object_get(report, "models"));
    put_job(f, json_object_get(report, "job"));
    put_machine(f, report);
    fputs("</html>\n", f);
}
