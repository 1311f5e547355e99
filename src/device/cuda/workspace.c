/* cuBLAS without memory nodes.
 *
 * A cuBLAS handle without a workspace adds stream-ordered allocations to a captured graph, which
 * the bodies of conditional nodes refuse, and ONNX Runtime never sets a workspace. So this module
 * exports cublasSetStream_v2: it is loaded with RTLD_GLOBAL before ONNX Runtime's CUDA provider,
 * whose calls therefore come here. Each handle is remembered and given a fixed block; slots that
 * run at once have one block each, which is set on the thread's handles before the slot is
 * recorded. cublasDestroy_v2 is replaced too, to forget handles. */
#include "device/cuda/cuda.h"

#include <dlfcn.h>
#include <pthread.h>

#define MAX_HANDLES 256

typedef int destroy_fn(void *handle);
typedef int set_stream_fn(void *handle, void *stream);
typedef int set_workspace_fn(void *handle, void *block, size_t size);

static struct {
    pthread_mutex_t lock;
    set_stream_fn *set_stream;
    set_workspace_fn *set_workspace;
    destroy_fn *destroy;
    struct {
        void *handle, *block;
        int gpu;
        pthread_t thread; /* that uses the handle: each session has one */
    } known[MAX_HANDLES];
    int n;
} ws = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local struct {
    pthread_t thread;
    bool set;
} served; /* the thread that this one makes handles for */

void rp_workspace_serve(pthread_t thread)
{
    served.thread = thread;
    served.set = true;
}

static void load(void)
{
    void *lib = dlopen("libcublas.so.13", RTLD_NOW | RTLD_NOLOAD);

    if (!lib)
        lib = dlopen("libcublas.so.13", RTLD_NOW);
    if (!lib)
        return;
    *(void **) &ws.set_stream = dlsym(lib, "cublasSetStream_v2");
    *(void **) &ws.set_workspace = dlsym(lib, "cublasSetWorkspace_v2");
    *(void **) &ws.destroy = dlsym(lib, "cublasDestroy_v2");
}

/* The handle's own block for eager work. */
static void *block_of(void *handle)
{
    int i;

    for (i = 0; i < ws.n && ws.known[i].handle != handle; i++)
        ;
    if (i < ws.n)
        return ws.known[i].block;
    if (ws.n == MAX_HANDLES || cudaMalloc(&ws.known[i].block, RP_CUBLAS_WORKSPACE)) {
        cudaGetLastError();
        return NULL;
    }
    cudaGetDevice(&ws.known[i].gpu);
    ws.known[i].handle = handle;
    ws.known[i].thread = served.set ? served.thread : pthread_self();
    ws.n++;
    return ws.known[i].block;
}

/* Setting the stream resets the workspace, so it is set again. */
__attribute__((visibility("default"))) int cublasSetStream_v2(void *handle, void *stream);
int cublasSetStream_v2(void *handle, void *stream)
{
    int ret = 1; /* CUBLAS_STATUS_NOT_INITIALIZED */

    pthread_mutex_lock(&ws.lock);
    if (!ws.set_stream)
        load();
    if (ws.set_stream) {
        ret = ws.set_stream(handle, stream);
        void *const block = block_of(handle);
        if (ret == 0 && block && ws.set_workspace)
            ws.set_workspace(handle, block, RP_CUBLAS_WORKSPACE);
    }
    pthread_mutex_unlock(&ws.lock);
    return ret;
}

__attribute__((visibility("default"))) int cublasDestroy_v2(void *handle);
int cublasDestroy_v2(void *handle)
{
    int ret;

    pthread_mutex_lock(&ws.lock);
    if (!ws.destroy)
        load();
    ret = ws.destroy ? ws.destroy(handle) : 1;
    for (int i = 0; i < ws.n; i++) {
        if (ws.known[i].handle != handle)
            continue;
        cudaFree(ws.known[i].block);
        ws.known[i] = ws.known[--ws.n];
        break;
    }
    pthread_mutex_unlock(&ws.lock);
    return ret;
}

void rp_workspace_use(void *block)
{
    int gpu = -1;

    cudaGetDevice(&gpu);
    pthread_mutex_lock(&ws.lock);
    for (int i = 0; ws.set_workspace && i < ws.n; i++)
        if (ws.known[i].gpu == gpu && pthread_equal(ws.known[i].thread, pthread_self()))
            ws.set_workspace(ws.known[i].handle, block ? block : ws.known[i].block,
                             RP_CUBLAS_WORKSPACE);
    pthread_mutex_unlock(&ws.lock);
}
