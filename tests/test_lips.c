/* The parts of the lip syncer: which columns of a voice belong to a frame, the box around the
 * landmarks, the cubic enlargement, and each step of FaceFusion's recorded run of wav2lip_gan_96.
 * Every tolerance has its reason next to it; without one, results are equal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "audio/speech.h"
#include "base/base.h"
#include "recorded.h"
#include "ops/cubic_core.h"
#include "ops/ops.h"

static void assert_near(double got, double want, double by)
{
    if (!(fabs(got - want) <= by))
        fail_msg("%.12g, not %.12g", got, want);
}

/* ---- columns of a voice ---------------------------------------------------------------------- */

#define HOURS 3

/* FaceFusion's first column of frame n: its numbers are 0, step, 2 * step ... (NumPy's arange),
 * truncated, without those before the first whole window. */
static int64_t recorded_column(int64_t n, double fps)
{
    const double step = 80 / fps;
    int64_t dropped = 0;

    while ((int64_t) ((double) dropped * step) < 16)
        dropped++;
    return (int64_t) ((double) (n + dropped) * step) - 16;
}

static void test_dropped_frames(void **state)
{
    (void) state;
    /* 5 frames at 25, 6 at 30, 12 at 60: the window begins with the frame. */
    const struct rp_speech s = {0};
    assert_int_equal(rp_speech_column(&s, 0, 25), 0);
    assert_int_equal(rp_speech_column(&s, 0, 30), 0);
    assert_int_equal(rp_speech_column(&s, 0, 60), 0);
    assert_int_equal(rp_speech_column(&s, 0, 24), 0);
    assert_int_equal(rp_speech_column(&s, 0, 24000.0 / 1001), 0);
    assert_int_equal(rp_speech_column(&s, 0, 12), 4); /* 3 frames are 20 columns */
    assert_int_equal(rp_speech_column(&s, 0, 1), 64);
    assert_int_equal(rp_speech_column(&s, 10, 25), 800);
}

/* Times as doubles; in ticks of common containers; and of a sound that begins with frame 37. */
static void test_constant_rates(void **state)
{
    static const struct {
        int num, den;
    } rates[] = {{24000, 1001}, {24, 1}, {25, 1},       {30000, 1001},
                 {30, 1},       {50, 1}, {60000, 1001}, {60, 1}};
    static const double ticks[] = {1000, 90000, 12800, 1000000};

    (void) state;
    for (size_t r = 0; r < RP_ARRAY_LEN(rates); r++) {
        const double fps = (double) rates[r].num / rates[r].den;
        const int64_t frames = (int64_t) (HOURS * 3600 * fps);

        for (int64_t n = 0; n < frames; n++) {
            const int64_t want = recorded_column(n, fps);
            struct rp_speech s = {0};

            if (rp_speech_column(&s, (double) n / fps, fps) != want)
                fail_msg("%g fps: frame %lld", fps, (long long) n);
            for (size_t t = 0; t < RP_ARRAY_LEN(ticks); t++) {
                const double time = round((double) n / fps * ticks[t]) / ticks[t];
                const double first = round(37 / fps * ticks[t]) / ticks[t];
                const double later = round((double) (n + 37) / fps * ticks[t]) / ticks[t];

                s.start = 0;
                if (rp_speech_column(&s, time, fps) != want)
                    fail_msg("%g fps: frame %lld in ticks of %g", fps, (long long) n, ticks[t]);
                s.start = first;
                if (rp_speech_column(&s, later, fps) != want)
                    fail_msg("%g fps: frame %lld after the cut", fps, (long long) n);
            }
        }
    }
}

/* Frames at any times: the column begins with the frame, to the step that is rounded away. */
static void test_variable_rate(void **state)
{
    (void) state;
    for (int i = 0; i < 100000; i++) {
        const double time = i * 0.0123456, start = (i % 7 - 3) * 0.31;
        const struct rp_speech s = {.start = start};
        const double column = 80 * (time - start);

        /* One column less by truncation, 0.08 by the thousandth of a second. */
        assert_true(fabs((double) rp_speech_column(&s, time, 25) - column + 0.5) <= 0.5 + 0.081);
    }
}

