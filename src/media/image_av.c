/* Pictures through libavcodec: one packet in, one frame out. */
#include "media/av.h"

#include <libavutil/imgutils.h>
#include <libavutil/intreadwrite.h>

#include "media/damage.h"
#include "media/icc.h"

/* ---- a file in memory ------------------------------------------------------------------------ */

struct memory {
    const uint8_t *data;
    size_t size, at;
};

static int on_read(void *priv, uint8_t *to, int n)
{
    struct memory *const m = priv;
    const size_t left = m->size - m->at;

    if (left == 0)
        return AVERROR_EOF;
    if ((size_t) n > left)
        n = (int) left;
    memcpy(to, m->data + m->at, (size_t) n);
    m->at += (size_t) n;
    return n;
}

static int64_t on_seek(void *priv, int64_t offset, int whence)
{
    struct memory *const m = priv;
    const int64_t base = whence == SEEK_CUR   ? (int64_t) m->at
                         : whence == SEEK_END ? (int64_t) m->size
                                              : 0;

    if (whence == AVSEEK_SIZE)
        return (int64_t) m->size;
    if (offset + base < 0 || offset + base > (int64_t) m->size)
        return AVERROR(EINVAL);
    m->at = (size_t) (offset + base);
    return (int64_t) m->at;
}

/* The first packet of a picture format that needs its demuxer. */
static int demux_first(AVIOContext *io, AVPacket *packet, enum AVCodecID *codec)
{
    AVFormatContext *ic = avformat_alloc_context();
    int ret;

    if (!ic)
        return AVERROR(ENOMEM);
    ic->pb = io;
    if ((ret = avformat_open_input(&ic, NULL, NULL, NULL)) < 0)
        return ret;
    const size_t n = strlen(ic->iformat->name);
    const bool still =
        !strcmp(ic->iformat->name, "gif") || (n > 5 && !strcmp(ic->iformat->name + n - 5, "_pipe"));
    ret = still ? av_read_frame(ic, packet) : AVERROR_INVALIDDATA;
    if (ret >= 0)
        *codec = ic->streams[packet->stream_index]->codecpar->codec_id;
    avformat_close_input(&ic);
    return ret;
}

static int first_packet(const uint8_t *data, size_t size, AVPacket *packet, enum AVCodecID *codec)
{
    struct memory m = {data, size, 0};
    const int block = 32768;
    uint8_t *const buffer = av_malloc((size_t) block);
    AVIOContext *io =
        buffer ? avio_alloc_context(buffer, block, 0, &m, on_read, NULL, on_seek) : NULL;
    int ret = AVERROR(ENOMEM);

    if (io) {
        ret = demux_first(io, packet, codec);
        av_freep(&io->buffer);
    } else {
        av_free(buffer);
    }
    avio_context_free(&io);
    return ret;
}

static int whole_packet(const uint8_t *data, size_t size, AVPacket *packet)
{
    int ret;

    if (size > INT32_MAX - AV_INPUT_BUFFER_PADDING_SIZE)
        return AVERROR(ENOMEM);
    if ((ret = av_new_packet(packet, (int) size)) < 0)
        return ret;
    memcpy(packet->data, data, size);
    return 0;
}

/* ---- cut files ------------------------------------------------------------------------------- */

/* The end of the attributes of an OpenEXR file: its table of chunks; 0 if there is none. */
static size_t exr_table(const uint8_t *data, size_t size)
{
    size_t at = 8;

    while (at < size && data[at]) { /* name, type, size, value */
        for (int k = 0; k < 2; k++) {
            const uint8_t *const end = memchr(data + at, 0, size - at);
            if (!end)
                return 0;
            at = (size_t) (end - data) + 1;
        }
        if (size - at < 4 || AV_RL32(data + at) > size - at - 4)
            return 0;
        at += 4 + AV_RL32(data + at);
    }
    return at < size ? at + 1 : 0;
}

/* FFmpeg leaves out chunks that are not there. Files of several parts or depths are not looked at.
 */
static bool exr_is_cut(const uint8_t *data, size_t size)
{
    enum { TILED = 0x200, DEEP = 0x800, PARTS = 0x1000 };
    const uint32_t flags = size < 8 ? PARTS : AV_RL32(data + 4);
    const size_t head = flags & TILED ? 20 : 8; /* of a chunk; its last number is the size */

    if (flags & (DEEP | PARTS))
        return false;
    const size_t table = exr_table(data, size);
    if (!table)
        return true;
    for (size_t at = table, first = SIZE_MAX; at + 8 <= first; at += 8) {
        const uint64_t chunk = size - at < 8 ? UINT64_MAX : AV_RL64(data + at);
        if (chunk > size || size - chunk < head || chunk < at + 8 ||
            AV_RL32(data + chunk + head - 4) > size - chunk - head)
            return true;
        first = RP_MIN(first, (size_t) chunk); /* the table ends there */
    }
    return false;
}

