/* Cases for the operations of networks. */
#include "checkgpu.h"

#include "ops/net_core.h"

#define RUN(args) cg_run(c, &(args), sizeof(args))

static int type(struct cg *c)
{
    return c->bench || cg_chance(c, 50) ? RP_ACT_F16 : RP_ACT_F32;
}

/* A tensor of random numbers, in half of the cases a slice of a wider one. Outputs are compared to
 * the tolerance, which is 0 for an input. */
static struct rp_act act(struct cg *c, const char *name, struct rp_act t, float tolerance)
{
    const int each = t.type == RP_ACT_F16 ? 2 : 4;
    const int before = !c->bench && cg_chance(c, 30) ? 8 : 0;

    t.ld = RP_ACT_ROUND(t.c) + before + (c->bench ? 0 : 8 * cg_range(c, 0, 1));
    const size_t n = (size_t) t.n * (size_t) t.h * (size_t) t.w * (size_t) t.ld;
    uint8_t *const data = cg_buf(c, name, n * (size_t) each,
                                 t.type == RP_ACT_F16 ? CG_NEAR_HALVES : CG_NEAR_FLOATS, 0);
    c->buf[c->n - 1].tolerance = tolerance;
    for (size_t i = 0; i < n; i++) {
        const int at = (int) (i % (size_t) t.ld) - before;

        rp_number_put(data, t.type, (int64_t) i,
                      at >= t.c && at < RP_ACT_ROUND(t.c) ? 0 : cg_between(c, -1, 1));
    }
    t.data = data + before * each;
    return t;
}

static struct rp_act shape(int kind, int n, int h, int w, int channels)
{
    return (struct rp_act){.type = kind, .n = n, .h = h, .w = w, .c = channels};
}

static float *floats(struct cg *c, const char *name, int n, int percent)
{
    if (!cg_chance(c, percent))
        return NULL;
    float *const v = cg_buf(c, name, (size_t) n * sizeof(*v), CG_FLOATS, 0);

    for (int i = 0; i < n; i++)
        v[i] = cg_between(c, -1, 1);
    return v;
}

static struct rp_net_then then(struct cg *c, int last, int channels)
{
    struct rp_net_then t = {.fn = cg_range(c, 0, last), .alpha = 0.2f, .beta = 0.6f};

    t.gain = cg_chance(c, 50) ? 1.25f : 0;
    if (t.fn == RP_FN_PRELU)
        t.slope = floats(c, "slope", channels, 100);
    return t;
}

/* ---- convolution ----------------------------------------------------------------------------- */

static void draw_window(struct cg *c, struct rp_op_net_conv *a)
{
    a->kh = c->bench ? 3 : cg_range(c, 1, 4);
    a->kw = c->bench ? 3 : cg_range(c, 1, 4);
    a->stride_h = a->stride_w = c->bench ? 1 : cg_range(c, 1, 2);
    a->dilation_h = a->dilation_w = 1;
    if (!c->bench && cg_chance(c, 20))
        a->dilation_h = 2;
    a->pad_top = a->pad_left = c->bench ? 1 : cg_range(c, 0, 2);
    a->pad_mode = c->bench || cg_chance(c, 60) ? RP_PAD_ZERO : cg_range(c, 1, 2);
    a->up = c->bench || cg_chance(c, 80) ? 1 : 2;
    a->shuffle = 1;
}

/* Channels of the source and of the result: depthwise, in groups, or all with all. */
static int draw_channels(struct cg *c, struct rp_op_net_conv *a, int *in)
{
    const int kind = c->bench ? 9 : cg_range(c, 0, 9);
    int out;

    a->groups = 1;
    if (kind == 0) {
        *in = out = a->groups = cg_range(c, 2, 70);
    } else if (kind < 3) {
        a->groups = cg_range(c, 2, 3);
        *in = a->groups * (kind == 1 ? 8 : 3) * cg_range(c, 1, 3);
        out = a->groups * cg_range(c, 1, 20);
    } else {
        *in = c->bench ? 512 : cg_chance(c, 30) ? cg_range(c, 100, 400) : cg_range(c, 1, 80);
        out = c->bench ? 512 : cg_range(c, 1, 150);
        a->shuffle = !c->bench && out % 4 == 0 && cg_chance(c, 40) ? 2 : 1;
        a->shuffle_order = cg_range(c, 0, 1);
    }
    return out;
}

