/* Several frames in lockstep through one launch.
 *
 * Each frame has a lane: a slot, buffers and a list of its own, which know nothing of the others.
 * The lists are merged into one: operations lane by lane, but each network once for all lanes, with
 * their tensors as the rows of one batch. This keeps a GPU's multiprocessors busy, many of which
 * one frame's network leaves idle. Loops are merged too: they run as many turns as the lane with
 * the largest count needs; a lane that has finished does nothing in further turns, and its rows
 * stay as they are.
 *
 * A network whose file fixes its batch is opened once more with that size changed (rows.c), and its
 * rows are compared with the network of one row. If they differ, or if the network cannot be
 * changed, the lanes run it one after the other.
 *
 * A row's result may differ in its last bits from that of the network of one row, as it may between
 * two GPUs; for the same frames in lockstep it is always the same. So which frames go together must
 * not depend on anybody's speed. */
#ifndef RP_LOCKSTEP_H
#define RP_LOCKSTEP_H

#include "engine/list.h"

/* @param n  lanes, 2 to RP_MAX_LANES */
int rp_lockstep_create(struct rp_lockstep **out, struct rp_device *device,
                       const struct rp_graph_options *options, int n);
/* Its slots, and what lives in them, must be destroyed first. */
void rp_lockstep_destroy(struct rp_lockstep **lockstep);

/* The slot of everything shared: all lanes use its stream, and merged lists are played on it. */
struct rp_slot *rp_lockstep_lead(const struct rp_lockstep *lockstep);

/* A slot for lane i, which the caller destroys before the lockstep. The same networks must be
 * opened in the slots of all lanes, in the same order, and in lane 0 first. */
int rp_lockstep_slot(struct rp_slot **out, struct rp_lockstep *lockstep, int i);

/* Merge the lists of all lanes (lane[0] to lane[n - 1], recorded in its slots), which must do the
 * same work, into one. The lanes' lists are not needed after that. */
int rp_lockstep_merge(struct rp_lockstep *lockstep, const struct rp_list *lane,
                      struct rp_list *out);

/* How many networks run over all lanes at once; *opened: of how many. */
int rp_lockstep_shared(const struct rp_lockstep *lockstep, int *opened);

#endif /* RP_LOCKSTEP_H */
