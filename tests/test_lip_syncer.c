/* The lip syncer in programs, with a voice made here: each frame gets the part that belongs to it,
 * alone, in two slots and in lockstep, and all faces of a frame get the same.
 *
 * Its networks are tiny ones (tools/twins), whose output is half the face and a colour made of the
 * sound; faces are planted by a processor of the test around the lip syncer. */
#include "test_media.h"

#include "audio/speech.h"
#include "pipeline/options.h"
#include "pipeline/program.h"

#define W 320
#define H 160
#define LANES 4
#define FRAMES (2 * LANES)
#define FPS 25.0
#define BYTES ((size_t) 3 * W * H)

extern const struct rp_processor rp_lip_syncer;

static struct rp_engine *engine;
static struct rp_device *device;
static struct rp_store *store;
static struct rp_pool *pool;
static rp_options *options;
static void *shared;           /* the lip syncer's self */
static struct rp_speech voice; /* that frames are given */

/* ---- a voice and faces ----------------------------------------------------------------------- */

#define COLUMNS 60 /* it ends before the last frames */

static void make_voice(void)
{
    static float mel[COLUMNS * RP_SPEECH_BANDS];

    for (int c = 0; c < COLUMNS; c++)
        for (int b = 0; b < RP_SPEECH_BANDS; b++)
            mel[c * RP_SPEECH_BANDS + b] = c % 20 < 10 ? 1e-6f : 0.3f / (float) (1 + (b + c) % 9);
    voice = (struct rp_speech){.count = COLUMNS, .mel = mel, .start = 0.08};
}

struct planted {
    void *inner; /* the lip syncer's */
    struct rp_dfaces *host, *faces;
    struct rp_selection *host_selection, *selection;
};

static void plant(struct rp_dface *face, float x, float y)
{
    const float five[10] = {x + 40, y + 45, x + 80, y + 44, x + 60,
                            y + 66, x + 45, y + 84, x + 78, y + 83};

    memset(face, 0, sizeof(*face));
    memcpy(face->lm5_68, five, sizeof(five));
    for (int i = 0; i < 68; i++) { /* around an ellipse; the mask's corners are some of them */
        face->lm68[2 * i] = x + 60 + 45 * (float) ((i * 29 % 68) - 34) / 34;
        face->lm68[2 * i + 1] = y + 66 + 50 * (float) ((i * 23 % 68) - 34) / 34;
    }
}

/* None, one or two, the same place for the same number. */
static void plant_faces(const struct planted *p, int64_t index)
{
    p->host->count = p->host_selection->count = (int32_t) (index % 3);
    for (int i = 0; i < 2; i++) {
        plant(&p->host->face[i], (float) (15 + 150 * i + index), (float) (10 + index % 5));
        p->host_selection->index[i] = i;
    }
}

#define FACES_BYTES (offsetof(struct rp_dfaces, face) + 2 * sizeof(struct rp_dface))

static void detach(void *at)
{
    struct planted *const p = at;

    rp_processor_detach(&rp_lip_syncer, &p->inner);
}

static int attach(void *at, const void *self, struct rp_slot *slot, int w, int h)
{
    struct planted *const p = at;

    RP_CHECK(rp_processor_attach(&rp_lip_syncer, &p->inner, self, slot, w, h));
    RP_CHECK(rp_slot_alloc_host(slot, sizeof(*p->host), (void **) &p->host));
    RP_CHECK(rp_slot_alloc_host(slot, sizeof(*p->host_selection), (void **) &p->host_selection));
    RP_CHECK(rp_slot_alloc(slot, sizeof(*p->faces), (void **) &p->faces));
    RP_CHECK(rp_slot_alloc(slot, sizeof(*p->selection), (void **) &p->selection));
    return 0;
}

static int feed(void *at, const struct rp_frame_info *info)
{
    const struct planted *const p = at;
    struct rp_frame_info more = *info;

    plant_faces(p, info->index);
    more.fps = FPS;
    more.speech = voice.count ? &voice : NULL;
    return rp_lip_syncer.feed(p->inner, &more);
}

static void record(void *at, const struct rp_frame *frame)
{
    const struct planted *const p = at;
    struct rp_frame mine = *frame;

    rp_record_upload(frame->slot, p->faces, p->host, FACES_BYTES);
    rp_record_upload(frame->slot, p->selection, p->host_selection, sizeof(*p->selection));
    mine.faces = p->faces;
    mine.selection = p->selection;
    rp_lip_syncer.record(p->inner, &mine);
}

