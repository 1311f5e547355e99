/* Detectors: where in the frame faces are. One network, or several whose results are merged; each
 * may see the frame with a black margin around it, and turned by quarters. */
#ifndef RP_DETECTOR_H
#define RP_DETECTOR_H

#include "face/parts.h"

struct rp_detector;  /* the chosen networks */
struct rp_detection; /* their bindings in one slot, for frames of one size */

int rp_detector_open(struct rp_detector **out, struct rp_pool *pool,
                     const struct rp_settings *settings, struct rp_model_list *list);
void rp_detector_close(struct rp_detector **detector);

/* Does it give the five points? Else a face is only a box until the landmarker has run. */
bool rp_detector_gives_points(const struct rp_detector *detector);

/* @param w,h  size of the frames */
int rp_detection_create(struct rp_detection **out, const struct rp_detector *detector,
                        struct rp_slot *slot, int w, int h);
void rp_detection_destroy(struct rp_detection **detection);

/* Record: boxes, scores and points of all faces of the frame, best first. */
void rp_detection_record(struct rp_detection *detection, const struct rp_img *frame,
                        struct rp_dfaces *faces);

#endif /* RP_DETECTOR_H */
