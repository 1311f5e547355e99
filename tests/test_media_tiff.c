/* Reading TIFF: files of every layout are written by libtiff, and the right pixels are those that
 * were put in. */
#include "test_media.h"

#include <math.h>
#include <tiffio.h>
#include <turbojpeg.h>

#define W 50
#define H 37

struct layout {
    int photometric, bits, samples;
    int compression; /* 0: none */
    int tile, planar, predictor, format;
    int extra; /* kind of the last sample, which is alpha; -1: none */
    int orientation;
    const char *mode; /* NULL: "w" */
    int tolerance;
};

static int warnings;

static void count_warning(void *priv, enum rp_log_level level, const char *line)
{
    (void) priv;
    warnings += level == RP_LOG_WARN && strstr(line, ".tif: ") != NULL;
}

static int read_tiff(rp_image *image, const char *path)
{
    warnings = 0;
    rp_set_log(RP_LOG_WARN, count_warning, NULL);
    const int ret = rp_image_read(image, path);
    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    return ret;
}

/* ---- what is put in -------------------------------------------------------------------------- */

/* Smooth, and different in each quadrant: red, green, blue, black or alpha, of 0..1. */
static double value(int x, int y, int sample)
{
    switch (sample) {
    case 0:
        return x < W / 2 ? 0.2 : 0.8;
    case 1:
        return (double) y / (H - 1);
    case 2:
        return (double) x / (W - 1);
    default:
        return y < H / 2 ? 1 : 0.4;
    }
}

static bool is_alpha(const struct layout *l, int sample)
{
    return l->extra >= 0 && sample == l->samples - 1;
}

/* The sample as it is stored, of 0..1. */
static double stored(const struct layout *l, int x, int y, int sample)
{
    const double alpha = value(x, y, 3);

    if (is_alpha(l, sample))
        return alpha;
    return value(x, y, sample) * (l->extra == EXTRASAMPLE_ASSOCALPHA ? alpha : 1);
}

static unsigned long most_of(const struct layout *l)
{
    return l->bits >= 32 ? 0xffffffffu : (1ul << l->bits) - 1;
}

static void put_bits(uint8_t *row, size_t at, int bits, unsigned long v)
{
    for (int i = bits - 1; i >= 0; i--, at++)
        if (v >> i & 1)
            row[at >> 3] |= (uint8_t) (128 >> (at & 7));
}

static uint16_t half_of(double v) /* of 0..1, without rounding */
{
    int exponent;
    const double m = frexp(v, &exponent);

    return (uint16_t) (v <= 0 ? 0 : ((exponent + 14) << 10) + (int) ((2 * m - 1) * 1024));
}

static void put_sample(const struct layout *l, uint8_t *row, size_t i, double v)
{
    const unsigned long whole = (unsigned long) lrint(v * (double) most_of(l));
    const float real = (float) v;
    const uint16_t deep = l->format == SAMPLEFORMAT_IEEEFP ? half_of(v) : (uint16_t) whole;
    const uint32_t wide = (uint32_t) whole;

    if (l->bits == 64)
        memcpy(row + 8 * i, &v, 8);
    else if (l->bits == 32)
        memcpy(row + 4 * i, l->format == SAMPLEFORMAT_IEEEFP ? (void *) &real : (void *) &wide, 4);
    else if (l->bits == 16)
        memcpy(row + 2 * i, &deep, 2);
    else
        put_bits(row, i * (size_t) l->bits, l->bits, whole);
}

static int rows_of(const struct layout *l)
{
    return l->compression == COMPRESSION_JBIG ? H : 16; /* of a strip */
}

