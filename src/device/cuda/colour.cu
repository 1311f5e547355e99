/* Colouring: one thread for each value of the network's input, and for each pixel of the frame. */
#include "device/cuda/kernel.cuh"
#include "ops/colour_core.h"

static __global__ void __launch_bounds__(RP_TILE_W *RP_TILE_H)
    grey_tensor(const __grid_constant__ struct rp_op_grey_tensor a, double sx, double sy)
{
    const int x = rp_my_x(), y = rp_my_y();
    const size_t plane = (size_t) a.w * (size_t) a.h;
    float v[3];

    if (x >= a.w || y >= a.h)
        return;
    rp_grey_tensor(&a, x, y, sx, sy, v);
    for (int c = 0; c < 3; c++)
        a.dst[plane * c + (size_t) y * a.w + x] = v[c];
}

extern "C" int rp_cuda_grey_tensor(struct rp_stream *stream, const struct rp_op_grey_tensor *a)
{
    if (a->src.w < 1 || a->src.h < 1 || a->w < 1 || a->h < 1)
        return 0;
    RP_LAUNCH(stream, rp_grid(a->w, a->h), rp_tile(), grey_tensor, *a,
              rp_resize_scale(a->src.w, a->w), rp_resize_scale(a->src.h, a->h));
    return rp_cuda_launched("grey_tensor");
}

/* ---- joining --------------------------------------------------------------------------------- */

/* Where the columns and rows of a block lie in the network's output: found once for the block, as
 * it takes divisions of doubles. */
struct places {
    int left[RP_TILE_W], right[RP_TILE_W], upper[RP_TILE_H], lower[RP_TILE_H];
    float across[RP_TILE_W], down[RP_TILE_H];
};

RP_DEV void find_places(struct places *p, const struct rp_img *frame, int w, int h)
{
    const int t = rp_my_number();

    if (t < RP_TILE_W) {
        p->left[t] = rp_resize_column((int) blockIdx.x * RP_TILE_W + t,
                                      rp_resize_scale(w, frame->w), w, &p->across[t]);
        p->right[t] = rp_mini(p->left[t] + 1, w - 1);
    } else if (t < RP_TILE_W + RP_TILE_H) {
        const int i = t - RP_TILE_W;
        const int top = rp_resize_at((int) blockIdx.y * RP_TILE_H + i,
                                     rp_resize_scale(h, frame->h), &p->down[i]);

        p->upper[i] = rp_clampi(top, 0, h - 1);
        p->lower[i] = rp_clampi(top + 1, 0, h - 1);
    }
    __syncthreads();
}

/* This thread's value of a plane. */
RP_DEV float value_of(const struct places *p, const float *plane, int w)
{
    const int x = (int) threadIdx.x, y = (int) threadIdx.y;

    return rp_colour_between(plane + (size_t) w * p->upper[y], plane + (size_t) w * p->lower[y],
                             p->left[x], p->right[x], p->across[x], p->down[y]);
}

/* Blend the pixel in; the first pixel of a tile marks it. */
RP_DEV void put(const struct rp_canvas *c, int x, int y, uint8_t *pixel, const uint8_t bgr[3],
                float keep, float blend)
{
    for (int k = 0; k < 3; k++)
        pixel[k] = rp_blend(pixel[k], bgr[k], keep, blend);
    if (c->changed && x % RP_TILE == 0 && y % RP_TILE == 0)
        c->changed[(size_t) (y / RP_TILE) * c->tiles_w + x / RP_TILE] = 1;
}

static __global__ void __launch_bounds__(RP_TILE_W *RP_TILE_H)
    colour_ab(const __grid_constant__ struct rp_op_colour_ab a)
{
    __shared__ struct places p;
    const int x = rp_my_x(), y = rp_my_y();
    float rgb[3];
    uint8_t bgr[3];

    find_places(&p, &a.dst.img, a.w, a.h);
    if (x >= a.dst.img.w || y >= a.dst.img.h)
        return;
    uint8_t *const pixel = rp_pixel(&a.dst.img, x, y);
    rp_lab_linear(rp_light(a.tables, pixel[0], pixel[1], pixel[2]), value_of(&p, a.src, a.w),
                  value_of(&p, a.src + (size_t) a.w * a.h, a.w), rgb);
    for (int k = 0; k < 3; k++)
        bgr[k] = rp_gamma_u8(a.tables, rgb[2 - k]);
    put(&a.dst, x, y, pixel, bgr, a.keep, a.blend);
}

extern "C" int rp_cuda_colour_ab(struct rp_stream *stream, const struct rp_op_colour_ab *a)
{
    if (a->w < 1 || a->h < 1 || a->dst.img.w < 1 || a->dst.img.h < 1)
        return 0;
    RP_LAUNCH(stream, rp_grid(a->dst.img.w, a->dst.img.h), rp_tile(), colour_ab, *a);
    return rp_cuda_launched("colour_ab");
}

static __global__ void __launch_bounds__(RP_TILE_W *RP_TILE_H)
    colour_rgb(const __grid_constant__ struct rp_op_colour_rgb a)
{
    __shared__ struct places p;
    const int x = rp_my_x(), y = rp_my_y();
    const size_t plane = (size_t) a.w * a.h;
    uint8_t bgr[3];

    find_places(&p, &a.dst.img, a.w, a.h);
    if (x >= a.dst.img.w || y >= a.dst.img.h)
        return;
    uint8_t *const pixel = rp_pixel(&a.dst.img, x, y);
    const float rgb[3] = {value_of(&p, a.src, a.w), value_of(&p, a.src + plane, a.w),
                          value_of(&p, a.src + 2 * plane, a.w)};
    rp_colour_rgb(a.tables, pixel[0], rgb, bgr);
    put(&a.dst, x, y, pixel, bgr, a.keep, a.blend);
}

extern "C" int rp_cuda_colour_rgb(struct rp_stream *stream, const struct rp_op_colour_rgb *a)
{
    if (a->w < 1 || a->h < 1 || a->dst.img.w < 1 || a->dst.img.h < 1)
        return 0;
    RP_LAUNCH(stream, rp_grid(a->dst.img.w, a->dst.img.h), rp_tile(), colour_rgb, *a);
    return rp_cuda_launched("colour_rgb");
}
