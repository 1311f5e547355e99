/* Jobs on several GPUs, which are processors that seem to be GPUs: each has a pipeline, a crew and
 * a thread of its own. The bytes must not depend on their number.
 *
 * The face and the models are those of set-up; without them this is skipped. */
#include "test_media.h"

#include <pthread.h>

#include "pipeline/job.h"
#include "pipeline/tune.h"

enum { GPUS = 3, FRAMES = 11 };

static rp_runtime *runtime;
static struct rp_cache *cache; /* what these GPUs have; NULL: nothing is kept */
static bool have_all;

/* ---- what stands in for GPUs: the linker sends these calls here ------------------------------ */

static struct rp_device_fns fns;
static bool no_gpu;

int __wrap_rp_device_cuda(struct rp_device **out, int id);
int __real_rp_program_submit(struct rp_program *program, const struct rp_frame_in *frame, int n,
                             enum rp_pass pass);
int __wrap_rp_program_submit(struct rp_program *program, const struct rp_frame_in *frame, int n,
                             enum rp_pass pass);
int __wrap_rp_tune_launches(struct rp_cache *where, const char *key, const struct rp_plan *plan,
                            struct rp_media_frame *frame, bool lockstep, struct rp_launches *out);

int __wrap_rp_device_cuda(struct rp_device **out, int id)
{
    if (no_gpu)
        return rp_fail(RP_ERR_UNSUPPORTED, "no GPU");
    RP_CHECK(rp_device_cpu(out));
    fns = *(*out)->fns;
    fns.one_thread = true;
    (*out)->fns = &fns;
    (*out)->id = id;
    return 0;
}

/* What each has worked on, and frames in the largest launch. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int gpus, frames[GPUS], most;
} work = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* The others open their networks while the first could do all alone: it waits for them. */
static bool all_work(void)
{
    bool all = true;

    for (int i = 0; i < work.gpus; i++)
        all &= work.frames[i] > 0;
    return all;
}

int __wrap_rp_program_submit(struct rp_program *program, const struct rp_frame_in *frame, int n,
                             enum rp_pass pass)
{
    const struct rp_device *const device = rp_program_plan(program)->device;
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 60;
    pthread_mutex_lock(&work.lock);
    if (device->fns->one_thread && device->id < GPUS) {
        work.frames[device->id] += n;
        work.most = RP_MAX(work.most, n);
        pthread_cond_broadcast(&work.changed);
        while (!all_work() && !pthread_cond_timedwait(&work.changed, &work.lock, &end))
            continue;
    }
    pthread_mutex_unlock(&work.lock);
    return __real_rp_program_submit(program, frame, n, pass);
}

/* "Measured": eight slots of single frames, or two launches of four in lockstep. */
static struct {
    int asked;
    bool lockstep;
} tuned;

int __wrap_rp_tune_launches(struct rp_cache *where, const char *key, const struct rp_plan *plan,
                            struct rp_media_frame *frame, bool lockstep, struct rp_launches *out)
{
    (void) where, (void) key, (void) plan, (void) frame;
    tuned.asked++;
    tuned.lockstep = lockstep;
    *out = lockstep ? (struct rp_launches){4, 2} : (struct rp_launches){out->frames, 8};
    return 0;
}

/* ---- set-up ---------------------------------------------------------------------------------- */

static bool make_media(void)
{
    char *const picture = rp_path_user_cache("media/astronaut.png");
    const bool made =
        have_ffmpeg() && picture && rp_path_is_file(picture) &&
        shell("ffmpeg -v error -loop 1 -r 25 -i '%s' -frames:v %d -vf \"crop=320:240:60+2*n:"
              "10,format=yuv420p\" -c:v libx264 -g 5 clip.mp4",
              picture, FRAMES) == 0;

    free(picture);
    return made;
}

static char *models_folder(void)
{
    const char *const env = getenv("REPRISE_MODELS");

    return env ? strdup(env) : rp_path_user_cache("models");
}

static int set_up(void **state)
{
    if (make_dir(state))
        return -1;
    char *const models = models_folder();
    char *const one = models ? rp_path_join(models, "fr_detect.onnx") : NULL;
    have_all = one && rp_path_is_file(one) && make_media();
    if (!have_all)
        print_message("skipped: run scripts/setup.sh --tests\n");
    const int ret = rp_runtime_create(&runtime, &(rp_runtime_params){.models_path = models});
    free(models);
    free(one);
    return ret;
}

static int tear_down(void **state)
{
    rp_runtime_destroy(&runtime);
    rp_cache_close(&cache);
    shell("rm -rf cache .b.mp4.job");
    return remove_dir(state);
}

static void need_all(void)
{
    if (!have_all)
        skip();
}

static void set(rp_options *o, const char *name, const char *value)
{
    assert_int_equal(rp_options_set(o, name, value), 0);
}

static rp_options *options_for(const char *gpus, const char *frames, const char *output)
{
    rp_options *o;

    assert_int_equal(rp_options_create(&o), 0);
    set(o, "processors", "face_debugger");
    set(o, "target-path", in_dir("clip.mp4"));
    set(o, "output-path", in_dir(output));
    set(o, "execution-providers", "cuda");
    set(o, "execution-device-ids", gpus);
    set(o, "cuda-graph-frames", frames);
    return o;
}

