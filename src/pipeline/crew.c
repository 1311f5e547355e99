#include "pipeline/crew.h"

#include <pthread.h>

struct worker {
    struct rp_crew *crew;
    struct rp_program *program;
    pthread_t thread;
    bool started;
    int busy; /* one thread: frames submitted and not yet finished */
    struct rp_ticket ticket[RP_MAX_LANES];
};

struct rp_crew {
    struct rp_crew_params p;
    bool one_thread; /* the device takes work only from the caller's thread */
    struct worker worker[RP_MAX_SLOTS];
};

int rp_crew_create(struct rp_crew **out, const struct rp_crew_params *params)
{
    int ret;
    struct rp_crew *const c = *out = calloc(1, sizeof(*c));
    const struct rp_program_params program = {.w = params->w,
                                              .h = params->h,
                                              .fmt = params->fmt,
                                              .colour = params->colour,
                                              .frames = rp_plan_frames(params->plan)};

    if (!c)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    c->p = *params;
    c->p.slots = RP_CLAMP(params->slots, 1, RP_MAX_SLOTS);
    c->one_thread = params->plan->device->fns->one_thread;
    for (int i = 0; i < c->p.slots; i++) {
        c->worker[i].crew = c;
        RP_TRY(rp_programs_take(params->programs, params->plan, &program,
                                &c->worker[i].program));
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
    for (int i = c->p.slots - 1; i >= 0; i--) /* the first again in the first worker's hands */
        rp_programs_give(c->p.programs, &c->worker[i].program);
    free(c);
    *crew = NULL;
}

size_t rp_crew_bytes(const struct rp_crew *c)
{
    size_t sum = 0;

    for (int i = 0; i < c->p.slots; i++)
        sum += rp_program_buffers(c->worker[i].program);
    return sum;
}

void rp_crew_each(const struct rp_crew *c, void (*fn)(void *priv, const struct rp_slot *slot),
                  void *priv)
{
    for (int i = 0; i < c->p.slots; i++)
        rp_program_each(c->worker[i].program, fn, priv);
}

/* ---- one launch ------------------------------------------------------------------------------ */

/* Faces between two passes, whose launches have one frame. */
static struct rp_dfaces *faces_of(const struct worker *w)
{
    return rp_program_faces(w->program);
}

static int begin(struct worker *w, int n)
{
    struct rp_frame_in frame[RP_MAX_LANES];
    const struct rp_crew_params *const p = &w->crew->p;

    for (int i = 0; i < n; i++)
        frame[i] = (struct rp_frame_in){
            .frame = w->ticket[i].frame,
            .check = !w->ticket[i].aside && p->check(p->priv, w->ticket[i].frame),
        };
    if (w->ticket[0].pass == RP_PASS_PROCESS)
        RP_CHECK(rp_tracker_faces(p->tracker, w->ticket[0].number, faces_of(w)));
    return rp_program_submit(w->program, frame, n, w->ticket[0].pass);
}

/* Not on a GPU: its only thread would shrink for all slots, so the writer's thread does it. */
static int shrink(const struct rp_crew *c, struct rp_media_frame *f)
{
    const struct rp_crew_params *const p = &c->p;

    if (c->one_thread || p->plan->alpha || f->w <= p->out_w || f->h <= p->out_h || f->w == p->w)
        return 0;
    return rp_media_frame_scale(f, p->out_w, p->out_h);
}

static int end(struct worker *w, int n)
{
    struct rp_frame_result result[RP_MAX_LANES];
    const struct rp_crew_params *const p = &w->crew->p;

    RP_CHECK(rp_program_finish(w->program, result));
    for (int i = 0; i < n; i++) {
        RP_CHECK(shrink(w->crew, w->ticket[i].frame));
        if (w->ticket[i].pass == RP_PASS_ANALYSE)
            RP_CHECK(rp_tracker_put(p->tracker, w->ticket[i].number, faces_of(w),
                                    rp_program_glance(w->program)));
        if (!w->ticket[i].aside)
            RP_CHECK(p->count(p->priv, w->ticket[i].frame, &result[i]));
        rp_ring_done(p->ring, w->ticket[i].place);
    }
    return 0;
}

/* ---- CPU ------------------------------------------------------------------------------------- */

static void *work(void *priv)
{
    int ret = 0, n;
    struct worker *const w = priv;
    struct rp_ring *const ring = w->crew->p.ring;

    rp_log_hold(true); /* whoever reads the ring's status shows the first failure */
    while ((n = rp_ring_take(ring, w->ticket, rp_program_frames(w->program), true)) > 0) {
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
    for (int i = 0; !c->one_thread && i < c->p.slots; i++) {
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

/* The next tickets for worker `at`; *n is not positive at the end. They may depend on a frame that
 * one of these workers still has: in a split ring, or if another GPU has done all frames after that
 * one and the ring is full. So the workers' frames are finished, oldest first, before this waits
 * for the ring. */
static int take(struct rp_crew *c, int at, struct rp_ticket *ticket, int *n)
{
    const int most = rp_program_frames(c->worker[at].program);

    for (int i = 0; i < c->p.slots; i++) {
        if ((*n = rp_ring_take(c->p.ring, ticket, most, false)) > 0)
            return 0;
        RP_CHECK(finish(&c->worker[(at + i) % c->p.slots]));
    }
    *n = rp_ring_take(c->p.ring, ticket, most, true);
    return 0;
}

static void drive(struct rp_crew *c)
{
    int ret = 0, n = 1;

    for (int i = 0; n > 0; i = (i + 1) % c->p.slots) {
        struct rp_ticket ticket[RP_MAX_LANES];
        struct worker *const w = &c->worker[i];

        RP_TRY(take(c, i, ticket, &n));
        RP_TRY(finish(w));
        if (n <= 0)
            break;
        memcpy(w->ticket, ticket, sizeof(ticket));
        RP_TRY(begin(w, n));
        w->busy = n;
    }
    for (int i = 0; i < c->p.slots; i++) /* any order: the ring keeps that of the frames */
        RP_TRY(finish(&c->worker[i]));

fail:
    if (ret >= 0)
        return;
    rp_ring_fail(c->p.ring, ret);
    for (int i = 0; i < c->p.slots; i++)
        rp_program_abandon(c->worker[i].program);
}

void rp_crew_run(struct rp_crew *c)
{
    if (c->one_thread)
        drive(c);
    for (int i = 0; i < c->p.slots; i++) {
        if (c->worker[i].started)
            pthread_join(c->worker[i].thread, NULL);
        c->worker[i].started = false;
    }
}
