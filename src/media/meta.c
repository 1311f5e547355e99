/* Small parsers of picture metadata: EXIF and TIFF directories, XMP packets. All offsets come from
 * the file, so each is checked before use. */
#include "media/meta.h"

#include <stdlib.h>
#include <string.h>

struct tiff {
    const uint8_t *data;
    size_t size;
    bool big; /* "MM": high byte first */
};

static uint32_t get16(const struct tiff *t, size_t at)
{
    const uint8_t *const p = t->data + at;

    return t->big ? (uint32_t) (p[0] << 8 | p[1]) : (uint32_t) (p[1] << 8 | p[0]);
}

static uint32_t get32(const struct tiff *t, size_t at)
{
    return t->big ? get16(t, at) << 16 | get16(t, at + 2) : get16(t, at + 2) << 16 | get16(t, at);
}

static bool open_tiff(struct tiff *t, const uint8_t *data, size_t size)
{
    *t = (struct tiff){data, size, false};
    if (size < 8 || (memcmp(data, "II*\0", 4) && memcmp(data, "MM\0*", 4)))
        return false;
    t->big = data[0] == 'M';
    return true;
}

/* Where the 12 bytes of this tag of the first directory lie; 0 if there is none. */
static size_t find_tag(const struct tiff *t, uint32_t tag)
{
    const size_t dir = get32(t, 4);

    if (dir < 8 || dir > t->size - 2)
        return 0;
    const size_t count = get16(t, dir);
    for (size_t i = 0; i < count; i++) {
        const size_t at = dir + 2 + 12 * i;
        if (at > t->size || t->size - at < 12)
            return 0;
        if (get16(t, at) == tag)
            return at;
    }
    return 0;
}

int rp_exif_orientation(const uint8_t *data, size_t size)
{
    struct tiff t;
    size_t at;

    if (!open_tiff(&t, data, size) || !(at = find_tag(&t, 0x112)) || get16(&t, at + 2) != 3)
        return 1;
    const uint32_t v = get16(&t, at + 8);
    return v >= 1 && v <= 8 ? (int) v : 1;
}

const uint8_t *rp_tiff_xmp(const uint8_t *data, size_t size, size_t *length)
{
    struct tiff t;
    size_t at;

    if (!open_tiff(&t, data, size) || !(at = find_tag(&t, 700)))
        return NULL;
    const size_t count = get32(&t, at + 4), offset = get32(&t, at + 8);
    if (count <= 4 || offset > size || count > size - offset)
        return NULL;
    *length = count;
    return data + offset;
}

/* ---- JPEG ------------------------------------------------------------------------------------ */

/* Next marker segment with content, before the picture itself. *at moves past it. */
static const uint8_t *next_segment(const uint8_t *data, size_t size, size_t *at, int *marker,
                                   size_t *length)
{
    while (*at < size && size - *at >= 4) {
        const uint8_t *const p = data + *at;
        if (p[0] != 0xff)
            return NULL;
        if (p[1] == 0xff || p[1] == 0x01 || (p[1] >= 0xd0 && p[1] <= 0xd8)) { /* no content */
            *at += p[1] == 0xff ? 1 : 2;
            continue;
        }
        const size_t n = (size_t) p[2] << 8 | p[3];
        if (p[1] == 0xda || p[1] == 0xd9 || n < 2 || n > size - *at - 2)
            return NULL;
        *marker = p[1];
        *length = n - 2;
        *at += 2 + n;
        return p + 4;
    }
    return NULL;
}

const uint8_t *rp_jpeg_segment(const uint8_t *data, size_t size, const char *id, size_t id_size,
                               size_t *length)
{
    size_t at = 0, n;
    int marker;
    const uint8_t *p;

    while ((p = next_segment(data, size, &at, &marker, &n)))
        if (marker == 0xe1 && n > id_size && !memcmp(p, id, id_size)) {
            *length = n - id_size;
            return p + id_size;
        }
    return NULL;
}

/* A colour profile lies in up to 255 APP2 segments, numbered from 1, in any order. */
#define ICC_ID "ICC_PROFILE" /* and the zero byte that C adds, then number and count */
#define ICC_HEAD (sizeof(ICC_ID) + 2)

struct pieces {
    const uint8_t *data[256];
    size_t size[256], total;
    unsigned count, found;
};

static bool collect_icc(struct pieces *pieces, const uint8_t *data, size_t size)
{
    size_t at = 0, n;
    int marker;
    const uint8_t *p;

    while ((p = next_segment(data, size, &at, &marker, &n))) {
        if (marker != 0xe2 || n < ICC_HEAD || memcmp(p, ICC_ID, sizeof(ICC_ID)))
            continue;
        const unsigned i = p[sizeof(ICC_ID)], count = p[sizeof(ICC_ID) + 1];
        if (i == 0 || i > count || (pieces->count && pieces->count != count) || pieces->data[i])
            return false;
        pieces->count = count;
        pieces->data[i] = p + ICC_HEAD;
        pieces->size[i] = n - ICC_HEAD;
        pieces->total += n - ICC_HEAD;
        pieces->found++;
    }
    return pieces->found == pieces->count;
}

uint8_t *rp_jpeg_icc(const uint8_t *data, size_t size, size_t *length, bool *broken)
{
    struct pieces pieces = {0};
    uint8_t *icc = NULL;

    *length = 0;
    *broken = !collect_icc(&pieces, data, size);
    if (!*broken && pieces.total > 0)
        icc = malloc(pieces.total);
    for (unsigned i = 1; icc && i <= pieces.count; i++) {
        memcpy(icc + *length, pieces.data[i], pieces.size[i]);
        *length += pieces.size[i];
    }
    return icc;
}

/* ---- PNG, WebP, anything --------------------------------------------------------------------- */

