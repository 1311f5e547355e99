/* The CUDA types that src/device/cuda/cuda.h names, for the
 * kernels that are compiled for the CPU. */
#ifndef EMULATE_CUDA_RUNTIME_API_H
#define EMULATE_CUDA_RUNTIME_API_H

typedef void *cudaStream_t, *cudaGraph_t;
typedef int cudaError_t;
typedef unsigned long long cudaGraphConditionalHandle;

#endif /* EMULATE_CUDA_RUNTIME_API_H */
