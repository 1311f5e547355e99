/* All the work on a frame whose pixels stay on the device: eager, with models recorded one by one,
 * with the frame recorded, and k such frames in flight. */
#include "benchmark/benchmark.h"

#include <math.h>

#include "face/mask.h"
#include "pipeline/alpha.h"

#define VARIANTS 6 /* frames that replays are compared on */

struct stage { /* a program with a plan of its own */
    struct rp_plan plan;
    struct rp_graph_options graph;
    struct rp_program *program;
    bool busy;
};

struct scene {
    struct rp_bench *b;
    struct rp_pipeline *pipeline;
    rp_image image[VARIANTS]; /* times are taken on the first */
    struct rp_media_frame frame[VARIANTS];
    int variants;
    struct stage lane[RP_BENCH_MAX_SLOTS];
    int lanes;
    uint8_t *want[VARIANTS], *got; /* resulting frames */
    json_t *o;
};

/* ---- the picture ----------------------------------------------------------------------------- */

/* Soft colours with a grain: something for decoders, conversions and networks. */
static void paint(const rp_image *image)
{
    uint32_t state = 12345;

    for (int y = 0; y < image->h; y++) {
        uint8_t *const row = image->data + y * image->stride;

        for (int x = 0; x < image->w * 3; x++) {
            state = state * 1664525u + 1013904223u;
            row[x] = (uint8_t) (x / 3 * 160 / image->w + y * 40 / image->h + (int) (state >> 28) +
                                x % 3 * 20);
        }
    }
}

static int new_image(rp_image *out, int w, int h)
{
    uint8_t *const data = malloc((size_t) w * 3 * (size_t) h);

    if (!data) {
        rp_fail(RP_ERR_NOMEM, "out of memory");
        return RP_ERR_NOMEM;
    }
    *out = (rp_image){.data = data, .w = w, .h = h, .stride = (ptrdiff_t) w * 3, .owned = true};
    return 0;
}

static void free_image(rp_image *image)
{
    free(image->data);
    *image = (rp_image){0};
}

/* The target, if it is a picture, or of a video the frame that the reference face is taken from. */
static int read_target(rp_image *out, const struct rp_settings *settings, const char *path,
                       enum rp_media_kind kind)
{
    struct rp_media_frame *frame = NULL;
    const struct rp_selector_options *const o = rp_settings_get(settings, &rp_selector_group);

    if (kind == RP_MEDIA_IMAGE)
        return rp_image_read(out, path);
    RP_CHECK(rp_reader_frame(path, o->reference_frames.n ? o->reference_frames.v[0] : 0, &frame));
    const int ret = rp_media_frame_image(frame, out);
    rp_media_frame_free(&frame);
    return ret;
}

/* The target's picture in the middle, as large as fits; painted colours around it. */
static int place_picture(rp_image *frame, const struct rp_settings *settings, const char *path,
                         enum rp_media_kind kind)
{
    int ret;
    rp_image whole = {0}, fit = {0};

    RP_TRY(read_target(&whole, settings, path, kind));
    rp_image_drop_alpha(&whole);
    const double f = fmin((double) frame->w / whole.w, (double) frame->h / whole.h);
    RP_TRY(rp_image_scale(&fit, &whole, RP_CLAMP((int) (whole.w * f + 0.5), 1, frame->w),
                          RP_CLAMP((int) (whole.h * f + 0.5), 1, frame->h)));
    const int x = (frame->w - fit.w) / 2, y = (frame->h - fit.h) / 2;
    for (int i = 0; i < fit.h; i++)
        memcpy(frame->data + (y + i) * frame->stride + (ptrdiff_t) 3 * x, fit.data + i * fit.stride,
               (size_t) fit.w * 3);

fail:
    rp_image_free(&whole);
    rp_image_free(&fit);
    return ret;
}

/* The same picture moved: other pixels, other places of faces. */
static void move(rp_image *to, const rp_image *from, int dx, int dy)
{
    for (int y = 0; y < to->h; y++) {
        uint8_t *const row = to->data + y * to->stride;
        const uint8_t *const src = from->data + (y + dy) % from->h * from->stride;
        const size_t n = (size_t) dx * 3, all = (size_t) to->w * 3;

        memcpy(row, src + n, all - n);
        memcpy(row + all - n, src, n);
    }
}

