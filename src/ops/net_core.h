/* Networks: one number of each operation. See net.h. */
#ifndef RP_OPS_NET_CORE_H
#define RP_OPS_NET_CORE_H

#include "ops/half_core.h"
#include "ops/math_core.h"
#include "ops/ops.h"

/* ---- numbers of tensors ---------------------------------------------------------------------- */

RP_FN float rp_number_get(const void *data, int type, int64_t i)
{
    return type == RP_ACT_F16 ? rp_half_to_float(((const uint16_t *) data)[i])
                              : ((const float *) data)[i];
}

RP_FN void rp_number_put(void *data, int type, int64_t i, float v)
{
    if (type == RP_ACT_F16)
        ((uint16_t *) data)[i] = rp_half_from_float(v);
    else
        ((float *) data)[i] = v;
}

RP_FN int64_t rp_act_at(const struct rp_act *t, int n, int y, int x, int c)
{
    return (((int64_t) n * t->h + y) * t->w + x) * t->ld + c;
}

RP_FN int64_t rp_act_pixels(const struct rp_act *t)
{
    return (int64_t) t->n * t->h * t->w;
}

RP_FN float rp_act_get(const struct rp_act *t, int n, int y, int x, int c)
{
    return rp_number_get(t->data, t->type, rp_act_at(t, n, y, x, c));
}

/* A size of 1 stands for all. */
RP_FN float rp_act_get_wide(const struct rp_act *t, int n, int y, int x, int c)
{
    return rp_act_get(t, t->n == 1 ? 0 : n, t->h == 1 ? 0 : y, t->w == 1 ? 0 : x,
                      t->c == 1 ? 0 : c);
}

RP_FN void rp_act_put(const struct rp_act *t, int n, int y, int x, int c, float v)
{
    rp_number_put(t->data, t->type, rp_act_at(t, n, y, x, c), v);
}

/* ---- functions of one number ----------------------------------------------------------------- */

/* On a GPU the compiler's own, which are nearly as exact and much faster than those in double. */
#ifdef __CUDA_ARCH__
#define RP_NET_EXP expf
#define RP_NET_LN logf
#define RP_NET_RSQRT rsqrtf
#else
#define RP_NET_EXP rp_expf
#define RP_NET_LN rp_lnf
#define RP_NET_RSQRT(v) (1 / sqrtf(v))
#endif

RP_FN float rp_net_sigmoid(float x)
{
    return 1 / (1 + RP_NET_EXP(-x));
}

RP_FN float rp_net_tanh(float x)
{
#ifdef __CUDA_ARCH__
    return tanhf(x);
#else
    const double e = rp_exp(-2 * rp_abs((double) x)), t = (1 - e) / (1 + e);

    return (float) (x < 0 ? -t : t);
#endif
}

/* Error below 1.5e-7 (Abramowitz and Stegun, 7.1.26). */
RP_FN float rp_net_erf(float x)
{
#ifdef __CUDA_ARCH__
    return erff(x);
#else
    const double a = rp_abs((double) x), t = 1 / (1 + 0.3275911 * a);
    const double p = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t +
                      0.254829592) *
                     t;
    const double e = 1 - p * rp_exp(-a * a);

    return (float) (x < 0 ? -e : e);
#endif
}

RP_FN float rp_net_softplus(float x)
{
    return (x > 0 ? x : 0) + RP_NET_LN(1 + RP_NET_EXP(x > 0 ? -x : x));
}

RP_FN float rp_net_sine(float x, int cosine)
{
    double s, c;

    rp_sincos(x, &s, &c);
    return (float) (cosine ? c : s);
}

/* The larger, the smaller; one that is not a number stays so. */
RP_FN float rp_net_max(float a, float b)
{
    return a > b || a != a ? a : b;
}

RP_FN float rp_net_min(float a, float b)
{
    return a < b || a != a ? a : b;
}

RP_FN float rp_net_limit(float x, float lo, float hi)
{
    return rp_net_min(rp_net_max(x, lo), hi);
}

