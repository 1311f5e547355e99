/* What differs between networks is in the table; the rest treats all alike.
 *
 * A view is the frame as the networks see it at one angle: turned, with its margin, shrunk. Every
 * network runs on every view, all detections go into one list of candidates, and one non-maximum
 * suppression over the list ends it. */
#include "face/detector.h"

#include "face/options.h"

enum { MAX_PARTS = 3, MAX_VIEWS = 4 };

static const struct facts {
    const char *name;
    int decoder;           /* enum rp_decoder */
    int sizes[6];          /* square sizes to choose from, 0 ends; the last is the default */
    int w, h;              /* fixed input size instead; 0 = sizes[] */
    bool stretch;          /* the frame fills the input whatever its shape */
    bool rgb;
    double div, mean, std; /* (v / div - mean) / std */
    int outputs;
    size_t each[4];        /* numbers in a row, of each output or of each group of three */
    bool points;           /* gives the five points */
} detectors[] = {
    /* clang-format off */
    {"retinaface", RP_DECODE_RETINAFACE, {160, 320, 480, 512, 640}, .div = 1, .mean = 127.5, .std = 128, .outputs = 9, .each = {1, 4, 10}, .points = true},
    {"scrfd", RP_DECODE_RETINAFACE, {160, 320, 480, 512, 640}, .div = 1, .mean = 127.5, .std = 128, .outputs = 9, .each = {1, 4, 10}, .points = true},
    {"yolo_face", RP_DECODE_YOLO, {640}, .div = 255, .mean = 0, .std = 1, .outputs = 1, .each = {20}, .points = true},
    {"yunet", RP_DECODE_YUNET, {640}, .div = 1, .mean = 0, .std = 1, .outputs = 12, .each = {1, 1, 4, 10}, .points = true},
    {"ultraface", RP_DECODE_ULTRAFACE, .w = 320, .h = 240, .stretch = true, .rgb = true, .div = 1, .mean = 127, .std = 128, .outputs = 2, .each = {2, 4}},
    /* clang-format on */
};

/* "many" means these, in this order. (FaceFusion also loads yunet, but does not run it.) */
static const char *const many[] = {"retinaface", "scrfd", "yolo_face"};

struct rp_detector {
    int parts;
    struct {
        const struct facts *facts;
        struct rp_model *model;
    } part[MAX_PARTS];
    int w, h;      /* of the input, the same for all */
    float score;   /* a candidate must have more */
    float overlap; /* and must not overlap a better one by more */
    int margin[4]; /* percent: top, right, bottom, left */
    int views;
    int angle[MAX_VIEWS];
};

struct view {
    int angle;                 /* degrees, counter-clockwise */
    struct rp_affine *place;  /* frame to turned frame with margins; NULL: neither */
    struct rp_img placed;
    struct rp_img small;      /* shrunk to fit the input; data NULL when not shrunk */
    double ratio_x, ratio_y;  /* pixels of the placed frame for each pixel of the input */
    float shift_x, shift_y;   /* margins on the left and at the top */
};

struct rp_detection {
    const struct rp_detector *shared;
    struct rp_slot *slot;
    int w, h; /* of the frame */
    struct view view[MAX_VIEWS];
    struct {
        struct rp_net *net;
        float *lut;
    } part[MAX_PARTS];
    struct rp_candidates *candidates;
};

/* ---- shared half ----------------------------------------------------------------------------- */

static int choose_size(struct rp_detector *d, const struct facts *f, const struct rp_opt_size *size)
{
    int n = 0;

    if (f->w) {
        d->w = f->w;
        d->h = f->h;
        return 0;
    }
    for (n = 0; n < 6 && f->sizes[n]; n++) {
        if (size->w == f->sizes[n] && size->h == f->sizes[n]) {
            d->w = d->h = size->w;
            return 0;
        }
    }
    if (size->w == 0) {
        d->w = d->h = f->sizes[n - 1];
        return 0;
    }
    return rp_fail(RP_ERR_USAGE,
                   "--face-detector-size: %dx%d is not a size of %s, which has %dx%d to "
                   "%dx%d",
                   size->w, size->h, f->name, f->sizes[0], f->sizes[0], f->sizes[n - 1],
                   f->sizes[n - 1]);
}

