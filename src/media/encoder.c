/* Encoders: which there are, what quality and preset mean to each, which pixel formats they take;
 * and what containers take. The numbers are FaceFusion's: linear in the quality, rounded half to
 * even. */
#include "media/av.h"

#include <math.h>
#include <pthread.h>

#include "base/path.h"

enum scale {
    SCALE_NONE,
    SCALE_CRF,     /* crf 51..0 */
    SCALE_CRF63,   /* crf 63..0 */
    SCALE_CQ,      /* cq 51..0 */
    SCALE_QP_AMF,  /* qp_i, qp_p, qp_b 51..0 */
    SCALE_QP_QSV,  /* constant quantiser 51..0 */
    SCALE_BITRATE, /* 1024..50512 kbit/s */
    SCALE_QSCALE,  /* 31..1: FFmpeg's own encoders */
};

enum preset { PRESET_NONE, PRESET_SAME, PRESET_NVENC, PRESET_AMF, PRESET_QSV };

/* clang-format off */
static const struct video_encoder {
    const char *name;
    enum scale scale;
    enum preset preset;
    bool listed; /* offered as a choice of the option */
} video_table[] = {
    {"libx264",           SCALE_CRF,     PRESET_SAME,  true},
    {"libx264rgb",        SCALE_CRF,     PRESET_SAME,  true},
    {"libx265",           SCALE_CRF,     PRESET_SAME,  true},
    {"libvpx-vp9",        SCALE_CRF63,   PRESET_NONE,  true},
    {"h264_nvenc",        SCALE_CQ,      PRESET_NVENC, true},
    {"hevc_nvenc",        SCALE_CQ,      PRESET_NVENC, true},
    {"h264_amf",          SCALE_QP_AMF,  PRESET_AMF,   true},
    {"hevc_amf",          SCALE_QP_AMF,  PRESET_AMF,   true},
    {"h264_qsv",          SCALE_QP_QSV,  PRESET_QSV,   true},
    {"hevc_qsv",          SCALE_QP_QSV,  PRESET_QSV,   true},
    {"h264_videotoolbox", SCALE_BITRATE, PRESET_NONE,  true},
    {"hevc_videotoolbox", SCALE_BITRATE, PRESET_NONE,  true},
    {"rawvideo",          SCALE_NONE,    PRESET_NONE,  true},
    {"prores_ks",         SCALE_QSCALE,  PRESET_NONE,  true}, /* ours: keeps alpha in MOV */
    {"libvpx",            SCALE_CRF63,   PRESET_NONE,  false},
    {"libaom-av1",        SCALE_CRF63,   PRESET_NONE,  false},
    {"libsvtav1",         SCALE_CRF63,   PRESET_NONE,  false},
    {"mpeg4",             SCALE_QSCALE,  PRESET_NONE,  false},
    {"mpeg2video",        SCALE_QSCALE,  PRESET_NONE,  false},
    {"mjpeg",             SCALE_QSCALE,  PRESET_NONE,  false},
};

static const struct audio_encoder {
    const char *name;
    double low, high; /* at quality 0 and 100 */
    double step;      /* rounded to */
    bool bitrate;     /* kbit/s, else FFmpeg's -q:a */
} audio_table[] = {
    {"flac",       0,    0,   0,   false},
    {"aac",        0.1,  2.0, 0.1, false},
    {"libmp3lame", 9,    0,   1,   false},
    {"libopus",    64,   256, 1,   true},
    {"libvorbis",  -1,   10,  0.1, false},
    {"pcm_s16le",  0,    0,   0,   false},
    {"pcm_s32le",  0,    0,   0,   false},
};
/* clang-format on */

/* ---- lists ----------------------------------------------------------------------------------- */

static const char *video_names[RP_ARRAY_LEN(video_table) + 1];
static const char *audio_names[RP_ARRAY_LEN(audio_table) + 1];

