/* Networks by our own operations: small files made here become steps, and are run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "nets/lower.h"
#include "nets/keep.h"
#include "nets/reach.h"
#include "nets/run.h"
#include "onnx/write.h"

#define DIMS(...)     \
    (const int64_t[]) \
    {                 \
        __VA_ARGS__   \
    }

/* ---- making and running a file --------------------------------------------------------------- */

#define MOST_INPUT (7 << 18) /* numbers */
#define MOST_RESULT (1 << 18)

struct model {
    uint8_t b[1 << 17];
    struct rp_onnx_out out;
    size_t graph;
    struct rp_nn_graph *g;
    struct rp_nn_plan *plan;
    enum rp_act_type storage;
    float result[MOST_RESULT];
};

static struct model *begin(void)
{
    struct model *const m = calloc(1, sizeof(*m));

    assert_non_null(m);
    m->out = (struct rp_onnx_out){.data = m->b, .size = sizeof(m->b)};
    m->graph = rp_onnx_begin_model(&m->out, "test");
    return m;
}

static void end(struct model *m)
{
    rp_nn_plan_free(&m->plan);
    rp_nn_graph_free(&m->g);
    free(m);
}

static float noise(int i)
{
    return (float) ((i % 101 * 7919 + 13) % 101) / 50.0f - 1;
}

/* A weight of noise from `seed` on. */
static void weight(struct model *m, const char *name, int rank, const int64_t *dim, int seed)
{
    float v[1 << 14];
    size_t n = 1;

    for (int i = 0; i < rank; i++)
        n *= (size_t) dim[i];
    assert_true(n <= RP_ARRAY_LEN(v));
    for (size_t i = 0; i < n; i++)
        v[i] = noise(seed + (int) i);
    rp_onnx_put_weight(&m->out, name, RP_ONNX_FLOAT, rank, dim, v, n * sizeof(float));
}

static void whole(struct model *m, const char *name, int n, const int64_t *v)
{
    rp_onnx_put_weight(&m->out, name, RP_ONNX_INT64, 1, DIMS(n), v, (size_t) n * sizeof(int64_t));
}

static void number(struct model *m, const char *name, float v)
{
    rp_onnx_put_weight(&m->out, name, RP_ONNX_FLOAT, 0, NULL, &v, sizeof(v));
}

static void node_ints(struct model *m, const char *text, const char *attribute, int n,
                      const int64_t *v)
{
    const size_t node = rp_onnx_begin_node(&m->out, text);

    rp_onnx_put_ints(&m->out, attribute, n, v);
    rp_onnx_end(&m->out, node);
}

static void ends(struct model *m, int rank, const int64_t *in, int out_rank, const int64_t *out)
{
    rp_onnx_put_value(&m->out, RP_ONNX_INPUT, "x", rank, in);
    rp_onnx_put_value(&m->out, RP_ONNX_OUTPUT, "y", out_rank, out);
}

static int plan(struct model *m)
{
    int ret;

    assert_int_equal(rp_onnx_end_model(&m->out, m->graph), 0);
    ret = rp_nn_graph_read(&m->g, "test", m->b, m->out.n, NULL);
    return ret < 0 ? ret : rp_nn_plan_make(&m->plan, m->g, m->storage);
}

/* What comes back from bytes is this plan, whose constants `weights` becomes. */
static void keep(struct model *m, void *weights)
{
    size_t size;
    void *bytes;
    struct rp_nn_plan *kept;
    struct rp_nn_sum sum, back, all = {{0}};

    rp_nn_plan_weights(m->plan, weights);
    assert_int_equal(rp_nn_plan_sum(m->plan, &sum), 0);
    rp_nn_sum_add(&all, weights, m->plan->weights);
    assert_true(rp_nn_sum_same(&sum, &all));
    assert_int_equal(rp_nn_keep(m->plan, &sum, &bytes, &size), 0);
    assert_true(rp_nn_plan_is_sound(m->plan));
    assert_int_equal(rp_nn_kept(&kept, &back, bytes, size), 0);
    assert_true(rp_nn_sum_same(&sum, &back));
    free(bytes);
    rp_nn_plan_free(&m->plan);
    m->plan = kept;
}

/* The result of x = noise(0), noise(1), ... */
static const float *run(struct model *m)
{
    static float x[MOST_INPUT];
    struct rp_nn_run *r;
    struct rp_nn_place place = {.in = {x}, .out = {m->result}};

    if (plan(m) < 0)
        fail_msg("not native: %s", m->g ? m->g->why : "?");
    for (int i = 0; i < MOST_INPUT; i++)
        x[i] = noise(i);
    void *const arena = aligned_alloc(256, m->plan->arena + 256), *const weights = aligned_alloc(
                                                                      256, m->plan->weights + 256);
    memset(arena, 0, m->plan->arena);
    memset(weights, 0, m->plan->weights);
    keep(m, weights);
    place.arena = arena;
    place.weights = weights;
    assert_int_equal(rp_nn_run_create(&r, m->plan, &place), 0);
    for (int twice = 0; twice < 2; twice++) /* the second finds what the first one left */
        assert_int_equal(rp_nn_run_go(r, &rp_ops_c, NULL), 0);
    rp_nn_run_free(&r);
    free(arena);
    free(weights);
    return m->result;
}

/* ---- rows and storage ------------------------------------------------------------------------ */

#define ROW 2048 /* numbers of an input's row: as few as are stored as float16 */
#define MANY 4

