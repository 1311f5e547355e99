/* Videos through reader and writer, as a job without processors: a helper of test_keeps.py.
 *
 *     media_run [IN OUT ENCODER OPTION]...
 *
 * ENCODER may be "-"; OPTION is "-", "rgb" (frames are read as RGB) or a height. Lines of the log
 * go to standard output, each after the name of the output; so does the sentence of a failure. */
#include "base/base.h"
#include "media/media.h"

static const char *output;

static void print_line(void *priv, enum rp_log_level level, const char *line)
{
    (void) priv;
    if (level <= RP_LOG_WARN)
        printf("%s|%s\n", output, line);
}

static int convert(char **job)
{
    int ret;
    struct rp_reader *r = NULL;
    struct rp_writer *w = NULL;
    struct rp_media_frame *f = NULL;
    const struct rp_reader_params in = {.refuse = true, .threads = 1, .rgb = !strcmp(job[3], "rgb")};
    const struct rp_writer_params out = {.video_encoder = job[2][0] == '-' ? NULL : job[2],
                                         .video_preset = "ultrafast",
                                         .video_quality = 90,
                                         .audio_volume = 100,
                                         .out_h = atoi(job[3]),
                                         .refuse = true,
                                         .threads = 1};

    RP_TRY(rp_reader_open(&r, job[0], &in));
    RP_TRY(rp_writer_open(&w, job[1], job[0], r, &out));
    while ((ret = rp_reader_next(r, &f)) >= 0 && f) {
        RP_TRY(rp_media_frame_writable(f));
        RP_TRY(rp_writer_write(w, f));
        rp_media_frame_free(&f);
    }
    if (ret >= 0)
        ret = rp_writer_finish(w);
fail:
    if (ret < 0)
        printf("%s|failed: %s\n", output, rp_last_error());
    rp_media_frame_free(&f);
    rp_writer_close(&w);
    rp_reader_close(&r);
    return ret;
}

int main(int argc, char **argv)
{
    int failed = 0;

    rp_set_log(RP_LOG_WARN, print_line, NULL);
    for (int i = 1; i + 3 < argc; i += 4) {
        output = argv[i + 1];
        failed += convert(argv + i) < 0;
    }
    return failed > 0;
}
