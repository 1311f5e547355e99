/* Reading TIFF by libtiff. The common layouts (greys, colours, palettes and inks of 1 to 16, 32 and
 * floating-point bits, in strips, tiles and planes) are unpacked here to 16 bits, so that alpha and
 * colour profiles are exact; for YCbCr that is not JPEG, and LogLuv libtiff makes the colours.
 * 16 bits become 8 by dropping the low byte, as everywhere. */
#include "media/av.h"

#include <math.h>
#include <tiffio.h>

#include "media/icc.h"

#define BLOCK_MAX ((size_t) 1 << 30) /* bytes of the tiles or strips in memory at a time */
#define LINES_FROM (64 << 20)        /* bytes; longer strips are read line by line */
#define SAMPLES_MAX 64               /* a pixel; satellites' pictures have a dozen */

struct tiff_in {
    TIFF *tif;
    const char *name;
    const uint8_t *data; /* the file */
    uint64_t size, at;
    char why[256]; /* the first error that libtiff reports */

    uint32_t w, h;
    uint16_t bits, samples, kind, photometric, planar, compression;
    int colours;     /* samples that make the colour: 1, 3 or 4 */
    int alpha;       /* number of the sample that is alpha; -1: none */
    bool associated; /* colours are multiplied by alpha */
    uint16_t *map[3];
    bool small_map; /* of bytes, as some programs write */

    struct rp_icc *icc;
    uint16_t *pixels; /* of a row: 3 or 4 colours, then alpha */
    bool cut;         /* floating-point numbers outside 0..1 were seen */
};

/* ---- the file in memory, and messages -------------------------------------------------------- */

static tmsize_t on_read(thandle_t handle, void *to, tmsize_t n)
{
    struct tiff_in *const t = handle;
    const uint64_t left = t->at < t->size ? t->size - t->at : 0;

    if (n < 0)
        return -1;
    if ((uint64_t) n > left)
        n = (tmsize_t) left;
    if (n > 0)
        memcpy(to, t->data + t->at, (size_t) n);
    t->at += (uint64_t) n;
    return n;
}

static tmsize_t on_write(thandle_t handle, void *from, tmsize_t n)
{
    (void) handle, (void) from, (void) n;
    return -1;
}

static toff_t on_seek(thandle_t handle, toff_t offset, int whence)
{
    struct tiff_in *const t = handle;

    t->at = offset + (whence == SEEK_CUR ? t->at : whence == SEEK_END ? t->size : 0);
    return t->at;
}

static int on_close(thandle_t handle)
{
    (void) handle;
    return 0;
}

static toff_t on_size(thandle_t handle)
{
    return ((struct tiff_in *) handle)->size;
}

__attribute__((format(printf, 4, 0))) static int on_error(TIFF *tif, void *priv, const char *module,
                                                          const char *fmt, va_list args)
{
    struct tiff_in *const t = priv;

    (void) tif, (void) module;
    if (!t->why[0])
        vsnprintf(t->why, sizeof(t->why), fmt, args);
    return 1; /* said; libtiff prints nothing */
}

__attribute__((format(printf, 4, 0))) static int
on_warning(TIFF *tif, void *priv, const char *module, const char *fmt, va_list args)
{
    (void) tif, (void) priv, (void) module, (void) fmt, (void) args;
    return 1; /* unknown tags and the like */
}

static bool open_file(struct tiff_in *t)
{
    TIFFOpenOptions *const options = TIFFOpenOptionsAlloc();

    if (!options)
        return false;
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t) BLOCK_MAX);
    TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, t);
    TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, t);
    t->tif = TIFFClientOpenExt("", "rm", t, on_read, on_write, on_seek, on_close, on_size, NULL,
                               NULL, options);
    TIFFOpenOptionsFree(options);
    return t->tif != NULL;
}

static int broken(const struct tiff_in *t)
{
    return RP_LIB_FAIL(t->name, RP_ERR_FORMAT, "%s: broken TIFF: %s", t->name,
                       t->why[0] ? t->why : "its parts do not fit together");
}

static int unsupported(const struct tiff_in *t, const char *what)
{
    return RP_LIB_FAIL(t->name, RP_ERR_UNSUPPORTED,
                       "%s: TIFF with %s is not supported; convert it to PNG", t->name, what);
}

