/* Audio that cannot be copied: decode, change volume and format by a filter graph, encode. */
#include "media/resound.h"

#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>

#define SILENCE 4096  /* samples of silence at a time */
#define JUMP_MAX 3600 /* seconds that no gap lasts: such times are wrong */
#define OFF_MAX 200   /* a part of a second that times may be off before samples are moved */

struct rp_resound {
    char *path;
    AVRational in_base;
    int volume;
    AVCodecContext *dec, *enc;
    AVFilterGraph *graph; /* made for the first frame */
    AVFilterContext *source, *sink;
    AVFrame *frame;
    AVPacket *packet;
    struct rp_damage *damage;
    double at; /* of the latest packet, seconds */

    bool apart;
    bool placed;     /* samples are counted, not taken at their times */
    int64_t start;   /* placed: microseconds of the input at which the first one is heard */
    int64_t samples; /* placed: that went into the graph, at `rate` */
    int rate;
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
    AVDictionary *opts = NULL;
    const AVCodec *const codec = params->encoder;
    AVCodecContext *const enc = r->enc = avcodec_alloc_context3(codec);
    int ret;

    if (!enc)
        return RP_NOMEM(r->path);
    enc->sample_rate = best_rate(codec, RP_MAX(r->dec->sample_rate, params->least_rate));
    enc->sample_fmt = codec->sample_fmts ? codec->sample_fmts[0] : AV_SAMPLE_FMT_S16;
    enc->time_base = to->time_base = (AVRational){1, enc->sample_rate};
    enc->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL;
    if (params->global_header)
        enc->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    rp_encoder_setup_audio(enc, params->quality);
    if (params->apart && !strcmp(codec->name, "libmp3lame"))
        rp_dict_set(&opts, "reservoir", "0", 0);
    if ((ret = set_layout(enc, &r->dec->ch_layout)) >= 0 &&
        (ret = avcodec_open2(enc, codec, &opts)) >= 0)
        ret = avcodec_parameters_from_context(to->codecpar, enc);
    av_dict_free(&opts);
    return ret < 0 ? rp_av_fail(ret, r->path, "opening the audio encoder") : 0;
}

int rp_resound_open(struct rp_resound **out, const AVStream *in, AVStream *to,
                    const struct rp_resound_params *params, const char *path)
{
    int ret;
    struct rp_resound *const r = *out = calloc(1, sizeof(*r));

    if (!r)
        return RP_NOMEM(path);
    r->in_base = in->time_base;
    r->volume = params->volume;
    r->apart = params->apart;
    r->damage = params->damage;
    r->frame = av_frame_alloc();
    r->packet = av_packet_alloc();
    if (!(r->path = strdup(path)) || !r->frame || !r->packet) {
        ret = RP_NOMEM(path);
        goto fail;
    }
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
    const AVRational base = r->placed ? (AVRational){1, f->sample_rate} : r->in_base;
    snprintf(args, sizeof(args), "time_base=%d/%d:sample_rate=%d:sample_fmt=%s:channel_layout=%s",
             base.num, base.den, f->sample_rate, av_get_sample_fmt_name(f->format), layout);
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

    while (ret >= 0) {
        const int got = av_buffersink_get_frame(r->sink, out);
        if (got < 0) {
            if (got != AVERROR(EAGAIN) && got != AVERROR_EOF)
                ret = rp_av_fail(got, r->path, "converting audio");
            break;
        }
        out->pts = av_rescale_q(out->pts, av_buffersink_get_time_base(r->sink), r->enc->time_base);
        ret = encode(r, out, fn, priv);
        av_frame_unref(out);
    }
    av_frame_free(&out);
    return ret;
}

/* Is the frame unlike those that the graph was made for? */
static bool has_changed(const struct rp_resound *r, const AVFrame *f)
{
    const AVFilterLink *const l = r->source->outputs[0];

    return l->sample_rate != f->sample_rate || l->format != f->format ||
           av_channel_layout_compare(&l->ch_layout, &f->ch_layout);
}

/* The end of the graph; the next frame gets a new one. */
static int end_graph(struct rp_resound *r, rp_resound_fn *fn, void *priv)
{
    int ret = av_buffersrc_add_frame(r->source, NULL);

    if (ret >= 0)
        ret = drain_filters(r, fn, priv);
    avfilter_graph_free(&r->graph);
    return ret;
}

