/* Which faces are worked on. Each face finds its own place (how many come before it), so the order
 * of execution does not matter. */
#ifndef RP_OPS_SELECT_CORE_H
#define RP_OPS_SELECT_CORE_H

#include "ops/core.h"
#include "ops/detect_core.h"
#include "ops/face_core.h"
#include "ops/ops.h"

/* Does a face pass the filters of gender, race and age? With an unknown attribute it does not. */
RP_FN int rp_select_passes(const struct rp_op_select *a, const struct rp_dface *f)
{
    if (a->gender && (!(f->has & RP_HAS_GENDER) || f->gender != a->gender))
        return 0;
    if (a->race && (!(f->has & RP_HAS_RACE) || f->race != a->race))
        return 0;
    if (a->age_from > 0 || a->age_to > 0) {
        const int from = f->age_from > a->age_from ? f->age_from : a->age_from;
        const int to = f->age_to < a->age_to ? f->age_to : a->age_to;
        return (f->has & RP_HAS_AGE) && from < to;
    }
    return 1;
}

/* Smaller comes first. */
RP_FN uint32_t rp_select_key(const struct rp_op_select *a, const struct rp_dface *f)
{
    const float area = (f->box[2] - f->box[0]) * (f->box[3] - f->box[1]);

    switch (a->order) {
    case RP_ORDER_LEFT_RIGHT:
        return rp_order_key(f->box[0]);
    case RP_ORDER_RIGHT_LEFT:
        return ~rp_order_key(f->box[0]);
    case RP_ORDER_TOP_BOTTOM:
        return rp_order_key(f->box[1]);
    case RP_ORDER_BOTTOM_TOP:
        return ~rp_order_key(f->box[1]);
    case RP_ORDER_SMALL_LARGE:
        return rp_order_key(area);
    case RP_ORDER_LARGE_SMALL:
        return ~rp_order_key(area);
    case RP_ORDER_BEST_WORST:
        return ~rp_order_key(f->score);
    case RP_ORDER_WORST_BEST:
        return rp_order_key(f->score);
    default:
        return 0;
    }
}

/* Cosine of two unit vectors; products of floats are exact in double, the sum is rp_sum_512. */
RP_FN double rp_embedding_dot(const float p[512], const float q[512])
{
    double s[512];

    for (int i = 0; i < 512; i++)
        s[i] = (double) p[i] * q[i];
    return rp_sum_512(s);
}

/* FaceFusion's rule: half of 1 - cos, limited to 0..1, is smaller than the setting. */
RP_FN int rp_embedding_near(double dot, float distance)
{
    const double d = (1 - dot) / 2;

    return (d < 0 ? 0 : d > 1 ? 1 : d) < distance;
}

RP_FN int rp_select_matches(const struct rp_op_select *a, const struct rp_dface *f)
{
    int n = a->references ? a->references->count : 0;

    if (n > RP_MAX_REFERENCES)
        n = RP_MAX_REFERENCES;
    if (!(f->has & RP_HAS_EMBEDDING))
        return 0;
    for (int i = 0; i < n; i++)
        if (rp_embedding_near(rp_embedding_dot(f->embedding_norm, a->references->embedding_norm[i]),
                              a->distance))
            return 1;
    return 0;
}

/* Do the references decide? */
RP_FN int rp_select_by_reference(const struct rp_op_select *a)
{
    return a->mode == RP_SELECT_REFERENCE || a->mode == RP_SELECT_ALL_BUT;
}

/* The answer for a face that is like a reference, or is not. Whoever is to be kept must be known:
 * a face of which nothing is known is none of the references. */
RP_FN int rp_select_decide(const struct rp_op_select *a, const struct rp_dface *f, int like)
{
    if (f->origin == RP_FACE_HELD && !a->held)
        return 0;
    return a->mode == RP_SELECT_ALL_BUT ? !like : like;
}

/* Is this face selected? */
RP_FN int rp_select_in(const struct rp_op_select *a, const struct rp_dface *f)
{
    const int by = rp_select_by_reference(a);

    return rp_select_decide(a, f, by ? rp_select_matches(a, f) : rp_select_passes(a, f));
}

/* Place of face i among those of the n faces that have in[] set: by key, then by position. */
RP_FN int rp_select_place(const uint8_t *in, const uint32_t *key, int n, int i)
{
    int place = 0;

    for (int j = 0; j < n; j++)
        place += in[j] && (key[j] < key[i] || (j < i && key[j] == key[i]));
    return place;
}

#endif /* RP_OPS_SELECT_CORE_H */
