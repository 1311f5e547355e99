/* Cases for colour matching, sharpening and erosion. */
#include "checkgpu.h"

#define RUN(args) cg_run(c, &(args), sizeof(args))

/* A size that a picture of n shrinks to: often by a whole number. */
static int smaller(struct cg *c, int n)
{
    const int by = cg_range(c, 1, 20);

    return cg_chance(c, 50) && n % by == 0 ? n / by : cg_range(c, 1, n);
}

void check_resize_area(struct cg *c)
{
    const int ch = c->bench ? 3 : cg_range(c, 1, 4);
    const int w = cg_size(c, 200, 1536), h = cg_chance(c, 50) ? w : cg_size(c, 200, 1536);
    const int dw = c->bench ? 1024 : smaller(c, w);
    const int dh = c->bench ? 1024 : cg_chance(c, 50) && dw <= h ? dw : smaller(c, h);
    struct rp_op_resize_area a = {.src = cg_img(c, "src", w, h, ch),
                                  .dst = cg_img(c, "dst", dw, dh, ch)};

    cg_note(c, "%dx%dx%d to %dx%d", w, h, ch, dw, dh);
    c->bytes = (double) ch * (w * h + dw * dh);
    RUN(a);
}

void check_colour_gap(struct cg *c)
{
    const int n = cg_size(c, 200, 1024), m = c->bench ? n : cg_range(c, n, n + 100);
    const int size = c->bench ? 16 : smaller(c, n);
    struct rp_op_colour_gap a = {
        .a = cg_img(c, "one", n, m, 3), .b = cg_img(c, "other", m, n, 3), .size = size};

    a.dst = cg_floats(c, "gap", 3 * (size_t) size * (size_t) size, 0, 1);
    cg_note(c, "%dx%d and turned to %d", n, m, size);
    c->bytes = 6.0 * n * m + 12.0 * size * size;
    RUN(a);
}

void check_colour_shift(struct cg *c)
{
    const int w = cg_size(c, 300, 1024), h = cg_size(c, 200, 1024);
    const int size = c->bench ? 352 : cg_range(c, 1, 60);
    struct rp_op_colour_shift a = {.src = cg_img(c, "src", w, h, 3), .size = size};
    const bool dst = cg_chance(c, 70), pixels = !dst || cg_chance(c, 30);

    a.gap = cg_floats(c, "gap", 3 * (size_t) size * (size_t) size, -255, 255);
    if (cg_chance(c, 50)) {
        double *const factor = cg_zeros(c, "factor", sizeof(*factor), CG_DOUBLES);

        *factor = (double) cg_between(c, 0, 1);
        a.factor = factor;
    }
    if (dst)
        a.dst = cg_img(c, "dst", w, h, 3);
    if (pixels)
        a.pixels = cg_floats(c, "pixels", 3 * (size_t) w * (size_t) h, 0, 1);
    cg_note(c, "%dx%d by %d%s%s%s", w, h, size, a.factor ? " mixed" : "", dst ? " to bytes" : "",
            pixels ? " to floats" : "");
    c->bytes = 6.0 * w * h + 12.0 * size * size;
    RUN(a);
}

void check_colour_likeness(struct cg *c)
{
    const int w = cg_size(c, 200, 320), h = cg_size(c, 200, 320);
    struct rp_op_colour_likeness a = {.a = cg_img(c, "one", w, h, 3)};

    a.b = cg_chance(c, 20) ? a.a : cg_img(c, "other", w, h, 3);
    a.work = cg_zeros(c, "work", sizeof(*a.work), CG_BYTES);
    a.dst = cg_zeros(c, "likeness", sizeof(*a.dst), CG_DOUBLES);
    cg_note(c, "%dx%d%s", w, h, a.a.data == a.b.data ? " and itself" : "");
    c->bytes = 6.0 * w * h;
    RUN(a);
}

void check_sharpen(struct cg *c)
{
    const int w = cg_size(c, 400, 320), h = cg_size(c, 200, 320);
    struct rp_op_sharpen a = {.src = cg_img(c, "src", w, h, 3), .dst = cg_img(c, "dst", w, h, 3)};

    cg_note(c, "%dx%d", w, h);
    c->bytes = 6.0 * w * h;
    RUN(a);
}

void check_mask_erode(struct cg *c)
{
    const int w = cg_size(c, 200, 320), h = cg_size(c, 200, 320);
    const size_t n = (size_t) w * (size_t) h;
    struct rp_op_mask_erode a = {.w = w, .h = h};
    float *const one = cg_floats(c, "one", n, -0.2f, 1.2f);

    cg_storm(c, one, n);
    a.a = one;
    a.b = cg_floats(c, "other", n, -0.2f, 1.2f);
    a.dst = cg_floats(c, "dst", n, 0, 1);
    cg_note(c, "%dx%d", w, h);
    c->bytes = 12.0 * (double) n;
    RUN(a);
}

void check_affine_scale(struct cg *c)
{
    struct rp_op_affine_scale a = {.factor = (double) cg_between(c, 0.1f, 5)};
    struct rp_affine *const src = cg_zeros(c, "src", sizeof(*src), CG_DOUBLES);

    for (int i = 0; i < 6; i++) {
        src->m[i] = (double) cg_between(c, -400, 400);
        src->inv[i] = (double) cg_odd_float(c);
    }
    a.src = src;
    a.dst = cg_zeros(c, "dst", sizeof(*a.dst), CG_DOUBLES);
    cg_note(c, "by %g", a.factor);
    RUN(a);
}

void check_age_pair(struct cg *c)
{
    struct rp_op_age_pair a = {.years = (float) cg_range(c, -100, 100)};
    struct rp_dface *const face = cg_zeros(c, "face", sizeof(*face), CG_BYTES);

    face->age_from = cg_range(c, -5, 110);
    face->age_to = cg_range(c, -5, 110);
    a.face = face;
    a.dst = cg_floats(c, "pair", 2, 0, 1);
    cg_note(c, "%d to %d, %g years", face->age_from, face->age_to, (double) a.years);
    RUN(a);
}
