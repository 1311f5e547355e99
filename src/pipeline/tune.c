#include "pipeline/tune.h"

#define MOST 8
#define GAIN 1.05        /* doubling the slots must bring at least this */
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
static int add(const struct rp_plan *plan, struct rp_media_frame *frame, struct rp_program **out)
{
    struct rp_frame_result result[RP_MAX_LANES];
    struct rp_program_params params = rp_program_params_for(frame);

    params.frames = rp_plan_frames(plan);
    params.resident = true;
    RP_CHECK(rp_program_create(out, plan, &params));
    RP_CHECK(rp_program_load_all(*out, frame));
    for (int i = 0; i < 3; i++) {
        RP_CHECK(rp_program_repeat(*out));
        RP_CHECK(rp_program_finish(*out, result));
    }
    return 0;
}

static int try_all(const struct rp_plan *plan, struct rp_media_frame *frame,
                   struct rp_program **program, int *slots)
{
    int have = 0;
    double best = 0, fps;

    *slots = 1;
    for (int n = 1; n <= MOST && room_for(plan, program, have, n); n *= 2) {
        for (; have < n; have++)
            RP_CHECK(add(plan, frame, &program[have]));
        const struct rp_graph *const graph = rp_program_graph(program[0]);
        if (!graph || !rp_graph_recorded(graph))
            return 0;
        RP_CHECK(rp_program_rate(program, n, MEASURE, &fps));
        rp_log(RP_LOG_DEBUG, "%d slot%s: %.1f frames/s", n, n == 1 ? "" : "s", fps);
        if (fps < best * GAIN)
            break;
        best = fps;
        *slots = n;
    }
    return 0;
}

int rp_tune_slots(struct rp_cache *cache, const char *key, const struct rp_plan *plan,
                  struct rp_media_frame *frame, int *slots)
{
    int ret;
    const double start = rp_now();
    struct rp_program *program[MOST] = {0};
    json_t *entry = rp_cache_get(cache, key);
    const int known = (int) json_integer_value(json_object_get(entry, "slots"));

    json_decref(entry);
    if (known >= 1 && known <= MOST) {
        *slots = known;
        return 0;
    }
    if (!frame) {
        *slots = RP_SOME_SLOTS;
        return 0;
    }
    ret = try_all(plan, frame, program, slots);
    for (int i = 0; i < MOST; i++)
        rp_program_destroy(&program[i]);
    if (ret < 0)
        return ret;
    rp_log(RP_LOG_INFO, "%d frames in flight, measured in %.1f seconds", *slots, rp_now() - start);
    if ((entry = json_pack("{s:i}", "slots", *slots))) {
        rp_cache_put(cache, key, entry);
        json_decref(entry);
    }
    return 0;
}
