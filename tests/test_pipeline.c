/* The public interface on real models: pictures, video jobs, the content check, missing models.
 *
 * The faces are those of set-up's sample picture, the models its lite ones; a test that lacks one
 * of them says so and is skipped. */
#include "test_media.h"

#include <pthread.h>

#include "models/standins.h"
#include "fake_nvdec.h"
#include "pipeline/crew.h"
#include "pipeline/job.h"

/* What set_up() lays into the folder:
 *   lite/     the lite models              source.png   the face to put in
 *   bright/   the same, but the content    face.png     the astronaut
 *             check refuses what is bright clip.mp4     10 frames; the face is in the first 5 only
 *   empty/    nothing                      grey.png     no face */
static char why_not[512];
static bool have_clips;
static rp_runtime *runtime;

#define W 320
#define H 240
#define FRAMES 10 /* of launches of 4 and of 8 the last is not full */
#define WITH_FACE 5

/* ---- log ------------------------------------------------------------------------------------- */

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char log_text[65536];

static void keep_line(void *priv, enum rp_log_level level, const char *line)
{
    (void) priv;
    (void) level;
    pthread_mutex_lock(&log_lock);
    const size_t n = strlen(log_text);
    snprintf(log_text + n, sizeof(log_text) - n, "%s\n", line);
    pthread_mutex_unlock(&log_lock);
}

/* ---- runs of networks: the linker sends these calls here --------------------------------- */

static _Atomic int detector_runs;

int __real_rp_net_run(struct rp_net *net);
int __wrap_rp_net_run(struct rp_net *net);

int __wrap_rp_net_run(struct rp_net *net)
{
    if (strstr(rp_model_path(net->model), "fr_detect"))
        detector_runs++;
    return __real_rp_net_run(net);
}

/* ---- set-up ---------------------------------------------------------------------------------- */

static bool link_models(const char *folder)
{
    const char *const env = getenv("REPRISE_MODELS");
    char *const cache = rp_path_user_cache("models");
    static const char *const files[] = {"fr_detect", "fr_landmark", "fr_feature", "fr_age",
                                        "fr_gender", "classic_256", "nsfwjs"};
    bool ok = cache && shell("mkdir %s", folder) == 0;

    for (size_t i = 0; ok && i < RP_ARRAY_LEN(files); i++) {
        ok = shell("test -s '%s/%s.onnx' && ln -s '%s/%s.onnx' %s/", env ? env : cache, files[i],
                   env ? env : cache, files[i], folder) == 0;
        if (!ok)
            snprintf(why_not, sizeof(why_not), "no %s.onnx in %s", files[i], env ? env : cache);
    }
    free(cache);
    return ok;
}

static bool find_picture(void)
{
    char *const path = rp_path_user_cache("media/astronaut.png");
    const bool ok = path && shell("cp '%s' face.png 2>/dev/null", path) == 0;

    if (!ok)
        snprintf(why_not, sizeof(why_not), "no %s", path ? path : "astronaut.png");
    free(path);
    return ok;
}

/* Another face, warmer and with more contrast; a clip that slides and ends on the suit. */
static bool make_media(void)
{
    if (!have_ffmpeg()) {
        snprintf(why_not, sizeof(why_not), "no ffmpeg program");
        return false;
    }
    return shell("ffmpeg -v error -i face.png -vf hflip,eq=contrast=1.4:saturation=1.8,hue=h=25 "
                 "source.png") == 0 &&
           shell("ffmpeg -v error -f lavfi -i color=gray:s=96x64 -frames:v 1 grey.png") == 0 &&
           shell("ffmpeg -v error -loop 1 -r 25 -i face.png -f lavfi -i sine=440 -frames:v %d -vf "
                 "\"crop=%d:%d:60+4*n:if(lt(n\\,%d)\\,10\\,270),format=yuv420p\" -c:v libx264 -g 5 "
                 "-crf 12 -c:a aac -shortest clip.mp4", FRAMES, W, H, WITH_FACE) == 0;
}

static int set_up(void **state)
{
    const char *const source = getenv("REPRISE_SOURCE");

    if (make_dir(state) || !source)
        return -1;
    rp_set_log(RP_LOG_DEBUG, keep_line, NULL);
    if (!link_models("lite") || !find_picture() || !make_media()) {
        print_message("skipped: %s; run scripts/setup.sh --tests\n", why_not);
        if (!why_not[0])
            return -1;
        return 0;
    }
    have_clips = true;
    if (shell("mkdir empty bright && '%s/tests/tiny_models.py' bright && cp -P lite/* bright/ && "
              "mv bright/gate.onnx bright/nsfwjs.onnx", source))
        return -1;
    return rp_runtime_create(&runtime, &(rp_runtime_params){.models_path = in_dir("lite")});
}

static int tear_down(void **state)
{
    rp_runtime_destroy(&runtime);
    assert_null(runtime);
    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    (void) shell("rm -rf lite bright empty more");
    return remove_dir(state);
}

/* For tests that replace a network of the content check. */
static void need_standins(void)
{
    if (!rp_standins_allowed())
        skip();
}

static void need_all(void)
{
    if (!have_clips)
        skip();
}

/* ThreadSanitizer sees a race in any run in which threads meet, AddressSanitizer what is wrong with
 * memory; that results do not depend on numbers is shown by the runs without them.
 * $REPRISE_ALL_RUNS: all runs with them as well. */
#ifdef __SANITIZE_THREAD__
enum { RACES = true, ONCE = true };
#elif defined(__SANITIZE_ADDRESS__)
enum { RACES = false, ONCE = true };
#else
enum { RACES = false, ONCE = false };
#endif

static bool once(void)
{
    return ONCE && !getenv("REPRISE_ALL_RUNS");
}

/* For tests in which no threads of ours meet: nothing for ThreadSanitizer. */
static void need_all_but_threads(void)
{
    need_all();
    if (RACES && once())
        skip();
}

/* ---- helpers --------------------------------------------------------------------------------- */

static void set(rp_options *o, const char *name, const char *value)
{
    assert_int_equal(rp_options_set_words(o, name, 1, &value), 0);
}

/* Face swapper with source.png on target; one more option may be given. */
static rp_options *options_for(const char *target, const char *output, const char *name,
                               const char *value)
{
    rp_options *o;

    assert_int_equal(rp_options_create(&o), 0);
    set(o, "source-paths", in_dir("source.png"));
    if (target)
        set(o, "target-path", in_dir(target));
    if (output)
        set(o, "output-path", in_dir(output));
    if (name)
        set(o, name, value);
    return o;
}

/* Create and run a job; returns its status. */
static int run_job(rp_runtime *rt, const rp_options *o, rp_report *report)
{
    rp_job *job;
    int ret = rp_job_create(&job, rt, o);

    if (ret == 0)
        ret = rp_job_run(job, NULL, NULL);
    if (job && report)
        rp_job_report(job, report);
    rp_job_destroy(&job);
    assert_null(job);
    return ret;
}

/* The same by option names; the output is removed before. */
static int swap(rp_runtime *rt, const char *target, const char *output, const char *name,
                const char *value)
{
    rp_options *o = options_for(target, output, name, value);

    unlink(in_dir(output));
    const int ret = run_job(rt, o, NULL);
    rp_options_destroy(&o);
    return ret;
}

static rp_runtime *runtime_of(const char *models)
{
    rp_runtime *rt;

    assert_int_equal(rp_runtime_create(&rt, &(rp_runtime_params){.models_path = in_dir(models)}),
                     0);
    return rt;
}

static void assert_said(const char *a, const char *b)
{
    const char *const said = rp_last_error();

    if (strchr(said, '\n') || !strstr(said, a) || !strstr(said, b))
        fail_msg("the sentence is '%s', not with '%s' and '%s'", said, a, b);
}

/* Neither the output nor its hidden temporary file exists. */
static void assert_nothing_left(const char *output)
{
    assert_false(rp_path_is_file(in_dir(output)));
    assert_string_equal(output_of("find . -name '*.part*'"), "");
}

static rp_image read_image(const char *name)
{
    rp_image image;

    assert_int_equal(rp_image_read(&image, in_dir(name)), 0);
    return image;
}

/* A pipeline, and the options that it uses as long as it exists. */
struct pipe {
    rp_options *options;
    rp_pipeline *pipeline;
};

static struct pipe open_pipe(rp_runtime *rt, const char *name, const char *value)
{
    struct pipe p = {.options = options_for(NULL, NULL, name, value)};

    assert_int_equal(rp_pipeline_create(&p.pipeline, rt, p.options), 0);
    return p;
}

static void close_pipe(struct pipe *p)
{
    rp_pipeline_destroy(&p->pipeline);
    assert_null(p->pipeline);
    rp_options_destroy(&p->options);
}

