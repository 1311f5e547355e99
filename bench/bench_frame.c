/* Our own work on one frame: all except ONNX Runtime and the codecs, by stage, on one core.
 *
 *   bench_frame [FRAMES [FACE_WIDTH]]
 *
 * A 1080p yuv420p frame is made that shows one face, 190 pixels wide by default: head and shoulders
 * fill the frame's height. The job is the default one (face_swapper with the lite models, selector
 * mode reference). Every frame goes through the content check, although of a real video only one
 * frame a second does. Making the frame, loading models and the first frames are not timed. The
 * minimum is less disturbed by other processes than the median. Exit code 77: the models or the
 * sample picture are missing. */
#include <sched.h>

#include "base/path.h"
#include "pipeline/pipeline.h"

#define W 1920
#define H 1080
#define WARM_UP 5
#define MAX_FRAMES 1000
#define TARGET_MS 6.0

/* The face of the sample picture: its middle and its width, in pixels. */
#define FACE_X 225
#define FACE_Y 122
#define FACE_W 90

struct setup {
    char *portrait;
    int frames, face_w;
};

/* ---- the frame ------------------------------------------------------------------------------- */

static struct rp_planes planes_of(const struct rp_media_frame *f)
{
    struct rp_planes p = {.w = f->w, .h = f->h, .sub_x = 1, .sub_y = 1, .depth = 8,
                          .matrix = (int) f->colour.matrix, .full_range = f->colour.full_range};

    for (int i = 0; i < 3; i++) {
        p.plane[i] = f->plane[i];
        p.stride[i] = f->stride[i];
    }
    return p;
}

/* The portrait, enlarged, with its face in the middle; its edges are continued outside. */
static int draw(const struct setup *setup, struct rp_img *img)
{
    int ret;
    rp_image small = {0}, large = {0};
    const double scale = (double) setup->face_w / FACE_W;

    RP_TRY(rp_image_read(&small, setup->portrait));
    RP_TRY(rp_image_scale(&large, &small, (int) (small.w * scale), (int) (small.h * scale)));
    for (int y = 0; y < img->h; y++) {
        const int sy = RP_CLAMP(y - img->h / 2 + (int) (FACE_Y * scale), 0, large.h - 1);

        for (int x = 0; x < img->w; x++) {
            const int sx = RP_CLAMP(x - img->w / 2 + (int) (FACE_X * scale), 0, large.w - 1);

            memcpy(img->data + (ptrdiff_t) y * img->stride + 3 * x,
                   large.data + sy * large.stride + 3 * sx, 3);
        }
    }

fail:
    rp_image_free(&small);
    rp_image_free(&large);
    return ret;
}

static int make_frame(const struct setup *setup, struct rp_media_frame **out)
{
    int ret;
    struct rp_planes planes;
    const size_t tiles = (size_t) rp_tiles(W) * (size_t) rp_tiles(H);
    struct rp_canvas canvas = {.img = {.stride = W * 3, .w = W, .h = H, .ch = 3},
                               .tiles_w = rp_tiles(W), .tiles_h = rp_tiles(H)};

    canvas.img.data = malloc((size_t) W * H * 3);
    canvas.changed = malloc(tiles);
    if (!canvas.img.data || !canvas.changed) {
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
        goto fail;
    }
    memset(canvas.changed, 1, tiles);
    RP_TRY(draw(setup, &canvas.img));
    RP_TRY(rp_media_frame_alloc(out, RP_FMT_YUV420P, W, H));
    for (int i = 0; i < 3; i++)
        memset((*out)->plane[i], 0, (size_t) (*out)->stride[i] * (size_t) (i ? H / 2 : H));
    planes = planes_of(*out);
    ret = rp_c_bgr_to_yuv(NULL, &(struct rp_op_bgr_to_yuv){canvas, &planes});

fail:
    free(canvas.img.data);
    free(canvas.changed);
    return ret;
}

static void copy_frame(struct rp_media_frame *dst, const struct rp_media_frame *src)
{
    for (int i = 0; i < 3; i++)
        // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): both were made
        memcpy(dst->plane[i], src->plane[i], (size_t) src->stride[i] * (size_t) (i ? H / 2 : H));
}

/* ---- times ----------------------------------------------------------------------------------- */

struct times {
    double own[MAX_FRAMES][RP_STAGE_COUNT], model[MAX_FRAMES][RP_STAGE_COUNT];
};

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

/* Milliseconds; `stage` RP_STAGE_COUNT: of the frames' sums. */
struct figures {
    double median, least;
};

static struct figures figures_of(double (*v)[RP_STAGE_COUNT], int n, int stage)
{
    static double sorted[MAX_FRAMES];

    for (int i = 0; i < n; i++) {
        sorted[i] = 0;
        for (int s = 0; s < RP_STAGE_COUNT; s++)
            if (stage == RP_STAGE_COUNT || s == stage)
                sorted[i] += v[i][s];
    }
    qsort(sorted, (size_t) n, sizeof(sorted[0]), by_value);
    return (struct figures){1e3 * sorted[n / 2], 1e3 * sorted[0]};
}

static void print_row(const char *name, struct figures own, struct figures model)
{
    printf("%-14s %10.2f %10.2f %10.2f\n", name, own.median, own.least, model.median);
}

