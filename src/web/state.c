/* Models and their downloads, what the engine does, numbers for Prometheus. */
#include "web/server.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* ---- models ---- */

enum { WAITING = 64 };

struct wanted {
    char kind[64], name[128];
};

struct web_fetcher {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct wanted line[WAITING];
    int n;
    bool ending, started;
    pthread_t thread;
};

static void add_model(void *priv, const rp_model_info *m)
{
    json_t *const json = json_pack("{s:s, s:s, s:b, s:b, s:b, s:I}", "name", m->name, "kind",
                                   m->kind, "installed", m->installed, "lite", m->lite, "default",
                                   m->is_default, "size", (json_int_t) m->size);

    if (!json)
        return;
    json_object_set_new(json, "licence", m->licence ? json_string(m->licence) : json_null());
    json_object_set_new(json, "vendor", m->vendor ? json_string(m->vendor) : json_null());
    json_object_set_new(json, "can_fetch", json_boolean(m->fetch != NULL));
    json_array_append_new(priv, json);
}

json_t *web_models(struct web_server *s)
{
    json_t *const list = json_array();

    (void) rp_models_each(s->runtime, add_model, list);
    return list;
}

void web_get_models(struct web_request *r)
{
    web_answer_json(r, 200, json_pack("{s:o}", "models", web_models(r->server)));
}

int web_on_download(void *server, const rp_download *d)
{
    struct web_server *const s = server;

    web_events_put(s, "model",
                   json_pack("{s:s, s:s, s:I, s:I, s:f, s:s}", "kind", d->kind, "name", d->name,
                             "bytes", (json_int_t) d->bytes_done, "total",
                             (json_int_t) d->bytes_total, "bytes_per_second", d->bytes_per_second,
                             "state", d->ended ? "ended" : "running"));
    return atomic_load(&s->stopping);
}

static void tell_end(struct web_server *s, const struct wanted *w, int ret)
{
    char text[512] = "";

    if (ret < 0)
        web_failure_text(s, ret, text, sizeof(text));
    web_events_put(s, "model",
                   json_pack("{s:s, s:s, s:s, s:s}", "kind", w->kind, "name", w->name, "state",
                             ret < 0 ? "failed" : "installed", "message", text));
}

static void *fetch(void *priv)
{
    struct web_server *const s = priv;
    struct web_fetcher *const f = s->fetcher;

    (void) pthread_setname_np(pthread_self(), "web-fetcher");
    pthread_mutex_lock(&f->lock);
    while (!f->ending) {
        if (!f->n) {
            pthread_cond_wait(&f->more, &f->lock);
            continue;
        }
        const struct wanted w = f->line[0];
        pthread_mutex_unlock(&f->lock);
        const int ret = rp_model_fetch(s->runtime, w.kind, w.name);
        tell_end(s, &w, ret);
        pthread_mutex_lock(&f->lock);
        f->n--;
        memmove(f->line, f->line + 1, sizeof(*f->line) * (size_t) f->n);
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

int web_fetcher_create(struct web_server *s)
{
    struct web_fetcher *const f = s->fetcher = calloc(1, sizeof(*f));

    if (!f)
        return RP_ERR_NOMEM;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->more, NULL);
    f->started = pthread_create(&f->thread, NULL, fetch, s) == 0;
    return f->started ? 0 : RP_ERR_NOMEM;
}

void web_fetcher_destroy(struct web_server *s)
{
    struct web_fetcher *const f = s->fetcher;

    if (!f)
        return;
    pthread_mutex_lock(&f->lock);
    f->ending = true;
    pthread_cond_signal(&f->more);
    pthread_mutex_unlock(&f->lock);
    if (f->started)
        pthread_join(f->thread, NULL);
    pthread_cond_destroy(&f->more);
    pthread_mutex_destroy(&f->lock);
    free(f);
    s->fetcher = NULL;
}

struct search {
    const char *name, *kind;
    struct wanted found;
};

static void match(void *priv, const rp_model_info *m)
{
    struct search *const f = priv;

    if (*f->found.name || strcmp(m->name, f->name) != 0 || (f->kind && strcmp(m->kind, f->kind)))
        return;
    snprintf(f->found.kind, sizeof(f->found.kind), "%s", m->kind);
    snprintf(f->found.name, sizeof(f->found.name), "%s", m->name);
}

void web_post_download(struct web_request *r)
{
    struct web_fetcher *const f = r->server->fetcher;
    struct search search = {
        .name = r->part[0],
        .kind = MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, "kind")};

    (void) rp_models_each(r->server->runtime, match, &search);
    if (!*search.found.name) {
        web_refuse(r, 404, "no_model", "There is no model of this name");
        return;
    }
    pthread_mutex_lock(&f->lock);
    const bool full = f->n == WAITING;
    if (!full)
        f->line[f->n++] = search.found;
    pthread_cond_signal(&f->more);
    pthread_mutex_unlock(&f->lock);
    if (full)
        web_refuse(r, 429, "busy", "%d downloads wait already", WAITING);
    else
        web_answer_json(r, 202,
                        json_pack("{s:s, s:s, s:s}", "kind", search.found.kind, "name",
                                  search.found.name, "state", "queued"));
}