static void draw_weights(struct cg *c, struct rp_op_net_conv *a, int out, int in)
{
    const size_t n = (size_t) out * (size_t) (in / a->groups) * (size_t) (a->kh * a->kw);
    float *const plain = calloc(n, sizeof(*plain));

    if (!plain)
        abort();
    for (size_t i = 0; i < n; i++)
        plain[i] = cg_between(c, -1, 1);
    void *const packed = cg_zeros(
        c, "weights", rp_conv_pack_bytes(a->src.type, out, in, a->groups, a->kh, a->kw), CG_BYTES);
    if (rp_conv_pack(plain, a->src.type, out, in, a->groups, a->kh, a->kw, packed) < 0)
        abort();
    free(plain);
    a->weights = packed;
}

/* A second result. */
static void draw_also(struct cg *c, struct rp_net_also *a, const struct rp_act *dst,
                      float tolerance)
{
    const int kind = type(c);

    /* float16 has a rounding of its own */
    a->to = act(c, "also", shape(kind, dst->n, dst->h, dst->w, dst->c),
                kind == RP_ACT_F16 ? RP_MAX(tolerance, 1e-3f) : tolerance);
    a->scale = floats(c, "also_scale", dst->c, 70);
    a->shift = floats(c, "also_shift", dst->c, 70);
    a->then = then(c, RP_FN_MISH, dst->c);
}

static void draw_extras(struct cg *c, struct rp_op_net_conv *a, int out, int in, float tolerance)
{
    const int n = a->src.n, rare = c->bench ? 0 : 15;

    a->bias = floats(c, "bias", out, c->bench ? 100 : 60);
    a->in_scale = floats(c, "in_scale", n * in, rare);
    a->out_scale = floats(c, "out_scale", n * out, rare);
    a->post_scale = floats(c, "post_scale", n * out, rare);
    if (!c->bench && cg_chance(c, 40))
        a->add = act(c, "add",
                     cg_chance(c, 70)
                         ? shape(type(c), n, a->dst.h, a->dst.w, a->dst.c)
                         : shape(type(c), 1, a->dst.h, a->dst.w, cg_chance(c, 50) ? 1 : a->dst.c),
                     0);
    a->add_last = cg_range(c, 0, 1);
    a->then = then(c, c->bench ? RP_FN_NONE : RP_FN_MISH, out);
    if (c->bench || cg_chance(c, 70))
        return;
    draw_also(c, &a->also, &a->dst, tolerance);
}

/* A picture large enough for the kernels that keep a patch of it: window and channels as they like
 * them. */
static int draw_large(struct cg *c, struct rp_op_net_conv *a, int *in, int *h, int *w)
{
    *in = cg_chance(c, 30) ? cg_range(c, 1, 8) : cg_range(c, 16, 80);
    a->kh = cg_range(c, 1, 7);
    a->kw = cg_range(c, 1, 5);
    a->pad_top = cg_range(c, a->kh / 2, a->kh - 1);
    a->pad_left = cg_range(c, a->kw / 2, a->kw - 1);
    a->stride_h = a->stride_w = *in > 8 ? 1 : cg_range(c, 1, 2);
    a->dilation_h = a->groups = a->up = 1;
    *h = cg_range(c, 32, 44);
    *w = cg_range(c, 32, 44);
    return cg_range(c, 1, 70);
}

