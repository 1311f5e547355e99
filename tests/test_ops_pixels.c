/* The pixel operations: compared with golden vectors of FaceFusion and recorded arrays, and each
 * row-wise version with the plain per-pixel arithmetic of its core header, on random odd sizes.
 * Every tolerance has its reason next to it; without one, results are equal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "recorded.h"
#include "ops/convert_core.h"
#include "ops/draw_core.h"
#include "ops/mask_core.h"
#include "ops/ops.h"
#include "ops/paste_core.h"
#include "ops/resize_core.h"
#include "ops/tensor_core.h"

/* ---- helpers --------------------------------------------------------------------------------- */

static int range(int lo, int hi)
{
    return lo + (int) (rnd() % (uint32_t) (hi - lo + 1));
}

static double uniform(double lo, double hi)
{
    return lo + (hi - lo) * (rnd() / 4294967296.0);
}

/* Bytes with guards around them; the guards and the padding of rows must keep their value. */
#define GUARD ((size_t) 64)
#define FILL 0xa5

struct buf {
    uint8_t *base, *data;
    size_t size;
};

static void buf_free(struct buf *b)
{
    for (size_t i = 0; i < GUARD; i++)
        if (b->base[i] != FILL || b->data[b->size + i] != FILL)
            fail_msg("guard byte %zu was written", i);
    free(b->base);
}

static struct buf buf_new(size_t size)
{
    struct buf b = {.size = size};

    b.base = malloc(size + 2 * GUARD);
    assert_non_null(b.base);
    memset(b.base, FILL, size + 2 * GUARD);
    b.data = b.base + GUARD;
    return b;
}

/* A third of the buffers hold only the extremes. */
static void scramble(uint8_t *p, size_t n)
{
    const int kind = range(0, 2);

    for (size_t i = 0; i < n; i++)
        p[i] = kind ? (uint8_t) rnd() : rnd() & 1 ? 255 : 0;
}

struct picture {
    struct buf buf;
    struct rp_img img;
};

/* The last row has no padding, so that reading past its end is detected. */
static struct picture picture_new(int w, int h, int ch, int fill)
{
    struct picture p = {.img = {.w = w, .h = h, .ch = ch}};

    p.img.stride = w * ch + range(0, 9);
    p.buf = buf_new((size_t) p.img.stride * (h - 1) + (size_t) w * ch);
    p.img.data = p.buf.data;
    for (int y = 0; y < h && fill; y++)
        scramble(p.img.data + (size_t) y * p.img.stride, (size_t) w * ch);
    return p;
}

static void picture_free(struct picture *p)
{
    for (int y = 0; y < p->img.h - 1; y++)
        for (int x = p->img.w * p->img.ch; x < p->img.stride; x++)
            if (p->img.data[(size_t) y * p->img.stride + x] != FILL)
                fail_msg("the padding of row %d was written", y);
    buf_free(&p->buf);
}

static uint8_t *at(const struct rp_img *i, int x, int y)
{
    return i->data + (ptrdiff_t) y * i->stride + (ptrdiff_t) x * i->ch;
}

static void same_picture(const struct rp_img *a, const struct rp_img *b, const char *what)
{
    for (int y = 0; y < a->h; y++)
        for (int x = 0; x < a->w; x++)
            for (int c = 0; c < a->ch; c++)
                if (at(a, x, y)[c] != at(b, x, y)[c])
                    fail_msg("%s: (%d, %d) channel %d is %d, not %d", what, x, y, c, at(a, x, y)[c],
                             at(b, x, y)[c]);
}

static struct rp_affine affine(const double m[6])
{
    struct rp_affine a;
    const double d = m[0] * m[4] - m[1] * m[3];

    memcpy(a.m, m, sizeof(a.m));
    a.inv[0] = m[4] / d;
    a.inv[1] = -m[1] / d;
    a.inv[2] = (m[1] * m[5] - m[4] * m[2]) / d;
    a.inv[3] = -m[3] / d;
    a.inv[4] = m[0] / d;
    a.inv[5] = (m[3] * m[2] - m[0] * m[5]) / d;
    return a;
}

/* Rotation, scale s and a point of the frame that goes to a point of the crop. */
static struct rp_affine similarity(double angle, double s, double fx, double fy, double cx,
                                   double cy)
{
    const double a = s * cos(angle), b = s * sin(angle);

    return affine((const double[6]){a, -b, cx - a * fx + b * fy, b, a, cy - b * fx - a * fy});
}

/* Five points onto a template. */
static struct rp_affine fit(const struct npy *points, int template_id, int size)
{
    struct rp_affine a = {0};
    struct rp_dface *const face = calloc(1, sizeof(*face));

    for (size_t i = 0; i < 10; i++)
        face->lm5_68[i] = (float) npy_at(points, i);
    rp_c_align(NULL, &(struct rp_op_align){.face = face, .template_id = template_id, .w = size,
                                           .h = size, .scale = 1, .dst = &a});
    free(face);
    return a;
}

