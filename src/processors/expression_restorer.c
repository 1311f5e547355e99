/* Expression restorer: each selected face gets back the expression that it had before any
 * processor, or part of it.
 *
 * The face is cut from the frame as it is now and from the original frame. FaceFusion takes the
 * place in the original from the face's place in the frame as it is now, even where a processor
 * has enlarged that; here the original's own is used, which is the same in frames of one size. */
#include "processors/live_portrait.h"

struct options {
    int model;
    int factor;
    struct rp_opt_choices areas;
};

enum area { UPPER_FACE, LOWER_FACE };

static const char *const areas[] = {"upper-face", "lower-face", NULL};

/* Points that always keep the expression of the frame as it is now, and those of each area, which
 * do unless it is chosen. One bit each. */
#define P(n) (1u << (n))
#define KEPT (P(0) | P(4) | P(5) | P(8) | P(9))
static const uint32_t points_of[] = {
    [UPPER_FACE] = P(1) | P(2) | P(6) | P(10) | P(11) | P(12) | P(13) | P(15) | P(16),
    [LOWER_FACE] = P(3) | P(7) | P(14) | P(17) | P(18) | P(19) | P(20),
};

/* clang-format off */
static const struct rp_opt opts[] = {
    {"expression-restorer-model", 0, RP_OPT_CHOICE, offsetof(struct options, model),
     .def_text = "live_portrait", .choices_fn = rp_portrait_choices,
     .help = "networks that restore the expression"},
    {"expression-restorer-factor", 0, RP_OPT_INT, offsetof(struct options, factor), 0, 100, 1,
     .def_text = "80", .meta = "PERCENT", .help = "how much of the expression is restored"},
    {"expression-restorer-areas", 0, RP_OPT_CHOICES, offsetof(struct options, areas),
     .def_text = "upper-face lower-face", .choices = areas,
     .help = "parts of the face whose expression is restored"},
    {0},
};
/* clang-format on */

static const struct rp_opt_group group = {
    "expression_restorer", "Expression restorer", sizeof(struct options), opts, "processors",
};

/* ---- shared ---------------------------------------------------------------------------------- */

struct restorer {
    struct rp_portrait portrait;
    float share, rest; /* of the original expression, and of the one now */
    uint32_t keep;
    struct rp_masks *masks;
};

static void destroy(void *self)
{
    struct restorer *const s = self;

    rp_portrait_close(&s->portrait);
    rp_masks_destroy(&s->masks);
}

/* 100 percent are 1.2 times the original expression, less 0.2 times the one now. */
static void use_options(struct restorer *s, const struct options *o)
{
    const double factor = o->factor * (1.2 / 100);

    s->share = (float) factor;
    s->rest = (float) (1 - factor);
    s->keep = KEPT | points_of[UPPER_FACE] | points_of[LOWER_FACE];
    for (int i = 0; i < o->areas.n; i++)
        s->keep &= ~points_of[o->areas.v[i]];
}

static int create(void *self, const struct rp_processor_context *context)
{
    static const struct rp_mask_use masks = {
        .always = RP_MASK_BIT(BOX), .chosen = RP_MASK_BIT(OCCLUSION), .no_padding = true};
    const struct options *const o = rp_settings_get(context->settings, &group);
    struct restorer *const s = self;

    use_options(s, o);
    RP_CHECK(rp_portrait_open(&s->portrait, context, "expression-restorer-model", o->model));
    RP_CHECK(rp_masks_create(&s->masks, context->pool, context->settings, &masks));
    return 0;
}

static const char *models_used(const void *self)
{
    return ((const struct restorer *) self)->portrait.name;
}

/* ---- one slot -------------------------------------------------------------------------------- */

struct restore_slot {
    const struct restorer *shared;
    struct rp_slot *slot;
    struct rp_portrait_nets nets;
    struct rp_face_loop loop;
    struct rp_face_crop crop, before; /* of the frame now, and of the original */
    struct rp_dface *face_before;
    float *expression; /* of the original */
};

static void detach(void *at)
{
    struct restore_slot *const s = at;

    rp_portrait_detach(&s->nets);
    rp_face_crop_close(&s->before);
    rp_face_crop_close(&s->crop);
}

static int attach(void *at, const void *self, struct rp_slot *slot, int w, int h)
{
    const struct restorer *const shared = self;
    struct restore_slot *const s = at;

    (void) w;
    (void) h;
    s->shared = shared;
    s->slot = slot;
    RP_CHECK(rp_portrait_attach(&s->nets, &shared->portrait, slot));
    RP_CHECK(rp_slot_alloc(slot, sizeof(*s->face_before), (void **) &s->face_before));
    RP_CHECK(rp_slot_alloc(slot, 3 * RP_PORTRAIT_POINTS * sizeof(float), (void **) &s->expression));
    RP_CHECK(rp_face_loop_open(&s->loop, slot));
    RP_CHECK(rp_face_crop_open(&s->crop, slot, RP_TEMPLATE_ARCFACE_128, RP_PORTRAIT_CROP,
                               shared->masks));
    RP_CHECK(rp_face_crop_open(&s->before, slot, RP_TEMPLATE_ARCFACE_128, RP_PORTRAIT_CROP, NULL));
    return 0;
}

/* The expression in the original frame. */
static void record_before(struct restore_slot *s, const struct rp_frame *frame)
{
    const struct rp_dface *face = s->loop.cur;

    if (frame->original_faces != frame->faces) {
        RP_OP(s->slot, face_pick, .faces = frame->original_faces, .selection = frame->selection,
              .index = s->loop.index, .cur = s->face_before);
        face = s->face_before;
    }
    rp_face_crop_cut(&s->before, &frame->original, face);
    rp_portrait_record_motion(&s->nets, &s->before.img);
    rp_record_copy(s->slot, s->expression, s->nets.face.expression,
                   3 * RP_PORTRAIT_POINTS * sizeof(float));
}

static void record(void *at, const struct rp_frame *frame)
{
    struct restore_slot *const s = at;
    const struct restorer *const shared = s->shared;
    const struct rp_portrait_nets *const nets = &s->nets;

    rp_face_loop_begin(&s->loop, frame, frame->selection);
    record_before(s, frame);
    rp_face_crop_cut(&s->crop, &frame->canvas.img, s->loop.cur);
    rp_portrait_record_motion(nets, &s->crop.img);
    RP_OP(s->slot, portrait_restore, .face = nets->face, .wanted = s->expression,
          .keep = shared->keep, .share = shared->share, .rest = shared->rest,
          .from = rp_portrait_now(nets), .to = rp_portrait_wanted(nets));
    rp_portrait_record_picture(nets);
    rp_face_crop_paste(
        &s->crop, frame, s->loop.cur,
        &(const struct rp_face_paste){.pixels = nets->pixels, .blend = 1, .bytes = true});
    rp_face_loop_end(&s->loop);
}

const struct rp_processor rp_expression_restorer = {
    .name = "expression_restorer",
    .help = "give the selected faces their original expression back",
    .group = &group,
    .wants_original = true,
    .self_size = sizeof(struct restorer),
    .create = create,
    .destroy = destroy,
    .models = models_used,
    .at_size = sizeof(struct restore_slot),
    .attach = attach,
    .detach = detach,
    .record = record,
};
