/* resize_area, colour_gap, colour_shift, colour_likeness, sharpen, mask_erode, affine_scale and
 * age_pair. */
#include "ops/match_core.h"
#include "ops/ops.h"

#include <string.h>

#define CHUNK 256 /* destination pixels */

/* ---- shrinking by area ----------------------------------------------------------------------- */

/* Some columns of a shrunken picture, which is made row by row. */
struct shrink {
    const struct rp_img *src;
    int x, n;
    struct rp_area_factors by;
    double sx, sy;
    struct rp_area_span across[CHUNK];
    float row[4 * CHUNK]; /* source row `held`, shrunken across: two rows may share it */
    int held;
};

static void shrink_begin(struct shrink *s, const struct rp_img *src, int w, int h, int x)
{
    *s = (struct shrink){.src = src,
                         .x = x,
                         .n = rp_mini(CHUNK, w - x),
                         .by = rp_area_factors(src->w, src->h, w, h),
                         .sx = rp_resize_scale(src->w, w),
                         .sy = rp_resize_scale(src->h, h),
                         .held = -1};
    for (int i = 0; i < s->n; i++)
        s->across[i] = rp_area_span(x + i, s->sx, src->w);
}

static void shrink_across(struct shrink *s, int y)
{
    const int ch = s->src->ch;
    const uint8_t *const row = s->src->data + (ptrdiff_t) y * s->src->stride;

    if (s->held == y)
        return;
    s->held = y;
    for (int i = 0; i < s->n; i++)
        for (int c = 0; c < ch; c++)
            s->row[i * ch + c] = rp_area_across(row + c, ch, &s->across[i]);
}

RP_HOT static void add_row(float *restrict sum, const float *restrict row, float weight, int n)
{
    for (int i = 0; i < n; i++)
        sum[i] += weight * row[i];
}

RP_HOT static void round_row(uint8_t *restrict dst, const float *restrict sum, int n)
{
    for (int i = 0; i < n; i++)
        dst[i] = rp_round_u8(sum[i]);
}

/* Row y of the shrunken picture. */
static void shrink_row(struct shrink *s, int y, uint8_t *dst)
{
    const int ch = s->src->ch;
    float sum[4 * CHUNK] = {0};

    if (s->by.x) {
        for (int i = 0; i < s->n; i++)
            for (int c = 0; c < ch; c++)
                dst[i * ch + c] = rp_area_value_whole(s->src, s->x + i, y, s->by, c);
        return;
    }
    const struct rp_area_span down = rp_area_span(y, s->sy, s->src->h);
    for (int j = 0; j < rp_area_count(&down); j++) {
        shrink_across(s, down.from + j);
        add_row(sum, s->row, rp_area_weight(&down, j), s->n * ch);
    }
    round_row(dst, sum, s->n * ch);
}

int rp_c_resize_area(struct rp_stream *stream, const struct rp_op_resize_area *a)
{
    const struct rp_img *const d = &a->dst;
    struct shrink s;

    (void) stream;
    for (int x = 0; x < d->w; x += CHUNK) {
        shrink_begin(&s, &a->src, d->w, d->h, x);
        for (int y = 0; y < d->h; y++)
            shrink_row(&s, y, d->data + (ptrdiff_t) y * d->stride + (ptrdiff_t) x * d->ch);
    }
    return 0;
}

int rp_c_colour_gap(struct rp_stream *stream, const struct rp_op_colour_gap *a)
{
    struct shrink one, other;
    uint8_t p[3 * CHUNK] = {0}, q[3 * CHUNK] = {0};

    (void) stream;
    for (int x = 0; x < a->size; x += CHUNK) {
        shrink_begin(&one, &a->a, a->size, a->size, x);
        shrink_begin(&other, &a->b, a->size, a->size, x);
        for (int y = 0; y < a->size; y++) {
            float *const dst = a->dst + 3 * ((size_t) y * a->size + x);

            shrink_row(&one, y, p);
            shrink_row(&other, y, q);
            for (int i = 0; i < 3 * one.n; i++)
                dst[i] = (float) (p[i] - q[i]);
        }
    }
    return 0;
}

