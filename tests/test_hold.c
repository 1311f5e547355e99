/* Faces that are held: gaps, ends, scenes, who it is, and what is too much. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "face/tracker.h"

enum { N = 21, NOW = 10 };

static struct rp_dface face[N][3];
static struct rp_hold_frame frame[N];
static struct rp_dfaces out;
static struct rp_hold hold;

/* A face of 40 x 50 pixels at x, y. */
static void see(int w, float x, float y, int who)
{
    struct rp_dface *const f = &face[w][frame[w].count++];

    *f = (struct rp_dface){.box = {x, y, x + 40, y + 50}, .score = 0.9f};
    f->embedding_norm[who] = 1;
    frame[w].face = face[w];
}

static int set_up(void **state)
{
    (void) state;
    memset(face, 0, sizeof(face));
    memset(frame, 0, sizeof(frame));
    hold = (struct rp_hold){.frames = 10, .grow = 0.02, .sure = 0.5};
    return 0;
}

static int ask(int now)
{
    memset(&out, 0, sizeof(out));
    assert_int_equal(rp_hold_faces(&hold, frame, N, now, &out), 0);
    for (int i = 0; i < out.count; i++)
        assert_int_equal(out.face[i].origin, RP_FACE_HELD);
    return out.count;
}

static void check_box(int i, float x1, float y1, float x2, float y2)
{
    const float want[] = {x1, y1, x2, y2};

    for (int k = 0; k < 4; k++)
        if (fabsf(out.face[i].box[k] - want[k]) > 1e-3f)
            fail_msg("box %d: %g at %d, not %g", i, (double) out.face[i].box[k], k,
                     (double) want[k]);
}

static bool has(const float box[4], float x, float y)
{
    return box[0] <= x && x <= box[2] && box[1] <= y && y <= box[3];
}

static void test_seen(void **state)
{
    (void) state;
    assert_int_equal(ask(NOW), 0); /* nobody */
    for (int w = 0; w < N; w++)
        see(w, (float) (100 + 3 * w), 50, 1);
    for (int w = 0; w < N; w++)
        assert_int_equal(ask(w), 0); /* the detector's own will do */
}

static void test_gap(void **state)
{
    (void) state;
    see(4, 100, 50, 1);
    see(12, 108, 66, 1);
    for (int w = 5; w < 12; w++) {
        const float f = (float) (w - 4) / 8, d = 0.02f * 50 * fminf((float) w - 4, 12 - (float) w);

        assert_int_equal(ask(w), 1);
        check_box(0, 100 + 8 * f - d, 50 + 16 * f - d, 140 + 8 * f + d, 100 + 16 * f + d);
    }
    assert_int_equal(ask(4), 0);
    assert_int_equal(ask(12), 0);
}

static void test_ends(void **state)
{
    (void) state;
    hold.frames = 3;
    see(9, 100, 50, 1);
    see(10, 100, 50, 1);
    for (int w = 0; w < N; w++) {
        const int far = w < 9 ? 9 - w : w > 10 ? w - 10 : 0;

        assert_int_equal(ask(w), far > 0 && far <= 3);
        if (out.count)
            check_box(0, (float) (100 - far), (float) (50 - far), (float) (140 + far),
                      (float) (100 + far));
    }
}

/* It goes on as it moved, or stays: both places are covered, and all between them. */
static void test_motion(void **state)
{
    (void) state;
    see(8, 100, 50, 1);
    see(9, 110, 45, 1);
    see(10, 120, 40, 1);
    assert_int_equal(ask(12), 1);
    assert_true(has(out.face[0].box, 120, 40) && has(out.face[0].box, 180, 40) &&
                has(out.face[0].box, 140, 30));
    assert_int_equal(ask(6), 1);
    assert_true(has(out.face[0].box, 80, 60) && has(out.face[0].box, 140, 100));
    assert_int_equal(ask(20), 1); /* but not for ever: two faces wide at most */
    check_box(0, 110, 40 - 50 - 10, 160 + 100 + 10, 90 + 10);
}

/* A face that left one place and comes back at another is also covered on the way. */
static void test_bridge(void **state)
{
    (void) state;
    see(8, 100, 50, 1);
    see(12, 190, 50, 2);
    assert_int_equal(ask(10), 3);
    for (int i = 0; i < 3; i++)
        if (has(out.face[i].box, 146, 60) && has(out.face[i].box, 184, 90))
            return;
    fail_msg("nothing between the two places");
}

static void test_scenes(void **state)
{
    (void) state;
    see(8, 100, 50, 1);
    frame[10].cut = true;
    for (int w = 0; w < N; w++) /* two frames into the next scene */
        assert_int_equal(ask(w), w != 8 && w < 12);
    set_up(NULL);
    see(15, 100, 50, 1);
    frame[12].cut = true;
    for (int w = 0; w < N; w++) /* two frames of the scene before */
        assert_int_equal(ask(w), w >= 10 && w != 15);
    set_up(NULL);
    see(8, 100, 50, 1); /* a flash: the face is seen on both sides of it */
    see(12, 100, 50, 1);
    frame[10].cut = frame[11].cut = true;
    for (int w = 8; w <= 12; w++)
        assert_int_equal(ask(w), w > 8 && w < 12);
}

/* Two people side by side: one is missed, and the other one's box, which overlaps, does not stand
 * for it. */
