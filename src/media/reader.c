/* Video in: demux, decode, and give frames upright in one of our pixel formats.
 *
 * Frames that already have one of our formats leave as references to the decoder's own buffers. The
 * first frame is decoded when the file is opened, so that size and format are what the decoder
 * really gives, whatever the container says.
 */
#include "media/clock.h"
#include "media/damage.h"
#include "media/expect.h"
#include "media/gpu.h"
#include "media/seek.h"

#define ERRORS_MAX 1000 /* broken packets in a row after which no video is expected any more */

#define SEEK_FROM 100 /* with so many frames to skip, reading all packets first is faster */

struct rp_reader {
    char *path;
    struct rp_reader_params range;
    struct rp_video_info info;
    struct rp_video_tags tags;

    AVFormatContext *format;
    struct rp_clock *clock; /* of its packets */
    AVCodecContext *codec;
    AVStream *stream;
    AVPacket *packet;
    AVFrame *first; /* decoded by open, not yet handed out */
    struct SwsContext *sws;
    struct rp_pool converted, turned;
    struct rp_orient orient;

    int64_t index;    /* of the next frame out of the decoder */
    int64_t origin;   /* timestamp of the file's first frame, wherever the range begins */
    int64_t last_pts; /* of the frame before */
    int64_t step;     /* guess of a frame's duration */
    int errors;       /* in a row */
    bool drained, warned_size, warned_alpha;

    struct rp_whole whole;
    struct rp_damage damage;
    struct rp_expect expect;
    struct rp_watch watch;
    unsigned seen; /* errors that the watch had counted */
    bool fed, ended;    /* the first packet has come; all of the range has */

    const struct rp_gpu_decoder *gpu; /* that decodes; NULL: the processor does */
    struct rp_frame_store *surfaces;  /* its frames */
    const char *unfit;                /* why it does not go on */
    AVFormatContext *earlier;         /* the file as it was opened for it; tags refer to it */
    int number;                       /* of the stream */
    bool known;                       /* info and tags are filled in */
};

/* ---- opening --------------------------------------------------------------------------------- */

/* libvpx decodes the alpha layer of VP8 and VP9, FFmpeg's own decoders do not. */
static const AVCodec *find_decoder(const AVStream *st)
{
    const AVDictionaryEntry *const alpha = av_dict_get(st->metadata, "alpha_mode", NULL, 0);
    const AVCodec *codec = NULL;

    if (alpha && !strcmp(alpha->value, "1")) {
        if (st->codecpar->codec_id == AV_CODEC_ID_VP9)
            codec = avcodec_find_decoder_by_name("libvpx-vp9");
        else if (st->codecpar->codec_id == AV_CODEC_ID_VP8)
            codec = avcodec_find_decoder_by_name("libvpx");
    }
    return codec ? codec : avcodec_find_decoder(st->codecpar->codec_id);
}

static int open_decoder(struct rp_reader *r)
{
    const AVCodec *const codec = find_decoder(r->stream);
    int ret;

    if (!codec)
        return rp_fail(RP_ERR_UNSUPPORTED, "%s: this FFmpeg has no decoder for %s", r->path,
                       avcodec_get_name(r->stream->codecpar->codec_id));
    if (!(r->codec = avcodec_alloc_context3(codec)))
        return RP_NOMEM(r->path);
    if ((ret = avcodec_parameters_to_context(r->codec, r->stream->codecpar)) < 0)
        return rp_av_fail(ret, r->path, "opening the decoder");
    r->codec->pkt_timebase = r->stream->time_base;
    r->watch.deaf = !rp_watch_trusts(codec->id);
    r->codec->opaque = &r->watch;
    rp_av_watch_buffers(r->codec);
    r->codec->max_pixels = RP_PIXELS_MAX;
    r->codec->thread_count = r->range.threads > 0 ? r->range.threads : rp_cpu_count();
    if (r->gpu && (!rp_gpu_takes(r->stream->codecpar) || rp_gpu_begin(r->codec, r->gpu) < 0)) {
        rp_log(RP_LOG_DEBUG, "%s: it is decoded by the processor", r->path);
        r->gpu = NULL;
    }
    r->codec->flags |= AV_CODEC_FLAG_OUTPUT_CORRUPT; /* a damaged frame still counts */
    if ((ret = avcodec_open2(r->codec, codec, NULL)) < 0)
        return rp_av_fail(ret, r->path, "opening the decoder");
    return 0;
}

static void find_orientation(struct rp_reader *r)
{
    size_t size = 0;
    const uint8_t *const m = av_stream_get_side_data(r->stream, AV_PKT_DATA_DISPLAYMATRIX, &size);

    if (m && size >= 9 * sizeof(int32_t)) {
        int32_t matrix[9];
        memcpy(matrix, m, sizeof(matrix));
        r->orient = rp_orient_matrix(matrix);
    }
}

