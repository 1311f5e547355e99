/* Face editor: opens and closes eyes and mouth of each selected face, turns its head, and moves
 * what makes its expression.
 *
 * In FaceFusion's order: the sliders move points of the expression, which is then limited; the head
 * is turned; two networks (retargeters) say how the points move when eyes or lips open, and a third
 * (the stitcher) adapts the points, so that the neck and what is around the face stay. A retargeter
 * whose slider is 0 would add nothing, and is not run. */
#include "processors/live_portrait.h"

#include <math.h>

#define POINTS (3 * RP_PORTRAIT_POINTS)

enum slider {
    EYEBROW_DIRECTION,
    EYE_GAZE_HORIZONTAL,
    EYE_GAZE_VERTICAL,
    EYE_OPEN_RATIO,
    LIP_OPEN_RATIO,
    MOUTH_GRIM,
    MOUTH_POUT,
    MOUTH_PURSE,
    MOUTH_SMILE,
    MOUTH_POSITION_HORIZONTAL,
    MOUTH_POSITION_VERTICAL,
    HEAD_PITCH,
    HEAD_YAW,
    HEAD_ROLL,
    SLIDERS
};

struct options {
    int model;
    double slider[SLIDERS]; /* -1..1 */
};

#define SLIDER(text, number, what)                                                     \
    {                                                                                  \
        "face-editor-" text, 0, RP_OPT_FLOAT,                                          \
            offsetof(struct options, slider) + (number) * sizeof(double), -1, 1, 0.05, \
            .def_text = "0", .meta = "AMOUNT", .help = (what)                          \
    }

/* clang-format off */
static const struct rp_opt opts[] = {
    {"face-editor-model", 0, RP_OPT_CHOICE, offsetof(struct options, model),
     .def_text = "live_portrait", .choices_fn = rp_portrait_choices,
     .help = "networks that edit the face"},
    SLIDER("eyebrow-direction", EYEBROW_DIRECTION, "eyebrows lower or higher"),
    SLIDER("eye-gaze-horizontal", EYE_GAZE_HORIZONTAL, "where the eyes look, across"),
    SLIDER("eye-gaze-vertical", EYE_GAZE_VERTICAL, "where the eyes look, up and down"),
    SLIDER("eye-open-ratio", EYE_OPEN_RATIO, "eyes closed or open"),
    SLIDER("lip-open-ratio", LIP_OPEN_RATIO, "lips closed or open"),
    SLIDER("mouth-grim", MOUTH_GRIM, "how grim the mouth is"),
    SLIDER("mouth-pout", MOUTH_POUT, "how far the lips pout"),
    SLIDER("mouth-purse", MOUTH_PURSE, "how far the lips are pursed"),
    SLIDER("mouth-smile", MOUTH_SMILE, "how much the mouth smiles"),
    SLIDER("mouth-position-horizontal", MOUTH_POSITION_HORIZONTAL, "place of the mouth, across"),
    SLIDER("mouth-position-vertical", MOUTH_POSITION_VERTICAL, "place of the mouth, up and down"),
    SLIDER("head-pitch", HEAD_PITCH, "head turned up or down"),
    SLIDER("head-yaw", HEAD_YAW, "head turned sideways"),
    SLIDER("head-roll", HEAD_ROLL, "head tilted"),
    {0},
};
/* clang-format on */

static const struct rp_opt_group group = {
    "face_editor", "Face editor", sizeof(struct options), opts, "processors",
};

/* ---- what the sliders do --------------------------------------------------------------------- */

enum { X, Y, Z };

/* A slider above 0 adds `above` times its value to a number of the expression, else `below` times.
 */
struct effect {
    enum slider slider;
    int point, axis;
    double above, below;
};

