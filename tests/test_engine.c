/* ONNX Runtime through engine.h: small models, right and wrong ones, written by tiny_models.py. */
#include "test_media.h"

#include <fcntl.h>
#include <glob.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/path.h"
#include "engine/engine.h"
#include "engine/cache.h"
#include "engine/native.h"
#include "engine/ort.h"

static struct rp_engine *engine;
static struct rp_device *device;
static struct rp_slot *slot;

/* The models, an engine, a slot. */
static int set_up(void **state)
{
    const char *const source = getenv("REPRISE_SOURCE");

    if (make_dir(state) || !source || shell("/usr/bin/python3 '%s/tests/tiny_models.py' .", source))
        return -1;
    if (rp_engine_create(&engine, NULL) < 0 || rp_device_cpu(&device) < 0)
        return -1;
    return 0;
}

static int tear_down(void **state)
{
    rp_device_destroy(&device);
    rp_engine_destroy(&engine);
    assert_null(engine);
    rp_engine_destroy(&engine);
    return remove_dir(state);
}

static int make_slot(void **state)
{
    (void) state;
    return rp_slot_create(&slot, device);
}

static int drop_slot(void **state)
{
    (void) state;
    rp_slot_destroy(&slot);
    assert_null(slot);
    return 0;
}

static int open_model(struct rp_model **out, const char *path)
{
    return rp_model_open(out, engine, device,
                         &(struct rp_model_params){.path = path, .threads = 1});
}

static struct rp_model *model_of(const char *name)
{
    struct rp_model *m;

    assert_int_equal(open_model(&m, in_dir(name)), 0);
    return m;
}

/* The last sentence is one line that contains all of these. */
static void assert_said(const char *a, const char *b)
{
    const char *const said = rp_last_error();

    if (strchr(said, '\n') || !strstr(said, a) || !strstr(said, b))
        fail_msg("the sentence is '%s', not with '%s' and '%s'", said, a, b);
}

/* ---- the library ----------------------------------------------------------------------------- */

static void test_version(void **state)
{
    int major = 0, minor = 0;

    (void) state;
    assert_int_equal(sscanf(rp_engine_version(engine), "%d.%d", &major, &minor), 2);
    assert_true(major > 1 || minor >= 16);
    assert_true(rp_path_is_file(rp_engine_library(engine)));
}

/* It is looked for when it is needed, at each time: then the sentence says what is wrong. */
static void assert_no_library(const char *library, const char *said)
{
    struct rp_engine *e;

    assert_int_equal(rp_engine_create(&e, library), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rp_engine_load(e), RP_ERR_UNSUPPORTED);
        assert_said(library, said);
    }
    assert_string_equal(rp_engine_version(e), "none");
    assert_false(rp_engine_has_cuda(e));
    rp_engine_destroy(&e);
}

static void test_no_library(void **state)
{
    (void) state;
    assert_no_library("/nowhere/libonnxruntime.so", "ONNX Runtime");
    assert_no_library(in_dir("random.onnx"), "");
    assert_no_library("libm.so.6", "not an ONNX Runtime library");
    assert_no_library(test_dir, "");
}

/* A network of our own opens and runs without it; one that is not is refused with its sentence. */
static void test_native_without_library(void **state)
{
    struct rp_engine *e;
    struct rp_model *m;
    struct rp_net *net;

    (void) state;
    assert_int_equal(rp_engine_create(&e, "/nowhere/libonnxruntime.so"), 0);
    assert_int_equal(rp_model_open(&m, e, device,
                                   &(struct rp_model_params){.path = in_dir("double.onnx"),
                                                             .by = RP_NETWORK_NATIVE}),
                     0);
    assert_true(rp_model_is_native(m));
    assert_int_equal(rp_net_open(&net, slot, m, NULL), 0);
    assert_int_equal(rp_net_run(net), 0);
    rp_net_close(&net);
    rp_model_close(&m);
    assert_int_equal(
        rp_model_open(&m, e, device, &(struct rp_model_params){.path = in_dir("double.onnx")}),
        RP_ERR_UNSUPPORTED);
    assert_null(m);
    assert_said("/nowhere/libonnxruntime.so", "ONNX Runtime");
    rp_engine_destroy(&e);
}

