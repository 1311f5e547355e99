#include "ops/hull_core.h"

int rp_c_hull_mask(struct rp_stream *stream, const struct rp_op_hull_mask *a)
{
    struct rp_hull hull;

    (void) stream;
    rp_hull_make(a, &hull);
    for (int y = 0; y < a->h; y++)
        rp_hull_row(&hull, y, a->w, a->h, a->dst + (size_t) y * a->w);
    return 0;
}
