/* Cases for the operations on LivePortrait's points. */
#include "checkgpu.h"

#define RUN(args) cg_run(c, &(args), sizeof(args))
#define POINTS (3 * RP_PORTRAIT_POINTS)

static float *numbers(struct cg *c, const char *name, size_t n, float lo, float hi)
{
    float *const v = cg_floats(c, name, n, lo, hi);

    cg_storm(c, v, n);
    return v;
}

/* Half of the heads are turned further than an edit may turn them. */
static struct rp_motion motion(struct cg *c)
{
    const float angle = cg_chance(c, 50) ? 90 : cg_chance(c, 80) ? 15 : 1e9f;

    return (struct rp_motion){
        .pitch = numbers(c, "pitch", 1, -angle, angle),
        .yaw = numbers(c, "yaw", 1, -angle, angle),
        .roll = numbers(c, "roll", 1, -angle, angle),
        .scale = numbers(c, "scale", 1, 0.5f, 2),
        .translation = numbers(c, "translation", 3, -1, 1),
        .expression = numbers(c, "expression", POINTS, -0.1f, 0.1f),
        .canonical = numbers(c, "canonical", POINTS, -1, 1),
    };
}

void check_portrait_restore(struct cg *c)
{
    struct rp_op_portrait_restore a = {.face = motion(c), .share = cg_between(c, 0, 1.2f)};

    a.wanted = numbers(c, "wanted", POINTS, -0.1f, 0.1f);
    a.keep = cg_chance(c, 20) ? 0 : cg_rand(c);
    a.rest = 1 - a.share;
    a.from = cg_floats(c, "from", POINTS, 0, 1);
    a.to = cg_floats(c, "to", POINTS, 0, 1);
    cg_note(c, "keep %x, share %g", a.keep, a.share);
    c->bytes = 5 * POINTS * sizeof(float);
    RUN(a);
}

void check_portrait_edit(struct cg *c)
{
    struct rp_op_portrait_edit a = {.face = motion(c)};
    double *const move = cg_zeros(c, "move", POINTS * sizeof(*move), CG_DOUBLES);
    struct rp_dface *const face = cg_zeros(c, "points", sizeof(*face), CG_FACES);

    for (int i = 0; i < POINTS; i++)
        move[i] = (double) cg_between(c, -0.06f, 0.06f);
    for (int i = 0; i < 136; i++) /* some in one place */
        face->lm68[i] = cg_chance(c, 80) ? cg_between(c, 0, 500) : (float) cg_range(c, 0, 1);
    cg_storm(c, face->lm68, 136);
    a.move = move;
    a.points = face;
    for (int i = 0; i < 3; i++)
        a.turn[i] = cg_between(c, -60, 60);
    a.eye_wish = cg_range(c, 0, 1) ? 0.6f : 0;
    a.lip_wish = (float) cg_range(c, 0, 1);
    a.from = cg_floats(c, "from", POINTS, 0, 1);
    a.to = cg_floats(c, "to", POINTS, 0, 1);
    if (c->bench || cg_chance(c, 70))
        a.eye = cg_floats(c, "eye", POINTS + 3, 0, 1);
    if (c->bench || cg_chance(c, 70))
        a.lip = cg_floats(c, "lip", POINTS + 2, 0, 1);
    cg_note(c, "turn %g %g %g, eye %d, lip %d", a.turn[0], a.turn[1], a.turn[2], !!a.eye, !!a.lip);
    c->bytes = 8 * POINTS * sizeof(float);
    RUN(a);
}

void check_portrait_add(struct cg *c)
{
    struct rp_op_portrait_add a = {.eye_share = cg_between(c, 0, 1),
                                   .lip_share = cg_between(c, 0, 1)};

    a.points = numbers(c, "points", POINTS, -1, 1);
    if (c->bench || cg_chance(c, 70))
        a.eye = numbers(c, "eye", POINTS, -0.1f, 0.1f);
    if (c->bench || cg_chance(c, 70))
        a.lip = numbers(c, "lip", POINTS, -0.1f, 0.1f);
    cg_note(c, "eye %d, lip %d", !!a.eye, !!a.lip);
    c->bytes = 4 * POINTS * sizeof(float);
    RUN(a);
}