/* Status of a pipeline that cannot be made. */
static int pipe_status(rp_runtime *rt, const char *name, const char *value)
{
    rp_pipeline *p;
    rp_options *o = options_for(NULL, NULL, name, value);
    const int ret = rp_pipeline_create(&p, rt, o);

    rp_pipeline_destroy(&p);
    rp_options_destroy(&o);
    return ret;
}

/* The box of a face, larger by its own size on every side: nothing outside may change. */
static bool near_face(const rp_face *face, int x, int y)
{
    const float *const b = face->box;
    const float w = b[2] - b[0], h = b[3] - b[1];

    return (float) x > b[0] - w && (float) x < b[2] + w && (float) y > b[1] - h &&
           (float) y < b[3] + h;
}

static bool in_face(const rp_face *face, int x, int y)
{
    const float *const b = face->box;

    return (float) x >= b[0] && (float) x <= b[2] && (float) y >= b[1] && (float) y <= b[3];
}

static size_t image_size(const rp_image *i)
{
    return (size_t) i->stride * (size_t) i->h;
}

/* ---- finding faces --------------------------------------------------------------------------- */

static void test_analyse(void **state)
{
    rp_face face[2];
    double length = 0;

    (void) state;
    need_all_but_threads();
    struct pipe p = open_pipe(runtime, NULL, NULL);
    rp_image image = read_image("face.png");
    uint8_t *const before = malloc(image_size(&image));
    memcpy(before, image.data, image_size(&image));

    assert_int_equal(rp_pipeline_analyse(p.pipeline, &image, face, 2), 1);
    assert_int_equal(face[0].has & 31, RP_HAS_LANDMARK_5 | RP_HAS_LANDMARK_68 | RP_HAS_EMBEDDING |
                                           RP_HAS_GENDER | RP_HAS_AGE);
    assert_true(face[0].score > 0.9f && face[0].score <= 1);
    assert_true(face[0].box[0] > 150 && face[0].box[2] < 300 && face[0].box[1] > 40 &&
                face[0].box[3] < 200);
    for (int i = 0; i < 5; i++)
        assert_true(in_face(&face[0], (int) face[0].landmark_5[i][0],
                            (int) face[0].landmark_5[i][1]));
    assert_true(face[0].landmark_5[0][0] < face[0].landmark_5[1][0]);
    assert_true(face[0].landmark_5[0][1] < face[0].landmark_5[3][1]);
    for (int i = 0; i < 512; i++)
        length += (double) face[0].embedding[i] * (double) face[0].embedding[i];
    assert_true(length > 0.999 && length < 1.001);
    assert_true(face[0].age_from < face[0].age_to);
    assert_memory_equal(image.data, before, image_size(&image));

    assert_int_equal(rp_pipeline_analyse(p.pipeline, &image, NULL, 0), 1); /* only the count */

    uint8_t part[offsetof(rp_face, score) + 1]; /* of a caller whose rp_face ends with the box */
    part[sizeof(part) - 1] = 0xa5;
    assert_int_equal(rp_pipeline_analyse_sized(p.pipeline, &image, sizeof(image), (void *) part,
                                               sizeof(part) - 1, 1), 1);
    assert_memory_equal(part, &face[0], sizeof(part) - 1);
    assert_int_equal(part[sizeof(part) - 1], 0xa5);

    rp_image_free(&image);
    image = read_image("grey.png");
    assert_int_equal(rp_pipeline_analyse(p.pipeline, &image, face, 2), 0);
    rp_image_free(&image);
    free(before);
    close_pipe(&p);
}

static int count_frames(void *priv, const rp_frame_faces *f)
{
    int *const counts = priv;

    assert_int_equal(f->frame, counts[0]);
    assert_true(f->w == W && f->h == H);
    assert_true(f->time > (double) f->frame / 25 - 1e-3 && f->time < (double) f->frame / 25 + 1e-3);
    assert_int_equal(f->count, f->frame < WITH_FACE ? 1 : 0);
    counts[0]++;
    return counts[0] == counts[1] ? 7 : 0;
}

/* Faces as large as a longer rp_face, which the library fills with zeros. */
static int see_larger_face(void *priv, const rp_frame_faces *f)
{
    const uint8_t *const more = (const uint8_t *) (f->faces + 1);

    ++*(int *) priv;
    assert_int_equal(f->count, 1);
    assert_true(f->faces->score > 0.9f);
    for (int i = 0; i < 64; i++)
        assert_int_equal(more[i], 0);
    return 1;
}

static void test_analyse_file(void **state)
{
    int counts[2] = {0, -1}, seen = 0;

    (void) state;
    need_all();
    rp_options *o = options_for(NULL, NULL, NULL, NULL);
    assert_int_equal(rp_analyse_file(runtime, o, in_dir("clip.mp4"), count_frames, counts), 0);
    assert_int_equal(counts[0], FRAMES);
    counts[0] = 0; /* the caller stops it */
    counts[1] = 3;
    assert_true(rp_analyse_file(runtime, o, in_dir("clip.mp4"), count_frames, counts) >= 0);
    assert_int_equal(counts[0], 3);
    assert_int_equal(rp_analyse_file_sized(runtime, o, in_dir("clip.mp4"), sizeof(rp_face) + 64,
                                           see_larger_face, &seen), 0);
    assert_int_equal(seen, 1);
    counts[0] = 3;
    counts[1] = -1;
    set(o, "trim-frame-start", "3");
    set(o, "trim-frame-end", "7");
    assert_int_equal(rp_analyse_file(runtime, o, in_dir("clip.mp4"), count_frames, counts), 0);
    assert_int_equal(counts[0], 7);
    assert_int_equal(rp_analyse_file(runtime, o, in_dir("none.mp4"), count_frames, counts),
                     RP_ERR_IO);
    rp_options_destroy(&o);
}

/* ---- pictures -------------------------------------------------------------------------------- */

static void test_process(void **state)
{
    rp_face face;
    double sum = 0;
    int n = 0;

    (void) state;
    need_all_but_threads();
    struct pipe p = open_pipe(runtime, NULL, NULL);
    rp_image image = read_image("face.png"), again = read_image("face.png"),
             before = read_image("face.png");

    assert_int_equal(rp_pipeline_analyse(p.pipeline, &before, &face, 1), 1);
    assert_int_equal(rp_pipeline_process(p.pipeline, &image), 0);
    for (int y = 0; y < image.h; y++)
        for (int x = 0; x < image.w * 3; x++) {
            const int d =
                abs(image.data[y * image.stride + x] - before.data[y * before.stride + x]);

            if (!near_face(&face, x / 3, y))
                assert_int_equal(d, 0);
            if (in_face(&face, x / 3, y)) {
                sum += d;
                n++;
            }
        }
    assert_true(sum / n >= 3);
    assert_int_equal(rp_pipeline_process(p.pipeline, &again), 0);
    assert_memory_equal(again.data, image.data, image_size(&image)); /* nothing is kept */
    rp_image_free(&image);
    rp_image_free(&again);
    rp_image_free(&before);

    image = read_image("grey.png");
    before = read_image("grey.png");
    assert_int_equal(rp_pipeline_process(p.pipeline, &image), 0);
    assert_memory_equal(image.data, before.data, image_size(&image));
    rp_image_free(&image);
    rp_image_free(&before);
    close_pipe(&p);
}

/* Rows with gaps, and alpha: the same colours come out, the rest is untouched. */
static void test_layouts(void **state)
{
    (void) state;
    need_all_but_threads();
    struct pipe p = open_pipe(runtime, NULL, NULL);
    rp_image plain = read_image("face.png");
    const int w = plain.w, h = plain.h;
    const ptrdiff_t stride = w * 4 + 52;
    uint8_t *const room = malloc((size_t) stride * (size_t) h);

    assert_int_equal(plain.format, RP_PIXEL_BGR);
    memset(room, 0xa5, (size_t) stride * (size_t) h);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            memcpy(room + y * stride + 4 * x, plain.data + y * plain.stride + 3 * x, 3);
    rp_image alpha = {.data = room, .stride = stride, .w = w, .h = h, .format = RP_PIXEL_BGRA};

    assert_int_equal(rp_pipeline_process(p.pipeline, &plain), 0);
    assert_int_equal(rp_pipeline_process(p.pipeline, &alpha), 0);
    for (int y = 0; y < h; y++) {
        const uint8_t *const row = room + y * stride;

        for (int x = 0; x < w; x++) {
            assert_memory_equal(row + 4 * x, plain.data + y * plain.stride + 3 * x, 3);
            assert_int_equal(row[4 * x + 3], 0xa5);
        }
        for (int x = 4 * w; x < stride; x++)
            assert_int_equal(row[x], 0xa5);
    }
    free(room);
    rp_image_free(&plain);
    close_pipe(&p);
}

