/* Cases for the operations that colour a frame. */
#include "checkgpu.h"

#define RUN(args) cg_run(c, &(args), sizeof(args))

static double area(int w, int h)
{
    return (double) w * h;
}

void check_grey_tensor(struct cg *c)
{
    const int w = cg_size(c, 200, 1920), h = cg_size(c, 200, 1080);
    struct rp_op_grey_tensor a = {.src =
                                      cg_img(c, "src", w, h, c->bench || cg_chance(c, 80) ? 3 : 4),
                                  .w = cg_size(c, 120, 256),
                                  .h = cg_size(c, 120, 256),
                                  .bytes = cg_range(c, 0, 1)};

    if (!c->bench && cg_chance(c, 20)) { /* halved, or as it is */
        const int by = cg_range(c, 1, 2);

        a.w = w / by > 0 ? w / by : 1;
        a.h = h / by > 0 ? h / by : 1;
    }
    a.lut = cg_floats(c, "table", 3 * 256, 0, 1);
    a.dst = cg_floats(c, "tensor", 3 * (size_t) a.w * (size_t) a.h, 0, 1);
    cg_note(c, "%dx%dx%d to %dx%d%s", w, h, a.src.ch, a.w, a.h, a.bytes ? ", bytes" : "");
    c->bytes = area(a.w, a.h) * (4 * 3 + 3 * sizeof(float));
    RUN(a);
}

static void weights(struct cg *c, float *keep, float *blend)
{
    *blend = c->bench || cg_chance(c, 30) ? 1 : cg_chance(c, 10) ? 0 : cg_between(c, 0, 1);
    *keep = 1 - *blend;
}

void check_colour_ab(struct cg *c)
{
    const int w = cg_size(c, 150, 1920), h = cg_size(c, 150, 1080);
    struct rp_op_colour_ab a = {.w = cg_size(c, 60, 256), .h = cg_size(c, 60, 256)};
    struct rp_colour_tables *const t = cg_zeros(c, "tables", sizeof(*t), CG_BYTES);
    const size_t n = 2 * (size_t) a.w * (size_t) a.h;
    const float far = c->bench || cg_chance(c, 70) ? 100.0f : 1e6f;

    rp_colour_tables(t);
    a.tables = t;
    a.src = cg_floats(c, "a and b", n, -far, far);
    cg_storm(c, (float *) a.src, n);
    a.dst = cg_canvas(c, w, h, 3);
    weights(c, &a.keep, &a.blend);
    cg_note(c, "%dx%d to %dx%d, %g", a.w, a.h, w, h, (double) a.blend);
    c->bytes = area(w, h) * 6 + (double) n * sizeof(float);
    RUN(a);
}

void check_colour_rgb(struct cg *c)
{
    const int w = cg_size(c, 150, 1920), h = cg_size(c, 150, 1080);
    struct rp_op_colour_rgb a = {.w = cg_size(c, 60, 256), .h = cg_size(c, 60, 256)};
    struct rp_lab_tables *const t = cg_zeros(c, "tables", sizeof(*t), CG_BYTES);
    const size_t n = 3 * (size_t) a.w * (size_t) a.h;

    rp_lab_tables(t);
    a.tables = t;
    a.src = cg_floats(c, "colours", n, -50, 300);
    cg_storm(c, (float *) a.src, n);
    a.dst = cg_canvas(c, w, h, 3);
    weights(c, &a.keep, &a.blend);
    cg_note(c, "%dx%d to %dx%d, %g", a.w, a.h, w, h, (double) a.blend);
    c->bytes = area(w, h) * 6 + (double) n * sizeof(float);
    RUN(a);
}
