#include "ops/portrait_core.h"

int rp_c_portrait_restore(struct rp_stream *stream, const struct rp_op_portrait_restore *a)
{
    float r[9];

    (void) stream;
    rp_portrait_rotation(a->face.pitch[0], a->face.yaw[0], a->face.roll[0], r);
    for (int i = 0; i < RP_PORTRAIT_NUMBERS; i++)
        rp_portrait_restore_at(a, r, i);
    return 0;
}

int rp_c_portrait_edit(struct rp_stream *stream, const struct rp_op_portrait_edit *a)
{
    float now[9], then[9];

    (void) stream;
    rp_portrait_rotation(a->face.pitch[0], a->face.yaw[0], a->face.roll[0], now);
    rp_portrait_turn(a, then);
    for (int i = 0; i < RP_PORTRAIT_NUMBERS; i++)
        rp_portrait_edit_at(a, now, then, i);
    return 0;
}

int rp_c_portrait_add(struct rp_stream *stream, const struct rp_op_portrait_add *a)
{
    (void) stream;
    for (int i = 0; i < RP_PORTRAIT_NUMBERS; i++)
        rp_portrait_add_at(a, i);
    return 0;
}