/* clang-format off */
static const struct effect effects[] = {
    {EYE_GAZE_HORIZONTAL,       11, X,  0.015,   0.020},
    {EYE_GAZE_HORIZONTAL,       15, X,  0.020,   0.015},
    {EYE_GAZE_VERTICAL,          1, Y,  0.0025,  0.0025},
    {EYE_GAZE_VERTICAL,          2, Y, -0.0025, -0.0025},
    {EYE_GAZE_VERTICAL,         11, Y, -0.010,  -0.010},
    {EYE_GAZE_VERTICAL,         13, Y, -0.005,  -0.005},
    {EYE_GAZE_VERTICAL,         15, Y, -0.010,  -0.010},
    {EYE_GAZE_VERTICAL,         16, Y, -0.005,  -0.005},
    {MOUTH_GRIM,                17, Z, -0.005,   0},
    {MOUTH_GRIM,                19, Y,  0,      -0.05},
    {MOUTH_GRIM,                19, Z,  0.01,   -0.02},
    {MOUTH_GRIM,                20, Y, -0.06,    0},
    {MOUTH_GRIM,                20, Z, -0.03,   -0.03},
    {MOUTH_POSITION_HORIZONTAL, 19, X,  0.05,    0.05},
    {MOUTH_POSITION_HORIZONTAL, 20, X,  0.04,    0.04},
    {MOUTH_POSITION_VERTICAL,   19, Y, -0.04,   -0.05},
    {MOUTH_POSITION_VERTICAL,   20, Y, -0.02,   -0.04},
    {MOUTH_POUT,                19, Y, -0.022,   0.022},
    {MOUTH_POUT,                19, Z,  0.025,   0.025},
    {MOUTH_POUT,                20, Z, -0.002,  -0.002},
    {MOUTH_PURSE,               14, Y,  0,      -0.02},
    {MOUTH_PURSE,               17, Z,  0,       0.01},
    {MOUTH_PURSE,               19, Y, -0.04,    0},
    {MOUTH_PURSE,               19, Z, -0.02,   -0.015},
    {MOUTH_PURSE,               20, Z,  0,      -0.002},
    {MOUTH_SMILE,                3, Y, -0.0045,  0.0045},
    {MOUTH_SMILE,                7, Y, -0.0045,  0.0045},
    {MOUTH_SMILE,               14, Y, -0.025,  -0.02},
    {MOUTH_SMILE,               17, Y,  0.01,    0.003},
    {MOUTH_SMILE,               17, Z,  0.004,   0},
    {MOUTH_SMILE,               19, Y,  0,       0.02},
    {MOUTH_SMILE,               19, Z,  0,      -0.005},
    {MOUTH_SMILE,               20, Y, -0.015,   0},
    {MOUTH_SMILE,               20, Z,  0,       0.01},
    {EYEBROW_DIRECTION,          1, X,  0,      -0.015},
    {EYEBROW_DIRECTION,          1, Y,  0.015,   0.005},
    {EYEBROW_DIRECTION,          2, X,  0,       0.020},
    {EYEBROW_DIRECTION,          2, Y, -0.020,  -0.005},
};
/* clang-format on */

/* Degrees per unit of the sliders for the head. */
static const double turns[3] = {-20, -60, 15};

/* How far eyes and lips are open in the end, for the retargeters. */
#define EYES_OPEN 0.6f
#define LIPS_OPEN 1.0f

/* ---- shared ---------------------------------------------------------------------------------- */

struct editor {
    struct rp_portrait portrait;
    struct rp_model *eye, *lip, *stitcher;
    int in_wanted, in_now; /* of the stitcher */
    double slider[SLIDERS];
    double *move; /* [21][3] */
    struct rp_masks *masks;
};

static void destroy(void *self)
{
    struct editor *const s = self;

    rp_portrait_close(&s->portrait);
    rp_masks_destroy(&s->masks);
}

static int open_retargeter(const struct rp_processor_context *context, const char *name,
                           int64_t numbers, struct rp_model **model)
{
    RP_CHECK(rp_portrait_part(context, name, model));
    RP_CHECK(
        rp_model_expect_input(*model, "input", 0, RP_TYPE_F32, 2, (const int64_t[]){-1, numbers}));
    return rp_model_expect_outputs(*model, 1);
}

