/* One GPU as a device: memory, streams, recording and replay. Kernels are in the .cu files.
 *
 * Eager work of all slots goes through one stream, because ONNX Runtime's sessions are tied to one;
 * captures happen on that stream too. Instantiated graphs run on the slots' own streams, so that
 * several of them fill the GPU. The capture mode is relaxed: our allocator may call cudaMalloc
 * during a capture, and a decoder thread may use the GPU. */
#include "device/cuda/cuda.h"

#define MIN_DRIVER 13000 /* CUDA 13.0, driver 580 */
#define MAX_BODIES 8     /* branches of one choice */

struct rp_module_host rp_host;

struct cuda_device {
    struct rp_device base;
    cudaStream_t record;
    pthread_t thread; /* that opened it */
};

struct rp_recording {
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    struct rp_census census;
};

int rp_cuda_fail(cudaError_t error, const char *what)
{
    cudaGetLastError(); /* clear it, or the next call would report it again */
    return rp_host.fail(error == cudaErrorMemoryAllocation ? RP_ERR_DEVICE_MEM : RP_ERR_DEVICE,
                        "GPU: %s: %s", what, cudaGetErrorString(error));
}

int rp_cuda_launched(const char *op)
{
    const cudaError_t error = cudaGetLastError();

    return error == cudaSuccess ? 0 : rp_cuda_fail(error, op);
}

static struct cuda_device *self(struct rp_device *dev)
{
    return (struct cuda_device *) dev;
}

/* From here on the calling thread works with this GPU. Seen on H200s: while networks are opened at the
 * same time, on one GPU or several, calls of one thread are "not permitted when stream is capturing"
 * though nothing of ours captures then, and plans of cuDNN fail in another. It is taken for a capture
 * inside of cuDNN's planning, in the mode in which no thread may allocate; one whose own mode is
 * relaxed may, and does not end that capture. */
static _Thread_local int mine = -1; /* the GPU that this thread works with; -1: none yet */

static cudaError_t use(int id)
{
    enum cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
    const cudaError_t error = cudaSetDevice(id);

    mine = id;
    return error != cudaSuccess ? error : cudaThreadExchangeStreamCaptureMode(&mode);
}

