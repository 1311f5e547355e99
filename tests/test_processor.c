/* The contract between programs and processors, with two processors that no job has.
 *
 * The first is the example of docs/adding-a-processor.md, unchanged. The second uses everything:
 * host data that differ with each frame, the frame before any processor, two crops of a face by
 * different templates and in different sizes, a mask of its own. Both are run by programs over
 * hand-made plans, in one slot, in two and in lockstep, and their pixels are compared with those of
 * the operations in plain C, called one after the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pipeline/options.h"
#include "pipeline/program.h"
#include "processors/face_crop.h"

#define W 96
#define H 80
#define LANES 4
#define FIRST 32  /* side of the first crop */
#define SECOND 48 /* and of the second */

extern const struct rp_processor rp_frame_negative;

static struct rp_device *device;
static rp_options *options;

static int set_up(void **state)
{
    (void) state;
    assert_int_equal(rp_device_cpu(&device), 0);
    return rp_options_create(&options);
}

static int tear_down(void **state)
{
    (void) state;
    rp_options_destroy(&options);
    rp_device_destroy(&device);
    return 0;
}

/* ---- frames ---------------------------------------------------------------------------------- */

static void fill(uint8_t *pixel, size_t n, unsigned seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        pixel[i] = (uint8_t) (seed >> 24);
    }
}

/* Over pixels of its own, as a picture. */
static struct rp_media_frame frame_over(uint8_t *pixels, int64_t index)
{
    fill(pixels, 3 * W * H, (unsigned) index + 1);
    return (struct rp_media_frame){.fmt = RP_FMT_BGR24, .w = W, .h = H, .plane = {pixels},
                                   .stride = {3 * W}, .index = index,
                                   .time = (double) index * 0.25};
}

static struct rp_program *program_of(const struct rp_plan *plan, enum rp_pixfmt fmt, int frames)
{
    struct rp_program *p;
    const struct rp_program_params params = {.w = W, .h = H, .fmt = fmt, .frames = frames};

    assert_int_equal(rp_program_create(&p, plan, &params), 0);
    assert_int_equal(rp_program_frames(p), RP_MAX(frames, 1));
    return p;
}

/* ---- the simplest one ------------------------------------------------------------------------ */

static void test_negative(void **state)
{
    static uint8_t pixels[3 * W * H], before[3 * W * H];
    const struct rp_plan plan = {.device = device, .whole_frame = true, .nprocessors = 1,
                                 .processor = {{&rp_frame_negative, NULL}}};
    struct rp_program *p = program_of(&plan, RP_FMT_BGR24, 1);
    struct rp_frame_result result;

    (void) state;
    for (int i = 0; i < 3; i++) {
        struct rp_media_frame f = frame_over(pixels, i);

        memcpy(before, pixels, sizeof(before));
        assert_int_equal(rp_program_run(p, &f, false, &result), 0);
        assert_true(result.changed && !result.checked && result.faces == 0);
        for (size_t k = 0; k < sizeof(pixels); k++)
            assert_int_equal(pixels[k], 255 - before[k]);
    }
    rp_program_destroy(&p);
    assert_null(p);
}

/* A video frame: it marked what it changed, so all of it reaches the planes. */
static void test_negative_of_planes(void **state)
{
    static uint8_t y[W * H], u[W * H / 4], v[W * H / 4], bgr[3 * W * H], ones[256];
    static uint8_t want_y[W * H], want_u[W * H / 4], want_v[W * H / 4];
    const struct rp_plan plan = {.device = device, .whole_frame = true, .nprocessors = 1,
                                 .processor = {{&rp_frame_negative, NULL}}};
    struct rp_program *p = program_of(&plan, RP_FMT_YUV420P, 1);
    struct rp_media_frame f = {.fmt = RP_FMT_YUV420P, .w = W, .h = H, .plane = {y, u, v},
                               .stride = {W, W / 2, W / 2}};
    const struct rp_planes planes = {.plane = {want_y, want_u, want_v}, .stride = {W, W / 2, W / 2},
                                     .w = W, .h = H, .sub_x = 1, .sub_y = 1, .depth = 8};
    const struct rp_canvas canvas = {.img = {bgr, 3 * W, W, H, 3}, .changed = ones,
                                     .tiles_w = rp_tiles(W), .tiles_h = rp_tiles(H)};
    struct rp_frame_result result;

    (void) state;
    for (int i = 0; i < W * H; i++)
        want_y[i] = y[i] = (uint8_t) (16 + (i * 7) % 200);
    fill(u, sizeof(u), 5);
    fill(v, sizeof(v), 6);
    memcpy(want_u, u, sizeof(u));
    memcpy(want_v, v, sizeof(v));
    memset(ones, 1, sizeof(ones));
    rp_c_yuv_to_bgr(NULL, &(struct rp_op_yuv_to_bgr){&planes, canvas.img});
    for (size_t k = 0; k < sizeof(bgr); k++)
        bgr[k] = (uint8_t) (255 - bgr[k]);
    rp_c_bgr_to_yuv(NULL, &(struct rp_op_bgr_to_yuv){canvas, &planes});
    assert_int_equal(rp_program_run(p, &f, false, &result), 0);
    assert_memory_equal(y, want_y, sizeof(y));
    assert_memory_equal(u, want_u, sizeof(u));
    assert_memory_equal(v, want_v, sizeof(v));
    rp_program_destroy(&p);
}

