/* Pictures: every format written and read, EXIF turns, marks, limits, broken files. */
#include "test_media.h"

#include <sys/mman.h>
#include <turbojpeg.h>
#include <zlib.h>

#include "media/av.h"

static const char *const formats[] = {"jpg", "png", "webp", "bmp", "tiff"};

/* Smooth, but with different quadrants, so that turns and swapped channels are noticed. */
static rp_image make_image(int w, int h, enum rp_pixel format)
{
    const int bytes = format == RP_PIXEL_BGRA ? 4 : 3;
    rp_image image = {.stride = (ptrdiff_t) w * bytes + 5, .w = w, .h = h, .format = format};

    image.data = calloc((size_t) image.stride, (size_t) h);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            uint8_t *const p = image.data + y * image.stride + x * bytes;
            p[0] = (uint8_t) (255 * x / w);
            p[1] = (uint8_t) (255 * y / h);
            p[2] = (uint8_t) (x < w / 2 ? 30 : 200);
            if (bytes == 4)
                p[3] = (uint8_t) (255 - 200 * y / h);
        }
    return image;
}

static int max_difference(const rp_image *a, const rp_image *b, int channels)
{
    const int na = a->format == RP_PIXEL_BGRA ? 4 : 3, nb = b->format == RP_PIXEL_BGRA ? 4 : 3;
    int worst = 0;

    for (int y = 0; y < a->h; y++)
        for (int x = 0; x < a->w; x++)
            for (int c = 0; c < channels; c++) {
                const int d =
                    a->data[y * a->stride + x * na + c] - b->data[y * b->stride + x * nb + c];
                worst = RP_MAX(worst, abs(d));
            }
    return worst;
}

static void round_trip(const char *ext, enum rp_pixel format, int w, int h)
{
    rp_image from = make_image(w, h, format), to;
    const bool lossy = !strcmp(ext, "jpg") || !strcmp(ext, "webp");
    char name[32];

    snprintf(name, sizeof(name), "p.%s", ext);
    const char *const path = in_dir(name);
    assert_int_equal(rp_image_write(&from, path, 100), 0);
    assert_int_equal(rp_image_read(&to, path), 0);
    assert_int_equal(to.w, w);
    assert_int_equal(to.h, h);
    const bool alpha = format == RP_PIXEL_BGRA && strcmp(ext, "jpg") != 0;
    assert_int_equal(to.format, alpha ? RP_PIXEL_BGRA : RP_PIXEL_BGR);
    /* WebP halves chroma at any quality: the red step blurs */
    assert_in_range(max_difference(&from, &to, alpha ? 4 : 3), 0,
                    !lossy          ? 0
                    : ext[0] == 'j' ? 6
                                    : 100);
    rp_image_free(&to);
    free(from.data);
    unlink(path);
}

static void test_round_trip(void **state)
{
    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(formats); i++)
        for (int alpha = 0; alpha < 2; alpha++) {
            round_trip(formats[i], alpha ? RP_PIXEL_BGRA : RP_PIXEL_BGR, 37, 23);
            round_trip(formats[i], alpha ? RP_PIXEL_BGRA : RP_PIXEL_BGR, 640, 150);
        }
}

static void test_extreme_sizes(void **state)
{
    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(formats); i++) {
        round_trip(formats[i], RP_PIXEL_BGR, 1, 1);
        if (strcmp(formats[i], "webp") != 0) { /* holds 16383 */
            round_trip(formats[i], RP_PIXEL_BGR, 16384, 2);
            round_trip(formats[i], RP_PIXEL_BGR, 3, 16384);
        }
    }
    rp_image wide = make_image(16384, 1, RP_PIXEL_BGR);
    assert_int_equal(rp_image_write(&wide, in_dir("wide.webp"), 80), RP_ERR_LIMIT);
    assert_int_equal(access(in_dir("wide.webp"), F_OK), -1);
    free(wide.data);
}