static int open_models(struct editor *s, const struct rp_processor_context *context)
{
    static const int64_t points[] = {-1, RP_PORTRAIT_POINTS, 3};

    RP_CHECK(open_retargeter(context, "live_portrait_eye_retargeter", POINTS + 3, &s->eye));
    RP_CHECK(open_retargeter(context, "live_portrait_lip_retargeter", POINTS + 2, &s->lip));
    RP_CHECK(rp_portrait_part(context, "live_portrait_stitcher", &s->stitcher));
    RP_CHECK(s->in_wanted =
                 rp_model_expect_input(s->stitcher, "source", 0, RP_TYPE_F32, 3, points));
    RP_CHECK(s->in_now = rp_model_expect_input(s->stitcher, "target", 0, RP_TYPE_F32, 3, points));
    return rp_model_expect_outputs(s->stitcher, 1);
}

static int make_move(struct editor *s)
{
    double move[POINTS] = {0};

    for (size_t i = 0; i < RP_ARRAY_LEN(effects); i++) {
        const struct effect *const e = &effects[i];
        const double v = s->slider[e->slider];

        move[3 * e->point + e->axis] += (v > 0 ? e->above : e->below) * v;
    }
    return rp_slot_constant(s->portrait.slot, move, sizeof(move), (void **) &s->move);
}

static int create(void *self, const struct rp_processor_context *context)
{
    static const struct rp_mask_use masks = {.always = RP_MASK_BIT(BOX), .no_padding = true};
    const struct options *const o = rp_settings_get(context->settings, &group);
    struct editor *const s = self;

    memcpy(s->slider, o->slider, sizeof(s->slider));
    RP_CHECK(rp_portrait_open(&s->portrait, context, "face-editor-model", o->model));
    RP_CHECK(open_models(s, context));
    RP_CHECK(make_move(s));
    RP_CHECK(rp_masks_create(&s->masks, context->pool, context->settings, &masks));
    return 0;
}

static const char *models_used(const void *self)
{
    return ((const struct editor *) self)->portrait.name;
}

/* The retargeters are told how far eyes and lips are open. */
static unsigned needs_of(const struct rp_settings *settings)
{
    const struct options *const o = rp_settings_get(settings, &group);

    return o->slider[EYE_OPEN_RATIO] != 0 || o->slider[LIP_OPEN_RATIO] != 0 ? RP_NEED_LANDMARKS : 0;
}

/* ---- one slot -------------------------------------------------------------------------------- */

struct edit_slot {
    const struct editor *shared;
    struct rp_slot *slot;
    struct rp_portrait_nets nets;
    struct rp_net *eye, *lip; /* NULL: not needed */
    struct rp_net *stitcher;
    struct rp_face_loop loop;
    struct rp_face_crop crop;
};

static void detach(void *at)
{
    struct edit_slot *const s = at;

    rp_net_close(&s->eye);
    rp_net_close(&s->lip);
    rp_portrait_detach(&s->nets);
    rp_net_close(&s->stitcher);
    rp_face_crop_close(&s->crop);
}

static int open_eye_or_lip(struct edit_slot *s, struct rp_net **net, struct rp_model *model,
                           int64_t numbers)
{
    const int64_t dim[] = {1, numbers};
    const int64_t *dims[RP_MAX_TENSORS] = {dim};

    RP_CHECK(rp_net_open(net, s->slot, model, dims));
    return rp_portrait_expect(*net, 0, POINTS);
}

/* The generator reads what the stitcher reads and writes. */
static int open_stitcher(struct edit_slot *s)
{
    static const int64_t points[] = {1, RP_PORTRAIT_POINTS, 3};
    const struct editor *const shared = s->shared;
    const struct rp_portrait *const p = &shared->portrait;
    const int64_t *dims[RP_MAX_TENSORS] = {0};

    dims[shared->in_wanted] = dims[shared->in_now] = points;
    RP_CHECK(rp_net_open(&s->stitcher, s->slot, shared->stitcher, dims));
    RP_CHECK(rp_portrait_expect(s->stitcher, 0, POINTS));
    RP_CHECK(rp_net_set_input(s->nets.generator, p->in_wanted, s->stitcher->out[0].data));
    return rp_net_set_input(s->nets.generator, p->in_now, s->stitcher->in[shared->in_now].data);
}

