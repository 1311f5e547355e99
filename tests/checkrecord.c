/* checkrecord: the functions of recording, and what happens if something goes wrong meanwhile.
 *
 *     checkrecord [--device cuda|cpu] [--models FOLDER] [--network FILE]... [--repeats N] [--soak N]
 *
 *   verbs      two loops in one graph, a loop in a loop, a choice in a loop, a loop in a choice,
 *              with numbers that only the device knows: replay, eager and CPU give the same bytes
 *   beside     the same is recorded many times while another thread uses the GPU as a decoder does
 *   faults     recording is made to fail; it differs from eager runs, or these from each other; no
 *              memory for recordings; no GPU visible
 *   models     FOLDER comes from tests/fault_models.py: all kinds of networks that cannot be
 *              recorded
 *   batches    a network over 0 to 19 items in groups of 8, 4, 2, 1: compared with one at a time
 *   networks   each FILE: replays and eager runs give the same bytes, for 8 inputs, --repeats
 *              times each (3)
 *   pressure   another process takes the GPU's memory: an error, and recordings stay right
 *   soak       N replays of the first FILE: bytes, free device memory and RSS stay the same
 *
 * Parts that need a GPU are skipped without one. Exit: 0, or 1 after a failure. Last line: N
 * passed, ... */
#include <getopt.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/path.h"
#include "engine/batch.h"
#include "engine/form.h"
#include "engine/graph.h"
#include "engine/play.h"
#include "tell.h"

#define MAX_NETWORKS 64
#define MIB (1 << 20)

static struct {
    const char *device, *models, *network[MAX_NETWORKS];
    int networks, soak, repeats;
    int skipped;
} opt = {.device = "cuda", .repeats = 3};

static struct {
    struct rp_device *dev, *cpu;
    struct rp_engine *engine;
    bool gpu;
} here;

static const struct rp_graph_options on = {.mode = RP_GRAPH_FRAME, .warmup = 3, .verify = 0};

/* ---- words ----------------------------------------------------------------------------------- */

static void skip(const char *what)
{
    printf("skipped %s\n", what);
    opt.skipped++;
}

/* A step that must work, else the check has failed, with the reason. */
static bool must(const char *what, int ret)
{
    if (ret < 0)
        tell(false, "%s: %s", what, rp_last_error());
    return ret >= 0;
}

static double rss(void)
{
    long pages = 0, resident = 0;
    FILE *const f = fopen("/proc/self/statm", "r");

    if (f && fscanf(f, "%ld %ld", &pages, &resident) != 2)
        resident = 0;
    if (f)
        fclose(f);
    return (double) resident * (double) sysconf(_SC_PAGESIZE);
}

static size_t free_memory(void)
{
    size_t left = 0, total = 0;

    if (here.gpu)
        here.dev->fns->memory(here.dev, &left, &total);
    return left;
}

/* ---- verbs ----------------------------------------------------------------------------------- */

#define SIDE 64
#define SIZES 8

/* A picture that every step blurs a little, so that it shows which steps were done how often. */
struct scene {
    struct rp_slot *slot;
    struct rp_img src, img, small[SIZES];
    int32_t *number; /* device: three counts, two choices, and the loops' indices */
    struct rp_list list;
    struct rp_graph *graph;
    bool spoil;      /* do what must not be done while recording */
    unsigned other;  /* a bit for each run that gives something else than the rest */
    int runs;
};

enum { COUNT = 0, CHOICE = 3, INDEX = 5, NUMBERS = 10 };

static void blur(const struct scene *s, int size)
{
    RP_OP(s->slot, resize, .src = s->img, .dst = s->small[size]);
    RP_OP(s->slot, resize, .src = s->small[size], .dst = s->img);
}

static void blur_often(const struct scene *s, int count, int index, int size)
{
    rp_record_loop(s->slot, s->number + COUNT + count, s->number + INDEX + index);
    blur(s, size);
    rp_record_loop_end(s->slot);
}

/* A loop with a loop and a choice inside. */
static void nested(const struct scene *s)
{
    rp_record_loop(s->slot, s->number + COUNT, s->number + INDEX);
    blur(s, 0);
    blur_often(s, 1, 1, 1);
    rp_record_choice(s->slot, s->number + CHOICE);
    for (int i = 0; i < 4; i++) {
        rp_record_branch(s->slot);
        blur(s, 2 + i);
    }
    rp_record_choice_end(s->slot);
    blur(s, 6);
    rp_record_loop_end(s->slot);
}

static void record_scene(const struct scene *s)
{
    rp_record_copy(s->slot, s->img.data, s->src.data, (size_t) s->img.stride * SIDE);
    nested(s);
    blur(s, 7);
    blur_often(s, 2, 3, 3);
    rp_record_choice(s->slot, s->number + CHOICE + 1);
    rp_record_branch(s->slot);
    blur(s, 3);
    rp_record_branch(s->slot);
    blur_often(s, 2, 2, 4);
    rp_record_branch(s->slot);
    blur(s, 7);
    rp_record_choice_end(s->slot);
}

