/* Lip syncer: each selected face's mouth moves as the voice does that belongs to the frame.
 *
 * wav2lip gets the box around the 68 points, once whole and once without its lower half, and gives
 * the whole box; only the lower face is pasted. edtalk gets the crop at half its size, and all of
 * its face is pasted. Pixels are rounded to 8 bits after each step, as in FaceFusion.
 *
 * The voice is the same for all faces of a frame: feed() makes the networks' input of it. */
#include "audio/speech.h"
#include "processors/face_crop.h"

#define CROP 512
#define SOUND (RP_SPEECH_BANDS * RP_SPEECH_WINDOW)

struct options {
    int model;
    double weight;
};

struct lip_model {
    const char *name;
    int size;
    bool edtalk; /* else wav2lip */
};

/* clang-format off */
static const struct lip_model models[] = {
    {"edtalk_256", 256, true},
    {"wav2lip_96", 96, false},
    {"wav2lip_gan_96", 96, false},
};
/* clang-format on */

static const char *const *model_choices(void)
{
    return rp_catalogue_choices(RP_KIND_LIP_SYNCER);
}

/* clang-format off */
static const struct rp_opt opts[] = {
    {"lip-syncer-model", 0, RP_OPT_CHOICE, offsetof(struct options, model),
     .def_text = "wav2lip_gan_96", .choices_fn = model_choices, .help = "network that moves the lips"},
    {"lip-syncer-weight", 0, RP_OPT_FLOAT, offsetof(struct options, weight), 0, 1, 0.05,
     .def_text = "0.5", .meta = "WEIGHT", .help = "how strongly the voice moves the lips"},
    {0},
};
/* clang-format on */

static const struct rp_opt_group group = {
    "lip_syncer", "Lip syncer", sizeof(struct options), opts, "processors",
};

static const struct lip_model *chosen(const struct options *o)
{
    return RP_FACTS(models, model_choices()[o->model]);
}

/* ---- shared ---------------------------------------------------------------------------------- */

struct lip_syncer {
    const struct lip_model *m;
    struct rp_model *model;
    int in_source, in_target, in_weight; /* in_weight -1: the model has none */
    double weight;
    struct rp_masks *masks;
    struct rp_slot *slot; /* owns the constants */
    float *lut, *net_weight;
};

static const struct rp_mask_use mask_use[] = {
    {.always = RP_MASK_BIT(AREA),
     .chosen = RP_MASK_BIT(OCCLUSION),
     .areas = 1u << RP_AREA_LOWER_FACE},
    {.always = RP_MASK_BIT(BOX), .chosen = RP_MASK_BIT(OCCLUSION)},
};

static unsigned needs_of(const struct rp_settings *settings)
{
    return rp_masks_needs(settings, &mask_use[chosen(rp_settings_get(settings, &group))->edtalk]);
}

static void destroy(void *self)
{
    struct lip_syncer *const s = self;

    rp_slot_destroy(&s->slot);
    rp_masks_destroy(&s->masks);
}

static int open_model(struct lip_syncer *s, const struct rp_processor_context *context,
                      const struct options *o)
{
    const struct rp_model_entry *entry;

    RP_CHECK(rp_pool_get(context->pool, RP_KIND_LIP_SYNCER, model_choices()[o->model],
                         rp_settings_is_set(context->settings, "lip-syncer-model"), &entry,
                         &s->model));
    s->m = RP_FACTS(models, entry->name);

    const int64_t size = s->m->size, channels = s->m->edtalk ? 3 : 6;
    RP_CHECK(s->in_source = rp_model_expect_input(
                 s->model, "source", 0, RP_TYPE_F32, 4,
                 (const int64_t[]){-1, 1, RP_SPEECH_BANDS, RP_SPEECH_WINDOW}));
    RP_CHECK(s->in_target = rp_model_expect_input(s->model, "target", 0, RP_TYPE_F32, 4,
                                                  (const int64_t[]){-1, channels, size, size}));
    s->in_weight = -1;
    if (s->m->edtalk)
        RP_CHECK(s->in_weight = rp_model_expect_input(s->model, "weight", 0, RP_TYPE_F32, 1,
                                                      (const int64_t[]){1}));
    return rp_model_expect_outputs(s->model, 1);
}

