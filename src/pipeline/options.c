/* Options of a job, the list of all groups, and the public rp_options_* functions over it. */
#include "pipeline/options.h"

#include <pthread.h>

#include "audio/voice.h"
#include "base/api.h"
#include "engine/graph.h"
#include "face/content.h"
#include "face/options.h"
#include "media/media.h"
#include "models/download.h"
#include "processors/processor.h"

static const char *const presets[] = {"ultrafast", "superfast", "veryfast", "faster", "fast",
                                      "medium", "slow", "slower", "veryslow", NULL};
static const char *const providers[] = {"cpu", "cuda", "tensorrt", NULL};
static const char *const damaged[] = {"refuse", "accept", NULL};
static const char *const levels[] = {"error", "warn", "info", "debug", NULL};

/* clang-format off */
static const struct rp_opt path_opts[] = {
    {"config-path", 0, RP_OPT_STRING, offsetof(struct rp_path_options, config), .meta = "FILE",
     .help = "ini file with defaults; else reprise.ini or facefusion.ini in the current folder"},
    {"models-path", 0, RP_OPT_STRING, offsetof(struct rp_path_options, models), .meta = "DIR",
     .ours = true, .help = "folder of the model files; default: $REPRISE_MODELS, else the user's cache"},
    {"source-paths", 's', RP_OPT_STRINGS, offsetof(struct rp_path_options, sources), .meta = "FILE...",
     .help = "pictures of the source face; an audio file among them replaces the target's sound"},
    {"target-path", 't', RP_OPT_STRING, offsetof(struct rp_path_options, target), .meta = "FILE",
     .help = "picture or video to work on"},
    {"output-path", 'o', RP_OPT_STRING, offsetof(struct rp_path_options, output), .meta = "FILE",
     .help = "file to write"},
    {"damaged-input", 0, RP_OPT_CHOICE, offsetof(struct rp_path_options, damaged), .def_text = "refuse",
     .choices = damaged, .ours = true, .help = "what to do with a file that is cut short or broken: nothing, or use what there is"},
    {0},
};
const struct rp_opt_group rp_path_group = {"paths", "Paths", sizeof(struct rp_path_options), path_opts};

static const struct rp_opt trim_opts[] = {
    {"trim-frame-start", 0, RP_OPT_INT, offsetof(struct rp_trim_options, start), 0, 2147483647, 1,
     .meta = "N", .help = "first frame"},
    {"trim-frame-end", 0, RP_OPT_INT, offsetof(struct rp_trim_options, end), 0, 2147483647, 1,
     .meta = "N", .help = "frame after the last"},
    {"frame", 0, RP_OPT_INT, offsetof(struct rp_trim_options, frame), 0, 2147483646, 1,
     .meta = "N", .help = "only this frame of a video, counted from 0; the output is a picture",
     .ours = true},
    {0},
};
const struct rp_opt_group rp_trim_group = {"frame_extraction", "Frame extraction", sizeof(struct rp_trim_options), trim_opts};

