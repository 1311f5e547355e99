/* Server-sent events: what happens to jobs and downloads, as it happens.
 *
 * The last events are kept in a ring, from which a client that comes back with Last-Event-ID gets
 * what it missed. A client that is new, or away for too long, gets all jobs as they are first. */
#include "web/server.h"

#include <stdlib.h>
#include <time.h>

enum { RING = 1024, COMMENT = 15, STREAMS = 64 };

struct event {
    int64_t id;
    char *text; /* as it is sent */
};

/* One client. */
struct stream {
    struct web_server *server;
    struct MHD_Connection *connection;
    int64_t next; /* the event to be sent next */
    char *text;   /* being sent, up to `at` */
    size_t at, size;
    time_t sent;
    bool waits; /* the connection is suspended */
    struct stream *after;
};

struct web_events {
    pthread_mutex_t lock;
    struct event ring[RING];
    int64_t first, next; /* ids: of the oldest in the ring, of the next to come */
    struct stream *streams;
    int n_streams;
    bool ending;
};

static time_t seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

int web_events_create(struct web_server *s)
{
    struct web_events *const e = s->events = calloc(1, sizeof(*e));

    if (!e)
        return RP_ERR_NOMEM;
    pthread_mutex_init(&e->lock, NULL);
    /* larger than any number of an earlier start, which a client may come back with */
    e->first = e->next = (int64_t) time(NULL) * 1000000;
    return 0;
}

static void wake(struct stream *c)
{
    if (c->waits) {
        c->waits = false;
        MHD_resume_connection(c->connection);
    }
}

void web_events_stop(struct web_server *s)
{
    struct web_events *const e = s->events;

    if (!e)
        return;
    pthread_mutex_lock(&e->lock);
    e->ending = true;
    for (struct stream *c = e->streams; c; c = c->after)
        wake(c);
    pthread_mutex_unlock(&e->lock);
}

void web_events_destroy(struct web_server *s)
{
    if (!s->events)
        return;
    for (int i = 0; i < RING; i++)
        free(s->events->ring[i].text);
    pthread_mutex_destroy(&s->events->lock);
    free(s->events);
    s->events = NULL;
}

void web_events_put(struct web_server *s, const char *event, json_t *data)
{
    struct web_events *const e = s->events;
    char *const json = rp_json_text(data, WEB_JSON_LINE);
    char *text = NULL;

    json_decref(data);
    if (!json)
        return;
    pthread_mutex_lock(&e->lock);
    if (asprintf(&text, "id: %lld\nevent: %s\ndata: %s\n\n", (long long) e->next, event, json) >
        0) {
        struct event *const at = &e->ring[e->next % RING];

        free(at->text);
        *at = (struct event){e->next++, text};
        if (e->next - e->first > RING)
            e->first = e->next - RING;
        for (struct stream *c = e->streams; c; c = c->after)
            wake(c);
    }
    pthread_mutex_unlock(&e->lock);
    free(json);
}

void web_events_tick(struct web_server *s)
{
    struct web_events *const e = s->events;
    const time_t now = seconds_now();

    pthread_mutex_lock(&e->lock);
    for (struct stream *c = e->streams; c; c = c->after)
        if (c->waits && now - c->sent >= COMMENT)
            wake(c);
    pthread_mutex_unlock(&e->lock);
}

/* All jobs as events, with the number of the last event so far. */
static char *snapshot(struct web_server *s, int64_t id)
{
    json_t *const jobs = s->hooks.jobs(s);
    json_t *job;
    size_t i, size = 0;
    char *text = NULL;
    FILE *const f = open_memstream(&text, &size);

    if (!f) {
        json_decref(jobs);
        return NULL;
    }
    fprintf(f, "retry: 2000\n: hello\n\n");
    json_array_foreach(jobs, i, job)
    {
        char *const json = rp_json_text(job, WEB_JSON_LINE);

        if (json)
            fprintf(f, "id: %lld\nevent: job\ndata: %s\n\n", (long long) id, json);
        free(json);
    }
    json_decref(jobs);
    fclose(f);
    return text;
}

/* What comes next for this client; with the lock. */
static void load(struct web_events *e, struct stream *c)
{
    if (c->next < e->first)
        c->next = e->first;
    free(c->text);
    c->text = NULL;
    if (c->next < e->next) {
        c->text = strdup(e->ring[c->next % RING].text);
        c->next++;
    } else if (seconds_now() - c->sent >= COMMENT) {
        c->text = strdup(": still here\n\n");
    }
    c->at = 0;
    c->size = c->text ? strlen(c->text) : 0;
}

static ssize_t read_stream(void *priv, uint64_t position, char *out, size_t most)
{
    struct stream *const c = priv;
    struct web_events *const e = c->server->events;
    size_t n = 0;

    (void) position;
    pthread_mutex_lock(&e->lock);
    if (e->ending) {
        pthread_mutex_unlock(&e->lock);
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    if (c->at == c->size)
        load(e, c);
    if (c->at < c->size) {
        n = c->size - c->at < most ? c->size - c->at : most;
        memcpy(out, c->text + c->at, n);
        c->at += n;
        c->sent = seconds_now();
    } else {
        c->waits = true;
        MHD_suspend_connection(c->connection);
    }
    pthread_mutex_unlock(&e->lock);
    return (ssize_t) n;
}

static void close_stream(void *priv)
{
    struct stream *const c = priv;
    struct web_events *const e = c->server->events;

    pthread_mutex_lock(&e->lock);
    for (struct stream **at = &e->streams; *at; at = &(*at)->after)
        if (*at == c) {
            *at = c->after;
            e->n_streams--;
            break;
        }
    pthread_mutex_unlock(&e->lock);
    free(c->text);
    free(c);
}

/* False: there are too many. */
static bool add(struct web_events *e, struct stream *c, int64_t last)
{
    pthread_mutex_lock(&e->lock);
    const bool room = e->n_streams < STREAMS && !e->ending;
    if (room) {
        c->after = e->streams;
        e->streams = c;
        e->n_streams++;
        c->next = last >= e->first - 1 && last < e->next ? last + 1 : e->next;
    }
    pthread_mutex_unlock(&e->lock);
    return room;
}

void web_get_events(struct web_request *r)
{
    struct web_server *const s = r->server;
    const char *const last =
        MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Last-Event-ID");
    struct stream *const c = calloc(1, sizeof(*c));

    if (!c)
        return;
    c->server = s;
    c->connection = r->connection;
    c->sent = seconds_now();
    const int64_t id = last ? strtoll(last, NULL, 10) : -1;
    if (!add(s->events, c, id)) {
        free(c);
        web_refuse(r, 503, "busy", "%d programs listen to events already", STREAMS);
        return;
    }
    if (c->next != id + 1 || !last) {
        c->text = snapshot(s, c->next - 1);
        c->size = c->text ? strlen(c->text) : 0;
    } else {
        c->text = strdup("retry: 2000\n: go on\n\n");
        c->size = c->text ? strlen(c->text) : 0;
    }
    struct MHD_Response *const response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, read_stream, c, close_stream);
    if (!response)
        close_stream(c);
    web_answer(r, 200, response, "text/event-stream");
}
