/* Face swapper: the source's identity on each selected face (algorithms section 18).
 *
 * Details that have caused bugs elsewhere:
 *   - the source picture of uniface is 0..1 although its target is -1..1;
 *   - the output stays float until it is pasted: rounding to 8 bits twice shows in dark skin. */
#include <pthread.h>

#include <math.h>

#include "engine/onnx_info.h"
#include "processors/face_crop.h"

#define ONNX_HALF 10 /* TensorProto.FLOAT16 */

struct options {
    int model;
};

enum source_kind {
    SOURCE_IMAGE,         /* aligned source crop, RGB 0..1 */
    SOURCE_EMBEDDING_NORM, /* unit-length arcface embedding */
    SOURCE_EMBEDDING_MATRIX /* raw embedding x the file's last weight, over the embedding's length */
};

struct swap_model {
    const char *name;
    enum source_kind source;
    int source_template, source_size; /* SOURCE_IMAGE */
    int template_id, size;
    double mean[3], std[3];           /* of the target tensor */
    bool denormalise;                 /* output * std + mean; else already 0..1 */
};

#define HALF {0.5, 0.5, 0.5}
#define ZERO {0, 0, 0}
#define ONE {1, 1, 1}
/* clang-format off */
static const struct swap_model models[] = {
    {"blendswap_256", SOURCE_IMAGE, RP_TEMPLATE_ARCFACE_112_V2, 112, RP_TEMPLATE_FFHQ_512, 256, ZERO, ONE, false},
    {"hyperswap_1a_256", SOURCE_EMBEDDING_NORM, 0, 0, RP_TEMPLATE_ARCFACE_128, 256, HALF, HALF, true},
    {"hyperswap_1b_256", SOURCE_EMBEDDING_NORM, 0, 0, RP_TEMPLATE_ARCFACE_128, 256, HALF, HALF, true},
    {"hyperswap_1c_256", SOURCE_EMBEDDING_NORM, 0, 0, RP_TEMPLATE_ARCFACE_128, 256, HALF, HALF, true},
    {"inswapper_128", SOURCE_EMBEDDING_MATRIX, 0, 0, RP_TEMPLATE_ARCFACE_128, 128, ZERO, ONE, false},
    {"inswapper_128_fp16", SOURCE_EMBEDDING_MATRIX, 0, 0, RP_TEMPLATE_ARCFACE_128, 128, ZERO, ONE, false},
    {"uniface_256", SOURCE_IMAGE, RP_TEMPLATE_FFHQ_512, 256, RP_TEMPLATE_FFHQ_512, 256, HALF, HALF, true},
    {"classic_256", SOURCE_IMAGE, RP_TEMPLATE_FFHQ_512, 256, RP_TEMPLATE_FFHQ_512, 256, HALF, HALF, true},
};
/* clang-format on */

static const char *model_names[RP_ARRAY_LEN(models) + 1];

static void list_models(void)
{
    for (size_t i = 0; i < RP_ARRAY_LEN(models); i++)
        model_names[i] = models[i].name;
}

static const char *const *model_choices(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, list_models);
    return model_names;
}

static const struct rp_opt opts[] = {
    {"face-swapper-model", 0, RP_OPT_CHOICE, offsetof(struct options, model),
     .def_text = "hyperswap_1a_256", .choices_fn = model_choices, .help = "swapping network"},
    {0},
};

static const struct rp_opt_group group = {
    "face_swapper", "Face swapper", sizeof(struct options), opts,
};

/* ---- shared ------------------------------------------------------------------------------------ */

struct swapper {
    const struct swap_model *m;
    struct rp_model *model;
    int in_source, in_target;
    struct rp_masks *masks;
    struct rp_slot *slot;  /* owns the constants */
    void *source;          /* the source tensor, device memory */
};

static void destroy(void **self)
{
    struct swapper *const s = *self;

    if (!s)
        return;
    rp_masks_destroy(&s->masks);
    rp_slot_destroy(&s->slot);
    free(s);
    *self = NULL;
}

static int open_model(struct swapper *s, const struct rp_processor_context *context)
{
    int ret;
    const struct rp_model_entry *entry;
    const struct options *const o = rp_settings_get(context->settings, &group);

    RP_TRY(rp_pool_get(context->pool, RP_KIND_FACE_SWAPPER, models[o->model].name,
                       rp_settings_is_set(context->settings, "face-swapper-model"), &entry,
                       &s->model));
    for (size_t i = 0; i < RP_ARRAY_LEN(models); i++)
        if (!strcmp(models[i].name, entry->name))
            s->m = &models[i];

    const int64_t size = s->m->size, source = s->m->source_size;
    RP_TRY(s->in_target = rp_model_expect_input(s->model, "target", 0, RP_TYPE_F32, 4,
                                                (const int64_t[]){-1, 3, size, size}));
    if (s->m->source == SOURCE_IMAGE)
        RP_TRY(s->in_source = rp_model_expect_input(s->model, "source", 0, RP_TYPE_F32, 4,
                                                    (const int64_t[]){-1, 3, source, source}));
    else
        RP_TRY(s->in_source = rp_model_expect_input(s->model, "source", 0, RP_TYPE_F32, 2,
                                                    (const int64_t[]){-1, 512}));
    RP_TRY(rp_model_expect_outputs(s->model, 1));
    return 0;

fail:
    return ret;
}

