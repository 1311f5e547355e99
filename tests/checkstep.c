/* checkstep: frames in lockstep give the same results as each of them alone.
 *
 *     checkstep [--device cuda|cpu] FOLDER
 *
 * FOLDER is what fault_models.py writes. Each frame runs two nested loops, as often as its own
 * numbers say (maybe never), with a network on data that change from turn to turn. In lockstep, 2,
 * 4 and 8 frames must give the results of each frame alone, within rounding; recorded, the bytes of
 * eager work. Networks: one whose file leaves the batch open; two whose files fix it, also in
 * constant shapes; one that cannot be changed, and one that must not be because it mixes rows.
 *
 * Exit: 0 no difference, 1 a difference, 77 no such device. Last line: N passed, N failed. */
#include <getopt.h>
#include <math.h>

#include "engine/graph.h"
#include "engine/lockstep.h"
#include "engine/play.h"

#define THINGS 4
#define DRAWS 40

static const struct rp_graph_options on = {.mode = RP_GRAPH_FRAME, .warmup = 3, .verify = 0};
static int passed, failed;

/* One frame: its items, its numbers, its network. */
struct frame {
    struct rp_slot *slot;
    struct rp_net *net;
    uint8_t *in, *out; /* device: THINGS inputs and results */
    int32_t *number;   /* device: outer count, outer index, inner count */
    struct rp_rows *at; /* row: which thing */
};

/* ---- the work -------------------------------------------------------------------------------- */

static void record(const struct frame *f)
{
    const struct rp_tensor *const in = &f->net->in[0], *const out = &f->net->out[0];

    rp_record_zero(f->slot, f->out, THINGS * out->bytes);
    rp_record_loop(f->slot, f->number, f->number + 1);
    rp_record_loop(f->slot, f->number + 2, &f->at->row);
    RP_OP(f->slot, row_copy, .src = f->in, .dst = in->data, .bytes = in->bytes, .at = f->at,
          .most = THINGS);
    rp_record_run(f->net);
    RP_OP(f->slot, row_copy, .src = out->data, .dst = f->out, .bytes = out->bytes, .at = f->at,
          .most = THINGS, .put = 1);
    RP_OP(f->slot, row_copy, .src = out->data, .dst = f->in, .bytes = in->bytes, .at = f->at,
          .most = THINGS, .put = 1); /* the next turn sees it */
    rp_record_loop_end(f->slot);
    rp_record_loop_end(f->slot);
}

static int record_frame(const struct frame *f, struct rp_list *list)
{
    rp_list_begin(list, f->slot);
    record(f);
    return rp_list_end(f->slot);
}

static int open_frame(struct frame *f, struct rp_model *model)
{
    int ret;
    const struct rp_tensor_info *in;
    int64_t dim[RP_MAX_RANK];
    const int64_t *dims[RP_MAX_TENSORS] = {dim};

    rp_model_inputs(model, &in);
    for (int d = 0; d < in->rank; d++)
        dim[d] = in->dim[d] >= 0 ? in->dim[d] : d == 0 ? 1 : 32;
    RP_TRY(rp_net_open(&f->net, f->slot, model, dims));
    RP_TRY(rp_slot_alloc(f->slot, THINGS * f->net->in[0].bytes, (void **) &f->in));
    RP_TRY(rp_slot_alloc(f->slot, THINGS * f->net->out[0].bytes, (void **) &f->out));
    RP_TRY(rp_slot_alloc(f->slot, 3 * sizeof(int32_t), (void **) &f->number));
    RP_TRY(rp_slot_alloc(f->slot, sizeof(*f->at), (void **) &f->at));
    return 0;

fail:
    return ret;
}

static void close_frame(struct frame *f)
{
    rp_net_close(&f->net);
    rp_slot_destroy(&f->slot);
}

/* The inputs of frame i of a draw. */
static int begin(const struct frame *f, unsigned draw, int i)
{
    int ret;
    const size_t n = THINGS * f->net->in[0].count;
    float *const v = malloc(n * sizeof(*v));
    uint32_t r = draw * 977u + (unsigned) i * 131u + 7u;
    const int32_t number[3] = {(int32_t) (r * 2654435761u >> 16) % 4 - (draw % 3 == 0),
                               0, (int32_t) (r * 2246822519u >> 16) % (THINGS + 2) - 1};

    if (!v)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    for (size_t k = 0; k < n; k++) {
        r = r * 1664525u + 1013904223u;
        v[k] = (float) (r >> 8) / (float) (1 << 23) - 1;
    }
    RP_TRY(rp_slot_upload(f->slot, f->in, v, n * sizeof(*v)));
    RP_TRY(rp_slot_upload(f->slot, f->number, number, sizeof(number)));
    RP_TRY(rp_slot_sync(f->slot));
fail:
    free(v);
    return ret;
}

