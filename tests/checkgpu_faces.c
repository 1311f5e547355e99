/* Cases for the operations on detector output, faces and verdicts. */
#include "checkgpu.h"

#include <math.h>

#define RUN(args) cg_run(c, &(args), sizeof(args))

/* ---- faces ----------------------------------------------------------------------------------- */

static void fill_face(struct cg *c, struct rp_dface *f)
{
    float *const v = (float *) f;

    for (size_t i = 0; i < offsetof(struct rp_dface, angle) / sizeof(*v); i++)
        v[i] = cg_between(c, 0, 300);
    f->score = cg_between(c, 0, 1);
    f->landmark_score = cg_between(c, 0, 1);
    f->angle = 90 * cg_range(c, 0, 3);
    f->gender = cg_range(c, 0, 2);
    f->race = cg_range(c, 0, 7);
    f->age_from = cg_range(c, 0, 80);
    f->age_to = f->age_from + cg_range(c, 0, 20);
    f->has = cg_rand(c) & 0xff;
    f->origin = cg_range(c, 0, 1);
}

static struct rp_dface *one_face(struct cg *c, const char *name)
{
    struct rp_dface *const f = cg_zeros(c, name, sizeof(*f), CG_FACES);

    fill_face(c, f);
    return f;
}

/* count: mostly few, at times out of range. */
static struct rp_dfaces *all_faces(struct cg *c, const char *name)
{
    struct rp_dfaces *const f = cg_zeros(c, name, sizeof(*f), CG_FACES);

    f->count = c->bench           ? 3
               : cg_chance(c, 70) ? cg_range(c, 0, 9)
                                  : cg_range(c, -2, RP_MAX_FACES + 3);
    f->overflow = cg_range(c, 0, 1);
    for (int i = 0; i < RP_CLAMP(f->count + 2, 0, RP_MAX_FACES); i++)
        fill_face(c, &f->face[i]);
    return f;
}

static int32_t *an_index(struct cg *c, int count)
{
    int32_t *const i = cg_zeros(c, "index", sizeof(*i), CG_BYTES);

    *i = cg_chance(c, 80) && count > 0 ? cg_range(c, 0, count - 1)
                                       : cg_range(c, -2, RP_MAX_FACES + 2);
    return i;
}

void check_face_load(struct cg *c)
{
    struct rp_op_face_load a = {.faces = all_faces(c, "faces"), .cur = one_face(c, "cur")};

    a.index = an_index(c, a.faces->count);
    cg_note(c, "%d of %d", *a.index, a.faces->count);
    c->bytes = 2 * sizeof(*a.cur);
    RUN(a);
}

void check_face_store(struct cg *c)
{
    struct rp_op_face_store a = {.faces = all_faces(c, "faces"), .cur = one_face(c, "cur")};

    a.index = an_index(c, a.faces->count);
    cg_note(c, "%d of %d", *a.index, a.faces->count);
    c->bytes = 2 * sizeof(*a.cur);
    RUN(a);
}

void check_face_scale(struct cg *c)
{
    struct rp_op_face_scale a = {.src = all_faces(c, "faces"), .dst = all_faces(c, "scaled")};

    a.x = cg_chance(c, 70) ? (float) (1 << cg_range(c, 0, 3)) : cg_between(c, 0, 9);
    a.y = cg_chance(c, 70) ? a.x : cg_between(c, 0, 9);
    cg_note(c, "%d times %g %g", a.src->count, (double) a.x, (double) a.y);
    c->bytes = 2.0 * 3 * sizeof(struct rp_dface);
    RUN(a);
}

void check_face_pick(struct cg *c)
{
    struct rp_op_face_pick a = {.faces = all_faces(c, "faces"), .cur = one_face(c, "cur")};
    struct rp_selection *const s = cg_zeros(c, "selection", sizeof(*s), CG_BYTES);

    s->count = cg_chance(c, 80) ? RP_CLAMP(a.faces->count, 0, RP_MAX_FACES)
                                : cg_range(c, -2, RP_MAX_FACES + 2);
    for (int i = 0; i < RP_MAX_FACES; i++)
        s->index[i] = cg_chance(c, 90) && a.faces->count > 0 ? cg_range(c, 0, a.faces->count - 1)
                                                             : cg_range(c, -2, RP_MAX_FACES + 2);
    a.selection = s;
    a.index = an_index(c, s->count);
    cg_note(c, "%d of %d of %d", *a.index, s->count, a.faces->count);
    c->bytes = 2 * sizeof(*a.cur);
    RUN(a);
}

