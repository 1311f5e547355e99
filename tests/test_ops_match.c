/* Colour matching, sharpening, erosion: FaceFusion's recorded values, hashes of what OpenCV 4.6
 * makes of the same pictures, and second implementations. */
#include "ops/ops.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "recorded.h"
#include "ops/match_core.h"
#include "reprise/reprise.h"

/* ---- helpers --------------------------------------------------------------------------------- */

static struct rp_img image(int w, int h, int ch)
{
    struct rp_img img = {.w = w, .h = h, .ch = ch, .stride = w * ch + 5};

    img.data = calloc((size_t) img.stride, (size_t) (h > 1 ? h : 1));
    assert_non_null(img.data);
    return img;
}

static struct rp_img picture_of(const struct npy *a)
{
    struct rp_img img = {.data = a->data, .w = (int) a->dim[1], .h = (int) a->dim[0], .ch = 3};

    assert_int_equal(a->type, 'B');
    img.stride = 3 * img.w;
    return img;
}

/* A soft picture with noise, of whole numbers only, so that other programs can draw it too. */
static struct rp_img drawn(int w, int h, int ch, uint32_t seed)
{
    const struct rp_img img = image(w, h, ch);

    for (int y = 0; y < h; y++)
        for (int i = 0; i < w * ch; i++) {
            const int x = i / ch, c = i % ch;

            seed = seed * 1664525u + 1013904223u;
            img.data[y * img.stride + i] =
                (uint8_t) ((3 * x * (c + 1) + 2 * y * (3 - c) + (int) (seed >> 27)) % 256);
        }
    return img;
}

static uint32_t hash(const struct rp_img *img)
{
    uint32_t v = 2166136261u;

    for (int y = 0; y < img->h; y++)
        for (int i = 0; i < img->w * img->ch; i++)
            v = (v ^ img->data[y * img->stride + i]) * 16777619u;
    return v;
}

/* How many bytes differ; by more than one level none may. */
static int differing(const struct rp_img *got, const struct rp_img *want)
{
    int n = 0;

    for (int y = 0; y < got->h; y++)
        for (int i = 0; i < got->w * got->ch; i++) {
            const int d = got->data[y * got->stride + i] - want->data[y * want->stride + i];

            assert_in_range(d + 1, 0, 2);
            n += d != 0;
        }
    return n;
}

/* One step of FaceFusion's colour match. */
static void equalise(const struct rp_img *source, const struct rp_img *target, int size,
                     struct rp_img *dst)
{
    float *const gap = malloc(3 * sizeof(float) * (size_t) size * (size_t) size);

    rp_c_colour_gap(NULL, &(struct rp_op_colour_gap){*source, *target, size, gap});
    rp_c_colour_shift(
        NULL, &(struct rp_op_colour_shift){.src = *target, .gap = gap, .size = size, .dst = *dst});
    free(gap);
}

/* ---- recorded -------------------------------------------------------------------------------- */

/* To the last bit. */
static void test_recorded_input(void **state)
{
    (void) state;
    struct npy crop = recorded("processors4/deep_swapper/crop_vision_frame.npy");
    struct npy want = recorded("processors4/deep_swapper/prepared_input.npy.gz");
    const struct rp_img src = picture_of(&crop), sharp = image(src.w, src.h, 3);
    float lut[3][256], *const got = calloc(want.n, sizeof(float));

    rp_tensor_lut(lut, 255, (const double[3]){0}, (const double[3]){1, 1, 1});
    rp_c_sharpen(NULL, &(struct rp_op_sharpen){src, sharp});
    rp_c_to_tensor(
        NULL,
        &(struct rp_op_to_tensor){
            .src = sharp, .lut = lut[0], .dst = got, .w = src.w, .h = src.h, .nhwc = 1, .step = 1});
    assert_int_equal(want.type, 'f');
    assert_int_equal(want.n, 3 * src.w * src.h);
    assert_memory_equal(got, want.data, want.n * sizeof(float));
    free(got);
    free(sharp.data);
    free(crop.data);
    free(want.data);
}

/* To the last bit. The recording has no raw output: the prepared input was used as one. */
static void test_recorded_output(void **state)
{
    (void) state;
    struct npy raw = recorded("processors4/deep_swapper/prepared_input.npy.gz");
    struct npy want = recorded("processors4/deep_swapper/normalized_crop_frame.npy");
    const struct rp_img w = picture_of(&want);
    struct rp_img got = image(w.w, w.h, 3), wide = got;

    wide.w *= 3;
    wide.ch = 1;
    rp_c_matte_u8(NULL, &(struct rp_op_matte_u8){.src = raw.data, .dst = wide});
    assert_int_equal(differing(&got, &w), 0);
    free(got.data);
    free(raw.data);
    free(want.data);
}