static int make_constants(struct lip_syncer *s)
{
    float lut[3][256];
    const float weight = (float) s->weight;
    static const double zero[3] = {0, 0, 0}, one[3] = {1, 1, 1};

    rp_tensor_lut(lut, 255, zero, one);
    RP_CHECK(rp_slot_constant(s->slot, lut, sizeof(lut), (void **) &s->lut));
    return rp_slot_constant(s->slot, &weight, sizeof(weight), (void **) &s->net_weight);
}

static int create(void *self, const struct rp_processor_context *context)
{
    const struct options *const o = rp_settings_get(context->settings, &group);
    struct lip_syncer *const s = self;

    s->weight = o->weight;
    RP_CHECK(open_model(s, context, o));
    RP_CHECK(rp_masks_create(&s->masks, context->pool, context->settings, &mask_use[s->m->edtalk]));
    RP_CHECK(rp_slot_create(&s->slot, rp_pool_device(context->pool)));
    RP_CHECK(make_constants(s));
    return 0;
}

static const char *models_used(const void *self)
{
    return ((const struct lip_syncer *) self)->m->name;
}

/* ---- one slot -------------------------------------------------------------------------------- */

struct lip_slot {
    const struct lip_syncer *shared;
    struct rp_slot *slot;
    struct rp_net *net;
    struct rp_face_loop loop;
    struct rp_face_crop crop;
    float *sound;                  /* host: [80][16], as the network wants it */
    struct rp_affine *area, *back; /* wav2lip: crop to the face's box and back */
    struct rp_img small;           /* of the network's size: its input, then its output */
    struct rp_img synced;          /* the result as a crop */
    float *floats, *pasted;        /* the same two as numbers */
};

static void detach(void *at)
{
    struct lip_slot *const s = at;

    rp_net_close(&s->net);
    rp_face_crop_close(&s->crop);
}

static int open_net(struct lip_slot *s)
{
    const struct lip_syncer *const shared = s->shared;
    const int64_t size = shared->m->size, one[] = {1};
    const int64_t source[] = {1, 1, RP_SPEECH_BANDS, RP_SPEECH_WINDOW};
    const int64_t target[] = {1, shared->m->edtalk ? 3 : 6, size, size};
    const int64_t *dims[RP_MAX_TENSORS] = {0};

    dims[shared->in_source] = source;
    dims[shared->in_target] = target;
    if (shared->in_weight >= 0)
        dims[shared->in_weight] = one;
    RP_CHECK(rp_net_open(&s->net, s->slot, shared->model, dims));
    RP_CHECK(rp_face_crop_expect_output(s->net, 1, shared->m->size));
    if (shared->in_weight >= 0)
        RP_CHECK(rp_net_set_input(s->net, shared->in_weight, shared->net_weight));
    return 0;
}

static int make_buffers(struct lip_slot *s)
{
    struct rp_slot *const slot = s->slot;
    const int size = s->shared->m->size;

    RP_CHECK(rp_slot_alloc_host(slot, SOUND * sizeof(float), (void **) &s->sound));
    RP_CHECK(rp_slot_image(slot, size, size, 3, &s->small));
    RP_CHECK(rp_slot_image(slot, CROP, CROP, 3, &s->synced));
    RP_CHECK(rp_slot_alloc(slot, s->net->out[0].bytes, (void **) &s->floats));
    RP_CHECK(rp_slot_alloc(slot, (size_t) 3 * CROP * CROP * sizeof(float), (void **) &s->pasted));
    RP_CHECK(rp_slot_alloc(slot, sizeof(*s->area), (void **) &s->area));
    return rp_slot_alloc(slot, sizeof(*s->back), (void **) &s->back);
}

static int attach(void *at, const void *self, struct rp_slot *slot, int w, int h)
{
    const struct lip_syncer *const shared = self;
    struct lip_slot *const s = at;

    (void) w;
    (void) h;
    s->shared = shared;
    s->slot = slot;
    RP_CHECK(open_net(s));
    RP_CHECK(make_buffers(s));
    RP_CHECK(rp_face_loop_open(&s->loop, slot));
    RP_CHECK(rp_face_crop_open(&s->crop, slot, RP_TEMPLATE_FFHQ_512, CROP, shared->masks));
    return 0;
}