/* ---- enlarging a difference ------------------------------------------------------------------ */

struct cubic {
    int n, size;
    int at[CHUNK]; /* the second of four samples */
    float weight[CHUNK][4];
    float row[4][3 * CHUNK]; /* source row y, enlarged across, is in row[y % 4] */
    int held[4];
};

static void cubic_columns(struct cubic *c, int x, int n, int w, int size)
{
    const double scale = rp_resize_scale(size, w);

    c->n = n;
    c->size = size;
    for (int i = 0; i < n; i++) {
        float t;

        c->at[i] = rp_resize_at(x + i, scale, &t);
        rp_cubic_weights(t, c->weight[i]);
    }
    for (int i = 0; i < 4; i++)
        c->held[i] = -1;
}

/* Row y of the gap, enlarged across. */
static const float *cubic_row(struct cubic *c, const float *gap, int y)
{
    float *const dst = c->row[y % 4];
    const float *const src = gap + 3 * (size_t) y * c->size;

    if (c->held[y % 4] == y)
        return dst;
    c->held[y % 4] = y;
    for (int i = 0; i < c->n; i++) {
        const float *p[4];

        for (int k = 0; k < 4; k++)
            p[k] = src + 3 * rp_clampi(c->at[i] - 1 + k, 0, c->size - 1);
        for (int k = 0; k < 3; k++)
            dst[3 * i + k] = rp_cubic_across(p[0][k], p[1][k], p[2][k], p[3][k], c->weight[i]);
    }
    return dst;
}

RP_HOT static void cubic_down(float *restrict dst, const float *a, const float *b, const float *c,
                              const float *d, const float w[4], int n)
{
    for (int i = 0; i < n; i++)
        dst[i] = rp_cubic_down(a[i], b[i], c[i], d[i], w);
}

RP_HOT static void shift_row(uint8_t *restrict dst, const uint8_t *restrict src,
                             const float *restrict gap, int n)
{
    for (int i = 0; i < n; i++)
        dst[i] = rp_colour_shift(src[i], gap[i]);
}

RP_HOT_FMA static void mix_row(uint8_t *restrict dst, const uint8_t *restrict src, float keep,
                               float share, int n)
{
    for (int i = 0; i < n; i++)
        dst[i] = rp_blend(src[i], dst[i], keep, share);
}

/* Columns x to x + n of the result. */
static void shift_columns(const struct rp_op_colour_shift *a, struct cubic *c, int x)
{
    const int n = 3 * c->n, w = a->src.w, h = a->src.h;
    const double scale = rp_resize_scale(a->size, h);
    float gap[3 * CHUNK];
    uint8_t out[3 * CHUNK];

    for (int y = 0; y < h; y++) {
        const uint8_t *const src = a->src.data + (ptrdiff_t) y * a->src.stride + 3 * (ptrdiff_t) x;
        const float *row[4];
        float t, weight[4];
        const int at = rp_resize_at(y, scale, &t);

        rp_cubic_weights(t, weight);
        for (int k = 0; k < 4; k++)
            row[k] = cubic_row(c, a->gap, rp_clampi(at - 1 + k, 0, a->size - 1));
        cubic_down(gap, row[0], row[1], row[2], row[3], weight, n);
        shift_row(out, src, gap, n);
        if (a->factor)
            mix_row(out, src, (float) (1.0 - *a->factor), (float) *a->factor, n);
        if (a->dst.data)
            memcpy(a->dst.data + (ptrdiff_t) y * a->dst.stride + 3 * (ptrdiff_t) x, out,
                   (size_t) n);
        for (int i = 0; a->pixels && i < n; i++)
            a->pixels[3 * ((size_t) y * w + x) + i] = out[i];
    }
}

