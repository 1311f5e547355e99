/* Covering a face: the place around its box, the cells it is divided into, and one covered pixel.
 *
 * The place is the box, grown on all sides. It is covered completely inside of a shape between an
 * ellipse and a rectangle, |x|^4 + |y|^4 <= 1, which holds the corners of the box; from there to
 * the edge (feather) the cover fades. All that is shown is made of the means of the cells. */
#ifndef RP_OPS_COVER_CORE_H
#define RP_OPS_COVER_CORE_H

#include "ops/ops.h"
#include "ops/paste_core.h"

#define RP_COVER_LIMIT 1e6 /* no box is farther away than this */

/* One axis of the place. */
struct rp_cover_axis {
    double centre, radius; /* completely covered */
    double from, size;     /* with the part that fades */
    int cells;
    int x1, x2; /* pixels of the frame: first and one past the last */
};

struct rp_cover_place {
    struct rp_cover_axis x, y;
    float outer; /* where the cover ends: |x|^4 + |y|^4 */
};

RP_FN struct rp_cover_axis rp_cover_axis(double a, double b, double margin, double feather,
                                         int cells, int pixels)
{
    struct rp_cover_axis p;
    double radius;

    p.centre = (a + b) / 2;
    p.radius = (b - a) / 2 + margin;
    if (p.radius < 0.5)
        p.radius = 0.5;
    radius = p.radius * (1 + feather);
    p.from = p.centre - radius;
    p.size = 2 * radius;
    /* a cell has at least two pixels a side, so each that lies inside of the frame has some */
    p.cells = rp_clampi(p.size < 2.0 * cells ? (int) (p.size / 2) : cells, 1, RP_MAX_CELLS);
    p.x1 = rp_ceil_d(rp_clampd(p.from, 0, pixels));
    p.x2 = rp_floor_d(rp_clampd(p.from + p.size, -1, pixels - 1)) + 1;
    return p;
}

/* An empty box has an empty place. */
RP_FN struct rp_cover_place rp_cover_place(const struct rp_cover *c, const struct rp_dface *face,
                                           int w, int h)
{
    struct rp_cover_place p;
    double box[4], longer, margin;
    const double feather = rp_clampf(c->feather, 0.0f, 4.0f), once = 1 + feather;
    int i;

    for (i = 0; i < 4; i++)
        box[i] = rp_clampd((double) face->box[i], -RP_COVER_LIMIT, RP_COVER_LIMIT);
    longer = box[2] - box[0] > box[3] - box[1] ? box[2] - box[0] : box[3] - box[1];
    margin = rp_clampf(c->margin, 0.0f, 16.0f) * longer;
    p.x = rp_cover_axis(box[0], box[2], margin, feather, c->cells, w);
    p.y = rp_cover_axis(box[1], box[3], margin, feather, c->cells, h);
    p.outer = (float) (once * once * once * once);
    if (!(box[0] < box[2] && box[1] < box[3]))
        p.x.x2 = p.x.x1;
    return p;
}

RP_FN int rp_cover_is_empty(const struct rp_cover_place *p)
{
    return p->x.x1 >= p->x.x2 || p->y.x1 >= p->y.x2;
}

/* Where a pixel lies, in cells. */
RP_FN double rp_cover_at(const struct rp_cover_axis *a, int x)
{
    return (x - a->from) * a->cells / a->size;
}

/* Its cell. */
RP_FN int rp_cover_cell(const struct rp_cover_axis *a, int x)
{
    return rp_clampi(rp_floor_d(rp_clampd(rp_cover_at(a, x), 0, RP_MAX_CELLS)), 0, a->cells - 1);
}

/* The first pixel of the frame in cell i or a later one. */
RP_FN int rp_cover_first(const struct rp_cover_axis *a, int i)
{
    int x = (int) rp_clampd(a->from + i * a->size / a->cells, a->x1, a->x2);

    while (x > a->x1 && rp_cover_cell(a, x - 1) >= i)
        x--;
    while (x < a->x2 && rp_cover_cell(a, x) < i)
        x++;
    return x;
}

RP_FN uint8_t rp_cover_mean(uint64_t sum, uint64_t n)
{
    return n ? (uint8_t) ((sum + n / 2) / n) : 0;
}

/* ---- one pixel ------------------------------------------------------------------------------- */

/* The fourth power of the distance from the centre; 1 where complete cover ends. */
RP_FN float rp_cover_fourth(const struct rp_cover_axis *a, int x)
{
    const float u = (float) ((x - a->centre) / a->radius), uu = u * u;

    return uu * uu;
}

/* How much of a pixel is covered: s is the sum of both. */
RP_FN float rp_cover_share(const struct rp_cover_place *p, float s)
{
    if (s <= 1.0f)
        return 1.0f;
    return s < p->outer ? (p->outer - s) / (p->outer - 1.0f) : 0.0f;
}

/* The three cells that a pixel is mixed of, and their weights: a quadratic spline. */
struct rp_cover_mix {
    int cell[3];
    float weight[3];
};

RP_FN struct rp_cover_mix rp_cover_mix(const struct rp_cover_axis *a, int x, int first, int last)
{
    struct rp_cover_mix m;
    const int c = rp_cover_cell(a, x);
    const float t = rp_clamp_unit((float) (rp_cover_at(a, x) - c)), r = 1.0f - t;

    m.cell[0] = rp_maxi(c - 1, first);
    m.cell[1] = c;
    m.cell[2] = rp_mini(c + 1, last);
    m.weight[0] = 0.5f * r * r;
    m.weight[1] = 0.75f - (t - 0.5f) * (t - 0.5f);
    m.weight[2] = 0.5f * t * t;
    return m;
}

RP_FN float rp_cover_mix3(const float weight[3], float a, float b, float c)
{
    return weight[0] * a + weight[1] * b + weight[2] * c;
}

/* Does the mask count? Of a face that is only held nobody knows where exactly it is. */
RP_FN int rp_cover_masked(const struct rp_op_cover *a)
{
    return a->mask && a->face->origin != RP_FACE_HELD;
}

RP_FN float rp_cover_least(float a, float b)
{
    return b < a ? b : a;
}

/* Completely covered, nothing of the old pixel is left. */
RP_FN uint8_t rp_cover_pixel(uint8_t old, float v, float share)
{
    const float left = 1.0f - share;

    return share > 0.0f ? rp_round_u8((float) old * left + v * share) : old;
}

#endif /* RP_OPS_COVER_CORE_H */
