/* Convolutions in C: blocks of pixels, for which the sources of all taps are gathered and turned to
 * float32 once, times blocks of outputs. */
#include "base/base.h"
#include "ops/net_core.h"

#define PIXELS 8  /* of a block */
#define OUTS 256  /* outputs of a block */
#define DEPTH 512 /* numbers of a sum that are gathered at once */
#define LANES 8

typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));

/* ---- weights --------------------------------------------------------------------------------- */

size_t rp_conv_pack_bytes(int type, int out, int c, int groups, int kh, int kw)
{
    const size_t size = type == RP_ACT_F16 ? sizeof(uint16_t) : sizeof(float);

    if (rp_conv_is_depthwise(out, c, groups))
        return (size_t) kh * (size_t) kw * (size_t) RP_ACT_ROUND(c) * size;
    return (size_t) out * (size_t) rp_conv_row(c, groups, kh, kw) * size;
}

/* Output o's weights, [each][taps], to their places. */
static void put_row(const float *row, int type, int o, int each, int taps, void *packed)
{
    const int room = RP_ACT_ROUND(each);

    for (int i = 0; i < each; i++)
        for (int t = 0; t < taps; t++)
            rp_number_put(packed, type, ((int64_t) o * taps + t) * room + i, row[i * taps + t]);
}

int rp_conv_pack(const float *weights, int type, int out, int c, int groups, int kh, int kw,
                 void *packed)
{
    const int taps = kh * kw, each = c / groups;
    const size_t row = (size_t) each * (size_t) taps;
    const bool depthwise = rp_conv_is_depthwise(out, c, groups);
    float *const rounded = malloc((2 * row + 1) * sizeof(*rounded));

    if (!rounded)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    memset(packed, 0, rp_conv_pack_bytes(type, out, c, groups, kh, kw));
    for (int o = 0; o < out; o++) {
        const float *w = weights + (size_t) o * row;

        if (type == RP_ACT_F16) {
            rp_round_weights(w, each, taps, rounded, rounded + row);
            w = rounded;
        }
        if (!depthwise)
            put_row(w, type, o, each, taps, packed);
        else
            for (int t = 0; t < taps; t++)
                rp_number_put(packed, type, (int64_t) t * RP_ACT_ROUND(c) + o, w[t]);
    }
    free(rounded);
    return 0;
}

/* ---- transposed convolutions ----------------------------------------------------------------- */

/* Tap k of the transposed one belongs to phase `phase` of its output if this is a whole number: how
 * far from the output's source pixel it looks. */
static bool look(int phase, int pad, int k, int dilation, int stride, int *at)
{
    const int v = phase + pad - k * dilation;

    *at = v >= 0 ? v / stride : -((-v + stride - 1) / stride);
    return *at * stride == v;
}

static void looks(int pad, int size, int dilation, int stride, int *first, int *count)
{
    int lo = 0, hi = -1, at;

    for (int phase = 0; phase < stride; phase++)
        for (int k = 0; k < size; k++)
            if (look(phase, pad, k, dilation, stride, &at)) {
                lo = hi < lo || at < lo ? at : lo;
                hi = hi < lo || at > hi ? at : hi;
            }
    *first = lo;
    *count = RP_MAX(hi - lo + 1, 1);
}

void rp_deconv(const struct rp_deconv *d, struct rp_op_net_conv *conv)
{
    int first_y, first_x;

    looks(d->pad_top, d->kh, d->dilation_h, d->stride, &first_y, &conv->kh);
    looks(d->pad_left, d->kw, d->dilation_w, d->stride, &first_x, &conv->kw);
    conv->pad_top = -first_y;
    conv->pad_left = -first_x;
    conv->stride_h = conv->stride_w = conv->dilation_h = conv->dilation_w = 1;
    conv->groups = conv->up = 1;
    conv->pad_mode = RP_PAD_ZERO;
    conv->shuffle = d->stride;
    conv->shuffle_order = RP_SHUFFLE_CRD;
}

/* Weights of one phase of one output and one source channel. */
static void deconv_phase(const struct rp_deconv *d, const struct rp_op_net_conv *conv, int phase,
                         const float *from, float *to)
{
    int y, x;

    for (int ky = 0; ky < d->kh; ky++)
        for (int kx = 0; kx < d->kw; kx++)
            if (look(phase / d->stride, d->pad_top, ky, d->dilation_h, d->stride, &y) &&
                look(phase % d->stride, d->pad_left, kx, d->dilation_w, d->stride, &x))
                to[(y + conv->pad_top) * conv->kw + x + conv->pad_left] = from[ky * d->kw + kx];
}

