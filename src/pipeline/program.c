#include "pipeline/program.h"

#include "engine/lockstep.h"
#include "engine/play.h"

/* A list and its recording. */
struct work {
    struct rp_list list;
    struct rp_playback playback;
    struct rp_graph *graph; /* NULL: the list is always played */
    bool there;
};

struct rp_program {
    const struct rp_plan *plan;
    struct rp_program_params p;
    struct rp_lockstep *lockstep; /* NULL: one frame */
    struct rp_slot *lead;         /* the slot on which all the work is played */
    struct rp_lane *lane[RP_MAX_LANES];
    struct work work[RP_PASS_COUNT];
    struct work check[RP_MAX_LANES]; /* the content check, which few frames need */

    /* submitted, not finished */
    struct rp_frame_in frame[RP_MAX_LANES];
    int busy;
    enum rp_pass pass;
    struct work *running;
};

/* ---- making: lanes --------------------------------------------------------------------------- */

static struct rp_lane_params lane_params(const struct rp_program *p)
{
    return (struct rp_lane_params){p->p.w, p->p.h, p->p.fmt, p->p.colour, p->p.resident};
}

static int create_lane(struct rp_program *p)
{
    struct rp_slot *slot;
    const struct rp_plan *const plan = p->plan;
    const struct rp_lane_params params = lane_params(p);

    RP_CHECK(rp_slot_create(&slot, plan->device));
    slot->graph_options = plan->graph;
    slot->model_graphs = plan->graph && plan->graph->mode == RP_GRAPH_MODEL;
    slot->batch = RP_MAX(plan->batch, 1);
    p->lead = slot;
    return rp_lane_create(&p->lane[0], plan, &params, slot, NULL);
}

/* The content check is not done in lockstep: few of the frames are checked at all. */
static int create_lane_of(struct rp_program *p, int i)
{
    struct rp_slot *slot, *check;
    const struct rp_lane_params params = lane_params(p);

    RP_CHECK(rp_lockstep_slot(&slot, p->lockstep, i));
    if (rp_slot_create_beside(&check, p->lead) < 0) {
        rp_slot_destroy(&slot);
        return RP_ERR_NOMEM;
    }
    return rp_lane_create(&p->lane[i], p->plan, &params, slot, check);
}

static int create_lanes(struct rp_program *p)
{
    int shared, opened;

    if (p->p.frames == 1)
        return create_lane(p);
    RP_CHECK(rp_lockstep_create(&p->lockstep, p->plan->device, p->plan->graph, p->p.frames));
    p->lead = rp_lockstep_lead(p->lockstep);
    for (int i = 0; i < p->p.frames; i++)
        RP_CHECK(create_lane_of(p, i));
    shared = rp_lockstep_shared(p->lockstep, &opened);
    rp_log(RP_LOG_DEBUG, "%d frames a launch; %d of %d networks run once for all of them",
           p->p.frames, shared, opened);
    return 0;
}

/* ---- making: lists --------------------------------------------------------------------------- */

static int record_alone(const struct rp_program *p, struct work *w, enum rp_pass pass)
{
    rp_list_begin(&w->list, p->lead);
    rp_lane_record(p->lane[0], pass);
    return rp_list_end(p->lead);
}

static int record_lockstep(const struct rp_program *p, struct work *w, enum rp_pass pass)
{
    int ret = 0;
    struct rp_list list[RP_MAX_LANES] = {0};

    for (int i = 0; i < p->p.frames && ret >= 0; i++) {
        rp_list_begin(&list[i], p->lane[i]->slot);
        rp_lane_record(p->lane[i], pass);
        ret = rp_list_end(p->lane[i]->slot);
    }
    if (ret >= 0)
        ret = rp_lockstep_merge(p->lockstep, list, &w->list);
    for (int i = 0; i < RP_MAX_LANES; i++)
        rp_list_clear(&list[i]);
    return ret;
}

/* @param kind  the pass, or RP_PASS_COUNT for the content check */
static int make_graph(const struct rp_program *p, struct work *w, struct rp_slot *slot, int kind,
                      const char *name)
{
    const struct rp_graph_options *const o = p->plan->graph;

    w->there = true;
    w->playback = (struct rp_playback){&w->list, slot};
    if (!o || o->mode != RP_GRAPH_FRAME)
        return 0;
    RP_CHECK(rp_graph_create(&w->graph, slot, name, o));
    if (p->plan->recorded)
        rp_graph_share(w->graph, &p->plan->recorded[kind]);
    return 0;
}

