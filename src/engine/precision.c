/* TF32 and float16 round numbers to the same 11 bits, TF32 when they are multiplied and float16
 * when they are stored, so most networks move as little by one as by the other. But float16 ends at
 * 65504, loses bits below 6e-5, and is added to in long chains of residual blocks. So with
 * --precision auto each network is run on the same few inputs three times: multiplied as float32,
 * which is what is right, as TF32, and stored as float16.
 *
 * What is right is computed on the GPU as well, by its ordinary units: a convolution then has one
 * thread for each number (RP_PRODUCT_EXACT), slow beside its matrix units but quick beside the C
 * operations, whose results differ only by the order of their sums. The cache keeps what was found.
 *
 * Small networks have so little to multiply that three products instead of one (RP_PRODUCT_FULL)
 * take no time beside that of their launches; and it is these, detectors, landmarks, embeddings and
 * ages, whose few numbers decide where all else looks. So they are float32.
 */
#include "engine/precision.h"

#include <math.h>

#include "engine/cache.h"
#include "engine/compare.h"
#include "engine/native.h"

#define INPUTS 3
#define SECONDS 1 /* after these no further input: one is enough for large pictures */
#define TIMES 2   /* at most so many times as far as TF32: one bit */
#define RMS 5e-4  /* or so far, which nothing that looks at a picture sees: 66 dB */
#define MOST 1e-3
#define SMALL 1e9 /* floating-point operations: 20 us of an H200's float32 by matrix units */
/* Outputs smaller than this are measured as if they were as large: scores of what is not there. */
#define LEAST 0.01

/* ---- what the cache knows -------------------------------------------------------------------- */

static bool on_gpu(const struct rp_device *device)
{
    return device->fns->record_begin != NULL;
}

/* Whichever ONNX Runtime there is, if any. */
static int key_of(const struct rp_device *device, const char *path, char *key, size_t size)
{
    char stamp[256];
    const int ret = rp_cache_stamp(path, stamp, sizeof(stamp));

    snprintf(key, size, "precision of %s | %s | %s | reprise %s", ret < 0 ? "" : stamp,
             device->title, device->version, rp_version());
    return ret;
}

static struct rp_errors errors_of(const json_t *entry, const char *name)
{
    struct rp_errors e = {INFINITY, INFINITY};
    const json_t *const pair = json_object_get(entry, name);

    if (json_is_number(json_array_get(pair, 0)) && json_is_number(json_array_get(pair, 1))) {
        e.rms = json_number_value(json_array_get(pair, 0));
        e.most = json_number_value(json_array_get(pair, 1));
    }
    return e;
}

/* JSON has no infinity: float16 that is not finite is left out. */
static json_t *entry_of(const struct rp_precision_facts *f)
{
    json_t *const entry =
        json_pack("{s:[f,f], s:f}", "tf32", f->tf32.rms, f->tf32.most, "flop", f->flop);

    if (entry && isfinite(f->fp16.rms) && isfinite(f->fp16.most))
        json_object_set_new(entry, "fp16", json_pack("[f,f]", f->fp16.rms, f->fp16.most));
    return entry;
}

/* Where a file's measurements on all kinds of GPU are noted together, for people. */
static int note_key(const char *path, char *key, size_t size)
{
    char stamp[256];
    const int ret = rp_cache_stamp(path, stamp, sizeof(stamp));

    snprintf(key, size, "precisions of %s | reprise %s", ret < 0 ? "" : stamp, rp_version());
    return ret;
}

static void note(struct rp_cache *cache, const struct rp_model *m, json_t *entry)
{
    char key[1200];

    if (note_key(m->path, key, sizeof(key)) < 0)
        return;
    json_t *all = rp_cache_get(cache, key);
    if (!json_is_object(all)) {
        json_decref(all);
        all = json_object();
    }
    if (all && json_object_set(all, m->device->title, entry) == 0)
        rp_cache_put(cache, key, all);
    json_decref(all);
}

static void keep(struct rp_cache *cache, const struct rp_model *m,
                 const struct rp_precision_facts *f)
{
    char key[1200];
    json_t *const entry = entry_of(f);

    if (entry && cache && key_of(m->device, m->path, key, sizeof(key)) >= 0) {
        rp_cache_put(cache, key, entry);
        note(cache, m, entry);
    }
    json_decref(entry);
}

