#include "pipeline/team.h"

#include "engine/gang.h"

struct rp_team {
    const struct rp_plan *plan;
    int n;    /* frames of a launch */
    int busy; /* of them with a frame of the caller's */
    struct rp_program *program[RP_MAX_GANG];
    struct rp_gang *gang;   /* NULL: one frame, which records itself */
    struct rp_graph *graph; /* of the gang; NULL: never recorded */
};

int rp_plan_frames(const struct rp_plan *plan)
{
    return !plan->graph || plan->split || plan->graph->mode == RP_GRAPH_MODEL
               ? 1
               : rp_graph_frames(plan->graph);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void say(const struct rp_team *t)
{
    int opened;
    const int shared = rp_gang_shared(t->gang, &opened);

    rp_log(RP_LOG_DEBUG, "%d frames a launch; %d of %d networks run once for all of them", t->n,
           shared, opened);
}

static int record_together(struct rp_team *t)
{
    char name[96];
    const struct rp_graph_options *const o = t->plan->graph;

    if (t->plan->device->fns->host_memory || o->mode != RP_GRAPH_FRAME)
        return 0;
    snprintf(name, sizeof(name), "%d frames", t->n);
    RP_CHECK(rp_graph_create(&t->graph, rp_gang_lead(t->gang), name, o));
    for (int i = 0; i < t->n; i++)
        RP_CHECK(rp_program_watch(t->program[i], t->graph));
    return 0;
}

int rp_team_create(struct rp_team **out, const struct rp_plan *plan, int w, int h,
                   enum rp_pixfmt fmt, int frames)
{
    int ret;
    struct rp_team *const t = *out = calloc(1, sizeof(*t));

    if (!t)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    t->plan = plan;
    t->n = RP_CLAMP(frames, 1, RP_MAX_GANG);
    if (t->n == 1)
        return rp_program_create(&t->program[0], plan, w, h, fmt);
    RP_TRY(rp_gang_create(&t->gang, plan->device, plan->graph, t->n));
    for (int i = 0; i < t->n; i++)
        RP_TRY(rp_program_create_in_step(&t->program[i], plan, w, h, fmt, t->gang, i));
    RP_TRY(record_together(t));
    say(t);
    return 0;

fail:
    rp_team_destroy(out);
    return ret;
}

void rp_team_destroy(struct rp_team **team)
{
    struct rp_team *const t = *team;

    if (!t)
        return;
    rp_graph_destroy(&t->graph);
    for (int i = 0; i < t->n; i++)
        rp_program_destroy(&t->program[i]);
    rp_gang_destroy(&t->gang);
    free(t);
    *team = NULL;
}

/* ---- work ------------------------------------------------------------------------------------ */

static int work_together(void *priv)
{
    struct rp_team *const t = priv;
    void *each[RP_MAX_GANG];

    for (int i = 0; i < t->n; i++)
        each[i] = t->program[i];
    return rp_gang_run(t->gang, rp_program_work, each);
}

static int run_together(struct rp_team *t)
{
    return t->graph ? rp_graph_run(t->graph, work_together, t, false) : work_together(t);
}

int rp_team_submit(struct rp_team *t, const struct rp_team_frame *frame, int n, enum rp_pass pass)
{
    t->busy = n;
    if (!t->gang)
        return rp_program_submit_pass(t->program[0], frame->frame, pass, frame->look);
    for (int i = 0; i < t->n; i++)
        RP_CHECK(rp_program_stage(t->program[i], frame[RP_MIN(i, n - 1)].frame,
                                  i < n && frame[i].look));
    return run_together(t);
}

int rp_team_finish(struct rp_team *t, struct rp_frame_result *result)
{
    if (!t->gang)
        return rp_program_finish(t->program[0], result);
    if (t->graph)
        RP_CHECK(rp_graph_wait(t->graph));
    else
        RP_CHECK(rp_slot_sync(rp_gang_lead(t->gang)));
    for (int i = 0; i < t->busy; i++)
        RP_CHECK(rp_program_collect(t->program[i], &result[i]));
    return 0;
}

int rp_team_place(struct rp_team *t, struct rp_media_frame *frame)
{
    int ret = 0;

    t->busy = t->n;
    for (int i = 0; i < t->n && ret >= 0; i++)
        ret = rp_program_place(t->program[i], frame);
    return ret;
}

int rp_team_repeat(struct rp_team *t)
{
    return t->gang ? run_together(t) : rp_program_repeat(t->program[0]);
}

int rp_team_rate(struct rp_team *const *team, int n, double seconds, double *fps)
{
    int launches = 0;
    struct rp_frame_result result[RP_MAX_GANG];
    const double start = rp_now();

    for (int i = 0; i < n; i++)
        RP_CHECK(rp_team_repeat(team[i]));
    while (rp_now() - start < seconds) {
        struct rp_team *const t = team[launches++ % n];

        RP_CHECK(rp_team_finish(t, result));
        RP_CHECK(rp_team_repeat(t));
    }
    for (int i = 0; i < n; i++)
        RP_CHECK(rp_team_finish(team[i], result));
    *fps = (launches + n) * rp_team_frames(team[0]) / (rp_now() - start);
    return 0;
}

/* ---- facts ----------------------------------------------------------------------------------- */

int rp_team_frames(const struct rp_team *t)
{
    return t->n;
}

struct rp_program *rp_team_program(const struct rp_team *t, int i)
{
    return t->program[i];
}

const struct rp_graph *rp_team_graph(const struct rp_team *t)
{
    return t->gang ? t->graph : rp_program_graph(t->program[0]);
}

void rp_team_each(const struct rp_team *t, void (*fn)(void *priv, const struct rp_slot *slot),
                  void *priv)
{
    for (int i = 0; i < t->n; i++)
        fn(priv, rp_program_slot(t->program[i]));
    if (t->gang)
        fn(priv, rp_gang_lead(t->gang));
}

static void add_bytes(void *priv, const struct rp_slot *slot)
{
    *(size_t *) priv += slot->bytes;
}

size_t rp_team_bytes(const struct rp_team *t)
{
    size_t sum = 0;

    rp_team_each(t, add_bytes, &sum);
    return sum;
}

size_t rp_team_pool_bytes(const struct rp_team *t)
{
    const struct rp_device_fns *const fns = t->plan->device->fns;

    return fns->pool_bytes ? fns->pool_bytes(rp_program_slot(t->program[0])->stream) : 0;
}
