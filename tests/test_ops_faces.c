/* Boxes, landmarks, identities, selection: recorded values, second implementations, and many NaNs
 * and infinities. */
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
#include "ops/detect_core.h"
#include "ops/face_core.h"
#include "ops/geometry_core.h"
#include "ops/math_core.h"
#include "reprise/reprise.h"

/* ---- helpers --------------------------------------------------------------------------------- */

static uint64_t seed = 1;

static uint32_t draw(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t) (seed >> 32);
}

static int range(int lo, int hi) /* hi included */
{
    return lo + (int) (draw() % (uint32_t) (hi - lo + 1));
}

static double uniform(double lo, double hi)
{
    return lo + (hi - lo) * (draw() / 4294967296.0);
}

/* Any float, mostly special ones. */
static float ugly(void)
{
    const float list[] = {NAN, -NAN, INFINITY, -INFINITY, 3.4e38f, -3.4e38f, 1e-45f, -0.0f,
                          0,   1e9f, -1e9f,    0.5f,      1,       89,       -89};
    const uint32_t bits = draw();
    float v;

    memcpy(&v, &bits, sizeof(v));
    return draw() % 3 ? list[draw() % (sizeof(list) / sizeof(*list))] : v;
}

static void near_(double got, double want, double tolerance, const char *what, int line)
{
    if (fabs(got - want) <= tolerance)
        return;
    print_error("line %d: %s is %.9g, not %.9g +- %g\n", line, what, got, want, tolerance);
    fail();
}
#define NEAR(got, want, tolerance) near_(got, want, tolerance, #got, __LINE__)

static struct rp_dface face; /* large: not on the stack */

static void fresh(void)
{
    memset(&face, 0, sizeof(face));
}

static void set_points(float *dst, const float *src, int n)
{
    memcpy(dst, src, (size_t) n * sizeof(*dst));
}

/* ---- math_core.h against the C library's long double -------------------------------------------
 */

static double ulps(double got, long double want)
{
    const double w = fabs((double) want);

    if ((double) want == got)
        return 0;
    return (double) fabsl(got - want) / (nextafter(w, INFINITY) - w);
}

static double ulps_f(float got, long double want)
{
    const float w = fabsf((float) want);

    if ((float) want == got)
        return 0.5;
    return (double) fabsl(got - want) / (nextafterf(w, INFINITY) - w);
}

#define LARGER(a, b)           \
    do {                       \
        const double b_ = (b); \
        if (b_ > (a))          \
            (a) = b_;          \
    } while (0)

/* The limits are the ones that math_core.h promises. */
static void test_math(void **state)
{
    double e = 0, l = 0, s = 0, c = 0, a = 0, q = 0, ef = 0, lf = 0, cf = 0, pf = 0, af = 0;

    (void) state;
    for (int i = 0; i < 400000; i++) {
        const double x = i % 2 ? uniform(-700, 700) : uniform(-2, 2);
        const double positive = exp(i % 2 ? uniform(-700, 700) : uniform(-1, 1));
        const double y = uniform(-10, 10), z = i % 3 ? uniform(-10, 10) : uniform(-1e-3, 1e-3);
        const double angle = i % 2 ? uniform(-7, 7) : uniform(-1e6, 1e6);
        const float base = (float) exp(uniform(-20, 20)), power = (float) uniform(-4, 4);
        const float small = (float) uniform(-86, 88);
        double sine, cosine;

        LARGER(e, ulps(rp_exp(x), expl(x)));
        LARGER(l, ulps(rp_ln(positive), logl(positive)));
        rp_sincos(angle, &sine, &cosine);
        LARGER(s, ulps(sine, sinl(angle)));
        LARGER(c, ulps(cosine, cosl(angle)));
        LARGER(a, ulps(rp_atan2(y, z), atan2l(y, z)));
        LARGER(q, ulps(rp_cbrt(positive), cbrtl(positive)));
        LARGER(ef, ulps_f(rp_expf(small), expl(small)));
        LARGER(lf, ulps_f(rp_lnf(base), logl(base)));
        LARGER(cf, ulps_f(rp_cbrtf(-base), cbrtl(-base)));
        LARGER(pf, ulps_f(rp_powf(base, power), powl(base, power)));
        LARGER(af, ulps_f(rp_atan2f((float) y, (float) z), atan2l((float) y, (float) z)));
    }
    print_message("ULP: exp %.3f log %.3f sin %.3f cos %.3f atan2 %.3f cbrt %.3f; float: exp %.4f "
                  "log %.4f cbrt %.4f pow %.4f atan2 %.4f\n",
                  e, l, s, c, a, q, ef, lf, cf, pf, af);
    assert_true(e < 1 && l < 1 && q < 1);
    assert_true(s < 3 && c < 3 && a < 3);
    assert_true(ef < 0.5001 && lf < 0.5001 && cf < 0.5001 && pf < 0.5001 && af < 0.5001);
}

static void test_math_edges(void **state)
{
    double s, c;

    (void) state;
    assert_true(isnan(rp_exp(NAN)) && rp_exp(INFINITY) == INFINITY && rp_exp(-INFINITY) == 0);
    assert_true(rp_exp(0) == 1 && rp_exp(1000) == INFINITY && rp_exp(-1000) == 0);
    NEAR(rp_exp(-744.4) / 4.94065645841246544e-324, 1, 0); /* the smallest number */
    assert_true(isnan(rp_ln(-1)) && isnan(rp_ln(NAN)) && rp_ln(0) == -INFINITY);
    assert_true(rp_ln(INFINITY) == INFINITY && rp_ln(1) == 0);
    NEAR(rp_ln(4.94065645841246544e-324), -744.4400719213812, 1e-12);
    assert_true(rp_cbrt(0) == 0 && signbit(rp_cbrt(-0.0)) && rp_cbrt(-27) == -3);
    assert_true(isnan(rp_cbrt(NAN)) && rp_cbrt(-INFINITY) == -INFINITY);
    NEAR(rp_cbrt(5e-324) / cbrt(5e-324), 1, 1e-15);
    assert_true(rp_powf(0, 2) == 0 && rp_powf(0, 0) == 1 && rp_powf(2, 10) == 1024);
    assert_true(isnan(rp_powf(-1, 2)) && rp_powf(1e30f, 3) == INFINITY && rp_powf(1, NAN) == 1);
    rp_sincos(NAN, &s, &c);
    assert_true(s == 0 && c == 1);
    rp_sincos(INFINITY, &s, &c);
    assert_true(s == 0 && c == 1);

    const double list[] = {0.0, -0.0, 1, -1, INFINITY, -INFINITY, 1e308, -1e308, 5e-324};
    for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++)
        for (size_t k = 0; k < sizeof(list) / sizeof(*list); k++) {
            const double got = rp_atan2(list[i], list[k]), want = atan2(list[i], list[k]);
            assert_true(fabs(got - want) <= 4e-16 * fabs(want) + 5e-324);
            assert_int_equal(!signbit(got), !signbit(want));
        }
    assert_true(isnan(rp_atan2(NAN, 1)) && isnan(rp_atan2(1, NAN)));
}

/* ---- crop matrices -----------------------------------------------------------------------------
 */

static void test_ransac_draws(void **state)
{
    static const uint32_t want[12] = {130063605,  3133359004, 2578348940, 925327173,
                                      1080261831, 2946015512, 94037301,   2298661280,
                                      300167573,  43921110,   776868985,  1162377994};
    uint64_t s = UINT64_MAX;

    (void) state;
    for (int i = 0; i < 12; i++)
        assert_int_equal(rp_ransac_draw(&s), want[i]);
}

static struct rp_affine align(const float points[10], int template_id, int size, float scale)
{
    struct rp_affine m = {{0}, {0}};

    fresh();
    set_points(face.lm5_68, points, 10);
    assert_int_equal(rp_c_align(NULL, &(struct rp_op_align){.face = &face,
                                                            .template_id = template_id,
                                                            .w = size,
                                                            .h = size,
                                                            .scale = scale,
                                                            .dst = &m}),
                     0);
    return m;
}

static const float frontal[10] = {180.5f, 210.25f, 262.0f, 205.75f, 223.25f,
                                  258.5f, 190.0f,  300.0f, 258.75f, 296.5f};
static const float profile[10] = {300, 200, 318, 202, 352, 240, 305, 290, 322, 291};

struct matrix_case {
    int template_id, size;
    double a, b, tx, ty;
    double residual[5];
};

/* Recorded from FaceFusion's own function. Printed to 9 places; 1e-6 of the value because its
 * refinement is iterative. */
static void check_matrix(const float *points, const struct matrix_case *c)
{
    const struct rp_affine m = align(points, c->template_id, c->size, 1);

    NEAR(m.m[0], c->a, 1e-6);
    NEAR(m.m[1], -c->b, 1e-6);
    NEAR(m.m[3], c->b, 1e-6);
    NEAR(m.m[4], c->a, 1e-6);
    NEAR(m.m[2], c->tx, 1e-6 * fabs(c->tx));
    NEAR(m.m[5], c->ty, 1e-6 * fabs(c->ty));
    for (int i = 0; i < 5 && c->residual[0] > 0; i++) {
        double p[2];
        rp_affine_apply(m.m, points[2 * i], points[2 * i + 1], p);
        NEAR(hypot(p[0] - rp_templates[c->template_id][i][0] * c->size,
                   p[1] - rp_templates[c->template_id][i][1] * c->size),
             c->residual[i], 0.006); /* printed to two places */
    }
    for (int i = 0; i < 4; i++) { /* inv undoes m; 1e-9 px is far under any use */
        const double x = i * 100.0, y = 333 - i * 50.0;
        double p[2], q[2];
        rp_affine_apply(m.m, x, y, p);
        rp_affine_apply(m.inv, p[0], p[1], q);
        NEAR(q[0], x, 1e-9);
        NEAR(q[1], y, 1e-9);
    }
}

