/* Crop matrices. One thread makes each: five points are not worth more. */
#ifndef RP_OPS_GEOMETRY_CORE_H
#define RP_OPS_GEOMETRY_CORE_H

#include "ops/core.h"
#include "ops/math_core.h"
#include "ops/ops.h"

/* clang-format off */
/* FaceFusion's templates: left eye, right eye, nose, left and right mouth corner, in crop sizes. */
#define RP_TEMPLATE_TABLE                                                                          \
    {                                                                                              \
        {{0.35473214, 0.45658929}, {0.64526786, 0.45658929}, {0.50000000, 0.61154464},             \
         {0.37913393, 0.77687500}, {0.62086607, 0.77687500}}, /* arcface_112_v1 */                 \
        {{0.34191607, 0.46157411}, {0.65653393, 0.45983393}, {0.50022500, 0.64050536},             \
         {0.37097589, 0.82469196}, {0.63151696, 0.82325089}}, /* arcface_112_v2 */                 \
        {{0.36167656, 0.40387734}, {0.63696719, 0.40235469}, {0.50019687, 0.56044219},             \
         {0.38710391, 0.72160547}, {0.61507734, 0.72034453}}, /* arcface_128 */                    \
        {{0.35342266, 0.39285716}, {0.62797622, 0.39285716}, {0.48660713, 0.54017860},             \
         {0.38839287, 0.68750011}, {0.59821427, 0.68750011}}, /* dfl_whole_face */                 \
        {{0.37691676, 0.46864664}, {0.62285697, 0.46912813}, {0.50123859, 0.61331904},             \
         {0.39308822, 0.72541100}, {0.61150205, 0.72490465}}, /* ffhq_512 */                       \
        {{0.36562865, 0.46733799}, {0.63305391, 0.46585885}, {0.50019127, 0.61942959},             \
         {0.39032951, 0.77598822}, {0.61178945, 0.77476328}}, /* mtcnn_512 */                      \
        {{0.42353745, 0.52289879}, {0.57725008, 0.52319972}, {0.50123859, 0.61331904},             \
         {0.43364461, 0.68337652}, {0.57015325, 0.68306005}}, /* styleganex_384 */                 \
    }
/* clang-format on */

RP_FN void rp_affine_identity(struct rp_affine *a)
{
    a->m[0] = a->m[4] = a->inv[0] = a->inv[4] = 1;
    a->m[1] = a->m[2] = a->m[3] = a->m[5] = 0;
    a->inv[1] = a->inv[2] = a->inv[3] = a->inv[5] = 0;
}

/* Fill inv from m as OpenCV does. A map that has no inverse or is not finite becomes the identity:
 * later work may then read the wrong part of the frame, but never computes with NaN. */
RP_FN void rp_affine_close(struct rp_affine *a)
{
    const double *m = a->m;
    const double det = m[0] * m[4] - m[1] * m[3], d = 1 / det;

    a->inv[0] = m[4] * d;
    a->inv[1] = -m[1] * d;
    a->inv[3] = -m[3] * d;
    a->inv[4] = m[0] * d;
    a->inv[2] = -a->inv[0] * m[2] - a->inv[1] * m[5];
    a->inv[5] = -a->inv[3] * m[2] - a->inv[4] * m[5];

    double sum = 0;
    for (int i = 0; i < 6; i++)
        sum += rp_abs(m[i]) + rp_abs(a->inv[i]);
    if (det == 0 || !rp_finite(sum))
        rp_affine_identity(a);
}

RP_FN void rp_affine_apply(const double m[6], double x, double y, double out[2])
{
    out[0] = m[0] * x + m[1] * y + m[2];
    out[1] = m[3] * x + m[4] * y + m[5];
}

/* The generator of OpenCV's RANSAC (a multiply-with-carry one); state starts as all ones. */
RP_FN uint32_t rp_ransac_draw(uint64_t *state)
{
    *state = (uint64_t) (uint32_t) *state * 4164903690u + (*state >> 32);
    return (uint32_t) *state;
}

/* Least-squares similarity [a -b tx; b a ty] of the points in `use` (one bit each). Two points are
 * fitted exactly. */
