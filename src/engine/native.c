/* The plans of a model are made when a net first asks for their sizes, and kept with their weights
 * on the device until the model is closed; all slots share them. A net owns its arena and the steps
 * with its own addresses. */
#include "engine/native.h"

#include "nets/run.h"
#include "onnx/sizes.h"

struct planned {
    struct planned *next;
    int64_t dim[RP_MAX_TENSORS][RP_MAX_RANK]; /* of the inputs */
    struct rp_nn_plan *plan;
    void *weights; /* on the device */
};

struct rp_native {
    struct rp_device *device;
    struct rp_onnx_image file; /* empty when all sizes are fixed and the only plan is made */
    pthread_mutex_t lock;      /* of `first` */
    struct planned *first;
};

struct rp_native_net {
    const struct planned *planned;
    struct rp_nn_run *run;
};

/* ---- plans ----------------------------------------------------------------------------------- */

static void free_planned(struct rp_native *native, struct planned **p)
{
    if (!*p)
        return;
    rp_nn_plan_free(&(*p)->plan);
    if ((*p)->weights)
        native->device->fns->free(native->device, (*p)->weights);
    free(*p);
    *p = NULL;
}

static int upload(struct rp_native *native, struct planned *p)
{
    int ret;
    struct rp_device *const dev = native->device;
    void *const host = malloc(RP_MAX(p->plan->weights, 1));

    if (!host)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    rp_nn_plan_weights(p->plan, host);
    ret = dev->fns->alloc(dev, p->plan->weights, &p->weights);
    if (ret >= 0)
        ret = dev->fns->upload(dev, NULL, p->weights, host, p->plan->weights);
    if (ret >= 0)
        ret = dev->fns->sync(dev, NULL);
    free(host);
    return ret;
}

/* Are the results those that the model says it has? */
static bool fits(const struct rp_model *m, const struct rp_nn_plan *plan)
{
    bool ok = plan->ninputs == m->nin && plan->noutputs == m->nout;

    for (int i = 0; ok && i < m->nout; i++) {
        ok = plan->out[i].rank == m->out[i].rank;
        for (int d = 0; ok && d < m->out[i].rank; d++)
            ok = m->out[i].dim[d] < 0 || m->out[i].dim[d] == plan->out[i].dim[d];
    }
    return ok;
}

static enum rp_act_type storage_of(const struct rp_model *m)
{
    return m->precision.taken == RP_PRECISION_FP16 ? RP_ACT_F16 : RP_ACT_F32;
}

/* @param why  the reason for RP_ERR_UNSUPPORTED */
static int make(const struct rp_model *m, struct rp_native *native,
                const struct rp_onnx_image *file, const int64_t *const *dim, struct planned **out,
                char *why, size_t size)
{
    int ret;
    struct rp_nn_graph *graph = NULL;
    struct planned *const p = *out = calloc(1, sizeof(*p));

    if (!p)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    for (int i = 0; i < m->nin; i++)
        memcpy(p->dim[i], dim[i], sizeof(p->dim[i]));
    ret = rp_nn_graph_read(&graph, m->path, file->data, file->size, dim);
    if (ret >= 0)
        ret = rp_nn_plan_make(&p->plan, graph, storage_of(m));
    if (ret >= 0 && !fits(m, p->plan))
        ret = rp_nn_cannot(graph, "results of other sizes than the file says");
    if (ret >= 0)
        ret = upload(native, p);
    if (ret >= 0)
        rp_nn_plan_forget(p->plan);
    else
        snprintf(why, size, "%s", graph ? graph->why : "");
    if (ret < 0)
        free_planned(native, out);
    rp_nn_graph_free(&graph);
    return ret;
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
    struct rp_native *const native = m->native;
    struct planned *p;

    pthread_mutex_lock(&native->lock);
    for (p = native->first; p && !is_of(p, m, dim); p = p->next)
        continue;
    if (!p && native->file.data) {
        ret = make(m, native, &native->file, dim, &p, why, sizeof(why));
        if (ret == RP_ERR_UNSUPPORTED)
            ret = rp_fail(RP_ERR_MODEL,
                          "%s: cannot be run natively at these sizes: %s; --network-engine "
                          "onnxruntime can",
                          m->path, why);
        if (ret >= 0 && p) {
            p->next = native->first;
            native->first = p;
        }
    } else if (!p) {
        ret = rp_fail(RP_ERR_MODEL, "%s: its inputs have other sizes", m->path);
    }
    pthread_mutex_unlock(&native->lock);
    *out = p;
    return ret;
}

/* ---- opening --------------------------------------------------------------------------------- */

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
static int try_plan(struct rp_model *m, const struct rp_onnx_image *file, bool *fixed, char *why,
                    size_t size)
{
    int64_t dim[RP_MAX_TENSORS][RP_MAX_RANK] = {{0}};
    const int64_t *dims[RP_MAX_TENSORS];

    *fixed = true;
    for (int i = 0; i < m->nin; i++) {
        dims[i] = dim[i];
        rp_native_guess_dim(&m->in[i], dim[i]);
        for (int d = 0; d < m->in[i].rank; d++)
            *fixed &= m->in[i].dim[d] >= 0;
    }
    return make(m, m->native, file, dims, &m->native->first, why, size);
}

int rp_native_open(struct rp_model *m, char *why, size_t size)
{
    int ret;
    bool fixed;
    struct rp_onnx_image own = {0};

    if (!(m->native = calloc(1, sizeof(*m->native))))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    pthread_mutex_init(&m->native->lock, NULL);
    m->native->device = m->device;
    m->recordable = m->device->fns->record_begin != NULL;
    snprintf(why, size, "inputs or outputs of a type that is not known");
    if (m->sum.sha256) {
        RP_TRY(rp_model_read_summed(m, &own));
    } else if (!m->edited) {
        RP_TRY(rp_onnx_load(&own, m->path));
        rp_onnx_open_sizes(&own);
    }
    const struct rp_onnx_image *const file = m->edited ? m->edited : &own;
    RP_TRY(read_ends(m, file));
    RP_TRY(try_plan(m, file, &fixed, why, size));
    if (fixed || !m->edited) {
        if (!fixed)
            m->native->file = own;
        else
            rp_onnx_unmap(&own);
        return 0;
    }
    snprintf(why, size, "its sizes are open");
    ret = RP_ERR_UNSUPPORTED;

fail:
    rp_onnx_unmap(&own);
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
        free_planned(*native, &p);
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
    struct rp_nn_place place = {.weights = n->planned->weights};

    RP_CHECK(rp_slot_alloc(net->slot, n->planned->plan->arena, &place.arena));
    for (int i = 0; i < net->nin; i++)
        place.in[i] = net->in[i].data;
    for (int i = 0; i < net->nout; i++)
        place.out[i] = net->out[i].data;
    return rp_nn_run_create(&n->run, n->planned->plan, &place);
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
