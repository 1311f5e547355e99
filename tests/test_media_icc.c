/* Colour profiles in pictures: converted to sRGB, for every format that carries them. The right
 * values come from the definitions of the colour spaces, not from the library that converts. */
#include "test_media.h"

#include <lcms2.h>
#include <math.h>
#include <tiffio.h>
#include <turbojpeg.h>
#include <webp/encode.h>
#include <webp/mux.h>
#include <zlib.h>

struct bytes {
    uint8_t *data;
    size_t size;
};

/* ---- profiles -------------------------------------------------------------------------------- */

static const cmsCIExyYTRIPLE p3 = {{0.68, 0.32, 1}, {0.265, 0.69, 1}, {0.15, 0.06, 1}};
static const cmsCIExyYTRIPLE bt709 = {{0.64, 0.33, 1}, {0.30, 0.60, 1}, {0.15, 0.06, 1}};
static const cmsCIExyY d65 = {0.3127, 0.3290, 1};

static struct bytes saved(cmsHPROFILE profile)
{
    struct bytes b = {NULL, 0};
    cmsUInt32Number n = 0;

    assert_non_null(profile);
    assert_true(cmsSaveProfileToMem(profile, NULL, &n));
    b.data = malloc(n);
    b.size = n;
    assert_true(cmsSaveProfileToMem(profile, b.data, &n));
    cmsCloseProfile(profile);
    return b;
}

