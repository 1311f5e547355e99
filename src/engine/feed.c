#include "engine/feed.h"

#include "engine/ort.h"

struct rp_feed {
    struct rp_model *model;
    OrtRunOptions *run;
    OrtMemoryInfo *memory;
    OrtValue *in[RP_MAX_TENSORS], *out[RP_MAX_TENSORS];
};

int rp_feed_open(struct rp_feed **out, struct rp_model *model, const struct rp_net *like,
                 void *const *host)
{
    int ret;
    const OrtApi *const api = model->engine->api;
    struct rp_feed *const f = *out = calloc(1, sizeof(*f));

    if (!f)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    f->model = model;
    if (model->nin != like->nin || model->nout != like->nout) {
        ret = rp_fail(RP_ERR_INVALID, "%s: not the model of this net", model->path);
        goto fail;
    }
    ORT(api, model->path, CreateRunOptions(&f->run));
    ORT(api, model->path, CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &f->memory));
    for (int i = 0; i < model->nin; i++) {
        const struct rp_tensor *const t = &like->in[i];

        ORT(api, model->path,
            CreateTensorWithDataAsOrtValue(f->memory, host[i], t->bytes, t->dim, (size_t) t->rank,
                                           rp_ort_element(t->type), &f->in[i]));
    }
    return 0;

fail:
    rp_feed_close(out);
    return ret;
}

static void drop_outputs(struct rp_feed *f)
{
    for (int i = 0; i < RP_MAX_TENSORS; i++) {
        if (f->out[i])
            f->model->engine->api->ReleaseValue(f->out[i]);
        f->out[i] = NULL;
    }
}

void rp_feed_close(struct rp_feed **feed)
{
    struct rp_feed *const f = *feed;
    const OrtApi *api;

    if (!f)
        return;
    api = f->model->engine->api;
    drop_outputs(f);
    for (int i = 0; i < RP_MAX_TENSORS; i++)
        if (f->in[i])
            api->ReleaseValue(f->in[i]);
    if (f->memory)
        api->ReleaseMemoryInfo(f->memory);
    if (f->run)
        api->ReleaseRunOptions(f->run);
    free(f);
    *feed = NULL;
}

int rp_feed_run(struct rp_feed *f)
{
    int ret = 0;
    const struct rp_model *const m = f->model;
    const char *in[RP_MAX_TENSORS], *out[RP_MAX_TENSORS];

    for (int i = 0; i < m->nin; i++)
        in[i] = m->in[i].name;
    for (int i = 0; i < m->nout; i++)
        out[i] = m->out[i].name;
    drop_outputs(f);
    ORT(m->engine->api, m->path,
        Run(m->session, f->run, in, (const OrtValue *const *) f->in, (size_t) m->nin, out,
            (size_t) m->nout, f->out));
fail:
    return ret;
}

const void *rp_feed_output(const struct rp_feed *f, int index, size_t bytes)
{
    size_t count = 0;
    void *data = NULL;
    OrtStatus *status;
    OrtTensorTypeAndShapeInfo *info = NULL;
    const OrtApi *const api = f->model->engine->api;

    if (index < 0 || index >= f->model->nout || !f->out[index])
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
