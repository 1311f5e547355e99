#include "pipeline/program.h"

#include "engine/gang.h"

#include <math.h>

/* What one frame leaves behind besides pixels; copied to the host in one piece. */
struct result {
    int32_t faces, overflow, selected, pad;
    struct rp_verdict verdict;
};

struct rp_program {
    const struct rp_plan *plan;
    struct rp_slot *slot;
    enum rp_pixfmt fmt;
    struct rp_analysis *analysis; /* NULL: nobody works on faces */
    struct rp_selection_slot selection;
    struct rp_gate_slot *gate;
    void *at[RP_MAX_PROCESSORS];

    /* A canvas for each size that the frame has on its way, and the faces in its coordinates (of
     * the first those of the analysis). The second is the small one where the plan has one. */
    struct view {
        struct rp_canvas canvas;
        struct rp_dfaces *faces;
    } view[RP_MAX_PROCESSORS + 2];
    struct view *first, *last;

    /* The frame's planes where the operations see them. On the CPU
     * the decoder's own memory; on a GPU fixed device memory: `in` as
     * it came, `out` worked on, so that the work can be repeated. */
    struct rp_planes planes;
    struct packing {
        struct {
            size_t at; /* from the begin of the block */
            int stride;
        } plane[4];
        size_t bytes;
    } pack_in, pack_out;          /* layout of the packed blocks */
    uint8_t *in, *out;            /* device */
    uint8_t *host_in, *host_out;  /* pinned */
    struct result *host_result;   /* pinned, or plain on the CPU */
    bool resident;                /* pixels stay on the device: measuring */
    bool alpha_in;                /* the frame brings alpha that a processor works on */

    /* Split plans: faces on their way to the host and back. */
    struct rp_dfaces *host_faces; /* pinned, or plain on the CPU */
    struct rp_dfaces *tracked;    /* device */

    struct rp_media_frame *frame; /* submitted, not finished */
    enum rp_pass pass;
    bool look;   /* the content check is part of the work */
    bool looked; /* and was done, if not as part of it */
    struct rp_graph *graph[RP_PASS_COUNT][2]; /* without and with the content check */
    struct rp_graph *look_graph; /* in step with other frames: the content check alone */
};

/* ---- formats --------------------------------------------------------------------------------- */

/* Layout of the formats of media.h. */
static const struct {
    bool yuv;
    int sub_x, sub_y, depth;
} formats[] = {
    [RP_FMT_YUV420P] = {true, 1, 1, 8},   [RP_FMT_YUV422P] = {true, 1, 0, 8},
    [RP_FMT_YUV444P] = {true, 0, 0, 8},   [RP_FMT_YUV420P10] = {true, 1, 1, 10},
    [RP_FMT_YUV422P10] = {true, 1, 0, 10}, [RP_FMT_YUV444P10] = {true, 0, 0, 10},
    [RP_FMT_BGR24] = {false, 0, 0, 8},    [RP_FMT_YUVA420P] = {true, 1, 1, 8},
    [RP_FMT_YUVA444P10] = {true, 0, 0, 10}, [RP_FMT_YUVA422P] = {true, 1, 0, 8},
    [RP_FMT_YUVA444P] = {true, 0, 0, 8},  [RP_FMT_YUVA420P10] = {true, 1, 1, 10},
    [RP_FMT_YUVA422P10] = {true, 1, 0, 10}, [RP_FMT_BGR24_ALPHA] = {false, 0, 0, 8},
};

/* Does a frame of this format bring an alpha plane? */
static bool brings_alpha(enum rp_pixfmt fmt)
{
    return fmt == RP_FMT_YUVA420P || fmt >= RP_FMT_YUVA444P10;
}

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

/* Rows and bytes of a row of plane i. Alpha that no processor touches stays on the host. */
static int plane_rows(const struct rp_program *p, int i, int h)
{
    const int sub = i == 1 || i == 2 ? formats[p->fmt].sub_y : 0;

    if (i == 3)
        return p->plan->alpha ? h : 0;
    if (!formats[p->fmt].yuv)
        return i ? 0 : h;
    return (h + sub) >> sub;
}