void rp_deconv_weights(const struct rp_deconv *d, const float *weights, const float *bias,
                       float *conv_weights, float *conv_bias)
{
    struct rp_op_net_conv conv = {0};
    const int phases = d->stride * d->stride;

    rp_deconv(d, &conv);
    const size_t taps = (size_t) conv.kh * (size_t) conv.kw;
    memset(conv_weights, 0,
           (size_t) d->out * (size_t) phases * (size_t) d->c * taps * sizeof(float));
    for (int o = 0; o < d->out; o++)
        for (int p = 0; p < phases; p++) {
            const size_t row = (size_t) o * (size_t) phases + (size_t) p;

            for (int c = 0; c < d->c; c++)
                deconv_phase(d, &conv, p,
                             weights + ((size_t) c * (size_t) d->out + (size_t) o) *
                                           (size_t) d->kh * (size_t) d->kw,
                             conv_weights + (row * (size_t) d->c + (size_t) c) * taps);
            if (bias && conv_bias)
                conv_bias[row] = bias[o];
        }
}

/* ---- scratch --------------------------------------------------------------------------------- */

size_t rp_conv_work(const struct rp_op_net_conv *a)
{
    const size_t split = (size_t) rp_conv_split(a);
    const size_t pixels = (size_t) a->src.n * (size_t) rp_conv_h(a) * (size_t) rp_conv_w(a);
    const size_t out = (size_t) rp_conv_out(a) / (size_t) a->groups;

    if (split < 2)
        return 0;
    return RP_NET_COUNTERS + split * ((pixels + 127) / 128 * 128) * ((out + 255) / 256 * 256) *
                                 (size_t) a->groups * sizeof(float);
}

/* ---- the sum --------------------------------------------------------------------------------- */

struct block {
    const struct rp_op_net_conv *a;
    bool tf32; /* multiplicands are rounded */
    int n, y, x, pixels, group;
    float source[PIXELS][DEPTH] __attribute__((aligned(32)));
    float weight[4][DEPTH] __attribute__((aligned(32)));
    float sum[PIXELS][OUTS];
};

/* Up to `count` numbers of one tap of one pixel, from channel c of the group. */
static void gather_tap(const struct block *b, int x, int tap, int c, int count, float *to)
{
    const struct rp_op_net_conv *const a = b->a;
    const int each = a->src.c / a->groups, first = b->group * each + c;
    const int have = RP_CLAMP(each - c, 0, count);
    const int sy = rp_pad_source(b->y * a->stride_h - a->pad_top + tap / a->kw * a->dilation_h,
                                 a->src.h, a->up, a->pad_mode);
    const int sx = rp_pad_source(x * a->stride_w - a->pad_left + tap % a->kw * a->dilation_w,
                                 a->src.w, a->up, a->pad_mode);

    for (int i = 0; i < count; i++)
        to[i] = 0;
    if (sy < 0 || sx < 0)
        return;
    const int64_t at = rp_act_at(&a->src, b->n, sy, sx, first);
    if (a->src.type == RP_ACT_F32)
        memcpy(to, (const float *) a->src.data + at, (size_t) have * sizeof(float));
    else
        for (int i = 0; i < have; i++)
            to[i] = rp_half_to_float(((const uint16_t *) a->src.data)[at + i]);
    if (a->in_scale)
        for (int i = 0; i < have; i++)
            to[i] *= a->in_scale[(int64_t) b->n * a->src.c + first + i];
}

/* As a GPU's matrix units take float32: the lower 13 bits of 23 rounded away, ties away from
 * zero. */
static void round_tf32(float *v, int count)
{
    for (int i = 0; i < count; i++) {
        uint32_t bits;

        memcpy(&bits, &v[i], sizeof(bits));
        if ((bits & 0x7f800000) != 0x7f800000)
            bits = (bits + 0x1000) & ~(uint32_t) 0x1fff;
        memcpy(&v[i], &bits, sizeof(bits));
    }
}

/* Numbers k to k + count - 1 of the sums of all pixels of the block. */
static void gather(struct block *b, int64_t k, int count)
{
    const int room = RP_ACT_ROUND(b->a->src.c / b->a->groups);

    for (int p = 0; p < PIXELS; p++) {
        const int x = b->x + (p < b->pixels ? p : 0);

        for (int i = 0, part; i < count; i += part) {
            const int c = (int) ((k + i) % room);

            part = RP_MIN(room - c, count - i);
            gather_tap(b, x, (int) ((k + i) / room), c, part, &b->source[p][i]);
        }
        if (b->tf32)
            round_tf32(b->source[p], count);
    }
}

