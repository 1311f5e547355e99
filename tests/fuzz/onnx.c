/* Any bytes as an ONNX file: all that is reported lies within the file, the counts are numbers, and
 * when the file is changed, only what may change does. */
#include "fuzz.h"
#include "base/hash.h"
#include "nets/keep.h"
#include "nets/run.h"
#include "onnx/rows.h"
#include "onnx/sizes.h"

static void check_inside(struct rp_onnx_text text, const uint8_t *data, size_t size)
{
    const uint8_t *const p = (const uint8_t *) text.p;

    if (text.n && (p < data || text.n > size || p > data + size - text.n))
        abort();
}

static void check_values(const struct rp_onnx *onnx)
{
    const struct rp_onnx_node *nodes;

    for (int i = 0, n = rp_onnx_nodes(onnx, &nodes); i < n; i++) {
        for (int k = 0; k < nodes[i].nout; k++) {
            const struct rp_onnx_value *const v = rp_onnx_value(onnx, nodes[i].out[k]);

            if (v && (v->rank < -1 || v->rank > RP_ONNX_MAX_RANK))
                abort();
            for (int d = 0; v && d < v->rank; d++)
                if (v->dim[d] < -1)
                    abort();
        }
    }
}

/* A small weight has not both this number of elements and one more. */
static void check_floats(const struct rp_onnx_tensor *t)
{
    float out[65];
    size_t n = 1;

    for (int d = 0; d < t->rank && n <= 64; d++)
        n = t->dim[d] >= 0 && t->dim[d] <= 64 ? n * (size_t) t->dim[d] : 65;
    if (t->rank < 0 || n > 64)
        return;
    fuzz_must(!rp_onnx_floats(t, out, n) || !rp_onnx_floats(t, out, n + 1));
}

static void read_it(const uint8_t *data, size_t size)
{
    struct rp_onnx *onnx;
    struct rp_onnx_cost cost = {0};
    const struct rp_onnx_tensor *weights;

    if (rp_onnx_read(&onnx, "fuzz.onnx", data, size) < 0)
        return;
    for (int i = 0, n = rp_onnx_weights(onnx, &weights); i < n; i++) {
        check_inside(weights[i].name, data, size);
        check_inside(weights[i].raw, data, size);
        check_floats(&weights[i]);
    }
    rp_onnx_count(onnx, NULL, &cost);
    if (!(cost.flop >= 0) || !(cost.weight_bytes >= 0) || !(cost.activation_bytes >= 0))
        abort();
    check_values(onnx);
    rp_onnx_close(&onnx);
}

/* Which bytes may become which; 0 ends the list, no byte becomes that. */
struct change {
    uint8_t from, to;
};

static void check_changes(const struct rp_onnx_image *image, const uint8_t *data,
                          const struct change *allowed)
{
    const uint8_t *const now = image->data;

    for (size_t i = 0; i < image->size; i++) {
        const struct change *c = allowed;

        while (c->to && (data[i] != c->from || now[i] != c->to))
            c++;
        if (now[i] != data[i] && !c->to)
            abort();
    }
}

static void change_it(const uint8_t *data, size_t size)
{
    static const struct change sizes[] = {{0x08, 0x78}, {0}}, rows[] = {{1, 8}, {0x6a, 0x4a}, {0}};
    const struct rp_onnx_image image = {malloc(size + 1), size};

    if (!image.data)
        return;
    memcpy(image.data, data, size);
    if (rp_onnx_open_sizes(&image) && rp_onnx_open_sizes(&image))
        abort(); /* what is open stays so */
    check_changes(&image, data, sizes);
    memcpy(image.data, data, size);
    if (rp_onnx_set_rows(&image, "fuzz.onnx", 8) >= 0)
        read_it(image.data, size);
    check_changes(&image, data, rows);
    free(image.data);
}

/* The file as it is: info, weights, count. */
void fuzz_onnx(const uint8_t *data, size_t size)
{
    read_it(data, size);
}

/* The file changed: open sizes, eight rows. */
void fuzz_rows(const uint8_t *data, size_t size)
{
    change_it(data, size);
}

/* Bytes of the largest buffer that is an input or output of this number. */
static size_t largest(const struct rp_nn_plan *plan, enum rp_nn_memory memory, int index)
{
    size_t most = 0;

    for (int i = 0; i < plan->nbuffers; i++)
        if (plan->buffer[i].memory == memory && plan->buffer[i].index == index)
            most = RP_MAX(most, plan->buffer[i].bytes);
    return most;
}

/* @param constants  the plan has them; else they are zeros
 * Steps stay within their buffers' memory: their tensors lie inside, or the sanitizer says so. */
