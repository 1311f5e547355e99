/* Audio that cannot be copied: decode, change volume and format by a filter graph, encode. */
#include "media/resound.h"

#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>

struct rp_resound {
    char *path;
    AVRational in_base;
    int volume;
    AVCodecContext *dec, *enc;
    AVFilterGraph *graph; /* made for the first frame */
    AVFilterContext *source, *sink;
    AVFrame *frame;
    AVPacket *packet;
    bool warned;
};

/* ---- opening --------------------------------------------------------------------------------- */

static int open_decoder(struct rp_resound *r, const AVStream *in)
{
    const AVCodec *const codec = avcodec_find_decoder(in->codecpar->codec_id);
    int ret;

    if (!codec) {
        rp_fail(RP_ERR_UNSUPPORTED, "%s: this FFmpeg has no decoder for %s", r->path,
                avcodec_get_name(in->codecpar->codec_id));
        return RP_ERR_UNSUPPORTED;
    }
    if (!(r->dec = avcodec_alloc_context3(codec)))
        return RP_NOMEM(r->path);
    r->dec->pkt_timebase = in->time_base;
    if ((ret = avcodec_parameters_to_context(r->dec, in->codecpar)) < 0 ||
        (ret = avcodec_open2(r->dec, codec, NULL)) < 0)
        return rp_av_fail(ret, r->path, "opening the audio decoder");
    return 0;
}

static int best_rate(const AVCodec *codec, int want)
{
    int best = 0;

    if (want <= 0)
        want = 48000;
    for (const int *p = codec->supported_samplerates; p && *p; p++)
        if (!best || abs(*p - want) < abs(best - want))
            best = *p;
    return best ? best : want;
}

static int set_layout(AVCodecContext *enc, const AVChannelLayout *want)
{
    const int n = want->nb_channels > 0 ? want->nb_channels : 2;

    for (const AVChannelLayout *l = enc->codec->ch_layouts; l && l->nb_channels; l++)
        if (l->nb_channels == n)
            return av_channel_layout_copy(&enc->ch_layout, l);
    if (enc->codec->ch_layouts || n > 8)
        av_channel_layout_default(&enc->ch_layout, 2);
    else if (want->order == AV_CHANNEL_ORDER_NATIVE)
        return av_channel_layout_copy(&enc->ch_layout, want);
    else
        av_channel_layout_default(&enc->ch_layout, n);
    return 0;
}

static int open_encoder(struct rp_resound *r, AVStream *to, const struct rp_resound_params *params)
{
    const AVCodec *const codec = params->encoder;
    AVCodecContext *const enc = r->enc = avcodec_alloc_context3(codec);
    int ret;

    if (!enc)
        return RP_NOMEM(r->path);
    enc->sample_rate = best_rate(codec, r->dec->sample_rate);
    enc->sample_fmt = codec->sample_fmts ? codec->sample_fmts[0] : AV_SAMPLE_FMT_S16;
    enc->time_base = to->time_base = (AVRational){1, enc->sample_rate};
    enc->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL;
    if (params->global_header)
        enc->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    rp_encoder_setup_audio(enc, params->quality);
    if ((ret = set_layout(enc, &r->dec->ch_layout)) < 0 ||
        (ret = avcodec_open2(enc, codec, NULL)) < 0 ||
        (ret = avcodec_parameters_from_context(to->codecpar, enc)) < 0)
        return rp_av_fail(ret, r->path, "opening the audio encoder");
    return 0;
}

int rp_resound_open(struct rp_resound **out, const AVStream *in, AVStream *to,
                    const struct rp_resound_params *params, const char *path)
{
    int ret = RP_ERR_NOMEM;
    struct rp_resound *const r = *out = calloc(1, sizeof(*r));

    if (!r)
        return RP_NOMEM(path);
    r->in_base = in->time_base;
    r->volume = params->volume;
    r->frame = av_frame_alloc();
    r->packet = av_packet_alloc();
    if (!(r->path = strdup(path)) || !r->frame || !r->packet)
        goto fail;
    RP_TRY(open_decoder(r, in));
    RP_TRY(open_encoder(r, to, params));
    return 0;

fail:
    rp_resound_close(out);
    return ret;
}

void rp_resound_close(struct rp_resound **resound)
{
    struct rp_resound *const r = *resound;

    if (!r)
        return;
    avfilter_graph_free(&r->graph);
    avcodec_free_context(&r->dec);
    avcodec_free_context(&r->enc);
    av_frame_free(&r->frame);
    av_packet_free(&r->packet);
    free(r->path);
    free(r);
    *resound = NULL;
}

/* ---- the graph ------------------------------------------------------------------------------- */

