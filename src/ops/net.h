/* Operations of neural networks, part of the table of ops.h, with its rules but one: their results
 * need not be the same bytes on every device. A GPU's matrix units add in an order and with a
 * rounding of their own, so that a result is "the same to a tolerance": about 1e-3 of the largest
 * value of a tensor where it is float16 or where float32 is multiplied as TF32, 1e-5 elsewhere. On
 * one device they are the same bytes from run to run, from slot to slot and for every n: a row of a
 * batch does not depend on the others, nor on how many there are.
 *
 * A tensor (struct rp_act) is NHWC: one pixel's channels lie together, `ld` numbers from one pixel
 * to the next, without gaps between rows of pixels and pictures. Vectors are tensors with h = w =
 * 1. Tokens are pixels: h = 1, w = tokens. Rules for every tensor:
 *   - data is aligned to 16 bytes, ld is a multiple of 8;
 *   - an operation works on channels 0 to c - 1 of a pixel, so that a tensor may be a slice of the
 *     channels of a larger one (concat, split); in it c is a multiple of 8, or the slice is the
 *     last;
 *   - channels from c to the next multiple of 8 hold zeros: an operation's output gets them, from
 *     an operation's input they are expected;
 *   - not more than 2^31 - 1 numbers, n * h * w * ld.
 * Sums are in float32 whatever the types. float32 becomes float16 by rounding half to even. */
#ifndef RP_OPS_NET_H
#define RP_OPS_NET_H

#include "ops/types.h"

enum rp_act_type {
    RP_ACT_F32 = 0,
    RP_ACT_F16,
    /* ends of a network, which only rp_op_net_copy knows */
    RP_ACT_F64,
    RP_ACT_I64,
    RP_ACT_I32,
    RP_ACT_BOOL, /* a byte: 0 or 1 */
};

struct rp_act {
    void *data;
    int type; /* enum rp_act_type */
    int n, h, w, c, ld;
};

/* Channels with the zeros after them; also a sensible ld. */
#define RP_ACT_ROUND(c) (((c) + 7) / 8 * 8)

/* Functions of one number, and activations. alpha, beta: of struct rp_net_then. */
enum rp_net_fn {
    RP_FN_NONE = 0,
    RP_FN_RELU,
    RP_FN_LEAKY, /* x < 0: x * alpha */
    RP_FN_PRELU, /* x < 0: x * slope[channel] */
    RP_FN_CLIP,  /* alpha to beta */
    RP_FN_SIGMOID,
    RP_FN_SILU,     /* x * sigmoid(x) */
    RP_FN_HSIGMOID, /* alpha * x + beta, 0 to 1 */
    RP_FN_HSWISH,   /* x * (x / 6 + 1 / 2, 0 to 1) */
    RP_FN_TANH,
    RP_FN_ELU,      /* x < 0: alpha * (e^x - 1) */
    RP_FN_SOFTPLUS, /* ln(1 + e^x) */
    RP_FN_GELU,     /* x * (1 + erf(x / sqrt 2)) / 2 */
    RP_FN_MISH,     /* x * tanh(softplus(x)) */
    RP_FN_EXP,
    RP_FN_LOG,
    RP_FN_SQRT,
    RP_FN_RSQRT, /* 1 / sqrt(x) */
    RP_FN_RECIPROCAL,
    RP_FN_ABS,
    RP_FN_NEG,
    RP_FN_SQUARE,
    RP_FN_ERF,
    RP_FN_SIN,
    RP_FN_COS,
    RP_FN_FLOOR,
    RP_FN_CEIL,
    RP_FN_ROUND, /* half to even */
    RP_FN_SIGN,
    RP_FN_TRUNC, /* without the fraction */
    RP_FN_COUNT
};

/* What follows a sum before it is stored: fn(x) * gain; gain 0 counts as 1. */
struct rp_net_then {
    int fn; /* enum rp_net_fn */
    float alpha, beta, gain;
    const float *slope; /* [c], for RP_FN_PRELU */
};

/* A second result, beside x itself what the next layer wants of it, such as a batch norm and its
 * activation: then(x * scale + shift). */