static int make_frames(struct scene *s)
{
    enum rp_media_kind kind;
    const int w = s->b->o->frame.w, h = s->b->o->frame.h;
    const struct rp_path_options *const paths = rp_settings_get(s->b->settings, &rp_path_group);
    const bool picture = paths->target && *paths->target &&
                         rp_media_probe(paths->target, &kind) >= 0 &&
                         (kind == RP_MEDIA_IMAGE || kind == RP_MEDIA_VIDEO);

    s->variants = s->b->o->quick ? 3 : VARIANTS;
    for (int i = 0; i < s->variants; i++) {
        RP_CHECK(new_image(&s->image[i], w, h));
        if (i)
            move(&s->image[i], &s->image[0], 17 * i % w, 11 * i % h);
        else
            paint(&s->image[0]);
        if (i == 0 && picture)
            RP_CHECK(place_picture(&s->image[0], s->b->settings, paths->target, kind));
        rp_frame_over_image(&s->frame[i], &s->image[i]);
    }
    return 0;
}

/* ---- programs -------------------------------------------------------------------------------- */

static int repeat(struct stage *st, struct rp_frame_result *result)
{
    RP_CHECK(rp_program_repeat(st->program));
    RP_CHECK(rp_program_finish(st->program, result));
    return 0;
}

/* A program on the first frame, past its warm-up. */
static int raise_stage(struct scene *s, struct stage *st, int mode, struct rp_frame_result *result)
{
    int ret;

    st->graph = s->b->graph;
    st->graph.mode = mode;
    st->plan.graph = &st->graph;
    RP_TRY(rp_program_create(&st->program, &st->plan,
                             &(const struct rp_program_params){.w = s->image[0].w,
                                                               .h = s->image[0].h,
                                                               .fmt = RP_FMT_BGR24,
                                                               .resident = true}));
    RP_TRY(rp_program_load(st->program, 0, &s->frame[0]));
    for (int i = 0; i < 3; i++)
        RP_TRY(repeat(st, result));
    return 0;

fail:
    rp_program_destroy(&st->program);
    return ret;
}

static int recorded(const struct stage *st)
{
    struct rp_graph_stats stats;
    const struct rp_graph *const g = rp_program_graph(st->program);

    if (g && rp_graph_recorded(g))
        return 0;
    if (g)
        rp_graph_get_stats(g, &stats);
    return rp_fail(RP_ERR_UNSUPPORTED, "the frame was not recorded: %s", g ? stats.reason : "off");
}

static int run_stage(void *priv)
{
    struct rp_frame_result result;

    return repeat(priv, &result);
}

/* The results of this program for every variant; the first one is loaded again afterwards. */
static int look_at_all(struct scene *s, struct stage *st, uint8_t *const to[], int *faces)
{
    struct rp_frame_result result = {0};

    for (int i = s->variants - 1; i >= 0; i--) {
        RP_CHECK(rp_program_load(st->program, 0, &s->frame[i]));
        RP_CHECK(repeat(st, &result));
        RP_CHECK(rp_program_pixels(st->program, 0, to[i]));
        *faces = RP_MAX(*faces, result.faces);
    }
    return 0;
}

/* ---- eager and model mode -------------------------------------------------------------------- */

static void put_rate(json_t *o, const char *name, const struct rp_times *t)
{
    char key[64];

    snprintf(key, sizeof(key), "%s_fps", name);
    rp_bench_number(o, key, 1 / t->mean);
    snprintf(key, sizeof(key), "%s_ms", name);
    rp_bench_times(o, key, t);
}

static int measure_eager(struct scene *s, double *faces)
{
    int ret, most = 0;
    struct rp_times t;
    struct rp_frame_result result = {0};
    struct stage st = {.plan = s->pipeline->plan};

    RP_TRY(raise_stage(s, &st, RP_GRAPH_OFF, &result));
    rp_bench_put(s->o, "faces", json_integer(result.faces));
    rp_bench_put(s->o, "selected", json_integer(result.selected));
    *faces = result.faces;
    for (int i = 0; i < s->variants; i++)
        if (!(s->want[i] = malloc(rp_program_bytes(st.program)))) {
            ret = rp_fail(RP_ERR_NOMEM, "out of memory");
            goto fail;
        }
    if (!(s->got = malloc(rp_program_bytes(st.program)))) {
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
        goto fail;
    }
    RP_TRY(rp_bench_time(s->b, run_stage, &st, &t));
    put_rate(s->o, "eager", &t);
    RP_TRY(look_at_all(s, &st, s->want, &most));

fail:
    rp_program_destroy(&st.program);
    return ret;
}

