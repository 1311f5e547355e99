/* Jump to a frame by its number.
 *
 * Numbers count the frames that a decoder shows, so the times of all frames must be known. They are
 * read from the packets, without decoding, if a packet is always one frame (MP4, MOV, Matroska with
 * the usual codecs). The caller then seeks to a keyframe before the wanted time. That must really
 * be decoded, at or before that time: after an open group's keyframe, frames whose references are
 * missing do not count. If anything does not fit, the caller decodes from the beginning.
 */
#include "media/seek.h"

#include <math.h>

static bool is_one_frame_a_packet(const AVFormatContext *ic, enum AVCodecID codec)
{
    static const enum AVCodecID known[] = {
        AV_CODEC_ID_H264, AV_CODEC_ID_HEVC,  AV_CODEC_ID_VP8,    AV_CODEC_ID_VP9,
        AV_CODEC_ID_AV1,  AV_CODEC_ID_MPEG4, AV_CODEC_ID_PRORES, AV_CODEC_ID_MJPEG,
    };

    if (strncmp(ic->iformat->name, "mov,", 4) != 0 &&
        strncmp(ic->iformat->name, "matroska", 8) != 0)
        return false;
    for (size_t i = 0; i < RP_ARRAY_LEN(known); i++)
        if (known[i] == codec)
            return true;
    return false;
}

struct times {
    int64_t *pts;
    size_t count, room;
};

static bool add_time(struct times *t, int64_t pts)
{
    if (t->count == t->room) {
        const size_t room = t->room ? 2 * t->room : 4096;
        int64_t *const p = realloc(t->pts, room * sizeof(*p));
        if (!p)
            return false;
        t->pts = p;
        t->room = room;
    }
    t->pts[t->count++] = pts;
    return true;
}

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;

    return (x > y) - (x < y);
}

/* Times of all shown frames in order; false if they are not reliable. */
static bool list_times(struct times *t, const char *path, int stream)
{
    AVFormatContext *ic = NULL;
    AVPacket *p = av_packet_alloc();
    bool ok = p && rp_av_open(&ic, path, false) >= 0 && (unsigned) stream < ic->nb_streams;

    for (unsigned i = 0; ok && i < ic->nb_streams; i++)
        ic->streams[i]->discard = (int) i == stream ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    while (ok && av_read_frame(ic, p) >= 0) {
        if (p->stream_index == stream && !(p->flags & AV_PKT_FLAG_DISCARD))
            ok = p->pts != AV_NOPTS_VALUE && add_time(t, p->pts);
        av_packet_unref(p);
    }
    av_packet_free(&p);
    avformat_close_input(&ic);
    if (ok && t->count)
        qsort(t->pts, t->count, sizeof(*t->pts), compare);
    for (size_t i = 1; ok && i < t->count; i++)
        ok = t->pts[i] > t->pts[i - 1];
    return ok;
}

int rp_seek_time(const char *path, const AVFormatContext *ic, const AVStream *st, int64_t index,
                 int64_t first, int64_t *before, int64_t *at)
{
    struct times t = {0};
    bool ok = is_one_frame_a_packet(ic, st->codecpar->codec_id) && index > 0;

    ok = ok && list_times(&t, path, st->index) && (size_t) index < t.count && t.pts[0] == first;
    if (ok) {
        *before = t.pts[index - 1];
        *at = t.pts[index];
    }
    free(t.pts);
    return ok;
}

int rp_count_packets(const char *path, int stream, struct rp_video_count *count)
{
    int ret;
    int64_t last = AV_NOPTS_VALUE;
    AVFormatContext *ic = NULL;
    AVPacket *p = av_packet_alloc();

    *count = (struct rp_video_count){0};
    if (!p)
        return RP_NOMEM(path);
    RP_TRY(rp_av_open(&ic, path, false));
    while (av_read_frame(ic, p) >= 0) {
        if (p->stream_index == stream) {
            const double base = av_q2d(ic->streams[stream]->time_base);
            const double gap = last == AV_NOPTS_VALUE || p->dts == AV_NOPTS_VALUE
                                   ? 0
                                   : fabs((double) p->dts - (double) last) * base;
            count->frames++;
            count->seconds += gap;
            count->longest = RP_MAX(count->longest, gap);
            last = p->dts;
        }
        av_packet_unref(p);
    }
    ret = rp_av_lacks() ? RP_NOMEM(path) : 0;

fail:
    avformat_close_input(&ic);
    av_packet_free(&p);
    return ret;
}

int64_t rp_seek_packets(const char *path, int stream)
{
    AVFormatContext *ic = NULL;
    AVPacket *p = av_packet_alloc();
    int64_t n = 0;
    bool ok = p && rp_av_open(&ic, path, true) >= 0 && (unsigned) stream < ic->nb_streams;

    if (!ok)
        n = -1;
    for (unsigned i = 0; ok && i < ic->nb_streams; i++)
        ic->streams[i]->discard = (int) i == stream ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    for (; ok && av_read_frame(ic, p) >= 0; av_packet_unref(p))
        n += p->stream_index == stream && p->size > 0 &&
             !(p->flags & (AV_PKT_FLAG_DISCARD | AV_PKT_FLAG_CORRUPT));
    av_packet_free(&p);
    avformat_close_input(&ic);
    return n;
}

double rp_seek_reach(const char *path)
{
    AVFormatContext *ic = NULL;
    AVPacket *p = av_packet_alloc();
    double reach = -HUGE_VAL;

    for (bool ok = p && rp_av_open(&ic, path, true) >= 0; ok && av_read_frame(ic, p) >= 0;
         av_packet_unref(p)) {
        const AVRational base = ic->streams[p->stream_index]->time_base;
        const int64_t at = p->pts == AV_NOPTS_VALUE ? p->dts : p->pts;
        if (at != AV_NOPTS_VALUE)
            reach = fmax(reach, (double) (at + p->duration) * av_q2d(base));
    }
    av_packet_free(&p);
    avformat_close_input(&ic);
    return reach == -HUGE_VAL ? HUGE_VAL : reach;
}
