/* Classifiers: gender, age, and (FairFace) race. */
#ifndef RP_CLASSIFIER_H
#define RP_CLASSIFIER_H

#include "face/parts.h"

struct rp_classifier;     /* the chosen networks */
struct rp_classification; /* their bindings in one slot */

int rp_classifier_open(struct rp_classifier **out, struct rp_pool *pool,
                       struct rp_model_list *list);
void rp_classifier_close(struct rp_classifier **classifier);

/* Does it crop by the points? Else it crops by the box, and the points may be missing. */
bool rp_classifier_wants_points(const struct rp_classifier *classifier);

int rp_classification_create(struct rp_classification **out, const struct rp_classifier *classifier,
                             struct rp_slot *slot);
void rp_classification_destroy(struct rp_classification **classification);

/* Record: the classes of the current face. */
void rp_classification_record(struct rp_classification *classification,
                             const struct rp_face_at *face);

/* The same in steps, for a network that takes several faces at once; batch NULL: it does not. */
struct rp_batch *rp_classification_batch(const struct rp_classification *classification);
void rp_classification_before(struct rp_classification *classification,
                             const struct rp_face_at *face);
void rp_classification_after(struct rp_classification *classification,
                            const struct rp_face_at *face);

#endif /* RP_CLASSIFIER_H */
