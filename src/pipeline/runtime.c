#include "pipeline/runtime.h"

#include "base/path.h"
#include "media/media.h"
#include "pipeline/options.h"

struct rp_gpu {
    struct rp_gpu *next;
    struct rp_runtime *runtime;
    int id;
    struct rp_executor *executor;
    struct rp_device *device; /* NULL until it could be opened; only its thread looks at it */
};

struct rp_plan_folder {
    struct rp_plan_folder *next;
    char *path; /* NULL: the user's cache */
    struct rp_plans *plans;
};

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
    if (params->download)
        RP_TRY(rp_store_downloads(rt->store,
                                  rp_settings_get(rp_options_settings(params->download),
                                                  &rp_download_group),
                                  params->on_download, params->download_priv));
    RP_TRY(rp_shelf_create(&rt->shelf, params->kept_models));
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
    if (!g->device)
        RP_CHECK(rp_device_cuda(&g->device, id));
    *device = g->device;
    return 0;
}

static int close_gpu(void *priv)
{
    struct rp_gpu *const g = priv;

    if (g->device)
        rp_shelf_clear(g->runtime->shelf, g->device);
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

/* ---- plan caches ----------------------------------------------------------------------------- */

static bool is_folder(const struct rp_plan_folder *f, const char *path)
{
    return f->path && path ? !strcmp(f->path, path) : f->path == path;
}

static void close_folder(struct rp_plan_folder *f)
{
    rp_plans_close(&f->plans);
    free(f->path);
    free(f);
}

static int open_folder(struct rp_plan_folder **out, const char *path)
{
    int ret = 0;
    struct rp_plan_folder *const f = *out = calloc(1, sizeof(*f));

    if (!f)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    if (path && !(f->path = strdup(path)))
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
    if (ret >= 0)
        ret = rp_plans_open(&f->plans, path);
    if (ret < 0) {
        close_folder(f);
        *out = NULL;
    }
    return ret;
}

int rp_runtime_plans(rp_runtime *rt, const char *path, struct rp_plans **plans)
{
    int ret = 0;
    struct rp_plan_folder *f;

    pthread_mutex_lock(&rt->lock);
    for (f = rt->folders; f && !is_folder(f, path);)
        f = f->next;
    if (!f && (ret = open_folder(&f, path)) >= 0) {
        f->next = rt->folders;
        rt->folders = f;
    }
    *plans = f ? f->plans : NULL;
    pthread_mutex_unlock(&rt->lock);
    return ret;
}

static void close_folders(rp_runtime *rt)
{
    while (rt->folders) {
        struct rp_plan_folder *const f = rt->folders;

        rt->folders = f->next;
        close_folder(f);
    }
}

/* ---------------------------------------------------------------------------------------------- */

/* Models before their devices, devices before ONNX Runtime. */
void rp_runtime_destroy(rp_runtime **out)
{
    rp_runtime *const rt = *out;

    if (!rt)
        return;
    close_gpus(rt);
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

/* The entry of the catalogue by the names that rp_model_info has. */
static int find_entry(const char *kind, const char *name, const struct rp_model_entry **entry)
{
    for (int k = 0; kind && k < RP_KIND_COUNT; k++) {
        if (!strcmp(rp_model_kind_name(k), kind) && (*entry = rp_catalogue_find(k, name)))
            return 0;
    }
    return rp_fail(RP_ERR_USAGE, "%s: there is no model %s", kind ? kind : "no kind",
                   name ? name : "without a name");
}

int rp_model_fetch(rp_runtime *runtime, const char *kind, const char *name)
{
    const struct rp_model_entry *entry = NULL;
    const int ret = find_entry(kind, name, &entry);

    return ret < 0 || !entry ? ret : rp_store_fetch(runtime->store, entry);
}

int rp_model_verify(rp_runtime *runtime, const char *kind, const char *name)
{
    const struct rp_model_entry *entry = NULL;
    const int ret = find_entry(kind, name, &entry);

    return ret < 0 || !entry ? ret : rp_store_verify(runtime->store, entry);
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

/* ---- doctor ---------------------------------------------------------------------------------- */

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

/* Record one operation and replay it: does the GPU give what the CPU gives? */
static int try_graph(struct rp_device *dev, bool *same)
{
    int ret;
    uint8_t src[48 * 3], cpu[24 * 3], gpu[24 * 3];
    struct rp_slot *slot = NULL;
    struct rp_recording *recording = NULL;
    struct rp_img big, small;

    for (size_t i = 0; i < sizeof(src); i++)
        src[i] = (uint8_t) (i * 37);
    RP_TRY(rp_slot_create(&slot, dev));
    RP_TRY(rp_slot_image(slot, 48, 1, 3, &big));
    RP_TRY(rp_slot_image(slot, 24, 1, 3, &small));
    RP_TRY(rp_slot_upload(slot, big.data, src, sizeof(src)));
    RP_TRY(RP_OP(slot, resize, .src = big, .dst = small)); /* loads the kernel */
    RP_TRY(rp_slot_zero(slot, small.data, sizeof(gpu)));
    RP_TRY(dev->fns->record_begin(dev, slot->stream));
    RP_TRY(RP_OP(slot, resize, .src = big, .dst = small));
    RP_TRY(dev->fns->record_end(dev, slot->stream, &recording));
    RP_TRY(dev->fns->replay(dev, slot->stream, recording, true));
    RP_TRY(rp_slot_download(slot, gpu, small.data, sizeof(gpu)));
    RP_TRY(rp_slot_sync(slot));
    big.data = src;
    small.data = cpu;
    rp_c_resize(NULL, &(struct rp_op_resize){big, small});
    *same = memcmp(cpu, gpu, sizeof(gpu)) == 0;

fail:
    if (slot && ret < 0 && dev->fns->record_drop)
        dev->fns->record_drop(dev, slot->stream);
    if (recording)
        dev->fns->recording_free(dev, &recording);
    rp_slot_destroy(&slot);
    return ret;
}

/* The GPU is optional: what is missing is told with where to get it. */
static void find_gpu(rp_finding *f, char *detail, size_t size)
{
    bool same = false;
    size_t free_bytes = 0, total = 0;
    struct rp_device *dev = NULL;

    *f = (rp_finding){.name = "GPU", .detail = detail,
                      .advice = "for an NVIDIA GPU: driver 580 or newer, then make gpu"};
    rp_log_hold(true);
    if (rp_device_cuda(&dev, 0) < 0 || try_graph(dev, &same) < 0) {
        snprintf(detail, size, "%s", rp_last_error());
    } else {
        dev->fns->memory(dev, &free_bytes, &total);
        f->ok = same;
        f->advice = same ? NULL : "update the driver; if it stays, use --execution-providers cpu";
        snprintf(detail, size, "%s, %.1f of %.1f GiB free, %s", dev->title,
                 (double) free_bytes / (1 << 30), (double) total / (1 << 30),
                 same ? "a recorded graph equals the CPU"
                      : "A RECORDED GRAPH DIFFERS FROM THE CPU");
    }
    rp_device_destroy(&dev);
    rp_log_hold(false);
}

static void find_provider(rp_runtime *rt, rp_finding *f, char *detail, size_t size, bool gpu)
{
    struct rp_engine *engine;
    const bool cuda = rp_runtime_engine(rt, &engine) >= 0 && rp_engine_has_cuda(engine);

    *f = (rp_finding){.name = "provider", .ok = true, .needed = true, .detail = detail};
    snprintf(detail, size, "cpu%s", cuda && gpu ? "; cuda with --execution-providers cuda" : "");
    if (gpu && !cuda)
        f->advice = "this ONNX Runtime has no CUDA provider; run make gpu";
}

static void find_video(rp_finding *f, char *detail, size_t size)
{
    const char *const *const encoders = rp_video_encoders();
    size_t n = (size_t) snprintf(detail, size, encoders[0] ? "encoders:" : "no encoder");

    for (int i = 0; encoders[i] && n < size; i++)
        n += (size_t) snprintf(detail + n, size - n, " %s", encoders[i]);
    *f = (rp_finding){.name = "video", .ok = encoders[0] != NULL, .needed = true, .detail = detail,
                      .advice = encoders[0] ? NULL : "install FFmpeg's libraries and build again"};
}

int rp_doctor(rp_runtime *runtime, void (*fn)(void *priv, const rp_finding *finding), void *priv)
{
    rp_finding f;
    char detail[1024];
    bool ok = true, gpu;

    if (!runtime)
        return rp_fail(RP_ERR_INVALID, "no runtime");
    f = (rp_finding){.name = "processor", .ok = true, .needed = true, .detail = detail};
    snprintf(detail, sizeof(detail), "%d core%s", rp_cpu_count(), rp_cpu_count() == 1 ? "" : "s");
    fn(priv, &f);
    rp_log_hold(true);
    ok &= find_engine(runtime, &f, detail, sizeof(detail));
    rp_log_hold(false);
    fn(priv, &f);
    ok &= find_models(runtime, &f, detail, sizeof(detail));
    fn(priv, &f);
    find_video(&f, detail, sizeof(detail));
    ok &= f.ok;
    fn(priv, &f);
    find_gpu(&f, detail, sizeof(detail));
    gpu = f.ok;
    fn(priv, &f);
    rp_log_hold(true);
    find_provider(runtime, &f, detail, sizeof(detail), gpu);
    rp_log_hold(false);
    fn(priv, &f);
    return ok ? 0 : RP_ERR_UNSUPPORTED;
}
