#include "engine/gang.h"

#include "engine/compare.h"
#include "engine/tape.h"

#define MOST_LEVELS 4 /* loops in loops */
#define MOST_NETS 64
#define NEAR 0.01     /* of the largest number: as near are rows to the network of one row */

/* The n-th network that each frame opens. */
struct rp_gang_net {
    struct rp_model *model;
    struct rp_net *rows;  /* over all frames; NULL: each runs its own */
    bool apart;           /* rows may not be used after all */
    void *input[RP_MAX_TENSORS][RP_MAX_GANG]; /* what rp_net_set_input() gave */
};

/* Numbers of the loops that lie in so many others, device memory. */
struct level {
    int32_t *most, *turn, *go;
};

struct rp_gang {
    int n;
    struct rp_slot *lead;
    struct rp_slot *member[RP_MAX_GANG];
    struct rp_tape tape[RP_MAX_GANG];
    struct level level[MOST_LEVELS];
    struct rp_gang_net *net[MOST_NETS];
    int nnets;
    int opened[RP_MAX_GANG]; /* nets by each frame */
};

/* ---- life ------------------------------------------------------------------------------------ */

static int make_level(struct rp_gang *g, struct level *l)
{
    RP_CHECK(rp_slot_alloc(g->lead, sizeof(*l->most), (void **) &l->most));
    RP_CHECK(rp_slot_alloc(g->lead, sizeof(*l->turn), (void **) &l->turn));
    RP_CHECK(rp_slot_alloc(g->lead, RP_MAX_GANG * sizeof(*l->go), (void **) &l->go));
    return 0;
}

int rp_gang_create(struct rp_gang **out, struct rp_device *device,
                   const struct rp_graph_options *options, int n)
{
    int ret;
    struct rp_gang *const g = *out = calloc(1, sizeof(*g));

    if (!g)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    g->n = RP_CLAMP(n, 1, RP_MAX_GANG);
    RP_TRY(rp_slot_create(&g->lead, device));
    g->lead->graph_options = options;
    for (int i = 0; i < MOST_LEVELS; i++)
        RP_TRY(make_level(g, &g->level[i]));
    return 0;

fail:
    rp_gang_destroy(out);
    return ret;
}

void rp_gang_destroy(struct rp_gang **gang)
{
    struct rp_gang *const g = *gang;

    if (!g)
        return;
    for (int i = 0; i < g->nnets; i++) {
        rp_net_close(&g->net[i]->rows);
        free(g->net[i]);
    }
    for (int i = 0; i < RP_MAX_GANG; i++)
        rp_tape_clear(&g->tape[i]);
    rp_slot_destroy(&g->lead);
    free(g);
    *gang = NULL;
}

struct rp_slot *rp_gang_lead(const struct rp_gang *g)
{
    return g->lead;
}

int rp_gang_slot(struct rp_slot **out, struct rp_gang *g, int i)
{
    const int ret = rp_slot_create_beside(out, g->lead);

    if (ret < 0)
        return ret;
    (*out)->gang = g;
    (*out)->member = i;
    g->member[i] = *out;
    return 0;
}

int rp_gang_shared(const struct rp_gang *g, int *opened)
{
    int shared = 0;

    for (int i = 0; i < g->nnets; i++)
        shared += g->net[i]->rows && !g->net[i]->apart;
    *opened = g->nnets;
    return shared;
}

/* ---- networks -------------------------------------------------------------------------------- */

static int add_net(struct rp_gang *g, struct rp_model *model)
{
    struct rp_gang_net **const net = &g->net[g->nnets];

    if (g->nnets == MOST_NETS)
        return rp_fail(RP_ERR_LIMIT, "frames in step open more than %d networks each", MOST_NETS);
    if (!(*net = calloc(1, sizeof(**net))))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    (*net)->model = model;
    g->nnets++;
    return 0;
}

/* Sizes of the inputs for all frames; false unless each has one row. */
static bool rows_dims(const struct rp_model *model, const int64_t *const *in_dim, int n,
                      int64_t dim[][RP_MAX_RANK])
{
    const struct rp_tensor_info *in;
    const int nin = rp_model_inputs(model, &in);

    for (int i = 0; i < nin; i++) {
        const int64_t *const one = in_dim && in_dim[i] ? in_dim[i] : in[i].dim; /* rank numbers */

        memcpy(dim[i], one, (size_t) in[i].rank * sizeof(*one));
        if (in[i].rank < 1 || dim[i][0] != 1)
            return false;
        dim[i][0] = n;
    }
    return nin > 0;
}

