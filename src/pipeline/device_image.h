/* Pictures in device memory: made, copied from and to the host, split into BGR and alpha for the
 * work, and joined again. Their `data` is a device pointer; if `owned`, it is from the device's
 * alloc().
 *
 * Every function waits until its work is done: the caller may use the pixels on other streams. */
#ifndef RP_DEVICE_IMAGE_H
#define RP_DEVICE_IMAGE_H

#include "engine/slot.h"

/* Room for w x h pixels, owned. */
int rp_device_image_alloc(struct rp_device *device, enum rp_pixel format, int w, int h,
                          rp_image *out);
/* Free the pixels if they are owned, and zero the struct. */
void rp_device_image_free(struct rp_device *device, rp_image *image);

/* Copy all rows, between images of one size and format. */
int rp_device_image_upload(struct rp_slot *slot, const rp_image *host, const rp_image *device);
int rp_device_image_download(struct rp_slot *slot, const rp_image *device, const rp_image *host);

/* Split into BGR and alpha; either is left out if its data is NULL. BGR pictures are opaque. */
int rp_device_image_split(struct rp_slot *slot, const rp_image *image, struct rp_img bgr,
                          struct rp_img alpha);
/* Join them again; alpha that is left out stays as it is. */
int rp_device_image_join(struct rp_slot *slot, const rp_image *image, struct rp_img bgr,
                         struct rp_img alpha);

/* Replace `image` by a picture of bgr's size in the same format; alpha that is left out is the
 * picture's own, scaled. Pixels that were not owned stay the caller's. */
int rp_device_image_replace(struct rp_slot *slot, rp_image *image, struct rp_img bgr,
                            struct rp_img alpha);

#endif /* RP_DEVICE_IMAGE_H */
