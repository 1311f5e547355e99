/* Age modifier: the selected faces become younger or older. Its two networks have little in common:
 *
 *   fran            is told the face's age, which the classifier estimates, and the one it shall
 *                   have; its result is pasted as it is
 *   styleganex_age  sees the face in a small crop and, wider and larger, with what is around it;
 * its result gets the colours of the wide crop, in whose place it is pasted
 *
 * The masks are the box without padding and, if chosen, the occlusion mask. */
#include "processors/face_colours.h"
#include "processors/face_crop.h"

enum {
    FRAN_SIZE = 1024,
    FACE_SIZE = 256, /* of styleganex_age */
    WIDE_SIZE = 384,
    DRAWN_SIZE = 1024, /* in which its result is pasted */
    MAX_DRAWN = 2048,  /* as the network may make it */
};

static const double wide_scale = 0.875;         /* of the points, for the wide crop */
/* Of the colour match: even, evenly spaced below DRAWN_SIZE. */
static const int steps[RP_COLOUR_STEPS] = {16, 352, 688};

struct options {
    int model;
    int direction;
};

struct age_model {
    const char *name;
    bool wide; /* as styleganex_age, else as fran */
};

static const struct age_model models[] = {
    {"fran", false},
    {"styleganex_age", true},
};

static const char *const *model_choices(void)
{
    return rp_catalogue_choices(RP_KIND_AGE_MODIFIER);
}

/* clang-format off */
static const struct rp_opt opts[] = {
    {"age-modifier-model", 0, RP_OPT_CHOICE, offsetof(struct options, model),
     .def_text = "fran", .choices_fn = model_choices, .help = "ageing network"},
    {"age-modifier-direction", 0, RP_OPT_INT, offsetof(struct options, direction), -100, 100, 1,
     .def_text = "0", .meta = "N", .help = "younger below 0, older above; years for fran"},
    {0},
};
/* clang-format on */

static const struct rp_opt_group group = {
    "age_modifier", "Age modifier", sizeof(struct options), opts, "processors",
};

static bool is_wide(const struct options *o)
{
    return ((const struct age_model *) RP_FACTS(models, model_choices()[o->model]))->wide;
}

static unsigned needs_of(const struct rp_settings *settings)
{
    return is_wide(rp_settings_get(settings, &group)) ? 0 : RP_NEED_CLASSES;
}

/* ---- shared ---------------------------------------------------------------------------------- */

struct age_modifier {
    const struct age_model *m;
    struct rp_model *model;
    int in_face, in_wide, in_direction; /* in_wide -1: the model has none */
    int years;
    struct rp_masks *masks; /* of the crop of the face */
    struct rp_masks *box;   /* styleganex_age: of the wide one */
    struct rp_slot *slot;   /* owns the constants */
    float *lut, *direction;
};

static void destroy(void *self)
{
    struct age_modifier *const s = self;

    rp_slot_destroy(&s->slot);
    rp_masks_destroy(&s->masks);
    rp_masks_destroy(&s->box);
}

static int expect_picture(const struct age_modifier *s, const char *name, int64_t size)
{
    return rp_model_expect_input(s->model, name, 0, RP_TYPE_F32, 4,
                                 (const int64_t[]){-1, 3, size, size});
}

static int open_model(struct age_modifier *s, const struct rp_processor_context *context,
                      const struct options *o)
{
    const struct rp_model_entry *entry;

    RP_CHECK(rp_pool_get(context->pool, RP_KIND_AGE_MODIFIER, model_choices()[o->model],
                         rp_settings_is_set(context->settings, "age-modifier-model"), &entry,
                         &s->model));
    s->m = RP_FACTS(models, entry->name);
    s->years = o->direction;
    RP_CHECK(s->in_face = expect_picture(s, "target", s->m->wide ? FACE_SIZE : FRAN_SIZE));
    s->in_wide = rp_model_find_input(s->model, "target_with_background");
    if (s->m->wide || s->in_wide >= 0)
        RP_CHECK(s->in_wide = expect_picture(s, "target_with_background",
                                             s->m->wide ? WIDE_SIZE : FRAN_SIZE));
    RP_CHECK(s->in_direction = rp_model_expect_input(s->model, "direction", 0, RP_TYPE_F32,
                                                     s->m->wide ? 0 : 1, (const int64_t[]){2}));
    return rp_model_expect_outputs(s->model, 1);
}

