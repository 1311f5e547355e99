/* Video in and out, on clips that the ffmpeg program makes: frames, timestamps, tracks, turns,
 * cuts, full disks, broken files. Results are read by ffprobe, which shares no code with ours. */
#include "test_media.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "media/av.h"

static bool ready; /* clips are there */

#define V(w, h, d) "-f lavfi -i testsrc2=s=" #w "x" #h ":r=25:d=" #d " "
#define TONE "-f lavfi -i sine=440:d=1.2 "
#define X264 "-c:v libx264 -preset veryfast -pix_fmt yuv420p "

/* clang-format off */
static const struct { const char *name, *arguments; } clips[] = {
    {"h264.mp4",    V(160, 120, 1.2) TONE "-f lavfi -i sine=880:d=1.2 -map 0 -map 1 -map 2 " X264
                    "-bf 3 -c:a aac -metadata title=Hello -metadata comment=Old "
                    "-metadata:s:a:0 language=deu"},
    {"vfr.mkv",     V(160, 120, 1.2) TONE "-f lavfi -i sine=880:d=1.2 -i s.srt -map 0 -map 1 -map 2 "
                    "-map 3 " X264 "-c:a:0 libopus -c:a:1 flac -c:s srt "
                    "-metadata:s:a:1 language=fra -metadata:s:a:1 title=Zwei -vsync vfr "
                    "-vf \"setpts='PTS+if(gt(N,10),0.02/TB*mod(N,2),0)+gt(N,20)*0.2/TB'\""},
    {"vp9.webm",    V(160, 120, 1.2) TONE "-c:v libvpx-vp9 -b:v 200k -speed 8 -deadline realtime "
                    "-c:a libopus"},
    {"alpha.webm",  "-f lavfi -i \"testsrc2=s=160x120:r=25:d=0.4,format=yuva420p,"
                    "geq=lum='p(X,Y)':a='X'\" -c:v libvpx-vp9 -speed 8 -deadline realtime "
                    "-pix_fmt yuva420p"},
    {"hevc.mp4",    V(160, 120, 0.8) "-c:v libx265 -x265-params log-level=none -preset ultrafast "
                    "-pix_fmt yuv420p10le -tag:v hvc1 -color_primaries bt2020 "
                    "-color_trc smpte2084 -colorspace bt2020nc"},
    {"prores.mov",  V(160, 120, 0.4) "-f lavfi -i sine=440:d=0.4 -c:v prores_ks -profile:v 2 "
                    "-pix_fmt yuv422p10le -c:a pcm_s16le"},
    {"p4444.mov",   "-f lavfi -i testsrc2=s=160x120:r=25:d=0.2,format=yuva444p10le -c:v prores_ks "
                    "-profile:v 4444 -pix_fmt yuva444p10le"},
    {"mpeg4.avi",   V(160, 120, 0.8) TONE "-c:v mpeg4 -q:v 3 -c:a libmp3lame"},
    {"a.gif",       "-f lavfi -i \"testsrc2=s=160x120:r=10:d=1,split[a][b];[a]palettegen[p];"
                    "[b][p]paletteuse\""},
    {"one.gif",     "-f lavfi -i testsrc2=s=64x48:r=10:d=0.1"},
    {"av1.mp4",     V(160, 120, 0.4) "-c:v libsvtav1 -preset 12"},
    {"odd.webm",    "-f lavfi -i testsrc2=s=162x122:r=25:d=0.2,format=yuv444p,crop=161:121 "
                    "-c:v libvpx-vp9 -pix_fmt yuv420p -speed 8 -deadline realtime"},
    {"odd444.mp4",  "-f lavfi -i testsrc2=s=162x122:r=25:d=0.2,format=yuv444p,crop=161:121 "
                    "-c:v libx264"},
    {"rot90.mp4",   "-i h264.mp4 -map 0:v -c copy -metadata:s:v rotate=90"},
    {"rot180.mp4",  "-i h264.mp4 -map 0:v -c copy -metadata:s:v rotate=180"},
    {"rot270.mp4",  "-i h264.mp4 -map 0:v -c copy -metadata:s:v rotate=270"},
    {"rot422.mov",  "-i prores.mov -map 0:v -c copy -metadata:s:v rotate=90"},
    {"late.mp4",    "-itsoffset 0.5 " V(160, 120, 0.8) TONE X264 "-c:a aac"},
    {"edit.mp4",    "-ss 0.37 -i h264.mp4 -map 0 -c copy"},
    {"full.avi",    "-f lavfi -i testsrc2=s=160x120:r=25:d=0.4 -c:v mjpeg -pix_fmt yuvj422p"},
    {"grey.avi",    "-f lavfi -i testsrc2=s=160x120:r=25:d=0.2 -c:v ffv1 -pix_fmt gray"},
    {"deep.mkv",    "-f lavfi -i testsrc2=s=160x120:r=25:d=0.2 -c:v ffv1 -pix_fmt yuv420p12le"},
    {"tiny.mkv",    "-f lavfi -i color=red:s=2x2:r=25:d=0.2,crop=1:1:0:0:exact=1 -c:v ffv1 "
                    "-pix_fmt yuv444p"},
    {"rgb.mkv",     "-f lavfi -i testsrc2=s=160x120:r=25:d=0.2 -c:v libx264rgb -pix_fmt rgb24"},
    {"ntsc.mp4",    "-f lavfi -i testsrc2=s=160x120:r=30000/1001:d=0.8 " X264},
    {"a.ts",        V(160, 120, 0.4) "-c:v mpeg2video -q:v 3"},
    {"b.ts",        V(176, 144, 0.4) "-output_ts_offset 0.4 -c:v mpeg2video -q:v 3"},
    {"tall.mkv",    "-f lavfi -i testsrc2=s=32x720:r=25:d=0.1 " X264},
    {"tone.wav",    TONE},
    {"long.mp4", "-f lavfi -i testsrc2=s=64x48:r=25:d=8 -c:v libx264 -preset veryfast -bf 3 "
                 "-x264-params keyint=37:open-gop=1 -pix_fmt yuv420p"},
    {"long.mkv", "-f lavfi -i testsrc2=s=64x48:r=25:d=8 -c:v libx265 -preset ultrafast "
                 "-x265-params log-level=none:keyint=37:bframes=3:open-gop=1"},
    {"long.webm", "-f lavfi -i testsrc2=s=64x48:r=25:d=8 -c:v libvpx-vp9 -g 60 -speed 8 "
                  "-auto-alt-ref 1 -lag-in-frames 12"},
    {"longedit.mp4", "-ss 0.5 -i long.mp4 -c copy"},
    {"vfr.mp4",     "-i vfr.mkv -map 0:v -c copy"},
    {"chapters.mkv", "-i vfr.mkv -i chapters.txt -map 0 -map_chapters 1 -c copy"},
};
/* clang-format on */

