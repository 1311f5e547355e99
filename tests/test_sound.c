/* Sound of files as samples: the same bytes as the ffmpeg program gives, and in its place beside
 * the picture. Files are made by that program; without it the tests are skipped. */
#include "test_media.h"

#include <math.h>

#include "media/sound.h"

struct samples {
    int16_t (*v)[2];
    int64_t n;
    double start;
};

static void drop(struct samples *s)
{
    free(s->v);
    *s = (struct samples){0};
}

/* All of a file's sound, read in pieces of odd sizes. */
static struct samples all_of(struct rp_sound *sound)
{
    int n;
    int64_t cap = 0;
    struct samples s = {.start = rp_sound_start(sound)};

    for (int piece = 1;; piece = piece * 3 % 65521) {
        if (s.n + piece > cap) {
            cap = 2 * (s.n + piece);
            assert_non_null(s.v = realloc(s.v, (size_t) cap * sizeof(*s.v)));
        }
        n = rp_sound_read(sound, s.v + s.n, piece);
        assert_true(n >= 0);
        s.n += n;
        if (n < piece)
            break;
    }
    assert_int_equal(rp_sound_read(sound, s.v, 1), 0); /* and stays at the end */
    return s;
}

static struct samples sound_of(const char *name, const struct rp_sound_params *params)
{
    struct rp_sound *sound;

    assert_int_equal(rp_sound_open(&sound, in_dir(name), params), 0);
    assert_non_null(sound);
    const struct samples s = all_of(sound);
    rp_sound_close(&sound);
    assert_null(sound);
    return s;
}

/* As a video's own sound, relative to its picture. */
static struct samples own_sound_of(const char *name)
{
    struct rp_reader *reader;

    assert_int_equal(rp_reader_open(&reader, in_dir(name), NULL), 0);
    const struct rp_sound_params params = {.in_place = true,
                                           .origin = rp_reader_info(reader)->origin};
    rp_reader_close(&reader);
    return sound_of(name, &params);
}

/* ---- the same bytes -------------------------------------------------------------------------- */

#define CHORD "aevalsrc=0.4*sin(2*PI*(300+200*t)*t)+0.1*random(0)|0.4*sin(2*PI*440*t):d=2.5"

static void same_as_ffmpeg(const char *name, const char *how)
{
    uint8_t *want;
    size_t size;

    assert_int_equal(shell("ffmpeg -v error -y -f lavfi -i '%s' %s '%s'", CHORD, how, name), 0);
    assert_int_equal(shell("ffmpeg -v error -y -i '%s' -ac 2 -ar 48000 -f s16le want.raw", name),
                     0);
    assert_int_equal(rp_file_read(in_dir("want.raw"), 1 << 28, &want, &size), 0);
    struct samples got = sound_of(name, NULL);
    /* ADTS cannot tell that one frame comes before the sound; the others can, and it is skipped */
    assert_true(got.start == (strcmp(name, "a.aac") ? 0 : -1024.0 / 22050));
    assert_true(got.n > 2.4 * 48000);
    assert_int_equal(got.n * 4, size);
    assert_memory_equal(got.v, want, size);
    drop(&got);
    free(want);
}

static void test_formats(void **state)
{
    static const char *const files[][2] = {
        {"mono8.wav", "-ac 1 -ar 8000"},
        {"stereo11.wav", "-ar 11025 -c:a pcm_u8"},
        {"stereo44.wav", "-ar 44100"},
        {"stereo48.wav", "-ar 48000"},
        {"stereo96.wav", "-ar 96000 -c:a pcm_s24le"},
        {"float.wav", "-ar 32000 -c:a pcm_f32le"},
        {"six.wav", "-ac 6 -ar 48000"},
        {"six.flac", "-ac 6 -ar 44100"},
        {"eight.flac", "-ac 8 -ar 48000"},
        {"deep.flac", "-ar 88200 -sample_fmt s32"},
        {"a.mp3", "-ar 44100 -c:a libmp3lame"},
        {"low.mp3", "-ac 1 -ar 16000 -c:a libmp3lame"},
        {"a.m4a", "-ar 44100 -c:a aac"},
        {"six.m4a", "-ac 6 -ar 48000 -c:a aac"},
        {"a.aac", "-ar 22050 -c:a aac"},
        {"a.opus", "-c:a libopus"},
        {"a.ogg", "-ar 44100 -c:a libvorbis"},
        {"a.mka", "-c:a libopus"},
    };

    (void) state;
    if (!have_ffmpeg())
        skip();
    for (size_t i = 0; i < RP_ARRAY_LEN(files); i++) {
        print_message("    %s\n", files[i][0]);
        same_as_ffmpeg(files[i][0], files[i][1]);
    }
}

