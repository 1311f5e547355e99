#include "engine/lockstep.h"

#include "engine/compare.h"

#define MOST_LEVELS 4 /* of loops inside loops */
#define MOST_NETS 64
#define NEAR 0.01     /* of the largest number: tolerance between rows and the network of one row */

/* The n-th network that each lane opens. */
struct rp_shared_net {
    struct rp_model *model;
    struct rp_net *rows;  /* over all lanes; NULL: each lane runs its own net */
    bool apart;           /* `rows` cannot be used after all */
    void *input[RP_MAX_TENSORS][RP_MAX_LANES]; /* set by rp_net_set_input() */
};

/* Numbers, in device memory, for the loops at one depth of nesting. */
struct level {
    int32_t *most, *turn, *go;
};

struct rp_lockstep {
    int n;
    struct rp_slot *lead;
    struct level level[MOST_LEVELS];
    struct rp_shared_net *net[MOST_NETS];
    int nnets;
    int opened[RP_MAX_LANES]; /* nets opened in each lane */
};

/* ---- life ------------------------------------------------------------------------------------ */

static int make_level(struct rp_lockstep *g, struct level *l)
{
    RP_CHECK(rp_slot_alloc(g->lead, sizeof(*l->most), (void **) &l->most));
    RP_CHECK(rp_slot_alloc(g->lead, sizeof(*l->turn), (void **) &l->turn));
    RP_CHECK(rp_slot_alloc(g->lead, RP_MAX_LANES * sizeof(*l->go), (void **) &l->go));
    return 0;
}

int rp_lockstep_create(struct rp_lockstep **out, struct rp_device *device,
                   const struct rp_graph_options *options, int n)
{
    int ret;
    struct rp_lockstep *const g = *out = calloc(1, sizeof(*g));

    if (!g)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    g->n = RP_CLAMP(n, 1, RP_MAX_LANES);
    RP_TRY(rp_slot_create(&g->lead, device));
    g->lead->graph_options = options;
    for (int i = 0; i < MOST_LEVELS; i++)
        RP_TRY(make_level(g, &g->level[i]));
    return 0;

fail:
    rp_lockstep_destroy(out);
    return ret;
}

void rp_lockstep_destroy(struct rp_lockstep **lockstep)
{
    struct rp_lockstep *const g = *lockstep;

    if (!g)
        return;
    for (int i = 0; i < g->nnets; i++) {
        rp_net_close(&g->net[i]->rows);
        free(g->net[i]);
    }
    rp_slot_destroy(&g->lead);
    free(g);
    *lockstep = NULL;
}

struct rp_slot *rp_lockstep_lead(const struct rp_lockstep *g)
{
    return g->lead;
}

int rp_lockstep_slot(struct rp_slot **out, struct rp_lockstep *g, int i)
{
    const int ret = rp_slot_create_beside(out, g->lead);

    if (ret < 0)
        return ret;
    (*out)->lockstep = g;
    (*out)->lane = i;
    return 0;
}

int rp_lockstep_shared(const struct rp_lockstep *g, int *opened)
{
    int shared = 0;

    for (int i = 0; i < g->nnets; i++)
        shared += g->net[i]->rows && !g->net[i]->apart;
    *opened = g->nnets;
    return shared;
}

/* ---- networks -------------------------------------------------------------------------------- */

static int add_net(struct rp_lockstep *g, struct rp_model *model)
{
    struct rp_shared_net **const net = &g->net[g->nnets];

    if (g->nnets == MOST_NETS)
        return rp_fail(RP_ERR_LIMIT, "frames in lockstep open more than %d networks each",
                       MOST_NETS);
    if (!(*net = calloc(1, sizeof(**net))))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    (*net)->model = model;
    g->nnets++;
    return 0;
}

/* Sizes of the inputs for all lanes; false unless each input has one row. */
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

/* Open the network over all lanes, if that is possible. */
static int open_rows(struct rp_lockstep *g, struct rp_shared_net *net, const int64_t *const *in_dim)
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
        ret = rp_net_run(net->rows);
    rp_log_hold(false);
    if (ret < 0) {
        rp_net_close(&net->rows);
        rp_model_rows_bad(net->model, rp_last_error());
    }
    return 0;
}

/* The tensors of one row, as a net to open another one over. */
static struct rp_net row_of(const struct rp_lockstep *g, const struct rp_net *rows, int row)
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

static int open_row(struct rp_net **out, const struct rp_lockstep *g, struct rp_slot *slot,
                    const struct rp_shared_net *net, const int64_t *const *in_dim, int row)
{
    const struct rp_net over = row_of(g, net->rows, row);

    return rp_net_open_over(out, slot, net->model, in_dim, &over);
}

/* ---- do rows equal the network of one row? --------------------------------------------- */

/* Numbers in 0..1 for even rows and -1..0 for odd ones; inputs that are not floats stay 0. */
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

/* Compare a run of one row by itself with the results of all rows together: `got`, output after
 * output. */
