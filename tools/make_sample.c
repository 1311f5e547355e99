/* Sample media for `make run` and the tests, made from one public-domain portrait.
 *
 *   make-sample OUTDIR ASTRONAUT.png                      OUTDIR/target.mp4 and OUTDIR/source.png
 *   make-sample --before-after TARGET OUTPUT OUT.png      middle frame of both, side by side
 *
 * The clip is the portrait seen by a camera that moves, zooms and turns; the source is the same
 * face with other proportions, mirrored, in other colours, so that a swap is visible. FFmpeg's
 * libraries are used directly: the library's own writer takes sound and tags from a target file.
 *
 * Positions below are pixels of that portrait (512x512), so another picture gives no useful result.
 * One thread and no dates: the same FFmpeg gives the same bytes on every machine. */
#include <math.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>

#include "base/path.h"
#include "media/media.h"
#include "ops/ops.h"

#define PORTRAIT 512
#define CLIP_W 640
#define CLIP_H 480
#define FPS 25
#define FRAMES 125
#define SAMPLE_RATE 48000
#define TONE_HZ 440.0
#define SOURCE_SIDE 512
#define DIVIDER 4

/* A point or vector of the portrait. */
struct vec {
    double x, y;
};

static const struct vec face = {225, 122}; /* the middle of the face */

/* ---- pixels ---------------------------------------------------------------------------------- */

/* Weights of the four samples around a place between two pixels (Catmull-Rom). */
static void cubic(float t, float w[4])
{
    w[0] = t * (-0.5f + t * (1 - 0.5f * t));
    w[1] = 1 + t * t * (1.5f * t - 2.5f);
    w[2] = t * (0.5f + t * (2 - 1.5f * t));
    w[3] = t * t * (0.5f * t - 0.5f);
}

/* BGR at a place, 0 to 255; the edge goes on outside. */
static void sample(const rp_image *image, struct vec at, float out[3])
{
    float wx[4], wy[4];
    const double fx = floor(at.x), fy = floor(at.y);

    cubic((float) (at.x - fx), wx);
    cubic((float) (at.y - fy), wy);
    out[0] = out[1] = out[2] = 0;
    for (int j = 0; j < 4; j++) {
        const int y = RP_CLAMP((int) fy + j - 1, 0, image->h - 1);
        const uint8_t *const row = image->data + y * image->stride;

        for (int i = 0; i < 4; i++) {
            const uint8_t *const p = row + 3 * RP_CLAMP((int) fx + i - 1, 0, image->w - 1);

            for (int c = 0; c < 3; c++)
                out[c] += wx[i] * wy[j] * p[c];
        }
    }
}

static uint8_t to_byte(float v)
{
    return (uint8_t) RP_CLAMP(v + 0.5f, 0, 255);
}

static int image_alloc(rp_image *out, int w, int h)
{
    *out = (rp_image){.w = w, .h = h, .stride = (ptrdiff_t) w * 3, .owned = true};
    out->data = calloc((size_t) w * (size_t) h, 3);
    return out->data ? 0 : rp_fail(RP_ERR_NOMEM, "out of memory");
}

/* ---- the second identity --------------------------------------------------------------------- */

/* A smooth change of the surroundings of a place: stretched about it, and moved. */
struct bump {
    struct vec at;
    double radius;
    struct vec stretch, move;
};

/* clang-format off */
static const struct bump bumps[] = {
    {{225, 128}, 62, {0.97, 1.03}, { 0,  0}}, /* a longer, narrower face */
    {{205, 102}, 12, {1.14, 1.20}, { 1,  1}}, /* large eyes, nearer to each other */
    {{246, 103}, 12, {1.14, 1.20}, {-1,  1}},
    {{225, 118}, 12, {0.84, 1.15}, { 0,  2}}, /* a long, narrow nose */
    {{225, 147}, 15, {0.92, 1.45}, { 0,  0}}, /* full lips */
    {{206,  89}, 11, {1.10, 1.50}, { 0, -2}}, /* heavy eyebrows */
    {{246,  90}, 11, {1.10, 1.50}, { 0, -2}},
};
/* clang-format on */

