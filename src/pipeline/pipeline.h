/* Inside of the public pipeline: models, sources, reference and the plan over them. */
#ifndef RP_PIPELINE_H
#define RP_PIPELINE_H

#include "engine/plan.h"
#include "pipeline/cache.h"
#include "pipeline/options.h"
#include "pipeline/program.h"
#include "pipeline/runtime.h"

enum rp_pipeline_use {
    RP_USE_ANALYSE = 1, /* everything that can be told about a face */
    RP_USE_PROCESS = 2, /* content check, selection, processors */
    RP_USE_MEASURE = 4, /* on a GPU: measure what is not in the plan cache yet; for many frames */
};

struct rp_pipeline {
    rp_runtime *runtime;
    const struct rp_settings *settings;
    struct rp_executor *executor;       /* the device's thread; NULL on the CPU */
    struct rp_device *device;           /* the runtime's */
    struct rp_plans *plans;             /* the runtime's; GPU only */
    struct rp_pool *pool;
    struct rp_analyser *analyser;       /* what the job needs */
    struct rp_analyser *full_analyser;  /* for sources, reference, reports; made when first used */
    unsigned use, needs;                /* enum rp_pipeline_use; rp_need bits of the job */
    unsigned source_needs;              /* and those of source faces besides */
    struct rp_selector selector;
    struct rp_gate_model *gate;
    struct rp_sources sources;
    struct rp_plan plan, analyse_plan;
    bool has_reference;
    struct rp_program_cache programs, analyse_programs; /* for pictures */
    /* For pictures of which a smaller copy is worked on: what looks at the whole, what works. */
    struct rp_plan large_plan, small_plan;
    struct rp_program_cache large_programs, small_programs;
    char *replace_audio;                /* audio file among the sources, or NULL */
};

/* The thread that a pipeline with these settings is opened on, used and destroyed: NULL on the CPU,
 * any. Public functions hand their work over to it.
 * @param gpu  which of --execution-device-ids, counted from 0; of no meaning on the CPU */
int rp_pipeline_executor(rp_runtime *runtime, const struct rp_settings *settings, int gpu,
                         struct rp_executor **executor);

/* On that thread.
 * @param threads  inside one run of a network; 0 = all cores */
int rp_pipeline_open(struct rp_pipeline **out, rp_runtime *runtime,
                     const struct rp_settings *settings, unsigned use, int threads, int gpu);

/* Selector mode reference: take a reference face from this frame. */
int rp_pipeline_add_reference(struct rp_pipeline *pipeline, const struct rp_media_frame *frame);
/* The same references as another pipeline of the job. */
void rp_pipeline_share_reference(struct rp_pipeline *pipeline, const struct rp_pipeline *from);
bool rp_pipeline_wants_reference(const struct rp_pipeline *pipeline);

/* Find all about all faces of a frame that the pipeline is for (host result): to report,
 * everything; for a job, what it needs of frames and sources. */
int rp_pipeline_faces(struct rp_pipeline *pipeline, const struct rp_media_frame *frame,
                      struct rp_dfaces *faces);

void rp_face_public(rp_face *out, const struct rp_dface *in);

/* What the output is marked with. */
void rp_pipeline_mark(const struct rp_pipeline *pipeline, struct rp_mark *mark);

#endif /* RP_PIPELINE_H */
