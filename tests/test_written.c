/* What a library loses without a word: the file is compared with what was given to the muxer,
 * frames with packets of the encoder, packets with frames of the decoder, and errno tells of
 * memory. Here the libraries' functions lose something. */
#include "test_media.h"

#include <errno.h>
#include <pthread.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

/* What goes wrong. */
static struct {
    int stream, packet;     /* the muxer loses this packet, counted from 1 */
    int sent, frame;        /* so does the encoder, so does the decoder */
    bool unordered;         /* the muxer writes no time of display */
    bool options, chapters; /* lost by the muxer */
    bool memory;            /* it got none for something */
} bad;
static int muxed, sent, came;

static _Thread_local bool starved;      /* this thread's decoders got no memory for something */
static _Atomic(AVCodecContext *) asked; /* the decoder that was asked last */

int __real_av_interleaved_write_frame(AVFormatContext *oc, AVPacket *p);
int __wrap_av_interleaved_write_frame(AVFormatContext *oc, AVPacket *p);
int __real_avformat_write_header(AVFormatContext *oc, AVDictionary **opts);
int __wrap_avformat_write_header(AVFormatContext *oc, AVDictionary **opts);
int __real_av_write_trailer(AVFormatContext *oc);
int __wrap_av_write_trailer(AVFormatContext *oc);
int __real_avcodec_receive_packet(AVCodecContext *enc, AVPacket *p);
int __wrap_avcodec_receive_packet(AVCodecContext *enc, AVPacket *p);
int __real_avcodec_receive_frame(AVCodecContext *dec, AVFrame *f);
int __wrap_avcodec_receive_frame(AVCodecContext *dec, AVFrame *f);

int __wrap_av_interleaved_write_frame(AVFormatContext *oc, AVPacket *p)
{
    if (p->stream_index == bad.stream && ++muxed == bad.packet) {
        av_packet_unref(p);
        return 0;
    }
    if (bad.memory)
        errno = ENOMEM;
    if (bad.unordered && p->stream_index == bad.stream)
        p->pts = p->dts;
    return __real_av_interleaved_write_frame(oc, p);
}

int __wrap_avformat_write_header(AVFormatContext *oc, AVDictionary **opts)
{
    const unsigned n = oc->nb_chapters;

    oc->nb_chapters = bad.chapters ? 0 : n;
    const int ret = __real_avformat_write_header(oc, bad.options ? NULL : opts);
    oc->nb_chapters = n;
    return ret;
}

int __wrap_av_write_trailer(AVFormatContext *oc)
{
    const unsigned n = oc->nb_chapters;

    oc->nb_chapters = bad.chapters ? 0 : n;
    const int ret = __real_av_write_trailer(oc);
    oc->nb_chapters = n;
    return ret;
}

int __wrap_avcodec_receive_packet(AVCodecContext *enc, AVPacket *p)
{
    const int ret = __real_avcodec_receive_packet(enc, p);

    if (ret < 0 || enc->codec_type != AVMEDIA_TYPE_VIDEO || ++sent != bad.sent)
        return ret;
    av_packet_unref(p);
    return __real_avcodec_receive_packet(enc, p);
}

