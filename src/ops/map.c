/* map_faces and source_mix: a source for each face. */
#include "ops/map_core.h"

int rp_c_map_faces(struct rp_stream *stream, const struct rp_op_map_faces *a)
{
    const int n = rp_map_places(a), references = rp_map_references(a);
    int count = 0;

    (void) stream;
    for (int i = 0; i < n; i++) {
        const int face = rp_map_face(a, i);
        int source = -1;
        double best = 0;

        if (face < 0)
            continue;
        const struct rp_dface *const f = &a->faces->face[face];
        for (int k = 0; (f->has & RP_HAS_EMBEDDING) && k < references; k++)
            rp_map_look(a, k,
                        rp_embedding_dot(f->embedding_norm, a->references->embedding_norm[k]),
                        &source, &best);
        if (source < 0)
            source = a->other;
        if (source < 0)
            continue;
        a->dst->chosen.index[count] = face;
        a->dst->source[count++] = source;
    }
    a->dst->chosen.count = count;
    return 0;
}

int rp_c_source_mix(struct rp_stream *stream, const struct rp_op_source_mix *a)
{
    const int row = rp_source_row(a);

    (void) stream;
    for (int i = 0; i < a->n; i++) {
        const float v = rp_source_value(a, row, i);

        for (int k = 0; k < a->copies; k++)
            a->dst[(size_t) k * (size_t) a->n + (size_t) i] = v;
    }
    return 0;
}
