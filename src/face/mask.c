#include "face/mask.h"

#include "engine/list.h"

#include "face/analyser.h"

#define MAX_KERNEL 2049
#define MAX_OCCLUDERS 8
#define SOFT_SIGMA 5.0 /* of the "soft threshold" */
#define OCCLUDER_SIZE 256
#define PARSER_SIZE 512
#define MIN_CLASSES 14 /* the last one that counts is 13 */
#define MAX_CLASSES 32 /* bits of a set */

struct rp_masks {
    unsigned types;   /* bits of enum rp_mask_type */
    unsigned areas;   /* bits of enum rp_mask_area */
    uint32_t classes; /* of the parser: bits */
    bool own;         /* the processor brings a mask of its own with each face */
    double blur;
    int padding[4];   /* percent: top, right, bottom, left */
    int noccluders;
    struct rp_model *occluder[MAX_OCCLUDERS];
    struct rp_model *parser;
};

struct rp_masker {
    const struct rp_masks *shared;
    struct rp_slot *slot;
    int w, h;
    float *constant; /* box, or ones; NULL where everything depends on the face */
    float *part;     /* one mask */
    float *out, *tmp;
    float *soft_kernel;
    int soft_size;
    uint8_t *area_points;

    struct rp_net *occluder[MAX_OCCLUDERS];
    struct rp_img occluder_crop;
    float *occluder_lut, *visible; /* an occluder's result, clipped */

    struct rp_net *parser;
    struct rp_img parser_crop;
    float *parser_pixels, *region;
    int nclasses;
};

/* 68-point indices of each area. */
/* clang-format off */
static const struct { int n; uint8_t index[24]; } areas[] = {
    [RP_AREA_UPPER_FACE] = {21, {0, 1, 2, 31, 32, 33, 34, 35, 14, 15, 16, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17}},
    [RP_AREA_LOWER_FACE] = {16, {3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 35, 34, 33, 32, 31}},
    [RP_AREA_MOUTH] = {20, {48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67}},
};
/* clang-format on */

/* The parser's class of each region, in the order of --face-mask-regions. */
static const uint8_t region_class[] = {1, 2, 3, 4, 5, 6, 10, 11, 12, 13};

/* ---- shared ---------------------------------------------------------------------------------- */

static unsigned types_of(const struct rp_mask_options *o, const struct rp_mask_use *use)
{
    unsigned types = use->always;

    for (int i = 0; i < o->types.n; i++)
        types |= 1u << o->types.v[i] & use->chosen;
    return types;
}

unsigned rp_masks_needs(const struct rp_settings *settings, const struct rp_mask_use *use)
{
    const unsigned types = types_of(rp_settings_get(settings, &rp_mask_group), use);

    return types & RP_MASK_BIT(AREA) ? RP_NEED_LANDMARKS : 0;
}

/* The user's settings as this processor uses them. */
static void read_options(struct rp_masks *m, const struct rp_mask_options *o,
                         const struct rp_mask_use *use)
{
    m->types = types_of(o, use);
    m->areas = use->areas;
    for (int i = 0; !use->areas && i < o->areas.n; i++)
        m->areas |= 1u << o->areas.v[i];
    for (int i = 0; i < o->regions.n; i++)
        m->classes |= 1u << region_class[o->regions.v[i]];
    if (!use->no_padding)
        rp_opt_sides(&o->padding, m->padding);
    m->blur = use->no_blur ? 0 : o->blur;
}

static int open_occluder(struct rp_masks *m, struct rp_pool *pool, const char *name, bool named)
{
    const struct rp_model_entry *entry;
    struct rp_model **const model = &m->occluder[m->noccluders];

    RP_CHECK(rp_pool_get(pool, RP_KIND_FACE_OCCLUDER, name, named, &entry, model));
    RP_CHECK(rp_model_expect_input(*model, "input", 0, RP_TYPE_F32, 4,
                                   (const int64_t[]){-1, OCCLUDER_SIZE, OCCLUDER_SIZE, 3}));
    RP_CHECK(rp_model_expect_outputs(*model, 1));
    m->noccluders++;
    return 0;
}

/* One, or all that the choices list after "many". */
static int open_occluders(struct rp_masks *m, struct rp_pool *pool,
                          const struct rp_settings *settings)
{
    const char *const *const names = rp_catalogue_choices(RP_KIND_FACE_OCCLUDER);
    const struct rp_mask_options *const o = rp_settings_get(settings, &rp_mask_group);

    if (strcmp(names[o->occluder], "many"))
        return open_occluder(m, pool, names[o->occluder],
                             rp_settings_is_set(settings, "face-occluder-model"));
    for (int i = 0; names[i] && m->noccluders < MAX_OCCLUDERS; i++)
        if (i != o->occluder)
            RP_CHECK(open_occluder(m, pool, names[i], true));
    return 0;
}

