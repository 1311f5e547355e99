/* Whom the selector compares faces with: pictures of persons, else faces of the target. */
#ifndef RP_PIPELINE_REFERENCE_H
#define RP_PIPELINE_REFERENCE_H

#include "pipeline/pipeline.h"

/* Take the largest face of each of --reference-face-paths; does nothing if the selector has no use
 * for them. A picture without a face is RP_ERR_FORMAT. Frames of the target are then asked only if
 * --reference-frame-number is given too. */
int rp_reference_read(struct rp_pipeline *pipeline);

/* For another target: what stays are the faces of the pictures. */
void rp_reference_reset(struct rp_pipeline *pipeline);

/* Take a reference from the faces of the target's frame `index`. */
void rp_reference_add(struct rp_pipeline *pipeline, const struct rp_dfaces *faces, int64_t index);

#endif /* RP_PIPELINE_REFERENCE_H */