/* Some of them near to some of the references. */
void check_map_faces(struct cg *c)
{
    struct rp_dfaces *const faces = all_faces(c, "faces");
    struct rp_selection *const s = cg_zeros(c, "selection", sizeof(*s), CG_BYTES);
    struct rp_references *const r = cg_zeros(c, "references", sizeof(*r), CG_BYTES);
    const int known = RP_CLAMP(faces->count, 1, RP_MAX_FACES);
    struct rp_op_map_faces a = {.faces = faces, .selection = s, .references = r};

    s->count = cg_chance(c, 80) ? known : cg_range(c, -2, RP_MAX_FACES + 2);
    for (int i = 0; i < RP_MAX_FACES; i++)
        s->index[i] =
            cg_chance(c, 90) ? cg_range(c, 0, known - 1) : cg_range(c, -2, RP_MAX_FACES + 2);
    for (int i = 0; i < RP_MAX_FACES; i++)
        for (int k = 0; k < 512; k++)
            faces->face[i].embedding_norm[k] = cg_between(c, -0.07f, 0.07f);
    r->count = c->bench || cg_chance(c, 70) ? cg_range(c, 1, 6)
                                            : cg_range(c, -2, RP_MAX_REFERENCES + 2);
    for (int i = 0; i < RP_MAX_REFERENCES; i++) {
        const float *const like = faces->face[cg_range(c, 0, known - 1)].embedding_norm;

        for (int k = 0; k < 512; k++)
            r->embedding_norm[i][k] = like[k] + cg_between(c, -0.1f, 0.1f) * (float) (i & 1);
    }
    cg_storm(c, faces->face[0].embedding_norm, 512);
    a.distance = cg_chance(c, 50) ? 0.3f : cg_between(c, 0, 1);
    a.other = cg_chance(c, 50) ? -1 : cg_range(c, -1, 70);
    a.dst = cg_zeros(c, "dst", sizeof(*a.dst), CG_BYTES);
    cg_note(c, "%d of %d faces, %d references, distance %g, other %d", s->count, faces->count,
            r->count, a.distance, a.other);
    c->bytes = 4.0 * 512 * (known + r->count);
    RUN(a);
}

void check_source_mix(struct cg *c)
{
    const int n = cg_chance(c, 60) || c->bench ? 512 : cg_size(c, 4000, 512);
    struct rp_op_source_mix a = {.rows = cg_range(c, 1, 5), .n = n, .copies = cg_range(c, 1, 4)};

    a.sources = cg_floats(c, "sources", (size_t) a.rows * (size_t) n, -3, 3);
    if (cg_chance(c, 60)) {
        struct rp_face_map *const map = cg_zeros(c, "map", sizeof(*map), CG_BYTES);

        map->chosen.count = cg_chance(c, 80) ? 9 : cg_range(c, -2, RP_MAX_FACES + 2);
        for (int i = 0; i < RP_MAX_FACES; i++)
            map->source[i] = cg_chance(c, 90) ? cg_range(c, 0, a.rows - 1) : cg_range(c, -2, 9);
        a.map = map;
        a.index = an_index(c, 9);
    }
    if (n == 512 && cg_chance(c, 70)) {
        struct rp_dface *const face = one_face(c, "face");

        cg_storm(c, face->embedding, 1024);
        a.face = face;
        a.raw = cg_range(c, 0, 1);
        a.mix = cg_between(c, -0.35f, 0.35f);
    }
    a.dst = cg_floats(c, "dst", (size_t) n * (size_t) a.copies, 0, 1);
    cg_note(c, "%d numbers, %d rows, %d copies, map %d, mix %g", n, a.rows, a.copies, !!a.map,
            a.mix);
    c->bytes = 4.0 * n * (2 + a.copies);
    RUN(a);
}

/* ---- geometry -------------------------------------------------------------------------------- */

