/* draw_face and draw_mask, for the face debugger. */
#include "ops/draw_core.h"
#include "ops/ops.h"
#include "ops/paste_core.h"

#include <stddef.h>

static void put(const struct rp_canvas *c, int x, int y, uint32_t colour)
{
    const struct rp_img *d = &c->img;

    if (x < 0 || y < 0 || x >= d->w || y >= d->h)
        return;
    rp_draw_pixel(d->data + (ptrdiff_t) y * d->stride + (ptrdiff_t) x * d->ch, colour);
    if (c->changed && x / RP_TILE < c->tiles_w && y / RP_TILE < c->tiles_h)
        c->changed[(size_t) (y / RP_TILE) * c->tiles_w + x / RP_TILE] = 1;
}

static void draw_bar(const struct rp_canvas *c, const struct rp_bar *b, uint32_t colour)
{
    const int y1 = rp_maxi(b->y1 - b->radius, 0), y2 = rp_mini(b->y2 + b->radius, c->img.h - 1);
    const int x1 = rp_maxi(b->x1 - b->radius, 0), x2 = rp_mini(b->x2 + b->radius, c->img.w - 1);

    for (int y = y1; y <= y2; y++)
        for (int x = x1; x <= x2; x++)
            if (rp_in_bar(b, x, y))
                put(c, x, y, colour);
}

static void draw_disc(const struct rp_canvas *c, int x, int y, int radius, uint32_t colour)
{
    for (int dy = -radius; dy <= radius; dy++) {
        const int width = rp_disc_width(radius, dy);

        for (int dx = -width; dx <= width; dx++)
            put(c, x + dx, y + dy, colour);
    }
}

static void draw_points(const struct rp_canvas *c, const float *p, int n, uint32_t colour)
{
    const int radius = rp_draw_scale(c->img.h);

    if (!rp_draw_any(p, 2 * n))
        return;
    for (int i = 0; i < n; i++)
        draw_disc(c, rp_draw_int(p[2 * i]), rp_draw_int(p[2 * i + 1]), radius, colour);
}

static void draw_box(const struct rp_canvas *c, const struct rp_dface *f)
{
    const int k = rp_draw_scale(c->img.h);
    const int x1 = rp_draw_int(f->box[0]), y1 = rp_draw_int(f->box[1]);
    const int x2 = rp_draw_int(f->box[2]), y2 = rp_draw_int(f->box[3]);
    const int edge[4][4] = {{x1, y1, x2, y1}, {x2, y1, x2, y2}, {x1, y2, x2, y2}, {x1, y1, x1, y2}};
    const int *up = edge[rp_draw_up(f->angle)];
    struct rp_bar b;

    for (int i = 0; i < 4; i++) {
        b = rp_bar(edge[i][0], edge[i][1], edge[i][2], edge[i][3], k);
        draw_bar(c, &b, RP_DRAW_RED);
    }
    b = rp_bar(up[0], up[1], up[2], up[3], k + 1);
    draw_bar(c, &b, RP_DRAW_UP);
}

int rp_c_draw_face(struct rp_stream *stream, const struct rp_op_draw_face *a)
{
    const struct rp_dface *f = a->face;

    (void) stream;
    if (a->items & RP_DEBUG_BOX)
        draw_box(&a->dst, f);
    if (a->items & RP_DEBUG_LANDMARK_5)
        draw_points(&a->dst, f->lm5, 5, rp_draw_points_colour(f, RP_DEBUG_LANDMARK_5));
    if (a->items & RP_DEBUG_LANDMARK_5_68)
        draw_points(&a->dst, f->lm5_68, 5, rp_draw_points_colour(f, RP_DEBUG_LANDMARK_5_68));
    if (a->items & RP_DEBUG_LANDMARK_68)
        draw_points(&a->dst, f->lm68, 68, rp_draw_points_colour(f, RP_DEBUG_LANDMARK_68));
    if (a->items & RP_DEBUG_LANDMARK_68_5)
        draw_points(&a->dst, f->lm68_5, 68, rp_draw_points_colour(f, RP_DEBUG_LANDMARK_68_5));
    return 0;
}

static float mask_byte(const struct rp_op_draw_mask *a, int x, int y)
{
    if (x < 0 || y < 0 || x >= a->w || y >= a->h)
        return 0.0f;
    return (float) rp_trunc_u8(a->mask[(size_t) y * a->w + x] * 255.0f);
}

static int inside(const struct rp_op_draw_mask *a, const struct rp_region *r, int x, int y)
{
    return x >= r->x1 && x < r->x2 && y >= r->y1 && y < r->y2 &&
           a->tmp[(size_t) y * a->dst.img.w + x];
}

int rp_c_draw_mask(struct rp_stream *stream, const struct rp_op_draw_mask *a)
{
    const struct rp_img *d = &a->dst.img;
    const int k = rp_draw_scale(d->h), radius = rp_draw_radius(k), s = rp_draw_diagonal(k);
    const uint32_t colour = rp_draw_mask_colour(a->face);
    struct rp_region r;

    (void) stream;
    if (a->w < 1 || a->h < 1)
        return 0;
    r = rp_draw_region(a->affine->inv, a->w, a->h, d->w, d->h);

    for (int y = r.y1; y < r.y2; y++) {
        const struct rp_warp_line l = rp_warp_line(a->affine->m, 0.0, 0.0, y);

        for (int x = r.x1; x < r.x2; x++) {
            float tx, ty;
            const int ix = rp_warp_split(rp_warp_x(&l, x), a->w, &tx);
            const int iy = rp_warp_split(rp_warp_y(&l, x), a->h, &ty);

            a->tmp[(size_t) y * d->w + x] = rp_draw_inside(
                rp_bilinear(mask_byte(a, ix, iy), mask_byte(a, ix + 1, iy),
                            mask_byte(a, ix, iy + 1), mask_byte(a, ix + 1, iy + 1), tx, ty));
        }
    }

    for (int y = r.y1; y < r.y2; y++) {
        for (int x = r.x1; x < r.x2; x++) {
            if (!inside(a, &r, x, y))
                continue;
            if (!inside(a, &r, x - 1, y) || !inside(a, &r, x + 1, y) || !inside(a, &r, x, y - 1) ||
                !inside(a, &r, x, y + 1))
                draw_disc(&a->dst, x, y, radius, colour);
            for (int t = -1; s && t <= 1; t += 2) {
                if (!inside(a, &r, x + 1, y + t) ||
                    (inside(a, &r, x + 1, y) && inside(a, &r, x, y + t)))
                    continue;
                put(&a->dst, x + s, y - t * s, colour);
                put(&a->dst, x + s + 1, y + t - t * s, colour);
                put(&a->dst, x - s, y + t * s, colour);
                put(&a->dst, x - s + 1, y + t + t * s, colour);
            }
        }
    }
    return 0;
}
