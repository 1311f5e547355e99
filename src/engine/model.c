#include "engine/native.h"

#include "base/path.h"

static const struct {
    ONNXTensorElementDataType ort;
    size_t size;
    const char *name;
} types[] = {
    [RP_TYPE_F32] = {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, 4, "float32"},
    [RP_TYPE_F64] = {ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE, 8, "float64"},
    [RP_TYPE_I64] = {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, 8, "int64"},
    [RP_TYPE_I32] = {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32, 4, "int32"},
    [RP_TYPE_U8] = {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, 1, "uint8"},
    [RP_TYPE_OTHER] = {ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED, 0, "another type"},
};

enum rp_type rp_ort_type(ONNXTensorElementDataType type)
{
    for (int i = 0; i < RP_TYPE_OTHER; i++)
        if (types[i].ort == type)
            return (enum rp_type) i;
    return RP_TYPE_OTHER;
}

ONNXTensorElementDataType rp_ort_element(enum rp_type type)
{
    return types[type].ort;
}

size_t rp_type_size(enum rp_type type)
{
    return types[type].size;
}

static int read_shape(struct rp_model *m, const OrtTypeInfo *type, struct rp_tensor_info *info)
{
    int ret;
    size_t rank = 0;
    ONNXTensorElementDataType element;
    const OrtTensorTypeAndShapeInfo *shape = NULL;
    const OrtApi *const api = m->engine->api;

    ORT(api, m->path, CastTypeInfoToTensorInfo(type, &shape));
    if (!shape)
        return rp_fail(RP_ERR_MODEL, "%s: %s is not a tensor", m->path, info->name);
    ORT(api, m->path, GetTensorElementType(shape, &element));
    ORT(api, m->path, GetDimensionsCount(shape, &rank));
    if (rank > RP_MAX_RANK)
        return rp_fail(RP_ERR_MODEL, "%s: %s has %zu dimensions, at most %d are supported", m->path,
                       info->name, rank, RP_MAX_RANK);
    ORT(api, m->path, GetDimensions(shape, info->dim, rank));
    info->type = rp_ort_type(element);
    info->rank = (int) rank;
    return 0;

fail:
    return ret;
}

static int read_tensor(struct rp_model *m, bool input, size_t i, struct rp_tensor_info *info)
{
    int ret;
    char *name = NULL;
    OrtTypeInfo *type = NULL;
    OrtAllocator *alloc = NULL;
    const OrtApi *const api = m->engine->api;

    ORT(api, m->path, GetAllocatorWithDefaultOptions(&alloc));
    if (input) {
        ORT(api, m->path, SessionGetInputName(m->session, i, alloc, &name));
        ORT(api, m->path, SessionGetInputTypeInfo(m->session, i, &type));
    } else {
        ORT(api, m->path, SessionGetOutputName(m->session, i, alloc, &name));
        ORT(api, m->path, SessionGetOutputTypeInfo(m->session, i, &type));
    }
    if (strlen(name) >= sizeof(info->name)) {
        ret = rp_fail(RP_ERR_MODEL, "%s: a tensor name is longer than %zu bytes", m->path,
                      sizeof(info->name) - 1);
        goto fail;
    }
    memcpy(info->name, name, strlen(name) + 1);
    ret = read_shape(m, type, info);

fail:
    if (type)
        api->ReleaseTypeInfo(type);
    if (name)
        alloc->Free(alloc, name);
    return ret;
}

static int read_tensors(struct rp_model *m)
{
    int ret;
    size_t nin, nout;
    const OrtApi *const api = m->engine->api;

    ORT(api, m->path, SessionGetInputCount(m->session, &nin));
    ORT(api, m->path, SessionGetOutputCount(m->session, &nout));
    if (nin > RP_MAX_TENSORS || nout > RP_MAX_TENSORS)
        return rp_fail(RP_ERR_MODEL, "%s: %zu inputs and %zu outputs, at most %d are supported",
                       m->path, nin, nout, RP_MAX_TENSORS);
    m->nin = (int) nin;
    m->nout = (int) nout;
    for (size_t i = 0; i < nin; i++)
        RP_TRY(read_tensor(m, true, i, &m->in[i]));
    for (size_t i = 0; i < nout; i++)
        RP_TRY(read_tensor(m, false, i, &m->out[i]));
    return 0;

fail:
    return ret;
}

/* On a GPU our own networks are faster in all that was measured, and there at once; on the CPU ONNX
 * Runtime's are. */
bool rp_model_wants_native(enum rp_network_engine by, const struct rp_device *device)
{
    return by == RP_NETWORK_NATIVE || (by == RP_NETWORK_AUTO && device->fns->record_begin);
}

/* With our own operations if that was asked for and they can; m->native says whether. */
static int open_natively(struct rp_model *m)
{
    char why[160];
    int ret;

    if (!rp_model_wants_native(m->by, m->device) || m->tensorrt)
        return 0;
    ret = rp_native_open(m, why, sizeof(why));
    if (ret == RP_ERR_UNSUPPORTED) {
        rp_log(RP_LOG_DEBUG, "%s: not native: %s", m->name, why);
        return 0;
    }
    return ret;
}

