/* The workers of one device: they take frames from the ring, run the frame program on them (several in
 * step where that was asked for: team.h) and say when each is done.
 *
 * On the CPU one thread a slot, a frame at a time. On a GPU the calling
 * thread keeps all slots busy in turn: launching costs it microseconds,
 * and a slot's frame is fetched when its turn comes again. */
#ifndef RP_CREW_H
#define RP_CREW_H

#include "face/tracker.h"
#include "pipeline/team.h"
#include "pipeline/ring.h"

#define RP_MAX_SLOTS 64

struct rp_crew;

struct rp_crew_params {
    struct rp_ring *ring;
    const struct rp_plan *plan;
    struct rp_tracker *tracker; /* when the ring is split, else NULL */
    int slots;
    int w, h;
    int out_w, out_h; /* on the CPU larger frames leave in this size, so that few large ones wait */
    enum rp_pixfmt fmt;

    /* Called from any worker thread. */
    bool (*look)(void *priv, int64_t frame_index);                        /* content check on it? */
    int (*count)(void *priv, const struct rp_frame_result *result);       /* < 0 stops everybody */
    void *priv;
};

/* Makes the programs: all memory that the crew will use. */
int rp_crew_create(struct rp_crew **out, const struct rp_crew_params *params);

/* Start threads (CPU); nothing to do on a GPU. */
int rp_crew_start(struct rp_crew *crew);

/* Work until the ring ends (GPU, on the thread that opened the device), or wait for the threads
 * (CPU). Failures go to the ring. */
void rp_crew_run(struct rp_crew *crew);

/* Device memory of all slots. */
size_t rp_crew_bytes(const struct rp_crew *crew);

/* Call fn for each slot, after the run: for clocks. */
void rp_crew_each(const struct rp_crew *crew, void (*fn)(void *priv, const struct rp_slot *slot),
                  void *priv);

/* All threads must have left: the ring ended or failed, then rp_crew_run(). */
void rp_crew_destroy(struct rp_crew **crew);

#endif /* RP_CREW_H */
