/* rp_join_videos(): packets of several files of one kind, one file after the other.
 *
 * What the first file's video shows ends where the next one's begins, to the tick of its clock.
 * Sound that a part has beyond its picture, as encoders put there, is left out up to the next
 * part's own. */
#include "media/av.h"

#include <libavutil/avstring.h>

#include "base/path.h"
#include "media/written.h"

#define JOINED_STREAMS 64

struct joiner {
    const char *name; /* for messages */
    const char *file; /* to write */
    AVFormatContext *oc, *ic;
    AVPacket *packet;
    int video;                    /* in the output */
    int to[JOINED_STREAMS];       /* of the streams of `ic`: where in the output, or -1 */
    int64_t last[JOINED_STREAMS]; /* of the output's: the last dts */
    int64_t shift, end;           /* in the clock of the output's video */
    int64_t frames;
    struct rp_mark mark;
    struct rp_written written;
    struct rp_watch watch;
};

static bool is_mov(const AVOutputFormat *format)
{
    return av_match_name(format->name, "mp4,mov,ipod,3gp,3g2,psp,ismv");
}

static bool is_kept(const AVStream *st)
{
    const enum AVMediaType type = st->codecpar->codec_type;

    return type == AVMEDIA_TYPE_VIDEO || type == AVMEDIA_TYPE_AUDIO ||
           type == AVMEDIA_TYPE_SUBTITLE;
}

/* ---- the mark -------------------------------------------------------------------------------- */

/* Append the words of `more` that the list does not have. */
static void merge_words(char *list, size_t size, const char *more)
{
    char word[512];

    for (int n = 0; sscanf(more, " %511s%n", word, &n) == 1; more += n) {
        const size_t used = strlen(list), length = strlen(word);
        bool known = false;

        for (const char *at = list; !known && (at = strstr(at, word)); at += length)
            known = (at == list || at[-1] == ' ') && (at[length] == ' ' || !at[length]);
        if (!known && used + length + 2 <= size)
            snprintf(list + used, size - used, "%s%s", used ? " " : "", word);
    }
}

static int add_mark(struct joiner *j, const char *path)
{
    struct rp_mark mark;

    RP_CHECK(rp_inspect_sized(path, &mark, sizeof(mark)));
    if (!mark.present)
        return 0;
    if (!j->mark.present) {
        j->mark = mark;
        return 0;
    }
    merge_words(j->mark.processors, sizeof(j->mark.processors), mark.processors);
    merge_words(j->mark.models, sizeof(j->mark.models), mark.models);
    rp_mark_add_damage(&j->mark, mark.damage);
    return 0;
}

/* ---- opening --------------------------------------------------------------------------------- */

static int take_dict(AVDictionary **to, const AVDictionary *from)
{
    static const char *const stale[] = {"major_brand", "minor_version", "compatible_brands",
                                        "encoder",     "DURATION",      "creation_time"};

    if (av_dict_copy(to, from, 0) < 0)
        return AVERROR(ENOMEM);
    for (size_t i = 0; i < RP_ARRAY_LEN(stale); i++)
        av_dict_set(to, stale[i], NULL, 0);
    return 0;
}

static int add_stream(struct joiner *j, const AVStream *from)
{
    AVStream *const st = avformat_new_stream(j->oc, NULL);

    if (!st || avcodec_parameters_copy(st->codecpar, from->codecpar) < 0 ||
        take_dict(&st->metadata, from->metadata) < 0)
        return RP_NOMEM(j->name);
    st->time_base = from->time_base;
    st->avg_frame_rate = from->avg_frame_rate;
    st->r_frame_rate = from->r_frame_rate;
    st->sample_aspect_ratio = from->sample_aspect_ratio;
    st->disposition = from->disposition;
    j->last[st->index] = INT64_MIN;
    return 0;
}

static int write_header(struct joiner *j)
{
    AVDictionary *opts = NULL;
    const AVRational base = j->oc->streams[j->video]->time_base;

    if (is_mov(j->oc->oformat)) {
        rp_dict_set(&opts, "movflags", "+faststart+use_metadata_tags", 0);
        if (base.num == 1)
            rp_dict_set_int(&opts, "video_track_timescale", base.den, 0);
    } else {
        j->oc->avoid_negative_ts = 0;
    }
    const int ret = avformat_write_header(j->oc, &opts);
    av_dict_free(&opts);
    if (ret < 0)
        return rp_av_fail(ret, j->name, "writing the header");
    return rp_written_begin(&j->written, j->oc, j->video) < 0 ? RP_NOMEM(j->name) : 0;
}