/* Where the warped picture takes a pixel from. */
static struct vec unwarp(struct vec p)
{
    struct vec q = p;

    for (size_t i = 0; i < RP_ARRAY_LEN(bumps); i++) {
        const struct bump *const b = &bumps[i];
        const double dx = p.x - b->at.x, dy = p.y - b->at.y;
        const double w = exp(-(dx * dx + dy * dy) / (2 * b->radius * b->radius));

        q.x += w * (dx / b->stretch.x - dx - b->move.x);
        q.y += w * (dy / b->stretch.y - dy - b->move.y);
    }
    return q;
}

static float smoothstep(float from, float to, float v)
{
    const float t = RP_CLAMP((v - from) / (to - from), 0, 1);

    return t * t * (3 - 2 * t);
}

/* 1 inside an ellipse, falling to 0 within the outer fifth of it. */
static float inside(struct vec p, struct vec centre, double rx, double ry)
{
    const double dx = (p.x - centre.x) / rx, dy = (p.y - centre.y) / ry;

    return 1 - smoothstep(0.8f, 1, (float) sqrt(dx * dx + dy * dy));
}

/* Darker, redder skin, dark brown hair and eyebrows. The first two are told from the grey
 * background by their red; in the face, highlights are not red and belong to it nevertheless. */
static void recolour(struct vec p, float bgr[3])
{
    static const float skin[3] = {0.50f, 0.60f, 0.76f}, hair[3] = {0.24f, 0.28f, 0.36f};
    const float front = inside(p, (struct vec){225, 132}, 56, 66);
    const float inner = 0.95f * inside(p, (struct vec){225, 122}, 46, 52);
    const float red = RP_MAX(smoothstep(18, 48, bgr[2] - bgr[0]), inner);
    const float head = red * inside(p, (struct vec){226, 98}, 95, 100);

    const float brows =
        inside(p, (struct vec){206, 87}, 16, 7) + inside(p, (struct vec){246, 87.5}, 16, 7);
    const float dark = 1 - 0.45f * brows * (1 - smoothstep(150, 200, bgr[2]));

    for (int c = 0; c < 3; c++)
        bgr[c] *= dark * (1 - head + head * (front * skin[c] + (1 - front) * hair[c]));
}

static int make_source(const rp_image *portrait, const char *path)
{
    int ret;
    rp_image out;

    RP_TRY(image_alloc(&out, SOURCE_SIDE, SOURCE_SIDE));
    for (int y = 0; y < out.h; y++) {
        for (int x = 0; x < out.w; x++) {
            /* twice the size, left and right exchanged */
            const struct vec p = unwarp((struct vec){face.x - (x - out.w * 0.5) * 0.5,
                                                     face.y + (y - out.h * 0.5) * 0.5});
            float bgr[3];

            sample(portrait, p, bgr);
            recolour(p, bgr);
            for (int c = 0; c < 3; c++)
                out.data[y * out.stride + 3 * x + c] = to_byte(bgr[c]);
        }
    }
    ret = rp_image_write(&out, path, 100);

fail:
    rp_image_free(&out);
    return ret;
}

/* ---- the clip -------------------------------------------------------------------------------- */

/* What the camera sees at a time from 0 to 1. */
static void look(const rp_image *portrait, double t, rp_image *out)
{
    const double turn = 2 * M_PI * t;
    const double zoom = 2 + 0.25 * sin(turn), angle = 7 * M_PI / 180 * sin(1.5 * turn);
    const struct vec at = {face.x + 7 + 30 * sin(turn), face.y + 28 + 14 * sin(2 * turn)};
    const double c = cos(angle) / zoom, s = sin(angle) / zoom;

    for (int y = 0; y < out->h; y++) {
        for (int x = 0; x < out->w; x++) {
            const double dx = x - out->w * 0.5, dy = y - out->h * 0.5;
            float bgr[3];

            sample(portrait, (struct vec){at.x + c * dx - s * dy, at.y + s * dx + c * dy}, bgr);
            for (int i = 0; i < 3; i++)
                out->data[y * out->stride + 3 * x + i] = to_byte(bgr[i]);
        }
    }
}

