/* Running a frame program: frames in, work begun and waited for, results out. */
#include "pipeline/program_impl.h"

bool rp_program_fits(const struct rp_program *p, const struct rp_media_frame *f)
{
    return f->w == p->first->canvas.img.w && f->h == p->first->canvas.img.h && f->fmt == p->fmt;
}

static int check_frame(const struct rp_program *p, const struct rp_media_frame *f)
{
    if (rp_program_fits(p, f))
        return 0;
    return rp_fail(RP_ERR_INVALID, "frame %lld is %dx%d, the first was %dx%d; sizes that change "
                   "within a video are not supported", (long long) f->index, f->w, f->h,
                   p->first->canvas.img.w, p->first->canvas.img.h);
}

/* Where the frame's pixels are read from. */
static int take_frame(struct rp_program *p, const struct rp_media_frame *frame)
{
    RP_CHECK(check_frame(p, frame));
    rp_slot_stage(p->slot, RP_STAGE_CONVERT);
    p->planes = rp_frame_planes(frame);
    if (p->in)
        rp_move_rows(p, frame, p->host_in, &p->pack_in, true);
    return 0;
}

/* The content check alone, on the frame as it came. */
static int record_look_alone(void *priv)
{
    struct rp_program *const p = priv;
    struct rp_verdict *const v = &p->host_result->verdict;

    RP_CHECK(rp_program_record_input(p));
    RP_CHECK(rp_program_record_look(p));
    return rp_slot_download(p->slot, v, rp_gate_verdict(p->gate), sizeof(*v));
}

int rp_program_stage(struct rp_program *p, struct rp_media_frame *frame, bool look)
{
    int ret;

    RP_TRY(take_frame(p, frame));
    p->frame = frame;
    p->pass = RP_PASS_WHOLE;
    p->look = false; /* the work is the same for all frames in step */
    p->looked = look && p->gate;
    if (p->looked && p->look_graph)
        RP_TRY(rp_graph_run(p->look_graph, record_look_alone, p, false));
    else if (p->looked)
        RP_TRY(record_look_alone(p));

fail:
    rp_slot_stage_end(p->slot);
    return ret;
}

static int run_frame(struct rp_program *p)
{
    struct rp_graph *const graph = p->graph[p->pass][p->look];

    return graph ? rp_graph_run(graph, rp_program_work, p, false) : rp_program_work(p);
}

int rp_program_submit_pass(struct rp_program *p, struct rp_media_frame *frame, enum rp_pass pass,
                           bool look)
{
    int ret;

    RP_TRY(take_frame(p, frame));
    p->frame = frame;
    p->pass = pass;
    p->look = p->looked = look && p->gate && pass != RP_PASS_PROCESS;
    RP_TRY(run_frame(p));

fail:
    rp_slot_stage_end(p->slot);
    return ret;
}

int rp_program_submit(struct rp_program *p, struct rp_media_frame *frame, bool look)
{
    return rp_program_submit_pass(p, frame, RP_PASS_WHOLE, look);
}

struct rp_dfaces *rp_program_faces(struct rp_program *p)
{
    return p->host_faces;
}

int rp_program_place(struct rp_program *p, struct rp_media_frame *frame)
{
    int ret;

    RP_TRY(take_frame(p, frame));
    p->pass = RP_PASS_WHOLE;
    p->look = p->looked = false;
    p->resident = true;
    if (p->in) {
        RP_TRY(rp_slot_upload(p->slot, p->in, p->host_in, p->pack_in.bytes));
        RP_TRY(rp_slot_sync(p->slot));
    }

fail:
    rp_slot_stage_end(p->slot);
    return ret;
}

int rp_program_repeat(struct rp_program *p)
{
    const int ret = run_frame(p);

    rp_slot_stage_end(p->slot);
    return ret;
}

size_t rp_program_bytes(const struct rp_program *p)
{
    const struct rp_img *const img = &p->last->canvas.img;

    return (p->in ? p->pack_out.bytes : (size_t) img->stride * (size_t) img->h) +
           (p->analysis ? sizeof(struct rp_dfaces) : 0);
}

int rp_program_pixels(struct rp_program *p, uint8_t *out)
{
    int ret;
    const size_t n = rp_program_bytes(p) - (p->analysis ? sizeof(struct rp_dfaces) : 0);
    struct rp_dfaces *const faces = p->analysis ? calloc(1, sizeof(*faces)) : NULL;

    if (p->analysis && !faces)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    RP_TRY(rp_slot_download(p->slot, out, p->in ? p->out : p->last->canvas.img.data, n));
    if (faces)
        RP_TRY(rp_slot_download(p->slot, faces, p->first->faces, sizeof(*faces)));
    RP_TRY(rp_slot_sync(p->slot));
    if (faces) { /* what lies behind the last is of earlier frames */
        const int count = RP_CLAMP(faces->count, 0, RP_MAX_FACES);

        memset(&faces->face[count], 0, (size_t) (RP_MAX_FACES - count) * sizeof(faces->face[0]));
        memcpy(out + n, faces, sizeof(*faces));
    }

fail:
    free(faces);
    return ret;
}

