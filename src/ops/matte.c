/* alpha_read, alpha_write, alpha_split, alpha_join, key_matte, matte_u8 and backdrop. */
#include "ops/matte_core.h"
#include "ops/ops.h"

#include <string.h>

static int alpha_sample(const uint8_t *row, int x, int depth)
{
    uint16_t v;

    if (depth <= 8)
        return row[x];
    memcpy(&v, row + 2 * (size_t) x, sizeof(v));
    return v;
}

int rp_c_alpha_read(struct rp_stream *stream, const struct rp_op_alpha_read *a)
{
    const struct rp_planes *s = a->src;

    (void) stream;
    for (int y = 0; y < a->dst.h; y++) {
        uint8_t *out = a->dst.data + (ptrdiff_t) y * a->dst.stride;
        const uint8_t *row = s->plane[3];

        if (!row) {
            memset(out, 255, (size_t) a->dst.w);
            continue;
        }
        row += (ptrdiff_t) y * s->stride[3];
        for (int x = 0; x < a->dst.w; x++)
            out[x] = (uint8_t) rp_alpha_8(alpha_sample(row, x, s->depth), s->depth);
    }
    return 0;
}

int rp_c_alpha_write(struct rp_stream *stream, const struct rp_op_alpha_write *a)
{
    const struct rp_planes *d = a->dst;

    (void) stream;
    for (int y = 0; y < a->src.h; y++) {
        const uint8_t *in = a->src.data + (ptrdiff_t) y * a->src.stride;
        uint8_t *row = d->plane[3] + (ptrdiff_t) y * d->stride[3];

        if (d->depth <= 8) {
            memcpy(row, in, (size_t) a->src.w);
            continue;
        }
        for (int x = 0; x < a->src.w; x++) {
            const uint16_t v = (uint16_t) rp_alpha_deep(in[x], d->depth);

            if (a->fresh || rp_alpha_8(alpha_sample(row, x, d->depth), d->depth) != in[x])
                memcpy(row + 2 * (size_t) x, &v, sizeof(v));
        }
    }
    return 0;
}

static uint8_t *row_of(const struct rp_img *img, int y)
{
    return img->data + (ptrdiff_t) y * img->stride;
}

int rp_c_alpha_split(struct rp_stream *stream, const struct rp_op_alpha_split *a)
{
    const int ch = a->src.ch;

    (void) stream;
    for (int y = 0; y < a->src.h; y++) {
        const uint8_t *const in = row_of(&a->src, y);

        for (int x = 0; a->bgr.data && x < a->src.w; x++)
            memcpy(row_of(&a->bgr, y) + 3 * (size_t) x, in + (size_t) ch * (size_t) x, 3);
        for (int x = 0; a->alpha.data && x < a->src.w; x++)
            row_of(&a->alpha, y)[x] = ch == 4 ? in[4 * (size_t) x + 3] : 255;
    }
    return 0;
}

int rp_c_alpha_join(struct rp_stream *stream, const struct rp_op_alpha_join *a)
{
    const int ch = a->dst.ch;

    (void) stream;
    for (int y = 0; y < a->dst.h; y++) {
        uint8_t *const out = row_of(&a->dst, y);

        for (int x = 0; a->bgr.data && x < a->dst.w; x++)
            memcpy(out + (size_t) ch * (size_t) x, row_of(&a->bgr, y) + 3 * (size_t) x, 3);
        for (int x = 0; ch == 4 && a->alpha.data && x < a->dst.w; x++)
            out[4 * (size_t) x + 3] = row_of(&a->alpha, y)[x];
    }
    return 0;
}

int rp_c_key_matte(struct rp_stream *stream, const struct rp_op_key_matte *a)
{
    const struct rp_img *s = &a->src;

    (void) stream;
    for (int y = 0; y < s->h; y++) {
        const uint8_t *p = s->data + (ptrdiff_t) y * s->stride;
        float *out = a->dst + (size_t) y * s->w;

        for (int x = 0; x < s->w; x++, p += s->ch)
            out[x] = rp_key_matte(p[0], p[1], p[2]);
    }
    return 0;
}

/* Foreground if the largest class (the first of equals, as arg-max does) is not class 0. */
static uint8_t class_matte(const float *p, size_t plane, int classes)
{
    float best = p[0];
    int at = 0;

    for (int k = 1; k < classes; k++)
        if (p[(size_t) k * plane] > best) {
            best = p[(size_t) k * plane];
            at = k;
        }
    return at ? 255 : 0;
}

