/* The face tracker: overlap, faces between two others, tracks over a window, and that the order in
 * which frames are put does not matter. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "face/tracker.h"
#include "reprise/reprise.h"

enum { FRAMES = 40, FLYING = 8 };

static struct rp_dfaces out;

/* A square face; each of its fields shows which one it is. */
static struct rp_dface face_at(float x, float y, float side, int who)
{
    struct rp_dface f = {.box = {x, y, x + side, y + side}, .score = 0.5f + 0.01f * (float) who,
                         .has = RP_HAS_LANDMARK_5 | RP_HAS_LANDMARK_68 | RP_HAS_EMBEDDING,
                         .gender = 1 + who % 2, .age_from = who, .race = 1 + who % 6};

    for (int i = 0; i < 10; i++)
        f.lm5[i] = f.lm5_68[i] = (i % 2 ? y : x) + (float) i;
    for (int i = 0; i < 136; i++)
        f.lm68[i] = f.lm68_5[i] = (i % 2 ? y : x) + (float) i / 8;
    f.lm68_5[32] = f.lm68_5[0] + side; /* the jaw lies flat: no turn */
    f.lm68_5[33] = f.lm68_5[1];
    f.embedding[who % 512] = 2;
    f.embedding_norm[who % 512] = 1;
    return f;
}

static void put(struct rp_tracker *t, int64_t frame, int n, const struct rp_dface *face)
{
    static struct rp_dfaces faces;

    faces.count = n;
    for (int i = 0; i < n; i++)
        faces.face[i] = face[i];
    assert_int_equal(rp_tracker_put(t, frame, &faces, NULL), 0);
}

static void put_one(struct rp_tracker *t, int64_t frame, float x, int who)
{
    put(t, frame, 1, (struct rp_dface[]){face_at(x, 10, 100, who)});
}

static struct rp_tracker *tracker(double score, int around)
{
    struct rp_tracker *t;

    assert_int_equal(rp_tracker_create(&t, &(struct rp_tracker_params){
        .score = score, .around = around, .flying = FLYING}), 0);
    return t;
}

/* Faces of a frame. */
static int ask(const struct rp_tracker *t, int64_t frame)
{
    memset(&out, 0x5a, sizeof(out));
    assert_int_equal(rp_tracker_faces(t, frame, &out), 0);
    return out.count;
}

static void test_overlap(void **state)
{
    (void) state;
    assert_true(fabs(rp_box_overlap((float[]){0, 0, 10, 10}, (float[]){5, 5, 15, 15}) - 1 / 7.0) <
                1e-15);
    assert_true(rp_box_overlap((float[]){0, 0, 10, 10}, (float[]){0, 0, 10, 10}) == 1);
    assert_true(rp_box_overlap((float[]){0, 0, 10, 10}, (float[]){10, 0, 20, 10}) == 0);
    assert_true(rp_box_overlap((float[]){0, 0, 10, 10}, (float[]){30, 30, 40, 40}) == 0);
    assert_true(rp_box_overlap((float[]){3, 3, 3, 3}, (float[]){3, 3, 3, 3}) == 0); /* empty */
}

/* Positions are interpolated; the rest is that of the nearer face, in the middle the later one. */
static void test_between(void **state)
{
    struct rp_dface f, a = face_at(0, 0, 10, 1), b = face_at(80, 40, 10, 2);

    (void) state;
    rp_face_between(&f, &a, &b, 0.5);
    assert_memory_equal(f.box, ((float[]){40, 20, 50, 30}), sizeof(f.box));
    assert_int_equal(f.age_from, 2);
    assert_true(f.embedding[2] == 2 && f.embedding_norm[2] == 1 && f.score == b.score);
    assert_int_equal(f.origin, 1);
    for (int i = 0; i < 136; i++) {
        assert_true(fabsf(f.lm68[i] - (a.lm68[i] + b.lm68[i]) / 2) < 1e-4f);
        assert_true(fabsf(f.lm68_5[i] - (a.lm68_5[i] + b.lm68_5[i]) / 2) < 1e-4f);
    }
    rp_face_between(&f, &a, &b, 0.25);
    assert_memory_equal(f.box, ((float[]){20, 10, 30, 20}), sizeof(f.box));
    assert_int_equal(f.age_from, 1);
    assert_true(f.embedding[1] == 2 && f.gender == a.gender && f.race == a.race);
    for (int i = 0; i < 10; i++) {
        assert_true(fabsf(f.lm5[i] - (a.lm5[i] * 3 + b.lm5[i]) / 4) < 1e-4f);
        assert_true(fabsf(f.lm5_68[i] - (a.lm5_68[i] * 3 + b.lm5_68[i]) / 4) < 1e-4f);
    }

    b.has &= ~(uint32_t) RP_HAS_LANDMARK_68; /* points that only one of them has are dropped */
    rp_face_between(&f, &a, &b, 0.25);
    assert_int_equal(f.has, RP_HAS_LANDMARK_5 | RP_HAS_EMBEDDING);
}

