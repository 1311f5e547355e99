/* Video out: encode, and mux with the packets of tracks.c.
 *
 * Timestamps are the target's own, in its own time base: the encoder runs in it and, if the
 * container allows (MP4, MOV), so does the track. Encoder and header are made when the first frame
 * comes, whose size and format are then known.
 *
 * H.264 and HEVC have no odd sizes with halved chroma. Such a picture gets one more column or row,
 * a copy of its last, so that the target's pixels keep their places and values (FaceFusion scales
 * to the nearest even size instead).
 */
#include "media/av.h"

#include <libavutil/imgutils.h>

#include <errno.h>
#include <math.h>

#include "base/path.h"
#include "media/palette.h"
#include "media/steady.h"
#include "media/written.h"

#define SHOWN_MAX 1024 /* frames inside an encoder; libx264 looks ahead at most 250 */

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
    AVCodecContext *enc;
    AVPacket *packet;
    struct rp_tracks *tracks;
    struct SwsContext *sws;
    struct rp_pool pool;
    struct rp_palette *palette; /* GIF */
    bool gif_alpha;             /* with transparent pixels */
    struct rp_colour colour;    /* of what is encoded */
    enum rp_pixfmt fmt;         /* of the frames, without alpha if that is not kept */
    int w, h;                   /* of the frames that come in */
    int fit_w, fit_h;           /* of the picture inside what is encoded (before padding) */

    bool constant;               /* drop and repeat to the rate in enc->time_base */
    int64_t offset;              /* pts of the target that becomes 0 */
    int64_t next_slot;           /* constant rate: number of the next frame */
    AVFrame *held;               /* constant rate: shown until the next frame comes */
    int64_t held_end;            /* where it ends, in the target's time base */
    int64_t last_pts;            /* given to the encoder */
    int64_t end;                 /* of the last frame, in the target's time base */
    int64_t index;               /* number of the last frame */
    int64_t shown[SHOWN_MAX][2]; /* pts and duration of frames in the encoder */
    unsigned shown_at;
    bool begun, header;
    bool warned_alpha, warned_fields;
    char damage[640]; /* of the input */
    char others[sizeof((struct rp_mark *) 0)->damage]; /* of other files, for the mark only */
    unsigned shortages; /* of memory, before */
    int64_t frames, packets;   /* that the encoder was given, and gave */
    struct rp_written written; /* what the muxer was given */
    const char *fields_weak; /* why an encoder does not say that frames are interlaced, or NULL */
};

/* ---- opening --------------------------------------------------------------------------------- */

static bool is_mov_family(const AVFormatContext *oc)
{
    static const char *const names[] = {"mp4", "mov", "ipod", "3gp", "3g2", "psp", "ismv"};

    for (size_t i = 0; i < RP_ARRAY_LEN(names); i++)
        if (!strcmp(oc->oformat->name, names[i]))
            return true;
    return false;
}

/* m4v is another name for MP4, but FFmpeg's own muxer for it takes fewer codecs. */
static const AVOutputFormat *guess_format(const char *path)
{
    if (!strcasecmp(rp_path_ext(path), "m4v"))
        return av_guess_format("mp4", NULL, NULL);
    return av_guess_format(NULL, path, NULL);
}

/* The encoder for a container that does not take the one that was asked for. */
static const AVCodec *substitute(const AVOutputFormat *format)
{
    static const char *const order[] = {"libx264", "libvpx-vp9", "gif", "mpeg4", "mpeg2video"};

    for (size_t i = 0; i < RP_ARRAY_LEN(order); i++) {
        const AVCodec *const codec = avcodec_find_encoder_by_name(order[i]);
        if (codec && rp_container_takes(format, codec->id))
            return codec;
    }
    return NULL;
}

/* The default encoder for frames with alpha; NULL if the container keeps no alpha. */
static const char *alpha_encoder(const AVOutputFormat *format)
{
    static const char *const order[] = {"libvpx-vp9", "prores_ks"};

    for (size_t i = 0; i < RP_ARRAY_LEN(order); i++) {
        const AVCodec *const codec = avcodec_find_encoder_by_name(order[i]);
        if (codec && rp_container_takes(format, codec->id) && rp_keeps_alpha(format, codec))
            return order[i];
    }
    return NULL;
}

/* The encoder by its name; without one the container's default. */
static const char *encoder_name(const AVOutputFormat *format, const char *name, bool alpha)
{
    if (!name || !name[0])
        name = alpha ? alpha_encoder(format) : NULL;
    return name ? name : rp_video_encoders()[0];
}

bool rp_video_keeps_alpha(const char *path, const char *encoder)
{
    rp_av_init();
    const AVOutputFormat *const format = guess_format(path);
    const char *const name = format ? encoder_name(format, encoder, true) : NULL;
    const AVCodec *codec = name ? avcodec_find_encoder_by_name(name) : NULL;

    if (codec && !rp_container_takes(format, codec->id))
        codec = substitute(format);
    return !codec || rp_keeps_alpha(format, codec); /* opening the writer tells what is wrong */
}