/* FaceFusion's numbers wrap at 32768 columns, after 409.6 s; these do not. */
static void test_long_sound(void **state)
{
    const struct rp_speech s = {0};

    (void) state;
    assert_int_equal(rp_speech_column(&s, 409.6, 25), 32768);
    assert_int_equal(rp_speech_column(&s, 86400, 25), 80 * 86400);
}

static void test_no_column(void **state)
{
    const struct rp_speech s = {0}, odd = {.start = (double) NAN};

    (void) state;
    assert_true(rp_speech_column(&s, 0, 0) == INT64_MIN); /* a picture */
    assert_true(rp_speech_column(&s, 0, -25) == INT64_MIN);
    assert_true(rp_speech_column(&s, 0, (double) NAN) == INT64_MIN);
    assert_true(rp_speech_column(&s, 0, (double) INFINITY) == INT64_MIN);
    assert_true(rp_speech_column(&s, 0, 1e-300) == INT64_MIN);
    assert_true(rp_speech_column(&s, (double) NAN, 25) == INT64_MIN);
    assert_true(rp_speech_column(&s, 1e300, 25) == INT64_MIN);
    assert_true(rp_speech_column(&odd, 0, 25) == INT64_MIN);
    assert_true(rp_speech_column(NULL, 0, 25) == INT64_MIN);
}

#define COUNT 40

/* Number at band b of column c: c + b / 100. */
static void make_speech(struct rp_speech *s, double start)
{
    static float mel[COUNT * RP_SPEECH_BANDS];

    for (int c = 0; c < COUNT; c++)
        for (int b = 0; b < RP_SPEECH_BANDS; b++)
            mel[c * RP_SPEECH_BANDS + b] = (float) c + (float) b / 100 + 1;
    *s = (struct rp_speech){.count = COUNT, .mel = mel, .start = start};
}

static void check_window(const struct rp_speech *s, double time, int64_t first)
{
    float w[RP_SPEECH_BANDS * RP_SPEECH_WINDOW];

    memset(w, 0xff, sizeof(w));
    rp_speech_window(s, time, 25, w);
    for (int b = 0; b < RP_SPEECH_BANDS; b++)
        for (int i = 0; i < RP_SPEECH_WINDOW; i++) {
            const int64_t c = first + i;
            const float want = s && c >= 0 && c < COUNT ? (float) c + (float) b / 100 + 1 : 0;

            assert_true(w[b * RP_SPEECH_WINDOW + i] == want);
        }
}

/* Whole windows, and those that reach beyond the sound's ends. */
static void test_window(void **state)
{
    struct rp_speech s;

    (void) state;
    make_speech(&s, 0);
    check_window(&s, 0, 0);
    check_window(&s, 0.1, 8);
    check_window(&s, 0.4, 32);
    check_window(&s, 0.5, 40); /* nothing is left */
    check_window(&s, 1000, 80000);
    check_window(&s, -0.1, -8);
    check_window(&s, -5, -400);
    make_speech(&s, 0.2); /* begins late */
    check_window(&s, 0, -16);
    check_window(&s, 0.08, -10);
    check_window(&s, 0.2, 0);
    make_speech(&s, -0.2);
    check_window(&s, 0, 16);
    check_window(NULL, 0, 0);
    s.count = 0;
    check_window(&(struct rp_speech){.mel = NULL}, 1000, 80000);
}

/* FaceFusion's golden vectors. 1e-6: one rounding to single precision of numbers up to 4. */
static void test_levels(void **state)
{
    static const float in[] = {0, 1e-6f, 1e-5f, 1e-4f, 1e-3f, 1e-2f, 0.1f, 1, 100};
    static const float out[] = {-4, -4, -4, -3.2f, -1.6f, 0, 1.6f, 3.2f, 4};
    float w[RP_SPEECH_BANDS * RP_SPEECH_WINDOW] = {0};

    (void) state;
    memcpy(w, in, sizeof(in));
    rp_speech_levels(w, 1);
    for (size_t i = 0; i < RP_ARRAY_LEN(in); i++)
        assert_near((double) w[i], (double) out[i], 1e-6);
    assert_true(w[RP_ARRAY_LEN(in)] == -4);
    memcpy(w, in, sizeof(in));
    rp_speech_levels(w, 1.6f);
    assert_near((double) w[0], -6.4, 1e-6);
    assert_near((double) w[4], -2.56, 1e-6);
    assert_near((double) w[6], 2.56, 1e-6);
    w[0] = NAN;
    w[1] = INFINITY;
    w[2] = -INFINITY;
    w[3] = -1;
    rp_speech_levels(w, 1);
    assert_true(w[0] == -4 && w[1] == 4 && w[2] == -4 && w[3] == -4);
}