/* A finished file over so many rows of [8][16][16], which are noise from `first` rows on. */
static size_t run_rows(struct model *m, enum rp_act_type storage, int rows, int first, float *y)
{
    size_t out = 1;
    struct rp_nn_run *r;
    float *const x = calloc(MANY * ROW, sizeof(*x));
    struct rp_nn_place place = {.in = {x}, .out = {y}};
    const int64_t dim[] = {rows, 8, 16, 16}, *const dims[] = {dim};

    rp_nn_plan_free(&m->plan);
    rp_nn_graph_free(&m->g);
    assert_true(rp_nn_graph_read(&m->g, "test", m->b, m->out.n, dims) >= 0);
    if (rp_nn_plan_make(&m->plan, m->g, storage) < 0)
        fail_msg("not native: %s", m->g->why);
    for (int i = 0; i < rows * ROW; i++)
        x[i] = noise(first * ROW + i) + noise((first * ROW + i) / 57) / 3;
    for (int i = 0; i < m->plan->out[0].rank; i++)
        out *= (size_t) m->plan->out[0].dim[i];
    assert_true(out <= MANY * ROW);
    place.arena = aligned_alloc(256, m->plan->arena + 256);
    void *const weights = aligned_alloc(256, m->plan->weights + 256);
    memset(place.arena, 0, m->plan->arena);
    memset(weights, 0, m->plan->weights);
    keep(m, weights);
    place.weights = weights;
    assert_int_equal(rp_nn_run_create(&r, m->plan, &place), 0);
    assert_int_equal(rp_nn_run_go(r, &rp_ops_c, NULL), 0);
    rp_nn_run_free(&r);
    free(place.arena);
    free(weights);
    free(x);
    return out;
}

static void finish(struct model *m, int out_rank, const int64_t *out)
{
    ends(m, 4, DIMS(-1, 8, 16, 16), out_rank, out);
    assert_int_equal(rp_onnx_end_model(&m->out, m->graph), 0);
}

/* How many steps are this operation. */
static int steps(const struct model *m, enum rp_nn_op op)
{
    int n = 0;

    for (int i = 0; i < m->plan->nsteps; i++)
        n += m->plan->step[i].op == op;
    return n;
}

static void near(float got, double want)
{
    if (!(fabs(got - want) <= 1e-5 * (1 + fabs(want))))
        fail_msg("%.8g instead of %.8g", (double) got, want);
}

/* Bytes that were cut or changed are noticed, and those that would leave a buffer. */
static void test_kept(void **state)
{
    size_t size;
    uint8_t *bytes;
    struct rp_nn_plan *kept;
    struct rp_nn_sum sum = {{0}};
    struct model *const m = begin();

    (void) state;
    weight(m, "w", 4, DIMS(8, 8, 3, 3), 3);
    rp_onnx_put_node(&m->out, "Conv x w > y");
    ends(m, 4, DIMS(1, 8, 6, 6), 4, DIMS(1, 8, 4, 4));
    assert_int_equal(plan(m), 0);
    assert_int_equal(rp_nn_keep(m->plan, &sum, (void **) &bytes, &size), 0);
    for (size_t n = 0; n < size; n++) {
        assert_int_equal(rp_nn_kept(&kept, &sum, bytes, n), RP_ERR_MODEL);
        bytes[n] ^= 1;
        assert_int_equal(rp_nn_kept(&kept, &sum, bytes, size), RP_ERR_MODEL);
        bytes[n] ^= 1;
    }
    free(bytes);
    for (int i = 0; i < m->plan->nsteps; i++) {
        struct rp_nn_step *const s = &m->plan->step[i], whole_step = *s;

        for (int k = 0; k < s->nfix; k++) {
            s->fix[k].bytes += 1 << 20;
            assert_false(rp_nn_plan_is_sound(m->plan));
            s->fix[k].bytes = -16;
            assert_false(rp_nn_plan_is_sound(m->plan));
            *s = whole_step;
            s->fix[k].at += 4;
            assert_false(rp_nn_plan_is_sound(m->plan));
            *s = whole_step;
            s->fix[k].buffer = m->plan->nbuffers;
            assert_false(rp_nn_plan_is_sound(m->plan));
            *s = whole_step;
        }
        s->nfix--; /* all are needed here */
        assert_false(rp_nn_plan_is_sound(m->plan));
        *s = whole_step;
        if (s->op == RP_NN_OP_net_conv) {
            s->args.net_conv.src.h += 1000;
            assert_false(rp_nn_plan_is_sound(m->plan));
            *s = whole_step;
            s->args.net_conv.stride_h = 0;
            assert_false(rp_nn_plan_is_sound(m->plan));
            *s = whole_step;
        }
        assert_true(rp_nn_plan_is_sound(m->plan));
    }
    end(m);
}

/* ---- views ----------------------------------------------------------------------------------- */

static void test_view(void **state)
{
    struct rp_nn_view v = {.buffer = 0}, w;
    struct rp_nn_act a;
    struct rp_nn_parts parts;

    (void) state;
    /* [2][16][3][5] as NHWC: 16 numbers from pixel to pixel */
    assert_int_equal(rp_nn_dense(&v, 4, DIMS(2, 16, 3, 5), (const int[]){0, 2, 3, 1}), 480);
    assert_true(rp_nn_parts_nchw(4, &parts));
    assert_true(rp_nn_as_act(&v, &parts, &a));
    assert_int_equal(a.ld, 16);
    assert_int_equal(a.w, 5);
    w = v; /* channels 8 to 15 of it are a tensor, 4 to 15 are not: they begin between */
    rp_nn_slice(&w, 1, 8, 8, 1);
    assert_true(rp_nn_as_act(&w, &parts, &a));
    assert_int_equal(a.at, 8);
    assert_int_equal(a.ld, 16);
    w = v;
    rp_nn_slice(&w, 1, 4, 12, 1);
    assert_false(rp_nn_as_act(&w, &parts, &a));
    w = v; /* the pixels as tokens: transposed, they are rows already */
    assert_true(rp_nn_reshape(&w, 3, DIMS(2, 16, 15)));
    rp_nn_transpose(&w, (const int[]){0, 2, 1});
    assert_int_equal(w.step[1], 16);
    assert_int_equal(w.step[2], 1);
    w = v; /* but channels and pixels cannot be one axis */
    assert_false(rp_nn_reshape(&w, 2, DIMS(2, 240)));
    assert_int_equal(rp_nn_dense(&v, 4, DIMS(1, 3, 2, 2), (const int[]){0, 2, 3, 1}), 32);
    assert_true(rp_nn_as_act(&v, &parts, &a));
    rp_nn_slice(&v, 1, 0, 2, 1); /* channel 2 lies where zeros should */
    assert_false(rp_nn_as_act(&v, &parts, &a));
}

