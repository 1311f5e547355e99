#include "pipeline/pipeline.h"

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

/* ---- pictures -------------------------------------------------------------------------------- */

/* Alpha is of no use for faces: drop it in place. */
void rp_image_drop_alpha(rp_image *image)
{
    if (image->format != RP_PIXEL_BGRA)
        return;
    for (int y = 0; y < image->h; y++) {
        uint8_t *const row = image->data + y * image->stride;

        for (int x = 0; x < image->w; x++)
            memmove(row + 3 * x, row + 4 * x, 3);
    }
    image->format = RP_PIXEL_BGR;
}

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

static int check_content(struct rp_program *program, const struct rp_media_frame *frame)
{
    bool positive;
    const int ret = rp_program_look(program, frame, &positive);

    return ret >= 0 && positive
               ? rp_fail(RP_ERR_BLOCKED, "the content check refuses this picture")
               : ret;
}

int rp_pipeline_frame(struct rp_pipeline *p, struct rp_media_frame *frame,
                      struct rp_frame_result *result)
{
    struct rp_program *program;

    RP_CHECK(rp_program_cache_get(&p->programs, &p->plan, frame, &program));
    RP_CHECK(check_content(program, frame));
    RP_CHECK(rp_program_run(program, frame, false, result));
    return 0;
}

/* Content check and faces of a picture whose smaller copy is worked on. */
static int look_at_large(struct rp_pipeline *p, const struct rp_media_frame *frame,
                         struct rp_dfaces *faces)
{
    struct rp_program *program;

    p->large_plan = (struct rp_plan){
        .device = p->device, .analyser = p->plan.analyser, .gate = p->plan.gate};
    RP_CHECK(rp_program_cache_get(&p->large_programs, &p->large_plan, frame, &program));
    RP_CHECK(check_content(program, frame));
    if (p->plan.analyser)
        RP_CHECK(rp_program_analyse(program, frame, faces));
    return 0;
}

/* Only the processors, on faces that were found before. */
static int work_on_faces(struct rp_pipeline *p, struct rp_media_frame *frame,
                         const struct rp_dfaces *faces, struct rp_frame_result *result)
{
    struct rp_program *program;

    p->small_plan = p->plan;
    p->small_plan.analyser = NULL;
    p->small_plan.gate = NULL;
    p->small_plan.split = true;
    RP_CHECK(rp_program_cache_get(&p->small_programs, &p->small_plan, frame, &program));
    *rp_program_faces(program) = *faces;
    RP_CHECK(rp_program_submit_pass(program, frame, RP_PASS_PROCESS, false));
    RP_CHECK(rp_program_finish(program, result));
    result->faces = faces->count;
    result->overflow = faces->overflow != 0;
    return 0;
}

/* Split BGRA into BGR and back, so that processors see 3 bytes a pixel. */
static int with_bgr(struct rp_image *image, rp_image *bgr)
{
    *bgr = *image;
    bgr->owned = false;
    if (image->format == RP_PIXEL_BGR)
        return 0;
    bgr->stride = (ptrdiff_t) image->w * 3;
    bgr->format = RP_PIXEL_BGR;
    bgr->data = malloc((size_t) bgr->stride * (size_t) image->h);
    if (!bgr->data)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    bgr->owned = true;
    for (int y = 0; y < image->h; y++)
        for (int x = 0; x < image->w; x++)
            memcpy(bgr->data + y * bgr->stride + 3 * x, image->data + y * image->stride + 4 * x, 3);
    return 0;
}

static void merge_bgr(struct rp_image *image, const rp_image *bgr)
{
    for (int y = 0; bgr->owned && y < image->h; y++)
        for (int x = 0; x < image->w; x++)
            memcpy(image->data + y * image->stride + 4 * x, bgr->data + y * bgr->stride + 3 * x, 3);
}

/* For processors that make alpha: the picture's own, else room for it, beside the BGR pixels. */
static int with_alpha(const struct rp_image *image, struct rp_media_frame *frame, uint8_t **alpha)
{
    if (!(*alpha = malloc((size_t) image->w * (size_t) image->h)))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    memset(*alpha, 255, (size_t) image->w * (size_t) image->h);
    for (int y = 0; image->format == RP_PIXEL_BGRA && y < image->h; y++)
        for (int x = 0; x < image->w; x++)
            (*alpha)[(size_t) y * (size_t) image->w + (size_t) x] =
                image->data[y * image->stride + 4 * x + 3];
    frame->fmt = RP_FMT_BGR24_ALPHA;
    frame->plane[3] = *alpha;
    frame->stride[3] = image->w;
    return 0;
}

