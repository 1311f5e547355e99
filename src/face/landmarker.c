/* What differs between networks is in the table; the rest treats all alike. */
#include "face/landmarker.h"

#include "face/options.h"

#define NEVER 2.0f /* no score is above it */

enum { MAX_PARTS = 2 };

static const struct facts {
    const char *name;
    int decoder; /* enum rp_landmark_kind */
    int size;
    bool colour; /* the box in its own shape, contrast optimised; else stretched and grey */
    int outputs;
    size_t numbers[2]; /* in each output */
} landmarkers[] = {
    {"2dfan4", RP_LANDMARK_2DFAN4, 256, true, 2, {68 * 3, 68 * 64 * 64}},
    {"peppa_wutz", RP_LANDMARK_PEPPA, 256, true, 1, {68 * 3}},
    {"fr_landmark", RP_LANDMARK_BOX_68, 64, false, 1, {68 * 2}},
};

/* "many" means these, in this order: the rule by which one wins is not symmetric. They take the
 * same input. */
static const char *const many[MAX_PARTS] = {"2dfan4", "peppa_wutz"};

struct rp_landmarker {
    bool five;             /* the detector gives points */
    int parts;             /* 0: no landmarker runs */
    struct {
        const struct facts *facts;
        struct rp_model *model;
    } part[MAX_PARTS];
    float score;           /* above which the detector's points are replaced */
    struct rp_model *lift; /* fan_68_5; NULL: none */
};

struct rp_landmarking {
    const struct rp_landmarker *shared;
    struct {
        struct rp_net *net;
        struct rp_affine *affine;
    } lift;
    struct rp_net *net[MAX_PARTS];
    struct rp_batch *batch; /* of the only part */
    struct rp_img crop;
    struct rp_affine *affine;
    struct rp_img upright; /* the colour crop before its rotation */
    struct rp_affine *step;
    float *lut;
    struct rp_lab_tables *lab; /* to optimise the contrast */
    struct rp_contrast_work *contrast;
};

/* ---- shared half ----------------------------------------------------------------------------- */

static int open_part(struct rp_landmarker *l, struct rp_pool *pool, const char *name, bool named,
                     struct rp_model_list *list)
{
    const struct rp_model_entry *entry;
    struct rp_model *model;

    RP_CHECK(rp_pool_get(pool, RP_KIND_FACE_LANDMARKER, name, named, &entry, &model));
    const struct facts *const f = RP_FACTS(landmarkers, entry->name);
    const int64_t size = f->size, channels = f->colour ? 3 : 1;
    RP_CHECK(rp_model_expect_input(model, NULL, 0, RP_TYPE_F32, 4,
                                   (const int64_t[]){-1, channels, size, size}));
    RP_CHECK(rp_model_expect_outputs(model, f->outputs));
    rp_model_list_add(list, RP_KIND_FACE_LANDMARKER, entry->name);
    l->part[l->parts].facts = f;
    l->part[l->parts++].model = model;
    return 0;
}

static int open_parts(struct rp_landmarker *l, struct rp_pool *pool,
                      const struct rp_settings *settings, struct rp_model_list *list)
{
    const struct rp_landmarker_options *const o = rp_settings_get(settings, &rp_landmarker_group);
    const char *const name = rp_catalogue_choices(RP_KIND_FACE_LANDMARKER)[o->model];

    if (strcmp(name, "many") != 0)
        return open_part(l, pool, name, rp_settings_is_set(settings, "face-landmarker-model"),
                         list);
    for (size_t i = 0; i < RP_ARRAY_LEN(many); i++)
        RP_CHECK(open_part(l, pool, many[i], true, list));
    return 0;
}

static int open_lift(struct rp_landmarker *l, struct rp_pool *pool, struct rp_model_list *list)
{
    RP_CHECK(rp_pool_get_optional(pool, RP_KIND_FACE_LANDMARKER_5_68, "fan_68_5", &l->lift));
    if (!l->lift)
        return 0;
    RP_CHECK(rp_model_expect_input(l->lift, NULL, 0, RP_TYPE_F32, 3, (const int64_t[]){-1, 5, 2}));
    RP_CHECK(rp_model_expect_outputs(l->lift, 1));
    rp_model_list_add(list, RP_KIND_FACE_LANDMARKER_5_68, "fan_68_5");
    return 0;
}

