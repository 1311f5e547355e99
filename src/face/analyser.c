/* Puts the parts of the analysing stage together: which of them a job needs, and in which order
 * they work on a face. */
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
};

/* ---- shared half ----------------------------------------------------------------------------- */

/* Whether the landmarker is needed depends on the parts after it. */
static int open_parts(struct rp_analyser *a, struct rp_pool *pool,
                      const struct rp_settings *settings, unsigned needs)
{
    struct rp_landmarker_params points = {
        .crops = needs & (RP_NEED_POINTS | RP_NEED_EMBEDDING),
        .all_68 = needs & RP_NEED_LANDMARKS,
        .angle = needs & RP_NEED_ANGLE,
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

/* The parts that work on one face, in order. */
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

static void record_part(struct rp_analysis *an, const struct rp_face_at *at, enum part part,
                        enum step step)
{
    rp_record_stage(an->slot, stage_of(part));
    if (part == LANDMARKS)
        (step == WHOLE    ? rp_landmarking_record
         : step == BEFORE ? rp_landmarking_before
                          : rp_landmarking_after)(an->landmarking, at);
    else if (part == EMBEDDING)
        (step == WHOLE    ? rp_recognition_record
         : step == BEFORE ? rp_recognition_before
                          : rp_recognition_after)(an->recognition, at);
    else
        (step == WHOLE    ? rp_classification_record
         : step == BEFORE ? rp_classification_before
                          : rp_classification_after)(an->classification, at);
}

/* What is done with each face: several parts in a row, or one step of a part. */
struct work {
    struct rp_analysis *an;
    const struct rp_img *frame;
    int first, end; /* enum part */
};

static void record_face(const struct work *w, enum step step)
{
    struct rp_analysis *const an = w->an;
    const struct rp_face_at at = {an->slot, w->frame, an->cur};

    RP_OP(an->slot, face_load, .faces = an->faces, .index = an->index, .cur = an->cur);
    for (int part = w->first; part < w->end; part++)
        if (has_part(an, part))
            record_part(an, &at, part, step);
    RP_OP(an->slot, face_store, .faces = an->faces, .index = an->index, .cur = an->cur);
}

static void record_before(void *priv)
{
    record_face(priv, BEFORE);
}

static void record_after(void *priv)
{
    record_face(priv, AFTER);
}

/* A part whose network takes several faces at once runs over all of them; the parts in between
 * share one loop over the faces. */
static void record_faces(struct rp_analysis *an, const struct rp_img *frame)
{
    struct work w = {.an = an, .frame = frame};

    for (; w.first < PARTS; w.first = w.end) {
        struct rp_batch *const batch = has_part(an, w.first) ? batch_of(an, w.first) : NULL;

        w.end = w.first + 1;
        if (batch) {
            rp_batch_record(batch, &an->faces->count, an->index, record_before, record_after, &w);
            continue;
        }
        while (w.end < PARTS && !(has_part(an, w.end) && batch_of(an, w.end)))
            w.end++;
        rp_record_loop(an->slot, &an->faces->count, an->index);
        record_face(&w, WHOLE);
        rp_record_loop_end(an->slot);
    }
}

void rp_analysis_record(struct rp_analysis *an, const struct rp_img *frame)
{
    const enum rp_stage before = rp_record_stage(an->slot, RP_STAGE_DETECT);

    rp_detection_record(an->detection, frame, an->faces);
    record_faces(an, frame);
    rp_record_stage(an->slot, before);
}
