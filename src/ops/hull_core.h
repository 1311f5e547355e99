/* Filled convex hull, pixel for pixel as OpenCV's convexHull and fillConvexPoly draw it: in each
 * row the span between two edges, in 16-bit fixed point, and the 8-connected lines of all edges.
 *
 * OpenCV walks down the edges and along the lines. Here the same numbers are computed in closed
 * form for one row, so that rows are independent of each other. */
#ifndef RP_OPS_HULL_CORE_H
#define RP_OPS_HULL_CORE_H

#include "ops/core.h"
#include "ops/geometry_core.h"
#include "ops/math_core.h"
#include "ops/ops.h"

struct rp_point {
    int64_t x, y;
};

/* Corners in order around the hull. */
struct rp_hull {
    int n;
    struct rp_point p[68];
};

/* Truncated to whole pixels, and limited to 2^20 so that nothing can overflow. */
RP_FN int64_t rp_hull_pixel(double v)
{
    const float f = (float) v; /* FaceFusion's points are floats */

    return !(f > -1048576.0f) ? -1048576 : f > 1048576.0f ? 1048576 : (int64_t) f;
}

RP_FN int rp_point_before(struct rp_point a, struct rp_point b)
{
    return a.x < b.x || (a.x == b.x && a.y < b.y);
}

/* Add a corner to a chain that began at `start`, dropping corners that do not turn. */
RP_FN void rp_hull_add(struct rp_point *p, int *n, int start, struct rp_point q)
{
    while (*n - start >= 2) {
        const struct rp_point a = p[*n - 2], b = p[*n - 1];
        if ((b.x - a.x) * (q.y - a.y) - (b.y - a.y) * (q.x - a.x) > 0)
            break;
        --*n;
    }
    p[(*n)++] = q;
}

/* The hull of the chosen points in crop space (Andrew's monotone chain). */
RP_FN void rp_hull_make(const struct rp_op_hull_mask *a, struct rp_hull *hull)
{
    struct rp_point sorted[68], chain[2 * 68 + 1];
    int n = 0;

    for (int i = 0; i < 68; i++) {
        double p[2];
        struct rp_point q;
        if (!a->use[i])
            continue;
        rp_affine_apply(a->affine->m, a->face->lm68[2 * i], a->face->lm68[2 * i + 1], p);
        q.x = rp_hull_pixel(p[0]);
        q.y = rp_hull_pixel(p[1]);
        int k = n;
        while (k > 0 && rp_point_before(q, sorted[k - 1])) {
            sorted[k] = sorted[k - 1];
            k--;
        }
        if (k > 0 && !rp_point_before(sorted[k - 1], q)) { /* a duplicate */
            while (k < n) {
                sorted[k] = sorted[k + 1];
                k++;
            }
            continue;
        }
        sorted[k] = q;
        n++;
    }
    hull->n = n < 2 ? n : 0;
    if (n == 1)
        hull->p[0] = sorted[0];
    if (n < 2)
        return;

    int count = 0;
    for (int i = 0; i < n; i++)
        rp_hull_add(chain, &count, 0, sorted[i]);
    const int start = count - 1;
    for (int i = n - 2; i >= 0; i--)
        rp_hull_add(chain, &count, start, sorted[i]);
    hull->n = count - 1; /* the last corner is the first again */
    for (int i = 0; i < hull->n; i++)
        hull->p[i] = chain[i];
}

RP_FN int rp_hull_side(int64_t v, int64_t last)
{
    return (v < 0) + (v > last) * 2;
}

