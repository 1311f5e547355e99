/* A video to a video: a reading thread, a writing thread, and a crew for each device. The job's
 * thread runs the first crew; the crew of each further GPU runs on that GPU's own thread. */
#include "pipeline/job.h"

#include <math.h>
#include <pthread.h>

#include "base/memory.h"
#include "base/timeline.h"
#include "engine/show.h"
#include "media/piece.h"
#include "pipeline/crew.h"
#include "pipeline/cutter.h"
#include "pipeline/job_pieces.h"
#include "pipeline/speech.h"
#include "pipeline/surface.h"
#include "pipeline/tune.h"

#define MAX_GPUS 16
#define FEW_PIECES 10

struct video;

/* A further GPU: its own pipeline and crew, the same ring. */
struct helper {
    struct video *video;
    int gpu; /* index into --execution-device-ids */
    struct rp_executor *executor;
    struct rp_task task;
};

struct video {
    struct rp_job *job;
    struct rp_reader *reader;     /* of the whole job */
    struct rp_reader *part;       /* of the stretch of pieces that is made now, or NULL */
    struct rp_surfaces *surfaces; /* of its decoder; NULL: the processor decodes */
    struct rp_writer *writer;     /* NULL for a still; in pieces, until they are joined */
    struct rp_media_frame *still; /* the frame that becomes a picture, once it is done */
    struct rp_ring *ring;
    struct rp_tracker *tracker; /* NULL: off */
    struct rp_crew *crew;
    struct rp_speech *speech;   /* NULL: silence, or nobody listens */
    struct helper helper[MAX_GPUS];
    pthread_t read_thread, write_thread;
    bool reading, writing;
    struct rp_content_sampler sampler; /* the reading thread's */
    int64_t most;              /* frames for the content check at most; known for sure if `counted` */
    bool counted;
    int64_t checked, positive; /* by the content check, in the order of the video */
    int64_t first;             /* number of the first frame */
    int64_t total;             /* estimated number of frames */
    bool ends;                 /* they end where it was asked for, not with the file */
    double read_seconds, write_seconds;
    int write_status;

    char damage[320];          /* of the sound that is heard */

    struct rp_pieces *pieces; /* NULL: the video is not cut */
    struct rp_job_pieces cut; /* if it is */
    struct rp_cutter *cutter;
    int64_t npieces; /* there are at most so many */
    int64_t origin;  /* pts of the job's first frame */
    int64_t end;     /* frame at which the stretch ends within the job; 0: it does not */
    int64_t after;   /* pts of that frame, RP_PIECE_LAST if none came */
    bool ending;     /* all frames of the stretch are with the encoders */
    bool whole;      /* one stretch was all of the job */
    char lost[320];  /* of the target, read anew */

    pthread_mutex_t lock;      /* guards what follows, and the report's clocks */
    int64_t faces, changed;
    bool overflow;
};

static bool is_checked(void *priv, const struct rp_media_frame *frame)
{
    (void) priv;
    return frame->check;
}

/* ---- threads --------------------------------------------------------------------------------- */

/* A frame leaves when the next one is known: whether the content check sees it depends on that. */
static int pass_on(struct video *v, struct rp_media_frame **frame,
                   const struct rp_media_frame *next)
{
    const bool inner = v->end && next && next->aside && next->index >= v->end;
    const bool last = !next || (next->aside && !inner);
    struct rp_media_frame *const f = *frame;

    if (!f)
        return 0;
    if (inner && !f->aside)
        v->after = next->pts;
    if (!f->aside)
        f->check = rp_content_sample(&v->sampler, f->time, last ? INFINITY : next->time);
    if (f->aside && !v->job->pipeline->plan.split) { /* it only told its time */
        rp_media_frame_free(frame);
        return 0;
    }
    RP_CHECK(rp_ring_put(v->ring, f));
    *frame = NULL;
    return 0;
}

static struct rp_reader *reader_of(const struct video *v)
{
    return v->part ? v->part : v->reader;
}

/* The reading thread's: is anything lost that a piece must remember? */
static void note_lost(struct video *v)
{
    char text[320];

    if (v->pieces && rp_accepts_damage(v->job->settings) &&
        rp_reader_damage(reader_of(v), text, sizeof(text)))
        atomic_store(&v->cut.damaged, true);
}

static void *read_frames(void *priv)
{
    int ret = 0;
    struct video *const v = priv;
    struct rp_media_frame *frame = NULL, *next = NULL;

    rp_log_hold(true);
    while (!atomic_load(&v->job->cancelled)) {
        const double start = rp_now();

        ret = rp_reader_next(reader_of(v), &next);
        v->read_seconds += rp_now() - start;
        note_lost(v);
        if (ret < 0 || (ret = pass_on(v, &frame, next)) < 0 || !next)
            break;
        frame = next;
        next = NULL;
    }
    rp_media_frame_free(&frame);
    rp_media_frame_free(&next);
    if (ret < 0 && ret != RP_ERR_CLOSED)
        rp_ring_fail(v->ring, ret);
    rp_ring_end(v->ring);
    return NULL;
}

static int count_frame(void *priv, struct rp_media_frame *frame,
                       const struct rp_frame_result *result)
{
    struct video *const v = priv;

    frame->positive |= result->positive;
    frame->faces += result->faces;
    frame->changed += result->selected;
    frame->overflow |= result->overflow;

    pthread_mutex_lock(&v->lock);
    v->faces += result->faces;
    v->changed += result->selected;
    v->overflow |= result->overflow;
    pthread_mutex_unlock(&v->lock);
    return 0;
}

/* How many frames the content check sees at most, by the packets that are there. */
static void count_most(struct video *v)
{
    struct rp_video_count count;
    const int64_t end = v->first + v->total;

    v->counted = true;
    v->most = INT64_MAX / 200;
    if (rp_reader_count(v->reader, &count) < 0)
        return; /* the reader will say what is wrong */
    const int64_t frames = RP_MAX(RP_MIN(count.frames, v->ends ? end : INT64_MAX) - v->first, 0);
    v->most = rp_content_most(&v->sampler, frames,
                              RP_MIN(count.seconds, (double) frames * count.longest),
                              count.longest);
}