static void set_tags(TIFF *tif, const struct layout *l)
{
    const uint16_t extra = (uint16_t) l->extra;
    uint16_t map[256];

    TIFFSetField(tif, TIFFTAG_IMAGEWIDTH, W);
    TIFFSetField(tif, TIFFTAG_IMAGELENGTH, H);
    TIFFSetField(tif, TIFFTAG_BITSPERSAMPLE, l->bits);
    TIFFSetField(tif, TIFFTAG_SAMPLESPERPIXEL, l->samples);
    TIFFSetField(tif, TIFFTAG_SAMPLEFORMAT, l->format ? l->format : SAMPLEFORMAT_UINT);
    TIFFSetField(tif, TIFFTAG_COMPRESSION, l->compression ? l->compression : COMPRESSION_NONE);
    TIFFSetField(tif, TIFFTAG_PHOTOMETRIC, l->photometric);
    TIFFSetField(tif, TIFFTAG_PLANARCONFIG,
                 l->planar ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
    if (l->orientation)
        TIFFSetField(tif, TIFFTAG_ORIENTATION, l->orientation);
    if (l->extra >= 0)
        TIFFSetField(tif, TIFFTAG_EXTRASAMPLES, 1, &extra);
    if (l->predictor)
        TIFFSetField(tif, TIFFTAG_PREDICTOR, l->predictor);
    if (l->compression == COMPRESSION_JPEG) {
        TIFFSetField(tif, TIFFTAG_JPEGQUALITY, 98);
        if (l->photometric == PHOTOMETRIC_YCBCR)
            TIFFSetField(tif, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    }
    if (l->compression == COMPRESSION_WEBP)
        TIFFSetField(tif, TIFFTAG_WEBP_LOSSLESS, 1);
    if (l->compression == COMPRESSION_PIXARLOG)
        TIFFSetField(tif, TIFFTAG_PIXARLOGDATAFMT, PIXARLOGDATAFMT_8BIT);
    for (int i = 0; i < 256; i++)
        map[i] = (uint16_t) ((255 - i) * 257); /* the other way round */
    if (l->photometric == PHOTOMETRIC_PALETTE)
        TIFFSetField(tif, TIFFTAG_COLORMAP, map, map, map);
    if (l->tile) {
        TIFFSetField(tif, TIFFTAG_TILEWIDTH, l->tile);
        TIFFSetField(tif, TIFFTAG_TILELENGTH, l->tile);
    } else {
        TIFFSetField(tif, TIFFTAG_ROWSPERSTRIP, rows_of(l));
    }
}

/* Some pixels of a row, of one plane (-1: all samples together). */
static void make_row(const struct layout *l, uint8_t *row, size_t size, int x, int y, int n,
                     int plane)
{
    const int count = plane < 0 ? l->samples : 1;

    memset(row, 0, size);
    for (int i = 0; i < n; i++)
        for (int s = 0; s < count; s++)
            put_sample(l, row, (size_t) i * (size_t) count + (size_t) s,
                       stored(l, RP_MIN(x + i, W - 1), RP_MIN(y, H - 1), plane < 0 ? s : plane));
}

static void write_plane(TIFF *tif, const struct layout *l, int plane)
{
    const size_t size = (size_t) (l->tile ? TIFFTileRowSize(tif) : TIFFScanlineSize(tif));
    const int side = l->tile ? l->tile : W, rows = l->tile ? l->tile : rows_of(l);
    const uint16_t p = (uint16_t) RP_MAX(plane, 0);
    uint8_t *const data = calloc(size, (size_t) rows);

    for (int y = 0; y < H; y += rows)
        for (int x = 0; x < W; x += side) {
            for (int i = 0; i < rows; i++)
                make_row(l, data + size * (size_t) i, size, x, y + i, side, plane);
            if (l->tile)
                assert_true(TIFFWriteTile(tif, data, (uint32_t) x, (uint32_t) y, 0, p) > 0);
            else
                assert_true(TIFFWriteEncodedStrip(tif, TIFFComputeStrip(tif, (uint32_t) y, p), data,
                                                  (tmsize_t) size * RP_MIN(rows, H - y)) > 0);
        }
    free(data);
}

static void write_page(TIFF *tif, const struct layout *l)
{
    set_tags(tif, l);
    for (int p = 0; p < (l->planar ? l->samples : 1); p++)
        write_plane(tif, l, l->planar ? p : -1);
}

static const char *write_tiff(const struct layout *l)
{
    const char *const path = in_dir("t.tif");
    TIFF *const tif = TIFFOpen(path, l->mode ? l->mode : "w");

    assert_non_null(tif);
    write_page(tif, l);
    TIFFClose(tif);
    return path;
}

/* ---- what comes out -------------------------------------------------------------------------- */

/* The colour that belongs to the sample, 0..255. */
static double right_value(const struct layout *l, int x, int y, int c)
{
    const double most = l->format == SAMPLEFORMAT_IEEEFP ? 0 : (double) most_of(l);
    const bool grey = l->samples - (l->extra >= 0) == 1;
    double v = value(x, y, grey ? 0 : c);

    if (most > 0) /* what is left of it in so many bits */
        v = rint(v * most) / most;
    if (l->photometric == PHOTOMETRIC_MINISWHITE || l->photometric == PHOTOMETRIC_PALETTE)
        v = 1 - v;
    if (l->photometric == PHOTOMETRIC_SEPARATED)
        v = (1 - v) * (1 - value(x, y, 3));
    return 255 * v;
}

static void check_pixels(const struct layout *l, const rp_image *image)
{
    const bool alpha = l->extra == EXTRASAMPLE_ASSOCALPHA || l->extra == EXTRASAMPLE_UNASSALPHA;
    const int bytes = alpha ? 4 : 3;

    assert_int_equal(image->w, W);
    assert_int_equal(image->h, H);
    assert_int_equal(image->format, alpha ? RP_PIXEL_BGRA : RP_PIXEL_BGR);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            const uint8_t *const p = image->data + y * image->stride + x * bytes;
            for (int c = 0; c < 3; c++)
                assert_true(fabs(p[2 - c] - right_value(l, x, y, c)) <= 1 + l->tolerance);
            if (alpha)
                assert_true(abs(p[3] - (y < H / 2 ? 255 : 102)) <= 1);
        }
}

static void check(struct layout l)
{
    rp_image image;

    print_message("photometric %d, %d x %d bits, compression %d, tile %d, planar %d, extra %d\n",
                  l.photometric, l.samples, l.bits, l.compression, l.tile, l.planar, l.extra);
    assert_int_equal(read_tiff(&image, write_tiff(&l)), 0);
    check_pixels(&l, &image);
    assert_int_equal(warnings, 0);
    rp_image_free(&image);
}

/* Without waiting for the disk. */
static void put_file(const char *path, const uint8_t *data, size_t size)
{
    FILE *const f = fopen(path, "wb");

    assert_int_equal(fwrite(data, 1, size, f), size);
    fclose(f);
}

/* ---- tests ----------------------------------------------------------------------------------- */

/* In strips, tiles, planes, tiles of planes. */
static void check_all(struct layout l)
{
    for (int i = 0; i < (l.samples > 1 ? 4 : 2); i++) {
        l.tile = i & 1 ? 16 : 0;
        l.planar = i >> 1;
        check(l);
    }
}

static void test_depths(void **state)
{
    static const int kinds[] = {PHOTOMETRIC_MINISBLACK, PHOTOMETRIC_MINISWHITE, PHOTOMETRIC_RGB,
                                PHOTOMETRIC_SEPARATED};
    static const int depths[] = {1, 2, 4, 6, 8, 10, 12, 14, 16, 32};

    (void) state;
    for (size_t k = 0; k < RP_ARRAY_LEN(kinds); k++)
        for (size_t i = 0; i < RP_ARRAY_LEN(depths); i++) {
            const int samples = kinds[k] == PHOTOMETRIC_RGB         ? 3
                                : kinds[k] == PHOTOMETRIC_SEPARATED ? 4
                                                                    : 1;
            if (samples == 4 && depths[i] < 8)
                continue; /* black is too coarse to say what is right */
            check_all((struct layout){
                .photometric = kinds[k], .bits = depths[i], .samples = samples, .extra = -1});
        }
    check_all(
        (struct layout){.photometric = PHOTOMETRIC_PALETTE, .bits = 8, .samples = 1, .extra = -1});
}

static void test_floats(void **state)
{
    (void) state;
    for (int bits = 16; bits <= 64; bits *= 2) {
        struct layout l = {.photometric = PHOTOMETRIC_RGB,
                           .bits = bits,
                           .samples = 3,
                           .extra = -1,
                           .format = SAMPLEFORMAT_IEEEFP};
        check_all(l);
        l.compression = COMPRESSION_ADOBE_DEFLATE;
        l.predictor = PREDICTOR_FLOATINGPOINT;
        check_all(l);
    }
}

static void test_alpha(void **state)
{
    static const int kinds[] = {EXTRASAMPLE_ASSOCALPHA, EXTRASAMPLE_UNASSALPHA,
                                EXTRASAMPLE_UNSPECIFIED};

    (void) state;
    for (size_t k = 0; k < RP_ARRAY_LEN(kinds); k++)
        for (int bits = 8; bits <= 16; bits += 8) {
            check_all((struct layout){.photometric = PHOTOMETRIC_RGB,
                                      .bits = bits,
                                      .samples = 4,
                                      .extra = kinds[k],
                                      .tolerance = kinds[k] == EXTRASAMPLE_ASSOCALPHA ? 2 : 0});
            check_all((struct layout){.photometric = PHOTOMETRIC_MINISBLACK,
                                      .bits = bits,
                                      .samples = 2,
                                      .tolerance = kinds[k] == EXTRASAMPLE_ASSOCALPHA ? 2 : 0,
                                      .extra = kinds[k]});
        }
}

static void test_compressions(void **state)
{
    static const int ways[] = {COMPRESSION_LZW,           COMPRESSION_PACKBITS, COMPRESSION_DEFLATE,
                               COMPRESSION_ADOBE_DEFLATE, COMPRESSION_ZSTD,     COMPRESSION_LZMA,
                               COMPRESSION_WEBP,          COMPRESSION_LERC};

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(ways); i++) {
        struct layout l = {.photometric = PHOTOMETRIC_RGB,
                           .bits = 8,
                           .samples = 3,
                           .extra = -1,
                           .compression = ways[i]};
        if (!TIFFIsCODECConfigured((uint16_t) ways[i]))
            continue;
        check(l);
        l.tile = 32;
        check(l);
        if (ways[i] == COMPRESSION_WEBP || ways[i] == COMPRESSION_LERC)
            continue;
        l.bits = 16;
        l.planar = 1;
        check(l);
        if (ways[i] != COMPRESSION_PACKBITS)
            l.predictor = PREDICTOR_HORIZONTAL;
        l.mode = "wb8"; /* high byte first, BigTIFF */
        check(l);
    }
}

