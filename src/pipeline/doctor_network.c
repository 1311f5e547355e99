/* A convolution and a ReLU in a file that is written in memory, through all that a network of our
 * own goes through. Its numbers are small and whole, so that every device gives the same, however
 * its matrix units round. */
#include "pipeline/doctor_network.h"

#include "engine/slot.h"
#include "nets/run.h"
#include "onnx/write.h"

static const float input[16] = {-3, -2, -1, 0, 1, 2, 3, -3, -2, -1, 0, 1, 2, 3, -3, -2},
                   result[32] = {0, 0, 5, 7, 7, 0, 10, 0, 0, 5,  1, 7,  7, 13, 0,  0,
                                 5, 1, 8, 0, 0, 0, 0, 13, 8, 13, 0, 0, 0, 0,  11, 1};

static int write_file(struct rp_onnx_out *out)
{
    static const float weights[2 * 9] = {1,  -2, 1, 0, 3,  -1, 2, 0, -1,
                                         -1, 0,  2, 1, -3, 1,  0, 2, -1},
                       bias[2] = {1, -2};
    const size_t graph = rp_onnx_begin_model(out, "doctor");
    const size_t conv = rp_onnx_begin_node(out, "Conv x w b > c");

    rp_onnx_put_ints(out, "pads", 4, (int64_t[]){1, 1, 1, 1});
    rp_onnx_end(out, conv);
    rp_onnx_put_node(out, "Relu c > y");
    rp_onnx_put_weight(out, "w", RP_ONNX_FLOAT, 4, (int64_t[]){2, 1, 3, 3}, weights,
                       sizeof(weights));
    rp_onnx_put_weight(out, "b", RP_ONNX_FLOAT, 1, (int64_t[]){2}, bias, sizeof(bias));
    rp_onnx_put_value(out, RP_ONNX_INPUT, "x", 4, (int64_t[]){1, 1, 4, 4});
    rp_onnx_put_value(out, RP_ONNX_OUTPUT, "y", 4, (int64_t[]){1, 2, 4, 4});
    return rp_onnx_end_model(out, graph);
}

/* The plan's memory in the slot, with the weights and the input in it. */
static int place(struct rp_slot *slot, const struct rp_nn_plan *plan, struct rp_nn_place *out)
{
    void *const host = calloc(RP_MAX(plan->weights, 1), 1);

    if (!host)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    rp_nn_plan_weights(plan, host);
    const int ret = rp_slot_constant(slot, host, plan->weights, &out->weights);
    free(host);
    RP_CHECK(ret);
    RP_CHECK(rp_slot_alloc(slot, plan->arena, &out->arena));
    RP_CHECK(rp_slot_constant(slot, input, sizeof(input), &out->in[0]));
    return rp_slot_alloc(slot, sizeof(result), &out->out[0]);
}

static int run(struct rp_device *device, const struct rp_nn_plan *plan, bool *right)
{
    int ret;
    float got[32];
    struct rp_slot *slot = NULL;
    struct rp_nn_run *steps = NULL;
    struct rp_nn_place memory = {0};

    RP_TRY(rp_slot_create(&slot, device));
    RP_TRY(place(slot, plan, &memory));
    RP_TRY(rp_nn_run_create(&steps, plan, &memory));
    RP_TRY(rp_nn_run_go(steps, device->ops, slot->stream));
    RP_TRY(rp_slot_download(slot, got, memory.out[0], sizeof(got)));
    RP_TRY(rp_slot_sync(slot));
    *right = true;
    for (size_t i = 0; i < RP_ARRAY_LEN(got); i++)
        *right &= got[i] == result[i];

fail:
    rp_nn_run_free(&steps);
    rp_slot_destroy(&slot);
    return ret;
}

int rp_doctor_network(struct rp_device *device, bool *right)
{
    int ret;
    uint8_t file[1024];
    struct rp_onnx_out out = {.data = file, .size = sizeof(file)};
    struct rp_nn_graph *graph = NULL;
    struct rp_nn_plan *plan = NULL;

    *right = false;
    RP_CHECK(write_file(&out));
    ret = rp_nn_graph_read(&graph, "the doctor's network", file, out.n, NULL);
    if (ret >= 0)
        ret = rp_nn_plan_make(&plan, graph, RP_ACT_F32);
    if (ret >= 0)
        ret = run(device, plan, right);
    else if (ret == RP_ERR_UNSUPPORTED)
        rp_fail(ret, "the doctor's network: %s", graph->why);
    rp_nn_plan_free(&plan);
    rp_nn_graph_free(&graph);
    return ret;
}
