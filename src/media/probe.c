/* What kind of file it is. */
#include "media/av.h"

#include <libswscale/swscale.h>

/* More than one picture? */
static bool is_animated(AVFormatContext *ic)
{
    AVPacket *packet = av_packet_alloc();
    int n = 0;

    while (packet && n < 2 && av_read_frame(ic, packet) >= 0) {
        av_packet_unref(packet);
        n++;
    }
    av_packet_free(&packet);
    return n > 1;
}

static bool has_suffix(const char *s, const char *suffix)
{
    const size_t a = strlen(s), b = strlen(suffix);

    return a >= b && !strcmp(s + a - b, suffix);
}

static int probe_av(const char *path, enum rp_media_kind *kind)
{
    AVFormatContext *ic = NULL;
    int ret;

    RP_TRY(rp_av_open(&ic, path, true));
    const char *const format = ic->iformat->name;
    if (rp_av_video_stream(ic) >= 0) {
        const bool still = has_suffix(format, "_pipe") || !strcmp(format, "image2") ||
                           (!strcmp(format, "gif") && !is_animated(ic));
        *kind = still ? RP_MEDIA_IMAGE : RP_MEDIA_VIDEO;
        ret = rp_av_lacks() ? RP_NOMEM(path) : 0;
    } else if (av_find_best_stream(ic, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0) >= 0) {
        *kind = RP_MEDIA_AUDIO;
    } else {
        ret = rp_fail(RP_ERR_FORMAT, "%s: there is no picture, video or sound in it", path);
    }
fail:
    avformat_close_input(&ic);
    return RP_MIN(ret, 0);
}

int rp_media_probe(const char *path, enum rp_media_kind *kind)
{
    uint8_t head[64];
    int ret;

    *kind = RP_MEDIA_UNKNOWN;
    rp_av_begin();
    RP_TRY(rp_file_check(path));
    RP_TRY(rp_file_head(path, head, sizeof(head)));
    const struct rp_image_codec *const codec = rp_image_codec_of(head, (size_t) ret);
    if (codec && codec != &rp_image_gif) {
        *kind = RP_MEDIA_IMAGE;
        return 0;
    }
    return probe_av(path, kind);
fail:
    return ret;
}

static void add_version(char *text, size_t size, const char *name, unsigned version)
{
    const size_t n = strlen(text);

    snprintf(text + n, size - n, "%s%s %u.%u.%u", n ? ", " : "", name, AV_VERSION_MAJOR(version),
             AV_VERSION_MINOR(version), AV_VERSION_MICRO(version));
}

void rp_media_versions(char *text, size_t size)
{
    text[0] = '\0';
    add_version(text, size, "libavcodec", avcodec_version());
    add_version(text, size, "libswscale", swscale_version());
}
