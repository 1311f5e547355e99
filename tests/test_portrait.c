/* LivePortrait's points and pictures: FaceFusion's recorded steps, golden values, and the
 * operations against a second calculation in double precision. Every tolerance has its reason next
 * to it; without one, results are equal to the last bit. Recorded data lies beside the checkout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "recorded.h"
#include "ops/ops.h"
#include "ops/portrait_core.h"

#define SIZE 512
#define N RP_PORTRAIT_NUMBERS
#define RESTORER "processors3/expression_restorer/"
#define PORTRAIT "processors3/live_portrait/"

static double uniform(double lo, double hi)
{
    return lo + (hi - lo) * (rnd() / 4294967296.0);
}

static float ugly(void)
{
    static const float values[] = {NAN, INFINITY, -INFINITY, 0, -0.0f, 1e38f, -1e38f, 1e-45f};

    return values[(int) uniform(0, 8)];
}

/* ---- recorded steps -------------------------------------------------------------------------- */

/* A JSON array of numbers. */
static void recorded_numbers(const char *name, double *v, int n)
{
    char path[1024], text[1024] = "";

    recorded_path(name, path, sizeof(path));
    FILE *const f = fopen(path, "r");
    if (!f) {
        print_message("skipped: no %s\n", name);
        skip();
        return;
    }
    const size_t length = fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    assert_true(length > 2);
    char *p = strchr(text, '[');
    for (int i = 0; i < n; i++) {
        assert_non_null(p);
        v[i] = strtod(p + 1, &p);
    }
}

static void same_floats(const float *got, const struct npy *want, size_t n)
{
    assert_int_equal(want->type, 'f');
    assert_int_equal(want->n, n);
    for (size_t i = 0; i < n; i++)
        if (got[i] != ((const float *) want->data)[i])
            fail_msg("number %zu is %.9g, recorded is %.9g", i, (double) got[i], npy_at(want, i));
}

static struct rp_img as_image(const struct npy *a)
{
    assert_int_equal(a->type, 'B');
    return (struct rp_img){a->data, (int) a->dim[1] * 3, (int) a->dim[1], (int) a->dim[0], 3};
}

static struct rp_img new_image(int size)
{
    const struct rp_img i = {malloc((size_t) size * size * 3), size * 3, size, size, 3};

    assert_non_null(i.data);
    return i;
}

/* Both crops are cut by the same five points, although the frames have different sizes: FaceFusion
 * takes the target's place from the other frame (see docs/differences.md). Of 786,432 values `most`
 * may be off by one: the matrix that made them is not known to the last digit, so a few are rounded
 * the other way. */
static void check_crop(const char *frame, const char *want, int most)
{
    struct npy source = recorded(frame), crop = recorded(want);
    struct npy five = recorded("face_swapper/inswapper_128/target_landmark_5_of_68.npy");
    struct rp_dface *const face = calloc(1, sizeof(*face));
    struct rp_img got = new_image(SIZE);
    struct rp_affine affine;
    int off = 0;

    assert_non_null(face);
    for (size_t i = 0; i < 10; i++)
        face->lm5_68[i] = (float) npy_at(&five, i);
    rp_c_align(NULL, &(struct rp_op_align){.face = face,
                                           .template_id = RP_TEMPLATE_ARCFACE_128,
                                           .w = SIZE,
                                           .h = SIZE,
                                           .scale = 1,
                                           .dst = &affine});
    rp_c_warp(NULL, &(struct rp_op_warp){as_image(&source), &affine, got, 1, 0});
    for (size_t i = 0; i < crop.n; i++) {
        const int d = abs(got.data[i] - ((uint8_t *) crop.data)[i]);

        assert_in_range(d, 0, 1);
        off += d;
    }
    assert_in_range(off, 0, most);
    free(face);
    free(got.data);
    free(source.data);
    free(crop.data);
    free(five.data);
}

static void test_crops(void **state)
{
    (void) state;
    check_crop("vision/video/frames/target_240p_frame_0.npy",
               RESTORER "target_crop_vision_frame.npy.gz", 8);
    check_crop("vision/image/source_pixels.npy.gz", RESTORER "temp_crop_vision_frame.npy.gz", 112);
}