static void test_scale(void **state)
{
    rp_image from = make_image(60, 40, RP_PIXEL_BGRA), to;

    (void) state;
    assert_int_equal(rp_image_scale(&to, &from, 31, 90), 0);
    assert_int_equal(to.w, 31);
    assert_int_equal(to.format, RP_PIXEL_BGRA);
    assert_in_range(to.data[45 * to.stride + 15 * 4], 115, 140); /* halfway from left to right */
    rp_image_free(&to);
    assert_int_equal(rp_image_scale(&to, &from, 0, 90), RP_ERR_LIMIT);
    assert_int_equal(rp_image_scale(&to, &from, 40000, 1), RP_ERR_LIMIT);
    free(from.data);
}

/* Nothing after the picture is written to, even by vector code. */
static void test_scale_at_the_end(void **state)
{
    const int side = 512;
    const size_t size = (size_t) 3 * side * side, page = (size_t) sysconf(_SC_PAGESIZE);
    uint8_t *const memory =
        mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void) state;
    assert_true(memory != MAP_FAILED && size % page == 0);
    assert_int_equal(mprotect(memory + size, page, PROT_NONE), 0);
    memset(memory, 77, size);
    for (int to_side = 255; to_side < 259; to_side++) {
        const rp_image from = {.w = side, .h = side, .format = RP_PIXEL_BGR,
                               .stride = (ptrdiff_t) 3 * side, .data = memory};
        rp_image to;

        assert_int_equal(rp_image_scale(&to, &from, to_side, to_side), 0);
        for (int i = 0; i < 3 * to_side * to_side; i++)
            assert_in_range(to.data[i], 76, 78);
        rp_image_free(&to);
    }
    munmap(memory, size + page);
}

static void test_quality(void **state)
{
    rp_image from = make_image(64, 64, RP_PIXEL_BGR);
    long sizes[3];

    (void) state;
    for (int i = 0; i < 3; i++) {
        uint8_t *data = NULL;
        size_t size = 0;
        assert_int_equal(rp_image_write(&from, in_dir("q.jpg"), i * 50), 0);
        assert_int_equal(rp_file_read(in_dir("q.jpg"), 1 << 20, &data, &size), 0);
        sizes[i] = (long) size;
        free(data);
    }
    assert_true(sizes[0] < sizes[1] && sizes[1] < sizes[2]);
    assert_int_equal(rp_image_write(&from, in_dir("q.xyz"), 80), RP_ERR_USAGE);
    assert_int_equal(rp_image_write(&from, in_dir("none/q.png"), 80), RP_ERR_IO);
    free(from.data);
}

/* ---- EXIF ------------------------------------------------------------------------------------ */

/* 26 bytes: a directory with one tag. */
static void make_exif(uint8_t exif[26], int orientation, bool big)
{
    static const uint8_t little_end[27] = "II*\0\x08\0\0\0"
                                          "\x01\0"
                                          "\x12\x01\x03\0\x01\0\0\0";
    static const uint8_t big_end[27] = "MM\0*\0\0\0\x08"
                                       "\0\x01"
                                       "\x01\x12\0\x03\0\0\0\x01";

    memcpy(exif, big ? big_end : little_end, 26);
    exif[18 + big] = (uint8_t) orientation;
}

/* Put bytes into a file's data at a place. */
static void write_inserted(const char *path, const uint8_t *data, size_t size, size_t at,
                           const uint8_t *more, size_t n)
{
    FILE *const f = fopen(path, "wb");

    fwrite(data, 1, at, f);
    fwrite(more, 1, n, f);
    fwrite(data + at, 1, size - at, f);
    fclose(f);
}

typedef void write_exif_fn(const char *path, uint8_t *data, size_t size, const uint8_t exif[26],
                           bool head);

