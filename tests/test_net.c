/* Operations of networks against plain ones of the test, which know nothing of packed weights,
 * blocks or fused steps. On a GPU checkgpu compares with the C versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/base.h"
#include "ops/net_core.h"

static uint64_t rng = 88172645463325252u;

static int range(int lo, int hi)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return lo + (int) ((rng >> 33) % (uint64_t) (hi - lo + 1));
}

static float number(void)
{
    return (float) range(-1000, 1000) / 1000;
}

static void *some(size_t size)
{
    void *const p = aligned_alloc(64, (size + 127) / 64 * 64);

    assert_non_null(p);
    memset(p, 0, (size + 127) / 64 * 64);
    return p;
}

/* The nearest float16. */
static float as_half(float v)
{
    return rp_half_to_float(rp_half_from_float(v));
}

static float *numbers(size_t n)
{
    float *const v = some(n * sizeof(*v));

    for (size_t i = 0; i < n; i++)
        v[i] = number();
    return v;
}

/* Random numbers; the channels after c hold 7, but for the zeros that belong there. */
static struct rp_act tensor(int type, int n, int h, int w, int c)
{
    struct rp_act t = {.type = type, .n = n, .h = h, .w = w, .c = c};

    t.ld = RP_ACT_ROUND(c) + 8 * range(0, 1);
    const int64_t count = (int64_t) n * h * w * t.ld;
    t.data = some((size_t) count * sizeof(float));
    for (int64_t i = 0; i < count; i++)
        rp_number_put(t.data, type, i,
                      i % t.ld < c                 ? number()
                      : i % t.ld < RP_ACT_ROUND(c) ? 0
                                                   : 7);
    return t;
}

static void near(double want, float got, double most, const char *what)
{
    if (!(fabs(want - (double) got) <= most * (1 + fabs(want))))
        fail_msg("%s: want %.9g, got %.9g", what, want, (double) got);
}

static double tolerance(const struct rp_act *t)
{
    return t->type == RP_ACT_F16 ? 1e-3 : 2e-5;
}

/* Zeros where they belong, and nothing beyond. */
static void check_ends(const struct rp_act *t)
{
    for (int64_t i = 0; i < (int64_t) t->n * t->h * t->w * t->ld; i++)
        if (i % t->ld >= t->c)
            assert_true(rp_number_get(t->data, t->type, i) ==
                        (i % t->ld < RP_ACT_ROUND(t->c) ? 0 : 7));
}

/* ---- convolution ----------------------------------------------------------------------------- */

static double padded(const struct rp_act *t, int n, int y, int x, int c, int up, int mode)
{
    const int h = t->h * up, w = t->w * up;

    if (y < 0 || y >= h || x < 0 || x >= w) {
        if (mode == RP_PAD_ZERO)
            return 0;
        if (mode == RP_PAD_REFLECT) {
            y = abs(y);
            x = abs(x);
            y = y >= h ? 2 * (h - 1) - y : y;
            x = x >= w ? 2 * (w - 1) - x : x;
        }
        y = RP_CLAMP(y, 0, h - 1);
        x = RP_CLAMP(x, 0, w - 1);
    }
    return (double) rp_act_get(t, n, y / up, x / up, c);
}

static double plain_fn(int fn, double x, double alpha, double beta, double slope)
{
    switch (fn) {
    case RP_FN_RELU:
        return x > 0 ? x : 0;
    case RP_FN_LEAKY:
        return x > 0 ? x : x * alpha;
    case RP_FN_PRELU:
        return x > 0 ? x : x * slope;
    case RP_FN_CLIP:
        return RP_CLAMP(x, alpha, beta);
    case RP_FN_SIGMOID:
        return 1 / (1 + exp(-x));
    case RP_FN_SILU:
        return x / (1 + exp(-x));
    case RP_FN_HSIGMOID:
        return RP_CLAMP(alpha * x + beta, 0, 1);
    case RP_FN_HSWISH:
        return x * RP_CLAMP(x / 6 + 0.5, 0, 1);
    case RP_FN_TANH:
        return tanh(x);
    case RP_FN_ELU:
        return x < 0 ? alpha * (exp(x) - 1) : x;
    case RP_FN_SOFTPLUS:
        return log1p(exp(x));
    case RP_FN_GELU:
        return x * 0.5 * (1 + erf(x / sqrt(2)));
    case RP_FN_MISH:
        return x * tanh(log1p(exp(x)));
    case RP_FN_EXP:
        return exp(x);
    case RP_FN_LOG:
        return log(x);
    case RP_FN_SQRT:
        return sqrt(x);
    case RP_FN_RSQRT:
        return 1 / sqrt(x);
    case RP_FN_RECIPROCAL:
        return 1 / x;
    case RP_FN_ABS:
        return fabs(x);
    case RP_FN_NEG:
        return -x;
    case RP_FN_SQUARE:
        return x * x;
    case RP_FN_ERF:
        return erf(x);
    case RP_FN_SIN:
        return sin(x);
    case RP_FN_COS:
        return cos(x);
    case RP_FN_FLOOR:
        return floor(x);
    case RP_FN_CEIL:
        return ceil(x);
    case RP_FN_ROUND:
        return nearbyint(x);
    case RP_FN_TRUNC:
        return trunc(x);
    case RP_FN_SIGN:
        return (x > 0) - (x < 0);
    default:
        return x;
    }
}

struct conv {
    struct rp_op_net_conv a;
    float *weights; /* ONNX's */
    int out, each;
};

static double plain_sum(const struct conv *v, int n, int y, int x, int o)
{
    const struct rp_op_net_conv *const a = &v->a;
    const int group = o / (v->out / a->groups);
    double sum = 0;

    for (int i = 0; i < v->each; i++)
        for (int ky = 0; ky < a->kh; ky++)
            for (int kx = 0; kx < a->kw; kx++) {
                const int c = group * v->each + i;
                const double s = padded(
                    &a->src, n, y * a->stride_h - a->pad_top + ky * a->dilation_h,
                    x * a->stride_w - a->pad_left + kx * a->dilation_w, c, a->up, a->pad_mode);
                const float w = v->weights[((o * v->each + i) * a->kh + ky) * a->kw + kx];

                sum += s * (double) w * (a->in_scale ? (double) a->in_scale[n * a->src.c + c] : 1);
            }
    return sum;
}