/* The document shows exactly the code that is tested here. */
static void test_document(void **state)
{
    const char *const source = getenv("REPRISE_SOURCE");
    static const char *const names[] = {"docs/adding-a-processor.md", "tests/processor_negative.c"};
    static char text[2][65536];

    (void) state;
    if (!source)
        skip();
    for (int i = 0; i < 2; i++) {
        char path[600];

        snprintf(path, sizeof(path), "%s/%s", source, names[i]);
        FILE *const f = fopen(path, "r");
        assert_non_null(f);
        text[i][fread(text[i], 1, sizeof(text[i]) - 1, f)] = 0;
        fclose(f);
    }
    assert_true(strlen(text[1]) > 1000);
    assert_non_null(strstr(text[0], text[1]));
}

/* ---- the one that uses everything ------------------------------------------------------------ */

#define FED_BYTES (offsetof(struct rp_dfaces, face) + 2 * sizeof(struct rp_dface))

/* What the host gives with a frame: up to two faces, and a mask. */
struct fed {
    struct rp_dfaces *faces;
    struct rp_selection *selection;
    float *mask; /* [FIRST][FIRST] */
};

struct patches {
    const struct rp_masks *const *masks; /* self: of the first crop, of the second */
    struct fed host, there;
    struct rp_face_loop loop;
    struct rp_face_crop first, second;
    float *first_pixels, *second_pixels;
    int fed; /* frames so far */
};

/* None, one or two; each with its five points somewhere else. */
static void place_faces(const struct fed *f, int64_t index)
{
    f->faces->count = f->selection->count = (int32_t) (index % 3);
    for (int i = 0; i < 2; i++) {
        const float x = (float) (10 + 38 * i + index % 5), y = (float) (14 + index % 7);
        const float points[10] = {x + 8, y + 9, x + 24, y + 8, x + 16, y + 18, x + 10, y + 27,
                                  x + 22, y + 26};

        f->selection->index[i] = f->faces->count - 1 - i; /* the last one first */
        memcpy(f->faces->face[i].lm5_68, points, sizeof(points));
    }
}

static void tell(const struct fed *f, const struct rp_frame_info *info)
{
    place_faces(f, info->index);
    for (int i = 0; i < FIRST * FIRST; i++)
        f->mask[i] = (float) ((i * 3 + info->index * 17) % 101) / 100 - (float) info->time / 8;
}

static int feed(void *at, const struct rp_frame_info *info)
{
    struct patches *const p = at;

    if (info->time < 0)
        return rp_fail(RP_ERR_INVALID, "frame %lld: before the first", (long long) info->index);
    tell(&p->host, info);
    p->fed++;
    return 0;
}

static void close_patches(void *at)
{
    struct patches *const p = at;

    rp_face_crop_close(&p->first);
    rp_face_crop_close(&p->second);
}

static int alloc_fed(struct fed *f, struct rp_slot *slot,
                     int (*alloc)(struct rp_slot *slot, size_t size, void **out))
{
    RP_CHECK(alloc(slot, sizeof(*f->faces), (void **) &f->faces));
    RP_CHECK(alloc(slot, sizeof(*f->selection), (void **) &f->selection));
    return alloc(slot, FIRST * FIRST * sizeof(float), (void **) &f->mask);
}

static int open_patches(void *at, const void *self, struct rp_slot *slot, int w, int h)
{
    struct patches *const p = at;

    assert_true(w == W && h == H);
    p->masks = self;
    RP_CHECK(alloc_fed(&p->host, slot, rp_slot_alloc_host));
    RP_CHECK(alloc_fed(&p->there, slot, rp_slot_alloc));
    RP_CHECK(rp_face_loop_open(&p->loop, slot));
    RP_CHECK(rp_face_crop_open(&p->first, slot, RP_TEMPLATE_ARCFACE_128, FIRST, p->masks[0]));
    RP_CHECK(rp_face_crop_open(&p->second, slot, RP_TEMPLATE_FFHQ_512, SECOND, p->masks[1]));
    RP_CHECK(rp_slot_alloc(slot, 3 * FIRST * FIRST * sizeof(float), (void **) &p->first_pixels));
    RP_CHECK(rp_slot_alloc(slot, 3 * SECOND * SECOND * sizeof(float), (void **) &p->second_pixels));
    return 0;
}