static void write_jpeg_exif(const char *path, uint8_t *data, size_t size, const uint8_t exif[26],
                            bool head)
{
    uint8_t segment[36] = "\xff\xe1\0\x22"
                          "Exif\0";

    (void) head; /* always */
    memcpy(segment + 10, exif, 26);
    write_inserted(path, data, size, 2, segment, sizeof(segment));
}

/* After the picture, where the standard allows it too. */
static void write_png_exif(const char *path, uint8_t *data, size_t size, const uint8_t exif[26],
                           bool head)
{
    uint8_t chunk[4 + 4 + 32 + 4] = {0, 0, 0, head ? 32 : 26, 'e', 'X', 'I', 'f'};
    const size_t n = chunk[3];

    memcpy(chunk + 8, "Exif\0", 6);
    memcpy(chunk + 8 + n - 26, exif, 26);
    const uint32_t crc = (uint32_t) crc32(0, chunk + 4, (unsigned) n + 4);
    for (int i = 0; i < 4; i++)
        chunk[8 + n + (size_t) i] = (uint8_t) (crc >> (24 - 8 * i));
    write_inserted(path, data, size, size - 12, chunk, n + 12);
}

static void write_webp_exif(const char *path, uint8_t *data, size_t size, const uint8_t exif[26],
                            bool head)
{
    uint8_t chunk[8 + 32] = {'E', 'X', 'I', 'F', head ? 32 : 26};
    const size_t n = chunk[4], whole = size - 8 + 8 + n;

    memcpy(chunk + 8, "Exif\0", 6);
    memcpy(chunk + 8 + n - 26, exif, 26);
    for (int i = 0; i < 4; i++)
        data[4 + i] = (uint8_t) (whole >> (8 * i));
    write_inserted(path, data, size, size, chunk, n + 8);
    for (int i = 0; i < 4; i++)
        data[4 + i] = (uint8_t) ((size - 8) >> (8 * i));
}

/* Where the pixel (x, y) of the upright picture lies in the stored one. */
static void stored_place(int orientation, int w, int h, int x, int y, int *sx, int *sy)
{
    const int X[9] = {0, x, w - 1 - x, w - 1 - x, x, y, y, w - 1 - y, w - 1 - y};
    const int Y[9] = {0, y, y, h - 1 - y, h - 1 - y, x, h - 1 - x, h - 1 - x, x};

    *sx = X[orientation];
    *sy = Y[orientation];
}

static void check_turned(const rp_image *to, const rp_image *plain, int orientation)
{
    assert_int_equal(to->w, orientation >= 5 ? plain->h : plain->w);
    for (int y = 0; y < to->h; y++)
        for (int x = 0; x < to->w; x++) {
            int sx, sy;

            stored_place(orientation, plain->w, plain->h, x, y, &sx, &sy);
            assert_memory_equal(to->data + y * to->stride + x * 3,
                                plain->data + sy * plain->stride + sx * 3, 3);
        }
}

static void test_exif_orientation(void **state)
{
    static const struct {
        const char *name;
        write_exif_fn *write;
    } containers[] = {
        {"e.jpg", write_jpeg_exif}, {"e.png", write_png_exif}, {"e.webp", write_webp_exif}};
    rp_image from = make_image(48, 32, RP_PIXEL_BGR), plain, to;
    uint8_t *data, exif[26];
    size_t size;

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(containers); i++) {
        assert_int_equal(rp_image_write(&from, in_dir(containers[i].name), 95), 0);
        assert_int_equal(rp_file_read(in_dir(containers[i].name), 1 << 20, &data, &size), 0);
        assert_int_equal(rp_image_read(&plain, in_dir(containers[i].name)), 0);
        for (int o = 1; o <= 8; o++) {
            make_exif(exif, o, o & 1);
            containers[i].write(in_dir("o.bin"), data, size, exif, o & 2);
            assert_int_equal(rp_image_read(&to, in_dir("o.bin")), 0);
            check_turned(&to, &plain, o);
            rp_image_free(&to);
        }
        rp_image_free(&plain);
        free(data);
    }
    free(from.data);
}