static int make_clips(void **state)
{
    if (make_dir(state) != 0)
        return -1;
    setenv("SVT_LOG", "1", 0); /* else it logs everything to stderr */
    if (!have_ffmpeg()) {
        printf("ffmpeg and ffprobe are not there: the tests of video are skipped\n");
        return 0;
    }
    shell("printf '1\\n00:00:00,100 --> 00:00:00,500\\nHello\\n\\n2\\n00:00:00,700 --> "
          "00:00:01,100\\nWorld\\n' > s.srt");
    shell("printf ';FFMETADATA1\\n[CHAPTER]\\nTIMEBASE=1/1000\\nSTART=0\\nEND=600\\ntitle=One\\n"
          "[CHAPTER]\\nTIMEBASE=1/1000\\nSTART=600\\nEND=1400\\ntitle=Two\\n' > chapters.txt");
    for (size_t i = 0; i < RP_ARRAY_LEN(clips); i++)
        if (shell("ffmpeg -v quiet -nostdin -y %s %s 2>/dev/null", clips[i].arguments,
                  clips[i].name) != 0)
            unlink(in_dir(clips[i].name));
    ready = true;
    return 0;
}

/* Some encoders may be missing from this machine's ffmpeg. */
static void need(const char *clip)
{
    if (!ready || access(in_dir(clip), F_OK) != 0) {
        printf("           no %s: skipped\n", clip);
        skip();
    }
}

/* ---- helpers --------------------------------------------------------------------------------- */

static const rp_mark mark = {.processors = "face_swapper", .models = "face_swapper=x"};

static const struct rp_writer_params usual = {
    .video_preset = "veryfast",
    .video_quality = 80,
    .audio_quality = 80,
    .audio_volume = 100,
    .mark = &mark,
    .threads = 2,
};

static void assert_same_times(const char *a, const char *b)
{
#define TIMES                                                                              \
    "ffprobe -v quiet -select_streams v:0 -show_entries frame=best_effort_timestamp_time " \
    "-of csv=p=0 %s | tr -d ' ,' | grep ."
    assert_string_equal(output_of(TIMES, a), output_of(TIMES, b));
}

/* The same, but from 0 on. */
static void assert_times_from_zero(const char *a, const char *b)
{
#define FROM_ZERO TIMES " | awk '!n++{t=$1} {printf \"%%.6f\\n\", $1-t}'"
    assert_string_equal(output_of(FROM_ZERO, a), output_of(TIMES, b));
}

static void assert_same_audio(const char *a, const char *b, int track)
{
#define MD5 "ffmpeg -v quiet -nostdin -i %s -map 0:a:%d -c copy -f md5 -"
    const char *const md5 = output_of(MD5, a, track);
    assert_int_equal(strncmp(md5, "MD5=", 4), 0);
    assert_string_equal(md5, output_of(MD5, b, track));
}

/* One value that ffprobe prints. */
static const char *probe(const char *file, const char *stream, const char *entries)
{
    return output_of("ffprobe -v quiet -select_streams %s -show_entries %s -of csv=p=0 %s | "
                     "head -1 | sed 's/,$//'",
                     stream, entries, file);
}

static int frame_count(const char *file)
{
    return atoi(output_of("ffprobe -v quiet -count_packets -select_streams v:0 -show_entries "
                          "stream=nb_read_packets -of csv=p=0 %s | head -1",
                          file));
}

/* ---- there and back -------------------------------------------------------------------------- */

static void test_round_trips(void **state)
{
    /* clang-format off */
    static const struct { const char *in, *out, *encoder, *stream; int audio; } table[] = {
        {"h264.mp4",   "o1.mp4",   NULL,         "h264,160,120,yuv420p",        2},
        {"h264.mp4",   "o1.mkv",   "libx264",    "h264,160,120,yuv420p",        2},
        {"h264.mp4",   "o1.m4v",   "libx265",    "hevc,160,120,yuv420p",        2},
        {"vfr.mkv",    "o2.mkv",   NULL,         "h264,160,120,yuv420p",        2},
        {"vfr.mkv",    "o2.mp4",   NULL,         "h264,160,120,yuv420p",        2},
        {"vp9.webm",   "o3.webm",  NULL,         "vp9,160,120,yuv420p",         1},
        {"vp9.webm",   "o3.mp4",   "libvpx-vp9", "vp9,160,120,yuv420p",         1},
        {"hevc.mp4",   "o4.mp4",   "libx265",    "hevc,160,120,yuv420p10le",    0},
        {"hevc.mp4",   "o4.mkv",   "libx264",    "h264,160,120,yuv420p10le",    0},
        {"prores.mov", "o5.mov",   NULL,         "h264,160,120,yuv422p10le",    1},
        {"p4444.mov",  "o6.mov",   "prores_ks",  "prores,160,120,yuva444p12le", 0},
        {"mpeg4.avi",  "o7.avi",   "mpeg4",      "mpeg4,160,120,yuv420p",       1},
        {"mpeg4.avi",  "o7.mp4",   NULL,         "h264,160,120,yuv420p",        1},
        {"a.gif",      "o8.gif",   NULL,         "gif,160,120,bgra",            0},
        {"a.gif",      "o8.mp4",   NULL,         "h264,160,120,yuv420p",        0},
        {"av1.mp4",    "o9.mp4",   "libsvtav1",  "av1,160,120,yuv420p",         0},
        {"odd444.mp4", "o10.mp4",  NULL,         "h264,161,121,yuv444p",        0},
        {"odd.webm",   "o11.webm", NULL,         "vp9,161,121,yuv420p",         0},
        {"odd.webm",   "o11.mp4",  NULL,         "h264,162,122,yuv420p",        0},
        {"late.mp4",   "o12.mp4",  NULL,         "h264,160,120,yuv420p",        1},
        {"late.mp4",   "o12.mkv",  NULL,         "h264,160,120,yuv420p",        1},
        {"edit.mp4",   "o13.mp4",  NULL,         "h264,160,120,yuv420p",        2},
        {"full.avi",   "o14.mp4",  NULL,         "h264,160,120,yuvj422p",       0},
        {"grey.avi",   "o15.mp4",  NULL,         "h264,160,120,yuv420p",        0},
        {"deep.mkv",   "o16.mkv",  NULL,         "h264,160,120,yuv420p10le",    0},
        {"tiny.mkv",   "o17.mkv",  NULL,         "h264,1,1,yuv444p",            0},
        {"rgb.mkv",    "o18.mkv",  "libx264rgb", "h264,160,120,gbrp",           0},
        {"ntsc.mp4",   "o19.mov",  NULL,         "h264,160,120,yuv420p",        0},
        {"a.ts",       "o20.mp4",  "mpeg4",      "mpeg4,160,120,yuv420p",       0},
    };
    /* clang-format on */

    (void) state;
    need("h264.mp4");
    for (size_t i = 0; i < RP_ARRAY_LEN(table); i++) {
        struct rp_writer_params params = usual;
        const char *const in = in_dir(table[i].in), *const out = in_dir(table[i].out);
        rp_mark back;
        if (access(in, F_OK) != 0)
            continue;
        params.video_encoder = table[i].encoder;
        if (copy_video(in, out, &params, NULL) <= 0)
            fail_msg("%s -> %s: %s", table[i].in, table[i].out, rp_last_error());
        assert_string_equal(probe(out, "v:0", "stream=codec_name,width,height,pix_fmt"),
                            table[i].stream);
        if (strstr(in, ".ts"))
            assert_times_from_zero(in, out);
        else
            assert_same_times(in, out);
        for (int k = 0; k < table[i].audio; k++)
            assert_same_audio(in, out, k);
        assert_int_equal(rp_inspect(out, &back), 0);
        assert_true(back.present);
        assert_string_equal(back.processors, mark.processors);
        assert_string_equal(back.models, mark.models);
    }
}

