/* JPEG by libjpeg-turbo: its defaults (accurate DCT, smooth chroma upsampling) are what OpenCV's
 * imread uses, so the pixels are the same.
 *
 * Quality is libjpeg's own scale: 0..100 as given. (FaceFusion maps its setting to the quantiser
 * scale of FFmpeg's encoder, 31 - 0.31 q, which is coarser.) Chroma is halved in both directions
 * below 90, and kept from 90 on.
 */
#include "media/av.h"

#include <turbojpeg.h>

#include "media/icc.h"
#include "media/meta.h"

static bool is_jpeg(const uint8_t *data, size_t size)
{
    return size >= 3 && data[0] == 0xff && data[1] == 0xd8 && data[2] == 0xff;
}

/* Adobe writes CMYK inverted (255 = no ink); like OpenCV, treat all CMYK as Adobe's. */
static void cmyk_to_bgr(uint8_t *bgr, const uint8_t *cmyk, size_t n)
{
    for (size_t i = 0; i < n; i++, bgr += 3, cmyk += 4) {
        const int k = cmyk[3];
        for (int c = 0; c < 3; c++)
            bgr[c] = (uint8_t) (k - ((255 - cmyk[2 - c]) * k >> 8));
    }
}

/* For data that ended early. Some cameras leave out only the end marker: if the picture can be
 * decoded with a marker added, it is complete, else it is cut. */
static bool is_cut(tjhandle tj, const uint8_t *data, size_t size, uint8_t *to, int w, int h,
                   int format)
{
    bool cut = true;

    if (strncmp(tjGetErrorStr2(tj), "Premature end", strlen("Premature end")) != 0)
        return false;
    uint8_t *const ended = malloc(size + 2);
    if (ended) {
        memcpy(ended, data, size);
        memcpy(ended + size, (const uint8_t[]){0xff, 0xd9}, 2);
        cut = tjDecompress2(tj, ended, size + 2, to, w, w * tjPixelSize[format], h, format,
                            TJFLAG_LIMITSCANS) != 0;
        free(ended);
    }
    return cut;
}

static int decompress(tjhandle tj, const uint8_t *data, size_t size, uint8_t *to, int w, int h,
                      int format, const char *name)
{
    const int pitch = w * tjPixelSize[format];
    char why[200];

    if (tjDecompress2(tj, data, size, to, w, pitch, h, format, TJFLAG_LIMITSCANS) == 0)
        return 0;
    if (tjGetErrorCode(tj) != TJERR_WARNING)
        return RP_LIB_FAIL(name, RP_ERR_FORMAT, "%s: broken JPEG: %s", name, tjGetErrorStr2(tj));
    snprintf(why, sizeof(why), "%s", tjGetErrorStr2(tj));
    if (is_cut(tj, data, size, to, w, h, format))
        return rp_image_damaged(name, "the JPEG is cut short");
    /* without the end marker, or with bytes too many, all pixels may be right */
    if (strncmp(why, "Premature end of JPEG file", 26) != 0 && !strstr(why, "extraneous bytes"))
        return rp_image_damaged(name, why);
    rp_log(RP_LOG_WARN, "%s: damaged JPEG (%s); what can be decoded is used", name, why);
    return 0;
}

/* Inks become colours by their profile, or else by the plain product. */
static void inks_to_bgr(rp_image *out, const uint8_t *cmyk, const uint8_t *profile, size_t size,
                        const char *name)
{
    const struct rp_icc_from from = {.channels = 4, .bits = 8, .inverted = true};
    struct rp_icc *icc = rp_icc_open(profile, size, &from, RP_PIXEL_BGR, name);
    const size_t w = (size_t) out->w;

    for (int y = 0; y < out->h; y++) {
        const uint8_t *const row = cmyk + 4 * w * (size_t) y;
        if (icc)
            rp_icc_run(icc, row, out->data + y * out->stride, w);
        else
            cmyk_to_bgr(out->data + y * out->stride, row, w);
    }
    rp_icc_close(&icc);
}

static int decode_cmyk(tjhandle tj, const uint8_t *data, size_t size, rp_image *out,
                       const uint8_t *profile, size_t profile_size, const char *name)
{
    const size_t n = (size_t) out->w * (size_t) out->h;
    uint8_t *const cmyk = calloc(n, 4);
    int ret;

    if (!cmyk)
        return RP_NOMEM(name);
    ret = decompress(tj, data, size, cmyk, out->w, out->h, TJPF_CMYK, name);
    if (ret >= 0)
        inks_to_bgr(out, cmyk, profile, profile_size, name);
    free(cmyk);
    return ret;
}

