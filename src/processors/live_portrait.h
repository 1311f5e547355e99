/* LivePortrait: what the expression restorer and the face editor have in common.
 *
 *     motion extractor    picture of a face -> how its head is turned, its 21 points, its
 * expression feature extractor   picture of a face -> a volume of features generator features,
 * points as they are, points as they should be -> the new picture
 *
 * What happens to the points in between is the processor's own: ops/ops.h, "LivePortrait". The
 * generator's names are a trap: its input "source" takes the points as they should be, and "target"
 * those as they are.
 *
 *   rp_portrait        the models and constants, shared by all slots
 *   rp_portrait_nets   their bindings and buffers in one slot */
#ifndef RP_LIVE_PORTRAIT_H
#define RP_LIVE_PORTRAIT_H

#include "processors/face_crop.h"

#define RP_PORTRAIT_CROP 512 /* side of a face's crop, and of the generator's picture */

struct rp_portrait {
    const char *name; /* the choice: "live_portrait" */
    struct rp_model *motion, *features, *generator;
    int in_volume, in_wanted, in_now; /* of the generator */
    struct rp_slot *slot;             /* owns the constants */
    float *lut;
};

/* Choices of --…-model. */
const char *const *rp_portrait_choices(void);

/* Opens the three. @param option  --expression-restorer-model or --face-editor-model: its name,
 * and the number of its choice */
int rp_portrait_open(struct rp_portrait *p, const struct rp_processor_context *context,
                     const char *option, int choice);
void rp_portrait_close(struct rp_portrait *p);

/* Opens a further file of the package. */
int rp_portrait_part(const struct rp_processor_context *context, const char *name,
                     struct rp_model **model);

struct rp_portrait_nets {
    const struct rp_portrait *shared;
    struct rp_slot *slot;
    struct rp_net *motion, *features, *generator;
    struct rp_img small;
    struct rp_motion face; /* the motion extractor's outputs */
    float *pixels;         /* the new picture: [512][512][3], BGR 0..255, whole numbers */
};

int rp_portrait_attach(struct rp_portrait_nets *n, const struct rp_portrait *shared,
                       struct rp_slot *slot);
void rp_portrait_detach(struct rp_portrait_nets *n);

/* Inputs of the generator, [21][3] each: as they should be, and as they are. A processor may also
 * set them to other memory (rp_net_set_input()). */
float *rp_portrait_wanted(const struct rp_portrait_nets *n);
float *rp_portrait_now(const struct rp_portrait_nets *n);

/* Record: the motion of the face in this crop into n->face. */
void rp_portrait_record_motion(const struct rp_portrait_nets *n, const struct rp_img *crop);
/* Record: the new picture of the face in the crop whose motion was found last. */
void rp_portrait_record_picture(const struct rp_portrait_nets *n);

/* RP_ERR_MODEL unless output number `index` of the network is `count` floats. */
int rp_portrait_expect(const struct rp_net *net, int index, size_t count);

#endif /* RP_LIVE_PORTRAIT_H */