static void check_conv(const struct conv *v)
{
    const struct rp_op_net_conv *const a = &v->a;
    const struct rp_act *const d = &a->dst;
    const int r = a->shuffle;

    for (int n = 0; n < d->n; n++)
        for (int y = 0; y < d->h; y++)
            for (int x = 0; x < d->w; x++)
                for (int c = 0; c < d->c; c++) {
                    const int i = y % r * r + x % r;
                    const int o = a->shuffle_order == RP_SHUFFLE_DCR ? i * d->c + c : c * r * r + i;
                    double s = plain_sum(v, n, y / r, x / r, o);
                    double add = 0;

                    if (a->add.data)
                        add = (double) rp_act_get(&a->add, a->add.n == 1 ? 0 : n, y, x,
                                                  a->add.c == 1 ? 0 : c);
                    s = s * (a->out_scale ? (double) a->out_scale[n * v->out + o] : 1) +
                        (a->bias ? (double) a->bias[o] : 0) + (a->add_last ? 0 : add);
                    s = plain_fn(a->then.fn, s, (double) a->then.alpha, (double) a->then.beta,
                                 a->then.slope ? (double) a->then.slope[o] : 0);
                    s = s * (a->then.gain == 0 ? 1 : (double) a->then.gain) + a->add_last * add;
                    near(s * (a->post_scale ? (double) a->post_scale[n * v->out + o] : 1),
                         rp_act_get(d, n, y, x, c), tolerance(d), "convolution");
                    s = RP_MAX(s * (double) a->also.scale[c] + (double) a->also.shift[c], 0);
                    if (a->also.to.data)
                        near(s, rp_act_get(&a->also.to, n, y, x, c), 2e-3, "convolution's second");
                }
    check_ends(d);
    check_ends(&a->also.to);
}

static void draw_groups(struct conv *v, int *c)
{
    struct rp_op_net_conv *const a = &v->a;
    const int kind = range(0, 5);

    a->groups = kind == 0 ? range(2, 40) : kind == 1 ? range(2, 4) : 1;
    v->each = kind == 0 ? 1 : range(1, 20);
    *c = v->each * a->groups;
    v->out = kind == 0 ? *c : a->groups * range(1, 20);
    a->shuffle = range(0, 3) || v->out % 4 ? 1 : 2;
    a->shuffle_order = range(0, 1);
}

static void draw_extras(struct conv *v)
{
    struct rp_op_net_conv *const a = &v->a;
    const int n = a->src.n;

    a->bias = range(0, 1) ? numbers((size_t) v->out) : NULL;
    a->in_scale = range(0, 3) ? NULL : numbers((size_t) n * (size_t) a->src.c);
    a->out_scale = range(0, 3) ? NULL : numbers((size_t) n * (size_t) v->out);
    a->post_scale = range(0, 3) ? NULL : numbers((size_t) n * (size_t) v->out);
    if (range(0, 1))
        a->add = tensor(range(0, 1), range(0, 1) ? n : 1, a->dst.h, a->dst.w,
                        range(0, 1) ? a->dst.c : 1);
    a->add_last = range(0, 1);
    a->then = (struct rp_net_then){.fn = range(RP_FN_NONE, RP_FN_TANH),
                                   .alpha = 0.2f,
                                   .beta = 0.7f,
                                   .gain = range(0, 1) ? 1.5f : 0,
                                   .slope = numbers((size_t) v->out)};
}

static void draw_also(struct rp_net_also *a, const struct rp_act *dst)
{
    a->scale = numbers((size_t) dst->c);
    a->shift = numbers((size_t) dst->c);
    a->then.fn = RP_FN_RELU;
    if (range(0, 2) == 0)
        a->to = tensor(range(0, 1), dst->n, dst->h, dst->w, dst->c);
}

/* The second result of what an operation made. */
static void check_also(const struct rp_net_also *a, const struct rp_act *dst)
{
    if (!a->to.data || !a->scale || !a->shift)
        return;
    for (int n = 0; n < dst->n; n++)
        for (int y = 0; y < dst->h; y++)
            for (int x = 0; x < dst->w; x++)
                for (int c = 0; c < dst->c; c++) {
                    const double v = (double) rp_act_get(dst, n, y, x, c);

                    near(RP_MAX(v * (double) a->scale[c] + (double) a->shift[c], 0),
                         rp_act_get(&a->to, n, y, x, c), 5e-3, "second result");
                }
    check_ends(&a->to);
}

/* Those of float16 are such already: how others are rounded is for test_rounding. */
static float *weights_of(int type, size_t n)
{
    float *const w = numbers(n);

    for (size_t i = 0; type == RP_ACT_F16 && i < n; i++)
        w[i] = as_half(w[i]);
    return w;
}

static struct conv draw_conv(void)
{
    struct conv v = {0};
    struct rp_op_net_conv *const a = &v.a;
    const int type = range(0, 1), n = range(1, 2);
    int c;

    draw_groups(&v, &c);
    a->kh = range(1, 4);
    a->kw = range(1, 4);
    a->stride_h = range(1, 2);
    a->stride_w = range(1, 2);
    a->dilation_h = range(1, 2);
    a->dilation_w = range(1, 2);
    a->pad_top = range(0, 2);
    a->pad_left = range(0, 2);
    a->pad_mode = range(0, 2);
    a->up = range(1, 2);
    a->src = tensor(type, n, range(5, 9), range(5, 20), c);
    const int h = (a->src.h * a->up - 1) / a->stride_h + 1;
    const int w = (a->src.w * a->up - 1) / a->stride_w + 1;
    a->dst = tensor(type, n, h * a->shuffle, w * a->shuffle - (a->shuffle > 1),
                    v.out / a->shuffle / a->shuffle);
    draw_extras(&v);
    draw_also(&a->also, &a->dst);
    v.weights =
        weights_of(a->src.type, (size_t) v.out * (size_t) v.each * (size_t) a->kh * (size_t) a->kw);
    void *const packed = some(rp_conv_pack_bytes(type, v.out, c, a->groups, a->kh, a->kw));
    assert_int_equal(rp_conv_pack(v.weights, type, v.out, c, a->groups, a->kh, a->kw, packed), 0);
    a->weights = packed;
    return v;
}

static void free_act(struct rp_act *t)
{
    free(t->data);
}

static void free_also(struct rp_net_also *a)
{
    free_act(&a->to);
    free((float *) a->scale);
    free((float *) a->shift);
}