/* Recorded data is not in the checkout. */
/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define FIXTURE(var, name)                       \
    struct npy var;                              \
    if (recorded_open(name, &var) < 0) {               \
        print_message("skipped: no %s\n", name); \
        skip();                                  \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

/* An array [h][w][3] of bytes as a picture. */
static struct rp_img as_image(const struct npy *a)
{
    assert_int_equal(a->type, 'B');
    return (struct rp_img){a->data, (int) a->dim[1] * 3, (int) a->dim[1], (int) a->dim[0], 3};
}

static struct rp_img new_image(int w, int h)
{
    struct rp_img i = {malloc((size_t) w * h * 3), w * 3, w, h, 3};

    assert_non_null(i.data);
    return i;
}

static void same_floats(const float *got, const struct npy *want, size_t n)
{
    assert_int_equal(want->n, n);
    for (size_t i = 0; i < n; i++)
        if (got[i] != (float) npy_at(want, i))
            fail_msg("number %zu is %.9g, not %.9g", i, (double) got[i], npy_at(want, i));
}

static void close_to(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%.9g is not %.9g within %g", got, want, tolerance);
}

/* ---- golden vectors ----------------------------------------------------------------------------
 */

static void box_mask(float *dst, int size, float blur, const int padding[4])
{
    struct rp_op_box_mask box = {.dst = dst, .w = size, .h = size, .blur = blur};
    const int amount = (int) (size * 0.5 * blur + 1e-6);
    float kernel[1024], *tmp = malloc(sizeof(*tmp) * size * size);

    memcpy(box.padding, padding, sizeof(box.padding));
    rp_c_box_mask(NULL, &box);
    if (amount > 0) {
        const int n = rp_gaussian_kernel(0.25 * amount, 0, kernel, 1024);

        rp_c_gaussian(NULL, &(struct rp_op_gaussian){dst, dst, tmp, size, size, kernel, n});
    }
    free(tmp);
}

static double total(const float *p, int n)
{
    double sum = 0;

    for (int i = 0; i < n; i++)
        sum += p[i];
    return sum;
}

/* 1e-6: the printed digits plus the order of float sums. */
static void test_golden_box_mask(void **state)
{
    static const int none[4];
    static const double eight[] = {0.109721, 0.285836, 0.655319, 0.877739};
    static const double sixteen[] = {0.117114, 0.305094, 0.699606, 0.941443,
                                     0.995434, 0.999866, 1,        1};
    static const double large[] = {0.051335, 0.052628, 0.056519, 0.063038, 0.072237,
                                   0.084174, 0.098913, 0.116508, 0.136998, 0.160391,
                                   0.186656, 0.215718, 0.247442, 0.281640, 0.318060,
                                   0.356393, 0.396277, 0.437305, 0.479037, 0.521012};
    float *m = malloc(sizeof(*m) * 256 * 256);

    (void) state;
    box_mask(m, 8, 1.0f, none);
    for (int i = 0; i < 8; i++)
        close_to(m[8 * 4 + i], eight[i < 4 ? i : 7 - i], 1e-6);
    close_to(total(m, 64), 16.950624, 1e-5);

    box_mask(m, 16, 0.5f, none);
    for (int i = 0; i < 16; i++)
        close_to(m[16 * 8 + i], sixteen[i < 8 ? i : 15 - i], 1e-6);
    close_to(total(m, 256), 146.824432, 1e-4);

    box_mask(m, 16, 0.0f, (const int[4]){10, 20, 30, 40});
    for (int i = 0; i < 16; i++)
        assert_true(m[16 * 8 + i] == (i >= 6 && i <= 12 ? 1.0f : 0.0f));
    assert_true(total(m, 256) == 77.0);

    box_mask(m, 256, 0.3f, none);
    for (int i = 0; i < 20; i++)
        close_to(m[256 * 128 + i], large[i], 1e-6);
    close_to(total(m, 65536), 47546.3828, 0.01); /* the recorded sum was made in float */
    free(m);

    /* The blur setting is meant as a decimal: 20 * 0.5 * 0.7 is 7, not 6.9999999. */
    int edge[4];
    rp_box_edges(edge, 80, 80, 0.7f, none);
    assert_int_equal(edge[0], 14);
}

static void test_kernel_sizes(void **state)
{
    float k[1024];

    (void) state;
    assert_int_equal(rp_gaussian_kernel(4.75, 0, k, 1024), 39);
    assert_int_equal(rp_gaussian_kernel(9.5, 0, k, 1024), 77);
    assert_int_equal(rp_gaussian_kernel(19, 0, k, 1024), 153);
    assert_int_equal(rp_gaussian_kernel(38.25, 0, k, 1024), 307);
    assert_int_equal(rp_gaussian_kernel(5, 0, k, 1024), 41);
    assert_int_equal(rp_gaussian_kernel(5, 0, k, 10), 9);
    assert_int_equal(rp_gaussian_kernel(0, 5, k, 10), 5);
}

/* 1e-5: the printed digits. */
static void test_golden_soft_threshold(void **state)
{
    static const double want[] = {0,       0,       0,       0,       0.07979, 0.23621, 0.38353,
                                  0.51682, 0.63271, 0.72950, 0.80718, 0.86707, 0.91144, 0.94302};
    float m[64 * 64], tmp[64 * 64], kernel[64];
    const int n = rp_gaussian_kernel(5.0, 0, kernel, 64);

    (void) state;
    for (int i = 0; i < 64 * 64; i++)
        m[i] = i % 64 >= 32 ? 1.5f : -0.5f;
    rp_c_mask_min(NULL, &(struct rp_op_mask_min){m, NULL, m, 64 * 64});
    rp_c_gaussian(NULL, &(struct rp_op_gaussian){m, m, tmp, 64, 64, kernel, n});
    rp_c_mask_ramp(NULL, &(struct rp_op_mask_ramp){m, m, 64 * 64});
    for (int i = 28; i < 42; i++)
        close_to(m[64 * 20 + i], want[i - 28], 1e-5);
}

static void test_golden_paste_region(void **state)
{
    const struct rp_affine a = affine((const double[6]){0.880691917, -0.032208072, -60.066617090,
                                                        0.032208072, 0.880691917, -87.249501987});
    const struct rp_region r = rp_paste_region(a.inv, 256, 256, 640, 480);

    (void) state;
    assert_int_equal(r.x1, 72);
    assert_int_equal(r.x2, 373);
    assert_int_equal(r.y1, 86);
    assert_int_equal(r.y2, 387);
    close_to(a.inv[0], 1.133954, 1e-6);
    close_to(a.inv[1], 0.041470, 1e-6);
    close_to(a.inv[2] - r.x1, -0.268950, 1e-6);
    close_to(a.inv[5] - r.y1, 10.445967, 1e-6);
}

/* 3e-5: a float near 255 has steps of 1.5e-5. */
static void test_golden_normalise(void **state)
{
    const float rgb[3] = {0.3f, -1.5f, 0.999f};
    float bgr[3];
    struct rp_op_from_tensor a = {.src = rgb,
                                  .w = 1,
                                  .h = 1,
                                  .mul = {0.5f, 0.5f, 0.5f},
                                  .add = {0.5f, 0.5f, 0.5f},
                                  .rgb = 1,
                                  .dst = bgr,
                                  .step = 1};

    (void) state;
    rp_c_from_tensor(NULL, &a);
    close_to(bgr[0], 254.8725, 3e-5);
    assert_true(bgr[1] == 0.0f);
    close_to(bgr[2], 165.75, 3e-5);
    a.round = 2;
    rp_c_from_tensor(NULL, &a);
    assert_true(bgr[0] == 255.0f && bgr[1] == 0.0f && bgr[2] == 166.0f);
    a.round = 1;
    rp_c_from_tensor(NULL, &a);
    assert_true(bgr[0] == 254.0f && bgr[1] == 0.0f && bgr[2] == 165.0f);
}

/* ---- recorded arrays ---------------------------------------------------------------------------
 */

/* Picture to planar tensor through ((v / div) - mean) / std: must equal the array, number by
 * number, wherever it lies in a larger one (skip: numbers before it). */
static void check_tensor(const struct rp_img *img, const struct npy *want, size_t skip_n, int rgb,
                         double div, double mean, double std)
{
    const size_t n = (size_t) img->w * img->h * 3;
    float lut[3][256], *t = malloc(n * sizeof(*t));

    assert_true(skip_n + n <= want->n);
    rp_tensor_lut(lut, div, (const double[3]){mean, mean, mean}, (const double[3]){std, std, std});
    rp_c_to_tensor(
        NULL,
        &(struct rp_op_to_tensor){
            .src = *img, .lut = lut[0], .dst = t, .w = img->w, .h = img->h, .rgb = rgb, .step = 1});
    for (size_t i = 0; i < n; i++)
        if (t[i] != (float) npy_at(want, skip_n + i))
            fail_msg("number %zu is %.9g, not %.9g", i, (double) t[i], npy_at(want, skip_n + i));
    free(t);
}

/* The detector's input: shrink, place, normalise. Integers and one division each: equal. */
static void test_detector_input(void **state)
{
    FIXTURE(source, "vision/image/source_pixels.npy.gz");
    FIXTURE(raw, "face_detector/model_input/source_640x640/raw.npy.gz");
    FIXTURE(unit, "face_detector/model_input/source_640x640/normalized_0_1.npy.gz");
    FIXTURE(centred, "face_detector/model_input/source_640x640/normalized_m1_1.npy.gz");
    const struct rp_img src = as_image(&source);
    struct rp_img small = new_image(640, 640);

    (void) state;
    rp_c_resize(NULL, &(struct rp_op_resize){src, small});
    check_tensor(&small, &raw, 0, 0, 1, 0, 1);
    check_tensor(&small, &unit, 0, 0, 255, 0, 1);
    check_tensor(&small, &centred, 0, 0, 1, 127.5, 128);
    free(small.data);
    free(source.data);
    free(raw.data);
    free(unit.data);
    free(centred.data);
}

/* Other recorded inputs that are a resize and a normalisation. */
static void check_resized(const char *from, const char *to, int size, double mean, double std)
{
    FIXTURE(source, from);
    FIXTURE(want, to);
    const struct rp_img src = as_image(&source);
    struct rp_img small = new_image(size, size);

    rp_c_resize(NULL, &(struct rp_op_resize){src, small});
    check_tensor(&small, &want, 0, 1, 255, mean, std);
    free(small.data);
    free(source.data);
    free(want.data);
}

static void test_resized_inputs(void **state)
{
    (void) state;
    check_resized("vision/image/source_pixels.npy.gz", "content_analyser/nsfw_2/input.npy.gz", 384,
                  0.5, 0.5);
    check_resized("processors2/face_debugger/source_frame.npy",
                  "processors2/background_remover/modnet/model_input.npy.gz", 512, 0.5, 0.5);
    check_resized("processors3/expression_restorer/target_crop_vision_frame.npy.gz",
                  "processors3/expression_restorer/prepared_target_input.npy.gz", 256, 0, 1);
    check_resized("processors3/expression_restorer/temp_crop_vision_frame.npy.gz",
                  "processors3/expression_restorer/prepared_temp_input.npy.gz", 256, 0, 1);
}

static void check_fit(const struct rp_img *src, const char *name, int w, int h, int x0, int y0)
{
    FIXTURE(array, name);
    struct rp_img want = as_image(&array), all = new_image(w, h), part = all;

    rp_c_resize(NULL, &(struct rp_op_resize){*src, all});
    if (w >= want.w && h >= want.h) { /* cover: the middle of the result */
        part.data = at(&all, x0, y0);
    } else { /* contain: the middle of the recorded one */
        want.data = at(&want, x0, y0);
        want.w = w;
        want.h = h;
    }
    part.w = want.w;
    part.h = want.h;
    same_picture(&part, &want, name);
    free(all.data);
    free(array.data);
}

static void test_vision_frames(void **state)
{
    FIXTURE(frame, "vision/video/frames/target_240p_frame_0.npy");
    const struct rp_img src = as_image(&frame);

    (void) state;
    check_fit(&src, "vision/frame/restrict_200x100.npy", 188, 100, 0, 0);
    check_fit(&src, "vision/frame/fit_contain_300x300.npy", 300, 159, 0, 70);
    check_fit(&src, "vision/frame/fit_contain_600x200.npy", 376, 200, 112, 0);
    check_fit(&src, "vision/frame/fit_cover_300x300.npy", 565, 300, 132, 0);
    check_fit(&src, "vision/frame/fit_cover_600x200.npy", 600, 318, 0, 59);
    free(frame.data);
}

/* The recorded bytes. most: how many may be off by one, as the matrix that made them is not known
 * to the last digit, so a few are rounded the other way. */
static void check_warp(const struct rp_img *src, const struct rp_affine *a, int border,
                       const char *name, size_t most)
{
    FIXTURE(array, name);
    const struct rp_img want = as_image(&array);
    struct rp_img got = new_image(want.w, want.h);
    size_t off = 0;

    rp_c_warp(NULL, &(struct rp_op_warp){*src, a, got, border, 0});
    for (size_t i = 0; i < array.n; i++) {
        const int d = abs(got.data[i] - want.data[i]);

        assert_in_range(d, 0, 1);
        off += d > 0;
    }
    assert_in_range(off, 0, most);
    free(got.data);
    free(array.data);
}

static void test_crops(void **state)
{
    FIXTURE(source, "vision/image/source_pixels.npy.gz");
    FIXTURE(lm5, "face_analysis/reference/face_landmark_5.npy");
    FIXTURE(lm68, "face_swapper/inswapper_128/target_landmark_5_of_68.npy");
    FIXTURE(shift, "face_analysis/face_landmarker/2dfan4_translation.npy");
    FIXTURE(lip, "lip_syncer/wav2lip_gan_96/crop_vision_frame.npy.gz");
    FIXTURE(box, "lip_syncer/wav2lip_gan_96/bounding_box.npy");
    const struct rp_img src = as_image(&source), crop = as_image(&lip);
    const double s = 0.26713566693394475; /* 2dfan4_scale.json */
    float b[4];
    struct rp_affine a;

    (void) state;
    a = fit(&lm68, RP_TEMPLATE_ARCFACE_128, 128);
    check_warp(&src, &a, 1, "face_swapper/inswapper_128/crop_vision_frame.npy", 7);
    a = fit(&lm5, RP_TEMPLATE_ARCFACE_112_V2, 112);
    check_warp(&src, &a, 1, "face_analysis/face_recognizer/crop_vision_frame.npy", 0);
    a = fit(&lm68, RP_TEMPLATE_FFHQ_512, 512);
    check_warp(&src, &a, 1, "lip_syncer/wav2lip_gan_96/crop_vision_frame.npy.gz", 13);
    a = affine((const double[6]){s, 0, npy_at(&shift, 0), 0, s, npy_at(&shift, 1)});
    check_warp(&src, &a, 0, "face_analysis/face_landmarker/pre_contrast_crop.npy", 0);
    for (int i = 0; i < 4; i++)
        b[i] = (float) npy_at(&box, (size_t) i);
    const double sx = 96.0 / ((double) b[2] - b[0]), sy = 96.0 / ((double) b[3] - b[1]);
    a = affine((const double[6]){sx, 0, -b[0] * sx, 0, sy, -b[1] * sy});
    check_warp(&crop, &a, 0, "lip_syncer/wav2lip_gan_96/area_vision_frame.npy", 0);
    free(source.data);
    free(lm5.data);
    free(lm68.data);
    free(shift.data);
    free(lip.data);
    free(box.data);
}

static void contrast(const struct rp_img *src, const struct rp_img *dst)
{
    static struct rp_lab_tables tables;
    static struct rp_contrast_work work;

    rp_lab_tables(&tables);
    rp_c_contrast(NULL, &(struct rp_op_contrast){*src, *dst, &tables, &work});
}

static void test_contrast_recorded(void **state)
{
    FIXTURE(before, "face_analysis/face_landmarker/pre_contrast_crop.npy");
    FIXTURE(after, "face_analysis/face_landmarker/optimized_contrast_crop.npy");
    const struct rp_img src = as_image(&before);

    (void) state;
    contrast(&src, &src); /* in place */
    assert_memory_equal(before.data, after.data, after.n);
    free(before.data);
    free(after.data);
}

/* FNV-1a of what OpenCV 4.6 gives for the same pictures: cvtColor, createCLAHE(2) when dark. (All
 * 2^24 colours were compared both ways once.) */
static void test_contrast_golden(void **state)
{
    static const struct {
        int shift, size; /* from 3 on the pictures are dark */
        uint32_t hash;
    } cases[] = {{0, 256, 0xad92dfb3},
                 {2, 256, 0x7f31138d},
                 {3, 256, 0x0c025953},
                 {4, 256, 0xf815b1b2},
                 {3, 72, 0xe468646d}};

    (void) state;
    for (size_t k = 0; k < sizeof(cases) / sizeof(*cases); k++) {
        const int n = cases[k].size;
        struct rp_img src = new_image(n, n), dst = new_image(n, n);
        uint32_t hash = 2166136261u;

        for (int i = 0; i < n * n; i++) {
            src.data[3 * i] = (uint8_t) (i % n) >> cases[k].shift;
            src.data[3 * i + 1] = (uint8_t) (i / n) >> cases[k].shift;
            src.data[3 * i + 2] = (uint8_t) (i % n * 7 + i / n * 13) >> cases[k].shift;
        }
        contrast(&src, &dst);
        for (int i = 0; i < 3 * n * n; i++)
            hash = (hash ^ dst.data[i]) * 16777619u;
        assert_int_equal(hash, cases[k].hash);
        free(src.data);
        free(dst.data);
    }
}

static void check_input(const char *crop, const char *input, size_t skip_n, int rgb, double div,
                        double mean)
{
    FIXTURE(source, crop);
    FIXTURE(want, input);
    const struct rp_img src = as_image(&source);

    check_tensor(&src, &want, skip_n, rgb, div, mean, 1);
    free(source.data);
    free(want.data);
}

static void test_crop_inputs(void **state)
{
    (void) state;
    check_input("face_swapper/inswapper_128/crop_vision_frame.npy",
                "face_swapper/inswapper_128/target_input.npy", 0, 1, 255, 0);
    check_input("face_analysis/face_recognizer/crop_vision_frame.npy",
                "face_analysis/face_recognizer/input.npy", 0, 1, 127.5, 1);
    check_input("face_analysis/face_landmarker/optimized_contrast_crop.npy",
                "face_analysis/face_landmarker/model_input.npy.gz", 0, 0, 255, 0);
    check_input("lip_syncer/wav2lip_gan_96/area_vision_frame.npy",
                "lip_syncer/wav2lip_gan_96/target_input.npy", 3 * 96 * 96, 0, 255, 0);
    check_input("enhancers/frame_enhancer/real_web_photo_x4/tile_0/raw.npy",
                "enhancers/frame_enhancer/real_web_photo_x4/tile_0/input.npy", 0, 1, 255, 0);
}

static void check_output(const char *raw, const char *result, int rgb, int round)
{
    FIXTURE(source, raw);
    FIXTURE(want, result);
    const int h = (int) source.dim[source.rank - 2], w = (int) source.dim[source.rank - 1];
    float *crop = malloc(source.n * sizeof(*crop));

    rp_c_from_tensor(NULL, &(struct rp_op_from_tensor){.src = source.data,
                                                       .w = w,
                                                       .h = h,
                                                       .mul = {1, 1, 1},
                                                       .rgb = rgb,
                                                       .round = round,
                                                       .dst = crop,
                                                       .step = 1});
    same_floats(crop, &want, source.n);
    if (want.type == 'B') { /* the same through the 8-bit conversion */
        struct rp_img bytes = new_image(w, h);

        rp_c_float_to_u8(NULL, &(struct rp_op_float_to_u8){crop, bytes});
        assert_memory_equal(bytes.data, want.data, want.n);
        memset(crop, 0, source.n * sizeof(*crop));
        rp_c_u8_to_float(NULL, &(struct rp_op_u8_to_float){bytes, crop});
        same_floats(crop, &want, source.n);
        free(bytes.data);
    }
    free(crop);
    free(source.data);
    free(want.data);
}

static void test_outputs(void **state)
{
    (void) state;
    check_output("face_swapper/inswapper_128/raw_model_output.npy",
                 "face_swapper/inswapper_128/normalized_crop_frame.npy", 1, 0);
    check_output("processors3/expression_restorer/apply_restore_raw_output.npy.gz",
                 "processors3/expression_restorer/normalized_crop_frame.npy.gz", 1, 1);
    check_output("lip_syncer/wav2lip_gan_96/raw_model_output.npy",
                 "lip_syncer/wav2lip_gan_96/normalized_area_vision_frame.npy", 0, 1);
    check_output("enhancers/frame_enhancer/real_web_photo_x4/tile_0/forward_output.npy.gz",
                 "enhancers/frame_enhancer/real_web_photo_x4/tile_0/normalized.npy", 1, 1);
    check_output("enhancers/frame_enhancer/real_web_photo_x4/tile_1/forward_output.npy.gz",
                 "enhancers/frame_enhancer/real_web_photo_x4/tile_1/normalized.npy", 1, 1);
}

static void check_mask(const char *name, int size)
{
    static const int none[4];
    FIXTURE(want, name);
    float *m = malloc(sizeof(*m) * size * size);

    box_mask(m, size, 0.3f, none);
    for (size_t i = 0; i < want.n; i++)
        assert_true(m[i] == (float) npy_at(&want, i));
    free(m);
    free(want.data);
}

static void test_masks(void **state)
{
    (void) state;
    check_mask("face_swapper/inswapper_128/box_mask.npy", 128);
    check_mask("lip_syncer/wav2lip_gan_96/box_mask.npy.gz", 512);
    check_mask("processors3/expression_restorer/box_mask.npy.gz", 512);
}

static void test_blend(void **state)
{
    FIXTURE(first, "vision/color/blend_frame_0.0.npy");
    FIXTURE(second, "vision/color/blend_frame_1.0.npy");
    FIXTURE(quarter, "vision/color/blend_frame_0.25.npy");
    FIXTURE(more, "vision/color/blend_frame_0.75.npy");
    const struct rp_img a = as_image(&first), b = as_image(&second);
    struct rp_img dst = new_image(a.w, a.h);
    uint8_t changed[27 * 15] = {0};
    struct rp_op_blend op = {a, b, 0.25f, {dst, changed, 27, 15}};

    (void) state;
    rp_c_blend(NULL, &op);
    assert_memory_equal(dst.data, quarter.data, quarter.n);
    op.f = 0.75f;
    rp_c_blend(NULL, &op);
    assert_memory_equal(dst.data, more.data, more.n);
    for (int i = 0; i < 27 * 15; i++)
        assert_int_equal(changed[i], 1);
    free(dst.data);
    free(first.data);
    free(second.data);
    free(quarter.data);
    free(more.data);
}

/* All pairs of bytes: many of the sums are halves, and whether a product was rounded before decides
 * about 153 of them. The number is what OpenCV's addWeighted() gives. */
static void test_blend_halves(void **state)
{
    int64_t sum = 0;

    (void) state;
    for (int i = 0; i < 65536; i++)
        sum += i % 1009 * rp_blend((uint8_t) (i >> 8), (uint8_t) i, 0.3f, 0.7f);
    assert_int_equal(sum, 4209618296);
}

/* The recorded picture shows the mask's contour and the five points in cyan. Equal. */
static void test_debug_picture(void **state)
{
    FIXTURE(source, "processors2/face_debugger/source_frame.npy");
    FIXTURE(want, "processors2/face_debugger/rendered_frame.npy");
    FIXTURE(lm5, "processors2/face_debugger/landmark_5.npy");
    FIXTURE(lm5_68, "processors2/face_debugger/landmark_5_68.npy");
    static const int none[4];
    const struct rp_img frame = as_image(&source), expected = as_image(&want);
    const struct rp_affine a = fit(&lm5_68, RP_TEMPLATE_ARCFACE_128, 512);
    struct rp_dface *face = calloc(1, sizeof(*face));
    float *mask = malloc(sizeof(*mask) * 512 * 512);
    uint8_t *tmp = malloc((size_t) frame.w * frame.h + 1), changed[24 * 24] = {0};
    const struct rp_canvas canvas = {frame, changed, 24, 24};

    (void) state;
    for (int i = 0; i < 10; i++) {
        face->lm5[i] = (float) npy_at(&lm5, (size_t) i);
        face->lm5_68[i] = (float) npy_at(&lm5_68, (size_t) i);
    }
    box_mask(mask, 512, 0.0f, none);
    rp_c_draw_mask(NULL, &(struct rp_op_draw_mask){canvas, face, mask, 512, 512, &a, tmp});
    rp_c_draw_face(NULL, &(struct rp_op_draw_face){canvas, face, RP_DEBUG_LANDMARK_5_68});
    same_picture(&frame, &expected, "face debugger");
    free(face);
    free(mask);
    free(tmp);
    free(source.data);
    free(want.data);
    free(lm5.data);
    free(lm5_68.data);
}

/* ---- YUV ---------------------------------------------------------------------------------------
 */

struct yuv {
    struct buf buf[3];
    struct rp_planes p;
};

static int chroma_size(int n, int sub)
{
    return (n + sub) >> sub;
}

static struct yuv yuv_new(int w, int h, int sub_x, int sub_y, int depth, int matrix, int full)
{
    struct yuv f = {.p = {.w = w,
                          .h = h,
                          .sub_x = sub_x,
                          .sub_y = sub_y,
                          .depth = depth,
                          .matrix = matrix,
                          .full_range = full}};

    for (int i = 0; i < 3; i++) {
        const int pw = i ? chroma_size(w, sub_x) : w, ph = i ? chroma_size(h, sub_y) : h;
        const int bytes = pw * (depth > 8 ? 2 : 1);
        const int kind = range(0, 2);

        f.p.stride[i] = bytes + 2 * range(0, 4);
        f.buf[i] = buf_new((size_t) f.p.stride[i] * (ph - 1) + (size_t) bytes);
        f.p.plane[i] = f.buf[i].data;
        for (int y = 0; y < ph; y++)
            for (int x = 0; x < pw; x++) {
                uint8_t *s = f.p.plane[i] + (size_t) y * f.p.stride[i];
                const int max = (1 << depth) - 1;
                const int v = kind == 0 ? (rnd() & 1 ? max : 0) : range(0, max);

                if (depth > 8) {
                    s[2 * x] = (uint8_t) v;
                    s[2 * x + 1] = (uint8_t) (v >> 8);
                } else {
                    s[x] = (uint8_t) v;
                }
            }
    }
    return f;
}

static int yuv_at(const struct rp_planes *p, int i, int x, int y)
{
    const uint8_t *row = p->plane[i] + (size_t) (i ? y >> p->sub_y : y) * p->stride[i];

    x = i ? x >> p->sub_x : x;
    return p->depth > 8 ? row[2 * x] | row[2 * x + 1] << 8 : row[x];
}

static void yuv_free(struct yuv *f)
{
    for (int i = 0; i < 3; i++)
        buf_free(&f->buf[i]);
}

/* Colours of all samples against the formula in double: 0.55 (half a level plus the 5 fraction
 * bits). Greys are exactly grey. */
static void test_yuv_accuracy(void **state)
{
    double worst = 0;

    (void) state;
    for (int matrix = 0; matrix < 3; matrix++) {
        for (int full = 0; full < 2; full++) {
            for (int depth = 8; depth <= 10; depth += 2) {
                const double kr = (const double[]){0.2126, 0.299, 0.2627}[matrix];
                const double kb = (const double[]){0.0722, 0.114, 0.0593}[matrix];
                const int m = depth > 8 ? 4 : 1, max = 256 * m - 1;
                struct rp_yuv_factors f;

                rp_yuv_factors(&f, matrix, full, depth, 0);
                for (int i = 0; i < 200000; i++) {
                    const int y = range(0, max), u = i % 3 ? range(0, max) : 128 * m;
                    const int v = i % 3 ? range(0, max) : 128 * m;
                    const double l = full ? 255.0 * y / max : (y / (double) m - 16) * 255 / 219;
                    const double span = full ? max / 255.0 : 224.0 * m / 255;
                    const double pb = (u - 128 * m) / span, pr = (v - 128 * m) / span;
                    const double r = l + 2 * (1 - kr) * pr, b = l + 2 * (1 - kb) * pb;
                    const double g = (l - kr * r - kb * b) / (1 - kr - kb);
                    const double want[3] = {b, g, r};
                    const uint16_t luma = rp_yuv_luma(&f, y);
                    const uint8_t got[3] = {rp_yuv_add(luma, rp_yuv_term_b(&f, u)),
                                            rp_yuv_add(luma, rp_yuv_term_g(&f, u, v)),
                                            rp_yuv_add(luma, rp_yuv_term_r(&f, v))};

                    for (int c = 0; c < 3; c++)
                        worst = fmax(worst, fabs(got[c] - fmin(fmax(want[c], 0), 255)));
                    if (i % 3 == 0)
                        assert_true(got[0] == got[1] && got[1] == got[2]);
                }
                for (int i = 0; i < 100000; i++) { /* and back: the nearest sample, 0.55 */
                    const int b = range(0, 255), r = i % 3 ? range(0, 255) : b;
                    const int g = i % 3 ? range(0, 255) : b;
                    const double l = kr * r + (1 - kr - kb) * g + kb * b;
                    const double y = full ? l / 255 * max : (16 + l * 219 / 255) * m;
                    const double span = full ? max / 255.0 : 224.0 * m / 255;
                    const double u = 128 * m + (b - l) / (2 * (1 - kb)) * span;
                    const double v = 128 * m + (r - l) / (2 * (1 - kr)) * span;

                    close_to(rp_bgr_luma(&f, (uint8_t) b, (uint8_t) g, (uint8_t) r), y, 0.55);
                    close_to(rp_bgr_chroma_u(&f, 4 * b, 4 * g, 4 * r), fmin(u, max), 0.55);
                    close_to(rp_bgr_chroma_v(&f, 4 * b, 4 * g, 4 * r), fmin(v, max), 0.55);
                }
            }
        }
    }
    if (worst > 0.55)
        fail_msg("off by %.4f", worst);
}

/* The high half of a product: what libswscale's vector code keeps of each. */
static int high(int a, int b)
{
    return (int) floor((double) a * b / 65536);
}

/* With chroma halved across and 8 bits the colours are libswscale's. Its factors, 13 fraction bits,
 * as its tables of 16 give them: luma, red of V, blue of U, green of U and V. */
static void test_yuv_coarse(void **state)
{
    static const int factors[3][2][5] = {
        {{9539, 14686, 17305, -1747, -4366}, {8192, 12901, 15201, -1534, -3835}},
        {{9539, 13075, 16525, -3209, -6660}, {8192, 11485, 14516, -2819, -5850}},
        {{9539, 13752, 17545, -1535, -5328}, {8192, 12080, 15412, -1348, -4680}},
    };

    (void) state;
    for (int matrix = 0; matrix < 3; matrix++) {
        for (int full = 0; full < 2; full++) {
            const int *const k = factors[matrix][full];
            struct rp_yuv_factors f, fine;

            rp_yuv_factors(&f, matrix, full, 8, 1);
            rp_yuv_factors(&fine, matrix, full, 8, 0);
            assert_true(f.coarse && !fine.coarse);
            for (int i = 0; i < 200000; i++) {
                const int y = range(0, 255), u = range(0, 255), v = range(0, 255);
                const int l = high(8 * y - (full ? 0 : 128), k[0]);
                const int u8 = 8 * u - 1024, v8 = 8 * v - 1024;
                const int want[3] = {l + high(u8, k[2]), l + high(u8, k[3]) + high(v8, k[4]),
                                     l + high(v8, k[1])};
                const uint16_t luma = rp_yuv_luma(&f, y), exact = rp_yuv_luma(&fine, y);
                const int got[3] = {rp_yuv_add(luma, rp_yuv_term_b(&f, u)),
                                    rp_yuv_add(luma, rp_yuv_term_g(&f, u, v)),
                                    rp_yuv_add(luma, rp_yuv_term_r(&f, v))};
                const int near[3] = {rp_yuv_add(exact, rp_yuv_term_b(&fine, u)),
                                     rp_yuv_add(exact, rp_yuv_term_g(&fine, u, v)),
                                     rp_yuv_add(exact, rp_yuv_term_r(&fine, v))};

                for (int c = 0; c < 3; c++) {
                    assert_int_equal(got[c], rp_clampi(want[c], 0, 255));
                    assert_in_range(got[c] + 3, near[c], near[c] + 4);
                }
            }
        }
    }
}

static void check_yuv(int w, int h, int sub_x, int sub_y, int depth, int matrix, int full)
{
    struct yuv f = yuv_new(w, h, sub_x, sub_y, depth, matrix, full);
    struct picture bgr = picture_new(w, h, 3, 0);
    const int tw = rp_tiles(w), th = rp_tiles(h);
    struct buf changed = buf_new((size_t) tw * th);
    const struct rp_op_bgr_to_yuv back = {{bgr.img, changed.data, tw, th}, &f.p};
    struct rp_yuv_factors k;
    uint8_t *before[3];

    rp_yuv_factors(&k, matrix, full, depth, sub_x);
    rp_c_yuv_to_bgr(NULL, &(struct rp_op_yuv_to_bgr){&f.p, bgr.img});
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            const int u = yuv_at(&f.p, 1, x, y), v = yuv_at(&f.p, 2, x, y);
            const uint16_t l = rp_yuv_luma(&k, yuv_at(&f.p, 0, x, y));
            const uint8_t *got = at(&bgr.img, x, y);

            assert_int_equal(got[0], rp_yuv_add(l, rp_yuv_term_b(&k, u)));
            assert_int_equal(got[1], rp_yuv_add(l, rp_yuv_term_g(&k, u, v)));
            assert_int_equal(got[2], rp_yuv_add(l, rp_yuv_term_r(&k, v)));
        }

    /* Untouched pixels: not a bit changes, though every tile is marked. */
    for (int i = 0; i < 3; i++) {
        before[i] = malloc(f.buf[i].size);
        memcpy(before[i], f.buf[i].data, f.buf[i].size);
    }
    memset(changed.data, 1, changed.size);
    rp_c_bgr_to_yuv(NULL, &back);
    for (int i = 0; i < 3; i++)
        assert_memory_equal(f.buf[i].data, before[i], f.buf[i].size);

    /* A changed pixel in a tile that is not marked: the same. In a marked one: its block alone. */
    const int px = range(0, w - 1), py = range(0, h - 1);
    const int bx = px >> sub_x << sub_x, by = py >> sub_y << sub_y;
    uint8_t *pixel = at(&bgr.img, px, py);
    int n = 0, sum[3] = {0};

    pixel[0] ^= 0x80;
    pixel[2] ^= 0x41;
    memset(changed.data, 0, changed.size);
    rp_c_bgr_to_yuv(NULL, &back);
    for (int i = 0; i < 3; i++)
        assert_memory_equal(f.buf[i].data, before[i], f.buf[i].size);

    changed.data[(py / RP_TILE) * tw + px / RP_TILE] = 1;
    rp_c_bgr_to_yuv(NULL, &back);
    for (int y = by; y < rp_mini(by + (1 << sub_y), h); y++)
        for (int x = bx; x < rp_mini(bx + (1 << sub_x), w); x++, n++)
            for (int c = 0; c < 3; c++)
                sum[c] += at(&bgr.img, x, y)[c];
    assert_in_range(n, 1, 4);
    for (int c = 0; c < 3 && n > 0; c++)
        sum[c] = sum[c] * 4 / n;
    struct rp_planes old = f.p;
    for (int i = 0; i < 3; i++)
        old.plane[i] = before[i];
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            const int in = x >> sub_x == bx >> sub_x && y >> sub_y == by >> sub_y;
            const uint8_t *b = at(&bgr.img, x, y);

            assert_int_equal(yuv_at(&f.p, 0, x, y),
                             in ? rp_bgr_luma(&k, b[0], b[1], b[2]) : yuv_at(&old, 0, x, y));
            assert_int_equal(yuv_at(&f.p, 1, x, y), in ? rp_bgr_chroma_u(&k, sum[0], sum[1], sum[2])
                                                       : yuv_at(&old, 1, x, y));
            assert_int_equal(yuv_at(&f.p, 2, x, y), in ? rp_bgr_chroma_v(&k, sum[0], sum[1], sum[2])
                                                       : yuv_at(&old, 2, x, y));
        }
    for (int i = 0; i < 3; i++)
        free(before[i]);
    buf_free(&changed);
    picture_free(&bgr);
    yuv_free(&f);
}

