#include "media/sound.h"

#include <libswresample/swresample.h>

#include "media/clock.h"
#include "media/damage.h"

#define ERRORS_MAX 1000 /* broken packets in a row after which no sound is expected any more */
#define CHANNELS_MAX 64
#define JUMP_MIN 0.05   /* seconds that times may be off before samples are moved */
#define JUMP_MAX 3600.0 /* seconds that no gap lasts: such times are wrong */
#define SILENCE 4096    /* samples of silence at a time */
#define PRIMING_MIN 0.002 /* seconds; less is a matter of coarse times */
#define PRIMING_MAX 0.2

struct rp_sound {
    char *path;
    struct rp_sound_params params;
    AVFormatContext *format;
    struct rp_clock *clock; /* of its packets */
    AVCodecContext *codec;
    AVStream *stream;
    AVPacket *packet;
    AVFrame *frame; /* decoded; `fresh` until it went into the resampler */
    bool fresh, drained, flushed, ended;
    int errors; /* in a row */
    int64_t first;  /* pts of the first packet */
    double priming; /* what is before the sound in it, seconds; negative: no packet yet */

    SwrContext *swr;
    AVChannelLayout layout; /* what swr was made for */
    int rate, fmt;

    int16_t (*ready)[2]; /* resampled, not yet handed out */
    int cap, count, taken;

    double start;
    bool has_start;
    int64_t samples; /* of `rate`, since the first one */
    int64_t silence; /* of `rate`, to be put before the frame */
    int64_t drop;    /* of 48 kHz, to be left out */

    struct rp_whole whole;
    struct rp_damage damage;
    struct rp_watch watch;
};

/* ---- decoding -------------------------------------------------------------------------------- */

/* Seconds of sound that have come. */
static double now_at(const struct rp_sound *s)
{
    return s->rate ? (double) s->samples / s->rate : 0;
}

/* Is what comes now of no use any more? */
static bool is_past(const struct rp_sound *s)
{
    return s->params.until > 0 && s->start + now_at(s) >= s->params.until;
}

static void note_error(struct rp_sound *s, int averror)
{
    s->errors++;
    rp_log(RP_LOG_DEBUG, "%s: its sound is damaged (%s)", s->path, av_err2str(averror));
    if (!is_past(s))
        rp_damage_bad(&s->damage, now_at(s), av_err2str(averror), false);
}

static void note_frame(struct rp_sound *s)
{
    const char *const why = rp_damage_of_frame(s->frame);

    s->errors = 0;
    if (why && !is_past(s))
        rp_damage_bad(&s->damage, now_at(s), why, true);
    else
        rp_damage_good(&s->damage);
}

/* FLAC says how many samples there are. */
static bool is_short(const struct rp_sound *s)
{
    const int64_t ticks = s->stream->duration;

    return !strcmp(s->format->iformat->name, "flac") && ticks > 0 && s->rate &&
           now_at(s) + JUMP_MIN < (double) ticks * av_q2d(s->stream->time_base);
}

/* The file has come to its end. */
static void end_account(struct rp_sound *s)
{
    int64_t promised, there;

    if (s->ended)
        return;
    s->ended = true;
    if (is_past(s))
        return;
    rp_whole_samples(&s->whole, s->format, s->stream, &promised, &there);
    s->damage.promised = promised;
    s->damage.exact = true;
    rp_damage_end(&s->damage, promised > 0 ? there < promised : s->whole.cut || is_short(s));
    if (!rp_damage_any(&s->damage) && (s->whole.torn || s->damage.tail))
        rp_log(RP_LOG_WARN,
               "%s: its sound ends in the middle of a packet, as a recording does that was "
               "stopped, or a file that was cut; all that came before is used",
               s->path);
}

/* Hand the decoder one more packet, or the end. */
static int feed(struct rp_sound *s)
{
    int ret = rp_clock_read(s->clock, s->packet);

    if (ret == AVERROR(ENOMEM))
        return ret;
    if (ret < 0 || s->errors > ERRORS_MAX) {
        if (ret < 0 && ret != AVERROR_EOF)
            note_error(s, ret);
        av_packet_unref(s->packet);
        s->drained = true;
        avcodec_send_packet(s->codec, NULL);
        return 0;
    }
    if (s->packet->stream_index == s->stream->index) {
        if (s->priming < 0) {
            s->first = s->packet->pts;
            s->priming = rp_av_priming(s->stream, s->packet);
        }
        ret = avcodec_send_packet(s->codec, s->packet);
        if (ret < 0 && ret != AVERROR(ENOMEM) && ret != AVERROR(EAGAIN)) {
            note_error(s, ret);
            ret = 0;
        }
    }
    av_packet_unref(s->packet);
    return ret == AVERROR(ENOMEM) ? ret : 0;
}