int rp_c_colour_shift(struct rp_stream *stream, const struct rp_op_colour_shift *a)
{
    struct cubic c;

    (void) stream;
    for (int x = 0; x < a->src.w; x += CHUNK) {
        cubic_columns(&c, x, rp_mini(CHUNK, a->src.w - x), a->src.w, a->size);
        shift_columns(a, &c, x);
    }
    return 0;
}

/* ---- likeness -------------------------------------------------------------------------------- */

static void count_colours(const struct rp_img *img, struct rp_colour_work *work, int picture)
{
    struct rp_colour_per per[256];
    int at = 0;

    for (int i = 0; i < 256; i++)
        per[i] = rp_colour_per(i);
    for (int i = 0; i < RP_COLOUR_PARTS; i++)
        memset(work->count[i][picture], 0, sizeof(work->count[i][picture]));
    for (int y = 0; y < img->h; y++) {
        const uint8_t *p = img->data + (ptrdiff_t) y * img->stride;

        for (int x = 0; x < img->w; x++, p += 3, at++)
            work->count[at / RP_COLOUR_RUN % RP_COLOUR_PARTS][picture]
                       [rp_colour_bin(per, p[0], p[1], p[2])]++;
    }
}

int rp_c_colour_likeness(struct rp_stream *stream, const struct rp_op_colour_likeness *a)
{
    struct rp_colour_sums s = {0, 0, 0};

    (void) stream;
    count_colours(&a->a, a->work, 0);
    count_colours(&a->b, a->work, 1);
    for (int i = 0; i < RP_COLOUR_BINS; i++) {
        int64_t one = 0, other = 0;

        for (int part = 0; part < RP_COLOUR_PARTS; part++) {
            one += a->work->count[part][0][i];
            other += a->work->count[part][1][i];
        }
        s.ab += one * other;
        s.aa += one * one;
        s.bb += other * other;
    }
    *a->dst = rp_colour_likeness(&s, (int64_t) a->a.w * a->a.h, (int64_t) a->b.w * a->b.h);
    return 0;
}

/* ---- sharpening ------------------------------------------------------------------------------ */

enum { R = RP_SHARPEN_RADIUS, WIDE = 3 * (CHUNK + 2 * R) };

/* sum += weight * (p + q) */
RP_HOT static void add_rows(int32_t *restrict sum, const uint8_t *p, const uint8_t *q, int weight,
                            int n)
{
    for (int i = 0; i < n; i++)
        sum[i] += weight * (p[i] + q[i]);
}

RP_HOT static void sharpen_row(uint8_t *restrict dst, const uint8_t *restrict src,
                               const int32_t *restrict sum, int n)
{
    for (int i = 0; i < n; i++) {
        int32_t all = rp_sharpen_weight(0) * sum[i + 3 * R];

        for (int k = 1; k <= R; k++)
            all += rp_sharpen_weight(k) * (sum[i + 3 * (R - k)] + sum[i + 3 * (R + k)]);
        dst[i] = rp_sharpen(src[i], rp_sharpen_blur(all));
    }
}

/* Columns from - R to from + n + R of a row, mirrored at the edges. */
static void gather(uint8_t *dst, const uint8_t *row, int from, int n, int w)
{
    const int begin = rp_maxi(from - R, 0), end = rp_mini(from + n + R, w);

    for (int i = from - R; i < begin; i++)
        memcpy(dst + 3 * (i - from + R), row + 3 * (ptrdiff_t) rp_reflect101(i, w), 3);
    memcpy(dst + 3 * (begin - from + R), row + 3 * (ptrdiff_t) begin, 3 * (size_t) (end - begin));
    for (int i = end; i < from + n + R; i++)
        memcpy(dst + 3 * (i - from + R), row + 3 * (ptrdiff_t) rp_reflect101(i, w), 3);
}