RP_FN void rp_fit_similarity(const float from[10], const float to[10], unsigned use, double m[6])
{
    double n = 0, px = 0, py = 0, qx = 0, qy = 0, dot = 0, cross = 0, square = 0;

    for (int i = 0; i < 5; i++) {
        if (!(use >> i & 1))
            continue;
        n += 1;
        px += from[2 * i];
        py += from[2 * i + 1];
        qx += to[2 * i];
        qy += to[2 * i + 1];
    }
    px /= n;
    py /= n;
    qx /= n;
    qy /= n;
    for (int i = 0; i < 5; i++) {
        if (!(use >> i & 1))
            continue;
        const double x = from[2 * i] - px, y = from[2 * i + 1] - py;
        const double u = to[2 * i] - qx, v = to[2 * i + 1] - qy;
        dot += x * u + y * v;
        cross += x * v - y * u;
        square += x * x + y * y;
    }
    const double a = dot / square, b = cross / square;
    m[0] = a;
    m[1] = -b;
    m[2] = qx - (a * px - b * py);
    m[3] = b;
    m[4] = a;
    m[5] = qy - (b * px + a * py);
}

/* The points that agree to 100 crop pixels with the similarity through points i and j, one bit
 * each. */
RP_FN unsigned rp_ransac_agree(const float from[10], const float to[10], int i, int j)
{
    const double x1 = from[2 * i], y1 = from[2 * i + 1], x2 = from[2 * j], y2 = from[2 * j + 1];
    const double u1 = to[2 * i], v1 = to[2 * i + 1], u2 = to[2 * j], v2 = to[2 * j + 1];
    const double d = 1 / ((x1 - x2) * (x1 - x2) + (y1 - y2) * (y1 - y2));
    const double a = d * ((u1 - u2) * (x1 - x2) + (v1 - v2) * (y1 - y2));
    const double b = d * ((v1 - v2) * (x1 - x2) - (u1 - u2) * (y1 - y2));
    const float fa = (float) a, fb = (float) b, mb = (float) -b;
    const float ftx = (float) (u1 - (a * x1 - b * y1)), fty = (float) (v1 - (b * x1 + a * y1));
    unsigned mask = 0;

    for (int k = 0; k < 5; k++) { /* residuals in float, as in OpenCV */
        const float ex = fa * from[2 * k] + mb * from[2 * k + 1] + ftx - to[2 * k];
        const float ey = fb * from[2 * k] + fa * from[2 * k + 1] + fty - to[2 * k + 1];
        if (ex * ex + ey * ey <= 10000.0f)
            mask |= 1u << k;
    }
    return mask;
}

/* The points that agree with the best two-point sample, as OpenCV's estimateAffinePartial2D(RANSAC,
 * 100) finds them; 0 if no sample has two. There are only 20 possible samples, so their masks are
 * made beforehand: agree[5 * i + j] by rp_ransac_agree(). */
RP_FN unsigned rp_ransac_pick(const uint8_t agree[25])
{
    /* Samples needed once 2, 3, 4 or 5 of 5 points agree: round(ln 0.01 / ln(1 - (n/5)^2)). */
    const int enough[6] = {2000, 2000, 26, 10, 5, 0};
    uint64_t state = UINT64_MAX;
    unsigned best = 0;
    int best_count = 1, limit = 2000;

    for (int iter = 0; iter < limit; iter++) {
        const int i = (int) (rp_ransac_draw(&state) % 5);
        int j = (int) (rp_ransac_draw(&state) % 5);
        while (j == i)
            j = (int) (rp_ransac_draw(&state) % 5);

        const unsigned mask = agree[5 * i + j];
        int count = 0;
        for (int k = 0; k < 5; k++)
            count += mask >> k & 1;
        if (count > best_count) {
            best = mask;
            best_count = count;
            if (enough[count] < limit)
                limit = enough[count];
        }
    }
    return best;
}

/* The face's points, scaled, and the template's; 0 if there is no such template. */
RP_FN int rp_align_points(const struct rp_op_align *a, float from[10], float to[10])
{
    const double templates[RP_TEMPLATE_COUNT][5][2] = RP_TEMPLATE_TABLE;
    const float *points = a->points ? a->face->lm5 : a->face->lm5_68;

    if (a->template_id < 0 || a->template_id >= RP_TEMPLATE_COUNT)
        return 0;
    for (int i = 0; i < 5; i++) {
        for (int k = 0; k < 2; k++) {
            const float nose = points[4 + k], p = points[2 * i + k];
            from[2 * i + k] = a->scale == 1 ? p : (p - nose) * a->scale + nose;
        }
        to[2 * i] = (float) (templates[a->template_id][i][0] * a->w);
        to[2 * i + 1] = (float) (templates[a->template_id][i][1] * a->h);
    }
    return 1;
}

/* use: the points that count, one bit each; none gives the identity. */
RP_FN void rp_align_solve(struct rp_affine *dst, const float from[10], const float to[10],
                          unsigned use)
{
    rp_affine_identity(dst);
    if (!use)
        return;
    rp_fit_similarity(from, to, use, dst->m);
    rp_affine_close(dst);
}