static size_t plane_row_bytes(const struct rp_program *p, int i, int w)
{
    const int sub = i == 1 || i == 2 ? formats[p->fmt].sub_x : 0;

    if (!formats[p->fmt].yuv)
        return (size_t) w * (i == 3 ? 1 : 3);
    return (size_t) ((w + sub) >> sub) * (formats[p->fmt].depth > 8 ? 2 : 1);
}

/* ---- sizes ----------------------------------------------------------------------------------- */

static int check_size(const struct rp_processor *def, int w, int h, int out_w, int out_h)
{
    if (out_w <= 32768 && out_h <= 32768 && (int64_t) out_w * out_h <= 1 << 28)
        return 0;
    return rp_fail(RP_ERR_LIMIT, "%s: %dx%d would become %dx%d; a frame has at most 32768 pixels a "
                   "side and 2^28 in all", def->name, w, h, out_w, out_h);
}

int rp_scaled_side(int side, double scale)
{
    const int whole = (int) (side * scale);

    return scale == 1 ? side : RP_MAX(2, (int) rint(whole / 2.0) * 2);
}

/* What the processors get of a frame of w x h. */
static void small_size(const struct rp_plan *plan, int *w, int *h)
{
    if (plan->shrink > 0) {
        *w = rp_scaled_side(*w, plan->shrink);
        *h = rp_scaled_side(*h, plan->shrink);
    }
}

int rp_plan_size(const struct rp_plan *plan, int w, int h, int *out_w, int *out_h)
{
    int ret;

    small_size(plan, &w, &h);
    *out_w = w;
    *out_h = h;
    for (int i = 0; i < plan->nprocessors; i++) {
        const struct rp_processor *const def = plan->processor[i].def;

        if (!def->size)
            continue;
        def->size(plan->processor[i].self, w, h, out_w, out_h);
        RP_TRY(check_size(def, w, h, *out_w, *out_h));
        w = *out_w;
        h = *out_h;
    }
    return 0;

fail:
    return ret;
}

static bool is_resized(const struct rp_program *p)
{
    return p->last != p->first;
}

/* Where the processors begin when they work on a smaller frame, else NULL. */
static const struct view *small_view(const struct rp_program *p)
{
    return p->plan->shrink > 0 ? &p->view[1] : NULL;
}

/* ---- making ---------------------------------------------------------------------------------- */

static int make_canvas(const struct rp_program *p, struct rp_canvas *canvas, int w, int h)
{
    int ret;

    RP_TRY(rp_slot_image(p->slot, w, h, 3, &canvas->img));
    if (p->plan->alpha)
        RP_TRY(rp_slot_image(p->slot, w, h, 1, &canvas->alpha));
    canvas->tiles_w = rp_tiles(w);
    canvas->tiles_h = rp_tiles(h);
    return rp_slot_alloc(p->slot, (size_t) canvas->tiles_w * (size_t) canvas->tiles_h,
                         (void **) &canvas->changed);

fail:
    return ret;
}

/* A canvas of another size; faces only where somebody may look for them. */
static int add_view(struct rp_program *p, int w, int h, bool last)
{
    int ret;

    p->last++;
    RP_TRY(make_canvas(p, &p->last->canvas, w, h));
    if ((p->analysis || p->plan->split) && !last)
        RP_TRY(rp_slot_alloc(p->slot, sizeof(*p->last->faces), (void **) &p->last->faces));
    return 0;

fail:
    return ret;
}

/* The small frame. All of it is new: its map of changed tiles is full from the begin. */
static int add_small(struct rp_program *p)
{
    int ret, w = p->first->canvas.img.w, h = p->first->canvas.img.h;
    uint8_t *ones = NULL;

    small_size(p->plan, &w, &h);
    RP_TRY(add_view(p, w, h, false));
    struct rp_canvas *const canvas = &p->last->canvas;
    const size_t n = (size_t) canvas->tiles_w * (size_t) canvas->tiles_h;

    if (!(ones = malloc(n)))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    memset(ones, 1, n);
    ret = rp_slot_constant(p->slot, ones, n, (void **) &canvas->changed);

fail:
    free(ones);
    return ret;
}

