#include "ops/landmark_core.h"

int rp_c_landmarks(struct rp_stream *stream, const struct rp_op_landmarks *a)
{
    float peaks[68];

    (void) stream;
    for (int i = 0; i < 68; i++) {
        peaks[i] = (float) -rp_inf();
        if (a->kind == RP_LANDMARK_2DFAN4)
            for (int k = 0; k < RP_HEAT_SIZE; k++)
                peaks[i] = rp_larger(a->t[1][(size_t) i * RP_HEAT_SIZE + k], peaks[i]);
    }
    rp_landmarks_one(a, peaks);
    return 0;
}
