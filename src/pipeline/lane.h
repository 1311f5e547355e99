/* A lane of a program: what one frame owns while it is worked on, and the record functions that say
 * what is done with it. See "The recording rules" in docs/overview.md. */
#ifndef RP_PIPELINE_LANE_H
#define RP_PIPELINE_LANE_H

#include "face/hold.h"
#include "pipeline/plan.h"
#include "pipeline/port.h"
#include "pipeline/ring.h"

/* What comes back of one frame besides pixels. */
struct rp_frame_facts {
    int32_t faces, overflow, selected, pad;
    struct rp_verdict verdict;
};

/* A canvas, and faces in its coordinates. */
struct rp_view {
    struct rp_canvas canvas;
    struct rp_dfaces *faces;
};

struct rp_lane {
    const struct rp_plan *plan;
    struct rp_slot *slot;
    struct rp_slot *check_slot; /* the content check's: the same, or a second one */
    struct rp_port port;
    struct rp_analysis *analysis; /* NULL: faces are not needed */
    struct rp_selection_slot selection;
    struct rp_content_slot *content;
    void *at[RP_MAX_PROCESSORS];

    /* A canvas for each size that the frame takes, and the faces in its coordinates (in the first,
     * those of the analysis). The second is the smaller frame, if the plan has one. */
    struct rp_view view[RP_MAX_PROCESSORS + 2];
    struct rp_view *first, *last;
    struct rp_img original;       /* the frame before any processor, if one needs it */

    struct rp_frame_facts *facts; /* host */
    struct rp_dfaces *host_faces; /* host: found, or to be worked on; NULL: faces are not needed */
    struct rp_dfaces *tracked;    /* device: faces that came from the host */
    struct rp_img shrunk[2];      /* plan->scenes: the frame at twice a glance's size, and at it, */
    uint8_t *glance;              /* and that on the host; else NULL */
    struct rp_list out;           /* direct port: writes the result into the frame's own planes */
};

struct rp_lane_params {
    int w, h;
    enum rp_pixfmt fmt;
    struct rp_colour colour;
    bool resident; /* see struct rp_program_params */
};

/* @param slot        the lane takes it over
 * @param check_slot  NULL: the same; else the lane takes it over */
int rp_lane_create(struct rp_lane **out, const struct rp_plan *plan,
                   const struct rp_lane_params *params, struct rp_slot *slot,
                   struct rp_slot *check_slot);
void rp_lane_destroy(struct rp_lane **lane);

/* Record a pass over the frame on the lane's slot. */
void rp_lane_record(struct rp_lane *lane, enum rp_pass pass);
/* Record the content check of the frame on its slot. */
void rp_lane_record_check(struct rp_lane *lane);

/* Before the work: take the frame, and feed the processors what they need to know of it.
 * @param replayed  see rp_port_take() */
int rp_lane_take(struct rp_lane *lane, const struct rp_media_frame *frame, bool replayed);
/* After the work: give the frame its changed pixels, which rp_port_fetch() began to copy. */
int rp_lane_give(struct rp_lane *lane, struct rp_media_frame *frame);

/* Register what a recording of a pass writes, for verification. */
int rp_lane_watch(const struct rp_lane *lane, struct rp_graph *graph);
int rp_lane_watch_check(const struct rp_lane *lane, struct rp_graph *graph);

/* Do frames leave in another size? */
static inline bool rp_lane_resized(const struct rp_lane *lane)
{
    return lane->last != lane->first;
}

#endif /* RP_PIPELINE_LANE_H */
