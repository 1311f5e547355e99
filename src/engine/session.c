/* Making a session: its options, the CUDA provider, and the cache of optimised models. */
#include "onnx/sizes.h"
#include "base/hash.h"
#include "engine/ort.h"
#include "engine/cache.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

struct request {
    int threads;
    bool capture;         /* refuse a model whose runs cannot be recorded */
    bool foreign;         /* with ONNX Runtime's own memory and stream, in the ordinary form */
    const char *path;     /* the model, or its optimised form */
    bool optimised;       /* the file at `path` is optimised already */
    const char *engines;  /* TensorRT's folder; NULL: not kept */
    const char *save;     /* write the optimised form here; NULL: do not */
};

static int make_options(struct rp_engine *e, const struct request *r, OrtSessionOptions **out)
{
    int ret;
    const OrtApi *const api = e->api;

    ORT(api, "ONNX Runtime", CreateSessionOptions(out));
    ORT(api, "ONNX Runtime",
        SetSessionGraphOptimizationLevel(*out, r->optimised ? ORT_DISABLE_ALL : ORT_ENABLE_ALL));
    ORT(api, "ONNX Runtime", SetIntraOpNumThreads(*out, r->threads));
    ORT(api, "ONNX Runtime", SetInterOpNumThreads(*out, 1));
    ORT(api, "ONNX Runtime", SetSessionExecutionMode(*out, ORT_SEQUENTIAL));
    /* idle threads sleep, because several sessions share the cores */
    ORT(api, "ONNX Runtime", AddSessionConfigEntry(*out, "session.intra_op.allow_spinning", "0"));
    /* fr_feature and fr_gender have subnormal weights: 7 to 20 times faster, same output */
    ORT(api, "ONNX Runtime", AddSessionConfigEntry(*out, "session.set_denormal_as_zero", "1"));
    if (r->save)
        ORT(api, "ONNX Runtime", SetOptimizedModelFilePath(*out, r->save));
    return 0;

fail:
    return ret;
}

/* Not the only file that will do: the sentence is the caller's to log. */
static int fail_sum(const struct rp_model *m, const char *what, const char *got, const char *want)
{
    rp_log_hold(true);
    rp_fail(RP_ERR_MISSING, "%s: not the published %s: its %s is %s, right would be %s", m->path,
            m->name, what, got, want);
    rp_log_hold(false);
    return RP_ERR_MISSING;
}

int rp_model_read_summed(const struct rp_model *m, struct rp_onnx_image *out)
{
    struct stat st;
    char got[RP_SHA256_HEX], want[32];

    if (stat(m->path, &st))
        return rp_fail(rp_io_status(errno), "%s: %s", m->path, strerror(errno));
    if (st.st_size != m->sum.size) {
        snprintf(got, sizeof(got), "%lld", (long long) st.st_size);
        snprintf(want, sizeof(want), "%lld", (long long) m->sum.size);
        return fail_sum(m, "size in bytes", got, want);
    }
    RP_CHECK(rp_onnx_copy(out, m->path, m->sum.size));
    RP_CHECK(rp_sha256_data(out->data, out->size, got));
    if (strcmp(got, m->sum.sha256) != 0)
        return fail_sum(m, "SHA-256", got, m->sum.sha256);
    rp_onnx_open_sizes(out);
    return 0;
}

/* Load the edited bytes, or the file; if the sizes that the file states need not hold, with those
 * sizes open. */
static int load(const struct rp_model *m, const struct request *r, const OrtSessionOptions *options,
                OrtSession **out)
{
    int ret = 0;
    struct rp_onnx_image open = {0};
    struct rp_engine *const e = m->engine;

    if (m->sum.sha256)
        RP_TRY(rp_model_read_summed(m, &open));
    else if (!r->optimised && !m->edited)
        rp_onnx_load_open(&open, r->path);
    const struct rp_onnx_image *const from = m->edited ? m->edited : &open;
    if (from->data && !r->optimised)
        ORT(e->api, m->path, CreateSessionFromArray(e->env, from->data, from->size, options, out));
    else
        ORT(e->api, m->path, CreateSession(e->env, r->path, options, out));

fail:
    rp_onnx_unmap(&open);
    return ret;
}

static int add_providers(const struct rp_model *m, const struct request *r,
                         OrtSessionOptions *options)
{
    const struct rp_ort_cuda foreign = {.capture = r->capture, .foreign = true},
                             own = {.capture = r->capture,
                                    .nhwc = m->layout == RP_LAYOUT_NHWC,
                                    .deterministic = m->deterministic};

    if (m->tensorrt && !r->foreign)
        RP_CHECK(rp_ort_add_tensorrt(m->engine, m->device, options, r->engines, true));
    if (!rp_ort_on_gpu(m))
        return 0;
    return rp_ort_add_cuda(m->engine, m->device, options, r->foreign ? &foreign : &own);
}

