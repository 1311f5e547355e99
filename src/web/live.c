/* Live view: a video in real time, or a camera that the command line has named, through a pipeline to
 * pictures that a browser shows as they come (multipart/x-mixed-replace).
 *
 * A session has a thread, which takes the newest frame when it is done with the one before; each
 * viewer gets the newest picture when it has taken the one before. So nobody falls behind, and what
 * is late is lost. Each picture has passed the content check before it gets here.
 *
 * A session goes when its thread, its viewers and the list have let it go. */
#include "web/server.h"

#include <stdlib.h>
#include <time.h>

enum { LIVES = 2, VIEWERS = 16, QUALITY = 85, SESSION_ID = 16 };
enum { ALONE = 30, REMEMBERED = 600 }; /* seconds without a viewer; and after the end */

#define BOUNDARY "reprise-frame"

enum state { OPENING, RUNNING, ENDED, FAILED };
static const char *const state_names[] = {"opening", "running", "ended", "failed"};

/* A part of the stream as it is sent, with the line that ends it. */
struct picture {
    int users;
    size_t size;
    char bytes[];
};

struct viewer {
    struct web_server *server;
    struct MHD_Connection *connection;
    struct session *session;
    struct picture *sending;
    size_t at;
    int64_t seen; /* number of the picture that was taken last */
    bool waits;   /* the connection is suspended */
    struct viewer *after;
};

struct session {
    char id[SESSION_ID + 1];
    int users;
    struct web_server *server;
    json_t *wish;
    bool stop;
    rp_live *source; /* of the thread; others stop it */
    enum state state;
    char code[32], message[512];
    struct picture *newest;
    int64_t made, lost;
    int w, h;
    double latency, interval; /* seconds, of late */
    double last;              /* when the newest picture was made */
    struct viewer *viewers;
    int n_viewers;
    time_t since; /* without a viewer, or at its end */
    struct session *next;
};

struct web_live {
    pthread_mutex_t lock;
    pthread_cond_t more; /* a viewer has come, a session is to stop, a thread has ended */
    struct session *first;
    int threads;
    bool ending;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

/* ---- what is shared, all with the lock ------------------------------------------------------- */

static void drop_picture(struct picture **picture)
{
    if (*picture && --(*picture)->users == 0)
        free(*picture);
    *picture = NULL;
}

static void let_go(struct session *s)
{
    if (--s->users)
        return;
    drop_picture(&s->newest);
    json_decref(s->wish);
    free(s);
}

static void wake_viewers(struct session *s)
{
    for (struct viewer *v = s->viewers; v; v = v->after)
        if (v->waits) {
            v->waits = false;
            MHD_resume_connection(v->connection);
        }
}

static void stop_session(struct web_live *l, struct session *s)
{
    s->stop = true;
    if (s->source)
        rp_live_stop(s->source);
    pthread_cond_broadcast(&l->more);
}

static struct session *find(const struct web_live *l, const char *id)
{
    struct session *s = l->first;

