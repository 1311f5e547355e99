/* Networks by our own operations (src/nets) as models and nets. */
#ifndef RP_ENGINE_NATIVE_H
#define RP_ENGINE_NATIVE_H

#include "engine/ort.h"

struct rp_native;     /* of a model: its plans, by the sizes of its inputs */
struct rp_native_net; /* of a net */

/* Take over the model m, whose inputs and outputs are filled in. RP_ERR_UNSUPPORTED, without a log
 * line, if it or its device needs something that ours does not have; `why` then says what. */
int rp_native_open(struct rp_model *m, char *why, size_t size);
void rp_native_close(struct rp_native **native);

/* The sizes of an input that a model is first tried with: where they are open, 1 for the batch,
 * else 64. */
void rp_native_guess_dim(const struct rp_tensor_info *in, int64_t dim[RP_MAX_RANK]);

/* The same model is one over n rows, even if its file says one. RP_ERR_MODEL if it cannot be. */
int rp_native_rows(struct rp_model *m, int n);
/* Bytes of weights on the device, of all plans together. */
size_t rp_native_weights(const struct rp_model *m);

/* The sizes of a net's outputs for its inputs'. */
int rp_native_sizes(struct rp_net *net);
/* Its steps on the buffers that are in the net now. */
int rp_native_bind(struct rp_net *net);
void rp_native_bind_input(struct rp_net *net, int index);
int rp_native_run(const struct rp_net *net);
/* How its convolutions multiply float32 from now on. */
void rp_native_multiply(struct rp_net *net, enum rp_net_product product);

/* Floating-point operations of a run, at the sizes that rp_native_guess_dim() says. */
double rp_native_flop(const struct rp_model *model);
void rp_native_unbind(struct rp_net *net);

#endif /* RP_ENGINE_NATIVE_H */
