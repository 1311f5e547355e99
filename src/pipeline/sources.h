/* Source faces of a pipeline: read from pictures and analysed once. */
#ifndef RP_PIPELINE_SOURCES_H
#define RP_PIPELINE_SOURCES_H

#include "pipeline/pipeline.h"

/* Fill pipeline->sources.main from --source-paths, and replace_audio. */
int rp_sources_read(struct rp_pipeline *pipeline);

/* Only replace_audio. */
int rp_sources_sound(struct rp_pipeline *pipeline);

/* After all sources have been read: fails if a processor needs a source face and there is none. */
int rp_sources_check(const struct rp_pipeline *pipeline);

/* ---- for reading the sources of other options ------------------------------------------------ */

/* Read a picture and find its faces; *best is the largest, -1 if there is none. `what` it is goes
 * into the mark if it is damaged. */
int rp_source_look(struct rp_pipeline *pipeline, const char *path, const char *what,
                   rp_image *image, struct rp_dfaces *faces, int *best);

/* Add a picture to a source. One without a face is left out, with a warning.
 * @param faces  scratch; holds all faces of the picture afterwards */
int rp_source_add(struct rp_pipeline *pipeline, struct rp_source *source, const char *path,
                  struct rp_dfaces *faces);

#endif /* RP_PIPELINE_SOURCES_H */
