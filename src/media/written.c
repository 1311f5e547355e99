#include "media/written.h"

#include <libavutil/intreadwrite.h>

/* ---- the account ----------------------------------------------------------------------------- */

int rp_written_begin(struct rp_written *w, const AVFormatContext *oc, int video)
{
    w->count = oc->nb_streams;
    w->video = video;
    if (!(w->streams = calloc(RP_MAX(w->count, 1u), sizeof(*w->streams))))
        return AVERROR(ENOMEM);
    return 0;
}

void rp_written_free(struct rp_written *w)
{
    free(w->streams);
    *w = (struct rp_written){0};
}

/* One more packet of a stream. */
static void add(struct rp_written_stream *s, const AVPacket *p)
{
    if (p->size <= 0)
        return;
    const int64_t pts = p->pts == AV_NOPTS_VALUE ? p->dts : p->pts;
    s->first = s->packets ? RP_MIN(s->first, pts) : pts;
    s->last = s->packets ? RP_MAX(s->last, pts) : pts;
    s->first_dts = s->packets ? s->first_dts : p->dts;
    s->last_dts = p->dts;
    if (s->packets < RP_WRITTEN_LOOK)
        s->offset[s->packets] = pts == AV_NOPTS_VALUE ? 0 : av_sat_sub64(pts, p->dts);
    s->packets++;
    s->bytes += p->size;
}

int rp_written_packet(struct rp_written *w, AVFormatContext *oc, AVPacket *p)
{
    struct rp_written_stream now = {0}, *s = NULL;

    if ((unsigned) p->stream_index < w->count) {
        s = &w->streams[p->stream_index];
        now = *s;
        add(&now, p);
    }
    const int ret = av_interleaved_write_frame(oc, p);
    if (s && ret >= 0)
        *s = now;
    return ret;
}

/* ---- the file -------------------------------------------------------------------------------- */

struct found {
    const AVFormatContext *oc;
    AVFormatContext *ic;
    const struct rp_written *w;
    struct rp_written read;
    bool mov, matroska, avi;
    bool loose;     /* packets are not the muxer's */
    bool mixed;     /* streams come up in any order */
    char what[160]; /* that is missing */
};

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (!strcmp(name, *names))
            return true;
    return false;
}

static int open_back(struct found *f, const char *path)
{
    AVDictionary *opts = NULL;
    char *const url = rp_asprintf("file:%s", path);
    int ret = AVERROR(ENOMEM);

    if (url && (f->ic = avformat_alloc_context()) &&
        (ret = av_dict_set(&opts, "protocol_whitelist", "file", 0)) >= 0 &&
        (ret = av_dict_set(&opts, "ignore_editlist", "1", 0)) >= 0) {
        f->ic->flags |= AVFMT_FLAG_NOPARSE | AVFMT_FLAG_NOFILLIN;
        ret = avformat_open_input(&f->ic, url, NULL, &opts);
    }
    av_dict_free(&opts);
    free(url);
    return ret;
}

/* MP4 has no track for a stream without a packet, such as sound that ends before the part that is
 * kept. */
static bool is_left_out(const struct found *f, unsigned i)
{
    return f->mov && !f->w->streams[i].packets;
}

/* Where the streams before this one are in the file; all of them: how many tracks it must have. */
static unsigned place_of(const struct found *f, unsigned i)
{
    unsigned at = 0;

    while (i-- > 0)
        at += !is_left_out(f, i);
    return at;
}

/* Numbers in the stream's time base of the file that was written. */
static int64_t span(const struct found *f, unsigned i, int64_t from, int64_t to)
{
    return av_rescale_q(av_sat_sub64(to, from), f->ic->streams[place_of(f, i)]->time_base,
                        f->oc->streams[i]->time_base);
}

/* From the index. */
static void count_samples(struct found *f)
{
    for (unsigned i = 0; i < f->read.count; i++) {
        AVStream *const st = is_left_out(f, i) ? NULL : f->ic->streams[place_of(f, i)];
        struct rp_written_stream *const s = &f->read.streams[i];
        const int n = st ? avformat_index_get_entries_count(st) : 0;

        for (int k = 0; k < n; k++) {
            const AVIndexEntry *const e = avformat_index_get_entry(st, k);
            s->packets += e->size > 0;
            s->bytes += e->size;
            s->first_dts = k ? s->first_dts : e->timestamp;
            s->last_dts = e->timestamp;
        }
    }
}

/* The stream of what was written that a packet belongs to. Where streams come up with their
 * packets, in whatever order, there is one of a kind. */
static unsigned stream_of(const struct found *f, const AVPacket *p)
{
    const enum AVMediaType kind = f->ic->streams[p->stream_index]->codecpar->codec_type;
    unsigned i = 0;

    while (i < f->w->count && (f->mixed ? f->oc->streams[i]->codecpar->codec_type != kind
                                        : is_left_out(f, i) ||
                                              place_of(f, i) != (unsigned) p->stream_index))
        i++;
    return i;
}