static void test_yuv_formats(void **state)
{
    static const int subs[][2] = {{1, 1}, {1, 0}, {0, 0}, {0, 1}};

    (void) state;
    for (int i = 0; i < 4; i++)
        for (int depth = 8; depth <= 10; depth += 2)
            for (int matrix = 0; matrix < 3; matrix++)
                for (int full = 0; full < 2; full++) {
                    const int sx = subs[i][0], sy = subs[i][1];

                    check_yuv(range(1, 99), range(1, 70), sx, sy, depth, matrix, full);
                    check_yuv(range(500, 1100), range(1, 5), sx, sy, depth, matrix, full);
                    check_yuv(1, 1, sx, sy, depth, matrix, full);
                    check_yuv(range(1, 40), 1, sx, sy, depth, matrix, full);
                    check_yuv(1, range(1, 40), sx, sy, depth, matrix, full);
                }
    check_yuv(32767, 3, 1, 1, 8, 0, 0);
}

/* A painted picture survives the planes: greys within 1, flat colours within 3 (limited range has
 * fewer levels, twice rounded). */
static void test_yuv_paint(void **state)
{
    (void) state;
    for (int i = 0; i < 60; i++) {
        const int w = range(1, 60), h = range(1, 60), tw = rp_tiles(w), th = rp_tiles(h);
        struct yuv f = yuv_new(w, h, i & 1, i >> 1 & 1, i % 3 ? 8 : 10, i % 3, i % 5 == 0);
        struct picture bgr = picture_new(w, h, 3, 0), again = picture_new(w, h, 3, 0);
        uint8_t changed[16];
        const uint8_t grey = (uint8_t) rnd();
        const uint8_t c[3] = {grey, i & 4 ? grey : (uint8_t) rnd(), i & 4 ? grey : (uint8_t) rnd()};

        memset(changed, 1, sizeof(changed));
        for (int k = 0; k < w * h; k++)
            memcpy(at(&bgr.img, k % w, k / w), c, 3);
        rp_c_bgr_to_yuv(NULL, &(struct rp_op_bgr_to_yuv){{bgr.img, changed, tw, th}, &f.p});
        rp_c_yuv_to_bgr(NULL, &(struct rp_op_yuv_to_bgr){&f.p, again.img});
        for (int k = 0; k < w * h; k++)
            for (int j = 0; j < 3; j++)
                assert_in_range(abs(at(&again.img, k % w, k / w)[j] - c[j]), 0, i & 4 ? 1 : 3);
        picture_free(&bgr);
        picture_free(&again);
        yuv_free(&f);
    }
}

