#include "engine/ort.h"

int rp_ort_fail(const OrtApi *api, OrtStatus *status, int code, const char *what)
{
    /* Only the first line: the rest are source positions in ONNX Runtime. */
    const char *const text = api->GetErrorMessage(status);
    const int n = (int) strcspn(text, "\n");
    const int ret = rp_fail(code, "%s: %.*s", what, RP_MIN(n, 400), text);

    api->ReleaseStatus(status);
    return ret;
}
