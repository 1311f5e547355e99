/* Before the first frame of a video: its reader, sizes, references and sound; its writer. */
#include "pipeline/job_video.h"

#include <math.h>

static double frame_rate(const struct rp_video_info *info)
{
    return info->fps_den ? (double) info->fps_num / info->fps_den : 0;
}

/* If so, frames are read as RGB too: there is no point in halving the processors' chroma. */
static bool is_rgb(const struct rp_job *job)
{
    const struct rp_output_options *const o = rp_settings_get(job->settings, &rp_output_group);

    return job->still ||
           (o->video_encoder >= 0 && !strcmp(rp_video_encoders()[o->video_encoder], "libx264rgb"));
}

bool rp_job_video_rgb(const struct rp_job_video *v)
{
    return is_rgb(v->job);
}

/* Held faces grow by half of their size in a second. */
static struct rp_hold hold_of(const struct rp_job_video *v)
{
    const struct rp_pipeline *const p = v->job->pipeline;
    const double fps = RP_CLAMP(frame_rate(rp_reader_info(v->reader)), 1, 1000);

    return (struct rp_hold){.frames = (int) ceil(RP_MIN(p->plan.hold * fps, RP_HOLD_MAX)),
                            .grow = 0.5 / fps,
                            .sure = 0.5,
                            .who = rp_selector_by_reference(&p->selector)};
}

struct rp_tracker_params rp_job_video_tracker(const struct rp_job_video *v)
{
    const struct rp_tracker_options *const o = rp_settings_get(v->job->settings, &rp_tracker_group);
    const struct rp_distribution_options *const d =
        rp_settings_get(v->job->settings, &rp_distribution_group);

    return (struct rp_tracker_params){
        .score = o->score, .around = d->amount, .smooth = o->smoothing, .hold = hold_of(v)};
}

/* What is looked at around a frame does not end with the trimmed part: each of its frames becomes
 * what it would be in a job of the whole video. */
static int open_wider(struct rp_job_video *v, struct rp_reader_params *range)
{
    const struct rp_tracker_params tracker = rp_job_video_tracker(v);

    range->around = rp_tracker_ahead(&tracker);
    rp_reader_close(&v->reader);
    return rp_reader_open(&v->reader, v->job->target, range);
}

/* Frames on one GPU are of no use to another, and a result with alpha is put together on the host.
 */
static void use_gpu_decoder(struct rp_job_video *v)
{
    const struct rp_plan *const plan = &v->job->pipeline->plan;
    const struct rp_execution_options *const o =
        rp_settings_get(v->job->settings, &rp_execution_group);

    if (o->video_decoder == 0 || plan->alpha || rp_job_video_rgb(v) ||
        rp_job_video_gpus(v->job) > 1)
        return;
    if (rp_surfaces_open(&v->surfaces, plan->device) < 0)
        rp_log(RP_LOG_DEBUG, "the processor decodes: %s", rp_last_error());
}

struct rp_reader_params rp_job_video_range(const struct rp_job_video *v, int64_t start, int64_t end)
{
    return (struct rp_reader_params){
        .start = start,
        .end = end,
        .rgb = rp_job_video_rgb(v),
        .refuse = !rp_accepts_damage(v->job->settings),
        .memory = rp_port_memory(v->job->pipeline->plan.device),
        .gpu = v->surfaces ? &v->surfaces->decoder : NULL,
    };
}

static int check_range(const struct rp_range *part)
{
    if (part->ends && part->end <= part->start)
        return rp_fail(RP_ERR_USAGE, "--trim-frame-end: %lld must be greater than the start, %lld",
                       (long long) part->end, (long long) part->start);
    return 0;
}

int rp_job_open_reader(const struct rp_job *job, struct rp_reader **reader)
{
    const struct rp_range part = rp_frame_range(job->settings);

    *reader = NULL;
    RP_CHECK(check_range(&part));
    return rp_reader_open(reader, job->target,
                          &(const struct rp_reader_params){
                              .start = part.start,
                              .end = part.end,
                              .rgb = is_rgb(job),
                              .refuse = !rp_accepts_damage(job->settings),
                              .memory_later = true,
                          });
}