/* ---- cubic resize ---------------------------------------------------------------------------- */

static void fill(uint8_t *p, size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        p[i] = (uint8_t) (seed >> 24);
    }
}

/* Packed, or with rows that are longer than they need be. */
static struct rp_img new_image(int w, int h, int ch, int more)
{
    struct rp_img i = {NULL, w * ch + more, w, h, ch};

    i.data = malloc((size_t) i.stride * (size_t) h);
    assert_non_null(i.data);
    memset(i.data, 0xa5, (size_t) i.stride * (size_t) h);
    return i;
}

static uint64_t fnv(const uint8_t *p, size_t n)
{
    uint64_t h = 14695981039346656037u;

    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 1099511628211u;
    return h;
}

/* FNV-1a of what OpenCV 4.6 makes of the same pictures; rows of its results are whole vectors. */
static void test_cubic_golden(void **state)
{
    static const struct {
        int sw, sh, ch, dw, dh;
        uint64_t hash;
    } golden[] = {
        {256, 256, 3, 512, 512, 0xef6bc1eccbbb1a28u}, {64, 48, 1, 144, 80, 0xcd0f15020b52f3bcu},
        {100, 60, 4, 64, 40, 0x20d64d9669724727u},    {5, 7, 3, 96, 33, 0xa44f04433db7c2dbu},
        {1, 1, 3, 16, 5, 0x4f5d3770b9e88d75u},
    };

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(golden); i++) {
        const int sw = golden[i].sw, sh = golden[i].sh, ch = golden[i].ch;
        const struct rp_img s = new_image(sw, sh, ch, 0);
        const struct rp_img d = new_image(golden[i].dw, golden[i].dh, ch, 0);

        fill(s.data, (size_t) s.stride * (size_t) sh, (uint32_t) i + 1);
        rp_c_resize_cubic(NULL, &(struct rp_op_resize_cubic){s, d});
        if (fnv(d.data, (size_t) d.stride * (size_t) d.h) != golden[i].hash)
            fail_msg("%dx%d to %dx%d is not OpenCV's", sw, sh, d.w, d.h);
        free(s.data);
        free(d.data);
    }
}

static uint8_t cubic_plainly(const struct rp_img *s, const struct rp_cubic *x,
                             const struct rp_cubic *y, int c)
{
    int sum[4];
    float w[4];

    for (int j = 0; j < 4; j++) {
        const uint8_t *const p = s->data + (ptrdiff_t) y->at[j] * s->stride + c;

        sum[j] = rp_cubic_across(p[x->at[0] * s->ch], p[x->at[1] * s->ch], p[x->at[2] * s->ch],
                                 p[x->at[3] * s->ch], x->w);
        w[j] = rp_cubic_weight(y->w[j]);
    }
    return rp_cubic_down(sum[0], sum[1], sum[2], sum[3], w);
}

/* The version that goes by rows against the plain one, on odd sizes; padding stays. */
static void test_cubic_rows(void **state)
{
    static const int sizes[][4] = {{1, 1, 7, 5},     {2, 3, 300, 4},   {700, 5, 30, 9},
                                   {33, 21, 33, 21}, {90, 70, 31, 29}, {17, 600, 13, 20},
                                   {40, 30, 601, 45}};
    static const int chs[] = {1, 3, 4};

    (void) state;
    for (size_t i = 0; i < 3 * RP_ARRAY_LEN(sizes); i++) {
        const int *const n = sizes[i / 3], ch = chs[i % 3];
        const struct rp_img s = new_image(n[0], n[1], ch, 5), d = new_image(n[2], n[3], ch, 3);

        fill(s.data, (size_t) s.stride * (size_t) s.h, (uint32_t) i);
        rp_c_resize_cubic(NULL, &(struct rp_op_resize_cubic){s, d});
        for (int y = 0; y < d.h; y++) {
            const struct rp_cubic row = rp_cubic_at(y, rp_resize_scale(s.h, d.h), s.h);
            const uint8_t *const p = d.data + (ptrdiff_t) y * d.stride;

            for (int x = 0; x < d.w; x++) {
                const struct rp_cubic column = rp_cubic_at(x, rp_resize_scale(s.w, d.w), s.w);

                for (int c = 0; c < ch; c++)
                    assert_int_equal(p[x * ch + c], cubic_plainly(&s, &column, &row, c));
            }
            for (int k = d.w * ch; k < d.stride; k++)
                assert_int_equal(p[k], 0xa5);
        }
        if (n[0] == n[2])
            for (int y = 0; y < d.h; y++)
                assert_memory_equal(d.data + (ptrdiff_t) y * d.stride,
                                    s.data + (ptrdiff_t) y * s.stride, (size_t) (d.w * ch));
        free(s.data);
        free(d.data);
    }
}