/* Sun raster: rows of whole 16 bits or, run by run, as many bytes as it says. */
static bool sun_is_cut(const uint8_t *data, size_t size)
{
    if (size < 32)
        return true;
    const uint64_t w = AV_RB32(data + 4), h = AV_RB32(data + 8), depth = AV_RB32(data + 12);
    const uint64_t pixels =
        AV_RB32(data + 20) == 2 ? AV_RB32(data + 16) : (w * depth + 15) / 16 * 2 * h;

    return pixels > size - 32 || AV_RB32(data + 28) > size - 32 - pixels;
}

static bool qoi_is_cut(const uint8_t *data, size_t size)
{
    static const uint8_t end[8] = {0, 0, 0, 0, 0, 0, 0, 1};

    return size < 22 || memcmp(data + size - 8, end, 8) != 0;
}

/* Of these formats FFmpeg's decoders fill up what is missing, without a word. */
static bool is_cut(enum AVCodecID codec, const uint8_t *data, size_t size)
{
    if (codec == AV_CODEC_ID_EXR)
        return exr_is_cut(data, size);
    if (codec == AV_CODEC_ID_SUNRAST)
        return sun_is_cut(data, size);
    return codec == AV_CODEC_ID_QOI && qoi_is_cut(data, size);
}

/* ---- decoding -------------------------------------------------------------------------------- */

static int decode_packet(const AVPacket *packet, enum AVCodecID id, AVFrame *frame,
                         struct rp_watch *watch)
{
    const AVCodec *const codec = avcodec_find_decoder(id);
    AVCodecContext *dec = codec ? avcodec_alloc_context3(codec) : NULL;
    int ret = codec ? AVERROR(ENOMEM) : AVERROR_DECODER_NOT_FOUND;

    if (!dec)
        return ret;
    dec->max_pixels = RP_PIXELS_MAX;
    dec->opaque = watch;
    dec->thread_count = 1;
    if ((ret = avcodec_open2(dec, codec, NULL)) >= 0 &&
        (ret = avcodec_send_packet(dec, packet)) >= 0 &&
        (ret = avcodec_receive_frame(dec, frame)) == AVERROR(EAGAIN) &&
        (ret = avcodec_send_packet(dec, NULL)) >= 0)
        ret = avcodec_receive_frame(dec, frame);
    avcodec_free_context(&dec);
    return ret;
}

static int to_image(rp_image *out, const AVFrame *f, const char *name)
{
    const AVPixFmtDescriptor *const d = av_pix_fmt_desc_get(f->format);
    const bool alpha = d && (d->flags & AV_PIX_FMT_FLAG_ALPHA);
    const AVFrameSideData *const icc = av_frame_get_side_data(f, AV_FRAME_DATA_ICC_PROFILE);
    struct SwsContext *sws = NULL;
    AVFrame *to = NULL;
    int ret;

    RP_TRY(rp_image_alloc(out, f->width, f->height, alpha ? RP_PIXEL_BGRA : RP_PIXEL_BGR, name));
    RP_TRY(rp_avframe_alloc(&to, alpha ? AV_PIX_FMT_BGRA : AV_PIX_FMT_BGR24, f->width, f->height,
                            NULL));
    RP_TRY(rp_sws_run(&sws, f, rp_colour_of(f), to, rp_colour_of(f)));
    av_image_copy_plane(out->data, (int) out->stride, to->data[0], to->linesize[0],
                        (int) out->stride, out->h);
    rp_image_drop_opaque(out); /* a palette's or BMP's unused fourth byte */
    if (icc)
        rp_icc_convert(out, d && d->nb_components < 3, icc->data, icc->size, name);
fail:
    av_frame_free(&to);
    sws_freeContext(sws);
    return ret;
}

#define RP_DAMAGED 1 /* and the sentence was said */

/* Decoders of pictures give what they have, and log what was wrong. */
static int check_damage(const AVPacket *packet, const AVFrame *frame, struct rp_watch *watch,
                        bool cut, const char *name)
{
    cut |= (packet->flags & AV_PKT_FLAG_CORRUPT) != 0;

    if (!cut && !rp_damage_of_frame(frame) && !atomic_load(&watch->errors))
        return 0;
    return rp_image_damaged(name, cut ? "it is cut short" : "errors in its data") < 0 ? RP_DAMAGED
                                                                                      : 0;
}

int rp_image_av_decode(rp_image *out, const uint8_t *data, size_t size, enum AVCodecID codec,
                       const char *name)
{
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    struct rp_watch watch = {0};
    int ret = AVERROR(ENOMEM);

    if (packet && frame)
        ret = codec == AV_CODEC_ID_NONE ? first_packet(data, size, packet, &codec)
                                        : whole_packet(data, size, packet);
    if (ret >= 0)
        ret = decode_packet(packet, codec, frame, &watch);
    if (ret >= 0)
        ret = check_damage(packet, frame, &watch, is_cut(codec, data, size), name);
    else if (rp_av_lacks() || atomic_load(&watch.lacks))
        ret = AVERROR(ENOMEM);
    if (ret == RP_DAMAGED) {
        ret = RP_ERR_FORMAT;
        goto end;
    }
    ret = ret < 0 ? rp_av_fail(ret, name, "reading the picture") : to_image(out, frame, name);
end:
    av_packet_free(&packet);
    av_frame_free(&frame);
    return ret;
}