/* ---- pages ----------------------------------------------------------------------------------- */

/* A smaller copy of another page, or its mask? */
static bool is_minor(TIFF *tif)
{
    uint32_t type = 0;

    return TIFFGetField(tif, TIFFTAG_SUBFILETYPE, &type) == 1 &&
           (type & (FILETYPE_REDUCEDIMAGE | FILETYPE_MASK)) != 0;
}

static bool next_page(TIFF *tif)
{
    while (TIFFReadDirectory(tif))
        if (!is_minor(tif))
            return true;
    return false;
}

/* The first page, but not a thumbnail in front of it. Where all the rest is in other directories,
 * as in cameras' raw files, there is nothing but the thumbnail. */
static int choose_page(struct tiff_in *t)
{
    uint16_t n = 0;
    uint64_t *offsets = NULL;

    if (t->size > 10 && !memcmp(t->data + 8, "CR", 2))
        return unsupported(t, "a camera's raw picture");
    if (!is_minor(t->tif) || next_page(t->tif))
        return 0;
    if (!TIFFSetDirectory(t->tif, 0))
        return broken(t);
    if (TIFFGetField(t->tif, TIFFTAG_SUBIFD, &n, &offsets) == 1 && n > 0)
        return unsupported(t, "a camera's raw picture");
    return 0;
}

/* ---- tags ------------------------------------------------------------------------------------ */

static void read_alpha(struct tiff_in *t)
{
    uint16_t n = 0, *types = NULL;

    t->alpha = -1;
    if (t->samples <= t->colours)
        return;
    if (TIFFGetField(t->tif, TIFFTAG_EXTRASAMPLES, &n, &types) != 1 || n == 0) {
        t->alpha = t->colours; /* OpenCV, for one, writes no such tag */
        return;
    }
    for (int i = 0; i < n && t->colours + i < t->samples; i++)
        if (types[i] == EXTRASAMPLE_ASSOCALPHA || types[i] == EXTRASAMPLE_UNASSALPHA) {
            t->alpha = t->colours + i;
            t->associated = types[i] == EXTRASAMPLE_ASSOCALPHA;
            return;
        }
}

static int read_map(struct tiff_in *t)
{
    if (t->bits > 16 || t->kind != SAMPLEFORMAT_UINT)
        return unsupported(t, "such a palette");
    if (TIFFGetField(t->tif, TIFFTAG_COLORMAP, &t->map[0], &t->map[1], &t->map[2]) != 1)
        return RP_LIB_FAIL(t->name, RP_ERR_FORMAT, "%s: broken TIFF: the palette is missing",
                           t->name);
    t->small_map = true;
    for (size_t i = 0; i < (size_t) 1 << t->bits && t->small_map; i++)
        t->small_map = t->map[0][i] < 256 && t->map[1][i] < 256 && t->map[2][i] < 256;
    return 0;
}

static int check_samples(const struct tiff_in *t)
{
    const bool whole = t->kind == SAMPLEFORMAT_UINT || t->kind == SAMPLEFORMAT_VOID;
    const bool real = t->kind == SAMPLEFORMAT_IEEEFP;
    char what[64];

    if (whole ? (t->bits >= 1 && t->bits <= 16) || t->bits == 32
              : real && (t->bits == 16 || t->bits == 32 || t->bits == 64))
        return 0;
    snprintf(what, sizeof(what), "%d-bit %s samples", t->bits,
             whole  ? "whole"
             : real ? "floating-point"
                    : "signed or complex");
    return unsupported(t, what);
}

static void guess_photometric(struct tiff_in *t)
{
    const bool fax =
        t->compression == COMPRESSION_CCITTRLE || t->compression == COMPRESSION_CCITTRLEW ||
        t->compression == COMPRESSION_CCITTFAX3 || t->compression == COMPRESSION_CCITTFAX4;

    t->photometric = fax              ? PHOTOMETRIC_MINISWHITE
                     : t->samples < 3 ? PHOTOMETRIC_MINISBLACK
                                      : PHOTOMETRIC_RGB;
}