void check_net_conv(struct cg *c)
{
    struct rp_op_net_conv a = {0};
    const bool large = !c->bench && cg_chance(c, 12);
    const int n = c->bench || large ? 1 + large * cg_range(c, 0, 1) : cg_range(c, 1, 3);
    const int kind = large ? RP_ACT_F16 : type(c);
    int in, out, src_h = c->bench ? 32 : cg_range(c, 4, 12);
    int src_w = c->bench ? 32 : cg_range(c, 4, 20);

    draw_window(c, &a);
    if (large)
        out = draw_large(c, &a, &in, &src_h, &src_w);
    else
        out = draw_channels(c, &a, &in);
    a.src = act(c, "src", shape(kind, n, src_h, src_w, in), 0);
    const int h = (a.src.h * a.up - 1) / a.stride_h + 1, w = (a.src.w * a.up - 1) / a.stride_w + 1;
    if (kind == RP_ACT_F32 && !c->bench && cg_chance(c, 50))
        a.product = cg_chance(c, 40) ? RP_PRODUCT_EXACT : RP_PRODUCT_FULL;
    /* Of the largest number; where a function keeps that within bounds, of the sums' rather. */
    const float sums = sqrtf((float) (a.kh * a.kw * in) / (float) a.groups) / 4;
    const float tolerance = (a.product == RP_PRODUCT_QUICK ? 2e-3f : 4e-5f) * RP_MAX(sums, 1.0f);
    a.dst = act(c, "dst",
                shape(cg_chance(c, 80) ? kind : RP_ACT_F32, n, h * a.shuffle,
                      w * a.shuffle - (a.shuffle > 1), out / a.shuffle / a.shuffle),
                tolerance);
    draw_weights(c, &a, out, in);
    draw_extras(c, &a, out, in, tolerance);
    if (rp_conv_work(&a))
        a.work = cg_zeros(c, "work", rp_conv_work(&a), CG_SCRATCH);
    cg_note(c,
            "type %d product %d, %dx%dx%d of %d groups, window %dx%d to %d, pads %d %d mode %d, "
            "shuffle "
            "%d, up %d, then %d",
            kind, a.product, a.src.h, a.src.w, in, a.groups, a.kh, a.kw, out, a.pad_top, a.pad_left,
            a.pad_mode, a.shuffle, a.up, a.then.fn);
    c->bytes =
        (double) a.src.h * a.src.w * in * 2 + (double) h * w * out * 2 + (double) out * in * 9 * 2;
    RUN(a);
}

/* As the last layers of swappers: 64 channels by 7 x 7 to 3. */
void check_net_columns(struct cg *c)
{
    struct rp_op_net_columns a = {.kw = c->bench ? 7 : cg_range(c, 1, 9), .dilation = 1};
    const int n = c->bench ? 1 : cg_range(c, 1, 3), h = c->bench ? 256 : cg_range(c, 1, 5);
    const int w = c->bench ? 256 : cg_range(c, 1, cg_chance(c, 50) ? 300 : 9);
    const int out = c->bench ? 3 : cg_range(c, 1, cg_chance(c, 20) ? 40 : 9);
    const int wider = c->bench ? 0 : cg_range(c, w > 3 ? -3 : 0, 3);

    if (!c->bench && cg_chance(c, 30))
        a.dilation = cg_chance(c, 10) ? 100 : 2;
    a.pad_left = c->bench ? 3 : cg_range(c, -2, a.kw);
    a.pad_mode = c->bench || cg_chance(c, 60) ? RP_PAD_ZERO : cg_range(c, 1, 2);
    a.src =
        act(c, "src",
            shape(cg_chance(c, 80) || c->bench ? RP_ACT_F32 : RP_ACT_F16, n, h, w, a.kw * out), 0);
    a.dst = act(c, "dst", shape(c->bench ? RP_ACT_F32 : type(c), n, h, w + wider, out), 1e-3f);
    a.bias = floats(c, "bias", out, c->bench ? 100 : 60);
    if (!c->bench && cg_chance(c, 40))
        a.add = act(
            c, "add",
            shape(type(c), cg_chance(c, 50) ? 1 : n, h, a.dst.w, cg_chance(c, 30) ? 1 : out), 0);
    a.add_last = cg_range(c, 0, 1);
    a.then = then(c, c->bench ? RP_FN_NONE : RP_FN_MISH, out);
    cg_note(c, "%dx%dx%dx%d, %d columns %d apart to %d, pad %d mode %d, then %d", n, h, w, a.src.c,
            a.kw, a.dilation, out, a.pad_left, a.pad_mode, a.then.fn);
    c->bytes = 4.0 * n * h * w * (a.src.c + out);
    RUN(a);
}

/* ---- attention ------------------------------------------------------------------------------- */

static void *plain_numbers(struct cg *c, const char *name, int kind, int64_t n, float tolerance)
{
    void *const data = cg_buf(c, name, (size_t) n * (kind == RP_ACT_F16 ? 2 : 4),
                              kind == RP_ACT_F16 ? CG_NEAR_HALVES : CG_NEAR_FLOATS, 0);

    c->buf[c->n - 1].tolerance = tolerance;
    for (int64_t i = 0; i < n; i++)
        rp_number_put(data, kind, i, cg_between(c, -1, 1));
    return data;
}