/* ---- resize ------------------------------------------------------------------------------------
 */

static void resize_plainly(const struct rp_img *s, const struct rp_img *d)
{
    const double sx = rp_resize_scale(s->w, d->w), sy = rp_resize_scale(s->h, d->h);

    for (int y = 0; y < d->h; y++) {
        float fy, fx;
        const int top = rp_resize_at(y, sy, &fy);
        const int b0 = rp_resize_weight(1.0f - fy), b1 = rp_resize_weight(fy);
        const int y0 = rp_clampi(top, 0, s->h - 1), y1 = rp_clampi(top + 1, 0, s->h - 1);

        for (int x = 0; x < d->w; x++) {
            const int x0 = rp_resize_column(x, sx, s->w, &fx), x1 = rp_mini(x0 + 1, s->w - 1);
            const int a0 = rp_resize_weight(1.0f - fx), a1 = rp_resize_weight(fx);

            for (int c = 0; c < d->ch; c++)
                at(d, x, y)[c] =
                    rp_resize_is_half(s->w, s->h, d->w, d->h)
                        ? rp_resize_mean(at(s, 2 * x, 2 * y)[c], at(s, 2 * x + 1, 2 * y)[c],
                                         at(s, 2 * x, 2 * y + 1)[c], at(s, 2 * x + 1, 2 * y + 1)[c])
                        : rp_resize_down(
                              rp_resize_across(at(s, x0, y0)[c], at(s, x1, y0)[c], a0, a1),
                              rp_resize_across(at(s, x0, y1)[c], at(s, x1, y1)[c], a0, a1), b0, b1);
        }
    }
}

static void check_resize(int sw, int sh, int dw, int dh, int ch)
{
    struct picture s = picture_new(sw, sh, ch, 1), d = picture_new(dw, dh, ch, 0);
    struct picture r = picture_new(dw, dh, ch, 0);

    rp_c_resize(NULL, &(struct rp_op_resize){s.img, d.img});
    resize_plainly(&s.img, &r.img);
    same_picture(&d.img, &r.img, "resize");
    if (sw == dw && sh == dh)
        same_picture(&d.img, &s.img, "resize to the same size");
    picture_free(&s);
    picture_free(&d);
    picture_free(&r);
}

