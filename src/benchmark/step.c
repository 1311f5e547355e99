/* Frames in step (team.h): 2, 4 and 8 frames a launch, one and several launches at once. */
#include "benchmark/benchmark.h"

#include "pipeline/team.h"

#define MOST_LAUNCHES 4

struct march {
    struct rp_bench *b;
    struct rp_plan plan;
    struct rp_graph_options graph;
    struct rp_media_frame *frame; /* to take in turn */
    int variants;
    struct rp_team *team[MOST_LAUNCHES];
    int n;
    size_t bytes;                 /* of a frame worked on */
    uint8_t *want, *got;          /* of RP_MAX_GANG frames; of one */
};

static int once(struct rp_team *t)
{
    struct rp_frame_result result[RP_MAX_GANG];

    RP_CHECK(rp_team_repeat(t));
    return rp_team_finish(t, result);
}

/* Frame i of the launch is the i-th variant. */
static int place_all(struct march *m, struct rp_team *t)
{
    RP_CHECK(rp_team_place(t, &m->frame[0]));
    for (int i = 1; i < rp_team_frames(t); i++)
        RP_CHECK(rp_program_place(rp_team_program(t, i), &m->frame[i % m->variants]));
    return 0;
}

/* What eager work gives for these frames in step. */
static int eager(struct march *m, int frames)
{
    int ret;
    struct rp_team *t = NULL;

    m->graph.mode = RP_GRAPH_OFF;
    RP_TRY(rp_team_create(&t, &m->plan, m->frame->w, m->frame->h, m->frame->fmt, frames));
    m->bytes = rp_program_bytes(rp_team_program(t, 0));
    free(m->want);
    free(m->got);
    m->want = malloc(m->bytes * RP_MAX_GANG);
    m->got = malloc(m->bytes);
    if (!m->want || !m->got) {
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
        goto fail;
    }
    RP_TRY(place_all(m, t));
    RP_TRY(once(t));
    for (int i = 0; i < frames; i++)
        RP_TRY(rp_program_pixels(rp_team_program(t, i), m->want + (size_t) i * m->bytes));

fail:
    rp_team_destroy(&t);
    return ret;
}

static int compare(struct march *m, struct rp_team *t, bool *identical)
{
    RP_CHECK(place_all(m, t));
    for (int round = 0; round < 3; round++)
        RP_CHECK(once(t));
    for (int i = 0; i < rp_team_frames(t); i++) {
        RP_CHECK(rp_program_pixels(rp_team_program(t, i), m->got));
        *identical &= !memcmp(m->got, m->want + (size_t) i * m->bytes, m->bytes);
    }
    return 0;
}

static int more_teams(struct march *m, int n, int frames, bool *identical)
{
    struct rp_graph_stats stats;

    m->graph.mode = RP_GRAPH_FRAME;
    while (m->n < n) {
        struct rp_team **const t = &m->team[m->n++];

        RP_CHECK(rp_team_create(t, &m->plan, m->frame->w, m->frame->h, m->frame->fmt, frames));
        RP_CHECK(place_all(m, *t));
        for (int i = 0; i < 3; i++)
            RP_CHECK(once(*t));
        if (!rp_graph_recorded(rp_team_graph(*t))) {
            rp_graph_get_stats(rp_team_graph(*t), &stats);
            return rp_fail(RP_ERR_UNSUPPORTED, "frames in step were not recorded: %s", stats.reason);
        }
        RP_CHECK(compare(m, *t, identical));
    }
    return 0;
}

static int rate(struct march *m, int n, double *fps)
{
    for (int i = 0; i < n; i++)
        RP_CHECK(once(m->team[i]));
    return rp_team_rate(m->team, n, m->b->o->quick ? 0.3 : 0.8, fps);
}

/* So many frames a launch, with more and more launches at once. */
static int march(struct march *m, int frames, json_t *runs, double *best, json_t *out)
{
    int ret;
    double fps;
    bool identical = true;
    const double before = rp_bench_free(m->b);

    RP_TRY(eager(m, frames));
    for (int n = 1; n <= MOST_LAUNCHES && rp_bench_room(m->b, before); n *= 2) {
        RP_TRY(more_teams(m, n, frames, &identical));
        RP_TRY(rate(m, n, &fps));
        json_array_append_new(runs, json_pack("{s:i,s:i,s:f,s:b}", "frames", frames, "slots", n, "fps",
                                              fps, "identical", identical));
        if (fps <= *best)
            continue;
        *best = fps;
        rp_bench_put(out, "frames", json_integer(frames));
        rp_bench_put(out, "slots", json_integer(n));
        rp_bench_number(out, "fps", fps);
        rp_bench_put(out, "identical", json_boolean(identical));
    }

fail:
    for (int i = 0; i < m->n; i++)
        rp_team_destroy(&m->team[i]);
    m->n = 0;
    return ret;
}

json_t *rp_bench_in_step(struct rp_bench *b, const struct rp_plan *plan, struct rp_media_frame *frame,
                         int variants)
{
    int ret = 0;
    double best = 0;
    json_t *const out = json_object(), *const runs = json_array();
    struct march m = {.b = b, .plan = *plan, .graph = b->graph, .frame = frame, .variants = variants};

    m.plan.graph = &m.graph;
    for (int frames = b->o->quick ? RP_MAX_GANG : 2; frames <= RP_MAX_GANG && ret >= 0; frames *= 2)
        ret = march(&m, frames, runs, &best, out);
    if (ret < 0)
        rp_bench_reason(out, "reason");
    rp_bench_put(out, "runs", runs);
    free(m.want);
    free(m.got);
    return out;
}
