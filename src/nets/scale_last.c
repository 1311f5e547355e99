/* Where a style scales the channels of a convolution's result, the convolution does it itself: it
 * stores the scaled numbers if nobody wants the others, and beside them if somebody does. If only
 * the first channels are of a convolution and the others a copy, both scale their part. Then no
 * step reads them again. For networks of styles (StyleGAN), which have one row. */
#include "nets/lower.h"
#include "ops/net_core.h"

#define CONV(field) RP_NN_AT(net_conv, field)
#define ELT(field) RP_NN_AT(net_eltwise, field)

static int size_of(const struct rp_act *t)
{
    return t->type == RP_ACT_F16 ? 2 : 4;
}

/* The channel of what step s scales at which the result of convolution r begins. */
static int64_t channel(const struct rp_nn_step *r, const struct rp_nn_step *s)
{
    return (rp_nn_fix_at(r, CONV(dst.data))->bytes - rp_nn_fix_at(s, ELT(a.data))->bytes) /
           size_of(&s->args.net_eltwise.a);
}

/* Did convolution r make all channels of what step s scales, or the first or the last of them? */
static bool made(const struct rp_nn_step *r, const struct rp_nn_step *s)
{
    const struct rp_act *const dst = &r->args.net_conv.dst, *const a = &s->args.net_eltwise.a;

    if (r->op != RP_NN_OP_net_conv || r->args.net_conv.shuffle != 1)
        return false;
    const struct rp_nn_fix *const to = rp_nn_fix_at(r, CONV(dst.data));
    const struct rp_nn_fix *const from = rp_nn_fix_at(s, ELT(a.data));
    return to->buffer == from->buffer && dst->n == 1 &&
           (channel(r, s) == 0 || channel(r, s) == a->c - dst->c) && dst->c <= a->c &&
           dst->ld == a->ld && dst->type == a->type && rp_act_pixels(dst) == rp_act_pixels(a);
}

/* The first step to use a buffer, which makes it. */
static int first_user(const struct rp_nn_plan *p, int buffer)
{
    int i = 0;

    while (i < p->nsteps && !rp_nn_uses(&p->step[i], buffer))
        i++;
    return i;
}

/* The convolution before step s, -1: there is none, or what it would scale by is not there yet. */
static int maker(const struct rp_nn_plan *p, int s)
{
    const int by = rp_nn_fix_at(&p->step[s], ELT(b.data))->buffer;
    int r = s - 1;

    while (r >= 0 && !made(&p->step[r], &p->step[s]))
        r--;
    return p->buffer[by].memory == RP_NN_WEIGHTS || first_user(p, by) < r ? r : -1;
}

/* Does only s read what r made, and `other` (or -1) have a part in it? */
static bool is_alone(const struct rp_nn_plan *p, int r, int s, int other)
{
    return rp_nn_only(p, rp_nn_fix_at(&p->step[r], CONV(dst.data))->buffer, r, s, other);
}

/* What convolution r makes is scaled as step s does it, and goes where that one's result is. */
static void scale_conv(struct rp_nn_step *conv, const struct rp_nn_step *s)
{
    struct rp_act *const dst = &conv->args.net_conv.dst;
    struct rp_nn_fix *const made_at = rp_nn_fix_at(conv, CONV(dst.data));
    const struct rp_nn_fix *const to = rp_nn_fix_at(s, ELT(dst.data));
    const struct rp_nn_fix *const by = rp_nn_fix_at(s, ELT(b.data));
    const int64_t at = channel(conv, s);

    *made_at = (struct rp_nn_fix){made_at->at, to->buffer,
                                  to->bytes + at * size_of(&s->args.net_eltwise.dst)};
    dst->type = s->args.net_eltwise.dst.type;
    dst->ld = s->args.net_eltwise.dst.ld;
    rp_nn_add_fix(conv, CONV(post_scale),
                  &(struct rp_nn_fix){0, by->buffer, by->bytes + at * (int64_t) sizeof(float)});
}

/* Step s becomes part of r, all of whose result it scales; false if r has no place for it. */
static bool take(struct rp_nn_plan *p, int r, int s)
{
    struct rp_nn_step *const conv = &p->step[r], *const scale = &p->step[s];
    struct rp_op_net_conv *const a = &conv->args.net_conv;
    struct rp_act to = scale->args.net_eltwise.dst;

    if (conv->nfix + 2 > RP_NN_MAX_FIX || rp_nn_fix_at(conv, CONV(post_scale)))
        return false;
    if (is_alone(p, r, s, -1)) {
        scale_conv(conv, scale);
        return true;
    }
    if (rp_nn_fix_at(conv, CONV(also.to.data)))
        return false;
    to.n = a->dst.n;
    to.h = a->dst.h;
    to.w = a->dst.w;
    a->also = (struct rp_net_also){.to = to};
    rp_nn_add_fix(conv, CONV(also.to.data), rp_nn_fix_at(scale, ELT(dst.data)));
    rp_nn_add_fix(conv, CONV(also.scale), rp_nn_fix_at(scale, ELT(b.data)));
    return true;
}

