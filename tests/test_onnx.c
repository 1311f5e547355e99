/* ONNX files: small ones made here, right and damaged, are read, counted and changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include "onnx/rows.h"
#include "onnx/sizes.h"
#include "onnx/write.h"

#define DIMS(...)     \
    (const int64_t[]) \
    {                 \
        __VA_ARGS__   \
    }

/* ---- writing --------------------------------------------------------------------------------- */

struct model {
    uint8_t b[2048];
    struct rp_onnx_out out;
    size_t graph;
};

static struct rp_onnx_out *begin(struct model *m)
{
    m->out = (struct rp_onnx_out){.data = m->b, .size = sizeof(m->b)};
    m->graph = rp_onnx_begin_model(&m->out, "test");
    return &m->out;
}

static void end(struct model *m)
{
    assert_int_equal(rp_onnx_end_model(&m->out, m->graph), 0);
}

/* A node with one list of numbers. */
static void put_node_ints(struct rp_onnx_out *out, const char *text, const char *attribute, int n,
                          const int64_t *v)
{
    const size_t node = rp_onnx_begin_node(out, text);

    rp_onnx_put_ints(out, attribute, n, v);
    rp_onnx_end(out, node);
}

static void put_node_int(struct rp_onnx_out *out, const char *text, const char *attribute,
                         int64_t v)
{
    const size_t node = rp_onnx_begin_node(out, text);

    rp_onnx_put_int(out, attribute, v);
    rp_onnx_end(out, node);
}

/* int64 numbers. */
static void put_numbers(struct rp_onnx_out *out, const char *name, int n, const int64_t *v)
{
    rp_onnx_put_weight(out, name, RP_ONNX_INT64, 1, DIMS(n), v, 8 * (size_t) n);
}

/* Equal to a hand-made file. */
static void test_written_bytes(void **state)
{
    /* clang-format off */
    static const uint8_t want[] = {
        0x08, 8, 0x3a, 44, 0x12, 4, 't', 'e', 's', 't',
        0x0a, 11, 0x22, 4, 'R', 'e', 'l', 'u', 0x0a, 1, 'x', 0x12, 0, /* the node */
        0x5a, 23, 0x0a, 1, 'x', 0x12, 18, 0x0a, 16, 0x08, 1, 0x12, 12, /* the input */
        0x0a, 6, 0x12, 4, 'o', 'p', 'e', 'n', 0x0a, 2, 0x08, 3,
        0x42, 2, 0x10, 17,
    };
    /* clang-format on */
    struct model m;

    (void) state;
    begin(&m);
    rp_onnx_put_node(&m.out, "Relu x > -");
    rp_onnx_put_value(&m.out, RP_ONNX_INPUT, "x", 2, DIMS(-1, 3));
    end(&m);
    assert_int_equal(m.out.n, sizeof(want));
    assert_memory_equal(m.b, want, sizeof(want));
}

/* With any room: either all is written, or it fails and nothing past the room is written. */
static void test_room(void **state)
{
    uint8_t b[256];
    size_t need = sizeof(b);

    (void) state;
    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    for (size_t size = sizeof(b) + 1; size-- > 0;) {
        struct rp_onnx_out out = {.data = b, .size = size};
        const size_t graph = rp_onnx_begin_model(&out, "test");

        memset(b + size, 0xee, sizeof(b) - size);
        rp_onnx_put_node(&out, "Relu x > y");
        rp_onnx_put_value(&out, RP_ONNX_OUTPUT, "y", 3, DIMS(1, 300, INT64_MAX));
        assert_int_equal(rp_onnx_end_model(&out, graph), size >= need ? 0 : RP_ERR_LIMIT);
        if (size == sizeof(b))
            need = out.n;
        for (size_t i = size; i < sizeof(b); i++)
            assert_int_equal(b[i], 0xee);
    }
    rp_set_log(RP_LOG_INFO, NULL, NULL);
}

/* ---- elements -------------------------------------------------------------------------------- */

