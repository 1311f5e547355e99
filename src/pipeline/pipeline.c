#include "pipeline/pipeline.h"

#include "base/memory.h"
#include "base/timeline.h"
#include "models/standins.h"
#include "pipeline/face_map.h"
#include "pipeline/key.h"
#include "pipeline/reference.h"
#include "pipeline/sources.h"

/* ---- opening --------------------------------------------------------------------------------- */

static int provider_of(const struct rp_settings *settings)
{
    const struct rp_execution_options *const o = rp_settings_get(settings, &rp_execution_group);

    return o->providers.n ? o->providers.v[0] : RP_PROVIDER_CPU;
}

static int gpu_id(const struct rp_settings *settings, int gpu)
{
    const struct rp_execution_options *const o = rp_settings_get(settings, &rp_execution_group);

    return gpu < o->device_ids.n ? o->device_ids.v[gpu] : 0;
}

int rp_pipeline_executor(rp_runtime *runtime, const struct rp_settings *settings, int gpu,
                         struct rp_executor **executor)
{
    *executor = NULL;
    return provider_of(settings) == RP_PROVIDER_CPU
               ? 0
               : rp_runtime_executor(runtime, gpu_id(settings, gpu), executor);
}

/* The device of the first provider. If it was asked for but is missing, that is an error: to run on
 * the CPU without a word would be worse. */
static int find_device(rp_runtime *runtime, const struct rp_settings *settings, int gpu,
                       struct rp_engine *engine, struct rp_device **device)
{
    if (provider_of(settings) == RP_PROVIDER_CPU) {
        *device = runtime->device;
        return 0;
    }
    if (provider_of(settings) == RP_PROVIDER_TENSORRT && rp_engine_check_tensorrt(engine) < 0)
        return RP_ERR_UNSUPPORTED;
    return rp_runtime_gpu(runtime, gpu_id(settings, gpu), device);
}

/* Lists the processors. Returns what they need of the analysing stage; *faces: need it at all. */
static unsigned list_processors(struct rp_pipeline *p, bool *faces)
{
    unsigned needs = 0;
    const struct rp_processor *def;
    const struct rp_processors_options *const o = rp_settings_get(p->settings,
                                                                  &rp_processors_group);

    for (int i = 0; i < o->processors.n && i < RP_MAX_PROCESSORS; i++) {
        def = p->plan.processor[i].def = rp_processors[o->processors.v[i]];
        needs |= rp_processor_needs(def, p->settings);
        p->source_needs |= def->source_needs ? def->source_needs(p->settings) : 0;
        *faces |= !def->whole_frame;
        p->plan.whole_frame |= def->whole_frame;
        p->plan.original |= def->wants_original;
        p->plan.hears |= def->wants_speech;
        if (def->hold)
            p->plan.hold = RP_MAX(p->plan.hold, def->hold(p->settings));
        p->plan.nprocessors++;
    }
    return needs;
}

static int create_processors(struct rp_pipeline *p)
{
    const struct rp_processor_context context = {p->pool, p->settings, &p->sources};

    for (int i = 0; i < p->plan.nprocessors; i++) {
        const struct rp_processor *const def = p->plan.processor[i].def;

        RP_CHECK(rp_processor_create(def, &p->plan.processor[i].self, &context));
        void *const self = p->plan.processor[i].self;
        const bool alpha = def->makes_alpha && def->makes_alpha(self);
        if (alpha && p->opaque)
            def->make_opaque(self);
        p->filled |= alpha && p->opaque;
        p->plan.alpha |= alpha && !p->opaque;
    }
    return 0;
}

static int set_default(struct rp_pipeline *p, const char *name, const char *value)
{
    return rp_settings_is_set(p->settings, name) ? 0
                                                 : rp_settings_set_text(p->settings, name, value);
}

/* Where all processors must not miss a face, defaults are on the safe side: all faces, and also
 * those of which the detector is not sure. Not where references decide: they cover what is taken
 * for a face on the very person who is to be kept. p->settings are this pipeline's own. */
