/* Light of high dynamic range: what a mastering display could show (SMPTE ST 2086), and how light
 * the content is (MaxCLL, MaxFALL). Video tells it in its own data, in its container, or in both.
 */
#include "media/av.h"

#include <stdarg.h>
#include <string.h>

#include <libavutil/pixdesc.h>

#define XY 50000      /* units of chromaticity in H.264 and HEVC */
#define CD 10000      /* of luminance, a cd/m2 */
#define CD_MAX 200000 /* cd/m2; no display comes near */

/* ---- finding --------------------------------------------------------------------------------- */

static const void *find(const AVFrame *f, enum AVFrameSideDataType in_frame, const AVStream *st,
                        enum AVPacketSideDataType in_stream, size_t size)
{
    size_t n = 0;
    const AVFrameSideData *const own = av_frame_get_side_data(f, in_frame);
    const uint8_t *const of_stream = av_stream_get_side_data(st, in_stream, &n);

    if (own && own->size >= size)
        return own->data;
    return of_stream && n >= size ? of_stream : NULL;
}

static bool is_within(AVRational q, double max)
{
    return q.den > 0 && q.num >= 0 && av_q2d(q) <= max;
}

/* Numbers out of range would keep encoders from opening. */
static void check_display(AVMasteringDisplayMetadata *d)
{
    bool ok = is_within(d->white_point[0], 1) && is_within(d->white_point[1], 1);

    for (int i = 0; i < 3; i++)
        ok = ok && is_within(d->display_primaries[i][0], 1) &&
             is_within(d->display_primaries[i][1], 1);
    d->has_primaries = d->has_primaries && ok;
    d->has_luminance = d->has_luminance && is_within(d->min_luminance, CD_MAX) &&
                       is_within(d->max_luminance, CD_MAX) &&
                       av_cmp_q(d->min_luminance, d->max_luminance) < 0;
}

void rp_hdr_find(struct rp_hdr *hdr, const AVFrame *f, const AVStream *st)
{
    size_t n = 0;
    const void *const display = find(f, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA, st,
                                     AV_PKT_DATA_MASTERING_DISPLAY_METADATA, sizeof(hdr->display));
    const void *const light = find(f, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL, st,
                                   AV_PKT_DATA_CONTENT_LIGHT_LEVEL, sizeof(hdr->light));

    *hdr = (struct rp_hdr){0};
    if (display) {
        memcpy(&hdr->display, display, sizeof(hdr->display));
        check_display(&hdr->display);
        hdr->has_display = hdr->display.has_primaries || hdr->display.has_luminance;
    }
    if (light) {
        memcpy(&hdr->light, light, sizeof(hdr->light));
        hdr->has_light = hdr->light.MaxCLL <= UINT16_MAX && hdr->light.MaxFALL <= UINT16_MAX &&
                         (hdr->light.MaxCLL || hdr->light.MaxFALL);
    }
    hdr->dynamic = av_frame_get_side_data(f, AV_FRAME_DATA_DYNAMIC_HDR_PLUS);
    hdr->dolby = av_frame_get_side_data(f, AV_FRAME_DATA_DOVI_RPU_BUFFER) ||
                 av_frame_get_side_data(f, AV_FRAME_DATA_DOVI_METADATA) ||
                 av_stream_get_side_data(st, AV_PKT_DATA_DOVI_CONF, &n);
}

/* ---- keeping --------------------------------------------------------------------------------- */

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (!strcmp(*names, name))
            return true;
    return false;
}

static int in_units(AVRational q, int units)
{
    return (int) av_rescale(q.num, units, q.den);
}

/* As x264, x265 and SVT-AV1 write it: %s stands for one number. */
static void put_display(char *text, size_t size, const AVMasteringDisplayMetadata *d, bool whole)
{
    static const int order[] = {1, 2, 0}; /* green, blue, red */
    static const char *const names[] = {"G", "B", "R", "WP"};
    int n = 0;

#define PUT(q, units)                                                                           \
    n += whole ? snprintf(text + n, size - (size_t) n, "%d", in_units(q, units))                \
               : snprintf(text + n, size - (size_t) n, "%d.%0*d", in_units(q, units) / (units), \
                          (units) == XY ? 5 : 4,                                                \
                          in_units(q, units) % (units) * ((units) == XY ? 2 : 1))
    for (int i = 0; i < 4; i++) {
        const AVRational *const at = i < 3 ? d->display_primaries[order[i]] : d->white_point;
        n += snprintf(text + n, size - (size_t) n, "%s(", names[i]);
        PUT(at[0], XY);
        text[n++] = ',';
        PUT(at[1], XY);
        text[n++] = ')';
    }
    n += snprintf(text + n, size - (size_t) n, "L(");
    PUT(d->max_luminance, CD);
    text[n++] = ',';
    PUT(d->min_luminance, CD);
    snprintf(text + n, size - (size_t) n, ")");
#undef PUT
}

static bool is_x26(const AVCodec *codec)
{
    static const char *const names[] = {"libx264", "libx264rgb", "libx265", NULL};

    return is_one_of(codec->name, names);
}

static bool is_in_band(const AVCodec *codec)
{
    return is_x26(codec) || !strcmp(codec->name, "libsvtav1");
}

static void append(AVDictionary **opts, const char *key, const char *name, const char *value)
{
    char text[512];
    const bool more = av_dict_get(*opts, key, NULL, 0);

    snprintf(text, sizeof(text), "%s%s=%s", more ? ":" : "", name, value);
    rp_dict_set(opts, key, text, AV_DICT_APPEND);
}