/* Engines come and go, several at a time. */
static void test_engines(void **state)
{
    struct rp_engine *a, *b;

    (void) state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rp_engine_create(&a, rp_engine_library(engine)), 0);
        assert_int_equal(rp_engine_load(a), 0);
        assert_int_equal(rp_engine_create(&b, NULL), 0);
        assert_int_equal(rp_engine_load(b), 0);
        rp_engine_destroy(&a);
        rp_engine_destroy(&b);
    }
}

/* ---- files ----------------------------------------------------------------------------------- */

static void test_broken_files(void **state)
{
    static const struct {
        const char *name;
        int status;
    } files[] = {
        {"half.onnx", RP_ERR_MODEL},  {"empty.onnx", RP_ERR_MODEL}, {"random.onnx", RP_ERR_MODEL},
        {"words.onnx", RP_ERR_MODEL}, {"none.onnx", RP_ERR_IO},     {".", RP_ERR_IO},
        {"long.onnx", RP_ERR_MODEL},  {"many.onnx", RP_ERR_MODEL},
    };

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(files); i++) {
        struct rp_model *m;

        assert_int_equal(open_model(&m, in_dir(files[i].name)), files[i].status);
        assert_null(m);
        assert_said(in_dir(files[i].name), "");
    }
}

/* Where a sum is asked for, only the file that has it is opened. */
static void test_sum(void **state)
{
    struct rp_model *m;
    struct rp_sums sums;
    struct stat st;
    struct rp_model_params p = {.path = in_dir("double.onnx"), .name = "double", .threads = 1};
    char other[RP_SHA256_HEX], digits[32];

    (void) state;
    assert_int_equal(stat(p.path, &st), 0);
    assert_int_equal(rp_sums_file(p.path, &sums), 0);
    p.sum = (struct rp_model_sum){st.st_size, sums.sha256};
    assert_int_equal(rp_model_open(&m, engine, device, &p), 0);
    assert_string_equal(rp_model_name(m), "double");
    rp_model_close(&m);

    memcpy(other, sums.sha256, sizeof(other));
    other[63] = other[63] == '0' ? '1' : '0';
    p.sum.sha256 = other;
    assert_int_equal(rp_model_open(&m, engine, device, &p), RP_ERR_MISSING);
    assert_null(m);
    assert_said(sums.sha256, other);
    assert_said("double.onnx: not the published double", "SHA-256");
    p.sum = (struct rp_model_sum){st.st_size + 1, sums.sha256};
    assert_int_equal(rp_model_open(&m, engine, device, &p), RP_ERR_MISSING);
    snprintf(digits, sizeof(digits), "%lld", (long long) st.st_size + 1);
    assert_said("size in bytes", digits);
}

/* A file cut at any length is refused or, if what is left is complete by itself, opened. */
static void test_every_cut(void **state)
{
    uint8_t *data;
    size_t size;
    int opened = 0;

    (void) state;
    assert_int_equal(rp_file_read(in_dir("double.onnx"), 1 << 20, &data, &size), 0);
    for (size_t n = 0; n < size; n++) {
        struct rp_model *m;
        FILE *const f = fopen(in_dir("cut.onnx"), "wb");

        assert_non_null(f);
        assert_int_equal(fwrite(data, 1, n, f), n);
        fclose(f);
        const int ret = open_model(&m, in_dir("cut.onnx"));
        assert_true(ret == 0 || ret == RP_ERR_MODEL);
        assert_true((ret == 0) == (m != NULL));
        opened += ret == 0;
        rp_model_close(&m);
    }
    assert_true(opened < 8);
    free(data);
}

/* ---- facts ----------------------------------------------------------------------------------- */

