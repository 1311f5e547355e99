/* Face swapper: the source's identity on each selected face.
 *
 * Details that have caused bugs elsewhere:
 *   - the source picture of uniface is 0..1 although its target is -1..1;
 *   - simswap_256's target is normalised but its output is not;
 *   - the output stays float until it is pasted: rounding to 8 bits twice shows in dark skin. */
#include "processors/face_swapper.h"

#define MAX_BATCH 16 /* tiles in one run: more take more memory but no less time */
#define NEUTRAL 0.5  /* the --face-swapper-weight at which nothing is mixed in */

#define HALF {0.5, 0.5, 0.5}
#define ZERO {0, 0, 0}
#define ONE {1, 1, 1}
#define IMAGENET_MEAN {0.485, 0.456, 0.406}
#define IMAGENET_STD {0.229, 0.224, 0.225}
#define FROM_128 {128, 256, 384, 512, 768, 1024}
#define FROM_256 {256, 512, 768, 1024}
#define BLEND {256, 384, 512, 768, 1024}
#define FROM_512 {512, 768, 1024}
#define ARCFACE_112_V1 RP_TEMPLATE_ARCFACE_112_V1
#define ARCFACE_112_V2 RP_TEMPLATE_ARCFACE_112_V2
#define ARCFACE_128 RP_TEMPLATE_ARCFACE_128
#define FFHQ_512 RP_TEMPLATE_FFHQ_512
#define MTCNN_512 RP_TEMPLATE_MTCNN_512
/* clang-format off */
static const struct rp_swap_model models[] = {
    {"blendswap_256", RP_SWAP_IMAGE, NULL, ARCFACE_112_V2, 112, FFHQ_512, 256, ZERO, ONE, false, BLEND},
    {"ghost_1_256", RP_SWAP_CONVERTED, "crossface_ghost", 0, 0, ARCFACE_112_V1, 256, HALF, HALF, true, FROM_256},
    {"ghost_2_256", RP_SWAP_CONVERTED, "crossface_ghost", 0, 0, ARCFACE_112_V1, 256, HALF, HALF, true, FROM_256},
    {"ghost_3_256", RP_SWAP_CONVERTED, "crossface_ghost", 0, 0, ARCFACE_112_V1, 256, HALF, HALF, true, FROM_256},
    {"hififace_unofficial_256", RP_SWAP_CONVERTED_UNIT, "crossface_hififace", 0, 0, MTCNN_512, 256, HALF, HALF, true, FROM_256},
    {"hyperswap_1a_256", RP_SWAP_EMBEDDING, NULL, 0, 0, ARCFACE_128, 256, HALF, HALF, true, FROM_256},
    {"hyperswap_1b_256", RP_SWAP_EMBEDDING, NULL, 0, 0, ARCFACE_128, 256, HALF, HALF, true, FROM_256},
    {"hyperswap_1c_256", RP_SWAP_EMBEDDING, NULL, 0, 0, ARCFACE_128, 256, HALF, HALF, true, FROM_256},
    {"inswapper_128", RP_SWAP_MATRIX, NULL, 0, 0, ARCFACE_128, 128, ZERO, ONE, false, FROM_128},
    {"inswapper_128_fp16", RP_SWAP_MATRIX, NULL, 0, 0, ARCFACE_128, 128, ZERO, ONE, false, FROM_128},
    {"simswap_256", RP_SWAP_CONVERTED_UNIT, "crossface_simswap", 0, 0, ARCFACE_112_V1, 256, IMAGENET_MEAN, IMAGENET_STD, false, FROM_256},
    {"simswap_unofficial_512", RP_SWAP_CONVERTED_UNIT, "crossface_simswap", 0, 0, ARCFACE_112_V1, 512, ZERO, ONE, false, FROM_512},
    {"uniface_256", RP_SWAP_IMAGE, NULL, FFHQ_512, 256, FFHQ_512, 256, HALF, HALF, true, FROM_256},
    {"classic_256", RP_SWAP_IMAGE, NULL, FFHQ_512, 256, FFHQ_512, 256, HALF, HALF, true, FROM_256},
};
/* clang-format on */