/* ---- in its place ---------------------------------------------------------------------------- */

/* Silence, a tone from 1 to 1.5 s, silence. */
#define BURST "aevalsrc=if(between(t\\,1\\,1.5)\\,0.5*sin(2*PI*1000*t)\\,0):d=3:s=48000"
#define PICTURE "testsrc2=s=64x48:r=25:d=3"

/* When a tone is first heard after `from`, seconds. */
static double first_tone(const struct samples *s, double from)
{
    for (int64_t i = 0; i < s->n; i++) {
        const double t = s->start + (double) i / RP_SOUND_RATE;

        if (t >= from && abs(s->v[i][0]) > 4000)
            return t;
    }
    return -1;
}

/* Codecs smear a beginning over some milliseconds; and with Opus, FFmpeg writes the picture of a
 * Matroska file 7 ms late. */
static void check_burst(const char *name, double at)
{
    struct samples s = own_sound_of(name);
    const double t = first_tone(&s, -10);

    print_message("    %s: at %.4f s\n", name, t);
    assert_true(fabs(t - at) < 0.008);
    drop(&s);
}

static void test_containers(void **state)
{
    static const struct {
        const char *name, *how;
        double at;
    } files[] = {
        {"v.mp4", "-c:v libx264 -bf 3 -c:a aac", 1},
        {"v.mov", "-c:v libx264 -c:a pcm_s16le", 1},
        {"v.mkv", "-c:v libx264 -c:a libopus", 1},
        {"v2.mkv", "-c:v libx264 -c:a flac", 1},
        /* AVI does not say how much MP3 puts before the first sample. */
        {"v.avi", "-c:v mpeg4 -c:a libmp3lame", 1.023},
        {"v.ts", "-c:v libx264 -bf 2 -c:a aac", 1},
        {"v.webm", "-c:v libvpx -c:a libvorbis", 1},
    };

    (void) state;
    if (!have_ffmpeg())
        skip();
    for (size_t i = 0; i < RP_ARRAY_LEN(files); i++) {
        assert_int_equal(shell("ffmpeg -v error -y -f lavfi -i '%s' -f lavfi -i '%s' %s '%s'",
                               PICTURE, BURST, files[i].how, files[i].name),
                         0);
        check_burst(files[i].name, files[i].at);
    }
}

/* Sound, or the picture, begins later than the other. */
static void test_late(void **state)
{
    static const char *const containers[][2] = {
        {"mp4", "aac"}, {"mkv", "pcm_s16le"}, {"ts", "aac"}};

    (void) state;
    if (!have_ffmpeg())
        skip();
    for (size_t i = 0; i < RP_ARRAY_LEN(containers); i++) {
        char name[32];

        snprintf(name, sizeof(name), "late.%s", containers[i][0]);
        assert_int_equal(
            shell("ffmpeg -v error -y -f lavfi -i '%s' -itsoffset 0.7 -f lavfi -i '%s' "
                  "-vsync passthrough -c:v libx264 -c:a %s %s",
                  PICTURE, BURST, containers[i][1], name),
            0);
        check_burst(name, 1.7);
        snprintf(name, sizeof(name), "early.%s", containers[i][0]);
        assert_int_equal(
            shell("ffmpeg -v error -y -itsoffset 0.6 -f lavfi -i '%s' -f lavfi -i '%s' "
                  "-vsync passthrough -c:v libx264 -c:a %s %s",
                  PICTURE, BURST, containers[i][1], name),
            0);
        check_burst(name, 0.4);
        struct samples s = own_sound_of(name);
        assert_true(fabs(s.start + 0.6) < 0.025); /* the coder's first frame may be kept */
        drop(&s);
    }
}

/* An edit list that cuts the first second of both. */
static void test_edit_list(void **state)
{
    (void) state;
    if (!have_ffmpeg())
        skip();
    assert_int_equal(shell("ffmpeg -v error -y -f lavfi -i '%s' -f lavfi -i '%s' -c:v libx264 "
                           "-g 250 -c:a aac full.mp4",
                           PICTURE, BURST),
                     0);
    assert_int_equal(shell("ffmpeg -v error -y -ss 0.52 -i full.mp4 -c copy cut.mp4"), 0);
    struct samples s = own_sound_of("cut.mp4");
    struct rp_reader *reader;
    struct rp_media_frame *frame;
    assert_int_equal(rp_reader_open(&reader, in_dir("cut.mp4"), NULL), 0);
    assert_int_equal(rp_reader_next(reader, &frame), 0);
    /* The picture begins at 0.52 s; or before, with all that its first frame needs. */
    const double shown = rp_reader_info(reader)->origin;
    assert_true(fabs(first_tone(&s, -10) - (0.48 - shown)) < 0.05);
    rp_media_frame_free(&frame);
    rp_reader_close(&reader);
    drop(&s);
}

