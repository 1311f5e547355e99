/* The door between the program and its CUDA module: no CUDA types here. */
#ifndef RP_CUDA_MODULE_H
#define RP_CUDA_MODULE_H

#include "device/device.h"

/* What the module borrows from the program: its log. */
struct rp_module_host {
    int (*fail)(int status, const char *fmt, ...);
    void (*log)(enum rp_log_level level, const char *fmt, ...);
};

/* rp_module_open(): open GPU `id`. */
typedef int rp_module_open_fn(struct rp_device **out, int id, const struct rp_module_host *host);

/* rp_module_time(): microseconds that `work` takes on the GPU, after n bytes at `flush` were zeroed
 * to empty its cache. */
typedef int rp_module_time_fn(struct rp_stream *s, rp_record_fn *work, void *priv, void *flush,
                              size_t n, float *us);

#endif /* RP_CUDA_MODULE_H */
