/* Frames to packets. Timestamps are the target's own, in its own time base: the encoder runs in it.
 *
 * H.264 and HEVC have no odd sizes with halved chroma. Such a picture gets one more column or row,
 * a copy of its last, so that the target's pixels keep their places and values (FaceFusion scales
 * to the nearest even size instead).
 */
#include "media/encode.h"

#include <libavutil/imgutils.h>

#include <errno.h>
#include <math.h>

#include "media/palette.h"
#include "media/steady.h"

#define MEASURED 8     /* frames, more than any encoder runs ahead */
#define SHOWN_MAX 1024 /* frames inside an encoder; libx264 looks ahead at most 250 */

struct rp_encode {
    struct rp_encode_params p;
    struct rp_video_tags tags; /* what of the target's is kept */
    struct rp_encode_shape shape;
    AVCodecContext *enc;
    AVPacket *packet;
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
    int64_t last_pts;            /* given to the encoder */
    int64_t shown[SHOWN_MAX][2]; /* pts and duration of frames in the encoder */
    unsigned shown_at;
    int64_t frames, packets; /* that the encoder was given, and gave */
    const char *fields_weak; /* why an encoder does not say that frames are interlaced, or NULL */
};

bool rp_is_mov_family(const AVOutputFormat *format)
{
    static const char *const names[] = {"mp4", "mov", "ipod", "3gp", "3g2", "psp", "ismv"};

    for (size_t i = 0; i < RP_ARRAY_LEN(names); i++)
        if (!strcmp(format->name, names[i]))
            return true;
    return false;
}

/* ---- the encoder ----------------------------------------------------------------------------- */

static bool is_gif(const struct rp_encode *e)
{
    return e->p.codec->id == AV_CODEC_ID_GIF;
}

/* Where the first frame cannot be later than the beginning of the file. */
static bool keeps_no_start(const struct rp_encode *e)
{
    return is_gif(e) || rp_steady_needed(e->p.format);
}

/* The nearest even number, halves to a multiple of 4: as FaceFusion rounds sizes. */
static int even(int n)
{
    return RP_MAX(2, (int) (2 * rint(n / 2.0)));
}

static void choose_size(struct rp_encode *e, const struct rp_encode_shape *shape)
{
    const AVPixFmtDescriptor *const d = av_pix_fmt_desc_get(e->enc->pix_fmt);
    const bool strict = e->p.codec->id == AV_CODEC_ID_H264 || e->p.codec->id == AV_CODEC_ID_HEVC;
    const bool even_w = strict && d->log2_chroma_w, even_h = strict && d->log2_chroma_h;
    const int out_w = e->p.out_w, out_h = e->p.out_h;

    e->w = shape->w;
    e->h = shape->h;
    e->fit_w = out_w > 0 && out_w != shape->w ? (even_w ? even(out_w) : out_w) : shape->w;
    e->fit_h = out_h > 0 && out_h != shape->h ? (even_h ? even(out_h) : out_h) : shape->h;
    e->enc->width = even_w ? FFALIGN(e->fit_w, 2) : e->fit_w;
    e->enc->height = even_h ? FFALIGN(e->fit_h, 2) : e->fit_h;
    if (!e->p.quiet && (e->enc->width != e->fit_w || e->enc->height != e->fit_h))
        rp_log(RP_LOG_INFO, "%s: %s needs even sizes: %dx%d becomes %dx%d, the last line repeated",
               e->p.path, e->p.codec->name, e->fit_w, e->fit_h, e->enc->width, e->enc->height);
}

bool rp_pixfmt_is_rgb(enum AVPixelFormat fmt)
{
    return (av_pix_fmt_desc_get(fmt)->flags & AV_PIX_FMT_FLAG_RGB) || fmt == AV_PIX_FMT_PAL8;
}

/* What stays true when only the matrix changes. */
static void keep_light(struct rp_encode *e)
{
    e->enc->color_primaries = e->tags.primaries;
    e->enc->color_trc = e->tags.trc;
}