    while (s && strcmp(s->id, id) != 0)
        s = s->next;
    return s;
}

static void take_out(struct web_live *l, struct session *s)
{
    struct session **at = &l->first;

    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    stop_session(l, s);
    let_go(s);
}

static json_t *to_json(const struct session *s)
{
    json_t *const json = json_pack(
        "{s:s, s:s, s:s?, s:s, s:i, s:i, s:f, s:f, s:I, s:I, s:i, s:s, s:O*, s:O*}", "id", s->id,
        "state", state_names[s->state], "code", *s->code ? s->code : NULL, "message", s->message,
        "width", s->w, "height", s->h, "fps", s->interval > 0 ? 1 / s->interval : 0.0,
        "latency_ms", 1e3 * s->latency, "frames", (json_int_t) s->made, "lost",
        (json_int_t) s->lost, "viewers", s->n_viewers, "boundary", BOUNDARY, "target",
        json_object_get(s->wish, "target"), "input", json_object_get(s->wish, "input"));

    return json;
}

/* ---- the thread of a session ----------------------------------------------------------------- */

/* Name and address of a camera of the command line: "NAME=ADDRESS". */
static const char *camera_address(const struct web_server *s, const char *name)
{
    const size_t n = strlen(name);

    for (int i = 0; i < s->params->n_cameras; i++)
        if (!strncmp(s->params->cameras[i], name, n) && s->params->cameras[i][n] == '=')
            return s->params->cameras[i] + n + 1;
    return NULL;
}

static int open_source(struct session *s, rp_live **out)
{
    const char *const camera = json_string_value(json_object_get(s->wish, "input"));
    const char *const target = json_string_value(json_object_get(s->wish, "target"));
    struct web_medium m;
    char path[WEB_PATH];
    rp_live_params params = {
        .repeat = json_is_true(json_object_get(s->wish, "repeat")),
        .width = (int) json_integer_value(json_object_get(s->wish, "width"))};

    if (camera) {
        params.source = camera_address(s->server, camera);
        params.name = camera;
    } else if (target && web_store_find(s->server, target, &m)) {
        web_store_path(s->server, &m, path);
        params.source = path;
    }
    return params.source ? rp_live_open(out, &params) : WEB_GONE;
}

/* Who is to be seen cannot be told from the first frame that happens to come, as from a job's: unless
 * the client says otherwise, all are. */
static int select_all(const struct session *s, rp_options *options)
{
    if (json_object_get(s->wish, "map") || rp_options_is_given(options, "face-selector-mode") ||
        rp_options_is_given(options, "reference-face-paths"))
        return 0;
    return rp_options_set(options, "face-selector-mode", "many");
}

static int open_session(struct session *s, rp_pipeline **pipeline)
{
    struct web_live *const l = s->server->live;
    rp_options *options = NULL;
    rp_live *source = NULL;
    int ret = web_wish_options(s->server, s->wish, NULL, &options);

    if (ret >= 0 && (ret = select_all(s, options)) >= 0)
        ret = rp_pipeline_create(pipeline, s->server->runtime, options);
    rp_options_destroy(&options);
    if (ret >= 0)
        ret = open_source(s, &source);
    pthread_mutex_lock(&l->lock);
    s->source = source;
    if (s->stop && source)
        rp_live_stop(source);
    pthread_mutex_unlock(&l->lock);
    return ret;
}

/* The stream has begun with a boundary, and each part ends with the next: so a browser that waits for
 * it shows the part at once. NULL: no memory. */
static struct picture *make_part(const char *type, const uint8_t *data, size_t size, double latency)
{
    char head[256];
    static const char end[] = "\r\n--" BOUNDARY "\r\n";
    const int n = snprintf(head, sizeof(head),
                           "Content-Type: %s\r\nContent-Length: %zu\r\nX-Latency-Ms: %.1f\r\n\r\n",
                           type, size, 1e3 * latency);
    struct picture *const p = malloc(sizeof(*p) + (size_t) n + size + sizeof(end));

