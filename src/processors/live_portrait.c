#include "processors/live_portrait.h"

#define INPUT 256 /* side of what the extractors see */
#define POINTS (3 * RP_PORTRAIT_POINTS)

/* In the order of the motion extractor's outputs. */
enum { PITCH, YAW, ROLL, SCALE, TRANSLATION, EXPRESSION, CANONICAL, MOTION_OUTPUTS };

static const size_t motion_counts[MOTION_OUTPUTS] = {
    [PITCH] = 1,          [YAW] = 1,         [ROLL] = 1,
    [SCALE] = 1,          [TRANSLATION] = 3, [EXPRESSION] = POINTS,
    [CANONICAL] = POINTS,
};

static const int64_t picture_dims[] = {1, 3, INPUT, INPUT};
static const int64_t points_dims[] = {1, RP_PORTRAIT_POINTS, 3};

const char *const *rp_portrait_choices(void)
{
    return rp_catalogue_choices(RP_KIND_LIVE_PORTRAIT);
}

/* ---- shared ---------------------------------------------------------------------------------- */

static int expect_picture(const struct rp_model *model, int outputs)
{
    RP_CHECK(rp_model_expect_input(model, "input", 0, RP_TYPE_F32, 4,
                                   (const int64_t[]){-1, 3, INPUT, INPUT}));
    return rp_model_expect_outputs(model, outputs);
}

static int expect_generator(struct rp_portrait *p)
{
    static const int64_t points[] = {-1, RP_PORTRAIT_POINTS, 3}, volume[] = {-1, -1, -1, -1, -1};
    const struct rp_model *const m = p->generator;

    RP_CHECK(p->in_volume = rp_model_expect_input(m, "feature_volume", 0, RP_TYPE_F32, 5, volume));
    RP_CHECK(p->in_wanted = rp_model_expect_input(m, "source", 0, RP_TYPE_F32, 3, points));
    RP_CHECK(p->in_now = rp_model_expect_input(m, "target", 0, RP_TYPE_F32, 3, points));
    return rp_model_expect_outputs(m, 1);
}

int rp_portrait_part(const struct rp_processor_context *context, const char *name,
                     struct rp_model **model)
{
    return rp_pool_get_exact(context->pool, RP_KIND_LIVE_PORTRAIT, name, model);
}

static int open_models(struct rp_portrait *p, const struct rp_processor_context *context,
                       const char *option, int choice)
{
    const struct rp_model_entry *entry;

    RP_CHECK(rp_pool_get(context->pool, RP_KIND_LIVE_PORTRAIT, rp_portrait_choices()[choice],
                         rp_settings_is_set(context->settings, option), &entry, &p->motion));
    p->name = entry->name;
    RP_CHECK(expect_picture(p->motion, MOTION_OUTPUTS));
    RP_CHECK(rp_portrait_part(context, "live_portrait_feature_extractor", &p->features));
    RP_CHECK(expect_picture(p->features, 1));
    RP_CHECK(rp_portrait_part(context, "live_portrait_generator", &p->generator));
    return expect_generator(p);
}

int rp_portrait_open(struct rp_portrait *p, const struct rp_processor_context *context,
                     const char *option, int choice)
{
    float lut[3][256];
    static const double zero[3] = {0, 0, 0}, one[3] = {1, 1, 1};

    RP_CHECK(open_models(p, context, option, choice));
    RP_CHECK(rp_slot_create(&p->slot, rp_pool_device(context->pool)));
    rp_tensor_lut(lut, 255, zero, one);
    return rp_slot_constant(p->slot, lut, sizeof(lut), (void **) &p->lut);
}

void rp_portrait_close(struct rp_portrait *p)
{
    rp_slot_destroy(&p->slot);
}

/* ---- one slot -------------------------------------------------------------------------------- */

int rp_portrait_expect(const struct rp_net *net, int index, size_t count)
{
    const struct rp_tensor *const t = &net->out[index];

    if (t->type == RP_TYPE_F32 && t->count == count)
        return 0;
    return rp_fail(RP_ERR_MODEL, "%s: its output %d has %zu numbers, expected float32 and %zu",
                   rp_model_path(net->model), index, t->count, count);
}