int __wrap_avcodec_receive_frame(AVCodecContext *dec, AVFrame *f)
{
    const int ret = __real_avcodec_receive_frame(dec, f);

    asked = dec;
    if (starved)
        errno = ENOMEM;
    if (ret < 0 || ++came != bad.frame)
        return ret;
    av_frame_unref(f);
    return __real_avcodec_receive_frame(dec, f);
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static bool ready;

static int make_clip(void **state)
{
    if (make_dir(state) < 0 || !have_ffmpeg())
        return 0;
    const char *const chapters =
        ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/10\nSTART=0\nEND=4\ntitle=x\n";
    rp_file_write(in_dir("ch.txt"), (const uint8_t *) chapters, strlen(chapters));
    ready = shell("ffmpeg -v error -nostdin -y -f lavfi -i testsrc2=size=64x48:rate=25:d=0.8 "
                  "-f lavfi -i sine=500:d=0.8 -i ch.txt -map 0 -map 1 -map_chapters 2 -c:v libx264 "
                  "-preset ultrafast -bf 2 -c:a aac a.mp4 && ffmpeg -v error -nostdin -y -i a.mp4 "
                  "-c:v copy -c:a pcm_s16le pcm.mov") == 0;
    return 0;
}

static int transcode(const char *in, const char *out, const char *encoder)
{
    struct rp_reader *r = NULL;
    struct rp_writer *w = NULL;
    struct rp_media_frame *f = NULL;
    const struct rp_writer_params params = {.video_encoder = encoder,
                                            .video_preset = "veryfast", /* with B frames */
                                            .video_quality = 50,
                                            .audio_volume = 100,
                                            .audio_quality = 50,
                                            .threads = 1,
                                            .refuse = true};

    muxed = sent = came = 0;
    int ret = rp_reader_open(&r, in, &(struct rp_reader_params){.threads = 1, .refuse = true});
    if (ret >= 0)
        ret = rp_writer_open(&w, out, in, r, &params);
    while (ret >= 0 && (ret = rp_reader_next(r, &f)) >= 0 && f) {
        ret = rp_writer_write(w, f);
        rp_media_frame_free(&f);
    }
    if (ret >= 0)
        ret = rp_writer_finish(w);
    rp_writer_close(&w);
    rp_reader_close(&r);
    return ret;
}

static int no_fault(void **state)
{
    (void) state;
    memset(&bad, 0, sizeof(bad));
    return 0;
}

static void assert_lost(const char *in, const char *out, const char *encoder, const char *words)
{
    const int ret = transcode(in_dir(in), in_dir(out), encoder);

    if (ret != RP_ERR_AGAIN || !strstr(rp_last_error(), words))
        fail_msg("%s: %d, '%s', no '%s'", out, ret, ret < 0 ? rp_last_error() : "", words);
    memset(&bad, 0, sizeof(bad));
}

static const struct {
    const char *name, *encoder;
    int stream;
} outs[] = {
    {"o.mp4", "libx264", 0}, {"o.mp4", "libx265", 0},     {"o.mov", "prores_ks", 0},
    {"o.mkv", "libx264", 0}, {"o.webm", "libvpx-vp9", 0}, {"o.avi", "mpeg4", 0},
    {"o.gif", "gif", 0},     {"o.flv", "libx264", 0},     {"o.ts", "libx264", 0},
    {"o.wmv", "mpeg4", 0},   {"o.mp4", "libx264", 1},     {"o.mkv", "libx264", 1},
};

static void test_packet(void **state)
{
    static const int places[] = {1, 7, 20};

    (void) state;
    if (!ready)
        skip();
    for (size_t i = 0; i < RP_ARRAY_LEN(outs); i++) {
        memset(&bad, 0, sizeof(bad));
        if (transcode(in_dir("a.mp4"), in_dir(outs[i].name), outs[i].encoder) < 0)
            fail_msg("%s: %s", outs[i].name, rp_last_error());
        for (size_t k = 0; k < RP_ARRAY_LEN(places); k++) {
            bad.stream = outs[i].stream;
            bad.packet = places[k];
            assert_lost("a.mp4", outs[i].name, outs[i].encoder, "in the file (");
        }
    }
}

static void test_pcm(void **state)
{
    (void) state;
    if (!ready)
        skip();
    assert_int_equal(transcode(in_dir("pcm.mov"), in_dir("o.mov"), "libx264"), 0);
    bad.stream = 1;
    bad.packet = 2;
    assert_lost("pcm.mov", "o.mov", "libx264", "bytes)");
}

static void test_tables(void **state)
{
    (void) state;
    if (!ready)
        skip();
    bad.unordered = true;
    assert_lost("a.mp4", "o.mp4", "libx264", "order");
    bad.options = true;
    assert_lost("a.mp4", "o.mp4", "libx264", "index");
    bad.chapters = true;
    assert_lost("a.mp4", "o.mkv", "libx264", "0 of 1 chapters");
}

static void test_encoder(void **state)
{
    (void) state;
    if (!ready)
        skip();
    bad.sent = 3;
    assert_lost("a.mp4", "o.mp4", "libx264", "libx264 gave 19 packets for 20 frames");
    bad.sent = 20;
    assert_lost("a.mp4", "o.mkv", "libx264", "libx264 gave 19 packets for 20 frames");
}

static void test_decoder(void **state)
{
    static const int places[] = {1, 2, 9, 20};

    (void) state;
    if (!ready)
        skip();
    for (size_t i = 0; i < RP_ARRAY_LEN(places); i++) {
        bad.frame = places[i];
        const int ret = transcode(in_dir("a.mp4"), in_dir("o.mp4"), "libx264");
        if (ret != RP_ERR_FORMAT || !strstr(rp_last_error(), "19 of 20 frames, 1 missing"))
            fail_msg("frame %d: %d, '%s'", places[i], ret, ret < 0 ? rp_last_error() : "");
    }
    memset(&bad, 0, sizeof(bad));
}

static void test_memory(void **state)
{
    (void) state;
    if (!ready)
        skip();
    bad.memory = true;
    assert_int_equal(transcode(in_dir("a.mp4"), in_dir("o.mp4"), "libx264"), RP_ERR_NOMEM);
    memset(&bad, 0, sizeof(bad));
    errno = ENOMEM; /* of something before is nothing */
    assert_int_equal(transcode(in_dir("a.mp4"), in_dir("o.mp4"), "libx264"), 0);
}

/* Another file, in a thread of its own that gets no memory. */
static void *read_starved(void *ret)
{
    struct rp_reader *r = NULL;

    starved = true;
    *(int *) ret = rp_reader_open(&r, in_dir("a.mp4"), NULL);
    rp_reader_close(&r);
    return NULL;
}

static void *complain(void *dec)
{
    av_log(dec, AV_LOG_ERROR, "Cannot allocate memory for a picture\n");
    return NULL;
}

static void in_thread(void *(*fn)(void *), void *arg)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, fn, arg), 0);
    pthread_join(thread, NULL);
}

