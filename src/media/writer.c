/* Video out: what encode.c encodes, or pieces that are encoded already (piece.c), muxed with the
 * packets of tracks.c.
 *
 * If the container allows (MP4, MOV), the track's time base is the target's. Encoder and header are
 * made when the first frame comes, whose size and format are then known.
 */
#include "media/av.h"

#include "base/path.h"
#include "media/encode.h"
#include "media/piece_file.h"
#include "media/steady.h"
#include "media/written.h"

struct rp_writer {
    char *file; /* to write */
    char *path; /* for messages */
    char *target;
    char *preset, *audio_encoder, *replace_audio;
    struct rp_writer_params params;
    struct rp_mark mark;
    bool marked;

    struct rp_video_info info; /* of the target */
    struct rp_video_tags tags;
    AVDictionary *stream_metadata;
    struct rp_reader_params range; /* that is read of the target */

    AVFormatContext *oc;
    AVStream *stream;
    const AVCodec *codec;
    struct rp_encode *encode;
    struct rp_encode_said said;
    struct rp_tracks *tracks;

    int64_t end;   /* of the last frame, in the target's time base */
    int64_t index; /* number of the last frame */
    bool begun;
    char damage[640]; /* of the input */
    char others[sizeof((struct rp_mark *) 0)->damage]; /* of other files, for the mark only */
    struct rp_watch watch;                             /* of the encoder too */
    struct rp_written written; /* what the muxer was given */

    bool pieces;               /* instead of frames */
    struct rp_piece_head head; /* of the first */
    struct rp_piece_clock clock;
    int64_t packets; /* of the picture */
};

/* ---- opening --------------------------------------------------------------------------------- */

static int open_output(struct rp_writer *w)
{
    const AVOutputFormat *const format = rp_guess_format(w->file);
    char *const url = rp_asprintf("file:%s", w->file);
    int ret;

    if (!url)
        return RP_NOMEM(w->path);
    if (!format) {
        ret = rp_fail(RP_ERR_USAGE, "%s: no video container has this extension", w->path);
        goto fail;
    }
    if ((ret = avformat_alloc_output_context2(&w->oc, format, NULL, url)) < 0) {
        ret = rp_av_fail(ret, w->path, "creating");
        goto fail;
    }
    w->oc->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL; /* FLAC in MP4 */
    w->oc->flags |= AVFMT_FLAG_AUTO_BSF;
    RP_TRY(rp_choose_encoder(format, w->params.video_encoder, w->params.alpha, w->path, &w->codec));
    if (!(w->stream = avformat_new_stream(w->oc, NULL))) {
        ret = RP_NOMEM(w->path);
        goto fail;
    }
    if ((ret = avio_open(&w->oc->pb, url, AVIO_FLAG_WRITE)) < 0)
        ret = rp_av_fail(ret, w->path, "creating");
fail:
    free(url);
    return ret;
}

/* NULL for no text. False if out of memory. */
static bool copy_text(char **to, const char *s)
{
    *to = s && s[0] ? strdup(s) : NULL;
    return *to || !s || !s[0];
}

/* Copies the parameters: the caller may free its own. */
static int keep_params(struct rp_writer *w, const struct rp_reader *reader,
                       const struct rp_writer_params *params)
{
    const struct rp_reader_params *const range = rp_reader_range(reader);

    w->params = *params;
    if (!copy_text(&w->preset, params->video_preset) ||
        !copy_text(&w->audio_encoder, params->audio_encoder) ||
        !copy_text(&w->replace_audio, params->replace_audio))
        return RP_NOMEM(w->path);
    w->params.video_preset = w->preset;
    w->params.audio_encoder = w->audio_encoder;
    w->params.replace_audio = w->replace_audio;
    if (params->mark) {
        w->mark = *params->mark;
        w->marked = true;
        memcpy(w->others, params->mark->damage, sizeof(w->others));
        if (params->note)
            rp_mark_hold(&w->mark);
    }
    w->params.mark = NULL;
    w->params.name = NULL;
    w->info = *rp_reader_info(reader);
    w->tags = *rp_reader_tags(reader);
    if (av_dict_copy(&w->stream_metadata, w->tags.metadata, 0) < 0)
        return RP_NOMEM(w->path);
    w->tags.metadata = NULL;
    w->range = *range;
    return 0;
}

/* Whatever a library does without the memory that it did not get, something is missing. */
static int check_memory(struct rp_writer *w)
{
    return rp_watch_lacks(&w->watch) ? RP_NOMEM(w->path) : 0;
}

