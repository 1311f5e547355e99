/* yuv_to_bgr and bgr_to_yuv. Rows are worked on in chunks that fit the stack and the L1 cache. */
#include "ops/convert_core.h"
#include "ops/ops.h"

#include <string.h>

#define CHUNK 512 /* pixels; even */

/* The chroma part of a colour for each pixel of a chunk. */
struct terms {
    int b[CHUNK + 2], g[CHUNK + 2], r[CHUNK + 2];
};

RP_INLINE int sample(const uint8_t *row, int x, int wide)
{
    if (wide) {
        uint16_t v;

        memcpy(&v, row + 2 * (size_t) x, sizeof(v));
        return v;
    }
    return row[x];
}

RP_INLINE void put_sample(uint8_t *row, int x, int wide, int v)
{
    if (wide) {
        const uint16_t s = (uint16_t) v;

        memcpy(row + 2 * (size_t) x, &s, sizeof(s));
    } else {
        row[x] = (uint8_t) v;
    }
}

/* u, v: the chunk's first chroma samples; n pixels. */
RP_INLINE void make_terms(struct terms *t, const struct rp_yuv_factors *f, const uint8_t *u,
                          const uint8_t *v, int n, int sub_x, int wide)
{
    if (sub_x) {
        for (int i = 0; i < (n + 1) / 2; i++) {
            const int cu = sample(u, i, wide), cv = sample(v, i, wide);

            t->b[2 * i] = t->b[2 * i + 1] = rp_yuv_term_b(f, cu);
            t->g[2 * i] = t->g[2 * i + 1] = rp_yuv_term_g(f, cu, cv);
            t->r[2 * i] = t->r[2 * i + 1] = rp_yuv_term_r(f, cv);
        }
    } else {
        for (int i = 0; i < n; i++) {
            const int cu = sample(u, i, wide), cv = sample(v, i, wide);

            t->b[i] = rp_yuv_term_b(f, cu);
            t->g[i] = rp_yuv_term_g(f, cu, cv);
            t->r[i] = rp_yuv_term_r(f, cv);
        }
    }
}

RP_INLINE void add_luma(uint8_t *restrict dst, const struct terms *restrict t,
                        const uint8_t *restrict y, int factor, int n, int wide, int shift)
{
    for (int x = 0; x < n; x++) {
        const int l = sample(y, x, wide);

        dst[3 * x + 0] = rp_yuv_add(factor, l, t->b[x], shift);
        dst[3 * x + 1] = rp_yuv_add(factor, l, t->g[x], shift);
        dst[3 * x + 2] = rp_yuv_add(factor, l, t->r[x], shift);
    }
}

RP_HOT static void terms_8(struct terms *t, const struct rp_yuv_factors *f, const uint8_t *u,
                           const uint8_t *v, int n, int sub_x)
{
    make_terms(t, f, u, v, n, sub_x, 0);
}

RP_HOT static void terms_10(struct terms *t, const struct rp_yuv_factors *f, const uint8_t *u,
                            const uint8_t *v, int n, int sub_x)
{
    make_terms(t, f, u, v, n, sub_x, 1);
}

RP_HOT static void luma_8(uint8_t *dst, const struct terms *t, const uint8_t *y, int factor, int n)
{
    add_luma(dst, t, y, factor, n, 0, RP_YUV_FROM_BITS);
}

RP_HOT static void luma_10(uint8_t *dst, const struct terms *t, const uint8_t *y, int factor, int n)
{
    add_luma(dst, t, y, factor, n, 1, RP_YUV_FROM_BITS + 2);
}

/* BGR of pixels x..x+n of the chroma row cy, which has up to two luma rows: rows[k] gets row k. */
static void convert_chunk(const struct rp_planes *s, const struct rp_yuv_factors *f, int cy, int x,
                          int n, uint8_t *const rows[2], int row_count)
{
    struct terms t;
    const int wide = s->depth > 8;
    const ptrdiff_t c_at = (ptrdiff_t) (x >> s->sub_x) << wide;
    const uint8_t *u = s->plane[1] + (ptrdiff_t) cy * s->stride[1] + c_at;
    const uint8_t *v = s->plane[2] + (ptrdiff_t) cy * s->stride[2] + c_at;

    (wide ? terms_10 : terms_8)(&t, f, u, v, n, s->sub_x);
    for (int k = 0; k < row_count; k++) {
        const uint8_t *y = s->plane[0] + (ptrdiff_t) ((cy << s->sub_y) + k) * s->stride[0] +
                           ((ptrdiff_t) x << wide);

        (wide ? luma_10 : luma_8)(rows[k], &t, y, f->y, n);
    }
}