static void test_jpeg(void **state)
{
    struct layout l = {.photometric = PHOTOMETRIC_YCBCR,
                       .bits = 8,
                       .samples = 3,
                       .extra = -1,
                       .compression = COMPRESSION_JPEG,
                       .tolerance = 80}; /* halved chroma */

    (void) state;
    check(l);
    l.tile = 32;
    check(l);
    l.photometric = PHOTOMETRIC_RGB;
    l.tolerance = 12;
    check_all(l);
    l.photometric = PHOTOMETRIC_MINISBLACK;
    l.samples = 1;
    check_all(l);
    l.photometric = PHOTOMETRIC_SEPARATED;
    l.samples = 4;
    check_all(l);
}

static void test_fax(void **state)
{
    static const int ways[] = {COMPRESSION_CCITTRLE, COMPRESSION_CCITTFAX3, COMPRESSION_CCITTFAX4,
                               COMPRESSION_JBIG, COMPRESSION_LZW};

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(ways); i++)
        if (TIFFIsCODECConfigured((uint16_t) ways[i]))
            check((struct layout){.photometric = PHOTOMETRIC_MINISWHITE,
                                  .bits = 1,
                                  .samples = 1,
                                  .extra = -1,
                                  .compression = ways[i]});
}

static void test_byte_order(void **state)
{
    static const char *const modes[] = {"wl", "wb", "wl8", "wb8"};

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(modes); i++) {
        struct layout l = {.photometric = PHOTOMETRIC_RGB,
                           .bits = 16,
                           .samples = 3,
                           .extra = -1,
                           .mode = modes[i]};
        check_all(l);
        l.bits = 32;
        l.format = SAMPLEFORMAT_IEEEFP;
        check_all(l);
    }
}