/* No two buffers that live at the same time overlap, and memory is used again. */
static void test_place(void **state)
{
    struct rp_nn_buffer b[40] = {0};
    struct rp_nn_plan p = {.buffer = b, .nbuffers = (int) RP_ARRAY_LEN(b)};
    size_t all = 0;

    (void) state;
    for (int i = 0; i < p.nbuffers; i++) {
        b[i] = (struct rp_nn_buffer){
            .bytes = (size_t) (i * 37 % 11 + 1) * 1000, .first = i, .last = i + i * 5 % 4};
        all += b[i].bytes;
    }
    assert_int_equal(rp_nn_place(&p), 0);
    assert_true(p.arena < all / 3);
    for (int i = 0; i < p.nbuffers; i++) {
        assert_true(b[i].offset % 256 == 0 && b[i].offset + b[i].bytes <= p.arena);
        for (int k = 0; k < i; k++)
            assert_true(b[i].first > b[k].last || b[k].first > b[i].last ||
                        b[i].offset + b[i].bytes <= b[k].offset ||
                        b[k].offset + b[k].bytes <= b[i].offset);
    }
}

/* ---- what becomes one step ------------------------------------------------------------------- */

/* Conv, BatchNormalization, + x, Relu: one step besides the copies of input and output. */
static void test_block(void **state)
{
    struct model *const m = begin();

    (void) state;
    node_ints(m, "Conv x w b > c", "pads", 4, DIMS(1, 1, 1, 1));
    rp_onnx_put_node(&m->out, "BatchNormalization c scale shift mean var > n");
    rp_onnx_put_node(&m->out, "Add n x > s");
    rp_onnx_put_node(&m->out, "Relu s > y");
    weight(m, "w", 4, DIMS(2, 2, 3, 3), 5);
    weight(m, "b", 1, DIMS(2), 6);
    weight(m, "scale", 1, DIMS(2), 7);
    weight(m, "shift", 1, DIMS(2), 8);
    weight(m, "mean", 1, DIMS(2), 9);
    rp_onnx_put_weight(&m->out, "var", RP_ONNX_FLOAT, 1, DIMS(2), (const float[]){4, 0.25f}, 8);
    ends(m, 4, DIMS(1, 2, 3, 4), 4, DIMS(1, 2, 3, 4));
    const float *const y = run(m);
    assert_int_equal(steps(m, RP_NN_OP_net_conv), 1);
    assert_int_equal(m->plan->nsteps, 3);
    for (int o = 0; o < 2; o++)
        for (int h = 0; h < 3; h++)
            for (int w = 0; w < 4; w++) {
                double v = noise(6 + o);

                for (int c = 0; c < 2; c++)
                    for (int t = 0; t < 9; t++) {
                        const int hh = h + t / 3 - 1, ww = w + t % 3 - 1;

                        if (hh >= 0 && hh < 3 && ww >= 0 && ww < 4)
                            v += (double) noise(5 + (o * 2 + c) * 9 + t) *
                                 noise(c * 12 + hh * 4 + ww);
                    }
                v = (v - noise(9 + o)) / sqrt((o ? 0.25 : 4) + 1e-5) * noise(7 + o) + noise(8 + o) +
                    noise(o * 12 + h * 4 + w);
                near(y[o * 12 + h * 4 + w], v > 0 ? v : 0);
            }
    end(m);
}

/* x - mean and so on, * scale + shift: one normalisation. */
static void test_adain(void **state)
{
    struct model *const m = begin();

    (void) state;
    node_ints(m, "ReduceMean x > m", "axes", 2, DIMS(2, 3));
    rp_onnx_put_node(&m->out, "Sub x m > d");
    rp_onnx_put_node(&m->out, "Mul d d > q");
    node_ints(m, "ReduceMean q > v", "axes", 2, DIMS(2, 3));
    rp_onnx_put_node(&m->out, "Add v eps > e");
    rp_onnx_put_node(&m->out, "Sqrt e > r");
    rp_onnx_put_node(&m->out, "Div d r > n");
    rp_onnx_put_node(&m->out, "Mul n scale > z");
    rp_onnx_put_node(&m->out, "Add z shift > y");
    number(m, "eps", 0.01f);
    weight(m, "scale", 4, DIMS(1, 3, 1, 1), 3);
    weight(m, "shift", 4, DIMS(1, 3, 1, 1), 9);
    ends(m, 4, DIMS(1, 3, 2, 4), 4, DIMS(1, 3, 2, 4));
    const float *const y = run(m);
    assert_int_equal(steps(m, RP_NN_OP_net_norm), 1);
    assert_int_equal(m->plan->nsteps, 3);
    for (int c = 0; c < 3; c++) {
        double mean = 0, var = 0;

        for (int i = 0; i < 8; i++)
            mean += noise(c * 8 + i) / 8.0;
        for (int i = 0; i < 8; i++)
            var += (noise(c * 8 + i) - mean) * (noise(c * 8 + i) - mean) / 8;
        for (int i = 0; i < 8; i++)
            near(y[c * 8 + i],
                 (noise(c * 8 + i) - mean) / sqrt(var + 0.01) * noise(3 + c) + noise(9 + c));
    }
    end(m);
}