static void test_crop_matrices(void **state)
{
    /* clang-format off */
    static const struct matrix_case frontal_cases[] = {
        {RP_TEMPLATE_ARCFACE_112_V1, 256, 0.904424576, 0.038289327, -63.863092503, -80.821586897},
        {RP_TEMPLATE_ARCFACE_112_V2, 112, 0.440345958, 0.016104036, -38.033308545, -43.624750993},
        {RP_TEMPLATE_ARCFACE_128, 128, 0.440345958, 0.016104036, -30.033308545, -43.624750993},
        {RP_TEMPLATE_ARCFACE_128, 256, 0.880691917, 0.032208072, -60.066617090, -87.249501987},
        {RP_TEMPLATE_DFL_WHOLE_FACE, 224, 0.726265094, 0.027338620, -44.968342058, -69.710348568},
        {RP_TEMPLATE_FFHQ_512, 512, 1.502785282, 0.056309320, -64.083304122, -87.215036481},
        {RP_TEMPLATE_MTCNN_512, 256, 0.855529439, 0.031287829, -54.693314295, -65.556689896},
        {RP_TEMPLATE_STYLEGANEX_384, 384, 0.704430589, 0.026394939, 42.139296182, 47.435908121},
    };
    static const struct matrix_case profile_cases[] = {
        {RP_TEMPLATE_FFHQ_512, 512, 1.423183852, 0.058861306, -183.593740617, -59.566741547,
         {38.71, 62.15, 47.96, 32.15, 55.60}},
        {RP_TEMPLATE_FFHQ_512, 1024, 2.756216533, 0.150431959, -408.710158089, -101.749243389,
         {14.88, 201.68, 19.54, 14.22, 191.27}},
        {RP_TEMPLATE_FFHQ_512, 2048, 5.512433066, 0.300863917, -817.420316178, -203.498486778,
         {29.76, 403.36, 39.09, 28.45, 382.54}},
        {RP_TEMPLATE_ARCFACE_128, 256, 0.868173499, 0.021285449, -144.035875505, -75.352247746,
         {19.61, 35.52, 28.56, 15.59, 28.14}},
        {RP_TEMPLATE_ARCFACE_128, 1024, 3.319835202, -0.001152287, -632.990212690, -231.996573778,
         {19.42, 230.80, 25.52, 18.57, 193.55}},
    };
    /* clang-format on */

    (void) state;
    for (size_t i = 0; i < sizeof(frontal_cases) / sizeof(*frontal_cases); i++)
        check_matrix(frontal, &frontal_cases[i]);
    for (size_t i = 0; i < sizeof(profile_cases) / sizeof(*profile_cases); i++)
        check_matrix(profile, &profile_cases[i]);
    for (int n = 2; n < 5; n++) { /* the constants in rp_ransac_inliers */
        const int enough[] = {26, 10, 5};
        assert_int_equal(enough[n - 2], lrint(log(1 - 0.99) / log(1 - n * n / 25.0)));
    }
}

static void test_align_scale_and_degenerate(void **state)
{
    static const float in[10] = {0, 0, 10, 0, 5, 5, 2, 9, 8, 9};
    static const float scaled[10] = {-2.5f, -2.5f, 12.5f, -2.5f, 5, 5, 0.5f, 11, 9.5f, 11};

    (void) state;
    struct rp_affine p = align(in, RP_TEMPLATE_FFHQ_512, 512, 1.5f);
    struct rp_affine q = align(scaled, RP_TEMPLATE_FFHQ_512, 512, 1);
    assert_memory_equal(&p, &q, sizeof(p)); /* these sums are exact in float */

    /* lm5 instead of lm5_68 */
    fresh();
    set_points(face.lm5, scaled, 10);
    rp_c_align(NULL, &(struct rp_op_align){&face, 1, RP_TEMPLATE_FFHQ_512, 512, 512, 1, &p});
    assert_memory_equal(&p, &q, sizeof(p));

    struct rp_affine identity;
    rp_affine_identity(&identity);
    const float one[10] = {7, 7, 7, 7, 7, 7, 7, 7, 7, 7};
    p = align(one, RP_TEMPLATE_FFHQ_512, 512, 1);
    assert_memory_equal(&p, &identity, sizeof(p));
    for (int i = 0; i < 2000; i++) {
        float bad[10];
        for (int k = 0; k < 10; k++)
            bad[k] = ugly();
        p = align(bad, range(-1, RP_TEMPLATE_COUNT), range(1, 2048), i % 2 ? 1 : ugly());
        for (int k = 0; k < 6; k++)
            assert_true(isfinite(p.m[k]) && isfinite(p.inv[k]));
    }
}

/* Landmarks of one recorded face in its ffhq crop. Tolerance 0.01 px: the recording went through
 * floats and another OpenCV. */
static void test_align_recorded(void **state)
{
    (void) state;
    struct npy five = recorded("lip_syncer/wav2lip_gan_96/target_landmark_5_of_68.npy");
    struct npy from = recorded("lip_syncer/wav2lip_gan_96/target_landmark_68.npy");
    struct npy to = recorded("lip_syncer/wav2lip_gan_96/transformed_landmark_68.npy");
    float points[10];
    for (int i = 0; i < 10; i++)
        points[i] = (float) npy_at(&five, i);
    const struct rp_affine m = align(points, RP_TEMPLATE_FFHQ_512, 512, 1);
    for (int i = 0; i < 68; i++) {
        double p[2];
        rp_affine_apply(m.m, npy_at(&from, 2 * i), npy_at(&from, 2 * i + 1), p);
        NEAR(p[0], npy_at(&to, 2 * i), 0.01);
        NEAR(p[1], npy_at(&to, 2 * i + 1), 0.01);
    }
    free(five.data);
    free(from.data);
    free(to.data);
}

static struct rp_affine fit_box(const float box[4], int angle, int fit, float factor, int w, int h)
{
    struct rp_affine m;

    fresh();
    set_points(face.box, box, 4);
    face.angle = angle;
    rp_c_box_affine(NULL, &(struct rp_op_box_affine){&face, fit, factor, w, h, &m});
    return m;
}

static void test_box_affine(void **state)
{
    const float box[4] = {100, 50, 200, 250};
    double p[2];

    (void) state;
    struct rp_affine m = fit_box(box, 0, RP_BOX_STRETCH, 1, 64, 64); /* exact by hand */
    NEAR(m.m[0], 0.64, 1e-15);
    NEAR(m.m[2], -64, 1e-12);
    NEAR(m.m[4], 0.32, 1e-15);
    NEAR(m.m[5], -16, 1e-12);
    static const float corners[4][3] = {{0, 0, 0}, {90, 0, 32}, {180, 64, 32}, {270, 64, 0}};
    for (int i = 0; i < 4; i++) { /* where the upper left corner of the grown box goes */
        m = fit_box(box, (int) corners[i][0], RP_BOX_STRETCH, 2, 64, 32);
        rp_affine_apply(m.m, 50, -50, p);
        NEAR(p[0], corners[i][1], 1e-12);
        NEAR(p[1], corners[i][2], 1e-12);
        rp_affine_apply(m.m, 250, 350, p);
        NEAR(p[0], 64 - corners[i][1], 1e-12);
        NEAR(p[1], 32 - corners[i][2], 1e-12);
    }
    m = fit_box(box, 0, RP_BOX_SQUARE, 1.5f, 64, 64);
    rp_affine_apply(m.m, 0, 0, p);
    NEAR(p[0], 0, 1e-12);
    NEAR(p[1], 0, 1e-12);
    rp_affine_apply(m.m, 300, 300, p);
    NEAR(p[0], 64, 1e-12);
    NEAR(p[1], 64, 1e-12);

    /* The turns: where the point (x, y) of the upright crop is in the turned one. */
    const struct rp_affine straight = fit_box(box, 0, RP_BOX_LANDMARKER, 1, 256, 256);
    NEAR(straight.m[0], 195.0 / 200, 1e-15);
    for (int angle = 90; angle < 360; angle += 90) {
        double q[2];
        m = fit_box(box, angle, RP_BOX_LANDMARKER, 1, 256, 256);
        rp_affine_apply(straight.m, 120, 80, p);
        rp_affine_apply(m.m, 120, 80, q);
        NEAR(q[0], angle == 90 ? p[1] : angle == 180 ? 256 - p[0] : 256 - p[1], 1e-10);
        NEAR(q[1], angle == 90 ? 256 - p[0] : angle == 180 ? 256 - p[1] : p[0], 1e-10);
        rp_affine_apply(m.inv, q[0], q[1], p);
        NEAR(p[0], 120, 1e-10);
        NEAR(p[1], 80, 1e-10);

        /* In two steps: the same place. */
        m = fit_box(box, angle, RP_BOX_UPRIGHT, 1, 256, 256);
        assert_memory_equal(&m, &straight, sizeof(m));
        m = fit_box(box, angle, RP_BOX_ROTATE, 1, 256, 256);
        rp_affine_apply(straight.m, 120, 80, p);
        rp_affine_apply(m.m, p[0], p[1], p);
        NEAR(p[0], q[0], 1e-10);
        NEAR(p[1], q[1], 1e-10);
    }
    for (int i = 0; i < 5000; i++) {
        const float bad[4] = {ugly(), ugly(), ugly(), ugly()};
        m = fit_box(bad, i % 5 * 90, i % 6, i % 3 ? 1 : ugly(), range(1, 300), range(1, 300));
        for (int k = 0; k < 6; k++)
            assert_true(isfinite(m.m[k]) && isfinite(m.inv[k]));
    }
}

static void test_box_affine_recorded(void **state)
{
    (void) state;
    struct npy box = recorded("face_analysis/face_landmarker/bounding_box.npy");
    struct npy translation = recorded("face_analysis/face_landmarker/2dfan4_translation.npy");
    const float b[4] = {(float) npy_at(&box, 0), (float) npy_at(&box, 1), (float) npy_at(&box, 2),
                        (float) npy_at(&box, 3)};
    const struct rp_affine m = fit_box(b, 0, RP_BOX_LANDMARKER, 1, 256, 256);
    NEAR(m.m[0], 0.26713566693394475, 1e-15); /* 2dfan4_scale.json; the same double arithmetic */
    NEAR(m.m[2], npy_at(&translation, 0), 1e-12);
    NEAR(m.m[5], npy_at(&translation, 1), 1e-12);
    free(box.data);
    free(translation.data);
}

/* Five points to the input of fan_68_5: the recorded face lies
 * on the template, on its unit square. */
static void test_points_tensor(void **state)
{
    struct npy five = recorded("face_analysis/face_landmarker/fan_68_5_input.npy");
    struct rp_dface f = {0};
    struct rp_affine m;
    float got[10];

    (void) state;
    for (int i = 0; i < 10; i++)
        f.lm5[i] = (float) npy_at(&five, (size_t) i);
    rp_c_align(NULL, &(struct rp_op_align){.face = &f, .points = 1, .w = 1, .h = 1, .scale = 1,
                                           .template_id = RP_TEMPLATE_FFHQ_512, .dst = &m});
    rp_c_points_tensor(NULL, &(struct rp_op_points_tensor){&f, &m, got});
    for (int i = 0; i < 5; i++) {
        double p[2];

        rp_affine_apply(m.m, f.lm5[2 * i], f.lm5[2 * i + 1], p);
        for (int k = 0; k < 2; k++) {
            assert_true(got[2 * i + k] == (float) p[k]);
            NEAR(got[2 * i + k], rp_templates[RP_TEMPLATE_FFHQ_512][i][k], 0.05);
        }
    }
    free(five.data);
}

/* The template, turned: the five points and the ends of a jaw, turned by the same angle, give the
 * same result. */