/* ---- the box around the landmarks ------------------------------------------------------------ */

static void box_of(const float points[136], const double m[6], struct rp_affine *area,
                   struct rp_affine *back)
{
    static struct rp_dface face;
    struct rp_affine a = {0};

    memcpy(face.lm68, points, sizeof(face.lm68));
    memcpy(a.m, m, sizeof(a.m));
    rp_c_landmark_box(
        NULL, &(struct rp_op_landmark_box){
                  .face = &face, .affine = &a, .w = 96, .h = 48, .dst = area, .back = back});
}

static const double plain[6] = {1, 0, 0, 0, 1, 0};

/* A turned face: its box is that of the turned points. */
static void test_box(void **state)
{
    static const double turn[6] = {0, -2, 300, 2, 0, 10};
    float p[136];
    struct rp_affine area, back;

    (void) state;
    for (int i = 0; i < 68; i++) {
        p[2 * i] = (float) (20 + i % 7 * 5);       /* 20 to 50 */
        p[2 * i + 1] = (float) (100 + i % 11 * 4); /* 100 to 140 */
    }
    box_of(p, turn, &area, &back); /* x 20 to 100, y 50 to 110 */
    assert_near(area.m[0], 96.0 / 80, 1e-12);
    assert_near(area.m[4], 48.0 / 60, 1e-12);
    assert_near(area.m[2], -20 * 96.0 / 80, 1e-12);
    assert_near(area.m[5], -50 * 48.0 / 60, 1e-12);
    assert_true(area.m[1] == 0 && area.m[3] == 0);
    for (int i = 0; i < 6; i++) {
        assert_true(back.m[i] == area.inv[i]);
        assert_near(back.inv[i], area.m[i], 1e-12);
    }
}

/* Boxes without area, and numbers that are none, become maps that later work can stand. */
static void test_odd_boxes(void **state)
{
    static const float odd[] = {NAN, INFINITY, -INFINITY};
    float p[136];
    struct rp_affine area, back;

    (void) state;
    for (int k = 0; k < 6; k++) {
        for (int i = 0; i < 136; i++)
            p[i] = k < 3 ? 7 : (float) i;
        if (k == 1)
            p[6] = 9; /* wide, but not high */
        for (int i = 0; k >= 3 && i < 136; i += 1 + 5 * (k % 2))
            p[i] = odd[k - 3];
        box_of(p, plain, &area, &back);
        for (int i = 0; i < 6; i++) {
            assert_true(isfinite(area.m[i]) && isfinite(area.inv[i]));
            assert_true(isfinite(back.m[i]) && isfinite(back.inv[i]));
        }
        if (k < 3)
            assert_true(area.m[0] == 1 && area.m[4] == 1 && area.m[2] == 0 && back.m[0] == 1);
    }
}

/* ---- recorded by FaceFusion ------------------------------------------------------------------ */

#define RECORDED "lip_syncer/wav2lip_gan_96/"

enum {
    FRAME,
    POINTS_5,
    POINTS_68,
    CROP,
    POINTS_IN_CROP,
    BOX,
    AREA,
    VOICE,
    SOUND,
    INPUT,
    OUTPUT,
    RESULT,
    BOX_MASK,
    ARRAYS
};

static struct npy array[ARRAYS];