static int measure_model_mode(struct scene *s)
{
    int ret;
    struct rp_times t;
    struct rp_frame_result result;
    struct stage st = {.plan = s->pipeline->plan};

    RP_TRY(raise_stage(s, &st, RP_GRAPH_MODEL, &result));
    RP_TRY(rp_bench_time(s->b, run_stage, &st, &t));
    put_rate(s->o, "model", &t);

fail:
    rp_program_destroy(&st.program);
    return ret;
}

/* ---- recorded -------------------------------------------------------------------------------- */

/* Processor time of submitting and of finishing, without the wait in between: the GPU is done
 * before the result is asked for. */
static int measure_host(struct scene *s, struct stage *st)
{
    double cpu = 0, wall = 0;
    struct rp_frame_result result;
    const int n = s->b->o->quick ? 50 : 500;
    struct rp_slot *const slot = (struct rp_slot *) rp_program_slot(st->program);

    for (int i = 0; i < n; i++) {
        double c = rp_bench_cpu(), w = rp_now();

        RP_CHECK(rp_program_repeat(st->program));
        cpu += rp_bench_cpu() - c;
        wall += rp_now() - w;
        RP_CHECK(rp_slot_sync(slot));
        c = rp_bench_cpu();
        w = rp_now();
        RP_CHECK(rp_program_finish(st->program, &result));
        cpu += rp_bench_cpu() - c;
        wall += rp_now() - w;
    }
    rp_bench_number(s->o, "host_us_per_frame", 1e6 * cpu / n);
    rp_bench_number(s->o, "host_wall_us_per_frame", 1e6 * wall / n);
    return 0;
}

static void put_stats(struct scene *s, const struct stage *st)
{
    struct rp_graph_stats g;

    rp_graph_get_stats(rp_program_graph(st->program), &g);
    rp_bench_put(s->o, "launches_per_frame", json_integer(1));
    rp_bench_put(s->o, "nodes", json_integer(g.census.nodes));
    rp_bench_put(s->o, "kernels", json_integer(g.census.kernels));
    rp_bench_put(s->o, "memcpys", json_integer(g.census.memcpys));
    rp_bench_put(s->o, "conditionals", json_integer(g.census.conditionals));
    rp_bench_put(s->o, "pool_bytes", json_integer((json_int_t) g.pool_bytes));
    rp_bench_number(s->o, "capture_ms", g.capture_ms);
    rp_bench_number(s->o, "warmup_s", g.warmup_s);
    rp_bench_put(s->o, "deterministic", json_boolean(g.deterministic));
}

static size_t differences(const struct scene *s, const uint8_t *a, const uint8_t *b, int *most)
{
    size_t sum = 0;
    const size_t n = rp_program_bytes(s->lane[0].program);

    for (size_t i = 0; i < n; i++) {
        sum += a[i] != b[i];
        *most = RP_MAX(*most, abs(a[i] - b[i]));
    }
    return sum;
}

/* One program, all variants one after the other. */
static int compare_replays(struct scene *s, struct stage *st)
{
    int most = 0;
    size_t sum = 0;
    struct rp_frame_result result;

    for (int i = s->variants - 1; i >= 0; i--) {
        RP_CHECK(rp_program_load(st->program, 0, &s->frame[i]));
        RP_CHECK(repeat(st, &result));
        RP_CHECK(rp_program_pixels(st->program, 0, s->got));
        sum += differences(s, s->want[i], s->got, &most);
    }
    rp_bench_put(s->o, "identical", json_boolean(sum == 0));
    rp_bench_put(s->o, "bytes_different", json_integer((json_int_t) sum));
    rp_bench_put(s->o, "max_abs_diff", json_integer(most));
    return 0;
}