static int read_one(struct rp_reader *r)
{
    struct rp_media_frame *f = NULL;
    const int ret = rp_reader_next(r, &f);

    rp_media_frame_free(&f);
    return ret;
}

/* What one file lacks is nothing to those who work on others at the same time. */
static void test_memory_of_others(void **state)
{
    struct rp_reader *a = NULL, *b = NULL;
    int ret = 0;

    (void) state;
    if (!ready)
        skip();
    assert_int_equal(rp_reader_open(&a, in_dir("a.mp4"), NULL), 0);
    AVCodecContext *const decoder = asked;
    in_thread(read_starved, &ret);
    assert_int_equal(ret, RP_ERR_NOMEM);
    assert_int_equal(read_one(a), 0);

    assert_int_equal(rp_reader_open(&b, in_dir("pcm.mov"), NULL), 0);
    in_thread(complain, decoder); /* as the threads of a's decoder do */
    assert_int_equal(read_one(b), 0);
    assert_int_equal(read_one(a), RP_ERR_NOMEM);
    assert_int_equal(read_one(a), RP_ERR_NOMEM); /* nor is anything after that trusted */
    assert_int_equal(read_one(b), 0);
    rp_reader_close(&a);
    rp_reader_close(&b);
}

/* In its own calls, one after the other in one thread, each has its own. */
static void test_memory_in_turn(void **state)
{
    struct rp_reader *a = NULL, *b = NULL;

    (void) state;
    if (!ready)
        skip();
    assert_int_equal(rp_reader_open(&a, in_dir("a.mp4"), NULL), 0);
    assert_int_equal(rp_reader_open(&b, in_dir("pcm.mov"), NULL), 0);
    assert_int_equal(read_one(b), 0); /* the first has been decoded already */
    starved = true;
    assert_int_equal(read_one(b), RP_ERR_NOMEM);
    starved = false;
    errno = ENOMEM; /* of whoever else uses the thread */
    assert_int_equal(read_one(a), 0);
    assert_int_equal(read_one(b), RP_ERR_NOMEM);
    rp_reader_close(&a);
    rp_reader_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_packet, no_fault),
        cmocka_unit_test_setup(test_pcm, no_fault),
        cmocka_unit_test_setup(test_tables, no_fault),
        cmocka_unit_test_setup(test_encoder, no_fault),
        cmocka_unit_test_setup(test_decoder, no_fault),
        cmocka_unit_test_setup(test_memory, no_fault),
        cmocka_unit_test_setup(test_memory_of_others, no_fault),
        cmocka_unit_test_setup(test_memory_in_turn, no_fault),
    };

    return cmocka_run_group_tests(tests, make_clip, remove_dir);
}