static void list_encoders(void)
{
    size_t n = 0, k = 0;

    for (size_t i = 0; i < RP_ARRAY_LEN(video_table); i++)
        if (video_table[i].listed && avcodec_find_encoder_by_name(video_table[i].name))
            video_names[n++] = video_table[i].name;
    for (size_t i = 0; i < RP_ARRAY_LEN(audio_table); i++)
        if (avcodec_find_encoder_by_name(audio_table[i].name))
            audio_names[k++] = audio_table[i].name;
}

static pthread_once_t listed = PTHREAD_ONCE_INIT;

const char *const *rp_video_encoders(void)
{
    pthread_once(&listed, list_encoders);
    return video_names;
}

const char *const *rp_audio_encoders(void)
{
    pthread_once(&listed, list_encoders);
    return audio_names;
}

/* ---- hardware -------------------------------------------------------------------------------- */

const struct rp_hardware *rp_encoder_hardware(const char *encoder)
{
    static const struct rp_hardware table[] = {
        {"_nvenc", "NVIDIA", "an NVIDIA GPU and its driver with libnvidia-encode"},
        {"_qsv", "Intel", "an Intel GPU and its media runtime (intel-media-va-driver, libmfx-gen)"},
        {"_amf", "AMD", "an AMD GPU and its AMF runtime"},
        {"_videotoolbox", "Apple", "macOS"},
    };

    for (size_t i = 0; i < RP_ARRAY_LEN(table); i++) {
        const size_t n = strlen(encoder), end = strlen(table[i].end);

        if (n > end && !strcmp(encoder + n - end, table[i].end))
            return &table[i];
    }
    return NULL;
}

int rp_encoder_opens(const char *encoder, char *why, size_t size)
{
    const AVCodec *const codec = avcodec_find_encoder_by_name(encoder);
    AVCodecContext *enc = codec ? avcodec_alloc_context3(codec) : NULL;
    int ret = codec ? AVERROR(ENOMEM) : AVERROR_ENCODER_NOT_FOUND;

    rp_av_begin();
    if (enc) {
        enc->width = 640; /* more than the least that any of them takes */
        enc->height = 480;
        enc->time_base = (AVRational){1, 25};
        enc->pix_fmt = rp_encoder_pixfmt(codec, RP_FMT_YUV420P);
        ret = avcodec_open2(enc, codec, NULL);
        avcodec_free_context(&enc);
    }
    if (rp_av_lacks() || ret == AVERROR(ENOMEM))
        return RP_NOMEM(encoder);
    if (ret < 0)
        snprintf(why, size, "%s", av_err2str(ret));
    return ret >= 0;
}

/* ---- quality and preset ---------------------------------------------------------------------- */

static const struct video_encoder *find_video(const char *name)
{
    static const struct video_encoder other = {"", SCALE_NONE, PRESET_NONE, false};

    for (size_t i = 0; i < RP_ARRAY_LEN(video_table); i++)
        if (!strcmp(video_table[i].name, name))
            return &video_table[i];
    return &other;
}

int rp_quality_video(const char *encoder, int quality)
{
    const double bad = 1 - RP_CLAMP(quality, 0, 100) / 100.0;

    switch (find_video(encoder)->scale) {
    case SCALE_CRF:
    case SCALE_CQ:
    case SCALE_QP_AMF:
    case SCALE_QP_QSV:
        return (int) rint(51 * bad);
    case SCALE_CRF63:
        return (int) rint(63 * bad);
    case SCALE_BITRATE:
        return (int) rint(1024 + (50512 - 1024) * (1 - bad));
    case SCALE_QSCALE:
        return RP_MAX(1, (int) rint(31 * bad));
    case SCALE_NONE:
        break;
    }
    return 0;
}

static const struct audio_encoder *find_audio(const char *name)
{
    for (size_t i = 0; i < RP_ARRAY_LEN(audio_table); i++)
        if (!strcmp(audio_table[i].name, name))
            return &audio_table[i];
    return NULL;
}

double rp_quality_audio(const char *encoder, int quality)
{
    const struct audio_encoder *const a = find_audio(encoder);

    if (!a || a->step <= 0)
        return 0;
    const double v = a->low + (a->high - a->low) * RP_CLAMP(quality, 0, 100) / 100;
    return a->step < 1 ? rint(v * 10) / 10 : rint(v);
}

