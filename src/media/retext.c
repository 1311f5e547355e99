#include "media/retext.h"

#define TEXT_MAX 65536 /* bytes of one cue */

struct rp_retext {
    char *path;
    AVRational base; /* of the packets that come in */
    AVCodecContext *dec, *enc;
    AVPacket *out;
    struct rp_damage *damage;
    bool warned;
};

enum AVCodecID rp_retext_codec(const AVOutputFormat *format)
{
    static const enum AVCodecID forms[] = {AV_CODEC_ID_SUBRIP, AV_CODEC_ID_MOV_TEXT,
                                           AV_CODEC_ID_WEBVTT};

    for (size_t i = 0; i < RP_ARRAY_LEN(forms); i++)
        if (rp_container_takes(format, forms[i]) && avcodec_find_encoder(forms[i]))
            return forms[i];
    return AV_CODEC_ID_NONE;
}

bool rp_retext_can(enum AVCodecID codec)
{
    const AVCodecDescriptor *const d = avcodec_descriptor_get(codec);

    return d && (d->props & AV_CODEC_PROP_TEXT_SUB) && avcodec_find_decoder(codec);
}

static int open_decoder(struct rp_retext *r, const AVStream *in)
{
    const AVCodec *const codec = avcodec_find_decoder(in->codecpar->codec_id);
    int ret;

    if (!(r->dec = avcodec_alloc_context3(codec)))
        return AVERROR(ENOMEM);
    if ((ret = avcodec_parameters_to_context(r->dec, in->codecpar)) < 0)
        return ret;
    r->dec->pkt_timebase = in->time_base;
    return avcodec_open2(r->dec, codec, NULL);
}

/* Encoders take the style from the header that the decoder made. */
static int open_encoder(struct rp_retext *r, enum AVCodecID id)
{
    const AVCodec *const codec = avcodec_find_encoder(id);
    const size_t n = (size_t) r->dec->subtitle_header_size;

    if (!(r->enc = avcodec_alloc_context3(codec)))
        return AVERROR(ENOMEM);
    r->enc->time_base = AV_TIME_BASE_Q;
    if (r->dec->subtitle_header) {
        if (!(r->enc->subtitle_header = av_mallocz(n + 1)))
            return AVERROR(ENOMEM);
        memcpy(r->enc->subtitle_header, r->dec->subtitle_header, n);
        r->enc->subtitle_header_size = (int) n;
    }
    return avcodec_open2(r->enc, codec, NULL);
}

int rp_retext_open(struct rp_retext **out, const AVStream *in, AVStream *to, enum AVCodecID codec,
                   struct rp_damage *damage, const char *path)
{
    int ret = AVERROR(ENOMEM);
    struct rp_retext *const r = *out = calloc(1, sizeof(*r));

    if (!r)
        return RP_NOMEM(path);
    r->base = in->time_base;
    r->damage = damage;
    if (!(r->path = strdup(path)) || !(r->out = av_packet_alloc()) ||
        (ret = open_decoder(r, in)) < 0 || (ret = open_encoder(r, codec)) < 0 ||
        (ret = avcodec_parameters_from_context(to->codecpar, r->enc)) < 0) {
        rp_retext_close(out);
        return rp_av_fail(ret, path, "converting subtitles");
    }
    to->time_base = AV_TIME_BASE_Q;
    return 0;
}

void rp_retext_close(struct rp_retext **retext)
{
    struct rp_retext *const r = *retext;

    if (!r)
        return;
    avcodec_free_context(&r->dec);
    avcodec_free_context(&r->enc);
    av_packet_free(&r->out);
    free(r->path);
    free(r);
    *retext = NULL;
}

static int encode(struct rp_retext *r, const AVPacket *in, AVSubtitle *sub)
{
    int n;

    if (av_new_packet(r->out, TEXT_MAX) < 0)
        return AVERROR(ENOMEM);
    sub->pts =
        av_rescale_q(in->pts, r->base, AV_TIME_BASE_Q) + sub->start_display_time * INT64_C(1000);
    sub->end_display_time -= sub->start_display_time;
    sub->start_display_time = 0;
    if ((n = avcodec_encode_subtitle(r->enc, r->out->data, TEXT_MAX, sub)) < 0)
        return n;
    av_shrink_packet(r->out, n);
    r->out->pts = r->out->dts = sub->pts;
    r->out->duration = in->duration > 0 ? av_rescale_q(in->duration, r->base, AV_TIME_BASE_Q)
                                        : sub->end_display_time * INT64_C(1000);
    return n;
}

int rp_retext_packet(struct rp_retext *r, const AVPacket *packet, rp_resound_fn *fn, void *priv)
{
    AVPacket *in = av_packet_clone(packet);
    AVSubtitle sub = {0};
    int got = 0, ret = 0;

    if (!in)
        return RP_NOMEM(r->path);
    ret = avcodec_decode_subtitle2(r->dec, &sub, &got, in);
    if (ret == AVERROR(ENOMEM))
        goto end;
    if (ret < 0)
        rp_damage_bad(r->damage, (double) in->pts * av_q2d(r->base), av_err2str(ret), false);
    else
        rp_damage_good(r->damage);
    if (ret >= 0 && got && in->pts != AV_NOPTS_VALUE)
        ret = encode(r, in, &sub);
    if (ret < 0 && !r->warned) {
        rp_log(RP_LOG_WARN, "%s: a subtitle cannot be converted: %s", r->path, av_err2str(ret));
        r->warned = true;
    }
    if (ret != AVERROR(ENOMEM))
        ret = ret > 0 && r->out->size > 0 ? fn(priv, r->out, AV_TIME_BASE_Q) : 0;
end:
    if (ret == AVERROR(ENOMEM))
        ret = RP_NOMEM(r->path);
    av_packet_unref(r->out);
    avsubtitle_free(&sub);
    av_packet_free(&in);
    return ret;
}
