/* Frame colorizer: colours for a grey frame.
 *
 * The network sees the frame small and grey, and its colours are enlarged and joined with the
 * lightness of the frame as it is. So one network serves frames of any size. */
#include "processors/processor.h"

struct options {
    int model, size, blend;
};

enum kind {
    AB,  /* ddcolor: takes grey 0..1 and gives a and b of Lab */
    RGB, /* deoldify: takes grey 0..255 and gives colours 0..255 */
};

struct colour_model {
    const char *name;
    enum kind kind;
};

/* clang-format off */
static const struct colour_model models[] = {
    {"ddcolor", AB},
    {"ddcolor_artistic", AB},
    {"deoldify", RGB},
    {"deoldify_artistic", RGB},
    {"deoldify_stable", RGB},
};
/* clang-format on */

static const char *const size_choices[] = {"192x192", "256x256", "384x384", "512x512", NULL};
static const int sizes[] = {192, 256, 384, 512};

static const char *const *model_choices(void)
{
    return rp_catalogue_choices(RP_KIND_FRAME_COLORIZER);
}

static const struct rp_opt opts[] = {
    {"frame-colorizer-model", 0, RP_OPT_CHOICE, offsetof(struct options, model),
     .def_text = "ddcolor", .choices_fn = model_choices, .help = "network that finds the colours"},
    {"frame-colorizer-size", 0, RP_OPT_CHOICE, offsetof(struct options, size),
     .def_text = "256x256", .choices = size_choices,
     .help = "size of the frame given to the network"},
    {"frame-colorizer-blend", 0, RP_OPT_INT, offsetof(struct options, blend), 0, 100, 1,
     .def_text = "100", .meta = "PERCENT", .help = "how much of the colours is mixed in"},
    {0},
};

static const struct rp_opt_group group = {
    "frame_colorizer", "Frame colorizer", sizeof(struct options), opts, "processors",
};

/* ---- shared ---------------------------------------------------------------------------------- */

struct colorizer {
    const struct colour_model *m;
    struct rp_model *model;
    int size, input;
    float keep, blend;          /* of the frame and of the colours */
    float lut[3][256];          /* of grey to the network's input */
    struct rp_colour_tables ab; /* for AB */
    struct rp_lab_tables rgb;   /* for RGB */
};

static int open_model(struct colorizer *c, const struct rp_processor_context *context,
                      const struct options *o)
{
    const struct rp_model_entry *entry;

    RP_CHECK(rp_pool_get(context->pool, RP_KIND_FRAME_COLORIZER, model_choices()[o->model],
                         rp_settings_is_set(context->settings, "frame-colorizer-model"), &entry,
                         &c->model));
    c->m = RP_FACTS(models, entry->name);
    c->size = sizes[o->size];
    c->blend = (float) (o->blend / 100.0);
    c->keep = (float) (1 - o->blend / 100.0);
    RP_CHECK(c->input = rp_model_expect_input(c->model, "input", 0, RP_TYPE_F32, 4,
                                              (const int64_t[]){1, 3, c->size, c->size}));
    return rp_model_expect_outputs(c->model, 1);
}

static void make_tables(struct colorizer *c)
{
    static const double zero[3] = {0, 0, 0}, one[3] = {1, 1, 1};

    if (c->m->kind == RGB) {
        rp_lab_tables(&c->rgb);
        rp_tensor_lut(c->lut, 1, zero, one);
    } else {
        rp_colour_tables(&c->ab);
        rp_colour_grey_lut(c->lut, &c->ab);
    }
}

static int create(void *self, const struct rp_processor_context *context)
{
    struct colorizer *const c = self;

    RP_CHECK(open_model(c, context, rp_settings_get(context->settings, &group)));
    make_tables(c);
    return 0;
}

static const char *models_used(const void *self)
{
    return ((const struct colorizer *) self)->m->name;
}

/* ---- one slot -------------------------------------------------------------------------------- */

struct colorizer_slot {
    const struct colorizer *shared;
    struct rp_slot *slot;
    struct rp_net *net;
    float *lut;
    struct rp_colour_tables *ab;
    struct rp_lab_tables *rgb;
};

static void detach(void *at)
{
    struct colorizer_slot *const s = at;

    rp_net_close(&s->net);
}

static int open_net(struct colorizer_slot *s)
{
    const struct colorizer *const c = s->shared;
    const int64_t input[] = {1, 3, c->size, c->size}, channels = c->m->kind == AB ? 2 : 3;
    const int64_t *dims[RP_MAX_TENSORS] = {0};

    dims[c->input] = input;
    RP_CHECK(rp_net_open(&s->net, s->slot, c->model, dims));

    const struct rp_tensor *const out = &s->net->out[0];
    const int64_t *const last = out->dim + RP_MAX(out->rank - 3, 0);
    if (out->type == RP_TYPE_F32 && out->rank >= 3 && last[0] == channels && last[1] == c->size &&
        last[2] == c->size && out->count == (size_t) (channels * last[1] * last[2]))
        return 0;
    return rp_fail(RP_ERR_MODEL, "%s: its output is not float32 %lldx%dx%d",
                   rp_model_path(c->model), (long long) channels, c->size, c->size);
}

static int attach(void *at, const void *self, struct rp_slot *slot, int w, int h)
{
    const struct colorizer *const c = self;
    struct colorizer_slot *const s = at;

    (void) w, (void) h;
    s->shared = c;
    s->slot = slot;
    RP_CHECK(open_net(s));
    RP_CHECK(rp_slot_constant(slot, c->lut, sizeof(c->lut), (void **) &s->lut));
    if (c->m->kind == AB)
        RP_CHECK(rp_slot_constant(slot, &c->ab, sizeof(c->ab), (void **) &s->ab));
    else
        RP_CHECK(rp_slot_constant(slot, &c->rgb, sizeof(c->rgb), (void **) &s->rgb));
    return 0;
}

static void record(void *at, const struct rp_frame *frame)
{
    struct colorizer_slot *const s = at;
    const struct colorizer *const c = s->shared;

    RP_OP(s->slot, grey_tensor, .src = frame->canvas.img, .lut = s->lut,
          .dst = s->net->in[c->input].data, .w = c->size, .h = c->size, .bytes = c->m->kind == RGB);
    rp_record_run(s->net);
    if (c->m->kind == AB)
        RP_OP(s->slot, colour_ab, .dst = frame->canvas, .src = s->net->out[0].data, .w = c->size,
              .h = c->size, .tables = s->ab, .keep = c->keep, .blend = c->blend);
    else
        RP_OP(s->slot, colour_rgb, .dst = frame->canvas, .src = s->net->out[0].data, .w = c->size,
              .h = c->size, .tables = s->rgb, .keep = c->keep, .blend = c->blend);
}

const struct rp_processor rp_frame_colorizer = {
    .name = "frame_colorizer",
    .help = "give a grey picture colours",
    .group = &group,
    .whole_frame = true,
    .self_size = sizeof(struct colorizer),
    .create = create,
    .models = models_used,
    .at_size = sizeof(struct colorizer_slot),
    .attach = attach,
    .detach = detach,
    .record = record,
};
