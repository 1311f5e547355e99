#include "engine/batch.h"

#include "engine/list.h"

#define MOST_SIZES 4 /* 1, 2, 4, 8 */

struct rp_batch {
    struct rp_slot *slot;
    struct rp_net *one;
    struct rp_net *net[MOST_SIZES]; /* of 1 << i rows, all on the buffers of the last */
    int sizes, most;
    struct rp_rows *at;             /* device */
};

static bool open_first(const struct rp_tensor_info *t, int n)
{
    for (int i = 0; i < n; i++)
        if (t[i].rank < 1 || t[i].dim[0] >= 0)
            return false;
    return true;
}

static bool can_batch(const struct rp_net *one)
{
    const struct rp_tensor_info *in, *out;
    const int nin = rp_model_inputs(one->model, &in), nout = rp_model_outputs(one->model, &out);

    return open_first(in, nin) && open_first(out, nout);
}

/* Outputs must have one row per input row, or else the network mixes them. */
static int check_outputs(const struct rp_batch *b, const struct rp_net *net, int rows)
{
    for (int i = 0; i < net->nout; i++)
        if (net->out[i].bytes != (size_t) rows * b->one->out[i].bytes)
            return rp_fail(RP_ERR_MODEL, "%s: output %d does not have one row per row of the input",
                           rp_model_path(net->model), i);
    return 0;
}

static int open_size(struct rp_batch *b, int i)
{
    int64_t dim[RP_MAX_TENSORS][RP_MAX_RANK];
    const int64_t *dims[RP_MAX_TENSORS];
    const int largest = b->sizes - 1;

    for (int k = 0; k < b->one->nin; k++) {
        memcpy(dim[k], b->one->in[k].dim, sizeof(dim[k]));
        dim[k][0] *= 1 << i;
        dims[k] = dim[k];
    }
    RP_CHECK(rp_net_open_over(&b->net[i], b->slot, b->one->model, dims,
                              i == largest ? NULL : b->net[largest]));
    RP_CHECK(check_outputs(b, b->net[i], 1 << i));
    return rp_net_run(b->net[i]);
}

int rp_batch_open(struct rp_batch **out, struct rp_net *one, int most)
{
    int ret = 0;
    struct rp_batch *b;

    *out = NULL;
    if (most < 2 || !can_batch(one))
        return 0;
    if (!(b = *out = calloc(1, sizeof(*b))))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    b->slot = one->slot;
    b->one = one;
    while (b->sizes < MOST_SIZES && 1 << b->sizes <= most)
        b->sizes++;
    b->most = 1 << (b->sizes - 1);
    RP_TRY(rp_slot_alloc(b->slot, sizeof(*b->at), (void **) &b->at));
    for (int i = b->sizes - 1; i >= 0; i--)
        RP_TRY(open_size(b, i));
    rp_log(RP_LOG_DEBUG, "%s: up to %d rows at once", rp_model_name(one->model), b->most);
    return rp_slot_sync(b->slot);

fail:
    rp_batch_close(out);
    return ret;
}

void rp_batch_close(struct rp_batch **batch)
{
    struct rp_batch *const b = *batch;

    if (!b)
        return;
    for (int i = 0; i < b->sizes; i++)
        rp_net_close(&b->net[i]);
    free(b);
    *batch = NULL;
}

/* ---- recording ------------------------------------------------------------------------------- */

static void number(struct rp_batch *b, int step, const int32_t *count, int32_t *index)
{
    RP_OP(b->slot, rows, .step = step, .count = count, .most = b->most, .at = b->at,
          .index = index);
}

/* Copy one row of a group into the batch or out of it. */
static void move_row(struct rp_batch *b, bool put)
{
    const struct rp_net *const all = b->net[b->sizes - 1];
    const int n = put ? all->nin : all->nout;

    for (int i = 0; i < n; i++) {
        const struct rp_tensor *const one = put ? &b->one->in[i] : &b->one->out[i];

        RP_OP(b->slot, row_copy, .src = put ? one->data : all->out[i].data,
              .dst = put ? all->in[i].data : one->data, .bytes = one->bytes, .at = b->at,
              .most = b->most, .put = put);
    }
}

void rp_batch_record(struct rp_batch *b, const int32_t *count, int32_t *index, rp_batch_fn *before,
                     rp_batch_fn *after, void *priv)
{
    struct rp_slot *const slot = b->slot;

    number(b, RP_ROWS_COUNT, count, index);
    rp_record_loop(slot, &b->at->groups, &b->at->group);
    number(b, RP_ROWS_GROUP, count, index);
    rp_record_loop(slot, &b->at->rows, &b->at->row);
    number(b, RP_ROWS_INDEX, count, index);
    before(priv);
    move_row(b, true);
    rp_record_loop_end(slot);
    rp_record_choice(slot, &b->at->bucket);
    for (int i = 0; i < b->sizes; i++) {
        rp_record_branch(slot);
        rp_record_run(b->net[i]);
    }
    rp_record_choice_end(slot);
    rp_record_loop(slot, &b->at->rows, &b->at->row);
    number(b, RP_ROWS_INDEX, count, index);
    move_row(b, false);
    after(priv);
    rp_record_loop_end(slot);
    rp_record_loop_end(slot);
}