/* On the CPU a picture on the device is like any other; checkdevice.c checks those on a GPU. */
static void test_on_device(void **state)
{
    rp_image there, back;
    rp_face a = {0}, b = {0};

    (void) state;
    need_all_but_threads();
    struct pipe p = open_pipe(runtime, NULL, NULL);
    rp_image image = read_image("face.png");

    assert_int_equal(rp_image_to_host(p.pipeline, &image, &back), RP_ERR_INVALID);
    assert_null(back.data);
    assert_int_equal(rp_image_to_device(p.pipeline, &image, &there), 0);
    assert_true(there.on_device && there.owned && there.data != image.data);
    assert_int_equal(rp_image_to_device(p.pipeline, &there, &back), RP_ERR_INVALID);
    assert_int_equal(rp_image_write(&there, in_dir("never.png"), 90), RP_ERR_INVALID);
    assert_int_equal(rp_pipeline_analyse(p.pipeline, &image, &a, 1), 1);
    assert_int_equal(rp_pipeline_analyse(p.pipeline, &there, &b, 1), 1);
    assert_memory_equal(&a, &b, sizeof(a));

    assert_int_equal(rp_pipeline_process(p.pipeline, &image), 0);
    assert_int_equal(rp_pipeline_process(p.pipeline, &there), 0);
    assert_true(there.on_device && there.owned);
    assert_int_equal(rp_image_to_host(p.pipeline, &there, &back), 0);
    assert_false(back.on_device);
    assert_int_equal(image_size(&back), image_size(&image));
    assert_memory_equal(back.data, image.data, image_size(&image));
    assert_non_null(back.mark);
    assert_ptr_equal(back.mark, there.mark);

    rp_image_free(&there); /* it cannot know how */
    assert_non_null(there.data);
    rp_image_free_on(p.pipeline, &there);
    assert_null(there.data);
    rp_image_free_on(p.pipeline, &back); /* one on the host as well */
    assert_null(back.data);
    rp_image_free(&image);
    close_pipe(&p);
}

static void assert_marked(const rp_image *image, const char *name, const char *processors)
{
    rp_mark mark;

    assert_int_equal(rp_image_write(image, in_dir(name), 90), 0);
    assert_int_equal(rp_inspect(in_dir(name), &mark), 0);
    assert_int_equal(mark.present, processors != NULL);
    assert_string_equal(mark.processors, processors ? processors : "");
    if (processors)
        assert_non_null(strstr(mark.models, "face_swapper=classic_256"));
}

/* A picture remembers what was done to it, and every file of it says so. */
static void test_image_mark(void **state)
{
    static const char *const names[] = {"m.png", "m.jpg", "m.webp", "m.tiff", "m.bmp"};

    (void) state;
    need_all_but_threads();
    struct pipe swap = open_pipe(runtime, NULL, NULL),
                draw = open_pipe(runtime, "processors", "face_debugger");
    rp_image image = read_image("face.png"), other = read_image("grey.png"), mine = image;

    assert_null(image.mark);
    for (size_t i = 0; i < RP_ARRAY_LEN(names); i++)
        assert_marked(&image, names[i], NULL);
    mine.owned = false; /* pixels of the application */
    assert_int_equal(rp_pipeline_process(swap.pipeline, &mine), 0);
    assert_non_null(strstr(mine.mark, "compositeWithTrainedAlgorithmicMedia"));
    for (size_t i = 0; i < RP_ARRAY_LEN(names); i++)
        assert_marked(&mine, names[i], "face_swapper");

    assert_int_equal(rp_pipeline_process(swap.pipeline, &other), 0);
    assert_ptr_equal(other.mark, mine.mark); /* the same text, kept once */
    assert_int_equal(rp_pipeline_process(draw.pipeline, &other), 0);
    assert_marked(&other, "m.png", "face_swapper face_debugger");
    assert_int_equal(rp_pipeline_process(swap.pipeline, &other), 0);
    assert_marked(&other, "m.png", "face_swapper face_debugger");

    rp_image_free(&other);
    assert_null(other.mark);
    rp_image_free(&image);
    close_pipe(&draw);
    close_pipe(&swap);
}

static void test_bad_images(void **state)
{
    uint8_t pixels[12] = {0};
    const rp_image ok = {.data = pixels, .stride = 6, .w = 2, .h = 2};
    rp_image bad;
    rp_face face;

    (void) state;
    need_all_but_threads();
    struct pipe p = open_pipe(runtime, NULL, NULL);
    bad = ok;
    assert_int_equal(rp_pipeline_process(p.pipeline, &bad), 0);
    bad.data = NULL;
    assert_int_equal(rp_pipeline_process(p.pipeline, &bad), RP_ERR_INVALID);
    bad = ok;
    bad.w = 0;
    assert_int_equal(rp_pipeline_process(p.pipeline, &bad), RP_ERR_INVALID);
    bad = ok;
    bad.h = 32769;
    assert_int_equal(rp_pipeline_process(p.pipeline, &bad), RP_ERR_INVALID);
    bad = ok;
    bad.stride = 5;
    assert_int_equal(rp_pipeline_process(p.pipeline, &bad), RP_ERR_INVALID);
    bad = ok;
    bad.format = RP_PIXEL_BGRA;
    assert_int_equal(rp_pipeline_analyse(p.pipeline, &bad, &face, 1), RP_ERR_INVALID);
    bad = ok;
    bad.on_device = true;
    bad.stride = 5;
    assert_int_equal(rp_pipeline_process(p.pipeline, &bad), RP_ERR_INVALID);
    assert_true(bad.on_device);
    assert_int_equal(rp_pipeline_process(p.pipeline, NULL), RP_ERR_INVALID);
    close_pipe(&p);
}

static void test_picture_job(void **state)
{
    rp_report report = {0};
    rp_mark mark;

    (void) state;
    need_all_but_threads();
    rp_options *o = options_for("face.png", "swapped.png", NULL, NULL);
    assert_int_equal(run_job(runtime, o, &report), 0);
    assert_int_equal(report.progress.frames_done, 1);
    assert_int_equal(report.progress.faces_found, 1);
    assert_int_equal(report.progress.faces_changed, 1);
    assert_int_equal(report.content_checked, 1);
    assert_int_equal(report.content_positive, 0);
    assert_int_equal(rp_inspect(in_dir("swapped.png"), &mark), 0);
    assert_true(mark.present);
    assert_string_equal(mark.processors, "face_swapper");
    assert_non_null(strstr(mark.models, "classic_256"));
    assert_non_null(strstr(mark.source_type, "compositeWithTrainedAlgorithmicMedia"));

    rp_image image = read_image("swapped.png"), same = read_image("face.png");
    struct pipe p = open_pipe(runtime, NULL, NULL);
    assert_int_equal(rp_pipeline_process(p.pipeline, &same), 0);
    assert_memory_equal(image.data, same.data, image_size(&image)); /* as without a file */
    close_pipe(&p);
    rp_image_free(&same);
    rp_image_free(&image);

    set(o, "output-image-scale", "0.5");
    assert_int_equal(run_job(runtime, o, NULL), 0);
    image = read_image("swapped.png");
    assert_int_equal(image.w, 256);
    rp_image_free(&image);
    rp_options_destroy(&o);
    unlink(in_dir("swapped.png"));
    assert_nothing_left("swapped.png");
}

/* ---- sources and paths ----------------------------------------------------------------------- */

static void test_sources(void **state)
{
    rp_options *o;
    rp_pipeline *p;

    (void) state;
    need_all_but_threads();
    assert_int_equal(pipe_status(runtime, "source-paths", in_dir("grey.png")), RP_ERR_FORMAT);
    assert_said("grey.png", "no source face");
    assert_int_equal(pipe_status(runtime, "source-paths", in_dir("clip.mp4")), RP_ERR_FORMAT);
    assert_said("clip.mp4", "not a picture");
    assert_int_equal(pipe_status(runtime, "source-paths", in_dir("none.png")), RP_ERR_IO);
    assert_said("none.png", "");

    assert_int_equal(rp_options_create(&o), 0); /* no source at all */
    assert_int_equal(rp_pipeline_create(&p, runtime, o), RP_ERR_USAGE);
    assert_null(p);
    assert_said("--source-paths", "face_swapper");
    set(o, "processors", "face_debugger"); /* which needs none */
    assert_int_equal(rp_pipeline_create(&p, runtime, o), 0);
    rp_pipeline_destroy(&p);
    rp_options_destroy(&o);
}

