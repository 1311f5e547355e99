/* Inside of the public pipeline: models, sources, reference and the plan over them. */
#ifndef RP_PIPELINE_H
#define RP_PIPELINE_H

#include "engine/cache.h"
#include "pipeline/options.h"
#include "pipeline/programs.h"
#include "pipeline/runtime.h"

enum rp_pipeline_use {
    RP_USE_ANALYSE = 1, /* everything that can be found out about a face */
    RP_USE_PROCESS = 2, /* content check, selection, processors */
    RP_USE_MEASURE = 4, /* on a GPU: measure what is not in the cache yet; for many frames */
    RP_USE_CHECK = 8,   /* the content check alone */
    RP_USE_MEASURE_PRECISION = 16, /* of RP_USE_MEASURE only what takes little time */
};

struct rp_pipeline {
    rp_runtime *runtime;
    struct rp_settings *settings;       /* a copy: it outlives its job */
    char *key;                          /* what it depends on; NULL: it is not kept */
    bool spoiled;                       /* something failed: it is not kept either */
    struct rp_executor *executor;       /* the device's thread; NULL on the CPU */
    struct rp_device *device;           /* the runtime's */
    struct rp_cache *cache;             /* the runtime's; GPU only */
    struct rp_pool *pool;
    struct rp_analyser *analyser;       /* what the job needs */
    struct rp_analyser *full_analyser;  /* for sources, reference, reports; made when first used */
    bool opaque, filled;                /* nothing is transparent; something would have been */
    unsigned use, needs;                /* enum rp_pipeline_use; rp_need bits of the job */
    unsigned source_needs;              /* and additional ones for source faces */
    struct rp_selector selector;
    struct rp_content_check *content;
    struct rp_sources sources;
    struct rp_references pictures;      /* of --reference-face-paths */
    bool has_reference;
    struct rp_plan plan, analyse_plan;
    int recorded[RP_PASS_COUNT + 1];    /* the plan's */
    /* For pictures that are scaled down or give the reference: content check and faces of the large
     * one; the processors, on the small one. */
    struct rp_plan large_plan, small_plan;
    struct rp_programs programs;        /* idle ones, of all these plans */
    char *replace_audio;                /* audio file among the sources, or NULL */
};

/* The thread on which a pipeline with these settings is opened, used and destroyed; NULL: on any,
 * for the CPU. Public functions hand their work over to it.
 * @param gpu  which of --execution-device-ids, counted from 0; ignored on the CPU */
int rp_pipeline_executor(rp_runtime *runtime, const struct rp_settings *settings, int gpu,
                         struct rp_executor **executor);

struct rp_pipeline_params {
    unsigned use;   /* enum rp_pipeline_use */
    int threads;    /* inside one run of a network; 0 = all cores */
    int gpu;        /* as above */
    double shrink;  /* see struct rp_plan */
    bool opaque;    /* what is made must not be transparent */
};

/* Take a pipeline that an earlier job left, with its networks open and its work recorded, or open a
 * new one. On that thread, like all that follows. */
int rp_pipeline_open(struct rp_pipeline **out, rp_runtime *runtime,
                     const struct rp_settings *settings, const struct rp_pipeline_params *params);

/* For the selector's modes with references: take a reference face from this frame. */
int rp_pipeline_add_reference(struct rp_pipeline *pipeline, const struct rp_media_frame *frame);
/* After the last of them: RP_ERR_FORMAT if all but the references are meant and there is none. */
int rp_pipeline_check_reference(struct rp_pipeline *pipeline);
/* Take over the references of another pipeline of the job. */
void rp_pipeline_share_reference(struct rp_pipeline *pipeline, const struct rp_pipeline *from);
bool rp_pipeline_wants_reference(const struct rp_pipeline *pipeline);

/* Find all faces of a frame (host result), with what the pipeline is for: everything when
 * analysing; for a job, what it needs of frames and sources. */
int rp_pipeline_faces(struct rp_pipeline *pipeline, const struct rp_media_frame *frame,
                      struct rp_dfaces *faces);

void rp_face_public(rp_face *out, const struct rp_dface *in);

/* The models that the options name, like rp_pool_list() but without sizes (needs.c). New reference;
 * NULL when out of memory. */
json_t *rp_needs_list(const struct rp_settings *settings);

/* Fill in the mark of the output. */
void rp_pipeline_mark(const struct rp_pipeline *pipeline, struct rp_mark *mark);

#endif /* RP_PIPELINE_H */
