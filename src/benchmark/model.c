/* One network: as other software runs it, eager, recorded by ONNX Runtime, recorded by us, and k of
 * our recordings at once. All get the same inputs, and every kind of replay is compared with eager.
 */
#include "benchmark/benchmark.h"

#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/compare.h"
#include "engine/form.h"
#include "engine/foreign.h"
#include "onnx/write.h"

struct lane { /* a slot with the network recorded in it */
    struct rp_slot *slot;
    struct rp_net *net;
    struct rp_graph *graph;
};

struct subject {
    struct rp_bench *b;
    const char *path, *name;
    bool measure;               /* the layout that is faster */
    struct rp_model *model;
    struct lane lane[RP_BENCH_MAX_SLOTS];
    int lanes;
    void *host[RP_MAX_TENSORS]; /* inputs */
    uint8_t *want, *got;        /* results, one after the other */
    size_t result_bytes;
    int64_t dim[RP_MAX_TENSORS][RP_MAX_RANK];
    json_t *o;
};

/* ---- inputs and results ---------------------------------------------------------------------- */

static int set_inputs(struct subject *s, const struct lane *l, int seed)
{
    uint32_t state = (uint32_t) seed * 2654435761u; /* far apart even for neighbouring seeds */

    for (int i = 0; i < l->net->nin; i++) {
        rp_fill_tensor(&l->net->in[i], s->host[i], &state);
        RP_CHECK(rp_slot_upload(l->slot, l->net->in[i].data, s->host[i], l->net->in[i].bytes));
    }
    return rp_slot_sync(l->slot);
}

static int get_results(const struct lane *l, uint8_t *to)
{
    for (int i = 0; i < l->net->nout; i++) {
        RP_CHECK(rp_slot_download(l->slot, to, l->net->out[i].data, l->net->out[i].bytes));
        to += l->net->out[i].bytes;
    }
    return rp_slot_sync(l->slot);
}

/* Largest difference of two sets of results; infinite if a value is NaN or infinite on one side
 * only. */
static double difference(const struct rp_net *net, const uint8_t *want, const uint8_t *got)
{
    double most = 0;

    for (int i = 0; i < net->nout; i++) {
        most = RP_MAX(most, rp_difference(&net->out[i], got, want).most);
        want += net->out[i].bytes;
        got += net->out[i].bytes;
    }
    return most;
}

/* ---- opening and closing --------------------------------------------------------------------- */

static void close_lane(struct lane *l)
{
    rp_graph_destroy(&l->graph);
    rp_net_close(&l->net);
    rp_slot_destroy(&l->slot);
}

/* An open first dimension becomes 1; others cannot be guessed. */
static const int64_t *const *sizes(struct subject *s, const int64_t *const *given,
                                   const int64_t *pointer[RP_MAX_TENSORS])
{
    const struct rp_tensor_info *in;
    const int n = rp_model_inputs(s->model, &in);

    for (int i = 0; i < n; i++) {
        for (int d = 0; d < in[i].rank; d++)
            s->dim[i][d] = given && given[i]            ? given[i][d]
                           : d == 0 && in[i].dim[d] < 0 ? 1
                                                        : in[i].dim[d];
        pointer[i] = s->dim[i];
    }
    return pointer;
}

static int open_lane(struct subject *s, struct lane *l)
{
    int ret;
    const int64_t *pointer[RP_MAX_TENSORS];

    for (int i = 0; i < RP_MAX_TENSORS; i++)
        pointer[i] = s->dim[i];
    *l = (struct lane){0};
    RP_TRY(rp_slot_create(&l->slot, s->b->device));
    RP_TRY(rp_net_open(&l->net, l->slot, s->model, pointer));
    return 0;

fail:
    close_lane(l);
    return ret;
}

/* Of a native network: what was taken and, where that was measured, how far both are from float32.
 */