static void test_pixels_survive(void **state)
{
    (void) state;
    need("h264.mp4");
    struct rp_writer_params params = usual;
    params.video_quality = 100; /* crf 0: lossless in 8 bit */
    assert_int_equal(copy_video(in_dir("h264.mp4"), in_dir("same.mkv"), &params, NULL), 30);
#define SUM "ffmpeg -v quiet -nostdin -i %s -map 0:v -f md5 -"
    assert_string_equal(output_of(SUM, "h264.mp4"), output_of(SUM, "same.mkv"));
    assert_int_equal(copy_video(in_dir("full.avi"), in_dir("same.mp4"), &params, NULL), 10);
    assert_string_equal(output_of(SUM, "full.avi"), output_of(SUM, "same.mp4"));
}

static void test_alpha(void **state)
{
    struct rp_reader *r = NULL;
    struct rp_media_frame *f = NULL;

    (void) state;
    need("alpha.webm");
    assert_true(copy_video(in_dir("alpha.webm"), in_dir("alpha2.webm"), &usual, NULL) > 0);
    assert_int_equal(rp_reader_open(&r, in_dir("alpha2.webm"), NULL), 0);
    assert_int_equal(rp_reader_info(r)->fmt, RP_FMT_YUVA420P);
    assert_int_equal(rp_reader_next(r, &f), 0);
    assert_in_range(f->plane[3][150], 140, 160);
    assert_in_range(f->plane[3][10], 0, 20);
    rp_media_frame_free(&f);
    rp_reader_close(&r);
}

static void test_metadata(void **state)
{
    (void) state;
    need("vfr.mkv");
    assert_true(copy_video(in_dir("h264.mp4"), in_dir("m.mp4"), &usual, NULL) > 0);
    assert_string_equal(probe("m.mp4", "v:0", "format_tags=title,comment"), "Old,Hello");
    assert_string_equal(probe("m.mp4", "v:0", "format_tags=reprise_processors"), "face_swapper");
    assert_string_equal(probe("m.mp4", "a:0", "stream_tags=language"), "deu");
    assert_true(
        copy_video(in_dir("hevc.mp4"), in_dir("m2.mp4"),
                   &(struct rp_writer_params){.video_encoder = "libx265", .video_quality = 50},
                   NULL) > 0);
    assert_string_equal(
        probe("m2.mp4", "v:0",
              "stream=codec_tag_string,color_range,color_space,color_transfer,color_primaries"),
        "hvc1,tv,bt2020nc,smpte2084,bt2020");
    assert_true(copy_video(in_dir("chapters.mkv"), in_dir("m3.mkv"), &usual, NULL) > 0);
    assert_string_equal(output_of("ffprobe -v quiet -show_entries chapter=start_time,end_time:"
                                  "chapter_tags=title -of csv=p=0 m3.mkv | tr '\\n' ' '"),
                        "0.000000,0.600000,One 0.600000,1.400000,Two ");
    assert_string_equal(probe("m3.mkv", "a:1", "stream_tags=language,title"), "fra,Zwei");
}

static void test_subtitles(void **state)
{
    static const char *const outs[] = {"s.mkv", "s.mp4", "s.webm"};
    static const char *const codecs[] = {"subrip", "mov_text", "webvtt"};

    (void) state;
    need("vfr.mkv");
    for (int i = 0; i < 3; i++) {
        assert_true(copy_video(in_dir("vfr.mkv"), in_dir(outs[i]), &usual, NULL) > 0);
        assert_string_equal(probe(outs[i], "s:0", "stream=codec_name"), codecs[i]);
#define CUES                                                                                  \
    "ffmpeg -v quiet -nostdin -copyts -i %s -map 0:s -f srt - | grep -A1 -e '-->' | grep -v " \
    "'^--$'"
        assert_non_null(strstr(output_of(CUES, "vfr.mkv"), "\nWorld"));
        assert_string_equal(output_of(CUES, "vfr.mkv"), output_of(CUES, outs[i]));
    }
}

/* ---- turns ----------------------------------------------------------------------------------- */

static uint8_t luma(const struct rp_media_frame *f, int x, int y)
{
    return f->plane[0][(ptrdiff_t) y * f->stride[0] + x];
}

static void check_turn(const char *name, int degrees)
{
    struct rp_media_frame *a = NULL, *b = NULL;
    struct rp_reader *r = NULL;

    assert_int_equal(rp_reader_open(&r, in_dir(name), NULL), 0);
    assert_int_equal(rp_reader_info(r)->rotation, degrees);
    rp_reader_close(&r);
    assert_int_equal(rp_reader_frame(in_dir("h264.mp4"), 7, &a), 0);
    assert_int_equal(rp_reader_frame(in_dir(name), 7, &b), 0);
    assert_int_equal(b->w, degrees == 180 ? a->w : a->h);
    for (int y = 0; y < a->h; y++)
        for (int x = 0; x < a->w; x++) {
            const int tx = degrees == 90 ? a->h - 1 - y : degrees == 180 ? a->w - 1 - x : y;
            const int ty = degrees == 90 ? x : degrees == 180 ? a->h - 1 - y : a->w - 1 - x;
            assert_int_equal(luma(a, x, y), luma(b, tx, ty));
        }
    rp_media_frame_free(&a);
    rp_media_frame_free(&b);
}

