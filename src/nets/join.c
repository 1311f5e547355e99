/* Fully connected layers of vectors take longer to be launched than to be done, and networks have
 * dozens of them, of one vector (AdaIN) or of slices of one (StyleGAN). Those of a buffer, which
 * all is there before the first of them, become one step in that one's place. Their results lie one
 * behind the other in a buffer of their own: whoever reads them finds each as it was, at another
 * place.
 *
 * Plans of other numbers of rows must have the same constants (engine/native.c keeps them once). So
 * which layers are a group, and in which order, does not depend on rows; over several of them,
 * where the results of one step have one size, a group becomes a step for each size. */
#include "nets/lower.h"
#include "nets/reach.h"

#define PASSES 2 /* lengths of joined styles are joined in turn */
/* So many kinds of layers of one buffer: more no network has, and each is compared with all. */
#define TRIES 64

struct joining {
    struct rp_nn_lower *l;
    struct rp_nn_plan *p;
    int joined;    /* steps that are now part of another */
    int *written;  /* of each buffer: how many steps before this one wrote to it */
    int *last;     /* of each buffer: the last step to begin a group that reads it, -1: none */
    int *to;       /* of each buffer: where its numbers lie now, -1: where they were */
    int64_t *by;   /* ... how many bytes from there */
    int *found;    /* of each step: how often its source had been written to */
    int *before;   /* ... that begins a group: the one before it in `last`, -1: none */
    int *next;     /* ... the next one of its group, -1: none */
    int *end;      /* ... that begins a group: its last one */
    int64_t *outs; /* ... its outputs in all */
    int *order;    /* the steps of one group */
    bool *gone;
    bool again; /* the second pass */
};

#define AT(field) RP_NN_AT(net_linear, field)

/* ---- which ----------------------------------------------------------------------------------- */

/* A layer by itself that makes the whole of a buffer, before which nobody uses that. What is far
 * apart in joined results depends on the rows: there it must be lengths, of which there is but one
 * row. */
static bool is_layer(const struct joining *j, int i)
{
    const struct rp_nn_step *const s = &j->p->step[i];
    const struct rp_op_net_linear *const a = &s->args.net_linear;

    if (s->op != RP_NN_OP_net_linear || a->dst.n != a->src.n || a->dst.c % 8 != 0 ||
        (a->dst.n > 1 && a->dst.ld != a->dst.c) || a->then.fn == RP_FN_PRELU ||
        (j->again && !(a->squares && a->src.n == 1)))
        return false;
    const struct rp_nn_fix *const src = rp_nn_fix_at(s, AT(src.data));
    const struct rp_nn_fix *const dst = rp_nn_fix_at(s, AT(dst.data));
    const struct rp_nn_buffer *const b = &j->p->buffer[dst->buffer];
    return !rp_nn_fix_at(s, AT(from)) && b->memory == RP_NN_ARENA && b->first == i &&
           src->buffer != dst->buffer && dst->bytes == 0 &&
           b->bytes == sizeof(float) * (size_t) a->dst.n * (size_t) a->dst.c;
}

static bool same_function(const struct rp_net_then *a, const struct rp_net_then *b)
{
    return a->fn == b->fn && a->alpha == b->alpha && a->beta == b->beta && a->gain == b->gain;
}

/* Can step i be done at once with those of the group that step `first` begins? */
static bool fits(const struct joining *j, int first, int i)
{
    const struct rp_nn_step *const s = &j->p->step[first], *const t = &j->p->step[i];
    const struct rp_op_net_linear *const a = &s->args.net_linear, *const b = &t->args.net_linear;
    const int64_t apart =
        rp_nn_fix_at(t, AT(src.data))->bytes - rp_nn_fix_at(s, AT(src.data))->bytes;

    return a->src.n == b->src.n && a->src.c == b->src.c && a->squares == b->squares &&
           (a->src.n == 1 || a->src.ld == b->src.ld) && same_function(&a->then, &b->then) &&
           apart % (8 * (int64_t) sizeof(float)) == 0 &&
           (j->outs[first] + b->dst.c) * RP_MAX(RP_ACT_ROUND((int64_t) b->src.c), b->src.n) <=
               INT32_MAX;
}

static void find_group(struct joining *j, int i)
{
    const int src = rp_nn_fix_at(&j->p->step[i], AT(src.data))->buffer;
    int first = j->last[src];

    j->found[i] = j->written[src];
    for (int tries = 0; first >= 0 && tries < TRIES; tries++, first = j->before[first]) {
        if (j->found[first] != j->found[i])
            break;
        if (!fits(j, first, i))
            continue;
        j->next[j->end[first]] = i;
        j->end[first] = i;
        j->outs[first] += j->p->step[i].args.net_linear.dst.c;
        return;
    }
    j->before[i] = j->last[src];
    j->last[src] = i;
    j->end[i] = i;
    j->outs[i] = j->p->step[i].args.net_linear.dst.c;
}

