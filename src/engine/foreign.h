/* A network as other programs run it, in a session with ONNX Runtime's own memory and stream. Only
 * for comparison; no job uses it. */
#ifndef RP_FOREIGN_H
#define RP_FOREIGN_H

#include "engine/engine.h"

struct rp_foreign;

/* Open the file of a net once more, with the sizes of that net's tensors.
 * @param host  one pointer per input, to memory that must stay: inputs are read from ordinary host
 *              memory, and in each run ONNX Runtime allocates the outputs and copies them to the
 *              host. NULL: it runs on the net's own buffers, which must stay, and on a GPU ONNX
 *              Runtime itself records and replays */
int rp_foreign_open(struct rp_foreign **out, const struct rp_net *like, void *const *host);
void rp_foreign_close(struct rp_foreign **foreign);

/* Run it and wait for the end. */
int rp_foreign_run(struct rp_foreign *foreign);

/* Result of the last run in host memory; NULL if it has another size or is in the net's buffers. */
const void *rp_foreign_output(const struct rp_foreign *foreign, int index, size_t bytes);

#endif /* RP_FOREIGN_H */