static void test_points_angle(void **state)
{
    (void) state;
    for (int degrees = 0; degrees < 360; degrees++) {
        const double c = cos(degrees * M_PI / 180), s = sin(degrees * M_PI / 180);
        struct rp_dface f = {.angle = 7};

        if (degrees % 90 > 43 && degrees % 90 < 47) /* near a tie the template's slant decides */
            continue;
        for (int i = 0; i < 5; i++) {
            const float *const p = rp_templates[RP_TEMPLATE_FFHQ_512][i];

            f.lm5[2 * i] = (float) (300 + 90 * (c * p[0] - s * p[1]));
            f.lm5[2 * i + 1] = (float) (200 + 90 * (s * p[0] + c * p[1]));
        }
        f.lm68[32] = (float) c;
        f.lm68[33] = (float) s;
        rp_c_points_angle(NULL, &(struct rp_op_points_angle){&f});
        assert_int_equal(f.angle, rp_face_angle(f.lm68));
        assert_int_equal(f.angle, (degrees + 45) / 90 * 90 % 360);
    }
}

/* ---- decoders, against a second, plain implementation ------------------------------------------
 */

static struct rp_candidates found, hoped;
static struct rp_dfaces faces, faces2;

static void nms(float threshold, float iou)
{
    memset(&faces, 0x5a, sizeof(faces));
    rp_c_nms(NULL, &(struct rp_op_nms){&found, threshold, iou, &faces});
}

static float *random_tensor(size_t n, double lo, double hi)
{
    float *const t = malloc(n * sizeof(*t));

    for (size_t i = 0; i < n; i++)
        t[i] = (float) uniform(lo, hi);
    return t;
}

static void expect(double x1, double y1, double x2, double y2, float score, int index,
                   const double *lm, const struct rp_op_decode *a)
{
    struct rp_candidate *const c = &hoped.c[hoped.count++];

    c->box[0] = (float) (x1 * a->ratio_x - a->shift_x);
    c->box[1] = (float) (y1 * a->ratio_y - a->shift_y);
    c->box[2] = (float) (x2 * a->ratio_x - a->shift_x);
    c->box[3] = (float) (y2 * a->ratio_y - a->shift_y);
    c->score = score;
    c->index = index;
    for (int k = 0; k < 10; k++)
        c->lm5[k] = lm ? (float) (lm[k] * (k & 1 ? a->ratio_y : a->ratio_x) -
                                  (k & 1 ? a->shift_y : a->shift_x))
                       : 0;
}

/* 2e-3 px: the decoder works in float, at coordinates up to some thousands. */
static void compare_candidates(void)
{
    assert_int_equal(found.count, hoped.count);
    for (int i = 0; i < hoped.count; i++) {
        const struct rp_candidate *const p = &found.c[i], *const q = &hoped.c[i];
        assert_true(p->score == q->score);
        assert_int_equal(p->index, q->index);
        for (int k = 0; k < 4; k++)
            NEAR(p->box[k], q->box[k], 2e-3);
        for (int k = 0; k < 10; k++)
            NEAR(p->lm5[k], q->lm5[k], 2e-3);
    }
}

static void free_tensors(const struct rp_op_decode *a)
{
    for (int i = 0; i < 12; i++)
        free((void *) a->t[i]);
}

static void test_decode_flat(void **state)
{
    (void) state;
    for (int round = 0; round < 6; round++) {
        const int yolo = round & 1, n = range(1, 900);
        struct rp_op_decode a = {.decoder = yolo ? RP_DECODE_YOLO : RP_DECODE_ULTRAFACE,
                                 .w = 320,
                                 .h = 240,
                                 .count = n,
                                 .threshold = 0.5f,
                                 .ratio_x = 2.25f,
                                 .ratio_y = 2.5f,
                                 .shift_x = 3,
                                 .shift_y = -4,
                                 .first = 1,
                                 .dst = &found};
        float *const s = random_tensor((size_t) n * (yolo ? 20 : 2), 0, 1);
        float *const b = random_tensor((size_t) n * 4, -0.1, 1.1);
        a.t[0] = s;
        a.t[1] = b;
        hoped.count = 0;
        s[yolo ? 4 * n : 1] = 0.75f; /* row 0 is one like the others */
        if (n > 1)
            s[yolo ? 4 * n + n - 1 : 2 * n - 1] = 0.5f; /* at the threshold: not for yolo */
        for (int i = 0; i < n; i++) {
            if (yolo) {
                double lm[10];
                const double x = s[i], y = s[n + i], w = s[2 * n + i], h = s[3 * n + i];
                if (!(s[4 * n + i] > 0.5f))
                    continue;
                for (int k = 0; k < 10; k++)
                    lm[k] = s[(5 + k / 2 * 3 + k % 2) * n + i];
                expect(x - w / 2, y - h / 2, x + w / 2, y + h / 2, s[4 * n + i], i, lm, &a);
            } else if (s[2 * i + 1] >= 0.5f) {
                expect(b[4 * i] * 320.0, b[4 * i + 1] * 240.0, b[4 * i + 2] * 320.0,
                       b[4 * i + 3] * 240.0, s[2 * i + 1], i, NULL, &a);
            }
        }
        rp_c_decode(NULL, &a);
        compare_candidates();
        assert_int_equal(found.has_landmarks, yolo);
        free(s);
        free(b);
    }
}

static void test_decode_strides(void **state)
{
    (void) state;
    for (int round = 0; round < 6; round++) {
        const int yunet = round & 1, anchors = yunet ? 1 : 2;
        const int w = 32 * range(1, 6), h = 32 * range(1, 6);
        struct rp_op_decode a = {.decoder = yunet ? RP_DECODE_YUNET : RP_DECODE_RETINAFACE,
                                 .w = w,
                                 .h = h,
                                 .threshold = 0.6f,
                                 .ratio_x = 1.5f,
                                 .ratio_y = 1.25f,
                                 .shift_x = 10,
                                 .shift_y = 20,
                                 .first = 1,
                                 .dst = &found};
        int index = 0;

        hoped.count = 0;
        for (int s = 0; s < 3; s++) {
            const int stride = 8 << s, rows = (w / stride) * (h / stride) * anchors;
            float *const cls = random_tensor(rows, 0, 1), *const obj = random_tensor(rows, 0.5, 1);
            float *const box = random_tensor((size_t) rows * 4, -1, 3);
            float *const lm = random_tensor((size_t) rows * 10, -2, 2);

            cls[0] = obj[0] = 0.9f;
            a.t[s] = cls;
            a.t[yunet ? 6 + s : 3 + s] = box;
            a.t[yunet ? 9 + s : 6 + s] = lm;
            if (yunet)
                a.t[3 + s] = obj;
            int i = 0;
            for (int y = 0; y < h; y += stride)
                for (int x = 0; x < w; x += stride)
                    for (int k = 0; k < anchors; k++, i++, index++) {
                        const float score = yunet ? cls[i] * obj[i] : cls[i];
                        const float *const b = box + 4 * i;
                        double points[10];
                        if (!(score >= 0.6f))
                            continue;
                        for (int j = 0; j < 10; j++)
                            points[j] = lm[10 * i + j] * (double) stride + (j % 2 ? y : x);
                        if (yunet) {
                            const double cx = b[0] * (double) stride + x,
                                         cy = b[1] * (double) stride + y;
                            const double bw = exp((double) b[2]) * stride;
                            const double bh = exp((double) b[3]) * stride;
                            expect(cx - bw / 2, cy - bh / 2, cx + bw / 2, cy + bh / 2, score, index,
                                   points, &a);
                        } else {
                            expect(x - b[0] * (double) stride, y - b[1] * (double) stride,
                                   x + b[2] * (double) stride, y + b[3] * (double) stride, score,
                                   index, points, &a);
                        }
                    }
            if (!yunet)
                free(obj);
        }
        assert_int_equal(index, rp_decode_rows(&a));
        rp_c_decode(NULL, &a);
        assert_true(hoped.count > 0 && hoped.c[0].index == 0);
        compare_candidates();

        /* A second detector appends, with positions of its own. */
        const int n = found.count, last = found.c[n - 1].index;
        a.first = 0;
        rp_c_decode(NULL, &a);
        assert_int_equal(found.count, 2 * n);
        assert_int_equal(found.c[n].index, last + 1);
        assert_memory_equal(found.c[n].box, found.c[0].box, sizeof(found.c[0].box));
        free_tensors(&a);
    }
}

/* More than fit: the best stay, in order, and the count shows it. */
static void test_decode_overflow(void **state)
{
    enum { n = 3 * RP_MAX_CANDIDATES };
    float *const s = random_tensor(2 * n, 0, 1), *const b = random_tensor((size_t) 4 * n, 0, 1);
    struct rp_op_decode a = {.decoder = RP_DECODE_ULTRAFACE,
                             .t = {s, b},
                             .w = 320,
                             .h = 240,
                             .count = n,
                             .ratio_x = 1,
                             .ratio_y = 1,
                             .first = 1,
                             .dst = &found};

    (void) state;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < n && round; i++) /* many ties */
            s[2 * i + 1] = (float) range(0, 7) / 8;
        rp_c_decode(NULL, &a);
        assert_int_equal(found.count, n);
        for (int i = 0; i < RP_MAX_CANDIDATES; i++) {
            const struct rp_candidate *const c = &found.c[i];
            int before = 0;
            assert_true(!i || c->index > found.c[i - 1].index);
            assert_true(c->score == s[2 * c->index + 1]);
            if (i % 64)
                continue;
            for (int k = 0; k < n; k++)
                before += s[2 * k + 1] > c->score || (s[2 * k + 1] == c->score && k < c->index);
            assert_true(before < RP_MAX_CANDIDATES);
        }
        a.first = 0; /* nothing fits any more */
        const struct rp_candidate first = found.c[0];
        rp_c_decode(NULL, &a);
        assert_int_equal(found.count, 2 * n);
        assert_memory_equal(&first, &found.c[0], sizeof(first));
        a.first = 1;
    }

    nms(0.5f, 0.4f);
    assert_int_equal(faces.overflow, 1);
    free(s);
    free(b);
}

/* ---- non-maximum suppression -------------------------------------------------------------------
 */

static void put(int i, float x1, float y1, float x2, float y2, float score)
{
    memset(&found.c[i], 0, sizeof(found.c[i]));
    memcpy(found.c[i].box, (float[]){x1, y1, x2, y2}, 4 * sizeof(float));
    found.c[i].score = score;
    found.c[i].index = i;
    found.c[i].lm5[3] = (float) i;
    found.count = i + 1;
}