/* A weight of three numbers, its data in this field. */
static bool three_of(int type, unsigned field, const void *data, size_t n, float number[3])
{
    struct rp_onnx *o;
    const struct rp_onnx_tensor *w;
    struct model m;
    struct rp_onnx_out *const out = begin(&m);
    const size_t t = rp_onnx_begin(out, 5);
    bool ok;

    rp_onnx_put_number(out, 1, 3);
    rp_onnx_put_number(out, 2, (uint64_t) type);
    rp_onnx_put_text(out, 8, "w");
    rp_onnx_put_bytes(out, field, data, n);
    rp_onnx_end(out, t);
    end(&m);
    assert_int_equal(rp_onnx_read(&o, "test.onnx", m.b, m.out.n), 0);
    assert_int_equal(rp_onnx_weights(o, &w), 1);
    ok = rp_onnx_floats(w, number, 3);
    rp_onnx_close(&o);
    return ok;
}

/* 1, -2.5 and the smallest float16, in each encoding that a file may use. */
static void test_floats(void **state)
{
    static const float floats[] = {1, -2.5f, 0x1p-24f};
    static const double doubles[] = {1, -2.5, 0x1p-24};
    static const uint16_t halves[] = {0x3c00, 0xc100, 1};
    static const uint8_t varints[] = {0x80, 0x78, 0x80, 0x82, 0x03, 1};
    static const struct {
        int type;
        unsigned field;
        const void *data;
        size_t n;
    } cases[] = {{RP_ONNX_FLOAT, 9, floats, sizeof(floats)},
                 {RP_ONNX_FLOAT, 4, floats, sizeof(floats)},
                 {RP_ONNX_DOUBLE, 9, doubles, sizeof(doubles)},
                 {RP_ONNX_DOUBLE, 10, doubles, sizeof(doubles)},
                 {RP_ONNX_HALF, 9, halves, sizeof(halves)},
                 {RP_ONNX_HALF, 5, varints, sizeof(varints)}};
    float out[3];

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(cases); i++) {
        assert_true(three_of(cases[i].type, cases[i].field, cases[i].data, cases[i].n, out));
        assert_memory_equal(out, floats, sizeof(floats));
    }
    assert_false(three_of(RP_ONNX_FLOAT, 9, floats, 8, out));
    assert_false(three_of(RP_ONNX_FLOAT, 9, doubles, 24, out));
    assert_false(three_of(RP_ONNX_FLOAT, 4, floats, 11, out));
    assert_false(three_of(RP_ONNX_INT32, 9, floats, sizeof(floats), out));
    assert_false(three_of(RP_ONNX_HALF, 5, varints, 5, out));
}

/* ---- reading --------------------------------------------------------------------------------- */

static struct rp_onnx *read_model(struct model *m)
{
    struct rp_onnx *o;

    end(m);
    assert_int_equal(rp_onnx_read(&o, "test.onnx", m->b, m->out.n), 0);
    return o;
}

static const struct rp_onnx_value *value_of(const struct rp_onnx *o, const char *name)
{
    const struct rp_onnx_value *v;

    for (int i = 0; (v = rp_onnx_value(o, i)); i++)
        if (rp_onnx_is(v->name, name))
            return v;
    fail_msg("no value '%s'", name);
    return NULL;
}

static void assert_shape(const struct rp_onnx *o, const char *name, int rank, const int64_t *dim)
{
    const struct rp_onnx_value *const v = value_of(o, name);

    assert_int_equal(v->rank, rank);
    for (int i = 0; i < rank; i++)
        assert_int_equal(v->dim[i], dim[i]);
}

#define SHAPE(o, name, ...) \
    assert_shape(o, name, (int) RP_ARRAY_LEN(DIMS(__VA_ARGS__)), DIMS(__VA_ARGS__))

/* ---- tests ----------------------------------------------------------------------------------- */

/* x 1x8x16x16 -> Conv 4 groups 3x3, stride 2, pads 1 -> y 1x12x8x8 */
static void put_conv_graph(struct rp_onnx_out *out)
{
    const size_t node = rp_onnx_begin_node(out, "Conv x w b > y");

    rp_onnx_put_ints(out, "strides", 2, DIMS(2, 2));
    rp_onnx_put_ints(out, "pads", 4, DIMS(1, 1, 1, 1));
    rp_onnx_put_int(out, "group", 4);
    rp_onnx_end(out, node);
    rp_onnx_put_weight(out, "w", RP_ONNX_FLOAT, 4, DIMS(12, 2, 3, 3), NULL, 0);
    rp_onnx_put_weight(out, "b", RP_ONNX_FLOAT, 1, DIMS(12),
                       "0123456789abcdef0123456789abcdef0123456789abcdef", 48);
    rp_onnx_put_value(out, RP_ONNX_INPUT, "x", 4, DIMS(-1, 8, 16, 16));
    /* old files list weights as inputs too */
    rp_onnx_put_value(out, RP_ONNX_INPUT, "w", 4, DIMS(12, 2, 3, 3));
    rp_onnx_put_value(out, RP_ONNX_OUTPUT, "y", 4, DIMS(-1, 12, -1, -1));
}

