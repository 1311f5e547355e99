/* Frames in real time: a video file at the times of its frames, or a camera's stream (RTSP).
 *
 * A thread of its own decodes all that comes. Whoever takes frames gets the newest; those that came
 * while nobody asked are lost, so that what is shown never falls behind. */
#include <pthread.h>
#include <time.h>

#include "base/api.h"
#include "media/av.h"

#define PATIENCE 10.0 /* seconds without a packet after which a stream counts as gone */
#define BROKEN_MOST 500 /* packets in a row that do not decode */

struct camera {
    AVFormatContext *format;
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *frame;
    struct SwsContext *sws;
    int index; /* of the video */
    struct rp_watch watch;
};

struct rp_live {
    char *source, *name; /* name: for messages, without a password */
    bool repeat;
    int width;
    pthread_mutex_t lock;
    pthread_cond_t more; /* a frame has come, or the end */
    pthread_t thread;
    bool started;
    atomic_bool stop;
    /* with the lock */
    struct rp_media_frame *newest; /* not taken yet */
    double came;                   /* when it did, or was due */
    int64_t number, lost;
    bool ended;
    int ret;
    char said[RP_MAX_SENTENCE];
    /* of the thread */
    double deadline; /* of the present call of libav's */
    struct camera camera;
};

/* ---- frames on their way --------------------------------------------------------------------- */

static void put(struct rp_live *l, struct rp_media_frame **frame, double came)
{
    pthread_mutex_lock(&l->lock);
    l->lost += l->newest != NULL;
    rp_media_frame_free(&l->newest);
    l->newest = *frame;
    l->came = came;
    l->number++;
    *frame = NULL;
    pthread_cond_broadcast(&l->more);
    pthread_mutex_unlock(&l->lock);
}

/* Sleep until then, or until it is to end. */
static void wait_until(struct rp_live *l, double when)
{
    const struct timespec at = {.tv_sec = (time_t) when,
                                .tv_nsec = (long) ((when - (double) (time_t) when) * 1e9)};

    pthread_mutex_lock(&l->lock);
    while (!atomic_load(&l->stop) && rp_now() < when)
        pthread_cond_timedwait(&l->more, &l->lock, &at);
    pthread_mutex_unlock(&l->lock);
}

/* ---- a file ---------------------------------------------------------------------------------- */

/* Once from its beginning to its end. */
static int play_once(struct rp_live *l)
{
    int ret;
    struct rp_reader *r = NULL;
    struct rp_media_frame *f = NULL;

    RP_TRY(rp_reader_open(&r, l->source, NULL));
    const struct rp_video_info *const info = rp_reader_info(r);
    const double step =
        info->fps_num > 0 && info->fps_den > 0 ? (double) info->fps_den / info->fps_num : 0.04;
    double due = rp_now();
    const double begin = due;
    while (!atomic_load(&l->stop) && (ret = rp_reader_next(r, &f)) >= 0 && f) {
        due = begin + RP_MAX(f->time, 0);
        wait_until(l, due);
        put(l, &f, due);
    }
    if (ret >= 0)
        wait_until(l, due + step); /* the last one is shown as long as the others */
fail:
    rp_reader_close(&r);
    return ret;
}

static int play(struct rp_live *l)
{
    do
        RP_CHECK(play_once(l));
    while (l->repeat && !atomic_load(&l->stop));
    return 0;
}

/* ---- a camera -------------------------------------------------------------------------------- */

static bool is_stream(const char *source)
{
    return !strncmp(source, "rtsp://", 7) || !strncmp(source, "rtsps://", 8);
}

/* "rtsp://user:password@host/path" without what is before the @; NULL: no memory. */
static char *without_password(const char *source)
{
    const char *const host = is_stream(source) ? strstr(source, "//") + 2 : source;
    const size_t n = is_stream(source) ? strcspn(host, "/") : 0;
    const char *at = NULL;

    for (size_t i = 0; i < n; i++)
        if (host[i] == '@')
            at = host + i + 1;
    return at ? rp_asprintf("%.*s%s", (int) (host - source), source, at) : strdup(source);
}