static bool is_opaque(const uint8_t *alpha, size_t n)
{
    while (n > 0 && alpha[n - 1] == 255)
        n--;
    return n == 0;
}

/* A picture without alpha becomes one with it, unless it is opaque. */
static int merge_alpha(struct rp_image *image, const uint8_t *alpha)
{
    rp_image to = *image;
    const size_t w = (size_t) image->w, h = (size_t) image->h;

    if (image->format == RP_PIXEL_BGR) {
        if (is_opaque(alpha, w * h))
            return 0;
        to.format = RP_PIXEL_BGRA;
        to.stride = (ptrdiff_t) w * 4;
        to.owned = true;
        if (!(to.data = malloc(4 * w * h)))
            return rp_fail(RP_ERR_NOMEM, "out of memory");
        for (size_t y = 0; y < h; y++)
            for (size_t x = 0; x < w; x++)
                memcpy(to.data + 4 * (y * w + x),
                       image->data + (ptrdiff_t) y * image->stride + 3 * x, 3);
        rp_image_free(image);
        *image = to;
    }
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++)
            image->data[(ptrdiff_t) y * image->stride + (ptrdiff_t) (4 * x + 3)] = alpha[y * w + x];
    return 0;
}

/* The alpha of a picture in another size, packed; bilinear, as FaceFusion scales masks. */
static int scale_alpha(const rp_image *image, int w, int h, uint8_t **out)
{
    uint8_t *const from = malloc((size_t) image->w * (size_t) image->h);
    uint8_t *const to = *out = malloc((size_t) w * (size_t) h);

    if (!from || !to) {
        free(from);
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    }
    for (int y = 0; y < image->h; y++)
        for (int x = 0; x < image->w; x++)
            from[(size_t) y * (size_t) image->w + (size_t) x] =
                image->data[y * image->stride + 4 * x + 3];
    rp_c_resize(NULL, &(struct rp_op_resize){
        .src = {.data = from, .stride = image->w, .w = image->w, .h = image->h, .ch = 1},
        .dst = {.data = to, .stride = w, .w = w, .h = h, .ch = 1}});
    free(from);
    return 0;
}

/* A frame that was given planes of another size becomes the
 * picture. alpha: NULL if none was made. */
static int take_resized(struct rp_image *image, const struct rp_media_frame *frame, uint8_t *alpha)
{
    int ret = 0;
    rp_image out = {.data = frame->plane[0], .stride = frame->stride[0], .w = frame->w,
                    .h = frame->h, .owned = true};

    if (!alpha && image->format == RP_PIXEL_BGRA)
        RP_TRY(scale_alpha(image, out.w, out.h, &alpha));
    if (alpha)
        RP_TRY(merge_alpha(&out, alpha));
    rp_image_free(image);
    *image = out;
    out = (rp_image){0};

fail:
    rp_image_free(&out);
    free(alpha);
    return ret;
}

static int check_image(const rp_image *image)
{
    const int64_t bytes = image && image->format == RP_PIXEL_BGRA ? 4 : 3;

    if (!image || !image->data || image->w < 1 || image->h < 1 || image->w > 32768 ||
        image->h > 32768 || (int64_t) image->w * image->h > (1 << 28) ||
        image->stride < image->w * bytes || image->stride > INT32_MAX)
        return rp_fail(RP_ERR_INVALID, "the picture has no pixels, or its size is not 1 to 32768 a "
                       "side and at most 2^28 pixels");
    if (image->on_device)
        return rp_fail(RP_ERR_UNSUPPORTED, "device pixels need a GPU pipeline");
    return 0;
}

/* A frame over the picture's BGR, which may be a copy; the reference is of the first that comes. */
static int take_image(struct rp_pipeline *p, struct rp_image *image, rp_image *bgr,
                      struct rp_media_frame *frame)
{
    RP_CHECK(check_image(image));
    RP_CHECK(with_bgr(image, bgr));
    rp_frame_over_image(frame, bgr);
    if (rp_pipeline_wants_reference(p))
        RP_CHECK(rp_pipeline_add_reference(p, frame));
    return 0;
}