static void test_turns(void **state)
{
    struct rp_media_frame *f = NULL;

    (void) state;
    need("rot90.mp4");
    check_turn("rot90.mp4", 270); /* ffmpeg counts anticlockwise, we clockwise */
    check_turn("rot180.mp4", 180);
    check_turn("rot270.mp4", 90);
    assert_int_equal(rp_reader_frame(in_dir("rot422.mov"), 0, &f), 0);
    assert_int_equal(f->fmt, RP_FMT_YUV444P10); /* 4:2:2 on its side */
    assert_int_equal(f->w, 120);
    rp_media_frame_free(&f);
    assert_true(copy_video(in_dir("rot90.mp4"), in_dir("r.mp4"), &usual, NULL) > 0);
    assert_string_equal(probe("r.mp4", "v:0", "stream=width,height"), "120,160");
    assert_string_equal(probe("r.mp4", "v:0", "side_data=rotation"), "");
}

/* ---- cuts, rates, sizes, sound --------------------------------------------------------------- */

static void test_trim(void **state)
{
    struct rp_reader *r = NULL;
    struct rp_media_frame *f = NULL, *g = NULL;

    (void) state;
    need("vfr.mkv");
    assert_int_equal(
        rp_reader_open(&r, in_dir("h264.mp4"), &(struct rp_reader_params){.start = 12, .end = 15}),
        0);
    for (int i = 12; i < 15; i++) {
        assert_int_equal(rp_reader_next(r, &f), 0);
        assert_int_equal(f->index, i);
        assert_int_equal(rp_reader_frame(in_dir("h264.mp4"), i, &g), 0);
        assert_int_equal(g->pts, f->pts);
        assert_memory_equal(g->plane[0], f->plane[0], 160);
        rp_media_frame_free(&f);
        rp_media_frame_free(&g);
    }
    assert_int_equal(rp_reader_next(r, &f), 0);
    assert_null(f);
    rp_reader_close(&r);

    const struct rp_reader_params range = {.start = 5, .end = 25};
    assert_int_equal(copy_video(in_dir("h264.mp4"), in_dir("t.mp4"), &usual, &range), 20);
    assert_string_equal(probe("t.mp4", "v:0", "stream=start_time,duration"), "0.000000,0.800000");
    const double audio = atof(probe("t.mp4", "a:0", "stream=duration"));
    assert_true(audio > 0.74 && audio < 0.83);
    assert_int_equal(copy_video(in_dir("vfr.mkv"), in_dir("t.mkv"), &usual, &range), 20);
    assert_true(atof(probe("t.mkv", "v:0", "stream=start_time")) == 0);
}

/* Frames on both sides of a range, as far as there are any; 120 is sought. */
static void test_around(void **state)
{
    static const struct {
        int start, end, around, first, last;
    } c[] = {{12, 15, 3, 9, 17},
             {2, 5, 4, 0, 8},
             {120, 122, 5, 115, 126},
             {0, 0, 4, 0, -1},
             {185, 0, 60, 125, -1}};

    (void) state;
    need("long.mp4");
    for (size_t i = 0; i < RP_ARRAY_LEN(c); i++) {
        struct rp_reader *r = NULL;
        struct rp_media_frame *f = NULL, *g = NULL;
        int at = c[i].first;

        assert_int_equal(rp_reader_open(&r, in_dir("long.mp4"),
                                        &(struct rp_reader_params){.start = c[i].start,
                                                                   .end = c[i].end,
                                                                   .around = c[i].around}),
                         0);
        for (; rp_reader_next(r, &f) == 0 && f; at++) {
            assert_int_equal(f->index, at);
            assert_int_equal(f->aside, at < c[i].start || (c[i].end && at >= c[i].end));
            if (at == c[i].first) {
                assert_int_equal(rp_reader_frame(in_dir("long.mp4"), at, &g), 0);
                assert_int_equal(g->pts, f->pts);
                assert_false(g->aside);
                rp_media_frame_free(&g);
            }
            rp_media_frame_free(&f);
        }
        if (c[i].last >= 0)
            assert_int_equal(at, c[i].last + 1);
        else
            assert_true(at > 186);
        rp_reader_close(&r);
    }
}

/* Seeking gives the same frame as counting. */
static void test_seek(void **state)
{
    static const char *const names[] = {"long.mp4", "long.mkv", "long.webm", "longedit.mp4"};
    static const int starts[] = {100, 111, 112, 113, 147, 148, 149, 186, 187};

    (void) state;
    need("long.mp4");
    for (size_t i = 0; i < RP_ARRAY_LEN(names); i++) {
        struct rp_media_frame *all[260] = {NULL}, *f = NULL;
        struct rp_reader *r = NULL;
        int n = 0;
        assert_int_equal(rp_reader_open(&r, in_dir(names[i]), NULL), 0);
        while (n < 260 && rp_reader_next(r, &all[n]) == 0 && all[n])
            n++;
        rp_reader_close(&r);
        assert_in_range(n, 180, 210);
        for (size_t k = 0; k < RP_ARRAY_LEN(starts); k++) {
            const struct rp_media_frame *const want = all[starts[k]];
            if (!want)
                continue;
            assert_int_equal(rp_reader_frame(in_dir(names[i]), starts[k], &f), 0);
            assert_int_equal(f->index, starts[k]);
            assert_int_equal(f->pts, want->pts);
            for (int y = 0; y < f->h; y++)
                assert_memory_equal(f->plane[0] + y * f->stride[0],
                                    want->plane[0] + y * want->stride[0], 64);
            rp_media_frame_free(&f);
        }
        assert_int_equal(rp_reader_frame(in_dir(names[i]), 5000, &f), 0);
        assert_int_equal(f->index, n - 1);
        rp_media_frame_free(&f);
        for (int k = 0; k < n; k++)
            rp_media_frame_free(&all[k]);
    }
}

/* ---- frames in memory that the reader was given ---------------------------------------------- */

#define BLOCKS 512

/* As a device has it, which knows its blocks again; it may have room for a few only. */
static struct blocks {
    pthread_mutex_t lock;
    struct {
        uint8_t *at;
        size_t size;
    } block[BLOCKS];
    int given, held, room;
} blocks = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int alloc_block(void *priv, size_t size, void **out)
{
    int i = 0;
    struct blocks *const b = priv;

    *out = NULL;
    pthread_mutex_lock(&b->lock);
    while (i < BLOCKS && b->block[i].at)
        i++;
    if (i < BLOCKS && b->held < b->room && (*out = calloc(1, size))) {
        b->block[i].at = *out;
        b->block[i].size = size;
        b->given++;
        b->held++;
    }
    pthread_mutex_unlock(&b->lock);
    return *out ? 0 : rp_fail(RP_ERR_DEVICE_MEM, "no more blocks");
}

static void free_block(void *priv, void *p)
{
    struct blocks *const b = priv;

    pthread_mutex_lock(&b->lock);
    for (int i = 0; i < BLOCKS; i++)
        if (b->block[i].at == p) {
            b->block[i].at = NULL;
            b->held--;
        }
    pthread_mutex_unlock(&b->lock);
    free(p);
}

