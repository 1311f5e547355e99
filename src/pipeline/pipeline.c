#include "pipeline/pipeline.h"

#include "pipeline/face_map.h"
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

/* The device of the first provider. One that was asked for and is not there ends the run: a silent
 * run on the CPU would be worse. */
static int open_device(struct rp_pipeline *p, struct rp_engine *engine, int gpu)
{
    if (provider_of(p->settings) == RP_PROVIDER_CPU) {
        p->device = p->runtime->device;
        return 0;
    }
    if (provider_of(p->settings) == RP_PROVIDER_TENSORRT && rp_engine_check_tensorrt(engine) < 0)
        return RP_ERR_UNSUPPORTED;
    return rp_runtime_gpu(p->runtime, gpu_id(p->settings, gpu), &p->device);
}

/* Which processors, what they need of the analysing stage, and whether they need it at all. */
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
        p->plan.nprocessors++;
    }
    return needs;
}

static int create_processors(struct rp_pipeline *p)
{
    const struct rp_processor_context context = {p->pool, p->settings, &p->sources};

    for (int i = 0; i < p->plan.nprocessors; i++) {
        const struct rp_processor *const def = p->plan.processor[i].def;

        RP_CHECK(def->create(&p->plan.processor[i].self, &context));
        p->plan.alpha |= def->makes_alpha && def->makes_alpha(p->plan.processor[i].self);
    }
    return 0;
}

static int open_processing(struct rp_pipeline *p)
{
    bool faces = false;
    const struct rp_tracker_options *const tracker = rp_settings_get(p->settings,
                                                                     &rp_tracker_group);

    p->needs = list_processors(p, &faces) | rp_selector_needs(p->settings);
    RP_CHECK(rp_gate_create(&p->gate, p->pool, p->settings));
    if (faces)
        RP_CHECK(rp_analyser_create(&p->analyser, p->pool, p->settings, p->needs));
    RP_CHECK(rp_sources_read(p));
    RP_CHECK(rp_face_map_read(p));
    RP_CHECK(rp_sources_check(p));
    if (faces)
        RP_CHECK(rp_selector_init(&p->selector, p->settings,
                                  p->sources.main.count ? &p->sources.main.largest : NULL));
    if (p->sources.n && !rp_settings_is_set(p->settings, "face-selector-mode"))
        p->selector.mode = RP_SELECT_MANY; /* the map itself says which faces */
    p->plan.device = p->device;
    p->plan.analyser = p->analyser;
    p->plan.selector = faces ? &p->selector : NULL;
    p->plan.gate = p->gate;
    p->plan.graph = rp_settings_get(p->settings, &rp_graph_group);
    p->plan.split = faces && tracker->score > 0;
    return create_processors(p);
}

int rp_pipeline_open(struct rp_pipeline **out, rp_runtime *runtime,
                     const struct rp_settings *settings, unsigned use, int threads, int gpu)
{
    int ret;
    struct rp_engine *engine;
    const struct rp_graph_options *const graph = rp_settings_get(settings, &rp_graph_group);
    struct rp_pipeline *const p = *out = calloc(1, sizeof(*p));

    if (!p)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    p->runtime = runtime;
    p->settings = settings;
    p->use = use;
    RP_TRY(rp_pipeline_executor(runtime, settings, gpu, &p->executor));
    RP_TRY(rp_runtime_engine(runtime, &engine));
    RP_TRY(open_device(p, engine, gpu));
    if (!p->device->fns->host_memory) // NOLINT(clang-analyzer-core.NullDereference): it is open
        RP_TRY(rp_runtime_plans(runtime, graph->cache, &p->plans));
    RP_TRY(rp_pool_create(&p->pool, engine, p->device, runtime->store,
                          &(struct rp_pool_params){.shelf = runtime->shelf, .plans = p->plans,
                                                   .threads = threads,
                                                   .layout = rp_graph_layout(graph),
                                                   .measure = (use & RP_USE_MEASURE) != 0,
                                                   .tensorrt = provider_of(settings) ==
                                                               RP_PROVIDER_TENSORRT}));
    if (use & RP_USE_PROCESS)
        RP_TRY(open_processing(p));
    return 0;

fail:
    rp_pipeline_destroy(out);
    return ret;
}

struct creation {
    rp_pipeline **out;
    rp_runtime *runtime;
    const struct rp_settings *settings;
};

static int create(void *priv)
{
    const struct creation *const c = priv;

    return rp_pipeline_open(c->out, c->runtime, c->settings, RP_USE_ANALYSE | RP_USE_PROCESS, 0, 0);
}

int rp_pipeline_create(rp_pipeline **out, rp_runtime *runtime, const rp_options *options)
{
    struct rp_executor *executor;
    struct creation c = {out, runtime, rp_options_settings(options)};

    *out = NULL;
    RP_CHECK(rp_pipeline_executor(runtime, c.settings, 0, &executor));
    return rp_executor_run(executor, create, &c);
}