static struct rp_precision_facts facts_of(const json_t *entry)
{
    struct rp_precision_facts f = {.taken = RP_PRECISION_TF32};

    f.tf32 = errors_of(entry, "tf32");
    f.fp16 = errors_of(entry, "fp16");
    f.flop = json_number_value(json_object_get(entry, "flop"));
    f.measured = isfinite(f.tf32.rms) && isfinite(f.tf32.most) && f.flop > 0;
    if (f.measured)
        f.taken = rp_precision_best(&f);
    return f;
}

bool rp_precision_recall(const struct rp_device *device, const struct rp_model_params *params,
                         struct rp_precision_facts *facts)
{
    char key[1200];
    json_t *entry = NULL;

    *facts = (struct rp_precision_facts){.taken = RP_PRECISION_TF32};
    if (params->cache && key_of(device, params->path, key, sizeof(key)) >= 0)
        entry = rp_cache_get(params->cache, key);
    if (entry)
        *facts = facts_of(entry);
    json_decref(entry);
    return facts->measured;
}

void rp_precision_describe(struct rp_cache *cache, const char *path, char *text, size_t size)
{
    char key[1200];
    const char *gpu;
    json_t *entry, *const all =
                       note_key(path, key, sizeof(key)) < 0 ? NULL : rp_cache_get(cache, key);
    size_t n = 0;

    text[0] = 0;
    json_object_foreach(all, gpu, entry)
    {
        const struct rp_precision_facts f = facts_of(entry);

        if (n >= size || !f.measured)
            continue;
        const int more =
            snprintf(text + n, size - n, "%s%s: %s (TF32 %.1e, float16 %.1e)", n ? "; " : "", gpu,
                     rp_precision_names[f.taken], f.tf32.rms, f.fp16.rms);
        n += more > 0 ? (size_t) more : 0;
    }
    json_decref(all);
}

enum rp_precision rp_precision_for(const struct rp_device *device,
                                   const struct rp_model_params *params,
                                   struct rp_precision_facts *known)
{
    *known = (struct rp_precision_facts){.taken = RP_PRECISION_TF32};
    if (params->precision != RP_PRECISION_AUTO)
        known->taken = params->precision;
    else if (on_gpu(device) && rp_model_wants_native(params->by, device))
        rp_precision_recall(device, params, known);
    return known->taken;
}

/* ---- measuring ------------------------------------------------------------------------------- */

struct trial {
    struct rp_slot *slot;
    struct rp_net *full, *half;
    float *want, *got; /* all outputs, one after the other */
    size_t numbers;
};

static void end_trial(struct trial *t)
{
    rp_net_close(&t->full);
    rp_net_close(&t->half);
    rp_slot_destroy(&t->slot);
    free(t->want);
    free(t->got);
}

static int open_net(struct rp_slot *slot, struct rp_model *m, struct rp_net **net)
{
    int64_t dim[RP_MAX_TENSORS][RP_MAX_RANK];
    const int64_t *dims[RP_MAX_TENSORS] = {0};

    for (int i = 0; i < m->nin; i++) {
        rp_native_guess_dim(&m->in[i], dim[i]);
        dims[i] = dim[i];
    }
    return rp_net_open_over(net, slot, m, dims, NULL);
}

static int begin_trial(struct trial *t, struct rp_model *full, struct rp_model *half)
{
    const struct rp_model *const any = full ? full : half;

    RP_CHECK(rp_slot_create(&t->slot, any->device));
    if (full)
        RP_CHECK(open_net(t->slot, full, &t->full));
    RP_CHECK(open_net(t->slot, half, &t->half));
    for (int i = 0; i < t->half->nout; i++)
        t->numbers += t->half->out[i].count;
    t->want = calloc(t->numbers + 1, sizeof(float));
    t->got = calloc(t->numbers + 1, sizeof(float));
    return t->want && t->got ? 0 : rp_fail(RP_ERR_NOMEM, "out of memory");
}

