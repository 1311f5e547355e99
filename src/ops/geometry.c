#include "ops/geometry_core.h"

const float rp_templates[RP_TEMPLATE_COUNT][5][2] = RP_TEMPLATE_TABLE;

int rp_c_align(struct rp_stream *stream, const struct rp_op_align *a)
{
    (void) stream;
    rp_align_one(a);
    return 0;
}

int rp_c_box_affine(struct rp_stream *stream, const struct rp_op_box_affine *a)
{
    (void) stream;
    rp_box_affine_one(a);
    return 0;
}

int rp_c_points_tensor(struct rp_stream *stream, const struct rp_op_points_tensor *a)
{
    (void) stream;
    for (int i = 0; i < 10; i++)
        a->dst[i] = rp_points_tensor_at(a, i);
    return 0;
}

int rp_c_landmark_box(struct rp_stream *stream, const struct rp_op_landmark_box *a)
{
    float x[68], y[68], box[4];

    (void) stream;
    for (int i = 0; i < 68; i++)
        rp_landmark_in_crop(a, i, &x[i], &y[i]);
    for (int i = 0; i < 4; i++)
        box[i] = rp_landmark_extreme(i & 1 ? y : x, i >= 2);
    rp_landmark_box_maps(box, a->w, a->h, a->dst, a->back);
    return 0;
}
