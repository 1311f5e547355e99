/* A slot: everything that one frame in flight owns.
 *
 * Its stream, its buffers (fixed addresses for as long as it lives, so that work on them can be
 * recorded and replayed), the bindings of models to those buffers, and a clock per stage. Slots
 * share nothing but models, so k of them run at once. */
#ifndef RP_SLOT_H
#define RP_SLOT_H

#include "device/device.h"

struct rp_graph_options;
struct rp_gang;
struct rp_tape;

struct rp_slot {
    struct rp_device *device;
    const struct rp_ops *ops;  /* of the device */
    struct rp_stream *stream;
    struct rp_tape *tape;      /* work is noted here instead of done; NULL: it is done */
    struct rp_gang *gang;      /* goes in step with others on their stream; NULL: alone */
    int member;                /* which of them */

    bool beside;               /* the stream is another slot's */
    void **blocks;             /* device memory to free with the slot */
    int nblocks, cap;
    size_t bytes;

    /* Recording, on a device that can: models record themselves one by one when model_graphs is set
     * (asked for, or because the frame as a whole could not be recorded). */
    const struct rp_graph_options *graph_options;
    bool model_graphs;

    /* Wall time by stage, for eager execution on the CPU. */
    enum rp_stage stage;
    double stage_start;
    double own_seconds[RP_STAGE_COUNT];
    double model_seconds[RP_STAGE_COUNT];
};

int rp_slot_create(struct rp_slot **out, struct rp_device *device);
/* One on another slot's stream, which must outlive it. */
int rp_slot_create_beside(struct rp_slot **out, const struct rp_slot *other);
void rp_slot_destroy(struct rp_slot **slot);

/* Device memory that lives as long as the slot, zeroed. Only
 * while preparing, never while recording. */
int rp_slot_alloc(struct rp_slot *slot, size_t size, void **out);

/* The same, filled from host memory and synchronised. */
int rp_slot_constant(struct rp_slot *slot, const void *data, size_t size, void **out);

/* An image of its own. */
int rp_slot_image(struct rp_slot *slot, int w, int h, int ch, struct rp_img *out);

/* Launch an operation on the slot's stream; arguments as in ops.h:
 *     RP_TRY(RP_OP(slot, resize, .src = *frame, .dst = small)); */
#define RP_OP(slot, op, ...)                                                                       \
    ((slot)->ops->op((slot)->stream, &(const struct rp_op_##op){__VA_ARGS__}))

/* The verbs. */
int rp_slot_loop(struct rp_slot *slot, const int32_t *count, int32_t *index, rp_record_fn *body,
                 void *priv);
int rp_slot_choose(struct rp_slot *slot, const int32_t *which, int n, rp_record_fn *body,
                   void *const *priv);
int rp_slot_upload(struct rp_slot *slot, void *dst, const void *src, size_t n);
int rp_slot_download(struct rp_slot *slot, void *dst, const void *src, size_t n);
int rp_slot_copy(struct rp_slot *slot, void *dst, const void *src, size_t n);
int rp_slot_zero(struct rp_slot *slot, void *dst, size_t n);
int rp_slot_sync(struct rp_slot *slot);

/* From here on time counts for this stage. Returns the stage before, to go back to. */
enum rp_stage rp_slot_stage(struct rp_slot *slot, enum rp_stage stage);
/* Stop the clock: the time since the last call is counted. */
void rp_slot_stage_end(struct rp_slot *slot);

#endif /* RP_SLOT_H */