static int open_parser(struct rp_masks *m, struct rp_pool *pool,
                       const struct rp_settings *settings)
{
    const struct rp_model_entry *entry;
    const struct rp_mask_options *const o = rp_settings_get(settings, &rp_mask_group);

    RP_CHECK(rp_pool_get(pool, RP_KIND_FACE_PARSER,
                         rp_catalogue_choices(RP_KIND_FACE_PARSER)[o->parser],
                         rp_settings_is_set(settings, "face-parser-model"), &entry, &m->parser));
    RP_CHECK(rp_model_expect_input(m->parser, "input", 0, RP_TYPE_F32, 4,
                                   (const int64_t[]){-1, 3, PARSER_SIZE, PARSER_SIZE}));
    RP_CHECK(rp_model_expect_outputs(m->parser, 1));
    return 0;
}

int rp_masks_create(struct rp_masks **out, struct rp_pool *pool,
                    const struct rp_settings *settings, const struct rp_mask_use *use)
{
    int ret;
    struct rp_masks *const m = *out = calloc(1, sizeof(*m));

    if (!m)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    read_options(m, rp_settings_get(settings, &rp_mask_group), use);
    m->own = use->own;
    if (m->types & RP_MASK_BIT(OCCLUSION))
        RP_TRY(open_occluders(m, pool, settings));
    if (m->types & RP_MASK_BIT(REGION))
        RP_TRY(open_parser(m, pool, settings));
    return 0;

fail:
    rp_masks_destroy(out);
    return ret;
}

void rp_masks_destroy(struct rp_masks **masks)
{
    free(*masks); /* the models are the pool's */
    *masks = NULL;
}

bool rp_masks_see(const struct rp_masks *masks)
{
    return masks->types & (RP_MASK_BIT(OCCLUSION) | RP_MASK_BIT(REGION));
}

/* ---- one slot -------------------------------------------------------------------------------- */

static size_t area(const struct rp_masker *m)
{
    return (size_t) m->w * (size_t) m->h;
}

static int make_floats(struct rp_slot *slot, size_t n, float **out)
{
    return rp_slot_alloc(slot, n * sizeof(float), (void **) out);
}

/* A Gaussian kernel in device memory. */
static int make_kernel(struct rp_slot *slot, double sigma, float **kernel, int *size)
{
    float k[MAX_KERNEL];

    *size = rp_gaussian_kernel(sigma, 0, k, MAX_KERNEL);
    return rp_slot_constant(slot, k, (size_t) *size * sizeof(*k), (void **) kernel);
}

/* The box mask depends on options only: it is drawn and blurred once. */
static int make_box(struct rp_masker *m)
{
    int size;
    float *kernel;
    const struct rp_masks *const s = m->shared;
    const int blur = (int) (m->w * 0.5 * s->blur);

    RP_CHECK(make_floats(m->slot, area(m), &m->constant));
    RP_CHECK(RP_OP_NOW(m->slot, box_mask, .dst = m->constant, .w = m->w, .h = m->h,
                   .blur = (float) s->blur,
                   .padding = {s->padding[0], s->padding[1], s->padding[2], s->padding[3]}));
    if (blur > 0) {
        RP_CHECK(make_kernel(m->slot, 0.25 * blur, &kernel, &size));
        RP_CHECK(RP_OP_NOW(m->slot, gaussian, .src = m->constant, .dst = m->constant, .tmp = m->tmp,
                       .w = m->w, .h = m->h, .kernel = kernel, .size = size));
    }
    RP_CHECK(
        RP_OP_NOW(m->slot, mask_min, .a = m->constant, .dst = m->constant, .n = (int) area(m)));
    return 0;
}

static int make_ones(struct rp_masker *m)
{
    int ret;
    float *const ones = malloc(area(m) * sizeof(*ones));

    if (!ones)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < area(m); i++)
        ones[i] = 1;
    ret = rp_slot_constant(m->slot, ones, area(m) * sizeof(*ones), (void **) &m->constant);
    free(ones);
    return ret;
}

static int make_area(struct rp_masker *m)
{
    uint8_t use[68] = {0};

    for (size_t a = 0; a < RP_ARRAY_LEN(areas); a++)
        for (int i = 0; (m->shared->areas >> a & 1) && i < areas[a].n; i++)
            use[areas[a].index[i]] = 1;
    return rp_slot_constant(m->slot, use, sizeof(use), (void **) &m->area_points);
}

