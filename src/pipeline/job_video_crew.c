/* Who works on the frames of a video: the first crew, and that of each further GPU. */
#include "pipeline/job_video.h"

#include "base/timeline.h"
#include "engine/show.h"
#include "pipeline/tune.h"

#define LOCKSTEP_ROOM \
    ((size_t) 6 << 30) /* bytes that are free on a GPU where frames go in lockstep */

static bool is_checked(void *priv, const struct rp_media_frame *frame)
{
    (void) priv;
    return frame->check;
}

static int count_frame(void *priv, struct rp_media_frame *frame,
                       const struct rp_frame_result *result)
{
    struct rp_job_video *const v = priv;

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

static struct rp_crew_params crew_params(struct rp_job_video *v, struct rp_pipeline *pipeline)
{
    const struct rp_video_info *const info = rp_reader_info(v->reader);

    return (struct rp_crew_params){
        .out_w = rp_job_video_side(v, info->w),
        .out_h = rp_job_video_side(v, info->h),
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

/* What the best launches depend on: the work on a frame, and the device. */
static int launches_key(struct rp_job_video *v, const struct rp_program_params *kind, bool lockstep,
                        char *key, size_t size)
{
    char hash[RP_SHA256_HEX];
    struct rp_program *program;
    struct rp_pipeline *const p = v->job->pipeline;

    RP_CHECK(rp_programs_take(&p->programs, &p->plan, kind, &program));
    const int ret = rp_list_hash(rp_program_list(program, RP_PASS_WHOLE), hash);
    rp_programs_give(&p->programs, &program); /* the crew will take it */
    if (ret >= 0)
        snprintf(key, size, "launches of %s | %s %s | %s%d in lockstep | memory %lld | reprise %s",
                 hash, p->device->title, p->device->version, lockstep ? "from " : "", kind->frames,
                 (long long) p->plan.graph->memory, rp_version());
    return ret;
}

static int measure(struct rp_job_video *v, bool lockstep, struct rp_launches *out)
{
    int ret;
    char key[1024];
    struct rp_job *const job = v->job;
    struct rp_media_frame *frame = NULL;

    RP_TRY(rp_reader_frame(job->target, v->first, &frame));
    struct rp_program_params kind = rp_program_params_for(frame);
    kind.frames = out->frames = rp_plan_frames(&job->pipeline->plan);
    RP_TRY(launches_key(v, &kind, lockstep, key, sizeof(key)));
    RP_TRY(rp_tune_launches(job->pipeline->cache, key, &job->pipeline->plan,
                            job->measures & RP_USE_MEASURE ? frame : NULL, lockstep, out));

fail:
    rp_media_frame_free(&frame);
    return ret;
}

/* A slot's recording takes as long as about ten frames in one slot do: it must pay. */
static int worthwhile(const struct rp_job_video *v, int slots)
{
    const int64_t launches = v->total / rp_plan_frames(&v->job->pipeline->plan);

    return v->total > 0 ? (int) RP_CLAMP(1 + launches / 100, 1, slots) : slots;
}

/* Is what is measured there for the next run of this job? */
static bool is_kept(struct rp_cache *cache)
{
    char *const folder = cache ? rp_cache_folder(cache, "launches") : NULL;

    free(folder);
    return folder != NULL;
}

/* Rows of networks of our own have the bytes of single ones: frames go in lockstep, without
 * measuring, if the video is long enough to win back what recording them takes, and the GPU has the
 * memory. */
static bool takes_lockstep(const struct rp_job *job)
{
    size_t room = 0, total = 0;
    const struct rp_pipeline *const p = job->pipeline;

    return job->measures && rp_plan_frames_are_open(&p->plan) && rp_pool_is_native(p->pool) &&
           p->device->fns->memory(p->device, &room, &total) >= 0 && room >= LOCKSTEP_ROOM;
}

/* Frames in lockstep may have other last bits than single ones. So their number is not measured for
 * a segment, whose neighbours other machines make, and not where a run that goes on with the job
 * would choose again. */
int rp_job_video_choose(struct rp_job_video *v)
{
    struct rp_launches way = {1, 1};
    struct rp_job *const job = v->job;
    const struct rp_output_options *const o = rp_settings_get(job->settings, &rp_output_group);
    const bool lockstep = (job->measures & RP_USE_MEASURE) &&
                          rp_plan_frames_are_open(&job->pipeline->plan) &&
                          is_kept(job->pipeline->cache) && !(o->segment && *o->segment);

    if (job->slots || job->facts || job->join)
        return 0;
    job->pipeline->plan.frames = !lockstep && takes_lockstep(job) ? RP_SOME_FRAMES : 0;
    RP_CHECK(measure(v, lockstep, &way));
    if (lockstep)
        job->pipeline->plan.frames = way.frames;
    job->slots = worthwhile(v, way.slots);
    rp_timeline_add("%d slots of %d frames are chosen", job->slots,
                    rp_plan_frames(&job->pipeline->plan));
    return 0;
}

/* The ring of frames; with the tracker it also holds the frames that are analysed ahead. */
static int make_ring(struct rp_job_video *v, int *places)
{
    const struct rp_plan *const plan = &v->job->pipeline->plan;
    struct rp_tracker_params tracker = rp_job_video_tracker(v);

    *places = (2 * v->job->slots + 2) * rp_job_video_gpus(v->job) * rp_plan_frames(plan);
    if (plan->split)
        *places += rp_tracker_ahead(&tracker);
    RP_CHECK(rp_ring_create(&v->ring, *places));
    if (v->pieces)
        rp_ring_cut(v->ring, v->cut.head.piece);
    if (plan->split) {
        tracker.flying = *places;
        RP_CHECK(rp_tracker_create(&v->tracker, &tracker));
        rp_ring_split(v->ring, rp_tracker_ahead(&tracker));
    }
    return 0;
}

/* All memory is allocated before the run, and its size logged. */
int rp_job_video_make_crew(struct rp_job_video *v)
{
    int places;
    struct rp_job *const job = v->job;

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

void rp_job_video_add_clocks(void *priv, const struct rp_slot *slot)
{
    struct rp_job_video *const v = priv;

    pthread_mutex_lock(&v->lock);
    rp_job_add_clocks(v->job, slot);
    pthread_mutex_unlock(&v->lock);
}

static int help(void *priv)
{
    int ret;
    struct rp_helper *const h = priv;
    struct rp_job_video *const v = h->video;
    struct rp_crew *crew = NULL;
    struct rp_pipeline *pipeline = NULL;

    RP_TRY(rp_pipeline_open(
        &pipeline, v->job->runtime, v->job->settings,
        &(const struct rp_pipeline_params){.use = RP_USE_PROCESS | v->job->measures,
                                           .threads = 1,
                                           .gpu = h->gpu,
                                           .shrink = v->job->pipeline->plan.shrink,
                                           .opaque = v->job->pipeline->opaque}));
    rp_pipeline_share_reference(pipeline, v->job->pipeline);
    rp_job_video_set_speech(v, pipeline);
    pipeline->plan.frames = v->job->pipeline->plan.frames;
    const struct rp_crew_params params = crew_params(v, pipeline);
    RP_TRY(rp_crew_create(&crew, &params));
    RP_TRY(rp_crew_start(crew));
    rp_crew_run(crew);
    rp_crew_each(crew, rp_job_video_add_clocks, v);

fail:
    if (ret < 0)
        rp_ring_fail(v->ring, ret);
    if (ret < 0 && pipeline)
        pipeline->spoiled = true;
    rp_crew_destroy(&crew);
    if (pipeline)
        rp_job_video_unset_speech(pipeline);
    rp_pipeline_destroy(&pipeline);
    return 0;
}

/* Starts a helper, which runs on the thread of its GPU as soon as that is free. */
int rp_job_video_start_helper(struct rp_job_video *v, int gpu)
{
    struct rp_helper *const h = &v->helper[gpu];

    h->video = v;
    h->gpu = gpu;
    h->task = (struct rp_task){.fn = help, .priv = h, .held = true};
    RP_CHECK(rp_pipeline_executor(v->job->runtime, v->job->settings, gpu, &h->executor));
    rp_executor_submit(h->executor, &h->task);
    return 0;
}
