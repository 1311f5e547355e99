/* ONNX Runtime, loaded at run time, so that one build runs with whichever library is installed.
 *
 *   rp_engine   the library and its environment, one per process
 *   rp_model    one ONNX file on one device: a session and facts of its tensors; immutable, shared
 *   rp_net      one model bound to fixed buffers of one slot: what rp_net_run() runs
 *
 * Threads: engine and models may be used from any thread, a net belongs to its slot. */
#ifndef RP_ENGINE_H
#define RP_ENGINE_H

#include "engine/slot.h"

struct rp_engine;
struct rp_onnx_image;
struct rp_model;
struct rp_cache;

/* ONNX Runtime, which is loaded when the first model needs it.
 * @param library  file name of libonnxruntime; NULL: $REPRISE_ONNXRUNTIME, $ORT_HOME/lib, the place
 *                 where `make install` puts it, the folder that the build was configured with; the
 *                 first that is found. */
int rp_engine_create(struct rp_engine **out, const char *library);
void rp_engine_destroy(struct rp_engine **engine);
/* Load it now. RP_ERR_UNSUPPORTED if there is none; the sentence says how to get it. */
int rp_engine_load(struct rp_engine *engine);
/* "1.29.0", and the path it was loaded from; it is loaded for that. "none" if it cannot be. */
const char *rp_engine_version(struct rp_engine *engine);
const char *rp_engine_library(struct rp_engine *engine);

enum rp_type { RP_TYPE_F32 = 0, RP_TYPE_F64, RP_TYPE_I64, RP_TYPE_I32, RP_TYPE_U8, RP_TYPE_OTHER };

#define RP_MAX_RANK 8
#define RP_MAX_TENSORS 16

struct rp_tensor_info {
    char name[96];
    enum rp_type type;
    int rank;
    int64_t dim[RP_MAX_RANK]; /* -1 = not fixed by the file */
};

/* Memory layout of a network's tensors on a GPU; without meaning on the CPU. */
enum rp_layout { RP_LAYOUT_NCHW = 0, RP_LAYOUT_NHWC, RP_LAYOUT_AUTO };

/* The only file that will do. What is loaded are the very bytes that were summed, never a form of
 * them that is kept on disk. */
struct rp_model_sum {
    int64_t size;
    const char *sha256; /* NULL: any file will do; else a text that outlives the model */
};

/* What runs networks. */
enum rp_network_engine {
    RP_NETWORK_AUTO = 0,    /* native on a GPU, ONNX Runtime on the CPU */
    RP_NETWORK_NATIVE,      /* our own operations (src/nets) where they can, else ONNX Runtime */
    RP_NETWORK_ONNXRUNTIME,
};

/* How networks by our own operations hold and multiply numbers. */
enum rp_precision {
    RP_PRECISION_AUTO = 0, /* on a GPU by the network: rp_precision_best(); else as it is */
    RP_PRECISION_TF32,     /* float32, multiplied as TF32 on a GPU and as it is on the CPU */
    RP_PRECISION_FP16,     /* float16, multiplied as it is and added in float32 */
    RP_PRECISION_FP32,     /* float32, multiplied so that a GPU is 20 times nearer to it than TF32,
                            * and takes up to twice as long */
};

/* "tf32" and so on, by their numbers; NULL at the end. */
extern const char *const rp_precision_names[];

/* How far results are from those in float32, of the output that is farthest: the root mean square
 * of the difference over that of the output, and the largest difference over the largest value.
 * INFINITY: not finite. */
struct rp_errors {
    double rms, most;
};

struct rp_precision_facts {
    enum rp_precision taken; /* never auto */
    bool measured;           /* the following are */
    struct rp_errors tf32, fp16;
    double flop; /* floating-point operations of one item */
};

struct rp_model_params {
    const char *path;
    const char *name; /* for messages and reports; NULL: the file's name */
    int threads;      /* inside one run; 0 = all cores, 1 = the caller's thread only */
    struct rp_cache *cache; /* for optimised forms and measured choices (GPU); NULL: none */
    enum rp_layout layout;  /* auto means NCHW here; see form.h */
    bool tensorrt;          /* on a GPU: through TensorRT, which records by itself */
    enum rp_network_engine by;
    enum rp_precision precision; /* auto counts as TF32 here; see form.h */
    float most; /* inputs are from 0 up to this if it is more than 1, else from -1 to 1 */
    bool deterministic;     /* on a GPU: no algorithms whose order of adding varies between runs */
    const struct rp_onnx_image *edited; /* these bytes instead of the file's (rows.c); only read
                                         * while opening */
    int rows;               /* rows of the edited file, for the cache */
    struct rp_model_sum sum;
};

/* The model's layout (never auto), and whether it was opened as deterministic. */
enum rp_layout rp_model_layout(const struct rp_model *model);
bool rp_model_deterministic(const struct rp_model *model);

/* Could our own operations run this file on the CPU? 1 or 0 with the reason in `why`; RP_ERR_IO, or
 * RP_ERR_MODEL when it is not a model. */
int rp_model_could_be_native(const char *path, char *why, size_t size);
/* Do our own operations run it? */
bool rp_model_is_native(const struct rp_model *model);
/* How a native one holds numbers. */
struct rp_precision_facts rp_model_precision(const struct rp_model *model);

