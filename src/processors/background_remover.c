/* Background remover: a matte of the whole frame becomes its transparency, or shows a colour behind
 * the subject.
 *
 * The matte is cut to 8 bits before it is resized to the frame, as in FaceFusion: a softer one
 * would differ from FaceFusion's at every edge. */
#include "processors/processor.h"

struct options {
    int model;
    struct rp_opt_ints fill, despill;
};

enum kind {
    MATTE,   /* one channel, 0..1 */
    CLASSES, /* u2net_cloth: one score for each class, class 0 is background */
    KEY,     /* corridor_key: also takes a coarse matte, and gives the subject without green */
};

struct remover_model {
    const char *name;
    enum kind kind;
    int size;
    double mean[3], std[3];
};

#define ZERO {0, 0, 0}
#define HALF {0.5, 0.5, 0.5}
#define ONE {1, 1, 1}
#define IMAGENET {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}
/* clang-format off */
static const struct remover_model models[] = {
    {"ben_2",             MATTE,   1024, ZERO, ONE},
    {"birefnet_general",  MATTE,   1024, ZERO, ONE},
    {"birefnet_portrait", MATTE,   1024, ZERO, ONE},
    {"corridor_key_1024", KEY,     1024, IMAGENET},
    {"corridor_key_2048", KEY,     2048, IMAGENET},
    {"isnet_general",     MATTE,   1024, HALF, ONE},
    {"modnet",            MATTE,    512, HALF, HALF},
    {"ormbg",             MATTE,   1024, ZERO, ONE},
    {"rmbg_1.4",          MATTE,   1024, HALF, ONE},
    {"rmbg_2.0",          MATTE,   1024, IMAGENET},
    {"silueta",           MATTE,    320, IMAGENET},
    {"u2net_cloth",       CLASSES,  768, IMAGENET},
    {"u2net_general",     MATTE,    320, IMAGENET},
    {"u2net_human",       MATTE,    320, IMAGENET},
    {"u2netp",            MATTE,    320, IMAGENET},
};
/* clang-format on */

static const char *const *model_choices(void)
{
    return rp_catalogue_choices(RP_KIND_BACKGROUND_REMOVER);
}

static const struct rp_opt opts[] = {
    {"background-remover-model", 0, RP_OPT_CHOICE, offsetof(struct options, model),
     .def_text = "modnet", .choices_fn = model_choices, .help = "network that finds the subject"},
    {"background-remover-fill-color", 0, RP_OPT_INTS, offsetof(struct options, fill), 0, 255, 1,
     .def_text = "0 0 0 0", .meta = "RGBA...",
     .help =
         "colour behind the subject: red green blue alpha; with alpha 255 the result is opaque"},
    {"background-remover-despill-color", 0, RP_OPT_INTS, offsetof(struct options, despill), 0, 255,
     1, .def_text = "0 0 0 0", .meta = "RGBA...",
     .help = "colour cast to remove from the subject: red green blue strength"},
    {0},
};

static const struct rp_opt_former former[] = {
    {"background-remover-color", "background-remover-fill-color", NULL}, /* before 3.6 */
    {0},
};

static const struct rp_opt_group group = {
    "background_remover", "Background remover", sizeof(struct options), opts, "processors", former,
};

/* ---- shared ---------------------------------------------------------------------------------- */

struct remover {
    const struct remover_model *m;
    struct rp_model *model;
    int fill[4];      /* BGR and alpha */
    float despill[3]; /* BGR */
};

/* One value is a grey, two are a b a, three an opaque colour (FaceFusion's rule). */
static void colour_of(int rgba[4], const struct rp_opt_ints *o)
{
    const int n = RP_MIN(o->n, 4), *const v = o->v;
    const int all[4][4] = {
        {v[0], v[0], v[0], 255}, {v[0], v[1], v[0], 255}, {v[0], v[1], v[2], 255},
        {v[0], v[1], v[2], v[3]},
    };

    memcpy(rgba, all[RP_MAX(n, 1) - 1], sizeof(all[0]));
}

