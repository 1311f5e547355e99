/* A model bound to fixed buffers. ONNX Runtime writes straight into them: we allocate and copy
 * nothing in a run, which also makes it possible to record it. */
#include "engine/graph.h"
#include "engine/native.h"

struct binding {
    OrtIoBinding *io;
    OrtMemoryInfo *memory;
    OrtRunOptions *run;     /* eager */
    OrtRunOptions *capture; /* while recording: does not wait, keeps staging memory */
    OrtValue *in[RP_MAX_TENSORS], *out[RP_MAX_TENSORS];
};

static int fix_size(const struct rp_model *m, struct rp_tensor *t, const char *name)
{
    size_t count = 1;

    for (int i = 0; i < t->rank; i++) {
        if (t->dim[i] < 0 || (t->dim[i] > 0 && count > ((size_t) 1 << 31) / (size_t) t->dim[i]))
            return rp_fail(RP_ERR_MODEL, "%s: tensor '%s' has a size that is open or absurd",
                           m->path, name);
        count *= (size_t) t->dim[i];
    }
    t->count = count;
    t->bytes = count * rp_type_size(t->type);
    return t->bytes || !count ? 0 : rp_fail(RP_ERR_MODEL, "%s: tensor '%s' has a type that is not "
                                            "supported", m->path, name);
}

static int make_value(struct rp_net *net, struct rp_tensor *t, OrtValue **value)
{
    int ret = 0;
    struct binding *const b = net->binding;
    const OrtApi *const api = net->model->engine->api;

    if (*value)
        api->ReleaseValue(*value);
    *value = NULL;
    ORT(api, net->model->path,
        CreateTensorWithDataAsOrtValue(b->memory, t->data, t->bytes, t->dim, (size_t) t->rank,
                                       rp_ort_element(t->type), value));
fail:
    return ret;
}

static int bind_tensor(struct rp_net *net, bool input, int i)
{
    int ret = 0;
    struct binding *const b = net->binding;
    const struct rp_model *const m = net->model;
    const OrtApi *const api = m->engine->api;
    struct rp_tensor *const t = input ? &net->in[i] : &net->out[i];
    OrtValue **const value = input ? &b->in[i] : &b->out[i];

    if (net->native || m->native) {
        if (input && net->native)
            rp_native_bind_input(net, i);
        return 0;
    }
    RP_TRY(make_value(net, t, value));
    if (input)
        ORT(api, m->path, BindInput(b->io, m->in[i].name, *value));
    else
        ORT(api, m->path, BindOutput(b->io, m->out[i].name, *value));
fail:
    return ret;
}

/* Give the tensor memory of its own, or the beginning of another net's. */
static int place(struct rp_net *net, struct rp_tensor *t, const struct rp_tensor *over)
{
    if (!over)
        return rp_slot_alloc(net->slot, t->bytes, &t->data);
    t->data = over->data;
    if (t->bytes <= over->bytes)
        return 0;
    return rp_fail(RP_ERR_INVALID, "%s: needs more than the net it shares memory with",
                   net->model->path);
}

static int open_inputs(struct rp_net *net, const int64_t *const *in_dim, const struct rp_net *over)
{
    const struct rp_model *const m = net->model;

    for (int i = 0; i < m->nin; i++) {
        struct rp_tensor *const t = &net->in[i];

        t->type = m->in[i].type;
        t->rank = m->in[i].rank;
        for (int d = 0; d < t->rank; d++)
            t->dim[d] = in_dim && in_dim[i] ? in_dim[i][d] : m->in[i].dim[d];
        RP_CHECK(fix_size(m, t, m->in[i].name));
        RP_CHECK(place(net, t, over ? &over->in[i] : NULL));
        RP_CHECK(bind_tensor(net, true, i));
    }
    return 0;
}

