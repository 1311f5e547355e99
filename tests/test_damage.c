/* Nothing is lost without a word: files that are cut or have wrong bytes, and files that only look
 * so. */
#include "test_media.h"

#include "media/sound.h"

#define X264 "-c:v libx264 -preset ultrafast -threads 1"

static bool ready;

/* A file, how it is made, and what becomes of it when it ends early. */
enum ending { REFUSED, SAID, UNREADABLE };
static const struct clip {
    const char *name, *options;
    enum ending cut;
    bool flips; /* wrong bytes in its middle are found */
} clips[] = {
    {"a.mp4", X264 " -c:a aac", UNREADABLE, true},
    {"fast.mov", X264 " -c:a aac -movflags +faststart", REFUSED, true},
    {"frag.mp4", X264 " -c:a aac -movflags frag_keyframe+empty_moov", REFUSED, true},
    {"a.mkv", X264 " -c:a aac", REFUSED, true},
    {"live.mkv", X264 " -c:a aac -f matroska -live 1", SAID, true},
    {"a.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus", REFUSED, true},
    {"a.avi", "-c:v mpeg4 -c:a mp2", REFUSED, true},
    {"a.flv", X264 " -c:a aac", REFUSED, true},
    {"a.wmv", "-c:v wmv2 -c:a wmav2", REFUSED, false},
    {"a.ts", X264 " -c:a aac -f mpegts", REFUSED, false},
    {"a.mpg", "-c:v mpeg2video -c:a mp2 -f vob", REFUSED, false},
    {"one.mpg", "-c:v mpeg1video -c:a mp2 -f mpeg", REFUSED, false},
    {"a.gif", "-an", REFUSED, false},
    {"og.mp4", X264 " -x264-params open-gop=1:keyint=8:bframes=3 -c:a aac", UNREADABLE, false},
    {"og.ts", X264 " -x264-params open-gop=1:keyint=8:bframes=3 -c:a aac -f mpegts", REFUSED,
     false},
    {"hevc.mp4",
     "-c:v libx265 -preset ultrafast -x265-params log-level=none:pools=none:open-gop=1:"
     "keyint=8 -an",
     UNREADABLE, false},
};