struct clip {
    const char *path;
    AVFormatContext *format;
    AVCodecContext *video, *audio;
    AVFrame *picture, *sound;
    AVPacket *packet;
    struct SwsContext *sws;
    bool begun;
};

static int av_fail(int averror, const char *path, const char *doing)
{
    char reason[AV_ERROR_MAX_STRING_SIZE] = "";

    av_strerror(averror, reason, sizeof(reason));
    return rp_fail(averror == AVERROR(ENOMEM) ? RP_ERR_NOMEM : RP_ERR_IO, "%s: %s: %s", path, doing,
                   reason);
}

/* For functions with `ret`, `c` and `fail`. */
#define AV_TRY(doing, call)                                                                        \
    do {                                                                                           \
        if ((ret = (call)) < 0) {                                                                  \
            ret = av_fail(ret, c->path, doing);                                                    \
            goto fail;                                                                             \
        }                                                                                          \
    } while (0)

static void clip_close(struct clip *c)
{
    if (c->format && c->format->pb)
        avio_closep(&c->format->pb);
    avcodec_free_context(&c->video);
    avcodec_free_context(&c->audio);
    avformat_free_context(c->format);
    av_frame_free(&c->picture);
    av_frame_free(&c->sound);
    av_packet_free(&c->packet);
    sws_freeContext(c->sws);
}

static int new_encoder(struct clip *c, enum AVCodecID id, AVCodecContext **out)
{
    const AVCodec *const codec = avcodec_find_encoder(id);

    if (!codec)
        return rp_fail(RP_ERR_UNSUPPORTED, "this FFmpeg has no encoder for %s",
                       avcodec_get_name(id));
    if (!(*out = avcodec_alloc_context3(codec)))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    (*out)->thread_count = 1;
    (*out)->flags |= AV_CODEC_FLAG_BITEXACT;
    if (c->format->oformat->flags & AVFMT_GLOBALHEADER)
        (*out)->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    return 0;
}

static int open_encoder(struct clip *c, AVCodecContext *encoder, AVFrame **frame)
{
    int ret;
    AVStream *const stream = avformat_new_stream(c->format, NULL);

    *frame = av_frame_alloc();
    if (!stream || !*frame)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    AV_TRY("opening an encoder", avcodec_open2(encoder, NULL, NULL));
    AV_TRY("opening an encoder", avcodec_parameters_from_context(stream->codecpar, encoder));
    stream->time_base = encoder->time_base;
    return 0;

fail:
    return ret;
}

static int open_video(struct clip *c)
{
    int ret;
    AVCodecContext *v;

    RP_TRY(new_encoder(c, AV_CODEC_ID_H264, &c->video));
    v = c->video;
    v->width = CLIP_W;
    v->height = CLIP_H;
    v->pix_fmt = AV_PIX_FMT_YUV420P;
    v->time_base = (AVRational){1, FPS};
    v->framerate = (AVRational){FPS, 1};
    v->gop_size = 2 * FPS;
    v->bit_rate = 2000000; /* for encoders without crf */
    v->color_range = AVCOL_RANGE_MPEG;
    v->colorspace = AVCOL_SPC_SMPTE170M;
    v->color_primaries = AVCOL_PRI_SMPTE170M;
    v->color_trc = AVCOL_TRC_SMPTE170M;
    if (v->priv_data) { /* x264's; other encoders go without */
        av_opt_set(v->priv_data, "preset", "veryfast", 0);
        av_opt_set(v->priv_data, "crf", "18", 0);
    }
    RP_TRY(open_encoder(c, v, &c->picture));
    c->picture->width = CLIP_W;
    c->picture->height = CLIP_H;
    c->picture->format = AV_PIX_FMT_YUV420P;
    AV_TRY("making a frame", av_frame_get_buffer(c->picture, 0));
    c->sws = sws_getContext(CLIP_W, CLIP_H, AV_PIX_FMT_BGR24, CLIP_W, CLIP_H, AV_PIX_FMT_YUV420P,
                            SWS_BICUBIC | SWS_ACCURATE_RND | SWS_BITEXACT, NULL, NULL, NULL);
    return c->sws ? 0 : rp_fail(RP_ERR_NOMEM, "out of memory");

fail:
    return ret;
}

