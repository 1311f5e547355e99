/* The analysing stage. Facts about each network are in the tables at the top; the rest treats all
 * networks of one kind alike. */
#include "face/analyser.h"

#include <pthread.h>

/* ---- detectors --------------------------------------------------------------------------------- */

struct detector {
    const char *name;
    int decoder;          /* enum rp_decoder */
    int sizes[6];         /* allowed square sizes, 0 ends; the last is the default */
    int w, h;             /* fixed input size instead; 0 = sizes[] */
    bool stretch;         /* the frame fills the input whatever its shape */
    bool rgb;
    double div, mean, std; /* (v / div - mean) / std */
    int outputs;
    bool landmarks;       /* gives the 5 points */
};

/* clang-format off */
static const struct detector detectors[] = {
    {"retinaface", RP_DECODE_RETINAFACE, {160, 320, 480, 512, 640}, .div = 1, .mean = 127.5, .std = 128, .outputs = 9, .landmarks = true},
    {"scrfd", RP_DECODE_RETINAFACE, {160, 320, 480, 512, 640}, .div = 1, .mean = 127.5, .std = 128, .outputs = 9, .landmarks = true},
    {"yolo_face", RP_DECODE_YOLO, {640}, .div = 255, .mean = 0, .std = 1, .outputs = 1, .landmarks = true},
    {"yunet", RP_DECODE_YUNET, {640}, .div = 1, .mean = 0, .std = 1, .outputs = 12, .landmarks = true},
    {"ultraface", RP_DECODE_ULTRAFACE, .w = 320, .h = 240, .stretch = true, .rgb = true, .div = 1, .mean = 127, .std = 128, .outputs = 2},
};

/* ---- landmarkers ------------------------------------------------------------------------------- */

static const struct landmarker {
    const char *name;
    int decoder; /* enum rp_landmarker */
    int size;
    bool turned; /* upright crop in colours, contrast optimised; else the box in grey */
    int outputs;
    size_t numbers[2]; /* in each output */
} landmarkers[] = {
    {"2dfan4", RP_LANDMARK_2DFAN4, 256, true, 2, {68 * 3, 68 * 64 * 64}},
    {"peppa_wutz", RP_LANDMARK_PEPPA, 256, true, 1, {68 * 3}},
    {"fr_landmark", RP_LANDMARK_BOX_68, 64, false, 1, {68 * 2}},
};

/* ---- recognisers: one contract, arcface_112_v2 at 112, (x / 127.5) - 1, RGB ---------------------- */

/* ---- classifiers ------------------------------------------------------------------------------- */

static const struct classifier {
    const char *name;
    bool ssr;     /* box crop and two SSR-Nets; else FairFace's aligned crop and one network */
    int size;
    bool rgb;
} classifiers[] = {
    {"fairface", false, 224, true},
    {"fr_age_gender", true, 64, false},
};
/* clang-format on */

#define NEVER 2.0f /* no score is above it */

static const double imagenet_mean[3] = {0.485, 0.456, 0.406}, imagenet_std[3] = {0.229, 0.224, 0.225};

struct rp_analyser {
    struct rp_pool *pool;
    unsigned needs;
    const struct detector *detector;
    struct rp_model *detect;
    int dw, dh;
    float detect_score;
    const struct landmarker *landmarker; /* NULL: not needed */
    struct rp_model *landmark;
    float landmark_score;                /* above which the detector's points are replaced */
    struct rp_model *lift;               /* fan_68_5, five points to 68; NULL: none */
    struct rp_model *embed;              /* NULL: not needed */
    const struct classifier *classifier; /* NULL: not needed */
    struct rp_model *classify[2];
    char models[256];
};

struct rp_analysis {
    const struct rp_analyser *shared;
    struct rp_slot *slot;
    int w, h;

    struct rp_img small; /* the frame as the detector sees it; data NULL when not shrunk */
    float ratio_x, ratio_y;
    float *detect_lut, *landmark_lut, *embed_lut, *classify_lut;
    struct rp_lab_tables *lab; /* for the landmarker's crop */
    struct rp_contrast_work *contrast;
    struct rp_net *detect, *lift, *landmark, *embed, *classify[2];
    struct rp_candidates *candidates;
    struct rp_dfaces *faces;
    struct rp_dface *cur;
    int32_t *index;
    struct rp_affine *affine;
    struct rp_img landmark_crop, embed_crop, classify_crop;
    const struct rp_img *frame; /* while recording */
};