/* Can the rest of the video not bring the share below the limit again? It is asked in the order of
 * the video, so the answer does not depend on how fast the frames come, and when the file's claims
 * say so, its packets must say so too. */
static bool surely_blocked(struct video *v)
{
    if (!rp_content_blocks(RP_MAX(v->checked, v->most), v->positive))
        return false;
    if (!v->counted)
        count_most(v);
    return rp_content_blocks(RP_MAX(v->checked, v->most), v->positive);
}

static int take_verdict(struct video *v, const struct rp_media_frame *frame)
{
    v->checked += frame->check;
    v->positive += frame->positive;
    return frame->positive && surely_blocked(v) ? RP_ERR_BLOCKED : 0;
}

/* A still is kept until the job cannot fail any more. */
static int put_out(struct video *v, struct rp_media_frame **frame)
{
    if (v->cutter) {
        RP_CHECK(rp_job_pieces_count(&v->cut, *frame));
        return rp_cutter_put(v->cutter, frame);
    }
    if (!v->job->still)
        return rp_writer_write(v->writer, *frame);
    rp_media_frame_free(&v->still);
    v->still = *frame;
    *frame = NULL;
    return 0;
}

/* A piece has its name. */
static int piece_done(void *priv, int64_t number, const char *path)
{
    struct video *const v = priv;
    const bool last = v->ending && v->cut.nopen == 1 && v->after == RP_PIECE_LAST;

    return rp_job_pieces_done(&v->cut, number, path, last);
}

static char *piece_name(void *priv, int64_t number)
{
    const struct video *const v = priv;

    return rp_job_folder_piece(v->cut.folder.path, v->cut.id, number);
}

/* There are no more frames. */
static int end_stretch(struct video *v)
{
    v->ending = true;
    return v->cutter ? rp_cutter_finish(v->cutter, v->after) : 0;
}

/* Writes the frames in order. */
static int write_frames(struct video *v)
{
    int ret;
    struct rp_job *const job = v->job;

    for (;;) {
        struct rp_media_frame *frame;

        if (rp_ring_get(v->ring, &frame) < 0)
            return rp_ring_status(v->ring);
        if (!frame)
            return end_stretch(v);

        const double start = rp_now();
        if ((ret = take_verdict(v, frame)) >= 0)
            ret = put_out(v, &frame);
        v->write_seconds += rp_now() - start;
        rp_media_frame_free(&frame);
        if (ret >= 0 && atomic_load(&job->cancelled))
            ret = RP_ERR_CANCELLED;
        if (ret < 0)
            return ret;

        if (job->report.progress.frames_done++ == 0) {
            rp_timeline_add("the first frame is done");
            rp_log(RP_LOG_DEBUG, "first frame after %.2f seconds, models and sources included",
                   rp_now() - job->created);
        }
        pthread_mutex_lock(&v->lock);
        job->report.progress.faces_found = v->faces;
        job->report.progress.faces_changed = v->changed;
        pthread_mutex_unlock(&v->lock);
        rp_job_tell(job, false);
    }
}

static void *write_thread(void *priv)
{
    struct video *const v = priv;

    rp_log_hold(true);
    v->write_status = write_frames(v);
    rp_timeline_add("the last frame is done");
    if (v->write_status < 0)
        rp_ring_fail(v->ring, v->write_status);
    return NULL;
}

/* ---- set-up ---------------------------------------------------------------------------------- */

static double frame_rate(const struct rp_video_info *info)
{
    return info->fps_den ? (double) info->fps_num / info->fps_den : 0;
}

/* If so, frames are read as RGB too: there is no point in halving the processors' chroma. */
static bool writes_rgb(const struct video *v)
{
    const struct rp_output_options *const o = rp_settings_get(v->job->settings, &rp_output_group);

    return v->job->still || (o->video_encoder >= 0 &&
                             !strcmp(rp_video_encoders()[o->video_encoder], "libx264rgb"));
}

/* Held faces grow by half of their size in a second. */
static struct rp_hold hold_of(const struct video *v)
{
    const struct rp_pipeline *const p = v->job->pipeline;
    const double fps = RP_CLAMP(frame_rate(rp_reader_info(v->reader)), 1, 1000);

    return (struct rp_hold){.frames = (int) ceil(RP_MIN(p->plan.hold * fps, RP_HOLD_MAX)),
                            .grow = 0.5 / fps,
                            .sure = 0.5,
                            .who = rp_selector_by_reference(&p->selector)};
}

static struct rp_tracker_params tracker_params(const struct video *v)
{
    const struct rp_tracker_options *const o = rp_settings_get(v->job->settings, &rp_tracker_group);
    const struct rp_distribution_options *const d =
        rp_settings_get(v->job->settings, &rp_distribution_group);

    return (struct rp_tracker_params){
        .score = o->score, .around = d->amount, .smooth = o->smoothing, .hold = hold_of(v)};
}

/* What is looked at around a frame does not end with the trimmed part: each of its frames becomes
 * what it would be in a job of the whole video. */
static int open_wider(struct video *v, struct rp_reader_params *range)
{
    const struct rp_tracker_params tracker = tracker_params(v);

    range->around = rp_tracker_ahead(&tracker);
    rp_reader_close(&v->reader);
    return rp_reader_open(&v->reader, v->job->target, range);
}

static int gpu_count(const struct rp_job *job);