int rp_c_yuv_to_bgr(struct rp_stream *stream, const struct rp_op_yuv_to_bgr *a)
{
    const struct rp_planes *s = &a->src;
    const int w = rp_mini(s->w, a->dst.w), h = rp_mini(s->h, a->dst.h);
    const int per = 1 << s->sub_y;
    struct rp_yuv_factors f;

    (void) stream;
    rp_yuv_factors(&f, s->matrix, s->full_range, s->depth);
    for (int y = 0; y < h; y += per) {
        for (int x = 0; x < w; x += CHUNK) {
            uint8_t *row = a->dst.data + (ptrdiff_t) y * a->dst.stride + 3 * (ptrdiff_t) x;
            uint8_t *const rows[2] = {row, row + a->dst.stride};

            convert_chunk(s, &f, y >> s->sub_y, x, rp_mini(CHUNK, w - x), rows,
                          rp_mini(per, h - y));
        }
    }
    return 0;
}

/* One or two rows of a chunk, split into channels; odd ends are doubled so that sums of four
 * always hold whole blocks. */
struct split {
    uint8_t b[2][CHUNK + 2], g[2][CHUNK + 2], r[2][CHUNK + 2];
    uint8_t differs[2][CHUNK + 2]; /* per pixel */
    uint8_t block[CHUNK + 2];      /* per chroma sample */
};

RP_HOT static void split_row(struct split *restrict s, int k, const uint8_t *restrict now,
                             const uint8_t *restrict was, int n)
{
    for (int x = 0; x < n; x++) {
        s->b[k][x] = now[3 * x];
        s->g[k][x] = now[3 * x + 1];
        s->r[k][x] = now[3 * x + 2];
        s->differs[k][x] = (uint8_t) ((now[3 * x] ^ was[3 * x]) | (now[3 * x + 1] ^ was[3 * x + 1]) |
                                      (now[3 * x + 2] ^ was[3 * x + 2]));
    }
}

RP_INLINE void write_luma(uint8_t *restrict y, const struct split *restrict s, int k,
                          const struct rp_yuv_factors *f, int n, int sub_x, int wide)
{
    for (int x = 0; x < n; x++) {
        const int v = rp_bgr_luma(f, s->b[k][x], s->g[k][x], s->r[k][x]);

        put_sample(y, x, wide, s->block[x >> sub_x] ? v : sample(y, x, wide));
    }
}

RP_HOT static void luma_out_8(uint8_t *y, const struct split *s, int k,
                              const struct rp_yuv_factors *f, int n)
{
    write_luma(y, s, k, f, n, 0, 0);
}

RP_HOT static void luma_out_8_sub(uint8_t *y, const struct split *s, int k,
                                  const struct rp_yuv_factors *f, int n)
{
    write_luma(y, s, k, f, n, 1, 0);
}

RP_HOT static void luma_out_10(uint8_t *y, const struct split *s, int k,
                               const struct rp_yuv_factors *f, int n, int sub_x)
{
    write_luma(y, s, k, f, n, sub_x, 1);
}

RP_INLINE int block_sum(const uint8_t (*p)[CHUNK + 2], int i, int sub_x)
{
    return sub_x ? p[0][2 * i] + p[0][2 * i + 1] + p[1][2 * i] + p[1][2 * i + 1]
                 : 2 * (p[0][i] + p[1][i]);
}

RP_INLINE void write_chroma(uint8_t *restrict u, uint8_t *restrict v, const struct split *restrict s,
                            const struct rp_yuv_factors *f, int n, int sub_x, int wide)
{
    for (int i = 0; i < n; i++) {
        const int b = block_sum(s->b, i, sub_x), g = block_sum(s->g, i, sub_x);
        const int r = block_sum(s->r, i, sub_x);
        const int cu = rp_bgr_chroma_u(f, b, g, r), cv = rp_bgr_chroma_v(f, b, g, r);

        put_sample(u, i, wide, s->block[i] ? cu : sample(u, i, wide));
        put_sample(v, i, wide, s->block[i] ? cv : sample(v, i, wide));
    }
}

RP_HOT static void chroma_out_8(uint8_t *u, uint8_t *v, const struct split *s,
                                const struct rp_yuv_factors *f, int n, int sub_x)
{
    if (sub_x)
        write_chroma(u, v, s, f, n, 1, 0);
    else
        write_chroma(u, v, s, f, n, 0, 0);
}