static const char *detector_names[RP_ARRAY_LEN(detectors) + 1];
static const char *landmarker_names[RP_ARRAY_LEN(landmarkers) + 1];

static void list_names(void)
{
    for (size_t i = 0; i < RP_ARRAY_LEN(detectors); i++)
        detector_names[i] = detectors[i].name;
    for (size_t i = 0; i < RP_ARRAY_LEN(landmarkers); i++)
        landmarker_names[i] = landmarkers[i].name;
}

static pthread_once_t listed = PTHREAD_ONCE_INIT;

const char *const *rp_detector_choices(void)
{
    pthread_once(&listed, list_names);
    return detector_names;
}

const char *const *rp_landmarker_choices(void)
{
    pthread_once(&listed, list_names);
    return landmarker_names;
}

/* ---- shared part ------------------------------------------------------------------------------- */

static void note_model(struct rp_analyser *a, enum rp_model_kind kind, const char *name)
{
    const size_t n = strlen(a->models);

    snprintf(a->models + n, sizeof(a->models) - n, "%s%s=%s", n ? " " : "",
             rp_model_kind_name(kind), name);
}

static int choose_size(struct rp_analyser *a, const struct rp_opt_size *size)
{
    const struct detector *const d = a->detector;
    int n = 0;

    if (d->w) {
        a->dw = d->w;
        a->dh = d->h;
        return 0;
    }
    for (n = 0; n < 6 && d->sizes[n]; n++) {
        if (size->w == d->sizes[n] && size->h == d->sizes[n]) {
            a->dw = a->dh = size->w;
            return 0;
        }
    }
    if (size->w == 0) {
        a->dw = a->dh = d->sizes[n - 1];
        return 0;
    }
    return rp_fail(RP_ERR_USAGE, "--face-detector-size: %dx%d is not a size of %s, which has %dx%d to "
                   "%dx%d", size->w, size->h, d->name, d->sizes[0], d->sizes[0], d->sizes[n - 1],
                   d->sizes[n - 1]);
}

static int open_detector(struct rp_analyser *a, const struct rp_settings *settings)
{
    int ret;
    const struct rp_model_entry *entry;
    const struct rp_detector_options *const o = rp_settings_get(settings, &rp_detector_group);
    const char *const name = detectors[o->model].name;

    RP_TRY(rp_pool_get(a->pool, RP_KIND_FACE_DETECTOR, name,
                       rp_settings_is_set(settings, "face-detector-model"), &entry, &a->detect));
    for (size_t i = 0; i < RP_ARRAY_LEN(detectors); i++)
        if (!strcmp(detectors[i].name, entry->name))
            a->detector = &detectors[i];
    a->detect_score = (float) o->score;
    RP_TRY(choose_size(a, &o->size));
    RP_TRY(rp_model_expect_input(a->detect, NULL, 0, RP_TYPE_F32, 4,
                                 (const int64_t[]){-1, 3, a->dh, a->dw}));
    RP_TRY(rp_model_expect_outputs(a->detect, a->detector->outputs));
    note_model(a, RP_KIND_FACE_DETECTOR, entry->name);
    return 0;

fail:
    return ret;
}

static int open_landmarker(struct rp_analyser *a, const struct rp_settings *settings)
{
    int ret;
    const struct rp_model_entry *entry;
    const struct rp_landmarker_options *const o = rp_settings_get(settings, &rp_landmarker_group);

    RP_TRY(rp_pool_get(a->pool, RP_KIND_FACE_LANDMARKER, landmarkers[o->model].name,
                       rp_settings_is_set(settings, "face-landmarker-model"), &entry,
                       &a->landmark));
    for (size_t i = 0; i < RP_ARRAY_LEN(landmarkers); i++)
        if (!strcmp(landmarkers[i].name, entry->name))
            a->landmarker = &landmarkers[i];
    const int64_t size = a->landmarker->size, channels = a->landmarker->turned ? 3 : 1;
    RP_TRY(rp_model_expect_input(a->landmark, NULL, 0, RP_TYPE_F32, 4,
                                 (const int64_t[]){-1, channels, size, size}));
    RP_TRY(rp_model_expect_outputs(a->landmark, a->landmarker->outputs));
    note_model(a, RP_KIND_FACE_LANDMARKER, entry->name);
    return 0;

fail:
    return ret;
}

