/* What a processor is: a table entry with its options, its models and a record function.
 *
 *   self   opened models and constants (source crops, converted embeddings), shared by all slots
 *   at     bindings and buffers in one slot, for frames of one size
 *
 * A processor changes the frame in place and marks the tiles that it changed; one that makes frames
 * of another size has size() and fills frame->into. To add one, write a file with its table entry
 * and name it in registry.c; docs/adding-a-processor.md walks through an example. */
#ifndef RP_PROCESSOR_H
#define RP_PROCESSOR_H

#include "audio/speech.h"
#include "engine/list.h"
#include "face/analyser.h"

/* One identity, from one picture or several. */
struct rp_source {
    int count;                /* pictures with a face; 0: there is no source */
    struct rp_img first;      /* the first of these pictures, device memory */
    struct rp_dface *first_face; /* its largest face, device memory */
    struct rp_dface average;  /* host: mean identity of the largest face of each picture */
    struct rp_dface largest;  /* host: the largest face of all pictures */
};

/* Source pictures as processors need them: analysed once, before the job. */
struct rp_sources {
    struct rp_slot *slot;     /* owns the device memory */
    struct rp_source main;    /* --source-paths */
    int n;                    /* --face-map: each a source for faces like a reference */
    struct rp_source map[RP_MAX_REFERENCES];
    struct rp_references references; /* of map[], in the same order */
    char damage[256]; /* what is damaged of their pictures, for the mark; "" is nothing */
};

struct rp_processor_context {
    struct rp_pool *pool;
    const struct rp_settings *settings;
    const struct rp_sources *sources; /* empty if none was given */
};

/* The frame whose work is recorded; all in device memory. */
struct rp_frame {
    struct rp_slot *slot;
    struct rp_canvas canvas;    /* its pixels, to be changed in place; its alpha if any is made */
    struct rp_canvas into;      /* with size(): filled instead, every pixel of it */
    const struct rp_dfaces *faces;         /* in the canvas's coordinates */
    const struct rp_selection *selection;  /* which of them to work on */
    struct rp_img original;     /* with wants_original: the frame before any processor, */
    const struct rp_dfaces *original_faces; /* and the faces in its coordinates */
};

/* What the host knows of a frame. */
struct rp_frame_info {
    int64_t index; /* number in the target, from 0 */
    double time;   /* seconds from the target's first frame; 0 for a picture */
    double fps;    /* the target's frame rate; 0 for a picture */
    const struct rp_speech *speech; /* with wants_speech: what is said; NULL: nothing */
};

#define RP_CAREFUL_SCORE "0.3"

struct rp_processor {
    const char *name;  /* "face_swapper" */
    const char *help;
    const struct rp_opt_group *group; /* NULL: it has no options */
    bool needs_source; /* fails without a source face */
    bool wants_original; /* reads the frame as it was before any processor */
    bool wants_speech; /* feed() is given what is said in the sound */
    bool whole_frame;  /* works on the frame, not on faces; always changes it */
    unsigned needs;    /* rp_need bits: what it needs of the analysing stage */
    unsigned (*needs_of)(const struct rp_settings *settings); /* and with these; NULL: no more */
    bool may_do_without_points; /* needs_of() decides about RP_NEED_POINTS; else it is needed */
    /* It must not miss a face: for how many seconds it wants one of a video to be held where the
     * detector does not find it (face/hold.h). NULL: it works on faces that were found. Jobs of such
     * processors only have safer defaults: every face is selected, and unless references decide
     * the detector's score need only exceed RP_CAREFUL_SCORE. */
    double (*hold)(const struct rp_settings *settings);
    unsigned (*source_needs)(const struct rp_settings *settings); /* of sources; NULL: no more */

    /* `self`: zeroed memory of self_size bytes. Open models, prepare constants. destroy() is called
     * for every one that was given to create(), also if that failed, and frees what it holds, not
     * it. */
    size_t self_size;
    int (*create)(void *self, const struct rp_processor_context *context);
    void (*destroy)(void *self);

    /* Names of the models in use, for the mark: "hyperswap_1a_256"; "" if none. */
    const char *(*models)(const void *self);

    /* Does it make the frame transparent? NULL: never. If so, the canvas has an alpha plane, which
     * holds the alpha that came with the frame, or is opaque. */
    bool (*makes_alpha)(const void *self);
    /* The output keeps no alpha: make it no more. Called before attach(), and only if it would. */
    void (*make_opaque)(void *self);

    /* Size of the frames it makes from frames of w x h. NULL: the same. */
    void (*size)(const void *self, int w, int h, int *out_w, int *out_h);

    /* `at`: the same for one slot, whose buffers are the slot's own.
     * @param w,h  size of the frames it gets */
    size_t at_size;
    int (*attach)(void *at, const void *self, struct rp_slot *slot, int w, int h);
    void (*detach)(void *at);

    /* Put host data of a frame into memory from rp_slot_alloc_host(), which the record function
     * uploads; called before each frame's work. NULL: none. RP_ERR_... ends the job. */
    int (*feed)(void *at, const struct rp_frame_info *info);

    /* How many faces it works on (device memory), if that may be fewer than were selected. NULL, or
     * if it returns NULL: all of them. */
    const int32_t *(*faces)(const void *at);

    /* Record the work on one frame. */
    void (*record)(void *at, const struct rp_frame *frame);
};

/* All of them, NULL-terminated, in the order of FaceFusion's list. */
extern const struct rp_processor *const rp_processors[];

const struct rp_processor *rp_processor_find(const char *name);

/* Make and free `self` and `at`; *self and *at are NULL afterwards if it failed, and if they were
 * freed. */
int rp_processor_create(const struct rp_processor *def, void **self,
                        const struct rp_processor_context *context);
void rp_processor_destroy(const struct rp_processor *def, void **self);
int rp_processor_attach(const struct rp_processor *def, void **at, const void *self,
                        struct rp_slot *slot, int w, int h);
void rp_processor_detach(const struct rp_processor *def, void **at);

/* rp_need bits: all that it needs of the analysing stage. */
unsigned rp_processor_needs(const struct rp_processor *def, const struct rp_settings *settings);

const char *const *rp_processor_choices(void);

#endif /* RP_PROCESSOR_H */
