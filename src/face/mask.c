#include "face/mask.h"

#define MAX_KERNEL 2049
#define SOFT_SIGMA 5.0 /* of the "soft threshold" */

struct rp_masker {
    struct rp_slot *slot;
    struct rp_masker_params p;
    float *box;   /* constant part; NULL when not used */
    float *area;  /* per face; NULL when not used */
    float *out;
    float *tmp;
    float *soft_kernel;
    int soft_size;
    uint8_t *area_points;
};

/* 68-point indices of each area. */
/* clang-format off */
static const struct { int n; uint8_t index[24]; } areas[] = {
    [RP_AREA_UPPER_FACE] = {21, {0, 1, 2, 31, 32, 33, 34, 35, 14, 15, 16, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17}},
    [RP_AREA_LOWER_FACE] = {16, {3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 35, 34, 33, 32, 31}},
    [RP_AREA_MOUTH] = {20, {48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67}},
};
/* clang-format on */

void rp_masker_params_from(struct rp_masker_params *out, const struct rp_mask_options *options, int w,
                           int h)
{
    /* CSS rule: 1 value = all; 2 = vertical, horizontal; 3 = top, horizontal, bottom */
    static const int side[5][4] = {{0}, {0, 0, 0, 0}, {0, 1, 0, 1}, {0, 1, 2, 1}, {0, 1, 2, 3}};
    const int n = RP_CLAMP(options->padding.n, 0, 4);

    *out = (struct rp_masker_params){.w = w, .h = h, .blur = options->blur};
    for (int i = 0; i < options->types.n; i++) {
        out->box |= options->types.v[i] == RP_MASK_BOX;
        out->area |= options->types.v[i] == RP_MASK_AREA;
    }
    for (int i = 0; i < options->areas.n; i++)
        out->areas |= 1u << options->areas.v[i];
    for (int i = 0; n && i < 4; i++)
        out->padding[i] = options->padding.v[side[n][i]];
}

/* A Gaussian kernel in device memory. */
static int make_kernel(struct rp_slot *slot, double sigma, float **kernel, int *size)
{
    float k[MAX_KERNEL];

    *size = rp_gaussian_kernel(sigma, 0, k, MAX_KERNEL);
    return rp_slot_constant(slot, k, (size_t) *size * sizeof(*k), (void **) kernel);
}

/* The box mask depends on nothing but options: drawn and blurred once. */
static int make_box(struct rp_masker *m)
{
    int ret, size;
    float *kernel;
    const struct rp_masker_params *const p = &m->p;
    const size_t bytes = (size_t) p->w * (size_t) p->h * sizeof(float);
    const int blur = (int) (p->w * 0.5 * p->blur);

    RP_TRY(rp_slot_alloc(m->slot, bytes, (void **) &m->box));
    RP_TRY(RP_OP(m->slot, box_mask, .dst = m->box, .w = p->w, .h = p->h, .blur = (float) p->blur,
                 .padding = {p->padding[0], p->padding[1], p->padding[2], p->padding[3]}));
    if (blur > 0) {
        RP_TRY(make_kernel(m->slot, 0.25 * blur, &kernel, &size));
        RP_TRY(RP_OP(m->slot, gaussian, .src = m->box, .dst = m->box, .tmp = m->tmp, .w = p->w,
                     .h = p->h, .kernel = kernel, .size = size));
    }
    return 0;

fail:
    return ret;
}

static int make_area(struct rp_masker *m)
{
    int ret;
    uint8_t use[68] = {0};
    const size_t bytes = (size_t) m->p.w * (size_t) m->p.h * sizeof(float);

    for (size_t a = 0; a < RP_ARRAY_LEN(areas); a++)
        for (int i = 0; (m->p.areas >> a & 1) && i < areas[a].n; i++)
            use[areas[a].index[i]] = 1;
    RP_TRY(rp_slot_alloc(m->slot, bytes, (void **) &m->area));
    RP_TRY(rp_slot_constant(m->slot, use, sizeof(use), (void **) &m->area_points));
    RP_TRY(make_kernel(m->slot, SOFT_SIGMA, &m->soft_kernel, &m->soft_size));
    return 0;

fail:
    return ret;
}

int rp_masker_create(struct rp_masker **out, struct rp_slot *slot,
                     const struct rp_masker_params *params)
{
    int ret;
    const size_t n = (size_t) params->w * (size_t) params->h;
    struct rp_masker *const m = *out = calloc(1, sizeof(*m));

    if (!m)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    m->slot = slot;
    m->p = *params;
    RP_TRY(rp_slot_alloc(slot, n * sizeof(float), (void **) &m->out));
    RP_TRY(rp_slot_alloc(slot, n * sizeof(float), (void **) &m->tmp));
    if (params->box)
        RP_TRY(make_box(m));
    if (params->area)
        RP_TRY(make_area(m));
    if (params->box && !params->area) /* nothing depends on the face */
        RP_TRY(RP_OP(slot, mask_min, .a = m->box, .dst = m->out, .n = (int) n));
    return 0;

fail:
    rp_masker_destroy(out);
    return ret;
}

void rp_masker_destroy(struct rp_masker **masker)
{
    free(*masker);
    *masker = NULL;
}

int rp_masker_record(struct rp_masker *m, const struct rp_dface *face,
                     const struct rp_affine *affine)
{
    int ret;
    const struct rp_masker_params *const p = &m->p;
    const int n = p->w * p->h;

    if (!m->area)
        return 0;
    RP_TRY(RP_OP(m->slot, hull_mask, .face = face, .affine = affine, .use = m->area_points,
                 .dst = m->area, .w = p->w, .h = p->h));
    RP_TRY(RP_OP(m->slot, gaussian, .src = m->area, .dst = m->area, .tmp = m->tmp, .w = p->w,
                 .h = p->h, .kernel = m->soft_kernel, .size = m->soft_size));
    RP_TRY(RP_OP(m->slot, mask_ramp, .src = m->area, .dst = m->area, .n = n));
    RP_TRY(RP_OP(m->slot, mask_min, .a = m->area, .b = m->box, .dst = m->out, .n = n));
    return 0;

fail:
    return ret;
}

const float *rp_masker_mask(const struct rp_masker *masker)
{
    return masker->out;
}
