/* From a detector's tensors to faces: decoding row by row, then non-maximum suppression.
 *
 * Each row can be decoded by itself (rp_decode_row). If more rows pass than fit, the choice does
 * not depend on the order of execution: see rp_decode_cut. */
#ifndef RP_OPS_DETECT_CORE_H
#define RP_OPS_DETECT_CORE_H

#include "ops/core.h"
#include "ops/math_core.h"
#include "ops/ops.h"

/* ---- decoding ----------------------------------------------------------------------------------
 */

/* Rows of one of the strides 8, 16, 32 (k = 0, 1, 2). */
RP_FN int rp_decode_stride_rows(const struct rp_op_decode *a, int k)
{
    const int anchors = a->decoder == RP_DECODE_RETINAFACE ? 2 : 1;

    return (a->w >> (3 + k)) * (a->h >> (3 + k)) * anchors;
}

RP_FN int rp_decode_rows(const struct rp_op_decode *a)
{
    if (a->decoder == RP_DECODE_ULTRAFACE || a->decoder == RP_DECODE_YOLO)
        return a->count > 0 ? a->count : 0;
    return rp_decode_stride_rows(a, 0) + rp_decode_stride_rows(a, 1) + rp_decode_stride_rows(a, 2);
}

/* A length in pixels of the input, in pixels of the picture that was placed in it. NumPy multiplies
 * yolo_face's floats as floats. */
RP_FN double rp_decode_scale(const struct rp_op_decode *a, double v, double ratio)
{
    return a->decoder == RP_DECODE_YOLO ? (double) ((float) v * (float) ratio) : v * ratio;
}

/* A point of the detector's input to the frame. Returns 0, or NaN if it is not finite. A frame
 * rotated by 90 degrees has at (y, w - 1 - x) what was at (x, y). A rotated box is still given by
 * two opposite corners; nms() does not care which. */
RP_FN float rp_decode_place(const struct rp_op_decode *a, const double p[2], float out[2])
{
    const double x = rp_decode_scale(a, p[0], a->ratio_x) - a->shift_x;
    const double y = rp_decode_scale(a, p[1], a->ratio_y) - a->shift_y;
    const double right = (double) a->frame_w - 1, bottom = (double) a->frame_h - 1;

    out[0] = (float) (a->angle == 90    ? right - y
                      : a->angle == 180 ? right - x
                      : a->angle == 270 ? y
                                       : x);
    out[1] = (float) (a->angle == 90    ? x
                      : a->angle == 180 ? bottom - y
                      : a->angle == 270 ? bottom - x
                                       : y);
    return out[0] * 0 + out[1] * 0;
}

/* One row of each kind of network: returns 0 below the threshold, else 1 with score, box and points
 * in the detector's pixels. In double as in FaceFusion; rounded once, later. */
RP_FN int rp_decode_ultraface(const struct rp_op_decode *a, int i, float *score, double box[4])
{
    const float *const b = a->t[1] + 4 * (size_t) i;

    *score = a->t[0][2 * (size_t) i + 1];
    if (!(*score >= a->threshold))
        return 0;
    for (int k = 0; k < 4; k++)
        box[k] = (double) b[k] * (k & 1 ? a->h : a->w);
    return 1;
}

RP_FN int rp_decode_yolo(const struct rp_op_decode *a, int i, float *score, double box[4],
                         double lm[10])
{
    const float *const t = a->t[0] + i;
    const size_t n = (size_t) a->count;

    *score = t[4 * n];
    if (!(*score > a->threshold))
        return 0;
    box[0] = t[0] - t[2 * n] / 2;
    box[1] = t[n] - t[3 * n] / 2;
    box[2] = t[0] + t[2 * n] / 2;
    box[3] = t[n] + t[3 * n] / 2;
    for (int k = 0; k < 5; k++) {
        lm[2 * k] = t[(5 + 3 * k) * n];
        lm[2 * k + 1] = t[(6 + 3 * k) * n];
    }
    return 1;
}

