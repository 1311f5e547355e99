/* A picture to a picture. */
#include "pipeline/job.h"
#include "pipeline/picture.h"

/* --output-image-scale: replace the picture by a copy in another size. w, h: the target's size. */
static int scale_image(const struct rp_job *job, rp_image *image, int w, int h)
{
    const struct rp_output_options *const o = rp_settings_get(job->settings, &rp_output_group);
    rp_image small;
    int ret;

    rp_job_tell_size(job, "output-image-scale", w, image->w);
    w = rp_scaled_side(w, o->image_scale);
    h = rp_scaled_side(h, o->image_scale);
    if (w == image->w && h == image->h)
        return 0;
    if ((ret = rp_image_scale(&small, image, w, h)) < 0)
        return ret;
    rp_image_free(image);
    *image = small;
    return 0;
}

/* If the output is scaled down, processors work on the smaller picture, as in FaceFusion. */
static int process(const struct rp_job *job, rp_image *image, struct rp_frame_result *result)
{
    const struct rp_output_options *const o = rp_settings_get(job->settings, &rp_output_group);
    const int w = rp_scaled_side(image->w, o->image_scale);
    const int h = rp_scaled_side(image->h, o->image_scale);

    if (o->image_scale < 1)
        return rp_pipeline_small_image(job->pipeline, image, w, h, result);
    return rp_pipeline_image(job->pipeline, image, result);
}

static void add_clock(void *priv, const struct rp_slot *slot)
{
    rp_job_add_clocks(priv, slot);
}

int rp_job_run_image(struct rp_job *job, struct rp_partial *out)
{
    int ret, w, h;
    double start = rp_now();
    char damage[256];
    rp_image image = {0};
    struct rp_mark mark;
    struct rp_frame_result result = {0};
    struct rp_report *const report = &job->report;
    const struct rp_output_options *const o = rp_settings_get(job->settings, &rp_output_group);

    report->progress.frames_total = 1;
    RP_TRY(rp_image_read_damaged(&image, job->target, rp_accepts_damage(job->settings), damage,
                                 sizeof(damage)));
    w = image.w;
    h = image.h;
    report->own_seconds[RP_STAGE_DECODE] += rp_now() - start;

    RP_TRY(process(job, &image, &result));
    report->progress.faces_found += result.faces;
    report->progress.faces_changed += result.selected;
    rp_programs_each(&job->pipeline->programs, add_clock, job);
    report->content_checked = 1;

    start = rp_now();
    rp_pipeline_mark(job->pipeline, &mark);
    rp_mark_add_damage(&mark, damage);
    RP_TRY(scale_image(job, &image, w, h));
    RP_TRY(rp_image_write_marked(&image, out->temp, job->output, o->image_quality, &mark));
    report->own_seconds[RP_STAGE_ENCODE] += rp_now() - start;
    report->progress.frames_done = 1;
    rp_job_tell(job, false);

fail:
    rp_image_free(&image);
    return ret;
}