static int attach_processors(struct rp_program *p)
{
    int ret = 0;

    for (int i = 0; i < p->plan->nprocessors; i++) {
        const struct rp_img *const img = &p->last->canvas.img;
        const struct rp_processor *const def = p->plan->processor[i].def;

        RP_TRY(def->attach(&p->at[i], p->plan->processor[i].self, p->slot, img->w, img->h));
        if (def->size) {
            int w, h;

            def->size(p->plan->processor[i].self, img->w, img->h, &w, &h);
            RP_TRY(add_view(p, w, h, i + 1 == p->plan->nprocessors));
        }
    }

fail:
    return ret;
}

/* Frames in step are not looked at in step: few of them are looked at at all. */
static int attach_gate(struct rp_program *p, int w, int h)
{
    struct rp_gang *const gang = p->slot->gang;

    p->slot->gang = NULL;
    const int ret = rp_gate_attach(&p->gate, p->plan->gate, p->slot, w, h);
    p->slot->gang = gang;
    return ret;
}

static int attach_parts(struct rp_program *p, int w, int h)
{
    int ret;
    const struct rp_plan *const plan = p->plan;

    if (plan->analyser) {
        RP_TRY(rp_analysis_create(&p->analysis, plan->analyser, p->slot, w, h));
        p->first->faces = rp_analysis_faces(p->analysis);
    }
    if (plan->selector)
        RP_TRY(rp_selector_attach(plan->selector, p->slot, &p->selection));
    if (plan->gate)
        RP_TRY(attach_gate(p, w, h));
    if (plan->shrink > 0)
        RP_TRY(add_small(p));
    return attach_processors(p);

fail:
    return ret;
}

/* A block for all planes, one after the other, rows at 64-byte steps; a BGR block has the canvas's
 * own stride. */
static void pack_planes(const struct rp_program *p, const struct rp_img *img, bool alpha,
                        struct packing *out)
{
    size_t at = 0;

    for (int i = 0; i < 4; i++) {
        const size_t row = plane_row_bytes(p, i, img->w);
        const size_t stride = formats[p->fmt].yuv || i ? (row + 63) & ~(size_t) 63
                                                       : (size_t) img->stride;

        out->plane[i].stride = (int) stride;
        out->plane[i].at = at;
        at += stride * (size_t) plane_rows(p, i, img->h);
    }
    out->bytes = alpha ? at : out->plane[3].at;
}

int rp_program_watch(const struct rp_program *p, struct rp_graph *graph)
{
    int ret;

    RP_TRY(rp_graph_watch(graph, p->out, p->pack_out.bytes));
    if (p->analysis)
        RP_TRY(rp_graph_watch(graph, rp_analysis_faces(p->analysis),
                              offsetof(struct rp_dfaces, face) + 4 * sizeof(struct rp_dface)));
    return 0;

fail:
    return ret;
}

/* Recordings of one pass, without and with the content check. */
static int create_graphs(struct rp_program *p, enum rp_pass pass)
{
    int ret;
    char name[96];
    const struct rp_graph_options *const o = p->plan->graph;
    static const char *const parts[] = {"frame", "analysing", "processing"};

    for (int i = 0; i < 2 && o && o->mode == RP_GRAPH_FRAME; i++) {
        snprintf(name, sizeof(name), "%s %dx%d%s", parts[pass], p->first->canvas.img.w,
                 p->first->canvas.img.h, i ? " with content check" : "");
        RP_TRY(rp_graph_create(&p->graph[pass][i], p->slot, name, o));
        RP_TRY(rp_program_watch(p, p->graph[pass][i]));
        if (i && p->gate)
            RP_TRY(rp_graph_watch(p->graph[pass][i], rp_gate_verdict(p->gate),
                                  sizeof(struct rp_verdict)));
    }
    return 0;

fail:
    return ret;
}

/* The way of the faces over the host. */
static int attach_split(struct rp_program *p)
{
    int ret;
    struct rp_device *const dev = p->plan->device;

    RP_TRY(rp_slot_alloc(p->slot, sizeof(*p->tracked), (void **) &p->tracked));
    RP_TRY(dev->fns->alloc_host(dev, sizeof(*p->host_faces), (void **) &p->host_faces));
    memset(p->host_faces, 0, sizeof(*p->host_faces));
    return 0;

fail:
    return ret;
}