/* YUV from RGB is bt709, limited; HDR and wide colours keep their own. */
static void choose_colour_of_rgb(struct rp_encode *e)
{
    AVCodecContext *const enc = e->enc;

    e->colour = (struct rp_colour){RP_MATRIX_BT709, false};
    enc->color_primaries = AVCOL_PRI_BT709;
    enc->color_trc = AVCOL_TRC_BT709;
    enc->colorspace = AVCOL_SPC_BT709;
    enc->color_range = AVCOL_RANGE_MPEG;
    if (!rp_is_hdr(e->tags.trc, e->tags.primaries))
        return;
    keep_light(e);
    if (e->tags.primaries == AVCOL_PRI_BT2020) {
        e->colour.matrix = RP_MATRIX_BT2020;
        enc->colorspace = AVCOL_SPC_BT2020_NCL;
    }
}

/* YUV from YUV keeps the target's colours and tags. */
static void choose_colour(struct rp_encode *e, const struct rp_encode_shape *shape)
{
    AVCodecContext *const enc = e->enc;
    const bool from_rgb = shape->fmt == RP_FMT_BGR24 || shape->fmt == RP_FMT_BGR24_ALPHA;

    e->colour = shape->colour;
    if (rp_pixfmt_is_rgb(enc->pix_fmt)) {
        enc->color_range = AVCOL_RANGE_JPEG;
        enc->colorspace = AVCOL_SPC_RGB;
        keep_light(e);
        return;
    }
    if (from_rgb) {
        choose_colour_of_rgb(e);
        return;
    }
    keep_light(e);
    enc->colorspace = e->tags.space;
    enc->color_range = e->tags.range;
    enc->chroma_sample_location = e->tags.chroma;
    /* Without a tag a player decides by the height; add a tag if that would now be wrong. */
    if (enc->colorspace == AVCOL_SPC_UNSPECIFIED && enc->height >= 720 && e->p.info.h < 720)
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
static void choose_timing(struct rp_encode *e)
{
    AVCodecContext *const enc = e->enc;
    const AVRational base = {e->p.info.tb_num, e->p.info.tb_den};

    enc->framerate = (AVRational){e->p.info.fps_num, e->p.info.fps_den};
    if (!strcmp(e->p.format->name, "avi")) {
        e->constant = av_cmp_q(base, av_inv_q(enc->framerate)) != 0;
        enc->max_b_frames = 0;
    }
    if (!strcmp(e->p.format->name, "asf"))
        enc->max_b_frames = 0;
    if (e->p.fps > 0) {
        enc->framerate = rate_of(e->p.fps);
        e->constant = true;
    }
    if (e->p.codec->id == AV_CODEC_ID_MPEG2VIDEO || e->p.codec->id == AV_CODEC_ID_MPEG1VIDEO)
        e->constant = true; /* its headers hold a rate */
    enc->time_base = e->constant ? av_inv_q(enc->framerate) : base;
    if (e->p.codec->id == AV_CODEC_ID_MPEG4 &&
        enc->time_base.den > 65535) /* 16 bits in its header */
        enc->time_base = (AVRational){1, 60000};
    if (is_gif(e))
        enc->time_base = (AVRational){1, 100};
}

/* Fields of a picture that is turned or scaled in height are mixed. */
static bool keeps_fields(struct rp_encode *e)
{
    if (e->tags.fields.interlaced && !e->tags.fields_lost && e->fit_h != e->p.info.h)
        e->tags.fields_lost = "the height changes";
    if (e->tags.fields_lost)
        e->tags.fields.interlaced = false;
    return e->tags.fields.interlaced;
}

/* The encoder has no interlaced pictures, at least not of this size. */
static void only_in_header(struct rp_encode *e)
{
    const bool header = rp_is_mov_family(e->p.format) || rp_is_matroska(e->p.format);

    e->enc->field_order = e->tags.fields.order;
    e->fields_weak = header ? "only the header of the file tells" : "there is no place for it";
}

/* Settings up to opening it; 0, or libav's error. */
static int try_encoder(struct rp_encode *e, const struct rp_encode_shape *shape, bool fields)
{
    AVDictionary *opts = NULL;
    AVCodecContext *const enc = e->enc = avcodec_alloc_context3(e->p.codec);

    if (!enc)
        return AVERROR(ENOMEM);
    enc->opaque = e->p.watch;
    if (is_gif(e))
        enc->pix_fmt = AV_PIX_FMT_PAL8;
    else if (e->p.codec->id == AV_CODEC_ID_RAWVIDEO)
        enc->pix_fmt = rp_raw_pixfmt(e->p.format, e->fmt);
    else
        enc->pix_fmt = rp_encoder_pixfmt(e->p.codec, e->fmt);
    choose_size(e, shape);
    choose_colour(e, shape);
    choose_timing(e);
    enc->sample_aspect_ratio = e->tags.sar;
    enc->thread_count = e->p.threads > 0 ? e->p.threads : rp_cpu_count();
    enc->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL;
    if (e->p.format->flags & AVFMT_GLOBALHEADER)
        enc->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    if (e->p.codec->id == AV_CODEC_ID_HEVC && rp_is_mov_family(e->p.format))
        enc->codec_tag = MKTAG('h', 'v', 'c', '1');
    rp_encoder_setup_video(enc, &opts, e->p.preset, e->p.quality);
    if (e->p.piece && !strcmp(e->p.codec->name, "libx265")) /* it would name the processor */
        rp_dict_set(&opts, "x265-params", ":info=0", AV_DICT_APPEND);
    rp_hdr_to_encoder(&e->tags.hdr, e->p.codec, &opts);
    if (keeps_fields(e) && (!fields || !rp_fields_to_encoder(&e->tags.fields, enc, &opts)))
        only_in_header(e);
    if (e->gif_alpha) /* frames vanish, so each is whole */
        rp_dict_set(&opts, "gifflags", "0", 0);
    const int ret = avcodec_open2(enc, e->p.codec, &opts);
    av_dict_free(&opts);
    return ret;
}

/* One warning for all that the output cannot say. */
static void name_losses(struct rp_encode *e)
{
    struct rp_lost lost = {""};
    const int depth = av_pix_fmt_desc_get(e->enc->pix_fmt)->comp[0].depth;

    if (depth < e->tags.depth && !is_gif(e)) /* of 256 colours nobody expects more */
        rp_lose(&lost, "%d of its %d bits a sample", e->tags.depth - depth, e->tags.depth);
    rp_hdr_lost(&lost, &e->tags.hdr, e->enc, e->p.format);
    if (e->tags.fields_lost || e->fields_weak)
        rp_lose(&lost, "interlacing (%s)",
                e->tags.fields_lost ? e->tags.fields_lost : e->fields_weak);
    if (lost.text[0])
        rp_log(RP_LOG_WARN, "%s: %s in %s loses %s", e->p.path, e->p.codec->name, e->p.format->name,
               lost.text);
}

/* Nor does errno tell anything after an encoder of a piece that has not failed: what is lacking is
 * told by the number of packets and the headers. */
static void forgive(const struct rp_encode *e, int ret)
{
    const bool failed = ret < 0 && ret != AVERROR(EAGAIN) && ret != AVERROR_EOF;

    if ((e->p.piece && !failed) || !rp_av_errno_tells(e->p.codec, failed))
        errno = 0;
}

static int open_encoder(struct rp_encode *e, const struct rp_encode_shape *shape)
{
    int ret = try_encoder(e, shape, true);

    if (ret < 0 && ret != AVERROR(ENOMEM) && e->tags.fields.interlaced) {
        avcodec_free_context(&e->enc);
        ret = try_encoder(e, shape, false);
    }
    if (ret >= 0)
        forgive(e, ret);
    if (ret == AVERROR(ENOMEM) || rp_av_lacks())
        return RP_NOMEM(e->p.path);
    const struct rp_hardware *const hardware = rp_encoder_hardware(e->p.codec->name);
    char why[128];
    const int opens = ret < 0 && hardware
                          ? rp_encoder_opens(e->p.codec->name, why, sizeof(why))
                          : 1;
    if (opens < 0)
        return opens;
    if (!opens)
        return rp_fail(
            RP_ERR_UNSUPPORTED,
            "--output-video-encoder: %s cannot be opened here (%s): it needs %s; use %s, "
            "which needs nothing of that",
            e->p.codec->name, why, hardware->needs,
            e->p.codec->id == AV_CODEC_ID_HEVC ? "libx265" : "libx264");
    if (ret < 0) /* whatever libav calls it, such as an unsupported size */
        return rp_fail(RP_ERR_UNSUPPORTED, "%s: opening encoder %s: %s", e->p.path,
                       e->p.codec->name, av_err2str(ret));
    if (!e->p.quiet)
        name_losses(e);
    return 0;
}

/* ---- transparency ---------------------------------------------------------------------------- */

static void warn_alpha(struct rp_encode *e)
{
    if (!atomic_exchange(&e->p.said->alpha, true))
        rp_log(RP_LOG_WARN, "%s: %s keeps no transparency", e->p.path, e->p.codec->name);
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
static bool is_transparent(struct rp_encode *e, const struct rp_media_frame *m)
{
    enum { UNKNOWN, YES, NO };

    if (m->fmt != RP_FMT_BGR24_ALPHA || e->p.alpha ||
        rp_alpha_used(m->plane[3], m->stride[3], m->w, m->h, false))
        return true;
    int known = atomic_load(&e->p.said->transparent);
    if (known == UNKNOWN) {
        known = video_is_transparent(e->p.target, &e->p.range) ? YES : NO;
        atomic_store(&e->p.said->transparent, known);
    }
    return known == YES;
}

void rp_encode_shape_of(struct rp_encode *e, const struct rp_media_frame *m,
                        struct rp_encode_shape *shape)
{
    *shape = (struct rp_encode_shape){m->w, m->h, m->fmt, m->colour};
    if (!rp_pixfmt_alpha(m->fmt))
        return;
    if (!is_gif(e) && !rp_keeps_alpha(e->p.format, e->p.codec)) {
        if (m->fmt == RP_FMT_BGR24_ALPHA)
            shape->fmt = RP_FMT_BGR24;
        else
            warn_alpha(e);
    } else if (!is_transparent(e, m)) {
        shape->fmt = RP_FMT_BGR24;
    }
}

/* Say it when something transparent is lost or, in a GIF, half lost. */
static void look_at_alpha(struct rp_encode *e, const struct rp_media_frame *m)
{
    if (atomic_load(&e->p.said->alpha) || m->fmt != RP_FMT_BGR24_ALPHA ||
        (e->fmt == m->fmt && !e->gif_alpha) ||
        !rp_alpha_used(m->plane[3], m->stride[3], m->w, m->h, e->gif_alpha))
        return;
    if (!e->gif_alpha)
        warn_alpha(e);
    else if (!atomic_exchange(&e->p.said->alpha, true))
        rp_log(RP_LOG_WARN,
               "%s: pixels of a GIF are opaque or transparent; what is half transparent "
               "becomes one or the other",
               e->p.path);
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
static int borrow(struct rp_encode *e, const struct rp_media_frame *m, AVFrame **out)
{
    const AVFrame *const ref = m->ref;
    const enum rp_pixfmt kept = m->fmt == RP_FMT_BGR24_ALPHA ? e->fmt : m->fmt;
    const enum AVPixelFormat fmt = rp_pixfmt_to_av(kept);

    if (kept == RP_FMT_BGR24_ALPHA)
        return interleave(m, out);
    if (ref && ref->data[0] == m->plane[0] && ref->linesize[0] == m->stride[0]) {
        if (!(*out = av_frame_clone(ref)))
            return RP_NOMEM(e->p.path);
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

static int pad(struct rp_encode *e, AVFrame **f)
{
    const AVPixFmtDescriptor *const d = av_pix_fmt_desc_get((*f)->format);
    const int bytes = (d->comp[0].depth + 7) / 8;
    AVFrame *to = NULL;
    const int ret = rp_avframe_alloc(&to, (*f)->format, e->enc->width, e->enc->height, &e->pool);

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
static int convert_fields(struct rp_encode *e, const AVFrame *f, struct rp_colour from, AVFrame *to)
{
    AVFrame in[2] = {{{0}}}, out[2] = {{{0}}};

    if (!rp_fields_split(f, in) || !rp_fields_split(to, out))
        return rp_sws_run(&e->sws, f, from, to, e->colour);
    for (int i = 0; i < 2; i++)
        RP_CHECK(rp_sws_run(&e->sws, &in[i], from, &out[i], e->colour));
    return 0;
}

static int convert(struct rp_encode *e, AVFrame **f, struct rp_colour from, enum AVPixelFormat fmt)
{
    AVFrame *to = NULL;
    int ret;

    RP_TRY(rp_avframe_alloc(&to, fmt, e->fit_w, e->fit_h, &e->pool));
    if (e->tags.fields.interlaced)
        RP_TRY(convert_fields(e, *f, from, to));
    else
        RP_TRY(rp_sws_run(&e->sws, *f, from, to, e->colour));
    av_frame_free(f);
    *f = to;
    return 0;
fail:
    av_frame_free(&to);
    return ret;
}

static void mark_fields(struct rp_encode *e, AVFrame *f, const AVFrame *from)
{
    const bool late = from && from->interlaced_frame && !e->tags.fields.interlaced;

    if (late && !e->tags.fields_lost && !atomic_exchange(&e->p.said->fields, true))
        rp_log(RP_LOG_WARN, "%s: its first frame is not interlaced; that later ones are is lost",
               e->p.path);
    rp_fields_mark(&e->tags.fields, f, from);
}

static int prepare(struct rp_encode *e, const struct rp_media_frame *m, AVFrame **f)
{
    const enum AVPixelFormat fmt = !is_gif(e)     ? e->enc->pix_fmt
                                   : e->gif_alpha ? AV_PIX_FMT_BGRA
                                                  : AV_PIX_FMT_BGR24;
    int ret;

    look_at_alpha(e, m);
    RP_TRY(borrow(e, m, f));
    if ((*f)->format != fmt || m->w != e->fit_w || m->h != e->fit_h)
        RP_TRY(convert(e, f, m->colour, fmt));
    if (e->fit_w != e->enc->width || e->fit_h != e->enc->height)
        RP_TRY(pad(e, f));
    if (is_gif(e))
        RP_TRY(rp_palette_apply(e->palette, f));
    (*f)->pict_type = AV_PICTURE_TYPE_NONE; /* the encoder decides */
    (*f)->key_frame = 0;
    mark_fields(e, *f, m->ref);
    (*f)->color_range = e->enc->color_range;
    (*f)->colorspace = e->enc->colorspace;
    (*f)->color_primaries = e->enc->color_primaries;
    (*f)->color_trc = e->enc->color_trc;
    (*f)->sample_aspect_ratio = e->enc->sample_aspect_ratio;
    av_frame_remove_side_data(*f, AV_FRAME_DATA_DISPLAYMATRIX);
    return 0;
fail:
    av_frame_free(f);
    return ret;
}

/* ---- encoding ------------------------------------------------------------------------------- */

/* Packets of most encoders have no duration, so it is looked up by the timestamp. */
static int64_t duration_of(const struct rp_encode *e, int64_t pts)
{
    for (unsigned i = 0; i < SHOWN_MAX; i++)
        if (e->shown[i][0] == pts)
            return e->shown[i][1];
    return 0;
}

static int hand_over(struct rp_encode *e)
{
    AVPacket *const p = e->packet;

    if (e->shown_at <= 2 && !strcmp(e->p.codec->name, "libx265"))
        p->dts = p->pts; /* of so few frames x265 leaves it as it finds it */
    if (e->gif_alpha && av_packet_make_writable(p) >= 0)
        rp_gif_dispose(p->data, (size_t) p->size);
    p->duration = duration_of(e, p->pts);
    if (p->pts == AV_NOPTS_VALUE)
        p->pts = p->dts;
    return e->p.fn(e->p.priv, p);
}

/* Send one frame, or NULL for the end, through the encoder. */
static int encode(struct rp_encode *e, const AVFrame *f)
{
    int ret = avcodec_send_frame(e->enc, f);

    forgive(e, ret);
    e->frames += f && ret >= 0;
    while (ret >= 0) {
        ret = avcodec_receive_packet(e->enc, e->packet);
        forgive(e, ret);
        if (ret < 0)
            break;
        e->packets++;
        const int wrote = hand_over(e);
        av_packet_unref(e->packet);
        if (wrote < 0)
            return wrote;
    }
    return ret == AVERROR(EAGAIN) || ret == AVERROR_EOF ? 0
                                                        : rp_av_fail(ret, e->p.path, "encoding");
}

/* pts and duration in the encoder's time base. */
static int emit(struct rp_encode *e, AVFrame *f, int64_t pts, int64_t duration)
{
    if (e->last_pts != AV_NOPTS_VALUE && pts <= e->last_pts)
        return 0; /* two frames within one tick of a coarser clock */
    e->last_pts = f->pts = pts;
    f->pkt_duration = duration;
    e->shown[e->shown_at % SHOWN_MAX][0] = pts;
    e->shown[e->shown_at++ % SHOWN_MAX][1] = duration;
    return encode(e, f);
}

/* Constant rate: the held frame fills every slot before `slot`. */
static int fill_slots(struct rp_encode *e, int64_t slot)
{
    const AVRational one = av_inv_q(e->enc->framerate), base = e->enc->time_base;
    int ret = 0;

    while (e->held && e->next_slot < slot && ret >= 0) {
        const int64_t pts = av_rescale_q(e->next_slot, one, base); /* GIF has a clock of its own */
        const int64_t after = av_rescale_q(e->next_slot + 1, one, base);
        AVFrame *again = av_frame_clone(e->held);
        ret = again ? emit(e, again, pts, after - pts) : RP_ERR_NOMEM;
        av_frame_free(&again);
        e->next_slot++;
    }
    return ret;
}

static int64_t slot_of(const struct rp_encode *e, int64_t pts)
{
    const AVRational base = {e->p.info.tb_num, e->p.info.tb_den};

    return av_rescale_q(pts - e->offset, base, av_inv_q(e->enc->framerate));
}

static int write_constant(struct rp_encode *e, AVFrame **f, const struct rp_media_frame *m)
{
    if (!e->held)
        e->next_slot = slot_of(e, m->pts);
    RP_CHECK(fill_slots(e, slot_of(e, m->pts)));
    av_frame_free(&e->held);
    e->held = *f;
    *f = NULL;
    return 0;
}

static int write_as_it_is(struct rp_encode *e, AVFrame *f, const struct rp_media_frame *m)
{
    const AVRational base = {e->p.info.tb_num, e->p.info.tb_den};

    return emit(e, f, av_rescale_q(m->pts - e->offset, base, e->enc->time_base),
                av_rescale_q(m->duration, base, e->enc->time_base));
}

/* ---- the whole ------------------------------------------------------------------------------- */

int rp_encode_create(struct rp_encode **out, const struct rp_encode_params *params)
{
    struct rp_encode *const e = *out = calloc(1, sizeof(*e));

    if (!e)
        return RP_NOMEM(params->path);
    e->p = *params;
    e->tags = params->tags;
    e->last_pts = AV_NOPTS_VALUE;
    for (unsigned i = 0; i < SHOWN_MAX; i++)
        e->shown[i][0] = AV_NOPTS_VALUE;
    if ((e->packet = av_packet_alloc()))
        return 0;
    rp_encode_free(out);
    return RP_NOMEM(params->path);
}

void rp_encode_free(struct rp_encode **encode)
{
    struct rp_encode *const e = *encode;

    if (!e)
        return;
    avcodec_free_context(&e->enc);
    av_packet_free(&e->packet);
    av_frame_free(&e->held);
    rp_palette_close(&e->palette);
    sws_freeContext(e->sws);
    av_buffer_pool_uninit(&e->pool.buffers);
    free(e);
    *encode = NULL;
}

int rp_encode_open(struct rp_encode *e, const struct rp_encode_shape *shape, int64_t first)
{
    e->shape = *shape;
    e->fmt = shape->fmt;
    e->gif_alpha = is_gif(e) && rp_pixfmt_alpha(e->fmt);
    RP_CHECK(open_encoder(e, shape));
    if (is_gif(e))
        RP_CHECK(rp_palette_open(&e->palette, e->enc->width, e->enc->height, e->gif_alpha));
    e->offset = e->p.range.start > 0 || keeps_no_start(e) ? first : e->p.info.start;
    return 0;
}

int rp_encode_write(struct rp_encode *e, const struct rp_media_frame *frame)
{
    AVFrame *f = NULL;
    int ret;

    if (frame->w != e->w || frame->h != e->h)
        return rp_fail(RP_ERR_INVALID, "%s: a frame of %dx%d after some of %dx%d", e->p.path,
                       frame->w, frame->h, e->w, e->h);
    RP_TRY(prepare(e, frame, &f));
    if (e->constant)
        ret = write_constant(e, &f, frame);
    else
        ret = write_as_it_is(e, f, frame);
fail:
    av_frame_free(&f);
    return ret;
}

int rp_encode_finish(struct rp_encode *e, int64_t end, bool some)
{
    if (e->constant)
        RP_CHECK(fill_slots(e, RP_MAX(slot_of(e, end), e->next_slot + (some && !e->shown_at))));
    return encode(e, NULL);
    return 0;
}

const AVCodecContext *rp_encode_codec(const struct rp_encode *e)
{
    return e->enc;
}

bool rp_encode_constant(const struct rp_encode *e)
{
    return e->constant;
}

int64_t rp_encode_offset(const struct rp_encode *e)
{
    return e->offset;
}

/* The times of the first packets of an encoder that is only measured. */
struct measured {
    int64_t pts[MEASURED], dts[MEASURED];
    int n;
};

static int measure_packet(void *priv, AVPacket *p)
{
    struct measured *const m = priv;

    if (m->n < MEASURED) {
        m->pts[m->n] = p->pts;
        m->dts[m->n++] = p->dts;
    }
    return 0;
}

static int encode_black(struct rp_encode *e, int64_t step)
{
    int ret = 0;

    for (int i = 0; i < MEASURED && ret >= 0; i++) {
        AVFrame *f = NULL;
        if ((ret = rp_avframe_alloc(&f, e->enc->pix_fmt, e->enc->width, e->enc->height, NULL)) >=
            0) {
            for (int k = 0; k < 4 && f->buf[k]; k++)
                memset(f->buf[k]->data, 0, f->buf[k]->size);
            ret = emit(e, f, i * step, step);
        }
        av_frame_free(&f);
    }
    return ret < 0 ? ret : encode(e, NULL);
}

/* What libx264 says of itself is not so when it is lossless, and libx265 says nothing. */
int rp_encode_delay(const struct rp_encode *e, int *delay)
{
    int ret;
    struct rp_encode *other = NULL;
    struct measured m = {.n = 0};
    struct rp_encode_params params = e->p;

    params.fn = measure_packet;
    params.priv = &m;
    params.quiet = true;
    *delay = 0;
    RP_TRY(rp_encode_create(&other, &params));
    RP_TRY(rp_encode_open(other, &e->shape, 0));
    const AVRational base = other->enc->time_base, one = av_inv_q(other->enc->framerate);
    RP_TRY(encode_black(other, RP_MAX(av_rescale_q(1, one, base), 1)));
    int64_t first = INT64_MAX;
    for (int i = 0; i < m.n; i++)
        first = RP_MIN(first, m.pts[i]);
    for (int i = 0; i < m.n; i++)
        *delay += m.dts[i] < first;
fail:
    rp_encode_free(&other);
    return ret;
}

int64_t rp_encode_end(const struct rp_video_info *info, const struct rp_media_frame *frame)
{
    const AVRational base = {info->tb_num, info->tb_den}, rate = {info->fps_num, info->fps_den};

    return frame->pts +
           (frame->duration > 0 ? frame->duration : av_rescale_q(1, av_inv_q(rate), base));
}

void rp_encode_settings(const struct rp_encode *e, char *text, size_t size)
{
    snprintf(text, size, "%s %s %d, %d threads, for %s", e->p.codec->name,
             e->p.preset ? e->p.preset : "", e->p.quality, e->enc->thread_count, e->p.format->name);
}

bool rp_encode_is_empty(const struct rp_encode *e, int64_t first, int64_t end)
{
    return e->constant && slot_of(e, end) <= slot_of(e, first);
}

int rp_encode_check(const struct rp_encode *e, int64_t frames, int64_t packets)
{
    if (packets >= frames)
        return 0;
    return rp_fail(RP_ERR_AGAIN,
                   "%s: the encoder %s gave %lld packets for %lld frames, as when it has no "
                   "memory; nothing is kept, so try again",
                   e->p.path, e->p.codec->name, (long long) packets, (long long) frames);
}

void rp_encode_counts(const struct rp_encode *e, int64_t *frames, int64_t *packets)
{
    *frames = e->frames;
    *packets = e->packets;
}
