/* Cases for the operations that cover faces. */
#include "checkgpu.h"

#include "ops/cover_core.h"

#define RUN(args) cg_run(c, &(args), sizeof(args))

/* A face somewhere in or near a frame of w x h, tiny to larger than the frame; now and then one
 * whose box makes no sense. */
static struct rp_dface *face(struct cg *c, int w, int h)
{
    struct rp_dface *const f = cg_zeros(c, "face", sizeof(*f), CG_FACES);
    const float side = cg_chance(c, 20) ? cg_between(c, 0, 6) : cg_between(c, 1, 1.5f * (float) w);

    f->box[0] = cg_between(c, -side, (float) w + side / 4);
    f->box[1] = cg_between(c, -side, (float) h + side / 4);
    f->box[2] = f->box[0] + side;
    f->box[3] = f->box[1] + side * cg_between(c, 0.3f, 2);
    if (c->bench) {
        const float box[] = {800, 400, 990, 650};

        memcpy(f->box, box, sizeof(box));
    }
    if (!c->bench && cg_chance(c, 10))
        for (int i = 0; i < 4; i++)
            f->box[i] = rintf(f->box[i]);
    if (!c->bench && cg_chance(c, 5))
        f->box[cg_range(c, 0, 3)] = cg_odd_float(c);
    f->origin = cg_chance(c, 30) ? RP_FACE_HELD : RP_FACE_FOUND;
    return f;
}

static struct rp_cover cover(struct cg *c)
{
    if (c->bench)
        return (struct rp_cover){0.3f, 0.15f, 8};
    return (struct rp_cover){cg_chance(c, 30) ? 0 : cg_between(c, 0, 1),
                             cg_chance(c, 40) ? 0 : cg_between(c, 0, 1),
                             cg_range(c, 1, cg_chance(c, 95) ? 8 : RP_MAX_CELLS)};
}

void check_cover_cells(struct cg *c)
{
    const int w = cg_size(c, 300, 1920), h = cg_size(c, 300, 1080);
    struct rp_op_cover_cells a = {
        .src = cg_img(c, "frame", w, h, 3), .face = face(c, w, h), .cover = cover(c)};

    a.dst = cg_bytes(c, "cells", 3 * (size_t) a.cover.cells * (size_t) a.cover.cells, 0);
    cg_note(c, "%d cells of %dx%d, box %g %g %g %g", a.cover.cells, w, h, (double) a.face->box[0],
            (double) a.face->box[1], (double) a.face->box[2], (double) a.face->box[3]);
    c->bytes = 3.0 * 380 * 440;
    RUN(a);
}

void check_cover(struct cg *c)
{
    const int w = cg_size(c, 200, 1920), h = cg_size(c, 200, 1080);
    struct rp_op_cover a = {.dst = cg_canvas(c, w, h, 3),
                            .face = face(c, w, h),
                            .cover = cover(c),
                            .mode = c->bench ? RP_COVER_BLUR : cg_range(c, 0, 2)};

    a.cells = cg_bytes(c, "cells", 3 * (size_t) a.cover.cells * (size_t) a.cover.cells, 0);
    for (int i = 0; i < 3; i++)
        a.colour[i] = cg_range(c, 0, 255);
    if (!c->bench && cg_chance(c, 40)) {
        struct rp_affine *const m = cg_zeros(c, "affine", sizeof(*m), CG_DOUBLES);

        a.w = cg_range(c, 1, 80);
        a.h = cg_range(c, 1, 80);
        a.mask = cg_floats(c, "mask", (size_t) a.w * (size_t) a.h, -0.2f, 1.2f);
        cg_storm(c, (float *) a.mask, (size_t) a.w * (size_t) a.h);
        for (int i = 0; i < 6; i++)
            m->m[i] = cg_between(c, -2, 2) + (i % 4 == 0);
        m->m[2] = cg_between(c, -60, 60);
        m->m[5] = cg_between(c, -60, 60);
        if (cg_chance(c, 5))
            m->m[cg_range(c, 0, 5)] = (double) cg_odd_float(c);
        a.affine = m;
    }
    cg_note(c, "mode %d, %d cells on %dx%d, margin %g feather %g, mask %dx%d", a.mode,
            a.cover.cells, w, h, (double) a.cover.margin, (double) a.cover.feather, a.w, a.h);
    c->bytes = 6.0 * 380 * 440;
    RUN(a);
}
