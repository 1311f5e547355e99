/* Source faces of a pipeline: read from pictures and analysed, once. */
#ifndef RP_PIPELINE_SOURCES_H
#define RP_PIPELINE_SOURCES_H

#include "pipeline/pipeline.h"

/* Fill pipeline->sources from --source-paths and --face-map, and replace_audio. Fails when a
 * processor needs a source face and there is none. */
int rp_sources_read(struct rp_pipeline *pipeline);

#endif /* RP_PIPELINE_SOURCES_H */
