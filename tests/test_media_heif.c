/* HEIC and AVIF: files are written by libheif, read by the program. Skipped where libheif has no
 * encoder for a format. */
#include "test_media.h"

#include <libheif/heif.h>
#include <math.h>

#include "media/icc.h"

#define W 64
#define H 48

static const enum heif_compression_format formats[] = {heif_compression_HEVC, heif_compression_AV1};

struct file {
    enum heif_compression_format format;
    int bits, orientation; /* 0: none */
    bool alpha, exif;
    const uint8_t *icc;
    size_t icc_size;
    int primaries, transfer; /* 0: none */
    int pictures;
};

static int warnings;

static void count_warning(void *priv, enum rp_log_level level, const char *line)
{
    (void) priv;
    (void) line;
    warnings += level == RP_LOG_WARN;
}

static int read_heif(rp_image *image)
{
    warnings = 0;
    rp_set_log(RP_LOG_WARN, count_warning, NULL);
    const int ret = rp_image_read(image, in_dir("p.heic"));
    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    return ret;
}

/* ---- writing --------------------------------------------------------------------------------- */

static const uint8_t colours[4][3] = {{20, 30, 220}, {40, 200, 30}, {180, 140, 90}, {12, 9, 6}};

static const uint8_t *colour_at(int x, int y)
{
    return colours[(y >= H / 2) * 2 + (x >= W / 2)];
}

static void must(struct heif_error error)
{
    if (error.code != heif_error_Ok)
        fail_msg("%s", error.message);
}

static void put_sample(const struct file *f, uint8_t *p, int value)
{
    const int v = value * ((1 << f->bits) - 1) / 255;

    p[0] = (uint8_t) v;
    if (f->bits > 8)
        p[1] = (uint8_t) (v >> 8);
}

static struct heif_image *make_image(const struct file *f)
{
    const enum heif_chroma chroma =
        f->bits > 8
            ? (f->alpha ? heif_chroma_interleaved_RRGGBBAA_LE : heif_chroma_interleaved_RRGGBB_LE)
            : (f->alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB);
    const int samples = f->alpha ? 4 : 3, bytes = f->bits > 8 ? 2 : 1;
    struct heif_image *image = NULL;
    int stride;

    must(heif_image_create(W, H, heif_colorspace_RGB, chroma, &image));
    must(heif_image_add_plane(image, heif_channel_interleaved, W, H, f->bits));
    uint8_t *const data = heif_image_get_plane(image, heif_channel_interleaved, &stride);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int c = 0; c < samples; c++)
                put_sample(f, data + y * stride + (x * samples + c) * bytes,
                           c < 3       ? colour_at(x, y)[2 - c]
                           : y < H / 2 ? 255
                                       : 100);
    return image;
}

static void set_colours(const struct file *f, struct heif_image *image)
{
    if (f->icc)
        must(heif_image_set_raw_color_profile(image, "prof", f->icc, f->icc_size));
    if (!f->primaries)
        return;
    struct heif_color_profile_nclx *const n = heif_nclx_color_profile_alloc();
    must(heif_nclx_color_profile_set_color_primaries(n, (uint16_t) f->primaries));
    must(heif_nclx_color_profile_set_transfer_characteristics(n, (uint16_t) f->transfer));
    must(heif_image_set_nclx_color_profile(image, n));
    heif_nclx_color_profile_free(n);
}

static struct heif_error on_write(struct heif_context *context, const void *data, size_t size,
                                  void *priv)
{
    (void) context;
    fwrite(data, 1, size, priv);
    return (struct heif_error){heif_error_Ok, heif_suberror_Unspecified, ""};
}