static int play(void *priv)
{
    struct scene *const s = priv;

    if (s->spoil)
        RP_CHECK(rp_slot_sync(s->slot));
    RP_CHECK(rp_play(&s->list, s->slot));
    return s->other && s->other >> s->runs++ & 1 ? rp_slot_zero(s->slot, s->img.data, SIDE) : 0;
}

static int open_scene(struct scene *s, struct rp_device *dev)
{
    int ret;
    uint8_t pixels[SIDE * SIDE * 3];

    *s = (struct scene){0};
    for (size_t i = 0; i < sizeof(pixels); i++)
        pixels[i] = (uint8_t) (i * 2654435761u >> 13);
    RP_TRY(rp_slot_create(&s->slot, dev));
    RP_TRY(rp_slot_image(s->slot, SIDE, SIDE, 3, &s->src));
    RP_TRY(rp_slot_image(s->slot, SIDE, SIDE, 3, &s->img));
    for (int i = 0; i < SIZES; i++)
        RP_TRY(rp_slot_image(s->slot, SIDE - 1 - 4 * i, SIDE - 3 - 3 * i, 3, &s->small[i]));
    RP_TRY(rp_slot_alloc(s->slot, NUMBERS * sizeof(int32_t), (void **) &s->number));
    RP_TRY(rp_slot_upload(s->slot, s->src.data, pixels, sizeof(pixels)));
    RP_TRY(rp_slot_sync(s->slot));
    rp_list_begin(&s->list, s->slot);
    record_scene(s);
    RP_TRY(rp_list_end(s->slot));
    RP_TRY(rp_graph_create(&s->graph, s->slot, "scene", &on));
    return rp_graph_watch(s->graph, s->img.data, (size_t) s->img.stride * SIDE);

fail:
    return ret;
}

static void close_scene(struct scene *s)
{
    rp_graph_destroy(&s->graph);
    rp_list_clear(&s->list);
    rp_slot_destroy(&s->slot);
}

static void draw_numbers(unsigned seed, int32_t *n)
{
    uint64_t r = seed * 0x9e3779b97f4a7c15u + 77;

    memset(n, 0, NUMBERS * sizeof(*n));
    for (int i = 0; i < INDEX; i++) {
        r = r * 6364136223846793005u + 1442695040888963407u;
        n[i] = (int32_t) (r >> 33) % (i < CHOICE ? 4 : 6) - 1; /* none and out of range too */
    }
}

static int run_scene(struct scene *s, const int32_t *number, bool graph, uint8_t *out)
{
    int ret;

    RP_TRY(rp_slot_upload(s->slot, s->number, number, NUMBERS * sizeof(*number)));
    RP_TRY(rp_slot_sync(s->slot));
    RP_TRY(graph ? rp_graph_run(s->graph, play, s, false) : play(s));
    if (graph)
        RP_TRY(rp_graph_wait(s->graph));
    RP_TRY(rp_slot_download(s->slot, out, s->img.data, (size_t) s->img.stride * SIDE));
    return rp_slot_sync(s->slot);

fail:
    return ret;
}

/* n draws of numbers. Returns how many gave other bytes than the CPU; -1 after an error. */
static int compare_scenes(struct scene *got, int n)
{
    int ret, wrong = 0;
    int32_t number[NUMBERS];
    uint8_t *const a = malloc(2 * SIDE * SIDE * 4), *const b = a + SIDE * SIDE * 4;
    struct scene cpu = {0};

    RP_TRY(open_scene(&cpu, here.cpu));
    for (int i = 0; i < n; i++) {
        draw_numbers((unsigned) i, number);
        RP_TRY(run_scene(&cpu, number, false, a));
        RP_TRY(run_scene(got, number, false, b));
        wrong += memcmp(a, b, (size_t) cpu.img.stride * SIDE) != 0;
        for (int k = 0; k < (i ? 1 : 3); k++) /* recorded at its second use */
            RP_TRY(run_scene(got, number, true, b));
        wrong += memcmp(a, b, (size_t) cpu.img.stride * SIDE) != 0;
    }
fail:
    close_scene(&cpu);
    free(a);
    return ret < 0 ? -1 : wrong;
}

static void check_verbs(void)
{
    struct scene s;
    struct rp_graph_stats stats;
    int wrong = -1;

    if (must("verbs", open_scene(&s, here.dev)) && (wrong = compare_scenes(&s, 200)) < 0)
        must("verbs", -1);
    if (wrong >= 0) {
        rp_graph_get_stats(s.graph, &stats);
        tell(!wrong && stats.recorded == here.gpu,
             "verbs: 200 draws, %d wrong, %d nodes, %d conditional", wrong, stats.census.nodes,
             stats.census.conditionals);
    }
    close_scene(&s);
}