/* The network over all frames, if it can be had. */
static int open_rows(struct rp_gang *g, struct rp_gang_net *net, const int64_t *const *in_dim)
{
    int ret = 0;
    struct rp_model *model;
    int64_t dim[RP_MAX_TENSORS][RP_MAX_RANK];
    const int64_t *dims[RP_MAX_TENSORS];

    if (!rows_dims(net->model, in_dim, g->n, dim))
        return 0;
    RP_CHECK(rp_model_rows(&model, net->model, g->n));
    if (!model)
        return 0;
    for (int i = 0; i < RP_MAX_TENSORS; i++)
        dims[i] = dim[i];
    rp_log_hold(true);
    ret = rp_net_open(&net->rows, g->lead, model, dims);
    if (ret >= 0)
        ret = rp_run(net->rows);
    rp_log_hold(false);
    if (ret < 0) {
        rp_net_close(&net->rows);
        rp_model_rows_bad(net->model, rp_last_error());
    }
    return 0;
}

/* The tensors of one row, as another net's. */
static struct rp_net row_of(const struct rp_gang *g, const struct rp_net *rows, int row)
{
    struct rp_net one = *rows;

    for (int i = 0; i < rows->nin; i++) {
        one.in[i].bytes /= (size_t) g->n;
        one.in[i].data = (uint8_t *) rows->in[i].data + (size_t) row * one.in[i].bytes;
    }
    for (int i = 0; i < rows->nout; i++) {
        one.out[i].bytes /= (size_t) g->n;
        one.out[i].data = (uint8_t *) rows->out[i].data + (size_t) row * one.out[i].bytes;
    }
    return one;
}

static int open_row(struct rp_net **out, const struct rp_gang *g, struct rp_slot *slot,
                    const struct rp_gang_net *net, const int64_t *const *in_dim, int row)
{
    const struct rp_net over = row_of(g, net->rows, row);

    return rp_net_open_over(out, slot, net->model, in_dim, &over);
}

/* ---- are rows what the network of one row gives? --------------------------------------------- */

/* Numbers in 0..1 and -1..0, row by row in turn; inputs that are not floats stay 0. */
static int fill(const struct rp_net *rows, int n)
{
    int ret = 0;
    uint32_t seed = 1;

    for (int i = 0; i < rows->nin && ret >= 0; i++) {
        const struct rp_tensor *const t = &rows->in[i];
        const size_t row = RP_MAX(t->count / (size_t) n, 1);
        float *const v = t->type == RP_TYPE_F32 ? malloc(t->bytes + 4) : NULL;

        if (t->type == RP_TYPE_F32 && !v)
            return rp_fail(RP_ERR_NOMEM, "out of memory");
        for (size_t k = 0; v && k < t->count; k += row)
            rp_fill_floats(v + k, RP_MIN(row, t->count - k), k / row % 2 ? -1 : 0, 1, &seed);
        if (v && (ret = rp_slot_upload(rows->slot, t->data, v, t->bytes)) >= 0)
            ret = rp_slot_sync(rows->slot);
        free(v);
    }
    return ret;
}

/* One row by itself against what all rows together gave: `got`, output after output. */
static int row_is_near(const struct rp_gang *g, struct rp_net *one, const uint8_t *got, int row,
                       bool *same)
{
    int ret = 0;
    uint8_t *want = NULL;

    RP_TRY(rp_run(one));
    for (int i = 0; i < one->nout && *same; i++) {
        const struct rp_tensor *const t = &one->out[i];

        free(want);
        if (!(want = malloc(t->bytes + 16))) {
            ret = rp_fail(RP_ERR_NOMEM, "out of memory");
            goto fail;
        }
        RP_TRY(rp_slot_download(g->lead, want, t->data, t->bytes));
        RP_TRY(rp_slot_sync(g->lead));
        *same = rp_is_near(t, got + (size_t) row * t->bytes, want, NEAR);
        got += (size_t) g->n * t->bytes;
    }

fail:
    free(want);
    return ret;
}

/* Have the results of all rows one row each? */
static bool rows_fit(const struct rp_gang *g, const struct rp_net *rows, const struct rp_net *one)
{
    for (int i = 0; i < rows->nout; i++)
        if (rows->out[i].bytes != one->out[i].bytes * (size_t) g->n)
            return false;
    return true;
}

