/* Face enhancer: each selected face is restored by a network and blended with the original.
 *
 * The output is rounded to 8 bits, and so are the samples of it that are pasted; the pasted face is
 * then blended with the frame in 8 bits: all as in FaceFusion. Its masks are the box without
 * padding and, if chosen, the occlusion mask; areas and regions are for the swapper only. */
#include "processors/face_crop.h"

struct options {
    int model;
    int blend;
    double weight;
};

struct enhance_model {
    const char *name;
    int template_id, size;
};

/* clang-format off */
static const struct enhance_model models[] = {
    {"codeformer", RP_TEMPLATE_FFHQ_512, 512},
    {"gfpgan_1.2", RP_TEMPLATE_FFHQ_512, 512},
    {"gfpgan_1.3", RP_TEMPLATE_FFHQ_512, 512},
    {"gfpgan_1.4", RP_TEMPLATE_FFHQ_512, 512},
    {"gpen_bfr_256", RP_TEMPLATE_ARCFACE_128, 256},
    {"gpen_bfr_512", RP_TEMPLATE_FFHQ_512, 512},
    {"gpen_bfr_1024", RP_TEMPLATE_FFHQ_512, 1024},
    {"gpen_bfr_2048", RP_TEMPLATE_FFHQ_512, 2048},
    {"restoreformer_plus_plus", RP_TEMPLATE_FFHQ_512, 512},
};
/* clang-format on */

static const char *const *model_choices(void)
{
    return rp_catalogue_choices(RP_KIND_FACE_ENHANCER);
}

/* clang-format off */
static const struct rp_opt opts[] = {
    {"face-enhancer-model", 0, RP_OPT_CHOICE, offsetof(struct options, model),
     .def_text = "gfpgan_1.4", .choices_fn = model_choices, .help = "restoring network"},
    {"face-enhancer-blend", 0, RP_OPT_INT, offsetof(struct options, blend), 0, 100, 1,
     .def_text = "80", .meta = "PERCENT", .help = "how much of the restored face is mixed in"},
    {"face-enhancer-weight", 0, RP_OPT_FLOAT, offsetof(struct options, weight), 0, 1, 0.05,
     .def_text = "0.5", .meta = "WEIGHT",
     .help = "likeness against quality, for models that have it (codeformer)"},
    {0},
};
/* clang-format on */

static const struct rp_opt_group group = {
    "face_enhancer", "Face enhancer", sizeof(struct options), opts, "processors",
};

/* ---- shared ---------------------------------------------------------------------------------- */

struct enhancer {
    const struct enhance_model *m;
    struct rp_model *model;
    int in_face, in_weight; /* in_weight -1: the model has none */
    double blend;           /* 0..1: share of the restored face */
    struct rp_masks *masks;
    struct rp_slot *slot;   /* owns the constants */
    float *lut;
    double *weight;
};

static void destroy(void *self)
{
    struct enhancer *const s = self;

    rp_slot_destroy(&s->slot);
    rp_masks_destroy(&s->masks);
}

static int open_model(struct enhancer *s, const struct rp_processor_context *context,
                      const struct options *o)
{
    const struct rp_model_entry *entry;

    RP_CHECK(rp_pool_get(context->pool, RP_KIND_FACE_ENHANCER, model_choices()[o->model],
                         rp_settings_is_set(context->settings, "face-enhancer-model"), &entry,
                         &s->model));
    s->m = RP_FACTS(models, entry->name);

    const int64_t size = s->m->size;
    RP_CHECK(s->in_face = rp_model_expect_input(s->model, "input", 0, RP_TYPE_F32, 4,
                                                (const int64_t[]){-1, 3, size, size}));
    s->in_weight = rp_model_find_input(s->model, "weight");
    if (s->in_weight >= 0)
        RP_CHECK(
            rp_model_expect_input(s->model, "weight", 0, RP_TYPE_F64, 1, (const int64_t[]){1}));
    RP_CHECK(rp_model_expect_outputs(s->model, 1));
    return 0;
}

static int make_constants(struct enhancer *s, double weight)
{
    float lut[3][256];
    static const double half[3] = {0.5, 0.5, 0.5};

    rp_tensor_lut(lut, 255, half, half);
    RP_CHECK(rp_slot_constant(s->slot, lut, sizeof(lut), (void **) &s->lut));
    RP_CHECK(rp_slot_constant(s->slot, &weight, sizeof(weight), (void **) &s->weight));
    return 0;
}

