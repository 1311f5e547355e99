/* The operations of the frame colorizer: OpenCV's numbers, a recorded input, and each of them
 * against plain steps by other operations, on random odd sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "recorded.h"
#include "ops/colour_core.h"

static struct rp_colour_tables tables;
static struct rp_lab_tables bytes;

static int make_tables(void **state)
{
    (void) state;
    rp_colour_tables(&tables);
    rp_lab_tables(&bytes);
    return 0;
}

static float uniform(float lo, float hi)
{
    return lo + (hi - lo) * (float) (rnd() >> 8) / 16777216.0f;
}

static void *room(size_t n, size_t size)
{
    void *const p = calloc(n + 1, size);

    assert_non_null(p);
    return p;
}

/* Random pixels whose rows end with 5 bytes that must stay. */
static struct rp_img new_frame(int w, int h)
{
    const int stride = 3 * w + 5;
    struct rp_img img = {room((size_t) stride * (size_t) h, 1), stride, w, h, 3};

    for (int i = 0; i < stride * h; i++)
        img.data[i] = (uint8_t) rnd();
    return img;
}

static struct rp_img copy_of(const struct rp_img *img)
{
    struct rp_img copy = *img;
    const size_t size = (size_t) img->stride * (size_t) img->h;

    copy.data = room(size, 1);
    memcpy(copy.data, img->data, size);
    return copy;
}

static uint8_t *at(const struct rp_img *img, int x, int y)
{
    return img->data + (ptrdiff_t) y * img->stride + (ptrdiff_t) img->ch * x;
}

static float *noise(size_t n, float lo, float hi)
{
    float *const v = room(n, sizeof(*v));

    for (size_t i = 0; i < n; i++)
        v[i] = uniform(lo, hi);
    return v;
}

/* ---- OpenCV's numbers ------------------------------------------------------------------------ */

/* By OpenCV 4.6's cvtColor() of floats, BGR to Lab. A corner of the table may be 1 of 16384 off. */
static void test_light(void **state)
{
    static const struct {
        int b, g, r;
        double l;
    } golden[] = {
        {0, 0, 0, 0.0000},      {255, 255, 255, 100.0000}, {128, 128, 128, 53.5828},
        {10, 10, 10, 2.8015},   {1, 2, 3, 0.5859},         {255, 0, 0, 32.2937},
        {0, 255, 0, 87.7380},   {0, 0, 255, 53.2410},      {200, 100, 50, 44.0552},
        {33, 77, 210, 50.7385}, {250, 251, 252, 98.5046},  {17, 4, 99, 19.0430},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(golden) / sizeof(*golden); i++) {
        const float l = rp_light(&tables, golden[i].b, golden[i].g, golden[i].r);

        assert_true(fabs((double) l - golden[i].l) < 100.0 / 16384 + 1e-4);
    }
    for (int v = 0; v < 256; v++) /* of 16384, rounded, in steps of 32 */
        assert_int_equal(rp_light_place(v), lrint(v * 16384 / 255.0) / 32);
}

/* The same, Lab to BGR, rounded to bytes. */
static void test_lab_to_colours(void **state)
{
    static const struct {
        float lab[3];
        int bgr[3];
    } golden[] = {
        {{0, 0, 0}, {0, 0, 0}},
        {{100, 0, 0}, {255, 255, 255}},
        {{50, 0, 0}, {119, 119, 119}},
        {{50, 40, -30}, {171, 93, 161}},
        {{75, -50, 60}, {63, 206, 119}},
        {{5, 3, -4}, {23, 15, 19}},
        {{8, 10, 10}, {5, 18, 40}},
        {{30, 60, 20}, {43, 0, 152}},
        {{90, -20, -40}, {255, 241, 102}},
        {{60, 100, 90}, {0, 0, 255}},
        {{1, 0, 0}, {4, 4, 4}},
        {{45, -80, 10}, {88, 132, 0}},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(golden) / sizeof(*golden); i++) {
        float rgb[3];

        rp_lab_linear(golden[i].lab[0], golden[i].lab[1], golden[i].lab[2], rgb);
        for (int c = 0; c < 3; c++)
            assert_int_equal(rp_gamma_u8(&tables, rgb[2 - c]), golden[i].bgr[c]);
    }
}