/* To the last bit. */
static void test_recorded_mask(void **state)
{
    (void) state;
    struct npy one = recorded("processors4/deep_swapper/crop_source_mask_input.npy");
    struct npy other = recorded("processors4/deep_swapper/crop_target_mask_input.npy");
    struct npy want = recorded("processors4/deep_swapper/crop_mask.npy");
    const int w = (int) want.dim[1], h = (int) want.dim[0];
    float kernel[64], *const got = calloc(want.n, sizeof(float)),
                             *const tmp = calloc(want.n, sizeof(float));
    const int size = rp_gaussian_kernel(6.25, 0, kernel, 64);

    assert_int_equal(size, 51);
    rp_c_mask_erode(NULL, &(struct rp_op_mask_erode){one.data, other.data, got, w, h});
    rp_c_gaussian(NULL, &(struct rp_op_gaussian){got, got, tmp, w, h, kernel, size});
    assert_memory_equal(got, want.data, want.n * sizeof(float));
    free(got);
    free(tmp);
    free(one.data);
    free(other.data);
    free(want.data);
}

static void test_recorded_colours(void **state)
{
    (void) state;
    struct npy zero = recorded("vision/video/frames/target_240p_frame_0.npy");
    struct npy later = recorded("vision/video/frames/target_240p_frame_150.npy");
    struct npy small = recorded("vision/color/equalize_frame_color_small.npy");
    struct npy full = recorded("vision/color/equalize_frame_color_full.npy");
    struct npy match = recorded("vision/color/match_frame_color.npy");
    const struct rp_img source = picture_of(&zero), target = picture_of(&later);
    const struct rp_img wanted = picture_of(&match), small_wanted = picture_of(&small);
    const struct rp_img full_wanted = picture_of(&full);
    struct rp_img a = image(target.w, target.h, 3), b = image(target.w, target.h, 3);

    /* One of 288828 values is a whole number but for the last bit of a float; the recording was
     * made with a newer OpenCV, which adds in another order. */
    equalise(&source, &target, 16, &a);
    assert_in_range(differing(&a, &small_wanted), 0, 1);
    assert_int_equal(differing(&source, &full_wanted), 0);

    equalise(&a, &target, 86, &b);
    equalise(&b, &target, 156, &a);
    assert_int_equal(differing(&a, &wanted), 0);
    free(a.data);
    free(b.data);
    free(zero.data);
    free(later.data);
    free(small.data);
    free(full.data);
    free(match.data);
}

/* ---- OpenCV's -------------------------------------------------------------------------------- */

static void test_area(void **state)
{
    static const struct {
        int w, h, ch, dw, dh;
        uint32_t hash;
    } cases[] = {
        {224, 224, 3, 16, 16, 0x8d0b3f37},       {224, 224, 3, 86, 86, 0x4cf7bf85},
        {320, 320, 3, 218, 218, 0xb0acf0f5},     {384, 384, 3, 16, 16, 0x6bad0417},
        {1536, 1536, 3, 1024, 1024, 0x7467580d}, {97, 61, 3, 40, 23, 0x84d3e6a0},
        {64, 64, 3, 32, 32, 0xd276746b},         {64, 48, 1, 32, 24, 0xe805b5e2},
        {90, 60, 3, 30, 30, 0x2638b7d6},         {50, 50, 1, 50, 50, 0xe9017232},
        {33, 21, 1, 32, 1, 0x9e7cfef1},          {250, 250, 3, 16, 16, 0x0f27ed92},
        {225, 225, 3, 154, 154, 0x4b91b071},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct rp_img src = drawn(cases[i].w, cases[i].h, cases[i].ch, (uint32_t) i);
        const struct rp_img dst = image(cases[i].dw, cases[i].dh, cases[i].ch);

        rp_c_resize_area(NULL, &(struct rp_op_resize_area){src, dst});
        if (hash(&dst) != cases[i].hash)
            fail_msg("%dx%d to %dx%d: %08x", src.w, src.h, dst.w, dst.h, hash(&dst));
        free(src.data);
        free(dst.data);
    }
}

