/* checknet: networks by our own operations, against ONNX Runtime, and where their time goes.
 *
 *     checknet [--device cuda|cpu] [--precision tf32|fp16|fp32|auto] [--inputs N] [--rows N]
 *              [--slots N] [--steps] FILE...
 *
 * For each file and N inputs of made-up numbers (default 3) the reference is ONNX Runtime on the
 * CPU. Against it stand ONNX Runtime on the device and our own operations there: the largest
 * difference over the largest number, and the same of root mean squares; the worst input counts.
 * Then what ours is over ONNX Runtime's on the same input, as the geometric mean of all.
 * Ours must not be worse than ONNX Runtime's on a GPU (which multiplies as TF32; stored as float16
 * it may be twice as far, as for --precision auto, which says what it takes), and must give the
 * same bytes in replays, twice. Then the milliseconds of an item: recorded, and of --slots
 * recordings at once (8).
 * --rows: over so many rows, whose bytes must be those of one row. --steps: also what each
 * operation takes within a graph of REPEAT of it.
 *
 * Exit: 0, or 1 after a failure, 77 without the device. Last line: N passed, N failed. */
#include <getopt.h>
#include <math.h>

#include "base/path.h"
#include "engine/compare.h"
#include "engine/graph.h"
#include "engine/precision.h"
#include "ops/describe.h"
#include "tell.h"

#define MAX_SLOTS 16
#define REPEAT 20
#define OPEN_SIZE 64 /* of sizes that a file leaves open, but for the batch */

static struct {
    const char *device;
    enum rp_precision precision;
    int inputs, rows, slots, steps;
} opt = {.device = "cuda", .precision = RP_PRECISION_TF32, .inputs = 3, .rows = 1, .slots = 8};

static struct {
    struct rp_device *dev, *cpu;
    struct rp_engine *engine;
} here;

/* One way to run a file. */
struct way {
    const char *name;
    struct rp_device *dev;
    enum rp_network_engine by;
    struct rp_model *model, *rows; /* rows: over opt.rows; belongs to model */
    struct rp_slot *slot;
    struct rp_net *net;
    double most, rms; /* difference to the reference, relative; the worst input's */
    double last;      /* rms of the last input */
};

/* ---- opening --------------------------------------------------------------------------------- */

static int open_way(struct way *w, const char *path, int rows)
{
    int64_t dim[RP_MAX_TENSORS][RP_MAX_RANK];
    const int64_t *dims[RP_MAX_TENSORS];
    const struct rp_tensor_info *in;
    struct rp_model *model;
    const struct rp_model_params params = {.path = path, .by = w->by, .precision = opt.precision};

    RP_CHECK(rp_model_open(&w->model, here.engine, w->dev, &params));
    if (opt.precision == RP_PRECISION_AUTO && rp_model_is_native(w->model))
        RP_CHECK(rp_precision_choose(&w->model, &params));
    model = w->model;
    if (rows > 1)
        RP_CHECK(rp_model_rows(&model, w->model, rows));
    if (!model)
        return rp_fail(RP_ERR_UNSUPPORTED, "%s: not over %d rows", path, rows);
    const int nin = rp_model_inputs(model, &in);
    for (int i = 0; i < nin; i++) {
        for (int d = 0; d < in[i].rank; d++)
            dim[i][d] = d == 0 && rows > 1  ? rows
                        : in[i].dim[d] >= 0 ? in[i].dim[d]
                        : d                 ? OPEN_SIZE
                                            : rows;
        dims[i] = dim[i];
    }
    RP_CHECK(rp_slot_create(&w->slot, w->dev));
    return rp_net_open(&w->net, w->slot, model, dims);
}

static void close_way(struct way *w)
{
    rp_net_close(&w->net);
    rp_slot_destroy(&w->slot);
    rp_model_close(&w->model);
}

/* ---- results --------------------------------------------------------------------------------- */

