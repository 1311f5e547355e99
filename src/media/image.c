/* Picture files: reading and writing them whole, with the mark. */
#include "media/av.h"

#include <errno.h>

#include "base/api.h"
#include "base/path.h"

/* ---- reading --------------------------------------------------------------------------------- */

int rp_image_decode(rp_image *out, const uint8_t *data, size_t size, const char *name)
{
    const struct rp_image_codec *const codec = rp_image_codec_of(data, size);
    int ret;

    memset(out, 0, sizeof(*out));
    rp_av_begin();
    ret = codec ? codec->decode(out, data, size, name)
                : rp_image_av_decode(out, data, size, AV_CODEC_ID_NONE, name);
    if (ret >= 0 && rp_av_lacks()) /* a library went on without */
        ret = RP_NOMEM(name);
    if (ret < 0)
        rp_image_free(out);
    return ret;
}

static int read_file(rp_image *out, const char *path)
{
    uint8_t *data = NULL;
    size_t size = 0;
    int ret;

    memset(out, 0, sizeof(*out));
    RP_TRY(rp_file_check(path));
    RP_TRY(rp_file_read(path, RP_PICTURE_FILE_MAX, &data, &size));
    ret = rp_image_decode(out, data, size, path);
fail:
    free(data);
    return ret;
}

int rp_image_read_damaged(rp_image *out, const char *path, bool accept, char *note, size_t size)
{
    rp_image_take_damaged(accept, NULL, 0);
    const int ret = read_file(out, path);
    rp_image_take_damaged(false, note, size);
    return ret;
}

int rp_image_read_sized(rp_image *out, size_t size, const char *path)
{
    rp_image own;

    memset(out, 0, size);
    RP_CHECK(rp_api_check_size("rp_image", size, sizeof(own)));
    const int ret = read_file(&own, path);
    rp_api_give(out, size, &own, sizeof(own));
    return ret;
}

/* ---- writing --------------------------------------------------------------------------------- */

static int check_image(const rp_image *image, const char *path)
{
    const int bytes = image->format == RP_PIXEL_BGRA ? 4 : 3;

    if (!image->data || image->on_device || image->stride < (ptrdiff_t) image->w * bytes)
        return rp_fail(RP_ERR_INVALID, "%s: the picture to write has no pixels", path);
    return rp_size_check(path, image->w, image->h);
}

static int write_all(const char *path, const uint8_t *data, size_t size, const char *name)
{
    FILE *const f = fopen(path, "wbe");

    if (!f)
        return rp_fail(rp_io_status(errno), "%s: creating: %m", name);
    const bool ok = fwrite(data, 1, size, f) == size && fflush(f) == 0;
    const int ret = ok ? 0 : rp_fail(rp_io_status(errno), "%s: writing: %m", name);
    if (fclose(f) != 0 && ok)
        return rp_fail(rp_io_status(errno), "%s: writing: %m", name);
    return ret;
}

bool rp_image_keeps_alpha(const char *path)
{
    return rp_image_codec_for(path) != &rp_image_jpeg;
}

/* *data is malloc()ed. */
static int encode(const rp_image *image, const char *format_of, int quality, const char *xmp,
                  uint8_t **data, size_t *size)
{
    const struct rp_image_codec *const codec = rp_image_codec_for(format_of);

    *data = NULL;
    *size = 0;
    rp_av_begin();
    if (!codec)
        return rp_fail(RP_ERR_USAGE, "%s: pictures are written as jpg, png, webp, bmp or tiff",
                       format_of);
    RP_CHECK(check_image(image, format_of));
    if (image->format == RP_PIXEL_BGRA && codec == &rp_image_jpeg)
        rp_log(RP_LOG_WARN, "%s: JPEG keeps no transparency", format_of);
    const int ret =
        codec->encode(image, RP_CLAMP(quality, 0, 100), xmp, data, size, format_of);
    if (ret >= 0 && !rp_av_lacks())
        return 0;
    free(*data);
    *data = NULL;
    return ret < 0 ? ret : RP_NOMEM(format_of);
}

static int write_with(const rp_image *image, const char *path, const char *format_of, int quality,
                      const char *xmp)
{
    uint8_t *data;
    size_t size;

    RP_CHECK(encode(image, format_of, quality, xmp, &data, &size));
    const int ret = write_all(path, data, size, format_of);
    free(data);
    return ret;
}

int rp_image_encode_sized(const rp_image *image, size_t size, const char *name, int quality,
                          uint8_t **data, size_t *bytes)
{
    rp_image own;

    RP_CHECK(rp_api_check_size("rp_image", size, sizeof(own)));
    rp_api_take(&own, sizeof(own), image, size);
    return encode(&own, name, quality, own.mark, data, bytes);
}

int rp_image_write_marked(const rp_image *image, const char *path, const char *format_of,
                          int quality, const struct rp_mark *mark)
{
    char *const xmp = rp_mark_xmp(mark);
    const int ret = xmp ? write_with(image, path, format_of, quality, xmp) : RP_NOMEM(format_of);

    free(xmp);
    return ret;
}

int rp_image_write_sized(const rp_image *image, size_t size, const char *path, int quality)
{
    struct rp_partial partial;
    rp_image own;
    int ret;

    RP_CHECK(rp_api_check_size("rp_image", size, sizeof(own)));
    rp_api_take(&own, sizeof(own), image, size);
    if (!rp_image_codec_for(path))
        return rp_fail(RP_ERR_USAGE, "%s: pictures are written as jpg, png, webp, bmp or tiff",
                       path);
    if (own.on_device)
        return rp_fail(RP_ERR_INVALID, "%s: the picture's pixels are on a device; bring them to "
                       "the host with rp_image_to_host()", path);
    if ((ret = rp_partial_begin(&partial, path)) < 0)
        return ret;
    ret = write_with(&own, partial.temp, path, quality, own.mark);
    if (ret >= 0)
        ret = rp_partial_commit(&partial);
    rp_partial_abort(&partial);
    return ret;
}
