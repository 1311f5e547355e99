#include "pipeline/alpha.h"

#include "ops/ops.h"

void rp_image_drop_alpha(rp_image *image)
{
    if (image->format != RP_PIXEL_BGRA)
        return;
    for (int y = 0; y < image->h; y++) {
        uint8_t *const row = image->data + y * image->stride;

        for (int x = 0; x < image->w; x++)
            memmove(row + 3 * x, row + 4 * x, 3);
    }
    image->format = RP_PIXEL_BGR;
}

int rp_image_take_bgr(rp_image *image, rp_image *bgr)
{
    *bgr = *image;
    bgr->owned = false;
    if (image->format == RP_PIXEL_BGR)
        return 0;
    bgr->stride = (ptrdiff_t) image->w * 3;
    bgr->format = RP_PIXEL_BGR;
    bgr->data = malloc((size_t) bgr->stride * (size_t) image->h);
    if (!bgr->data)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    bgr->owned = true;
    for (int y = 0; y < image->h; y++)
        for (int x = 0; x < image->w; x++)
            memcpy(bgr->data + y * bgr->stride + 3 * x, image->data + y * image->stride + 4 * x, 3);
    return 0;
}

void rp_image_put_bgr(rp_image *image, const rp_image *bgr)
{
    for (int y = 0; bgr->owned && y < image->h; y++)
        for (int x = 0; x < image->w; x++)
            memcpy(image->data + y * image->stride + 4 * x, bgr->data + y * bgr->stride + 3 * x, 3);
}

int rp_frame_take_alpha(struct rp_media_frame *frame, const rp_image *image, uint8_t **alpha)
{
    if (!(*alpha = malloc((size_t) image->w * (size_t) image->h)))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    memset(*alpha, 255, (size_t) image->w * (size_t) image->h);
    for (int y = 0; image->format == RP_PIXEL_BGRA && y < image->h; y++)
        for (int x = 0; x < image->w; x++)
            (*alpha)[(size_t) y * (size_t) image->w + (size_t) x] =
                image->data[y * image->stride + 4 * x + 3];
    frame->fmt = RP_FMT_BGR24_ALPHA;
    frame->plane[3] = *alpha;
    frame->stride[3] = image->w;
    return 0;
}

static bool is_opaque(const uint8_t *alpha, size_t n)
{
    while (n > 0 && alpha[n - 1] == 255)
        n--;
    return n == 0;
}

int rp_image_put_alpha(rp_image *image, const uint8_t *alpha)
{
    rp_image to = *image;
    const size_t w = (size_t) image->w, h = (size_t) image->h;

    if (image->format == RP_PIXEL_BGR) {
        if (is_opaque(alpha, w * h))
            return 0;
        to.format = RP_PIXEL_BGRA;
        to.stride = (ptrdiff_t) w * 4;
        to.owned = true;
        if (!(to.data = malloc(4 * w * h)))
            return rp_fail(RP_ERR_NOMEM, "out of memory");
        for (size_t y = 0; y < h; y++)
            for (size_t x = 0; x < w; x++)
                memcpy(to.data + 4 * (y * w + x),
                       image->data + (ptrdiff_t) y * image->stride + 3 * x, 3);
        rp_image_free(image);
        *image = to;
    }
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++)
            image->data[(ptrdiff_t) y * image->stride + (ptrdiff_t) (4 * x + 3)] = alpha[y * w + x];
    return 0;
}

int rp_image_scale_alpha(const rp_image *image, int w, int h, uint8_t **out)
{
    uint8_t *const from = malloc((size_t) image->w * (size_t) image->h);
    uint8_t *const to = *out = malloc((size_t) w * (size_t) h);

    if (!from || !to) {
        free(from);
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    }
    for (int y = 0; y < image->h; y++)
        for (int x = 0; x < image->w; x++)
            from[(size_t) y * (size_t) image->w + (size_t) x] =
                image->data[y * image->stride + 4 * x + 3];
    rp_c_resize(NULL, &(struct rp_op_resize){
        .src = {.data = from, .stride = image->w, .w = image->w, .h = image->h, .ch = 1},
        .dst = {.data = to, .stride = w, .w = w, .h = h, .ch = 1}});
    free(from);
    return 0;
}
