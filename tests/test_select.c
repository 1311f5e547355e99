/* The selector, beginning with its options: every mode, order and filter over hand-made faces,
 * compared with a straightforward selection; references; whose face a source is. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "face/identity.h"
#include "engine/play.h"
#include "face/selector.h"
#include "pipeline/options.h"

#define N 6

static const char *const modes[] = {"many", "one", "reference", "all-but-reference"};
static const char *const orders[] = {"left-right", "right-left", "top-bottom", "bottom-top",
                                     "small-large", "large-small", "best-worst", "worst-best"};
static const char *const genders[] = {NULL, "auto", "female", "male"};
static const char *const races[] = {NULL, "auto", "white", "black", "latino", "asian", "indian",
                                    "arabic"};
static const int ages[][2] = {{-1, -1}, {20, 40}, {29, 30}, {0, 25}, {60, 100}};

/* Faces of the frame. Some numbers are equal on purpose: the order of detection decides. Of the
 * last face nothing is known. */
static const struct {
    float x, y, side, score;
    int gender, race, age_from, age_to;
} people[N] = {
    {30, 10, 50, 0.9f, RP_MALE, RP_WHITE, 20, 29},
    {10, 40, 20, 0.7f, RP_FEMALE, RP_ASIAN, 30, 39},
    {20, 30, 90, 0.8f, RP_FEMALE, RP_WHITE, 20, 29},
    {10, 20, 50, 0.9f, RP_MALE, RP_BLACK, 60, 69},
    {70, 20, 50, 0.5f, RP_FEMALE, RP_ARABIC, 40, 49},
    {40, 30, 10, 0.6f, 0, 0, 0, 0},
};

static struct rp_device *device;
static struct rp_slot *slot;
static struct rp_dfaces faces, nobody;

static struct rp_dface person(int i)
{
    struct rp_dface f = {
        .box = {people[i].x, people[i].y, people[i].x + people[i].side,
                people[i].y + people[i].side},
        .score = people[i].score,
        .gender = people[i].gender,
        .race = people[i].race,
        .age_from = people[i].age_from,
        .age_to = people[i].age_to,
        .has = RP_HAS_EMBEDDING,
    };

    f.has |= (f.gender ? RP_HAS_GENDER : 0u) | (f.race ? RP_HAS_RACE : 0u) |
             (f.age_to ? RP_HAS_AGE : 0u);
    f.embedding[i] = 3;
    f.embedding_norm[i] = 1;
    return f;
}

static int set_up(void **state)
{
    (void) state;
    for (int i = 0; i < N; i++)
        faces.face[i] = person(i);
    faces.count = N;
    return rp_device_cpu(&device) < 0 || rp_slot_create(&slot, device) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    (void) state;
    rp_slot_destroy(&slot);
    rp_device_destroy(&device);
    return 0;
}

/* ---- the long way ---------------------------------------------------------------------------- */

struct wish {
    int mode, order, gender, race, age; /* indices of the tables above */
    int position;
};

static double key(int order, int i)
{
    switch (order / 2) {
    case 0:
        return people[i].x;
    case 1:
        return people[i].y;
    case 2:
        return people[i].side;
    default:
        return people[i].score;
    }
}

/* Stable: i stays before j unless j's key is strictly better. Scores begin with the best, other
 * keys with the smallest. */
static bool comes_before(int order, int i, int j)
{
    const bool falling = order / 2 == 3 ? order % 2 == 0 : order % 2 == 1;

    return falling ? key(order, i) > key(order, j) : key(order, i) < key(order, j);
}

static bool is_in(const struct wish *w, int source, int i)
{
    const int gender = w->gender == 1 ? (source < 0 ? 0 : people[source].gender)
                       : w->gender    ? w->gender - 1
                                      : 0;
    const int race = w->race == 1 ? (source < 0 ? 0 : people[source].race)
                     : w->race    ? w->race - 1
                                  : 0;
    bool meets = false;

    for (int year = ages[w->age][0]; year < ages[w->age][1]; year++)
        meets |= year >= people[i].age_from && year < people[i].age_to;
    return (!gender || people[i].gender == gender) && (!race || people[i].race == race) &&
           (ages[w->age][0] < 0 || meets);
}

