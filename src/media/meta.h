/* Small parsers of picture metadata over bytes in memory; they know nothing of libav*. */
#ifndef RP_MEDIA_META_H
#define RP_MEDIA_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Orientation 1..8 of an EXIF block or a TIFF file (it begins with "II*\0" or "MM\0*"); 1 if none
 * is given. */
int rp_exif_orientation(const uint8_t *data, size_t size);

/* Does a PNG hold more pictures than the one that every program shows? */
bool rp_png_is_animated(const uint8_t *data, size_t size);

/* "HEIC", "HEIF" or "AVIF" if these first bytes are those of such a picture, else NULL. FFmpeg
 * reads AVIF as a video of one frame, and HEIC not at all. */
const char *rp_heif_kind(const uint8_t *head, size_t size);

/* Is it a sequence of pictures, by its brand? */
bool rp_heif_is_animated(const uint8_t *head, size_t size);

/* Of a whole PNG (eXIf) or WebP file. */
int rp_png_orientation(const uint8_t *data, size_t size);
int rp_webp_orientation(const uint8_t *data, size_t size);

/* Content of the first APP1 segment that begins with `id`; NULL if there is none. */
const uint8_t *rp_jpeg_segment(const uint8_t *data, size_t size, const char *id, size_t id_size,
                               size_t *length);
#define RP_JPEG_EXIF "Exif\0"                      /* and the zero byte that C adds */
#define RP_JPEG_XMP "http://ns.adobe.com/xap/1.0/" /* likewise */

/* The colour profile of a file, malloc()ed; NULL if there is none. *broken is set where there are
 * pieces of one that do not make a whole. PNG's is compressed, so its reader takes it out. */
uint8_t *rp_jpeg_icc(const uint8_t *data, size_t size, size_t *length, bool *broken);

/* The same as it lies in the file. */
const uint8_t *rp_webp_icc(const uint8_t *data, size_t size, size_t *length);
const uint8_t *rp_bmp_icc(const uint8_t *data, size_t size, size_t *length);

/* Is there a chunk for a colour profile? */
bool rp_png_has_icc(const uint8_t *data, size_t size);

/* The XMP packet of a file; NULL if there is none. */
const uint8_t *rp_tiff_xmp(const uint8_t *data, size_t size, size_t *length);
const uint8_t *rp_png_xmp(const uint8_t *data, size_t size, size_t *length);
const uint8_t *rp_webp_xmp(const uint8_t *data, size_t size, size_t *length);

/* An XMP packet anywhere in these bytes. */
const uint8_t *rp_xmp_scan(const uint8_t *data, size_t size, size_t *length);

#endif /* RP_MEDIA_META_H */
