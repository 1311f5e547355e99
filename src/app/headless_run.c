/* headless-run: one target file to one output file. */
#include "app/app.h"

static json_t *json_progress(json_t *o, const rp_progress *p)
{
    app_json_put(o, "frames_done", json_integer(p->frames_done));
    app_json_put(o, "frames_total", json_integer(p->frames_total));
    app_json_put(o, "seconds", app_json_number(p->seconds));
    app_json_put(o, "fps", app_json_number(p->fps));
    app_json_put(o, "faces_found", json_integer(p->faces_found));
    app_json_put(o, "faces_changed", json_integer(p->faces_changed));
    return o;
}

/* If stdout's reader has gone or its disk is full, the work on the file still goes on. */
static void on_progress_json(void *priv, const rp_progress *progress)
{
    json_t *o = json_object();

    (void) priv;
    app_json_put(o, "event", json_string("progress"));
    app_json_line(json_progress(o, progress));
}

/* ---- the end ---- */

static const char *status_word(int ret)
{
    switch (ret) {
    case RP_ERR_BLOCKED:
        return "blocked";
    case RP_ERR_CANCELLED:
        return "interrupted";
    default:
        return ret < 0 ? "failed" : "done";
    }
}

static json_t *json_stages(const rp_report *r)
{
    json_t *stages = json_array();

    for (int i = 0; i < RP_STAGE_COUNT; i++) {
        json_t *s = json_object();

        app_json_put(s, "name", json_string(rp_stage_name((enum rp_stage) i)));
        app_json_put(s, "own_seconds", app_json_number(r->own_seconds[i]));
        app_json_put(s, "model_seconds", app_json_number(r->model_seconds[i]));
        app_json_add(stages, s);
    }
    return stages;
}

static void report_json(int ret, const char *output, const rp_report *r)
{
    json_t *o = json_object();

    app_json_put(o, "event", json_string("report"));
    app_json_put(o, "status", json_string(status_word(ret)));
    app_json_put(o, "exit_code", json_integer(rp_exit_code(ret)));
    if (ret < 0)
        app_json_put(o, "error", app_json_text(rp_last_error()));
    app_json_put(o, "output", app_json_text(output));
    json_progress(o, &r->progress);
    app_json_put(o, "content_checked", json_integer(r->content_checked));
    app_json_put(o, "content_positive", json_integer(r->content_positive));
    app_json_put(o, "slots", json_integer(r->slots));
    app_json_put(o, "stages", json_stages(r));
    app_json_line(o);
}

static void print_stage(const char *name, double own, double model, double frames)
{
    if (own > 0 || model > 0)
        app_log(RP_LOG_DEBUG, "  %-13s %12.2f %14.2f", name, 1e3 * own / frames,
                1e3 * model / frames);
}

static void report_text(const char *output, const rp_report *r)
{
    const rp_progress *p = &r->progress;
    double frames = (double) p->frames_done, own = 0, model = 0;

    app_log(RP_LOG_INFO, "%s: %lld frame%s in %.1f s, %.1f fps, %lld face%s changed", output,
            (long long) p->frames_done, p->frames_done == 1 ? "" : "s", p->seconds,
            p->seconds > 0 ? frames / p->seconds : 0, (long long) p->faces_changed,
            p->faces_changed == 1 ? "" : "s");
    if (p->frames_done <= 0)
        return;
    app_log(RP_LOG_DEBUG, "  stage         own ms/frame model ms/frame");
    for (int i = 0; i < RP_STAGE_COUNT; i++) {
        print_stage(rp_stage_name((enum rp_stage) i), r->own_seconds[i], r->model_seconds[i],
                    frames);
        own += r->own_seconds[i];
        model += r->model_seconds[i];
    }
    print_stage("all", own, model, frames);
}

static void report(const struct app *app, int ret, const char *output, const rp_job *job)
{
    rp_report r = {0};

    if (job)
        rp_job_report(job, &r);
    if (app->json)
        report_json(ret, output, &r);
    else if (ret >= 0)
        report_text(output, &r);
}

void app_report_text(const char *output, const rp_job *job)
{
    rp_report r = {0};

    rp_job_report(job, &r);
    report_text(output, &r);
}

/* ---- the command ---- */

static int run_job(const struct app *app, rp_job *job, app_job_fn *fn)
{
    int ret;

    app_signals_job(job);
    ret = fn(job, app->json ? on_progress_json : app_progress, NULL);
    app_signals_job(NULL);
    app_bar_end();
    return ret;
}

int app_run_job(const struct app *app, rp_job *job)
{
    return run_job(app, job, rp_job_run);
}

int app_one_job(struct app *app, app_job_fn *fn)
{
    rp_runtime *runtime = NULL;
    rp_job *job = NULL;
    char *output = NULL; /* for the report; when the job is done, it is too late to have no memory */
    int ret;

    if ((ret = app_require(app, "target-path", "the picture or video to work on")) < 0 ||
        (ret = app_require(app, "output-path", "the file to write")) < 0 ||
        (ret = rp_options_get_text(app->options, "output-path", &output)) < 0)
        return ret;
    ret = app_runtime(app, &runtime);
    if (ret >= 0)
        ret = rp_job_create(&job, runtime, app->options);
    if (ret >= 0)
        ret = run_job(app, job, fn);
    report(app, ret, output, job);
    rp_job_destroy(&job);
    rp_runtime_destroy(&runtime);
    rp_free(output);
    return ret;
}

int app_headless_run(struct app *app)
{
    return app_one_job(app, rp_job_run);
}
