/* tile_cut and tile_put. */
#include <string.h>

#include "ops/ops.h"
#include "ops/tile_core.h"

int rp_c_tile_cut(struct rp_stream *stream, const struct rp_op_tile_cut *a)
{
    const int n = a->grid.size;
    const int left = rp_tile_at(&a->grid, *a->index % a->grid.across);
    const int top = rp_tile_at(&a->grid, *a->index / a->grid.across);

    (void) stream;
    for (int c = 0; c < 3; c++) {
        const float *const lut = a->lut + 256 * c;

        for (int y = 0; y < n; y++) {
            const int sy = top + y, inside = sy >= 0 && sy < a->src.h;
            const uint8_t *const row = inside ? a->src.data + (ptrdiff_t) sy * a->src.stride : NULL;
            float *const out = a->dst + ((size_t) c * (size_t) n + (size_t) y) * (size_t) n;

            for (int x = 0; x < n; x++) {
                const int sx = left + x;

                out[x] = lut[row && sx >= 0 && sx < a->src.w ? row[3 * sx + 2 - c] : 0];
            }
        }
    }
    return 0;
}

static void mark(const struct rp_canvas *c, const struct rp_region *r)
{
    const int first = r->x1 / RP_TILE, n = rp_tiles(r->x2) - first;

    for (int y = r->y1 / RP_TILE; r->x1 < r->x2 && y * RP_TILE < r->y2; y++)
        memset(c->changed + (size_t) y * (size_t) c->tiles_w + first, 1, (size_t) n);
}

#define CHUNK 512 /* columns whose weights are made at once */

RP_HOT_FMA static void put_chunk(const struct rp_op_tile_put *a, const struct rp_region *r, int x1,
                                 int x2)
{
    struct rp_tile_axis column[CHUNK];
    const struct rp_img *const d = &a->dst.img, *const s = &a->before;
    const int n = a->grid.size * a->scale;
    const size_t plane = (size_t) n * (size_t) n;
    const int left = rp_tile_at(&a->grid, *a->index % a->grid.across) * a->scale;
    const int top = rp_tile_at(&a->grid, *a->index / a->grid.across) * a->scale;
    const double sx = rp_resize_scale(s->w, d->w), sy = rp_resize_scale(s->h, d->h);

    for (int x = x1; x < x2; x++)
        column[x - x1] = rp_tile_column(x, sx, s->w);
    for (int y = r->y1; y < r->y2; y++) {
        const struct rp_tile_axis row = rp_tile_row(y, sy, s->h);
        const uint8_t *const p = s->data + (ptrdiff_t) row.at0 * s->stride;
        const uint8_t *const q = s->data + (ptrdiff_t) row.at1 * s->stride;
        uint8_t *const out = d->data + (ptrdiff_t) y * d->stride;
        const float *const v = a->src + (size_t) (y - top) * (size_t) n;

        for (int x = x1; x < x2; x++) {
            const struct rp_tile_axis *const col = &column[x - x1];
            const float *const rgb = v + x - left;

            for (int c = 0; c < 3; c++)
                out[3 * x + c] =
                    rp_tile_value(rgb[plane * (size_t) (2 - c)], p, q, 3 * col->at0 + c,
                                  3 * col->at1 + c, col, &row, a->keep, a->blend);
        }
    }
}

int rp_c_tile_put(struct rp_stream *stream, const struct rp_op_tile_put *a)
{
    const struct rp_region r = rp_tile_region(&a->grid, *a->index, a->scale, a->dst.img.w,
                                              a->dst.img.h);

    (void) stream;
    for (int x = r.x1; x < r.x2; x += CHUNK)
        put_chunk(a, &r, x, rp_mini(x + CHUNK, r.x2));
    mark(&a->dst, &r);
    return 0;
}
