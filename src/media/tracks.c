/* Everything of the output that is not the video: audio and subtitle tracks of the target (or one
 * audio track of another file), fonts, chapters, metadata.
 *
 * The target is opened a second time and read only as far as the video has come, so that little is
 * held in memory however long the video is. Packets are copied; but audio that the container does
 * not take, or whose volume changes, is encoded again, and text subtitles may change their format.
 * So is audio that does not fit a container without times as it is (steady.h).
 */
#include <math.h>

#include "media/clock.h"
#include "media/damage.h"
#include "media/resound.h"
#include "media/retext.h"
#include "media/steady.h"
#include "media/written.h"

#define SOURCES_MAX 2 /* the target, and the file that replaces its audio */
#define PRIMING_MAX 0.2 /* seconds */
#define TIME_MAX 1e9    /* seconds; later times are no times */
#define PREROLL 100000 /* microseconds: decoders want a little of what is then not heard */
#define SLACK 1000     /* microseconds that times may be off */

struct track {
    AVStream *in, *out;
    struct rp_resound *resound; /* NULL: copied */
    struct rp_retext *retext;   /* NULL: copied */
    struct rp_tracks *owner;
    int64_t last_dts; /* in the output's time base */
    int64_t end;      /* in the input's time base: of the packet before */
    bool begun;       /* a packet came that is heard */
    int64_t samples;  /* written, where packets follow each other whatever their times */
    bool whole;       /* this file is not cut at the start */
    struct rp_damage damage;
};

struct source {
    AVFormatContext *ic;
    struct rp_clock *clock; /* of its packets */
    struct track *tracks; /* one for each of its streams; .out is NULL if it is not kept */
    AVPacket *packet;
    bool pending, ended; /* `packet` was read but is not due yet; there are no more packets */
    bool replaces;       /* its sound begins with the output */
    bool failed;         /* no memory */
    int64_t origin;      /* replaces: where its sound begins, microseconds on its clock */
    double priming;      /* replaces: seconds of its first packets that are before that */
    char *path;
    struct rp_whole content;
};

struct rp_tracks {
    AVFormatContext *oc;
    char *path;
    struct rp_tracks_params params;
    struct source sources[SOURCES_MAX];
    int count;
    int64_t start; /* microseconds of the target that become 0 */
    bool steady;   /* the container keeps no times of sound */
    bool hides;    /* it can say that sound is not to be heard */
    bool warned;
};

/* ---- choosing -------------------------------------------------------------------------------- */

static const char *track_name(const AVStream *st)
{
    static _Thread_local char name[160];
    const AVDictionaryEntry *const language = av_dict_get(st->metadata, "language", NULL, 0);
    const char *const type = av_get_media_type_string(st->codecpar->codec_type);

    snprintf(name, sizeof(name), "%s track %d (%s%s%s)", type ? type : "unknown", st->index,
             avcodec_get_name(st->codecpar->codec_id), language ? ", " : "",
             language ? language->value : "");
    return name;
}

static int add_stream(struct rp_tracks *t, struct track *track)
{
    AVStream *const out = avformat_new_stream(t->oc, NULL);

    if (!out || av_dict_copy(&out->metadata, track->in->metadata, 0) < 0)
        return RP_NOMEM(t->path);
    out->disposition = track->in->disposition;
    out->time_base = track->in->time_base;
    out->id = t->oc->oformat->flags & AVFMT_SHOW_IDS ? track->in->id : 0;
    track->out = out;
    return 0;
}

/* A codec tag belongs to a container: it is kept only if this container knows it. */
static void set_tag(const AVFormatContext *oc, AVStream *out)
{
    const struct AVCodecTag *const *const tags = oc->oformat->codec_tag;
    const enum AVCodecID id = out->codecpar->codec_id;
    unsigned found;

    if (tags && av_codec_get_id(tags, out->codecpar->codec_tag) != id &&
        av_codec_get_tag2(tags, id, &found))
        out->codecpar->codec_tag = 0;
}