static void test_paths(void **state)
{
    (void) state;
    need_all_but_threads();
    assert_int_equal(swap(runtime, "face.png", "swapped.mp4", NULL, NULL), RP_ERR_USAGE);
    assert_said("swapped.mp4", "picture");
    assert_int_equal(swap(runtime, "clip.mp4", "swapped.png", NULL, NULL), RP_ERR_USAGE);
    assert_int_equal(swap(runtime, "clip.mp4", "swapped", NULL, NULL), RP_ERR_USAGE);
    assert_int_equal(swap(runtime, "clip.mp4", "no/folder/swapped.mp4", NULL, NULL), RP_ERR_IO);
    assert_int_equal(swap(runtime, "face.png", "lite", NULL, NULL), RP_ERR_USAGE);
    assert_int_equal(swap(runtime, "clip.mp4", "swapped.mp4", "execution-providers", "cuda"),
                     RP_ERR_UNSUPPORTED);
    assert_int_equal(swap(runtime, "clip.mp4", "swapped.mp4", "execution-providers", "tensorrt"),
                     RP_ERR_UNSUPPORTED);
    assert_said("tensorrt", "libnvinfer.so.10");
    assert_nothing_left("swapped.mp4");

    rp_options *o = options_for("face.png", "./face.png", NULL, NULL);
    assert_int_equal(run_job(runtime, o, NULL), RP_ERR_USAGE);
    assert_said("face.png", "target itself");
    rp_options_destroy(&o);
    o = options_for("clip.mp4", "swapped.mp4", NULL, NULL);
    assert_true(rp_options_set_words(o, "execution-device-ids", 2, (const char *[]){"1", "1"}) >= 0);
    assert_int_equal(run_job(runtime, o, NULL), RP_ERR_USAGE);
    assert_said("--execution-device-ids", "twice");
    rp_options_destroy(&o);
    o = options_for(NULL, NULL, NULL, NULL);
    assert_int_equal(run_job(runtime, o, NULL), RP_ERR_USAGE);
    assert_said("--target-path", "missing");
    rp_options_destroy(&o);
}

/* A picture that gives the reference is analysed once, the source once. */
static void test_analysed_once(void **state)
{
    static const char *const modes[] = {"reference", "many"};
    char *sums[2];

    (void) state;
    need_all_but_threads();
    for (size_t i = 0; i < RP_ARRAY_LEN(modes); i++) {
        detector_runs = 0;
        assert_int_equal(swap(runtime, "face.png", "swapped.png", "face-selector-mode", modes[i]),
                         0);
        assert_int_equal(detector_runs, 2);
        sums[i] = strdup(output_of("md5sum < swapped.png"));
    }
    assert_string_equal(sums[0], sums[1]); /* there is one face */
    free(sums[0]);
    free(sums[1]);
    unlink(in_dir("swapped.png"));
}

/* ---- models ---------------------------------------------------------------------------------- */

static void test_missing_models(void **state)
{
    (void) state;
    need_all_but_threads();
    assert_int_equal(pipe_status(runtime, "face-detector-model", "yunet"), RP_ERR_MISSING);
    assert_int_equal(rp_exit_code(RP_ERR_MISSING), 2);
    assert_said("face detector yunet is not installed", "yunet_2023_mar.onnx");

    /* A default that is missing becomes the lite one, and the log says so (once). */
    assert_non_null(strstr(log_text, "face detector yolo_face is not installed; using ultraface"));
    assert_non_null(strstr(log_text, "face swapper hyperswap_1a_256 is not installed; "
                                     "using classic_256"));

    rp_runtime *rt = runtime_of("empty");
    assert_int_equal(pipe_status(rt, NULL, NULL), RP_ERR_MISSING); /* the content check first */
    assert_said("nsfwjs", "reprise force-download");
    assert_int_equal(swap(rt, "face.png", "swapped.png", NULL, NULL), RP_ERR_MISSING);
    assert_nothing_left("swapped.png");
    rp_runtime_destroy(&rt);
}

static void test_wrong_models(void **state)
{
    static const char *const wrong[][2] = {
        {"nsfwjs", "../bright/four"},     {"nsfwjs", "../bright/double"},
        {"nsfwjs", "../bright/half"},     {"fr_detect", "fr_landmark"},
        {"fr_landmark", "fr_detect"},     {"fr_feature", "fr_age"},
        {"classic_256", "fr_feature"},    {"classic_256", "../bright/random"},
        {"fr_detect", "../bright/words"}, {"fr_detect", "../bright/open"},
    };

    (void) state;
    need_all_but_threads();
    for (size_t i = 0; i < RP_ARRAY_LEN(wrong); i++) {
        assert_int_equal(
            shell("rm -rf more; cp -r --no-dereference lite more && rm more/%s.onnx && "
                  "cp lite/%s.onnx more/%s.onnx",
                  wrong[i][0], wrong[i][1], wrong[i][0]),
            0);
        rp_runtime *rt = runtime_of("more");
        const int ret = swap(rt, "face.png", "swapped.png", NULL, NULL);
        const bool other = !strcmp(wrong[i][0], "nsfwjs") && !rp_standins_allowed();
        if (ret != (other ? RP_ERR_MISSING : RP_ERR_MODEL))
            fail_msg("%s as %s gives %d", wrong[i][1], wrong[i][0], ret);
        assert_said(wrong[i][0], "");
        rp_runtime_destroy(&rt);
        assert_nothing_left("swapped.png");
    }
}

static void test_no_onnxruntime(void **state)
{
    rp_runtime *rt;

    (void) state;
    need_all_but_threads();
    assert_int_equal(rp_runtime_create(&rt, &(rp_runtime_params){
        .models_path = in_dir("lite"), .onnxruntime = "/nowhere/libonnxruntime.so"}), 0);
    assert_int_equal(pipe_status(rt, NULL, NULL), RP_ERR_UNSUPPORTED);
    assert_said("/nowhere/libonnxruntime.so", "");
    assert_int_equal(rp_exit_code(RP_ERR_UNSUPPORTED), 1);
    rp_runtime_destroy(&rt);
}

/* ---- content check --------------------------------------------------------------------------- */

static void test_blocked_picture(void **state)
{
    (void) state;
    need_all_but_threads();
    need_standins();
    assert_int_equal(shell("ffmpeg -y -v error -i face.png -vf eq=brightness=0.4 bright.png && "
                           "ffmpeg -y -v error -i face.png -vf eq=brightness=-0.2 dark.png"), 0);
    rp_runtime *rt = runtime_of("bright");
    struct pipe p = open_pipe(rt, NULL, NULL);
    rp_image image = read_image("bright.png"), before = read_image("bright.png");

    assert_int_equal(rp_pipeline_process(p.pipeline, &image), RP_ERR_BLOCKED);
    assert_memory_equal(image.data, before.data, image_size(&image));
    rp_image_free(&image);
    rp_image_free(&before);
    image = read_image("dark.png");
    assert_int_equal(rp_pipeline_process(p.pipeline, &image), 0); /* each is judged alone */
    rp_image_free(&image);
    image = read_image("bright.png");
    assert_int_equal(rp_pipeline_process(p.pipeline, &image), RP_ERR_BLOCKED);
    rp_image_free(&image);
    close_pipe(&p);

    assert_int_equal(swap(rt, "bright.png", "swapped.png", NULL, NULL), RP_ERR_BLOCKED);
    assert_said("content check", "");
    assert_int_equal(rp_exit_code(RP_ERR_BLOCKED), 3);
    assert_nothing_left("swapped.png");
    assert_int_equal(swap(rt, "dark.png", "swapped.png", NULL, NULL), 0);
    unlink(in_dir("swapped.png"));
    rp_runtime_destroy(&rt);
}

/* A clip of 1 frame a second: every frame is checked. `bright` of its frames are bright. */
static int run_bright(rp_runtime *rt, int frames, int bright, int first, rp_report *report)
{
    assert_int_equal(
        shell("ffmpeg -y -v error -f lavfi -i color=black:s=64x48:r=1 -frames:v %d -vf "
              "\"drawbox=color=white:t=fill:enable='between(n,%d,%d)'\" -c:v libx264 "
              "rate.mp4",
              frames, first, first + bright - 1),
        0);
    rp_options *o = options_for("rate.mp4", "rated.mp4", NULL, NULL);
    unlink(in_dir("rated.mp4"));
    const int ret = run_job(rt, o, report);
    rp_options_destroy(&o);
    return ret;
}

/* Refused if more than one in ten of the checked frames is positive. */
static void test_blocked_video(void **state)
{
    rp_report r = {0};

    (void) state;
    need_all();
    need_standins();
    rp_runtime *rt = runtime_of("bright");
    assert_int_equal(run_bright(rt, 10, 1, 4, &r), 0);
    assert_int_equal(r.content_checked, 10);
    assert_int_equal(r.content_positive, 1);
    assert_true(rp_path_is_file(in_dir("rated.mp4")));
    assert_int_equal(run_bright(rt, 10, 2, 8, &r), RP_ERR_BLOCKED);
    assert_nothing_left("rated.mp4");
    assert_int_equal(run_bright(rt, 10, 10, 0, &r), RP_ERR_BLOCKED);
    assert_nothing_left("rated.mp4");
    assert_int_equal(run_bright(rt, 3, 1, 0, &r), RP_ERR_BLOCKED); /* the first frame counts */
    assert_int_equal(run_bright(rt, 1, 1, 0, &r), RP_ERR_BLOCKED);
    assert_said("rate.mp4", "content check");

    /* of 60 frames each third, and the last */
    assert_int_equal(shell("ffmpeg -y -v error -f lavfi -i color=black:s=64x48:r=25 -frames:v 60 "
                           "-c:v libx264 rate.mp4"), 0);
    rp_options *o = options_for("rate.mp4", "rated.mp4", NULL, NULL);
    assert_int_equal(run_job(rt, o, &r), 0);
    assert_int_equal(r.content_checked, 21);
    rp_options_destroy(&o);
    unlink(in_dir("rated.mp4"));
    rp_runtime_destroy(&rt);
}