static void put_precision(struct subject *s)
{
    const struct rp_precision_facts f = rp_model_precision(s->model);

    if (!rp_model_is_native(s->model))
        return;
    rp_bench_text(s->o, "precision", rp_precision_names[f.taken]);
    if (!f.measured)
        return;
    rp_bench_number(s->o, "tf32_rms", f.tf32.rms);
    rp_bench_number(s->o, "tf32_most", f.tf32.most);
    rp_bench_number(s->o, "fp16_rms", f.fp16.rms);
    rp_bench_number(s->o, "fp16_most", f.fp16.most);
}

static int open_subject(struct subject *s, const int64_t *const *dims)
{
    const int64_t *pointer[RP_MAX_TENSORS];

    struct rp_model_params params = {.path = s->path, .name = s->name};

    if (s->measure) {
        const struct rp_execution_options *const o =
            rp_settings_get(s->b->settings, &rp_execution_group);

        params.layout = rp_graph_layout(&s->b->graph);
        params.by = (enum rp_network_engine) o->network_engine;
        params.precision = (enum rp_precision) o->precision;
    }
    RP_CHECK(rp_form_open(&s->model, s->b->engine, s->b->device, &params,
                          s->measure ? RP_MEASURE_ALL : RP_MEASURE_NOTHING));
    rp_bench_text(s->o, "layout", rp_model_layout(s->model) == RP_LAYOUT_NHWC ? "nhwc" : "nchw");
    rp_bench_text(s->o, "network_engine",
                  rp_model_is_native(s->model) ? "native" : "onnxruntime");
    put_precision(s);
    rp_bench_put(s->o, "deterministic_form", json_boolean(rp_model_deterministic(s->model)));
    sizes(s, dims, pointer);
    RP_CHECK(open_lane(s, &s->lane[0]));
    s->lanes = 1;
    for (int i = 0; i < s->lane[0].net->nin; i++)
        if (!(s->host[i] = calloc(1, s->lane[0].net->in[i].bytes + 8)))
            return rp_fail(RP_ERR_NOMEM, "out of memory");
    for (int i = 0; i < s->lane[0].net->nout; i++)
        s->result_bytes += s->lane[0].net->out[i].bytes;
    s->want = malloc(s->result_bytes + 8);
    s->got = malloc(s->result_bytes + 8);
    if (!s->want || !s->got)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    return 0;
}

static void close_subject(struct subject *s)
{
    for (int i = 0; i < s->lanes; i++)
        close_lane(&s->lane[i]);
    rp_model_close(&s->model);
    for (int i = 0; i < RP_MAX_TENSORS; i++)
        free(s->host[i]);
    free(s->want);
    free(s->got);
}

/* ---- ways to run ----------------------------------------------------------------------------- */

static int run_net(void *priv)
{
    return rp_net_run(priv);
}

static int run_foreign(void *priv)
{
    return rp_foreign_run(priv);
}

static int run_graph(void *priv)
{
    struct lane *const l = priv;
    const int ret = rp_graph_run(l->graph, run_net, l->net, false);

    return ret < 0 ? ret : rp_graph_wait(l->graph);
}

/* Compares the results of the plain run with the eager ones, which are in `want`. */
static double foreign_difference(const struct subject *s, const struct rp_foreign *foreign)
{
    uint8_t *to = s->got;
    const struct rp_net *const net = s->lane[0].net;

    for (int i = 0; i < net->nout; i++) {
        const void *const data = rp_foreign_output(foreign, i, net->out[i].bytes);

        if (!data)
            return NAN;
        memcpy(to, data, net->out[i].bytes);
        to += net->out[i].bytes;
    }
    return difference(net, s->want, s->got);
}

static int measure_plain(struct subject *s)
{
    int ret;
    struct rp_times t;
    struct rp_foreign *foreign = NULL;

    RP_TRY(rp_foreign_open(&foreign, s->lane[0].net, s->host));
    RP_TRY(rp_bench_time(s->b, run_foreign, foreign, &t));
    rp_bench_times(s->o, "plain_ms", &t);
    rp_bench_number(s->o, "plain_max_abs_diff", foreign_difference(s, foreign));

fail:
    rp_foreign_close(&foreign);
    return ret;
}