static void test_nms_rules(void **state)
{
    const float a[4] = {0, 0, 10, 10}, b[4] = {5, 5, 15, 15}, none[4] = {3, 3, 3, 3};

    (void) state;
    NEAR(rp_box_iou(a, b), 1.0 / 7, 1e-7); /* one rounding of float */
    NEAR(rp_nms_overlap(a, b), 1.0 / 7, 1e-7);
    assert_true(rp_box_iou(none, none) == 0 && rp_nms_overlap(none, none) == 1);

    /* A score at the threshold is out, one above is in; equal scores keep the detector's order. */
    put(0, 0, 0, 10, 10, 0.5f);
    put(1, 100, 0, 110, 10, 0.75f);
    put(2, 200, 0, 210, 10, 0.9f);
    put(3, 310, 10, 300, 0, 0.75f); /* corners the wrong way round */
    nms(0.5f, 0.4f);
    assert_int_equal(faces.count, 3);
    assert_int_equal(faces.overflow, 0);
    assert_true(faces.face[0].box[0] == 200 && faces.face[1].box[0] == 100);
    assert_true(faces.face[2].box[0] == 300 && faces.face[2].box[1] == 0);
    assert_true(faces.face[2].box[2] == 310 && faces.face[2].box[3] == 10);
    assert_true(faces.face[2].lm5[3] == 3 && faces.face[2].score == 0.75f);
    assert_int_equal(faces.face[0].has, 0);

    /* Overlap of exactly the limit stays: half of a box is 1/2 of the union. */
    put(0, 0, 0, 10, 10, 0.9f);
    put(1, 0, 0, 10, 5, 0.8f);
    nms(0.1f, 0.5f);
    assert_int_equal(faces.count, 2);
    nms(0.1f, 0.499f);
    assert_int_equal(faces.count, 1);

    found.count = 0;
    nms(0, 0.4f);
    assert_int_equal(faces.count, 0);
    found.count = -5;
    nms(0, 0.4f);
    assert_int_equal(faces.count, 0);
}

static int by_score(const void *p, const void *q)
{
    const struct rp_candidate *const a = p, *const b = q;

    return a->score != b->score ? (a->score < b->score) - (a->score > b->score)
                                : a->index - b->index;
}

/* The textbook way: sort, mark, compare all pairs. */
static void test_nms_random(void **state)
{
    (void) state;
    for (int round = 0; round < 30; round++) {
        const int n = round < 2 ? RP_MAX_CANDIDATES : range(1, 300);
        const double spread = round == 1 ? 1e5 : 300; /* 1: more survivors than places */
        struct rp_candidate *const c = malloc(n * sizeof(*c));
        uint8_t *const out = calloc(n, 1);
        int kept = 0;

        for (int i = 0; i < n; i++) {
            const float x = (float) uniform(0, spread), y = (float) uniform(0, spread);
            put(i, x, y, x + (float) range(1, 80), y + (float) range(1, 80),
                (float) range(1, 100) / 100);
        }
        memcpy(c, found.c, n * sizeof(*c));
        qsort(c, n, sizeof(*c), by_score);
        nms(0.2f, 0.4f);
        for (int i = 0; i < n; i++) {
            out[i] |= c[i].score <= 0.2f;
            if (out[i])
                continue;
            for (int k = i + 1; k < n; k++) {
                const float *const p = c[i].box, *const q = c[k].box;
                const double w = fminf(p[2], q[2]) - (double) fmaxf(p[0], q[0]);
                const double h = fminf(p[3], q[3]) - (double) fmaxf(p[1], q[1]);
                const double both = w > 0 && h > 0 ? w * h : 0;
                const double all = ((double) p[2] - p[0]) * ((double) p[3] - p[1]) +
                                   ((double) q[2] - q[0]) * ((double) q[3] - q[1]) - both;
                out[k] |= (float) (both / all) > 0.4f;
            }
            if (kept < RP_MAX_FACES) {
                assert_memory_equal(faces.face[kept].box, c[i].box, sizeof(c[i].box));
                assert_memory_equal(faces.face[kept].lm5, c[i].lm5, sizeof(c[i].lm5));
            }
            kept++;
        }
        assert_int_equal(faces.count, kept < RP_MAX_FACES ? kept : RP_MAX_FACES);
        assert_int_equal(faces.overflow, kept > RP_MAX_FACES);
        free(c);
        free(out);
    }
}

/* Recorded candidates of one face leave one face: the best. */
static void test_nms_recorded(void **state)
{
    static const char *const names[] = {"yunet", "retinaface"};

    (void) state;
    for (int d = 0; d < 2; d++) {
        char name[128];
        snprintf(name, sizeof(name), "face_detector/%s/source_640x640/bounding_boxes.npy",
                 names[d]);
        struct npy boxes = recorded(name);
        snprintf(name, sizeof(name), "face_detector/%s/source_640x640/face_scores.npy", names[d]);
        struct npy scores = recorded(name);
        size_t best = 0;
        for (size_t i = 0; i < scores.n; i++) {
            best = npy_at(&scores, i) > npy_at(&scores, best) ? i : best;
            put((int) i, (float) npy_at(&boxes, 4 * i), (float) npy_at(&boxes, 4 * i + 1),
                (float) npy_at(&boxes, 4 * i + 2), (float) npy_at(&boxes, 4 * i + 3),
                (float) npy_at(&scores, i));
        }
        nms(0.5f, 0.4f);
        assert_int_equal(faces.count, 1);
        assert_true(faces.face[0].lm5[3] == (float) best);
        free(boxes.data);
        free(scores.data);
    }
}

/* Whatever a network gives, nothing outside the arrays is touched and no NaN passes. */
static void test_detect_storm(void **state)
{
    (void) state;
    for (int round = 0; round < 60; round++) {
        const int w = 32 * range(1, 5), h = 32 * range(1, 5);
        struct rp_op_decode a = {.decoder = round % 5,
                                 .w = w,
                                 .h = h,
                                 .count = range(0, 300),
                                 .threshold = round % 7 ? 0.1f : ugly(),
                                 .ratio_x = 1,
                                 .ratio_y = 1,
                                 .first = 1,
                                 .dst = &found};
        const int flat = a.decoder == RP_DECODE_ULTRAFACE || a.decoder == RP_DECODE_YOLO;
        for (int i = 0; i < 12; i++) { /* exactly as large as the tensor is */
            const int s = i % 3, group = i / 3, anchors = a.decoder == RP_DECODE_YUNET ? 1 : 2;
            const int rows = (w >> (3 + s)) * (h >> (3 + s)) * anchors;
            const int width = a.decoder == RP_DECODE_YUNET ? (int[]){1, 1, 4, 10}[group]
                                                           : (int[]){1, 4, 10, 0}[group];
            const size_t n = flat ? (size_t) a.count * (a.decoder == RP_DECODE_YOLO ? 20
                                                        : i                         ? 4
                                                                                    : 2)
                                  : (size_t) rows * width;
            float *const t = malloc(n * sizeof(*t) + !n);
            for (size_t k = 0; k < n; k++)
                t[k] = draw() % 4 ? (float) uniform(0, 1) : ugly();
            a.t[i] = t;
        }
        rp_c_decode(NULL, &a);
        nms(round % 3 ? 0.1f : ugly(), round % 4 ? 0.4f : ugly());
        for (int i = 0; i < faces.count; i++) {
            const struct rp_dface *const f = &faces.face[i];
            assert_true(isfinite(f->score) && f->box[0] <= f->box[2] && f->box[1] <= f->box[3]);
            for (int k = 0; k < 10; k++)
                assert_true(isfinite(f->lm5[k]));
        }
        free_tensors(&a);
    }
    for (int round = 0; round < 60; round++) { /* candidates that no decoder would let pass */
        const int n = range(1, 500);
        for (int i = 0; i < n; i++)
            put(i, ugly(), ugly(), ugly(), ugly(), ugly());
        nms(ugly(), ugly());
        for (int i = 0; i < faces.count; i++)
            assert_true(isfinite(faces.face[i].score) && isfinite(faces.face[i].box[0]));
    }
}

/* ---- one face ----------------------------------------------------------------------------------
 */

static void test_load_store_pick(void **state)
{
    static struct rp_dface cur, zero;
    struct rp_selection selection = {2, {3, 1}};

    (void) state;
    memset(&faces, 0, sizeof(faces));
    faces.count = 4;
    for (int i = 0; i < 4; i++)
        faces.face[i].score = (float) i;
    for (int32_t i = -2; i < 7; i++) {
        rp_c_face_load(NULL, &(struct rp_op_face_load){&faces, &i, &cur});
        assert_true(cur.score == (i >= 0 && i < 4 ? (float) i : 0));
        cur.score = 50;
        memcpy(&faces2, &faces, sizeof(faces));
        rp_c_face_store(NULL, &(struct rp_op_face_store){&faces2, &i, &cur});
        if (i >= 0 && i < 4)
            assert_true(faces2.face[i].score == 50);
        else
            assert_memory_equal(&faces2, &faces, sizeof(faces));
        rp_c_face_pick(NULL, &(struct rp_op_face_pick){&faces, &selection, &i, &cur});
        if (i == 0 || i == 1)
            assert_true(cur.score == (i ? 1 : 3));
        else
            assert_memory_equal(&cur, &zero, sizeof(zero));
    }
    selection.index[0] = 1000;
    rp_c_face_pick(NULL, &(struct rp_op_face_pick){&faces, &selection, &(int32_t){0}, &cur});
    assert_memory_equal(&cur, &zero, sizeof(zero));
}

static void test_face_scale(void **state)
{
    static struct rp_dfaces from, to;
    static const struct rp_op_face_scale op = {&from, 4, 2, &to};
    float *const all = (float *) &from.face[1];

    (void) state;
    for (size_t i = 0; i < offsetof(struct rp_dface, angle) / sizeof(*all); i++)
        all[i] = (float) (i + 1);
    from.count = 2;
    from.overflow = 1;
    from.face[1].angle = 90;
    rp_c_face_scale(NULL, &op);
    assert_int_equal(to.count, 2);
    assert_int_equal(to.overflow, 1);
    for (int i = 0; i < 136; i++) {
        const struct rp_dface *const f = &from.face[1], *const g = &to.face[1];
        const float by = i % 2 ? 2 : 4;

        assert_true(i >= 4 || g->box[i] == f->box[i] * by);
        assert_true(i >= 10 || g->lm5[i] == f->lm5[i] * by);
        assert_true(i >= 10 || g->lm5_68[i] == f->lm5_68[i] * by);
        assert_true(g->lm68[i] == f->lm68[i] * by);
        assert_true(g->lm68_5[i] == f->lm68_5[i] * by);
    }
    assert_true(to.face[1].score == from.face[1].score);
    assert_memory_equal(to.face[1].embedding, from.face[1].embedding,
                        sizeof(from.face[1].embedding));
    assert_int_equal(to.face[1].angle, 90);
    from.count = RP_MAX_FACES + 9; /* as if more were found than there is room for */
    rp_c_face_scale(NULL, &op);
    assert_int_equal(to.count, RP_MAX_FACES + 9);
}