void check_align(struct cg *c)
{
    struct rp_dface *const f = one_face(c, "face");
    struct rp_op_align a = {.face = f, .points = cg_range(c, 0, 1), .scale = 1};
    float *const p = a.points ? f->lm5 : f->lm5_68;

    a.template_id = cg_chance(c, 95) ? cg_range(c, 0, RP_TEMPLATE_COUNT - 1)
                                     : cg_range(c, -1, RP_TEMPLATE_COUNT);
    a.w = c->bench ? 128 : cg_range(c, 1, 1200);
    a.h = cg_chance(c, 80) ? a.w : cg_range(c, 1, 1200);
    if (cg_chance(c, 30))
        a.scale = cg_between(c, 0.5f, 1.5f);
    if (c->bench || cg_chance(c, 70)) { /* a face: the template, turned, scaled, a little off */
        const int id = RP_CLAMP(a.template_id, 0, RP_TEMPLATE_COUNT - 1);
        const float turn = cg_between(c, -3.1f, 3.1f), size = cg_between(c, 5, 900);
        const float off = c->bench ? 0.02f : cg_chance(c, 70) ? 0.05f : 1.0f;

        for (int i = 0; i < 5; i++) {
            const float x = rp_templates[id][i][0] + cg_between(c, -off, off);
            const float y = rp_templates[id][i][1] + cg_between(c, -off, off);

            p[2 * i] = 400 + size * (cosf(turn) * x - sinf(turn) * y);
            p[2 * i + 1] = 300 + size * (sinf(turn) * x + cosf(turn) * y);
        }
    } else if (cg_chance(c, 40)) { /* all or some in one place */
        const int from = cg_range(c, 0, 4);

        for (int i = from; i < 5; i++) {
            p[2 * i] = p[0];
            p[2 * i + 1] = p[1];
        }
    }
    if (cg_chance(c, 10))
        p[cg_range(c, 0, 9)] = cg_odd_float(c);
    a.dst = cg_zeros(c, "dst", sizeof(*a.dst), CG_DOUBLES);
    cg_note(c, "template %d, %dx%d, scale %g, points %d", a.template_id, a.w, a.h, a.scale,
            a.points);
    RUN(a);
}

void check_box_affine(struct cg *c)
{
    struct rp_dface *const f = one_face(c, "face");
    struct rp_op_box_affine a = {
        .face = f, .fit = cg_range(c, 0, 4), .factor = cg_between(c, 0.5f, 2)};

    a.w = cg_range(c, 1, 300);
    a.h = cg_range(c, 1, 300);
    if (cg_chance(c, 90)) {
        f->box[2] = f->box[0] + cg_between(c, 1, 300);
        f->box[3] = f->box[1] + cg_between(c, 1, 300);
    } else if (cg_chance(c, 50)) {
        f->box[2] = f->box[0];
    }
    if (cg_chance(c, 10))
        f->box[cg_range(c, 0, 3)] = cg_odd_float(c);
    if (cg_chance(c, 10))
        f->angle = cg_range(c, -400, 400);
    a.dst = cg_zeros(c, "dst", sizeof(*a.dst), CG_DOUBLES);
    cg_note(c, "fit %d, %dx%d, factor %g, angle %d", a.fit, a.w, a.h, a.factor, f->angle);
    RUN(a);
}

void check_landmark_box(struct cg *c)
{
    struct rp_dface *const f = one_face(c, "face");
    struct rp_affine *const m = cg_zeros(c, "affine", sizeof(*m), CG_DOUBLES);
    struct rp_op_landmark_box a = {
        .face = f, .affine = m, .w = cg_range(c, 1, 300), .h = cg_range(c, 1, 300)};

    for (int i = 0; i < 6; i++)
        m->m[i] = cg_between(c, -2, 2);
    for (int i = 0; i < 136; i++) /* also many in one place, and on both sides of zero */
        f->lm68[i] = cg_chance(c, 50) ? cg_between(c, -400, 400) : 0.0f;
    if (cg_chance(c, 10))
        memset(f->lm68, 0, sizeof(f->lm68));
    if (cg_chance(c, 10))
        m->m[cg_range(c, 0, 5)] = (double) cg_odd_float(c);
    cg_storm(c, f->lm68, 136);
    a.dst = cg_zeros(c, "dst", sizeof(*a.dst), CG_DOUBLES);
    a.back = cg_zeros(c, "back", sizeof(*a.back), CG_DOUBLES);
    cg_note(c, "%dx%d, first point at %g, %g", a.w, a.h, f->lm68[0], f->lm68[1]);
    RUN(a);
}

