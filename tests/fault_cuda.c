/* Makes the n-th call of the CUDA runtime fail: a library for LD_PRELOAD, driven by
 * test_cuda_faults.py. It stands before libcudart.so, which ONNX Runtime's provider calls and, in
 * tests only, our module too (libreprise-cuda-faults.so).
 *
 *     REPRISE_CUDA_FAULT=KIND[,KIND...]:N[+][:ERROR]
 *                                    the N-th such call fails, with + all after it as well; with
 *                                    this number of cudaError_t, else cudaErrorMemoryAllocation
 *     REPRISE_CUDA_FAULT_COUNT=FILE  where "KIND CALLS" lines are written at the end
 *     REPRISE_CUDA_FAULT_WHO=FILE    where the stack of the call that failed is written
 *
 * A call that fails has no effect, as with the real ones; but waits do wait, and a capture does
 * end. The failure is also what the thread's cudaGetLastError() gives next. */
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))
#define STRING_(x) #x
#define STRING(x) STRING_(x)
#define RUNTIME "libcudart.so." STRING(CUDART_MAJOR)
#define CUDART_MAJOR 13
#if defined(CUDART_VERSION) && CUDART_VERSION / 1000 != CUDART_MAJOR
#error "the runtime's name has another number"
#endif

enum kind { MEMORY, COPY, LAUNCH, GRAPH, CAPTURE, STREAM, WAIT, KINDS };

static const char *const names[KINDS] = {"memory",  "copy",   "launch", "graph",
                                         "capture", "stream", "wait"};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned kinds; /* bits: those that fail */
static long nth;
static bool onwards;
static cudaError_t error = cudaErrorMemoryAllocation;
static atomic_long calls, count[KINDS];
static _Thread_local cudaError_t last;

static void set_fault(void)
{
    const char *const text = getenv("REPRISE_CUDA_FAULT");
    const char *const number = text ? strchr(text, ':') : NULL;
    char *end = NULL;

    if (!number)
        return;
    for (int k = 0; k < KINDS; k++) {
        const char *const at = strstr(text, names[k]);
        if (at && at < number)
            kinds |= 1U << k;
    }
    nth = strtol(number + 1, &end, 10);
    onwards = *end == '+';
    end += onwards;
    if (*end == ':')
        error = (cudaError_t) atoi(end + 1);
}

static void say_stack(enum kind kind)
{
    void *frame[48];
    const char *const path = getenv("REPRISE_CUDA_FAULT_WHO");
    const int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;

    if (fd < 0)
        return;
    dprintf(fd, "%s\n", names[kind]);
    backtrace_symbols_fd(frame, backtrace(frame, 48), fd);
    close(fd);
}

/* Is this call the one that fails? */
static bool fails(enum kind kind)
{
    pthread_once(&once, set_fault);
    atomic_fetch_add(&count[kind], 1);
    if (!(kinds & 1U << kind))
        return false;
    const long n = atomic_fetch_add(&calls, 1) + 1;
    if (!nth || n < nth || (n > nth && !onwards))
        return false;
    if (n == nth)
        say_stack(kind);
    last = error;
    return true;
}

__attribute__((destructor)) static void write_counts(void)
{
    const char *const path = getenv("REPRISE_CUDA_FAULT_COUNT");
    FILE *const f = path ? fopen(path, "we") : NULL;

    for (int k = 0; f && k < KINDS; k++)
        fprintf(f, "%s %ld\n", names[k], atomic_load(&count[k]));
    if (f)
        fclose(f);
}

/* Modules are loaded for themselves, so that the runtime is not among what RTLD_NEXT looks at. */
static void *next(const char *name)
{
    void *const runtime = dlopen(RUNTIME, RTLD_NOW | RTLD_NOLOAD);
    void *const fn = runtime ? dlsym(runtime, name) : NULL;

    if (!fn) {
        fprintf(stderr, "fault_cuda: %s has no %s\n", RUNTIME, name);
        _exit(98);
    }
    return fn;
}