static int begin(struct rp_model *m, struct rp_engine *engine, struct rp_device *device,
                 const struct rp_model_params *params)
{
    m->engine = engine;
    m->device = device;
    m->layout = params->layout == RP_LAYOUT_NHWC ? RP_LAYOUT_NHWC : RP_LAYOUT_NCHW;
    m->deterministic = params->deterministic;
    m->sum = params->sum;
    m->tensorrt = params->tensorrt && !m->sum.sha256; /* it would keep engines */
    m->threads = params->threads;
    m->cache = m->sum.sha256 ? NULL : params->cache;
    m->edited = params->edited;
    m->by = params->by;
    m->precision.taken =
        params->precision == RP_PRECISION_AUTO ? RP_PRECISION_TF32 : params->precision;
    m->nrows = params->rows;
    m->path = strdup(params->path);
    m->name = strdup(params->name ? params->name : rp_path_base(params->path));
    if (!m->path || !m->name)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    return rp_path_is_file(m->path) ? 0 : rp_fail(RP_ERR_IO, "%s: no such file", m->path);
}

static void tell(const struct rp_model *m, double start)
{
    rp_log(RP_LOG_DEBUG, "loading model %s succeeded in %.2f seconds", m->name, rp_now() - start);
}

int rp_model_open_natively(struct rp_model **out, struct rp_engine *engine,
                           struct rp_device *device, const struct rp_model_params *params)
{
    int ret;
    const double start = rp_now();
    struct rp_model *m;

    *out = NULL;
    if (!rp_model_wants_native(params->by, device))
        return 0;
    if (!(m = calloc(1, sizeof(*m))))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    ret = begin(m, engine, device, params);
    if (ret >= 0)
        ret = open_natively(m);
    if (ret < 0 || !m->native) {
        rp_model_close(&m);
        return ret;
    }
    tell(m, start);
    *out = m;
    return 0;
}

int rp_model_open(struct rp_model **out, struct rp_engine *engine, struct rp_device *device,
                  const struct rp_model_params *params)
{
    int ret;
    const double start = rp_now();
    struct rp_model *m;

    if (!(m = *out = calloc(1, sizeof(*m))))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    RP_TRY(begin(m, engine, device, params));
    RP_TRY(open_natively(m));
    if (!m->native) {
        RP_TRY(rp_ort_open_session(m, params->threads, m->cache));
        RP_TRY(read_tensors(m));
    }
    m->edited = NULL;
    tell(m, start);
    return 0;

fail:
    rp_model_close(out);
    return ret;
}

enum rp_layout rp_model_layout(const struct rp_model *model)
{
    return model->layout;
}

bool rp_model_deterministic(const struct rp_model *model)
{
    return model->deterministic;
}

bool rp_model_is_native(const struct rp_model *model)
{
    return model->native != NULL;
}

struct rp_precision_facts rp_model_precision(const struct rp_model *model)
{
    return model->precision;
}

bool rp_model_recordable(const struct rp_model *model)
{
    return model->recordable;
}

void rp_model_close(struct rp_model **out)
{
    struct rp_model *const m = *out;

    if (!m)
        return;
    for (int n = 0; n <= RP_MAX_LANES; n++)
        if (m->rows[n] != m) // NOLINT(misc-no-recursion): one level
            rp_model_close(&m->rows[n]);
    rp_native_close(&m->native);
    if (m->session)
        m->engine->api->ReleaseSession(m->session);
    free(m->path);
    free(m->name);
    free(m);
    *out = NULL;
}

const char *rp_model_name(const struct rp_model *model)
{
    return model->name;
}

const char *rp_model_path(const struct rp_model *model)
{
    return model->path;
}

const int64_t *rp_model_used_dim(const struct rp_model *model, int input)
{
    return model->used && input >= 0 && input < model->nin ? model->used_dim[input] : NULL;
}

int rp_model_inputs(const struct rp_model *model, const struct rp_tensor_info **info)
{
    *info = model->in;
    return model->nin;
}

int rp_model_outputs(const struct rp_model *model, const struct rp_tensor_info **info)
{
    *info = model->out;
    return model->nout;
}

int rp_model_find_input(const struct rp_model *model, const char *name)
{
    for (int i = 0; i < model->nin; i++)
        if (!strcmp(model->in[i].name, name))
            return i;
    return -1;
}

static void shape_text(char *buf, size_t size, int rank, const int64_t *dim)
{
    size_t n = 0;

    buf[0] = 0;
    for (int i = 0; i < rank && n < size; i++) {
        const char *const sep = i ? "x" : "";

        n += (size_t) (dim[i] < 0 ? snprintf(buf + n, size - n, "%s?", sep)
                                  : snprintf(buf + n, size - n, "%s%lld", sep, (long long) dim[i]));
    }
}

int rp_model_expect_input(const struct rp_model *model, const char *name, int index,
                          enum rp_type type, int rank, const int64_t *dim)
{
    char got[128], want[128];
    bool ok;

    if (name)
        index = rp_model_find_input(model, name);
    if (index < 0 || index >= model->nin)
        return rp_fail(RP_ERR_MODEL, "%s: has no input '%s'; it is not a model of this kind",
                       model->path, name ? name : "");

    const struct rp_tensor_info *const t = &model->in[index];
    ok = t->type == type && t->rank == rank;
    for (int i = 0; ok && i < rank; i++)
        ok = dim[i] < 0 || t->dim[i] < 0 || t->dim[i] == dim[i];
    if (ok)
        return index;
    shape_text(got, sizeof(got), t->rank, t->dim);
    shape_text(want, sizeof(want), rank, dim);
    return rp_fail(RP_ERR_MODEL, "%s: input '%s' is %s %s, expected %s %s", model->path, t->name,
                   types[t->type].name, got, types[type].name, want);
}

int rp_model_expect_outputs(const struct rp_model *model, int at_least)
{
    if (model->nout >= at_least)
        return 0;
    return rp_fail(RP_ERR_MODEL, "%s: has %d outputs, expected %d; it is not a model of this kind",
                   model->path, model->nout, at_least);
}
