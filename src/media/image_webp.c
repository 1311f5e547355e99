/* WebP by libwebp. Only the first picture of an animation is read. The quality is libwebp's own. */
#include "media/av.h"

#include <webp/decode.h>
#include <webp/encode.h>
#include <webp/mux.h>

#include "media/icc.h"
#include "media/meta.h"

static bool is_webp(const uint8_t *data, size_t size)
{
    return size >= 16 && !memcmp(data, "RIFF", 4) && !memcmp(data + 8, "WEBPVP8", 7);
}

static int broken(const char *name)
{
    return RP_LIB_FAIL(name, RP_ERR_FORMAT, "%s: broken WebP", name);
}

static int decode_still(rp_image *out, const uint8_t *data, size_t size, const char *name)
{
    WebPBitstreamFeatures f;

    if (WebPGetFeatures(data, size, &f) != VP8_STATUS_OK)
        return broken(name);
    RP_CHECK(
          rp_image_alloc(out, f.width, f.height, f.has_alpha ? RP_PIXEL_BGRA : RP_PIXEL_BGR, name));
    const size_t bytes = (size_t) out->stride * (size_t) out->h;
    const uint8_t *const done =
        f.has_alpha ? WebPDecodeBGRAInto(data, size, out->data, bytes, (int) out->stride)
                    : WebPDecodeBGRInto(data, size, out->data, bytes, (int) out->stride);
    return done ? 0 : broken(name);
}

static int decode_first(rp_image *out, const uint8_t *data, size_t size, const char *name)
{
    const WebPData all = {data, size};
    WebPMux *const mux = WebPMuxCreate(&all, 0);
    WebPMuxFrameInfo frame = {0};
    int ret;

    if (mux && WebPMuxGetFrame(mux, 1, &frame) == WEBP_MUX_OK)
        ret = decode_still(out, frame.bitstream.bytes, frame.bitstream.size, name);
    else
        ret = broken(name);
    WebPDataClear(&frame.bitstream);
    WebPMuxDelete(mux);
    return ret;
}

static int decode(rp_image *out, const uint8_t *data, size_t size, const char *name)
{
    WebPBitstreamFeatures f;
    size_t length = 0;

    if (WebPGetFeatures(data, size, &f) != VP8_STATUS_OK)
        return broken(name);
    if (f.has_animation)
        rp_image_is_animated(name);
    const int ret =
        f.has_animation ? decode_first(out, data, size, name) : decode_still(out, data, size, name);
    if (ret < 0)
        return ret;
    const uint8_t *const profile = rp_webp_icc(data, size, &length);
    rp_icc_convert(out, false, profile, profile ? length : 0, name);
    return rp_image_orient(out, rp_orient_exif(rp_webp_orientation(data, size)));
}

/* Copies, because libwebp asks for its memory to be freed by its own function. */
static int take(const uint8_t *from, size_t n, uint8_t **data, size_t *size, const char *name)
{
    if (!(*data = malloc(n)))
        return RP_NOMEM(name);
    memcpy(*data, from, n);
    *size = n;
    return 0;
}

static int add_xmp(const uint8_t *picture, size_t n, const char *xmp, uint8_t **data, size_t *size,
                   const char *name)
{
    const WebPData image = {picture, n}, packet = {(const uint8_t *) xmp, strlen(xmp)};
    WebPData all = {NULL, 0};
    WebPMux *const mux = WebPMuxNew();
    int ret;

    if (mux && WebPMuxSetImage(mux, &image, 0) == WEBP_MUX_OK &&
        WebPMuxSetChunk(mux, "XMP ", &packet, 0) == WEBP_MUX_OK &&
        WebPMuxAssemble(mux, &all) == WEBP_MUX_OK)
        ret = take(all.bytes, all.size, data, size, name);
    else
        ret = RP_LIB_FAIL(name, RP_ERR_NOMEM, "%s: writing WebP failed", name);
    WebPDataClear(&all);
    WebPMuxDelete(mux);
    return ret;
}

static int encode(const rp_image *image, int quality, const char *xmp, uint8_t **data, size_t *size,
                  const char *name)
{
    const bool alpha = image->format == RP_PIXEL_BGRA;
    uint8_t *buffer = NULL;
    int ret;

    if (image->w > WEBP_MAX_DIMENSION || image->h > WEBP_MAX_DIMENSION)
        return rp_fail(RP_ERR_LIMIT, "%s: WebP holds at most %d pixels a side, not %dx%d", name,
                       WEBP_MAX_DIMENSION, image->w, image->h);
    const size_t n = (alpha ? WebPEncodeBGRA : WebPEncodeBGR)(
        image->data, image->w, image->h, (int) image->stride, (float) quality, &buffer);
    if (n == 0)
        ret = RP_LIB_FAIL(name, RP_ERR_NOMEM, "%s: writing WebP failed", name);
    else
        ret = xmp ? add_xmp(buffer, n, xmp, data, size, name) : take(buffer, n, data, size, name);
    WebPFree(buffer);
    return ret;
}

const struct rp_image_codec rp_image_webp = {
    .name = "WebP",
    .extensions = "webp",
    .is = is_webp,
    .decode = decode,
    .encode = encode,
    .xmp = rp_webp_xmp,
};