static const struct rp_processor planted = {
    .name = "planted",
    .at_size = sizeof(struct planted),
    .attach = attach,
    .detach = detach,
    .feed = feed,
    .record = record,
};

/* ---- set-up ---------------------------------------------------------------------------------- */

static int open_syncer(const char *model)
{
    int ret;

    RP_TRY(rp_options_set(options, "lip-syncer-model", model));
    RP_TRY(rp_processor_create(&rp_lip_syncer, &shared,
                               &(const struct rp_processor_context){
                                   .pool = pool, .settings = rp_options_settings(options)}));
    return 0;

fail:
    return ret;
}

static int set_up(void **state)
{
    int ret;
    const char *const source = getenv("REPRISE_SOURCE");

    if (make_dir(state) || !source ||
        shell("/usr/bin/python3 -B '%s/tools/twins.py' --tiny --out . wav2lip_gan_96 edtalk_256",
              source))
        return -1;
    RP_TRY(rp_engine_create(&engine, NULL));
    RP_TRY(rp_device_cpu(&device));
    RP_TRY(rp_store_create(&store, test_dir));
    RP_TRY(rp_pool_create(&pool, engine, device, store, &(struct rp_pool_params){.threads = 1}));
    RP_TRY(rp_options_create(&options));
    return 0;

fail:
    return ret;
}

static int tear_down(void **state)
{
    rp_options_destroy(&options);
    rp_pool_destroy(&pool);
    rp_store_destroy(&store);
    rp_device_destroy(&device);
    rp_engine_destroy(&engine);
    return remove_dir(state);
}

static int with_wav2lip(void **state)
{
    (void) state;
    make_voice();
    return open_syncer("wav2lip_gan_96");
}

static int with_edtalk(void **state)
{
    (void) state;
    make_voice();
    return open_syncer("edtalk_256");
}

static int without(void **state)
{
    (void) state;
    rp_processor_destroy(&rp_lip_syncer, &shared);
    return 0;
}

/* ---- frames ---------------------------------------------------------------------------------- */

struct launch {
    struct rp_program *program;
    struct rp_media_frame frame[LANES];
    uint8_t pixels[LANES][BYTES];
    int64_t first;
    int n;
};

static struct launch launches[2];
static uint8_t before[FRAMES][BYTES], alone[FRAMES][BYTES];

static void open_programs(int n, int frames)
{
    static struct rp_plan plan;
    const struct rp_program_params params = {.w = W, .h = H, .fmt = RP_FMT_BGR24, .frames = frames};

    plan = (struct rp_plan){.device = device, .whole_frame = true, .nprocessors = 1, .processor = {{&planted, shared}}};
    for (int k = 0; k < n; k++) {
        assert_int_equal(rp_program_create(&launches[k].program, &plan, &params), 0);
        assert_int_equal(rp_program_frames(launches[k].program), frames);
    }
}

static void close_programs(void)
{
    for (int k = 0; k < 2; k++)
        if (launches[k].program)
            rp_program_destroy(&launches[k].program);
}

/* Smooth, and another one for each number. */
static void draw(uint8_t *p, int64_t index)
{
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++, p += 3) {
            p[0] = (uint8_t) (60 + (x * 3 + y + index * 7) % 120);
            p[1] = (uint8_t) (50 + (x + y * 2) % 150);
            p[2] = (uint8_t) (70 + (x * y / 50 + index) % 90);
        }
}

static void submit(struct launch *l, int64_t first, int n)
{
    struct rp_frame_in in[LANES];

    l->first = first;
    l->n = n;
    for (int i = 0; i < n; i++) {
        draw(l->pixels[i], first + i);
        l->frame[i] = (struct rp_media_frame){.fmt = RP_FMT_BGR24,
                                              .w = W,
                                              .h = H,
                                              .plane = {l->pixels[i]},
                                              .stride = {3 * W},
                                              .index = first + i,
                                              .time = (double) (first + i) / FPS};
        in[i] = (struct rp_frame_in){.frame = &l->frame[i]};
    }
    assert_int_equal(rp_program_submit(l->program, in, n, RP_PASS_WHOLE), 0);
}

static void finish(struct launch *l)
{
    struct rp_frame_result result[LANES];

    assert_int_equal(rp_program_finish(l->program, result), 0);
}

static void compare(const struct launch *l)
{
    for (int i = 0; i < l->n; i++)
        assert_memory_equal(l->pixels[i], alone[l->first + i], BYTES);
}