static void test_tensors(void **state)
{
    const struct rp_tensor_info *info;
    struct rp_model *m = model_of("sum.onnx");

    (void) state;
    assert_string_equal(rp_model_name(m), "sum.onnx");
    assert_int_equal(rp_model_inputs(m, &info), 2);
    assert_string_equal(info[0].name, "a");
    assert_string_equal(info[1].name, "b");
    assert_int_equal(info[1].type, RP_TYPE_F32);
    assert_int_equal(info[1].rank, 2);
    assert_int_equal(info[1].dim[0], 2);
    assert_int_equal(rp_model_outputs(m, &info), 2);
    assert_int_equal(info[1].type, RP_TYPE_I64);
    assert_int_equal(rp_model_find_input(m, "b"), 1);
    assert_int_equal(rp_model_find_input(m, "c"), -1);
    rp_model_close(&m);

    m = model_of("open.onnx");
    rp_model_inputs(m, &info);
    assert_int_equal(info[0].dim[0], -1);
    assert_int_equal(info[0].dim[1], 2);
    rp_model_close(&m);
}

static void test_expected_inputs(void **state)
{
    struct rp_model *m = model_of("double.onnx");

    (void) state;
    assert_int_equal(rp_model_expect_input(m, "x", 0, RP_TYPE_F32, 2, (int64_t[]){1, 3}), 0);
    assert_int_equal(rp_model_expect_input(m, NULL, 0, RP_TYPE_F32, 2, (int64_t[]){-1, 3}), 0);

    assert_int_equal(rp_model_expect_input(m, "y", 0, RP_TYPE_F32, 2, (int64_t[]){1, 3}),
                     RP_ERR_MODEL);
    assert_said(in_dir("double.onnx"), "no input 'y'");
    assert_int_equal(rp_model_expect_input(m, NULL, 1, RP_TYPE_F32, 2, (int64_t[]){1, 3}),
                     RP_ERR_MODEL);
    assert_int_equal(rp_model_expect_input(m, "x", 0, RP_TYPE_F32, 2, (int64_t[]){1, 4}),
                     RP_ERR_MODEL);
    assert_said("1x3", "1x4");
    assert_int_equal(rp_model_expect_input(m, "x", 0, RP_TYPE_F32, 4, (int64_t[]){-1, 3, 64, 64}),
                     RP_ERR_MODEL);
    assert_said("float32 1x3", "float32 ?x3x64x64");
    assert_int_equal(rp_model_expect_input(m, "x", 0, RP_TYPE_I64, 2, (int64_t[]){1, 3}),
                     RP_ERR_MODEL);
    assert_said("float32", "int64");

    assert_int_equal(rp_model_expect_outputs(m, 1), 0);
    assert_int_equal(rp_model_expect_outputs(m, 2), RP_ERR_MODEL);
    assert_said("has 1 outputs", "expected 2");
    rp_model_close(&m);
}

/* ---- runs ------------------------------------------------------------------------------------ */

static void test_run(void **state)
{
    struct rp_net *net;
    struct rp_model *m = model_of("double.onnx");

    (void) state;
    assert_int_equal(rp_net_open(&net, slot, m, NULL), 0);
    assert_int_equal(net->nin, 1);
    assert_int_equal(net->nout, 1);
    assert_int_equal(net->in[0].count, 3);
    assert_int_equal(net->out[0].bytes, 12);
    float *const x = net->in[0].data, *const y = net->out[0].data;

    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 3; i++) {
            x[i] = (float) (round * 3 + i);
            y[i] = -1;
        }
        assert_int_equal(rp_net_run(net), 0);
        for (int i = 0; i < 3; i++)
            assert_true(y[i] == 2 * x[i]);
        assert_ptr_equal(net->in[0].data, x); /* the buffers stay where they are */
        assert_ptr_equal(net->out[0].data, y);
    }
    rp_net_close(&net);
    assert_null(net);
    rp_net_close(&net);
    rp_model_close(&m);
}

