/* batch-run: FaceFusion's patterns. Each source with each target is one step of one job, which is
 * run at once, with the models open from the first item to the last. */

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "app/app.h"
#include "app/batch_name.h"
#include "app/job_run.h"
#include "app/job_step.h"
#include "app/jobs.h"

/* ---- files ----------------------------------------------------------------------------------- */

struct files {
    char **v;
    size_t n, room;
};

static void free_files(struct files *files)
{
    for (size_t i = 0; i < files->n; i++)
        free(files->v[i]);
    free(files->v);
    *files = (struct files){0};
}

static int add_file(struct files *files, const char *path)
{
    if (files->n > JOB_STEPS_MAX) {
        app_log(RP_LOG_ERROR, "%s: more than %d files at once", path, JOB_STEPS_MAX);
        return RP_ERR_LIMIT;
    }
    if (files->n == files->room) {
        char **const grown = realloc(files->v, (2 * files->room + 16) * sizeof(*grown));

        if (!grown)
            return RP_ERR_NOMEM;
        files->v = grown;
        files->room = 2 * files->room + 16;
    }
    files->v[files->n] = strdup(path);
    return files->v[files->n] ? (int) (files->n++, RP_OK) : RP_ERR_NOMEM;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

/* All that is in a folder and is a file, but for hidden ones. */
static int add_folder(struct files *files, const char *path)
{
    int ret = RP_OK;
    DIR *const dir = opendir(path);

    if (!dir) {
        app_log(RP_LOG_ERROR, "%s: opening: %s", path, strerror(errno));
        return RP_ERR_IO;
    }
    for (const struct dirent *e; ret >= 0 && (e = readdir(dir));) {
        char *file;
        struct stat st;

        if (e->d_name[0] == '.')
            continue;
        if (asprintf(&file, "%s%s%s", path, path[strlen(path) - 1] == '/' ? "" : "/", e->d_name) <
            0)
            ret = RP_ERR_NOMEM;
        else if (!stat(file, &st) && S_ISREG(st.st_mode))
            ret = add_file(files, file);
        if (ret != RP_ERR_NOMEM)
            free(file);
    }
    closedir(dir);
    return ret;
}

static int add_pattern(struct files *files, const char *pattern)
{
    struct stat st;
    glob_t found = {0};
    int ret = RP_OK;

    if (!stat(pattern, &st) && S_ISDIR(st.st_mode))
        return add_folder(files, pattern);
    const int got = glob(pattern, GLOB_NOSORT | GLOB_NOESCAPE, NULL, &found);
    if (got == GLOB_NOSPACE)
        ret = RP_ERR_NOMEM;
    for (size_t i = 0; got == 0 && ret >= 0 && i < found.gl_pathc; i++)
        if (stat(found.gl_pathv[i], &st) ||
            !S_ISDIR(st.st_mode)) /* what is not there fails later */
            ret = add_file(files, found.gl_pathv[i]);
    globfree(&found);
    return ret;
}

/* The files of an option, sorted; no files without the option. */
static int find_files(const struct app *app, const char *option, struct files *files)
{
    char *pattern;
    int ret = rp_options_get_text(app->options, option, &pattern);

    if (ret >= 0 && pattern && (ret = add_pattern(files, pattern)) >= 0) {
        if (files->n == 0) {
            app_log(RP_LOG_ERROR, "--%s: no file is '%s'", option, pattern);
            ret = RP_ERR_INVALID;
        } else {
            qsort(files->v, files->n, sizeof(*files->v), by_name);
        }
    }
    rp_free(pattern);
    return ret;
}

/* ---- the job --------------------------------------------------------------------------------- */

struct batch {
    struct app *app;
    struct files sources, targets;
    char *pattern;
    json_t *args; /* of all items */
    struct job job;
    size_t unsaid; /* items that cannot be in the file of a job */
};

static json_t *text_list(const char *path)
{
    json_t *const list = json_array();

    if (!json_array_append_new(list, json_string(path)))
        return list;
    json_decref(list);
    return NULL;
}

/* The values are shared by all items. */
static int add_item(struct batch *b, const struct batch_item *item)
{
    char *const output = batch_name(b->pattern, item);
    json_t *const target = json_string(item->target), *const out = json_string(output);
    json_t *const sources = item->source ? text_list(item->source) : NULL;
    json_t *const args = json_copy(b->args);
    int ret = RP_OK;

    if (!output) {
        ret = RP_ERR_INVALID;
    } else if (!target || !out || (item->source && !sources)) {
        app_log(RP_LOG_ERROR, "%s: a name that is not UTF-8 cannot be in the file of a job",
                item->target);
        b->unsaid++;
    } else if (json_object_set(args, "target_path", target) ||
               json_object_set(args, "output_path", out) ||
               (sources && json_object_set(args, "source_paths", sources)) ||
               !job_insert_step(b->job.json, job_step_count(b->job.json), json_incref(args))) {
        ret = RP_ERR_NOMEM;
    }
    json_decref(args);
    json_decref(sources);
    json_decref(out);
    json_decref(target);
    free(output);
    return ret;
}

/* All targets with the first source, then with the second. */
static int add_items(struct batch *b)
{
    const size_t rows = b->sources.n ? b->sources.n : 1;
    int ret = RP_OK;

    if (rows * b->targets.n > JOB_STEPS_MAX) {
        app_log(RP_LOG_ERROR,
                "%zu sources with %zu targets are more than %d items; give fewer at "
                "once",
                b->sources.n, b->targets.n, JOB_STEPS_MAX);
        return RP_ERR_LIMIT;
    }
    for (size_t i = 0; ret >= 0 && i < rows * b->targets.n; i++)
        ret = add_item(
            b, &(struct batch_item){.index = i,
                                    .source = b->sources.n ? b->sources.v[i / b->targets.n] : NULL,
                                    .target = b->targets.v[i % b->targets.n]});
    return ret;
}

/* A name that no job has; two batches may begin in one second. */
static void name_job(struct batch *b, const struct job_store *store)
{
    char stem[40];
    struct tm local;
    const time_t now = time(NULL);

    localtime_r(&now, &local);
    strftime(stem, sizeof(stem), "batch-%Y-%m-%d-%H-%M-%S", &local);
    snprintf(b->job.id, sizeof(b->job.id), "%s", stem);
    for (int i = 2; job_store_find(store, b->job.id) >= 0; i++)
        snprintf(b->job.id, sizeof(b->job.id), "%s-%d", stem, i);
}

static int queue_job(struct batch *b, struct job_store *store)
{
    int ret = job_store_lock(store);

    if (ret < 0)
        return ret;
    name_job(b, store);
    b->job.folder = JOB_QUEUED;
    ret =
        job_set_all_steps(b->job.json, JOB_QUEUED) ? job_save(&b->job, store, true) : RP_ERR_NOMEM;
    job_store_unlock(store);
    return ret;
}

static int prepare(struct batch *b)
{
    int ret;

    if ((ret = rp_options_get_text(b->app->options, "output-pattern", &b->pattern)) < 0 ||
        (ret = find_files(b->app, "source-pattern", &b->sources)) < 0 ||
        (ret = find_files(b->app, "target-pattern", &b->targets)) < 0)
        return ret;
    if (b->targets.n == 0 || !b->pattern) {
        app_log(RP_LOG_ERROR, "--%s is missing: %s",
                b->pattern ? "target-pattern" : "output-pattern",
                b->pattern ? "the pictures and videos to work on"
                           : "the files to write, such as 'out/{target_name}.jpg'");
        return RP_ERR_INVALID;
    }
    if (!(b->args = job_args_of(b->app->options)) || !(b->job.json = job_new()))
        return RP_ERR_INVALID;
    return add_items(b);
}

static int run_batch(struct batch *b, struct job_store *store)
{
    struct job_runner runner = {0};
    int ret = queue_job(b, store);

    if (ret >= 0)
        ret = job_runner_open(&runner, b->app, store);
    runner.items = true;
    runner.halt = rp_options_is_given(b->app->options, "halt-on-error");
    if (ret >= 0)
        ret = job_run(&runner, &b->job);
    const size_t failed = runner.failed + b->unsaid, all = runner.done + failed;
    if (all > 0)
        app_log(failed ? RP_LOG_ERROR : RP_LOG_INFO, "%zu item%s done, %zu failed", runner.done,
                runner.done == 1 ? "" : "s", failed);
    if (runner.failed && ret != RP_ERR_CANCELLED)
        app_log(RP_LOG_INFO, "'reprise job-retry %s' tries what is missing again", b->job.id);
    job_runner_close(&runner);
    return ret < 0 || !b->unsaid ? ret : RP_ERR_INVALID;
}

int app_batch_run(struct app *app)
{
    struct batch b = {.app = app, .job = {.fd = -1}};
    struct job_store store;
    int ret = app_open_jobs(app, &store);

    if (ret >= 0 && (ret = prepare(&b)) >= 0)
        ret = run_batch(&b, &store);
    job_close(&b.job);
    json_decref(b.args);
    rp_free(b.pattern);
    free_files(&b.sources);
    free_files(&b.targets);
    job_store_close(&store);
    return ret == RP_ERR_CANCELLED || ret >= 0 ? ret : RP_ERR_INVALID;
}
