/* TensorRT through ONNX Runtime, if its libraries are installed.
 *
 * It builds an engine for each network, which takes minutes, so engines and the timings they were
 * chosen by are kept in a folder of the cache. It records and replays by itself
 * (trt_cuda_graph_enable); its runs cannot be part of our recordings. Operators that it does not
 * support are left to the CUDA provider. */
#include "base/path.h"
#include "engine/ort.h"

static int make(struct rp_engine *e, struct rp_device *device, const char *folder, bool graph,
                OrtTensorRTProviderOptionsV2 **out)
{
    int ret = 0;
    char id[16];
    const OrtApi *const api = e->api;
    const char *const keys[] = {"device_id", "trt_engine_cache_enable", "trt_timing_cache_enable",
                                "trt_cuda_graph_enable", "trt_engine_cache_path",
                                "trt_timing_cache_path"};
    const char *const values[] = {id, folder ? "1" : "0", folder ? "1" : "0", graph ? "1" : "0",
                                  folder, folder};

    snprintf(id, sizeof(id), "%d", device ? device->id : 0);
    ORT(api, "TensorRT provider", CreateTensorRTProviderOptions(out));
    ORT(api, "TensorRT provider",
        UpdateTensorRTProviderOptions(*out, keys, values, RP_ARRAY_LEN(keys) - (folder ? 0 : 2)));
    if (device)
        ORT(api, "TensorRT provider",
            UpdateTensorRTProviderOptionsWithValue(*out, "user_compute_stream",
                                                   device->fns->queue(device)));
fail:
    return ret;
}

int rp_ort_add_tensorrt(struct rp_engine *e, struct rp_device *device, OrtSessionOptions *options,
                        const char *folder, bool graph)
{
    int ret;
    OrtTensorRTProviderOptionsV2 *trt = NULL;

    if (folder && rp_path_mkdirs(folder) < 0)
        folder = NULL;
    RP_TRY(make(e, device, folder, graph, &trt));
    ORT(e->api, "TensorRT provider",
        SessionOptionsAppendExecutionProvider_TensorRT_V2(options, trt));
fail:
    if (trt)
        e->api->ReleaseTensorRTProviderOptions(trt);
    return ret;
}

int rp_engine_check_tensorrt(struct rp_engine *e)
{
    int ret = 0;
    char why[256];
    OrtSessionOptions *options = NULL;

    RP_CHECK(rp_engine_load(e));
    rp_log_hold(true);
    ORT(e->api, "TensorRT provider", CreateSessionOptions(&options));
    ret = rp_ort_add_tensorrt(e, NULL, options, NULL, false);
fail:
    rp_log_hold(false);
    if (options)
        e->api->ReleaseSessionOptions(options);
    if (ret >= 0)
        return 0;
    snprintf(why, sizeof(why), "%s", rp_last_error());
    return rp_fail(
        RP_ERR_UNSUPPORTED,
        "--execution-providers: tensorrt needs an ONNX Runtime with "
        "libonnxruntime_providers_tensorrt.so (make gpu) and TensorRT 10 (libnvinfer.so.10); "
        "use cuda instead (%s)",
        why);
}
