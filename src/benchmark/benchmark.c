/* rp_benchmark(): options, the parts in turn, one JSON object. */
#include "benchmark/benchmark.h"

#include <errno.h>
#include <math.h>
#include <unistd.h>

#include "base/json.h"
#include "base/path.h"
#include "base/timeline.h"
#include "processors/processor.h"

#define MAX_MODELS 64

static bool wants(const struct rp_bench *b, enum rp_bench_part part)
{
    for (int i = 0; i < b->o->parts.n; i++)
        if (b->o->parts.v[i] == (int) part)
            return true;
    return false;
}

/* ---- models ---------------------------------------------------------------------------------- */

/* What is to be measured; kept when the pipeline it comes from is closed. */
struct item {
    char *path, *name;
    bool sized[RP_MAX_TENSORS];
    int64_t dim[RP_MAX_TENSORS][RP_MAX_RANK];
};

struct list {
    struct item item[MAX_MODELS];
    int n;
};

static void add_item(struct list *l, const char *path, const char *name,
                     const struct rp_model *model)
{
    struct item *const it = &l->item[l->n];

    for (int i = 0; i < l->n; i++)
        if (rp_path_same(l->item[i].path, path))
            return;
    if (l->n == MAX_MODELS)
        return;
    *it = (struct item){.path = strdup(path), .name = strdup(name)};
    for (int i = 0; model && i < RP_MAX_TENSORS; i++) {
        const int64_t *const dim = rp_model_used_dim(model, i);

        it->sized[i] = dim != NULL;
        if (dim)
            memcpy(it->dim[i], dim, sizeof(it->dim[i]));
    }
    l->n += it->path && it->name;
}

static void free_list(struct list *l)
{
    for (int i = 0; i < l->n; i++) {
        free(l->item[i].path);
        free(l->item[i].name);
    }
}

/* Adds a file under its name without folder and extension. */
static void add_file(struct list *l, const char *path)
{
    char name[128];
    const char *const base = rp_path_base(path);
    const char *const dot = strrchr(base, '.');

    snprintf(name, sizeof(name), "%.*s", dot ? (int) RP_MIN(dot - base, 120) : 120, base);
    add_item(l, path, name, NULL);
}

static void add_pool(struct list *l, const struct rp_pool *pool)
{
    const struct rp_model *m;

    for (int i = 0; (m = rp_pool_model(pool, i)); i++)
        add_item(l, rp_model_path(m), rp_model_name(m), m);
}

static json_t *measure_models(struct rp_bench *b, const struct list *l, json_t *soak)
{
    json_t *const all = json_array();

    for (int i = 0; i < l->n; i++) {
        json_t *one = NULL;
        const int64_t *dims[RP_MAX_TENSORS];

        for (int k = 0; k < RP_MAX_TENSORS; k++)
            dims[k] = l->item[i].sized[k] ? l->item[i].dim[k] : NULL;
        json_array_append_new(all, rp_bench_model(b, l->item[i].path, l->item[i].name, dims,
                                                  json_object_get(soak, "model") ? NULL : &one));
        if (one)
            rp_bench_put(soak, "model", one);
    }
    return all;
}

/* ---- whole jobs ------------------------------------------------------------------------------ */

struct cycles {
    int n;
    double sum, fastest, slowest;
    int64_t frames;
};

static int run_job(const struct rp_bench *b, struct cycles *c)
{
    int ret;
    rp_report report;
    rp_job *job = NULL;
    double start;

    RP_TRY(rp_job_create(&job, b->runtime, b->options));
    start = rp_now();
    RP_TRY(rp_job_run(job, NULL, NULL));
    if (c) {
        const double t = rp_now() - start;

        rp_job_report(job, &report);
        c->fastest = c->n ? fmin(c->fastest, t) : t;
        c->slowest = fmax(c->slowest, t);
        c->sum += t;
        c->frames = report.progress.frames_done;
        c->n++;
    }

fail:
    rp_job_destroy(&job);
    return ret;
}

