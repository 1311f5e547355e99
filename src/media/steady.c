#include "media/steady.h"

#include "media/clock.h"

#define OFF_MAX 8000 /* microseconds between a time and where a packet comes */

bool rp_steady_needed(const AVOutputFormat *format)
{
    return !strcmp(format->name, "avi");
}

int64_t rp_steady_samples(AVCodecParameters *par, const AVPacket *p, AVRational base)
{
    const int n = av_get_audio_frame_duration2(par, p->size);

    if (n > 0)
        return n;
    return av_clip64(av_rescale_q(p->duration, base, (AVRational){1, par->sample_rate}), 0,
                     INT32_MAX);
}

bool rp_steady_early(int64_t pts, int64_t samples, AVRational base, int rate, int64_t start)
{
    const int64_t at = av_rescale_q(pts, base, AV_TIME_BASE_Q);

    return av_sat_add64(at, av_rescale(samples, AV_TIME_BASE, rate) / 2) < start;
}

/* Readers of AVI count a packet that has more bytes for several. */
static int bytes_max(const AVCodecParameters *par)
{
    if (par->codec_id == AV_CODEC_ID_AAC)
        return 768 * par->ch_layout.nb_channels;
    if (par->codec_id == AV_CODEC_ID_MP3)
        return par->sample_rate <= 28000 ? 576 : 1152;
    return INT32_MAX;
}

/* Goes through the packets; false if one of them has another time than where it would come. */
static bool follow(AVFormatContext *ic, struct rp_clock *clock, AVPacket *p, int stream,
                   int64_t start)
{
    const AVStream *const st = ic->streams[stream];
    const int rate = st->codecpar->sample_rate;
    int64_t sum = 0;
    bool ok = true;

    while (ok && rp_clock_read(clock, p) >= 0) {
        if (p->stream_index == stream && !(sum && p->flags & AV_PKT_FLAG_DISCARD)) {
            const int64_t n = rp_steady_samples(st->codecpar, p, st->time_base);
            ok = n > 0 && p->pts != AV_NOPTS_VALUE && p->size <= bytes_max(st->codecpar);
            if (ok && (sum || !rp_steady_early(p->pts, n, st->time_base, rate, start))) {
                const int64_t at = av_rescale_q(p->pts, st->time_base, AV_TIME_BASE_Q);
                const int64_t comes = start + av_rescale(sum, AV_TIME_BASE, rate);
                ok = at >= comes - OFF_MAX && at <= comes + OFF_MAX;
                sum += n;
            }
        }
        av_packet_unref(p);
    }
    return ok;
}

bool rp_steady_is(const char *path, int stream, int64_t start)
{
    AVFormatContext *ic = NULL;
    struct rp_clock *clock = NULL;
    AVPacket *p = av_packet_alloc();
    bool ok = p && rp_av_open(&ic, path, true) >= 0 && stream < (int) ic->nb_streams &&
              ic->streams[stream]->codecpar->sample_rate > 0;

    for (unsigned i = 0; ok && i < ic->nb_streams; i++)
        ic->streams[i]->discard = (int) i == stream ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    ok = ok && rp_clock_open(&clock, ic) >= 0 && follow(ic, clock, p, stream, start);
    rp_clock_close(&clock);
    av_packet_free(&p);
    avformat_close_input(&ic);
    return ok;
}
