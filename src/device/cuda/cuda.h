/* The inside of the CUDA device: one shared library, libreprise-cuda.so, loaded at run time, so
 * that the program itself links nothing of CUDA. Memory, streams and graphs are in C files; .cu
 * files hold only kernels and their launchers. */
#ifndef RP_CUDA_H
#define RP_CUDA_H

#include <pthread.h>

#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "device/cuda/module.h"

/* One slot's queue. All eager work and all captures of a device go through its one recording
 * stream, to which ONNX Runtime is tied; replays run on the slot's own. */
struct rp_stream {
    cudaStream_t record; /* where launchers put their kernels; the same for all slots of a device */
    cudaStream_t replay; /* where instantiated graphs run */
    int pool;            /* number of the slot's activation pool, from 1 */
    cudaGraph_t graph;   /* being captured into; NULL when not recording */
    bool broken;         /* the capture cannot be continued */
    struct rp_census bodies; /* nodes of loop bodies so far */
    void *workspace;     /* cuBLAS's, for this slot's recordings */
    int32_t *count;      /* pinned: for eager loops */
    bool beside;         /* of another thread: `record` is its own, and there is nothing else */
};

/* Every operation of ops.h as launchers on stream->record. Filled in by the .cu files. */
extern const struct rp_ops rp_ops_cuda;

#define RP_OP_PROTO(name)                                                                          \
    int rp_cuda_##name(struct rp_stream *stream, const struct rp_op_##name *a);
RP_OPS(RP_OP_PROTO)
#undef RP_OP_PROTO

/* Set by rp_module_open(). */
extern struct rp_module_host rp_host;

/* After a launch: 0, or RP_ERR_DEVICE with a sentence that names the operation. */
int rp_cuda_launched(const char *op);

/* Report a failed CUDA call; out of memory becomes RP_ERR_DEVICE_MEM. */
int rp_cuda_fail(cudaError_t error, const char *what);

#define CU_TRY(what, call)                                                                         \
    do {                                                                                           \
        const cudaError_t error_ = (call);                                                         \
        if (error_ != cudaSuccess) {                                                               \
            ret = rp_cuda_fail(error_, what);                                                      \
            goto fail;                                                                             \
        }                                                                                          \
    } while (0)

/* Loop kernels (loop.cu). */
int rp_cuda_loop_begin(cudaStream_t s, cudaGraphConditionalHandle h, const int32_t *count,
                       int32_t *index);
int rp_cuda_loop_next(cudaStream_t s, cudaGraphConditionalHandle h, const int32_t *count,
                      int32_t *index);
int rp_cuda_choose(cudaStream_t s, cudaGraphConditionalHandle h, const int32_t *which);
int rp_cuda_loop_set(cudaStream_t s, int32_t *index, int32_t value);

/* Replace copies and fills of a captured graph with kernels (rewrite.c, copy.cu). */
void rp_cuda_rewrite(cudaGraph_t graph);
const void *rp_cuda_copy_kernel(int unit); /* bytes moved at once: 16, 4 or 1 */
const void *rp_cuda_fill_kernel(int unit); /* bytes of an element: 4, 2 or 1 */

/* Pools (pool.c): the one that the calling thread takes from; 0 is for weights and eager work. */
void rp_pool_use(int pool);
int rp_pool_new(void);
void rp_pool_release(int id, int pool); /* frees its blocks; those in use move to pool 0 */
void *rp_pool_alloc(int id, size_t size, bool pinned);
void rp_pool_free(int id, void *p, bool pinned);
size_t rp_pool_bytes(int pool);

/* cuBLAS workspaces (workspace.c): handles that the calling thread makes will be used by this one.
 */
void rp_workspace_serve(pthread_t thread);
/* cuBLAS workspaces (workspace.c): give every known handle this block; NULL = the shared one. */
#define RP_CUBLAS_WORKSPACE (32u << 20)
void rp_workspace_use(void *block);

#ifdef __cplusplus
}
#endif

#endif /* RP_CUDA_H */