static double decoded(double v) /* sRGB's curve */
{
    return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

static double encoded(double v)
{
    v = fmin(fmax(v, 0), 1);
    return v <= 0.0031308 ? v * 12.92 : 1.055 * pow(v, 1 / 2.4) - 0.055;
}

/* gamma 0: sRGB's curve, as a table like those of monitors' profiles */
static struct bytes rgb_profile(const cmsCIExyYTRIPLE *primaries, double gamma)
{
    uint16_t table[1024];
    cmsToneCurve *curve;

    for (int i = 0; i < 1024; i++)
        table[i] = (uint16_t) lrint(65535 * decoded(i / 1023.0));
    curve =
        gamma > 0 ? cmsBuildGamma(NULL, gamma) : cmsBuildTabulatedToneCurve16(NULL, 1024, table);
    cmsToneCurve *const curves[3] = {curve, curve, curve};
    const struct bytes b = saved(cmsCreateRGBProfile(&d65, primaries, curves));
    cmsFreeToneCurve(curve);
    return b;
}

static struct bytes grey_profile(double gamma)
{
    cmsToneCurve *const curve = cmsBuildGamma(NULL, gamma);
    const struct bytes b = saved(cmsCreateGrayProfile(cmsD50_xyY(), curve));

    cmsFreeToneCurve(curve);
    return b;
}

/* Neutral inks: lightness is 100 (1 - K) (1 - C / 2). */
static cmsInt32Number ink(const uint16_t in[], uint16_t out[], void *priv)
{
    const cmsCIELab lab = {100 * (1 - in[3] / 65535.0) * (1 - in[0] / 131070.0), 0, 0};

    (void) priv;
    cmsFloat2LabEncoded(out, &lab);
    return 1;
}

/* Colours that are no sum of what red, green and blue give: lightness is 100 R (1 - B / 2). */
static cmsInt32Number product(const uint16_t in[], uint16_t out[], void *priv)
{
    const cmsCIELab lab = {100 * (in[0] / 65535.0) * (1 - in[2] / 131070.0), 0, 0};

    (void) priv;
    cmsFloat2LabEncoded(out, &lab);
    return 1;
}

static struct bytes table_profile(unsigned channels, cmsSAMPLER16 sampler)
{
    const cmsHPROFILE profile = cmsCreateProfilePlaceholder(NULL);
    cmsPipeline *const lut = cmsPipelineAlloc(NULL, channels, 3);
    cmsStage *const stage = cmsStageAllocCLut16bit(NULL, 6, channels, 3, NULL);

    assert_true(cmsStageSampleCLut16bit(stage, sampler, NULL, 0));
    cmsPipelineInsertStage(lut, cmsAT_END, cmsStageAllocToneCurves(NULL, channels, NULL));
    cmsPipelineInsertStage(lut, cmsAT_END, stage);
    cmsPipelineInsertStage(lut, cmsAT_END, cmsStageAllocToneCurves(NULL, 3, NULL));
    cmsSetProfileVersion(profile, 4.2);
    cmsSetDeviceClass(profile, cmsSigOutputClass);
    cmsSetColorSpace(profile, channels == 4 ? cmsSigCmykData : cmsSigRgbData);
    cmsSetPCS(profile, cmsSigLabData);
    assert_true(cmsWriteTag(profile, cmsSigAToB0Tag, lut));
    cmsPipelineFree(lut);
    return saved(profile);
}

static struct bytes cmyk_profile(void)
{
    return table_profile(4, ink);
}

/* ---- right values ---------------------------------------------------------------------------- */

/* Display P3 to sRGB, both linear. */
static const double p3_matrix[3][3] = {
    {1.2249401, -0.2249404, 0}, {-0.0420569, 1.0420571, 0}, {-0.0196376, -0.0786361, 1.0982735}};

/* bgr of 0..1 */
static void to_srgb(const double bgr[3], bool wide, double gamma, double out[3])
{
    double linear[3];

    for (int c = 0; c < 3; c++) { /* red first */
        const double v = bgr[2 - c];
        linear[c] = gamma > 0 ? pow(v, gamma) : decoded(v);
    }
    for (int c = 0; c < 3; c++) {
        double v = 0;
        for (int k = 0; k < 3; k++)
            v += (wide ? p3_matrix[c][k] : (double) (c == k)) * linear[k];
        out[2 - c] = 255 * encoded(v);
    }
}

/* ---- files ----------------------------------------------------------------------------------- */

#define W 64
#define H 48

/* Four rectangles; the first two colours are outside sRGB when they are Display P3. */
static const uint8_t colours[4][3] = {{20, 30, 220}, {40, 200, 30}, {180, 140, 90}, {12, 9, 6}};

static const uint8_t *colour_at(int x, int y)
{
    return colours[(y >= H / 2) * 2 + (x >= W / 2)];
}

static void fill(uint8_t bgr[H][W][3])
{
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            memcpy(bgr[y][x], colour_at(x, y), 3);
}

static void put(FILE *f, const void *data, size_t n)
{
    if (n)
        assert_int_equal(fwrite(data, 1, n, f), n);
}

static void put_be32(FILE *f, size_t v)
{
    put(f,
        (const uint8_t[]){(uint8_t) (v >> 24), (uint8_t) (v >> 16), (uint8_t) (v >> 8),
                          (uint8_t) v},
        4);
}

static void put_chunk(FILE *f, const char *name, const uint8_t *data, size_t n)
{
    put_be32(f, n);
    put(f, name, 4);
    put(f, data, n);
    put_be32(f, crc32(crc32(0, (const uint8_t *) name, 4), data, (unsigned) n));
}

/* type 0 grey, 2 RGB, 6 RGBA; rows as PNG has them, without the filter's byte */
static void write_png_rows(const char *path, int w, int h, int bits, int type, const uint8_t *rows,
                           struct bytes icc)
{
    const size_t samples = type == 0 ? 1 : type == 2 ? 3 : 4;
    const size_t row = (size_t) w * samples * (size_t) bits / 8;
    const uint8_t head[13] = {0, 0, 0,           (uint8_t) w,    0,
                              0, 0, (uint8_t) h, (uint8_t) bits, (uint8_t) type};
    uint8_t *const raw = calloc((size_t) h, row + 1);
    uLongf n = compressBound((row + 1) * (size_t) h), icc_size = compressBound(icc.size);
    uint8_t *const packed = malloc(n), *const chunk = calloc(1, 6 + icc_size);
    FILE *const f = fopen(path, "wb");

    for (int y = 0; y < h; y++)
        memcpy(raw + (row + 1) * (size_t) y + 1, rows + row * (size_t) y, row);
    compress(packed, &n, raw, (row + 1) * (size_t) h);
    put(f, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(f, "IHDR", head, 13);
    if (icc.size > 0) {
        memcpy(chunk, "name", sizeof("name"));
        compress(chunk + 6, &icc_size, icc.data, icc.size);
        put_chunk(f, "iCCP", chunk, 6 + icc_size);
    }
    put_chunk(f, "IDAT", packed, n);
    put_chunk(f, "IEND", NULL, 0);
    fclose(f);
    free(raw);
    free(packed);
    free(chunk);
}

static void write_png(const char *path, uint8_t bgr[H][W][3], struct bytes icc)
{
    uint8_t rows[H][W][3];

    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int c = 0; c < 3; c++)
                rows[y][x][c] = bgr[y][x][2 - c];
    write_png_rows(path, W, H, 8, 2, rows[0][0], icc);
}

/* The profile in segments of 100 bytes, last one first. */
static void write_jpeg_bytes(const char *path, const uint8_t *jpeg, size_t size, struct bytes icc)
{
    const int count = (int) ((icc.size + 99) / 100);
    FILE *const f = fopen(path, "wb");

    put(f, jpeg, 2);
    for (int i = count; i >= 1; i--) {
        const size_t at = (size_t) (i - 1) * 100, n = RP_MIN(100, icc.size - at);
        put(f, (const uint8_t[]){0xff, 0xe2, 0, (uint8_t) (n + 16)}, 4);
        put(f, "ICC_PROFILE", 12);
        put(f, (const uint8_t[]){(uint8_t) i, (uint8_t) count}, 2);
        put(f, icc.data + at, n);
    }
    put(f, jpeg + 2, size - 2);
    fclose(f);
}

static void write_jpeg_of(const char *path, const uint8_t *pixels, int format, int sampling,
                          struct bytes icc)
{
    tjhandle tj = tjInitCompress();
    unsigned char *jpeg = NULL;
    unsigned long n = 0;

    assert_int_equal(
        tjCompress2(tj, pixels, W, 0, H, format, &jpeg, &n, sampling, 100, TJFLAG_ACCURATEDCT), 0);
    write_jpeg_bytes(path, jpeg, n, icc);
    tjFree(jpeg);
    tjDestroy(tj);
}

static void write_jpeg(const char *path, uint8_t bgr[H][W][3], struct bytes icc)
{
    write_jpeg_of(path, bgr[0][0], TJPF_BGR, TJSAMP_444, icc);
}

static void write_webp(const char *path, uint8_t bgr[H][W][3], struct bytes icc)
{
    uint8_t *packed = NULL;
    const size_t n = WebPEncodeLosslessBGR(bgr[0][0], W, H, 3 * W, &packed);
    const WebPData picture = {packed, n}, profile = {icc.data, icc.size};
    WebPMux *const mux = WebPMuxNew();
    WebPData all;

    assert_true(n > 0);
    assert_int_equal(WebPMuxSetImage(mux, &picture, 0), WEBP_MUX_OK);
    if (icc.size > 0)
        assert_int_equal(WebPMuxSetChunk(mux, "ICCP", &profile, 0), WEBP_MUX_OK);
    assert_int_equal(WebPMuxAssemble(mux, &all), WEBP_MUX_OK);
    FILE *const f = fopen(path, "wb");
    put(f, all.bytes, all.size);
    fclose(f);
    WebPDataClear(&all);
    WebPMuxDelete(mux);
    WebPFree(packed);
}

static void put_le32(uint8_t *p, size_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t) (v >> (8 * i));
}

