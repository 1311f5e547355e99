/* box_mask, gaussian, mask_min, mask_ramp, class_mask, mask_warp, and the kernel that gaussian
 * reads. */
#include "ops/mask_core.h"
#include "ops/ops.h"
#include "ops/sample.h"

#include <math.h>
#include <string.h>

#define CHUNK 512       /* values */
#define MAX_RADIUS 1024 /* of a kernel whose padded row fits the stack; larger ones are slow */

int rp_c_box_mask(struct rp_stream *stream, const struct rp_op_box_mask *a)
{
    int edge[4];

    (void) stream;
    rp_box_edges(edge, a->w, a->h, a->blur, a->padding);
    for (int y = 0; y < a->h; y++)
        for (int x = 0; x < a->w; x++)
            a->dst[(size_t) y * a->w + x] = rp_box_value(edge, x, y, a->w, a->h);
    return 0;
}

/* dst[x] = the sum over the kernel from p[x] on. */
RP_HOT_FMA static void sum_across(float *restrict dst, const float *restrict p,
                                  const float *restrict kernel, int size, int n)
{
    for (int x = 0; x < n; x++)
        dst[x] = kernel[0] * p[x];
    for (int i = 1; i < size; i++)
        for (int x = 0; x < n; x++)
            dst[x] = rp_gaussian_across(dst[x], kernel[i], p[x + i]);
}

RP_HOT static void sum_first(float *restrict dst, const float *restrict p, float k, int n)
{
    for (int x = 0; x < n; x++)
        dst[x] = k * p[x];
}

RP_HOT_FMA static void sum_pair(float *restrict dst, const float *p, const float *q, float k, int n)
{
    for (int x = 0; x < n; x++)
        dst[x] = rp_gaussian_down(dst[x], k, p[x], q[x]);
}

static void across_slowly(float *dst, const float *src, const float *kernel, int size, int w)
{
    for (int x = 0; x < w; x++) {
        float sum = kernel[0] * src[rp_reflect101(x - size / 2, w)];

        for (int i = 1; i < size; i++)
            sum = rp_gaussian_across(sum, kernel[i], src[rp_reflect101(x - size / 2 + i, w)]);
        dst[x] = sum;
    }
}

int rp_c_gaussian(struct rp_stream *stream, const struct rp_op_gaussian *a)
{
    const int w = a->w, h = a->h, radius = a->size / 2;
    const float *middle = a->kernel + radius;
    float padded[CHUNK + 2 * MAX_RADIUS];

    (void) stream;
    for (int y = 0; y < h; y++) {
        const float *src = a->src + (size_t) y * w;
        float *dst = a->tmp + (size_t) y * w;

        if (radius > MAX_RADIUS) {
            across_slowly(dst, src, a->kernel, a->size, w);
            continue;
        }
        for (int x = 0; x < w; x += CHUNK) {
            const int n = rp_mini(CHUNK, w - x);
            const int from = rp_maxi(x - radius, 0), to = rp_mini(x + n + radius, w);

            for (int i = x - radius; i < from; i++)
                padded[i - x + radius] = src[rp_reflect101(i, w)];
            memcpy(padded + from - x + radius, src + from, (size_t) (to - from) * sizeof(*src));
            for (int i = to; i < x + n + radius; i++)
                padded[i - x + radius] = src[rp_reflect101(i, w)];
            sum_across(dst + x, padded, a->kernel, a->size, n);
        }
    }
    for (int y = 0; y < h; y++) {
        float *dst = a->dst + (size_t) y * w;

        for (int x = 0; x < w; x += CHUNK) {
            const int n = rp_mini(CHUNK, w - x);

            sum_first(dst + x, a->tmp + (size_t) y * w + x, middle[0], n);
            for (int i = 1; i <= radius; i++)
                sum_pair(dst + x, a->tmp + (size_t) rp_reflect101(y - i, h) * w + x,
                         a->tmp + (size_t) rp_reflect101(y + i, h) * w + x, middle[i], n);
        }
    }
    return 0;
}

int rp_c_mask_min(struct rp_stream *stream, const struct rp_op_mask_min *a)
{
    (void) stream;
    for (int i = 0; i < a->n; i++)
        a->dst[i] = rp_mask_min(a->a[i], a->b ? a->b[i] : a->a[i]);
    return 0;
}