/* YuNet and RetinaFace: boxes and points are offsets from the cells of three grids. */
RP_FN int rp_decode_cell(const struct rp_op_decode *a, int i, float *score, double box[4],
                         double lm[10])
{
    const int yunet = a->decoder == RP_DECODE_YUNET;
    int s = 0, r = i;
    while (s < 2 && r >= rp_decode_stride_rows(a, s))
        r -= rp_decode_stride_rows(a, s++);

    const int cell = yunet ? r : r / 2, cells = a->w >> (3 + s);
    const int column = cell % cells, line = cell / cells;
    const double stride = 8 << s;
    const double ax = column * stride, ay = line * stride;
    const float *const b = a->t[(yunet ? 6 : 3) + s] + 4 * (size_t) r;
    const float *const o = a->t[(yunet ? 9 : 6) + s] + 10 * (size_t) r;

    *score = a->t[s][r];
    if (yunet)
        *score *= a->t[3 + s][r];
    if (!(*score >= a->threshold))
        return 0;
    if (yunet) {
        const double cx = b[0] * stride + ax, cy = b[1] * stride + ay;
        const double hw = rp_expf(b[2]) * stride / 2, hh = rp_expf(b[3]) * stride / 2;
        box[0] = cx - hw;
        box[1] = cy - hh;
        box[2] = cx + hw;
        box[3] = cy + hh;
    } else {
        box[0] = ax - b[0] * stride;
        box[1] = ay - b[1] * stride;
        box[2] = ax + b[2] * stride;
        box[3] = ay + b[3] * stride;
    }
    for (int k = 0; k < 10; k++)
        lm[k] = o[k] * stride + (k & 1 ? ay : ax);
    return 1;
}

/* Row i, counted through all strides. Returns 1 and fills box, score and points if the row passes
 * the threshold and all its numbers are finite, else 0. Unlike FaceFusion, row 0 counts like any
 * other. */
RP_FN int rp_decode_row(const struct rp_op_decode *a, int i, struct rp_candidate *c)
{
    double box[4] = {0}, lm[10] = {0};
    float sum = 0;
    int passes = 0;

    for (int k = 0; k < 10; k++)
        c->lm5[k] = 0;
    if (a->decoder == RP_DECODE_ULTRAFACE)
        passes = rp_decode_ultraface(a, i, &c->score, box);
    else if (a->decoder == RP_DECODE_YOLO)
        passes = rp_decode_yolo(a, i, &c->score, box, lm);
    else if (a->decoder == RP_DECODE_YUNET || a->decoder == RP_DECODE_RETINAFACE)
        passes = rp_decode_cell(a, i, &c->score, box, lm);
    if (!passes)
        return 0;

    c->angle = a->angle;
    for (int k = 0; k < 4; k += 2)
        sum += rp_decode_place(a, box + k, c->box + k);
    for (int k = 0; k < 10 && a->decoder != RP_DECODE_ULTRAFACE; k += 2)
        sum += rp_decode_place(a, lm + k, c->lm5 + k);
    return sum + c->score * 0 == 0; /* a NaN or an infinity anywhere makes it NaN */
}