static int take_care(struct rp_pipeline *p)
{
    const struct rp_processors_options *const o = rp_settings_get(p->settings,
                                                                  &rp_processors_group);
    const struct rp_selector_options *const s = rp_settings_get(p->settings, &rp_selector_group);

    for (int i = 0; i < o->processors.n; i++)
        if (!rp_processors[o->processors.v[i]]->hold)
            return 0;
    if (!rp_settings_is_set(p->settings, "reference-face-paths"))
        RP_CHECK(set_default(p, "face-selector-mode", "many"));
    if (s->mode == RP_SELECT_MANY || s->mode == RP_SELECT_ONE)
        RP_CHECK(set_default(p, "face-detector-score", RP_CAREFUL_SCORE));
    return 0;
}

static int open_processing(struct rp_pipeline *p)
{
    bool faces = false;
    const struct rp_tracker_options *const tracker = rp_settings_get(p->settings,
                                                                     &rp_tracker_group);

    RP_CHECK(take_care(p));
    p->needs = list_processors(p, &faces) | rp_selector_needs(p->settings);
    RP_CHECK(rp_content_create(&p->content, p->pool, p->settings));
    if (faces)
        RP_CHECK(rp_analyser_create(&p->analyser, p->pool, p->settings, p->needs));
    RP_CHECK(rp_sources_read(p));
    RP_CHECK(rp_face_map_read(p));
    RP_CHECK(rp_sources_check(p));
    rp_timeline_add("sources are read");
    if (faces)
        RP_CHECK(rp_selector_init(&p->selector, p->settings,
                                  p->sources.main.count ? &p->sources.main.largest : NULL));
    if (p->sources.n && !rp_settings_is_set(p->settings, "face-selector-mode"))
        p->selector.mode = RP_SELECT_MANY; /* the map itself chooses the faces */
    if (faces)
        RP_CHECK(rp_reference_read(p));
    p->plan.device = p->device;
    p->plan.analyser = p->analyser;
    p->plan.selector = faces ? &p->selector : NULL;
    p->plan.content = p->content;
    p->plan.graph = rp_settings_get(p->settings, &rp_graph_group);
    p->plan.recorded = p->recorded;
    p->plan.batch = rp_graph_batch(p->plan.graph);
    p->plan.scenes = faces && (tracker->smoothing > 0 || p->plan.hold > 0);
    p->plan.split = faces && (tracker->score > 0 || p->plan.scenes);
    return create_processors(p);
}

