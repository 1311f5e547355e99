/* Landmarkers: the 68 points of a face, the five points that crops use, and how the head is turned.
 *
 * Up to three networks work together: fan_68_5 makes 68 points from the detector's five, which give
 * the angle; then one landmarker, or two of which the one with the better score wins, runs on the
 * upright crop. */
#ifndef RP_LANDMARKER_H
#define RP_LANDMARKER_H

#include "face/parts.h"

struct rp_landmarker;  /* the chosen networks */
struct rp_landmarking; /* their bindings in one slot */

struct rp_landmarker_params {
    bool five;   /* the detector gives the five points */
    bool crops;  /* points place crops: find better ones than the detector's */
    bool all_68; /* the 68 points are used or drawn */
    bool angle;   /* the angle of the head is used */
    bool lifted; /* the points that fan_68_5 makes are used */
};

int rp_landmarker_open(struct rp_landmarker **out, struct rp_pool *pool,
                       const struct rp_settings *settings,
                       const struct rp_landmarker_params *params, struct rp_model_list *list);
void rp_landmarker_close(struct rp_landmarker **landmarker);

int rp_landmarking_create(struct rp_landmarking **out, const struct rp_landmarker *landmarker,
                          struct rp_slot *slot);
void rp_landmarking_destroy(struct rp_landmarking **landmarking);

/* Record: points and angle of the current face. */
void rp_landmarking_record(struct rp_landmarking *landmarking, const struct rp_face_at *face);

/* The same in steps, for a network that takes several faces at once; batch NULL: it does not. */
struct rp_batch *rp_landmarking_batch(const struct rp_landmarking *landmarking);
void rp_landmarking_before(struct rp_landmarking *landmarking, const struct rp_face_at *face);
void rp_landmarking_after(struct rp_landmarking *landmarking, const struct rp_face_at *face);

#endif /* RP_LANDMARKER_H */