static const char *const *model_choices(void)
{
    return rp_catalogue_choices(RP_KIND_FACE_SWAPPER);
}

static const char *const sizes[] = {"128x128", "256x256", "384x384", "512x512", "768x768",
                                    "1024x1024", NULL};

static const struct rp_opt opts[] = {
    {"face-swapper-model", 0, RP_OPT_CHOICE, offsetof(struct rp_swapper_options, model),
     .def_text = "hyperswap_1a_256", .choices_fn = model_choices, .help = "swapping network"},
    {"face-swapper-pixel-boost", 0, RP_OPT_SIZE, offsetof(struct rp_swapper_options, boost),
     .choices = sizes, .meta = "WxH",
     .help = "size at which faces are swapped, in several runs of the network; default: its own"},
    {"face-swapper-weight", 0, RP_OPT_FLOAT, offsetof(struct rp_swapper_options, weight), 0, 1,
     0.05, .def_text = "0.5", .meta = "WEIGHT",
     .help =
         "how much of the source's identity: less lets the target's through, more drives it out"},
    {"face-swapper-color-match", 0, RP_OPT_INT, offsetof(struct rp_swapper_options, match), 0, 100,
     1, .def_text = "0", .meta = "PERCENT",
     .ours = true, .help = "how far the new face takes the light and the colours of the one it replaces"},
    {"face-map", 0, RP_OPT_STRINGS, offsetof(struct rp_swapper_options, map),
     .meta = "SOURCE=REFERENCE...",
     .ours = true, .help = "pictures of a source and of the face that gets it; other faces get --source-paths, "
             "if any"},
    {0},
};

const struct rp_opt_group rp_swapper_group = {
    "face_swapper", "Face swapper", sizeof(struct rp_swapper_options), opts, "processors",
};

static const struct rp_mask_use masks = {.chosen = RP_MASK_ALL};

static const struct rp_swap_model *chosen(const struct rp_swapper_options *o)
{
    return RP_FACTS(models, model_choices()[o->model]);
}

static unsigned needs_of(const struct rp_settings *settings)
{
    const struct rp_swapper_options *const o = rp_settings_get(settings, &rp_swapper_group);
    const bool mixes = o->weight != NEUTRAL && chosen(o)->source != RP_SWAP_IMAGE;

    return rp_masks_needs(settings, &masks) | (mixes || o->map.n ? RP_NEED_EMBEDDING : 0);
}

/* A model that takes the source's picture does not use the identity. */
static unsigned source_needs(const struct rp_settings *settings)
{
    const struct rp_swapper_options *const o = rp_settings_get(settings, &rp_swapper_group);

    return chosen(o)->source == RP_SWAP_IMAGE ? 0 : RP_NEED_EMBEDDING;
}

/* ---- opening --------------------------------------------------------------------------------- */

static void destroy(void *self)
{
    struct rp_swapper *const s = self;

    rp_masks_destroy(&s->masks);
    rp_slot_destroy(&s->slot);
}

static int open_model(struct rp_swapper *s, const struct rp_processor_context *context)
{
    const struct rp_model_entry *entry;
    const struct rp_swapper_options *const o =
        rp_settings_get(context->settings, &rp_swapper_group);

    RP_CHECK(rp_pool_get(context->pool, RP_KIND_FACE_SWAPPER, model_choices()[o->model],
                         rp_settings_is_set(context->settings, "face-swapper-model"), &entry,
                         &s->model));
    s->m = RP_FACTS(models, entry->name);

    const int64_t size = s->m->size, source = s->m->source_size;
    RP_CHECK(s->in_target = rp_model_expect_input(s->model, "target", 0, RP_TYPE_F32, 4,
                                                  (const int64_t[]){-1, 3, size, size}));
    if (s->m->source == RP_SWAP_IMAGE)
        RP_CHECK(s->in_source = rp_model_expect_input(s->model, "source", 0, RP_TYPE_F32, 4,
                                                      (const int64_t[]){-1, 3, source, source}));
    else
        RP_CHECK(s->in_source = rp_model_expect_input(s->model, "source", 0, RP_TYPE_F32, 2,
                                                      (const int64_t[]){-1, 512}));
    RP_CHECK(rp_model_expect_outputs(s->model, 1));
    return 0;
}

