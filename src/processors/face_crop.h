/* What processors of faces have in common: cut out each selected face, upright and in one size, let
 * the processor work on it, and paste the result back through its masks.
 *
 *     rp_face_loop_begin()         for each selected face:
 *         rp_face_crop_cut()         its pixels are in .img
 *         ... to_tensor, rp_record_run(), from_tensor ...
 *         rp_face_crop_paste()       masks, then into the frame
 *     rp_face_loop_end()
 *
 * A processor may cut several crops of one face, by different templates and in different sizes. */
#ifndef RP_FACE_CROP_H
#define RP_FACE_CROP_H

#include "face/mask.h"
#include "processors/processor.h"

/* The loop over the selected faces; its buffers are the slot's own. */
struct rp_face_loop {
    struct rp_slot *slot;
    struct rp_dface *cur; /* the current face */
    int32_t *index;
};

int rp_face_loop_open(struct rp_face_loop *loop, struct rp_slot *slot);

/* Record: what follows, up to the end, is done for each face of `selection`: the frame's, or one
 * made from it. */
void rp_face_loop_begin(const struct rp_face_loop *loop, const struct rp_frame *frame,
                        const struct rp_selection *selection);
void rp_face_loop_end(const struct rp_face_loop *loop);

/* Buffers in one slot, which owns them; only the masker has to be closed. */
struct rp_face_crop {
    struct rp_slot *slot;
    int template_id, size;
    float scale; /* of the face's points about the nose; above 1 the face is smaller in the crop */
    struct rp_img img;
    struct rp_affine *affine; /* frame to crop */
    struct rp_masker *masker; /* NULL: not pasted back */
};

/* For crops of size x size, with scale 1. @param masks  NULL: the crop is never pasted back */
int rp_face_crop_open(struct rp_face_crop *c, struct rp_slot *slot, int template_id, int size,
                      const struct rp_masks *masks);
void rp_face_crop_close(struct rp_face_crop *c);

/* Record: place computes where the face is (.affine); cut takes its pixels from an image of the
 * frame's size: the frame as it is now, or the original. */
void rp_face_crop_place(const struct rp_face_crop *c, const struct rp_dface *face);
void rp_face_crop_cut(const struct rp_face_crop *c, const struct rp_img *img,
                      const struct rp_dface *face);

/* What is pasted, and how. */
struct rp_face_paste {
    const float *pixels;    /* [size][size][3], BGR 0..255 */
    const float *mask;      /* the processor's own mask, [size][size]: the minimum of it and the
                             * others counts (rp_mask_use.own); NULL: none */
    double blend;           /* share of the pasted pixels in the result; 1: nothing else is left */
    bool bytes;             /* pixels were rounded to 8 bits, and are blended in 8 bits too */
};

/* Record: paste into the frame, through the masks. */
void rp_face_crop_paste(const struct rp_face_crop *c, const struct rp_frame *frame,
                        const struct rp_dface *face, const struct rp_face_paste *paste);

/* RP_ERR_MODEL unless the network's first output is `batch` pictures of size x size. */
int rp_face_crop_expect_output(const struct rp_net *net, int batch, int size);

#endif /* RP_FACE_CROP_H */