static bool usable(const AVFrame *f)
{
    return f->nb_samples > 0 && rp_av_rate_is_real(f->sample_rate) &&
           f->ch_layout.nb_channels > 0 && f->ch_layout.nb_channels <= CHANNELS_MAX;
}

/* The next frame into s->frame. Returns 1, 0 at the end, or RP_ERR_NOMEM. */
static int decode(struct rp_sound *s)
{
    for (;;) {
        int ret = avcodec_receive_frame(s->codec, s->frame);

        if (ret >= 0 && usable(s->frame)) {
            note_frame(s);
            s->fresh = true;
            return 1;
        }
        if (ret == AVERROR_EOF || s->errors > 2 * ERRORS_MAX) {
            end_account(s);
            return 0;
        }
        if (ret == AVERROR(ENOMEM))
            return RP_NOMEM(s->path);
        if (ret >= 0 || ret != AVERROR(EAGAIN)) {
            note_error(s, ret >= 0 ? AVERROR_INVALIDDATA : ret);
        } else if (s->drained) {
            end_account(s);
            return 0;
        }
        if (ret == AVERROR(EAGAIN) && feed(s) < 0)
            return RP_NOMEM(s->path);
    }
}

/* ---- opening --------------------------------------------------------------------------------- */

static void close_file(struct rp_sound *s)
{
    rp_clock_close(&s->clock);
    avcodec_free_context(&s->codec);
    avformat_close_input(&s->format);
    s->drained = s->fresh = s->ended = false;
    s->errors = 0;
    s->priming = -1;
}

static int open_decoder(struct rp_sound *s)
{
    const AVCodec *const codec = avcodec_find_decoder(s->stream->codecpar->codec_id);
    int ret;

    if (!codec)
        return rp_fail(RP_ERR_UNSUPPORTED, "%s: this FFmpeg has no decoder for its sound, %s",
                       s->path, avcodec_get_name(s->stream->codecpar->codec_id));
    if (!(s->codec = avcodec_alloc_context3(codec)))
        return RP_NOMEM(s->path);
    if ((ret = avcodec_parameters_to_context(s->codec, s->stream->codecpar)) < 0)
        return rp_av_fail(ret, s->path, "opening the audio decoder");
    s->codec->opaque = &s->watch;
    s->codec->pkt_timebase = s->stream->time_base;
    if ((ret = avcodec_open2(s->codec, codec, NULL)) < 0)
        return rp_av_fail(ret, s->path, "opening the audio decoder");
    return 0;
}

/* Decode the first frame of a track; fails if there is none. */
static int try_track(struct rp_sound *s, int index)
{
    int ret;

    close_file(s);
    RP_CHECK(rp_av_open(&s->format, s->path, true));
    if (index >= (int) s->format->nb_streams)
        return rp_fail(RP_ERR_FORMAT, "%s: its sound cannot be found again", s->path);
    s->stream = s->format->streams[index];
    for (unsigned i = 0; i < s->format->nb_streams; i++)
        s->format->streams[i]->discard = (int) i == index ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    RP_CHECK(rp_clock_open(&s->clock, s->format));
    RP_CHECK(open_decoder(s));
    RP_CHECK(rp_whole_look(&s->whole, s->path, s->format));
    rp_damage_begin(&s->damage, &s->whole, "packets", "sound, track %d (%s)", index,
                    avcodec_get_name(s->stream->codecpar->codec_id));
    s->damage.loose = true; /* the first packets of many refer to what was never there */
    if ((ret = decode(s)) > 0)
        return 0;
    return ret < 0 ? ret
                   : rp_fail(RP_ERR_FORMAT, "%s: nothing of its sound can be decoded", s->path);
}

/* Audio tracks in the order in which they are tried; returns how many. */
static int list_tracks(const struct rp_sound *s, int *track, int max)
{
    int n = 0;
    const AVFormatContext *const ic = s->format;

    const int best = rp_av_video_stream(ic) >= 0
                         ? -1
                         : av_find_best_stream(s->format, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0);
    if (best >= 0)
        track[n++] = best;
    for (int i = 0; i < (int) ic->nb_streams && n < max; i++)
        if (ic->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO && i != best)
            track[n++] = i;
    return n;
}

/* The first track that decodes. Only the failure of the last one is said aloud. */
static int find_track(struct rp_sound *s, bool *any)
{
    int track[16], ret = 0;
    const int n = list_tracks(s, track, RP_ARRAY_LEN(track));

    *any = n > 0;
    for (int i = 0; i < n; i++) {
        const bool last = i + 1 == n;

        rp_log_hold(!last);
        ret = try_track(s, track[i]);
        if (!last)
            rp_log_hold(false);
        if (ret >= 0 || ret == RP_ERR_NOMEM)
            return ret;
    }
    return ret;
}

