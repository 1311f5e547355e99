/* The plans of a model are made when a net first asks for their sizes, and kept with their weights
 * on the device until the model is closed; all slots share them. Plans of other sizes or other
 * numbers of rows have the same weights, which are there once. A net owns its arena and the steps
 * with its own addresses.
 *
 * With a cache the file itself is only read when a plan is not in there: what its tensors are is
 * known from its outline. */
#include "engine/native.h"

#include "base/timeline.h"
#include "engine/kept.h"
#include "nets/reach.h"
#include "nets/run.h"
#include "onnx/rows.h"
#include "onnx/sizes.h"

/* On the device. */
struct weights {
    struct weights *next;
    struct rp_nn_sum sum;
    size_t bytes;
    void *data;
};

struct planned {
    struct planned *next;
    int64_t dim[RP_MAX_TENSORS][RP_MAX_RANK]; /* of the inputs */
    struct rp_nn_plan *plan;
    const struct weights *weights;
};

struct rp_native {
    struct rp_device *device;
    struct rp_onnx_image file; /* what was checked by its sum, while sizes are open; else empty */
    char stamp[256];           /* of the file, for the cache; "" without one */
    pthread_mutex_t lock;      /* of the lists */
    struct planned *first;
    struct weights *weights;
};

struct rp_native_net {
    const struct planned *planned;
    struct rp_nn_run *run;
};

/* ---- weights --------------------------------------------------------------------------------- */

static void free_planned(struct planned **p)
{
    if (!*p)
        return;
    rp_nn_plan_free(&(*p)->plan);
    free(*p);
    *p = NULL;
}

static void free_weights(struct rp_native *native, struct weights **w)
{
    if ((*w)->data)
        native->device->fns->free(native->device, (*w)->data);
    free(*w);
    *w = NULL;
}

static struct weights *find_weights(const struct rp_native *native, const struct rp_nn_sum *sum,
                                    size_t bytes)
{
    struct weights *w = native->weights;

    while (w && (w->bytes != bytes || !rp_nn_sum_same(&w->sum, sum)))
        w = w->next;
    return w;
}

/* Those of a plan, which has them, or of the cache: 0 if they are not there. */
static int bring_weights(const struct rp_model *m, const struct rp_nn_sum *sum,
                         const struct rp_nn_plan *plan, bool kept, const struct weights **out)
{
    int ret;
    struct rp_native *const native = m->native;
    struct weights *w = find_weights(native, sum, plan->weights);

    if ((*out = w))
        return 1;
    if (!(w = calloc(1, sizeof(*w))))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    w->sum = *sum;
    w->bytes = plan->weights;
    ret = native->device->fns->alloc(native->device, w->bytes, &w->data);
    if (ret >= 0 && kept)
        ret = rp_kept_constants(m->cache, sum, w->bytes, native->device, w->data);
    else if (ret >= 0 && (ret = rp_kept_upload(plan, native->device, w->data)) >= 0)
        ret = 1;
    if (ret <= 0) {
        free_weights(native, &w);
        return ret;
    }
    w->next = native->weights;
    *out = native->weights = w;
    rp_timeline_add("%.40s: weights are on the device", m->name);
    return 1;
}

/* ---- plans ----------------------------------------------------------------------------------- */

/* How many rows these sizes are of, if the file has one and all else is as it says; else 0. */
static int rows_of(const struct rp_model *m, const int64_t *const *dim)
{
    int64_t rows = 0;

    for (int i = 0; i < m->nin; i++) {
        if (m->in[i].rank < 1 || m->in[i].dim[0] != 1 || (i && dim[i][0] != rows))
            return 0;
        rows = dim[i][0];
    }
    return rows > 1 && rows <= RP_MAX_LANES ? (int) rows : 0;
}

static enum rp_type type_of(int theirs)
{
    switch (theirs) {
    case RP_ONNX_FLOAT:
        return RP_TYPE_F32;
    case RP_ONNX_DOUBLE:
        return RP_TYPE_F64;
    case RP_ONNX_INT64:
        return RP_TYPE_I64;
    case RP_ONNX_INT32:
        return RP_TYPE_I32;
    default:
        return RP_TYPE_OTHER;
    }
}