static void free_conv(struct conv *v)
{
    const void *const all[] = {v->weights,     v->a.weights,    v->a.bias,         v->a.in_scale,
                               v->a.out_scale, v->a.post_scale, v->a.then.slope,   v->a.src.data,
                               v->a.dst.data,  v->a.add.data,   v->a.also.to.data, v->a.also.scale,
                               v->a.also.shift};

    for (size_t i = 0; i < RP_ARRAY_LEN(all); i++)
        free((void *) all[i]);
}

static void test_conv(void **state)
{
    (void) state;
    for (int i = 0; i < 300; i++) {
        struct conv v = draw_conv();

        assert_int_equal(rp_c_net_conv(NULL, &v.a), 0);
        check_conv(&v);
        free_conv(&v);
    }
}

/* A large sum and many outputs: more than a block of each. */
/* One that can be done column by column of its window. */
static struct conv draw_narrow(void)
{
    struct conv v = {.each = range(1, 40), .out = range(1, 9)};
    struct rp_op_net_conv *const a = &v.a;
    const int n = range(1, 2);

    *a = (struct rp_op_net_conv){.kh = range(1, 4),
                                 .kw = range(1, 5),
                                 .stride_h = range(1, 2),
                                 .stride_w = 1,
                                 .dilation_h = range(1, 2),
                                 .dilation_w = range(1, 2),
                                 .pad_top = range(0, 2),
                                 .pad_left = range(-1, 3),
                                 .pad_mode = range(0, 2),
                                 .groups = 1,
                                 .up = 1,
                                 .shuffle = 1};
    a->src = tensor(range(0, 1), n, range(5, 9), range(9, 20), v.each);
    a->dst =
        tensor(range(0, 1), n, (a->src.h - 1) / a->stride_h + 1, a->src.w - range(0, 3), v.out);
    draw_extras(&v);
    const void *const scales[] = {a->in_scale, a->out_scale, a->post_scale};
    for (size_t i = 0; i < RP_ARRAY_LEN(scales); i++)
        free((void *) scales[i]);
    a->in_scale = a->out_scale = a->post_scale = NULL;
    a->also.scale = numbers((size_t) v.out);
    a->also.shift = numbers((size_t) v.out);
    v.weights =
        weights_of(a->src.type, (size_t) v.out * (size_t) v.each * (size_t) a->kh * (size_t) a->kw);
    return v;
}

/* Each column by itself in a convolution of kh x 1, then all of them added. */
static void do_columns(const struct conv *v)
{
    const struct rp_op_net_conv *const a = &v->a;
    const int rows = v->each * a->kh, out = a->kw * v->out;
    struct rp_act part = tensor(RP_ACT_F32, a->dst.n, a->dst.h, a->src.w, out);
    struct rp_op_net_conv wide = *a;
    const struct rp_op_net_columns columns = {part,        a->dst,      a->kw,   a->dilation_w,
                                              a->pad_left, a->pad_mode, a->bias, a->add,
                                              a->add_last, a->then};
    float *const plain = numbers((size_t) out * (size_t) rows);
    void *const packed = some(rp_conv_pack_bytes(a->src.type, out, v->each, 1, a->kh, 1));

    for (int o = 0; o < out; o++)
        for (int i = 0; i < rows; i++)
            plain[o * rows + i] = v->weights[(o % v->out * rows + i) * a->kw + o / v->out];
    assert_int_equal(rp_conv_pack(plain, a->src.type, out, v->each, 1, a->kh, 1, packed), 0);
    wide.weights = packed;
    wide.dst = part;
    wide.kw = wide.dilation_w = 1;
    wide.pad_left = wide.add_last = 0;
    wide.bias = NULL;
    wide.add = (struct rp_act){0};
    wide.then = (struct rp_net_then){0};
    assert_int_equal(rp_c_net_conv(NULL, &wide), 0);
    assert_int_equal(rp_c_net_columns(NULL, &columns), 0);
    free(plain);
    free(packed);
    free_act(&part);
}

static void test_columns(void **state)
{
    (void) state;
    for (int i = 0; i < 300; i++) {
        struct conv v = draw_narrow();

        do_columns(&v);
        check_conv(&v);
        free_conv(&v);
    }
}

static void test_conv_deep(void **state)
{
    struct conv v = {.out = 300, .each = 120};
    struct rp_op_net_conv *const a = &v.a;

    (void) state;
    a->kh = a->kw = 3;
    a->stride_h = a->stride_w = a->dilation_h = a->dilation_w = 1;
    a->pad_top = a->pad_left = a->groups = a->up = a->shuffle = 1;
    a->src = tensor(RP_ACT_F32, 1, 3, 9, 120);
    a->dst = tensor(RP_ACT_F32, 1, 3, 9, 300);
    draw_also(&a->also, &a->dst);
    v.weights = numbers(300 * 120 * 9);
    void *const packed = some(rp_conv_pack_bytes(RP_ACT_F32, 300, 120, 1, 3, 3));
    assert_int_equal(rp_conv_pack(v.weights, RP_ACT_F32, 300, 120, 1, 3, 3, packed), 0);
    a->weights = packed;
    rp_c_net_conv(NULL, a);
    check_conv(&v);
    free_conv(&v);
}

