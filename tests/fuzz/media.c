/* Pictures, video and sound. Our parsers are instrumented, FFmpeg and the other libraries are not:
 * what is hostile to these must end in time and in bounded memory. */
#include <lcms2.h>
#include <libavutil/mem.h>
#include <unistd.h>

#include "base/hash.h"
#include "fuzz.h"
#include "media/av.h"
#include "media/icc.h"
#include "media/meta.h"
#include "media/piece_file.h"
#include "media/sound.h"

enum { PIXELS_MAX = 1 << 16, FRAMES = 3 };

/* What is costly and not ours is done for few inputs; the size says for which. */
static bool seldom(size_t size, size_t of)
{
    return size % of == of - 1;
}

/* ---- our parsers ---- */

static bool same_mark(const rp_mark *a, const rp_mark *b)
{
    return !strcmp(a->source_type, b->source_type) && !strcmp(a->software, b->software) &&
           !strcmp(a->processors, b->processors) && !strcmp(a->models, b->models);
}

/* A name of a field within a value is taken for the field. */
static bool names_a_field(const rp_mark *m)
{
    const char *const values[] = {m->source_type, m->software, m->processors, m->models};

    for (size_t i = 0; i < RP_ARRAY_LEN(values); i++)
        if (strstr(values[i], "DigitalSourceType") || strstr(values[i], "xmp:") ||
            strstr(values[i], "reprise:"))
            return true;
    return false;
}

/* What was read as a mark, is written so that it is read again. */
static void check_mark(const uint8_t *xmp, size_t size)
{
    rp_mark read, once, twice;

    if (!rp_mark_parse(&read, xmp, size) || names_a_field(&read))
        return;
    char *const first = rp_mark_xmp(&read);
    fuzz_must(first && rp_mark_parse(&once, (const uint8_t *) first, strlen(first)));
    char *const second = rp_mark_xmp(&once);
    fuzz_must(second && rp_mark_parse(&twice, (const uint8_t *) second, strlen(second)));
    fuzz_must(same_mark(&once, &twice));
    free(second);
    free(first);
}

static void check_inside(const uint8_t *found, size_t length, const uint8_t *data, size_t size)
{
    fuzz_must(!found || (found >= data && length <= size && found <= data + size - length));
}

static void find_profiles(const uint8_t *data, size_t size)
{
    size_t length = 0;
    bool broken = false;

    free(rp_jpeg_icc(data, size, &length, &broken));
    const uint8_t *const webp = rp_webp_icc(data, size, &length);
    check_inside(webp, length, data, size);
    const uint8_t *const bmp = rp_bmp_icc(data, size, &length);
    check_inside(bmp, length, data, size);
    rp_png_has_icc(data, size);
}

static void find_turns(const uint8_t *data, size_t size)
{
    size_t length = 0;
    const uint8_t *const exif =
        rp_jpeg_segment(data, size, RP_JPEG_EXIF, sizeof(RP_JPEG_EXIF), &length);
    const int turns[] = {exif ? rp_exif_orientation(exif, length) : 1,
                         rp_exif_orientation(data, size), rp_png_orientation(data, size),
                         rp_webp_orientation(data, size)};

    for (size_t i = 0; i < RP_ARRAY_LEN(turns); i++)
        fuzz_must(turns[i] >= 1 && turns[i] <= 8);
}

/* EXIF, XMP and colour profiles in all picture formats, without the pixels. */
void fuzz_metadata(const uint8_t *data, size_t size)
{
    static const uint8_t *(*const finders[])(const uint8_t *, size_t, size_t *) = {
        rp_tiff_xmp,
        rp_png_xmp,
        rp_webp_xmp,
        rp_xmp_scan,
    };
    size_t length = 0;
    const struct rp_image_codec *const codec = rp_image_codec_of(data, size);

    for (size_t i = 0; i < RP_ARRAY_LEN(finders); i++) {
        const uint8_t *const xmp = finders[i](data, size, &length);
        check_inside(xmp, length, data, size);
        if (xmp)
            check_mark(xmp, length);
    }
    if (codec)
        codec->xmp(data, size, &length);
    check_mark(data, size);
    find_turns(data, size);
    find_profiles(data, size);
    rp_png_is_animated(data, size);
    rp_heif_kind(data, size);
    rp_heif_is_animated(data, size);
}