/* Are the results those that the model says it has, for so many rows? */
static bool fits(const struct rp_model *m, const struct rp_nn_plan *plan, int rows)
{
    bool ok = plan->ninputs == m->nin && plan->noutputs == m->nout;

    for (int i = 0; ok && i < m->nout; i++) {
        ok = plan->out[i].rank == m->out[i].rank && type_of(plan->out[i].type) == m->out[i].type;
        for (int d = 0; ok && d < m->out[i].rank; d++)
            ok = m->out[i].dim[d] < 0 ||
                 m->out[i].dim[d] * (d == 0 && rows ? rows : 1) == plan->out[i].dim[d];
    }
    return ok;
}

static bool is_for(const struct rp_model *m, const struct rp_nn_plan *plan,
                   const int64_t *const *dim)
{
    bool ok = plan->ninputs == m->nin;

    for (int i = 0; ok && i < m->nin; i++)
        ok = plan->in[i].rank == m->in[i].rank && type_of(plan->in[i].type) == m->in[i].type &&
             !memcmp(plan->in[i].dim, dim[i], (size_t) m->in[i].rank * sizeof(**dim));
    return ok;
}

static enum rp_act_type storage_of(const struct rp_model *m)
{
    return m->precision.taken == RP_PRECISION_FP16 ? RP_ACT_F16 : RP_ACT_F32;
}

/* False if nothing is kept. */
static bool key_of(const struct rp_model *m, const int64_t *const *dim, char key[RP_KEPT_KEY])
{
    int rank[RP_MAX_TENSORS];

    for (int i = 0; i < m->nin; i++)
        rank[i] = m->in[i].rank;
    if (m->native->stamp[0])
        rp_kept_key(m->native->stamp, m->nin, rank, dim, storage_of(m), key);
    return m->native->stamp[0] != 0;
}

/* p from the cache: 1, or 0 if it is not there. */
static int from_cache(const struct rp_model *m, const int64_t *const *dim, struct planned *p)
{
    int ret;
    struct rp_nn_sum sum;
    char key[RP_KEPT_KEY];

    if (!key_of(m, dim, key))
        return 0;
    ret = rp_kept_plan(m->cache, key, &p->plan, &sum);
    if (ret <= 0)
        return ret;
    rp_timeline_add("%.40s: a kept plan is read", m->name);
    ret = is_for(m, p->plan, dim) && fits(m, p->plan, rows_of(m, dim))
              ? bring_weights(m, &sum, p->plan, true, &p->weights)
              : 0;
    if (ret <= 0)
        rp_nn_plan_free(&p->plan);
    return ret;
}

/* Keep it, if the file is still the one that the outline was of. */
static void to_cache(const struct rp_model *m, const int64_t *const *dim,
                     const struct rp_nn_plan *plan, const struct rp_nn_sum *sum)
{
    char key[RP_KEPT_KEY], now[sizeof(m->native->stamp)] = "";

    if (!key_of(m, dim, key) || rp_cache_stamp(m->path, now, sizeof(now)) < 0 ||
        strcmp(now, m->native->stamp) != 0)
        return;
    if (rp_nn_plan_is_sound(plan))
        rp_kept_put(m->cache, key, plan, sum);
    else
        rp_log(RP_LOG_DEBUG, "%s: its plan is not kept: it would not be taken back", m->name);
    rp_timeline_add("%.40s: plan is kept", m->name);
}

/* All of the file, or of the one whose sum was checked; changed to so many rows. */
static int load(const struct rp_model *m, int rows, struct rp_onnx_image *out)
{
    *out = m->native->file;
    if (out->data)
        return 0;
    RP_CHECK(rp_onnx_load(out, m->path));
    rp_onnx_open_sizes(out);
    return rows ? rp_onnx_set_rows(out, m->path, rows) : 0;
}