/* Flatten and Gemm are one convolution of the picture's size, without a copy. */
static void test_flatten(void **state)
{
    struct model *const m = begin();

    (void) state;
    rp_onnx_put_node(&m->out, "Flatten x > f");
    rp_onnx_put_node(&m->out, "Gemm f w b > y");
    weight(m, "w", 2, DIMS(24, 5), 3);
    weight(m, "b", 1, DIMS(5), 4);
    ends(m, 4, DIMS(1, 4, 2, 3), 2, DIMS(1, 5));
    const float *const y = run(m);
    assert_int_equal(steps(m, RP_NN_OP_net_conv), 1);
    for (int o = 0; o < 5; o++) {
        double v = noise(4 + o);

        for (int i = 0; i < 24; i++)
            v += (double) noise(i) * noise(3 + i * 5 + o);
        near(y[o], v);
    }
    end(m);
}

/* Channels of 3 and 2 join to 5: the parts do not overwrite each other or what follows. */
static void test_concat(void **state)
{
    struct model *const n = begin();

    (void) state;
    const size_t node = rp_onnx_begin_node(&n->out, "Concat x k > c");
    rp_onnx_put_int(&n->out, "axis", 1);
    rp_onnx_end(&n->out, node);
    rp_onnx_put_node(&n->out, "Neg c > y");
    weight(n, "k", 4, DIMS(1, 2, 2, 2), 50);
    ends(n, 4, DIMS(1, 3, 2, 2), 4, DIMS(1, 5, 2, 2));
    const float *const y = run(n);
    for (int i = 0; i < 20; i++)
        near(y[i], -(double) (i < 12 ? noise(i) : noise(50 + i - 12)));
    end(n);
}

/* Convolutions write their parts of a Concat where it needs them: no copies but those of input and
 * output. */
static void test_concat_home(void **state)
{
    struct model *const m = begin();

    (void) state;
    rp_onnx_put_node(&m->out, "Conv x w > a");
    rp_onnx_put_node(&m->out, "Conv x v > b");
    const size_t node = rp_onnx_begin_node(&m->out, "Concat a b > y");
    rp_onnx_put_int(&m->out, "axis", 1);
    rp_onnx_end(&m->out, node);
    weight(m, "w", 4, DIMS(8, 2, 1, 1), 3);
    weight(m, "v", 4, DIMS(3, 2, 1, 1), 30);
    ends(m, 4, DIMS(1, 2, 2, 2), 4, DIMS(1, 11, 2, 2));
    const float *const y = run(m);
    assert_int_equal(steps(m, RP_NN_OP_net_copy), 2);
    assert_int_equal(m->plan->nsteps, 4);
    for (int c = 0; c < 11; c++)
        for (int i = 0; i < 4; i++) {
            const int w = c < 8 ? 3 + c * 2 : 30 + (c - 8) * 2;

            near(y[c * 4 + i], (double) noise(w) * noise(i) + (double) noise(w + 1) * noise(4 + i));
        }
    end(m);
}

/* Channels to pixels by Reshape, Transpose, Reshape. */
static void test_shuffle(void **state)
{
    struct model *const m = begin();

    (void) state;
    rp_onnx_put_node(&m->out, "Reshape x s1 > a");
    node_ints(m, "Transpose a > b", "perm", 6, DIMS(0, 1, 4, 2, 5, 3));
    rp_onnx_put_node(&m->out, "Reshape b s2 > y");
    whole(m, "s1", 6, DIMS(1, 3, 2, 2, 2, 3));
    whole(m, "s2", 4, DIMS(1, 3, 4, 6));
    ends(m, 4, DIMS(1, 12, 2, 3), 4, DIMS(1, 3, 4, 6));
    const float *const y = run(m);
    for (int c = 0; c < 3; c++)
        for (int h = 0; h < 4; h++)
            for (int w = 0; w < 6; w++)
                near(y[(c * 4 + h) * 6 + w],
                     noise(((c * 4 + h % 2 * 2 + w % 2) * 2 + h / 2) * 3 + w / 2));
    end(m);
}

/* What depends on constants alone is no step. */
static void test_constants(void **state)
{
    struct model *const m = begin();

    (void) state;
    rp_onnx_put_node(&m->out, "Mul k k > q");
    rp_onnx_put_node(&m->out, "Exp q > e");
    rp_onnx_put_node(&m->out, "Mul x e > y");
    weight(m, "k", 3, DIMS(1, 2, 3), 3);
    ends(m, 3, DIMS(1, 2, 3), 3, DIMS(1, 2, 3));
    const float *const y = run(m);
    assert_int_equal(m->plan->nsteps, 3);
    for (int i = 0; i < 6; i++)
        near(y[i], noise(i) * exp((double) noise(3 + i) * noise(3 + i)));
    end(m);
}

/* ---- float16 --------------------------------------------------------------------------------- */

/* Convolutions, a sum, a batch norm by itself, pooling, enlarging, a Concat, attention over pixels,
 * a normalisation, a vector that scales channels. */
static struct model *small_of_all(void)
{
    struct model *const m = begin();