/* Two pixels, four outputs. */
RP_INLINE void dots(const float *const s[2], const float *const w[4], int count, float sum[2][4])
{
    lanes acc[2][4] = {0}, v[2], u;

    for (int k = 0; k < count; k += LANES) {
        memcpy(&v[0], s[0] + k, sizeof(u));
        memcpy(&v[1], s[1] + k, sizeof(u));
        for (int o = 0; o < 4; o++) {
            memcpy(&u, w[o] + k, sizeof(u));
            acc[0][o] += v[0] * u;
            acc[1][o] += v[1] * u;
        }
    }
    for (int p = 0; p < 2; p++)
        for (int o = 0; o < 4; o++) {
            const lanes t = acc[p][o];

            sum[p][o] = ((t[0] + t[4]) + (t[1] + t[5])) + ((t[2] + t[6]) + (t[3] + t[7]));
        }
}

/* Adds what was gathered, times the weights of outputs first + (0 to 3). */
RP_HOT static void four_outs(struct block *b, int at, const float *const w[4], int outs, int count)
{
    float sum[2][4];

    for (int p = 0; p < PIXELS; p += 2) {
        const float *const s[2] = {b->source[p], b->source[p + 1]};

        dots(s, w, count, sum);
        for (int o = 0; o < outs; o++) {
            b->sum[p][at + o] += sum[0][o];
            b->sum[p + 1][at + o] += sum[1][o];
        }
    }
}

static void add_part(struct block *b, int first, int outs, int64_t k, int count)
{
    const struct rp_op_net_conv *const a = b->a;
    const int64_t row = rp_conv_row(a->src.c, a->groups, a->kh, a->kw);
    const float *w[4];

    for (int o = 0; o < outs; o += 4) {
        for (int i = 0; i < 4; i++) {
            const int64_t at = (first + RP_MIN(o + i, outs - 1)) * row + k;

            w[i] = b->weight[i];
            if (a->src.type == RP_ACT_F32 && !b->tf32)
                w[i] = (const float *) a->weights + at;
            else
                for (int j = 0; j < count; j++)
                    b->weight[i][j] = rp_number_get(a->weights, a->src.type, at + j);
            if (b->tf32)
                round_tf32(b->weight[i], count);
        }
        four_outs(b, o, w, RP_MIN(outs - o, 4), count);
    }
}

static void do_block(struct block *b)
{
    const struct rp_op_net_conv *const a = b->a;
    const int each = rp_conv_out(a) / a->groups;
    const int64_t row = rp_conv_row(a->src.c, a->groups, a->kh, a->kw);

    for (int at = 0; at < each; at += OUTS) {
        const int outs = RP_MIN(each - at, OUTS), first = b->group * each + at;

        memset(b->sum, 0, sizeof(b->sum));
        for (int64_t k = 0; k < row; k += DEPTH) {
            const int count = (int) RP_MIN(row - k, DEPTH);

            gather(b, k, count);
            add_part(b, first, outs, k, count);
        }
        for (int p = 0; p < b->pixels; p++)
            for (int o = 0; o < outs; o++)
                rp_conv_finish(a, b->sum[p][o], b->n, b->y, b->x + p, first + o);
    }
}

static void depthwise(const struct rp_op_net_conv *a, int n, int y)
{
    for (int x = 0; x < rp_conv_w(a); x++)
        for (int c = 0; c < a->src.c; c++)
            rp_conv_finish(a, rp_conv_depthwise_sum(a, n, y, x, c), n, y, x, c);
}

int rp_c_net_conv(struct rp_stream *stream, const struct rp_op_net_conv *a)
{
    struct block b = {.a = a, .tf32 = a->product == RP_PRODUCT_TF32 && a->src.type == RP_ACT_F32};
    const bool deep = rp_conv_is_depthwise(rp_conv_out(a), a->src.c, a->groups);

    (void) stream;
    for (b.n = 0; b.n < a->src.n; b.n++)
        for (b.y = 0; b.y < rp_conv_h(a); b.y++) {
            if (deep) {
                depthwise(a, b.n, b.y);
                continue;
            }
            for (b.x = 0; b.x < rp_conv_w(a); b.x += PIXELS) {
                b.pixels = RP_MIN(rp_conv_w(a) - b.x, PIXELS);
                for (b.group = 0; b.group < a->groups; b.group++)
                    do_block(&b);
            }
        }
    return 0;
}