static void run_alone(void)
{
    open_programs(1, 1);
    for (int i = 0; i < FRAMES; i++) {
        draw(before[i], i);
        submit(&launches[0], i, 1);
        finish(&launches[0]);
        memcpy(alone[i], launches[0].pixels[0], BYTES);
    }
    close_programs();
}

/* ---- tests ----------------------------------------------------------------------------------- */

/* Mean of a channel over some pixels of a face that is planted at x, y. */
static double colour(const uint8_t *pixels, int x, int y, int c)
{
    double sum = 0;

    for (int j = 0; j < 8; j++)
        for (int i = 0; i < 8; i++)
            sum += pixels[3 * ((y + 84 + j) * W + x + 56 + i) + c];
    return sum / 64;
}

/* What the tiny network adds to a frame's face: the mean of the sound, in the channel of its tensor
 * that comes first. */
static double tag(int64_t index, bool edtalk)
{
    float w[RP_SPEECH_BANDS * RP_SPEECH_WINDOW];
    double sum = 0;

    rp_speech_window(voice.count ? &voice : NULL, (double) index / FPS, FPS, w);
    rp_speech_levels(w, 1);
    for (int i = 0; i < RP_SPEECH_BANDS * RP_SPEECH_WINDOW; i++)
        sum += (double) w[i];
    return (0.4002 + 0.1 * sum / 1280) * (edtalk ? 0.5 : 1);
}

/* Each face shows the mean of its frame's window. 6: the face is sampled and smoothed. */
static void check_tags(bool edtalk)
{
    double least = 1, most = 0;
    const int c = edtalk ? 2 : 0;

    run_alone();
    for (int i = 0; i < FRAMES; i++) {
        const double want = tag(i, edtalk);

        least = RP_MIN(least, want);
        most = RP_MAX(most, want);
        for (int k = 0; k < i % 3; k++) {
            const int x = 15 + 150 * k + i, y = 10 + i % 5;
            const double old = colour(before[i], x, y, c), new = colour(alone[i], x, y, c);
            const double part = edtalk ? 0.5 : 0.4; /* of the face that is left */

            if (new - (part * old + 255 * want) > 6 || new - (part * old + 255 * want) < -6)
                fail_msg("frame %d, face %d: %g from %g with %g", i, k, new, old, 255 * want);
        }
    }
    assert_true(most - least > 0.1); /* the windows differ */
}

static void test_wav2lip(void **state)
{
    (void) state;
    check_tags(false);
}

static void test_edtalk(void **state)
{
    (void) state;
    check_tags(true);
}

/* A NULL voice is silence: every window is the same. */
static void test_silence(void **state)
{
    (void) state;
    voice.count = 0;
    run_alone();
    const double first = tag(0, false);
    for (int i = 1; i < FRAMES; i++) {
        assert_true(tag(i, false) == first);
        for (int k = 0; k < i % 3; k++) {
            const int x = 15 + 150 * k + i, y = 10 + i % 5;
            const double old = colour(before[i], x, y, 0), new = colour(alone[i], x, y, 0);

            assert_true(new - 0.4 * old < 6 && new - 0.4 * old > -6); /* 0.4 - 0.4: no tag */
        }
    }
}

static void test_two_slots(void **state)
{
    (void) state;
    run_alone();
    open_programs(2, 1);
    for (int i = 0; i < FRAMES; i += 2) {
        submit(&launches[0], i, 1);
        submit(&launches[1], i + 1, 1);
        finish(&launches[(i + 2) / 2 % 2]);
        finish(&launches[i / 2 % 2]);
        compare(&launches[0]);
        compare(&launches[1]);
    }
    close_programs();
}

/* Frames with different windows and numbers of faces through one launch; also fewer frames than it
 * has lanes. */
static void test_lockstep(void **state)
{
    (void) state;
    run_alone();
    open_programs(2, LANES);
    for (int i = 0; i < 3; i++) {
        submit(&launches[0], i, LANES);
        submit(&launches[1], i + LANES, LANES - i);
        finish(&launches[1]);
        finish(&launches[0]);
        compare(&launches[0]);
        compare(&launches[1]);
    }
    close_programs();
}

#define WITH(test, model) cmocka_unit_test_setup_teardown(test, model, without)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(test_wav2lip, with_wav2lip),  WITH(test_edtalk, with_edtalk),
        WITH(test_silence, with_wav2lip),  WITH(test_two_slots, with_wav2lip),
        WITH(test_two_slots, with_edtalk), WITH(test_lockstep, with_wav2lip),
        WITH(test_lockstep, with_edtalk),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
