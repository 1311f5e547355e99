/* Several frames that go in step through one launch.
 *
 * Each has a slot, buffers and a record function of its own, and knows nothing of the others. What
 * they would do is taped (tape.h), and the tapes are played together: operations frame by frame, but
 * a network once for all of them, their tensors being the rows of one batch. That keeps a GPU's
 * multiprocessors busy where one frame's network leaves them idle. Loops go in step as well: turn by
 * turn, as long as one of the frames has something to do; a frame that has not does nothing in that
 * turn, and its row is left as it is.
 *
 * A network whose file fixes its batch is opened once more with the size changed (rows.c), and its
 * rows are compared with the network of one row; where they differ, or the network cannot be
 * changed, the frames run it one after the other.
 *
 * A row's result may differ in its last bits from that of the network of one row, as it may between
 * two GPUs; for the same frames in step it is always the same. */
#ifndef RP_GANG_H
#define RP_GANG_H

#include "engine/engine.h"

struct rp_gang;

/* @param n  frames in step, 2 to RP_MAX_GANG */
int rp_gang_create(struct rp_gang **out, struct rp_device *device,
                   const struct rp_graph_options *options, int n);
/* After everything that lives in its slots. */
void rp_gang_destroy(struct rp_gang **gang);

/* The slot of everything common: its stream is the stream of all. */
struct rp_slot *rp_gang_lead(const struct rp_gang *gang);

/* A slot for frame number i, to be destroyed by the caller, before the gang. Whatever opens networks
 * in it must open the same ones, in the same order, in the slots of all frames, those of frame 0
 * first. */
int rp_gang_slot(struct rp_slot **out, struct rp_gang *gang, int i);

/* Record (or, not recording, do): fn(priv[i]) for all frames i, in step. All must do the same. */
int rp_gang_run(struct rp_gang *gang, rp_record_fn *fn, void *const *priv);

/* Networks that run over all frames at once, of those that were opened. */
int rp_gang_shared(const struct rp_gang *gang, int *opened);

/* For net.c: rp_net_open() and rp_net_set_input() in a slot that goes in step. */
int rp_gang_net_open(struct rp_net **out, struct rp_slot *slot, struct rp_model *model,
                     const int64_t *const *in_dim);
int rp_gang_set_input(struct rp_net *net, int index, void *data);

#endif /* RP_GANG_H */
