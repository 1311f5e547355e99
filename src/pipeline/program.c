#include "pipeline/program.h"

struct rp_program {
    const struct rp_plan *plan;
    struct rp_slot *slot;
    enum rp_pixfmt fmt;
    struct rp_canvas canvas;
    struct rp_planes planes; /* the frame being worked on; empty planes for BGR24 */
    struct rp_analysis *analysis;
    struct rp_selection_slot selection;
    struct rp_gate_slot *gate;
    void *at[RP_MAX_PROCESSORS];
};

/* ---- formats ----------------------------------------------------------------------------------- */

/* Layout of the formats of media.h. */
static const struct {
    bool yuv;
    int sub_x, sub_y, depth;
} formats[] = {
    [RP_FMT_YUV420P] = {true, 1, 1, 8},   [RP_FMT_YUV422P] = {true, 1, 0, 8},
    [RP_FMT_YUV444P] = {true, 0, 0, 8},   [RP_FMT_YUV420P10] = {true, 1, 1, 10},
    [RP_FMT_YUV422P10] = {true, 1, 0, 10}, [RP_FMT_YUV444P10] = {true, 0, 0, 10},
    [RP_FMT_BGR24] = {false, 0, 0, 8},    [RP_FMT_YUVA420P] = {true, 1, 1, 8},
    [RP_FMT_YUVA444P10] = {true, 0, 0, 10},
};

void rp_frame_over_image(struct rp_media_frame *out, const struct rp_image *image)
{
    *out = (struct rp_media_frame){
        .fmt = RP_FMT_BGR24,
        .w = image->w,
        .h = image->h,
        .plane = {image->data},
        .stride = {(int) image->stride},
    };
}

static struct rp_planes planes_of(const struct rp_media_frame *f)
{
    struct rp_planes p = {
        .w = f->w, .h = f->h,
        .sub_x = formats[f->fmt].sub_x,
        .sub_y = formats[f->fmt].sub_y,
        .depth = formats[f->fmt].depth,
        .matrix = (int) f->colour.matrix,
        .full_range = f->colour.full_range,
    };

    for (int i = 0; i < 4; i++) {
        p.plane[i] = f->plane[i];
        p.stride[i] = f->stride[i];
    }
    return p;
}

/* ---- making ------------------------------------------------------------------------------------ */

static int attach_parts(struct rp_program *p, int w, int h)
{
    int ret;
    const struct rp_plan *const plan = p->plan;

    if (plan->analyser)
        RP_TRY(rp_analysis_create(&p->analysis, plan->analyser, p->slot, w, h));
    if (plan->selector)
        RP_TRY(rp_selector_attach(plan->selector, p->slot, &p->selection));
    if (plan->gate)
        RP_TRY(rp_gate_attach(&p->gate, plan->gate, p->slot));
    for (int i = 0; i < plan->nprocessors; i++)
        RP_TRY(plan->processor[i].def->attach(&p->at[i], plan->processor[i].self, p->slot, w, h));
    return 0;

fail:
    return ret;
}

int rp_program_create(struct rp_program **out, const struct rp_plan *plan, int w, int h,
                      enum rp_pixfmt fmt)
{
    int ret;
    struct rp_program *const p = *out = calloc(1, sizeof(*p));

    if (!p)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    p->plan = plan;
    p->fmt = fmt;
    RP_TRY(rp_slot_create(&p->slot, plan->device));
    RP_TRY(rp_slot_image(p->slot, w, h, 3, &p->canvas.img));
    p->canvas.tiles_w = rp_tiles(w);
    p->canvas.tiles_h = rp_tiles(h);
    RP_TRY(rp_slot_alloc(p->slot, (size_t) p->canvas.tiles_w * (size_t) p->canvas.tiles_h,
                         (void **) &p->canvas.changed));
    RP_TRY(attach_parts(p, w, h));
    return 0;

fail:
    rp_program_destroy(out);
    return ret;
}

void rp_program_destroy(struct rp_program **out)
{
    struct rp_program *const p = *out;

    if (!p)
        return;
    for (int i = 0; i < p->plan->nprocessors; i++)
        if (p->at[i])
            p->plan->processor[i].def->detach(&p->at[i]);
    rp_gate_detach(&p->gate);
    rp_analysis_destroy(&p->analysis);
    rp_slot_destroy(&p->slot);
    free(p);
    *out = NULL;
}

const struct rp_slot *rp_program_slot(const struct rp_program *program)
{
    return program->slot;
}

/* ---- running ----------------------------------------------------------------------------------- */

static size_t map_size(const struct rp_program *p)
{
    return (size_t) p->canvas.tiles_w * (size_t) p->canvas.tiles_h;
}

/* The frame's pixels onto the canvas. */
static int record_input(struct rp_program *p, const struct rp_media_frame *f)
{
    int ret;
    const struct rp_img *const img = &p->canvas.img;

    RP_TRY(rp_slot_zero(p->slot, p->canvas.changed, map_size(p)));
    if (formats[p->fmt].yuv) {
        p->planes = planes_of(f);
        return RP_OP(p->slot, yuv_to_bgr, .src = p->planes, .dst = *img);
    }
    for (int y = 0; y < img->h; y++)
        RP_TRY(rp_slot_upload(p->slot, img->data + (ptrdiff_t) y * img->stride,
                              f->plane[0] + (ptrdiff_t) y * f->stride[0], (size_t) img->w * 3));
    return 0;

fail:
    return ret;
}