static void test_shared_input(void **state)
{
    struct rp_net *net;
    struct rp_model *m = model_of("sum.onnx");
    static const float b[4] = {10, 20, 30, 40};
    void *shared;

    (void) state;
    assert_int_equal(rp_slot_constant(slot, b, sizeof(b), &shared), 0);
    assert_int_equal(rp_net_open(&net, slot, m, NULL), 0);
    assert_int_equal(rp_net_set_input(net, 1, shared), 0);
    memcpy(net->in[0].data, (float[]){1, 2, 3, 4}, 16);
    assert_int_equal(rp_net_run(net), 0);
    assert_memory_equal(net->out[0].data, ((float[]){11, 22, 33, 44}), 16);
    assert_memory_equal(net->out[1].data, ((int64_t[]){11, 22, 33, 44}), 32);
    assert_memory_equal(shared, b, sizeof(b));
    rp_net_close(&net);
    rp_model_close(&m);
}

/* Several nets of one model do not affect each other. */
static void test_two_slots(void **state)
{
    struct rp_slot *other;
    struct rp_net *a, *b;
    struct rp_model *m = model_of("double.onnx");

    (void) state;
    assert_int_equal(rp_slot_create(&other, device), 0);
    assert_int_equal(rp_net_open(&a, slot, m, NULL), 0);
    assert_int_equal(rp_net_open(&b, other, m, NULL), 0);
    memcpy(a->in[0].data, (float[]){1, 2, 3}, 12);
    memcpy(b->in[0].data, (float[]){4, 5, 6}, 12);
    assert_int_equal(rp_net_run(a), 0);
    assert_int_equal(rp_net_run(b), 0);
    assert_memory_equal(a->out[0].data, ((float[]){2, 4, 6}), 12);
    assert_memory_equal(b->out[0].data, ((float[]){8, 10, 12}), 12);
    rp_net_close(&a);
    rp_net_close(&b);
    rp_slot_destroy(&other);
    rp_model_close(&m);
}

static void test_open_sizes(void **state)
{
    struct rp_net *net;
    struct rp_model *m = model_of("open.onnx");

    (void) state;
    assert_int_equal(rp_net_open(&net, slot, m, (const int64_t *const[]){(int64_t[]){3, 2}}), 0);
    assert_int_equal(net->in[0].count, 6);
    assert_int_equal(net->out[0].rank, 2);
    assert_int_equal(net->out[0].dim[0], 6);
    assert_int_equal(net->out[0].count, 12);
    memcpy(net->in[0].data, (float[]){1, 2, 3, 4, 5, 6}, 24);
    assert_int_equal(rp_net_run(net), 0);
    assert_memory_equal(net->out[0].data, ((float[]){1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6}), 48);
    rp_net_close(&net);

    assert_int_equal(rp_net_open(&net, slot, m, NULL), RP_ERR_MODEL); /* its size is not known */
    assert_null(net);
    assert_said(in_dir("open.onnx"), "'x'");
    rp_model_close(&m);

    m = model_of("unnamed.onnx");
    assert_int_equal(rp_net_open(&net, slot, m, NULL), 0);
    assert_int_equal(net->out[0].dim[0], 1);
    assert_int_equal(net->out[0].dim[1], 3);
    rp_net_close(&net);
    rp_model_close(&m);
}

/* A size that the file does not allow fails when it is run, if not before, and never crashes. */
static void test_wrong_sizes(void **state)
{
    struct rp_net *net;
    struct rp_model *m = model_of("double.onnx");
    int ret;

    (void) state;
    ret = rp_net_open(&net, slot, m, (const int64_t *const[]){(int64_t[]){1, 5}});
    if (ret == 0)
        ret = rp_net_run(net);
    assert_int_equal(ret, RP_ERR_MODEL);
    assert_said(in_dir("double.onnx"), "");
    rp_net_close(&net);
    assert_int_equal(rp_net_open(&net, slot, m,
                                 (const int64_t *const[]){(int64_t[]){1 << 20, 1 << 20}}),
                     RP_ERR_MODEL);
    assert_null(net);
    rp_model_close(&m);
}