static size_t result_bytes(const struct rp_net *net)
{
    size_t n = 0;

    for (int i = 0; i < net->nout; i++)
        n += net->out[i].bytes;
    return n;
}

/* Inputs number `seed`; further rows are those of the next numbers. */
static int put_inputs(const struct way *w, int seed)
{
    for (int i = 0; i < w->net->nin; i++) {
        const struct rp_tensor *const t = &w->net->in[i];
        const int rows = t->rank && t->dim[0] > 0 ? (int) t->dim[0] : 1;
        struct rp_tensor row = *t;
        uint8_t *const host = malloc(t->bytes + 8);

        if (!host)
            return rp_fail(RP_ERR_NOMEM, "out of memory");
        row.count /= (size_t) rows;
        row.bytes /= (size_t) rows;
        for (int r = 0; r < rows; r++) {
            uint32_t state = (uint32_t) (100 * (seed + r) + i + 1) * 2654435761u;

            rp_fill_tensor(&row, host + (size_t) r * row.bytes, &state);
        }
        RP_CHECK(rp_slot_upload(w->slot, t->data, host, t->bytes));
        RP_CHECK(rp_slot_sync(w->slot));
        free(host);
    }
    return 0;
}

static int get_results(const struct way *w, uint8_t *to)
{
    for (int i = 0; i < w->net->nout; i++) {
        RP_CHECK(rp_slot_read(w->slot, to, w->net->out[i].data, w->net->out[i].bytes));
        to += w->net->out[i].bytes;
    }
    return 0;
}

static int run_way(const struct way *w, int seed, uint8_t *to)
{
    RP_CHECK(put_inputs(w, seed));
    RP_CHECK(rp_net_run(w->net));
    RP_CHECK(rp_slot_sync(w->slot));
    return get_results(w, to);
}

/* Of n floats, which need not be aligned. */
static double rms_difference(const uint8_t *got, const uint8_t *want, size_t n)
{
    double difference = 0, size = 0;

    for (size_t i = 0; i < n; i++) {
        float a, b;

        memcpy(&a, got + i * sizeof(a), sizeof(a));
        memcpy(&b, want + i * sizeof(b), sizeof(b));
        difference += ((double) a - (double) b) * ((double) a - (double) b);
        size += (double) b * (double) b;
    }
    return size > 0 ? sqrt(difference / size) : difference;
}

/* Take the differences of one input's results into account. */
static void note(struct way *w, const uint8_t *got, const uint8_t *want)
{
    w->last = 0;
    for (int i = 0; i < w->net->nout; i++) {
        const struct rp_tensor *const t = &w->net->out[i];
        const struct rp_difference d = rp_difference(t, got, want);

        w->most = RP_MAX(w->most, d.scale > 0 ? d.most / d.scale : d.most);
        if (t->type == RP_TYPE_F32)
            w->last = RP_MAX(w->last, rms_difference(got, want, t->count));
        got += t->bytes;
        want += t->bytes;
    }
    w->rms = RP_MAX(w->rms, w->last);
}

/* ---- time ------------------------------------------------------------------------------------ */

struct work {
    const struct way *w;
    int step, times; /* step -1: the whole network */
};

static int do_work(const struct work *k)
{
    for (int i = 0; i < k->times; i++)
        RP_CHECK(k->step < 0 ? rp_net_run(k->w->net) : rp_net_run_step(k->w->net, k->step));
    return 0;
}

static int record(const struct work *k, struct rp_recording **out)
{
    struct rp_slot *const s = k->w->slot;
    const struct rp_device_fns *const fns = s->device->fns;

    RP_CHECK(fns->record_begin(s->device, s->stream));
    if (do_work(k) < 0) {
        fns->record_drop(s->device, s->stream);
        return RP_ERR_DEVICE;
    }
    return fns->record_end(s->device, s->stream, out);
}