static bool is_rate(AVRational q)
{
    return q.num > 0 && q.den > 0;
}

/* r_frame_rate is the least common rate of all timestamps; with uneven ones it becomes absurd. */
static AVRational frame_rate(const AVStream *st)
{
    const AVRational r = st->r_frame_rate, avg = st->avg_frame_rate;

    if (is_rate(r) && av_q2d(r) <= 480 && (!is_rate(avg) || av_q2d(r) <= 8 * av_q2d(avg)))
        return r;
    return is_rate(avg) && av_q2d(avg) <= 1000 ? avg : (AVRational){25, 1};
}

static double duration_of(const struct rp_reader *r)
{
    if (r->stream->duration > 0)
        return (double) r->stream->duration * av_q2d(r->stream->time_base);
    return r->format->duration > 0 ? (double) r->format->duration / AV_TIME_BASE : 0;
}

static int count_streams(const AVFormatContext *ic, enum AVMediaType type)
{
    int n = 0;

    for (unsigned i = 0; i < ic->nb_streams; i++)
        n += ic->streams[i]->codecpar->codec_type == type;
    return n;
}

static void fill_timing(struct rp_reader *r)
{
    struct rp_video_info *const v = &r->info;
    const AVStream *const st = r->stream;
    const AVRational fps = frame_rate(st);
    const double avg = is_rate(st->avg_frame_rate) ? av_q2d(st->avg_frame_rate) : av_q2d(fps);

    v->fps_num = fps.num;
    v->fps_den = fps.den;
    v->tb_num = st->time_base.num;
    v->tb_den = st->time_base.den;
    v->duration = duration_of(r);
    v->frames = st->nb_frames > 0 ? st->nb_frames : (int64_t) (v->duration * av_q2d(fps) + 0.5);
    v->variable_rate = avg < 0.995 * av_q2d(fps) || avg > 1.005 * av_q2d(fps);
    r->step = RP_MAX(1, av_rescale_q(1, av_inv_q(fps), st->time_base));
}

/* The fourth byte of raw RGB in AVI means nothing; most programs leave it 0. */
static bool has_idle_byte(const struct rp_reader *r)
{
    return r->stream->codecpar->codec_id == AV_CODEC_ID_RAWVIDEO &&
           !strcmp(r->format->iformat->name, "avi");
}

static void fill_info(struct rp_reader *r, const AVFrame *f)
{
    struct rp_video_info *const v = &r->info;
    bool same;

    v->w = r->orient.swap ? f->height : f->width;
    v->h = r->orient.swap ? f->width : f->height;
    v->fmt = rp_pixfmt_nearest(f->format, &same);
    if (v->fmt == RP_FMT_BGR24_ALPHA && has_idle_byte(r))
        v->fmt = RP_FMT_BGR24;
    if (r->range.rgb && !rp_pixfmt_alpha(v->fmt))
        v->fmt = RP_FMT_BGR24;
    else if (r->orient.swap && v->fmt == RP_FMT_YUV422P) /* turned, it would be 4:4:0 */
        v->fmt = RP_FMT_YUV444P;
    else if (r->orient.swap && v->fmt == RP_FMT_YUV422P10)
        v->fmt = RP_FMT_YUV444P10;
    else if (r->orient.swap && v->fmt == RP_FMT_YUVA422P)
        v->fmt = RP_FMT_YUVA444P;
    else if (r->orient.swap && v->fmt == RP_FMT_YUVA422P10)
        v->fmt = RP_FMT_YUVA444P10;
    v->colour = rp_colour_of(f);
    v->rotation = rp_orient_degrees(r->orient);
    fill_timing(r);
    snprintf(v->codec, sizeof(v->codec), "%s", avcodec_get_name(r->stream->codecpar->codec_id));
    snprintf(v->container, sizeof(v->container), "%s", r->format->iformat->name);
    v->audio_tracks = count_streams(r->format, AVMEDIA_TYPE_AUDIO);
    v->subtitle_tracks = count_streams(r->format, AVMEDIA_TYPE_SUBTITLE);
}

static void fill_tags(struct rp_reader *r, const AVFrame *f)
{
    struct rp_video_tags *const t = &r->tags;
    const AVRational sar =
        f->sample_aspect_ratio.num > 0 ? f->sample_aspect_ratio : r->stream->sample_aspect_ratio;

    t->primaries = f->color_primaries;
    t->trc = f->color_trc;
    t->space = f->colorspace;
    t->range = r->info.colour.full_range ? AVCOL_RANGE_JPEG : f->color_range;
    t->chroma = rp_orient_none(r->orient) ? f->chroma_location : AVCHROMA_LOC_UNSPECIFIED;
    t->sar = sar.num > 0 && sar.den > 0 ? sar : (AVRational){0, 1};
    if (r->orient.swap && t->sar.num > 0)
        t->sar = av_inv_q(t->sar);
    t->depth = av_pix_fmt_desc_get(f->format)->comp[0].depth;
    t->loop = !strcmp(r->format->iformat->name, "gif") ? rp_gif_loop(r->path) : RP_LOOP_UNKNOWN;
    rp_hdr_find(&t->hdr, f, r->stream);
    r->info.hdr = rp_is_hdr(t->trc, t->primaries);
    t->fields = rp_fields_find(f, r->stream);
    t->fields_lost = t->fields.interlaced && r->orient.swap ? "the picture is turned" : NULL;
    if (r->orient.flip_y && r->info.h % 2 == 0)
        rp_fields_flip(&t->fields);
    t->metadata = r->stream->metadata;
    t->disposition = r->stream->disposition;
    t->stream = r->stream->index;
}