static void one_deconv(const struct rp_deconv *d, const float *w, const float *bias, int more)
{
    struct rp_op_net_conv a = {0};
    const int h = 4, width = 5;

    rp_deconv(d, &a);
    const int out = d->out * d->stride * d->stride;
    a.src = tensor(RP_ACT_F32, 1, h, width, d->c);
    a.dst = tensor(
        RP_ACT_F32, 1,
        (h - 1) * d->stride - 2 * d->pad_top + (d->kh - 1) * d->dilation_h + 1 + more,
        (width - 1) * d->stride - 2 * d->pad_left + (d->kw - 1) * d->dilation_w + 1 + more, d->out);
    float *const cw = numbers((size_t) out * (size_t) d->c * (size_t) a.kh * (size_t) a.kw),
                 *const cb = numbers((size_t) out);
    rp_deconv_weights(d, w, bias, cw, cb);
    void *const packed = some(rp_conv_pack_bytes(RP_ACT_F32, out, d->c, 1, a.kh, a.kw));
    assert_int_equal(rp_conv_pack(cw, RP_ACT_F32, out, d->c, 1, a.kh, a.kw, packed), 0);
    a.weights = packed;
    a.bias = cb;
    rp_c_net_conv(NULL, &a);
    for (int o = 0; o < d->out; o++)
        for (int y = 0; y < a.dst.h; y++)
            for (int x = 0; x < a.dst.w; x++) {
                double want = (double) bias[o];

                for (int i = 0; i < h * width * d->kh * d->kw; i++) {
                    const int kx = i % d->kw, ky = i / d->kw % d->kh;
                    const int sx = i / d->kw / d->kh % width, sy = i / d->kw / d->kh / width;

                    if (sy * d->stride - d->pad_top + ky * d->dilation_h != y ||
                        sx * d->stride - d->pad_left + kx * d->dilation_w != x)
                        continue;
                    for (int c = 0; c < d->c; c++)
                        want += (double) rp_act_get(&a.src, 0, sy, sx, c) *
                                (double) w[((c * d->out + o) * d->kh + ky) * d->kw + kx];
                }
                near(want, rp_act_get(&a.dst, 0, y, x, o), 2e-5, "transposed convolution");
            }
    check_ends(&a.dst);
    free(cw);
    free(cb);
    free(packed);
    free_act(&a.src);
    free_act(&a.dst);
}

static void test_deconv(void **state)
{
    (void) state;
    for (int i = 0; i < 60; i++) {
        struct rp_deconv d = {.c = range(1, 9), .out = range(1, 5), .kh = range(1, 5)};

        d.kw = range(1, 5);
        d.stride = range(1, 4);
        d.dilation_h = range(1, 2);
        d.dilation_w = range(1, 2);
        d.pad_top = range(0, d.kh - 1);
        d.pad_left = range(0, d.kw - 1);
        float *const w = numbers((size_t) d.c * (size_t) d.out * (size_t) d.kh * (size_t) d.kw);
        float *const bias = numbers((size_t) d.out);
        one_deconv(&d, w, bias, range(0, d.stride - 1));
        free(w);
        free(bias);
    }
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void test_half(void **state)
{
    static const struct {
        float f;
        uint16_t h;
    } known[] = {{0, 0},
                 {1, 0x3c00},
                 {-2, 0xc000},
                 {65504, 0x7bff},
                 {65519, 0x7bff},
                 {65520, 0x7c00},
                 {0x1p-14f, 0x0400},
                 {0x1p-24f, 1},
                 {0x1p-25f, 0},
                 {0x1.8p-25f, 1},
                 {1 + 0x1p-11f, 0x3c00},
                 {1 + 0x3p-11f, 0x3c02},
                 {INFINITY, 0x7c00},
                 {-INFINITY, 0xfc00}};

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(known); i++)
        assert_int_equal(rp_half_from_float(known[i].f), known[i].h);
    assert_true(isnan(rp_half_to_float(rp_half_from_float(NAN))));
    for (int h = 0; h < 65536; h++) {
        const float f = rp_half_to_float((uint16_t) h);
        const int fraction = h & 1023, exponent = h >> 10 & 31;

        if (exponent == 31) {
            assert_true(fraction ? isnan(f) : isinf(f));
            continue;
        }
        assert_true(f == (h & 0x8000 ? -1 : 1) *
                             (exponent ? ldexpf((float) (1024 + fraction), exponent - 25)
                                       : ldexpf((float) fraction, -24)));
        assert_int_equal(rp_half_from_float(f), h);
    }
}

static void test_functions(void **state)
{
    (void) state;
    for (int fn = RP_FN_NONE; fn < RP_FN_COUNT; fn++)
        for (int i = 0; i < 200; i++) {
            const bool positive = fn == RP_FN_LOG || fn == RP_FN_SQRT || fn == RP_FN_RSQRT;
            const float x = positive ? fabsf(number()) * 8 + 0.01f : number() * 8;
            const float slope[1] = {0.3f};
            const struct rp_net_then t = {fn, 0.25f, 0.6f, 0, slope};

            near(plain_fn(fn, (double) x, 0.25, (double) 0.6f, (double) 0.3f),
                 rp_net_then(&t, x, 0), 1e-6, "function");
        }
}

static void test_pool(void **state)
{
    (void) state;
    for (int i = 0; i < 60; i++) {
        struct rp_op_net_pool a = {.kind = range(0, 1), .kh = range(2, 3), .kw = range(2, 3)};

        a.stride_h = range(1, 2);
        a.stride_w = range(1, 2);
        a.dilation_h = a.dilation_w = 1;
        a.pad_top = a.pad_bottom = range(0, 1);
        a.pad_left = a.pad_right = range(0, 1);
        a.count_pads = range(0, 1);
        a.src = tensor(range(0, 1), 2, range(4, 9), range(4, 9), range(1, 12));
        a.dst = tensor(a.src.type, 2, (a.src.h + 2 * a.pad_top - a.kh) / a.stride_h + 1,
                       (a.src.w + 2 * a.pad_left - a.kw) / a.stride_w + 1, a.src.c);
        draw_also(&a.also, &a.dst);
        rp_c_net_pool(NULL, &a);
        check_also(&a.also, &a.dst);
        for (int y = 0; y < a.dst.h; y++)
            for (int x = 0; x < a.dst.w; x++) {
                const int y0 = y * a.stride_h - a.pad_top, x0 = x * a.stride_w - a.pad_left;
                double most = -9, sum = 0, inside = 0;

                for (int sy = RP_MAX(y0, 0); sy < RP_MIN(y0 + a.kh, a.src.h); sy++)
                    for (int sx = RP_MAX(x0, 0); sx < RP_MIN(x0 + a.kw, a.src.w); sx++) {
                        const double v = (double) rp_act_get(&a.src, 1, sy, sx, 0);

                        most = RP_MAX(most, v);
                        sum += v;
                        inside++;
                    }
                near(a.kind == RP_POOL_MAX ? most : sum / (a.count_pads ? a.kh * a.kw : inside),
                     rp_act_get(&a.dst, 1, y, x, 0), tolerance(&a.dst), "pool");
            }
        check_ends(&a.dst);
        free_act(&a.src);
        free_act(&a.dst);
        free_also(&a.also);
    }
}

