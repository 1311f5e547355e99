#include "pipeline/picture.h"

#include "base/api.h"
#include "pipeline/alpha.h"
#include "pipeline/device_image.h"
#include "pipeline/reference.h"

/* ---- frames over pictures -------------------------------------------------------------------- */

static int check_content(const struct rp_pipeline *p, struct rp_program *program,
                         const struct rp_media_frame *frame)
{
    bool positive;
    const int ret = rp_program_check(program, frame, &positive);

    return ret >= 0 && positive
               ? rp_fail(RP_ERR_BLOCKED, "the content check refuses this picture%s",
                         rp_content_advice(p->plan.content))
               : ret;
}

static int work_on_frame(struct rp_pipeline *p, struct rp_media_frame *frame,
                         struct rp_frame_result *result)
{
    struct rp_program *program;

    RP_CHECK(rp_programs_take_for(&p->programs, &p->plan, frame, &program));
    int ret = check_content(p, program, frame);
    if (ret >= 0)
        ret = rp_program_run(program, frame, false, result);
    rp_programs_give(&p->programs, &program);
    return ret;
}

/* Content check and faces of a picture, before it is known what processors get. */
static int look(struct rp_pipeline *p, const struct rp_media_frame *frame,
                struct rp_dfaces *faces)
{
    struct rp_program *program;

    p->large_plan = (struct rp_plan){.device = p->device, .batch = p->plan.batch,
                                     .analyser = p->plan.analyser, .content = p->plan.content};
    RP_CHECK(rp_programs_take_for(&p->programs, &p->large_plan, frame, &program));
    int ret = check_content(p, program, frame);
    if (ret >= 0 && p->plan.analyser)
        ret = rp_program_analyse(program, frame, faces);
    rp_programs_give(&p->programs, &program);
    return ret;
}

/* The same; the first picture gives the reference. */
static int look_first(struct rp_pipeline *p, const struct rp_media_frame *frame,
                      struct rp_dfaces *faces)
{
    RP_CHECK(look(p, frame, faces));
    if (!rp_pipeline_wants_reference(p))
        return 0;
    rp_reference_add(p, faces, frame->index);
    return rp_pipeline_check_reference(p);
}

/* If the reference is still wanted: the faces of this picture, which gives it; the caller frees
 * them, after a failure too. Else NULL. */
static int first_faces(struct rp_pipeline *p, const struct rp_media_frame *frame,
                       struct rp_dfaces **faces)
{
    *faces = NULL;
    if (!rp_pipeline_wants_reference(p))
        return 0;
    if (!(*faces = calloc(1, sizeof(**faces))))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    return look_first(p, frame, *faces);
}

/* Only the processors, on faces that are already known. */
static int work_on_faces(struct rp_pipeline *p, struct rp_media_frame *frame,
                         const struct rp_dfaces *faces, struct rp_frame_result *result)
{
    struct rp_program *program;

    p->small_plan = p->plan;
    p->small_plan.analyser = NULL;
    p->small_plan.content = NULL;
    p->small_plan.split = true;
    RP_CHECK(rp_programs_take_for(&p->programs, &p->small_plan, frame, &program));
    *rp_program_faces(program) = *faces;
    int ret = rp_program_submit(program, &(const struct rp_frame_in){frame, false}, 1,
                                RP_PASS_PROCESS);
    if (ret >= 0)
        ret = rp_program_finish(program, result);
    rp_programs_give(&p->programs, &program);
    result->faces = faces->count;
    result->overflow = faces->overflow != 0;
    return ret;
}

/* ---- pictures -------------------------------------------------------------------------------- */

/* The picture takes over the planes of a frame whose size changed.
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
    return 0;
}

/* A frame over the picture's BGR, which may be a copy. */
static int take_image(rp_image *image, rp_image *bgr, struct rp_media_frame *frame)
{
    RP_CHECK(check_image(image));
    RP_CHECK(rp_image_take_bgr(image, bgr));
    rp_frame_over_image(frame, bgr);
    return 0;
}

/* A picture whose pixels stay on the device. Only the device knows what is transparent in the end,
 * so the format cannot be adapted. */