/* Run once on zeros, with outputs allocated by ONNX Runtime, to learn their sizes. */
static int learn_outputs(struct rp_net *net)
{
    int ret = 0;
    size_t n = 0;
    OrtAllocator *alloc = NULL;
    OrtValue **values = NULL;
    OrtTensorTypeAndShapeInfo *shape = NULL;
    struct binding *const b = net->binding;
    const struct rp_model *const m = net->model;
    const OrtApi *const api = m->engine->api;

    ORT(api, m->path, GetAllocatorWithDefaultOptions(&alloc));
    for (int i = 0; i < m->nout; i++)
        ORT(api, m->path, BindOutputToDevice(b->io, m->out[i].name, b->memory));
    ORT(api, m->path, RunWithBinding(m->session, b->run, b->io));
    ORT(api, m->path, GetBoundOutputValues(b->io, alloc, &values, &n));
    for (int i = 0; i < m->nout && (size_t) i < n; i++) {
        size_t rank;

        ORT(api, m->path, GetTensorTypeAndShape(values[i], &shape));
        ORT(api, m->path, GetDimensionsCount(shape, &rank));
        if (rank > RP_MAX_RANK) {
            ret = rp_fail(RP_ERR_MODEL, "%s: output '%s' has too many dimensions", m->path,
                          m->out[i].name);
            goto fail;
        }
        net->out[i].rank = (int) rank;
        ORT(api, m->path, GetDimensions(shape, net->out[i].dim, rank));
        api->ReleaseTensorTypeAndShapeInfo(shape);
        shape = NULL;
    }
    api->ClearBoundOutputs(b->io);

fail:
    if (shape)
        api->ReleaseTensorTypeAndShapeInfo(shape);
    for (size_t i = 0; values && i < n; i++)
        if (values[i])
            api->ReleaseValue(values[i]);
    if (values)
        alloc->Free(alloc, values);
    return ret;
}

static int open_outputs(struct rp_net *net, const struct rp_net *over)
{
    bool open = false;
    const struct rp_model *const m = net->model;

    for (int i = 0; i < m->nout; i++) {
        struct rp_tensor *const t = &net->out[i];

        t->type = m->out[i].type;
        t->rank = m->out[i].rank;
        memcpy(t->dim, m->out[i].dim, sizeof(t->dim));
        for (int d = 0; d < t->rank; d++)
            open |= t->dim[d] < 0;
    }
    if (m->native)
        RP_CHECK(rp_native_sizes(net));
    else if (open)
        RP_CHECK(learn_outputs(net));
    for (int i = 0; i < m->nout; i++) {
        struct rp_tensor *const t = &net->out[i];

        RP_CHECK(fix_size(m, t, m->out[i].name));
        RP_CHECK(place(net, t, over ? &over->out[i] : NULL));
        RP_CHECK(bind_tensor(net, false, i));
    }
    return 0;
}

/* On a GPU ONNX Runtime itself must never capture or replay (gpu_graph_id -1), and a run that is
 * being captured must neither wait nor free its pinned staging memory, which the graph's copies
 * read. */
static int make_run_options(struct rp_net *net)
{
    int ret = 0;
    struct binding *const b = net->binding;
    const struct rp_model *const m = net->model;
    const OrtApi *const api = m->engine->api;

    ORT(api, m->path, CreateRunOptions(&b->run));
    if (!rp_ort_on_gpu(m)) {
        ORT(api, m->path, CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &b->memory));
        return 0;
    }
    ORT(api, m->path, CreateMemoryInfo("Cuda", OrtDeviceAllocator, m->device->id, OrtMemTypeDefault,
                                       &b->memory));
    ORT(api, m->path, CreateRunOptions(&b->capture));
    ORT(api, m->path, AddRunConfigEntry(b->run, "gpu_graph_id", "-1"));
    ORT(api, m->path, AddRunConfigEntry(b->capture, "gpu_graph_id", "-1"));
    ORT(api, m->path,
        AddRunConfigEntry(b->capture, "disable_synchronize_execution_providers", "1"));
fail:
    return ret;
}

/* The only thing that changes in a model, which several pipelines may be using. */
static void note_sizes(struct rp_model *model, const struct rp_net *net)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

    pthread_mutex_lock(&lock);
    for (int i = 0; i < net->nin; i++)
        memcpy(model->used_dim[i], net->in[i].dim, sizeof(net->in[i].dim));
    model->used = true;
    pthread_mutex_unlock(&lock);
}

