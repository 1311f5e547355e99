/* Videos that are encoded in pieces: nothing but the picture's packets differs from one encoder,
 * and with a lossless encoder not even its pixels. Results are read by ffprobe and ffmpeg. */
#include "test_media.h"

#include <errno.h>
#include <sys/resource.h>
#include <signal.h>

#include "base/hash.h"
#include "media/piece_file.h"
#include "pipeline/cutter.h"

static bool ready;

#define V "-f lavfi -i testsrc2=s=64x48:r=25:d=1.2 "
#define TONE "-f lavfi -i sine=440:d=1.2 "

/* clang-format off */
static const struct { const char *name, *arguments; } clips[] = {
    {"plain.mp4", V TONE "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac"},
    {"vfr.mkv",   V TONE "-i s.srt -i chapters.txt -map 0 -map 1 -map 2 -map_chapters 3 -c:v ffv1 "
                  "-pix_fmt yuv420p -c:a libopus -c:s srt -vsync vfr "
                  "-vf \"setpts='PTS+if(gt(N,10),0.02/TB*mod(N,2),0)+gt(N,20)*0.2/TB'\""},
    {"late.mp4",  "-itsoffset 0.5 " V TONE "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac"},
    {"alpha.mkv", "-f lavfi -i \"testsrc2=s=64x48:r=25:d=0.8,format=yuva420p,geq=lum='p(X,Y)':a='X'\" "
                  "-c:v ffv1"},
    {"deep.mkv",  "-f lavfi -i testsrc2=s=64x48:r=30000/1001:d=0.8,format=yuv420p10le -c:v ffv1 "
                  "-color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc"},
    {"weaved.mkv", "-f lavfi -i testsrc2=s=64x48:r=50:d=1,interlace -c:v libx264 -x264-params tff=1 "
                   "-preset ultrafast -pix_fmt yuv420p"},
};
/* clang-format on */

static int make_clips(void **state)
{
    if (make_dir(state) != 0)
        return -1;
    if (!have_ffmpeg()) {
        printf("ffmpeg and ffprobe are not there: the tests of pieces are skipped\n");
        return 0;
    }
    shell("printf '1\\n00:00:00,100 --> 00:00:00,500\\nHello\\n\\n2\\n00:00:00,700 --> "
          "00:00:01,100\\nWorld\\n' > s.srt");
    shell("printf ';FFMETADATA1\\n[CHAPTER]\\nTIMEBASE=1/1000\\nSTART=0\\nEND=600\\ntitle=One\\n"
          "[CHAPTER]\\nTIMEBASE=1/1000\\nSTART=600\\nEND=1400\\ntitle=Two\\n' > chapters.txt");
    for (size_t i = 0; i < RP_ARRAY_LEN(clips); i++)
        assert_int_equal(shell("ffmpeg -v quiet -nostdin -y %s %s 2>/dev/null", clips[i].arguments,
                               clips[i].name),
                         0);
    ready = true;
    return 0;
}

static void need_clips(void)
{
    if (!ready)
        skip();
}

/* ---- helpers --------------------------------------------------------------------------------- */

static const struct rp_writer_params usual = {
    .video_preset = "veryfast",
    .video_quality = 100,
    .audio_volume = 100,
    .threads = 2,
};

static const char *piece_path(int64_t k)
{
    char name[32];

    snprintf(name, sizeof(name), "%lld.piece", (long long) k);
    return in_dir(name);
}

/* Frames [a, b) as a process would make them that makes nothing else. Returns 1 if there is a frame
 * from b on, 0 if the piece is the last, or a status. */
