/* Jobs: a queue on the disk, one JSON file each, worked off one after the other.
 *
 * A server that was killed finds its jobs again. One that was running then is the first of the
 * queue, and the library goes on with it where its pieces end. */
#include "web/server.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum state { QUEUED, RUNNING, DONE, FAILED, CANCELLED, STATES };
static const char *const state_names[STATES] = {"queued", "running", "done", "failed", "cancelled"};

enum { JOB_ID = 16, MOST = 1000 };

struct job {
    char id[JOB_ID + 1], name[WEB_NAME], file[WEB_NAME], extension[8];
    enum state state;
    json_t *wish;
    int64_t order;                   /* the smallest is next */
    int64_t created, started, ended; /* seconds since 1970 */
    rp_progress progress;
    int64_t bytes;
    char message[512];
    char code[32];
    bool cancel; /* wanted */
    json_t *report;
    struct job *next;
};

struct web_queue {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct job *first;
    struct job *running;
    rp_job *work;   /* of `running`, once it is there */
    json_t *report; /* of the last job that ended here */
    int64_t frames; /* of all jobs since the start */
    int64_t bytes;  /* of results */
    int n;
    bool ending, started;
    pthread_t thread;
};

/* ---- files ---- */

static void job_path(const struct web_server *s, const struct job *j, char out[WEB_PATH])
{
    web_path(s, out, "jobs/%s.json", j->id);
}

static void result_path(const struct web_server *s, const struct job *j, char out[WEB_PATH])
{
    web_path(s, out, "results/%s/result.%s", j->id, j->extension);
}

static int save(struct web_server *s, const struct job *j)
{
    char path[WEB_PATH];
    json_t *const json = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:O, s:s, s:s, s:I, s:I}", "id", j->id,
        "name", j->name, "file", j->file, "extension", j->extension, "state", state_names[j->state],
        "order", (json_int_t) j->order, "created", (json_int_t) j->created, "started",
        (json_int_t) j->started, "ended", (json_int_t) j->ended, "wish", j->wish, "message",
        j->message, "code", j->code, "frames", (json_int_t) j->progress.frames_done, "total",
        (json_int_t) j->progress.frames_total);

    job_path(s, j, path);
    const int ret = web_save_json(s, path, json);
    json_decref(json);
    return ret;
}

static void ignore(void *priv, const rp_leftover *leftover)
{
    (void) priv, (void) leftover;
}

/* The result, and the pieces of one that did not become complete. */
static void remove_result(struct web_server *s, const struct job *j)
{
    char path[WEB_PATH];

    result_path(s, j, path);
    (void) unlink(path);
    *strrchr(path, '/') = '\0';
    if (access(path, F_OK) != 0)
        return;
    (void) rp_clean(path, true, ignore, NULL);
    (void) rmdir(path);
}

static void remove_files(struct web_server *s, const struct job *j)
{
    char path[WEB_PATH];
    const size_t n = json_array_size(json_object_get(j->wish, "map"));

    job_path(s, j, path);
    (void) unlink(path);
    for (size_t i = 0; i < n; i++) {
        web_path(s, path, "jobs/%s-%zu.jpg", j->id, i);
        (void) unlink(path);
    }
    remove_result(s, j);
}

static void free_job(struct job *j)
{
    json_decref(j->wish);
    json_decref(j->report);
    free(j);
}

/* ---- as JSON ---- */

/* How many queued ones come before it. */
static int position(const struct web_queue *q, const struct job *j)
{
    int n = 0;

    for (const struct job *o = q->first; o; o = o->next)
        n += o->state == QUEUED && o->order < j->order;
    return n;
}

static json_t *result_json(const struct job *j)
{
    return json_pack("{s:I, s:s, s:s}", "bytes", (json_int_t) j->bytes, "type",
                     web_media_type(j->extension), "name", j->file);
}