static int open_part(struct rp_detector *d, struct rp_pool *pool, const char *name, bool named,
                     const struct rp_opt_size *size, struct rp_model_list *list)
{
    const struct rp_model_entry *entry;
    struct rp_model *model;

    RP_CHECK(rp_pool_get(pool, RP_KIND_FACE_DETECTOR, name, named, &entry, &model));
    d->part[d->parts].facts = RP_FACTS(detectors, entry->name);
    d->part[d->parts].model = model;
    RP_CHECK(choose_size(d, d->part[d->parts].facts, size));
    RP_CHECK(rp_model_expect_input(model, NULL, 0, RP_TYPE_F32, 4,
                                   (const int64_t[]){-1, 3, d->h, d->w}));
    RP_CHECK(rp_model_expect_outputs(model, d->part[d->parts].facts->outputs));
    rp_model_list_add(list, RP_KIND_FACE_DETECTOR, entry->name);
    d->parts++;
    return 0;
}

static int open_parts(struct rp_detector *d, struct rp_pool *pool,
                      const struct rp_settings *settings, struct rp_model_list *list)
{
    const struct rp_detector_options *const o = rp_settings_get(settings, &rp_detector_group);
    const char *const name = rp_catalogue_choices(RP_KIND_FACE_DETECTOR)[o->model];

    if (strcmp(name, "many") != 0)
        return open_part(d, pool, name, rp_settings_is_set(settings, "face-detector-model"),
                         &o->size, list);
    if (o->size.w && (o->size.w != 640 || o->size.h != 640))
        return rp_fail(RP_ERR_USAGE, "--face-detector-size: %dx%d is not a size of many, which has "
                       "640x640", o->size.w, o->size.h);
    for (size_t i = 0; i < RP_ARRAY_LEN(many); i++)
        RP_CHECK(open_part(d, pool, many[i], true, &o->size, list));
    return 0;
}

/* The more often one face is found, the less its boxes may overlap. With a score of 0 no face is
 * found, as in FaceFusion. */
static void set_limits(struct rp_detector *d, const struct rp_detector_options *o)
{
    static const float by_angles[MAX_VIEWS + 1] = {0.4f, 0.4f, 0.3f, 0.2f, 0.1f};

    d->views = RP_CLAMP(o->angles.n, 1, MAX_VIEWS);
    for (int i = 0; i < o->angles.n && i < MAX_VIEWS; i++)
        d->angle[i] = 90 * o->angles.v[i];
    d->overlap = d->parts > 1 ? 0.1f : by_angles[d->views];
    d->score = o->score > 0 ? (float) o->score : 2.0f;
    rp_opt_sides(&o->margin, d->margin);
}

int rp_detector_open(struct rp_detector **out, struct rp_pool *pool,
                     const struct rp_settings *settings, struct rp_model_list *list)
{
    int ret;
    struct rp_detector *const d = *out = calloc(1, sizeof(*d));

    if (!d)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    RP_TRY(open_parts(d, pool, settings, list));
    set_limits(d, rp_settings_get(settings, &rp_detector_group));
    return 0;

fail:
    rp_detector_close(out);
    return ret;
}

void rp_detector_close(struct rp_detector **detector)
{
    free(*detector); /* the models are the pool's */
    *detector = NULL;
}

bool rp_detector_gives_points(const struct rp_detector *detector)
{
    return detector->part[0].facts->points;
}

/* ---- part of one slot ------------------------------------------------------------------------ */

/* Turns about the middle, so that pixels fall on pixels, then adds the margins. FaceFusion turns
 * about a point half a pixel off, which moves the picture by one pixel; detectors are sensitive to
 * that: faces move by pixels. */
