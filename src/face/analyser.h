/* The analysing stage: detector, landmarker, recogniser, classifier.
 *
 *   rp_analyser   the chosen models, shared by all slots
 *   rp_analysis   their bindings and buffers in one slot, for frames of one size
 *
 * rp_analysis_record() records the whole stage: the frame's pixels in, struct rp_dfaces out, all in
 * device memory. Only the networks that the job needs are opened and run; each kind has a file of
 * its own in this folder. */
#ifndef RP_ANALYSER_H
#define RP_ANALYSER_H

#include "face/options.h"
#include "models/pool.h"

/* What a part of the job uses of a face, besides its box, the detector's points and the order of
 * the faces. */
enum rp_need {
    RP_NEED_LANDMARKS = 1, /* 68 points */
    RP_NEED_EMBEDDING = 2, /* implies points */
    RP_NEED_CLASSES = 4,   /* gender, age, race */
    RP_NEED_POINTS = 8,    /* the five points that place a crop */
    RP_NEED_ANGLE = 16,     /* how the head is turned, and nothing else of the landmarks */
    RP_NEED_LIFTED = 32,   /* the 68 points that are made from the detector's five */
};

struct rp_analyser;
struct rp_analysis;

int rp_analyser_create(struct rp_analyser **out, struct rp_pool *pool,
                       const struct rp_settings *settings, unsigned needs);
void rp_analyser_destroy(struct rp_analyser **analyser);

/* @param w,h  size of the frames */
int rp_analysis_create(struct rp_analysis **out, const struct rp_analyser *analyser,
                       struct rp_slot *slot, int w, int h);
void rp_analysis_destroy(struct rp_analysis **analysis);

/* Record: find all faces of the frame. */
void rp_analysis_record(struct rp_analysis *analysis, const struct rp_img *frame);

/* The faces found (device memory of the slot). */
struct rp_dfaces *rp_analysis_faces(const struct rp_analysis *analysis);

/* The models in use, for reports: "face_detector=ultraface face_landmarker=...". */
const char *rp_analyser_models(const struct rp_analyser *analyser);

#endif /* RP_ANALYSER_H */