/* ---- engine and numbers ---- */

/* Bytes of memory that this process has; 0 if the system does not say. */
static int64_t memory_used(void)
{
    long long pages = 0, resident = 0;
    FILE *const f = fopen("/proc/self/statm", "re");

    if (f && fscanf(f, "%lld %lld", &pages, &resident) != 2)
        resident = 0;
    if (f)
        fclose(f);
    return resident * sysconf(_SC_PAGESIZE);
}

void web_get_engine(struct web_request *r)
{
    json_t *const json = web_queue_engine(r->server);
    char *const device = rp_options_text(r->server->params->options, "execution-providers");

    if (json) {
        json_object_set_new(json, "device", json_string(device ? device : "cpu"));
        json_object_set_new(json, "memory", json_integer(memory_used()));
        json_object_set_new(json, "previews", json_integer(atomic_load(&r->server->previews)));
    }
    rp_free(device);
    web_answer_json(r, 200, json);
}

void web_get_metrics(struct web_request *r)
{
    static const char *const states[] = {"queued", "running", "done", "failed", "cancelled"};
    struct web_server *const s = r->server;
    char *text = NULL;
    size_t size = 0;
    int64_t counts[5], frames;
    FILE *const f = open_memstream(&text, &size);

    if (!f)
        return;
    web_queue_counts(s, counts, &frames);
    fprintf(f, "# TYPE reprise_info gauge\nreprise_info{version=\"%s\"} 1\n", rp_version());
    fprintf(f, "# TYPE reprise_jobs gauge\n");
    for (int i = 0; i < 5; i++)
        fprintf(f, "reprise_jobs{state=\"%s\"} %lld\n", states[i], (long long) counts[i]);
    fprintf(f, "# TYPE reprise_frames_total counter\nreprise_frames_total %lld\n",
            (long long) frames);
    fprintf(f, "# TYPE reprise_requests_total counter\nreprise_requests_total %lld\n",
            atomic_load(&s->requests));
    fprintf(f,
            "# TYPE reprise_requests_refused_total counter\nreprise_requests_refused_total %lld\n",
            atomic_load(&s->refused));
    fprintf(f, "# TYPE reprise_received_bytes_total counter\nreprise_received_bytes_total %lld\n",
            atomic_load(&s->received));
    fprintf(f, "# TYPE reprise_previews_total counter\nreprise_previews_total %lld\n",
            atomic_load(&s->previews));
    fprintf(f, "# TYPE reprise_media gauge\nreprise_media %d\n", web_store_count(s));
    fprintf(f, "# TYPE reprise_stored_bytes gauge\nreprise_stored_bytes %lld\n",
            (long long) web_store_bytes(s) + (long long) web_queue_bytes(s));
    fprintf(f, "# TYPE reprise_resident_bytes gauge\nreprise_resident_bytes %lld\n",
            (long long) memory_used());
    fclose(f);
    web_answer_text(r, "text/plain; version=0.0.4", text);
}

void web_get_health(struct web_request *r)
{
    web_answer_json(r, 200, json_pack("{s:s, s:s}", "status", "ok", "version", rp_version()));
}
