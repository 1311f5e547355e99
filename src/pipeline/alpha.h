/* Processors see 3 bytes a pixel: the alpha of a picture is set aside and put back. Nothing here
 * knows of models or pipelines. */
#ifndef RP_PIPELINE_ALPHA_H
#define RP_PIPELINE_ALPHA_H

#include "media/media.h"

/* BGRA to BGR in place: finding faces needs no alpha. */
void rp_image_drop_alpha(rp_image *image);

/* The BGR pixels of a picture: its own if it has no alpha, else a copy, to be freed. */
int rp_image_take_bgr(rp_image *image, rp_image *bgr);
/* Write a copy's pixels back into the picture, whose alpha stays. */
void rp_image_put_bgr(rp_image *image, const rp_image *bgr);

/* For processors that make alpha: give the frame an alpha plane, which starts as the picture's own
 * alpha, or opaque. @param alpha  the plane, to be freed */
int rp_frame_take_alpha(struct rp_media_frame *frame, const rp_image *image, uint8_t **alpha);
/* Give a picture the alpha of a packed plane. A BGR picture becomes BGRA unless all is opaque. */
int rp_image_put_alpha(rp_image *image, const uint8_t *alpha);

/* The alpha of a BGRA picture in another size, packed; bilinear, as FaceFusion scales masks.
 * @param out  the plane, to be freed even after a failure */
int rp_image_scale_alpha(const rp_image *image, int w, int h, uint8_t **out);

#endif /* RP_PIPELINE_ALPHA_H */