void check_points_tensor(struct cg *c)
{
    struct rp_dface *const f = one_face(c, "face");
    struct rp_affine *const m = cg_zeros(c, "affine", sizeof(*m), CG_DOUBLES);
    struct rp_op_points_tensor a = {.face = f, .affine = m};

    for (int i = 0; i < 6; i++)
        m->m[i] = cg_between(c, -2, 2);
    if (cg_chance(c, 10))
        m->m[cg_range(c, 0, 5)] = (double) cg_odd_float(c);
    cg_storm(c, f->lm5, 10);
    a.dst = cg_floats(c, "dst", 10, 0, 1);
    cg_note(c, "%s", "five points");
    RUN(a);
}

void check_points_angle(struct cg *c)
{
    struct rp_dface *const f = one_face(c, "face");
    struct rp_op_points_angle a = {.face = f};

    if (cg_chance(c, 50)) /* ties */
        for (int i = 0; i < 10; i++)
            f->lm5[i] = (float) cg_range(c, 0, 4);
    cg_storm(c, f->lm5, 10);
    cg_note(c, "mouth at %g, %g", f->lm5[6], f->lm5[7]);
    RUN(a);
}

/* ---- decode ---------------------------------------------------------------------------------- */

/* Scores: a share of them high, some equal to others. */
static float *scores(struct cg *c, size_t n, size_t step, size_t off, int percent)
{
    float *const v = cg_floats(c, "scores", n * step, 0, 0.3f);
    const bool ties = cg_chance(c, 30);

    for (size_t i = 0; i < n; i++)
        if (cg_chance(c, percent)) {
            float *const s = &v[i * step + off];

            *s = cg_between(c, 0.4f, 1);
            if (ties)
                *s = rintf(*s * 16) / 16;
        }
    cg_storm(c, v, n * step);
    return v;
}

static float *numbers(struct cg *c, size_t n, float lo, float hi)
{
    float *const v = cg_floats(c, "tensor", n, lo, hi);

    cg_storm(c, v, n);
    return v;
}

/* Strides 8, 16, 32. */
static int cells(const struct rp_op_decode *a, int k)
{
    return (a->w >> (3 + k)) * (a->h >> (3 + k));
}

static void make_detector(struct cg *c, struct rp_op_decode *a, int percent)
{
    switch (a->decoder) {
    case RP_DECODE_ULTRAFACE:
        a->t[0] = scores(c, (size_t) a->count, 2, 1, percent);
        a->t[1] = numbers(c, 4 * (size_t) a->count, -0.1f, 1.1f);
        break;
    case RP_DECODE_YOLO: {
        float *const t = numbers(c, 20 * (size_t) a->count, 0, 100);

        a->t[0] = t;
        for (int i = 0; i < a->count; i++)
            t[4 * (size_t) a->count + (size_t) i] =
                cg_chance(c, percent) ? cg_between(c, 0.4f, 1) : 0.1f;
        break;
    }
    case RP_DECODE_YUNET:
        for (int k = 0; k < 3; k++) {
            const size_t n = (size_t) cells(a, k);

            a->t[k] = scores(c, n, 1, 0, percent);
            a->t[3 + k] = scores(c, n, 1, 0, 90);
            a->t[6 + k] = numbers(c, 4 * n, -3, 3);
            a->t[9 + k] = numbers(c, 10 * n, -3, 3);
        }
        break;
    default:
        for (int k = 0; k < 3; k++) {
            const size_t n = 2 * (size_t) cells(a, k);

            a->t[k] = scores(c, n, 1, 0, percent);
            a->t[3 + k] = numbers(c, 4 * n, 0, 5);
            a->t[6 + k] = numbers(c, 10 * n, -5, 5);
        }
        break;
    }
}

static void fill_candidates(struct cg *c, struct rp_candidates *d, int n)
{
    for (int i = 0; i < n; i++) {
        struct rp_candidate *const p = &d->c[i];

        for (int k = 0; k < 4; k++)
            p->box[k] = cg_between(c, 0, 200);
        for (int k = 0; k < 10; k++)
            p->lm5[k] = cg_between(c, 0, 200);
        p->score = cg_between(c, 0, 1);
        p->index = i;
        p->angle = 90 * cg_range(c, 0, 3);
    }
}