    node_ints(m, "Conv x w1 > a", "pads", 4, DIMS(1, 1, 1, 1));
    rp_onnx_put_node(&m->out, "Relu a > b");
    rp_onnx_put_node(&m->out, "BatchNormalization b scale shift mean var > n");
    node_ints(m, "Conv n w2 > c", "pads", 4, DIMS(1, 1, 1, 1));
    rp_onnx_put_node(&m->out, "Add c b > d");
    size_t node = rp_onnx_begin_node(&m->out, "MaxPool d > e");
    rp_onnx_put_ints(&m->out, "kernel_shape", 2, DIMS(2, 2));
    rp_onnx_put_ints(&m->out, "strides", 2, DIMS(2, 2));
    rp_onnx_end(&m->out, node);
    rp_onnx_put_node(&m->out, "Upsample e factors > f");
    node = rp_onnx_begin_node(&m->out, "Concat d f > g");
    rp_onnx_put_int(&m->out, "axis", 1);
    rp_onnx_end(&m->out, node);
    rp_onnx_put_node(&m->out, "Conv g w3 > h");
    rp_onnx_put_node(&m->out, "InstanceNormalization h scale shift > i");
    rp_onnx_put_node(&m->out, "GlobalAveragePool i > v");
    rp_onnx_put_node(&m->out, "Conv v w4 > s");
    rp_onnx_put_node(&m->out, "Sigmoid s > t");
    rp_onnx_put_node(&m->out, "Mul i t > j");
    rp_onnx_put_node(&m->out, "Reshape j tokens > k");
    node_ints(m, "Transpose k > q", "perm", 3, DIMS(0, 2, 1));
    rp_onnx_put_node(&m->out, "MatMul k q > l");
    node = rp_onnx_begin_node(&m->out, "Softmax l > o");
    rp_onnx_put_int(&m->out, "axis", -1);
    rp_onnx_end(&m->out, node);
    rp_onnx_put_node(&m->out, "MatMul o k > p");
    rp_onnx_put_node(&m->out, "Reshape p picture > r");
    rp_onnx_put_node(&m->out, "Conv r w4 > u");
    rp_onnx_put_node(&m->out, "Mul u u > y");
    weight(m, "w1", 4, DIMS(8, 8, 3, 3), 1);
    weight(m, "w2", 4, DIMS(8, 8, 3, 3), 2);
    weight(m, "w3", 4, DIMS(8, 16, 1, 1), 3);
    weight(m, "w4", 4, DIMS(8, 8, 1, 1), 4);
    weight(m, "scale", 1, DIMS(8), 5);
    weight(m, "shift", 1, DIMS(8), 6);
    weight(m, "mean", 1, DIMS(8), 7);
    rp_onnx_put_weight(&m->out, "var", RP_ONNX_FLOAT, 1, DIMS(8),
                       (const float[]){4, 0.25f, 1, 2, 1, 3, 1, 9}, 32);
    rp_onnx_put_weight(&m->out, "factors", RP_ONNX_FLOAT, 1, DIMS(4), (const float[]){1, 1, 2, 2},
                       16);
    whole(m, "tokens", 3, DIMS(0, 8, 256));
    whole(m, "picture", 4, DIMS(0, 8, 16, 16));
    finish(m, 4, DIMS(-1, 8, 16, 16));
    return m;
}

/* A row's result does not depend on the others, nor on how many there are: the same bytes. */
static void test_rows(void **state)
{
    struct model *const m = small_of_all();
    static float all[MANY * ROW], one[MANY * ROW];

    (void) state;
    for (int storage = RP_ACT_F32; storage <= RP_ACT_F16; storage++) {
        for (int rows = 2; rows <= MANY; rows++) {
            const size_t each =
                run_rows(m, (enum rp_act_type) storage, rows, 0, all) / (size_t) rows;

            for (int k = 0; k < rows; k++) {
                assert_int_equal(run_rows(m, (enum rp_act_type) storage, 1, k, one), each);
                assert_memory_equal(all + (size_t) k * each, one, each * sizeof(float));
                if (k)
                    assert_memory_not_equal(all, one, each * sizeof(float));
            }
        }
    }
    end(m);
}

static enum rp_act_type type_of(const struct model *m, int step, size_t at)
{
    const struct rp_nn_step *const s = &m->plan->step[step];

    for (int i = 0; i < s->nfix; i++)
        if (s->fix[i].at == at)
            return m->plan->buffer[s->fix[i].buffer].type;
    fail_msg("step %d has no such tensor", step);
    return RP_ACT_F32;
}

/* Close to the result in float32, but not the same: it is float16 indeed. Memory is halved. */
static void test_half(void **state)
{
    struct model *const m = small_of_all();
    static float half[MANY * ROW], full[MANY * ROW];
    double most = 0, largest = 0;

    (void) state;
    const size_t n = run_rows(m, RP_ACT_F32, 1, 0, full), arena = m->plan->arena;
    assert_int_equal(run_rows(m, RP_ACT_F16, 1, 0, half), n);
    assert_true(m->plan->arena < arena);
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, fabs((double) half[i] - (double) full[i]));
        largest = fmax(largest, fabs((double) full[i]));
    }
    if (!(most > 1e-6 * largest && most < 1e-2 * largest))
        fail_msg("%g of %g", most, largest);
    end(m);
}

