/* Measures which form of a network is best on a GPU.
 *
 * Layout: convolutions on tensor cores prefer channels last (NHWC), but operators without such a
 * version get transposes around them. Which layout is faster depends on the network: arcface is 1.6
 * times faster in NHWC, inswapper is slower, and some networks fail. Determinism: cuDNN's fastest
 * algorithms may add in a different order in every run (xseg's transposed convolutions in NCHW,
 * inswapper in NHWC). ONNX Runtime can avoid most of them, which costs up to a fifth of the speed
 * and is done only where it is needed.
 *
 * So each layout is recorded and replayed, four at once. A form that does not always give the same
 * bytes, in each of the four, is tried again in its deterministic variant. The fastest form that is
 * steady and agrees with the others is taken, and the cache keeps the choice. */
#include "engine/form.h"

#include "engine/compare.h"
#include "engine/graph.h"
#include "engine/cache.h"
#include "engine/ort.h"
#include "engine/precision.h"

#define LANES 4
#define SECONDS 0.15
#define GAIN 1.05     /* another form must be this much faster than the first */
#define STEADY 100    /* rounds of replays that must give the same bytes */
#define TOLERANCE 0.02 /* of the largest magnitude in an output: the rounding of TF32 adds up */

struct lane {
    struct rp_slot *slot;
    struct rp_net *net;
    struct rp_graph *graph;
};

struct trial {
    struct rp_model *model;
    struct lane lane[LANES];
    double seconds; /* a run, with all lanes busy; 0: it failed */
    bool steady;
    uint8_t *result; /* of lane 0: all outputs, one after the other */
    size_t bytes;
};

static const struct rp_graph_options recorded = {.mode = RP_GRAPH_FRAME, .warmup = 2, .verify = 1};

/* Free the memory; the model stays open. */
static void end_lanes(struct trial *t)
{
    for (int i = 0; i < LANES; i++) {
        rp_graph_destroy(&t->lane[i].graph);
        rp_net_close(&t->lane[i].net);
        rp_slot_destroy(&t->lane[i].slot);
    }
}

static void end_trial(struct trial *t)
{
    end_lanes(t);
    rp_model_close(&t->model);
    free(t->result);
    memset(t, 0, sizeof(*t));
}

/* Fill the inputs with the same numbers for all lanes and layouts; inputs that are not floats stay
 * 0. */
static int fill(const struct lane *l)
{
    int ret = 0;
    uint32_t seed = 1;

    for (int i = 0; i < l->net->nin; i++) {
        const struct rp_tensor *const t = &l->net->in[i];
        float *host;

        if (t->type != RP_TYPE_F32)
            continue;
        if (!(host = malloc(t->bytes + 4)))
            return rp_fail(RP_ERR_NOMEM, "out of memory");
        rp_fill_tensor(t, host, &seed);
        ret = rp_slot_upload(l->slot, t->data, host, t->bytes);
        if (ret >= 0)
            ret = rp_slot_sync(l->slot);
        free(host);
        RP_CHECK(ret);
    }
    return ret;
}

static int run_net(void *priv)
{
    return rp_net_run(priv);
}

static int open_lane(struct rp_model *m, const int64_t *const *dims, struct lane *l)
{
    RP_CHECK(rp_slot_create(&l->slot, m->device));
    RP_CHECK(rp_net_open(&l->net, l->slot, m, dims));
    RP_CHECK(fill(l));
    RP_CHECK(rp_graph_create(&l->graph, l->slot, m->name, &recorded));
    for (int i = 0; i < 3; i++)
        RP_CHECK(rp_graph_run(l->graph, run_net, l->net, false));
    RP_CHECK(rp_graph_wait(l->graph));
    return rp_graph_recorded(l->graph) ? 0
                                       : rp_fail(RP_ERR_UNSUPPORTED, "%s: not recorded", m->name);
}

static int read_result(const struct lane *l, uint8_t *to)
{
    for (int i = 0; i < l->net->nout; i++) {
        RP_CHECK(rp_slot_download(l->slot, to, l->net->out[i].data, l->net->out[i].bytes));
        to += l->net->out[i].bytes;
    }
    return rp_slot_sync(l->slot);
}