RP_FN float rp_net_whole(int fn, float x)
{
    if (fn == RP_FN_FLOOR)
        return floorf(x);
    return fn == RP_FN_CEIL ? ceilf(x) : rintf(x);
}

RP_FN float rp_net_rare_fn(int fn, float x, float alpha)
{
    switch (fn) {
    case RP_FN_ELU:
        return x < 0 ? alpha * (RP_NET_EXP(x) - 1) : x;
    case RP_FN_SOFTPLUS:
        return rp_net_softplus(x);
    case RP_FN_GELU:
        return x * (1 + rp_net_erf(x * 0.70710678f)) * 0.5f;
    case RP_FN_MISH:
        return x * rp_net_tanh(rp_net_softplus(x));
    case RP_FN_EXP:
        return RP_NET_EXP(x);
    case RP_FN_LOG:
        return RP_NET_LN(x);
    case RP_FN_SQRT:
        return sqrtf(x);
    case RP_FN_RSQRT:
        return RP_NET_RSQRT(x);
    case RP_FN_RECIPROCAL:
        return 1 / x;
    case RP_FN_ERF:
        return rp_net_erf(x);
    case RP_FN_SIN:
    case RP_FN_COS:
        return rp_net_sine(x, fn == RP_FN_COS);
    case RP_FN_FLOOR:
    case RP_FN_CEIL:
    case RP_FN_ROUND:
        return rp_net_whole(fn, x);
    case RP_FN_TRUNC:
        return x < 0 ? ceilf(x) : floorf(x);
    case RP_FN_SIGN:
        return x > 0 ? 1 : x < 0 ? -1 : x;
    default:
        return x;
    }
}

RP_FN float rp_net_fn(const struct rp_net_then *t, float x, int c)
{
    switch (t->fn) {
    case RP_FN_NONE:
        return x;
    case RP_FN_RELU:
        return rp_net_max(x, 0);
    case RP_FN_LEAKY:
        return x < 0 ? x * t->alpha : x;
    case RP_FN_PRELU:
        return x < 0 ? x * t->slope[c] : x;
    case RP_FN_CLIP:
        return rp_net_limit(x, t->alpha, t->beta);
    case RP_FN_SIGMOID:
        return rp_net_sigmoid(x);
    case RP_FN_SILU:
        return x * rp_net_sigmoid(x);
    case RP_FN_HSIGMOID:
        return rp_net_limit(t->alpha * x + t->beta, 0, 1);
    case RP_FN_HSWISH:
        return x * rp_net_limit(x / 6 + 0.5f, 0, 1);
    case RP_FN_TANH:
        return rp_net_tanh(x);
    case RP_FN_ABS:
        return fabsf(x);
    case RP_FN_NEG:
        return -x;
    case RP_FN_SQUARE:
        return x * x;
    default:
        return rp_net_rare_fn(t->fn, x, t->alpha);
    }
}

/* c: the channel, for RP_FN_PRELU. */
RP_FN float rp_net_then(const struct rp_net_then *t, float x, int c)
{
    x = rp_net_fn(t, x, c);
    return t->gain == 0 ? x : x * t->gain;
}

/* ---- convolution ----------------------------------------------------------------------------- */

/* Channels and size of the result before it is shuffled. */
RP_FN int rp_conv_out(const struct rp_op_net_conv *a)
{
    return a->dst.c * a->shuffle * a->shuffle;
}

RP_FN int rp_conv_h(const struct rp_op_net_conv *a)
{
    return (a->dst.h - 1) / a->shuffle + 1;
}

RP_FN int rp_conv_w(const struct rp_op_net_conv *a)
{
    return (a->dst.w - 1) / a->shuffle + 1;
}

RP_FN int rp_conv_is_depthwise(int out, int c, int groups)
{
    return groups > 1 && groups == c && out == c;
}

/* Weights: [out][tap][channels of a group, rounded up to 8], of a depthwise one [tap][channels,
 * rounded up to 8]. Numbers of one output, and of all. */