static void test_angle(void **state)
{
    float lm[136] = {0};

    (void) state;
    for (int i = -5; i < 365; i++) { /* FaceFusion's way, in double */
        const double t = i * M_PI / 180 + 1e-4;
        lm[32] = (float) (100 * cos(t));
        lm[33] = (float) (100 * sin(t));
        double degrees = fmod(atan2((double) lm[33], (double) lm[32]) * 180 / M_PI + 360, 360);
        int best = 0;
        for (int k = 90; k <= 360; k += 90)
            best = fabs(k - degrees) < fabs(best - degrees) ? k : best;
        assert_int_equal(rp_face_angle(lm), best % 360);
    }
    static const float ties[][3] = {{1, 1, 0}, {-1, 1, 90},      {-1, -1, 180}, {1, -1, 270},
                                    {0, 0, 0}, {-1, -0.0f, 180}, {NAN, 1, 0},   {1, NAN, 0}};
    for (int i = 0; i < 8; i++) {
        lm[32] = ties[i][0];
        lm[33] = ties[i][1];
        assert_int_equal(rp_face_angle(lm), ties[i][2]);
    }
}

static void test_landmarks(void **state)
{
    float points[68 * 3], *const heat = random_tensor(68 * 64 * 64, 0, 0.3);
    struct rp_affine m;

    (void) state;
    fresh();
    memcpy(face.box, (float[]){100, 50, 300, 250}, sizeof(face.box));
    rp_c_box_affine(NULL, &(struct rp_op_box_affine){&face, RP_BOX_STRETCH, 1, 64, 64, &m});
    for (int i = 0; i < 136; i++)
        points[i] = (float) uniform(0, 1);
    rp_c_landmarks(NULL,
                   &(struct rp_op_landmarks){RP_LANDMARK_BOX_68, {points}, 64, 64, &m, &face});
    assert_true(face.landmark_score == 1);
    for (int i = 0; i < 68; i++) { /* by hand; 1e-4 px is float at 300 */
        NEAR(face.lm68[2 * i], 100 + 200 * points[2 * i], 1e-4);
        NEAR(face.lm68[2 * i + 1], 50 + 200 * points[2 * i + 1], 1e-4);
    }

    /* 2dfan4, turned by 90 degrees */
    face.angle = 90;
    rp_c_box_affine(NULL, &(struct rp_op_box_affine){&face, RP_BOX_LANDMARKER, 1, 256, 256, &m});
    double mean = 0, third = 0;
    for (int i = 0; i < 68; i++) {
        points[3 * i] = (float) uniform(0, 64);
        points[3 * i + 1] = (float) uniform(0, 64);
        points[3 * i + 2] = (float) uniform(0, 1);
        third += points[3 * i + 2] / 68;
        const int at = range(0, 4095);
        heat[i * 4096 + at] = (float) uniform(0.5, 0.9);
        heat[i * 4096 + (at + 1) % 4096] = NAN;
        mean += heat[i * 4096 + at] / 68;
    }
    rp_c_landmarks(
        NULL, &(struct rp_op_landmarks){RP_LANDMARK_2DFAN4, {points, heat}, 256, 256, &m, &face});
    NEAR(face.landmark_score, mean / 0.9, 1e-6);
    for (int i = 0; i < 68; i++) {
        const double x = points[3 * i] * 4, y = points[3 * i + 1] * 4, s = 195.0 / 200;
        NEAR(face.lm68[2 * i], 200 + (256 - y - 128) / s, 1e-3);
        NEAR(face.lm68[2 * i + 1], 150 + (x - 128) / s, 1e-3);
    }
    rp_c_landmarks(NULL,
                   &(struct rp_op_landmarks){RP_LANDMARK_PEPPA, {points}, 256, 256, &m, &face});
    NEAR(face.landmark_score, third / 0.95, 1e-6);

    /* NaN: the old points stay, and the score shows it. */
    const float before = face.lm68[0];
    points[5] = NAN;
    points[9] = INFINITY;
    rp_c_landmarks(NULL,
                   &(struct rp_op_landmarks){RP_LANDMARK_PEPPA, {points}, 256, 256, &m, &face});
    assert_true(face.landmark_score == 0 && face.lm68[0] == before);
    free(heat);
}

/* Two landmarkers: the second needs 0.2 more than the first, and no NaN. */
static void test_landmarks_second(void **state)
{
    static const struct {
        float first, second;
        int wins;
    } cases[] = {{0.5f, 0.5f, 0}, {0.5f, 0.69f, 0}, {0.5f, 0.71f, 1}, {0, 0.19f, 0}, {0, 0.21f, 1},
                 {1, 1, 0},       {0.5f, NAN, 0}};
    struct rp_affine m;
    float points[68 * 3];

    (void) state;
    fresh();
    memcpy(face.box, (float[]){0, 0, 195, 195}, sizeof(face.box));
    rp_c_box_affine(NULL,
                    &(struct rp_op_box_affine){&face, RP_BOX_LANDMARKER, 1, 256, 256, &m});
    for (size_t k = 0; k < sizeof(cases) / sizeof(*cases); k++) {
        for (int i = 0; i < 68 * 3; i++)
            points[i] = i % 3 < 2 ? (float) i : 0.95f * cases[k].second;
        if (isnan(cases[k].second))
            points[7] = NAN;
        face.landmark_score = cases[k].first;
        face.lm68[9] = -7;
        rp_c_landmarks(NULL, &(struct rp_op_landmarks){RP_LANDMARK_PEPPA, {points}, 256, 256, &m,
                                                       &face, .second = 1});
        assert_int_equal(face.lm68[9] != -7, cases[k].wins);
        NEAR(face.landmark_score, cases[k].wins ? cases[k].second : cases[k].first, 1e-6);
    }
}

/* A face found in a turned frame of 101 x 51 gets its place in the frame itself, and its angle is
 * the turn. */
static void test_decode_turned(void **state)
{
    const float scores[2] = {0, 0.9f}, box[4] = {0.25f, 0.125f, 0.5f, 0.25f};
    static const float want[4][4] = {
        {20, 10, 40, 20}, {80, 20, 90, 40}, {60, 30, 80, 40}, {10, 10, 20, 30}};

    (void) state;
    for (int k = 0; k < 4; k++) {
        rp_c_decode(NULL, &(struct rp_op_decode){.decoder = RP_DECODE_ULTRAFACE,
                                                 .t = {scores, box},
                                                 .w = 80,
                                                 .h = 80,
                                                 .count = 1,
                                                 .threshold = 0.5f,
                                                 .ratio_x = 1,
                                                 .ratio_y = 1,
                                                 .angle = 90 * k,
                                                 .frame_w = 101,
                                                 .frame_h = 51,
                                                 .first = 1,
                                                 .dst = &found});
        nms(0.5f, 0.4f);
        assert_int_equal(faces.count, 1);
        assert_int_equal(faces.face[0].angle, 90 * k);
        assert_memory_equal(faces.face[0].box, want[k], sizeof(want[k]));
    }
}

/* 5 points to 68 and back: the unit square of ffhq_512. */
static void test_landmarks_68_5(void **state)
{
    struct rp_affine m;
    float unit[136];

    (void) state;
    fresh();
    set_points(face.lm5, frontal, 10);
    rp_c_align(NULL, &(struct rp_op_align){&face, 1, RP_TEMPLATE_FFHQ_512, 1, 1, 1, &m});
    float points[136];
    for (int i = 0; i < 68; i++) {
        double p[2];
        points[2 * i] = (float) uniform(150, 300);
        points[2 * i + 1] = (float) uniform(150, 300);
        rp_affine_apply(m.m, points[2 * i], points[2 * i + 1], p);
        unit[2 * i] = (float) p[0];
        unit[2 * i + 1] = (float) p[1];
    }
    face.landmark_score = 0.7f;
    rp_c_landmarks(NULL, &(struct rp_op_landmarks){RP_LANDMARK_FAN_68_5, {unit}, 1, 1, &m, &face});
    for (int i = 0; i < 136; i++)
        NEAR(face.lm68_5[i], points[i], 1e-4); /* float in the unit square: 1e-7 of 340 px */
    assert_memory_equal(face.lm68, face.lm68_5, sizeof(face.lm68));
    assert_memory_equal(face.lm5_68, frontal, sizeof(frontal));
    assert_true(face.landmark_score == 0);
    assert_int_equal(face.angle, rp_face_angle(face.lm68_5));
}

static void test_face_points(void **state)
{
    struct rp_op_face_points a = {&face, 0.5f, 0};

    (void) state;
    fresh();
    set_points(face.lm5, frontal, 10);
    rp_c_face_points(NULL, &a);
    assert_int_equal(face.has, RP_HAS_LANDMARK_5);
    assert_memory_equal(face.lm5_68, face.lm5, sizeof(face.lm5));

    for (int i = 0; i < 136; i++)
        face.lm68[i] = (float) i;
    face.has = RP_HAS_GENDER;
    face.landmark_score = 0.5f; /* not more than the threshold */
    rp_c_face_points(NULL, &a);
    assert_memory_equal(face.lm5_68, face.lm5, sizeof(face.lm5));
    assert_int_equal(face.has, RP_HAS_LANDMARK_5 | RP_HAS_LANDMARK_68 | RP_HAS_GENDER);
    face.landmark_score = 0.6f;
    rp_c_face_points(NULL, &a);
    const float five[10] = {77, 78, 89, 90, 60, 61, 96, 97, 108, 109};
    assert_memory_equal(face.lm5_68, five, sizeof(five));
    assert_memory_equal(face.lm5, frontal, sizeof(frontal));

    a.no_detector_points = 1;
    rp_c_face_points(NULL, &a);
    assert_memory_equal(face.lm5, five, sizeof(five));
    assert_memory_equal(face.lm68_5, face.lm68, sizeof(face.lm68));
    assert_int_equal(face.angle, 0);

    fresh();
    rp_c_face_points(NULL, &a);
    assert_int_equal(face.has, 0);
}

/* The recorded input of fan_68_5 is what 68-to-5 makes of the recorded 68 points. One rounding of
 * float at 700 px is 6e-5. */
static void test_face_points_recorded(void **state)
{
    (void) state;
    struct npy lm = recorded("face_analysis/face_landmarker/2dfan4_landmark_68.npy");
    struct npy five = recorded("face_analysis/face_landmarker/fan_68_5_input.npy");
    struct npy angle = recorded("face_analysis/face_landmarker/face_angle.npy");
    fresh();
    for (int i = 0; i < 136; i++)
        face.lm68[i] = (float) npy_at(&lm, i);
    face.landmark_score = 0.9f;
    rp_c_face_points(NULL, &(struct rp_op_face_points){&face, 0.5f, 0});
    for (int i = 0; i < 10; i++)
        NEAR(face.lm5_68[i], npy_at(&five, i), 1.3e-4);
    assert_int_equal(rp_face_angle(face.lm68), npy_at(&angle, 0));
    free(lm.data);
    free(five.data);
    free(angle.data);
}