static int cuda_enter(struct rp_device *dev)
{
    int ret = 0;

    CU_TRY("device", use(dev->id));
    rp_workspace_serve(self(dev)->thread);
fail:
    return ret;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static int cuda_alloc(struct rp_device *dev, size_t size, void **out)
{
    int ret;
    struct cuda_device *const d = self(dev);

    *out = NULL;
    CU_TRY("memory", cudaMalloc(out, RP_MAX(size, 256)));
    CU_TRY("memory", cudaMemsetAsync(*out, 0, RP_MAX(size, 256), d->record));
    return 0;

fail:
    cudaFree(*out);
    *out = NULL;
    return ret;
}

static void cuda_free(struct rp_device *dev, void *p)
{
    (void) dev;
    cudaFree(p);
}

static int cuda_alloc_host(struct rp_device *dev, size_t size, void **out)
{
    int ret;

    *out = NULL;
    /* The memory is every GPU's. A decoder's thread may call this, and that of one GPU for frames that
     * another one's pipeline made: it stays with its own. */
    if (mine < 0)
        CU_TRY("device", use(dev->id));
    CU_TRY("pinned memory", cudaHostAlloc(out, RP_MAX(size, 64), cudaHostAllocPortable));
    memset(*out, 0, RP_MAX(size, 64));
    return 0;

fail:
    return ret;
}

static void cuda_free_host(struct rp_device *dev, void *p)
{
    (void) dev;
    cudaFreeHost(p);
}

static bool cuda_is_pinned(struct rp_device *dev, const void *p)
{
    struct cudaPointerAttributes a;

    (void) dev;
    if (cudaPointerGetAttributes(&a, p) != cudaSuccess) {
        cudaGetLastError();
        return false;
    }
    return a.type == cudaMemoryTypeHost;
}

static int cuda_transfer(struct rp_device *dev, struct rp_stream *s, const struct rp_transfer *t,
                         bool replayed)
{
    int ret = 0;

    (void) dev;
    if (t->n > 0 && t->bytes)
        CU_TRY("copy", cudaMemcpy2DAsync(t->dst, t->dst_stride, t->src, t->src_stride, t->bytes,
                                         (size_t) t->n, cudaMemcpyDefault,
                                         replayed ? s->replay : s->record));
fail:
    return ret;
}

static int copy(struct rp_stream *s, void *dst, const void *src, size_t n, enum cudaMemcpyKind kind)
{
    int ret = 0;

    if (n)
        CU_TRY("copy", cudaMemcpyAsync(dst, src, n, kind, s->record));
fail:
    return ret;
}

static int cuda_upload(struct rp_device *dev, struct rp_stream *s, void *dst, const void *src,
                       size_t n)
{
    (void) dev;
    return copy(s, dst, src, n, cudaMemcpyHostToDevice);
}

static int cuda_download(struct rp_device *dev, struct rp_stream *s, void *dst, const void *src,
                         size_t n)
{
    (void) dev;
    return copy(s, dst, src, n, cudaMemcpyDeviceToHost);
}

static int cuda_copy(struct rp_device *dev, struct rp_stream *s, void *dst, const void *src,
                     size_t n)
{
    (void) dev;
    return copy(s, dst, src, n, cudaMemcpyDeviceToDevice);
}

static int cuda_zero(struct rp_device *dev, struct rp_stream *s, void *dst, size_t n)
{
    int ret = 0;

    (void) dev;
    CU_TRY("zero", cudaMemsetAsync(dst, 0, n, s->record));
fail:
    return ret;
}

static int cuda_sync(struct rp_device *dev, struct rp_stream *s)
{
    int ret = 0;

    (void) dev;
    CU_TRY("wait", cudaStreamSynchronize(s->record));
    if (!s->beside)
        CU_TRY("wait", cudaStreamSynchronize(s->replay));
fail:
    return ret;
}

static int cuda_memory(struct rp_device *dev, size_t *free_bytes, size_t *total)
{
    (void) dev;
    if (cudaMemGetInfo(free_bytes, total) == cudaSuccess)
        return 0;
    cudaGetLastError();
    return RP_ERR_DEVICE;
}

/* ---- streams --------------------------------------------------------------------------------- */

static void cuda_stream_destroy(struct rp_device *dev, struct rp_stream *s)
{
    if (!s)
        return;
    cudaStreamSynchronize(s->record);
    if (s->replay) {
        cudaStreamSynchronize(s->replay);
        cudaStreamDestroy(s->replay);
    }
    if (s->beside)
        cudaStreamDestroy(s->record);
    if (s->pool)
        rp_pool_release(dev->id, s->pool);
    cudaFree(s->workspace);
    cudaFreeHost(s->count);
    free(s);
}

static int cuda_stream_create(struct rp_device *dev, struct rp_stream **out)
{
    int ret;
    struct rp_stream *const s = *out = calloc(1, sizeof(*s));

    if (!s)
        return rp_host.fail(RP_ERR_NOMEM, "out of memory");
    s->record = self(dev)->record;
    s->pool = rp_pool_new();
    CU_TRY("stream", cudaStreamCreateWithFlags(&s->replay, cudaStreamNonBlocking));
    CU_TRY("pinned memory", cudaHostAlloc((void **) &s->count, sizeof(*s->count),
                                          cudaHostAllocDefault));
    return 0;

fail:
    cuda_stream_destroy(dev, s);
    *out = NULL;
    return ret;
}

/* The driver's function without its library: the module links only the runtime. */
static int current_context(void **out)
{
    int ret = 0;
    void *get = NULL;
    enum cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
    int (*fn)(void **);

    CU_TRY("driver", cudaGetDriverEntryPointByVersion("cuCtxGetCurrent", &get, MIN_DRIVER,
                                                      cudaEnableDefault, &found));
    *(void **) &fn = get;
    if (found != cudaDriverEntryPointSuccess || fn(out) != 0 || !*out)
        ret = rp_host.fail(RP_ERR_UNSUPPORTED, "GPU: its context is not known");
fail:
    return ret;
}

static int cuda_beside(struct rp_device *dev, struct rp_stream **out, void **context, void **queue)
{
    int ret;
    struct rp_stream *const s = *out = calloc(1, sizeof(*s));

    if (!s)
        return rp_host.fail(RP_ERR_NOMEM, "out of memory");
    s->beside = true;
    CU_TRY("device", use(dev->id));
    RP_TRY(current_context(context));
    CU_TRY("stream", cudaStreamCreateWithFlags(&s->record, cudaStreamNonBlocking));
    *queue = s->record;
    return 0;

fail:
    free(s);
    *out = NULL;
    return ret;
}

static int cuda_alloc_beside(struct rp_device *dev, size_t size, void **out)
{
    int ret = 0;

    const int before = mine;

    *out = NULL;
    CU_TRY("device", use(dev->id));
    CU_TRY("memory", cudaMalloc(out, RP_MAX(size, 256)));
fail:
    if (before >= 0 && before != dev->id)
        use(before);
    return ret;
}

/* ---- recording ------------------------------------------------------------------------------- */

static bool cuda_is_recording(struct rp_device *dev, const struct rp_stream *s)
{
    (void) dev;
    return s->graph != NULL;
}

static int begin_capture(struct rp_stream *s, cudaGraph_t graph, const cudaGraphNode_t *after)
{
    int ret = 0;

    CU_TRY("capture", cudaStreamBeginCaptureToGraph(s->record, graph, after, NULL, after ? 1 : 0,
                                                    cudaStreamCaptureModeRelaxed));
    s->graph = graph;
fail:
    s->broken |= ret < 0;
    return ret;
}

static int end_capture(struct rp_stream *s)
{
    int ret = 0;
    cudaGraph_t graph = NULL;
    enum cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;

    cudaStreamIsCapturing(s->record, &status);
    if (status == cudaStreamCaptureStatusNone)
        return s->broken ? RP_ERR_DEVICE : 0;
    CU_TRY("end of capture", cudaStreamEndCapture(s->record, &graph));
fail:
    s->broken |= ret < 0;
    return ret;
}

static void count_nodes(cudaGraph_t graph, struct rp_census *c)
{
    size_t n = 0;
    enum cudaGraphNodeType type;
    cudaGraphNode_t *nodes;

    if (cudaGraphGetNodes(graph, NULL, &n) || !n || !(nodes = calloc(n, sizeof(*nodes))))
        return;
    if (cudaGraphGetNodes(graph, nodes, &n))
        n = 0;
    for (size_t i = 0; i < n; i++) {
        if (cudaGraphNodeGetType(nodes[i], &type))
            continue;
        c->nodes++;
        if (type == cudaGraphNodeTypeKernel)
            c->kernels++;
        else if (type == cudaGraphNodeTypeMemcpy)
            c->memcpys++;
        else if (type == cudaGraphNodeTypeMemset)
            c->memsets++;
        else if (type == cudaGraphNodeTypeHost)
            c->hosts++;
        else if (type == cudaGraphNodeTypeMemAlloc || type == cudaGraphNodeTypeMemFree)
            c->allocs++;
        else if (type == cudaGraphNodeTypeConditional)
            c->conditionals++;
        else
            c->others++;
    }
    free(nodes);
}

static int cuda_record_begin(struct rp_device *dev, struct rp_stream *s)
{
    int ret;
    cudaGraph_t graph = NULL;

    (void) dev;
    if (!s->workspace)
        CU_TRY("cuBLAS workspace", cudaMalloc(&s->workspace, RP_CUBLAS_WORKSPACE));
    CU_TRY("wait", cudaStreamSynchronize(s->record));
    CU_TRY("graph", cudaGraphCreate(&graph, 0));
    rp_workspace_use(s->workspace);
    rp_pool_use(s->pool);
    s->broken = false;
    memset(&s->bodies, 0, sizeof(s->bodies));
    RP_TRY(begin_capture(s, graph, NULL));
    return 0;

fail:
    rp_pool_use(0);
    rp_workspace_use(NULL);
    if (graph)
        cudaGraphDestroy(graph);
    s->graph = NULL;
    return ret;
}

static void cuda_recording_free(struct rp_device *dev, struct rp_recording **r)
{
    (void) dev;
    if (!*r)
        return;
    if ((*r)->exec)
        cudaGraphExecDestroy((*r)->exec);
    if ((*r)->graph)
        cudaGraphDestroy((*r)->graph);
    free(*r);
    *r = NULL;
}

/* Leave the recording state, after success or failure. */
static cudaGraph_t leave(struct rp_stream *s)
{
    cudaGraph_t graph = s->graph;

    end_capture(s);
    s->graph = NULL;
    rp_pool_use(0);
    rp_workspace_use(NULL);
    return graph;
}

static void cuda_record_drop(struct rp_device *dev, struct rp_stream *s)
{
    (void) dev;
    if (!s->graph)
        return;
    const cudaGraph_t graph = leave(s);
    cudaGraphDestroy(graph);
    cudaGetLastError();
    s->broken = false;
}

/* Host nodes would stall a replay; ONNX Runtime should not have made any. */
static int check_census(const struct rp_census *c)
{
    if (c->hosts)
        return rp_host.fail(RP_ERR_UNSUPPORTED, "GPU: the recorded work has %d host nodes",
                            c->hosts);
    return 0;
}

static int cuda_record_end(struct rp_device *dev, struct rp_stream *s, struct rp_recording **out)
{
    int ret;
    struct rp_recording *r = *out = NULL;
    const cudaGraph_t graph = leave(s);

    if (s->broken) {
        cudaGraphDestroy(graph);
        s->broken = false;
        return rp_host.fail(RP_ERR_DEVICE, "GPU: the capture was invalidated");
    }
    if (!(r = calloc(1, sizeof(*r)))) {
        cudaGraphDestroy(graph);
        return rp_host.fail(RP_ERR_NOMEM, "out of memory");
    }
    r->graph = graph;
    rp_cuda_rewrite(graph);
    r->census = s->bodies;
    count_nodes(graph, &r->census);
    RP_TRY(check_census(&r->census));
    CU_TRY("graph instantiation", cudaGraphInstantiate(&r->exec, graph, 0));
    CU_TRY("graph upload", cudaGraphUpload(r->exec, s->replay));
    CU_TRY("graph upload", cudaStreamSynchronize(s->replay));
    cudaGraphDestroy(r->graph); /* the instance keeps what it needs */
    r->graph = NULL;
    *out = r;
    return 0;

fail:
    cuda_recording_free(dev, &r);
    return ret;
}

static int cuda_replay(struct rp_device *dev, struct rp_stream *s, struct rp_recording *r,
                       bool inline_)
{
    int ret = 0;

    (void) dev;
    CU_TRY("graph launch", cudaGraphLaunch(r->exec, inline_ ? s->record : s->replay));
fail:
    return ret;
}

static int cuda_replay_wait(struct rp_device *dev, struct rp_stream *s)
{
    int ret = 0;

    (void) dev;
    CU_TRY("graph", cudaStreamSynchronize(s->replay));
fail:
    return ret;
}

static void cuda_recording_census(const struct rp_recording *r, struct rp_census *out)
{
    *out = r->census;
}

/* ---- loops ----------------------------------------------------------------------------------- */

/* Read a number in device memory, which eager work branches on. */
static int read_number(struct rp_stream *s, const int32_t *from, int32_t *to)
{
    int ret = 0;

    CU_TRY("loop",
           cudaMemcpyAsync(s->count, from, sizeof(*from), cudaMemcpyDeviceToHost, s->record));
    CU_TRY("loop", cudaStreamSynchronize(s->record));
    *to = *s->count;
fail:
    return ret;
}

static int loop_eager(struct rp_stream *s, const int32_t *count, int32_t *index,
                      rp_record_fn *body, void *priv)
{
    int32_t n = 0;

    RP_CHECK(read_number(s, count, &n));
    for (int32_t i = 0; i < n; i++) {
        RP_CHECK(rp_cuda_loop_set(s->record, index, i));
        RP_CHECK(body(priv));
    }
    return 0;
}

/* Add a conditional node after what was captured so far; body[] are its empty graphs. */
static int add_conditional(struct rp_stream *s, cudaGraphConditionalHandle h,
                           enum cudaGraphConditionalNodeType type, int n, cudaGraphNode_t *node,
                           cudaGraph_t *body)
{
    int ret = 0;
    size_t nafter = 0;
    cudaGraph_t graph;
    unsigned long long id;
    const cudaGraphNode_t *after = NULL;
    enum cudaStreamCaptureStatus status;
    struct cudaGraphNodeParams p = {.type = cudaGraphNodeTypeConditional};

    CU_TRY("capture",
           cudaStreamGetCaptureInfo(s->record, &status, &id, &graph, &after, NULL, &nafter));
    p.conditional.handle = h;
    p.conditional.type = type;
    p.conditional.size = (unsigned) n;
    CU_TRY("conditional node", cudaGraphAddNode(node, s->graph, after, NULL, nafter, &p));
    memcpy(body, p.conditional.phGraph_out, (size_t) n * sizeof(*body));
    CU_TRY("capture", cudaStreamUpdateCaptureDependencies(s->record, node, NULL, 1,
                                                          cudaStreamSetCaptureDependencies));
fail:
    s->broken |= ret < 0;
    return ret;
}

/* Continue the capture in a body, or after a node of the graph around it. */
static int enter_body(struct rp_stream *s, cudaGraph_t body)
{
    const int ret = end_capture(s);

    return ret < 0 ? ret : begin_capture(s, body, NULL);
}

static int leave_body(struct rp_stream *s, cudaGraph_t body)
{
    const int ret = end_capture(s);

    if (ret < 0)
        return ret;
    rp_cuda_rewrite(body);
    count_nodes(body, &s->bodies);
    return 0;
}

/* After a failure inside a body: record_drop() destroys the outermost graph and its bodies. */
static void broken_at(struct rp_stream *s, cudaGraph_t outer)
{
    s->broken = true;
    end_capture(s);
    s->graph = outer;
}

/* The capture ends, continues in the body, and begins again after the node: ONNX Runtime is tied to
 * this stream, so its work cannot be captured on another. */
static int loop_recorded(struct rp_stream *s, const int32_t *count, int32_t *index,
                         rp_record_fn *body_fn, void *priv)
{
    int ret;
    cudaGraphNode_t node;
    cudaGraphConditionalHandle h;
    const cudaGraph_t outer = s->graph;
    cudaGraph_t body = NULL;

    CU_TRY("condition", cudaGraphConditionalHandleCreate(&h, outer, 0, cudaGraphCondAssignDefault));
    RP_TRY(rp_cuda_loop_begin(s->record, h, count, index));
    RP_TRY(add_conditional(s, h, cudaGraphCondTypeWhile, 1, &node, &body));
    RP_TRY(enter_body(s, body));
    RP_TRY(body_fn(priv));
    RP_TRY(rp_cuda_loop_next(s->record, h, count, index));
    RP_TRY(leave_body(s, body));
    return begin_capture(s, outer, &node);

fail:
    broken_at(s, outer);
    return ret;
}

static int cuda_loop(struct rp_device *dev, struct rp_stream *s, const int32_t *count,
                     int32_t *index, rp_record_fn *body, void *priv)
{
    (void) dev;
    return s->graph ? loop_recorded(s, count, index, body, priv)
                    : loop_eager(s, count, index, body, priv);
}

static int choose_eager(struct rp_stream *s, const int32_t *which, int n, rp_record_fn *body,
                        void *const *priv)
{
    int32_t i = -1;
    const int ret = read_number(s, which, &i);

    return ret < 0 || i < 0 || i >= n ? ret : body(priv[i]);
}

static int choose_recorded(struct rp_stream *s, const int32_t *which, int n, rp_record_fn *body_fn,
                           void *const *priv)
{
    int ret;
    cudaGraphNode_t node;
    cudaGraphConditionalHandle h;
    const cudaGraph_t outer = s->graph;
    cudaGraph_t body[MAX_BODIES] = {0};

    CU_TRY("condition", cudaGraphConditionalHandleCreate(&h, outer, 0, cudaGraphCondAssignDefault));
    RP_TRY(rp_cuda_choose(s->record, h, which));
    RP_TRY(add_conditional(s, h, cudaGraphCondTypeSwitch, n, &node, body));
    for (int i = 0; i < n; i++) {
        RP_TRY(enter_body(s, body[i]));
        RP_TRY(body_fn(priv[i]));
        RP_TRY(leave_body(s, body[i]));
    }
    return begin_capture(s, outer, &node);

fail:
    broken_at(s, outer);
    return ret;
}

static int cuda_choose(struct rp_device *dev, struct rp_stream *s, const int32_t *which, int n,
                       rp_record_fn *body, void *const *priv)
{
    (void) dev;
    if (n < 1 || n > MAX_BODIES)
        return rp_host.fail(RP_ERR_LIMIT, "a choice of %d, at most %d are supported", n,
                            MAX_BODIES);
    return s->graph ? choose_recorded(s, which, n, body, priv)
                    : choose_eager(s, which, n, body, priv);
}

/* ---- device ---------------------------------------------------------------------------------- */

static void *cuda_queue(struct rp_device *dev)
{
    return self(dev)->record;
}

static size_t cuda_pool_bytes(const struct rp_stream *s)
{
    return rp_pool_bytes(s->pool);
}

static void cuda_destroy(struct rp_device *dev)
{
    struct cuda_device *const d = self(dev);

    if (d->record) {
        cudaStreamSynchronize(d->record);
        cudaStreamDestroy(d->record);
    }
    free(d);
}

static const struct rp_device_fns cuda_fns = {
    .name = "cuda",
    .one_thread = true,
    .host_memory = false,
    .enter = cuda_enter,
    .destroy = cuda_destroy,
    .alloc = cuda_alloc,
    .free = cuda_free,
    .stream_create = cuda_stream_create,
    .stream_destroy = cuda_stream_destroy,
    .upload = cuda_upload,
    .download = cuda_download,
    .copy = cuda_copy,
    .zero = cuda_zero,
    .sync = cuda_sync,
    .alloc_host = cuda_alloc_host,
    .free_host = cuda_free_host,
    .is_pinned = cuda_is_pinned,
    .transfer = cuda_transfer,
    .beside = cuda_beside,
    .alloc_beside = cuda_alloc_beside,
    .loop = cuda_loop,
    .choose = cuda_choose,
    .record_begin = cuda_record_begin,
    .record_end = cuda_record_end,
    .record_drop = cuda_record_drop,
    .is_recording = cuda_is_recording,
    .replay = cuda_replay,
    .replay_wait = cuda_replay_wait,
    .recording_free = cuda_recording_free,
    .recording_census = cuda_recording_census,
    .queue = cuda_queue,
    .pool_alloc = rp_pool_alloc,
    .pool_free = rp_pool_free,
    .pool_bytes = cuda_pool_bytes,
    .memory = cuda_memory,
};

static int check_driver(int id)
{
    int driver = 0, count = 0;

    cudaDriverGetVersion(&driver);
    if (driver == 0)
        return rp_host.fail(RP_ERR_UNSUPPORTED,
                            "no NVIDIA driver was found; a GPU needs driver 580 or newer");
    if (driver < MIN_DRIVER)
        return rp_host.fail(RP_ERR_UNSUPPORTED,
                            "the NVIDIA driver is for CUDA %d.%d; CUDA 13 needs driver 580 "
                            "or newer",
                            driver / 1000, driver % 1000 / 10);
    if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) {
        cudaGetLastError();
        return rp_host.fail(RP_ERR_UNSUPPORTED, "no NVIDIA GPU is visible (CUDA_VISIBLE_DEVICES?)");
    }
    if (id < 0 || id >= count)
        return rp_host.fail(RP_ERR_USAGE,
                            "--execution-device-ids: there is no GPU %d, only 0 to %d", id,
                            count - 1);
    return 0;
}