static int copy_track(struct rp_tracks *t, struct track *track)
{
    int ret;

    RP_TRY(add_stream(t, track));
    if ((ret = avcodec_parameters_copy(track->out->codecpar, track->in->codecpar)) < 0)
        return rp_av_fail(ret, t->path, "copying a track");
    set_tag(t->oc, track->out);
    return 0;
fail:
    return ret;
}

static const AVCodec *choose_audio_encoder(const struct rp_tracks *t)
{
    const AVOutputFormat *const format = t->oc->oformat;
    const char *const name = t->params.audio_encoder;
    const AVCodec *codec = name && name[0] ? avcodec_find_encoder_by_name(name) : NULL;

    /* FFmpeg's encoder makes packets that are longer than AAC's may be, see bytes_max() */
    const bool uneven = t->steady && codec && codec->id == AV_CODEC_ID_AAC;
    if (codec && !uneven && rp_container_takes(format, codec->id))
        return codec;
    if (uneven)
        rp_log(RP_LOG_WARN, "%s: %s does not stay in step in %s; its usual audio encoder is used",
               t->path, name, format->name);
    else if (codec)
        rp_log(RP_LOG_WARN, "%s: %s holds no %s; its usual audio encoder is used", t->path,
               format->name, name);
    if (format->audio_codec == AV_CODEC_ID_VORBIS || format->audio_codec == AV_CODEC_ID_OPUS) {
        codec = avcodec_find_encoder_by_name("libopus");
        if (codec && rp_container_takes(format, codec->id))
            return codec;
        return avcodec_find_encoder_by_name("libvorbis");
    }
    return format->audio_codec == AV_CODEC_ID_NONE ? NULL
                                                   : avcodec_find_encoder(format->audio_codec);
}

static int drop_track(struct rp_tracks *t, const struct track *track, const char *why)
{
    rp_log(RP_LOG_WARN, "%s: %s is dropped: %s", t->path, track_name(track->in), why);
    return 0;
}

/* The track's output, made or copied, becomes one that is encoded. */
static int open_resound(struct rp_tracks *t, struct track *track, const AVCodec *encoder)
{
    const struct rp_resound_params params = {
        .encoder = encoder,
        .quality = t->params.audio_quality,
        .volume = t->params.audio_volume,
        .least_rate = t->steady && encoder->id == AV_CODEC_ID_MP3 ? 44100 : 0, /* see bytes_max() */
        .global_header = t->oc->oformat->flags & AVFMT_GLOBALHEADER,
        .apart = t->steady,
        .damage = &track->damage,
    };

    rp_log(RP_LOG_INFO, "%s: %s is encoded by %s", t->path, track_name(track->in), encoder->name);
    av_dict_set(&track->out->metadata, "encoder", NULL, 0);
    return rp_resound_open(&track->resound, track->in, track->out, &params, t->path);
}

static int encode_track(struct rp_tracks *t, struct track *track)
{
    const AVCodec *const encoder = choose_audio_encoder(t);

    if (!encoder)
        return drop_track(t, track, "this container holds no audio that can be made here");
    RP_CHECK(add_stream(t, track));
    RP_CHECK(open_resound(t, track, encoder));
    if (track->whole)
        rp_resound_place(track->resound, t->sources[1].origin);
    return 0;
}

/* Sound that begins after what is not to be heard: where that cannot be said it lies before time 0,
 * so it must be short. */
static bool keeps_priming(const struct rp_tracks *t)
{
    return t->hides || t->steady || t->sources[1].priming < PRIMING_MAX;
}

static int add_audio(struct rp_tracks *t, struct track *track)
{
    const enum AVCodecID id = track->in->codecpar->codec_id;
    const bool copy = t->params.audio_volume == 100 && rp_container_takes(t->oc->oformat, id) &&
                      track->in->codecpar->sample_rate > 0 && (!track->whole || keeps_priming(t));

    if (t->params.audio_volume <= 0)
        return 0;
    if (!track->whole &&
        !rp_clock_shared(t->sources[0].ic, rp_av_video_stream(t->sources[0].ic), track->in->index))
        return drop_track(t, track, "it belongs to another programme");
    if (copy)
        return copy_track(t, track);
    if (!avcodec_find_decoder(id) || !rp_av_rate_is_real(track->in->codecpar->sample_rate))
        return drop_track(t, track, "it can neither be copied nor decoded");
    if (t->oc->oformat->audio_codec == AV_CODEC_ID_NONE)
        return drop_track(t, track, "this container holds no audio");
    return encode_track(t, track);
}