static bool is_in_block(const uint8_t *from, const uint8_t *to)
{
    bool found = false;

    pthread_mutex_lock(&blocks.lock);
    for (int i = 0; i < BLOCKS; i++)
        found |= blocks.block[i].at && from >= blocks.block[i].at &&
                 to <= blocks.block[i].at + blocks.block[i].size;
    pthread_mutex_unlock(&blocks.lock);
    return found;
}

static void plane_of(const struct rp_media_frame *f, int p, size_t *bytes, int *rows)
{
    const AVPixFmtDescriptor *const d = av_pix_fmt_desc_get(rp_pixfmt_to_av(f->fmt));
    const bool chroma = p == 1 || p == 2;

    *bytes = (size_t) AV_CEIL_RSHIFT(f->w, chroma ? d->log2_chroma_w : 0) * (size_t) d->comp[0].step;
    *rows = AV_CEIL_RSHIFT(f->h, chroma ? d->log2_chroma_h : 0);
}

/* Are all planes in blocks, to their last byte? */
static bool is_in_blocks(const struct rp_media_frame *f)
{
    for (int p = 0; p < 4 && f->plane[p]; p++) {
        int rows;
        size_t bytes;

        plane_of(f, p, &bytes, &rows);
        if (!is_in_block(f->plane[p], f->plane[p] + (size_t) (rows - 1) * (size_t) f->stride[p] + bytes))
            return false;
    }
    return true;
}

static void assert_same_planes(const struct rp_media_frame *a, const struct rp_media_frame *b)
{
    assert_int_equal(a->fmt, b->fmt);
    assert_int_equal(a->w, b->w);
    assert_int_equal(a->h, b->h);
    for (int p = 0; p < 4 && a->plane[p]; p++) {
        int rows;
        size_t bytes;

        plane_of(a, p, &bytes, &rows);
        for (int y = 0; y < rows; y++)
            assert_memory_equal(a->plane[p] + (ptrdiff_t) y * a->stride[p],
                                b->plane[p] + (ptrdiff_t) y * b->stride[p], bytes);
    }
}

/* A frame that becomes what was put into its twin. */
static void assert_twin(struct rp_media_frame *f)
{
    struct rp_media_frame *twin;
    const struct rp_media_frame before = *f;

    assert_int_equal(rp_media_frame_twin(f, 2 * f->w, f->h + 2, &twin), 0);
    assert_non_null(twin);
    assert_true(is_in_blocks(twin));
    memset(twin->plane[0], 77, (size_t) twin->stride[0]);
    const uint8_t *const plane = twin->plane[0];
    assert_int_equal(rp_media_frame_become(f, &twin), 0);
    assert_null(twin);
    assert_true(f->plane[0] == plane && f->plane[0][0] == 77);
    assert_int_equal(f->w, 2 * before.w);
    assert_int_equal(f->h, before.h + 2);
    assert_int_equal(f->pts, before.pts);
    assert_int_equal(f->index, before.index);
}

/* The same frames as from the heap; they stay when the reader is closed, and then nothing is left.
 * Where there is no more of the memory, frames come from the heap; so do the first if it comes
 * `later`. */
static void read_into_blocks(const char *name, bool decoded, int room, bool later)
{
    int n = 0, inside = 0;
    struct rp_reader *a = NULL, *b = NULL;
    struct rp_media_frame *f, *kept[64] = {NULL};
    const struct rp_frame_memory memory = {alloc_block, free_block, &blocks};
    struct rp_reader_params params = {.threads = 3, .memory_later = later};

    if (!later)
        params.memory = memory;
    blocks.given = 0;
    blocks.room = room;
    assert_int_equal(rp_reader_open(&a, in_dir(name), NULL), 0);
    assert_int_equal(rp_reader_open(&b, in_dir(name), &params), 0);
    if (later)
        assert_int_equal(rp_reader_attach(b, &memory), 0);
    for (; n < 64 && rp_reader_next(a, &f) == 0 && f; n++) {
        assert_int_equal(rp_reader_next(b, &kept[n]), 0);
        assert_non_null(kept[n]);
        assert_same_planes(f, kept[n]);
        inside += is_in_blocks(kept[n]);
        rp_media_frame_free(&f);
    }
    assert_true(n > 1);
    if (decoded && room > n && !later)
        assert_int_equal(inside, n);
    if (decoded && room > n && n > 20)
        assert_true(inside > 0);
    assert_true(inside <= room);
    rp_reader_close(&a);
    rp_reader_close(&b);
    if (decoded && room > n && kept[0])
        assert_twin(kept[0]);
    for (int i = n - 1; i >= 0; i--)
        rp_media_frame_free(&kept[i]);
    assert_int_equal(blocks.held, 0);
    assert_true(blocks.given <= room + n);
}

static void test_frames_in_blocks(void **state)
{
    static const struct {
        const char *name;
        bool elsewhere; /* the decoder has memory of its own */
    } names[] = {{"h264.mp4"}, {"hevc.mp4"}, {"vp9.webm"}, {"prores.mov"}, {"mpeg4.avi"}, {"full.avi"},
                 {"odd.webm"}, {"odd444.mp4"}, {"rot90.mp4"}, {"deep.mkv"}, {"rgb.mkv"}, {"a.ts"},
                 {"p4444.mov"}, {"av1.mp4", true}};

    (void) state;
    need("h264.mp4");
    for (size_t i = 0; i < RP_ARRAY_LEN(names); i++) {
        if (access(in_dir(names[i].name), F_OK) != 0)
            continue;
        print_message("           %s\n", names[i].name);
        read_into_blocks(names[i].name, !names[i].elsewhere, BLOCKS, false);
        read_into_blocks(names[i].name, !names[i].elsewhere, BLOCKS, true);
        read_into_blocks(names[i].name, !names[i].elsewhere, 2, false);
    }
}

/* Seconds after the file's first frame, whatever its time and wherever the range begins. */
static void test_times(void **state)
{
    static const char *const names[] = {"h264.mp4", "vfr.mkv",  "vfr.mp4",  "late.mp4",
                                        "edit.mp4", "a.ts",     "ntsc.mp4", "longedit.mp4",
                                        "long.mkv", "a.gif"};
    static const int starts[] = {0, 5, 120}; /* one of them is sought */

    (void) state;
    need("long.mp4");
    for (size_t i = 0; i < RP_ARRAY_LEN(names); i++) {
        double want[260] = {0};
        int n = 0;

        for (size_t k = 0; k < RP_ARRAY_LEN(starts); k++) {
            struct rp_media_frame *f = NULL;
            struct rp_reader *r = NULL;
            int64_t first = 0;

            assert_int_equal(rp_reader_open(&r, in_dir(names[i]),
                                            &(struct rp_reader_params){.start = starts[k]}), 0);
            const struct rp_video_info *const v = rp_reader_info(r);
            for (int at = starts[k]; at < 260; at++) {
                assert_int_equal(rp_reader_next(r, &f), 0);
                if (!f)
                    break;
                assert_int_equal(f->index, at);
                first = k || at ? first : f->pts;
                if (!k)
                    want[n++] = (double) (f->pts - first) * ((double) v->tb_num / v->tb_den);
                assert_true(f->time == want[at]);
                rp_media_frame_free(&f);
            }
            rp_reader_close(&r);
            if (starts[k] < n) {
                assert_int_equal(rp_reader_frame(in_dir(names[i]), starts[k], &f), 0);
                assert_true(f->time == want[starts[k]]);
                rp_media_frame_free(&f);
            }
        }
        assert_true(want[0] == 0);
        assert_true(want[n - 1] > (n - 1) * 0.033 && want[n - 1] < 10);
    }
}

