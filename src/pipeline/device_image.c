#include "pipeline/device_image.h"

static int channels(const rp_image *image)
{
    return image->format == RP_PIXEL_BGRA ? 4 : 3;
}

static struct rp_img pixels_of(const rp_image *image)
{
    return (struct rp_img){.data = image->data, .stride = (int) image->stride, .w = image->w,
                           .h = image->h, .ch = channels(image)};
}

int rp_device_image_alloc(struct rp_device *device, enum rp_pixel format, int w, int h,
                          rp_image *out)
{
    *out = (rp_image){.w = w, .h = h, .format = format, .on_device = true, .owned = true};
    out->stride = (ptrdiff_t) w * channels(out);
    const int ret = device->fns->alloc(device, (size_t) out->stride * (size_t) h,
                                       (void **) &out->data);
    if (ret < 0)
        *out = (rp_image){0};
    return ret;
}

void rp_device_image_free(struct rp_device *device, rp_image *image)
{
    if (image->owned && image->data)
        device->fns->free(device, image->data);
    *image = (rp_image){0};
}

typedef int copy_fn(struct rp_slot *slot, void *dst, const void *src, size_t n);

/* In one copy if rows have no gaps, else row by row: the gaps belong to the application. */
static int copy_rows(struct rp_slot *slot, const rp_image *to, const rp_image *from, copy_fn *copy)
{
    int ret;
    size_t bytes = (size_t) to->w * (size_t) channels(to);
    int rows = to->h;

    if (to->stride == (ptrdiff_t) bytes && from->stride == to->stride) {
        bytes *= (size_t) rows;
        rows = 1;
    }
    for (int y = 0; y < rows; y++)
        RP_TRY(copy(slot, to->data + y * to->stride, from->data + y * from->stride, bytes));
    ret = 0;

fail:
    if (ret < 0)
        rp_slot_sync(slot); /* no copy may still be reading the host's rows */
    return ret < 0 ? ret : rp_slot_sync(slot);
}

int rp_device_image_upload(struct rp_slot *slot, const rp_image *host, const rp_image *device)
{
    return copy_rows(slot, device, host, rp_slot_upload);
}

int rp_device_image_download(struct rp_slot *slot, const rp_image *device, const rp_image *host)
{
    return copy_rows(slot, host, device, rp_slot_download);
}

int rp_device_image_split(struct rp_slot *slot, const rp_image *image, struct rp_img bgr,
                          struct rp_img alpha)
{
    RP_CHECK(RP_OP_NOW(slot, alpha_split, .src = pixels_of(image), .bgr = bgr, .alpha = alpha));
    return rp_slot_sync(slot);
}

int rp_device_image_join(struct rp_slot *slot, const rp_image *image, struct rp_img bgr,
                         struct rp_img alpha)
{
    RP_CHECK(RP_OP_NOW(slot, alpha_join, .bgr = bgr, .alpha = alpha, .dst = pixels_of(image)));
    return rp_slot_sync(slot);
}

static struct rp_img plane(uint8_t *data, int w, int h)
{
    return (struct rp_img){.data = data, .stride = w, .w = w, .h = h, .ch = 1};
}

/* The picture's alpha in the size of another picture. */
static int scale_alpha(struct rp_slot *slot, const rp_image *image, const rp_image *to)
{
    int ret;
    uint8_t *block = NULL;
    const size_t n = (size_t) image->w * (size_t) image->h, m = (size_t) to->w * (size_t) to->h;
    struct rp_device *const device = slot->device;

    RP_TRY(device->fns->alloc(device, n + m, (void **) &block));
    const struct rp_img from = plane(block, image->w, image->h);
    const struct rp_img scaled = plane(block + n, to->w, to->h);
    RP_TRY(rp_device_image_split(slot, image, (struct rp_img){0}, from));
    RP_TRY(RP_OP_NOW(slot, resize, .src = from, .dst = scaled));
    RP_TRY(rp_device_image_join(slot, to, (struct rp_img){0}, scaled));
    ret = 0;

fail:
    if (block)
        device->fns->free(device, block);
    return ret;
}

int rp_device_image_replace(struct rp_slot *slot, rp_image *image, struct rp_img bgr,
                            struct rp_img alpha)
{
    int ret;
    rp_image to;
    struct rp_device *const device = slot->device;

    RP_TRY(rp_device_image_alloc(device, image->format, bgr.w, bgr.h, &to));
    if (image->format == RP_PIXEL_BGRA && !alpha.data)
        RP_TRY(scale_alpha(slot, image, &to));
    RP_TRY(rp_device_image_join(slot, &to, bgr, alpha));
    rp_device_image_free(device, image);
    *image = to;
    return 0;

fail:
    rp_device_image_free(device, &to);
    return ret;
}
