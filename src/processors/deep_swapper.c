/* Deep swapper: each selected face becomes a person that a network was trained for, a "DFM" file of
 * DeepFaceLive. There are many of them, for faces of different sizes: the size is read from the
 * file.
 *
 * The crop is sharpened before the network. Its result gets the crop's colours, as far as both are
 * alike, and is pasted through the masks that the network makes of both faces, made smaller and
 * softer, besides the user's masks. All pixels are rounded down to 8 bits, as in FaceFusion. */
#include "models/custom.h"
#include "processors/face_colours.h"
#include "processors/face_crop.h"

#include <math.h>

enum {
    MIN_SIZE = 32, /* of a face; the published ones are 224 to 448 */
    MAX_SIZE = 1024,
    FIRST_STEP = 16,
    TARGET_MASK = 0, /* outputs */
    SWAPPED = 1,
    SOURCE_MASK = 2,
};

static const double softness = 6.25; /* sigma of the mask's blur */

struct options {
    char *model;
    int morph;
};

static const char *const *model_choices(void)
{
    return rp_catalogue_choices(RP_KIND_DEEP_SWAPPER);
}

/* clang-format off */
static const struct rp_opt opts[] = {
    {"deep-swapper-model", 0, RP_OPT_STRING, offsetof(struct options, model),
     .def_text = "iperov/elon_musk_224", .choices_fn = model_choices,
     .beginning = RP_CUSTOM_BEGINNING, .meta = "NAME",
     .help = "a person's network; custom/NAME is your own file custom/NAME.dfm of the model folder"},
    {"deep-swapper-morph", 0, RP_OPT_INT, offsetof(struct options, morph), 0, 100, 1,
     .def_text = "100", .meta = "PERCENT",
     .help = "how much of the person is in the face, for models that have it"},
    {0},
};
/* clang-format on */

static const struct rp_opt_group group = {
    "deep_swapper", "Deep swapper", sizeof(struct options), opts, "processors",
};

static const struct rp_mask_use mask_use = {
    .always = RP_MASK_BIT(BOX),
    .chosen = RP_MASK_BIT(OCCLUSION) | RP_MASK_BIT(AREA) | RP_MASK_BIT(REGION),
    .own = true,
};

static unsigned needs_of(const struct rp_settings *settings)
{
    return rp_masks_needs(settings, &mask_use);
}

/* ---- shared ---------------------------------------------------------------------------------- */

struct deep_swapper {
    const char *name;
    struct rp_model *model;
    int size;
    int in_face, in_morph; /* in_morph -1: the model has none */
    int step[RP_COLOUR_STEPS];
    struct rp_masks *masks;
    struct rp_slot *slot; /* owns the constants */
    float *lut, *morph, *kernel;
    int kernel_size;
};

static void destroy(void *self)
{
    struct deep_swapper *const s = self;

    rp_slot_destroy(&s->slot);
    rp_masks_destroy(&s->masks);
}

/* The model's face is square, of a size that its file fixes. */
static int read_size(struct deep_swapper *s)
{
    const struct rp_tensor_info *info;

    RP_CHECK(s->in_face = rp_model_expect_input(s->model, "in_face:0", 0, RP_TYPE_F32, 4,
                                                (const int64_t[]){-1, -1, -1, 3}));
    rp_model_inputs(s->model, &info);
    const int64_t *const dim = info[s->in_face].dim;
    if (dim[1] != dim[2] || dim[1] < MIN_SIZE || dim[1] > MAX_SIZE)
        return rp_fail(
            RP_ERR_MODEL, "%s: its face is %lldx%lld, not a square of %d to %d that the file fixes",
            rp_model_path(s->model), (long long) dim[2], (long long) dim[1], MIN_SIZE, MAX_SIZE);
    s->size = (int) dim[1];
    /* Even sizes, evenly spaced below the face's. */
    for (int i = 0; i < RP_COLOUR_STEPS; i++)
        s->step[i] = 2 * (int) rint((FIRST_STEP + i * (s->size - FIRST_STEP) / 3.0) / 2);
    return 0;
}

