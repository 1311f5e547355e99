#include "pipeline/crew.h"

#include <pthread.h>

struct worker {
    struct rp_crew *crew;
    struct rp_program *program;
    pthread_t thread;
    bool started;
    bool busy; /* GPU: the turn was submitted */
    struct rp_turn turn;
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

/* ---- one turn -------------------------------------------------------------------------------- */

static int begin(struct worker *w)
{
    int ret;
    const struct rp_crew_params *const p = &w->crew->p;
    struct rp_media_frame *const frame = w->turn.frame;

    if (w->turn.pass == RP_PASS_PROCESS)
        RP_TRY(rp_tracker_faces(p->tracker, w->turn.number, rp_program_faces(w->program)));
    return rp_program_submit_pass(w->program, frame, w->turn.pass,
                                  p->look(p->priv, frame->index));

fail:
    return ret;
}

/* What a GPU does in turn for all slots is left to the writer's thread there. */
static int shrink(const struct worker *w)
{
    const struct rp_crew_params *const p = &w->crew->p;
    struct rp_media_frame *const f = w->turn.frame;

    if (w->crew->gpu || p->plan->alpha || f->w <= p->out_w || f->h <= p->out_h || f->w == p->w)
        return 0;
    return rp_media_frame_scale(f, p->out_w, p->out_h);
}

static int end(struct worker *w)
{
    int ret;
    struct rp_frame_result result;
    const struct rp_crew_params *const p = &w->crew->p;

    RP_TRY(rp_program_finish(w->program, &result));
    RP_TRY(shrink(w));
    if (w->turn.pass == RP_PASS_ANALYSE)
        RP_TRY(rp_tracker_put(p->tracker, w->turn.number, rp_program_faces(w->program)));
    RP_TRY(p->count(p->priv, &result));
    rp_ring_done(p->ring, w->turn.place);
    return 0;

fail:
    return ret;
}

/* ---- CPU ------------------------------------------------------------------------------------- */

static void *work(void *priv)
{
    int ret = 0;
    struct worker *const w = priv;
    struct rp_ring *const ring = w->crew->p.ring;

    while (rp_ring_take(ring, &w->turn, true) == 0) {
        RP_TRY(begin(w));
        RP_TRY(end(w));
    }

fail:
    if (ret < 0)
        rp_ring_fail(ring, ret);
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

/* ---- GPU ------------------------------------------------------------------------------------- */

static int finish(struct worker *w)
{
    if (!w->busy)
        return 0;
    w->busy = false;
    return end(w);
}

/* The next turn for worker `at`. It may depend on a frame that one of the workers still has: in a
 * split ring, and where another GPU has done all that came behind that frame, so that the ring is
 * full. So nothing is waited for before those are done, the oldest first. */
static int take(struct rp_crew *c, int at, struct rp_turn *turn, bool *more)
{
    int ret;

    for (int i = 0; i < c->p.slots; i++) {
        if (rp_ring_take(c->p.ring, turn, false) == 0) {
            *more = true;
            return 0;
        }
        RP_TRY(finish(&c->worker[(at + i) % c->p.slots]));
    }
    *more = rp_ring_take(c->p.ring, turn, true) == 0;
    return 0;

fail:
    return ret;
}

static void drive(struct rp_crew *c)
{
    int ret = 0;
    bool more = true;

    for (int i = 0; more; i = (i + 1) % c->p.slots) {
        struct rp_turn turn;
        struct worker *const w = &c->worker[i];

        RP_TRY(take(c, i, &turn, &more));
        RP_TRY(finish(w));
        if (!more)
            break;
        w->turn = turn;
        RP_TRY(begin(w));
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
