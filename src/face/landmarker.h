/* Landmarkers: the 68 points of a face, the five points that crops use, and how the head is turned.
 *
 * Up to three networks work together: fan_68_5 makes 68 points of the detector's five, which tell
 * the turn; then one landmarker, or two of which the surer wins, looks at the upright crop. */
#ifndef RP_LANDMARKER_H
#define RP_LANDMARKER_H

#include "face/parts.h"

struct rp_landmarker;  /* the chosen networks */
struct rp_landmarking; /* their bindings in one slot */

struct rp_landmarker_params {
    bool five;   /* the detector gives the five points */
    bool crops;  /* crops are made by the points: find better ones than the detector's */
    bool all_68; /* something shows or uses the 68 points */
    bool turn;   /* or the turn of the head */
    bool lifted; /* or the points that fan_68_5 makes */
};

int rp_landmarker_open(struct rp_landmarker **out, struct rp_pool *pool,
                       const struct rp_settings *settings,
                       const struct rp_landmarker_params *params, struct rp_model_list *list);
void rp_landmarker_close(struct rp_landmarker **landmarker);

int rp_landmarking_create(struct rp_landmarking **out, const struct rp_landmarker *landmarker,
                          struct rp_slot *slot);
void rp_landmarking_destroy(struct rp_landmarking **landmarking);

/* Record: all of it for the face in hand. */
int rp_landmarking_record(struct rp_landmarking *landmarking, const struct rp_face_at *face);

/* The same around a network that takes several faces at once; batch NULL: it does not. */
struct rp_batch *rp_landmarking_batch(const struct rp_landmarking *landmarking);
int rp_landmarking_before(struct rp_landmarking *landmarking, const struct rp_face_at *face);
int rp_landmarking_after(struct rp_landmarking *landmarking, const struct rp_face_at *face);

/* Names for the option: the table of this file. */
const char *const *rp_landmarker_choices(void);

#endif /* RP_LANDMARKER_H */
