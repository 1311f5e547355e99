/* Whether a network may be stored as float16: small ones made here, on the processor, where the C
 * operations round to TF32 as a GPU does. */
#include "test_media.h"

#include <math.h>

#include "base/path.h"
#include "engine/cache.h"
#include "engine/compare.h"
#include "engine/form.h"
#include "engine/precision.h"
#include "onnx/write.h"

#define DIMS(...)     \
    (const int64_t[]) \
    {                 \
        __VA_ARGS__   \
    }

static struct rp_engine *engine;
static struct rp_device *device;

static int set_up(void **state)
{
    if (make_dir(state))
        return -1;
    return rp_engine_create(&engine, NULL) < 0 || rp_device_cpu(&device) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    rp_device_destroy(&device);
    rp_engine_destroy(&engine);
    return remove_dir(state);
}

/* ---- networks -------------------------------------------------------------------------------- */

static void conv(struct rp_onnx_out *o, const char *text)
{
    const size_t node = rp_onnx_begin_node(o, text);

    rp_onnx_put_ints(o, "pads", 4, DIMS(1, 1, 1, 1));
    rp_onnx_end(o, node);
}

/* x [1][8][16][16] by a convolution whose bias is `offset`, which is then subtracted, and by two
 * more whose weights are multiplied, and divided, by `gain`. */
static const char *network(const char *name, float offset, float gain)
{
    static uint8_t b[1 << 16];
    uint32_t seed = 7;
    float w[8 * 8 * 9], bias[8];
    struct rp_onnx_out o = {.data = b, .size = sizeof(b)};
    const size_t graph = rp_onnx_begin_model(&o, name);

    conv(&o, "Conv x w bias > a");
    rp_onnx_put_node(&o, "Relu a > r");
    rp_onnx_put_node(&o, "Sub r offset > b");
    conv(&o, "Conv b v > c");
    conv(&o, "Conv c u > y");
    for (int i = 0; i < 8; i++)
        bias[i] = offset;
    rp_fill_floats(w, RP_ARRAY_LEN(w), -0.2f, 0.4f, &seed);
    rp_onnx_put_weight(&o, "w", RP_ONNX_FLOAT, 4, DIMS(8, 8, 3, 3), w, sizeof(w));
    rp_onnx_put_weight(&o, "bias", RP_ONNX_FLOAT, 1, DIMS(8), bias, sizeof(bias));
    rp_onnx_put_weight(&o, "offset", RP_ONNX_FLOAT, 0, NULL, &offset, sizeof(offset));
    for (size_t i = 0; i < RP_ARRAY_LEN(w); i++)
        w[i] *= gain;
    rp_onnx_put_weight(&o, "v", RP_ONNX_FLOAT, 4, DIMS(8, 8, 3, 3), w, sizeof(w));
    for (size_t i = 0; i < RP_ARRAY_LEN(w); i++)
        w[i] /= gain * gain;
    rp_onnx_put_weight(&o, "u", RP_ONNX_FLOAT, 4, DIMS(8, 8, 3, 3), w, sizeof(w));
    rp_onnx_put_value(&o, RP_ONNX_INPUT, "x", 4, DIMS(1, 8, 16, 16));
    rp_onnx_put_value(&o, RP_ONNX_OUTPUT, "y", 4, DIMS(1, 8, 16, 16));
    assert_int_equal(rp_onnx_end_model(&o, graph), 0);
    assert_int_equal(rp_file_write(in_dir(name), b, o.n), 0);
    return in_dir(name);
}

static struct rp_model_params params_of(const char *path, enum rp_precision precision)
{
    return (struct rp_model_params){
        .path = path, .threads = 1, .by = RP_NETWORK_NATIVE, .precision = precision};
}

static struct rp_model *open_form(const char *path, enum rp_precision precision)
{
    struct rp_model *m;
    const struct rp_model_params p = params_of(path, precision);