static const struct rp_opt output_opts[] = {
    {"output-image-quality", 0, RP_OPT_INT, offsetof(struct rp_output_options, image_quality), 0, 100, 1,
     .def_text = "80", .meta = "Q", .help = "quality of a lossy picture"},
    {"output-image-scale", 0, RP_OPT_FLOAT, offsetof(struct rp_output_options, image_scale), 0.25, 8, 0.25,
     .def_text = "1.0", .meta = "FACTOR", .help = "size of the picture relative to the target"},
    {"output-audio-encoder", 0, RP_OPT_CHOICE, offsetof(struct rp_output_options, audio_encoder),
     .choices_fn = rp_audio_encoders, .help = "encode the sound; default: copy it where the container allows"},
    {"output-audio-quality", 0, RP_OPT_INT, offsetof(struct rp_output_options, audio_quality), 0, 100, 1,
     .def_text = "80", .meta = "Q", .help = "quality when sound is encoded"},
    {"output-audio-volume", 0, RP_OPT_INT, offsetof(struct rp_output_options, audio_volume), 0, 100, 1,
     .def_text = "100", .meta = "PERCENT", .help = "loudness; 0 leaves the sound out, less than 100 encodes it"},
    {"output-video-encoder", 0, RP_OPT_CHOICE, offsetof(struct rp_output_options, video_encoder),
     .choices_fn = rp_video_encoders, .elsewhere = rp_elsewhere_encoders, .help = "video encoder; default: the first of the list that fits the container"},
    {"output-video-preset", 0, RP_OPT_CHOICE, offsetof(struct rp_output_options, video_preset),
     .def_text = "veryfast", .choices = presets, .help = "speed of the encoder against size"},
    {"output-video-quality", 0, RP_OPT_INT, offsetof(struct rp_output_options, video_quality), 0, 100, 1,
     .def_text = "80", .meta = "Q", .help = "quality of the video"},
    {"output-video-scale", 0, RP_OPT_FLOAT, offsetof(struct rp_output_options, video_scale), 0.25, 8, 0.25,
     .def_text = "1.0", .meta = "FACTOR", .help = "size of the video relative to the target"},
    {"output-video-fps", 0, RP_OPT_FLOAT, offsetof(struct rp_output_options, video_fps), 1, 60, 0,
     .meta = "FPS", .help = "constant frame rate; default: the target's timestamps as they are"},
    {"output-video-piece", 0, RP_OPT_FLOAT, offsetof(struct rp_output_options, video_piece), 0, 600, 0,
     .def_text = "2", .meta = "SECONDS", .ours = true, .help = "length of the pieces that are encoded at the same time, each with its own encoder (libx264, libx265, libvpx-vp9); 0: one encoder for the whole video; unless given, a video of less than ten pieces is not cut"},
    {"resume", 0, RP_OPT_FLAG, offsetof(struct rp_output_options, resume), .ours = true,
     .help = "fail if there is nothing to go on with; a video in pieces whose run was killed goes on by itself"},
    {"segment", 0, RP_OPT_STRING, offsetof(struct rp_output_options, segment), .meta = "I/N|auto", .ours = true,
     .help = "make the I-th of N shares of a video's pieces, for 'reprise join'; auto: as the scheduler says"},
    {0},
};
const struct rp_opt_group rp_output_group = {"output_creation", "Output", sizeof(struct rp_output_options), output_opts,
    .former = rp_former_output};

static const struct rp_opt processors_opts[] = {
    {"processors", 0, RP_OPT_CHOICES, offsetof(struct rp_processors_options, processors),
     .def_text = "face_swapper", .choices_fn = rp_processor_choices, .help = "what to do, in this order"},
    {0},
};
const struct rp_opt_group rp_processors_group = {"processors", "Processors", sizeof(struct rp_processors_options), processors_opts};

static const char *const decoders[] = {"cpu", "gpu", NULL};

static const char *const network_engines[] = {"auto", "native", "onnxruntime", NULL};

static const struct rp_opt execution_opts[] = {
    {"execution-providers", 0, RP_OPT_CHOICES, offsetof(struct rp_execution_options, providers),
     .def_text = "cpu", .choices = providers, .elsewhere = rp_elsewhere_providers, .help = "where networks run"},
    {"execution-device-ids", 0, RP_OPT_INTS, offsetof(struct rp_execution_options, device_ids), 0, 15, 1,
     .def_text = "0", .meta = "N...", .help = "GPUs to use"},
    {"execution-thread-count", 0, RP_OPT_INT, offsetof(struct rp_execution_options, threads), 1, 32, 1,
     .def_text = "8", .meta = "N", .help = "frames worked on at once on the CPU; never more than there are cores"},
    {"network-engine", 0, RP_OPT_CHOICE, offsetof(struct rp_execution_options, network_engine), .def_text = "auto",
     .choices = network_engines, .ours = true,
     .help = "what runs networks; native: our own operations where they can; auto: so on a GPU, ONNX Runtime on the CPU"},
    {"precision", 0, RP_OPT_CHOICE, offsetof(struct rp_execution_options, precision), .def_text = "auto",
     .choices = rp_precision_names, .ours = true,
     .help = "of our own operations; fp16: stored as float16; fp32: multiplied as float32, slower on a GPU; auto: on a GPU fp32 for small networks, fp16 where that is as near to float32 as TF32, measured once for videos, and kept"},
    {"video-decoder", 0, RP_OPT_CHOICE, offsetof(struct rp_execution_options, video_decoder), .def_text = "cpu",
     .choices = decoders, .ours = true,
     .help = "what decodes the target; gpu: the GPU that works on it does if it can, and damage inside a picture goes unnoticed"},
    {0},
};
const struct rp_opt_group rp_execution_group = {"execution", "Execution", sizeof(struct rp_execution_options), execution_opts};

