#include "app/job_run.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "app/job_step.h"

/* A step, beside what its file says. */
struct step {
    const char *output; /* of the args; as long as the job */
    char *own;          /* where it writes; NULL: nowhere */
    bool alone;         /* no other step has this output */
    bool ran;           /* its own file is there: of this run, or kept from an earlier one */
    bool named;         /* the output has its name */
};

struct run {
    struct job_runner *runner;
    struct job *job;
    struct step *steps;
    size_t n;
    double saved_at, save_cost; /* of the job's file */
    bool unsaved;
};

int job_runner_open(struct job_runner *r, struct app *app, struct job_store *store)
{
    *r = (struct job_runner){.app = app, .store = store};
    app_signals_defer(true);
    return app_runtime(app, &r->runtime);
}

void job_runner_close(struct job_runner *r)
{
    rp_runtime_destroy(&r->runtime);
    app_signals_defer(false);
}

/* ---- files ----------------------------------------------------------------------------------- */

static bool exists(const char *path)
{
    struct stat st;

    return path && !stat(path, &st) && S_ISREG(st.st_mode) && st.st_size > 0;
}

static bool is_picture(const char *path)
{
    static const char *const ends[] = {"jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff"};
    const char *const dot = strrchr(path, '.');

    for (size_t i = 0; dot && i < sizeof(ends) / sizeof(*ends); i++)
        if (!strcasecmp(dot + 1, ends[i]))
            return true;
    return false;
}

/* A link stays a link, as where a job writes its output itself. */
static int give_name(const char *from, const char *output)
{
    struct stat st;
    char real[PATH_MAX];
    const bool there = !stat(output, &st);
    const char *const to = there && realpath(output, real) ? real : output;

    if (there && !S_ISREG(st.st_mode)) {
        app_log(RP_LOG_ERROR, "%s: exists and is not a plain file", output);
        return RP_ERR_IO;
    }
    if (rename(from, to)) {
        app_log(RP_LOG_ERROR, "%s: cannot be completed: %s", output, strerror(errno));
        return RP_ERR_IO;
    }
    return RP_OK;
}

/* ---- the file of the job --------------------------------------------------------------------- */

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

/* Write the states of the steps. With thousands of steps that takes long; then it is done less
 * often, so that it takes a twentieth of the time at most, and a kill costs the steps since. */
static int save(struct run *run, bool must)
{
    const double start = now();

    run->unsaved = true;
    if (!must && run->n > 200 && start - run->saved_at < 20 * run->save_cost)
        return RP_OK;
    const int ret = job_save(run->job, run->runner->store, true);
    run->saved_at = now();
    run->save_cost = run->saved_at - start;
    run->unsaved = ret < 0;
    return ret;
}

static int set_status(struct run *run, size_t i, enum job_status status)
{
    return job_set_step_status(run->job->json, i, status) ? save(run, false) : RP_ERR_NOMEM;
}

/* ---- one step -------------------------------------------------------------------------------- */

static bool same_file(const struct stat *output, const json_t *path)
{
    struct stat st;

    return json_is_string(path) && !stat(json_string_value(path), &st) &&
           st.st_dev == output->st_dev && st.st_ino == output->st_ino;
}

/* The output must be none of the files that the step reads: it gets its name after the step, which
 * therefore does not see it. */
static int check_output(const struct run *run, size_t i)
{
    const json_t *v, *one;
    const char *key;
    size_t k;
    struct stat st;
    bool same = false;

    if (!run->steps[i].output || !run->steps[i].own) {
        app_log(RP_LOG_ERROR, "--output-path is missing, or has no extension: the file to write");
        return RP_ERR_USAGE;
    }
    if (stat(run->steps[i].output, &st))
        return RP_OK;
    if (!S_ISREG(st.st_mode)) {
        app_log(RP_LOG_ERROR, "%s: exists and is not a plain file", run->steps[i].output);
        return RP_ERR_IO;
    }
    json_object_foreach(job_step_args(run->job->json, i), key, v)
    {
        same = same || (strcmp(key, "output_path") != 0 && same_file(&st, v));
        json_array_foreach(v, k, one) same = same || same_file(&st, one);
    }
    if (!same)
        return RP_OK;
    app_log(RP_LOG_ERROR,
            "--output-path: %s is a file that the step reads, which would be "
            "overwritten; give another name",
            run->steps[i].output);
    return RP_ERR_USAGE;
}