/* p from the file. @param why  the reason for RP_ERR_UNSUPPORTED */
static int from_file(const struct rp_model *m, const int64_t *const *dim, struct planned *p,
                     char *why, size_t size)
{
    struct rp_nn_sum sum;
    struct rp_onnx_image file;
    struct rp_nn_graph *graph = NULL;
    const int rows = rows_of(m, dim);
    int ret = load(m, rows, &file);

    rp_timeline_add("%.40s: file is read", m->name);
    if (ret >= 0)
        ret = rp_nn_graph_read(&graph, m->path, file.data, file.size, dim);
    if (ret >= 0)
        ret = rp_nn_plan_make(&p->plan, graph, storage_of(m));
    if (ret >= 0 && !fits(m, p->plan, rows))
        ret = rp_nn_cannot(graph, "results of other sizes than the file says");
    rp_timeline_add("%.40s: planned and packed", m->name);
    if (ret >= 0)
        ret = rp_nn_plan_sum(p->plan, &sum);
    if (ret >= 0)
        ret = bring_weights(m, &sum, p->plan, false, &p->weights);
    if (ret >= 0)
        to_cache(m, dim, p->plan, &sum);
    if (ret >= 0)
        rp_nn_plan_forget(p->plan);
    else
        snprintf(why, size, "%s", graph ? graph->why : "");
    rp_nn_graph_free(&graph);
    if (file.data != m->native->file.data)
        rp_onnx_unmap(&file);
    return ret;
}

/* A plan for these sizes, at the front of the list. With the lock held, or alone.
 * @param why  the reason for RP_ERR_UNSUPPORTED */
static int make(const struct rp_model *m, const int64_t *const *dim, char *why, size_t size)
{
    int ret;
    struct planned *p = calloc(1, sizeof(*p));

    if (!p)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    for (int i = 0; i < m->nin; i++)
        memcpy(p->dim[i], dim[i], (size_t) m->in[i].rank * sizeof(**dim));
    ret = from_cache(m, dim, p);
    if (!ret)
        ret = from_file(m, dim, p, why, size);
    if (ret < 0) {
        free_planned(&p);
        return ret;
    }
    p->next = m->native->first;
    m->native->first = p;
    return 0;
}

static bool is_of(const struct planned *p, const struct rp_model *m, const int64_t *const *dim)
{
    for (int i = 0; i < m->nin; i++)
        if (memcmp(p->dim[i], dim[i], (size_t) m->in[i].rank * sizeof(**dim)) != 0)
            return false;
    return true;
}

static int plan_for(const struct rp_model *m, const int64_t *const *dim, const struct planned **out)
{
    int ret = 0;
    char why[160];
    struct planned *p;

    pthread_mutex_lock(&m->native->lock);
    for (p = m->native->first; p && !is_of(p, m, dim); p = p->next)
        continue;
    if (!p) {
        ret = make(m, dim, why, sizeof(why));
        p = ret < 0 ? NULL : m->native->first;
        if (ret == RP_ERR_UNSUPPORTED)
            ret = rp_fail(RP_ERR_MODEL,
                          "%s: cannot be run natively at these sizes: %s; --network-engine "
                          "onnxruntime can",
                          m->path, why);
    }
    pthread_mutex_unlock(&m->native->lock);
    *out = p;
    return ret;
}

int rp_native_rows(struct rp_model *m, int n)
{
    const struct planned *p;
    int64_t dim[RP_MAX_TENSORS][RP_MAX_RANK];
    const int64_t *dims[RP_MAX_TENSORS];

    for (int i = 0; i < m->nin; i++) {
        memcpy(dim[i], m->in[i].dim, sizeof(dim[i]));
        dim[i][0] = n;
        dims[i] = dim[i];
        for (int d = 0; d < m->in[i].rank; d++)
            if (dim[i][d] < 0)
                return 0;
    }
    return plan_for(m, dims, &p);
}

double rp_native_flop(const struct rp_model *m)
{
    double flop = 0;

    pthread_mutex_lock(&m->native->lock);
    for (const struct planned *p = m->native->first; p; p = p->next)
        if (!p->next) /* the first that was made: try_plan() */
            flop = rp_nn_plan_flop(p->plan);
    pthread_mutex_unlock(&m->native->lock);
    return flop;
}

