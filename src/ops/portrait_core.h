/* LivePortrait: what is done with the 21 points of a face between the networks. */
#ifndef RP_OPS_PORTRAIT_CORE_H
#define RP_OPS_PORTRAIT_CORE_H

#include "ops/math_core.h"
#include "ops/ops.h"

#define RP_PORTRAIT_NUMBERS (3 * RP_PORTRAIT_POINTS)

/* clang-format off */
/* Number i of an expression (axis i % 3 of point i / 3) within what a face can do; not a number
 * becomes the least. */
RP_FN float rp_portrait_limit(float v, int i)
{
    const float low[RP_PORTRAIT_NUMBERS] = {
        -2.88067125e-02f, -8.12731311e-02f, -1.70541159e-03f,
        -4.88598682e-02f, -3.32196616e-02f, -1.67431499e-04f,
        -6.75425082e-02f, -4.28681746e-02f, -1.98950816e-04f,
        -7.23103955e-02f, -3.28503326e-02f, -7.31324719e-04f,
        -3.87073644e-02f, -6.01546466e-02f, -5.50269964e-04f,
        -6.38048723e-02f, -2.23840728e-01f, -7.13261834e-04f,
        -3.02710701e-02f, -3.93195450e-02f, -8.24086510e-06f,
        -2.95799859e-02f, -5.39318882e-02f, -1.74219604e-04f,
        -2.92359516e-02f, -1.53050944e-02f, -6.30460854e-05f,
        -5.56493877e-03f, -2.34344602e-02f, -1.26858242e-04f,
        -4.37593013e-02f, -2.77768299e-02f, -2.70503685e-02f,
        -1.76926646e-02f, -1.91676542e-02f, -1.15090821e-04f,
        -8.34268332e-03f, -3.99775570e-03f, -3.27481248e-05f,
        -3.40162888e-02f, -2.81868968e-02f, -1.96679524e-04f,
        -2.91855410e-02f, -3.97511162e-02f, -2.81230678e-05f,
        -1.50395725e-02f, -2.49494594e-02f, -9.42573533e-05f,
        -1.67938769e-02f, -2.00953931e-02f, -4.00750607e-04f,
        -1.86435618e-02f, -2.48535164e-02f, -2.74416432e-02f,
        -4.61211195e-03f, -1.21660791e-02f, -2.93173041e-04f,
        -4.10017073e-02f, -7.43824020e-02f, -4.42762971e-02f,
        -1.90370996e-02f, -3.74363363e-02f, -1.34740388e-02f,
    };
    const float high[RP_PORTRAIT_NUMBERS] = {
        4.46682945e-02f, 7.08772913e-02f, 4.08344204e-04f,
        2.14308221e-02f, 6.15894832e-02f, 4.85319615e-05f,
        3.02363783e-02f, 4.45043296e-02f, 1.28298725e-05f,
        3.05869691e-02f, 3.79812494e-02f, 6.57040102e-04f,
        4.45670523e-02f, 3.97259220e-02f, 7.10966764e-04f,
        9.43699256e-02f, 9.85926315e-02f, 2.02551950e-04f,
        1.61131397e-02f, 2.92906128e-02f, 3.44733417e-06f,
        5.23825921e-02f, 1.07065082e-01f, 6.61510974e-04f,
        2.85718683e-03f, 8.32320191e-03f, 2.39314613e-04f,
        2.57947259e-02f, 1.60935968e-02f, 2.41853559e-05f,
        4.90833223e-02f, 3.43903080e-02f, 3.22353356e-02f,
        1.44766076e-02f, 3.39248963e-02f, 1.42291479e-04f,
        8.75749043e-04f, 6.82212645e-03f, 2.76097053e-05f,
        1.86958015e-02f, 3.84016186e-02f, 7.33085908e-05f,
        2.01714113e-02f, 4.90544215e-02f, 2.34028921e-05f,
        2.46518422e-02f, 3.29151377e-02f, 3.48571630e-05f,
        2.22457591e-02f, 1.21796541e-02f, 1.56396593e-04f,
        1.72109623e-02f, 3.01626958e-02f, 1.36556877e-02f,
        1.83460284e-02f, 1.61141958e-02f, 2.87440169e-04f,
        3.57594155e-02f, 1.80554688e-01f, 2.75554154e-02f,
        2.17450950e-02f, 8.66811201e-02f, 3.34241726e-02f,
    };

    return rp_clampf(v, low[i], high[i]);
}
/* clang-format on */

