#include "engine/graph.h"

#include <math.h>

#include "base/timeline.h"

#define MAX_WATCH 32
#define RECORD_AFTER 2 /* uses: a shape seen only once is not worth recording */
#define MORE_RUNS 8    /* eager ones, to find out whether it is the replay that differs */

/* clang-format off */
static const char *const modes[] = {"frame", "model", "off", NULL};
static const char *const switches[] = {"on", "off", NULL};

static const char *const layouts[] = {"auto", "nchw", "nhwc", NULL};
static const char *const batches[] = {"1", "2", "4", "8", NULL};
static const char *const launches[] = {"auto", "1", "2", "4", "8", NULL};

static const struct rp_opt opts[] = {
    {"cuda-graph", 0, RP_OPT_CHOICE, offsetof(struct rp_graph_options, mode), .def_text = "frame",
     .choices = modes, .ours = true, .help = "record the work of a whole frame, of each model, or nothing, and replay it"},
    {"cuda-graph-warmup", 0, RP_OPT_INT, offsetof(struct rp_graph_options, warmup), 1, 100, 1,
     .def_text = "3", .meta = "N", .ours = true, .help = "eager runs before work is recorded for the first time; one before further slots record it"},
    {"cuda-graph-slots", 0, RP_OPT_STRING, offsetof(struct rp_graph_options, slots), .def_text = "auto",
     .meta = "N|auto", .ours = true, .help = "frames in flight on a GPU"},
    {"cuda-graph-frames", 0, RP_OPT_CHOICE, offsetof(struct rp_graph_options, frames), .def_text = "auto",
     .choices = launches, .ours = true, .help = "frames of a video that go in lockstep through one launch, each network once for all; auto: on a GPU 4 for videos of a minute if all networks are native, measured once for long ones, and kept; 1: single frames"},
    {"cuda-graph-memory", 0, RP_OPT_BYTES, offsetof(struct rp_graph_options, memory), 0, 1e15, 0,
     .def_text = "0", .meta = "BYTES", .ours = true, .help = "device memory for recordings; 0: what is free"},
    {"cuda-graph-verify", 0, RP_OPT_CHOICE, offsetof(struct rp_graph_options, verify), .def_text = "on",
     .choices = switches, .ours = true, .help = "compare one replay with eager work, bit for bit, after each recording"},
    {"cuda-layout", 0, RP_OPT_CHOICE, offsetof(struct rp_graph_options, layout), .def_text = "auto",
     .choices = layouts, .ours = true, .help = "memory layout of networks; auto: measured once for videos, and kept"},
    {"cuda-batch", 0, RP_OPT_CHOICE, offsetof(struct rp_graph_options, batch), .def_text = "1",
     .choices = batches, .ours = true, .help = "faces that run together through networks whose batch size is open"},
    {"cuda-graph-cache", 0, RP_OPT_STRING, offsetof(struct rp_graph_options, cache), .meta = "DIR|off",
     .ours = true, .help = "where optimised models and measured choices are kept; default: the user's cache"},
    {0},
};
/* clang-format on */

const struct rp_opt_group rp_graph_group = {
    "cuda_graph", "CUDA graphs", sizeof(struct rp_graph_options), opts,
};

enum rp_layout rp_graph_layout(const struct rp_graph_options *o)
{
    return o->layout == 0 ? RP_LAYOUT_AUTO : o->layout == 1 ? RP_LAYOUT_NCHW : RP_LAYOUT_NHWC;
}

int rp_graph_batch(const struct rp_graph_options *o)
{
    return 1 << o->batch;
}

int rp_graph_frames(const struct rp_graph_options *o)
{
    return o->frames ? 1 << (o->frames - 1) : 0;
}

struct watch {
    const void *data;
    size_t size;
};

struct rp_graph {
    struct rp_slot *slot;
    const struct rp_graph_options *options;
    const struct rp_device_fns *fns;
    struct rp_recording *recording;
    struct watch watch[MAX_WATCH];
    int nwatch;
    int uses;
    bool eager;    /* for good */
    bool flying;   /* a replay was launched and not waited for */
    bool inline_;
    int *recorded; /* by all that do this work; NULL: by itself alone */
    uint8_t *seen; /* what the last two eager runs wrote, and the replay */
    struct rp_graph_stats stats;
};