/* The turn follows from the interpolated points: the jaws of both point down, and so does the one
 * in between. Without those points the five decide. */
static void test_between_turned(void **state)
{
    struct rp_dface f, a = face_at(0, 0, 10, 1), b = face_at(4, 0, 10, 2);

    (void) state;
    a.lm68_5[32] = a.lm68_5[0];
    b.lm68_5[32] = b.lm68_5[0];
    a.lm68_5[33] = a.lm68_5[1] + 50;
    b.lm68_5[33] = b.lm68_5[1] + 50;
    rp_face_between(&f, &a, &b, 0.5);
    assert_int_equal(f.angle, 90);
    memset(a.lm68_5, 0, sizeof(a.lm68_5));
    memset(b.lm68_5, 0, sizeof(b.lm68_5));
    memcpy(a.lm5, (float[]){0, 0, 10, 0, 5, 5, 0, 10, 10, 10}, sizeof(a.lm5));
    memcpy(b.lm5, (float[]){4, 0, 14, 0, 9, 5, 4, 10, 14, 10}, sizeof(b.lm5));
    rp_face_between(&f, &a, &b, 0.5);
    assert_int_equal(f.angle, 0);
    memcpy(a.lm5, (float[]){0, 10, 10, 10, 5, 5, 0, 0, 10, 0}, sizeof(a.lm5));
    memcpy(b.lm5, (float[]){4, 10, 14, 10, 9, 5, 4, 0, 14, 0}, sizeof(b.lm5));
    rp_face_between(&f, &a, &b, 0.5);
    assert_int_equal(f.angle, 180);
}

/* A face that was missing in four frames of nine is in all of them afterwards. */
static void test_gap(void **state)
{
    struct rp_tracker *t = tracker(0.3, 3);

    (void) state;
    for (int i = 0; i < 9; i++) {
        if (i >= 2 && i < 4)
            put(t, i, 0, NULL);
        else
            put_one(t, i, (float) (10 + 2 * i), i);
    }
    for (int i = 0; i < 9; i++) {
        assert_int_equal(ask(t, i), 1);
        assert_int_equal(out.overflow, 0);
        assert_true(fabsf(out.face[0].box[0] - (float) (10 + 2 * i)) < 1e-4f);
        assert_int_equal(out.face[0].origin, i >= 2 && i < 4);
        assert_int_equal(out.face[0].age_from, i == 2 ? 1 : i == 3 ? 4 : i);
    }
    rp_tracker_destroy(&t);
    assert_null(t);
    rp_tracker_destroy(&t);
}

/* Nothing is added if one side is missing: before the first frame, after the last, or if the gap is
 * wider than the window. */
static void test_no_guess(void **state)
{
    struct rp_tracker *t = tracker(0.3, 2);
    static const int seen[] = {0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0};

    (void) state;
    for (int i = 0; i < 13; i++) {
        if (seen[i])
            put_one(t, i, 10, i);
        else
            put(t, i, 0, NULL);
    }
    for (int i = 0; i < 13; i++)
        assert_int_equal(ask(t, i), seen[i]);
    rp_tracker_destroy(&t);

    t = tracker(0.3, 0); /* a window of one frame changes nothing */
    put_one(t, 0, 10, 0);
    put(t, 1, 0, NULL);
    put_one(t, 2, 10, 2);
    assert_int_equal(ask(t, 1), 0);
    assert_int_equal(ask(t, 2), 1);
    rp_tracker_destroy(&t);
}