struct rp_net_also {
    struct rp_act to;           /* data NULL: none; else of dst's sizes */
    const float *scale, *shift; /* [dst.c] or NULL */
    struct rp_net_then then;    /* its slope is [dst.c] */
};

/* ---- convolution ----------------------------------------------------------------------------- */

/* How a convolution multiplies numbers of float32. EXACT and TF32 are there to compare results. */
enum rp_net_product {
    RP_PRODUCT_QUICK = 0, /* as is best on the device: a GPU's matrix units take TF32 */
    RP_PRODUCT_EXACT,     /* as float32, many times slower on a GPU */
    RP_PRODUCT_TF32,      /* rounded to 11 bits before, in C too */
    RP_PRODUCT_FULL,      /* near to float32: a GPU's matrix units take each number as a sum of two
                           * of TF32, and lose some bits of the sums */
};

enum rp_net_pad { RP_PAD_ZERO = 0, RP_PAD_EDGE, RP_PAD_REFLECT };

/* Where number i (= row * r + column) of the r x r pixels of output channel c comes from, in a
 * convolution with out = C r r channels. */
enum rp_net_shuffle {
    RP_SHUFFLE_CRD = 0, /* channel c * r * r + i: PixelShuffle, DepthToSpace's CRD */
    RP_SHUFFLE_DCR,     /* channel i * C + c: DepthToSpace's DCR */
};

/* Convolution, which is also the fully connected layer (1 x 1 on h = w = 1). For each pixel and
 * channel of its own result, of conv_h x conv_w x out:
 *
 *     x = sum of weight * (source * in_scale), * out_scale + bias
 *     x = then(x + add), or then(x) + add when add_last
 *
 * dst is x * post_scale, shuffled; x may have a second result (struct rp_net_also). The source is
 * enlarged `up` times (nearest) before anything else.
 * Pads at the bottom and on the right are what dst needs. With shuffle r the result has dst.c * r *
 * r channels and is ceil(dst.h / r) x ceil(dst.w / r); what does not fit in dst is not stored.
 * bias, the scales and then.slope count in channels of the result before it is shuffled; add is of
 * dst. Modulated convolutions (StyleGAN) are in_scale = the style and out_scale = 1 / sqrt(sum of
 * squares).
 *
 * src and weights have one type; dst and add may have others. groups: src.c / groups channels of
 * the source make out / groups ones, both whole; depthwise is groups = src.c. */
struct rp_op_net_conv {
    struct rp_act src, dst;
    const void *weights; /* by rp_conv_pack() */
    const float *bias;   /* [out] or NULL */
    int kh, kw, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int pad_mode; /* enum rp_net_pad; REFLECT: a pad is smaller than the source */
    int groups, up;
    int shuffle, shuffle_order; /* 1, 0: none */
    const float *in_scale;      /* [n][src.c] or NULL */
    const float *out_scale;     /* [n][out] or NULL */
    const float *post_scale;    /* [n][out] or NULL */
    struct rp_act add;          /* data NULL: none. n, h, w, c may each be 1: the same for all */
    int add_last;
    struct rp_net_then then;
    struct rp_net_also also;
    int product; /* enum rp_net_product; float16 and depthwise ones know no other than exact */
    void *work;  /* of rp_conv_work() bytes; NULL if that is 0 */
};

/* Convolution of weights [out][c / groups][kh][kw] (ONNX's order) as rp_op_net_conv wants them:
 * bytes, and the packing, to host memory (0, or RP_ERR_NOMEM). With type RP_ACT_F32 they keep all
 * bits, with RP_ACT_F16 they are those of rp_round_weights(). */
size_t rp_conv_pack_bytes(int type, int out, int c, int groups, int kh, int kw);
int rp_conv_pack(const float *weights, int type, int out, int c, int groups, int kh, int kw,
                 void *packed);

/* One output's weights [channels][taps] to numbers of float16: each is one of the two on either
 * side of it, not always the nearest, but such that their errors cancel in sums over numbers that
 * are alike (net_round.c). `step`: as much scratch. */