size_t rp_native_weights(const struct rp_model *m)
{
    size_t bytes = 0;

    pthread_mutex_lock(&m->native->lock);
    for (const struct weights *w = m->native->weights; w; w = w->next)
        bytes += w->bytes;
    pthread_mutex_unlock(&m->native->lock);
    return bytes;
}

/* ---- opening --------------------------------------------------------------------------------- */

static int tell(const struct rp_onnx *onnx, const int *values, int n, struct rp_tensor_info *info)
{
    for (int i = 0; i < n; i++) {
        const struct rp_onnx_value *const v = rp_onnx_value(onnx, values[i]);

        if (!v || type_of(v->type) == RP_TYPE_OTHER || v->rank < 0 || v->rank > RP_MAX_RANK ||
            v->name.n >= sizeof(info[i].name) || memchr(v->name.p, 0, v->name.n))
            return RP_ERR_UNSUPPORTED;
        info[i] = (struct rp_tensor_info){.type = type_of(v->type), .rank = v->rank};
        memcpy(info[i].name, v->name.p, v->name.n);
        memcpy(info[i].dim, v->dim, (size_t) v->rank * sizeof(*v->dim));
    }
    return 0;
}

/* Inputs and outputs as the file says. */
static int read_ends(struct rp_model *m, const struct rp_onnx_image *file)
{
    int ret;
    const int *in, *out;
    struct rp_onnx *onnx;

    RP_CHECK(rp_onnx_read(&onnx, m->path, file->data, file->size));
    const int nin = rp_onnx_inputs(onnx, &in), nout = rp_onnx_outputs(onnx, &out);
    ret = nin > RP_MAX_TENSORS || nout > RP_MAX_TENSORS ? RP_ERR_UNSUPPORTED : 0;
    if (ret >= 0)
        ret = tell(onnx, in, nin, m->in);
    if (ret >= 0)
        ret = tell(onnx, out, nout, m->out);
    m->nin = ret < 0 ? 0 : nin;
    m->nout = ret < 0 ? 0 : nout;
    rp_onnx_close(&onnx);
    return ret;
}

void rp_native_guess_dim(const struct rp_tensor_info *in, int64_t dim[RP_MAX_RANK])
{
    for (int d = 0; d < in->rank; d++)
        dim[d] = in->dim[d] >= 0 ? in->dim[d] : d ? 64 : 1;
}

/* A first plan shows whether it can be done. */
static int try_plan(struct rp_model *m, char *why, size_t size)
{
    int64_t dim[RP_MAX_TENSORS][RP_MAX_RANK] = {{0}};
    const int64_t *dims[RP_MAX_TENSORS];

    for (int i = 0; i < m->nin; i++) {
        dims[i] = dim[i];
        rp_native_guess_dim(&m->in[i], dim[i]);
    }
    return make(m, dims, why, size);
}

static bool is_fixed(const struct rp_model *m)
{
    for (int i = 0; i < m->nin; i++)
        for (int d = 0; d < m->in[i].rank; d++)
            if (m->in[i].dim[d] < 0)
                return false;
    return true;
}

/* What its inputs and outputs are. Of a file that must have a sum all bytes are read at once. */
static int look(struct rp_model *m)
{
    int ret;
    struct rp_onnx_image outline = {0};

    if (m->sum.sha256) {
        RP_CHECK(rp_model_read_summed(m, &m->native->file));
        return read_ends(m, &m->native->file);
    }
    if (m->cache && rp_cache_stamp(m->path, m->native->stamp, sizeof(m->native->stamp)) < 0)
        m->native->stamp[0] = 0;
    RP_CHECK(rp_onnx_outline(&outline, m->path));
    rp_onnx_open_sizes(&outline);
    ret = read_ends(m, &outline);
    rp_onnx_unmap(&outline);
    return ret;
}