/* "Area" from 512 to 256, and the tensor. */
static void check_input(const char *crop_name, const char *want_name)
{
    static const double zero[3] = {0, 0, 0}, one[3] = {1, 1, 1};
    struct npy crop = recorded(crop_name), want = recorded(want_name);
    struct rp_img small = new_image(SIZE / 2);
    const size_t n = (size_t) 3 * small.w * small.h;
    float *const tensor = malloc(n * sizeof(*tensor)), lut[3][256];

    assert_non_null(tensor);
    rp_tensor_lut(lut, 255, zero, one);
    rp_c_resize(NULL, &(struct rp_op_resize){as_image(&crop), small});
    rp_c_to_tensor(NULL, &(struct rp_op_to_tensor){.src = small,
                                                   .lut = lut[0],
                                                   .dst = tensor,
                                                   .w = small.w,
                                                   .h = small.h,
                                                   .rgb = 1,
                                                   .step = 1});
    same_floats(tensor, &want, n);
    free(tensor);
    free(small.data);
    free(crop.data);
    free(want.data);
}

static void test_inputs(void **state)
{
    (void) state;
    check_input(RESTORER "target_crop_vision_frame.npy.gz",
                RESTORER "prepared_target_input.npy.gz");
    check_input(RESTORER "temp_crop_vision_frame.npy.gz", RESTORER "prepared_temp_input.npy.gz");
}

static void check_rotation(const char *angles, const char *want)
{
    double a[3] = {0};
    float r[9];

    recorded_numbers(angles, a, 3);
    struct npy rotation = recorded(want);
    rp_portrait_rotation((float) a[0], (float) a[1], (float) a[2], r);
    same_floats(r, &rotation, 9);
    free(rotation.data);
}

static void test_rotations(void **state)
{
    (void) state;
    check_rotation(PORTRAIT "rotation_input.json", PORTRAIT "rotation_output.npy");
    check_rotation(RESTORER "temp_motion_scalars.json", RESTORER "temp_rotation.npy");
}

static void test_limits(void **state)
{
    double in[6] = {0}, out[3] = {0};
    static const float range[3] = {30, 60, 20};
    struct npy before = recorded(PORTRAIT "expression_unclipped.npy");
    struct npy after = recorded(PORTRAIT "expression_limited.npy");
    float got[N];

    (void) state;
    for (int i = 0; i < N; i++)
        got[i] = rp_portrait_limit((float) npy_at(&before, (size_t) i), i);
    same_floats(got, &after, N);
    free(before.data);
    free(after.data);

    recorded_numbers(PORTRAIT "limit_angle_input.json", in, 6);
    recorded_numbers(PORTRAIT "limit_angle_output.json", out, 3);
    for (int i = 0; i < 3; i++)
        assert_true(rp_portrait_angle((float) in[i], (float) (in[3 + i] - in[i]), range[i]) ==
                    (float) out[i]);
}

/* A face that does nothing: its points are its expression. */
static struct rp_motion plain(const float expression[N])
{
    static const float zero[N], one = 1;

    return (struct rp_motion){&zero[0], &zero[0], &zero[0], &one, zero, expression, zero};
}

/* Both areas. The recorded numbers are from before the mixing and the limits. */
static void test_restricted(void **state)
{
    struct npy before = recorded(RESTORER "target_expression.npy");
    struct npy now = recorded(RESTORER "temp_expression.npy");
    struct npy want = recorded(RESTORER "restricted_expression.npy");
    float from[N], to[N];
    int differ = 0;

    (void) state;
    rp_c_portrait_restore(NULL, &(struct rp_op_portrait_restore){.face = plain(now.data),
                                                                 .wanted = before.data,
                                                                 .keep = 0x331,
                                                                 .share = 1,
                                                                 .rest = 0,
                                                                 .from = from,
                                                                 .to = to});
    same_floats(from, &now, N);
    for (int i = 0; i < N; i++) {
        assert_true(to[i] == rp_portrait_limit((float) npy_at(&want, (size_t) i), i));
        differ += to[i] != from[i];
    }
    assert_in_range(differ, 40, 48);
    free(before.data);
    free(now.data);
    free(want.data);
}

/* The points of the recorded face, from its recorded rotation. 2e-7, a bit of the largest: single
 * precision. */
