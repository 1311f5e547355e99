/* Face blur: each selected face is made unrecognisable. Ours; FaceFusion has nothing like it.
 *
 * What is covered follows from the detector's box alone, grown on all sides so that it holds the
 * whole head however it is turned: a landmarker that errs uncovers nothing. What is shown instead
 * is made of the means of a few cells, or of one colour, so that nothing finer is left in the file.
 *
 * It holds faces of a video where the detector misses them (face/hold.h). */
#include "processors/face_crop.h"

#include <math.h>

#define MASK_SIZE 256 /* of the aligned crop in which masks are made */

struct options {
    int mode; /* enum rp_cover_mode */
    int amount;
    int margin;
    struct rp_opt_ints colour;
    double hold;
};

static const char *const modes[] = {"blur", "pixelate", "cover", NULL};

/* clang-format off */
static const struct rp_opt opts[] = {
    {"face-blur-mode", 0, RP_OPT_CHOICE, offsetof(struct options, mode),
     .def_text = "pixelate", .choices = modes, .ours = true, .help = "smooth, in squares, or covered with a colour"},
    {"face-blur-amount", 0, RP_OPT_INT, offsetof(struct options, amount), 0, 100, 1,
     .def_text = "50", .meta = "AMOUNT",
     .ours = true, .help = "how coarse, whatever the size: 0 leaves 32 x 32 cells of a head, 50 8 x 8, 100 2 x 2"},
    {"face-blur-color", 0, RP_OPT_INTS, offsetof(struct options, colour), 0, 255, 1,
     .most = 3, .def_text = "0 0 0", .meta = "R G B", .ours = true, .help = "colour of the cover"},
    {"face-blur-margin", 0, RP_OPT_INT, offsetof(struct options, margin), 0, 100, 1,
     .def_text = "30", .meta = "PERCENT",
     .ours = true, .help = "how much more than the detector's box is covered on each side"},
    {"face-blur-hold", 0, RP_OPT_FLOAT, offsetof(struct options, hold), 0, 2, 0.05,
     .def_text = "0.5", .meta = "SECONDS",
     .ours = true, .help = "a face of a video stays covered so long where it is not found, before and after; 0: off"},
    {0},
};
/* clang-format on */

static const struct rp_opt_group group = {
    "face_blur", "Face blur", sizeof(struct options), opts, "processors",
};

/* The box is not a mask here: it is what is covered. */
static const struct rp_mask_use mask_use = {.chosen = RP_MASK_BIT(OCCLUSION) | RP_MASK_BIT(AREA) |
                                                      RP_MASK_BIT(REGION)};

/* ---- shared ---------------------------------------------------------------------------------- */

struct blur {
    int mode, colour[3]; /* BGR */
    struct rp_cover cover;
    struct rp_masks *masks; /* NULL: none was chosen */
};

static bool has_masks(const struct rp_settings *settings)
{
    const struct rp_mask_options *const o = rp_settings_get(settings, &rp_mask_group);

    for (int i = 0; i < o->types.n; i++)
        if (mask_use.chosen & 1u << o->types.v[i])
            return true;
    return false;
}

static void destroy(void *self)
{
    struct blur *const b = self;

    rp_masks_destroy(&b->masks);
}

static int read_options(struct blur *b, const struct rp_settings *settings)
{
    const struct options *const o = rp_settings_get(settings, &group);
    const struct rp_mask_options *const m = rp_settings_get(settings, &rp_mask_group);

    if (o->colour.n != 3)
        return rp_fail(RP_ERR_USAGE,
                       "--face-blur-color: %d number%s; give three, red, green and "
                       "blue",
                       o->colour.n, o->colour.n == 1 ? "" : "s");
    b->mode = o->mode;
    for (int i = 0; i < 3; i++)
        b->colour[i] = o->colour.v[2 - i];
    b->cover.cells = (int) lrint(RP_MAX_CELLS * exp2(-o->amount / 25.0));
    b->cover.margin = (float) (o->margin / 100.0);
    if (o->mode == RP_COVER_BLUR) /* the others end where they end */
        b->cover.feather = (float) (m->blur / 2);
    return 0;
}

