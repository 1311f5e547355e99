/* Loads ONNX Runtime when its first session, or a question about it, needs it: with networks of our
 * own alone a start does without. Its C API is a table of functions that return a status object; ORT() turns
 * that into our status and a sentence. */
#include "engine/engine.h"
#include "engine/ort.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>

#include "base/path.h"
#include "base/timeline.h"
#include "rp_config.h"

/* ONNX Runtime's own log lines interest developers only: errors are returned as statuses. */
static void ORT_API_CALL on_log(void *param, OrtLoggingLevel severity, const char *category,
                                const char *logid, const char *location, const char *message)
{
    (void) param;
    (void) severity;
    (void) category;
    (void) logid;
    (void) location;
    rp_log(RP_LOG_DEBUG, "onnxruntime: %s", message);
}

/* 1: loaded; 0: it cannot be. Fails only when memory is out, which is no reason to try another. */
static int try_library(struct rp_engine *e, const char *path)
{
    if (strchr(path, '/') && !rp_path_is_file(path))
        return 0;
    e->lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!e->lib) {
        const char *const why = dlerror();

        if (why && strstr(why, strerror(ENOMEM)))
            return rp_fail(RP_ERR_NOMEM, "ONNX Runtime: %s: out of memory", path);
        rp_log(RP_LOG_DEBUG, "%s: %s", path, why ? why : "cannot be loaded");
        return 0;
    }
    e->library = strdup(path);
    return e->library ? 1 : rp_fail(RP_ERR_NOMEM, "ONNX Runtime: %s: out of memory", path);
}

/* What `make install` put there (may be NULL), set-up's, the system's. */
static int try_usual(struct rp_engine *e, const char *installed)
{
    const char *const usual[] = {installed, RP_ORT_LIBRARY, "libonnxruntime.so.1",
                                 "libonnxruntime.so"};

    for (size_t i = 0; i < RP_ARRAY_LEN(usual); i++) {
        const int ret = usual[i] && *usual[i] ? try_library(e, usual[i]) : 0;
        if (ret)
            return ret;
    }
    return 0;
}

/* If a library is asked for by name, no other is tried. */
static int load_library(struct rp_engine *e, const char *asked)
{
    int ret;
    char path[2 * PATH_MAX], *installed;
    const char *const home = getenv("ORT_HOME");

    if (!asked)
        asked = getenv("REPRISE_ONNXRUNTIME");
    if (asked && *asked) {
        RP_CHECK(ret = try_library(e, asked));
        if (!ret)
            return rp_fail(RP_ERR_UNSUPPORTED, "ONNX Runtime: %s cannot be loaded; give the path "
                           "of a libonnxruntime.so for x86-64", asked);
        return 0;
    }
    if (home && *home) {
        snprintf(path, sizeof(path), "%s/lib/libonnxruntime.so", home);
        RP_CHECK(ret = try_library(e, path));
        if (!ret)
            return rp_fail(RP_ERR_UNSUPPORTED, "ONNX Runtime: %s cannot be loaded; ORT_HOME must "
                           "name a folder with lib/libonnxruntime.so", path);
        return 0;
    }
    RP_CHECK(rp_path_installed(RP_PATH_LIB, "libonnxruntime.so", &installed));
    ret = try_usual(e, installed);
    free(installed);
    if (ret)
        return RP_MIN(ret, 0);
    return rp_fail(RP_ERR_UNSUPPORTED, "ONNX Runtime was not found; run scripts/setup.sh, or set "
                   "ORT_HOME to a folder with lib/libonnxruntime.so");
}

/* To be called before the library is loaded, because loading it makes a first report. Without this
 * ONNX Runtime 1.29 for Linux writes a device number and a store of events (program, machine,
 * models, times) into the user's cache folder, to be sent to its maker. The variable's name differs
 * between versions. */
static void forbid_reports(void)
{
    setenv("ORT_DISABLE_TELEMETRY", "1", 0);
    setenv("ORT_TELEMETRY_DISABLED", "1", 0);
}

int rp_engine_create(struct rp_engine **out, const char *library)
{
    struct rp_engine *const e = *out = calloc(1, sizeof(*e));

    if (!e)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    pthread_mutex_init(&e->lock, NULL);
    if (library && !(e->asked = strdup(library))) {
        rp_engine_destroy(out);
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    }
    forbid_reports();
    return 0;
}

/* The library's table of functions; NULL after RP_ERR_UNSUPPORTED. */
static const OrtApi *find_api(struct rp_engine *e)
{
    const OrtApi *api;
    const OrtApiBase *(*base)(void);

    *(void **) &base = dlsym(e->lib, "OrtGetApiBase");
    if (!base) {
        rp_fail(RP_ERR_UNSUPPORTED, "%s: not an ONNX Runtime library", e->library);
        return NULL;
    }
    e->version = base()->GetVersionString();
    api = base()->GetApi(ORT_API_VERSION);
    if (!api)
        rp_fail(RP_ERR_UNSUPPORTED, "%s: ONNX Runtime %s is too old, 1.%d or newer is needed",
                e->library, e->version, ORT_API_VERSION);
    return api;
}

/* With the lock held. What was half done is done again at the next call. */
static int load(struct rp_engine *e)
{
    OrtStatus *status;
    const OrtApi *api;

    free(e->library);
    e->library = NULL;
    e->version = NULL;
    RP_CHECK(load_library(e, e->asked));
    if (!(api = find_api(e)))
        return RP_ERR_UNSUPPORTED;
    status = api->CreateEnvWithCustomLogger(on_log, NULL, ORT_LOGGING_LEVEL_ERROR, "reprise",
                                            &e->env);
    if (status)
        return rp_ort_fail(api, status, RP_ERR_UNSUPPORTED, "ONNX Runtime");
    status = api->DisableTelemetryEvents(e->env);
    if (status)
        api->ReleaseStatus(status);
    e->api = api;
    rp_timeline_add("ONNX Runtime is loaded");
    return 0;
}

int rp_engine_load(struct rp_engine *e)
{
    pthread_mutex_lock(&e->lock);
    const int ret = e->api ? 0 : load(e);
    pthread_mutex_unlock(&e->lock);
    return ret;
}

void rp_engine_destroy(struct rp_engine **out)
{
    struct rp_engine *const e = *out;

    if (!e)
        return;
    if (e->env) {
        rp_ort_release_memory(e);
        e->api->ReleaseEnv(e->env);
    }
    pthread_mutex_destroy(&e->lock);
    free(e->library);
    free(e->asked);
    /* The library stays loaded: it has thread-local state that outlives its last user. */
    free(e);
    *out = NULL;
}

const char *rp_engine_version(struct rp_engine *engine)
{
    return rp_engine_load(engine) < 0 ? "none" : engine->version;
}

const char *rp_engine_library(struct rp_engine *engine)
{
    return rp_engine_load(engine) < 0 ? "none" : engine->library;
}

bool rp_engine_has_cuda(struct rp_engine *e)
{
    OrtCUDAProviderOptionsV2 *cuda = NULL;

    if (rp_engine_load(e) < 0)
        return false;
    OrtStatus *const status = e->api->CreateCUDAProviderOptions(&cuda);

    if (status) {
        e->api->ReleaseStatus(status);
        return false;
    }
    e->api->ReleaseCUDAProviderOptions(cuda);
    return true;
}