static double time_of(const struct rp_sound *s, const AVFrame *f)
{
    return (double) f->best_effort_timestamp * av_q2d(s->stream->time_base);
}

/* Where the first frame lies. Sound of its own begins after what encoders put before it, of which
 * the decoder has skipped as much as the file tells. */
static void find_start(struct rp_sound *s)
{
    const AVFrame *const f = s->frame;

    s->has_start = true;
    if (f->best_effort_timestamp == AV_NOPTS_VALUE)
        return;
    if (!s->params.in_place) {
        const double left =
            s->first == AV_NOPTS_VALUE
                ? s->priming
                : s->priming + (double) s->first * av_q2d(s->stream->time_base) - time_of(s, f);
        s->start = left > PRIMING_MIN && left < PRIMING_MAX ? -left : 0;
        return;
    }
    const double start = time_of(s, f) - s->params.origin;
    if (start > -JUMP_MAX * 24 && start < JUMP_MAX * 24)
        s->start = start;
}

static int check_damage(struct rp_sound *s)
{
    if (rp_watch_lacks(&s->watch))
        return RP_NOMEM(s->path);
    return s->params.refuse && rp_damage_any(&s->damage) ? rp_damage_fail(&s->damage, s->path) : 0;
}

int rp_sound_open(struct rp_sound **out, const char *path, const struct rp_sound_params *params)
{
    bool any;
    int ret;
    struct rp_sound *const s = *out = calloc(1, sizeof(*s));

    if (!s)
        return RP_NOMEM(path);
    rp_watch_begin(&s->watch);
    s->params = params ? *params : (struct rp_sound_params){0};
    s->packet = av_packet_alloc();
    s->frame = av_frame_alloc();
    if (!(s->path = strdup(path)) || !s->packet || !s->frame) {
        ret = RP_NOMEM(path);
        goto fail;
    }
    RP_TRY(rp_av_open(&s->format, path, true));
    RP_TRY(find_track(s, &any));
    if (any)
        find_start(s);
    RP_TRY(check_damage(s));
    if (!any)
        rp_sound_close(out);
    return 0;

fail:
    rp_sound_close(out);
    return ret;
}

void rp_sound_close(struct rp_sound **sound)
{
    struct rp_sound *const s = *sound;

    if (!s)
        return;
    close_file(s);
    swr_free(&s->swr);
    av_channel_layout_uninit(&s->layout);
    av_packet_free(&s->packet);
    av_frame_free(&s->frame);
    free(s->ready);
    free(s->path);
    free(s);
    *sound = NULL;
}

double rp_sound_start(const struct rp_sound *sound)
{
    return sound->start;
}

/* ---- resampling ------------------------------------------------------------------------------ */

/* Room behind what is ready. */
static int make_room(struct rp_sound *s, int n)
{
    if (s->taken == s->count)
        s->taken = s->count = 0;
    if (n <= s->cap - s->count)
        return 0;
    if (n > INT32_MAX / 8 - s->count)
        return rp_fail(RP_ERR_LIMIT, "%s: a frame of its sound is too long", s->path);
    void *const p = realloc(s->ready, (size_t) (s->count + n) * sizeof(*s->ready));
    if (!p)
        return RP_NOMEM(s->path);
    s->ready = p;
    s->cap = s->count + n;
    return 0;
}

/* Put samples through the resampler; `in` NULL: what it holds back. Returns how many came out. */
static int convert(struct rp_sound *s, const uint8_t **in, int n)
{
    if (!s->swr)
        return 0;
    const int most = swr_get_out_samples(s->swr, n);
    RP_CHECK(make_room(s, RP_MAX(most, 0) + 32));
    uint8_t *const to[1] = {(uint8_t *) s->ready[s->count]};
    const int made = swr_convert(s->swr, (uint8_t **) to, s->cap - s->count, in, n);
    if (made < 0)
        return rp_av_fail(made, s->path, "resampling the sound");
    s->count += made;
    const int drop = (int) RP_MIN(s->drop, s->count - s->taken);
    s->taken += drop;
    s->drop -= drop;
    return made;
}

static int layout_of(const AVFrame *f, AVChannelLayout *layout)
{
    if (f->ch_layout.order == AV_CHANNEL_ORDER_UNSPEC) {
        av_channel_layout_default(layout, f->ch_layout.nb_channels);
        return 0;
    }
    return av_channel_layout_copy(layout, &f->ch_layout);
}