static int measure_graph(struct scene *s)
{
    struct rp_times t;
    struct rp_frame_result result;

    s->lane[0].plan = s->pipeline->plan;
    RP_CHECK(raise_stage(s, &s->lane[0], RP_GRAPH_FRAME, &result));
    s->lanes = 1;
    RP_CHECK(recorded(&s->lane[0]));
    put_stats(s, &s->lane[0]);
    RP_CHECK(rp_bench_time(s->b, run_stage, &s->lane[0], &t));
    put_rate(s->o, "graph", &t);
    RP_CHECK(measure_host(s, &s->lane[0]));
    return compare_replays(s, &s->lane[0]);
}

/* ---- several at once ------------------------------------------------------------------------- */

static int finish_lane(struct stage *st)
{
    struct rp_frame_result result;

    if (!st->busy)
        return 0;
    st->busy = false;
    return rp_program_finish(st->program, &result);
}

/* Each lane's last frame is finished and its next one begun. */
static int run_round(struct scene *s, int n)
{
    for (int i = 0; i < n; i++) {
        RP_CHECK(finish_lane(&s->lane[i]));
        RP_CHECK(rp_program_repeat(s->lane[i].program));
        s->lane[i].busy = true;
    }
    return 0;
}

static int finish_all(struct scene *s, int n)
{
    for (int i = 0; i < n; i++)
        RP_CHECK(finish_lane(&s->lane[i]));
    return 0;
}

static int more_lanes(struct scene *s, int n, double before)
{
    struct rp_frame_result result;

    while (s->lanes < n) {
        struct stage *const st = &s->lane[s->lanes];

        if (!rp_bench_room(s->b, before))
            return rp_fail(RP_ERR_DEVICE_MEM, "no memory for %d frames at once", n);
        before = rp_bench_free(s->b);
        *st = (struct stage){.plan = s->pipeline->plan};
        RP_CHECK(raise_stage(s, st, RP_GRAPH_FRAME, &result));
        s->lanes++;
        RP_CHECK(recorded(st));
    }
    return 0;
}

/* Different frames in all programs at once, several times over. */
static int compare_lanes(struct scene *s, int n, bool *identical)
{
    int most = 0;

    for (int i = 0; i < n; i++)
        RP_CHECK(rp_program_load(s->lane[i].program, 0, &s->frame[i % s->variants]));
    for (int round = 0; round < 5; round++)
        RP_CHECK(run_round(s, n));
    RP_CHECK(finish_all(s, n));
    for (int i = 0; i < n; i++) {
        RP_CHECK(rp_program_pixels(s->lane[i].program, 0, s->got));
        *identical &= differences(s, s->want[i % s->variants], s->got, &most) == 0;
        RP_CHECK(rp_program_load(s->lane[i].program, 0, &s->frame[0]));
    }
    return 0;
}

static int measure_crowd(struct scene *s, int n, double *per_frame)
{
    int rounds = 0;
    double start, now;
    const double budget = s->b->o->quick ? 0.3 : 0.8;

    for (int i = 0; i < 3; i++)
        RP_CHECK(run_round(s, n));
    RP_CHECK(finish_all(s, n));
    start = now = rp_now();
    while (now - start < budget || rounds < 3) {
        RP_CHECK(run_round(s, n));
        rounds++;
        now = rp_now();
    }
    RP_CHECK(finish_all(s, n));
    *per_frame = (rp_now() - start) / rounds / n;
    return 0;
}

static int measure_slots(struct scene *s, double before)
{
    int ret = 0, best_n = 0;
    double best = 0;
    bool identical = true;
    json_t *const all = json_array();

    rp_bench_put(s->o, "slot_runs", json_incref(all));
    for (int n = 1; n <= s->b->max_slots; n *= 2) {
        double t = 0;

        RP_TRY(more_lanes(s, n, before));
        RP_TRY(compare_lanes(s, n, &identical));
        RP_TRY(measure_crowd(s, n, &t));
        json_array_append_new(
            all, json_pack("{s:i,s:f,s:f}", "slots", n, "fps", 1 / t, "ms_per_frame", 1e3 * t));
        if (!best_n || t < best) {
            best = t;
            best_n = n;
        }
    }
fail:
    if (ret < 0)
        rp_bench_reason(s->o, "slots_reason");
    if (best_n) {
        rp_bench_put(s->o, "slots", json_integer(best_n));
        rp_bench_number(s->o, "slots_fps", 1 / best);
        rp_bench_put(s->o, "slots_identical", json_boolean(identical));
        if (!identical)
            rp_bench_put(s->o, "identical", json_false());
    }
    json_decref(all);
    return ret;
}

