/* The frames of one launch: one, or several that go in step (engine/gang.h).
 *
 * Frames in step are programs of their own on slots of a gang; what they do is one recording. Threads:
 * as of a program. */
#ifndef RP_TEAM_H
#define RP_TEAM_H

#include "pipeline/program.h"

struct rp_team;

/* How many frames a launch of this plan has: what --cuda-graph-frames says; one where the host has to
 * look at frames between two passes, and where models are recorded one by one. */
int rp_plan_frames(const struct rp_plan *plan);

/* @param frames  1 to RP_MAX_GANG; the size and format of all are fixed for its life */
int rp_team_create(struct rp_team **out, const struct rp_plan *plan, int w, int h,
                   enum rp_pixfmt fmt, int frames);
void rp_team_destroy(struct rp_team **team);

struct rp_team_frame {
    struct rp_media_frame *frame; /* must stay until rp_team_finish() */
    bool look;                    /* run the content check on it */
};

/* Begin work on n frames, at most as many as the team has; with fewer the rest works in vain. */
int rp_team_submit(struct rp_team *team, const struct rp_team_frame *frame, int n,
                   enum rp_pass pass);
/* Wait for them; n results. */
int rp_team_finish(struct rp_team *team, struct rp_frame_result *result);

/* For measuring, as of a program: the same frame for all, worked on again and again. */
int rp_team_place(struct rp_team *team, struct rp_media_frame *frame);
int rp_team_repeat(struct rp_team *team);

/* Frames a second of n such teams in turn, for so many seconds. */
int rp_team_rate(struct rp_team *const *team, int n, double seconds, double *fps);

int rp_team_frames(const struct rp_team *team);
struct rp_program *rp_team_program(const struct rp_team *team, int i);
const struct rp_graph *rp_team_graph(const struct rp_team *team);

/* Device memory: buffers; what recordings took for results in between. */
size_t rp_team_bytes(const struct rp_team *team);
size_t rp_team_pool_bytes(const struct rp_team *team);

/* Call fn for each slot: for clocks. */
void rp_team_each(const struct rp_team *team, void (*fn)(void *priv, const struct rp_slot *slot),
                  void *priv);

#endif /* RP_TEAM_H */