static int make_occlusion(struct rp_masker *m)
{
    float lut[3][256];
    const int64_t dim[] = {1, OCCLUDER_SIZE, OCCLUDER_SIZE, 3}, *const dims[RP_MAX_TENSORS] = {dim};
    const size_t n = (size_t) OCCLUDER_SIZE * OCCLUDER_SIZE;

    for (int i = 0; i < m->shared->noccluders; i++) {
        struct rp_net **const net = &m->occluder[i];

        RP_CHECK(rp_net_open(net, m->slot, m->shared->occluder[i], dims));
        if ((*net)->out[0].count != n || (*net)->out[0].type != RP_TYPE_F32)
        return rp_fail(RP_ERR_MODEL, "%s: its output is not %dx%d numbers",
                          rp_model_name(m->shared->occluder[i]), OCCLUDER_SIZE, OCCLUDER_SIZE);
    }
    rp_tensor_lut(lut, 255, (const double[]){0, 0, 0}, (const double[]){1, 1, 1});
    RP_CHECK(rp_slot_constant(m->slot, lut, sizeof(lut), (void **) &m->occluder_lut));
    RP_CHECK(rp_slot_image(m->slot, OCCLUDER_SIZE, OCCLUDER_SIZE, 3, &m->occluder_crop));
    RP_CHECK(make_floats(m->slot, n, &m->visible));
    return 0;
}

static int make_region(struct rp_masker *m)
{
    const int64_t dim[] = {1, 3, PARSER_SIZE, PARSER_SIZE}, *const dims[RP_MAX_TENSORS] = {dim};
    const size_t n = (size_t) PARSER_SIZE * PARSER_SIZE;

    RP_CHECK(rp_net_open(&m->parser, m->slot, m->shared->parser, dims));
    const struct rp_tensor *const t = &m->parser->out[0];
    if (t->type != RP_TYPE_F32 || t->count % n || t->count < MIN_CLASSES * n ||
        t->count > MAX_CLASSES * n)
        return rp_fail(RP_ERR_MODEL, "%s: its output is not %d to %d classes of %dx%d numbers",
                      rp_model_name(m->shared->parser), MIN_CLASSES, MAX_CLASSES, PARSER_SIZE,
                      PARSER_SIZE);
    m->nclasses = (int) (t->count / n);
    RP_CHECK(rp_slot_image(m->slot, PARSER_SIZE, PARSER_SIZE, 3, &m->parser_crop));
    RP_CHECK(make_floats(m->slot, 3 * n, &m->parser_pixels));
    RP_CHECK(make_floats(m->slot, n, &m->region));
    return 0;
}

int rp_masker_create(struct rp_masker **out, const struct rp_masks *masks, struct rp_slot *slot,
                     int w, int h)
{
    int ret;
    struct rp_masker *const m = *out = calloc(1, sizeof(*m));

    if (!m)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    *m = (struct rp_masker){.shared = masks, .slot = slot, .w = w, .h = h};
    RP_TRY(make_floats(slot, area(m), &m->tmp));
    if (masks->types & RP_MASK_BIT(BOX))
        RP_TRY(make_box(m));
    if (!masks->types)
        RP_TRY(make_ones(m));
    if (!(masks->types & ~RP_MASK_BIT(BOX)) && !masks->own)
        return 0;
    RP_TRY(make_floats(slot, area(m), &m->out));
    RP_TRY(make_floats(slot, area(m), &m->part));
    RP_TRY(make_kernel(slot, SOFT_SIGMA, &m->soft_kernel, &m->soft_size));
    if (masks->types & RP_MASK_BIT(OCCLUSION))
        RP_TRY(make_occlusion(m));
    if (masks->types & RP_MASK_BIT(AREA))
        RP_TRY(make_area(m));
    if (masks->types & RP_MASK_BIT(REGION))
        RP_TRY(make_region(m));
    return 0;

fail:
    rp_masker_destroy(out);
    return ret;
}

void rp_masker_destroy(struct rp_masker **masker)
{
    struct rp_masker *const m = *masker;

    if (!m)
        return;
    for (int i = 0; i < MAX_OCCLUDERS; i++)
        rp_net_close(&m->occluder[i]);
    rp_net_close(&m->parser);
    free(m); /* its buffers are the slot's */
    *masker = NULL;
}

/* ---- recording ------------------------------------------------------------------------------- */