static int decode(struct rp_reader *r, AVFrame **out);
static const char *unfit_for_gpu(const struct rp_reader *r, const AVFrame *f);
static int check_memory(struct rp_reader *r);
static int64_t first_frame(const struct rp_reader *r);
static int seek_start(struct rp_reader *r);

static void close_file(struct rp_reader *r)
{
    av_frame_free(&r->first);
    rp_clock_close(&r->clock);
    avcodec_free_context(&r->codec);
    avformat_close_input(&r->format);
}

/* Of the file, in the picture's time base. */
static int64_t start_of(const struct rp_reader *r)
{
    const AVRational base = r->stream->time_base;
    const int64_t first = av_rescale_q(r->origin, base, AV_TIME_BASE_Q);
    const int64_t start = rp_clock_start(r->format, r->stream->index, first);

    return start == first ? r->origin : av_rescale_q(start, AV_TIME_BASE_Q, base);
}

/* What the log has told since the last frame: errors that decoder or reader went on after. */
static bool has_told(struct rp_reader *r)
{
    const unsigned n = atomic_load(&r->watch.errors), seen = r->seen;

    r->seen = n;
    return n != seen;
}

/* Frames of the range; 0: unknown. */
static int64_t promised_frames(const struct rp_reader *r, bool *exact)
{
    int64_t promised, there;

    rp_whole_samples(&r->whole, r->format, r->stream, &promised, &there);
    *exact = promised > 0;
    if (!promised && !r->whole.promises)
        return 0;
    if (!promised) /* a guess; what has come may be more */
        promised = RP_MAX(r->info.frames, r->index);
    if (r->range.end > 0)
        promised = RP_MIN(promised, r->range.end);
    return RP_MAX(promised - r->range.start, 0);
}

static void begin_account(struct rp_reader *r)
{
    rp_damage_begin(&r->damage, &r->whole, "frames", "video");
    rp_expect_begin(&r->expect, r->format, r->stream, r->codec->thread_count);
    r->fed = r->ended = false;
}

/* Is the part that is wanted cut short? `there`: frames before that. */
static bool is_cut(const struct rp_reader *r, int64_t there)
{
    const int64_t wanted = r->range.end > 0 ? r->range.end + r->range.around : INT64_MAX;

    return there < wanted;
}

/* If the file is cut, a whole job need not be done to find out. */
static int check_whole(struct rp_reader *r)
{
    int64_t promised, there;

    rp_whole_samples(&r->whole, r->format, r->stream, &promised, &there);
    if (promised > 0 ? there == promised : !r->whole.cut)
        return 0;
    if (!promised && (there = rp_seek_packets(r->path, r->stream->index)) < 0)
        return 0;
    if (!is_cut(r, there))
        return 0;
    r->damage.good = RP_MAX(there - r->range.start, 0);
    r->damage.promised = promised_frames(r, &r->damage.exact);
    r->damage.cut = true;
    return rp_damage_fail(&r->damage, r->path);
}

/* Once: other threads read it while the file may be opened again. */
static void fill_in(struct rp_reader *r)
{
    if (r->known)
        return;
    fill_info(r, r->first);
    r->info.origin = (double) r->origin * av_q2d(r->stream->time_base);
    r->info.start = start_of(r);
    r->info.jumps = rp_clock_jumps(r->format);
    fill_tags(r, r->first);
    r->number = r->stream->index;
    r->known = true;
}

static int open_file(struct rp_reader *r)
{
    RP_CHECK(rp_av_open_watched(&r->format, r->path, true, &r->watch));
    const int n = rp_av_video_stream(r->format);
    if (n < 0)
        return rp_fail(RP_ERR_FORMAT, "%s: there is no video in it", r->path);
    r->stream = r->format->streams[n];
    for (unsigned i = 0; i < r->format->nb_streams; i++)
        if ((int) i != n)
            r->format->streams[i]->discard = AVDISCARD_ALL;
    RP_CHECK(rp_clock_open(&r->clock, r->format));
    if (r->stream->codecpar->width > 0)
        RP_CHECK(rp_size_check(r->path, r->stream->codecpar->width, r->stream->codecpar->height));
    find_orientation(r);
    RP_CHECK(open_decoder(r));
    RP_CHECK(rp_whole_look(&r->whole, r->path, r->format));
    begin_account(r);
    has_told(r); /* of what lies anywhere in the file */
    RP_CHECK(decode(r, &r->first));
    RP_CHECK(check_memory(r));
    if (!r->first)
        return rp_fail(RP_ERR_FORMAT, "%s: no frame of its video can be decoded", r->path);
    r->origin = r->first->best_effort_timestamp == AV_NOPTS_VALUE
                    ? 0
                    : r->first->best_effort_timestamp; /* as time_of() */
    fill_in(r);
    return r->range.refuse ? check_whole(r) : 0;
}

