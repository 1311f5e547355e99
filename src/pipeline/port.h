/* The port of a frame: where its planes meet the device.
 *
 * Operations read and write planes through struct rp_planes of the port, whose address stays. If
 * the device's memory is the host's, these are the frame's own planes, different with each frame,
 * and nothing is copied. Else they are two blocks of device memory, `in` for the incoming frame and
 * `out` for the result. Rows are copied there from the frame's own planes, and back into planes that
 * become the frame's, if these are pinned (rp_port_memory()): the host does nothing then, and the
 * copies of one launch go on beside the work of others. Frames in other memory go through a pinned
 * block on the host, row by row. The copies are no part of what is recorded: their addresses differ
 * from frame to frame. */
#ifndef RP_PORT_H
#define RP_PORT_H

#include "engine/graph.h"
#include "engine/list.h"
#include "media/media.h"

/* The planes of a frame in one block. */
struct rp_packing {
    struct {
        size_t at; /* offset in the block */
        int stride;
        int rows;
        size_t row_bytes;
    } plane[4];
    size_t bytes;
};

struct rp_port {
    struct rp_slot *slot;
    enum rp_pixfmt fmt;
    bool direct;     /* operations work on the frame's own planes */
    bool resident;   /* pixels stay on the device from launch to launch */
    bool alpha_in;   /* the incoming frame has alpha that is worked on */
    bool alpha_out;  /* the result has alpha */
    bool resized;    /* the result has another size */
    struct rp_planes in, out; /* what operations see */
    struct rp_packing pack_in, pack_out;
    uint8_t *device_in, *device_out; /* NULL if direct */
    uint8_t *host_in, *host_out;     /* NULL until a frame that is not pinned comes */
    struct rp_media_frame *result;   /* where the result is being copied to; NULL: host_out */
};

struct rp_port_params {
    enum rp_pixfmt fmt;
    struct rp_colour colour;
    struct rp_img from, to; /* the canvases of the incoming frame and of the result */
    bool alpha;             /* alpha is worked on */
    bool resident;
};

/* Do operations of this device reach planes on the host? */
bool rp_port_is_direct(const struct rp_device *device);

/* Where a reader should put frames that go through ports of this device; nothing if those are
 * direct. The device must stay as long as any of the frames. */
struct rp_frame_memory rp_port_memory(struct rp_device *device);

int rp_port_open(struct rp_port *port, struct rp_slot *slot, const struct rp_port_params *params);
void rp_port_close(struct rp_port *port);

/* Are its planes luma and chroma? Else they are packed BGR. */
bool rp_port_is_yuv(const struct rp_port *port);

/* ---- host ------------------------------------------------------------------------------------ */

/* Before the work: take this frame, which must stay until the work has been waited for. With a
 * resident port its pixels are on the device (or rp_port_load() put them there).
 * @param replayed  the work will be a replay; else it is played eagerly */
int rp_port_take(struct rp_port *port, const struct rp_media_frame *frame, bool replayed);
/* After the work was begun: begin to copy the result to the host. What was begun is waited for with
 * the work: with the stream's replays, or with its eager work. */
int rp_port_fetch(struct rp_port *port, const struct rp_media_frame *frame, bool replayed);
/* After all that, if nothing changed: forget the result. */
void rp_port_drop(struct rp_port *port);
/* For a resident port: upload a frame from host memory now. */
int rp_port_load(struct rp_port *port, const struct rp_media_frame *frame);

/* After all that, if something changed: make room for the result in the frame and, unless the port
 * is direct, give it its pixels. A direct port's pixels are written by a list that is played after
 * this. */
int rp_port_give(struct rp_port *port, struct rp_media_frame *frame);

/* ---- recording ------------------------------------------------------------------------------- */

/* Before operations write `out`: it becomes the incoming frame, or zeros if the size differs. */
void rp_port_record_base(const struct rp_port *port);

/* Register the results that verification of a recording compares. */
int rp_port_watch(const struct rp_port *port, struct rp_graph *graph);

/* A frame over pixels that belong to a picture (BGR24). */
void rp_frame_over_image(struct rp_media_frame *out, const struct rp_image *image);
/* The same for pixels on the device, BGR or BGRA, for resident programs. */
void rp_frame_over_device(struct rp_media_frame *out, struct rp_image *image);

#endif /* RP_PORT_H */