/* An output like the first file. */
static int begin(struct joiner *j)
{
    int ret;
    const bool m4v = !strcasecmp(rp_path_ext(j->file), "m4v");
    const AVOutputFormat *const format =
        av_guess_format(m4v ? "mp4" : NULL, m4v ? NULL : j->file, NULL);
    char *const url = rp_asprintf("file:%s", j->file);

    if (!url)
        return RP_NOMEM(j->name);
    if (!format) {
        ret = rp_fail(RP_ERR_USAGE, "%s: no video container has this extension", j->name);
        goto fail;
    }
    if ((ret = avformat_alloc_output_context2(&j->oc, format, NULL, url)) < 0 ||
        (ret = avio_open(&j->oc->pb, url, AVIO_FLAG_WRITE)) < 0) {
        ret = rp_av_fail(ret, j->name, "creating");
        goto fail;
    }
    j->oc->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL; /* FLAC in MP4 */
    for (unsigned i = 0; i < j->ic->nb_streams && j->oc->nb_streams < JOINED_STREAMS; i++) {
        if ((int) i == rp_av_video_stream(j->ic))
            j->video = (int) j->oc->nb_streams;
        if (is_kept(j->ic->streams[i]))
            RP_TRY(add_stream(j, j->ic->streams[i]));
    }
    if (take_dict(&j->oc->metadata, j->ic->metadata) < 0) {
        ret = RP_NOMEM(j->name);
        goto fail;
    }
    if (j->mark.present)
        RP_TRY(rp_mark_to_dict(&j->mark, &j->oc->metadata,
                               av_dict_get(j->ic->metadata, "synthetic_media", NULL, 0)));
    RP_TRY(write_header(j));
fail:
    free(url);
    return ret;
}

/* Where a stream has its place in the output: with the one of the same number among its kind. */
static int place_of(const struct joiner *j, unsigned i)
{
    const enum AVMediaType type = j->ic->streams[i]->codecpar->codec_type;
    int before = 0;

    for (unsigned k = 0; k < i; k++)
        before += j->ic->streams[k]->codecpar->codec_type == type;
    for (unsigned k = 0; k < j->oc->nb_streams; k++)
        if (j->oc->streams[k]->codecpar->codec_type == type && before-- == 0)
            return (int) k;
    return -1;
}

static bool is_alike(const AVCodecParameters *a, const AVCodecParameters *b)
{
    return a->codec_id == b->codec_id && a->width == b->width && a->height == b->height &&
           a->sample_rate == b->sample_rate &&
           (a->codec_type == AVMEDIA_TYPE_SUBTITLE ||
            (a->extradata_size == b->extradata_size &&
             (!a->extradata_size ||
              !memcmp(a->extradata, b->extradata, (size_t) a->extradata_size))));
}

static int map_streams(struct joiner *j, const char *path)
{
    const int video = rp_av_video_stream(j->ic);

    for (int i = 0; i < JOINED_STREAMS; i++)
        j->to[i] = -1; /* also of those that turn up later */
    for (unsigned i = 0; i < RP_MIN(j->ic->nb_streams, (unsigned) JOINED_STREAMS); i++) {
        const AVStream *const st = j->ic->streams[i];

        j->to[i] = is_kept(st) ? place_of(j, i) : -1;
        if (j->to[i] >= 0 && !is_alike(st->codecpar, j->oc->streams[j->to[i]]->codecpar))
            return rp_fail(RP_ERR_UNSUPPORTED,
                           "%s: its track %u differs from that of the first part "
                           "in codec, size or settings, so the parts cannot be joined; give all of "
                           "them the same target and output options",
                           path, i);
    }
    if (video < 0 || video >= JOINED_STREAMS || j->to[video] != j->video)
        return rp_fail(RP_ERR_UNSUPPORTED, "%s: it has no video like the first part", path);
    return 0;
}

/* ---- copying --------------------------------------------------------------------------------- */

