#include "pipeline/tune.h"

#define MOST 8
#define GAIN 1.05        /* doubling the slots must bring at least this */
#define MEASURE 0.25     /* seconds for each number */
#define SPARE (1u << 30) /* device memory that is left free */

/* Memory of one more team: what the ones so far took, and a reserve. */
static bool room_for(const struct rp_plan *plan, struct rp_team *const *team, int have, int want)
{
    size_t used = 0, free_bytes = 0, total = 0;
    const struct rp_device_fns *const fns = plan->device->fns;

    for (int i = 0; i < have; i++)
        used += rp_team_bytes(team[i]) + rp_team_pool_bytes(team[i]);
    const size_t need = have ? used / (size_t) have * (size_t) (want - have) : 0;
    if (plan->graph->memory && used + need > (size_t) plan->graph->memory)
        return false;
    return fns->memory(plan->device, &free_bytes, &total) < 0 || free_bytes > need + SPARE;
}

/* One more team, recorded. */
static int add(const struct rp_plan *plan, struct rp_media_frame *frame, struct rp_team **out)
{
    struct rp_frame_result result[RP_MAX_GANG];

    RP_CHECK(rp_team_create(out, plan, frame->w, frame->h, frame->fmt, rp_plan_frames(plan)));
    RP_CHECK(rp_team_place(*out, frame));
    for (int i = 0; i < 3; i++) {
        RP_CHECK(rp_team_repeat(*out));
        RP_CHECK(rp_team_finish(*out, result));
    }
    return 0;
}

static int try_all(const struct rp_plan *plan, struct rp_media_frame *frame,
                   struct rp_team **team, int *slots)
{
    int have = 0;
    double best = 0, fps;

    *slots = 1;
    for (int n = 1; n <= MOST && room_for(plan, team, have, n); n *= 2) {
        for (; have < n; have++)
            RP_CHECK(add(plan, frame, &team[have]));
        const struct rp_graph *const graph = rp_team_graph(team[0]);
        if (!graph || !rp_graph_recorded(graph))
            return 0;
        RP_CHECK(rp_team_rate(team, n, MEASURE, &fps));
        rp_log(RP_LOG_DEBUG, "%d slot%s: %.1f frames/s", n, n == 1 ? "" : "s", fps);
        if (fps < best * GAIN)
            break;
        best = fps;
        *slots = n;
    }
    return 0;
}

int rp_tune_slots(struct rp_plans *plans, const char *key, const struct rp_plan *plan,
                  struct rp_media_frame *frame, int *slots)
{
    int ret;
    const double start = rp_now();
    struct rp_team *team[MOST] = {0};
    json_t *entry = rp_plan_get(plans, key);
    const int known = (int) json_integer_value(json_object_get(entry, "slots"));

    json_decref(entry);
    if (known >= 1 && known <= MOST) {
        *slots = known;
        return 0;
    }
    ret = try_all(plan, frame, team, slots);
    for (int i = 0; i < MOST; i++)
        rp_team_destroy(&team[i]);
    if (ret < 0)
        return ret;
    rp_log(RP_LOG_INFO, "%d frames in flight, measured in %.1f seconds", *slots, rp_now() - start);
    if ((entry = json_pack("{s:i}", "slots", *slots))) {
        rp_plan_put(plans, key, entry);
        json_decref(entry);
    }
    return 0;
}