static int add_subtitle(struct rp_tracks *t, struct track *track)
{
    const enum AVCodecID id = track->in->codecpar->codec_id;
    const enum AVCodecID text = rp_retext_codec(t->oc->oformat);

    if (rp_container_takes(t->oc->oformat, id))
        return copy_track(t, track);
    if (text == AV_CODEC_ID_NONE || !rp_retext_can(id))
        return drop_track(t, track, "this container holds no such subtitles");
    RP_CHECK(add_stream(t, track));
    return rp_retext_open(&track->retext, track->in, track->out, text, &track->damage, t->path);
    return 0;
}

static int add_other(struct rp_tracks *t, struct track *track)
{
    const AVCodecParameters *const par = track->in->codecpar;
    const bool chapters = par->codec_type == AVMEDIA_TYPE_DATA && t->sources[0].ic->nb_chapters;

    if (par->codec_type == AVMEDIA_TYPE_ATTACHMENT && !strcmp(t->oc->oformat->name, "matroska") &&
        par->extradata_size > 0)
        return copy_track(t, track);
    rp_log(chapters ? RP_LOG_DEBUG : RP_LOG_INFO, "%s: %s is not kept", t->path,
           track_name(track->in));
    return 0;
}

static int add_track(struct rp_tracks *t, struct source *s, struct track *track, int video)
{
    if (track->in->index == video)
        return 0;
    switch (track->in->codecpar->codec_type) {
    case AVMEDIA_TYPE_AUDIO:
        return t->params.replace_audio && !s->replaces ? 0 : add_audio(t, track);
    case AVMEDIA_TYPE_SUBTITLE:
        return s->replaces ? 0 : add_subtitle(t, track);
    default:
        return s->replaces ? 0 : add_other(t, track);
    }
}

/* ---- opening --------------------------------------------------------------------------------- */

static int open_source(struct rp_tracks *t, const char *path, bool replaces)
{
    struct source *const s = &t->sources[t->count++];

    s->replaces = replaces;
    if (!(s->packet = av_packet_alloc()) || !(s->path = strdup(path)))
        return RP_NOMEM(path);
    RP_CHECK(rp_av_open(&s->ic, path, true));
    RP_CHECK(rp_whole_look(&s->content, path, s->ic));
    const unsigned n = s->ic->nb_streams;
    if (!(s->tracks = calloc(n ? n : 1, sizeof(*s->tracks))))
        return RP_NOMEM(path);
    for (unsigned i = 0; i < n; i++) {
        s->tracks[i] = (struct track){.in = s->ic->streams[i],
                                      .owner = t,
                                      .last_dts = AV_NOPTS_VALUE,
                                      .end = AV_NOPTS_VALUE,
                                      .whole = replaces};
        rp_damage_begin(&s->tracks[i].damage, &s->content, "packets", "%s",
                        track_name(s->ic->streams[i]));
        s->tracks[i].damage.loose = true;
        s->ic->streams[i]->discard = AVDISCARD_ALL;
    }
    return 0;
    return 0;
}

/* Streams that appear later in the file have no entry and are left out. */
static unsigned track_count(const struct source *s)
{
    unsigned n = 0;

    while (n < s->ic->nb_streams && s->tracks[n].in)
        n++;
    return n;
}

static int add_target(struct rp_tracks *t)
{
    struct source *const s = &t->sources[0];
    const int video = rp_av_video_stream(s->ic);
    const unsigned n = track_count(s);

    for (unsigned i = 0; i < n; i++)
        RP_CHECK(add_track(t, s, &s->tracks[i], video));
    return 0;
    return 0;
}