static int open_audio(struct clip *c)
{
    int ret;
    AVCodecContext *a;

    RP_TRY(new_encoder(c, AV_CODEC_ID_AAC, &c->audio));
    a = c->audio;
    a->sample_rate = SAMPLE_RATE;
    a->sample_fmt = AV_SAMPLE_FMT_FLTP;
    av_channel_layout_default(&a->ch_layout, 1);
    a->bit_rate = 96000;
    a->time_base = (AVRational){1, SAMPLE_RATE};
    RP_TRY(open_encoder(c, a, &c->sound));
    c->sound->format = AV_SAMPLE_FMT_FLTP;
    c->sound->sample_rate = SAMPLE_RATE;
    c->sound->nb_samples = a->frame_size;
    AV_TRY("making a frame", av_channel_layout_copy(&c->sound->ch_layout, &a->ch_layout));
    AV_TRY("making a frame", av_frame_get_buffer(c->sound, 0));
    c->sound->pts = 0;
    return 0;

fail:
    return ret;
}

static int clip_open(struct clip *c, const char *path)
{
    int ret;

    *c = (struct clip){.path = path, .packet = av_packet_alloc()};
    if (!c->packet)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    AV_TRY("creating", avformat_alloc_output_context2(&c->format, NULL, "mp4", path));
    c->format->flags |= AVFMT_FLAG_BITEXACT;
    RP_TRY(open_video(c));
    RP_TRY(open_audio(c));
    AV_TRY("creating", avio_open(&c->format->pb, path, AVIO_FLAG_WRITE));
    AV_TRY("writing", avformat_write_header(c->format, NULL));
    c->begun = true;
    return 0;

fail:
    return ret;
}

/* Encode a frame, NULL for the last ones, and write what comes out. */
static int encode(struct clip *c, AVCodecContext *encoder, int stream, const AVFrame *frame)
{
    int ret;

    AV_TRY("encoding", avcodec_send_frame(encoder, frame));
    while ((ret = avcodec_receive_packet(encoder, c->packet)) >= 0) {
        if (encoder == c->video) /* x264 leaves it out: the last frame would have no length */
            c->packet->duration = 1;
        av_packet_rescale_ts(c->packet, encoder->time_base, c->format->streams[stream]->time_base);
        c->packet->stream_index = stream;
        AV_TRY("writing", av_interleaved_write_frame(c->format, c->packet));
    }
    return ret == AVERROR(EAGAIN) || ret == AVERROR_EOF ? 0 : av_fail(ret, c->path, "encoding");

fail:
    return ret;
}

static int write_picture(struct clip *c, const rp_image *image, int number)
{
    int ret;

    AV_TRY("making a frame", av_frame_make_writable(c->picture));
    sws_scale(c->sws, (const uint8_t *const[]){image->data}, (const int[]){(int) image->stride}, 0,
              image->h, c->picture->data, c->picture->linesize);
    c->picture->pts = number; // NOLINT(clang-analyzer-core.NullDereference): made by open_encoder()
    return encode(c, c->video, 0, c->picture);

fail:
    return ret;
}

