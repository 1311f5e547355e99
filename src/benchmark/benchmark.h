/* Inside of rp_benchmark(): benchmark.c asks and puts together, model.c measures single
 * networks, frame.c the work on a frame, step.c that on several in step,
 * tools.c is what they share. */
#ifndef RP_BENCHMARK_H
#define RP_BENCHMARK_H

#include <jansson.h>

#include "pipeline/pipeline.h"

#define RP_BENCH_MAX_SLOTS 8

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

/* What a device can do at best, as measured. 0 = not known. */
struct rp_roof {
    double flops; /* of one large matrix product */
    double copy;  /* bytes a second, read and written together */
};

struct rp_bench {
    rp_runtime *runtime;
    rp_options *options;
    const struct rp_settings *settings;
    const struct rp_benchmark_options *o;
    struct rp_engine *engine;
    struct rp_device *device;
    struct rp_graph_options graph; /* the user's, whatever mode they ask for: frame */
    struct rp_roof roof;
    int max_slots;
    bool gpu;
};

/* ---- tools ---- */

struct rp_times {
    int n;
    double median, p95, mean; /* seconds */
};

/* Time a function: some runs to warm up, then at least 50 (10 when quick) and 0.8 seconds,
 * but no more than a few times that. */
int rp_bench_time(const struct rp_bench *b, rp_record_fn *fn, void *priv, struct rp_times *out);

/* A number; null when it is not finite. */
void rp_bench_put(json_t *o, const char *key, json_t *value);
void rp_bench_number(json_t *o, const char *key, double v);
void rp_bench_text(json_t *o, const char *key, const char *v);

/* KEY and KEY_p95 in milliseconds; null where t is NULL. */
void rp_bench_times(json_t *o, const char *key, const struct rp_times *t);

/* The last failure as "KEY": for what could not be measured. */
void rp_bench_reason(json_t *o, const char *key);

/* Memory of the process, and what is free on the device (0 on the CPU). */
double rp_bench_rss(void);
double rp_bench_free(const struct rp_bench *b);

/* Is there room for as much again as `before - now` of device memory? */
bool rp_bench_room(const struct rp_bench *b, double before);

/* Seconds of processor time of this thread. */
double rp_bench_cpu(void);

json_t *rp_bench_environment(const struct rp_bench *b);

/* ---- parts ---- */

int rp_bench_roof(struct rp_bench *b);

/* @param dims  sizes of the inputs, NULL inside = as the file says */
json_t *rp_bench_model(struct rp_bench *b, const char *path, const char *name,
                       const int64_t *const *dims, json_t **soak);
json_t *rp_bench_frame(struct rp_bench *b, struct rp_pipeline *pipeline, json_t **soak);

/* Frames in step, on these frames. The plan's recorded mode does not matter. */
json_t *rp_bench_in_step(struct rp_bench *b, const struct rp_plan *plan, struct rp_media_frame *frame,
                         int variants);

json_t *rp_bench_analysis(struct rp_bench *b, struct rp_pipeline *pipeline);

#endif /* RP_BENCHMARK_H */
