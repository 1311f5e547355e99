#include "pipeline/runtime.h"

#include "base/path.h"
#include "media/media.h"

int rp_runtime_create(rp_runtime **out, const rp_runtime_params *params)
{
    int ret;
    static const rp_runtime_params none;
    rp_runtime *const rt = *out = calloc(1, sizeof(*rt));

    if (!params)
        params = &none;
    if (!rt)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    pthread_mutex_init(&rt->lock, NULL);
    RP_TRY(rp_store_create(&rt->store, params->models_path));
    RP_TRY(rp_device_cpu(&rt->device));
    if (params->onnxruntime && !(rt->library = strdup(params->onnxruntime))) {
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
        goto fail;
    }
    return 0;

fail:
    rp_runtime_destroy(out);
    return ret;
}

/* Loaded when first needed: the list of models and the doctor work without it. */
int rp_runtime_engine(rp_runtime *rt, struct rp_engine **engine)
{
    int ret = 0;

    pthread_mutex_lock(&rt->lock);
    if (!rt->engine)
        ret = rp_engine_create(&rt->engine, rt->library);
    *engine = rt->engine;
    pthread_mutex_unlock(&rt->lock);
    return ret;
}

void rp_runtime_destroy(rp_runtime **out)
{
    rp_runtime *const rt = *out;

    if (!rt)
        return;
    rp_device_destroy(&rt->device);
    rp_engine_destroy(&rt->engine);
    rp_store_destroy(&rt->store);
    pthread_mutex_destroy(&rt->lock);
    free(rt->library);
    free(rt);
    *out = NULL;
}

int rp_models_each(rp_runtime *runtime, void (*fn)(void *priv, const rp_model_info *info),
                   void *priv)
{
    return rp_store_each(runtime->store, fn, priv);
}

const char *rp_stage_name(enum rp_stage stage)
{
    static const char *const names[RP_STAGE_COUNT] = {
        "decode", "convert", "content check", "detect", "landmark",
        "embed",  "classify", "select",       "process", "encode",
    };

    return stage >= 0 && stage < RP_STAGE_COUNT ? names[stage] : "";
}

void rp_emergency_cleanup(void)
{
    rp_partial_cleanup();
}

/* ---- doctor ------------------------------------------------------------------------------------ */

struct lite_count {
    int installed, all;
    char missing[256];
};

static void count_lite(void *priv, const rp_model_info *info)
{
    struct lite_count *const c = priv;
    const size_t n = strlen(c->missing);

    if (!info->lite)
        return;
    c->all++;
    c->installed += info->installed;
    if (!info->installed)
        snprintf(c->missing + n, sizeof(c->missing) - n, "%s%s", n ? ", " : "", info->name);
}

static bool find_engine(rp_runtime *rt, rp_finding *f, char *detail, size_t size)
{
    struct rp_engine *engine;
    const bool ok = rp_runtime_engine(rt, &engine) >= 0;

    *f = (rp_finding){.name = "ONNX Runtime", .needed = true, .detail = detail, .ok = ok};
    if (ok)
        snprintf(detail, size, "%s, %s", rp_engine_version(engine), rp_engine_library(engine));
    else
        snprintf(detail, size, "%s", rp_last_error());
    f->advice = ok ? NULL : "run scripts/setup.sh, or set ORT_HOME to a folder with "
                            "lib/libonnxruntime.so of version 1.29 or newer";
    return ok;
}

static bool find_models(rp_runtime *rt, rp_finding *f, char *detail, size_t size)
{
    struct lite_count c = {0};

    rp_models_each(rt, count_lite, &c);
    *f = (rp_finding){.name = "models", .needed = true, .detail = detail,
                      .ok = c.installed == c.all};
    f->advice = f->ok ? NULL : "run scripts/setup.sh, or give another folder with --models-path";
    snprintf(detail, size, "%d of %d files of the lite set in %s%s%s", c.installed, c.all,
             rp_store_path(rt->store), c.missing[0] ? "; missing: " : "", c.missing);
    return f->ok;
}

int rp_doctor(rp_runtime *runtime, void (*fn)(void *priv, const rp_finding *finding), void *priv)
{
    rp_finding f;
    char detail[1024];
    bool ok = true;

    if (!runtime)
        return rp_fail(RP_ERR_INVALID, "no runtime");

    f = (rp_finding){.name = "processor", .ok = true, .needed = true, .detail = detail};
    snprintf(detail, sizeof(detail), "%d core%s", rp_cpu_count(), rp_cpu_count() == 1 ? "" : "s");
    fn(priv, &f);
    ok &= find_engine(runtime, &f, detail, sizeof(detail));
    fn(priv, &f);
    ok &= find_models(runtime, &f, detail, sizeof(detail));
    fn(priv, &f);

    const char *const *const encoders = rp_video_encoders();
    f = (rp_finding){.name = "video", .ok = encoders[0] != NULL, .needed = true, .detail = detail,
                     .advice = encoders[0] ? NULL : "install FFmpeg's libraries and build again"};
    snprintf(detail, sizeof(detail), "%s", encoders[0] ? "encoders:" : "no encoder");
    for (int i = 0; encoders[i] && strlen(detail) < sizeof(detail) - 32; i++) {
        strcat(detail, " ");
        strcat(detail, encoders[i]);
    }
    ok &= f.ok;
    fn(priv, &f);

    f = (rp_finding){.name = "GPU", .ok = false, .detail = "not used by this version: networks run "
                     "on the CPU", .advice = NULL};
    fn(priv, &f);
    f = (rp_finding){.name = "provider", .ok = true, .needed = true, .detail = "cpu"};
    fn(priv, &f);
    return ok ? 0 : RP_ERR_UNSUPPORTED;
}
