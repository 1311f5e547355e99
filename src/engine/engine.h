/* ONNX Runtime: loaded at run time, so that one build runs with whichever library is there.
 *
 *   rp_engine   the library and its environment, one per process
 *   rp_model    one ONNX file on one device: a session and its tensors' facts; immutable, shared
 *   rp_net      one model bound to fixed buffers of one slot: what rp_run() runs
 *
 * Threads: engine and models may be used from any thread, a net belongs to its slot. */
#ifndef RP_ENGINE_H
#define RP_ENGINE_H

#include "engine/slot.h"

struct rp_engine;
struct rp_onnx_image;
struct rp_model;
struct rp_plans;

/* @param library  file name of libonnxruntime; NULL: $REPRISE_ONNXRUNTIME, $ORT_HOME/lib, the place
 *                 where `make install` puts it, the folder that the build was configured with.
 * RP_ERR_UNSUPPORTED with a sentence that says how to get it. */
int rp_engine_create(struct rp_engine **out, const char *library);
void rp_engine_destroy(struct rp_engine **engine);
const char *rp_engine_version(const struct rp_engine *engine); /* "1.29.0" */
const char *rp_engine_library(const struct rp_engine *engine); /* path it was loaded from */

enum rp_type { RP_TYPE_F32 = 0, RP_TYPE_F64, RP_TYPE_I64, RP_TYPE_I32, RP_TYPE_U8, RP_TYPE_OTHER };

#define RP_MAX_RANK 8
#define RP_MAX_TENSORS 16

struct rp_tensor_info {
    char name[96];
    enum rp_type type;
    int rank;
    int64_t dim[RP_MAX_RANK]; /* -1 = not fixed by the file */
};

/* Memory layout of a network's tensors on a GPU; of no meaning on the CPU. */
enum rp_layout { RP_LAYOUT_NCHW = 0, RP_LAYOUT_NHWC, RP_LAYOUT_AUTO };

struct rp_model_params {
    const char *path;
    const char *name; /* for messages and reports; NULL: the file's name */
    int threads;      /* inside one run; 0 = all cores, 1 = the caller's thread only */
    struct rp_plans *plans; /* cache of optimised forms and choices (GPU); NULL: none */
    enum rp_layout layout;  /* auto is NCHW here; see form.h */
    bool tensorrt;          /* on a GPU: through TensorRT, which records by itself */
    bool deterministic;     /* on a GPU: no algorithms that add in another order at every run */
    const struct rp_onnx_image *edited; /* these bytes, not the file's (rows.c); while opening */
    int rows;               /* of them, for the cache */
};

/* The layout it has (never auto), and whether it was told to be deterministic. */
enum rp_layout rp_model_layout(const struct rp_model *model);
bool rp_model_deterministic(const struct rp_model *model);

/* The network over n rows where this one has one, for frames that go in step: the same model where the
 * file leaves the number open, else one from the file with that number changed. It belongs to `model`.
 * *out is NULL where that can not be had. */
int rp_model_rows(struct rp_model **out, struct rp_model *model, int n);
/* It was found to mix its rows: from now on none is had. */
void rp_model_rows_bad(struct rp_model *model, const char *why);

/* True if a run of it can be recorded: all its work is on the GPU and it has no control flow. */
bool rp_model_recordable(const struct rp_model *model);

/* True when this library can run networks on a GPU (it has the CUDA bridge). */
bool rp_engine_has_cuda(const struct rp_engine *engine);

/* RP_ERR_UNSUPPORTED with a sentence that says what TensorRT lacks here. */
int rp_engine_check_tensorrt(struct rp_engine *engine);

/* Load a file. RP_ERR_IO when it cannot be read, RP_ERR_MODEL when it is not a model or needs what
 * this ONNX Runtime lacks; the sentence names the file. */
int rp_model_open(struct rp_model **out, struct rp_engine *engine, struct rp_device *device,
                  const struct rp_model_params *params);
void rp_model_close(struct rp_model **model);

const char *rp_model_name(const struct rp_model *model);
const char *rp_model_path(const struct rp_model *model);
/* Sizes that the last net gave this input; NULL when there was none. */
const int64_t *rp_model_used_dim(const struct rp_model *model, int input);
int rp_model_inputs(const struct rp_model *model, const struct rp_tensor_info **info);
int rp_model_outputs(const struct rp_model *model, const struct rp_tensor_info **info);

/* Index of the input of this name, or -1. */
int rp_model_find_input(const struct rp_model *model, const char *name);

/* What a caller expects of an input; -1 in dim accepts any size. Fails with RP_ERR_MODEL and a
 * sentence that gives both shapes. `name` NULL: input number `index` whatever its name. */
int rp_model_expect_input(const struct rp_model *model, const char *name, int index,
                          enum rp_type type, int rank, const int64_t *dim);
int rp_model_expect_outputs(const struct rp_model *model, int at_least);

struct rp_tensor {
    void *data; /* device memory of the slot */
    enum rp_type type;
    int rank;
    int64_t dim[RP_MAX_RANK];
    size_t count, bytes;
};

struct rp_graph;
struct rp_gang_net;

struct rp_net {
    struct rp_model *model;
    struct rp_slot *slot;
    int nin, nout;
    struct rp_tensor in[RP_MAX_TENSORS], out[RP_MAX_TENSORS];
    void *binding; /* engine's own */
    struct rp_graph *graph; /* its own recording, in mode "model"; NULL else */
    struct rp_gang_net *rows; /* its buffers are a row of this one's (gang.h); NULL: its own */
};

/* Bind a model to buffers of a slot. Inputs whose size the file leaves open take theirs from
 * `in_dim` (rank numbers per input, in input order; NULL when all are fixed). Output sizes that
 * depend on the input are learnt from one run with zeros. The net is freed by rp_net_close(), its
 * buffers with the slot; close nets before the slot and the model. */
int rp_net_open(struct rp_net **out, struct rp_slot *slot, struct rp_model *model,
                const int64_t *const *in_dim);
/* The same over the buffers of another net of this model whose tensors are as large or larger. */
int rp_net_open_over(struct rp_net **out, struct rp_slot *slot, struct rp_model *model,
                     const int64_t *const *in_dim, const struct rp_net *over);
void rp_net_close(struct rp_net **net);

/* Use this device memory as input `index` instead of the slot's own buffer (constants that several
 * slots share). Same size. */
int rp_net_set_input(struct rp_net *net, int index, void *data);

/* Run the network on the slot's stream: reads in[], writes out[]. Replays the net's own recording
 * when the slot's models record themselves. */
int rp_run(struct rp_net *net);

#endif /* RP_ENGINE_H */
