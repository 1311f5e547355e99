#include "pipeline/lane.h"

#include "engine/play.h"

/* ---- making ---------------------------------------------------------------------------------- */

/* Where the processors begin if they work on a smaller frame, else NULL. */
static const struct rp_view *small_view(const struct rp_lane *l)
{
    return l->plan->shrink > 0 ? &l->view[1] : NULL;
}

static size_t tiles_of(const struct rp_canvas *canvas)
{
    return (size_t) canvas->tiles_w * (size_t) canvas->tiles_h;
}

static int make_canvas(const struct rp_lane *l, struct rp_canvas *canvas, int w, int h)
{
    RP_CHECK(rp_slot_image(l->slot, w, h, 3, &canvas->img));
    if (l->plan->alpha)
        RP_CHECK(rp_slot_image(l->slot, w, h, 1, &canvas->alpha));
    canvas->tiles_w = rp_tiles(w);
    canvas->tiles_h = rp_tiles(h);
    return rp_slot_alloc(l->slot, tiles_of(canvas), (void **) &canvas->changed);
}

/* A canvas of another size; with faces only if a processor or the result may need them. */
static int add_view(struct rp_lane *l, int w, int h, bool last)
{
    l->last++;
    RP_CHECK(make_canvas(l, &l->last->canvas, w, h));
    if ((l->analysis || l->plan->split) && !last)
        RP_CHECK(rp_slot_alloc(l->slot, sizeof(*l->last->faces), (void **) &l->last->faces));
    return 0;
}

/* The small frame. All of it is new, so its map of changed tiles is always full. */
static int add_small(struct rp_lane *l)
{
    int w = l->first->canvas.img.w, h = l->first->canvas.img.h;
    uint8_t *ones;

    rp_plan_shrink(l->plan, &w, &h);
    RP_CHECK(add_view(l, w, h, false));
    struct rp_canvas *const canvas = &l->last->canvas;

    if (!(ones = malloc(tiles_of(canvas))))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    memset(ones, 1, tiles_of(canvas));
    const int ret = rp_slot_constant(l->slot, ones, tiles_of(canvas), (void **) &canvas->changed);
    free(ones);
    return ret;
}

static int attach_processors(struct rp_lane *l)
{
    const struct rp_plan *const plan = l->plan;

    for (int i = 0; i < plan->nprocessors; i++) {
        int w, h;
        const struct rp_img *const img = &l->last->canvas.img;
        const struct rp_processor *const def = plan->processor[i].def;

        RP_CHECK(
            rp_processor_attach(def, &l->at[i], plan->processor[i].self, l->slot, img->w, img->h));
        if (!def->size)
            continue;
        def->size(plan->processor[i].self, img->w, img->h, &w, &h);
        RP_CHECK(add_view(l, w, h, i + 1 == plan->nprocessors));
    }
    return 0;
}

/* Buffers for faces that pass through the host. */
static int attach_faces(struct rp_lane *l)
{
    RP_CHECK(rp_slot_alloc_host(l->slot, sizeof(*l->host_faces), (void **) &l->host_faces));
    if (l->plan->split)
        RP_CHECK(rp_slot_alloc(l->slot, sizeof(*l->tracked), (void **) &l->tracked));
    return 0;
}

static int attach_glance(struct rp_lane *l)
{
    const int side = RP_GLANCE_SIDE;

    RP_CHECK(rp_slot_alloc_host(l->slot, RP_GLANCE_BYTES, (void **) &l->glance));
    RP_CHECK(rp_slot_image(l->slot, 2 * side, 2 * side, 3, &l->shrunk[0]));
    l->shrunk[1] = (struct rp_img){.stride = 3 * side, .w = side, .h = side, .ch = 3};
    return rp_slot_alloc(l->slot, RP_GLANCE_BYTES, (void **) &l->shrunk[1].data);
}

