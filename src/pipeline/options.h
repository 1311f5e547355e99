/* Settings of the job as a whole, and the list of all option groups. */
#ifndef RP_PIPELINE_OPTIONS_H
#define RP_PIPELINE_OPTIONS_H

#include "base/option.h"

struct rp_path_options {
    char *config, *models;
    struct rp_opt_strings sources;
    char *target, *output;
    int damaged; /* 0: refuse; 1: accept */
};

/* Is input used that is damaged? */
bool rp_accepts_damage(const struct rp_settings *settings);

extern const struct rp_opt_group rp_path_group;

struct rp_trim_options {
    int start, end; /* frame numbers; end excluded */
    int frame;
};
extern const struct rp_opt_group rp_trim_group;

/* The frames of a video that are worked on, by --trim-frame-start and --trim-frame-end or --frame. */
struct rp_range {
    int64_t start, end; /* end excluded; 0: to the last */
    bool ends;          /* an end was given */
};
struct rp_range rp_frame_range(const struct rp_settings *settings);

struct rp_output_options {
    int image_quality;
    double image_scale;
    int audio_encoder; /* -1: copy */
    int audio_quality, audio_volume;
    int video_encoder; /* -1: the first that there is */
    int video_preset, video_quality;
    double video_scale, video_fps; /* fps 0: the target's */
    double video_piece;            /* seconds; 0: the video is not cut */
    bool resume;
    char *segment; /* NULL, or see rp_segment_parse() */
};
extern const struct rp_opt_group rp_output_group;

struct rp_processors_options {
    struct rp_opt_choices processors; /* indices into rp_processors[] */
};
extern const struct rp_opt_group rp_processors_group;

enum rp_provider { RP_PROVIDER_CPU = 0, RP_PROVIDER_CUDA, RP_PROVIDER_TENSORRT };

struct rp_execution_options {
    struct rp_opt_choices providers; /* enum rp_provider */
    struct rp_opt_ints device_ids;
    int threads;
    int video_decoder; /* index: 0 cpu, 1 gpu */
    int network_engine; /* enum rp_network_engine */
    int precision;      /* enum rp_precision */
};
extern const struct rp_opt_group rp_execution_group;

struct rp_misc_options {
    int log_level;
};
extern const struct rp_opt_group rp_misc_group;

/* What `reprise benchmark` measures (src/benchmark). */
struct rp_benchmark_options {
    struct rp_opt_strings models;
    struct rp_opt_choices parts; /* enum rp_bench_part */
    struct rp_opt_size frame;
    bool quick;
    int soak, cycles, mode;
};
extern const struct rp_opt_group rp_benchmark_group;

enum rp_bench_part {
    RP_BENCH_ROOF = 0,
    RP_BENCH_MODELS,
    RP_BENCH_FRAME,
    RP_BENCH_ANALYSE,
    RP_BENCH_JOBS,
};

/* facefusion.c: FaceFusion's options that have no effect here, NULL-terminated; names that are
 * elsewhere, and former ones. */
extern const struct rp_opt_group *const rp_facefusion_groups[];
extern const struct rp_opt_elsewhere rp_elsewhere_providers[], rp_elsewhere_encoders[];
extern const struct rp_opt_former rp_former_output[];

/* Every group, NULL-terminated. */
extern const struct rp_opt_group *const *rp_all_groups(void);

/* Each file that a list of words may name: a word as a whole, and both sides of each of its '='
 * (SOURCE=REFERENCE). Whether there is such a file is not asked.
 * @param fn  group and opt: the option that names it */
typedef void rp_option_file_fn(void *priv, const struct rp_opt_group *group,
                               const struct rp_opt *opt, const char *path);
void rp_option_files(const struct rp_settings *settings, rp_option_file_fn *fn, void *priv);

/* The settings inside the public object. */
const struct rp_settings *rp_options_settings(const struct rp_options *options);

/* The file that rp_options_read_job() has read them from, or NULL. The setter takes the string. */
const char *rp_options_job_file(const struct rp_options *options);
void rp_options_set_job_file(struct rp_options *options, char *path);

#endif /* RP_PIPELINE_OPTIONS_H */