RP_HOT static void chroma_out_10(uint8_t *u, uint8_t *v, const struct split *s,
                                 const struct rp_yuv_factors *f, int n, int sub_x)
{
    if (sub_x)
        write_chroma(u, v, s, f, n, 1, 1);
    else
        write_chroma(u, v, s, f, n, 0, 1);
}

static void double_ends(struct split *s, int n, int rows)
{
    for (int k = 0; k < rows; k++) {
        s->b[k][n] = s->b[k][n - 1];
        s->g[k][n] = s->g[k][n - 1];
        s->r[k][n] = s->r[k][n - 1];
        s->differs[k][n] = s->differs[k][n - 1];
    }
    if (rows < 2) {
        memcpy(s->b[1], s->b[0], (size_t) n + 1);
        memcpy(s->g[1], s->g[0], (size_t) n + 1);
        memcpy(s->r[1], s->r[0], (size_t) n + 1);
        memcpy(s->differs[1], s->differs[0], (size_t) n + 1);
    }
}

/* Pixels x..x+n of the chroma row cy, with `rows` luma rows. */
static void write_chunk(const struct rp_img *img, const struct rp_planes *d,
                        const struct rp_yuv_factors *f, int cy, int x, int n, int rows)
{
    uint8_t was[2][3 * CHUNK];
    struct split s;
    const int wide = d->depth > 8, top = cy << d->sub_y;
    const int blocks = (n + d->sub_x) >> d->sub_x;
    const uint8_t *now = img->data + (ptrdiff_t) top * img->stride + 3 * (ptrdiff_t) x;
    const ptrdiff_t c_at = (ptrdiff_t) (x >> d->sub_x) << wide;
    uint8_t *u = d->plane[1] + (ptrdiff_t) cy * d->stride[1] + c_at;
    uint8_t *v = d->plane[2] + (ptrdiff_t) cy * d->stride[2] + c_at;
    uint8_t *const expected[2] = {was[0], was[1]};
    int same = 1;

    convert_chunk(d, f, cy, x, n, expected, rows);
    for (int k = 0; k < rows; k++)
        same = same && !memcmp(now + (ptrdiff_t) k * img->stride, was[k], 3 * (size_t) n);
    if (same)
        return;

    for (int k = 0; k < rows; k++)
        split_row(&s, k, now + (ptrdiff_t) k * img->stride, was[k], n);
    double_ends(&s, n, rows);
    for (int i = 0; i < blocks; i++)
        s.block[i] = d->sub_x ? s.differs[0][2 * i] | s.differs[0][2 * i + 1] |
                                    s.differs[1][2 * i] | s.differs[1][2 * i + 1]
                              : s.differs[0][i] | s.differs[1][i];

    for (int k = 0; k < rows; k++) {
        uint8_t *y = d->plane[0] + (ptrdiff_t) (top + k) * d->stride[0] + ((ptrdiff_t) x << wide);

        if (wide)
            luma_out_10(y, &s, k, f, n, d->sub_x);
        else if (d->sub_x)
            luma_out_8_sub(y, &s, k, f, n);
        else
            luma_out_8(y, &s, k, f, n);
    }
    (wide ? chroma_out_10 : chroma_out_8)(u, v, &s, f, blocks, d->sub_x);
}

int rp_c_bgr_to_yuv(struct rp_stream *stream, const struct rp_op_bgr_to_yuv *a)
{
    const struct rp_canvas *c = &a->src;
    const struct rp_planes *d = &a->dst;
    const int w = rp_mini(c->img.w, d->w), h = rp_mini(c->img.h, d->h);
    const int per = 1 << d->sub_y;
    struct rp_yuv_factors f;

    (void) stream;
    rp_yuv_factors(&f, d->matrix, d->full_range, d->depth);
    for (int ty = 0; ty < c->tiles_h && ty * RP_TILE < h; ty++) {
        const uint8_t *changed = c->changed + (size_t) ty * c->tiles_w;
        const int bottom = rp_mini(h, (ty + 1) * RP_TILE);

        for (int tx = 0; tx < c->tiles_w && tx * RP_TILE < w;) {
            int end = tx;

            while (end < c->tiles_w && end - tx < CHUNK / RP_TILE && changed[end])
                end++;
            if (end > tx) {
                const int x = tx * RP_TILE, n = rp_mini(w, end * RP_TILE) - x;

                for (int y = ty * RP_TILE; y < bottom && n > 0; y += per)
                    write_chunk(&c->img, d, &f, y >> d->sub_y, x, n, rp_mini(per, bottom - y));
            }
            tx = rp_maxi(end, tx + 1);
        }
    }
    return 0;
}