/* All lanes at once: some algorithms add in a steady order only while nothing else runs. */
static int run_lanes(struct trial *t)
{
    for (int i = 0; i < LANES; i++)
        RP_CHECK(rp_graph_run(t->lane[i].graph, run_net, t->lane[i].net, false));
    for (int i = 0; i < LANES; i++)
        RP_CHECK(rp_graph_wait(t->lane[i].graph));
    return 0;
}

/* Does it give the same bytes every time, in each lane? Keeps the bytes. */
static int watch(struct trial *t)
{
    int ret;
    const struct lane *const l = &t->lane[0];
    uint8_t *again;

    for (int i = 0; i < l->net->nout; i++)
        t->bytes += l->net->out[i].bytes;
    t->result = malloc(t->bytes + 4);
    again = malloc(t->bytes + 4);
    if (!t->result || !again) {
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
        goto fail;
    }
    RP_TRY(read_result(l, t->result));
    t->steady = true;
    for (int i = 0; i < STEADY && t->steady; i++) {
        RP_TRY(run_lanes(t));
        RP_TRY(read_result(&t->lane[i % LANES], again)); /* reading all would take longer */
        t->steady = memcmp(t->result, again, t->bytes) == 0;
    }
fail:
    free(again);
    return ret;
}

static int time_lanes(struct trial *t)
{
    int rounds = 0;
    const double start = rp_now();

    for (; rounds < 3 || rp_now() - start < SECONDS; rounds++)
        for (int i = 0; i < LANES; i++)
            RP_CHECK(rp_graph_run(t->lane[i].graph, run_net, t->lane[i].net, false));
    for (int i = 0; i < LANES; i++)
        RP_CHECK(rp_graph_wait(t->lane[i].graph));
    t->seconds = (rp_now() - start) / rounds / LANES;
    return 0;
}

/* Measure t->model. */
static int measure(struct trial *t)
{
    int64_t dim[RP_MAX_TENSORS][RP_MAX_RANK];
    const int64_t *dims[RP_MAX_TENSORS];

    if (!t->model->recordable)
        return RP_ERR_UNSUPPORTED;
    for (int i = 0; i < t->model->nin; i++) {
        if (!rp_ort_guess_dim(&t->model->in[i], dim[i]))
            return RP_ERR_UNSUPPORTED; /* nothing is measured */
        dims[i] = dim[i];
    }
    for (int i = 0; i < LANES; i++)
        RP_CHECK(open_lane(t->model, dims, &t->lane[i]));
    RP_CHECK(watch(t));
    return time_lanes(t);
}

/* Do the results agree, output by output? */
static bool agree(const struct trial *first, const struct trial *t)
{
    const struct rp_net *const net = first->lane[0].net;
    const uint8_t *got = t->result, *want = first->result;

    if (first->bytes != t->bytes)
        return false;
    for (int i = 0; i < net->nout; i++) {
        if (!rp_is_near(&net->out[i], got, want, TOLERANCE))
            return false;
        got += net->out[i].bytes;
        want += net->out[i].bytes;
    }
    return true;
}

/* ---- choosing -------------------------------------------------------------------------------- */

static const struct form {
    const char *name;
    enum rp_layout layout;
    bool deterministic;
} forms[] = {
    {"nchw", RP_LAYOUT_NCHW, false},
    {"nchw deterministic", RP_LAYOUT_NCHW, true},
    {"nhwc", RP_LAYOUT_NHWC, false},
    {"nhwc deterministic", RP_LAYOUT_NHWC, true},
};
enum { FORMS = 4 };

static int open_form(struct rp_model **out, struct rp_engine *engine, struct rp_device *device,
                     const struct rp_model_params *params, int form)
{
    struct rp_model_params p = *params;

    p.by = RP_NETWORK_ONNXRUNTIME; /* it was found not to be native */
    p.layout = forms[form].layout;
    p.deterministic = forms[form].deterministic;
    return rp_model_open(out, engine, device, &p);
}

/* A steady form is better, then a faster one, but only if it beats the first form by GAIN. */
static bool better(const struct trial *t, const struct trial *best, bool first)
{
    if (t->steady != best->steady)
        return t->steady;
    return t->seconds * (first ? GAIN : 1) < best->seconds;
}