/* From here on the processor decodes: as if nothing had been opened. */
static void leave_gpu(struct rp_reader *r, const char *why)
{
    rp_log(RP_LOG_DEBUG, "%s: the processor decodes it, the GPU does not: %s", r->path, why);
    r->gpu = NULL;
    r->unfit = NULL;
    if (r->known && !r->earlier) {
        r->earlier = r->format;
        r->format = NULL;
    }
    close_file(r);
    r->drained = r->ended = false;
    r->index = 0;
    r->errors = 0;
    r->last_pts = AV_NOPTS_VALUE;
}

/* With whatever decoder can do it. */
static int open_part(struct rp_reader *r)
{
    int ret = open_file(r);

    if (r->gpu && (ret < 0 || unfit_for_gpu(r, r->first))) {
        leave_gpu(r, ret < 0 ? rp_last_error() : unfit_for_gpu(r, r->first));
        r->known = false; /* nobody has seen it yet */
        ret = open_file(r);
    }
    RP_CHECK(ret);
    return first_frame(r) >= SEEK_FROM ? seek_start(r) : 0;
}

static int make_store(struct rp_reader *r)
{
    struct rp_frame_store *store;

    if (!r->range.memory.alloc)
        return 0;
    RP_CHECK(rp_frame_store_create(&store, &r->range.memory, rp_pixfmt_stays));
    r->converted.store = r->turned.store = store;
    atomic_store(&r->watch.store, store); /* a decoder's threads may be at work */
    return 0;
}

int rp_reader_attach(struct rp_reader *r, const struct rp_frame_memory *memory)
{
    r->range.memory = *memory;
    return make_store(r);
}

int rp_reader_open(struct rp_reader **out, const char *path, const struct rp_reader_params *params)
{
    int ret;
    struct rp_reader *const r = *out = calloc(1, sizeof(*r));

    if (!r)
        return RP_NOMEM(path);
    rp_watch_begin(&r->watch);
    if (params)
        r->range = *params;
    r->range.start = RP_MAX(r->range.start, 0);
    r->last_pts = AV_NOPTS_VALUE;
    if (!(r->path = strdup(path)) || !(r->packet = av_packet_alloc())) {
        ret = RP_NOMEM(path);
        goto fail;
    }
    if (r->range.memory.alloc || r->range.memory_later) /* of a device that is no processor */
        rp_av_ignore_errno();
    RP_TRY(make_store(r));
    if (r->range.gpu && r->range.memory.alloc && !r->range.rgb) {
        RP_TRY(rp_frame_store_create(&r->surfaces, &r->range.gpu->memory, rp_pixfmt_stays));
        r->gpu = r->range.gpu;
    }
    RP_TRY(open_part(r));
    return 0;

fail:
    rp_reader_close(out);
    return ret;
}

/* Also takes a reader that was only partly opened. */
void rp_reader_close(struct rp_reader **reader)
{
    struct rp_reader *const r = *reader;

    if (!r)
        return;
    struct rp_frame_store *store = atomic_load(&r->watch.store);
    close_file(r);
    avformat_close_input(&r->earlier);
    sws_freeContext(r->sws);
    av_buffer_pool_uninit(&r->converted.buffers); /* frames still held keep it alive */
    av_buffer_pool_uninit(&r->turned.buffers);
    rp_frame_store_release(&store);
    rp_frame_store_release(&r->surfaces);
    av_packet_free(&r->packet);
    free(r->path);
    free(r);
    *reader = NULL;
}

const struct rp_video_info *rp_reader_info(const struct rp_reader *reader)
{
    return &reader->info;
}

const struct rp_video_tags *rp_reader_tags(const struct rp_reader *reader)
{
    return &reader->tags;
}

const struct rp_reader_params *rp_reader_range(const struct rp_reader *reader)
{
    return &reader->range;
}

/* ---- decoding -------------------------------------------------------------------------------- */

/* Seconds on the file's clock at which the picture is. */
static double now_at(const struct rp_reader *r)
{
    return r->last_pts == AV_NOPTS_VALUE ? 0 : (double) r->last_pts * av_q2d(r->stream->time_base);
}