static int choose_encoder(struct rp_writer *w)
{
    const AVOutputFormat *const format = w->oc->oformat;
    const char *const name = encoder_name(format, w->params.video_encoder, w->params.alpha);

    w->codec = name ? avcodec_find_encoder_by_name(name) : NULL;
    if (!w->codec || w->codec->type != AVMEDIA_TYPE_VIDEO)
        return rp_fail(RP_ERR_USAGE, "%s: this FFmpeg has no video encoder '%s'", w->path,
                       name ? name : "");
    if (rp_container_takes(format, w->codec->id))
        return 0;
    if (!(w->codec = substitute(format)))
        return rp_fail(RP_ERR_USAGE, "%s: a %s file holds no video of %s", w->path, format->name,
                       name);
    rp_log(w->params.video_encoder ? RP_LOG_WARN : RP_LOG_INFO,
           "%s: a %s file holds no video of %s; %s is used", w->path, format->name, name,
           w->codec->name);
    return 0;
}

static int open_output(struct rp_writer *w)
{
    const AVOutputFormat *const format = guess_format(w->file);
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
    RP_TRY(choose_encoder(w));
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
static int check_memory(const struct rp_writer *w)
{
    return rp_av_shortages() == w->shortages ? 0 : RP_NOMEM(w->path);
}

int rp_writer_open(struct rp_writer **out, const char *path, const char *target,
                   const struct rp_reader *reader, const struct rp_writer_params *params)
{
    int ret;
    struct rp_writer *const w = *out = calloc(1, sizeof(*w));

    rp_av_begin();
    if (!w)
        return RP_NOMEM(path);
    w->last_pts = AV_NOPTS_VALUE;
    w->shortages = rp_av_shortages();
    for (unsigned i = 0; i < SHOWN_MAX; i++)
        w->shown[i][0] = AV_NOPTS_VALUE;
    w->file = strdup(path);
    w->path = strdup(params->name ? params->name : path);
    w->target = strdup(target);
    if (!w->file || !w->path || !w->target || !(w->packet = av_packet_alloc())) {
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
    avcodec_free_context(&w->enc);
    av_packet_free(&w->packet);
    av_frame_free(&w->held);
    rp_palette_close(&w->palette);
    sws_freeContext(w->sws);
    av_buffer_pool_uninit(&w->pool.buffers);
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

/* ---- the encoder ----------------------------------------------------------------------------- */

static bool is_gif(const struct rp_writer *w)
{
    return w->codec->id == AV_CODEC_ID_GIF;
}

/* The nearest even number, halves to a multiple of 4: as FaceFusion rounds sizes. */
static int even(int n)
{
    return RP_MAX(2, (int) (2 * rint(n / 2.0)));
}

static void choose_size(struct rp_writer *w, const struct rp_media_frame *frame)
{
    const AVPixFmtDescriptor *const d = av_pix_fmt_desc_get(w->enc->pix_fmt);
    const bool strict = w->codec->id == AV_CODEC_ID_H264 || w->codec->id == AV_CODEC_ID_HEVC;
    const bool even_w = strict && d->log2_chroma_w, even_h = strict && d->log2_chroma_h;
    const int out_w = w->params.out_w, out_h = w->params.out_h;

    w->w = frame->w;
    w->h = frame->h;
    w->fit_w = out_w > 0 && out_w != frame->w ? (even_w ? even(out_w) : out_w) : frame->w;
    w->fit_h = out_h > 0 && out_h != frame->h ? (even_h ? even(out_h) : out_h) : frame->h;
    w->enc->width = even_w ? FFALIGN(w->fit_w, 2) : w->fit_w;
    w->enc->height = even_h ? FFALIGN(w->fit_h, 2) : w->fit_h;
    if (w->enc->width != w->fit_w || w->enc->height != w->fit_h)
        rp_log(RP_LOG_INFO, "%s: %s needs even sizes: %dx%d becomes %dx%d, the last line repeated",
               w->path, w->codec->name, w->fit_w, w->fit_h, w->enc->width, w->enc->height);
}

static bool is_rgb(enum AVPixelFormat fmt)
{
    return (av_pix_fmt_desc_get(fmt)->flags & AV_PIX_FMT_FLAG_RGB) || fmt == AV_PIX_FMT_PAL8;
}

/* What stays true when only the matrix changes. */
static void keep_light(struct rp_writer *w)
{
    w->enc->color_primaries = w->tags.primaries;
    w->enc->color_trc = w->tags.trc;
}

/* YUV from RGB is bt709, limited; HDR and wide colours keep their own. */
static void choose_colour_of_rgb(struct rp_writer *w)
{
    AVCodecContext *const enc = w->enc;

    w->colour = (struct rp_colour){RP_MATRIX_BT709, false};
    enc->color_primaries = AVCOL_PRI_BT709;
    enc->color_trc = AVCOL_TRC_BT709;
    enc->colorspace = AVCOL_SPC_BT709;
    enc->color_range = AVCOL_RANGE_MPEG;
    if (!rp_is_hdr(w->tags.trc, w->tags.primaries))
        return;
    keep_light(w);
    if (w->tags.primaries == AVCOL_PRI_BT2020) {
        w->colour.matrix = RP_MATRIX_BT2020;
        enc->colorspace = AVCOL_SPC_BT2020_NCL;
    }
}

/* YUV from YUV keeps the target's colours and tags. */
static void choose_colour(struct rp_writer *w, const struct rp_media_frame *frame)
{
    AVCodecContext *const enc = w->enc;
    const bool from_rgb = frame->fmt == RP_FMT_BGR24 || frame->fmt == RP_FMT_BGR24_ALPHA;

    w->colour = frame->colour;
    if (is_rgb(enc->pix_fmt)) {
        enc->color_range = AVCOL_RANGE_JPEG;
        enc->colorspace = AVCOL_SPC_RGB;
        keep_light(w);
        return;
    }
    if (from_rgb) {
        choose_colour_of_rgb(w);
        return;
    }
    keep_light(w);
    enc->colorspace = w->tags.space;
    enc->color_range = w->tags.range;
    enc->chroma_sample_location = w->tags.chroma;
    /* Without a tag a player decides by the height; add a tag if that would now be wrong. */
    if (enc->colorspace == AVCOL_SPC_UNSPECIFIED && enc->height >= 720 && w->info.h < 720)
        enc->colorspace = AVCOL_SPC_SMPTE170M;
}

static AVRational rate_of(double fps)
{
    const double ntsc = fps * 1001 / 1000;

    if (fabs(ntsc - rint(ntsc)) < 0.001 && fabs(fps - rint(fps)) > 0.001)
        return (AVRational){(int) rint(ntsc) * 1000, 1001};
    return av_d2q(fps, 100000);
}

/* AVI has no timestamps, only a rate; ASF has one for each packet, where B-frames need two. */
static void choose_timing(struct rp_writer *w)
{
    AVCodecContext *const enc = w->enc;
    const AVRational base = {w->info.tb_num, w->info.tb_den};

    enc->framerate = (AVRational){w->info.fps_num, w->info.fps_den};
    if (!strcmp(w->oc->oformat->name, "avi")) {
        w->constant = av_cmp_q(base, av_inv_q(enc->framerate)) != 0;
        enc->max_b_frames = 0;
    }
    if (!strcmp(w->oc->oformat->name, "asf"))
        enc->max_b_frames = 0;
    if (w->params.fps > 0) {
        enc->framerate = rate_of(w->params.fps);
        w->constant = true;
    }
    if (w->codec->id == AV_CODEC_ID_MPEG2VIDEO || w->codec->id == AV_CODEC_ID_MPEG1VIDEO)
        w->constant = true; /* its headers hold a rate */
    enc->time_base = w->constant ? av_inv_q(enc->framerate) : base;
    if (w->codec->id == AV_CODEC_ID_MPEG4 && enc->time_base.den > 65535) /* 16 bits in its header */
        enc->time_base = (AVRational){1, 60000};
    if (is_gif(w))
        enc->time_base = (AVRational){1, 100};
}

/* Fields of a picture that is turned or scaled in height are mixed. */
static bool keeps_fields(struct rp_writer *w)
{
    if (w->tags.fields.interlaced && !w->tags.fields_lost && w->fit_h != w->info.h)
        w->tags.fields_lost = "the height changes";
    if (w->tags.fields_lost)
        w->tags.fields.interlaced = false;
    return w->tags.fields.interlaced;
}

/* The encoder has no interlaced pictures, at least not of this size. */
static void only_in_header(struct rp_writer *w)
{
    const bool header = is_mov_family(w->oc) || rp_is_matroska(w->oc->oformat);

    w->enc->field_order = w->tags.fields.order;
    w->fields_weak = header ? "only the header of the file tells" : "there is no place for it";
}

/* Settings up to opening it; 0, or libav's error. */
static int try_encoder(struct rp_writer *w, const struct rp_media_frame *frame, bool fields)
{
    AVDictionary *opts = NULL;
    AVCodecContext *const enc = w->enc = avcodec_alloc_context3(w->codec);

    if (!enc)
        return AVERROR(ENOMEM);
    if (is_gif(w))
        enc->pix_fmt = AV_PIX_FMT_PAL8;
    else if (w->codec->id == AV_CODEC_ID_RAWVIDEO)
        enc->pix_fmt = rp_raw_pixfmt(w->oc->oformat, w->fmt);
    else
        enc->pix_fmt = rp_encoder_pixfmt(w->codec, w->fmt);
    choose_size(w, frame);
    choose_colour(w, frame);
    choose_timing(w);
    enc->sample_aspect_ratio = w->tags.sar;
    enc->thread_count = w->params.threads > 0 ? w->params.threads : rp_cpu_count();
    enc->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL;
    if (w->oc->oformat->flags & AVFMT_GLOBALHEADER)
        enc->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    if (w->codec->id == AV_CODEC_ID_HEVC && is_mov_family(w->oc))
        enc->codec_tag = MKTAG('h', 'v', 'c', '1');
    rp_encoder_setup_video(enc, &opts, w->params.video_preset, w->params.video_quality);
    rp_hdr_to_encoder(&w->tags.hdr, w->codec, &opts);
    if (keeps_fields(w) && (!fields || !rp_fields_to_encoder(&w->tags.fields, enc, &opts)))
        only_in_header(w);
    if (w->gif_alpha) /* frames vanish, so each is whole */
        rp_dict_set(&opts, "gifflags", "0", 0);
    const int ret = avcodec_open2(enc, w->codec, &opts);
    av_dict_free(&opts);
    return ret;
}

/* One warning for all that the output cannot say. */
static void name_losses(struct rp_writer *w)
{
    struct rp_lost lost = {""};
    const int depth = av_pix_fmt_desc_get(w->enc->pix_fmt)->comp[0].depth;

    if (depth < w->tags.depth && !is_gif(w)) /* of 256 colours nobody expects more */
        rp_lose(&lost, "%d of its %d bits a sample", w->tags.depth - depth, w->tags.depth);
    rp_hdr_lost(&lost, &w->tags.hdr, w->enc, w->oc->oformat);
    if (w->tags.fields_lost || w->fields_weak)
        rp_lose(&lost, "interlacing (%s)",
                w->tags.fields_lost ? w->tags.fields_lost : w->fields_weak);
    if (lost.text[0])
        rp_log(RP_LOG_WARN, "%s: %s in %s loses %s", w->path, w->codec->name, w->oc->oformat->name,
               lost.text);
}

/* Drivers of hardware try what need not succeed: after them errno means nothing. */
static void forgive_driver(const struct rp_writer *w)
{
    if (w->codec->capabilities & (AV_CODEC_CAP_HARDWARE | AV_CODEC_CAP_HYBRID))
        errno = 0;
}

static int open_encoder(struct rp_writer *w, const struct rp_media_frame *frame)
{
    int ret = try_encoder(w, frame, true);

    if (ret < 0 && ret != AVERROR(ENOMEM) && w->tags.fields.interlaced) {
        avcodec_free_context(&w->enc);
        ret = try_encoder(w, frame, false);
    }
    if (ret >= 0)
        forgive_driver(w);
    if (ret == AVERROR(ENOMEM) || rp_av_lacks())
        return RP_NOMEM(w->path);
    const struct rp_hardware *const hardware = rp_encoder_hardware(w->codec->name);
    char why[128];
    if (ret < 0 && hardware && !rp_encoder_opens(w->codec->name, why, sizeof(why)))
        return rp_fail(RP_ERR_UNSUPPORTED,
                       "--output-video-encoder: %s cannot be opened here (%s): it needs %s; use %s, "
                       "which needs nothing of that",
                       w->codec->name, why, hardware->needs,
                       w->codec->id == AV_CODEC_ID_HEVC ? "libx265" : "libx264");
    if (ret < 0) /* whatever libav calls it, such as an unsupported size */
        return rp_fail(RP_ERR_UNSUPPORTED, "%s: opening encoder %s: %s", w->path, w->codec->name,
                       av_err2str(ret));
    name_losses(w);
    return rp_hdr_to_stream(&w->tags.hdr, w->stream);
}

/* ---- transparency ---------------------------------------------------------------------------- */

static void warn_alpha(struct rp_writer *w)
{
    if (!w->warned_alpha)
        rp_log(RP_LOG_WARN, "%s: %s keeps no transparency", w->path, w->codec->name);
    w->warned_alpha = true;
}

/* Is anything transparent in a part of a video? Decodes it up to the first such frame. */
static bool video_is_transparent(const char *path, const struct rp_reader_params *range)
{
    bool found = false;
    struct rp_reader *r = NULL;
    struct rp_media_frame *f = NULL;

    if (rp_reader_open(&r, path, range) >= 0)
        while (!found && rp_reader_next(r, &f) >= 0 && f) {
            found = f->fmt == RP_FMT_BGR24_ALPHA &&
                    rp_alpha_used(f->plane[3], f->stride[3], f->w, f->h, false);
            rp_media_frame_free(&f);
        }
    rp_reader_close(&r);
    return found;
}

/* Formats like RGBA have alpha whether or not anything is transparent. If nothing is in the first
 * frame, all must be looked at before the output's format is chosen. */
static bool is_transparent(struct rp_writer *w, const struct rp_media_frame *m)
{
    return m->fmt != RP_FMT_BGR24_ALPHA || w->params.alpha ||
           rp_alpha_used(m->plane[3], m->stride[3], m->w, m->h, false) ||
           video_is_transparent(w->target, &w->range);
}

static void choose_alpha(struct rp_writer *w, const struct rp_media_frame *m)
{
    w->fmt = m->fmt;
    if (!rp_pixfmt_alpha(m->fmt))
        return;
    if (!is_gif(w) && !rp_keeps_alpha(w->oc->oformat, w->codec)) {
        if (m->fmt == RP_FMT_BGR24_ALPHA)
            w->fmt = RP_FMT_BGR24;
        else
            warn_alpha(w);
    } else if (!is_transparent(w, m)) {
        w->fmt = RP_FMT_BGR24;
    }
    w->gif_alpha = is_gif(w) && rp_pixfmt_alpha(w->fmt);
}

/* Say it when something transparent is lost or, in a GIF, half lost. */
static void look_at_alpha(struct rp_writer *w, const struct rp_media_frame *m)
{
    if (w->warned_alpha || m->fmt != RP_FMT_BGR24_ALPHA || (w->fmt == m->fmt && !w->gif_alpha) ||
        !rp_alpha_used(m->plane[3], m->stride[3], m->w, m->h, w->gif_alpha))
        return;
    if (w->gif_alpha)
        rp_log(RP_LOG_WARN,
               "%s: pixels of a GIF are opaque or transparent; what is half transparent "
               "becomes one or the other",
               w->path);
    else
        warn_alpha(w);
    w->warned_alpha = true;
}

/* ---- the header ------------------------------------------------------------------------------ */

static bool takes_any_key(const AVFormatContext *oc)
{
    static const char *const names[] = {"matroska", "webm", "flv", "nut", "ogg"};

    for (size_t i = 0; i < RP_ARRAY_LEN(names); i++)
        if (!strcmp(oc->oformat->name, names[i]))
            return true;
    return is_mov_family(oc);
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
    const int ret = avcodec_parameters_from_context(st->codecpar, w->enc);

    if (ret < 0)
        return rp_av_fail(ret, w->path, "writing the header");
    if (w->codec->id == AV_CODEC_ID_RAWVIDEO && is_rgb(w->enc->pix_fmt))
        st->codecpar->codec_tag = 0; /* FFmpeg's own tag for it, which no container knows */
    st->time_base = w->enc->time_base;
    st->avg_frame_rate = w->enc->framerate;
    st->sample_aspect_ratio = w->enc->sample_aspect_ratio;
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
    int ret;

    RP_TRY(describe_stream(w));
    if (w->marked)
        RP_TRY(rp_mark_to_dict(&w->mark, &w->oc->metadata, takes_any_key(w->oc)));
    if (w->marked && !takes_mark(w->oc))
        rp_log(RP_LOG_WARN, "%s: %s files have no place for the synthetic-media mark", w->path,
               w->oc->oformat->name);
    if (is_mov_family(w->oc)) {
        rp_dict_set(&opts, "movflags", "+faststart+use_metadata_tags", 0);
        if (w->enc->time_base.num == 1 || w->constant)
            rp_dict_set_int(&opts, "video_track_timescale", w->enc->time_base.den, 0);
        if (late) /* the start of a track is written in the clock of the whole file */
            rp_dict_set_int(&opts, "movie_timescale", w->enc->time_base.den, 0);
    } else {
        w->oc->avoid_negative_ts = 0; /* audio that starts just before 0 must not move video */
    }
    if (rp_is_matroska(w->oc->oformat) && w->marked && w->params.note)
        rp_dict_set_int(&opts, "write_crc32", 0, 0); /* the mark is completed later */
    if (is_gif(w) && w->tags.loop != RP_LOOP_UNKNOWN)
        rp_dict_set_int(&opts, "loop", w->tags.loop, 0);
    ret = avformat_write_header(w->oc, &opts);
    av_dict_free(&opts);
    if (ret < 0)
        return rp_av_fail(ret, w->path, "writing the header");
    w->header = true;
    return rp_written_begin(&w->written, w->oc, w->stream->index) < 0 ? RP_NOMEM(w->path) : 0;
fail:
    return ret;
}

/* Where the first frame cannot be later than the beginning of the file. */
static bool keeps_no_start(const struct rp_writer *w)
{
    return is_gif(w) || rp_steady_needed(w->oc->oformat);
}

static int begin(struct rp_writer *w, const struct rp_media_frame *frame)
{
    const AVRational base = {w->info.tb_num, w->info.tb_den};

    choose_alpha(w, frame);
    RP_CHECK(open_encoder(w, frame));
    if (is_gif(w))
        RP_CHECK(rp_palette_open(&w->palette, w->enc->width, w->enc->height, w->gif_alpha));
    w->offset = w->range.start > 0 || keeps_no_start(w) ? frame->pts : w->info.start;
    RP_CHECK(rp_tracks_start(w->tracks, av_rescale_q(w->offset, base, AV_TIME_BASE_Q)));
    RP_CHECK(write_header(w, frame->pts != w->offset));
    w->begun = true;
    return 0;
    return 0;
}

/* ---- frames as the encoder takes them -------------------------------------------------------- */

/* BGR and alpha of a frame in one plane. */
static int interleave(const struct rp_media_frame *m, AVFrame **out)
{
    RP_CHECK(rp_avframe_alloc(out, AV_PIX_FMT_BGRA, m->w, m->h, NULL));
    for (int y = 0; y < m->h; y++) {
        const uint8_t *bgr = m->plane[0] + (ptrdiff_t) y * m->stride[0];
        const uint8_t *const alpha = m->plane[3] + (ptrdiff_t) y * m->stride[3];
        uint8_t *to = (*out)->data[0] + (ptrdiff_t) y * (*out)->linesize[0];

        for (int x = 0; x < m->w; x++, bgr += 3, to += 4) {
            memcpy(to, bgr, 3);
            to[3] = alpha[x];
        }
    }
    return 0;
}

/* A frame of ours as an AVFrame: a reference if this folder made it, else a copy. */
static int borrow(struct rp_writer *w, const struct rp_media_frame *m, AVFrame **out)
{
    const AVFrame *const ref = m->ref;
    const enum rp_pixfmt kept = m->fmt == RP_FMT_BGR24_ALPHA ? w->fmt : m->fmt;
    const enum AVPixelFormat fmt = rp_pixfmt_to_av(kept);

    if (kept == RP_FMT_BGR24_ALPHA)
        return interleave(m, out);
    if (ref && ref->data[0] == m->plane[0] && ref->linesize[0] == m->stride[0]) {
        if (!(*out = av_frame_clone(ref)))
            return RP_NOMEM(w->path);
        if (kept == RP_FMT_BGR24)
            (*out)->data[3] = NULL; /* alpha */
    } else {
        uint8_t *const plane[4] = {m->plane[0], m->plane[1], m->plane[2], m->plane[3]};
        RP_CHECK(rp_avframe_alloc(out, fmt, m->w, m->h, NULL));
        av_image_copy((*out)->data, (*out)->linesize, (const uint8_t **) plane, m->stride, fmt,
                      m->w, m->h);
    }
    (*out)->format = fmt; /* yuvj and yuv are the same here */
    return 0;
    return 0;
}

/* One more column or row, equal to the last. */
static void pad_plane(uint8_t *to, int to_stride, const uint8_t *from, int from_stride, int w,
                      int h, int to_w, int to_h, int bytes)
{
    for (int y = 0; y < to_h; y++) {
        uint8_t *const row = to + (ptrdiff_t) y * to_stride;
        memcpy(row, from + (ptrdiff_t) RP_MIN(y, h - 1) * from_stride, (size_t) w * bytes);
        for (int x = w; x < to_w; x++)
            memcpy(row + (ptrdiff_t) x * bytes, row + (ptrdiff_t) (w - 1) * bytes, (size_t) bytes);
    }
}

static int pad(struct rp_writer *w, AVFrame **f)
{
    const AVPixFmtDescriptor *const d = av_pix_fmt_desc_get((*f)->format);
    const int bytes = (d->comp[0].depth + 7) / 8;
    AVFrame *to = NULL;
    const int ret = rp_avframe_alloc(&to, (*f)->format, w->enc->width, w->enc->height, &w->pool);

    if (ret < 0)
        return ret;
    for (int p = 0; p < 4 && (*f)->data[p]; p++) {
        const int sx = p == 1 || p == 2 ? d->log2_chroma_w : 0;
        const int sy = p == 1 || p == 2 ? d->log2_chroma_h : 0;
        pad_plane(to->data[p], to->linesize[p], (*f)->data[p], (*f)->linesize[p],
                  AV_CEIL_RSHIFT((*f)->width, sx), AV_CEIL_RSHIFT((*f)->height, sy),
                  AV_CEIL_RSHIFT(to->width, sx), AV_CEIL_RSHIFT(to->height, sy), bytes);
    }
    av_frame_free(f);
    *f = to;
    return 0;
}

/* Fields of different times: chroma must not be mixed. */
static int convert_fields(struct rp_writer *w, const AVFrame *f, struct rp_colour from, AVFrame *to)
{
    AVFrame in[2] = {{{0}}}, out[2] = {{{0}}};

    if (!rp_fields_split(f, in) || !rp_fields_split(to, out))
        return rp_sws_run(&w->sws, f, from, to, w->colour);
    for (int i = 0; i < 2; i++)
        RP_CHECK(rp_sws_run(&w->sws, &in[i], from, &out[i], w->colour));
    return 0;
}

static int convert(struct rp_writer *w, AVFrame **f, struct rp_colour from, enum AVPixelFormat fmt)
{
    AVFrame *to = NULL;
    int ret;

    RP_TRY(rp_avframe_alloc(&to, fmt, w->fit_w, w->fit_h, &w->pool));
    if (w->tags.fields.interlaced)
        RP_TRY(convert_fields(w, *f, from, to));
    else
        RP_TRY(rp_sws_run(&w->sws, *f, from, to, w->colour));
    av_frame_free(f);
    *f = to;
    return 0;
fail:
    av_frame_free(&to);
    return ret;
}

static void mark_fields(struct rp_writer *w, AVFrame *f, const AVFrame *from)
{
    const bool late = from && from->interlaced_frame && !w->tags.fields.interlaced;

    if (late && !w->tags.fields_lost && !w->warned_fields) {
        rp_log(RP_LOG_WARN, "%s: its first frame is not interlaced; that later ones are is lost",
               w->path);
        w->warned_fields = true;
    }
    rp_fields_mark(&w->tags.fields, f, from);
}

static int prepare(struct rp_writer *w, const struct rp_media_frame *m, AVFrame **f)
{
    const enum AVPixelFormat fmt = !is_gif(w)     ? w->enc->pix_fmt
                                   : w->gif_alpha ? AV_PIX_FMT_BGRA
                                                  : AV_PIX_FMT_BGR24;
    int ret;

    look_at_alpha(w, m);
    RP_TRY(borrow(w, m, f));
    if ((*f)->format != fmt || m->w != w->fit_w || m->h != w->fit_h)
        RP_TRY(convert(w, f, m->colour, fmt));
    if (w->fit_w != w->enc->width || w->fit_h != w->enc->height)
        RP_TRY(pad(w, f));
    if (is_gif(w))
        RP_TRY(rp_palette_apply(w->palette, f));
    (*f)->pict_type = AV_PICTURE_TYPE_NONE; /* the encoder decides */
    (*f)->key_frame = 0;
    mark_fields(w, *f, m->ref);
    (*f)->color_range = w->enc->color_range;
    (*f)->colorspace = w->enc->colorspace;
    (*f)->color_primaries = w->enc->color_primaries;
    (*f)->color_trc = w->enc->color_trc;
    (*f)->sample_aspect_ratio = w->enc->sample_aspect_ratio;
    av_frame_remove_side_data(*f, AV_FRAME_DATA_DISPLAYMATRIX);
    return 0;
fail:
    av_frame_free(f);
    return ret;
}

/* ---- encoding and muxing --------------------------------------------------------------------- */

/* Packets of most encoders have no duration, so it is looked up by the timestamp. */
static int64_t duration_of(const struct rp_writer *w, int64_t pts)
{
    for (unsigned i = 0; i < SHOWN_MAX; i++)
        if (w->shown[i][0] == pts)
            return w->shown[i][1];
    return 0;
}

static int write_packet(struct rp_writer *w)
{
    AVPacket *const p = w->packet;
    int ret;

    if (w->shown_at <= 2 && !strcmp(w->codec->name, "libx265"))
        p->dts = p->pts; /* of so few frames x265 leaves it as it finds it */
    if (w->gif_alpha && av_packet_make_writable(p) >= 0)
        rp_gif_dispose(p->data, (size_t) p->size);
    p->duration = duration_of(w, p->pts);
    if (p->pts == AV_NOPTS_VALUE)
        p->pts = p->dts;
    av_packet_rescale_ts(p, w->enc->time_base, w->stream->time_base);
    p->stream_index = w->stream->index;
    ret = rp_written_packet(&w->written, w->oc, p);
    if (ret >= 0 && w->oc->pb && w->oc->pb->error < 0)
        ret = w->oc->pb->error;
    return ret < 0 ? rp_av_fail(ret, w->path, "writing") : 0;
}

/* Send one frame, or NULL for the end, through the encoder. */
static int encode(struct rp_writer *w, const AVFrame *f)
{
    int ret = avcodec_send_frame(w->enc, f);

    w->frames += f && ret >= 0;
    while (ret >= 0) {
        forgive_driver(w);
        if ((ret = avcodec_receive_packet(w->enc, w->packet)) < 0)
            break;
        w->packets++;
        const int wrote = write_packet(w);
        av_packet_unref(w->packet);
        if (wrote < 0)
            return wrote;
    }
    forgive_driver(w);
    return ret == AVERROR(EAGAIN) || ret == AVERROR_EOF ? 0 : rp_av_fail(ret, w->path, "encoding");
}

/* pts and duration in the encoder's time base. */
static int emit(struct rp_writer *w, AVFrame *f, int64_t pts, int64_t duration)
{
    if (w->last_pts != AV_NOPTS_VALUE && pts <= w->last_pts)
        return 0; /* two frames within one tick of a coarser clock */
    w->last_pts = f->pts = pts;
    f->pkt_duration = duration;
    w->shown[w->shown_at % SHOWN_MAX][0] = pts;
    w->shown[w->shown_at++ % SHOWN_MAX][1] = duration;
    return encode(w, f);
}

/* Constant rate: the held frame fills every slot before `slot`. */
static int fill_slots(struct rp_writer *w, int64_t slot)
{
    const AVRational one = av_inv_q(w->enc->framerate), base = w->enc->time_base;
    int ret = 0;

    while (w->held && w->next_slot < slot && ret >= 0) {
        const int64_t pts = av_rescale_q(w->next_slot, one, base); /* GIF has a clock of its own */
        const int64_t after = av_rescale_q(w->next_slot + 1, one, base);
        AVFrame *again = av_frame_clone(w->held);
        ret = again ? emit(w, again, pts, after - pts) : RP_ERR_NOMEM;
        av_frame_free(&again);
        w->next_slot++;
    }
    return ret;
}

static int64_t slot_of(const struct rp_writer *w, int64_t pts)
{
    const AVRational base = {w->info.tb_num, w->info.tb_den};

    return av_rescale_q(pts - w->offset, base, av_inv_q(w->enc->framerate));
}

static int write_constant(struct rp_writer *w, AVFrame **f, const struct rp_media_frame *m)
{
    if (!w->held)
        w->next_slot = slot_of(w, m->pts);
    RP_CHECK(fill_slots(w, slot_of(w, m->pts)));
    av_frame_free(&w->held);
    w->held = *f;
    *f = NULL;
    return 0;
    return 0;
}

static int write_as_it_is(struct rp_writer *w, AVFrame *f, const struct rp_media_frame *m)
{
    const AVRational base = {w->info.tb_num, w->info.tb_den};

    return emit(w, f, av_rescale_q(m->pts - w->offset, base, w->enc->time_base),
                av_rescale_q(m->duration, base, w->enc->time_base));
}

int rp_writer_write(struct rp_writer *w, const struct rp_media_frame *frame)
{
    const AVRational base = {w->info.tb_num, w->info.tb_den};
    const AVRational rate = {w->info.fps_num, w->info.fps_den};
    AVFrame *f = NULL;
    int ret;

    rp_av_begin();
    if (!w->begun)
        RP_TRY(begin(w, frame));
    if (frame->w != w->w || frame->h != w->h)
        return rp_fail(RP_ERR_INVALID, "%s: a frame of %dx%d after some of %dx%d", w->path,
                       frame->w, frame->h, w->w, w->h);
    RP_TRY(prepare(w, frame, &f));
    const int64_t duration =
        frame->duration > 0 ? frame->duration : av_rescale_q(1, av_inv_q(rate), base);
    w->end = frame->pts + duration;
    w->index = frame->index;
    RP_TRY(rp_tracks_until(w->tracks, av_rescale_q(w->end, base, AV_TIME_BASE_Q)));
    if (w->constant)
        ret = write_constant(w, &f, frame);
    else
        ret = write_as_it_is(w, f, frame);
    if (ret >= 0)
        ret = check_memory(w);
fail:
    av_frame_free(&f);
    return ret;
}

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

int rp_writer_finish(struct rp_writer *w)
{
    const AVRational base = {w->info.tb_num, w->info.tb_den};

    rp_av_begin();
    if (!w->begun)
        return rp_fail(RP_ERR_FORMAT, "%s: there is no frame to write", w->path);
    if (w->constant)
        RP_CHECK(fill_slots(w, RP_MAX(slot_of(w, w->end), w->next_slot + !w->shown_at)));
    RP_CHECK(encode(w, NULL));
    RP_CHECK(rp_tracks_finish(w->tracks, av_rescale_q(w->end, base, AV_TIME_BASE_Q), is_cut(w)));
    RP_CHECK(check_memory(w));
    if (w->packets < w->frames)
        return rp_fail(RP_ERR_IO,
                       "%s: the encoder %s gave %lld packets for %lld frames, as when it has no "
                       "memory; nothing is kept, so try again",
                       w->path, w->codec->name, (long long) w->packets, (long long) w->frames);
    say_damage(w);
    RP_CHECK(end_file(w));
    RP_CHECK(check_memory(w));
    return rp_written_check(&w->written, w->oc, w->file, w->path, w->frames);
    return 0;
}
