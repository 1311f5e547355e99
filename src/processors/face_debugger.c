/* Face debugger: draws what the analysing stage found. */
#include "processors/face_crop.h"

#define MASK_SIZE 512

struct options {
    struct rp_opt_choices items;
};

static const char *const items[] = {
    "bounding-box", "face-landmark-5", "face-landmark-5/68", "face-landmark-68",
    "face-landmark-68/5", "face-mask", NULL,
};

/* In the order of the choices. */
static const unsigned item_bits[] = {
    RP_DEBUG_BOX, RP_DEBUG_LANDMARK_5, RP_DEBUG_LANDMARK_5_68, RP_DEBUG_LANDMARK_68,
    RP_DEBUG_LANDMARK_68_5, RP_DEBUG_MASK,
};

static const struct rp_opt opts[] = {
    {"face-debugger-items", 0, RP_OPT_CHOICES, offsetof(struct options, items),
     .def_text = "face-landmark-5/68 face-mask", .choices = items, .help = "what to draw"},
    {0},
};

static const struct rp_opt_group group = {
    "face_debugger", "Face debugger", sizeof(struct options), opts, "processors",
};

/* The contour shows where the mask begins, not its softness. */
static const struct rp_mask_use masks = {.chosen = RP_MASK_ALL, .no_blur = true};

struct debugger {
    unsigned items;
    struct rp_masks *masks; /* NULL when they are not drawn */
};

struct debug_slot {
    const struct debugger *shared;
    struct rp_face_loop loop;
    struct rp_face_crop crop; /* with the mask */
    uint8_t *tmp;
};

static void destroy(void *self)
{
    struct debugger *const d = self;

    rp_masks_destroy(&d->masks);
}

static int create(void *self, const struct rp_processor_context *context)
{
    struct debugger *const d = self;
    const struct options *const o = rp_settings_get(context->settings, &group);

    for (int i = 0; i < o->items.n; i++)
        d->items |= item_bits[o->items.v[i]];
    if (d->items & RP_DEBUG_MASK)
        RP_CHECK(rp_masks_create(&d->masks, context->pool, context->settings, &masks));
    return 0;
}

static const char *models_used(const void *self)
{
    (void) self;
    return "";
}

static void detach(void *at)
{
    struct debug_slot *const d = at;

    rp_face_crop_close(&d->crop);
}

static int attach(void *at, const void *self, struct rp_slot *slot, int w, int h)
{
    struct debug_slot *const d = at;

    d->shared = self;
    RP_CHECK(rp_face_loop_open(&d->loop, slot));
    if (d->shared->items & RP_DEBUG_MASK) {
        RP_CHECK(rp_face_crop_open(&d->crop, slot, RP_TEMPLATE_ARCFACE_128, MASK_SIZE,
                                   d->shared->masks));
        RP_CHECK(rp_slot_alloc(slot, (size_t) w * (size_t) h, (void **) &d->tmp));
    }
    return 0;
}

static void record_mask(struct debug_slot *d, const struct rp_frame *frame)
{
    const struct rp_dface *const face = d->loop.cur;

    if (rp_masks_see(d->shared->masks))
        rp_face_crop_cut(&d->crop, &frame->canvas.img, face);
    else
        rp_face_crop_place(&d->crop, face);
    rp_masker_record(d->crop.masker, &(const struct rp_mask_of){
        .face = face, .affine = d->crop.affine, .crop = &d->crop.img});
    RP_OP(frame->slot, draw_mask, .dst = frame->canvas, .face = face,
          .mask = rp_masker_mask(d->crop.masker), .w = MASK_SIZE, .h = MASK_SIZE,
          .affine = d->crop.affine, .tmp = d->tmp);
}

/* Box first, then the mask, then points: later ones lie on top. */
static void record(void *at, const struct rp_frame *frame)
{
    struct debug_slot *const d = at;
    const unsigned bits = d->shared->items;

    rp_face_loop_begin(&d->loop, frame, frame->selection);
    if (bits & RP_DEBUG_BOX)
        RP_OP(frame->slot, draw_face, .dst = frame->canvas, .face = d->loop.cur,
              .items = RP_DEBUG_BOX);
    if (bits & RP_DEBUG_MASK)
        record_mask(d, frame);
    RP_OP(frame->slot, draw_face, .dst = frame->canvas, .face = d->loop.cur,
          .items = bits & ~(unsigned) (RP_DEBUG_BOX | RP_DEBUG_MASK));
    rp_face_loop_end(&d->loop);
}

/* Boxes and the detector's points need nothing more, but a box also shows which way is up. */
static unsigned needs_of(const struct rp_settings *settings)
{
    static const unsigned needs[] = {RP_NEED_ANGLE, 0, RP_NEED_POINTS, RP_NEED_LANDMARKS,
                                     RP_NEED_LIFTED, RP_NEED_POINTS};
    const struct options *const o = rp_settings_get(settings, &group);
    unsigned all = 0;

    for (int i = 0; i < o->items.n; i++) {
        all |= needs[o->items.v[i]];
        if (item_bits[o->items.v[i]] == RP_DEBUG_MASK)
            all |= rp_masks_needs(settings, &masks);
    }
    return all;
}

const struct rp_processor rp_face_debugger = {
    .name = "face_debugger",
    .help = "draw boxes, landmarks and masks of the selected faces",
    .group = &group,
    .needs_of = needs_of,
    .may_do_without_points = true,
    .self_size = sizeof(struct debugger),
    .create = create,
    .destroy = destroy,
    .models = models_used,
    .at_size = sizeof(struct debug_slot),
    .attach = attach,
    .detach = detach,
    .record = record,
};