/* So that no result of an earlier run is left. */
static int clear_results(const struct lane *l)
{
    for (int i = 0; i < l->net->nout; i++)
        RP_CHECK(rp_slot_zero(l->slot, l->net->out[i].data, l->net->out[i].bytes));
    return rp_slot_sync(l->slot);
}

static int measure_ort_graph(struct subject *s)
{
    int ret;
    struct rp_times t;
    struct rp_foreign *foreign = NULL;
    const struct lane *const l = &s->lane[0];

    RP_TRY(rp_foreign_open(&foreign, l->net, NULL));
    RP_TRY(set_inputs(s, l, 0));
    RP_TRY(clear_results(l));
    RP_TRY(rp_bench_time(s->b, run_foreign, foreign, &t));
    rp_bench_times(s->o, "ort_graph_ms", &t);
    RP_TRY(get_results(l, s->got));
    rp_bench_number(s->o, "ort_graph_max_abs_diff", difference(l->net, s->want, s->got));

fail:
    rp_foreign_close(&foreign);
    return ret;
}

static int measure_eager(struct subject *s, struct rp_times *t)
{
    RP_CHECK(set_inputs(s, &s->lane[0], 0));
    RP_CHECK(rp_bench_time(s->b, run_net, s->lane[0].net, t));
    rp_bench_times(s->o, "eager_ms", t);
    RP_CHECK(get_results(&s->lane[0], s->want));
    return 0;
}

/* Make the recording of a lane. RP_ERR_UNSUPPORTED, with the reason, if there is none. */
static int record_lane(struct subject *s, struct lane *l)
{
    struct rp_graph_stats stats;

    RP_CHECK(rp_graph_create(&l->graph, l->slot, s->name, &s->b->graph));
    for (int i = 0; i < l->net->nout; i++)
        RP_CHECK(rp_graph_watch(l->graph, l->net->out[i].data, l->net->out[i].bytes));
    for (int i = 0; i < 3; i++)
        RP_CHECK(run_graph(l));
    rp_graph_get_stats(l->graph, &stats);
    if (!stats.recorded)
        return rp_fail(RP_ERR_UNSUPPORTED, "%s: not recorded: %s", s->name, stats.reason);
    return 0;
}

/* Compares replays with changed inputs with eager runs on the same inputs. */
static int compare_replays(struct subject *s)
{
    double most = 0;
    struct lane *const l = &s->lane[0];

    for (int seed = 1; seed <= (s->b->o->quick ? 3 : 8); seed++) {
        RP_CHECK(set_inputs(s, l, seed));
        RP_CHECK(run_net(l->net));
        RP_CHECK(rp_slot_sync(l->slot));
        RP_CHECK(get_results(l, s->want));
        RP_CHECK(clear_results(l));
        RP_CHECK(run_graph(l));
        RP_CHECK(get_results(l, s->got));
        most = RP_MAX(most, difference(l->net, s->want, s->got));
    }
    rp_bench_number(s->o, "max_abs_diff", most);
    rp_bench_put(s->o, "identical", json_boolean(most == 0));
    return 0;
}

static void put_stats(struct subject *s, const struct rp_graph_stats *g)
{
    rp_bench_put(s->o, "nodes", json_integer(g->census.nodes));
    rp_bench_put(s->o, "kernels", json_integer(g->census.kernels));
    rp_bench_put(s->o, "memcpys", json_integer(g->census.memcpys));
    rp_bench_put(s->o, "pool_bytes", json_integer((json_int_t) g->pool_bytes));
    rp_bench_number(s->o, "capture_ms", g->capture_ms);
    rp_bench_number(s->o, "warmup_s", g->warmup_s);
    rp_bench_put(s->o, "deterministic", json_boolean(g->deterministic));
}