static int make_piece(const struct rp_pieces *pieces, const char *in, int64_t a, int64_t b,
                      int64_t end, int64_t first, const char *path)
{
    int ret;
    struct rp_reader *r = NULL;
    struct rp_piece *p = NULL;
    struct rp_media_frame *f = NULL;
    int64_t next = RP_PIECE_LAST;
    const struct rp_reader_params range = {.start = a, .end = end ? RP_MIN(b + 1, end) : b + 1};

    RP_TRY(rp_reader_open(&r, in, &range));
    RP_TRY(rp_piece_begin(&p, pieces, path, first));
    while ((ret = rp_reader_next(r, &f)) >= 0 && f) {
        if (f->index < b)
            ret = rp_piece_write(p, f);
        else
            next = f->pts;
        rp_media_frame_free(&f);
        if (ret < 0)
            goto fail;
    }
    if (ret >= 0)
        ret = rp_piece_finish(p, next);
fail:
    rp_piece_end(&p);
    rp_reader_close(&r);
    return ret < 0 ? ret : next != RP_PIECE_LAST;
}

static int64_t first_pts(const char *in, const struct rp_reader_params *range)
{
    struct rp_media_frame *f;

    assert_true(rp_reader_frame(in, range ? range->start : 0, &f) >= 0);
    const int64_t pts = f->pts;
    rp_media_frame_free(&f);
    return pts;
}

/* Make all pieces of n frames, and join them; their number, or a status. */
static int in_pieces(const char *in, const char *out, const struct rp_writer_params *params,
                     const struct rp_reader_params *range, int64_t n)
{
    int ret, made = 0;
    struct rp_reader *r = NULL;
    struct rp_writer *w = NULL;
    struct rp_pieces *pieces = NULL;
    const int64_t start = range ? range->start : 0, end = range ? range->end : 0;
    const int64_t k0 = start / n, first = first_pts(in, range);

    RP_TRY(rp_reader_open(&r, in, range));
    RP_TRY(rp_pieces_open(&pieces, out, in, r, params));
    assert_non_null(pieces);
    for (int more = 1; more; made++) {
        const int64_t a = (k0 + made) * n;
        RP_TRY(more = make_piece(pieces, in, RP_MAX(a, start), end ? RP_MIN(a + n, end) : a + n,
                                 end, first, piece_path(made)));
    }
    RP_TRY(rp_writer_open(&w, out, in, r, params));
    for (int k = 0; k < made; k++)
        RP_TRY(rp_writer_piece(w, piece_path(k)));
    ret = rp_writer_finish(w);
fail:
    rp_writer_close(&w);
    rp_reader_close(&r);
    rp_pieces_close(&pieces);
    return ret < 0 ? ret : made;
}

/* What ffprobe finds in a file, without what must differ: bytes, sizes, and which frame of the
 * picture comes when in the file. The times of the picture are listed apart, rising. */
static void list(const char *name, const char *to)
{
    const int ret = shell(
        "ffprobe -v error -show_data_hash md5 -show_streams -show_chapters -show_format "
        "-show_entries packet=codec_type,stream_index,pts,dts,duration,data_hash -of compact "
        "%s > all "
        "&& sed -E -e '/^[|]data/d' -e '/^packet.*=video/s/[|](pts|data_hash)=[^|]*//g' -e "
        "'s/[|](filename|size|bit_rate|extradata_(size|hash)|tag:[^|]*(BPS|BYTES)[^|]*)=[^|]*//g' "
        "all > %s &&"
        "sed -n '/^packet.*=video/s/.*[|]pts=\\([^|]*\\).*/\\1/p' all | sort -n >> %s && "
        "test $(wc -l < %s) -gt 5",
        name, to, to, to);

    assert_int_equal(ret, 0);
}

static void same_all_else(const char *a, const char *b)
{
    list(a, "a.txt");
    list(b, "b.txt");
    assert_int_equal(shell("diff a.txt b.txt"), 0);
}

static void same_frames(const char *a, const char *b)
{
    assert_int_equal(shell("ffmpeg -v error -y -i %s -i %s -map 0:v -f framemd5 a.txt -map 1:v -f "
                           "framemd5 b.txt && test $(wc -l < a.txt) -gt 10 && diff a.txt b.txt",
                           a, b),
                     0);
}

