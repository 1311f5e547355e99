#include "pipeline/tune.h"

#define MOST 8
#define GAIN 1.05        /* doubling the slots must bring at least this */
#define LOCKSTEP_GAIN 1.1 /* and more frames in lockstep this: recording them takes longer */
#define MEASURE 0.25     /* seconds for each number */
#define SPARE (1u << 30) /* bytes of device memory that stay free */

/* Is there memory for `want` programs as large as those so far? A reserve stays free. */
static bool room_for(const struct rp_plan *plan, struct rp_program *const *program, int have,
                     int want)
{
    size_t used = 0, free_bytes = 0, total = 0;
    const struct rp_device_fns *const fns = plan->device->fns;

    for (int i = 0; i < have; i++)
        used += rp_program_buffers(program[i]) + rp_program_pool(program[i]);
    const size_t need = have ? used / (size_t) have * (size_t) (want - have) : 0;
    if (plan->graph->memory && used + need > (size_t) plan->graph->memory)
        return false;
    return fns->memory(plan->device, &free_bytes, &total) < 0 || free_bytes > need + SPARE;
}

/* One more program, recorded. */
static int add(const struct rp_plan *plan, struct rp_media_frame *frame, int frames,
               struct rp_program **out)
{
    struct rp_frame_result result[RP_MAX_LANES];
    struct rp_program_params params = rp_program_params_for(frame);

    params.frames = frames;
    params.resident = true;
    RP_CHECK(rp_program_create(out, plan, &params));
    RP_CHECK(rp_program_load_all(*out, frame));
    for (int i = 0; i < 3; i++) {
        RP_CHECK(rp_program_repeat(*out));
        RP_CHECK(rp_program_finish(*out, result));
    }
    return 0;
}

/* What is measured: launches of so many frames each. */
struct bench {
    struct rp_plan plan;             /* the job's, but for what is counted */
    int recorded[RP_PASS_COUNT + 1]; /* of these launches: others run other networks */
    struct rp_media_frame *frame;
    struct rp_program *program[MOST];
    int have, frames;
};

static void clear(struct bench *b)
{
    for (int i = 0; i < b->have; i++)
        rp_program_destroy(&b->program[i]);
    b->have = 0;
}

static int measure(void *priv, struct rp_launches way, double *fps)
{
    struct bench *const b = priv;

    *fps = 0;
    if (b->frames != way.frames) {
        clear(b);
        memset(b->recorded, 0, sizeof(b->recorded));
    }
    b->frames = way.frames;
    if (!room_for(&b->plan, b->program, b->have, way.slots))
        return 0;
    while (b->have < way.slots) {
        const int ret = add(&b->plan, b->frame, way.frames, &b->program[b->have]);

        if (ret < 0 && !b->program[b->have])
            return ret;
        b->have++;
        RP_CHECK(ret);
    }
    const struct rp_graph *const graph = rp_program_graph(b->program[0]);
    if (!graph || !rp_graph_recorded(graph))
        return 0;
    RP_CHECK(rp_program_rate(b->program, way.slots, MEASURE, fps));
    rp_log(RP_LOG_DEBUG, "%d slot%s of %d frame%s: %.1f frames/s", way.slots,
           way.slots == 1 ? "" : "s", way.frames, way.frames == 1 ? "" : "s", *fps);
    return 0;
}

/* More and more slots of so many frames, until more of them gain too little. */
static int search_slots(rp_rate_fn *rate, void *priv, struct rp_launches *best, double *fps)
{
    double now;

    *fps = 0;
    best->slots = 1;
    for (int n = 1; n <= MOST; n *= 2) {
        RP_CHECK(rate(priv, (struct rp_launches){best->frames, n}, &now));
        if (now <= *fps * GAIN)
            break;
        *fps = now;
        best->slots = n;
    }
    return 0;
}

int rp_tune_search(rp_rate_fn *rate, void *priv, bool lockstep, struct rp_launches *best)
{
    double fps, now;

    RP_CHECK(search_slots(rate, priv, best, &fps));
    for (int frames = 4; lockstep && fps > 0 && frames <= RP_MAX_LANES; frames *= 2) {
        struct rp_launches way = {.frames = frames};

        rp_log_hold(true);
        const int ret = search_slots(rate, priv, &way, &now);
        rp_log_hold(false);
        if (ret < 0)
            rp_log(RP_LOG_DEBUG, "not %d frames in lockstep: %s", frames, rp_last_error());
        if (ret < 0 || now <= fps * LOCKSTEP_GAIN)
            break;
        fps = now;
        *best = way;
    }
    return 0;
}

static bool recall(struct rp_cache *cache, const char *key, struct rp_launches *out)
{
    json_t *const entry = rp_cache_get(cache, key);
    const int slots = (int) json_integer_value(json_object_get(entry, "slots"));
    const int frames = (int) json_integer_value(json_object_get(entry, "frames"));
    const bool known = slots >= 1 && slots <= MOST && frames >= 1 && frames <= RP_MAX_LANES;

    json_decref(entry);
    if (known)
        *out = (struct rp_launches){frames, slots};
    return known;
}

int rp_tune_launches(struct rp_cache *cache, const char *key, const struct rp_plan *plan,
                     struct rp_media_frame *frame, bool lockstep, struct rp_launches *out)
{
    json_t *entry;
    const double start = rp_now();
    struct bench bench = {.plan = *plan, .frame = frame};

    bench.plan.recorded = bench.recorded;
    if (recall(cache, key, out))
        return 0;
    out->slots = RP_SOME_SLOTS;
    if (!frame)
        return 0;
    rp_log(RP_LOG_INFO, "measuring how many frames this GPU takes at the same time, once");
    const int ret = rp_tune_search(measure, &bench, lockstep, out);
    clear(&bench);
    RP_CHECK(ret);
    rp_log(RP_LOG_INFO, "%d launches of %d frame%s in flight, measured in %.1f seconds", out->slots,
           out->frames, out->frames == 1 ? "" : "s", rp_now() - start);
    if ((entry = json_pack("{s:i,s:i}", "slots", out->slots, "frames", out->frames))) {
        rp_cache_put(cache, key, entry);
        json_decref(entry);
    }
    return 0;
}