static int create(void *self, const struct rp_processor_context *context)
{
    struct blur *const b = self;

    RP_CHECK(read_options(b, context->settings));
    if (has_masks(context->settings))
        RP_CHECK(rp_masks_create(&b->masks, context->pool, context->settings, &mask_use));
    return 0;
}

static const char *models_used(const void *self)
{
    (void) self;
    return "";
}

/* Points only place the crop in which masks are made. */
static unsigned needs_of(const struct rp_settings *settings)
{
    return has_masks(settings) ? RP_NEED_POINTS | rp_masks_needs(settings, &mask_use) : 0;
}

static double hold_of(const struct rp_settings *settings)
{
    return ((const struct options *) rp_settings_get(settings, &group))->hold;
}

/* ---- one slot -------------------------------------------------------------------------------- */

struct blur_slot {
    const struct blur *shared;
    struct rp_slot *slot;
    struct rp_face_loop loop;
    struct rp_face_crop crop; /* with the masks */
    uint8_t *cells;
};

static void detach(void *at)
{
    struct blur_slot *const b = at;

    rp_face_crop_close(&b->crop);
}

static int attach(void *at, const void *self, struct rp_slot *slot, int w, int h)
{
    struct blur_slot *const b = at;

    (void) w;
    (void) h;
    b->shared = self;
    b->slot = slot;
    RP_CHECK(rp_face_loop_open(&b->loop, slot));
    RP_CHECK(rp_slot_alloc(slot, (size_t) 3 * RP_MAX_CELLS * RP_MAX_CELLS, (void **) &b->cells));
    if (b->shared->masks)
        RP_CHECK(
            rp_face_crop_open(&b->crop, slot, RP_TEMPLATE_FFHQ_512, MASK_SIZE, b->shared->masks));
    return 0;
}

static void record_masks(struct blur_slot *b, const struct rp_frame *frame)
{
    const struct rp_dface *const face = b->loop.cur;

    if (rp_masks_see(b->shared->masks))
        rp_face_crop_cut(&b->crop, &frame->canvas.img, face);
    else
        rp_face_crop_place(&b->crop, face);
    rp_masker_record(
        b->crop.masker,
        &(const struct rp_mask_of){.face = face, .affine = b->crop.affine, .crop = &b->crop.img});
}

static void record(void *at, const struct rp_frame *frame)
{
    struct blur_slot *const b = at;
    const struct blur *const shared = b->shared;
    const bool masked = shared->masks != NULL;

    rp_face_loop_begin(&b->loop, frame, frame->selection);
    if (masked)
        record_masks(b, frame);
    if (shared->mode != RP_COVER_COLOUR)
        RP_OP(b->slot, cover_cells, .src = frame->canvas.img, .face = b->loop.cur,
              .cover = shared->cover, .dst = b->cells);
    RP_OP(b->slot, cover, .dst = frame->canvas, .face = b->loop.cur, .cover = shared->cover,
          .mode = shared->mode, .cells = b->cells,
          .colour = {shared->colour[0], shared->colour[1], shared->colour[2]},
          .mask = masked ? rp_masker_mask(b->crop.masker) : NULL,
          .affine = masked ? b->crop.affine : NULL, .w = masked ? MASK_SIZE : 0,
          .h = masked ? MASK_SIZE : 0);
    rp_face_loop_end(&b->loop);
}

const struct rp_processor rp_face_blur = {
    .name = "face_blur",
    .help = "make the selected faces unrecognisable",
    .group = &group,
    .needs_of = needs_of,
    .may_do_without_points = true,
    .hold = hold_of,
    .self_size = sizeof(struct blur),
    .create = create,
    .destroy = destroy,
    .models = models_used,
    .at_size = sizeof(struct blur_slot),
    .attach = attach,
    .detach = detach,
    .record = record,
};