static int open_model(struct deep_swapper *s, const struct rp_processor_context *context,
                      const struct options *o)
{
    const struct rp_model_entry *entry;

    RP_CHECK(rp_pool_get(context->pool, RP_KIND_DEEP_SWAPPER, o->model,
                         rp_settings_is_set(context->settings, "deep-swapper-model"), &entry,
                         &s->model));
    s->name = entry->name;
    RP_CHECK(read_size(s));
    s->in_morph = rp_model_find_input(s->model, "morph_value:0");
    if (s->in_morph >= 0)
        RP_CHECK(rp_model_expect_input(s->model, "morph_value:0", 0, RP_TYPE_F32, 1,
                                       (const int64_t[]){1}));
    RP_CHECK(rp_model_expect_outputs(s->model, SOURCE_MASK + 1));
    return 0;
}

static int make_constants(struct deep_swapper *s, float morph)
{
    float lut[3][256], kernel[64];
    static const double zero[3] = {0, 0, 0}, one[3] = {1, 1, 1};

    rp_tensor_lut(lut, 255, zero, one);
    s->kernel_size = rp_gaussian_kernel(softness, 0, kernel, RP_ARRAY_LEN(kernel));
    RP_CHECK(rp_slot_constant(s->slot, lut, sizeof(lut), (void **) &s->lut));
    RP_CHECK(rp_slot_constant(s->slot, kernel, (size_t) s->kernel_size * sizeof(*kernel),
                              (void **) &s->kernel));
    return rp_slot_constant(s->slot, &morph, sizeof(morph), (void **) &s->morph);
}

static int create(void *self, const struct rp_processor_context *context)
{
    const struct options *const o = rp_settings_get(context->settings, &group);
    struct deep_swapper *const s = self;

    RP_CHECK(open_model(s, context, o));
    RP_CHECK(rp_masks_create(&s->masks, context->pool, context->settings, &mask_use));
    RP_CHECK(rp_slot_create(&s->slot, rp_pool_device(context->pool)));
    RP_CHECK(make_constants(s, (float) (o->morph / 100.0)));
    return 0;
}

static const char *models_used(const void *self)
{
    return ((const struct deep_swapper *) self)->name;
}

/* ---- one slot -------------------------------------------------------------------------------- */

struct deep_slot {
    const struct deep_swapper *shared;
    struct rp_slot *slot;
    struct rp_net *net;
    struct rp_face_loop loop;
    struct rp_face_crop crop;
    struct rp_face_colours colours;
    struct rp_img sharp, swapped;
    float *result, *mask, *tmp;
    struct rp_colour_work *work;
    double *likeness;
};

static void detach(void *at)
{
    struct deep_slot *const s = at;

    rp_net_close(&s->net);
    rp_face_crop_close(&s->crop);
}

static int expect_output(const struct rp_net *net, int index, size_t count, const char *what)
{
    const struct rp_tensor *const t = &net->out[index];

    if (t->type == RP_TYPE_F32 && t->count == count)
        return 0;
    return rp_fail(RP_ERR_MODEL, "%s: its output %d is not %s, %zu numbers of float32",
                   rp_model_path(net->model), index + 1, what, count);
}

static int open_net(struct deep_slot *s)
{
    const struct deep_swapper *const shared = s->shared;
    const int64_t size = shared->size, face[] = {1, size, size, 3}, one[] = {1};
    const int64_t *dims[RP_MAX_TENSORS] = {0};
    const size_t n = (size_t) (size * size);

    dims[shared->in_face] = face;
    if (shared->in_morph >= 0)
        dims[shared->in_morph] = one;
    RP_CHECK(rp_net_open(&s->net, s->slot, shared->model, dims));
    RP_CHECK(expect_output(s->net, TARGET_MASK, n, "a mask of the face"));
    RP_CHECK(expect_output(s->net, SWAPPED, 3 * n, "a face"));
    RP_CHECK(expect_output(s->net, SOURCE_MASK, n, "a mask of the new face"));
    if (shared->in_morph >= 0)
        RP_CHECK(rp_net_set_input(s->net, shared->in_morph, shared->morph));
    return 0;
}

