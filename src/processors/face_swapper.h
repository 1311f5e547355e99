/* Inside of the face swapper.
 *
 *   face_swapper.c         the models, the options, opening
 *   face_swapper_source.c  what a network is given of a source: made once, before the job
 *   face_swapper_slot.c    the work on one face, with pixel boost
 *
 * Pixel boost: a crop of `step` times the network's side is split into step x step pictures of
 * every step-th pixel each; the network runs on each of them, and they are joined again. */
#ifndef RP_FACE_SWAPPER_H
#define RP_FACE_SWAPPER_H

#include "processors/face_colours.h"
#include "processors/face_crop.h"

struct rp_swapper_options {
    int model;                /* index into rp_catalogue_choices() */
    struct rp_opt_size boost; /* 0 = the network's own size */
    double weight;
    int match; /* --face-swapper-color-match, percent */
    struct rp_opt_strings map; /* --face-map: SOURCE=REFERENCE */
};
extern const struct rp_opt_group rp_swapper_group;

enum rp_swap_source {
    RP_SWAP_IMAGE,          /* aligned source crop, RGB 0..1 */
    RP_SWAP_EMBEDDING,      /* arcface embedding of length 1 */
    RP_SWAP_MATRIX,         /* raw embedding x the file's last weight / the embedding's length */
    RP_SWAP_CONVERTED,      /* raw embedding through the converter */
    RP_SWAP_CONVERTED_UNIT, /* the same, scaled to length 1 */
};

#define RP_SWAP_SIZES 6

struct rp_swap_model {
    const char *name;
    enum rp_swap_source source;
    const char *converter;            /* RP_SWAP_CONVERTED* */
    int source_template, source_size; /* RP_SWAP_IMAGE */
    int template_id, size;
    double mean[3], std[3];           /* of the target tensor */
    bool denormalise;                 /* output * std + mean; else already 0..1 */
    int boost[RP_SWAP_SIZES];         /* sizes that FaceFusion offers, 0 ends */
};

struct rp_swapper {
    const struct rp_swap_model *m;
    struct rp_model *model;
    int in_source, in_target;
    struct rp_masks *masks;
    int step, size;        /* pixel boost: tiles a side, side of the crop */
    int batch;             /* tiles in one run; divides step * step */
    double match;          /* 0..1: share of the face with the colours of the target's */
    float mix;             /* share of the target's own embedding, 0 = none */

    struct rp_slot *slot;  /* owns the constants below, device memory */
    float *sources;        /* [rows][row] */
    int rows, row;
    bool fixed;            /* every face gets the same source: the rows are `batch` copies of it */
    struct rp_references *references; /* --face-map, one for each row; else NULL */
    float distance;
    int other;             /* row for faces like none of the references; -1: they are left alone */
};

/* Prepare s->sources and what chooses among them. */
int rp_swapper_prepare(struct rp_swapper *s, struct rp_pool *pool,
                       const struct rp_sources *sources);

/* The half in one slot: functions of struct rp_processor. */
struct rp_swap_slot {
    const struct rp_swapper *shared;
    struct rp_slot *slot;
    struct rp_net *net;
    struct rp_face_loop loop;
    struct rp_face_crop crop;
    float *lut, *swapped;
    /* Where colours are matched; else without memory. */
    struct rp_face_colours colours;
    struct rp_img bytes; /* the swapped face in 8 bits */
    double *match;       /* on the device */
    struct rp_face_map *map; /* --face-map; else NULL */
    int batch;               /* tiles in one run */
    const int32_t *turns;    /* runs for all tiles of a face; NULL when one is enough */
    int32_t *turn;
};

int rp_swapper_attach(void *at, const void *self, struct rp_slot *slot, int w, int h);
void rp_swapper_detach(void *at);
const int32_t *rp_swapper_faces(const void *at);
void rp_swapper_record(void *at, const struct rp_frame *frame);

#endif /* RP_FACE_SWAPPER_H */