static int create(void *self, const struct rp_processor_context *context)
{
    static const struct rp_mask_use masks = {.always = RP_MASK_BIT(BOX),
                                             .chosen = RP_MASK_BIT(OCCLUSION),
                                             .no_padding = true};
    const struct options *const o = rp_settings_get(context->settings, &group);
    struct enhancer *const s = self;

    s->blend = o->blend / 100.0;
    RP_CHECK(open_model(s, context, o));
    RP_CHECK(rp_masks_create(&s->masks, context->pool, context->settings, &masks));
    RP_CHECK(rp_slot_create(&s->slot, rp_pool_device(context->pool)));
    RP_CHECK(make_constants(s, o->weight));
    return 0;
}

static const char *models_used(const void *self)
{
    return ((const struct enhancer *) self)->m->name;
}

/* ---- one slot -------------------------------------------------------------------------------- */

struct enhance_slot {
    const struct enhancer *shared;
    struct rp_slot *slot;
    struct rp_net *net;
    struct rp_face_loop loop;
    struct rp_face_crop crop;
    float *enhanced;
};

static void detach(void *at)
{
    struct enhance_slot *const s = at;

    rp_net_close(&s->net);
    rp_face_crop_close(&s->crop);
}

static int open_net(struct enhance_slot *s)
{
    const struct enhancer *const shared = s->shared;
    const int64_t size = shared->m->size, face[] = {1, 3, size, size}, one[] = {1};
    const int64_t *dims[RP_MAX_TENSORS] = {0};

    dims[shared->in_face] = face;
    if (shared->in_weight >= 0)
        dims[shared->in_weight] = one;
    RP_CHECK(rp_net_open(&s->net, s->slot, shared->model, dims));
    RP_CHECK(rp_face_crop_expect_output(s->net, 1, (int) size));
    if (shared->in_weight >= 0)
        RP_CHECK(rp_net_set_input(s->net, shared->in_weight, shared->weight));
    return 0;
}

static int attach(void *at, const void *self, struct rp_slot *slot, int w, int h)
{
    const struct enhancer *const shared = self;
    struct enhance_slot *const s = at;

    (void) w;
    (void) h;
    s->shared = shared;
    s->slot = slot;
    RP_CHECK(open_net(s));
    RP_CHECK(rp_slot_alloc(slot, s->net->out[0].bytes, (void **) &s->enhanced));
    RP_CHECK(rp_face_loop_open(&s->loop, slot));
    RP_CHECK(
        rp_face_crop_open(&s->crop, slot, shared->m->template_id, shared->m->size, shared->masks));
    return 0;
}

static void record(void *at, const struct rp_frame *frame)
{
    struct enhance_slot *const s = at;
    const struct enhancer *const shared = s->shared;
    const int size = shared->m->size;

    rp_face_loop_begin(&s->loop, frame, frame->selection);
    rp_face_crop_cut(&s->crop, &frame->canvas.img, s->loop.cur);
    RP_OP(s->slot, to_tensor, .src = s->crop.img, .lut = shared->lut,
          .dst = s->net->in[shared->in_face].data, .w = size, .h = size, .rgb = 1, .step = 1);
    rp_record_run(s->net);
    RP_OP(s->slot, from_tensor, .src = s->net->out[0].data, .w = size, .h = size,
          .mul = {0.5f, 0.5f, 0.5f}, .add = {0.5f, 0.5f, 0.5f}, .rgb = 1, .round = 2,
          .dst = s->enhanced, .step = 1);
    rp_face_crop_paste(&s->crop, frame, s->loop.cur, &(const struct rp_face_paste){
        .pixels = s->enhanced, .blend = shared->blend, .bytes = true});
    rp_face_loop_end(&s->loop);
}

const struct rp_processor rp_face_enhancer = {
    .name = "face_enhancer",
    .help = "restore the selected faces",
    .group = &group,
    .self_size = sizeof(struct enhancer),
    .create = create,
    .destroy = destroy,
    .models = models_used,
    .at_size = sizeof(struct enhance_slot),
    .attach = attach,
    .detach = detach,
    .record = record,
};
