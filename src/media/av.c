/* What all users of libav* need: log, errors, opening files. */
#include "media/av.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavutil/intreadwrite.h>
#include <libavutil/log.h>

/* ---- log and errors -------------------------------------------------------------------------- */

static _Thread_local unsigned lacked; /* how often memory was short in this thread */
static _Thread_local unsigned begun;  /* the same when the present call began */
static atomic_bool deaf_to_errno;

/* Memory was short in this thread, for what is watched if it is known. */
static void note_lack(struct rp_watch *w)
{
    lacked++;
    if (w)
        atomic_store(&w->lacks, true);
}

/* Takes from errno that memory was short. */
static void look_at_errno(struct rp_watch *w)
{
    if (errno != ENOMEM || atomic_load(&deaf_to_errno))
        return;
    errno = 0;
    note_lack(w);
}

void rp_av_ignore_errno(void)
{
    atomic_store(&deaf_to_errno, true);
}

void rp_av_begin(void)
{
    rp_av_init();
    begun = lacked;
    errno = 0;
}

void rp_watch_begin(struct rp_watch *w)
{
    rp_av_begin();
    w->before = lacked;
}

bool rp_av_lacks(void)
{
    look_at_errno(NULL);
    return lacked != begun;
}

bool rp_watch_lacks(struct rp_watch *w)
{
    look_at_errno(NULL);
    if (lacked != w->before)
        atomic_store(&w->lacks, true);
    return atomic_load(&w->lacks);
}

static int get_buffer(AVCodecContext *dec, AVFrame *f, int flags)
{
    struct rp_watch *const watch = dec->opaque;
    look_at_errno(watch); /* of the frame before that this thread decoded */
    struct rp_frame_store *const store = watch ? atomic_load(&watch->store) : NULL;
    const int ret = store && rp_frame_store_takes(store, dec, f)
                        ? rp_frame_store_decode(store, dec, f)
                        : avcodec_default_get_buffer2(dec, f, flags);
    look_at_errno(watch);
    return ret;
}

void rp_av_watch_buffers(AVCodecContext *dec)
{
    dec->get_buffer2 = get_buffer;
#if LIBAVCODEC_VERSION_MAJOR < 60
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    dec->thread_safe_callbacks = 1; /* as the default has it */
#pragma GCC diagnostic pop
#endif
}

/* Of their own words for it, libraries have many: "Cannot allocate memory", "Failed to allocate a
 * frame", "malloc of size 64 failed". But "channel element 3.4 is not allocated". */
static bool tells_of_shortage(const char *line)
{
    static const char *const words[] = {"cannot", "fail", "could not", "unable", "error", "no space"};

    if (strcasestr(line, "out of memory"))
        return true;
    if (!strcasestr(line, "alloc"))
        return false;
    for (size_t i = 0; i < RP_ARRAY_LEN(words); i++)
        if (strcasestr(line, words[i]))
            return true;
    return false;
}

void rp_dict_set(AVDictionary **dict, const char *key, const char *value, int flags)
{
    if (av_dict_set(dict, key, value, flags) < 0)
        note_lack(NULL);
}

void rp_dict_set_int(AVDictionary **dict, const char *key, int64_t value, int flags)
{
    if (av_dict_set_int(dict, key, value, flags) < 0)
        note_lack(NULL);
}

bool rp_watch_trusts(enum AVCodecID codec)
{
    static const enum AVCodecID trusted[] = {
        AV_CODEC_ID_MJPEG, AV_CODEC_ID_VP8,  AV_CODEC_ID_VP9,     AV_CODEC_ID_FFV1,
        AV_CODEC_ID_GIF,   AV_CODEC_ID_WMV1, AV_CODEC_ID_WMV2,    AV_CODEC_ID_WMV3,
        AV_CODEC_ID_VC1,   AV_CODEC_ID_APNG, AV_CODEC_ID_HUFFYUV, AV_CODEC_ID_FFVHUFF,
        AV_CODEC_ID_PRORES, AV_CODEC_ID_DVVIDEO, AV_CODEC_ID_PNG, AV_CODEC_ID_UTVIDEO,
        AV_CODEC_ID_DNXHD, AV_CODEC_ID_QTRLE,
    };

    for (size_t i = 0; i < RP_ARRAY_LEN(trusted); i++)
        if (trusted[i] == codec)
            return true;
    return false;
}