static const struct rp_opt misc_opts[] = {
    {"log-level", 0, RP_OPT_CHOICE, offsetof(struct rp_misc_options, log_level),
     .def_text = "info", .choices = levels, .help = "which messages are shown"},
    {0},
};
const struct rp_opt_group rp_misc_group = {"misc", "Messages", sizeof(struct rp_misc_options), misc_opts};

static const char *const bench_parts[] = {"roof", "models", "frame", "analyse", "jobs", NULL};
static const char *const bench_modes[] = {"warm", "cold", NULL};

static const struct rp_opt bench_opts[] = {
    {"benchmark-mode", 0, RP_OPT_CHOICE, offsetof(struct rp_benchmark_options, mode), .def_text = "warm",
     .choices = bench_modes, .help = "whole jobs: with an untimed one first, or without"},
    {"benchmark-cycle-count", 0, RP_OPT_INT, offsetof(struct rp_benchmark_options, cycles), 1, 10, 1,
     .def_text = "5", .meta = "N", .help = "whole jobs: how many"},
    {"benchmark-parts", 0, RP_OPT_CHOICES, offsetof(struct rp_benchmark_options, parts),
     .def_text = "roof models frame analyse jobs", .choices = bench_parts, .ours = true, .help = "what to measure"},
    {"benchmark-models", 0, RP_OPT_STRINGS, offsetof(struct rp_benchmark_options, models), .meta = "FILE...",
     .ours = true, .help = "further networks to measure, any ONNX file"},
    {"benchmark-frame", 0, RP_OPT_SIZE, offsetof(struct rp_benchmark_options, frame), .def_text = "1920x1080",
     .meta = "WxH", .ours = true, .help = "size of the frame that is worked on"},
    {"benchmark-soak", 0, RP_OPT_INT, offsetof(struct rp_benchmark_options, soak), 0, 100000000, 1,
     .def_text = "0", .meta = "N", .ours = true, .help = "replay the frame N times, a network 5 N times, and watch the memory"},
    {"benchmark-quick", 0, RP_OPT_FLAG, offsetof(struct rp_benchmark_options, quick),
     .ours = true, .help = "fewer runs of everything"},
    {0},
};
const struct rp_opt_group rp_benchmark_group = {
    "benchmark", "Benchmark", sizeof(struct rp_benchmark_options), bench_opts,
};
/* clang-format on */

static const struct rp_opt_group *const fixed[] = {
    &rp_path_group,    &rp_detector_group, &rp_landmarker_group,   &rp_selector_group,
    &rp_tracker_group, &rp_mask_group,     &rp_distribution_group, &rp_voice_group,
    &rp_trim_group,    &rp_output_group,  &rp_content_group,     &rp_processors_group,
};
static const struct rp_opt_group *const last[] = {
    &rp_benchmark_group, &rp_execution_group, &rp_graph_group, &rp_download_group, &rp_misc_group};

#define MAX_GROUPS 64

static const struct rp_opt_group *all[MAX_GROUPS];

