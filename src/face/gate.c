#include "face/gate.h"

#define SIDE 224
#define BLOCK_RATE 10.0 /* percent of the frames looked at */

struct rp_gate_model {
    struct rp_model *model;
};

struct rp_gate_slot {
    struct rp_slot *slot;
    struct rp_net *net;
    struct rp_img small;
    float *lut;
    struct rp_verdict *verdict;
};

int rp_gate_create(struct rp_gate_model **out, struct rp_pool *pool)
{
    int ret;
    struct rp_gate_model *const g = *out = calloc(1, sizeof(*g));

    if (!g)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    RP_TRY(rp_pool_get_exact(pool, RP_KIND_CONTENT_ANALYSER, "nsfwjs", &g->model));
    RP_TRY(rp_model_expect_input(g->model, NULL, 0, RP_TYPE_F32, 4,
                                 (const int64_t[]){-1, 3, SIDE, SIDE}));
    RP_TRY(rp_model_expect_outputs(g->model, 1));
    return 0;

fail:
    rp_gate_destroy(out);
    return ret;
}

void rp_gate_destroy(struct rp_gate_model **gate)
{
    free(*gate);
    *gate = NULL;
}

int rp_gate_attach(struct rp_gate_slot **out, const struct rp_gate_model *gate, struct rp_slot *slot)
{
    int ret;
    float lut[3][256];
    static const double zero[3] = {0, 0, 0}, one[3] = {1, 1, 1};
    struct rp_gate_slot *const at = *out = calloc(1, sizeof(*at));

    if (!at)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    at->slot = slot;
    rp_tensor_lut(lut, 255, zero, one);
    RP_TRY(rp_slot_constant(slot, lut, sizeof(lut), (void **) &at->lut));
    RP_TRY(rp_slot_image(slot, SIDE, SIDE, 3, &at->small));
    RP_TRY(rp_slot_alloc(slot, sizeof(*at->verdict), (void **) &at->verdict));
    RP_TRY(rp_net_open(&at->net, slot, gate->model,
                       (const int64_t *const[]){(const int64_t[]){1, 3, SIDE, SIDE}}));
    if (at->net->out[0].count != 5) {
        ret = rp_fail(RP_ERR_MODEL, "%s: gives %zu numbers, the content check needs 5",
                      rp_model_name(gate->model), at->net->out[0].count);
        goto fail;
    }
    return 0;

fail:
    rp_gate_detach(out);
    return ret;
}

void rp_gate_detach(struct rp_gate_slot **at)
{
    if (!*at)
        return;
    rp_net_close(&(*at)->net);
    free(*at);
    *at = NULL;
}

/* The frame is stretched, as nsfwjs does: letter-boxing gives false alarms. */
int rp_gate_record(struct rp_gate_slot *at, const struct rp_img *frame)
{
    int ret;
    const enum rp_stage before = rp_slot_stage(at->slot, RP_STAGE_GATE);

    RP_TRY(RP_OP(at->slot, resize, .src = *frame, .dst = at->small));
    RP_TRY(RP_OP(at->slot, to_tensor, .src = at->small, .lut = at->lut, .dst = at->net->in[0].data,
                 .w = SIDE, .h = SIDE, .rgb = 1, .step = 1));
    RP_TRY(rp_run(at->net));
    RP_TRY(RP_OP(at->slot, gate, .kind = RP_GATE_NSFWJS, .src = at->net->out[0].data, .n = 5,
                 .dst = at->verdict));
    rp_slot_stage(at->slot, before);
    return 0;

fail:
    return ret;
}

struct rp_verdict *rp_gate_verdict(const struct rp_gate_slot *at)
{
    return at->verdict;
}

int rp_gate_interval(double fps)
{
    return fps >= 1 ? (int) fps : 1; /* below 1 fps every frame: FaceFusion would divide by zero */
}

bool rp_gate_blocks(int64_t checked, int64_t positive)
{
    return checked > 0 && 100.0 * (double) positive > BLOCK_RATE * (double) checked;
}