static void test_last_frame(void **state)
{
    struct rp_media_frame *f = NULL;

    (void) state;
    need("h264.mp4");
    assert_int_equal(rp_reader_frame(in_dir("h264.mp4"), 1000, &f), 0);
    assert_int_equal(f->index, 29);
    rp_media_frame_free(&f);
}

/* An open video gives each frame as if it was opened for it: on, back, again, far on, past its end. */
static void test_open_frames(void **state)
{
    static const int64_t order[] = {3, 4, 9, 9, 2, 300, 29, 1000, 1000, 0};
    rp_frames *frames = NULL;
    rp_image a, b;

    (void) state;
    need("long.mp4");
    assert_int_equal(rp_frames_open(&frames, in_dir("long.mp4")), 0);
    for (size_t i = 0; i < RP_ARRAY_LEN(order); i++) {
        assert_int_equal(rp_frames_read(frames, &a, order[i], i % 2 ? 64 : 0), 0);
        assert_int_equal(rp_frame_read(&b, in_dir("long.mp4"), order[i], i % 2 ? 64 : 0), 0);
        assert_int_equal(a.w, b.w);
        assert_int_equal(a.h, b.h);
        for (int y = 0; y < a.h; y++)
            assert_memory_equal(a.data + y * a.stride, b.data + y * b.stride, (size_t) a.w * 3);
        rp_image_free(&a);
        rp_image_free(&b);
    }
    assert_int_equal(rp_frames_read(frames, &a, -1, 0), RP_ERR_INVALID);
    rp_frames_close(&frames);
    assert_int_equal(rp_frames_open(&frames, in_dir("nothing.mp4")), RP_ERR_IO);
    assert_null(frames);
}

static void test_rate(void **state)
{
    struct rp_writer_params params = usual;

    (void) state;
    need("vfr.mkv");
    params.fps = 50;
    assert_int_equal(copy_video(in_dir("h264.mp4"), in_dir("f.mp4"), &params, NULL), 30);
    assert_int_equal(frame_count("f.mp4"), 60);
    assert_string_equal(probe("f.mp4", "v:0", "stream=r_frame_rate"), "50/1");
    params.fps = 12.5;
    assert_int_equal(copy_video(in_dir("h264.mp4"), in_dir("f.mp4"), &params, NULL), 30);
    assert_int_equal(frame_count("f.mp4"), 15);
    params.fps = 29.97;
    assert_true(copy_video(in_dir("vfr.mkv"), in_dir("f.mp4"), &params, NULL) > 0);
    assert_string_equal(probe("f.mp4", "v:0", "stream=r_frame_rate"), "30000/1001");
    params.fps = 5;
    assert_int_equal(copy_video(in_dir("a.gif"), in_dir("f.gif"), &params, NULL), 10);
    assert_int_equal(frame_count("f.gif"), 5);
}

static void test_size(void **state)
{
    struct rp_writer_params params = usual;

    (void) state;
    need("h264.mp4");
    params.out_w = 321; /* FaceFusion: half to even */
    params.out_h = 243;
    assert_true(copy_video(in_dir("h264.mp4"), in_dir("z.mp4"), &params, NULL) > 0);
    assert_string_equal(probe("z.mp4", "v:0", "stream=width,height"), "320,244");
    params.video_encoder = "libvpx-vp9";
    assert_true(copy_video(in_dir("h264.mp4"), in_dir("z.mkv"), &params, NULL) > 0);
    assert_string_equal(probe("z.mkv", "v:0", "stream=width,height"), "321,243");
}

static void test_sound(void **state)
{
    struct rp_writer_params params = usual;

    (void) state;
    need("vfr.mkv");
    params.audio_volume = 0;
    assert_true(copy_video(in_dir("h264.mp4"), in_dir("v0.mp4"), &params, NULL) > 0);
    assert_string_equal(probe("v0.mp4", "a", "stream=codec_name"), "");
    params.audio_volume = 50;
    assert_true(copy_video(in_dir("h264.mp4"), in_dir("v50.mp4"), &params, NULL) > 0);
#define LOUD                                                                           \
    "ffmpeg -hide_banner -nostdin -i %s -map 0:a:0 -af volumedetect -f null - 2>&1 | " \
    "sed -n 's/.*mean_volume: \\([-0-9.]*\\).*/\\1/p'"
    const double before = atof(output_of(LOUD, "h264.mp4")), now = atof(output_of(LOUD, "v50.mp4"));
    assert_true(before - now > 5.5 && before - now < 6.5);
    params.audio_volume = 100;
    assert_true(copy_video(in_dir("vfr.mkv"), in_dir("v.webm"), &params, NULL) > 0);
    assert_same_audio("vfr.mkv", "v.webm", 0);
    assert_string_equal(probe("v.webm", "a:1", "stream=codec_name"), "opus"); /* flac before */
    params.audio_encoder = "flac";
    params.audio_volume = 99;
    assert_true(copy_video(in_dir("vfr.mkv"), in_dir("v.mp4"), &params, NULL) > 0);
    assert_string_equal(probe("v.mp4", "a:0", "stream=codec_name"), "flac");
    params = usual;
    params.replace_audio = in_dir("tone.wav");
    assert_true(copy_video(in_dir("prores.mov"), in_dir("v.mov"), &params, NULL) > 0);
    assert_string_equal(probe("v.mov", "a:0", "stream=codec_name"), "pcm_s16le");
    assert_true(atof(probe("v.mov", "a:0", "stream=duration")) < 0.55);
    params.replace_audio = in_dir("a.gif");
    assert_int_equal(copy_video(in_dir("h264.mp4"), in_dir("v.mov"), &params, NULL), RP_ERR_FORMAT);
}