void rp_round_weights(const float *w, int channels, int taps, float *rounded, float *step);

/* Scratch for this convolution in bytes, from its sizes. The first RP_NET_COUNTERS bytes must be
 * zero before the first run and are left zero, so that all operations of a stream may share one
 * block of the largest size, zeroed once. */
#define RP_NET_COUNTERS 65536
size_t rp_conv_work(const struct rp_op_net_conv *a);

/* A transposed convolution (ONNX's ConvTranspose: weights [c][out / groups][kh][kw], one group,
 * equal strides) is a convolution whose result is shuffled. rp_deconv() fills in the sizes of *conv
 * for given strides, dilations and pads: kh, kw, strides, dilations, pads, groups, shuffle and
 * shuffle_order; rp_deconv_weights() makes its weights, [out * stride * stride][c][conv kh][conv
 * kw], and its bias from [out] (either may be NULL). dst of the convolution is the transposed one's
 * output. Strides 1 to 8. */
struct rp_deconv {
    int c, out, kh, kw, stride, dilation_h, dilation_w, pad_top, pad_left;
};
void rp_deconv(const struct rp_deconv *d, struct rp_op_net_conv *conv);
void rp_deconv_weights(const struct rp_deconv *d, const float *weights, const float *bias,
                       float *conv_weights, float *conv_bias);

/* ---- fully connected layers ------------------------------------------------------------------ */

/* One layer of vectors or several of the same sizes, `parts` = dst.n / src.n of them. Row r of part
 * p is row p * src.n + r of dst. Output o of it is
 *
 *     then(sum of weight[p][o] * source + bias[p][o])
 *
 * and its source is row r of src, 8 * from[(p * dst.c + o) / 8] numbers further on: outputs may be
 * of different slices of one vector, or of several vectors that lie one behind the other. All is
 * float32, h = w = 1. What `from` says beyond the last place where all rows lie within `span`
 * counts as that place. */
struct rp_op_net_linear {
    struct rp_act src, dst;
    const float *weights;    /* [parts * dst.c][src.c and zeros up to a multiple of 8] */
    const float *bias;       /* [parts * dst.c] or NULL */
    const int32_t *from;     /* [parts * dst.c / 8], dst.c a multiple of 8; or NULL: 0 */
    int span;                /* numbers from src.data on; at least what src's own rows take */
    int squares;             /* it is the squares of the source that count */
    struct rp_net_then then; /* its slope is [dst.c], the same for all parts */
};

/* ---- attention ------------------------------------------------------------------------------- */

/* dst[i][j] = then(scale * sum over k of a[i][k] * b[k][j]), `batch` x `heads` times. Numbers of a
 * matrix lie `ld` apart from row to row; matrix (batch, head) begins at batch * by_batch + head *
 * by_head. b_rows: b is stored as [j][k] (as K in attention). All are numbers of one type; strides
 * count in numbers, and are multiples of 8 as the addresses are of 16 bytes; k and j may be any. */
struct rp_net_matrix {
    void *data;
    int ld;
    int64_t by_batch, by_head;
};
struct rp_op_net_matmul {
    struct rp_net_matrix a, b, dst;
    int type;                               /* enum rp_act_type, of all three */
    int batch, heads, rows, columns, depth; /* i, j, k */
    int b_rows;
    float scale;
    struct rp_net_then then; /* not RP_FN_PRELU */
};

/* Softmax over `count` numbers in steps of 1, in rows that are ld apart: x / sum of e^x, with the
 * largest subtracted before. In place or not. Numbers from count to the next multiple of 8 become
 * zeros, if there is room for them in ld. */
struct rp_op_net_softmax {
    const void *src;
    void *dst;
    int type;
    int rows, count, src_ld, dst_ld;
};

/* ---- normalisation --------------------------------------------------------------------------- */

enum rp_net_norm_kind {
    RP_NORM_INSTANCE = 0, /* over the pixels of a channel */
    RP_NORM_GROUP,        /* over the pixels and channels of a group */
    RP_NORM_LAYER,        /* over the channels of a pixel */
    RP_NORM_L2,           /* x / max(sqrt(sum of squares over the channels), eps): no mean */
    RP_NORM_RMS,          /* x / sqrt(mean of squares over the channels + eps): no mean */
};

