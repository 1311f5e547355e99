/* A network as other programs run it, in a session with ONNX Runtime's own memory and stream. For
 * comparison only: no job uses it. */
#ifndef RP_FOREIGN_H
#define RP_FOREIGN_H

#include "engine/engine.h"

struct rp_foreign;

/* The file of a net, opened once more, with the sizes of the net's tensors.
 * @param host  one pointer an input, which must stay: inputs are in ordinary host memory, and
 *              outputs are made anew by ONNX Runtime in each run and copied to the host.
 *              NULL: it runs on the net's own buffers, which must stay, and on a GPU ONNX Runtime
 *              records and replays by itself */
int rp_foreign_open(struct rp_foreign **out, const struct rp_net *like, void *const *host);
void rp_foreign_close(struct rp_foreign **foreign);

/* On return it has ended. */
int rp_foreign_run(struct rp_foreign *foreign);

/* Result of the last run in host memory; NULL if it is of another size or in the net's buffers. */
const void *rp_foreign_output(const struct rp_foreign *foreign, int index, size_t bytes);

#endif /* RP_FOREIGN_H */
