#include "pipeline/job.h"

#include <errno.h>
#include <unistd.h>

#include "base/timeline.h"

/* ---- checks before anything is opened -------------------------------------------------------- */

static const char *const image_ext[] = {"jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", NULL};
static const char *const video_ext[] = {"mp4", "m4v", "mkv", "mov", "webm",
                                        "avi", "wmv", "gif", NULL};

/* Is a picture put out? */
static bool is_picture(const struct rp_job *job)
{
    return job->kind == RP_MEDIA_IMAGE || job->still;
}

static bool has_ext(const char *path, const char *const *list)
{
    const char *const ext = rp_path_ext(path);

    for (int i = 0; list[i]; i++)
        if (!strcasecmp(ext, list[i]))
            return true;
    return false;
}

struct overwritten {
    const char *output;
    const char *option; /* that names the same file, or NULL */
};

static void look_for_output(void *priv, const struct rp_opt_group *group, const struct rp_opt *opt,
                            const char *path)
{
    struct overwritten *const o = priv;

    (void) group;
    if (!o->option && rp_path_same(path, o->output))
        o->option = opt->name;
}

/* The output must be none of the files that the job reads, under whatever name. */
static int check_overwritten(const struct rp_job *job)
{
    struct overwritten o = {.output = job->output};
    const struct rp_path_options *const paths = rp_settings_get(job->settings, &rp_path_group);

    if (rp_path_same(job->target, job->output))
        return rp_fail(RP_ERR_USAGE, "--output-path: %s is the target itself; give another name",
                       job->output);
    rp_option_files(job->settings, look_for_output, &o);
    if (paths->config && rp_path_same(paths->config, job->output))
        o.option = "config-path";
    if (o.option)
        return rp_fail(RP_ERR_USAGE, "--output-path: %s is a file of --%s, which would be "
                       "overwritten; give another name", job->output, o.option);
    return 0;
}

static int check_output(struct rp_job *job)
{
    const bool image = is_picture(job);

    if (rp_path_is_dir(job->output))
        return rp_fail(RP_ERR_USAGE, "--output-path: %s is a folder; give a file name in it",
                       job->output);
    if (!has_ext(job->output, image ? image_ext : video_ext))
        return rp_fail(RP_ERR_USAGE, "--output-path: %s must end in %s", job->output,
                       job->still ? "jpg, png, webp, bmp or tiff, as --frame makes a picture"
                       : image    ? "jpg, png, webp, bmp or tiff, as the target is a picture"
                       : has_ext(job->output, image_ext)
                           ? "mp4, mkv, mov, webm, avi, wmv or gif, as the target is a video; or "
                             "give --frame N for a picture of one frame"
                           : "mp4, mkv, mov, webm, avi, wmv or gif, as the target is a video");
    return check_overwritten(job);
}

/* Before a network is opened, and by the option's name. */
static int check_there(const char *option, const char *path)
{
    return access(path, R_OK)
               ? rp_fail(rp_io_status(errno), "--%s: %s: %s", option, path, strerror(errno))
               : 0;
}

static int check_inputs(const struct rp_job *job)
{
    const struct rp_path_options *const o = rp_settings_get(job->settings, &rp_path_group);

    for (int i = 0; i < o->sources.n; i++)
        RP_CHECK(check_there("source-paths", o->sources.v[i]));
    return check_there("target-path", o->target);
}

static int check_paths(struct rp_job *job)
{
    int ret;
    const struct rp_path_options *const o = rp_settings_get(job->settings, &rp_path_group);

    if (!o->target || !*o->target)
        return rp_fail(RP_ERR_USAGE,
                       "--target-path is missing; give the picture or video to work on");
    if (!o->output || !*o->output)
        return rp_fail(RP_ERR_USAGE, "--output-path is missing; give the file to write");
    RP_CHECK(check_inputs(job));
    job->target = strdup(o->target);
    job->output = strdup(o->output);
    if (!job->target || !job->output)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    if ((ret = rp_media_probe(job->target, &job->kind)) < 0)
        return ret;
    if (job->kind != RP_MEDIA_IMAGE && job->kind != RP_MEDIA_VIDEO)
        return rp_fail(RP_ERR_FORMAT, "%s: neither a picture nor a video", job->target);
    job->still = rp_settings_is_set(job->settings, "frame");
    RP_CHECK(rp_job_still_check(job));
    return check_output(job);
}

