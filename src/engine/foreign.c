#include "engine/foreign.h"

#include "engine/ort.h"

struct rp_foreign {
    const struct rp_model *model; /* the net's, for names and types */
    OrtSession *session;
    OrtRunOptions *run;
    OrtMemoryInfo *memory;
    OrtIoBinding *binding; /* NULL: inputs are on the host */
    OrtValue *in[RP_MAX_TENSORS], *out[RP_MAX_TENSORS];
};

static int make_value(struct rp_foreign *f, const struct rp_tensor *t, void *data, OrtValue **value)
{
    int ret = 0;
    const OrtApi *const api = f->model->engine->api;

    ORT(api, f->model->path,
        CreateTensorWithDataAsOrtValue(f->memory, data, t->bytes, t->dim, (size_t) t->rank,
                                       rp_ort_element(t->type), value));
fail:
    return ret;
}

static int bind(struct rp_foreign *f, const struct rp_net *like)
{
    int ret = 0;
    const struct rp_model *const m = f->model;
    const OrtApi *const api = m->engine->api;

    ORT(api, m->path, CreateIoBinding(f->session, &f->binding));
    for (int i = 0; i < m->nin; i++) {
        RP_TRY(make_value(f, &like->in[i], like->in[i].data, &f->in[i]));
        ORT(api, m->path, BindInput(f->binding, m->in[i].name, f->in[i]));
    }
    for (int i = 0; i < m->nout; i++) {
        RP_TRY(make_value(f, &like->out[i], like->out[i].data, &f->out[i]));
        ORT(api, m->path, BindOutput(f->binding, m->out[i].name, f->out[i]));
    }
fail:
    return ret;
}

int rp_foreign_open(struct rp_foreign **out, const struct rp_net *like, void *const *host)
{
    int ret;
    const struct rp_model *const m = like->model;
    const OrtApi *const api = m->engine->api;
    struct rp_foreign *const f = *out = calloc(1, sizeof(*f));

    if (!f)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    f->model = m;
    RP_TRY(rp_ort_open_foreign(m, !host, &f->session));
    ORT(api, m->path, CreateRunOptions(&f->run));
    if (host || !rp_ort_on_gpu(m))
        ORT(api, m->path, CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &f->memory));
    else
        ORT(api, m->path,
            CreateMemoryInfo("Cuda", OrtDeviceAllocator, m->device->id, OrtMemTypeDefault,
                             &f->memory));
    if (!host)
        RP_TRY(bind(f, like));
    for (int i = 0; host && i < m->nin; i++)
        RP_TRY(make_value(f, &like->in[i], host[i], &f->in[i]));
    return 0;

fail:
    rp_foreign_close(out);
    return ret;
}

static void drop(struct rp_foreign *f, OrtValue **value)
{
    for (int i = 0; i < RP_MAX_TENSORS; i++) {
        if (value[i])
            f->model->engine->api->ReleaseValue(value[i]);
        value[i] = NULL;
    }
}

void rp_foreign_close(struct rp_foreign **foreign)
{
    struct rp_foreign *const f = *foreign;
    const OrtApi *api;

    if (!f)
        return;
    api = f->model->engine->api;
    if (f->binding)
        api->ReleaseIoBinding(f->binding);
    drop(f, f->out);
    drop(f, f->in);
    if (f->memory)
        api->ReleaseMemoryInfo(f->memory);
    if (f->run)
        api->ReleaseRunOptions(f->run);
    if (f->session)
        api->ReleaseSession(f->session);
    free(f);
    *foreign = NULL;
}

int rp_foreign_run(struct rp_foreign *f)
{
    int ret = 0;
    const struct rp_model *const m = f->model;
    const char *in[RP_MAX_TENSORS], *out[RP_MAX_TENSORS];

    if (f->binding) {
        ORT(m->engine->api, m->path, RunWithBinding(f->session, f->run, f->binding));
        return 0;
    }
    for (int i = 0; i < m->nin; i++)
        in[i] = m->in[i].name;
    for (int i = 0; i < m->nout; i++)
        out[i] = m->out[i].name;
    drop(f, f->out);
    ORT(m->engine->api, m->path,
        Run(f->session, f->run, in, (const OrtValue *const *) f->in, (size_t) m->nin, out,
            (size_t) m->nout, f->out));
fail:
    return ret;
}

const void *rp_foreign_output(const struct rp_foreign *f, int index, size_t bytes)
{
    size_t count = 0;
    void *data = NULL;
    OrtStatus *status;
    OrtTensorTypeAndShapeInfo *info = NULL;
    const OrtApi *const api = f->model->engine->api;

    if (f->binding || index < 0 || index >= f->model->nout || !f->out[index])
        return NULL;
    if (!(status = api->GetTensorTypeAndShape(f->out[index], &info)) &&
        !(status = api->GetTensorShapeElementCount(info, &count)))
        status = api->GetTensorMutableData(f->out[index], &data);
    if (info)
        api->ReleaseTensorTypeAndShapeInfo(info);
    if (status) {
        api->ReleaseStatus(status);
        return NULL;
    }
    return count * rp_type_size(f->model->out[index].type) == bytes ? data : NULL;
}
