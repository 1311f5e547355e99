/* The reader of ONNX files: small files written here byte by byte, right and damaged ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "onnx/onnx.h"

/* ---- writing --------------------------------------------------------------------------------- */

struct msg {
    uint8_t b[2048];
    size_t n;
};

static void put_varint(struct msg *m, uint64_t v)
{
    for (; v > 127; v >>= 7)
        m->b[m->n++] = (uint8_t) v | 0x80;
    m->b[m->n++] = (uint8_t) v;
}

static void put_number(struct msg *m, unsigned field, uint64_t v)
{
    put_varint(m, field << 3);
    put_varint(m, v);
}

static void put_bytes(struct msg *m, unsigned field, const void *p, size_t n)
{
    put_varint(m, field << 3 | 2);
    put_varint(m, n);
    assert_true(m->n + n <= sizeof(m->b));
    memcpy(m->b + m->n, p, n);
    m->n += n;
}

static void put_text(struct msg *m, unsigned field, const char *text)
{
    put_bytes(m, field, text, strlen(text));
}

static void put_msg(struct msg *m, unsigned field, const struct msg *inner)
{
    put_bytes(m, field, inner->b, inner->n);
}

/* A TensorProto of zeros, or of the int64 numbers given. */
static void put_weight(struct msg *graph, const char *name, int type, int rank, const int64_t *dim,
                       const void *raw, size_t n)
{
    struct msg t = {.n = 0};

    for (int i = 0; i < rank; i++)
        put_number(&t, 1, (uint64_t) dim[i]);
    put_number(&t, 2, (uint64_t) type);
    put_text(&t, 8, name);
    if (raw)
        put_bytes(&t, 9, raw, n);
    put_msg(graph, 5, &t);
}

/* A ValueInfoProto; -1 is a size by name. */
static void put_value(struct msg *graph, unsigned field, const char *name, int rank,
                      const int64_t *dim)
{
    struct msg shape = {.n = 0}, tensor = {.n = 0}, type = {.n = 0}, info = {.n = 0};

    for (int i = 0; i < rank; i++) {
        struct msg d = {.n = 0};

        if (dim[i] < 0)
            put_text(&d, 2, "batch");
        else
            put_number(&d, 1, (uint64_t) dim[i]);
        put_msg(&shape, 1, &d);
    }
    put_number(&tensor, 1, RP_ONNX_FLOAT);
    put_msg(&tensor, 2, &shape);
    put_msg(&type, 1, &tensor);
    put_text(&info, 1, name);
    put_msg(&info, 2, &type);
    put_msg(graph, field, &info);
}

static void put_ints(struct msg *node, const char *name, int n, const int64_t *v)
{
    struct msg a = {.n = 0};

    put_text(&a, 1, name);
    for (int i = 0; i < n; i++)
        put_number(&a, 8, (uint64_t) v[i]);
    put_msg(node, 5, &a);
}

static void put_int(struct msg *node, const char *name, int64_t v)
{
    struct msg a = {.n = 0};

    put_text(&a, 1, name);
    put_number(&a, 3, (uint64_t) v);
    put_msg(node, 5, &a);
}

/* Names between blanks: "Conv x w > y" */
static struct msg node_of(const char *text)
{
    struct msg node = {.n = 0};
    char copy[256], *save = NULL;
    bool out = false;

    snprintf(copy, sizeof(copy), "%s", text);
    const char *const op = strtok_r(copy, " ", &save);
    for (char *w = strtok_r(NULL, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        if (!strcmp(w, ">"))
            out = true;
        else
            put_text(&node, out ? 2 : 1, strcmp(w, "-") != 0 ? w : "");
    }
    put_text(&node, 4, op);
    return node;
}

static void put_node(struct msg *graph, const char *text)
{
    const struct msg node = node_of(text);

    put_msg(graph, 1, &node);
}

static struct msg model_of(const struct msg *graph)
{
    struct msg m = {.n = 0}, opset = {.n = 0};

