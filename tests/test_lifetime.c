/* What outlives a job: the models of a runtime, shared and kept, and the threads of its GPUs.
 *
 * The first part uses small models of tiny_models.py; the second set-up's lite models and sample
 * picture, through the public interface: without them it is skipped. */
#include "test_media.h"

#include <pthread.h>

#include "models/shelf.h"
#include "pipeline/runtime.h"

/* ---- what was opened ------------------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char opened[8192]; /* names of the models opened since forget(), each with a blank */
static char graphs[8192]; /* names of those recorded since then, each with a bar */
static int reused, recorded, made; /* pipelines used again, CUDA graphs, programs: since forget() */

/* A graph of this name was recorded: "CUDA graph of frame 256x192: 812 nodes ...". */
static void note_recording(const char *line)
{
    char name[64];
    const char *const at = strstr(line, "CUDA graph of ");

    if (!at || sscanf(at, "CUDA graph of %60[^:]", name) != 1)
        return;
    recorded++;
    strncat(graphs, name, sizeof(graphs) - strlen(graphs) - 1);
    strncat(graphs, "|", sizeof(graphs) - strlen(graphs) - 1);
}

/* How often the graph that was recorded most often was recorded. */
static int most_recorded(void)
{
    int most = 0;
    char all[sizeof(graphs)], *save = NULL;

    memcpy(all, graphs, sizeof(all));
    for (char *name = strtok_r(all, "|", &save); name; name = strtok_r(NULL, "|", &save)) {
        int n = 0;

        for (const char *at = strstr(graphs, name); at; at = strstr(at + 1, name))
            n += (at == graphs || at[-1] == '|') && at[strlen(name)] == '|';
        most = RP_MAX(most, n);
    }
    return most;
}

static void keep_name(void *priv, enum rp_log_level level, const char *line)
{
    char name[64];

    (void) priv;
    (void) level;
    int n;

    pthread_mutex_lock(&lock);
    reused += strstr(line, "of an earlier job are used again") != NULL;
    if (sscanf(line, "programs: %*d found, %d made", &n) == 1)
        made += n;
    note_recording(line);
    pthread_mutex_unlock(&lock);
    if (sscanf(line, "loading model %60s succeeded", name) != 1 || !strstr(line, " succeeded"))
        return;
    pthread_mutex_lock(&lock);
    strncat(opened, name, sizeof(opened) - strlen(opened) - 1);
    strncat(opened, " ", sizeof(opened) - strlen(opened) - 1);
    pthread_mutex_unlock(&lock);
}

static void forget(void)
{
    opened[0] = 0;
    graphs[0] = 0;
    reused = recorded = made = 0;
}

static int count(const char *text, const char *name)
{
    char with_blank[80];
    int n = 0;

    snprintf(with_blank, sizeof(with_blank), "%s ", name);
    for (const char *at = strstr(text, with_blank); at; at = strstr(at + 1, with_blank))
        n++;
    return n;
}

/* No name occurs twice. */
static void assert_each_once(void)
{
    char all[sizeof(opened)], *save = NULL;

    memcpy(all, opened, sizeof(all));
    for (char *name = strtok_r(all, " ", &save); name; name = strtok_r(NULL, " ", &save))
        if (count(opened, name) != 1)
            fail_msg("%s was opened %d times: %s", name, count(opened, name), opened);
}

/* ---- the shelf ------------------------------------------------------------------------------- */

static struct rp_engine *engine;
static struct rp_device *device;

static int set_up(void **state)
{
    const char *const source = getenv("REPRISE_SOURCE");

    if (make_dir(state) || !source || shell("/usr/bin/python3 '%s/tests/tiny_models.py' .", source))
        return -1;
    rp_set_log(RP_LOG_DEBUG, keep_name, NULL);
    return rp_engine_create(&engine, NULL) < 0 || rp_device_cpu(&device) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    rp_device_destroy(&device);
    rp_engine_destroy(&engine);
    (void) shell("rm -rf lite");
    return remove_dir(state);
}

static struct rp_model *take(struct rp_shelf *s, const char *file, int threads)
{
    struct rp_model *model;

    assert_int_equal(rp_shelf_take(s, engine, device,
                                   &(struct rp_shelf_wish){.model = {.path = in_dir(file), .name = file,
                                                             .threads = threads}}, &model), 0);
    assert_string_equal(rp_model_name(model), file);
    return model;
}