static int result(const struct frame *f, float *to)
{
    int ret;

    RP_TRY(rp_slot_download(f->slot, to, f->out, THINGS * f->net->out[0].bytes));
    return rp_slot_sync(f->slot);

fail:
    return ret;
}

/* ---- lockstep -------------------------------------------------------------------------------- */

struct herd {
    int n;
    struct rp_lockstep *lockstep;
    struct frame frame[RP_MAX_LANES], alone;
    struct rp_list list_alone, list;
    struct rp_playback work;
    struct rp_graph *graph;
    float *alone_out, *eager, *replay; /* of all frames */
    size_t each;                       /* numbers of a frame's */
};

/* The work on one frame alone, and on all of them. */
static int record_herd(struct herd *h)
{
    int ret;
    struct rp_list list[RP_MAX_LANES] = {0};

    RP_TRY(record_frame(&h->alone, &h->list_alone));
    for (int i = 0; i < h->n; i++)
        RP_TRY(record_frame(&h->frame[i], &list[i]));
    RP_TRY(rp_lockstep_merge(h->lockstep, list, &h->list));
    h->work = (struct rp_playback){&h->list, rp_lockstep_lead(h->lockstep)};
fail:
    for (int i = 0; i < RP_MAX_LANES; i++)
        rp_list_clear(&list[i]);
    return ret;
}

static int open_herd(struct herd *h, struct rp_device *dev, struct rp_model *model, int n)
{
    int ret;

    *h = (struct herd){.n = n};
    RP_TRY(rp_slot_create(&h->alone.slot, dev));
    RP_TRY(open_frame(&h->alone, model));
    RP_TRY(rp_lockstep_create(&h->lockstep, dev, &on, n));
    RP_TRY(rp_graph_create(&h->graph, rp_lockstep_lead(h->lockstep), "lockstep", &on));
    for (int i = 0; i < n; i++) {
        RP_TRY(rp_lockstep_slot(&h->frame[i].slot, h->lockstep, i));
        RP_TRY(open_frame(&h->frame[i], model));
        RP_TRY(rp_graph_watch(h->graph, h->frame[i].out, THINGS * h->frame[i].net->out[0].bytes));
    }
    RP_TRY(record_herd(h));
    h->each = THINGS * h->alone.net->out[0].count;
    h->alone_out = calloc(3 * (size_t) n * h->each, sizeof(float));
    if (!h->alone_out)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    h->eager = h->alone_out + (size_t) n * h->each;
    h->replay = h->eager + (size_t) n * h->each;
    return 0;

fail:
    return ret;
}

static void close_herd(struct herd *h)
{
    rp_graph_destroy(&h->graph);
    rp_list_clear(&h->list_alone);
    rp_list_clear(&h->list);
    for (int i = 0; i < h->n; i++)
        close_frame(&h->frame[i]);
    rp_lockstep_destroy(&h->lockstep);
    close_frame(&h->alone);
    free(h->alone_out);
}

static int run_lockstep(struct herd *h, unsigned draw, bool graph, float *to)
{
    int ret;

    for (int i = 0; i < h->n; i++)
        RP_TRY(begin(&h->frame[i], draw, i));
    RP_TRY(graph ? rp_graph_run(h->graph, rp_play_back, &h->work, false) : rp_play_back(&h->work));
    if (graph)
        RP_TRY(rp_graph_wait(h->graph));
    for (int i = 0; i < h->n; i++)
        RP_TRY(result(&h->frame[i], to + (size_t) i * h->each));
    return 0;

fail:
    return ret;
}

struct tally {
    int far, unlike; /* draws: from alone; replay from eager */
    double most;     /* difference, of the largest number */
};