/* False if there is no encoder. */
static bool write_heif(const struct file *f)
{
    static const uint8_t exif[] = "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    struct heif_context *const context = heif_context_alloc();
    struct heif_encoding_options *const options = heif_encoding_options_alloc();
    struct heif_writer writer = {1, on_write};
    struct heif_encoder *encoder = NULL;

    options->macOS_compatibility_workaround_no_nclx_profile = 0;

    const bool have =
        heif_context_get_encoder_for_format(context, f->format, &encoder).code == heif_error_Ok;
    for (int i = 0; have && i < RP_MAX(f->pictures, 1); i++) {
        struct heif_image *const image = make_image(f);
        struct heif_image_handle *handle = NULL;
        set_colours(f, image);
        heif_encoder_set_lossy_quality(encoder, 100);
        /* libheif 1.15 tells AV1's encoder another kind of stream for more bits */
        heif_encoder_set_parameter(
            encoder, "chroma", f->format == heif_compression_AV1 && f->bits > 8 ? "422" : "444");
        if (f->orientation)
            options->image_orientation = (enum heif_orientation) f->orientation;
        must(heif_context_encode_image(context, image, encoder, options, &handle));
        if (f->exif)
            must(heif_context_add_exif_metadata(context, handle, exif, sizeof(exif)));
        heif_image_handle_release(handle);
        heif_image_release(image);
    }
    if (have) {
        FILE *const out = fopen(in_dir("p.heic"), "wb");
        must(heif_context_write(context, &writer, out));
        fclose(out);
        heif_encoder_release(encoder);
    }
    heif_encoding_options_free(options);
    heif_context_free(context);
    return have;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void check_pixel(const rp_image *image, int x, int y, const uint8_t *right, int tolerance)
{
    const int bytes = image->format == RP_PIXEL_BGRA ? 4 : 3;
    const uint8_t *const p = image->data + y * image->stride + x * bytes;

    for (int c = 0; c < 3; c++)
        assert_true(abs(p[c] - right[c]) <= tolerance);
    if (bytes == 4)
        assert_true(abs(p[3] - (y < H / 2 ? 255 : 100)) <= 2);
}

static void test_plain(void **state)
{
    enum rp_media_kind kind;
    rp_image image;

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(formats); i++)
        for (int k = 0; k < 4; k++) {
            const struct file f = {formats[i], .bits = k & 1 ? 10 : 8, .alpha = k >= 2};
            if (k == 3 && i == 1) /* libheif 1.15 writes no such file */
                continue;
            if (!write_heif(&f))
                continue;
            assert_int_equal(rp_media_probe(in_dir("p.heic"), &kind), 0);
            assert_int_equal(kind, RP_MEDIA_IMAGE);
            assert_int_equal(read_heif(&image), 0);
            assert_int_equal(warnings, 0);
            assert_int_equal(image.w, W);
            assert_int_equal(image.h, H);
            assert_int_equal(image.format, f.alpha ? RP_PIXEL_BGRA : RP_PIXEL_BGR);
            for (int y = 8; y < H; y += H / 2)
                for (int x = 8; x < W; x += W / 2)
                    check_pixel(&image, x, y, colour_at(x, y), 4);
            rp_image_free(&image);
        }
}

/* What the file says, once, and not what EXIF says. */
static void test_orientation(void **state)
{
    static const int X[9] = {0, 5, W - 6, W - 6, 5, 3, H - 4, H - 4, 3};
    static const int Y[9] = {0, 3, 3, H - 4, H - 4, 5, 5, W - 6, W - 6};
    rp_image image;

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(formats); i++)
        for (int o = 1; o <= 8; o++) {
            const struct file f = {formats[i], .bits = 8, .orientation = o, .exif = true};
            if (!write_heif(&f))
                continue;
            assert_int_equal(read_heif(&image), 0);
            assert_int_equal(image.w, o >= 5 ? H : W);
            check_pixel(&image, X[o], Y[o], colour_at(5, 3), 4);
            rp_image_free(&image);
        }
}

static double encoded(double v)
{
    v = fmin(fmax(v, 0), 1);
    return v <= 0.0031308 ? v * 12.92 : 1.055 * pow(v, 1 / 2.4) - 0.055;
}