/* A resampler for frames like this one; it changes when rate, format or channels do. */
static int fit_resampler(struct rp_sound *s)
{
    int ret;
    const AVFrame *const f = s->frame;
    AVChannelLayout layout = {0}, stereo;

    if ((ret = layout_of(f, &layout)) < 0)
        goto end;
    if (s->swr && s->rate == f->sample_rate && s->fmt == f->format &&
        !av_channel_layout_compare(&layout, &s->layout))
        goto end;
    if (s->swr && (ret = convert(s, NULL, 0)) < 0) {
        av_channel_layout_uninit(&layout);
        return ret;
    }
    swr_free(&s->swr);
    av_channel_layout_default(&stereo, 2);
    if (s->rate)
        s->samples = av_rescale(s->samples, f->sample_rate, s->rate);
    s->rate = f->sample_rate;
    s->fmt = f->format;
    if ((ret = av_channel_layout_copy(&s->layout, &layout)) < 0)
        goto end;
    ret = swr_alloc_set_opts2(&s->swr, &stereo, AV_SAMPLE_FMT_S16, RP_SOUND_RATE, &layout,
                              f->format, f->sample_rate, 0, NULL);
    if (ret >= 0)
        ret = swr_init(s->swr);

end:
    av_channel_layout_uninit(&layout);
    return ret < 0 ? rp_av_fail(ret, s->path, "resampling the sound") : 0;
}

/* How far the frame's time is from where its samples would come: before or behind. */
static void find_gap(struct rp_sound *s)
{
    const AVFrame *const f = s->frame;

    if (!s->params.in_place || f->best_effort_timestamp == AV_NOPTS_VALUE)
        return;
    const double due = s->start + (double) s->samples / s->rate;
    const double off = time_of(s, f) - s->params.origin - due;
    if (!(off > -JUMP_MAX && off < JUMP_MAX) || (off > -JUMP_MIN && off < JUMP_MIN))
        return;
    if (off > 0)
        s->silence = (int64_t) (off * s->rate);
    else
        s->drop += (int64_t) (-off * RP_SOUND_RATE);
    s->samples += (int64_t) (off * s->rate);
}

/* A piece of the silence before the frame. */
static int put_silence(struct rp_sound *s)
{
    uint8_t *data[CHANNELS_MAX] = {0};
    const int n = (int) RP_MIN(s->silence, SILENCE);
    const int made = av_samples_alloc(data, NULL, s->layout.nb_channels, n, s->fmt, 0);

    if (made < 0)
        return RP_NOMEM(s->path);
    av_samples_set_silence(data, 0, n, s->layout.nb_channels, s->fmt);
    const int ret = convert(s, (const uint8_t **) data, n);
    av_freep(&data[0]);
    s->silence -= n;
    return ret;
}

bool rp_sound_damage(const struct rp_sound *s, char *text, size_t size)
{
    text[0] = 0;
    if (!rp_damage_any(&s->damage))
        return false;
    rp_damage_text(&s->damage, text, size);
    return true;
}

/* Make more samples ready. Returns 0 when there are no more. */
static int more(struct rp_sound *s)
{
    int ret = 0;

    if (s->silence > 0) {
        RP_CHECK(put_silence(s));
        return 1;
    }
    if (!s->fresh)
        ret = decode(s);
    RP_CHECK(check_damage(s));
    if (!s->fresh && ret <= 0) {
        if (ret < 0 || s->flushed)
            return ret;
        s->flushed = true;
        RP_CHECK(convert(s, NULL, 0));
        return 1;
    }
    if (s->fresh) {
        RP_CHECK(fit_resampler(s));
        find_gap(s);
        s->fresh = s->silence > 0; /* the silence first */
    }
    if (s->silence > 0)
        return 1;
    s->samples += s->frame->nb_samples;
    ret = convert(s, (const uint8_t **) s->frame->extended_data, s->frame->nb_samples);
    av_frame_unref(s->frame);
    if (ret >= 0 && rp_watch_lacks(&s->watch))
        ret = RP_NOMEM(s->path);
    return ret < 0 ? ret : 1;
}

int rp_sound_read(struct rp_sound *s, int16_t (*samples)[2], int n)
{
    int done = 0;

    rp_watch_begin(&s->watch);
    while (done < n) {
        const int now = RP_MIN(n - done, s->count - s->taken);

        if (now > 0) {
            memcpy(samples[done], s->ready[s->taken], (size_t) now * sizeof(*samples));
            s->taken += now;
            done += now;
            continue;
        }
        const int ret = more(s);
        if (ret < 0)
            return ret;
        if (!ret)
            break;
    }
    return done;
}