static void test_points(void **state)
{
    double angle[3] = {0};
    float angles[3], got[N] = {0}, to[N];

    (void) state;
    recorded_numbers(RESTORER "temp_motion_scalars.json", angle, 3);
    struct npy k = recorded(RESTORER "temp_motion_points.npy");
    struct npy e = recorded(RESTORER "temp_expression.npy");
    struct npy s = recorded(RESTORER "temp_scale.npy");
    struct npy t = recorded(RESTORER "temp_translation.npy");
    struct npy r = recorded(RESTORER "temp_rotation.npy");
    for (int i = 0; i < 3; i++)
        angles[i] = (float) angle[i];
    rp_c_portrait_restore(
        NULL, &(struct rp_op_portrait_restore){
                  .face = {&angles[0], &angles[1], &angles[2], s.data, t.data, e.data, k.data},
                  .wanted = e.data,
                  .share = 0,
                  .rest = 1,
                  .from = got,
                  .to = to});
    for (size_t i = 0; i < N; i++) {
        double turned = 0;
        for (size_t j = 0; j < 3; j++)
            turned += npy_at(&k, i - i % 3 + j) * npy_at(&r, 3 * (i % 3) + j);
        const double want = npy_at(&s, 0) * (turned + npy_at(&e, i)) + npy_at(&t, i % 3);
        assert_true(fabs(got[i] - want) < 2e-7);
    }
    free(k.data);
    free(e.data);
    free(s.data);
    free(t.data);
    free(r.data);
}

static void test_output(void **state)
{
    struct npy raw = recorded(RESTORER "apply_restore_raw_output.npy.gz");
    struct npy want = recorded(RESTORER "normalized_crop_frame.npy.gz");
    float *const got = malloc((size_t) 3 * SIZE * SIZE * sizeof(*got));

    (void) state;
    assert_non_null(got);
    rp_c_from_tensor(NULL, &(struct rp_op_from_tensor){.src = raw.data,
                                                       .w = SIZE,
                                                       .h = SIZE,
                                                       .mul = {1, 1, 1},
                                                       .rgb = 1,
                                                       .round = 1,
                                                       .dst = got,
                                                       .step = 1});
    assert_int_equal(want.n, 3 * SIZE * SIZE);
    for (size_t i = 0; i < want.n; i++)
        assert_true(got[i] == (float) npy_at(&want, i));
    free(got);
    free(raw.data);
    free(want.data);
}

static void test_box_mask(void **state)
{
    struct npy want = recorded(RESTORER "box_mask.npy.gz");
    const size_t n = (size_t) SIZE * SIZE;
    float *const m = malloc(2 * n * sizeof(*m)), kernel[256];
    const int size = rp_gaussian_kernel(19, 0, kernel, 256);

    (void) state;
    assert_non_null(m);
    rp_c_box_mask(NULL, &(struct rp_op_box_mask){m, SIZE, SIZE, 0.3f, {0, 0, 0, 0}});
    rp_c_gaussian(NULL, &(struct rp_op_gaussian){m, m, m + n, SIZE, SIZE, kernel, size});
    rp_c_mask_min(NULL, &(struct rp_op_mask_min){m, NULL, m, (int) n});
    assert_int_equal(want.n, n);
    for (size_t i = 0; i < n; i++)
        assert_true(m[i] == (float) npy_at(&want, i));
    free(m);
    free(want.data);
}

/* ---- golden values --------------------------------------------------------------------------- */

/* 5e-8: seven digits are given. */
static void test_golden(void **state)
{
    static const double want[9] = {0.8137976, -0.4409696, 0.3785223, 0.4698463, 0.8825641,
                                   0.0180283, -0.3420202, 0.1631759, 0.9254166};
    float r[9];

    (void) state;
    rp_portrait_rotation(10, 20, 30, r);
    for (int i = 0; i < 9; i++)
        assert_true(fabs(r[i] - want[i]) < 6e-8);
    assert_true(rp_portrait_angle(-35, -15, 30) == -35);
    assert_true(rp_portrait_angle(10, 60, 60) == 60);
    assert_true(rp_portrait_angle(5, -35, 20) == -20);
    assert_true(rp_portrait_angle(35, 15, 30) == 35);
    assert_true(rp_portrait_angle(35, -15, 30) == 20);
    assert_true(rp_portrait_angle(35, -90, 30) == -30);
}

/* ---- a second calculation -------------------------------------------------------------------- */

struct face {
    float angle[3], scale, translation[3], expression[N], canonical[N];
};

