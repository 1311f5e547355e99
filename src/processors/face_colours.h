/* A new face takes over the colours of the one that was there: by how much the two differ, shrunk
 * to a few pixels, is added to the whole. In several steps, each finer than the one before and
 * starting from what that one gave, more and more of the shading comes along. */
#ifndef RP_FACE_COLOURS_H
#define RP_FACE_COLOURS_H

#include "engine/list.h"

#define RP_COLOUR_STEPS 3

/* Buffers in one slot, which owns them. */
struct rp_face_colours {
    struct rp_slot *slot;
    int steps, step[RP_COLOUR_STEPS]; /* sides of the shrunk difference, rising */
    float *gap;
    struct rp_img between[RP_COLOUR_STEPS - 1]; /* what all steps but the last give */
};

/* For faces of size x size.
 * @param step  1 to RP_COLOUR_STEPS numbers, none above `size` */
int rp_face_colours_open(struct rp_face_colours *c, struct rp_slot *slot, int size, const int *step,
                         int steps);

/* Record: `face` in the colours of `was`.
 * @param factor  share of it in the result, device memory; NULL: all
 * @param pixels  the result, [size][size][3], whole numbers */
void rp_face_colours_record(const struct rp_face_colours *c, const struct rp_img *was,
                            const struct rp_img *face, const double *factor, float *pixels);

#endif /* RP_FACE_COLOURS_H */