/* The watch of a context, which libav copies for each of its threads. */
static struct rp_watch *watch_of(void *avcl)
{
    const AVClass *const c = avcl ? *(const AVClass **) avcl : NULL;

    if (c && c == avcodec_get_class())
        return ((AVCodecContext *) avcl)->opaque;
    return c && c == avformat_get_class() ? ((AVFormatContext *) avcl)->opaque : NULL;
}

/* Of these, warnings are looked at too. */
static bool is_demuxer(void *avcl, const struct rp_watch *watch)
{
    return watch && *(const AVClass **) avcl == avformat_get_class();
}

static bool is_hint(const char *line)
{
    return strstr(line, "mismatch") || strstr(line, "nvalid") || strstr(line, "orrupt");
}

bool rp_av_errno_tells(const AVCodec *codec, bool failed)
{
    if (codec->capabilities & (AV_CODEC_CAP_HARDWARE | AV_CODEC_CAP_HYBRID))
        return false;
    return failed || strncmp(codec->name, "libx264", 7) != 0;
}

static bool is_forgiven(void *avcl)
{
    const AVClass *const c = avcl ? *(const AVClass **) avcl : NULL;
    const AVCodec *const codec =
        c && c == avcodec_get_class() ? ((AVCodecContext *) avcl)->codec : NULL;

    return codec && !rp_av_errno_tells(codec, false);
}

static void on_log(void *avcl, int level, const char *fmt, va_list args)
{
    char line[1024];
    int prefix = 1;

    struct rp_watch *const watch = watch_of(avcl);
    if (!is_forgiven(avcl))
        look_at_errno(watch);
    if (level > av_log_get_level() + 8 * is_demuxer(avcl, watch))
        return;
    av_log_format_line2(avcl, level, fmt, args, line, sizeof(line), &prefix);
    size_t n = strlen(line);
    while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
        line[--n] = 0;
    if (is_demuxer(avcl, watch) && is_hint(line))
        atomic_fetch_add(&watch->hints, 1);
    if (level > av_log_get_level())
        return;
    if (watch && !is_demuxer(avcl, watch))
        atomic_fetch_add(&watch->faults, 1);
    if (watch && (!watch->deaf || is_demuxer(avcl, watch)))
        atomic_fetch_add(&watch->errors, 1);
    if (tells_of_shortage(line))
        note_lack(watch);
    if (n > 0)
        rp_log(RP_LOG_DEBUG, "libav: %s", line);
}

static void init_once(void)
{
    av_log_set_level(AV_LOG_ERROR);
    av_log_set_callback(on_log);
}

void rp_av_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, init_once);
}

int rp_av_status(int averror)
{
    switch (averror) {
    case AVERROR(ENOMEM):
        return RP_ERR_NOMEM;
    case AVERROR(EINVAL):
    case AVERROR(ERANGE):
    case AVERROR(EDOM):
    case AVERROR_INVALIDDATA:
    case AVERROR_EOF:
    case AVERROR_DEMUXER_NOT_FOUND:
    case AVERROR_STREAM_NOT_FOUND:
        return RP_ERR_FORMAT;
    case AVERROR(ENOSYS):
    case AVERROR_DECODER_NOT_FOUND:
    case AVERROR_ENCODER_NOT_FOUND:
    case AVERROR_MUXER_NOT_FOUND:
    case AVERROR_PATCHWELCOME:
    case AVERROR_EXPERIMENTAL:
        return RP_ERR_UNSUPPORTED;
    default:
        return averror < 0 && averror > -200 ? rp_io_status(AVUNERROR(averror))
                                             : RP_ERR_FORMAT; /* errno or a tag */
    }
}