/* From -1 to 1 for networks that take such numbers or those from 0 to 1; else from 0 to `most`. */
static int fill(struct trial *t, struct rp_net *net, float most, uint32_t seed)
{
    int ret = 0;

    for (int i = 0; ret >= 0 && i < net->nin; i++) {
        const struct rp_tensor *const x = &net->in[i];
        float *const host = malloc(x->bytes + sizeof(float));

        if (!host)
            return rp_fail(RP_ERR_NOMEM, "out of memory");
        rp_fill_floats(host, x->count, most > 1 ? 0 : -1, most > 1 ? most : 2, &seed);
        ret = rp_slot_upload(t->slot, x->data, host, x->bytes);
        if (ret >= 0)
            ret = rp_slot_sync(t->slot);
        free(host);
    }
    return ret;
}

static int run(struct trial *t, struct rp_net *net, enum rp_net_product product, float *to)
{
    rp_native_multiply(net, product);
    RP_CHECK(rp_native_run(net));
    for (int i = 0; i < net->nout; i++) {
        RP_CHECK(rp_slot_download(t->slot, to, net->out[i].data, net->out[i].bytes));
        to += net->out[i].count;
    }
    return rp_slot_sync(t->slot);
}

static bool all_finite(const float *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i]))
            return false;
    return true;
}

/* The worst of all outputs and of what was found before. */
static void add_errors(const struct trial *t, struct rp_errors *e)
{
    const float *got = t->got, *want = t->want;

    for (int i = 0; i < t->half->nout; i++) {
        const size_t n = t->half->out[i].count;
        double apart = 0, all = 0, most = 0, largest = LEAST;

        for (size_t k = 0; k < n; k++) {
            const double d = (double) got[k] - (double) want[k];

            apart += d * d;
            all += (double) want[k] * (double) want[k];
            most = fmax(most, fabs(d));
            largest = fmax(largest, fabs((double) want[k]));
        }
        if (n && !all_finite(got, n))
            *e = (struct rp_errors){INFINITY, INFINITY};
        e->rms =
            fmax(e->rms, n ? sqrt(apart / (double) n) / fmax(sqrt(all / (double) n), LEAST) : 0);
        e->most = fmax(e->most, most / largest);
        got += n;
        want += n;
    }
}

static int measure_once(struct trial *t, float most, uint32_t seed, struct rp_precision_facts *f)
{
    RP_CHECK(fill(t, t->full, most, seed));
    RP_CHECK(fill(t, t->half, most, seed));
    RP_CHECK(run(t, t->full, RP_PRODUCT_EXACT, t->want));
    if (!all_finite(t->want, t->numbers))
        return RP_ERR_UNSUPPORTED;
    RP_CHECK(run(t, t->full, RP_PRODUCT_TF32, t->got));
    add_errors(t, &f->tf32);
    RP_CHECK(run(t, t->half, RP_PRODUCT_QUICK, t->got));
    add_errors(t, &f->fp16);
    return 0;
}

int rp_precision_measure(struct rp_model *full, struct rp_model *half, float most,
                         struct rp_precision_facts *facts)
{
    struct trial t = {0};
    int ret = begin_trial(&t, full, half);
    const double start = rp_now();

    *facts = (struct rp_precision_facts){.taken = RP_PRECISION_TF32};
    if (ret >= 0)
        facts->flop = rp_native_flop(full);
    for (uint32_t i = 0; ret >= 0 && i < INPUTS && (!i || rp_now() - start < SECONDS); i++)
        ret = measure_once(&t, most, i * 2654435761u + 1, facts);
    end_trial(&t);
    facts->measured = ret >= 0;
    if (ret >= 0)
        facts->taken = rp_precision_best(facts);
    return ret;
}

bool rp_precision_is_near(const struct rp_precision_facts *f)
{
    return isfinite(f->fp16.rms) && isfinite(f->fp16.most) &&
           f->fp16.rms <= fmax(TIMES * f->tf32.rms, RMS) &&
           f->fp16.most <= fmax(TIMES * f->tf32.most, MOST);
}

enum rp_precision rp_precision_best(const struct rp_precision_facts *f)
{
    if (f->flop < SMALL)
        return RP_PRECISION_FP32;
    if (rp_precision_is_near(f))
        return RP_PRECISION_FP16;
    return f->tf32.rms <= RMS && f->tf32.most <= MOST ? RP_PRECISION_TF32 : RP_PRECISION_FP32;
}