static int run_options(struct run *run, size_t i, const rp_options *options)
{
    rp_job *job = NULL;
    int ret = rp_job_create(&job, run->runner->runtime, options);

    if (ret >= 0) /* a signal while the models were opened had no job to stop */
        ret = app_interrupted() ? RP_ERR_CANCELLED : app_run_job(run->runner->app, job);
    if (ret >= 0)
        app_report_text(run->steps[i].output, job);
    rp_job_destroy(&job);
    return ret;
}

/* Exit codes that say how a command was used are not those of its jobs. */
static int of_step(int ret)
{
    return ret == RP_ERR_USAGE || ret == RP_ERR_MISSING ? RP_ERR_INVALID : ret;
}

static int run_step(struct run *run, size_t i)
{
    rp_options *options = NULL;
    int ret;

    if ((ret = rp_options_create(&options)) >= 0 &&
        (ret = job_args_apply(job_step_args(run->job->json, i), options)) >= 0 &&
        (ret = job_command_apply(run->runner->app->options, options)) >= 0 &&
        (ret = check_output(run, i)) >= 0 &&
        (ret = rp_options_set_words(options, "output-path", 1,
                                    (const char *const[]){run->steps[i].own})) >= 0)
        ret = run_options(run, i, options);
    rp_options_destroy(&options);
    run->steps[i].ran = ret >= 0;
    return of_step(ret);
}

/* Was it completed before, and is what it wrote still there? */
static bool is_done(struct run *run, size_t i)
{
    struct step *const step = &run->steps[i];

    if (job_step_status(run->job->json, i) != JOB_COMPLETED)
        return false;
    step->ran = exists(step->own);
    step->named = !step->ran && step->alone && exists(step->output);
    return step->ran || step->named;
}

static int name_alone(struct step *step)
{
    const int ret = step->alone && step->ran ? give_name(step->own, step->output) : RP_OK;

    step->named = step->named || (step->alone && step->ran && ret >= 0);
    step->ran = step->ran && !step->named;
    return ret;
}