/* Of 4 numbers to 8, 2 and 1, by hand. */
static void test_resize(void **state)
{
    static const struct {
        int mode, coordinates, nearest, n;
        float scale, want[8];
    } cases[] = {
        {RP_RESIZE_NEAREST, RP_COORD_ASYMMETRIC, RP_NEAREST_FLOOR, 8, 2, {1, 1, 2, 2, 3, 3, 4, 4}},
        {RP_RESIZE_NEAREST, RP_COORD_HALF_PIXEL, RP_NEAREST_ROUND_PREFER_FLOOR, 2, 0.5f, {1, 3}},
        {RP_RESIZE_NEAREST, RP_COORD_HALF_PIXEL, RP_NEAREST_CEIL, 2, 0.5f, {2, 4}},
        {RP_RESIZE_NEAREST, RP_COORD_HALF_PIXEL, RP_NEAREST_ROUND_PREFER_CEIL, 2, 0.5f, {2, 4}},
        {RP_RESIZE_LINEAR,
         RP_COORD_HALF_PIXEL,
         0,
         8,
         2,
         {1, 1.25f, 1.75f, 2.25f, 2.75f, 3.25f, 3.75f, 4}},
        {RP_RESIZE_LINEAR,
         RP_COORD_ALIGN_CORNERS,
         0,
         8,
         2,
         {1, 1.42857143f, 1.85714286f, 2.28571429f, 2.71428571f, 3.14285714f, 3.57142857f, 4}},
        {RP_RESIZE_LINEAR, RP_COORD_ASYMMETRIC, 0, 8, 2, {1, 1.5f, 2, 2.5f, 3, 3.5f, 4, 4}},
        {RP_RESIZE_LINEAR, RP_COORD_PYTORCH_HALF_PIXEL, 0, 1, 0.25f, {1}},
        {RP_RESIZE_CUBIC,
         RP_COORD_HALF_PIXEL,
         0,
         8,
         2,
         {0.89453125f, 1.19140625f, 1.66796875f, 2.296875f, 2.703125f, 3.33203125f, 3.80859375f,
          4.10546875f}},
    };
    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(cases); i++)
        for (int down = 0; down < 2; down++) {
            struct rp_op_net_resize a = {.mode = cases[i].mode,
                                         .coordinates = cases[i].coordinates,
                                         .nearest = cases[i].nearest,
                                         .scale_h = down ? cases[i].scale : 1,
                                         .scale_w = down ? 1 : cases[i].scale,
                                         .cubic_a = -0.75f};
            a.src = tensor(RP_ACT_F32, 1, down ? 4 : 1, down ? 1 : 4, 1);
            a.dst = tensor(RP_ACT_F32, 1, down ? cases[i].n : 1, down ? 1 : cases[i].n, 1);
            for (int k = 0; k < 4; k++)
                rp_act_put(&a.src, 0, down * k, !down * k, 0, (float) k + 1);
            rp_c_net_resize(NULL, &a);
            for (int k = 0; k < cases[i].n; k++)
                near((double) cases[i].want[k], rp_act_get(&a.dst, 0, down * k, !down * k, 0), 1e-6,
                     "resize");
            check_ends(&a.dst);
            free_act(&a.src);
            free_act(&a.dst);
        }
}

static double plain_elt(int op, double p, double q)
{
    switch (op) {
    case RP_ELT_ADD:
        return p + q;
    case RP_ELT_SUB:
        return p - q;
    case RP_ELT_MUL:
        return p * q;
    case RP_ELT_DIV:
        return p / q;
    case RP_ELT_MIN:
        return fmin(p, q);
    case RP_ELT_MAX:
        return fmax(p, q);
    case RP_ELT_POW:
        return pow(p, q);
    case RP_ELT_GREATER:
        return p > q;
    case RP_ELT_LESS:
        return p < q;
    case RP_ELT_EQUAL:
        return p == q;
    default:
        return p;
    }
}

static void one_eltwise(int op)
{
    const int n = 2, up = range(0, 3), h = 3 * RP_MAX(up, 1), w = 4 * RP_MAX(up, 1),
              c = range(1, 10);
    struct rp_op_net_eltwise a = {.op = op, .turned = op != RP_ELT_FIRST && range(0, 1)};

    a.then.fn = range(0, 1) ? RP_FN_LEAKY : RP_FN_NONE;
    a.then.alpha = 0.1f;
    a.a = tensor(range(0, 1), n, range(0, 1) ? h : 1, w, range(0, 1) ? c : 1);
    a.b = tensor(range(0, 1), range(0, 1) ? n : 1, h, range(0, 1) ? w : 1, c);
    if (up)
        a.low = tensor(range(0, 1), n, 3, 4, c);
    a.dst = tensor(RP_ACT_F32, n, h, w, c);
    for (int64_t i = 0; op == RP_ELT_POW && i < (int64_t) a.a.n * a.a.h * a.a.w * a.a.ld; i++)
        rp_number_put(a.a.data, a.a.type, i, fabsf(rp_number_get(a.a.data, a.a.type, i)) + 0.1f);
    a.turned = op == RP_ELT_POW ? 0 : a.turned;
    if (op <= RP_ELT_MUL)
        draw_also(&a.also, &a.dst);
    rp_c_net_eltwise(NULL, &a);
    check_also(&a.also, &a.dst);
    for (int i = 0; i < n * h * w * c; i++) {
        const int k = i % c, x = i / c % w, y = i / c / w % h, r = i / c / w / h;
        const float p = rp_act_get(&a.a, r, a.a.h == 1 ? 0 : y, x, a.a.c == 1 ? 0 : k);
        const float q = rp_act_get(&a.b, a.b.n == 1 ? 0 : r, y, a.b.w == 1 ? 0 : x, k);
        double want = a.turned ? plain_elt(op, (double) q, (double) p)
                               : plain_elt(op, (double) p, (double) q);

        if (up)
            want += (double) rp_act_get(&a.low, r, y / up, x / up, k);
        want = want < 0 && a.then.fn ? want * (double) 0.1f : want;
        if (isfinite(want))
            near(want, rp_act_get(&a.dst, r, y, x, k), 1e-6, "eltwise");
    }
    check_ends(&a.dst);
    free_act(&a.a);
    free_act(&a.b);
    free_act(&a.low);
    free_act(&a.dst);
    free_also(&a.also);
}