/* Where the seconds of the first job go. */
static json_t *make_timeline(double since)
{
    struct rp_moment moment[RP_MOMENTS];
    json_t *const all = json_array();
    const int n = rp_timeline_get(moment, RP_MOMENTS, since);

    for (int i = 0; i < n && (!i || strcmp(moment[i - 1].what, RP_MOMENT_END) != 0); i++)
        json_array_append_new(all, json_pack("{s:f, s:s}", "seconds", moment[i].at - since, "what",
                                             moment[i].what));
    return all;
}

static int run_jobs(const struct rp_bench *b, json_t *o)
{
    struct cycles c = {0};
    const double start = rp_now();

    if (b->o->mode == 0) /* warm: this one is not counted */
        RP_CHECK(run_job(b, NULL));
    for (int i = 0; i < b->o->cycles; i++) {
        if (b->o->mode) /* cold: nothing of the last job is used again */
            rp_runtime_forget(b->runtime);
        RP_CHECK(run_job(b, &c));
    }
    rp_bench_put(o, "timeline", make_timeline(start));
    rp_bench_number(o, "average_run", c.sum / c.n);
    rp_bench_number(o, "fastest_run", c.fastest);
    rp_bench_number(o, "slowest_run", c.slowest);
    rp_bench_number(o, "relative_fps", (double) c.frames * c.n / c.sum);
    return 0;
}

/* FaceFusion's fields: the whole job, file to file. */
static json_t *measure_jobs(struct rp_bench *b, const char *target)
{
    const char *const tmp = getenv("TMPDIR");
    char *const folder = rp_path_join(tmp && *tmp ? tmp : "/tmp", "reprise-benchmark-XXXXXX");
    char *path = NULL, *const before = rp_options_text(b->options, "output-path");
    json_t *const o = json_object();

    rp_log(RP_LOG_INFO, "measuring whole jobs on %s", target);
    rp_bench_text(o, "target_path", target);
    rp_bench_text(o, "mode", b->o->mode ? "cold" : "warm");
    rp_bench_put(o, "cycle_count", json_integer(b->o->cycles));
    if (!folder || !mkdtemp(folder) ||
        !(path = rp_asprintf("%s/out.%s", folder, rp_path_ext(target)))) {
        rp_fail(rp_io_status(errno), "%s: cannot be made: %m",
                folder ? folder : "a temporary folder");
        rp_bench_reason(o, "reason");
    } else if (rp_options_set(b->options, "output-path", path) < 0 || run_jobs(b, o) < 0) {
        rp_bench_reason(o, "reason");
    }
    if (path)
        unlink(path);
    if (folder)
        rmdir(folder);
    if (before)
        rp_options_set(b->options, "output-path", before);
    rp_free(before);
    free(folder);
    free(path);
    return o;
}

/* ---- source ---------------------------------------------------------------------------------- */