/* Two faces next to each other stay two; each fills its own gap. The order is that in which they
 * first appeared. */
static void test_two(void **state)
{
    struct rp_tracker *t = tracker(0.3, 2);
    const struct rp_dface left = face_at(0, 0, 50, 1), right = face_at(200, 0, 50, 2);

    (void) state;
    put(t, 0, 2, (struct rp_dface[]){right, left});
    put(t, 1, 1, (struct rp_dface[]){left});
    put(t, 2, 2, (struct rp_dface[]){left, right});
    assert_int_equal(ask(t, 1), 2);
    assert_int_equal(out.face[0].age_from, 2); /* right was first, and is filled in */
    assert_int_equal(out.face[0].origin, 1);
    assert_int_equal(out.face[1].age_from, 1);
    assert_int_equal(out.face[1].origin, 0);
    assert_int_equal(ask(t, 2), 2);
    assert_int_equal(out.face[0].age_from, 2);
    rp_tracker_destroy(&t);
}

/* The overlap must be more than the score, and the best one wins. */
static void test_score(void **state)
{
    struct rp_tracker *t = tracker(1, 1);

    (void) state;
    put_one(t, 0, 10, 0); /* the same place: overlap 1, which is not more than 1 */
    put(t, 1, 0, NULL);
    put_one(t, 2, 10, 2);
    assert_int_equal(ask(t, 1), 0);
    rp_tracker_destroy(&t);

    t = tracker(0.999, 1);
    put_one(t, 0, 10, 0);
    put(t, 1, 0, NULL);
    put_one(t, 2, 10, 2);
    assert_int_equal(ask(t, 1), 1);
    rp_tracker_destroy(&t);

    /* 100 wide, apart by 60: 40 / 160 = 0.25 */
    for (int k = 0; k < 2; k++) {
        t = tracker(k ? 0.24 : 0.26, 1);
        put_one(t, 0, 0, 0);
        put(t, 1, 0, NULL);
        put_one(t, 2, 60, 2);
        assert_int_equal(ask(t, 1), k);
        rp_tracker_destroy(&t);
    }

    t = tracker(0.1, 1);
    put(t, 0, 2, (struct rp_dface[]){face_at(0, 10, 100, 1), face_at(60, 10, 100, 2)});
    put(t, 1, 0, NULL);
    put_one(t, 2, 50, 3);
    assert_int_equal(ask(t, 1), 1); /* joined the second, which overlaps more */
    assert_true(fabsf(out.face[0].box[0] - 55) < 1e-4f);
    rp_tracker_destroy(&t);
}

/* A track follows its latest face, not its first. */
static void test_moving(void **state)
{
    struct rp_tracker *t = tracker(0.3, 5);

    (void) state;
    for (int i = 0; i < 11; i++) {
        if (i == 5)
            put(t, i, 0, NULL);
        else
            put_one(t, i, (float) (20 * i), i);
    }
    assert_int_equal(ask(t, 5), 1);
    assert_true(fabsf(out.face[0].box[0] - 100) < 1e-4f);
    rp_tracker_destroy(&t);
}

/* More faces than fit: as many as fit are kept, and the rest is reported. */
static void test_full(void **state)
{
    struct rp_tracker *t = tracker(0.5, 1);
    struct rp_dface *const many = calloc(RP_MAX_FACES, sizeof(*many));

    (void) state;
    for (int i = 0; i < RP_MAX_FACES; i++)
        many[i] = face_at((float) (20 * i), 0, 10, i);
    put(t, 0, RP_MAX_FACES, many);
    for (int i = 0; i < RP_MAX_FACES; i++)
        many[i] = face_at((float) (20 * i), 500, 10, i);
    put(t, 1, RP_MAX_FACES, many);
    for (int i = 0; i < RP_MAX_FACES; i++)
        many[i] = face_at((float) (20 * i), 0, 10, i);
    put(t, 2, RP_MAX_FACES, many);
    assert_int_equal(ask(t, 1), RP_MAX_FACES);
    assert_int_equal(out.overflow, 1);
    assert_int_equal(ask(t, 0), RP_MAX_FACES);
    assert_int_equal(out.overflow, 0);
    free(many);
    rp_tracker_destroy(&t);
}