/* fran's masks; of styleganex_age the box belongs to the wide crop, and what hides the face is seen
 * in that of the face. */
static int make_masks(struct age_modifier *s, const struct rp_processor_context *context)
{
    struct rp_mask_use use = {.always = s->m->wide ? 0 : RP_MASK_BIT(BOX),
                              .chosen = RP_MASK_BIT(OCCLUSION),
                              .no_padding = true};

    RP_CHECK(rp_masks_create(&s->masks, context->pool, context->settings, &use));
    if (!s->m->wide)
        return 0;
    use = (struct rp_mask_use){
        .always = RP_MASK_BIT(BOX), .no_padding = true, .own = rp_masks_see(s->masks)};
    return rp_masks_create(&s->box, context->pool, context->settings, &use);
}

static int make_constants(struct age_modifier *s)
{
    float lut[3][256];
    const float direction = (float) (-s->years / 40.0); /* 2.5 to -2.5 */
    static const double none[3] = {0, 0, 0}, half[3] = {0.5, 0.5, 0.5}, one[3] = {1, 1, 1};

    rp_tensor_lut(lut, 255, s->m->wide ? half : none, s->m->wide ? half : one);
    RP_CHECK(rp_slot_constant(s->slot, lut, sizeof(lut), (void **) &s->lut));
    return rp_slot_constant(s->slot, &direction, sizeof(direction), (void **) &s->direction);
}

static int create(void *self, const struct rp_processor_context *context)
{
    struct age_modifier *const s = self;

    RP_CHECK(open_model(s, context, rp_settings_get(context->settings, &group)));
    RP_CHECK(make_masks(s, context));
    RP_CHECK(rp_slot_create(&s->slot, rp_pool_device(context->pool)));
    RP_CHECK(make_constants(s));
    return 0;
}

static const char *models_used(const void *self)
{
    return ((const struct age_modifier *) self)->m->name;
}

/* ---- one slot -------------------------------------------------------------------------------- */

/* What only styleganex_age needs. */
struct wide_slot {
    struct rp_face_crop crop; /* its map and pixels; it is not pasted */
    struct rp_masker *masker; /* in the size of that crop */
    struct rp_affine *affine; /* to where it is pasted */
    float *hidden, *mask;     /* the occlusion mask in the wide crop; the mask for pasting */
    int made;                 /* side of the network's result */
    struct rp_img raw, drawn; /* that in 8 bits; in DRAWN_SIZE */
    struct rp_face_colours colours;
};

struct age_slot {
    const struct age_modifier *shared;
    struct rp_slot *slot;
    struct rp_net *net;
    struct rp_face_loop loop;
    struct rp_face_crop crop;
    struct wide_slot wide;
    float *values; /* the network's result as pixels */
    float *result; /* what is pasted */
};

static void detach(void *at)
{
    struct age_slot *const s = at;

    rp_net_close(&s->net);
    rp_masker_destroy(&s->wide.masker);
    rp_face_crop_close(&s->crop);
}

static int open_net(struct age_slot *s)
{
    const struct age_modifier *const shared = s->shared;
    const bool wide = shared->m->wide;
    const int64_t size = wide ? FACE_SIZE : FRAN_SIZE, more = wide ? WIDE_SIZE : FRAN_SIZE;
    const int64_t face[] = {1, 3, size, size}, around[] = {1, 3, more, more}, pair[] = {2};
    const int64_t *dims[RP_MAX_TENSORS] = {0};

    dims[shared->in_face] = face;
    if (shared->in_wide >= 0)
        dims[shared->in_wide] = around;
    dims[shared->in_direction] = pair;
    RP_CHECK(rp_net_open(&s->net, s->slot, shared->model, dims));
    return wide ? rp_net_set_input(s->net, shared->in_direction, shared->direction)
                : rp_face_crop_expect_output(s->net, 1, FRAN_SIZE);
}

