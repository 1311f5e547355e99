/* A decoder on the GPU that works on the frames: what src/media needs of the device. */
#ifndef RP_PIPELINE_SURFACE_H
#define RP_PIPELINE_SURFACE_H

#include "device/device.h"
#include "media/media.h"

struct rp_surfaces {
    struct rp_device *device;
    struct rp_stream *stream; /* of the reading thread, beside the device's own work */
    struct rp_gpu_decoder decoder;
};

/* Fails with RP_ERR_UNSUPPORTED on a device that decodes nothing. Frames of its readers must be
 * gone before it is closed. */
int rp_surfaces_open(struct rp_surfaces **out, struct rp_device *device);
void rp_surfaces_close(struct rp_surfaces **surfaces);

#endif /* RP_PIPELINE_SURFACE_H */