static void test_shift(void **state)
{
    static const struct {
        int w, h, source, size;
        uint32_t hash;
    } cases[] = {
        {224, 224, 224, 16, 0x89529bbf},  {224, 224, 224, 86, 0x3e64968f},
        {320, 320, 320, 218, 0x70a83bb6}, {300, 228, 384, 16, 0xa8c249db},
        {512, 512, 700, 352, 0x1bcba23a}, {64, 64, 64, 64, 0x9d562d0a},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct rp_img source = drawn(cases[i].source, cases[i].source, 3, 7);
        const struct rp_img target = drawn(cases[i].w, cases[i].h, 3, 8 + (uint32_t) i);
        struct rp_img dst = image(target.w, target.h, 3);

        equalise(&source, &target, cases[i].size, &dst);
        if (hash(&dst) != cases[i].hash)
            fail_msg("%dx%d by %d: %08x", dst.w, dst.h, cases[i].size, hash(&dst));
        free(source.data);
        free(target.data);
        free(dst.data);
    }
}

/* Mixed with the target, as bytes and as floats. */
static void test_shift_mixed(void **state)
{
    const struct rp_img target = drawn(40, 24, 3, 1), plain = image(40, 24, 3);
    const struct rp_img mixed = image(40, 24, 3);
    static const double factors[] = {0, 0.25, 0.7, 1};
    float gap[3 * 25], pixels[3 * 40 * 24];

    (void) state;
    for (int i = 0; i < 75; i++)
        gap[i] = (float) (i * 7 % 91 - 45);
    rp_c_colour_shift(
        NULL, &(struct rp_op_colour_shift){.src = target, .gap = gap, .size = 5, .dst = plain});
    for (size_t k = 0; k < sizeof(factors) / sizeof(*factors); k++) {
        const double f = factors[k];

        rp_c_colour_shift(NULL, &(struct rp_op_colour_shift){.src = target,
                                                             .gap = gap,
                                                             .size = 5,
                                                             .factor = &f,
                                                             .dst = mixed,
                                                             .pixels = pixels});
        for (int y = 0; y < 24; y++)
            for (int i = 0; i < 120; i++) {
                const double t = target.data[y * target.stride + i];
                const double p = plain.data[y * plain.stride + i], want = t * (1 - f) + p * f;
                const int got = mixed.data[y * mixed.stride + i];

                assert_true(fabs(got - want) <= 0.5 + 1e-4);
                assert_true(pixels[120 * y + i] == (float) got);
            }
    }
    free(target.data);
    free(plain.data);
    free(mixed.data);
}

static double likeness(const struct rp_img *a, const struct rp_img *b)
{
    double v = -1;
    struct rp_colour_work *const work = malloc(sizeof(*work));

    memset(work, 0x55, sizeof(*work));
    rp_c_colour_likeness(NULL, &(struct rp_op_colour_likeness){*a, *b, work, &v});
    free(work);
    return v;
}

static void test_likeness(void **state)
{
    const struct rp_img a = drawn(224, 224, 3, 1), b = drawn(224, 224, 3, 2);
    const struct rp_img c = drawn(90, 60, 3, 3), red = image(50, 50, 3), blue = image(50, 50, 3);

    (void) state;
    for (int y = 0; y < 50; y++)
        for (int x = 0; x < 50; x++) {
            red.data[y * red.stride + 3 * x + 2] = 200;
            blue.data[y * blue.stride + 3 * x] = 200;
        }
    assert_true(fabs(likeness(&a, &b) - 0.97923455699509387) < 1e-15);
    assert_true(fabs(likeness(&b, &a) - 0.97923455699509387) < 1e-15);
    assert_true(fabs(likeness(&a, &c) - 0.90458442155599283) < 1e-15);
    assert_true(likeness(&a, &a) == 1);
    /* Two single bins: r is just below 0. */
    assert_true(likeness(&red, &blue) < 0.5 && likeness(&red, &blue) > 0.499);
    assert_true(likeness(&red, &red) == 1);
    free(a.data);
    free(b.data);
    free(c.data);
    free(red.data);
    free(blue.data);
}

/* All colours on a coarse grid against the definition of HSV in real numbers: the bin is right or
 * next to it. */
static void test_bins(void **state)
{
    struct rp_colour_per per[256];

    for (int i = 0; i < 256; i++)
        per[i] = rp_colour_per(i);
    (void) state;
    for (int b = 0; b < 256; b += 3)
        for (int g = 0; g < 256; g += 5)
            for (int r = 0; r < 256; r += 4) {
                const double v = fmax(b, fmax(g, r)), span = v - fmin(b, fmin(g, r));
                const double turn = span == 0 ? 0
                                    : v == r  ? (g - b) / span
                                    : v == g  ? 2 + (b - r) / span
                                              : 4 + (r - g) / span;
                const double hue = fmod(turn * 30 + 180, 180), sat = v == 0 ? 0 : 255 * span / v;
                const int bin = rp_colour_bin(per, b, g, r);
                const int hues = bin / 60;
                const double d = fabs(hues + 0.5 - hue * 50 / 180);

                assert_in_range(bin, 0, RP_COLOUR_BINS - 1);
                assert_true(fmin(d, 50 - d) <= 0.5 + 0.2);
                assert_true(fabs(bin % 60 + 0.5 - sat * 60 / 256) <= 0.5 + 0.2);
            }
}