static void test_resize(void **state)
{
    static const int chs[] = {1, 3, 4};

    (void) state;
    for (int i = 0; i < 150; i++) {
        const int ch = chs[i % 3], w = range(1, 90), h = range(1, 60);

        check_resize(w, h, range(1, 90), range(1, 60), ch);
        check_resize(w, h, w, h, ch);
        check_resize(2 * w, 2 * h, w, h, ch);
        check_resize(3 * w, 3 * h, w, h, ch);
        check_resize(w, h, 3 * w, h, ch);
    }
    check_resize(1, 1, 700, 3, 3);
    check_resize(16384, 2, 1, 1, 3);
    check_resize(32768, 1, 1100, 2, 3);
    check_resize(1, 3000, 2, 7, 3);
}

/* 1e-6 relative to 1: one more rounding here or there. */
static void test_resize_float(void **state)
{
    (void) state;
    for (int i = 0; i < 60; i++) {
        const int sw = range(1, 40), sh = range(1, 40), dw = range(1, 700), dh = range(1, 30);
        const int ch = i % 3 + 1;
        struct buf s = buf_new(sizeof(float) * sw * sh * ch);
        struct buf d = buf_new(sizeof(float) * dw * dh * ch);
        float *sp = (float *) (void *) s.data, *dp = (float *) (void *) d.data;

        for (int k = 0; k < sw * sh * ch; k++)
            sp[k] = (float) uniform(0, 1);
        rp_c_resize_float(NULL, &(struct rp_op_resize_float){sp, sw, sh, dp, dw, dh, ch});
        for (int k = 0; k < 400; k++) {
            const int x = range(0, dw - 1), y = range(0, dh - 1), c = range(0, ch - 1);
            const double fx = fmin(fmax((x + 0.5) * sw / dw - 0.5, 0), sw - 1);
            const double fy = fmin(fmax((y + 0.5) * sh / dh - 0.5, 0), sh - 1);
            const int x0 = (int) fx, y0 = (int) fy, x1 = rp_mini(x0 + 1, sw - 1);
            const int y1 = rp_mini(y0 + 1, sh - 1);
            const double tx = fx - x0, ty = fy - y0;
            const double p =
                sp[(y0 * sw + x0) * ch + c] * (1 - tx) + sp[(y0 * sw + x1) * ch + c] * tx;
            const double q =
                sp[(y1 * sw + x0) * ch + c] * (1 - tx) + sp[(y1 * sw + x1) * ch + c] * tx;

            /* positions are floats: 40 * 2^-24 */
            close_to(dp[(y * dw + x) * ch + c], p * (1 - ty) + q * ty, 1e-5);
        }
        buf_free(&s);
        buf_free(&d);
    }
}

/* ---- warp --------------------------------------------------------------------------------------
 */

static float sample(const struct rp_img *s, int x, int y, int c, int border)
{
    if (border)
        return at(s, rp_clampi(x, 0, s->w - 1), rp_clampi(y, 0, s->h - 1))[c];
    return x < 0 || y < 0 || x >= s->w || y >= s->h ? 0.0f : (float) at(s, x, y)[c];
}

static float warp_value(const struct rp_img *s, const struct rp_warp_line *l, int x, int c,
                        int border)
{
    float tx, ty;
    const int ix = rp_warp_split(rp_warp_x(l, x), s->w, &tx);
    const int iy = rp_warp_split(rp_warp_y(l, x), s->h, &ty);

    return rp_bilinear(sample(s, ix, iy, c, border), sample(s, ix + 1, iy, c, border),
                       sample(s, ix, iy + 1, c, border), sample(s, ix + 1, iy + 1, c, border), tx,
                       ty);
}

static void warp_plainly(const struct rp_op_warp *a)
{
    const int n = a->area ? rp_warp_samples(a->affine->inv) : 1;

    for (int y = 0; y < a->dst.h; y++)
        for (int x = 0; x < a->dst.w; x++)
            for (int c = 0; c < a->dst.ch; c++) {
                float sum = 0;

                for (int j = 0; j < n * n; j++) {
                    const struct rp_warp_line l =
                        rp_warp_line(a->affine->inv, n > 1 ? rp_warp_offset(j % n, n) : 0.0,
                                     n > 1 ? rp_warp_offset(j / n, n) : 0.0, y);

                    sum += warp_value(&a->src, &l, x, c, a->border);
                }
                at(&a->dst, x, y)[c] = rp_round_u8(n > 1 ? sum * (1.0f / (float) (n * n)) : sum);
            }
}

static void check_warp_sizes(int sw, int sh, int dw, int dh, int ch, const struct rp_affine *m)
{
    struct picture s = picture_new(sw, sh, ch, 1), d = picture_new(dw, dh, ch, 0);
    struct picture r = picture_new(dw, dh, ch, 0);

    for (int i = 0; i < 4; i++) {
        struct rp_op_warp op = {s.img, m, d.img, i & 1, i >> 1};

        rp_c_warp(NULL, &op);
        op.dst = r.img;
        warp_plainly(&op);
        same_picture(&d.img, &r.img, "warp");
    }
    picture_free(&s);
    picture_free(&d);
    picture_free(&r);
}

static struct rp_affine random_affine(int sw, int sh, int dw, int dh)
{
    return similarity(uniform(-4, 4), exp(uniform(-2.5, 1.5)), uniform(-0.2, 1.2) * sw,
                      uniform(-0.2, 1.2) * sh, uniform(0, 1) * dw, uniform(0, 1) * dh);
}

static void test_warp(void **state)
{
    static const int chs[] = {3, 1, 4};

    (void) state;
    for (int i = 0; i < 120; i++) {
        const int sw = range(1, 80), sh = range(1, 80), dw = range(1, i % 8 ? 50 : 600);
        const int dh = range(1, 30);
        const struct rp_affine m = random_affine(sw, sh, dw, dh);

        check_warp_sizes(sw, sh, dw, dh, chs[i % 3], &m);
    }
    for (int i = 0; i < 9; i++) { /* identity: the same picture, for every border */
        const int w = range(1, 300), h = range(1, 40), ch = chs[i % 3];
        struct picture s = picture_new(w, h, ch, 1), d = picture_new(w, h, ch, 0);
        const struct rp_affine one = affine((const double[6]){1, 0, 0, 0, 1, 0});

        rp_c_warp(NULL, &(struct rp_op_warp){s.img, &one, d.img, i & 1, i >> 1 & 1});
        same_picture(&d.img, &s.img, "identity");
        picture_free(&s);
        picture_free(&d);
    }
}

static const double strange[] = {0,      NAN,          INFINITY,      -INFINITY,    1e300, -1e300,
                                 1e-300, 2147483647.0, -2147483648.0, 4294967296.5, 1e20,  3e38};
#define STRANGE (int) (sizeof(strange) / sizeof(*strange))

static void strange_affine(struct rp_affine *m, int kind)
{
    for (int i = 0; i < 6; i++) {
        m->m[i] = kind < STRANGE ? strange[kind] : strange[range(0, STRANGE - 1)];
        m->inv[i] = kind < STRANGE ? strange[kind] : strange[range(0, STRANGE - 1)];
    }
}

/* ---- tensors -----------------------------------------------------------------------------------
 */

static void test_tensor_layouts(void **state)
{
    float lut[3][256];

    (void) state;
    rp_tensor_lut(lut, 255, (const double[3]){0.485, 0.456, 0.406},
                  (const double[3]){0.229, 0.224, 0.225});
    assert_true(lut[1][255] == (float) ((1 - 0.456) / 0.224));
    for (int i = 0; i < 200; i++) {
        const int w = range(1, 50), h = range(1, 40), ch = i % 4 ? 3 : 4, step = range(1, 4);
        struct picture s = picture_new(range(1, 90), range(1, 90), ch, 1);
        struct buf t = buf_new(sizeof(float) * 3 * w * h);
        const struct rp_op_to_tensor op = {.src = s.img,
                                           .lut = lut[0],
                                           .dst = (float *) (void *) t.data,
                                           .w = w,
                                           .h = h,
                                           .rgb = i & 1,
                                           .nhwc = i >> 1 & 1,
                                           .step = step,
                                           .off_x = range(0, step - 1),
                                           .off_y = range(0, step - 1)};

        rp_c_to_tensor(NULL, &op);
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < h; y++)
                for (int x = 0; x < w; x++) {
                    const int px = x * step + op.off_x, py = y * step + op.off_y;
                    const int in = px < s.img.w && py < s.img.h;
                    const int v = in ? at(&s.img, px, py)[op.rgb ? 2 - c : c] : 0;
                    const size_t k =
                        op.nhwc ? ((size_t) y * w + x) * 3 + c : ((size_t) c * h + y) * w + x;

                    assert_true(op.dst[k] == lut[c][v]);
                }
        buf_free(&t);
        picture_free(&s);
    }
}

/* The same tiles, all in one call and some in each turn. */
static void check_turns(const struct rp_img *src, int step, const float *lut)
{
    const int n = src->w / step, all = step * step;
    const size_t size = (size_t) n * n * 3;
    float *const one = malloc(size * sizeof(*one)), *const many = calloc(all, size * sizeof(*many));
    float *const want = calloc(all, size * sizeof(*want));
    float *const got = calloc(all, size * sizeof(*got));
    int32_t turn = 0;
    const int tiles = step == 4 ? 8 : step == 3 ? 3 : all;
    struct rp_op_to_tensor out = {
        .src = *src, .lut = lut, .dst = one, .w = n, .h = n, .step = step};
    struct rp_op_from_tensor in = {.src = one, .w = n, .h = n, .mul = {1, 1, 1}, .dst = want,
                                   .step = step};

    for (int i = 0; i < all; i++) {
        out.off_x = in.off_x = i % step;
        out.off_y = in.off_y = i / step;
        rp_c_to_tensor(NULL, &out);
        rp_c_from_tensor(NULL, &in);
    }
    out.dst = many;
    in.src = many;
    in.dst = got;
    out.tiles = in.tiles = tiles;
    out.turn = in.turn = tiles == all ? NULL : &turn;
    for (; turn < all / tiles + 1; turn++) { /* and once too often */
        rp_c_to_tensor(NULL, &out);
        rp_c_from_tensor(NULL, &in);
    }
    assert_memory_equal(got, want, all * size * sizeof(*got));
    free(one);
    free(many);
    free(want);
    free(got);
}

/* Pixel boost: tiles out and back in give the crop again. */
static void test_tiles(void **state)
{
    float lut[3][256];

    (void) state;
    rp_tensor_lut(lut, 255, (const double[3]){0, 0, 0}, (const double[3]){1, 1, 1});
    for (int step = 1; step <= 4; step++) {
        const int n = range(3, 20), size = n * step;
        struct picture s = picture_new(size, size, 3, 1), back = picture_new(size, size, 3, 0);
        struct buf t = buf_new(sizeof(float) * 3 * n * n);
        struct buf crop = buf_new(sizeof(float) * 3 * size * size);
        float *tp = (float *) (void *) t.data, *cp = (float *) (void *) crop.data;

        for (int i = 0; i < step * step; i++) {
            const struct rp_op_to_tensor out = {.src = s.img,
                                                .lut = lut[0],
                                                .dst = tp,
                                                .w = n,
                                                .h = n,
                                                .rgb = step & 1,
                                                .step = step,
                                                .off_x = i % step,
                                                .off_y = i / step};
            const struct rp_op_from_tensor in = {.src = tp,
                                                 .w = n,
                                                 .h = n,
                                                 .mul = {1, 1, 1},
                                                 .rgb = step & 1,
                                                 .round = 2,
                                                 .dst = cp,
                                                 .step = step,
                                                 .off_x = i % step,
                                                 .off_y = i / step};

            rp_c_to_tensor(NULL, &out);
            rp_c_from_tensor(NULL, &in);
        }
        rp_c_float_to_u8(NULL, &(struct rp_op_float_to_u8){cp, back.img});
        same_picture(&back.img, &s.img, "tiles");
        check_turns(&s.img, step, lut[0]);
        buf_free(&t);
        buf_free(&crop);
        picture_free(&s);
        picture_free(&back);
    }
}

