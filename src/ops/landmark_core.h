/* Landmark networks' output to a face. The heat maps are the only large input: their maxima can be
 * found in any order; one thread does the rest. */
#ifndef RP_OPS_LANDMARK_CORE_H
#define RP_OPS_LANDMARK_CORE_H

#include "ops/core.h"
#include "ops/face_core.h"
#include "ops/geometry_core.h"
#include "ops/math_core.h"
#include "ops/ops.h"

#define RP_HEAT_SIZE (64 * 64)

/* a if it is larger, else b: so NaN never wins, and a maximum does not depend on the order. */
RP_FN float rp_larger(float a, float b)
{
    return a > b ? a : b;
}

/* Mean of 68 numbers, every `step`-th, mapped from 0..top to 0..1; 0 if it is not finite. */
RP_FN float rp_landmark_score(const float *v, int step, double top)
{
    double sum = 0;

    for (int i = 0; i < 68; i++)
        sum += v[(size_t) i * step];
    sum = sum / 68 / top;
    return (float) (!rp_finite(sum) || sum < 0 ? 0 : sum > 1 ? 1 : sum);
}

/* Numbers a point has in t[0]. */
RP_FN int rp_landmark_columns(int kind)
{
    return kind == RP_LANDMARK_BOX_68 || kind == RP_LANDMARK_FAN_68_5 ? 2 : 3;
}

/* Point i in the frame. Returns 0, or NaN if a coordinate is not finite. */
RP_FN float rp_landmark_point(const struct rp_op_landmarks *a, int i, float point[2])
{
    const int five = a->kind == RP_LANDMARK_FAN_68_5, columns = rp_landmark_columns(a->kind);
    /* The network's units in crop pixels; fan_68_5 uses the crop's unit square. */
    const double ux = a->kind == RP_LANDMARK_BOX_68 ? a->w : five ? 1 : a->w / 64.0;
    const double uy = a->kind == RP_LANDMARK_BOX_68 ? a->h : five ? 1 : a->h / 64.0;
    double p[2];

    rp_affine_apply(a->affine->inv, a->t[0][columns * i] * ux, a->t[0][columns * i + 1] * uy, p);
    point[0] = (float) p[0];
    point[1] = (float) p[1];
    return point[0] * 0 + point[1] * 0;
}

/* How sure the network is, from one number per point; 0 for fan_68_5, which does not say. */
RP_FN float rp_landmarks_score(int kind, const float *v, int step)
{
    switch (kind) {
    case RP_LANDMARK_BOX_68:
        return 1;
    case RP_LANDMARK_2DFAN4:
        return rp_landmark_score(v, step, 0.9);
    case RP_LANDMARK_PEPPA:
        return rp_landmark_score(v, step, 0.95);
    default:
        return 0;
    }
}

/* FaceFusion's rule for two landmarkers: 2dfan4, which comes first, may score 0.2 less and still
 * stays. */
RP_FN int rp_landmarks_first_stays(const struct rp_op_landmarks *a, float first, float second,
                                   int broken)
{
    return a->second && (broken || first > second - 0.2f);
}

/* peaks: the maximum of each of the 68 heat maps (RP_LANDMARK_2DFAN4 only). If a point is not
 * finite, the face keeps its points and the score is 0, so that the detector's points are used. */
RP_FN void rp_landmarks_one(const struct rp_op_landmarks *a, const float *peaks)
{
    struct rp_dface *const f = a->face;
    const int five = a->kind == RP_LANDMARK_FAN_68_5;
    float points[136], bad = 0;

    for (int i = 0; i < 68; i++)
        bad += rp_landmark_point(a, i, points + 2 * i);
    const int peppa = a->kind == RP_LANDMARK_PEPPA;
    const float score =
        bad != 0 ? 0 : rp_landmarks_score(a->kind, peppa ? a->t[0] + 2 : peaks, peppa ? 3 : 1);
    if (rp_landmarks_first_stays(a, f->landmark_score, score, bad != 0))
        return;
    f->landmark_score = score;
    if (five)
        for (int i = 0; i < 10; i++)
            f->lm5_68[i] = f->lm5[i];
    if (bad != 0)
        return;

    for (int i = 0; i < 136; i++)
        f->lm68[i] = points[i];
    if (five) {
        for (int i = 0; i < 136; i++)
            f->lm68_5[i] = points[i];
        f->angle = rp_face_angle(points);
    }
}

#endif /* RP_OPS_LANDMARK_CORE_H */