/* ---- beside ---------------------------------------------------------------------------------- */

struct decoder {
    pthread_t thread;
    atomic_bool stop;
    atomic_int rounds;
    int ret;
    char why[256];
};

/* What a decoder does: allocates, fills, converts, reads back and frees surfaces, on streams of its
 * own. */
static void *decode(void *priv)
{
    int ret;
    struct decoder *const d = priv;
    struct rp_device *dev = NULL;

    RP_TRY(rp_device_cuda(&dev, 0));
    while (!d->stop) {
        struct scene s = {0};
        uint8_t out[SIDE * SIDE * 3];

        ret = open_scene(&s, dev);
        for (int i = 0; i < 20 && ret >= 0; i++)
            ret = rp_play(&s.list, s.slot);
        if (ret >= 0)
            ret = rp_slot_download(s.slot, out, s.img.data, sizeof(out));
        if (ret >= 0)
            ret = rp_slot_sync(s.slot);
        close_scene(&s);
        RP_TRY(ret);
        d->rounds++;
    }
fail:
    if ((d->ret = ret) < 0)
        snprintf(d->why, sizeof(d->why), "%s", rp_last_error());
    rp_device_destroy(&dev);
    return NULL;
}

static void check_beside(void)
{
    int wrong = 0, ret = 0, recorded = 0;
    struct decoder d = {0};

    if (!here.gpu) {
        skip("beside: no GPU");
        return;
    }
    pthread_create(&d.thread, NULL, decode, &d);
    while (!d.rounds && !d.ret)
        usleep(1000);
    const int before = d.rounds;
    for (int i = 0; i < 20 && ret >= 0; i++) {
        struct scene s;

        if ((ret = open_scene(&s, here.dev)) >= 0 && (ret = compare_scenes(&s, 5)) >= 0)
            wrong += ret;
        recorded += rp_graph_recorded(s.graph);
        close_scene(&s);
    }
    d.stop = true;
    pthread_join(d.thread, NULL);
    tell(ret >= 0 && d.ret >= 0 && !wrong && recorded == 20,
         "beside: recorded %d of 20 times during %d rounds of a decoder, %d wrong%s%s", recorded,
         d.rounds - before, wrong, d.ret < 0 ? ", decoder: " : "", d.why);
}

/* ---- faults ---------------------------------------------------------------------------------- */

static void check_spoiled(void)
{
    struct scene s;
    struct rp_graph_stats stats;
    int wrong = -1;

    if (!must("a wait while recording", open_scene(&s, here.dev)))
        return;
    s.spoil = true;
    wrong = compare_scenes(&s, 10);
    rp_graph_get_stats(s.graph, &stats);
    tell(!wrong && !stats.recorded && (stats.reason[0] || !here.gpu),
         "a wait while recording: eager, %d wrong (%s)", wrong, stats.reason);
    close_scene(&s);
    check_verbs(); /* nothing is left of it */
}

/* Runs 1 to 4 go before the recording, which is run 5; what follows is eager. */
static void check_unsteady(const char *what, unsigned other, bool recorded)
{
    struct scene s;
    struct rp_graph_stats stats;
    const int32_t number[NUMBERS] = {0};
    uint8_t out[SIDE * SIDE * 4];

    if (!here.gpu) {
        skip("unsteady work: no GPU");
        return;
    }
    if (!must(what, open_scene(&s, here.dev)))
        return;
    s.other = other;
    s.runs = 1;
    bool ok = true;
    for (int i = 0; ok && i < 2; i++) /* recorded at its second use */
        ok = must(what, run_scene(&s, number, true, out));
    if (ok) {
        rp_graph_get_stats(s.graph, &stats);
        tell(stats.recorded == recorded && !stats.identical && stats.deterministic != recorded,
             "%s: %srecorded (%s)", what, stats.recorded ? "" : "not ", stats.reason);
    }
    close_scene(&s);
}

static void check_no_room(void)
{
    struct rp_graph_options tight = on;
    struct rp_graph_stats stats;
    struct scene s;
    int wrong;

    tight.memory = 1;
    if (!here.gpu) {
        skip("no memory for recordings: no GPU");
        return;
    }
    if (!must("no memory for recordings", open_scene(&s, here.dev)))
        return;
    rp_graph_destroy(&s.graph);
    if (must("no memory for recordings", rp_graph_create(&s.graph, s.slot, "scene", &tight))) {
        wrong = compare_scenes(&s, 10);
        rp_graph_get_stats(s.graph, &stats);
        tell(!wrong && !stats.recorded && stats.reason[0],
             "no memory for recordings: eager, %d wrong (%s)", wrong, stats.reason);
    }
    close_scene(&s);
}