int rp_c_sharpen(struct rp_stream *stream, const struct rp_op_sharpen *a)
{
    const int w = a->src.w, h = a->src.h;

    (void) stream;
    for (int x = 0; x < w; x += CHUNK) {
        const int n = rp_mini(CHUNK, w - x), wide = 3 * (n + 2 * R);

        for (int y = 0; y < h; y++) {
            uint8_t p[WIDE], q[WIDE];
            int32_t sum[WIDE] = {0};

            for (int k = 1; k <= R; k++) {
                gather(p, a->src.data + (ptrdiff_t) rp_reflect101(y - k, h) * a->src.stride, x, n,
                       w);
                gather(q, a->src.data + (ptrdiff_t) rp_reflect101(y + k, h) * a->src.stride, x, n,
                       w);
                add_rows(sum, p, q, rp_sharpen_weight(k), wide);
            }
            gather(p, a->src.data + (ptrdiff_t) y * a->src.stride, x, n, w);
            for (int i = 0; i < wide; i++)
                sum[i] += rp_sharpen_weight(0) * p[i];
            sharpen_row(a->dst.data + (ptrdiff_t) y * a->dst.stride + 3 * (ptrdiff_t) x, p + 3 * R,
                        sum, 3 * n);
        }
    }
    return 0;
}

/* ---- masks, matrices, ages ------------------------------------------------------------------- */

enum { E = RP_ERODE_RADIUS };

/* The rows around the one being made, with E columns more on both sides; outside the masks 1. */
struct erosion {
    int x, n;
    float row[2 * E + 1][CHUNK + 2 * E]; /* row y is in row[y % (2 * E + 1)] */
    float none[CHUNK + 2 * E];
};

RP_HOT static void least_masks(float *restrict dst, const float *restrict a,
                               const float *restrict b, int n)
{
    for (int i = 0; i < n; i++)
        dst[i] = rp_least_mask(a[i], b[i]);
}

/* dst = the least of itself and of row[-reach .. reach]. */
RP_HOT static void least_around(float *restrict dst, const float *restrict row, int reach, int n)
{
    for (int k = -reach; k <= reach; k++)
        for (int i = 0; i < n; i++)
            dst[i] = row[i + k] < dst[i] ? row[i + k] : dst[i];
}

static const float *erosion_row(struct erosion *e, const struct rp_op_mask_erode *a, int y)
{
    if (y < 0 || y >= a->h)
        return e->none + E;
    return e->row[y % (2 * E + 1)] + E;
}

static void read_erosion_row(struct erosion *e, const struct rp_op_mask_erode *a, int y)
{
    const int begin = rp_maxi(e->x - E, 0), end = rp_mini(e->x + e->n + E, a->w);
    const size_t at = (size_t) y * a->w + begin;
    float *const row = e->row[y % (2 * E + 1)];

    memcpy(row, e->none, sizeof(e->none));
    least_masks(row + begin - e->x + E, a->a + at, a->b + at, end - begin);
}

int rp_c_mask_erode(struct rp_stream *stream, const struct rp_op_mask_erode *a)
{
    struct erosion e;

    (void) stream;
    for (int i = 0; i < CHUNK + 2 * E; i++)
        e.none[i] = 1.0f;
    for (int x = 0; x < a->w; x += CHUNK) {
        e.x = x;
        e.n = rp_mini(CHUNK, a->w - x);
        for (int y = -E; y < a->h; y++) {
            float *const dst = a->dst + (ptrdiff_t) y * a->w + x;

            if (y + E < a->h)
                read_erosion_row(&e, a, y + E);
            if (y < 0)
                continue;
            memcpy(dst, e.none, (size_t) e.n * sizeof(*dst));
            for (int j = -E; j <= E; j++)
                least_around(dst, erosion_row(&e, a, y + j), E - (j < 0 ? -j : j), e.n);
        }
    }
    return 0;
}

int rp_c_affine_scale(struct rp_stream *stream, const struct rp_op_affine_scale *a)
{
    (void) stream;
    rp_affine_scale(a->dst, a->src, a->factor);
    return 0;
}

int rp_c_age_pair(struct rp_stream *stream, const struct rp_op_age_pair *a)
{
    (void) stream;
    rp_age_pair(a->dst, a->face, a->years);
    return 0;
}
