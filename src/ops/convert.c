/* yuv_to_bgr and bgr_to_yuv. Rows are done in chunks that fit the stack and the L1 cache; the
 * chroma part of a chunk is computed once for its one or two luma rows. */
#include "ops/convert_core.h"
#include "ops/ops.h"

#include <string.h>

#define CHUNK 512 /* pixels; even */

/* The chroma part of a colour for each pixel of a chunk. */
struct terms {
    int16_t b[CHUNK + 2], g[CHUNK + 2], r[CHUNK + 2];
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

/* u, v: the chunk's n chroma samples. */
RP_INLINE void make_terms(struct terms *restrict t, const struct rp_yuv_factors *factors,
                          const uint8_t *restrict u, const uint8_t *restrict v, int n, int sub_x,
                          int wide)
{
    struct rp_yuv_factors f = *factors;

    f.coarse = sub_x && !wide; /* no change: tells the compiler what it is */
    for (int i = 0; i < n; i++) {
        const int cu = sample(u, i, wide), cv = sample(v, i, wide);
        const int16_t b = rp_yuv_term_b(&f, cu), g = rp_yuv_term_g(&f, cu, cv);
        const int16_t r = rp_yuv_term_r(&f, cv);

        if (sub_x) {
            t->b[2 * i] = t->b[2 * i + 1] = b;
            t->g[2 * i] = t->g[2 * i + 1] = g;
            t->r[2 * i] = t->r[2 * i + 1] = r;
        } else {
            t->b[i] = b;
            t->g[i] = g;
            t->r[i] = r;
        }
    }
}

RP_HOT static void terms_8(struct terms *t, const struct rp_yuv_factors *f, const uint8_t *u,
                           const uint8_t *v, int n, int sub_x)
{
    if (sub_x)
        make_terms(t, f, u, v, n, 1, 0);
    else
        make_terms(t, f, u, v, n, 0, 0);
}

RP_HOT static void terms_10(struct terms *t, const struct rp_yuv_factors *f, const uint8_t *u,
                            const uint8_t *v, int n, int sub_x)
{
    if (sub_x)
        make_terms(t, f, u, v, n, 1, 1);
    else
        make_terms(t, f, u, v, n, 0, 1);
}

RP_INLINE void add_luma(uint8_t *restrict dst, const struct terms *restrict t,
                        const uint8_t *restrict y, const struct rp_yuv_factors *factors, int n,
                        int wide, int coarse)
{
    struct rp_yuv_factors f = *factors;

    f.wide = wide;
    f.coarse = coarse;
    for (int x = 0; x < n; x++) {
        const uint16_t l = rp_yuv_luma(&f, sample(y, x, wide));

        dst[3 * x + 0] = rp_yuv_add(l, t->b[x]);
        dst[3 * x + 1] = rp_yuv_add(l, t->g[x]);
        dst[3 * x + 2] = rp_yuv_add(l, t->r[x]);
    }
}

RP_HOT static void luma_8(uint8_t *dst, const struct terms *t, const uint8_t *y,
                          const struct rp_yuv_factors *f, int n)
{
    if (f->coarse)
        add_luma(dst, t, y, f, n, 0, 1);
    else
        add_luma(dst, t, y, f, n, 0, 0);
}

RP_HOT static void luma_10(uint8_t *dst, const struct terms *t, const uint8_t *y,
                           const struct rp_yuv_factors *f, int n)
{
    add_luma(dst, t, y, f, n, 1, 0);
}

/* Terms of n pixels from x on of the chroma row cy. */
static void chunk_terms(struct terms *t, const struct rp_planes *s, const struct rp_yuv_factors *f,
                        int cy, int x, int n)
{
    const ptrdiff_t at = (ptrdiff_t) (x >> s->sub_x) << f->wide;
    const uint8_t *u = s->plane[1] + (ptrdiff_t) cy * s->stride[1] + at;
    const uint8_t *v = s->plane[2] + (ptrdiff_t) cy * s->stride[2] + at;

    (f->wide ? terms_10 : terms_8)(t, f, u, v, (n + s->sub_x) >> s->sub_x, s->sub_x);
}

int rp_c_yuv_to_bgr(struct rp_stream *stream, const struct rp_op_yuv_to_bgr *a)
{
    const struct rp_planes *s = a->src;
    const int w = rp_mini(s->w, a->dst.w), h = rp_mini(s->h, a->dst.h);
    const int per = 1 << s->sub_y;
    struct rp_yuv_factors f;
    struct terms t = {0};

    (void) stream;
    rp_yuv_factors(&f, s->matrix, s->full_range, s->depth, s->sub_x);
    for (int top = 0; top < h; top += per) {
        for (int x = 0; x < w; x += CHUNK) {
            const int n = rp_mini(CHUNK, w - x);

            chunk_terms(&t, s, &f, top >> s->sub_y, x, n);
            for (int y = top; y < rp_mini(top + per, h); y++)
                (f.wide ? luma_10 : luma_8)(
                    a->dst.data + (ptrdiff_t) y * a->dst.stride + 3 * (ptrdiff_t) x, &t,
                    s->plane[0] + (ptrdiff_t) y * s->stride[0] + ((ptrdiff_t) x << f.wide), &f, n);
        }
    }
    return 0;
}

/* One or two rows of a chunk, split into channels; odd ends are doubled so that sums of four always
 * cover whole blocks. */
struct split {
    uint8_t b[2][CHUNK + 2], g[2][CHUNK + 2], r[2][CHUNK + 2];
    uint8_t differs[2][CHUNK + 2]; /* per pixel, not 0 where it differs from the planes */
    uint8_t block[CHUNK + 2];      /* the same, per chroma sample */
};

RP_INLINE int split_row(struct split *restrict s, int k, const uint8_t *restrict bgr,
                        const struct terms *restrict t, const uint8_t *restrict y,
                        const struct rp_yuv_factors *factors, int n, int wide, int coarse)
{
    uint8_t any = 0;
    struct rp_yuv_factors f = *factors;

    f.wide = wide;
    f.coarse = coarse;
    for (int x = 0; x < n; x++) {
        const uint16_t l = rp_yuv_luma(&f, sample(y, x, wide));
        const uint8_t b = bgr[3 * x], g = bgr[3 * x + 1], r = bgr[3 * x + 2];
        const uint8_t d = (uint8_t) ((b ^ rp_yuv_add(l, t->b[x])) | (g ^ rp_yuv_add(l, t->g[x])) |
                                     (r ^ rp_yuv_add(l, t->r[x])));

        s->b[k][x] = b;
        s->g[k][x] = g;
        s->r[k][x] = r;
        s->differs[k][x] = d;
        any |= d;
    }
    return any;
}

RP_HOT static int split_8(struct split *s, int k, const uint8_t *bgr, const struct terms *t,
                          const uint8_t *y, const struct rp_yuv_factors *f, int n)
{
    return f->coarse ? split_row(s, k, bgr, t, y, f, n, 0, 1)
                     : split_row(s, k, bgr, t, y, f, n, 0, 0);
}

RP_HOT static int split_10(struct split *s, int k, const uint8_t *bgr, const struct terms *t,
                           const uint8_t *y, const struct rp_yuv_factors *f, int n)
{
    return split_row(s, k, bgr, t, y, f, n, 1, 0);
}

/* Spread "differs" over whole blocks; n blocks. */
RP_HOT static void mark_blocks(uint8_t *restrict block, uint8_t *restrict d0, uint8_t *restrict d1,
                               int n, int sub_x)
{
    if (sub_x) {
        for (int i = 0; i < n; i++) {
            const uint8_t d = d0[2 * i] | d0[2 * i + 1] | d1[2 * i] | d1[2 * i + 1];

            block[i] = d;
            d0[2 * i] = d0[2 * i + 1] = d;
            d1[2 * i] = d1[2 * i + 1] = d;
        }
    } else {
        for (int i = 0; i < n; i++)
            block[i] = d0[i] = d1[i] = d0[i] | d1[i];
    }
}

RP_INLINE void write_luma(uint8_t *restrict y, const struct split *restrict s, int k,
                          const struct rp_yuv_factors *factors, int n, int wide)
{
    const struct rp_yuv_factors f = *factors;

    for (int x = 0; x < n; x++) {
        const uint16_t v = rp_bgr_luma(&f, s->b[k][x], s->g[k][x], s->r[k][x]);

        put_sample(y, x, wide, s->differs[k][x] ? v : sample(y, x, wide));
    }
}

RP_HOT static void luma_out_8(uint8_t *y, const struct split *s, int k,
                              const struct rp_yuv_factors *f, int n)
{
    write_luma(y, s, k, f, n, 0);
}

RP_HOT static void luma_out_10(uint8_t *y, const struct split *s, int k,
                               const struct rp_yuv_factors *f, int n)
{
    write_luma(y, s, k, f, n, 1);
}

RP_INLINE int block_sum(const uint8_t *p, const uint8_t *q, int i, int sub_x)
{
    return sub_x ? p[2 * i] + p[2 * i + 1] + q[2 * i] + q[2 * i + 1] : 2 * (p[i] + q[i]);
}

RP_INLINE void write_chroma(uint8_t *restrict u, uint8_t *restrict v,
                            const struct split *restrict s, const struct rp_yuv_factors *factors,
                            int n, int sub_x, int wide)
{
    const struct rp_yuv_factors f = *factors;

    for (int i = 0; i < n; i++) {
        const int b = block_sum(s->b[0], s->b[1], i, sub_x);
        const int g = block_sum(s->g[0], s->g[1], i, sub_x);
        const int r = block_sum(s->r[0], s->r[1], i, sub_x);
        const int cu = rp_bgr_chroma_u(&f, b, g, r), cv = rp_bgr_chroma_v(&f, b, g, r);

        const int old_u = sample(u, i, wide), old_v = sample(v, i, wide);

        put_sample(u, i, wide, s->block[i] ? cu : old_u);
        put_sample(v, i, wide, s->block[i] ? cv : old_v);
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

/* Pixels x..x+n of the chroma row cy, with `rows` luma rows. t, s: scratch. */
static void write_chunk(struct terms *t, struct split *s, const struct rp_img *img,
                        const struct rp_planes *d, const struct rp_yuv_factors *f, int cy, int x,
                        int n, int rows)
{
    const int top = cy << d->sub_y, blocks = (n + d->sub_x) >> d->sub_x;
    const ptrdiff_t at = (ptrdiff_t) (x >> d->sub_x) << f->wide;
    uint8_t *y = d->plane[0] + (ptrdiff_t) top * d->stride[0] + ((ptrdiff_t) x << f->wide);
    const uint8_t *bgr = img->data + (ptrdiff_t) top * img->stride + 3 * (ptrdiff_t) x;
    int any = 0;

    chunk_terms(t, d, f, cy, x, n);
    for (int k = 0; k < rows; k++)
        any |= (f->wide ? split_10 : split_8)(s, k, bgr + (ptrdiff_t) k * img->stride, t,
                                              y + (ptrdiff_t) k * d->stride[0], f, n);
    if (!any)
        return;

    double_ends(s, n, rows);
    mark_blocks(s->block, s->differs[0], s->differs[1], blocks, d->sub_x);
    for (int k = 0; k < rows; k++)
        (f->wide ? luma_out_10 : luma_out_8)(y + (ptrdiff_t) k * d->stride[0], s, k, f, n);
    (f->wide ? chroma_out_10 : chroma_out_8)(d->plane[1] + (ptrdiff_t) cy * d->stride[1] + at,
                                             d->plane[2] + (ptrdiff_t) cy * d->stride[2] + at, s, f,
                                             blocks, d->sub_x);
}

int rp_c_bgr_to_yuv(struct rp_stream *stream, const struct rp_op_bgr_to_yuv *a)
{
    const struct rp_canvas *c = &a->src;
    const struct rp_planes *d = a->dst;
    const int w = rp_mini(c->img.w, d->w), h = rp_mini(c->img.h, d->h);
    const int per = 1 << d->sub_y;
    struct rp_yuv_factors f;
    struct terms t = {0};
    struct split split = {0};

    (void) stream;
    rp_yuv_factors(&f, d->matrix, d->full_range, d->depth, d->sub_x);
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
                    write_chunk(&t, &split, &c->img, d, &f, y >> d->sub_y, x, n,
                                rp_mini(per, bottom - y));
            }
            tx = rp_maxi(end, tx + 1);
        }
    }
    return 0;
}