/* Where the sound of a file begins that replaces the target's. */
static void find_origin(struct source *s, int stream)
{
    AVFormatContext *ic = NULL;
    AVPacket *p = av_packet_alloc();
    bool ok = p && rp_av_open(&ic, s->path, true) >= 0 && stream < (int) ic->nb_streams;

    while (ok && (ok = av_read_frame(ic, p) >= 0) && p->stream_index != stream)
        av_packet_unref(p);
    if (ok) {
        const double at = (double) p->pts * av_q2d(ic->streams[stream]->time_base);

        s->priming = rp_av_priming(ic->streams[stream], p);
        s->origin = llrint(s->priming * AV_TIME_BASE);
        if (p->pts != AV_NOPTS_VALUE && at > -TIME_MAX && at < TIME_MAX)
            s->origin += llrint(at * AV_TIME_BASE);
    }
    avformat_close_input(&ic);
    av_packet_free(&p);
}

static int add_replacement(struct rp_tracks *t)
{
    struct source *const s = &t->sources[1];
    const int n = av_find_best_stream(s->ic, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0);

    if (n < 0)
        return rp_fail(RP_ERR_FORMAT, "%s: there is no audio in it", s->path);
    find_origin(s, n);
    return add_track(t, s, &s->tracks[n], -1);
}

/* If the index already tells that samples of a track are missing, no work need be done first. */
static int check_samples(const struct rp_tracks *t, const struct source *s)
{
    const unsigned n = track_count(s);
    int64_t promised, there;

    for (unsigned i = 0; t->params.refuse && t->params.to_end && i < n; i++) {
        struct rp_damage *const d = &s->tracks[i].damage;
        rp_whole_samples(&s->content, s->ic, s->tracks[i].in, &promised, &there);
        if (!s->tracks[i].out || there == promised)
            continue;
        d->promised = promised;
        d->good = there;
        d->exact = d->cut = true;
        return rp_damage_fail(d, s->path);
    }
    return 0;
}

static int read_only_kept(struct rp_tracks *t)
{
    for (int k = 0; k < t->count; k++) {
        struct source *const s = &t->sources[k];
        const unsigned n = track_count(s);
        bool any = false;
        for (unsigned i = 0; i < n; i++) {
            const bool kept = s->tracks[i].out &&
                              s->tracks[i].in->codecpar->codec_type != AVMEDIA_TYPE_ATTACHMENT;
            if (kept)
                s->ic->streams[i]->discard = AVDISCARD_DEFAULT;
            any = any || kept;
        }
        s->ended = !any;
        RP_CHECK(check_samples(t, s));
        RP_CHECK(rp_clock_open(&s->clock, s->ic));
    }
    return 0;
}

/* Copies the metadata, without what describes the old file rather than its content. */
static int copy_metadata(struct rp_tracks *t)
{
    static const char *const own[] = {"major_brand",  "minor_version",   "compatible_brands",
                                      "encoder",      "creation_time",   "company_name",
                                      "product_name", "product_version", "duration"};
    AVDictionary **const to = &t->oc->metadata;

    if (av_dict_copy(to, t->sources[0].ic->metadata, 0) < 0)
        return RP_NOMEM(t->path);
    for (size_t i = 0; i < RP_ARRAY_LEN(own); i++)
        av_dict_set(to, own[i], NULL, 0);
    return 0;
}

int rp_tracks_open(struct rp_tracks **out, AVFormatContext *oc, const char *path,
                   const struct rp_tracks_params *params)
{
    int ret;
    struct rp_tracks *const t = *out = calloc(1, sizeof(*t));

    if (!t)
        return RP_NOMEM(path);
    t->oc = oc;
    t->params = *params;
    t->steady = rp_steady_needed(oc->oformat);
    t->hides = !strcmp(oc->oformat->name, "mp4") || !strcmp(oc->oformat->name, "mov");
    if (!(t->path = strdup(path))) {
        ret = RP_NOMEM(path);
        goto fail;
    }
    RP_TRY(open_source(t, params->target, false));
    if (params->replace_audio && params->audio_volume > 0)
        RP_TRY(open_source(t, params->replace_audio, true));
    else
        t->params.replace_audio = NULL;
    if (t->params.replace_audio)
        RP_TRY(add_replacement(t));
    RP_TRY(add_target(t));
    RP_TRY(read_only_kept(t));
    RP_TRY(copy_metadata(t));
    return 0;

fail:
    rp_tracks_close(out);
    return ret;
}

