/* A video to a video: a reading thread, a writing thread, and a crew for each device. The job's
 * thread runs the first crew; the crew of each further GPU runs on that GPU's own thread. This file
 * says what comes after what, and how it ends. */
#include "pipeline/job_video.h"

#include "base/timeline.h"

static void fill_report(struct rp_job_video *v)
{
    struct rp_report *const r = &v->job->report;

    r->own_seconds[RP_STAGE_DECODE] += v->read_seconds;
    r->own_seconds[RP_STAGE_ENCODE] += v->write_seconds;
    r->content_checked = v->checked;
    r->content_positive = v->positive;
    if (v->crew)
        rp_crew_each(v->crew, rp_job_video_add_clocks, v);
    if (v->overflow)
        rp_log(RP_LOG_WARN, "some frames have more than %d faces; the best %d of each were used",
               RP_MAX_FACES, RP_MAX_FACES);
}

/* After the last frame, the report and rp_writer_finish(). The crew first: frames that its slots
 * still hold are freed by the ring. The writer before the reader, which owns the tags that the
 * writer uses. */
static void close_all(struct rp_job_video *v)
{
    rp_crew_destroy(&v->crew);
    rp_ring_destroy(&v->ring);
    rp_tracker_destroy(&v->tracker);
    rp_writer_close(&v->writer);
    rp_media_frame_free(&v->still);
    rp_reader_close(&v->reader);
    rp_surfaces_close(&v->surfaces); /* frames are gone */
    rp_job_video_unset_speech(v->job->pipeline);
    rp_speech_free(&v->speech);
    pthread_mutex_destroy(&v->lock);
    free(v);
}

static int run_whole(struct rp_job_video *v, const char *temp)
{
    RP_CHECK(rp_job_video_open_writer(v, temp));
    RP_CHECK(rp_job_video_make_crew(v));
    return rp_job_video_flow(v);
}

static int run(struct rp_job_video *v, const char *temp)
{
    RP_CHECK(rp_job_video_open(v));
    RP_CHECK(rp_job_video_choose(v));
    RP_CHECK(rp_job_video_open_pieces(v));
    return v->pieces ? rp_job_video_run_pieces(v) : run_whole(v, temp);
}

/* What is lost of the input, for the mark; the writer adds what is lost of the tracks. */
static void note_damage(struct rp_job_video *v)
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

static int write_still(struct rp_job_video *v, struct rp_partial *out)
{
    char text[320];
    struct rp_mark mark;
    const struct rp_video_info *const info = rp_reader_info(v->reader);

    rp_pipeline_mark(v->job->pipeline, &mark);
    if (info->hdr)
        rp_log(RP_LOG_WARN, "%s: HDR is taken as if it were not; the colours may look pale",
               v->job->target);
    if (rp_accepts_damage(v->job->settings) && rp_reader_damage(v->reader, text, sizeof(text))) {
        rp_log(RP_LOG_WARN, "%s is damaged, %s", v->job->target, text);
        rp_mark_add_damage(&mark, text);
    }
    return rp_job_still_write(v->job, out, v->still, rp_job_video_side(v, info->w),
                              rp_job_video_side(v, info->h), &mark);
}

static int finish(struct rp_job_video *v, struct rp_partial *out)
{
    int ret;
    const double start = rp_now();

    if (v->job->still) {
        ret = write_still(v, out);
    } else if ((ret = v->pieces ? rp_job_video_add_pieces(v, out->temp) : 0) >= 0) {
        if (v->pieces)
            rp_timeline_add("the pieces are joined");
        note_damage(v);
        ret = rp_writer_finish(v->writer);
        rp_timeline_add("the file is complete");
    }
    v->job->report.own_seconds[RP_STAGE_ENCODE] += rp_now() - start;
    return ret;
}

static int fail_empty(const struct rp_job_video *v)
{
    return v->job->still ? rp_job_still_missing(v->job, v->reader)
                         : rp_fail(RP_ERR_USAGE, "--trim-frame-start: the video has no frame %lld",
                                   (long long) v->first);
}

int rp_job_run_video(struct rp_job *job, struct rp_partial *out)
{
    int ret;
    struct rp_job_video *const v = calloc(1, sizeof(*v));

    if (!v)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    v->job = job;
    job->slots = RP_MIN(job->slots, RP_MAX_SLOTS);
    pthread_mutex_init(&v->lock, NULL);
    ret = run(v, out->temp);
    const bool share = v->pieces && v->cut.segment.count;
    if (ret >= 0 && v->pieces && !share && !atomic_load(&job->cancelled))
        ret = rp_job_video_check_pieces(v);
    if (ret >= 0 && !share)
        ret = rp_job_video_check_missing(v);
    fill_report(v);
    if (ret == RP_ERR_BLOCKED || (ret >= 0 && !share && rp_content_blocks(v->checked, v->positive)))
        ret = rp_job_video_refuse(v);
    else if (ret == RP_ERR_CANCELLED || (ret >= 0 && atomic_load(&job->cancelled)))
        ret = rp_job_video_fail_cancelled(v);
    else if (ret >= 0 && !share && job->report.progress.frames_done == 0)
        ret = fail_empty(v);
    if (ret >= 0 && !share)
        ret = finish(v, out);
    if (ret >= 0)
        ret = share                          ? 0
              : atomic_load(&job->cancelled) ? rp_job_video_fail_cancelled(v)
                                             : rp_partial_commit(out);
    rp_job_video_close_pieces(v, ret);
    close_all(v);
    return ret;
}
