/* Small steps on one face: fixed sums, points, angle, embedding. */
#ifndef RP_OPS_FACE_CORE_H
#define RP_OPS_FACE_CORE_H

#include <math.h>

#include "ops/core.h"
#include "ops/math_core.h"
#include "ops/ops.h"
#include "reprise/reprise.h"

RP_FN int rp_faces_stored(const struct rp_dfaces *f)
{
    return f->count < 0 ? 0 : f->count < RP_MAX_FACES ? f->count : RP_MAX_FACES;
}

/* Index of the face that face_load reads or face_store writes, -1 if there is none. */
RP_FN int rp_face_slot(const struct rp_dfaces *faces, const int32_t *index)
{
    return *index >= 0 && *index < rp_faces_stored(faces) ? *index : -1;
}

/* Index of the face that face_pick reads, -1 if there is none. */
RP_FN int rp_face_chosen(const struct rp_op_face_pick *a)
{
    const int32_t i = *a->index;

    if (i < 0 || i >= a->selection->count || i >= RP_MAX_FACES)
        return -1;
    return rp_face_slot(a->faces, &a->selection->index[i]);
}

#define RP_FACE_COORDINATES (4 + 10 + 10 + 136 + 136)

/* Coordinate i of a face: x where i is even, else y. */
RP_FN float *rp_face_coordinate(struct rp_dface *f, int i)
{
    if (i < 4)
        return &f->box[i];
    if (i < 14)
        return &f->lm5[i - 4];
    if (i < 24)
        return &f->lm5_68[i - 14];
    return i < 160 ? &f->lm68[i - 24] : &f->lm68_5[i - 160];
}

RP_FN void rp_face_scale_one(struct rp_dface *f, int i, float x, float y)
{
    *rp_face_coordinate(f, i) *= i & 1 ? y : x;
}

/* The order in which 512 numbers are added everywhere: s[i] += s[i + k] for k = 256, 128 ... 1,
 * which 512 threads can do as well. Overwrites s. */
RP_FN double rp_sum_512(double s[512])
{
    for (int k = 256; k; k /= 2)
        for (int i = 0; i < k; i++)
            s[i] += s[i + k];
    return s[0];
}

/* The length of an embedding with this sum of squares; 0 if it has no direction (zeros, NaN). */
RP_FN double rp_embedding_length(double squares)
{
    return squares > 0 && rp_finite(squares) ? sqrt(squares) : 0;
}

RP_FN void rp_embedding_set(struct rp_dface *f, int i, float v, double length)
{
    f->embedding[i] = length > 0 ? v : 0;
    f->embedding_norm[i] = length > 0 ? (float) (v / length) : 0;
}

RP_FN void rp_embedding_flag(struct rp_dface *f, double length)
{
    f->has = length > 0 ? f->has | RP_HAS_EMBEDDING : f->has & ~(uint32_t) RP_HAS_EMBEDDING;
}

/* Direction to the nearest quarter. The same as rounding atan2(dy, dx) with ties to the smaller
 * angle, but without an angle: 45 -> 0, 135 -> 90, 225 -> 180, 315 -> 270. */
RP_FN int rp_quarter(float dx, float dy)
{
    if (dx != dx || dy != dy)
        return 0;
    if (dy >= 0)
        return dy <= dx ? 0 : dy >= -dx ? 90 : 180;
    return -dy <= -dx ? 180 : -dy >= dx ? 270 : 0;
}

/* Rotation of the head, from the ends of the jaw. */
RP_FN int rp_face_angle(const float lm68[136])
{
    return rp_quarter(lm68[32] - lm68[0], lm68[33] - lm68[1]);
}

/* The same from five points: the direction from the eyes to the mouth, minus a quarter. */
RP_FN int rp_five_angle(const float p[10])
{
    const float dx = (p[6] + p[8]) - (p[0] + p[2]), dy = (p[7] + p[9]) - (p[1] + p[3]);

    return rp_quarter(dy, -dx);
}

/* Eyes as means of six points, nose tip, mouth corners. */
RP_FN void rp_points_68_to_5(const float lm68[136], float lm5[10])
{
    const int single[3] = {30, 48, 54};

    for (int k = 0; k < 2; k++) {
        for (int eye = 0; eye < 2; eye++) {
            double sum = 0;
            for (int i = 0; i < 6; i++)
                sum += lm68[2 * (36 + 6 * eye + i) + k];
            lm5[2 * eye + k] = (float) (sum / 6);
        }
        for (int i = 0; i < 3; i++)
            lm5[2 * (2 + i) + k] = lm68[2 * single[i] + k];
    }
}

RP_FN void rp_face_points_one(const struct rp_op_face_points *a)
{
    struct rp_dface *const f = a->face;
    float five[10];
    int any = 0;

    for (int i = 0; i < 136; i++)
        any |= f->lm68[i] != 0;
    rp_points_68_to_5(f->lm68, five);
    if (a->no_detector_points) {
        for (int i = 0; i < 10; i++)
            f->lm5[i] = f->lm5_68[i] = five[i];
        for (int i = 0; i < 136; i++)
            f->lm68_5[i] = f->lm68[i];
        f->angle = rp_face_angle(f->lm68_5);
    } else {
        const int use = f->landmark_score > a->threshold;
        for (int i = 0; i < 10; i++)
            f->lm5_68[i] = use ? five[i] : f->lm5[i];
    }
    f->has &= ~(uint32_t) (RP_HAS_LANDMARK_5 | RP_HAS_LANDMARK_68);
    f->has |=
        (any ? RP_HAS_LANDMARK_68 : 0) | (any || !a->no_detector_points ? RP_HAS_LANDMARK_5 : 0);
}

#endif /* RP_OPS_FACE_CORE_H */