/* A GPU named twice would get two crews that compete for its memory. */
static int check_devices(const struct rp_job *job)
{
    const struct rp_execution_options *const o = rp_settings_get(job->settings,
                                                                 &rp_execution_group);

    for (int i = 0; i < o->device_ids.n; i++)
        for (int k = 0; k < i; k++)
            if (o->device_ids.v[i] == o->device_ids.v[k])
                return rp_fail(RP_ERR_USAGE, "--execution-device-ids: %d is given twice; name each "
                               "GPU once", o->device_ids.v[i]);
    return 0;
}

static int choose_slots(const struct rp_job *job, int *slots)
{
    char *end;
    const struct rp_execution_options *const o = rp_settings_get(job->settings,
                                                                 &rp_execution_group);
    const struct rp_graph_options *const g = rp_settings_get(job->settings, &rp_graph_group);
    const bool gpu = o->providers.n && o->providers.v[0] != RP_PROVIDER_CPU;

    *slots = RP_CLAMP(rp_cpu_count(), 1, o->threads);
    if (gpu && strcmp(g->slots, "auto") != 0) {
        const long n = strtol(g->slots, &end, 10);

        if (*end || n < 1 || n > 64)
            return rp_fail(RP_ERR_USAGE, "--cuda-graph-slots: '%s' is neither auto nor 1 to 64",
                           g->slots);
        *slots = (int) n;
    } else if (gpu) {
        *slots = 0; /* measured once the frames are known */
    }
    if (is_picture(job))
        *slots = 1;
    return 0;
}

/* Processors work on a downscaled video in its smaller size, as in FaceFusion. */
static double shrink_of(const struct rp_job *job)
{
    const struct rp_output_options *const o = rp_settings_get(job->settings, &rp_output_group);

    const double scale = job->still ? o->image_scale : o->video_scale;

    return job->kind == RP_MEDIA_VIDEO && scale < 1 ? scale : 0;
}

static bool keeps_alpha(const struct rp_job *job)
{
    const struct rp_output_options *const o = rp_settings_get(job->settings, &rp_output_group);
    const char *const encoder = o->video_encoder < 0 ? NULL : rp_video_encoders()[o->video_encoder];

    return is_picture(job) ? rp_image_keeps_alpha(job->output)
                           : rp_video_keeps_alpha(job->output, encoder);
}

/* Measuring what suits a GPU best takes 36 s on an H200, once; it makes a frame up to 1.2 ms
 * faster, so that a short video never wins it back. Choosing the precision takes about a second for
 * each network, and halves its time. A video that does not say how long it is counts as long. The
 * reader is kept for the job. */
static unsigned what_pays(struct rp_job *job)
{
    int64_t frames = INT64_MAX;
    const struct rp_range part = rp_frame_range(job->settings);

    rp_log_hold(true); /* if it fails the job tries again, and says what is wrong with the file */
    if (rp_job_open_reader(job, &job->reader) >= 0) {
        const int64_t all = rp_reader_info(job->reader)->frames;

        if (all)
            frames = (part.ends ? RP_MIN(all, part.end) : all) - part.start;
    }
    rp_log_hold(false);
    return frames >= RP_LONG_VIDEO       ? RP_USE_MEASURE
           : frames >= RP_MIDDLING_VIDEO ? RP_USE_MEASURE_PRECISION
                                         : 0;
}

static int open_pipeline(void *priv)
{
    struct rp_job *const job = priv;

    job->measures = job->executor && !is_picture(job) ? what_pays(job) : 0;

    /* Several frames at once: each on its own thread. One picture: all cores in each network. */
    RP_CHECK(rp_pipeline_open(
        &job->pipeline, job->runtime, job->settings,
        &(const struct rp_pipeline_params){
            .use = RP_USE_PROCESS | job->measures,
            .threads = job->slots > 1 ? 1 : RP_MIN(rp_cpu_count(), 8),
            .shrink = shrink_of(job),
            .opaque = !keeps_alpha(job)}));
    if (job->pipeline->filled)
        rp_log(RP_LOG_WARN,
               "%s: it keeps no transparency, so the background gets the colour of "
               "--background-remover-fill-color; %s",
               job->output,
               is_picture(job)
                   ? "png, webp, tiff and bmp are transparent"
                   : "webm and mkv with libvpx-vp9, and mov with prores_ks, are transparent");
    return 0;
}

/* Frames that the content check has not seen yet may have to be examined: the processor will do,
 * whatever the segments were made on. */
