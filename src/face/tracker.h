/* Faces over neighbouring frames: if the detector loses a face for a few frames of a video, the gap
 * is filled from the frames on both sides.
 *
 * It works on the host, as it needs the faces of several frames at once. The result for a frame
 * depends only on the faces of the frames around it, not on the order in which frames were
 * analysed, nor on how many threads did it.
 *
 * Threads: it has no lock. The caller makes sure that the frames around one were put before its
 * faces are asked for (rp_ring_split() does). */
#ifndef RP_TRACKER_H
#define RP_TRACKER_H

#include "base/base.h"
#include "ops/types.h"

struct rp_tracker;

/* @param score   faces belong together when they overlap more than this
 * @param around  frames before and after a frame that count for it
 * @param flying  frames that may be put while an older one has not been asked for */
int rp_tracker_create(struct rp_tracker **out, double score, int around, int flying);
void rp_tracker_destroy(struct rp_tracker **tracker);

/* Add the faces that were found in a frame; they are copied. Frames are numbered from 0. */
int rp_tracker_put(struct rp_tracker *tracker, int64_t frame, const struct rp_dfaces *faces);

/* The faces of a frame: those found in it, and those found both before and after it. */
int rp_tracker_faces(const struct rp_tracker *tracker, int64_t frame, struct rp_dfaces *out);

/* Intersection over union of two boxes; 0 when they are empty. */
double rp_box_overlap(const float a[4], const float b[4]);

/* The face at fraction f, 0 to 1, of the way from a to b. Positions are interpolated; everything
 * else is that of the nearer face. */
void rp_face_between(struct rp_dface *out, const struct rp_dface *a, const struct rp_dface *b,
                     double f);

#endif /* RP_TRACKER_H */