void check_net_matmul(struct cg *c)
{
    struct rp_op_net_matmul a = {.type = type(c), .scale = 0.5f};

    a.batch = cg_range(c, 1, 2);
    a.heads = c->bench ? 12 : cg_range(c, 1, 3);
    a.rows = c->bench ? 197 : cg_range(c, 1, 70);
    a.columns = c->bench ? 197 : cg_range(c, 1, 70);
    a.depth = c->bench ? 64 : cg_range(c, 1, 70);
    a.b_rows = cg_range(c, 0, 1);
    a.a.ld = RP_ACT_ROUND(a.depth) * a.heads; /* heads side by side, as in q */
    a.a.by_head = RP_ACT_ROUND(a.depth);
    a.a.by_batch = (int64_t) a.a.ld * a.rows;
    a.b.ld = RP_ACT_ROUND(a.b_rows ? a.depth : a.columns);
    a.b.by_head = (int64_t) a.b.ld * (a.b_rows ? a.columns : a.depth);
    a.b.by_batch = a.b.by_head * a.heads;
    a.dst.ld = RP_ACT_ROUND(a.columns);
    a.dst.by_head = (int64_t) a.dst.ld * a.rows;
    a.dst.by_batch = a.dst.by_head * a.heads;
    a.a.data = plain_numbers(c, "a", a.type, a.a.by_batch * a.batch, 0);
    a.b.data = plain_numbers(c, "b", a.type, a.b.by_batch * a.batch, 0);
    a.dst.data = plain_numbers(c, "dst", a.type, a.dst.by_batch * a.batch, 2e-3f);
    a.then.fn = cg_chance(c, 50) ? RP_FN_RELU : RP_FN_NONE;
    cg_note(c, "type %d, %d x %d times %dx%dx%d", a.type, a.batch, a.heads, a.rows, a.columns,
            a.depth);
    c->bytes = 2.0 * a.batch * a.heads * (a.rows + a.columns) * a.depth;
    RUN(a);
}

void check_net_softmax(struct cg *c)
{
    struct rp_op_net_softmax a = {.type = type(c)};

    a.rows = c->bench ? 197 * 12 : cg_range(c, 1, 20);
    a.count = c->bench ? 197 : cg_range(c, 1, 600);
    a.src_ld = RP_ACT_ROUND(a.count);
    a.dst_ld = a.src_ld + 8 * cg_range(c, 0, 1);
    a.src = plain_numbers(c, "src", a.type, (int64_t) a.rows * a.src_ld, 0);
    a.dst = plain_numbers(c, "dst", a.type, (int64_t) a.rows * a.dst_ld, 1e-3f);
    cg_note(c, "type %d, %d x %d", a.type, a.rows, a.count);
    c->bytes = 4.0 * a.rows * a.count;
    RUN(a);
}

/* ---- fully connected layers ------------------------------------------------------------------ */

void check_net_linear(struct cg *c)
{
    struct rp_op_net_linear a = {.squares = cg_chance(c, 20)};
    const bool many = !c->bench && cg_chance(c, 10); /* so many that a warp makes four */
    const int n = c->bench ? 1 : cg_range(c, 1, many ? 2 : 6);
    const int parts = c->bench ? 34 : cg_chance(c, 50) ? cg_range(c, 2, 5) : 1;
    const int in = c->bench                    ? 512
                   : !many && cg_chance(c, 30) ? cg_range(c, 100, 600)
                                               : cg_range(c, 1, 80);
    const int out = c->bench           ? 1024
                    : many             ? 4096 / parts + cg_range(c, 1, 9)
                    : cg_chance(c, 50) ? 8 * cg_range(c, 1, 12)
                                       : cg_range(c, 1, 100);
    const int slices = c->bench ? 1 : cg_range(c, 1, 4), width = RP_ACT_ROUND(in);

    a.src = act(c, "src", shape(RP_ACT_F32, n + slices, 1, 1, in), 0);
    a.src.n = n; /* what follows the rows are further slices */
    a.span = (n - 1 + slices) * a.src.ld + width;
    a.dst = act(c, "dst", shape(RP_ACT_F32, n * parts, 1, 1, out), 2e-5f);
    a.weights = plain_numbers(c, "weights", RP_ACT_F32, (int64_t) parts * out * width, 0);
    for (int i = 0; i < parts * out; i++)
        memset((float *) a.weights + (size_t) i * (size_t) width + in, 0,
               (size_t) (width - in) * sizeof(float));
    a.bias = floats(c, "bias", parts * out, 60);
    a.then = then(c, c->bench ? RP_FN_NONE : RP_FN_MISH, out);
    if (out % 8 == 0 && cg_chance(c, 70)) {
        const int eights = parts * out / 8;
        int32_t *const from = cg_buf(c, "from", (size_t) eights * sizeof(*from), CG_BYTES, 0);

        for (int i = 0; i < eights; i++) /* some beyond either end */
            from[i] = cg_range(c, -2, slices * a.src.ld / 8 + 2);
        a.from = from;
    }
    cg_note(c, "%d parts of %d rows, %d to %d, then %d, squares %d", parts, n, in, out, a.then.fn,
            a.squares);
    c->bytes = 4.0 * parts * out * in;
    RUN(a);
}