int rp_av_fail(int averror, const char *path, const char *doing)
{
    char reason[AV_ERROR_MAX_STRING_SIZE] = "";
    const int error = errno;

    if (rp_av_lacks())
        averror = AVERROR(ENOMEM);
    av_strerror(averror, reason, sizeof(reason));
    /* A demuxer's word for a file that ends too soon, where no call of the system has failed. */
    const bool cut = averror == AVERROR(EIO) && error != EIO;
    return rp_fail(cut ? RP_ERR_FORMAT : rp_av_status(averror), "%s: %s: %s", path, doing, reason);
}

/* ---- opening --------------------------------------------------------------------------------- */

int rp_file_check(const char *path)
{
    struct stat st;
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0) {
        const int err = errno;
        if (fd >= 0)
            close(fd);
        return rp_fail(rp_io_status(err), "%s: opening: %s", path, strerror(err));
    }
    close(fd);
    if (S_ISDIR(st.st_mode))
        return rp_fail(RP_ERR_IO, "%s: opening: Is a directory", path);
    if (!S_ISREG(st.st_mode))
        return rp_fail(RP_ERR_IO, "%s: opening: Not a regular file", path);
    if (st.st_size == 0)
        return rp_fail(RP_ERR_FORMAT, "%s: the file is empty", path);
    return 0;
}

int rp_file_head(const char *path, uint8_t *head, size_t size)
{
    FILE *const f = fopen(path, "rbe");

    memset(head, 0, size);
    if (!f)
        return rp_fail(rp_io_status(errno), "%s: opening: %m", path);
    const size_t n = fread(head, 1, size, f);
    const int err = ferror(f) ? errno : 0;
    fclose(f);
    if (err)
        return rp_fail(rp_io_status(err), "%s: reading: %s", path, strerror(err));
    return (int) n;
}

int rp_size_check(const char *path, int64_t w, int64_t h)
{
    if (w < 1 || h < 1)
        return rp_fail(RP_ERR_FORMAT, "%s: no pixels; a file like that is cut short or broken",
                       path);
    if (w > RP_SIDE_MAX || h > RP_SIDE_MAX || w * h > RP_PIXELS_MAX)
        return rp_fail(RP_ERR_LIMIT, "%s: %lldx%lld pixels are more than %d a side or 2^28", path,
                       (long long) w, (long long) h, RP_SIDE_MAX);
    return 0;
}

/* Text files played as terminal output, and lists that name further files. */
static bool is_refused(const char *format)
{
    static const char *const refused[] = {
        "tty",           "bin",        "xbin",   "adf",  "idf",   "concat", "hls",
        "hls,applehttp", "dash",       "sdp",    "rtsp", "lavfi", "imf",    "webm_dash_manifest",
        "vapoursynth",   "libopenmpt", "libgme",
    };

    for (size_t i = 0; i < RP_ARRAY_LEN(refused); i++)
        if (!strcmp(format, refused[i]))
            return true;
    return false;
}

/* Finding out about streams decodes a little, so the limits of size apply here too. */
int rp_av_find_streams(AVFormatContext *ic)
{
    const unsigned n = ic->nb_streams;
    AVDictionary **opts = av_calloc(n ? n : 1, sizeof(AVDictionary *));
    char max[24];

    if (!opts)
        return AVERROR(ENOMEM);
    snprintf(max, sizeof(max), "%d", RP_PIXELS_MAX);
    int ret = 0;
    for (unsigned i = 0; i < n && ret >= 0; i++)
        ret = av_dict_set(&opts[i], "max_pixels", max, 0);
    if (ret >= 0)
        ret = avformat_find_stream_info(ic, opts);
    for (unsigned i = 0; i < n; i++)
        av_dict_free(&opts[i]);
    av_free(opts);
    return ret;
}

