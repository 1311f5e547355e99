/* Colour matching as FaceFusion does it with OpenCV: pictures shrunk by area, their difference
 * enlarged by cubic interpolation, and how alike two pictures' hues and saturations are. */
#ifndef RP_OPS_MATCH_CORE_H
#define RP_OPS_MATCH_CORE_H

#include "ops/mask_core.h"
#include "ops/math_core.h"
#include "ops/ops.h"
#include "ops/paste_core.h"
#include "ops/resize_core.h"

/* ---- shrinking by area ----------------------------------------------------------------------- */

/* Source samples of one destination sample along one axis, and their weights: `lead` (0 or 1) that
 * is covered in part, `whole`, and `tail` (0 or 1). */
struct rp_area_span {
    int from, lead, whole, tail;
    float first, each, last;
};

/* scale: source steps per destination step, at least 1. */
RP_FN struct rp_area_span rp_area_span(int d, double scale, int size)
{
    struct rp_area_span s;
    const double begin = d * scale, end = begin + scale;
    const double width = rp_clampd(size - begin, 0.0, scale);
    const int last = rp_mini(rp_floor_d(end), size - 1), first = rp_mini(rp_ceil_d(begin), last);

    s.lead = first > 0 && first - begin > 1e-3;
    s.whole = last - first;
    s.tail = end - last > 1e-3;
    s.from = first - s.lead;
    s.first = (float) ((first - begin) / width);
    s.each = (float) (1.0 / width);
    s.last = (float) (rp_clampd(end - last, 0.0, width < 1.0 ? width : 1.0) / width);
    return s;
}

RP_FN int rp_area_count(const struct rp_area_span *s)
{
    return s->lead + s->whole + s->tail;
}

RP_FN float rp_area_weight(const struct rp_area_span *s, int k)
{
    return k < s->lead ? s->first : k < s->lead + s->whole ? s->each : s->last;
}

/* By which factors the axes shrink if those are whole numbers, as OpenCV decides it; else zeros. */
struct rp_area_factors {
    int x, y;
};

RP_FN struct rp_area_factors rp_area_factors(int sw, int sh, int dw, int dh)
{
    const double x = rp_resize_scale(sw, dw), y = rp_resize_scale(sh, dh);
    const double tiny = 2.2204460492503131e-16;
    struct rp_area_factors f;

    f.x = rp_round_d(x);
    f.y = rp_round_d(y);
    if (rp_abs(x - f.x) >= tiny || rp_abs(y - f.y) >= tiny)
        f.x = f.y = 0;
    return f;
}

/* The mean of x * y samples from their sum. */
RP_FN uint8_t rp_area_mean(int sum, struct rp_area_factors by)
{
    return by.x == 2 && by.y == 2 ? (uint8_t) ((sum + 2) >> 2)
                                  : rp_round_u8((float) sum * (1.0f / (float) (by.x * by.y)));
}

/* One sample of a source row shrunken across, in OpenCV's order of adding. row: its channel. */
RP_FN float rp_area_across(const uint8_t *row, int ch, const struct rp_area_span *x)
{
    const uint8_t *const p = row + (ptrdiff_t) x->from * ch;
    const int n = rp_area_count(x);
    float sum = 0.0f;
    int i;

    for (i = 0; i < n; i++)
        sum += (float) p[i * ch] * rp_area_weight(x, i);
    return sum;
}

/* Channel c of one pixel of the shrunken picture. */
RP_FN uint8_t rp_area_value(const struct rp_img *src, const struct rp_area_span *x,
                            const struct rp_area_span *y, int c)
{
    const int n = rp_area_count(y);
    float sum = 0.0f;
    int j;

    for (j = 0; j < n; j++)
        sum += rp_area_weight(y, j) *
               rp_area_across(src->data + (ptrdiff_t) (y->from + j) * src->stride + c, src->ch, x);
    return rp_round_u8(sum);
}

/* The same where both axes shrink by whole numbers. */
RP_FN uint8_t rp_area_value_whole(const struct rp_img *src, int x, int y, struct rp_area_factors by,
                                  int c)
{
    const uint8_t *p =
        src->data + (ptrdiff_t) y * by.y * src->stride + (ptrdiff_t) x * by.x * src->ch + c;
    int sum = 0, i, j;

    for (j = 0; j < by.y; j++, p += src->stride)
        for (i = 0; i < by.x; i++)
            sum += p[i * src->ch];
    return rp_area_mean(sum, by);
}

/* ---- enlarging a difference ------------------------------------------------------------------ */

/* Weights of the four samples around a position, t past the second of them. */
RP_FN void rp_cubic_weights(float t, float w[4])
{
    const float a = -0.75f, u = 1.0f - t, v = t + 1.0f;

    w[0] = ((a * v - 5.0f * a) * v + 8.0f * a) * v - 4.0f * a;
    w[1] = ((a + 2.0f) * t - (a + 3.0f)) * t * t + 1.0f;
    w[2] = ((a + 2.0f) * u - (a + 3.0f)) * u * u + 1.0f;
    w[3] = 1.0f - w[0] - w[1] - w[2];
}

/* OpenCV's orders of adding. */
RP_FN float rp_cubic_across(float a, float b, float c, float d, const float w[4])
{
    return a * w[0] + b * w[1] + c * w[2] + d * w[3];
}

RP_FN float rp_cubic_down(float a, float b, float c, float d, const float w[4])
{
    return a * w[0] + (b * w[1] + (c * w[2] + d * w[3]));
}