static json_t *to_json(const struct web_queue *q, const struct job *j)
{
    const rp_progress *const p = &j->progress;
    const double part = j->state == DONE       ? 1
                        : p->frames_total <= 0 ? 0
                                               : (double) p->frames_done / (double) p->frames_total;
    json_t *const json =
        json_pack("{s:s, s:s, s:s, s:f, s:I, s:I, s:f, s:s}", "id", j->id, "name", j->name, "state",
                  state_names[j->state], "progress", part < 1 ? part : 1.0, "frames",
                  (json_int_t) p->frames_done, "total", (json_int_t) p->frames_total, "fps", p->fps,
                  "message", j->message);

    if (!json)
        return NULL;
    json_object_set_new(json, "position",
                        j->state == QUEUED ? json_integer(position(q, j)) : json_null());
    json_object_set_new(json, "seconds_left",
                        j->state == RUNNING && p->fps > 0 && p->frames_total > 0
                            ? json_real((double) (p->frames_total - p->frames_done) / p->fps)
                            : json_null());
    json_object_set_new(json, "code", *j->code ? json_string(j->code) : json_null());
    json_object_set_new(json, "created", web_time(j->created));
    json_object_set_new(json, "started", web_time(j->started));
    json_object_set_new(json, "ended", web_time(j->ended));
    json_object_set_new(json, "expires", j->ended ? web_time(j->ended + WEB_KEPT) : json_null());
    json_object_set_new(json, "result", j->state == DONE ? result_json(j) : json_null());
    json_object_update_missing(json, j->wish);
    return json;
}

/* With the lock: events come in the order of what happened. */
static void tell(struct web_server *s, const struct job *j)
{
    web_events_put(s, "job", to_json(s->queue, j));
}

static struct job *find(const struct web_queue *q, const char *id)
{
    struct job *j = q->first;

    while (j && strcmp(j->id, id) != 0)
        j = j->next;
    return j;
}

/* ---- loading ---- */

static void copy_text(char *out, size_t size, const json_t *json, const char *key)
{
    const char *const text = json_string_value(json_object_get(json, key));

    snprintf(out, size, "%s", text ? text : "");
}

static int64_t whole(const json_t *json, const char *key)
{
    return json_integer_value(json_object_get(json, key));
}

static struct job *read_job(const json_t *json, const char *id)
{
    struct job *const j = calloc(1, sizeof(*j));
    const char *const state = json_string_value(json_object_get(json, "state"));
    json_t *const wish = json_object_get(json, "wish");

    if (!j || !state || !json_is_object(wish)) {
        free(j);
        return NULL;
    }
    snprintf(j->id, sizeof(j->id), "%.*s", JOB_ID, id);
    copy_text(j->name, sizeof(j->name), json, "name");
    copy_text(j->file, sizeof(j->file), json, "file");
    copy_text(j->extension, sizeof(j->extension), json, "extension");
    copy_text(j->message, sizeof(j->message), json, "message");
    copy_text(j->code, sizeof(j->code), json, "code");
    j->order = whole(json, "order");
    j->created = whole(json, "created");
    j->started = whole(json, "started");
    j->ended = whole(json, "ended");
    j->progress.frames_done = whole(json, "frames");
    j->progress.frames_total = whole(json, "total");
    j->state = FAILED;
    for (int i = 0; i < STATES; i++)
        if (!strcmp(state, state_names[i]))
            j->state = (enum state) i;
    j->wish = json_incref(wish);
    return j;
}

/* The name of a result appears only when it is complete: then a running job was done. */
static void mend(struct web_server *s, struct job *j)
{
    char path[WEB_PATH];

    result_path(s, j, path);
    j->bytes = web_file_bytes(path);
    if (j->state == RUNNING && j->bytes) {
        j->state = DONE;
        j->ended = time(NULL);
        (void) save(s, j);
    } else if (j->state == RUNNING) {
        j->state = QUEUED;
        j->order = INT64_MIN / 2;
    } else if (j->state == DONE && !j->bytes) {
        j->state = FAILED;
        snprintf(j->message, sizeof(j->message), "The result is gone");
    }
    if (j->state == DONE)
        s->queue->bytes += j->bytes;
}