/* ---- the rest -------------------------------------------------------------------------------- */

void check_net_norm(struct cg *c)
{
    struct rp_op_net_norm a = {.eps = 1e-4f, .groups = 4};
    const int n = c->bench ? 1 : cg_range(c, 1, 2), kind = type(c);
    const bool large = !c->bench && cg_chance(c, 15);
    const int h = c->bench ? 32 : large ? cg_range(c, 64, 70) : cg_range(c, 1, 10);
    const int channels = c->bench ? 1024 : 4 * cg_range(c, 1, large ? 3 : 10);

    a.kind = c->bench || large ? RP_NORM_INSTANCE : cg_range(c, 0, RP_NORM_RMS);
    a.src = act(c, "src", shape(kind, n, h, large ? 65 : h, channels), 0);
    a.dst = act(c, "dst", shape(kind, n, h, large ? 65 : h, channels), 2e-3f);
    a.gamma = floats(c, "gamma", channels, 50);
    a.beta = floats(c, "beta", channels, 50);
    a.style_ld = 2 * channels;
    a.scale = floats(c, "style", n * a.style_ld, 50);
    a.shift = a.scale ? a.scale + channels : NULL;
    a.then = then(c, c->bench ? RP_FN_RELU : RP_FN_GELU, channels);
    if (cg_chance(c, 40))
        a.add = act(c, "add", shape(type(c), n, h, large ? 65 : h, channels), 0);
    if (!c->bench && cg_chance(c, 40))
        draw_also(c, &a.also, &a.dst, 1e-2f);
    a.work = cg_zeros(c, "work", rp_norm_work(&a), CG_SCRATCH);
    cg_note(c, "kind %d, type %d, %dx%dx%dx%d, then %d", a.kind, kind, n, h, a.src.w, channels,
            a.then.fn);
    c->bytes = 4.0 * n * h * a.src.w * channels;
    RUN(a);
}

void check_net_pool(struct cg *c)
{
    struct rp_op_net_pool a = {.kind = cg_range(c, 0, 1), .kh = 2, .kw = 2};
    const int kind = type(c), channels = c->bench ? 256 : cg_range(c, 1, 40);

    if (!c->bench) {
        a.kh = cg_chance(c, 20) ? 10 : cg_range(c, 1, 3);
        a.kw = cg_chance(c, 20) ? 10 : cg_range(c, 1, 3);
    }
    a.stride_h = c->bench ? 2 : cg_range(c, 1, 2);
    a.stride_w = c->bench ? 2 : cg_range(c, 1, 2);
    a.dilation_h = a.dilation_w = 1;
    a.pad_top = a.pad_bottom = c->bench ? 0 : cg_range(c, 0, a.kh / 2);
    a.pad_left = a.pad_right = c->bench ? 0 : cg_range(c, 0, a.kw / 2);
    a.count_pads = cg_range(c, 0, 1);
    a.src = act(c, "src", shape(kind, 1, c->bench ? 64 : 12, c->bench ? 64 : 13, channels), 0);
    a.dst = act(c, "dst",
                shape(kind, 1, (a.src.h + 2 * a.pad_top - a.kh) / a.stride_h + 1,
                      (a.src.w + 2 * a.pad_left - a.kw) / a.stride_w + 1, channels),
                1e-3f);
    if (!c->bench && cg_chance(c, 40))
        draw_also(c, &a.also, &a.dst, 1e-2f);
    cg_note(c, "kind %d, type %d, window %dx%d, %d channels", a.kind, kind, a.kh, a.kw, channels);
    c->bytes = 2.0 * a.src.h * a.src.w * channels;
    RUN(a);
}