static void run(rp_options *o, bool measures, rp_report *report)
{
    rp_job *job;

    memset(work.frames, 0, sizeof(work.frames));
    work.most = 0;
    assert_int_equal(rp_job_create(&job, runtime, o), 0);
    assert_non_null(job->reader); /* of a GPU's job, kept for its run */
    job->measures = measures ? RP_USE_MEASURE : 0;
    job->pipeline->cache = cache;
    assert_int_equal(rp_job_run(job, NULL, NULL), 0);
    assert_null(job->reader);
    if (report)
        rp_job_report(job, report);
    rp_job_destroy(&job);
    rp_options_destroy(&o);
}

static void run_some(const char *frames, bool measures)
{
    rp_options *const o = options_for("0", frames, "a.mp4");

    set(o, "trim-frame-end", "8");
    run(o, measures, NULL);
}

static void assert_same(const char *a, const char *b)
{
    assert_int_equal(shell("cmp -s %s %s", a, b), 0);
}

/* ---- tests ----------------------------------------------------------------------------------- */

/* One, two and three GPUs; in pieces and not; single frames, and four in lockstep, which end with
 * each piece of 5. */
static void test_number_of_gpus(void **state)
{
    static const char *const ids[] = {"0", "0 1", "0 1 2"};
    static const struct {
        const char *piece, *frames;
        int most, gpus;
    } kinds[] = {{"0", "1", 1, 2}, {"0.2", "4", 4, GPUS}};

    (void) state;
    need_all();
    for (size_t k = 0; k < RP_ARRAY_LEN(kinds); k++)
        for (int n = 1; n <= kinds[k].gpus; n++) {
            rp_report report;
            rp_options *const o =
                options_for(ids[n - 1], kinds[k].frames, n == 1 ? "a.mp4" : "b.mp4");

            work.gpus = n;
            set(o, "output-video-piece", kinds[k].piece);
            set(o, "cuda-graph-slots", "2");
            run(o, false, &report);
            assert_int_equal(report.progress.frames_done, FRAMES);
            for (int i = 0; i < GPUS; i++)
                assert_int_equal(work.frames[i] > 0, i < n);
            assert_int_equal(work.frames[0] + work.frames[1] + work.frames[2], FRAMES);
            assert_int_equal(work.most, kinds[k].most);
            if (n > 1)
                assert_same("a.mp4", "b.mp4");
        }
    work.gpus = 0;
}

static int count_heads(const char *want)
{
    return shell("grep -q '^frames .* %s ' .b.mp4.job/*.journal", want);
}

/* Lockstep is chosen where the job is long enough to measure, nothing else is said, and no other
 * machine makes the pieces beside. */
static void test_lockstep_by_itself(void **state)
{
    rp_options *o;

    (void) state;
    need_all();
    tuned.asked = 0;
    /* nothing is kept: a resumed run would not know the number */
    run_some("auto", true);
    assert_false(tuned.lockstep);
    assert_int_equal(work.most, 1);
    assert_int_equal(rp_cache_open(&cache, in_dir("cache")), 0);
    run_some("auto", true);
    assert_int_equal(tuned.asked, 2);
    assert_true(tuned.lockstep);
    assert_int_equal(work.most, 4);
    run_some("auto", false); /* a short one */
    assert_false(tuned.lockstep);
    assert_int_equal(work.most, 1);
    run_some("1", true); /* who wants the bytes of single frames */
    assert_false(tuned.lockstep);
    assert_int_equal(work.most, 1);
    run_some("2", true);
    assert_false(tuned.lockstep);
    assert_int_equal(work.most, 2);
    o = options_for("0", "auto", "b.mp4");
    set(o, "segment", "1/2");
    set(o, "output-video-piece", "0.16");
    set(o, "trim-frame-end", "8");
    run(o, true, NULL);
    assert_false(tuned.lockstep);
    assert_int_equal(work.most, 1);
    assert_int_equal(count_heads("1"), 0);
    assert_int_equal(tuned.asked, 6);
}

/* Segments made on a GPU are joined where there is none: the bytes of one process. */
static void test_join_elsewhere(void **state)
{
    static const char *const segment[] = {"1/2", "2/2"};
    char *folder;
    rp_options *o;
    rp_job *job;
    rp_runtime *other;

    (void) state;
    need_all();
    for (int i = 0; i < 3; i++) {
        o = options_for("0", "1", i ? "c.mp4" : "a.mp4");
        set(o, "output-video-piece", "0.2");
        if (i)
            set(o, "segment", segment[i - 1]);
        run(o, false, NULL);
    }
    no_gpu = true;
    char *const models = models_folder();
    assert_int_equal(rp_runtime_create(&other, &(rp_runtime_params){.models_path = models}), 0);
    free(models);
    assert_int_equal(rp_options_create(&o), 0);
    assert_int_equal(rp_options_read_job(o, in_dir("c.mp4"), &folder), 0);
    rp_free(folder);
    assert_int_equal(rp_job_create(&job, other, o), 0);
    assert_int_equal(rp_job_run(job, NULL, NULL), RP_ERR_USAGE); /* nothing can be made of it */
    assert_int_equal(rp_job_join(job, NULL, NULL), 0);
    rp_job_destroy(&job);
    rp_options_destroy(&o);
    rp_runtime_destroy(&other);
    no_gpu = false;
    assert_same("a.mp4", "c.mp4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_number_of_gpus),
                                       cmocka_unit_test(test_lockstep_by_itself),
                                       cmocka_unit_test(test_join_elsewhere)};

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