/* Known by its first bytes, also where there is nothing more. */
static void test_heif(void **state)
{
    static const char *const brands[] = {"heic", "mif1", "avif", "avis"};
    static const char *const kinds[] = {"HEIC", "HEIF", "AVIF", "AVIF"};
    uint8_t data[64] = "\0\0\0\x18"
                       "ftyp";
    enum rp_media_kind kind;
    rp_image image;

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(brands); i++) {
        memcpy(data + 8, brands[i], 4);
        assert_int_equal(rp_file_write(in_dir("p.heic"), data, sizeof(data)), 0);
        assert_true(rp_image_read(&image, in_dir("p.heic")) < 0);
        assert_non_null(strstr(rp_last_error(), kinds[i]));
        assert_int_equal(rp_media_probe(in_dir("p.heic"), &kind), 0);
        assert_int_equal(kind, RP_MEDIA_IMAGE);
    }
}

static int warnings;

static void count_warning(void *priv, enum rp_log_level level, const char *line)
{
    (void) priv;
    warnings += level == RP_LOG_WARN && strstr(line, "only the first picture") != NULL;
}

/* A PNG with the chunk that announces more pictures; one that announces a single one is still. */
static void test_animated_png(void **state)
{
    rp_image from = make_image(16, 16, RP_PIXEL_BGR), to;
    uint8_t *data, chunk[20] = {0, 0, 0, 8, 'a', 'c', 'T', 'L'};
    size_t size;

    (void) state;
    assert_int_equal(rp_image_write(&from, in_dir("a.png"), 0), 0);
    assert_int_equal(rp_file_read(in_dir("a.png"), 1 << 20, &data, &size), 0);
    rp_set_log(RP_LOG_WARN, count_warning, NULL);
    for (int pictures = 1; pictures <= 2; pictures++) {
        chunk[11] = (uint8_t) pictures;
        const uint32_t crc = (uint32_t) crc32(0, chunk + 4, 12);
        for (int i = 0; i < 4; i++)
            chunk[16 + i] = (uint8_t) (crc >> (24 - 8 * i));
        write_inserted(in_dir("b.png"), data, size, 8 + 25, chunk, sizeof(chunk));
        warnings = 0;
        assert_int_equal(rp_image_read(&to, in_dir("b.png")), 0);
        assert_int_equal(warnings, pictures - 1);
        rp_image_free(&to);
    }
    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    free(data);
    free(from.data);
}

static void test_cmyk_jpeg(void **state)
{
    /* Adobe's inverted inks: cyan is 0, the others 255 */
    uint8_t cmyk[16 * 16 * 4];
    tjhandle tj = tjInitCompress();
    unsigned char *jpeg = NULL;
    unsigned long size = 0;
    rp_image to;

    (void) state;
    for (size_t i = 0; i < sizeof(cmyk); i++)
        cmyk[i] = i % 4 == 0 ? 0 : 255;
    assert_int_equal(tjCompress2(tj, cmyk, 16, 0, 16, TJPF_CMYK, &jpeg, &size, TJSAMP_444, 95, 0),
                     0);
    assert_int_equal(rp_file_write(in_dir("c.jpg"), jpeg, size), 0);
    assert_int_equal(rp_image_read(&to, in_dir("c.jpg")), 0);
    assert_true(to.data[0] > 250 && to.data[1] > 250 && to.data[2] < 5);
    rp_image_free(&to);
    tjFree(jpeg);
    tjDestroy(tj);
}

/* ---- marks ----------------------------------------------------------------------------------- */