/* False for a packet that the output has no place for. */
static bool place_packet(struct joiner *j, AVPacket *p)
{
    const AVStream *const from = j->ic->streams[p->stream_index];
    const int to = p->stream_index < JOINED_STREAMS ? j->to[p->stream_index] : -1;

    if (to < 0 || p->dts == AV_NOPTS_VALUE)
        return false;
    const AVRational base = j->oc->streams[to]->time_base;
    const AVRational clock = j->oc->streams[j->video]->time_base;

    av_packet_rescale_ts(p, from->time_base, base);
    const int64_t shift = av_rescale_q(j->shift, clock, base);
    p->dts = av_sat_add64(p->dts, shift);
    if (p->pts != AV_NOPTS_VALUE)
        p->pts = av_sat_add64(p->pts, shift);
    p->stream_index = to;
    p->pos = -1;
    if (p->dts <= j->last[to]) {
        if (to != j->video || p->pts == AV_NOPTS_VALUE || p->pts <= j->last[to])
            return to == j->video; /* the muxer says what is wrong with a picture */
        p->dts = j->last[to] + 1;
    }
    j->last[to] = p->dts;
    if (to == j->video) {
        const int64_t pts = p->pts == AV_NOPTS_VALUE ? p->dts : p->pts;
        const AVRational rate = from->avg_frame_rate;
        const int64_t one = p->duration > 0 || rate.num <= 0 || rate.den <= 0
                                ? p->duration
                                : av_rescale_q(1, av_inv_q(rate), base);

        j->end = RP_MAX(j->end, av_sat_add64(pts, one));
        j->frames++;
    }
    return true;
}

static int copy_packets(struct joiner *j, const char *path)
{
    int ret;

    while ((ret = av_read_frame(j->ic, j->packet)) >= 0) {
        if (place_packet(j, j->packet))
            ret = rp_written_packet(&j->written, j->oc, j->packet);
        av_packet_unref(j->packet);
        if (ret < 0)
            return rp_av_fail(ret, j->name, "writing");
    }
    return ret == AVERROR_EOF ? 0 : rp_av_fail(ret, path, "reading");
}

static int add_part(struct joiner *j, const char *path, bool first)
{
    int ret;

    RP_TRY(rp_av_open(&j->ic, path, true));
    if (rp_av_video_stream(j->ic) < 0) {
        ret = rp_fail(RP_ERR_FORMAT, "%s: not a video", path);
        goto fail;
    }
    if (first)
        RP_TRY(begin(j));
    RP_TRY(map_streams(j, path));
    const AVStream *const st = j->ic->streams[rp_av_video_stream(j->ic)];
    const int64_t start = st->start_time == AV_NOPTS_VALUE ? 0 : st->start_time;

    if (!first)
        j->shift = av_sat_sub64(
            j->end, av_rescale_q(start, st->time_base, j->oc->streams[j->video]->time_base));
    RP_TRY(copy_packets(j, path));
fail:
    avformat_close_input(&j->ic);
    return ret;
}

static int finish(struct joiner *j)
{
    int ret = av_write_trailer(j->oc);

    if (ret >= 0 && j->oc->pb->error < 0)
        ret = j->oc->pb->error;
    const int closed = avio_closep(&j->oc->pb);
    if ((ret = ret < 0 ? ret : closed) < 0)
        return rp_av_fail(ret, j->name, "writing");
    if (j->mark.present)
        RP_CHECK(rp_mark_append(&j->mark, j->file, j->oc->oformat));
    return rp_watch_lacks(&j->watch)
               ? RP_NOMEM(j->name)
               : rp_written_check(&j->written, j->oc, j->file, j->name, j->frames);
}

static int join(struct joiner *j, int n, const char *const *paths)
{
    if (!(j->packet = av_packet_alloc()))
        return RP_NOMEM(j->name);
    for (int i = 0; i < n; i++)
        RP_CHECK(add_mark(j, paths[i]));
    for (int i = 0; i < n; i++)
        RP_CHECK(add_part(j, paths[i], i == 0));
    return finish(j);
}

int rp_join_videos(int n, const char *const *paths, const char *output)
{
    int ret;
    struct rp_partial out = {0};
    struct joiner j = {.name = output};

    rp_watch_begin(&j.watch);
    if (n < 1)
        return rp_fail(RP_ERR_INVALID, "%s: no parts to join", output);
    RP_TRY(rp_partial_begin(&out, output));
    j.file = out.temp;
    RP_TRY(join(&j, n, paths));
    ret = rp_partial_commit(&out);
fail:
    if (j.oc && j.oc->pb)
        avio_closep(&j.oc->pb);
    avformat_free_context(j.oc);
    av_packet_free(&j.packet);
    rp_written_free(&j.written);
    rp_partial_abort(&out);
    return ret;
}