static void note_error(struct rp_reader *r, int averror)
{
    r->errors++;
    has_told(r);
    rp_log(RP_LOG_DEBUG, "%s: damaged near %.2f s (%s)", r->path, now_at(r), av_err2str(averror));
    rp_damage_bad(&r->damage, now_at(r), av_err2str(averror), false);
}

static void note_frame(struct rp_reader *r, const AVFrame *f)
{
    const bool told = has_told(r);
    const char *const why = rp_damage_of_frame(f) ? rp_damage_of_frame(f)
                            : told                ? "errors in its data"
                                                  : NULL;

    r->errors = 0;
    rp_expect_frame(&r->expect, f);
    if (why)
        rp_damage_bad(&r->damage, now_at(r), why, true);
    else
        rp_damage_good(&r->damage);
}

/* Reading failed: the file, or the disk that it is on. */
static void note_read_error(struct rp_reader *r, int averror)
{
    const int broken = r->format->pb ? r->format->pb->error : 0;

    note_error(r, averror);
    if (broken < 0 && broken != AVERROR_EOF)
        rp_damage_end(&r->damage, true);
}

/* Hand the decoder one more packet, or the end. */
static int feed(struct rp_reader *r)
{
    int ret = rp_clock_read(r->clock, r->packet);

    if (ret < 0 || r->errors > ERRORS_MAX) {
        if (ret == AVERROR(ENOMEM))
            return ret;
        if (ret < 0 && ret != AVERROR_EOF)
            note_read_error(r, ret);
        av_packet_unref(r->packet);
        r->drained = true;
        ret = avcodec_send_packet(r->codec, NULL); /* may tell of an earlier packet */
        if (ret < 0 && ret != AVERROR(ENOMEM) && ret != AVERROR_EOF)
            note_error(r, ret);
        return ret == AVERROR(ENOMEM) ? ret : 0;
    }
    if (r->packet->stream_index == r->stream->index) {
        if (!r->fed)
            r->damage.loose |= !(r->packet->flags & AV_PKT_FLAG_KEY);
        r->fed = true;
        rp_expect_packet(&r->expect, r->packet);
        ret = avcodec_send_packet(r->codec, r->packet);
        if (ret < 0 && ret != AVERROR(ENOMEM) && ret != AVERROR(EAGAIN)) {
            note_error(r, ret);
            ret = 0;
        }
    }
    av_packet_unref(r->packet);
    return ret;
}

/* Next frame of the decoder; *out is NULL at the end. */
static int decode(struct rp_reader *r, AVFrame **out)
{
    AVFrame *f = av_frame_alloc();
    int ret = f ? 0 : AVERROR(ENOMEM);

    *out = NULL;
    while (ret >= 0) {
        ret = avcodec_receive_frame(r->codec, f);
        if (ret >= 0) {
            note_frame(r, f);
            if (r->gpu && !r->unfit && rp_gpu_import(&f, r->gpu, r->surfaces) < 0)
                r->unfit = "its frames cannot be taken";
            *out = f;
            return 0;
        }
        if (ret == AVERROR_EOF)
            break;
        if (ret != AVERROR(EAGAIN)) {
            if (ret == AVERROR(ENOMEM))
                break;
            note_error(r, ret);
            if (r->drained && r->errors > ERRORS_MAX)
                break;
            ret = 0;
            if (r->drained)
                continue;
        }
        ret = r->drained ? AVERROR_EOF : feed(r);
    }
    av_frame_free(&f);
    return ret == AVERROR(ENOMEM) ? RP_NOMEM(r->path) : 0;
}

/* The file's timestamp, made to rise if it is missing or goes back. */
static int64_t time_of(struct rp_reader *r, const AVFrame *f)
{
    int64_t pts = f->best_effort_timestamp;

    if (pts == AV_NOPTS_VALUE)
        pts = r->last_pts == AV_NOPTS_VALUE ? 0 : r->last_pts + r->step;
    else if (r->last_pts != AV_NOPTS_VALUE && pts <= r->last_pts)
        pts = r->last_pts + 1;
    return r->last_pts = pts;
}

/* Decode from a keyframe some way before to the frame of this time; false if that frame does not
 * come out intact. */
static bool decode_to(struct rp_reader *r, int64_t at, int64_t back)
{
    AVFrame *f = NULL;
    bool whole = false;

    if (av_seek_frame(r->format, r->stream->index, at - back, AVSEEK_FLAG_BACKWARD) < 0)
        return false;
    avcodec_flush_buffers(r->codec);
    r->drained = false;
    begin_account(r);
    while (decode(r, &f) >= 0 && f) {
        const int64_t pts = f->best_effort_timestamp;
        whole = whole || (f->key_frame && pts <= at);
        if (pts >= at) {
            whole = whole && pts == at;
            break;
        }
        av_frame_free(&f);
    }
    if (f && whole)
        r->first = f;
    else
        av_frame_free(&f);
    return r->first != NULL;
}