cmsHTRANSFORM __real_cmsCreateTransformTHR(cmsContext, cmsHPROFILE, cmsUInt32Number, cmsHPROFILE,
                                           cmsUInt32Number, cmsUInt32Number, cmsUInt32Number);
cmsHTRANSFORM __wrap_cmsCreateTransformTHR(cmsContext, cmsHPROFILE, cmsUInt32Number, cmsHPROFILE,
                                           cmsUInt32Number, cmsUInt32Number, cmsUInt32Number);

static cmsUInt32Number more_flags;

/* What icc.c calls. To make the tables of a transform takes Little CMS a hundred times as long as
 * to read the profile. */
cmsHTRANSFORM __wrap_cmsCreateTransformTHR(cmsContext context, cmsHPROFILE from,
                                           cmsUInt32Number from_type, cmsHPROFILE to,
                                           cmsUInt32Number to_type, cmsUInt32Number intent,
                                           cmsUInt32Number flags)
{
    return __real_cmsCreateTransformTHR(context, from, from_type, to, to_type, intent,
                                        flags | more_flags);
}

/* A colour profile, for pixels as the first byte says. */
void fuzz_profile(const uint8_t *data, size_t size)
{
    static const struct rp_icc_from kinds[] = {
        {.channels = 3, .bits = 8},
        {.channels = 3, .extra = 1, .bits = 8, .bgr = true},
        {.channels = 4, .bits = 8, .inverted = true},
        {.channels = 1, .bits = 8, .grey = true},
        {.channels = 3, .bits = 16},
        {.channels = 3, .bits = 16, .lab = true},
        {.channels = 1, .extra = 1, .bits = 16, .grey = true},
    };
    static const uint8_t pixels[4 * 4 * 2] = {1, 2, 3, 200, 255};
    uint8_t to[4 * 4 * 2];

    if (size < 1)
        return;
    more_flags = seldom(size, 8) ? 0 : cmsFLAGS_NOOPTIMIZE;
    const struct rp_icc_from *const from = &kinds[data[0] % RP_ARRAY_LEN(kinds)];
    struct rp_icc *icc =
        rp_icc_open(data + 1, size - 1, from, from->extra ? RP_PIXEL_BGRA : RP_PIXEL_BGR, "fuzz");
    if (icc)
        rp_icc_run(icc, pixels, to, 4);
    rp_icc_close(&icc);
}

/* ---- with the libraries ---- */

/* A picture file. */
void fuzz_picture(const uint8_t *data, size_t size)
{
    rp_image image;

    if (size > 0 && rp_image_decode(&image, data, size, "fuzz") >= 0)
        rp_image_free(&image);
}

static void read_frames(struct rp_reader *r)
{
    const struct rp_video_info *const info = rp_reader_info(r);

    fuzz_must(info->w > 0 && info->h > 0 && info->w <= RP_SIDE_MAX && info->h <= RP_SIDE_MAX);
    fuzz_must(info->fmt < RP_FMT_COUNT && info->fps_den > 0 && info->tb_den > 0);
    for (int i = 0; i < ((int64_t) info->w * info->h > PIXELS_MAX ? 1 : FRAMES); i++) {
        struct rp_media_frame *frame = NULL;

        if (rp_reader_next(r, &frame) < 0 || !frame)
            break;
        fuzz_must(frame->w == info->w && frame->h == info->h && frame->fmt == info->fmt);
        rp_media_frame_free(&frame);
    }
}

static int open_reader(struct rp_reader **out, const char *path, size_t size)
{
    /* FFmpeg reserves up to 2 GB for a table whose size a file states, libFuzzer's limit for all */
    av_max_alloc((size_t) 1 << 30);
    const struct rp_reader_params params = {
        .threads = 1, .rgb = size % 3 == 0, .start = size % 5 == 0 ? 40 : 0};
    enum rp_media_kind kind;

    /* It opens the file as the reader does, which must stand what a job would not give it too. */
    if (seldom(size, 4))
        RP_CHECK(rp_media_probe(path, &kind));
    return rp_reader_open(out, path, &params);
}

