#include "pipeline/program_impl.h"

#include <math.h>

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
    small_size(plan, &w, &h);
    *out_w = w;
    *out_h = h;
    for (int i = 0; i < plan->nprocessors; i++) {
        const struct rp_processor *const def = plan->processor[i].def;

        if (!def->size)
            continue;
        def->size(plan->processor[i].self, w, h, out_w, out_h);
        RP_CHECK(check_size(def, w, h, *out_w, *out_h));
        w = *out_w;
        h = *out_h;
    }
    return 0;
}

/* ---- making ---------------------------------------------------------------------------------- */

static int make_canvas(const struct rp_program *p, struct rp_canvas *canvas, int w, int h)
{
    RP_CHECK(rp_slot_image(p->slot, w, h, 3, &canvas->img));
    if (p->plan->alpha)
        RP_CHECK(rp_slot_image(p->slot, w, h, 1, &canvas->alpha));
    canvas->tiles_w = rp_tiles(w);
    canvas->tiles_h = rp_tiles(h);
    return rp_slot_alloc(p->slot, (size_t) canvas->tiles_w * (size_t) canvas->tiles_h,
                         (void **) &canvas->changed);
}

/* A canvas of another size; faces only where somebody may look for them. */
static int add_view(struct rp_program *p, int w, int h, bool last)
{
    p->last++;
    RP_CHECK(make_canvas(p, &p->last->canvas, w, h));
    if ((p->analysis || p->plan->split) && !last)
        RP_CHECK(rp_slot_alloc(p->slot, sizeof(*p->last->faces), (void **) &p->last->faces));
    return 0;
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
    for (int i = 0; i < p->plan->nprocessors; i++) {
        const struct rp_img *const img = &p->last->canvas.img;
        const struct rp_processor *const def = p->plan->processor[i].def;

        RP_CHECK(def->attach(&p->at[i], p->plan->processor[i].self, p->slot, img->w, img->h));
        if (def->size) {
            int w, h;

            def->size(p->plan->processor[i].self, img->w, img->h, &w, &h);
            RP_CHECK(add_view(p, w, h, i + 1 == p->plan->nprocessors));
        }
    }
    return 0;
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
    const struct rp_plan *const plan = p->plan;

    if (plan->analyser) {
        RP_CHECK(rp_analysis_create(&p->analysis, plan->analyser, p->slot, w, h));
        p->first->faces = rp_analysis_faces(p->analysis);
    }
    if (plan->selector)
        RP_CHECK(rp_selector_attach(plan->selector, p->slot, &p->selection));
    if (plan->gate)
        RP_CHECK(attach_gate(p, w, h));
    if (plan->shrink > 0)
        RP_CHECK(add_small(p));
    return attach_processors(p);
}

int rp_program_watch(const struct rp_program *p, struct rp_graph *graph)
{
    RP_CHECK(rp_graph_watch(graph, p->out, p->pack_out.bytes));
    if (p->analysis)
        RP_CHECK(rp_graph_watch(graph, rp_analysis_faces(p->analysis),
                                offsetof(struct rp_dfaces, face) + 4 * sizeof(struct rp_dface)));
    return 0;
}

/* Recordings of one pass, without and with the content check. */
static int create_graphs(struct rp_program *p, enum rp_pass pass)
{
    char name[96];
    const struct rp_graph_options *const o = p->plan->graph;
    static const char *const parts[] = {"frame", "analysing", "processing"};

    for (int i = 0; i < 2 && o && o->mode == RP_GRAPH_FRAME; i++) {
        snprintf(name, sizeof(name), "%s %dx%d%s", parts[pass], p->first->canvas.img.w,
                 p->first->canvas.img.h, i ? " with content check" : "");
        RP_CHECK(rp_graph_create(&p->graph[pass][i], p->slot, name, o));
        RP_CHECK(rp_program_watch(p, p->graph[pass][i]));
        if (i && p->gate)
            RP_CHECK(rp_graph_watch(p->graph[pass][i], rp_gate_verdict(p->gate),
                                    sizeof(struct rp_verdict)));
    }
    return 0;
}

/* The way of the faces over the host. */
static int attach_split(struct rp_program *p)
{
    struct rp_device *const dev = p->plan->device;

    RP_CHECK(rp_slot_alloc(p->slot, sizeof(*p->tracked), (void **) &p->tracked));
    RP_CHECK(dev->fns->alloc_host(dev, sizeof(*p->host_faces), (void **) &p->host_faces));
    memset(p->host_faces, 0, sizeof(*p->host_faces));
    return 0;
}

/* In step with other frames the work is recorded with theirs; only the content check, which not all of
 * them need, is not. */
static int create_look_graph(struct rp_program *p)
{
    const struct rp_graph_options *const o = p->plan->graph;

    if (!p->gate || o->mode != RP_GRAPH_FRAME)
        return 0;
    RP_CHECK(rp_graph_create(&p->look_graph, p->slot, "content check", o));
    return rp_graph_watch(p->look_graph, rp_gate_verdict(p->gate), sizeof(struct rp_verdict));
}

/* Buffers and recordings that only a device with its own memory needs. */
static int attach_device(struct rp_program *p)
{
    struct rp_device *const dev = p->plan->device;

    rp_pack_planes(p, &p->first->canvas.img, p->alpha_in, &p->pack_in);
    rp_pack_planes(p, &p->last->canvas.img, p->plan->alpha, &p->pack_out);
    RP_CHECK(rp_slot_alloc(p->slot, p->pack_in.bytes, (void **) &p->in));
    RP_CHECK(rp_slot_alloc(p->slot, p->pack_out.bytes, (void **) &p->out));
    RP_CHECK(dev->fns->alloc_host(dev, p->pack_in.bytes, (void **) &p->host_in));
    RP_CHECK(dev->fns->alloc_host(dev, p->pack_out.bytes, (void **) &p->host_out));
    if (p->slot->gang)
        return create_look_graph(p);
    for (int pass = 0; pass < (p->plan->split ? RP_PASS_COUNT : 1); pass++)
        RP_CHECK(create_graphs(p, (enum rp_pass) pass));
    return 0;
}

static int create_slot(struct rp_program *p, struct rp_gang *gang, int member)
{
    const struct rp_plan *const plan = p->plan;

    if (gang)
        return rp_gang_slot(&p->slot, gang, member);
    RP_CHECK(rp_slot_create(&p->slot, plan->device));
    p->slot->graph_options = plan->graph;
    p->slot->model_graphs = !plan->device->fns->host_memory && plan->graph &&
                            plan->graph->mode == RP_GRAPH_MODEL;
    return 0;
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
    p->alpha_in = plan->alpha && rp_brings_alpha(fmt);
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