void check_decode(struct cg *c)
{
    struct rp_op_decode a = {.decoder = c->bench ? RP_DECODE_RETINAFACE : cg_range(c, 0, 3)};
    const bool large = !c->bench && cg_chance(c, 4); /* more rows than fit, or than a stretch has */
    const int percent = c->bench           ? 1
                        : large            ? cg_range(c, 10, 100)
                        : cg_chance(c, 70) ? cg_range(c, 0, 5)
                                           : cg_range(c, 0, 100);

    a.w = c->bench ? 640 : 32 * cg_range(c, 1, large ? 20 : 6);
    a.h = c->bench ? 640 : 32 * cg_range(c, 1, large ? 20 : 6);
    a.count = large ? cg_range(c, 1, 40000) : cg_range(c, 0, 1500);
    a.threshold = cg_between(c, 0.2f, 0.6f);
    if (cg_chance(c, 20))
        a.threshold = rintf(a.threshold * 16) / 16;
    a.ratio_x = cg_between(c, 0.5f, 4);
    a.ratio_y = cg_between(c, 0.5f, 4);
    a.shift_x = cg_chance(c, 50) ? 0 : cg_between(c, 0, 100);
    a.shift_y = cg_chance(c, 50) ? 0 : cg_between(c, 0, 100);
    a.angle = c->bench || cg_chance(c, 50) ? 0 : 90 * cg_range(c, 1, 3);
    a.frame_w = (float) cg_range(c, 1, 2000);
    a.frame_h = (float) cg_range(c, 1, 2000);
    a.first = c->bench || cg_chance(c, 50);
    a.dst = cg_zeros(c, "dst", sizeof(*a.dst), CG_CANDIDATES);
    a.dst->count =
        cg_chance(c, 50) ? cg_range(c, 0, 200) : cg_range(c, -2, RP_MAX_CANDIDATES + 100);
    a.dst->has_landmarks = cg_range(c, 0, 1);
    fill_candidates(c, a.dst, RP_CLAMP(a.dst->count + 9, 0, RP_MAX_CANDIDATES));
    make_detector(c, &a, percent);
    cg_note(c, "decoder %d, %dx%d, %d rows, %d %% pass, first %d, %d stored", a.decoder, a.w, a.h,
            a.count, percent, a.first, a.dst->count);
    c->bytes = 4.0 * 2 * (cells(&a, 0) + cells(&a, 1) + cells(&a, 2));
    RUN(a);
}

void check_nms(struct cg *c)
{
    struct rp_op_nms a = {.threshold = cg_between(c, 0, 0.5f), .iou = cg_between(c, 0.1f, 0.7f)};
    struct rp_candidates *const s = cg_zeros(c, "src", sizeof(*s), CG_CANDIDATES);
    const int clusters = c->bench ? 3 : cg_chance(c, 80) ? cg_range(c, 1, 9) : cg_range(c, 10, 400);
    const bool ties = !c->bench && cg_chance(c, 40), wild = !c->bench && cg_chance(c, 15);

    s->count = c->bench           ? 100
               : cg_chance(c, 80) ? cg_range(c, 0, 300)
                                  : cg_range(c, -2, RP_MAX_CANDIDATES + 200);
    fill_candidates(c, s, RP_CLAMP(s->count, 0, RP_MAX_CANDIDATES));
    for (int i = 0; i < RP_CLAMP(s->count, 0, RP_MAX_CANDIDATES); i++) {
        struct rp_candidate *const p = &s->c[i];
        const int k = cg_range(c, 0, clusters - 1);
        const int column = k % 20, row = k / 20;
        const float x = (float) column * 90, y = (float) row * 90;

        p->box[0] = x + cg_between(c, 0, 20);
        p->box[1] = y + cg_between(c, 0, 20);
        p->box[2] = p->box[0] + cg_between(c, 40, 60);
        p->box[3] = p->box[1] + cg_between(c, 40, 60);
        if (ties) {
            p->score = rintf(p->score * 8) / 8 * (cg_chance(c, 5) ? -0.0f : 1.0f);
            for (int j = 0; j < 4; j++)
                p->box[j] = rintf(p->box[j] / 10) * 10;
        }
        if (wild && cg_chance(c, 10))
            p->index = cg_range(c, -3, 50);
        if (wild && cg_chance(c, 10))
            p->box[cg_range(c, 0, 3)] = cg_chance(c, 30) ? cg_odd_float(c) : cg_between(c, 0, 300);
        if (wild && cg_chance(c, 5))
            p->score = cg_odd_float(c);
    }
    if (ties) { /* so that numbers meet the limits exactly */
        a.threshold = (float) cg_range(c, -1, 4) / 8;
        a.iou = (float) cg_range(c, 0, 4) / 4;
    }
    if (wild && cg_chance(c, 30))
        a.threshold = cg_odd_float(c);
    a.src = s;
    a.dst = all_faces(c, "dst");
    cg_note(c, "%d candidates in %d clusters, iou %g", s->count, clusters, a.iou);
    c->bytes = 64.0 * RP_MAX(s->count, 0);
    RUN(a);
}