static int make_source(struct rp_resound *r, const AVFrame *f)
{
    char args[512], layout[64];

    av_channel_layout_describe(&f->ch_layout, layout, sizeof(layout));
    snprintf(args, sizeof(args), "time_base=%d/%d:sample_rate=%d:sample_fmt=%s:channel_layout=%s",
             r->in_base.num, r->in_base.den, f->sample_rate, av_get_sample_fmt_name(f->format),
             layout);
    return avfilter_graph_create_filter(&r->source, avfilter_get_by_name("abuffer"), "in", args,
                                        NULL, r->graph);
}

static int make_chain(struct rp_resound *r)
{
    AVFilterInOut *ins = avfilter_inout_alloc(), *outs = avfilter_inout_alloc();
    char chain[512], layout[64];
    int ret = AVERROR(ENOMEM);

    if (!ins || !outs)
        goto end;
    *outs = (AVFilterInOut){av_strdup("in"), r->source, 0, NULL};
    *ins = (AVFilterInOut){av_strdup("out"), r->sink, 0, NULL};
    av_channel_layout_describe(&r->enc->ch_layout, layout, sizeof(layout));
    snprintf(chain, sizeof(chain),
             "volume=%f,aresample,aformat=sample_fmts=%s:sample_rates=%d:channel_layouts=%s",
             r->volume / 100.0, av_get_sample_fmt_name(r->enc->sample_fmt), r->enc->sample_rate,
             layout);
    if ((ret = avfilter_graph_parse_ptr(r->graph, chain, &ins, &outs, NULL)) >= 0)
        ret = avfilter_graph_config(r->graph, NULL);
end:
    avfilter_inout_free(&ins);
    avfilter_inout_free(&outs);
    return ret;
}

static int make_graph(struct rp_resound *r, const AVFrame *f)
{
    int ret;

    if (!(r->graph = avfilter_graph_alloc()))
        return AVERROR(ENOMEM);
    r->graph->nb_threads = 1;
    if ((ret = make_source(r, f)) < 0 ||
        (ret = avfilter_graph_create_filter(&r->sink, avfilter_get_by_name("abuffersink"), "out",
                                            NULL, NULL, r->graph)) < 0 ||
        (ret = make_chain(r)) < 0)
        return ret;
    if (!(r->enc->codec->capabilities & AV_CODEC_CAP_VARIABLE_FRAME_SIZE))
        av_buffersink_set_frame_size(r->sink, (unsigned) r->enc->frame_size);
    return 0;
}

/* ---- packets --------------------------------------------------------------------------------- */

static int encode(struct rp_resound *r, const AVFrame *f, rp_resound_fn *fn, void *priv)
{
    int ret = avcodec_send_frame(r->enc, f);

    while (ret >= 0) {
        if ((ret = avcodec_receive_packet(r->enc, r->packet)) < 0)
            break;
        const int told = fn(priv, r->packet, r->enc->time_base);
        av_packet_unref(r->packet);
        if (told < 0)
            return told;
    }
    return ret == AVERROR(EAGAIN) || ret == AVERROR_EOF
               ? 0
               : rp_av_fail(ret, r->path, "encoding audio");
}

/* What the filters have ready. */
static int drain_filters(struct rp_resound *r, rp_resound_fn *fn, void *priv)
{
    AVFrame *out = av_frame_alloc();
    int ret = out ? 0 : RP_NOMEM(r->path);

    while (ret >= 0 && av_buffersink_get_frame(r->sink, out) >= 0) {
        out->pts = av_rescale_q(out->pts, av_buffersink_get_time_base(r->sink), r->enc->time_base);
        ret = encode(r, out, fn, priv);
        av_frame_unref(out);
    }
    av_frame_free(&out);
    return ret;
}

static int filter(struct rp_resound *r, AVFrame *f, rp_resound_fn *fn, void *priv)
{
    int ret = 0;

    if (!r->graph) {
        if (!f)
            return 0; /* ended before it began */
        ret = make_graph(r, f);
    }
    if (ret >= 0)
        ret = av_buffersrc_add_frame(r->source, f);
    if (ret < 0)
        return rp_av_fail(ret, r->path, "converting audio");
    return drain_filters(r, fn, priv);
}

int rp_resound_packet(struct rp_resound *r, const AVPacket *packet, rp_resound_fn *fn, void *priv)
{
    int ret = avcodec_send_packet(r->dec, packet);

    if (ret < 0 && !r->warned) {
        rp_log(RP_LOG_WARN, "%s: damaged audio (%s) is skipped", r->path, av_err2str(ret));
        r->warned = true;
    }
    while (ret >= 0 && avcodec_receive_frame(r->dec, r->frame) >= 0) {
        r->frame->pts = r->frame->best_effort_timestamp;
        if ((ret = filter(r, r->frame, fn, priv)) < 0)
            return ret;
        av_frame_unref(r->frame);
    }
    if (packet)
        return 0;
    if ((ret = filter(r, NULL, fn, priv)) < 0)
        return ret;
    return r->graph ? encode(r, NULL, fn, priv) : 0;
}