static int measure_graph(struct subject *s, struct rp_times *t)
{
    struct rp_graph_stats stats;

    RP_CHECK(record_lane(s, &s->lane[0]));
    RP_CHECK(rp_bench_time(s->b, run_graph, &s->lane[0], t));
    rp_bench_times(s->o, "graph_ms", t);
    rp_graph_get_stats(s->lane[0].graph, &stats);
    put_stats(s, &stats);
    return compare_replays(s);
}

/* ---- several at once ------------------------------------------------------------------------- */

struct crowd {
    struct subject *s;
    int n;
};

/* One round: each lane waits for its own last replay and starts the next. */
static int run_round(void *priv)
{
    const struct crowd *const c = priv;

    for (int i = 0; i < c->n; i++) {
        struct lane *const l = &c->s->lane[i];

        RP_CHECK(rp_graph_run(l->graph, run_net, l->net, false));
    }
    return 0;
}

static int wait_all(const struct crowd *c)
{
    for (int i = 0; i < c->n; i++)
        RP_CHECK(rp_graph_wait(c->s->lane[i].graph));
    return 0;
}

/* Runs all lanes at once, each with its own inputs, several times; compares each with its own eager
 * run. */
static int compare_lanes(struct crowd *c, bool *identical)
{
    int ret = 0;
    struct subject *const s = c->s;
    uint8_t *want = malloc((size_t) c->n * s->result_bytes + 8);

    if (!want)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    for (int i = 0; i < c->n; i++) {
        RP_TRY(set_inputs(s, &s->lane[i], 10 + i));
        RP_TRY(run_net(s->lane[i].net));
        RP_TRY(get_results(&s->lane[i], want + (size_t) i * s->result_bytes));
    }
    for (int round = 0; round < 8; round++)
        RP_TRY(run_round(c));
    RP_TRY(wait_all(c));
    for (int i = 0; i < c->n; i++) {
        RP_TRY(get_results(&s->lane[i], s->got));
        *identical &= !memcmp(s->got, want + (size_t) i * s->result_bytes, s->result_bytes);
    }
fail:
    free(want);
    return ret;
}

static int more_lanes(struct subject *s, int n, double before)
{
    while (s->lanes < n) {
        struct lane *const l = &s->lane[s->lanes];

        if (!rp_bench_room(s->b, before))
            return rp_fail(RP_ERR_DEVICE_MEM, "%s: no memory for %d slots", s->name, n);
        before = rp_bench_free(s->b);
        RP_CHECK(open_lane(s, l));
        s->lanes++;
        RP_CHECK(set_inputs(s, l, s->lanes));
        RP_CHECK(record_lane(s, l));
    }
    return 0;
}

/* Throughput over some time, from the first start to the end of the last run. */
static int measure_crowd(struct crowd *c, double *per_item)
{
    int rounds = 0;
    double start, now;
    const double budget = c->s->b->o->quick ? 0.3 : 0.8;

    for (int i = 0; i < 3; i++)
        RP_CHECK(run_round(c));
    RP_CHECK(wait_all(c));
    start = now = rp_now();
    while (now - start < budget || rounds < 3) {
        RP_CHECK(run_round(c));
        rounds++;
        now = rp_now();
    }
    RP_CHECK(wait_all(c));
    *per_item = (rp_now() - start) / rounds / c->n;
    return 0;
}

static int measure_slots(struct subject *s, double before, double *best)
{
    int ret = 0, best_n = 0;
    bool identical = true;
    struct crowd c = {s, 1};
    json_t *const all = json_array();

    rp_bench_put(s->o, "slot_runs", json_incref(all));
    for (; c.n <= s->b->max_slots; c.n *= 2) {
        double t = 0;

        RP_TRY(more_lanes(s, c.n, before));
        RP_TRY(compare_lanes(&c, &identical));
        RP_TRY(measure_crowd(&c, &t));
        json_array_append_new(all, json_pack("{s:i,s:f}", "slots", c.n, "ms_per_item", 1e3 * t));
        if (!best_n || t < *best) {
            *best = t;
            best_n = c.n;
        }
    }
fail:
    if (ret < 0)
        rp_bench_reason(s->o, "slots_reason");
    if (best_n) {
        rp_bench_put(s->o, "slots", json_integer(best_n));
        rp_bench_number(s->o, "slots_ms_per_item", 1e3 * *best);
        rp_bench_put(s->o, "slots_identical", json_boolean(identical));
    }
    json_decref(all);
    return ret;
}