static int is_over(void *live)
{
    const struct rp_live *const l = live;

    return atomic_load(&l->stop) || rp_now() > l->deadline;
}

static int fail_camera(struct rp_live *l, int averror, const char *doing)
{
    if (averror == AVERROR_EXIT && !atomic_load(&l->stop))
        return rp_fail(RP_ERR_AGAIN, "%s: %s: nothing came for %.0f seconds", l->name, doing,
                       PATIENCE);
    return rp_av_fail(averror, l->name, doing);
}

/* Over TCP, as the packets of pictures that UDP loses are missed, and through no other protocol. */
static int open_format(struct rp_live *l)
{
    struct camera *const c = &l->camera;
    AVDictionary *opts = NULL;
    int ret;

    if (!(c->format = avformat_alloc_context()))
        return RP_NOMEM(l->name);
    c->format->interrupt_callback = (AVIOInterruptCB){is_over, l};
    c->format->opaque = &c->watch;
    c->format->flags |= AVFMT_FLAG_NOBUFFER;
    c->format->max_analyze_duration = AV_TIME_BASE;
    rp_dict_set(&opts, "rtsp_transport", "tcp", 0);
    rp_dict_set(&opts, "allowed_media_types", "video", 0);
    rp_dict_set(&opts, "protocol_whitelist", "rtsp,rtsps,rtp,tcp,tls", 0);
    l->deadline = rp_now() + PATIENCE;
    ret = avformat_open_input(&c->format, l->source, av_find_input_format("rtsp"), &opts);
    av_dict_free(&opts);
    if (ret < 0)
        return fail_camera(l, ret, "connecting");
    l->deadline = rp_now() + PATIENCE;
    if ((ret = rp_av_find_streams(c->format)) < 0)
        return fail_camera(l, ret, "reading");
    if ((c->index = rp_av_video_stream(c->format)) < 0)
        return rp_fail(RP_ERR_FORMAT, "%s: there is no video in it", l->name);
    return 0;
}

static int open_camera(struct rp_live *l)
{
    struct camera *const c = &l->camera;
    int ret;

    RP_CHECK(open_format(l));
    const AVCodecParameters *const p = c->format->streams[c->index]->codecpar;
    const AVCodec *const codec = avcodec_find_decoder(p->codec_id);
    if (!codec)
        return rp_fail(RP_ERR_UNSUPPORTED, "%s: this FFmpeg has no decoder for %s", l->name,
                       avcodec_get_name(p->codec_id));
    if (!(c->codec = avcodec_alloc_context3(codec)) || !(c->packet = av_packet_alloc()) ||
        !(c->frame = av_frame_alloc()))
        return RP_NOMEM(l->name);
    if ((ret = avcodec_parameters_to_context(c->codec, p)) < 0)
        return rp_av_fail(ret, l->name, "opening the decoder");
    c->codec->opaque = &c->watch;
    c->codec->max_pixels = RP_PIXELS_MAX;
    c->codec->flags |= AV_CODEC_FLAG_LOW_DELAY;
    c->codec->thread_type = FF_THREAD_SLICE; /* threads for frames would each hold one back */
    c->codec->thread_count = RP_MIN(rp_cpu_count(), 4);
    if ((ret = avcodec_open2(c->codec, codec, NULL)) < 0)
        return rp_av_fail(ret, l->name, "opening the decoder");
    return rp_watch_lacks(&c->watch) ? RP_NOMEM(l->name) : 0;
}

static void close_camera(struct camera *c)
{
    avcodec_free_context(&c->codec);
    avformat_close_input(&c->format);
    av_packet_free(&c->packet);
    av_frame_free(&c->frame);
    sws_freeContext(c->sws);
}

