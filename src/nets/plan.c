#include "nets/plan.h"

#include "nets/lower.h"
#include "ops/describe.h"

#define ALIGN 256

static size_t aligned(size_t n)
{
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

/* ---- where buffers lie ----------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    const struct rp_nn_buffer *const x = *(struct rp_nn_buffer *const *) a,
                                     *const y = *(struct rp_nn_buffer *const *) b;

    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return x < y ? -1 : x > y;
}

static bool together(const struct rp_nn_buffer *a, const struct rp_nn_buffer *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest place where it overlaps none of those placed before it that live at the same time;
 * `by_place` has these in the order of their places. */
static size_t lowest(const struct rp_nn_buffer *b, struct rp_nn_buffer *const *by_place, int n)
{
    size_t at = 0;

    for (int i = 0; i < n; i++) {
        const struct rp_nn_buffer *const o = by_place[i];

        if (!together(b, o) || o->offset + o->bytes <= at)
            continue;
        if (at + b->bytes <= o->offset)
            break;
        at = aligned(o->offset + o->bytes);
    }
    return at;
}

int rp_nn_place(struct rp_nn_plan *p)
{
    int n = 0, placed = 0;
    struct rp_nn_buffer **const sorted = calloc(2 * (size_t) p->nbuffers + 1, sizeof(void *));

    if (!sorted)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    struct rp_nn_buffer **const by_place = sorted + p->nbuffers;
    for (int i = 0; i < p->nbuffers; i++) {
        struct rp_nn_buffer *const b = &p->buffer[i];

        if (b->memory == RP_NN_ARENA && b->first >= 0)
            sorted[n++] = b;
        if (b->memory == RP_NN_WEIGHTS && b->first >= 0) {
            b->offset = p->weights;
            p->weights += aligned(b->bytes);
        }
    }
    qsort(sorted, (size_t) n, sizeof(void *), by_size);
    for (int i = 0; i < n; i++) {
        int at = placed++;

        sorted[i]->offset = lowest(sorted[i], by_place, at);
        p->arena = RP_MAX(p->arena, aligned(sorted[i]->offset + sorted[i]->bytes));
        for (; at > 0 && by_place[at - 1]->offset > sorted[i]->offset; at--)
            by_place[at] = by_place[at - 1];
        by_place[at] = sorted[i];
    }
    free(sorted);
    return 0;
}

void rp_nn_plan_weights(const struct rp_nn_plan *p, void *to)
{
    for (int i = 0; i < p->nbuffers; i++) {
        const struct rp_nn_buffer *const b = &p->buffer[i];

        if (b->memory == RP_NN_WEIGHTS && b->first >= 0 && b->bytes)
            memcpy((char *) to + b->offset, b->host, b->bytes);
    }
}

/* ---- a plan ---------------------------------------------------------------------------------- */

int rp_nn_plan_make(struct rp_nn_plan **out, struct rp_nn_graph *g, enum rp_act_type storage)
{
    int ret;
    struct rp_nn_plan *const p = *out = calloc(1, sizeof(*p));

    if (!p)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    rp_nn_fold(g);
    rp_nn_match(g);
    rp_nn_affine(g);
    rp_nn_fuse(g);
    RP_TRY(rp_nn_lower(g, p, storage));
    RP_TRY(rp_nn_place(p));
    return 0;

fail:
    rp_nn_plan_free(out);
    return ret;
}

double rp_nn_plan_flop(const struct rp_nn_plan *p)
{
    double sum = 0;

    for (int i = 0; i < p->nsteps; i++) {
        struct rp_op_facts f;

        rp_op_describe(rp_nn_op_number(p->step[i].op), &p->step[i].args, &f);
        sum += f.flop;
    }
    return sum;
}

void rp_nn_plan_forget(struct rp_nn_plan *p)
{
    for (int i = 0; i < p->nbuffers; i++) {
        if (p->buffer[i].owned)
            free(p->buffer[i].host);
        p->buffer[i].host = NULL;
        p->buffer[i].owned = false;
    }
}

void rp_nn_plan_free(struct rp_nn_plan **plan)
{
    struct rp_nn_plan *const p = *plan;

    if (!p)
        return;
    rp_nn_plan_forget(p);
    free(p->buffer);
    free(p->step);
    free(p);
    *plan = NULL;
}