/* Runs this program again with one task; returns its exit status. */
static int child_task(const char *task, pid_t *out)
{
    int status = 0;
    const pid_t child = fork();

    if (child == 0) {
        if (!strcmp(task, "blind"))
            setenv("CUDA_VISIBLE_DEVICES", "", 1);
        execl("/proc/self/exe", "checkrecord", "--task", task, (char *) NULL);
        _exit(127);
    }
    if (out) {
        *out = child;
        return child > 0 ? 0 : -1;
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status)
               ? WEXITSTATUS(status) : -1;
}

/* In the child: a device that is not visible must be one clear error. */
static int task_blind(void)
{
    struct rp_device *dev = NULL;
    const int ret = rp_device_cuda(&dev, 0);

    return ret == RP_ERR_UNSUPPORTED && strstr(rp_last_error(), "no NVIDIA") ? 0 : 1;
}

static void check_blind(void)
{
    if (!here.gpu)
        skip("CUDA_VISIBLE_DEVICES= : no GPU");
    else
        tell(child_task("blind", NULL) == 0, "CUDA_VISIBLE_DEVICES= : one clear error");
}

/* ---- networks -------------------------------------------------------------------------------- */

struct network {
    struct rp_model *model;
    struct rp_slot *slot;
    struct rp_net *net;
    struct rp_graph *graph;
};

static int run_net(void *priv)
{
    return rp_net_run(priv);
}

static void close_network(struct network *n)
{
    rp_graph_destroy(&n->graph);
    rp_net_close(&n->net);
    rp_slot_destroy(&n->slot);
    rp_model_close(&n->model);
}

/* Open dimensions: the batch becomes 1, others 32. */
static int open_network(struct network *n, struct rp_device *dev, const char *path)
{
    int ret;
    int64_t dim[RP_MAX_TENSORS][RP_MAX_RANK];
    const int64_t *dims[RP_MAX_TENSORS];
    const struct rp_tensor_info *in;

    *n = (struct network){0};
    RP_TRY(rp_form_open(&n->model, here.engine, dev,
                        &(struct rp_model_params){.path = path, .layout = RP_LAYOUT_AUTO}, RP_MEASURE_ALL));
    const int nin = rp_model_inputs(n->model, &in);
    for (int i = 0; i < nin; i++) {
        for (int d = 0; d < in[i].rank; d++)
            dim[i][d] = in[i].dim[d] >= 0 ? in[i].dim[d] : d == 0 ? 1 : 32;
        dims[i] = dim[i];
    }
    RP_TRY(rp_slot_create(&n->slot, dev));
    RP_TRY(rp_net_open(&n->net, n->slot, n->model, dims));
    RP_TRY(rp_graph_create(&n->graph, n->slot, rp_path_base(path), &on));
    for (int i = 0; i < n->net->nout; i++)
        RP_TRY(rp_graph_watch(n->graph, n->net->out[i].data, n->net->out[i].bytes));
    return 0;

fail:
    return ret;
}

static void put_f32(uint8_t *to, float v)
{
    memcpy(to, &v, sizeof(v));
}

static void put_f64(uint8_t *to, double v)
{
    memcpy(to, &v, sizeof(v));
}

static void fill(const struct rp_tensor *t, uint8_t *to, unsigned seed)
{
    uint64_t r = (seed + 1) * 0x9e3779b97f4a7c15u;

    for (size_t i = 0; i < t->count; i++) {
        r = r * 6364136223846793005u + 1442695040888963407u;
        if (t->type == RP_TYPE_F32)
            put_f32(to + i * sizeof(float), (float) (int32_t) (r >> 32) * 0x1p-31f);
        else if (t->type == RP_TYPE_F64)
            put_f64(to + i * sizeof(double), (double) (int32_t) (r >> 32) * 0x1p-31);
        else
            memset(to + i * (t->bytes / t->count), (int) (r >> 63), t->bytes / t->count);
    }
}

static int set_inputs(struct network *n, unsigned seed)
{
    int ret = 0;

    for (int i = 0; i < n->net->nin; i++) {
        uint8_t *const host = calloc(1, n->net->in[i].bytes + 8);

        fill(&n->net->in[i], host, seed + 100u * (unsigned) i);
        ret = rp_slot_upload(n->slot, n->net->in[i].data, host, n->net->in[i].bytes);
        if (ret >= 0)
            ret = rp_slot_sync(n->slot);
        free(host);
        RP_TRY(ret);
    }
fail:
    return ret;
}

static size_t result_bytes(const struct network *n)
{
    size_t sum = 0;

    for (int i = 0; i < n->net->nout; i++)
        sum += n->net->out[i].bytes;
    return sum;
}