/* A second without samples in the middle. */
static void test_gap(void **state)
{
    (void) state;
    if (!have_ffmpeg())
        skip();
    assert_int_equal(shell("ffmpeg -v error -y -f lavfi -i '%s' -f lavfi -i "
                           "'aevalsrc=if(gt(t\\,2.2)\\,0.5*sin(6000*t)\\,0):d=3:s=48000' -af "
                           "\"aselect='lt(t,0.5)+gt(t,1.5)'\" -c:v libx264 -c:a pcm_s16le gap.mkv",
                           PICTURE),
                     0);
    check_burst("gap.mkv", 2.2);
    /* A source is taken as the ffmpeg program takes it: without the gap. */
    struct samples s = sound_of("gap.mkv", NULL);
    assert_true(fabs(first_tone(&s, 0) - 1.2) < 0.05);
    drop(&s);
}

/* ---- what is not right ----------------------------------------------------------------------- */

static void test_none(void **state)
{
    struct rp_sound *sound;

    (void) state;
    if (!have_ffmpeg())
        skip();
    assert_int_equal(shell("ffmpeg -v error -y -f lavfi -i '%s' -c:v libx264 silent.mp4", PICTURE),
                     0);
    assert_int_equal(rp_sound_open(&sound, in_dir("silent.mp4"), NULL), 0);
    assert_null(sound);
    assert_true(rp_sound_open(&sound, in_dir("missing.wav"), NULL) == RP_ERR_IO);
    assert_null(sound);
    assert_int_equal(shell(": > empty.wav"), 0);
    assert_true(rp_sound_open(&sound, in_dir("empty.wav"), NULL) == RP_ERR_FORMAT);
    assert_int_equal(shell("ffmpeg -v error -y -f lavfi -i 'anullsrc=d=1' none.wav && "
                           "head -c 44 none.wav >header.wav"),
                     0);
    assert_true(rp_sound_open(&sound, in_dir("header.wav"), NULL) < 0);
    assert_null(sound);
}

/* The first of two tracks is of a codec that nobody knows; then both are. */
static void test_tracks(void **state)
{
    struct rp_sound *sound;

    (void) state;
    if (!have_ffmpeg())
        skip();
    assert_int_equal(
        shell("ffmpeg -v error -y -f lavfi -i '%s' -f lavfi -i '%s' -map 0 -map 1 -map 1 "
              "-c:v libx264 -c:a:0 flac -c:a:1 libopus two.mkv && "
              "sed 's/A_FLAC/A_XLAC/' two.mkv >second.mkv && "
              "sed 's/A_OPUS/A_XPUS/' second.mkv >neither.mkv",
              PICTURE, BURST),
        0);
    check_burst("two.mkv", 1);
    check_burst("second.mkv", 1);
    assert_true(rp_sound_open(&sound, in_dir("neither.mkv"), NULL) < 0);
    assert_null(sound);
    assert_true(strlen(rp_last_error()) > 10);
}

/* Rubbish in the middle, and files that end early. */
static void test_damage(void **state)
{
    static const char *const names[] = {"d.flac", "d.mp3", "d.m4a", "d.opus", "d.mka", "d.wav"};

    (void) state;
    if (!have_ffmpeg())
        skip();
    for (size_t i = 0; i < RP_ARRAY_LEN(names); i++) {
        assert_int_equal(shell("ffmpeg -v error -y -f lavfi -i '%s' %s", CHORD, names[i]), 0);
        assert_int_equal(shell("s=$(stat -c %%s %s) && head -c 4000 /dev/urandom | "
                               "dd of=%s bs=1 seek=$((s / 2)) conv=notrunc status=none",
                               names[i], names[i]),
                         0);
        struct samples s = sound_of(names[i], NULL);
        assert_true(s.n > 48000);
        drop(&s);
        for (int part = 1; part < 10; part++) {
            char name[32];
            struct rp_sound *sound;

            snprintf(name, sizeof(name), "cut-%s", names[i]);
            assert_int_equal(shell("s=$(stat -c %%s %s) && head -c $((s * %d / 10)) %s >%s",
                                   names[i], part, names[i], name),
                             0);
            if (rp_sound_open(&sound, in_dir(name), NULL) >= 0 && sound) {
                s = all_of(sound);
                drop(&s);
            }
            rp_sound_close(&sound);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats), cmocka_unit_test(test_containers),
        cmocka_unit_test(test_late),    cmocka_unit_test(test_edit_list),
        cmocka_unit_test(test_gap),     cmocka_unit_test(test_none),
        cmocka_unit_test(test_tracks),  cmocka_unit_test(test_damage),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
