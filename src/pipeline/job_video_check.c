/* The content check of a video: its verdict while frames come, and on frames that are examined
 * afterwards. */
#include "pipeline/job_video.h"

#include <math.h>

/* The time of a frame at the target's constant rate, as a reader computes it. */
static double nominal_time(const struct rp_video_info *info, int64_t frame)
{
    const double ticks = rint((double) frame * info->fps_den * info->tb_den /
                              ((double) info->fps_num * info->tb_num));

    return ticks * ((double) info->tb_num / info->tb_den);
}

void rp_job_video_sampler(const struct rp_job_video *v, int64_t number,
                          struct rp_content_sampler *out)
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

/* How many frames the content check sees at most, by the packets that are there. */
static void count_most(struct rp_job_video *v)
{
    struct rp_video_count count;
    const int64_t end = v->first + v->total;

    v->counted = true;
    v->most = INT64_MAX / 200;
    if (rp_reader_count(v->reader, &count) < 0)
        return; /* the reader will say what is wrong */
    const int64_t frames = RP_MAX(RP_MIN(count.frames, v->ends ? end : INT64_MAX) - v->first, 0);
    v->most = rp_content_most(
        &v->sampler, frames, RP_MIN(count.seconds, (double) frames * count.longest), count.longest);
}

/* Can the rest of the video not bring the share below the limit again? It is asked in the order of
 * the video, so the answer does not depend on how fast the frames come, and when the file's claims
 * say so, its packets must say so too. */
static bool surely_blocked(struct rp_job_video *v)
{
    if (!rp_content_blocks(RP_MAX(v->checked, v->most), v->positive))
        return false;
    if (!v->counted)
        count_most(v);
    return rp_content_blocks(RP_MAX(v->checked, v->most), v->positive);
}

int rp_job_video_verdict(struct rp_job_video *v, const struct rp_media_frame *frame)
{
    v->checked += frame->check;
    v->positive += frame->positive;
    return frame->positive && surely_blocked(v) ? RP_ERR_BLOCKED : 0;
}

static int check_late(struct rp_job_video *v, const struct rp_media_frame *frame)
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
int rp_job_video_check_missing(struct rp_job_video *v)
{
    int ret = 0;
    struct rp_reader *reader = NULL;
    struct rp_media_frame *frame = NULL;
    const struct rp_range part = rp_frame_range(v->job->settings);
    const struct rp_reader_params range = {
        .start = part.start, .end = v->ends ? part.end : 0, .rgb = rp_job_video_rgb(v)};

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
static int64_t first_guessed(const struct rp_job_video *v)
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
static int read_again(struct rp_job_video *v, int64_t from)
{
    int ret;
    struct rp_piece_sums sums;
    struct rp_reader *reader = NULL;
    struct rp_media_frame *frame = NULL, *next = NULL;
    const struct rp_range part = rp_frame_range(v->job->settings);
    const struct rp_reader_params range = {
        .start = part.start, .end = v->ends ? part.end : 0, .rgb = rp_job_video_rgb(v)};

    if (from >= 0) {
        rp_job_pieces_sum(&v->cut, from, &sums);
        rp_job_video_sampler(v, from, &v->sampler);
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

int rp_job_video_check_pieces(struct rp_job_video *v)
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

int rp_job_video_refuse(const struct rp_job_video *v)
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