static int open_lift(struct rp_analyser *a)
{
    int ret;

    RP_TRY(rp_pool_get_optional(a->pool, RP_KIND_FACE_LANDMARKER_5_68, "fan_68_5", &a->lift));
    if (!a->lift)
        return 0;
    RP_TRY(rp_model_expect_input(a->lift, NULL, 0, RP_TYPE_F32, 3, (const int64_t[]){-1, 5, 2}));
    RP_TRY(rp_model_expect_outputs(a->lift, 1));
    note_model(a, RP_KIND_FACE_LANDMARKER_5_68, "fan_68_5");
    return 0;

fail:
    return ret;
}

/* FaceFusion's rules: a score of 0 skips the landmarker, and the 68 points are then fan_68_5's, which
 * also tells how the head is turned. But without fan_68_5, and with a detector without points, only
 * the landmarker has any. */
static int open_landmarks(struct rp_analyser *a, const struct rp_settings *settings)
{
    int ret;
    const struct rp_landmarker_options *const o = rp_settings_get(settings, &rp_landmarker_group);
    const bool wanted = a->needs & RP_NEED_LANDMARKS, five = a->detector->landmarks;

    a->landmark_score = o->score > 0 ? (float) o->score : NEVER;
    if (o->score > 0 || !five)
        RP_TRY(open_landmarker(a, settings));
    if (five && (wanted || (a->landmarker && a->landmarker->turned)))
        RP_TRY(open_lift(a));
    if (wanted && !a->landmarker && !a->lift)
        RP_TRY(open_landmarker(a, settings));
    return 0;

fail:
    return ret;
}

static int open_recogniser(struct rp_analyser *a)
{
    int ret;
    const struct rp_model_entry *entry;

    RP_TRY(rp_pool_get(a->pool, RP_KIND_FACE_RECOGNIZER, "arcface", false, &entry, &a->embed));
    RP_TRY(rp_model_expect_input(a->embed, NULL, 0, RP_TYPE_F32, 4,
                                 (const int64_t[]){-1, 3, 112, 112}));
    RP_TRY(rp_model_expect_outputs(a->embed, 1));
    note_model(a, RP_KIND_FACE_RECOGNIZER, entry->name);
    return 0;

fail:
    return ret;
}

static int open_classifier(struct rp_analyser *a)
{
    int ret;
    const struct rp_model_entry *entry;

    RP_TRY(rp_pool_get(a->pool, RP_KIND_FACE_CLASSIFIER, "fairface", false, &entry,
                       &a->classify[0]));
    for (size_t i = 0; i < RP_ARRAY_LEN(classifiers); i++)
        if (!strcmp(classifiers[i].name, entry->name))
            a->classifier = &classifiers[i];
    if (a->classifier->ssr)
        RP_TRY(rp_pool_get_exact(a->pool, RP_KIND_FACE_CLASSIFIER, "fr_age", &a->classify[1]));
    for (int i = 0; i < 2 && a->classify[i]; i++) {
        const int64_t size = a->classifier->size;

        RP_TRY(rp_model_expect_input(a->classify[i], NULL, 0, RP_TYPE_F32, 4,
                                     (const int64_t[]){-1, 3, size, size}));
        RP_TRY(rp_model_expect_outputs(a->classify[i], a->classifier->ssr ? 9 : 3));
    }
    note_model(a, RP_KIND_FACE_CLASSIFIER, entry->name);
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
    a->pool = pool;
    a->needs = needs;
    RP_TRY(open_detector(a, settings));
    RP_TRY(open_landmarks(a, settings));
    if (needs & RP_NEED_EMBEDDING)
        RP_TRY(open_recogniser(a));
    if (needs & RP_NEED_CLASSES)
        RP_TRY(open_classifier(a));
    return 0;

fail:
    rp_analyser_destroy(out);
    return ret;
}

