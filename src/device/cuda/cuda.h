/* Inside of the CUDA device: one shared library, libreprise-cuda.so, loaded at run time, so that the
 * program itself links nothing of CUDA. C files hold memory, streams and graphs; .cu files hold
 * kernels and their launchers only. */
#ifndef RP_CUDA_H
#define RP_CUDA_H

#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "device/device.h"

/* One slot's queue. All eager work and all captures of a device go through its one recording stream
 * (ONNX Runtime sits on it); replays go to the slot's own. */
struct rp_stream {
    cudaStream_t record; /* where launchers put their kernels; the same for all slots of a device */
    cudaStream_t replay; /* where instantiated graphs run */
    struct rp_device *device;
    int pool;            /* number of the slot's activation pool, from 1 */
};

/* Every operation of ops.h as launchers on stream->record. Filled in by the .cu files. */
extern const struct rp_ops rp_ops_cuda;

#define RP_OP_PROTO(name)                                                                          \
    int rp_cuda_##name(struct rp_stream *stream, const struct rp_op_##name *a);
RP_OPS(RP_OP_PROTO)
#undef RP_OP_PROTO

/* What the module borrows from the program: its log. */
struct rp_module_host {
    int (*fail)(int status, const char *fmt, ...);
    void (*log)(enum rp_log_level level, const char *fmt, ...);
};
extern struct rp_module_host rp_host;

/* After a launch: 0, or RP_ERR_DEVICE with a sentence that names the operation. */
int rp_cuda_launched(const char *op);

#ifdef __cplusplus
}
#endif

#endif /* RP_CUDA_H */