static void place_frame(struct rp_affine *a, int angle, int w, int h, const int margin[4])
{
    const double c = angle == 0 ? 1 : angle == 180 ? -1 : 0;
    const double s = angle == 90 ? 1 : angle == 270 ? -1 : 0;
    const double x = angle == 180 ? w - 1 : angle == 270 ? h - 1 : 0;
    const double y = angle == 90 ? w - 1 : angle == 180 ? h - 1 : 0;

    *a = (struct rp_affine){.m = {c, s, x + margin[3], -s, c, y + margin[0]}};
    /* Its inverse is its transpose. */
    a->inv[0] = a->inv[4] = c;
    a->inv[1] = -s;
    a->inv[3] = s;
    a->inv[2] = -(c * a->m[2] - s * a->m[5]);
    a->inv[5] = -(s * a->m[2] + c * a->m[5]);
}

/* FaceFusion's rule: shrink to fit, never enlarge, keep the aspect ratio; the ratios are those
 * after truncation. */
static int fit_view(struct rp_detection *dn, struct view *v, int w, int h)
{
    const struct rp_detector *const d = dn->shared;
    int small_w = w, small_h = h;

    if (d->part[0].facts->stretch) {
        small_w = d->w;
        small_h = d->h;
    } else if (h > d->h || w > d->w) {
        const double sy = (double) d->h / h, sx = (double) d->w / w;
        const double scale = RP_MIN(sx, sy);

        small_w = RP_MAX((int) (w * scale), 1);
        small_h = RP_MAX((int) (h * scale), 1);
    }
    v->ratio_x = (double) w / small_w;
    v->ratio_y = (double) h / small_h;
    if (small_w == w && small_h == h)
        return 0;
    return rp_slot_image(dn->slot, small_w, small_h, 3, &v->small);
}

static int make_view(struct rp_detection *dn, struct view *v, int angle)
{
    int margin[4];
    struct rp_affine place;
    const int w = angle % 180 ? dn->h : dn->w, h = angle % 180 ? dn->w : dn->h;

    for (int i = 0; i < 4; i++) /* 100 percent is half a frame more */
        margin[i] = (int) ((i % 2 ? w : h) * (0.5 / 100 * dn->shared->margin[i]));
    const int placed_w = w + margin[1] + margin[3], placed_h = h + margin[0] + margin[2];

    v->angle = angle;
    v->shift_x = (float) margin[3];
    v->shift_y = (float) margin[0];
    if (angle || placed_w > w || placed_h > h) {
        place_frame(&place, angle, dn->w, dn->h, margin);
        RP_CHECK(rp_slot_constant(dn->slot, &place, sizeof(place), (void **) &v->place));
        RP_CHECK(rp_slot_image(dn->slot, placed_w, placed_h, 3, &v->placed));
    }
    return fit_view(dn, v, placed_w, placed_h);
}

/* Rows of the first output, where the decoder does not know them from the input's size. */
static int rows_of(const struct facts *f, const struct rp_tensor *t)
{
    if (t->rank != 3)
        return 0;
    return (int) t->dim[f->decoder == RP_DECODE_YOLO ? 2 : 1];
}

/* How many numbers the decoder reads from an output. */
static size_t numbers_of(const struct rp_detector *d, const struct facts *f,
                         const struct rp_net *net, int output)
{
    const bool strides = f->decoder == RP_DECODE_RETINAFACE || f->decoder == RP_DECODE_YUNET;
    const int stride = 8 << output % 3, anchors = f->decoder == RP_DECODE_RETINAFACE ? 2 : 1;
    const size_t rows = strides ? (size_t) (anchors * (d->w / stride) * (d->h / stride))
                                : (size_t) rows_of(f, &net->out[0]);

    return rows * f->each[(strides ? output / 3 : output) & 3];
}

static int bind_part(struct rp_detection *dn, int i)
{
    const struct rp_detector *const d = dn->shared;
    const struct facts *const f = d->part[i].facts;
    const double mean[3] = {f->mean, f->mean, f->mean}, std[3] = {f->std, f->std, f->std};

    RP_CHECK(rp_part_lut(dn->slot, f->div, mean, std, &dn->part[i].lut));
    RP_CHECK(rp_net_open(&dn->part[i].net, dn->slot, d->part[i].model,
                         (const int64_t *const[]){(const int64_t[]){1, 3, d->h, d->w}}));
    for (int k = 0; k < f->outputs; k++)
        RP_CHECK(rp_part_expect(dn->part[i].net, k, RP_TYPE_F32,
                                numbers_of(d, f, dn->part[i].net, k), f->name));
    return 0;
}

