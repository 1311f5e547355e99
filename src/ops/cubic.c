/* resize_cubic. Columns are done in chunks, of which four rows that were summed across are held:
 * the rows of a destination row mostly overlap those of the one before. */
#include "ops/cubic_core.h"
#include "ops/ops.h"

#define CHUNK 256 /* destination pixels */
#define WIDE (4 * CHUNK)

struct held {
    int row[4]; /* which source row is in sums[], -1: none; source row r is in place r % 4 */
    int32_t sums[4][WIDE];
};

static void across_row(int32_t *restrict dst, const uint8_t *restrict src,
                       const struct rp_cubic *column, int n, int ch)
{
    for (int i = 0; i < n; i++) {
        const struct rp_cubic *const c = &column[i];
        const uint8_t *const p = src + (ptrdiff_t) c->at[0] * ch, *const q =
                                                                      src +
                                                                      (ptrdiff_t) c->at[1] * ch;
        const uint8_t *const r = src + (ptrdiff_t) c->at[2] * ch, *const s =
                                                                      src +
                                                                      (ptrdiff_t) c->at[3] * ch;

        for (int k = 0; k < ch; k++)
            dst[i * ch + k] = rp_cubic_across(p[k], q[k], r[k], s[k], c->w);
    }
}

RP_HOT static void down_row(uint8_t *restrict dst, const int32_t *restrict a,
                            const int32_t *restrict b, const int32_t *restrict c,
                            const int32_t *restrict d, const float w[4], int n)
{
    const float v[4] = {w[0], w[1], w[2], w[3]};

    for (int i = 0; i < n; i++)
        dst[i] = rp_cubic_down(a[i], b[i], c[i], d[i], v);
}

static void cubic_columns(const struct rp_img *s, const struct rp_img *d, int x, int n)
{
    const double sx = rp_resize_scale(s->w, d->w), sy = rp_resize_scale(s->h, d->h);
    struct rp_cubic column[CHUNK];
    struct held h = {.row = {-1, -1, -1, -1}};

    for (int i = 0; i < n; i++)
        column[i] = rp_cubic_at(x + i, sx, s->w);
    for (int y = 0; y < d->h; y++) {
        const struct rp_cubic c = rp_cubic_at(y, sy, s->h);
        float w[4];

        for (int i = 0; i < 4; i++) {
            const int place = c.at[i] % 4;

            if (h.row[place] != c.at[i])
                across_row(h.sums[place], s->data + (ptrdiff_t) c.at[i] * s->stride, column, n,
                           d->ch);
            h.row[place] = c.at[i];
            w[i] = rp_cubic_weight(c.w[i]);
        }
        down_row(d->data + (ptrdiff_t) y * d->stride + (ptrdiff_t) x * d->ch, h.sums[c.at[0] % 4],
                 h.sums[c.at[1] % 4], h.sums[c.at[2] % 4], h.sums[c.at[3] % 4], w, n * d->ch);
    }
}

int rp_c_resize_cubic(struct rp_stream *stream, const struct rp_op_resize_cubic *a)
{
    const struct rp_img *const s = &a->src, *const d = &a->dst;

    (void) stream;
    if (s->w < 1 || s->h < 1)
        return 0;
    for (int x = 0; x < d->w; x += CHUNK)
        cubic_columns(s, d, x, rp_mini(CHUNK, d->w - x));
    return 0;
}