    if (!p)
        return NULL;
    p->users = 1;
    memcpy(p->bytes, head, (size_t) n);
    memcpy(p->bytes + n, data, size);
    memcpy(p->bytes + (size_t) n + size, end, sizeof(end) - 1);
    p->size = (size_t) n + size + sizeof(end) - 1;
    return p;
}

/* Nine parts of what was, one of what is. */
static double blend(double was, double is)
{
    return was > 0 ? 0.9 * was + 0.1 * is : is;
}

static void publish(struct session *s, struct picture *part, const rp_image *image,
                    const rp_live_frame *frame, double latency)
{
    struct web_live *const l = s->server->live;
    const double at = now();

    pthread_mutex_lock(&l->lock);
    drop_picture(&s->newest);
    s->newest = part;
    s->made++;
    s->lost = frame->lost;
    s->w = image->w;
    s->h = image->h;
    s->latency = blend(s->latency, latency);
    if (s->last > 0)
        s->interval = blend(s->interval, at - s->last);
    s->last = at;
    s->state = RUNNING;
    wake_viewers(s);
    pthread_mutex_unlock(&l->lock);
}

/* @return 1; 0 at the end of the source */
static int one_frame(struct session *s, rp_pipeline *pipeline)
{
    rp_image image = {0};
    rp_live_frame frame = {0};
    uint8_t *data = NULL;
    size_t size = 0;
    int ret = rp_live_next(s->source, &image, &frame);
    const double came = now() - frame.age;

    if (ret <= 0)
        return ret;
    ret = rp_pipeline_process(pipeline, &image);
    const bool alpha = image.format == RP_PIXEL_BGRA;
    if (ret >= 0)
        ret = rp_image_encode(&image, alpha ? "live.png" : "live.jpg", QUALITY, &data, &size);
    if (ret >= 0) {
        const double latency = now() - came;
        struct picture *const part =
            make_part(alpha ? "image/png" : "image/jpeg", data, size, latency);

        ret = part ? 1 : RP_ERR_NOMEM;
        if (part)
            publish(s, part, &image, &frame, latency);
    }
    rp_free(data);
    rp_image_free(&image);
    return ret;
}

/* Nothing is made that nobody sees. False: it is to stop. */
static bool wait_for_viewer(struct session *s)
{
    struct web_live *const l = s->server->live;

    pthread_mutex_lock(&l->lock);
    while (!s->stop && !s->viewers)
        pthread_cond_wait(&l->more, &l->lock);
    const bool go = !s->stop;
    pthread_mutex_unlock(&l->lock);
    return go;
}

static void end_session(struct session *s, int ret)
{
    struct web_live *const l = s->server->live;
    char text[sizeof(s->message)];

    web_failure_text(s->server, ret, text, sizeof(text));
    pthread_mutex_lock(&l->lock);
    rp_live *source = s->source;
    s->source = NULL;
    s->state = ret < 0 ? FAILED : ENDED;
    if (ret < 0) {
        snprintf(s->code, sizeof(s->code), "%s", web_failure_code(ret));
        snprintf(s->message, sizeof(s->message), "%s", text);
    }
    s->since = (time_t) now();
    wake_viewers(s);
    pthread_mutex_unlock(&l->lock);
    rp_live_close(&source);
}

static void *work(void *priv)
{
    struct session *const s = priv;
    struct web_live *const l = s->server->live;
    rp_pipeline *pipeline = NULL;

    (void) pthread_setname_np(pthread_self(), "web-live");
    int ret = open_session(s, &pipeline);
    while (ret >= 0 && wait_for_viewer(s) && (ret = one_frame(s, pipeline)) > 0)
        ;
    end_session(s, ret);
    rp_pipeline_destroy(&pipeline);
    pthread_mutex_lock(&l->lock);
    let_go(s);
    l->threads--;
    pthread_cond_broadcast(&l->more);
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* ---- life ------------------------------------------------------------------------------------ */

int web_live_create(struct web_server *s)
{
    struct web_live *const l = s->live = calloc(1, sizeof(*l));

    if (!l)
        return RP_ERR_NOMEM;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->more, NULL);
    return 0;
}

void web_live_stop(struct web_server *s)
{
    struct web_live *const l = s->live;

    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->ending = true;
    while (l->first) {
        wake_viewers(l->first);
        take_out(l, l->first);
    }
    while (l->threads)
        pthread_cond_wait(&l->more, &l->lock);
    pthread_mutex_unlock(&l->lock);
}

void web_live_destroy(struct web_server *s)
{
    if (!s->live)
        return;
    pthread_cond_destroy(&s->live->more);
    pthread_mutex_destroy(&s->live->lock);
    free(s->live);
    s->live = NULL;
}

void web_live_tick(struct web_server *s)
{
    struct web_live *const l = s->live;
    const time_t at = (time_t) now();

    pthread_mutex_lock(&l->lock);
    for (struct session *i = l->first, *next; i; i = next) {
        next = i->next;
        if (i->state >= ENDED && at - i->since > REMEMBERED)
            take_out(l, i);
        else if (i->state < ENDED && !i->viewers && at - i->since > ALONE)
            stop_session(l, i);
    }
    pthread_mutex_unlock(&l->lock);
}

/* ---- requests -------------------------------------------------------------------------------- */

static bool check_number(struct web_request *r, const char *name, json_int_t most)
{
    const json_t *const value = json_object_get(r->json, name);

    if (!value || (json_is_integer(value) && json_integer_value(value) >= 0 &&
                   json_integer_value(value) <= most))
        return true;
    web_refuse(r, 422, "wrong_value", "%s is not a whole number from 0 to %lld", name,
               (long long) most);
    return false;
}

static bool check_input(struct web_request *r)
{
    const json_t *const input = json_object_get(r->json, "input");
    const json_t *const repeat = json_object_get(r->json, "repeat");
    struct web_medium m = {0};

    if (repeat && !json_is_boolean(repeat)) {
        web_refuse(r, 422, "wrong_value", "repeat is neither true nor false");
        return false;
    }
    if (input && json_object_get(r->json, "target")) {
        web_refuse(r, 422, "wrong_value", "A live view has a target or an input, not both");
        return false;
    }
    if (input) {
        if (json_is_string(input) && camera_address(r->server, json_string_value(input)))
            return true;
        web_refuse(r, 422, "no_input", "The input is not one that the server was started with");
        return false;
    }
    (void) web_store_find(r->server, json_string_value(json_object_get(r->json, "target")), &m);
    if (!strcmp(m.kind, "video"))
        return true;
    web_refuse(r, 422, "no_video", "The target is not a video");
    return false;
}

/* The wish without what is not its; NULL: no memory. */
static json_t *copy_wish(const json_t *json)
{
    static const char *const names[] = {"sources", "target", "options", "map",
                                        "input",   "width",  "repeat"};
    json_t *const wish = json_object();

    for (size_t i = 0; wish && i < sizeof(names) / sizeof(*names); i++)
        json_object_set(wish, names[i], json_object_get(json, names[i]));
    return wish;
}

/* With the lock. */
static int n_running(const struct web_live *l)
{
    int n = 0;

    for (const struct session *s = l->first; s; s = s->next)
        n += s->state < ENDED && !s->stop;
    return n;
}

/* With the lock: its thread begins. NULL: there is no memory. */
static struct session *begin_session(struct web_request *r)
{
    struct web_live *const l = r->server->live;
    struct session *const s = calloc(1, sizeof(*s));
    pthread_attr_t attr;
    pthread_t thread;