/* wav2lip takes the weight as a factor of the voice. */
static int feed(void *at, const struct rp_frame_info *info)
{
    const struct lip_slot *const s = at;
    const struct lip_syncer *const shared = s->shared;

    rp_speech_window(info->speech, info->time, info->fps, s->sound);
    rp_speech_levels(s->sound, shared->m->edtalk ? 1.0f : (float) (shared->weight * 2));
    return 0;
}

/* ---- recording ------------------------------------------------------------------------------- */

static void record_wav2lip_input(const struct lip_slot *s)
{
    const int size = s->shared->m->size;
    struct rp_img upper = s->small;
    struct rp_op_to_tensor to = {
        .lut = s->shared->lut,
        .dst = s->net->in[s->shared->in_target].data,
        .w = size,
        .h = size,
        .step = 1,
    };

    RP_OP(s->slot, landmark_box, .face = s->loop.cur, .affine = s->crop.affine, .w = size,
          .h = size, .dst = s->area, .back = s->back);
    RP_OP(s->slot, warp, .src = s->crop.img, .affine = s->area, .dst = s->small);
    upper.h = size / 2; /* the tensor's other half becomes black */
    to.src = upper;
    RP_OP_FROM(s->slot, to_tensor, &to);
    to.src = s->small;
    to.dst += (size_t) 3 * (size_t) size * (size_t) size;
    RP_OP_FROM(s->slot, to_tensor, &to);
}

static void record_edtalk_input(const struct lip_slot *s)
{
    const int size = s->shared->m->size;

    RP_OP(s->slot, resize, .src = s->crop.img, .dst = s->small); /* exact means of 2x2 */
    RP_OP(s->slot, to_tensor, .src = s->small, .lut = s->shared->lut,
          .dst = s->net->in[s->shared->in_target].data, .w = size, .h = size, .rgb = 1, .step = 1);
}

static void record_output(const struct lip_slot *s)
{
    const int size = s->shared->m->size;
    const bool edtalk = s->shared->m->edtalk;

    RP_OP(s->slot, from_tensor, .src = s->net->out[0].data, .w = size, .h = size, .mul = {1, 1, 1},
          .rgb = edtalk, .round = 1, .dst = s->floats, .step = 1);
    RP_OP(s->slot, float_to_u8, .src = s->floats, .dst = s->small);
    if (edtalk)
        RP_OP(s->slot, resize_cubic, .src = s->small, .dst = s->synced);
    else
        RP_OP(s->slot, warp, .src = s->small, .affine = s->back, .dst = s->synced, .border = 1);
    RP_OP(s->slot, u8_to_float, .src = s->synced, .dst = s->pasted);
}

static void record(void *at, const struct rp_frame *frame)
{
    const struct lip_slot *const s = at;

    rp_record_upload(s->slot, s->net->in[s->shared->in_source].data, s->sound,
                     SOUND * sizeof(float));
    rp_face_loop_begin(&s->loop, frame, frame->selection);
    rp_face_crop_cut(&s->crop, &frame->canvas.img, s->loop.cur);
    if (s->shared->m->edtalk)
        record_edtalk_input(s);
    else
        record_wav2lip_input(s);
    rp_record_run(s->net);
    record_output(s);
    rp_face_crop_paste(
        &s->crop, frame, s->loop.cur,
        &(const struct rp_face_paste){.pixels = s->pasted, .blend = 1, .bytes = true});
    rp_face_loop_end(&s->loop);
}

const struct rp_processor rp_lip_syncer = {
    .name = "lip_syncer",
    .help = "move the lips of the selected faces to a voice",
    .group = &group,
    .wants_speech = true,
    .needs_of = needs_of,
    .self_size = sizeof(struct lip_syncer),
    .create = create,
    .destroy = destroy,
    .models = models_used,
    .at_size = sizeof(struct lip_slot),
    .attach = attach,
    .detach = detach,
    .feed = feed,
    .record = record,
};
