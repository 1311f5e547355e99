/* The face debugger's shapes, each as a test "is this pixel inside". They equal OpenCV's drawings:
 * a thick line along an axis is a disc moved along it, and a contour is a disc on each of its
 * pixels, with four more pixels at diagonal steps for some widths. */
#ifndef RP_OPS_DRAW_CORE_H
#define RP_OPS_DRAW_CORE_H

#include "ops/core.h"

#define RP_DRAW_MAX 10 /* largest scale */

/* Line and point scale of a frame. */
RP_FN int rp_draw_scale(int frame_h)
{
    return rp_clampi(rp_round_d(frame_h / 270.0), 1, RP_DRAW_MAX);
}

/* A coordinate, truncated; one far outside stays outside. */
RP_FN int rp_draw_int(float v)
{
    return (int) rp_clampf(v, -100000.0f, 100000.0f);
}

/* Radius of the disc that draws a line of this thickness. */
RP_FN int rp_draw_radius(int thickness)
{
    return thickness > 1 ? (thickness + 1) / 2 : 0;
}

/* Half width of OpenCV's filled circle `row` rows from its centre; -1 outside. */
RP_FN int rp_disc_width(int radius, int row)
{
    int err = 0, dx = radius, dy = 0, plus = 1, minus = 2 * radius - 1, width = -1;

    row = row < 0 ? -row : row;
    while (dx >= dy) {
        if (dy == row)
            width = rp_maxi(width, dx);
        if (dx == row)
            width = rp_maxi(width, dy);
        dy++;
        err += plus;
        plus += 2;
        if (err > 0) {
            err -= minus;
            dx--;
            minus -= 2;
        }
    }
    return width;
}

/* A thick line from (x1, y1) to (x2, y2), along an axis. */
struct rp_bar {
    int x1, y1, x2, y2, radius;
};

RP_FN struct rp_bar rp_bar(int x1, int y1, int x2, int y2, int thickness)
{
    struct rp_bar b;

    b.x1 = rp_mini(x1, x2);
    b.y1 = rp_mini(y1, y2);
    b.x2 = rp_maxi(x1, x2);
    b.y2 = rp_maxi(y1, y2);
    b.radius = rp_draw_radius(thickness);
    return b;
}

RP_FN int rp_in_bar(const struct rp_bar *b, int x, int y)
{
    const int dx = x < b->x1 ? b->x1 - x : x > b->x2 ? x - b->x2 : 0;
    const int dy = y < b->y1 ? b->y1 - y : y > b->y2 ? y - b->y2 : 0;

    return dy <= b->radius && dx <= rp_disc_width(b->radius, dy);
}

/* Which edge of the box is "up". 0..3: top, right, bottom, left. */
RP_FN int rp_draw_up(int angle)
{
    return angle == 90 ? 1 : angle == 180 ? 2 : angle == 270 ? 3 : 0;
}

/* How far the four extra pixels of a diagonal contour step are from it; 0 = none. For a step from
 * (x, y) to (x + 1, y + t): (s, -ts), (s + 1, t - ts), (-s, ts), (1 - s, t + ts). */
RP_FN int rp_draw_diagonal(int thickness)
{
    return thickness == 2                      ? 1
           : thickness == 7 || thickness == 8  ? 3
           : thickness == 9 || thickness == 10 ? 4
                                               : 0;
}

/* BGR colours as 0xRRGGBB. */
#define RP_DRAW_RED 0xff0000u
#define RP_DRAW_UP 0xff6464u
#define RP_DRAW_GREEN 0x00ff00u
#define RP_DRAW_CYAN 0x00ffffu
#define RP_DRAW_ORANGE 0xffa500u

RP_FN void rp_draw_pixel(uint8_t *bgr, uint32_t colour)
{
    bgr[0] = (uint8_t) colour;
    bgr[1] = (uint8_t) (colour >> 8);
    bgr[2] = (uint8_t) (colour >> 16);
}

RP_FN int rp_draw_same(const float *a, const float *b, int n)
{
    int i;

    for (i = 0; i < n; i++)
        if (a[i] != b[i])
            return 0;
    return 1;
}

/* True if the points were filled in: a set that never was is all zeros, and is not drawn. */
RP_FN int rp_draw_any(const float *p, int n)
{
    int i;

    for (i = 0; i < n; i++)
        if (p[i] != 0.0f)
            return 1;
    return 0;
}

/* The colour of a set of points: item is one of the four landmark items. */
RP_FN uint32_t rp_draw_points_colour(const struct rp_dface *f, unsigned item)
{
    if (f->origin)
        return RP_DRAW_ORANGE;
    switch (item) {
    case 2: /* RP_DEBUG_LANDMARK_5 */
        return RP_DRAW_RED;
    case 4: /* RP_DEBUG_LANDMARK_5_68 */
        return rp_draw_same(f->lm5, f->lm5_68, 10) ? RP_DRAW_CYAN : RP_DRAW_GREEN;
    case 8: /* RP_DEBUG_LANDMARK_68 */
        return rp_draw_same(f->lm68, f->lm68_5, 136) ? RP_DRAW_CYAN : RP_DRAW_GREEN;
    default:
        return RP_DRAW_CYAN;
    }
}

RP_FN uint32_t rp_draw_mask_colour(const struct rp_dface *f)
{
    return f->origin                             ? RP_DRAW_ORANGE
           : rp_draw_same(f->lm5, f->lm5_68, 10) ? RP_DRAW_CYAN
                                                 : RP_DRAW_GREEN;
}

/* Is a warped mask value part of the shape? v: the mix of four mask values, 0..255. */
RP_FN uint8_t rp_draw_inside(float v)
{
    return rp_round_u8(v) > 100;
}

#endif /* RP_OPS_DRAW_CORE_H */