static void test_two(void **state)
{
    (void) state;
    for (int w = 5; w < 15; w++) {
        see(w, 100, 50, 1);
        if (w != 9)
            see(w, 125, 50, 2);
    }
    assert_int_equal(ask(9), 1);
    check_box(0, 124, 49, 166, 101);
    assert_true(out.face[0].embedding_norm[2] == 1);
    assert_int_equal(ask(8), 0);
}

/* Where it matters who it is, a face between two sightings is each of them. */
static void test_who(void **state)
{
    (void) state;
    see(8, 100, 50, 1);
    see(12, 100, 50, 2);
    assert_int_equal(ask(9), 1);
    assert_true(out.face[0].embedding_norm[1] == 1);
    hold.who = true;
    assert_int_equal(ask(9), 2);
    assert_true(out.face[0].embedding_norm[1] == 1 && out.face[1].embedding_norm[2] == 1);
    assert_memory_equal(out.face[0].box, out.face[1].box, sizeof(out.face[0].box));
}

/* Taken for another in one frame: he is also whom he is in the frames around; not over a cut. */
static void test_one_mistake(void **state)
{
    (void) state;
    hold.who = true;
    for (int w = 5; w < 15; w++)
        see(w, (float) (100 + w), 50, w == 10 ? 2 : 1);
    assert_int_equal(ask(10), 2);
    for (int i = 0; i < 2; i++) {
        assert_true(out.face[i].embedding_norm[1] == 1);
        check_box(i, 110, 50, 150, 100);
    }
    assert_int_equal(ask(9), 2);
    assert_true(out.face[0].embedding_norm[1] == 1 && out.face[1].embedding_norm[2] == 1);
    frame[10].cut = true;
    assert_int_equal(ask(10), 1);
    assert_int_equal(ask(9), 1);
    hold.who = false;
    assert_int_equal(ask(10), 0);
}

/* What was seen once with a low score is not held. */
static void test_sure(void **state)
{
    (void) state;
    see(8, 100, 50, 1);
    face[8][0].score = 0.4f;
    assert_int_equal(ask(9), 0);
    see(7, 100, 50, 1);
    face[7][0].score = 0.4f;
    assert_int_equal(ask(9), 1);
}

static void test_full(void **state)
{
    static struct rp_dface many[RP_MAX_FACES];

    (void) state;
    for (int i = 0; i < RP_MAX_FACES; i++)
        many[i] = (struct rp_dface){.box = {(float) (50 * i), 0, (float) (50 * i + 40), 50},
                                    .score = 0.9f};
    frame[9] = (struct rp_hold_frame){.count = RP_MAX_FACES, .face = many};
    assert_int_equal(ask(10), RP_MAX_FACES);
    assert_int_equal(out.overflow, 0);
    see(10, 5, 300, 1);
    memset(&out, 0, sizeof(out));
    out.count = 1;
    assert_int_equal(rp_hold_faces(&hold, frame, N, 10, &out), 0);
    assert_int_equal(out.count, RP_MAX_FACES);
    assert_int_equal(out.overflow, 1);
}

/* ---- with the tracker ------------------------------------------------------------------------ */

static const uint8_t *grey(int level)
{
    static uint8_t glance[RP_GLANCE_BYTES];

    memset(glance, level, sizeof(glance));
    return glance;
}

static void test_glances(void **state)
{
    uint8_t before[RP_GLANCE_BYTES];

    (void) state;
    memcpy(before, grey(100), sizeof(before));
    assert_false(rp_scene_begins(before, grey(130)));
    assert_true(rp_scene_begins(before, grey(131)));
    assert_true(rp_scene_begins(before, grey(69)));
}

/* Frames put in another order; a scene that ends; what is found comes first and is unchanged. */
static void test_tracker(void **state)
{
    static struct rp_dfaces found;
    struct rp_tracker *t;
    const struct rp_tracker_params params = {
        .around = 2, .flying = 40, .hold = {.frames = 5, .grow = 0.02, .sure = 0.5}};

    (void) state;
    assert_int_equal(rp_tracker_ahead(&params), 5);
    assert_int_equal(rp_tracker_create(&t, &params), 0);
    for (int i = 29; i >= 0; i--) {
        found.count = i >= 10 && i < 15;
        found.face[0] = (struct rp_dface){.box = {10, 10, 60, 60}, .score = 0.9f, .age_from = i};
        assert_int_equal(rp_tracker_put(t, i, &found, grey(i < 17 ? 50 : 150)), 0);
    }
    for (int i = 0; i < 30; i++) {
        assert_int_equal(rp_tracker_faces(t, i, &out), 0);
        assert_int_equal(out.count, i >= 5 && i < 19); /* two frames of the next scene */
        if (out.count) {
            assert_int_equal(out.face[0].origin, i >= 10 && i < 15 ? RP_FACE_FOUND : RP_FACE_HELD);
            assert_int_equal(out.face[0].age_from, RP_CLAMP(i, 10, 14));
        }
    }
    rp_tracker_destroy(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_seen, set_up),
        cmocka_unit_test_setup(test_gap, set_up),
        cmocka_unit_test_setup(test_ends, set_up),
        cmocka_unit_test_setup(test_motion, set_up),
        cmocka_unit_test_setup(test_bridge, set_up),
        cmocka_unit_test_setup(test_scenes, set_up),
        cmocka_unit_test_setup(test_two, set_up),
        cmocka_unit_test_setup(test_who, set_up),
        cmocka_unit_test_setup(test_one_mistake, set_up),
        cmocka_unit_test_setup(test_sure, set_up),
        cmocka_unit_test_setup(test_full, set_up),
        cmocka_unit_test(test_glances),
        cmocka_unit_test(test_tracker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