void rp_analyser_destroy(struct rp_analyser **analyser)
{
    free(*analyser); /* the models are the pool's */
    *analyser = NULL;
}

const char *rp_analyser_models(const struct rp_analyser *analyser)
{
    return analyser->models;
}

/* ---- part of one slot -------------------------------------------------------------------------- */

/* A look-up table for rp_op_to_tensor in device memory. */
static int make_lut(struct rp_slot *slot, double div, const double mean[3], const double std[3],
                    float **out)
{
    float lut[3][256];

    rp_tensor_lut(lut, div, mean, std);
    return rp_slot_constant(slot, lut, sizeof(lut), (void **) out);
}

/* FaceFusion's rule: shrink to fit, never enlarge, keep the shape; ratios after truncation. */
static int fit_frame(struct rp_analysis *an)
{
    const struct rp_analyser *const a = an->shared;
    int w = an->w, h = an->h;

    if (a->detector->stretch) {
        w = a->dw;
        h = a->dh;
    } else if (h > a->dh || w > a->dw) {
        const double sy = (double) a->dh / h, sx = (double) a->dw / w;
        const double scale = RP_MIN(sx, sy);

        w = RP_MAX((int) (an->w * scale), 1);
        h = RP_MAX((int) (an->h * scale), 1);
    }
    an->ratio_x = (float) ((double) an->w / w);
    an->ratio_y = (float) ((double) an->h / h);
    if (w == an->w && h == an->h)
        return 0;
    return rp_slot_image(an->slot, w, h, 3, &an->small);
}

static int bind_detector(struct rp_analysis *an)
{
    int ret;
    const struct rp_analyser *const a = an->shared;
    const struct detector *const d = a->detector;
    const double mean[3] = {d->mean, d->mean, d->mean}, std[3] = {d->std, d->std, d->std};

    RP_TRY(fit_frame(an));
    RP_TRY(make_lut(an->slot, d->div, mean, std, &an->detect_lut));
    RP_TRY(rp_net_open(&an->detect, an->slot, a->detect,
                       (const int64_t *const[]){(const int64_t[]){1, 3, a->dh, a->dw}}));
    RP_TRY(rp_slot_alloc(an->slot, sizeof(*an->candidates), (void **) &an->candidates));
    RP_TRY(rp_slot_alloc(an->slot, sizeof(*an->faces), (void **) &an->faces));
    RP_TRY(rp_slot_alloc(an->slot, sizeof(*an->cur), (void **) &an->cur));
    RP_TRY(rp_slot_alloc(an->slot, sizeof(*an->index), (void **) &an->index));
    RP_TRY(rp_slot_alloc(an->slot, sizeof(*an->affine), (void **) &an->affine));
    return 0;

fail:
    return ret;
}

/* What the upright colour crop needs beside the crop. */
static int bind_turned(struct rp_analysis *an)
{
    int ret;
    static const double zero[3] = {0, 0, 0}, one[3] = {1, 1, 1};
    struct rp_lab_tables tables;

    rp_lab_tables(&tables);
    RP_TRY(rp_slot_constant(an->slot, &tables, sizeof(tables), (void **) &an->lab));
    RP_TRY(rp_slot_alloc(an->slot, sizeof(*an->contrast), (void **) &an->contrast));
    RP_TRY(make_lut(an->slot, 255, zero, one, &an->landmark_lut));
    return 0;

fail:
    return ret;
}

static int expect_numbers(const struct rp_net *net, int output, size_t n)
{
    if (net->out[output].count == n)
        return 0;
    return rp_fail(RP_ERR_MODEL, "%s: gives %zu numbers as output %d, a landmarker of this name %zu",
                   rp_model_name(net->model), net->out[output].count, output + 1, n);
}

static int bind_landmarker(struct rp_analysis *an)
{
    int ret;
    const struct landmarker *const l = an->shared->landmarker;

    RP_TRY(rp_net_open(&an->landmark, an->slot, an->shared->landmark,
                       (const int64_t *const[]){
                           (const int64_t[]){1, l->turned ? 3 : 1, l->size, l->size}}));
    for (int i = 0; i < l->outputs; i++)
        RP_TRY(expect_numbers(an->landmark, i, l->numbers[i]));
    RP_TRY(rp_slot_image(an->slot, l->size, l->size, 3, &an->landmark_crop));
    if (l->turned)
        RP_TRY(bind_turned(an));
    return 0;

fail:
    return ret;
}