/* The wide network's result has a size of its own. */
static int read_made(struct age_slot *s)
{
    const struct rp_tensor *const t = &s->net->out[0];
    const int64_t side = t->rank ? t->dim[t->rank - 1] : 0;

    if (t->type != RP_TYPE_F32 || side < DRAWN_SIZE || side > MAX_DRAWN ||
        t->count != (size_t) (3 * side * side))
        return rp_fail(RP_ERR_MODEL, "%s: its output is not float32 1x3xNxN with N from %d to %d",
                       rp_model_path(s->net->model), DRAWN_SIZE, MAX_DRAWN);
    s->wide.made = (int) side;
    return 0;
}

static int make_wide(struct age_slot *s)
{
    struct wide_slot *const w = &s->wide;
    const size_t wide = (size_t) WIDE_SIZE * WIDE_SIZE, drawn = (size_t) DRAWN_SIZE * DRAWN_SIZE;

    RP_CHECK(read_made(s));
    RP_CHECK(rp_face_crop_open(&w->crop, s->slot, RP_TEMPLATE_STYLEGANEX_384, WIDE_SIZE, NULL));
    RP_CHECK(rp_masker_create(&w->masker, s->shared->box, s->slot, WIDE_SIZE, WIDE_SIZE));
    RP_CHECK(rp_slot_alloc(s->slot, sizeof(*w->affine), (void **) &w->affine));
    RP_CHECK(rp_slot_alloc(s->slot, wide * sizeof(float), (void **) &w->hidden));
    RP_CHECK(rp_slot_alloc(s->slot, drawn * sizeof(float), (void **) &w->mask));
    RP_CHECK(rp_slot_image(s->slot, w->made, w->made, 3, &w->raw));
    w->drawn = w->raw;
    if (w->made != DRAWN_SIZE)
        RP_CHECK(rp_slot_image(s->slot, DRAWN_SIZE, DRAWN_SIZE, 3, &w->drawn));
    RP_CHECK(rp_face_colours_open(&w->colours, s->slot, DRAWN_SIZE, steps, RP_COLOUR_STEPS));
    return rp_slot_alloc(s->slot, 3 * drawn * sizeof(float), (void **) &s->result);
}

static int attach(void *at, const void *self, struct rp_slot *slot, int w, int h)
{
    const struct age_modifier *const shared = self;
    const bool wide = shared->m->wide;
    struct age_slot *const s = at;

    (void) w;
    (void) h;
    s->shared = shared;
    s->slot = slot;
    RP_CHECK(open_net(s));
    RP_CHECK(rp_slot_alloc(slot, s->net->out[0].bytes, (void **) &s->values));
    RP_CHECK(rp_face_loop_open(&s->loop, slot));
    RP_CHECK(rp_face_crop_open(&s->crop, slot, RP_TEMPLATE_FFHQ_512, wide ? FACE_SIZE : FRAN_SIZE,
                               wide && !rp_masks_see(shared->masks) ? NULL : shared->masks));
    if (wide)
        RP_CHECK(make_wide(s));
    return 0;
}

/* ---- recording ------------------------------------------------------------------------------- */

static void record_tensor(const struct age_slot *s, const struct rp_img *img, int input)
{
    RP_OP(s->slot, to_tensor, .src = *img, .lut = s->shared->lut, .dst = s->net->in[input].data,
          .w = img->w, .h = img->h, .rgb = 1, .step = 1);
}

static void record_fran(struct age_slot *s, const struct rp_frame *frame)
{
    const struct age_modifier *const shared = s->shared;

    RP_OP(s->slot, age_pair, .face = s->loop.cur, .years = (float) shared->years,
          .dst = s->net->in[shared->in_direction].data);
    record_tensor(s, &s->crop.img, shared->in_face);
    if (shared->in_wide >= 0)
        record_tensor(s, &s->crop.img, shared->in_wide);
    rp_record_run(s->net);
    RP_OP(s->slot, from_tensor, .src = s->net->out[0].data, .w = FRAN_SIZE, .h = FRAN_SIZE,
          .mul = {1, 1, 1}, .rgb = 1, .dst = s->values, .step = 1);
    rp_face_crop_paste(&s->crop, frame, s->loop.cur,
                       &(const struct rp_face_paste){.pixels = s->values, .blend = 1});
}