static int sorted(const struct wish *w, int source, int *list)
{
    int n = 0;

    for (int i = 0; i < N; i++) {
        if (!is_in(w, source, i))
            continue;
        int at = n++;
        for (; at > 0 && comes_before(w->order, i, list[at - 1]); at--)
            list[at] = list[at - 1];
        list[at] = i;
    }
    return n;
}

/* Which faces should be selected if the reference frame shows the same faces. */
static int expected(const struct wish *w, int source, int *list)
{
    int n = sorted(w, source, list);

    if (modes[w->mode][0] == 'a') {
        const int kept = n ? list[w->position < n ? w->position : n - 1] : -1;

        n = 0;
        for (int i = 0; i < N; i++)
            if (i != kept)
                list[n++] = i;
        return n;
    }
    if (modes[w->mode][0] == 'm' || n == 0)
        return n;
    if (modes[w->mode][0] == 'r') /* all identities differ: a face is like itself only */
        list[0] = list[w->position < n ? w->position : n - 1];
    return 1;
}

/* ---- the selector ---------------------------------------------------------------------------- */

static void set(rp_options *o, const char *name, const char *value)
{
    if (value)
        assert_int_equal(rp_options_set(o, name, value), 0);
}

static void set_number(rp_options *o, const char *name, int value)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", value);
    set(o, name, value < 0 ? NULL : text);
}

static void make(struct rp_selector *s, const struct wish *w, const struct rp_dface *source)
{
    rp_options *o;

    assert_int_equal(rp_options_create(&o), 0);
    set(o, "face-selector-mode", modes[w->mode]);
    set(o, "face-selector-order", orders[w->order]);
    set(o, "face-selector-gender", genders[w->gender]);
    set(o, "face-selector-race", races[w->race]);
    set_number(o, "face-selector-age-start", ages[w->age][0]);
    set_number(o, "face-selector-age-end", ages[w->age][1]);
    set_number(o, "reference-face-position", w->position);
    assert_int_equal(rp_selector_init(s, rp_options_settings(o), source), 0);
    rp_options_destroy(&o);
}

static void check(const struct rp_selector *s, const struct rp_dfaces *of, int n, const int *list)
{
    struct rp_selection_slot at;
    struct rp_list work = {0};

    assert_int_equal(rp_selector_attach(s, slot, false, &at), 0);
    rp_list_begin(&work, slot);
    rp_selector_record(s, slot, &at, of);
    assert_int_equal(rp_list_end(slot), 0);
    assert_int_equal(rp_play(&work, slot), 0);
    rp_list_clear(&work);
    assert_int_equal(at.selection->count, n);
    for (int i = 0; i < n; i++)
        assert_int_equal(at.selection->index[i], list[i]);
}

/* A fresh slot now and then: each attached selector takes memory of it. */
static void check_wish(const struct wish *w, int source)
{
    int list[N];
    struct rp_selector s;
    struct rp_dface from;
    const int n = expected(w, source, list);

    if (source >= 0)
        from = person(source);
    make(&s, w, source >= 0 ? &from : NULL);
    assert_int_equal(rp_selector_by_reference(&s), w->mode >= 2);
    if (w->mode >= 2)
        assert_int_equal(rp_selector_add_reference(&s, &faces), w->mode == 2 ? n > 0 : n < N);
    check(&s, &faces, n, list);
    check(&s, &nobody, 0, NULL);
    if (w->mode >= 2) { /* a reference frame without a face */
        make(&s, w, NULL);
        assert_false(rp_selector_add_reference(&s, &nobody));
        check(&s, &faces, w->mode == 2 ? 0 : N, (int[]){0, 1, 2, 3, 4, 5});
    }
}

