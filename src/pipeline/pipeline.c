#include "pipeline/pipeline.h"

#include "base/path.h"
#include "face/mask.h"

/* ---- sources ----------------------------------------------------------------------------------- */

/* Index of the largest face, -1 if there is none. */
static int largest_face(const struct rp_dfaces *faces)
{
    int best = -1;
    float area = -1;

    for (int i = 0; i < faces->count; i++) {
        const float *const b = faces->face[i].box;
        const float a = (b[2] - b[0]) * (b[3] - b[1]);

        if (a > area) {
            area = a;
            best = i;
        }
    }
    return best;
}

/* Keep the first source picture and its face where processors can crop from it. */
static int keep_first(struct rp_pipeline *p, const struct rp_image *image,
                      const struct rp_dface *face)
{
    int ret;
    struct rp_sources *const s = &p->sources;
    const size_t row = (size_t) image->w * 3;

    RP_TRY(rp_slot_create(&s->slot, p->device));
    RP_TRY(rp_slot_image(s->slot, image->w, image->h, 3, &s->first));
    for (int y = 0; y < image->h; y++)
        RP_TRY(rp_slot_upload(s->slot, s->first.data + (ptrdiff_t) y * s->first.stride,
                              image->data + y * image->stride, row));
    RP_TRY(rp_slot_sync(s->slot));
    return rp_slot_constant(s->slot, face, sizeof(*face), (void **) &s->first_face);

fail:
    return ret;
}

/* FaceFusion's average identity: means of the embeddings and of the normalised ones, the latter not
 * normalised again; everything else from the first face. */
static void add_to_average(struct rp_sources *s, const struct rp_dface *face)
{
    const float n = (float) s->count;

    if (s->count == 0)
        s->average = *face;
    for (int i = 0; s->count && i < 512; i++) {
        s->average.embedding[i] = (s->average.embedding[i] * n + face->embedding[i]) / (n + 1);
        s->average.embedding_norm[i] =
            (s->average.embedding_norm[i] * n + face->embedding_norm[i]) / (n + 1);
    }
    s->count++;
}

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

static int read_source(struct rp_pipeline *p, const char *path, struct rp_dfaces *faces)
{
    int ret, best;
    rp_image image = {0};
    struct rp_media_frame frame;

    RP_TRY(rp_image_read(&image, path));
    rp_image_drop_alpha(&image);
    rp_frame_over_image(&frame, &image);
    RP_TRY(rp_pipeline_faces(p, &frame, faces));
    best = largest_face(faces);
    if (best < 0) {
        rp_log(RP_LOG_WARN, "%s: no face found in this source", path);
        goto fail;
    }
    if (faces->count > 1)
        rp_log(RP_LOG_INFO, "%s: %d faces found, the largest is the source", path, faces->count);
    if (p->sources.count == 0)
        RP_TRY(keep_first(p, &image, &faces->face[best]));
    add_to_average(&p->sources, &faces->face[best]);

fail:
    rp_image_free(&image);
    return ret;
}

static int read_sources(struct rp_pipeline *p)
{
    int ret = 0;
    enum rp_media_kind kind;
    const struct rp_path_options *const o = rp_settings_get(p->settings, &rp_path_group);
    struct rp_dfaces *const faces = malloc(sizeof(*faces));

    if (!faces)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    for (int i = 0; i < o->sources.n; i++) {
        RP_TRY(rp_media_probe(o->sources.v[i], &kind));
        if (kind == RP_MEDIA_AUDIO && !p->replace_audio) {
            p->replace_audio = strdup(o->sources.v[i]);
        } else if (kind == RP_MEDIA_IMAGE) {
            RP_TRY(read_source(p, o->sources.v[i], faces));
        } else if (kind != RP_MEDIA_AUDIO) {
            ret = rp_fail(RP_ERR_FORMAT, "%s: not a picture; a source is a picture of a face",
                          o->sources.v[i]);
            goto fail;
        }
    }
    ret = 0;

fail:
    free(faces);
    return ret;
}

