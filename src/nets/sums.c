/* Sums of sums: where a tensor is added to another one that was enlarged (nearest), as hourglasses
 * do at every size, the sum reads the small one; and where that tensor is a sum of its own, which
 * nobody else reads, one step adds all three. */
#include "nets/lower.h"
#include "ops/net_core.h"

#define ELT(field) RP_NN_AT(net_eltwise, field)
#define RESIZE(field) RP_NN_AT(net_resize, field)

static bool same(const struct rp_act *a, const struct rp_act *b)
{
    return a->type == b->type && a->c == b->c && rp_act_pixels(a) == rp_act_pixels(b);
}

/* The sum of two tensors of dst's sizes, or of one and nothing yet. */
static bool adds(const struct rp_nn_step *s)
{
    const struct rp_op_net_eltwise *const e = &s->args.net_eltwise;

    return s->op == RP_NN_OP_net_eltwise && e->op == RP_ELT_ADD && rp_nn_fix_at(s, ELT(b.data)) &&
           e->a.c == e->dst.c && e->b.c == e->dst.c &&
           rp_act_pixels(&e->a) == rp_act_pixels(&e->dst) &&
           rp_act_pixels(&e->b) == rp_act_pixels(&e->dst) && !rp_nn_fix_at(s, ELT(low.data));
}

/* Does pixel y of `to` come from pixel y / (to / from)? */
static bool is_nearest(const struct rp_op_net_resize *r, int from, int to, float scale)
{
    if (to % from != 0)
        return false;
    for (int y = 0; y < to; y++)
        if (rp_resize_nearest(rp_resize_from(y, from, to, scale, r->coordinates), from,
                              r->nearest) != y / (to / from))
            return false;
    return true;
}

static bool enlarges(const struct rp_nn_step *s)
{
    const struct rp_op_net_resize *const r = &s->args.net_resize;

    return s->op == RP_NN_OP_net_resize && r->mode == RP_RESIZE_NEAREST &&
           r->src.type == r->dst.type && r->dst.h % r->src.h == 0 &&
           r->dst.h / r->src.h * r->src.w == r->dst.w &&
           is_nearest(r, r->src.h, r->dst.h, r->scale_h) &&
           is_nearest(r, r->src.w, r->dst.w, r->scale_w);
}

/* The step before s that made what its argument reads, which is for s alone; -1: there is none. */
static int source(const struct rp_nn_plan *p, int s, size_t at, const struct rp_act *read)
{
    const struct rp_nn_fix *const from =
        rp_nn_fix_at(&p->step[s], at + offsetof(struct rp_act, data));

    for (int i = s - 1; i >= 0; i--) {
        const struct rp_nn_step *const m = &p->step[i];
        const bool sum = adds(m);
        const struct rp_nn_fix *const to = rp_nn_fix_at(m, sum ? ELT(dst.data) : RESIZE(dst.data));

        if ((!sum && !enlarges(m)) || to->buffer != from->buffer || to->bytes != from->bytes ||
            !same(sum ? &m->args.net_eltwise.dst : &m->args.net_resize.dst, read))
            continue;
        return rp_nn_only(p, from->buffer, i, s, -1) ? i : -1;
    }
    return -1;
}

static void point(struct rp_nn_step *s, size_t at, const struct rp_nn_fix *from)
{
    struct rp_nn_fix *const f = rp_nn_fix_at(s, at);

    if (f)
        *f = (struct rp_nn_fix){at, from->buffer, from->bytes};
    else
        rp_nn_add_fix(s, at, from);
}

static void shape(struct rp_act *t, const struct rp_act *like)
{
    t->n = like->n;
    t->h = like->h;
    t->w = like->w;
}

/* Sum s, of which one argument was enlarged by step r, reads what that one read. The other argument
 * is its `a` then. */
static void take_low(struct rp_nn_plan *p, int r, int s, bool first)
{
    struct rp_nn_step *const sum = &p->step[s];
    struct rp_op_net_eltwise *const e = &sum->args.net_eltwise;
    const struct rp_op_net_resize *const a = &p->step[r].args.net_resize;
    const struct rp_nn_fix low = *rp_nn_fix_at(&p->step[r], RESIZE(src.data));
    struct rp_nn_fix *const free_now = rp_nn_fix_at(sum, ELT(b.data));

    if (first) {
        e->a = e->b;
        point(sum, ELT(a.data), free_now);
    }
    e->low = a->src;
    *free_now = (struct rp_nn_fix){ELT(low.data), low.buffer, low.bytes};
    e->op = RP_ELT_FIRST;
    e->b = (struct rp_act){0};
    shape(&e->a, &a->dst);
    shape(&e->dst, &a->dst);
    if (rp_nn_fix_at(sum, ELT(also.to.data)))
        shape(&e->also.to, &a->dst);
}

/* Step s adds the two that step m added. */
static void take_sum(struct rp_nn_plan *p, int m, int s)
{
    const struct rp_nn_step *const before = &p->step[m];
    struct rp_nn_step *const sum = &p->step[s];
    struct rp_op_net_eltwise *const e = &sum->args.net_eltwise;
    const struct rp_act like = e->dst;

    e->op = RP_ELT_ADD;
    e->turned = before->args.net_eltwise.turned;
    e->a = before->args.net_eltwise.a;
    e->b = before->args.net_eltwise.b;
    shape(&e->a, &like);
    shape(&e->b, &like);
    point(sum, ELT(a.data), rp_nn_fix_at(before, ELT(a.data)));
    point(sum, ELT(b.data), rp_nn_fix_at(before, ELT(b.data)));
}

/* A sum of float32 with nothing behind it: nothing is rounded if it is never stored. */
static bool is_bare(const struct rp_nn_step *s)
{
    const struct rp_op_net_eltwise *const e = &s->args.net_eltwise;

    return adds(s) && e->then.fn == RP_FN_NONE && e->then.gain == 0 && e->dst.type == RP_ACT_F32 &&
           !rp_nn_fix_at(s, ELT(also.to.data));
}

void rp_nn_join_sums(struct rp_nn_plan *p)
{
    for (int s = 1; s < p->nsteps; s++) {
        struct rp_op_net_eltwise *const e = &p->step[s].args.net_eltwise;

        if (!adds(&p->step[s]))
            continue;
        const int one = source(p, s, ELT(a), &e->a), other = source(p, s, ELT(b), &e->b);
        const bool first = one >= 0 && enlarges(&p->step[one]);
        const int r = first ? one : other, m = first ? other : one;

        if (r < 0 || !enlarges(&p->step[r]))
            continue;
        take_low(p, r, s, first);
        if (m >= 0 && is_bare(&p->step[m]) && p->step[s].nfix < RP_NN_MAX_FIX) {
            take_sum(p, m, s);
            rp_nn_remove_step(p, RP_MAX(m, r));
            rp_nn_remove_step(p, RP_MIN(m, r));
            s -= 2;
        } else {
            rp_nn_remove_step(p, r);
            s--;
        }
    }
}