static int bind_lift(struct rp_analysis *an)
{
    int ret;

    RP_TRY(rp_net_open(&an->lift, an->slot, an->shared->lift,
                       (const int64_t *const[]){(const int64_t[]){1, 5, 2}}));
    RP_TRY(expect_numbers(an->lift, 0, 68 * 2));
    return 0;

fail:
    return ret;
}

static int bind_recogniser(struct rp_analysis *an)
{
    int ret;
    static const double one[3] = {1, 1, 1};

    RP_TRY(make_lut(an->slot, 127.5, one, one, &an->embed_lut));
    RP_TRY(rp_net_open(&an->embed, an->slot, an->shared->embed,
                       (const int64_t *const[]){(const int64_t[]){1, 3, 112, 112}}));
    RP_TRY(rp_slot_image(an->slot, 112, 112, 3, &an->embed_crop));
    if (an->embed->out[0].count != 512)
        return rp_fail(RP_ERR_MODEL, "%s: gives %zu numbers, a face recogniser gives 512",
                       rp_model_name(an->shared->embed), an->embed->out[0].count);
    return 0;

fail:
    return ret;
}

static int bind_classifier(struct rp_analysis *an)
{
    int ret;
    const struct rp_analyser *const a = an->shared;
    const int size = a->classifier->size;
    double mean[3], std[3];

    for (int c = 0; c < 3; c++) { /* the SSR-Nets take BGR with the RGB constants in that order */
        mean[c] = imagenet_mean[c];
        std[c] = imagenet_std[c];
    }
    RP_TRY(make_lut(an->slot, 255, mean, std, &an->classify_lut));
    for (int i = 0; i < 2 && a->classify[i]; i++)
        RP_TRY(rp_net_open(&an->classify[i], an->slot, a->classify[i],
                           (const int64_t *const[]){(const int64_t[]){1, 3, size, size}}));
    RP_TRY(rp_slot_image(an->slot, size, size, 3, &an->classify_crop));
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
    an->w = w;
    an->h = h;
    RP_TRY(bind_detector(an));
    if (analyser->landmarker)
        RP_TRY(bind_landmarker(an));
    if (analyser->lift)
        RP_TRY(bind_lift(an));
    if (analyser->embed)
        RP_TRY(bind_recogniser(an));
    if (analyser->classifier)
        RP_TRY(bind_classifier(an));
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
    rp_net_close(&an->detect);
    rp_net_close(&an->lift);
    rp_net_close(&an->landmark);
    rp_net_close(&an->embed);
    rp_net_close(&an->classify[0]);
    rp_net_close(&an->classify[1]);
    free(an);
    *analysis = NULL;
}

struct rp_dfaces *rp_analysis_faces(const struct rp_analysis *analysis)
{
    return analysis->faces;
}

/* ---- recording --------------------------------------------------------------------------------- */

static int record_detect(struct rp_analysis *an)
{
    int ret;
    struct rp_slot *const slot = an->slot;
    const struct rp_analyser *const a = an->shared;
    const struct rp_img *seen = an->frame;
    struct rp_op_decode decode;

    if (an->small.data) {
        RP_TRY(RP_OP(slot, resize, .src = *an->frame, .dst = an->small));
        seen = &an->small;
    }
    RP_TRY(RP_OP(slot, to_tensor, .src = *seen, .lut = an->detect_lut,
                 .dst = an->detect->in[0].data, .w = a->dw, .h = a->dh, .rgb = a->detector->rgb,
                 .step = 1));
    RP_TRY(rp_run(an->detect));

    decode = (struct rp_op_decode){
        .decoder = a->detector->decoder,
        .w = a->dw, .h = a->dh,
        .count = (int) (an->detect->out[0].rank == 3 ? an->detect->out[0].dim[a->detector->decoder ==
                                                       RP_DECODE_YOLO ? 2 : 1] : 0),
        .threshold = a->detect_score,
        .ratio_x = an->ratio_x, .ratio_y = an->ratio_y,
        .first = 1, .dst = an->candidates,
    };
    for (int i = 0; i < a->detector->outputs; i++)
        decode.t[i] = an->detect->out[i].data;
    RP_TRY(slot->ops->decode(slot->stream, &decode));
    RP_TRY(RP_OP(slot, nms, .src = an->candidates, .threshold = a->detect_score, .iou = 0.4f,
                 .dst = an->faces));
    return 0;

fail:
    return ret;
}