/* What every occluder takes for visible, into m->part. */
static void record_occlusion(struct rp_masker *m, const struct rp_img *crop)
{
    struct rp_slot *const slot = m->slot;
    const int size = OCCLUDER_SIZE;

    RP_OP(slot, resize, .src = *crop, .dst = m->occluder_crop);
    for (int i = 0; i < m->shared->noccluders; i++) {
        const struct rp_net *const net = m->occluder[i];
        float *const dst = i ? m->tmp : m->part;

        RP_OP(slot, to_tensor, .src = m->occluder_crop, .lut = m->occluder_lut,
              .dst = net->in[0].data, .w = size, .h = size, .nhwc = 1, .step = 1);
        rp_record_run(m->occluder[i]);
        RP_OP(slot, mask_min, .a = net->out[0].data, .dst = m->visible, .n = size * size);
        RP_OP(slot, resize_float, .src = m->visible, .sw = size, .sh = size, .dst = dst,
              .dw = m->w, .dh = m->h, .ch = 1);
        if (i)
            RP_OP(slot, mask_min, .a = m->tmp, .b = m->part, .dst = m->part,
                  .n = m->w * m->h);
    }
}

/* The parser's input: from the pixels that will be pasted, which are floats, or from the crop. */
static void record_parser_input(struct rp_masker *m, const struct rp_img *crop, const float *result)
{
    struct rp_slot *const slot = m->slot;
    const int size = PARSER_SIZE;

    if (result) {
        RP_OP(slot, resize_float, .src = result, .sw = m->w, .sh = m->h,
              .dst = m->parser_pixels, .dw = size, .dh = size, .ch = 3);
    } else {
        RP_OP(slot, resize, .src = *crop, .dst = m->parser_crop);
        RP_OP(slot, u8_to_float, .src = m->parser_crop, .dst = m->parser_pixels);
    }
    RP_OP(slot, float_to_tensor, .src = m->parser_pixels, .w = size, .h = size, .div = 255,
          .mean = {0.485f, 0.456f, 0.406f}, .std = {0.229f, 0.224f, 0.225f}, .rgb = 1,
          .dst = m->parser->in[0].data);
}

/* The chosen parts of the face, into m->part. */
static void record_region(struct rp_masker *m, const struct rp_img *crop, const float *result)
{
    const int size = PARSER_SIZE;

    record_parser_input(m, crop, result);
    rp_record_run(m->parser);
    RP_OP(m->slot, class_mask, .src = m->parser->out[0].data, .classes = m->nclasses,
          .n = size * size, .use = m->shared->classes, .dst = m->region);
    RP_OP(m->slot, resize_float, .src = m->region, .sw = size, .sh = size, .dst = m->part,
          .dw = m->w, .dh = m->h, .ch = 1);
}

/* FaceFusion's soft threshold of m->part, and its minimum with the masks before it. */
static void record_part(struct rp_masker *m, const float **least)
{
    const int n = m->w * m->h;

    RP_OP(m->slot, gaussian, .src = m->part, .dst = m->part, .tmp = m->tmp, .w = m->w,
          .h = m->h, .kernel = m->soft_kernel, .size = m->soft_size);
    RP_OP(m->slot, mask_ramp, .src = m->part, .dst = m->part, .n = n);
    RP_OP(m->slot, mask_min, .a = m->part, .b = *least, .dst = m->out, .n = n);
    *least = m->out;
}

void rp_masker_record(struct rp_masker *m, const struct rp_mask_of *of)
{
    const unsigned types = m->shared->types;
    const float *least = m->constant;

    if (types & RP_MASK_BIT(OCCLUSION)) {
        record_occlusion(m, of->crop);
        record_part(m, &least);
    }
    if (types & RP_MASK_BIT(AREA)) {
        RP_OP(m->slot, hull_mask, .face = of->face, .affine = of->affine, .use = m->area_points,
              .dst = m->part, .w = m->w, .h = m->h);
        record_part(m, &least);
    }
    if (types & RP_MASK_BIT(REGION)) {
        record_region(m, of->crop, of->result);
        record_part(m, &least);
    }
    if (m->shared->own && of->own)
        RP_OP(m->slot, mask_min, .a = of->own, .b = least, .dst = m->out, .n = m->w * m->h);
    else if (m->shared->own && least != m->out)
        RP_OP(m->slot, mask_min, .a = least, .dst = m->out, .n = m->w * m->h);
}

const float *rp_masker_mask(const struct rp_masker *masker)
{
    return masker->out ? masker->out : masker->constant;
}
