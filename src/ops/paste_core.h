/* Paste-back (FaceFusion's, algorithms section 5) and blend: region and arithmetic of one value. */
#ifndef RP_OPS_PASTE_CORE_H
#define RP_OPS_PASTE_CORE_H

#include "ops/warp_core.h"

/* First and one past the last column and row of the frame that a crop of w x h reaches. */
struct rp_region {
    int x1, y1, x2, y2;
};

/* inv: crop to frame. Matrices with something that is not a number give an empty region. */
RP_FN struct rp_region rp_paste_region(const double inv[6], int w, int h, int frame_w, int frame_h)
{
    struct rp_region r;
    double x1 = inv[2], y1 = inv[5], x2 = x1, y2 = y1;
    int i;

    for (i = 1; i < 4; i++) {
        const double cx = i == 3 ? 0.0 : (double) w, cy = i == 1 ? 0.0 : (double) h;
        const double x = inv[0] * cx + inv[1] * cy + inv[2];
        const double y = inv[3] * cx + inv[4] * cy + inv[5];

        x1 = x < x1 ? x : x1;
        x2 = x > x2 ? x : x2;
        y1 = y < y1 ? y : y1;
        y2 = y > y2 ? y : y2;
    }
    r.x1 = rp_floor_d(rp_clampd(x1, 0.0, frame_w));
    r.y1 = rp_floor_d(rp_clampd(y1, 0.0, frame_h));
    r.x2 = rp_ceil_d(rp_clampd(x2, 0.0, frame_w));
    r.y2 = rp_ceil_d(rp_clampd(y2, 0.0, frame_h));
    return r;
}

/* The sampling line of frame row y, counted from the region's first column. m: frame to crop. */
RP_FN struct rp_warp_line rp_paste_line(const double m[6], const struct rp_region *r, int y)
{
    return rp_warp_line(m, r->x1, y);
}

/* Where m is 0 the pixel is left alone, whatever the crop holds. */
RP_FN uint8_t rp_paste_mix(uint8_t frame, float crop, float m)
{
    const uint8_t v = rp_trunc_u8((float) frame * (1.0f - m) + crop * m);

    return m > 0.0f ? v : frame;
}

RP_FN uint8_t rp_blend(uint8_t a, uint8_t b, float fa, float fb)
{
    return rp_round_u8((float) a * fa + (float) b * fb);
}

#endif /* RP_OPS_PASTE_CORE_H */
