/* The content check's rules. */
#ifndef RP_OPS_GATE_CORE_H
#define RP_OPS_GATE_CORE_H

#include "ops/core.h"
#include "ops/math_core.h"
#include "ops/ops.h"

/* Cells of nsfw_1's output [4 + classes][8400] for its 640x640 input; rows 0 to 3 are boxes. */
#define RP_NSFW_1_CELLS 8400

/* The largest of the numbers from `from` on; NaN if one is NaN, 0 if there are none. */
RP_FN float rp_gate_largest(const float *src, int from, int n)
{
    float best = 0;

    for (int i = from; i < n; i++) {
        if (src[i] != src[i])
            return src[i];
        if (i == from || src[i] > best)
            best = src[i];
    }
    return best;
}

/* best: rp_gate_largest() of nsfw_1, unused else. */
RP_FN float rp_gate_score(const struct rp_op_gate *a, float best)
{
    const float *const d = a->src;

    switch (a->kind) {
    case RP_GATE_NSFWJS: /* drawing, hentai, neutral, porn, sexy */
        return a->n >= 5 ? d[1] + d[3] : 0;
    case RP_GATE_NSFW_1:
        return best;
    case RP_GATE_NSFW_2:
        return a->n >= 2 ? d[0] - d[1] : 0;
    case RP_GATE_NSFW_3:
        return a->n >= 4 ? (d[2] + d[3]) - (d[0] + d[1]) : 0;
    default:
        return 0;
    }
}

/* A score that is not a number counts as positive: a check that failed has not cleared the frame.
 */
RP_FN void rp_gate_one(const struct rp_op_gate *a, float score)
{
    const float limit = a->kind == RP_GATE_NSFWJS   ? 0.5f
                        : a->kind == RP_GATE_NSFW_1 ? 0.2f
                        : a->kind == RP_GATE_NSFW_2 ? 0.25f
                                                    : 10.5f;
    const int positive = !(score <= limit);

    a->dst->checked++;
    a->dst->positive += positive;
    a->dst->last_score = score;
    a->dst->last_positive = positive;
}

#endif /* RP_OPS_GATE_CORE_H */