/* In step with other frames the work is recorded with theirs; only the content check, which not all of
 * them need, is not. */
static int create_look_graph(struct rp_program *p)
{
    int ret;
    const struct rp_graph_options *const o = p->plan->graph;

    if (!p->gate || o->mode != RP_GRAPH_FRAME)
        return 0;
    RP_TRY(rp_graph_create(&p->look_graph, p->slot, "content check", o));
    return rp_graph_watch(p->look_graph, rp_gate_verdict(p->gate), sizeof(struct rp_verdict));

fail:
    return ret;
}

/* Buffers and recordings that only a device with its own memory needs. */
static int attach_device(struct rp_program *p)
{
    int ret;
    struct rp_device *const dev = p->plan->device;

    pack_planes(p, &p->first->canvas.img, p->alpha_in, &p->pack_in);
    pack_planes(p, &p->last->canvas.img, p->plan->alpha, &p->pack_out);
    RP_TRY(rp_slot_alloc(p->slot, p->pack_in.bytes, (void **) &p->in));
    RP_TRY(rp_slot_alloc(p->slot, p->pack_out.bytes, (void **) &p->out));
    RP_TRY(dev->fns->alloc_host(dev, p->pack_in.bytes, (void **) &p->host_in));
    RP_TRY(dev->fns->alloc_host(dev, p->pack_out.bytes, (void **) &p->host_out));
    if (p->slot->gang)
        return create_look_graph(p);
    for (int pass = 0; pass < (p->plan->split ? RP_PASS_COUNT : 1); pass++)
        RP_TRY(create_graphs(p, (enum rp_pass) pass));
    return 0;

fail:
    return ret;
}

static int create_slot(struct rp_program *p, struct rp_gang *gang, int member)
{
    int ret;
    const struct rp_plan *const plan = p->plan;

    if (gang)
        return rp_gang_slot(&p->slot, gang, member);
    RP_TRY(rp_slot_create(&p->slot, plan->device));
    p->slot->graph_options = plan->graph;
    p->slot->model_graphs = !plan->device->fns->host_memory && plan->graph &&
                            plan->graph->mode == RP_GRAPH_MODEL;
    return 0;

fail:
    return ret;
}

int rp_program_create(struct rp_program **out, const struct rp_plan *plan, int w, int h,
                      enum rp_pixfmt fmt)
{
    return rp_program_create_in_step(out, plan, w, h, fmt, NULL, 0);
}

int rp_program_create_in_step(struct rp_program **out, const struct rp_plan *plan, int w, int h,
                              enum rp_pixfmt fmt, struct rp_gang *gang, int member)
{
    int ret, out_w, out_h;
    struct rp_program *const p = *out = calloc(1, sizeof(*p));

    if (!p)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    p->plan = plan;
    p->fmt = fmt;
    p->first = p->last = p->view;
    RP_TRY(rp_plan_size(plan, w, h, &out_w, &out_h));
    p->alpha_in = plan->alpha && brings_alpha(fmt);
    RP_TRY(create_slot(p, gang, member));
    RP_TRY(make_canvas(p, &p->first->canvas, w, h));
    RP_TRY(plan->device->fns->alloc_host(plan->device, sizeof(*p->host_result),
                                         (void **) &p->host_result));
    memset(p->host_result, 0, sizeof(*p->host_result));
    RP_TRY(attach_parts(p, w, h));
    if (plan->split)
        RP_TRY(attach_split(p));
    if (!plan->device->fns->host_memory)
        RP_TRY(attach_device(p));
    return 0;

fail:
    rp_program_destroy(out);
    return ret;
}

void rp_program_destroy(struct rp_program **out)
{
    struct rp_program *const p = *out;
    const struct rp_device_fns *fns;

    if (!p)
        return;
    fns = p->plan->device->fns;
    for (int i = 0; i < RP_PASS_COUNT; i++) {
        rp_graph_destroy(&p->graph[i][0]);
        rp_graph_destroy(&p->graph[i][1]);
    }
    rp_graph_destroy(&p->look_graph);
    for (int i = 0; i < p->plan->nprocessors; i++)
        if (p->at[i])
            p->plan->processor[i].def->detach(&p->at[i]);
    rp_gate_detach(&p->gate);
    rp_analysis_destroy(&p->analysis);
    rp_slot_destroy(&p->slot);
    fns->free_host(p->plan->device, p->host_in);
    fns->free_host(p->plan->device, p->host_out);
    fns->free_host(p->plan->device, p->host_result);
    fns->free_host(p->plan->device, p->host_faces);
    free(p);
    *out = NULL;
}