void rp_hdr_to_encoder(const struct rp_hdr *hdr, const AVCodec *codec, AVDictionary **opts)
{
    char text[256];
    const bool svt = !strcmp(codec->name, "libsvtav1"), h265 = !strcmp(codec->name, "libx265");
    const char *const key = svt ? "svtav1-params" : h265 ? "x265-params" : "x264-params";

    if (!is_in_band(codec))
        return;
    if (hdr->has_display && hdr->display.has_primaries && hdr->display.has_luminance) {
        put_display(text, sizeof(text), &hdr->display, !svt);
        append(opts, key, h265 ? "master-display" : "mastering-display", text);
    }
    if (hdr->has_light) {
        snprintf(text, sizeof(text), "%u,%u", hdr->light.MaxCLL, hdr->light.MaxFALL);
        append(opts, key, svt ? "content-light" : h265 ? "max-cll" : "cll", text);
    }
}

static int put_side(AVStream *st, enum AVPacketSideDataType type, const void *data, size_t size)
{
    uint8_t *const to = av_stream_new_side_data(st, type, size);

    if (!to)
        return rp_fail(RP_ERR_NOMEM, "no memory for what a video says about its light");
    memcpy(to, data, size);
    return 0;
}

int rp_hdr_to_stream(const struct rp_hdr *hdr, AVStream *st)
{
    if (hdr->has_display)
        RP_CHECK(put_side(st, AV_PKT_DATA_MASTERING_DISPLAY_METADATA, &hdr->display,
                          sizeof(hdr->display)));
    if (hdr->has_light)
        RP_CHECK(put_side(st, AV_PKT_DATA_CONTENT_LIGHT_LEVEL, &hdr->light, sizeof(hdr->light)));
    return 0;
}

/* ---- losing ---------------------------------------------------------------------------------- */

bool rp_is_hdr(enum AVColorTransferCharacteristic trc, enum AVColorPrimaries primaries)
{
    return trc == AVCOL_TRC_SMPTE2084 || trc == AVCOL_TRC_ARIB_STD_B67 ||
           primaries == AVCOL_PRI_BT2020 || primaries == AVCOL_PRI_SMPTE431 ||
           primaries == AVCOL_PRI_SMPTE432;
}

void rp_lose(struct rp_lost *lost, const char *fmt, ...)
{
    va_list args;
    size_t n = strlen(lost->text);

    if (n > 0 && n < sizeof(lost->text))
        n += (size_t) snprintf(lost->text + n, sizeof(lost->text) - n, ", ");
    if (n >= sizeof(lost->text))
        return;
    va_start(args, fmt);
    vsnprintf(lost->text + n, sizeof(lost->text) - n, fmt, args);
    va_end(args);
}

static bool is_mov(const AVOutputFormat *format)
{
    static const char *const names[] = {"mp4", "mov", "ipod", NULL};

    return is_one_of(format->name, names);
}

/* Does the picture's own data name all of its colours? */
static bool has_colours(enum AVCodecID id)
{
    return id == AV_CODEC_ID_H264 || id == AV_CODEC_ID_HEVC || id == AV_CODEC_ID_AV1 ||
           id == AV_CODEC_ID_MPEG2VIDEO || id == AV_CODEC_ID_PRORES;
}

static bool has_range(enum AVCodecID id)
{
    return id == AV_CODEC_ID_H264 || id == AV_CODEC_ID_HEVC || id == AV_CODEC_ID_AV1 ||
           id == AV_CODEC_ID_VP9 || id == AV_CODEC_ID_MJPEG;
}

static void lose_display(struct rp_lost *lost, const struct rp_hdr *hdr, const AVCodecContext *enc,
                         const AVOutputFormat *format)
{
    const AVMasteringDisplayMetadata *const d = &hdr->display;
    const bool whole = d->has_primaries && d->has_luminance;
    const bool kept =
        rp_is_matroska(format) || (whole && (is_in_band(enc->codec) || is_mov(format)));

    if (hdr->has_display && !kept)
        rp_lose(lost, "mastering display");
    if (hdr->has_light && !is_in_band(enc->codec) && !rp_is_matroska(format) && !is_mov(format))
        rp_lose(lost, "content light level");
    if (hdr->dynamic)
        rp_lose(lost, "dynamic metadata of HDR10+");
    if (hdr->dolby)
        rp_lose(lost, "Dolby Vision");
}

void rp_hdr_lost(struct rp_lost *lost, const struct rp_hdr *hdr, const AVCodecContext *enc,
                 const AVOutputFormat *format)
{
    const bool container = is_mov(format) || rp_is_matroska(format);
    const bool rgb = av_pix_fmt_desc_get(enc->pix_fmt)->flags & AV_PIX_FMT_FLAG_RGB;
    const bool wide = rp_is_hdr(enc->color_trc, enc->color_primaries);

    lose_display(lost, hdr, enc, format);
    if (wide && !container && !has_colours(enc->codec_id))
        rp_lose(lost, "transfer (%s) and primaries (%s)", av_color_transfer_name(enc->color_trc),
                av_color_primaries_name(enc->color_primaries));
    if (enc->color_range == AVCOL_RANGE_JPEG && !rgb && enc->pix_fmt != AV_PIX_FMT_PAL8 &&
        !has_range(enc->codec_id) &&
        (!rp_is_matroska(format) || enc->codec_id == AV_CODEC_ID_PRORES)) /* which is limited */
        rp_lose(lost, "full range");
}