/* Sound up to a time in seconds; whole encoder frames, so a little more. */
static int write_sound(struct clip *c, double until)
{
    int ret;

    while ((double) c->sound->pts < until * SAMPLE_RATE) {
        AV_TRY("making a frame", av_frame_make_writable(c->sound));
        float *const v = (float *) (void *) c->sound->data[0];
        for (int i = 0; i < c->sound->nb_samples; i++) {
            const double t = (double) (c->sound->pts + i) / SAMPLE_RATE;

            v[i] = (float) (0.2 * sin(2 * M_PI * TONE_HZ * t));
        }
        RP_TRY(encode(c, c->audio, 1, c->sound));
        c->sound->pts += c->sound->nb_samples;
    }
    return 0;

fail:
    return ret;
}

static int write_clip(struct clip *c, const rp_image *portrait)
{
    int ret;
    rp_image view;

    RP_TRY(image_alloc(&view, CLIP_W, CLIP_H));
    for (int i = 0; i < FRAMES; i++) {
        look(portrait, (double) i / FRAMES, &view);
        RP_TRY(write_picture(c, &view, i));
        RP_TRY(write_sound(c, (double) (i + 1) / FPS));
    }
    RP_TRY(encode(c, c->video, 0, NULL));
    RP_TRY(encode(c, c->audio, 1, NULL));
    AV_TRY("writing", av_write_trailer(c->format));
    AV_TRY("writing", avio_closep(&c->format->pb));

fail:
    rp_image_free(&view);
    return ret;
}

static int make_clip(const rp_image *portrait, const char *path)
{
    int ret;
    struct rp_partial out = {0};
    struct clip clip = {0};

    RP_TRY(rp_partial_begin(&out, path));
    RP_TRY(clip_open(&clip, out.temp));
    RP_TRY(write_clip(&clip, portrait));
    RP_TRY(rp_partial_commit(&out));

fail:
    clip_close(&clip);
    rp_partial_abort(&out);
    return ret;
}

static int make_sample(const char *folder, const char *picture)
{
    int ret;
    rp_image portrait = {0};
    char *const source = rp_path_join(folder, "source.png");
    char *const target = rp_path_join(folder, "target.mp4");

    if (!source || !target) {
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
        goto fail;
    }
    RP_TRY(rp_image_read(&portrait, picture));
    if (portrait.w != PORTRAIT || portrait.h != PORTRAIT || portrait.format != RP_PIXEL_BGR) {
        ret = rp_fail(RP_ERR_FORMAT, "%s: not the portrait that this tool is made for", picture);
        goto fail;
    }
    /* the clip last: who finds it finds the source, too */
    RP_TRY(make_source(&portrait, source));
    RP_TRY(make_clip(&portrait, target));

fail:
    rp_image_free(&portrait);
    free(source);
    free(target);
    return ret;
}

/* ---- before and after ------------------------------------------------------------------------ */

static int frame_to_image(const struct rp_media_frame *f, rp_image *out)
{
    static const struct {
        int sub_x, sub_y, depth;
    } formats[] = {
        [RP_FMT_YUV420P] = {1, 1, 8},    [RP_FMT_YUV422P] = {1, 0, 8},
        [RP_FMT_YUV444P] = {0, 0, 8},    [RP_FMT_YUV420P10] = {1, 1, 10},
        [RP_FMT_YUV422P10] = {1, 0, 10}, [RP_FMT_YUV444P10] = {0, 0, 10},
        [RP_FMT_BGR24] = {0, 0, 8},      [RP_FMT_YUVA420P] = {1, 1, 8},
        [RP_FMT_YUVA444P10] = {0, 0, 10},
    };
    int ret;

    if ((ret = image_alloc(out, f->w, f->h)) < 0)
        return ret;
    if (f->fmt == RP_FMT_BGR24) {
        for (int y = 0; y < f->h; y++)
            memcpy(out->data + y * out->stride, f->plane[0] + (ptrdiff_t) y * f->stride[0],
                   (size_t) f->w * 3);
        return 0;
    }

    struct rp_planes planes = {
        .w = f->w, .h = f->h, .sub_x = formats[f->fmt].sub_x, .sub_y = formats[f->fmt].sub_y,
        .depth = formats[f->fmt].depth, .matrix = (int) f->colour.matrix,
        .full_range = f->colour.full_range,
    };
    for (int i = 0; i < 4; i++) {
        planes.plane[i] = f->plane[i];
        planes.stride[i] = f->stride[i];
    }
    return rp_c_yuv_to_bgr(NULL, &(const struct rp_op_yuv_to_bgr){
        &planes, {out->data, (int) out->stride, out->w, out->h, 3}});
}