static int check_sources(const struct rp_pipeline *p)
{
    bool pictures = false;
    const struct rp_path_options *const o = rp_settings_get(p->settings, &rp_path_group);

    for (int i = 0; i < p->plan.nprocessors; i++) {
        const struct rp_processor *const def = p->plan.processor[i].def;

        if (!def->needs_source || p->sources.count)
            continue;
        pictures = o->sources.n > (p->replace_audio ? 1 : 0);
        if (!pictures)
            return rp_fail(RP_ERR_USAGE, "--source-paths: %s needs a picture of the source face",
                           def->name);
        return rp_fail(RP_ERR_FORMAT, "%s: no source face detected; give a picture that shows the "
                       "face clearly, or lower --face-detector-score", o->sources.v[0]);
    }
    return 0;
}

/* ---- opening ----------------------------------------------------------------------------------- */

/* The device of the first provider. One that was asked for and is not there ends the run: a silent run
 * on the CPU would be worse. */
static int open_device(struct rp_pipeline *p, int gpu)
{
    const struct rp_execution_options *const o = rp_settings_get(p->settings, &rp_execution_group);

    switch (o->providers.n ? o->providers.v[0] : RP_PROVIDER_CPU) {
    case RP_PROVIDER_CPU:
        p->device = p->runtime->device;
        return 0;
    case RP_PROVIDER_CUDA:
        return rp_device_cuda(&p->device, gpu < o->device_ids.n ? o->device_ids.v[gpu] : 0);
    default:
        return rp_fail(RP_ERR_UNSUPPORTED, "--execution-providers: tensorrt is not supported by this "
                       "version; use cuda or cpu");
    }
}

/* Which processors, and what they need of the analysing stage. */
static unsigned list_processors(struct rp_pipeline *p)
{
    unsigned needs = 0;
    const struct rp_processors_options *const o = rp_settings_get(p->settings,
                                                                  &rp_processors_group);

    for (int i = 0; i < o->processors.n && i < RP_MAX_PROCESSORS; i++) {
        p->plan.processor[i].def = rp_processors[o->processors.v[i]];
        needs |= p->plan.processor[i].def->needs;
        p->plan.nprocessors++;
    }
    return needs;
}

static int create_processors(struct rp_pipeline *p)
{
    int ret = 0;
    const struct rp_processor_context context = {p->pool, p->settings, &p->sources};

    for (int i = 0; i < p->plan.nprocessors; i++)
        RP_TRY(p->plan.processor[i].def->create(&p->plan.processor[i].self, &context));

fail:
    return ret;
}

static int open_processing(struct rp_pipeline *p)
{
    int ret;
    const unsigned needs = list_processors(p) | rp_selector_needs(p->settings) |
                           rp_masks_needs(p->settings);

    RP_TRY(rp_gate_create(&p->gate, p->pool));
    RP_TRY(rp_analyser_create(&p->analyser, p->pool, p->settings, needs));
    RP_TRY(read_sources(p));
    RP_TRY(check_sources(p));
    RP_TRY(rp_selector_init(&p->selector, p->settings,
                            p->sources.count ? &p->sources.average : NULL));
    p->plan.device = p->device;
    p->plan.analyser = p->analyser;
    p->plan.selector = &p->selector;
    p->plan.gate = p->gate;
    p->plan.graph = rp_settings_get(p->settings, &rp_graph_group);
    p->plan.split = ((const struct rp_tracker_options *)
                     rp_settings_get(p->settings, &rp_tracker_group))->score > 0;
    return create_processors(p);

fail:
    return ret;
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
    RP_TRY(open_device(p, gpu));
    RP_TRY(rp_runtime_engine(runtime, &engine));
    if (!p->device->fns->host_memory) // NOLINT(clang-analyzer-core.NullDereference): it is open
        RP_TRY(rp_plans_open(&p->plans, graph->cache));
    RP_TRY(rp_pool_create(&p->pool, engine, p->device, runtime->store, p->plans, threads));
    if (use & RP_USE_PROCESS)
        RP_TRY(open_processing(p));
    return 0;

fail:
    rp_pipeline_destroy(out);
    return ret;
}

int rp_pipeline_create(rp_pipeline **out, rp_runtime *runtime, const rp_options *options)
{
    return rp_pipeline_open(out, runtime, rp_options_settings(options),
                            RP_USE_ANALYSE | RP_USE_PROCESS, 0, 0);
}