static void give(struct rp_shelf *s, struct rp_model *model)
{
    rp_shelf_give(s, &model);
    assert_null(model);
}

static struct rp_shelf *new_shelf(int64_t limit)
{
    struct rp_shelf *s;

    forget();
    assert_int_equal(rp_shelf_create(&s, limit), 0);
    return s;
}

/* One model for all that open it in the same way, even after the last of them has closed it. */
static void test_shared(void **state)
{
    struct rp_shelf *s = new_shelf(0);
    struct rp_model *const a = take(s, "double.onnx", 1), *const b = take(s, "double.onnx", 1);
    struct rp_model *const other = take(s, "sum.onnx", 1), *const all = take(s, "double.onnx", 2);

    (void) state;
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, all);
    assert_string_equal(opened, "double.onnx sum.onnx double.onnx ");
    give(s, a);
    give(s, b);
    assert_ptr_equal(take(s, "double.onnx", 1), a);
    give(s, a);
    give(s, other);
    give(s, all);
    assert_int_equal(count(opened, "double.onnx"), 2);
    rp_shelf_clear(s, device);
    give(s, take(s, "double.onnx", 1));
    assert_int_equal(count(opened, "double.onnx"), 3);
    rp_shelf_destroy(&s);
    assert_null(s);
    rp_shelf_destroy(&s);
}

static void test_missing(void **state)
{
    struct rp_model *model;
    struct rp_shelf *s = new_shelf(0);

    (void) state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rp_shelf_take(s, engine, device,
                                       &(struct rp_shelf_wish){.model = {.path = in_dir("none.onnx")}},
                                       &model), RP_ERR_IO);
        assert_null(model);
        assert_non_null(strstr(rp_last_error(), "none.onnx"));
        assert_int_equal(rp_shelf_take(s, engine, device,
                                       &(struct rp_shelf_wish){.model = {.path = in_dir("half.onnx")}},
                                       &model), RP_ERR_MODEL);
    }
    give(s, take(s, "double.onnx", 1));
    rp_shelf_destroy(&s);
}

/* A file that changed is opened again; a user of the old model keeps it. */
static void test_changed(void **state)
{
    const struct rp_tensor_info *info;
    struct rp_shelf *s = new_shelf(0);

    (void) state;
    assert_int_equal(shell("cp double.onnx change.onnx"), 0);
    struct rp_model *const old = take(s, "change.onnx", 1);
    assert_int_equal(shell("cp sum.onnx new.onnx && mv new.onnx change.onnx"), 0);
    struct rp_model *const new = take(s, "change.onnx", 1);
    assert_ptr_not_equal(old, new);
    assert_int_equal(rp_model_inputs(old, &info), 1);
    assert_int_equal(rp_model_inputs(new, &info), 2);
    assert_ptr_equal(take(s, "change.onnx", 1), new);
    give(s, new);
    give(s, old);
    give(s, new);
    give(s, take(s, "change.onnx", 1));
    assert_int_equal(count(opened, "change.onnx"), 2);
    assert_int_equal(shell("touch -d '2001-02-03' change.onnx"), 0); /* only the time */
    give(s, take(s, "change.onnx", 1));
    assert_int_equal(count(opened, "change.onnx"), 3);
    rp_shelf_destroy(&s);
}

/* Three files of one size and room for two: the least recently used is closed. */
static void test_limit(void **state)
{
    struct rp_shelf *s;
    const int64_t size = strtoll(output_of("stat -c %%s double.onnx"), NULL, 10);

    (void) state;
    assert_true(size > 0);
    assert_int_equal(shell("for n in a b c; do cp double.onnx $n.onnx; done"), 0);
    s = new_shelf(2 * size);
    give(s, take(s, "a.onnx", 1));
    give(s, take(s, "b.onnx", 1));
    give(s, take(s, "a.onnx", 1));
    give(s, take(s, "c.onnx", 1)); /* b is closed */
    give(s, take(s, "a.onnx", 1));
    give(s, take(s, "c.onnx", 1));
    assert_string_equal(opened, "a.onnx b.onnx c.onnx ");
    struct rp_model *const b = take(s, "b.onnx", 1); /* what is used does not count */
    give(s, take(s, "a.onnx", 1));
    give(s, take(s, "c.onnx", 1));
    assert_string_equal(opened, "a.onnx b.onnx c.onnx b.onnx ");
    give(s, b); /* a is closed */
    give(s, take(s, "c.onnx", 1));
    give(s, take(s, "b.onnx", 1));
    assert_string_equal(opened, "a.onnx b.onnx c.onnx b.onnx ");
    give(s, take(s, "a.onnx", 1));
    assert_string_equal(opened, "a.onnx b.onnx c.onnx b.onnx a.onnx ");
    rp_shelf_destroy(&s);

    s = new_shelf(-1); /* nothing is kept */
    give(s, take(s, "a.onnx", 1));
    give(s, take(s, "a.onnx", 1));
    assert_string_equal(opened, "a.onnx a.onnx ");
    rp_shelf_destroy(&s);
}

