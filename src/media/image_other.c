/* BMP, TIFF and GIF. FFmpeg's decoders read them, and libtiff TIFF (image_tiff.c); writing, with
 * the XMP packet, is simple enough to do here: BMP bottom-up with 24 or 32 bits a pixel, TIFF with
 * deflated strips. */
#include "media/av.h"

#include <zlib.h>

#include "media/icc.h"
#include "media/meta.h"

/* ---- BMP ------------------------------------------------------------------------------------- */

#define BMP_HEAD 14
#define BMP_INFO 40     /* BITMAPINFOHEADER */
#define BMP_INFO_V4 108 /* BITMAPV4HEADER: says where alpha is */

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t) v;
    p[1] = (uint8_t) (v >> 8);
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v);
    put16(p + 2, v >> 16);
}

static bool is_bmp(const uint8_t *data, size_t size)
{
    return size >= 26 && data[0] == 'B' && data[1] == 'M' && data[6] == 0 && data[7] == 0;
}

static int decode_bmp(rp_image *out, const uint8_t *data, size_t size, const char *name)
{
    size_t n = 0;
    const int ret = rp_image_av_decode(out, data, size, AV_CODEC_ID_BMP, name);
    const uint8_t *const profile = rp_bmp_icc(data, size, &n);

    if (ret >= 0)
        rp_icc_convert(out, false, profile, profile ? n : 0, name);
    return ret;
}

static void bmp_head(uint8_t *p, const rp_image *image, size_t pixels, size_t at, bool alpha)
{
    uint8_t *const info = p + BMP_HEAD;

    rp_put_bytes(p, "BM", 2);
    put32(p + 2, (uint32_t) (at + pixels));
    put32(p + 10, (uint32_t) at);
    put32(info, alpha ? BMP_INFO_V4 : BMP_INFO);
    put32(info + 4, (uint32_t) image->w);
    put32(info + 8, (uint32_t) image->h);
    put16(info + 12, 1);
    put16(info + 14, alpha ? 32 : 24);
    put32(info + 20, (uint32_t) pixels);
    put32(info + 24, 2835); /* 72 dpi */
    put32(info + 28, 2835);
    if (alpha) {
        put32(info + 16, 3); /* bit fields */
        put32(info + 40, 0x00ff0000);
        put32(info + 44, 0x0000ff00);
        put32(info + 48, 0x000000ff);
        put32(info + 52, 0xff000000);
        rp_put_bytes(info + 56, "BGRs", 4); /* sRGB */
    }
}

/* The packet lies after the pixels, outside the header's file size, so readers skip it. */
static int encode_bmp(const rp_image *image, int quality, const char *xmp, uint8_t **data,
                      size_t *size, const char *name)
{
    const bool alpha = image->format == RP_PIXEL_BGRA;
    const size_t row = (size_t) image->w * (alpha ? 4 : 3), stride = (row + 3) & ~(size_t) 3;
    const size_t at = BMP_HEAD + (alpha ? BMP_INFO_V4 : BMP_INFO), pixels = stride * image->h;
    const size_t tail = xmp ? strlen(xmp) : 0;
    uint8_t *const p = *data = calloc(1, at + pixels + tail);

    (void) quality;
    if (!p)
        return RP_NOMEM(name);
    bmp_head(p, image, pixels, at, alpha);
    for (int y = 0; y < image->h; y++)
        memcpy(p + at + stride * (size_t) (image->h - 1 - y), image->data + y * image->stride, row);
    if (xmp)
        rp_put_bytes(p + at + pixels, xmp, tail);
    *size = at + pixels + tail;
    return 0;
}

const struct rp_image_codec rp_image_bmp = {
    .name = "BMP",
    .extensions = "bmp",
    .is = is_bmp,
    .decode = decode_bmp,
    .encode = encode_bmp,
    .xmp = rp_xmp_scan,
};

/* ---- TIFF ------------------------------------------------------------------------------------ */

#define STRIP_BYTES 65536