/* x = (x - mean) / sqrt(variance + eps); x = x * gamma + beta; x = x * scale + shift (AdaIN); then;
 * + add. In place or not; gamma, beta, scale, shift, add may be missing. */
struct rp_op_net_norm {
    struct rp_act src, dst;
    int kind, groups;
    float eps;
    const float *gamma, *beta;  /* [c] */
    const float *scale, *shift; /* [n][c], style_ld numbers from row to row */
    int style_ld;
    struct rp_net_then then;
    struct rp_act add; /* data NULL: none; dst's sizes */
    struct rp_net_also also;
    void *work; /* of rp_norm_work() bytes; the first RP_NET_COUNTERS are not touched */
};
size_t rp_norm_work(const struct rp_op_net_norm *a);

/* ---- the rest -------------------------------------------------------------------------------- */

/* Largest or mean of a window. Pads at the bottom and on the right are what dst needs.
 * count_pads: the mean counts zeros in the pads (and only up to pad_bottom, pad_right beyond the
 * source). A global one has the source's size as its window. */
enum rp_net_pool_kind { RP_POOL_MAX = 0, RP_POOL_MEAN };
struct rp_op_net_pool {
    struct rp_act src, dst;
    int kind, kh, kw, stride_h, stride_w, dilation_h, dilation_w;
    int pad_top, pad_left, pad_bottom, pad_right;
    int count_pads;
    struct rp_net_also also;
};

/* ONNX's Resize. scale: of dst over src, which the formulas use (they may differ from the sizes).
 */
enum rp_net_resize_mode { RP_RESIZE_NEAREST = 0, RP_RESIZE_LINEAR, RP_RESIZE_CUBIC };
enum rp_net_coordinates {
    RP_COORD_HALF_PIXEL = 0,
    RP_COORD_PYTORCH_HALF_PIXEL,
    RP_COORD_ALIGN_CORNERS,
    RP_COORD_ASYMMETRIC,
    RP_COORD_TF_HALF_PIXEL, /* tf_half_pixel_for_nn */
};
enum rp_net_nearest {
    RP_NEAREST_ROUND_PREFER_FLOOR = 0,
    RP_NEAREST_ROUND_PREFER_CEIL,
    RP_NEAREST_FLOOR,
    RP_NEAREST_CEIL,
};
struct rp_op_net_resize {
    struct rp_act src, dst;
    int mode, coordinates, nearest;
    float scale_h, scale_w;
    float cubic_a; /* -0.75 is usual */
};

/* dst = then((a OP b) + low), where n, h, w, c of a and of b are each dst's, or 1: the same for
 * all. With b.data NULL, b is the number `scalar`; with RP_ELT_FIRST there is only a. `turned`: b
 * OP a. low.data NULL: there is none; else it has dst's n and c, and dst is a whole number of times
 * as high and as wide: each of its pixels is added to so many. Types may differ. dst may be a or b
 * if that has its sizes and type. */
enum rp_net_elt {
    RP_ELT_FIRST = 0,
    RP_ELT_ADD,
    RP_ELT_SUB,
    RP_ELT_MUL,
    RP_ELT_DIV,
    RP_ELT_MIN,
    RP_ELT_MAX,
    RP_ELT_POW,     /* of a >= 0, or b a whole number */
    RP_ELT_GREATER, /* 1 or 0 */
    RP_ELT_LESS,
    RP_ELT_EQUAL,
    RP_ELT_COUNT
};
struct rp_op_net_eltwise {
    struct rp_act a, b, low, dst;
    int op; /* enum rp_net_elt */
    int turned;
    float scalar;
    struct rp_net_then then;
    struct rp_net_also also;
};