static int open_for_join(struct rp_job *job, const char *file)
{
    struct rp_settings *settings;
    const struct rp_pipeline_params params = {.use = RP_USE_CHECK,
                                              .threads = RP_MIN(rp_cpu_count(), 8)};

    if (!(job->facts = malloc(sizeof(*job->facts))))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    RP_CHECK(rp_job_facts_read(file, job->facts));
    RP_CHECK(rp_settings_copy(&settings, job->settings));
    int ret = rp_settings_set_text(settings, "execution-providers", "cpu");
    if (ret >= 0)
        ret = rp_pipeline_open(&job->pipeline, job->runtime, settings, &params);
    rp_settings_destroy(&settings);
    if (ret >= 0)
        job->pipeline->plan.alpha = job->facts->alpha;
    return ret;
}

int rp_job_create(rp_job **out, rp_runtime *runtime, const rp_options *options)
{
    int ret;
    rp_job *const job = *out = calloc(1, sizeof(*job));

    if (!job)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    job->created = rp_now();
    job->runtime = runtime;
    job->settings = rp_options_settings(options);
    RP_TRY(check_paths(job));
    RP_TRY(check_devices(job));
    RP_TRY(choose_slots(job, &job->slots));
    if (rp_options_job_file(options)) {
        RP_TRY(open_for_join(job, rp_options_job_file(options)));
        return 0;
    }
    RP_TRY(rp_pipeline_executor(runtime, job->settings, 0, &job->executor));
    RP_TRY(rp_executor_run(job->executor, open_pipeline, job));
    return 0;

fail:
    rp_job_destroy(out);
    return ret;
}

void rp_job_destroy(rp_job **out)
{
    rp_job *const job = *out;

    if (!job)
        return;
    rp_reader_close(&job->reader);
    rp_pipeline_destroy(&job->pipeline);
    free(job->facts);
    free(job->target);
    free(job->output);
    free(job);
    *out = NULL;
}

/* ---- running --------------------------------------------------------------------------------- */

/* The job's moments, in seconds since the process began. */
static void tell_timeline(const struct rp_job *job)
{
    struct rp_moment moment[RP_MOMENTS];

    if (!rp_log_enabled(RP_LOG_DEBUG))
        return;
    const int n = rp_timeline_get(moment, RP_MOMENTS, job->created);
    for (int i = 0; i < n; i++)
        rp_log(RP_LOG_DEBUG, "%7.3f s  %s", moment[i].at - rp_process_start(), moment[i].what);
}

static int commit_image(struct rp_job *job, struct rp_partial *out)
{
    if (atomic_load(&job->cancelled))
        return rp_fail(RP_ERR_CANCELLED, "interrupted; nothing was written");
    return rp_partial_commit(out);
}

static int run(void *priv)
{
    int ret;
    struct rp_partial out = {0};
    struct rp_job *const job = priv;

    job->started = job->window_start = rp_now();
    RP_TRY(rp_partial_begin(&out, job->output));
    if (job->kind == RP_MEDIA_IMAGE)
        RP_TRY(rp_job_run_image(job, &out));
    else
        RP_TRY(rp_job_run_video(job, &out));
    if (job->kind == RP_MEDIA_IMAGE)
        RP_TRY(commit_image(job, &out));
    rp_job_tell(job, true);
    rp_timeline_add(RP_MOMENT_END);
    tell_timeline(job);
    rp_log(RP_LOG_DEBUG, "processing to %s succeeded in %.2f seconds",
           is_picture(job) ? "image" : "video", job->report.progress.seconds);

fail:
    job->pipeline->spoiled |= ret < 0 && ret != RP_ERR_BLOCKED;
    rp_partial_abort(&out);
    return ret;
}

int rp_job_run(rp_job *job, rp_progress_fn *fn, void *priv)
{
    if (job->facts && !job->join)
        return rp_fail(RP_ERR_USAGE,
                       "%s: its options are those of segments, which can only be joined",
                       job->output);
    job->progress_fn = fn;
    job->progress_priv = priv;
    return rp_executor_run(job->executor, run, job);
}

int rp_job_join(rp_job *job, rp_progress_fn *fn, void *priv)
{
    if (job->kind != RP_MEDIA_VIDEO || job->still)
        return rp_fail(RP_ERR_USAGE, "%s: only videos are joined", job->output);
    job->join = true;
    return rp_job_run(job, fn, priv);
}

void rp_job_cancel(rp_job *job)
{
    atomic_store(&job->cancelled, 1);
}
