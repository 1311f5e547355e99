/* Any bytes as a picture: the parsers of EXIF and XMP, and the decoders.
 *
 *     fuzz_image -max_len=20000 -rss_limit_mb=4000 CORPUS
 */
#include "media/av.h"
#include "media/meta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void find_packets(const uint8_t *data, size_t size)
{
    const uint8_t *(*const finders[])(const uint8_t *, size_t, size_t *) = {
        rp_tiff_xmp,
        rp_png_xmp,
        rp_webp_xmp,
        rp_xmp_scan,
    };
    size_t length = 0;
    rp_mark mark;

    for (size_t i = 0; i < RP_ARRAY_LEN(finders); i++) {
        const uint8_t *const xmp = finders[i](data, size, &length);
        if (xmp)
            rp_mark_parse(&mark, xmp, length);
    }
    const uint8_t *const exif =
        rp_jpeg_segment(data, size, RP_JPEG_EXIF, sizeof(RP_JPEG_EXIF), &length);
    if (exif)
        rp_exif_orientation(exif, length);
    rp_exif_orientation(data, size);
    rp_mark_parse(&mark, data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rp_image image;

    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    find_packets(data, size);
    if (size > 0 && rp_image_decode(&image, data, size, "fuzz") >= 0)
        rp_image_free(&image);
    return 0;
}
