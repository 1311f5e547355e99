/* Any bytes as an ONNX file: what is told of it lies inside it, and the counts are numbers. */
#include <math.h>

#include "onnx/onnx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rp_onnx *onnx;
    struct rp_onnx_cost cost = {0};
    const struct rp_onnx_tensor *weights;

    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    if (rp_onnx_read(&onnx, "fuzz.onnx", data, size) < 0)
        return 0;
    for (int i = 0, n = rp_onnx_weights(onnx, &weights); i < n; i++) {
        check_inside(weights[i].name, data, size);
        check_inside(weights[i].raw, data, size);
    }
    rp_onnx_count(onnx, NULL, &cost);
    if (!(cost.flop >= 0) || !(cost.weight_bytes >= 0) || !(cost.activation_bytes >= 0))
        abort();
    check_values(onnx);
    rp_onnx_close(&onnx);
    return 0;
}