/* The one that the job has opened already will do, but not for a decoder on the GPU. */
static int take_reader(struct rp_job_video *v, const struct rp_reader_params *range)
{
    struct rp_job *const job = v->job;

    if (!job->reader || range->gpu) {
        rp_reader_close(&job->reader);
        return rp_reader_open(&v->reader, job->target, range);
    }
    v->reader = job->reader;
    job->reader = NULL;
    return rp_reader_attach(v->reader, &range->memory);
}

static int open_reader(struct rp_job_video *v)
{
    const struct rp_range part = rp_frame_range(v->job->settings);

    RP_CHECK(check_range(&part));
    use_gpu_decoder(v);
    struct rp_reader_params range = rp_job_video_range(v, part.start, part.end);
    RP_CHECK(take_reader(v, &range));
    if (v->job->pipeline->plan.split && (part.start > 0 || part.ends))
        RP_CHECK(open_wider(v, &range));

    const struct rp_video_info *const info = rp_reader_info(v->reader);
    const int64_t end = part.ends ? RP_MIN(info->frames, part.end) : info->frames;
    v->first = part.start;
    v->total = v->job->still ? 1 : RP_MAX(end - part.start, 0);
    v->ends = part.ends;
    rp_content_sample_begin(&v->sampler, v->total);
    v->most = v->total > 0 && frame_rate(info) > 0
                  ? rp_content_most(&v->sampler, v->total, (double) v->total / frame_rate(info),
                                    1 / frame_rate(info))
                  : INT64_MAX / 200;
    v->job->report.progress.frames_total = v->total;
    return 0;
}

static int set_reference(struct rp_job_video *v)
{
    int ret = 0;
    struct rp_media_frame *frame = NULL;
    const struct rp_selector_options *const o =
        rp_settings_get(v->job->settings, &rp_selector_group);

    if (!rp_pipeline_wants_reference(v->job->pipeline))
        return 0;
    for (int i = 0; i < o->reference_frames.n; i++) {
        rp_media_frame_free(&frame);
        RP_TRY(rp_reader_frame(v->job->target, o->reference_frames.v[i], &frame));
        RP_TRY(rp_pipeline_add_reference(v->job->pipeline, frame));
    }
    RP_TRY(rp_pipeline_check_reference(v->job->pipeline));

fail:
    rp_media_frame_free(&frame);
    return ret;
}

/* Seconds of the sound that matter for the part that is worked on, with a little more; 0: all. */
static double heard_until(const struct rp_job_video *v)
{
    const struct rp_range range = rp_frame_range(v->job->settings);
    const double fps = RP_MAX(frame_rate(rp_reader_info(v->reader)), 1);
    const int64_t from = v->job->pipeline->replace_audio ? v->first : 0;

    return range.end > 0 ? (double) (range.end - from) / fps + 1 : 0;
}

/* Lips follow the audio file among the sources from the first frame on that is worked on, as it
 * will be heard; or the target's own sound, which stays in its place. */
static int hear(struct rp_job_video *v)
{
    int ret = 0;
    struct rp_media_frame *first = NULL;
    struct rp_job *const job = v->job;
    const struct rp_pipeline *const p = job->pipeline;
    const char *const path = p->replace_audio ? p->replace_audio : job->target;

    if (!p->plan.hears)
        return 0;
    RP_TRY(rp_hear(&v->speech,
                   &(const struct rp_hearing){.runtime = job->runtime,
                                              .settings = job->settings,
                                              .device = p->device,
                                              .path = path,
                                              .sound = {.in_place = !p->replace_audio,
                                                        .origin = rp_reader_info(v->reader)->origin,
                                                        .refuse = !rp_accepts_damage(job->settings),
                                                        .until = heard_until(v)},
                                              .damage = v->damage,
                                              .damage_size = sizeof(v->damage),
                                              .model = v->voice,
                                              .cancelled = &job->cancelled}));
    if (!v->speech)
        rp_log(RP_LOG_INFO, "%s: there is no sound in it; lips follow silence", path);
    if (v->speech && p->replace_audio && v->first > 0) {
        RP_TRY(rp_reader_frame(job->target, v->first, &first));
        v->speech->start += first->time;
    }

fail:
    rp_media_frame_free(&first);
    return ret;
}

