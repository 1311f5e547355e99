/* Record functions of a frame program: see "The recording rules" in docs/overview.md. */
#include "pipeline/program_impl.h"

/* The planes that operations see, in packed device memory: as they came, and as they leave. */
static struct rp_planes planes_at(const struct rp_program *p, uint8_t *block,
                                  const struct rp_packing *pack, const struct rp_view *view)
{
    struct rp_planes at = p->planes;

    at.w = view->canvas.img.w;
    at.h = view->canvas.img.h;
    for (int i = 0; i < 4; i++) {
        at.plane[i] = block + pack->plane[i].at;
        at.stride[i] = pack->plane[i].stride;
    }
    return at;
}

static struct rp_planes planes_in(const struct rp_program *p)
{
    return planes_at(p, p->in, &p->pack_in, p->first);
}

static struct rp_planes planes_out(const struct rp_program *p)
{
    return planes_at(p, p->out, &p->pack_out, p->last);
}

/* What transparency there is before any processor. */
static int record_alpha_in(struct rp_program *p)
{
    struct rp_planes at = p->in ? planes_in(p) : p->planes;

    if (!p->alpha_in)
        at.plane[3] = NULL;
    return RP_OP(p->slot, alpha_read, .src = at, .dst = p->first->canvas.alpha);
}

int rp_program_record_input(struct rp_program *p)
{
    const struct rp_img *const img = &p->first->canvas.img;

    rp_slot_stage(p->slot, RP_STAGE_CONVERT);
    for (const struct rp_view *v = p->first; v <= p->last; v++)
        if (v != rp_program_small(p))
            RP_CHECK(rp_slot_zero(p->slot, v->canvas.changed,
                                  (size_t) v->canvas.tiles_w * (size_t) v->canvas.tiles_h));
    if (p->in && !p->resident) /* own memory: from the pinned block */
        RP_CHECK(rp_slot_upload(p->slot, p->in, p->host_in, p->pack_in.bytes));
    if (p->plan->alpha)
        RP_CHECK(record_alpha_in(p));
    if (p->in) {
        if (!rp_is_yuv(p->fmt))
            return rp_slot_copy(p->slot, img->data, p->in, p->pack_in.plane[3].at);
        return RP_OP(p->slot, yuv_to_bgr, .src = planes_in(p), .dst = *img);
    }
    if (rp_is_yuv(p->fmt))
        return RP_OP(p->slot, yuv_to_bgr, .src = p->planes, .dst = *img);
    for (int y = 0; y < img->h; y++)
        RP_CHECK(rp_slot_copy(p->slot, img->data + (ptrdiff_t) y * img->stride,
                              p->planes.plane[0] + (ptrdiff_t) y * p->planes.stride[0],
                              (size_t) img->w * 3));
    return 0;
}

/* Own memory only: the block that goes back, before pixels are written to it. It holds what came;
 * of another size there is nothing to keep, and zeros make it independent of the frame before. */
static int record_output_base(struct rp_program *p)
{
    if (rp_program_resized(p))
        return rp_slot_zero(p->slot, p->out, p->pack_out.bytes);
    return rp_slot_copy(p->slot, p->out, p->in, p->pack_in.bytes);
}

/* Own memory only: the changed pixels into that block. */
static int record_output(struct rp_program *p)
{
    const size_t bytes = p->pack_out.bytes;
    const struct rp_canvas *const canvas = &p->last->canvas;

    rp_slot_stage(p->slot, RP_STAGE_CONVERT);
    if (rp_is_yuv(p->fmt)) {
        RP_CHECK(record_output_base(p));
        RP_CHECK(RP_OP(p->slot, bgr_to_yuv, .src = *canvas, .dst = planes_out(p)));
    } else {
        RP_CHECK(rp_slot_copy(p->slot, p->out, canvas->img.data, p->pack_out.plane[3].at));
    }
    if (p->plan->alpha)
        RP_CHECK(RP_OP(p->slot, alpha_write, .src = canvas->alpha, .dst = planes_out(p),
                       .fresh = !p->alpha_in || rp_program_resized(p)));
    if (!p->resident)
        RP_CHECK(rp_slot_download(p->slot, p->host_out, p->out, bytes));
    return 0;
}

/* How many faces were worked on: those that were selected,
 * unless the only processor left some alone. */