/* An output's size that depends on values was learnt with zeros; another size is refused. */
static void test_size_by_values(void **state)
{
    struct rp_net *net;
    struct rp_model *m = model_of("values.onnx");

    (void) state;
    assert_int_equal(rp_net_open(&net, slot, m, NULL), 0);
    assert_int_equal(net->out[0].count, 0);
    assert_int_equal(rp_net_run(net), 0);
    memcpy(net->in[0].data, (float[]){0, 1, 0, 1}, 16);
    assert_int_equal(rp_net_run(net), RP_ERR_MODEL);
    memset(net->in[0].data, 0, 16);
    assert_int_equal(rp_net_run(net), 0);
    rp_net_close(&net);
    rp_model_close(&m);
}

static void test_other_types(void **state)
{
    struct rp_net *net;
    const struct rp_tensor_info *info;
    struct rp_model *m = model_of("text.onnx");

    (void) state;
    rp_model_inputs(m, &info);
    assert_int_equal(info[0].type, RP_TYPE_OTHER);
    assert_int_equal(rp_net_open(&net, slot, m, NULL), RP_ERR_MODEL);
    assert_null(net);
    assert_said("'x'", "type");
    rp_model_close(&m);
}

/* ---- our own operations ---------------------------------------------------------------------- */

static struct rp_model *natively(const char *name, bool native)
{
    struct rp_model *m;

    assert_int_equal(rp_model_open(&m, engine, device,
                                   &(struct rp_model_params){.path = in_dir(name), .threads = 1,
                                                             .by = RP_NETWORK_NATIVE}),
                     0);
    assert_int_equal(rp_model_is_native(m), native);
    return m;
}

/* ---- kept plans ---- */

static struct rp_model *native_with(struct rp_cache *cache)
{
    struct rp_model *m;

    assert_int_equal(rp_model_open(&m, engine, device,
                                   &(struct rp_model_params){.path = in_dir("conv.onnx"),
                                                             .cache = cache,
                                                             .by = RP_NETWORK_NATIVE}),
                     0);
    assert_true(rp_model_is_native(m));
    return m;
}

/* What it makes of x = 0, 1, 2, ... in so many rows. */
static void result_of(struct rp_model *m, int rows, float *y, size_t n)
{
    struct rp_net *net;
    const int64_t dim[] = {rows, 3, 8, 8}, *const dims[] = {dim};

    assert_int_equal(rp_net_open(&net, slot, m, dims), 0);
    for (size_t i = 0; i < net->in[0].count; i++)
        ((float *) net->in[0].data)[i] = (float) (i % 192) / 192;
    assert_int_equal(rp_net_run(net), 0);
    assert_int_equal(net->out[0].count, n);
    memcpy(y, net->out[0].data, n * sizeof(*y));
    rp_net_close(&net);
}

#define OUT 512 /* numbers of its result: 8x8x8 */

/* Entries of the cache, by kind; the newest state of one is at `path`. */
static int count_files(const char *folder, char *const paths[], int most)
{
    char pattern[1200];
    glob_t found;

    snprintf(pattern, sizeof(pattern), "%s/*.onnx", folder);
    const int n = glob(pattern, 0, NULL, &found) ? 0 : (int) found.gl_pathc;
    for (int i = 0; i < n && i < most; i++)
        snprintf(paths[i], 1200, "%s", found.gl_pathv[i]);
    globfree(&found);
    return n;
}

static void set_byte(const char *path, off_t at, uint8_t v)
{
    const int fd = open(path, O_WRONLY);

    assert_int_equal(pwrite(fd, &v, 1, at), 1);
    close(fd);
}

/* The second time the model is what was kept: its file is not read, as shows when that is nonsense
 * with the same stamp. */
