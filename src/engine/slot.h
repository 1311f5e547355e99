/* A slot: everything that one launch in flight owns.
 *
 * It has a stream, buffers whose addresses stay the same as long as it lives (so that work on them
 * can be recorded and replayed), the bindings of models to those buffers, and a clock per stage.
 * Slots share nothing but models, so several can run at once. (In lockstep each lane has a slot,
 * and all of these share one stream.)
 *
 * The functions here act at once; work that is repeated for each frame is recorded into a list
 * (list.h). */
#ifndef RP_SLOT_H
#define RP_SLOT_H

#include "device/device.h"

struct rp_graph_options;
struct rp_list;
struct rp_lockstep;

struct rp_slot {
    struct rp_device *device;
    struct rp_stream *stream;
    struct rp_list *list;         /* being recorded, else NULL */
    struct rp_lockstep *lockstep; /* that it is a lane of; NULL: none */
    int lane;                     /* its number there */
    int batch;                    /* faces per run of a network, if its file allows that */

    bool beside;                  /* the stream belongs to another slot */
    void **blocks;                /* device memory to free with the slot */
    void **host_blocks;           /* pinned */
    int nblocks, cap, nhost, host_cap;
    size_t bytes;                 /* device memory */

    /* On a device that can record: with model_graphs each model is recorded by itself (because that
     * was asked for, or the frame as a whole could not be recorded). */
    const struct rp_graph_options *graph_options;
    bool model_graphs;

    /* Wall time by stage, for eager execution on the CPU. */
    enum rp_stage stage;
    double stage_start;
    double own_seconds[RP_STAGE_COUNT];
    double model_seconds[RP_STAGE_COUNT];
};

int rp_slot_create(struct rp_slot **out, struct rp_device *device);
/* A slot on the stream of another slot, which must outlive it. */
int rp_slot_create_beside(struct rp_slot **out, const struct rp_slot *other);
void rp_slot_destroy(struct rp_slot **slot);

/* Zeroed device memory that lives as long as the slot. Only for preparation, never while
 * recording. */
int rp_slot_alloc(struct rp_slot *slot, size_t size, void **out);

/* Zeroed host memory that recorded copies may use; it lives as long as the slot. */
int rp_slot_alloc_host(struct rp_slot *slot, size_t size, void **out);

/* Device memory with a copy of host memory, which is finished on return. */
int rp_slot_constant(struct rp_slot *slot, const void *data, size_t size, void **out);

/* A new image in device memory of the slot. */
int rp_slot_image(struct rp_slot *slot, int w, int h, int ch, struct rp_img *out);

/* Launch an operation now, for preparation; arguments as in ops.h. For work on frames see
 * RP_OP(). */
#define RP_OP_NOW(slot, op, ...)                                                                   \
    ((slot)->device->ops->op((slot)->stream, &(const struct rp_op_##op){__VA_ARGS__}))

/* Copy now, in order on the slot's stream; host memory must stay valid until rp_slot_sync(). */
int rp_slot_upload(struct rp_slot *slot, void *dst, const void *src, size_t n);
int rp_slot_download(struct rp_slot *slot, void *dst, const void *src, size_t n);
int rp_slot_copy(struct rp_slot *slot, void *dst, const void *src, size_t n);
int rp_slot_zero(struct rp_slot *slot, void *dst, size_t n);
int rp_slot_sync(struct rp_slot *slot);

/* Copy device memory to the host, and wait for that. */
int rp_slot_read(struct rp_slot *slot, void *dst, const void *src, size_t n);

/* From here on time counts for this stage. */
void rp_slot_stage(struct rp_slot *slot, enum rp_stage stage);
/* Count the time since the last call for networks. */
void rp_slot_stage_model(struct rp_slot *slot);
/* Stop the clock, and count the time since the last call. */
void rp_slot_stage_end(struct rp_slot *slot);

#endif /* RP_SLOT_H */