/* ---- video ----------------------------------------------------------------------------------- */

static const char *frame_hashes(const char *name)
{
    return output_of("ffmpeg -v error -i %s -map 0:v -f framemd5 - | grep -v '^#'", name);
}

/* The frames of NAME are those of the first output, whose hashes are kept in `first`, empty before. */
static void assert_same_frames(const char *name, char first[8192])
{
    const char *const now = frame_hashes(name);

    assert_true(strlen(now) > 20 * FRAMES);
    if (first[0])
        assert_string_equal(now, first);
    else
        snprintf(first, 8192, "%s", now);
}

struct told {
    int calls;
    rp_progress last;
};

static void tell(void *priv, const rp_progress *progress)
{
    struct told *const t = priv;

    assert_true(progress->frames_done >= t->last.frames_done);
    t->last = *progress;
    t->calls++;
}

static void test_video_job(void **state)
{
    rp_job *job;
    rp_report r = {0}, part;
    rp_mark mark;
    struct told told = {0};
    double model = 0, own = 0;

    (void) state;
    need_all();
    rp_options *o = options_for("clip.mp4", "out.mp4", NULL, NULL);
    assert_int_equal(rp_job_create(&job, runtime, o), 0);
    assert_false(rp_path_is_file(in_dir("out.mp4")));
    assert_int_equal(rp_job_run(job, tell, &told), 0);
    memset(&part, 0xa5, sizeof(part));
    rp_job_report_sized(job, &part, offsetof(rp_report, slots));
    rp_job_report(job, &r);
    assert_memory_equal(&part, &r, offsetof(rp_report, slots));
    assert_int_equal(part.slots, (int) 0xa5a5a5a5);
    rp_job_destroy(&job);
    rp_options_destroy(&o);

    assert_true(told.calls >= 1);
    assert_int_equal(told.last.frames_done, FRAMES);
    assert_int_equal(told.last.frames_total, FRAMES);
    assert_int_equal(r.progress.frames_done, FRAMES);
    assert_int_equal(r.progress.faces_changed, WITH_FACE);
    assert_true(r.progress.seconds > 0 && r.progress.fps > 0);
    for (int i = 0; i < RP_STAGE_COUNT; i++) {
        model += r.model_seconds[i];
        own += r.own_seconds[i];
        assert_true(r.own_seconds[i] >= 0 && r.model_seconds[i] >= 0);
        assert_true(strlen(rp_stage_name((enum rp_stage) i)) > 0);
    }
    assert_true(model > 0 && own > 0);
    assert_true(model + own < (r.slots + 3) * r.progress.seconds);
    assert_true(r.content_checked >= 1);
    assert_int_equal(rp_inspect(in_dir("out.mp4"), &mark), 0);
    assert_true(mark.present);
    assert_string_equal(mark.processors, "face_swapper");
    assert_string_equal(output_of("ffprobe -v error -show_entries stream=codec_type -of csv=p=0 "
                                  "out.mp4"), "video\naudio");
}

/* The number of frames in flight does not change the result. */
static void test_slots(void **state)
{
    static const char *const counts[] = {"1", "2", "3"};
    char first[8192] = "";

    (void) state;
    need_all();
    for (int i = once() ? 2 : 0; i < (once() ? 3 : 6); i++) {
        rp_options *o = options_for("clip.mp4", "slots.mkv", "execution-thread-count",
                                    counts[i % 3]);
        set(o, "output-video-quality", "100");
        unlink(in_dir("slots.mkv"));
        assert_int_equal(run_job(runtime, o, NULL), 0);
        rp_options_destroy(&o);
        assert_same_frames("slots.mkv", first);
    }
}

/* Frames in lockstep: the same pixels, faces and counts of the content check, whether or not their
 * number is a multiple of the launch, and although frames have different faces or none. */
static void test_lockstep(void **state)
{
    static const char *const frames[] = {"1", "2", "4", "8"};
    char first[8192] = "";

    (void) state;
    need_all();
    for (size_t i = once() ? 2 : 0; i < RP_ARRAY_LEN(frames); i += once() ? 2 : 1) {
        rp_report r = {0};
        rp_options *o = options_for("clip.mp4", "step.mkv", "cuda-graph-frames", frames[i]);

        set(o, "output-video-quality", "100");
        unlink(in_dir("step.mkv"));
        assert_int_equal(run_job(runtime, o, &r), 0);
        rp_options_destroy(&o);
        assert_int_equal(r.progress.faces_changed, WITH_FACE);
        assert_int_equal(r.content_checked, FRAMES);
        assert_same_frames("step.mkv", first);
    }
}

/* Compares two decoded videos: what is not near the face has the decoder's bits. */
static int64_t compare_frames(const struct rp_media_frame *a, const struct rp_media_frame *b,
                              const rp_face *face)
{
    int64_t changed = 0;

    assert_int_equal(a->fmt, RP_FMT_YUV420P);
    assert_int_equal(b->fmt, a->fmt);
    for (int i = 0; i < 3; i++) {
        const int w = i ? W / 2 : W, h = i ? H / 2 : H, k = W / w;

        for (int y = 0; y < h; y++) {
            const uint8_t *const pa = a->plane[i] + (ptrdiff_t) y * a->stride[i];
            const uint8_t *const pb = b->plane[i] + (ptrdiff_t) y * b->stride[i];

            for (int x = 0; x < w; x++) {
                if (pa[x] != pb[x] && (!face || !near_face(face, x * k, y * k)))
                    fail_msg("frame %d, plane %d: (%d, %d) changed from %d to %d", (int) a->index,
                             i, x, y, pa[x], pb[x]);
                changed += pa[x] != pb[x];
            }
        }
    }
    return changed;
}

struct found {
    int count[FRAMES];
    rp_face face[FRAMES];
};

static int keep_faces(void *priv, const rp_frame_faces *f)
{
    struct found *const found = priv;

    found->count[f->frame] = f->count;
    if (f->count)
        found->face[f->frame] = f->faces[0];
    return 0;
}

static void test_untouched(void **state)
{
    struct rp_reader *a, *b;
    struct found *const found = calloc(1, sizeof(*found));

    (void) state;
    need_all_but_threads();
    rp_options *o = options_for("clip.mp4", "exact.mkv", "output-video-quality", "100");
    assert_int_equal(run_job(runtime, o, NULL), 0);
    assert_int_equal(rp_analyse_file(runtime, o, in_dir("clip.mp4"), keep_faces, found), 0);
    rp_options_destroy(&o);
    assert_int_equal(rp_reader_open(&a, in_dir("clip.mp4"), NULL), 0);
    assert_int_equal(rp_reader_open(&b, in_dir("exact.mkv"), NULL), 0);
    for (int i = 0; i < FRAMES; i++) {
        struct rp_media_frame *fa, *fb;

        assert_int_equal(rp_reader_next(a, &fa), 0);
        assert_int_equal(rp_reader_next(b, &fb), 0);
        assert_true(fa && fb);
        const int64_t changed = compare_frames(fa, fb, found->count[i] ? &found->face[i] : NULL);
        assert_true(found->count[i] ? changed > 500 : changed == 0);
        rp_media_frame_free(&fa);
        rp_media_frame_free(&fb);
    }
    rp_reader_close(&a);
    rp_reader_close(&b);
    free(found);
}

static void test_trim(void **state)
{
    rp_report r = {0};

    (void) state;
    need_all_but_threads();
    rp_options *o = options_for("clip.mp4", "trim.mp4", "trim-frame-start", "3");
    set(o, "trim-frame-end", "8");
    assert_int_equal(run_job(runtime, o, &r), 0);
    assert_int_equal(r.progress.frames_done, 5);
    assert_int_equal(r.progress.faces_changed, WITH_FACE - 3);
    set(o, "trim-frame-end", "3");
    unlink(in_dir("trim.mp4"));
    assert_int_equal(run_job(runtime, o, &r), RP_ERR_USAGE);
    assert_said("--trim-frame-end", "");
    rp_options_destroy(&o);
    assert_int_equal(swap(runtime, "clip.mp4", "trim.mp4", "trim-frame-start", "5000"),
                     RP_ERR_USAGE);
    assert_said("--trim-frame-start", "5000");
    assert_nothing_left("trim.mp4");
}