static struct rp_motion random_face(struct face *f, double angle)
{
    for (int i = 0; i < 3; i++) {
        f->angle[i] = (float) uniform(-angle, angle);
        f->translation[i] = (float) uniform(-1, 1);
    }
    f->scale = (float) uniform(0.5, 2);
    for (int i = 0; i < N; i++) {
        f->expression[i] = (float) uniform(-0.1, 0.1);
        f->canonical[i] = (float) uniform(-1, 1);
    }
    return (struct rp_motion){&f->angle[0],   &f->angle[1],  &f->angle[2], &f->scale,
                              f->translation, f->expression, f->canonical};
}

/* Turned about x, then y, then z, one after the other. 1e-6 of points up to 5: a few roundings of
 * single precision. */
static void close_point(float got, const struct face *f, const double angle[3], double expression,
                        int i)
{
    const float *const k = &f->canonical[i - i % 3];
    double p[3] = {k[0], k[1], k[2]};

    for (int axis = 0; axis < 3; axis++) {
        const double c = cos(angle[axis] * M_PI / 180), s = sin(angle[axis] * M_PI / 180);
        double *const u = &p[(axis + 1) % 3], *const v = &p[(axis + 2) % 3];
        const double a = *u, b = *v;
        *u = c * a - s * b;
        *v = s * a + c * b;
    }
    const double want = f->scale * (p[i % 3] + expression) + f->translation[i % 3];
    if (!(fabs(got - want) < 1e-6))
        fail_msg("number %d is %.9g, not %.9g", i, (double) got, want);
}

static void test_restore(void **state)
{
    (void) state;
    for (int run = 0; run < 200; run++) {
        struct face f;
        float wanted[N], from[N], to[N];
        struct rp_op_portrait_restore a = {.face = random_face(&f, run % 2 ? 90 : 720),
                                           .wanted = wanted,
                                           .from = from,
                                           .to = to,
                                           .share = (float) uniform(0, 1.2),
                                           .keep = (uint32_t) uniform(0, 1 << 21)};

        a.rest = 1 - a.share;
        for (int i = 0; i < N; i++)
            wanted[i] = (float) uniform(-0.1, 0.1);
        rp_c_portrait_restore(NULL, &a);
        const double angle[3] = {f.angle[0], f.angle[1], f.angle[2]};
        for (int i = 0; i < N; i++) {
            const double own = f.expression[i], w = a.keep & 1u << i / 3 ? own : wanted[i];
            close_point(from[i], &f, angle, own, i);
            close_point(to[i], &f, angle,
                        rp_portrait_limit((float) (w * a.share + own * a.rest), i), i);
        }
    }
}

static double distance(const float *lm, int a, int b)
{
    return hypot((double) lm[2 * a] - lm[2 * b], (double) lm[2 * a + 1] - lm[2 * b + 1]);
}

static void check_inputs(const struct rp_op_portrait_edit *a)
{
    const float *const lm = a->points->lm68;
    const double want[3] = {distance(lm, 37, 40) / (distance(lm, 36, 39) + 1e-6),
                            distance(lm, 43, 46) / (distance(lm, 42, 45) + 1e-6),
                            distance(lm, 62, 66) / (distance(lm, 48, 54) + 1e-6)};

    assert_memory_equal(a->eye, a->from, N * sizeof(float));
    assert_memory_equal(a->lip, a->from, N * sizeof(float));
    /* 1e-6 of their size: rounded once. */
    assert_true(fabs(a->eye[N] / want[0] - 1) < 1e-6);
    assert_true(fabs(a->eye[N + 1] / want[1] - 1) < 1e-6);
    assert_true(fabs(a->lip[N] / want[2] - 1) < 1e-6);
    assert_true(a->eye[N + 2] == a->eye_wish && a->lip[N + 1] == a->lip_wish);
}

static double limited_angle(double angle, double turn, double range)
{
    const double low = fmin(angle, -range), high = fmax(angle, range);

    return fmin(fmax(angle + turn, angle < 0 ? low : -range), angle < 0 ? range : high);
}

