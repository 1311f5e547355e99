/* Paste-back (FaceFusion's) and blend: region and arithmetic of one value. */
#ifndef RP_OPS_PASTE_CORE_H
#define RP_OPS_PASTE_CORE_H

#include "ops/warp_core.h"

/* First and one past the last column and row of the frame that a crop of w x h reaches. */
struct rp_region {
    int x1, y1, x2, y2;
};

/* The frame rectangle around the crop rectangle lo, lo .. w, h, cut to the frame. inv: crop to
 * frame; with a NaN in it the result is some rectangle inside the frame. */
struct rp_hull {
    double x1, y1, x2, y2;
};

RP_FN struct rp_hull rp_crop_hull(const double inv[6], double lo, int w, int h, int frame_w,
                                  int frame_h)
{
    struct rp_hull r = {0.0, 0.0, 0.0, 0.0};
    int i;

    for (i = 0; i < 4; i++) {
        const double cx = i & 1 ? (double) w : lo, cy = i & 2 ? (double) h : lo;
        const double x = rp_clampd(inv[0] * cx + inv[1] * cy + inv[2], 0.0, frame_w);
        const double y = rp_clampd(inv[3] * cx + inv[4] * cy + inv[5], 0.0, frame_h);

        r.x1 = i == 0 || x < r.x1 ? x : r.x1;
        r.x2 = i == 0 || x > r.x2 ? x : r.x2;
        r.y1 = i == 0 || y < r.y1 ? y : r.y1;
        r.y2 = i == 0 || y > r.y2 ? y : r.y2;
    }
    return r;
}

/* FaceFusion's region: the corners are integers, so OpenCV rounds them after the transformation
 * (halves to even). */
RP_FN struct rp_region rp_paste_region(const double inv[6], int w, int h, int frame_w, int frame_h)
{
    const struct rp_hull u = rp_crop_hull(inv, 0.0, w, h, frame_w, frame_h);
    struct rp_region r;

    r.x1 = rp_round_d(u.x1);
    r.y1 = rp_round_d(u.y1);
    r.x2 = rp_round_d(u.x2);
    r.y2 = rp_round_d(u.y2);
    return r;
}

/* All pixels that the crop covers, if only in part. */
RP_FN struct rp_region rp_draw_region(const double inv[6], int w, int h, int frame_w, int frame_h)
{
    const struct rp_hull u = rp_crop_hull(inv, -1.0, w, h, frame_w, frame_h);
    struct rp_region r;

    r.x1 = rp_floor_d(u.x1);
    r.y1 = rp_floor_d(u.y1);
    r.x2 = rp_ceil_d(u.x2);
    r.y2 = rp_ceil_d(u.y2);
    return r;
}

/* The sampling line of frame row y, counted from the region's first column. m: frame to crop. */
RP_FN struct rp_warp_line rp_paste_line(const double m[6], const struct rp_region *r, int y)
{
    return rp_warp_line(m, r->x1, r->y1, y - r->y1);
}

/* Where m is 0 the pixel keeps its value, whatever the crop holds. */
RP_FN uint8_t rp_paste_mix(uint8_t frame, float crop, float m)
{
    const uint8_t v = rp_trunc_u8((float) frame * (1.0f - m) + crop * m);

    return m > 0.0f ? v : frame;
}

/* A sample of the crop. If the crop holds 8-bit pixels the sample has 8 bits again, as in any
 * picture. */
RP_FN float rp_paste_sample(float v, int bytes)
{
    return bytes ? (float) rp_round_u8(v) : v;
}

/* As OpenCV does it: the second product is rounded to a float and the first is not, which decides
 * how the many halves are rounded. */
RP_FN uint8_t rp_blend(uint8_t a, uint8_t b, float fa, float fb)
{
    return rp_round_u8(rp_fma((float) a, fa, (float) b * fb));
}

RP_FN uint8_t rp_paste_keep(uint8_t frame, float crop, float m, float keep, float blend)
{
    const uint8_t v = rp_blend(frame, rp_paste_mix(frame, crop, m), keep, blend);

    return m > 0.0f ? v : frame; /* the weights need not add up to exactly 1 */
}

#endif /* RP_OPS_PASTE_CORE_H */
