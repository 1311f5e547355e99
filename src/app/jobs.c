/* The commands for jobs: FaceFusion's, over the same files.
 *
 * What is wrong with a job, such as a name that there is not, is a failure (exit code 1), as there;
 * wrong words are wrong usage (2). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/job_run.h"
#include "app/job_step.h"
#include "app/jobs.h"

int app_open_jobs(const struct app *app, struct job_store *store)
{
    char *path;
    int ret = rp_options_get_text(app->options, "jobs-path", &path);

    *store = (struct job_store){.dir = -1, .folders = {-1, -1, -1, -1}};
    if (ret >= 0)
        ret = job_store_open(store, path ? path : ".jobs");
    rp_free(path);
    return ret;
}

static int refuse(const char *id, const char *why)
{
    app_log(RP_LOG_ERROR, "job %s: %s", id, why);
    return RP_ERR_INVALID;
}

/* The job that the command's first word names, from `folder` or, with -1, from any. */
static int get_job(const struct app *app, struct job_store *store, int folder, unsigned how,
                   struct job *job)
{
    char id[JOB_ID_SIZE], why[64];
    int ret = job_id_of(app->args[0], id);
    const int found = ret < 0 ? -1 : job_store_find(store, id);

    *job = (struct job){.fd = -1};
    if (ret < 0)
        return ret;
    if (found < 0)
        return refuse(id, "there is no job of this name");
    snprintf(why, sizeof(why), "it is %s, not %s", job_status_names[found],
             folder < 0 ? "" : job_status_names[folder]);
    if (folder >= 0 && found != folder)
        return refuse(id, why);
    ret = job_load(job, store, id, (enum job_status) found, how);
    return ret == JOB_BUSY ? refuse(id, "another process is running it") : ret;
}

/* Open the folders, lock them, and do something. */
typedef int store_fn(const struct app *app, struct job_store *store);
static int with_store(const struct app *app, store_fn *fn)
{
    struct job_store store;
    int ret = app_open_jobs(app, &store);

    if (ret >= 0 && (ret = job_store_lock(&store)) >= 0) {
        ret = fn(app, &store);
        job_store_unlock(&store);
    }
    job_store_close(&store);
    return ret;
}

/* ---- job-list -------------------------------------------------------------------------------- */

#define COLUMNS 5
struct row {
    char cell[COLUMNS][JOB_ID_SIZE];
};

static const struct row headers = {
    {"job id", "steps", "date created", "date updated", "job status"}};

static void age_text(const json_t *date, char text[JOB_ID_SIZE])
{
    const double age = json_is_string(date) ? job_age(json_string_value(date)) : -1;
    const long long minutes = age < 0 || age > 1e15 ? 0 : (long long) age / 60;
    const long long hours = minutes / 60, days = hours / 24;

    if (age < 0)
        snprintf(text, JOB_ID_SIZE, "%s", "-");
    else if (minutes == 0)
        snprintf(text, JOB_ID_SIZE, "just now");
    else if (hours == 0)
        snprintf(text, JOB_ID_SIZE, "%lld minutes ago", minutes);
    else if (days == 0)
        snprintf(text, JOB_ID_SIZE, "%lld hours and %lld minutes ago", hours, minutes % 60);
    else
        snprintf(text, JOB_ID_SIZE, "%lld days, %lld hours and %lld minutes ago", days, hours % 24,
                 minutes % 60);
}

/* Characters of UTF-8. */
static int length_of(const char *text)
{
    int n = 0;

    for (; *text; text++)
        n += ((unsigned char) *text & 0xc0) != 0x80;
    return n;
}

static void print_line(const int width[COLUMNS])
{
    for (int c = 0; c < COLUMNS; c++) {
        putchar('+');
        for (int i = 0; i < width[c] + 2; i++)
            putchar('-');
    }
    puts("+");
}

static void print_row(const struct row *row, const int width[COLUMNS])
{
    for (int c = 0; c < COLUMNS; c++) {
        fputs("| ", stdout);
        app_print("%s", row->cell[c]);
        printf("%*s ", width[c] - length_of(row->cell[c]), "");
    }
    puts("|");
}

static void print_table(const struct row *rows, int n)
{
    int width[COLUMNS];

    for (int c = 0; c < COLUMNS; c++) {
        width[c] = length_of(headers.cell[c]);
        for (int i = 0; i < n; i++)
            if (length_of(rows[i].cell[c]) > width[c])
                width[c] = length_of(rows[i].cell[c]);
    }
    print_line(width);
    print_row(&headers, width);
    print_line(width);
    for (int i = 0; i < n; i++)
        print_row(&rows[i], width);
    print_line(width);
}

