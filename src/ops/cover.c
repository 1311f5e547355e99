/* Covering faces: means of cells, and the pixels made of them. */
#include "ops/cover_core.h"

#include <string.h>

/* ---- cells ----------------------------------------------------------------------------------- */

static void cell_mean(const struct rp_img *src, int x1, int x2, int y1, int y2, uint8_t dst[3])
{
    uint64_t sum[3] = {0};
    const uint64_t n = (uint64_t) (x2 - x1) * (uint64_t) (y2 - y1);

    for (int y = y1; y < y2; y++) {
        const uint8_t *const row = src->data + (ptrdiff_t) y * src->stride;
        uint32_t part[3] = {0}; /* of a row: at most 32768 * 255 */

        for (int x = x1; x < x2; x++)
            for (int k = 0; k < 3; k++)
                part[k] += row[3 * x + k];
        for (int k = 0; k < 3; k++)
            sum[k] += part[k];
    }
    for (int k = 0; k < 3; k++)
        dst[k] = rp_cover_mean(sum[k], n);
}

int rp_c_cover_cells(struct rp_stream *stream, const struct rp_op_cover_cells *a)
{
    const struct rp_cover_place p = rp_cover_place(&a->cover, a->face, a->src.w, a->src.h);

    (void) stream;
    if (rp_cover_is_empty(&p))
        return 0;
    for (int j = 0; j < p.y.cells; j++) {
        const int y1 = rp_cover_first(&p.y, j), y2 = rp_cover_first(&p.y, j + 1);

        for (int i = 0; i < p.x.cells; i++)
            cell_mean(&a->src, rp_cover_first(&p.x, i), rp_cover_first(&p.x, i + 1), y1, y2,
                      a->dst + (ptrdiff_t) 3 * (j * p.x.cells + i));
    }
    return 0;
}

/* ---- painting -------------------------------------------------------------------------------- */

/* What is shown in one row of the frame: the cells, mixed down. */
static void mix_row(const struct rp_op_cover *a, const struct rp_cover_place *p, int y,
                    float row[3 * RP_MAX_CELLS])
{
    const int n = p->x.cells;
    const struct rp_cover_mix m = rp_cover_mix(&p->y, y, rp_cover_cell(&p->y, p->y.x1),
                                               rp_cover_cell(&p->y, p->y.x2 - 1));

    for (int i = 0; i < 3 * n; i++)
        row[i] = rp_cover_mix3(m.weight, a->cells[3 * m.cell[0] * n + i],
                               a->cells[3 * m.cell[1] * n + i], a->cells[3 * m.cell[2] * n + i]);
}

static void shown(const struct rp_op_cover *a, const struct rp_cover_place *p, const float *row,
                  int x, int y, float v[3])
{
    const int first = rp_cover_cell(&p->x, p->x.x1), last = rp_cover_cell(&p->x, p->x.x2 - 1);
    const struct rp_cover_mix m = rp_cover_mix(&p->x, x, first, last);
    const ptrdiff_t cell = (ptrdiff_t) rp_cover_cell(&p->y, y) * p->x.cells + m.cell[1];

    for (int k = 0; k < 3; k++)
        v[k] = a->mode == RP_COVER_BLUR ? rp_cover_mix3(m.weight, row[3 * m.cell[0] + k],
                                                        row[3 * m.cell[1] + k],
                                                        row[3 * m.cell[2] + k])
               : a->mode == RP_COVER_PIXELATE ? (float) a->cells[3 * cell + k]
                                              : (float) a->colour[k];
}

static float mask_at(const struct rp_op_cover *a, int x, int y)
{
    return (unsigned) x < (unsigned) a->w && (unsigned) y < (unsigned) a->h
               ? a->mask[(size_t) y * a->w + x]
               : 0.0f;
}

/* The mask at a pixel of the frame. */
static float mask_share(const struct rp_op_cover *a, const struct rp_warp_line *l, int x)
{
    float tx, ty;
    const int ix = rp_warp_split(rp_warp_x(l, x), a->w, &tx);
    const int iy = rp_warp_split(rp_warp_y(l, x), a->h, &ty);

    return rp_clampf(rp_bilinear(mask_at(a, ix, iy), mask_at(a, ix + 1, iy),
                                 mask_at(a, ix, iy + 1), mask_at(a, ix + 1, iy + 1), tx, ty),
                     0.0f, 1.0f);
}

static void paint_row(const struct rp_op_cover *a, const struct rp_cover_place *p, int y)
{
    float v[3], row[3 * RP_MAX_CELLS] = {0};
    struct rp_warp_line line = {0};
    const int masked = rp_cover_masked(a);
    const float vertical = rp_cover_fourth(&p->y, y);
    uint8_t *const out = a->dst.img.data + (ptrdiff_t) y * a->dst.img.stride;

    if (a->mode == RP_COVER_BLUR)
        mix_row(a, p, y, row);
    if (masked)
        line = rp_warp_line(a->affine->m, 0.0, 0.0, y);
    for (int x = p->x.x1; x < p->x.x2; x++) {
        float share = rp_cover_share(p, rp_cover_fourth(&p->x, x) + vertical);

        if (masked && share > 0)
            share = rp_cover_least(share, mask_share(a, &line, x));
        if (!(share > 0))
            continue;
        shown(a, p, row, x, y, v);
        for (int k = 0; k < 3; k++)
            out[3 * x + k] = rp_cover_pixel(out[3 * x + k], v[k], share);
    }
}

static void mark(const struct rp_canvas *c, const struct rp_cover_place *p)
{
    const int tx1 = p->x.x1 / RP_TILE, tx2 = rp_mini(rp_tiles(p->x.x2), c->tiles_w);
    const int ty2 = rp_mini(rp_tiles(p->y.x2), c->tiles_h);

    if (!c->changed || tx1 >= tx2)
        return;
    for (int ty = p->y.x1 / RP_TILE; ty < ty2; ty++)
        memset(c->changed + (size_t) ty * c->tiles_w + tx1, 1, (size_t) (tx2 - tx1));
}

int rp_c_cover(struct rp_stream *stream, const struct rp_op_cover *a)
{
    const struct rp_img *const d = &a->dst.img;
    const struct rp_cover_place p = rp_cover_place(&a->cover, a->face, d->w, d->h);

    (void) stream;
    if (rp_cover_is_empty(&p))
        return 0;
    mark(&a->dst, &p);
    for (int y = p.y.x1; y < p.y.x2; y++)
        paint_row(a, &p, y);
    return 0;
}