int rp_graph_create(struct rp_graph **out, struct rp_slot *slot, const char *name,
                    const struct rp_graph_options *options)
{
    struct rp_graph *const g = *out = calloc(1, sizeof(*g));

    if (!g)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    g->slot = slot;
    g->options = options;
    g->fns = slot->device->fns;
    g->eager = !g->fns->record_begin || options->mode == RP_GRAPH_OFF;
    snprintf(g->stats.name, sizeof(g->stats.name), "%s", name);
    g->stats.deterministic = true;
    return 0;
}

void rp_graph_share(struct rp_graph *g, int *recorded)
{
    g->recorded = recorded;
}

void rp_graph_destroy(struct rp_graph **graph)
{
    struct rp_graph *const g = *graph;

    if (!g)
        return;
    rp_graph_wait(g);
    if (g->recording)
        g->fns->recording_free(g->slot->device, &g->recording);
    free(g);
    *graph = NULL;
}

int rp_graph_watch(struct rp_graph *g, const void *data, size_t size)
{
    if (g->nwatch == MAX_WATCH)
        return rp_fail(RP_ERR_LIMIT, "more than %d results of one graph are watched", MAX_WATCH);
    g->watch[g->nwatch++] = (struct watch){data, size};
    return 0;
}

bool rp_graph_recorded(const struct rp_graph *g)
{
    return g->recording != NULL;
}

void rp_graph_get_stats(const struct rp_graph *g, struct rp_graph_stats *out)
{
    *out = g->stats;
    out->recorded = g->recording != NULL;
    if (g->fns->pool_bytes)
        out->pool_bytes = g->fns->pool_bytes(g->slot->stream);
}

/* ---- eager ----------------------------------------------------------------------------------- */

static int run_eager(struct rp_graph *g, rp_record_fn *fn, void *priv)
{
    int ret = fn(priv);

    if (ret >= 0 && !g->inline_)
        ret = rp_slot_sync(g->slot);
    g->stats.eager_runs++;
    return ret;
}

/* Has another slot recorded this work? Then its networks have run and chosen their algorithms. */
static bool is_known(const struct rp_graph *g)
{
    return g->recorded && *g->recorded > 0;
}

/* Stay eager from now on, and log the reason once. */
static void stay_eager(struct rp_graph *g, const char *why)
{
    g->eager = true;
    if (!g->inline_)
        g->slot->model_graphs = true; /* perhaps its models can be, one by one */
    snprintf(g->stats.reason, sizeof(g->stats.reason), "%s", why);
    rp_log(RP_LOG_WARN, "%s: not recorded as a CUDA graph: %s; it runs eagerly", g->stats.name,
           why);
}

/* ---- verification ---------------------------------------------------------------------------- */

static size_t watched(const struct rp_graph *g)
{
    size_t sum = 0;

    for (int i = 0; i < g->nwatch; i++)
        sum += g->watch[i].size;
    return sum;
}

static int snapshot(struct rp_graph *g, uint8_t *to)
{
    RP_CHECK(rp_slot_sync(g->slot));
    for (int i = 0; i < g->nwatch; i++) {
        RP_CHECK(rp_slot_download(g->slot, to, g->watch[i].data, g->watch[i].size));
        to += g->watch[i].size;
    }
    return rp_slot_sync(g->slot);
}

static int replay(struct rp_graph *g)
{
    RP_CHECK(g->fns->replay(g->slot->device, g->slot->stream, g->recording, g->inline_));
    g->flying = true;
    g->stats.replays++;
    return 0;
}

/* Bytes that differ. */
static size_t differences(const uint8_t *a, const uint8_t *b, size_t n)
{
    size_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += a[i] != b[i];
    return sum;
}

/* The replay is compared with the last eager run. Eager runs are compared with each other: where
 * these differ, a replay cannot be expected to equal them. It may differ in at most twice as many
 * places. A network whose runs differ now and then is given several chances to show it. */
static int verify(struct rp_graph *g, rp_record_fn *fn, void *priv)
{
    char why[160];
    const size_t n = watched(g);
    uint8_t *const first = g->seen, *const second = first + n, *const third = second + n;

    RP_CHECK(replay(g));
    RP_CHECK(rp_graph_wait(g));
    RP_CHECK(snapshot(g, third));

    const size_t diff = differences(second, third, n);
    size_t spread = differences(first, second, n);

    for (int i = 0; i < MORE_RUNS && diff > 2 * spread; i++) {
        RP_CHECK(run_eager(g, fn, priv));
        RP_CHECK(snapshot(g, second));
        spread = RP_MAX(spread, differences(first, second, n));
    }
    g->stats.deterministic = spread == 0;
    g->stats.identical = diff == 0;
    if (spread)
        rp_log(RP_LOG_DEBUG, "%s: eager runs differ in %zu of %zu bytes", g->stats.name, spread, n);
    if (diff > 2 * spread) {
        snprintf(why, sizeof(why), "its replay differs from eager in %zu of %zu bytes", diff, n);
        g->fns->recording_free(g->slot->device, &g->recording);
        stay_eager(g, why);
    }
    return 0;
}

