/* What the files of this folder share about ONNX Runtime; nobody else includes it. */
#ifndef RP_ENGINE_ORT_H
#define RP_ENGINE_ORT_H

#include <onnxruntime_c_api.h>

#include "engine/engine.h"

struct rp_engine {
    void *lib;
    char *library;
    const char *version;
    const OrtApi *api;
    OrtEnv *env;
};

struct rp_model {
    struct rp_engine *engine;
    struct rp_device *device;
    char *path, *name;
    OrtSession *session;
    int nin, nout;
    struct rp_tensor_info in[RP_MAX_TENSORS], out[RP_MAX_TENSORS];
};

/* Sentence "what: ONNX Runtime's first line"; releases the status, returns `code`. */
int rp_ort_fail(const OrtApi *api, OrtStatus *status, int code, const char *what);

/* For functions with `ret` and `fail`: run an API call, on failure say so and leave. */
#define ORT(api, what, call)                                                                       \
    do {                                                                                           \
        OrtStatus *const status_ = (api)->call;                                                    \
        if (status_) {                                                                             \
            ret = rp_ort_fail(api, status_, RP_ERR_MODEL, what);                                   \
            goto fail;                                                                             \
        }                                                                                          \
    } while (0)

enum rp_type rp_ort_type(ONNXTensorElementDataType type);
ONNXTensorElementDataType rp_ort_element(enum rp_type type);
size_t rp_type_size(enum rp_type type);

#endif /* RP_ENGINE_ORT_H */
