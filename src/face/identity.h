/* Whom a source shows: the face it stands for, and the mean of several pictures. Host memory. */
#ifndef RP_IDENTITY_H
#define RP_IDENTITY_H

#include "ops/types.h"

/* Index of the largest face, -1 if there is none. Of equal ones the first. */
int rp_face_largest(const struct rp_dfaces *faces);

/* Keep the larger of two faces; `n` faces were looked at so far (0: there is none yet). */
void rp_face_keep_larger(struct rp_dface *kept, int n, const struct rp_dface *face);

/* Add one face to the average of n: means of the embeddings and of the normalised ones, the latter
 * not normalised again; everything else is the first one's. */
void rp_face_average(struct rp_dface *average, int n, const struct rp_dface *face);

#endif /* RP_IDENTITY_H */