void check_net_resize(struct cg *c)
{
    struct rp_op_net_resize a = {.cubic_a = -0.75f};
    const int kind = type(c), channels = c->bench ? 256 : cg_range(c, 1, 20);

    a.mode = c->bench ? RP_RESIZE_LINEAR : cg_range(c, 0, 2);
    a.coordinates = c->bench ? 0 : cg_range(c, 0, 4);
    a.nearest = cg_range(c, 0, 3);
    a.src = act(c, "src",
                shape(kind, 1, c->bench ? 64 : cg_range(c, 1, 9), c->bench ? 64 : 7, channels), 0);
    a.dst = act(
        c, "dst",
        shape(kind, 1, c->bench ? 128 : a.src.h * cg_range(c, 1, 3), c->bench ? 128 : 14, channels),
        1e-3f);
    a.scale_h = (float) a.dst.h / (float) a.src.h;
    a.scale_w = (float) a.dst.w / (float) a.src.w;
    cg_note(c, "mode %d %d %d, type %d, %dx%d to %dx%d", a.mode, a.coordinates, a.nearest, kind,
            a.src.h, a.src.w, a.dst.h, a.dst.w);
    c->bytes = 2.0 * (a.src.h * a.src.w + a.dst.h * a.dst.w) * channels;
    RUN(a);
}

void check_net_eltwise(struct cg *c)
{
    struct rp_op_net_eltwise a = {.op = c->bench ? RP_ELT_ADD : cg_range(c, 0, RP_ELT_COUNT - 1)};
    const int up = c->bench || cg_chance(c, 60) ? 0 : cg_range(c, 1, 3); /* of `low` */
    const int n = c->bench ? 1 : cg_range(c, 1, 2);
    const int h = c->bench ? 64 : cg_range(c, 1, 6) * RP_MAX(up, 1);
    const int w = c->bench ? 64 : cg_range(c, 1, 9) * RP_MAX(up, 1);
    const int channels = c->bench ? 256 : cg_range(c, 1, 30);
    const int one = c->bench ? 0 : 25; /* percent */

    a.scalar = cg_between(c, -2, 2);
    a.turned = cg_range(c, 0, 1);
    a.a = act(c, "a",
              shape(type(c), cg_chance(c, one) ? 1 : n, cg_chance(c, one) ? 1 : h,
                    cg_chance(c, one) ? 1 : w, cg_chance(c, one) ? 1 : channels),
              0);
    if (c->bench || cg_chance(c, 70))
        a.b = act(c, "b",
                  shape(type(c), cg_chance(c, one) ? 1 : n, cg_chance(c, one) ? 1 : h,
                        cg_chance(c, one) ? 1 : w, cg_chance(c, one) ? 1 : channels),
                  0);
    if (up)
        a.low = act(c, "low", shape(type(c), n, h / up, w / up, channels), 0);
    a.dst = act(c, "dst", shape(type(c), n, h, w, channels), 1e-3f);
    a.then = then(c, c->bench ? RP_FN_NONE : RP_FN_COUNT - 1, channels);
    if (!c->bench && cg_chance(c, 40))
        draw_also(c, &a.also, &a.dst, 1e-2f);
    cg_note(c, "op %d, then %d, %dx%dx%dx%d", a.op, a.then.fn, n, h, w, channels);
    c->bytes = 6.0 * n * h * w * channels;
    RUN(a);
}

/* Between float32 and the types that only a network's ends have, in a line. */
static void check_ends(struct cg *c)
{
    static const int bytes[] = {
        [RP_ACT_F64] = 8, [RP_ACT_I64] = 8, [RP_ACT_I32] = 4, [RP_ACT_BOOL] = 1};
    const int kind = cg_range(c, RP_ACT_F64, RP_ACT_BOOL), n = cg_range(c, 1, 300);
    const bool out = cg_chance(c, 50);
    float *const plain = cg_buf(c, "plain", (size_t) n * 4, CG_FLOATS, 0);
    void *const end = cg_buf(c, "end", (size_t) n * (size_t) bytes[kind], CG_BYTES, 0);
    struct rp_op_net_copy a = {.src = out ? (void *) plain : end,
                               .dst = out ? end : (void *) plain,
                               .src_type = out ? RP_ACT_F32 : kind,
                               .dst_type = out ? kind : RP_ACT_F32,
                               .size = {1, 1, 1, 1, 1, n},
                               .src_step = {0, 0, 0, 0, 0, 1},
                               .dst_step = {0, 0, 0, 0, 0, 1}};

    for (int i = 0; i < n; i++) {
        plain[i] = cg_chance(c, 10) ? cg_between(c, -1e20f, 1e20f) : cg_between(c, -3, 3);
        rp_copy_put(end, kind, i, plain[i]);
    }
    cg_note(c, "%d of type %d, %s it", n, kind, out ? "to" : "from");
    RUN(a);
}