/* Place of a preset among x264's names; -1 if it is none of them. */
static int preset_place(const char *preset)
{
    static const char *const order[] = {"ultrafast", "superfast", "veryfast", "faster",  "fast",
                                        "medium",    "slow",      "slower",   "veryslow"};

    for (size_t i = 0; i < RP_ARRAY_LEN(order); i++)
        if (!strcmp(order[i], preset))
            return (int) i;
    return -1;
}

static void set_preset(AVDictionary **opts, enum preset kind, const char *preset)
{
    const int place = preset_place(preset);

    switch (kind) {
    case PRESET_NONE:
        break;
    case PRESET_SAME:
        rp_dict_set(opts, "preset", preset, 0);
        break;
    case PRESET_NVENC:
        rp_dict_set(opts, "preset", place <= 4 ? "fast" : place == 5 ? "medium" : "slow", 0);
        break;
    case PRESET_AMF:
        rp_dict_set(opts, "quality", place <= 2 ? "speed" : place <= 5 ? "balanced" : "quality", 0);
        break;
    case PRESET_QSV:
        rp_dict_set(opts, "preset", place <= 2 ? "veryfast" : preset, 0);
        break;
    }
}

static void set_qscale(AVCodecContext *enc, double q)
{
    enc->flags |= AV_CODEC_FLAG_QSCALE;
    enc->global_quality = (int) lrint(FF_QP2LAMBDA * q);
}

static void set_quality(AVCodecContext *enc, AVDictionary **opts, enum scale scale, int value)
{
    switch (scale) {
    case SCALE_CRF:
    case SCALE_CRF63:
        rp_dict_set_int(opts, "crf", value, 0);
        break;
    case SCALE_CQ:
        rp_dict_set_int(opts, "cq", value, 0);
        break;
    case SCALE_QP_AMF:
        rp_dict_set_int(opts, "qp_i", value, 0);
        rp_dict_set_int(opts, "qp_p", value, 0);
        rp_dict_set_int(opts, "qp_b", value, 0);
        break;
    case SCALE_BITRATE:
        enc->bit_rate = value * INT64_C(1000);
        break;
    case SCALE_QP_QSV:
    case SCALE_QSCALE:
        set_qscale(enc, value);
        break;
    case SCALE_NONE:
        break;
    }
}

void rp_encoder_setup_video(AVCodecContext *enc, AVDictionary **opts, const char *preset,
                            int quality)
{
    const char *const name = enc->codec->name;
    const struct video_encoder *const v = find_video(name);

    set_quality(enc, opts, v->scale, rp_quality_video(name, quality));
    set_preset(opts, v->preset, preset && preset[0] ? preset : "veryfast");
    if (!strncmp(name, "libvpx", 6) || !strcmp(name, "libaom-av1"))
        rp_dict_set(opts, "row-mt", "1", 0); /* same quality, more threads */
    if (!strcmp(name, "libvpx") && enc->pix_fmt == AV_PIX_FMT_YUVA420P)
        rp_dict_set(opts, "auto-alt-ref", "0", 0); /* it refuses hidden frames with alpha */
    if (!strcmp(name, "libaom-av1"))
        rp_dict_set(opts, "cpu-used", "6", 0);
    if (!strcmp(name, "libx264") || !strcmp(name, "libx264rgb")) {
        /* Levels depend on the rate, which the time base, the container's, does not give. Pieces of one
         * video may be made on different processors, and on some the same one encoded a piece anew
         * in other bytes: AVX-512 code that spreads costs read beyond the last block of a row. */
        char params[96];
        snprintf(params, sizeof(params), "fps=%d/%d:cpu-independent=1", enc->framerate.num,
                 enc->framerate.den);
        rp_dict_set(opts, "x264-params", params, 0);
    }
    if (!strcmp(name, "libx265"))
        rp_dict_set(opts, "x265-params", "log-level=none", 0); /* it would write to stderr */
}