/* The first frame to come, of the range or before it. */
static int64_t first_frame(const struct rp_reader *r)
{
    return RP_MAX(r->range.start - r->range.around, 0);
}

/* Go to the first frame; if that cannot be done with certainty, stay at the beginning. */
static int seek_start(struct rp_reader *r)
{
    static const int back[] = {0, 2, 20}; /* seconds */
    int64_t before = 0, at = 0;

    if (!r->first || !rp_seek_time(r->path, r->format, r->stream, first_frame(r),
                                   r->first->best_effort_timestamp, &before, &at))
        return 0;
    av_frame_free(&r->first);
    for (size_t i = 0; i < RP_ARRAY_LEN(back); i++)
        if (decode_to(r, at, av_rescale_q(back[i], (AVRational){1, 1}, r->stream->time_base))) {
            r->index = first_frame(r);
            r->last_pts = before;
            return 0;
        }
    close_file(r);
    r->drained = false;
    return open_file(r);
}

/* ---- making it ours -------------------------------------------------------------------------- */

/* Pixels as without alpha, and alpha apart. */
static int convert_alpha(struct rp_reader *r, AVFrame **f, int w, int h)
{
    int ret;
    AVFrame *to = NULL, *apart = NULL, *own = *f;
    const struct rp_colour colour = rp_colour_of(*f);

    if (own->width != w || own->height != h) { /* alpha is scaled with the rest */
        RP_TRY(rp_avframe_alloc(&apart, AV_PIX_FMT_BGRA, w, h, NULL));
        RP_TRY(rp_sws_run(&r->sws, own, colour, apart, r->info.colour));
        own = apart;
    }
    RP_TRY(rp_bgr_alpha_alloc(&to, w, h, &r->converted));
    RP_TRY(rp_sws_run(&r->sws, own, colour, to, r->info.colour));
    rp_alpha_plane(own, to->data[3], to->linesize[3]);
    if ((ret = av_frame_copy_props(to, *f)) < 0) {
        ret = rp_av_fail(ret, r->path, "converting");
        goto fail;
    }
    av_frame_free(&apart);
    av_frame_free(f);
    *f = to;
    return 0;

fail:
    av_frame_free(&apart);
    av_frame_free(&to);
    return ret;
}

/* Replace *f by a frame of this format and size. */
static int convert(struct rp_reader *r, AVFrame **f, enum AVPixelFormat fmt, int w, int h)
{
    AVFrame *to = NULL;
    const struct rp_colour colour = rp_colour_of(*f);
    int ret;

    if (r->info.fmt == RP_FMT_BGR24_ALPHA)
        return convert_alpha(r, f, w, h);
    RP_TRY(rp_avframe_alloc(&to, fmt, w, h, &r->converted));
    /* exactly the bytes of raw RGB from the ffmpeg program */
    if (r->range.rgb && !rp_pixfmt_alpha(r->info.fmt))
        RP_TRY(rp_sws_run_with(&r->sws, SWS_BICUBIC, *f, colour, to, r->info.colour));
    else
        RP_TRY(rp_sws_run(&r->sws, *f, colour, to, r->info.colour));
    if ((ret = av_frame_copy_props(to, *f)) < 0) {
        ret = rp_av_fail(ret, r->path, "converting");
        goto fail;
    }
    av_frame_free(f);
    *f = to;
    return 0;

fail:
    av_frame_free(&to);
    return ret;
}

/* Does anything about this frame, or the end (NULL), or what came before it, call for the processor's
 * decoder? NULL: no. */
static const char *unfit_for_gpu(const struct rp_reader *r, const AVFrame *f)
{
    if (r->unfit)
        return r->unfit;
    if (atomic_load(&r->watch.faults) || r->errors || r->damage.bad || r->damage.pending ||
        r->damage.early || r->damage.missing)
        return "something seems to be damaged";
    if (!f)
        return r->ended && rp_damage_any(&r->damage) ? "something seems to be lost" : NULL;
    if (!rp_orient_none(r->orient))
        return "it has to be turned";
    return r->known && (f->width != r->info.w || f->height != r->info.h) ? "its size changes" : NULL;
}

