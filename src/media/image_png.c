/* PNG by libspng. 16 bits become 8 by dropping the low byte, palettes and greys become colours,
 * the chunks gAMA and cHRM are ignored: all as in OpenCV's imread. A colour profile is not. */
#include "media/av.h"

#include <spng.h>

#include "media/icc.h"
#include "media/meta.h"

#define CHUNK_MAX (64u << 20) /* bytes of one ancillary chunk, and of all that are kept */
#define LEVEL 4               /* zlib: twice as fast as the default 6, a few per cent larger */

static bool is_png(const uint8_t *data, size_t size)
{
    return size >= 8 && !memcmp(data, "\x89PNG\r\n\x1a\n", 8);
}

static void swap_red_blue(uint8_t *p, size_t pixels, int bytes)
{
    for (size_t i = 0; i < pixels; i++, p += bytes) {
        const uint8_t red = p[0];
        p[0] = p[2];
        p[2] = red;
    }
}

/* libspng takes a chunk for which there is no memory as a broken one, and zlib's lack of it as a
 * broken stream. So its calls are watched; a picture is read and written by one thread. */
static _Thread_local bool memory_is_out;

static void *watched(void *p)
{
    memory_is_out |= !p;
    return p;
}

static void *png_malloc(size_t size)
{
    return watched(malloc(size));
}

static void *png_realloc(void *p, size_t size)
{
    return watched(realloc(p, size));
}

static void *png_calloc(size_t n, size_t size)
{
    return watched(calloc(n, size));
}

static spng_ctx *png_open(int flags)
{
    struct spng_alloc alloc = {png_malloc, png_realloc, png_calloc, free};

    memory_is_out = false;
    return spng_ctx_new2(&alloc, flags);
}

static int png_fail(int err, const char *name)
{
    if (err == SPNG_EMEM || memory_is_out)
        return RP_NOMEM(name);
    return RP_LIB_FAIL(name, RP_ERR_FORMAT, "%s: broken PNG: %s", name, spng_strerror(err));
}

/* The profile belongs to the decoder. */
static struct rp_icc *open_profile(spng_ctx *png, const struct spng_ihdr *head, bool alpha,
                                   const uint8_t *data, size_t size, const char *name)
{
    const bool deep = head->bit_depth == 16;
    const struct rp_icc_from from = {
        .channels = 3,
        .extra = alpha || deep,
        .bits = deep ? 16 : 8,
        .bgr = !deep,
        .grey = !(head->color_type & 2),
    };
    struct spng_iccp iccp;

    if (spng_get_iccp(png, &iccp) == 0)
        return rp_icc_open((const uint8_t *) iccp.profile, iccp.profile_len, &from,
                           alpha ? RP_PIXEL_BGRA : RP_PIXEL_BGR, name);
    if (rp_png_has_icc(data, size))
        rp_icc_warn(name, "is broken");
    return NULL;
}

static int decode_bytes(spng_ctx *png, rp_image *out, const struct rp_icc *icc, const char *name)
{
    const bool alpha = out->format == RP_PIXEL_BGRA;
    const int fmt = alpha ? SPNG_FMT_RGBA8 : SPNG_FMT_RGB8;
    const size_t pixels = (size_t) out->w * (size_t) out->h;
    size_t bytes = 0;
    int err;

    if ((err = spng_decoded_image_size(png, fmt, &bytes)))
        return png_fail(err, name);
    if (bytes != (size_t) out->stride * (size_t) out->h)
        return png_fail(SPNG_EINTERNAL, name);
    if ((err = spng_decode_image(png, out->data, bytes, fmt, alpha ? SPNG_DECODE_TRNS : 0)))
        return png_fail(err, name);
    swap_red_blue(out->data, pixels, alpha ? 4 : 3);
    for (int y = 0; icc && y < out->h; y++) {
        uint8_t *const row = out->data + y * out->stride;
        rp_icc_run(icc, row, row, (size_t) out->w);
    }
    return 0;
}

/* 16 bits and a profile: the low bytes count, since profiles may be linear. */
static int decode_deep(spng_ctx *png, rp_image *out, const struct rp_icc *icc, const char *name)
{
    const bool alpha = out->format == RP_PIXEL_BGRA;
    const size_t pixels = (size_t) out->w * (size_t) out->h;
    uint16_t *rgba = NULL;
    size_t bytes = 0;
    int err, ret = 0;

    if ((err = spng_decoded_image_size(png, SPNG_FMT_RGBA16, &bytes)))
        return png_fail(err, name);
    if (bytes != 8 * pixels)
        return png_fail(SPNG_EINTERNAL, name);
    if (!(rgba = malloc(bytes)))
        return RP_NOMEM(name);
    if ((err = spng_decode_image(png, rgba, bytes, SPNG_FMT_RGBA16, SPNG_DECODE_TRNS)))
        ret = png_fail(err, name);
    else
        rp_icc_run(icc, rgba, out->data, pixels);
    for (size_t i = 0; alpha && ret >= 0 && i < pixels; i++)
        out->data[4 * i + 3] = (uint8_t) (rgba[4 * i + 3] >> 8);
    free(rgba);
    return ret;
}

