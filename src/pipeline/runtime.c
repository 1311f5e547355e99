#include "pipeline/runtime.h"

#include "base/api.h"
#include "base/path.h"
#include "base/timeline.h"
#include "engine/graph.h"
#include "pipeline/options.h"

struct rp_gpu {
    struct rp_gpu *next;
    struct rp_runtime *runtime;
    int id;
    struct rp_executor *executor;
    struct rp_device *device; /* NULL until it could be opened; only its thread uses this */
};

struct rp_cache_folder {
    struct rp_cache_folder *next;
    char *path; /* NULL: the user's cache */
    struct rp_cache *cache;
};

static int create(rp_runtime **out, const rp_runtime_params *params)
{
    int ret;
    rp_runtime *const rt = *out = calloc(1, sizeof(*rt));

    if (!rt)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    pthread_mutex_init(&rt->lock, NULL);
    RP_TRY(rp_store_create(&rt->store, params->models_path));
    if (params->download)
        RP_TRY(rp_store_downloads(rt->store,
                                  rp_settings_get(rp_options_settings(params->download),
                                                  &rp_download_group),
                                  params->on_download, params->download_priv));
    RP_TRY(rp_shelf_create(&rt->shelf, params->kept_models));
    RP_TRY(rp_idle_create(&rt->idle, params->kept_models >= 0));
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

int rp_runtime_create_api(rp_runtime **out, int api, const rp_runtime_params *params,
                          size_t params_size)
{
    rp_runtime_params own;

    *out = NULL;
    RP_CHECK(rp_api_check(api));
    rp_api_take(&own, sizeof(own), params, params_size);
    return create(out, &own);
}

/* Made when first needed; the library is loaded when a model needs it. */
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

/* ---- GPUs ------------------------------------------------------------------------------------ */

static int find_gpu_entry(rp_runtime *rt, int id, struct rp_gpu **out)
{
    int ret;
    struct rp_gpu *g = rt->gpus;

    while (g && g->id != id)
        g = g->next;
    if ((*out = g))
        return 0;
    if (!(g = calloc(1, sizeof(*g))))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    g->runtime = rt;
    g->id = id;
    if ((ret = rp_executor_create(&g->executor)) < 0) {
        free(g);
        return ret;
    }
    g->next = rt->gpus;
    *out = rt->gpus = g;
    return 0;
}

static int gpu_entry(rp_runtime *rt, int id, struct rp_gpu **out)
{
    pthread_mutex_lock(&rt->lock);
    const int ret = find_gpu_entry(rt, id, out);
    pthread_mutex_unlock(&rt->lock);
    return ret;
}

int rp_runtime_executor(rp_runtime *rt, int id, struct rp_executor **executor)
{
    struct rp_gpu *g;

    *executor = NULL;
    RP_CHECK(gpu_entry(rt, id, &g));
    *executor = g->executor;
    return 0;
}

int rp_runtime_gpu(rp_runtime *rt, int id, struct rp_device **device)
{
    struct rp_gpu *g;

    *device = NULL;
    RP_CHECK(gpu_entry(rt, id, &g));
    if (!g->device) {
        RP_CHECK(rp_device_cuda(&g->device, id));
        rp_timeline_add("GPU %d is ready", id);
    }
    *device = g->device;
    return 0;
}

static void forget(rp_runtime *rt, const struct rp_device *device)
{
    rp_idle_clear(rt->idle, device);
    rp_shelf_clear(rt->shelf, device);
}

static int forget_gpu(void *priv)
{
    const struct rp_gpu *const g = priv;

    if (g->device)
        forget(g->runtime, g->device);
    return 0;
}

void rp_runtime_forget(rp_runtime *rt)
{
    forget(rt, rt->device);
    for (struct rp_gpu *g = rt->gpus; g; g = g->next)
        rp_executor_run(g->executor, forget_gpu, g);
}

static int close_gpu(void *priv)
{
    struct rp_gpu *const g = priv;

    forget_gpu(g);
    rp_device_destroy(&g->device);
    return 0;
}

static void close_gpus(rp_runtime *rt)
{
    while (rt->gpus) {
        struct rp_gpu *const g = rt->gpus;

        rt->gpus = g->next;
        rp_executor_run(g->executor, close_gpu, g);
        rp_executor_destroy(&g->executor);
        free(g);
    }
}

/* ---- caches ----------------------------------------------------------------------------- */

static bool is_folder(const struct rp_cache_folder *f, const char *path)
{
    return f->path && path ? !strcmp(f->path, path) : f->path == path;
}

static void close_folder(struct rp_cache_folder *f)
{
    rp_cache_close(&f->cache);
    free(f->path);
    free(f);
}

static int open_folder(struct rp_cache_folder **out, const char *path)
{
    int ret = 0;
    struct rp_cache_folder *const f = *out = calloc(1, sizeof(*f));

    if (!f)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    if (path && !(f->path = strdup(path)))
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
    if (ret >= 0)
        ret = rp_cache_open(&f->cache, path);
    if (ret < 0) {
        close_folder(f);
        *out = NULL;
    }
    return ret;
}

int rp_runtime_cache(rp_runtime *rt, const char *path, struct rp_cache **cache)
{
    int ret = 0;
    struct rp_cache_folder *f;

    pthread_mutex_lock(&rt->lock);
    for (f = rt->folders; f && !is_folder(f, path);)
        f = f->next;
    if (!f && (ret = open_folder(&f, path)) >= 0) {
        f->next = rt->folders;
        rt->folders = f;
    }
    *cache = f ? f->cache : NULL;
    pthread_mutex_unlock(&rt->lock);
    return ret;
}

static void close_folders(rp_runtime *rt)
{
    while (rt->folders) {
        struct rp_cache_folder *const f = rt->folders;

        rt->folders = f->next;
        close_folder(f);
    }
}

/* ---------------------------------------------------------------------------------------------- */

/* Pipelines before their models, models before their devices, devices before ONNX Runtime. */
void rp_runtime_destroy(rp_runtime **out)
{
    rp_runtime *const rt = *out;

    if (!rt)
        return;
    close_gpus(rt);
    rp_idle_destroy(&rt->idle);
    rp_shelf_destroy(&rt->shelf);
    rp_device_destroy(&rt->device);
    rp_engine_destroy(&rt->engine);
    close_folders(rt);
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

/* The entry by the names that rp_model_info has. */
static int find_entry(const rp_runtime *rt, const char *kind, const char *name,
                      const struct rp_model_entry **entry)
{
    for (int k = 0; kind && k < RP_KIND_COUNT; k++) {
        if (!strcmp(rp_model_kind_name(k), kind))
            return rp_store_find(rt->store, k, name, entry);
    }
    return rp_fail(RP_ERR_USAGE, "%s: there is no model %s", kind ? kind : "no kind",
                   name ? name : "without a name");
}

int rp_model_fetch(rp_runtime *runtime, const char *kind, const char *name)
{
    const struct rp_model_entry *entry = NULL;
    const int ret = find_entry(runtime, kind, name, &entry);

    return ret < 0 || !entry ? ret : rp_store_fetch(runtime->store, entry);
}

int rp_model_verify(rp_runtime *runtime, const char *kind, const char *name)
{
    const struct rp_model_entry *entry = NULL;
    const int ret = find_entry(runtime, kind, name, &entry);

    return ret < 0 || !entry ? ret : rp_store_verify(runtime->store, entry);
}

int rp_model_native(rp_runtime *runtime, const char *kind, const char *name, char *why, size_t size)
{
    int ret;
    char *path = NULL;
    const struct rp_model_entry *entry = NULL;

    if (!why || !size)
        return rp_fail(RP_ERR_USAGE, "a model's reason needs room");
    RP_CHECK(find_entry(runtime, kind, name, &entry));
    if (!entry)
        return RP_ERR_MISSING;
    RP_CHECK(rp_store_file(runtime->store, entry, &path));
    ret = path ? rp_model_could_be_native(path, why, size) : RP_ERR_MISSING;
    free(path);
    return ret;
}

int rp_model_measured(rp_runtime *runtime, const rp_options *options, const char *kind,
                      const char *name, char *text, size_t size)
{
    char *path = NULL;
    struct rp_cache *cache = NULL;
    const struct rp_model_entry *entry = NULL;

    if (!options || !text || !size)
        return rp_fail(RP_ERR_USAGE, "what was measured of a model needs options and room");
    const struct rp_graph_options *const graph =
        rp_settings_get(rp_options_settings(options), &rp_graph_group);
    text[0] = 0;
    RP_CHECK(find_entry(runtime, kind, name, &entry));
    if (!entry)
        return RP_ERR_MISSING;
    RP_CHECK(rp_store_file(runtime->store, entry, &path));
    if (!path)
        return RP_ERR_MISSING;
    const int ret = rp_runtime_cache(runtime, graph->cache, &cache);
    if (ret >= 0)
        rp_precision_describe(cache, path, text, size);
    free(path);
    return ret < 0 ? ret : 0;
}

void rp_emergency_cleanup(void)
{
    rp_partial_cleanup();
}
