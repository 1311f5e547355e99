#include "pipeline/plan.h"

#include <math.h>

int rp_scaled_side(int side, double scale)
{
    const int whole = (int) (side * scale);

    return scale == 1 ? side : RP_MAX(2, (int) rint(whole / 2.0) * 2);
}

void rp_plan_shrink(const struct rp_plan *plan, int *w, int *h)
{
    if (plan->shrink > 0) {
        *w = rp_scaled_side(*w, plan->shrink);
        *h = rp_scaled_side(*h, plan->shrink);
    }
}

static int check_size(const struct rp_processor *def, int w, int h, int out_w, int out_h)
{
    if (out_w <= 32768 && out_h <= 32768 && (int64_t) out_w * out_h <= 1 << 28)
        return 0;
    return rp_fail(RP_ERR_LIMIT, "%s: %dx%d would become %dx%d; a frame has at most 32768 pixels a "
                   "side and 2^28 in all", def->name, w, h, out_w, out_h);
}

int rp_plan_size(const struct rp_plan *plan, int w, int h, int *out_w, int *out_h)
{
    rp_plan_shrink(plan, &w, &h);
    *out_w = w;
    *out_h = h;
    for (int i = 0; i < plan->nprocessors; i++) {
        const struct rp_processor *const def = plan->processor[i].def;

        if (!def->size)
            continue;
        def->size(plan->processor[i].self, w, h, out_w, out_h);
        RP_CHECK(check_size(def, w, h, *out_w, *out_h));
        w = *out_w;
        h = *out_h;
    }
    return 0;
}

static bool goes_alone(const struct rp_plan *plan)
{
    return !plan->graph || plan->split || plan->graph->mode == RP_GRAPH_MODEL;
}

int rp_plan_frames(const struct rp_plan *plan)
{
    if (goes_alone(plan))
        return 1;
    return RP_MAX(rp_plan_frames_are_open(plan) ? plan->frames : rp_graph_frames(plan->graph), 1);
}

bool rp_plan_frames_are_open(const struct rp_plan *plan)
{
    return !goes_alone(plan) && rp_graph_frames(plan->graph) == 0;
}
