#include "engine/ort.h"

/* What a status says, of its first line, when it is not the model's fault but the machine's: a call
 * that may succeed another time. ONNX Runtime has no code for that. */
static const struct {
    const char *says;
    int code;
} machine[] = {
    {"cudaErrorMemoryAllocation", RP_ERR_DEVICE_MEM},
    {"CUDNN_STATUS_ALLOC_FAILED", RP_ERR_DEVICE_MEM},
    {"CUBLAS_STATUS_ALLOC_FAILED", RP_ERR_DEVICE_MEM},
    {"out of memory", RP_ERR_DEVICE_MEM},
    {"CUDA error", RP_ERR_DEVICE},
    {"CUDA failure", RP_ERR_DEVICE},
    {"CUDNN_BACKEND_API_FAILED", RP_ERR_DEVICE},
    {"CUDNN_STATUS_EXECUTION_FAILED", RP_ERR_DEVICE},
    {"CUDNN_STATUS_INTERNAL_ERROR", RP_ERR_DEVICE},
    {"CUBLAS_STATUS_EXECUTION_FAILED", RP_ERR_DEVICE},
    {"CUBLAS_STATUS_INTERNAL_ERROR", RP_ERR_DEVICE},
    {"bad_alloc", RP_ERR_NOMEM},
    {"bad allocation", RP_ERR_NOMEM},
    {"Failed to allocate memory", RP_ERR_NOMEM},
};

int rp_ort_fail(const OrtApi *api, OrtStatus *status, int code, const char *what)
{
    /* Only the first line: the rest are source positions in ONNX Runtime. */
    char line[400];

    snprintf(line, sizeof line, "%s", api->GetErrorMessage(status));
    line[strcspn(line, "\n")] = '\0';
    api->ReleaseStatus(status);
    for (size_t i = 0; i < RP_ARRAY_LEN(machine); i++) {
        if (strstr(line, machine[i].says)) {
            code = machine[i].code;
            break;
        }
    }
    return rp_fail(code, "%s: %s", what, line);
}
