/* Tiles of an upscaler, as in FaceFusion: where they lie, and the arithmetic of one value. */
#ifndef RP_OPS_TILE_CORE_H
#define RP_OPS_TILE_CORE_H

#include "ops/core.h"
#include "ops/paste_core.h"
#include "ops/resize_core.h"

RP_FN int rp_tile_core(const struct rp_tile_grid *g)
{
    return g->size - 2 * g->overlap;
}

/* First pixel of a tile, context included, along one axis; may lie outside the picture. */
RP_FN int rp_tile_at(const struct rp_tile_grid *g, int number)
{
    return number * rp_tile_core(g) - g->pad - g->overlap;
}

/* Tiles along an axis. FaceFusion makes one more if the picture ends within the padding before it,
 * but nothing of that tile is kept. */
RP_FN int rp_tile_count(const struct rp_tile_grid *g, int side)
{
    return (side + g->pad - 1) / rp_tile_core(g) + 1;
}

/* The part of the enlarged picture of w x h that tile number i fills. */
RP_FN struct rp_region rp_tile_region(const struct rp_tile_grid *g, int i, int scale, int w, int h)
{
    const int side = rp_tile_core(g) * scale;
    const int x = (rp_tile_at(g, i % g->across) + g->overlap) * scale;
    const int y = (rp_tile_at(g, i / g->across) + g->overlap) * scale;
    const struct rp_region r = {rp_maxi(x, 0), rp_maxi(y, 0), rp_mini(x + side, w),
                                rp_mini(y + side, h)};

    return r;
}

/* Weights and places of one pixel of an enlarged axis: see resize_core.h. */
struct rp_tile_axis {
    int at0, at1, w0, w1;
};

RP_FN struct rp_tile_axis rp_tile_column(int x, double scale, int size)
{
    float f;
    struct rp_tile_axis a;

    a.at0 = rp_resize_column(x, scale, size, &f);
    a.at1 = rp_mini(a.at0 + 1, size - 1); /* weight 0 at the edge */
    a.w0 = rp_resize_weight(1.0f - f);
    a.w1 = rp_resize_weight(f);
    return a;
}

RP_FN struct rp_tile_axis rp_tile_row(int y, double scale, int size)
{
    float f;
    const int top = rp_resize_at(y, scale, &f);
    struct rp_tile_axis a;

    a.at0 = rp_clampi(top, 0, size - 1);
    a.at1 = rp_clampi(top + 1, 0, size - 1);
    a.w0 = rp_resize_weight(1.0f - f);
    a.w1 = rp_resize_weight(f);
    return a;
}

/* One value of the result. p, q: the two rows of the original picture; l, m: byte offsets of the
 * value's two columns. */
RP_FN uint8_t rp_tile_value(float v, const uint8_t *p, const uint8_t *q, int l, int m,
                            const struct rp_tile_axis *column, const struct rp_tile_axis *row,
                            float keep, float blend)
{
    const int upper = (int16_t) rp_resize_across(p[l], p[m], column->w0, column->w1);
    const int lower = (int16_t) rp_resize_across(q[l], q[m], column->w0, column->w1);
    const uint8_t before = rp_resize_down(upper, lower, row->w0, row->w1);

    return rp_blend(before, rp_trunc_u8(v * 255.0f), keep, blend);
}

#endif /* RP_OPS_TILE_CORE_H */
