#include "ops/gate_core.h"

int rp_c_gate(struct rp_stream *stream, const struct rp_op_gate *a)
{
    const float best =
        a->kind == RP_GATE_NSFW_1 ? rp_gate_largest(a->src, rp_gate_from(a), a->n) : 0;

    (void) stream;
    rp_gate_one(a, rp_gate_score(a, best));
    return 0;
}