/* Seconds of a replay, measured for `span`. */
static int time_replays(struct rp_slot **slot, struct rp_recording **r, int n, double span,
                        double *seconds)
{
    int rounds = 0;
    double start = 0;
    const struct rp_device_fns *const fns = slot[0]->device->fns;

    for (int warm = 1; warm >= 0; warm--) {
        start = rp_now();
        for (rounds = 0; rounds < 3 || rp_now() - start < (warm ? 0.1 : 1) * span; rounds++) {
            for (int i = 0; i < n; i++)
                RP_CHECK(fns->replay(slot[i]->device, slot[i]->stream, r[i], false));
            if (rounds % 8 == 7)
                for (int i = 0; i < n; i++)
                    RP_CHECK(fns->replay_wait(slot[i]->device, slot[i]->stream));
        }
        for (int i = 0; i < n; i++)
            RP_CHECK(fns->replay_wait(slot[i]->device, slot[i]->stream));
    }
    *seconds = (rp_now() - start) / rounds / n;
    return 0;
}

static int time_steps(const struct way *w)
{
    double sum = 0;
    struct rp_slot *slot = w->slot;

    for (int i = 0; i < rp_net_steps(w->net); i++) {
        double s;
        const void *args;
        struct rp_op_facts f;
        struct rp_recording *r = NULL;
        const struct work k = {w, i, REPEAT};
        const enum rp_op_number op = rp_net_step(w->net, i, &args);

        RP_CHECK(record(&k, &r));
        RP_CHECK(time_replays(&slot, &r, 1, 0.02, &s));
        w->dev->fns->recording_free(w->dev, &r);
        rp_op_describe(op, args, &f);
        s /= REPEAT;
        sum += s;
        printf("    %3d %-12s %8.2f us %7.1f TFLOP/s %6.0f GB/s | %s\n", i, rp_op_name(op), 1e6 * s,
               1e-12 * f.flop / s, 1e-9 * (f.read + f.written) / s, f.text);
    }
    printf("    %d steps, %.3f ms one by one\n", rp_net_steps(w->net), 1e3 * sum);
    return 0;
}

/* Recorded: the same bytes as eager, twice. */
static int check_replay(const struct way *w, struct rp_recording *r, const uint8_t *want,
                        uint8_t *got)
{
    const struct rp_device_fns *const fns = w->dev->fns;
    bool same = true;

    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < w->net->nout; k++)
            RP_CHECK(rp_slot_zero(w->slot, w->net->out[k].data, w->net->out[k].bytes));
        RP_CHECK(rp_slot_sync(w->slot));
        RP_CHECK(fns->replay(w->dev, w->slot->stream, r, false));
        RP_CHECK(fns->replay_wait(w->dev, w->slot->stream));
        RP_CHECK(get_results(w, got));
        same &= !memcmp(got, want, result_bytes(w->net));
    }
    tell(same, "%s: %s replayed: the bytes of an eager run", rp_model_name(w->model), w->name);
    return 0;
}

static int time_way(struct way *w, const char *path, const uint8_t *want, uint8_t *got)
{
    int ret = 0, n = 1;
    double one = 0, all = 0;
    struct rp_recording *r[MAX_SLOTS] = {0};
    struct way more[MAX_SLOTS];
    struct rp_slot *slot[MAX_SLOTS];

    more[0] = *w;
    slot[0] = w->slot;
    RP_TRY(record(&(struct work){w, -1, 1}, &r[0]));
    RP_TRY(check_replay(w, r[0], want, got));
    RP_TRY(time_replays(slot, r, 1, 0.2, &one));
    for (; n < opt.slots; n++) {
        more[n] = *w;
        more[n].slot = NULL;
        more[n].net = NULL;
        RP_TRY(rp_slot_create(&more[n].slot, w->dev));
        slot[n] = more[n].slot;
        int64_t dim[RP_MAX_TENSORS][RP_MAX_RANK];
        const int64_t *dims[RP_MAX_TENSORS];
        for (int i = 0; i < RP_MAX_TENSORS; i++) {
            memcpy(dim[i], w->net->in[i].dim, sizeof(dim[i]));
            dims[i] = dim[i];
        }
        RP_TRY(rp_net_open(&more[n].net, slot[n], w->net->model, dims));
        RP_TRY(rp_net_run(more[n].net));
        RP_TRY(rp_slot_sync(slot[n]));
        RP_TRY(record(&(struct work){&more[n], -1, 1}, &r[n]));
    }
    RP_TRY(time_replays(slot, r, n, 0.2, &all));
    printf("time   %s: %s, %d rows: %.3f ms a launch, %d at once %.3f ms; a row %.3f, %.3f ms\n",
           rp_path_base(path), w->name, opt.rows, 1e3 * one, n, 1e3 * all, 1e3 * one / opt.rows,
           1e3 * all / opt.rows);

fail:
    for (int i = 0; i < MAX_SLOTS; i++)
        w->dev->fns->recording_free(w->dev, &r[i]);
    for (int i = 1; i < n; i++) {
        rp_net_close(&more[i].net);
        rp_slot_destroy(&more[i].slot);
    }
    return ret;
}

