/* The memory layout of a network on a GPU: measured, not guessed.
 *
 * Convolutions on tensor cores want channels last (NHWC); operators that have no such form get
 * transposes around them. Which of the two wins depends on the network: arcface is 1.6 times faster in
 * NHWC, inswapper slower, and some fail. So both are recorded and replayed four at once, and the choice
 * is kept in the plan cache. A form whose results are off by more than the rounding of TF32 is refused. */
#include "engine/graph.h"
#include "engine/ort.h"
#include "engine/plan.h"

#include <math.h>

#define LANES 4
#define SECONDS 0.15
#define GAIN 1.05     /* NHWC must be this much faster */
#define TOLERANCE 0.02 /* of the largest magnitude in an output */

struct lane {
    struct rp_slot *slot;
    struct rp_net *net;
    struct rp_graph *graph;
};

struct trial {
    struct lane lane[LANES];
    double seconds; /* a run, with all lanes busy */
    float *result;  /* of lane 0, all outputs one after the other */
    size_t bytes;
};

static const struct rp_graph_options recorded = {.mode = RP_GRAPH_FRAME, .warmup = 2, .verify = 1};

static void end_trial(struct trial *t)
{
    for (int i = 0; i < LANES; i++) {
        rp_graph_destroy(&t->lane[i].graph);
        rp_net_close(&t->lane[i].net);
        rp_slot_destroy(&t->lane[i].slot);
    }
    free(t->result);
    t->result = NULL;
}

/* Sizes that the file leaves open: the batch is 1; others cannot be guessed, then nothing is measured. */
static bool sizes(const struct rp_model *m, int64_t dim[][RP_MAX_RANK], const int64_t **dims)
{
    for (int i = 0; i < m->nin; i++) {
        for (int d = 0; d < m->in[i].rank; d++) {
            dim[i][d] = d == 0 && m->in[i].dim[d] < 0 ? 1 : m->in[i].dim[d];
            if (dim[i][d] < 0)
                return false;
        }
        dims[i] = dim[i];
    }
    return true;
}

/* Numbers between -1 and 1, the same for all lanes and layouts. */
static int fill(const struct lane *l)
{
    int ret = 0;
    uint32_t r = 1;

    for (int i = 0; i < l->net->nin; i++) {
        const struct rp_tensor *const t = &l->net->in[i];
        float *host;

        if (t->type != RP_TYPE_F32)
            continue;
        if (!(host = malloc(t->bytes + 4)))
            return rp_fail(RP_ERR_NOMEM, "out of memory");
        for (size_t k = 0; k < t->count; k++) {
            r = r * 1664525u + 1013904223u;
            host[k] = (float) (int32_t) r * 0x1p-31f;
        }
        ret = rp_slot_upload(l->slot, t->data, host, t->bytes);
        if (ret >= 0)
            ret = rp_slot_sync(l->slot);
        free(host);
        RP_TRY(ret);
    }
fail:
    return ret;
}

static int run_net(void *priv)
{
    return rp_run(priv);
}

static int open_lane(struct rp_model *m, const int64_t *const *dims, struct lane *l)
{
    int ret;

    RP_TRY(rp_slot_create(&l->slot, m->device));
    RP_TRY(rp_net_open(&l->net, l->slot, m, dims));
    RP_TRY(fill(l));
    RP_TRY(rp_graph_create(&l->graph, l->slot, m->name, &recorded));
    for (int i = 0; i < 3; i++)
        RP_TRY(rp_graph_run(l->graph, run_net, l->net, false));
    RP_TRY(rp_graph_wait(l->graph));
    return rp_graph_recorded(l->graph) ? 0 : rp_fail(RP_ERR_UNSUPPORTED, "%s: not recorded", m->name);

fail:
    return ret;
}

static int keep_result(struct trial *t)
{
    int ret = 0;
    uint8_t *to;
    const struct lane *const l = &t->lane[0];

    for (int i = 0; i < l->net->nout; i++)
        t->bytes += l->net->out[i].bytes;
    if (!(t->result = malloc(t->bytes + 4)))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    to = (uint8_t *) t->result;
    for (int i = 0; i < l->net->nout; i++) {
        RP_TRY(rp_slot_download(l->slot, to, l->net->out[i].data, l->net->out[i].bytes));
        to += l->net->out[i].bytes;
    }
    return rp_slot_sync(l->slot);

fail:
    return ret;
}

