/* Face debugger: draws what the analysing stage found. */
#include "face/mask.h"
#include "processors/processor.h"

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
    struct rp_slot *slot;
    struct rp_masker *masker;
    struct rp_img crop; /* for the masks that look at it */
    struct rp_affine *affine;
    struct rp_dface *cur;
    int32_t *index;
    uint8_t *tmp;

    const struct rp_canvas *frame;
    const struct rp_dfaces *faces;
    const struct rp_selection *selection;
};

static void destroy(void **self)
{
    struct debugger *const d = *self;

    if (!d)
        return;
    rp_masks_destroy(&d->masks);
    free(d);
    *self = NULL;
}

static int create(void **self, const struct rp_processor_context *context)
{
    int ret;
    struct debugger *const d = *self = calloc(1, sizeof(*d));
    const struct options *const o = rp_settings_get(context->settings, &group);

    if (!d)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    for (int i = 0; i < o->items.n; i++)
        d->items |= item_bits[o->items.v[i]];
    if (d->items & RP_DEBUG_MASK)
        RP_TRY(rp_masks_create(&d->masks, context->pool, context->settings, &masks));
    return 0;

fail:
    destroy(self);
    return ret;
}

static const char *models_used(const void *self)
{
    (void) self;
    return "";
}

static void detach(void **at)
{
    struct debug_slot *const d = *at;

    if (!d)
        return;
    rp_masker_destroy(&d->masker);
    free(d);
    *at = NULL;
}

static int attach(void **at, const void *self, struct rp_slot *slot, int w, int h)
{
    int ret;
    struct debug_slot *const d = *at = calloc(1, sizeof(*d));

    if (!d)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    d->shared = self;
    d->slot = slot;
    RP_TRY(rp_slot_alloc(slot, sizeof(*d->cur), (void **) &d->cur));
    RP_TRY(rp_slot_alloc(slot, sizeof(*d->index), (void **) &d->index));
    if (d->shared->items & RP_DEBUG_MASK) {
        RP_TRY(rp_masker_create(&d->masker, d->shared->masks, slot, MASK_SIZE, MASK_SIZE));
        RP_TRY(rp_slot_image(slot, MASK_SIZE, MASK_SIZE, 3, &d->crop));
        RP_TRY(rp_slot_alloc(slot, sizeof(*d->affine), (void **) &d->affine));
        RP_TRY(rp_slot_alloc(slot, (size_t) w * (size_t) h, (void **) &d->tmp));
    }
    return 0;

fail:
    detach(at);
    return ret;
}

static int record_mask(struct debug_slot *d)
{
    struct rp_slot *const slot = d->slot;

    RP_CHECK(RP_OP(slot, align, .face = d->cur, .template_id = RP_TEMPLATE_ARCFACE_128,
                   .w = MASK_SIZE, .h = MASK_SIZE, .scale = 1, .dst = d->affine));
    if (rp_masks_see(d->shared->masks))
        RP_CHECK(RP_OP(slot, warp, .src = d->frame->img, .affine = d->affine, .dst = d->crop,
                       .border = 1));
    RP_CHECK(rp_masker_record(d->masker, d->cur, d->affine, &d->crop, NULL));
    RP_CHECK(RP_OP(slot, draw_mask, .dst = *d->frame, .face = d->cur,
                   .mask = rp_masker_mask(d->masker), .w = MASK_SIZE, .h = MASK_SIZE,
                   .affine = d->affine, .tmp = d->tmp));
    return 0;
}

/* Box first, then the mask, then points: later ones lie on top. */
static int record_face(void *priv)
{
    struct debug_slot *const d = priv;
    struct rp_slot *const slot = d->slot;
    const unsigned bits = d->shared->items;

    RP_CHECK(RP_OP(slot, face_pick, .faces = d->faces, .selection = d->selection, .index = d->index,
                   .cur = d->cur));
    if (bits & RP_DEBUG_BOX)
        RP_CHECK(RP_OP(slot, draw_face, .dst = *d->frame, .face = d->cur, .items = RP_DEBUG_BOX));
    if (bits & RP_DEBUG_MASK)
        RP_CHECK(record_mask(d));
    RP_CHECK(RP_OP(slot, draw_face, .dst = *d->frame, .face = d->cur,
                   .items = bits & ~(unsigned) (RP_DEBUG_BOX | RP_DEBUG_MASK)));
    return 0;
}

static int record(void *at, const struct rp_canvas *frame, const struct rp_dfaces *faces,
                  const struct rp_selection *selection)
{
    struct debug_slot *const d = at;

    d->frame = frame;
    d->faces = faces;
    d->selection = selection;
    return rp_slot_loop(d->slot, &selection->count, d->index, record_face, d);
}

/* Boxes and the detector's points are there anyway; a box shows which way is up. */
static unsigned needs_of(const struct rp_settings *settings)
{
    static const unsigned needs[] = {RP_NEED_TURN, 0, RP_NEED_POINTS, RP_NEED_LANDMARKS,
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
    .create = create,
    .destroy = destroy,
    .models = models_used,
    .attach = attach,
    .detach = detach,
    .record = record,
};