static const int32_t *worked_on(const struct rp_program *p)
{
    const struct rp_processor *const def =
        p->plan->nprocessors == 1 ? p->plan->processor[0].def : NULL;
    const int32_t *const count = def && def->faces ? def->faces(p->at[0]) : NULL;

    return count ? count : &p->selection.selection->count;
}

/* Counts and verdict to the host. */
static int record_result(struct rp_program *p)
{
    struct rp_frame_facts *const r = p->host_result;

    if (p->analysis)
        RP_CHECK(rp_slot_download(p->slot, &r->faces, p->first->faces,
                                  2 * sizeof(int32_t))); /* count, overflow */
    if (p->plan->selector && p->pass != RP_PASS_ANALYSE)
        RP_CHECK(rp_slot_download(p->slot, &r->selected, worked_on(p), sizeof(r->selected)));
    if (p->look)
        RP_CHECK(
              rp_slot_download(p->slot, &r->verdict, rp_gate_verdict(p->gate), sizeof(r->verdict)));
    return 0;
}

int rp_program_record_look(struct rp_program *p)
{
    RP_CHECK(rp_slot_zero(p->slot, rp_gate_verdict(p->gate), sizeof(struct rp_verdict)));
    RP_CHECK(rp_gate_record(p->gate, &p->first->canvas.img));
    return 0;
}

/* Alpha and faces follow the pixels into another size. */
static int record_following(struct rp_program *p, const struct rp_view *from, const struct rp_view *to,
                            const struct rp_dfaces *faces)
{
    const struct rp_img *const a = &from->canvas.img, *const b = &to->canvas.img;

    if (p->plan->alpha)
        RP_CHECK(RP_OP(p->slot, resize, .src = from->canvas.alpha, .dst = to->canvas.alpha));
    if (to->faces && faces)
        RP_CHECK(RP_OP(p->slot, face_scale, .src = faces, .x = (float) b->w / (float) a->w,
                       .y = (float) b->h / (float) a->h, .dst = to->faces));
    return 0;
}

/* The smaller frame that the processors work on; bilinear, as FaceFusion shrinks video frames. */
static int record_small(struct rp_program *p, const struct rp_view *to, const struct rp_dfaces *faces)
{
    const struct rp_view *const from = p->first;

    RP_CHECK(RP_OP(p->slot, resize, .src = from->canvas.img, .dst = to->canvas.img));
    return record_following(p, from, to, faces);
}

static int record_processors(struct rp_program *p, const struct rp_dfaces *faces)
{
    const struct rp_view *v = p->first, *const small = rp_program_small(p);

    if (small) {
        RP_CHECK(record_small(p, small, faces));
        v = small;
        faces = v->faces;
    }
    rp_slot_stage(p->slot, RP_STAGE_PROCESS);
    for (int i = 0; i < p->plan->nprocessors; i++) {
        const struct rp_processor *const def = p->plan->processor[i].def;

        if (def->size) {
            RP_CHECK(def->record_into(p->at[i], &v->canvas, &(v + 1)->canvas, faces,
                                      p->selection.selection));
            RP_CHECK(record_following(p, v, v + 1, faces));
            faces = (++v)->faces;
        } else {
            RP_CHECK(def->record(p->at[i], &v->canvas, faces, p->selection.selection));
        }
    }
    return 0;
}

/* Selection, processors. */
static int record_processing(struct rp_program *p, const struct rp_dfaces *faces)
{
    if (p->plan->selector)
        RP_CHECK(rp_selector_record(p->plan->selector, p->slot, &p->selection, faces));
    RP_CHECK(record_processors(p, faces));
    if (p->in)
        RP_CHECK(record_output(p));
    return 0;
}

int rp_program_work(void *priv)
{
    struct rp_program *const p = priv;
    struct rp_dfaces *const faces = p->first->faces; /* NULL when no processor works on faces */

    RP_CHECK(rp_program_record_input(p));
    if (p->look)
        RP_CHECK(rp_program_record_look(p));
    if (p->pass == RP_PASS_PROCESS)
        RP_CHECK(rp_slot_upload(p->slot, p->tracked, p->host_faces, sizeof(*p->tracked)));
    else if (p->analysis)
        RP_CHECK(rp_analysis_record(p->analysis, &p->first->canvas.img));
    if (p->pass == RP_PASS_ANALYSE)
        RP_CHECK(rp_slot_download(p->slot, p->host_faces, faces, sizeof(*faces)));
    else
        RP_CHECK(record_processing(p, p->pass == RP_PASS_PROCESS ? p->tracked : faces));
    RP_CHECK(record_result(p));
    return 0;
}