/* Key that orders floats as unsigned numbers; -0 and 0 have the same key, and so have all NaNs. */
RP_FN uint32_t rp_order_key(float v)
{
    uint32_t bits;

    if (v != v)
        return UINT32_MAX;
    v += 0.0f;
    memcpy(&bits, &v, sizeof(bits));
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

/* What to keep when more rows pass than fit: rows with a key above `key`, and the first `ties` rows
 * whose key equals it. Kept rows stay in the order of the detector's output. */
struct rp_decode_cut {
    uint32_t key;
    int32_t ties;
};

/* ---- non-maximum suppression -------------------------------------------------------------------
 */

RP_FN int rp_candidates_stored(const struct rp_candidates *c)
{
    return c->count < 0 ? 0 : c->count < RP_MAX_CANDIDATES ? c->count : RP_MAX_CANDIDATES;
}

/* Is it a candidate at all? Its box and the size of the box must be finite. */
RP_FN int rp_nms_passes(const struct rp_candidate *c, float threshold)
{
    const float w = c->box[2] - c->box[0], h = c->box[3] - c->box[1];

    return c->score > threshold && (c->box[0] + c->box[1] + w + h + c->score) * 0 == 0;
}

/* Does the candidate at position i come before the one at j? A strict total order. */
RP_FN int rp_nms_before(const struct rp_candidate *c, int i, int j)
{
    const struct rp_candidate *const p = &c[i], *const q = &c[j];

    if (p->score != q->score)
        return p->score > q->score;
    if (p->index != q->index)
        return p->index < q->index;
    return i < j;
}

/* x1 <= x2, y1 <= y2 */
RP_FN void rp_box_normalise(const float in[4], float out[4])
{
    for (int k = 0; k < 2; k++) {
        const float a = in[k], b = in[k + 2];
        out[k] = a < b ? a : b;
        out[k + 2] = a < b ? b : a;
    }
}

/* Overlap of two normalised boxes as OpenCV's NMSBoxes computes it from (x, y, w, h): in double, no
 * "+ 1", rounded to float as the distance 1 - IoU; two boxes without area count as equal. */
RP_FN float rp_nms_overlap(const float p[4], const float q[4])
{
    const double pw = p[2] - p[0], ph = p[3] - p[1], qw = q[2] - q[0], qh = q[3] - q[1];
    const double areas = pw * ph + qw * qh;

    if (areas <= 2.220446049250313e-16)
        return 1;
    const double x1 = p[0] > q[0] ? p[0] : q[0], y1 = p[1] > q[1] ? p[1] : q[1];
    const double px2 = p[0] + pw, py2 = p[1] + ph, qx2 = q[0] + qw, qy2 = q[1] + qh;
    const double w = (px2 < qx2 ? px2 : qx2) - x1, h = (py2 < qy2 ? py2 : qy2) - y1;
    const double both = w > 0 && h > 0 ? w * h : 0;

    return 1.0f - (float) (1.0 - both / (areas - both));
}

/* Zero a face and give it a candidate's box, score and points. */
RP_FN void rp_face_from_candidate(struct rp_dface *f, const struct rp_candidate *c)
{
    memset(f, 0, sizeof(*f));
    rp_box_normalise(c->box, f->box);
    f->score = c->score;
    f->angle = c->angle;
    for (int k = 0; k < 10; k++)
        f->lm5[k] = c->lm5[k];
}

/* Walk the n sorted positions and keep what does not overlap a kept one. Faces beyond dst->count
 * stay as they are. */
RP_FN void rp_nms_greedy(const struct rp_op_nms *a, const int32_t *order, int n)
{
    struct rp_dfaces *const dst = a->dst;
    int kept = 0, overflow = a->src->count > RP_MAX_CANDIDATES;

    for (int i = 0; i < n; i++) {
        const struct rp_candidate *const c = &a->src->c[order[i]];
        float box[4];
        int drop = 0;

        rp_box_normalise(c->box, box);
        for (int k = 0; k < kept && !drop; k++)
            drop = rp_nms_overlap(dst->face[k].box, box) > a->iou;
        if (drop)
            continue;
        if (kept == RP_MAX_FACES) {
            overflow = 1;
            break;
        }
        rp_face_from_candidate(&dst->face[kept++], c);
    }
    dst->count = kept;
    dst->overflow = overflow;
}

/* Intersection over union for tracking; 0 for an empty union. */
RP_FN float rp_box_iou(const float p[4], const float q[4])
{
    const float x1 = p[0] > q[0] ? p[0] : q[0], y1 = p[1] > q[1] ? p[1] : q[1];
    const float x2 = p[2] < q[2] ? p[2] : q[2], y2 = p[3] < q[3] ? p[3] : q[3];
    const float both = x2 > x1 && y2 > y1 ? (x2 - x1) * (y2 - y1) : 0;
    const float all = (p[2] - p[0]) * (p[3] - p[1]) + (q[2] - q[0]) * (q[3] - q[1]) - both;

    return all > 0 ? both / all : 0;
}

#endif /* RP_OPS_DETECT_CORE_H */