/* From one slice of channels to another. */
static void check_slices(struct cg *c)
{
    const struct rp_act size = shape(type(c), cg_range(c, 1, 2), cg_range(c, 1, 9),
                                     cg_range(c, 1, 20), 8 * cg_range(c, 1, 5));
    const struct rp_act s = act(c, "src", size, 0);
    struct rp_act other = size;
    other.type = type(c);
    const struct rp_act d = act(c, "dst", other, 1e-3f);
    const struct rp_op_net_copy a = {
        .src = s.data,
        .dst = d.data,
        .src_type = s.type,
        .dst_type = d.type,
        .size = {1, 1, s.n, s.h, s.w, s.c},
        .src_step = {0, 0, (int64_t) s.h * s.w * s.ld, (int64_t) s.w * s.ld, s.ld, 1},
        .dst_step = {0, 0, (int64_t) s.h * s.w * d.ld, (int64_t) s.w * d.ld, d.ld, 1}};

    cg_note(c, "type %d to %d, %dx%dx%d of %d to %d", s.type, d.type, s.h, s.w, s.c, s.ld, d.ld);
    RUN(a);
}

void check_net_copy(struct cg *c)
{
    if (!c->bench && cg_chance(c, 30)) {
        check_slices(c);
        return;
    }
    if (!c->bench && cg_chance(c, 30)) {
        check_ends(c);
        return;
    }
    const int n = 2, h = c->bench ? 128 : cg_range(c, 1, 9),
              w = c->bench ? 128 : cg_range(c, 1, 40);
    const int channels = c->bench ? 64 : cg_range(c, 1, 20), to = type(c);
    const bool out = cg_chance(c, 50); /* from a tensor to NCHW */
    const struct rp_act t = act(c, "tensor", shape(to, n, h, w, channels), 1e-3f);
    float *const plain = cg_buf(c, "plain", (size_t) (n * channels * h * w) * 4, CG_NEAR_FLOATS, 0);
    const int64_t far[RP_NET_AXES] = {0, 0, (int64_t) channels * h * w, w, 1, (int64_t) h * w};
    const int64_t near[RP_NET_AXES] = {0, 0, (int64_t) h * w * t.ld, (int64_t) w * t.ld, t.ld, 1};
    struct rp_op_net_copy a = {.src = out ? t.data : (void *) plain,
                               .dst = out ? (void *) plain : t.data,
                               .src_type = out ? to : RP_ACT_F32,
                               .dst_type = out ? RP_ACT_F32 : to,
                               .size = {1, 1, n, h, w, channels},
                               .zeros = out ? 0 : RP_ACT_ROUND(channels) - channels};

    for (int i = 0; i < n * channels * h * w; i++)
        plain[i] = cg_between(c, -1, 1);
    memcpy(a.src_step, out ? near : far, sizeof(near));
    memcpy(a.dst_step, out ? far : near, sizeof(near));
    cg_note(c, "type %d, %dx%dx%d, %s NCHW", to, h, w, channels, out ? "to" : "from");
    c->bytes = 6.0 * n * channels * h * w;
    RUN(a);
}

void check_net_pad(struct cg *c)
{
    struct rp_op_net_pad a = {.mode = cg_range(c, 0, 2), .value = 0.5f};
    const int kind = type(c), channels = c->bench ? 64 : cg_range(c, 1, 20);

    a.top = cg_range(c, -2, 3);
    a.left = cg_range(c, -2, 3);
    a.front = cg_chance(c, 80) ? 0 : 2;
    a.src = act(c, "src", shape(kind, 1, c->bench ? 64 : 5, c->bench ? 64 : 6, channels), 0);
    a.dst = act(c, "dst", shape(kind, 1, a.src.h + 3, a.src.w + 3, channels + a.front), 0);
    cg_note(c, "mode %d, type %d, at %d %d %d", a.mode, kind, a.top, a.left, a.front);
    c->bytes = 4.0 * a.src.h * a.src.w * channels;
    RUN(a);
}