/* Room for the result in the frame. */
static int prepare_frame(const struct rp_program *p, struct rp_media_frame *f)
{
    if (rp_program_resized(p))
        RP_CHECK(rp_media_frame_resize(f, p->last->canvas.img.w, p->last->canvas.img.h));
    else
        RP_CHECK(rp_media_frame_writable(f));
    if (p->plan->alpha && !p->alpha_in)
        RP_CHECK(rp_media_frame_add_alpha(f));
    return 0;
}

/* Changed pixels into the frame. */
static int give_back(struct rp_program *p)
{
    const struct rp_canvas *const canvas = &p->last->canvas;
    const struct rp_img *const img = &canvas->img;
    struct rp_media_frame *const f = p->frame;

    RP_CHECK(prepare_frame(p, f));
    if (p->in) {
        rp_move_rows(p, f, p->host_out, &p->pack_out, false);
        return 0;
    }
    if (p->plan->alpha)
        RP_CHECK(RP_OP(p->slot, alpha_write, .src = canvas->alpha, .dst = rp_frame_planes(f),
                       .fresh = !p->alpha_in || rp_program_resized(p)));
    if (rp_is_yuv(p->fmt))
        return RP_OP(p->slot, bgr_to_yuv, .src = *canvas, .dst = rp_frame_planes(f));
    for (int y = 0; y < img->h; y++)
        memcpy(f->plane[0] + (ptrdiff_t) y * f->stride[0],
               img->data + (ptrdiff_t) y * img->stride, (size_t) img->w * 3);
    return 0;
}

int rp_program_finish(struct rp_program *p, struct rp_frame_result *result)
{
    int ret;

    rp_slot_stage(p->slot, RP_STAGE_CONVERT);
    if (p->graph[p->pass][p->look])
        RP_TRY(rp_graph_wait(p->graph[p->pass][p->look]));
    else
        RP_TRY(rp_slot_sync(p->slot));
    return rp_program_collect(p, result);

fail:
    rp_slot_stage_end(p->slot);
    p->frame = NULL;
    return ret;
}

int rp_program_collect(struct rp_program *p, struct rp_frame_result *result)
{
    int ret = 0;
    const struct rp_frame_facts *const r = p->host_result;

    rp_slot_stage(p->slot, RP_STAGE_CONVERT);
    if (p->look_graph)
        RP_TRY(rp_graph_wait(p->look_graph));
    const bool analysed = p->pass != RP_PASS_PROCESS, processed = p->pass != RP_PASS_ANALYSE;

    *result = (struct rp_frame_result){
        .faces = analysed ? r->faces : 0,
        .selected = processed ? r->selected : 0,
        .overflow = analysed && r->overflow != 0,
        .changed = processed && (rp_program_resized(p) || p->plan->whole_frame ||
                                 (r->selected > 0 && p->plan->nprocessors > 0)),
        .looked = p->looked,
        .positive = p->looked && r->verdict.positive > 0,
    };
    if (result->changed && !p->resident)
        RP_TRY(give_back(p));

fail:
    rp_slot_stage_end(p->slot);
    p->frame = NULL;
    return ret;
}

int rp_program_run(struct rp_program *p, struct rp_media_frame *frame, bool look,
                   struct rp_frame_result *result)
{
    const int ret = rp_program_submit(p, frame, look);

    return ret < 0 ? ret : rp_program_finish(p, result);
}

int rp_program_look(struct rp_program *p, const struct rp_media_frame *frame, bool *positive)
{
    int ret;
    struct rp_verdict *const v = &p->host_result->verdict;

    RP_TRY(take_frame(p, frame));
    RP_TRY(rp_program_record_input(p));
    RP_TRY(rp_program_record_look(p));
    RP_TRY(rp_slot_download(p->slot, v, rp_gate_verdict(p->gate), sizeof(*v)));
    RP_TRY(rp_slot_sync(p->slot));
    *positive = v->positive > 0;

fail:
    rp_slot_stage_end(p->slot);
    return ret;
}

int rp_program_analyse(struct rp_program *p, const struct rp_media_frame *frame,
                       struct rp_dfaces *faces)
{
    int ret;

    RP_TRY(take_frame(p, frame));
    RP_TRY(rp_program_record_input(p));
    RP_TRY(rp_analysis_record(p->analysis, &p->first->canvas.img));
    RP_TRY(rp_slot_download(p->slot, faces, p->first->faces, sizeof(*faces)));
    ret = rp_slot_sync(p->slot);

fail:
    rp_slot_stage_end(p->slot);
    return ret;
}