/* Both crops through the network, to 8 bits of DRAWN_SIZE. */
static void record_drawing(struct age_slot *s, const struct rp_frame *frame)
{
    const struct age_modifier *const shared = s->shared;
    struct wide_slot *const w = &s->wide;

    RP_OP(s->slot, align, .face = s->loop.cur, .template_id = w->crop.template_id, .w = WIDE_SIZE,
          .h = WIDE_SIZE, .scale = (float) wide_scale, .dst = w->crop.affine);
    RP_OP(s->slot, warp, .src = frame->canvas.img, .affine = w->crop.affine, .dst = w->crop.img,
          .border = 1);
    record_tensor(s, &s->crop.img, shared->in_face);
    record_tensor(s, &w->crop.img, shared->in_wide);
    rp_record_run(s->net);
    RP_OP(s->slot, from_tensor, .src = s->net->out[0].data, .w = w->made, .h = w->made,
          .mul = {0.5f, 0.5f, 0.5f}, .add = {0.5f, 0.5f, 0.5f}, .rgb = 1, .round = 1,
          .dst = s->values, .step = 1);
    RP_OP(s->slot, float_to_u8, .src = s->values, .dst = w->raw);
    if (w->made != DRAWN_SIZE)
        RP_OP(s->slot, resize_area, .src = w->raw, .dst = w->drawn);
}

static void record_wide(struct age_slot *s, const struct rp_frame *frame)
{
    struct wide_slot *const w = &s->wide;
    const struct rp_dface *const face = s->loop.cur;
    const bool hidden = s->crop.masker != NULL;

    record_drawing(s, frame);
    rp_face_colours_record(&w->colours, &w->crop.img, &w->drawn, NULL, s->result);
    if (hidden) {
        rp_masker_record(s->crop.masker, &(const struct rp_mask_of){.face = face,
                                                                    .affine = s->crop.affine,
                                                                    .crop = &s->crop.img});
        RP_OP(s->slot, mask_warp, .src = rp_masker_mask(s->crop.masker), .sw = FACE_SIZE,
              .sh = FACE_SIZE, .src_affine = s->crop.affine, .dst_affine = w->crop.affine,
              .dst = w->hidden, .dw = WIDE_SIZE, .dh = WIDE_SIZE);
    }
    rp_masker_record(w->masker, &(const struct rp_mask_of){.face = face,
                                                           .affine = w->crop.affine,
                                                           .crop = &w->crop.img,
                                                           .own = hidden ? w->hidden : NULL});
    RP_OP(s->slot, resize_float, .src = rp_masker_mask(w->masker), .sw = WIDE_SIZE, .sh = WIDE_SIZE,
          .dst = w->mask, .dw = DRAWN_SIZE, .dh = DRAWN_SIZE, .ch = 1);
    RP_OP(s->slot, affine_scale, .src = w->crop.affine, .factor = (double) DRAWN_SIZE / WIDE_SIZE,
          .dst = w->affine);
    RP_OP(s->slot, paste, .dst = frame->canvas, .crop = s->result, .mask = w->mask, .w = DRAWN_SIZE,
          .h = DRAWN_SIZE, .affine = w->affine, .blend = 1, .bytes = 1);
}

static void record(void *at, const struct rp_frame *frame)
{
    struct age_slot *const s = at;

    rp_face_loop_begin(&s->loop, frame, frame->selection);
    rp_face_crop_cut(&s->crop, &frame->canvas.img, s->loop.cur);
    if (s->shared->m->wide)
        record_wide(s, frame);
    else
        record_fran(s, frame);
    rp_face_loop_end(&s->loop);
}

const struct rp_processor rp_age_modifier = {
    .name = "age_modifier",
    .help = "make the selected faces younger or older",
    .group = &group,
    .needs_of = needs_of,
    .self_size = sizeof(struct age_modifier),
    .create = create,
    .destroy = destroy,
    .models = models_used,
    .at_size = sizeof(struct age_slot),
    .attach = attach,
    .detach = detach,
    .record = record,
};
