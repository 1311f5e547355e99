/* What a file is, and one frame of it, for applications that show files. */
#include "base/api.h"
#include "media/av.h"

static int look_at_image(rp_file_info *out, const char *path)
{
    rp_image image;

    RP_CHECK(rp_image_read(&image, path));
    out->kind = RP_FILE_IMAGE;
    out->w = image.w;
    out->h = image.h;
    out->frames = 1;
    rp_image_free(&image);
    return 0;
}

static int look_at_video(rp_file_info *out, const char *path)
{
    struct rp_reader *reader = NULL;

    RP_CHECK(rp_reader_open(&reader, path, &(struct rp_reader_params){0}));
    const struct rp_video_info *const info = rp_reader_info(reader);
    out->kind = RP_FILE_VIDEO;
    out->w = info->w;
    out->h = info->h;
    out->fps = info->fps_den ? (double) info->fps_num / info->fps_den : 0;
    out->frames = info->frames;
    out->seconds = info->duration;
    rp_reader_close(&reader);
    return 0;
}

static int look_at_sound(rp_file_info *out, const char *path)
{
    AVFormatContext *ic = NULL;

    rp_av_begin();
    RP_CHECK(rp_av_open(&ic, path, true));
    out->kind = RP_FILE_SOUND;
    out->seconds = ic->duration > 0 ? (double) ic->duration / AV_TIME_BASE : 0;
    avformat_close_input(&ic);
    return 0;
}

int rp_file_look_sized(const char *path, rp_file_info *out, size_t size)
{
    int ret;
    enum rp_media_kind kind;
    rp_file_info own = {0};

    memset(out, 0, size);
    RP_CHECK(rp_api_check_size("rp_file_info", size, sizeof(own)));
    RP_CHECK(rp_media_probe(path, &kind));
    switch (kind) {
    case RP_MEDIA_IMAGE:
        ret = look_at_image(&own, path);
        break;
    case RP_MEDIA_VIDEO:
        ret = look_at_video(&own, path);
        break;
    case RP_MEDIA_AUDIO:
        ret = look_at_sound(&own, path);
        break;
    default:
        ret = rp_fail(RP_ERR_FORMAT, "%s: neither a picture nor video or sound", path);
    }
    if (ret >= 0)
        rp_api_give(out, size, &own, sizeof(own));
    return ret;
}

struct rp_frames {
    char *path;
    enum rp_media_kind kind;
    struct rp_reader *reader; /* of a video: it may stand anywhere. NULL: not open */
    int64_t next;             /* the frame that it reads next */
};

/* As far as a key frame usually is, so that to go on decoding is no slower than to seek. */
enum { NEAR = 250 };

int rp_frames_open(rp_frames **out, const char *path)
{
    struct rp_frames *const f = *out = calloc(1, sizeof(*f));
    int ret = 0;

    if (!f || !(f->path = strdup(path)))
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
    else if ((ret = rp_media_probe(path, &f->kind)) >= 0 && f->kind != RP_MEDIA_IMAGE &&
             f->kind != RP_MEDIA_VIDEO)
        ret = rp_fail(RP_ERR_FORMAT, "%s: neither a picture nor a video", path);
    if (ret < 0)
        rp_frames_close(out);
    return ret;
}

void rp_frames_close(rp_frames **frames)
{
    struct rp_frames *const f = *frames;

    if (!f)
        return;
    rp_reader_close(&f->reader);
    free(f->path);
    free(f);
    *frames = NULL;
}

static int read_frame(struct rp_frames *f, int64_t index, rp_image *out)
{
    struct rp_media_frame *frame = NULL;
    int ret = 0;

    if (f->kind == RP_MEDIA_IMAGE)
        return rp_image_read(out, f->path);
    if (index < f->next || index - f->next > NEAR)
        rp_reader_close(&f->reader);
    if (!f->reader)
        ret = rp_reader_open(&f->reader, f->path, &(struct rp_reader_params){.start = index});
    if (ret >= 0)
        ret = rp_reader_forward(f->reader, index, &frame);
    if (ret >= 0)
        ret = rp_media_frame_image(frame, out);
    f->next = index + 1;
    if (ret < 0 || frame->index < index) /* it failed, or is at its end */
        rp_reader_close(&f->reader);
    rp_media_frame_free(&frame);
    return ret;
}

/* The height that keeps the shape. */
static int shrink(rp_image *image, int width)
{
    rp_image small = {0};
    const int h = (int) (((int64_t) image->h * width + image->w / 2) / image->w);

    const int ret = rp_image_scale(&small, image, width, RP_MAX(h, 1));
    rp_image_free(image);
    *image = small;
    return ret;
}

int rp_frames_read_sized(rp_frames *f, rp_image *out, size_t size, int64_t index, int width)
{
    rp_image own = {0};

    memset(out, 0, size);
    RP_CHECK(rp_api_check_size("rp_image", size, sizeof(own)));
    if (index < 0 || width < 0)
        return rp_fail(RP_ERR_INVALID, "frame %lld, width %d: both must be 0 or more",
                       (long long) index, width);
    int ret = read_frame(f, index, &own);
    if (ret >= 0 && width > 0 && own.w > width)
        ret = shrink(&own, width);
    rp_api_give(out, size, &own, sizeof(own));
    return ret;
}

int rp_frame_read_sized(rp_image *out, size_t size, const char *path, int64_t index, int width)
{
    struct rp_frames *frames = NULL;

    memset(out, 0, size);
    RP_CHECK(rp_frames_open(&frames, path));
    const int ret = rp_frames_read_sized(frames, out, size, index, width);
    rp_frames_close(&frames);
    return ret;
}