/* ONNX Runtime's provider has machine code for these architectures and none that could be compiled
 * for others. */
static int check_arch(const struct cudaDeviceProp *p)
{
    static const int known[] = {75, 80, 86, 87, 89, 90, 120, 121};
    const int arch = p->major * 10 + p->minor;

    for (size_t i = 0; i < RP_ARRAY_LEN(known); i++)
        if (known[i] == arch)
            return 0;
    return rp_host.fail(RP_ERR_UNSUPPORTED,
                        "%s has compute capability %d.%d, for which ONNX Runtime's "
                        "CUDA provider has no code",
                        p->name, p->major, p->minor);
}

__attribute__((visibility("default"))) rp_module_abi_fn rp_module_abi;
__attribute__((visibility("default"))) rp_module_open_fn rp_module_open;

void rp_module_abi(struct rp_module_abi *out)
{
    *out = rp_module_abi_here();
}

int rp_module_open(struct rp_device **out, int id, const struct rp_module_host *host)
{
    int ret, driver = 0, runtime = 0;
    struct cudaDeviceProp prop;
    struct cuda_device *d;

    rp_host = *host;
    *out = NULL;
    if ((ret = check_driver(id)) < 0)
        return ret;
    if (!(d = calloc(1, sizeof(*d))))
        return rp_host.fail(RP_ERR_NOMEM, "out of memory");
    d->base.fns = &cuda_fns;
    d->base.ops = &rp_ops_cuda;
    d->base.id = id;
    d->thread = pthread_self();
    CU_TRY("device", use(id));
    CU_TRY("device", cudaGetDeviceProperties(&prop, id));
    RP_TRY(check_arch(&prop));
    CU_TRY("stream", cudaStreamCreateWithFlags(&d->record, cudaStreamNonBlocking));
    snprintf(d->base.title, sizeof(d->base.title), "%.80s", prop.name);
    CU_TRY("driver", cudaDriverGetVersion(&driver));
    CU_TRY("runtime", cudaRuntimeGetVersion(&runtime));
    snprintf(d->base.version, sizeof(d->base.version), "sm_%d%d driver %d runtime %d", prop.major,
             prop.minor, driver, runtime);
    *out = &d->base;
    return 0;

fail:
    cuda_destroy(&d->base);
    return ret;
}