/* Count what a step writes to; of one that is not understood, all it uses. */
static void note_written(struct joining *j, const struct rp_nn_step *s)
{
    struct rp_nn_reach r[RP_NN_MAX_REACH];
    const int n = rp_nn_reach(s->op, &s->args, 0, r);

    for (int k = 0; k < s->nfix; k++) {
        bool writes = n < 0;

        for (int i = 0; i < n; i++)
            writes |= r[i].at == s->fix[k].at && r[i].written;
        j->written[s->fix[k].buffer] += writes;
    }
}

/* ---- joining --------------------------------------------------------------------------------- */

#define NUMBER ((int64_t) sizeof(float))

/* What the layers of a group have in all, and its constants. */
struct group {
    int n;
    int64_t outs;
    int64_t from, to; /* bytes of the source's buffer */
    int has_bias, has_slices;
    size_t bytes; /* of its layers' constants */
    float *weights, *bias;
    int32_t *slices;
    int buffers[3]; /* of these */
};

static int64_t outs_of(const struct joining *j, int i)
{
    return j->p->step[i].args.net_linear.dst.c;
}

static void measure(struct joining *j, int first, struct group *g)
{
    *g = (struct group){.from = INT64_MAX};
    for (int i = first; i >= 0; i = j->next[i]) {
        const struct rp_nn_step *const s = &j->p->step[i];
        const struct rp_nn_fix *const src = rp_nn_fix_at(s, AT(src.data));
        const struct rp_nn_fix *const bias = rp_nn_fix_at(s, AT(bias));
        int at = g->n++;

        g->has_slices |= i != first && src->bytes != g->from;
        g->from = RP_MIN(g->from, src->bytes);
        g->to = RP_MAX(g->to, src->bytes + s->args.net_linear.span * NUMBER);
        g->outs += outs_of(j, i);
        g->bytes += j->p->buffer[rp_nn_fix_at(s, AT(weights))->buffer].bytes;
        g->bytes += bias ? j->p->buffer[bias->buffer].bytes : 0;
        g->has_bias |= bias != NULL;
        /* those of one size side by side, the larger ones first */
        for (; at > 0 && outs_of(j, j->order[at - 1]) < outs_of(j, i); at--)
            j->order[at] = j->order[at - 1];
        j->order[at] = i;
    }
}

/* Memory for the group's constants: weights, biases and, of slices, where each eight outputs read.
 */
static int make_constants(struct joining *j, struct group *g, int width)
{
    void *host;
    const size_t outs = (size_t) g->outs;

    j->l->folded -= RP_MIN(g->bytes, j->l->folded); /* those that these replace */
    RP_CHECK(rp_nn_constant(j->l, outs * (size_t) width * sizeof(float), &host, &g->buffers[0]));
    g->weights = host;
    if (g->has_bias) {
        RP_CHECK(rp_nn_constant(j->l, outs * sizeof(float), &host, &g->buffers[1]));
        g->bias = host;
    }
    if (g->has_slices) {
        RP_CHECK(rp_nn_constant(j->l, outs / 8 * sizeof(int32_t), &host, &g->buffers[2]));
        g->slices = host;
    }
    return 0;
}

/* Layer i is the group's outputs from `at` on. */
static void copy_constants(const struct joining *j, int i, int64_t at, const struct group *g)
{
    const struct rp_nn_step *const s = &j->p->step[i];
    const struct rp_nn_fix *const bias = rp_nn_fix_at(s, AT(bias));
    const int64_t slice = (rp_nn_fix_at(s, AT(src.data))->bytes - g->from) / (8 * NUMBER);
    const size_t outs = (size_t) outs_of(j, i);
    const size_t width = (size_t) RP_ACT_ROUND(s->args.net_linear.src.c);

    memcpy(g->weights + (size_t) at * width,
           j->p->buffer[rp_nn_fix_at(s, AT(weights))->buffer].host, outs * width * sizeof(float));
    if (bias)
        memcpy(g->bias + at, j->p->buffer[bias->buffer].host, outs * sizeof(float));
    for (size_t k = 0; g->slices && k < outs / 8; k++)
        g->slices[(size_t) at / 8 + k] = (int32_t) slice;
}

/* One step of the layers order[k] to order[end - 1], outputs `at` to `to` - 1 of the group, in the
 * place of the first of them; *dst: the buffer of its results. */
static int put_step(struct joining *j, const struct group *g, int k, int end, int64_t at,
                    int64_t to, int *dst)
{
    int first = j->order[k];
    struct rp_op_net_linear *const op = &rp_nn_begin(j->l, RP_NN_OP_net_linear)->net_linear;

    for (int i = k; i < end; i++)
        first = RP_MIN(first, j->order[i]);
    *op = j->p->step[first].args.net_linear;
    const int rows = op->src.n;
    op->dst.c = op->dst.ld = (int) (rows == 1 ? to - at : outs_of(j, first));
    op->dst.n = (int) ((to - at) / op->dst.c) * rows;
    op->span = (int) ((g->to - g->from) / NUMBER);
    RP_CHECK(rp_nn_buffer(j->l, RP_NN_ARENA, (size_t) ((to - at) * rows * NUMBER), dst));
    rp_nn_put(j->l, AT(src.data), rp_nn_fix_at(&j->p->step[first], AT(src.data))->buffer, g->from);
    rp_nn_put(j->l, AT(dst.data), *dst, 0);
    rp_nn_put(j->l, AT(weights), g->buffers[0], at * RP_ACT_ROUND(op->src.c) * NUMBER);
    if (g->has_bias)
        rp_nn_put(j->l, AT(bias), g->buffers[1], at * NUMBER);
    if (g->has_slices)
        rp_nn_put(j->l, AT(from), g->buffers[2], at / 8 * (int64_t) sizeof(int32_t));
    for (int i = k; i < end; i++) {
        const int layer = j->order[i], was = rp_nn_fix_at(&j->p->step[layer], AT(dst.data))->buffer;

        j->to[was] = *dst;
        j->by[was] = j->by[was] * rows * NUMBER;
        j->gone[layer] = layer != first;
        j->joined += layer != first;
    }
    j->p->step[first] = j->l->step;
    return 0;
}