/* Numbers from anywhere to anywhere: size[0] x ... x size[5] of them, each side with a step for
 * each; the type may change: a real becomes a whole number by leaving its fraction out. Between a
 * file's NCHW tensors and struct rp_act, transposes, slices, concats of channels that are no
 * multiple of 8, DepthToSpace. Of dst, `zeros` numbers (0 to 7, at steps of 1) after each last
 * number of the innermost dimension become zeros. A step of src may be 0 or negative. Steps count
 * in numbers. */
#define RP_NET_AXES 6
struct rp_op_net_copy {
    const void *src;
    void *dst;
    int src_type, dst_type;
    int size[RP_NET_AXES];
    int64_t src_step[RP_NET_AXES], dst_step[RP_NET_AXES];
    int zeros;
};

/* dst(y, x) = src(y - top, x - left), outside of src as mode says, or `value` with RP_PAD_ZERO.
 * Negative top, left cut. Channels likewise: `front` before the first are `value`. */
struct rp_op_net_pad {
    struct rp_act src, dst;
    int top, left, front;
    int mode; /* enum rp_net_pad */
    float value;
};

/* Over h, w or c, those whose size in dst is 1: the mean, sum, largest, smallest, or root of the
 * sum of squares. */
enum rp_net_reduce_kind {
    RP_REDUCE_MEAN = 0,
    RP_REDUCE_SUM,
    RP_REDUCE_MAX,
    RP_REDUCE_MIN,
    RP_REDUCE_L2,
};
struct rp_op_net_reduce {
    struct rp_act src, dst;
    int kind;
    struct rp_net_then then;
};

/* ONNX's GridSample: pixel (y, x) of dst is src at the position that grid has there: x, y and, in a
 * volume, z, from -1 to 1 over src. A volume's slices lie one below the other in h: src has `depth`
 * of them; depth 1 with `dims` 2 is a picture. */
enum rp_net_sample_mode { RP_SAMPLE_LINEAR = 0, RP_SAMPLE_NEAREST, RP_SAMPLE_CUBIC };
enum rp_net_outside { RP_OUTSIDE_ZERO = 0, RP_OUTSIDE_EDGE, RP_OUTSIDE_REFLECT };
struct rp_op_net_sample {
    struct rp_act src, grid, dst; /* grid: dst's n, h, w; c is dims */
    int dims, depth;
    int mode;    /* enum rp_net_sample_mode */
    int outside; /* enum rp_net_outside */
    int corners; /* -1 and 1 are the middles of the outermost pixels, not their outer edges */
};

/* Pixel i of dst is pixel index[i] of src, where all pixels of a tensor are counted in order; index
 * has as many pixels as dst, of one channel. A negative index counts from the end. What is outside
 * of src gives the nearest that is not. */
struct rp_op_net_gather {
    struct rp_act src, index, dst; /* src and dst have the same c */
};

/* The rest of a convolution whose window was taken apart into its columns: channel k * dst.c + o of
 * src, one of kh x 1, is what column k of the window gives to channel o. Then, for each pixel,
 *
 *     x = sum over k of src(y, x + k * dilation - pad_left, k * dst.c + o) + bias
 *     x = then(x + add), or then(x) + add when add_last
 *
 * The convolution so reads its source once for all columns, not once for each: that is worth a step
 * of its own where dst has few channels. */
struct rp_op_net_columns {
    struct rp_act src, dst; /* src: kw * dst.c channels, n and h as dst; not in the same place */
    int kw, dilation, pad_left, pad_mode; /* of the width, as in rp_op_net_conv */
    const float *bias;                    /* [dst.c] or NULL */
    struct rp_act add;                    /* data NULL: none. n, h, w, c may each be 1 */
    int add_last;
    struct rp_net_then then;
};

#define RP_NET_OPS(X)                                                                             \
    X(net_conv)                                                                                   \
    X(net_linear)                                                                                 \
    X(net_matmul)                                                                                 \
    X(net_softmax)                                                                                \
    X(net_norm)                                                                                   \
    X(net_pool)                                                                                   \
    X(net_resize) X(net_eltwise) X(net_copy) X(net_pad) X(net_reduce) X(net_sample) X(net_gather) \
        X(net_columns)

#endif /* RP_OPS_NET_H */