static void test_size_changes_midway(void **state)
{
    struct rp_reader *r = NULL;
    struct rp_media_frame *f = NULL;
    int n = 0;

    (void) state;
    need("b.ts");
    shell("cat a.ts b.ts > ab.ts");
    assert_int_equal(rp_reader_open(&r, in_dir("ab.ts"), NULL), 0);
    while (rp_reader_next(r, &f) == 0 && f) {
        assert_int_equal(f->w, 160);
        assert_int_equal(f->h, 120);
        rp_media_frame_free(&f);
        n++;
    }
    assert_true(n > 15);
    rp_reader_close(&r);
}

/* ---- bad days -------------------------------------------------------------------------------- */

static int transcode_limited(const char *in, const char *out, rlim_t bytes)
{
    struct rlimit old, small;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &small);
    const int ret = copy_video(in, out, &usual, NULL);
    setrlimit(RLIMIT_FSIZE, &old);
    return ret;
}

static void test_full_disk(void **state)
{
    static const char *const outs[] = {"d.mp4", "d.mkv", "d.mov", "d.avi"};
    static const rlim_t sizes[] = {0, 100, 5000, 20000, 40000};

    (void) state;
    need("h264.mp4");
    for (size_t i = 0; i < RP_ARRAY_LEN(outs); i++)
        for (size_t k = 0; k < RP_ARRAY_LEN(sizes); k++) {
            assert_int_equal(transcode_limited(in_dir("h264.mp4"), in_dir(outs[i]), sizes[k]),
                             RP_ERR_IO);
            assert_non_null(strstr(rp_last_error(), outs[i]));
        }
    assert_int_equal(transcode_limited(in_dir("a.gif"), in_dir("d.gif"), 3000), RP_ERR_IO);
    if (access("/dev/full", W_OK) == 0 && symlink("/dev/full", in_dir("full.mkv")) == 0) {
        assert_int_equal(copy_video(in_dir("h264.mp4"), in_dir("full.mkv"), &usual, NULL),
                         RP_ERR_AGAIN);
        assert_non_null(strstr(rp_last_error(), "No space left"));
    }
}

static void test_wrong_outputs(void **state)
{
    struct rp_writer_params params = usual;

    (void) state;
    need("h264.mp4");
    params.video_encoder = "nonsense";
    assert_int_equal(copy_video(in_dir("h264.mp4"), in_dir("w.mp4"), &params, NULL), RP_ERR_USAGE);
    params.video_encoder = "aac";
    assert_int_equal(copy_video(in_dir("h264.mp4"), in_dir("w.mp4"), &params, NULL), RP_ERR_USAGE);
    assert_int_equal(copy_video(in_dir("h264.mp4"), in_dir("w.xyz"), &usual, NULL), RP_ERR_USAGE);
    assert_int_equal(copy_video(in_dir("h264.mp4"), in_dir("w.wav"), &usual, NULL), RP_ERR_USAGE);
    assert_int_equal(copy_video(in_dir("h264.mp4"), in_dir("no/w.mp4"), &usual, NULL), RP_ERR_IO);
}

static void expect_fail(const char *name, int status, const char *words)
{
    struct rp_reader *r = NULL;

    assert_int_equal(rp_reader_open(&r, in_dir(name), NULL), status);
    assert_null(r);
    assert_non_null(strstr(rp_last_error(), name));
    assert_non_null(strstr(rp_last_error(), words));
}

static void test_wrong_inputs(void **state)
{
    (void) state;
    if (!ready)
        skip();
    expect_fail("missing.mp4", RP_ERR_IO, "opening: No such file or directory");
    shell(": > empty.mp4; mkdir dir.mp4; head -c 5000 /dev/urandom > random.mp4; mkfifo fifo.mp4");
    expect_fail("empty.mp4", RP_ERR_FORMAT, "empty");
    expect_fail("dir.mp4", RP_ERR_IO, "Is a directory");
    expect_fail("fifo.mp4", RP_ERR_IO, "Not a regular file");
    expect_fail("random.mp4", RP_ERR_FORMAT, "");
    expect_fail("tone.wav", RP_ERR_FORMAT, "no video");
    rmdir(in_dir("dir.mp4"));
    if (geteuid() != 0) {
        shell("cp h264.mp4 secret.mp4; chmod 0 secret.mp4");
        expect_fail("secret.mp4", RP_ERR_IO, "Permission denied");
    }
    shell("ffmpeg -v quiet -nostdin -y -i h264.mp4 -vn -c copy sound.mp4");
    expect_fail("sound.mp4", RP_ERR_FORMAT, "no video");
    shell("head -c 300 h264.mp4 > head.mp4");
    expect_fail("head.mp4", RP_ERR_FORMAT, "opening");
    shell("printf 'plain words\\nmore\\n' > text.txt; printf '#EXTM3U\\n#EXT-X-TARGETDURATION:1\\n"
          "#EXTINF:1,\\nh264.mp4\\n#EXT-X-ENDLIST\\n' > list.m3u8");
    expect_fail("text.txt", RP_ERR_FORMAT, "");
    expect_fail("list.m3u8", RP_ERR_FORMAT, "");
}

/* Cut and damaged files: what can be decoded is given, nothing crashes, nothing hangs. */
static int decode_all(const char *path)
{
    struct rp_reader *r = NULL;
    struct rp_media_frame *f = NULL;
    int n = 0, ret;

    if ((ret = rp_reader_open(&r, path, &(struct rp_reader_params){.threads = 1})) < 0)
        return ret;
    while ((ret = rp_reader_next(r, &f)) >= 0 && f) {
        rp_media_frame_free(&f);
        n++;
    }
    rp_reader_close(&r);
    return ret < 0 ? ret : n;
}

static unsigned next_random(unsigned *seed)
{
    return *seed = *seed * 1664525u + 1013904223u;
}

static void test_damage(void **state)
{
    static const char *const names[] = {"vfr.mkv", "vp9.webm", "mpeg4.avi", "a.gif",
                                        "a.ts",    "h264.mp4", "prores.mov"};
    unsigned seed = 5;

    (void) state;
    need("vfr.mkv");
    for (size_t i = 0; i < RP_ARRAY_LEN(names); i++) {
        uint8_t *data = NULL;
        size_t size = 0;
        int most = 0;
        assert_int_equal(rp_file_read(in_dir(names[i]), 1 << 24, &data, &size), 0);
        for (int k = 1; k < 8; k++) {
            assert_int_equal(rp_file_write(in_dir("cut.bin"), data, size * k / 8), 0);
            most = RP_MAX(most, decode_all(in_dir("cut.bin")));
        }
        if (i < 5) /* MP4 and MOV have their index at the end */
            assert_true(most > 0);
        for (int k = 0; k < 10; k++) {
            for (int j = 0; j < 20; j++)
                data[next_random(&seed) % size] ^= (uint8_t) (seed >> 20);
            assert_int_equal(rp_file_write(in_dir("cut.bin"), data, size), 0);
            decode_all(in_dir("cut.bin"));
        }
        free(data);
    }
}