/* ---- landmarks ------------------------------------------------------------------------------- */

void check_landmarks(struct cg *c)
{
    struct rp_op_landmarks a = {.kind = c->bench ? RP_LANDMARK_2DFAN4 : cg_range(c, 0, 3),
                                .face = one_face(c, "face")};
    struct rp_affine *const m = cg_zeros(c, "affine", sizeof(*m), CG_DOUBLES);
    const int columns = a.kind == RP_LANDMARK_BOX_68 || a.kind == RP_LANDMARK_FAN_68_5 ? 2 : 3;
    const size_t map = (size_t) 64 * 64;

    for (int i = 0; i < 6; i++)
        m->inv[i] = cg_between(c, -3, 3);
    if (cg_chance(c, 5))
        m->inv[cg_range(c, 0, 5)] = (double) cg_odd_float(c);
    a.affine = m;
    a.w = a.h = c->bench ? 256 : cg_range(c, 1, 512);
    a.t[0] = numbers(c, 68 * (size_t) columns, 0, 1);
    if (a.kind == RP_LANDMARK_2DFAN4) {
        float *const t = numbers(c, 68 * map, 0, 0.5f);

        for (size_t i = 0; i < 68; i++)
            t[i * map + (size_t) cg_range(c, 0, (int) map - 1)] = cg_between(c, 0.3f, 1);
        if (cg_chance(c, 10))
            for (size_t i = 0; i < map; i++)
                t[i] = NAN;
        a.t[1] = t;
        c->bytes = 4.0 * 68 * 64 * 64;
    }
    a.second = !c->bench && cg_chance(c, 30);
    if (a.second && cg_chance(c, 50)) /* near the point where the second wins */
        a.face->landmark_score = cg_between(c, -0.1f, 0.5f);
    cg_note(c, "kind %d, %dx%d, second %d", a.kind, a.w, a.h, a.second);
    RUN(a);
}

void check_face_points(struct cg *c)
{
    struct rp_op_face_points a = {.face = one_face(c, "face"), .threshold = cg_between(c, 0, 1)};

    a.no_detector_points = cg_range(c, 0, 1);
    if (cg_chance(c, 20))
        memset(a.face->lm68, 0, sizeof(a.face->lm68));
    cg_storm(c, a.face->lm68, RP_ARRAY_LEN(a.face->lm68));
    cg_note(c, "threshold %g, no detector points %d", a.threshold, a.no_detector_points);
    RUN(a);
}

/* ---- identity -------------------------------------------------------------------------------- */

void check_embedding(struct cg *c)
{
    struct rp_op_embedding a = {.face = one_face(c, "face")};
    float *const v = cg_floats(c, "src", 512, -3, 3);

    if (cg_chance(c, 10))
        for (int i = 0; i < 512; i++)
            v[i] *= cg_chance(c, 50) ? 1e-30f : 1e30f;
    if (cg_chance(c, 5))
        memset(v, 0, 512 * sizeof(*v));
    cg_storm(c, v, 512);
    a.src = v;
    cg_note(c, "%s", "512 numbers");
    c->bytes = 3 * 512 * sizeof(*v);
    RUN(a);
}

void check_classify(struct cg *c)
{
    struct rp_op_classify a = {.kind = cg_range(c, 0, 2), .face = one_face(c, "face")};

    if (a.kind == RP_CLASSIFY_FAIRFACE) {
        for (int i = 0; i < 3; i++) {
            int64_t *const id = cg_zeros(c, "id", sizeof(*id), CG_BYTES);

            *id = cg_chance(c, 80) ? cg_range(c, 0, 9) : (int64_t) cg_rand(c) * 1000003 - 5000000;
            a.t[i] = id;
        }
    } else {
        for (int i = 0; i < 9; i++)
            a.t[i] = numbers(c, i / 3 == 1 ? 1 : 3, i / 3 == 1 ? -1 : 0, 1);
        if (cg_chance(c, 10))
            *(float *) (uintptr_t) a.t[3] = -1; // NOLINT(performance-no-int-to-ptr): ours
    }
    cg_note(c, "kind %d", a.kind);
    RUN(a);
}

