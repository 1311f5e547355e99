#include "ops/select_core.h"

int rp_c_select(struct rp_stream *stream, const struct rp_op_select *a)
{
    const int n = rp_faces_stored(a->faces);
    uint8_t in[RP_MAX_FACES];
    uint32_t key[RP_MAX_FACES];
    int count = 0;

    (void) stream;
    for (int i = 0; i < n; i++) {
        const struct rp_dface *const f = &a->faces->face[i];
        in[i] = (uint8_t) rp_select_in(a, f);
        key[i] = rp_select_by_reference(a) ? 0 : rp_select_key(a, f);
        count += in[i];
    }
    if (a->mode == RP_SELECT_ONE && count > 1)
        count = 1;
    for (int i = 0; i < n; i++) {
        if (!in[i])
            continue;
        const int place = rp_select_place(in, key, n, i);
        if (place < count)
            a->dst->index[place] = i;
    }
    a->dst->count = count;
    return 0;
}