/* All outputs of a run on made-up numbers, one after the other; the caller frees them. */
static int run_filled(const struct rp_gang *g, struct rp_net *rows, uint8_t **out)
{
    size_t all = 0;

    for (int i = 0; i < rows->nout; i++)
        all += rows->out[i].bytes;
    if (!(*out = calloc(1, all + 16)))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    RP_CHECK(fill(rows, g->n));
    RP_CHECK(rp_run(rows));
    all = 0;
    for (int i = 0; i < rows->nout; i++) {
        RP_CHECK(rp_slot_download(g->lead, *out + all, rows->out[i].data, rows->out[i].bytes));
        all += rows->out[i].bytes;
    }
    return rp_slot_sync(g->lead);
}

static int rows_are_near(struct rp_gang *g, struct rp_gang_net *net, const int64_t *const *in_dim,
                         bool *same)
{
    int ret = 0;
    uint8_t *got = NULL;
    struct rp_net *one = NULL;
    const int probe[] = {0, g->n - 1};

    *same = true;
    RP_TRY(run_filled(g, net->rows, &got));
    for (int i = 0; i < 2 && *same; i++) {
        if (open_row(&one, g, g->lead, net, in_dim, probe[i]) < 0)
            *same = false; /* its results have not one row each */
        else if ((*same = rows_fit(g, net->rows, one)))
            RP_TRY(row_is_near(g, one, got, probe[i], same));
        rp_net_close(&one);
    }

fail:
    rp_net_close(&one);
    free(got);
    return ret;
}

static int first_open(struct rp_gang *g, struct rp_gang_net *net, const int64_t *const *in_dim)
{
    bool same;

    RP_CHECK(open_rows(g, net, in_dim));
    if (!net->rows)
        return 0;
    RP_CHECK(rows_are_near(g, net, in_dim, &same));
    if (!same) {
        rp_net_close(&net->rows);
        rp_model_rows_bad(net->model, "its rows are not what it gives one by one");
    }
    return 0;
}

int rp_gang_net_open(struct rp_net **out, struct rp_slot *slot, struct rp_model *model,
                     const int64_t *const *in_dim)
{
    struct rp_gang *const g = slot->gang;
    const int k = g->opened[slot->member]++;
    struct rp_gang_net *net;

    *out = NULL;
    if (slot->member == 0) {
        RP_CHECK(add_net(g, model));
        RP_CHECK(first_open(g, g->net[k], in_dim));
    } else if (k >= g->nnets || g->net[k]->model != model) {
        return rp_fail(RP_ERR_INVALID, "frames in step open different networks");
    }
    net = g->net[k];
    if (!net->rows)
        return rp_net_open_over(out, slot, model, in_dim, NULL);
    RP_CHECK(open_row(out, g, slot, net, in_dim, slot->member));
    (*out)->rows = net;
    return 0;
}

/* Inputs that come from elsewhere: the rows of another net's batch, or the same constant for all
 * frames, of which each row gets a copy. Else the frames run it one by one. */
int rp_gang_set_input(struct rp_net *one, int index, void *data)
{
    struct rp_gang_net *const net = one->rows;
    struct rp_gang *const g = one->slot->gang;
    const size_t bytes = one->in[index].bytes;
    void **const input = net->input[index];
    bool rows = true, same = true;

    input[one->slot->member] = data;
    if (one->slot->member < g->n - 1)
        return 0;
    for (int i = 0; i < g->n; i++) {
        rows &= input[i] == (uint8_t *) input[0] + (size_t) i * bytes;
        same &= input[i] == data;
    }
    if (rows)
        return rp_net_set_input(net->rows, index, input[0]);
    net->apart = !same;
    for (int i = 0; same && i < g->n; i++)
        RP_CHECK(rp_slot_copy(g->lead, (uint8_t *) net->rows->in[index].data + (size_t) i * bytes,
                              data, bytes));
    return rp_slot_sync(g->lead);
}

/* ---- playing --------------------------------------------------------------------------------- */

/* Items first to end - 1 of all tapes, in so many loops. */
struct walk {
    struct rp_gang *g;
    int level, first, end;
    int item; /* the loop itself */
    int frame; /* of a part that one frame does */
};

static int walk(struct rp_gang *g, int level, int first, int end);

static const struct rp_tape_item *item(const struct rp_gang *g, int i)
{
    return &g->tape[0].item[i];
}

static bool runs_rows(const struct rp_gang *g, int i)
{
    const struct rp_net *const net = item(g, i)->net;

    return item(g, i)->kind == RP_TAPE_RUN && net->rows && !net->rows->apart;
}

/* A run of all frames, or a loop with one inside. What stands in a choice may be chosen by one frame
 * and not by the next: that is done frame by frame. */