static void test_table(void **state)
{
    struct wish w = {0};
    int64_t wishes = 0;

    (void) state;
    for (w.mode = 0; w.mode < 4; w.mode++)
        for (w.order = 0; w.order < 8; w.order++)
            for (w.gender = 0; w.gender < 4; w.gender++) {
                for (w.race = 0; w.race < 8; w.race++)
                    for (w.age = 0; w.age < 5; w.age++)
                        for (int source = -1; source < 5; source += 3) {
                            w.position = (int) (wishes++ % 4);
                            check_wish(&w, source);
                        }
                rp_slot_destroy(&slot);
                assert_int_equal(rp_slot_create(&slot, device), 0);
            }
    assert_int_equal(wishes, 4 * 8 * 4 * 8 * 5 * 2);
}

/* Reference identities from several frames: faces like any of them, in the order found. */
static void test_references(void **state)
{
    struct rp_selector s;
    struct rp_dfaces one = {.count = 1};
    const struct wish w = {.mode = 2, .order = 5};

    (void) state;
    make(&s, &w, NULL);
    check(&s, &faces, 0, NULL); /* none yet */
    one.face[0] = person(4);
    assert_true(rp_selector_add_reference(&s, &one));
    check(&s, &faces, 1, (int[]){4});
    one.face[0] = person(1);
    assert_true(rp_selector_add_reference(&s, &one));
    assert_false(rp_selector_add_reference(&s, &nobody)); /* adds none, removes none */
    check(&s, &faces, 2, (int[]){1, 4});
    assert_true(rp_selector_add_reference(&s, &faces)); /* the largest of them: 2 */
    check(&s, &faces, 3, (int[]){1, 2, 4});
    while (s.references.count < RP_MAX_REFERENCES)
        assert_true(rp_selector_add_reference(&s, &one));
    assert_false(rp_selector_add_reference(&s, &faces));
    check(&s, &faces, 3, (int[]){1, 2, 4});
}

/* All but the references: nobody is kept of whom it is not known that he is one. */
static void test_all_but(void **state)
{
    struct rp_selector s;
    struct rp_dfaces crowd = {.count = 4};
    const struct wish w = {.mode = 3};

    (void) state;
    for (int i = 0; i < 4; i++)
        crowd.face[i] = person(1);
    crowd.face[1].has = 0;                        /* the same person, but not recognised */
    crowd.face[2].embedding_norm[7] = NAN;        /* something went wrong */
    crowd.face[3].embedding_norm[1] = 0.39f;      /* like him, but not enough: (1 - 0.39) / 2 */
    make(&s, &w, NULL);
    check(&s, &crowd, 4, (int[]){0, 1, 2, 3});
    assert_true(rp_selector_add_face(&s, &crowd.face[0]));
    check(&s, &crowd, 3, (int[]){1, 2, 3});
    assert_false(rp_selector_add_face(&s, &crowd.face[1])); /* no identity, no reference */
    assert_int_equal(s.references.count, 1);
    crowd.face[3].embedding_norm[1] = 0.41f;
    check(&s, &crowd, 2, (int[]){1, 2});
}

/* Faces that are only held are there for those who ask for them. */
static void test_held(void **state)
{
    struct rp_selector s;
    struct rp_selection_slot at;
    struct rp_list work = {0};
    struct rp_dfaces crowd = {.count = 4};

    (void) state;
    for (int i = 0; i < 4; i++) {
        crowd.face[i] = person(i);
        crowd.face[i].origin = i % 3;
    }
    for (int mode = 0; mode < 4; mode++) {
        const struct wish w = {.mode = mode, .order = 4}; /* the smallest is 1, then 0 and 3 */
        static const int n[] = {3, 1, 1, 2}, all[] = {4, 1, 1, 3};

        make(&s, &w, NULL);
        rp_selector_add_face(&s, &crowd.face[1]);
        assert_int_equal(rp_selector_attach(&s, slot, true, &at), 0);
        rp_list_begin(&work, slot);
        rp_selector_record(&s, slot, &at, &crowd);
        assert_int_equal(rp_list_end(slot), 0);
        assert_int_equal(rp_play(&work, slot), 0);
        rp_list_clear(&work);
        assert_int_equal(at.selection->count, n[mode]);
        assert_int_equal(at.held->count, all[mode]);
        for (int i = 0; i < n[mode]; i++)
            assert_int_not_equal(crowd.face[at.selection->index[i]].origin, RP_FACE_HELD);
        check(&s, &crowd, n[mode], at.selection->index); /* attached without: the same */
    }
}

