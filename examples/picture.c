/* Swap the face of one picture: picture FACE TARGET OUTPUT */
#include <reprise/reprise.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    rp_runtime *runtime = NULL;
    rp_options *options = NULL;
    rp_pipeline *pipeline = NULL;
    rp_image image = {0};

    if (argc != 4)
        return fprintf(stderr, "usage: picture FACE TARGET OUTPUT\n"), 2;
    int ret = rp_runtime_create(&runtime, NULL);
    if (ret >= 0 && (ret = rp_options_create(&options)) >= 0 &&
        (ret = rp_options_set_words(options, "source-paths", 1, (const char **) &argv[1])) >= 0 &&
        (ret = rp_pipeline_create(&pipeline, runtime, options)) >= 0 &&
        (ret = rp_image_read(&image, argv[2])) >= 0 &&
        (ret = rp_pipeline_process(pipeline, &image)) >= 0)
        ret = rp_image_write(&image, argv[3], 90); /* with the synthetic-media mark */
    rp_image_free(&image);
    rp_pipeline_destroy(&pipeline);
    rp_options_destroy(&options);
    rp_runtime_destroy(&runtime);
    return rp_exit_code(ret); /* the log has said why */
}
