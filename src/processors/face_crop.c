#include "processors/face_crop.h"

int rp_face_loop_open(struct rp_face_loop *l, struct rp_slot *slot)
{
    l->slot = slot;
    RP_CHECK(rp_slot_alloc(slot, sizeof(*l->cur), (void **) &l->cur));
    return rp_slot_alloc(slot, sizeof(*l->index), (void **) &l->index);
}

void rp_face_loop_begin(const struct rp_face_loop *l, const struct rp_frame *frame,
                        const struct rp_selection *selection)
{
    rp_record_loop(l->slot, &selection->count, l->index);
    RP_OP(l->slot, face_pick, .faces = frame->faces, .selection = selection, .index = l->index,
          .cur = l->cur);
}

void rp_face_loop_end(const struct rp_face_loop *l)
{
    rp_record_loop_end(l->slot);
}

int rp_face_crop_open(struct rp_face_crop *c, struct rp_slot *slot, int template_id, int size,
                      const struct rp_masks *masks)
{
    c->slot = slot;
    c->template_id = template_id;
    c->size = size;
    c->scale = 1;
    RP_CHECK(rp_slot_image(slot, size, size, 3, &c->img));
    RP_CHECK(rp_slot_alloc(slot, sizeof(*c->affine), (void **) &c->affine));
    return masks ? rp_masker_create(&c->masker, masks, slot, size, size) : 0;
}

void rp_face_crop_close(struct rp_face_crop *c)
{
    rp_masker_destroy(&c->masker);
}

void rp_face_crop_place(const struct rp_face_crop *c, const struct rp_dface *face)
{
    RP_OP(c->slot, align, .face = face, .template_id = c->template_id, .w = c->size, .h = c->size,
          .scale = c->scale, .dst = c->affine);
}

void rp_face_crop_cut(const struct rp_face_crop *c, const struct rp_img *img,
                      const struct rp_dface *face)
{
    rp_face_crop_place(c, face);
    RP_OP(c->slot, warp, .src = *img, .affine = c->affine, .dst = c->img, .border = 1);
}

void rp_face_crop_paste(const struct rp_face_crop *c, const struct rp_frame *frame,
                        const struct rp_dface *face, const struct rp_face_paste *p)
{
    rp_masker_record(c->masker, &(const struct rp_mask_of){
        .face = face, .affine = c->affine, .crop = &c->img, .result = p->pixels, .own = p->mask});
    RP_OP(c->slot, paste, .dst = frame->canvas, .crop = p->pixels,
          .mask = rp_masker_mask(c->masker), .w = c->size, .h = c->size, .affine = c->affine,
          .keep = (float) (1 - p->blend), .blend = (float) p->blend, .bytes = p->bytes);
}

int rp_face_crop_expect_output(const struct rp_net *net, int batch, int size)
{
    const struct rp_tensor *const t = &net->out[0];

    if (t->type == RP_TYPE_F32 && t->count == 3 * (size_t) batch * (size_t) size * (size_t) size)
        return 0;
    return rp_fail(RP_ERR_MODEL, "%s: its output is not float32 %dx3x%dx%d",
                   rp_model_path(net->model), batch, size, size);
}