static int make_work(struct rp_program *p, enum rp_pass pass)
{
    char name[96];
    struct work *const w = &p->work[pass];
    static const char *const parts[] = {"frame", "analysing", "processing"};

    RP_CHECK(p->lockstep ? record_lockstep(p, w, pass) : record_alone(p, w, pass));
    if (p->lockstep)
        snprintf(name, sizeof(name), "%d frames", p->p.frames);
    else
        snprintf(name, sizeof(name), "%s %dx%d", parts[pass], p->p.w, p->p.h);
    RP_CHECK(make_graph(p, w, p->lead, (int) pass, name));
    for (int i = 0; w->graph && i < p->p.frames; i++)
        RP_CHECK(rp_lane_watch(p->lane[i], w->graph));
    return 0;
}

static int make_check(const struct rp_program *p, struct rp_lane *lane, struct work *w)
{
    rp_list_begin(&w->list, lane->check_slot);
    rp_lane_record_check(lane);
    RP_CHECK(rp_list_end(lane->check_slot));
    RP_CHECK(make_graph(p, w, lane->check_slot, RP_PASS_COUNT, "content check"));
    return w->graph ? rp_lane_watch_check(lane, w->graph) : 0;
}

static bool has_pass(const struct rp_program *p, enum rp_pass pass)
{
    return pass == RP_PASS_WHOLE     ? true
           : pass == RP_PASS_ANALYSE ? p->plan->analyser != NULL
                                     : p->plan->split;
}