static int attach_parts(struct rp_lane *l, int w, int h)
{
    const struct rp_plan *const plan = l->plan;

    RP_CHECK(rp_slot_alloc_host(l->slot, sizeof(*l->facts), (void **) &l->facts));
    RP_CHECK(make_canvas(l, &l->first->canvas, w, h));
    if (plan->analyser) {
        RP_CHECK(rp_analysis_create(&l->analysis, plan->analyser, l->slot, w, h));
        l->first->faces = rp_analysis_faces(l->analysis);
    }
    if (plan->analyser || plan->split)
        RP_CHECK(attach_faces(l));
    if (plan->selector)
        RP_CHECK(rp_selector_attach(plan->selector, l->slot, plan->hold > 0, &l->selection));
    if (plan->scenes)
        RP_CHECK(attach_glance(l));
    if (plan->content)
        RP_CHECK(rp_content_attach(&l->content, plan->content, l->check_slot, w, h));
    if (plan->shrink > 0)
        RP_CHECK(add_small(l));
    if (plan->original)
        RP_CHECK(rp_slot_image(l->slot, l->last->canvas.img.w, l->last->canvas.img.h, 3,
                               &l->original));
    return attach_processors(l);
}

static void record_out(struct rp_lane *l);

/* With a direct port the result goes into planes that are known, and made writable, only once
 * something has changed: so that is a list of its own. */
static int make_out(struct rp_lane *l)
{
    if (!l->port.direct)
        return 0;
    rp_list_begin(&l->out, l->slot);
    record_out(l);
    return rp_list_end(l->slot);
}

int rp_lane_create(struct rp_lane **out, const struct rp_plan *plan,
                   const struct rp_lane_params *params, struct rp_slot *slot,
                   struct rp_slot *check_slot)
{
    int ret;
    struct rp_lane *const l = *out = calloc(1, sizeof(*l));

    if (!l) {
        rp_slot_destroy(&check_slot);
        rp_slot_destroy(&slot);
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    }
    l->plan = plan;
    l->slot = slot;
    l->check_slot = check_slot ? check_slot : slot;
    l->first = l->last = l->view;
    RP_TRY(attach_parts(l, params->w, params->h));
    RP_TRY(rp_port_open(&l->port, slot,
                        &(const struct rp_port_params){.fmt = params->fmt,
                                                       .colour = params->colour,
                                                       .from = l->first->canvas.img,
                                                       .to = l->last->canvas.img,
                                                       .alpha = plan->alpha,
                                                       .resident = params->resident}));
    RP_TRY(make_out(l));
    return 0;

fail:
    rp_lane_destroy(out);
    return ret;
}

void rp_lane_destroy(struct rp_lane **lane)
{
    struct rp_lane *const l = *lane;

    if (!l)
        return;
    for (int i = 0; i < l->plan->nprocessors; i++)
        rp_processor_detach(l->plan->processor[i].def, &l->at[i]);
    rp_content_detach(&l->content);
    rp_analysis_destroy(&l->analysis);
    rp_list_clear(&l->out);
    rp_port_close(&l->port);
    if (l->check_slot != l->slot)
        rp_slot_destroy(&l->check_slot);
    rp_slot_destroy(&l->slot);
    free(l);
    *lane = NULL;
}

int rp_lane_watch(const struct rp_lane *l, struct rp_graph *graph)
{
    RP_CHECK(rp_port_watch(&l->port, graph));
    if (l->analysis)
        RP_CHECK(rp_graph_watch(graph, l->first->faces,
                                offsetof(struct rp_dfaces, face) + 4 * sizeof(struct rp_dface)));
    return 0;
}

int rp_lane_watch_check(const struct rp_lane *l, struct rp_graph *graph)
{
    return rp_graph_watch(graph, rp_content_verdict(l->content), sizeof(struct rp_verdict));
}

/* ---- one frame ------------------------------------------------------------------------------- */