static void load(struct web_server *s, const char *file)
{
    char path[WEB_PATH];

    if (strspn(file, "0123456789abcdef") != JOB_ID || strcmp(file + JOB_ID, ".json") != 0)
        return;
    web_path(s, path, "jobs/%s", file);
    json_t *const json = web_load_json(path);
    struct job *const j = json ? read_job(json, file) : NULL;
    json_decref(json);
    if (!j) {
        rp_log(RP_LOG_WARN, "%s: not a job of this program; it is left alone", path);
        return;
    }
    if (strspn(j->extension, "abcdefghijklmnopqrstuvwxyz0123456789") != strlen(j->extension)) {
        free_job(j);
        return;
    }
    mend(s, j);
    j->next = s->queue->first;
    s->queue->first = j;
    s->queue->n++;
}

/* ---- working ---- */

static void on_progress(void *priv, const rp_progress *progress)
{
    struct web_server *const s = priv;
    struct web_queue *const q = s->queue;

    pthread_mutex_lock(&q->lock);
    if (q->running) {
        q->running->progress = *progress;
        tell(s, q->running);
    }
    pthread_mutex_unlock(&q->lock);
}

static json_t *report_json(const struct job *j, const rp_report *report)
{
    json_t *const stages = json_array();

    for (int i = 0; i < RP_STAGE_COUNT; i++)
        json_array_append_new(stages,
                              json_pack("{s:s, s:f, s:f}", "name", rp_stage_name((enum rp_stage) i),
                                        "own_seconds", report->own_seconds[i], "model_seconds",
                                        report->model_seconds[i]));
    return json_pack("{s:s, s:s, s:I, s:f, s:i, s:I, s:o}", "job", j->id, "name", j->name, "frames",
                     (json_int_t) report->progress.frames_done, "seconds", report->progress.seconds,
                     "slots", report->slots, "content_checked",
                     (json_int_t) report->content_checked, "stages", stages);
}

/* From now on it can be cancelled. False: it is to end already. */
static bool publish(struct web_queue *q, const struct job *j, rp_job *work)
{
    pthread_mutex_lock(&q->lock);
    const bool go = !j->cancel && !q->ending;
    q->work = work;
    pthread_mutex_unlock(&q->lock);
    return go;
}

static void take_report(struct web_server *s, struct job *j, const rp_job *work)
{
    rp_report report = {0};

    rp_job_report(work, &report);
    pthread_mutex_lock(&s->queue->lock);
    s->queue->work = NULL;
    s->queue->frames += report.progress.frames_done;
    json_decref(s->queue->report);
    s->queue->report = report_json(j, &report);
    pthread_mutex_unlock(&s->queue->lock);
}

static int run(struct web_server *s, struct job *j)
{
    char path[WEB_PATH];
    rp_options *options = NULL;
    rp_job *work = NULL;
    int ret;

    web_path(s, path, "jobs/%s", j->id);
    ret = web_wish_options(s, j->wish, path, &options);
    result_path(s, j, path);
    *strrchr(path, '/') = '\0';
    if (ret >= 0 && mkdir(path, 0700) != 0 && errno != EEXIST)
        ret = RP_ERR_AGAIN;
    result_path(s, j, path);
    if (ret >= 0 && (ret = rp_options_set(options, "output-path", path)) >= 0)
        ret = rp_job_create(&work, s->runtime, options);
    if (ret >= 0)
        ret = publish(s->queue, j, work) ? rp_job_run(work, on_progress, s) : RP_ERR_CANCELLED;
    if (work)
        take_report(s, j, work);
    rp_job_destroy(&work);
    rp_options_destroy(&options);
    return ret;
}