int rp_av_open(AVFormatContext **out, const char *path, bool streams)
{
    return rp_av_open_watched(out, path, streams, NULL);
}

int rp_av_open_watched(AVFormatContext **out, const char *path, bool streams,
                       struct rp_watch *watch)
{
    int ret;
    AVDictionary *opts = NULL;
    char *url = NULL;

    rp_av_init();
    *out = NULL;
    RP_TRY(rp_file_check(path));
    url = rp_asprintf("file:%s", path); /* a colon in a name is no protocol */
    if (!url || !(*out = avformat_alloc_context()) ||
        av_dict_set(&opts, "protocol_whitelist", "file", 0) < 0) {
        ret = RP_NOMEM(path);
        goto fail;
    }
    (*out)->opaque = watch;
    if ((ret = avformat_open_input(out, url, NULL, &opts)) < 0) {
        ret = rp_av_fail(ret, path, "opening");
        goto fail;
    }
    if (is_refused((*out)->iformat->name) || (*out)->probe_score < AVPROBE_SCORE_RETRY) {
        ret = rp_fail(RP_ERR_FORMAT, "%s: opening: not a picture, video or audio file", path);
        goto fail;
    }
    if (streams && (ret = rp_av_find_streams(*out)) < 0) {
        ret = rp_av_fail(ret, path, "reading");
        goto fail;
    }
    ret = rp_av_lacks() ? RP_NOMEM(path) : 0; /* of its tables something may be missing */
fail:
    if (ret < 0)
        avformat_close_input(out);
    av_dict_free(&opts);
    free(url);
    return ret;
}

int rp_av_video_stream(const AVFormatContext *ic)
{
    for (unsigned i = 0; i < ic->nb_streams; i++) {
        const AVStream *const st = ic->streams[i];
        if (st->codecpar->codec_type == AVMEDIA_TYPE_VIDEO &&
            !(st->disposition & (AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_TIMED_THUMBNAILS)))
            return (int) i;
    }
    return -1;
}

bool rp_av_rate_is_real(int rate)
{
    return rate >= 1000 && rate <= 1536000;
}

/* Samples before the sound for which a file need not have a word: the delay of the codec's filters,
 * for MP3 with that of LAME, which most encoders share. */
static double untold(const AVStream *st, const AVPacket *first)
{
    const int rate = RP_MAX(st->codecpar->sample_rate, 1);

    switch (st->codecpar->codec_id) {
    case AV_CODEC_ID_AAC:
    case AV_CODEC_ID_AAC_LATM:
    case AV_CODEC_ID_WMAV1:
    case AV_CODEC_ID_WMAV2: /* one frame: half of what it consists of is missing */
        return first->duration > 0 ? (double) first->duration * av_q2d(st->time_base)
                                   : (double) st->codecpar->frame_size / rate;
    case AV_CODEC_ID_MP3:
        return 1105.0 / rate;
    case AV_CODEC_ID_MP1:
    case AV_CODEC_ID_MP2:
        return 481.0 / rate;
    case AV_CODEC_ID_AC3:
    case AV_CODEC_ID_EAC3:
        return 256.0 / rate;
    default:
        return 0;
    }
}

double rp_av_priming(const AVStream *st, const AVPacket *first)
{
    size_t size = 0;
    const uint8_t *const skip = av_packet_get_side_data(first, AV_PKT_DATA_SKIP_SAMPLES, &size);
    const int rate = RP_MAX(st->codecpar->sample_rate, 1);

    if (skip && size >= 4 && AV_RL32(skip) > 0)
        return (double) AV_RL32(skip) / rate;
    if (st->codecpar->initial_padding > 0)
        return (double) st->codecpar->initial_padding / rate;
    if (st->codecpar->codec_id == AV_CODEC_ID_VORBIS) /* nothing comes out of its first packet */
        return first->pts < 0 && first->pts != AV_NOPTS_VALUE
                   ? (double) -first->pts * av_q2d(st->time_base)
                   : 0;
    return untold(st, first);
}
