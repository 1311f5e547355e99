/* What is said in a file, as a job hears it: a helper of test_voice.py.
 *
 *     speech_run MODELS FILE OUT [place ORIGIN] [OPTION VALUE]...
 *
 * Columns go to OUT as floats. On standard output: their number and the start in seconds; or "none"
 * for a file without sound. "place" is for a video's own sound; other OPTIONs are named without
 * dashes. Exit code: 0, or that of the command line, with the sentence on stderr. */
#include "audio/speech.h"
#include "pipeline/options.h"
#include "pipeline/speech.h"

static int save(const char *path, const struct rp_speech *speech)
{
    FILE *const file = fopen(path, "wb");
    const size_t n = (size_t) speech->count * RP_SPEECH_BANDS;

    if (!file || fwrite(speech->mel, sizeof(float), n, file) != n || fclose(file))
        return rp_fail(RP_ERR_IO, "%s: cannot be written", path);
    printf("%lld %.6f\n", (long long) speech->count, speech->start);
    return 0;
}

static int hear(char **argv, rp_runtime *runtime, rp_options *options)
{
    struct rp_speech *speech;
    struct rp_hearing h = {.runtime = runtime,
                           .settings = rp_options_settings(options),
                           .device = runtime->device,
                           .path = argv[2]};

    for (char **word = argv + 4; word[0] && word[1]; word += 2)
        if (!strcmp(word[0], "place"))
            h.sound = (struct rp_sound_params){.in_place = true, .origin = strtod(word[1], NULL)};
        else
            RP_CHECK(rp_options_set(options, word[0], word[1]));
    RP_CHECK(rp_hear(&speech, &h));
    const int ret = speech ? save(argv[3], speech) : 0;
    if (!speech)
        puts("none");
    rp_speech_free(&speech);
    return ret;
}

int main(int argc, char **argv)
{
    int ret;
    rp_runtime *runtime = NULL;
    rp_options *options = NULL;

    if (argc < 4)
        return 2;
    if ((ret = rp_runtime_create(&runtime, &(const rp_runtime_params){.models_path = argv[1]})) >=
            0 &&
        (ret = rp_options_create(&options)) >= 0)
        ret = hear(argv, runtime, options);
    rp_options_destroy(&options);
    rp_runtime_destroy(&runtime);
    return rp_exit_code(ret);
}
