/* The player: does the items of a list on the device of a slot.
 *
 * On the CPU they are done at once. On a GPU they are launched one by one (eagerly) or, while the
 * stream is being captured, become nodes of the CUDA graph, and loops and choices become
 * conditional nodes. The device knows which; the list is the same. */
#ifndef RP_PLAY_H
#define RP_PLAY_H

#include "engine/list.h"

/* Play the whole list in order on the given slot (its stream and clock). */
int rp_play(const struct rp_list *list, struct rp_slot *slot);

/* The same as a work function for rp_graph_run(): priv is a struct rp_playback. */
struct rp_playback {
    const struct rp_list *list;
    struct rp_slot *slot;
};
int rp_play_back(void *priv);

#endif /* RP_PLAY_H */
