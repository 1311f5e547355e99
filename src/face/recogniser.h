/* Recogniser: whose face it is, as 512 numbers. */
#ifndef RP_RECOGNISER_H
#define RP_RECOGNISER_H

#include "face/parts.h"

struct rp_recogniser;  /* the network */
struct rp_recognition; /* its binding in one slot */

int rp_recogniser_open(struct rp_recogniser **out, struct rp_pool *pool,
                       struct rp_model_list *list);
void rp_recogniser_close(struct rp_recogniser **recogniser);

int rp_recognition_create(struct rp_recognition **out, const struct rp_recogniser *recogniser,
                          struct rp_slot *slot);
void rp_recognition_destroy(struct rp_recognition **recognition);

/* Record: the embedding of the current face, which must have its points. */
void rp_recognition_record(struct rp_recognition *recognition, const struct rp_face_at *face);

/* The same in steps, for a network that takes several faces at once; batch NULL: it does not. */
struct rp_batch *rp_recognition_batch(const struct rp_recognition *recognition);
void rp_recognition_before(struct rp_recognition *recognition, const struct rp_face_at *face);
void rp_recognition_after(struct rp_recognition *recognition, const struct rp_face_at *face);

#endif /* RP_RECOGNISER_H */