    put_number(&m, 1, 8);
    put_msg(&m, 7, graph);
    put_number(&opset, 2, 17);
    put_msg(&m, 8, &opset);
    return m;
}

/* ---- elements --------------------------------------------------------------------------------- */

/* A weight of three numbers, its data in this field. */
static bool three_of(int type, unsigned field, const void *data, size_t n, float out[3])
{
    struct rp_onnx *o;
    const struct rp_onnx_tensor *w;
    struct msg graph = {.n = 0}, t = {.n = 0};
    bool ok;

    put_number(&t, 1, 3);
    put_number(&t, 2, (uint64_t) type);
    put_text(&t, 8, "w");
    put_bytes(&t, field, data, n);
    put_msg(&graph, 5, &t);
    const struct msg m = model_of(&graph);
    assert_int_equal(rp_onnx_read(&o, "test.onnx", m.b, m.n), 0);
    assert_int_equal(rp_onnx_weights(o, &w), 1);
    ok = rp_onnx_floats(w, out, 3);
    rp_onnx_close(&o);
    return ok;
}

/* 1, -2.5 and the smallest float16, in each way that a file may have them. */
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

static struct rp_onnx *read_model(const struct msg *m)
{
    struct rp_onnx *o;

    assert_int_equal(rp_onnx_read(&o, "test.onnx", m->b, m->n), 0);
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

#define DIMS(...)     \
    (const int64_t[]) \
    {                 \
        __VA_ARGS__   \
    }
#define SHAPE(o, name, ...) \
    assert_shape(o, name, (int) RP_ARRAY_LEN(DIMS(__VA_ARGS__)), DIMS(__VA_ARGS__))

/* ---- tests ----------------------------------------------------------------------------------- */

/* x 1x8x16x16 -> Conv 4 groups 3x3, stride 2, pads 1 -> y 1x12x8x8 */
static struct msg conv_graph(void)
{
    struct msg g = {.n = 0}, node = node_of("Conv x w b > y");