static int make_lists(struct rp_program *p)
{
    for (int pass = 0; pass < RP_PASS_COUNT; pass++) {
        if (!has_pass(p, pass) || (p->lockstep && pass != RP_PASS_WHOLE))
            continue;
        RP_CHECK(make_work(p, pass));
    }
    for (int i = 0; p->plan->content && i < p->p.frames; i++)
        RP_CHECK(make_check(p, p->lane[i], &p->check[i]));
    return 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

int rp_program_create(struct rp_program **out, const struct rp_plan *plan,
                      const struct rp_program_params *params)
{
    int ret, out_w, out_h;
    struct rp_program *const p = *out = calloc(1, sizeof(*p));

    if (!p)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    p->plan = plan;
    p->p = *params;
    p->p.frames = RP_CLAMP(params->frames, 1, RP_MAX_LANES);
    RP_TRY(rp_plan_size(plan, params->w, params->h, &out_w, &out_h));
    RP_TRY(create_lanes(p));
    RP_TRY(make_lists(p));
    return 0;

fail:
    rp_program_destroy(out);
    return ret;
}

static void clear_work(struct work *w)
{
    rp_graph_destroy(&w->graph);
    rp_list_clear(&w->list);
}

void rp_program_destroy(struct rp_program **out)
{
    struct rp_program *const p = *out;

    if (!p)
        return;
    for (int pass = 0; pass < RP_PASS_COUNT; pass++)
        clear_work(&p->work[pass]);
    for (int i = 0; i < RP_MAX_LANES; i++)
        clear_work(&p->check[i]);
    for (int i = 0; i < RP_MAX_LANES; i++)
        rp_lane_destroy(&p->lane[i]);
    rp_lockstep_destroy(&p->lockstep);
    free(p);
    *out = NULL;
}

static bool same_colour(const struct rp_colour *a, const struct rp_colour *b)
{
    return a->matrix == b->matrix && a->full_range == b->full_range;
}

struct rp_program_params rp_program_params_for(const struct rp_media_frame *frame)
{
    return (struct rp_program_params){
        .w = frame->w, .h = frame->h, .fmt = frame->fmt, .colour = frame->colour, .frames = 1,
        .resident = frame->device != NULL};
}

bool rp_program_is(const struct rp_program *p, const struct rp_plan *plan,
                   const struct rp_program_params *kind)
{
    return p->plan == plan && p->p.w == kind->w && p->p.h == kind->h && p->p.fmt == kind->fmt &&
           same_colour(&p->p.colour, &kind->colour) &&
           p->p.frames == RP_MAX(kind->frames, 1) && p->p.resident == kind->resident;
}

const struct rp_plan *rp_program_plan(const struct rp_program *p)
{
    return p->plan;
}

const struct rp_program_params *rp_program_kind(const struct rp_program *p)
{
    return &p->p;
}

int rp_program_refresh(struct rp_program *p)
{
    for (int i = 0; p->plan->selector && i < p->p.frames; i++)
        RP_CHECK(rp_selector_refresh(p->plan->selector, p->lane[i]->slot, &p->lane[i]->selection));
    return 0;
}

/* ---- frames ---------------------------------------------------------------------------------- */

static int check_frame(const struct rp_program *p, const struct rp_media_frame *f)
{
    if (f->w != p->p.w || f->h != p->p.h || f->fmt != p->p.fmt)
        return rp_fail(RP_ERR_INVALID,
                       "frame %lld is %dx%d, the first was %dx%d; sizes that change "
                       "within a video are not supported",
                       (long long) f->index, f->w, f->h, p->p.w, p->p.h);
    if (!same_colour(&f->colour, &p->p.colour))
        return rp_fail(RP_ERR_INVALID, "frame %lld has another colour matrix or range than the "
                       "first; they must stay within a video", (long long) f->index);
    return 0;
}

static bool is_recorded(const struct work *w)
{
    return w->graph && rp_graph_recorded(w->graph);
}

static int do_work(struct work *w)
{
    return w->graph ? rp_graph_run(w->graph, rp_play_back, &w->playback, false)
                    : rp_play_back(&w->playback);
}

/* Eager work, too: copies that were begun after it have not ended with it. */
static int wait_for(struct work *w)
{
    return is_recorded(w) ? rp_graph_wait(w->graph) : rp_slot_sync(w->playback.slot);
}

/* Into the queue of the work that reads the frame. If one part of it is recorded and the other not,
 * the frame must be there before either begins. */
static int take_pixels(struct rp_program *p, int i, const struct rp_media_frame *frame,
                       const struct work *work, const struct work *check)
{
    const bool main = !work || is_recorded(work), other = !check || is_recorded(check);

    RP_CHECK(rp_lane_take(p->lane[i], frame, main && other));
    return work && check && main != other ? rp_slot_sync(p->lead) : 0;
}

static int take(struct rp_program *p, int i, const struct rp_frame_in *in)
{
    int ret;
    struct rp_lane *const lane = p->lane[i];

    RP_TRY(check_frame(p, in->frame));
    p->frame[i] = *in;
    p->frame[i].check = in->check && lane->content && p->pass != RP_PASS_PROCESS;
    RP_TRY(take_pixels(p, i, in->frame, &p->work[p->pass],
                       p->frame[i].check ? &p->check[i] : NULL));
    if (p->frame[i].check)
        RP_TRY(do_work(&p->check[i]));
    ret = 0;

fail:
    rp_slot_stage_end(lane->check_slot);
    rp_slot_stage_end(lane->slot);
    return ret;
}

static int run(struct rp_program *p, struct work *w)
{
    p->running = w;
    rp_slot_stage(p->lead, p->lead->stage);
    const int ret = do_work(w);
    rp_slot_stage_end(p->lead);
    return ret;
}

int rp_program_submit(struct rp_program *p, const struct rp_frame_in *frame, int n,
                      enum rp_pass pass)
{
    p->busy = n;
    p->pass = pass;
    for (int i = 0; i < p->p.frames; i++) {
        struct rp_frame_in in = frame[RP_MIN(i, n - 1)];

        in.check &= i < n;
        RP_CHECK(take(p, i, &in));
    }
    RP_CHECK(run(p, &p->work[pass]));
    for (int i = 0; i < n && pass != RP_PASS_ANALYSE; i++)
        RP_CHECK(rp_port_fetch(&p->lane[i]->port, frame[i].frame, is_recorded(p->running)));
    return 0;
}

static int collect(struct rp_program *p, int i, struct rp_frame_result *result)
{
    const struct rp_lane *const lane = p->lane[i];
    const struct rp_frame_facts *const r = lane->facts;
    const bool analysed = p->pass != RP_PASS_PROCESS, processed = p->pass != RP_PASS_ANALYSE;

    if (p->frame[i].check)
        RP_CHECK(wait_for(&p->check[i]));
    *result = (struct rp_frame_result){
        .faces = analysed ? r->faces : 0,
        .selected = processed ? r->selected : 0,
        .overflow = analysed && r->overflow != 0,
        .changed = processed && (rp_lane_resized(lane) || p->plan->whole_frame ||
                                 (r->selected > 0 && p->plan->nprocessors > 0)),
        .checked = p->frame[i].check,
        .positive = p->frame[i].check && r->verdict.positive > 0,
    };
    return 0;
}

/* Do the pixels go back into frame i? Not if it was only loaded for measuring. */
static bool is_given(const struct rp_program *p, int i)
{
    const struct rp_media_frame *const frame = p->frame[i].frame;

    return !p->p.resident || (frame && frame->device);
}

/* Must frame i come to the host even if nothing in it changed? */
static bool is_only_on_gpu(const struct rp_program *p, int i)
{
    return p->pass != RP_PASS_ANALYSE && p->frame[i].frame && p->frame[i].frame->on_gpu;
}

int rp_program_finish(struct rp_program *p, struct rp_frame_result *result)
{
    int ret;

    rp_slot_stage(p->lead, RP_STAGE_CONVERT);
    ret = wait_for(p->running);
    for (int i = 0; i < p->busy && ret >= 0; i++) {
        struct rp_lane *const lane = p->lane[i];

        rp_slot_stage(lane->slot, RP_STAGE_CONVERT);
        ret = collect(p, i, &result[i]);
        if (ret >= 0 && (result[i].changed || is_only_on_gpu(p, i)) && is_given(p, i))
            ret = rp_lane_give(lane, p->frame[i].frame);
        rp_port_drop(&lane->port);
        rp_slot_stage_end(lane->slot);
    }
    rp_slot_stage_end(p->lead);
    return ret;
}

void rp_program_abandon(struct rp_program *p)
{
    rp_slot_sync(p->lead);
    for (int i = 0; i < p->p.frames; i++)
        rp_port_drop(&p->lane[i]->port);
}

struct rp_dfaces *rp_program_faces(struct rp_program *p)
{
    return p->lane[0]->host_faces;
}

const uint8_t *rp_program_glance(const struct rp_program *p)
{
    return p->lane[0]->glance;
}

int rp_program_run(struct rp_program *p, struct rp_media_frame *frame, bool check,
                   struct rp_frame_result *result)
{
    RP_CHECK(rp_program_submit(p, &(const struct rp_frame_in){frame, check}, 1, RP_PASS_WHOLE));
    return rp_program_finish(p, result);
}

/* Do work that leaves the frame as it is, and wait for it. */
static int look_at(struct rp_program *p, struct work *w, const struct rp_media_frame *frame)
{
    int ret;

    RP_TRY(check_frame(p, frame));
    RP_TRY(rp_lane_take(p->lane[0], frame, is_recorded(w)));
    RP_TRY(run(p, w));
    ret = wait_for(w);

fail:
    rp_slot_stage_end(p->lane[0]->slot);
    return ret;
}

int rp_program_check(struct rp_program *p, const struct rp_media_frame *frame, bool *positive)
{
    RP_CHECK(look_at(p, &p->check[0], frame));
    *positive = p->lane[0]->facts->verdict.positive > 0;
    return 0;
}

int rp_program_analyse(struct rp_program *p, const struct rp_media_frame *frame,
                       struct rp_dfaces *faces)
{
    RP_CHECK(look_at(p, &p->work[RP_PASS_ANALYSE], frame));
    *faces = *rp_program_faces(p);
    return 0;
}

/* ---- measuring ------------------------------------------------------------------------------- */

int rp_program_load(struct rp_program *p, int i, const struct rp_media_frame *frame)
{
    RP_CHECK(check_frame(p, frame));
    p->busy = p->p.frames;
    p->pass = RP_PASS_WHOLE;
    p->frame[i] = (struct rp_frame_in){0};
    return rp_port_load(&p->lane[i]->port, frame);
}

int rp_program_load_all(struct rp_program *p, const struct rp_media_frame *frame)
{
    for (int i = 0; i < p->p.frames; i++)
        RP_CHECK(rp_program_load(p, i, frame));
    return 0;
}

int rp_program_repeat(struct rp_program *p)
{
    return run(p, &p->work[RP_PASS_WHOLE]);
}

int rp_program_rate(struct rp_program *const *program, int n, double seconds, double *fps)
{
    int launches = 0;
    struct rp_frame_result result[RP_MAX_LANES];
    const double start = rp_now();

    for (int i = 0; i < n; i++)
        RP_CHECK(rp_program_repeat(program[i]));
    while (rp_now() - start < seconds) {
        struct rp_program *const p = program[launches++ % n];

        RP_CHECK(rp_program_finish(p, result));
        RP_CHECK(rp_program_repeat(p));
    }
    for (int i = 0; i < n; i++)
        RP_CHECK(rp_program_finish(program[i], result));
    *fps = (launches + n) * program[0]->p.frames / (rp_now() - start);
    return 0;
}

/* Size of the resulting frame on the device. */
static size_t left_bytes(const struct rp_lane *lane)
{
    const struct rp_img *const img = &lane->last->canvas.img;

    return lane->port.direct ? (size_t) img->stride * (size_t) img->h : lane->port.pack_out.bytes;
}

size_t rp_program_bytes(const struct rp_program *p)
{
    return left_bytes(p->lane[0]) + (p->lane[0]->analysis ? sizeof(struct rp_dfaces) : 0);
}

int rp_program_pixels(struct rp_program *p, int i, uint8_t *out)
{
    int ret;
    struct rp_lane *const lane = p->lane[i];
    const size_t n = left_bytes(lane);
    struct rp_dfaces *const faces = lane->analysis ? calloc(1, sizeof(*faces)) : NULL;

    if (lane->analysis && !faces)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    RP_TRY(rp_slot_read(lane->slot, out,
                        lane->port.direct ? lane->last->canvas.img.data : lane->port.device_out,
                        n));
    if (faces) { /* after the last face there are leftovers of earlier frames */
        RP_TRY(rp_slot_read(lane->slot, faces, lane->first->faces, sizeof(*faces)));
        const int count = RP_CLAMP(faces->count, 0, RP_MAX_FACES);

        memset(&faces->face[count], 0, (size_t) (RP_MAX_FACES - count) * sizeof(faces->face[0]));
        memcpy(out + n, faces, sizeof(*faces));
    }
    ret = 0;

fail:
    free(faces);
    return ret;
}

/* ---- facts ----------------------------------------------------------------------------------- */

int rp_program_frames(const struct rp_program *p)
{
    return p->p.frames;
}

const struct rp_list *rp_program_list(const struct rp_program *p, enum rp_pass pass)
{
    return p->work[pass].there ? &p->work[pass].list : NULL;
}

const struct rp_list *rp_program_check_list(const struct rp_program *p)
{
    return p->check[0].there ? &p->check[0].list : NULL;
}

const struct rp_graph *rp_program_graph(const struct rp_program *p)
{
    return p->work[RP_PASS_WHOLE].graph;
}

const struct rp_slot *rp_program_slot(const struct rp_program *p)
{
    return p->lead;
}

void rp_program_each(const struct rp_program *p, void (*fn)(void *priv, const struct rp_slot *slot),
                     void *priv)
{
    for (int i = 0; i < p->p.frames; i++) {
        fn(priv, p->lane[i]->slot);
        if (p->lane[i]->check_slot != p->lane[i]->slot)
            fn(priv, p->lane[i]->check_slot);
    }
    if (p->lockstep)
        fn(priv, p->lead);
}

static void reset_clock(void *priv, const struct rp_slot *slot)
{
    struct rp_slot *const own = (struct rp_slot *) slot; /* the program's */

    (void) priv;
    memset(own->own_seconds, 0, sizeof(own->own_seconds));
    memset(own->model_seconds, 0, sizeof(own->model_seconds));
}

void rp_program_reset_clocks(struct rp_program *p)
{
    rp_program_each(p, reset_clock, NULL);
}

static void add_bytes(void *priv, const struct rp_slot *slot)
{
    *(size_t *) priv += slot->bytes;
}

size_t rp_program_buffers(const struct rp_program *p)
{
    size_t sum = 0;

    rp_program_each(p, add_bytes, &sum);
    return sum;
}

size_t rp_program_pool(const struct rp_program *p)
{
    const struct rp_device_fns *const fns = p->plan->device->fns;

    return fns->pool_bytes ? fns->pool_bytes(p->lead->stream) : 0;
}
