#include "processors/face_crop.h"

int rp_face_crop_open(struct rp_face_crop *c, struct rp_slot *slot, int template_id,
                      int size, const struct rp_masks *masks)
{
    c->slot = slot;
    c->template_id = template_id;
    c->size = size;
    RP_CHECK(rp_slot_image(slot, size, size, 3, &c->img));
    RP_CHECK(rp_slot_alloc(slot, sizeof(*c->affine), (void **) &c->affine));
    RP_CHECK(rp_slot_alloc(slot, sizeof(*c->cur), (void **) &c->cur));
    RP_CHECK(rp_slot_alloc(slot, sizeof(*c->index), (void **) &c->index));
    RP_CHECK(rp_masker_create(&c->masker, masks, slot, size, size));
    return 0;
}

void rp_face_crop_close(struct rp_face_crop *c)
{
    rp_masker_destroy(&c->masker);
}

int rp_face_crop_each(struct rp_face_crop *c, const struct rp_canvas *frame,
                      const struct rp_dfaces *faces, const struct rp_selection *selection,
                      rp_record_fn *body, void *priv)
{
    c->frame = frame;
    c->faces = faces;
    c->selection = selection;
    return rp_slot_loop(c->slot, &selection->count, c->index, body, priv);
}

int rp_face_crop_cut(struct rp_face_crop *c)
{
    RP_CHECK(RP_OP(c->slot, face_pick, .faces = c->faces, .selection = c->selection,
                   .index = c->index, .cur = c->cur));
    RP_CHECK(RP_OP(c->slot, align, .face = c->cur, .template_id = c->template_id, .w = c->size,
                   .h = c->size, .scale = 1, .dst = c->affine));
    RP_CHECK(RP_OP(c->slot, warp, .src = c->frame->img, .affine = c->affine, .dst = c->img,
                   .border = 1));
    return 0;
}

static int record_paste(struct rp_face_crop *c, const float *pixels, double blend, bool bytes)
{
    RP_CHECK(rp_masker_record(c->masker, c->cur, c->affine, &c->img, pixels));
    RP_CHECK(RP_OP(c->slot, paste, .dst = *c->frame, .crop = pixels,
                   .mask = rp_masker_mask(c->masker), .w = c->size, .h = c->size,
                   .affine = c->affine, .keep = (float) (1 - blend), .blend = (float) blend,
                   .bytes = bytes));
    return 0;
}

int rp_face_crop_paste(struct rp_face_crop *c, const float *pixels)
{
    return record_paste(c, pixels, 1, false);
}

int rp_face_crop_blend(struct rp_face_crop *c, const float *pixels, double blend)
{
    return record_paste(c, pixels, blend, true);
}

int rp_face_crop_expect_output(const struct rp_net *net, int batch, int size)
{
    const struct rp_tensor *const t = &net->out[0];

    if (t->type == RP_TYPE_F32 && t->count == 3 * (size_t) batch * (size_t) size * (size_t) size)
        return 0;
    return rp_fail(RP_ERR_MODEL, "%s: its output is not float32 %dx3x%dx%d",
                   rp_model_path(net->model), batch, size, size);
}