/* ---- packed BGR ------------------------------------------------------------------------------ */

static void copy_rows(uint8_t *dst, int dst_stride, const uint8_t *src, int src_stride, int w,
                      int h)
{
    for (int y = 0; y < h; y++)
        memcpy(dst + (ptrdiff_t) y * dst_stride, src + (ptrdiff_t) y * src_stride, (size_t) w * 3);
}

int rp_c_bgr_read(struct rp_stream *stream, const struct rp_op_bgr_read *a)
{
    (void) stream;
    copy_rows(a->dst.data, a->dst.stride, a->src->plane[0], a->src->stride[0],
              rp_mini(a->src->w, a->dst.w), rp_mini(a->src->h, a->dst.h));
    return 0;
}

int rp_c_bgr_write(struct rp_stream *stream, const struct rp_op_bgr_write *a)
{
    (void) stream;
    copy_rows(a->dst->plane[0], a->dst->stride[0], a->src.data, a->src.stride,
              rp_mini(a->dst->w, a->src.w), rp_mini(a->dst->h, a->src.h));
    return 0;
}

/* ---- a GPU's decoder ------------------------------------------------------------------------- */

int rp_c_semi_read(struct rp_stream *stream, const struct rp_op_semi_read *a)
{
    const struct rp_planes *const d = a->dst;
    const int deep = d->depth > 8, w = rp_mini(a->y.w, d->w), h = rp_mini(a->y.h, d->h);

    (void) stream;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            rp_semi_sample(d->plane[0] + (ptrdiff_t) y * d->stride[0], x,
                           a->y.data + (ptrdiff_t) y * a->y.stride, x, deep);
    for (int y = 0; y < (h + 1) / 2; y++)
        for (int x = 0; x < (w + 1) / 2 * 2; x++) /* U and V of (w + 1) / 2 pairs */
            rp_semi_sample(d->plane[1 + (x & 1)] + (ptrdiff_t) y * d->stride[1 + (x & 1)], x / 2,
                           a->uv.data + (ptrdiff_t) y * a->uv.stride, x, deep);
    return 0;
}