/* ---- selection ------------------------------------------------------------------------------- */

static void unit(struct cg *c, float v[512], const float near[512], float noise)
{
    double sum = 0;

    for (int i = 0; i < 512; i++) {
        v[i] = (near ? near[i] : 0) + noise * cg_between(c, -1, 1);
        sum += (double) v[i] * v[i];
    }
    for (int i = 0; i < 512; i++)
        v[i] = (float) (v[i] / sqrt(sum));
}

void check_select(struct cg *c)
{
    struct rp_dfaces *const f = all_faces(c, "faces");
    struct rp_op_select a = {
        .faces = f, .order = cg_range(c, 0, 7), .distance = cg_between(c, 0, 0.6f)};
    const bool ties = cg_chance(c, 30);

    a.mode = c->bench ? RP_SELECT_REFERENCE : cg_range(c, 0, 3);
    a.held = cg_range(c, 0, 1);
    a.gender = cg_chance(c, 70) ? 0 : cg_range(c, 1, 2);
    a.race = cg_chance(c, 70) ? 0 : cg_range(c, 1, 6);
    a.age_from = cg_chance(c, 60) ? 0 : cg_range(c, 0, 60);
    a.age_to = cg_chance(c, 60) ? 0 : cg_range(c, 1, 100);
    if (a.mode >= RP_SELECT_REFERENCE && (c->bench || cg_chance(c, 90))) {
        struct rp_references *const r = cg_zeros(c, "references", sizeof(*r), CG_BYTES);

        r->count = c->bench           ? 1
                   : cg_chance(c, 80) ? cg_range(c, 0, 3)
                                      : cg_range(c, -1, RP_MAX_REFERENCES + 2);
        for (int i = 0; i < RP_CLAMP(r->count, 0, RP_MAX_REFERENCES); i++)
            unit(c, r->embedding_norm[i], NULL, 1);
        a.references = r;
    }
    for (int i = 0; i < RP_CLAMP(f->count, 0, RP_MAX_FACES); i++) {
        struct rp_dface *const p = &f->face[i];
        const bool meant = a.references && a.references->count > 0 && cg_chance(c, 50);

        p->origin = cg_range(c, 0, 2);
        unit(c, p->embedding_norm, meant ? a.references->embedding_norm[0] : NULL,
             meant ? cg_between(c, 0.01f, 0.2f) : 1);
        if (ties)
            for (int k = 0; k < 4; k++)
                p->box[k] = rintf(p->box[k] / 100) * 100;
        if (cg_chance(c, 1))
            p->box[cg_range(c, 0, 3)] = cg_odd_float(c);
        if (cg_chance(c, 1))
            p->embedding_norm[cg_range(c, 0, 511)] = cg_odd_float(c);
    }
    a.dst = cg_zeros(c, "dst", sizeof(*a.dst), CG_BYTES);
    memset(a.dst, 0x77, sizeof(*a.dst));
    cg_note(c, "mode %d, order %d, gender %d, race %d, age %d to %d, %d faces, %d references",
            a.mode, a.order, a.gender, a.race, a.age_from, a.age_to, f->count,
            a.references ? a.references->count : -1);
    RUN(a);
}

void check_content_vote(struct cg *c)
{
    struct rp_op_content_vote a = {.kind = c->bench ? RP_CONTENT_NSFW_1 : cg_range(c, 0, 3)};
    const int cells = c->bench || cg_chance(c, 50) ? 8400 : cg_range(c, 1, 2000);

    a.row = !c->bench && cg_chance(c, 5) ? cg_range(c, -1, 100000) : cells;
    a.votes = cg_range(c, 0, 2);

    a.n = a.kind == RP_CONTENT_NSFW_1 ? cells * (c->bench ? 5 : cg_range(c, 4, 7)) : cg_range(c, 4, 6);
    if (!c->bench && cg_chance(c, 5))
        a.n = cg_range(c, 0, 4 * cells + 20);
    float *const v = cg_floats(c, "src", (size_t) RP_MAX(a.n, 5), cg_chance(c, 20) ? -30 : 0,
                               cg_chance(c, 20) ? 0.0f : 0.6f);
    if (a.kind == RP_CONTENT_NSFW_1 && a.n > 4 * cells) {
        float *const s = v + (size_t) (4 * cells);
        const int n = a.n - 4 * cells, zeros = cg_chance(c, 20);

        for (int i = 0; i < n && zeros; i++) /* the first zero is kept, with its sign */
            s[i] = cg_chance(c, 50) ? -0.0f : cg_chance(c, 50) ? 0.0f : -1.0f;
        cg_storm(c, s, (size_t) n);
    } else {
        cg_storm(c, v, (size_t) RP_MAX(a.n, 5));
    }
    a.src = v;
    a.dst = cg_zeros(c, "dst", sizeof(*a.dst), CG_VERDICT);
    a.dst->checked = cg_range(c, 0, 99);
    a.dst->positive = cg_range(c, 0, 99);
    a.dst->votes = cg_range(c, 0, 2);
    cg_note(c, "kind %d, %d numbers, row %d, votes %d", a.kind, a.n, a.row, a.votes);
    c->bytes = 4.0 * cells;
    RUN(a);
}

