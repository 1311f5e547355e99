/* What a pipeline depends on, as text: pipelines with the same key may replace each other. */
#ifndef RP_PIPELINE_KEY_H
#define RP_PIPELINE_KEY_H

#include "base/option.h"

/* All options that models, sources and programs depend on, the state of the source files and of the
 * model folder, and what the caller adds. Heap string; NULL if out of memory. */
char *rp_pipeline_key(const struct rp_settings *settings, const char *models, const char *more);

/* The same without the sources: what tells which models are needed. */
char *rp_pipeline_kind(const struct rp_settings *settings, const char *models, const char *more);

#endif /* RP_PIPELINE_KEY_H */
