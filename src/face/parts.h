/* What the parts of the analysing stage have in common.
 *
 * A part has two halves, like everything between reader and writer: the opened models, shared by
 * all slots, and bindings and buffers in one slot. Parts that work on one face do it in three
 * steps: crop into the network's input, run it, decode its output into the face. If the network
 * takes several faces at once (engine/batch.h), all are cropped before it runs and decoded
 * afterwards: rp_X_before() and rp_X_after(), around rp_X_batch(). */
#ifndef RP_FACE_PARTS_H
#define RP_FACE_PARTS_H

#include "base/option.h"
#include "engine/batch.h"
#include "engine/list.h"
#include "models/pool.h"

/* The models in use, for reports: "face_detector=ultraface face_landmarker=...". */
struct rp_model_list {
    char text[384];
};

void rp_model_list_add(struct rp_model_list *list, enum rp_model_kind kind, const char *name);

/* The current face of the loop over faces, while that is recorded. */
struct rp_face_at {
    struct rp_slot *slot;
    const struct rp_img *frame;
    struct rp_dface *cur;
};

/* A look-up table for rp_op_to_tensor in device memory: (v / div - mean) / std. */
int rp_part_lut(struct rp_slot *slot, double div, const double mean[3], const double std[3],
                float **out);

/* The network over several faces at once (on a CPU that is no faster, but gives the same). Stays
 * NULL if the file or --cuda-batch allows only one, and, with a warning, if the file's open batch
 * does not work. */
int rp_part_batch(struct rp_batch **out, struct rp_net *net);

/* RP_ERR_MODEL unless an output has this many numbers of this type.
 * @param what  "a landmarker of this name" */
int rp_part_expect(const struct rp_net *net, int output, enum rp_type type, size_t n,
                   const char *what);

/* Mean and deviation of ImageNet's pictures, 0..1. */
extern const double rp_imagenet_mean[3], rp_imagenet_std[3];

#endif /* RP_FACE_PARTS_H */