static void test_eltwise(void **state)
{
    struct rp_op_net_eltwise a = {.op = RP_ELT_SUB, .turned = 1, .scalar = 5};

    (void) state;
    for (int op = 0; op < RP_ELT_COUNT; op++)
        for (int i = 0; i < 10; i++)
            one_eltwise(op);
    a.a = a.dst = tensor(RP_ACT_F32, 1, 1, 1, 1);
    rp_act_put(&a.a, 0, 0, 0, 0, 2);
    rp_c_net_eltwise(NULL, &a);
    assert_true(rp_act_get(&a.dst, 0, 0, 0, 0) == 3);
    assert_true(rp_net_pow(-2, 3) == -8 && rp_net_pow(-2, 2) == 4 && isnan(rp_net_pow(-2, 0.5f)));
    free_act(&a.a);
}

/* NCHW to NHWC and back. */
static void test_copy(void **state)
{
    enum { N = 2, C = 5, H = 3, W = 4 };
    float *const from = numbers(N * C * H * W), *const to = numbers(N * C * H * W);
    struct rp_act t = tensor(RP_ACT_F32, N, H, W, C);
    struct rp_op_net_copy a = {.src = from,
                               .dst = t.data,
                               .size = {1, 1, N, H, W, C},
                               .src_step = {0, 0, C * H * W, W, 1, H * W},
                               .dst_step = {0, 0, H * W * t.ld, W * t.ld, t.ld, 1},
                               .zeros = RP_ACT_ROUND(C) - C};

    (void) state;
    rp_c_net_copy(NULL, &a);
    for (int i = 0; i < N * C * H * W; i++)
        assert_true(rp_act_get(&t, i / (C * H * W), i / W % H, i % W, i / (H * W) % C) == from[i]);
    check_ends(&t);
    a.src = t.data;
    a.dst = to;
    a.zeros = 0;
    for (int k = 0; k < RP_NET_AXES; k++) {
        const int64_t step = a.src_step[k];

        a.src_step[k] = a.dst_step[k];
        a.dst_step[k] = step;
    }
    rp_c_net_copy(NULL, &a);
    assert_memory_equal(from, to, N * C * H * W * sizeof(float));
    free(from);
    free(to);
    free_act(&t);
}

/* Types of a network's ends. */
static void test_copy_types(void **state)
{
    enum { N = 6 };
    float from[N] = {-2.75f, 0, 3.5f, 1e20f, -1e20f, NAN}, back[N] = {0};
    static const int64_t whole[N] = {-2, 0, 3, INT64_MAX, INT64_MIN, 0};
    static const int32_t less[N] = {-2, 0, 3, 2147483520, INT32_MIN, 0};
    static const uint8_t truth[N] = {1, 0, 1, 1, 1, 1};
    double twice[N];
    int64_t wide[N];
    int32_t narrow[N];
    uint8_t byte[N];
    struct rp_op_net_copy a = {
        .size = {1, 1, 1, 1, 1, N}, .src_step = {0, 0, 0, 0, 0, 1}, .dst_step = {0, 0, 0, 0, 0, 1}};
    const struct {
        int type;
        void *to;
        const void *want;
        size_t bytes;
    } each[] = {{RP_ACT_I64, wide, whole, sizeof(whole)},
                {RP_ACT_I32, narrow, less, sizeof(less)},
                {RP_ACT_BOOL, byte, truth, sizeof(truth)}};

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(each); i++) {
        a.src = from, a.src_type = RP_ACT_F32;
        a.dst = each[i].to, a.dst_type = each[i].type;
        rp_c_net_copy(NULL, &a);
        assert_memory_equal(each[i].to, each[i].want, each[i].bytes);
        a.src = each[i].to, a.src_type = each[i].type;
        a.dst = back, a.dst_type = RP_ACT_F32;
        rp_c_net_copy(NULL, &a);
        assert_true(back[0] == (each[i].type == RP_ACT_BOOL ? 1 : -2) && back[1] == 0);
    }
    a.src = from, a.src_type = RP_ACT_F32, a.dst = twice, a.dst_type = RP_ACT_F64;
    rp_c_net_copy(NULL, &a);
    a.src = twice, a.src_type = RP_ACT_F64, a.dst = back, a.dst_type = RP_ACT_F32;
    rp_c_net_copy(NULL, &a);
    assert_memory_equal(from, back, (N - 1) * sizeof(float));
    assert_true(isnan(back[N - 1]));
}

static void test_pad(void **state)
{
    (void) state;
    for (int mode = 0; mode < 3; mode++) {
        struct rp_op_net_pad a = {.top = 2, .left = -1, .mode = mode, .value = 0.5f};

        a.src = tensor(RP_ACT_F16, 1, 4, 5, 3);
        a.dst = tensor(RP_ACT_F32, 1, 8, 6, 3);
        rp_c_net_pad(NULL, &a);
        for (int y = 0; y < 8; y++)
            for (int x = 0; x < 6; x++) {
                const bool out = y < 2 || y >= 6 || x >= 4;
                const double want =
                    out && mode == RP_PAD_ZERO ? 0.5 : padded(&a.src, 0, y - 2, x + 1, 1, 1, mode);

                near(want, rp_act_get(&a.dst, 0, y, x, 1), 0, "pad");
            }
        check_ends(&a.dst);
        free_act(&a.src);
        free_act(&a.dst);
    }
}

static void test_reduce(void **state)
{
    (void) state;
    for (int i = 0; i < 80; i++) {
        struct rp_op_net_reduce a = {.kind = i % 5, .then.fn = RP_FN_NONE};
        const int h = 3, w = 4, c = 7, oh = range(0, 1) ? h : 1, ow = range(0, 1) ? w : 1;
        const int oc = range(0, 1) ? c : 1;
        double sum = 0, squares = 0, most = -9, least = 9, n = 0;

        a.src = tensor(range(0, 1), 1, h, w, c);
        a.dst = tensor(RP_ACT_F32, 1, oh, ow, oc);
        rp_c_net_reduce(NULL, &a);
        for (int y = oh - 1; y < h; y++) /* the last one of dst */
            for (int x = ow - 1; x < w; x++)
                for (int k = oc - 1; k < c; k++) {
                    const double v = (double) rp_act_get(&a.src, 0, y, x, k);

                    sum += v;
                    squares += v * v;
                    most = RP_MAX(most, v);
                    least = RP_MIN(least, v);
                    n++;
                }
        const double want[] = {sum / n, sum, most, least, sqrt(squares)};
        near(want[a.kind], rp_act_get(&a.dst, 0, oh - 1, ow - 1, oc - 1), 1e-6, "reduce");
        check_ends(&a.dst);
        free_act(&a.src);
        free_act(&a.dst);
    }
}