/* ---- a file ---------------------------------------------------------------------------------- */

/* Ours against ONNX Runtime's on the same inputs: the geometric mean of the ratio of root mean
 * squares, and how often ours is not farther. */
struct race {
    double logs;
    int nearer;
};

static int compare_ways(struct way *way, uint8_t *want, uint8_t *got, struct race *race)
{
    for (int i = 0; i < opt.inputs; i++) {
        RP_CHECK(run_way(&way[0], i, want));
        for (int k = 1; k < 3; k++) {
            RP_CHECK(run_way(&way[k], i, got));
            note(&way[k], got, want);
        }
        race->logs += log(RP_MAX(way[2].last, 1e-9) / RP_MAX(way[1].last, 1e-9)) / opt.inputs;
        race->nearer += way[2].last <= way[1].last;
    }
    return 0;
}

/* Rows of a batch against the network of one row; `all` has the batch's results. */
static int compare_rows(const struct way *one, const struct way *rows, const uint8_t *all,
                        uint8_t *got)
{
    bool same = true;

    for (int r = 0; r < opt.rows; r++) {
        const uint8_t *from = all, *g = got;

        RP_CHECK(run_way(one, r, got));
        for (int i = 0; i < one->net->nout; i++) {
            const size_t n = one->net->out[i].bytes;

            same &= !memcmp(from + (size_t) r * n, g, n);
            from += (size_t) opt.rows * n;
            g += n;
        }
    }
    tell(same, "%s: %d rows are those of one row", rp_model_name(rows->model), opt.rows);
    return 0;
}

static int check_rows(const char *path, struct way *one)
{
    int ret;
    struct way w = {.name = one->name, .dev = one->dev, .by = one->by};
    uint8_t *want = NULL, *got = NULL;

    RP_TRY(open_way(&w, path, opt.rows));
    want = malloc(result_bytes(w.net) + 8);
    got = malloc(result_bytes(w.net) + 8);
    if (!want || !got) {
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
        goto fail;
    }
    RP_TRY(run_way(&w, 0, want));
    RP_TRY(compare_rows(one, &w, want, got));
    if (w.dev->fns->record_begin)
        RP_TRY(time_way(&w, path, want, got));
    if (opt.steps && w.dev->fns->record_begin)
        RP_TRY(time_steps(&w));

fail:
    free(want);
    free(got);
    close_way(&w);
    return ret;
}