static int filter(struct rp_resound *r, AVFrame *f, rp_resound_fn *fn, void *priv)
{
    int ret = 0;

    if (r->graph && f && has_changed(r, f))
        RP_CHECK(end_graph(r, fn, priv));
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

/* ---- placing --------------------------------------------------------------------------------- */

/* Whole packets of what the encoder puts in front are left out, see rp_steady_early(): samples that
 * are then missing (or too many) before the first one. */
static int64_t uneven(const struct rp_resound *r)
{
    const int64_t n = r->enc->frame_size, padding = r->enc->initial_padding;

    if (!r->apart || n <= 0 || padding <= 0)
        return 0;
    return (padding + n / 2 - 1) / n * n - padding;
}

void rp_resound_place(struct rp_resound *r, int64_t start)
{
    r->placed = true;
    r->start = start - av_rescale(uneven(r), AV_TIME_BASE, r->enc->sample_rate);
}

/* Samples between where the frame would come and its time. Times that are a little off, or wrong,
 * count as right. */
static int64_t gap_before(const struct rp_resound *r, const AVFrame *f)
{
    const AVRational one = {1, f->sample_rate};

    if (f->pts == AV_NOPTS_VALUE)
        return 0;
    const int64_t most = (int64_t) JUMP_MAX * f->sample_rate;
    const int64_t slack = r->samples ? f->sample_rate / OFF_MAX : 0;
    const int64_t due = r->samples + av_rescale_q(r->start, AV_TIME_BASE_Q, one);
    const int64_t gap = av_sat_sub64(av_rescale_q(f->pts, r->in_base, one), due);
    return (gap >= -slack && gap <= slack) || gap < -most || gap > most ? 0 : gap;
}

/* A new frame of `n` samples like `f`. */
static AVFrame *frame_like(const AVFrame *f, int n)
{
    AVFrame *const to = av_frame_alloc();

    if (!to)
        return NULL;
    to->format = f->format;
    to->sample_rate = f->sample_rate;
    to->nb_samples = n;
    if (av_channel_layout_copy(&to->ch_layout, &f->ch_layout) >= 0 &&
        av_frame_get_buffer(to, 0) >= 0)
        return to;
    AVFrame *gone = to;
    av_frame_free(&gone);
    return NULL;
}

/* Samples are counted at the frame's rate. */
static void count_at(struct rp_resound *r, int rate)
{
    if (r->rate && r->rate != rate)
        r->samples = av_rescale(r->samples, rate, r->rate);
    r->rate = rate;
}

/* Sends a frame on after what came before it. */
static int put(struct rp_resound *r, AVFrame *f, rp_resound_fn *fn, void *priv)
{
    f->pts = r->samples;
    r->samples += f->nb_samples;
    return filter(r, f, fn, priv);
}

static int put_silence(struct rp_resound *r, int64_t n, rp_resound_fn *fn, void *priv)
{
    int ret = 0;

    while (n > 0 && ret >= 0) {
        AVFrame *f = frame_like(r->frame, (int) RP_MIN(n, SILENCE));
        if (!f)
            return RP_NOMEM(r->path);
        n -= f->nb_samples;
        av_samples_set_silence(f->extended_data, 0, f->nb_samples, f->ch_layout.nb_channels,
                               f->format);
        ret = put(r, f, fn, priv);
        av_frame_free(&f);
    }
    return ret;
}

/* The frame at its place: silence before it, or its first samples left out. */
static int place(struct rp_resound *r, rp_resound_fn *fn, void *priv)
{
    AVFrame *const f = r->frame;
    int ret;

    count_at(r, f->sample_rate);
    const int64_t gap = gap_before(r, f);
    if (gap >= 0) {
        RP_CHECK(put_silence(r, gap, fn, priv));
        return put(r, f, fn, priv);
    }
    if (-gap >= f->nb_samples)
        return 0;
    AVFrame *rest = frame_like(f, f->nb_samples + (int) gap);
    if (!rest)
        return RP_NOMEM(r->path);
    av_samples_copy(rest->extended_data, f->extended_data, 0, (int) -gap, rest->nb_samples,
                    f->ch_layout.nb_channels, f->format);
    ret = put(r, rest, fn, priv);
    av_frame_free(&rest);
    return ret;
}

/* ---- packets in ------------------------------------------------------------------------------ */

static void note_error(struct rp_resound *r, int averror)
{
    rp_log(RP_LOG_DEBUG, "%s: damaged audio (%s)", r->path, av_err2str(averror));
    rp_damage_bad(r->damage, r->at, av_err2str(averror), false);
}

static void note_frame(struct rp_resound *r)
{
    const char *const why = rp_damage_of_frame(r->frame);

    if (why)
        rp_damage_bad(r->damage, r->at, why, true);
    else
        rp_damage_good(r->damage);
}

/* All that the decoder has ready. */
static int receive(struct rp_resound *r, rp_resound_fn *fn, void *priv)
{
    int ret;

    while ((ret = avcodec_receive_frame(r->dec, r->frame)) >= 0) {
        if (!rp_av_rate_is_real(r->frame->sample_rate)) {
            note_error(r, AVERROR_INVALIDDATA);
            continue;
        }
        note_frame(r);
        r->frame->pts = r->frame->best_effort_timestamp;
        RP_CHECK(r->placed ? place(r, fn, priv) : filter(r, r->frame, fn, priv));
        av_frame_unref(r->frame);
    }
    if (ret == AVERROR(ENOMEM))
        return RP_NOMEM(r->path);
    if (ret != AVERROR(EAGAIN) && ret != AVERROR_EOF)
        note_error(r, ret);
    return 0;
}

int rp_resound_packet(struct rp_resound *r, const AVPacket *packet, rp_resound_fn *fn, void *priv)
{
    int ret = avcodec_send_packet(r->dec, packet);

    if (packet && packet->pts != AV_NOPTS_VALUE)
        r->at = (double) packet->pts * av_q2d(r->in_base);
    if (ret == AVERROR(ENOMEM))
        return RP_NOMEM(r->path);
    if (ret < 0 && ret != AVERROR_EOF)
        note_error(r, ret);
    else
        RP_CHECK(receive(r, fn, priv));
    if (packet)
        return 0;
    RP_CHECK(filter(r, NULL, fn, priv));
    return r->graph ? encode(r, NULL, fn, priv) : 0;
}