static json_t *soak(struct subject *s, int n)
{
    json_t *const o = json_object();

    rp_bench_text(o, "name", s->name);
    rp_bench_soak(s->b, o, n, run_graph, &s->lane[0]);
    return o;
}

/* ---- cost ------------------------------------------------------------------------------------ */

static void put_cost(struct subject *s, double best)
{
    struct rp_onnx *onnx;
    struct rp_onnx_cost cost = {0};
    const int64_t *pointer[RP_MAX_TENSORS];
    const int *inputs;

    if (rp_onnx_open(&onnx, s->path) < 0)
        return;
    for (int i = 0; i < RP_MAX_TENSORS; i++)
        pointer[i] = s->dim[i];
    const int n = rp_onnx_inputs(onnx, &inputs);
    rp_onnx_count(onnx, s->model && n == s->lane[0].net->nin ? pointer : NULL, &cost);
    rp_onnx_close(&onnx);
    rp_bench_put(s->o, "onnx_nodes", json_integer(cost.nodes));
    rp_bench_number(s->o, "gflop", 1e-9 * cost.flop);
    rp_bench_number(s->o, "weight_bytes", cost.weight_bytes);
    rp_bench_number(s->o, "activation_bytes", cost.activation_bytes);
    rp_bench_put(s->o, "cost_complete", json_boolean(cost.complete));
    if (best > 0 && s->b->roof.flops > 0)
        rp_bench_number(s->o, "roof_fraction", cost.flop / best / s->b->roof.flops);
    if (best > 0 && s->b->roof.copy > 0)
        rp_bench_number(s->o, "copy_fraction",
                        (cost.weight_bytes + cost.activation_bytes) / best / s->b->roof.copy);
}

/* ---- a model --------------------------------------------------------------------------------- */

/* Has every field, null until it is known. */
static json_t *blank(const char *name)
{
    static const char *const keys[] = {
        "plain_ms",     "plain_ms_p95",      "eager_ms",      "eager_ms_p95",
        "ort_graph_ms", "ort_graph_ms_p95",  "graph_ms",      "graph_ms_p95",
        "slots",        "slots_ms_per_item", "nodes",         "pool_bytes",
        "gflop",        "roof_fraction",     "copy_fraction", "max_abs_diff",
        "identical",    "speedup",
    };
    json_t *const o = json_object();

    rp_bench_text(o, "name", name);
    for (size_t i = 0; i < RP_ARRAY_LEN(keys); i++)
        rp_bench_put(o, keys[i], NULL);
    return o;
}

static void put_shapes(struct subject *s)
{
    json_t *const list = json_array();
    const struct rp_net *const net = s->lane[0].net;

    for (int i = 0; i < net->nin; i++) {
        json_t *const dim = json_array();

        for (int d = 0; d < net->in[i].rank; d++)
            json_array_append_new(dim, json_integer(net->in[i].dim[d]));
        json_array_append_new(list, dim);
    }
    rp_bench_put(s->o, "inputs", list);
}

/* How much faster the best recording is than a plain run. */
static void put_speedup(json_t *o, double best)
{
    const json_t *const plain = json_object_get(o, "plain_ms");

    if (json_is_real(plain) && best > 0)
        rp_bench_number(o, "speedup", json_real_value(plain) / (1e3 * best));
}