void check_net_reduce(struct cg *c)
{
    struct rp_op_net_reduce a = {.kind = c->bench ? 0 : cg_range(c, 0, 4)};
    const int kind = type(c), h = c->bench ? 14 : cg_range(c, 1, 12),
              w = c->bench ? 14 : cg_range(c, 1, 12);
    const int channels = c->bench ? 512 : cg_range(c, 1, 90), n = cg_range(c, 1, 2);

    a.src = act(c, "src", shape(kind, n, h, w, channels), 0);
    a.dst = act(c, "dst",
                shape(kind, n, c->bench || cg_chance(c, 70) ? 1 : h,
                      c->bench || cg_chance(c, 70) ? 1 : w,
                      !c->bench && cg_chance(c, 40) ? 1 : channels),
                1e-3f);
    a.then = then(c, c->bench ? RP_FN_NONE : RP_FN_SOFTPLUS, a.dst.c);
    cg_note(c, "kind %d, type %d, %dx%dx%dx%d to %dx%dx%d", a.kind, kind, n, h, w, channels,
            a.dst.h, a.dst.w, a.dst.c);
    c->bytes = 2.0 * n * h * w * channels;
    RUN(a);
}

void check_net_sample(struct cg *c)
{
    struct rp_op_net_sample a = {.dims = cg_range(c, 2, 3), .depth = 1};
    const int kind = type(c), channels = c->bench ? 32 : cg_range(c, 1, 30);
    const int n = c->bench ? 1 : cg_range(c, 1, 2);
    int h = c->bench ? 64 : cg_range(c, 1, 9), w = c->bench ? 64 : cg_range(c, 1, 9);

    a.mode = c->bench ? RP_SAMPLE_LINEAR : cg_range(c, 0, a.dims == 2 ? 2 : 1);
    a.outside = cg_range(c, 0, 2);
    a.corners = cg_range(c, 0, 1);
    a.depth = a.dims == 3 ? (c->bench ? 16 : cg_range(c, 1, 4)) : 1;
    a.src = act(c, "src", shape(kind, n, h * a.depth, w, channels), 0);
    h = c->bench ? 1024 : cg_range(c, 1, 9);
    w = c->bench ? 64 : cg_range(c, 1, 12);
    a.grid = act(c, "grid", shape(RP_ACT_F32, n, h, w, a.dims), 0);
    for (int i = 0; i < n * h * w * a.dims; i++)
        rp_act_put(&a.grid, i / (h * w * a.dims), i / (w * a.dims) % h, i / a.dims % w, i % a.dims,
                   cg_chance(c, 3) ? cg_between(c, -1e9f, 1e9f) : cg_between(c, -1.6f, 1.6f));
    a.dst = act(c, "dst", shape(kind, n, h, w, channels), 1e-3f);
    cg_note(c, "type %d, %d dims, mode %d %d %d, %dx%dx%d", kind, a.dims, a.mode, a.outside,
            a.corners, a.src.h, a.src.w, channels);
    c->bytes = 4.0 * n * h * w * channels;
    RUN(a);
}

void check_net_gather(struct cg *c)
{
    struct rp_op_net_gather a = {0};
    const int kind = type(c), channels = c->bench ? 32 : cg_range(c, 1, 30);
    const int rows = c->bench ? 65536 : cg_range(c, 1, 50), n = cg_range(c, 1, 2);
    const int count = c->bench ? 65536 : cg_range(c, 1, 70);

    a.src = act(c, "src", shape(kind, 1, 1, rows, channels), 0);
    a.index = act(c, "index", shape(RP_ACT_F32, n, 1, count, 1), 0);
    for (int i = 0; i < n * count; i++)
        rp_act_put(&a.index, i / count, 0, i % count, 0, (float) cg_range(c, -rows - 2, rows + 1));
    a.dst = act(c, "dst", shape(kind, n, 1, count, channels), 0);
    cg_note(c, "type %d, %d of %d rows of %d", kind, n * count, rows, channels);
    c->bytes = 8.0 * n * count * channels;
    RUN(a);
}