/* With the lock. A job that ends because the server does stays in the queue. */
static void finish(struct web_server *s, struct job *j, int ret, const char *text)
{
    struct web_queue *const q = s->queue;
    char path[WEB_PATH];

    q->running = NULL;
    j->message[0] = j->code[0] = '\0';
    if (ret == RP_ERR_CANCELLED && q->ending && !j->cancel) {
        j->state = QUEUED;
        j->order = INT64_MIN / 2;
        (void) save(s, j);
        return;
    }
    j->ended = time(NULL);
    j->state = ret >= 0 ? DONE : ret == RP_ERR_CANCELLED ? CANCELLED : FAILED;
    if (ret < 0) {
        snprintf(j->code, sizeof(j->code), "%s", web_failure_code(ret));
        snprintf(j->message, sizeof(j->message), "%s", text);
    }
    if (j->state == DONE) {
        result_path(s, j, path);
        j->bytes = web_file_bytes(path);
        q->bytes += j->bytes;
    } else {
        remove_result(s, j);
    }
    (void) save(s, j);
    tell(s, j);
}

static struct job *next_job(struct web_queue *q)
{
    struct job *next = NULL;

    for (struct job *j = q->first; j; j = j->next)
        if (j->state == QUEUED && (!next || j->order < next->order))
            next = j;
    return next;
}

/* With the lock, which is given up meanwhile. Opens models, so only when nothing waits for it. */
static void add_plan(struct web_server *s, const struct job *j)
{
    struct web_queue *const q = s->queue;
    json_t *const report = q->report;
    char path[WEB_PATH];

    if (j->state != DONE || !report || q->ending || next_job(q))
        return;
    json_t *const wish = json_incref(j->wish), *const plan = json_object();
    web_path(s, path, "jobs/%s", j->id); /* the job itself may go now */
    pthread_mutex_unlock(&q->lock);
    web_plan_add(s, wish, path, plan);
    json_decref(wish);
    pthread_mutex_lock(&q->lock);
    json_object_update(report, plan); /* only this thread replaces it */
    json_decref(plan);
}

static void *work(void *priv)
{
    struct web_server *const s = priv;
    struct web_queue *const q = s->queue;
    char text[512];

    (void) pthread_setname_np(pthread_self(), "web-queue"); /* so are the threads of its jobs called */
    pthread_mutex_lock(&q->lock);
    while (!q->ending) {
        struct job *const j = next_job(q);

        if (!j) {
            pthread_cond_wait(&q->more, &q->lock);
            continue;
        }
        j->state = RUNNING;
        j->started = time(NULL);
        j->progress = (rp_progress){0};
        q->running = j;
        (void) save(s, j);
        tell(s, j);
        pthread_mutex_unlock(&q->lock);
        const int ret = run(s, j);
        web_failure_text(s, ret, text, sizeof(text));
        pthread_mutex_lock(&q->lock);
        finish(s, j, ret, text);
        add_plan(s, j);
    }
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

/* ---- for files further down ---- */

static bool uses(struct web_server *s, const char *media_id)
{
    bool found = false;

    pthread_mutex_lock(&s->queue->lock);
    for (const struct job *j = s->queue->first; j && !found; j = j->next)
        found = (j->state == QUEUED || j->state == RUNNING) && web_wish_uses(j->wish, media_id);
    pthread_mutex_unlock(&s->queue->lock);
    return found;
}

int64_t web_queue_bytes(struct web_server *s)
{
    pthread_mutex_lock(&s->queue->lock);
    const int64_t bytes = s->queue->bytes;
    pthread_mutex_unlock(&s->queue->lock);
    return bytes;
}

static json_t *list_all(struct web_server *s)
{
    json_t *const list = json_array();

    pthread_mutex_lock(&s->queue->lock);
    for (const struct job *j = s->queue->first; j; j = j->next)
        json_array_append_new(list, to_json(s->queue, j));
    pthread_mutex_unlock(&s->queue->lock);
    return list;
}

/* ---- life ---- */

int web_queue_create(struct web_server *s)
{
    struct web_queue *const q = s->queue = calloc(1, sizeof(*q));

    if (!q)
        return RP_ERR_NOMEM;
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->more, NULL);
    s->hooks.uses = uses;
    s->hooks.result_bytes = web_queue_bytes;
    s->hooks.jobs = list_all;
    web_each_file(s, "jobs", load);
    q->started = pthread_create(&q->thread, NULL, work, s) == 0;
    return q->started ? 0 : RP_ERR_NOMEM;
}

