#include "engine/slot.h"

static struct rp_slot *new_slot(struct rp_device *device)
{
    struct rp_slot *const slot = calloc(1, sizeof(*slot));

    if (!slot) {
        rp_fail(RP_ERR_NOMEM, "out of memory");
        return NULL;
    }
    slot->device = device;
    slot->batch = 1;
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
    for (int i = 0; i < slot->nhost; i++)
        slot->device->fns->free_host(slot->device, slot->host_blocks[i]);
    free(slot->blocks);
    free(slot->host_blocks);
    if (!slot->beside)
        slot->device->fns->stream_destroy(slot->device, slot->stream);
    free(slot);
    *out = NULL;
}

/* Room for one more pointer. */
static int make_room(void ***blocks, int n, int *cap)
{
    if (n < *cap)
        return 0;
    const int more = *cap ? 2 * *cap : 32;
    void **const grown = realloc(*blocks, (size_t) more * sizeof(*grown));

    if (!grown)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    *blocks = grown;
    *cap = more;
    return 0;
}

int rp_slot_alloc(struct rp_slot *slot, size_t size, void **out)
{
    *out = NULL;
    RP_CHECK(make_room(&slot->blocks, slot->nblocks, &slot->cap));
    RP_CHECK(slot->device->fns->alloc(slot->device, size, out));
    slot->blocks[slot->nblocks++] = *out;
    slot->bytes += size;
    return 0;
}

int rp_slot_alloc_host(struct rp_slot *slot, size_t size, void **out)
{
    *out = NULL;
    RP_CHECK(make_room(&slot->host_blocks, slot->nhost, &slot->host_cap));
    RP_CHECK(slot->device->fns->alloc_host(slot->device, size, out));
    slot->host_blocks[slot->nhost++] = *out;
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
    /* rows start at multiples of 64 bytes, so that vector loads of the C operations stay aligned */
    const size_t stride = ((size_t) w * (size_t) ch + 63) & ~(size_t) 63;
    void *data;
    const int ret = rp_slot_alloc(slot, stride * (size_t) h, &data);

    *out = (struct rp_img){.data = data, .stride = (int) stride, .w = w, .h = h, .ch = ch};
    return ret;
}

int rp_slot_upload(struct rp_slot *slot, void *dst, const void *src, size_t n)
{
    return slot->device->fns->upload(slot->device, slot->stream, dst, src, n);
}

int rp_slot_download(struct rp_slot *slot, void *dst, const void *src, size_t n)
{
    return slot->device->fns->download(slot->device, slot->stream, dst, src, n);
}

int rp_slot_copy(struct rp_slot *slot, void *dst, const void *src, size_t n)
{
    return slot->device->fns->copy(slot->device, slot->stream, dst, src, n);
}

int rp_slot_zero(struct rp_slot *slot, void *dst, size_t n)
{
    return slot->device->fns->zero(slot->device, slot->stream, dst, n);
}

int rp_slot_sync(struct rp_slot *slot)
{
    return slot->device->fns->sync(slot->device, slot->stream);
}

int rp_slot_read(struct rp_slot *slot, void *dst, const void *src, size_t n)
{
    RP_CHECK(rp_slot_download(slot, dst, src, n));
    return rp_slot_sync(slot);
}

/* ---- clock ----------------------------------------------------------------------------------- */

static double since(struct rp_slot *slot)
{
    const double before = slot->stage_start;

    slot->stage_start = rp_now();
    return before > 0 ? slot->stage_start - before : 0;
}

void rp_slot_stage(struct rp_slot *slot, enum rp_stage stage)
{
    slot->own_seconds[slot->stage] += since(slot);
    slot->stage = stage;
}

void rp_slot_stage_model(struct rp_slot *slot)
{
    slot->model_seconds[slot->stage] += since(slot);
}

void rp_slot_stage_end(struct rp_slot *slot)
{
    rp_slot_stage(slot, slot->stage);
    slot->stage_start = 0;
}