RP_FN void rp_align_one(const struct rp_op_align *a)
{
    float from[10], to[10];
    uint8_t agree[25] = {0};
    const int known = rp_align_points(a, from, to);

    for (int i = 0; known && i < 5; i++)
        for (int j = 0; j < 5; j++)
            agree[5 * i + j] = (uint8_t) (i == j ? 0 : rp_ransac_agree(from, to, i, j));
    rp_align_solve(a->dst, from, to, known ? rp_ransac_pick(agree) : 0);
}

/* Number i of the input of fan_68_5. */
RP_FN float rp_points_tensor_at(const struct rp_op_points_tensor *a, int i)
{
    double p[2];

    rp_affine_apply(a->affine->m, a->face->lm5[i & ~1], a->face->lm5[i | 1], p);
    return (float) p[i & 1];
}

RP_FN void rp_box_affine_one(const struct rp_op_box_affine *a)
{
    const float *box = a->face->box;
    double *m = a->dst->m;
    const double cx = 0.5 * ((double) box[0] + box[2]), cy = 0.5 * ((double) box[1] + box[3]);
    const double bw = (double) box[2] - box[0], bh = (double) box[3] - box[1];
    const double side = bw > bh ? bw : bh;

    /* OpenCV's rotation about (w/2, h/2): 90 is (x, y) -> (y, h - x). */
    const int angle = a->fit == RP_BOX_UPRIGHT ? 0 : a->face->angle;
    const double c = angle == 180 ? -1 : angle == 0 ? 1 : 0;
    const double n = angle == 90 ? 1 : angle == 270 ? -1 : 0;

    rp_affine_identity(a->dst);
    if (c == 0 && n == 0)
        return;
    if (a->fit == RP_BOX_LANDMARKER || a->fit == RP_BOX_UPRIGHT || a->fit == RP_BOX_ROTATE) {
        const int fits = a->fit != RP_BOX_ROTATE;
        const double s = fits ? 195 / (side > 1 ? side : 1) : 1;
        const double tx = fits ? (a->w - ((double) box[0] + box[2]) * s) * 0.5 : 0;
        const double ty = fits ? (a->h - ((double) box[1] + box[3]) * s) * 0.5 : 0;
        const double mx = 0.5 * a->w, my = 0.5 * a->h;

        m[0] = c * s;
        m[1] = n * s;
        m[2] = c * (tx - mx) + n * (ty - my) + mx;
        m[3] = -n * s;
        m[4] = c * s;
        m[5] = -n * (tx - mx) + c * (ty - my) + my;
    } else if (a->fit == RP_BOX_SQUARE) {
        const double half = 0.5 * side * a->factor;
        m[0] = a->w / (2 * half);
        m[4] = a->h / (2 * half);
        m[2] = -(cx - half) * m[0];
        m[5] = -(cy - half) * m[4];
    } else {
        /* From the box to a square of side 1 about its centre, rotated, then to the crop. */
        const double ux = 1 / (bw * a->factor), uy = 1 / (bh * a->factor);

        m[0] = c * a->w * ux;
        m[1] = n * a->w * uy;
        m[2] = 0.5 * a->w - (m[0] * cx + m[1] * cy);
        m[3] = -n * a->h * ux;
        m[4] = c * a->h * uy;
        m[5] = 0.5 * a->h - (m[3] * cx + m[4] * cy);
    }
    rp_affine_close(a->dst);
}

/* Point i of the 68 in the crop; OpenCV's box corners are floats. */
RP_FN void rp_landmark_in_crop(const struct rp_op_landmark_box *a, int i, float *x, float *y)
{
    double p[2];

    rp_affine_apply(a->affine->m, a->face->lm68[2 * i], a->face->lm68[2 * i + 1], p);
    *x = (float) p[0];
    *y = (float) p[1];
}

/* The least of 68 numbers, or the greatest. */
RP_FN float rp_landmark_extreme(const float *v, int greatest)
{
    float e = v[0];

    for (int i = 1; i < 68; i++)
        if (greatest ? v[i] > e : v[i] < e)
            e = v[i];
    return e;
}

/* box: x1, y1, x2, y2. */
RP_FN void rp_landmark_box_maps(const float box[4], int w, int h, struct rp_affine *dst,
                                struct rp_affine *back)
{
    const double sx = w / ((double) box[2] - box[0]), sy = h / ((double) box[3] - box[1]);

    rp_affine_identity(dst);
    dst->m[0] = sx;
    dst->m[2] = -box[0] * sx;
    dst->m[4] = sy;
    dst->m[5] = -box[1] * sy;
    rp_affine_close(dst);
    for (int i = 0; i < 6; i++)
        back->m[i] = dst->inv[i];
    rp_affine_close(back);
}

#endif /* RP_OPS_GEOMETRY_CORE_H */