static int work_on_device(struct rp_pipeline *p, rp_image *image, struct rp_frame_result *result)
{
    struct rp_dfaces *faces;
    struct rp_media_frame frame;

    RP_CHECK(check_image(image));
    if (p->plan.alpha && image->format == RP_PIXEL_BGR)
        return rp_fail(RP_ERR_UNSUPPORTED, "the processors make a part of the picture transparent, "
                       "and pixels on a device keep their format; pass it as BGRA");
    rp_frame_over_device(&frame, image);
    int ret = first_faces(p, &frame, &faces);
    if (p->plan.alpha)
        frame.fmt = RP_FMT_BGR24_ALPHA;
    if (ret >= 0)
        ret = faces ? work_on_faces(p, &frame, faces, result) : work_on_frame(p, &frame, result);
    free(faces);
    return ret;
}

/* @param faces  NULL: they have to be found */
static int work_on_image(struct rp_pipeline *p, rp_image *image, const struct rp_dfaces *faces,
                         struct rp_frame_result *result)
{
    int ret;
    rp_image bgr = {0};
    uint8_t *alpha = NULL;
    struct rp_dfaces *found = NULL;
    struct rp_media_frame frame;

    RP_TRY(take_image(image, &bgr, &frame));
    if (!faces) {
        RP_TRY(first_faces(p, &frame, &found));
        faces = found;
    }
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
    free(found);
    return ret;
}

int rp_pipeline_image(struct rp_pipeline *p, rp_image *image, struct rp_frame_result *result)
{
    return image && image->on_device ? work_on_device(p, image, result)
                                     : work_on_image(p, image, NULL, result);
}

/* Reference, content check and faces of the picture in its own size. */
static int read_large(struct rp_pipeline *p, rp_image *image, struct rp_dfaces *faces)
{
    int ret;
    rp_image bgr = {0};
    struct rp_media_frame frame;

    RP_TRY(take_image(image, &bgr, &frame));
    RP_TRY(look_first(p, &frame, faces));

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
    struct rp_dfaces *const large = calloc(1, sizeof(*large)), *const faces =
                                                                   malloc(sizeof(*faces));

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
    size_t face_size;
    int max;
};

/* If the device's memory is the host's, a picture there is like any other. */
static bool is_ordinary(const struct rp_pipeline *p)
{
    return rp_port_is_direct(p->device);
}

/* The picture remembers what was done to it. */
static int put_mark(const struct rp_pipeline *p, rp_image *image)
{
    struct rp_mark mark;

    rp_pipeline_mark(p, &mark);
    const char *const kept = rp_mark_keep(&mark, image->mark);
    if (!kept)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    image->mark = kept;
    return 0;
}

static int process(void *priv)
{
    struct rp_frame_result result;
    const struct call *const c = priv;
    const bool on_device = c->image->on_device;
    const char *const before = c->image->mark;

    c->image->on_device = on_device && !is_ordinary(c->pipeline);
    const int ret = rp_pipeline_image(c->pipeline, c->image, &result);
    c->image->on_device = on_device && c->image->data;
    c->image->mark = before;
    if (ret >= 0)
        RP_CHECK(put_mark(c->pipeline, c->image));
    c->pipeline->spoiled |= ret < 0 && ret != RP_ERR_BLOCKED && ret != RP_ERR_INVALID &&
                            ret != RP_ERR_UNSUPPORTED;
    return ret;
}

int rp_pipeline_process_sized(rp_pipeline *p, rp_image *image, size_t image_size)
{
    rp_image own;

    RP_CHECK(rp_api_check_size("rp_image", image_size, sizeof(own)));
    rp_api_take(&own, sizeof(own), image, image_size);
    const int ret = rp_executor_run(p->executor, process, &(struct call){p, .image = &own});
    if (image)
        rp_api_give(image, image_size, &own, sizeof(own));
    return ret;
}

/* Writes faces in the size of the application's struct, one after the other. */
static void give_faces(const struct rp_dfaces *found, const struct call *c)
{
    rp_face face;

    for (int i = 0; i < found->count && i < c->max; i++) {
        rp_face_public(&face, &found->face[i]);
        rp_api_give((uint8_t *) c->faces + (size_t) i * c->face_size, c->face_size, &face,
                    sizeof(face));
    }
}