/* Networks may give anything. */
static void test_strange_values(void **state)
{
    const float v[6] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 0.5f};
    float out[18] = {0};
    uint8_t bytes[18];
    const struct rp_img dst = {bytes, 18, 6, 1, 3};
    float tensor[18];

    (void) state;
    for (int i = 0; i < 18; i++)
        tensor[i] = v[i % 6];
    for (int round = 0; round < 3; round++) {
        rp_c_from_tensor(NULL, &(struct rp_op_from_tensor){.src = tensor,
                                                           .w = 6,
                                                           .h = 1,
                                                           .mul = {1, 1, 1},
                                                           .rgb = 1,
                                                           .round = round,
                                                           .dst = out,
                                                           .step = 1});
        assert_true(out[0] == 0 && out[3] == 255 && out[6] == 0 && out[9] == 255 && out[12] == 0);
    }
    for (int i = 0; i < 18; i++)
        tensor[i] = v[i % 6];
    rp_c_float_to_u8(NULL, &(struct rp_op_float_to_u8){tensor, dst});
    assert_true(bytes[0] == 0 && bytes[1] == 255 && bytes[2] == 0 && bytes[3] == 255);
    rp_c_mask_min(NULL, &(struct rp_op_mask_min){tensor, NULL, out, 6});
    assert_true(out[0] == 0 && out[1] == 1 && out[2] == 0 && out[5] == 0.5f);
    rp_c_mask_ramp(NULL, &(struct rp_op_mask_ramp){tensor, out, 6});
    assert_true(out[0] == 0 && out[1] == 1 && out[2] == 0 && out[5] == 0);
}

/* From crop to crop: the place in the frame decides, and outside the source it is black. */
static void test_mask_warp(void **state)
{
    const struct rp_affine same = {{1, 0, 0, 0, 1, 0}, {1, 0, 0, 0, 1, 0}};
    const struct rp_affine moved = {{1, 0, 2, 0, 1, -1}, {1, 0, -2, 0, 1, 1}}; /* crop = frame + .. */
    const struct rp_affine half = {{0.5, 0, 0, 0, 0.5, 0}, {2, 0, 0, 0, 2, 0}};
    float src[300 * 7], dst[310 * 9] = {0};

    (void) state;
    for (int i = 0; i < 300 * 7; i++)
        src[i] = (float) range(0, 1000) / 1000;
    for (int round = 0; round < 3; round++) {
        const struct rp_affine *const to = round == 0 ? &same : round == 1 ? &moved : &half;

        rp_c_mask_warp(NULL, &(struct rp_op_mask_warp){src, 300, 7, &same, to, dst, 310, 9});
        for (int i = 0; i < 310 * 9; i++) {
            const int x = round == 2 ? 2 * (i % 310) : i % 310 - (round == 1 ? 2 : 0);
            const int y = round == 2 ? 2 * (i / 310) : i / 310 + (round == 1 ? 1 : 0);
            const int inside = x >= 0 && x < 300 && y >= 0 && y < 7;

            assert_true(dst[i] == (inside ? src[y * 300 + x] : 0));
        }
    }
    rp_c_mask_warp(NULL, &(struct rp_op_mask_warp){src, 300, 7, &half, &same, dst, 310, 9});
    assert_true(fabsf(dst[310 + 1] - 0.25f * (src[0] + src[1] + src[300] + src[301])) < 1e-6f);
}

static void test_grey(void **state)
{
    struct picture s = picture_new(37, 11, 3, 1);
    float g[37 * 11];

    (void) state;
    rp_c_to_gray(NULL, &(struct rp_op_to_gray){s.img, g, 0.5f});
    for (int i = 0; i < 37 * 11; i++) {
        const uint8_t *p = at(&s.img, i % 37, i / 37);

        /* 0.51: 15-bit factors */
        close_to(g[i] * 2, 0.114 * p[0] + 0.587 * p[1] + 0.299 * p[2], 0.51);
        assert_true(g[i] * 2 == (float) (int) (g[i] * 2));
    }
    picture_free(&s);
}

/* ---- masks -------------------------------------------------------------------------------------
 */

/* Against the plain two-dimensional sum in double; 2e-6: float sums of up to 2 x 41 products. */
static void test_gaussian(void **state)
{
    (void) state;
    for (int i = 0; i < 40; i++) {
        const int w = i % 7 ? range(1, 40) : range(500, 1100), h = range(1, 20);
        const double sigma = uniform(0.3, 5);
        struct buf s = buf_new(sizeof(float) * w * h), d = buf_new(sizeof(float) * w * h);
        struct buf t = buf_new(sizeof(float) * w * h);
        float *sp = (float *) (void *) s.data, *dp = (float *) (void *) d.data, k[64];
        const int n = rp_gaussian_kernel(sigma, 0, k, 64), r = n / 2;

        for (int j = 0; j < w * h; j++)
            sp[j] = (float) uniform(0, 1);
        rp_c_gaussian(NULL,
                      &(struct rp_op_gaussian){sp, dp, (float *) (void *) t.data, w, h, k, n});
        for (int j = 0; j < 50; j++) {
            const int x = range(0, w - 1), y = range(0, h - 1);
            double sum = 0;

            for (int v = -r; v <= r; v++)
                for (int u = -r; u <= r; u++)
                    sum += (double) k[r + v] * k[r + u] *
                           sp[rp_reflect101(y + v, h) * w + rp_reflect101(x + u, w)];
            close_to(dp[y * w + x], sum, 2e-6);
        }
        buf_free(&s);
        buf_free(&d);
        buf_free(&t);
    }
    for (int n = 1; n < 6; n++) /* OpenCV's rule, step by step */
        for (int v = -20; v < 26; v++) {
            int p = v;

            while (n > 1 && (p < 0 || p >= n))
                p = p < 0 ? -p : 2 * n - 2 - p;
            assert_int_equal(rp_reflect101(v, n), n == 1 ? 0 : p);
        }
}

static uint32_t hash_of(const void *data, size_t n)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < n; i++)
        hash = (hash ^ ((const uint8_t *) data)[i]) * 16777619u;
    return hash;
}

/* FNV-1a of what OpenCV 4.6 makes of box masks: their middle is not always 1, and bytes are truncated
 * when they are pasted through it. */
static void test_gaussian_exact(void **state)
{
    static const int none[4];
    static const struct {
        int size;
        float blur;
        uint32_t hash;
    } cases[] = {{128, 0.05f, 0x96d8d46d},
                 {256, 0.3f, 0xf726bf55},
                 {256, 1, 0x9d8f2759},
                 {384, 0.45f, 0x06ab56f1},
                 {1024, 0.3f, 0x88fd9a11}};
    float *m = malloc(sizeof(*m) * 1024 * 1024), *tmp = malloc(sizeof(*m) * 256 * 256), kernel[64];
    const int n = rp_gaussian_kernel(5, 0, kernel, 64);

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const size_t side = (size_t) cases[i].size;

        box_mask(m, cases[i].size, cases[i].blur, none);
        assert_int_equal(hash_of(m, side * side * sizeof(*m)), cases[i].hash);
    }
    for (int i = 0; i < 256 * 256; i++)
        m[i] = (float) ((i % 256 * 7 + i / 256 * 13) % 17) / 16;
    rp_c_gaussian(NULL, &(struct rp_op_gaussian){m, m, tmp, 256, 256, kernel, n});
    assert_int_equal(hash_of(m, sizeof(*m) * 256 * 256), 0xb6e71f46);
    free(m);
    free(tmp);
}

/* A kernel wider than the stack row takes another path. */
static void test_gaussian_wide(void **state)
{
    const int n = 2 * 1024 + 3;
    float *k = malloc(sizeof(*k) * n), m[30], tmp[30];

    (void) state;
    rp_gaussian_kernel(0, n, k, n);
    for (int i = 0; i < 30; i++)
        m[i] = 1;
    rp_c_gaussian(NULL, &(struct rp_op_gaussian){m, m, tmp, 10, 3, k, n});
    for (int i = 0; i < 30; i++)
        close_to(m[i], 1, 1e-5);
    free(k);
}

/* ---- paste -------------------------------------------------------------------------------------
 */

static float float_at(const float *p, int w, int h, int ch, int x, int y, int c, int border)
{
    if (!border && (x < 0 || y < 0 || x >= w || y >= h))
        return 0;
    return p[((size_t) rp_clampi(y, 0, h - 1) * w + rp_clampi(x, 0, w - 1)) * ch + c];
}

static float float_sample(const float *p, int w, int h, int ch, const struct rp_warp_line *l, int x,
                          int c, int border)
{
    float tx, ty;
    const int ix = rp_warp_split(rp_warp_x(l, x), w, &tx);
    const int iy = rp_warp_split(rp_warp_y(l, x), h, &ty);

    return rp_bilinear(float_at(p, w, h, ch, ix, iy, c, border),
                       float_at(p, w, h, ch, ix + 1, iy, c, border),
                       float_at(p, w, h, ch, ix, iy + 1, c, border),
                       float_at(p, w, h, ch, ix + 1, iy + 1, c, border), tx, ty);
}

static void paste_plainly(const struct rp_op_paste *a)
{
    const struct rp_img *d = &a->dst.img;
    const struct rp_region r = rp_paste_region(a->affine->inv, a->w, a->h, d->w, d->h);

    for (int y = r.y1; y < r.y2; y++) {
        const struct rp_warp_line l = rp_paste_line(a->affine->m, &r, y);

        for (int x = r.x1; x < r.x2; x++) {
            const float m =
                rp_clampf(float_sample(a->mask, a->w, a->h, 1, &l, x - r.x1, 0, 0), 0.0f, 1.0f);

            for (int c = 0; c < 3; c++) {
                const uint8_t old = at(d, x, y)[c];
                const float new = float_sample(a->crop, a->w, a->h, 3, &l, x - r.x1, c, 1);
                const uint8_t v = rp_paste_mix(old, a->bytes ? (float) rp_round_u8(new) : new, m);

                at(d, x, y)[c] = a->keep == 0.0f ? v : rp_blend(old, v, a->keep, a->blend);
            }
        }
    }
}

static void check_paste(int fw, int fh, int w, int h, const struct rp_affine *m, float keep,
                        int bytes)
{
    struct picture frame = picture_new(fw, fh, 3, 1), plain = picture_new(fw, fh, 3, 0);
    struct picture before = picture_new(fw, fh, 3, 0);
    struct buf crop = buf_new(sizeof(float) * 3 * w * h), mask = buf_new(sizeof(float) * w * h);
    const int tw = rp_tiles(fw), th = rp_tiles(fh);
    struct buf changed = buf_new((size_t) tw * th);
    struct rp_op_paste op = {{frame.img, changed.data, tw, th},
                             (float *) (void *) crop.data,
                             (float *) (void *) mask.data,
                             w,
                             h,
                             m,
                             keep,
                             1 - keep,
                             bytes};

    memset(changed.data, 0, changed.size);
    for (int i = 0; i < 3 * w * h; i++)
        ((float *) (void *) crop.data)[i] = (float) uniform(0, 255);
    for (int i = 0; i < w * h; i++)
        ((float *) (void *) mask.data)[i] = rnd() & 3 ? (float) uniform(0, 1) : rnd() & 1;
    for (int y = 0; y < fh; y++) {
        memcpy(at(&plain.img, 0, y), at(&frame.img, 0, y), (size_t) fw * 3);
        memcpy(at(&before.img, 0, y), at(&frame.img, 0, y), (size_t) fw * 3);
    }
    rp_c_paste(NULL, &op);
    op.dst.img = plain.img;
    paste_plainly(&op);
    same_picture(&frame.img, &plain.img, "paste");
    for (int y = 0; y < fh; y++)
        for (int x = 0; x < fw; x++)
            if (memcmp(at(&frame.img, x, y), at(&before.img, x, y), 3) != 0)
                assert_int_equal(changed.data[(y / RP_TILE) * tw + x / RP_TILE], 1);
    buf_free(&changed);
    buf_free(&crop);
    buf_free(&mask);
    picture_free(&frame);
    picture_free(&plain);
    picture_free(&before);
}