static void close_source(struct source *s)
{
    const unsigned n = s->ic && s->tracks ? track_count(s) : 0;

    for (unsigned i = 0; i < n; i++) {
        rp_resound_close(&s->tracks[i].resound);
        rp_retext_close(&s->tracks[i].retext);
    }
    free(s->tracks);
    rp_clock_close(&s->clock);
    av_packet_free(&s->packet);
    avformat_close_input(&s->ic);
    free(s->path);
}

void rp_tracks_close(struct rp_tracks **tracks)
{
    struct rp_tracks *const t = *tracks;

    if (!t)
        return;
    for (int i = 0; i < t->count; i++)
        close_source(&t->sources[i]);
    free(t->path);
    free(t);
    *tracks = NULL;
}

/* ---- chapters -------------------------------------------------------------------------------- */

static AVChapter *new_chapter(const AVChapter *from, int64_t start, int64_t end)
{
    AVChapter *const c = av_mallocz(sizeof(*c));

    if (!c)
        return NULL;
    c->id = from->id;
    c->time_base = from->time_base;
    c->start = start;
    c->end = end;
    if (av_dict_copy(&c->metadata, from->metadata, 0) < 0) {
        av_dict_free(&c->metadata);
        av_free(c);
        return NULL;
    }
    return c;
}

/* Chapters of the part that is kept, with their times moved. */
static int copy_chapters(struct rp_tracks *t)
{
    const AVFormatContext *const ic = t->sources[0].ic;
    AVFormatContext *const oc = t->oc;

    if (!(oc->chapters = av_calloc(ic->nb_chapters ? ic->nb_chapters : 1, sizeof(AVChapter *))))
        return RP_NOMEM(t->path);
    for (unsigned i = 0; i < ic->nb_chapters; i++) {
        const AVChapter *const c = ic->chapters[i];
        const int64_t shift = av_rescale_q(t->start, AV_TIME_BASE_Q, c->time_base);
        if (t->start && c->end <= shift)
            continue;
        AVChapter *const to = new_chapter(c, RP_MAX(c->start - shift, 0), c->end - shift);
        if (!to)
            return RP_NOMEM(t->path);
        oc->chapters[oc->nb_chapters++] = to;
    }
    return 0;
}

/* The encoder for sound that could be copied if its packets had times. */
static const AVCodec *choose_same_encoder(const AVCodecParameters *par)
{
    const enum AVCodecID id = par->codec_id;

    if (av_get_exact_bits_per_sample(id) || id == AV_CODEC_ID_AC3 || id == AV_CODEC_ID_MP2)
        return avcodec_find_encoder(id);
    return par->ch_layout.nb_channels > 2 ? avcodec_find_encoder(AV_CODEC_ID_AC3) : NULL;
}

/* Sound that cannot follow the picture from its beginning, packet by packet, is encoded. */
static int make_steady(struct rp_tracks *t, const struct source *s, struct track *track)
{
    const int64_t start = track->whole ? s->origin : t->start;
    const enum AVCodecID id = track->in->codecpar->codec_id;
    const AVCodec *encoder = choose_same_encoder(track->in->codecpar);

    if (!track->resound && rp_steady_is(s->path, track->in->index, start))
        return 0;
    encoder = encoder ? encoder : choose_audio_encoder(t);
    if (!track->resound && (!encoder || !avcodec_find_decoder(id))) {
        rp_log(RP_LOG_WARN, "%s: %s cannot be moved to its place here and may be out of step",
               t->path, track_name(track->in));
        return 0;
    }
    if (!track->resound)
        RP_CHECK(open_resound(t, track, encoder));
    rp_resound_place(track->resound, start);
    return 0;
}

int rp_tracks_start(struct rp_tracks *t, int64_t start)
{
    t->start = start;
    for (int k = 0; t->steady && k < t->count; k++) {
        const struct source *const s = &t->sources[k];
        const unsigned n = track_count(s);
        for (unsigned i = 0; i < n; i++)
            if (s->tracks[i].out && s->tracks[i].in->codecpar->codec_type == AVMEDIA_TYPE_AUDIO)
                RP_CHECK(make_steady(t, s, &s->tracks[i]));
    }
    return copy_chapters(t);
}