static void run_it(const struct rp_nn_plan *plan, bool constants)
{
    struct rp_nn_run *run;
    struct rp_nn_place place = {.arena = calloc(plan->arena + 256, 1)};
    void *const weights = calloc(plan->weights + 256, 1);

    if (weights && constants)
        rp_nn_plan_weights(plan, weights);
    place.weights = weights;
    for (int i = 0; i < (int) RP_ARRAY_LEN(place.in); i++) {
        place.in[i] = calloc(largest(plan, RP_NN_INPUT, i) + 1, 1);
        place.out[i] = calloc(largest(plan, RP_NN_OUTPUT, i) + 1, 1);
    }
    fuzz_must(rp_nn_run_create(&run, plan, &place) >= 0);
    fuzz_must(rp_nn_run_go(run, &rp_ops_c, NULL) >= 0);
    rp_nn_run_free(&run);
    for (size_t i = 0; i < RP_ARRAY_LEN(place.in); i++) {
        free(place.in[i]);
        free(place.out[i]);
    }
    free(place.arena);
    free(weights);
}

static double numbers(const struct rp_act *t)
{
    return (double) t->n * t->h * t->w * t->c;
}

/* Multiply-adds of a step, and the like. */
static double work_of(const struct rp_nn_step *s)
{
    const struct rp_op_net_matmul *const m = &s->args.net_matmul;
    const struct rp_op_net_conv *const c = &s->args.net_conv;
    const struct rp_op_net_linear *const l = &s->args.net_linear;
    const struct rp_op_net_pool *const p = &s->args.net_pool;
    const struct rp_op_net_reduce *const r = &s->args.net_reduce;

    switch ((int) s->op) {
    case RP_NN_OP_net_conv:
        return numbers(&c->dst) * c->kh * c->kw * c->src.c * c->shuffle * c->shuffle;
    case RP_NN_OP_net_linear:
        return numbers(&l->dst) * l->src.c;
    case RP_NN_OP_net_matmul:
        return (double) m->batch * m->heads * m->rows * m->columns * m->depth;
    case RP_NN_OP_net_pool:
        return numbers(&p->dst) * p->kh * p->kw;
    case RP_NN_OP_net_reduce:
        return numbers(&r->dst) + numbers(&r->src);
    default:
        return 0;
    }
}

/* Of at most about a million numbers in all, so that it takes no time. */
static bool small(const struct rp_nn_plan *plan)
{
    double work = 0;
    size_t all = plan->arena + plan->weights;

    for (int i = 0; i < plan->nbuffers; i++)
        all += plan->buffer[i].memory >= RP_NN_INPUT ? plan->buffer[i].bytes : 0;
    for (int i = 0; i < plan->nsteps; i++) {
        const struct rp_nn_step *const s = &plan->step[i];

        if (s->op == RP_NN_OP_net_conv)
            all += (size_t) s->args.net_conv.kh * (size_t) s->args.net_conv.kw * 64;
        if (s->op == RP_NN_OP_net_pool)
            all += (size_t) s->args.net_pool.kh * (size_t) s->args.net_pool.kw * 64;
        work += work_of(s);
    }
    return all < 1 << 18 && plan->nsteps < 200 && work < 1e8;
}

/* The file as steps of our own operations, which are done if there are few. */
void fuzz_nets(const uint8_t *data, size_t size)
{
    struct rp_nn_graph *graph;
    struct rp_nn_plan *plan = NULL;
    int ret = rp_nn_graph_read(&graph, "fuzz.onnx", data, size, NULL);

    if (ret >= 0)
        ret = rp_nn_plan_make(&plan, graph, size % 2 ? RP_ACT_F16 : RP_ACT_F32);
    fuzz_must(ret != RP_ERR_UNSUPPORTED || graph->why[0]);
    if (ret >= 0 && small(plan))
        run_it(plan, true);
    rp_nn_plan_free(&plan);
    rp_nn_graph_free(&graph);
}

/* Up to 32 changes of bytes, then a file: its plan is kept, these bytes of what was kept are changed
 * (and the checksum with them), and what is still taken stays within its memory. */
void fuzz_kept(const uint8_t *data, size_t size)
{
    enum { CHANGE = 4, CRC = 8 }; /* bytes of one; where the checksum is, of what follows it */
    size_t kept;
    uint8_t *bytes = NULL;
    struct rp_nn_graph *graph;
    struct rp_nn_plan *plan = NULL, *back = NULL;
    struct rp_nn_sum sum = {{0}};
    const size_t changes = size ? data[0] % 33 : 0, head = 1 + changes * CHANGE;

    if (size < head)
        return;
    if (rp_nn_graph_read(&graph, "fuzz.onnx", data + head, size - head, NULL) >= 0 &&
        rp_nn_plan_make(&plan, graph, size % 2 ? RP_ACT_F16 : RP_ACT_F32) >= 0 && small(plan) &&
        rp_nn_keep(plan, &sum, (void **) &bytes, &kept) >= 0) {
        for (const uint8_t *c = data + 1; c < data + head; c += CHANGE)
            bytes[((size_t) c[0] << 16 | (size_t) c[1] << 8 | c[2]) % kept] = c[3];
        const uint32_t crc = rp_crc32(0, bytes + CRC + 4, kept - CRC - 4);
        memcpy(bytes + CRC, &crc, sizeof(crc));
        if (rp_nn_kept(&back, &sum, bytes, kept) >= 0 && small(back))
            run_it(back, false);
    }
    free(bytes);
    rp_nn_plan_free(&back);
    rp_nn_plan_free(&plan);
    rp_nn_graph_free(&graph);
}