static void test_kept(void **state)
{
    struct stat st;
    struct rp_cache *cache;
    struct rp_model *m;
    float first[OUT], again[OUT];
    static char path[4][1200];
    char *const paths[] = {path[0], path[1], path[2], path[3]};

    (void) state;
    assert_int_equal(rp_cache_open(&cache, in_dir("kept-plans")), 0);
    m = native_with(cache);
    result_of(m, 1, first, OUT);
    rp_model_close(&m);
    assert_int_equal(count_files(in_dir("kept-plans"), paths, 4), 2); /* a plan, its constants */
    for (int i = 0; i < 2; i++) { /* cut, or changed in the middle: noticed, and made again */
        assert_int_equal(stat(paths[i], &st), 0);
        for (int how = 0; how < 3; how++) {
            if (how == 0)
                assert_int_equal(truncate(paths[i], st.st_size / 2), 0);
            else
                set_byte(paths[i], how == 1 ? 20 : st.st_size / 2, 0xa5);
            m = native_with(cache);
            result_of(m, 1, again, OUT);
            assert_memory_equal(first, again, sizeof(first));
            rp_model_close(&m);
            assert_int_equal(count_files(in_dir("kept-plans"), paths, 4), 2);
        }
    }
    assert_int_equal(stat(in_dir("conv.onnx"), &st), 0);
    for (off_t at = 70000; at < 71000; at++)
        set_byte(in_dir("conv.onnx"), at, (uint8_t) at);
    for (int i = 0; i < 2; i++) {
        const struct timespec times[2] = {st.st_atim, st.st_mtim};

        assert_int_equal(utimensat(AT_FDCWD, in_dir("conv.onnx"), times, 0), 0);
        m = native_with(cache);
        result_of(m, 1, again, OUT);
        assert_memory_equal(first, again, sizeof(first));
        rp_model_close(&m);
    }
    m = native_with(NULL); /* and now it is */
    result_of(m, 1, first, OUT);
    assert_memory_not_equal(first, again, sizeof(first));
    rp_model_close(&m);
    rp_cache_close(&cache);
    assert_int_equal(shell("rm -r kept-plans"), 0);
}

/* One set of weights for all numbers of rows, on the device and on disk. */
static void test_native_rows(void **state)
{
    struct rp_cache *cache;
    struct rp_model *m, *four;
    static float one[OUT], all[4 * OUT];
    static char path[4][1200];
    char *const paths[] = {path[0], path[1], path[2], path[3]};

    (void) state;
    assert_int_equal(rp_cache_open(&cache, in_dir("rows")), 0);
    m = native_with(cache);
    result_of(m, 1, one, OUT);
    const size_t bytes = rp_native_weights(m);
    assert_true(bytes > 0);
    assert_int_equal(rp_model_rows(&four, m, 4), 0);
    assert_ptr_equal(four, m);
    result_of(four, 4, all, 4 * OUT);
    for (int i = 0; i < 4; i++)
        assert_memory_equal(one, all + (size_t) i * OUT, sizeof(one));
    assert_int_equal(rp_native_weights(m), bytes);
    rp_model_close(&m);
    assert_int_equal(count_files(in_dir("rows"), paths, 4), 3);
    rp_cache_close(&cache);
    assert_int_equal(shell("rm -r rows"), 0);
}

/* The same nets without ONNX Runtime: fixed and open sizes, an input that is elsewhere. */
static void test_native(void **state)
{
    struct rp_net *net, *other;
    struct rp_model *m = natively("double.onnx", true);
    float elsewhere[3] = {7, 8, 9};

    (void) state;
    assert_int_equal(rp_net_open(&net, slot, m, NULL), 0);
    assert_int_equal(rp_net_open(&other, slot, m, NULL), 0);
    memcpy(net->in[0].data, (float[]){1, 2, 3}, 12);
    memcpy(other->in[0].data, (float[]){4, 5, 6}, 12);
    assert_int_equal(rp_net_run(net), 0);
    assert_int_equal(rp_net_run(other), 0);
    assert_memory_equal(net->out[0].data, ((float[]){2, 4, 6}), 12);
    assert_memory_equal(other->out[0].data, ((float[]){8, 10, 12}), 12);
    assert_int_equal(rp_net_bind_input(net, 0, elsewhere), 0);
    assert_int_equal(rp_net_run(net), 0);
    assert_memory_equal(net->out[0].data, ((float[]){14, 16, 18}), 12);
    rp_net_close(&net);
    rp_net_close(&other);
    assert_int_equal(rp_net_open(&net, slot, m, (const int64_t *const[]){(int64_t[]){1, 5}}),
                     RP_ERR_MODEL);
    assert_null(net);
    rp_model_close(&m);

    m = natively("open.onnx", true);
    for (int n = 3; n > 0; n--) {
        assert_int_equal(rp_net_open(&net, slot, m, (const int64_t *const[]){(int64_t[]){n, 2}}),
                         0);
        assert_int_equal(net->out[0].dim[0], 2 * n);
        memcpy(net->in[0].data, (float[]){1, 2, 3, 4, 5, 6}, (size_t) n * 8);
        assert_int_equal(rp_net_run(net), 0);
        assert_memory_equal((float *) net->out[0].data + 2 * n, net->in[0].data, (size_t) n * 8);
        rp_net_close(&net);
    }
    rp_model_close(&m);
}