static int read_arrays(void **state)
{
    static const char *const names[ARRAYS] = {
        [FRAME] = "vision/image/source_pixels.npy.gz",
        [POINTS_5] = RECORDED "target_landmark_5_of_68.npy",
        [POINTS_68] = RECORDED "target_landmark_68.npy",
        [CROP] = RECORDED "crop_vision_frame.npy.gz",
        [POINTS_IN_CROP] = RECORDED "transformed_landmark_68.npy",
        [BOX] = RECORDED "bounding_box.npy",
        [AREA] = RECORDED "area_vision_frame.npy",
        [VOICE] = RECORDED "source_voice_frame.npy",
        [SOUND] = RECORDED "prepared_audio_frame.npy",
        [INPUT] = RECORDED "target_input.npy",
        [OUTPUT] = RECORDED "raw_model_output.npy",
        [RESULT] = RECORDED "normalized_area_vision_frame.npy",
        [BOX_MASK] = RECORDED "box_mask.npy.gz",
    };

    (void) state;
    for (int i = 0; i < ARRAYS; i++)
        if (recorded_open(names[i], &array[i]) < 0) {
            print_message("skipped: no %s\n", names[i]);
            return 0;
        }
    return 0;
}

static int free_arrays(void **state)
{
    (void) state;
    for (int i = 0; i < ARRAYS; i++)
        free(array[i].data);
    memset(array, 0, sizeof(array));
    return 0;
}

#define NEED_ARRAYS()                    \
    do {                                 \
        for (int k = 0; k < ARRAYS; k++) \
            if (!array[k].data)          \
                skip();                  \
    } while (0)

static struct rp_img as_image(const struct npy *a)
{
    assert_int_equal(a->type, 'B');
    return (struct rp_img){a->data, (int) a->dim[1] * 3, (int) a->dim[1], (int) a->dim[0], 3};
}

static struct rp_dface face;
static struct rp_affine affine, area, back;

/* The face's places, and the maps made from them. */
static void place_face(void)
{
    for (size_t i = 0; i < 136; i++)
        face.lm68[i] = (float) npy_at(&array[POINTS_68], i);
    for (size_t i = 0; i < 10; i++)
        face.lm5_68[i] = (float) npy_at(&array[POINTS_5], i);
    rp_c_align(NULL, &(struct rp_op_align){.face = &face,
                                           .template_id = RP_TEMPLATE_FFHQ_512,
                                           .w = 512,
                                           .h = 512,
                                           .scale = 1,
                                           .dst = &affine});
    rp_c_landmark_box(
        NULL, &(struct rp_op_landmark_box){
                  .face = &face, .affine = &affine, .w = 96, .h = 96, .dst = &area, .back = &back});
}

/* 1e-5 pixels: the recorded matrix comes from an iterative solver, ours from a closed form. */
static void test_recorded_places(void **state)
{
    (void) state;
    NEED_ARRAYS();
    place_face();
    for (size_t i = 0; i < 68; i++)
        for (size_t k = 0; k < 2; k++) {
            const double *const m = affine.m + 3 * k;
            const double v = m[0] * npy_at(&array[POINTS_68], 2 * i) +
                             m[1] * npy_at(&array[POINTS_68], 2 * i + 1) + m[2];

            assert_near(v, npy_at(&array[POINTS_IN_CROP], 2 * i + k), 1e-5);
        }
    /* The box is where the map leads from the corners of the area. A float of 452 has steps of
     * 3e-5. */
    for (size_t i = 0; i < 4; i++) {
        const double *const m = area.inv + (i & 1 ? 3 : 0);
        const double at = i < 2 ? 0 : 96;

        assert_near(m[0] * at + m[1] * at + m[2], npy_at(&array[BOX], i), 4e-5);
    }
}

/* @return how many bytes are off, by one */
static size_t off_by_one(const struct rp_img *got, const struct npy *want)
{
    size_t off = 0;

    for (size_t i = 0; i < want->n; i++) {
        const int d = abs(got->data[i] - ((const uint8_t *) want->data)[i]);

        assert_in_range(d, 0, 1);
        off += d > 0;
    }
    return off;
}

static void test_recorded_pixels(void **state)
{
    (void) state;
    NEED_ARRAYS();
    place_face();
    const struct rp_img frame = as_image(&array[FRAME]), recorded = as_image(&array[CROP]);
    const struct rp_img crop = new_image(512, 512, 3, 0), small = new_image(96, 96, 3, 0);

    rp_c_warp(NULL, &(struct rp_op_warp){frame, &affine, crop, 1, 0});
    /* The matrices differ in their last digits, so some of 786432 samples are rounded the other
     * way. */
    assert_in_range(off_by_one(&crop, &array[CROP]), 0, 13);
    rp_c_warp(NULL, &(struct rp_op_warp){recorded, &area, small, 0, 0});
    assert_in_range(off_by_one(&small, &array[AREA]), 0, 0);
    free(crop.data);
    free(small.data);
}