static void test_marks(void **state)
{
    const rp_mark mark = {.processors = "face_swapper & <\"others\">", .models = "a=b c=d"};
    rp_image from = make_image(20, 20, RP_PIXEL_BGR), to;

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(formats); i++) {
        rp_mark back;
        char name[32];
        snprintf(name, sizeof(name), "m.%s", formats[i]);
        assert_int_equal(rp_image_write_marked(&from, in_dir("m.part"), name, 90, &mark), 0);
        assert_int_equal(rp_inspect(in_dir("m.part"), &back), 0);
        assert_true(back.present);
        assert_string_equal(back.source_type, "http://cv.iptc.org/newscodes/digitalsourcetype/"
                                              "compositeWithTrainedAlgorithmicMedia");
        assert_string_equal(back.processors, mark.processors);
        assert_string_equal(back.models, mark.models);
        assert_memory_equal(back.software, "reprise ", 8);
        assert_int_equal(rp_image_read(&to, in_dir("m.part")), 0); /* still a picture */
        rp_image_free(&to);
        assert_int_equal(rp_image_write(&from, in_dir(name), 90), 0);
        assert_int_equal(rp_inspect(in_dir(name), &back), 0);
        assert_false(back.present);
    }
    free(from.data);
}

static void test_foreign_xmp(void **state)
{
    /* what other software would write: elements instead of attributes, after the pixels of a BMP
     */
    static const char xmp[] =
        "<x:xmpmeta><rdf:RDF><rdf:Description xmp:Label='a Iptc4xmpExt:DigitalSourceType, no'>"
        "<Iptc4xmpExt:DigitalSourceType>http://a/b?c&amp;d"
        "</Iptc4xmpExt:DigitalSourceType></rdf:Description></rdf:RDF></x:xmpmeta>";
    rp_image from = make_image(4, 4, RP_PIXEL_BGR);
    rp_mark back;

    (void) state;
    assert_int_equal(rp_image_write(&from, in_dir("f.bmp"), 90), 0);
    FILE *const f = fopen(in_dir("f.bmp"), "ab");
    fputs(xmp, f);
    fclose(f);
    assert_int_equal(rp_inspect(in_dir("f.bmp"), &back), 0);
    assert_true(back.present);
    assert_string_equal(back.source_type, "http://a/b?c&d");
    free(from.data);
}

/* A field that begins a hundred thousand times and never ends. */
static void test_endless_fields(void **state)
{
    static const char begin[] = "reprise:Models>";
    const size_t n = 100000, len = sizeof(begin) - 1;
    uint8_t *const xmp = malloc(n * len);
    const double start = rp_now();
    rp_mark mark;

    (void) state;
    for (size_t i = 0; i < n; i++)
        memcpy(xmp + i * len, begin, len);
    for (int i = 0; i < 20; i++)
        assert_false(rp_mark_parse(&mark, xmp, n * len));
    assert_true(rp_now() - start < 5); /* half a minute, if each is followed to the end of all */
    free(xmp);
}

/* Another packet in front of ours hides nothing. */
static void test_several_packets(void **state)
{
    static const char packet[] = "\xff\xe1\x00\x36http://ns.adobe.com/xap/1.0/\0"
                                 "<x:xmpmeta></x:xmpmeta>";
    const rp_mark mark = {.processors = "x"};
    rp_image from = make_image(20, 20, RP_PIXEL_BGR), to;
    uint8_t *data;
    size_t size;
    rp_mark back;

    (void) state;
    assert_int_equal(packet[3], sizeof(packet) - 1 - 2);
    assert_int_equal(rp_image_write_marked(&from, in_dir("s.part"), "s.jpg", 90, &mark), 0);
    assert_int_equal(rp_file_read(in_dir("s.part"), 1 << 20, &data, &size), 0);
    FILE *const f = fopen(in_dir("s.jpg"), "wb");
    assert_int_equal(fwrite(data, 1, 2, f), 2);
    assert_int_equal(fwrite(packet, 1, sizeof(packet) - 1, f), sizeof(packet) - 1);
    assert_int_equal(fwrite(data + 2, 1, size - 2, f), size - 2);
    fclose(f);
    assert_int_equal(rp_image_read(&to, in_dir("s.jpg")), 0);
    assert_int_equal(rp_inspect(in_dir("s.jpg"), &back), 0);
    assert_true(back.present);
    assert_string_equal(back.processors, "x");
    rp_image_free(&to);
    free(data);
    free(from.data);
}

