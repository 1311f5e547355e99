#include "face/identity.h"

#include "ops/face_core.h"

static float area_of(const struct rp_dface *face)
{
    const float *const b = face->box;

    return (b[2] - b[0]) * (b[3] - b[1]);
}

int rp_face_largest(const struct rp_dfaces *faces)
{
    int best = -1;

    for (int i = 0; i < rp_faces_stored(faces); i++)
        if (best < 0 || area_of(&faces->face[i]) > area_of(&faces->face[best]))
            best = i;
    return best;
}

void rp_face_keep_larger(struct rp_dface *kept, int n, const struct rp_dface *face)
{
    if (n == 0 || area_of(face) > area_of(kept))
        *kept = *face;
}

static float add_to_mean(float mean, int n, float v)
{
    return (float) (((double) mean * n + (double) v) / (n + 1));
}

void rp_face_average(struct rp_dface *average, int n, const struct rp_dface *face)
{
    if (n == 0) {
        *average = *face;
        return;
    }
    for (int i = 0; i < 512; i++) {
        average->embedding[i] = add_to_mean(average->embedding[i], n, face->embedding[i]);
        average->embedding_norm[i] = add_to_mean(average->embedding_norm[i], n,
                                                 face->embedding_norm[i]);
    }
}