static void counts_a_convolution(void **state)
{
    struct model m;
    struct rp_onnx *o;
    const int *in;
    const struct rp_onnx_tensor *w;
    struct rp_onnx_cost c = {0};

    (void) state;
    put_conv_graph(begin(&m));
    o = read_model(&m);
    rp_onnx_count(o, NULL, &c);
    SHAPE(o, "y", 1, 12, 8, 8);
    assert_true(c.complete);
    assert_int_equal(c.nodes, 1);
    assert_true(c.flop == 2.0 * 12 * 8 * 8 * 2 * 9);
    assert_true(c.weight_bytes == 4.0 * (12 * 2 * 9 + 12));
    assert_true(c.activation_bytes == 4.0 * (8 * 16 * 16 + 12 * 8 * 8));
    assert_int_equal(rp_onnx_inputs(o, &in), 1);
    assert_int_equal(rp_onnx_weights(o, &w), 2);
    assert_true(rp_onnx_is(w[1].name, "b"));
    assert_int_equal(w[1].raw.n, 48);
    assert_memory_equal(m.b + w[1].offset, "0123456789abcdef", 16);
    rp_onnx_close(&o);
}

static void takes_given_sizes(void **state)
{
    struct model m;
    struct rp_onnx *o;
    const int64_t *const dims[] = {DIMS(3, 8, 32, 16)};
    struct rp_onnx_cost c = {0};

    (void) state;
    put_conv_graph(begin(&m));
    o = read_model(&m);
    rp_onnx_count(o, dims, &c);
    SHAPE(o, "y", 3, 12, 16, 8);
    assert_true(c.flop == 2.0 * 3 * 12 * 16 * 8 * 2 * 9);
    rp_onnx_close(&o);
}

static void counts_products_and_turned_convolutions(void **state)
{
    struct model m;
    struct rp_onnx *o;
    struct rp_onnx_cost c = {0};
    struct rp_onnx_out *const out = begin(&m);

    (void) state;
    put_node_ints(out, "ConvTranspose x w > y", "strides", 2, DIMS(2, 2));
    rp_onnx_put_node(out, "Flatten y > f");
    put_node_int(out, "Gemm f m > z", "transB", 1);
    rp_onnx_put_node(out, "MatMul z k > q");
    rp_onnx_put_weight(out, "w", RP_ONNX_FLOAT, 4, DIMS(4, 2, 2, 2), NULL, 0);
    rp_onnx_put_weight(out, "m", RP_ONNX_FLOAT, 2, DIMS(10, 128), NULL, 0);
    rp_onnx_put_weight(out, "k", RP_ONNX_FLOAT, 2, DIMS(10, 3), NULL, 0);
    rp_onnx_put_value(out, RP_ONNX_INPUT, "x", 4, DIMS(1, 4, 4, 4));
    o = read_model(&m);
    rp_onnx_count(o, NULL, &c);
    SHAPE(o, "y", 1, 2, 8, 8);
    SHAPE(o, "z", 1, 10);
    SHAPE(o, "q", 1, 3);
    assert_true(c.complete);
    assert_true(c.flop == 2.0 * (4 * 16 * 2 * 4 + 10 * 128 + 3 * 10));
    rp_onnx_close(&o);
}

/* As exporters reshape: the batch is sliced from the shape and put before -1. */
static void follows_sizes_through_the_graph(void **state)
{
    struct model m;
    struct rp_onnx *o;
    struct rp_onnx_cost c = {0};
    struct rp_onnx_out *const out = begin(&m);

    (void) state;
    rp_onnx_put_node(out, "Shape x > s");
    rp_onnx_put_node(out, "Gather s zero > first");
    rp_onnx_put_node(out, "Unsqueeze first zeros > first1");
    put_node_int(out, "Concat first1 minus > want", "axis", 0);
    rp_onnx_put_node(out, "Reshape x want > r");
    rp_onnx_put_node(out, "Slice r from to axes > cut");
    rp_onnx_put_weight(out, "zero", RP_ONNX_INT64, 0, NULL, DIMS(0), 8);
    put_numbers(out, "zeros", 1, DIMS(0));
    put_numbers(out, "minus", 1, DIMS(-1));
    put_numbers(out, "from", 1, DIMS(-10));
    put_numbers(out, "to", 1, DIMS(INT64_MAX));
    put_numbers(out, "axes", 1, DIMS(1));
    rp_onnx_put_value(out, RP_ONNX_INPUT, "x", 3, DIMS(2, 3, 5));
    o = read_model(&m);
    rp_onnx_count(o, NULL, &c);
    SHAPE(o, "r", 2, 15);
    SHAPE(o, "cut", 2, 10);
    assert_true(c.complete);
    rp_onnx_close(&o);
}