static void test_orientation(void **state)
{
    static const int X[9] = {0, 5, W - 6, W - 6, 5, 3, H - 4, H - 4, 3};
    static const int Y[9] = {0, 3, 3, H - 4, H - 4, 5, 5, W - 6, W - 6};

    (void) state;
    for (int o = 1; o <= 8; o++)
        for (int i = 0; i < 4; i++) {
            const struct layout l = {.photometric = PHOTOMETRIC_RGB,
                                     .bits = 8,
                                     .samples = 3,
                                     .extra = -1,
                                     .orientation = o,
                                     .tile = i & 1 ? 16 : 0,
                                     .mode = i & 2 ? "w8" : "w"};
            rp_image image;

            assert_int_equal(read_tiff(&image, write_tiff(&l)), 0);
            assert_int_equal(image.w, o >= 5 ? H : W);
            assert_int_equal(image.h, o >= 5 ? W : H);
            for (int c = 0; c < 3; c++) /* where the stored pixel (5, 3) is shown */
                assert_true(fabs(image.data[Y[o] * image.stride + 3 * X[o] + 2 - c] -
                                 right_value(&l, 5, 3, c)) <= 1);
            rp_image_free(&image);
        }
}

/* The first page, with a word; small copies, in front or behind, do not count. */
static void test_pages(void **state)
{
    static const struct {
        int types[3], warnings;
    } cases[] = {{{0, 0, -1}, 1}, {{2, 2, 2}, 1}, {{0, 1, 1}, 0},
                 {{1, 0, -1}, 0}, {{1, 0, 0}, 1}, {{0, 4, -1}, 0}};

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(cases); i++) {
        TIFF *const tif = TIFFOpen(in_dir("p.tif"), "w");
        bool first = true;
        rp_image image;

        for (int k = 0; k < 3 && cases[i].types[k] >= 0; k++) {
            const int type = cases[i].types[k];
            const bool minor = type & 5;
            struct layout l = {
                .photometric = PHOTOMETRIC_RGB, .bits = 8, .samples = 3, .extra = -1};
            if (minor || !first)
                l.photometric = PHOTOMETRIC_MINISWHITE, l.samples = 1;
            first = first && minor;
            TIFFSetField(tif, TIFFTAG_SUBFILETYPE, type);
            write_page(tif, &l);
            TIFFWriteDirectory(tif);
        }
        TIFFClose(tif);
        assert_int_equal(read_tiff(&image, in_dir("p.tif")), 0);
        assert_int_equal(warnings, cases[i].warnings);
        check_pixels(
            &(struct layout){.photometric = PHOTOMETRIC_RGB, .bits = 8, .samples = 3, .extra = -1},
            &image);
        rp_image_free(&image);
    }
}