static int decode_with(spng_ctx *png, rp_image *out, const uint8_t *data, size_t size,
                       const char *name)
{
    struct spng_ihdr head;
    struct spng_trns trns;
    struct rp_icc *icc = NULL;
    int err, ret;

    spng_set_crc_action(png, SPNG_CRC_ERROR, SPNG_CRC_DISCARD);
    spng_set_chunk_limits(png, CHUNK_MAX, CHUNK_MAX);
    if ((err = spng_set_png_buffer(png, data, size)) || (err = spng_get_ihdr(png, &head)))
        return png_fail(err, name);
    RP_TRY(rp_size_check(name, head.width, head.height));
    const bool alpha = (head.color_type & 4) || spng_get_trns(png, &trns) == 0;
    RP_TRY(
        rp_image_alloc(out, head.width, head.height, alpha ? RP_PIXEL_BGRA : RP_PIXEL_BGR, name));
    icc = open_profile(png, &head, alpha, data, size, name);
    ret = (icc && head.bit_depth == 16 ? decode_deep : decode_bytes)(png, out, icc, name);
    rp_icc_close(&icc);
fail:
    return ret;
}

static int decode(rp_image *out, const uint8_t *data, size_t size, const char *name)
{
    spng_ctx *const png = png_open(0);

    if (!png)
        return RP_NOMEM(name);
    if (rp_png_is_animated(data, size))
        rp_image_is_animated(name);
    int ret = decode_with(png, out, data, size, name);
    if (ret >= 0 && memory_is_out) /* a chunk that counts may be missing */
        ret = RP_NOMEM(name);
    spng_ctx_free(png);
    return ret < 0 ? ret : rp_image_orient(out, rp_orient_exif(rp_png_orientation(data, size)));
}

static int encode_rows(spng_ctx *png, const rp_image *image)
{
    const int bytes = image->format == RP_PIXEL_BGRA ? 4 : 3;
    const size_t n = (size_t) image->w * (size_t) bytes;
    uint8_t *const row = malloc(n);
    int err = row ? 0 : SPNG_EMEM;

    for (int y = 0; y < image->h && !err; y++) {
        memcpy(row, image->data + y * image->stride, n);
        swap_red_blue(row, (size_t) image->w, bytes);
        err = spng_encode_row(png, row, n);
    }
    free(row);
    return err == SPNG_EOI ? 0 : err; /* EOI: that was the last row */
}

static int encode_with(spng_ctx *png, const rp_image *image, const char *xmp)
{
    struct spng_ihdr head = {
        .width = (uint32_t) image->w,
        .height = (uint32_t) image->h,
        .bit_depth = 8,
        .color_type = image->format == RP_PIXEL_BGRA ? SPNG_COLOR_TYPE_TRUECOLOR_ALPHA
                                                     : SPNG_COLOR_TYPE_TRUECOLOR,
    };
    char empty[1] = "";
    struct spng_text text = {
        .type = SPNG_ITXT,
        .keyword = "XML:com.adobe.xmp",
        .text = (char *) xmp,
        .length = xmp ? strlen(xmp) : 0,
        .language_tag = empty,
        .translated_keyword = empty,
    };
    int err;

    if ((err = spng_set_option(png, SPNG_ENCODE_TO_BUFFER, 1)) ||
        (err = spng_set_option(png, SPNG_IMG_COMPRESSION_LEVEL, LEVEL)) ||
        (err = spng_set_ihdr(png, &head)) || (xmp && (err = spng_set_text(png, &text, 1))) ||
        (err = spng_encode_image(png, NULL, 0, SPNG_FMT_PNG,
                                 SPNG_ENCODE_PROGRESSIVE | SPNG_ENCODE_FINALIZE)))
        return err;
    return encode_rows(png, image);
}

static int encode(const rp_image *image, int quality, const char *xmp, uint8_t **data, size_t *size,
                  const char *name)
{
    spng_ctx *const png = png_open(SPNG_CTX_ENCODER);
    int err = png ? encode_with(png, image, xmp) : SPNG_EMEM;

    (void) quality;
    if (!err)
        *data = spng_get_png_buffer(png, size, &err);
    spng_ctx_free(png);
    if (err == SPNG_EMEM || (err && memory_is_out))
        return RP_NOMEM(name);
    return err ? RP_LIB_FAIL(name, RP_ERR_FORMAT, "%s: writing PNG: %s", name, spng_strerror(err))
               : 0;
}

const struct rp_image_codec rp_image_png = {
    .name = "PNG",
    .extensions = "png",
    .is = is_png,
    .decode = decode,
    .encode = encode,
    .xmp = rp_png_xmp,
};