/* ---- any order ------------------------------------------------------------------------------- */

static uint32_t seed = 1;

static int dice(int n)
{
    seed = seed * 1664525u + 1013904223u;
    return (int) ((seed >> 8) % (uint32_t) n);
}

static void put_scene(struct rp_tracker *t, int frame)
{
    struct rp_dface face[4];
    int n = 0;

    for (int k = 0; k < 4; k++)
        if ((frame * 7 + k * 5) % (k + 3))
            face[n++] = face_at((float) (150 * k + 3 * frame), (float) (k * frame), 90, k);
    put(t, frame, n, face);
}

/* Frames put out of order, as workers of a ring do, give the same as frames in order. */
static void test_any_order(void **state)
{
    static struct rp_dfaces want[FRAMES];
    struct rp_tracker *t;

    (void) state;
    assert_int_equal(rp_tracker_create(&t, &(struct rp_tracker_params){
        .score = 0.2, .around = 3, .flying = FRAMES}), 0);
    for (int i = 0; i < FRAMES; i++)
        put_scene(t, i);
    for (int i = 0; i < FRAMES; i++) {
        memset(&want[i], 0, sizeof(want[i]));
        assert_int_equal(rp_tracker_faces(t, i, &want[i]), 0);
    }
    rp_tracker_destroy(&t);

    for (int round = 0; round < 20; round++) {
        bool is_put[FRAMES] = {false};
        int next = 0;

        t = tracker(0.2, 3);
        while (next < FRAMES) {
            bool ready = true;
            const int some = next + dice(FLYING);

            if (some < FRAMES && !is_put[some])
                put_scene(t, some);
            if (some < FRAMES)
                is_put[some] = true;
            for (int i = 0; i <= next + 3 && i < FRAMES; i++)
                ready = ready && is_put[i];
            if (!ready)
                continue;
            ask(t, next);
            assert_int_equal(out.count, want[next].count);
            assert_memory_equal(out.face, want[next].face,
                                (size_t) out.count * sizeof(out.face[0]));
            next++;
        }
        rp_tracker_destroy(&t);
    }
}

/* ---- steady landmarks ------------------------------------------------------------------------ */

/* A face whose points tremble by up to two pixels. */
static struct rp_dface trembling(int frame, float x)
{
    struct rp_dface f = face_at(x, 20, 100, 1);

    seed = (uint32_t) frame * 77 + 5;
    for (int i = 0; i < 10; i++) {
        f.lm5[i] += (float) dice(1000) / 250 - 2;
        f.lm5_68[i] += (float) dice(1000) / 250 - 2;
    }
    for (int i = 0; i < 136; i++) {
        f.lm68[i] += (float) dice(1000) / 250 - 2;
        f.lm68_5[i] += (float) dice(1000) / 250 - 2;
    }
    return f;
}

static struct rp_tracker *steadier(double score, double smooth_by)
{
    struct rp_tracker *t;

    assert_int_equal(rp_tracker_create(&t, &(struct rp_tracker_params){
        .score = score, .around = 2, .flying = FRAMES, .smooth = smooth_by}), 0);
    return t;
}

/* Sum of squares of what all points move from frame to frame. */
static double tremor(double score, double smooth_by)
{
    double sum = 0;
    static struct rp_dface before;
    struct rp_tracker *t = steadier(score, smooth_by);

    for (int i = 0; i < FRAMES; i++)
        put(t, i, 1, (struct rp_dface[]){trembling(i, 30)});
    for (int i = 2; i < FRAMES - 2; i++) {
        assert_int_equal(ask(t, i), 1);
        assert_memory_equal(out.face[0].box, trembling(i, 30).box, sizeof(before.box));
        for (int k = 0; k < 10 && i > 2; k++)
            sum += pow((double) out.face[0].lm5_68[k] - before.lm5_68[k], 2) +
                   pow((double) out.face[0].lm5[k] - before.lm5[k], 2);
        for (int k = 0; k < 136 && i > 2; k++)
            sum += pow((double) out.face[0].lm68[k] - before.lm68[k], 2) +
                   pow((double) out.face[0].lm68_5[k] - before.lm68_5[k], 2);
        before = out.face[0];
    }
    rp_tracker_destroy(&t);
    return sum;
}

