/* Pictures in another size, by libswscale. */
#include <libavutil/pixfmt.h>
#include <libswscale/swscale.h>
#include <stdlib.h>
#include <string.h>

#include "media/media.h"

/* libswscale reads some bytes past a row, even past the last one: in its vector code, and for the
 * chroma of an odd width, where the missing pixel counts. Zeros, as in the ffmpeg program. */
enum { SLACK = 64 };

struct plane {
    uint8_t *data;
    int stride, row, h;
};

static bool make_plane(struct plane *p, int row, int h)
{
    p->stride = (row + 2 * SLACK - 1) / SLACK * SLACK;
    p->row = row;
    p->h = h;
    p->data = calloc(1, (size_t) p->stride * (size_t) h + SLACK);
    return p->data;
}

static void copy_rows(uint8_t *dst, ptrdiff_t to, const uint8_t *src, ptrdiff_t from, int row,
                      int h)
{
    for (int y = 0; y < h; y++)
        memcpy(dst + y * to, src + y * from, (size_t) row);
}

static void scale(struct SwsContext *sws, const struct plane *src, const struct plane *dst)
{
    /* It reads four pointers and strides, whatever the format. */
    sws_scale(sws, (const uint8_t *const[4]){src->data}, (const int[4]){src->stride}, 0, src->h,
              (uint8_t *const[4]){dst->data}, (const int[4]){dst->stride});
}

int rp_image_scale(rp_image *out, const rp_image *image, int w, int h)
{
    int ret = 0;
    const bool alpha = image->format == RP_PIXEL_BGRA;
    const int bytes = alpha ? 4 : 3;
    const enum AVPixelFormat fmt = alpha ? AV_PIX_FMT_BGRA : AV_PIX_FMT_BGR24;
    struct plane src = {0}, dst = {0};
    struct SwsContext *sws;

    *out = (rp_image){.w = w, .h = h, .format = image->format, .stride = (ptrdiff_t) w * bytes};
    if (w < 1 || h < 1 || w > 32768 || h > 32768 || (int64_t) w * h > (1 << 28))
        return rp_fail(RP_ERR_LIMIT,
                       "%dx%d: a picture has 1 to 32768 pixels a side and at most 2^28", w, h);
    sws = sws_getContext(image->w, image->h, fmt, w, h, fmt, SWS_BICUBIC | SWS_ACCURATE_RND, NULL,
                         NULL, NULL);
    out->data = malloc((size_t) out->stride * (size_t) h);
    if (sws && out->data && make_plane(&src, image->w * bytes, image->h) &&
        make_plane(&dst, w * bytes, h)) {
        copy_rows(src.data, src.stride, image->data, image->stride, src.row, src.h);
        scale(sws, &src, &dst);
        copy_rows(out->data, out->stride, dst.data, dst.stride, dst.row, dst.h);
        out->owned = true;
    } else {
        free(out->data);
        *out = (rp_image){0};
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
    }
    free(src.data);
    free(dst.data);
    sws_freeContext(sws);
    return ret;
}
