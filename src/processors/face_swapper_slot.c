/* The swapper in one slot: crop, tiles, network, mask, paste, for each selected face. */
#include "processors/face_swapper.h"

/* Colours are matched at 16 x 16: light, shadow and complexion, but no features. */
static const int match_step[] = {16};

void rp_swapper_detach(void *at)
{
    struct rp_swap_slot *const s = at;

    rp_net_close(&s->net);
    rp_face_crop_close(&s->crop);
}

static int open_net(struct rp_swap_slot *s, int batch)
{
    int ret;
    const struct rp_swapper *const shared = s->shared;
    const struct rp_swap_model *const m = shared->m;
    const int64_t n = batch, size = m->size, source = m->source_size;
    const int64_t target[] = {n, 3, size, size}, image[] = {n, 3, source, source}, vec[] = {n, 512};
    const int64_t *dims[RP_MAX_TENSORS] = {0};

    dims[shared->in_target] = target;
    dims[shared->in_source] = m->source == RP_SWAP_IMAGE ? image : vec;
    RP_TRY(rp_net_open(&s->net, s->slot, shared->model, dims));
    RP_TRY(rp_face_crop_expect_output(s->net, batch, m->size));
    s->batch = batch;
    return 0;

fail:
    rp_net_close(&s->net);
    return ret;
}

/* A file may claim to take any number of pictures and then fail with more than one. */
static int open_any(struct rp_swap_slot *s)
{
    int ret = 0;
    const int batch = s->shared->batch;

    if (batch > 1) {
        rp_log_hold(true);
        ret = open_net(s, batch);
        rp_log_hold(false);
        if (ret >= 0)
            return 0;
        rp_log(RP_LOG_WARN, "%s does not run %d tiles at once, so they are run one by one: %s",
               s->shared->m->name, batch, rp_last_error());
    }
    return open_net(s, 1);
}

static int make_buffers(struct rp_swap_slot *s)
{
    float lut[3][256];
    struct rp_slot *const slot = s->slot;
    const struct rp_swapper *const shared = s->shared;
    const size_t pixels = (size_t) shared->size * (size_t) shared->size;
    const int32_t turns = shared->step * shared->step / s->batch;

    rp_tensor_lut(lut, 255, shared->m->mean, shared->m->std);
    RP_CHECK(rp_slot_constant(slot, lut, sizeof(lut), (void **) &s->lut));
    RP_CHECK(rp_slot_alloc(slot, pixels * 3 * sizeof(float), (void **) &s->swapped));
    if (shared->references)
        RP_CHECK(rp_slot_alloc(slot, sizeof(*s->map), (void **) &s->map));
    if (turns > 1) {
        RP_CHECK(rp_slot_constant(slot, &turns, sizeof(turns), (void **) &s->turns));
        RP_CHECK(rp_slot_alloc(slot, sizeof(*s->turn), (void **) &s->turn));
    }
    return 0;
}

static int make_match(struct rp_swap_slot *s)
{
    const struct rp_swapper *const shared = s->shared;

    RP_CHECK(rp_slot_image(s->slot, shared->size, shared->size, 3, &s->bytes));
    RP_CHECK(rp_face_colours_open(&s->colours, s->slot, shared->size, match_step, 1));
    return rp_slot_constant(s->slot, &shared->match, sizeof(shared->match), (void **) &s->match);
}

int rp_swapper_attach(void *at, const void *self, struct rp_slot *slot, int w, int h)
{
    const struct rp_swapper *const shared = self;
    struct rp_swap_slot *const s = at;

    (void) w;
    (void) h;
    s->shared = shared;
    s->slot = slot;
    RP_CHECK(open_any(s));
    if (shared->fixed)
        RP_CHECK(rp_net_set_input(s->net, shared->in_source, shared->sources));
    RP_CHECK(make_buffers(s));
    if (shared->match > 0)
        RP_CHECK(make_match(s));
    RP_CHECK(rp_face_loop_open(&s->loop, slot));
    RP_CHECK(
        rp_face_crop_open(&s->crop, slot, shared->m->template_id, shared->size, shared->masks));
    return 0;
}

const int32_t *rp_swapper_faces(const void *at)
{
    const struct rp_swap_slot *const s = at;

    return s->map ? &s->map->chosen.count : NULL;
}

/* ---- recording ------------------------------------------------------------------------------- */

/* The tiles of one run; without pixel boost the whole crop. */
static void record_tiles(struct rp_swap_slot *s)
{
    struct rp_slot *const slot = s->slot;
    const struct rp_swapper *const shared = s->shared;
    const struct rp_swap_model *const m = shared->m;
    const int tiles = shared->step > 1 ? s->batch : 0;
    struct rp_op_from_tensor from = {
        .src = s->net->out[0].data, .w = m->size, .h = m->size, .mul = {1, 1, 1}, .rgb = 1,
        .dst = s->swapped, .step = shared->step, .tiles = tiles, .turn = s->turn,
    };

    for (int c = 0; m->denormalise && c < 3; c++) {
        from.mul[c] = (float) m->std[c];
        from.add[c] = (float) m->mean[c];
    }
    RP_OP(slot, to_tensor, .src = s->crop.img, .lut = s->lut,
          .dst = s->net->in[shared->in_target].data, .w = m->size, .h = m->size, .rgb = 1,
          .step = shared->step, .tiles = tiles, .turn = s->turn);
    rp_record_run(s->net);
    RP_OP_FROM(slot, from_tensor, &from);
}

/* Which source this face gets, where that is not the same for all faces. */
static void record_source(struct rp_swap_slot *s)
{
    const struct rp_swapper *const shared = s->shared;

    if (shared->fixed)
        return;
    RP_OP(s->slot, source_mix, .sources = shared->sources, .rows = shared->rows, .n = shared->row,
          .map = s->map, .index = s->loop.index, .face = shared->mix != 0 ? s->loop.cur : NULL,
          .raw = shared->m->source == RP_SWAP_CONVERTED, .mix = shared->mix,
          .dst = s->net->in[shared->in_source].data, .copies = s->batch);
}

/* The colours of the face that was there before, and of what surrounds it. */
static void record_match(struct rp_swap_slot *s)
{
    RP_OP(s->slot, float_to_u8, .src = s->swapped, .dst = s->bytes);
    rp_face_colours_record(&s->colours, &s->crop.img, &s->bytes, s->match, s->swapped);
}

void rp_swapper_record(void *at, const struct rp_frame *frame)
{
    struct rp_swap_slot *const s = at;
    const struct rp_selection *selection = frame->selection;

    if (s->map) {
        RP_OP(s->slot, map_faces, .faces = frame->faces, .selection = selection,
              .references = s->shared->references, .distance = s->shared->distance,
              .other = s->shared->other, .dst = s->map);
        selection = &s->map->chosen;
    }
    rp_face_loop_begin(&s->loop, frame, selection);
    rp_face_crop_cut(&s->crop, &frame->canvas.img, s->loop.cur);
    record_source(s);
    if (s->turns)
        rp_record_loop(s->slot, s->turns, s->turn);
    record_tiles(s);
    if (s->turns)
        rp_record_loop_end(s->slot);
    if (s->shared->match > 0)
        record_match(s);
    rp_face_crop_paste(&s->crop, frame, s->loop.cur,
                       &(const struct rp_face_paste){.pixels = s->swapped, .blend = 1});
    rp_face_loop_end(&s->loop);
}