const char *const rp_precision_names[] = {[RP_PRECISION_AUTO] = "auto",
                                          [RP_PRECISION_TF32] = "tf32",
                                          [RP_PRECISION_FP16] = "fp16",
                                          [RP_PRECISION_FP32] = "fp32",
                                          NULL};

/* Are its results finite? They are computed once. */
static int try_half(struct rp_model *half, float most)
{
    struct trial t = {0};
    int ret = begin_trial(&t, NULL, half);

    if (ret >= 0)
        ret = fill(&t, t.half, most, 1);
    if (ret >= 0)
        ret = run(&t, t.half, RP_PRODUCT_QUICK, t.got);
    if (ret >= 0)
        ret = all_finite(t.got, t.numbers);
    end_trial(&t);
    return ret;
}

/* ---- settling -------------------------------------------------------------------------------- */

static int open_as(struct rp_model **out, const struct rp_model *like,
                   const struct rp_model_params *params, enum rp_precision precision)
{
    struct rp_model_params p = *params;

    p.precision = precision;
    p.layout = like->layout;
    return rp_model_open(out, like->engine, like->device, &p);
}

static void take(struct rp_model **model, struct rp_model **other)
{
    rp_model_close(model);
    *model = *other;
    *other = NULL;
}

static void tell(const struct rp_model *m, const struct rp_precision_facts *f, double seconds)
{
    if (!isfinite(f->fp16.rms))
        rp_log(RP_LOG_INFO, "%s: has numbers that float16 has not; it is %s", m->name,
               rp_precision_names[f->taken]);
    rp_log(RP_LOG_DEBUG,
           "%s: from float32 rms %.1e, most %.1e as TF32, %.1e, %.1e as float16: %s (%.2f s)",
           m->name, f->tf32.rms, f->tf32.most, f->fp16.rms, f->fp16.most,
           rp_precision_names[f->taken], seconds);
}

/* A failure to measure is no failure to open. */
int rp_precision_choose(struct rp_model **model, const struct rp_model_params *params)
{
    struct rp_model *half = NULL;
    struct rp_model *const full = *model;
    struct rp_precision_facts facts;
    const double start = rp_now();

    rp_log(RP_LOG_INFO, "%s: measuring TF32 and float16 on %s, once", full->name,
           full->device->title);
    rp_log_hold(true);
    int ret = open_as(&half, full, params, RP_PRECISION_FP16);
    if (ret >= 0)
        ret = rp_precision_measure(full, half, params->most, &facts);
    rp_log_hold(false);
    if (ret < 0) {
        rp_log(RP_LOG_DEBUG, "%s: not measured; it is TF32", full->name);
        rp_model_close(&half);
        return 0;
    }
    tell(full, &facts, rp_now() - start);
    keep(params->cache, full, &facts);
    if (facts.taken == RP_PRECISION_FP16)
        take(model, &half);
    (*model)->precision = facts;
    rp_model_close(&half);
    return 0;
}

/* float16 was asked for. */
static int check(struct rp_model **model, const struct rp_model_params *params)
{
    struct rp_model *full = NULL;
    const int finite = try_half(*model, params->most);

    if (finite)
        return finite < 0 ? finite : 0;
    rp_log(RP_LOG_WARN, "%s: has numbers that float16 has not; it is run as with --precision tf32",
           (*model)->name);
    RP_CHECK(open_as(&full, *model, params, RP_PRECISION_TF32));
    take(model, &full);
    return 0;
}

int rp_precision_settle(struct rp_model **model, const struct rp_model_params *params,
                        const struct rp_precision_facts *known, bool may_measure)
{
    struct rp_model *const m = *model;

    if (!m->native)
        return 0;
    m->precision = *known;
    if (params->precision == RP_PRECISION_FP16)
        return check(model, params);
    if (params->precision != RP_PRECISION_AUTO || !on_gpu(m->device) || known->measured)
        return 0;
    m->precision.flop = rp_native_flop(m);
    if (m->precision.flop < SMALL)
        m->precision.taken = RP_PRECISION_FP32;
    else if (may_measure)
        return rp_precision_choose(model, params);
    return 0;
}