/* Run it with these inputs; writes all outputs, one after the other. Clears old outputs first. */
static int result(struct network *n, unsigned seed, bool graph, uint8_t *to)
{
    int ret;

    RP_TRY(set_inputs(n, seed));
    for (int i = 0; i < n->net->nout; i++)
        RP_TRY(rp_slot_zero(n->slot, n->net->out[i].data, n->net->out[i].bytes));
    RP_TRY(rp_slot_sync(n->slot));
    RP_TRY(graph ? rp_graph_run(n->graph, run_net, n->net, false) : rp_net_run(n->net));
    if (graph)
        RP_TRY(rp_graph_wait(n->graph));
    RP_TRY(rp_slot_sync(n->slot));
    for (int i = 0; i < n->net->nout; i++) {
        RP_TRY(rp_slot_download(n->slot, to, n->net->out[i].data, n->net->out[i].bytes));
        to += n->net->out[i].bytes;
    }
    return rp_slot_sync(n->slot);

fail:
    return ret;
}

#define INPUTS 8

/* Runs that differ from the first eager run with the same input. */
struct tally {
    int replay, eager;
};

static int differing(struct network *n, struct tally *t)
{
    int ret = 0;
    const size_t size = result_bytes(n);
    uint8_t *const want = malloc(2 * size + 16), *const got = want + size;

    *t = (struct tally){0};
    for (int i = 0; i < 3; i++)
        RP_TRY(result(n, 0, true, got));
    for (unsigned seed = 0; seed < INPUTS; seed++) {
        RP_TRY(result(n, seed, false, want));
        for (int i = 0; i < opt.repeats; i++) {
            RP_TRY(result(n, seed, true, got));
            t->replay += memcmp(want, got, size) != 0;
            RP_TRY(result(n, seed, false, got));
            t->eager += memcmp(want, got, size) != 0;
        }
    }
fail:
    free(want);
    return ret;
}

/* A network with nodes that the provider leaves to the CPU runs eagerly: nothing to compare. */
static bool is_eager(const char *path, const struct rp_graph_stats *stats)
{
    char words[512];

    if (!here.gpu || stats->recorded || !strstr(stats->reason, "cannot be recorded"))
        return false;
    snprintf(words, sizeof(words), "network %s: %s", rp_path_base(path), stats->reason);
    skip(words);
    return true;
}

static void check_network(const char *path)
{
    struct network n;
    struct rp_graph_stats stats;
    struct tally t;

    if (must(path, open_network(&n, here.dev, path)) && must(path, differing(&n, &t))) {
        rp_graph_get_stats(n.graph, &stats);
        if (!is_eager(path, &stats))
            tell(!t.replay && !t.eager && stats.recorded == here.gpu,
                 "network %-28s of %d replays %d differ, of as many eager runs %d; %s%s, %d nodes%s%s",
                 rp_path_base(path), INPUTS * opt.repeats, t.replay, t.eager,
                 rp_model_layout(n.model) == RP_LAYOUT_NHWC ? "nhwc" : "nchw",
                 rp_model_deterministic(n.model) ? " deterministic" : "", stats.census.nodes,
                 stats.reason[0] ? ": " : "", stats.reason);
    }
    close_network(&n);
}

/* ---- models that cannot be recorded ---------------------------------------------------------- */

static const struct fault {
    const char *name;
    bool recorded; /* on a GPU */
    bool fails;    /* one clear error */
} faults[] = {
    {"fine", true, false},   {"open_sizes", true, false}, {"branch", false, false},
    {"loop", false, false},  {"on_cpu", false, false},    {"by_values", false, true},
    {"unknown", false, true}, {"reshapes", true, false},  {"mixes_rows", true, false},
};

/* Largest difference from what the CPU gives, over 4 inputs. */
static int against_cpu(struct network *n, const char *path, double *most)
{
    int ret;
    struct network cpu = {0};
    const size_t size = result_bytes(n);
    float *const want = malloc(2 * size + 16), *const got = want + size / sizeof(float);

    RP_TRY(open_network(&cpu, here.cpu, path));
    for (unsigned seed = 0; seed < 4; seed++) {
        RP_TRY(result(&cpu, seed, false, (uint8_t *) want));
        RP_TRY(result(n, seed, true, (uint8_t *) got));
        for (size_t i = 0; i < size / sizeof(float); i++)
            *most = fmax(*most, fabs((double) want[i] - (double) got[i]));
    }
fail:
    close_network(&cpu);
    free(want);
    return ret;
}