/* What the decoder gave, as a frame of ours. */
static int wrap(struct rp_live *l, struct rp_media_frame **out)
{
    struct camera *const c = &l->camera;
    AVFrame *f = av_frame_clone(c->frame), *to = NULL;
    bool same;
    int ret;

    if (!f)
        return RP_NOMEM(l->name);
    const struct rp_colour colour = rp_colour_of(f);
    enum rp_pixfmt fmt = rp_pixfmt_nearest(f->format, &same);
    if (rp_pixfmt_alpha(fmt)) /* a camera sees nothing through */
        fmt = RP_FMT_BGR24;
    RP_TRY(rp_size_check(l->name, f->width, f->height));
    if (!same || f->format != (int) rp_pixfmt_to_av(fmt)) {
        RP_TRY(rp_avframe_alloc(&to, rp_pixfmt_to_av(fmt), f->width, f->height, NULL));
        RP_TRY(rp_sws_run(&c->sws, f, colour, to, colour));
        av_frame_free(&f);
        f = to;
        to = NULL;
    }
    return rp_frame_wrap(out, &f, fmt, colour);

fail:
    av_frame_free(&f);
    av_frame_free(&to);
    return ret;
}

/* All frames that are ready now. */
static int take_frames(struct rp_live *l, double came)
{
    struct rp_media_frame *f = NULL;
    int ret;

    while ((ret = avcodec_receive_frame(l->camera.codec, l->camera.frame)) >= 0) {
        RP_CHECK(wrap(l, &f));
        put(l, &f, came);
    }
    return ret == AVERROR(ENOMEM) ? RP_NOMEM(l->name) : 0;
}

static int watch_camera(struct rp_live *l)
{
    struct camera *const c = &l->camera;
    int ret, broken = 0;

    rp_watch_begin(&c->watch);
    RP_CHECK(open_camera(l));
    while (!atomic_load(&l->stop)) {
        rp_watch_begin(&c->watch);
        l->deadline = rp_now() + PATIENCE;
        if ((ret = av_read_frame(c->format, c->packet)) < 0)
            return ret == AVERROR_EOF || atomic_load(&l->stop) ? 0 : fail_camera(l, ret, "reading");
        const double came = rp_now();
        ret = c->packet->stream_index == c->index ? avcodec_send_packet(c->codec, c->packet) : 0;
        av_packet_unref(c->packet);
        broken = ret < 0 ? broken + 1 : 0;
        if (broken > BROKEN_MOST)
            return rp_av_fail(ret, l->name, "decoding");
        RP_CHECK(take_frames(l, came));
        if (rp_watch_lacks(&c->watch))
            return RP_NOMEM(l->name);
    }
    return 0;
}

/* ---- for others ------------------------------------------------------------------------------ */

