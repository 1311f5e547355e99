/* Masks of one face crop: how much of each pixel of the crop is pasted.
 *
 *   rp_masks   what the settings ask of one processor, and the networks for it: shared
 *   rp_masker  the buffers and bindings for crops of one size in one slot
 *
 * The result is the minimum of these: box, occlusion (what hides the face, found in the original
 * crop), area (hull of the landmarks), region (parts of the face, found in the crop that will be
 * pasted). */
#ifndef RP_MASK_H
#define RP_MASK_H

#include "face/options.h"
#include "models/pool.h"

enum rp_mask_type { RP_MASK_BOX = 0, RP_MASK_OCCLUSION, RP_MASK_AREA, RP_MASK_REGION };
enum rp_mask_area { RP_AREA_UPPER_FACE = 0, RP_AREA_LOWER_FACE, RP_AREA_MOUTH };

#define RP_MASK_BIT(type) (1u << RP_MASK_##type)
#define RP_MASK_ALL \
    (RP_MASK_BIT(BOX) | RP_MASK_BIT(OCCLUSION) | RP_MASK_BIT(AREA) | RP_MASK_BIT(REGION))

/* What a processor does with the user's choice of masks. In FaceFusion:
 *
 *   face_swapper             .chosen all
 *   deep_swapper             .always box, .chosen occlusion, area, region
 *   face_enhancer, expression_restorer, age_modifier
 *                            .always box, .chosen occlusion, .no_padding
 *   face_editor              .always box, .no_padding
 *   lip_syncer               wav2lip: .always area, .areas lower face, .chosen occlusion
 *                            edtalk: .always box, .chosen occlusion
 *   face_debugger            .chosen all, .no_blur */
struct rp_mask_use {
    unsigned always; /* masks that are always made: RP_MASK_BIT(...) */
    unsigned chosen; /* masks that are made if the user chose them */
    unsigned areas;  /* of the area mask, bits of enum rp_mask_area; 0: the user's choice */
    bool no_padding, no_blur; /* of the box, whatever the user chose */
    bool own;        /* the processor brings a mask of its own with each face */
};

struct rp_masks;
struct rp_masker;

/* rp_need bits: what the masks of a processor need of the analysing stage. */
unsigned rp_masks_needs(const struct rp_settings *settings, const struct rp_mask_use *use);

/* Opens the networks: once for each processor, in its create(). */
int rp_masks_create(struct rp_masks **out, struct rp_pool *pool,
                    const struct rp_settings *settings, const struct rp_mask_use *use);
void rp_masks_destroy(struct rp_masks **masks);

/* True if a mask is made from pixels; else rp_masker_record() needs no crop. */
bool rp_masks_see(const struct rp_masks *masks);

/* For crops of w x h: binds the networks and computes what is constant. In attach(). */
int rp_masker_create(struct rp_masker **out, const struct rp_masks *masks, struct rp_slot *slot,
                     int w, int h);
void rp_masker_destroy(struct rp_masker **masker); /* before its slot */

/* What masks are made from; device memory. */
struct rp_mask_of {
    const struct rp_dface *face;
    const struct rp_affine *affine; /* frame to crop */
    const struct rp_img *crop;      /* the original crop, w x h; see rp_masks_see() */
    const float *result; /* [h][w][3], BGR 0..255: what will be pasted; NULL: the region mask is
                          * made from the crop */
    const float *own;    /* [h][w], 0..1: the processor's own mask (rp_mask_use.own); NULL: none */
};

/* Record, after the processor's network: the masks that depend on the face, and their minimum with
 * the constant ones. */
void rp_masker_record(struct rp_masker *masker, const struct rp_mask_of *of);

/* The result: [h][w] floats in device memory; all 1 if no mask was asked for. */
const float *rp_masker_mask(const struct rp_masker *masker);

#endif /* RP_MASK_H */