const struct rp_slot *rp_program_slot(const struct rp_program *program)
{
    return program->slot;
}

const struct rp_graph *rp_program_graph(const struct rp_program *program)
{
    return program->graph[RP_PASS_WHOLE][0];
}

/* ---- recording ------------------------------------------------------------------------------- */

/* The planes that operations see, in packed device memory: as they came, and as they leave. */
static struct rp_planes planes_at(const struct rp_program *p, uint8_t *block,
                                  const struct packing *pack, const struct view *view)
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

/* The frame's pixels onto the canvas. */
static int record_input(struct rp_program *p)
{
    int ret;
    const struct rp_img *const img = &p->first->canvas.img;

    rp_slot_stage(p->slot, RP_STAGE_CONVERT);
    for (const struct view *v = p->first; v <= p->last; v++)
        if (v != small_view(p))
            RP_TRY(rp_slot_zero(p->slot, v->canvas.changed,
                                (size_t) v->canvas.tiles_w * (size_t) v->canvas.tiles_h));
    if (p->in && !p->resident) /* own memory: from the pinned block */
        RP_TRY(rp_slot_upload(p->slot, p->in, p->host_in, p->pack_in.bytes));
    if (p->plan->alpha)
        RP_TRY(record_alpha_in(p));
    if (p->in) {
        if (!formats[p->fmt].yuv)
            return rp_slot_copy(p->slot, img->data, p->in, p->pack_in.plane[3].at);
        return RP_OP(p->slot, yuv_to_bgr, .src = planes_in(p), .dst = *img);
    }
    if (formats[p->fmt].yuv)
        return RP_OP(p->slot, yuv_to_bgr, .src = p->planes, .dst = *img);
    for (int y = 0; y < img->h; y++)
        RP_TRY(rp_slot_copy(p->slot, img->data + (ptrdiff_t) y * img->stride,
                            p->planes.plane[0] + (ptrdiff_t) y * p->planes.stride[0],
                            (size_t) img->w * 3));
    return 0;

fail:
    return ret;
}

/* Own memory only: the block that goes back, before pixels are written to it. It holds what came;
 * of another size there is nothing to keep, and zeros make it independent of the frame before. */
static int record_output_base(struct rp_program *p)
{
    if (is_resized(p))
        return rp_slot_zero(p->slot, p->out, p->pack_out.bytes);
    return rp_slot_copy(p->slot, p->out, p->in, p->pack_in.bytes);
}

/* Own memory only: the changed pixels into that block. */
static int record_output(struct rp_program *p)
{
    int ret;
    const size_t bytes = p->pack_out.bytes;
    const struct rp_canvas *const canvas = &p->last->canvas;

    rp_slot_stage(p->slot, RP_STAGE_CONVERT);
    if (formats[p->fmt].yuv) {
        RP_TRY(record_output_base(p));
        RP_TRY(RP_OP(p->slot, bgr_to_yuv, .src = *canvas, .dst = planes_out(p)));
    } else {
        RP_TRY(rp_slot_copy(p->slot, p->out, canvas->img.data, p->pack_out.plane[3].at));
    }
    if (p->plan->alpha)
        RP_TRY(RP_OP(p->slot, alpha_write, .src = canvas->alpha, .dst = planes_out(p),
                     .fresh = !p->alpha_in || is_resized(p)));
    if (!p->resident)
        RP_TRY(rp_slot_download(p->slot, p->host_out, p->out, bytes));
    return 0;

fail:
    return ret;
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
    int ret;
    struct result *const r = p->host_result;

    if (p->analysis)
        RP_TRY(rp_slot_download(p->slot, &r->faces, p->first->faces,
                                2 * sizeof(int32_t))); /* count, overflow */
    if (p->plan->selector && p->pass != RP_PASS_ANALYSE)
        RP_TRY(rp_slot_download(p->slot, &r->selected, worked_on(p), sizeof(r->selected)));
    if (p->look)
        RP_TRY(
            rp_slot_download(p->slot, &r->verdict, rp_gate_verdict(p->gate), sizeof(r->verdict)));
    return 0;

fail:
    return ret;
}