    put_ints(&node, "strides", 2, DIMS(2, 2));
    put_ints(&node, "pads", 4, DIMS(1, 1, 1, 1));
    put_int(&node, "group", 4);
    put_msg(&g, 1, &node);
    put_weight(&g, "w", RP_ONNX_FLOAT, 4, DIMS(12, 2, 3, 3), NULL, 0);
    put_weight(&g, "b", RP_ONNX_FLOAT, 1, DIMS(12),
               "0123456789abcdef0123456789abcdef0123456789abcdef", 48);
    put_value(&g, 11, "x", 4, DIMS(-1, 8, 16, 16));
    put_value(&g, 11, "w", 4, DIMS(12, 2, 3, 3)); /* old files list weights as inputs too */
    put_value(&g, 12, "y", 4, DIMS(-1, 12, -1, -1));
    return g;
}

static void counts_a_convolution(void **state)
{
    const struct msg g = conv_graph(), m = model_of(&g);
    struct rp_onnx *o = read_model(&m);
    const int *in;
    const struct rp_onnx_tensor *w;
    struct rp_onnx_cost c;

    (void) state;
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
    const struct msg g = conv_graph(), m = model_of(&g);
    struct rp_onnx *o = read_model(&m);
    const int64_t *const dims[] = {DIMS(3, 8, 32, 16)};
    struct rp_onnx_cost c;

    (void) state;
    rp_onnx_count(o, dims, &c);
    SHAPE(o, "y", 3, 12, 16, 8);
    assert_true(c.flop == 2.0 * 3 * 12 * 16 * 8 * 2 * 9);
    rp_onnx_close(&o);
}

static void counts_products_and_turned_convolutions(void **state)
{
    struct msg g = {.n = 0}, node = node_of("ConvTranspose x w > y"),
               gemm = node_of("Gemm f m > z"), m;
    struct rp_onnx *o;
    struct rp_onnx_cost c;

    (void) state;
    put_ints(&node, "strides", 2, DIMS(2, 2));
    put_msg(&g, 1, &node);
    put_node(&g, "Flatten y > f");
    put_int(&gemm, "transB", 1);
    put_msg(&g, 1, &gemm);
    put_node(&g, "MatMul z k > q");
    put_weight(&g, "w", RP_ONNX_FLOAT, 4, DIMS(4, 2, 2, 2), NULL, 0);
    put_weight(&g, "m", RP_ONNX_FLOAT, 2, DIMS(10, 128), NULL, 0);
    put_weight(&g, "k", RP_ONNX_FLOAT, 2, DIMS(10, 3), NULL, 0);
    put_value(&g, 11, "x", 4, DIMS(1, 4, 4, 4));
    m = model_of(&g);
    o = read_model(&m);
    rp_onnx_count(o, NULL, &c);
    SHAPE(o, "y", 1, 2, 8, 8);
    SHAPE(o, "z", 1, 10);
    SHAPE(o, "q", 1, 3);
    assert_true(c.complete);
    assert_true(c.flop == 2.0 * (4 * 16 * 2 * 4 + 10 * 128 + 3 * 10));
    rp_onnx_close(&o);
}

/* As exporters reshape: the batch is cut out of the shape and put before -1. */
static void follows_sizes_through_the_graph(void **state)
{
    struct msg g = {.n = 0}, m, gather = node_of("Gather s zero > first"),
               cat = node_of("Concat first1 minus > want"),
               slice = node_of("Slice r from to axes > cut");
    struct rp_onnx *o;
    struct rp_onnx_cost c;

    (void) state;
    put_node(&g, "Shape x > s");
    put_msg(&g, 1, &gather);
    put_node(&g, "Unsqueeze first zeros > first1");
    put_int(&cat, "axis", 0);
    put_msg(&g, 1, &cat);
    put_node(&g, "Reshape x want > r");
    put_msg(&g, 1, &slice);
    put_weight(&g, "zero", RP_ONNX_INT64, 0, NULL, DIMS(0), 8);
    put_weight(&g, "zeros", RP_ONNX_INT64, 1, DIMS(1), DIMS(0), 8);
    put_weight(&g, "minus", RP_ONNX_INT64, 1, DIMS(1), DIMS(-1), 8);
    put_weight(&g, "from", RP_ONNX_INT64, 1, DIMS(1), DIMS(-10), 8);
    put_weight(&g, "to", RP_ONNX_INT64, 1, DIMS(1), DIMS(INT64_MAX), 8);
    put_weight(&g, "axes", RP_ONNX_INT64, 1, DIMS(1), DIMS(1), 8);
    put_value(&g, 11, "x", 3, DIMS(2, 3, 5));
    m = model_of(&g);
    o = read_model(&m);
    rp_onnx_count(o, NULL, &c);
    SHAPE(o, "r", 2, 15);
    SHAPE(o, "cut", 2, 10);
    assert_true(c.complete);
    rp_onnx_close(&o);
}

static void says_what_it_cannot_count(void **state)
{
    struct msg g = {.n = 0}, m, branch = node_of("If c > y"), attr = {.n = 0};
    struct rp_onnx *o;
    struct rp_onnx_cost c;

    (void) state;
    put_text(&attr, 1, "then_branch");
    put_bytes(&attr, 6, "", 0);
    put_msg(&branch, 5, &attr);
    put_node(&g, "Relu x > c");
    put_msg(&g, 1, &branch);
    put_node(&g, "Strange x > z");
    put_value(&g, 11, "x", 1, DIMS(4));
    m = model_of(&g);
    o = read_model(&m);
    rp_onnx_count(o, NULL, &c);
    assert_false(c.complete);
    assert_string_equal(c.unknown, "If");
    assert_int_equal(c.nodes, 3);
    rp_onnx_close(&o);
}

/* Cut anywhere, or with any byte changed: refused or read, never anything else. */
static void survives_damage(void **state)
{
    const struct msg g = conv_graph(), whole = model_of(&g);
    struct rp_onnx_cost c;

    (void) state;
    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    for (size_t n = 0; n < whole.n; n++) {
        for (int change = 0; change < 4; change++) {
            struct rp_onnx *o;
            uint8_t *const copy = malloc(whole.n); /* its own block: reads past it are seen */
            const size_t size = change ? whole.n : n;

            assert_non_null(copy);
            memcpy(copy, whole.b, size);
            if (change)
                copy[n] = (uint8_t) (change == 1 ? 0xff : change == 2 ? copy[n] + 1 : 0x80);
            if (rp_onnx_read(&o, "damaged.onnx", copy, size) >= 0)
                rp_onnx_count(o, NULL, &c);
            rp_onnx_close(&o);
            free(copy);
        }
    }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_floats),
        cmocka_unit_test(counts_a_convolution),
        cmocka_unit_test(takes_given_sizes),
        cmocka_unit_test(counts_products_and_turned_convolutions),
        cmocka_unit_test(follows_sizes_through_the_graph),
        cmocka_unit_test(says_what_it_cannot_count),
        cmocka_unit_test(survives_damage),
        cmocka_unit_test(refuses_what_is_no_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