static void print_times(struct times *t, int n)
{
    const struct figures own = figures_of(t->own, n, RP_STAGE_COUNT);
    const struct figures gate = figures_of(t->own, n, RP_STAGE_CONTENT_CHECK);

    printf("%dx%d yuv420p, one face, one core, %d frames, milliseconds a frame\n", W, H, n);
    printf("%-14s %10s %10s %10s\n", "stage", "own median", "own least", "in models");
    for (int s = 0; s < RP_STAGE_COUNT; s++)
        if (figures_of(t->own, n, s).least > 0)
            print_row(rp_stage_name((enum rp_stage) s), figures_of(t->own, n, s),
                      figures_of(t->model, n, s));
    print_row("all", own, figures_of(t->model, n, RP_STAGE_COUNT));
    printf("own, without content check: median %.2f ms, least %.2f ms; target: under %.0f ms\n",
           own.median - gate.median, own.least - gate.least, TARGET_MS);
}

/* ---- running --------------------------------------------------------------------------------- */

static int run_frame(struct rp_program *program, struct rp_media_frame *frame, struct times *t,
                     int i)
{
    int ret;
    struct rp_frame_result result;
    const struct rp_slot before = *rp_program_slot(program);

    if ((ret = rp_program_run(program, frame, true, &result)) < 0)
        return ret;
    if (result.faces != 1 || result.selected != 1)
        return rp_fail(RP_ERR_INVALID, "%d faces found and %d selected instead of 1", result.faces,
                       result.selected);
    const struct rp_slot *const after = rp_program_slot(program);
    for (int s = 0; i >= 0 && s < RP_STAGE_COUNT; s++) {
        t->own[i][s] = after->own_seconds[s] - before.own_seconds[s];
        t->model[i][s] = after->model_seconds[s] - before.model_seconds[s];
    }
    return 0;
}

static int run_frames(struct rp_pipeline *pipeline, const struct rp_media_frame *frame, int n)
{
    int ret;
    struct rp_program *program = NULL;
    struct rp_media_frame *copy = NULL;
    struct times *const t = calloc(1, sizeof(*t));

    if (!t)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    RP_TRY(rp_media_frame_alloc(&copy, RP_FMT_YUV420P, W, H));
    RP_TRY(rp_pipeline_add_reference(pipeline, frame));
    const struct rp_program_params params = rp_program_params_for(frame);
    RP_TRY(rp_program_create(&program, &pipeline->plan, &params));
    for (int i = -WARM_UP; i < n; i++) {
        copy_frame(copy, frame);
        RP_TRY(run_frame(program, copy, t, i));
    }
    print_times(t, n);

fail:
    rp_program_destroy(&program);
    rp_media_frame_free(&copy);
    free(t);
    return ret;
}

static int set_options(rp_options *o, const struct setup *setup)
{
    int ret;

    RP_TRY(rp_options_set_words(o, "source-paths", 1, (const char *const[]){setup->portrait}));
    RP_TRY(rp_options_set(o, "face-detector-model", "ultraface"));
    RP_TRY(rp_options_set(o, "face-swapper-model", "classic_256"));

fail:
    return ret;
}

static int run(const struct setup *setup)
{
    int ret;
    rp_runtime *runtime = NULL;
    rp_options *options = NULL;
    rp_pipeline *pipeline = NULL;
    struct rp_media_frame *frame = NULL;

    RP_TRY(rp_runtime_create(&runtime, NULL));
    RP_TRY(rp_options_create(&options));
    RP_TRY(set_options(options, setup));
    RP_TRY(rp_pipeline_open(&pipeline, runtime, rp_options_settings(options),
                            &(const struct rp_pipeline_params){.use = RP_USE_PROCESS, .threads = 1}));
    RP_TRY(make_frame(setup, &frame));
    ret = run_frames(pipeline, frame, setup->frames);

fail:
    rp_media_frame_free(&frame);
    rp_pipeline_destroy(&pipeline);
    rp_options_destroy(&options);
    rp_runtime_destroy(&runtime);
    return ret;
}

/* The first core that we may use, and no other. */
static void stay_on_one_core(void)
{
    cpu_set_t set;
    int core = 0;

    if (sched_getaffinity(0, sizeof(set), &set) < 0)
        return;
    while (core < CPU_SETSIZE - 1 && !CPU_ISSET(core, &set))
        core++;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    sched_setaffinity(0, sizeof(set), &set);
}

int main(int argc, char **argv)
{
    int ret;
    struct setup setup = {
        .frames = argc > 1 ? atoi(argv[1]) : 100,
        .face_w = argc > 2 ? atoi(argv[2]) : 190,
    };

    if (setup.frames < 1 || setup.frames > MAX_FRAMES || setup.face_w < FACE_W ||
        setup.face_w > W / 2) {
        fprintf(stderr, "usage: bench_frame [FRAMES [FACE_WIDTH]], 1 to %d and %d to %d\n",
                MAX_FRAMES, FACE_W, W / 2);
        return rp_exit_code(RP_ERR_USAGE);
    }
    setup.portrait = rp_path_user_cache("media/astronaut.png");
    rp_set_log(RP_LOG_WARN, NULL, NULL);
    stay_on_one_core();
    if (setup.portrait && rp_path_is_file(setup.portrait)) {
        ret = run(&setup);
    } else {
        fputs("skipped: the sample picture is not there; run make bench\n", stderr);
        ret = RP_ERR_MISSING;
    }
    free(setup.portrait);
    return ret == RP_ERR_MISSING || ret == RP_ERR_UNSUPPORTED ? 77 : rp_exit_code(ret);
}