/* The function that this one stands before. Two threads may both look for it. */
#define NEXT(name)                                \
    static _Atomic(void *) found_##name;          \
    if (!atomic_load(&found_##name))              \
        atomic_store(&found_##name, next(#name)); \
    __typeof__(name) *const next_##name = (__typeof__(name) *) atomic_load(&found_##name)

// NOLINTBEGIN(bugprone-macro-parentheses): parameters and arguments are whole lists

#define WRAP(kind, name, parameters, arguments)             \
    PUBLIC cudaError_t name parameters                      \
    {                                                       \
        NEXT(name);                                         \
        return fails(kind) ? error : next_##name arguments; \
    }

/* What has its effect also when it fails. */
#define AFTER(kind, name, parameters, arguments)       \
    PUBLIC cudaError_t name parameters                 \
    {                                                  \
        NEXT(name);                                    \
        const cudaError_t ret = next_##name arguments; \
        return fails(kind) ? error : ret;              \
    }

// NOLINTEND(bugprone-macro-parentheses)

/* ---- memory and copies ----------------------------------------------------------------------- */

WRAP(MEMORY, cudaMalloc, (void **p, size_t n), (p, n))
WRAP(MEMORY, cudaMallocAsync, (void **p, size_t n, cudaStream_t s), (p, n, s))
WRAP(MEMORY, cudaMallocFromPoolAsync, (void **p, size_t n, cudaMemPool_t pool, cudaStream_t s),
     (p, n, pool, s))
WRAP(MEMORY, cudaMallocManaged, (void **p, size_t n, unsigned flags), (p, n, flags))
WRAP(MEMORY, cudaMallocHost, (void **p, size_t n), (p, n))
WRAP(MEMORY, cudaHostAlloc, (void **p, size_t n, unsigned flags), (p, n, flags))
WRAP(MEMORY, cudaMemPoolCreate, (cudaMemPool_t * pool, const struct cudaMemPoolProps *props),
     (pool, props))
WRAP(MEMORY, cudaMemGetInfo, (size_t * there, size_t *total), (there, total))
WRAP(COPY, cudaMemcpy, (void *to, const void *from, size_t n, enum cudaMemcpyKind kind),
     (to, from, n, kind))
WRAP(COPY, cudaMemcpyAsync,
     (void *to, const void *from, size_t n, enum cudaMemcpyKind kind, cudaStream_t s),
     (to, from, n, kind, s))
WRAP(COPY, cudaMemset, (void *to, int value, size_t n), (to, value, n))
WRAP(COPY, cudaMemsetAsync, (void *to, int value, size_t n, cudaStream_t s), (to, value, n, s))

/* ---- work ------------------------------------------------------------------------------------ */

cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void **args,
                               size_t shared, cudaStream_t s);

WRAP(LAUNCH, cudaLaunchKernel,
     (const void *fn, dim3 grid, dim3 block, void **args, size_t shared, cudaStream_t s),
     (fn, grid, block, args, shared, s))
WRAP(LAUNCH, __cudaLaunchKernel,
     (cudaKernel_t kernel, dim3 grid, dim3 block, void **args, size_t shared, cudaStream_t s),
     (kernel, grid, block, args, shared, s))
WRAP(LAUNCH, cudaLaunchKernelExC, (const cudaLaunchConfig_t *config, const void *fn, void **args),
     (config, fn, args))
WRAP(GRAPH, cudaGraphCreate, (cudaGraph_t * graph, unsigned flags), (graph, flags))
WRAP(GRAPH, cudaGraphAddNode,
     (cudaGraphNode_t * node, cudaGraph_t graph, const cudaGraphNode_t *after,
      const cudaGraphEdgeData *edges, size_t n, struct cudaGraphNodeParams *params),
     (node, graph, after, edges, n, params))
WRAP(GRAPH, cudaGraphAddKernelNode,
     (cudaGraphNode_t * node, cudaGraph_t graph, const cudaGraphNode_t *after, size_t n,
      const struct cudaKernelNodeParams *params),
     (node, graph, after, n, params))
WRAP(GRAPH, cudaGraphAddDependencies,
     (cudaGraph_t graph, const cudaGraphNode_t *from, const cudaGraphNode_t *to,
      const cudaGraphEdgeData *edges, size_t n),
     (graph, from, to, edges, n))
WRAP(GRAPH, cudaGraphConditionalHandleCreate,
     (cudaGraphConditionalHandle * handle, cudaGraph_t graph, unsigned value, unsigned flags),
     (handle, graph, value, flags))
WRAP(GRAPH, cudaGraphInstantiate, (cudaGraphExec_t * exec, cudaGraph_t graph, unsigned long long f),
     (exec, graph, f))
WRAP(GRAPH, cudaGraphUpload, (cudaGraphExec_t exec, cudaStream_t s), (exec, s))
WRAP(GRAPH, cudaGraphLaunch, (cudaGraphExec_t exec, cudaStream_t s), (exec, s))
WRAP(CAPTURE, cudaStreamBeginCapture, (cudaStream_t s, enum cudaStreamCaptureMode mode), (s, mode))
WRAP(CAPTURE, cudaStreamBeginCaptureToGraph,
     (cudaStream_t s, cudaGraph_t graph, const cudaGraphNode_t *after,
      const cudaGraphEdgeData *edges, size_t n, enum cudaStreamCaptureMode mode),
     (s, graph, after, edges, n, mode))

WRAP(CAPTURE, cudaStreamUpdateCaptureDependencies,
     (cudaStream_t s, cudaGraphNode_t *after, const cudaGraphEdgeData *edges, size_t n,
      unsigned flags),
     (s, after, edges, n, flags))

/* One that fails has ended the capture and gives no graph. A graph that was captured into belongs
 * to who made it. */
PUBLIC cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *graph)
{
    NEXT(cudaStreamEndCapture);
    const cudaError_t ret = next_cudaStreamEndCapture(s, graph);

    if (!fails(CAPTURE))
        return ret;
    *graph = NULL;
    return error;
}

/* ---- streams and waits ----------------------------------------------------------------------- */

WRAP(STREAM, cudaSetDevice, (int device), (device))
WRAP(STREAM, cudaStreamCreate, (cudaStream_t * s), (s))
WRAP(STREAM, cudaStreamCreateWithFlags, (cudaStream_t * s, unsigned flags), (s, flags))
WRAP(STREAM, cudaStreamCreateWithPriority, (cudaStream_t * s, unsigned flags, int priority),
     (s, flags, priority))
WRAP(STREAM, cudaEventCreate, (cudaEvent_t * e), (e))
WRAP(STREAM, cudaEventCreateWithFlags, (cudaEvent_t * e, unsigned flags), (e, flags))
WRAP(STREAM, cudaEventRecord, (cudaEvent_t e, cudaStream_t s), (e, s))
WRAP(STREAM, cudaStreamWaitEvent, (cudaStream_t s, cudaEvent_t e, unsigned flags), (s, e, flags))
AFTER(WAIT, cudaStreamSynchronize, (cudaStream_t s), (s))
AFTER(WAIT, cudaEventSynchronize, (cudaEvent_t e), (e))
AFTER(WAIT, cudaDeviceSynchronize, (void), ())

/* ---- errors ---------------------------------------------------------------------------------- */

PUBLIC cudaError_t cudaGetLastError(void)
{
    NEXT(cudaGetLastError);
    const cudaError_t ret = next_cudaGetLastError(), ours = last;

    last = cudaSuccess;
    return ret == cudaSuccess ? ours : ret;
}

PUBLIC cudaError_t cudaPeekAtLastError(void)
{
    NEXT(cudaPeekAtLastError);
    const cudaError_t ret = next_cudaPeekAtLastError();

    return ret == cudaSuccess ? last : ret;
}