static void put_branch(struct rp_onnx_out *out)
{
    const size_t node = rp_onnx_begin_node(out, "If c > y"), attribute = rp_onnx_begin(out, 5);

    rp_onnx_put_text(out, 1, "then_branch");
    rp_onnx_put_bytes(out, 6, "", 0);
    rp_onnx_end(out, attribute);
    rp_onnx_end(out, node);
}

static void says_what_it_cannot_count(void **state)
{
    struct model m;
    struct rp_onnx *o;
    struct rp_onnx_cost c = {0};
    struct rp_onnx_out *const out = begin(&m);

    (void) state;
    rp_onnx_put_node(out, "Relu x > c");
    put_branch(out);
    rp_onnx_put_node(out, "Strange x > z");
    rp_onnx_put_value(out, RP_ONNX_INPUT, "x", 1, DIMS(4));
    o = read_model(&m);
    rp_onnx_count(o, NULL, &c);
    assert_false(c.complete);
    assert_string_equal(c.unknown, "If");
    assert_int_equal(c.nodes, 3);
    rp_onnx_close(&o);
}

/* ---- changing -------------------------------------------------------------------------------- */

static struct rp_onnx_image image_of(struct model *m)
{
    return (struct rp_onnx_image){m->b, m->out.n};
}

/* A detector whose exporter wrote sizes that are right for one size of picture only. */
static void put_detector(struct rp_onnx_out *out, int64_t height)
{
    rp_onnx_put_node(out, "Strange x > y");
    rp_onnx_put_node(out, "Relu y > z");
    rp_onnx_put_value(out, RP_ONNX_INPUT, "x", 4, DIMS(1, 3, height, height));
    rp_onnx_put_value(out, RP_ONNX_OUTPUT, "z", 2, DIMS(12800, 4));
    rp_onnx_put_value(out, RP_ONNX_BETWEEN, "y", 2, DIMS(12800, -1));
}

static void opens_sizes(void **state)
{
    struct model m;
    struct rp_onnx *o;
    struct rp_onnx_image image;

    (void) state;
    put_detector(begin(&m), -1);
    end(&m);
    image = image_of(&m);
    assert_true(rp_onnx_open_sizes(&image));
    assert_int_equal(rp_onnx_read(&o, "test.onnx", m.b, m.out.n), 0);
    SHAPE(o, "x", 1, 3, -1, -1);
    SHAPE(o, "y", -1, -1);
    SHAPE(o, "z", -1, -1);
    rp_onnx_close(&o);
    assert_false(rp_onnx_open_sizes(&image)); /* there are none any more */
}

static void leaves_sizes_that_hold(void **state)
{
    struct model m, before;
    struct rp_onnx_image image;

    (void) state;
    put_detector(begin(&m), 640);
    end(&m);
    image = image_of(&m);
    before = m;
    assert_false(rp_onnx_open_sizes(&image));
    assert_memory_equal(m.b, before.b, m.out.n);
}

static void put_one_row(struct rp_onnx_out *out, int64_t batch)
{
    rp_onnx_put_node(out, "Relu x > y");
    rp_onnx_put_node(out, "Reshape y to > z");
    rp_onnx_put_node(out, "Reshape to one > other"); /* what is no tensor of the batch */
    put_numbers(out, "to", 2, DIMS(1, 6));
    put_numbers(out, "one", 1, DIMS(1));
    rp_onnx_put_value(out, RP_ONNX_INPUT, "x", 3, DIMS(batch, 2, 3));
    rp_onnx_put_value(out, RP_ONNX_INPUT, "to", 1, DIMS(2)); /* a weight: not an input */
    rp_onnx_put_value(out, RP_ONNX_BETWEEN, "y", 3, DIMS(1, 2, 3));
    rp_onnx_put_value(out, RP_ONNX_OUTPUT, "z", 2, DIMS(1, 6));
}

