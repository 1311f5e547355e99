/* Age, gender and race from a classifier's output. */
#ifndef RP_OPS_CLASSIFY_CORE_H
#define RP_OPS_CLASSIFY_CORE_H

#include "ops/core.h"
#include "ops/math_core.h"
#include "ops/ops.h"
#include "reprise/reprise.h"

/* FairFace's age classes in FaceFusion's ranges: the end is excluded, so some ages belong to none
 * (2, 9, 19 ...). Ids past the last count as the last. */
RP_FN void rp_age_class(struct rp_dface *f, int64_t id)
{
    const int from[9] = {0, 3, 10, 20, 30, 40, 50, 60, 70};
    const int to[9] = {2, 9, 19, 29, 39, 49, 59, 69, 100};
    const int i = id >= 0 && id < 8 ? (int) id : 8;

    f->age_from = from[i];
    f->age_to = to[i];
    f->has |= RP_HAS_AGE;
}

/* The merge of the SSR-Net paper ("A Compact Soft Stagewise Regression Network for Age
 * Estimation"), with its shift and scale weights both 1. Stage k has 3 bins with probabilities p,
 * shifts o of the bin indices and a shift d of the bin width. The outputs of both lite models come
 * in this order: t[0..2] prob_stage_1..3 [3], t[3..5] stage1..3_delta_k [1], t[6..8]
 * index_offset_stage1..3 [3] value = sum over k of  sum over i of (i + o_k[i]) p_k[i]  /  product
 * over j <= k of 3 (1 + d_j) */
RP_FN double rp_ssr_merge(const void *const t[9])
{
    double value = 0, width = 1;

    for (int k = 0; k < 3; k++) {
        const float *const p = (const float *) t[k], *const o = (const float *) t[6 + k];
        double sum = 0;
        for (int i = 0; i < 3; i++)
            sum += (i + (double) o[i]) * p[i];
        width *= 3 * (1 + (double) *(const float *) t[3 + k]);
        value += sum / width;
    }
    return value;
}

/* If a result is not a number, the attribute stays unknown. */
RP_FN void rp_classify_one(const struct rp_op_classify *a)
{
    struct rp_dface *const f = a->face;

    if (a->kind == RP_CLASSIFY_FAIRFACE) {
        const int races[7] = {RP_WHITE, RP_BLACK,  RP_LATINO, RP_ASIAN,
                              RP_ASIAN, RP_INDIAN, RP_ARABIC};
        const int64_t race = *(const int64_t *) a->t[0];

        f->race = race >= 0 && race < 7 ? races[race] : RP_WHITE;
        f->gender = *(const int64_t *) a->t[1] == 1 ? RP_FEMALE : RP_MALE;
        rp_age_class(f, *(const int64_t *) a->t[2]);
        f->has |= RP_HAS_RACE | RP_HAS_GENDER;
        return;
    }

    const double value = rp_ssr_merge(a->t);
    if (a->kind == RP_CLASSIFY_SSR_GENDER) {
        f->gender = !rp_finite(value) ? RP_GENDER_UNKNOWN : value > 0.5 ? RP_MALE : RP_FEMALE;
        f->has &= ~(uint32_t) RP_HAS_GENDER;
        f->has |= f->gender ? RP_HAS_GENDER : 0;
    } else if (a->kind == RP_CLASSIFY_SSR_AGE) {
        const double age = value * 101;
        f->age_from = f->age_to = 0;
        f->has &= ~(uint32_t) RP_HAS_AGE;
        if (rp_finite(age))
            rp_age_class(f, age < 3 ? 0 : age < 10 ? 1 : age < 80 ? (int) (age / 10) + 1 : 8);
    }
}

#endif /* RP_OPS_CLASSIFY_CORE_H */