static void test_edit(void **state)
{
    static const double range[3] = {30, 60, 20};
    struct rp_dface *const points = calloc(1, sizeof(*points));

    (void) state;
    assert_non_null(points);
    for (int run = 0; run < 200; run++) {
        struct face f;
        double move[N], angle[3], turned[3];
        float from[N], to[N], eye[N + 3], lip[N + 2];
        struct rp_op_portrait_edit a = {.face = random_face(&f, run % 2 ? 90 : 20),
                                        .move = move,
                                        .points = points,
                                        .eye_wish = 0.6f,
                                        .lip_wish = 1,
                                        .from = from,
                                        .to = to,
                                        .eye = eye,
                                        .lip = lip};

        for (int i = 0; i < N; i++)
            move[i] = uniform(-0.06, 0.06);
        for (int i = 0; i < 136; i++)
            points->lm68[i] = (float) uniform(0, 500);
        for (int i = 0; i < 3; i++) {
            a.turn[i] = (float) uniform(-60, 60);
            angle[i] = f.angle[i];
            turned[i] = limited_angle(f.angle[i], a.turn[i], range[i]);
        }
        rp_c_portrait_edit(NULL, &a);
        for (int i = 0; i < N; i++) {
            close_point(from[i], &f, angle, f.expression[i], i);
            close_point(to[i], &f, turned,
                        rp_portrait_limit((float) (f.expression[i] + move[i]), i), i);
        }
        check_inputs(&a);
    }
    free(points);
}

/* Without networks for eyes and lips, and what they add. */
static void test_add(void **state)
{
    float points[N], before[N], eye[N], lip[N];

    (void) state;
    for (int i = 0; i < N; i++) {
        before[i] = points[i] = (float) uniform(-1, 1);
        eye[i] = (float) uniform(-0.1, 0.1);
        lip[i] = (float) uniform(-0.1, 0.1);
    }
    rp_c_portrait_add(NULL, &(struct rp_op_portrait_add){.points = points});
    assert_memory_equal(points, before, sizeof(points));
    rp_c_portrait_add(NULL, &(struct rp_op_portrait_add){points, eye, NULL, 0.25f, 1});
    for (int i = 0; i < N; i++)
        assert_true(points[i] == before[i] + eye[i] * 0.25f);
    memcpy(before, points, sizeof(before));
    rp_c_portrait_add(NULL, &(struct rp_op_portrait_add){points, eye, lip, 0.5f, 0.75f});
    for (int i = 0; i < N; i++)
        assert_true(points[i] == before[i] + eye[i] * 0.5f + lip[i] * 0.75f);
}

/* Networks may give anything: what is clear stays, and nothing is undefined. */
static void test_ugly(void **state)
{
    struct rp_dface *const points = calloc(1, sizeof(*points));

    (void) state;
    assert_non_null(points);
    for (int run = 0; run < 500; run++) {
        const int numbers = (int) (sizeof(struct face) / sizeof(float));
        struct face f;
        double move[N] = {0};
        float from[N], to[N], eye[N + 3], lip[N + 2], wanted[N];
        const struct rp_motion m = random_face(&f, 30);
        float *const all = (float *) &f;

        for (int i = 0; i < N; i++)
            wanted[i] = run % 3 ? ugly() : 0;
        for (int i = 0; i < 136; i++)
            points->lm68[i] = run % 5 ? ugly() : 0;
        for (int i = 0; i < 1 + run / 20; i++)
            all[(int) uniform(0, numbers)] = ugly();
        rp_c_portrait_restore(NULL, &(struct rp_op_portrait_restore){.face = m,
                                                                     .wanted = wanted,
                                                                     .share = 0.96f,
                                                                     .rest = 0.04f,
                                                                     .from = from,
                                                                     .to = to});
        rp_c_portrait_edit(NULL, &(struct rp_op_portrait_edit){.face = m,
                                                               .move = move,
                                                               .points = points,
                                                               .from = from,
                                                               .to = to,
                                                               .eye = eye,
                                                               .lip = lip});
        if (run % 5 == 0) /* all landmarks in one place */
            assert_true(eye[N] == 0 && eye[N + 1] == 0 && lip[N] == 0);
    }
    /* An angle that says nothing turns nothing. */
    float r[9];
    rp_portrait_rotation(NAN, INFINITY, -3e38f, r);
    for (int i = 0; i < 9; i++)
        assert_true(r[i] == (i % 4 == 0));
    free(points);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crops),      cmocka_unit_test(test_inputs),
        cmocka_unit_test(test_rotations),  cmocka_unit_test(test_limits),
        cmocka_unit_test(test_restricted), cmocka_unit_test(test_points),
        cmocka_unit_test(test_output),     cmocka_unit_test(test_box_mask),
        cmocka_unit_test(test_golden),     cmocka_unit_test(test_restore),
        cmocka_unit_test(test_edit),       cmocka_unit_test(test_add),
        cmocka_unit_test(test_ugly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
