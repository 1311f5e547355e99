/* What processors of faces have in common: cut each selected face out, upright and at one size, let
 * the processor work on it, and paste the result back through its masks.
 *
 *     rp_face_crop_each()          loop over the selection; for each face the processor's body:
 *         rp_face_crop_cut()         its pixels are in .img
 *         ... to_tensor, rp_run(), from_tensor ...
 *         rp_face_crop_paste()       masks, then into the frame */
#ifndef RP_FACE_CROP_H
#define RP_FACE_CROP_H

#include "face/mask.h"
#include "processors/processor.h"

/* One slot's buffers; they are the slot's own, only the masker has to be closed. */
struct rp_face_crop {
    struct rp_slot *slot;
    int template_id, size;
    struct rp_img img;
    struct rp_affine *affine; /* frame to crop */
    struct rp_dface *cur;     /* the face that the loop is at */
    int32_t *index;
    struct rp_masker *masker;

    /* while recording */
    const struct rp_canvas *frame;
    const struct rp_dfaces *faces;
    const struct rp_selection *selection;
};

/* For crops of size x size. */
int rp_face_crop_open(struct rp_face_crop *c, struct rp_slot *slot, int template_id, int size,
                      const struct rp_masks *masks);
void rp_face_crop_close(struct rp_face_crop *c);

/* Record `body` for each selected face. */
int rp_face_crop_each(struct rp_face_crop *c, const struct rp_canvas *frame,
                      const struct rp_dfaces *faces, const struct rp_selection *selection,
                      rp_record_fn *body, void *priv);
int rp_face_crop_cut(struct rp_face_crop *c);

/* @param pixels  [size][size][3], BGR 0..255 */
int rp_face_crop_paste(struct rp_face_crop *c, const float *pixels);

/* The same for pixels that were rounded to 8 bits, and then a blend of the frame as it was with
 * what was pasted. @param blend  part of the latter, 0..1 */
int rp_face_crop_blend(struct rp_face_crop *c, const float *pixels, double blend);

/* The network's first output are `batch` pictures of size x size. */
int rp_face_crop_expect_output(const struct rp_net *net, int batch, int size);

#endif /* RP_FACE_CROP_H */