enum { THREADS = 4, TURNS = 30 };

struct taker {
    struct rp_shelf *shelf;
    int number;
    bool right;
};

/* Right and wrong files, in a different order for each thread. */
static void *take_often(void *priv)
{
    static const char *const files[] = {"double.onnx", "sum.onnx", "half.onnx", "open.onnx"};
    struct taker *const t = priv;

    rp_log_hold(true);
    for (int i = 0; i < TURNS; i++) {
        struct rp_model *model;
        char path[600];
        const int f = (i * (2 * t->number + 1) + t->number) % 4;
        snprintf(path, sizeof(path), "%s/%s", test_dir, files[f]);
        const int ret = rp_shelf_take(t->shelf, engine, device,
                                      &(struct rp_shelf_wish){.model = {.path = path, .threads = 1}},
                                      &model);
        t->right &= f == 2 ? ret == RP_ERR_MODEL && !model
                           : ret == 0 && !strcmp(rp_model_name(model), files[f]);
        rp_shelf_give(t->shelf, &model);
    }
    rp_log_hold(false);
    return NULL;
}

static void test_threads(void **state)
{
    static const int64_t limits[] = {0, 200, -1};
    pthread_t thread[THREADS];
    struct taker t[THREADS];

    (void) state;
    for (size_t l = 0; l < RP_ARRAY_LEN(limits); l++) {
        struct rp_shelf *s = new_shelf(limits[l]);

        for (int i = 0; i < THREADS; i++) {
            t[i] = (struct taker){s, i, true};
            assert_int_equal(pthread_create(&thread[i], NULL, take_often, &t[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) {
            pthread_join(thread[i], NULL);
            assert_true(t[i].right);
        }
        if (limits[l] == 0)
            assert_each_once();
        rp_shelf_destroy(&s);
    }
}

/* ---- the runtime ----------------------------------------------------------------------------- */

/* Copies of the lite models, because one of them will be changed. */
static bool have_lite(void)
{
    char *const cache = rp_path_user_cache(NULL);
    const char *const env = getenv("REPRISE_MODELS");
    static const char *const files[] = {"fr_detect", "fr_landmark", "fr_feature", "fr_age",
                                        "fr_gender", "nsfwjs", "classic_256"};
    bool ok = cache && shell("mkdir -p lite && cp '%s/media/astronaut.png' face.png", cache) == 0;

    for (size_t i = 0; ok && i < RP_ARRAY_LEN(files); i++)
        ok = shell("test -s lite/%s.onnx || cp '%s%s/%s.onnx' lite/", files[i], env ? env : cache,
                   env ? "" : "/models", files[i]) == 0;
    if (!ok)
        print_message("skipped: no lite models or sample picture; run scripts/setup.sh --tests\n");
    free(cache);
    return ok;
}

static rp_runtime *new_runtime(int64_t kept)
{
    rp_runtime *rt;

    forget();
    assert_int_equal(rp_runtime_create(&rt, &(rp_runtime_params){.models_path = in_dir("lite"),
                                                                 .kept_models = kept}), 0);
    return rt;
}

/* REPRISE_TEST_PROVIDER=cuda: all of this on a GPU. */
static void set_provider(rp_options *o)
{
    const char *const provider = getenv("REPRISE_TEST_PROVIDER");

    rp_options_set(o, "execution-providers", provider ? provider : "cpu");
    rp_options_set(o, "cuda-layout", "nchw"); /* measuring which is best opens and records, once */
}

/* Draws boxes into the sample picture: needs no source and only some of the networks. */
static rp_options *new_options(void)
{
    rp_options *o;

    assert_int_equal(rp_options_create(&o), 0);
    set_provider(o);
    assert_int_equal(rp_options_set(o, "processors", "face_debugger"), 0);
    assert_int_equal(rp_options_set(o, "face-selector-mode", "many"), 0);
    assert_int_equal(rp_options_set(o, "target-path", in_dir("face.png")), 0);
    assert_int_equal(rp_options_set(o, "output-path", in_dir("out.png")), 0);
    return o;
}

static void run_job(rp_runtime *rt, const rp_options *o)
{
    rp_job *job;

    assert_int_equal(rp_job_create(&job, rt, o), 0);
    assert_int_equal(rp_job_run(job, NULL, NULL), 0);
    rp_job_destroy(&job);
}

static int count_faces(void *priv, const rp_frame_faces *f)
{
    *(int *) priv += f->count;
    return 0;
}

static void test_jobs(void **state)
{
    (void) state;
    if (!have_lite())
        skip();
    rp_runtime *rt = new_runtime(0);
    rp_options *o = new_options();
    run_job(rt, o);
    assert_int_equal(count(opened, "nsfwjs"), 1);
    assert_each_once();
    char *const first = strdup(opened);
    run_job(rt, o);
    assert_string_equal(opened, first);
    assert_int_equal(shell("cp lite/nsfwjs.onnx new.onnx && mv new.onnx lite/nsfwjs.onnx"), 0);
    run_job(rt, o);
    assert_int_equal(count(opened, "nsfwjs"), 2);
    assert_int_equal(strlen(opened), strlen(first) + strlen("nsfwjs "));
    rp_runtime_destroy(&rt);

    rt = new_runtime(-1);
    run_job(rt, o);
    run_job(rt, o);
    assert_int_equal(count(opened, "nsfwjs"), 2);
    assert_int_equal(strlen(opened), 2 * strlen(first));
    rp_runtime_destroy(&rt);
    rp_options_destroy(&o);
    free(first);
}

/* ---- pipelines and their programs ------------------------------------------------------------ */

static void set(rp_options *o, const char *name, const char *value)
{
    if (rp_options_set(o, name, value) < 0)
        fail_msg("%s", rp_last_error());
}

/* Two clips of one size and format, whose reference faces differ. */
static void make_clips(void)
{
    static const char *const clips[][2] = {{"one.mkv", ""}, {"two.mkv", ",hflip,hue=h=40"}};

    for (size_t i = 0; i < RP_ARRAY_LEN(clips); i++)
        assert_int_equal(shell("test -s %s || ffmpeg -v error -loop 1 -i face.png -frames:v 5 -vf "
                               "scale=256:-2%s -pix_fmt yuv420p -c:v ffv1 %s", clips[i][0],
                               clips[i][1], clips[i][0]), 0);
}

#define SLOTS 2
#define SLOTS_TEXT "2"

static rp_options *swap_options(const char *target, const char *output)
{
    rp_options *o;

    assert_int_equal(rp_options_create(&o), 0);
    set_provider(o);
    set(o, "cuda-graph-slots", SLOTS_TEXT);
    set(o, "source-paths", in_dir("face.png"));
    set(o, "target-path", in_dir(target));
    set(o, "output-path", in_dir(output));
    return o;
}

static void swap(rp_runtime *rt, const char *target, const char *output, const char *distance)
{
    rp_options *o = swap_options(target, output);

    set(o, "reference-face-distance", distance);
    run_job(rt, o);
    rp_options_destroy(&o);
}

static int same_frames(const char *a, const char *b)
{
    return shell("test \"$(ffmpeg -v error -i %s -f md5 -)\" = \"$(ffmpeg -v error -i %s -f md5 -)\"",
                 a, b) == 0;
}

/* The second job opens and records nothing, whatever its target, and gives the same as alone. */
static void test_second_job(void **state)
{
    (void) state;
    if (!have_lite())
        skip();
    make_clips();
    rp_runtime *rt = new_runtime(-1);
    swap(rt, "one.mkv", "one-alone.mkv", "0.3");
    const int recorded_alone = recorded, made_alone = made;
    assert_true(made_alone > 0);
    swap(rt, "two.mkv", "two-alone.mkv", "0.3");
    assert_int_equal(reused, 0);
    assert_int_equal(recorded, 2 * recorded_alone);
    assert_int_equal(made, 2 * made_alone);
    rp_runtime_destroy(&rt);
    assert_false(same_frames("one-alone.mkv", "two-alone.mkv"));

    rt = new_runtime(0);
    swap(rt, "one.mkv", "first.mkv", "0.3");
    assert_each_once();
    assert_int_equal(recorded, recorded_alone);
    char *const first = strdup(opened);
    swap(rt, "two.mkv", "second.mkv", "0.3");
    swap(rt, "one.mkv", "third.mkv", "0.3");
    assert_int_equal(reused, 2);
    assert_true(most_recorded() <= SLOTS); /* once in each slot, and when it is worth it */
    assert_string_equal(opened, first);
    free(first);
    rp_runtime_destroy(&rt);
    assert_int_equal(made, made_alone);
    assert_true(same_frames("first.mkv", "one-alone.mkv"));
    assert_true(same_frames("second.mkv", "two-alone.mkv"));
    assert_true(same_frames("third.mkv", "one-alone.mkv"));
}

/* Programs are for one set of options and one source; networks are for all. */
static void test_other_job(void **state)
{
    (void) state;
    if (!have_lite())
        skip();
    make_clips();
    rp_runtime *rt = new_runtime(0);
    swap(rt, "one.mkv", "first.mkv", "0.3");
    char *const first = strdup(opened);
    swap(rt, "one.mkv", "other.mkv", "0.4");
    assert_int_equal(reused, 0);
    assert_int_equal(shell("touch -d '1 hour ago' face.png"), 0);
    swap(rt, "one.mkv", "touched.mkv", "0.3"); /* the source may be another picture now */
    assert_int_equal(reused, 0);
    assert_string_equal(opened, first);
    free(first);
    rp_runtime_destroy(&rt);
}

/* No more than RP_IDLE_MOST pipelines are kept for the next job. */
static void test_idle_limit(void **state)
{
    char distance[8];

    (void) state;
    if (!have_lite())
        skip();
    make_clips();
    rp_runtime *rt = new_runtime(0);
    for (int i = 0; i <= RP_IDLE_MOST; i++) {
        snprintf(distance, sizeof(distance), "%.1f", 0.3 + 0.1 * i);
        swap(rt, "one.mkv", "limit.mkv", distance);
    }
    swap(rt, "one.mkv", "limit.mkv", distance);
    assert_int_equal(reused, 1);
    swap(rt, "one.mkv", "limit.mkv", "0.3"); /* the oldest is gone */
    assert_int_equal(reused, 1);
    swap(rt, "one.mkv", "limit.mkv", "0.5");
    assert_int_equal(reused, 2);
    rp_runtime_destroy(&rt);
}

struct at_once {
    rp_runtime *runtime;
    rp_options *options;
    int ret;
};

static void *job_of_thread(void *priv)
{
    struct at_once *const t = priv;
    rp_job *job = NULL;

    t->ret = rp_job_create(&job, t->runtime, t->options);
    if (t->ret >= 0)
        t->ret = rp_job_run(job, NULL, NULL);
    rp_job_destroy(&job);
    return NULL;
}

/* Jobs of two threads: at once on the CPU, one after the other on the one thread of a GPU. */
static void test_two_threads(void **state)
{
    pthread_t thread[2];

    (void) state;
    if (!have_lite())
        skip();
    make_clips();
    rp_runtime *rt = new_runtime(0);
    struct at_once t[2] = {{rt, swap_options("one.mkv", "thread-one.mkv"), 0},
                           {rt, swap_options("two.mkv", "thread-two.mkv"), 0}};
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, job_of_thread, &t[i]), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(t[i].ret, 0);
        rp_options_destroy(&t[i].options);
    }
    assert_each_once();
    swap(rt, "one.mkv", "one-after.mkv", "0.3");
    swap(rt, "two.mkv", "two-after.mkv", "0.3");
    assert_true(same_frames("thread-one.mkv", "one-after.mkv"));
    assert_true(same_frames("thread-two.mkv", "two-after.mkv"));
    rp_runtime_destroy(&rt);
}

/* A pipeline that failed is not used again. */
static void test_failed_job(void **state)
{
    rp_job *job;

    (void) state;
    if (!have_lite())
        skip();
    make_clips();
    rp_runtime *rt = new_runtime(0);
    rp_options *o = swap_options("one.mkv", "failed.mkv");
    assert_int_equal(rp_job_create(&job, rt, o), 0);
    rp_job_cancel(job);
    assert_int_equal(rp_job_run(job, NULL, NULL), RP_ERR_CANCELLED);
    rp_job_destroy(&job);
    run_job(rt, o);
    assert_int_equal(reused, 0);
    run_job(rt, o);
    assert_int_equal(reused, 1);
    rp_options_destroy(&o);
    rp_runtime_destroy(&rt);
}

/* Several files, each network once. */
static void test_analyse(void **state)
{
    int faces = 0;
    rp_options *o;

    (void) state;
    if (!have_lite())
        skip();
    rp_runtime *rt = new_runtime(0);
    assert_int_equal(rp_options_create(&o), 0);
    set_provider(o);
    for (int i = 0; i < 3; i++)
        assert_int_equal(rp_analyse_file(rt, o, in_dir("face.png"), count_faces, &faces), 0);
    assert_int_equal(faces, 3);
    assert_true(strlen(opened) > 0);
    assert_each_once();
    rp_options_destroy(&o);
    rp_runtime_destroy(&rt);
}

static void *analyse_one(void *rt)
{
    int faces = 0;
    char path[600];
    rp_options *o;

    snprintf(path, sizeof(path), "%s/face.png", test_dir);
    rp_options_create(&o);
    set_provider(o);
    if (rp_analyse_file(rt, o, path, count_faces, &faces) < 0)
        faces = -1;
    rp_options_destroy(&o);
    return (void *) (intptr_t) faces; // NOLINT(performance-no-int-to-ptr): a thread's result
}

/* Two threads at once use the same models. */
static void test_at_once(void **state)
{
    void *faces;
    pthread_t thread[2];

    (void) state;
    if (!have_lite())
        skip();
    rp_runtime *rt = new_runtime(0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, analyse_one, rt), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(thread[i], &faces);
        assert_int_equal((intptr_t) faces, 1);
    }
    assert_each_once();
    rp_runtime_destroy(&rt);
}