/* What a depthwise convolution reads is not rounded: its weights are float32, too. */
static void test_thin(void **state)
{
    struct model *const m = begin();
    static float y[ROW];

    (void) state;
    rp_onnx_put_node(&m->out, "Conv x w > a");
    const size_t node = rp_onnx_begin_node(&m->out, "Conv a v > b");
    rp_onnx_put_int(&m->out, "group", 8);
    rp_onnx_end(&m->out, node);
    rp_onnx_put_node(&m->out, "Conv b w > c");
    rp_onnx_put_node(&m->out, "Conv c w > y");
    weight(m, "w", 4, DIMS(8, 8, 1, 1), 1);
    weight(m, "v", 4, DIMS(8, 1, 1, 1), 2);
    finish(m, 4, DIMS(-1, 8, 16, 16));
    assert_int_equal(run_rows(m, RP_ACT_F16, 1, 0, y), ROW);
    assert_int_equal(m->plan->nsteps, 6);
    assert_int_equal(m->plan->step[1].args.net_conv.src.type, RP_ACT_F16);
    assert_int_equal(m->plan->step[2].args.net_conv.groups, 8);
    assert_int_equal(m->plan->step[2].args.net_conv.src.type, RP_ACT_F32);
    assert_int_equal(m->plan->step[3].args.net_conv.src.type, RP_ACT_F16);
    assert_int_equal(m->plan->step[4].args.net_conv.src.type, RP_ACT_F16);
    end(m);
}

/* What is float16, and what is not: storage.c. */
static void test_storage(void **state)
{
    struct model *const m = begin();
    float y[8];

    (void) state;
    rp_onnx_put_node(&m->out, "Conv x w > a");
    rp_onnx_put_node(&m->out, "Conv a w > b");
    rp_onnx_put_node(&m->out, "GlobalAveragePool b > c");
    rp_onnx_put_node(&m->out, "Conv c w > d");
    rp_onnx_put_node(&m->out, "Flatten d > y");
    weight(m, "w", 4, DIMS(8, 8, 1, 1), 1);
    finish(m, 2, DIMS(-1, 8));
    assert_int_equal(run_rows(m, RP_ACT_F16, 1, 0, y), 8);
    assert_int_equal(m->plan->nsteps, 6);
    assert_int_equal(m->plan->step[0].args.net_copy.src_type, RP_ACT_F32);
    assert_int_equal(m->plan->step[0].args.net_copy.dst_type, RP_ACT_F16);
    for (int i = 1; i <= 2; i++) {
        assert_int_equal(type_of(m, i, RP_NN_AT(net_conv, src.data)), RP_ACT_F16);
        assert_int_equal(m->plan->step[i].args.net_conv.src.type, RP_ACT_F16);
    } /* what is not multiplied as it is stays float32 */
    assert_int_equal(type_of(m, 1, RP_NN_AT(net_conv, dst.data)), RP_ACT_F16);
    assert_int_equal(type_of(m, 2, RP_NN_AT(net_conv, dst.data)), RP_ACT_F32);
    assert_int_equal(m->plan->step[3].op, RP_NN_OP_net_pool); /* the mean is a vector */
    assert_int_equal(type_of(m, 3, RP_NN_AT(net_pool, dst.data)), RP_ACT_F32);
    assert_int_equal(m->plan->step[4].args.net_conv.src.type, RP_ACT_F32);
    /* in a plan of float32 nothing is */
    assert_int_equal(run_rows(m, RP_ACT_F32, 1, 0, y), 8);
    for (int i = 0; i < m->plan->nbuffers; i++)
        assert_int_equal(m->plan->buffer[i].type, RP_ACT_F32);
    end(m);
}

/* ---- column by column ------------------------------------------------------------------------ */

/* A convolution with something behind it: PRelu, or a sum and Relu. */
struct narrow {
    int n, c, h, w, out, kh, kw, dilation, top, left, right; /* pads; at the bottom as at the top */
    bool add;
};

static int64_t narrow_h(const struct narrow *t)
{
    return t->h + 2 * t->top - t->kh + 1;
}

static int64_t narrow_w(const struct narrow *t)
{
    return t->w + t->left + t->right - (int64_t) (t->kw - 1) * t->dilation;
}

static struct model *begin_narrow(const struct narrow *t)
{
    struct model *const m = begin();
    const size_t node = rp_onnx_begin_node(&m->out, "Conv x w b > c");

    rp_onnx_put_ints(&m->out, "dilations", 2, DIMS(1, t->dilation));
    rp_onnx_put_ints(&m->out, "pads", 4, DIMS(t->top, t->left, t->top, t->right));
    rp_onnx_end(&m->out, node);
    weight(m, "w", 4, DIMS(t->out, t->c, t->kh, t->kw), 5);
    weight(m, "b", 1, DIMS(t->out), 9);
    weight(m, "s", 3, DIMS(t->out, 1, 1), 3);
    if (t->add)
        rp_onnx_put_node(&m->out, "Add c s > a");
    rp_onnx_put_node(&m->out, t->add ? "Relu a > y" : "PRelu c s > y");
    ends(m, 4, DIMS(t->n, t->c, t->h, t->w), 4, DIMS(t->n, t->out, narrow_h(t), narrow_w(t)));
    return m;
}

/* What it must give at output o of row n, at (y, x). */
static double narrow_at(const struct narrow *t, int n, int o, int y, int x)
{
    double v = noise(9 + o), s = noise(3 + o);

    for (int c = 0; c < t->c; c++)
        for (int ky = 0; ky < t->kh; ky++)
            for (int kx = 0; kx < t->kw; kx++) {
                const int sy = y + ky - t->top, sx = x + kx * t->dilation - t->left;

                if (sy >= 0 && sy < t->h && sx >= 0 && sx < t->w)
                    v += (double) noise(((n * t->c + c) * t->h + sy) * t->w + sx) *
                         noise(5 + ((o * t->c + c) * t->kh + ky) * t->kw + kx);
            }
    if (t->add)
        return fmax(v + s, 0);
    return v < 0 ? v * s : v;
}