void web_queue_destroy(struct web_server *s)
{
    struct web_queue *const q = s->queue;

    if (!q)
        return;
    pthread_mutex_lock(&q->lock);
    q->ending = true;
    if (q->work)
        rp_job_cancel(q->work);
    pthread_cond_broadcast(&q->more);
    pthread_mutex_unlock(&q->lock);
    if (q->started)
        pthread_join(q->thread, NULL);
    for (struct job *j = q->first, *next; j; j = next) {
        next = j->next;
        free_job(j);
    }
    json_decref(q->report);
    pthread_cond_destroy(&q->more);
    pthread_mutex_destroy(&q->lock);
    free(q);
    s->queue = NULL;
}

/* ---- for others ---- */

/* With the lock; the job is no longer in the list after it. */
static void take_out(struct web_server *s, struct job *j)
{
    struct web_queue *const q = s->queue;

    for (struct job **at = &q->first; *at; at = &(*at)->next)
        if (*at == j) {
            *at = j->next;
            break;
        }
    q->n--;
    if (j->state == DONE)
        q->bytes -= j->bytes;
    remove_files(s, j);
    web_events_put(s, "job", json_pack("{s:s, s:s}", "id", j->id, "state", "deleted"));
    free_job(j);
}

void web_queue_tick(struct web_server *s)
{
    const int64_t now = time(NULL);

    pthread_mutex_lock(&s->queue->lock);
    for (struct job *j = s->queue->first, *next; j; j = next) {
        next = j->next;
        if (j->state >= DONE && j->ended + WEB_KEPT < now)
            take_out(s, j);
    }
    pthread_mutex_unlock(&s->queue->lock);
}

json_t *web_queue_engine(struct web_server *s)
{
    struct web_queue *const q = s->queue;

    pthread_mutex_lock(&q->lock);
    json_t *const json =
        json_pack("{s:f, s:o, s:o}", "fps", q->running ? q->running->progress.fps : 0.0, "running",
                  q->running ? to_json(q, q->running) : json_null(), "last",
                  q->report ? json_incref(q->report) : json_null());
    pthread_mutex_unlock(&q->lock);
    return json;
}

void web_queue_counts(struct web_server *s, int64_t counts[5], int64_t *frames)
{
    pthread_mutex_lock(&s->queue->lock);
    memset(counts, 0, 5 * sizeof(*counts));
    for (const struct job *j = s->queue->first; j; j = j->next)
        counts[j->state]++;
    *frames = s->queue->frames + (s->queue->running ? s->queue->running->progress.frames_done : 0);
    pthread_mutex_unlock(&s->queue->lock);
}

/* ---- requests ---- */

/* What the result is called: as the target, in a container that it may have. */
static void name_result(struct job *j, const struct web_medium *target)
{
    static const char *const images[] = {"jpg", "jpeg", "png", "webp", "bmp", "tiff", "tif", NULL};
    static const char *const videos[] = {"mp4", "mov", "mkv", "webm", "avi", "m4v", "gif", NULL};
    const bool image = !strcmp(target->kind, "image");
    const char *const *known = image ? images : videos;
    const char *const dot = strrchr(target->name, '.');
    const int n = dot ? (int) (dot - target->name) : (int) strlen(target->name);

    while (*known && strcasecmp(*known, target->extension) != 0)
        known++;
    snprintf(j->extension, sizeof(j->extension), "%s", *known ? *known : image ? "png" : "mp4");
    char text[WEB_NAME];
    snprintf(text, sizeof(text), "%.*s-reprise.%s", n < 200 ? n : 200, target->name, j->extension);
    rp_text_clean(RP_TEXT_UTF8, text, j->file, sizeof(j->file));
}