static int orientation(const uint8_t *data, size_t size)
{
    size_t n = 0;
    const uint8_t *const exif = rp_jpeg_segment(data, size, RP_JPEG_EXIF, sizeof(RP_JPEG_EXIF), &n);

    return exif ? rp_exif_orientation(exif, n) : 1;
}

static int decode(rp_image *out, const uint8_t *data, size_t size, const char *name)
{
    tjhandle tj = tjInitDecompress();
    int w = 0, h = 0, subsampling, space = 0, ret;
    uint8_t *profile = NULL;
    size_t profile_size = 0;
    bool broken = false;

    if (!tj)
        return RP_NOMEM(name);
    /* It also warns about rare chroma samplings that it decodes well. */
    if (tjDecompressHeader3(tj, data, size, &w, &h, &subsampling, &space) != 0 &&
        (w < 1 || h < 1)) {
        ret = RP_LIB_FAIL(name, RP_ERR_FORMAT, "%s: broken JPEG: %s", name, tjGetErrorStr2(tj));
        goto fail;
    }
    RP_TRY(rp_image_alloc(out, w, h, RP_PIXEL_BGR, name));
    profile = rp_jpeg_icc(data, size, &profile_size, &broken);
    if (broken)
        rp_icc_warn(name, "is broken");
    if (space == TJCS_CMYK || space == TJCS_YCCK)
        ret = decode_cmyk(tj, data, size, out, profile, profile_size, name);
    else
        ret = decompress(tj, data, size, out->data, w, h, TJPF_BGR, name);
    if (ret >= 0 && space != TJCS_CMYK && space != TJCS_YCCK)
        rp_icc_convert(out, space == TJCS_GRAY, profile, profile_size, name);
    if (ret >= 0)
        ret = rp_image_orient(out, rp_orient_exif(orientation(data, size)));
fail:
    free(profile);
    tjDestroy(tj);
    return ret;
}

/* The packet goes after SOI and, if there is one, the JFIF segment. */
static int insert_xmp(uint8_t **data, size_t *size, const char *xmp, const char *name)
{
    static const char id[] = RP_JPEG_XMP;
    const uint8_t *const from = *data;
    const size_t at =
        from[2] == 0xff && from[3] == 0xe0 ? 4 + ((size_t) from[4] << 8 | from[5]) : 2;
    const size_t n = strlen(xmp), segment = 2 + sizeof(id) + n;
    uint8_t *to;

    if (segment > 65535 || at > *size)
        return 0; /* cannot happen with a mark of ours */
    if (!(to = malloc(*size + 2 + segment)))
        return RP_NOMEM(name);
    memcpy(to, from, at);
    memcpy(to + at, (const uint8_t[]){0xff, 0xe1, segment >> 8 & 255, segment & 255}, 4);
    memcpy(to + at + 4, id, sizeof(id));
    rp_put_bytes(to + at + 4 + sizeof(id), xmp, n);
    memcpy(to + at + 2 + segment, from + at, *size - at);
    free(*data);
    *data = to;
    *size += 2 + segment;
    return 0;
}

static int encode(const rp_image *image, int quality, const char *xmp, uint8_t **data, size_t *size,
                  const char *name)
{
    const int format = image->format == RP_PIXEL_BGRA ? TJPF_BGRX : TJPF_BGR;
    const int sampling = quality < 90 ? TJSAMP_420 : TJSAMP_444;
    tjhandle tj = tjInitCompress();
    unsigned char *buffer = NULL;
    unsigned long n = 0;
    int ret = 0;

    if (!tj)
        return RP_NOMEM(name);
    if (tjCompress2(tj, image->data, image->w, (int) image->stride, image->h, format, &buffer, &n,
                    sampling, RP_MAX(quality, 1), TJFLAG_ACCURATEDCT) != 0) {
        ret = RP_LIB_FAIL(name, RP_ERR_FORMAT, "%s: writing JPEG: %s", name, tjGetErrorStr2(tj));
    } else if (!(*data = malloc(n))) {
        ret = RP_NOMEM(name);
    } else {
        memcpy(*data, buffer, n);
        *size = n;
    }
    tjFree(buffer);
    tjDestroy(tj);
    return ret >= 0 && xmp ? insert_xmp(data, size, xmp, name) : ret;
}

static const uint8_t *find_xmp(const uint8_t *data, size_t size, size_t *length)
{
    return rp_jpeg_segment(data, size, RP_JPEG_XMP, sizeof(RP_JPEG_XMP), length);
}

const struct rp_image_codec rp_image_jpeg = {
    .name = "JPEG",
    .extensions = "jpg,jpeg,jpe,jfif",
    .is = is_jpeg,
    .decode = decode,
    .encode = encode,
    .xmp = find_xmp,
};