static void upload(struct rp_slot *slot, const struct fed *to, const struct fed *from)
{
    rp_record_upload(slot, to->faces, from->faces, FED_BYTES);
    rp_record_upload(slot, to->selection, from->selection, sizeof(*to->selection));
    rp_record_upload(slot, to->mask, from->mask, FIRST * FIRST * sizeof(float));
}

/* Through its own mask it pastes the face as it was before the negative; then, blended by half, a
 * larger crop of the result so far. */
static void record_patches(void *at, const struct rp_frame *frame)
{
    struct patches *const p = at;
    struct rp_frame mine = *frame;

    upload(frame->slot, &p->there, &p->host);
    mine.faces = p->there.faces;
    rp_face_loop_begin(&p->loop, &mine, p->there.selection);
    rp_face_crop_cut(&p->first, &frame->original, p->loop.cur);
    RP_OP(frame->slot, u8_to_float, .src = p->first.img, .dst = p->first_pixels);
    rp_face_crop_paste(&p->first, frame, p->loop.cur, &(const struct rp_face_paste){
        .pixels = p->first_pixels, .mask = p->there.mask, .blend = 1});
    rp_face_crop_cut(&p->second, &frame->canvas.img, p->loop.cur);
    RP_OP(frame->slot, u8_to_float, .src = p->second.img, .dst = p->second_pixels);
    rp_face_crop_paste(&p->second, frame, p->loop.cur, &(const struct rp_face_paste){
        .pixels = p->second_pixels, .blend = 0.5});
    rp_face_loop_end(&p->loop);
}

static const struct rp_processor patches = {
    .name = "patches",
    .wants_original = true,
    .at_size = sizeof(struct patches),
    .attach = open_patches,
    .detach = close_patches,
    .feed = feed,
    .record = record_patches,
};

/* ---- the same in plain C --------------------------------------------------------------------- */

static void c_paste(const struct rp_canvas *canvas, const struct rp_img *from,
                    const struct rp_dface *face, int template_id, int size, const float *own,
                    double blend)
{
    static uint8_t crop[3 * SECOND * SECOND];
    static float pixels[3 * SECOND * SECOND], mask[SECOND * SECOND];
    struct rp_affine affine;
    const struct rp_img img = {crop, 3 * size, size, size, 3};

    rp_c_align(NULL, &(struct rp_op_align){.face = face, .template_id = template_id, .w = size,
                                           .h = size, .scale = 1, .dst = &affine});
    rp_c_warp(NULL, &(struct rp_op_warp){.src = *from, .affine = &affine, .dst = img, .border = 1});
    rp_c_u8_to_float(NULL, &(struct rp_op_u8_to_float){img, pixels});
    for (int i = 0; i < size * size; i++)
        mask[i] = own ? RP_CLAMP(own[i], 0.0f, 1.0f) : 1;
    rp_c_paste(NULL, &(struct rp_op_paste){.dst = *canvas, .crop = pixels, .mask = mask, .w = size,
                                           .h = size, .affine = &affine,
                                           .keep = (float) (1 - blend), .blend = (float) blend});
}

/* @return how many pixels are no longer the plain negative */
static int c_patches(uint8_t *pixels, const struct rp_media_frame *f)
{
    static uint8_t original[3 * W * H], changed[256];
    static struct rp_dfaces faces;
    static struct rp_selection selection;
    static float mask[FIRST * FIRST];
    const struct rp_img from = {original, 3 * W, W, H, 3};
    const struct rp_canvas canvas = {.img = {pixels, 3 * W, W, H, 3}, .changed = changed,
                                     .tiles_w = rp_tiles(W), .tiles_h = rp_tiles(H)};
    int n = 0;

    memcpy(original, pixels, sizeof(original));
    for (size_t i = 0; i < sizeof(original); i++)
        pixels[i] = (uint8_t) (255 - original[i]);
    tell(&(struct fed){&faces, &selection, mask},
         &(struct rp_frame_info){.index = f->index, .time = f->time});
    for (int i = 0; i < selection.count; i++) {
        const struct rp_dface *const face = &faces.face[selection.index[i]];

        c_paste(&canvas, &from, face, RP_TEMPLATE_ARCFACE_128, FIRST, mask, 1);
        c_paste(&canvas, &canvas.img, face, RP_TEMPLATE_FFHQ_512, SECOND, NULL, 0.5);
    }
    for (size_t i = 0; i < sizeof(original); i++)
        n += pixels[i] != 255 - original[i];
    return n;
}

/* ---- running it ------------------------------------------------------------------------------ */