/* ---- packets --------------------------------------------------------------------------------- */

/* The muxer needs rising times; those of broken files may not be. */
static void keep_rising(struct track *track, AVPacket *p)
{
    if (p->dts == AV_NOPTS_VALUE)
        p->dts = p->pts;
    if (p->pts == AV_NOPTS_VALUE)
        p->pts = p->dts;
    if (p->dts == AV_NOPTS_VALUE)
        return;
    if (track->last_dts != AV_NOPTS_VALUE && p->dts <= track->last_dts &&
        track->out->codecpar->codec_type == AVMEDIA_TYPE_AUDIO)
        p->dts = track->last_dts + 1;
    p->pts = RP_MAX(p->pts, p->dts);
    track->last_dts = p->dts;
}

static bool is_audio(const struct track *track)
{
    return track->out->codecpar->codec_type == AVMEDIA_TYPE_AUDIO;
}

/* What becomes the output's time 0; what was placed and encoded begins there already, but for the
 * encoder's delay. */
static int64_t start_of(const struct rp_tracks *t, const struct track *track)
{
    if (track->resound && (track->whole || t->steady))
        return 0;
    return track->whole ? t->sources[1].origin : t->start;
}

/* The packet comes after those before it, from 0 on, whatever its time; false if it is too early.
 */
static bool follow_on(const struct rp_tracks *t, struct track *track, AVPacket *p, AVRational base)
{
    AVCodecParameters *const par = track->out->codecpar;
    const int64_t n = rp_steady_samples(par, p, base);
    const int64_t start = start_of(t, track);

    if (!track->samples && p->pts != AV_NOPTS_VALUE &&
        rp_steady_early(p->pts, n, base, par->sample_rate, start))
        return false;
    p->pts = p->dts = av_rescale_q(track->samples, (AVRational){1, par->sample_rate}, base);
    track->samples += n;
    return true;
}

/* FFmpeg's Matroska muxer said how early Opus begins and did not move it by that much. */
static void undo_delay(const struct rp_tracks *t, const struct track *track, AVPacket *p)
{
    const AVCodecParameters *const par = track->out->codecpar;

    if (LIBAVFORMAT_VERSION_MAJOR >= 60 || par->codec_id != AV_CODEC_ID_OPUS ||
        !rp_is_matroska(t->oc->oformat))
        return;
    const int64_t by =
        av_rescale_q(par->initial_padding, (AVRational){1, 48000}, track->out->time_base);
    p->pts += p->pts == AV_NOPTS_VALUE ? 0 : by;
    p->dts += p->dts == AV_NOPTS_VALUE ? 0 : by;
}

/* Takes the packet's content. Times are the source's, in `base`. */
static int write_packet(void *priv, AVPacket *p, AVRational base)
{
    struct track *const track = priv;
    struct rp_tracks *const t = track->owner;
    const AVRational to = track->out->time_base;
    int ret;

    if (is_audio(track) && t->steady && !follow_on(t, track, p, base))
        return 0;
    av_packet_rescale_ts(p, base, to);
    if (!(is_audio(track) && t->steady)) {
        const int64_t shift = av_rescale_q(start_of(t, track), AV_TIME_BASE_Q, to);
        p->pts -= p->pts == AV_NOPTS_VALUE ? 0 : shift;
        p->dts -= p->dts == AV_NOPTS_VALUE ? 0 : shift;
    }
    if (track->out->codecpar->codec_type == AVMEDIA_TYPE_SUBTITLE && p->pts < 0 &&
        p->pts != AV_NOPTS_VALUE) { /* began before the cut */
        p->duration = RP_MAX(p->duration + p->pts, 0);
        p->pts = p->dts = 0;
    }
    undo_delay(t, track, p);
    keep_rising(track, p);
    p->stream_index = track->out->index;
    p->pos = -1;
    ret = rp_written_packet(t->params.written, t->oc, p);
    if (ret >= 0)
        return 0;
    if (ret == AVERROR(ENOMEM) || (t->oc->pb && t->oc->pb->error < 0))
        return rp_av_fail(ret, t->path, "writing");
    if (!t->warned)
        rp_log(RP_LOG_WARN, "%s: a packet of %s cannot be kept: %s", t->path, track_name(track->in),
               av_err2str(ret));
    t->warned = true;
    return 0;
}

