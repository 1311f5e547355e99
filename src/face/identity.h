/* Whose face a source is: the largest of a picture, the mean of several pictures. Host memory. */
#ifndef RP_IDENTITY_H
#define RP_IDENTITY_H

#include "ops/types.h"

/* Index of the largest face, the first of equal ones; -1 if there is none. */
int rp_face_largest(const struct rp_dfaces *faces);

/* Keep the larger of two faces. `n` is the number of faces so far: at 0 `kept` is not set yet. */
void rp_face_keep_larger(struct rp_dface *kept, int n, const struct rp_dface *face);

/* Add one face to the average of n: means of the embeddings and of the normalised embeddings, the
 * latter not normalised again; everything else is the first face's. */
void rp_face_average(struct rp_dface *average, int n, const struct rp_dface *face);

#endif /* RP_IDENTITY_H */
