/* Cases for the operations on an upscaler's tiles. */
#include "checkgpu.h"

#include "ops/tile_core.h"

#define RUN(args) cg_run(c, &(args), sizeof(args))

static struct rp_tile_grid grid(struct cg *c, int w)
{
    struct rp_tile_grid g = {.size = 128, .pad = 8, .overlap = 4};

    if (!c->bench) {
        g.overlap = cg_range(c, 0, 5);
        g.size = 2 * g.overlap + cg_range(c, 1, 70);
        g.pad = cg_range(c, 0, 9);
    }
    g.across = rp_tile_count(&g, w);
    return g;
}

/* One of the tiles, or an index just outside. */
static int32_t *tile_index(struct cg *c, const struct rp_tile_grid *g, int h)
{
    int32_t *const i = cg_zeros(c, "index", sizeof(*i), CG_BYTES);
    const int n = g->across * rp_tile_count(g, h);

    *i = c->bench ? g->across + 1 : cg_chance(c, 90) ? cg_range(c, 0, n - 1) : cg_range(c, -2, n + 2);
    return i;
}

void check_tile_cut(struct cg *c)
{
    const int w = cg_size(c, 200, 1920), h = cg_size(c, 200, 1080);
    struct rp_op_tile_cut a = {.src = cg_img(c, "frame", w, h, 3), .grid = grid(c, w)};
    const size_t plane = (size_t) a.grid.size * (size_t) a.grid.size;

    a.index = tile_index(c, &a.grid, h);
    a.lut = cg_floats(c, "table", 3 * 256, 0, 1);
    a.dst = cg_floats(c, "tensor", 3 * plane, 0, 1);
    cg_note(c, "tile %d of %dx%d, %d+%d/%d", *a.index, w, h, a.grid.size, a.grid.pad,
            a.grid.overlap);
    c->bytes = (double) plane * (3 + 3 * sizeof(float));
    RUN(a);
}

void check_tile_put(struct cg *c)
{
    const int w = cg_size(c, 150, 1920), h = cg_size(c, 150, 1080);
    struct rp_op_tile_put a = {.grid = grid(c, w), .scale = c->bench ? 4 : 1 << cg_range(c, 0, 3)};
    const size_t n = (size_t) a.grid.size * (size_t) a.scale;

    a.index = tile_index(c, &a.grid, h);
    a.src = cg_floats(c, "tensor", 3 * n * n, -0.2f, 1.2f);
    cg_storm(c, (float *) a.src, 3 * n * n);
    a.before = cg_img(c, "before", w, h, 3);
    a.dst = cg_canvas(c, w * a.scale, h * a.scale, 3);
    a.blend = c->bench ? 0.8f : cg_between(c, 0, 1);
    a.keep = 1.0f - a.blend;
    cg_note(c, "tile %d of %dx%d times %d, %d+%d/%d", *a.index, w, h, a.scale, a.grid.size,
            a.grid.pad, a.grid.overlap);
    c->bytes = (double) (n * n) * (3 + 3 * sizeof(float));
    RUN(a);
}
