/* Work on single pictures: content check first, so that a refused one is never touched. */
#ifndef RP_PIPELINE_PICTURE_H
#define RP_PIPELINE_PICTURE_H

#include "pipeline/pipeline.h"

/* Work on a picture in place; its alpha is kept, its size may change. If a reference is still
 * needed it is taken from this picture. After RP_ERR_BLOCKED the picture is unchanged. */
int rp_pipeline_image(struct rp_pipeline *pipeline, rp_image *image,
                      struct rp_frame_result *result);

/* The same on a copy of w x h, which replaces the picture; the content check runs, and faces are
 * found, on the picture as it was. */
int rp_pipeline_small_image(struct rp_pipeline *pipeline, rp_image *image, int w, int h,
                            struct rp_frame_result *result);

#endif /* RP_PIPELINE_PICTURE_H */
