/* Room for the pixels of pictures, and turning them upright. */
#include "media/av.h"

int rp_image_alloc(rp_image *out, int64_t w, int64_t h, enum rp_pixel format, const char *name)
{
    const int bytes = format == RP_PIXEL_BGRA ? 4 : 3;
    int ret;

    memset(out, 0, sizeof(*out));
    if ((ret = rp_size_check(name, w, h)) < 0)
        return ret;
    if (!(out->data = calloc((size_t) w * (size_t) h, (size_t) bytes)))
        return rp_fail(RP_ERR_NOMEM, "%s: no memory for %dx%d pixels", name, (int) w, (int) h);
    out->stride = (ptrdiff_t) w * bytes;
    out->w = (int) w;
    out->h = (int) h;
    out->format = format;
    out->owned = true;
    return 0;
}

static bool is_opaque(const rp_image *image)
{
    for (int y = 0; y < image->h; y++) {
        const uint8_t *const row = image->data + y * image->stride;
        for (int x = 0; x < image->w; x++)
            if (row[4 * x + 3] != 255)
                return false;
    }
    return true;
}

static void drop_alpha(rp_image *image)
{
    const size_t n = (size_t) image->w * (size_t) image->h;

    for (size_t i = 0; i < n; i++)
        memmove(image->data + 3 * i, image->data + 4 * i, 3);
    image->stride = (ptrdiff_t) image->w * 3;
    image->format = RP_PIXEL_BGR;
}

void rp_image_drop_opaque(rp_image *image)
{
    if (image->format == RP_PIXEL_BGRA && is_opaque(image))
        drop_alpha(image);
}

void rp_image_is_animated(const char *name)
{
    rp_log(RP_LOG_WARN,
           "%s: an animation, of which only the first picture is used; make a GIF or "
           "a video of it to work on all of them",
           name);
}

int rp_image_orient(rp_image *image, struct rp_orient o)
{
    rp_image to;
    int ret;

    if (rp_orient_none(o))
        return 0;
    if ((ret = rp_image_alloc(&to, o.swap ? image->h : image->w, o.swap ? image->w : image->h,
                              image->format, "turning")) < 0)
        return ret;
    rp_orient_plane(o, to.data, to.stride, image->data, image->stride, image->w, image->h,
                    image->format == RP_PIXEL_BGRA ? 4 : 3);
    rp_image_free(image);
    *image = to;
    return 0;
}
