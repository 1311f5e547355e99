/* Frames of one's own, one after the other: what an application does that has its own reader and
 * writer. Here the frames are BGR pixels on standard input and output:
 *
 *     ffmpeg -i clip.mp4 -f rawvideo -pix_fmt bgr24 - | frames me.jpg 640 360 mark.xmp |
 *         ffmpeg -f rawvideo -pix_fmt bgr24 -video_size 640x360 -framerate 25 -i - out.mp4
 *
 * The result has to say that it is synthetic: mark.xmp becomes the XMP packet to embed. */
#include <reprise/reprise.h>
#include <stdio.h>
#include <stdlib.h>

static int write_mark(const char *path, const char *mark)
{
    FILE *const file = fopen(path, "w");

    if (!file || fputs(mark, file) < 0 || fclose(file) != 0) {
        perror(path);
        return RP_ERR_IO;
    }
    return RP_OK;
}

static int loop(rp_pipeline *pipeline, rp_image *frame, const char *mark_path)
{
    const size_t size = (size_t) frame->stride * (size_t) frame->h;
    int ret = RP_OK;

    while (ret >= 0 && fread(frame->data, 1, size, stdin) == size) {
        ret = rp_pipeline_process(pipeline, frame); /* in place */
        if (ret >= 0 && fwrite(frame->data, 1, size, stdout) != size)
            ret = RP_ERR_IO;
    }
    if (ret >= 0 && frame->mark)
        ret = write_mark(mark_path, frame->mark);
    return ret;
}

int main(int argc, char **argv)
{
    rp_runtime *runtime = NULL;
    rp_options *options = NULL;
    rp_pipeline *pipeline = NULL;

    if (argc != 5) {
        fprintf(stderr, "usage: frames FACE WIDTH HEIGHT MARK.xmp <BGR >BGR\n");
        return 2;
    }
    rp_image frame = {.w = atoi(argv[2]), .h = atoi(argv[3]), .format = RP_PIXEL_BGR};
    frame.stride = 3 * (ptrdiff_t) frame.w;
    if (frame.w < 1 || frame.h < 1 || frame.w > 32768 || frame.h > 32768)
        return 2;
    frame.data = malloc((size_t) frame.stride * (size_t) frame.h);
    int ret = frame.data ? rp_runtime_create(&runtime, NULL) : RP_ERR_NOMEM;
    if (ret >= 0)
        ret = rp_options_create(&options);
    if (ret >= 0)
        ret = rp_options_set_words(options, "source-paths", 1, (const char **) &argv[1]);
    if (ret >= 0)
        ret = rp_pipeline_create(&pipeline, runtime, options); /* once for all frames */
    if (ret >= 0)
        ret = loop(pipeline, &frame, argv[4]);
    free(frame.data); /* ours: a swap changes neither size nor format */
    rp_pipeline_destroy(&pipeline);
    rp_options_destroy(&options);
    rp_runtime_destroy(&runtime);
    return rp_exit_code(ret);
}
