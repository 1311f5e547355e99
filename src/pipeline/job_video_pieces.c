/* A video in pieces: what is missing is made, stretch by stretch, and joined. */
#include "pipeline/job_video.h"

#include "base/memory.h"
#include "media/piece.h"

#define FEW_PIECES 10

/* A piece has its name. */
static int piece_done(void *priv, int64_t number, const char *path)
{
    struct rp_job_video *const v = priv;
    const bool last = v->ending && v->cut.nopen == 1 && v->after == RP_PIECE_LAST;

    return rp_job_pieces_done(&v->cut, number, path, last);
}

static char *piece_name(void *priv, int64_t number)
{
    const struct rp_job_video *const v = priv;

    return rp_job_folder_piece(v->cut.folder.path, v->cut.id, number);
}

/* Frames of the target before which the job ends, as far as anybody knows without decoding: not too
 * few. */
static int64_t last_frame(const struct rp_job_video *v)
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
static bool is_too_short(const struct rp_job_video *v, int64_t frames)
{
    return v->total < FEW_PIECES * frames &&
           !rp_settings_is_set(v->job->settings, "output-video-piece");
}

/* For whoever joins the segments. */
static int write_facts(const struct rp_job_video *v)
{
    const struct rp_journal_head *const head = &v->cut.head;
    struct rp_job_facts facts = {.lockstep = head->lockstep, .alpha = v->job->pipeline->plan.alpha};

    memcpy(facts.models, head->models, sizeof(facts.models));
    memcpy(facts.device, head->device, sizeof(facts.device));
    memcpy(facts.heard, v->damage, sizeof(facts.heard));
    rp_pipeline_mark(v->job->pipeline, &facts.mark);
    return rp_job_options_write(v->job, &facts, v->cut.folder.path, v->cut.id);
}

/* Is the video cut? A segment of it is a number of pieces, however short it is. */
int rp_job_video_open_pieces(struct rp_job_video *v)
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
    const struct rp_writer_params params = rp_job_video_writer_params(v, &mark);
    RP_CHECK(rp_pieces_open(&v->pieces, job->output, job->target, v->reader, &params));
    if (must && (!v->pieces || !frames))
        return rp_fail(RP_ERR_USAGE,
                       "--segment: %s is not made in pieces: that takes libx264, "
                       "libx265 or libvpx-vp9, and --output-video-piece above 0",
                       job->output);
    if (!v->pieces)
        return rp_job_pieces_leave(job->output);
    RP_CHECK(rp_job_head(job, frames, v->voice, &head));
    const int64_t end = RP_MAX(must ? last_frame(v) : v->first + v->total, v->first + 1);
    v->npieces = (end - 1) / frames - v->first / frames + 1;
    const int ret = rp_job_pieces_open(&v->cut, job->output, &head, &segment, v->npieces,
                                       job->join   ? RP_RESUME_JOIN
                                       : o->resume ? RP_RESUME_OR_FAIL
                                                   : RP_RESUME_IF_SAME);
    return ret >= 0 && segment.count ? write_facts(v) : ret;
}

/* Its own reader, unless it is all of the job. One frame more than the stretch has is read, whose
 * time the last one needs. */
static int open_part(struct rp_job_video *v, const struct rp_stretch *s)
{
    const struct rp_tracker_params tracker = rp_job_video_tracker(v);
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
    struct rp_reader_params params = rp_job_video_range(
        v, RP_MAX(s->first * v->cut.head.piece, v->first), v->end ? v->end : range.end);
    params.around = RP_MAX(split ? rp_tracker_ahead(&tracker) : 0, v->end ? 1 : 0);
    return rp_reader_open(&v->part, v->job->target, &params);
}

static int open_cutter(struct rp_job_video *v)
{
    int64_t waiting;
    const struct rp_video_info *const info = rp_reader_info(v->reader);
    const int64_t w = RP_MAX(info->w, rp_job_video_side(v, info->w)),
                  h = RP_MAX(info->h, rp_job_video_side(v, info->h));
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
static void close_stretch(struct rp_job_video *v)
{
    if (v->crew)
        rp_crew_each(v->crew, rp_job_video_add_clocks, v);
    rp_crew_destroy(&v->crew);
    rp_cutter_destroy(&v->cutter);
    rp_ring_destroy(&v->ring);
    rp_tracker_destroy(&v->tracker);
    rp_reader_close(&v->part);
    memset(v->helper, 0, sizeof(v->helper));
    v->reading = v->writing = false;
}

static int run_stretch(struct rp_job_video *v, const struct rp_stretch *s)
{
    int ret;
    struct rp_piece_sums sums;

    RP_TRY(open_part(v, s));
    rp_job_video_sampler(v, s->first, &v->sampler);
    rp_job_pieces_begin(&v->cut, &v->sampler);
    rp_job_pieces_sum(&v->cut, s->first, &sums);
    v->checked = sums.checked;
    v->positive = sums.positive;
    RP_TRY(open_cutter(v));
    RP_TRY(rp_job_video_make_crew(v));
    ret = rp_job_video_flow(v);

fail:
    close_stretch(v);
    return ret;
}

static int find_origin(struct rp_job_video *v)
{
    struct rp_media_frame *frame;

    RP_CHECK(rp_reader_frame(v->job->target, v->first, &frame));
    v->origin = frame->pts;
    rp_media_frame_free(&frame);
    return 0;
}

int rp_job_video_run_pieces(struct rp_job_video *v)
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

int rp_job_video_add_pieces(struct rp_job_video *v, const char *temp)
{
    RP_CHECK(rp_job_video_open_writer(v, temp));
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

int rp_job_video_fail_cancelled(const struct rp_job_video *v)
{
    if (v->pieces && v->cut.done.n)
        return rp_fail(RP_ERR_CANCELLED,
                       "interrupted; the same command goes on after %d of %lld "
                       "pieces, and 'reprise clean' removes them",
                       v->cut.done.n, (long long) v->npieces);
    return rp_fail(RP_ERR_CANCELLED, "interrupted; nothing was written");
}

/* What is done is kept for the next run if that may come farther, and for other segments. */
void rp_job_video_close_pieces(struct rp_job_video *v, int ret)
{
    const int code = rp_exit_code(ret);
    const bool segments = v->cut.segment.count > 0 || v->job->join;

    if (v->pieces)
        rp_job_pieces_close(&v->cut, ret >= 0 ? !v->cut.segment.count
                                              : !segments && (code == 1 || code == 3));
    rp_pieces_close(&v->pieces);
}