/* ---- a convolution and a copy ---------------------------------------------------------------- */

/* A copy of `count` channels of each pixel, from tensor to tensor of one kind. */
static bool copies(const struct rp_nn_step *k, const struct rp_act *to, int count)
{
    const struct rp_op_net_copy *const c = &k->args.net_copy;
    const int x = RP_NET_AXES - 2, y = RP_NET_AXES - 1;

    if (k->op != RP_NN_OP_net_copy)
        return false;
    for (int i = 0; i < x; i++)
        if (c->size[i] != 1)
            return false;
    return c->src_type == to->type && c->dst_type == to->type && c->zeros == 0 &&
           c->size[x] == rp_act_pixels(to) && c->size[y] == count && c->src_step[y] == 1 &&
           c->dst_step[y] == 1 && c->dst_step[x] == to->ld && c->src_step[x] % 8 == 0 &&
           c->src_step[x] <= INT32_MAX;
}

/* The copy that makes what convolution r does not of the tensor that s scales, from channel `first`
 * on; -1: there is none. */
static int rest(const struct rp_nn_plan *p, int r, int s, int first, int count)
{
    const struct rp_act *const a = &p->step[s].args.net_eltwise.a;
    const struct rp_nn_fix *const from = rp_nn_fix_at(&p->step[s], ELT(a.data));

    for (int i = s - 1; i >= 0; i--) {
        const struct rp_nn_fix *const to = rp_nn_fix_at(&p->step[i], RP_NN_AT(net_copy, dst));

        if (i != r && copies(&p->step[i], a, count) && to->buffer == from->buffer &&
            to->bytes == from->bytes + (int64_t) first * size_of(a))
            return i;
    }
    return -1;
}

/* Copy k scales what it copies, to channels `first` on of step s's result. */
static void scale_copy(struct rp_nn_step *k, const struct rp_nn_step *s, int first, int count)
{
    const struct rp_op_net_copy c = k->args.net_copy;
    const struct rp_nn_fix from = *rp_nn_fix_at(k, RP_NN_AT(net_copy, src));
    const struct rp_nn_fix *const to = rp_nn_fix_at(s, ELT(dst.data));
    const struct rp_nn_fix *const by = rp_nn_fix_at(s, ELT(b.data));
    struct rp_op_net_eltwise e = s->args.net_eltwise;

    e.a.c = e.b.c = e.dst.c = count;
    e.a.ld = (int) c.src_step[RP_NET_AXES - 2];
    *k = (struct rp_nn_step){.op = RP_NN_OP_net_eltwise};
    k->args.net_eltwise = e;
    rp_nn_add_fix(k, ELT(a.data), &from);
    rp_nn_add_fix(k, ELT(b.data),
                  &(struct rp_nn_fix){0, by->buffer, by->bytes + first * (int64_t) sizeof(float)});
    rp_nn_add_fix(
        k, ELT(dst.data),
        &(struct rp_nn_fix){0, to->buffer, to->bytes + (int64_t) first * size_of(&e.dst)});
}

/* Step s becomes part of convolution r and of the copy beside it. */
static bool take_parts(struct rp_nn_plan *p, int r, int s)
{
    struct rp_nn_step *const conv = &p->step[r];
    const int mine = conv->args.net_conv.dst.c, all = p->step[s].args.net_eltwise.a.c;
    const int first = channel(conv, &p->step[s]) ? 0 : mine, count = all - mine;
    const int k = mine % 8 || count % 8 ? -1 : rest(p, r, s, first, count);
    const int by = rp_nn_fix_at(&p->step[s], ELT(b.data))->buffer;

    if (k < 0 || !is_alone(p, r, s, k) || rp_nn_fix_at(conv, CONV(post_scale)) ||
        conv->nfix + 1 > RP_NN_MAX_FIX ||
        (p->buffer[by].memory != RP_NN_WEIGHTS && first_user(p, by) >= k))
        return false;
    scale_copy(&p->step[k], &p->step[s], first, count);
    scale_conv(conv, &p->step[s]);
    return true;
}

void rp_nn_scale_last(struct rp_nn_plan *p)
{
    for (int s = 1; s < p->nsteps; s++) {
        const int r = rp_nn_scales(&p->step[s]) ? maker(p, s) : -1;

        if (r < 0 || !(p->step[r].args.net_conv.dst.c == p->step[s].args.net_eltwise.a.c
                           ? take(p, r, s)
                           : take_parts(p, r, s)))
            continue;
        rp_nn_remove_step(p, s--);
    }
}