RP_FN int64_t rp_conv_row(int c, int groups, int kh, int kw)
{
    return (int64_t) kh * kw * RP_ACT_ROUND(c / groups);
}

RP_FN int64_t rp_conv_weight(const struct rp_op_net_conv *a, int out, int tap, int c)
{
    if (rp_conv_is_depthwise(rp_conv_out(a), a->src.c, a->groups))
        return (int64_t) tap * RP_ACT_ROUND(a->src.c) + out;
    return out * rp_conv_row(a->src.c, a->groups, a->kh, a->kw) +
           (int64_t) tap * RP_ACT_ROUND(a->src.c / a->groups) + c;
}

/* Row or column i of the enlarged and padded source in the source of `size`; -1: a zero. */
RP_FN int rp_pad_source(int i, int size, int up, int mode)
{
    const int last = size * up - 1;

    if (i < 0 || i > last) {
        if (mode == RP_PAD_ZERO)
            return -1;
        if (mode == RP_PAD_REFLECT)
            i = i < 0 ? -i : 2 * last - i;
        i = rp_clampi(i, 0, last);
    }
    return up > 1 ? i / up : i;
}

/* Where channel o of the result at (y, x) goes; false: nowhere. */
RP_FN int rp_conv_place(const struct rp_op_net_conv *a, int o, int y, int x, int *dy, int *dx,
                        int *dc)
{
    const int r = a->shuffle;
    int i = 0;

    *dc = o;
    if (r > 1) {
        *dc = a->shuffle_order == RP_SHUFFLE_DCR ? o % a->dst.c : o / (r * r);
        i = a->shuffle_order == RP_SHUFFLE_DCR ? o / a->dst.c : o % (r * r);
    }
    *dy = y * r + i / r;
    *dx = x * r + i % r;
    return *dy < a->dst.h && *dx < a->dst.w;
}

/* What the next layer wants of a number of the result. */
RP_FN void rp_net_also(const struct rp_net_also *a, float v, int n, int y, int x, int c)
{
    if (a->scale)
        v *= a->scale[c];
    if (a->shift)
        v += a->shift[c];
    rp_act_put(&a->to, n, y, x, c, rp_net_then(&a->then, v, c));
    if (c == a->to.c - 1)
        for (int k = c + 1; k < RP_ACT_ROUND(a->to.c); k++)
            rp_act_put(&a->to, n, y, x, k, 0);
}

/* A number of a result, and of its second result if there is one. */
RP_FN void rp_act_put_both(const struct rp_act *dst, const struct rp_net_also *also, int n, int y,
                           int x, int c, float v)
{
    rp_act_put(dst, n, y, x, c, v);
    if (also->to.data)
        rp_net_also(also, v, n, y, x, c);
}

/* What follows the sum. */
RP_FN void rp_conv_finish(const struct rp_op_net_conv *a, float sum, int n, int y, int x, int o)
{
    const int out = rp_conv_out(a);
    int dy, dx, dc;

    if (!rp_conv_place(a, o, y, x, &dy, &dx, &dc))
        return;
    if (a->out_scale)
        sum *= a->out_scale[(int64_t) n * out + o];
    if (a->bias)
        sum += a->bias[o];
    if (a->add.data && !a->add_last)
        sum += rp_act_get_wide(&a->add, n, dy, dx, dc);
    sum = rp_net_then(&a->then, sum, o);
    if (a->add.data && a->add_last)
        sum += rp_act_get_wide(&a->add, n, dy, dx, dc);
    if (a->also.to.data)
        rp_net_also(&a->also, sum, n, dy, dx, dc);
    if (a->post_scale)
        sum *= a->post_scale[(int64_t) n * out + o];
    rp_act_put(&a->dst, n, dy, dx, dc, sum);
    if (dc == a->dst.c - 1)
        for (int c = a->dst.c; c < RP_ACT_ROUND(a->dst.c); c++)
            rp_act_put(&a->dst, n, dy, dx, c, 0);
}