int rp_native_open(struct rp_model *m, char *why, size_t size)
{
    int ret;

    snprintf(why, size, "it was changed in memory");
    if (m->edited) /* that is for ONNX Runtime: here the model itself has any number of rows */
        return RP_ERR_UNSUPPORTED;
    if (!(m->native = calloc(1, sizeof(*m->native))))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    pthread_mutex_init(&m->native->lock, NULL);
    m->native->device = m->device;
    m->recordable = m->device->fns->record_begin != NULL;
    snprintf(why, size, "inputs or outputs of a type that is not known");
    RP_TRY(look(m));
    RP_TRY(try_plan(m, why, size));
    if (is_fixed(m))
        rp_onnx_unmap(&m->native->file);
    return 0;

fail:
    rp_native_close(&m->native);
    m->recordable = false;
    return ret;
}

int rp_model_could_be_native(const char *path, char *why, size_t size)
{
    struct rp_model m = {0};
    int ret;

    why[0] = 0;
    if (!(m.path = strdup(path)))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    ret = rp_device_cpu(&m.device);
    if (ret >= 0)
        ret = rp_native_open(&m, why, size);
    rp_native_close(&m.native);
    rp_device_destroy(&m.device);
    free(m.path);
    if (ret >= 0)
        why[0] = 0;
    return ret == RP_ERR_UNSUPPORTED ? 0 : ret < 0 ? ret : 1;
}

void rp_native_close(struct rp_native **native)
{
    if (!*native)
        return;
    for (struct planned *p = (*native)->first, *next; p; p = next) {
        next = p->next;
        free_planned(&p);
    }
    for (struct weights *w = (*native)->weights, *next; w; w = next) {
        next = w->next;
        free_weights(*native, &w);
    }
    rp_onnx_unmap(&(*native)->file);
    pthread_mutex_destroy(&(*native)->lock);
    free(*native);
    *native = NULL;
}

/* ---- nets ------------------------------------------------------------------------------------ */

int rp_native_sizes(struct rp_net *net)
{
    const int64_t *dims[RP_MAX_TENSORS];
    struct rp_native_net *n;

    for (int i = 0; i < RP_MAX_TENSORS; i++)
        dims[i] = net->in[i].dim;
    if (!(net->native = n = calloc(1, sizeof(*n))))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    RP_CHECK(plan_for(net->model, dims, &n->planned));
    for (int i = 0; i < net->nout; i++)
        memcpy(net->out[i].dim, n->planned->plan->out[i].dim,
               (size_t) net->out[i].rank * sizeof(*net->out[i].dim));
    return 0;
}

int rp_native_bind(struct rp_net *net)
{
    struct rp_native_net *const n = net->native;
    struct rp_nn_place place = {.weights = n->planned->weights->data};

    RP_CHECK(rp_slot_alloc(net->slot, n->planned->plan->arena, &place.arena));
    for (int i = 0; i < net->nin; i++)
        place.in[i] = net->in[i].data;
    for (int i = 0; i < net->nout; i++)
        place.out[i] = net->out[i].data;
    RP_CHECK(rp_nn_run_create(&n->run, n->planned->plan, &place));
    if (net->model->precision.taken == RP_PRECISION_FP32)
        rp_nn_run_multiply(n->run, RP_PRODUCT_FULL);
    return 0;
}

void rp_native_bind_input(struct rp_net *net, int index)
{
    if (net->native->run) /* else it is done when the others are */
        rp_nn_run_bind_input(net->native->run, index, net->in[index].data);
}

int rp_native_run(const struct rp_net *net)
{
    return rp_nn_run_go(net->native->run, net->model->device->ops, net->slot->stream);
}

void rp_native_multiply(struct rp_net *net, enum rp_net_product product)
{
    rp_nn_run_multiply(net->native->run, product);
}

void rp_native_unbind(struct rp_net *net)
{
    if (!net->native)
        return;
    rp_nn_run_free(&net->native->run);
    free(net->native);
    net->native = NULL;
}

int rp_net_steps(const struct rp_net *net)
{
    return net->native ? rp_nn_run_steps(net->native->run) : 0;
}

enum rp_op_number rp_net_step(const struct rp_net *net, int i, const void **args)
{
    return rp_nn_run_step(net->native->run, i, args);
}

int rp_net_run_step(const struct rp_net *net, int i)
{
    return rp_nn_run_go_step(net->native->run, net->model->device->ops, net->slot->stream, i);
}
