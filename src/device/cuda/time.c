/* Measures how long work takes on the GPU, for checkgpu --bench. */
#include "device/cuda/cuda.h"
#include "device/cuda/module.h"

__attribute__((visibility("default"))) rp_module_time_fn rp_module_time;

int rp_module_time(struct rp_stream *s, rp_record_fn *work, void *priv, void *flush, size_t n,
                   float *us)
{
    int ret;
    float ms = 0;
    cudaEvent_t begin = NULL, end = NULL;

    *us = 0;
    CU_TRY("event", cudaEventCreate(&begin));
    CU_TRY("event", cudaEventCreate(&end));
    if (n) /* also keeps the GPU busy while the work is submitted */
        CU_TRY("zero", cudaMemsetAsync(flush, 0, n, s->record));
    CU_TRY("event", cudaEventRecord(begin, s->record));
    RP_TRY(work(priv));
    CU_TRY("event", cudaEventRecord(end, s->record));
    CU_TRY("wait", cudaEventSynchronize(end));
    CU_TRY("event", cudaEventElapsedTime(&ms, begin, end));
    *us = ms * 1000;

fail:
    if (begin)
        cudaEventDestroy(begin);
    if (end)
        cudaEventDestroy(end);
    return ret;
}