static void test_paste(void **state)
{
    (void) state;
    for (int i = 0; i < 120; i++) {
        const int fw = range(1, i % 8 ? 90 : 700), fh = range(1, 70), w = range(1, 40);
        const int h = range(1, 40);
        const struct rp_affine m = random_affine(fw, fh, w, h);

        check_paste(fw, fh, w, h, &m, i % 3 ? 0.0f : (float) range(0, 20) * 0.05f, i & 1);
    }
}

/* A crop pasted where it was cut changes nothing with mask 0 and gives itself with mask 1. */
static void test_paste_identity(void **state)
{
    const int w = 41, h = 23;
    struct picture frame = picture_new(w, h, 3, 1), before = picture_new(w, h, 3, 0);
    const struct rp_affine one = affine((const double[6]){1, 0, 0, 0, 1, 0});
    const struct rp_affine away = affine((const double[6]){1, 0, 5000, 0, 1, 0});
    float *crop = malloc(sizeof(*crop) * w * h * 3), *mask = calloc((size_t) w * h, sizeof(*mask));
    uint8_t changed[3 * 2] = {0};
    struct rp_op_paste op = {{frame.img, changed, 3, 2}, crop, mask, w, h, &away};

    (void) state;
    for (int i = 0; i < w * h * 3; i++)
        crop[i] = NAN; /* not read where the mask is 0 */
    for (int y = 0; y < h; y++)
        memcpy(at(&before.img, 0, y), at(&frame.img, 0, y), (size_t) w * 3);
    rp_c_paste(NULL, &op);
    for (int i = 0; i < 6; i++)
        assert_int_equal(changed[i], 0); /* outside the frame: nothing */
    op.affine = &one;
    rp_c_paste(NULL, &op);
    same_picture(&frame.img, &before.img, "paste through nothing");
    for (int i = 0; i < 6; i++)
        assert_int_equal(changed[i], 1);
    rp_c_u8_to_float(NULL, &(struct rp_op_u8_to_float){frame.img, crop});
    for (int i = 0; i < w * h; i++)
        mask[i] = 1;
    memset(frame.img.data, 7, (size_t) w * 3);
    rp_c_paste(NULL, &op);
    same_picture(&frame.img, &before.img, "paste of itself");
    free(crop);
    free(mask);
    picture_free(&frame);
    picture_free(&before);
}

/* Broken matrices: no read or write outside (guards and AddressSanitizer would detect it). */
static void test_strange_matrices(void **state)
{
    struct rp_affine m;
    float crop[9 * 7 * 3], mask[9 * 7];
    struct rp_dface *face = calloc(1, sizeof(*face));

    (void) state;
    for (int i = 0; i < 9 * 7; i++)
        mask[i] = crop[3 * i] = crop[3 * i + 1] = crop[3 * i + 2] = 1;
    for (int i = 0; i < 400; i++) {
        const int fw = range(1, 40), fh = range(1, 40), tw = rp_tiles(fw), th = rp_tiles(fh);
        struct picture frame = picture_new(fw, fh, 3, 1), dst = picture_new(9, 7, 3, 0);
        struct buf changed = buf_new((size_t) tw * th), tmp = buf_new((size_t) fw * fh);
        const struct rp_canvas canvas = {frame.img, changed.data, tw, th};

        strange_affine(&m, i);
        rp_c_warp(NULL, &(struct rp_op_warp){frame.img, &m, dst.img, i & 1, i >> 1 & 1});
        if (i == 1) { /* all NaN: everything is border */
            rp_c_warp(NULL, &(struct rp_op_warp){frame.img, &m, dst.img, 0, 0});
            for (int k = 0; k < 63; k++)
                assert_int_equal(at(&dst.img, k % 9, k / 9)[0], 0);
        }
        rp_c_paste(NULL, &(struct rp_op_paste){canvas, crop, mask, 9, 7, &m});
        rp_c_draw_mask(NULL, &(struct rp_op_draw_mask){canvas, face, mask, 9, 7, &m, tmp.data});
        for (int k = 0; k < 136; k++)
            face->lm68[k] = (float) strange[range(0, STRANGE - 1)];
        for (int k = 0; k < 4; k++)
            face->box[k] = i % 3 ? (float) strange[range(0, STRANGE - 1)] : (float) range(-9, 50);
        face->angle = range(-1, 4) * 90;
        rp_c_draw_face(NULL, &(struct rp_op_draw_face){canvas, face, 31});
        buf_free(&changed);
        buf_free(&tmp);
        picture_free(&frame);
        picture_free(&dst);
    }
    free(face);
}

/* ---- drawing -----------------------------------------------------------------------------------
 */

/* Half widths of the rows of OpenCV's filled circles and of the ends of its thick lines. */
static void test_shapes(void **state)
{
    static const int disc[12][12] = {
        {0},
        {1, 0},
        {2, 1, 0},
        {3, 2, 2, 0},
        {4, 3, 3, 2, 0},
        {5, 4, 4, 4, 3, 0},
        {6, 5, 5, 5, 4, 3, 0},
        {7, 6, 6, 6, 5, 4, 3, 0},
        {8, 7, 7, 7, 6, 6, 5, 3, 0},
        {9, 8, 8, 8, 8, 7, 6, 5, 4, 0},
        {10, 9, 9, 9, 9, 8, 8, 7, 6, 4, 0},
        {11, 10, 10, 10, 10, 9, 9, 8, 7, 6, 4, 0},
    };
    static const int radius[12] = {0, 0, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6};
    static const int scale[][2] = {{1, 1},   {226, 1},  {384, 1},  {404, 1},   {406, 2},
                                   {720, 3}, {1080, 4}, {2160, 8}, {2700, 10}, {9999, 10}};

    (void) state;
    for (int r = 0; r < 12; r++) {
        for (int y = 0; y <= r; y++) {
            assert_int_equal(rp_disc_width(r, y), disc[r][y]);
            assert_int_equal(rp_disc_width(r, -y), disc[r][y]);
        }
        assert_int_equal(rp_disc_width(r, r + 1), -1);
        assert_int_equal(rp_draw_radius(r), radius[r]);
    }
    for (size_t i = 0; i < sizeof(scale) / sizeof(*scale); i++)
        assert_int_equal(rp_draw_scale(scale[i][0]), scale[i][1]);
}

static uint32_t colour_at(const struct rp_img *i, int x, int y)
{
    const uint8_t *p = at(i, x, y);

    return (uint32_t) p[2] << 16 | (uint32_t) p[1] << 8 | p[0];
}

/* Box and points of a 720-line frame (scale 3): colours, order, "up", and the face's two states. */
static void test_draw_face(void **state)
{
    struct picture p = picture_new(200, 720, 3, 0);
    struct rp_dface *f = calloc(1, sizeof(*f));
    const struct rp_canvas c = {p.img, NULL, 0, 0};

    (void) state;
    for (int y = 0; y < 720; y++)
        memset(at(&p.img, 0, y), 0, 600);
    f->box[0] = 20.9f;
    f->box[1] = 30.9f;
    f->box[2] = 100;
    f->box[3] = 130;
    f->angle = 90;
    f->lm5[0] = 50;
    f->lm5[1] = 60;
    memcpy(f->lm5_68, f->lm5, sizeof(f->lm5));
    f->lm68[0] = 150;
    f->lm68[1] = 300;
    rp_c_draw_face(NULL, &(struct rp_op_draw_face){c, f, 31});
    assert_int_equal(colour_at(&p.img, 60, 30), RP_DRAW_RED);
    assert_int_equal(colour_at(&p.img, 60, 32), RP_DRAW_RED);
    assert_int_equal(colour_at(&p.img, 60, 33), 0);
    assert_int_equal(colour_at(&p.img, 20, 90), RP_DRAW_RED);
    assert_int_equal(colour_at(&p.img, 100, 90), RP_DRAW_UP); /* right */
    assert_int_equal(colour_at(&p.img, 50, 60), RP_DRAW_CYAN);
    assert_int_equal(colour_at(&p.img, 53, 60), RP_DRAW_CYAN);
    assert_int_equal(colour_at(&p.img, 54, 60), 0);
    assert_int_equal(colour_at(&p.img, 150, 300), RP_DRAW_GREEN);
    assert_int_equal(colour_at(&p.img, 0, 0), RP_DRAW_GREEN); /* the other 67 points of lm68 */
    f->lm5_68[0] = 51;
    rp_c_draw_face(NULL, &(struct rp_op_draw_face){c, f, RP_DEBUG_LANDMARK_5});
    assert_int_equal(colour_at(&p.img, 50, 60), RP_DRAW_RED);
    rp_c_draw_face(NULL, &(struct rp_op_draw_face){c, f, RP_DEBUG_LANDMARK_5_68});
    assert_int_equal(colour_at(&p.img, 51, 60), RP_DRAW_GREEN);
    f->origin = 1;
    rp_c_draw_face(NULL, &(struct rp_op_draw_face){c, f, RP_DEBUG_LANDMARK_5_68});
    assert_int_equal(colour_at(&p.img, 51, 60), RP_DRAW_ORANGE);
    free(f);
    picture_free(&p);
}

/* ---- small functions ---------------------------------------------------------------------------
 */

static void test_rounding(void **state)
{
    (void) state;
    for (int i = -4000; i <= 4000; i++) {
        const float f = (float) i * 0.25f;

        assert_int_equal(rp_round_f(f), lrintf(f));
        assert_int_equal(rp_round_d((double) f), lrintf(f));
        assert_int_equal(rp_floor_f(f), (int) floorf(f));
        assert_int_equal(rp_ceil_d((double) f), (int) ceilf(f));
    }
    for (int i = 0; i < 100000; i++) {
        const float f = (float) uniform(-70000, 70000);

        assert_int_equal(rp_round_f(f), lrintf(f));
        assert_int_equal(rp_floor_d((double) f), (int) floorf(f));
    }
}

/* ---- mattes and alpha ------------------------------------------------------------------------ */

/* The frame recorded with modnet: despill 0 255 0 128, fill 0 255 0 255. Equal. */
static void test_modnet_frame(void **state)
{
    FIXTURE(source, "processors2/face_debugger/source_frame.npy");
    FIXTURE(want, "processors2/background_remover/modnet/final_frame.npy");
    FIXTURE(mask, "processors2/background_remover/modnet/final_mask.npy");
    const struct rp_img frame = as_image(&source), expected = as_image(&want);
    const struct rp_img matte = {mask.data, frame.w, frame.w, frame.h, 1};
    uint8_t changed[24 * 24] = {0};
    struct rp_op_backdrop op = {.dst = {frame, changed, 24, 24, {0}},
                                .matte = matte,
                                .despill = {0, (float) (128 / 255.0), 0},
                                .fill = {0, 255, 0, 255}};

    (void) state;
    assert_int_equal(mask.n, frame.w * frame.h);
    rp_c_backdrop(NULL, &op);
    same_picture(&frame, &expected, "modnet");
    free(source.data);
    free(want.data);
    free(mask.data);
}