static struct job *make_job(struct web_request *r)
{
    struct job *const j = calloc(1, sizeof(*j));
    static const char *const names[] = {"sources", "target", "options", "map"};
    const char *const name = json_string_value(json_object_get(r->json, "name"));
    struct web_medium target;

    if (!j || !web_store_find(r->server, json_string_value(json_object_get(r->json, "target")),
                              &target)) {
        free(j);
        return NULL;
    }
    web_random_name(j->id, JOB_ID);
    rp_text_clean(RP_TEXT_UTF8, name && *name ? name : target.name, j->name, sizeof(j->name));
    name_result(j, &target);
    j->wish = json_object();
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        json_object_set(j->wish, names[i], json_object_get(r->json, names[i]));
    j->created = time(NULL);
    return j;
}

/* In the queue when it is on the disk. */
static int add(struct web_server *s, struct job *j)
{
    struct web_queue *const q = s->queue;
    int64_t last = 0;

    pthread_mutex_lock(&q->lock);
    for (const struct job *o = q->first; o; o = o->next)
        if (o->state == QUEUED && o->order > last)
            last = o->order;
    j->order = last + 1;
    const int ret = save(s, j);
    if (ret >= 0) {
        j->next = q->first;
        q->first = j;
        q->n++;
        tell(s, j);
        pthread_cond_signal(&q->more);
    }
    pthread_mutex_unlock(&q->lock);
    return ret;
}

static void answer_job(struct web_request *r, unsigned status, const char *id)
{
    struct web_queue *const q = r->server->queue;

    pthread_mutex_lock(&q->lock);
    const struct job *const j = find(q, id);
    json_t *const json = j ? to_json(q, j) : NULL;
    pthread_mutex_unlock(&q->lock);
    if (json)
        web_answer_json(r, status, json);
    else
        web_refuse(r, 404, "no_job", "There is no job of this id");
}

/* On the desk: faces of the map may have to be found. */
static void take_in(struct web_request *r)
{
    struct web_server *const s = r->server;
    rp_options *options = NULL;
    char path[WEB_PATH], id[JOB_ID + 1], location[64];
    struct job *const j = make_job(r);

    if (!j) {
        web_fail(r, RP_ERR_NOMEM);
        return;
    }
    web_path(s, path, "jobs/%s", j->id);
    int ret = web_wish_options(s, j->wish, path, &options);
    rp_options_destroy(&options);
    memcpy(id, j->id, sizeof(id));
    if (ret >= 0)
        ret = add(s, j);
    if (ret < 0) {
        remove_files(s, j);
        free_job(j);
        web_fail(r, ret);
        return;
    }
    answer_job(r, 202, id);
    snprintf(location, sizeof(location), "/v1/jobs/%s", id);
    web_header(r, "Location", location);
}

void web_post_job(struct web_request *r)
{
    if (!web_wish_check(r))
        return;
    pthread_mutex_lock(&r->server->queue->lock);
    const bool full = r->server->queue->n >= MOST;
    pthread_mutex_unlock(&r->server->queue->lock);
    if (full)
        web_refuse(r, 429, "queue_full", "There are %d jobs already; delete some", MOST);
    else
        r->work = take_in;
}

struct place {
    const struct job *job;
};

