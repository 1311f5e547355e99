/* CUDA graphs: work that runs eagerly, is then captured, and then replayed.
 *
 * A graph object stands for one work function on one slot, with everything fixed that a capture
 * bakes in (shapes, addresses, chain of processors). It runs eagerly until it is worth recording,
 * warms up, captures, compares one replay bit for bit with the last eager run, and from then on
 * replays.
 * If anything goes wrong on the way it stays eager for good, with one log line that says why, so
 * that no pixel is ever wrong.
 *
 * The work must be repeatable: run twice on the same inputs it must give the same outputs. */
#ifndef RP_GRAPH_H
#define RP_GRAPH_H

#include "base/option.h"
#include "engine/engine.h"

enum rp_graph_mode { RP_GRAPH_FRAME = 0, RP_GRAPH_MODEL, RP_GRAPH_OFF };

struct rp_graph_options {
    int mode;       /* enum rp_graph_mode */
    int warmup;     /* eager runs before the capture, where it is the first of this work */
    char *slots;    /* "auto" or a number */
    int64_t memory; /* bytes of device memory that recordings may take; 0 = what is free */
    int verify;     /* index: 0 on, 1 off */
    int layout;     /* index: 0 auto, 1 nchw, 2 nhwc */
    int batch;      /* index: 1, 2, 4, 8 faces run together if a network's batch is open */
    int frames;     /* index: auto, 1, 2, 4, 8 frames in lockstep, in one launch */
    char *cache;    /* folder of the cache, or "off"; NULL = the user's cache */
};
extern const struct rp_opt_group rp_graph_group;

/* The values of --cuda-layout, --cuda-batch and --cuda-graph-frames (auto: 0). */
enum rp_layout rp_graph_layout(const struct rp_graph_options *options);
int rp_graph_batch(const struct rp_graph_options *options);
int rp_graph_frames(const struct rp_graph_options *options);

struct rp_graph;

/* Facts about a graph, for reports. */
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

/* Other slots do the same work: *recorded counts their recordings and this one's. Once there is one,
 * the networks have chosen their algorithms, so that work is recorded at its first use, after one
 * eager run. All of them are used by one thread; *recorded must outlive the graph. */
void rp_graph_share(struct rp_graph *graph, int *recorded);

/* Add device memory that the work writes, to be compared by verification. */
int rp_graph_watch(struct rp_graph *graph, const void *data, size_t size);

/* Do the work. A replay returns at once: wait for it with rp_graph_wait(). Eager work has ended on
 * return.
 * @param inline_  replay in order with the device's eager work (a model inside an eager frame) */
int rp_graph_run(struct rp_graph *graph, rp_record_fn *fn, void *priv, bool inline_);
int rp_graph_wait(struct rp_graph *graph);

bool rp_graph_recorded(const struct rp_graph *graph);
void rp_graph_get_stats(const struct rp_graph *graph, struct rp_graph_stats *out);

#endif /* RP_GRAPH_H */