static void assert_first(const struct rp_onnx *o, const char *weight, int64_t want)
{
    int64_t number;
    const struct rp_onnx_tensor *const w = value_of(o, weight)->weight;

    assert_non_null(w);
    memcpy(&number, w->raw.p, sizeof(number));
    assert_int_equal(number, want);
}

static void sets_rows(void **state)
{
    struct model m;
    struct rp_onnx *o;
    struct rp_onnx_cost c = {0};
    struct rp_onnx_image image;

    (void) state;
    put_one_row(begin(&m), 1);
    end(&m);
    image = image_of(&m);
    assert_int_equal(rp_onnx_set_rows(&image, "test.onnx", 4), 0);
    assert_int_equal(rp_onnx_read(&o, "test.onnx", m.b, m.out.n), 0);
    assert_int_equal(value_of(o, "y")->rank, -1); /* its note is gone */
    assert_first(o, "to", 4);
    assert_first(o, "one", 1);
    rp_onnx_count(o, NULL, &c);
    SHAPE(o, "x", 4, 2, 3);
    SHAPE(o, "y", 4, 2, 3);
    SHAPE(o, "z", 4, 6);
    rp_onnx_close(&o);
}

static void refuses_rows(void **state)
{
    struct model m;
    struct rp_onnx_image image;

    (void) state;
    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    put_one_row(begin(&m), 2);
    end(&m);
    image = image_of(&m);
    assert_int_equal(rp_onnx_set_rows(&image, "two.onnx", 4), RP_ERR_MODEL);
    assert_non_null(strstr(rp_last_error(), "two.onnx: an input or output has not one row"));
    put_one_row(begin(&m), 1);
    put_branch(&m.out);
    end(&m);
    image = image_of(&m);
    assert_int_equal(rp_onnx_set_rows(&image, "if.onnx", 4), RP_ERR_MODEL);
    assert_non_null(strstr(rp_last_error(), "if.onnx: it has control flow"));
    assert_int_equal(rp_onnx_set_rows(&image, "if.onnx", 128), RP_ERR_INVALID);
    assert_int_equal(rp_onnx_check_rows("/nonexistent/a.onnx"), RP_ERR_IO);
    rp_set_log(RP_LOG_INFO, NULL, NULL);
}

/* ---- damage ---------------------------------------------------------------------------------- */

/* Cut anywhere, or with any byte changed: refused or read, never anything else. */
static void read_damaged(uint8_t *data, size_t size)
{
    struct rp_onnx *o;
    struct rp_onnx_cost c = {0};
    const struct rp_onnx_image image = {data, size};

    if (rp_onnx_read(&o, "damaged.onnx", data, size) >= 0)
        rp_onnx_count(o, NULL, &c);
    rp_onnx_close(&o);
    rp_onnx_open_sizes(&image);
    rp_onnx_set_rows(&image, "damaged.onnx", 8);
}

static void damage(const struct model *whole)
{
    for (size_t n = 0; n < whole->out.n; n++) {
        for (int change = 0; change < 4; change++) {
            const size_t size = change ? whole->out.n : n;
            uint8_t *const copy = malloc(RP_MAX(size, 1)); /* reads past it are seen */

            assert_non_null(copy);
            memcpy(copy, whole->b, size);
            if (change)
                copy[n] = (uint8_t) (change == 1 ? 0xff : change == 2 ? copy[n] + 1 : 0x80);
            read_damaged(copy, size);
            free(copy);
        }
    }
}

static void survives_damage(void **state)
{
    struct model m;

    (void) state;
    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    put_conv_graph(begin(&m));
    end(&m);
    damage(&m);
    put_detector(begin(&m), -1);
    end(&m);
    damage(&m);
    put_one_row(begin(&m), 1);
    end(&m);
    damage(&m);
    read_damaged((uint8_t[]){0x3a, 6, 0x2a, 0, 8, 8, 0x5a, 0}, 8); /* a weight, an input, no names */
    rp_set_log(RP_LOG_INFO, NULL, NULL);
}