void rp_encoder_setup_audio(AVCodecContext *enc, int quality)
{
    const struct audio_encoder *const a = find_audio(enc->codec->name);

    if (!a || a->step <= 0)
        return;
    const double v = rp_quality_audio(a->name, quality);
    if (a->bitrate)
        enc->bit_rate = (int64_t) (v * 1000);
    else
        set_qscale(enc, v);
}

/* ---- pixel formats --------------------------------------------------------------------------- */

static bool has_format(const enum AVPixelFormat *list, enum AVPixelFormat fmt)
{
    for (; list && *list != AV_PIX_FMT_NONE; list++)
        if (*list == fmt)
            return true;
    return false;
}

/* RGB frames go to YUV encoders as 4:2:0: what players show (GIF to MP4). */
enum AVPixelFormat rp_encoder_pixfmt(const AVCodec *codec, enum rp_pixfmt fmt)
{
    const enum AVPixelFormat want = rp_pixfmt_to_av(fmt), *const list = codec->pix_fmts;
    const bool rgb = fmt == RP_FMT_BGR24, rgba = fmt == RP_FMT_BGR24_ALPHA;

    if (!list || has_format(list, want))
        return want;
    if (rgb && has_format(list, AV_PIX_FMT_YUV420P))
        return AV_PIX_FMT_YUV420P;
    if (rgba && has_format(list, AV_PIX_FMT_YUVA420P))
        return AV_PIX_FMT_YUVA420P;
    return avcodec_find_best_pix_fmt_of_list(list, want, rp_pixfmt_alpha(fmt), NULL);
}

/* Raw video has no header: the container names the format, and knows only a few. Others could be
 * written, but nobody could read them. */
enum AVPixelFormat rp_raw_pixfmt(const AVOutputFormat *format, enum rp_pixfmt fmt)
{
    const enum AVPixelFormat want = rp_pixfmt_to_av(fmt);
    const AVPixFmtDescriptor *const d = av_pix_fmt_desc_get(want);
    const bool avi = !strcmp(format->name, "avi"), asf = !strcmp(format->name, "asf");

    if (!avi && !asf && strcmp(format->name, "mov") != 0)
        return want;
    if (!(d->flags & AV_PIX_FMT_FLAG_RGB) && d->log2_chroma_h)
        return AV_PIX_FMT_YUV420P;
    if (!(d->flags & AV_PIX_FMT_FLAG_RGB) && d->log2_chroma_w)
        return avi || asf ? AV_PIX_FMT_YUV422P : AV_PIX_FMT_UYVY422;
    return asf ? AV_PIX_FMT_YUV422P : avi ? AV_PIX_FMT_BGR24 : AV_PIX_FMT_RGB24;
}

/* ---- containers ------------------------------------------------------------------------------ */

/* FFmpeg's muxers refuse these, but only when they write the header; or write what nobody reads. */
static bool is_trap(const char *format, enum AVCodecID codec)
{
    if (!strcmp(format, "mov"))
        return codec == AV_CODEC_ID_OPUS || codec == AV_CODEC_ID_FLAC ||
               codec == AV_CODEC_ID_TRUEHD || codec == AV_CODEC_ID_VP9 || codec == AV_CODEC_ID_AV1;
    if (!strcmp(format, "mp4") || !strcmp(format, "matroska"))
        return codec == AV_CODEC_ID_RAWVIDEO;
    if (!strcmp(format, "avi"))
        return codec == AV_CODEC_ID_OPUS || codec == AV_CODEC_ID_VORBIS ||
               codec == AV_CODEC_ID_FLAC; /* written, but nothing can read it */
    return false;
}