static void check_fault(const struct fault *f)
{
    struct network n;
    struct rp_graph_stats stats = {0};
    char path[4096];
    double most = 0;
    int ret;

    snprintf(path, sizeof(path), "%s/%s.onnx", opt.models, f->name);
    rp_log_hold(true);
    if ((ret = open_network(&n, here.dev, path)) >= 0)
        ret = against_cpu(&n, path, &most);
    rp_log_hold(false);
    if (n.graph)
        rp_graph_get_stats(n.graph, &stats);
    if (f->fails)
        tell(ret < 0 && strlen(rp_last_error()) > 10, "model %-12s %s", f->name, rp_last_error());
    else if (must(path, ret)) /* TF32 rounds to 11 bits */
        tell(most < 0.01 && stats.recorded == (here.gpu && f->recorded),
             "model %-12s %s, at most %.2g from the CPU%s%s", f->name,
             stats.recorded ? "recorded" : "eager", most, stats.reason[0] ? ": " : "",
             stats.reason);
    close_network(&n);
}

static void check_models(void)
{
    if (!opt.models)
        skip("models: no --models");
    for (size_t i = 0; opt.models && i < RP_ARRAY_LEN(faults); i++)
        check_fault(&faults[i]);
}

/* ---- batches --------------------------------------------------------------------------------- */

#define THINGS 19

struct herd {
    struct network *n;
    struct rp_batch *batch;
    struct rp_list one, several; /* items one at a time, or in batches */
    struct rp_graph *graph;
    uint8_t *in, *out;      /* device: THINGS inputs and results */
    int32_t *count;
    struct rp_rows *at;     /* row: which thing */
};

static void take_thing(void *priv)
{
    const struct herd *const h = priv;
    const struct rp_tensor *const t = &h->n->net->in[0];

    RP_OP(h->n->slot, row_copy, .src = h->in, .dst = t->data, .bytes = t->bytes, .at = h->at,
          .most = THINGS);
}

static void keep_thing(void *priv)
{
    const struct herd *const h = priv;
    const struct rp_tensor *const t = &h->n->net->out[0];

    RP_OP(h->n->slot, row_copy, .src = t->data, .dst = h->out, .bytes = t->bytes, .at = h->at,
          .most = THINGS, .put = 1);
}

/* One at a time, or several. */
static int record_herd(struct herd *h, struct rp_list *list, bool batch)
{
    struct rp_slot *const slot = h->n->slot;

    rp_list_begin(list, slot);
    if (batch) {
        rp_batch_record(h->batch, h->count, &h->at->row, take_thing, keep_thing, h);
    } else {
        rp_record_loop(slot, h->count, &h->at->row);
        take_thing(h);
        rp_record_run(h->n->net);
        keep_thing(h);
        rp_record_loop_end(slot);
    }
    return rp_list_end(slot);
}

static int herd_result(struct herd *h, const struct rp_list *list, int32_t count, bool graph, float *to)
{
    int ret;
    struct rp_slot *const slot = h->n->slot;
    const size_t all = THINGS * h->n->net->out[0].bytes;

    RP_TRY(rp_slot_upload(slot, h->count, &count, sizeof(count)));
    RP_TRY(rp_slot_zero(slot, h->out, all));
    RP_TRY(rp_slot_sync(slot));
    struct rp_playback work = {list, slot};
    RP_TRY(graph ? rp_graph_run(h->graph, rp_play_back, &work, false) : rp_play_back(&work));
    if (graph)
        RP_TRY(rp_graph_wait(h->graph));
    RP_TRY(rp_slot_download(slot, to, h->out, all));
    return rp_slot_sync(slot);

fail:
    return ret;
}

static int open_herd(struct herd *h)
{
    int ret = 0;
    struct rp_slot *const slot = h->n->slot;
    struct rp_tensor all = h->n->net->in[0];

    all.count *= THINGS;
    all.bytes *= THINGS;
    uint8_t *const host = malloc(all.bytes);
    fill(&all, host, 5);
    RP_TRY(rp_slot_alloc(slot, all.bytes, (void **) &h->in));
    RP_TRY(rp_slot_alloc(slot, THINGS * h->n->net->out[0].bytes, (void **) &h->out));
    RP_TRY(rp_slot_alloc(slot, sizeof(*h->count), (void **) &h->count));
    RP_TRY(rp_slot_alloc(slot, sizeof(*h->at), (void **) &h->at));
    RP_TRY(rp_slot_upload(slot, h->in, host, all.bytes));
    RP_TRY(rp_slot_sync(slot));
    RP_TRY(rp_batch_open(&h->batch, h->n->net, RP_BATCH_MOST));
    RP_TRY(record_herd(h, &h->one, false));
    if (h->batch)
        RP_TRY(record_herd(h, &h->several, true));
    RP_TRY(rp_graph_create(&h->graph, slot, "batches", &on));
    RP_TRY(rp_graph_watch(h->graph, h->out, THINGS * h->n->net->out[0].bytes));
fail:
    free(host);
    return ret;
}

/* @param wrong  replays that differ from eager
 * @param most   largest difference from one at a time */