/* OpenCV's clipLine: cut a line to 0..right, 0..bottom, truncating; 0 if nothing is left. */
RP_FN int rp_hull_clip(struct rp_point *p, struct rp_point *q, int64_t right, int64_t bottom)
{
    struct rp_point *const end[2] = {p, q};
    int cx[2], cy[2];

    for (int k = 0; k < 2; k++) {
        cx[k] = rp_hull_side(end[k]->x, right);
        cy[k] = rp_hull_side(end[k]->y, bottom);
    }
    if ((cx[0] & cx[1]) || (cy[0] & cy[1]))
        return 0;
    for (int k = 0; k < 2; k++) {
        if (!cy[k])
            continue;
        const int64_t y = cy[k] == 1 ? 0 : bottom;
        end[k]->x +=
            (int64_t) ((double) (y - end[k]->y) * (double) (q->x - p->x) / (double) (q->y - p->y));
        end[k]->y = y;
        cx[k] = rp_hull_side(end[k]->x, right);
    }
    if (cx[0] & cx[1])
        return 0;
    for (int k = 0; k < 2; k++) {
        if (!cx[k])
            continue;
        const int64_t x = cx[k] == 1 ? 0 : right;
        end[k]->y +=
            (int64_t) ((double) (x - end[k]->x) * (double) (q->y - p->y) / (double) (q->x - p->x));
        end[k]->x = x;
    }
    return 1;
}

/* a / b rounded up; b > 0. */
RP_FN int64_t rp_ceil_div(int64_t a, int64_t b)
{
    return a >= 0 ? (a + b - 1) / b : -(-a / b);
}

RP_FN void rp_hull_ones(float *row, int64_t first, int64_t last)
{
    for (int64_t x = first; x <= last; x++)
        row[x] = 1;
}

/* The pixels of the line p-q in row y. */
RP_FN void rp_hull_line(struct rp_point p, struct rp_point q, int64_t y, int w, int h, float *row)
{
    if (((p.x | p.y | q.x | q.y) < 0 || p.x >= w || q.x >= w || p.y >= h || q.y >= h) &&
        !rp_hull_clip(&p, &q, w - 1, h - 1))
        return;
    if (q.x < p.x) { /* lines run from left to right */
        const struct rp_point t = p;
        p = q;
        q = t;
    }
    const int64_t dx = q.x - p.x, dy = q.y > p.y ? q.y - p.y : p.y - q.y;
    const int64_t down = q.y >= p.y ? y - p.y : p.y - y; /* rows from p */
    int64_t first, last;

    if (down < 0 || down > dy)
        return;
    if (dy > dx) { /* one pixel a row */
        first = last = p.x + (2 * dx * down + dy - 1) / (2 * dy);
    } else if (dy == 0) {
        first = p.x;
        last = q.x;
    } else { /* the steps at which the line is in this row */
        first = p.x + (down ? rp_ceil_div(2 * dx * down - dx + 1, 2 * dy) : 0);
        last = p.x + rp_ceil_div(2 * dx * (down + 1) - dx + 1, 2 * dy) - 1;
        if (last > q.x)
            last = q.x;
    }
    rp_hull_ones(row, first, last);
}

/* Where edge p-q bounds row y of the filled hull: widens
 * lo..hi, which begins as INT64_MAX..INT64_MIN. */
RP_FN void rp_hull_edge(struct rp_point p, struct rp_point q, int y, int64_t *lo, int64_t *hi)
{
    const struct rp_point top = p.y < q.y ? p : q, end = p.y < q.y ? q : p;

    if (y < top.y || y >= end.y)
        return;
    const int64_t rows = end.y - top.y;
    const int64_t step = ((end.x - top.x) * 65536 * 2 + rows) / (2 * rows);
    const int64_t x = (top.x * 65536 + step * (y - top.y) + 32768) >> 16;
    *lo = x < *lo ? x : *lo;
    *hi = x > *hi ? x : *hi;
}

/* Row y of the mask. Where the picture's border cuts a line, OpenCV's line may be separate from the
 * filled span, so a row is not always one span. */
RP_FN void rp_hull_row(const struct rp_hull *hull, int y, int w, int h, float *row)
{
    int64_t lo = INT64_MAX, hi = INT64_MIN;

    for (int x = 0; x < w; x++)
        row[x] = 0;
    for (int i = 0; i < hull->n; i++) {
        const struct rp_point p = hull->p[i], q = hull->p[i + 1 < hull->n ? i + 1 : 0];

        rp_hull_line(p, q, y, w, h, row);
        if (hull->n >= 3)
            rp_hull_edge(p, q, y, &lo, &hi);
    }
    if (lo <= hi)
        rp_hull_ones(row, lo < 0 ? 0 : lo, hi >= w ? w - 1 : hi);
}

#endif /* RP_OPS_HULL_CORE_H */