/* A score of 0 skips the landmarker, and the 68 points are then those of fan_68_5, which also give
 * the angle of the head. But without fan_68_5, or if the detector gives no points, only the
 * landmarker has any. */
static int open_needed(struct rp_landmarker *l, struct rp_pool *pool,
                       const struct rp_settings *settings, const struct rp_landmarker_params *p,
                       struct rp_model_list *list)
{
    const struct rp_landmarker_options *const o = rp_settings_get(settings, &rp_landmarker_group);
    const bool wanted = p->crops || p->all_68;

    l->score = o->score > 0 ? (float) o->score : NEVER;
    if (wanted ? o->score > 0 || !p->five : p->lifted && !p->five)
        RP_CHECK(open_parts(l, pool, settings, list));
    if (p->five && (p->all_68 || p->angle || p->lifted || (l->parts && l->part[0].facts->colour)))
        RP_CHECK(open_lift(l, pool, list));
    if (p->all_68 && !l->parts && !l->lift)
        RP_CHECK(open_parts(l, pool, settings, list));
    return 0;
}

int rp_landmarker_open(struct rp_landmarker **out, struct rp_pool *pool,
                       const struct rp_settings *settings,
                       const struct rp_landmarker_params *params, struct rp_model_list *list)
{
    int ret;
    struct rp_landmarker *const l = *out = calloc(1, sizeof(*l));

    if (!l)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    l->five = params->five;
    RP_TRY(open_needed(l, pool, settings, params, list));
    return 0;

fail:
    rp_landmarker_close(out);
    return ret;
}

void rp_landmarker_close(struct rp_landmarker **landmarker)
{
    free(*landmarker); /* the models are the pool's */
    *landmarker = NULL;
}

/* ---- part of one slot ------------------------------------------------------------------------ */

/* What the colour crop needs in addition. */
static int bind_colour(struct rp_landmarking *ln, struct rp_slot *slot)
{
    static const double zero[3] = {0, 0, 0}, one[3] = {1, 1, 1};
    struct rp_lab_tables tables;

    if (ln->crop.w % RP_CONTRAST_TILES || ln->crop.h % RP_CONTRAST_TILES)
        return rp_fail(RP_ERR_UNSUPPORTED, "a landmarker's crop of %dx%d: contrast is optimised in "
                       "sides that are multiples of %d", ln->crop.w, ln->crop.h, RP_CONTRAST_TILES);
    rp_lab_tables(&tables);
    RP_CHECK(rp_slot_constant(slot, &tables, sizeof(tables), (void **) &ln->lab));
    RP_CHECK(rp_slot_alloc(slot, sizeof(*ln->contrast), (void **) &ln->contrast));
    RP_CHECK(rp_slot_image(slot, ln->crop.w, ln->crop.h, 3, &ln->upright));
    RP_CHECK(rp_slot_alloc(slot, sizeof(*ln->step), (void **) &ln->step));
    RP_CHECK(rp_part_lut(slot, 255, zero, one, &ln->lut));
    return 0;
}

static int bind_part(struct rp_landmarking *ln, struct rp_slot *slot, int i)
{
    const struct facts *const f = ln->shared->part[i].facts;

    RP_CHECK(rp_net_open(&ln->net[i], slot, ln->shared->part[i].model,
                         (const int64_t *const[]){
                             (const int64_t[]){1, f->colour ? 3 : 1, f->size, f->size}}));
    for (int k = 0; k < f->outputs; k++)
        RP_CHECK(rp_part_expect(ln->net[i], k, RP_TYPE_F32, f->numbers[k],
                                "a landmarker of this name"));
    return 0;
}

