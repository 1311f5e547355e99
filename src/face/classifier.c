/* FairFace is one network on the aligned crop; the lite classifier is two SSR-Nets, for gender and
 * age, on the box. */
#include "face/classifier.h"

enum { MAX_PARTS = 2 };

static const struct facts {
    const char *name;
    const char *second; /* file of the second network */
    bool points;        /* crop aligned by the points; else the box grown by 1.4 */
    int size;
    bool rgb; /* the SSR-Nets take BGR, but with mean and deviation in RGB order */
    int decoder[MAX_PARTS]; /* enum rp_classify_kind */
    enum rp_type type;      /* of all outputs */
    int outputs;            /* of each */
    size_t numbers[9];      /* in each output */
} classifiers[] = {
    {"fairface", NULL, true, 224, true, {RP_CLASSIFY_FAIRFACE}, RP_TYPE_I64, 3, {1, 1, 1}},
    {"fr_age_gender", "fr_age", false, 64, false, {RP_CLASSIFY_SSR_GENDER, RP_CLASSIFY_SSR_AGE},
     RP_TYPE_F32, 9, {3, 3, 3, 1, 1, 1, 3, 3, 3}},
};

struct rp_classifier {
    const struct facts *facts;
    int parts;
    struct rp_model *model[MAX_PARTS];
};

struct rp_classification {
    const struct rp_classifier *shared;
    struct rp_net *net[MAX_PARTS];
    struct rp_batch *batch; /* of the only part */
    struct rp_img crop;
    struct rp_affine *affine;
    float *lut;
};

/* ---- shared half ----------------------------------------------------------------------------- */

static int open_models(struct rp_classifier *c, struct rp_pool *pool, struct rp_model_list *list)
{
    const struct rp_model_entry *entry;

    RP_CHECK(rp_pool_get(pool, RP_KIND_FACE_CLASSIFIER, "fairface", false, &entry, &c->model[0]));
    c->facts = RP_FACTS(classifiers, entry->name);
    c->parts = c->facts->second ? 2 : 1;
    if (c->facts->second)
        RP_CHECK(rp_pool_get_exact(pool, RP_KIND_FACE_CLASSIFIER, c->facts->second, &c->model[1]));
    for (int i = 0; i < c->parts; i++) {
        const int64_t size = c->facts->size;

        RP_CHECK(rp_model_expect_input(c->model[i], NULL, 0, RP_TYPE_F32, 4,
                                       (const int64_t[]){-1, 3, size, size}));
        RP_CHECK(rp_model_expect_outputs(c->model[i], c->facts->outputs));
    }
    rp_model_list_add(list, RP_KIND_FACE_CLASSIFIER, entry->name);
    return 0;
}

int rp_classifier_open(struct rp_classifier **out, struct rp_pool *pool, struct rp_model_list *list)
{
    int ret;
    struct rp_classifier *const c = *out = calloc(1, sizeof(*c));

    if (!c)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    RP_TRY(open_models(c, pool, list));
    return 0;

fail:
    rp_classifier_close(out);
    return ret;
}

void rp_classifier_close(struct rp_classifier **classifier)
{
    free(*classifier); /* the models are the pool's */
    *classifier = NULL;
}

bool rp_classifier_wants_points(const struct rp_classifier *classifier)
{
    return classifier->facts->points;
}

/* ---- part of one slot ------------------------------------------------------------------------ */

/* All read the first one's input. */
static int bind(struct rp_classification *cn, struct rp_slot *slot)
{
    const struct rp_classifier *const c = cn->shared;
    const int size = c->facts->size;

    for (int i = 0; i < c->parts; i++) {
        RP_CHECK(rp_net_open(&cn->net[i], slot, c->model[i],
                             (const int64_t *const[]){(const int64_t[]){1, 3, size, size}}));
        for (int k = 0; k < c->facts->outputs; k++)
            RP_CHECK(rp_part_expect(cn->net[i], k, c->facts->type, c->facts->numbers[k],
                                    "a classifier of this name"));
        if (i > 0)
            RP_CHECK(rp_net_set_input(cn->net[i], 0, cn->net[0]->in[0].data));
    }
    if (c->parts == 1)
        RP_CHECK(rp_part_batch(&cn->batch, cn->net[0]));
    RP_CHECK(rp_part_lut(slot, 255, rp_imagenet_mean, rp_imagenet_std, &cn->lut));
    RP_CHECK(rp_slot_image(slot, size, size, 3, &cn->crop));
    RP_CHECK(rp_slot_alloc(slot, sizeof(*cn->affine), (void **) &cn->affine));
    return 0;
}

int rp_classification_create(struct rp_classification **out, const struct rp_classifier *classifier,
                             struct rp_slot *slot)
{
    int ret;
    struct rp_classification *const cn = *out = calloc(1, sizeof(*cn));

    if (!cn)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    cn->shared = classifier;
    RP_TRY(bind(cn, slot));
    return 0;

fail:
    rp_classification_destroy(out);
    return ret;
}

void rp_classification_destroy(struct rp_classification **classification)
{
    struct rp_classification *const cn = *classification;

    if (!cn)
        return;
    rp_batch_close(&cn->batch);
    for (int i = 0; i < MAX_PARTS; i++)
        rp_net_close(&cn->net[i]);
    free(cn); /* its buffers are the slot's */
    *classification = NULL;
}

/* ---- recording ------------------------------------------------------------------------------- */

static void place_crop(struct rp_classification *cn, const struct rp_face_at *at)
{
    const struct facts *const f = cn->shared->facts;

    if (f->points)
        RP_OP(at->slot, align, .face = at->cur, .template_id = RP_TEMPLATE_ARCFACE_112_V2,
              .w = f->size, .h = f->size, .scale = 1, .dst = cn->affine);
    else
        RP_OP(at->slot, box_affine, .face = at->cur, .fit = RP_BOX_STRETCH, .factor = 1.4f,
              .w = f->size, .h = f->size, .dst = cn->affine);
}

struct rp_batch *rp_classification_batch(const struct rp_classification *cn)
{
    return cn->batch;
}

void rp_classification_before(struct rp_classification *cn, const struct rp_face_at *at)
{
    const struct facts *const f = cn->shared->facts;

    place_crop(cn, at);
    RP_OP(at->slot, warp, .src = *at->frame, .affine = cn->affine, .dst = cn->crop,
          .border = 1, .area = !f->points);
    RP_OP(at->slot, to_tensor, .src = cn->crop, .lut = cn->lut,
          .dst = cn->net[0]->in[0].data, .w = f->size, .h = f->size, .rgb = f->rgb,
          .step = 1);
}

static void decode(struct rp_classification *cn, int part, const struct rp_face_at *at)
{
    const struct facts *const f = cn->shared->facts;
    struct rp_op_classify op = {.kind = f->decoder[part], .face = at->cur};

    for (int i = 0; i < f->outputs; i++)
        op.t[i] = cn->net[part]->out[i].data;
    RP_OP_FROM(at->slot, classify, &op);
}

void rp_classification_after(struct rp_classification *cn, const struct rp_face_at *at)
{
    return decode(cn, 0, at);
}

void rp_classification_record(struct rp_classification *cn, const struct rp_face_at *at)
{
    rp_classification_before(cn, at);
    for (int i = 0; i < cn->shared->parts; i++) {
        rp_record_run(cn->net[i]);
        decode(cn, i, at);
    }
}