static bool fill_row(struct job_store *store, const char *id, enum job_status folder,
                     struct row *row)
{
    struct job job;

    if (job_load(&job, store, id, folder, JOB_READ) != RP_OK)
        return false; /* said why; or it has just left this folder */
    snprintf(row->cell[0], JOB_ID_SIZE, "%s", id);
    snprintf(row->cell[1], JOB_ID_SIZE, "%zu", job_step_count(job.json));
    age_text(json_object_get(job.json, "date_created"), row->cell[2]);
    age_text(json_object_get(job.json, "date_updated"), row->cell[3]);
    snprintf(row->cell[4], JOB_ID_SIZE, "%s", job_status_names[folder]);
    job_close(&job);
    return true;
}

static int list_jobs(const struct app *app, struct job_store *store)
{
    char(*ids)[JOB_ID_SIZE];
    int rows = 0;
    const enum job_status folder = (enum job_status) job_status_of(app->args[0]);
    const int n = job_list(store, folder, &ids);
    struct row *const table = n < 0 ? NULL : calloc((size_t) n + 1, sizeof(*table));

    for (int i = 0; table && i < n; i++)
        rows += fill_row(store, ids[i], folder, &table[rows]);
    if (table && rows > 0)
        print_table(table, rows);
    free(table);
    free(ids);
    if (n < 0 || !table)
        return n < 0 ? n : RP_ERR_NOMEM;
    if (rows == 0)
        app_log(RP_LOG_INFO, "there are no %s jobs", job_status_names[folder]);
    return rows ? app_flush() : RP_ERR_INVALID;
}

int app_job_list(struct app *app)
{
    const int status = job_status_of(app->args[0]);

    if (status >= 0 && status < JOB_FOLDERS)
        return with_store(app, list_jobs);
    app_log(RP_LOG_ERROR, "job-list: '%s' is none of drafted, queued, completed and failed",
            app->args[0]);
    return RP_ERR_USAGE;
}

/* ---- making and removing jobs ---------------------------------------------------------------- */

static int create(const struct app *app, struct job_store *store)
{
    struct job job = {.fd = -1, .folder = JOB_DRAFTED};
    int ret = job_id_of(app->args[0], job.id);

    if (ret >= 0 && job_store_find(store, job.id) >= 0)
        ret = refuse(job.id, "not created: there is one of this name");
    if (ret >= 0 && !(job.json = job_new()))
        ret = RP_ERR_NOMEM;
    if (ret >= 0 && (ret = job_save(&job, store, false)) >= 0)
        app_log(RP_LOG_INFO, "job %s created", job.id);
    job_close(&job);
    return ret;
}

int app_job_create(struct app *app)
{
    return with_store(app, create);
}

static int submit_job(struct job_store *store, struct job *job)
{
    int ret = RP_OK;

    if (job_step_count(job->json) == 0)
        return refuse(job->id, "not submitted: it has no steps; see 'reprise job-add-step --help'");
    if (!job_set_all_steps(job->json, JOB_QUEUED))
        return RP_ERR_NOMEM;
    if ((ret = job_save(job, store, true)) >= 0 && (ret = job_move(job, store, JOB_QUEUED)) >= 0)
        app_log(RP_LOG_INFO, "job %s submitted", job->id);
    return ret;
}

static int submit(const struct app *app, struct job_store *store)
{
    struct job job;
    int ret = get_job(app, store, JOB_DRAFTED, JOB_READ | JOB_HOLD, &job);

    if (ret >= 0)
        ret = submit_job(store, &job);
    job_close(&job);
    return ret;
}

int app_job_submit(struct app *app)
{
    return with_store(app, submit);
}

static int delete_job(struct job_store *store, struct job *job)
{
    const int ret = job_remove(job, store);

    if (ret >= 0)
        app_log(RP_LOG_INFO, "job %s deleted", job->id);
    return ret;
}

static int delete_one(const struct app *app, struct job_store *store)
{
    struct job job;
    int ret = get_job(app, store, -1, JOB_HOLD, &job);

    if (ret >= 0)
        ret = delete_job(store, &job);
    job_close(&job);
    return ret;
}

int app_job_delete(struct app *app)
{
    return with_store(app, delete_one);
}

/* ---- all jobs of a folder -------------------------------------------------------------------- */

static bool is_halting(const struct app *app)
{
    return rp_options_is_given(app->options, "halt-on-error");
}