/* FFmpeg's MPEG-TS does not say which codecs it takes; it packs unknown ones as private data. */
static bool is_transport(enum AVCodecID codec)
{
    static const enum AVCodecID known[] = {
        AV_CODEC_ID_H264, AV_CODEC_ID_HEVC,  AV_CODEC_ID_MPEG1VIDEO,   AV_CODEC_ID_MPEG2VIDEO,
        AV_CODEC_ID_AAC,  AV_CODEC_ID_AC3,   AV_CODEC_ID_EAC3,         AV_CODEC_ID_MP2,
        AV_CODEC_ID_MP3,  AV_CODEC_ID_OPUS,  AV_CODEC_ID_DVB_SUBTITLE, AV_CODEC_ID_DVB_TELETEXT,
        AV_CODEC_ID_DTS,  AV_CODEC_ID_MPEG4,
    };

    for (size_t i = 0; i < RP_ARRAY_LEN(known); i++)
        if (known[i] == codec)
            return true;
    return false;
}

bool rp_container_takes(const AVOutputFormat *format, enum AVCodecID codec)
{
    if (!strcmp(format->name, "gif"))
        return codec == AV_CODEC_ID_GIF;
    if (!strcmp(format->name, "mpegts"))
        return is_transport(codec);
    return codec != AV_CODEC_ID_NONE && !is_trap(format->name, codec) &&
           avformat_query_codec(format, codec, FF_COMPLIANCE_EXPERIMENTAL) == 1;
}

bool rp_is_matroska(const AVOutputFormat *format)
{
    return !strcmp(format->name, "matroska") || !strcmp(format->name, "webm");
}

/* VP8 and VP9 store alpha outside the picture, for which only Matroska has a place. */
bool rp_keeps_alpha(const AVOutputFormat *format, const AVCodec *codec)
{
    const bool vpx = codec->id == AV_CODEC_ID_VP8 || codec->id == AV_CODEC_ID_VP9;

    if (codec->id == AV_CODEC_ID_GIF || !codec->pix_fmts || (vpx && !rp_is_matroska(format)))
        return false;
    for (const enum AVPixelFormat *f = codec->pix_fmts; *f != AV_PIX_FMT_NONE; f++)
        if (av_pix_fmt_desc_get(*f)->flags & AV_PIX_FMT_FLAG_ALPHA)
            return true;
    return false;
}

/* ---- which for an output -----------------------------------------------------------------------
 */

/* m4v is another name for MP4, but FFmpeg's own muxer for it takes fewer codecs. */
const AVOutputFormat *rp_guess_format(const char *path)
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
    const AVOutputFormat *const format = rp_guess_format(path);
    const char *const name = format ? encoder_name(format, encoder, true) : NULL;
    const AVCodec *codec = name ? avcodec_find_encoder_by_name(name) : NULL;

    if (codec && !rp_container_takes(format, codec->id))
        codec = substitute(format);
    return !codec || rp_keeps_alpha(format, codec); /* opening the writer tells what is wrong */
}

const AVCodec *rp_find_encoder(const AVOutputFormat *format, const char *name, bool alpha)
{
    const char *const wanted = encoder_name(format, name, alpha);
    const AVCodec *const codec = wanted ? avcodec_find_encoder_by_name(wanted) : NULL;

    if (!codec || codec->type != AVMEDIA_TYPE_VIDEO || rp_container_takes(format, codec->id))
        return codec;
    return substitute(format);
}

int rp_choose_encoder(const AVOutputFormat *format, const char *name, bool alpha, const char *path,
                      const AVCodec **codec)
{
    const char *const wanted = encoder_name(format, name, alpha);
    const AVCodec *const found = wanted ? avcodec_find_encoder_by_name(wanted) : NULL;

    *codec = rp_find_encoder(format, name, alpha);
    if (!found || found->type != AVMEDIA_TYPE_VIDEO)
        return rp_fail(RP_ERR_USAGE, "%s: this FFmpeg has no video encoder '%s'", path,
                       wanted ? wanted : "");
    if (*codec == found)
        return 0;
    if (!*codec)
        return rp_fail(RP_ERR_USAGE, "%s: a %s file holds no video of %s", path, format->name,
                       wanted);
    rp_log(name ? RP_LOG_WARN : RP_LOG_INFO, "%s: a %s file holds no video of %s; %s is used", path,
           format->name, wanted, (*codec)->name);
    return 0;
}
