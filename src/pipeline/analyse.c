/* The faces of every frame of a file: the library side of `reprise analyse`. */
#include "base/api.h"
#include "face/selector.h"
#include "pipeline/alpha.h"
#include "pipeline/pipeline.h"

struct rp_frame_pixels {
    const struct rp_media_frame *frame;
};

struct analysis {
    rp_runtime *runtime;
    const struct rp_settings *settings;
    struct rp_pipeline *pipeline;
    const char *path;
    enum rp_media_kind kind;
    rp_frame_faces_fn *fn;
    void *priv;
    struct rp_dfaces *found;
    struct rp_selector selector; /* order and filters */
    size_t face_size;   /* of the application's rp_face */
    uint8_t *faces;     /* room for RP_MAX_FACES of them */
};

/* The order in which a reference face is counted, then the faces that the filters leave out.
 * @param order      becomes the place of each face in `found`
 * @param positions  become 0, 1, ... and -1 for those left out */
static void sort_faces(const struct analysis *a, int order[RP_MAX_FACES],
                       int positions[RP_MAX_FACES])
{
    struct rp_selection counted;
    int n = 0;
    bool in[RP_MAX_FACES] = {0};

    rp_selector_sort(&a->selector, a->found, &counted);
    for (; n < counted.count; n++) {
        order[n] = counted.index[n];
        positions[n] = n;
        in[order[n]] = true;
    }
    for (int i = 0; i < a->found->count; i++) {
        if (in[i])
            continue;
        order[n] = i;
        positions[n++] = -1;
    }
}

static int tell(struct analysis *a, const struct rp_media_frame *frame, double time)
{
    rp_face face;
    int order[RP_MAX_FACES] = {0}, positions[RP_MAX_FACES];

    RP_CHECK(rp_pipeline_faces(a->pipeline, frame, a->found));
    sort_faces(a, order, positions);
    for (int i = 0; i < a->found->count; i++) {
        rp_face_public(&face, &a->found->face[order[i]]);
        rp_api_give(a->faces + (size_t) i * a->face_size, a->face_size, &face, sizeof(face));
    }
    return a->fn(a->priv, &(const rp_frame_faces){
        .path = a->path, .frame = frame->index, .time = time, .w = frame->w, .h = frame->h,
        .count = a->found->count, .faces = (const rp_face *) (const void *) a->faces,
        .positions = positions, .pixels = &(const struct rp_frame_pixels){frame}});
}

int rp_frame_image_sized(const rp_frame_faces *frame, rp_image *out, size_t size)
{
    rp_image own;

    RP_CHECK(rp_api_check_size("rp_image", size, sizeof(own)));
    const int ret = rp_media_frame_image(frame->pixels->frame, &own);
    rp_api_give(out, size, &own, sizeof(own));
    return ret;
}

static int analyse_image(struct analysis *a)
{
    int ret;
    char damage[256];
    rp_image image = {0};
    struct rp_media_frame frame;

    if ((ret = rp_image_read_damaged(&image, a->path, rp_accepts_damage(a->settings), damage,
                                     sizeof(damage))) < 0)
        return ret;
    rp_image_drop_alpha(&image);
    rp_frame_over_image(&frame, &image);
    ret = tell(a, &frame, 0);
    rp_image_free(&image);
    return ret;
}

static int analyse_video(struct analysis *a, struct rp_range range)
{
    int ret;
    char damage[320];
    int64_t origin = INT64_MIN;
    struct rp_reader *reader = NULL;
    const bool accept = rp_accepts_damage(a->settings);

    RP_TRY(rp_reader_open(&reader, a->path,
                          &(struct rp_reader_params){.start = range.start, .end = range.end,
                                                     .refuse = !accept}));
    const struct rp_video_info *const info = rp_reader_info(reader);
    const double tick = info->tb_den ? (double) info->tb_num / info->tb_den : 0;
    const double begin = info->fps_num ? (double) range.start * info->fps_den / info->fps_num : 0;
    for (ret = 0; ret == 0;) {
        struct rp_media_frame *frame = NULL;

        RP_TRY(rp_reader_next(reader, &frame));
        if (!frame)
            break;
        if (origin == INT64_MIN)
            origin = frame->pts;
        ret = tell(a, frame, begin + (double) (frame->pts - origin) * tick);
        rp_media_frame_free(&frame);
    }
    if (rp_reader_damage(reader, damage, sizeof(damage)))
        rp_log(RP_LOG_WARN, "%s is damaged, %s", a->path, damage);

fail:
    rp_reader_close(&reader);
    return ret;
}

/* The networks stay open in the runtime for the next file. */
static int analyse(void *priv)
{
    int ret;
    struct analysis *const a = priv;

    RP_TRY(rp_pipeline_open(&a->pipeline, a->runtime, a->settings,
                            &(const struct rp_pipeline_params){.use = RP_USE_ANALYSE}));
    if (a->kind == RP_MEDIA_IMAGE)
        RP_TRY(analyse_image(a));
    else
        RP_TRY(analyse_video(a, rp_frame_range(a->settings)));
    ret = 0;

fail:
    rp_pipeline_destroy(&a->pipeline);
    return ret;
}

int rp_analyse_file_sized(rp_runtime *runtime, const rp_options *options, const char *path,
                          size_t face_size, rp_frame_faces_fn *fn, void *priv)
{
    int ret;
    struct rp_executor *executor;
    struct analysis *const a = calloc(1, sizeof(*a));

    if (!a)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    a->runtime = runtime;
    a->settings = rp_options_settings(options);
    a->path = path;
    a->fn = fn;
    a->priv = priv;
    a->face_size = face_size;
    a->faces = calloc(RP_MAX_FACES, face_size);
    a->found = calloc(1, sizeof(*a->found));
    if (!a->found || !a->faces) {
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
        goto fail;
    }
    RP_TRY(rp_selector_init(&a->selector, a->settings, NULL));
    RP_TRY(rp_media_probe(path, &a->kind));
    if (a->kind != RP_MEDIA_IMAGE && a->kind != RP_MEDIA_VIDEO) {
        ret = rp_fail(RP_ERR_FORMAT, "%s: neither a picture nor a video", path);
        goto fail;
    }
    RP_TRY(rp_pipeline_executor(runtime, a->settings, 0, &executor));
    RP_TRY(rp_executor_run(executor, analyse, a));
    ret = 0;

fail:
    free(a->found);
    free(a->faces);
    free(a);
    return ret;
}