static int compare_herd(struct herd *h, int *wrong, double *most)
{
    int ret = 0;
    const size_t n = THINGS * h->n->net->out[0].bytes / sizeof(float);
    float *const eager = calloc(n, sizeof(*eager)), *const replay = calloc(n, sizeof(*replay));
    float *const one = calloc(n, sizeof(*one));

    *wrong = 0;
    if (!eager || !replay || !one) {
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
        goto fail;
    }
    for (int count = -1; count <= THINGS; count++) {
        RP_TRY(herd_result(h, &h->one, count, false, one));
        RP_TRY(herd_result(h, &h->several, count, false, eager));
        for (int i = 0; i < (count < 1 ? 3 : 1); i++)
            RP_TRY(herd_result(h, &h->several, count, true, replay));
        *wrong += memcmp(eager, replay, n * sizeof(*eager)) != 0;
        for (size_t i = 0; i < n; i++)
            *most = fmax(*most, fabs((double) eager[i] - (double) one[i]));
    }
fail:
    free(eager);
    free(replay);
    free(one);
    return ret;
}

static void check_batches(void)
{
    char path[4096];
    struct network n;
    struct herd h = {.n = &n};
    struct rp_graph_stats stats;
    int wrong = 0;
    double most = 0;

    if (!opt.models) {
        skip("batches: no --models");
        return;
    }
    snprintf(path, sizeof(path), "%s/open_sizes.onnx", opt.models);
    if (must("batches", open_network(&n, here.dev, path)) && must("batches", open_herd(&h)) &&
        must("batches", compare_herd(&h, &wrong, &most))) {
        rp_graph_get_stats(h.graph, &stats);
        tell(h.batch && !wrong && most < 0.01 && stats.recorded == here.gpu,
             "batches: 0 to %d things, %d replays differ, at most %.2g from one at a time, %d "
             "conditional nodes", THINGS, wrong, most, stats.census.conditionals);
    }
    rp_graph_destroy(&h.graph);
    rp_list_clear(&h.one);
    rp_list_clear(&h.several);
    rp_batch_close(&h.batch);
    close_network(&n);
}

/* ---- pressure -------------------------------------------------------------------------------- */

/* In the child: take almost all memory of the GPU, and hold it until killed. */
static int task_hog(void)
{
    void *p;
    size_t left = 0, total = 0;
    struct rp_device *dev = NULL;

    if (rp_device_cuda(&dev, 0) < 0)
        return 1;
    for (size_t step = (size_t) 8 << 30; step >= (size_t) 8 * MIB; step /= 2)
        while (dev->fns->memory(dev, &left, &total) >= 0 && left > step + (size_t) 64 * MIB &&
               dev->fns->alloc(dev, step, &p) >= 0)
            ;
    rp_log(RP_LOG_WARN, "holding memory, %zu MiB are left", left / MIB);
    pause();
    return 0;
}

static int grow_until(struct rp_slot *slot, size_t step, int most, int *got)
{
    int ret = 0;
    void *p;

    for (*got = 0; *got < most && ret >= 0; *got += ret >= 0)
        ret = rp_slot_alloc(slot, step, &p);
    return ret;
}

static void check_pressure(void)
{
    struct scene s, extra;
    pid_t hog = 0;
    struct rp_slot *slot = NULL;
    int ret, got = 0, wrong, after = -1;

    if (!here.gpu) {
        skip("pressure: no GPU");
        return;
    }
    if (!must("pressure", open_scene(&s, here.dev)) || compare_scenes(&s, 5) != 0)
        return;
    const size_t before = free_memory();
    if (child_task("hog", &hog) < 0)
        return;
    for (int i = 0; i < 300 && free_memory() > (size_t) 512 * MIB; i++)
        usleep(100000);
    const size_t left = free_memory();
    rp_log_hold(true);
    ret = rp_slot_create(&slot, here.dev);
    if (ret >= 0)
        ret = grow_until(slot, (size_t) 256 * MIB, 64, &got);
    rp_log_hold(false);
    wrong = compare_scenes(&s, 20);
    rp_slot_destroy(&slot);
    kill(hog, SIGKILL);
    waitpid(hog, NULL, 0);
    for (int i = 0; i < 100 && free_memory() + (size_t) 64 * MIB < before; i++)
        usleep(100000);
    if (open_scene(&extra, here.dev) >= 0)
        after = compare_scenes(&extra, 5);
    close_scene(&extra);
    tell(left < (size_t) 512 * MIB && ret == RP_ERR_DEVICE_MEM && !wrong && !after,
         "pressure: %zu MiB left, error %d after %d blocks, recording %d wrong, %d wrong afterwards",
         left / MIB, ret, got, wrong, after);
    close_scene(&s);
}

/* ---- soak ------------------------------------------------------------------------------------ */