/* ---- rows of a batch ------------------------------------------------------------------------- */

static struct rp_rows *some_rows(struct cg *c, int most)
{
    struct rp_rows *const r = cg_zeros(c, "rows", sizeof(*r), CG_BYTES);

    r->groups = cg_range(c, 0, 9);
    r->group = cg_range(c, -1, 9);
    r->rows = cg_range(c, 0, most);
    r->row = cg_range(c, -1, most + 1);
    r->bucket = cg_range(c, -1, 3);
    return r;
}

void check_rows(struct cg *c)
{
    struct rp_op_rows a = {.step = cg_range(c, 0, 2), .most = cg_range(c, 1, 16)};
    int32_t *const count = cg_zeros(c, "count", sizeof(*count), CG_BYTES);

    *count = cg_range(c, -2, RP_MAX_FACES);
    a.count = count;
    a.at = some_rows(c, a.most);
    a.index = cg_zeros(c, "index", sizeof(*a.index), CG_BYTES);
    cg_note(c, "step %d, %d in groups of %d, group %d", a.step, *count, a.most, a.at->group);
    c->bytes = sizeof(*a.at);
    RUN(a);
}

void check_lockstep(struct cg *c)
{
    struct rp_op_lockstep a = {.step = cg_range(c, 0, 1), .n = cg_range(c, 1, RP_MAX_LANES)};
    int32_t *const live = cg_zeros(c, "live", RP_MAX_LANES * sizeof(*live), CG_BYTES);
    int32_t *const turn = cg_zeros(c, "turn", sizeof(*turn), CG_BYTES);

    for (int i = 0; i < a.n; i++) {
        int32_t *const count = cg_zeros(c, "count", sizeof(*count), CG_BYTES);

        *count = cg_range(c, -1, 5);
        live[i] = cg_chance(c, 70) ? 0 : cg_range(c, -1, 1);
        a.count[i] = count;
        a.index[i] = cg_zeros(c, "index", sizeof(*a.index[i]), CG_BYTES);
    }
    *turn = cg_range(c, 0, 6);
    a.turn = turn;
    a.live = cg_chance(c, 50) ? live : NULL;
    a.most = cg_zeros(c, "most", sizeof(*a.most), CG_BYTES);
    a.go = cg_zeros(c, "go", RP_MAX_LANES * sizeof(*a.go), CG_BYTES);
    cg_note(c, "step %d, %d frames, turn %d%s", a.step, a.n, *turn, a.live ? ", not all live" : "");
    c->bytes = 12.0 * a.n;
    RUN(a);
}

void check_row_copy(struct cg *c)
{
    struct rp_op_row_copy a = {.most = c->bench ? 8 : cg_range(c, 1, 8), .put = cg_range(c, 0, 1)};

    a.bytes = (size_t) (c->bench ? 4 * 3 * 256 * 256 : cg_range(c, 1, 36000));
    if (cg_chance(c, 50))
        a.bytes += -a.bytes % 4;
    const size_t all = a.bytes * (size_t) a.most;
    a.src = cg_bytes(c, "src", a.put ? a.bytes : all, 0);
    a.dst = cg_bytes(c, "dst", a.put ? all : a.bytes, 0);
    a.at = some_rows(c, a.most);
    cg_note(c, "%s row %d of %d, %zu bytes", a.put ? "put" : "get", a.at->row, a.most, a.bytes);
    c->bytes = 2.0 * (double) a.bytes;
    RUN(a);
}