/* The first chunk of this name whose content begins with `head`; what follows that. */
static const uint8_t *png_chunk(const uint8_t *data, size_t size, const char *name,
                                const char *head, size_t head_size, size_t *length)
{
    size_t at = 8;

    while (at < size && size - at >= 12) {
        const uint8_t *const p = data + at;
        const size_t n = (size_t) p[0] << 24 | (size_t) p[1] << 16 | (size_t) p[2] << 8 | p[3];
        if (n > size - at - 12)
            return NULL;
        if (!memcmp(p + 4, name, 4) && n > head_size && !memcmp(p + 8, head, head_size)) {
            *length = n - head_size;
            return p + 8 + head_size;
        }
        at += n + 12;
    }
    return NULL;
}

const uint8_t *rp_png_xmp(const uint8_t *data, size_t size, size_t *length)
{
    /* keyword, zero; no compression, method; language and translated keyword, both empty */
    static const char head[] = "XML:com.adobe.xmp\0\0\0\0";

    return png_chunk(data, size, "iTXt", head, sizeof(head), length);
}

static const uint8_t *webp_chunk(const uint8_t *data, size_t size, const char *name, size_t *length)
{
    size_t at = 12;

    while (at < size && size - at >= 8) {
        const uint8_t *const p = data + at;
        const size_t n = (size_t) p[7] << 24 | (size_t) p[6] << 16 | (size_t) p[5] << 8 | p[4];
        if (n > size - at - 8)
            return NULL;
        if (!memcmp(p, name, 4)) {
            *length = n;
            return p + 8;
        }
        at += 8 + n + (n & 1);
    }
    return NULL;
}

const uint8_t *rp_webp_xmp(const uint8_t *data, size_t size, size_t *length)
{
    return webp_chunk(data, size, "XMP ", length);
}

const uint8_t *rp_webp_icc(const uint8_t *data, size_t size, size_t *length)
{
    return webp_chunk(data, size, "ICCP", length);
}

bool rp_png_has_icc(const uint8_t *data, size_t size)
{
    size_t n;

    return png_chunk(data, size, "iCCP", "", 0, &n) != NULL;
}

/* The fifth kind of head says where a profile lies, counted from the end of the file's own head. */
const uint8_t *rp_bmp_icc(const uint8_t *data, size_t size, size_t *length)
{
    enum { HEAD = 14, V5 = 124 };
    const struct tiff t = {data, size, false};

    if (size < HEAD + V5 || get32(&t, HEAD) != V5 || memcmp(data + HEAD + 56, "DEBM", 4))
        return NULL;
    const size_t at = HEAD + (size_t) get32(&t, HEAD + 112), n = get32(&t, HEAD + 116);
    if (at > size || n > size - at || n == 0)
        return NULL;
    *length = n;
    return data + at;
}

/* Some programs write JPEG's six bytes in front of the EXIF block here as well. */
static int orientation_of(const uint8_t *exif, size_t size)
{
    const size_t head = sizeof(RP_JPEG_EXIF);
    const bool has_head = exif && size > head && !memcmp(exif, RP_JPEG_EXIF, head);

    if (!exif)
        return 1;
    return has_head ? rp_exif_orientation(exif + head, size - head)
                    : rp_exif_orientation(exif, size);
}

int rp_png_orientation(const uint8_t *data, size_t size)
{
    size_t n = 0;
    const uint8_t *const exif = png_chunk(data, size, "eXIf", "", 0, &n);

    return orientation_of(exif, n);
}

bool rp_png_is_animated(const uint8_t *data, size_t size)
{
    size_t n = 0;
    const uint8_t *const control = png_chunk(data, size, "acTL", "", 0, &n);

    return control && n >= 8 && (control[0] || control[1] || control[2] || control[3] > 1);
}

int rp_webp_orientation(const uint8_t *data, size_t size)
{
    size_t n = 0;
    const uint8_t *const exif = webp_chunk(data, size, "EXIF", &n);

    return orientation_of(exif, n);
}

struct brand {
    char name[5], kind[5];
    bool animated;
};

static const struct brand *brand_of(const uint8_t *head, size_t size)
{
    static const struct brand brands[] = {
        {"heic", "HEIC", false}, {"heix", "HEIC", false}, {"heim", "HEIC", false},
        {"heis", "HEIC", false}, {"hevc", "HEIC", true},  {"hevx", "HEIC", true},
        {"miaf", "HEIF", false}, {"mif1", "HEIF", false}, {"msf1", "HEIF", true},
        {"avif", "AVIF", false}, {"avis", "AVIF", true},
    };

    if (size < 12 || memcmp(head + 4, "ftyp", 4))
        return NULL;
    for (size_t i = 0; i < sizeof(brands) / sizeof(*brands); i++)
        if (!memcmp(head + 8, brands[i].name, 4))
            return &brands[i];
    return NULL;
}

const char *rp_heif_kind(const uint8_t *head, size_t size)
{
    const struct brand *const brand = brand_of(head, size);

    return brand ? brand->kind : NULL;
}

bool rp_heif_is_animated(const uint8_t *head, size_t size)
{
    const struct brand *const brand = brand_of(head, size);

    return brand && brand->animated;
}

const uint8_t *rp_xmp_scan(const uint8_t *data, size_t size, size_t *length)
{
    static const char begin[] = "<x:xmpmeta", end[] = "</x:xmpmeta>";
    const uint8_t *const a = memmem(data, size, begin, sizeof(begin) - 1);

    if (!a)
        return NULL;
    const size_t rest = size - (size_t) (a - data);
    const uint8_t *const b = memmem(a, rest, end, sizeof(end) - 1);
    if (!b)
        return NULL;
    *length = (size_t) (b - a) + sizeof(end) - 1;
    return a;
}