/* The changed pixels back into the frame. */
static int record_output(struct rp_program *p, struct rp_media_frame *f)
{
    int ret;
    const struct rp_img *const img = &p->canvas.img;

    RP_TRY(rp_media_frame_writable(f));
    if (formats[p->fmt].yuv)
        return RP_OP(p->slot, bgr_to_yuv, .src = p->canvas, .dst = planes_of(f));
    for (int y = 0; y < img->h; y++)
        RP_TRY(rp_slot_download(p->slot, f->plane[0] + (ptrdiff_t) y * f->stride[0],
                                img->data + (ptrdiff_t) y * img->stride, (size_t) img->w * 3));
    return rp_slot_sync(p->slot);

fail:
    return ret;
}

/* Faces, selection, processors: what one graph holds. */
static int record_work(struct rp_program *p)
{
    int ret;
    const struct rp_plan *const plan = p->plan;
    const struct rp_dfaces *faces;

    RP_TRY(rp_analysis_record(p->analysis, &p->canvas.img));
    faces = rp_analysis_faces(p->analysis);
    RP_TRY(rp_selector_record(plan->selector, p->slot, &p->selection, faces));
    rp_slot_stage(p->slot, RP_STAGE_PROCESS);
    for (int i = 0; i < plan->nprocessors; i++)
        RP_TRY(plan->processor[i].def->record(p->at[i], &p->canvas, faces, p->selection.selection));
    return 0;

fail:
    return ret;
}

static int read_result(struct rp_program *p, struct rp_frame_result *result)
{
    int ret;
    int32_t found[2], selected;
    const struct rp_dfaces *const faces = rp_analysis_faces(p->analysis);

    RP_TRY(rp_slot_download(p->slot, found, faces, sizeof(found))); /* count, overflow */
    RP_TRY(rp_slot_download(p->slot, &selected, &p->selection.selection->count, sizeof(selected)));
    RP_TRY(rp_slot_sync(p->slot));
    *result = (struct rp_frame_result){
        .faces = found[0],
        .selected = selected,
        .overflow = found[1] != 0,
        .changed = selected > 0 && p->plan->nprocessors > 0,
    };
    return 0;

fail:
    return ret;
}

bool rp_program_fits(const struct rp_program *p, const struct rp_media_frame *f)
{
    return f->w == p->canvas.img.w && f->h == p->canvas.img.h && f->fmt == p->fmt;
}

static int check_frame(const struct rp_program *p, const struct rp_media_frame *f)
{
    if (rp_program_fits(p, f))
        return 0;
    return rp_fail(RP_ERR_INVALID, "frame %lld is %dx%d, the first was %dx%d; sizes that change "
                   "within a video are not supported", (long long) f->index, f->w, f->h,
                   p->canvas.img.w, p->canvas.img.h);
}

int rp_program_run(struct rp_program *p, struct rp_media_frame *frame, bool look,
                   struct rp_frame_result *result)
{
    int ret;

    RP_TRY(check_frame(p, frame));
    rp_slot_stage(p->slot, RP_STAGE_CONVERT);
    RP_TRY(record_input(p, frame));
    if (look)
        RP_TRY(rp_gate_record(p->gate, &p->canvas.img));
    RP_TRY(record_work(p));
    rp_slot_stage(p->slot, RP_STAGE_CONVERT);
    RP_TRY(read_result(p, result));
    if (result->changed)
        RP_TRY(record_output(p, frame));
    ret = 0;

fail:
    rp_slot_stage_end(p->slot);
    return ret;
}

int rp_program_look(struct rp_program *p, const struct rp_media_frame *frame)
{
    int ret;

    RP_TRY(check_frame(p, frame));
    rp_slot_stage(p->slot, RP_STAGE_CONVERT);
    RP_TRY(record_input(p, frame));
    RP_TRY(rp_gate_record(p->gate, &p->canvas.img));
    ret = rp_slot_sync(p->slot);

fail:
    rp_slot_stage_end(p->slot);
    return ret;
}

int rp_program_analyse(struct rp_program *p, const struct rp_media_frame *frame,
                       struct rp_dfaces *faces)
{
    int ret;

    RP_TRY(check_frame(p, frame));
    rp_slot_stage(p->slot, RP_STAGE_CONVERT);
    RP_TRY(record_input(p, frame));
    RP_TRY(rp_analysis_record(p->analysis, &p->canvas.img));
    RP_TRY(rp_slot_download(p->slot, faces, rp_analysis_faces(p->analysis), sizeof(*faces)));
    ret = rp_slot_sync(p->slot);

fail:
    rp_slot_stage_end(p->slot);
    return ret;
}

int rp_program_verdict(struct rp_program *p, struct rp_verdict *out)
{
    int ret;

    if (!p->gate) {
        *out = (struct rp_verdict){0};
        return 0;
    }
    RP_TRY(rp_slot_download(p->slot, out, rp_gate_verdict(p->gate), sizeof(*out)));
    return rp_slot_sync(p->slot);

fail:
    return ret;
}