/* Outside 0..1, and what is no number. */
static void test_cut(void **state)
{
    const float row[4] = {-3, 0.5f, 40, NAN};
    const int right[4] = {0, 128, 255, 0};
    TIFF *const tif = TIFFOpen(in_dir("f.tif"), "w");
    rp_image image;

    (void) state;
    TIFFSetField(tif, TIFFTAG_IMAGEWIDTH, 4);
    TIFFSetField(tif, TIFFTAG_IMAGELENGTH, 1);
    TIFFSetField(tif, TIFFTAG_BITSPERSAMPLE, 32);
    TIFFSetField(tif, TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_IEEEFP);
    TIFFSetField(tif, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
    TIFFWriteScanline(tif, (void *) row, 0, 0);
    TIFFClose(tif);
    assert_int_equal(read_tiff(&image, in_dir("f.tif")), 0);
    assert_int_equal(warnings, 1);
    for (int i = 0; i < 4; i++)
        assert_int_equal(image.data[3 * i], right[i]);
    rp_image_free(&image);
}

static void flat_tiff(const char *path, int photometric, int compression, const void *pixel,
                      size_t bytes, int format)
{
    TIFF *const tif = TIFFOpen(path, "w");
    uint8_t row[16 * 12];

    TIFFSetField(tif, TIFFTAG_IMAGEWIDTH, 16);
    TIFFSetField(tif, TIFFTAG_IMAGELENGTH, 4);
    TIFFSetField(tif, TIFFTAG_SAMPLESPERPIXEL, 3);
    TIFFSetField(tif, TIFFTAG_BITSPERSAMPLE, (int) (bytes / 3 * 8));
    TIFFSetField(tif, TIFFTAG_SAMPLEFORMAT, format);
    TIFFSetField(tif, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(tif, TIFFTAG_COMPRESSION, compression);
    TIFFSetField(tif, TIFFTAG_PHOTOMETRIC, photometric);
    if (photometric == PHOTOMETRIC_YCBCR)
        TIFFSetField(tif, TIFFTAG_YCBCRSUBSAMPLING, 1, 1);
    if (compression == COMPRESSION_SGILOG)
        TIFFSetField(tif, TIFFTAG_SGILOGDATAFMT, SGILOGDATAFMT_FLOAT);
    for (size_t i = 0; i < 16; i++)
        memcpy(row + i * bytes, pixel, bytes);
    for (uint32_t y = 0; y < 4; y++)
        assert_int_equal(TIFFWriteScanline(tif, row, y, 0), 1);
    TIFFClose(tif);
}

static void check_flat(const char *path, int b, int g, int r, int tolerance)
{
    rp_image image;

    assert_int_equal(read_tiff(&image, path), 0);
    const uint8_t *const p = image.data + image.stride + 9;
    assert_true(abs(p[0] - b) <= tolerance && abs(p[1] - g) <= tolerance &&
                abs(p[2] - r) <= tolerance);
    rp_image_free(&image);
}

static void test_special(void **state)
{
    const uint8_t ycc[3] = {76, 85, 255};       /* bt601, full range: red */
    const float xyz[3] = {0.25f, 0.25f, 0.25f}; /* of its own white; libtiff: gamma 2 */
    /* L* 53.585, a* 0, b* 0: sRGB 128; and pure red: L* 54.29, a* 80.81, b* 69.89 */
    const uint8_t lab[2][3] = {{137, 0, 0}, {138, 81, 70}};
    const uint8_t icc_lab[2][3] = {{137, 128, 128}, {138, 209, 198}};
    const uint16_t deep[2][3] = {{35117, 0, 0}, {35579, 20687, 17892}};
    const uint16_t icc_deep[2][3] = {{34980, 32768, 32768}, {35440, 53455, 50660}};

    (void) state;
    for (int red = 0; red < 2; red++) {
        const int g = red ? 0 : 128, r = red ? 255 : 128;
        flat_tiff(in_dir("l.tif"), PHOTOMETRIC_CIELAB, COMPRESSION_LZW, lab[red], 3,
                  SAMPLEFORMAT_UINT);
        check_flat(in_dir("l.tif"), g, g, r, red ? 12 : 1);
        flat_tiff(in_dir("l.tif"), PHOTOMETRIC_ICCLAB, COMPRESSION_LZW, icc_lab[red], 3,
                  SAMPLEFORMAT_UINT);
        check_flat(in_dir("l.tif"), g, g, r, red ? 12 : 1);
        flat_tiff(in_dir("l.tif"), PHOTOMETRIC_CIELAB, COMPRESSION_LZW, deep[red], 6,
                  SAMPLEFORMAT_UINT);
        check_flat(in_dir("l.tif"), g, g, r, 1);
        flat_tiff(in_dir("l.tif"), PHOTOMETRIC_ICCLAB, COMPRESSION_LZW, icc_deep[red], 6,
                  SAMPLEFORMAT_UINT);
        check_flat(in_dir("l.tif"), g, g, r, 1);
    }
    flat_tiff(in_dir("u.tif"), PHOTOMETRIC_LOGLUV, COMPRESSION_SGILOG, xyz, 12,
              SAMPLEFORMAT_IEEEFP);
    check_flat(in_dir("u.tif"), 128, 128, 128, 4);
    flat_tiff(in_dir("y.tif"), PHOTOMETRIC_YCBCR, COMPRESSION_LZW, ycc, 3, SAMPLEFORMAT_UINT);
    check_flat(in_dir("y.tif"), 0, 0, 255, 3);
}

/* The JPEG of TIFF 6.0, which nothing writes any more: the whole stream behind tag 513. */
static void test_old_jpeg(void **state)
{
    enum { SIDE = 16, TAGS = 11, HEAD = 8 + 2 + 12 * TAGS + 4 + 6 };
    uint8_t bgr[SIDE * SIDE][3], file[HEAD] = "II*\0\x08";
    tjhandle tj = tjInitCompress();
    unsigned char *jpeg = NULL;
    unsigned long n = 0;
    uint32_t offset = HEAD;

    (void) state;
    for (int i = 0; i < SIDE * SIDE; i++)
        memcpy(bgr[i], (const uint8_t[]){30, 60, 200}, 3);
    assert_int_equal(tjCompress2(tj, bgr[0], SIDE, 0, SIDE, TJPF_BGR, &jpeg, &n, TJSAMP_444, 98, 0),
                     0);
    const uint32_t tags[TAGS][4] = {
        {256, 3, 1, SIDE},   {257, 3, 1, SIDE},        {258, 3, 3, HEAD - 6},
        {259, 3, 1, 6},      {262, 3, 1, 6},           {273, 4, 1, offset},
        {277, 3, 1, 3},      {278, 3, 1, SIDE},        {279, 4, 1, (uint32_t) n},
        {513, 4, 1, offset}, {514, 4, 1, (uint32_t) n}};
    file[8] = TAGS;
    for (int i = 0; i < TAGS; i++) {
        uint8_t *const p = file + 10 + 12 * i;
        for (int k = 0; k < 2; k++) {
            p[k] = (uint8_t) (tags[i][0] >> (8 * k));
            p[2 + k] = (uint8_t) (tags[i][1] >> (8 * k));
        }
        for (int k = 0; k < 4; k++) {
            p[4 + k] = (uint8_t) (tags[i][2] >> (8 * k));
            p[8 + k] = (uint8_t) (tags[i][3] >> (8 * k));
        }
    }
    for (int i = 0; i < 3; i++)
        file[HEAD - 6 + 2 * i] = 8;
    FILE *const f = fopen(in_dir("o.tif"), "wb");
    fwrite(file, 1, sizeof(file), f);
    fwrite(jpeg, 1, n, f);
    fclose(f);
    tjFree(jpeg);
    tjDestroy(tj);
    check_flat(in_dir("o.tif"), 30, 60, 200, 3);
}

/* Four samples and no word about the fourth: alpha, as OpenCV writes it. */
static void test_untold_alpha(void **state)
{
    const struct layout l = {.photometric = PHOTOMETRIC_RGB, .bits = 8, .samples = 4, .extra = -1};
    rp_image image;

    (void) state;
    assert_int_equal(read_tiff(&image, write_tiff(&l)), 0);
    assert_int_equal(image.format, RP_PIXEL_BGRA);
    assert_int_equal(image.data[3], 255);
    assert_int_equal(image.data[(H - 1) * image.stride + 3], 102);
    rp_image_free(&image);
}

static void test_unsupported(void **state)
{
    struct layout l = {.photometric = PHOTOMETRIC_RGB,
                       .bits = 16,
                       .samples = 3,
                       .extra = -1,
                       .format = SAMPLEFORMAT_INT};
    uint8_t *data;
    size_t size;
    rp_image image;

    (void) state;
    assert_int_equal(read_tiff(&image, write_tiff(&l)), RP_ERR_UNSUPPORTED);
    assert_non_null(strstr(rp_last_error(), "16-bit signed or complex samples"));
    l.format = 0;
    assert_int_equal(rp_file_read(write_tiff(&l), 1 << 20, &data, &size), 0);
    uint8_t *const tag = memmem(data, size, "\x03\x01\x03\0\x01\0\0\0\x01\0", 10); /* compression */
    assert_non_null(tag);
    tag[8] = 0x98; /* JPEG 2000: 34712 */
    tag[9] = 0x87;
    put_file(in_dir("t.tif"), data, size);
    assert_int_equal(read_tiff(&image, in_dir("t.tif")), RP_ERR_UNSUPPORTED);
    assert_non_null(strstr(rp_last_error(), "compression 34712"));
    free(data);
}

/* A tile, a strip or a picture that says it is huge. */
static void test_hostile(void **state)
{
    static const struct {
        int tag;
        uint8_t size[4];
    } changes[] = {
        {0x142, {0, 0, 0, 0x70}}, {0x143, {0, 0, 0, 0x70}}, {0x142, {0}},         {0x143, {0}},
        {0x100, {0, 0, 1, 0}},    {0x101, {0, 0x7f, 0, 0}}, {0x115, {0xff, 0xff}}};
    uint8_t *data;
    size_t size;
    rp_image image;

    (void) state;
    for (int planar = 0; planar < 2; planar++) {
        const struct layout l = {.photometric = PHOTOMETRIC_RGB,
                                 .bits = 8,
                                 .samples = 3,
                                 .extra = -1,
                                 .planar = planar,
                                 .tile = 16};
        assert_int_equal(rp_file_read(write_tiff(&l), 1 << 20, &data, &size), 0);
        for (size_t i = 0; i < RP_ARRAY_LEN(changes); i++) {
            const uint32_t dir = data[4] | (uint32_t) data[5] << 8;
            for (uint32_t k = 0; k < data[dir]; k++) {
                uint8_t *const p = data + dir + 2 + 12 * k, old[10];
                if ((p[0] | p[1] << 8) != changes[i].tag)
                    continue;
                memcpy(old, p + 2, 10);
                p[2] = changes[i].tag == 0x115 ? 3 : 4; /* a long number */
                memcpy(p + 8, changes[i].size, 4);
                put_file(in_dir("t.tif"), data, size);
                const int ret = read_tiff(&image, in_dir("t.tif"));
                print_message("tag %x %x: %d %s\n", changes[i].tag, changes[i].size[3], ret,
                              rp_last_error());
                memcpy(p + 2, old, 10);
            }
        }
        free(data);
    }
}

/* Wrong bytes and missing ends: a picture or a status, and nothing on stderr. */
static void test_damage(void **state)
{
    static const int ways[] = {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_JPEG,
                               COMPRESSION_ZSTD, COMPRESSION_PACKBITS};
    const int err = dup(2);
    FILE *const said = fopen(in_dir("said"), "w");
    unsigned seed = 1;

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(ways) * 2; i++) {
        const struct layout l = {.photometric = PHOTOMETRIC_RGB,
                                 .bits = 8,
                                 .samples = 3,
                                 .extra = -1,
                                 .compression = ways[i / 2],
                                 .planar = i & 1,
                                 .tile = i & 1 ? 16 : 0};
        uint8_t *data;
        size_t size;

        assert_int_equal(rp_file_read(write_tiff(&l), 1 << 20, &data, &size), 0);
        for (int k = 0; k < 80; k++) {
            rp_image image;
            seed = seed * 1664525u + 1013904223u;
            const size_t back = (seed >> 8) % RP_MIN(size, 400), at = size - 1 - back;
            const uint8_t old = data[at];
            data[at] = (uint8_t) (seed >> 24);
            put_file(in_dir("t.tif"), data, k < 60 ? size : at + 1);
            dup2(fileno(said), 2);
            const int ret = read_tiff(&image, in_dir("t.tif"));
            dup2(err, 2);
            assert_true(ret == 0 || ret == RP_ERR_FORMAT || ret == RP_ERR_LIMIT ||
                        ret == RP_ERR_UNSUPPORTED);
            rp_image_free(&image);
            data[at] = old;
        }
        free(data);
    }
    assert_int_equal(fseek(said, 0, SEEK_END), 0);
    assert_int_equal(ftell(said), 0);
    fclose(said);
    close(err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_depths),       cmocka_unit_test(test_floats),
        cmocka_unit_test(test_alpha),        cmocka_unit_test(test_compressions),
        cmocka_unit_test(test_jpeg),         cmocka_unit_test(test_fax),
        cmocka_unit_test(test_byte_order),   cmocka_unit_test(test_orientation),
        cmocka_unit_test(test_pages),        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_special),      cmocka_unit_test(test_old_jpeg),
        cmocka_unit_test(test_untold_alpha), cmocka_unit_test(test_unsupported),
        cmocka_unit_test(test_hostile),      cmocka_unit_test(test_damage),
    };

    return cmocka_run_group_tests_name("media_tiff", tests, make_dir, remove_dir);
}
