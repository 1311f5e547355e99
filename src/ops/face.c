#include "ops/face_core.h"

int rp_c_face_load(struct rp_stream *stream, const struct rp_op_face_load *a)
{
    const int i = rp_face_slot(a->faces, a->index);

    (void) stream;
    if (i < 0)
        memset(a->cur, 0, sizeof(*a->cur));
    else
        *a->cur = a->faces->face[i];
    return 0;
}

int rp_c_face_store(struct rp_stream *stream, const struct rp_op_face_store *a)
{
    const int i = rp_face_slot(a->faces, a->index);

    (void) stream;
    if (i >= 0)
        a->faces->face[i] = *a->cur;
    return 0;
}

int rp_c_face_pick(struct rp_stream *stream, const struct rp_op_face_pick *a)
{
    const int i = rp_face_chosen(a);

    (void) stream;
    if (i < 0)
        memset(a->cur, 0, sizeof(*a->cur));
    else
        *a->cur = a->faces->face[i];
    return 0;
}

int rp_c_face_scale(struct rp_stream *stream, const struct rp_op_face_scale *a)
{
    const int n = rp_faces_stored(a->src);

    (void) stream;
    a->dst->count = a->src->count;
    a->dst->overflow = a->src->overflow;
    for (int k = 0; k < n; k++) {
        a->dst->face[k] = a->src->face[k];
        for (int i = 0; i < RP_FACE_COORDINATES; i++)
            rp_face_scale_one(&a->dst->face[k], i, a->x, a->y);
    }
    return 0;
}

int rp_c_face_points(struct rp_stream *stream, const struct rp_op_face_points *a)
{
    (void) stream;
    rp_face_points_one(a);
    return 0;
}

int rp_c_points_angle(struct rp_stream *stream, const struct rp_op_points_angle *a)
{
    (void) stream;
    a->face->angle = rp_five_angle(a->face->lm5);
    return 0;
}

int rp_c_embedding(struct rp_stream *stream, const struct rp_op_embedding *a)
{
    double squares[512];

    (void) stream;
    for (int i = 0; i < 512; i++)
        squares[i] = (double) a->src[i] * a->src[i];
    const double length = rp_embedding_length(rp_sum_512(squares));
    for (int i = 0; i < 512; i++)
        rp_embedding_set(a->face, i, a->src[i], length);
    rp_embedding_flag(a->face, length);
    return 0;
}