/* ---- small things ---------------------------------------------------------------------------- */

static void test_probe(void **state)
{
    enum rp_media_kind kind;

    (void) state;
    need("one.gif");
    assert_int_equal(rp_media_probe(in_dir("h264.mp4"), &kind), 0);
    assert_int_equal(kind, RP_MEDIA_VIDEO);
    assert_int_equal(rp_media_probe(in_dir("a.gif"), &kind), 0);
    assert_int_equal(kind, RP_MEDIA_VIDEO);
    assert_int_equal(rp_media_probe(in_dir("one.gif"), &kind), 0);
    assert_int_equal(kind, RP_MEDIA_IMAGE);
    assert_int_equal(rp_media_probe(in_dir("tone.wav"), &kind), 0);
    assert_int_equal(kind, RP_MEDIA_AUDIO);
    shell("ffmpeg -v quiet -nostdin -y -i h264.mp4 -frames:v 1 p.png; cp p.png p.mp4");
    assert_int_equal(rp_media_probe(in_dir("p.mp4"), &kind), 0);
    assert_int_equal(kind, RP_MEDIA_IMAGE);
    assert_true(rp_media_probe(in_dir("nothing"), &kind) < 0);

    rp_image image;
    assert_int_equal(rp_image_read(&image, in_dir("one.gif")), 0);
    assert_int_equal(image.w, 64);
    assert_int_equal(image.format, RP_PIXEL_BGR);
    rp_image_free(&image);
}

static void test_info(void **state)
{
    struct rp_reader *r = NULL;

    (void) state;
    need("vfr.mkv");
    assert_int_equal(rp_reader_open(&r, in_dir("vfr.mp4"), NULL), 0);
    const struct rp_video_info *v = rp_reader_info(r);
    assert_true(v->variable_rate);
    rp_reader_close(&r);
    assert_int_equal(rp_reader_open(&r, in_dir("vfr.mkv"), NULL), 0);
    v = rp_reader_info(r);
    assert_int_equal(v->audio_tracks, 2);
    assert_int_equal(v->subtitle_tracks, 1);
    assert_string_equal(v->codec, "h264");
    rp_reader_close(&r);
    assert_int_equal(rp_reader_open(&r, in_dir("ntsc.mp4"), NULL), 0);
    v = rp_reader_info(r);
    assert_int_equal(v->fps_num, 30000);
    assert_int_equal(v->fps_den, 1001);
    assert_int_equal(v->frames, 24);
    assert_false(v->variable_rate);
    assert_int_equal(v->colour.matrix, RP_MATRIX_BT601); /* no tag, 120 lines */
    rp_reader_close(&r);
    assert_int_equal(rp_reader_open(&r, in_dir("tall.mkv"), NULL), 0);
    assert_int_equal(rp_reader_info(r)->colour.matrix, RP_MATRIX_BT601); /* no tag, 720 lines */
    rp_reader_close(&r);
    assert_int_equal(rp_reader_open(&r, in_dir("hevc.mp4"), NULL), 0);
    assert_int_equal(rp_reader_info(r)->colour.matrix, RP_MATRIX_BT2020);
    rp_reader_close(&r);
    assert_int_equal(rp_reader_open(&r, in_dir("full.avi"), NULL), 0);
    assert_true(rp_reader_info(r)->colour.full_range);
    assert_int_equal(rp_reader_info(r)->fmt, RP_FMT_YUV422P);
    rp_reader_close(&r);
}

/* The table of FaceFusion's values. */
static void test_quality(void **state)
{
    static const int crf[] = {51, 46, 41, 36, 31, 26, 20, 15, 10, 5, 0};
    static const int vp9[] = {63, 57, 50, 44, 38, 32, 25, 19, 13, 6, 0};
    static const int apple[] = {1024,  5973,  10922, 15870, 20819, 25768,
                                30717, 35666, 40614, 45563, 50512};
    static const double aac[] = {0.1, 0.3, 0.5, 0.7, 0.9, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0};
    static const double mp3[] = {9, 8, 7, 6, 5, 4, 4, 3, 2, 1, 0};
    static const double opus[] = {64, 83, 102, 122, 141, 160, 179, 198, 218, 237, 256};
    static const double vorbis[] = {-1, 0.1, 1.2, 2.3, 3.4, 4.5, 5.6, 6.7, 7.8, 8.9, 10};

    (void) state;
    for (int i = 0; i <= 10; i++) {
        assert_int_equal(rp_quality_video("libx264", 10 * i), crf[i]);
        assert_int_equal(rp_quality_video("hevc_nvenc", 10 * i), crf[i]);
        assert_int_equal(rp_quality_video("libvpx-vp9", 10 * i), vp9[i]);
        assert_int_equal(rp_quality_video("h264_videotoolbox", 10 * i), apple[i]);
        assert_true(rp_quality_audio("aac", 10 * i) == aac[i]);
        assert_true(rp_quality_audio("libmp3lame", 10 * i) == mp3[i]);
        assert_true(rp_quality_audio("libopus", 10 * i) == opus[i]);
        assert_true(rp_quality_audio("libvorbis", 10 * i) == vorbis[i]);
    }
    assert_non_null(rp_video_encoders());
    assert_non_null(rp_audio_encoders()[0]);
}

static void test_frames(void **state)
{
    struct rp_media_frame *f = NULL;

    (void) state;
    for (int fmt = RP_FMT_YUV420P; fmt < RP_FMT_BGR24_ALPHA; fmt++) {
        assert_int_equal(rp_media_frame_alloc(&f, (enum rp_pixfmt) fmt, 33, 17), 0);
        for (int p = 0; p < rp_pixfmt_planes((enum rp_pixfmt) fmt); p++) {
            const bool half =
                (p == 1 || p == 2) &&
                (fmt == RP_FMT_YUV420P || fmt == RP_FMT_YUV420P10 || fmt == RP_FMT_YUVA420P);
            memset(f->plane[p], 1, (size_t) f->stride[p] * (half ? 9 : 17));
        }
        assert_int_equal(rp_media_frame_writable(f), 0);
        rp_media_frame_free(&f);
    }
    assert_int_equal(rp_media_frame_alloc(&f, RP_FMT_BGR24, 40000, 1), RP_ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_quality),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_pixels_survive),
        cmocka_unit_test(test_alpha),
        cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_subtitles),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_around),
        cmocka_unit_test(test_seek),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_frames_in_blocks),
        cmocka_unit_test(test_last_frame),
        cmocka_unit_test(test_open_frames),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_sound),
        cmocka_unit_test(test_size_changes_midway),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_wrong_outputs),
        cmocka_unit_test(test_wrong_inputs),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_probe),
        cmocka_unit_test(test_info),
    };

    return cmocka_run_group_tests_name("media_video", tests, make_clips, remove_dir);
}