/* Seconds a frame with the first n processors, with the best number of frames in flight. */
static int time_some(struct scene *s, int nprocessors, int lanes, double *seconds)
{
    int ret = 0;
    struct rp_frame_result result;
    struct scene part = *s;

    part.lanes = 0;
    memset(part.lane, 0, sizeof(part.lane));
    while (part.lanes < lanes) {
        struct stage *const st = &part.lane[part.lanes++];

        st->plan = s->pipeline->plan;
        st->plan.nprocessors = nprocessors;
        RP_TRY(raise_stage(&part, st, RP_GRAPH_FRAME, &result));
        RP_TRY(recorded(st));
    }
    RP_TRY(measure_crowd(&part, lanes, seconds));

fail:
    for (int i = 0; i < part.lanes; i++)
        rp_program_destroy(&part.lane[i].program);
    return ret;
}

/* What each part of the work costs while the GPU is fully used: the analysing stage, then one
 * processor more at a time. */
static int measure_shares(struct scene *s)
{
    double before = 0, now = 0;
    const struct rp_plan *const plan = &s->pipeline->plan;
    const int lanes = (int) json_integer_value(json_object_get(s->o, "slots"));
    json_t *const all = json_array();

    rp_bench_put(s->o, "shares", all);
    for (int n = 0; n <= plan->nprocessors && lanes; n++) {
        RP_CHECK(time_some(s, n, lanes, &now));
        json_array_append_new(all, json_pack("{s:s,s:f}", "name",
                                             n ? plan->processor[n - 1].def->name : "analysing",
                                             "ms", 1e3 * (now - before)));
        before = now;
    }
    return 0;
}

static json_t *soak(struct scene *s, int n)
{
    json_t *const o = json_object();

    rp_bench_soak(s->b, o, n, run_stage, &s->lane[0]);
    return o;
}

/* ---- a frame without faces ------------------------------------------------------------------- */

/* A recorded program with this analyser and that many processors. @param us  median of a frame */
static int time_empty(struct scene *s, const struct rp_analyser *analyser, int nprocessors,
                      double *us)
{
    int ret;
    struct rp_times t;
    struct rp_frame_result result;
    struct stage st = {.plan = s->pipeline->plan};

    st.plan.analyser = analyser;
    st.plan.nprocessors = nprocessors;
    RP_TRY(raise_stage(s, &st, RP_GRAPH_FRAME, &result));
    if (s->b->gpu)
        RP_TRY(recorded(&st));
    if (result.faces) {
        ret = rp_fail(RP_ERR_UNSUPPORTED, "the detector finds %d faces even with a score of 1",
                      result.faces);
        goto fail;
    }
    RP_TRY(rp_bench_time(s->b, run_stage, &st, &t));
    *us = 1e6 * t.median;

fail:
    rp_program_destroy(&st.program);
    return ret;
}

/* Measures with the detector's minimum score at 1, so that no face is found: all the work, and the
 * detector alone. The difference is what faces cost when there are none. */
static int measure_empty(struct scene *s)
{
    int ret;
    unsigned needs = rp_selector_needs(s->b->settings);
    double all = 0, detector = 0;
    struct rp_analyser *full = NULL, *bare = NULL;
    const struct rp_plan *const plan = &s->pipeline->plan;
    char *const score = rp_options_text(s->b->options, "face-detector-score");

    for (int i = 0; i < plan->nprocessors; i++)
        needs |= rp_processor_needs(plan->processor[i].def, s->b->settings);
    RP_TRY(rp_options_set(s->b->options, "face-detector-score", "1"));
    RP_TRY(rp_analyser_create(&full, s->pipeline->pool, s->b->settings, needs));
    RP_TRY(rp_analyser_create(&bare, s->pipeline->pool, s->b->settings, 0));
    RP_TRY(time_empty(s, full, plan->nprocessors, &all));
    rp_bench_number(s->o, "empty_frame_us", all);
    RP_TRY(time_empty(s, bare, 0, &detector));
    rp_bench_number(s->o, "empty_detector_us", detector);
    rp_bench_number(s->o, "empty_face_part_us", all - detector);

fail:
    rp_analyser_destroy(&full);
    rp_analyser_destroy(&bare);
    if (score)
        rp_options_set(s->b->options, "face-detector-score", score);
    rp_free(score);
    return ret;
}