static int read_tags(struct tiff_in *t)
{
    char what[64];
    int ret;

    if (!TIFFGetField(t->tif, TIFFTAG_IMAGEWIDTH, &t->w) ||
        !TIFFGetField(t->tif, TIFFTAG_IMAGELENGTH, &t->h))
        return broken(t);
    if ((ret = rp_size_check(t->name, t->w, t->h)) < 0)
        return ret;
    TIFFGetFieldDefaulted(t->tif, TIFFTAG_BITSPERSAMPLE, &t->bits);
    TIFFGetFieldDefaulted(t->tif, TIFFTAG_SAMPLESPERPIXEL, &t->samples);
    TIFFGetFieldDefaulted(t->tif, TIFFTAG_SAMPLEFORMAT, &t->kind);
    TIFFGetFieldDefaulted(t->tif, TIFFTAG_PLANARCONFIG, &t->planar);
    TIFFGetFieldDefaulted(t->tif, TIFFTAG_COMPRESSION, &t->compression);
    if (!TIFFGetField(t->tif, TIFFTAG_PHOTOMETRIC, &t->photometric))
        guess_photometric(t);
    if (!TIFFIsCODECConfigured(t->compression)) {
        snprintf(what, sizeof(what), "compression %d", t->compression);
        return unsupported(t, what);
    }
    if (t->samples < 1 || t->samples > SAMPLES_MAX) {
        snprintf(what, sizeof(what), "%d samples a pixel", t->samples);
        return unsupported(t, what);
    }
    return 0;
}

/* Must libtiff make the colours? */
static bool is_special(const struct tiff_in *t)
{
    switch (t->photometric) {
    case PHOTOMETRIC_YCBCR:
        return t->compression != COMPRESSION_JPEG || t->planar != PLANARCONFIG_CONTIG ||
               t->samples != 3;
    case PHOTOMETRIC_LOGL:
    case PHOTOMETRIC_LOGLUV:
        return true;
    default:
        return t->compression == COMPRESSION_OJPEG;
    }
}