static void test_recorded_tensors(void **state)
{
    static float lut[3][256], in[6 * 96 * 96], out[3 * 96 * 96];
    static const double zero[3] = {0, 0, 0}, one[3] = {1, 1, 1};

    (void) state;
    NEED_ARRAYS();
    struct rp_img src = as_image(&array[AREA]), upper = src;
    const struct rp_img result = new_image(96, 96, 3, 0);

    upper.h = 48;
    rp_tensor_lut(lut, 255, zero, one);
    memset(in, 0xff, sizeof(in));
    rp_c_to_tensor(NULL, &(struct rp_op_to_tensor){
                             .src = upper, .lut = lut[0], .dst = in, .w = 96, .h = 96, .step = 1});
    rp_c_to_tensor(
        NULL, &(struct rp_op_to_tensor){
                  .src = src, .lut = lut[0], .dst = in + 3 * 96 * 96, .w = 96, .h = 96, .step = 1});
    assert_int_equal(array[INPUT].n, 6 * 96 * 96);
    assert_memory_equal(in, array[INPUT].data, sizeof(in));

    assert_int_equal(array[OUTPUT].n, 3 * 96 * 96);
    rp_c_from_tensor(NULL, &(struct rp_op_from_tensor){.src = array[OUTPUT].data,
                                                       .w = 96,
                                                       .h = 96,
                                                       .mul = {1, 1, 1},
                                                       .round = 1,
                                                       .dst = out,
                                                       .step = 1});
    rp_c_float_to_u8(NULL, &(struct rp_op_float_to_u8){out, result});
    assert_memory_equal(result.data, array[RESULT].data, array[RESULT].n);
    free(result.data);
}

/* Recorded with weight 0.3. */
static void test_recorded_sound(void **state)
{
    float w[RP_SPEECH_BANDS * RP_SPEECH_WINDOW];

    (void) state;
    NEED_ARRAYS();
    for (size_t i = 0; i < RP_ARRAY_LEN(w); i++)
        w[i] = (float) npy_at(&array[VOICE], i);
    rp_speech_levels(w, (float) (0.3 * 2));
    /* The recorded voice is in double precision, ours in single: 6e-8 of a number is 4e-8 in its
     * logarithm times 1.6, and then the result is rounded. */
    for (size_t i = 0; i < RP_ARRAY_LEN(w); i++)
        assert_near((double) w[i], npy_at(&array[SOUND], i), 3e-7);
}

/* edtalk's mask. 2e-7: OpenCV fuses more of its sums. */
static void test_recorded_mask(void **state)
{
    static float mask[512 * 512], tmp[512 * 512], kernel[256];

    (void) state;
    NEED_ARRAYS();
    rp_c_box_mask(NULL, &(struct rp_op_box_mask){mask, 512, 512, 0.3f, {0}});
    const int size = rp_gaussian_kernel(0.25 * 76, 0, kernel, 256);
    rp_c_gaussian(NULL, &(struct rp_op_gaussian){mask, mask, tmp, 512, 512, kernel, size});
    for (size_t i = 0; i < array[BOX_MASK].n; i++)
        assert_near((double) mask[i], npy_at(&array[BOX_MASK], i), 2e-7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dropped_frames),  cmocka_unit_test(test_constant_rates),
        cmocka_unit_test(test_variable_rate),   cmocka_unit_test(test_long_sound),
        cmocka_unit_test(test_no_column),       cmocka_unit_test(test_window),
        cmocka_unit_test(test_levels),          cmocka_unit_test(test_cubic_golden),
        cmocka_unit_test(test_cubic_rows),      cmocka_unit_test(test_box),
        cmocka_unit_test(test_odd_boxes),       cmocka_unit_test(test_recorded_places),
        cmocka_unit_test(test_recorded_pixels), cmocka_unit_test(test_recorded_tensors),
        cmocka_unit_test(test_recorded_sound),  cmocka_unit_test(test_recorded_mask),
    };

    return cmocka_run_group_tests(tests, read_arrays, free_arrays);
}