static int check_file(const char *path)
{
    int ret;
    struct way way[] = {
        {.name = "ONNX Runtime, CPU", .dev = here.cpu, .by = RP_NETWORK_ONNXRUNTIME},
        {.name = "ONNX Runtime", .dev = here.dev, .by = RP_NETWORK_ONNXRUNTIME},
        {.name = "ours", .dev = here.dev, .by = RP_NETWORK_NATIVE}};
    struct way *const ours = &way[2];
    uint8_t *want = NULL, *got = NULL;
    struct race race = {0};

    for (int i = 0; i < 3; i++)
        RP_TRY(open_way(&way[i], path, 1));
    const enum rp_precision taken = rp_model_precision(ours->model).taken;
    const double times = taken == RP_PRECISION_FP16 ? 2 : 1;
    if (!rp_model_is_native(ours->model)) {
        printf("no     %s: not native\n", rp_path_base(path));
        goto fail;
    }
    want = calloc(1, result_bytes(way[0].net) + 8);
    got = calloc(1, result_bytes(way[0].net) + 8);
    if (!want || !got) {
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
        goto fail;
    }
    RP_TRY(compare_ways(way, want, got, &race));
    tell(ours->most <= times * RP_MAX(way[1].most, 1e-4) ||
             ours->rms <= times * RP_MAX(way[1].rms, 1e-5),
         "%s, %s: largest difference: ours %.2e, ONNX Runtime's %.2e; of squares: %.2e, %.2e; "
         "over ONNX Runtime's, of the same input: %.2f, not more in %d of %d",
         rp_path_base(path), rp_precision_names[taken], ours->most, way[1].most, ours->rms,
         way[1].rms, exp(race.logs), race.nearer, opt.inputs);
    RP_TRY(run_way(ours, 0, want));
    if (here.dev->fns->record_begin && opt.rows == 1)
        RP_TRY(time_way(ours, path, want, got));
    if (opt.rows > 1)
        RP_TRY(check_rows(path, ours));
    else if (opt.steps && here.dev->fns->record_begin)
        RP_TRY(time_steps(ours));

fail:
    free(want);
    free(got);
    for (int i = 0; i < 3; i++)
        close_way(&way[i]);
    return ret;
}

static bool read_precision(const char *name)
{
    for (int i = 0; rp_precision_names[i]; i++)
        if (!strcmp(name, rp_precision_names[i])) {
            opt.precision = (enum rp_precision) i;
            return true;
        }
    return false;
}

static bool parse(int argc, char **argv)
{
    static const struct option options[] = {{"device", required_argument, NULL, 'd'},
                                            {"inputs", required_argument, NULL, 'i'},
                                            {"rows", required_argument, NULL, 'r'},
                                            {"slots", required_argument, NULL, 's'},
                                            {"steps", no_argument, NULL, 't'},
                                            {"precision", required_argument, NULL, 'p'},
                                            {0}};
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'd')
            opt.device = optarg;
        else if (c == 'p' && read_precision(optarg))
            continue;
        else if (c == 'i')
            opt.inputs = RP_CLAMP(atoi(optarg), 1, 1000);
        else if (c == 'r')
            opt.rows = RP_CLAMP(atoi(optarg), 1, RP_MAX_LANES);
        else if (c == 's')
            opt.slots = RP_CLAMP(atoi(optarg), 1, MAX_SLOTS);
        else if (c == 't')
            opt.steps = 1;
        else
            return false;
    }
    return optind < argc;
}

int main(int argc, char **argv)
{
    if (!parse(argc, argv)) {
        fprintf(stderr,
                "checknet: [--device cuda|cpu] [--inputs N] [--rows N] [--slots N] [--steps] "
                "FILE...\n");
        return 2;
    }
    if (rp_device_cpu(&here.cpu) < 0 || rp_engine_create(&here.engine, NULL) < 0)
        return 1;
    if (!strcmp(opt.device, "cuda") && rp_device_cuda(&here.dev, 0) < 0)
        return 77;
    if (!here.dev)
        here.dev = here.cpu;
    for (int i = optind; i < argc; i++)
        if (check_file(argv[i]) < 0)
            tell(false, "%s: %s", argv[i], rp_last_error());
    rp_engine_destroy(&here.engine);
    if (here.dev != here.cpu)
        rp_device_destroy(&here.dev);
    rp_device_destroy(&here.cpu);
    printf("%d passed, %d failed\n", told.passed, told.failed);
    return told.failed ? 1 : 0;
}
