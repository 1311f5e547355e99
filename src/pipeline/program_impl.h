/* Inside of a frame program: program.c makes it, program_format.c knows planes and blocks of them,
 * program_record.c records its work, program_run.c runs it. Nobody else includes this. */
#ifndef RP_PROGRAM_IMPL_H
#define RP_PROGRAM_IMPL_H

#include "engine/gang.h"
#include "pipeline/program.h"

/* What one frame leaves behind besides pixels; copied to the host in one piece. */
struct rp_frame_facts {
    int32_t faces, overflow, selected, pad;
    struct rp_verdict verdict;
};

/* A canvas, and faces in its coordinates. */
struct rp_view {
    struct rp_canvas canvas;
    struct rp_dfaces *faces;
};

/* The planes of a frame in one block. */
struct rp_packing {
    struct {
        size_t at; /* from the begin of the block */
        int stride;
    } plane[4];
    size_t bytes;
};

struct rp_program {
    const struct rp_plan *plan;
    struct rp_slot *slot;
    enum rp_pixfmt fmt;
    struct rp_analysis *analysis; /* NULL: nobody works on faces */
    struct rp_selection_slot selection;
    struct rp_gate_slot *gate;
    void *at[RP_MAX_PROCESSORS];

    /* A canvas for each size that the frame has on its way, and the faces in its coordinates (of
     * the first those of the analysis). The second is the small one where the plan has one. */
    struct rp_view view[RP_MAX_PROCESSORS + 2];
    struct rp_view *first, *last;

    /* The frame's planes where the operations see them. On the CPU
     * the decoder's own memory; on a GPU fixed device memory: `in` as
     * it came, `out` worked on, so that the work can be repeated. */
    struct rp_planes planes;
    struct rp_packing pack_in, pack_out;
    uint8_t *in, *out;            /* device */
    uint8_t *host_in, *host_out;  /* pinned */
    struct rp_frame_facts *host_result; /* pinned, or plain on the CPU */
    bool resident;                /* pixels stay on the device: measuring */
    bool alpha_in;                /* the frame brings alpha that a processor works on */

    /* Split plans: faces on their way to the host and back. */
    struct rp_dfaces *host_faces; /* pinned, or plain on the CPU */
    struct rp_dfaces *tracked;    /* device */

    struct rp_media_frame *frame; /* submitted, not finished */
    enum rp_pass pass;
    bool look;   /* the content check is part of the work */
    bool looked; /* and was done, if not as part of it */
    struct rp_graph *graph[RP_PASS_COUNT][2]; /* without and with the content check */
    struct rp_graph *look_graph; /* in step with other frames: the content check alone */
};

/* Do frames leave in another size? */
static inline bool rp_program_resized(const struct rp_program *p)
{
    return p->last != p->first;
}

/* Where the processors begin when they work on a smaller frame, else NULL. */
static inline const struct rp_view *rp_program_small(const struct rp_program *p)
{
    return p->plan->shrink > 0 ? &p->view[1] : NULL;
}

/* ---- planes ---------------------------------------------------------------------------------- */

bool rp_is_yuv(enum rp_pixfmt fmt);
/* Does a frame of this format bring an alpha plane? */
bool rp_brings_alpha(enum rp_pixfmt fmt);

/* The planes of a frame as operations take them. */
struct rp_planes rp_frame_planes(const struct rp_media_frame *f);

/* A block for all planes, one after the other, rows at 64-byte steps; a BGR block has the canvas's
 * own stride. */
void rp_pack_planes(const struct rp_program *p, const struct rp_img *img, bool alpha,
                    struct rp_packing *out);

/* Rows between the frame's planes and a packed block on the host. Alpha goes in only if the frame
 * brings it. */
void rp_move_rows(const struct rp_program *p, const struct rp_media_frame *f, uint8_t *block,
                  const struct rp_packing *pack, bool to_block);

/* ---- record functions ------------------------------------------------------------------------ */

/* The frame's pixels onto the canvas. */
int rp_program_record_input(struct rp_program *p);
/* The content check of what is there. */
int rp_program_record_look(struct rp_program *p);
/* The whole frame, or a pass over it: rp_program_work(). */

#endif /* RP_PROGRAM_IMPL_H */