static int open_motion(struct rp_portrait_nets *n)
{
    const int64_t *dims[RP_MAX_TENSORS] = {picture_dims};

    RP_CHECK(rp_net_open(&n->motion, n->slot, n->shared->motion, dims));
    for (int i = 0; i < MOTION_OUTPUTS; i++)
        RP_CHECK(rp_portrait_expect(n->motion, i, motion_counts[i]));

    const struct rp_tensor *const out = n->motion->out;
    n->face = (struct rp_motion){
        .pitch = out[PITCH].data,
        .yaw = out[YAW].data,
        .roll = out[ROLL].data,
        .scale = out[SCALE].data,
        .translation = out[TRANSLATION].data,
        .expression = out[EXPRESSION].data,
        .canonical = out[CANONICAL].data,
    };
    return 0;
}

/* Sees what the motion extractor saw last. */
static int open_features(struct rp_portrait_nets *n)
{
    const int64_t *dims[RP_MAX_TENSORS] = {picture_dims};

    RP_CHECK(rp_net_open(&n->features, n->slot, n->shared->features, dims));
    return rp_net_set_input(n->features, 0, n->motion->in[0].data);
}

/* Reads the features where they are. */
static int open_generator(struct rp_portrait_nets *n)
{
    const struct rp_portrait *const p = n->shared;
    const struct rp_tensor *const volume = &n->features->out[0];
    const int64_t *dims[RP_MAX_TENSORS] = {0};

    if (volume->type != RP_TYPE_F32 || volume->rank != 5)
        return rp_fail(RP_ERR_MODEL, "%s: its output is not a float32 tensor of five dimensions",
                       rp_model_path(p->features));
    RP_CHECK(rp_model_expect_input(p->generator, "feature_volume", 0, RP_TYPE_F32, 5, volume->dim));
    dims[p->in_volume] = volume->dim;
    dims[p->in_wanted] = dims[p->in_now] = points_dims;
    RP_CHECK(rp_net_open(&n->generator, n->slot, p->generator, dims));
    RP_CHECK(rp_face_crop_expect_output(n->generator, 1, RP_PORTRAIT_CROP));
    return rp_net_set_input(n->generator, p->in_volume, volume->data);
}

int rp_portrait_attach(struct rp_portrait_nets *n, const struct rp_portrait *shared,
                       struct rp_slot *slot)
{
    n->shared = shared;
    n->slot = slot;
    RP_CHECK(open_motion(n));
    RP_CHECK(open_features(n));
    RP_CHECK(open_generator(n));
    RP_CHECK(rp_slot_image(slot, INPUT, INPUT, 3, &n->small));
    return rp_slot_alloc(slot, n->generator->out[0].bytes, (void **) &n->pixels);
}

void rp_portrait_detach(struct rp_portrait_nets *n)
{
    rp_net_close(&n->generator);
    rp_net_close(&n->features);
    rp_net_close(&n->motion);
}

float *rp_portrait_wanted(const struct rp_portrait_nets *n)
{
    return n->generator->in[n->shared->in_wanted].data;
}

float *rp_portrait_now(const struct rp_portrait_nets *n)
{
    return n->generator->in[n->shared->in_now].data;
}

/* ---- recording ------------------------------------------------------------------------------- */

/* FaceFusion shrinks by "area", which for a half is the mean of four pixels, as in resize. */
void rp_portrait_record_motion(const struct rp_portrait_nets *n, const struct rp_img *crop)
{
    RP_OP(n->slot, resize, .src = *crop, .dst = n->small);
    RP_OP(n->slot, to_tensor, .src = n->small, .lut = n->shared->lut, .dst = n->motion->in[0].data,
          .w = INPUT, .h = INPUT, .rgb = 1, .step = 1);
    rp_record_run(n->motion);
}

void rp_portrait_record_picture(const struct rp_portrait_nets *n)
{
    rp_record_run(n->features);
    rp_record_run(n->generator);
    RP_OP(n->slot, from_tensor, .src = n->generator->out[0].data, .w = RP_PORTRAIT_CROP,
          .h = RP_PORTRAIT_CROP, .mul = {1, 1, 1}, .rgb = 1, .round = 1, .dst = n->pixels,
          .step = 1);
}