int rp_writer_open(struct rp_writer **out, const char *path, const char *target,
                   const struct rp_reader *reader, const struct rp_writer_params *params)
{
    int ret;
    struct rp_writer *const w = *out = calloc(1, sizeof(*w));

    if (!w)
        return RP_NOMEM(path);
    rp_watch_begin(&w->watch);
    w->file = strdup(path);
    w->path = strdup(params->name ? params->name : path);
    w->target = strdup(target);
    if (!w->file || !w->path || !w->target) {
        ret = RP_NOMEM(path);
        goto fail;
    }
    RP_TRY(keep_params(w, reader, params));
    RP_TRY(open_output(w));
    w->params.video_encoder = NULL; /* the caller's, and no longer needed */
    RP_TRY(rp_tracks_open(&w->tracks, w->oc, w->path,
                          &(struct rp_tracks_params){
                              .target = target,
                              .replace_audio = w->replace_audio,
                              .audio_encoder = w->audio_encoder,
                              .audio_quality = params->audio_quality,
                              .audio_volume = params->audio_volume,
                              .cut_start = w->range.start > 0,
                              .to_end = w->range.end <= 0,
                              .refuse = params->refuse,
                              .written = &w->written,
                          }));
    RP_TRY(check_memory(w));
    return 0;

fail:
    rp_writer_close(out);
    return ret;
}

void rp_writer_close(struct rp_writer **writer)
{
    struct rp_writer *const w = *writer;

    if (!w)
        return;
    rp_tracks_close(&w->tracks);
    if (w->oc && w->oc->pb)
        avio_closep(&w->oc->pb);
    avformat_free_context(w->oc);
    rp_encode_free(&w->encode);
    av_dict_free(&w->stream_metadata);
    rp_written_free(&w->written);
    free(w->target);
    free(w->preset);
    free(w->audio_encoder);
    free(w->replace_audio);
    free(w->file);
    free(w->path);
    free(w);
    *writer = NULL;
}

/* ---- the header ------------------------------------------------------------------------------ */

static bool takes_any_key(const AVFormatContext *oc)
{
    static const char *const names[] = {"matroska", "webm", "flv", "nut", "ogg"};

    for (size_t i = 0; i < RP_ARRAY_LEN(names); i++)
        if (!strcmp(oc->oformat->name, names[i]))
            return true;
    return rp_is_mov_family(oc->oformat);
}

/* Drops numbers of the old stream that are no longer true. */
static int drop_stale(AVDictionary **dict)
{
    static const char *const stale[] = {"BPS",     "DURATION", "NUMBER_OF_",    "_STATISTICS_",
                                        "encoder", "rotate",   "creation_time", "SOURCE_ID"};
    const AVDictionaryEntry *e;

    for (size_t i = 0; i < RP_ARRAY_LEN(stale); i++)
        while ((e = av_dict_get(*dict, stale[i], NULL, AV_DICT_IGNORE_SUFFIX))) {
            char *const key = strdup(e->key);
            const int ret = key ? av_dict_set(dict, key, NULL, 0) : AVERROR(ENOMEM);
            free(key);
            if (ret < 0)
                return ret;
        }
    return 0;
}

/* Does the container have a place for the mark: any key, a comment, or a packet from mark.c? */
static bool takes_mark(const AVFormatContext *oc)
{
    static const char *const names[] = {"avi", "asf", "gif"};

    for (size_t i = 0; i < RP_ARRAY_LEN(names); i++)
        if (!strcmp(oc->oformat->name, names[i]))
            return true;
    return takes_any_key(oc);
}

static int describe_stream(struct rp_writer *w)
{
    AVStream *const st = w->stream;
    const AVCodecContext *const enc = rp_encode_codec(w->encode);
    const int ret = avcodec_parameters_from_context(st->codecpar, enc);

    if (ret < 0)
        return rp_av_fail(ret, w->path, "writing the header");
    if (w->codec->id == AV_CODEC_ID_RAWVIDEO && rp_pixfmt_is_rgb(enc->pix_fmt))
        st->codecpar->codec_tag = 0; /* FFmpeg's own tag for it, which no container knows */
    st->time_base = enc->time_base;
    st->avg_frame_rate = enc->framerate;
    st->sample_aspect_ratio = enc->sample_aspect_ratio;
    st->disposition = w->tags.disposition;
    if (drop_stale(&w->stream_metadata) < 0)
        return RP_NOMEM(w->path);
    st->metadata = w->stream_metadata;
    w->stream_metadata = NULL;
    return 0;
}

