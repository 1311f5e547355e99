/* --frame: one frame of a video to a picture. It is a job of a video with one frame (job_video.c),
 * so reference, sound, tracker and content check see what they see in a job of the whole video.
 * Only the end differs: instead of a writer there is this. */
#include "pipeline/job.h"

int rp_job_still_check(const struct rp_job *job)
{
    if (!job->still)
        return 0;
    if (job->kind == RP_MEDIA_IMAGE)
        return rp_fail(RP_ERR_USAGE, "--frame: %s is a picture; leave the option out", job->target);
    if (rp_settings_is_set(job->settings, "trim-frame-start") ||
        rp_settings_is_set(job->settings, "trim-frame-end"))
        return rp_fail(RP_ERR_USAGE, "--frame names the only frame; leave out --trim-frame-start "
                                     "and --trim-frame-end");
    return 0;
}

int rp_job_still_missing(const struct rp_job *job, const struct rp_reader *reader)
{
    struct rp_video_count count;
    const struct rp_range range = rp_frame_range(job->settings);

    if (rp_reader_count(reader, &count) < 0 || count.frames < 1 || count.frames > range.start)
        return rp_fail(RP_ERR_USAGE, "--frame: %s has no frame %lld", job->target,
                       (long long) range.start);
    return rp_fail(RP_ERR_USAGE, "--frame: %s has no frame %lld; it has %lld, counted from 0",
                   job->target, (long long) range.start, (long long) count.frames);
}

int rp_job_still_write(const struct rp_job *job, struct rp_partial *out,
                       const struct rp_media_frame *frame, int w, int h, const struct rp_mark *mark)
{
    int ret;
    rp_image image = {0}, scaled;
    const struct rp_output_options *const o = rp_settings_get(job->settings, &rp_output_group);

    RP_TRY(rp_media_frame_image(frame, &image));
    if (w != image.w || h != image.h) {
        RP_TRY(rp_image_scale(&scaled, &image, w, h));
        rp_image_free(&image);
        image = scaled;
    }
    RP_TRY(rp_image_write_marked(&image, out->temp, job->output, o->image_quality, mark));

fail:
    rp_image_free(&image);
    return ret;
}
