/* Frame enhancer: the whole picture enlarged by an upscaling network.
 *
 * The picture goes through the network in overlapping tiles, one after the other in a loop on the
 * device. Each tile's result is blended with the enlarged original as it is written to the larger
 * canvas, so that no second picture of that size is needed. */
#include "ops/tile_core.h"
#include "processors/processor.h"

struct options {
    int model, blend;
};

struct upscale_model {
    const char *name;
    int size, pad, overlap; /* of a tile, pixels */
    int scale;
};

/* clang-format off */
static const struct upscale_model models[] = {
    {"clear_reality_x4", 128, 8, 4, 4},
    {"face_dat_x4", 128, 8, 4, 4},
    {"nomos8k_sc_x4", 128, 8, 4, 4},
    {"real_esrgan_x2", 256, 16, 8, 2},
    {"real_esrgan_x2_fp16", 256, 16, 8, 2},
    {"real_esrgan_x4", 256, 16, 8, 4},
    {"real_esrgan_x4_fp16", 256, 16, 8, 4},
    {"real_esrgan_x8", 256, 16, 8, 8},
    {"real_esrgan_x8_fp16", 256, 16, 8, 8},
    {"real_hatgan_x4", 256, 16, 8, 4},
    {"real_web_photo_x4", 64, 4, 2, 4},
    {"realistic_rescaler_x4", 128, 8, 4, 4},
    {"remacri_x4", 128, 8, 4, 4},
    {"siax_x4", 128, 8, 4, 4},
    {"span_kendata_x4", 128, 8, 4, 4},
    {"swin2_sr_x4", 128, 8, 4, 4},
    {"tghq_face_x8", 128, 8, 4, 8},
    {"ultra_sharp_x4", 128, 8, 4, 4},
    {"ultra_sharp_2_x4", 1024, 64, 32, 4},
};
/* clang-format on */

static const char *const *model_choices(void)
{
    return rp_catalogue_choices(RP_KIND_FRAME_ENHANCER);
}

static const struct rp_opt opts[] = {
    {"frame-enhancer-model", 0, RP_OPT_CHOICE, offsetof(struct options, model),
     .def_text = "span_kendata_x4", .choices_fn = model_choices, .help = "upscaling network"},
    {"frame-enhancer-blend", 0, RP_OPT_INT, offsetof(struct options, blend), 0, 100, 1,
     .def_text = "80", .meta = "PERCENT", .help = "how much of the network's result is mixed in"},
    {0},
};

static const struct rp_opt_group group = {
    "frame_enhancer", "Frame enhancer", sizeof(struct options), opts, "processors",
};

/* ---- shared ---------------------------------------------------------------------------------- */

struct upscaler {
    const struct upscale_model *m;
    struct rp_model *model;
    int input;
    double blend; /* 0..1 */
};

static int open_model(struct upscaler *s, const struct rp_processor_context *context)
{
    const struct rp_model_entry *entry;
    const struct options *const o = rp_settings_get(context->settings, &group);

    RP_CHECK(rp_pool_get(context->pool, RP_KIND_FRAME_ENHANCER, model_choices()[o->model],
                         rp_settings_is_set(context->settings, "frame-enhancer-model"), &entry,
                         &s->model));
    s->m = RP_FACTS(models, entry->name);
    s->blend = o->blend / 100.0;
    RP_CHECK(s->input = rp_model_expect_input(s->model, "input", 0, RP_TYPE_F32, 4,
                                              (const int64_t[]){1, 3, s->m->size, s->m->size}));
    RP_CHECK(rp_model_expect_outputs(s->model, 1));
    return 0;
}

static int create(void *self, const struct rp_processor_context *context)
{
    struct upscaler *const s = self;

    RP_CHECK(open_model(s, context));
    return 0;
}

static const char *models_used(const void *self)
{
    return ((const struct upscaler *) self)->m->name;
}

static void size(const void *self, int w, int h, int *out_w, int *out_h)
{
    const struct upscale_model *const m = ((const struct upscaler *) self)->m;

    *out_w = w * m->scale;
    *out_h = h * m->scale;
}

/* ---- one slot -------------------------------------------------------------------------------- */

struct upscale_slot {
    const struct upscaler *shared;
    struct rp_slot *slot;
    struct rp_net *net;
    struct rp_tile_grid grid;
    float *lut;
    int32_t *count, *index;
};

static void detach(void *at)
{
    struct upscale_slot *const s = at;

    rp_net_close(&s->net);
}

static int open_net(struct upscale_slot *s)
{
    const struct upscale_model *const m = s->shared->m;
    const int64_t tile[] = {1, 3, m->size, m->size}, side = (int64_t) m->size * m->scale;
    const int64_t *dims[RP_MAX_TENSORS] = {0};

    dims[s->shared->input] = tile;
    RP_CHECK(rp_net_open(&s->net, s->slot, s->shared->model, dims));
    if (s->net->out[0].count == (size_t) (3 * side * side) && s->net->out[0].type == RP_TYPE_F32)
        return 0;
    return rp_fail(RP_ERR_MODEL, "%s: its output is not f32 3x%lldx%lld, %d times the input",
                   rp_model_path(s->shared->model), (long long) side, (long long) side, m->scale);
}

static int attach(void *at, const void *self, struct rp_slot *slot, int w, int h)
{
    int32_t tiles;
    float lut[3][256];
    const struct upscaler *const shared = self;
    static const double zero[3] = {0, 0, 0}, one[3] = {1, 1, 1};
    struct upscale_slot *const s = at;

    s->shared = shared;
    s->slot = slot;
    s->grid = (struct rp_tile_grid){shared->m->size, shared->m->pad, shared->m->overlap, 1};
    s->grid.across = rp_tile_count(&s->grid, w);
    tiles = s->grid.across * rp_tile_count(&s->grid, h);
    RP_CHECK(open_net(s));
    rp_tensor_lut(lut, 255, zero, one);
    RP_CHECK(rp_slot_constant(slot, lut, sizeof(lut), (void **) &s->lut));
    RP_CHECK(rp_slot_constant(slot, &tiles, sizeof(tiles), (void **) &s->count));
    RP_CHECK(rp_slot_alloc(slot, sizeof(*s->index), (void **) &s->index));
    return 0;
}

static void record(void *at, const struct rp_frame *frame)
{
    struct upscale_slot *const s = at;
    const double blend = s->shared->blend;

    rp_record_loop(s->slot, s->count, s->index);
    RP_OP(s->slot, tile_cut, .src = frame->canvas.img, .grid = s->grid, .index = s->index,
          .lut = s->lut, .dst = s->net->in[s->shared->input].data);
    rp_record_run(s->net);
    RP_OP(s->slot, tile_put, .src = s->net->out[0].data, .grid = s->grid, .index = s->index,
          .scale = s->shared->m->scale, .before = frame->canvas.img, .keep = (float) (1 - blend),
          .blend = (float) blend, .dst = frame->into);
    rp_record_loop_end(s->slot);
}

const struct rp_processor rp_frame_enhancer = {
    .name = "frame_enhancer",
    .help = "make the picture larger and sharper",
    .group = &group,
    .whole_frame = true,
    .self_size = sizeof(struct upscaler),
    .create = create,
    .models = models_used,
    .size = size,
    .at_size = sizeof(struct upscale_slot),
    .attach = attach,
    .detach = detach,
    .record = record,
};