static int write_header(struct rp_writer *w, bool late)
{
    AVDictionary *opts = NULL;
    const AVRational base = rp_encode_codec(w->encode)->time_base;
    int ret;

    RP_TRY(rp_hdr_to_stream(&w->tags.hdr, w->stream));
    RP_TRY(describe_stream(w));
    if (w->marked)
        RP_TRY(rp_mark_to_dict(&w->mark, &w->oc->metadata, takes_any_key(w->oc)));
    if (w->marked && !takes_mark(w->oc))
        rp_log(RP_LOG_WARN, "%s: %s files have no place for the synthetic-media mark", w->path,
               w->oc->oformat->name);
    if (rp_is_mov_family(w->oc->oformat)) {
        rp_dict_set(&opts, "movflags", "+faststart+use_metadata_tags", 0);
        if (base.num == 1 || rp_encode_constant(w->encode))
            rp_dict_set_int(&opts, "video_track_timescale", base.den, 0);
        if (late) /* the start of a track is written in the clock of the whole file */
            rp_dict_set_int(&opts, "movie_timescale", base.den, 0);
    } else {
        w->oc->avoid_negative_ts = 0; /* audio that starts just before 0 must not move video */
    }
    if (rp_is_matroska(w->oc->oformat) && w->marked && w->params.note)
        rp_dict_set_int(&opts, "write_crc32", 0, 0); /* the mark is completed later */
    if (w->codec->id == AV_CODEC_ID_GIF && w->tags.loop != RP_LOOP_UNKNOWN)
        rp_dict_set_int(&opts, "loop", w->tags.loop, 0);
    ret = avformat_write_header(w->oc, &opts);
    av_dict_free(&opts);
    if (ret < 0)
        return rp_av_fail(ret, w->path, "writing the header");
    return rp_written_begin(&w->written, w->oc, w->stream->index) < 0 ? RP_NOMEM(w->path) : 0;
fail:
    return ret;
}

/* ---- frames and packets ---------------------------------------------------------------------- */

static int write_packet(void *priv, AVPacket *p)
{
    struct rp_writer *const w = priv;
    int ret;

    av_packet_rescale_ts(p, rp_encode_codec(w->encode)->time_base, w->stream->time_base);
    p->stream_index = w->stream->index;
    ret = rp_written_packet(&w->written, w->oc, p);
    if (ret >= 0 && w->oc->pb && w->oc->pb->error < 0)
        ret = w->oc->pb->error;
    return ret < 0 ? rp_av_fail(ret, w->path, "writing") : 0;
}

static int create_encode(struct rp_writer *w, bool piece)
{
    return rp_encode_create(&w->encode,
                            &(const struct rp_encode_params){
                                .format = w->oc->oformat,
                                .codec = w->codec,
                                .path = w->path,
                                .target = w->target,
                                .preset = w->preset,
                                .quality = w->params.video_quality,
                                .out_w = w->params.out_w,
                                .out_h = w->params.out_h,
                                .fps = w->params.fps,
                                .alpha = w->params.alpha,
                                .threads = piece ? rp_piece_threads() : w->params.threads,
                                .piece = piece,
                                .info = w->info,
                                .tags = w->tags,
                                .range = w->range,
                                .said = &w->said,
                                .watch = &w->watch,
                                .fn = write_packet,
                                .priv = w,
                            });
}

/* @param first  pts of the first frame */
static int begin(struct rp_writer *w, const struct rp_encode_shape *shape, int64_t first)
{
    const AVRational base = {w->info.tb_num, w->info.tb_den};

    RP_CHECK(rp_encode_open(w->encode, shape, first));
    const int64_t offset = rp_encode_offset(w->encode);
    RP_CHECK(rp_tracks_start(w->tracks, av_rescale_q(offset, base, AV_TIME_BASE_Q)));
    RP_CHECK(write_header(w, first != offset));
    w->begun = true;
    return 0;
}

static int begin_with(struct rp_writer *w, const struct rp_media_frame *frame)
{
    struct rp_encode_shape shape;

    RP_CHECK(create_encode(w, false));
    rp_encode_shape_of(w->encode, frame, &shape);
    return begin(w, &shape, frame->pts);
}

int rp_writer_write(struct rp_writer *w, const struct rp_media_frame *frame)
{
    const AVRational base = {w->info.tb_num, w->info.tb_den};

    rp_watch_begin(&w->watch);
    if (!w->begun)
        RP_CHECK(begin_with(w, frame));
    w->end = rp_encode_end(&w->info, frame);
    w->index = frame->index;
    RP_CHECK(rp_tracks_until(w->tracks, av_rescale_q(w->end, base, AV_TIME_BASE_Q)));
    RP_CHECK(rp_encode_write(w->encode, frame));
    return check_memory(w);
}

/* ---- pieces ---------------------------------------------------------------------------------- */

static int begin_pieces(struct rp_writer *w, const struct rp_piece_head *head)
{

    RP_CHECK(create_encode(w, true));
    RP_CHECK(begin(w, &head->shape, head->origin));
    w->pieces = true;
    w->head = *head;
    RP_CHECK(rp_piece_clock_begin(&w->clock, w->encode));
    return 0;
}

