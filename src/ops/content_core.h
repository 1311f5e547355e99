/* The content check's rules. */
#ifndef RP_OPS_CONTENT_CORE_H
#define RP_OPS_CONTENT_CORE_H

#include "ops/core.h"
#include "ops/math_core.h"
#include "ops/ops.h"

/* Where the scores of nsfw_1's output [4 + classes][cells] begin; rows 0 to 3 are boxes. */
RP_FN int rp_content_from(const struct rp_op_content_vote *a)
{
    return a->row > 0 && a->row <= (a->n - 1) / 4 ? 4 * a->row : a->n;
}

/* The largest of the numbers from `from` on; NaN if one is NaN, 0 if there are none. */
RP_FN float rp_content_largest(const float *src, int from, int n)
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

/* best: rp_content_largest() for nsfw_1, else unused. */
RP_FN float rp_content_score(const struct rp_op_content_vote *a, float best)
{
    const float *const d = a->src;

    switch (a->kind) {
    case RP_CONTENT_NSFWJS: /* drawing, hentai, neutral, porn, sexy */
        return a->n >= 5 ? d[1] + d[3] : 0;
    case RP_CONTENT_NSFW_1:
        return best;
    case RP_CONTENT_NSFW_2:
        return a->n >= 2 ? d[0] - d[1] : 0;
    case RP_CONTENT_NSFW_3:
        return a->n >= 4 ? (d[2] + d[3]) - (d[0] + d[1]) : 0;
    default:
        return 0;
    }
}

/* A score that is not a number is a vote against the frame: a failed check must not clear it. */
RP_FN void rp_content_one(const struct rp_op_content_vote *a, float score)
{
    const float limit = a->kind == RP_CONTENT_NSFWJS   ? 0.5f
                        : a->kind == RP_CONTENT_NSFW_1 ? 0.2f
                        : a->kind == RP_CONTENT_NSFW_2 ? 0.25f
                                                    : 10.5f;
    struct rp_verdict *const v = a->dst;

    v->votes += !(score <= limit);
    v->last_score = score;
    if (!a->votes)
        return;
    v->last_positive = v->votes >= a->votes;
    v->positive += v->last_positive;
    v->checked++;
    v->votes = 0;
}

#endif /* RP_OPS_CONTENT_CORE_H */
