/* What a processor is: a table entry with its options, its models and a record function.
 *
 *   self   opened models and constants (source crops, converted embeddings), shared by all slots
 *   at     bindings and buffers in one slot, for frames of one size
 *
 * A processor changes the frame in place and marks the tiles that it changed; one that makes frames
 * of another size has size() and record_into() instead of record(). Adding one: write a file with
 * its table entry and name it in registry.c; docs/adding-a-model.md walks through one. */
#ifndef RP_PROCESSOR_H
#define RP_PROCESSOR_H

#include "face/analyser.h"

/* One identity, from one picture or several. */
struct rp_source {
    int count;                /* pictures with a face; 0: there is no such source */
    struct rp_img first;      /* the first of them, device memory */
    struct rp_dface *first_face; /* its largest face, device memory */
    struct rp_dface average;  /* host: mean identity of the largest face of each picture */
    struct rp_dface largest;  /* host: the largest face of all of them */
};

/* Source pictures as processors need them: analysed once, before the job. */
struct rp_sources {
    struct rp_slot *slot;     /* owns the device memory */
    struct rp_source main;    /* --source-paths */
    int n;                    /* --face-map: a source each for faces like a reference */
    struct rp_source map[RP_MAX_REFERENCES];
    struct rp_references references; /* of map[], in the same order */
};

struct rp_processor_context {
    struct rp_pool *pool;
    const struct rp_settings *settings;
    const struct rp_sources *sources; /* none in it when none was given */
};

struct rp_processor {
    const char *name;  /* "face_swapper" */
    const char *help;
    const struct rp_opt_group *group;
    bool needs_source; /* a source face must be there */
    bool whole_frame;  /* works on the frame, not on faces; always changes it */
    unsigned needs;    /* rp_need bits it causes in the analysing stage */
    unsigned (*needs_of)(const struct rp_settings *settings); /* and with these; NULL: no more */
    bool may_do_without_points; /* needs_of() tells about RP_NEED_POINTS; else it is needed */
    unsigned (*source_needs)(const struct rp_settings *settings); /* of sources; NULL: no more */

    /* Open models, prepare constants. */
    int (*create)(void **self, const struct rp_processor_context *context);
    void (*destroy)(void **self);

    /* Names of the models in use, for the mark: "hyperswap_1a_256"; "" if none. */
    const char *(*models)(const void *self);

    /* Does it make the frame transparent? NULL: never. If so the canvas has an alpha plane, which
     * holds what came with the frame, else opaque. */
    bool (*makes_alpha)(const void *self);

    /* Size of the frames it makes of frames of w x h. NULL: the same. */
    void (*size)(const void *self, int w, int h, int *out_w, int *out_h);

    /* @param w,h  size of the frames that come */
    int (*attach)(void **at, const void *self, struct rp_slot *slot, int w, int h);
    void (*detach)(void **at);

    /* How many faces it works on, device memory, where that may be
     * fewer than were selected; NULL, or gives NULL: all of them. */
    const int32_t *(*faces)(const void *at);

    /* Record the work on one frame. */
    int (*record)(void *at, const struct rp_canvas *frame, const struct rp_dfaces *faces,
                  const struct rp_selection *selection);

    /* With size(): from one canvas into another, every pixel of it. Faces are those of `from`. */
    int (*record_into)(void *at, const struct rp_canvas *from, const struct rp_canvas *to,
                       const struct rp_dfaces *faces, const struct rp_selection *selection);
};

/* All of them, NULL-terminated, in the order of FaceFusion's list. */
extern const struct rp_processor *const rp_processors[];

const struct rp_processor *rp_processor_find(const char *name);

/* All that it needs of the analysing stage. */
unsigned rp_processor_needs(const struct rp_processor *def, const struct rp_settings *settings);

const char *const *rp_processor_choices(void);

#endif /* RP_PROCESSOR_H */