json_t *rp_bench_model(struct rp_bench *b, const char *path, const char *name,
                       const int64_t *const *dims, json_t **soak_out)
{
    double best = 0, slots = 0;
    struct rp_times t;
    const double before = rp_bench_free(b);
    struct subject s = {.b = b, .path = path, .name = name, .measure = true, .o = blank(name)};

    rp_log(RP_LOG_INFO, "measuring %s", name);
    if (open_subject(&s, dims) < 0 || measure_eager(&s, &t) < 0) {
        rp_bench_reason(s.o, "reason");
        goto done;
    }
    best = t.median;
    put_shapes(&s);
    if (measure_plain(&s) < 0)
        rp_bench_reason(s.o, "plain_reason");
    if (b->gpu && measure_ort_graph(&s) < 0)
        rp_bench_reason(s.o, "ort_graph_reason");
    if (b->gpu && measure_graph(&s, &t) < 0) {
        rp_bench_reason(s.o, "graph_reason");
    } else if (b->gpu) {
        best = RP_MIN(best, t.median);
        measure_slots(&s, before, &slots);
        if (soak_out && b->o->soak)
            *soak_out = soak(&s, 5 * b->o->soak);
    }
    best = slots > 0 ? RP_MIN(best, slots) : best;

done:
    put_cost(&s, best);
    put_speedup(s.o, best);
    close_subject(&s);
    return s.o;
}

/* ---- the roof -------------------------------------------------------------------------------- */

/* C = A x B as an ONNX file of a few bytes. */
static int write_matrix_model(struct rp_onnx_out *out, int side)
{
    const int64_t dim[] = {side, side};
    const size_t graph = rp_onnx_begin_model(out, "roof");

    rp_onnx_put_node(out, "MatMul A B > C");
    rp_onnx_put_value(out, RP_ONNX_INPUT, "A", 2, dim);
    rp_onnx_put_value(out, RP_ONNX_INPUT, "B", 2, dim);
    rp_onnx_put_value(out, RP_ONNX_OUTPUT, "C", 2, dim);
    return rp_onnx_end_model(out, graph);
}

static int measure_matrix(struct rp_bench *b, const char *path, int side)
{
    int ret;
    struct rp_times t;
    struct subject s = {.b = b, .path = path, .name = "matrix product", .o = json_object()};

    RP_TRY(open_subject(&s, NULL));
    RP_TRY(measure_eager(&s, &t));
    b->roof.flops = 2.0 * side * side * side / t.median;

fail:
    close_subject(&s);
    json_decref(s.o);
    return ret;
}

static int roof_matrix(struct rp_bench *b)
{
    int ret, fd = -1;
    uint8_t file[1024];
    char path[64];
    const int side = b->gpu ? 8192 : 1024;
    struct rp_onnx_out out = {.data = file, .size = sizeof(file)};

    RP_TRY(write_matrix_model(&out, side));
    fd = memfd_create("matrix", MFD_CLOEXEC);
    if (fd < 0 || write(fd, file, out.n) != (ssize_t) out.n) {
        ret = rp_fail(RP_ERR_IO, "no temporary file for the matrix product");
        goto fail;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    RP_TRY(measure_matrix(b, path, side));

fail:
    if (fd >= 0)
        close(fd);
    return ret;
}

struct copying {
    struct rp_slot *slot;
    void *from, *to;
    size_t n;
};

static int run_copy(void *priv)
{
    const struct copying *const c = priv;

    for (int i = 0; i < 4; i++)
        RP_CHECK(rp_slot_copy(c->slot, c->to, c->from, c->n));
    return rp_slot_sync(c->slot);
}

static int roof_copy(struct rp_bench *b)
{
    int ret;
    struct rp_times t;
    struct copying c = {.n = b->gpu ? (size_t) 1 << 30 : (size_t) 1 << 26};

    RP_TRY(rp_slot_create(&c.slot, b->device));
    RP_TRY(rp_slot_alloc(c.slot, c.n, &c.from));
    RP_TRY(rp_slot_alloc(c.slot, c.n, &c.to));
    RP_TRY(rp_bench_time(b, run_copy, &c, &t));
    b->roof.copy = 2 * 4 * (double) c.n / t.median;

fail:
    rp_slot_destroy(&c.slot);
    return ret;
}

int rp_bench_roof(struct rp_bench *b)
{
    const int matrix = roof_matrix(b), copy = roof_copy(b);

    return RP_MIN(matrix, copy);
}