static void write_bmp(const char *path, uint8_t bgr[H][W][3], struct bytes icc)
{
    const size_t pixels = (size_t) 3 * W * H;
    uint8_t head[14 + 124] = "BM";
    FILE *const f = fopen(path, "wb");

    put_le32(head + 2, sizeof(head) + pixels + icc.size);
    put_le32(head + 10, sizeof(head));
    put_le32(head + 14, 124);
    put_le32(head + 18, W);
    put_le32(head + 22, H);
    head[26] = 1;
    head[28] = 24;
    put_le32(head + 14 + 56, icc.size > 0 ? 0x4d424544 : 0x73524742); /* "MBED" and "sRGB" */
    put_le32(head + 14 + 112, 124 + pixels);
    put_le32(head + 14 + 116, icc.size);
    put(f, head, sizeof(head));
    for (int y = H - 1; y >= 0; y--)
        put(f, bgr[y], (size_t) 3 * W);
    put(f, icc.data, icc.size);
    fclose(f);
}

/* Rows as TIFF has them. */
static void write_tiff_rows(const char *path, int photometric, int bits, int samples,
                            const uint8_t *rows, struct bytes icc)
{
    TIFF *const tif = TIFFOpen(path, "w");

    TIFFSetField(tif, TIFFTAG_IMAGEWIDTH, W);
    TIFFSetField(tif, TIFFTAG_IMAGELENGTH, H);
    TIFFSetField(tif, TIFFTAG_SAMPLESPERPIXEL, samples);
    TIFFSetField(tif, TIFFTAG_BITSPERSAMPLE, bits);
    TIFFSetField(tif, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(tif, TIFFTAG_PHOTOMETRIC, photometric);
    if (icc.size > 0)
        TIFFSetField(tif, TIFFTAG_ICCPROFILE, (uint32_t) icc.size, icc.data);
    for (int y = 0; y < H; y++)
        assert_int_equal(TIFFWriteScanline(tif,
                                           (void *) (rows + (size_t) y * W * samples * bits / 8),
                                           (uint32_t) y, 0),
                         1);
    TIFFClose(tif);
}

static void write_tiff(const char *path, uint8_t bgr[H][W][3], struct bytes icc)
{
    uint8_t rows[H][W][3];

    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int c = 0; c < 3; c++)
                rows[y][x][c] = bgr[y][x][2 - c];
    write_tiff_rows(path, PHOTOMETRIC_RGB, 8, 3, rows[0][0], icc);
}