/* Rz(roll) * Ry(yaw) * Rx(pitch), row by row; degrees. Calculated in double and rounded once. */
RP_FN void rp_portrait_rotation(float pitch, float yaw, float roll, float r[9])
{
    const double degree = 0x1.1df46a2529d39p-6; /* pi / 180 */
    double sx, cx, sy, cy, sz, cz;

    rp_sincos(pitch * degree, &sx, &cx);
    rp_sincos(yaw * degree, &sy, &cy);
    rp_sincos(roll * degree, &sz, &cz);
    r[0] = (float) (cz * cy);
    r[1] = (float) (cz * sy * sx - sz * cx);
    r[2] = (float) (cz * sy * cx + sz * sx);
    r[3] = (float) (sz * cy);
    r[4] = (float) (sz * sy * sx + cz * cx);
    r[5] = (float) (sz * sy * cx - cz * sx);
    r[6] = (float) -sy;
    r[7] = (float) (cy * sx);
    r[8] = (float) (cy * cx);
}

/* Number i of the points of a face with this rotation, and this number i of its expression. */
RP_FN float rp_portrait_point(const struct rp_motion *m, const float r[9], float expression, int i)
{
    const float *const k = &m->canonical[i - i % 3], *const row = &r[3 * (i % 3)];
    const float turned = k[0] * row[0] + k[1] * row[1] + k[2] * row[2];

    return m->scale[0] * (turned + expression) + m->translation[i % 3];
}

/* ---- expression restorer --------------------------------------------------------------------- */

RP_FN float rp_portrait_mixed(const struct rp_op_portrait_restore *a, int i)
{
    const float own = a->face.expression[i];
    const float wanted = a->keep >> i / 3 & 1 ? own : a->wanted[i];

    return rp_portrait_limit(wanted * a->share + own * a->rest, i);
}

RP_FN void rp_portrait_restore_at(const struct rp_op_portrait_restore *a, const float r[9], int i)
{
    a->from[i] = rp_portrait_point(&a->face, r, a->face.expression[i], i);
    a->to[i] = rp_portrait_point(&a->face, r, rp_portrait_mixed(a, i), i);
}

/* ---- face editor ----------------------------------------------------------------------------- */

/* angle + turn, within -range to range or, if angle is beyond, as far as that. */
RP_FN float rp_portrait_angle(float angle, float turn, float range)
{
    const float low = angle < -range ? angle : -range, high = angle > range ? angle : range;

    return rp_clampf(angle + turn, low, high);
}

/* The rotation after the edit. */
RP_FN void rp_portrait_turn(const struct rp_op_portrait_edit *a, float r[9])
{
    rp_portrait_rotation(rp_portrait_angle(a->face.pitch[0], a->turn[0], 30),
                         rp_portrait_angle(a->face.yaw[0], a->turn[1], 60),
                         rp_portrait_angle(a->face.roll[0], a->turn[2], 20), r);
}

RP_FN double rp_portrait_distance(const float lm68[136], int a, int b)
{
    const double x = (double) lm68[2 * a] - lm68[2 * b];
    const double y = (double) lm68[2 * a + 1] - lm68[2 * b + 1];

    return sqrt(x * x + y * y);
}

/* How far something is open: the landmarks above and below it, and at its ends. */
RP_FN float rp_portrait_open(const float lm68[136], int above, int below, int end, int other)
{
    return (float) (rp_portrait_distance(lm68, above, below) /
                    (rp_portrait_distance(lm68, end, other) + 1e-6));
}

/* Number i of the retargeters' inputs, behind the points: 0 to 2 of the eyes', 0 to 1 of the
 * lips'. */
RP_FN float rp_portrait_eye(const struct rp_op_portrait_edit *a, int i)
{
    return i == 0   ? rp_portrait_open(a->points->lm68, 37, 40, 39, 36)
           : i == 1 ? rp_portrait_open(a->points->lm68, 43, 46, 45, 42)
                    : a->eye_wish;
}

RP_FN float rp_portrait_lip(const struct rp_op_portrait_edit *a, int i)
{
    return i == 0 ? rp_portrait_open(a->points->lm68, 62, 66, 54, 48) : a->lip_wish;
}

/* now, then: the rotations before and after the edit. */
RP_FN void rp_portrait_edit_at(const struct rp_op_portrait_edit *a, const float now[9],
                               const float then[9], int i)
{
    const float own = a->face.expression[i], p = rp_portrait_point(&a->face, now, own, i);
    const float moved = rp_portrait_limit((float) ((double) own + a->move[i]), i);

    a->from[i] = p;
    a->to[i] = rp_portrait_point(&a->face, then, moved, i);
    if (a->eye) {
        a->eye[i] = p;
        if (i < 3)
            a->eye[RP_PORTRAIT_NUMBERS + i] = rp_portrait_eye(a, i);
    }
    if (a->lip) {
        a->lip[i] = p;
        if (i < 2)
            a->lip[RP_PORTRAIT_NUMBERS + i] = rp_portrait_lip(a, i);
    }
}

RP_FN void rp_portrait_add_at(const struct rp_op_portrait_add *a, int i)
{
    float v = a->points[i];

    if (a->eye)
        v += a->eye[i] * a->eye_share;
    if (a->lip)
        v += a->lip[i] * a->lip_share;
    a->points[i] = v;
}

#endif /* RP_OPS_PORTRAIT_CORE_H */