/* ---- broken files ---------------------------------------------------------------------------- */

static void read_bytes(const uint8_t *data, size_t size)
{
    rp_image image;
    rp_mark mark;

    assert_int_equal(rp_file_write(in_dir("b.bin"), data, size), 0);
    const int ret = rp_image_read(&image, in_dir("b.bin"));
    if (ret < 0)
        assert_true(ret == RP_ERR_FORMAT || ret == RP_ERR_LIMIT || ret == RP_ERR_UNSUPPORTED);
    rp_image_free(&image);
    rp_inspect(in_dir("b.bin"), &mark);
}

static void test_damage(void **state)
{
    const rp_mark mark = {.processors = "x"};
    rp_image from = make_image(50, 40, RP_PIXEL_BGRA);
    unsigned seed = 1;

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(formats); i++) {
        uint8_t *data = NULL;
        size_t size = 0;
        char name[32];
        snprintf(name, sizeof(name), "d.%s", formats[i]);
        assert_int_equal(rp_image_write_marked(&from, in_dir(name), name, 80, &mark), 0);
        assert_int_equal(rp_file_read(in_dir(name), 1 << 20, &data, &size), 0);
        for (size_t n = 1; n < size; n += 1 + size / 60)
            read_bytes(data, n);
        for (int k = 0; k < 60; k++) {
            const size_t at = (seed = seed * 1664525u + 1013904223u) % size;
            const uint8_t old = data[at];
            data[at] = (uint8_t) (seed >> 24);
            read_bytes(data, size);
            data[at] = old;
        }
        free(data);
    }
    free(from.data);
}

static void test_bad_files(void **state)
{
    /* a PNG that says it has 40000 x 10 pixels (CRC right) */
    static const uint8_t huge[] =
        "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x9c\x40\0\0\0\x0a\x08\x02\0\0\0"
        "\x2c\x2a\x5c\x5b";
    rp_image image;
    rp_mark mark;

    (void) state;
    assert_int_equal(rp_image_read(&image, in_dir("missing.png")), RP_ERR_IO);
    assert_int_equal(rp_image_read(&image, test_dir), RP_ERR_IO);
    assert_int_equal(rp_inspect(in_dir("missing.png"), &mark), RP_ERR_IO);
    assert_non_null(strstr(rp_last_error(), "missing.png: opening: No such file or directory"));
    assert_int_equal(rp_file_write(in_dir("empty.png"), "", 0), 0);
    assert_int_equal(rp_image_read(&image, in_dir("empty.png")), RP_ERR_FORMAT);
    assert_int_equal(rp_file_write(in_dir("huge.png"), huge, sizeof(huge) - 1), 0);
    assert_true(rp_image_read(&image, in_dir("huge.png")) < 0);
    for (int i = 0; i < 30; i++) {
        uint8_t noise[3000];
        for (size_t k = 0; k < sizeof(noise); k++)
            noise[k] = (uint8_t) rand(); // NOLINT(cert-msc50-cpp)
        read_bytes(noise, sizeof(noise));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_extreme_sizes),
        cmocka_unit_test(test_quality),
        cmocka_unit_test(test_exif_orientation),
        cmocka_unit_test(test_heif),
        cmocka_unit_test(test_animated_png),
        cmocka_unit_test(test_cmyk_jpeg),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_foreign_xmp),
        cmocka_unit_test(test_endless_fields),
        cmocka_unit_test(test_several_packets),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_scale),
        cmocka_unit_test(test_scale_at_the_end),
    };

    return cmocka_run_group_tests_name("media_image", tests, make_dir, remove_dir);
}