void rp_job_video_set_speech(const struct rp_job_video *v, struct rp_pipeline *pipeline)
{
    const double fps = frame_rate(rp_reader_info(v->reader));
    const struct rp_output_options *const o = rp_settings_get(v->job->settings, &rp_output_group);

    pipeline->plan.speech = v->speech;
    pipeline->plan.fps = o->video_fps > 0 ? RP_MIN(fps, o->video_fps) : fps;
}

void rp_job_video_unset_speech(struct rp_pipeline *pipeline)
{
    pipeline->plan.speech = NULL;
    pipeline->plan.fps = 0;
    pipeline->plan.frames = 0;
}

/* Ends the job before anything is opened if frames would become too large. */
static int check_size(const struct rp_job_video *v)
{
    int w, h;
    const struct rp_video_info *const info = rp_reader_info(v->reader);

    RP_CHECK(rp_plan_size(&v->job->pipeline->plan, info->w, info->h, &w, &h));
    rp_job_tell_size(v->job, v->job->still ? "output-image-scale" : "output-video-scale", info->w,
                     w);
    return 0;
}

/* A side of what is put out. */
int rp_job_video_side(const struct rp_job_video *v, int side)
{
    const struct rp_output_options *const o = rp_settings_get(v->job->settings, &rp_output_group);

    return rp_scaled_side(side, v->job->still ? o->image_scale : o->video_scale);
}

static void write_mark(const struct rp_job *job, struct rp_mark *mark)
{
    rp_pipeline_mark(job->pipeline, mark);
    if (!job->facts)
        return;
    memcpy(mark->processors, job->facts->mark.processors, sizeof(mark->processors));
    memcpy(mark->models, job->facts->mark.models, sizeof(mark->models));
    memcpy(mark->damage, job->facts->mark.damage, sizeof(mark->damage));
}

struct rp_writer_params rp_job_video_writer_params(const struct rp_job_video *v,
                                                   struct rp_mark *mark)
{
    static const char *const presets[] = {"ultrafast", "superfast", "veryfast", "faster",  "fast",
                                          "medium",    "slow",      "slower",   "veryslow"};
    const struct rp_job *const job = v->job;
    const struct rp_output_options *const o = rp_settings_get(job->settings, &rp_output_group);
    const struct rp_video_info *const info = rp_reader_info(v->reader);

    write_mark(job, mark);
    return (struct rp_writer_params){
        .video_encoder = o->video_encoder < 0 ? NULL : rp_video_encoders()[o->video_encoder],
        .video_preset = presets[o->video_preset],
        .video_quality = o->video_quality,
        .audio_encoder = o->audio_encoder < 0 ? NULL : rp_audio_encoders()[o->audio_encoder],
        .audio_quality = o->audio_quality,
        .audio_volume = o->audio_volume,
        .out_w = rp_job_video_side(v, info->w),
        .out_h = rp_job_video_side(v, info->h),
        .fps = o->video_fps,
        .replace_audio = job->pipeline->replace_audio,
        .alpha = job->pipeline->plan.alpha,
        .refuse = !rp_accepts_damage(job->settings),
        .note = rp_accepts_damage(job->settings),
        .name = job->output,
        .mark = mark,
    };
}

int rp_job_video_open(struct rp_job_video *v)
{
    RP_CHECK(open_reader(v));
    if (v->job->facts) { /* nothing is made */
        snprintf(v->damage, sizeof(v->damage), "%s", v->job->facts->heard);
        return 0;
    }
    RP_CHECK(check_size(v));
    RP_CHECK(set_reference(v));
    RP_CHECK(hear(v));
    rp_job_video_set_speech(v, v->job->pipeline);
    return 0;
}

int rp_job_video_open_writer(struct rp_job_video *v, const char *temp)
{
    struct rp_mark mark;

    if (v->job->still)
        return 0; /* rp_job_still_write() does it */
    const struct rp_writer_params params = rp_job_video_writer_params(v, &mark);
    return rp_writer_open(&v->writer, temp, v->job->target, v->reader, &params);
}

int rp_job_video_gpus(const struct rp_job *job)
{
    const struct rp_execution_options *const o =
        rp_settings_get(job->settings, &rp_execution_group);

    return job->pipeline->device->fns->one_thread && !job->still
               ? RP_CLAMP(o->device_ids.n, 1, RP_MAX_GPUS)
               : 1;
}