static int destroy(void *priv)
{
    struct rp_pipeline *const p = priv;

    rp_program_cache_clear(&p->programs);
    rp_program_cache_clear(&p->analyse_programs);
    rp_program_cache_clear(&p->large_programs);
    rp_program_cache_clear(&p->small_programs);
    for (int i = 0; i < p->plan.nprocessors; i++)
        if (p->plan.processor[i].self)
            p->plan.processor[i].def->destroy(&p->plan.processor[i].self);
    rp_slot_destroy(&p->sources.slot);
    rp_gate_destroy(&p->gate);
    rp_analyser_destroy(&p->analyser);
    rp_analyser_destroy(&p->full_analyser);
    rp_pool_destroy(&p->pool);
    free(p->replace_audio);
    free(p);
    return 0;
}

void rp_pipeline_destroy(rp_pipeline **out)
{
    struct rp_pipeline *const p = *out;

    if (!p)
        return;
    rp_executor_run(p->executor, destroy, p);
    *out = NULL;
}

/* ---- faces ----------------------------------------------------------------------------------- */

int rp_pipeline_faces(struct rp_pipeline *p, const struct rp_media_frame *frame,
                      struct rp_dfaces *faces)
{
    struct rp_program *program;
    const unsigned needs = p->use & RP_USE_ANALYSE
                               ? RP_NEED_LANDMARKS | RP_NEED_EMBEDDING | RP_NEED_CLASSES
                               : p->needs | p->source_needs;

    if (!p->full_analyser) {
        RP_CHECK(rp_analyser_create(&p->full_analyser, p->pool, p->settings, needs));
        p->analyse_plan = (struct rp_plan){.device = p->device,
                                           .analyser = p->full_analyser};
    }
    RP_CHECK(rp_program_cache_get(&p->analyse_programs, &p->analyse_plan, frame, &program));
    RP_CHECK(rp_program_analyse(program, frame, faces));
    return 0;
}

bool rp_pipeline_wants_reference(const struct rp_pipeline *p)
{
    return p->plan.selector && p->selector.mode == RP_SELECT_REFERENCE && !p->has_reference;
}

void rp_pipeline_share_reference(struct rp_pipeline *p, const struct rp_pipeline *from)
{
    p->selector.references = from->selector.references;
    p->has_reference = from->has_reference;
}

int rp_pipeline_add_reference(struct rp_pipeline *p, const struct rp_media_frame *frame)
{
    int ret;
    struct rp_dfaces *const faces = malloc(sizeof(*faces));

    if (!faces)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    RP_TRY(rp_pipeline_faces(p, frame, faces));
    if (!rp_selector_add_reference(&p->selector, faces))
        rp_log(RP_LOG_WARN, "no reference face in frame %lld%s; choose another with "
               "--reference-frame-number, or --face-selector-mode many", (long long) frame->index,
               p->selector.references.count ? "" : ": nothing will be changed");
    p->has_reference = true;

fail:
    free(faces);
    return ret;
}

/* ---- results --------------------------------------------------------------------------------- */

void rp_face_public(rp_face *out, const struct rp_dface *in)
{
    *out = (rp_face){
        .has = in->has,
        .score = in->score,
        .landmark_score = in->landmark_score,
        .angle = in->angle,
        .gender = (enum rp_gender) in->gender,
        .age_from = in->age_from,
        .age_to = in->age_to,
        .race = (enum rp_race) in->race,
    };
    memcpy(out->box, in->box, sizeof(out->box));
    memcpy(out->landmark_5, in->lm5, sizeof(out->landmark_5));
    memcpy(out->landmark_68, in->lm68, sizeof(out->landmark_68));
    memcpy(out->embedding, in->embedding_norm, sizeof(out->embedding));
}

void rp_pipeline_mark(const struct rp_pipeline *p, struct rp_mark *mark)
{
    *mark = (struct rp_mark){.present = true};
    snprintf(mark->source_type, sizeof(mark->source_type), "%s",
             "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia");
    snprintf(mark->software, sizeof(mark->software), "reprise %s", rp_version());
    for (int i = 0; i < p->plan.nprocessors; i++) {
        const struct rp_processor *const def = p->plan.processor[i].def;
        const char *const model = def->models(p->plan.processor[i].self);
        size_t n = strlen(mark->processors);

        snprintf(mark->processors + n, sizeof(mark->processors) - n, "%s%s", n ? " " : "",
                 def->name);
        n = strlen(mark->models);
        if (model[0])
            snprintf(mark->models + n, sizeof(mark->models) - n, "%s%s=%s", n ? " " : "",
                     def->name, model);
    }
}
