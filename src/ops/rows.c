#include "ops/rows_core.h"

#include <string.h>

int rp_c_rows(struct rp_stream *stream, const struct rp_op_rows *a)
{
    (void) stream;
    rp_rows_step(a);
    return 0;
}

int rp_c_row_copy(struct rp_stream *stream, const struct rp_op_row_copy *a)
{
    size_t offset;

    (void) stream;
    if (rp_row_offset(a, &offset))
        memcpy((uint8_t *) a->dst + (a->put ? offset : 0),
               (const uint8_t *) a->src + (a->put ? 0 : offset), a->bytes);
    return 0;
}

int rp_c_lockstep(struct rp_stream *stream, const struct rp_op_lockstep *a)
{
    (void) stream;
    rp_lockstep_turn(a);
    return 0;
}
