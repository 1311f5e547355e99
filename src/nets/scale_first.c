/* Scaling the channels of an enlarged tensor (the style before a modulated convolution, StyleGAN)
 * is as right before it is enlarged, where there are fewer numbers to read and write. */
#include "nets/lower.h"
#include "ops/net_core.h"

#define ELT(field) RP_NN_AT(net_eltwise, field)
#define RESIZE(field) RP_NN_AT(net_resize, field)

bool rp_nn_scales(const struct rp_nn_step *s)
{
    const struct rp_op_net_eltwise *const e = &s->args.net_eltwise;

    return s->op == RP_NN_OP_net_eltwise && e->op == RP_ELT_MUL && e->then.fn == RP_FN_NONE &&
           e->then.gain == 0 && rp_nn_fix_at(s, ELT(b.data)) && rp_act_pixels(&e->b) == 1 &&
           e->b.type == RP_ACT_F32 && e->b.c == e->dst.c && e->a.c == e->dst.c &&
           rp_act_pixels(&e->a) == rp_act_pixels(&e->dst) && !rp_nn_fix_at(s, ELT(also.to.data));
}

/* Does step r make, by enlarging one picture, just what step s reads? */
static bool enlarges(const struct rp_nn_step *r, const struct rp_nn_step *s)
{
    const struct rp_op_net_resize *const a = &r->args.net_resize;
    const struct rp_act *const to = &s->args.net_eltwise.a, *const end = &s->args.net_eltwise.dst;

    if (r->op != RP_NN_OP_net_resize || a->src.n != 1 ||
        2 * rp_act_pixels(&a->src) > rp_act_pixels(&a->dst))
        return false;
    const struct rp_nn_fix *const made = rp_nn_fix_at(r, RESIZE(dst.data));
    const struct rp_nn_fix *const read = rp_nn_fix_at(s, ELT(a.data));

    return made->buffer == read->buffer && made->bytes == 0 && read->bytes == 0 &&
           a->dst.c == to->c && a->dst.ld == to->ld && a->dst.type == to->type &&
           end->type == to->type && rp_act_pixels(&a->dst) == rp_act_pixels(to);
}

/* r, which enlarges, and s, which scales, change places; the memory that was between them holds the
 * small tensor now. Both are done where s was: what it scales by may not be there before. */
static void change(struct rp_nn_plan *p, int r, int s)
{
    struct rp_nn_step enlarge = p->step[r], scale = p->step[s];
    struct rp_op_net_eltwise *const e = &scale.args.net_eltwise;
    struct rp_op_net_resize *const a = &enlarge.args.net_resize;
    struct rp_nn_fix *const from = rp_nn_fix_at(&enlarge, RESIZE(src.data));
    struct rp_nn_fix *const to = rp_nn_fix_at(&enlarge, RESIZE(dst.data));
    struct rp_nn_fix *const scaled = rp_nn_fix_at(&scale, ELT(a.data));
    struct rp_nn_fix *const end = rp_nn_fix_at(&scale, ELT(dst.data));
    const int small = to->buffer, last = end->buffer, first = from->buffer;
    const int64_t last_bytes = end->bytes, first_bytes = from->bytes;
    const int ld = e->dst.ld;

    e->a = a->src;
    e->a.h = 1;
    e->a.w = (int) rp_act_pixels(&a->src);
    e->dst = e->a;
    e->dst.type = a->dst.type;
    e->dst.ld = a->dst.ld;
    a->src.type = a->dst.type;
    a->src.ld = a->dst.ld;
    a->dst.ld = ld;
    *scaled = (struct rp_nn_fix){scaled->at, first, first_bytes};
    *end = (struct rp_nn_fix){end->at, small, 0};
    *from = (struct rp_nn_fix){from->at, small, 0};
    *to = (struct rp_nn_fix){to->at, last, last_bytes};
    memmove(&p->step[r], &p->step[r + 1], (size_t) (s - r - 1) * sizeof(*p->step));
    p->step[s - 1] = scale;
    p->step[s] = enlarge;
}

void rp_nn_scale_first(struct rp_nn_plan *p)
{
    for (int s = 1; s < p->nsteps; s++)
        for (int r = s - 1; rp_nn_scales(&p->step[s]) && r >= 0; r--)
            if (enlarges(&p->step[r], &p->step[s])) {
                if (rp_nn_only(p, rp_nn_fix_at(&p->step[r], RESIZE(dst.data))->buffer, r, s, -1))
                    change(p, r, s);
                break;
            }
}