/* The source crop as a tensor: made once, read by every slot. */
static int prepare_image(struct swapper *s, const struct rp_sources *sources)
{
    int ret;
    float lut[3][256], *device_lut;
    struct rp_affine *affine;
    struct rp_img crop;
    const int size = s->m->source_size;
    static const double zero[3] = ZERO, one[3] = ONE;

    rp_tensor_lut(lut, 255, zero, one);
    RP_TRY(rp_slot_constant(s->slot, lut, sizeof(lut), (void **) &device_lut));
    RP_TRY(rp_slot_alloc(s->slot, sizeof(*affine), (void **) &affine));
    RP_TRY(rp_slot_image(s->slot, size, size, 3, &crop));
    RP_TRY(rp_slot_alloc(s->slot, (size_t) size * (size_t) size * 3 * sizeof(float), &s->source));
    RP_TRY(RP_OP(s->slot, align, .face = sources->first_face, .template_id = s->m->source_template,
                 .w = size, .h = size, .scale = 1, .dst = affine));
    RP_TRY(RP_OP(s->slot, warp, .src = sources->first, .affine = affine, .dst = crop, .border = 1));
    RP_TRY(RP_OP(s->slot, to_tensor, .src = crop, .lut = device_lut, .dst = s->source, .w = size,
                 .h = size, .rgb = 1, .step = 1));
    return rp_slot_sync(s->slot);

fail:
    return ret;
}

static float from_half(uint16_t h)
{
    const int e = h >> 10 & 31, m = h & 1023;
    const float v = e == 0 ? ldexpf((float) m, -24) : ldexpf((float) (m + 1024), e - 25);

    return h >> 15 ? -v : v;
}

/* Element i of a weight of type float or float16. */
static float weight_at(const struct rp_onnx_tensor *t, size_t i)
{
    float f;
    uint16_t h;

    if (t->type == RP_ONNX_FLOAT) {
        memcpy(&f, t->raw.p + 4 * i, sizeof(f));
        return f;
    }
    memcpy(&h, t->raw.p + 2 * i, sizeof(h));
    return from_half(h);
}

/* inswapper keeps the matrix that turns an arcface embedding into its own as the last weight. */
static int find_matrix(const struct rp_onnx *onnx, const char *path,
                       const struct rp_onnx_tensor **out)
{
    const struct rp_onnx_tensor *all;
    const int n = rp_onnx_weights(onnx, &all);
    const struct rp_onnx_tensor *const t = n > 0 ? &all[n - 1] : NULL;
    const size_t size = t && t->type == RP_ONNX_FLOAT ? 4 : 2;

    *out = t;
    if (t && t->rank == 2 && t->dim[0] == 512 && t->dim[1] == 512 && t->raw.n == 512 * 512 * size &&
        (t->type == RP_ONNX_FLOAT || t->type == ONNX_HALF))
        return 0;
    return rp_fail(RP_ERR_MODEL, "%s: its last weight is not a 512x512 matrix; it is not an inswapper",
                   path);
}

static int prepare_matrix(struct swapper *s, const struct rp_dface *source)
{
    int ret;
    float out[512];
    double length = 0;
    const struct rp_onnx_tensor *matrix;
    struct rp_onnx *onnx = NULL;

    RP_TRY(rp_onnx_open(&onnx, rp_model_path(s->model)));
    RP_TRY(find_matrix(onnx, rp_model_path(s->model), &matrix));
    for (int i = 0; i < 512; i++)
        length += (double) source->embedding[i] * source->embedding[i];
    length = length > 0 ? sqrt(length) : 1;
    for (size_t j = 0; j < 512; j++) {
        double sum = 0;

        for (size_t i = 0; i < 512; i++)
            sum += (double) source->embedding[i] * weight_at(matrix, i * 512 + j);
        out[j] = (float) (sum / length);
    }
    RP_TRY(rp_slot_constant(s->slot, out, sizeof(out), &s->source));

fail:
    rp_onnx_close(&onnx);
    return ret;
}