/* If no source is given, a processor that needs a source face gets the target's. */
static void lend_source(struct rp_bench *b)
{
    enum rp_media_kind kind;
    const struct rp_path_options *const paths = rp_settings_get(b->settings, &rp_path_group);
    const char *const target = paths->target;

    if (paths->sources.n || !target || !*target)
        return;
    if (rp_media_probe(target, &kind) >= 0 && kind == RP_MEDIA_IMAGE)
        rp_options_set_words(b->options, "source-paths", 1, &target);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int choose_slots(struct rp_bench *b)
{
    char *end;
    long n = RP_BENCH_MAX_SLOTS;

    if (strcmp(b->graph.slots, "auto") != 0) {
        n = strtol(b->graph.slots, &end, 10);
        if (*end || n < 1 || n > 64)
            return rp_fail(RP_ERR_USAGE, "--cuda-graph-slots: '%s' is neither auto nor 1 to 64",
                           b->graph.slots);
    }
    b->max_slots = (int) RP_MIN(n, RP_BENCH_MAX_SLOTS);
    return 0;
}

static void use_device(struct rp_bench *b, const struct rp_pipeline *p)
{
    b->device = p->device;
    b->gpu = p->device->fns->record_begin != NULL;
}

static json_t *no_frame(const struct rp_bench *b)
{
    json_t *const o = json_object();

    rp_bench_put(o, "processors", json_array());
    rp_bench_put(o, "width", json_integer(b->o->frame.w));
    rp_bench_put(o, "height", json_integer(b->o->frame.h));
    rp_bench_put(o, "faces", NULL);
    rp_bench_reason(o, "reason");
    return o;
}

/* The part with an open pipeline: lists its models and measures its frame. */
static json_t *pipeline_part(struct rp_bench *b, struct list *models, json_t *soak,
                             json_t **analysis)
{
    json_t *o, *frame_soak = NULL;
    struct rp_pipeline *p = NULL;

    if (rp_pipeline_open(&p, b->runtime, b->settings,
                         &(const struct rp_pipeline_params){.use = RP_USE_PROCESS | RP_USE_MEASURE,
                                                            .threads = 0}) < 0)
        return no_frame(b);
    use_device(b, p);
    if (wants(b, RP_BENCH_FRAME)) {
        o = rp_bench_frame(b, p, &frame_soak);
        if (frame_soak)
            rp_bench_put(soak, "frame", frame_soak);
    } else { /* a program sets the sizes of open inputs */
        struct rp_program *program = NULL;

        o = json_null();
        if (rp_program_create(&program, &p->plan,
                              &(const struct rp_program_params){
                                  .w = b->o->frame.w, .h = b->o->frame.h, .fmt = RP_FMT_BGR24}) < 0)
            o = no_frame(b);
        rp_program_destroy(&program);
    }
    if (wants(b, RP_BENCH_ANALYSE))
        *analysis = rp_bench_analysis(b, p);
    add_pool(models, p->pool);
    rp_pipeline_destroy(&p);
    rp_shelf_clear(b->runtime->shelf, b->device); /* networks are measured on an empty device */
    b->device = NULL;
    return o;
}

static double plain_of(const json_t *models, const char *name, size_t n)
{
    size_t i;
    const json_t *m;

    json_array_foreach(models, i, m) {
        const char *const have = json_string_value(json_object_get(m, "name"));

        if (have && strlen(have) == n && !strncmp(have, name, n) &&
            json_is_number(json_object_get(m, "plain_ms")))
            return json_number_value(json_object_get(m, "plain_ms"));
    }
    return NAN;
}

/* The networks of the processors: once for each selected face, those for whole frames once. NaN where
 * the number of runs is not known: a processor of several networks, or of tiles. */
static double plain_of_processors(const json_t *part, const json_t *models)
{
    size_t i;
    double sum = 0;
    const json_t *name;
    const json_t *const used = json_object_get(part, "processor_models");
    const double selected = json_number_value(json_object_get(part, "selected"));

    json_array_foreach(json_object_get(part, "processors"), i, name) {
        const struct rp_processor *const p = rp_processor_find(json_string_value(name));
        const char *const model = json_string_value(json_array_get(used, i));

        if (!p || !model || !*model)
            continue;
        sum += plain_of(models, model, strlen(model)) *
               (!p->whole_frame ? selected : p->size ? NAN : 1);
    }
    return sum;
}

/* What the networks take as plain runs with host tensors, one after the other: the detector once,
 * the others of the analysing stage once for each face, then those of the processors. What else a
 * program would have to do is not counted. */
static void put_plain(json_t *part, const json_t *models)
{
    double sum = plain_of_processors(part, models);
    const char *at = json_string_value(json_object_get(part, "analyser"));
    const double faces = json_number_value(json_object_get(part, "faces"));

    for (; at && *at; at += strspn(at, " ")) {
        const size_t kind = strcspn(at, "="), n = at[kind] ? strcspn(at + kind + 1, " ") : 0;

        sum +=
            plain_of(models, at + kind + 1, n) * (strncmp(at, "face_detector", kind) ? faces : 1);
        at += kind + 1 + n;
    }
    if (part && at)
        rp_bench_number(part, "plain_networks_ms", sum > 0 ? sum : NAN);
}

static json_t *roof_json(const struct rp_roof *roof)
{
    json_t *const o = json_object();

    rp_bench_number(o, "tflops", roof->flops > 0 ? 1e-12 * roof->flops : NAN);
    rp_bench_number(o, "copy_bytes_per_second", roof->copy > 0 ? roof->copy : NAN);
    return o;
}

static int measure(struct rp_bench *b, json_t *o)
{
    int ret;
    struct rp_pipeline *p = NULL;
    struct list *const models = calloc(1, sizeof(*models));
    json_t *frame = NULL, *analysis = NULL, *const soak = json_object();
    const struct rp_path_options *const paths = rp_settings_get(b->settings, &rp_path_group);

    if (!models)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    /* the device first: if it is missing, nothing else is tried */
    RP_TRY(rp_pipeline_open(&p, b->runtime, b->settings,
                            &(const struct rp_pipeline_params){.use = 0, .threads = 0}));
    use_device(b, p);
    json_object_update_new(o, rp_bench_environment(b));
    if (wants(b, RP_BENCH_ROOF) && rp_bench_roof(b) < 0)
        rp_bench_reason(o, "roof_reason");
    b->device = NULL;
    rp_pipeline_destroy(&p);

    if (wants(b, RP_BENCH_FRAME) || wants(b, RP_BENCH_ANALYSE) ||
        (wants(b, RP_BENCH_MODELS) && !b->o->models.n))
        frame = pipeline_part(b, models, soak, &analysis);
    for (int i = 0; i < b->o->models.n; i++)
        add_file(models, b->o->models.v[i]);
    rp_bench_put(o, "roof", roof_json(&b->roof));
    RP_TRY(rp_pipeline_open(&p, b->runtime, b->settings,
                            &(const struct rp_pipeline_params){.use = 0, .threads = 0}));
    use_device(b, p);
    rp_bench_put(o, "models",
                 wants(b, RP_BENCH_MODELS) ? measure_models(b, models, soak) : json_array());
    put_plain(frame, json_object_get(o, "models"));
    put_plain(analysis, json_object_get(o, "models"));
    rp_bench_put(o, "frame_graph", frame);
    rp_bench_put(o, "analysis", analysis);
    frame = analysis = NULL;
    rp_bench_put(o, "soak", b->o->soak ? json_incref(soak) : NULL);
    rp_pipeline_destroy(&p);
    rp_bench_put(o, "job",
                 wants(b, RP_BENCH_JOBS) && paths->target && *paths->target
                     ? measure_jobs(b, paths->target)
                     : NULL);
    ret = 0;

fail:
    rp_pipeline_destroy(&p);
    json_decref(frame);
    json_decref(analysis);
    json_decref(soak);
    free_list(models);
    free(models);
    return ret;
}

struct request {
    rp_runtime *runtime;
    rp_options *options;
    char **json;
};

static int benchmark(void *priv)
{
    int ret;
    const struct request *const r = priv;
    struct rp_bench b = {.runtime = r->runtime, .options = r->options};
    json_t *const o = json_object();

    if (!o)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    b.settings = rp_options_settings(r->options);
    b.o = rp_settings_get(b.settings, &rp_benchmark_group);
    b.graph = *(const struct rp_graph_options *) rp_settings_get(b.settings, &rp_graph_group);
    b.graph.mode = RP_GRAPH_FRAME;
    RP_TRY(choose_slots(&b));
    RP_TRY(rp_runtime_engine(r->runtime, &b.engine));
    lend_source(&b);
    RP_TRY(measure(&b, o));
    if (!(*r->json = rp_json_text(o, JSON_INDENT(1) | JSON_REAL_PRECISION(9))))
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");

fail:
    json_decref(o);
    return ret;
}

int rp_benchmark(rp_runtime *runtime, rp_options *options, char **json)
{
    struct rp_executor *executor;
    struct request r = {runtime, options, json};

    *json = NULL;
    if (!runtime || !options)
        return rp_fail(RP_ERR_INVALID, "no runtime, or no options");
    RP_CHECK(rp_pipeline_executor(runtime, rp_options_settings(options), 0, &executor));
    return rp_executor_run(executor, benchmark, &r);
}