static bool is_tiff(const uint8_t *data, size_t size)
{
    static const char heads[4][5] = {"II*\0", "MM\0*", "II+\0", "MM\0+"}; /* +: BigTIFF */

    for (int i = 0; i < 4; i++)
        if (size >= 8 && !memcmp(data, heads[i], 4))
            return true;
    return false;
}

static const uint8_t *find_xmp(const uint8_t *data, size_t size, size_t *length)
{
    const bool big = data[2] == '+' || data[3] == '+';

    return big ? rp_xmp_scan(data, size, length) : rp_tiff_xmp(data, size, length);
}

/* A file that grows in memory. */
struct tiff_out {
    uint8_t *data;
    size_t size, room;
    uint32_t tags; /* in the directory */
    size_t dir;    /* where it lies */
    bool failed;
};

static uint8_t *grow(struct tiff_out *t, size_t n)
{
    if (t->size + n > t->room && !t->failed) {
        const size_t room = (t->size + n) * 3 / 2;
        uint8_t *const p = realloc(t->data, room);
        t->failed = !p;
        if (p) {
            t->data = p;
            t->room = room;
        }
    }
    if (t->failed)
        return NULL;
    t->size += n;
    memset(t->data + t->size - n, 0, n);
    return t->data + t->size - n;
}

static void put_tag(struct tiff_out *t, uint32_t tag, uint32_t type, uint32_t count, uint32_t value)
{
    uint8_t *const p = grow(t, 12);

    if (!p)
        return;
    put16(p, tag);
    put16(p + 2, type);
    put32(p + 4, count);
    put32(p + 8, value);
    t->tags++;
}

/* Differences along the row (predictor 2), in R G B (A) order. */
static void difference_row(uint8_t *to, const uint8_t *bgr, int w, int bytes)
{
    uint8_t last[4] = {0};

    for (int x = 0; x < w; x++, bgr += bytes, to += bytes) {
        const uint8_t rgb[4] = {bgr[2], bgr[1], bgr[0], bytes == 4 ? bgr[3] : 0};
        for (int c = 0; c < bytes; c++) {
            to[c] = (uint8_t) (rgb[c] - last[c]);
            last[c] = rgb[c];
        }
    }
}

static void put_strip(struct tiff_out *t, const rp_image *image, int y, int rows, uint8_t *raw)
{
    const int bytes = image->format == RP_PIXEL_BGRA ? 4 : 3;
    const size_t row = (size_t) image->w * (size_t) bytes;
    uLongf n = compressBound(row * (size_t) rows);
    const size_t start = t->size;
    uint8_t *const to = grow(t, n);

    if (!to)
        return;
    for (int i = 0; i < rows; i++)
        difference_row(raw + row * (size_t) i, image->data + (y + i) * image->stride, image->w,
                       bytes);
    t->failed = compress2(to, &n, raw, row * (size_t) rows, 5) != Z_OK;
    t->size = start + n;
}

/* Strips first; returns where their offsets and lengths are listed. */
static int put_strips(struct tiff_out *t, const rp_image *image, int rows, int count, size_t *list)
{
    const size_t row = (size_t) image->w * (image->format == RP_PIXEL_BGRA ? 4 : 3);
    uint32_t *const where = calloc((size_t) count, 2 * sizeof(*where));
    uint8_t *const raw = malloc(row * (size_t) rows);

    t->failed = t->failed || !where || !raw;
    for (int i = 0; i < count && !t->failed; i++) {
        const size_t start = t->size;
        put_strip(t, image, i * rows, RP_MIN(rows, image->h - i * rows), raw);
        where[2 * i] = (uint32_t) start;
        where[2 * i + 1] = (uint32_t) (t->size - start);
    }
    grow(t, t->size & 1);
    *list = t->size;
    uint8_t *const p = grow(t, 8 * (size_t) count);
    for (int i = 0; p && i < count; i++) {
        put32(p + 4 * i, where[2 * i]);
        put32(p + 4 * (count + i), where[2 * i + 1]);
    }
    free(where);
    free(raw);
    return t->failed ? RP_ERR_NOMEM : 0;
}

