/* Which source a face gets, and what of it goes into the swapper. */
#ifndef RP_OPS_MAP_CORE_H
#define RP_OPS_MAP_CORE_H

#include "ops/select_core.h"

/* Number of the face at place i of the selection, -1 if there is none. */
RP_FN int rp_map_face(const struct rp_op_map_faces *a, int i)
{
    const int face = a->selection->index[i];

    return face >= 0 && face < rp_faces_stored(a->faces) ? face : -1;
}

RP_FN int rp_map_places(const struct rp_op_map_faces *a)
{
    return rp_clampi(a->selection->count, 0, RP_MAX_FACES);
}

RP_FN int rp_map_references(const struct rp_op_map_faces *a)
{
    return rp_clampi(a->references->count, 0, RP_MAX_REFERENCES);
}

/* To be called for one reference after the other: *source and *best are those of the nearest so
 * far. */
RP_FN void rp_map_look(const struct rp_op_map_faces *a, int i, double dot, int *source,
                       double *best)
{
    if (rp_embedding_near(dot, a->distance) && (*source < 0 || dot > *best)) {
        *source = i;
        *best = dot;
    }
}

/* The row of sources, -1 if there is none. */
RP_FN int rp_source_row(const struct rp_op_source_mix *a)
{
    int row = 0;

    if (a->map) {
        const int place = *a->index;

        row = place >= 0 && place < a->map->chosen.count && place < RP_MAX_FACES
                  ? a->map->source[place]
                  : -1;
    }
    return row >= 0 && row < a->rows ? row : -1;
}

/* Number i of the row, mixed. */
RP_FN float rp_source_value(const struct rp_op_source_mix *a, int row, int i)
{
    const float v = row < 0 ? 0.0f : a->sources[(size_t) row * (size_t) a->n + (size_t) i];

    if (row < 0 || !a->face || !(a->face->has & RP_HAS_EMBEDDING))
        return v;
    return v * (1.0f - a->mix) +
           (a->raw ? a->face->embedding[i] : a->face->embedding_norm[i]) * a->mix;
}

#endif /* RP_OPS_MAP_CORE_H */