static int bind_parts(struct rp_landmarking *ln, struct rp_slot *slot)
{
    const struct rp_landmarker *const l = ln->shared;
    const int size = l->part[0].facts->size;

    for (int i = 0; i < l->parts; i++)
        RP_CHECK(bind_part(ln, slot, i));
    if (l->parts > 1) /* both read the first one's input */
        RP_CHECK(rp_net_set_input(ln->net[1], 0, ln->net[0]->in[0].data));
    if (l->parts == 1)
        RP_CHECK(rp_part_batch(&ln->batch, ln->net[0]));
    RP_CHECK(rp_slot_image(slot, size, size, 3, &ln->crop));
    RP_CHECK(rp_slot_alloc(slot, sizeof(*ln->affine), (void **) &ln->affine));
    if (l->part[0].facts->colour)
        RP_CHECK(bind_colour(ln, slot));
    return 0;
}

static int bind_lift(struct rp_landmarking *ln, struct rp_slot *slot)
{
    RP_CHECK(rp_net_open(&ln->lift.net, slot, ln->shared->lift,
                         (const int64_t *const[]){(const int64_t[]){1, 5, 2}}));
    RP_CHECK(rp_part_expect(ln->lift.net, 0, RP_TYPE_F32, 68 * 2, "fan_68_5"));
    RP_CHECK(rp_slot_alloc(slot, sizeof(*ln->lift.affine), (void **) &ln->lift.affine));
    return 0;
}

int rp_landmarking_create(struct rp_landmarking **out, const struct rp_landmarker *landmarker,
                          struct rp_slot *slot)
{
    int ret;
    struct rp_landmarking *const ln = *out = calloc(1, sizeof(*ln));

    if (!ln)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    ln->shared = landmarker;
    if (landmarker->parts)
        RP_TRY(bind_parts(ln, slot));
    if (landmarker->lift)
        RP_TRY(bind_lift(ln, slot));
    return 0;

fail:
    rp_landmarking_destroy(out);
    return ret;
}

void rp_landmarking_destroy(struct rp_landmarking **landmarking)
{
    struct rp_landmarking *const ln = *landmarking;

    if (!ln)
        return;
    rp_net_close(&ln->lift.net);
    rp_batch_close(&ln->batch);
    for (int i = 0; i < MAX_PARTS; i++)
        rp_net_close(&ln->net[i]);
    free(ln); /* its buffers are the slot's */
    *landmarking = NULL;
}

/* ---- recording: fan_68_5 --------------------------------------------------------------------- */

static void lift_crop(struct rp_landmarking *ln, const struct rp_face_at *at)
{
    RP_OP(at->slot, align, .face = at->cur, .points = 1, .template_id = RP_TEMPLATE_FFHQ_512,
          .w = 1, .h = 1, .scale = 1, .dst = ln->lift.affine);
    RP_OP(at->slot, points_tensor, .face = at->cur, .affine = ln->lift.affine,
          .dst = ln->lift.net->in[0].data);
}

static void lift_decode(struct rp_landmarking *ln, const struct rp_face_at *at)
{
    return RP_OP(at->slot, landmarks, .kind = RP_LANDMARK_FAN_68_5,
                 .t = {ln->lift.net->out[0].data}, .w = 1, .h = 1, .affine = ln->lift.affine,
                 .face = at->cur);
}

/* 68 points from the detector's five, and from these the angle of the head. */
static void record_lift(struct rp_landmarking *ln, const struct rp_face_at *at)
{
    lift_crop(ln, at);
    rp_record_run(ln->lift.net);
    lift_decode(ln, at);
}

/* ---- recording: landmarkers ------------------------------------------------------------------ */

/* Where the crop lies: the box in its own shape, upright, for FaceFusion's landmarkers; stretched
 * for the lite one. */
static void place(struct rp_landmarking *ln, const struct rp_face_at *at)
{
    return RP_OP(at->slot, box_affine, .face = at->cur,
                 .fit = ln->shared->part[0].facts->colour ? RP_BOX_LANDMARKER : RP_BOX_STRETCH,
                 .factor = 1, .w = ln->crop.w, .h = ln->crop.h, .dst = ln->affine);
}