static int64_t count_frames(const char *path)
{
    int64_t n = 0;
    struct rp_reader *reader = NULL;

    if (rp_reader_open(&reader, path, &(struct rp_reader_params){0}) >= 0)
        n = rp_reader_info(reader)->frames;
    rp_reader_close(&reader);
    return n;
}

/* A picture, or the middle frame of a video; without alpha. */
static int read_middle(const char *path, rp_image *out)
{
    int ret;
    enum rp_media_kind kind;
    struct rp_media_frame *frame = NULL;

    RP_TRY(rp_media_probe(path, &kind));
    if (kind == RP_MEDIA_IMAGE) {
        RP_TRY(rp_image_read(out, path));
    } else {
        RP_TRY(rp_reader_frame(path, count_frames(path) / 2, &frame));
        RP_TRY(frame_to_image(frame, out));
    }
    for (int y = 0; out->format == RP_PIXEL_BGRA && y < out->h; y++)
        for (int x = 0; x < out->w; x++)
            memmove(out->data + y * out->stride + 3 * x, out->data + y * out->stride + 4 * x, 3);
    out->format = RP_PIXEL_BGR;

fail:
    rp_media_frame_free(&frame);
    return ret;
}

static int side_by_side(const rp_image *a, const rp_image *b, rp_image *out)
{
    int ret;

    if ((ret = image_alloc(out, a->w + DIVIDER + b->w, a->h)) < 0)
        return ret;
    for (int y = 0; y < out->h; y++) {
        uint8_t *const row = out->data + y * out->stride;

        memcpy(row, a->data + y * a->stride, (size_t) a->w * 3);
        memset(row + (size_t) a->w * 3, 255, (size_t) DIVIDER * 3);
        memcpy(row + (size_t) (a->w + DIVIDER) * 3, b->data + y * b->stride, (size_t) b->w * 3);
    }
    return 0;
}

static int before_after(const char *target, const char *output, const char *path)
{
    int ret;
    rp_image a = {0}, b = {0}, both = {0};

    RP_TRY(read_middle(target, &a));
    RP_TRY(read_middle(output, &b));
    if (b.w != a.w || b.h != a.h) { /* --output-video-scale */
        rp_image scaled;

        RP_TRY(rp_image_scale(&scaled, &b, a.w, a.h));
        rp_image_free(&b);
        b = scaled;
    }
    RP_TRY(side_by_side(&a, &b, &both));
    RP_TRY(rp_image_write(&both, path, 90));

fail:
    rp_image_free(&a);
    rp_image_free(&b);
    rp_image_free(&both);
    return ret;
}

int main(int argc, char **argv)
{
    av_log_set_level(AV_LOG_ERROR);
    if (argc == 3)
        return rp_exit_code(make_sample(argv[1], argv[2]));
    if (argc == 5 && !strcmp(argv[1], "--before-after"))
        return rp_exit_code(before_after(argv[2], argv[3], argv[4]));
    fputs("usage: make-sample OUTDIR ASTRONAUT.png\n"
          "       make-sample --before-after TARGET OUTPUT OUT.png\n", stderr);
    return rp_exit_code(RP_ERR_USAGE);
}