static void *work(void *live)
{
    struct rp_live *const l = live;
    const int ret = is_stream(l->source) ? watch_camera(l) : play(l);

    close_camera(&l->camera);
    pthread_mutex_lock(&l->lock);
    l->ended = true;
    l->ret = ret;
    if (ret < 0)
        snprintf(l->said, sizeof(l->said), "%s", rp_last_error());
    pthread_cond_broadcast(&l->more);
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* rp_now()'s clock. */
static int make_lock(struct rp_live *l)
{
    pthread_condattr_t clock;

    if (pthread_condattr_init(&clock) != 0)
        return RP_NOMEM(l->name);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    const bool made = pthread_cond_init(&l->more, &clock) == 0;
    pthread_condattr_destroy(&clock);
    return made && pthread_mutex_init(&l->lock, NULL) == 0 ? 0 : RP_NOMEM(l->name);
}

int rp_live_open_sized(rp_live **out, const rp_live_params *params, size_t size)
{
    rp_live_params own;
    rp_live *l;

    *out = NULL;
    RP_CHECK(rp_api_check_size("rp_live_params", size, sizeof(own)));
    rp_api_take(&own, sizeof(own), params, size);
    if (!own.source || !*own.source || own.width < 0)
        return rp_fail(RP_ERR_INVALID, "a live source is the path of a video or an address that "
                       "begins with rtsp://, and its width is 0 or more");
    rp_av_begin();
    if (!(l = calloc(1, sizeof(*l))))
        return RP_NOMEM(own.name ? own.name : "live");
    l->source = strdup(own.source);
    l->name = own.name ? strdup(own.name) : without_password(own.source);
    l->repeat = own.repeat;
    l->width = own.width;
    if (!l->source || !l->name || make_lock(l) < 0) {
        free(l->source);
        free(l->name);
        free(l);
        return rp_fail(RP_ERR_NOMEM, "no memory for a live source");
    }
    *out = l;
    l->started = pthread_create(&l->thread, NULL, work, l) == 0;
    if (l->started)
        return 0;
    rp_live_close(out);
    return rp_fail(RP_ERR_NOMEM, "no thread for a live source");
}

/* The newest frame, once there is one; NULL at the end. */
static struct rp_media_frame *wait_for_frame(struct rp_live *l, rp_live_frame *about, double *came)
{
    pthread_mutex_lock(&l->lock);
    while (!l->newest && !l->ended && !atomic_load(&l->stop))
        pthread_cond_wait(&l->more, &l->lock);
    struct rp_media_frame *const f = atomic_load(&l->stop) ? NULL : l->newest;
    if (f)
        l->newest = NULL;
    *about = (rp_live_frame){.number = l->number - 1, .lost = l->lost};
    *came = l->came;
    pthread_mutex_unlock(&l->lock);
    return f;
}

/* 0, or why there are no more frames. */
static int end_of(struct rp_live *l)
{
    pthread_mutex_lock(&l->lock);
    const int ret = atomic_load(&l->stop) || !l->ended ? 0 : l->ret;
    if (ret < 0)
        rp_take_error(l->said);
    pthread_mutex_unlock(&l->lock);
    return RP_MIN(ret, 0);
}

static int to_image(const struct rp_live *l, const struct rp_media_frame *f, rp_image *image)
{
    rp_image small = {0};
    int ret = rp_media_frame_image(f, image);

    if (ret < 0 || !l->width || image->w <= l->width)
        return ret;
    const int h = (int) (((int64_t) image->h * l->width + image->w / 2) / image->w);
    ret = rp_image_scale(&small, image, l->width, RP_MAX(h, 1));
    rp_image_free(image);
    *image = small;
    return ret;
}

int rp_live_next_sized(rp_live *l, rp_image *image, size_t image_size, rp_live_frame *frame,
                       size_t frame_size)
{
    rp_image own = {0};
    rp_live_frame about;
    double came;

    RP_CHECK(rp_api_check_size("rp_image", image_size, sizeof(own)));
    RP_CHECK(rp_api_check_size("rp_live_frame", frame_size, sizeof(about)));
    rp_api_give(image, image_size, &own, sizeof(own));
    struct rp_media_frame *f = wait_for_frame(l, &about, &came);
    if (!f)
        return end_of(l);
    const int ret = to_image(l, f, &own);
    rp_media_frame_free(&f);
    about.age = rp_now() - came;
    rp_api_give(image, image_size, &own, sizeof(own));
    rp_api_give(frame, frame_size, &about, sizeof(about));
    return ret < 0 ? ret : 1;
}

void rp_live_stop(rp_live *l)
{
    pthread_mutex_lock(&l->lock);
    atomic_store(&l->stop, true);
    pthread_cond_broadcast(&l->more);
    pthread_mutex_unlock(&l->lock);
}

void rp_live_close(rp_live **live)
{
    struct rp_live *const l = *live;

    if (!l)
        return;
    rp_live_stop(l);
    if (l->started)
        pthread_join(l->thread, NULL);
    rp_media_frame_free(&l->newest);
    pthread_cond_destroy(&l->more);
    pthread_mutex_destroy(&l->lock);
    free(l->source);
    free(l->name);
    free(l);
    *live = NULL;
}
