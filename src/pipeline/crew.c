#include "pipeline/crew.h"

#include <pthread.h>

struct worker {
    struct rp_crew *crew;
    struct rp_team *team;
    pthread_t thread;
    bool started;
    int busy; /* GPU: frames that were submitted */
    struct rp_turn turn[RP_MAX_GANG];
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
        RP_TRY(rp_team_create(&c->worker[i].team, params->plan, params->w, params->h, params->fmt,
                              rp_plan_frames(params->plan)));
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
        rp_team_destroy(&c->worker[i].team);
    free(c);
    *crew = NULL;
}

size_t rp_crew_bytes(const struct rp_crew *c)
{
    size_t sum = 0;

    for (int i = 0; i < c->p.slots; i++)
        sum += rp_team_bytes(c->worker[i].team);
    return sum;
}

void rp_crew_each(const struct rp_crew *c, void (*fn)(void *priv, const struct rp_slot *slot),
                  void *priv)
{
    for (int i = 0; i < c->p.slots; i++)
        rp_team_each(c->worker[i].team, fn, priv);
}

/* ---- one turn -------------------------------------------------------------------------------- */

/* Faces of a split turn, which has one frame. */
static struct rp_dfaces *faces_of(const struct worker *w)
{
    return rp_program_faces(rp_team_program(w->team, 0));
}

static int begin(struct worker *w, int n)
{
    struct rp_team_frame frame[RP_MAX_GANG];
    const struct rp_crew_params *const p = &w->crew->p;

    for (int i = 0; i < n; i++)
        frame[i] = (struct rp_team_frame){
            .frame = w->turn[i].frame,
            .look = p->look(p->priv, w->turn[i].frame->index),
        };
    if (w->turn[0].pass == RP_PASS_PROCESS)
        RP_CHECK(rp_tracker_faces(p->tracker, w->turn[0].number, faces_of(w)));
    return rp_team_submit(w->team, frame, n, w->turn[0].pass);
}

/* What a GPU does in turn for all slots is left to the writer's thread there. */
static int shrink(const struct rp_crew *c, struct rp_media_frame *f)
{
    const struct rp_crew_params *const p = &c->p;

    if (c->gpu || p->plan->alpha || f->w <= p->out_w || f->h <= p->out_h || f->w == p->w)
        return 0;
    return rp_media_frame_scale(f, p->out_w, p->out_h);
}

static int end(struct worker *w, int n)
{
    struct rp_frame_result result[RP_MAX_GANG];
    const struct rp_crew_params *const p = &w->crew->p;

    RP_CHECK(rp_team_finish(w->team, result));
    for (int i = 0; i < n; i++) {
        RP_CHECK(shrink(w->crew, w->turn[i].frame));
        if (w->turn[i].pass == RP_PASS_ANALYSE)
            RP_CHECK(rp_tracker_put(p->tracker, w->turn[i].number, faces_of(w)));
        RP_CHECK(p->count(p->priv, &result[i]));
        rp_ring_done(p->ring, w->turn[i].place);
    }
    return 0;
}

/* ---- CPU ------------------------------------------------------------------------------------- */

static void *work(void *priv)
{
    int ret = 0, n;
    struct worker *const w = priv;
    struct rp_ring *const ring = w->crew->p.ring;

    while ((n = rp_ring_take(ring, w->turn, rp_team_frames(w->team), true)) > 0) {
        RP_TRY(begin(w, n));
        RP_TRY(end(w, n));
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
    const int n = w->busy;

    w->busy = 0;
    return n ? end(w, n) : 0;
}

/* The next turns for worker `at`; *n is not positive at the end. They may depend on a frame that one of the workers
 * still has: in a split ring, and where another GPU has done all that came behind that frame, so that
 * the ring is full. So nothing is waited for before those are done, the oldest first. */
static int take(struct rp_crew *c, int at, struct rp_turn *turn, int *n)
{
    const int most = rp_team_frames(c->worker[at].team);

    for (int i = 0; i < c->p.slots; i++) {
        if ((*n = rp_ring_take(c->p.ring, turn, most, false)) > 0)
            return 0;
        RP_CHECK(finish(&c->worker[(at + i) % c->p.slots]));
    }
    *n = rp_ring_take(c->p.ring, turn, most, true);
    return 0;
}

static void drive(struct rp_crew *c)
{
    int ret = 0, n = 1;

    for (int i = 0; n > 0; i = (i + 1) % c->p.slots) {
        struct rp_turn turn[RP_MAX_GANG];
        struct worker *const w = &c->worker[i];

        RP_TRY(take(c, i, turn, &n));
        RP_TRY(finish(w));
        if (n <= 0)
            break;
        memcpy(w->turn, turn, sizeof(turn));
        RP_TRY(begin(w, n));
        w->busy = n;
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