/* The processors' own groups come from their table, between the fixed ones and the last. */
static void list_groups(void)
{
    size_t n = 0, most = MAX_GROUPS - 1 - RP_ARRAY_LEN(last);

    for (size_t i = 0; i < RP_ARRAY_LEN(fixed); i++)
        all[n++] = fixed[i];
    for (int i = 0; rp_facefusion_groups[i]; i++)
        most--;
    for (int i = 0; rp_processors[i] && n < most; i++)
        if (rp_processors[i]->group)
            all[n++] = rp_processors[i]->group;
    for (size_t i = 0; i < RP_ARRAY_LEN(last); i++)
        all[n++] = last[i];
    for (int i = 0; rp_facefusion_groups[i]; i++)
        all[n++] = rp_facefusion_groups[i];
}

const struct rp_opt_group *const *rp_all_groups(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, list_groups);
    return all;
}

bool rp_accepts_damage(const struct rp_settings *settings)
{
    const struct rp_path_options *const o = rp_settings_get(settings, &rp_path_group);

    return o->damaged == 1;
}

struct rp_range rp_frame_range(const struct rp_settings *settings)
{
    const struct rp_trim_options *const o = rp_settings_get(settings, &rp_trim_group);

    if (rp_settings_is_set(settings, "frame"))
        return (struct rp_range){o->frame, (int64_t) o->frame + 1, true};
    return (struct rp_range){o->start, o->end, rp_settings_is_set(settings, "trim-frame-end")};
}

/* ---- files ----------------------------------------------------------------------------------- */

struct files {
    const struct rp_settings *settings;
    rp_option_file_fn *fn;
    void *priv;
};

static void each_file(void *priv, const struct rp_opt_group *group, const struct rp_opt *opt)
{
    const struct files *const f = priv;

    if (opt->type != RP_OPT_STRINGS)
        return;
    const char *const options = rp_settings_get(f->settings, group);
    const struct rp_opt_strings *const words = (const void *) (options + opt->offset);
    for (int i = 0; i < words->n; i++) {
        f->fn(f->priv, group, opt, words->v[i]);
        for (const char *at = strchr(words->v[i], '='); at; at = strchr(at + 1, '=')) {
            char *const head = strndup(words->v[i], (size_t) (at - words->v[i]));

            if (head)
                f->fn(f->priv, group, opt, head);
            free(head);
            f->fn(f->priv, group, opt, at + 1);
        }
    }
}

void rp_option_files(const struct rp_settings *settings, rp_option_file_fn *fn, void *priv)
{
    rp_settings_each(settings, each_file, &(struct files){settings, fn, priv});
}

/* ---- the public object ----------------------------------------------------------------------- */

struct rp_options {
    struct rp_settings *settings;
    char *job_file; /* of a job in segments, whose options they are; or NULL */
};

const char *rp_options_job_file(const struct rp_options *options)
{
    return options->job_file;
}

void rp_options_set_job_file(struct rp_options *options, char *path)
{
    free(options->job_file);
    options->job_file = path;
}

const struct rp_settings *rp_options_settings(const struct rp_options *options)
{
    return options->settings;
}

int rp_options_create_api(rp_options **out, int api)
{
    int ret;
    rp_options *o;

    *out = NULL;
    RP_CHECK(rp_api_check(api));
    if (!(*out = o = calloc(1, sizeof(*o))))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    RP_TRY(rp_settings_create(&o->settings, rp_all_groups()));
    return 0;

fail:
    rp_options_destroy(out);
    return ret;
}

void rp_options_destroy(rp_options **options)
{
    if (!*options)
        return;
    rp_settings_destroy(&(*options)->settings);
    free((*options)->job_file);
    free(*options);
    *options = NULL;
}

int rp_options_set_words(rp_options *options, const char *name, int n, const char *const *words)
{
    return rp_settings_set(options->settings, name, n, words);
}