/* RP_ERR_USAGE, with the model's sizes, unless this is one of them. */
static int check_size(const struct rp_swap_model *m, struct rp_opt_size size)
{
    char text[128] = "";
    size_t n = 0;

    for (int i = 0; i < RP_SWAP_SIZES && m->boost[i]; i++) {
        const bool last = i + 1 == RP_SWAP_SIZES || !m->boost[i + 1];

        if (m->boost[i] == size.w)
            return 0;
        n += (size_t) snprintf(text + n, sizeof(text) - n, "%s%dx%d",
                               !i ? "" : last ? " or " : ", ", m->boost[i], m->boost[i]);
    }
    return rp_fail(RP_ERR_USAGE, "--face-swapper-pixel-boost: %s works at %s, not at %dx%d",
                   m->name, text, size.w, size.h);
}

/* A size that is no multiple of the network's (384 for 256 or 768 for 512, which FaceFusion offers
 * but fails with) becomes the next larger multiple. */
static void set_size(struct rp_swapper *s, int side)
{
    const int size = s->m->size;

    s->step = side ? (side + size - 1) / size : 1;
    s->size = s->step * size;
    if (side && s->size != side)
        rp_log(RP_LOG_INFO, "%dx%d is no multiple of the %dx%d of %s; faces are swapped at %dx%d",
               side, side, size, size, s->m->name, s->size, s->size);
}

/* Does the file leave open how many pictures it takes and gives? */
static bool takes_batches(const struct rp_swapper *s)
{
    const struct rp_tensor_info *in, *out;

    rp_model_inputs(s->model, &in);
    rp_model_outputs(s->model, &out);
    return in[s->in_target].dim[0] < 0 && in[s->in_source].dim[0] < 0 && out[0].rank > 0 &&
           out[0].dim[0] < 0;
}

/* Tiles in one run: the most that divide their number. */
static int batch_of(const struct rp_swapper *s)
{
    const int tiles = s->step * s->step;
    int n = takes_batches(s) ? RP_MIN(tiles, MAX_BATCH) : 1;

    while (tiles % n)
        n--;
    return n;
}

/* FaceFusion's weight 0..1 becomes 0.35..-0.35. */
static float mix_of(double weight)
{
    return (float) ((-0.35 - 0.35) * weight + 0.35);
}

static int create(void *self, const struct rp_processor_context *context)
{
    const struct rp_swapper_options *const o =
        rp_settings_get(context->settings, &rp_swapper_group);
    const struct rp_selector_options *const select =
        rp_settings_get(context->settings, &rp_selector_group);
    struct rp_swapper *const s = self;

    if (o->boost.w)
        RP_CHECK(check_size(chosen(o), o->boost));
    RP_CHECK(open_model(s, context));
    RP_CHECK(rp_masks_create(&s->masks, context->pool, context->settings, &masks));
    set_size(s, o->boost.w);
    s->batch = batch_of(s);
    s->mix = s->m->source == RP_SWAP_IMAGE ? 0 : mix_of(o->weight);
    s->match = o->match / 100.0;
    s->distance = (float) select->reference_distance;
    RP_CHECK(rp_slot_create(&s->slot, rp_pool_device(context->pool)));
    RP_CHECK(rp_swapper_prepare(s, context->pool, context->sources));
    return 0;
}

static const char *models_used(const void *self)
{
    return ((const struct rp_swapper *) self)->m->name;
}

const struct rp_processor rp_face_swapper = {
    .name = "face_swapper",
    .help = "put the source's face on the selected faces",
    .group = &rp_swapper_group,
    .needs_source = true,
    .needs_of = needs_of,
    .source_needs = source_needs,
    .self_size = sizeof(struct rp_swapper),
    .create = create,
    .destroy = destroy,
    .models = models_used,
    .at_size = sizeof(struct rp_swap_slot),
    .attach = rp_swapper_attach,
    .detach = rp_swapper_detach,
    .faces = rp_swapper_faces,
    .record = rp_swapper_record,
};