static int one_draw(struct herd *h, unsigned draw, struct tally *t)
{
    int ret;
    double off = 0, most = 0;
    const size_t all = (size_t) h->n * h->each;

    for (int i = 0; i < h->n; i++) {
        RP_TRY(begin(&h->alone, draw, i));
        RP_TRY(rp_play(&h->list_alone, h->alone.slot));
        RP_TRY(result(&h->alone, h->alone_out + (size_t) i * h->each));
    }
    RP_TRY(run_lockstep(h, draw, false, h->eager));
    for (int i = 0; i < (draw ? 1 : 3); i++) /* recorded at its second use */
        RP_TRY(run_lockstep(h, draw, true, h->replay));
    for (size_t i = 0; i < all; i++) {
        most = fmax(most, fabs((double) h->alone_out[i]));
        off = fmax(off, fabs((double) h->alone_out[i] - (double) h->eager[i]));
    }
    t->most = fmax(t->most, most > 0 ? off / most : off);
    t->far += off > 0.005 * most; /* TF32 rounds to 11 bits, a few times over */
    t->unlike += memcmp(h->eager, h->replay, all * sizeof(float)) != 0;
    return 0;

fail:
    return ret;
}

/* @param shared  1: the network runs once for all frames */
static void check(struct rp_engine *engine, struct rp_device *dev, const char *folder,
                  const char *name, int shared)
{
    int ret = 0, opened;
    char path[4096];
    struct rp_model *model = NULL;
    struct herd h = {0};

    snprintf(path, sizeof(path), "%s/%s.onnx", folder, name);
    for (int n = 2; n <= RP_MAX_LANES; n *= 2) {
        struct tally t = {0};
        struct rp_graph_stats stats = {0};

        RP_TRY(rp_model_open(&model, engine, dev,
                             &(struct rp_model_params){.path = path, .layout = RP_LAYOUT_NCHW}));
        RP_TRY(open_herd(&h, dev, model, n));
        for (unsigned draw = 0; draw < DRAWS; draw++)
            RP_TRY(one_draw(&h, draw, &t));
        rp_graph_get_stats(h.graph, &stats);
        const bool recorded = !dev->fns->host_memory && rp_model_recordable(model);
        const bool ok = !t.far && !t.unlike && rp_lockstep_shared(h.lockstep, &opened) == shared &&
                        stats.recorded == recorded;
        printf("%s %-10s %d frames: %d of %d draws off, at most %.2g; replays unlike eager: %d; %s, %s%s%s\n",
               ok ? "ok    " : "FAILED", name, n, t.far, DRAWS, t.most, t.unlike,
               rp_lockstep_shared(h.lockstep, &opened) ? "one network" : "one by one",
               stats.recorded ? "recorded" : "eager", stats.reason[0] ? ": " : "", stats.reason);
        *(ok ? &passed : &failed) += 1;
        close_herd(&h);
        h = (struct herd){0};
        rp_model_close(&model);
    }
    return;

fail:
    printf("FAILED %-10s %s\n", name, rp_last_error());
    failed++;
    close_herd(&h);
    rp_model_close(&model);
}

int main(int argc, char **argv)
{
    int c;
    const char *device = "cpu";
    struct rp_device *dev = NULL;
    struct rp_engine *engine = NULL;
    static const struct option longs[] = {{"device", 1, NULL, 'd'}, {0}};

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
        if (c == 'd')
            device = optarg;
    if (optind + 1 != argc) {
        fprintf(stderr, "usage: checkstep [--device D] FOLDER\n");
        return 2;
    }
    rp_set_log(RP_LOG_ERROR, NULL, NULL);
    if ((strcmp(device, "cuda") ? rp_device_cpu(&dev) : rp_device_cuda(&dev, 0)) < 0) {
        printf("skipped: %s\n0 passed, 0 failed, 1 skipped\n", rp_last_error());
        return 77;
    }
    if (rp_engine_create(&engine, NULL) >= 0) {
        check(engine, dev, argv[optind], "open_sizes", 1);
        check(engine, dev, argv[optind], "fine", 1);
        check(engine, dev, argv[optind], "reshapes", 1);
        check(engine, dev, argv[optind], "branch", 0);
        check(engine, dev, argv[optind], "mixes_rows", 0);
    } else {
        printf("FAILED %s\n", rp_last_error());
        failed++;
    }
    rp_engine_destroy(&engine);
    rp_device_destroy(&dev);
    printf("%d passed, %d failed\n", passed, failed);
    return failed ? 1 : 0;
}