static int make_buffers(struct deep_slot *s)
{
    const int size = s->shared->size;
    const size_t n = (size_t) size * (size_t) size;

    RP_CHECK(rp_slot_image(s->slot, size, size, 3, &s->sharp));
    RP_CHECK(rp_slot_image(s->slot, size, size, 3, &s->swapped));
    RP_CHECK(
        rp_face_colours_open(&s->colours, s->slot, size, s->shared->step, RP_COLOUR_STEPS));
    RP_CHECK(rp_slot_alloc(s->slot, 3 * n * sizeof(float), (void **) &s->result));
    RP_CHECK(rp_slot_alloc(s->slot, n * sizeof(float), (void **) &s->mask));
    RP_CHECK(rp_slot_alloc(s->slot, n * sizeof(float), (void **) &s->tmp));
    RP_CHECK(rp_slot_alloc(s->slot, sizeof(*s->work), (void **) &s->work));
    return rp_slot_alloc(s->slot, sizeof(*s->likeness), (void **) &s->likeness);
}

static int attach(void *at, const void *self, struct rp_slot *slot, int w, int h)
{
    const struct deep_swapper *const shared = self;
    struct deep_slot *const s = at;

    (void) w;
    (void) h;
    s->shared = shared;
    s->slot = slot;
    RP_CHECK(open_net(s));
    RP_CHECK(make_buffers(s));
    RP_CHECK(rp_face_loop_open(&s->loop, slot));
    RP_CHECK(
        rp_face_crop_open(&s->crop, slot, RP_TEMPLATE_DFL_WHOLE_FACE, shared->size, shared->masks));
    return 0;
}

/* ---- recording ------------------------------------------------------------------------------- */

/* From the crop to the swapped face, in 8 bits. */
static void record_swap(struct deep_slot *s)
{
    const struct deep_swapper *const shared = s->shared;
    const int size = shared->size;
    struct rp_img values = s->swapped; /* its bytes, one by one */

    RP_OP(s->slot, sharpen, .src = s->crop.img, .dst = s->sharp);
    RP_OP(s->slot, to_tensor, .src = s->sharp, .lut = shared->lut,
          .dst = s->net->in[shared->in_face].data, .w = size, .h = size, .nhwc = 1, .step = 1);
    rp_record_run(s->net);
    values.w *= values.ch;
    values.ch = 1;
    RP_OP(s->slot, matte_u8, .src = s->net->out[SWAPPED].data, .dst = values);
}

/* The swapped face with the crop's colours. FaceFusion has a fourth step, at full size, which gives
 * what the third gave. */
static void record_colours(struct deep_slot *s)
{
    RP_OP(s->slot, colour_likeness, .a = s->crop.img, .b = s->swapped, .work = s->work,
          .dst = s->likeness);
    rp_face_colours_record(&s->colours, &s->crop.img, &s->swapped, s->likeness, s->result);
}

static void record_mask(struct deep_slot *s)
{
    const struct deep_swapper *const shared = s->shared;
    const int size = shared->size;

    RP_OP(s->slot, mask_erode, .a = s->net->out[SOURCE_MASK].data,
          .b = s->net->out[TARGET_MASK].data, .dst = s->mask, .w = size, .h = size);
    RP_OP(s->slot, gaussian, .src = s->mask, .dst = s->mask, .tmp = s->tmp, .w = size, .h = size,
          .kernel = shared->kernel, .size = shared->kernel_size);
}

static void record(void *at, const struct rp_frame *frame)
{
    struct deep_slot *const s = at;

    rp_face_loop_begin(&s->loop, frame, frame->selection);
    rp_face_crop_cut(&s->crop, &frame->canvas.img, s->loop.cur);
    record_swap(s);
    record_colours(s);
    record_mask(s);
    rp_face_crop_paste(&s->crop, frame, s->loop.cur,
                       &(const struct rp_face_paste){
                           .pixels = s->result, .mask = s->mask, .blend = 1, .bytes = true});
    rp_face_loop_end(&s->loop);
}

const struct rp_processor rp_deep_swapper = {
    .name = "deep_swapper",
    .help = "turn the selected faces into one person, by that person's network",
    .group = &group,
    .needs_of = needs_of,
    .self_size = sizeof(struct deep_swapper),
    .create = create,
    .destroy = destroy,
    .models = models_used,
    .at_size = sizeof(struct deep_slot),
    .attach = attach,
    .detach = detach,
    .record = record,
};