int rp_c_matte_u8(struct rp_stream *stream, const struct rp_op_matte_u8 *a)
{
    const struct rp_img *d = &a->dst;
    const size_t plane = (size_t) d->w * d->h;

    (void) stream;
    for (int y = 0; y < d->h; y++) {
        const float *p = a->src + (size_t) y * d->w;
        uint8_t *out = d->data + (ptrdiff_t) y * d->stride;

        for (int x = 0; x < d->w; x++)
            out[x] = a->classes > 1 ? class_matte(p + x, plane, a->classes) : rp_matte_u8(p[x]);
    }
    return 0;
}

#define CHUNK (16 * RP_TILE) /* pixels done at once */

/* What is the same for all pixels of a frame. */
struct paint {
    const struct rp_op_backdrop *a;
    int despill;
    float share[256];        /* of the fill colour, by matte */
    float colour[3 * CHUNK]; /* of the fill, repeated */
};

static void mix_paint(struct paint *p, const struct rp_op_backdrop *a)
{
    p->a = a;
    p->despill = a->despill[0] != 0.0f || a->despill[1] != 0.0f || a->despill[2] != 0.0f;
    for (int m = 0; m < 256; m++)
        p->share[m] = rp_fill_share(m, a->fill[3]);
    for (int i = 0; i < 3 * CHUNK; i++)
        p->colour[i] = (float) a->fill[i % 3];
}

RP_HOT static void fill_values(uint8_t *restrict v, const float *restrict colour,
                               const float *restrict share, int n)
{
    for (int i = 0; i < n; i++)
        v[i] = rp_fill(v[i], colour[i], share[i]);
}

/* New values of n pixels from (x, y). */
static void paint_chunk(const struct paint *p, uint8_t *v, int x, int y, int n)
{
    const struct rp_img *s = p->a->front.data ? &p->a->front : &p->a->dst.img;
    const uint8_t *in = s->data + (ptrdiff_t) y * s->stride + 3 * (ptrdiff_t) x;
    const uint8_t *matte = p->a->matte.data + (ptrdiff_t) y * p->a->matte.stride + x;
    float share[3 * CHUNK];

    memcpy(v, in, 3 * (size_t) n);
    for (int i = 0; p->despill && i < n; i++)
        rp_despill(v + 3 * i, in + 3 * i, p->a->despill);
    if (p->a->fill[3] == 0)
        return;
    for (int i = 0; i < n; i++)
        share[3 * i] = share[3 * i + 1] = share[3 * i + 2] = p->share[matte[i]];
    fill_values(v, p->colour, share, 3 * n);
}

static void paint_row(const struct paint *p, int y)
{
    const struct rp_canvas *c = &p->a->dst;
    uint8_t *out = c->img.data + (ptrdiff_t) y * c->img.stride;
    uint8_t *changed = c->changed + (size_t) (y / RP_TILE) * c->tiles_w;

    for (int x = 0; x < c->img.w; x += CHUNK) {
        const int n = rp_mini(CHUNK, c->img.w - x);
        uint8_t v[3 * CHUNK];

        paint_chunk(p, v, x, y, n);
        for (int i = 0; i < n; i += RP_TILE) {
            const size_t bytes = 3 * (size_t) rp_mini(RP_TILE, n - i);

            if (memcmp(out + 3 * (size_t) (x + i), v + 3 * i, bytes) == 0)
                continue;
            memcpy(out + 3 * (size_t) (x + i), v + 3 * i, bytes);
            changed[(x + i) / RP_TILE] = 1;
        }
    }
}

RP_HOT static void min_row(uint8_t *restrict alpha, const uint8_t *restrict matte, int n)
{
    for (int i = 0; i < n; i++)
        alpha[i] = matte[i] < alpha[i] ? matte[i] : alpha[i];
}

int rp_c_backdrop(struct rp_stream *stream, const struct rp_op_backdrop *a)
{
    const struct rp_img *alpha = &a->dst.alpha;
    struct paint p;

    (void) stream;
    mix_paint(&p, a);
    if (p.despill || a->fill[3] || a->front.data) /* else no pixel would change */
        for (int y = 0; y < a->dst.img.h; y++)
            paint_row(&p, y);
    for (int y = 0; alpha->data && y < alpha->h; y++)
        min_row(alpha->data + (ptrdiff_t) y * alpha->stride,
                a->matte.data + (ptrdiff_t) y * a->matte.stride, alpha->w);
    return 0;
}