/* Frames on one GPU are of no use to another, and a result with alpha is put together on the host. */
static void use_gpu_decoder(struct video *v)
{
    const struct rp_plan *const plan = &v->job->pipeline->plan;
    const struct rp_execution_options *const o =
        rp_settings_get(v->job->settings, &rp_execution_group);

    if (o->video_decoder == 0 || plan->alpha || writes_rgb(v) || gpu_count(v->job) > 1)
        return;
    if (rp_surfaces_open(&v->surfaces, plan->device) < 0)
        rp_log(RP_LOG_DEBUG, "the processor decodes: %s", rp_last_error());
}

static int open_reader(struct video *v)
{
    const struct rp_range part = rp_frame_range(v->job->settings);

    if (part.ends && part.end <= part.start)
        return rp_fail(RP_ERR_USAGE, "--trim-frame-end: %lld must be greater than the start, %lld",
                       (long long) part.end, (long long) part.start);
    struct rp_reader_params range = {.start = part.start, .end = part.end, .rgb = writes_rgb(v),
                                     .refuse = !rp_accepts_damage(v->job->settings),
                                     .memory = rp_port_memory(v->job->pipeline->plan.device)};
    use_gpu_decoder(v);
    if (v->surfaces)
        range.gpu = &v->surfaces->decoder;
    RP_CHECK(rp_reader_open(&v->reader, v->job->target, &range));
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

static int set_reference(struct video *v)
{
    int ret = 0;
    struct rp_media_frame *frame = NULL;
    const struct rp_selector_options *const o = rp_settings_get(v->job->settings,
                                                                &rp_selector_group);

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
static double heard_until(const struct video *v)
{
    const struct rp_range range = rp_frame_range(v->job->settings);
    const double fps = RP_MAX(frame_rate(rp_reader_info(v->reader)), 1);
    const int64_t from = v->job->pipeline->replace_audio ? v->first : 0;

    return range.end > 0 ? (double) (range.end - from) / fps + 1 : 0;
}

/* Lips follow the audio file among the sources from the first frame on that is worked on, as it will
 * be heard; or the target's own sound, which stays in its place. */
static int hear(struct video *v)
{
    int ret = 0;
    struct rp_media_frame *first = NULL;
    struct rp_job *const job = v->job;
    const struct rp_pipeline *const p = job->pipeline;
    const char *const path = p->replace_audio ? p->replace_audio : job->target;

    if (!p->plan.hears)
        return 0;
    RP_TRY(rp_hear(&v->speech, &(const struct rp_hearing){
        .runtime = job->runtime, .settings = job->settings, .device = p->device, .path = path,
        .sound = {.in_place = !p->replace_audio, .origin = rp_reader_info(v->reader)->origin,
                  .refuse = !rp_accepts_damage(job->settings), .until = heard_until(v)},
        .damage = v->damage, .damage_size = sizeof(v->damage),
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

/* What this job's frames are told; plans outlive jobs. */
static void set_speech(const struct video *v, struct rp_pipeline *pipeline)
{
    const double fps = frame_rate(rp_reader_info(v->reader));
    const struct rp_output_options *const o = rp_settings_get(v->job->settings, &rp_output_group);

    pipeline->plan.speech = v->speech;
    pipeline->plan.fps = o->video_fps > 0 ? RP_MIN(fps, o->video_fps) : fps;
}

static void unset_speech(struct rp_pipeline *pipeline)
{
    pipeline->plan.speech = NULL;
    pipeline->plan.fps = 0;
}

/* Ends the job before anything is opened if frames would become too large. */
static int check_size(const struct video *v)
{
    int w, h;
    const struct rp_video_info *const info = rp_reader_info(v->reader);

    RP_CHECK(rp_plan_size(&v->job->pipeline->plan, info->w, info->h, &w, &h));
    rp_job_tell_size(v->job, v->job->still ? "output-image-scale" : "output-video-scale", info->w,
                     w);
    return 0;
}

/* A side of what is put out. */
static int out_side(const struct video *v, int side)
{
    const struct rp_output_options *const o = rp_settings_get(v->job->settings, &rp_output_group);

    return rp_scaled_side(side, v->job->still ? o->image_scale : o->video_scale);
}

static struct rp_writer_params writer_params(const struct video *v, struct rp_mark *mark)
{
    static const char *const presets[] = {"ultrafast", "superfast", "veryfast", "faster",  "fast",
                                          "medium",    "slow",      "slower",   "veryslow"};
    const struct rp_job *const job = v->job;
    const struct rp_output_options *const o = rp_settings_get(job->settings, &rp_output_group);
    const struct rp_video_info *const info = rp_reader_info(v->reader);

    rp_pipeline_mark(job->pipeline, mark);
    return (struct rp_writer_params){
        .video_encoder = o->video_encoder < 0 ? NULL : rp_video_encoders()[o->video_encoder],
        .video_preset = presets[o->video_preset],
        .video_quality = o->video_quality,
        .audio_encoder = o->audio_encoder < 0 ? NULL : rp_audio_encoders()[o->audio_encoder],
        .audio_quality = o->audio_quality,
        .audio_volume = o->audio_volume,
        .out_w = out_side(v, info->w),
        .out_h = out_side(v, info->h),
        .fps = o->video_fps,
        .replace_audio = job->pipeline->replace_audio,
        .alpha = job->pipeline->plan.alpha,
        .refuse = !rp_accepts_damage(job->settings),
        .note = rp_accepts_damage(job->settings),
        .name = job->output,
        .mark = mark,
    };
}

static int open_writer(struct video *v, const char *temp)
{
    struct rp_mark mark;

    if (v->job->still)
        return 0; /* rp_job_still_write() does it */
    const struct rp_writer_params params = writer_params(v, &mark);
    return rp_writer_open(&v->writer, temp, v->job->target, v->reader, &params);
}

static struct rp_crew_params crew_params(struct video *v, struct rp_pipeline *pipeline)
{
    const struct rp_video_info *const info = rp_reader_info(v->reader);

    return (struct rp_crew_params){
        .out_w = out_side(v, info->w),
        .out_h = out_side(v, info->h),
        .ring = v->ring,
        .plan = &pipeline->plan,
        .programs = &pipeline->programs,
        .tracker = v->tracker,
        .slots = v->job->slots,
        .w = info->w,
        .h = info->h,
        .fmt = info->fmt,
        .colour = info->colour,
        .check = is_checked,
        .count = count_frame,
        .priv = v,
    };
}

static int gpu_count(const struct rp_job *job)
{
    const struct rp_execution_options *const o = rp_settings_get(job->settings,
                                                                 &rp_execution_group);

    return job->pipeline->device->fns->one_thread && !job->still
               ? RP_CLAMP(o->device_ids.n, 1, MAX_GPUS)
               : 1;
}

/* What the best number of slots depends on: the work on a frame, and the device. */
static int slots_key(struct video *v, const struct rp_program_params *kind, char *key, size_t size)
{
    char hash[RP_SHA256_HEX];
    struct rp_program *program;
    struct rp_pipeline *const p = v->job->pipeline;

    RP_CHECK(rp_programs_take(&p->programs, &p->plan, kind, &program));
    const int ret = rp_list_hash(rp_program_list(program, RP_PASS_WHOLE), hash);
    rp_programs_give(&p->programs, &program); /* the crew will take it */
    if (ret >= 0)
        snprintf(key, size, "slots of %s | %s %s | %d in lockstep | memory %lld | reprise %s", hash,
                 p->device->title, p->device->version, kind->frames,
                 (long long) p->plan.graph->memory, rp_version());
    return ret;
}

static int measure_slots(struct video *v)
{
    int ret;
    char key[1024];
    struct rp_job *const job = v->job;
    struct rp_media_frame *frame = NULL;

    RP_TRY(rp_reader_frame(job->target, v->first, &frame));
    struct rp_program_params kind = rp_program_params_for(frame);
    kind.frames = rp_plan_frames(&job->pipeline->plan);
    RP_TRY(slots_key(v, &kind, key, sizeof(key)));
    RP_TRY(rp_tune_slots(job->pipeline->cache, key, &job->pipeline->plan,
                         job->measures ? frame : NULL, &job->slots));

fail:
    rp_media_frame_free(&frame);
    return ret;
}

/* A slot's recording takes as long as about ten frames in one slot do: it must pay. */
static int worthwhile(const struct video *v, int slots)
{
    const int64_t launches = v->total / rp_plan_frames(&v->job->pipeline->plan);

    return v->total > 0 ? (int) RP_CLAMP(1 + launches / 100, 1, slots) : slots;
}

/* The ring of frames; with the tracker it also holds the frames that are analysed ahead. */
static int make_ring(struct video *v, int *places)
{
    const struct rp_plan *const plan = &v->job->pipeline->plan;
    struct rp_tracker_params tracker = tracker_params(v);

    *places = (2 * v->job->slots + 2) * gpu_count(v->job) * rp_plan_frames(plan);
    if (plan->split)
        *places += rp_tracker_ahead(&tracker);
    RP_CHECK(rp_ring_create(&v->ring, *places));
    if (plan->split) {
        tracker.flying = *places;
        RP_CHECK(rp_tracker_create(&v->tracker, &tracker));
        rp_ring_split(v->ring, rp_tracker_ahead(&tracker));
    }
    return 0;
}

/* All memory is allocated before the run, and its size logged. */
static int make_crew(struct video *v)
{
    int places;
    struct rp_job *const job = v->job;

    if (!job->slots) {
        RP_CHECK(measure_slots(v));
        job->slots = worthwhile(v, job->slots);
        rp_timeline_add("%d slots are chosen", job->slots);
    }
    RP_CHECK(make_ring(v, &places));
    const struct rp_crew_params params = crew_params(v, job->pipeline);
    RP_CHECK(rp_crew_create(&v->crew, &params));
    rp_log(job->pipeline->device->fns->one_thread ? RP_LOG_INFO : RP_LOG_DEBUG,
           "%d slot%s of %d frame%s with %.0f MiB on %s, %d frames of %dx%d in flight", job->slots,
           job->slots == 1 ? "" : "s", rp_plan_frames(&job->pipeline->plan),
           rp_plan_frames(&job->pipeline->plan) == 1 ? "" : "s",
           (double) rp_crew_bytes(v->crew) / 1048576, job->pipeline->device->title, places,
           params.w, params.h);
    return 0;
}

static void add_clocks(void *priv, const struct rp_slot *slot)
{
    struct video *const v = priv;

    pthread_mutex_lock(&v->lock);
    rp_job_add_clocks(v->job, slot);
    pthread_mutex_unlock(&v->lock);
}

static int help(void *priv)
{
    int ret;
    struct helper *const h = priv;
    struct video *const v = h->video;
    struct rp_crew *crew = NULL;
    struct rp_pipeline *pipeline = NULL;

    RP_TRY(
        rp_pipeline_open(&pipeline, v->job->runtime, v->job->settings,
                         &(const struct rp_pipeline_params){.use = RP_USE_PROCESS |
                                                                   (v->job->measures ? RP_USE_MEASURE : 0),
                                                            .threads = 1,
                                                            .gpu = h->gpu,
                                                            .shrink = v->job->pipeline->plan.shrink,
                                                            .opaque = v->job->pipeline->opaque}));
    rp_pipeline_share_reference(pipeline, v->job->pipeline);
    set_speech(v, pipeline);
    const struct rp_crew_params params = crew_params(v, pipeline);
    RP_TRY(rp_crew_create(&crew, &params));
    RP_TRY(rp_crew_start(crew));
    rp_crew_run(crew);
    rp_crew_each(crew, add_clocks, v);

fail:
    if (ret < 0)
        rp_ring_fail(v->ring, ret);
    if (ret < 0 && pipeline)
        pipeline->spoiled = true;
    rp_crew_destroy(&crew);
    if (pipeline)
        unset_speech(pipeline);
    rp_pipeline_destroy(&pipeline);
    return 0;
}

/* Starts a helper, which runs on the thread of its GPU as soon as that is free. */
static int start_helper(struct video *v, int gpu)
{
    struct helper *const h = &v->helper[gpu];

    h->video = v;
    h->gpu = gpu;
    h->task = (struct rp_task){.fn = help, .priv = h, .held = true};
    RP_CHECK(rp_pipeline_executor(v->job->runtime, v->job->settings, gpu, &h->executor));
    rp_executor_submit(h->executor, &h->task);
    return 0;
}

static int start_threads(struct video *v)
{
    if (pthread_create(&v->read_thread, NULL, read_frames, v))
        goto none;
    v->reading = true;
    if (pthread_create(&v->write_thread, NULL, write_thread, v))
        goto none;
    v->writing = true;
    for (int i = 1; i < gpu_count(v->job); i++)
        RP_CHECK(start_helper(v, i));
    return rp_crew_start(v->crew);

none:
    return rp_fail(RP_ERR_NOMEM, "no thread could be started");
}

static void fill_report(struct video *v)
{
    struct rp_report *const r = &v->job->report;

    r->own_seconds[RP_STAGE_DECODE] += v->read_seconds;
    r->own_seconds[RP_STAGE_ENCODE] += v->write_seconds;
    r->content_checked = v->checked;
    r->content_positive = v->positive;
    if (v->crew)
        rp_crew_each(v->crew, add_clocks, v);
    if (v->overflow)
        rp_log(RP_LOG_WARN, "some frames have more than %d faces; the best %d of each were used",
               RP_MAX_FACES, RP_MAX_FACES);
}

/* ---- the end --------------------------------------------------------------------------------- */

/* However far the video got, it ends in this order and no other:
 *
 *  1. After a failure the ring is closed first. That wakes every thread that waits for a place or a
 *     frame and would else wait for ever; threads that find the ring closed leave. Without a
 *     failure the ring ends when the reader has put the last frame.
 *  2. The first crew works in this thread until the ring has nothing more for it: on a GPU no other
 *     thread may do its work, and on the CPU its threads end here. After a failure it only gives
 *     back the frames it has.
 *  3. The other GPUs: each closes its own crew and pipeline on its thread, and adds its clocks to
 *     the report under the lock. A GPU that is still busy with another job is not waited for.
 *  4. The writer: it takes what all crews have done, so it ends after the last of them.
 *  5. The reader: it has reached the end, or the closed ring has stopped it.
 *
 * From then on there is one thread, and what the threads counted may be read without the lock. */
static void stop(struct video *v, int status)
{
    if (status < 0 && v->ring)
        rp_ring_fail(v->ring, status);
    if (v->crew)
        rp_crew_run(v->crew);
    for (int i = 0; i < MAX_GPUS; i++)
        if (v->helper[i].executor)
            rp_executor_withdraw(v->helper[i].executor, &v->helper[i].task);
    if (v->writing)
        pthread_join(v->write_thread, NULL);
    if (v->reading)
        pthread_join(v->read_thread, NULL);
}

/* After stop(), the report and rp_writer_finish(). The crew first: frames that its slots still hold
 * are freed by the ring. The writer before the reader, which owns the tags that the writer uses. */
static void close_all(struct video *v)
{
    rp_crew_destroy(&v->crew);
    rp_ring_destroy(&v->ring);
    rp_tracker_destroy(&v->tracker);
    rp_writer_close(&v->writer);
    rp_media_frame_free(&v->still);
    rp_reader_close(&v->reader);
    rp_surfaces_close(&v->surfaces); /* frames are gone */
    unset_speech(v->job->pipeline);
    rp_speech_free(&v->speech);
    pthread_mutex_destroy(&v->lock);
    free(v);
}

/* Several threads may fail, of one cause or because another one did: each holds its sentence back,
 * and the first failure's is shown. Those that are verdicts get theirs later. */
static int say_failure(const struct video *v)
{
    const int status = rp_ring_status(v->ring);

    if (status < 0 && status != RP_ERR_BLOCKED && status != RP_ERR_CANCELLED)
        rp_fail(status, "%s", rp_last_error());
    return status;
}

static int run_whole(struct video *v, const char *temp)
{
    int ret;

    RP_TRY(open_writer(v, temp));
    RP_TRY(make_crew(v));
    rp_log_hold(true);
    ret = start_threads(v);
    stop(v, ret);
    rp_log_hold(false);
    return ret < 0 || v->write_status < 0 ? say_failure(v) : 0;

fail:
    stop(v, ret);
    return ret;
}

/* ---- in pieces ------------------------------------------------------------------------------- */

/* Frames of the target before which the job ends, as far as anybody knows without decoding: not too
 * few. */
static int64_t last_frame(const struct video *v)
{
    struct rp_video_count count;
    const struct rp_range part = rp_frame_range(v->job->settings);

    if (rp_reader_count(v->reader, &count) < 0)
        count.frames = v->first + v->total;
    return part.ends ? RP_MIN(count.frames, part.end) : count.frames;
}

static const char *look_up(const char *name)
{
    return getenv(name);
}

/* Of a few pieces the encoders are not busy long enough to win anything (150 frames on 16 cores: 55
 * frames a second, with one encoder 81), and a run that is killed loses little. Who names a length
 * gets it. */
static bool is_too_short(const struct video *v, int64_t frames)
{
    return v->total < FEW_PIECES * frames &&
           !rp_settings_is_set(v->job->settings, "output-video-piece");
}

/* Is the video cut? A segment of it is a number of pieces, however short it is. */
static int open_pieces(struct video *v)
{
    struct rp_mark mark;
    struct rp_segment segment;
    struct rp_journal_head head;
    struct rp_job *const job = v->job;
    const struct rp_output_options *const o = rp_settings_get(job->settings, &rp_output_group);
    const int64_t frames = rp_piece_frames(rp_reader_info(v->reader), o->video_piece);

    RP_CHECK(rp_segment_parse(&segment, o->segment, look_up));
    const bool must = segment.count || job->join;
    if (job->still || (!must && (is_too_short(v, frames) ||
                                 !rp_piece_several(frames, v->first, v->first + v->total))))
        return rp_job_pieces_leave(job->output);
    const struct rp_writer_params params = writer_params(v, &mark);
    RP_CHECK(rp_pieces_open(&v->pieces, job->output, job->target, v->reader, &params));
    if (must && (!v->pieces || !frames))
        return rp_fail(RP_ERR_USAGE,
                       "--segment: %s is not made in pieces: that takes libx264, "
                       "libx265 or libvpx-vp9, and --output-video-piece above 0",
                       job->output);
    if (!v->pieces)
        return rp_job_pieces_leave(job->output);
    RP_CHECK(rp_job_head(job, frames, &head));
    const int64_t end = RP_MAX(must ? last_frame(v) : v->first + v->total, v->first + 1);
    v->npieces = (end - 1) / frames - v->first / frames + 1;
    const int ret = rp_job_pieces_open(&v->cut, job->output, &head, &segment, v->npieces,
                                       job->join   ? RP_RESUME_JOIN
                                       : o->resume ? RP_RESUME_OR_FAIL
                                                   : RP_RESUME_IF_SAME);
    if (ret >= 0 && segment.count)
        return rp_job_options_write(job, v->cut.folder.path, v->cut.id);
    return ret;
}

/* The time of a frame at the target's constant rate, as a reader computes it. */
static double nominal_time(const struct rp_video_info *info, int64_t frame)
{
    const double ticks = rint((double) frame * info->fps_den * info->tb_den /
                              ((double) info->fps_num * info->tb_num));

    return ticks * ((double) info->tb_num / info->tb_den);
}

/* The sampler before a piece. Where another process makes the piece before, it is what it would be
 * at a constant rate; whether it is that shows when the pieces are joined. */
static void sampler_before(const struct video *v, int64_t number, struct rp_content_sampler *out)
{
    const int64_t first = number * v->cut.head.piece;
    const struct rp_video_info *const info = rp_reader_info(v->reader);
    const struct rp_journal_piece *const before = rp_job_pieces_find(&v->cut, number - 1);

    rp_content_sample_begin(out, v->total);
    if (before)
        *out = before->after;
    for (int64_t i = v->first; !before && i < first; i++)
        rp_content_sample(out, nominal_time(info, i), nominal_time(info, i + 1));
}

/* Its own reader, unless it is all of the job. One frame more than the stretch has is read, whose
 * time the last one needs. */
static int open_part(struct video *v, const struct rp_stretch *s)
{
    const struct rp_tracker_params tracker = tracker_params(v);
    const struct rp_range range = rp_frame_range(v->job->settings);
    const bool split = v->job->pipeline->plan.split;

    v->end = s->open ? 0 : s->end * v->cut.head.piece;
    if (range.ends && v->end >= range.end)
        v->end = 0;
    v->after = RP_PIECE_LAST;
    v->ending = false;
    v->whole = s->first == v->first / v->cut.head.piece && !v->end;
    if (v->whole)
        return 0;
    return rp_reader_open(
        &v->part, v->job->target,
        &(struct rp_reader_params){
            .start = RP_MAX(s->first * v->cut.head.piece, v->first),
            .end = v->end ? v->end : range.end,
            .around = RP_MAX(split ? rp_tracker_ahead(&tracker) : 0, v->end ? 1 : 0),
            .rgb = writes_rgb(v),
            .refuse = !rp_accepts_damage(v->job->settings),
            .memory = rp_port_memory(v->job->pipeline->plan.device),
        .gpu = v->surfaces ? &v->surfaces->decoder : NULL});
}

static int open_cutter(struct video *v)
{
    int64_t waiting;
    const struct rp_video_info *const info = rp_reader_info(v->reader);
    const int64_t w = RP_MAX(info->w, out_side(v, info->w)),
                  h = RP_MAX(info->h, out_side(v, info->h));
    const int n = rp_cutter_encoders(rp_cpu_count(), v->cut.head.piece, w * h * 3,
                                     (int64_t) rp_memory_total(), &waiting);

    rp_log(RP_LOG_DEBUG,
           "the video is encoded in pieces of %lld frames, %d at the same time, with at most %.0f "
           "MiB of frames that wait",
           (long long) v->cut.head.piece, n, (double) waiting / 1048576);
    return rp_cutter_create(&v->cutter,
                            &(const struct rp_cutter_params){.pieces = v->pieces,
                                                             .frames = v->cut.head.piece,
                                                             .origin = v->origin,
                                                             .encoders = n,
                                                             .waiting = waiting,
                                                             .name = piece_name,
                                                             .done = piece_done,
                                                             .priv = v});
}

/* All that belongs to the frames of one stretch. */
static void close_stretch(struct video *v)
{
    if (v->crew)
        rp_crew_each(v->crew, add_clocks, v);
    rp_crew_destroy(&v->crew);
    rp_cutter_destroy(&v->cutter);
    rp_ring_destroy(&v->ring);
    rp_tracker_destroy(&v->tracker);
    rp_reader_close(&v->part);
    memset(v->helper, 0, sizeof(v->helper));
    v->reading = v->writing = false;
}

static int run_stretch(struct video *v, const struct rp_stretch *s)
{
    int ret;
    struct rp_piece_sums sums;

    RP_TRY(open_part(v, s));
    sampler_before(v, s->first, &v->sampler);
    rp_job_pieces_begin(&v->cut, &v->sampler);
    rp_job_pieces_sum(&v->cut, s->first, &sums);
    v->checked = sums.checked;
    v->positive = sums.positive;
    RP_TRY(open_cutter(v));
    RP_TRY(make_crew(v));
    rp_log_hold(true);
    ret = start_threads(v);
    stop(v, ret);
    rp_log_hold(false);
    ret = ret < 0 || v->write_status < 0 ? say_failure(v) : 0;
    close_stretch(v);
    return ret;

fail:
    stop(v, ret);
    close_stretch(v);
    return ret;
}

static int find_origin(struct video *v)
{
    struct rp_media_frame *frame;

    RP_CHECK(rp_reader_frame(v->job->target, v->first, &frame));
    v->origin = frame->pts;
    rp_media_frame_free(&frame);
    return 0;
}

static int run_pieces(struct video *v)
{
    struct rp_stretch s;
    struct rp_piece_sums sums;
    const struct rp_journal_piece *last;
    int64_t from = 0;

    rp_job_pieces_sum(&v->cut, INT64_MAX, &sums);
    v->job->report.progress.frames_done = sums.frames;
    if (v->cut.segment.count) {
        const int64_t all = v->first / v->cut.head.piece + v->npieces;
        const int64_t mine = RP_MIN(v->cut.to, all) - v->cut.from;
        v->job->report.progress.frames_total = RP_MIN(v->total, mine * v->cut.head.piece);
    }
    v->faces = sums.faces;
    v->changed = sums.changed;
    RP_CHECK(find_origin(v));
    while (!v->job->join && !atomic_load(&v->job->cancelled) &&
           rp_job_pieces_next(&v->cut, from, &s)) {
        RP_CHECK(run_stretch(v, &s));
        if (s.open)
            break;
        from = s.end;
    }
    rp_job_pieces_sum(&v->cut, INT64_MAX, &sums);
    v->checked = sums.checked;
    v->positive = sums.positive;
    v->overflow |= sums.overflow;
    v->job->report.progress.faces_found = sums.faces;
    v->job->report.progress.faces_changed = sums.changed;
    if (atomic_load(&v->job->cancelled) || v->cut.segment.count)
        return 0;
    if (!rp_job_pieces_complete(&v->cut, &last))
        return sums.pieces ? rp_job_pieces_fail_missing(&v->cut, v->job->output, v->npieces) : 0;
    v->sampler = last->after;
    return 0;
}

static int run(struct video *v, const char *temp)
{
    RP_CHECK(open_reader(v));
    RP_CHECK(check_size(v));
    RP_CHECK(set_reference(v));
    RP_CHECK(hear(v));
    set_speech(v, v->job->pipeline);
    RP_CHECK(open_pieces(v));
    return v->pieces ? run_pieces(v) : run_whole(v, temp);
}

/* ---- frames that are examined afterwards ----------------------------------------------------- */

static int check_late(struct video *v, const struct rp_media_frame *frame)
{
    bool positive;
    struct rp_program *program;
    struct rp_pipeline *const p = v->job->pipeline;

    RP_CHECK(rp_programs_take_for(&p->programs, &p->plan, frame, &program));
    const int ret = rp_program_check(program, frame, &positive);
    rp_programs_give(&p->programs, &program);
    if (ret >= 0) {
        v->checked++;
        v->positive += positive;
    }
    return ret;
}

/* The file has more frames than it claims, or fewer: it is read once more. */
static int check_missing(struct video *v)
{
    int ret = 0;
    struct rp_reader *reader = NULL;
    struct rp_media_frame *frame = NULL;
    const struct rp_range part = rp_frame_range(v->job->settings);
    const struct rp_reader_params range = {.start = part.start, .end = v->ends ? part.end : 0,
                                           .rgb = writes_rgb(v)};

    if (!rp_content_is_late(&v->sampler, -1))
        return 0;
    RP_TRY(rp_reader_open(&reader, v->job->target, &range));
    for (int64_t i = 0; i < v->sampler.seen; i++) {
        if (atomic_load(&v->job->cancelled))
            break;
        RP_TRY(rp_reader_next(reader, &frame));
        if (!frame)
            break;
        if (rp_content_is_late(&v->sampler, i))
            RP_TRY(check_late(v, frame));
        rp_media_frame_free(&frame);
    }

fail:
    rp_media_frame_free(&frame);
    rp_reader_close(&reader);
    return ret;
}

/* The first piece whose frames were chosen for the content check as nobody would who saw all
 * frames: another process, which made it, could not know the times of those before. -1: none. */
static int64_t first_guessed(const struct video *v)
{
    struct rp_content_sampler s;

    rp_content_sample_begin(&s, v->total);
    for (int i = 0; i < v->cut.done.n; i++) {
        const struct rp_journal_piece *const p = &v->cut.done.piece[i];

        if (p->before != rp_journal_state(&s))
            return p->number;
        s = p->after;
    }
    return -1;
}

/* Read the whole part again, without working on it: frames of piece `from` on are examined as if
 * there had been one process, and what is lost is counted. */
static int read_again(struct video *v, int64_t from)
{
    int ret;
    struct rp_piece_sums sums;
    struct rp_reader *reader = NULL;
    struct rp_media_frame *frame = NULL, *next = NULL;
    const struct rp_range part = rp_frame_range(v->job->settings);
    const struct rp_reader_params range = {
        .start = part.start, .end = v->ends ? part.end : 0, .rgb = writes_rgb(v)};

    if (from >= 0) {
        rp_job_pieces_sum(&v->cut, from, &sums);
        sampler_before(v, from, &v->sampler);
        v->checked = sums.checked;
        v->positive = sums.positive;
    }
    RP_TRY(rp_reader_open(&reader, v->job->target, &range));
    RP_TRY(rp_reader_next(reader, &frame));
    while (frame && !atomic_load(&v->job->cancelled)) {
        RP_TRY(rp_reader_next(reader, &next));
        if (from >= 0 && frame->index >= from * v->cut.head.piece &&
            rp_content_sample(&v->sampler, frame->time, next ? next->time : INFINITY))
            RP_TRY(check_late(v, frame));
        rp_media_frame_free(&frame);
        frame = next;
        next = NULL;
    }
    rp_reader_damage(reader, v->lost, sizeof(v->lost));
    ret = 0;

fail:
    rp_media_frame_free(&frame);
    rp_media_frame_free(&next);
    rp_reader_close(&reader);
    return ret;
}

static int check_pieces(struct video *v)
{
    struct rp_piece_sums sums;
    const int64_t guessed = first_guessed(v);

    rp_job_pieces_sum(&v->cut, INT64_MAX, &sums);
    if (guessed >= 0)
        rp_log(RP_LOG_INFO,
               "%s: its frames come at an uneven rate; the content check looks at some "
               "again",
               v->job->target);
    return guessed >= 0 || (sums.damaged && !v->whole) ? read_again(v, guessed) : 0;
}

/* What is lost of the input, for the mark; the writer adds what is lost of the tracks. */
static void note_damage(struct video *v)
{
    char text[320];

    if (!rp_accepts_damage(v->job->settings))
        return;
    if (v->pieces && !v->whole)
        snprintf(text, sizeof(text), "%s", v->lost);
    else
        rp_reader_damage(v->reader, text, sizeof(text));
    rp_writer_note(v->writer, text);
    rp_writer_note(v->writer, v->damage);
}

static int write_still(struct video *v, struct rp_partial *out)
{
    char text[320];
    struct rp_mark mark;
    const struct rp_video_info *const info = rp_reader_info(v->reader);

    rp_pipeline_mark(v->job->pipeline, &mark);
    if (info->hdr)
        rp_log(RP_LOG_WARN, "%s: HDR is taken as if it were not; the colours may look pale",
               v->job->target);
    if (rp_accepts_damage(v->job->settings) &&
        rp_reader_damage(v->reader, text, sizeof(text))) {
        rp_log(RP_LOG_WARN, "%s is damaged, %s", v->job->target, text);
        rp_mark_add_damage(&mark, text);
    }
    return rp_job_still_write(v->job, out, v->still, out_side(v, info->w), out_side(v, info->h),
                              &mark);
}

static int add_pieces(struct video *v, const char *temp)
{
    RP_CHECK(open_writer(v, temp));
    for (int i = 0; i < v->cut.done.n; i++) {
        char *const path = piece_name(v, v->cut.done.piece[i].number);
        const int ret =
            path ? rp_writer_piece(v->writer, path) : rp_fail(RP_ERR_NOMEM, "out of memory");

        free(path);
        if (ret < 0 || v->cut.done.piece[i].last)
            return ret;
    }
    return 0;
}

static int finish(struct video *v, struct rp_partial *out)
{
    int ret;
    const double start = rp_now();

    if (v->job->still) {
        ret = write_still(v, out);
    } else if ((ret = v->pieces ? add_pieces(v, out->temp) : 0) >= 0) {
        note_damage(v);
        ret = rp_writer_finish(v->writer);
    }
    v->job->report.own_seconds[RP_STAGE_ENCODE] += rp_now() - start;
    return ret;
}

static int refuse(const struct video *v)
{
    const struct rp_job *const job = v->job;
    const char *const advice = rp_content_advice(job->pipeline->plan.content);

    if (job->still)
        return rp_fail(RP_ERR_BLOCKED, "%s: the content check refuses frame %lld%s", job->target,
                       (long long) v->first, advice);
    return rp_fail(RP_ERR_BLOCKED,
                   "%s: the content check refuses this video (%lld of %lld checked frames)%s",
                   job->target, (long long) v->positive, (long long) v->checked, advice);
}

static int fail_cancelled(const struct video *v)
{
    if (v->pieces && v->cut.done.n)
        return rp_fail(RP_ERR_CANCELLED,
                       "interrupted; the same command goes on after %d of %lld "
                       "pieces, and 'reprise clean' removes them",
                       v->cut.done.n, (long long) v->npieces);
    return rp_fail(RP_ERR_CANCELLED, "interrupted; nothing was written");
}

/* What is done is kept for the next run if that may come farther, and for other segments. */
static void close_pieces(struct video *v, int ret)
{
    const int code = rp_exit_code(ret);
    const bool segments = v->cut.segment.count > 0 || v->job->join;

    if (v->pieces)
        rp_job_pieces_close(&v->cut, ret >= 0 ? !v->cut.segment.count
                                              : !segments && (code == 1 || code == 3));
    rp_pieces_close(&v->pieces);
}

static int fail_empty(const struct video *v)
{
    return v->job->still ? rp_job_still_missing(v->job, v->reader)
                         : rp_fail(RP_ERR_USAGE, "--trim-frame-start: the video has no frame %lld",
                                   (long long) v->first);
}

int rp_job_run_video(struct rp_job *job, struct rp_partial *out)
{
    int ret;
    struct video *const v = calloc(1, sizeof(*v));

    if (!v)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    v->job = job;
    job->slots = RP_MIN(job->slots, RP_MAX_SLOTS);
    pthread_mutex_init(&v->lock, NULL);
    ret = run(v, out->temp);
    const bool share = v->pieces && v->cut.segment.count;
    if (ret >= 0 && v->pieces && !share && !atomic_load(&job->cancelled))
        ret = check_pieces(v);
    if (ret >= 0 && !share)
        ret = check_missing(v);
    fill_report(v);
    if (ret == RP_ERR_BLOCKED || (ret >= 0 && !share && rp_content_blocks(v->checked, v->positive)))
        ret = refuse(v);
    else if (ret == RP_ERR_CANCELLED || (ret >= 0 && atomic_load(&job->cancelled)))
        ret = fail_cancelled(v);
    else if (ret >= 0 && !share && job->report.progress.frames_done == 0)
        ret = fail_empty(v);
    if (ret >= 0 && !share)
        ret = finish(v, out);
    if (ret >= 0)
        ret = share                            ? 0
              : atomic_load(&job->cancelled) ? fail_cancelled(v)
                                             : rp_partial_commit(out);
    close_pieces(v, ret);
    close_all(v);
    return ret;
}