/* The detector's five points to 68, and from these the turn of the head. */
static int record_lift(struct rp_analysis *an)
{
    int ret;
    struct rp_slot *const slot = an->slot;

    RP_TRY(RP_OP(slot, align, .face = an->cur, .points = 1, .template_id = RP_TEMPLATE_FFHQ_512,
                 .w = 1, .h = 1, .scale = 1, .dst = an->affine));
    RP_TRY(RP_OP(slot, points_tensor, .face = an->cur, .affine = an->affine,
                 .dst = an->lift->in[0].data));
    RP_TRY(rp_run(an->lift));
    RP_TRY(RP_OP(slot, landmarks, .kind = RP_LANDMARK_FAN_68_5, .t = {an->lift->out[0].data},
                 .w = 1, .h = 1, .affine = an->affine, .face = an->cur));
    return 0;

fail:
    return ret;
}

/* The box at its own shape, upright, as FaceFusion's landmarkers want it. */
static int record_turned_crop(struct rp_analysis *an, const struct landmarker *l)
{
    int ret;
    struct rp_slot *const slot = an->slot;

    RP_TRY(RP_OP(slot, box_affine, .face = an->cur, .fit = RP_BOX_LANDMARKER, .factor = 1,
                 .w = l->size, .h = l->size, .dst = an->affine));
    RP_TRY(RP_OP(slot, warp, .src = *an->frame, .affine = an->affine, .dst = an->landmark_crop));
    RP_TRY(RP_OP(slot, contrast, .src = an->landmark_crop, .dst = an->landmark_crop,
                 .tables = an->lab, .work = an->contrast));
    RP_TRY(RP_OP(slot, to_tensor, .src = an->landmark_crop, .lut = an->landmark_lut,
                 .dst = an->landmark->in[0].data, .w = l->size, .h = l->size, .step = 1));
    return 0;

fail:
    return ret;
}

static int record_grey_crop(struct rp_analysis *an, const struct landmarker *l)
{
    int ret;
    struct rp_slot *const slot = an->slot;

    RP_TRY(RP_OP(slot, box_affine, .face = an->cur, .fit = RP_BOX_STRETCH, .factor = 1,
                 .w = l->size, .h = l->size, .dst = an->affine));
    RP_TRY(RP_OP(slot, warp, .src = *an->frame, .affine = an->affine, .dst = an->landmark_crop,
                 .border = 1, .area = 1));
    RP_TRY(RP_OP(slot, to_gray, .src = an->landmark_crop, .dst = an->landmark->in[0].data,
                 .scale = 1.0f / 256));
    return 0;

fail:
    return ret;
}

static int record_landmarker(struct rp_analysis *an)
{
    int ret;
    struct rp_slot *const slot = an->slot;
    const struct landmarker *const l = an->shared->landmarker;
    struct rp_op_landmarks op = {.kind = l->decoder, .w = l->size, .h = l->size,
                                 .affine = an->affine, .face = an->cur};

    RP_TRY(l->turned ? record_turned_crop(an, l) : record_grey_crop(an, l));
    RP_TRY(rp_run(an->landmark));
    for (int i = 0; i < l->outputs; i++)
        op.t[i] = an->landmark->out[i].data;
    RP_TRY(slot->ops->landmarks(slot->stream, &op));
    return 0;

fail:
    return ret;
}

/* Turn of the head first, as the landmarker's crop needs it. With a detector without points it is 0
 * until the landmarker has run. */