static int analyse(void *priv)
{
    int ret;
    const struct call *const c = priv;
    rp_image own = *c->seen, bgr = {0};
    struct rp_media_frame frame;
    struct rp_dfaces *const found = malloc(sizeof(*found));

    if (!found)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    RP_TRY(check_image(&own));
    if (own.on_device && !is_ordinary(c->pipeline)) {
        rp_frame_over_device(&frame, &own);
    } else {
        RP_TRY(rp_image_take_bgr(&own, &bgr));
        rp_frame_over_image(&frame, &bgr);
    }
    RP_TRY(rp_pipeline_faces(c->pipeline, &frame, found));
    give_faces(found, c);
    ret = found->count;

fail:
    if (bgr.owned)
        free(bgr.data);
    free(found);
    return ret;
}

int rp_pipeline_analyse_sized(rp_pipeline *p, const rp_image *image, size_t image_size,
                              rp_face *faces, size_t face_size, int max)
{
    rp_image own;

    RP_CHECK(rp_api_check_size("rp_image", image_size, sizeof(own)));
    rp_api_take(&own, sizeof(own), image, image_size);
    return rp_executor_run(p->executor, analyse,
                           &(struct call){p, .seen = &own, .faces = faces, .face_size = face_size,
                                          .max = max});
}

/* ---- pixels on the device -------------------------------------------------------------------- */

typedef int move_fn(struct rp_slot *slot, const rp_image *from, const rp_image *to);

/* One picture's rows into another, on a stream of its own. */
static int move(struct rp_pipeline *p, const rp_image *from, const rp_image *to, move_fn *fn)
{
    int ret;
    struct rp_slot *slot = NULL;

    RP_TRY(rp_slot_create(&slot, p->device));
    RP_TRY(fn(slot, from, to));

fail:
    rp_slot_destroy(&slot);
    return ret;
}

static int to_device(void *priv)
{
    int ret;
    const struct call *const c = priv;
    rp_image *const out = c->image;

    RP_CHECK(rp_device_image_alloc(c->pipeline->device, c->seen->format, c->seen->w, c->seen->h,
                                   out));
    if ((ret = move(c->pipeline, c->seen, out, rp_device_image_upload)) < 0)
        rp_device_image_free(c->pipeline->device, out);
    return ret;
}

static int to_host(void *priv)
{
    int ret;
    const struct call *const c = priv;
    rp_image *const out = c->image;

    *out = (rp_image){.w = c->seen->w, .h = c->seen->h, .format = c->seen->format, .owned = true};
    out->stride = (ptrdiff_t) out->w * (out->format == RP_PIXEL_BGRA ? 4 : 3);
    if (!(out->data = malloc((size_t) out->stride * (size_t) out->h)))
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
    else
        ret = move(c->pipeline, c->seen, out, rp_device_image_download);
    if (ret < 0)
        rp_image_free(out);
    return ret;
}

static int free_on(void *priv)
{
    const struct call *const c = priv;

    rp_device_image_free(c->pipeline->device, c->image);
    return 0;
}

/* @param on_device  where the picture must be */
static int convey(rp_pipeline *p, const rp_image *image, rp_image *out, size_t image_size,
                  bool on_device)
{
    int ret;
    rp_image own, made = {0};

    RP_CHECK(rp_api_check_size("rp_image", image_size, sizeof(own)));
    rp_api_take(&own, sizeof(own), image, image_size);
    rp_api_give(out, image_size, &made, sizeof(made));
    RP_CHECK(check_image(&own));
    if (own.on_device != on_device)
        return rp_fail(RP_ERR_INVALID, "the picture's pixels are already on the %s",
                       on_device ? "host" : "device");
    ret = rp_executor_run(p->executor, on_device ? to_host : to_device,
                          &(struct call){p, .image = &made, .seen = &own});
    made.mark = own.mark;
    rp_api_give(out, image_size, &made, sizeof(made));
    return ret;
}

int rp_image_to_device_sized(rp_pipeline *p, const rp_image *image, rp_image *out,
                             size_t image_size)
{
    return convey(p, image, out, image_size, false);
}

int rp_image_to_host_sized(rp_pipeline *p, const rp_image *image, rp_image *out, size_t image_size)
{
    return convey(p, image, out, image_size, true);
}

void rp_image_free_on_sized(rp_pipeline *p, rp_image *image, size_t image_size)
{
    rp_image own;

    if (rp_api_check_size("rp_image", image_size, sizeof(own)) < 0)
        return;
    rp_api_take(&own, sizeof(own), image, image_size);
    if (!own.on_device)
        rp_image_free(&own);
    else
        rp_executor_run(p->executor, free_on, &(struct call){p, .image = &own});
    if (image)
        rp_api_give(image, image_size, &own, sizeof(own));
}