/* ---- the frame ------------------------------------------------------------------------------- */

static void close_scene(struct scene *s)
{
    for (int i = 0; i < s->lanes; i++)
        rp_program_destroy(&s->lane[i].program);
    for (int i = 0; i < VARIANTS; i++) {
        free_image(&s->image[i]);
        free(s->want[i]);
    }
    free(s->got);
}

static json_t *blank(const struct rp_bench *b, const struct rp_plan *plan)
{
    static const char *const keys[] = {
        "faces",
        "selected",
        "eager_fps",
        "model_fps",
        "graph_fps",
        "slots",
        "slots_fps",
        "lockstep",
        "host_us_per_frame",
        "host_wall_us_per_frame",
        "launches_per_frame",
        "identical",
        "max_abs_diff",
        "nodes",
        "pool_bytes",
        "empty_frame_us",
        "empty_detector_us",
        "empty_face_part_us",
    };
    json_t *const o = json_object(), *const names = json_array(), *const models = json_array();

    for (int i = 0; i < plan->nprocessors; i++) {
        json_array_append_new(names, json_string(plan->processor[i].def->name));
        json_array_append_new(models,
                              json_string(plan->processor[i].def->models(plan->processor[i].self)));
    }
    rp_bench_put(o, "processors", names);
    rp_bench_put(o, "processor_models", models);
    rp_bench_text(o, "analyser", plan->analyser ? rp_analyser_models(plan->analyser) : "");
    rp_bench_put(o, "width", json_integer(b->o->frame.w));
    rp_bench_put(o, "height", json_integer(b->o->frame.h));
    for (size_t i = 0; i < RP_ARRAY_LEN(keys); i++)
        rp_bench_put(o, keys[i], NULL);
    return o;
}

json_t *rp_bench_frame(struct rp_bench *b, struct rp_pipeline *pipeline, json_t **soak_out)
{
    double before, faces = 0;
    struct scene s = {.b = b, .pipeline = pipeline, .o = blank(b, &pipeline->plan)};

    rp_log(RP_LOG_INFO, "measuring the work on a frame of %dx%d", b->o->frame.w, b->o->frame.h);
    if (make_frames(&s) < 0 ||
        (rp_pipeline_wants_reference(pipeline) &&
         rp_pipeline_add_reference(pipeline, &s.frame[0]) < 0) ||
        measure_eager(&s, &faces) < 0) {
        rp_bench_reason(s.o, "reason");
        goto done;
    }
    if (!b->gpu)
        goto empty;
    if (measure_model_mode(&s) < 0)
        rp_bench_reason(s.o, "model_reason");
    before = rp_bench_free(b);
    if (measure_graph(&s) < 0) {
        rp_bench_reason(s.o, "graph_reason");
        goto empty;
    }
    measure_slots(&s, before);
    rp_bench_put(s.o, "lockstep", rp_bench_lockstep(b, &pipeline->plan, s.frame, s.variants));
    if (pipeline->plan.nprocessors && measure_shares(&s) < 0)
        rp_bench_reason(s.o, "shares_reason");
    if (b->o->soak && soak_out)
        *soak_out = soak(&s, b->o->soak);

empty:
    if (pipeline->plan.nprocessors && pipeline->plan.analyser && measure_empty(&s) < 0)
        rp_bench_reason(s.o, "empty_reason");

done:
    close_scene(&s);
    return s.o;
}

/* The analysing stage alone, with all that can be found out about a face. */
json_t *rp_bench_analysis(struct rp_bench *b, struct rp_pipeline *pipeline)
{
    json_t *o = NULL;
    struct rp_analyser *full = NULL;
    struct rp_pipeline only = *pipeline;

    if (rp_analyser_create(&full, pipeline->pool, b->settings, RP_NEED_LANDMARKS | RP_NEED_POINTS |
                           RP_NEED_EMBEDDING | RP_NEED_CLASSES) < 0) {
        o = json_object();
        rp_bench_reason(o, "reason");
        return o;
    }
    only.plan = (struct rp_plan){.device = pipeline->plan.device, .graph = pipeline->plan.graph,
                                 .batch = pipeline->plan.batch, .analyser = full};
    o = rp_bench_frame(b, &only, NULL);
    rp_analyser_destroy(&full);
    return o;
}