/* ---- stopping -------------------------------------------------------------------------------- */

static void make_long_clip(void)
{
    if (!rp_path_is_file(in_dir("long.mp4")))
        assert_int_equal(shell("ffmpeg -v error -stream_loop 60 -i clip.mp4 -c copy long.mp4"), 0);
}

static void *cancel_later(void *job)
{
    usleep(150000);
    rp_job_cancel(job);
    return NULL;
}

static void cancel_now(void *priv, const rp_progress *progress)
{
    if (progress->frames_done > 0)
        rp_job_cancel(*(rp_job **) priv);
}

/* Cancel: 0 before the run, 1 from another thread, 2 from the progress function. */
static void cancel(int how)
{
    pthread_t thread;
    rp_job *job;
    rp_report r = {0};
    rp_options *o = options_for("long.mp4", "cancelled.mp4", NULL, NULL);

    assert_int_equal(rp_job_create(&job, runtime, o), 0);
    if (how == 0)
        rp_job_cancel(job);
    if (how == 1)
        assert_int_equal(pthread_create(&thread, NULL, cancel_later, job), 0);
    const double start = rp_now();
    assert_int_equal(rp_job_run(job, how == 2 ? cancel_now : NULL, &job), RP_ERR_CANCELLED);
    assert_true(rp_now() - start < 10);
    if (how == 1)
        pthread_join(thread, NULL);
    rp_job_report(job, &r);
    assert_true(r.progress.frames_done < 60 * FRAMES);
    rp_job_destroy(&job);
    rp_options_destroy(&o);
    assert_nothing_left("cancelled.mp4");
}

static void test_cancel(void **state)
{
    (void) state;
    need_all();
    make_long_clip();
    for (int how = 0; how < 3; how++)
        cancel(how);
    assert_int_equal(rp_exit_code(RP_ERR_CANCELLED), 4);

    rp_job *job; /* a picture as well */
    rp_options *o = options_for("face.png", "cancelled.png", NULL, NULL);
    assert_int_equal(rp_job_create(&job, runtime, o), 0);
    rp_job_cancel(job);
    assert_int_equal(rp_job_run(job, NULL, NULL), RP_ERR_CANCELLED);
    rp_job_destroy(&job);
    rp_options_destroy(&o);
    assert_nothing_left("cancelled.png");
}

/* ---- tracker --------------------------------------------------------------------------------- */

/* 10 frames with a face, but 2, 3 and 6 are grey. */
enum { FOUND = FRAMES - 3 };

static void make_gap_clip(void)
{
    if (!rp_path_is_file(in_dir("gap.mp4")))
        assert_int_equal(shell("ffmpeg -v error -loop 1 -r 25 -i face.png -frames:v %d -vf "
                               "\"crop=%d:%d:60+4*n:10,drawbox=color=gray:t=fill:enable='"
                               "between(n,2,3)+eq(n,6)',format=yuv420p\" -c:v libx264 -g 5 -crf 12 "
                               "gap.mp4", FRAMES, W, H), 0);
}

/* A CPU that seems to have memory of its own: its crew works like that of a GPU, with one thread
 * for all slots. */
static struct rp_device *apart(struct rp_job *job)
{
    static struct rp_device device;
    static struct rp_device_fns fns;

    device = *job->pipeline->device;
    fns = *device.fns;
    fns.host_memory = false;
    fns.one_thread = true;
    device.fns = &fns;
    return &device;
}

/* The job's frames only; its networks stay where they are. */
static void move_to(struct rp_job *job, struct rp_device *device)
{
    rp_programs_clear(&job->pipeline->programs);
    job->pipeline->spoiled = true; /* not for another job */
    job->pipeline->plan.device = device;
    job->pipeline->plan.graph = NULL;
}

struct tracked {
    const char *score, *amount;
    int slots;      /* also more than there are cores */
    bool one_thread;
    rp_progress_fn *progress;
};

static int run_tracked(const char *target, const struct tracked *how, rp_report *report)
{
    rp_job *job;
    rp_options *o = options_for(target, "tracked.mkv", "output-video-quality", "100");

    set(o, "face-selector-mode", "many");
    set(o, "face-tracker-score", how->score);
    set(o, "target-frame-amount", how->amount);
    unlink(in_dir("tracked.mkv"));
    assert_int_equal(rp_job_create(&job, runtime, o), 0);
    job->slots = how->slots;
    if (how->one_thread)
        move_to(job, apart(job));
    const int ret = rp_job_run(job, how->progress, &job);
    rp_job_report(job, report);
    rp_job_destroy(&job);
    rp_options_destroy(&o);
    return ret;
}

/* Gaps are filled as far as the frames around them reach. */
static void test_tracker(void **state)
{
    static const struct {
        const char *score, *amount;
        int faces;
    } tries[] = {{"0.3", "2", FRAMES}, {"0.0", "2", FOUND}, {"0.3", "1", FOUND + 1},
                 {"0.3", "0", FOUND},  {"0.3", "10", FRAMES}};
    rp_report r = {0};

    (void) state;
    need_all();
    make_gap_clip();
    for (size_t i = 0; i < (once() ? 1 : RP_ARRAY_LEN(tries)); i++) {
        const struct tracked how = {tries[i].score, tries[i].amount, 2, false, NULL};

        assert_int_equal(run_tracked("gap.mp4", &how, &r), 0);
        assert_int_equal(r.progress.frames_done, FRAMES);
        assert_int_equal(r.progress.faces_found, FOUND); /* the filled ones were not found */
        assert_int_equal(r.progress.faces_changed, tries[i].faces);
        assert_int_equal(r.content_checked, FRAMES);
    }
}

/* The number of workers, and whether each has a thread, does not change the result. */
static void test_tracker_order(void **state)
{
    char first[8192] = "";
    rp_report r = {0};

    (void) state;
    need_all();
    make_gap_clip();
    for (int i = once() ? 4 : 0; i < 8; i += once() ? 3 : 1) {
        const struct tracked how = {"0.3", "3", (int[]){1, 2, 3, 5}[i / 2], i % 2, NULL};

        assert_int_equal(run_tracked("gap.mp4", &how, &r), 0);
        assert_int_equal(r.progress.faces_changed, FRAMES);
        assert_same_frames("tracked.mkv", first);
    }
}

/* Stopping wakes a worker that waits for the frames around its own. */
static void test_tracker_cancel(void **state)
{
    rp_report r = {0};

    (void) state;
    need_all();
    make_long_clip();
    for (int i = 0; i < 2; i++) {
        const struct tracked how = {"0.3", "10", 3, i, cancel_now};

        assert_int_equal(run_tracked("long.mp4", &how, &r), RP_ERR_CANCELLED);
        assert_true(r.progress.frames_done < 60 * FRAMES);
        assert_nothing_left("tracked.mkv");
    }
}

/* ---- pixels on their way --------------------------------------------------------------------- */

/* What a device with memory of its own is asked to copy: from or to memory that it gave, or not. */
static struct {
    const struct rp_device_fns *real;
    pthread_mutex_t lock;
    uint8_t *block[512];
    size_t size[512];
    int n;
    atomic_int from_frames, blocks, unpinned; /* rows of planes, whole blocks, other memory */
} copies = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void clear_copies(void)
{
    copies.n = 0;
    atomic_store(&copies.from_frames, 0);
    atomic_store(&copies.blocks, 0);
    atomic_store(&copies.unpinned, 0);
}

static int note_alloc(struct rp_device *dev, size_t size, void **out)
{
    const int ret = copies.real->alloc_host(dev, size, out);

    pthread_mutex_lock(&copies.lock);
    assert_true(copies.n < 512);
    copies.block[copies.n] = *out;
    copies.size[copies.n++] = size;
    pthread_mutex_unlock(&copies.lock);
    return ret;
}

static void note_free(struct rp_device *dev, void *p)
{
    pthread_mutex_lock(&copies.lock);
    for (int i = 0; i < copies.n; i++)
        if (copies.block[i] == p)
            copies.block[i] = NULL;
    pthread_mutex_unlock(&copies.lock);
    copies.real->free_host(dev, p);
}

static bool note_pinned(struct rp_device *dev, const void *p)
{
    bool found = false;
    const uint8_t *const at = p;

    (void) dev;
    pthread_mutex_lock(&copies.lock);
    for (int i = 0; i < copies.n; i++)
        found |= copies.block[i] && at >= copies.block[i] && at < copies.block[i] + copies.size[i];
    pthread_mutex_unlock(&copies.lock);
    return found;
}

static bool never_pinned(struct rp_device *dev, const void *p)
{
    (void) dev;
    (void) p;
    return false;
}