/* The number of the best form; trial[0].model is already open. */
static int choose(struct trial *trial, const struct rp_model_params *params)
{
    int best = 0;
    struct rp_engine *const engine = trial[0].model->engine;
    struct rp_device *const device = trial[0].model->device;

    rp_log(RP_LOG_INFO, "%s: measuring its forms on %s, once", trial[0].model->name, device->title);
    rp_log_hold(true); /* that a form fails is not worth a line */
    for (int i = 0; i < FORMS; i++) {
        struct trial *const t = &trial[i];

        if (forms[i].deterministic && (trial[i - 1].seconds <= 0 || trial[i - 1].steady))
            continue; /* the fast variant is good enough, or this layout does not work at all */
        if ((!t->model && open_form(&t->model, engine, device, params, i) < 0) || measure(t) < 0)
            t->seconds = 0;
        if (i == 0 && t->seconds <= 0)
            break; /* it cannot be recorded, or its sizes are open */
        if (i && t->seconds > 0 && agree(&trial[0], t) && better(t, &trial[best], best == 0))
            best = i;
        if (i)
            end_lanes(t);
    }
    rp_log_hold(false);
    return best;
}

static void tell(const struct trial *trial, int best)
{
    for (int i = 0; i < FORMS; i++)
        if (trial[i].seconds > 0)
            rp_log(RP_LOG_DEBUG, "%s: %.3f ms a run in %s, four at once%s%s",
                   trial[best].model->name, 1e3 * trial[i].seconds, forms[i].name,
                   trial[i].steady ? "" : ", bytes differ between runs",
                   i == best ? ": taken" : "");
}

/* The form in the cache, or -1. */
static int known_choice(struct rp_cache *cache, const char *key)
{
    int form = FORMS;
    json_t *const entry = cache ? rp_cache_get(cache, key) : NULL;
    const char *const name = json_string_value(json_object_get(entry, "form"));

    while (form-- > 0)
        if (name && !strcmp(name, forms[form].name))
            break;
    json_decref(entry);
    return form;
}

static void keep_choice(struct rp_cache *cache, const char *key, int form)
{
    json_t *const entry = json_pack("{s:s}", "form", forms[form].name);

    if (cache && entry)
        rp_cache_put(cache, key, entry);
    json_decref(entry);
}

/* Is there anything to choose, unless the network is our own? */
static bool has_forms(const struct rp_device *device, const struct rp_model_params *params)
{
    return params->layout == RP_LAYOUT_AUTO && device->fns->record_begin && !params->tensorrt;
}

bool rp_form_is_known(struct rp_engine *engine, const struct rp_device *device,
                      const struct rp_model_params *params)
{
    char key[1200];

    return !has_forms(device, params) || rp_model_wants_native(params->by, device) ||
           (rp_ort_cache_key(engine, device, params->path, "form of", key, sizeof(key)) >= 0 &&
            known_choice(params->cache, key) >= 0);
}

static int open_layout(struct rp_model **out, struct rp_engine *engine, struct rp_device *device,
                       const struct rp_model_params *params, bool may_measure)
{
    int ret, form;
    char key[1200];
    struct trial trial[FORMS] = {0};

    if (!has_forms(device, params))
        return rp_model_open(out, engine, device, params);
    RP_CHECK(rp_model_open_natively(out, engine, device, params));
    if (*out)
        return 0;
    RP_TRY(rp_ort_cache_key(engine, device, params->path, "form of", key, sizeof(key)));
    form = known_choice(params->cache, key);
    RP_TRY(open_form(&trial[0].model, engine, device, params, RP_MAX(form, 0)));
    if (form < 0 && may_measure) {
        form = choose(trial, params);
        tell(trial, form);
        keep_choice(params->cache, key, form);
        *out = trial[form].model;
        trial[form].model = NULL;
    } else {
        *out = trial[0].model;
        trial[0].model = NULL;
    }
    ret = 0;

fail:
    for (int i = 0; i < FORMS; i++)
        end_trial(&trial[i]);
    return ret;
}

int rp_form_open(struct rp_model **out, struct rp_engine *engine, struct rp_device *device,
                 const struct rp_model_params *params, enum rp_measure measure)
{
    int ret;
    struct rp_precision_facts known;
    struct rp_model_params p = *params;

    p.precision = rp_precision_for(device, params, &known);
    RP_CHECK(open_layout(out, engine, device, &p, measure == RP_MEASURE_ALL));
    ret = rp_precision_settle(out, params, &known, measure != RP_MEASURE_NOTHING);
    if (ret < 0)
        rp_model_close(out);
    return ret;
}
