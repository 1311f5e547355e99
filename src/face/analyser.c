/* Puts the parts of the analysing stage together: which of them a job needs, and in which order they
 * see a face. */
#include "face/analyser.h"

#include "face/classifier.h"
#include "face/detector.h"
#include "face/landmarker.h"
#include "face/recogniser.h"

struct rp_analyser {
    struct rp_detector *detector;
    struct rp_landmarker *landmarker;
    struct rp_recogniser *recogniser; /* NULL: not needed */
    struct rp_classifier *classifier; /* NULL: not needed */
    struct rp_model_list models;
};

struct rp_analysis {
    const struct rp_analyser *shared;
    struct rp_slot *slot;
    struct rp_detection *detection;
    struct rp_landmarking *landmarking;
    struct rp_recognition *recognition;
    struct rp_classification *classification;
    struct rp_dfaces *faces;
    struct rp_dface *cur;
    int32_t *index;
    const struct rp_img *frame; /* while recording */
};

/* ---- shared half ------------------------------------------------------------------------------- */

/* Whether the landmarker is needed depends on the parts behind it. */
static int open_parts(struct rp_analyser *a, struct rp_pool *pool,
                      const struct rp_settings *settings, unsigned needs)
{
    int ret;
    struct rp_landmarker_params points = {
        .crops = needs & (RP_NEED_POINTS | RP_NEED_EMBEDDING),
        .all_68 = needs & RP_NEED_LANDMARKS,
    };

    RP_TRY(rp_detector_open(&a->detector, pool, settings, &a->models));
    if (needs & RP_NEED_EMBEDDING)
        RP_TRY(rp_recogniser_open(&a->recogniser, pool, &a->models));
    if (needs & RP_NEED_CLASSES) {
        RP_TRY(rp_classifier_open(&a->classifier, pool, &a->models));
        points.crops |= rp_classifier_wants_points(a->classifier);
    }
    points.five = rp_detector_gives_points(a->detector);
    RP_TRY(rp_landmarker_open(&a->landmarker, pool, settings, &points, &a->models));
    return 0;

fail:
    return ret;
}

int rp_analyser_create(struct rp_analyser **out, struct rp_pool *pool,
                       const struct rp_settings *settings, unsigned needs)
{
    int ret;
    struct rp_analyser *const a = *out = calloc(1, sizeof(*a));

    if (!a)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    RP_TRY(open_parts(a, pool, settings, needs));
    return 0;

fail:
    rp_analyser_destroy(out);
    return ret;
}

void rp_analyser_destroy(struct rp_analyser **analyser)
{
    struct rp_analyser *const a = *analyser;

    if (!a)
        return;
    rp_detector_close(&a->detector);
    rp_landmarker_close(&a->landmarker);
    rp_recogniser_close(&a->recogniser);
    rp_classifier_close(&a->classifier);
    free(a);
    *analyser = NULL;
}

const char *rp_analyser_models(const struct rp_analyser *analyser)
{
    return analyser->models.text;
}

/* ---- part of one slot -------------------------------------------------------------------------- */

static int bind_parts(struct rp_analysis *an, int w, int h)
{
    int ret;
    const struct rp_analyser *const a = an->shared;

    RP_TRY(rp_slot_alloc(an->slot, sizeof(*an->faces), (void **) &an->faces));
    RP_TRY(rp_slot_alloc(an->slot, sizeof(*an->cur), (void **) &an->cur));
    RP_TRY(rp_slot_alloc(an->slot, sizeof(*an->index), (void **) &an->index));
    RP_TRY(rp_detection_create(&an->detection, a->detector, an->slot, w, h));
    RP_TRY(rp_landmarking_create(&an->landmarking, a->landmarker, an->slot));
    if (a->recogniser)
        RP_TRY(rp_recognition_create(&an->recognition, a->recogniser, an->slot));
    if (a->classifier)
        RP_TRY(rp_classification_create(&an->classification, a->classifier, an->slot));
    return 0;

fail:
    return ret;
}

int rp_analysis_create(struct rp_analysis **out, const struct rp_analyser *analyser,
                       struct rp_slot *slot, int w, int h)
{
    int ret;
    struct rp_analysis *const an = *out = calloc(1, sizeof(*an));

    if (!an)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    an->shared = analyser;
    an->slot = slot;
    RP_TRY(bind_parts(an, w, h));
    return 0;

fail:
    rp_analysis_destroy(out);
    return ret;
}

void rp_analysis_destroy(struct rp_analysis **analysis)
{
    struct rp_analysis *const an = *analysis;

    if (!an)
        return;
    rp_detection_destroy(&an->detection);
    rp_landmarking_destroy(&an->landmarking);
    rp_recognition_destroy(&an->recognition);
    rp_classification_destroy(&an->classification);
    free(an);
    *analysis = NULL;
}

struct rp_dfaces *rp_analysis_faces(const struct rp_analysis *analysis)
{
    return analysis->faces;
}

/* ---- recording --------------------------------------------------------------------------------- */

/* One face: everything but its box. */
static int record_face(void *priv)
{
    int ret;
    struct rp_analysis *const an = priv;
    struct rp_slot *const slot = an->slot;
    const struct rp_face_at at = {slot, an->frame, an->cur};

    rp_slot_stage(slot, RP_STAGE_LANDMARK);
    RP_TRY(RP_OP(slot, face_load, .faces = an->faces, .index = an->index, .cur = an->cur));
    RP_TRY(rp_landmarking_record(an->landmarking, &at));
    if (an->recognition) {
        rp_slot_stage(slot, RP_STAGE_EMBED);
        RP_TRY(rp_recognition_record(an->recognition, &at));
    }
    if (an->classification) {
        rp_slot_stage(slot, RP_STAGE_CLASSIFY);
        RP_TRY(rp_classification_record(an->classification, &at));
    }
    RP_TRY(RP_OP(slot, face_store, .faces = an->faces, .index = an->index, .cur = an->cur));
    return 0;

fail:
    return ret;
}

int rp_analysis_record(struct rp_analysis *an, const struct rp_img *frame)
{
    int ret;
    const enum rp_stage before = rp_slot_stage(an->slot, RP_STAGE_DETECT);

    an->frame = frame;
    RP_TRY(rp_detection_record(an->detection, frame, an->faces));
    RP_TRY(rp_slot_loop(an->slot, &an->faces->count, an->index, record_face, an));
    rp_slot_stage(an->slot, before);
    return 0;

fail:
    return ret;
}
