/* Two threads for what takes longer than an answer may: pictures and faces. */
#include "web/server.h"

#include <stdlib.h>

enum { THREADS = 2, LONGEST = 64 };

struct web_desk {
    struct web_server *server;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct web_request *first, **last;
    int waiting, n_threads;
    bool ending;
    pthread_t threads[THREADS];
};

static void *work(void *priv)
{
    struct web_desk *const d = priv;

    (void) pthread_setname_np(pthread_self(), "web-desk");
    pthread_mutex_lock(&d->lock);
    for (;;) {
        struct web_request *const r = d->first;

        if (!r && d->ending)
            break;
        if (!r) {
            pthread_cond_wait(&d->more, &d->lock);
            continue;
        }
        d->first = r->next;
        if (!d->first)
            d->last = &d->first;
        d->waiting--;
        pthread_mutex_unlock(&d->lock);
        if (d->ending)
            web_refuse(r, 503, "stopping", "The server is about to stop");
        else
            r->work(r);
        web_request_done(r);
        pthread_mutex_lock(&d->lock);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

int web_desk_create(struct web_server *s)
{
    struct web_desk *const d = s->desk = calloc(1, sizeof(*d));

    if (!d)
        return RP_ERR_NOMEM;
    d->server = s;
    d->last = &d->first;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->more, NULL);
    while (d->n_threads < THREADS && pthread_create(&d->threads[d->n_threads], NULL, work, d) == 0)
        d->n_threads++;
    return d->n_threads ? 0 : RP_ERR_NOMEM;
}

void web_desk_stop(struct web_server *s)
{
    struct web_desk *const d = s->desk;

    if (!d)
        return;
    pthread_mutex_lock(&d->lock);
    d->ending = true;
    pthread_cond_broadcast(&d->more);
    pthread_mutex_unlock(&d->lock);
    for (int i = 0; i < d->n_threads; i++)
        pthread_join(d->threads[i], NULL);
    d->n_threads = 0;
}

void web_desk_destroy(struct web_server *s)
{
    struct web_desk *const d = s->desk;

    if (!d)
        return;
    pthread_cond_destroy(&d->more);
    pthread_mutex_destroy(&d->lock);
    free(d);
    s->desk = NULL;
}

void web_desk_put(struct web_request *r)
{
    struct web_desk *const d = r->server->desk;

    r->next = NULL;
    pthread_mutex_lock(&d->lock);
    const bool full = d->waiting >= LONGEST || d->ending;
    if (!full) {
        *d->last = r;
        d->last = &r->next;
        d->waiting++;
        pthread_cond_signal(&d->more);
    }
    pthread_mutex_unlock(&d->lock);
    if (!full)
        return;
    web_refuse(r, 503, "busy", "Too many requests wait already; try again in a moment");
    web_request_done(r);
}