int rp_net_open_over(struct rp_net **out, struct rp_slot *slot, struct rp_model *model,
                     const int64_t *const *in_dim, const struct rp_net *over)
{
    int ret;
    const OrtApi *const api = model->engine->api;
    struct binding *b;
    struct rp_net *const net = *out = calloc(1, sizeof(*net));

    if (!net)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    net->model = model;
    net->slot = slot;
    net->nin = model->nin;
    net->nout = model->nout;
    net->binding = b = calloc(1, sizeof(*b));
    if (!b) {
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
        goto fail;
    }
    if (!model->native) {
        RP_TRY(make_run_options(net));
        ORT(api, model->path, CreateIoBinding(model->session, &b->io));
    }
    RP_TRY(open_inputs(net, in_dim, over));
    RP_TRY(open_outputs(net, over));
    if (net->native)
        RP_TRY(rp_native_bind(net));
    note_sizes(model, net);
    return 0;

fail:
    rp_net_close(out);
    return ret;
}

void rp_net_close(struct rp_net **out)
{
    struct rp_net *const net = *out;

    if (!net)
        return;
    struct binding *const b = net->binding;
    const OrtApi *const api = net->model->engine->api;
    rp_graph_destroy(&net->graph);
    rp_native_unbind(net);
    if (b) {
        if (b->io)
            api->ReleaseIoBinding(b->io);
        for (int i = 0; i < RP_MAX_TENSORS; i++) {
            if (b->in[i])
                api->ReleaseValue(b->in[i]);
            if (b->out[i])
                api->ReleaseValue(b->out[i]);
        }
        if (b->run)
            api->ReleaseRunOptions(b->run);
        if (b->capture)
            api->ReleaseRunOptions(b->capture);
        if (b->memory)
            api->ReleaseMemoryInfo(b->memory);
        free(b);
    }
    free(net);
    *out = NULL;
}

int rp_net_bind_input(struct rp_net *net, int index, void *data)
{
    net->in[index].data = data;
    return bind_tensor(net, true, index);
}

static bool recording(const struct rp_slot *slot)
{
    const struct rp_device_fns *const fns = slot->device->fns;

    return fns->is_recording && fns->is_recording(slot->device, slot->stream);
}

static int run_now(void *priv)
{
    int ret = 0;
    struct rp_net *const net = priv;
    struct binding *const b = net->binding;
    const bool capture = recording(net->slot);

    if (net->native)
        return rp_native_run(net);
    if (capture && !net->model->recordable)
        return rp_fail(RP_ERR_UNSUPPORTED, "%s cannot be recorded", net->model->name);
    ORT(net->model->engine->api, net->model->path,
        RunWithBinding(net->model->session, capture ? b->capture : b->run, b->io));
fail:
    return ret;
}

static int make_graph(struct rp_net *net)
{
    RP_CHECK(rp_graph_create(&net->graph, net->slot, net->model->name, net->slot->graph_options));
    for (int i = 0; i < net->nout; i++)
        RP_CHECK(rp_graph_watch(net->graph, net->out[i].data, net->out[i].bytes));
    return 0;
}

int rp_net_run(struct rp_net *net)
{
    const bool own =
        net->slot->model_graphs && net->model->recordable && !recording(net->slot);

    if (!own)
        return run_now(net);
    if (!net->graph)
        RP_CHECK(make_graph(net));
    return rp_graph_run(net->graph, run_now, net, true);
}

int rp_model_warm(struct rp_model *model, const int64_t (*dim)[RP_MAX_RANK])
{
    int ret;
    struct rp_slot *slot = NULL;
    struct rp_net *net = NULL;
    int64_t guess[RP_MAX_TENSORS][RP_MAX_RANK];
    const int64_t *dims[RP_MAX_TENSORS] = {0};

    if (model->native)
        return 0;
    for (int i = 0; i < model->nin; i++) {
        dims[i] = dim[i];
        if (model->in[i].rank && !dim[i][0] && !rp_ort_guess_dim(&model->in[i], guess[i]))
            return 0;
        if (model->in[i].rank && !dim[i][0])
            dims[i] = guess[i];
    }
    RP_TRY(rp_slot_create(&slot, model->device));
    RP_TRY(rp_net_open_over(&net, slot, model, dims, NULL));
    ret = net ? run_now(net) : RP_ERR_NOMEM;
    if (ret >= 0)
        ret = rp_slot_sync(slot);

fail:
    rp_net_close(&net);
    rp_slot_destroy(&slot);
    return ret;
}
