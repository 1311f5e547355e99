/* The threads of a video and the way of its frames: reader, ring, crews, writer. */
#include "pipeline/job_video.h"

#include <math.h>

#include "base/timeline.h"
#include "media/piece.h"

/* A frame leaves when the next one is known: whether the content check sees it depends on that. */
static int pass_on(struct rp_job_video *v, struct rp_media_frame **frame,
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

static struct rp_reader *reader_of(const struct rp_job_video *v)
{
    return v->part ? v->part : v->reader;
}

/* The reading thread's: is anything lost that a piece must remember? */
static void note_lost(struct rp_job_video *v)
{
    char text[320];

    if (v->pieces && rp_accepts_damage(v->job->settings) &&
        rp_reader_damage(reader_of(v), text, sizeof(text)))
        atomic_store(&v->cut.damaged, true);
}

static void *read_frames(void *priv)
{
    int ret = 0;
    struct rp_job_video *const v = priv;
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

/* A still is kept until the job cannot fail any more. */
static int put_out(struct rp_job_video *v, struct rp_media_frame **frame)
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

/* There are no more frames. */
static int end_stretch(struct rp_job_video *v)
{
    v->ending = true;
    return v->cutter ? rp_cutter_finish(v->cutter, v->after) : 0;
}

/* Writes the frames in order. */
static int write_frames(struct rp_job_video *v)
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
        if ((ret = rp_job_video_verdict(v, frame)) >= 0)
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
    struct rp_job_video *const v = priv;

    rp_log_hold(true);
    v->write_status = write_frames(v);
    rp_timeline_add("the last frame is done");
    if (v->write_status < 0)
        rp_ring_fail(v->ring, v->write_status);
    return NULL;
}

static int start_threads(struct rp_job_video *v)
{
    if (pthread_create(&v->read_thread, NULL, read_frames, v))
        goto none;
    v->reading = true;
    if (pthread_create(&v->write_thread, NULL, write_thread, v))
        goto none;
    v->writing = true;
    for (int i = 1; i < rp_job_video_gpus(v->job); i++)
        RP_CHECK(rp_job_video_start_helper(v, i));
    return rp_crew_start(v->crew);

none:
    return rp_fail(RP_ERR_NOMEM, "no thread could be started");
}

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
static void stop(struct rp_job_video *v, int status)
{
    if (status < 0 && v->ring)
        rp_ring_fail(v->ring, status);
    if (v->crew)
        rp_crew_run(v->crew);
    for (int i = 0; i < RP_MAX_GPUS; i++)
        if (v->helper[i].executor)
            rp_executor_withdraw(v->helper[i].executor, &v->helper[i].task);
    if (v->writing)
        pthread_join(v->write_thread, NULL);
    if (v->reading)
        pthread_join(v->read_thread, NULL);
}

/* Several threads may fail, of one cause or because another one did: each holds its sentence back,
 * and the first failure's is shown. Those that are verdicts get theirs later. */
static int say_failure(const struct rp_job_video *v)
{
    const int status = rp_ring_status(v->ring);

    if (status < 0 && status != RP_ERR_BLOCKED && status != RP_ERR_CANCELLED)
        rp_fail(status, "%s", rp_last_error());
    return status;
}

int rp_job_video_flow(struct rp_job_video *v)
{
    rp_log_hold(true);
    const int ret = start_threads(v);
    stop(v, ret);
    rp_log_hold(false);
    return ret < 0 || v->write_status < 0 ? say_failure(v) : 0;
}