void rp_pipeline_destroy(rp_pipeline **out)
{
    struct rp_pipeline *const p = *out;

    if (!p)
        return;
    rp_program_cache_clear(&p->programs);
    rp_program_cache_clear(&p->analyse_programs);
    for (int i = 0; i < p->plan.nprocessors; i++)
        if (p->plan.processor[i].self)
            p->plan.processor[i].def->destroy(&p->plan.processor[i].self);
    rp_slot_destroy(&p->sources.slot);
    rp_gate_destroy(&p->gate);
    rp_analyser_destroy(&p->analyser);
    rp_analyser_destroy(&p->full_analyser);
    rp_pool_destroy(&p->pool);
    rp_plans_close(&p->plans);
    if (p->device != p->runtime->device)
        rp_device_destroy(&p->device);
    free(p->replace_audio);
    free(p);
    *out = NULL;
}

/* ---- pictures ---------------------------------------------------------------------------------- */

int rp_pipeline_faces(struct rp_pipeline *p, const struct rp_media_frame *frame,
                      struct rp_dfaces *faces)
{
    int ret;
    struct rp_program *program;

    if (!p->full_analyser) {
        RP_TRY(rp_analyser_create(&p->full_analyser, p->pool, p->settings,
                                  RP_NEED_LANDMARKS | RP_NEED_EMBEDDING | RP_NEED_CLASSES));
        p->analyse_plan = (struct rp_plan){.device = p->device,
                                           .analyser = p->full_analyser};
    }
    RP_TRY(rp_program_cache_get(&p->analyse_programs, &p->analyse_plan, frame, &program));
    RP_TRY(rp_program_analyse(program, frame, faces));
    return 0;

fail:
    return ret;
}

bool rp_pipeline_wants_reference(const struct rp_pipeline *p)
{
    return p->selector.mode == RP_SELECT_REFERENCE && !p->has_reference;
}

void rp_pipeline_share_reference(struct rp_pipeline *p, const struct rp_pipeline *from)
{
    p->selector.references = from->selector.references;
    p->has_reference = from->has_reference;
}

int rp_pipeline_set_reference(struct rp_pipeline *p, const struct rp_media_frame *frame)
{
    int ret;
    struct rp_dfaces *const faces = malloc(sizeof(*faces));

    if (!faces)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    RP_TRY(rp_pipeline_faces(p, frame, faces));
    rp_selector_set_reference(&p->selector, faces);
    p->has_reference = true;
    if (p->selector.references.count == 0)
        rp_log(RP_LOG_WARN, "no reference face in frame %lld: nothing will be changed; choose another "
               "with --reference-frame-number, or --face-selector-mode many",
               (long long) frame->index);

fail:
    free(faces);
    return ret;
}

int rp_pipeline_frame(struct rp_pipeline *p, struct rp_media_frame *frame,
                      struct rp_frame_result *result)
{
    int ret;
    bool positive;
    struct rp_program *program;

    RP_TRY(rp_program_cache_get(&p->programs, &p->plan, frame, &program));
    RP_TRY(rp_program_look(program, frame, &positive));
    if (positive)
        return rp_fail(RP_ERR_BLOCKED, "the content check refuses this picture");
    RP_TRY(rp_program_run(program, frame, false, result));
    return 0;

fail:
    return ret;
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

int rp_pipeline_image(struct rp_pipeline *p, rp_image *image, struct rp_frame_result *result)
{
    int ret;
    rp_image bgr = {0};
    struct rp_media_frame frame;

    RP_TRY(check_image(image));
    RP_TRY(with_bgr(image, &bgr));
    rp_frame_over_image(&frame, &bgr);
    if (rp_pipeline_wants_reference(p))
        RP_TRY(rp_pipeline_set_reference(p, &frame));
    RP_TRY(rp_pipeline_frame(p, &frame, result));
    merge_bgr(image, &bgr);

fail:
    if (bgr.owned)
        free(bgr.data);
    return ret;
}

int rp_pipeline_process(rp_pipeline *p, rp_image *image)
{
    struct rp_frame_result result;

    return rp_pipeline_image(p, image, &result);
}

int rp_pipeline_analyse(rp_pipeline *p, const rp_image *image, rp_face *faces, int max)
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

/* ---- results ----------------------------------------------------------------------------------- */

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
