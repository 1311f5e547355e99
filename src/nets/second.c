/* A step that only scales, shifts and bends each number of a tensor, or rounds it, becomes a second
 * result of the sum, pool or normalisation that made the tensor, which needs no other launch and
 * does not read it again. (Of a convolution fuse.c makes them: there it also decides what is
 * stored.) */
#include "nets/lower.h"
#include "ops/net_core.h"

#define CONV(field) RP_NN_AT(net_conv, field)
#define ELT(field) RP_NN_AT(net_eltwise, field)

/* A depthwise convolution of one tap, in float32, with no more than a bias and a function. */
static bool is_affine(struct rp_nn_step *s)
{
    static const size_t none[] = {CONV(in_scale), CONV(out_scale), CONV(post_scale), CONV(add.data),
                                  CONV(also.to.data)};
    const struct rp_op_net_conv *const a = &s->args.net_conv;

    if (s->op != RP_NN_OP_net_conv || a->src.type != RP_ACT_F32 || a->kh != 1 || a->kw != 1 ||
        a->stride_h != 1 || a->stride_w != 1 || a->pad_top || a->pad_left || a->up != 1 ||
        a->shuffle != 1 || a->src.h != a->dst.h || a->src.w != a->dst.w ||
        !rp_conv_is_depthwise(rp_conv_out(a), a->src.c, a->groups))
        return false;
    for (size_t i = 0; i < RP_ARRAY_LEN(none); i++)
        if (rp_nn_fix_at(s, none[i]))
            return false;
    return true;
}

/* A function of each number, or none. */
static bool is_plain(struct rp_nn_step *s)
{
    const struct rp_op_net_eltwise *const e = &s->args.net_eltwise;

    return s->op == RP_NN_OP_net_eltwise && e->op == RP_ELT_FIRST && e->a.type == RP_ACT_F32 &&
           e->a.n == e->dst.n && e->a.h == e->dst.h && e->a.w == e->dst.w && e->a.c == e->dst.c &&
           !rp_nn_fix_at(s, ELT(also.to.data));
}

/* What such a step reads and writes, and where its arguments have that. */
struct second {
    const struct rp_act *src, *dst;
    const struct rp_net_then *then;
    size_t src_at, dst_at, slope_at, scale_at, shift_at; /* the last two: 0, none */
};

static bool is_second(struct rp_nn_step *s, struct second *out)
{
    const struct rp_op_net_conv *const a = &s->args.net_conv;
    const struct rp_op_net_eltwise *const e = &s->args.net_eltwise;

    if (is_affine(s))
        *out = (struct second){&a->src,        &a->dst,          &a->then,      CONV(src.data),
                               CONV(dst.data), CONV(then.slope), CONV(weights), CONV(bias)};
    else if (is_plain(s))
        *out = (struct second){.src = &e->a,
                               .dst = &e->dst,
                               .then = &e->then,
                               .src_at = ELT(a.data),
                               .dst_at = ELT(dst.data),
                               .slope_at = ELT(then.slope)};
    else
        return false;
    return true;
}

/* What of a step may have a second result. */
struct maker {
    const struct rp_act *dst;
    size_t dst_at, also_at;
};

static bool makes(const struct rp_nn_step *s, struct maker *m)
{
    if (s->op == RP_NN_OP_net_eltwise)
        *m = (struct maker){&s->args.net_eltwise.dst, RP_NN_AT(net_eltwise, dst.data),
                            RP_NN_AT(net_eltwise, also)};
    else if (s->op == RP_NN_OP_net_norm)
        *m = (struct maker){&s->args.net_norm.dst, RP_NN_AT(net_norm, dst.data),
                            RP_NN_AT(net_norm, also)};
    else if (s->op == RP_NN_OP_net_pool)
        *m = (struct maker){&s->args.net_pool.dst, RP_NN_AT(net_pool, dst.data),
                            RP_NN_AT(net_pool, also)};
    else
        return false;
    return true;
}

/* Did step s make all of what the other one reads, which lies as it was made? */
static bool made(struct rp_nn_step *s, struct rp_nn_step *other, const struct second *second,
                 struct maker *m)
{
    const struct rp_act *const src = second->src;
    const struct rp_nn_fix *const from = rp_nn_fix_at(other, second->src_at);

    if (!makes(s, m))
        return false;
    const struct rp_nn_fix *const to = rp_nn_fix_at(s, m->dst_at);
    return to && to->buffer == from->buffer && to->bytes == from->bytes && m->dst->c == src->c &&
           m->dst->ld == src->ld && m->dst->type == src->type &&
           rp_act_pixels(m->dst) == rp_act_pixels(src) &&
           !rp_nn_fix_at(s, m->also_at + offsetof(struct rp_net_also, to.data));
}

static void move_fix(struct rp_nn_step *from, size_t at, struct rp_nn_step *to, size_t to_at)
{
    const struct rp_nn_fix *const f = at ? rp_nn_fix_at(from, at) : NULL;

    if (f)
        rp_nn_add_fix(to, to_at, f);
}

/* The other step's constants and result become those of step s. */
static void take(struct rp_nn_step *s, struct rp_nn_step *other, const struct second *second,
                 const struct maker *m)
{
    struct rp_net_also *const also = (struct rp_net_also *) ((char *) &s->args + m->also_at);

    *also = (struct rp_net_also){.to = *second->dst, .then = *second->then};
    also->to.n = m->dst->n;
    also->to.h = m->dst->h;
    also->to.w = m->dst->w;
    move_fix(other, second->dst_at, s, m->also_at + offsetof(struct rp_net_also, to.data));
    move_fix(other, second->scale_at, s, m->also_at + offsetof(struct rp_net_also, scale));
    move_fix(other, second->shift_at, s, m->also_at + offsetof(struct rp_net_also, shift));
    move_fix(other, second->slope_at, s, m->also_at + offsetof(struct rp_net_also, then.slope));
}

/* One of the n steps before it made what it reads, and takes it: nobody between them knows its
 * result. */
static bool is_taken(struct rp_nn_step *s, struct rp_nn_step *before, int n)
{
    struct maker m;
    struct second second;

    if (!is_second(s, &second))
        return false;
    for (int i = n - 1; i >= 0; i--) {
        if (!made(&before[i], s, &second, &m))
            continue;
        if (before[i].nfix + 4 > RP_NN_MAX_FIX)
            return false;
        take(&before[i], s, &second, &m);
        return true;
    }
    return false;
}

void rp_nn_second_results(struct rp_nn_plan *p)
{
    int n = 0;

    for (int i = 0; i < p->nsteps; i++)
        if (!is_taken(&p->step[i], p->step, n)) {
            if (n != i)
                p->step[n] = p->step[i];
            n++;
        }
    p->nsteps = n;
}
