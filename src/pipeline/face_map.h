/* --face-map: several sources, each with the reference face that it is for. */
#ifndef RP_PIPELINE_FACE_MAP_H
#define RP_PIPELINE_FACE_MAP_H

#include "pipeline/pipeline.h"

/* Fill the map and the references of pipeline->sources, after rp_sources_read(). Does nothing
 * without the option, or when no processor swaps faces. */
int rp_face_map_read(struct rp_pipeline *pipeline);

#endif /* RP_PIPELINE_FACE_MAP_H */