int rp_lane_take(struct rp_lane *l, const struct rp_media_frame *frame, bool replayed)
{
    const struct rp_frame_info info = {.index = frame->index, .time = frame->time,
                                       .fps = l->plan->fps, .speech = l->plan->speech};

    rp_slot_stage(l->slot, RP_STAGE_CONVERT);
    RP_CHECK(rp_port_take(&l->port, frame, replayed));
    for (int i = 0; i < l->plan->nprocessors; i++)
        if (l->plan->processor[i].def->feed)
            RP_CHECK(l->plan->processor[i].def->feed(l->at[i], &info));
    return 0;
}

int rp_lane_give(struct rp_lane *l, struct rp_media_frame *frame)
{
    RP_CHECK(rp_port_give(&l->port, frame));
    return rp_play(&l->out, l->slot);
}

/* ---- recording: pixels in and out ------------------------------------------------------------ */

/* The frame's pixels onto the canvas, and its alpha as it was before any processor. `slot` is the
 * lane's, or that of the content check. */
static void record_input(struct rp_lane *l, struct rp_slot *slot)
{
    const struct rp_canvas *const canvas = &l->first->canvas;

    if (l->plan->alpha)
        RP_OP(slot, alpha_read, .src = &l->port.in, .dst = canvas->alpha);
    if (rp_port_is_yuv(&l->port))
        RP_OP(slot, yuv_to_bgr, .src = &l->port.in, .dst = canvas->img);
    else
        RP_OP(slot, bgr_read, .src = &l->port.in, .dst = canvas->img);
}

/* Nothing has changed so far. */
static void record_unchanged(struct rp_lane *l)
{
    for (const struct rp_view *v = l->first; v <= l->last; v++)
        if (v != small_view(l))
            rp_record_zero(l->slot, v->canvas.changed, tiles_of(&v->canvas));
}

/* Changed pixels into the outgoing planes. */
static void record_out(struct rp_lane *l)
{
    const struct rp_canvas *const canvas = &l->last->canvas;

    rp_record_stage(l->slot, RP_STAGE_CONVERT);
    if (rp_port_is_yuv(&l->port)) {
        rp_port_record_base(&l->port);
        RP_OP(l->slot, bgr_to_yuv, .src = *canvas, .dst = &l->port.out);
    } else {
        RP_OP(l->slot, bgr_write, .src = canvas->img, .dst = &l->port.out);
    }
    if (l->plan->alpha)
        RP_OP(l->slot, alpha_write, .src = canvas->alpha, .dst = &l->port.out,
              .fresh = !l->port.alpha_in || rp_lane_resized(l));
}

/* How many faces were worked on: all that were selected, unless the only processor left out some.
 */
static const int32_t *worked_on(const struct rp_lane *l)
{
    const struct rp_processor *const def =
        l->plan->nprocessors == 1 ? l->plan->processor[0].def : NULL;
    const int32_t *const count = def && def->faces ? def->faces(l->at[0]) : NULL;

    if (count)
        return count;
    return l->selection.held ? &l->selection.held->count : &l->selection.selection->count;
}

/* Counts to the host. */
static void record_facts(struct rp_lane *l, enum rp_pass pass)
{
    struct rp_frame_facts *const r = l->facts;

    if (l->analysis)
        rp_record_download(l->slot, &r->faces, l->first->faces,
                           2 * sizeof(int32_t)); /* count, overflow */
    if (l->plan->selector && pass != RP_PASS_ANALYSE)
        rp_record_download(l->slot, &r->selected, worked_on(l), sizeof(r->selected));
}

/* ---- recording: the work --------------------------------------------------------------------- */