static int64_t time_of(const AVPacket *p, AVRational base)
{
    const int64_t ts = p->dts == AV_NOPTS_VALUE ? p->pts : p->dts;

    return ts == AV_NOPTS_VALUE ? AV_NOPTS_VALUE : av_rescale_q(ts, base, AV_TIME_BASE_Q);
}

/* Is sound before the beginning of the file? MP4 keeps it and says that it is not to be heard, in
 * other files only what ends just where sound is heard is kept: decoders begin with it. */
static bool is_cut_off(const struct rp_tracks *t, const struct track *track, const AVPacket *p)
{
    const int64_t end = av_rescale_q(av_sat_add64(p->pts, p->duration), track->in->time_base,
                                     AV_TIME_BASE_Q);

    if (t->steady) /* write_packet() sees to what is copied */
        return track->resound && end < t->start - PREROLL;
    if (track->resound) /* the decoder leaves out what is marked */
        return !(p->flags & AV_PKT_FLAG_DISCARD) && end <= t->start;
    return !t->hides && end < t->start - SLACK;
}

/* Is it before the part that is kept? A subtitle counts until it disappears. */
static bool is_early(const struct rp_tracks *t, const struct track *track, const AVPacket *p)
{
    const bool shown = track->out->codecpar->codec_type == AVMEDIA_TYPE_SUBTITLE;

    if (track->whole || p->pts == AV_NOPTS_VALUE)
        return false;
    if (is_audio(track) && (t->steady || !t->params.cut_start))
        return is_cut_off(t, track, p);
    const int64_t at =
        av_rescale_q(p->pts + (shown ? p->duration : 0), track->in->time_base, AV_TIME_BASE_Q);
    return shown ? at <= t->start : at < t->start;
}

/* Is it between two parts of an edit list? Decoders leave that out. */
static bool is_between(struct track *track, const AVPacket *p)
{
    const bool hidden = p->flags & AV_PKT_FLAG_DISCARD;

    if (!is_audio(track) || track->resound)
        return false;
    track->begun |= !hidden;
    return track->begun && hidden;
}

/* Where streams were joined, sound may begin again before it has ended. */
static bool is_twice(struct track *track, const AVPacket *p)
{
    if (!is_audio(track) || p->pts == AV_NOPTS_VALUE ||
        !rp_clock_jumps(track->owner->sources[track->whole].ic))
        return false;
    if (track->end != AV_NOPTS_VALUE && av_sat_add64(p->pts, p->duration / 2) < track->end)
        return true;
    track->end = av_sat_add64(p->pts, p->duration);
    return false;
}

static int take_packet(struct rp_tracks *t, struct track *track, AVPacket *p)
{
    if (is_early(t, track, p) || is_between(track, p) || is_twice(track, p))
        return 0;
    if (track->resound)
        return rp_resound_packet(track->resound, p, write_packet, track);
    if (track->retext)
        return rp_retext_packet(track->retext, p, write_packet, track);
    return write_packet(track, p, track->in->time_base);
}

/* There are no more packets, whatever the reason. */
static void end_source(struct source *s, int averror)
{
    const unsigned n = track_count(s);
    const bool broken = averror != AVERROR_EOF && s->content.promises;
    int64_t promised, there;

    s->ended = true;
    s->failed = averror == AVERROR(ENOMEM);
    for (unsigned i = 0; i < n; i++) {
        struct track *const track = &s->tracks[i];
        if (!track->out || track->in->codecpar->codec_type == AVMEDIA_TYPE_ATTACHMENT)
            continue;
        rp_whole_samples(&s->content, s->ic, track->in, &promised, &there);
        /* a file says how long all of it is: nobody knows whether there were more subtitles */
        const bool cut = promised ? there < promised : (s->content.cut || broken) && is_audio(track);
        track->damage.promised = track->resound ? 0 : promised;
        track->damage.exact = true;
        rp_damage_end(&track->damage, cut);
    }
}