static int open_check(struct rp_pipeline *p)
{
    RP_CHECK(rp_content_create(&p->content, p->pool, p->settings));
    RP_CHECK(rp_sources_sound(p));
    p->plan.device = p->device;
    p->plan.content = p->content;
    p->plan.graph = rp_settings_get(p->settings, &rp_graph_group);
    p->plan.recorded = p->recorded;
    return 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

static void destroy(void *pipeline)
{
    struct rp_pipeline *const p = pipeline;

    rp_programs_clear(&p->programs);
    for (int i = 0; i < p->plan.nprocessors; i++)
        rp_processor_destroy(p->plan.processor[i].def, &p->plan.processor[i].self);
    rp_slot_destroy(&p->sources.slot);
    rp_content_destroy(&p->content);
    rp_analyser_destroy(&p->analyser);
    rp_analyser_destroy(&p->full_analyser);
    rp_pool_destroy(&p->pool);
    rp_settings_destroy(&p->settings);
    free(p->replace_audio);
    free(p->key);
    free(p);
}

static enum rp_measure measure_of(unsigned use)
{
    return use & RP_USE_MEASURE             ? RP_MEASURE_ALL
           : use & RP_USE_MEASURE_PRECISION ? RP_MEASURE_PRECISION
                                            : RP_MEASURE_NOTHING;
}

static int open_pool(struct rp_pipeline *p, struct rp_engine *engine,
                     const struct rp_pipeline_params *params)
{
    const struct rp_graph_options *const graph = rp_settings_get(p->settings, &rp_graph_group);
    const struct rp_execution_options *const o = rp_settings_get(p->settings, &rp_execution_group);

    p->use = params->use;
    p->opaque = params->opaque;
    p->plan.shrink = params->shrink;
    RP_CHECK(rp_pipeline_executor(p->runtime, p->settings, params->gpu, &p->executor));
    if (p->device->fns->record_begin)
        RP_CHECK(rp_runtime_cache(p->runtime, graph->cache, &p->cache));
    struct rp_cache *cache = p->cache;
    if (!cache && o->network_engine == RP_NETWORK_NATIVE) /* for plans alone */
        RP_CHECK(rp_runtime_cache(p->runtime, graph->cache, &cache));
    return rp_pool_create(
        &p->pool, engine, p->device, p->runtime->store,
        &(struct rp_pool_params){.shelf = p->runtime->shelf,
                                 .cache = cache,
                                 .threads = params->threads,
                                 .layout = rp_graph_layout(graph),
                                 .measure = measure_of(params->use),
                                 .tensorrt = provider_of(p->settings) == RP_PROVIDER_TENSORRT,
                                 .by = (enum rp_network_engine) o->network_engine,
                                 .precision = (enum rp_precision) o->precision});
}

static void write_use(const struct rp_pipeline_params *params, char *text, size_t size)
{
    snprintf(text, size, "use %u, threads %d, gpu %d, shrink %.17g, opaque %d", params->use,
             params->threads, params->gpu, params->shrink, params->opaque);
}

static char *make_key(const rp_runtime *runtime, const struct rp_settings *settings,
                      const struct rp_pipeline_params *params)
{
    char use[128];

    write_use(params, use, sizeof(use));
    return rp_pipeline_key(settings, rp_store_path(runtime->store), use);
}

/* What the cache calls the list of this pipeline's models; NULL: it has none. */
static char *list_key(const struct rp_pipeline *p, const struct rp_pipeline_params *params)
{
    char use[128], *kind, *key = NULL;

    if (!p->cache)
        return NULL;
    struct rp_pipeline_params same = *params;
    same.use &= ~(unsigned) (RP_USE_MEASURE | RP_USE_MEASURE_PRECISION);
    write_use(&same, use, sizeof(use));
    kind = rp_pipeline_kind(p->settings, rp_store_path(p->runtime->store), use);
    if (kind)
        key = rp_asprintf("models of %s| reprise %s", kind, rp_version());
    free(kind);
    return key;
}

/* Which models are needed, and with which sizes, is known only as one part after the other asks for
 * its own. So a GPU's cache keeps what the last pipeline with these options asked for, and these
 * models are opened all at once. The first time it is what the options say. */
static int create(struct rp_pipeline *p, struct rp_engine *engine,
                  const struct rp_pipeline_params *params)
{
    RP_CHECK(open_pool(p, engine, params));
    if (params->use & RP_USE_CHECK)
        return open_check(p);
    if (!(params->use & RP_USE_PROCESS))
        return 0;
    char *const key = list_key(p, params);
    json_t *before = key ? rp_cache_get(p->cache, key) : NULL;
    if (key && !before)
        before = rp_needs_list(p->settings);
    rp_pool_ahead(p->pool, before);
    const int ret = open_processing(p);
    rp_pool_ahead_end(p->pool);
    json_t *const list = ret >= 0 && key ? rp_pool_list(p->pool) : NULL;
    if (list && !json_equal(list, before))
        rp_cache_put(p->cache, key, list);
    json_decref(list);
    json_decref(before);
    free(key);
    return ret;
}

/* A pipeline that an earlier job left, reset to be like a new one; NULL if there is none. */
static struct rp_pipeline *take_idle(rp_runtime *runtime, const struct rp_device *device,
                                     const char *key)
{
    struct rp_pipeline *const p = key ? rp_idle_take(runtime->idle, device, key) : NULL;

    if (!p)
        return NULL;
    if (!rp_pool_current(p->pool)) {
        destroy(p);
        return NULL;
    }
    rp_reference_reset(p);
    rp_programs_reset_clocks(&p->programs);
    rp_log(RP_LOG_DEBUG, "networks and recorded work of an earlier job are used again");
    return p;
}

/* Something else begins: on a device whose memory is half full what earlier jobs left makes room.
 */
static void make_room(rp_runtime *runtime, struct rp_device *device)
{
    size_t left = 0, total = 0;

    if (device->fns->memory && device->fns->memory(device, &left, &total) >= 0 && left < total / 2)
        rp_idle_clear(runtime->idle, device);
}

int rp_pipeline_open(struct rp_pipeline **out, rp_runtime *runtime,
                     const struct rp_settings *settings, const struct rp_pipeline_params *params)
{
    int ret;
    struct rp_engine *engine;
    struct rp_device *device;
    char *const key = make_key(runtime, settings, params);
    struct rp_pipeline *p = *out = NULL;

    RP_TRY(rp_runtime_engine(runtime, &engine));
    RP_TRY(find_device(runtime, settings, params->gpu, engine, &device));
    if ((*out = take_idle(runtime, device, key))) {
        (*out)->key = key;
        return 0;
    }
    make_room(runtime, device);
    if (!(p = calloc(1, sizeof(*p)))) {
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
        goto fail;
    }
    p->runtime = runtime;
    p->device = device;
    RP_TRY(rp_settings_copy(&p->settings, settings));
    RP_TRY(create(p, engine, params));
    p->key = key;
    *out = p;
    return 0;

fail:
    if (p)
        destroy(p);
    free(key);
    return ret;
}

struct creation {
    rp_pipeline **out;
    rp_runtime *runtime;
    const struct rp_settings *settings;
};

static int create_public(void *priv)
{
    const struct creation *const c = priv;

    return rp_pipeline_open(c->out, c->runtime, c->settings, &(const struct rp_pipeline_params){
        .use = RP_USE_ANALYSE | RP_USE_PROCESS});
}

int rp_pipeline_create(rp_pipeline **out, rp_runtime *runtime, const rp_options *options)
{
    struct rp_executor *executor;
    struct creation c = {out, runtime, rp_options_settings(options)};

    *out = NULL;
    RP_CHECK(rp_pipeline_executor(runtime, c.settings, 0, &executor));
    return rp_executor_run(executor, create_public, &c);
}

/* Device memory that idle pipelines may keep: a quarter of the total. */
static size_t idle_limit(const struct rp_pipeline *p)
{
    size_t free_bytes, total = 0;

    if (p->device->fns->memory && p->device->fns->memory(p->device, &free_bytes, &total) >= 0)
        return total / 4;
    return rp_memory_total() / 4;
}

/* Keeps the pipeline for the next job unless something failed. */
static int give_back(void *priv)
{
    struct rp_pipeline *const p = priv;
    char *const key = p->spoiled ? NULL : p->key;

    if (!p->spoiled)
        p->key = NULL;
    rp_idle_give(p->runtime->idle, &(const struct rp_idle_thing){
        .device = p->device, .key = key, .object = p, .bytes = rp_programs_bytes(&p->programs),
        .limit = idle_limit(p), .destroy = destroy});
    return 0;
}

void rp_pipeline_destroy(rp_pipeline **out)
{
    struct rp_pipeline *const p = *out;

    if (!p)
        return;
    rp_executor_run(p->executor, give_back, p);
    *out = NULL;
}

/* ---- results --------------------------------------------------------------------------------- */

void rp_pipeline_mark(const struct rp_pipeline *p, struct rp_mark *mark)
{
    *mark = (struct rp_mark){.present = true};
    snprintf(mark->software, sizeof(mark->software), "reprise %s%s", rp_version(),
             rp_standins_allowed() ? " (its content check accepts stand-ins)" : "");
    snprintf(mark->damage, sizeof(mark->damage), "%s", p->sources.damage);
    for (int i = 0; i < p->plan.nprocessors; i++) {
        const struct rp_processor *const def = p->plan.processor[i].def;
        const char *const model = def->models ? def->models(p->plan.processor[i].self) : "";
        size_t n = strlen(mark->processors);

        snprintf(mark->processors + n, sizeof(mark->processors) - n, "%s%s", n ? " " : "",
                 def->name);
        n = strlen(mark->models);
        if (model[0])
            snprintf(mark->models + n, sizeof(mark->models) - n, "%s%s=%s", n ? " " : "",
                     def->name, model);
    }
}