/* Alpha and faces follow the pixels into another size. */
static void record_following(struct rp_lane *l, const struct rp_view *from,
                             const struct rp_view *to, const struct rp_dfaces *faces)
{
    const struct rp_img *const a = &from->canvas.img, *const b = &to->canvas.img;

    if (l->plan->alpha)
        RP_OP(l->slot, resize, .src = from->canvas.alpha, .dst = to->canvas.alpha);
    if (to->faces && faces)
        RP_OP(l->slot, face_scale, .src = faces, .x = (float) b->w / (float) a->w,
              .y = (float) b->h / (float) a->h, .dst = to->faces);
}

/* The view in which the processors begin: the frame, or a smaller one, made bilinear as FaceFusion
 * shrinks video frames. */
static const struct rp_view *record_view(struct rp_lane *l, const struct rp_dfaces **faces)
{
    const struct rp_view *v = l->first, *const small = small_view(l);

    if (small) {
        RP_OP(l->slot, resize, .src = v->canvas.img, .dst = small->canvas.img);
        record_following(l, v, small, *faces);
        v = small;
        *faces = v->faces;
    }
    if (l->original.data)
        rp_record_copy(l->slot, l->original.data, v->canvas.img.data,
                       (size_t) l->original.stride * (size_t) l->original.h);
    return v;
}

static void record_processors(struct rp_lane *l, const struct rp_dfaces *faces)
{
    const struct rp_view *v = record_view(l, &faces);
    struct rp_frame frame = {.slot = l->slot, .original = l->original, .original_faces = faces};

    rp_record_stage(l->slot, RP_STAGE_PROCESS);
    for (int i = 0; i < l->plan->nprocessors; i++) {
        const struct rp_processor *const def = l->plan->processor[i].def;

        frame.canvas = v->canvas;
        frame.faces = faces;
        frame.selection = def->hold && l->selection.held ? l->selection.held
                                                         : l->selection.selection;
        if (def->size)
            frame.into = (v + 1)->canvas;
        def->record(l->at[i], &frame);
        if (def->size) {
            record_following(l, v, v + 1, faces);
            faces = (++v)->faces;
        }
    }
}

/* A few bytes of the frame for the tracker. */
static void record_glance(struct rp_lane *l)
{
    RP_OP(l->slot, resize, .src = l->first->canvas.img, .dst = l->shrunk[0]);
    RP_OP(l->slot, resize, .src = l->shrunk[0], .dst = l->shrunk[1]);
    rp_record_download(l->slot, l->glance, l->shrunk[1].data, RP_GLANCE_BYTES);
}

void rp_lane_record(struct rp_lane *l, enum rp_pass pass)
{
    struct rp_dfaces *faces = l->first->faces; /* NULL when no processor works on faces */

    rp_record_stage(l->slot, RP_STAGE_CONVERT);
    record_unchanged(l);
    record_input(l, l->slot);
    if (pass == RP_PASS_PROCESS) {
        rp_record_upload(l->slot, l->tracked, l->host_faces, sizeof(*l->tracked));
        faces = l->tracked;
    } else if (l->analysis) {
        rp_analysis_record(l->analysis, &l->first->canvas.img);
    }
    if (pass == RP_PASS_ANALYSE) {
        rp_record_download(l->slot, l->host_faces, faces, sizeof(*faces));
        if (l->glance)
            record_glance(l);
    } else {
        if (l->plan->selector)
            rp_selector_record(l->plan->selector, l->slot, &l->selection, faces);
        record_processors(l, faces);
        if (!l->port.direct)
            record_out(l);
    }
    record_facts(l, pass);
}

void rp_lane_record_check(struct rp_lane *l)
{
    struct rp_verdict *const to = &l->facts->verdict;

    rp_record_stage(l->check_slot, RP_STAGE_CONVERT);
    record_input(l, l->check_slot);
    rp_record_zero(l->check_slot, rp_content_verdict(l->content), sizeof(struct rp_verdict));
    rp_content_record(l->content, &l->first->canvas.img);
    rp_record_download(l->check_slot, to, rp_content_verdict(l->content), sizeof(*to));
}