static void test_embedding(void **state)
{
    float v[512] = {0};

    (void) state;
    fresh();
    rp_c_embedding(NULL, &(struct rp_op_embedding){v, &face});
    assert_int_equal(face.has, 0);
    for (int round = 0; round < 50; round++) {
        double squares = 0, one = 0;
        for (int i = 0; i < 512; i++) {
            v[i] = (float) uniform(-3, 3);
            squares += (double) v[i] * v[i];
        }
        rp_c_embedding(NULL, &(struct rp_op_embedding){v, &face});
        assert_int_equal(face.has, RP_HAS_EMBEDDING);
        assert_memory_equal(face.embedding, v, sizeof(v));
        for (int i = 0; i < 512; i++) {
            NEAR(face.embedding_norm[i], v[i] / sqrt(squares), 3e-8); /* half an ULP under 0.5 */
            one += (double) face.embedding_norm[i] * face.embedding_norm[i];
        }
        NEAR(one, 1, 1e-6);
    }
    v[77] = NAN;
    rp_c_embedding(NULL, &(struct rp_op_embedding){v, &face});
    assert_int_equal(face.has, 0);
    for (int i = 0; i < 512; i++)
        assert_true(face.embedding_norm[i] == 0 && face.embedding[i] == 0);
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 512; i++)
            v[i] = ugly();
        rp_c_embedding(NULL, &(struct rp_op_embedding){v, &face});
        for (int i = 0; i < 512; i++)
            assert_true(isfinite(face.embedding_norm[i]));
    }
}

static void test_embedding_recorded(void **state)
{
    static const char *const names[][2] = {
        {"face_analysis/face_recognizer/embedding.npy",
         "face_analysis/face_recognizer/embedding_norm.npy"},
        {"face_swapper/inswapper_128/source_embedding.npy",
         "face_swapper/inswapper_128/source_embedding_norm.npy"}};

    (void) state;
    for (int d = 0; d < 2; d++) {
        struct npy e = recorded(names[d][0]);
        struct npy n = recorded(names[d][1]);
        float v[512];
        for (int i = 0; i < 512; i++)
            v[i] = (float) npy_at(&e, i);
        rp_c_embedding(NULL, &(struct rp_op_embedding){v, &face});
        for (int i = 0; i < 512; i++)
            NEAR(face.embedding_norm[i], npy_at(&n, i), 1e-6); /* numpy's norm is a float */
        free(e.data);
        free(n.data);
    }
}

static void test_classify(void **state)
{
    static const int ages[][2] = {{0, 2},   {3, 9},   {10, 19}, {20, 29},  {30, 39},
                                  {40, 49}, {50, 59}, {60, 69}, {70, 100}, {70, 100}};
    static const int races[] = {RP_WHITE,  RP_BLACK,  RP_LATINO, RP_ASIAN, RP_ASIAN,
                                RP_INDIAN, RP_ARABIC, RP_WHITE,  RP_WHITE};
    int64_t race, gender, age;
    struct rp_op_classify a = {RP_CLASSIFY_FAIRFACE, {&race, &gender, &age}, &face};

    (void) state;
    for (int i = -1; i < 9; i++) {
        fresh();
        race = i < 0 ? INT64_MIN : i;
        gender = i;
        age = i < 0 ? INT64_MAX : i;
        rp_c_classify(NULL, &a);
        assert_int_equal(face.race, i < 0 ? RP_WHITE : races[i]);
        assert_int_equal(face.gender, i == 1 ? RP_FEMALE : RP_MALE);
        assert_int_equal(face.age_from, ages[i < 0 ? 9 : i][0]);
        assert_int_equal(face.age_to, ages[i < 0 ? 9 : i][1]);
        assert_int_equal(face.has, RP_HAS_RACE | RP_HAS_GENDER | RP_HAS_AGE);
    }

    /* SSR-Net: probability 1 in bins 1, 2, 0 and no shifts: 1/3 + 2/9 + 0/27 = 5/9. */
    float p[3][3] = {{0, 1, 0}, {0, 0, 1}, {1, 0, 0}}, d[3] = {0, 0, 0}, o[3][3] = {{0}};
    struct rp_op_classify s = {
        RP_CLASSIFY_SSR_GENDER, {p[0], p[1], p[2], &d[0], &d[1], &d[2], o[0], o[1], o[2]}, &face};
    fresh();
    rp_c_classify(NULL, &s);
    assert_int_equal(face.gender, RP_MALE);
    assert_int_equal(face.has, RP_HAS_GENDER);
    p[0][1] = 0.8f; /* 0.8/3 + 2/9 = 0.489 */
    rp_c_classify(NULL, &s);
    assert_int_equal(face.gender, RP_FEMALE);
    s.kind = RP_CLASSIFY_SSR_AGE; /* 49 years */
    rp_c_classify(NULL, &s);
    assert_int_equal(face.age_from, 40);
    assert_int_equal(face.has, RP_HAS_GENDER | RP_HAS_AGE);
    d[0] = 1; /* bins half as wide: 0.8/6 + 2/18 = 0.2444, 24.7 years */
    rp_c_classify(NULL, &s);
    assert_int_equal(face.age_from, 20);
    o[1][2] = 1; /* third bin of stage 2 shifted by one: 0.8/6 + 3/18 = 0.3, 30.3 years */
    rp_c_classify(NULL, &s);
    assert_int_equal(face.age_from, 30);
    d[1] = -1; /* no width */
    rp_c_classify(NULL, &s);
    assert_int_equal(face.has, RP_HAS_GENDER);

    /* Every age has a class, the one whose decade it is. */
    d[0] = d[1] = 0;
    for (int i = 0; i < 9; i++)
        p[i / 3][i % 3] = 0;
    for (int age10 = -50; age10 < 1300; age10++) {
        const double years = age10 / 10.0;
        const int k = years < 3 ? 0 : years < 10 ? 1 : years >= 70 ? 8 : (int) (years / 10) + 1;
        p[0][1] = (float) (years * 3 / 101 * (1 + 1e-6));
        rp_c_classify(NULL, &s);
        if (age10 >= 0 || age10 < -1)
            assert_int_equal(face.age_from, ages[k][0]);
    }
    for (int i = 0; i < 5000; i++) {
        for (int k = 0; k < 9; k++) {
            p[k / 3][k % 3] = ugly();
            o[k / 3][k % 3] = ugly();
            d[k % 3] = ugly();
        }
        s.kind = i % 2 ? RP_CLASSIFY_SSR_AGE : RP_CLASSIFY_SSR_GENDER;
        rp_c_classify(NULL, &s);
        assert_in_range(face.gender, 0, 2);
        assert_in_range(face.age_from, 0, 70);
    }
}

/* ---- selection ---------------------------------------------------------------------------------
 */

static struct rp_references references;

static void person(int i, float x1, float y1, float side, float score, int gender, int race,
                   int age)
{
    struct rp_dface *const f = &faces.face[i];

    memset(f, 0, sizeof(*f));
    memcpy(f->box, (float[]){x1, y1, x1 + side, y1 + side}, sizeof(f->box));
    f->score = score;
    f->gender = gender;
    f->race = race;
    f->age_from = age;
    f->age_to = age ? age + 9 : 0;
    f->has = (gender ? RP_HAS_GENDER : 0) | (race ? RP_HAS_RACE : 0) | (age ? RP_HAS_AGE : 0) |
             RP_HAS_EMBEDDING;
    f->embedding_norm[i] = 1;
    faces.count = i + 1;
}

static void check_selection(const struct rp_op_select *a, int n, const int *index)
{
    rp_c_select(NULL, a);
    assert_int_equal(a->dst->count, n);
    for (int i = 0; i < n; i++)
        assert_int_equal(a->dst->index[i], index[i]);
}

static void crowd(void)
{
    memset(&faces, 0, sizeof(faces));
    person(0, 30, 10, 50, 0.9f, RP_MALE, RP_WHITE, 20);
    person(1, 10, 40, 20, 0.7f, RP_FEMALE, RP_ASIAN, 30);
    person(2, 20, 30, 90, 0.8f, RP_FEMALE, RP_WHITE, 20);
    person(3, 10, 20, 50, 0.9f, RP_MALE, RP_BLACK, 60);
    person(4, 40, 30, 10, 0.6f, 0, 0, 0); /* attributes not known */
}

/* Every order, with each filter, compared with an order written by hand; equal keys keep the order
 * of detection in both directions. */
static void test_select_orders(void **state)
{
    static const int order[8][5] = {
        {1, 3, 2, 0, 4}, /* left-right: 10 10 20 30 40 */
        {4, 0, 2, 1, 3}, /* right-left */
        {0, 3, 2, 4, 1}, /* top-bottom: 10 20 30 30 40 */
        {1, 2, 4, 3, 0}, /* bottom-top */
        {4, 1, 0, 3, 2}, /* small-large: 10 20 50 50 90 */
        {2, 0, 3, 1, 4}, /* large-small */
        {0, 3, 2, 1, 4}, /* best-worst: .9 .9 .8 .7 .6 */
        {4, 1, 2, 0, 3}, /* worst-best */
    };
    static const struct {
        int gender, race, age_from, age_to;
        unsigned keeps; /* a bit a face */
    } filters[] = {
        {0, 0, 0, 0, 0x1f},         {RP_MALE, 0, 0, 0, 0x09},
        {RP_FEMALE, 0, 0, 0, 0x06}, {0, RP_WHITE, 0, 0, 0x05},
        {0, RP_INDIAN, 0, 0, 0},    {RP_FEMALE, RP_WHITE, 0, 0, 0x04},
        {0, 0, 20, 30, 0x05},       {0, 0, 28, 31, 0x07}, /* meets 20..28 and 30..38 */
        {0, 0, 29, 30, 0},                                /* the ends are excluded */
        {0, 0, 0, 30, 0x05},        {0, 0, 50, 0, 0},     /* [50, 0) is empty */
        {0, 0, 1, 100, 0x0f},       {RP_MALE, RP_BLACK, 60, 70, 0x08},
    };
    struct rp_selection dst;

    (void) state;
    crowd();
    for (int o = 0; o < 8; o++)
        for (size_t k = 0; k < sizeof(filters) / sizeof(*filters); k++) {
            struct rp_op_select a = {&faces,
                                     RP_SELECT_MANY,
                                     o,
                                     0,
                                     filters[k].gender,
                                     filters[k].race,
                                     filters[k].age_from,
                                     filters[k].age_to,
                                     NULL,
                                     0,
                                     &dst};
            int index[5], n = 0;
            for (int i = 0; i < 5; i++)
                if (filters[k].keeps >> order[o][i] & 1)
                    index[n++] = order[o][i];
            check_selection(&a, n, index);
            a.mode = RP_SELECT_ONE;
            check_selection(&a, n > 1 ? 1 : n, index);
            a.mode = RP_SELECT_REFERENCE; /* none given */
            check_selection(&a, 0, NULL);
        }
}