/* Every 17th pixel and the edges, which is enough to find one that is wrong and takes less time. */
static void check_narrow(const struct narrow *t, const float *y)
{
    const int h = (int) narrow_h(t), w = (int) narrow_w(t);

    for (int i = 0; i < t->n * t->out * h * w; i++) {
        const int x = i % w, row = i / w % h;

        if (i % 17 == 0 || x < 1 || x >= w - 1 || row < 1 || row >= h - 1)
            near(y[i], narrow_at(t, i / w / h / t->out, i / w / h % t->out, row, x));
    }
}

/* Last layers of few channels are done column by column, where that pays. */
static void test_columns(void **state)
{
    static const struct narrow t[] = {
        {1, 64, 80, 82, 3, 7, 7, 1, 3, 3, 3, false},
        {1, 64, 80, 90, 3, 7, 7, 1, 3, 0, 2, true},
        {2, 40, 130, 160, 1, 7, 5, 2, 3, 4, 4, true},
        {1, 72, 80, 250, 4, 3, 8, 1, 0, 7, 0, false}, /* 32 outputs of all columns */
    };
    static const struct narrow direct[] = {
        {1, 64, 40, 40, 3, 7, 7, 1, 3, 3, 3, false},   /* small */
        {1, 16, 160, 165, 3, 7, 7, 1, 3, 3, 3, false}, /* more room than the source */
        {1, 72, 80, 250, 5, 3, 5, 1, 0, 4, 0, false},  /* outputs */
        {1, 72, 80, 250, 3, 3, 11, 1, 0, 6, 4, false}, /* 33 outputs of all columns */
        {1, 72, 70, 250, 3, 7, 2, 1, 3, 0, 1, false},
    };

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(t); i++) {
        struct model *const m = begin_narrow(&t[i]);

        check_narrow(&t[i], run(m));
        assert_int_equal(steps(m, RP_NN_OP_net_columns), 1);
        assert_int_equal(m->plan->nsteps, 4);
        assert_int_equal(m->plan->step[1].args.net_conv.kw, 1);
        assert_int_equal(m->plan->step[2].args.net_columns.src.type, RP_ACT_F32);
        end(m);
    }
    for (size_t i = 0; i < RP_ARRAY_LEN(direct); i++) {
        struct model *const m = begin_narrow(&direct[i]);

        assert_int_equal(plan(m), 0);
        assert_int_equal(steps(m, RP_NN_OP_net_columns), 0);
        end(m);
    }
}

/* ---- what is not done ------------------------------------------------------------------------ */

static void refused(struct model *m, const char *why)
{
    assert_int_equal(plan(m), RP_ERR_UNSUPPORTED);
    if (!strstr(m->g->why, why))
        fail_msg("'%s' instead of '%s'", m->g->why, why);
    end(m);
}

/* ---- layers that are joined ------------------------------------------------------------------ */

/* Layers of slices of x [rows][40]: where each begins, and its outputs. */
static const struct {
    int at, out;
    bool bias;
} layers[] = {{0, 8, true}, {8, 8, false}, {24, 16, true}, {8, 8, true}};
#define LAYER_IN 16
#define LAYERS_OUT 40

/* Those from `first` to `end` - 1, side by side in y [rows][outputs]. */
static struct model *sliced(int rows, int first, int end_, int outs)
{
    char text[64], all[64] = "Concat", name[16], bias[16];
    struct model *const m = begin();

    for (int i = first; i < end_; i++) {
        snprintf(text, sizeof(text), "Slice x b%d e%d axes > s%d", i, i, i);
        rp_onnx_put_node(&m->out, text);
        snprintf(bias, sizeof(bias), layers[i].bias ? " c%d" : "", i);
        snprintf(text, sizeof(text), "Gemm s%d w%d%s > g%d", i, i, bias, i);
        rp_onnx_put_node(&m->out, text);
        snprintf(all + strlen(all), sizeof(all) - strlen(all), " g%d", i);
        snprintf(name, sizeof(name), "b%d", i);
        whole(m, name, 1, DIMS(layers[i].at));
        snprintf(name, sizeof(name), "e%d", i);
        whole(m, name, 1, DIMS(layers[i].at + LAYER_IN));
        snprintf(name, sizeof(name), "w%d", i);
        weight(m, name, 2, DIMS(LAYER_IN, layers[i].out), 7 * i);
        snprintf(name, sizeof(name), "c%d", i);
        if (layers[i].bias)
            weight(m, name, 1, DIMS(layers[i].out), 3 * i);
    }
    whole(m, "axes", 1, DIMS(1));
    snprintf(all + strlen(all), sizeof(all) - strlen(all), " > y");
    const size_t node = rp_onnx_begin_node(&m->out, all);
    rp_onnx_put_int(&m->out, "axis", 1);
    rp_onnx_end(&m->out, node);
    ends(m, 2, DIMS(rows, 40), 2, DIMS(rows, outs));
    return m;
}

/* One step, with the bytes of each layer by itself; over several rows layers of other sizes stay
 * apart, but have the same constants. */
