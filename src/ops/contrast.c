/* The contrast operation and its tables. */
#include "ops/contrast_core.h"
#include "ops/math_core.h"

#include <string.h>

/* For tile (tx, ty): Lab into dst, the sum of L, the new levels. */
static void do_tile(const struct rp_op_contrast *a, int tx, int ty)
{
    const int w = a->src.w / RP_CONTRAST_TILES, h = a->src.h / RP_CONTRAST_TILES, area = w * h;
    const int limit = rp_clahe_limit(area);
    int count[256] = {0}, clipped = 0, sum = 0;
    uint8_t *const level = a->work->level[ty][tx];

    a->work->sum[RP_CONTRAST_TILES * ty + tx] = 0;
    for (int y = h * ty; y < h * (ty + 1); y++) {
        const uint8_t *p = a->src.data + (ptrdiff_t) y * a->src.stride + 3 * (ptrdiff_t) (w * tx);
        uint8_t *o = a->dst.data + (ptrdiff_t) y * a->dst.stride + 3 * (ptrdiff_t) (w * tx);

        for (int x = 0; x < w; x++, p += 3, o += 3) {
            const uint8_t in[3] = {p[0], p[1], p[2]};

            rp_lab_from(a->tables, in, o);
            count[o[0]]++;
            a->work->sum[RP_CONTRAST_TILES * ty + tx] += o[0];
        }
    }
    for (int i = 0; i < 256; i++)
        clipped += rp_maxi(count[i] - limit, 0);
    for (int i = 0; i < 256; i++) {
        sum += rp_clahe_share(count[i], i, limit, clipped);
        level[i] = rp_clahe_level(sum, area);
    }
}

int rp_c_contrast(struct rp_stream *stream, const struct rp_op_contrast *a)
{
    (void) stream;
    for (int ty = 0; ty < RP_CONTRAST_TILES; ty++)
        for (int tx = 0; tx < RP_CONTRAST_TILES; tx++)
            do_tile(a, tx, ty);

    const int dark = rp_contrast_dark(a->work, a->dst.w, a->dst.h);
    for (int y = 0; y < a->dst.h; y++) {
        uint8_t *p = a->dst.data + (ptrdiff_t) y * a->dst.stride;

        for (int x = 0; x < a->dst.w; x++, p += 3)
            rp_contrast_finish(a, dark, x, y, p);
    }
    return 0;
}

/* ---- tables ---------------------------------------------------------------------------------- */

/* Lab's cube root, which is a line near 0. Rounded to float, as OpenCV does: three entries are so
 * close to a half that it matters. */
static float lab_root(double v)
{
    return (float) (v < 216.0 / 24389 ? v * 841 / 108 + 16.0 / 116 : rp_cbrt(v));
}

void rp_lab_tables(struct rp_lab_tables *t)
{
    memset(t, 0, sizeof(*t));
    for (int i = 0; i < 256; i++)
        t->linear[i] = rp_round_d(2040 * rp_srgb_to_linear(i / 255.0));
    for (int i = 0; i < RP_LAB_ROOTS; i++)
        t->root[i] = rp_round_d(32768.0f * lab_root(i / 2040.0));
    for (int i = 0; i < 4096; i++) /* 4096, as in OpenCV, so 4095 is not quite white */
        t->gamma[i] = rp_round_d(255 * rp_srgb_from_linear(i / 4096.0));
    for (int i = 0; i < 256; i++) {
        const double l = i * 100 / 255.0, root = (l + 16) / 116;

        t->light_root[i] = rp_round_d(16384 * root);
        /* Line and cube meet at L = 8: 20 is below, 21 above. */
        t->light[i] =
            rp_round_d(16384 * (i <= 20 ? l * 27 / 24389 : root * root * root));
    }
}
