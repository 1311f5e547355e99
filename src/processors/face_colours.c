#include "processors/face_colours.h"

int rp_face_colours_open(struct rp_face_colours *c, struct rp_slot *slot, int size, const int *step,
                         int steps)
{
    const size_t largest = (size_t) step[steps - 1];

    c->slot = slot;
    c->steps = steps;
    for (int i = 0; i < steps; i++)
        c->step[i] = step[i];
    for (int i = 0; i < steps - 1; i++)
        RP_CHECK(rp_slot_image(slot, size, size, 3, &c->between[i]));
    return rp_slot_alloc(slot, 3 * largest * largest * sizeof(float), (void **) &c->gap);
}

void rp_face_colours_record(const struct rp_face_colours *c, const struct rp_img *was,
                            const struct rp_img *face, const double *factor, float *pixels)
{
    for (int i = 0; i < c->steps; i++) {
        const bool last = i == c->steps - 1;
        const struct rp_img none = {0};

        RP_OP(c->slot, colour_gap, .a = *was, .b = *face, .size = c->step[i], .dst = c->gap);
        RP_OP(c->slot, colour_shift, .src = *face, .gap = c->gap, .size = c->step[i],
              .factor = last ? factor : NULL, .dst = last ? none : c->between[i],
              .pixels = last ? pixels : NULL);
        was = &c->between[last ? 0 : i];
    }
}