/* One step, or over several rows one of each size. */
static int join_group(struct joining *j, int first)
{
    int dst;
    struct group g;
    int64_t at = 0, begun = 0;
    const bool sizes = j->p->step[first].args.net_linear.src.n > 1;

    measure(j, first, &g);
    RP_CHECK(make_constants(j, &g, RP_ACT_ROUND(j->p->step[first].args.net_linear.src.c)));
    for (int i = 0, k = 0; i < g.n; i++) {
        const int64_t outs = outs_of(j, j->order[i]);

        copy_constants(j, j->order[i], at, &g);
        j->by[rp_nn_fix_at(&j->p->step[j->order[i]], AT(dst.data))->buffer] =
            at - begun; /* numbers */
        at += outs;
        if (i + 1 < g.n && !(sizes && outs_of(j, j->order[i + 1]) != outs))
            continue;
        RP_CHECK(put_step(j, &g, k, i + 1, begun, at, &dst));
        begun = at;
        k = i + 1;
    }
    return 0;
}

/* ---- the steps that are left ----------------------------------------------------------------- */

static void compact(struct joining *j, int nbuffers)
{
    struct rp_nn_plan *const p = j->p;
    int n = 0;

    for (int i = 0; i < p->nsteps; i++) {
        if (j->gone[i])
            continue;
        struct rp_nn_step *const s = &p->step[n];
        if (n++ != i)
            *s = p->step[i];
        for (int k = 0; k < s->nfix; k++) {
            struct rp_nn_fix *const f = &s->fix[k];

            if (f->buffer < nbuffers && j->to[f->buffer] >= 0) {
                f->bytes += j->by[f->buffer];
                f->buffer = j->to[f->buffer];
            }
        }
    }
    p->nsteps = n;
    rp_nn_count_uses(j->l);
    for (int i = 0; i < p->nbuffers; i++) { /* the layers' own weights */
        struct rp_nn_buffer *const b = &p->buffer[i];

        if (b->memory == RP_NN_WEIGHTS && b->first < 0 && b->owned) {
            free(b->host);
            b->host = NULL;
            b->owned = false;
        }
    }
}

static int join_all(struct joining *j)
{
    const int nsteps = j->p->nsteps, nbuffers = j->p->nbuffers;

    for (int i = 0; i < nbuffers; i++)
        j->last[i] = j->to[i] = -1;
    for (int i = 0; i < nsteps; i++) {
        j->next[i] = j->before[i] = j->end[i] = -1;
        if (is_layer(j, i))
            find_group(j, i);
        note_written(j, &j->p->step[i]);
    }
    for (int i = 0; i < nsteps; i++)
        if (j->end[i] >= 0 && j->end[i] != i)
            RP_CHECK(join_group(j, i));
    compact(j, nbuffers);
    return 0;
}

/* @return how many steps there are fewer now */
static int join_once(struct rp_nn_lower *l, bool again)
{
    const size_t nb = (size_t) l->plan->nbuffers + 1, ns = (size_t) l->plan->nsteps + 1;
    struct joining j = {.l = l, .p = l->plan, .again = again};
    int64_t *const wide = calloc(nb + ns, sizeof(*wide));
    int *const narrow = calloc(3 * nb + 5 * ns, sizeof(*narrow));
    int ret = RP_ERR_NOMEM;

    j.gone = calloc(ns, sizeof(*j.gone));
    if (wide && narrow && j.gone) {
        j.by = wide;
        j.outs = wide + nb;
        j.written = narrow;
        j.last = narrow + nb;
        j.to = narrow + 2 * nb;
        j.found = narrow + 3 * nb;
        j.before = j.found + ns;
        j.next = j.found + 2 * ns;
        j.end = j.found + 3 * ns;
        j.order = j.found + 4 * ns;
        ret = join_all(&j);
    } else {
        rp_fail(RP_ERR_NOMEM, "out of memory");
    }
    free(wide);
    free(narrow);
    free(j.gone);
    return ret < 0 ? ret : j.joined;
}

int rp_nn_join(struct rp_nn_lower *l)
{
    int joined = 1;

    for (int pass = 0; pass < PASSES && joined > 0; pass++)
        joined = join_once(l, pass > 0);
    return RP_MIN(joined, 0);
}