/* Of all packets, or until so many of the video have come. */
static int count_packets(struct found *f, int64_t enough)
{
    AVPacket *p = av_packet_alloc();
    struct rp_written_stream *const video = &f->read.streams[f->w->video];
    int ret = p ? 0 : AVERROR(ENOMEM);

    while (ret >= 0 && video->packets < enough && (ret = av_read_frame(f->ic, p)) >= 0) {
        const unsigned i = stream_of(f, p);
        if (i < f->read.count)
            add(&f->read.streams[i], p);
        av_packet_unref(p);
    }
    av_packet_free(&p);
    return ret == AVERROR_EOF ? 0 : ret;
}

/* MP4: the offsets of the first pictures, which the index of libavformat does not tell. */
static int look_at_offsets(struct found *f)
{
    struct rp_written read = {0};
    int ret;

    if ((ret = rp_written_begin(&read, f->oc, f->w->video)) < 0)
        return ret;
    const struct rp_written kept = f->read;
    f->read = read;
    f->read.count = kept.count;
    ret = count_packets(f, RP_WRITTEN_LOOK);
    memcpy(kept.streams[f->w->video].offset, f->read.streams[f->w->video].offset,
           sizeof(kept.streams->offset));
    rp_written_free(&f->read);
    f->read = kept;
    return ret;
}

/* ---- the comparison -------------------------------------------------------------------------- */

RP_PRINTF(2, 3) static void lose(struct found *f, const char *fmt, ...)
{
    va_list args;

    if (f->what[0]) /* the first is enough */
        return;
    va_start(args, fmt);
    vsnprintf(f->what, sizeof(f->what), fmt, args);
    va_end(args);
}

static const char *kind_of(const AVStream *st)
{
    const char *const name = av_get_media_type_string(st->codecpar->codec_type);

    return name ? name : "data";
}

/* Does the decoder need what comes before the first packet? */
static bool needs_header(enum AVCodecID id)
{
    static const enum AVCodecID known[] = {AV_CODEC_ID_H264, AV_CODEC_ID_HEVC,  AV_CODEC_ID_MPEG4,
                                           AV_CODEC_ID_AV1,  AV_CODEC_ID_AAC,   AV_CODEC_ID_FLAC,
                                           AV_CODEC_ID_OPUS, AV_CODEC_ID_VORBIS};

    for (size_t i = 0; i < RP_ARRAY_LEN(known); i++)
        if (known[i] == id)
            return true;
    return false;
}

static void compare_stream(struct found *f, unsigned i)
{
    const AVCodecParameters *const out = f->oc->streams[i]->codecpar;
    const AVCodecParameters *const in = f->ic->streams[place_of(f, i)]->codecpar;
    const char *const kind = kind_of(f->oc->streams[i]);

    if (in->codec_type != out->codec_type)
        lose(f, "track %u is no %s", i, kind);
    if (!f->mov && !f->matroska)
        return;
    if ((int) i == f->w->video && in->codec_id != out->codec_id)
        lose(f, "the video is %s, not %s", avcodec_get_name(in->codec_id),
             avcodec_get_name(out->codec_id));
    if ((int) i == f->w->video && in->width > 0 && /* 0: it is in the packets only */
        (in->width != out->width || in->height != out->height))
        lose(f, "the video is %dx%d, not %dx%d", in->width, in->height, out->width, out->height);
    if (out->extradata_size > 0 && in->extradata_size <= 0 && needs_header(out->codec_id))
        lose(f, "track %u (%s) has no header for its decoder", i, kind);
}

/* Is one packet of the muxer one in the file? */
static bool is_one_each(const struct found *f, unsigned i)
{
    static const enum AVCodecID kept[] = {AV_CODEC_ID_AAC,     AV_CODEC_ID_MP3,    AV_CODEC_ID_AC3,
                                          AV_CODEC_ID_OPUS,    AV_CODEC_ID_VORBIS, AV_CODEC_ID_FLAC,
                                          AV_CODEC_ID_ALAC,    AV_CODEC_ID_SUBRIP, AV_CODEC_ID_ASS,
                                          AV_CODEC_ID_MOV_TEXT};

    if ((int) i == f->w->video)
        return true;
    for (size_t k = 0; (f->mov || f->matroska) && k < RP_ARRAY_LEN(kept); k++)
        if (f->oc->streams[i]->codecpar->codec_id == kept[k])
            return true;
    return false;
}

static bool is_pcm(const struct found *f, unsigned i)
{
    const AVCodecParameters *const par = f->oc->streams[i]->codecpar;

    return (f->mov || f->avi) && par->codec_type == AVMEDIA_TYPE_AUDIO &&
           av_get_exact_bits_per_sample(par->codec_id) > 0;
}

static void compare_packets(struct found *f, unsigned i, int64_t frames)
{
    const struct rp_written_stream *const out = &f->w->streams[i], *const in = &f->read.streams[i];
    const bool video = (int) i == f->w->video;
    const int64_t want = video ? RP_MIN(out->packets, frames) : out->packets;
    const char *const kind = kind_of(f->oc->streams[i]);

    if (f->loose)
        return;
    if (is_pcm(f, i)) {
        if (in->bytes < out->bytes)
            lose(f, "track %u (%s): %lld of %lld bytes", i, kind, (long long) in->bytes,
                 (long long) out->bytes);
        return;
    }
    if (in->packets < want && is_one_each(f, i))
        lose(f, "track %u (%s): %lld of %lld packets", i, kind, (long long) in->packets,
             (long long) want);
    else if (!in->packets && out->packets)
        lose(f, "track %u (%s) is empty", i, kind);
}