static int create(const struct rp_model *m, const struct request *r, OrtSession **out)
{
    int ret;
    OrtSessionOptions *options = NULL;
    struct rp_engine *const e = m->engine;

    RP_TRY(make_options(e, r, &options));
    RP_TRY(add_providers(m, r, options));
    RP_TRY(load(m, r, options, out));

fail:
    if (options)
        e->api->ReleaseSessionOptions(options);
    return ret;
}

int rp_ort_cache_key(struct rp_engine *engine, const struct rp_device *device,
                    const char *path, const char *what, char *key, size_t size)
{
    int ret;
    char stamp[256];

    RP_CHECK(rp_engine_load(engine));
    ret = rp_cache_stamp(path, stamp, sizeof(stamp));
    if (ret >= 0)
        snprintf(key, size, "%s %s | onnxruntime %s | %s | %s | reprise %s", what, stamp,
                 engine->version, device->title, device->version, rp_version());
    return ret;
}

/* Open the model that was optimised at an earlier start. RP_ERR_CLOSED if it is absent or
 * broken. */
static int from_plan(struct rp_model *m, struct rp_cache *cache, const char *key)
{
    int ret;
    char *const path = rp_cache_file(cache, key);

    if (!path)
        return RP_ERR_CLOSED;
    rp_log_hold(true);
    ret =
        create(m, &(struct request){.threads = 1, .capture = true, .path = path, .optimised = true},
               &m->session);
    rp_log_hold(false);
    if (ret < 0)
        rp_cache_file_bad(cache, key);
    free(path);
    return ret < 0 ? RP_ERR_CLOSED : 0;
}

/* Open the form that can be recorded, and keep it for the next start. */
static int recordable(struct rp_model *m, struct rp_cache *cache, const char *key)
{
    int ret;
    char *const save = cache ? rp_cache_file_begin(cache, key) : NULL;

    rp_log_hold(true);
    ret = create(m, &(struct request){.threads = 1, .capture = true, .path = m->path, .save = save},
                 &m->session);
    rp_log_hold(false);
    if (save)
        rp_cache_file_done(cache, key, save, ret >= 0);
    free(save);
    return ret;
}

/* On a GPU the form that can be recorded is tried first. A model that cannot be recorded (control
 * flow, work on the CPU) gets an ordinary session and a log line that says so. */
static int open_gpu(struct rp_model *m, struct rp_cache *cache)
{
    int ret;
    char key[1024], why[256], kind[64];
    static const char *const kinds[2][2] = {{"model", "deterministic model"},
                                            {"nhwc model", "deterministic nhwc model"}};

    snprintf(kind, sizeof(kind), "%s", kinds[m->layout == RP_LAYOUT_NHWC][m->deterministic]);
    if (m->edited)
        snprintf(kind + strlen(kind), sizeof(kind) - strlen(kind), " of %d rows", m->nrows);
    RP_CHECK(rp_ort_cache_key(m->engine, m->device, m->path, kind, key, sizeof(key)));
    ret = cache ? from_plan(m, cache, key) : RP_ERR_CLOSED;
    if (ret < 0)
        ret = recordable(m, cache, key);
    m->recordable = ret >= 0;
    if (ret >= 0 || ret == RP_ERR_MISSING)
        return ret;
    snprintf(why, sizeof(why), "%s", rp_last_error());
    RP_CHECK(create(m, &(struct request){.threads = 1, .path = m->path}, &m->session));
    rp_log(RP_LOG_WARN, "%s cannot be recorded as a CUDA graph and runs eagerly: %s", m->name, why);
    return 0;
}

static int open_tensorrt(struct rp_model *m, struct rp_cache *cache)
{
    char *const folder = cache ? rp_cache_folder(cache, "tensorrt") : NULL;
    const int ret =
        create(m, &(struct request){.threads = 1, .path = m->path, .engines = folder}, &m->session);

    free(folder);
    return ret;
}

int rp_ort_open_session(struct rp_model *m, int threads, struct rp_cache *cache)
{
    const bool gpu = rp_ort_on_gpu(m);

    RP_CHECK(rp_engine_load(m->engine));
    if (gpu && m->tensorrt)
        return open_tensorrt(m, cache);
    if (gpu)
        return open_gpu(m, cache);
    return create(m, &(struct request){.threads = threads, .path = m->path}, &m->session);
}

int rp_ort_open_foreign(const struct rp_model *m, bool graph, OrtSession **out)
{
    const bool gpu = rp_ort_on_gpu(m);

    RP_CHECK(rp_engine_load(m->engine));
    return create(m,
                  &(struct request){.threads = gpu ? 1 : m->threads,
                                    .capture = gpu && graph,
                                    .foreign = true,
                                    .path = m->path},
                  out);
}