static int note_transfer(struct rp_device *dev, struct rp_stream *s, const struct rp_transfer *t,
                         bool replayed)
{
    atomic_fetch_add(t->n > 1 ? &copies.from_frames : &copies.blocks, 1);
    if (!note_pinned(dev, t->src) && !note_pinned(dev, t->dst))
        atomic_fetch_add(&copies.unpinned, 1);
    return copies.real->transfer(dev, s, t, replayed);
}

static struct rp_device *watched(struct rp_job *job, bool pinned)
{
    static struct rp_device device;
    static struct rp_device_fns fns;

    copies.real = job->pipeline->device->fns;
    device = *job->pipeline->device;
    fns = *device.fns;
    fns.host_memory = false;
    fns.alloc_host = note_alloc;
    fns.free_host = note_free;
    fns.is_pinned = pinned ? note_pinned : never_pinned;
    fns.transfer = note_transfer;
    device.fns = &fns;
    return &device;
}

/* Frames are decoded into memory that the device copies from by itself, and what they become comes
 * back into such memory: the host copies nothing. Where that cannot be, the same pixels go through
 * blocks on the host. With and without the tracker, which looks at each frame before. */
static void test_pixels_on_their_way(void **state)
{
    char first[8192] = "";

    (void) state;
    need_all();
    for (int i = once() ? 1 : 0; i < 6; i += once() ? 4 : 1) {
        rp_job *job;
        const bool pinned = i % 3 == 1;
        rp_options *o = options_for("clip.mp4", "way.mkv", "output-video-quality", "100");

        set(o, "face-tracker-score", i < 3 ? "0.0" : "0.3");
        unlink(in_dir("way.mkv"));
        assert_int_equal(rp_job_create(&job, runtime, o), 0);
        job->slots = 3;
        clear_copies();
        if (i % 3)
            move_to(job, watched(job, pinned));
        assert_int_equal(rp_job_run(job, NULL, NULL), 0);
        if (i % 3) { /* three planes in for each pass, three out */
            assert_int_equal(copies.unpinned, 0);
            assert_int_equal(copies.from_frames, pinned ? FRAMES * (i < 3 ? 6 : 9) : 0);
            assert_int_equal(copies.blocks, pinned ? 0 : FRAMES * (i < 3 ? 2 : 3));
        }
        rp_job_destroy(&job);
        rp_options_destroy(&o);
        if (i == 3 || once()) /* the other kind */
            first[0] = '\0';
        assert_same_frames("way.mkv", first);
    }
}

/* ---- a decoder on the device ----------------------------------------------------------------- */

static int beside(struct rp_device *dev, struct rp_stream **out, void **context, void **queue)
{
    *out = NULL;
    *context = *queue = dev;
    return 0;
}

/* Frames that the GPU decodes stay there: the result alone comes to the host. The same pixels, also
 * when that decoder fails on the way. */
static void test_decoder_on_device(void **state)
{
    static struct rp_device_fns fns;
    char first[8192] = "";

    (void) state;
    need_all();
    for (int i = once() ? 2 : 0; i < 5; i += once() ? 2 : 1) {
        rp_job *job;
        rp_options *o = options_for("clip.mp4", "gpu.mkv", "output-video-quality", "100");

        set(o, "video-decoder", i == 0 ? "cpu" : "gpu");
        set(o, "face-tracker-score", i == 3 ? "0.3" : "0.0");
        unlink(in_dir("gpu.mkv"));
        assert_int_equal(rp_job_create(&job, runtime, o), 0);
        job->slots = 3;
        if (i > 1) {
            struct rp_device *const device = watched(job, true);

            fns = *device->fns;
            fns.beside = beside;
            fns.alloc_beside = copies.real->alloc_host;
            fns.free = copies.real->free_host;
            device->fns = &fns;
            move_to(job, device);
        }
        clear_copies();
        nvdec.taken = nvdec.begun = 0;
        nvdec.last = i == 4 ? 7 : 0;
        assert_int_equal(rp_job_run(job, NULL, NULL), 0);
        assert_int_equal(nvdec.begun, i > 1); /* a processor has none */
        assert_int_equal(nvdec.taken, i == 4 ? 7 : i > 1 ? FRAMES : 0);
        assert_int_equal(copies.blocks, 0);
        rp_job_destroy(&job);
        rp_options_destroy(&o);
        if (i != 3) /* the tracker finds one face more */
            assert_same_frames("gpu.mkv", first);
    }
}

/* ---- a device that fails ---------------------------------------------------------------------- */

/* The calls of a device are counted; one of them fails. */
static struct {
    const struct rp_device_fns *real;
    atomic_int calls;
    int fails; /* this call, from 1; 0: none */
    int errors; /* lines that the log had as errors */
    char said[512];
} failing;

static bool fails_now(void)
{
    return atomic_fetch_add(&failing.calls, 1) + 1 == failing.fails;
}

static int no_memory(void)
{
    return rp_fail(RP_ERR_DEVICE_MEM, "the device has no memory left");
}

static int broken(void)
{
    return rp_fail(RP_ERR_DEVICE, "the device does not do it");
}

static int fail_alloc(struct rp_device *dev, size_t size, void **out)
{
    *out = NULL;
    return fails_now() ? no_memory() : failing.real->alloc(dev, size, out);
}

static int fail_alloc_host(struct rp_device *dev, size_t size, void **out)
{
    *out = NULL;
    return fails_now() ? no_memory() : failing.real->alloc_host(dev, size, out);
}

static int fail_stream(struct rp_device *dev, struct rp_stream **out)
{
    *out = NULL;
    return fails_now() ? broken() : failing.real->stream_create(dev, out);
}

static int fail_upload(struct rp_device *dev, struct rp_stream *s, void *dst, const void *src,
                       size_t n)
{
    return fails_now() ? broken() : failing.real->upload(dev, s, dst, src, n);
}

static int fail_download(struct rp_device *dev, struct rp_stream *s, void *dst, const void *src,
                         size_t n)
{
    return fails_now() ? broken() : failing.real->download(dev, s, dst, src, n);
}

static int fail_copy(struct rp_device *dev, struct rp_stream *s, void *dst, const void *src,
                     size_t n)
{
    return fails_now() ? broken() : failing.real->copy(dev, s, dst, src, n);
}

static int fail_zero(struct rp_device *dev, struct rp_stream *s, void *dst, size_t n)
{
    return fails_now() ? broken() : failing.real->zero(dev, s, dst, n);
}

static int fail_sync(struct rp_device *dev, struct rp_stream *s)
{
    return fails_now() ? broken() : failing.real->sync(dev, s);
}

static int fail_transfer(struct rp_device *dev, struct rp_stream *s, const struct rp_transfer *t,
                         bool replayed)
{
    return fails_now() ? broken() : failing.real->transfer(dev, s, t, replayed);
}

static int fail_loop(struct rp_device *dev, struct rp_stream *s, const int32_t *count,
                     int32_t *index, rp_record_fn *body, void *priv)
{
    return fails_now() ? broken() : failing.real->loop(dev, s, count, index, body, priv);
}

static int fail_choose(struct rp_device *dev, struct rp_stream *s, const int32_t *which, int n,
                       rp_record_fn *body, void *const *priv)
{
    return fails_now() ? broken() : failing.real->choose(dev, s, which, n, body, priv);
}

static struct rp_device *one_that_fails(struct rp_job *job, int nth)
{
    static struct rp_device device;
    static struct rp_device_fns fns;

    failing.real = job->pipeline->device->fns;
    failing.fails = nth;
    atomic_store(&failing.calls, 0);
    device = *job->pipeline->device;
    fns = *device.fns;
    fns.host_memory = false;
    fns.alloc = fail_alloc;
    fns.alloc_host = fail_alloc_host;
    fns.stream_create = fail_stream;
    fns.upload = fail_upload;
    fns.download = fail_download;
    fns.copy = fail_copy;
    fns.zero = fail_zero;
    fns.sync = fail_sync;
    fns.transfer = fail_transfer;
    fns.loop = fail_loop;
    fns.choose = fail_choose;
    device.fns = &fns;
    return &device;
}

static void count_errors(void *priv, enum rp_log_level level, const char *line)
{
    (void) priv;
    if (level != RP_LOG_ERROR)
        return;
    failing.errors++;
    snprintf(failing.said, sizeof(failing.said), "%s", line);
}