static int make_clips(void **state)
{
    if (make_dir(state) < 0)
        return -1;
    if (!have_ffmpeg())
        return 0;
    for (size_t i = 0; i < RP_ARRAY_LEN(clips); i++)
        if (shell("ffmpeg -v error -nostdin -y -f lavfi -i testsrc2=size=96x64:rate=25:duration=2 "
                  "-f lavfi -i 'aevalsrc=sin(700*t)*random(0):s=48000:d=2' %s %s 2>/dev/null",
                  clips[i].options, clips[i].name) != 0)
            unlink(in_dir(clips[i].name));
    ready = access(in_dir("a.mp4"), F_OK) == 0;
    return 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

static int warnings;
static char warning[1024];

static void on_line(void *priv, enum rp_log_level level, const char *line)
{
    (void) priv;
    if (level > RP_LOG_WARN || level == RP_LOG_ERROR)
        return;
    warnings++;
    snprintf(warning, sizeof(warning), "%s", line);
}

/* Frames of a file, or a status. `damage` (of 400 bytes) is what the reader says is lost. */
static int read_all(const char *path, struct rp_reader_params params, char *damage)
{
    struct rp_reader *r = NULL;
    struct rp_media_frame *f = NULL;
    int n = 0;

    damage[0] = 0;
    warnings = 0;
    rp_set_log(RP_LOG_WARN, on_line, NULL);
    int ret = rp_reader_open(&r, path, &params);
    while (ret >= 0 && (ret = rp_reader_next(r, &f)) >= 0 && f) {
        rp_media_frame_free(&f);
        n++;
    }
    if (ret >= 0)
        rp_reader_damage(r, damage, 400);
    rp_reader_close(&r);
    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    return ret < 0 ? ret : n;
}

static const struct rp_reader_params refuse = {.refuse = true, .threads = 1};
static const struct rp_reader_params refuse_threads = {.refuse = true, .threads = 4};

static void write_part(const char *name, const uint8_t *data, size_t size)
{
    assert_int_equal(rp_file_write(in_dir(name), data, size), 0);
}

static uint8_t *bytes_of(const char *name, size_t *size)
{
    uint8_t *data = NULL;

    assert_int_equal(rp_file_read(in_dir(name), 1 << 24, &data, size), 0);
    return data;
}

static bool have(const char *name)
{
    return access(in_dir(name), F_OK) == 0;
}

/* ---- whole files ----------------------------------------------------------------------------- */

static void assert_whole(const char *name, int frames)
{
    char damage[400];

    for (int i = 0; i < 2; i++) {
        const int n = read_all(in_dir(name), i ? refuse_threads : refuse, damage);
        if (n != frames || damage[0] || warnings)
            fail_msg("%s: %d frames, damage '%s', %s", name, n, damage,
                     n < 0 ? rp_last_error() : warning);
    }
}

static void test_whole(void **state)
{
    (void) state;
    if (!ready)
        skip();
    for (size_t i = 0; i < RP_ARRAY_LEN(clips); i++)
        if (have(clips[i].name))
            assert_whole(clips[i].name, 50);
}

/* Parts cut out by ffmpeg without encoding: edit lists, leading pictures, streams that begin in the
 * middle of a group, sound before time 0. How many frames come is not the question. */
static void test_looks_cut(void **state)
{
    static const char *const made[] = {
        "-ss 0.7 -i a.mp4 -c copy edit.mp4",
        "-ss 0.7 -i a.mp4 -t 0.6 -c copy edit.mov",
        "-ss 1 -i og.mp4 -c copy og.mkv",
        "-ss 1 -i hevc.mp4 -c copy hevc.ts",
        "-i a.mp4 -itsoffset -0.5 -i a.mp4 -map 0:v -map 1:a -c copy early.mp4",
        "-i a.flv -c copy -flvflags no_duration_filesize plain.flv",
    };
    char damage[400];

    (void) state;
    if (!ready || !have("hevc.mp4"))
        skip();
    for (size_t i = 0; i < RP_ARRAY_LEN(made); i++) {
        assert_int_equal(shell("ffmpeg -v error -nostdin -y %s", made[i]), 0);
        const char *const name = strrchr(made[i], ' ') + 1;
        const int n = read_all(in_dir(name), refuse_threads, damage);
        if (n < 10 || damage[0] || warnings)
            fail_msg("%s: %d frames, damage '%s', %s", name, n, damage,
                     n < 0 ? rp_last_error() : warning);
    }
    /* from the middle of a group on, as a receiver records it */
    size_t size;
    uint8_t *const data = bytes_of("og.ts", &size);
    const size_t from = size / 3 / 188 * 188;
    write_part("middle.ts", data + from, size - from);
    free(data);
    const int n = read_all(in_dir("middle.ts"), refuse, damage);
    if (n < 10 || damage[0])
        fail_msg("middle.ts: %d frames, damage '%s', %s", n, damage, n < 0 ? rp_last_error() : "");
}

/* ---- cut and damaged files ------------------------------------------------------------------- */

static void assert_cut(const struct clip *c, const uint8_t *data, size_t size)
{
    char name[40], damage[400];

    snprintf(name, sizeof(name), "cut-%s", c->name);
    write_part(name, data, size);
    const int n = read_all(in_dir(name), refuse, damage);
    if (c->cut == SAID) {
        assert_true(n > 0);
        assert_int_equal(warnings, 1);
        assert_non_null(strstr(warning, "ends in the middle"));
        return;
    }
    assert_int_equal(n, RP_ERR_FORMAT);
    assert_non_null(strstr(rp_last_error(), name));
    if (c->cut == UNREADABLE)
        return;
    assert_non_null(strstr(rp_last_error(), "cut short"));
    assert_non_null(strstr(rp_last_error(), "--damaged-input accept"));
    const int some = read_all(in_dir(name), (struct rp_reader_params){.threads = 3}, damage);
    assert_in_range(some, 5, strstr(c->name, ".mpg") ? 50 : 49); /* there sound is at the end */
    assert_non_null(strstr(damage, "cut short"));
}

static void test_cut(void **state)
{
    static const int parts[] = {30, 50, 90};

    (void) state;
    if (!ready)
        skip();
    for (size_t i = 0; i < RP_ARRAY_LEN(clips); i++) {
        size_t size;
        if (!have(clips[i].name))
            continue;
        uint8_t *const data = bytes_of(clips[i].name, &size);
        for (size_t k = 0; k < RP_ARRAY_LEN(parts); k++)
            if (strcmp(clips[i].name, "frag.mp4") != 0 || parts[k] < 90)
                assert_cut(&clips[i], data, size * (size_t) parts[k] / 100 / 188 * 188 + 7);
        free(data);
    }
}

/* Wrong bytes in the middle, found with and without threads of the decoder. */
static void test_flipped(void **state)
{
    char damage[400];

    (void) state;
    if (!ready)
        skip();
    for (size_t i = 0; i < RP_ARRAY_LEN(clips); i++) {
        size_t size;
        if (!clips[i].flips || !have(clips[i].name))
            continue;
        uint8_t *const data = bytes_of(clips[i].name, &size);
        unsigned seed = 3;
        for (int k = 0; k < 300; k++) {
            seed = seed * 1664525u + 1013904223u;
            data[size * 2 / 5 + (seed >> 8) % (size / 5)] ^= (uint8_t) (1 + (seed >> 28));
        }
        write_part("flip.bin", data, size);
        free(data);
        const int one = read_all(in_dir("flip.bin"), refuse, damage), said = warnings;
        const int four = read_all(in_dir("flip.bin"), refuse_threads, damage);
        if ((one >= 0 && !said) || (four >= 0 && !warnings))
            fail_msg("%s: %d and %d frames, not a word", clips[i].name, one, four);
    }
}

/* The first half of fast.mov, as half.mov. */
static void write_half(void)
{
    size_t size;
    uint8_t *const data = bytes_of("fast.mov", &size);

    write_part("half.mov", data, size / 2);
    free(data);
}

/* What comes after the part that is wanted does not matter. */
static void test_trimmed(void **state)
{
    char damage[400];

    (void) state;
    if (!ready)
        skip();
    write_half();
    struct rp_reader_params params = {.refuse = true, .threads = 2, .start = 3, .end = 13};
    assert_int_equal(read_all(in_dir("half.mov"), params, damage), 10);
    assert_string_equal(damage, "");
    params.end = 48;
    assert_int_equal(read_all(in_dir("half.mov"), params, damage), RP_ERR_FORMAT);
    assert_non_null(strstr(rp_last_error(), " of 45 frames, cut short"));
}

/* ---- sound ----------------------------------------------------------------------------------- */

static int hear_all(const char *path, bool accept, char *damage)
{
    static int16_t piece[4096][2];
    struct rp_sound *s = NULL;
    int total = 0;

    damage[0] = 0;
    warnings = 0;
    rp_set_log(RP_LOG_WARN, on_line, NULL);
    int ret = rp_sound_open(&s, path, &(struct rp_sound_params){.refuse = !accept});
    while (ret >= 0 && s && (ret = rp_sound_read(s, piece, 4096)) > 0)
        total += ret;
    if (s)
        rp_sound_damage(s, damage, 400);
    rp_sound_close(&s);
    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    return ret < 0 ? ret : total;
}

static void test_sound(void **state)
{
    static const struct {
        const char *name, *options;
        bool refused;
    } sounds[] = {
        {"s.wav", "", true}, {"s.flac", "", true}, {"s.m4a", "-c:a aac -movflags +faststart", true},
        {"s.mp3", "", true}, {"s.ogg", "", true},
    };
    char damage[400];

    (void) state;
    if (!ready)
        skip();
    for (size_t i = 0; i < RP_ARRAY_LEN(sounds); i++) {
        size_t size;
        if (shell("ffmpeg -v error -nostdin -y -f lavfi -i "
                  "'aevalsrc=sin(900*t)*random(0):s=48000:d=2'"
                  " %s %s",
                  sounds[i].options, sounds[i].name) != 0)
            continue;
        const int whole = hear_all(in_dir(sounds[i].name), false, damage);
        if (whole < 90000 || damage[0] || warnings)
            fail_msg("%s: %d, '%s'", sounds[i].name, whole, damage);
        uint8_t *const data = bytes_of(sounds[i].name, &size);
        write_part("cut.snd", data, size * 6 / 10 + 11);
        free(data);
        const int n = hear_all(in_dir("cut.snd"), false, damage);
        if (sounds[i].refused ? n != RP_ERR_FORMAT : n < 0 || !warnings)
            fail_msg("%s: %d, %d warnings", sounds[i].name, n, warnings);
        assert_in_range(hear_all(in_dir("cut.snd"), true, damage), 40000, 70000);
        assert_int_equal(damage[0] != 0, sounds[i].refused);
    }
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static int transcode(const char *in, const char *out, bool accept)
{
    static const rp_mark mark = {.processors = "face_swapper"};
    struct rp_reader *r = NULL;
    struct rp_writer *w = NULL;
    struct rp_media_frame *f = NULL;
    char damage[400];
    const struct rp_writer_params params = {.video_preset = "ultrafast",
                                            .video_quality = 50,
                                            .audio_volume = 100,
                                            .audio_quality = 50,
                                            .mark = &mark,
                                            .threads = 1,
                                            .refuse = !accept,
                                            .note = accept};

    int ret = rp_reader_open(&r, in, &(struct rp_reader_params){.threads = 1, .refuse = !accept});
    if (ret >= 0)
        ret = rp_writer_open(&w, out, in, r, &params);
    while (ret >= 0 && (ret = rp_reader_next(r, &f)) >= 0 && f) {
        ret = rp_writer_write(w, f);
        rp_media_frame_free(&f);
    }
    if (ret >= 0) {
        rp_reader_damage(r, damage, sizeof(damage));
        rp_writer_note(w, damage);
        ret = rp_writer_finish(w);
    }
    rp_writer_close(&w);
    rp_reader_close(&r);
    return ret;
}

/* The note is in the mark, whatever the container. */
static void test_note(void **state)
{
    static const char *const outs[] = {"o.mp4", "o.mkv", "o.avi", "o.wmv", "o.gif"};
    rp_mark mark;

    (void) state;
    if (!ready)
        skip();
    write_half();
    for (size_t i = 0; i < RP_ARRAY_LEN(outs); i++) {
        assert_int_equal(transcode(in_dir("half.mov"), in_dir(outs[i]), true), 0);
        assert_int_equal(rp_inspect(in_dir(outs[i]), &mark), 0);
        assert_true(mark.present);
        assert_non_null(strstr(mark.damage, " of 50 frames, cut short"));
        assert_int_equal(transcode(in_dir("fast.mov"), in_dir(outs[i]), true), 0);
        assert_int_equal(rp_inspect(in_dir(outs[i]), &mark), 0);
        assert_string_equal(mark.processors, "face_swapper");
        assert_string_equal(mark.damage, "");
    }
}

/* All frames are there, but not all of the sound or of the subtitles. */
static void test_tracks(void **state)
{
    size_t size;
    rp_mark mark;

    (void) state;
    if (!ready)
        skip();
    /* the picture first, so that the end holds nothing but sound */
    assert_int_equal(shell("ffmpeg -v error -nostdin -y -i a.mp4 -itsoffset 3 -i a.mp4 -map 0:v "
                           "-map 1:a -c copy -movflags +faststart apart.mp4"),
                     0);
    uint8_t *const data = bytes_of("apart.mp4", &size);
    write_part("short.mp4", data, size - 3000);
    free(data);
    assert_int_equal(transcode(in_dir("apart.mp4"), in_dir("o.mp4"), false), 0);
    assert_int_equal(transcode(in_dir("short.mp4"), in_dir("o.mp4"), false), RP_ERR_FORMAT);
    assert_non_null(strstr(rp_last_error(), "audio track 1"));
    assert_int_equal(transcode(in_dir("short.mp4"), in_dir("o.mp4"), true), 0);
    assert_int_equal(rp_inspect(in_dir("o.mp4"), &mark), 0);
    assert_int_equal(strncmp(mark.damage, "audio track 1", 13), 0);
}

/* ---- pictures -------------------------------------------------------------------------------- */

/* Formats whose decoders fill up what is missing. */
static void test_silent_pictures(void **state)
{
    static const char *const made[] = {
        "-pix_fmt gbrpf32le p.exr", "-pix_fmt gbrpf32le -compression zip1 z.exr",
        "-pix_fmt rgba p.qoi",      "-pix_fmt rgb24 p.sun",
        "-pix_fmt pal8 q.sun",
    };
    rp_image image;
    char note[200];

    (void) state;
    if (!ready)
        skip();
    for (size_t i = 0; i < RP_ARRAY_LEN(made); i++) {
        const char *const name = strrchr(made[i], ' ') + 1;
        size_t size;
        if (shell("ffmpeg -v quiet -nostdin -y -i a.mp4 -frames:v 1 -update 1 %s", made[i]) != 0)
            continue;
        uint8_t *const data = bytes_of(name, &size);
        if (rp_image_read(&image, in_dir(name)) < 0)
            fail_msg("%s: %s", name, rp_last_error());
        rp_image_free(&image);
        const size_t cuts[] = {size / 3, size * 9 / 10, size - 1};
        for (size_t k = 0; k < RP_ARRAY_LEN(cuts); k++) {
            write_part("cut.bin", data, cuts[k]);
            if (rp_image_read(&image, in_dir("cut.bin")) >= 0)
                fail_msg("%s: %zu of %zu bytes are enough", name, cuts[k], size);
        }
        assert_int_equal(rp_image_read_damaged(&image, in_dir("cut.bin"), true, note, sizeof(note)),
                         0);
        assert_string_equal(note, "picture: it is cut short");
        rp_image_free(&image);
        free(data);
    }
}

static void test_pictures(void **state)
{
    rp_image image;
    char note[200];
    size_t size;

    (void) state;
    if (!ready)
        skip();
    assert_int_equal(shell("ffmpeg -v error -nostdin -y -i a.mp4 -frames:v 1 -q:v 2 p.jpg && "
                           "ffmpeg -v error -nostdin -y -i a.mp4 -frames:v 1 p.gif"),
                     0);
    for (int i = 0; i < 2; i++) {
        const char *const name = i ? "p.gif" : "p.jpg";
        uint8_t *const data = bytes_of(name, &size);
        assert_int_equal(rp_image_read_damaged(&image, in_dir(name), false, note, sizeof(note)), 0);
        assert_string_equal(note, "");
        rp_image_free(&image);
        write_part("cut.bin", data, size * 2 / 3);
        free(data);
        assert_true(rp_image_read(&image, in_dir("cut.bin")) < 0);
        assert_null(image.data);
        if (i) /* nothing of it can be decoded */
            break;
        assert_non_null(strstr(rp_last_error(), "is damaged, picture: the JPEG is cut short"));
        assert_int_equal(rp_image_read_damaged(&image, in_dir("cut.bin"), true, note, sizeof(note)),
                         0);
        assert_string_equal(note, "picture: the JPEG is cut short");
        rp_image_free(&image);
        assert_true(rp_image_read(&image, in_dir("cut.bin")) < 0); /* not from now on */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),    cmocka_unit_test(test_looks_cut),
        cmocka_unit_test(test_cut),      cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_trimmed),  cmocka_unit_test(test_sound),
        cmocka_unit_test(test_note),     cmocka_unit_test(test_tracks),
        cmocka_unit_test(test_pictures), cmocka_unit_test(test_silent_pictures),
    };

    return cmocka_run_group_tests(tests, make_clips, remove_dir);
}