int rp_detection_create(struct rp_detection **out, const struct rp_detector *detector,
                        struct rp_slot *slot, int w, int h)
{
    int ret;
    struct rp_detection *const dn = *out = calloc(1, sizeof(*dn));

    if (!dn)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    dn->shared = detector;
    dn->slot = slot;
    dn->w = w;
    dn->h = h;
    RP_TRY(rp_slot_alloc(slot, sizeof(*dn->candidates), (void **) &dn->candidates));
    for (int i = 0; i < detector->views; i++)
        RP_TRY(make_view(dn, &dn->view[i], detector->angle[i]));
    for (int i = 0; i < detector->parts; i++)
        RP_TRY(bind_part(dn, i));
    return 0;

fail:
    rp_detection_destroy(out);
    return ret;
}

void rp_detection_destroy(struct rp_detection **detection)
{
    struct rp_detection *const dn = *detection;

    if (!dn)
        return;
    for (int i = 0; i < MAX_PARTS; i++)
        rp_net_close(&dn->part[i].net);
    free(dn); /* its buffers are the slot's */
    *detection = NULL;
}

/* ---- recording ------------------------------------------------------------------------------- */

/* The frame at one angle, no larger than the input. */
static void record_view(struct rp_detection *dn, const struct view *v, const struct rp_img *frame,
                       struct rp_img *seen)
{
    *seen = *frame;
    if (v->place) {
        RP_OP(dn->slot, warp, .src = *seen, .affine = v->place, .dst = v->placed);
        *seen = v->placed;
    }
    if (v->small.data) {
        RP_OP(dn->slot, resize, .src = *seen, .dst = v->small);
        *seen = v->small;
    }
}

static void record_input(struct rp_detection *dn, int part, const struct rp_img *seen)
{
    const struct rp_detector *const d = dn->shared;

    RP_OP(dn->slot, to_tensor, .src = *seen, .lut = dn->part[part].lut,
                 .dst = dn->part[part].net->in[0].data, .w = d->w, .h = d->h,
                 .rgb = d->part[part].facts->rgb, .step = 1);
}

static void record_decode(struct rp_detection *dn, int part, const struct view *v, bool first)
{
    const struct facts *const f = dn->shared->part[part].facts;
    const struct rp_net *const net = dn->part[part].net;
    struct rp_op_decode op = {
        .decoder = f->decoder,
        .w = dn->shared->w, .h = dn->shared->h,
        .count = rows_of(f, &net->out[0]),
        .threshold = dn->shared->score,
        .ratio_x = v->ratio_x, .ratio_y = v->ratio_y,
        .shift_x = v->shift_x, .shift_y = v->shift_y,
        .angle = v->angle, .frame_w = (float) dn->w, .frame_h = (float) dn->h,
        .first = first, .dst = dn->candidates,
    };

    for (int i = 0; i < f->outputs; i++)
        op.t[i] = net->out[i].data;
    RP_OP_FROM(dn->slot, decode, &op);
}

void rp_detection_record(struct rp_detection *dn, const struct rp_img *frame,
                        struct rp_dfaces *faces)
{
    struct rp_img seen;
    const struct rp_detector *const d = dn->shared;

    for (int v = 0; v < d->views; v++) {
        record_view(dn, &dn->view[v], frame, &seen);
        for (int i = 0; i < d->parts; i++) {
            record_input(dn, i, &seen);
            rp_record_run(dn->part[i].net);
            record_decode(dn, i, &dn->view[v], v == 0 && i == 0);
        }
    }
    RP_OP(dn->slot, nms, .src = dn->candidates, .threshold = d->score, .iou = d->overlap,
                 .dst = faces);
}
