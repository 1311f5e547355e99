#include "pipeline/crew.h"

#include <pthread.h>

struct worker {
    struct rp_crew *crew;
    struct rp_program *program;
    pthread_t thread;
    bool started;
    bool busy; /* GPU: a frame was submitted */
    int place; /* its place in the ring */
};

struct rp_crew {
    struct rp_crew_params p;
    bool gpu;
    struct worker worker[RP_MAX_SLOTS];
};

int rp_crew_create(struct rp_crew **out, const struct rp_crew_params *params)
{
    int ret;
    struct rp_crew *const c = *out = calloc(1, sizeof(*c));

    if (!c)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    c->p = *params;
    c->p.slots = RP_CLAMP(params->slots, 1, RP_MAX_SLOTS);
    c->gpu = !params->plan->device->fns->host_memory;
    for (int i = 0; i < c->p.slots; i++) {
        c->worker[i].crew = c;
        RP_TRY(rp_program_create(&c->worker[i].program, params->plan, params->w, params->h,
                                 params->fmt));
    }
    return 0;

fail:
    rp_crew_destroy(out);
    return ret;
}

void rp_crew_destroy(struct rp_crew **crew)
{
    struct rp_crew *const c = *crew;

    if (!c)
        return;
    for (int i = 0; i < c->p.slots; i++)
        rp_program_destroy(&c->worker[i].program);
    free(c);
    *crew = NULL;
}

size_t rp_crew_bytes(const struct rp_crew *c)
{
    size_t sum = 0;

    for (int i = 0; i < c->p.slots; i++)
        sum += rp_program_slot(c->worker[i].program)->bytes;
    return sum;
}

void rp_crew_each(const struct rp_crew *c, void (*fn)(void *priv, const struct rp_slot *slot),
                  void *priv)
{
    for (int i = 0; i < c->p.slots; i++)
        fn(priv, rp_program_slot(c->worker[i].program));
}

/* ---- CPU --------------------------------------------------------------------------------------- */

static void *work(void *priv)
{
    int place, ret;
    struct rp_media_frame *frame;
    struct rp_frame_result result;
    struct worker *const w = priv;
    const struct rp_crew_params *const p = &w->crew->p;

    while (rp_ring_take(p->ring, &frame, &place) == 0) {
        ret = rp_program_run(w->program, frame, p->look(p->priv, frame->index), &result);
        if (ret >= 0)
            ret = p->count(p->priv, &result);
        if (ret < 0) {
            rp_ring_fail(p->ring, ret);
            break;
        }
        rp_ring_done(p->ring, place);
    }
    return NULL;
}

int rp_crew_start(struct rp_crew *c)
{
    for (int i = 0; !c->gpu && i < c->p.slots; i++) {
        if (pthread_create(&c->worker[i].thread, NULL, work, &c->worker[i]))
            return rp_fail(RP_ERR_NOMEM, "no thread could be started");
        c->worker[i].started = true;
    }
    return 0;
}

/* ---- GPU --------------------------------------------------------------------------------------- */

static int finish(struct worker *w)
{
    int ret;
    struct rp_frame_result result;
    const struct rp_crew_params *const p = &w->crew->p;

    if (!w->busy)
        return 0;
    w->busy = false;
    RP_TRY(rp_program_finish(w->program, &result));
    RP_TRY(p->count(p->priv, &result));
    rp_ring_done(p->ring, w->place);
    return 0;

fail:
    return ret;
}

static void drive(struct rp_crew *c)
{
    int ret = 0, place;
    struct rp_media_frame *frame;

    for (int i = 0; rp_ring_take(c->p.ring, &frame, &place) == 0; i = (i + 1) % c->p.slots) {
        struct worker *const w = &c->worker[i];

        RP_TRY(finish(w));
        RP_TRY(rp_program_submit(w->program, frame, c->p.look(c->p.priv, frame->index)));
        w->place = place;
        w->busy = true;
    }
    for (int i = 0; i < c->p.slots; i++) /* any order: the ring keeps that of the frames */
        RP_TRY(finish(&c->worker[i]));

fail:
    if (ret < 0)
        rp_ring_fail(c->p.ring, ret);
}

void rp_crew_run(struct rp_crew *c)
{
    if (c->gpu)
        drive(c);
    for (int i = 0; i < c->p.slots; i++) {
        if (c->worker[i].started)
            pthread_join(c->worker[i].thread, NULL);
        c->worker[i].started = false;
    }
}