/* Half of one minus the cosine, under the distance. */
static void test_distance(void **state)
{
    rp_options *o;
    struct rp_selector s;
    struct rp_dfaces like = {.count = 3};
    static const float cosine[] = {0.95f, 0.45f, 0.35f};

    (void) state;
    for (int i = 0; i < 3; i++) {
        like.face[i] = person(i);
        memset(like.face[i].embedding_norm, 0, sizeof(like.face[i].embedding_norm));
        like.face[i].embedding_norm[0] = cosine[i];
        like.face[i].embedding_norm[1 + i] = sqrtf(1 - cosine[i] * cosine[i]);
    }
    static const struct {
        const char *distance;
        int n;
    } tries[] = {{"0.0", 0}, {"0.05", 1}, {"0.25", 1}, {"0.3", 2}, {"0.35", 3}, {"1.0", 3}};

    for (size_t k = 0; k < RP_ARRAY_LEN(tries); k++) {
        assert_int_equal(rp_options_create(&o), 0);
        set(o, "reference-face-distance", tries[k].distance);
        assert_int_equal(rp_selector_init(&s, rp_options_settings(o), NULL), 0);
        rp_options_destroy(&o);
        s.references.count = 1;
        s.references.embedding_norm[0][0] = 1;
        check(&s, &like, tries[k].n, (int[]){0, 1, 2});
    }
}

static void test_one_age(void **state)
{
    static const char *const names[] = {"face-selector-age-start", "face-selector-age-end"};

    (void) state;
    for (int i = 0; i < 2; i++) {
        rp_options *o;
        struct rp_selector s;

        assert_int_equal(rp_options_create(&o), 0);
        set(o, names[i], "30");
        assert_int_equal(rp_selector_init(&s, rp_options_settings(o), NULL), RP_ERR_USAGE);
        assert_non_null(strstr(rp_last_error(), names[i]));
        rp_options_destroy(&o);
    }
}

/* ---- sources --------------------------------------------------------------------------------- */

static void test_identity(void **state)
{
    struct rp_dface mean = {0}, largest = {0};
    double sum[512] = {0}, sum_norm[512] = {0};

    (void) state;
    assert_int_equal(rp_face_largest(&faces), 2);
    assert_int_equal(rp_face_largest(&nobody), -1);
    for (int n = 0; n < 5; n++) {
        struct rp_dface f = person(n);

        for (int i = 0; i < 512; i++) {
            f.embedding[i] = sinf((float) (n * 512 + i)) * 20;
            f.embedding_norm[i] = f.embedding[i] / 320;
            sum[i] += (double) f.embedding[i];
            sum_norm[i] += (double) f.embedding_norm[i];
        }
        rp_face_average(&mean, n, &f);
        rp_face_keep_larger(&largest, n, &f);
        for (int i = 0; i < 512; i++) { /* 2^-23 of 20, five times */
            assert_true(fabs((double) mean.embedding[i] - sum[i] / (n + 1)) < 1e-5);
            assert_true(fabs((double) mean.embedding_norm[i] - sum_norm[i] / (n + 1)) < 1e-7);
        }
    }
    assert_int_equal(mean.race, people[0].race); /* the rest is the first one's */
    assert_true(mean.box[0] == people[0].x && mean.score == people[0].score);
    assert_true(largest.box[0] == people[2].x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),    cmocka_unit_test(test_references),
        cmocka_unit_test(test_distance), cmocka_unit_test(test_one_age),
        cmocka_unit_test(test_all_but),  cmocka_unit_test(test_held),
        cmocka_unit_test(test_identity),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