static void test_sharpen(void **state)
{
    static const struct {
        int w, h;
        uint32_t hash;
    } cases[] = {
        {224, 224, 0x3d8e3fe3}, {320, 40, 0xea682151}, {40, 13, 0xfeeffde8},
        {7, 300, 0x87ad4065},   {600, 9, 0x6f7d32d8},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct rp_img src = drawn(cases[i].w, cases[i].h, 3, 20 + (uint32_t) i);
        const struct rp_img dst = image(src.w, src.h, 3);

        rp_c_sharpen(NULL, &(struct rp_op_sharpen){src, dst});
        if (hash(&dst) != cases[i].hash)
            fail_msg("%dx%d: %08x", src.w, src.h, hash(&dst));
        free(src.data);
        free(dst.data);
    }
}

/* ---- masks, matrices, ages ------------------------------------------------------------------- */

static void test_erode(void **state)
{
    enum { W = 9, H = 7 };
    float a[W * H], b[W * H], dst[W * H] = {0};

    (void) state;
    for (int hole = 0; hole < W * H; hole++) {
        for (int i = 0; i < W * H; i++)
            a[i] = b[i] = 1.5f;
        a[hole] = hole % 2 ? 0.25f : NAN;
        b[hole] = hole % 3 ? 0.5f : -1;
        rp_c_mask_erode(NULL, &(struct rp_op_mask_erode){a, b, dst, W, H});
        const float least = hole % 2 && hole % 3 ? 0.25f : 0;
        for (int i = 0; i < W * H; i++) {
            const int steps = abs(i % W - hole % W) + abs(i / W - hole / W);

            assert_true(dst[i] == (steps <= 2 ? least : 1));
        }
    }
}

static void test_affine_scale(void **state)
{
    const struct rp_affine a = {{2, -1, 30, 1, 2, -7}, {0.4, 0.2, -10.6, -0.2, 0.4, 8.8}};
    struct rp_affine s;

    (void) state;
    rp_c_affine_scale(NULL, &(struct rp_op_affine_scale){&a, 2.5, &s});
    for (int i = 0; i < 2; i++) {
        const double x = s.m[3 * i] * 11 + s.m[3 * i + 1] * 17 + s.m[3 * i + 2];

        assert_true(fabs(x - 2.5 * (a.m[3 * i] * 11 + a.m[3 * i + 1] * 17 + a.m[3 * i + 2])) <
                    1e-9);
    }
    /* There and back. */
    const double x = s.m[0] * 11 + s.m[1] * 17 + s.m[2], y = s.m[3] * 11 + s.m[4] * 17 + s.m[5];
    assert_true(fabs(s.inv[0] * x + s.inv[1] * y + s.inv[2] - 11) < 1e-9);
    assert_true(fabs(s.inv[3] * x + s.inv[4] * y + s.inv[5] - 17) < 1e-9);
}

static struct rp_dface face;

static void check_age(int from, int to, float years, double now, double then)
{
    float pair[2];

    face.age_from = from;
    face.age_to = to;
    rp_c_age_pair(NULL, &(struct rp_op_age_pair){&face, years, pair});
    assert_true(pair[0] == (float) now && pair[1] == (float) then);
}

/* The ranges of FaceFusion's classifier end before `to`. */
static void test_ages(void **state)
{
    (void) state;
    check_age(0, 2, 0, 0.5 / 100, 0.5 / 100);
    check_age(3, 9, 30, 5.5 / 100, 35.5 / 100);
    check_age(20, 29, 0, 24.0 / 100, 24.0 / 100);
    check_age(60, 69, -100, 64.0 / 100, 0);
    check_age(70, 100, 100, 84.5 / 100, 1);
    check_age(0, 0, 10, RP_AGE_UNKNOWN / 100, (RP_AGE_UNKNOWN + 10) / 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded_input), cmocka_unit_test(test_recorded_output),
        cmocka_unit_test(test_recorded_mask),  cmocka_unit_test(test_recorded_colours),
        cmocka_unit_test(test_area),           cmocka_unit_test(test_shift),
        cmocka_unit_test(test_shift_mixed),    cmocka_unit_test(test_likeness),
        cmocka_unit_test(test_bins),           cmocka_unit_test(test_sharpen),
        cmocka_unit_test(test_erode),          cmocka_unit_test(test_affine_scale),
        cmocka_unit_test(test_ages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