static int turn(struct rp_reader *r, AVFrame **f)
{
    const struct rp_orient o = r->orient;
    const AVPixFmtDescriptor *const d = av_pix_fmt_desc_get((*f)->format);
    const bool alpha = r->info.fmt == RP_FMT_BGR24_ALPHA;
    const bool rgb = r->info.fmt == RP_FMT_BGR24 || alpha;
    const int bytes = rgb ? 3 : (d->comp[0].depth + 7) / 8;
    AVFrame *to = NULL;
    int ret;

    if (alpha)
        RP_TRY(rp_bgr_alpha_alloc(&to, r->info.w, r->info.h, &r->turned));
    else
        RP_TRY(rp_avframe_alloc(&to, (*f)->format, r->info.w, r->info.h, &r->turned));
    if (alpha)
        rp_orient_plane(o, to->data[3], to->linesize[3], (*f)->data[3], (*f)->linesize[3],
                        (*f)->width, (*f)->height, 1);
    for (int p = 0; p < rp_pixfmt_planes(r->info.fmt); p++) {
        const bool chroma = p == 1 || p == 2;
        const int w = chroma ? AV_CEIL_RSHIFT((*f)->width, d->log2_chroma_w) : (*f)->width;
        const int h = chroma ? AV_CEIL_RSHIFT((*f)->height, d->log2_chroma_h) : (*f)->height;
        rp_orient_plane(o, to->data[p], to->linesize[p], (*f)->data[p], (*f)->linesize[p], w, h,
                        bytes);
    }
    if ((ret = av_frame_copy_props(to, *f)) < 0) {
        ret = rp_av_fail(ret, r->path, "turning");
        goto fail;
    }
    if (o.swap)
        to->interlaced_frame = 0;
    else if (o.flip_y && to->height % 2 == 0)
        to->top_field_first = !to->top_field_first;
    av_frame_free(f);
    *f = to;
    return 0;

fail:
    av_frame_free(&to);
    return ret;
}

/* Gives every frame the format, size and direction of the first. */
static int normalise(struct rp_reader *r, AVFrame **f)
{
    const int w = r->orient.swap ? r->info.h : r->info.w;
    const int h = r->orient.swap ? r->info.w : r->info.h;
    bool same;

    const enum rp_pixfmt fmt = rp_pixfmt_nearest((*f)->format, &same);
    const bool resized = (*f)->width != w || (*f)->height != h;
    if (resized && !r->warned_size) {
        rp_log(RP_LOG_WARN, "%s: the picture changes from %dx%d to %dx%d; scaled back", r->path, w,
               h, (*f)->width, (*f)->height);
        r->warned_size = true;
    }
    if (rp_pixfmt_alpha(fmt) && !rp_pixfmt_alpha(r->info.fmt) && !r->warned_alpha &&
        (*f)->format != AV_PIX_FMT_PAL8 && !has_idle_byte(r)) {
        rp_log(RP_LOG_WARN, "%s: its first frame has no transparency; that of later ones is lost",
               r->path);
        r->warned_alpha = true;
    }
    if (!same || fmt != r->info.fmt || resized)
        RP_CHECK(convert(r, f, rp_pixfmt_to_av(r->info.fmt), w, h));
    if (!rp_orient_none(r->orient))
        RP_CHECK(turn(r, f));
    return 0;
}

/* The next frame of the file, in the range or not; *f is NULL at the end. */
static int next_raw(struct rp_reader *r, AVFrame **f)
{
    int ret = 0;

    *f = r->first;
    r->first = NULL;
    if (!*f)
        ret = decode(r, f);
    if (*f) {
        (*f)->pts = time_of(r, *f);
        r->index++;
    }
    return ret;
}

static int finish_frame(struct rp_reader *r, AVFrame **f, struct rp_media_frame **out)
{
    int ret;
    const int64_t duration = (*f)->pkt_duration;

    RP_TRY(normalise(r, f));
    RP_TRY(rp_frame_wrap(out, f, r->info.fmt, r->info.colour));
    (*out)->store = rp_frame_store_hold(atomic_load(&r->watch.store));
    (*out)->on_gpu = rp_gpu_has((*out)->ref);
    (*out)->index = r->index - 1;
    (*out)->duration = RP_MAX(duration, 0);
    (*out)->time = (double) ((*out)->pts - r->origin) * av_q2d(r->stream->time_base);
    return 0;

fail:
    av_frame_free(f);
    return ret;
}

/* Before the range, what came before a key frame does not matter. */
static void forget_before(struct rp_reader *r, const AVFrame *f)
{
    if (r->index <= first_frame(r) && f->key_frame) {
        r->damage.bad = r->damage.pending = 0;
        r->damage.missing = 0;
    }
}

/* Frames of the range that have come so far. */
static void count_frames(struct rp_reader *r)
{
    const int64_t end = r->range.end > 0 ? RP_MIN(r->index, r->range.end) : r->index;

    r->damage.good = RP_MAX(end - r->range.start, 0);
    r->damage.promised = promised_frames(r, &r->damage.exact);
}

/* Is what the demuxer gave much shorter than the file says? After damage it may find no way on. */
static bool ends_early(const struct rp_reader *r)
{
    const double length = (double) r->format->duration / AV_TIME_BASE;

    if (!r->whole.promises || r->format->duration <= 0)
        return false;
    const double start = r->format->start_time == AV_NOPTS_VALUE
                             ? 0
                             : (double) r->format->start_time / AV_TIME_BASE;
    const double short_by = start + length - now_at(r), slack = RP_MAX(1, length / 50);
    return short_by > slack && start + length - rp_seek_reach(r->path) > slack;
}