/* The spline goes through sRGB's curve and is near it in between. It is worst at the curve's kink.
 */
static void test_gamma(void **state)
{
    (void) state;
    for (int i = 0; i <= 16 * RP_GAMMA_STEPS; i++) {
        const double v = i / (16.0 * RP_GAMMA_STEPS);
        const double want = v <= 0.0031308 ? 12.92 * v : 1.055 * pow(v, 1 / 2.4) - 0.055;
        const double off = fabs((double) rp_gamma(&tables, (float) v) - want);

        assert_true(off < (i % 16 == 0 ? 2e-7 : v < 0.01 ? 1e-4 : 1e-6));
    }
    assert_int_equal(rp_gamma_u8(&tables, -1), 0);
    assert_int_equal(rp_gamma_u8(&tables, NAN), 0);
    assert_int_equal(rp_gamma_u8(&tables, INFINITY), 255);
}

/* By OpenCV 4.6, 8 bits: RGB to Lab, another L, back. */
static void test_bytes(void **state)
{
    static const struct {
        int light;
        float rgb[3];
        uint8_t bgr[3];
    } golden[] = {
        {0, {0, 0, 0}, {0, 0, 0}},
        {255, {255, 255, 255}, {255, 255, 255}},
        {128, {200, 100, 50}, {42, 92, 189}},
        {90, {20, 180, 60}, {0, 102, 0}},
        {200, {250, 10, 200}, {255, 108, 255}},
        {20, {120, 120, 90}, {0, 24, 26}},
        {60, {0, 0, 255}, {229, 0, 0}},
        {177, {33, 77, 210}, {255, 154, 146}},
        /* clipped and truncated */
        {255, {255.9f, 1e9f, INFINITY}, {255, 255, 255}},
        {60, {-3, -INFINITY, 300}, {229, 0, 0}},
        {60, {NAN, 0.99f, 255.5f}, {229, 0, 0}},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(golden) / sizeof(*golden); i++) {
        uint8_t bgr[3];

        rp_colour_rgb(&bytes, golden[i].light, golden[i].rgb, bgr);
        assert_memory_equal(bgr, golden[i].bgr, 3);
    }
}

/* ---- input ----------------------------------------------------------------------------------- */

#define RECORDED "processors2/"

/* As recorded from FaceFusion. One step of the table is 6e-5. */
static void test_recorded_input(void **state)
{
    static float lut[3][256];
    struct npy frame = {0}, want = {0};
    double worst = 0;

    (void) state;
    if (recorded_open(RECORDED "face_debugger/source_frame.npy", &frame) < 0 ||
        recorded_open(RECORDED "frame_colorizer/ddcolor/model_input.npy.gz", &want) < 0)
        skip();
    assert_int_equal(want.n, 3 * 256 * 256);
    float *const got = room(want.n, sizeof(*got));
    const struct rp_img src = {frame.data, 3 * (int) frame.dim[1], (int) frame.dim[1],
                               (int) frame.dim[0], 3};
    rp_colour_grey_lut(lut, &tables);
    rp_c_grey_tensor(NULL, &(struct rp_op_grey_tensor){src, lut[0], got, 256, 256, 0});
    for (size_t i = 0; i < want.n; i++)
        worst = fmax(worst, fabs((double) got[i] - (double) ((float *) want.data)[i]));
    assert_true(worst < 6e-5);
    free(got);
    free(frame.data);
    free(want.data);
}