/* Groups whose channels are no multiple of 8: one number at a time. */
RP_FN int rp_conv_is_odd(const struct rp_op_net_conv *a)
{
    return a->groups > 1 && a->src.c / a->groups % 8 != 0;
}

/* Into how many parts the sum over taps and channels is split, each worked on by itself: where one
 * picture alone gives the processors too little to do. From the sizes of one row, so that a row's
 * result does not depend on how many there are. */
#define RP_CONV_STEP 128 /* bytes of a sum's numbers that are fetched at once */
RP_FN int rp_conv_split(const struct rp_op_net_conv *a)
{
    const int64_t pixels = (int64_t) rp_conv_h(a) * rp_conv_w(a);
    const int64_t out = rp_conv_out(a) / a->groups;
    const int64_t tiles = ((pixels + 127) / 128) * ((out + 63) / 64) * a->groups;
    const int64_t bytes =
        rp_conv_row(a->src.c, a->groups, a->kh, a->kw) * (a->src.type == RP_ACT_F16 ? 2 : 4);
    const int64_t steps = (bytes + RP_CONV_STEP - 1) / RP_CONV_STEP;
    int split = 1;

    if (rp_conv_is_depthwise(rp_conv_out(a), a->src.c, a->groups) || rp_conv_is_odd(a))
        return 1;
    while (split < 16 && tiles * split < 64 && steps >= split * 18)
        split *= 2;
    return split;
}

/* Taps of a depthwise convolution. */
RP_FN float rp_conv_depthwise_sum(const struct rp_op_net_conv *a, int n, int y, int x, int c)
{
    float sum = 0;

    for (int ky = 0; ky < a->kh; ky++) {
        const int sy = rp_pad_source(y * a->stride_h - a->pad_top + ky * a->dilation_h, a->src.h,
                                     a->up, a->pad_mode);
        for (int kx = 0; sy >= 0 && kx < a->kw; kx++) {
            const int sx = rp_pad_source(x * a->stride_w - a->pad_left + kx * a->dilation_w,
                                         a->src.w, a->up, a->pad_mode);
            if (sx < 0)
                continue;
            float v = rp_act_get(&a->src, n, sy, sx, c);
            if (a->in_scale)
                v *= a->in_scale[(int64_t) n * a->src.c + c];
            sum += v * rp_number_get(a->weights, a->src.type,
                                     (int64_t) (ky * a->kw + kx) * RP_ACT_ROUND(a->src.c) + c);
        }
    }
    return sum;
}

/* Of columns, in their order. */
RP_FN float rp_columns_sum(const struct rp_op_net_columns *a, int n, int y, int x, int o)
{
    float sum = 0;

    for (int k = 0; k < a->kw; k++) {
        const int sx = rp_pad_source(x + k * a->dilation - a->pad_left, a->src.w, 1, a->pad_mode);

        if (sx >= 0)
            sum += rp_act_get(&a->src, n, y, sx, k * a->dst.c + o);
    }
    return sum;
}

/* What follows the sum v. */
RP_FN float rp_columns_end(const struct rp_op_net_columns *a, float v, int n, int y, int x, int o)
{
    if (a->bias)
        v += a->bias[o];
    if (a->add.data && !a->add_last)
        v += rp_act_get_wide(&a->add, n, y, x, o);
    v = rp_net_then(&a->then, v, o);
    return a->add.data && a->add_last ? v + rp_act_get_wide(&a->add, n, y, x, o) : v;
}

/* ---- fully connected layers ------------------------------------------------------------------ */

RP_FN int rp_linear_parts(const struct rp_op_net_linear *a)
{
    return a->dst.n / a->src.n;
}

/* Where the source of output o of a part lies, in row r. The table is memory, so what it says may
 * be anything. */
RP_FN int64_t rp_linear_source(const struct rp_op_net_linear *a, int part, int r, int o)
{
    const int64_t row = (int64_t) r * a->src.ld;
    const int64_t last = ((int64_t) a->src.n - 1) * a->src.ld + RP_ACT_ROUND(a->src.c);

    if (!a->from)
        return row;
    return row + 8 * (int64_t) rp_clampi(a->from[((int64_t) part * a->dst.c + o) / 8], 0,
                                         (int) ((a->span - last) / 8));
}