/* What ours cannot do ONNX Runtime does. */
static void test_not_native(void **state)
{
    static const char *const names[] = {"values.onnx", "text.onnx"};

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(names); i++) {
        struct rp_model *m = natively(names[i], false);
        const struct rp_tensor_info *info;

        assert_true(rp_model_inputs(m, &info) > 0);
        rp_model_close(&m);
    }
}

/* ---- what ONNX Runtime says ------------------------------------------------------------------- */

static const char *says(const OrtStatus *status)
{
    return (const char *) status;
}

static void release(OrtStatus *status)
{
    (void) status;
}

/* Of the machine's failures another try may be better; a model's is there to stay. */
static void test_whose_failure(void **state)
{
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        {"Non-zero status code returned while running Relu node. Name:'Relu_1' Status Message: CUDA "
         "error cudaErrorMemoryAllocation:out of memory", RP_ERR_DEVICE_MEM},
        {"Non-zero status code returned while running Add node. Name:'Add_1' Status Message: CUDA error "
         "cudaErrorLaunchFailure:unspecified launch failure", RP_ERR_DEVICE},
        {"CUDNN failure 5003: CUDNN_STATUS_EXECUTION_FAILED", RP_ERR_DEVICE},
        {"CUDNN_FE failure 11: CUDNN_BACKEND_API_FAILED ; GPU=0", RP_ERR_DEVICE},
        {"CUDNN failure 3000: CUDNN_STATUS_NOT_SUPPORTED", RP_ERR_MODEL},
        {"std::bad_alloc", RP_ERR_NOMEM},
        {"Load model from x.onnx failed: Protobuf parsing failed.\nCUDA error", RP_ERR_MODEL},
    };
    const OrtApi api = {.GetErrorMessage = says, .ReleaseStatus = release};

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(cases); i++) {
        const union {
            const char *text;
            OrtStatus *status;
        } as = {.text = cases[i].text};
        assert_int_equal(rp_ort_fail(&api, as.status, RP_ERR_MODEL, "x.onnx"), cases[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whose_failure),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_no_library),
        cmocka_unit_test_setup_teardown(test_native_without_library, make_slot, drop_slot),
        cmocka_unit_test_setup_teardown(test_kept, make_slot, drop_slot),
        cmocka_unit_test_setup_teardown(test_native_rows, make_slot, drop_slot),
        cmocka_unit_test(test_engines),
        cmocka_unit_test(test_broken_files),
        cmocka_unit_test(test_sum),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_expected_inputs),
        cmocka_unit_test_setup_teardown(test_run, make_slot, drop_slot),
        cmocka_unit_test_setup_teardown(test_shared_input, make_slot, drop_slot),
        cmocka_unit_test_setup_teardown(test_two_slots, make_slot, drop_slot),
        cmocka_unit_test_setup_teardown(test_open_sizes, make_slot, drop_slot),
        cmocka_unit_test_setup_teardown(test_wrong_sizes, make_slot, drop_slot),
        cmocka_unit_test_setup_teardown(test_size_by_values, make_slot, drop_slot),
        cmocka_unit_test_setup_teardown(test_other_types, make_slot, drop_slot),
        cmocka_unit_test_setup_teardown(test_native, make_slot, drop_slot),
        cmocka_unit_test(test_not_native),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