/* The file has come to its end. */
static void end_account(struct rp_reader *r)
{
    int64_t promised, there;

    rp_whole_samples(&r->whole, r->format, r->stream, &promised, &there);
    if (has_told(r))
        rp_damage_bad(&r->damage, now_at(r), "errors in its data", true);
    rp_damage_end(&r->damage, promised > 0 ? there < promised : r->whole.cut || ends_early(r));
    if (!r->damage.cut)
        r->damage.missing += rp_expect_end(&r->expect);
    if (rp_damage_any(&r->damage))
        return;
    if (r->whole.torn || r->damage.tail)
        rp_log(RP_LOG_WARN,
               "%s: it ends in the middle of a frame or packet, as a recording does that was "
               "stopped, or a file that was cut; all that came before is used",
               r->path);
    else if (atomic_load(&r->watch.hints) && !rp_clock_jumped(r->clock))
        rp_log(RP_LOG_WARN,
               "%s: the container has errors, as after bad reception; frames may be missing there",
               r->path);
}

/* Whatever libav does without the memory that it did not get, it may not be what was asked for. */
static int check_memory(struct rp_reader *r)
{
    return rp_watch_lacks(&r->watch) ? RP_NOMEM(r->path) : 0;
}

static int check_damage(struct rp_reader *r)
{
    RP_CHECK(check_memory(r));
    if (!r->range.refuse || !rp_damage_any(&r->damage))
        return 0;
    count_frames(r);
    return rp_damage_fail(&r->damage, r->path);
}

/* The first frame of the range that has a number of at least `from`; *f is NULL at the end. */
static int next_from(struct rp_reader *r, int64_t from, AVFrame **f)
{
    do {
        av_frame_free(f);
        RP_CHECK(next_raw(r, f));
        if (*f)
            forget_before(r, *f);
    } while (*f && r->index <= from);
    if (!*f && !r->ended)
        end_account(r);
    r->ended |= !*f;
    return 0;
}

/* The same from the GPU, as long as all seems to be well. */
static int next_wanted(struct rp_reader *r, AVFrame **f)
{
    const int64_t from = RP_MAX(r->index, first_frame(r));
    const int ret = next_from(r, from, f);
    const char *const why = r->gpu ? ret < 0 ? rp_last_error() : unfit_for_gpu(r, *f) : NULL;

    if (!why)
        return ret;
    av_frame_free(f);
    leave_gpu(r, why);
    RP_CHECK(open_part(r));
    return next_from(r, from, f);
}

int rp_reader_next(struct rp_reader *r, struct rp_media_frame **frame)
{
    AVFrame *f = NULL;

    *frame = NULL;
    rp_watch_begin(&r->watch);
    if (r->range.end > 0 && r->index - r->range.around >= r->range.end)
        return check_damage(r);
    RP_CHECK(next_wanted(r, &f));
    const int ret = check_damage(r);
    if (ret < 0 || !f) {
        av_frame_free(&f);
        return ret;
    }
    RP_CHECK(finish_frame(r, &f, frame));
    if (check_memory(r) < 0) {
        rp_media_frame_free(frame);
        return RP_ERR_NOMEM;
    }
    (*frame)->aside =
        (*frame)->index < r->range.start || (r->range.end > 0 && (*frame)->index >= r->range.end);
    return 0;
}

bool rp_reader_damage(struct rp_reader *r, char *text, size_t size)
{
    text[0] = 0;
    if (!rp_damage_any(&r->damage))
        return false;
    count_frames(r);
    rp_damage_text(&r->damage, text, size);
    return true;
}

int rp_reader_forward(struct rp_reader *r, int64_t index, struct rp_media_frame **frame)
{
    AVFrame *f = NULL, *last = NULL;
    int ret;

    *frame = NULL;
    rp_watch_begin(&r->watch);
    while (r->index <= index || !last) {
        RP_TRY(next_raw(r, &f));
        if (!f)
            break;
        av_frame_free(&last);
        last = f;
    }
    if (!last)
        ret = rp_fail(RP_ERR_FORMAT, "%s: no frame of its video can be decoded", r->path);
    else
        ret = finish_frame(r, &last, frame);
    if (ret >= 0 && (ret = check_memory(r)) < 0)
        rp_media_frame_free(frame);
fail:
    av_frame_free(&last);
    return ret;
}

int rp_reader_frame(const char *path, int64_t index, struct rp_media_frame **frame)
{
    struct rp_reader *r = NULL;

    *frame = NULL;
    RP_CHECK(rp_reader_open(&r, path, &(struct rp_reader_params){.start = index}));
    const int ret = rp_reader_forward(r, index, frame);
    rp_reader_close(&r);
    return ret;
}

int rp_reader_count(const struct rp_reader *r, struct rp_video_count *count)
{
    rp_av_begin();
    return rp_count_packets(r->path, r->number, count);
}