static int row_is_near(const struct rp_lockstep *g, struct rp_net *one, const uint8_t *got, int row,
                       bool *same)
{
    int ret = 0;
    uint8_t *want = NULL;

    RP_TRY(rp_net_run(one));
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

/* Does every output have one row per input row? */
static bool rows_fit(const struct rp_lockstep *g, const struct rp_net *rows,
                     const struct rp_net *one)
{
    for (int i = 0; i < rows->nout; i++)
        if (rows->out[i].bytes != one->out[i].bytes * (size_t) g->n)
            return false;
    return true;
}

/* All outputs of a run on made-up numbers, one after the other; the caller frees them. */
static int run_filled(const struct rp_lockstep *g, struct rp_net *rows, uint8_t **out)
{
    size_t all = 0;

    for (int i = 0; i < rows->nout; i++)
        all += rows->out[i].bytes;
    if (!(*out = calloc(1, all + 16)))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    RP_CHECK(fill(rows, g->n));
    RP_CHECK(rp_net_run(rows));
    all = 0;
    for (int i = 0; i < rows->nout; i++) {
        RP_CHECK(rp_slot_download(g->lead, *out + all, rows->out[i].data, rows->out[i].bytes));
        all += rows->out[i].bytes;
    }
    return rp_slot_sync(g->lead);
}

static int rows_are_near(struct rp_lockstep *g, struct rp_shared_net *net,
                         const int64_t *const *in_dim, bool *same)
{
    int ret = 0;
    uint8_t *got = NULL;
    struct rp_net *one = NULL;
    const int probe[] = {0, g->n - 1};

    *same = true;
    RP_TRY(run_filled(g, net->rows, &got));
    for (int i = 0; i < 2 && *same; i++) {
        if (open_row(&one, g, g->lead, net, in_dim, probe[i]) < 0)
            *same = false; /* its outputs do not have one row per input row */
        else if ((*same = rows_fit(g, net->rows, one)))
            RP_TRY(row_is_near(g, one, got, probe[i], same));
        rp_net_close(&one);
    }

fail:
    rp_net_close(&one);
    free(got);
    return ret;
}

static int first_open(struct rp_lockstep *g, struct rp_shared_net *net,
                      const int64_t *const *in_dim)
{
    bool same;

    RP_CHECK(open_rows(g, net, in_dim));
    if (!net->rows)
        return 0;
    RP_CHECK(rows_are_near(g, net, in_dim, &same));
    if (!same) {
        rp_net_close(&net->rows);
        rp_model_rows_bad(net->model, "its rows differ from what it gives one by one");
    }
    return 0;
}

static int open_in_lane(struct rp_net **out, struct rp_slot *slot, struct rp_model *model,
                        const int64_t *const *in_dim)
{
    struct rp_lockstep *const g = slot->lockstep;
    const int k = g->opened[slot->lane]++;
    struct rp_shared_net *net;

    *out = NULL;
    if (slot->lane == 0) {
        RP_CHECK(add_net(g, model));
        RP_CHECK(first_open(g, g->net[k], in_dim));
    } else if (k >= g->nnets || g->net[k]->model != model) {
        return rp_fail(RP_ERR_INVALID, "frames in lockstep open different networks");
    }
    net = g->net[k];
    if (!net->rows)
        return rp_net_open_over(out, slot, model, in_dim, NULL);
    RP_CHECK(open_row(out, g, slot, net, in_dim, slot->lane));
    (*out)->shared = net;
    return 0;
}

int rp_net_open(struct rp_net **out, struct rp_slot *slot, struct rp_model *model,
                const int64_t *const *in_dim)
{
    return slot->lockstep ? open_in_lane(out, slot, model, in_dim)
                          : rp_net_open_over(out, slot, model, in_dim, NULL);
}

/* An input from elsewhere may be the rows of another net's batch, or the same constant for all
 * lanes, which is copied to each row. With any other input the lanes run the network one by one. */
static int share_input(struct rp_net *one, int index, void *data)
{
    struct rp_shared_net *const net = one->shared;
    struct rp_lockstep *const g = one->slot->lockstep;
    const size_t bytes = one->in[index].bytes;
    void **const input = net->input[index];
    bool rows = true, same = true;

    input[one->slot->lane] = data;
    if (one->slot->lane < g->n - 1)
        return 0;
    for (int i = 0; i < g->n; i++) {
        rows &= input[i] == (uint8_t *) input[0] + (size_t) i * bytes;
        same &= input[i] == data;
    }
    if (rows)
        return rp_net_bind_input(net->rows, index, input[0]);
    net->apart = !same;
    for (int i = 0; same && i < g->n; i++)
        RP_CHECK(rp_slot_copy(g->lead, (uint8_t *) net->rows->in[index].data + (size_t) i * bytes,
                              data, bytes));
    return rp_slot_sync(g->lead);
}

int rp_net_set_input(struct rp_net *net, int index, void *data)
{
    RP_CHECK(rp_net_bind_input(net, index, data));
    return net->shared ? share_input(net, index, data) : 0;
}

/* ---- merging the lists of all lanes ---------------------------------------------------------- */

/* The lists are the same but for addresses, so item i of one corresponds to item i of all. */
struct merge {
    struct rp_lockstep *g;
    const struct rp_list *list;
};

static const struct rp_item *item(const struct merge *m, int i)
{
    return &m->list[0].item[i];
}

static bool runs_rows(const struct merge *m, int i)
{
    const struct rp_net *const net = item(m, i)->net;

    return item(m, i)->kind == RP_ITEM_RUN && net->shared && !net->shared->apart;
}

/* Is item i a run of all lanes, or a loop with one inside? Choices do not count: one frame may
 * choose a branch and the next may not, so they are done lane by lane. */
static bool together(const struct merge *m, int i)
{
    if (item(m, i)->kind != RP_ITEM_LOOP)
        return runs_rows(m, i);
    for (int k = i + 1; k < item(m, i)->end;
         k = item(m, k)->kind == RP_ITEM_CHOICE ? item(m, k)->end : k + 1)
        if (runs_rows(m, k))
            return true;
    return false;
}

static int merge_run(const struct merge *m, int i)
{
    struct rp_shared_net *const net = item(m, i)->net->shared;

    for (int k = 1; k < m->g->n; k++)
        if (m->list[k].item[i].net->shared != net)
            return rp_fail(RP_ERR_INVALID, "frames in lockstep run different networks");
    rp_record_run(net->rows);
    return 0;
}

/* The stage that items from `first` on count for. */
static enum rp_stage stage_at(const struct rp_list *list, int first)
{
    while (first-- > 0)
        if (list->item[first].kind == RP_ITEM_STAGE)
            return (enum rp_stage) list->item[first].number;
    return RP_STAGE_CONVERT;
}

/* Record the items lane after lane; in a loop only for lanes that have something to do in this
 * turn. */
static void one_by_one(const struct merge *m, int level, int first, int end)
{
    struct rp_slot *const lead = m->g->lead;

    for (int i = 0; i < m->g->n; i++) {
        rp_record_stage(lead, stage_at(&m->list[i], first));
        if (level) {
            rp_record_choice(lead, &m->g->level[level - 1].go[i]);
            rp_record_branch(lead);
        }
        rp_record_items(lead, &m->list[i], first, end);
        if (level)
            rp_record_choice_end(lead);
    }
}

static int merge_items(const struct merge *m, int level, int first, int end);

/* A loop of all lanes, with as many turns as the largest count. */
static int merge_loop(const struct merge *m, int level, int i)
{
    struct rp_slot *const lead = m->g->lead;
    const struct level *const l = &m->g->level[level];
    struct rp_op_lockstep op = {
        .n = m->g->n,
        .live = level ? m->g->level[level - 1].go : NULL,
        .most = l->most,
        .turn = l->turn,
        .go = l->go,
    };

    if (level == MOST_LEVELS)
        return rp_fail(RP_ERR_LIMIT, "frames in lockstep have more than %d loops inside each other",
                       MOST_LEVELS);
    for (int k = 0; k < m->g->n; k++) {
        op.count[k] = m->list[k].item[i].src;
        op.index[k] = m->list[k].item[i].dst;
    }
    op.step = RP_LOCKSTEP_MOST;
    RP_OP_FROM(lead, lockstep, &op);
    rp_record_loop(lead, l->most, l->turn);
    op.step = RP_LOCKSTEP_TURN;
    RP_OP_FROM(lead, lockstep, &op);
    RP_CHECK(merge_items(m, level + 1, i + 1, item(m, i)->end));
    rp_record_loop_end(lead);
    return 0;
}

static int merge_items(const struct merge *m, int level, int first, int end)
{
    int next;

    for (int i = first; i < end; i = next) {
        next = rp_list_next(&m->list[0], i);
        if (together(m, i)) {
            RP_CHECK(item(m, i)->kind == RP_ITEM_LOOP ? merge_loop(m, level, i) : merge_run(m, i));
        } else {
            while (next < end && !together(m, next))
                next = rp_list_next(&m->list[0], next);
            one_by_one(m, level, i, next);
        }
    }
    return 0;
}

static bool alike(const struct rp_list *a, const struct rp_list *b)
{
    if (a->n != b->n)
        return false;
    for (int i = 0; i < a->n; i++)
        if (a->item[i].kind != b->item[i].kind || a->item[i].number != b->item[i].number ||
            a->item[i].end != b->item[i].end)
            return false;
    return true;
}

int rp_lockstep_merge(struct rp_lockstep *g, const struct rp_list *lane, struct rp_list *out)
{
    const struct merge m = {g, lane};

    for (int i = 1; i < g->n; i++)
        if (!alike(&lane[0], &lane[i]))
            return rp_fail(RP_ERR_INVALID, "frames in lockstep do different work");
    rp_list_begin(out, g->lead);
    const int ret = merge_items(&m, 0, 0, lane[0].n), end = rp_list_end(g->lead);
    return ret < 0 ? ret : end;
}