static bool in_step(const struct rp_gang *g, int i)
{
    if (item(g, i)->kind != RP_TAPE_LOOP)
        return runs_rows(g, i);
    for (int k = i + 1; k < item(g, i)->end;
         k = item(g, k)->kind == RP_TAPE_CHOOSE ? item(g, k)->end : k + 1)
        if (runs_rows(g, k))
            return true;
    return false;
}

static int run_rows(struct rp_gang *g, int i)
{
    struct rp_gang_net *const net = item(g, i)->net->rows;

    for (int k = 1; k < g->n; k++)
        if (g->tape[k].item[i].net->rows != net)
            return rp_fail(RP_ERR_INVALID, "frames in step run different networks");
    g->lead->stage = g->member[0]->stage;
    return rp_run(net->rows);
}

static int play_frame(void *priv)
{
    const struct walk *const w = priv;
    struct rp_slot *const slot = w->g->member[w->frame];

    rp_slot_stage(slot, slot->stage);
    const int ret = rp_tape_play(&w->g->tape[w->frame], slot, w->first, w->end);
    rp_slot_stage_end(slot);
    return ret;
}

/* Frame after frame; in a loop those that have something to do in this turn. */
static int one_by_one(struct rp_gang *g, int level, int first, int end)
{
    int ret = 0;

    for (int i = 0; i < g->n && ret >= 0; i++) {
        struct walk w = {.g = g, .first = first, .end = end, .frame = i};

        ret = level ? rp_slot_choose(g->lead, &g->level[level - 1].go[i], 1, play_frame,
                                     (void *[]){&w})
                    : play_frame(&w);
    }
    return ret;
}

static struct rp_op_in_step step_of(const struct rp_gang *g, const struct walk *w)
{
    const struct level *const l = &g->level[w->level - 1];
    struct rp_op_in_step op = {
        .n = g->n,
        .live = w->level > 1 ? g->level[w->level - 2].go : NULL,
        .most = l->most,
        .turn = l->turn,
        .go = l->go,
    };

    for (int i = 0; i < g->n; i++) {
        op.count[i] = g->tape[i].item[w->item].src;
        op.index[i] = g->tape[i].item[w->item].dst;
    }
    return op;
}

static int one_turn(void *priv)
{
    const struct walk *const w = priv;
    struct rp_op_in_step op = step_of(w->g, w);

    op.step = RP_IN_STEP_TURN;
    RP_CHECK(w->g->lead->ops->in_step(w->g->lead->stream, &op));
    return walk(w->g, w->level, w->first, w->end);
}

static int loop(struct rp_gang *g, int level, int i)
{
    struct walk w = {.g = g, .level = level + 1, .first = i + 1, .end = item(g, i)->end, .item = i};

    if (level == MOST_LEVELS)
        return rp_fail(RP_ERR_LIMIT, "more than %d loops in each other", MOST_LEVELS);
    struct rp_op_in_step op = step_of(g, &w);
    op.step = RP_IN_STEP_MOST;
    RP_CHECK(g->lead->ops->in_step(g->lead->stream, &op));
    return rp_slot_loop(g->lead, g->level[level].most, g->level[level].turn, one_turn, &w);
}

static int walk(struct rp_gang *g, int level, int first, int end)
{
    int ret = 0, next;

    for (int i = first; i < end && ret >= 0; i = next) {
        next = rp_tape_next(&g->tape[0], i);
        if (in_step(g, i)) {
            ret = item(g, i)->kind == RP_TAPE_LOOP ? loop(g, level, i) : run_rows(g, i);
        } else {
            while (next < end && !in_step(g, next))
                next = rp_tape_next(&g->tape[0], next);
            ret = one_by_one(g, level, i, next);
        }
    }
    return ret;
}

static bool alike(const struct rp_tape *a, const struct rp_tape *b)
{
    if (a->n != b->n)
        return false;
    for (int i = 0; i < a->n; i++)
        if (a->item[i].kind != b->item[i].kind || a->item[i].number != b->item[i].number ||
            a->item[i].end != b->item[i].end)
            return false;
    return true;
}

int rp_gang_run(struct rp_gang *g, rp_record_fn *fn, void *const *priv)
{
    for (int i = 0; i < g->n; i++) {
        RP_CHECK(rp_tape_record(&g->tape[i], g->member[i], fn, priv[i]));
        if (!alike(&g->tape[0], &g->tape[i]))
            return rp_fail(RP_ERR_INVALID, "frames in step do different work");
    }
    return walk(g, 0, 0, g->tape[0].n);
}
