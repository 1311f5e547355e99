#include "engine/slot.h"

#include "engine/tape.h"

static struct rp_slot *new_slot(struct rp_device *device)
{
    struct rp_slot *const slot = calloc(1, sizeof(*slot));

    if (!slot) {
        rp_fail(RP_ERR_NOMEM, "out of memory");
        return NULL;
    }
    slot->device = device;
    slot->ops = device->ops;
    return slot;
}

int rp_slot_create_beside(struct rp_slot **out, const struct rp_slot *other)
{
    if (!(*out = new_slot(other->device)))
        return RP_ERR_NOMEM;
    (*out)->stream = other->stream;
    (*out)->beside = true;
    (*out)->graph_options = other->graph_options;
    return 0;
}

int rp_slot_create(struct rp_slot **out, struct rp_device *device)
{
    int ret;
    struct rp_slot *const slot = *out = new_slot(device);

    if (!slot)
        return RP_ERR_NOMEM;
    RP_TRY(device->fns->stream_create(device, &slot->stream));
    return 0;

fail:
    rp_slot_destroy(out);
    return ret;
}

void rp_slot_destroy(struct rp_slot **out)
{
    struct rp_slot *const slot = *out;

    if (!slot)
        return;
    for (int i = 0; i < slot->nblocks; i++)
        slot->device->fns->free(slot->device, slot->blocks[i]);
    free(slot->blocks);
    if (!slot->beside)
        slot->device->fns->stream_destroy(slot->device, slot->stream);
    free(slot);
    *out = NULL;
}

int rp_slot_alloc(struct rp_slot *slot, size_t size, void **out)
{
    int ret;

    *out = NULL;
    if (slot->nblocks == slot->cap) {
        const int cap = slot->cap ? 2 * slot->cap : 32;
        void **const grown = realloc(slot->blocks, (size_t) cap * sizeof(*grown));

        if (!grown)
            return rp_fail(RP_ERR_NOMEM, "out of memory");
        slot->blocks = grown;
        slot->cap = cap;
    }
    if ((ret = slot->device->fns->alloc(slot->device, size, out)) < 0)
        return ret;
    slot->blocks[slot->nblocks++] = *out;
    slot->bytes += size;
    return 0;
}

int rp_slot_constant(struct rp_slot *slot, const void *data, size_t size, void **out)
{
    int ret;

    if ((ret = rp_slot_alloc(slot, size, out)) < 0 ||
        (ret = rp_slot_upload(slot, *out, data, size)) < 0)
        return ret;
    return rp_slot_sync(slot);
}

int rp_slot_image(struct rp_slot *slot, int w, int h, int ch, struct rp_img *out)
{
    /* rows start at 64-byte steps, so that vector loads of the C operations stay aligned */
    const size_t stride = ((size_t) w * (size_t) ch + 63) & ~(size_t) 63;
    void *data;
    const int ret = rp_slot_alloc(slot, stride * (size_t) h, &data);

    *out = (struct rp_img){.data = data, .stride = (int) stride, .w = w, .h = h, .ch = ch};
    return ret;
}

int rp_slot_loop(struct rp_slot *slot, const int32_t *count, int32_t *index, rp_record_fn *body,
                 void *priv)
{
    if (slot->tape)
        return rp_tape_loop(slot->tape, count, index, body, priv);
    return slot->device->fns->loop(slot->device, slot->stream, count, index, body, priv);
}

int rp_slot_choose(struct rp_slot *slot, const int32_t *which, int n, rp_record_fn *body,
                   void *const *priv)
{
    if (slot->tape)
        return rp_tape_choose(slot->tape, which, n, body, priv);
    return slot->device->fns->choose(slot->device, slot->stream, which, n, body, priv);
}

int rp_slot_upload(struct rp_slot *slot, void *dst, const void *src, size_t n)
{
    if (slot->tape)
        return rp_tape_note(slot->tape, &(struct rp_tape_item){.kind = RP_TAPE_UPLOAD, .dst = dst,
                                                               .src = src, .bytes = n});
    return slot->device->fns->upload(slot->device, slot->stream, dst, src, n);
}

int rp_slot_download(struct rp_slot *slot, void *dst, const void *src, size_t n)
{
    if (slot->tape)
        return rp_tape_note(slot->tape, &(struct rp_tape_item){.kind = RP_TAPE_DOWNLOAD, .dst = dst,
                                                               .src = src, .bytes = n});
    return slot->device->fns->download(slot->device, slot->stream, dst, src, n);
}

int rp_slot_copy(struct rp_slot *slot, void *dst, const void *src, size_t n)
{
    if (slot->tape)
        return rp_tape_note(slot->tape, &(struct rp_tape_item){.kind = RP_TAPE_COPY, .dst = dst,
                                                               .src = src, .bytes = n});
    return slot->device->fns->copy(slot->device, slot->stream, dst, src, n);
}

int rp_slot_zero(struct rp_slot *slot, void *dst, size_t n)
{
    if (slot->tape)
        return rp_tape_note(slot->tape,
                            &(struct rp_tape_item){.kind = RP_TAPE_ZERO, .dst = dst, .bytes = n});
    return slot->device->fns->zero(slot->device, slot->stream, dst, n);
}

int rp_slot_sync(struct rp_slot *slot)
{
    return slot->device->fns->sync(slot->device, slot->stream);
}

enum rp_stage rp_slot_stage(struct rp_slot *slot, enum rp_stage stage)
{
    const enum rp_stage before = slot->stage;
    const double now = rp_now();

    if (slot->tape) { /* time passes when it is played */
        rp_tape_note(slot->tape,
                     &(struct rp_tape_item){.kind = RP_TAPE_STAGE, .number = (int) stage});
        slot->stage = stage;
        return before;
    }
    if (slot->stage_start > 0)
        slot->own_seconds[before] += now - slot->stage_start;
    slot->stage = stage;
    slot->stage_start = now;
    return before;
}

void rp_slot_stage_end(struct rp_slot *slot)
{
    rp_slot_stage(slot, slot->stage);
    slot->stage_start = 0;
}