/* Do something with each job of a folder, in the order of their age. *n grows by their number. */
typedef int job_fn(struct job_store *store, struct job *job);
static int each_job(const struct app *app, struct job_store *store, enum job_status folder,
                    unsigned how, job_fn *fn, int *n)
{
    char(*ids)[JOB_ID_SIZE];
    int first = RP_OK;
    const int count = job_list(store, folder, &ids);

    for (int i = 0; i < count && (first >= 0 || !is_halting(app)); i++) {
        struct job job;
        int ret = job_load(&job, store, ids[i], folder, how);

        ret = ret == JOB_BUSY ? refuse(ids[i], "another process is running it")
              : ret < 0       ? ret
                              : fn(store, &job);
        if (first >= 0 && ret < 0)
            first = ret;
        job_close(&job);
    }
    free(ids);
    *n += count > 0 ? count : 0;
    return count < 0 ? count : first;
}

static int say_none(const char *what)
{
    app_log(RP_LOG_ERROR, "there are no %s jobs", what);
    return RP_ERR_INVALID;
}

static int submit_all(const struct app *app, struct job_store *store)
{
    int n = 0;
    const int ret = each_job(app, store, JOB_DRAFTED, JOB_READ | JOB_HOLD, submit_job, &n);

    return ret < 0 || n ? ret : say_none("drafted");
}

int app_job_submit_all(struct app *app)
{
    return with_store(app, submit_all);
}

static int delete_all(const struct app *app, struct job_store *store)
{
    int n = 0, first = RP_OK;

    for (int i = 0; i < JOB_FOLDERS && (first >= 0 || !is_halting(app)); i++) {
        const int ret = each_job(app, store, (enum job_status) i, JOB_HOLD, delete_job, &n);

        first = first < 0 ? first : ret;
    }
    return first < 0 || n ? first : say_none("more");
}