static void test_join(void **state)
{
    struct rp_nn_sum sum[2];

    (void) state;
    for (int i = 0; i < 2; i++) {
        struct model *const m = sliced(i + 1, 0, (int) RP_ARRAY_LEN(layers), LAYERS_OUT);

        assert_int_equal(plan(m), 0);
        assert_int_equal(rp_nn_plan_sum(m->plan, &sum[i]), 0);
        end(m);
    }
    assert_true(rp_nn_sum_same(&sum[0], &sum[1]));
    for (int rows = 1; rows <= 3; rows += 2) {
        struct model *const all = sliced(rows, 0, (int) RP_ARRAY_LEN(layers), LAYERS_OUT);
        const float *const y = run(all);
        int at = 0;

        assert_int_equal(steps(all, RP_NN_OP_net_linear), rows == 1 ? 1 : 2);
        for (int i = 0; i < (int) RP_ARRAY_LEN(layers); i++) {
            const int out = layers[i].out;
            struct model *const one = sliced(rows, i, i + 1, out);
            const float *const single = run(one);

            assert_int_equal(steps(one, RP_NN_OP_net_linear), 1);
            for (int k = 0; k < rows * out; k++) {
                const int r = k / out, o = k % out;
                double v = layers[i].bias ? noise(3 * i + o) : 0;

                for (int c = 0; c < LAYER_IN; c++)
                    v += (double) noise(r * 40 + layers[i].at + c) * noise(7 * i + c * out + o);
                near(single[k], v);
                assert_memory_equal(&single[k], &y[r * LAYERS_OUT + at + o], sizeof(*y));
            }
            at += out;
            end(one);
        }
        end(all);
    }
}

/* Eight numbers times the weights from `seed` on. */
static void eight(const double *x, int seed, double *y)
{
    for (int o = 0; o < 8; o++) {
        y[o] = 0;
        for (int c = 0; c < 8; c++)
            y[o] += x[c] * noise(seed + o * 8 + c);
    }
}

/* Two layers of one buffer, a Concat's result, the second of which reads what the first one led to:
 * they stay two. */
static void test_join_order(void **state)
{
    double x[8], a[8], p[8], b[8], q[8];
    struct model *const m = begin();

    (void) state;
    rp_onnx_put_node(&m->out, "Conv x w > a");
    rp_onnx_put_node(&m->out, "Conv a v > p");
    rp_onnx_put_node(&m->out, "Conv p w > b");
    rp_onnx_put_node(&m->out, "Conv b v > q");
    size_t node = rp_onnx_begin_node(&m->out, "Concat a b > c");
    rp_onnx_put_int(&m->out, "axis", 1);
    rp_onnx_end(&m->out, node);
    node = rp_onnx_begin_node(&m->out, "Concat c q > y");
    rp_onnx_put_int(&m->out, "axis", 1);
    rp_onnx_end(&m->out, node);
    weight(m, "w", 4, DIMS(8, 8, 1, 1), 3);
    weight(m, "v", 4, DIMS(8, 8, 1, 1), 40);
    ends(m, 4, DIMS(1, 8, 1, 1), 4, DIMS(1, 24, 1, 1));
    const float *const y = run(m);
    assert_int_equal(steps(m, RP_NN_OP_net_linear), 4);
    for (int o = 0; o < 8; o++)
        x[o] = noise(o);
    eight(x, 3, a);
    eight(a, 40, p);
    eight(p, 3, b);
    eight(b, 40, q);
    for (int o = 0; o < 8; o++) {
        near(y[o], a[o]);
        near(y[8 + o], b[o]);
        near(y[16 + o], q[o]);
    }
    end(m);
}

static void test_refused(void **state)
{
    struct model *m = begin();

    (void) state;
    rp_onnx_put_node(&m->out, "Hardmax x > y");
    ends(m, 2, DIMS(1, 2), 2, DIMS(1, 2));
    refused(m, "Hardmax");
    m = begin(); /* used before it is made */
    rp_onnx_put_node(&m->out, "Relu a > y");
    rp_onnx_put_node(&m->out, "Relu x > a");
    ends(m, 2, DIMS(1, 2), 2, DIMS(1, 2));
    refused(m, "nothing before it makes");
    m = begin(); /* nobody makes it */
    ends(m, 2, DIMS(1, 2), 2, DIMS(1, 2));
    refused(m, "output");
    m = begin(); /* weights that are not there */
    rp_onnx_put_node(&m->out, "Conv x w > y");
    rp_onnx_put_weight(&m->out, "w", RP_ONNX_FLOAT, 4, DIMS(1 << 20, 3, 7, 7), NULL, 0);
    ends(m, 4, DIMS(1, 3, 8, 8), 4, DIMS(1, 1 << 20, 2, 2));
    refused(m, "cannot be read");
    m = begin(); /* groups that are no groups */
    const size_t node = rp_onnx_begin_node(&m->out, "Conv x w > y");
    rp_onnx_put_int(&m->out, "group", 5);
    rp_onnx_end(&m->out, node);
    weight(m, "w", 4, DIMS(4, 1, 1, 1), 1);
    ends(m, 4, DIMS(1, 4, 2, 2), 4, DIMS(1, 4, 2, 2));
    refused(m, "groups");
    m = begin(); /* a size that wants 2^60 numbers */
    rp_onnx_put_node(&m->out, "Expand x s > y");
    whole(m, "s", 3, DIMS(1 << 20, 1 << 20, 1 << 20));
    ends(m, 3, DIMS(1, 1, 1), 3, DIMS(1 << 20, 1 << 20, 1 << 20));
    refused(m, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_view),        cmocka_unit_test(test_place),
        cmocka_unit_test(test_block),       cmocka_unit_test(test_adain),
        cmocka_unit_test(test_flatten),     cmocka_unit_test(test_concat),
        cmocka_unit_test(test_concat_home), cmocka_unit_test(test_shuffle),
        cmocka_unit_test(test_constants),   cmocka_unit_test(test_rows),
        cmocka_unit_test(test_half),        cmocka_unit_test(test_storage),
        cmocka_unit_test(test_thin),        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_kept),        cmocka_unit_test(test_join),
        cmocka_unit_test(test_join_order),
        cmocka_unit_test(test_columns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