static void one_norm(int kind)
{
    const int c = range(1, 3) * 4, h = range(1, 5), w = range(2, 5);
    struct rp_op_net_norm a = {.kind = kind, .groups = 4, .eps = 1e-3f, .style_ld = 16};
    const int r = 1, y = h - 1, x = w - 1, k = c - 1; /* of what is looked at */
    double sum = 0, squares = 0, n = 0;

    a.src = tensor(range(0, 1), 2, h, w, c);
    a.dst = tensor(RP_ACT_F32, 2, h, w, c);
    a.gamma = range(0, 1) ? numbers((size_t) c) : NULL;
    a.beta = range(0, 1) ? numbers((size_t) c) : NULL;
    a.scale = range(0, 1) ? numbers(32) : NULL;
    a.shift = range(0, 1) ? numbers(32) : NULL;
    a.then.fn = RP_FN_LEAKY;
    a.then.alpha = 0.5f;
    if (range(0, 1))
        a.add = tensor(RP_ACT_F16, 2, h, w, c);
    rp_c_net_norm(NULL, &a);
    for (int i = 0; i < h * w * c; i++) {
        const bool pixel = i / c == y * w + x;
        const bool in = kind == RP_NORM_INSTANCE ? i % c == k
                        : kind == RP_NORM_GROUP  ? i % c / (c / 4) == 3
                                                 : pixel;
        const double v = (double) rp_act_get(&a.src, r, i / c / w, i / c % w, i % c);

        sum += in * v;
        squares += in * v * v;
        n += in;
    }
    const double mean = kind <= RP_NORM_LAYER ? sum / n : 0;
    const double variance = squares / n - mean * mean;
    double v = (double) rp_act_get(&a.src, r, y, x, k) - mean;
    v /= kind == RP_NORM_L2 ? RP_MAX(sqrt(squares), 1e-3) : sqrt(variance + 1e-3);
    v = v * (a.gamma ? (double) a.gamma[k] : 1) + (a.beta ? (double) a.beta[k] : 0);
    v = v * (a.scale ? (double) a.scale[16 + k] : 1) + (a.shift ? (double) a.shift[16 + k] : 0);
    v = v < 0 ? v / 2 : v;
    v += a.add.data ? (double) rp_act_get(&a.add, r, y, x, k) : 0;
    near(v, rp_act_get(&a.dst, r, y, x, k), 1e-5, "norm");
    check_ends(&a.dst);
    free((void *) a.gamma);
    free((void *) a.beta);
    free((void *) a.scale);
    free((void *) a.shift);
    free_act(&a.src);
    free_act(&a.dst);
    free_act(&a.add);
}

static void test_norm(void **state)
{
    (void) state;
    for (int kind = 0; kind <= RP_NORM_RMS; kind++)
        for (int i = 0; i < 20; i++)
            one_norm(kind);
}

static void test_attention(void **state)
{
    enum { N = 2, HEADS = 3, TOKENS = 5, D = 8, LD = HEADS * D, LS = 8 };
    float *const q = numbers(N * TOKENS * LD), *const k = numbers(N * TOKENS * LD);
    float *const s = numbers(N * HEADS * TOKENS * LS), *const o = numbers(N * TOKENS * LD);
    const struct rp_op_net_matmul qk = {.a = {q, LD, TOKENS * LD, D},
                                        .b = {k, LD, TOKENS * LD, D},
                                        .dst = {s, LS, HEADS * TOKENS * LS, TOKENS * LS},
                                        .batch = N,
                                        .heads = HEADS,
                                        .rows = TOKENS,
                                        .columns = TOKENS,
                                        .depth = D,
                                        .b_rows = 1,
                                        .scale = 0.5f};
    struct rp_op_net_matmul sv = qk;
    const struct rp_op_net_softmax soft = {s, s, RP_ACT_F32, N * HEADS * TOKENS, TOKENS, LS, LS};

    (void) state;
    sv.a = qk.dst;
    sv.b = qk.b;
    sv.dst = (struct rp_net_matrix){o, LD, TOKENS * LD, D};
    sv.columns = D;
    sv.depth = TOKENS;
    sv.b_rows = 0;
    sv.scale = 1;
    rp_c_net_matmul(NULL, &qk);
    rp_c_net_softmax(NULL, &soft);
    rp_c_net_matmul(NULL, &sv);
    for (int i = 0; i < N * HEADS * TOKENS; i++) {
        const int n = i / HEADS / TOKENS, head = i / TOKENS % HEADS, t = i % TOKENS;
        double e[TOKENS], sum = 0;

        for (int j = 0; j < TOKENS; j++) {
            double dot = 0;

            for (int d = 0; d < D; d++)
                dot += (double) q[(n * TOKENS + t) * LD + head * D + d] *
                       (double) k[(n * TOKENS + j) * LD + head * D + d];
            e[j] = exp(dot / 2);
            sum += e[j];
        }
        for (int d = 0; d < D; d++) {
            double want = 0;

            for (int j = 0; j < TOKENS; j++)
                want += e[j] / sum * (double) k[(n * TOKENS + j) * LD + head * D + d];
            near(want, o[(n * TOKENS + t) * LD + head * D + d], 1e-5, "attention");
        }
        for (int j = TOKENS; j < LS; j++)
            assert_true(s[i * LS + j] == 0);
    }
    free(q);
    free(k);
    free(s);
    free(o);
}

