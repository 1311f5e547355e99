/* paste and blend. */
#include "ops/ops.h"
#include "ops/paste_core.h"
#include "ops/sample.h"

#include <string.h>

static void mark(const struct rp_canvas *c, const struct rp_region *r)
{
    const int tx1 = r->x1 / RP_TILE, tx2 = rp_mini(rp_tiles(r->x2), c->tiles_w);
    const int ty2 = rp_mini(rp_tiles(r->y2), c->tiles_h);

    if (!c->changed || tx1 >= tx2)
        return;
    for (int ty = r->y1 / RP_TILE; ty < ty2; ty++)
        memset(c->changed + (size_t) ty * c->tiles_w + tx1, 1, (size_t) (tx2 - tx1));
}

/* What a row of pixels is mixed with: values of crop and mask, channel by channel, with room for
 * one float beyond the last pixel. */
struct layer {
    float crop[3 * RP_CHUNK + 1], mask[3 * RP_CHUNK + 1];
};

static float mask_at(const struct rp_op_paste *a, int x, int y)
{
    return (unsigned) x < (unsigned) a->w && (unsigned) y < (unsigned) a->h
               ? a->mask[(size_t) y * a->w + x]
               : 0.0f;
}

/* Pixels of s, wherever they lie. */
static void sample_border(struct layer *restrict l, const struct rp_op_paste *a,
                          const struct rp_positions *restrict p, struct rp_span s)
{
    for (int i = s.from; i < s.to; i++) {
        const int x = p->ix[i], y = p->iy[i];
        const float tx = p->tx[i], ty = p->ty[i];
        const size_t y0 = (size_t) rp_clampi(y, 0, a->h - 1) * a->w;
        const size_t y1 = (size_t) rp_clampi(y + 1, 0, a->h - 1) * a->w;
        const size_t x0 = (size_t) rp_clampi(x, 0, a->w - 1);
        const size_t x1 = (size_t) rp_clampi(x + 1, 0, a->w - 1);

        for (int k = 0; k < 3; k++) {
            const float *c = a->crop + k;

            l->crop[3 * i + k] = rp_bilinear(c[3 * (y0 + x0)], c[3 * (y0 + x1)], c[3 * (y1 + x0)],
                                             c[3 * (y1 + x1)], tx, ty);
            l->mask[3 * i + k] =
                rp_bilinear(mask_at(a, x, y), mask_at(a, x + 1, y), mask_at(a, x, y + 1),
                            mask_at(a, x + 1, y + 1), tx, ty);
        }
    }
}

/* A pixel of the crop with its mask as fourth channel. Reads the float after the pixel. */
RP_INLINE rp_vec4 with_mask(const float *restrict crop, const float *restrict mask, size_t at)
{
    rp_vec4 v;

    memcpy(&v, crop + 3 * at, sizeof(v));
    v[3] = mask[at];
    return v;
}

/* Pixels of s that lie inside, left of the last column but one. */
RP_HOT static void sample_inside(struct layer *restrict l, const float *restrict crop,
                                 const float *restrict mask, int w,
                                 const struct rp_positions *restrict p, struct rp_span s)
{
    for (int i = s.from; i < s.to; i++) {
        const size_t at = (size_t) p->iy[i] * (size_t) w + (size_t) p->ix[i];
        const rp_vec4 v =
            rp_bilinear4(with_mask(crop, mask, at), with_mask(crop, mask, at + 1),
                         with_mask(crop, mask, at + (size_t) w),
                         with_mask(crop, mask, at + (size_t) w + 1), p->tx[i], p->ty[i]);
        const rp_vec4 m = {v[3], v[3], v[3], v[3]};

        memcpy(l->crop + 3 * i, &v, sizeof(v));
        memcpy(l->mask + 3 * i, &m, sizeof(m));
    }
}

RP_HOT static void round_samples(float *restrict crop, int n)
{
    for (int i = 0; i < n; i++)
        crop[i] = rp_paste_sample(crop[i], 1);
}

RP_HOT static void mix_frame(uint8_t *restrict dst, const float *restrict crop,
                             const float *restrict mask, int n)
{
    for (int i = 0; i < n; i++)
        dst[i] = rp_paste_mix(dst[i], crop[i], rp_clamp_unit(mask[i]));
}

RP_HOT_FMA static void mix_keep(uint8_t *restrict dst, const float *restrict crop,
                                const float *restrict mask, float keep, float blend, int n)
{
    for (int i = 0; i < n; i++)
        dst[i] = rp_paste_keep(dst[i], crop[i], rp_clamp_unit(mask[i]), keep, blend);
}

/* Mix the pixels of s, counted from dst, with what was sampled for them. */
static void mix(const struct rp_op_paste *a, uint8_t *dst, struct layer *l, struct rp_span s)
{
    float *const crop = l->crop + 3 * s.from;
    const float *const mask = l->mask + 3 * s.from;
    const int n = 3 * (s.to - s.from);

    if (a->bytes)
        round_samples(crop, n);
    if (a->keep == 0.0f)
        mix_frame(dst + 3 * s.from, crop, mask, n);
    else
        mix_keep(dst + 3 * s.from, crop, mask, a->keep, a->blend, n);
}

int rp_c_paste(struct rp_stream *stream, const struct rp_op_paste *a)
{
    const struct rp_img *d = &a->dst.img;
    const int w = a->w, h = a->h;
    struct rp_region r;
    struct rp_positions p;
    struct layer layer = {0};

    (void) stream;
    if (w < 1 || h < 1)
        return 0;
    r = rp_paste_region(a->affine->inv, w, h, d->w, d->h);
    if (r.x1 >= r.x2 || r.y1 >= r.y2)
        return 0;
    mark(&a->dst, &r);

    for (int y = r.y1; y < r.y2; y++) {
        const struct rp_warp_line l = rp_paste_line(a->affine->m, &r, y);

        for (int x = r.x1; x < r.x2; x += RP_CHUNK) {
            const int n = rp_mini(RP_CHUNK, r.x2 - x);
            uint8_t *row = d->data + (ptrdiff_t) y * d->stride + 3 * (ptrdiff_t) x;

            rp_make_positions(&p, &l, x - r.x1, n, w, h);
            /* The mask is 0 where no sample lies inside. */
            const struct rp_span all = rp_span_within(&p, (struct rp_span){0, n}, -1, -1, w, h);
            const struct rp_span inside = rp_span_within(&p, all, 0, 0, w - 2, h - 1);

            for (int i = 3 * all.from; i < 3 * all.to; i += 64)
                __builtin_prefetch(row + d->stride + i, 1);
            sample_border(&layer, a, &p, (struct rp_span){all.from, inside.from});
            sample_inside(&layer, a->crop, a->mask, w, &p, inside);
            sample_border(&layer, a, &p, (struct rp_span){inside.to, all.to});
            mix(a, row, &layer, all);
        }
    }
    return 0;
}

RP_HOT_FMA static void blend_row(uint8_t *restrict dst, const uint8_t *a, const uint8_t *b,
                                 float fa, float fb, int n)
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
