/* alpha_read, alpha_write, key_matte, matte_u8 and backdrop. */
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
    const struct rp_planes *s = &a->src;

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
    const struct rp_planes *d = &a->dst;

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

/* The first of the largest classes, as arg-max has it: foreground when that is not class 0. */
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

/* One row of one tile; returns whether a pixel changed. */
static int backdrop_row(const struct rp_op_backdrop *a, int x1, int x2, int y)
{
    const struct rp_img *d = &a->dst.img, *s = a->front.data ? &a->front : d;
    const uint8_t *matte = a->matte.data + (ptrdiff_t) y * a->matte.stride;
    const uint8_t *in = s->data + (ptrdiff_t) y * s->stride + 3 * (ptrdiff_t) x1;
    uint8_t *out = d->data + (ptrdiff_t) y * d->stride + 3 * (ptrdiff_t) x1;
    int changed = 0;

    for (int x = x1; x < x2; x++, in += 3, out += 3) {
        const float share = rp_fill_share(matte[x], a->fill[3]);
        uint8_t v[3];

        rp_despill(v, in, a->despill);
        for (int c = 0; c < 3; c++) {
            v[c] = rp_fill(v[c], a->fill[c], share);
            changed |= v[c] ^ out[c];
            out[c] = v[c];
        }
    }
    return changed;
}

static void alpha_min(const struct rp_img *alpha, const struct rp_img *matte)
{
    for (int y = 0; y < alpha->h; y++) {
        uint8_t *out = alpha->data + (ptrdiff_t) y * alpha->stride;
        const uint8_t *in = matte->data + (ptrdiff_t) y * matte->stride;

        for (int x = 0; x < alpha->w; x++)
            out[x] = in[x] < out[x] ? in[x] : out[x];
    }
}

int rp_c_backdrop(struct rp_stream *stream, const struct rp_op_backdrop *a)
{
    const struct rp_canvas *c = &a->dst;
    const int plain = !a->front.data && a->fill[3] == 0 && a->despill[0] == 0.0f &&
                      a->despill[1] == 0.0f && a->despill[2] == 0.0f; /* no pixel would change */

    (void) stream;
    for (int y = 0; y < c->img.h && !plain; y++)
        for (int tx = 0; tx * RP_TILE < c->img.w; tx++) {
            const int x = tx * RP_TILE, end = rp_mini(x + RP_TILE, c->img.w);

            if (backdrop_row(a, x, end, y))
                c->changed[(size_t) (y / RP_TILE) * c->tiles_w + tx] = 1;
        }
    if (c->alpha.data)
        alpha_min(&c->alpha, &a->matte);
    return 0;
}