/* Display P3 of gamma 2.2 or sRGB's curve (0) to sRGB. */
static void of_p3(const uint8_t *bgr, double gamma, uint8_t right[3])
{
    static const double m[3][3] = {{1.2249401, -0.2249404, 0},
                                   {-0.0420569, 1.0420571, 0},
                                   {-0.0196376, -0.0786361, 1.0982735}};

    for (int c = 0; c < 3; c++) {
        double sum = 0;
        for (int k = 0; k < 3; k++) {
            const double v = bgr[2 - k] / 255.0;
            sum += m[c][k] * (gamma > 0     ? pow(v, gamma)
                              : v < 0.04045 ? v / 12.92
                                            : pow((v + 0.055) / 1.055, 2.4));
        }
        right[2 - c] = (uint8_t) lrint(255 * encoded(sum));
    }
}

/* A profile, and colours given by numbers. */
static void test_colours(void **state)
{
    static const float p3[8] = {0.68f, 0.32f, 0.265f, 0.69f, 0.15f, 0.06f, 0.3127f, 0.3290f};
    size_t size;
    uint8_t *const icc = rp_icc_make(p3, 2.2, &size);
    rp_image image;

    (void) state;
    assert_non_null(icc);
    for (size_t i = 0; i < RP_ARRAY_LEN(formats); i++)
        for (int k = 0; k < 4; k++) {
            struct file f = {formats[i], .bits = k & 1 ? 10 : 8};
            uint8_t right[3];
            if (k < 2)
                f.icc = icc, f.icc_size = size;
            else
                f.primaries = 12, f.transfer = 13;
            if (!write_heif(&f))
                continue;
            assert_int_equal(read_heif(&image), 0);
            assert_int_equal(warnings, 0);
            for (int y = 8; y < H; y += H / 2)
                for (int x = 8; x < W; x += W / 2) {
                    of_p3(colour_at(x, y), k < 2 ? 2.2 : 0, right);
                    check_pixel(&image, x, y, right, 5);
                }
            rp_image_free(&image);
        }
    free(icc);
}

static void test_words(void **state)
{
    const struct file several = {formats[0], .bits = 8, .pictures = 2};
    const struct file hdr = {formats[1], .bits = 10, .primaries = 1, .transfer = 16};
    rp_image image;

    (void) state;
    if (write_heif(&several)) {
        assert_int_equal(read_heif(&image), 0);
        assert_int_equal(warnings, 1);
        rp_image_free(&image);
    }
    if (write_heif(&hdr)) {
        assert_int_equal(read_heif(&image), 0);
        assert_int_equal(warnings, 1);
        rp_image_free(&image);
    }
}

static void put_file(const uint8_t *data, size_t size)
{
    FILE *const f = fopen(in_dir("p.heic"), "wb");

    assert_int_equal(fwrite(data, 1, size, f), size);
    fclose(f);
}

static void test_damage(void **state)
{
    unsigned seed = 1;

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(formats); i++) {
        const struct file f = {formats[i], .bits = 8, .alpha = true};
        uint8_t *data;
        size_t size;

        if (!write_heif(&f))
            continue;
        assert_int_equal(rp_file_read(in_dir("p.heic"), 1 << 20, &data, &size), 0);
        for (int k = 0; k < 150; k++) {
            rp_image image;
            const size_t at = 12 + (seed = seed * 1664525u + 1013904223u) % (size - 12);
            const uint8_t old = data[at];
            data[at] = (uint8_t) (seed >> 24);
            put_file(data, k < 100 ? size : at);
            const int ret = read_heif(&image);
            assert_true(ret == 0 || ret == RP_ERR_FORMAT || ret == RP_ERR_LIMIT ||
                        ret == RP_ERR_UNSUPPORTED);
            rp_image_free(&image);
            data[at] = old;
        }
        free(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),   cmocka_unit_test(test_orientation),
        cmocka_unit_test(test_colours), cmocka_unit_test(test_words),
        cmocka_unit_test(test_damage),
    };

    return cmocka_run_group_tests_name("media_heif", tests, make_dir, remove_dir);
}
