/* Pictures in another size, by libswscale. */
#include <libavutil/pixfmt.h>
#include <libswscale/swscale.h>

#include "media/media.h"

int rp_image_scale(rp_image *out, const rp_image *image, int w, int h)
{
    const bool alpha = image->format == RP_PIXEL_BGRA;
    const int bytes = alpha ? 4 : 3;
    const enum AVPixelFormat fmt = alpha ? AV_PIX_FMT_BGRA : AV_PIX_FMT_BGR24;
    struct SwsContext *sws;

    *out = (rp_image){.w = w, .h = h, .format = image->format, .stride = (ptrdiff_t) w * bytes};
    if (w < 1 || h < 1 || w > 32768 || h > 32768 || (int64_t) w * h > (1 << 28))
        return rp_fail(RP_ERR_LIMIT,
                       "%dx%d: a picture has 1 to 32768 pixels a side and at most 2^28", w, h);
    sws = sws_getContext(image->w, image->h, fmt, w, h, fmt, SWS_BICUBIC | SWS_ACCURATE_RND, NULL,
                         NULL, NULL);
    out->data = malloc((size_t) out->stride * (size_t) h);
    if (!sws || !out->data) {
        sws_freeContext(sws);
        free(out->data);
        *out = (rp_image){0};
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    }
    out->owned = true;
    /* It reads four of each, whatever the format. */
    sws_scale(sws, (const uint8_t *const[4]){image->data}, (const int[4]){(int) image->stride}, 0,
              image->h, (uint8_t *const[4]){out->data}, (const int[4]){(int) out->stride});
    sws_freeContext(sws);
    return 0;
}