/* A video file: its first frames, or from a later one on. */
void fuzz_video(const uint8_t *data, size_t size)
{
    struct rp_reader *r = NULL;

    if (open_reader(&r, fuzz_file("target", data, size), size) >= 0)
        read_frames(r);
    rp_reader_close(&r);
}

/* The sound of a file. */
void fuzz_sound(const uint8_t *data, size_t size)
{
    static int16_t samples[8192][2];
    struct rp_sound *sound = NULL;
    const struct rp_sound_params params = {.in_place = size % 2};

    if (rp_sound_open(&sound, fuzz_file("target", data, size), &params) >= 0 && sound)
        fuzz_must(rp_sound_read(sound, samples, 8192) <= 8192);
    rp_sound_close(&sound);
}

/* `reprise inspect` of any file. */
void fuzz_inspect(const uint8_t *data, size_t size)
{
    rp_mark mark;

    rp_inspect(fuzz_file("target", data, size), &mark);
}

static int write_output(const char *target, const char *output, struct rp_reader *r, bool x264)
{
    struct rp_writer *w = NULL;
    const rp_mark mark = {.present = true};
    const struct rp_writer_params params = {.video_encoder = x264 ? "libx264" : "mpeg4",
                                            .video_preset = "ultrafast",
                                            .video_quality = 50,
                                            .audio_quality = 50,
                                            .audio_volume = 100,
                                            .mark = &mark,
                                            .threads = 1};
    struct rp_media_frame *frame = NULL;
    int ret = rp_writer_open(&w, output, target, r, &params);

    for (int i = 0; i < FRAMES && ret >= 0; i++) {
        ret = rp_reader_next(r, &frame);
        if (ret < 0 || !frame)
            break;
        ret = rp_writer_write(w, frame);
        rp_media_frame_free(&frame);
    }
    if (ret >= 0)
        ret = rp_writer_finish(w);
    rp_writer_close(&w);
    return ret;
}

/* A target whose sound, subtitles and metadata go into an output, as in a job. */
void fuzz_tracks(const uint8_t *data, size_t size)
{
    struct rp_reader *r = NULL;
    const char *const target = fuzz_file("target", data, size);
    const char *const output = fuzz_path(size % 2 ? "out.mp4" : "out.mkv");

    if (open_reader(&r, target, size) >= 0 &&
        (int64_t) rp_reader_info(r)->w * rp_reader_info(r)->h <= PIXELS_MAX)
        write_output(target, output, r, seldom(size, 16));
    rp_reader_close(&r);
    unlink(output);
}

/* ---- pieces ---- */

/* All packets in the order of a joined video. */
static void read_piece(struct rp_piece_file *f)
{
    int64_t n = 0, dts = INT64_MIN;
    struct rp_piece_clock clock = {.delay = 2, .step = 1, .newest = INT64_MIN};
    const struct rp_piece_info *const info = rp_piece_file_info(f);
    AVPacket *p = av_packet_alloc();

    fuzz_must(info->first >= 0 && info->last >= info->first && p);
    while (rp_piece_file_next(f, p) > 0) {
        n++;
        if (rp_piece_clock_set(&clock, f, p) < 0)
            break;
        fuzz_must(p->dts > dts && p->dts <= p->pts);
        dts = p->dts;
        av_packet_unref(p);
    }
    fuzz_must(n <= info->packets);
    av_packet_free(&p);
}

/* A file of a piece as it is, and with the right sum. */
void fuzz_piece(const uint8_t *data, size_t size)
{
    struct rp_piece_file *f = NULL;
    uint8_t *const copy = malloc(size + 4);
    const uint32_t crc = rp_crc32(0, data, size);

    if (size)
        memcpy(copy, data, size);
    for (int i = 0; i < 4; i++)
        copy[size + (size_t) i] = (uint8_t) (crc >> 8 * i);
    if (size && rp_piece_file_take(&f, fmemopen(copy, size, "rb"), "fuzz") >= 0)
        read_piece(f);
    rp_piece_file_close(&f);
    if (rp_piece_file_take(&f, fmemopen(copy, size + 4, "rb"), "fuzz") >= 0)
        read_piece(f);
    rp_piece_file_close(&f);
    free(copy);
}
