/* Masks of one face crop (algorithms section 15): which pixels of the crop are pasted, and how much. */
#ifndef RP_MASK_H
#define RP_MASK_H

#include "engine/slot.h"
#include "face/options.h"

enum rp_mask_type { RP_MASK_BOX = 0, RP_MASK_AREA };
enum rp_mask_area { RP_AREA_UPPER_FACE = 0, RP_AREA_LOWER_FACE, RP_AREA_MOUTH };

struct rp_masker;

struct rp_masker_params {
    int w, h;              /* of the crop */
    bool box, area;        /* which masks */
    double blur;
    int padding[4];        /* percent: top, right, bottom, left */
    unsigned areas;        /* bit = enum rp_mask_area */
};

/* From the user's settings. */
void rp_masker_params_from(struct rp_masker_params *out, const struct rp_mask_options *options, int w,
                           int h);

/* Constant masks are computed here, once. */
int rp_masker_create(struct rp_masker **out, struct rp_slot *slot,
                     const struct rp_masker_params *params);
void rp_masker_destroy(struct rp_masker **masker);

/* Record the masks that depend on the face, and their minimum with the constant ones. */
int rp_masker_record(struct rp_masker *masker, const struct rp_dface *face,
                     const struct rp_affine *affine);

/* The result: [h][w] floats in device memory. */
const float *rp_masker_mask(const struct rp_masker *masker);

#endif /* RP_MASK_H */
