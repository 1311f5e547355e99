/* Inside of rp_benchmark(): benchmark.c runs the parts and joins their results, model.c measures
 * single networks, frame.c the work on a frame, step.c the work on several in lockstep; tools.c is
 * what they share. */
#ifndef RP_BENCHMARK_H
#define RP_BENCHMARK_H

#include <jansson.h>

#include "pipeline/pipeline.h"

#define RP_BENCH_MAX_SLOTS 8

/* What a device can do at best, as measured. 0: unknown. */
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
    struct rp_graph_options graph; /* the user's, but with mode `frame` */
    struct rp_roof roof;
    int max_slots;
    bool gpu;
};

/* ---- tools ---- */

struct rp_times {
    int n;
    double median, p95, mean; /* seconds */
};

/* Time a function: some runs to warm up, then at least 50 runs (10 if quick) and 0.8 seconds, but
 * not more than a few times that. */
int rp_bench_time(const struct rp_bench *b, rp_record_fn *fn, void *priv, struct rp_times *out);

/* Set a field; null if the value is NULL (it is taken over), NaN or infinite. */
void rp_bench_put(json_t *o, const char *key, json_t *value);
void rp_bench_number(json_t *o, const char *key, double v);
void rp_bench_text(json_t *o, const char *key, const char *v);

/* Add KEY and KEY_p95 in milliseconds; null if t is NULL. */
void rp_bench_times(json_t *o, const char *key, const struct rp_times *t);

/* Add the sentence of the last failure as KEY, for what could not be measured. */
void rp_bench_reason(json_t *o, const char *key);

/* Memory of the process, and free memory of the device (0 on the CPU). */
double rp_bench_rss(void);
double rp_bench_free(const struct rp_bench *b);

/* Run a function n times, and a hundred times before that; add both memories before and after. */
void rp_bench_soak(const struct rp_bench *b, json_t *o, int n, rp_record_fn *fn, void *priv);

/* Is there room for as much device memory again as was taken since `before`? */
bool rp_bench_room(const struct rp_bench *b, double before);

/* Seconds of processor time of this thread. */
double rp_bench_cpu(void);

json_t *rp_bench_environment(const struct rp_bench *b);

/* ---- parts ---- */

int rp_bench_roof(struct rp_bench *b);

/* @param dims  sizes of the inputs; an element that is NULL: as in the file */
json_t *rp_bench_model(struct rp_bench *b, const char *path, const char *name,
                       const int64_t *const *dims, json_t **soak);
json_t *rp_bench_frame(struct rp_bench *b, struct rp_pipeline *pipeline, json_t **soak);

/* Measure lockstep on these frames. The graph mode of the plan is ignored. */
json_t *rp_bench_lockstep(struct rp_bench *b, const struct rp_plan *plan,
                          struct rp_media_frame *frame, int variants);

json_t *rp_bench_analysis(struct rp_bench *b, struct rp_pipeline *pipeline);

#endif /* RP_BENCHMARK_H */