typedef void write_fn(const char *path, uint8_t bgr[H][W][3], struct bytes icc);
static write_fn *const writers[] = {write_png, write_jpeg, write_webp, write_bmp, write_tiff};

static int warnings;

static void count_warning(void *priv, enum rp_log_level level, const char *line)
{
    (void) priv;
    warnings += level == RP_LOG_WARN && strstr(line, "colour profile") != NULL;
}

static rp_image read_back(const char *path)
{
    rp_image image;

    warnings = 0;
    rp_set_log(RP_LOG_WARN, count_warning, NULL);
    assert_int_equal(rp_image_read(&image, path), 0);
    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    return image;
}

static const uint8_t *pixel(const rp_image *image, int x, int y)
{
    return image->data + y * image->stride + x * (image->format == RP_PIXEL_BGRA ? 4 : 3);
}

/* ---- tests ----------------------------------------------------------------------------------- */

/* wide: Display P3, else sRGB's primaries */
static void check_colours(write_fn *write, bool wide, double gamma)
{
    const struct bytes icc = rgb_profile(wide ? &p3 : &bt709, gamma);
    uint8_t bgr[H][W][3];

    fill(bgr);
    write(in_dir("c.bin"), bgr, icc);
    rp_image image = read_back(in_dir("c.bin"));
    assert_int_equal(warnings, 0);
    for (int y = 4; y < H; y += 24)
        for (int x = 4; x < W; x += 32) {
            const uint8_t *const from = colour_at(x, y);
            const double v[3] = {from[0] / 255.0, from[1] / 255.0, from[2] / 255.0};
            double right[3];

            to_srgb(v, wide, gamma, right);
            for (int c = 0; c < 3; c++) /* JPEG itself is a level off, and linear darks are steep */
                assert_true(fabs(pixel(&image, x, y)[c] - right[c]) <
                            (write == write_jpeg ? gamma == 1 ? 14 : 3 : 1.6));
        }
    rp_image_free(&image);
    free(icc.data);
}