static int by_creation(const void *a, const void *b)
{
    const struct job *const x = ((const struct place *) a)->job, *const y =
                                                                     ((const struct place *) b)
                                                                         ->job;

    if (x->created != y->created)
        return x->created < y->created ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

void web_get_jobs(struct web_request *r)
{
    struct web_queue *const q = r->server->queue;
    json_t *const list = json_array();
    int n = 0;

    pthread_mutex_lock(&q->lock);
    struct place *const places = calloc((size_t) q->n + 1, sizeof(*places));
    for (const struct job *j = q->first; places && j && n < q->n; j = j->next)
        places[n++].job = j;
    if (places)
        qsort(places, (size_t) n, sizeof(*places), by_creation);
    for (int i = 0; i < n; i++)
        json_array_append_new(list, to_json(q, places[i].job));
    free(places);
    pthread_mutex_unlock(&q->lock);
    web_answer_json(r, 200, json_pack("{s:o}", "jobs", list));
}

void web_get_job(struct web_request *r)
{
    answer_job(r, 200, r->part[0]);
}

void web_cancel_job(struct web_request *r)
{
    struct web_queue *const q = r->server->queue;

    pthread_mutex_lock(&q->lock);
    struct job *const j = find(q, r->part[0]);
    if (j && j->state == QUEUED) {
        j->state = CANCELLED;
        j->ended = time(NULL);
        remove_result(r->server, j);
        (void) save(r->server, j);
        tell(r->server, j);
    } else if (j && j->state == RUNNING) {
        j->cancel = true;
        if (q->work)
            rp_job_cancel(q->work);
    }
    const bool ended = j && j->state >= DONE && j->state != CANCELLED;
    pthread_mutex_unlock(&q->lock);
    if (ended)
        web_refuse(r, 409, "has_ended", "The job has ended already");
    else
        answer_job(r, 202, r->part[0]);
}

/* Numbers the queued ones anew, with this one at its place. */
static void move(struct web_server *s, struct job *j, int64_t place)
{
    struct web_queue *const q = s->queue;
    int64_t order = 1, at = 0;

    j->state = CANCELLED; /* not in line for now */
    for (struct job *o; (o = next_job(q)); at++) {
        if (at == place)
            j->order = order++;
        o->order = order++;
        o->state = RUNNING; /* seen */
    }
    if (at <= place)
        j->order = order;
    for (struct job *o = q->first; o; o = o->next)
        if (o == j || (o->state == RUNNING && o != q->running)) {
            o->state = QUEUED;
            (void) save(s, o);
        }
    for (const struct job *o = q->first; o; o = o->next)
        if (o->state == QUEUED)
            tell(s, o);
}

void web_move_job(struct web_request *r)
{
    struct web_queue *const q = r->server->queue;
    const json_t *const place = json_object_get(r->json, "position");

    if (!json_is_integer(place) || json_integer_value(place) < 0) {
        web_refuse(r, 422, "wrong_value", "The position is not a whole number from 0");
        return;
    }
    pthread_mutex_lock(&q->lock);
    struct job *const j = find(q, r->part[0]);
    const bool can = j && j->state == QUEUED;
    if (can)
        move(r->server, j, json_integer_value(place));
    pthread_mutex_unlock(&q->lock);
    if (j && !can)
        web_refuse(r, 409, "not_queued", "Only a job that waits can be moved");
    else
        answer_job(r, 200, r->part[0]);
}

void web_delete_job(struct web_request *r)
{
    struct web_queue *const q = r->server->queue;

    pthread_mutex_lock(&q->lock);
    struct job *const j = find(q, r->part[0]);
    const bool running = j && j->state == RUNNING;
    if (j && !running)
        take_out(r->server, j);
    pthread_mutex_unlock(&q->lock);
    if (!j)
        web_refuse(r, 404, "no_job", "There is no job of this id");
    else if (running)
        web_refuse(r, 409, "is_running", "The job is running; cancel it first");
    else
        web_answer_nothing(r);
}

void web_get_result(struct web_request *r)
{
    struct web_queue *const q = r->server->queue;
    char path[WEB_PATH] = "", name[WEB_NAME] = "";
    const char *type = "";

    pthread_mutex_lock(&q->lock);
    const struct job *const j = find(q, r->part[0]);
    if (j && j->state == DONE) {
        result_path(r->server, j, path);
        memcpy(name, j->file, sizeof(name));
        type = web_media_type(j->extension);
    }
    pthread_mutex_unlock(&q->lock);
    if (*path)
        web_answer_file(r, path, type, name);
    else
        web_refuse(r, j ? 409 : 404, j ? "not_done" : "no_job",
                   j ? "The job has no result" : "There is no job of this id");
}