static void test_select_reference(void **state)
{
    struct rp_selection dst;
    struct rp_op_select a = {&faces,    RP_SELECT_REFERENCE, RP_ORDER_RIGHT_LEFT, 0, RP_MALE,
                             RP_ARABIC, 1, 2, &references, 0.3f, &dst};

    (void) state;
    crowd();
    memset(&references, 0, sizeof(references));
    check_selection(&a, 0, NULL);
    references.count = 1;
    references.embedding_norm[0][3] = 1;
    check_selection(&a, 1, (int[]){3}); /* neither sorted nor filtered */
    references.count = 3;
    references.embedding_norm[1][4] = 1;
    references.embedding_norm[2][1] = 1;
    check_selection(&a, 3, (int[]){1, 3, 4});

    /* Half the distance is compared, strictly: cosine 0.5 is 0.25. */
    references.count = 1;
    references.embedding_norm[0][3] = 0.5f;
    a.distance = 0.25f;
    check_selection(&a, 0, NULL);
    a.distance = 0.2500001f;
    check_selection(&a, 1, (int[]){3});
    a.distance = 1;
    check_selection(&a, 5, (int[]){0, 1, 2, 3, 4});
    faces.face[2].has = 0; /* no identity known */
    check_selection(&a, 4, (int[]){0, 1, 3, 4});
    references.embedding_norm[0][3] = 1.5f; /* the distance does not fall under 0 */
    a.distance = 0;
    check_selection(&a, 0, NULL);

    faces.count = 0;
    for (a.mode = 0; a.mode < 3; a.mode++)
        check_selection(&a, 0, NULL);
}

static void check_map(const struct rp_op_map_faces *a, int n, const int *who, const int *source)
{
    rp_c_map_faces(NULL, a);
    assert_int_equal(a->dst->chosen.count, n);
    for (int i = 0; i < n; i++) {
        assert_int_equal(a->dst->chosen.index[i], who[i]);
        assert_int_equal(a->dst->source[i], source[i]);
    }
}

/* The nearest reference that is near enough; in the order of the selection. */
static void test_map_faces(void **state)
{
    struct rp_face_map map;
    struct rp_selection chosen = {4, {4, 2, 0, 1}};
    struct rp_op_map_faces a = {&faces, &chosen, &references, 0.3f, -1, &map};

    (void) state;
    crowd();
    memset(&references, 0, sizeof(references));
    check_map(&a, 0, NULL, NULL);
    references.count = 3;
    references.embedding_norm[0][1] = 1;
    references.embedding_norm[1][4] = 0.5f;
    references.embedding_norm[2][4] = 0.6f;
    references.embedding_norm[2][2] = 0.5f;
    check_map(&a, 3, (int[]){4, 2, 1}, (int[]){2, 2, 0});
    references.embedding_norm[0][4] = 0.6f; /* of equals the first */
    check_map(&a, 3, (int[]){4, 2, 1}, (int[]){0, 2, 0});
    a.distance = 0.19f; /* cosine 0.6 is 0.2 */
    check_map(&a, 1, (int[]){1}, (int[]){0});
    a.other = 3;
    check_map(&a, 4, (int[]){4, 2, 0, 1}, (int[]){3, 3, 3, 0});
    faces.face[1].has = 0; /* no identity known */
    check_map(&a, 4, (int[]){4, 2, 0, 1}, (int[]){3, 3, 3, 3});
    a.other = -1;
    check_map(&a, 0, NULL, NULL);
    chosen.index[0] = 77; /* no such face */
    a.distance = 1;
    check_map(&a, 2, (int[]){2, 0}, (int[]){2, 0});
    chosen.count = 0;
    check_map(&a, 0, NULL, NULL);
}

static void test_source_mix(void **state)
{
    static float sources[2][512], out[2][512];
    struct rp_face_map map = {{2, {3, 1}}, {1, 0}};
    int32_t index = 0;
    struct rp_op_source_mix a = {.sources = sources[0], .rows = 2, .n = 512, .dst = out[0],
                                 .copies = 2};

    (void) state;
    crowd();
    for (int i = 0; i < 512; i++) {
        sources[0][i] = (float) i;
        sources[1][i] = (float) -i;
        faces.face[3].embedding[i] = 100;
    }
    rp_c_source_mix(NULL, &a);
    assert_memory_equal(out[0], sources[0], sizeof(out[0]));
    assert_memory_equal(out[1], sources[0], sizeof(out[1]));
    a.map = &map;
    a.index = &index;
    rp_c_source_mix(NULL, &a);
    assert_memory_equal(out[1], sources[1], sizeof(out[1]));
    a.face = &faces.face[3];
    a.mix = 0.25f;
    rp_c_source_mix(NULL, &a);
    assert_true(out[1][3] == -3 * 0.75f + 0.25f && out[0][500] == -375);
    a.raw = 1;
    rp_c_source_mix(NULL, &a);
    assert_true(out[1][3] == -3 * 0.75f + 25 && out[0][500] == -350);
    faces.face[3].has = 0; /* nothing to mix in */
    rp_c_source_mix(NULL, &a);
    assert_memory_equal(out[0], sources[1], sizeof(out[0]));
    for (index = -1; index < 3; index += 3) { /* no such face */
        rp_c_source_mix(NULL, &a);
        assert_true(out[0][9] == 0 && out[1][511] == 0);
    }
}

/* Faces that no analysis would give: every index is valid and occurs once. */
static void test_select_storm(void **state)
{
    struct rp_selection dst;

    (void) state;
    for (int round = 0; round < 200; round++) {
        uint8_t seen[RP_MAX_FACES] = {0};
        struct rp_op_select a = {.faces = &faces,
                                 .mode = round % 4,
                                 .order = range(-1, 9),
                                 .held = round % 5 == 0,
                                 .gender = range(0, 2),
                                 .references = &references,
                                 .distance = round % 2 ? 0.5f : ugly(),
                                 .dst = &dst};
        memset(&faces, 0, sizeof(faces));
        for (int i = 0; i < RP_MAX_FACES; i++) {
            person(i, ugly(), ugly(), ugly(), ugly(), range(0, 2), 1, 30);
            for (int k = 0; k < 512; k += 100)
                faces.face[i].embedding_norm[k] = ugly();
        }
        faces.count = round % 5 ? range(0, RP_MAX_FACES) : 1 << 30;
        references.count = round % 7 ? 2 : 1 << 30;
        rp_c_select(NULL, &a);
        assert_in_range(dst.count, 0, RP_MAX_FACES);
        for (int i = 0; i < dst.count; i++) {
            assert_in_range(dst.index[i], 0, RP_MAX_FACES - 1);
            assert_int_equal(seen[dst.index[i]]++, 0);
        }
    }
}

/* ---- content check -----------------------------------------------------------------------------
 */

static void gate(struct rp_verdict *v, int kind, const float *src, int n, double score,
                 int positive)
{
    const struct rp_verdict before = *v;

    rp_c_content_vote(NULL, &(struct rp_op_content_vote){kind, src, n, 8400, 1, v});
    assert_int_equal(v->checked, before.checked + 1);
    assert_int_equal(v->positive, before.positive + positive);
    assert_int_equal(v->last_positive, positive);
    if (score == score)
        NEAR(v->last_score, score, 1e-6 * fabs(score) + 1e-7); /* a sum of floats */
}

static void test_gate(void **state)
{
    struct rp_verdict v = {0};
    float *const yolo = random_tensor(5 * 8400, 0.3, 640);

    (void) state;
    gate(&v, RP_CONTENT_NSFWJS, (float[]){0, 0.25f, 0.5f, 0.25f, 0}, 5, 0.5, 0);
    gate(&v, RP_CONTENT_NSFWJS, (float[]){0, 0.5f, 0, 0.25f, 0.25f}, 5, 0.75, 1);
    gate(&v, RP_CONTENT_NSFW_2, (float[]){1.25f, 1}, 2, 0.25, 0);
    gate(&v, RP_CONTENT_NSFW_2, (float[]){1.5f, 1}, 2, 0.5, 1);
    gate(&v, RP_CONTENT_NSFW_3, (float[]){1, 2, 6.5f, 7}, 4, 10.5, 0);
    gate(&v, RP_CONTENT_NSFW_3, (float[]){1, 2, 7, 7}, 4, 11, 1);
    for (int i = 4 * 8400; i < 5 * 8400; i++)
        yolo[i] = 0.1f;
    gate(&v, RP_CONTENT_NSFW_1, yolo, 5 * 8400, 0.1, 0); /* boxes are not scores */
    yolo[5 * 8400 - 1] = 0.21f;
    gate(&v, RP_CONTENT_NSFW_1, yolo, 5 * 8400, 0.21, 1);
    yolo[4 * 8400] = NAN;
    gate(&v, RP_CONTENT_NSFW_1, yolo, 5 * 8400, NAN, 1);
    gate(&v, RP_CONTENT_NSFW_2, (float[]){NAN, 0}, 2, NAN, 1); /* not cleared */
    gate(&v, RP_CONTENT_NSFWJS, yolo, 3, 0, 0);                /* too short: nothing is read */
    free(yolo);
}

/* Two of three: all ways in which three networks can vote, one frame after the other. */
static void test_gate_votes(void **state)
{
    struct rp_verdict v = {0};
    static const float scores[2][10] = {{9, 9, 9, 9, 9, 9, 9, 9, 0.2f, 0.1f},
                                        {9, 9, 9, 9, 9, 9, 9, 9, 0.1f, 0.3f}};
    static const float pairs[2][2] = {{0, 1}, {1, 0}}, fours[2][4] = {{0, 1, 5, 6}, {0, 1, 6, 6}};

    (void) state;
    for (int k = 0; k < 16; k++) {
        const int a = k & 1, b = k >> 1 & 1, c = k >> 2 & 1;
        const int positive = v.positive;

        rp_c_content_vote(NULL, &(struct rp_op_content_vote){RP_CONTENT_NSFW_1, scores[a], 10, 2, 0, &v});
        rp_c_content_vote(NULL, &(struct rp_op_content_vote){RP_CONTENT_NSFW_2, pairs[b], 2, 2, 0, &v});
        assert_int_equal(v.checked, k);
        assert_int_equal(v.votes, a + b);
        rp_c_content_vote(NULL, &(struct rp_op_content_vote){RP_CONTENT_NSFW_3, fours[c], 4, 4, 2, &v});
        assert_int_equal(v.checked, k + 1);
        assert_int_equal(v.last_positive, a + b + c >= 2);
        assert_int_equal(v.positive, positive + (a + b + c >= 2));
        assert_int_equal(v.votes, 0);
    }
}

static void test_gate_recorded(void **state)
{
    struct rp_verdict v = {0};

    (void) state;
    struct npy raw = recorded("content_analyser/nsfw_2/raw_output.npy");
    gate(&v, RP_CONTENT_NSFW_2, raw.data, (int) raw.n, -3.0181705951690674, 0); /* score.json */
    free(raw.data);
}

/* ---- hull --------------------------------------------------------------------------------------
 */

static const struct rp_affine unmoved = {{1, 0, 0, 0, 1, 0}, {1, 0, 0, 0, 1, 0}};

/* The area mask after FaceFusion's soft threshold: Gaussian of sigma 5 (41 taps, reflect-101), then
 * 0.5..1 to 0..1. */