static int record_look(struct rp_program *p)
{
    int ret;

    RP_TRY(rp_slot_zero(p->slot, rp_gate_verdict(p->gate), sizeof(struct rp_verdict)));
    RP_TRY(rp_gate_record(p->gate, &p->first->canvas.img));
    return 0;

fail:
    return ret;
}

/* Alpha and faces follow the pixels into another size. */
static int record_following(struct rp_program *p, const struct view *from, const struct view *to,
                            const struct rp_dfaces *faces)
{
    int ret;
    const struct rp_img *const a = &from->canvas.img, *const b = &to->canvas.img;

    if (p->plan->alpha)
        RP_TRY(RP_OP(p->slot, resize, .src = from->canvas.alpha, .dst = to->canvas.alpha));
    if (to->faces && faces)
        RP_TRY(RP_OP(p->slot, face_scale, .src = faces, .x = (float) b->w / (float) a->w,
                     .y = (float) b->h / (float) a->h, .dst = to->faces));
    return 0;

fail:
    return ret;
}

/* The smaller frame that the processors work on; bilinear, as FaceFusion shrinks video frames. */
static int record_small(struct rp_program *p, const struct view *to, const struct rp_dfaces *faces)
{
    int ret;
    const struct view *const from = p->first;

    RP_TRY(RP_OP(p->slot, resize, .src = from->canvas.img, .dst = to->canvas.img));
    return record_following(p, from, to, faces);

fail:
    return ret;
}

static int record_processors(struct rp_program *p, const struct rp_dfaces *faces)
{
    int ret = 0;
    const struct view *v = p->first, *const small = small_view(p);

    if (small) {
        RP_TRY(record_small(p, small, faces));
        v = small;
        faces = v->faces;
    }
    rp_slot_stage(p->slot, RP_STAGE_PROCESS);
    for (int i = 0; i < p->plan->nprocessors; i++) {
        const struct rp_processor *const def = p->plan->processor[i].def;

        if (def->size) {
            RP_TRY(def->record_into(p->at[i], &v->canvas, &(v + 1)->canvas, faces,
                                    p->selection.selection));
            RP_TRY(record_following(p, v, v + 1, faces));
            faces = (++v)->faces;
        } else {
            RP_TRY(def->record(p->at[i], &v->canvas, faces, p->selection.selection));
        }
    }

fail:
    return ret;
}

/* Selection, processors. */
static int record_processing(struct rp_program *p, const struct rp_dfaces *faces)
{
    int ret;

    if (p->plan->selector)
        RP_TRY(rp_selector_record(p->plan->selector, p->slot, &p->selection, faces));
    RP_TRY(record_processors(p, faces));
    if (p->in)
        RP_TRY(record_output(p));
    return 0;

fail:
    return ret;
}

/* The whole frame, or a pass over it: what one graph holds. */
static int record_frame(void *priv)
{
    int ret;
    struct rp_program *const p = priv;
    struct rp_dfaces *const faces = p->first->faces; /* NULL when no processor works on faces */

    RP_TRY(record_input(p));
    if (p->look)
        RP_TRY(record_look(p));
    if (p->pass == RP_PASS_PROCESS)
        RP_TRY(rp_slot_upload(p->slot, p->tracked, p->host_faces, sizeof(*p->tracked)));
    else if (p->analysis)
        RP_TRY(rp_analysis_record(p->analysis, &p->first->canvas.img));
    if (p->pass == RP_PASS_ANALYSE)
        RP_TRY(rp_slot_download(p->slot, p->host_faces, faces, sizeof(*faces)));
    else
        RP_TRY(record_processing(p, p->pass == RP_PASS_PROCESS ? p->tracked : faces));
    RP_TRY(record_result(p));
    return 0;

fail:
    return ret;
}

/* ---- running --------------------------------------------------------------------------------- */

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

/* Rows between the frame's planes and a packed block on the host. Alpha goes in only if the frame
 * brings it. */
