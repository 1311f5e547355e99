/* The workers of one device: each takes frames from the ring, runs its program on them and gives
 * them back when they are done.
 *
 * On the CPU each slot has a thread, which works on one frame at a time. On a GPU the calling
 * thread goes round all slots and keeps them busy: a launch costs it microseconds, and a slot's
 * frames are finished when the thread comes to the slot again. */
#ifndef RP_CREW_H
#define RP_CREW_H

#include "face/tracker.h"
#include "pipeline/programs.h"
#include "pipeline/ring.h"

#define RP_MAX_SLOTS 64

struct rp_crew;

struct rp_crew_params {
    struct rp_ring *ring;
    const struct rp_plan *plan;
    struct rp_programs *programs; /* where its programs come from and go back to */
    struct rp_tracker *tracker; /* if the ring is split, else NULL */
    int slots;
    int w, h;
    int out_w, out_h; /* on the CPU larger frames are shrunk to this size: less waits in the ring */
    enum rp_pixfmt fmt;
    struct rp_colour colour;

    /* Called from any worker thread. */
    bool (*check)(void *priv, const struct rp_media_frame *frame); /* with the content check? */
    int (*count)(void *priv, struct rp_media_frame *frame,
                 const struct rp_frame_result *result); /* < 0 stops all sides */
    void *priv;
};

/* Makes the programs, which have all the memory that the crew will use. */
int rp_crew_create(struct rp_crew **out, const struct rp_crew_params *params);

/* Start threads (CPU); nothing to do on a GPU. */
int rp_crew_start(struct rp_crew *crew);

/* Work until the ring ends (GPU, on the thread that opened the device), or wait for the threads
 * (CPU). Failures go to the ring. */
void rp_crew_run(struct rp_crew *crew);

/* Device memory of all slots. */
size_t rp_crew_bytes(const struct rp_crew *crew);

/* Call fn for each slot, after the run: to read clocks. */
void rp_crew_each(const struct rp_crew *crew, void (*fn)(void *priv, const struct rp_slot *slot),
                  void *priv);

/* All threads must have left: the ring ended or failed, then rp_crew_run(). */
void rp_crew_destroy(struct rp_crew **crew);

#endif /* RP_CREW_H */
