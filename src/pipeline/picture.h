/* Work on single pictures: content check first, so that a refused one is never touched. */
#ifndef RP_PIPELINE_PICTURE_H
#define RP_PIPELINE_PICTURE_H

#include "pipeline/pipeline.h"

/* Work on a picture in place, alpha kept; its size may change. Takes the reference from it if one
 * is still wanted. RP_ERR_BLOCKED leaves it unchanged. */
int rp_pipeline_image(struct rp_pipeline *pipeline, rp_image *image,
                      struct rp_frame_result *result);

/* The same on a copy of w x h, which replaces the picture; the content check and the search for
 * faces are of the picture as it was. */
int rp_pipeline_small_image(struct rp_pipeline *pipeline, rp_image *image, int w, int h,
                            struct rp_frame_result *result);

#endif /* RP_PIPELINE_PICTURE_H */