int rp_c_mask_ramp(struct rp_stream *stream, const struct rp_op_mask_ramp *a)
{
    (void) stream;
    for (int i = 0; i < a->n; i++)
        a->dst[i] = rp_mask_ramp(a->src[i]);
    return 0;
}

RP_HOT static void next_class(float *restrict best, float *restrict dst, const float *restrict src,
                              float value, int n)
{
    for (int i = 0; i < n; i++) {
        const int wins = rp_class_wins(src[i], best[i]);

        best[i] = wins ? src[i] : best[i];
        dst[i] = wins ? value : dst[i];
    }
}

int rp_c_class_mask(struct rp_stream *stream, const struct rp_op_class_mask *a)
{
    (void) stream;
    for (int x = 0; x < a->n; x += CHUNK) {
        float best[CHUNK];
        const int n = rp_mini(CHUNK, a->n - x);

        memcpy(best, a->src + x, (size_t) n * sizeof(*best));
        for (int i = 0; i < n; i++)
            a->dst[x + i] = rp_class_value(a->use, 0);
        for (int c = 1; c < a->classes; c++)
            next_class(best, a->dst + x, a->src + (size_t) c * a->n + x,
                       rp_class_value(a->use, c), n);
    }
    return 0;
}

static void sample_mask(float *dst, const struct rp_op_mask_warp *a, const struct rp_positions *p,
                        struct rp_span span)
{
    for (int i = span.from; i < span.to; i++)
        dst[i] = rp_mask_sample(a->src, a->sw, a->sh, p->ix[i], p->iy[i], p->tx[i], p->ty[i]);
}

/* The same for pixels whose four samples all lie inside. */
static void sample_inside(float *restrict dst, const struct rp_op_mask_warp *a,
                          const struct rp_positions *restrict p, struct rp_span span)
{
    const float *restrict const src = a->src;
    const ptrdiff_t w = a->sw;

    for (int i = span.from; i < span.to; i++) {
        const float *const s = src + p->iy[i] * w + p->ix[i];

        dst[i] = rp_bilinear(s[0], s[1], s[w], s[w + 1], p->tx[i], p->ty[i]);
    }
}

int rp_c_mask_warp(struct rp_stream *stream, const struct rp_op_mask_warp *a)
{
    struct rp_positions p;
    double m[6];

    (void) stream;
    rp_mask_warp_map(m, a->src_affine->m, a->dst_affine->inv);
    for (int y = 0; y < a->dh; y++) {
        const struct rp_warp_line l = rp_warp_line(m, 0.0, 0.0, y);

        for (int x = 0; x < a->dw; x += RP_CHUNK) {
            const int n = rp_mini(RP_CHUNK, a->dw - x);
            float *const dst = a->dst + (size_t) y * a->dw + x;

            rp_make_positions(&p, &l, x, n, a->sw, a->sh);
            const struct rp_span inside =
                rp_span_within(&p, (struct rp_span){0, n}, 0, 0, a->sw - 1, a->sh - 1);
            sample_mask(dst, a, &p, (struct rp_span){0, inside.from});
            sample_inside(dst, a, &p, inside);
            sample_mask(dst, a, &p, (struct rp_span){inside.to, n});
        }
    }
    return 0;
}

int rp_gaussian_kernel(double sigma, int size, float *kernel, int max)
{
    double sum = 0.0;

    if (size <= 0)
        size = rp_round_d(rp_clampd(8.0 * sigma + 1.0, 1.0, 1e6)) | 1;
    if (size > max)
        size = (max - 1) | 1;
    if (sigma <= 0.0)
        sigma = ((size - 1) * 0.5 - 1) * 0.3 + 0.8;
    for (int i = 0; i < size; i++) {
        const double x = i - (size - 1) * 0.5;

        sum += exp(-0.5 * x * x / (sigma * sigma));
    }
    for (int i = 0; i < size; i++) {
        const double x = i - (size - 1) * 0.5;

        kernel[i] = (float) (exp(-0.5 * x * x / (sigma * sigma)) / sum);
    }
    return size;
}