static void test_colours(void **state)
{
    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(writers); i++) {
        check_colours(writers[i], true, 2.2);
        check_colours(writers[i], true, 0);
        check_colours(writers[i], false, 1);
        check_colours(writers[i], false, 1.8);
    }
}

/* sRGB, as a formula and as a table: every byte stays. */
static void test_srgb_stays(void **state)
{
    const struct bytes profiles[] = {saved(cmsCreate_sRGBProfile()), rgb_profile(&bt709, 0)};
    uint8_t bgr[H][W][3];

    (void) state;
    for (size_t i = 0; i < sizeof(bgr); i++)
        ((uint8_t *) bgr)[i] = (uint8_t) (i * 2654435761u >> 13);
    for (size_t i = 0; i < RP_ARRAY_LEN(writers); i++) {
        writers[i](in_dir("s.bin"), bgr, (struct bytes){NULL, 0});
        rp_image plain = read_back(in_dir("s.bin"));
        for (size_t k = 0; k < RP_ARRAY_LEN(profiles); k++) {
            writers[i](in_dir("s.bin"), bgr, profiles[k]);
            rp_image image = read_back(in_dir("s.bin"));
            assert_memory_equal(image.data, plain.data, sizeof(bgr));
            assert_int_equal(warnings, 0);
            rp_image_free(&image);
        }
        rp_image_free(&plain);
    }
    for (size_t k = 0; k < RP_ARRAY_LEN(profiles); k++)
        free(profiles[k].data);
}

/* Linear Display P3 with 16 bits and alpha: the low byte decides about the darks. */
static void test_deep_png(void **state)
{
    const struct bytes icc = rgb_profile(&p3, 1);
    uint8_t rows[4][32][8];

    (void) state;
    for (int i = 0; i < 128; i++) {
        const uint16_t v[4] = {(uint16_t) (7 * i), (uint16_t) (40000 - 256 * i),
                               (uint16_t) (500 * i), (uint16_t) (65535 - 300 * i)};
        for (int c = 0; c < 4; c++) {
            rows[i / 32][i % 32][2 * c] = (uint8_t) (v[c] >> 8);
            rows[i / 32][i % 32][2 * c + 1] = (uint8_t) v[c];
        }
    }
    write_png_rows(in_dir("d.png"), 32, 4, 16, 6, rows[0][0], icc);
    rp_image image = read_back(in_dir("d.png"));
    assert_int_equal(image.format, RP_PIXEL_BGRA);
    for (int i = 0; i < 128; i++) {
        const double bgr[3] = {500 * i / 65535.0, (40000 - 256 * i) / 65535.0, 7 * i / 65535.0};
        const uint8_t *const p = pixel(&image, i % 32, i / 32);
        double right[3];

        to_srgb(bgr, true, 1, right);
        for (int c = 0; c < 3; c++)
            assert_true(fabs(p[c] - right[c]) < 1.1);
        assert_int_equal(p[3], (65535 - 300 * i) >> 8);
    }
    rp_image_free(&image);
    free(icc.data);
}