/* What the cache has of measuring a file's precision (--precision auto), one sentence with the
 * root mean squares for each kind of GPU; "" if nothing. */
void rp_precision_describe(struct rp_cache *cache, const char *path, char *text, size_t size);

/* For frames in lockstep: the network over n rows instead of one. It is `model` itself if the file
 * leaves the number of rows open, else a model from the file with that number changed, which
 * belongs to `model`. *out is NULL if neither is possible. */
int rp_model_rows(struct rp_model **out, struct rp_model *model, int n);
/* To be called when that network turns out to mix its rows: from now on there is none. */
void rp_model_rows_bad(struct rp_model *model, const char *why);

/* True if a run of it can be recorded: all its work is on the GPU and it has no control flow. */
bool rp_model_recordable(const struct rp_model *model);

/* True when this library can run networks on a GPU (it has the CUDA bridge). */
bool rp_engine_has_cuda(struct rp_engine *engine);

/* RP_ERR_UNSUPPORTED if TensorRT cannot be used here; the sentence says what is missing. */
int rp_engine_check_tensorrt(struct rp_engine *engine);

/* Open a model file. RP_ERR_IO when it cannot be read, RP_ERR_MODEL when it is not a model or needs
 * something that this ONNX Runtime does not have, RP_ERR_MISSING, without a log line, when it is
 * not the file that `sum` asks for; the sentence names the file. */
int rp_model_open(struct rp_model **out, struct rp_engine *engine, struct rp_device *device,
                  const struct rp_model_params *params);
void rp_model_close(struct rp_model **model);

const char *rp_model_name(const struct rp_model *model);
const char *rp_model_path(const struct rp_model *model);
/* Dimensions of this input in the net opened last; NULL when there was none. */
const int64_t *rp_model_used_dim(const struct rp_model *model, int input);
int rp_model_inputs(const struct rp_model *model, const struct rp_tensor_info **info);
int rp_model_outputs(const struct rp_model *model, const struct rp_tensor_info **info);

/* Run it once on zeros, so that whoever runs it first need not wait until its algorithms are chosen
 * (on a GPU up to seconds). `dim`: sizes of its inputs where the file leaves them open, as in
 * rp_model_used_dim(); all 0: unknown, then only a batch of 1 is guessed. */
int rp_model_warm(struct rp_model *model, const int64_t (*dim)[RP_MAX_RANK]);

/* Index of the input of this name, or -1. */
int rp_model_find_input(const struct rp_model *model, const char *name);

/* Check that an input is what the caller expects; -1 in dim accepts any size. RP_ERR_MODEL if not;
 * the sentence gives both shapes. `name` NULL: input number `index`, whatever its name. */
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
struct rp_shared_net;
struct rp_native_net;

struct rp_net {
    struct rp_model *model;
    struct rp_slot *slot;
    int nin, nout;
    struct rp_tensor in[RP_MAX_TENSORS], out[RP_MAX_TENSORS];
    void *binding; /* engine's own */
    struct rp_native_net *native; /* its steps, if our own operations run it; else NULL */
    struct rp_graph *graph;       /* its own recording, in mode "model"; else NULL */
    struct rp_shared_net *shared; /* its buffers are a row of this net's (lockstep.h); NULL: own */
};

/* Bind a model to buffers of a slot. Sizes of inputs that the file leaves open are taken from
 * `in_dim` (rank numbers per input, in input order; NULL when all are fixed). Sizes of outputs that
 * depend on the input are found by one run with zeros. In a lane of a lockstep the buffers are one
 * row of a batch over all lanes. rp_net_close() frees the net, but its buffers live as long as the
 * slot; close nets before the slot and the model. */
int rp_net_open(struct rp_net **out, struct rp_slot *slot, struct rp_model *model,
                const int64_t *const *in_dim);
/* The same on the buffers of another net of this model, whose tensors must be at least as large.
 * With `over` NULL the net has its own buffers, even in a lockstep. */
int rp_net_open_over(struct rp_net **out, struct rp_slot *slot, struct rp_model *model,
                     const int64_t *const *in_dim, const struct rp_net *over);
void rp_net_close(struct rp_net **net);

/* Use this device memory of the same size as input `index`, instead of the slot's own buffer: for
 * constants that several slots share. */
int rp_net_set_input(struct rp_net *net, int index, void *data);
/* The same for this net alone, not for the others in its lockstep. */
int rp_net_bind_input(struct rp_net *net, int index, void *data);

/* Run the network now, on the slot's stream: reads in[], writes out[]. Replays the net's own
 * recording if the slot's models are recorded one by one. */
int rp_net_run(struct rp_net *net);

/* The operations that a native net consists of, for reports; 0: it is not native. One of them by
 * itself, now, and what it does (ops/describe.h: its number, and a struct rp_op_NAME). */
int rp_net_steps(const struct rp_net *net);
enum rp_op_number rp_net_step(const struct rp_net *net, int i, const void **args);
int rp_net_run_step(const struct rp_net *net, int i);

#endif /* RP_ENGINE_H */
