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

/* What is shown in one row of the frame: its cells; blurred, mixed of three rows of them. */
static void mix_row(const struct rp_op_cover *a, const struct rp_cover_place *p, int y,
                    float row[3 * RP_MAX_CELLS])
{
    const int n = p->x.cells;
    const struct rp_cover_mix m =
        rp_cover_mix(&p->y, y, rp_cover_cell(&p->y, p->y.x1), rp_cover_cell(&p->y, p->y.x2 - 1));

    for (int i = 0; i < 3 * n; i++)
        row[i] = a->mode == RP_COVER_BLUR ? rp_cover_mix3(m.weight, a->cells[3 * m.cell[0] * n + i],
                                                          a->cells[3 * m.cell[1] * n + i],
                                                          a->cells[3 * m.cell[2] * n + i])
                                          : (float) a->cells[3 * m.cell[1] * n + i];
}

/* Columns of the frame: what is the same in all rows. */
#define CHUNK 128

struct columns {
    int x1, n;
    float fourth[CHUNK];
    struct rp_cover_mix mix[CHUNK];
};

static void make_columns(struct columns *c, const struct rp_cover_axis *a, int x1)
{
    const int first = rp_cover_cell(a, a->x1), last = rp_cover_cell(a, a->x2 - 1);

    c->x1 = x1;
    c->n = rp_mini(CHUNK, a->x2 - x1);
    for (int i = 0; i < c->n; i++) {
        c->fourth[i] = rp_cover_fourth(a, x1 + i);
        c->mix[i] = rp_cover_mix(a, x1 + i, first, last);
    }
}

/* What is shown in these columns of a row; row: of mix_row(). */
static void shown(const struct rp_op_cover *a, const struct columns *c, const float *restrict row,
                  float *restrict v)
{
    for (int i = 0; i < c->n; i++, v += 3) {
        const struct rp_cover_mix *const m = &c->mix[i];
        const float *const l = row + 3 * m->cell[0], *const at = row + 3 * m->cell[1];
        const float *const r = row + 3 * m->cell[2];

        for (int k = 0; k < 3; k++)
            v[k] = a->mode == RP_COVER_BLUR       ? rp_cover_mix3(m->weight, l[k], at[k], r[k])
                   : a->mode == RP_COVER_PIXELATE ? at[k]
                                                  : (float) a->colour[k];
    }
}

RP_HOT static void mix_pixels(uint8_t *restrict dst, const float *restrict v,
                              const float *restrict share, int n)
{
    for (int i = 0; i < n; i++)
        dst[i] = rp_cover_pixel(dst[i], v[i], share[i]);
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

    return rp_clampf(rp_bilinear(mask_at(a, ix, iy), mask_at(a, ix + 1, iy), mask_at(a, ix, iy + 1),
                                 mask_at(a, ix + 1, iy + 1), tx, ty),
                     0.0f, 1.0f);
}

/* How much of each pixel is covered, channel by channel. Returns false if nothing is. */
static int make_shares(const struct rp_op_cover *a, const struct rp_cover_place *p,
                       const struct columns *c, int y, float *share)
{
    struct rp_warp_line line = {0};
    const int masked = rp_cover_masked(a);
    const float vertical = rp_cover_fourth(&p->y, y);
    int any = 0;

    if (masked)
        line = rp_warp_line(a->affine->m, 0.0, 0.0, y);
    for (int i = 0; i < c->n; i++) {
        float s = rp_cover_share(p, c->fourth[i] + vertical);

        if (masked && s > 0)
            s = rp_cover_least(s, mask_share(a, &line, c->x1 + i));
        share[3 * i] = share[3 * i + 1] = share[3 * i + 2] = s;
        any |= s > 0;
    }
    return any;
}

static void paint_row(const struct rp_op_cover *a, const struct rp_cover_place *p,
                      const struct columns *c, int y)
{
    float row[3 * RP_MAX_CELLS] = {0}, v[3 * CHUNK], share[3 * CHUNK];
    uint8_t *const out =
        a->dst.img.data + (ptrdiff_t) y * a->dst.img.stride + 3 * (ptrdiff_t) c->x1;

    if (!make_shares(a, p, c, y, share))
        return;
    if (a->mode != RP_COVER_COLOUR)
        mix_row(a, p, y, row);
    shown(a, c, row, v);
    mix_pixels(out, v, share, 3 * c->n);
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
    struct columns columns;

    (void) stream;
    if (rp_cover_is_empty(&p))
        return 0;
    mark(&a->dst, &p);
    for (int x = p.x.x1; x < p.x.x2; x += CHUNK) {
        make_columns(&columns, &p.x, x);
        for (int y = p.y.x1; y < p.y.x2; y++)
            paint_row(a, &p, &columns, y);
    }
    return 0;
}