/* What the container says about a packet that is copied. */
static void note_packet(const struct source *s, struct track *track, const AVPacket *p)
{
    if (track->resound || track->retext)
        return;
    if ((p->flags & AV_PKT_FLAG_CORRUPT) && !rp_clock_jumps(s->ic))
        rp_damage_bad(&track->damage, (double) p->pts * av_q2d(track->in->time_base),
                      "the packet is not whole", true);
    else
        rp_damage_good(&track->damage);
}

/* The next packet of a kept track into s->packet; false at the end. */
static bool read_packet(struct source *s)
{
    const unsigned n = track_count(s);

    while (!s->pending && !s->ended) {
        const int ret = rp_clock_read(s->clock, s->packet);
        if (ret < 0)
            end_source(s, ret);
        else if ((unsigned) s->packet->stream_index < n && s->tracks[s->packet->stream_index].out)
            s->pending = true;
        else
            av_packet_unref(s->packet);
    }
    return s->pending;
}

/* With `refuse` damage is a failure. */
static int check_damage(const struct rp_tracks *t, const struct source *s)
{
    const unsigned n = track_count(s);

    for (unsigned i = 0; t->params.refuse && i < n; i++)
        if (s->tracks[i].out && rp_damage_any(&s->tracks[i].damage))
            return rp_damage_fail(&s->tracks[i].damage, s->path);
    return 0;
}

/* `time` is the target's; the sound of a replacing file begins with the output. */
static int source_until(struct rp_tracks *t, struct source *s, int64_t time)
{
    int ret;

    while (read_packet(s)) {
        struct track *const track = &s->tracks[s->packet->stream_index];
        const int64_t at = time_of(s->packet, track->in->time_base);
        if (at != AV_NOPTS_VALUE && (s->replaces ? at - s->origin + t->start : at) >= time)
            return 0;
        s->pending = false;
        note_packet(s, track, s->packet);
        ret = take_packet(t, track, s->packet);
        av_packet_unref(s->packet);
        if (ret < 0)
            return ret;
    }
    return s->failed ? RP_NOMEM(s->path) : check_damage(t, s);
}

int rp_tracks_until(struct rp_tracks *t, int64_t time)
{
    int ret = 0;

    for (int i = 0; i < t->count && ret >= 0; i++)
        ret = source_until(t, &t->sources[i], time);
    return ret;
}

static int flush_encoders(struct rp_tracks *t)
{
    int ret = 0;

    for (int k = 0; k < t->count; k++) {
        const unsigned n = track_count(&t->sources[k]);
        for (unsigned i = 0; i < n && ret >= 0; i++) {
            struct track *const track = &t->sources[k].tracks[i];
            if (track->resound)
                ret = rp_resound_packet(track->resound, NULL, write_packet, track);
        }
    }
    return ret;
}

int rp_tracks_finish(struct rp_tracks *t, int64_t end, bool cut)
{
    int ret = 0;

    for (int i = 0; i < t->count && ret >= 0; i++) {
        struct source *const s = &t->sources[i];
        ret = source_until(t, s, cut || s->replaces ? end : INT64_MAX);
    }
    if (ret >= 0)
        ret = flush_encoders(t);
    for (int i = 0; i < t->count && ret >= 0; i++)
        ret = check_damage(t, &t->sources[i]);
    return ret;
}

void rp_tracks_damage(const struct rp_tracks *t, char *text, size_t size)
{
    char one[320];

    for (int k = 0; k < t->count; k++) {
        const unsigned n = track_count(&t->sources[k]);
        for (unsigned i = 0; i < n; i++) {
            const struct track *const track = &t->sources[k].tracks[i];
            const size_t at = strlen(text);
            if (track->out && rp_damage_any(&track->damage))
                snprintf(text + at, size - at, "%s%s", at ? ", " : "",
                         rp_damage_text(&track->damage, one, sizeof(one)));
        }
    }
}