static void test_grey(void **state)
{
    const struct bytes icc = grey_profile(1);
    uint8_t grey[H * W * 2];

    (void) state;
    for (int i = 0; i < W * H; i++)
        grey[i] = (uint8_t) (i % W < W / 2 ? 50 : 200);
    write_jpeg_of(in_dir("g.jpg"), grey, TJPF_GRAY, TJSAMP_GRAY, icc);
    rp_image image = read_back(in_dir("g.jpg"));
    for (int c = 0; c < 3; c++) {
        assert_true(fabs(pixel(&image, 5, 5)[c] - 255 * encoded(50 / 255.0)) < 1.1);
        assert_true(fabs(pixel(&image, 60, 5)[c] - 255 * encoded(200 / 255.0)) < 1.1);
    }
    rp_image_free(&image);
    for (int i = 0; i < W * H; i++) {
        grey[2 * i] = (uint8_t) (i >> 8);
        grey[2 * i + 1] = (uint8_t) i;
    }
    write_png_rows(in_dir("g.png"), W, H, 16, 0, grey, icc);
    image = read_back(in_dir("g.png"));
    for (int i = 0; i < W * H; i += 37) {
        const int y = i / W;
        assert_true(fabs(pixel(&image, i % W, y)[1] - 255 * encoded(i / 65535.0)) < 1.1);
    }
    assert_int_equal(warnings, 0);
    rp_image_free(&image);
    for (int i = 0; i < W * H; i++)
        memcpy(grey + 2 * i, &(const uint16_t){(uint16_t) i}, 2);
    write_tiff_rows(in_dir("g.tif"), PHOTOMETRIC_MINISBLACK, 16, 1, grey, icc);
    image = read_back(in_dir("g.tif"));
    for (int i = 0; i < W * H; i += 37) {
        const int y = i / W;
        assert_true(fabs(pixel(&image, i % W, y)[1] - 255 * encoded(i / 65535.0)) < 1.1);
    }
    assert_int_equal(warnings, 0);
    rp_image_free(&image);
    free(icc.data);
}

static void check_inks(const char *path)
{
    rp_image image = read_back(path);

    assert_int_equal(warnings, 0);
    for (int k = 0; k < 2; k++) {
        const double lightness = 70 * (k ? 0.6 : 1);
        const double right = 255 * encoded(pow((lightness + 16) / 116, 3));
        for (int c = 0; c < 3; c++)
            assert_true(fabs(pixel(&image, k ? W - 5 : 5, 20)[c] - right) < 3);
    }
    rp_image_free(&image);
}

/* libjpeg-turbo writes inks as Adobe does: inverted, and turned into YCCK. TIFF does not. */
static void test_inks(void **state)
{
    const struct bytes icc = cmyk_profile();
    uint8_t cmyk[H * W * 4];

    (void) state;
    for (int i = 0; i < W * H; i++) { /* cyan 60 per cent; black 0 or 40 */
        memset(cmyk + 4 * i, 255, 4);
        cmyk[4 * i] = 102;
        cmyk[4 * i + 3] = (uint8_t) (i % W < W / 2 ? 255 : 153);
    }
    write_jpeg_of(in_dir("i.jpg"), cmyk, TJPF_CMYK, TJSAMP_444, icc);
    check_inks(in_dir("i.jpg"));
    for (size_t i = 0; i < sizeof(cmyk); i++)
        cmyk[i] = 255 - cmyk[i];
    write_tiff_rows(in_dir("i.tif"), PHOTOMETRIC_SEPARATED, 8, 4, cmyk, icc);
    check_inks(in_dir("i.tif"));
    free(icc.data);
}

/* A profile of a table, with 8 and 16 bits. */
static void test_table(void **state)
{
    const struct bytes icc = table_profile(3, product);
    const double right = 255 * encoded(pow((48.0 + 16) / 116, 3));
    uint8_t rgb[H * W * 6];

    (void) state;
    for (int bits = 8; bits <= 16; bits += 8) {
        for (int i = 0; i < W * H; i++)
            for (int c = 0; c < 3 * bits / 8; c++) /* 60 per cent red, 40 blue */
                rgb[i * 3 * bits / 8 + c] = (const uint8_t[]){153, 77, 102}[c * 8 / bits];
        write_tiff_rows(in_dir("t.tif"), PHOTOMETRIC_RGB, bits, 3, rgb, icc);
        rp_image image = read_back(in_dir("t.tif"));
        assert_int_equal(warnings, 0);
        for (int c = 0; c < 3; c++)
            assert_true(fabs(pixel(&image, 7, 9)[c] - right) < 1.6);
        rp_image_free(&image);
    }
    free(icc.data);
}

