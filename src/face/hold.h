/* Faces that must not be missed: where a face may be in a frame in which the detector did not find
 * it. The tracker fills gaps that both ends of its window enclose; this also covers longer gaps,
 * and the time before a face was first seen and after it was last seen. It would rather say too
 * much than too little.
 *
 *   in a gap    the position between the two sightings, grown with the time to the nearer of them
 *   at an end   the position of the sighting, and where it would be if it had gone on as it moved
 *               there; grown with the time that has passed
 *
 * Over a change of scene a face is held for RP_HOLD_OVER_CUT frames only: that much is needed where
 * a flash of light looks like one.
 *
 * All on the host. The result for a frame depends on the frames of its window and nothing else. */
#ifndef RP_HOLD_H
#define RP_HOLD_H

#include "base/base.h"
#include "ops/types.h"

#define RP_HOLD_MAX 60 /* frames */
#define RP_HOLD_OVER_CUT 2

struct rp_hold {
    int frames;  /* how long a face is held, on each side; 0 to RP_HOLD_MAX */
    double grow; /* in each of them the box grows by this part of its longer side, on each side */
    double sure; /* a face that was seen once, with a lower score, is not held */
    bool who; /* it matters who it is: between two sightings a face is said to be each of them, and
               * one that was found also what it is in the sightings before and after */
};

/* One frame of a window. */
struct rp_hold_frame {
    int count;
    const struct rp_dface *face;
    bool cut; /* another scene begins here */
};

/* Add what is held in frame number `now` of n to the faces that were found there; origin
 * RP_FACE_HELD. What does not fit sets overflow. The window should reach `frames` to both sides. */
int rp_hold_faces(const struct rp_hold *hold, const struct rp_hold_frame *window, int n, int now,
                  struct rp_dfaces *out);

/* A frame in a few bytes, to tell where another scene begins: its pixels shrunk to this many. */
#define RP_GLANCE_SIDE 16
#define RP_GLANCE_BYTES (RP_GLANCE_SIDE * RP_GLANCE_SIDE * 3)

bool rp_scene_begins(const uint8_t before[RP_GLANCE_BYTES], const uint8_t now[RP_GLANCE_BYTES]);

#endif /* RP_HOLD_H */