/* The frame in grey, 8 bits, then resized by the operations for that. */
static void plain_input(const struct rp_op_grey_tensor *a, float *out)
{
    const int w = a->src.w, h = a->src.h;
    const size_t n = (size_t) w * (size_t) h, size = (size_t) a->w * (size_t) a->h;
    struct rp_img grey = {room(n, 1), w, w, h, 1}, small = {room(size, 1), a->w, a->w, a->h, 1};
    float *const full = room(n, sizeof(*full));

    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            const uint8_t *const p = at(&a->src, x, y);

            *at(&grey, x, y) = (uint8_t) rp_grey(p[0], p[1], p[2]);
        }
    rp_c_resize(NULL, &(struct rp_op_resize){grey, small});
    for (size_t c = 0; c < 3; c++, out += size) {
        for (size_t i = 0; i < n; i++)
            full[i] = a->lut[256 * c + grey.data[i]];
        if (!a->bytes)
            rp_c_resize_float(NULL, &(struct rp_op_resize_float){full, w, h, out, a->w, a->h, 1});
        for (size_t i = 0; a->bytes && i < size; i++)
            out[i] = a->lut[256 * c + small.data[i]];
    }
    free(full);
    free(grey.data);
    free(small.data);
}

static void test_input(void **state)
{
    (void) state;
    for (int i = 0; i < 300; i++) {
        const int w = 1 + (int) (rnd() % 90), h = 1 + (int) (rnd() % 90), by = 1 + i % 3;
        struct rp_op_grey_tensor a = {.src = new_frame(w, h),
                                      .w = 1 + (int) (rnd() % 60),
                                      .h = 1 + (int) (rnd() % 60),
                                      .bytes = i % 2};

        if (i % 5 == 0) { /* halved among others */
            a.w = (w + by - 1) / by;
            a.h = (h + by - 1) / by;
        }
        const size_t n = 3 * (size_t) a.w * (size_t) a.h;
        float *const lut = noise(3 * 256, -1, 1), *const want = room(n, sizeof(*want));
        a.lut = lut;
        a.dst = room(n, sizeof(*a.dst));
        plain_input(&a, want);
        rp_c_grey_tensor(NULL, &a);
        assert_memory_equal(a.dst, want, n * sizeof(*want));
        free(lut);
        free(want);
        free(a.dst);
        free(a.src.data);
    }
}

/* ---- joining --------------------------------------------------------------------------------- */

/* A network's output in the frame's size, plane by plane. */
static float *enlarged(const float *src, int sw, int sh, int planes, int w, int h)
{
    const size_t n = (size_t) w * (size_t) h;
    float *const out = room((size_t) planes * n, sizeof(*out));

    for (int c = 0; c < planes; c++)
        rp_c_resize_float(NULL,
                          &(struct rp_op_resize_float){src + (size_t) c * (size_t) sw * (size_t) sh,
                                                       sw, sh, out + (size_t) c * n, w, h, 1});
    return out;
}

/* One pixel in plain C; v: the network's values there. */
static void plain_pixel(uint8_t p[3], const float v[3], bool ab, float keep, float blend)
{
    uint8_t bgr[3];
    float rgb[3];

    if (ab) {
        rp_lab_linear(rp_light(&tables, p[0], p[1], p[2]), v[0], v[1], rgb);
        for (int c = 0; c < 3; c++)
            bgr[c] = rp_gamma_u8(&tables, rgb[2 - c]);
    } else {
        rp_colour_rgb(&bytes, p[0], v, bgr);
    }
    for (int c = 0; c < 3; c++)
        p[c] = rp_blend(p[c], bgr[c], keep, blend);
}

static void join(const struct rp_canvas *canvas, const float *src, int w, int h, bool ab,
                 float keep, float blend)
{
    if (ab)
        rp_c_colour_ab(NULL, &(struct rp_op_colour_ab){*canvas, src, w, h, &tables, keep, blend});
    else
        rp_c_colour_rgb(NULL, &(struct rp_op_colour_rgb){*canvas, src, w, h, &bytes, keep, blend});
}

