/* Sets up ONNX Runtime on a GPU so that its runs can be recorded into our own CUDA graphs.
 *
 * It uses the stock CUDA provider with enable_cuda_graph=1 and the run option gpu_graph_id=-1,
 * which checks that all work is on the GPU and keeps its buffers, but never captures or replays by
 * itself. Its memory comes from our pools (two allocators registered with the environment), and its
 * work goes to the device's stream. The order of calls matters: one call with all string options,
 * then the stream, then append, because every string call rebuilds the options. */
#include "engine/ort.h"

static void *ORT_API_CALL memory_alloc(OrtAllocator *a, size_t size)
{
    const struct rp_ort_memory *const m = (const struct rp_ort_memory *) a;

    return m->fns->pool_alloc(m->id, size, m->pinned);
}

static void ORT_API_CALL memory_free(OrtAllocator *a, void *p)
{
    const struct rp_ort_memory *const m = (const struct rp_ort_memory *) a;

    m->fns->pool_free(m->id, p, m->pinned);
}

static const OrtMemoryInfo *ORT_API_CALL memory_info(const OrtAllocator *a)
{
    return ((const struct rp_ort_memory *) a)->info;
}

static int register_one(struct rp_engine *e, struct rp_device *device, bool pinned)
{
    int ret = 0;
    struct rp_ort_memory *const m = &e->gpu[device->id][pinned];

    *m = (struct rp_ort_memory){
        .base = {.version = ORT_API_VERSION, .Alloc = memory_alloc, .Free = memory_free,
                 .Info = memory_info, .Reserve = memory_alloc},
        .fns = device->fns,
        .id = device->id,
        .pinned = pinned,
    };
    ORT(e->api, "GPU memory", CreateMemoryInfo(pinned ? "CudaPinned" : "Cuda", OrtDeviceAllocator,
                                               device->id,
                                               pinned ? OrtMemTypeCPUOutput : OrtMemTypeDefault,
                                               &m->info));
    ORT(e->api, "GPU memory", RegisterAllocator(e->env, &m->base));
fail:
    return ret;
}

int rp_ort_register_memory(struct rp_engine *e, struct rp_device *device)
{
    int ret = 0;

    if (device->id < 0 || device->id >= RP_MAX_GPUS)
        return rp_fail(RP_ERR_LIMIT, "GPU %d: at most %d are supported", device->id, RP_MAX_GPUS);
    pthread_mutex_lock(&e->lock);
    if (!e->gpu[device->id][0].info)
        ret = register_one(e, device, false);
    if (ret >= 0 && !e->gpu[device->id][1].info)
        ret = register_one(e, device, true);
    pthread_mutex_unlock(&e->lock);
    return ret;
}

void rp_ort_release_memory(struct rp_engine *e)
{
    for (int i = 0; i < RP_MAX_GPUS; i++) {
        for (int pinned = 0; pinned < 2; pinned++) {
            struct rp_ort_memory *const m = &e->gpu[i][pinned];
            OrtStatus *status;

            if (!m->info)
                continue;
            if ((status = e->api->UnregisterAllocator(e->env, m->info)))
                e->api->ReleaseStatus(status);
            e->api->ReleaseMemoryInfo(m->info);
            m->info = NULL;
        }
    }
}

int rp_ort_add_cuda(struct rp_engine *e, struct rp_device *device, OrtSessionOptions *options,
                    const struct rp_ort_cuda *how)
{
    int ret = 0;
    char id[16];
    OrtCUDAProviderOptionsV2 *cuda = NULL;
    const OrtApi *const api = e->api;
    /* a foreign session leaves the last one to ONNX Runtime */
    const char *const keys[] = {"device_id",
                                "cudnn_conv_algo_search",
                                "cudnn_conv_use_max_workspace",
                                "use_tf32",
                                "enable_cuda_graph",
                                "prefer_nhwc",
                                "arena_extend_strategy"};
    const char *const values[] = {id, "EXHAUSTIVE", "1", "1", how->capture ? "1" : "0",
                                  how->nhwc ? "1" : "0",
                                  "kSameAsRequested"};

    snprintf(id, sizeof(id), "%d", device->id);
    RP_TRY(rp_ort_register_memory(e, device));
    ORT(api, "CUDA provider", CreateCUDAProviderOptions(&cuda));
    ORT(api, "CUDA provider", UpdateCUDAProviderOptions(cuda, keys, values,
                                                        RP_ARRAY_LEN(keys) - how->foreign));
    if (how->foreign) {
        ORT(api, "CUDA provider", SessionOptionsAppendExecutionProvider_CUDA_V2(options, cuda));
        goto fail;
    }
    ORT(api, "CUDA provider", UpdateCUDAProviderOptionsWithValue(cuda, "user_compute_stream",
                                                                 device->fns->queue(device)));
    ORT(api, "CUDA provider", SessionOptionsAppendExecutionProvider_CUDA_V2(options, cuda));
    ORT(api, "CUDA provider", SetDeterministicCompute(options, how->deterministic));
    ORT(api, "CUDA provider", DisableMemPattern(options));
    ORT(api, "CUDA provider", AddSessionConfigEntry(options, "session.use_env_allocators", "1"));
fail:
    if (cuda)
        api->ReleaseCUDAProviderOptions(cuda);
    return ret;
}