static void set_colours(struct remover *r, const struct options *o)
{
    int fill[4], despill[4], most = 1;

    colour_of(fill, &o->fill);
    colour_of(despill, &o->despill);
    for (int c = 0; c < 3; c++)
        most = RP_MAX(most, despill[c]);
    for (int c = 0; c < 3; c++) {
        r->fill[c] = fill[2 - c];
        r->despill[c] = (float) (despill[3] / 255.0 * despill[2 - c] / most);
    }
    r->fill[3] = fill[3];
}

static int check_options(const struct options *o)
{
    const char *const name = o->fill.n > 4 ? "fill" : "despill";

    if (o->fill.n <= 4 && o->despill.n <= 4)
        return 0;
    return rp_fail(RP_ERR_USAGE,
                   "--background-remover-%s-color: a colour has at most 4 numbers, red "
                   "green blue alpha",
                   name);
}

static int open_model(struct remover *r, const struct rp_processor_context *context, int index)
{
    const struct rp_model_entry *entry;

    RP_CHECK(rp_pool_get(context->pool, RP_KIND_BACKGROUND_REMOVER, model_choices()[index],
                         rp_settings_is_set(context->settings, "background-remover-model"), &entry,
                         &r->model));
    r->m = RP_FACTS(models, entry->name);

    const int64_t size = r->m->size;
    RP_CHECK(rp_model_expect_input(
          r->model, NULL, 0, RP_TYPE_F32, 4,
          (const int64_t[]){-1, r->m->kind == KEY ? 4 : 3, size, size}));
    return rp_model_expect_outputs(r->model, r->m->kind == KEY ? 2 : 1);
}

static int create(void *self, const struct rp_processor_context *context)
{
    const struct options *const o = rp_settings_get(context->settings, &group);
    struct remover *const r = self;

    RP_CHECK(check_options(o));
    set_colours(r, o);
    RP_CHECK(open_model(r, context, o->model));
    return 0;
}

static const char *models_used(const void *self)
{
    return ((const struct remover *) self)->m->name;
}

/* With an opaque colour behind the subject nothing is transparent. */
static bool makes_alpha(const void *self)
{
    return ((const struct remover *) self)->fill[3] < 255;
}

static void make_opaque(void *self)
{
    ((struct remover *) self)->fill[3] = 255;
}

/* ---- one slot -------------------------------------------------------------------------------- */

struct remover_slot {
    const struct remover *shared;
    struct rp_slot *slot;
    struct rp_net *net;
    struct rp_img small;             /* the frame in the network's size */
    struct rp_img matte_small, matte; /* the matte, in the network's size and in the frame's */
    int classes;
    float *lut;
    float *key;                      /* KEY: coarse matte of the frame */
    float *front_float;              /* KEY: the subject, in the network's size */
    struct rp_img front_small, front;
};

static void detach(void *at)
{
    struct remover_slot *const s = at;

    rp_net_close(&s->net);
}

/* Output 0 is 1x1xSxS, for CLASSES 1xNxSxS; KEY gives 1x3xSxS as output 1. */
static int check_outputs(struct remover_slot *s)
{
    const struct remover_model *const m = s->shared->m;
    const struct rp_tensor *const out = s->net->out;
    const size_t plane = (size_t) m->size * (size_t) m->size;

    s->classes = (int) (out[0].count / plane);
    if (out[0].type != RP_TYPE_F32 || s->classes < 1 || out[0].count % plane ||
        (s->classes > 1) != (m->kind == CLASSES))
        return rp_fail(RP_ERR_MODEL, "%s: its output is not a matte of %dx%d", m->name, m->size,
                       m->size);
    if (m->kind == KEY && (out[1].type != RP_TYPE_F32 || out[1].count != 3 * plane))
        return rp_fail(RP_ERR_MODEL, "%s: its second output is not 3x%dx%d", m->name, m->size,
                       m->size);
    return 0;
}