/* What follows the sum of output o of a part. */
RP_FN void rp_linear_finish(const struct rp_op_net_linear *a, float sum, int part, int r, int o)
{
    const int n = part * a->src.n + r;

    if (a->bias)
        sum += a->bias[(int64_t) part * a->dst.c + o];
    rp_act_put(&a->dst, n, 0, 0, o, rp_net_then(&a->then, sum, o));
    if (o == a->dst.c - 1)
        for (int c = a->dst.c; c < RP_ACT_ROUND(a->dst.c); c++)
            rp_act_put(&a->dst, n, 0, 0, c, 0);
}

/* ---- pool, resize, the rest ------------------------------------------------------------------ */

RP_FN float rp_pool_sum(const struct rp_op_net_pool *a, int n, int y, int x, int c)
{
    float v = a->kind == RP_POOL_MAX ? -INFINITY : 0;
    int count = 0;

    for (int ky = 0; ky < a->kh; ky++)
        for (int kx = 0; kx < a->kw; kx++) {
            const int sy = y * a->stride_h - a->pad_top + ky * a->dilation_h;
            const int sx = x * a->stride_w - a->pad_left + kx * a->dilation_w;

            if (sy < 0 || sy >= a->src.h || sx < 0 || sx >= a->src.w) {
                count +=
                    a->count_pads && sy < a->src.h + a->pad_bottom && sx < a->src.w + a->pad_right;
                continue;
            }
            const float s = rp_act_get(&a->src, n, sy, sx, c);
            v = a->kind == RP_POOL_MAX ? rp_net_max(s, v) : v + s;
            count++;
        }
    return a->kind == RP_POOL_MAX || !count ? v : v / (float) count;
}

/* Position i of dst in src, before it is rounded. */
RP_FN float rp_resize_from(int i, int from, int to, float scale, int coordinates)
{
    switch (coordinates) {
    case RP_COORD_ALIGN_CORNERS:
        return to > 1 ? (float) i * (float) (from - 1) / (float) (to - 1) : 0;
    case RP_COORD_ASYMMETRIC:
        return (float) i / scale;
    case RP_COORD_TF_HALF_PIXEL:
        return ((float) i + 0.5f) / scale;
    case RP_COORD_PYTORCH_HALF_PIXEL:
        return to > 1 ? ((float) i + 0.5f) / scale - 0.5f : 0;
    default:
        return ((float) i + 0.5f) / scale - 0.5f;
    }
}

RP_FN int rp_resize_nearest(float v, int size, int mode)
{
    const float down = floorf(rp_clampf(v, -1e6f, 1e9f)), part = v - down;
    int up;

    if (mode == RP_NEAREST_FLOOR)
        up = 0;
    else if (mode == RP_NEAREST_CEIL)
        up = part > 0;
    else
        up = mode == RP_NEAREST_ROUND_PREFER_CEIL ? part >= 0.5f : part > 0.5f;
    return rp_clampi((int) down + up, 0, size - 1);
}

/* Weights of the samples first to first + taps - 1. */
RP_FN int rp_resize_taps(const struct rp_op_net_resize *a, float v, int *first, float w[4])
{
    const float down = floorf(rp_clampf(v, -1e6f, 1e9f)), t = v - down, k = a->cubic_a;

    *first = (int) down;
    if (a->mode == RP_RESIZE_LINEAR) {
        w[0] = 1 - t;
        w[1] = t;
        return 2;
    }
    *first -= 1;
    w[0] = ((k * (t + 1) - 5 * k) * (t + 1) + 8 * k) * (t + 1) - 4 * k;
    w[1] = ((k + 2) * t - (k + 3)) * t * t + 1;
    w[2] = ((k + 2) * (1 - t) - (k + 3)) * (1 - t) * (1 - t) + 1;
    w[3] = 1 - w[0] - w[1] - w[2];
    return 4;
}