/* A row of pixels through backdrop; alpha starts opaque. */
static void run_backdrop(uint8_t *bgr, uint8_t *alpha, const uint8_t *matte, int n,
                         const float despill[3], const int fill[4], uint8_t *changed)
{
    uint8_t mattes[64];
    struct rp_op_backdrop op = {
        .dst = {{bgr, 3 * n, n, 1, 3}, changed, rp_tiles(n), 1, {alpha, n, n, 1, 1}},
        .matte = {mattes, n, n, 1, 1},
    };

    memcpy(mattes, matte, (size_t) n);
    memset(alpha, 255, (size_t) n);
    memcpy(op.despill, despill, sizeof(op.despill));
    memcpy(op.fill, fill, sizeof(op.fill));
    rp_c_backdrop(NULL, &op);
}

/* FaceFusion's own numbers. */
static void test_backdrop(void **state)
{
    static const uint8_t in[12] = {10, 200, 30, 100, 120, 90, 0, 255, 0, 50, 60, 70};
    static const uint8_t strong[12] = {10, 20, 30, 100, 95, 90, 0, 0, 0, 50, 60, 70};
    static const uint8_t weak[12] = {10, 109, 30, 100, 107, 90, 0, 127, 0, 50, 60, 70};
    static const uint8_t red[12] = {10, 200, 30, 50, 60, 172, 0, 0, 255, 12, 15, 208};
    static const uint8_t all[4] = {255, 255, 255, 255}, matte[4] = {255, 128, 0, 64};
    static const float full[3] = {0, 1, 0}, half[3] = {0, 128 / 255.0f, 0}, none[3] = {0};
    static const int no_fill[4] = {0}, fill[4] = {0, 0, 255, 255};
    uint8_t bgr[12], alpha[4], changed[1] = {0};

    (void) state;
    memcpy(bgr, in, 12);
    run_backdrop(bgr, alpha, all, 4, full, no_fill, changed);
    assert_memory_equal(bgr, strong, 12);
    assert_memory_equal(alpha, all, 4);
    assert_int_equal(changed[0], 1);
    memcpy(bgr, in, 12);
    run_backdrop(bgr, alpha, all, 4, half, no_fill, changed);
    assert_memory_equal(bgr, weak, 12);
    memcpy(bgr, in, 12);
    run_backdrop(bgr, alpha, matte, 4, none, fill, changed);
    assert_memory_equal(bgr, red, 12);
    assert_memory_equal(alpha, matte, 4);
    memcpy(bgr, in, 12);
    changed[0] = 0;
    run_backdrop(bgr, alpha, matte, 4, none, no_fill, changed);
    assert_memory_equal(bgr, in, 12); /* only the alpha differs */
    assert_int_equal(changed[0], 0);
}

static void test_mattes(void **state)
{
    static const float soft[6] = {-1, 0, 0.5f, 0.999f, 7, NAN};
    static const uint8_t bytes[6] = {0, 0, 127, 254, 255, 0};
    static const float classes[12] = {.9f, .1f, .4f, .4f, .1f, .5f, .4f, .3f, 0, .4f, .2f, .5f};
    static const uint8_t subject[4] = {0, 255, 0, 255}; /* equal ones: the first */
    uint8_t keyed[12] = {10, 200, 30, 100, 120, 90, 0, 255, 0, 50, 60, 70}, out[6];
    float key[4];

    (void) state;
    rp_c_matte_u8(NULL, &(struct rp_op_matte_u8){soft, 1, {out, 6, 6, 1, 1}});
    assert_memory_equal(out, bytes, 6);
    rp_c_matte_u8(NULL, &(struct rp_op_matte_u8){classes, 3, {out, 4, 4, 1, 1}});
    assert_memory_equal(out, subject, 4);
    rp_c_key_matte(NULL, &(struct rp_op_key_matte){{keyed, 12, 4, 1, 3}, key});
    assert_float_equal(key[0], 0, 0);
    assert_float_equal(key[1], 1 - 2 * 20 / 255.0, 1e-6); /* 120 - 100 */
    assert_float_equal(key[2], 0, 0);
    assert_float_equal(key[3], 1, 0);
}

/* 8 bits come back unchanged; 10-bit alpha that was not changed keeps all its bits. */
/* Odd sizes: the last chroma pair belongs to half a block. */
static void test_semi_read(void **state)
{
    uint8_t y8[2][4] = {{1, 2, 3, 99}, {4, 5, 6, 99}}, uv8[1][6] = {{10, 20, 11, 21, 99, 99}};
    uint16_t y10[2][4] = {{1 << 6, 1023 << 6, 3 << 6, 9}, {4 << 6 | 63, 5 << 6, 6 << 6, 9}},
             uv10[1][6] = {{512 << 6, 20 << 6, 11 << 6, 21 << 6, 9, 9}};
    uint8_t a[2][4] = {{0}}, u[4] = {0}, v[4] = {0};
    uint16_t b[2][4] = {{0}}, s[4] = {0}, t[4] = {0};
    const struct rp_planes eight = {.plane = {a[0], u, v}, .stride = {4, 4, 4}, .w = 3, .h = 2,
                                    .sub_x = 1, .sub_y = 1, .depth = 8},
                           ten = {.plane = {(uint8_t *) b, (uint8_t *) s, (uint8_t *) t},
                                  .stride = {8, 8, 8}, .w = 3, .h = 2, .sub_x = 1, .sub_y = 1,
                                  .depth = 10};

    (void) state;
    rp_c_semi_read(NULL, &(struct rp_op_semi_read){{y8[0], 4, 3, 2, 1}, {uv8[0], 6, 4, 1, 1}, &eight});
    assert_memory_equal(a, ((uint8_t[]){1, 2, 3, 0, 4, 5, 6, 0}), 8);
    assert_memory_equal(u, ((uint8_t[]){10, 11, 0, 0}), 4);
    assert_memory_equal(v, ((uint8_t[]){20, 21, 0, 0}), 4);
    rp_c_semi_read(NULL, &(struct rp_op_semi_read){{(uint8_t *) y10, 8, 3, 2, 1},
                                                   {(uint8_t *) uv10, 12, 4, 1, 1}, &ten});
    assert_memory_equal(b, ((uint16_t[]){1, 1023, 3, 0, 4, 5, 6, 0}), 16);
    assert_memory_equal(s, ((uint16_t[]){512, 11, 0, 0}), 8);
    assert_memory_equal(t, ((uint16_t[]){20, 21, 0, 0}), 8);
}

static void test_alpha_planes(void **state)
{
    uint16_t deep[1024], had[1024];
    uint8_t small[1024], plain[256];
    struct rp_planes p = {
        .plane = {NULL, NULL, NULL, (uint8_t *) deep}, .stride = {0, 0, 0, 2048}, .depth = 10};

    (void) state;
    for (int i = 0; i < 1024; i++)
        had[i] = deep[i] = (uint16_t) i;
    const struct rp_img read = {small, 1024, 1024, 1, 1};
    rp_c_alpha_read(NULL, &(struct rp_op_alpha_read){&p, read});
    assert_int_equal(small[0], 0);
    assert_int_equal(small[1023], 255);
    small[512] ^= 64;
    rp_c_alpha_write(NULL, &(struct rp_op_alpha_write){read, &p, 0});
    for (int i = 0; i < 1024; i++)
        assert_int_equal(deep[i] == had[i], i != 512);
    for (int i = 0; i < 256; i++)
        plain[i] = (uint8_t) i;
    rp_c_alpha_write(NULL, &(struct rp_op_alpha_write){{plain, 256, 256, 1, 1}, &p, 1});
    rp_c_alpha_read(NULL, &(struct rp_op_alpha_read){&p, read});
    assert_memory_equal(small, plain, 256);
    p.plane[3] = NULL;
    rp_c_alpha_read(NULL, &(struct rp_op_alpha_read){&p, read});
    for (int i = 0; i < 1024; i++)
        assert_int_equal(small[i], 255);
}

/* A picture is split and joined again; what is left out stays. */
static void test_alpha_apart(void **state)
{
    uint8_t four[2][10] = {{1, 2, 3, 4, 5, 6, 7, 8}, {9, 10, 11, 12, 13, 14, 15, 16}};
    uint8_t bgr[12], alpha[4], three[12] = {0}, made[2][10] = {{0}};
    const struct rp_img src = {four[0], 10, 2, 2, 4}, pixels = {bgr, 6, 2, 2, 3},
                        a = {alpha, 2, 2, 2, 1}, none = {0}, plain = {three, 6, 2, 2, 3},
                        dst = {made[0], 10, 2, 2, 4};

    (void) state;
    rp_c_alpha_split(NULL, &(struct rp_op_alpha_split){src, pixels, a});
    assert_memory_equal(bgr, ((uint8_t[]){1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 14, 15}), 12);
    assert_memory_equal(alpha, ((uint8_t[]){4, 8, 12, 16}), 4);
    rp_c_alpha_join(NULL, &(struct rp_op_alpha_join){pixels, none, dst});
    assert_memory_equal(made[1], ((uint8_t[]){9, 10, 11, 0, 13, 14, 15, 0, 0, 0}), 10);
    rp_c_alpha_join(NULL, &(struct rp_op_alpha_join){none, a, dst});
    assert_memory_equal(made, four, sizeof(four));
    rp_c_alpha_join(NULL, &(struct rp_op_alpha_join){pixels, a, plain});
    assert_memory_equal(three, bgr, 12);
    rp_c_alpha_split(NULL, &(struct rp_op_alpha_split){plain, none, a});
    assert_memory_equal(alpha, ((uint8_t[]){255, 255, 255, 255}), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_golden_box_mask),
        cmocka_unit_test(test_kernel_sizes),
        cmocka_unit_test(test_golden_soft_threshold),
        cmocka_unit_test(test_golden_paste_region),
        cmocka_unit_test(test_golden_normalise),
        cmocka_unit_test(test_detector_input),
        cmocka_unit_test(test_resized_inputs),
        cmocka_unit_test(test_vision_frames),
        cmocka_unit_test(test_crops),
        cmocka_unit_test(test_contrast_recorded),
        cmocka_unit_test(test_contrast_golden),
        cmocka_unit_test(test_crop_inputs),
        cmocka_unit_test(test_outputs),
        cmocka_unit_test(test_masks),
        cmocka_unit_test(test_blend),
        cmocka_unit_test(test_blend_halves),
        cmocka_unit_test(test_debug_picture),
        cmocka_unit_test(test_modnet_frame),
        cmocka_unit_test(test_backdrop),
        cmocka_unit_test(test_mattes),
        cmocka_unit_test(test_semi_read),
        cmocka_unit_test(test_alpha_planes),
        cmocka_unit_test(test_alpha_apart),
        cmocka_unit_test(test_yuv_accuracy),
        cmocka_unit_test(test_yuv_coarse),
        cmocka_unit_test(test_yuv_formats),
        cmocka_unit_test(test_yuv_paint),
        cmocka_unit_test(test_resize),
        cmocka_unit_test(test_resize_float),
        cmocka_unit_test(test_mask_warp),
        cmocka_unit_test(test_warp),
        cmocka_unit_test(test_tensor_layouts),
        cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_strange_values),
        cmocka_unit_test(test_grey),
        cmocka_unit_test(test_gaussian),
        cmocka_unit_test(test_gaussian_exact),
        cmocka_unit_test(test_gaussian_wide),
        cmocka_unit_test(test_paste),
        cmocka_unit_test(test_paste_identity),
        cmocka_unit_test(test_strange_matrices),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_draw_face),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