RP_FN uint8_t rp_colour_shift(uint8_t v, float gap)
{
    return rp_trunc_u8((float) v + gap);
}

/* ---- likeness -------------------------------------------------------------------------------- */

#define RP_HUE_BINS 50
#define RP_SATURATION_BINS 60

/* n / d to the nearest whole number, halves to even; both > 0. */
RP_FN int rp_divide_round(int n, int d)
{
    const int q = n / d, twice = 2 * (n % d);

    return q + (twice > d || (twice == d && (q & 1)));
}

/* Factors for OpenCV's 8-bit hue (0..179) and saturation, with 12 fraction bits: hue per step of a
 * span i, saturation per span at value i. */
struct rp_colour_per {
    int hue, saturation;
};

RP_FN struct rp_colour_per rp_colour_per(int i)
{
    struct rp_colour_per p;

    p.hue = i ? rp_divide_round(180 << 12, 6 * i) : 0;
    p.saturation = i ? rp_divide_round(255 << 12, i) : 0;
    return p;
}

/* The bin of a pixel. per: rp_colour_per() of 0..255. */
RP_FN int rp_colour_bin(const struct rp_colour_per *per, int b, int g, int r)
{
    const int v = rp_maxi(rp_maxi(b, g), r), span = v - rp_mini(rp_mini(b, g), r);
    const int turn = v == r ? g - b : v == g ? b - r + 2 * span : r - g + 4 * span;
    int hue = (turn * per[span].hue + (1 << 11)) >> 12;
    const int saturation = (span * per[v].saturation + (1 << 11)) >> 12;

    hue += hue < 0 ? 180 : 0;
    return rp_mini(hue * RP_HUE_BINS / 180, RP_HUE_BINS - 1) * RP_SATURATION_BINS +
           rp_mini(saturation * RP_SATURATION_BINS / 256, RP_SATURATION_BINS - 1);
}

/* Sums over all bins of two histograms of n pixels each: of a * b, a * a and b * b. Whole numbers,
 * so that the order of adding does not matter. */
struct rp_colour_sums {
    int64_t ab, aa, bb;
};

/* Pearson's correlation, -1..1, as a share 0..1; 1 where one histogram is flat. */
RP_FN double rp_colour_likeness(const struct rp_colour_sums *s, int64_t na, int64_t nb)
{
    const double per = 1.0 / RP_COLOUR_BINS, a = (double) na, b = (double) nb;
    const double both = (double) s->ab - a * b * per;
    const double spread = ((double) s->aa - a * a * per) * ((double) s->bb - b * b * per);
    const double r = spread > 2.2204460492503131e-16 ? both / sqrt(spread) : 1.0;

    return 0.5 * (rp_clampd(r, -1.0, 1.0) + 1.0);
}

/* ---- sharpening ------------------------------------------------------------------------------ */

#define RP_SHARPEN_RADIUS 6

/* OpenCV's 8-bit Gaussian of sigma 2: weights of 256ths, from the middle outwards. */
RP_FN int rp_sharpen_weight(int distance)
{
    const int w[RP_SHARPEN_RADIUS + 1] = {52, 45, 31, 16, 7, 2, 1};

    return w[distance];
}

/* The blurred value from its sum with 16 fraction bits. */
RP_FN int rp_sharpen_blur(int sum)
{
    return (sum + 32768) >> 16;
}

RP_FN uint8_t rp_sharpen(int v, int blurred)
{
    return rp_round_u8(1.75f * (float) v - 0.75f * (float) blurred);
}

/* ---- masks, matrices, ages ------------------------------------------------------------------- */

#define RP_ERODE_RADIUS 2

/* What is not a number counts as 0. */
RP_FN float rp_least_mask(float a, float b)
{
    const float p = rp_clamp_unit(a), q = rp_clamp_unit(b);

    return p < q ? p : q;
}

/* The least of a and b within two steps (left, right, up, down) of x, y, inside the mask. */
RP_FN float rp_mask_erode(const float *a, const float *b, int w, int h, int x, int y)
{
    float least = 1.0f;
    int i, j;

    for (j = -RP_ERODE_RADIUS; j <= RP_ERODE_RADIUS; j++) {
        const int reach = RP_ERODE_RADIUS - (j < 0 ? -j : j);

        if (y + j < 0 || y + j >= h)
            continue;
        for (i = rp_maxi(x - reach, 0); i <= rp_mini(x + reach, w - 1); i++) {
            const size_t at = (size_t) (y + j) * w + i;
            const float v = rp_least_mask(a[at], b[at]);

            least = v < least ? v : least;
        }
    }
    return least;
}

/* A map to a crop, all of it multiplied: to the crop enlarged about the centre of its first
 * pixel. */
RP_FN void rp_affine_scale(struct rp_affine *dst, const struct rp_affine *src, double factor)
{
    int i;

    for (i = 0; i < 6; i++) {
        dst->m[i] = src->m[i] * factor;
        dst->inv[i] = i % 3 == 2 ? src->inv[i] : src->inv[i] / factor;
    }
}

/* A face's age, the middle of its range, and that plus years, both as shares of 100 years. */
RP_FN void rp_age_pair(float pair[2], const struct rp_dface *face, float years)
{
    const double age = face->age_to > face->age_from
                           ? ((double) face->age_from + face->age_to - 1) / 2
                           : RP_AGE_UNKNOWN;

    pair[0] = (float) rp_clampd(age / 100.0, 0.0, 1.0);
    pair[1] = (float) rp_clampd((age + (double) years) / 100.0, 0.0, 1.0);
}

#endif /* RP_OPS_MATCH_CORE_H */