RP_FN float rp_net_resize_at(const struct rp_op_net_resize *a, int n, int y, int x, int c)
{
    const float fy = rp_resize_from(y, a->src.h, a->dst.h, a->scale_h, a->coordinates);
    const float fx = rp_resize_from(x, a->src.w, a->dst.w, a->scale_w, a->coordinates);
    float wy[4], wx[4], sum = 0;
    int y0, x0;

    if (a->mode == RP_RESIZE_NEAREST)
        return rp_act_get(&a->src, n, rp_resize_nearest(fy, a->src.h, a->nearest),
                          rp_resize_nearest(fx, a->src.w, a->nearest), c);
    const int taps = rp_resize_taps(a, fy, &y0, wy);
    rp_resize_taps(a, fx, &x0, wx);
    for (int i = 0; i < taps; i++) {
        float row = 0;

        for (int j = 0; j < taps; j++)
            row += wx[j] * rp_act_get(&a->src, n, rp_clampi(y0 + i, 0, a->src.h - 1),
                                      rp_clampi(x0 + j, 0, a->src.w - 1), c);
        sum += wy[i] * row;
    }
    return sum;
}

RP_FN float rp_net_pow(float x, float y)
{
    const double up = y < 0 ? -(double) y : y;

    if (x >= 0 || y != y)
        return rp_powf(x, y);
    if (up > 1e9 || up != floor(up))
        return (float) rp_nan();
    return (float) ((((int64_t) up & 1) ? -1.0 : 1.0) * rp_exp((double) y * rp_ln(-(double) x)));
}

RP_FN float rp_net_elt(int op, float a, float b)
{
    switch (op) {
    case RP_ELT_ADD:
        return a + b;
    case RP_ELT_SUB:
        return a - b;
    case RP_ELT_MUL:
        return a * b;
    case RP_ELT_DIV:
        return a / b;
    case RP_ELT_MIN:
        return rp_net_min(a, b);
    case RP_ELT_MAX:
        return rp_net_max(a, b);
    case RP_ELT_POW:
        return rp_net_pow(a, b);
    case RP_ELT_GREATER:
        return a > b;
    case RP_ELT_LESS:
        return a < b;
    case RP_ELT_EQUAL:
        return a == b;
    default:
        return a;
    }
}

RP_FN float rp_net_eltwise_at(const struct rp_op_net_eltwise *a, int n, int y, int x, int c)
{
    const float p = rp_act_get_wide(&a->a, n, y, x, c);
    float q = a->scalar;

    if (a->op != RP_ELT_FIRST && a->b.data)
        q = rp_act_get_wide(&a->b, n, y, x, c);
    float v = a->turned ? rp_net_elt(a->op, q, p) : rp_net_elt(a->op, p, q);
    if (a->low.data)
        v += rp_act_get(&a->low, n, y / (a->dst.h / a->low.h), x / (a->dst.w / a->low.w), c);
    return rp_net_then(&a->then, v, c);
}

RP_FN float rp_net_pad_at(const struct rp_op_net_pad *a, int n, int y, int x, int c)
{
    const int sy = rp_pad_source(y - a->top, a->src.h, 1, a->mode);
    const int sx = rp_pad_source(x - a->left, a->src.w, 1, a->mode), sc = c - a->front;

    if (sy < 0 || sx < 0 || sc < 0 || sc >= a->src.c)
        return a->value;
    return rp_act_get(&a->src, n, sy, sx, sc);
}

/* Not a number is 0; what is too large is the largest. */
RP_FN int64_t rp_whole_from(float v)
{
    if (!(v >= -9.2e18f))
        return v != v ? 0 : INT64_MIN;
    return v > 9.2e18f ? INT64_MAX : (int64_t) v;
}

RP_FN float rp_copy_get(const void *data, int type, int64_t i)
{
    switch (type) {
    case RP_ACT_F64:
        return (float) ((const double *) data)[i];
    case RP_ACT_I64:
        return (float) ((const int64_t *) data)[i];
    case RP_ACT_I32:
        return (float) ((const int32_t *) data)[i];
    case RP_ACT_BOOL:
        return ((const uint8_t *) data)[i] != 0;
    default:
        return rp_number_get(data, type, i);
    }
}