int rp_options_set(rp_options *options, const char *name, const char *value)
{
    int n = 0, ret;
    const char *words[RP_OPT_MAX_LIST];
    const struct rp_opt *const opt = rp_settings_find(options->settings, name, NULL);
    char *const copy = strdup(value ? value : "");

    if (!copy)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    if (opt && opt->type == RP_OPT_STRING) { /* one value, with its blanks */
        words[n++] = copy;
    } else {
        char *save = NULL;

        for (char *w = strtok_r(copy, " \t", &save); w && n < RP_OPT_MAX_LIST;
             w = strtok_r(NULL, " \t", &save))
            words[n++] = w;
    }
    ret = rp_settings_set(options->settings, name, n, words);
    free(copy);
    return ret;
}

int rp_options_read_config(rp_options *options, const char *path)
{
    return rp_settings_read_ini(options->settings, path);
}

int rp_options_get_text(const rp_options *options, const char *name, char **text)
{
    return rp_settings_get_text(options->settings, name, text);
}

int rp_options_get_words(const rp_options *options, const char *name, char ***words)
{
    return rp_settings_get_words(options->settings, name, words);
}

bool rp_options_is_given(const rp_options *options, const char *name)
{
    return rp_settings_is_set(options->settings, name);
}

char *rp_options_text(const rp_options *options, const char *name)
{
    return rp_settings_text(options->settings, name);
}

static void describe(rp_option_info *out, const struct rp_opt_group *group,
                     const struct rp_opt *opt)
{
    const enum rp_opt_type type = opt->type;

    *out = (rp_option_info){
        .group = group->name,
        .title = group->title,
        .name = opt->name,
        .letter = opt->letter,
        .help = opt->help,
        .meta = type == RP_OPT_FLAG ? NULL : opt->meta,
        .def_text = opt->def_text,
        .choices = rp_opt_choices(opt),
        .min = opt->min,
        .max = opt->max,
        .step = opt->step,
        .is_number = type == RP_OPT_INT || type == RP_OPT_FLOAT || type == RP_OPT_INTS,
        .is_flag = type == RP_OPT_FLAG,
        .is_ours = opt->ours,
        .no_effect = opt->no_effect,
        .is_list = type == RP_OPT_STRINGS || type == RP_OPT_CHOICES || type == RP_OPT_INTS,
    };
}

struct walk {
    void (*fn)(void *priv, const rp_option_info *info);
    void *priv;
};

static void walk_one(void *priv, const struct rp_opt_group *group, const struct rp_opt *opt)
{
    rp_option_info info;
    const struct walk *const w = priv;

    describe(&info, group, opt);
    w->fn(w->priv, &info);
}

void rp_options_each(const rp_options *options, void (*fn)(void *priv, const rp_option_info *info),
                     void *priv)
{
    rp_settings_each(options->settings, walk_one, &(struct walk){fn, priv});
}

struct search {
    const char *name;
    const struct rp_opt *opt;
    rp_option_info *out;
};

static void search_one(void *priv, const struct rp_opt_group *group, const struct rp_opt *opt)
{
    struct search *const s = priv;

    if (s->opt ? opt == s->opt : s->name[0] && !s->name[1] && opt->letter == s->name[0]) {
        describe(s->out, group, opt);
        s->opt = opt;
    }
}

int rp_options_find_sized(const rp_options *options, const char *name, rp_option_info *out,
                          size_t size)
{
    bool ambiguous = false;
    rp_option_info info = {0};
    struct search s = {.name = name, .out = &info};

    if (strlen(name) > 1) {
        s.opt = rp_settings_find(options->settings, name, &ambiguous);
        if (ambiguous)
            return rp_fail(RP_ERR_USAGE, "--%s: several options begin so; write more of its name",
                           name);
        if (!s.opt) /* the setter's message suggests a similar name */
            return rp_settings_set(options->settings, name, 0, NULL);
    }
    rp_settings_each(options->settings, search_one, &s);
    if (!s.opt)
        return rp_fail(RP_ERR_USAGE, "unknown option -%s", name);
    rp_api_give(out, size, &info, sizeof(info));
    return 0;
}