static int do_step(struct run *run, size_t i)
{
    int ret = app_interrupted() ? RP_ERR_CANCELLED : RP_OK;

    if (ret >= 0 && is_done(run, i)) {
        app_log(RP_LOG_INFO, "step %zu of %zu was done before", i + 1, run->n);
        return run->runner->items ? name_alone(&run->steps[i]) : RP_OK;
    }
    if (ret < 0 || (ret = set_status(run, i, JOB_STARTED)) < 0)
        return ret;
    app_log(RP_LOG_INFO, "processing step %zu of %zu", i + 1, run->n);
    ret = run_step(run, i);
    if (ret >= 0 && run->runner->items)
        ret = name_alone(&run->steps[i]);
    const int saved = set_status(run, i,
                                 ret >= 0                  ? JOB_COMPLETED
                                 : ret == RP_ERR_CANCELLED ? JOB_QUEUED
                                                           : JOB_FAILED);
    return ret < 0 ? ret : saved;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static int do_steps(struct run *run)
{
    struct job_runner *const r = run->runner;
    int first = RP_OK;

    for (size_t i = 0; i < run->n; i++) {
        const int ret = do_step(run, i);

        if (ret == RP_ERR_CANCELLED)
            return ret;
        r->done += ret >= 0;
        r->failed += ret < 0;
        first = first < 0 ? first : ret;
        if (ret < 0 && (!r->items || r->halt))
            break;
    }
    return first;
}

/* The output of step i, from all steps that write it; the first of them is i. */
static int name_output(struct run *run, size_t i)
{
    struct step *const first = &run->steps[i];
    const char **const parts = calloc(run->n, sizeof(*parts));
    int n = 0, ret = RP_OK;
    bool whole = true;

    if (!parts)
        return RP_ERR_NOMEM;
    for (size_t k = i; k < run->n; k++) {
        struct step *const step = &run->steps[k];

        if (k != i && (!step->output || strcmp(step->output, first->output) != 0))
            continue;
        whole = whole && step->ran;
        parts[n++] = step->own;
        step->named = true;
    }
    if (whole && n > 1 && !is_picture(first->output))
        ret = rp_join_videos(n, parts, first->output);
    else
        for (int k = 0; whole && k < n && ret >= 0; k++)
            ret = give_name(parts[k], first->output);
    free(parts);
    return ret;
}

static int name_outputs(struct run *run)
{
    int ret = RP_OK;

    for (size_t i = 0; i < run->n && ret >= 0; i++)
        if (run->steps[i].ran && !run->steps[i].named)
            ret = name_output(run, i);
    return ret;
}

/* Only files of this job's own names, which it has made. */
static void clean(const struct run *run)
{
    for (size_t i = 0; i < run->n; i++)
        if (run->steps[i].ran && run->steps[i].own)
            unlink(run->steps[i].own);
}

static void drop_completed(json_t *job)
{
    for (size_t i = job_step_count(job); i-- > 0;)
        if (job_step_status(job, i) == JOB_COMPLETED)
            json_array_remove(job_steps(job), i);
}

static int end(struct run *run, int ret)
{
    struct job_runner *const r = run->runner;
    const bool ran = ret >= 0;

    if (ret == RP_ERR_CANCELLED) {
        const int saved = run->unsaved ? save(run, true) : RP_OK;

        app_log(RP_LOG_INFO, "job %s stays queued: 'reprise job-run %s' goes on with it",
                run->job->id, run->job->id);
        return saved < 0 ? saved : ret;
    }
    if (ran || r->items) {
        const int named = name_outputs(run);

        ret = ret < 0 ? ret : named;
    }
    if (!ran || ret >= 0) /* what could not be joined is left */
        clean(run);
    if (r->items && ret < 0)
        drop_completed(run->job->json);
    int last = run->unsaved || (r->items && ret < 0) ? save(run, true) : RP_OK;
    if (last >= 0)
        last = job_move(run->job, r->store, ret < 0 ? JOB_FAILED : JOB_COMPLETED);
    return ret < 0 ? ret : last;
}

struct named {
    const char *output;
    size_t step;
};

static int by_output(const void *a, const void *b)
{
    return strcmp(((const struct named *) a)->output, ((const struct named *) b)->output);
}

static bool find_alone(struct run *run)
{
    struct named *const all = calloc(run->n + 1, sizeof(*all));

    if (!all)
        return false;
    for (size_t i = 0; i < run->n; i++)
        all[i] = (struct named){run->steps[i].output ? run->steps[i].output : "", i};
    qsort(all, run->n, sizeof(*all), by_output);
    for (size_t i = 0; i < run->n; i++)
        run->steps[all[i].step].alone = (i == 0 || by_output(&all[i], &all[i - 1]) != 0) &&
                                        (i + 1 == run->n || by_output(&all[i], &all[i + 1]) != 0);
    free(all);
    return true;
}

int job_run(struct job_runner *runner, struct job *job)
{
    struct run run = {.runner = runner, .job = job, .n = job_step_count(job->json)};
    int ret = RP_ERR_NOMEM;

    run.steps = calloc(run.n + 1, sizeof(*run.steps));
    for (size_t i = 0; run.steps && i < run.n; i++) {
        run.steps[i].output = job_step_path(job->json, i, "output_path");
        run.steps[i].own = job_step_output(job->json, job->id, i);
    }
    if (run.steps && find_alone(&run))
        ret = end(&run, do_steps(&run));
    for (size_t i = 0; run.steps && i < run.n; i++)
        free(run.steps[i].own);
    free(run.steps);
    return ret;
}