static void refuses_what_is_no_model(void **state)
{
    struct rp_onnx *o;

    (void) state;
    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    assert_int_equal(rp_onnx_open(&o, "/nonexistent/a.onnx"), RP_ERR_IO);
    assert_null(o);
    assert_int_equal(rp_onnx_open(&o, "/tmp"), RP_ERR_IO);
    assert_int_equal(rp_onnx_read(&o, "a.onnx", "", 0), RP_ERR_MODEL);
    assert_int_equal(rp_onnx_read(&o, "a.onnx", "hello, world", 12), RP_ERR_MODEL);
    assert_null(o);
    assert_non_null(strstr(rp_last_error(), "a.onnx"));
    rp_set_log(RP_LOG_INFO, NULL, NULL);
}

/* Another process makes the file shorter, or it is larger than any ONNX file. */
static void file_shrinks(void **state)
{
    struct rp_onnx_image image;
    char path[] = "/tmp/reprise-shrinks-XXXXXX";
    const int fd = mkstemp(path);
    unsigned sum = 0;

    (void) state;
    assert_true(fd >= 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(pwrite(fd, &(uint8_t){(uint8_t) (i + 1)}, 1, 4096 * i), 1);
    assert_int_equal(rp_onnx_load(&image, path), 0);
    assert_int_equal(image.size, 4096 * 99 + 1);
    assert_int_equal(ftruncate(fd, 10), 0);
    for (int i = 0; i < 100; i++)
        sum += ((const uint8_t *) image.data)[4096 * i];
    assert_int_equal(sum, 5050);
    rp_onnx_unmap(&image);
    assert_int_equal(rp_onnx_copy(&image, path, 11), RP_ERR_IO);
    assert_null(image.data);
    assert_int_equal(ftruncate(fd, INT64_C(1) << 40), 0);
    assert_int_equal(rp_onnx_load(&image, path), RP_ERR_MODEL);
    assert_null(image.data);
    close(fd);
    unlink(path);
}

/* To find out whether sizes are to be opened, large weights are not read; then all of the file is. */
static void weights_are_left_out(void **state)
{
    enum { ROOM = 1 << 20, N = 40000 };
    static uint8_t room[ROOM];
    static float weight[N];
    struct rp_onnx_image image;
    char path[] = "/tmp/reprise-outline-XXXXXX";
    const int fd = mkstemp(path);
    struct rp_onnx_out out = {.data = room, .size = ROOM};

    (void) state;
    for (int i = 0; i < N; i++)
        weight[i] = (float) i + 1;
    const size_t graph = rp_onnx_begin_model(&out, "test");
    rp_onnx_put_weight(&out, "w", RP_ONNX_FLOAT, 1, DIMS(N), weight, sizeof(weight));
    put_detector(&out, -1);
    assert_int_equal(rp_onnx_end_model(&out, graph), 0);
    assert_int_equal(write(fd, room, out.n), (ssize_t) out.n);
    assert_int_equal(rp_onnx_outline(&image, path), 0);
    assert_int_equal(image.size, out.n);
    const uint8_t *const whole = memmem(room, out.n, weight, sizeof(weight)), *const got = image.data;
    assert_non_null(whole);
    assert_memory_equal(got + (whole - room) + sizeof(weight), whole + sizeof(weight),
                        out.n - (size_t) (whole - room) - sizeof(weight));
    for (size_t i = 32; i < sizeof(weight); i++) /* its head is read */
        assert_int_equal(got[whole - room + i], 0);
    rp_onnx_unmap(&image);
    rp_onnx_load_open(&image, path);
    assert_non_null(image.data);
    assert_true(rp_onnx_open_sizes(&(struct rp_onnx_image){room, out.n}));
    assert_memory_equal(image.data, room, out.n);
    rp_onnx_unmap(&image);
    for (size_t n = 1; n < 400; n++) { /* and any part of it does no harm */
        assert_int_equal(ftruncate(fd, (off_t) (out.n - n)), 0);
        rp_onnx_load_open(&image, path);
        rp_onnx_unmap(&image);
    }
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_bytes),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_floats),
        cmocka_unit_test(counts_a_convolution),
        cmocka_unit_test(takes_given_sizes),
        cmocka_unit_test(counts_products_and_turned_convolutions),
        cmocka_unit_test(follows_sizes_through_the_graph),
        cmocka_unit_test(says_what_it_cannot_count),
        cmocka_unit_test(opens_sizes), cmocka_unit_test(file_shrinks),
        cmocka_unit_test(weights_are_left_out),
        cmocka_unit_test(leaves_sizes_that_hold),
        cmocka_unit_test(sets_rows),
        cmocka_unit_test(refuses_rows),
        cmocka_unit_test(survives_damage),
        cmocka_unit_test(refuses_what_is_no_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