/* ---- GPUs ------------------------------------------------------------------------------------ */

struct gpu {
    rp_runtime *runtime;
    struct rp_device *device;
    pthread_t thread;
};

static int open_gpu(void *priv)
{
    struct gpu *const g = priv;

    g->thread = pthread_self();
    return rp_runtime_gpu(g->runtime, 0, &g->device);
}

/* One thread for each GPU, whether it exists or not; its failure reaches the caller. */
static void test_gpu(void **state)
{
    struct rp_executor *first, *again, *second;
    struct gpu g[2] = {{0}, {0}};
    rp_runtime *rt = new_runtime(0);

    (void) state;
    assert_int_equal(rp_runtime_executor(rt, 0, &first), 0);
    assert_int_equal(rp_runtime_executor(rt, 1, &second), 0);
    assert_int_equal(rp_runtime_executor(rt, 0, &again), 0);
    assert_ptr_equal(first, again);
    assert_ptr_not_equal(first, second);
    for (int i = 0; i < 2; i++) {
        g[i].runtime = rt;
        rp_take_error("");
        if (rp_executor_run(first, open_gpu, &g[i]) < 0)
            assert_true(strlen(rp_last_error()) > 0);
        assert_false(pthread_equal(g[i].thread, pthread_self()));
    }
    assert_true(pthread_equal(g[0].thread, g[1].thread));
    assert_ptr_equal(g[0].device, g[1].device);
    rp_runtime_destroy(&rt);
}

/* A cache for each folder. */
static void test_plans(void **state)
{
    struct rp_cache *off, *a, *again;
    rp_runtime *rt = new_runtime(0);

    (void) state;
    assert_int_equal(rp_runtime_cache(rt, "off", &off), 0);
    assert_int_equal(rp_runtime_cache(rt, in_dir("lite/cache"), &a), 0);
    assert_int_equal(rp_runtime_cache(rt, in_dir("lite/cache"), &again), 0);
    assert_ptr_equal(a, again);
    assert_ptr_not_equal(a, off);
    rp_runtime_destroy(&rt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared),  cmocka_unit_test(test_missing),
        cmocka_unit_test(test_changed), cmocka_unit_test(test_limit),
        cmocka_unit_test(test_threads), cmocka_unit_test(test_jobs),
        cmocka_unit_test(test_analyse), cmocka_unit_test(test_at_once),
        cmocka_unit_test(test_gpu),     cmocka_unit_test(test_plans),
        cmocka_unit_test(test_second_job),
        cmocka_unit_test(test_other_job), cmocka_unit_test(test_idle_limit),
        cmocka_unit_test(test_failed_job), cmocka_unit_test(test_two_threads),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
