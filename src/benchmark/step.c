/* Frames in lockstep: 2, 4 and 8 frames a launch, one and several launches in flight. */
#include "benchmark/benchmark.h"

#include "pipeline/program.h"

#define MOST_LAUNCHES 4

struct march {
    struct rp_bench *b;
    struct rp_plan plan;
    struct rp_graph_options graph;
    struct rp_media_frame *frame; /* of which launches take one after the other */
    int variants;
    struct rp_program *team[MOST_LAUNCHES];
    int n;
    size_t bytes;                 /* of a resulting frame */
    uint8_t *want, *got;          /* results of RP_MAX_LANES frames; of one */
};

static int once(struct rp_program *t)
{
    struct rp_frame_result result[RP_MAX_LANES];

    RP_CHECK(rp_program_repeat(t));
    return rp_program_finish(t, result);
}

/* Frame i of the launch is the i-th variant. */
static int place_all(struct march *m, struct rp_program *t)
{
    for (int i = 0; i < rp_program_frames(t); i++)
        RP_CHECK(rp_program_load(t, i, &m->frame[i % m->variants]));
    return 0;
}

static int create(struct march *m, int frames, struct rp_program **out)
{
    struct rp_program_params params = rp_program_params_for(m->frame);

    params.frames = frames;
    params.resident = true;
    return rp_program_create(out, &m->plan, &params);
}

/* The results of eager work on these frames in lockstep. */
static int eager(struct march *m, int frames)
{
    int ret;
    struct rp_program *t = NULL;

    m->graph.mode = RP_GRAPH_OFF;
    RP_TRY(create(m, frames, &t));
    m->bytes = rp_program_bytes(t);
    free(m->want);
    free(m->got);
    m->want = malloc(m->bytes * RP_MAX_LANES);
    m->got = malloc(m->bytes);
    if (!m->want || !m->got) {
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
        goto fail;
    }
    RP_TRY(place_all(m, t));
    RP_TRY(once(t));
    for (int i = 0; i < frames; i++)
        RP_TRY(rp_program_pixels(t, i, m->want + (size_t) i * m->bytes));

fail:
    rp_program_destroy(&t);
    return ret;
}

static int compare(struct march *m, struct rp_program *t, bool *identical)
{
    RP_CHECK(place_all(m, t));
    for (int round = 0; round < 3; round++)
        RP_CHECK(once(t));
    for (int i = 0; i < rp_program_frames(t); i++) {
        RP_CHECK(rp_program_pixels(t, i, m->got));
        *identical &= !memcmp(m->got, m->want + (size_t) i * m->bytes, m->bytes);
    }
    return 0;
}

static int more_teams(struct march *m, int n, int frames, bool *identical)
{
    struct rp_graph_stats stats;

    m->graph.mode = RP_GRAPH_FRAME;
    while (m->n < n) {
        struct rp_program **const t = &m->team[m->n++];

        RP_CHECK(create(m, frames, t));
        RP_CHECK(place_all(m, *t));
        for (int i = 0; i < 3; i++)
            RP_CHECK(once(*t));
        if (!rp_graph_recorded(rp_program_graph(*t))) {
            rp_graph_get_stats(rp_program_graph(*t), &stats);
            return rp_fail(RP_ERR_UNSUPPORTED, "frames in lockstep were not recorded: %s",
                           stats.reason);
        }
        RP_CHECK(compare(m, *t, identical));
    }
    return 0;
}

static int rate(struct march *m, int n, double *fps)
{
    for (int i = 0; i < n; i++)
        RP_CHECK(once(m->team[i]));
    return rp_program_rate(m->team, n, m->b->o->quick ? 0.3 : 0.8, fps);
}

/* Measures this number of frames a launch, with more and more launches in flight. */
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
        json_array_append_new(runs, json_pack("{s:i,s:i,s:f,s:b}", "frames", frames, "slots", n,
                                              "fps", fps, "identical", identical));
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
        rp_program_destroy(&m->team[i]);
    m->n = 0;
    return ret;
}

json_t *rp_bench_lockstep(struct rp_bench *b, const struct rp_plan *plan,
                          struct rp_media_frame *frame, int variants)
{
    int ret = 0;
    double best = 0;
    json_t *const out = json_object(), *const runs = json_array();
    struct march m = {
        .b = b, .plan = *plan, .graph = b->graph, .frame = frame, .variants = variants};

    m.plan.graph = &m.graph;
    for (int frames = b->o->quick ? RP_MAX_LANES : 2; frames <= RP_MAX_LANES && ret >= 0;
         frames *= 2)
        ret = march(&m, frames, runs, &best, out);
    if (ret < 0)
        rp_bench_reason(out, "reason");
    rp_bench_put(out, "runs", runs);
    free(m.want);
    free(m.got);
    return out;
}