/* The mean of five frames differs from the next one by a fifth of the difference of two: 1/25 of
 * the square. */
static void test_tremor(void **state)
{
    const double raw = tremor(0, 0);

    (void) state;
    assert_true(tremor(0.3, 0) == raw);
    for (int k = 0; k < 2; k++) {
        const double score = k ? 0.3 : 0;

        assert_true(tremor(score, 0.25) < 0.7 * raw);
        assert_true(tremor(score, 0.5) < 0.3 * raw);
        assert_true(fabs(tremor(score, 1) / raw - 1 / 25.0) < 0.01);
    }
}

/* Points that move evenly stay where they are; all else is as it was found, at either end too. */
static void test_even_motion(void **state)
{
    struct rp_tracker *t = steadier(0, 1);

    (void) state;
    for (int i = 0; i < 10; i++)
        put_one(t, i, (float) (10 + 4 * i), 3);
    for (int i = 0; i < 10; i++) {
        const struct rp_dface want = face_at((float) (10 + 4 * i), 10, 100, 3);

        assert_int_equal(ask(t, i), 1);
        for (int k = 0; k < 10; k++)
            assert_true(fabsf(out.face[0].lm5_68[k] - want.lm5_68[k]) < 1e-4f);
        assert_memory_equal(out.face[0].box, want.box, sizeof(want.box));
        assert_memory_equal(out.face[0].embedding, want.embedding, sizeof(want.embedding));
        assert_int_equal(out.face[0].origin, RP_FACE_FOUND);
    }
    rp_tracker_destroy(&t);
}

/* Off: the bytes that were found. */
static void test_smooth_off(void **state)
{
    struct rp_tracker *t = steadier(0, 0);

    (void) state;
    for (int i = 0; i < 8; i++)
        put(t, i, 1, (struct rp_dface[]){trembling(i, 30)});
    for (int i = 0; i < 8; i++) {
        const struct rp_dface want = trembling(i, 30);

        ask(t, i);
        assert_memory_equal(&out.face[0], &want, sizeof(want));
    }
    rp_tracker_destroy(&t);
}

/* Two frames on each side, as far as both have the face and are of the same scene. */
static void test_how_far(void **state)
{
    uint8_t dark[RP_GLANCE_BYTES] = {0}, light[RP_GLANCE_BYTES];
    static struct rp_dfaces one = {.count = 1}, none;
    struct rp_tracker *t = steadier(0, 1);

    (void) state;
    memset(light, 200, sizeof(light));
    for (int i = 0; i < 24; i++) { /* a scene begins at 10, the face is missing in 20 */
        one.face[0] = trembling(i, 30);
        assert_int_equal(rp_tracker_put(t, i, i == 20 ? &none : &one, i < 10 ? dark : light), 0);
    }
    for (int i = 0; i < 24; i++) {
        static const int far[24] = {0, 1, 2, 2, 2, 2, 2, 2, 1, 0, 0, 1,
                                    2, 2, 2, 2, 2, 2, 1, 0, 0, 0, 1, 0};
        double sum = 0;

        if (ask(t, i) == 0) {
            assert_int_equal(i, 20); /* no gap is filled without a score */
            continue;
        }
        for (int d = -far[i]; d <= far[i]; d++)
            sum += (double) trembling(i + d, 30).lm68[9];
        assert_true(fabs((double) out.face[0].lm68[9] - sum / (2 * far[i] + 1)) < 1e-4);
    }
    rp_tracker_destroy(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overlap),        cmocka_unit_test(test_between),
        cmocka_unit_test(test_between_turned), cmocka_unit_test(test_gap),
        cmocka_unit_test(test_no_guess),       cmocka_unit_test(test_two),
        cmocka_unit_test(test_score),          cmocka_unit_test(test_moving),
        cmocka_unit_test(test_full),           cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_tremor),         cmocka_unit_test(test_even_motion),
        cmocka_unit_test(test_smooth_off),     cmocka_unit_test(test_how_far),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