static int prepare_source(struct swapper *s, const struct rp_sources *sources)
{
    switch (s->m->source) {
    case SOURCE_IMAGE:
        return prepare_image(s, sources);
    case SOURCE_EMBEDDING_MATRIX:
        return prepare_matrix(s, &sources->average);
    default:
        return rp_slot_constant(s->slot, sources->average.embedding_norm,
                                sizeof(sources->average.embedding_norm), &s->source);
    }
}

static int create(void **self, const struct rp_processor_context *context)
{
    int ret;
    struct swapper *const s = *self = calloc(1, sizeof(*s));

    if (!s)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    RP_TRY(open_model(s, context));
    RP_TRY(rp_masks_create(&s->masks, context->pool, context->settings,
                           &(const struct rp_mask_use){.chosen = RP_MASK_ALL}));
    RP_TRY(rp_slot_create(&s->slot, rp_pool_device(context->pool)));
    RP_TRY(prepare_source(s, context->sources));
    return 0;

fail:
    destroy(self);
    return ret;
}

static const char *models_used(const void *self)
{
    return ((const struct swapper *) self)->m->name;
}

/* ---- one slot ---------------------------------------------------------------------------------- */

struct swap_slot {
    const struct swapper *shared;
    struct rp_slot *slot;
    struct rp_net *net;
    struct rp_face_crop crop;
    float *lut, *swapped;
};

static void detach(void **at)
{
    struct swap_slot *const s = *at;

    if (!s)
        return;
    rp_net_close(&s->net);
    rp_face_crop_close(&s->crop);
    free(s);
    *at = NULL;
}

static int attach(void **at, const void *self, struct rp_slot *slot, int w, int h)
{
    int ret;
    float lut[3][256];
    const struct swapper *const shared = self;
    const int size = shared->m->size;
    const int64_t target[] = {1, 3, size, size}, image[] = {1, 3, shared->m->source_size,
                                                            shared->m->source_size}, vec[] = {1, 512};
    const int64_t *dims[RP_MAX_TENSORS] = {0};
    struct swap_slot *const s = *at = calloc(1, sizeof(*s));

    (void) w;
    (void) h;
    if (!s)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    s->shared = shared;
    s->slot = slot;
    dims[shared->in_target] = target;
    dims[shared->in_source] = shared->m->source == SOURCE_IMAGE ? image : vec;
    RP_TRY(rp_net_open(&s->net, slot, shared->model, dims));
    if (s->net->out[0].count != (size_t) size * (size_t) size * 3 ||
        s->net->out[0].type != RP_TYPE_F32) {
        ret = rp_fail(RP_ERR_MODEL, "%s: its output is not 3x%dx%d", shared->m->name, size, size);
        goto fail;
    }
    RP_TRY(rp_net_set_input(s->net, shared->in_source, shared->source));
    rp_tensor_lut(lut, 255, shared->m->mean, shared->m->std);
    RP_TRY(rp_slot_constant(slot, lut, sizeof(lut), (void **) &s->lut));
    RP_TRY(rp_slot_alloc(slot, s->net->out[0].bytes, (void **) &s->swapped));
    RP_TRY(rp_face_crop_open(&s->crop, slot, shared->m->template_id, size, shared->masks));
    return 0;

fail:
    detach(at);
    return ret;
}

static int record_face(void *priv)
{
    int ret;
    struct swap_slot *const s = priv;
    struct rp_slot *const slot = s->slot;
    const struct swap_model *const m = s->shared->m;
    struct rp_op_from_tensor from = {
        .src = s->net->out[0].data, .w = m->size, .h = m->size, .mul = {1, 1, 1}, .rgb = 1,
        .dst = s->swapped, .step = 1,
    };

    for (int c = 0; m->denormalise && c < 3; c++) {
        from.mul[c] = (float) m->std[c];
        from.add[c] = (float) m->mean[c];
    }
    RP_TRY(rp_face_crop_cut(&s->crop));
    RP_TRY(RP_OP(slot, to_tensor, .src = s->crop.img, .lut = s->lut,
                 .dst = s->net->in[s->shared->in_target].data, .w = m->size, .h = m->size,
                 .rgb = 1, .step = 1));
    RP_TRY(rp_run(s->net));
    RP_TRY(slot->ops->from_tensor(slot->stream, &from));
    RP_TRY(rp_face_crop_paste(&s->crop, s->swapped));
    return 0;

fail:
    return ret;
}

static int record(void *at, const struct rp_canvas *frame, const struct rp_dfaces *faces,
                  const struct rp_selection *selection)
{
    struct swap_slot *const s = at;

    return rp_face_crop_each(&s->crop, frame, faces, selection, record_face, s);
}

const struct rp_processor rp_face_swapper = {
    .name = "face_swapper",
    .help = "put the source's face on the selected faces",
    .group = &group,
    .needs_source = true,
    .create = create,
    .destroy = destroy,
    .models = models_used,
    .attach = attach,
    .detach = detach,
    .record = record,
};