static void check_soak(const char *path)
{
    struct network n;
    struct rp_graph_stats a = {0}, b = {0};
    int ret = 0;
    struct tally t;
    double rss0 = 0, rss1 = 0;
    size_t free0 = 0, free1 = 0, bytes0 = 0;

    if (must(path, open_network(&n, here.dev, path)) && must(path, differing(&n, &t))) {
        for (int i = 0; i < 1000 && ret >= 0; i++)
            ret = rp_graph_run(n.graph, run_net, n.net, false);
        rp_graph_wait(n.graph);
        rp_graph_get_stats(n.graph, &a);
        rss0 = rss();
        free0 = free_memory();
        bytes0 = n.slot->bytes;
        for (int i = 0; i < opt.soak && ret >= 0; i++)
            ret = rp_graph_run(n.graph, run_net, n.net, false);
        rp_graph_wait(n.graph);
        rp_graph_get_stats(n.graph, &b);
        rss1 = rss();
        free1 = free_memory();
        tell(ret >= 0 && !t.replay && b.replays - a.replays == (here.gpu ? opt.soak : 0) &&
                 free0 == free1 && a.pool_bytes == b.pool_bytes && bytes0 == n.slot->bytes &&
                 fabs(rss1 - rss0) <= MIB,
             "soak %s: %d replays, free %+lld bytes, pool %+lld, slot %+lld, RSS %+.0f KiB",
             rp_path_base(path), b.replays - a.replays, (long long) (free1 - free0),
             (long long) (b.pool_bytes - a.pool_bytes), (long long) (n.slot->bytes - bytes0),
             (rss1 - rss0) / 1024);
    }
    close_network(&n);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int open_devices(void)
{
    int ret;

    RP_TRY(rp_device_cpu(&here.cpu));
    here.dev = here.cpu;
    if (!strcmp(opt.device, "cuda")) {
        rp_log_hold(true);
        ret = rp_device_cuda(&here.dev, 0);
        rp_log_hold(false);
        here.gpu = ret >= 0;
        if (ret < 0) {
            printf("no GPU, the CPU is checked instead: %s\n", rp_last_error());
            here.dev = here.cpu;
        }
    }
    if (opt.models || opt.networks)
        return rp_engine_create(&here.engine, NULL);
    return 0;

fail:
    return ret;
}

static void check_all(void)
{
    size_t before = 0;

    for (int i = 0; i < 2; i++) { /* after the first round the process has what it keeps for good */
        before = free_memory();
        check_verbs();
        check_beside();
        check_spoiled();
        check_unsteady("a recording unlike all other runs", 1 << 5, false);
        check_unsteady("a recording like some of the other runs", 1 << 5 | 1 << 10, true);
        check_no_room();
        check_blind();
        check_pressure();
    }
    if (here.gpu)
        tell(free_memory() == before, "device memory afterwards: %+lld bytes",
             (long long) (free_memory() - before));
    check_models();
    check_batches();
    for (int i = 0; i < opt.networks; i++)
        check_network(opt.network[i]);
    if (opt.soak && opt.networks)
        check_soak(opt.network[0]);
}

static int parse(int argc, char **argv, const char **task)
{
    int c;
    static const struct option longs[] = {{"device", 1, NULL, 'd'}, {"models", 1, NULL, 'm'},
                                          {"network", 1, NULL, 'n'}, {"soak", 1, NULL, 's'},
                                          {"repeats", 1, NULL, 'r'},
                                          {"task", 1, NULL, 't'}, {0}};

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'd')
            opt.device = optarg;
        else if (c == 'm')
            opt.models = optarg;
        else if (c == 'n' && opt.networks < MAX_NETWORKS)
            opt.network[opt.networks++] = optarg;
        else if (c == 's')
            opt.soak = atoi(optarg);
        else if (c == 'r')
            opt.repeats = RP_MAX(atoi(optarg), 1);
        else if (c == 't')
            *task = optarg;
        else
            return -1;
    }
    return optind == argc ? 0 : -1;
}

int main(int argc, char **argv)
{
    const char *task = NULL;

    if (parse(argc, argv, &task) < 0) {
        fprintf(stderr, "usage: checkrecord [--device D] [--models FOLDER] [--network FILE]... "
                        "[--repeats N] [--soak N]\n");
        return 2;
    }
    rp_set_log(RP_LOG_WARN, NULL, NULL);
    if (task)
        return !strcmp(task, "hog") ? task_hog() : task_blind();
    if (must("devices", open_devices()))
        check_all();
    if (here.gpu)
        rp_device_destroy(&here.dev);
    rp_engine_destroy(&here.engine);
    rp_device_destroy(&here.cpu);
    printf("%d passed, %d failed, %d skipped\n", told.passed, told.failed, opt.skipped);
    return told.failed ? 1 : 0;
}
