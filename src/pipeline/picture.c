#include "pipeline/picture.h"

#include "pipeline/alpha.h"

/* ---- frames over pictures -------------------------------------------------------------------- */

static int check_content(struct rp_program *program, const struct rp_media_frame *frame)
{
    bool positive;
    const int ret = rp_program_look(program, frame, &positive);

    return ret >= 0 && positive
               ? rp_fail(RP_ERR_BLOCKED, "the content check refuses this picture")
               : ret;
}

static int work_on_frame(struct rp_pipeline *p, struct rp_media_frame *frame,
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

/* ---- pictures -------------------------------------------------------------------------------- */

/* A frame that was given planes of another size becomes the picture.
 * @param alpha  NULL if none was made */
static int take_resized(rp_image *image, const struct rp_media_frame *frame, uint8_t *alpha)
{
    int ret = 0;
    rp_image out = {.data = frame->plane[0], .stride = frame->stride[0], .w = frame->w,
                    .h = frame->h, .owned = true};

    if (!alpha && image->format == RP_PIXEL_BGRA)
        RP_TRY(rp_image_scale_alpha(image, out.w, out.h, &alpha));
    if (alpha)
        RP_TRY(rp_image_put_alpha(&out, alpha));
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
static int take_image(struct rp_pipeline *p, rp_image *image, rp_image *bgr,
                      struct rp_media_frame *frame)
{
    RP_CHECK(check_image(image));
    RP_CHECK(rp_image_take_bgr(image, bgr));
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
        RP_TRY(rp_frame_take_alpha(&frame, image, &alpha));
    ret = faces ? work_on_faces(p, &frame, faces, result) : work_on_frame(p, &frame, result);
    if (frame.plane[0] != bgr.data) {
        const int took =
            take_resized(image, &frame, frame.plane[3] != alpha ? frame.plane[3] : NULL);

        ret = ret < 0 ? ret : took;
    } else if (ret >= 0) {
        rp_image_put_bgr(image, &bgr);
        if (alpha)
            RP_TRY(rp_image_put_alpha(image, alpha));
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

/* ---- the public functions, on the pipeline's thread ------------------------------------------ */

struct call {
    struct rp_pipeline *pipeline;
    rp_image *image;
    const rp_image *seen;
    rp_face *faces;
    int max;
};

static int process(void *priv)
{
    struct rp_frame_result result;
    const struct call *const c = priv;

    return rp_pipeline_image(c->pipeline, c->image, &result);
}

int rp_pipeline_process(rp_pipeline *p, rp_image *image)
{
    return rp_executor_run(p->executor, process, &(struct call){p, .image = image});
}

static int analyse(void *priv)
{
    int ret;
    rp_image copy, bgr = {0};
    struct rp_media_frame frame;
    const struct call *const c = priv;
    struct rp_dfaces *const found = malloc(sizeof(*found));

    if (!found)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    RP_TRY(check_image(c->seen));
    copy = *c->seen;
    RP_TRY(rp_image_take_bgr(&copy, &bgr));
    rp_frame_over_image(&frame, &bgr);
    RP_TRY(rp_pipeline_faces(c->pipeline, &frame, found));
    for (int i = 0; i < found->count && i < c->max; i++)
        rp_face_public(&c->faces[i], &found->face[i]);
    ret = found->count;

fail:
    if (bgr.owned)
        free(bgr.data);
    free(found);
    return ret;
}

int rp_pipeline_analyse(rp_pipeline *p, const rp_image *image, rp_face *faces, int max)
{
    return rp_executor_run(p->executor, analyse,
                           &(struct call){p, .seen = image, .faces = faces, .max = max});
}