/* The times of the video. Containers may round them. */
static void compare_times(struct found *f)
{
    const unsigned v = (unsigned) f->w->video;
    const struct rp_written_stream *const out = &f->w->streams[v], *const in = &f->read.streams[v];
    const AVRational ms = {1, 1000};
    const int64_t slack = 1 + av_rescale_q(2, ms, f->oc->streams[v]->time_base);

    if (out->packets < 1 || (!f->mov && !f->matroska))
        return;
    const int64_t want = f->mov ? out->last_dts - out->first_dts : out->last - out->first;
    const int64_t has =
        f->mov ? span(f, v, in->first_dts, in->last_dts) : span(f, v, in->first, in->last);
    if (FFABS(has - want) > slack)
        lose(f, "the video lasts %.3f s, not %.3f s",
             (double) has * av_q2d(f->oc->streams[v]->time_base),
             (double) want * av_q2d(f->oc->streams[v]->time_base));
    for (int k = 1; f->mov && k < RP_WRITTEN_LOOK && k < out->packets; k++) {
        const int64_t by = span(f, v, in->offset[0], in->offset[k]);
        if (FFABS(by - (out->offset[k] - out->offset[0])) > slack) {
            lose(f, "the order in which frames are shown");
            return;
        }
    }
}

/* The index before what it is about. */
static void compare_layout(struct found *f)
{
    const int64_t data = f->ic->nb_streams && avformat_index_get_entries_count(f->ic->streams[0])
                             ? avformat_index_get_entry(f->ic->streams[0], 0)->pos
                             : 0;
    uint8_t head[8];
    int64_t at = 0;

    while (at < data && avio_seek(f->ic->pb, at, SEEK_SET) == at &&
           avio_read(f->ic->pb, head, 8) == 8) {
        if (!memcmp(head + 4, "moov", 4))
            return;
        if (AV_RB32(head) < 8)
            break;
        at += AV_RB32(head);
    }
    lose(f, "its index is not at its beginning");
}

static int compare(struct found *f, int64_t frames)
{
    int ret;

    const unsigned tracks = place_of(f, f->w->count);
    if (f->ic->nb_streams < tracks && !f->loose && !f->mixed) {
        lose(f, "%u of %u tracks", f->ic->nb_streams, tracks);
        return 0;
    }
    if (f->loose)
        f->read.count = RP_MIN(f->read.count, f->ic->nb_streams);
    if (f->mov)
        count_samples(f);
    if ((ret = f->mov ? look_at_offsets(f) : f->loose ? 0 : count_packets(f, INT64_MAX)) < 0)
        return ret;
    for (unsigned i = 0; i < f->read.count; i++) {
        if (is_left_out(f, i))
            continue;
        if (!f->mixed)
            compare_stream(f, i);
        compare_packets(f, i, frames);
    }
    compare_times(f);
    if ((f->mov || f->matroska) && f->ic->nb_chapters < f->oc->nb_chapters)
        lose(f, "%u of %u chapters", f->ic->nb_chapters, f->oc->nb_chapters);
    if (f->mov)
        compare_layout(f);
    return 0;
}

int rp_written_check(const struct rp_written *w, const AVFormatContext *oc, const char *path,
                     const char *name, int64_t frames)
{
    static const char *const mov[] = {"mp4", "mov", "ipod", "3gp", "3g2", "psp", NULL};
    static const char *const kept[] = {"matroska", "webm", "avi",    "gif", "flv",
                                       "nut",      "asf",  "mpegts", NULL};
    const char *const format = oc->oformat->name;
    struct found f = {.oc = oc,
                      .w = w,
                      .mov = is_one_of(format, mov),
                      .avi = !strcmp(format, "avi"),
                      .matroska = rp_is_matroska(oc->oformat)};
    int ret;

    f.loose = !f.mov && !is_one_of(format, kept);
    f.mixed = !strcmp(format, "flv");
    if ((ret = rp_written_begin(&f.read, oc, w->video)) >= 0 && (ret = open_back(&f, path)) >= 0)
        ret = compare(&f, frames);
    if (ret < 0 && rp_av_status(ret) == RP_ERR_FORMAT) {
        lose(&f, "it cannot be read: %s", av_err2str(ret));
        ret = 0;
    }
    avformat_close_input(&f.ic);
    rp_written_free(&f.read);
    if (rp_av_lacks())
        return RP_NOMEM(name);
    if (ret < 0)
        return rp_av_fail(ret, name, "reading what was written");
    if (f.what[0])
        return rp_fail(RP_ERR_AGAIN,
                       "%s: not all that was written is in the file (%s), as when a library has no "
                       "memory; nothing is kept, so try again",
                       name, f.what);
    return 0;
}
