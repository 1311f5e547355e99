/* A frame as a job would make it, from a pipeline that stays open as long as the wishes are the
 * same.
 *
 * One is made at a time, and one waits: the newest. */
#include "web/server.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct web_preview {
    struct web_server *server;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct web_request *waiting;
    bool ending, started;
    pthread_t thread;
    /* of the thread */
    rp_pipeline *pipeline;
    char *wish;     /* what the pipeline was opened for */
    rp_frames *frames; /* of the medium */
    char frames_of[WEB_ID + 1];
    rp_image frame; /* the last one that was read */
    char frame_of[WEB_ID + 64];
};

static int64_t number(const json_t *json, const char *key, int64_t most)
{
    const json_t *const value = json_object_get(json, key);
    const int64_t v = json_is_integer(value) ? json_integer_value(value) : 0;

    return v < 0 ? 0 : v > most ? most : v;
}

/* All that the pipeline depends on, as text. */
static char *key_of(const json_t *json)
{
    json_t *const key = json_object();
    static const char *const names[] = {"sources", "target", "options", "map"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        json_object_set(key, names[i], json_object_get(json, names[i]));
    char *const text = rp_json_text(key, JSON_SORT_KEYS | JSON_COMPACT);
    json_decref(key);
    return text;
}

static int open_pipeline(struct web_preview *p, const json_t *json)
{
    rp_options *options = NULL;
    char *const wish = key_of(json);
    int ret = 0;

    if (!wish)
        return RP_ERR_NOMEM;
    if (p->pipeline && p->wish && !strcmp(wish, p->wish)) {
        free(wish);
        return 0;
    }
    free(p->wish);
    p->wish = NULL;
    rp_pipeline_destroy(&p->pipeline);
    ret = web_wish_options(p->server, json, NULL, &options);
    if (ret >= 0)
        ret = rp_pipeline_create(&p->pipeline, p->server->runtime, options);
    rp_options_destroy(&options);
    if (ret < 0)
        free(wish);
    else
        p->wish = wish;
    return ret;
}

/* The medium stays open: who drags along the time line wants the next frame, too. */
static int open_frames(struct web_preview *p, const struct web_medium *m)
{
    char path[WEB_PATH];

    if (p->frames && !strcmp(m->id, p->frames_of))
        return 0;
    rp_frames_close(&p->frames);
    web_store_path(p->server, m, path);
    snprintf(p->frames_of, sizeof(p->frames_of), "%s", m->id);
    return rp_frames_open(&p->frames, path);
}

/* A frame that is looked at with other options was read before. */
static int read_frame(struct web_preview *p, const json_t *json, rp_image *out)
{
    const char *const target = json_string_value(json_object_get(json, "target"));
    const int64_t frame = number(json, "frame", INT32_MAX - 1),
                  width = number(json, "width", 32768);
    char name[sizeof(p->frame_of)];
    struct web_medium m;

    if (!target || !web_store_find(p->server, target, &m))
        return WEB_GONE;
    snprintf(name, sizeof(name), "%s %lld %lld", m.id, (long long) frame, (long long) width);
    if (strcmp(name, p->frame_of) != 0) {
        rp_image_free(&p->frame);
        *p->frame_of = '\0';
        int ret = open_frames(p, &m);
        if (ret >= 0)
            ret = rp_frames_read(p->frames, &p->frame, frame, (int) width);
        if (ret < 0)
            return ret;
        memcpy(p->frame_of, name, sizeof(name));
    }
    *out = p->frame;
    out->owned = false;
    const size_t bytes = (size_t) p->frame.stride * (size_t) p->frame.h;
    if (!(out->data = malloc(bytes)))
        return RP_ERR_NOMEM;
    memcpy(out->data, p->frame.data, bytes);
    return 0;
}

/* Transparency needs a PNG; both carry the mark. */
static int send_image(struct web_request *r, const rp_image *image)
{
    const bool alpha = image->format == RP_PIXEL_BGRA;
    char name[33], path[WEB_PATH];

    web_random_name(name, 32);
    web_path(r->server, path, "part/%s.%s", name, alpha ? "png" : "jpg");
    const int ret = rp_image_write(image, path, 90);
    if (ret < 0)
        return ret;
    web_answer_file(r, path, alpha ? "image/png" : "image/jpeg", NULL);
    (void) unlink(path);
    return 0;
}

static int make(struct web_preview *p, struct web_request *r)
{
    rp_image image = {0};
    uint8_t *copy = NULL;
    int ret = open_pipeline(p, r->json);

    if (ret >= 0 && (ret = read_frame(p, r->json, &image)) >= 0) {
        copy = image.data;
        ret = rp_pipeline_process(p->pipeline, &image);
    }
    if (ret >= 0)
        ret = send_image(r, &image);
    if (image.data != copy || image.owned)
        rp_image_free(&image);
    free(copy);
    if (ret < 0 && ret != RP_ERR_BLOCKED) { /* what failed is not used again */
        rp_pipeline_destroy(&p->pipeline);
    }
    return ret;
}

static void serve_one(struct web_preview *p, struct web_request *r)
{
    struct timespec a, b;
    char line[32];

    clock_gettime(CLOCK_MONOTONIC, &a);
    const int ret = make(p, r);
    if (ret < 0) {
        web_fail(r, ret);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    const double ms =
        1e3 * (double) (b.tv_sec - a.tv_sec) + 1e-6 * (double) (b.tv_nsec - a.tv_nsec);
    snprintf(line, sizeof(line), "preview;dur=%.1f", ms);
    web_header(r, "Server-Timing", line);
    atomic_fetch_add(&p->server->previews, 1);
}

static void *work(void *priv)
{
    struct web_preview *const p = priv;

    (void) pthread_setname_np(pthread_self(), "web-preview");
    pthread_mutex_lock(&p->lock);
    while (!p->ending || p->waiting) {
        struct web_request *const r = p->waiting;

        if (!r) {
            pthread_cond_wait(&p->more, &p->lock);
            continue;
        }
        p->waiting = NULL;
        const bool ending = p->ending;
        pthread_mutex_unlock(&p->lock);
        if (ending)
            web_refuse(r, 503, "stopping", "The server is about to stop");
        else
            serve_one(p, r);
        web_request_done(r);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    rp_pipeline_destroy(&p->pipeline);
    rp_frames_close(&p->frames);
    rp_image_free(&p->frame);
    return NULL;
}

int web_preview_create(struct web_server *s)
{
    struct web_preview *const p = s->preview = calloc(1, sizeof(*p));

    if (!p)
        return RP_ERR_NOMEM;
    p->server = s;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->more, NULL);
    p->started = pthread_create(&p->thread, NULL, work, p) == 0;
    return p->started ? 0 : RP_ERR_NOMEM;
}

void web_preview_stop(struct web_server *s)
{
    struct web_preview *const p = s->preview;

    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->ending = true;
    pthread_cond_signal(&p->more);
    pthread_mutex_unlock(&p->lock);
    if (p->started)
        pthread_join(p->thread, NULL);
    p->started = false;
}

void web_preview_destroy(struct web_server *s)
{
    struct web_preview *const p = s->preview;

    if (!p)
        return;
    pthread_cond_destroy(&p->more);
    pthread_mutex_destroy(&p->lock);
    free(p->wish);
    free(p);
    s->preview = NULL;
}

void web_preview_put(struct web_request *r)
{
    struct web_preview *const p = r->server->preview;

    pthread_mutex_lock(&p->lock);
    struct web_request *const old = p->ending ? r : p->waiting;
    if (!p->ending)
        p->waiting = r;
    pthread_cond_signal(&p->more);
    pthread_mutex_unlock(&p->lock);
    if (!old)
        return;
    web_refuse(old, 409, "superseded", "A newer preview was asked for");
    web_request_done(old);
}

void web_post_preview(struct web_request *r)
{
    r->for_preview = web_wish_check(r);
}