RP_FN void rp_copy_put(void *data, int type, int64_t i, float v)
{
    switch (type) {
    case RP_ACT_F64:
        ((double *) data)[i] = (double) v;
        break;
    case RP_ACT_I64:
        ((int64_t *) data)[i] = rp_whole_from(v);
        break;
    case RP_ACT_I32:
        ((int32_t *) data)[i] = v != v ? 0 : (int32_t) rp_clampf(v, -2147483648.0f, 2147483520.0f);
        break;
    case RP_ACT_BOOL:
        ((uint8_t *) data)[i] = v != 0;
        break;
    default:
        rp_number_put(data, type, i, v);
        break;
    }
}

/* Number i of a copy, counted with the last dimension innermost. */
RP_FN void rp_net_copy_at(const struct rp_op_net_copy *a, int64_t i)
{
    const int inner = (int) (i % a->size[RP_NET_AXES - 1]);
    int64_t from = 0, to = 0;

    for (int k = RP_NET_AXES - 1; k >= 0; k--) {
        const int64_t at = i % a->size[k];

        from += at * a->src_step[k];
        to += at * a->dst_step[k];
        i /= a->size[k];
    }
    rp_copy_put(a->dst, a->dst_type, to, rp_copy_get(a->src, a->src_type, from));
    if (inner == a->size[RP_NET_AXES - 1] - 1)
        for (int k = 1; k <= a->zeros; k++)
            rp_copy_put(a->dst, a->dst_type, to + k, 0);
}

/* A position outside, brought inside; it may be anything. */
RP_FN float rp_sample_fold(const struct rp_op_net_sample *a, float v, int size)
{
    const float low = a->corners ? 0 : -0.5f, span = (float) (a->corners ? size - 1 : size);

    if (a->outside == RP_OUTSIDE_REFLECT && span > 0) {
        const float t = v < low ? low - v : v - low, turns = floorf(t / span),
                    rest = t - turns * span;

        v = turns / 2 == floorf(turns / 2) ? low + rest : low + span - rest;
    }
    return rp_clampf(v, 0, (float) (size - 1));
}

/* What is read along one axis: each from where (-1: a zero), and its weight. */
struct rp_sample_taps {
    int count, at[4];
    float w[4];
};

RP_FN int rp_sample_index(const struct rp_op_net_sample *a, int i, int size)
{
    if (i >= 0 && i < size)
        return i;
    return a->outside == RP_OUTSIDE_ZERO ? -1 : (int) rintf(rp_sample_fold(a, (float) i, size));
}

/* g: -1 to 1. */
RP_FN void rp_sample_taps(const struct rp_op_net_sample *a, float g, int size,
                          struct rp_sample_taps *t)
{
    const struct rp_op_net_resize cubic = {.mode = RP_RESIZE_CUBIC, .cubic_a = -0.75f};
    float v = a->corners ? (g + 1) / 2 * (float) (size - 1) : ((g + 1) * (float) size - 1) / 2;
    int first;

    v = v > -1e6f ? rp_clampf(v, -1e6f, 1e6f) : -1e6f; /* also of what is not a number */
    if (a->mode == RP_SAMPLE_CUBIC) {
        t->count = rp_resize_taps(&cubic, v, &first, t->w);
    } else {
        if (a->mode == RP_SAMPLE_NEAREST)
            v = rintf(v);
        if (a->outside != RP_OUTSIDE_ZERO)
            v = rp_sample_fold(a, v, size);
        v = a->mode == RP_SAMPLE_NEAREST ? rintf(v) : v;
        first = (int) floorf(v);
        t->count = a->mode == RP_SAMPLE_NEAREST ? 1 : 2;
        t->w[1] = v - (float) first;
        t->w[0] = 1 - t->w[1];
    }
    for (int i = 0; i < t->count; i++)
        t->at[i] = rp_sample_index(a, first + i, size);
}