static uint32_t list_value(const struct tiff_out *t, size_t at, uint32_t count)
{
    if (count > 1)
        return (uint32_t) at;
    const uint8_t *const p = t->data + at; /* a single number is stored in the tag itself */
    return p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24;
}

static void put_directory(struct tiff_out *t, const rp_image *image, int rows, uint32_t count,
                          size_t list, size_t xmp, size_t xmp_size)
{
    const bool alpha = image->format == RP_PIXEL_BGRA;
    const uint32_t samples = alpha ? 4 : 3;
    const size_t bits = t->size;
    uint8_t *const p = grow(t, 8);

    for (uint32_t i = 0; p && i < samples; i++)
        put16(p + 2 * i, 8);
    t->dir = t->size;
    grow(t, 2);
    put_tag(t, 256, 4, 1, (uint32_t) image->w);
    put_tag(t, 257, 4, 1, (uint32_t) image->h);
    put_tag(t, 258, 3, samples, (uint32_t) bits);
    put_tag(t, 259, 3, 1, 8); /* deflate */
    put_tag(t, 262, 3, 1, 2); /* RGB */
    put_tag(t, 273, 4, count, list_value(t, list, count));
    put_tag(t, 274, 3, 1, 1); /* upright */
    put_tag(t, 277, 3, 1, samples);
    put_tag(t, 278, 4, 1, (uint32_t) rows);
    put_tag(t, 279, 4, count, list_value(t, list + 4 * (size_t) count, count));
    put_tag(t, 284, 3, 1, 1); /* pixels together */
    put_tag(t, 317, 3, 1, 2); /* differences */
    if (alpha)
        put_tag(t, 338, 3, 1, 2); /* not premultiplied */
    if (xmp_size)
        put_tag(t, 700, 1, (uint32_t) xmp_size, (uint32_t) xmp);
    grow(t, 4);
}

static int encode_tiff(const rp_image *image, int quality, const char *xmp, uint8_t **data,
                       size_t *size, const char *name)
{
    const size_t row = (size_t) image->w * (image->format == RP_PIXEL_BGRA ? 4 : 3);
    const int rows = RP_CLAMP((int) (STRIP_BYTES / row), 1, image->h);
    const int count = (image->h + rows - 1) / rows;
    struct tiff_out t = {0};
    size_t list = 0, packet = 0, packet_size = xmp ? strlen(xmp) : 0;

    (void) quality;
    uint8_t *p = grow(&t, 8);
    if (p)
        rp_put_bytes(p, "II*\0", 4);
    if (put_strips(&t, image, rows, count, &list) >= 0) {
        packet = t.size;
        if ((p = grow(&t, (packet_size + 1) & ~(size_t) 1)) && xmp)
            rp_put_bytes(p, xmp, packet_size);
        if (p)
            put_directory(&t, image, rows, (uint32_t) count, list, packet, packet_size);
    }
    if (t.failed) {
        free(t.data);
        return RP_NOMEM(name);
    }
    put32(t.data + 4, (uint32_t) t.dir);
    put16(t.data + t.dir, t.tags);
    *data = t.data;
    *size = t.size;
    return 0;
}

const struct rp_image_codec rp_image_tiff = {
    .name = "TIFF",
    .extensions = "tif,tiff",
    .is = is_tiff,
    .decode = rp_tiff_decode,
    .encode = encode_tiff,
    .xmp = find_xmp,
};

/* ---- GIF: read only -------------------------------------------------------------------------- */

static bool is_gif(const uint8_t *data, size_t size)
{
    return size >= 13 && (!memcmp(data, "GIF87a", 6) || !memcmp(data, "GIF89a", 6));
}

static int decode_gif(rp_image *out, const uint8_t *data, size_t size, const char *name)
{
    return rp_image_av_decode(out, data, size, AV_CODEC_ID_NONE, name);
}

const struct rp_image_codec rp_image_gif = {
    .name = "GIF",
    .extensions = "gif",
    .is = is_gif,
    .decode = decode_gif,
    .xmp = rp_xmp_scan,
};