/* faces: NULL when they have to be found. */
static int work_on_image(struct rp_pipeline *p, rp_image *image, const struct rp_dfaces *faces,
                         struct rp_frame_result *result)
{
    int ret;
    rp_image bgr = {0};
    uint8_t *alpha = NULL;
    struct rp_media_frame frame;

    RP_TRY(take_image(p, image, &bgr, &frame));
    if (p->plan.alpha)
        RP_TRY(with_alpha(image, &frame, &alpha));
    ret = faces ? work_on_faces(p, &frame, faces, result) : rp_pipeline_frame(p, &frame, result);
    if (frame.plane[0] != bgr.data) {
        const int took =
            take_resized(image, &frame, frame.plane[3] != alpha ? frame.plane[3] : NULL);

        ret = ret < 0 ? ret : took;
    } else if (ret >= 0) {
        merge_bgr(image, &bgr);
        if (alpha)
            RP_TRY(merge_alpha(image, alpha));
    }

fail:
    if (bgr.owned)
        free(bgr.data);
    free(alpha);
    return ret;
}

int rp_pipeline_image(struct rp_pipeline *p, rp_image *image, struct rp_frame_result *result)
{
    return work_on_image(p, image, NULL, result);
}

/* Reference, content check and faces of the picture as it is. */
static int read_large(struct rp_pipeline *p, rp_image *image, struct rp_dfaces *faces)
{
    int ret;
    rp_image bgr = {0};
    struct rp_media_frame frame;

    RP_TRY(take_image(p, image, &bgr, &frame));
    RP_TRY(look_at_large(p, &frame, faces));

fail:
    if (bgr.owned)
        free(bgr.data);
    return ret;
}

int rp_pipeline_small_image(struct rp_pipeline *p, rp_image *image, int w, int h,
                            struct rp_frame_result *result)
{
    int ret;
    rp_image small = {0};
    struct rp_dfaces *const large = calloc(1, sizeof(*large)), *const faces = malloc(sizeof(*faces));

    if (!large || !faces) {
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
        goto fail;
    }
    RP_TRY(read_large(p, image, large));
    rp_c_face_scale(NULL, &(struct rp_op_face_scale){
        .src = large, .dst = faces, .x = (float) w / (float) image->w,
        .y = (float) h / (float) image->h});
    RP_TRY(rp_image_scale(&small, image, w, h));
    RP_TRY(work_on_image(p, &small, faces, result));
    rp_image_free(image);
    *image = small;
    small = (rp_image){0};

fail:
    rp_image_free(&small);
    free(large);
    free(faces);
    return ret;
}

struct picture {
    struct rp_pipeline *pipeline;
    rp_image *image;
    const rp_image *seen;
    rp_face *faces;
    int max;
};

static int process(void *priv)
{
    struct rp_frame_result result;
    const struct picture *const t = priv;

    return rp_pipeline_image(t->pipeline, t->image, &result);
}

int rp_pipeline_process(rp_pipeline *p, rp_image *image)
{
    return rp_executor_run(p->executor, process, &(struct picture){p, .image = image});
}

static int analyse(struct rp_pipeline *p, const rp_image *image, rp_face *faces, int max)
{
    int ret;
    rp_image copy, bgr = {0};
    struct rp_media_frame frame;
    struct rp_dfaces *const found = malloc(sizeof(*found));

    if (!found)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    RP_TRY(check_image(image));
    copy = *image;
    RP_TRY(with_bgr(&copy, &bgr));
    rp_frame_over_image(&frame, &bgr);
    RP_TRY(rp_pipeline_faces(p, &frame, found));
    for (int i = 0; i < found->count && i < max; i++)
        rp_face_public(&faces[i], &found->face[i]);
    ret = found->count;

fail:
    if (bgr.owned)
        free(bgr.data);
    free(found);
    return ret;
}

static int analyse_picture(void *priv)
{
    const struct picture *const t = priv;

    return analyse(t->pipeline, t->seen, t->faces, t->max);
}

int rp_pipeline_analyse(rp_pipeline *p, const rp_image *image, rp_face *faces, int max)
{
    return rp_executor_run(p->executor, analyse_picture,
                           &(struct picture){p, .seen = image, .faces = faces, .max = max});
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