    assert_int_equal(rp_form_open(&m, engine, device, &p, RP_MEASURE_ALL), 0);
    assert_true(rp_model_is_native(m));
    return m;
}

static struct rp_precision_facts measured(const char *path)
{
    struct rp_model *full, *half;
    struct rp_precision_facts f;
    struct rp_model_params p = params_of(path, RP_PRECISION_TF32);

    assert_int_equal(rp_model_open(&full, engine, device, &p), 0);
    p.precision = RP_PRECISION_FP16;
    assert_int_equal(rp_model_open(&half, engine, device, &p), 0);
    assert_int_equal(rp_model_precision(half).taken, RP_PRECISION_FP16);
    assert_int_equal(rp_precision_measure(full, half, 1, &f), 0);
    assert_true(f.measured);
    rp_model_close(&full);
    rp_model_close(&half);
    return f;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_near(void **state)
{
    struct rp_precision_facts f = {.tf32 = {1e-3, 4e-3}, .fp16 = {1.9e-3, 7e-3}};

    (void) state;
    assert_true(rp_precision_is_near(&f));
    f.fp16.rms = 2.1e-3;
    assert_false(rp_precision_is_near(&f));
    f.fp16 = (struct rp_errors){1e-3, 9e-3};
    assert_false(rp_precision_is_near(&f));
    f.fp16 = (struct rp_errors){INFINITY, INFINITY};
    f.tf32 = f.fp16;
    assert_false(rp_precision_is_near(&f));
    f = (struct rp_precision_facts){.tf32 = {1e-7, 1e-7},
                                    .fp16 = {4e-4, 9e-4}}; /* nobody sees it */
    assert_true(rp_precision_is_near(&f));
}

/* Small networks stay float32; of large ones those whose TF32 moves where it is seen. */
static void test_best(void **state)
{
    struct rp_precision_facts f = {.tf32 = {1e-3, 4e-3}, .fp16 = {1.9e-3, 7e-3}, .flop = 2e9};

    (void) state;
    assert_int_equal(rp_precision_best(&f), RP_PRECISION_FP16);
    f.flop = 1e8;
    assert_int_equal(rp_precision_best(&f), RP_PRECISION_FP32);
    f.flop = 2e9;
    f.fp16.rms = 1e-2;
    assert_int_equal(rp_precision_best(&f), RP_PRECISION_FP32);
    f.tf32 = (struct rp_errors){4e-4, 9e-4};
    assert_int_equal(rp_precision_best(&f), RP_PRECISION_TF32);
    assert_string_equal(rp_precision_names[RP_PRECISION_FP32], "fp32");
}

/* An ordinary network moves by as much. What the three runs give is not the same. */
static void test_ordinary(void **state)
{
    (void) state;
    const struct rp_precision_facts f = measured(network("ordinary.onnx", 0, 1));

    assert_true(rp_precision_is_near(&f));
    assert_true(f.flop == 3 * 2 * 256 * 8 * 72 + 2 * 256 * 8); /* three, and the subtraction */
    if (!(f.tf32.rms > 1e-5 && f.tf32.rms < 2e-3 && f.tf32.most < 5e-3 && f.fp16.rms > 1e-5 &&
          f.fp16.rms < 2e-3 && f.fp16.most < 5e-3))
        fail_msg("TF32 %g %g, float16 %g %g", f.tf32.rms, f.tf32.most, f.fp16.rms, f.fp16.most);
}

/* Of numbers below 6e-5 float16 loses bits that TF32 keeps. */
static void test_lossy(void **state)
{
    (void) state;
    const struct rp_precision_facts f = measured(network("lossy.onnx", 0, 4e-6f));

    assert_false(rp_precision_is_near(&f));
    if (!(f.tf32.rms < 2e-3 && f.fp16.rms > 1e-2 && isfinite(f.fp16.rms)))
        fail_msg("TF32 %g, float16 %g", f.tf32.rms, f.fp16.rms);
}

/* What is subtracted before it is multiplied is not rounded before: it may be large. */
static void test_subtracted(void **state)
{
    (void) state;
    const struct rp_precision_facts f = measured(network("subtracted.onnx", 1000, 1));

    assert_true(rp_precision_is_near(&f));
    if (!(f.tf32.rms < 2e-3 && f.fp16.rms < 2e-3))
        fail_msg("TF32 %g, float16 %g", f.tf32.rms, f.fp16.rms);
}

/* Numbers beyond 65504: asked for or not, it is not stored as float16. */
static void test_overflow(void **state)
{
    (void) state;
    const char *const path = network("overflow.onnx", 0, 1e6f);
    const struct rp_precision_facts f = measured(path);

    assert_false(rp_precision_is_near(&f));
    assert_true(isinf(f.fp16.rms) && f.tf32.rms < 2e-3);
    struct rp_model *m = open_form(path, RP_PRECISION_FP16);
    assert_int_equal(rp_model_precision(m).taken, RP_PRECISION_TF32);
    rp_model_close(&m);
}

/* On the processor auto is float32, and float16 is there for who asks. */
static void test_asked(void **state)
{
    static const enum rp_precision want[] = {[RP_PRECISION_AUTO] = RP_PRECISION_TF32,
                                             [RP_PRECISION_TF32] = RP_PRECISION_TF32,
                                             [RP_PRECISION_FP16] = RP_PRECISION_FP16,
                                             [RP_PRECISION_FP32] = RP_PRECISION_FP32};

    (void) state;
    const char *const path = network("asked.onnx", 0, 1);
    for (size_t i = 0; i < RP_ARRAY_LEN(want); i++) {
        struct rp_model *m = open_form(path, (enum rp_precision) i);

        assert_int_equal(rp_model_precision(m).taken, want[i]);
        assert_false(rp_model_precision(m).measured);
        rp_model_close(&m);
    }
}

/* What was found is kept for this file, and for no other. */
static void test_kept(void **state)
{
    char text[400];
    struct rp_cache *cache;
    struct rp_model *m;
    struct rp_precision_facts f;
    struct rp_model_params p;

    (void) state;
    assert_int_equal(rp_cache_open(&cache, in_dir("cache")), 0);
    for (int overflows = 0; overflows < 2; overflows++) {
        p = params_of(network(overflows ? "kept2.onnx" : "kept.onnx", 0, overflows ? 1e6f : 1),
                      RP_PRECISION_AUTO);
        p.cache = cache;
        assert_int_equal(rp_model_open(&m, engine, device, &p), 0);
        assert_false(rp_precision_recall(device, &p, &f));
        assert_int_equal(rp_precision_choose(&m, &p), 0);
        const struct rp_precision_facts found = rp_model_precision(m);
        assert_true(found.measured);
        assert_int_equal(found.taken, RP_PRECISION_FP32); /* it is small */
        assert_true(rp_precision_recall(device, &p, &f));
        assert_int_equal(f.taken, found.taken);
        rp_precision_describe(cache, p.path, text, sizeof(text));
        assert_non_null(strstr(text, device->title));
        assert_non_null(strstr(text, ": fp32 (TF32 "));
        assert_true(f.flop == found.flop && fabs(f.tf32.rms - found.tf32.rms) <= 1e-12);
        assert_true(overflows ? isinf(f.fp16.most) : fabs(f.fp16.most - found.fp16.most) <= 1e-12);
        rp_model_close(&m);
    }
    rp_cache_close(&cache);
    assert_int_equal(shell("rm -r cache"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_near),       cmocka_unit_test(test_best),
        cmocka_unit_test(test_ordinary),   cmocka_unit_test(test_lossy),
        cmocka_unit_test(test_subtracted), cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_asked),      cmocka_unit_test(test_kept),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