static void soften(float *m, int n)
{
    double kernel[41], sum = 0;
    double *const tmp = malloc((size_t) n * n * sizeof(*tmp));

    for (int i = 0; i < 41; i++)
        sum += kernel[i] = exp(-(i - 20) * (i - 20) / 50.0);
    for (int pass = 0; pass < 2; pass++) {
        for (int y = 0; y < n; y++)
            for (int x = 0; x < n; x++) {
                double v = 0;
                for (int k = -20; k <= 20; k++) {
                    int at = (pass ? y : x) + k;
                    at = at < 0 ? -at : at >= n ? 2 * n - 2 - at : at;
                    v += kernel[k + 20] / sum * m[pass ? at * n + x : y * n + at];
                }
                tmp[y * n + x] = v;
            }
        for (int i = 0; i < n * n; i++)
            m[i] = (float) tmp[i];
    }
    for (int i = 0; i < n * n; i++)
        m[i] = (float) (fmin(fmax(m[i], 0.5), 1) - 0.5) * 2;
    free(tmp);
}

static void test_hull_recorded(void **state)
{
    static const uint8_t upper[] = {0,  1,  2,  31, 32, 33, 34, 35, 14, 15, 16,
                                    26, 25, 24, 23, 22, 21, 20, 19, 18, 17};
    static const uint8_t lower[] = {3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 35, 34, 33, 32, 31};
    static const double sums[] = {112.6288, 639.3729, 2671.5815}, tops[] = {0.578102, 0.940719, 1};
    static float mask[128 * 128];

    (void) state;
    fresh();
    for (int i = 0; i < 68; i++) {
        const double t = 2 * M_PI * i / 68;
        face.lm68[2 * i] = (float) (64 + 40 * cos(t));
        face.lm68[2 * i + 1] = (float) (64 + 30 * sin(t));
    }
    for (int k = 0; k < 3; k++) {
        uint8_t use[68] = {0};
        double sum = 0, top = 0;
        for (int i = 48; i < 68 && k != 1; i++)
            use[i] = 1;
        for (size_t i = 0; i < sizeof(lower) && k == 1; i++)
            use[lower[i]] = 1;
        for (size_t i = 0; i < sizeof(upper) && k == 2; i++)
            use[upper[i]] = 1;
        rp_c_hull_mask(NULL, &(struct rp_op_hull_mask){&face, &unmoved, use, mask, 128, 128});
        soften(mask, 128);
        for (int i = 0; i < 128 * 128; i++) {
            sum += mask[i];
            top = fmax(top, mask[i]);
        }
        /* The recording blurs in float, the sum is over up to 3000 pixels: 1e-6 each. One pixel of
         * the hull more or less would move the sum by 0.1 and more. */
        NEAR(sum, sums[k], 3e-3);
        NEAR(top, tops[k], 1e-5);
    }
}

/* OpenCV's way: walk the lines pixel by pixel, walk down both chains of edges row by row. Only for
 * polygons inside the picture. */
static void walk_line(float *m, int w, int x1, int y1, int x2, int y2)
{
    if (x2 < x1) {
        walk_line(m, w, x2, y2, x1, y1);
        return;
    }
    const int dx = x2 - x1, dy = abs(y2 - y1), down = y2 < y1 ? -1 : 1;
    const int major = dy > dx ? dy : dx, minor = dy > dx ? dx : dy;
    int err = major - 2 * minor, x = x1, y = y1;

    for (int i = 0; i <= major; i++) {
        m[y * w + x] = 1;
        const int step = err < 0;
        err += (step ? 2 * major : 0) - 2 * minor;
        if (dy > dx) {
            y += down;
            x += step;
        } else {
            x++;
            y += step ? down : 0;
        }
    }
}

static void walk_polygon(float *m, int w, int h, int n, const int (*v)[2])
{
    struct {
        int at, step, until;
        int64_t x, dx;
    } edge[2] = {{.step = 1, .x = 0}, {.step = n - 1, .x = 0}};
    int top = 0, bottom = 0, left = n;

    memset(m, 0, (size_t) w * h * sizeof(*m));
    for (int i = 0; i < n; i++) {
        walk_line(m, w, v[i][0], v[i][1], v[(i + 1) % n][0], v[(i + 1) % n][1]);
        top = v[i][1] < v[top][1] ? i : top;
        bottom = v[i][1] > v[bottom][1] ? i : bottom;
    }
    if (n < 3)
        return;
    for (int k = 0; k < 2; k++) {
        edge[k].at = top;
        edge[k].until = v[top][1];
    }
    for (int y = v[top][1]; y < v[bottom][1]; y++) {
        for (int k = 0; k < 2; k++) {
            while (y >= edge[k].until) {
                const int from = edge[k].at, to = (from + edge[k].step) % n, rows = v[to][1] - y;
                edge[k].at = to;
                edge[k].until = v[to][1];
                edge[k].x = (int64_t) v[from][0] * 65536;
                if (rows > 0)
                    edge[k].dx =
                        ((int64_t) (v[to][0] - v[from][0]) * 65536 * 2 + rows) / (2 * rows);
                if (--left < 0)
                    return;
            }
        }
        const int a = (int) ((edge[0].x + 32768) >> 16), b = (int) ((edge[1].x + 32768) >> 16);
        for (int x = a < b ? a : b; x <= (a < b ? b : a); x++)
            m[y * w + x] = 1;
        edge[0].x += edge[0].dx;
        edge[1].x += edge[1].dx;
    }
}

/* Gift wrapping, unlike the code under test. */
static int wrap(const int (*p)[2], int n, int (*out)[2])
{
    int start = 0, count = 0;

    for (int i = 1; i < n; i++)
        if (p[i][0] < p[start][0] || (p[i][0] == p[start][0] && p[i][1] < p[start][1]))
            start = i;
    int at = start;
    do {
        memcpy(out[count++], p[at], sizeof(*out));
        int next = at;
        for (int i = 0; i < n; i++) {
            const int64_t ax = p[next][0] - p[at][0], ay = p[next][1] - p[at][1];
            const int64_t bx = p[i][0] - p[at][0], by = p[i][1] - p[at][1];
            const int64_t turn = ax * by - ay * bx;
            if ((!ax && !ay) || turn < 0 || (turn == 0 && bx * bx + by * by > ax * ax + ay * ay))
                next = i;
        }
        at = next;
    } while ((p[at][0] != p[start][0] || p[at][1] != p[start][1]) && count < n);
    return count;
}

static void test_hull_random(void **state)
{
    static float mask[200 * 200], ref[200 * 200];

    (void) state;
    fresh();
    for (int round = 0; round < 1500; round++) {
        const int w = range(1, 200), h = range(1, 200), n = range(1, 68);
        int p[68][2], hull[69][2];
        uint8_t use[68] = {0};
        for (int i = 0; i < 68; i++) {
            const double t = uniform(0, 2 * M_PI);
            face.lm68[2 * i] =
                (float) (round % 2 ? uniform(0, w - 0.01) : w * (0.5 + 0.49 * cos(t)));
            face.lm68[2 * i + 1] =
                (float) (round % 2 ? uniform(0, h - 0.01) : h * (0.5 + 0.49 * sin(t)));
            p[i][0] = (int) face.lm68[2 * i];
            p[i][1] = (int) face.lm68[2 * i + 1];
            use[i] = i < n;
        }
        rp_c_hull_mask(NULL, &(struct rp_op_hull_mask){&face, &unmoved, use, mask, w, h});
        walk_polygon(ref, w, h, wrap(p, n, hull), hull);
        assert_memory_equal(mask, ref, (size_t) w * h * sizeof(*mask)); /* no pixel differs */
    }
}

static void test_hull_storm(void **state)
{
    (void) state;
    for (int round = 0; round < 300; round++) {
        const int w = range(1, 70), h = range(1, 70);
        float *const mask = malloc((size_t) w * h * sizeof(*mask)); /* the sanitizer guards it */
        struct rp_affine m = unmoved;
        uint8_t use[68];
        for (int i = 0; i < 68; i++) {
            face.lm68[2 * i] = round % 2 ? ugly() : (float) uniform(-500, 500);
            face.lm68[2 * i + 1] = round % 3 ? ugly() : (float) uniform(-500, 500);
            use[i] = (uint8_t) (draw() % 2);
        }
        if (round % 5 == 0)
            m.m[range(0, 5)] = ugly();
        rp_c_hull_mask(NULL, &(struct rp_op_hull_mask){&face, &m, use, mask, w, h});
        for (int i = 0; i < w * h; i++)
            assert_true(mask[i] == 0 || mask[i] == 1);
        memset(use, 0, sizeof(use)); /* no point, no area */
        rp_c_hull_mask(NULL, &(struct rp_op_hull_mask){&face, &m, use, mask, w, h});
        for (int i = 0; i < w * h; i++)
            assert_true(mask[i] == 0);
        free(mask);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_face_scale),
        cmocka_unit_test(test_math),
        cmocka_unit_test(test_math_edges),
        cmocka_unit_test(test_ransac_draws),
        cmocka_unit_test(test_crop_matrices),
        cmocka_unit_test(test_align_scale_and_degenerate),
        cmocka_unit_test(test_align_recorded),
        cmocka_unit_test(test_box_affine),
        cmocka_unit_test(test_box_affine_recorded),
        cmocka_unit_test(test_decode_flat),
        cmocka_unit_test(test_decode_strides),
        cmocka_unit_test(test_decode_turned),
        cmocka_unit_test(test_decode_overflow),
        cmocka_unit_test(test_nms_rules),
        cmocka_unit_test(test_nms_random),
        cmocka_unit_test(test_nms_recorded),
        cmocka_unit_test(test_detect_storm),
        cmocka_unit_test(test_load_store_pick),
        cmocka_unit_test(test_angle),
        cmocka_unit_test(test_landmarks),
        cmocka_unit_test(test_landmarks_second),
        cmocka_unit_test(test_landmarks_68_5),
        cmocka_unit_test(test_face_points),
        cmocka_unit_test(test_points_tensor),
        cmocka_unit_test(test_points_angle),
        cmocka_unit_test(test_face_points_recorded),
        cmocka_unit_test(test_embedding),
        cmocka_unit_test(test_embedding_recorded),
        cmocka_unit_test(test_classify),
        cmocka_unit_test(test_select_orders),
        cmocka_unit_test(test_select_reference),
        cmocka_unit_test(test_map_faces),
        cmocka_unit_test(test_source_mix),
        cmocka_unit_test(test_select_storm),
        cmocka_unit_test(test_gate),
        cmocka_unit_test(test_gate_votes),
        cmocka_unit_test(test_gate_recorded),
        cmocka_unit_test(test_hull_recorded),
        cmocka_unit_test(test_hull_random),
        cmocka_unit_test(test_hull_storm),
    };

    return cmocka_run_group_tests_name("ops_faces", tests, NULL, NULL);
}