static int read_colours(struct tiff_in *t)
{
    uint16_t inks = INKSET_CMYK;
    char what[64];

    switch (t->photometric) {
    case PHOTOMETRIC_MINISWHITE:
    case PHOTOMETRIC_MINISBLACK:
    case PHOTOMETRIC_PALETTE:
        t->colours = 1;
        break;
    case PHOTOMETRIC_YCBCR: /* JPEG: libjpeg converts */
        TIFFSetField(t->tif, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
        t->colours = 3;
        break;
    case PHOTOMETRIC_CIELAB:
    case PHOTOMETRIC_ICCLAB:
        if (t->bits != 8 && t->bits != 16)
            return unsupported(t, "such L*a*b* numbers");
        t->colours = 3;
        break;
    case PHOTOMETRIC_RGB:
        t->colours = 3;
        break;
    case PHOTOMETRIC_SEPARATED:
        TIFFGetFieldDefaulted(t->tif, TIFFTAG_INKSET, &inks);
        if (inks != INKSET_CMYK)
            return unsupported(t, "other inks than cyan, magenta, yellow and black");
        t->colours = 4;
        break;
    default:
        snprintf(what, sizeof(what), "colours of kind %d", t->photometric);
        return unsupported(t, what);
    }
    if (t->samples < t->colours)
        return broken(t);
    read_alpha(t);
    RP_CHECK(check_samples(t));
    return t->photometric == PHOTOMETRIC_PALETTE ? read_map(t) : 0;
}

static bool is_lab(const struct tiff_in *t)
{
    return t->photometric == PHOTOMETRIC_CIELAB || t->photometric == PHOTOMETRIC_ICCLAB;
}

/* Must colours be converted from more than 8 bits? */
static bool is_deep(const struct tiff_in *t)
{
    return t->bits > 8 || t->colours == 4 || is_lab(t);
}

static void open_profile(struct tiff_in *t)
{
    const bool deep = is_deep(t);
    const struct rp_icc_from from = {
        .channels = t->colours == 4 ? 4 : 3,
        .extra = t->alpha >= 0,
        .bits = deep ? 16 : 8,
        .bgr = !deep,
        .lab = is_lab(t),
        .grey = t->colours == 1 && t->photometric != PHOTOMETRIC_PALETTE,
    };
    uint32_t n = 0;
    void *profile = NULL;

    if ((TIFFGetField(t->tif, TIFFTAG_ICCPROFILE, &n, &profile) == 1 && profile) || from.lab)
        t->icc =
            rp_icc_open(profile, n, &from, t->alpha >= 0 ? RP_PIXEL_BGRA : RP_PIXEL_BGR, t->name);
}

/* ---- samples --------------------------------------------------------------------------------- */

static double half(uint16_t v)
{
    const int exponent = v >> 10 & 31, mantissa = v & 1023;
    const double size = exponent == 31  ? (mantissa ? NAN : INFINITY)
                        : exponent == 0 ? ldexp(mantissa, -24)
                                        : ldexp(mantissa + 1024, exponent - 25);

    return v & 0x8000 ? -size : size;
}

static uint16_t from_real(struct tiff_in *t, double v)
{
    t->cut = t->cut || !(v >= 0 && v <= 1);
    return (uint16_t) (v >= 1 ? 65535 : v > 0 ? v * 65535 + 0.5 : 0); /* NaN: 0 */
}

static void unpack_real(struct tiff_in *t, const uint8_t *row, size_t first, size_t step, size_t n,
                        uint16_t *to, size_t to_step)
{
    for (size_t i = 0; i < n; i++, first += step, to += to_step) {
        if (t->bits == 16) {
            uint16_t v;
            memcpy(&v, row + 2 * first, sizeof(v));
            *to = from_real(t, half(v));
        } else if (t->bits == 32) {
            float v;
            memcpy(&v, row + 4 * first, sizeof(v));
            *to = from_real(t, v);
        } else {
            double v;
            memcpy(&v, row + 8 * first, sizeof(v));
            *to = from_real(t, v);
        }
    }
}

/* A sample of 1 to 15 bits, the highest bit first. */
static unsigned get_bits(const uint8_t *row, size_t at, unsigned bits)
{
    unsigned v = 0;

    for (unsigned i = 0; i < bits; i++, at++)
        v = v << 1 | (row[at >> 3] >> (7 - (at & 7)) & 1);
    return v;
}

/* Samples first, first + step, ... of a row become 16 bits, or stay numbers of a palette. */
static void unpack(struct tiff_in *t, const uint8_t *row, size_t first, size_t step, size_t n,
                   uint16_t *to, size_t to_step)
{
    const bool keep = t->photometric == PHOTOMETRIC_PALETTE;
    const unsigned bits = t->bits, most = bits > 0 && bits < 16 ? (1u << bits) - 1 : 1;

    if (t->kind == SAMPLEFORMAT_IEEEFP) {
        unpack_real(t, row, first, step, n, to, to_step);
        return;
    }
    for (size_t i = 0; i < n; i++, first += step, to += to_step) {
        if (bits == 8) {
            *to = (uint16_t) (row[first] * (keep ? 1 : 257));
        } else if (bits == 16) {
            memcpy(to, row + 2 * first, 2);
        } else if (bits == 32) {
            uint32_t v;
            memcpy(&v, row + 4 * first, sizeof(v));
            *to = (uint16_t) (v >> 16);
        } else {
            const unsigned v = get_bits(row, first * bits, bits);
            *to = (uint16_t) (keep ? v : v * 65535 / most);
        }
    }
}

/* ---- a row of pixels ------------------------------------------------------------------------- */

static size_t pixel_samples(const struct tiff_in *t)
{
    return (t->colours == 4 ? 4u : 3u) + (t->alpha >= 0 ? 1u : 0u);
}

static void spread_grey(struct tiff_in *t, size_t n)
{
    const size_t step = pixel_samples(t);
    const uint16_t flip = t->photometric == PHOTOMETRIC_MINISWHITE ? 65535 : 0;
    uint16_t *p = t->pixels;

    for (size_t i = 0; i < n; i++, p += step) {
        if (t->photometric == PHOTOMETRIC_PALETTE) {
            const size_t k = p[0]; /* below 1 << bits, which is the palette's size */
            for (int c = 0; c < 3; c++)
                p[c] = (uint16_t) (t->map[c][k] * (t->small_map ? 257 : 1));
        } else {
            p[0] = p[1] = p[2] = p[0] ^ flip;
        }
    }
}

/* Colours as they were before they were multiplied by alpha. */
static void divide(struct tiff_in *t, size_t n)
{
    const size_t step = pixel_samples(t), stored = t->colours == 1 ? 1 : step - 1;
    uint16_t *p = t->pixels;

    for (size_t i = 0; i < n; i++, p += step) {
        const uint32_t alpha = p[step - 1];
        for (size_t c = 0; c < stored; c++) {
            const uint64_t v = alpha ? ((uint64_t) p[c] * 65535 + alpha / 2) / alpha : 0;
            p[c] = (uint16_t) RP_MIN(v, 65535);
        }
    }
}

/* To ICC's numbers: 0 to 65535 are L* 0 to 100, and a* and b* -128 to 127. */
static void shift_lab(struct tiff_in *t, size_t n)
{
    const size_t step = pixel_samples(t);
    uint16_t *p = t->pixels;

    for (size_t i = 0; i < n; i++, p += step)
        for (int c = 0; c < 3; c++) {
            uint32_t v = p[c];
            if (t->photometric == PHOTOMETRIC_CIELAB && c > 0) /* signed, 256 a unit */
                v = t->bits == 8 ? (v / 257 ^ 128) * 257 : (v ^ 32768) * 257u / 256;
            else if (t->photometric == PHOTOMETRIC_ICCLAB && t->bits == 16) /* its version 2 */
                v = v * 257u / 256;
            p[c] = (uint16_t) RP_MIN(v, 65535);
        }
}

static uint8_t to_byte(const struct tiff_in *t, uint32_t v)
{
    return (uint8_t) (t->associated && t->bits <= 8 ? (v + 128) / 257 : v >> 8);
}

static void store(struct tiff_in *t, uint8_t *to, size_t n)
{
    const size_t step = pixel_samples(t), bytes = t->alpha >= 0 ? 4 : 3;
    const bool inks = t->colours == 4;
    const bool deep = t->icc && is_deep(t);

    if (deep)
        rp_icc_run(t->icc, t->pixels, to, n);
    for (size_t i = 0; i < n; i++) {
        const uint16_t *const p = t->pixels + step * i;
        uint8_t *const out = to + bytes * i;
        for (int c = 0; c < 3 && !deep; c++) {
            const uint32_t v = inks ? (65535u - p[c]) * (uint64_t) (65535u - p[3]) / 65535u : p[c];
            out[2 - c] = to_byte(t, v);
        }
        if (bytes == 4)
            out[3] = to_byte(t, p[step - 1]);
    }
    if (t->icc && !deep)
        rp_icc_run(t->icc, to, to, n);
}

/* n pixels from (x, y) on. A sample lies in the row of its plane, or all in the only one. */
static void put_row(struct tiff_in *t, rp_image *out, const uint8_t *const *planes,
                    size_t plane_count, uint32_t x, uint32_t y, size_t n)
{
    const bool apart = plane_count > 1;
    const size_t step = pixel_samples(t), bytes = t->alpha >= 0 ? 4 : 3;
    const size_t colours = (size_t) t->colours;

    for (size_t c = 0; c < colours + (t->alpha >= 0); c++) {
        const size_t sample = c < colours ? c : (size_t) t->alpha;
        unpack(t, planes[apart ? sample : 0], apart ? 0 : sample, apart ? 1 : t->samples, n,
               t->pixels + (c < colours ? c : step - 1), step);
    }
    if (t->associated)
        divide(t, n);
    if (t->colours == 1)
        spread_grey(t, n);
    if (is_lab(t))
        shift_lab(t, n);
    store(t, out->data + (ptrdiff_t) y * out->stride + (size_t) x * bytes, n);
}

/* ---- strips and tiles ------------------------------------------------------------------------ */

static bool row_is_enough(const struct tiff_in *t, tmsize_t row, size_t n)
{
    const size_t samples = t->planar == PLANARCONFIG_SEPARATE ? 1 : t->samples;

    return row > 0 && (size_t) row >= (n * samples * t->bits + 7) / 8;
}

static int read_lines(struct tiff_in *t, rp_image *out)
{
    const tmsize_t size = TIFFScanlineSize(t->tif);
    uint8_t *line = NULL;
    int ret = 0;

    if (!row_is_enough(t, size, t->w))
        return broken(t);
    if ((size_t) size > BLOCK_MAX || !(line = calloc(1, (size_t) size)))
        return RP_NOMEM(t->name);
    const uint8_t *const planes[1] = {line};
    for (uint32_t y = 0; y < t->h && ret >= 0; y++) {
        if (TIFFReadScanline(t->tif, line, y, 0) < 0)
            ret = broken(t);
        else
            put_row(t, out, planes, 1, 0, y, t->w);
    }
    free(line);
    return ret;
}

/* Blocks that are decoded whole. */
struct blocks {
    bool tiled;
    uint32_t w, h;    /* of one */
    size_t size, row; /* bytes of one, and of its rows */
    size_t planes;
    uint8_t *data; /* one of each plane */
};

static int measure(const struct tiff_in *t, struct blocks *b)
{
    b->tiled = TIFFIsTiled(t->tif) != 0;
    b->planes = t->planar == PLANARCONFIG_SEPARATE ? t->samples : 1;
    b->w = t->w;
    if (b->tiled) {
        TIFFGetField(t->tif, TIFFTAG_TILEWIDTH, &b->w);
        TIFFGetField(t->tif, TIFFTAG_TILELENGTH, &b->h);
    } else {
        TIFFGetFieldDefaulted(t->tif, TIFFTAG_ROWSPERSTRIP, &b->h);
        b->h = RP_MIN(b->h, t->h);
    }
    const tmsize_t size = b->tiled ? TIFFTileSize(t->tif) : TIFFStripSize(t->tif);
    const tmsize_t row = b->tiled ? TIFFTileRowSize(t->tif) : TIFFScanlineSize(t->tif);
    if (b->w == 0 || b->h == 0 || size <= 0 || !row_is_enough(t, row, RP_MIN(b->w, t->w)) ||
        (uint64_t) size < (uint64_t) row * RP_MIN(b->h, t->h))
        return broken(t);
    b->size = (size_t) size;
    b->row = (size_t) row;
    if (b->size > BLOCK_MAX / b->planes)
        return rp_fail(RP_ERR_LIMIT, "%s: a part of the TIFF has more than %zu MB", t->name,
                       BLOCK_MAX >> 20);
    return (b->data = calloc(b->planes, b->size)) ? 0 : RP_NOMEM(t->name);
}

static int read_block(struct tiff_in *t, const struct blocks *b, uint32_t x, uint32_t y)
{
    for (size_t p = 0; p < b->planes; p++) {
        const uint16_t plane = (uint16_t) p;
        uint8_t *const to = b->data + p * b->size;
        if ((int) p >= t->colours && (int) p != t->alpha && b->planes > 1)
            continue;
        const uint32_t i =
            b->tiled ? TIFFComputeTile(t->tif, x, y, 0, plane) : TIFFComputeStrip(t->tif, y, plane);
        if (TIFFGetStrileByteCount(t->tif, i) == 0) /* libtiff would read elsewhere */
            return RP_LIB_FAIL(t->name, RP_ERR_FORMAT, "%s: broken TIFF: part %u is missing",
                               t->name, i);
        const tmsize_t done = b->tiled ? TIFFReadEncodedTile(t->tif, i, to, (tmsize_t) b->size)
                                       : TIFFReadEncodedStrip(t->tif, i, to, (tmsize_t) b->size);
        if (done < 0)
            return broken(t);
    }
    return 0;
}

static int read_blocks(struct tiff_in *t, rp_image *out)
{
    const uint8_t *planes[SAMPLES_MAX] = {NULL};
    struct blocks b = {0};
    int ret = measure(t, &b);

    for (uint32_t y = 0; y < t->h && ret >= 0; y += RP_MIN(b.h, t->h))
        for (uint32_t x = 0; x < t->w && ret >= 0; x += RP_MIN(b.w, t->w)) {
            if ((ret = read_block(t, &b, x, y)) < 0)
                break;
            for (uint32_t i = 0; i < b.h && y + i < t->h; i++) {
                for (size_t p = 0; p < b.planes; p++)
                    planes[p] = b.data + p * b.size + i * b.row;
                put_row(t, out, planes, b.planes, x, y + i, RP_MIN(b.w, t->w - x));
            }
        }
    free(b.data);
    return ret;
}

static int read_samples(struct tiff_in *t, rp_image *out)
{
    const bool alpha = t->alpha >= 0;

    RP_CHECK(rp_image_alloc(out, t->w, t->h, alpha ? RP_PIXEL_BGRA : RP_PIXEL_BGR, t->name));
    if (!(t->pixels = calloc((size_t) t->w, 5 * sizeof(*t->pixels))))
        return RP_NOMEM(t->name);
    open_profile(t);
    if (is_lab(t) && !t->icc)
        return RP_NOMEM(t->name);
    const bool long_strips = !TIFFIsTiled(t->tif) && t->planar == PLANARCONFIG_CONTIG &&
                             TIFFStripSize(t->tif) > LINES_FROM;
    return long_strips ? read_lines(t, out) : read_blocks(t, out);
}

/* ---- what libtiff converts ------------------------------------------------------------------- */

/* Its pixels are multiplied by alpha if there is any. */
static void take_raster(rp_image *out, const uint32_t *raster)
{
    const bool alpha = out->format == RP_PIXEL_BGRA;

    for (int y = 0; y < out->h; y++)
        for (int x = 0; x < out->w; x++) {
            const uint32_t v = raster[(size_t) y * (size_t) out->w + (size_t) x];
            const unsigned a = alpha ? TIFFGetA(v) : 255;
            const unsigned bgr[3] = {TIFFGetB(v), TIFFGetG(v), TIFFGetR(v)};
            uint8_t *const p = out->data + y * out->stride + (ptrdiff_t) x * (alpha ? 4 : 3);
            for (int c = 0; c < 3; c++)
                p[c] = (uint8_t) (a ? RP_MIN((bgr[c] * 255 + a / 2) / a, 255) : 0);
            if (alpha)
                p[3] = (uint8_t) a;
        }
}

static int read_special(struct tiff_in *t, rp_image *out)
{
    TIFFRGBAImage image;
    char why[1024] = "";
    uint32_t *raster = NULL, profile_size = 0;
    void *profile = NULL;
    int ret;

    if (!TIFFRGBAImageOK(t->tif, why) || !TIFFRGBAImageBegin(&image, t->tif, 1, why))
        return RP_LIB_FAIL(t->name, RP_ERR_UNSUPPORTED,
                           "%s: this TIFF is not supported (%s); convert it to PNG", t->name, why);
    image.orientation = image.req_orientation = ORIENTATION_TOPLEFT; /* turned later */
    t->alpha = image.alpha ? 3 : -1;
    RP_TRY(rp_image_alloc(out, t->w, t->h, image.alpha ? RP_PIXEL_BGRA : RP_PIXEL_BGR, t->name));
    if (!(raster = calloc((size_t) t->w * t->h, sizeof(*raster))))
        ret = RP_NOMEM(t->name);
    else if (!TIFFRGBAImageGet(&image, raster, t->w, t->h))
        ret = broken(t);
    else
        take_raster(out, raster);
    if (ret >= 0 && t->photometric == PHOTOMETRIC_YCBCR &&
        TIFFGetField(t->tif, TIFFTAG_ICCPROFILE, &profile_size, &profile) == 1)
        rp_icc_convert(out, false, profile, profile_size, t->name);
fail:
    free(raster);
    TIFFRGBAImageEnd(&image);
    return ret;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int decode(struct tiff_in *t, rp_image *out)
{
    uint16_t orientation = ORIENTATION_TOPLEFT;
    int ret;

    if (!open_file(t))
        return broken(t);
    RP_CHECK(choose_page(t));
    RP_CHECK(read_tags(t));
    TIFFGetFieldDefaulted(t->tif, TIFFTAG_ORIENTATION, &orientation);
    if (is_special(t)) {
        ret = read_special(t, out);
    } else if ((ret = read_colours(t)) >= 0) {
        ret = read_samples(t, out);
    }
    RP_CHECK(ret);
    if (t->cut)
        rp_log(RP_LOG_WARN, "%s: numbers outside 0 to 1 are cut off", t->name);
    rp_image_drop_opaque(out);
    RP_CHECK(rp_image_orient(out, rp_orient_exif(orientation)));
    if (next_page(t->tif))
        rp_log(RP_LOG_WARN, "%s: of several pages only the first is used", t->name);
    return 0;
}

int rp_tiff_decode(rp_image *out, const uint8_t *data, size_t size, const char *name)
{
    struct tiff_in t = {.name = name, .data = data, .size = size};
    const int ret = decode(&t, out);

    if (t.tif)
        TIFFClose(t.tif);
    rp_icc_close(&t.icc);
    free(t.pixels);
    return ret;
}