    if (!s || !(s->wish = copy_wish(r->json)) || pthread_attr_init(&attr) != 0) {
        if (s)
            json_decref(s->wish);
        free(s);
        return NULL;
    }
    web_random_name(s->id, SESSION_ID);
    s->server = r->server;
    s->since = (time_t) now();
    s->users = 2; /* the list and the thread */
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    const bool begins = pthread_create(&thread, &attr, work, s) == 0;
    pthread_attr_destroy(&attr);
    if (!begins) {
        json_decref(s->wish);
        free(s);
        return NULL;
    }
    l->threads++;
    s->next = l->first;
    l->first = s;
    return s;
}

void web_post_live(struct web_request *r)
{
    struct web_live *const l = r->server->live;
    const bool camera = json_object_get(r->json, "input") != NULL;
    char location[64];

    if (!(camera ? web_wish_check_sources(r) : web_wish_check(r)) || !check_input(r) ||
        !check_number(r, "width", 32768))
        return;
    if (!l) {
        web_refuse(r, 503, "stopping", "The server is about to stop");
        return;
    }
    pthread_mutex_lock(&l->lock);
    const bool full = l->ending || n_running(l) >= LIVES;
    const struct session *const s = full ? NULL : begin_session(r);
    json_t *const json = s ? to_json(s) : NULL;
    if (s)
        snprintf(location, sizeof(location), "/v1/live/%s", s->id);
    pthread_mutex_unlock(&l->lock);
    if (full) {
        web_refuse(r, 429, "busy", "%d live views run already; end one", LIVES);
    } else if (!s) {
        web_fail(r, RP_ERR_NOMEM);
    } else {
        web_answer_json(r, 201, json);
        web_header(r, "Location", location);
    }
}

void web_get_lives(struct web_request *r)
{
    struct web_live *const l = r->server->live;
    json_t *const list = json_array();
    json_t *const inputs = json_array();

    if (l) {
        pthread_mutex_lock(&l->lock);
        for (const struct session *s = l->first; s; s = s->next)
            json_array_append_new(list, to_json(s));
        pthread_mutex_unlock(&l->lock);
    }
    for (int i = 0; i < r->server->params->n_cameras; i++) {
        const char *const word = r->server->params->cameras[i];

        json_array_append_new(inputs, json_stringn(word, strcspn(word, "=")));
    }
    web_answer_json(r, 200, json_pack("{s:o, s:o}", "live", list, "inputs", inputs));
}

static void refuse_unknown(struct web_request *r)
{
    web_refuse(r, 404, "no_live", "There is no live view of this id");
}

void web_get_live(struct web_request *r)
{
    struct web_live *const l = r->server->live;
    json_t *json = NULL;

    if (l) {
        pthread_mutex_lock(&l->lock);
        const struct session *const s = find(l, r->part[0]);
        json = s ? to_json(s) : NULL;
        pthread_mutex_unlock(&l->lock);
    }
    if (json)
        web_answer_json(r, 200, json);
    else
        refuse_unknown(r);
}

void web_delete_live(struct web_request *r)
{
    struct web_live *const l = r->server->live;
    bool there = false;

    if (l) {
        pthread_mutex_lock(&l->lock);
        struct session *const s = find(l, r->part[0]);
        if ((there = s != NULL))
            take_out(l, s);
        pthread_mutex_unlock(&l->lock);
    }
    if (there)
        web_answer_nothing(r);
    else
        refuse_unknown(r);
}

/* ---- the stream ------------------------------------------------------------------------------ */

/* With the lock: the newest picture, unless it was sent; or the end. */
static ssize_t next_picture(struct viewer *v)
{
    struct session *const s = v->session;

    drop_picture(&v->sending);
    v->at = 0;
    if (s->newest && v->seen != s->made) {
        v->sending = s->newest;
        v->sending->users++;
        v->seen = s->made;
        return 0;
    }
    if (s->state >= ENDED || s->stop)
        return MHD_CONTENT_READER_END_OF_STREAM;
    v->waits = true;
    MHD_suspend_connection(v->connection);
    return 0;
}

static ssize_t read_stream(void *priv, uint64_t position, char *out, size_t most)
{
    static const char begin[] = "--" BOUNDARY "\r\n";
    struct viewer *const v = priv;
    struct web_live *const l = v->server->live;
    ssize_t ret = 0;

    if (position < sizeof(begin) - 1) { /* most is 64 KiB */
        memcpy(out, begin + position, sizeof(begin) - 1 - position);
        return (ssize_t) (sizeof(begin) - 1 - position);
    }
    pthread_mutex_lock(&l->lock);
    if (!v->sending || v->at == v->sending->size)
        ret = next_picture(v);
    if (ret == 0 && v->sending) {
        const size_t left = v->sending->size - v->at, n = left < most ? left : most;

        memcpy(out, v->sending->bytes + v->at, n);
        v->at += n;
        ret = (ssize_t) n;
    }
    pthread_mutex_unlock(&l->lock);
    return ret;
}

static void close_stream(void *priv)
{
    struct viewer *const v = priv;
    struct web_live *const l = v->server->live;

    pthread_mutex_lock(&l->lock);
    struct viewer **at = &v->session->viewers;
    while (*at != v)
        at = &(*at)->after;
    *at = v->after;
    v->session->n_viewers--;
    if (!v->session->viewers && v->session->state < ENDED)
        v->session->since = (time_t) now();
    drop_picture(&v->sending);
    let_go(v->session);
    pthread_mutex_unlock(&l->lock);
    free(v);
}

/* With the lock. */
static void add_viewer(struct web_live *l, struct session *s, struct viewer *v)
{
    v->session = s;
    v->after = s->viewers;
    s->viewers = v;
    s->n_viewers++;
    s->users++;
    pthread_cond_broadcast(&l->more);
}

void web_get_live_stream(struct web_request *r)
{
    struct web_live *const l = r->server->live;
    struct viewer *const v = calloc(1, sizeof(*v));
    struct session *s = NULL;
    bool room = false;

    if (!v)
        return;
    v->server = r->server;
    v->connection = r->connection;
    if (l) {
        pthread_mutex_lock(&l->lock);
        s = find(l, r->part[0]);
        room = s && s->n_viewers < VIEWERS;
        if (room)
            add_viewer(l, s, v);
        pthread_mutex_unlock(&l->lock);
    }
    if (!room) {
        free(v);
        if (s)
            web_refuse(r, 503, "busy", "%d programs look at it already", VIEWERS);
        else
            refuse_unknown(r);
        return;
    }
    struct MHD_Response *const response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 65536, read_stream, v, close_stream);
    if (!response)
        close_stream(v);
    web_answer(r, 200, response, "multipart/x-mixed-replace; boundary=" BOUNDARY);
}