static int record_landmarks(struct rp_analysis *an)
{
    int ret;
    const struct rp_analyser *const a = an->shared;
    struct rp_slot *const slot = an->slot;

    if (a->lift)
        RP_TRY(record_lift(an));
    else if (a->landmarker && a->detector->landmarks)
        RP_TRY(RP_OP(slot, points_angle, .face = an->cur));
    if (a->landmarker)
        RP_TRY(record_landmarker(an));
    RP_TRY(RP_OP(slot, face_points, .face = an->cur,
                 .threshold = a->landmarker ? a->landmark_score : NEVER,
                 .no_detector_points = !a->detector->landmarks));
    return 0;

fail:
    return ret;
}

static int record_embedding(struct rp_analysis *an)
{
    int ret;
    struct rp_slot *const slot = an->slot;

    RP_TRY(RP_OP(slot, align, .face = an->cur, .template_id = RP_TEMPLATE_ARCFACE_112_V2, .w = 112,
                 .h = 112, .scale = 1, .dst = an->affine));
    RP_TRY(RP_OP(slot, warp, .src = *an->frame, .affine = an->affine, .dst = an->embed_crop,
                 .border = 1));
    RP_TRY(RP_OP(slot, to_tensor, .src = an->embed_crop, .lut = an->embed_lut,
                 .dst = an->embed->in[0].data, .w = 112, .h = 112, .rgb = 1, .step = 1));
    RP_TRY(rp_run(an->embed));
    RP_TRY(RP_OP(slot, embedding, .src = an->embed->out[0].data, .face = an->cur));
    return 0;

fail:
    return ret;
}

static int record_classes(struct rp_analysis *an)
{
    int ret;
    struct rp_slot *const slot = an->slot;
    const struct classifier *const c = an->shared->classifier;
    struct rp_op_classify op = {.kind = RP_CLASSIFY_FAIRFACE, .face = an->cur};

    if (c->ssr)
        RP_TRY(RP_OP(slot, box_affine, .face = an->cur, .fit = RP_BOX_STRETCH, .factor = 1.4f,
                     .w = c->size, .h = c->size, .dst = an->affine));
    else
        RP_TRY(RP_OP(slot, align, .face = an->cur, .template_id = RP_TEMPLATE_ARCFACE_112_V2,
                     .w = c->size, .h = c->size, .scale = 1, .dst = an->affine));
    RP_TRY(RP_OP(slot, warp, .src = *an->frame, .affine = an->affine, .dst = an->classify_crop,
                 .border = 1, .area = c->ssr));
    for (int i = 0; i < 2 && an->classify[i]; i++) {
        RP_TRY(RP_OP(slot, to_tensor, .src = an->classify_crop, .lut = an->classify_lut,
                     .dst = an->classify[i]->in[0].data, .w = c->size, .h = c->size, .rgb = c->rgb,
                     .step = 1));
        RP_TRY(rp_run(an->classify[i]));
        if (c->ssr)
            op.kind = i ? RP_CLASSIFY_SSR_AGE : RP_CLASSIFY_SSR_GENDER;
        for (int t = 0; t < (c->ssr ? 9 : 3); t++)
            op.t[t] = an->classify[i]->out[t].data;
        RP_TRY(slot->ops->classify(slot->stream, &op));
    }
    return 0;

fail:
    return ret;
}

/* One face: everything but its box. */
static int record_face(void *priv)
{
    int ret;
    struct rp_analysis *const an = priv;
    const struct rp_analyser *const a = an->shared;
    struct rp_slot *const slot = an->slot;

    rp_slot_stage(slot, RP_STAGE_LANDMARK);
    RP_TRY(RP_OP(slot, face_load, .faces = an->faces, .index = an->index, .cur = an->cur));
    RP_TRY(record_landmarks(an));
    if (a->embed) {
        rp_slot_stage(slot, RP_STAGE_EMBED);
        RP_TRY(record_embedding(an));
    }
    if (a->classifier) {
        rp_slot_stage(slot, RP_STAGE_CLASSIFY);
        RP_TRY(record_classes(an));
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
    RP_TRY(record_detect(an));
    RP_TRY(rp_slot_loop(an->slot, &an->faces->count, an->index, record_face, an));
    rp_slot_stage(an->slot, before);
    return 0;

fail:
    return ret;
}