int app_job_delete_all(struct app *app)
{
    return with_store(app, delete_all);
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* The second word: any negative number is the last step. */
static int get_index(const struct app *app, const struct job *job, size_t *index)
{
    char *end;
    const char *const word = app->args[1];
    const size_t n = job_step_count(job->json);

    errno = 0;
    const long long v = strtoll(word, &end, 10);
    if (*end || end == word || errno) {
        app_log(RP_LOG_ERROR, "%s: '%s' is not the number of a step", app->command->name, word);
        return RP_ERR_USAGE;
    }
    if (n == 0 || v >= (long long) n) {
        app_log(RP_LOG_ERROR, "job %s: there is no step %lld; it has %zu, counted from 0", job->id,
                v, n);
        return RP_ERR_INVALID;
    }
    *index = v < 0 ? n - 1 : (size_t) v;
    return RP_OK;
}

static int insert(const struct app *app, struct job_store *store, struct job *job, size_t before,
                  const char *target)
{
    json_t *const args = job_args_of(app->options);

    if (!args)
        return RP_ERR_INVALID;
    if (job_step_count(job->json) >= JOB_STEPS_MAX) {
        json_decref(args);
        return refuse(job->id, "it has as many steps as a job can have");
    }
    if (target && json_object_set_new(args, "target_path", json_string(target))) {
        json_decref(args);
        return RP_ERR_NOMEM;
    }
    return job_insert_step(job->json, before, args) ? job_save(job, store, true) : RP_ERR_NOMEM;
}

static int add_step(const struct app *app, struct job_store *store)
{
    struct job job;
    int ret = get_job(app, store, -1, JOB_READ | JOB_HOLD, &job);

    if (ret >= 0 && (ret = insert(app, store, &job, job_step_count(job.json), NULL)) >= 0)
        app_log(RP_LOG_INFO, "step added to job %s", job.id);
    job_close(&job);
    return ret;
}

int app_job_add_step(struct app *app)
{
    return with_store(app, add_step);
}

static int remix_step(const struct app *app, struct job_store *store)
{
    struct job job;
    size_t index = 0;
    int ret = get_job(app, store, -1, JOB_READ | JOB_HOLD, &job);

    if (ret >= 0)
        ret = get_index(app, &job, &index);
    char *const target = ret < 0 ? NULL : job_step_output(job.json, job.id, index);
    if (ret >= 0 && !target)
        ret = refuse(job.id, "this step has no output that another could go on with");
    if (ret >= 0 && (ret = insert(app, store, &job, job_step_count(job.json), target)) >= 0)
        app_log(RP_LOG_INFO, "step %zu remixed from job %s", index, job.id);
    free(target);
    job_close(&job);
    return ret;
}

int app_job_remix_step(struct app *app)
{
    return with_store(app, remix_step);
}

static int insert_step(const struct app *app, struct job_store *store)
{
    struct job job;
    size_t index = 0;
    int ret = get_job(app, store, -1, JOB_READ | JOB_HOLD, &job);

    if (ret >= 0 && (ret = get_index(app, &job, &index)) >= 0 &&
        (ret = insert(app, store, &job, index, NULL)) >= 0)
        app_log(RP_LOG_INFO, "step %zu inserted to job %s", index, job.id);
    job_close(&job);
    return ret;
}

int app_job_insert_step(struct app *app)
{
    return with_store(app, insert_step);
}

static int remove_step(const struct app *app, struct job_store *store)
{
    struct job job;
    size_t index = 0;
    int ret = get_job(app, store, -1, JOB_READ | JOB_HOLD, &job);

    if (ret >= 0 && (ret = get_index(app, &job, &index)) >= 0) {
        json_array_remove(job_steps(job.json), index);
        if ((ret = job_save(&job, store, true)) >= 0)
            app_log(RP_LOG_INFO, "step %zu removed from job %s", index, job.id);
    }
    job_close(&job);
    return ret;
}

int app_job_remove_step(struct app *app)
{
    return with_store(app, remove_step);
}

/* ---- running --------------------------------------------------------------------------------- */

/* All steps of a failed job are done again. */
static int queue_again(struct job_store *store, struct job *job)
{
    int ret;

    if (!job_set_all_steps(job->json, JOB_QUEUED))
        return RP_ERR_NOMEM;
    if ((ret = job_save(job, store, true)) < 0)
        return ret;
    return job_move(job, store, JOB_QUEUED);
}

static int run_held(struct job_runner *runner, struct job *job)
{
    const int ret = job_run(runner, job);

    if (ret != RP_ERR_CANCELLED)
        app_log(ret < 0 ? RP_LOG_ERROR : RP_LOG_INFO, "processing of job %s %s", job->id,
                ret < 0 ? "failed" : "succeeded");
    return ret;
}

static int run_one(struct app *app, enum job_status from)
{
    struct job_store store;
    struct job_runner runner = {0};
    struct job job = {.fd = -1};
    int ret = app_open_jobs(app, &store);

    if (ret >= 0 && (ret = job_store_lock(&store)) >= 0) {
        ret = get_job(app, &store, from, JOB_READ | JOB_HOLD, &job);
        if (ret >= 0 && from == JOB_FAILED)
            ret = queue_again(&store, &job);
        job_store_unlock(&store);
    }
    if (ret >= 0 && (ret = job_runner_open(&runner, app, &store)) >= 0)
        ret = run_held(&runner, &job);
    job_runner_close(&runner);
    job_close(&job);
    job_store_close(&store);
    return ret;
}

int app_job_run(struct app *app)
{
    return run_one(app, JOB_QUEUED);
}

int app_job_retry(struct app *app)
{
    return run_one(app, JOB_FAILED);
}

/* One of the jobs that there were when the command began; another process may be faster. */
static int run_listed(struct job_runner *runner, const char *id, enum job_status from)
{
    struct job job = {.fd = -1};
    struct job_store *const store = runner->store;
    bool mine = false;
    int ret = job_store_lock(store);

    if (ret < 0)
        return ret;
    if (job_store_find(store, id) == (int) from) {
        ret = job_load(&job, store, id, from, JOB_READ | JOB_HOLD);
        mine = ret == RP_OK;
        if (mine && from == JOB_FAILED)
            ret = queue_again(store, &job);
    }
    job_store_unlock(store);
    if (ret >= 0 && !mine)
        app_log(RP_LOG_INFO, "job %s: another process is running it", id);
    else if (ret >= 0)
        ret = run_held(runner, &job);
    job_close(&job);
    return ret < 0 ? ret : RP_OK;
}

static int run_all(struct app *app, enum job_status from)
{
    struct job_store store;
    struct job_runner runner = {0};
    char(*ids)[JOB_ID_SIZE] = NULL;
    int n = 0, ret = app_open_jobs(app, &store), first = RP_OK;

    if (ret >= 0 && (ret = n = job_list(&store, from, &ids)) == 0)
        ret = say_none(job_status_names[from]);
    if (ret >= 0)
        ret = job_runner_open(&runner, app, &store);
    for (int i = 0; ret >= 0 && i < n; i++) {
        const int one = run_listed(&runner, ids[i], from);

        first = first < 0 ? first : one;
        if (one == RP_ERR_CANCELLED || (one < 0 && is_halting(app)))
            ret = one;
    }
    if (n > 0 && ret != RP_ERR_CANCELLED)
        app_log(first < 0 ? RP_LOG_ERROR : RP_LOG_INFO, "processing of all jobs %s",
                first < 0 ? "failed" : "succeeded");
    job_runner_close(&runner);
    free(ids);
    job_store_close(&store);
    return ret < 0 ? ret : first;
}

int app_job_run_all(struct app *app)
{
    return run_all(app, JOB_QUEUED);
}

int app_job_retry_all(struct app *app)
{
    return run_all(app, JOB_FAILED);
}