static struct rp_masks *masks[2];

/* Negative first: so the frame before any processor differs from the current one. */
static struct rp_plan plan_of_both(void)
{
    static const struct rp_mask_use own = {.own = true}, none = {0};
    const struct rp_settings *const s = rp_options_settings(options);

    assert_int_equal(rp_masks_create(&masks[0], NULL, s, &own), 0);
    assert_int_equal(rp_masks_create(&masks[1], NULL, s, &none), 0);
    return (struct rp_plan){.device = device, .whole_frame = true, .original = true,
                            .nprocessors = 2,
                            .processor = {{&rp_frame_negative, NULL}, {&patches, (void *) masks}}};
}

static void close_both(void)
{
    rp_masks_destroy(&masks[0]);
    rp_masks_destroy(&masks[1]);
}

/* n frames through one launch of a program; other lanes work in vain. */
struct launch {
    struct rp_program *program;
    struct rp_media_frame frame[LANES];
    uint8_t pixels[LANES][3 * W * H], want[LANES][3 * W * H];
    int n, differ;
};

static void submit(struct launch *l, int64_t first, int n)
{
    struct rp_frame_in in[LANES];

    l->n = n;
    for (int i = 0; i < n; i++) {
        l->frame[i] = frame_over(l->pixels[i], first + i);
        memcpy(l->want[i], l->pixels[i], sizeof(l->want[i]));
        l->differ = c_patches(l->want[i], &l->frame[i]);
        assert_true(l->differ > 500 || (first + i) % 3 == 0);
        in[i] = (struct rp_frame_in){.frame = &l->frame[i]};
    }
    assert_int_equal(rp_program_submit(l->program, in, n, RP_PASS_WHOLE), 0);
}

static void finish(struct launch *l)
{
    struct rp_frame_result result[LANES];

    assert_int_equal(rp_program_finish(l->program, result), 0);
    for (int i = 0; i < l->n; i++) {
        assert_true(result[i].changed);
        assert_memory_equal(l->pixels[i], l->want[i], sizeof(l->want[i]));
    }
}

static void test_alone(void **state)
{
    static struct launch l;
    const struct rp_plan plan = plan_of_both();

    (void) state;
    l.program = program_of(&plan, RP_FMT_BGR24, 1);
    for (int i = 0; i < 7; i++) {
        submit(&l, i, 1);
        finish(&l);
    }
    rp_program_destroy(&l.program);
    close_both();
}

/* Each slot has the host data of its own frame, whichever is finished first. */
static void test_two_slots(void **state)
{
    static struct launch l[2];
    const struct rp_plan plan = plan_of_both();

    (void) state;
    for (int k = 0; k < 2; k++)
        l[k].program = program_of(&plan, RP_FMT_BGR24, 1);
    for (int i = 0; i < 8; i += 2) {
        submit(&l[0], i, 1);
        submit(&l[1], i + 1, 1);
        finish(&l[(i + 2) / 2 % 2]);
        finish(&l[i / 2 % 2]);
    }
    for (int k = 0; k < 2; k++)
        rp_program_destroy(&l[k].program);
    close_both();
}

/* Frames with different numbers of faces through one launch, also fewer frames than it has. */
static void test_lockstep(void **state)
{
    static struct launch l[2];
    const struct rp_plan plan = plan_of_both();

    (void) state;
    for (int k = 0; k < 2; k++)
        l[k].program = program_of(&plan, RP_FMT_BGR24, LANES);
    for (int i = 0; i < 3; i++) {
        submit(&l[0], 8 * i, LANES);
        submit(&l[1], 8 * i + LANES, LANES - i);
        finish(&l[1]);
        finish(&l[0]);
    }
    for (int k = 0; k < 2; k++)
        rp_program_destroy(&l[k].program);
    close_both();
}

/* A failure of feed() ends the work, and does not affect the next frame. */
static void test_feed_fails(void **state)
{
    static struct launch l;
    const struct rp_plan plan = plan_of_both();
    struct rp_frame_result result;

    (void) state;
    l.program = program_of(&plan, RP_FMT_BGR24, 1);
    l.frame[0] = frame_over(l.pixels[0], 2);
    l.frame[0].time = -1;
    rp_log_hold(true);
    assert_int_equal(rp_program_run(l.program, &l.frame[0], false, &result), RP_ERR_INVALID);
    rp_log_hold(false);
    assert_non_null(strstr(rp_last_error(), "before the first"));
    submit(&l, 2, 1);
    finish(&l);
    rp_program_destroy(&l.program);
    close_both();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_negative),
        cmocka_unit_test(test_negative_of_planes),
        cmocka_unit_test(test_document),
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_two_slots),
        cmocka_unit_test(test_lockstep),
        cmocka_unit_test(test_feed_fails),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