/* Multiplicands of TF32 have 11 bits, ties go away from zero; what is exact is not rounded. */
static void test_product(void **state)
{
    static const struct {
        float x, w;
        double exact, tf32;
    } t[] = {{1 + 0x1p-11f, 1, 1 + 0x1p-11, 1 + 0x1p-10},
             {-(1 + 0x1p-11f), 1, -(1 + 0x1p-11), -(1 + 0x1p-10)},
             {1 + 0x1.fp-12f, 1, 1 + 0x1.fp-12, 1},
             {3, 1 + 0x1.8p-11f, 3 * (1 + 0x1.8p-11), 3 * (1 + 0x1p-10)},
             {0x1p-140f, 1, 0x1p-140, 0}};

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(t); i++) {
        float src[8] __attribute__((aligned(16))) = {t[i].x}, dst[8] __attribute__((aligned(16)));
        float weights[8] __attribute__((aligned(16))) = {t[i].w};
        struct rp_op_net_conv a = {.src = {src, RP_ACT_F32, 1, 1, 1, 1, 8},
                                   .dst = {dst, RP_ACT_F32, 1, 1, 1, 1, 8},
                                   .weights = weights,
                                   .kh = 1,
                                   .kw = 1,
                                   .stride_h = 1,
                                   .stride_w = 1,
                                   .dilation_h = 1,
                                   .dilation_w = 1,
                                   .groups = 1,
                                   .up = 1,
                                   .shuffle = 1};

        for (int product = RP_PRODUCT_QUICK; product <= RP_PRODUCT_FULL; product++) {
            a.product = product;
            assert_int_equal(rp_c_net_conv(NULL, &a), 0);
            assert_true((double) dst[0] == (product == RP_PRODUCT_TF32 ? t[i].tf32 : t[i].exact));
        }
    }
}

/* The square of the error of a sum over numbers of which those of a channel are much alike, and all
 * have something in common. */
static double error_of_sum(const float *w, const float *rounded, const float *level,
                           const float *own, int channels, int taps)
{
    double sum = 0;

    for (int i = 0; i < channels * taps; i++)
        sum += ((double) rounded[i] - (double) w[i]) *
               (0.4 + (taps > 1 ? (double) level[i / taps] : 0) + 0.7 * (double) own[i]);
    return sum * sum;
}

/* Weights go to one of their two neighbours, and sums gain by it. */
static void one_rounding(int channels, int taps, float size)
{
    double error = 0, nearest = 0;
    const size_t n = (size_t) channels * (size_t) taps;
    float *const rounded = numbers(n), *const near = numbers(n), *const scratch = numbers(n);

    for (int row = 0; row < 200; row++) {
        float *const w = numbers(n), *const level = numbers((size_t) channels),
                     *const own = numbers(n);

        for (size_t i = 0; i < n; i++) {
            w[i] *= size;
            near[i] = as_half(w[i]);
        }
        rp_round_weights(w, channels, taps, rounded, scratch);
        for (size_t i = 0; i < n; i++)
            assert_true(as_half(rounded[i]) == rounded[i] &&
                        fabsf(rounded[i] - w[i]) < fmaxf(fabsf(w[i]) * 0x1p-10f, 0x1p-24f));
        error += error_of_sum(w, rounded, level, own, channels, taps);
        nearest += error_of_sum(w, near, level, own, channels, taps);
        free(w);
        free(level);
        free(own);
    }
    if (!(error < 0.7 * nearest))
        fail_msg("%d channels of %d: %g of the nearest's", channels, taps, error / nearest);
    rp_round_weights(near, channels, taps, rounded, scratch); /* they are float16 already */
    for (size_t i = 0; i < n; i++)
        assert_true(near[i] == rounded[i]);
    free(rounded);
    free(near);
    free(scratch);
}

static void test_rounding(void **state)
{
    float w[4] = {70000, 1.0003f, -INFINITY, NAN}, rounded[4], scratch[4];

    (void) state;
    one_rounding(64, 9, 0.05f);
    one_rounding(40, 49, 1);
    one_rounding(300, 1, 0.1f);
    one_rounding(32, 9, 0x1p-16f);
    rp_round_weights(w, 1, 4, rounded, scratch);
    assert_true(isinf(as_half(rounded[0])) && as_half(rounded[1]) == rounded[1] &&
                !isfinite(rounded[2]) && isnan(rounded[3]));
    memset(w, 0, sizeof(w));
    rp_round_weights(w, 2, 2, rounded, scratch);
    assert_memory_equal(w, rounded, sizeof(w));
}

/* Three layers of two rows that read slices; the last is told to read beyond the span, and reads
 * its last place instead. */
static void test_linear(void **state)
{
    enum { IN = 11, ROOM = 16, LD = 40, OUT = 8, ROWS = 2, PARTS = 3, SPAN = LD + 24 };
    static const int32_t from[PARTS] = {1, 0, 1 << 30};
    float *const src = numbers(ROWS * LD), *const w = numbers(PARTS * OUT * ROOM);
    float *const dst = numbers(PARTS * ROWS * 8), *const bias = numbers(PARTS * OUT);
    struct rp_op_net_linear a = {.src = {src, RP_ACT_F32, ROWS, 1, 1, IN, LD},
                                 .dst = {dst, RP_ACT_F32, PARTS * ROWS, 1, 1, OUT, 8},
                                 .weights = w,
                                 .bias = bias,
                                 .from = from,
                                 .span = SPAN,
                                 .then = {.fn = RP_FN_RELU}};

    (void) state;
    for (int i = 0; i < PARTS * OUT * ROOM; i++)
        w[i] = i % ROOM < IN ? w[i] : 0;
    for (a.squares = 0; a.squares < 2; a.squares++) {
        assert_int_equal(rp_c_net_linear(NULL, &a), 0);
        for (int i = 0; i < PARTS * ROWS * 8; i++) {
            const int part = i / 8 / ROWS, r = i / 8 % ROWS, o = i % 8;
            const float *const x = src + r * LD + 8 * RP_MIN(from[part], 1);
            double v = o < OUT ? bias[part * OUT + o] : 0;

            for (int k = 0; o < OUT && k < IN; k++)
                v += (double) x[k] * (a.squares ? x[k] : 1) * w[(part * OUT + o) * ROOM + k];
            assert_true(fabs(dst[i] - (v > 0 ? v : 0)) < 1e-5);
        }
    }
    free(src);
    free(w);
    free(dst);
    free(bias);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_product),    cmocka_unit_test(test_half),
        cmocka_unit_test(test_functions),  cmocka_unit_test(test_conv),
        cmocka_unit_test(test_conv_deep),  cmocka_unit_test(test_deconv),
        cmocka_unit_test(test_pool),       cmocka_unit_test(test_resize),
        cmocka_unit_test(test_eltwise),    cmocka_unit_test(test_copy),
        cmocka_unit_test(test_copy_types), cmocka_unit_test(test_pad),
        cmocka_unit_test(test_reduce),     cmocka_unit_test(test_norm),
        cmocka_unit_test(test_attention),  cmocka_unit_test(test_linear),
        cmocka_unit_test(test_columns),    cmocka_unit_test(test_rounding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