static int attach(void *at, const void *self, struct rp_slot *slot, int w, int h)
{
    const struct editor *const shared = self;
    struct edit_slot *const s = at;

    (void) w;
    (void) h;
    s->shared = shared;
    s->slot = slot;
    RP_CHECK(rp_portrait_attach(&s->nets, &shared->portrait, slot));
    RP_CHECK(open_stitcher(s));
    if (shared->slider[EYE_OPEN_RATIO] != 0)
        RP_CHECK(open_eye_or_lip(s, &s->eye, shared->eye, POINTS + 3));
    if (shared->slider[LIP_OPEN_RATIO] != 0)
        RP_CHECK(open_eye_or_lip(s, &s->lip, shared->lip, POINTS + 2));
    RP_CHECK(rp_face_loop_open(&s->loop, slot));
    RP_CHECK(
        rp_face_crop_open(&s->crop, slot, RP_TEMPLATE_FFHQ_512, RP_PORTRAIT_CROP, shared->masks));
    s->crop.scale = 1.5f;
    return 0;
}

/* The points as they are and as they should be, into the stitcher's inputs. */
static void record_points(const struct edit_slot *s)
{
    const struct editor *const shared = s->shared;
    const double eye = shared->slider[EYE_OPEN_RATIO], lip = shared->slider[LIP_OPEN_RATIO];
    float *const wanted = s->stitcher->in[shared->in_wanted].data;
    struct rp_op_portrait_edit edit = {
        .face = s->nets.face,
        .move = shared->move,
        .points = s->loop.cur,
        .eye_wish = eye < 0 ? 0 : EYES_OPEN,
        .lip_wish = lip < 0 ? 0 : LIPS_OPEN,
        .from = s->stitcher->in[shared->in_now].data,
        .to = wanted,
        .eye = s->eye ? s->eye->in[0].data : NULL,
        .lip = s->lip ? s->lip->in[0].data : NULL,
    };

    for (int i = 0; i < 3; i++)
        edit.turn[i] = (float) (turns[i] * shared->slider[HEAD_PITCH + i]);
    RP_OP_FROM(s->slot, portrait_edit, &edit);
    if (s->eye)
        rp_record_run(s->eye);
    if (s->lip)
        rp_record_run(s->lip);
    if (s->eye || s->lip)
        RP_OP(s->slot, portrait_add, .points = wanted, .eye = s->eye ? s->eye->out[0].data : NULL,
              .lip = s->lip ? s->lip->out[0].data : NULL, .eye_share = (float) fabs(eye),
              .lip_share = (float) fabs(lip));
}

static void record(void *at, const struct rp_frame *frame)
{
    struct edit_slot *const s = at;

    rp_face_loop_begin(&s->loop, frame, frame->selection);
    rp_face_crop_cut(&s->crop, &frame->canvas.img, s->loop.cur);
    rp_portrait_record_motion(&s->nets, &s->crop.img);
    record_points(s);
    rp_record_run(s->stitcher);
    rp_portrait_record_picture(&s->nets);
    rp_face_crop_paste(
        &s->crop, frame, s->loop.cur,
        &(const struct rp_face_paste){.pixels = s->nets.pixels, .blend = 1, .bytes = true});
    rp_face_loop_end(&s->loop);
}

const struct rp_processor rp_face_editor = {
    .name = "face_editor",
    .help = "move eyes, mouth and head of the selected faces",
    .group = &group,
    .needs_of = needs_of,
    .self_size = sizeof(struct editor),
    .create = create,
    .destroy = destroy,
    .models = models_used,
    .at_size = sizeof(struct edit_slot),
    .attach = attach,
    .detach = detach,
    .record = record,
};
