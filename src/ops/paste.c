/* paste and blend. */
#include "ops/ops.h"
#include "ops/paste_core.h"

#include <string.h>

#define CHUNK 256 /* frame pixels */

struct positions {
    int ix[CHUNK], iy[CHUNK];
    float tx[CHUNK], ty[CHUNK];
};

static void mark(const struct rp_canvas *c, const struct rp_region *r)
{
    const int tx1 = r->x1 / RP_TILE, tx2 = rp_mini(rp_tiles(r->x2), c->tiles_w);
    const int ty2 = rp_mini(rp_tiles(r->y2), c->tiles_h);

    if (!c->changed || tx1 >= tx2)
        return;
    for (int ty = r->y1 / RP_TILE; ty < ty2; ty++)
        memset(c->changed + (size_t) ty * c->tiles_w + tx1, 1, (size_t) (tx2 - tx1));
}

RP_HOT static void make_positions(struct positions *restrict p, const struct rp_warp_line *l, int x,
                                  int n, int w, int h)
{
    const struct rp_warp_line k = *l;

    for (int i = 0; i < n; i++) {
        const float f = (float) (x + i);

        p->ix[i] = rp_warp_split(k.mx + k.m0 * f, w, &p->tx[i]);
        p->iy[i] = rp_warp_split(k.my + k.m3 * f, h, &p->ty[i]);
    }
}

static float mask_at(const float *mask, int x, int y, int w, int h)
{
    return (unsigned) x < (unsigned) w && (unsigned) y < (unsigned) h ? mask[(size_t) y * w + x]
                                                                      : 0.0f;
}

/* The mask's four samples for each pixel; 0 outside. */
static void gather_mask(float (*restrict t)[CHUNK], const float *restrict mask,
                        const struct positions *restrict p, int n, int w, int h)
{
    for (int i = 0; i < n; i++) {
        const int x = p->ix[i], y = p->iy[i];

        if (rp_warp_inside(x, y, w, h)) {
            const float *at = mask + (size_t) y * w + x;

            t[0][i] = at[0];
            t[1][i] = at[1];
            t[2][i] = at[w];
            t[3][i] = at[w + 1];
        } else {
            t[0][i] = mask_at(mask, x, y, w, h);
            t[1][i] = mask_at(mask, x + 1, y, w, h);
            t[2][i] = mask_at(mask, x, y + 1, w, h);
            t[3][i] = mask_at(mask, x + 1, y + 1, w, h);
        }
    }
}

RP_HOT static void mix_mask(float *restrict m, const float (*restrict t)[CHUNK],
                            const struct positions *restrict p, int n)
{
    for (int i = 0; i < n; i++)
        m[i] = rp_clampf(rp_bilinear(t[0][i], t[1][i], t[2][i], t[3][i], p->tx[i], p->ty[i]), 0.0f,
                         1.0f);
}

/* Four floats from each of four places: three channels and one value that is not used. Mixed as one
 * vector of four. */
RP_INLINE void mix_pixel(float *restrict out, const float *a, const float *b, const float *c,
                         const float *d, float tx, float ty)
{
    float v[4];

    for (int k = 0; k < 4; k++)
        v[k] = rp_bilinear(a[k], b[k], c[k], d[k], tx, ty);
    memcpy(out, v, sizeof(v));
}

/* The crop and the mask for pixels from..to, interleaved: three values a pixel, and one more float
 * at the end that is not used. */
static void sample_crop(float *restrict v, float *restrict m3, const float *restrict crop,
                        const float *restrict m, const struct positions *restrict p, int from,
                        int to, int w, int h)
{
    const size_t row = 3 * (size_t) w;

    for (int i = from; i < to; i++) {
        const int x = p->ix[i], y = p->iy[i];
        float *out = v + 3 * i, *mo = m3 + 3 * i;

        /* One column less than inside: the fourth float of the right samples must exist. */
        if (rp_warp_inside(x, y, w - 1, h)) {
            const float *at = crop + (size_t) y * row + 3 * (size_t) x;

            mix_pixel(out, at, at + 3, at + row, at + row + 3, p->tx[i], p->ty[i]);
        } else {
            const float *y0 = crop + (size_t) rp_clampi(y, 0, h - 1) * row;
            const float *y1 = crop + (size_t) rp_clampi(y + 1, 0, h - 1) * row;
            const size_t x0 = 3 * (size_t) rp_clampi(x, 0, w - 1);
            const size_t x1 = 3 * (size_t) rp_clampi(x + 1, 0, w - 1);

            for (int k = 0; k < 3; k++)
                out[k] =
                    rp_bilinear(y0[x0 + k], y0[x1 + k], y1[x0 + k], y1[x1 + k], p->tx[i], p->ty[i]);
        }
        mo[0] = mo[1] = mo[2] = m[i];
    }
}

RP_HOT static void mix_frame(uint8_t *restrict dst, const float *restrict v,
                             const float *restrict m3, int n)
{
    for (int i = 0; i < n; i++)
        dst[i] = rp_paste_mix(dst[i], v[i], m3[i]);
}

int rp_c_paste(struct rp_stream *stream, const struct rp_op_paste *a)
{
    const struct rp_img *d = &a->dst.img;
    const int w = a->w, h = a->h;
    struct rp_region r;
    struct positions p;
    float t[4][CHUNK], m[CHUNK] = {0}, v[3 * CHUNK + 4] = {0}, m3[3 * CHUNK + 4] = {0};

    (void) stream;
    if (w < 1 || h < 1)
        return 0;
    r = rp_paste_region(a->affine->inv, w, h, d->w, d->h);
    if (r.x1 >= r.x2 || r.y1 >= r.y2)
        return 0;
    mark(&a->dst, &r);

    for (int y = r.y1; y < r.y2; y++) {
        const struct rp_warp_line l = rp_paste_line(a->affine->m, &r, y);

        for (int x = r.x1; x < r.x2; x += CHUNK) {
            int from = 0, to = rp_mini(CHUNK, r.x2 - x);

            make_positions(&p, &l, x - r.x1, to, w, h);
            gather_mask(t, a->mask, &p, to, w, h);
            mix_mask(m, t, &p, to);
            while (from < to && !(m[from] > 0.0f))
                from++;
            while (to > from && !(m[to - 1] > 0.0f))
                to--;
            sample_crop(v, m3, a->crop, m, &p, from, to, w, h);
            mix_frame(d->data + (ptrdiff_t) y * d->stride + 3 * ((ptrdiff_t) x + from),
                      v + 3 * from, m3 + 3 * from, 3 * (to - from));
        }
    }
    return 0;
}

RP_HOT static void blend_row(uint8_t *restrict dst, const uint8_t *a, const uint8_t *b, float fa,
                             float fb, int n)
{
    for (int i = 0; i < n; i++)
        dst[i] = rp_blend(a[i], b[i], fa, fb);
}

int rp_c_blend(struct rp_stream *stream, const struct rp_op_blend *a)
{
    const struct rp_img *d = &a->dst.img;
    const struct rp_region all = {0, 0, d->w, d->h};

    (void) stream;
    for (int y = 0; y < d->h; y++)
        blend_row(d->data + (ptrdiff_t) y * d->stride, a->a.data + (ptrdiff_t) y * a->a.stride,
                  a->b.data + (ptrdiff_t) y * a->b.stride, 1.0f - a->f, a->f, d->w * d->ch);
    mark(&a->dst, &all);
    return 0;
}