/* @return the number of calls */
static int run_failing(int nth, char *hashes, size_t size)
{
    rp_job *job;
    rp_options *o = options_for("clip.mp4", "fails.mkv", "output-video-quality", "100");

    set(o, "trim-frame-end", "3");
    set(o, "face-tracker-score", nth % 2 ? "0.3" : "0.0");
    unlink(in_dir("fails.mkv"));
    assert_int_equal(rp_job_create(&job, runtime, o), 0);
    job->slots = 2;
    move_to(job, one_that_fails(job, nth));
    failing.errors = 0;
    rp_set_log(RP_LOG_ERROR, count_errors, NULL);
    const int ret = rp_job_run(job, NULL, NULL);
    rp_set_log(RP_LOG_DEBUG, keep_line, NULL);
    rp_job_destroy(&job);
    rp_options_destroy(&o);
    if (failing.errors != (ret != 0))
        print_message("call %d: status %d and %d errors, the last: %s\n", nth, ret, failing.errors,
                      failing.said);
    if (ret == 0) {
        snprintf(hashes, size, "%s", frame_hashes("fails.mkv"));
        assert_int_equal(failing.errors, 0);
    } else {
        assert_true(ret == RP_ERR_DEVICE || ret == RP_ERR_DEVICE_MEM);
        assert_int_equal(failing.errors, 1);
        assert_int_not_equal(access(in_dir("fails.mkv"), F_OK), 0);
    }
    return failing.calls;
}

/* One call of the device after the other fails, of a job with and without the tracker: one sentence
 * and no output, or the same pixels. $REPRISE_EVERY_CALL: all of them, not some. */
static void test_device_fails(void **state)
{
    int failed = 0, tried = 0;
    char hashes[8192], first[2][8192];

    (void) state;
    need_all();
    const int calls[2] = {run_failing(0, first[0], sizeof(first[0])),
                          run_failing(-1, first[1], sizeof(first[1]))};
    const int all = RP_MAX(calls[0], calls[1]);
    assert_true(all > 100);
    const int step = 1 + all / (RACES && once() ? 4 : 12);
    for (int n = 1; n <= all; n += getenv("REPRISE_EVERY_CALL") ? 1 : step) {
        hashes[0] = '\0';
        run_failing(n, hashes, sizeof(hashes));
        failed += !hashes[0];
        if (hashes[0])
            assert_string_equal(hashes, first[n % 2]);
        tried++;
    }
    print_message("%d of %d calls failed: %d times a sentence\n", tried, all, failed);
    assert_true(failed > tried / 2);
}

/* ---- two GPUs -------------------------------------------------------------------------------- */

enum { PLACES = 4, SENT = 6 };

static struct rp_media_frame *numbered(int64_t index)
{
    struct rp_media_frame *f;

    assert_int_equal(rp_media_frame_alloc(&f, RP_FMT_YUV420P, 32, 32), 0);
    f->index = index;
    return f;
}

/* What does not fit into the ring at first. */
static void *send_rest(void *ring)
{
    for (int i = PLACES; i < SENT; i++)
        if (rp_ring_put(ring, numbered(i)) < 0)
            break;
    rp_ring_end(ring);
    return NULL;
}

struct receiver {
    struct rp_ring *ring;
    int64_t in_order;
};

static void *receive_all(void *priv)
{
    struct rp_media_frame *f;
    struct receiver *const r = priv;

    while (rp_ring_get(r->ring, &f) == 0 && f) {
        r->in_order += f->index == r->in_order;
        rp_media_frame_free(&f);
    }
    return NULL;
}

/* While the crew begins with the first frame, another GPU does all later ones in the ring. */
static bool other_is_faster(void *ring, const struct rp_media_frame *frame)
{
    struct rp_ticket ticket;

    for (int i = 1; frame->index == 0 && i < PLACES; i++)
        if (rp_ring_take(ring, &ticket, 1, false) > 0)
            rp_ring_done(ring, ticket.place);
    return false;
}

static int count_nothing(void *priv, struct rp_media_frame *frame,
                         const struct rp_frame_result *result)
{
    (void) priv;
    (void) frame;
    (void) result;
    return 0;
}

/* A crew that drives its slots from one thread gives back what it has before it waits for more: the
 * ring may be full of later frames that are done. */
static void test_two_gpus(void **state)
{
    pthread_t sender, receiver;
    struct rp_ring *ring;
    struct rp_crew *crew;
    struct rp_device *cpu;

    (void) state;
    assert_int_equal(rp_device_cpu(&cpu), 0);
    struct rp_device_fns fns = *cpu->fns;
    struct rp_device device = *cpu;
    fns.one_thread = true;
    device.fns = &fns;
    const struct rp_plan plan = {.device = &device};
    struct rp_programs programs = {0};

    for (int slots = 1; slots <= 3; slots++) {
        assert_int_equal(rp_ring_create(&ring, PLACES), 0);
        for (int i = 0; i < PLACES; i++)
            assert_int_equal(rp_ring_put(ring, numbered(i)), 0);
        assert_int_equal(rp_crew_create(&crew, &(const struct rp_crew_params){
            .ring = ring, .plan = &plan, .programs = &programs, .slots = slots, .w = 32, .h = 32, .out_w = 32,
            .out_h = 32, .fmt = RP_FMT_YUV420P, .colour = {RP_MATRIX_BT601, false},
            .check = other_is_faster, .count = count_nothing,
            .priv = ring}), 0);
        struct receiver received = {ring, 0};

        alarm(60); /* a crew that waits for itself waits for ever */
        assert_int_equal(pthread_create(&sender, NULL, send_rest, ring), 0);
        assert_int_equal(pthread_create(&receiver, NULL, receive_all, &received), 0);
        rp_crew_run(crew);
        pthread_join(sender, NULL);
        pthread_join(receiver, NULL);
        alarm(0);
        assert_int_equal(received.in_order, SENT);
        rp_crew_destroy(&crew);
        assert_int_equal(programs.n, slots); /* they wait for the next job */
        rp_ring_destroy(&ring);
    }
    rp_programs_clear(&programs);
    rp_device_destroy(&cpu);
}

/* An output that existed before is unchanged if the job fails. */
static void test_old_output_stays(void **state)
{
    uint8_t *data;
    size_t size;

    (void) state;
    need_all();
    assert_int_equal(rp_file_write(in_dir("kept.mp4"), "old", 3), 0);
    make_long_clip();
    rp_job *job;
    rp_options *o = options_for("long.mp4", "kept.mp4", NULL, NULL);
    assert_int_equal(rp_job_create(&job, runtime, o), 0);
    rp_job_cancel(job);
    assert_int_equal(rp_job_run(job, NULL, NULL), RP_ERR_CANCELLED);
    rp_job_destroy(&job);
    rp_options_destroy(&o);
    assert_int_equal(rp_file_read(in_dir("kept.mp4"), 100, &data, &size), 0);
    assert_int_equal(size, 3);
    assert_memory_equal(data, "old", 3);
    free(data);
    unlink(in_dir("kept.mp4"));
    assert_nothing_left("kept.mp4");
}

/* ---- threads --------------------------------------------------------------------------------- */

struct task {
    const char *target, *output;
    rp_options *options;
    int ret;
};

static void *run_task(void *priv)
{
    struct task *const t = priv;
    rp_options *mine; /* options made by several threads at once */

    t->ret = rp_options_create(&mine);
    rp_options_destroy(&mine);
    if (t->ret == 0)
        t->ret = run_job(runtime, t->options, NULL);
    return NULL;
}

/* One runtime, three jobs at once. */
static void test_jobs_at_once(void **state)
{
    struct task task[] = {{"clip.mp4", "a.mp4", NULL, -1}, {"clip.mp4", "b.mkv", NULL, -1},
                          {"face.png", "c.png", NULL, -1}};
    pthread_t thread[3];

    (void) state;
    need_all();
    for (int i = 0; i < 3; i++)
        task[i].options =
            options_for(task[i].target, task[i].output, "execution-thread-count", "2");
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, run_task, &task[i]), 0);
    for (int i = 0; i < 3; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(task[i].ret, 0);
        assert_true(rp_path_is_file(in_dir(task[i].output)));
        rp_options_destroy(&task[i].options);
    }
}

int main(int argc, char **argv) /* [TEST]: the name of one, with * and ? */
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_analyse),
        cmocka_unit_test(test_analyse_file),
        cmocka_unit_test(test_process),
        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_on_device),
        cmocka_unit_test(test_image_mark),
        cmocka_unit_test(test_bad_images),
        cmocka_unit_test(test_picture_job),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_analysed_once),
        cmocka_unit_test(test_missing_models),
        cmocka_unit_test(test_wrong_models),
        cmocka_unit_test(test_no_onnxruntime),
        cmocka_unit_test(test_blocked_picture),
        cmocka_unit_test(test_blocked_video),
        cmocka_unit_test(test_video_job),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_lockstep),
        cmocka_unit_test(test_untouched),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_tracker),
        cmocka_unit_test(test_tracker_order),
        cmocka_unit_test(test_tracker_cancel),
        cmocka_unit_test(test_pixels_on_their_way),
        cmocka_unit_test(test_decoder_on_device),
        cmocka_unit_test(test_device_fails),
        cmocka_unit_test(test_two_gpus),
        cmocka_unit_test(test_old_output_stays),
        cmocka_unit_test(test_jobs_at_once),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