static void step_to(struct rp_landmarking *ln, const struct rp_face_at *at, enum rp_box_fit fit,
                   const struct rp_img *src, const struct rp_img *dst)
{
    RP_OP(at->slot, box_affine, .face = at->cur, .fit = fit, .factor = 1, .w = dst->w,
          .h = dst->h, .dst = ln->step);
    RP_OP(at->slot, warp, .src = *src, .affine = ln->step, .dst = *dst);
}

/* Cut out, then rotated, as FaceFusion does it: its rotation, about a point half a pixel off,
 * leaves a black row or column at the edge, which networks notice. */
static void crop_colour(struct rp_landmarking *ln, const struct rp_face_at *at)
{
    step_to(ln, at, RP_BOX_UPRIGHT, at->frame, &ln->upright);
    step_to(ln, at, RP_BOX_ROTATE, &ln->upright, &ln->crop);
    RP_OP(at->slot, contrast, .src = ln->crop, .dst = ln->crop, .tables = ln->lab,
          .work = ln->contrast);
    RP_OP(at->slot, to_tensor, .src = ln->crop, .lut = ln->lut,
          .dst = ln->net[0]->in[0].data, .w = ln->crop.w, .h = ln->crop.h, .step = 1);
}

static void crop_grey(struct rp_landmarking *ln, const struct rp_face_at *at)
{
    RP_OP(at->slot, warp, .src = *at->frame, .affine = ln->affine, .dst = ln->crop,
          .border = 1, .area = 1);
    RP_OP(at->slot, to_gray, .src = ln->crop, .dst = ln->net[0]->in[0].data,
          .scale = 1.0f / 256);
}

static void crop(struct rp_landmarking *ln, const struct rp_face_at *at)
{
    place(ln, at); /* both steps in one, for the way of the points back */
    (ln->shared->part[0].facts->colour ? crop_colour : crop_grey)(ln, at);
}

static void decode(struct rp_landmarking *ln, int part, const struct rp_face_at *at)
{
    const struct facts *const f = ln->shared->part[part].facts;
    struct rp_op_landmarks op = {.kind = f->decoder, .w = f->size, .h = f->size,
                                 .affine = ln->affine, .face = at->cur, .second = part > 0};

    for (int i = 0; i < f->outputs; i++)
        op.t[i] = ln->net[part]->out[i].data;
    RP_OP_FROM(at->slot, landmarks, &op);
}

static void record_parts(struct rp_landmarking *ln, const struct rp_face_at *at)
{
    crop(ln, at);
    for (int i = 0; i < ln->shared->parts; i++) {
        rp_record_run(ln->net[i]);
        decode(ln, i, at);
    }
}

/* The angle of the head comes first, as the landmarker's crop needs it. If the detector gives no
 * points, it is the angle of the view in which the face was found, until the landmarker has run. */
static void record_angle(struct rp_landmarking *ln, const struct rp_face_at *at)
{
    if (ln->shared->lift)
        record_lift(ln, at);
    else if (ln->shared->five)
        RP_OP(at->slot, points_angle, .face = at->cur);
}

static void record_choice(struct rp_landmarking *ln, const struct rp_face_at *at)
{
    const struct rp_landmarker *const l = ln->shared;

    RP_OP(at->slot, face_points, .face = at->cur, .threshold = l->parts ? l->score : NEVER,
                 .no_detector_points = !l->five);
}

void rp_landmarking_record(struct rp_landmarking *ln, const struct rp_face_at *at)
{
    const struct rp_landmarker *const l = ln->shared;

    record_angle(ln, at);
    if (l->parts)
        record_parts(ln, at);
    if (l->five || l->parts)
        record_choice(ln, at);
}

struct rp_batch *rp_landmarking_batch(const struct rp_landmarking *ln)
{
    return ln->batch;
}

void rp_landmarking_before(struct rp_landmarking *ln, const struct rp_face_at *at)
{
    record_angle(ln, at);
    crop(ln, at);
}

/* The crop's place is computed again: that is cheaper than keeping one for each face. */
void rp_landmarking_after(struct rp_landmarking *ln, const struct rp_face_at *at)
{
    place(ln, at);
    decode(ln, 0, at);
    record_choice(ln, at);
}