static void move_rows(const struct rp_program *p, const struct rp_media_frame *f, uint8_t *block,
                      const struct packing *pack, bool to_block)
{
    for (int i = 0; i < 4; i++) {
        const size_t n = plane_row_bytes(p, i, f->w);
        uint8_t *packed = block + pack->plane[i].at;
        uint8_t *row = f->plane[i];

        for (int y = i == 3 && to_block && !p->alpha_in ? 0 : plane_rows(p, i, f->h); y > 0; y--) {
            memcpy(to_block ? packed : row, to_block ? row : packed, n);
            packed += pack->plane[i].stride;
            row += f->stride[i];
        }
    }
}

/* Where the frame's pixels are read from. */
static int take_frame(struct rp_program *p, const struct rp_media_frame *frame)
{
    int ret;

    RP_TRY(check_frame(p, frame));
    rp_slot_stage(p->slot, RP_STAGE_CONVERT);
    p->planes = planes_of(frame);
    if (p->in)
        move_rows(p, frame, p->host_in, &p->pack_in, true);
    return 0;

fail:
    return ret;
}

/* The content check alone, on the frame as it came. */
static int record_look_alone(void *priv)
{
    int ret;
    struct rp_program *const p = priv;
    struct rp_verdict *const v = &p->host_result->verdict;

    RP_TRY(record_input(p));
    RP_TRY(record_look(p));
    return rp_slot_download(p->slot, v, rp_gate_verdict(p->gate), sizeof(*v));

fail:
    return ret;
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

int rp_program_work(void *program)
{
    return record_frame(program);
}

static int run_frame(struct rp_program *p)
{
    struct rp_graph *const graph = p->graph[p->pass][p->look];

    return graph ? rp_graph_run(graph, record_frame, p, false) : record_frame(p);
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
    int ret;

    if (is_resized(p))
        RP_TRY(rp_media_frame_resize(f, p->last->canvas.img.w, p->last->canvas.img.h));
    else
        RP_TRY(rp_media_frame_writable(f));
    if (p->plan->alpha && !p->alpha_in)
        RP_TRY(rp_media_frame_add_alpha(f));
    return 0;

fail:
    return ret;
}

/* Changed pixels into the frame. */
static int give_back(struct rp_program *p)
{
    int ret;
    const struct rp_canvas *const canvas = &p->last->canvas;
    const struct rp_img *const img = &canvas->img;
    struct rp_media_frame *const f = p->frame;

    RP_TRY(prepare_frame(p, f));
    if (p->in) {
        move_rows(p, f, p->host_out, &p->pack_out, false);
        return 0;
    }
    if (p->plan->alpha)
        RP_TRY(RP_OP(p->slot, alpha_write, .src = canvas->alpha, .dst = planes_of(f),
                     .fresh = !p->alpha_in || is_resized(p)));
    if (formats[p->fmt].yuv)
        return RP_OP(p->slot, bgr_to_yuv, .src = *canvas, .dst = planes_of(f));
    for (int y = 0; y < img->h; y++)
        memcpy(f->plane[0] + (ptrdiff_t) y * f->stride[0],
               img->data + (ptrdiff_t) y * img->stride, (size_t) img->w * 3);
    return 0;

fail:
    return ret;
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
    const struct result *const r = p->host_result;

    rp_slot_stage(p->slot, RP_STAGE_CONVERT);
    if (p->look_graph)
        RP_TRY(rp_graph_wait(p->look_graph));
    const bool analysed = p->pass != RP_PASS_PROCESS, processed = p->pass != RP_PASS_ANALYSE;

    *result = (struct rp_frame_result){
        .faces = analysed ? r->faces : 0,
        .selected = processed ? r->selected : 0,
        .overflow = analysed && r->overflow != 0,
        .changed = processed && (is_resized(p) || p->plan->whole_frame ||
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
    RP_TRY(record_input(p));
    RP_TRY(record_look(p));
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
    RP_TRY(record_input(p));
    RP_TRY(rp_analysis_record(p->analysis, &p->first->canvas.img));
    RP_TRY(rp_slot_download(p->slot, faces, p->first->faces, sizeof(*faces)));
    ret = rp_slot_sync(p->slot);

fail:
    rp_slot_stage_end(p->slot);
    return ret;
}