static int write_piece(struct rp_writer *w, struct rp_piece_file *file, AVPacket *p)
{
    const AVRational base = {w->info.tb_num, w->info.tb_den};
    const AVCodecContext *const enc = rp_encode_codec(w->encode);
    const int64_t offset = av_rescale_q(rp_encode_offset(w->encode), base, AV_TIME_BASE_Q);
    int64_t shown = 0;
    int ret;

    while ((ret = rp_piece_file_next(file, p)) > 0) {
        RP_CHECK(rp_piece_clock_set(&w->clock, file, p));
        shown = RP_MAX(shown, p->pts + p->duration);
        RP_CHECK(rp_tracks_until(w->tracks,
                                 offset + av_rescale_q(shown, enc->time_base, AV_TIME_BASE_Q)));
        RP_CHECK(write_packet(w, p));
        w->packets++;
        av_packet_unref(p);
    }
    return ret;
}

int rp_writer_piece(struct rp_writer *w, const char *path)
{
    int ret;
    struct rp_piece_file *file = NULL;
    AVPacket *p = av_packet_alloc();

    rp_watch_begin(&w->watch);
    if (!p)
        return RP_NOMEM(w->path);
    RP_TRY(rp_piece_file_open(&file, path));
    const struct rp_piece_info *const info = rp_piece_file_info(file);
    if (w->begun && info->first != w->index + 1) {
        ret = rp_fail(RP_ERR_FORMAT,
                      "%s: the piece begins with frame %lld, but the one before ends "
                      "with frame %lld",
                      path, (long long) info->first, (long long) w->index);
        goto fail;
    }
    if (!w->begun)
        RP_TRY(begin_pieces(w, rp_piece_file_head(file)));
    RP_TRY(rp_piece_file_fits(file, w->encode, &w->head));
    RP_TRY(write_piece(w, file, p));
    w->end = info->end;
    w->index = info->last;
    ret = check_memory(w);
fail:
    av_packet_free(&p);
    rp_piece_file_close(&file);
    return ret;
}

/* ---- the end --------------------------------------------------------------------------------- */

/* The mark outside of tags, and what is now known of the input. */
static int finish_mark(struct rp_writer *w)
{
    if (w->params.note) {
        rp_writer_note(w, w->others);
        snprintf(w->mark.damage, sizeof(w->mark.damage), "%.255s", w->damage);
        RP_CHECK(rp_mark_fill(w->file, w->damage));
    }
    return rp_mark_append(&w->mark, w->file, w->oc->oformat);
}

void rp_writer_note(struct rp_writer *w, const char *damage)
{
    const size_t n = strlen(w->damage);

    if (damage[0])
        snprintf(w->damage + n, sizeof(w->damage) - n, "%s%s", n ? ", " : "", damage);
}

static void say_damage(struct rp_writer *w)
{
    rp_tracks_damage(w->tracks, w->damage, sizeof(w->damage));
    if (w->params.note && w->damage[0])
        rp_log(RP_LOG_WARN, "%s is damaged, %s; the output has what there is of it", w->target,
               w->damage);
}

static int end_file(struct rp_writer *w)
{
    int ret = av_write_trailer(w->oc);

    if (ret >= 0 && w->oc->pb->error < 0)
        ret = w->oc->pb->error;
    const int closed = avio_closep(&w->oc->pb);
    ret = ret < 0 ? ret : closed;
    if (ret < 0)
        return rp_av_fail(ret, w->path, "writing");
    return w->marked ? finish_mark(w) : 0;
}

/* Was the target cut before its end? Where its length is not known, at the frame that was asked. */
static bool is_cut(const struct rp_writer *w)
{
    const int64_t end = w->range.end;

    return end > 0 && (w->info.jumps ? w->index + 1 >= end : end < w->info.frames);
}

/* Encode what is left, and count. */
static int end_frames(struct rp_writer *w, int64_t *frames)
{
    if (w->pieces) {
        *frames = w->packets; /* a piece with fewer was not finished */
        return 0;
    }
    RP_CHECK(rp_encode_finish(w->encode, w->end, true));
    rp_encode_counts(w->encode, frames, &w->packets);
    return 0;
}

int rp_writer_finish(struct rp_writer *w)
{
    const AVRational base = {w->info.tb_num, w->info.tb_den};
    int64_t frames;

    rp_watch_begin(&w->watch);
    if (!w->begun)
        return rp_fail(RP_ERR_FORMAT, "%s: there is no frame to write", w->path);
    RP_CHECK(end_frames(w, &frames));
    RP_CHECK(rp_tracks_finish(w->tracks, av_rescale_q(w->end, base, AV_TIME_BASE_Q), is_cut(w)));
    RP_CHECK(check_memory(w));
    RP_CHECK(rp_encode_check(w->encode, frames, w->packets));
    say_damage(w);
    RP_CHECK(end_file(w));
    RP_CHECK(check_memory(w));
    return rp_written_check(&w->written, w->oc, w->file, w->path, frames);
}