/* Of x, y, z. */
RP_FN void rp_sample_find(const struct rp_op_net_sample *a, int n, int y, int x,
                          struct rp_sample_taps t[3])
{
    t[2].count = 1;
    t[2].at[0] = 0;
    t[2].w[0] = 1;
    rp_sample_taps(a, rp_act_get(&a->grid, n, y, x, 0), a->src.w, &t[0]);
    rp_sample_taps(a, rp_act_get(&a->grid, n, y, x, 1), a->src.h / a->depth, &t[1]);
    if (a->dims == 3)
        rp_sample_taps(a, rp_act_get(&a->grid, n, y, x, 2), a->depth, &t[2]);
}

/* Row of src for taps j of y and k of z; -1: zeros. */
RP_FN int rp_sample_row(const struct rp_op_net_sample *a, const struct rp_sample_taps t[3], int j,
                        int k)
{
    return t[1].at[j] < 0 || t[2].at[k] < 0 ? -1 : t[2].at[k] * (a->src.h / a->depth) + t[1].at[j];
}

/* Which pixel of src pixel i of dst is. */
RP_FN int64_t rp_gather_from(const struct rp_op_net_gather *a, int64_t i)
{
    const int64_t pixels = (int64_t) a->src.n * a->src.h * a->src.w;
    const int64_t v = rp_whole_from(rp_number_get(a->index.data, a->index.type, i * a->index.ld));
    const int64_t at = v < 0 ? v + pixels : v;

    return at < 0 ? 0 : at < pixels ? at : pixels - 1;
}

RP_FN float rp_reduce_join(int kind, float v, float s)
{
    if (kind == RP_REDUCE_MAX)
        return rp_net_max(s, v);
    if (kind == RP_REDUCE_MIN)
        return rp_net_min(s, v);
    return kind == RP_REDUCE_L2 ? v + s * s : v + s;
}

RP_FN float rp_reduce_first(int kind)
{
    if (kind == RP_REDUCE_MAX)
        return -INFINITY;
    return kind == RP_REDUCE_MIN ? INFINITY : 0;
}

/* How many numbers are joined along each of h, w, c. */
RP_FN int rp_reduce_span(int from, int to)
{
    return to == 1 ? from : 1;
}

RP_FN float rp_reduce_end(const struct rp_op_net_reduce *a, float v)
{
    if (a->kind == RP_REDUCE_L2)
        return sqrtf(v);
    if (a->kind != RP_REDUCE_MEAN)
        return v;
    return v / (float) (rp_reduce_span(a->src.h, a->dst.h) * rp_reduce_span(a->src.w, a->dst.w) *
                        rp_reduce_span(a->src.c, a->dst.c));
}

/* Pixels of a picture are joined in parts: sum and sum of squares of each channel and part. */
#define RP_NORM_PARTS 64
RP_FN size_t rp_norm_work_floats(const struct rp_op_net_norm *a)
{
    return (size_t) a->src.n * (size_t) RP_ACT_ROUND(a->src.c) * RP_NORM_PARTS * 2;
}

/* What follows the mean and the factor of a normalisation. */
RP_FN float rp_norm_finish(const struct rp_op_net_norm *a, float v, int n, int y, int x, int c)
{
    if (a->gamma)
        v *= a->gamma[c];
    if (a->beta)
        v += a->beta[c];
    if (a->scale)
        v *= a->scale[(int64_t) n * a->style_ld + c];
    if (a->shift)
        v += a->shift[(int64_t) n * a->style_ld + c];
    v = rp_net_then(&a->then, v, c);
    return a->add.data ? v + rp_act_get_wide(&a->add, n, y, x, c) : v;
}

RP_FN void rp_norm_put(const struct rp_op_net_norm *a, float v, int n, int y, int x, int c)
{
    rp_act_put_both(&a->dst, &a->also, n, y, x, c, rp_norm_finish(a, v, n, y, x, c));
}

#endif /* RP_OPS_NET_CORE_H */
