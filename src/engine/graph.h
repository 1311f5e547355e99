/* Recorded work: eager, then captured, then replayed.
 *
 * A graph object stands for one record function on one slot with everything it bakes in fixed
 * (shapes, addresses, chain of processors). It runs eagerly until it is worth recording, warms up,
 * captures, compares one replay with eager bit for bit, and from then on replays. Whatever goes
 * wrong on the way makes it eager for good, with one line that says why: never a wrong pixel.
 *
 * The record function must be repeatable: run twice on the
 * same inputs it gives the same outputs. */
#ifndef RP_GRAPH_H
#define RP_GRAPH_H

#include "base/option.h"
#include "engine/engine.h"

enum rp_graph_mode { RP_GRAPH_FRAME = 0, RP_GRAPH_MODEL, RP_GRAPH_OFF };

struct rp_graph_options {
    int mode;       /* enum rp_graph_mode */
    int warmup;     /* eager runs before the capture */
    char *slots;    /* "auto" or a number */
    int64_t memory; /* bytes of device memory that recordings may take; 0 = what is free */
    int verify;     /* index: 0 on, 1 off */
    int layout;     /* index: 0 auto, 1 nchw, 2 nhwc */
    int batch;      /* index: 1, 2, 4, 8 faces that run together where a network's batch is open */
    int frames;     /* index: 1, 2, 4, 8 frames in step in one launch */
    char *cache;    /* folder of the plan cache, or "off"; NULL = the user's cache */
};
extern const struct rp_opt_group rp_graph_group;

/* What --cuda-layout, --cuda-batch and --cuda-graph-frames say. */
enum rp_layout rp_graph_layout(const struct rp_graph_options *options);
int rp_graph_batch(const struct rp_graph_options *options);
int rp_graph_frames(const struct rp_graph_options *options); /* of --cuda-graph-frames */

struct rp_graph;

/* What can be told about a graph, for reports. */
struct rp_graph_stats {
    char name[96];
    int eager_runs, replays;
    bool recorded, identical, deterministic;
    double capture_ms;          /* capture, instantiation and upload */
    double warmup_s;
    struct rp_census census;
    size_t pool_bytes;
    char reason[192];           /* why it stays eager; "" if it does not */
};

/* @param options  must outlive the graph */
int rp_graph_create(struct rp_graph **out, struct rp_slot *slot, const char *name,
                    const struct rp_graph_options *options);
void rp_graph_destroy(struct rp_graph **graph);

/* Device memory that the record function writes and that verification compares. */
int rp_graph_watch(struct rp_graph *graph, const void *data, size_t size);

/* Do the work. A replay returns at once: wait with rp_graph_wait(). Eager work has ended on return.
 * @param inline_  replay in line with eager work of the device (a model inside an eager frame) */
int rp_graph_run(struct rp_graph *graph, rp_record_fn *fn, void *priv, bool inline_);
int rp_graph_wait(struct rp_graph *graph);

bool rp_graph_recorded(const struct rp_graph *graph);
void rp_graph_get_stats(const struct rp_graph *graph, struct rp_graph_stats *out);

#endif /* RP_GRAPH_H */
