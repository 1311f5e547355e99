/* All recognisers have one form: crops by arcface_112_v2 at 112 pixels, RGB, x / 127.5 - 1, to 512
 * numbers. */
#include "face/recogniser.h"

#define SIZE 112

struct rp_recogniser {
    struct rp_model *model;
};

struct rp_recognition {
    struct rp_net *net;
    struct rp_batch *batch;
    struct rp_img crop;
    struct rp_affine *affine;
    float *lut;
};

int rp_recogniser_open(struct rp_recogniser **out, struct rp_pool *pool, struct rp_model_list *list)
{
    int ret;
    const struct rp_model_entry *entry;
    struct rp_recogniser *const r = *out = calloc(1, sizeof(*r));

    if (!r)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    RP_TRY(rp_pool_get(pool, RP_KIND_FACE_RECOGNIZER, "arcface", false, &entry, &r->model));
    RP_TRY(rp_model_expect_input(r->model, NULL, 0, RP_TYPE_F32, 4,
                                 (const int64_t[]){-1, 3, SIZE, SIZE}));
    RP_TRY(rp_model_expect_outputs(r->model, 1));
    rp_model_list_add(list, RP_KIND_FACE_RECOGNIZER, entry->name);
    return 0;

fail:
    rp_recogniser_close(out);
    return ret;
}

void rp_recogniser_close(struct rp_recogniser **recogniser)
{
    free(*recogniser); /* the model is the pool's */
    *recogniser = NULL;
}

int rp_recognition_create(struct rp_recognition **out, const struct rp_recogniser *recogniser,
                          struct rp_slot *slot)
{
    int ret;
    static const double one[3] = {1, 1, 1};
    struct rp_recognition *const rn = *out = calloc(1, sizeof(*rn));

    if (!rn)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    RP_TRY(rp_net_open(&rn->net, slot, recogniser->model,
                       (const int64_t *const[]){(const int64_t[]){1, 3, SIZE, SIZE}}));
    RP_TRY(rp_part_expect(rn->net, 0, RP_TYPE_F32, 512, "a face recogniser"));
    RP_TRY(rp_part_batch(&rn->batch, rn->net));
    RP_TRY(rp_part_lut(slot, 127.5, one, one, &rn->lut));
    RP_TRY(rp_slot_image(slot, SIZE, SIZE, 3, &rn->crop));
    RP_TRY(rp_slot_alloc(slot, sizeof(*rn->affine), (void **) &rn->affine));
    return 0;

fail:
    rp_recognition_destroy(out);
    return ret;
}

void rp_recognition_destroy(struct rp_recognition **recognition)
{
    struct rp_recognition *const rn = *recognition;

    if (!rn)
        return;
    rp_batch_close(&rn->batch);
    rp_net_close(&rn->net);
    free(rn); /* its buffers are the slot's */
    *recognition = NULL;
}

struct rp_batch *rp_recognition_batch(const struct rp_recognition *rn)
{
    return rn->batch;
}

void rp_recognition_before(struct rp_recognition *rn, const struct rp_face_at *at)
{
    RP_OP(at->slot, align, .face = at->cur, .template_id = RP_TEMPLATE_ARCFACE_112_V2,
          .w = SIZE, .h = SIZE, .scale = 1, .dst = rn->affine);
    RP_OP(at->slot, warp, .src = *at->frame, .affine = rn->affine, .dst = rn->crop,
          .border = 1);
    RP_OP(at->slot, to_tensor, .src = rn->crop, .lut = rn->lut,
          .dst = rn->net->in[0].data, .w = SIZE, .h = SIZE, .rgb = 1, .step = 1);
}

void rp_recognition_after(struct rp_recognition *rn, const struct rp_face_at *at)
{
    return RP_OP(at->slot, embedding, .src = rn->net->out[0].data, .face = at->cur);
}

void rp_recognition_record(struct rp_recognition *rn, const struct rp_face_at *at)
{
    rp_recognition_before(rn, at);
    rp_record_run(rn->net);
    rp_recognition_after(rn, at);
}
