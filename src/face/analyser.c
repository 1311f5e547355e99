/* Puts the parts of the analysing stage together: which of
 * them a job needs, and in which order they see a face. */
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
    /* while recording */
    const struct rp_img *frame;
    int first, end; /* enum part */
    int step;       /* enum step */
};

/* ---- shared half ----------------------------------------------------------------------------- */

/* Whether the landmarker is needed depends on the parts behind it. */
static int open_parts(struct rp_analyser *a, struct rp_pool *pool,
                      const struct rp_settings *settings, unsigned needs)
{
    struct rp_landmarker_params points = {
        .crops = needs & (RP_NEED_POINTS | RP_NEED_EMBEDDING),
        .all_68 = needs & RP_NEED_LANDMARKS,
        .turn = needs & RP_NEED_TURN,
        .lifted = needs & RP_NEED_LIFTED,
    };

    RP_CHECK(rp_detector_open(&a->detector, pool, settings, &a->models));
    if (needs & RP_NEED_EMBEDDING)
        RP_CHECK(rp_recogniser_open(&a->recogniser, pool, &a->models));
    if (needs & RP_NEED_CLASSES) {
        RP_CHECK(rp_classifier_open(&a->classifier, pool, &a->models));
        points.crops |= rp_classifier_wants_points(a->classifier);
    }
    points.five = rp_detector_gives_points(a->detector);
    RP_CHECK(rp_landmarker_open(&a->landmarker, pool, settings, &points, &a->models));
    return 0;
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

/* ---- part of one slot ------------------------------------------------------------------------ */

static int bind_parts(struct rp_analysis *an, int w, int h)
{
    const struct rp_analyser *const a = an->shared;

    RP_CHECK(rp_slot_alloc(an->slot, sizeof(*an->faces), (void **) &an->faces));
    RP_CHECK(rp_slot_alloc(an->slot, sizeof(*an->cur), (void **) &an->cur));
    RP_CHECK(rp_slot_alloc(an->slot, sizeof(*an->index), (void **) &an->index));
    RP_CHECK(rp_detection_create(&an->detection, a->detector, an->slot, w, h));
    RP_CHECK(rp_landmarking_create(&an->landmarking, a->landmarker, an->slot));
    if (a->recogniser)
        RP_CHECK(rp_recognition_create(&an->recognition, a->recogniser, an->slot));
    if (a->classifier)
        RP_CHECK(rp_classification_create(&an->classification, a->classifier, an->slot));
    return 0;
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

/* ---- recording ------------------------------------------------------------------------------- */

/* The parts that look at one face, in their order. */
enum part { LANDMARKS = 0, EMBEDDING, CLASSES, PARTS };
enum step { WHOLE = 0, BEFORE, AFTER };

static bool has_part(const struct rp_analysis *an, enum part part)
{
    return part == LANDMARKS   ? true
           : part == EMBEDDING ? an->recognition != NULL
                               : an->classification != NULL;
}

static enum rp_stage stage_of(enum part part)
{
    return part == LANDMARKS   ? RP_STAGE_LANDMARK
           : part == EMBEDDING ? RP_STAGE_EMBED
                               : RP_STAGE_CLASSIFY;
}

/* The network of a part over several faces at once, or NULL. */
static struct rp_batch *batch_of(const struct rp_analysis *an, enum part part)
{
    return part == LANDMARKS   ? rp_landmarking_batch(an->landmarking)
           : part == EMBEDDING ? rp_recognition_batch(an->recognition)
                               : rp_classification_batch(an->classification);
}

static int record_step(struct rp_analysis *an, enum part part, enum step step)
{
    const struct rp_face_at at = {an->slot, an->frame, an->cur};

    rp_slot_stage(an->slot, stage_of(part));
    if (part == LANDMARKS)
        return step == WHOLE    ? rp_landmarking_record(an->landmarking, &at)
               : step == BEFORE ? rp_landmarking_before(an->landmarking, &at)
                                : rp_landmarking_after(an->landmarking, &at);
    if (part == EMBEDDING)
        return step == WHOLE    ? rp_recognition_record(an->recognition, &at)
               : step == BEFORE ? rp_recognition_before(an->recognition, &at)
                                : rp_recognition_after(an->recognition, &at);
    return step == WHOLE    ? rp_classification_record(an->classification, &at)
           : step == BEFORE ? rp_classification_before(an->classification, &at)
                            : rp_classification_after(an->classification, &at);
}

/* One face: all parts from an->first on that go face by face. */
static int record_face(void *priv)
{
    struct rp_analysis *const an = priv;

    RP_CHECK(RP_OP(an->slot, face_load, .faces = an->faces, .index = an->index, .cur = an->cur));
    for (int part = an->first; part < an->end; part++)
        if (has_part(an, part))
            RP_CHECK(record_step(an, part, an->step));
    RP_CHECK(RP_OP(an->slot, face_store, .faces = an->faces, .index = an->index, .cur = an->cur));
    return 0;
}

static int record_before(void *priv)
{
    struct rp_analysis *const an = priv;

    an->step = BEFORE;
    return record_face(priv);
}

static int record_after(void *priv)
{
    struct rp_analysis *const an = priv;

    an->step = AFTER;
    return record_face(priv);
}

/* A part that takes several faces at once goes over all of
 * them; the others go face by face together. */
static int record_faces(struct rp_analysis *an)
{
    for (an->first = 0; an->first < PARTS; an->first = an->end) {
        struct rp_batch *const batch = has_part(an, an->first) ? batch_of(an, an->first) : NULL;

        an->end = an->first + 1;
        while (!batch && an->end < PARTS && !(has_part(an, an->end) && batch_of(an, an->end)))
            an->end++;
        an->step = WHOLE;
        RP_CHECK(batch ? rp_batch_run(batch, &an->faces->count, an->index, record_before,
                                      record_after, an)
                       : rp_slot_loop(an->slot, &an->faces->count, an->index, record_face, an));
    }
    return 0;
}

int rp_analysis_record(struct rp_analysis *an, const struct rp_img *frame)
{
    const enum rp_stage before = rp_slot_stage(an->slot, RP_STAGE_DETECT);

    an->frame = frame;
    RP_CHECK(rp_detection_record(an->detection, frame, an->faces));
    RP_CHECK(record_faces(an));
    rp_slot_stage(an->slot, before);
    return 0;
}