/* ---- capture --------------------------------------------------------------------------------- */

/* Eager runs, of which the last two are kept for verification. */
static int warm_up(struct rp_graph *g, rp_record_fn *fn, void *priv)
{
    const double start = rp_now();
    const size_t n = watched(g);
    const int runs = is_known(g) ? 1 : g->options->warmup;

    g->seen = n && g->options->verify == 0 ? malloc(3 * n) : NULL;
    for (int i = 0; i < runs; i++) {
        RP_CHECK(run_eager(g, fn, priv));
        if (g->seen && i > 0)
            memcpy(g->seen, g->seen + n, n);
        if (g->seen)
            RP_CHECK(snapshot(g, g->seen + n));
    }
    if (g->seen && runs == 1)
        memcpy(g->seen, g->seen + n, n);
    RP_CHECK(rp_slot_sync(g->slot));
    g->stats.warmup_s = rp_now() - start;
    return 0;
}

/* True while the slot's buffers and recordings have not used up the allowed memory. */
static bool memory_left(const struct rp_graph *g)
{
    const size_t used = g->slot->bytes + g->fns->pool_bytes(g->slot->stream);

    return !g->options->memory || used < (size_t) g->options->memory;
}

static int capture(struct rp_graph *g, rp_record_fn *fn, void *priv)
{
    int ret;
    struct rp_device *const dev = g->slot->device;
    const double start = rp_now();

    if (!memory_left(g)) {
        stay_eager(g, "--cuda-graph-memory is used up");
        return 0;
    }
    rp_log_hold(true);
    RP_TRY(g->fns->record_begin(dev, g->slot->stream));
    if (fn(priv) < 0) {
        g->fns->record_drop(dev, g->slot->stream);
        goto fail;
    }
    RP_TRY(g->fns->record_end(dev, g->slot->stream, &g->recording));
    rp_log_hold(false);
    g->stats.capture_ms = 1e3 * (rp_now() - start);
    g->fns->recording_census(g->recording, &g->stats.census);
    rp_log(RP_LOG_DEBUG,
           "CUDA graph of %s: %d nodes (%d kernels, %d copies, %d loops), %zu bytes of "
           "its own, recorded in %.1f ms",
           g->stats.name, g->stats.census.nodes, g->stats.census.kernels, g->stats.census.memcpys,
           g->stats.census.conditionals, g->fns->pool_bytes(g->slot->stream), g->stats.capture_ms);
    rp_timeline_add("%s is recorded", g->stats.name);
    return 0;

fail:
    rp_log_hold(false);
    stay_eager(g, rp_last_error());
    return 0;
}

static int record(struct rp_graph *g, rp_record_fn *fn, void *priv)
{
    RP_CHECK(warm_up(g, fn, priv));
    rp_log(RP_LOG_DEBUG, "CUDA graph warmup completed for %s in %.2f seconds", g->stats.name,
           g->stats.warmup_s);
    RP_CHECK(capture(g, fn, priv));
    if (g->recording && g->seen)
        RP_CHECK(verify(g, fn, priv));
    if (g->recording && g->recorded)
        ++*g->recorded;
    return 0;
}

int rp_graph_run(struct rp_graph *g, rp_record_fn *fn, void *priv, bool inline_)
{
    g->inline_ = inline_;
    RP_CHECK(rp_graph_wait(g));
    if (g->recording)
        return replay(g);
    if (g->eager || (++g->uses < RECORD_AFTER && !is_known(g)))
        return run_eager(g, fn, priv);
    const int ret = record(g, fn, priv);
    free(g->seen);
    g->seen = NULL;
    if (ret < 0)
        return ret;
    return g->recording ? replay(g) : run_eager(g, fn, priv);
}

int rp_graph_wait(struct rp_graph *g)
{
    if (!g->flying)
        return 0;
    g->flying = false;
    return g->inline_ ? rp_slot_sync(g->slot)
                      : g->fns->replay_wait(g->slot->device, g->slot->stream);
}
