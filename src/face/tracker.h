/* Faces over neighbouring frames: if the detector loses a face for a few frames of a video, the gap
 * is filled from the frames on both sides; for processors that must not miss a face, it is also
 * held longer (hold.h).
 *
 * It can also steady landmarks, which tremble where the picture is noisy: each is a mean over the
 * frames around, of the same number on both sides, so that a face that moves evenly is not moved.
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
#include "face/box.h"
#include "face/hold.h"
#include "ops/types.h"

struct rp_tracker;

struct rp_tracker_params {
    double score; /* faces belong together when they overlap more than this; 0: no gap is filled */
    int around;   /* frames before and after a frame that count for it */
    double smooth; /* 0: off; else the share of a frame in the landmarks of the next one to it */
    int flying;   /* frames that may be put while an older one has not been asked for */
    struct rp_hold hold; /* .frames 0: no face is held */
};

int rp_tracker_create(struct rp_tracker **out, const struct rp_tracker_params *params);
void rp_tracker_destroy(struct rp_tracker **tracker);

/* Frames after a frame that must be put before its faces are asked for, if there are so many. */
int rp_tracker_ahead(const struct rp_tracker_params *params);

/* Add the faces that were found in a frame; they are copied. Frames are numbered from 0.
 * @param glance  the frame in RP_GLANCE_BYTES bytes; NULL: all frames are taken for one scene */
int rp_tracker_put(struct rp_tracker *tracker, int64_t frame, const struct rp_dfaces *faces,
                   const uint8_t *glance);

/* The faces of a frame: those found in it, those found both before and after it, and those held. */
int rp_tracker_faces(const struct rp_tracker *tracker, int64_t frame, struct rp_dfaces *out);

/* The face at fraction f, 0 to 1, of the way from a to b. Positions are interpolated; everything
 * else is that of the nearer face. */
void rp_face_between(struct rp_dface *out, const struct rp_dface *a, const struct rp_dface *b,
                     double f);

#endif /* RP_TRACKER_H */