static void compare(const char *in, const char *ext, const struct rp_writer_params *params,
                    const struct rp_reader_params *range, int64_t n, bool lossless)
{
    char one[32], many[32], from[300], to[300];

    snprintf(from, sizeof(from), "%s", in_dir(in));
    snprintf(to, sizeof(to), "%s/many.%s", test_dir, ext);
    snprintf(one, sizeof(one), "one.%s", ext);
    snprintf(many, sizeof(many), "many.%s", ext);
    const int64_t start = range ? range->start : 0;
    const int frames = copy_video(from, in_dir(one), params, range);
    const int made = in_pieces(from, to, params, range, n);
    if (frames < 0 || made < 0)
        printf("%s\n", rp_last_error());
    assert_true(frames > n);
    assert_int_equal(made, (start + frames - 1) / n - start / n + 1);
    same_all_else(one, many);
    if (lossless)
        same_frames(one, many);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_cuts(void **state)
{
    (void) state;
    const struct rp_video_info film = {.fps_num = 24000, .fps_den = 1001}, none = {0};

    assert_int_equal(rp_piece_frames(&film, 4), 96);
    assert_int_equal(rp_piece_frames(&film, 0), 0);
    assert_int_equal(rp_piece_frames(&film, 0.001), 2);
    assert_int_equal(rp_piece_frames(&none, 4), 4);
    assert_false(rp_piece_several(10, 0, 10));
    assert_true(rp_piece_several(10, 0, 11));
    assert_false(rp_piece_several(10, 10, 20));
    assert_true(rp_piece_several(10, 9, 11));
    assert_false(rp_piece_several(0, 0, 1000));
    assert_false(rp_piece_several(10, 5, 5));
}

/* Quality 100 of libx264 is lossless: every frame is there, once, at its time. */
static void test_x264(void **state)
{
    (void) state;
    need_clips();
    compare("plain.mp4", "mp4", &usual, NULL, 7, true);
    compare("vfr.mkv", "mkv", &usual, NULL, 10, true);
    compare("vfr.mkv", "mp4", &usual, NULL, 4, true);
    compare("late.mp4", "mp4", &usual, NULL, 13, true);
    compare("plain.mp4", "avi", &usual, NULL, 11, true);
    compare("plain.mp4", "wmv", &usual, NULL, 11, true);
    compare("weaved.mkv", "mkv", &usual, NULL, 9, true);
}

static void test_rate(void **state)
{
    static const struct {
        const char *in;
        double fps;
        int64_t n;
    } cases[] = {{"plain.mp4", 10, 7},
                 {"plain.mp4", 60, 7},
                 {"vfr.mkv", 12.5, 8},
                 {"plain.mp4", 1, 4},
                 {"late.mp4", 24, 12}};
    struct rp_writer_params params = usual;

    (void) state;
    need_clips();
    for (size_t i = 0; i < RP_ARRAY_LEN(cases); i++) {
        params.fps = cases[i].fps;
        compare(cases[i].in, "mp4", &params, NULL, cases[i].n, true);
    }
}

static void test_trim(void **state)
{
    const struct rp_reader_params middle = {.start = 6, .end = 23}, tail = {.start = 13};

    (void) state;
    need_clips();
    compare("plain.mp4", "mp4", &usual, &middle, 7, true); /* of 1, 7, 7 and 2 frames */
    compare("vfr.mkv", "mkv", &usual, &tail, 14, true);
}

static void test_other_encoders(void **state)
{
    struct rp_writer_params params = usual;

    (void) state;
    need_clips();
    params.video_quality = 80;
    params.video_encoder = "libx265";
    compare("deep.mkv", "mp4", &params, NULL, 9, false);
    compare("vfr.mkv", "mkv", &params, NULL, 11, false);
    params.video_encoder = "libvpx-vp9";
    compare("plain.mp4", "webm", &params, NULL, 11, false);
    params.alpha = true;
    compare("alpha.mkv", "webm", &params, NULL, 7, false);
    assert_int_equal(
        shell("ffmpeg -v error -c:v libvpx-vp9 -i many.webm -vf alphaextract,signalstats,"
              "metadata=print:file=- -f null - | grep -q 'YMAX=6'"),
        0);
}

/* Pieces are functions of their frames, whatever was made before them or beside them. */
static void test_again(void **state)
{
    char before[RP_SHA256_HEX], after[RP_SHA256_HEX];
    struct rp_reader *r;
    struct rp_pieces *pieces;
    struct rp_piece_info info;

    (void) state;
    need_clips();
    assert_int_equal(in_pieces(in_dir("plain.mp4"), in_dir("a.mp4"), &usual, NULL, 10), 3);
    assert_true(rp_sha256_file(piece_path(1), before) >= 0);
    assert_true(rp_reader_open(&r, in_dir("plain.mp4"), NULL) >= 0);
    assert_true(rp_pieces_open(&pieces, "x.mp4", in_dir("plain.mp4"), r, &usual) >= 0);
    assert_int_equal(make_piece(pieces, in_dir("plain.mp4"), 10, 20, 0,
                                first_pts(in_dir("plain.mp4"), NULL), in_dir("again.piece")),
                     1);
    assert_true(rp_sha256_file(in_dir("again.piece"), after) >= 0);
    assert_string_equal(before, after);
    assert_true(rp_piece_check(in_dir("again.piece"), &info) >= 0);
    assert_int_equal(info.first, 10);
    assert_int_equal(info.last, 19);
    assert_int_equal(info.packets, 10);
    rp_pieces_close(&pieces);
    rp_reader_close(&r);
}

static int join(const char *const *paths, int n, const struct rp_writer_params *params)
{
    int ret;
    struct rp_reader *r = NULL;
    struct rp_writer *w = NULL;

    RP_TRY(rp_reader_open(&r, in_dir("plain.mp4"), NULL));
    RP_TRY(rp_writer_open(&w, in_dir("j.mp4"), in_dir("plain.mp4"), r, params));
    for (int i = 0; i < n; i++)
        RP_TRY(rp_writer_piece(w, paths[i]));
    ret = rp_writer_finish(w);
fail:
    rp_writer_close(&w);
    rp_reader_close(&r);
    return ret;
}

static void test_wrong_pieces(void **state)
{
    const char *all[3];
    struct rp_writer_params other = usual;

    (void) state;
    need_clips();
    assert_int_equal(in_pieces(in_dir("plain.mp4"), in_dir("a.mp4"), &usual, NULL, 10), 3);
    for (int i = 0; i < 3; i++)
        all[i] = strdup(piece_path(i));
    assert_int_equal(join(all, 3, &usual), 0);
    assert_int_equal(join((const char *const[]){all[0], all[2]}, 2, &usual), RP_ERR_FORMAT);
    assert_non_null(strstr(rp_last_error(), "begins with frame 20, but the one before ends with "
                                            "frame 9"));
    assert_int_equal(join((const char *const[]){all[1], all[1]}, 2, &usual), RP_ERR_FORMAT);
    other.video_quality = 50;
    assert_int_equal(join(all, 3, &other), RP_ERR_FORMAT);
    assert_non_null(strstr(rp_last_error(), "the piece was encoded as 'libx264 veryfast 100"));
    assert_int_equal(join((const char *const[]){in_dir("plain.mp4")}, 1, &usual), RP_ERR_FORMAT);
    assert_int_equal(join((const char *const[]){in_dir("missing")}, 1, &usual), RP_ERR_IO);
    for (int i = 0; i < 3; i++)
        free((char *) all[i]);
}

/* Cut anywhere, or with any byte changed, a piece is not whole; no tool finds anything amiss. */
static void test_damaged_pieces(void **state)
{
    static uint8_t data[1 << 16];
    struct rp_piece_file *f = NULL;

    (void) state;
    need_clips();
    assert_int_equal(in_pieces(in_dir("plain.mp4"), in_dir("a.mp4"), &usual, NULL, 28), 2);
    FILE *const file = fopen(piece_path(1), "rb");
    const size_t n = fread(data, 1, sizeof(data), file);
    fclose(file);
    assert_true(n > 300 && n < sizeof(data));
    for (size_t i = 0; i < n; i += i < 500 || i > n - 100 ? 1 : 97) {
        if (i) {
            assert_int_equal(rp_piece_file_take(&f, fmemopen(data, i, "rb"), "cut"), RP_ERR_FORMAT);
            assert_null(f);
        }
        data[i] ^= 0x41;
        assert_int_equal(rp_piece_file_take(&f, fmemopen(data, n, "rb"), "changed"), RP_ERR_FORMAT);
        assert_null(f);
        data[i] ^= 0x41;
    }
    assert_int_equal(rp_piece_file_take(&f, fmemopen(data, n, "rb"), "whole"), 0);
    rp_piece_file_close(&f);
}

static void test_full_disk(void **state)
{
    struct rlimit old, small;
    struct rp_reader *r;
    struct rp_pieces *pieces;

    (void) state;
    need_clips();
    unlink(in_dir("full.piece"));
    assert_true(rp_reader_open(&r, in_dir("plain.mp4"), NULL) >= 0);
    assert_true(rp_pieces_open(&pieces, "x.mp4", in_dir("plain.mp4"), r, &usual) >= 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 4000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const int ret = make_piece(pieces, in_dir("plain.mp4"), 0, 30, 0, 0, in_dir("full.piece"));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_true(ret < 0);
    assert_non_null(strstr(rp_last_error(), strerror(EFBIG)));
    assert_int_equal(access(in_dir("full.piece"), F_OK), -1);
    rp_pieces_close(&pieces);
    rp_reader_close(&r);
}

static void test_encoders_that_are_not_cut(void **state)
{
    struct rp_reader *r;
    struct rp_pieces *pieces;
    struct rp_writer_params params = usual;

    (void) state;
    need_clips();
    assert_true(rp_reader_open(&r, in_dir("plain.mp4"), NULL) >= 0);
    params.video_encoder = "prores_ks";
    assert_int_equal(rp_pieces_open(&pieces, "x.mov", in_dir("plain.mp4"), r, &params), 0);
    assert_null(pieces);
    params.video_encoder = NULL;
    assert_int_equal(rp_pieces_open(&pieces, "x.gif", in_dir("plain.mp4"), r, &params), 0);
    assert_null(pieces);
    rp_reader_close(&r);
}

/* ---- several encoders at the same time ------------------------------------------------------- */

struct job {
    struct rp_writer *writer;
    int done, fail_at; /* pieces */
    bool nowhere;      /* there is no folder for them */
};

static char *name_piece(void *priv, int64_t number)
{
    const struct job *const job = priv;

    return strdup(job->nowhere ? in_dir("missing/a.piece") : piece_path(number));
}

static int add_piece(void *priv, int64_t number, const char *path)
{
    struct job *const job = priv;

    assert_int_equal(number, job->done++); /* in order */
    if (job->done == job->fail_at)
        return rp_fail(RP_ERR_IO, "enough");
    return rp_writer_piece(job->writer, path);
}

/* All frames of plain.mp4 through `encoders`, of which so many bytes may wait. */
static int cut(struct job *job, int encoders, int64_t waiting,
               const struct rp_writer_params *params)
{
    int ret;
    struct rp_reader *r = NULL;
    struct rp_pieces *pieces = NULL;
    struct rp_cutter *cutter = NULL;
    struct rp_media_frame *f = NULL;
    const char *const in = strdup(in_dir("plain.mp4")), *const out = strdup(in_dir("many.mp4"));

    RP_TRY(rp_reader_open(&r, in, NULL));
    RP_TRY(rp_writer_open(&job->writer, out, in, r, params));
    RP_TRY(rp_pieces_open(&pieces, out, in, r, params));
    RP_TRY(rp_cutter_create(&cutter, &(const struct rp_cutter_params){.pieces = pieces,
                                                                      .frames = 5,
                                                                      .origin = 0,
                                                                      .encoders = encoders,
                                                                      .waiting = waiting,
                                                                      .name = name_piece,
                                                                      .done = add_piece,
                                                                      .priv = job}));
    for (;;) {
        RP_TRY(rp_reader_next(r, &f));
        if (!f)
            break;
        RP_TRY(rp_cutter_put(cutter, &f));
        assert_null(f);
    }
    RP_TRY(rp_cutter_finish(cutter, RP_PIECE_LAST));
    ret = rp_writer_finish(job->writer);
fail:
    rp_cutter_destroy(&cutter);
    rp_writer_close(&job->writer);
    rp_pieces_close(&pieces);
    rp_reader_close(&r);
    free((char *) in);
    free((char *) out);
    return ret;
}

/* However many encoders there are, and however little may wait, it is the same file. */
static void test_encoders(void **state)
{
    static const struct {
        int encoders;
        int64_t waiting;
    } cases[] = {{1, 1}, {4, 1}, {3, 3 * 64 * 48}, {2, 1 << 30}};
    char first[RP_SHA256_HEX] = "", hash[RP_SHA256_HEX];

    (void) state;
    need_clips();
    for (size_t i = 0; i < RP_ARRAY_LEN(cases); i++) {
        struct job job = {.done = 0};
        assert_int_equal(cut(&job, cases[i].encoders, cases[i].waiting, &usual), 0);
        assert_int_equal(job.done, 6);
        assert_true(rp_sha256_file(in_dir("many.mp4"), hash) >= 0);
        if (first[0])
            assert_string_equal(hash, first);
        memcpy(first, hash, sizeof(first));
    }
}

static void test_encoders_that_fail(void **state)
{
    struct job job = {.fail_at = 3};

    (void) state;
    need_clips();
    assert_int_equal(cut(&job, 2, 1, &usual), RP_ERR_IO);
    assert_string_equal(rp_last_error(), "enough");
    assert_int_equal(job.done, 3);
    job = (struct job){.nowhere = true};
    assert_true(cut(&job, 3, 1 << 20, &usual) < 0);
    assert_non_null(strstr(rp_last_error(), "there is no folder"));
    assert_int_equal(job.done, 0);
}

static void test_how_many_encoders(void **state)
{
    int64_t waiting;
    const int64_t hd = (int64_t) 1920 * 1080 * 3 / 2, gib = (int64_t) 1 << 30;

    (void) state;
    assert_int_equal(rp_cutter_encoders(2, 50, hd, 8 * gib, &waiting), 2);
    assert_int_equal(waiting, 50 * hd);
    assert_int_equal(rp_cutter_encoders(16, 50, hd, 64 * gib, &waiting), 6);
    assert_int_equal(rp_cutter_encoders(16, 50, 4 * hd, 4 * gib, &waiting), 4);
    assert_true(waiting <= gib);
    assert_int_equal(rp_cutter_encoders(1000, 50, hd, 8 * gib, &waiting), 28);
    assert_int_equal(rp_cutter_encoders(16, 15000, hd, 8 * gib, &waiting), 2);
    assert_int_equal(waiting, 2 * gib);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_x264),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_other_encoders),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_wrong_pieces),
        cmocka_unit_test(test_damaged_pieces),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_encoders_that_are_not_cut),
        cmocka_unit_test(test_encoders),
        cmocka_unit_test(test_encoders_that_fail),
        cmocka_unit_test(test_how_many_encoders),
    };
    return cmocka_run_group_tests(tests, make_clips, remove_dir);
}
