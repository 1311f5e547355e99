#include "ops/content_core.h"

int rp_c_content_vote(struct rp_stream *stream, const struct rp_op_content_vote *a)
{
    const float best =
        a->kind == RP_CONTENT_NSFW_1 ? rp_content_largest(a->src, rp_content_from(a), a->n) : 0;

    (void) stream;
    rp_content_one(a, rp_content_score(a, best));
    return 0;
}