static int attach_key(struct remover_slot *s, int w, int h)
{
    const int size = s->shared->m->size;
    const size_t pixels = (size_t) size * (size_t) size;

    RP_CHECK(rp_slot_alloc(s->slot, (size_t) w * (size_t) h * sizeof(float), (void **) &s->key));
    RP_CHECK(rp_slot_alloc(s->slot, 3 * pixels * sizeof(float), (void **) &s->front_float));
    RP_CHECK(rp_slot_image(s->slot, size, size, 3, &s->front_small));
    RP_CHECK(rp_slot_image(s->slot, w, h, 3, &s->front));
    return 0;
}

static int attach(void *at, const void *self, struct rp_slot *slot, int w, int h)
{
    float lut[3][256];
    const struct remover *const shared = self;
    const struct remover_model *const m = shared->m;
    const int64_t input[] = {1, m->kind == KEY ? 4 : 3, m->size, m->size};
    const int64_t *dims[RP_MAX_TENSORS] = {input};
    struct remover_slot *const s = at;

    s->shared = shared;
    s->slot = slot;
    RP_CHECK(rp_net_open(&s->net, slot, shared->model, dims));
    RP_CHECK(check_outputs(s));
    rp_tensor_lut(lut, 255, m->mean, m->std);
    RP_CHECK(rp_slot_constant(slot, lut, sizeof(lut), (void **) &s->lut));
    RP_CHECK(rp_slot_image(slot, m->size, m->size, 3, &s->small));
    RP_CHECK(rp_slot_image(slot, m->size, m->size, 1, &s->matte_small));
    RP_CHECK(rp_slot_image(slot, w, h, 1, &s->matte));
    if (m->kind == KEY)
        RP_CHECK(attach_key(s, w, h));
    return 0;
}

/* The network's input from the frame. */
static void record_input(struct remover_slot *s, const struct rp_img *frame)
{
    struct rp_slot *const slot = s->slot;
    float *const tensor = s->net->in[0].data;
    const int size = s->small.w;

    RP_OP(slot, resize, .src = *frame, .dst = s->small);
    RP_OP(slot, to_tensor, .src = s->small, .lut = s->lut, .dst = tensor, .w = size, .h = size,
          .rgb = 1, .step = 1);
    if (!s->key)
        return;
    RP_OP(slot, key_matte, .src = *frame, .dst = s->key);
    RP_OP(slot, resize_float, .src = s->key, .sw = frame->w, .sh = frame->h,
          .dst = tensor + 3 * (size_t) size * (size_t) size, .dw = size, .dh = size, .ch = 1);
}

/* The subject's colours from the network's output. */
static void record_front(struct remover_slot *s)
{
    struct rp_slot *const slot = s->slot;

    RP_OP(slot, from_tensor, .src = s->net->out[1].data, .w = s->front_small.w,
          .h = s->front_small.h, .mul = {1, 1, 1}, .rgb = 1, .round = 1, .dst = s->front_float,
          .step = 1);
    RP_OP(slot, float_to_u8, .src = s->front_float, .dst = s->front_small);
    RP_OP(slot, resize, .src = s->front_small, .dst = s->front);
}

static void record(void *at, const struct rp_frame *frame)
{
    struct remover_slot *const s = at;
    const struct remover *const r = s->shared;
    struct rp_op_backdrop backdrop = {.dst = frame->canvas, .front = s->front, .matte = s->matte};

    memcpy(backdrop.fill, r->fill, sizeof(backdrop.fill));
    memcpy(backdrop.despill, r->despill, sizeof(backdrop.despill));
    record_input(s, &frame->canvas.img);
    rp_record_run(s->net);
    RP_OP(s->slot, matte_u8, .src = s->net->out[0].data, .classes = s->classes,
          .dst = s->matte_small);
    RP_OP(s->slot, resize, .src = s->matte_small, .dst = s->matte);
    if (s->key)
        record_front(s);
    RP_OP_FROM(s->slot, backdrop, &backdrop);
}

const struct rp_processor rp_background_remover = {
    .name = "background_remover",
    .help = "make the background transparent, or one colour",
    .group = &group,
    .whole_frame = true,
    .self_size = sizeof(struct remover),
    .create = create,
    .models = models_used,
    .makes_alpha = makes_alpha,
    .make_opaque = make_opaque,
    .at_size = sizeof(struct remover_slot),
    .attach = attach,
    .detach = detach,
    .record = record,
};