/* One warning, and pixels as without a profile. */
static void check_unusable(write_fn *write, struct bytes icc)
{
    uint8_t bgr[H][W][3];

    fill(bgr);
    write(in_dir("u.bin"), bgr, (struct bytes){NULL, 0});
    rp_image plain = read_back(in_dir("u.bin"));
    write(in_dir("u.bin"), bgr, icc);
    rp_image image = read_back(in_dir("u.bin"));
    assert_int_equal(warnings, 1);
    assert_memory_equal(image.data, plain.data, sizeof(bgr));
    rp_image_free(&image);
    rp_image_free(&plain);
}

static void test_unusable(void **state)
{
    const struct bytes cmyk = cmyk_profile(), grey = grey_profile(1.8),
                       good = rgb_profile(&p3, 2.2);
    uint8_t noise[2000];

    (void) state;
    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (uint8_t) (i * 2654435761u >> 11);
    for (size_t i = 0; i < RP_ARRAY_LEN(writers); i++) {
        check_unusable(writers[i], cmyk);
        check_unusable(writers[i], (struct bytes){noise, sizeof(noise)});
        check_unusable(writers[i], (struct bytes){good.data, 100});
        check_unusable(writers[i], (struct bytes){good.data, good.size - 60});
        if (writers[i] != write_png) /* libspng knows that this is wrong, and drops it */
            check_unusable(writers[i], grey);
    }
    free(cmyk.data);
    free(grey.data);
    free(good.data);
}

/* A segment is missing. */
static void test_pieces(void **state)
{
    const struct bytes icc = rgb_profile(&p3, 2.2);
    uint8_t bgr[H][W][3], *data;
    size_t size;

    (void) state;
    fill(bgr);
    write_jpeg(in_dir("p.jpg"), bgr, icc);
    assert_int_equal(rp_file_read(in_dir("p.jpg"), 1 << 20, &data, &size), 0);
    const size_t first = 2 + 2 + (size_t) data[5];
    memmove(data + 2, data + first, size - first);
    assert_int_equal(rp_file_write(in_dir("p.jpg"), data, size - first + 2), 0);
    rp_image image = read_back(in_dir("p.jpg"));
    assert_int_equal(warnings, 1);
    assert_in_range(pixel(&image, 5, 5)[2], 218, 222);
    rp_image_free(&image);
    free(data);
    free(icc.data);
}

/* Any byte of a profile may be wrong: the picture is read all the same. */
static void test_damage(void **state)
{
    const struct bytes profiles[] = {rgb_profile(&p3, 2.2), rgb_profile(&p3, 0), cmyk_profile(),
                                     grey_profile(2.2)};
    unsigned seed = 1;
    uint8_t bgr[H][W][3];

    (void) state;
    fill(bgr);
    for (size_t i = 0; i < RP_ARRAY_LEN(profiles); i++) {
        for (int k = 0; k < 100; k++) {
            const size_t size = RP_MIN(profiles[i].size, 900);
            const size_t at = (seed = seed * 1664525u + 1013904223u) % size;
            const uint8_t old = profiles[i].data[at];
            profiles[i].data[at] = (uint8_t) (seed >> 24);
            write_bmp(in_dir("x.bmp"), bgr, profiles[i]);
            rp_image image = read_back(in_dir("x.bmp"));
            rp_image_free(&image);
            profiles[i].data[at] = old;
        }
        free(profiles[i].data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_colours),  cmocka_unit_test(test_srgb_stays),
        cmocka_unit_test(test_deep_png), cmocka_unit_test(test_grey),
        cmocka_unit_test(test_inks),     cmocka_unit_test(test_unusable),
        cmocka_unit_test(test_pieces),   cmocka_unit_test(test_damage),
        cmocka_unit_test(test_table),
    };

    return cmocka_run_group_tests_name("media_icc", tests, make_dir, remove_dir);
}
