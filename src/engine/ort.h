/* What the files of this folder, and no others, share about ONNX Runtime. */
#ifndef RP_ENGINE_ORT_H
#define RP_ENGINE_ORT_H

#include <onnxruntime_c_api.h>
#include <pthread.h>

#include "engine/engine.h"

#define RP_MAX_GPUS 16

/* Memory of one GPU for ONNX Runtime: its allocator interface to our pools. */
struct rp_ort_memory {
    OrtAllocator base; /* first: ONNX Runtime hands us its address */
    OrtMemoryInfo *info;
    const struct rp_device_fns *fns;
    int id;
    bool pinned;
};

struct rp_engine {
    char *asked;          /* the library's file name; NULL: whichever is found */
    pthread_mutex_t lock; /* of what follows */
    void *lib;
    char *library;
    const char *version;
    const OrtApi *api;    /* NULL until rp_engine_load(), then it stays */
    OrtEnv *env;
    struct rp_ort_memory gpu[RP_MAX_GPUS][2]; /* device, pinned; info NULL until registered */
};

struct rp_native;

struct rp_model {
    struct rp_engine *engine;
    struct rp_device *device;
    char *path, *name;
    OrtSession *session;     /* NULL if it is native */
    struct rp_native *native; /* native.h; NULL: ONNX Runtime runs it */
    enum rp_network_engine by;
    struct rp_precision_facts precision; /* if it is native */
    bool recordable;
    enum rp_layout layout;   /* never auto */
    bool deterministic, tensorrt;
    int threads;
    struct rp_cache *cache;
    struct rp_model_sum sum;
    struct rp_model *rows[RP_MAX_LANES + 1]; /* by number of rows (rows.c); itself if the file
                                              * leaves that open; NULL: not opened */
    int nrows;               /* rows of this one; 0: as in the file */
    bool one_row;            /* it cannot be opened over several rows */
    const struct rp_onnx_image *edited; /* while opening: the file's bytes, changed; else NULL */
    bool used;               /* used_dim is set: dimensions of the net opened last */
    int64_t used_dim[RP_MAX_TENSORS][RP_MAX_RANK];
    int nin, nout;
    struct rp_tensor_info in[RP_MAX_TENSORS], out[RP_MAX_TENSORS];
};

/* Sizes of an input, where the file leaves them open: 1 for the batch; false: others cannot be
 * guessed. */
static inline bool rp_ort_guess_dim(const struct rp_tensor_info *t, int64_t dim[RP_MAX_RANK])
{
    for (int d = 0; d < t->rank; d++) {
        dim[d] = d == 0 && t->dim[d] < 0 ? 1 : t->dim[d];
        if (dim[d] < 0)
            return false;
    }
    return true;
}

/* Does ONNX Runtime run it with the CUDA provider, on device memory? */
static inline bool rp_ort_on_gpu(const struct rp_model *m)
{
    return !m->device->fns->host_memory;
}

/* Report "what: first line of ONNX Runtime's message", release the status, return `code`, or that of
 * the GPU or of memory where the message tells of these. */
int rp_ort_fail(const OrtApi *api, OrtStatus *status, int code, const char *what);

/* For functions with `ret` and `fail`: make an API call; if it fails, report that and go to
 * `fail`. */
#define ORT(api, what, call)                                                                       \
    do {                                                                                           \
        OrtStatus *const status_ = (api)->call;                                                    \
        if (status_) {                                                                             \
            ret = rp_ort_fail(api, status_, RP_ERR_MODEL, what);                                   \
            goto fail;                                                                             \
        }                                                                                          \
    } while (0)

/* Does `by` mean our own operations on this device, where they can? */
bool rp_model_wants_native(enum rp_network_engine by, const struct rp_device *device);

/* Open the model with our own operations, if `by` asks for them; *out is NULL if it does not, or they
 * cannot. */
int rp_model_open_natively(struct rp_model **out, struct rp_engine *engine,
                           struct rp_device *device, const struct rp_model_params *params);

/* Register our pools for the GPU of this device, once per engine. */
int rp_ort_register_memory(struct rp_engine *engine, struct rp_device *device);
void rp_ort_release_memory(struct rp_engine *engine);

struct rp_ort_cuda {
    bool capture; /* refuse models whose runs could not be recorded */
    bool foreign; /* with ONNX Runtime's own memory and stream */
    bool nhwc;    /* channels last */
    bool deterministic;
};

/* Add the CUDA provider. */
int rp_ort_add_cuda(struct rp_engine *engine, struct rp_device *device, OrtSessionOptions *options,
                    const struct rp_ort_cuda *how);

/* Add TensorRT before the other providers. @param folder  for engines and timings; NULL: not kept
 * @param graph  let it record and replay by itself */
int rp_ort_add_tensorrt(struct rp_engine *engine, struct rp_device *device,
                        OrtSessionOptions *options, const char *folder, bool graph);

/* Everything that `what` (an optimised model, a choice) of this file depends on. */
int rp_ort_cache_key(struct rp_engine *engine, const struct rp_device *device,
                    const char *path, const char *what, char *key, size_t size);

/* The bytes of the only file that will do, with the sizes open that need not hold. RP_ERR_MISSING,
 * without a log line, if the file is not that one. End them with rp_onnx_unmap(). */
int rp_model_read_summed(const struct rp_model *m, struct rp_onnx_image *out);

/* Make m->session, from the cache if possible (cache may be NULL). */
int rp_ort_open_session(struct rp_model *m, int threads, struct rp_cache *cache);

/* Another session of this model's file, with ONNX Runtime's own memory and stream: foreign.c.
 * @param graph  on a GPU it records and replays by itself */
int rp_ort_open_foreign(const struct rp_model *m, bool graph, OrtSession **out);

enum rp_type rp_ort_type(ONNXTensorElementDataType type);
ONNXTensorElementDataType rp_ort_element(enum rp_type type);
size_t rp_type_size(enum rp_type type);

#endif /* RP_ENGINE_ORT_H */