static void check_join(int w, int h, int sw, int sh, bool ab, float blend)
{
    const int planes = ab ? 2 : 3;
    const struct rp_img img = new_frame(w, h), want = copy_of(&img);
    const int tiles_w = (w + RP_TILE - 1) / RP_TILE, tiles_h = (h + RP_TILE - 1) / RP_TILE;
    struct rp_canvas canvas = {
        img, room((size_t) tiles_w * (size_t) tiles_h, 1), tiles_w, tiles_h, {0}};
    float *const src =
        noise((size_t) planes * (size_t) sw * (size_t) sh, ab ? -90 : -20, ab ? 90 : 280);
    float *const v = enlarged(src, sw, sh, planes, w, h);

    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            float here[3] = {0};

            for (int c = 0; c < planes; c++)
                here[c] = v[(size_t) (c * w * h) + (size_t) (y * w + x)];
            plain_pixel(at(&want, x, y), here, ab, 1 - blend, blend);
        }
    join(&canvas, src, sw, sh, ab, 1 - blend, blend);
    assert_memory_equal(img.data, want.data, (size_t) img.stride * (size_t) h);
    for (int i = 0; i < tiles_w * tiles_h; i++)
        assert_int_equal(canvas.changed[i], 1);
    free(src);
    free(v);
    free(canvas.changed);
    free(img.data);
    free(want.data);
}

static void test_joining(void **state)
{
    (void) state;
    for (int i = 0; i < 200; i++)
        check_join(1 + (int) (rnd() % 80), 1 + (int) (rnd() % 40), 1 + (int) (rnd() % 20),
                   1 + (int) (rnd() % 20), i % 2, i % 3 ? uniform(0, 1) : 1);
    check_join(1300, 3, 64, 64, true, 1); /* more than is done at once */
    check_join(1300, 3, 64, 64, false, 0.5f);
}

/* With nothing mixed in the frame stays, and without colour ab gives the frame's greys. */
static void test_nothing(void **state)
{
    static float none[3 * 16];
    struct rp_img img = new_frame(33, 17), before = copy_of(&img);
    uint8_t changed[6] = {0};
    const struct rp_canvas canvas = {img, changed, 3, 2, {0}};

    (void) state;
    for (int ab = 0; ab < 2; ab++) {
        join(&canvas, none, 4, 4, ab, 1, 0);
        assert_memory_equal(img.data, before.data, (size_t) img.stride * 17);
    }
    for (int y = 0; y < 17; y++) /* greys; up to 0.19 of L may be lost on the way: half a level */
        for (int x = 0; x < 33; x++)
            memset(at(&img, x, y), (33 * y + x) % 256, 3);
    memcpy(before.data, img.data, (size_t) img.stride * 17);
    join(&canvas, none, 4, 4, true, 0, 1);
    for (int y = 0; y < 17; y++)
        for (int i = 0; i < 3 * 33; i++)
            assert_in_range(at(&img, 0, y)[i] - at(&before, 0, y)[i] + 1, 0, 2);
    free(img.data);
    free(before.data);
}

/* Whatever a network gives, some colour comes out, also in sanitized builds. */
static void test_odd_numbers(void **state)
{
    static const float odd[] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 1e-45f, -0.0f, 1e20f};
    float src[3 * 16];
    struct rp_img img = new_frame(40, 20);
    uint8_t changed[6] = {0};
    const struct rp_canvas canvas = {img, changed, 3, 2, {0}};

    (void) state;
    for (int i = 0; i < 400; i++) {
        for (int k = 0; k < 3 * 16; k++)
            src[k] = odd[rnd() % 8];
        join(&canvas, src, 4, 4, i % 2, 0.5f, 0.5f);
    }
    free(img.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_light),          cmocka_unit_test(test_lab_to_colours),
        cmocka_unit_test(test_gamma),          cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_recorded_input), cmocka_unit_test(test_input),
        cmocka_unit_test(test_joining),        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_odd_numbers),
    };

    return cmocka_run_group_tests(tests, make_tables, NULL);
}