static int try_layout(struct rp_model *m, struct trial *t)
{
    int ret, rounds = 0;
    int64_t dim[RP_MAX_TENSORS][RP_MAX_RANK];
    const int64_t *dims[RP_MAX_TENSORS];

    if (!m->recordable || !sizes(m, dim, dims))
        return RP_ERR_UNSUPPORTED;
    for (int i = 0; i < LANES; i++)
        RP_TRY(open_lane(m, dims, &t->lane[i]));
    RP_TRY(keep_result(t));
    const double start = rp_now();
    for (; rounds < 3 || rp_now() - start < SECONDS; rounds++)
        for (int i = 0; i < LANES; i++)
            RP_TRY(rp_graph_run(t->lane[i].graph, run_net, t->lane[i].net, false));
    for (int i = 0; i < LANES; i++)
        RP_TRY(rp_graph_wait(t->lane[i].graph));
    t->seconds = (rp_now() - start) / rounds / LANES;
    return 0;

fail:
    return ret;
}

/* Do the results agree, output by output? Those that are not floats must be equal. */
static bool agree(const struct trial *a, const struct trial *b)
{
    const struct rp_net *const net = a->lane[0].net;
    const uint8_t *p = (const uint8_t *) a->result, *q = (const uint8_t *) b->result;

    for (int i = 0; i < net->nout; i++) {
        const struct rp_tensor *const t = &net->out[i];
        double most = 0, off = 0;

        for (size_t k = 0; t->type == RP_TYPE_F32 && k < t->count; k++) {
            const double x = ((const float *) p)[k], y = ((const float *) q)[k];

            most = fmax(most, fabs(x));
            off = isfinite(x - y) ? fmax(off, fabs(x - y)) : INFINITY;
        }
        if (t->type == RP_TYPE_F32 ? !(off <= TOLERANCE * most) : memcmp(p, q, t->bytes) != 0)
            return false;
        p += t->bytes;
        q += t->bytes;
    }
    return true;
}

/* Open and measure the other layout; it takes the place of *m when it is better. */
static void try_nhwc(struct rp_model **m, const struct rp_model_params *params, const struct trial *nchw)
{
    struct trial t = {0};
    struct rp_model *other = NULL;
    struct rp_model_params p = *params;
    bool better = false;

    p.layout = RP_LAYOUT_NHWC;
    rp_log_hold(true); /* what it cannot do is no news */
    if (rp_model_open(&other, (*m)->engine, (*m)->device, &p) >= 0 && try_layout(other, &t) >= 0)
        better = t.seconds * GAIN < nchw->seconds && agree(nchw, &t);
    rp_log_hold(false);
    if (t.seconds > 0)
        rp_log(RP_LOG_DEBUG, "%s: %.3f ms a run in NCHW, %.3f in NHWC, four at once: %s", (*m)->name,
               1e3 * nchw->seconds, 1e3 * t.seconds, better ? "NHWC" : "NCHW");
    end_trial(&t);
    if (better) {
        struct rp_model *const worse = *m;

        *m = other;
        other = worse;
    }
    rp_model_close(&other);
}

static bool known_choice(struct rp_plans *plans, const char *key, enum rp_layout *layout)
{
    json_t *const entry = plans ? rp_plan_get(plans, key) : NULL;
    const char *const name = json_string_value(json_object_get(entry, "layout"));
    const bool known = name && (!strcmp(name, "nhwc") || !strcmp(name, "nchw"));

    *layout = known && !strcmp(name, "nhwc") ? RP_LAYOUT_NHWC : RP_LAYOUT_NCHW;
    json_decref(entry);
    return known;
}

static void keep_choice(struct rp_plans *plans, const char *key, const struct rp_model *m)
{
    json_t *const entry = json_pack("{s:s}", "layout",
                                    m->layout == RP_LAYOUT_NHWC ? "nhwc" : "nchw");

    if (plans && entry)
        rp_plan_put(plans, key, entry);
    json_decref(entry);
}

int rp_layout_open(struct rp_model **out, struct rp_engine *engine, struct rp_device *device,
                   const struct rp_model_params *params)
{
    int ret;
    char key[1200];
    struct trial t = {0};
    struct rp_model_params p = *params;
    bool known;

    *out = NULL;
    RP_TRY(rp_ort_plan_key(engine, device, params->path, "layout", key, sizeof(key)));
    known = known_choice(params->plans, key, &p.layout);
    RP_TRY(rp_model_open(out, engine, device, &p));
    if (known || !params->measure)
        return 0;
    rp_log_hold(true);
    ret = try_layout(*out, &t);
    rp_log_hold(false);
    if (ret >= 0)
        try_nhwc(out, params, &t);
    end_trial(&t);
    keep_choice(params->plans, key, *out);
    return 0;

fail:
    return ret;
}
