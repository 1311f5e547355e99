/* Operations of networks that move more than they compute. Where tensors allow it a thread works on
 * 8 channels of a pixel, else on one number. */
#include "device/cuda/net.cuh"

#define THREADS 256

static unsigned blocks(int64_t n)
{
    return n > 0 ? (unsigned) ((n + THREADS - 1) / THREADS) : 0;
}

/* A tensor has less than 2^31 numbers: 32 bits will do, whose divisions are several times faster.
 */
RP_DEV uint32_t my_number(void)
{
    return blockIdx.x * THREADS + threadIdx.x;
}

/* ---- one number in a thread
 * ------------------------------------------------------------------------ */

/* Number i of a tensor, counting its channels rounded up to 8; those above are zeros. */
struct place {
    int n, y, x, c;
};

RP_DEV void find_pixel(const struct rp_act *t, uint32_t pixel, struct place *at)
{
    const uint32_t w = (uint32_t) t->w, h = (uint32_t) t->h, row = pixel / w, n = row / h;

    at->x = (int) (pixel - row * w);
    at->y = (int) (row - n * h);
    at->n = (int) n;
}

RP_DEV bool find(const struct rp_act *t, uint32_t i, struct place *at)
{
    const uint32_t room = (uint32_t) RP_ACT_ROUND(t->c), pixel = i / room;

    at->c = (int) (i - pixel * room);
    find_pixel(t, pixel, at);
    return at->n < t->n;
}

#define ONE_BY_ONE(name, dst, value)                                                  \
    static __global__ void __launch_bounds__(THREADS)                                 \
        name(const __grid_constant__ struct rp_op_net_##name a)                       \
    {                                                                                 \
        struct place at;                                                              \
                                                                                      \
        if (find(&(dst), my_number(), &at))                                           \
            rp_act_put(&(dst), at.n, at.y, at.x, at.c, at.c < (dst).c ? (value) : 0); \
    }

/* The same with a second result. */
#define ONE_BY_ONE_BOTH(name, value)                                           \
    static __global__ void __launch_bounds__(THREADS)                          \
        name(const __grid_constant__ struct rp_op_net_##name a)                \
    {                                                                          \
        struct place at;                                                       \
                                                                               \
        if (!find(&a.dst, my_number(), &at))                                   \
            return;                                                            \
        if (at.c < a.dst.c)                                                    \
            rp_act_put_both(&a.dst, &a.also, at.n, at.y, at.x, at.c, (value)); \
        else                                                                   \
            rp_act_put(&a.dst, at.n, at.y, at.x, at.c, 0);                     \
    }

ONE_BY_ONE_BOTH(pool, rp_pool_sum(&a, at.n, at.y, at.x, at.c))
ONE_BY_ONE(resize, a.dst, rp_net_resize_at(&a, at.n, at.y, at.x, at.c))
ONE_BY_ONE_BOTH(eltwise, rp_net_eltwise_at(&a, at.n, at.y, at.x, at.c))
ONE_BY_ONE(columns, a.dst,
           rp_columns_end(&a, rp_columns_sum(&a, at.n, at.y, at.x, at.c), at.n, at.y, at.x, at.c))
ONE_BY_ONE(pad, a.dst, rp_net_pad_at(&a, at.n, at.y, at.x, at.c))

#define LAUNCH_ONE_BY_ONE(stream, name, a)                                                        \
    RP_LAUNCH(stream, blocks(rp_act_pixels(&(a)->dst) * RP_ACT_ROUND((a)->dst.c)), THREADS, name, \
              *(a))

/* ---- eight channels in a thread
 * -------------------------------------------------------------------- */

RP_DEV bool find_eight(const struct rp_act *t, uint32_t i, struct place *at)
{
    const uint32_t pieces = (uint32_t) RP_ACT_ROUND(t->c) / 8, pixel = i / pieces;

    at->c = (int) (i - pixel * pieces) * 8;
    find_pixel(t, pixel, at);
    return at->n < t->n;
}

RP_DEV void get_wide(const struct rp_act *t, const struct place *at, float v[8])
{
    const int64_t i = rp_act_at(t, t->n == 1 ? 0 : at->n, t->h == 1 ? 0 : at->y,
                                t->w == 1 ? 0 : at->x, t->c == 1 ? 0 : at->c);

    if (t->c > 1) {
        rp_eight_get(t->data, t->type, i, v);
        return;
    }
    v[0] = rp_number_get(t->data, t->type, i);
#pragma unroll
    for (int j = 1; j < 8; j++)
        v[j] = v[0];
}

RP_DEV void put_eight(const struct rp_act *t, const struct place *at, float v[8])
{
    rp_eight_store(*t, ((int64_t) at->n * t->h + at->y) * t->w + at->x, v, at->c);
}

RP_DEV void put_both(const struct rp_act *t, const struct rp_net_also *also, const struct place *at,
                     float v[8])
{
    put_eight(t, at, v);
    if (also->to.data)
        rp_eight_also(*also, ((int64_t) at->n * t->h + at->y) * t->w + at->x, v, at->c);
}

static __global__ void __launch_bounds__(THREADS)
    eltwise_eight(const __grid_constant__ struct rp_op_net_eltwise a)
{
    struct place at;
    float p[8], q[8];

    if (!find_eight(&a.dst, my_number(), &at))
        return;
    get_wide(&a.a, &at, p);
    if (a.b.data && a.op != RP_ELT_FIRST)
        get_wide(&a.b, &at, q);
#pragma unroll
    for (int j = 0; j < 8; j++) {
        const float s = a.b.data && a.op != RP_ELT_FIRST ? q[j] : a.scalar;
        const float l = a.turned ? s : p[j], r = a.turned ? p[j] : s;

        p[j] = a.op == RP_ELT_ADD   ? l + r
               : a.op == RP_ELT_SUB ? l - r
               : a.op == RP_ELT_MUL ? l * r
               : a.op == RP_ELT_DIV ? l / r
                                    : l;
    }
    if (a.low.data) {
        rp_eight_get(
            a.low.data, a.low.type,
            rp_act_at(&a.low, at.n, at.y / (a.dst.h / a.low.h), at.x / (a.dst.w / a.low.w), at.c),
            q);
        rp_eight_add(p, q);
    }
    rp_eight_then(&a.then, p, at.c, a.dst.c);
    put_both(&a.dst, &a.also, &at, p);
}

extern "C" int rp_cuda_net_eltwise(struct rp_stream *stream, const struct rp_op_net_eltwise *a)
{
    if (a->op <= RP_ELT_DIV && rp_eight_can(a->then.fn) && rp_eight_can(a->also.then.fn))
        RP_LAUNCH(stream, blocks(rp_act_pixels(&a->dst) * (RP_ACT_ROUND(a->dst.c) / 8)), THREADS,
                  eltwise_eight, *a);
    else
        LAUNCH_ONE_BY_ONE(stream, eltwise, a);
    return rp_cuda_launched("net_eltwise");
}

static __global__ void __launch_bounds__(THREADS)
    pool_eight(const __grid_constant__ struct rp_op_net_pool a)
{
    struct place at;
    float v[8], s[8];
    int count = 0;

    if (!find_eight(&a.dst, my_number(), &at))
        return;
#pragma unroll
    for (int j = 0; j < 8; j++)
        v[j] = a.kind == RP_POOL_MAX ? -INFINITY : 0;
    for (int i = 0; i < a.kh * a.kw; i++) {
        const int sy = at.y * a.stride_h - a.pad_top + i / a.kw * a.dilation_h;
        const int sx = at.x * a.stride_w - a.pad_left + i % a.kw * a.dilation_w;

        if (sy < 0 || sy >= a.src.h || sx < 0 || sx >= a.src.w) {
            count += a.count_pads && sy < a.src.h + a.pad_bottom && sx < a.src.w + a.pad_right;
            continue;
        }
        rp_eight_get(a.src.data, a.src.type, rp_act_at(&a.src, at.n, sy, sx, at.c), s);
#pragma unroll
        for (int j = 0; j < 8; j++)
            v[j] = a.kind == RP_POOL_MAX ? rp_net_max(s[j], v[j]) : v[j] + s[j];
        count++;
    }
#pragma unroll
    for (int j = 0; j < 8; j++)
        v[j] = a.kind == RP_POOL_MAX || !count ? v[j] : v[j] / (float) count;
    put_both(&a.dst, &a.also, &at, v);
}

extern "C" int rp_cuda_net_pool(struct rp_stream *stream, const struct rp_op_net_pool *a)
{
    if (a->kh * a->kw <= 64 && rp_eight_can(a->also.then.fn)) {
        RP_LAUNCH(stream, blocks(rp_act_pixels(&a->dst) * (RP_ACT_ROUND(a->dst.c) / 8)), THREADS,
                  pool_eight, *a);
    } else {
        LAUNCH_ONE_BY_ONE(stream, pool, a);
    }
    return rp_cuda_launched("net_pool");
}

static __global__ void __launch_bounds__(THREADS)
    resize_eight(const __grid_constant__ struct rp_op_net_resize a)
{
    struct place at;
    float wy[4], wx[4], v[8] = {0, 0, 0, 0, 0, 0, 0, 0}, s[8];
    int y0, x0;

    if (!find_eight(&a.dst, my_number(), &at))
        return;
    const float fy = rp_resize_from(at.y, a.src.h, a.dst.h, a.scale_h, a.coordinates);
    const float fx = rp_resize_from(at.x, a.src.w, a.dst.w, a.scale_w, a.coordinates);
    if (a.mode == RP_RESIZE_NEAREST) {
        rp_eight_get(a.src.data, a.src.type,
                     rp_act_at(&a.src, at.n, rp_resize_nearest(fy, a.src.h, a.nearest),
                               rp_resize_nearest(fx, a.src.w, a.nearest), at.c),
                     v);
        put_eight(&a.dst, &at, v);
        return;
    }
    rp_resize_taps(&a, fy, &y0, wy);
    rp_resize_taps(&a, fx, &x0, wx);
#pragma unroll
    for (int i = 0; i < 2; i++) {
        float row[8] = {0, 0, 0, 0, 0, 0, 0, 0};

#pragma unroll
        for (int k = 0; k < 2; k++) {
            rp_eight_get(a.src.data, a.src.type,
                         rp_act_at(&a.src, at.n, rp_clampi(y0 + i, 0, a.src.h - 1),
                                   rp_clampi(x0 + k, 0, a.src.w - 1), at.c),
                         s);
#pragma unroll
            for (int j = 0; j < 8; j++)
                row[j] += wx[k] * s[j];
        }
#pragma unroll
        for (int j = 0; j < 8; j++)
            v[j] += wy[i] * row[j];
    }
    put_eight(&a.dst, &at, v);
}

/* Where a tensor becomes twice as wide and high, pixels 2i - 1 and 2i of a row lie between the same
 * two of the source: a thread has all four that lie between four. */
struct between {
    int from[2];   /* in the source */
    bool is[2];    /* is there such a pixel? */
    float w[2][4]; /* of the pixel's two sources */
};

RP_DEV struct between find_between(const struct rp_op_net_resize *a, int i, int from, int to,
                                   float scale)
{
    struct between b;
    int first;

#pragma unroll
    for (int k = 0; k < 2; k++) {
        const int at = 2 * i - 1 + k;

        b.from[k] = rp_clampi(i - 1 + k, 0, from - 1);
        b.is[k] = at >= 0 && at < to;
        rp_resize_taps(a, rp_resize_from(at, from, to, scale, a->coordinates), &first, b.w[k]);
    }
    return b;
}

static __global__ void __launch_bounds__(THREADS)
    resize_twice(const __grid_constant__ struct rp_op_net_resize a)
{
    const uint32_t pieces = (uint32_t) RP_ACT_ROUND(a.dst.c) / 8, i = my_number(), px = i / pieces;
    const int py = (int) blockIdx.y, n = (int) blockIdx.z, c = (int) (i - px * pieces) * 8;
    float row[2][2][8], s[2][8], v[8]; /* row: of the source, of dst */

    if (px > (uint32_t) a.src.w)
        return;
    const struct between x = find_between(&a, (int) px, a.src.w, a.dst.w, a.scale_w);
    const struct between y = find_between(&a, py, a.src.h, a.dst.h, a.scale_h);
#pragma unroll
    for (int k = 0; k < 2; k++) {
#pragma unroll
        for (int l = 0; l < 2; l++)
            rp_eight_get(a.src.data, a.src.type, rp_act_at(&a.src, n, y.from[k], x.from[l], c),
                         s[l]);
#pragma unroll
        for (int l = 0; l < 2; l++)
#pragma unroll
            for (int j = 0; j < 8; j++)
                row[k][l][j] = x.w[l][0] * s[0][j] + x.w[l][1] * s[1][j];
    }
#pragma unroll
    for (int k = 0; k < 2; k++)
#pragma unroll
        for (int l = 0; l < 2; l++) {
            const struct place at = {n, 2 * py - 1 + k, 2 * (int) px - 1 + l, c};

#pragma unroll
            for (int j = 0; j < 8; j++)
                v[j] = y.w[k][0] * row[0][l][j] + y.w[k][1] * row[1][l][j];
            if (y.is[k] && x.is[l])
                put_eight(&a.dst, &at, v);
        }
}

static bool is_twice(const struct rp_op_net_resize *a)
{
    return a->mode == RP_RESIZE_LINEAR && a->scale_h == 2 && a->scale_w == 2 &&
           a->dst.h == 2 * a->src.h && a->dst.w == 2 * a->src.w && a->dst.n <= 65535 &&
           a->src.h < 65535 &&
           (a->coordinates == RP_COORD_HALF_PIXEL || a->coordinates == RP_COORD_PYTORCH_HALF_PIXEL);
}

extern "C" int rp_cuda_net_resize(struct rp_stream *stream, const struct rp_op_net_resize *a)
{
    const int64_t row = (int64_t) (a->src.w + 1) * (RP_ACT_ROUND(a->dst.c) / 8);

    if (is_twice(a))
        RP_LAUNCH(stream, dim3(blocks(row), (unsigned) a->src.h + 1, (unsigned) a->dst.n), THREADS,
                  resize_twice, *a);
    else if (a->mode != RP_RESIZE_CUBIC)
        RP_LAUNCH(stream, blocks(rp_act_pixels(&a->dst) * (RP_ACT_ROUND(a->dst.c) / 8)), THREADS,
                  resize_eight, *a);
    else
        LAUNCH_ONE_BY_ONE(stream, resize, a);
    return rp_cuda_launched("net_resize");
}

static __global__ void __launch_bounds__(THREADS)
    sample_eight(const __grid_constant__ struct rp_op_net_sample a)
{
    struct place at;
    struct rp_sample_taps t[3];
    float v[8] = {0, 0, 0, 0, 0, 0, 0, 0}, s[8];

    if (!find_eight(&a.dst, my_number(), &at))
        return;
    rp_sample_find(&a, at.n, at.y, at.x, t);
    for (int k = 0; k < t[2].count; k++)
        for (int j = 0; j < t[1].count; j++)
            for (int i = 0; i < t[0].count; i++) {
                const int row = rp_sample_row(&a, t, j, k);
                const float w = t[2].w[k] * t[1].w[j] * t[0].w[i];

                if (row < 0 || t[0].at[i] < 0)
                    continue;
                rp_eight_get(a.src.data, a.src.type, rp_act_at(&a.src, at.n, row, t[0].at[i], at.c),
                             s);
#pragma unroll
                for (int m = 0; m < 8; m++)
                    v[m] += w * s[m];
            }
    put_eight(&a.dst, &at, v);
}

extern "C" int rp_cuda_net_sample(struct rp_stream *stream, const struct rp_op_net_sample *a)
{
    RP_LAUNCH(stream, blocks(rp_act_pixels(&a->dst) * (RP_ACT_ROUND(a->dst.c) / 8)), THREADS,
              sample_eight, *a);
    return rp_cuda_launched("net_sample");
}

static __global__ void __launch_bounds__(THREADS)
    gather_eight(const __grid_constant__ struct rp_op_net_gather a)
{
    struct place at;
    float v[8];

    if (!find_eight(&a.dst, my_number(), &at))
        return;
    const int64_t i = ((int64_t) at.n * a.dst.h + at.y) * a.dst.w + at.x;

    rp_eight_get(a.src.data, a.src.type, rp_gather_from(&a, i) * a.src.ld + at.c, v);
    put_eight(&a.dst, &at, v);
}

extern "C" int rp_cuda_net_gather(struct rp_stream *stream, const struct rp_op_net_gather *a)
{
    RP_LAUNCH(stream, blocks(rp_act_pixels(&a->dst) * (RP_ACT_ROUND(a->dst.c) / 8)), THREADS,
              gather_eight, *a);
    return rp_cuda_launched("net_gather");
}

extern "C" int rp_cuda_net_pad(struct rp_stream *stream, const struct rp_op_net_pad *a)
{
    LAUNCH_ONE_BY_ONE(stream, pad, a);
    return rp_cuda_launched("net_pad");
}

/* ---- columns
 * --------------------------------------------------------------------------------------- */

#define STRIP 128               /* pixels of a row, one in a thread */
#define STRIP_BYTES (48 * 1024) /* of shared memory, that every GPU has */

/* Pixels of src that a strip needs, and how far apart in shared memory the channels' rows of them
 * are: odd, so that neither pixels nor channels share a bank. */
RP_FN int strip_pixels(const struct rp_op_net_columns &a)
{
    return STRIP + (a.kw - 1) * a.dilation;
}

RP_FN int strip_pitch(const struct rp_op_net_columns &a)
{
    return strip_pixels(a) | 1;
}

/* The strip's source to part[channel][pixel], with zeros or mirrored pixels beside the picture. */
RP_DEV void fetch_strip(const struct rp_op_net_columns &a, int n, int y, int x, float *part)
{
    const int pieces = RP_ACT_ROUND(a.src.c) / 8, pitch = strip_pitch(a);

    for (int i = (int) threadIdx.x; i < strip_pixels(a) * pieces; i += STRIP) {
        const int pixel = i / pieces, c = i % pieces * 8;
        const int sx = rp_pad_source(x + pixel - a.pad_left, a.src.w, 1, a.pad_mode);
        float v[8] = {0, 0, 0, 0, 0, 0, 0, 0};

        if (sx >= 0)
            rp_eight_get(a.src.data, a.src.type, rp_act_at(&a.src, n, y, sx, c), v);
#pragma unroll
        for (int j = 0; j < 8; j++)
            if (c + j < a.src.c)
                part[(c + j) * pitch + pixel] = v[j];
    }
}

/* Channels o to o + 7 of one pixel. `part`: of the first column's pixel. */
RP_DEV void add_columns(const struct rp_op_net_columns &a, const float *part, int o, float v[8])
{
    const int pitch = strip_pitch(a);

    for (int k = 0; k < a.kw; k++, part += a.dst.c * pitch + a.dilation)
#pragma unroll
        for (int j = 0; j < 8; j++)
            if (o + j < a.dst.c)
                v[j] += part[(o + j) * pitch];
}

static __global__ void __launch_bounds__(STRIP)
    columns_strip(const __grid_constant__ struct rp_op_net_columns a, int strips)
{
    RP_SHARED_FLOATS(part);
    const int row = (int) blockIdx.x / strips, x = (int) blockIdx.x % strips * STRIP;
    struct place at = {row / a.dst.h, row % a.dst.h, x + (int) threadIdx.x, 0};

    fetch_strip(a, at.n, at.y, x, part);
    __syncthreads();
    if (at.x >= a.dst.w)
        return;
    for (; at.c < a.dst.c; at.c += 8) {
        float v[8] = {0, 0, 0, 0, 0, 0, 0, 0}, add[8];

        add_columns(a, part + threadIdx.x, at.c, v);
        if (a.bias)
            shift_eight(v, a.bias, at.c, a.dst.c);
        if (a.add.data)
            get_wide(&a.add, &at, add);
        if (a.add.data && !a.add_last)
            rp_eight_add(v, add);
        rp_eight_then(&a.then, v, at.c, a.dst.c);
        if (a.add.data && a.add_last)
            rp_eight_add(v, add);
        put_eight(&a.dst, &at, v);
    }
}

extern "C" int rp_cuda_net_columns(struct rp_stream *stream, const struct rp_op_net_columns *a)
{
    const unsigned strips = rp_div_up(a->dst.w, STRIP);
    const int64_t blocks_all = (int64_t) a->dst.n * a->dst.h * strips;
    const int64_t wide = STRIP + (int64_t) (a->kw - 1) * a->dilation + 1;

    if (wide * a->src.c * (int64_t) sizeof(float) <= STRIP_BYTES && blocks_all <= INT32_MAX &&
        rp_eight_can(a->then.fn))
        RP_LAUNCH_SHARED(stream, (unsigned) blocks_all, STRIP,
                         (size_t) strip_pitch(*a) * (size_t) a->src.c * sizeof(float),
                         columns_strip, *a, (int) strips);
    else
        LAUNCH_ONE_BY_ONE(stream, columns, a);
    return rp_cuda_launched("net_columns");
}

/* ---- copies
 * ---------------------------------------------------------------------------------------- */

static __global__ void __launch_bounds__(THREADS)
    copy_any(const __grid_constant__ struct rp_op_net_copy a, int64_t count)
{
    const int64_t i = my_number();

    if (i < count)
        rp_net_copy_at(&a, i);
}

/* Offsets of the numbers of group i, where the last dimension is `last` groups. */
RP_DEV void copy_places(const struct rp_op_net_copy &a, unsigned i, unsigned last, int64_t *from,
                        int64_t *to)
{
    const int each = RP_NET_AXES - 1;

    *from = i % last * a.src_step[each] * 8;
    *to = i % last * a.dst_step[each] * 8;
    i /= last;
#pragma unroll
    for (int k = each - 1; k >= 0; k--) {
        const unsigned at = i % (unsigned) a.size[k];

        *from += at * a.src_step[k];
        *to += at * a.dst_step[k];
        i /= (unsigned) a.size[k];
    }
}

/* Rows of eights: eight numbers in a thread. */
static __global__ void __launch_bounds__(THREADS)
    copy_eights(const __grid_constant__ struct rp_op_net_copy a, unsigned count)
{
    const unsigned i = blockIdx.x * THREADS + threadIdx.x;
    int64_t from, to;
    float v[8];

    if (i >= count)
        return;
    copy_places(a, i, (unsigned) a.size[RP_NET_AXES - 1] / 8, &from, &to);
    rp_eight_get(a.src, a.src_type, from, v);
    rp_eight_put(a.dst, a.dst_type, to, v);
}

/* Up to eight numbers from anywhere, and zeros up to eight: a pixel from planes. */
static __global__ void __launch_bounds__(THREADS)
    copy_pixels(const __grid_constant__ struct rp_op_net_copy a, unsigned count)
{
    const unsigned i = blockIdx.x * THREADS + threadIdx.x;
    int64_t from, to;
    float v[8];

    if (i >= count)
        return;
    copy_places(a, i, 1, &from, &to);
#pragma unroll
    for (int j = 0; j < 8; j++)
        v[j] = j < a.size[RP_NET_AXES - 1]
                   ? rp_number_get(a.src, a.src_type, from + j * a.src_step[RP_NET_AXES - 1])
                   : 0;
    rp_eight_put(a.dst, a.dst_type, to, v);
}

/* Are all steps but the last multiples of 8? */
static bool steps_of_eight(const struct rp_op_net_copy *a, const int64_t *step)
{
    bool all = true;

    for (int k = 0; k < RP_NET_AXES - 1; k++)
        all &= a->size[k] == 1 || step[k] % 8 == 0;
    return all;
}

static bool is_aligned(const void *p)
{
    return (uintptr_t) p % 16 == 0;
}

static bool are_real(const struct rp_op_net_copy *a)
{
    return a->src_type <= RP_ACT_F16 && a->dst_type <= RP_ACT_F16;
}

static bool are_eights(const struct rp_op_net_copy *a)
{
    const int last = RP_NET_AXES - 1;

    return are_real(a) && a->dst_step[last] == 1 && a->src_step[last] == 1 &&
           a->size[last] % 8 == 0 && !a->zeros && is_aligned(a->src) && is_aligned(a->dst) &&
           steps_of_eight(a, a->src_step) && steps_of_eight(a, a->dst_step);
}

static bool are_pixels(const struct rp_op_net_copy *a)
{
    const int last = RP_NET_AXES - 1;

    return are_real(a) && a->dst_step[last] == 1 && a->size[last] + a->zeros == 8 &&
           is_aligned(a->dst) && steps_of_eight(a, a->dst_step);
}

/* With the dimension of the destination's step 1 innermost, writes are in one piece. Where that is
 * not so already, and nothing has to be filled with zeros after it, dimensions change places. */
static struct rp_op_net_copy turned(const struct rp_op_net_copy *a)
{
    struct rp_op_net_copy b = *a;
    const int last = RP_NET_AXES - 1;

    for (int k = 0; k < last && !a->zeros && b.dst_step[last] != 1; k++) {
        if (b.dst_step[k] != 1 || b.size[k] == 1)
            continue;
        const int size = b.size[k];
        const int64_t from = b.src_step[k], to = b.dst_step[k];

        b.size[k] = b.size[last], b.src_step[k] = b.src_step[last],
        b.dst_step[k] = b.dst_step[last];
        b.size[last] = size, b.src_step[last] = from, b.dst_step[last] = to;
    }
    return b;
}

extern "C" int rp_cuda_net_copy(struct rp_stream *stream, const struct rp_op_net_copy *a)
{
    const struct rp_op_net_copy b = turned(a);
    int64_t count = 1;

    for (int k = 0; k < RP_NET_AXES; k++)
        count *= a->size[k];
    if (count <= 0)
        return 0;
    if (count <= INT32_MAX && are_eights(&b))
        RP_LAUNCH(stream, blocks(count / 8), THREADS, copy_eights, b, (unsigned) (count / 8));
    else if (count <= INT32_MAX && are_pixels(&b))
        RP_LAUNCH(stream, blocks(count / b.size[RP_NET_AXES - 1]), THREADS, copy_pixels, b,
                  (unsigned) (count / b.size[RP_NET_AXES - 1]));
    else
        RP_LAUNCH(stream, blocks(count), THREADS, copy_any, b, count);
    return rp_cuda_launched("net_copy");
}

/* ---- sums over pixels, or over all
 * ------------------------------------------------------------------- */

#define REDUCERS 1024
#define AT_ONCE 8 /* numbers that a thread fetches before it joins them */

/* A block makes 32 neighbouring channels of one pixel of dst: lane = channel, warps share the
 * numbers. With dst.c = 1 a block makes one number, and all threads share. Always in one order. */
static __global__ void __launch_bounds__(REDUCERS)
    reduce(const __grid_constant__ struct rp_op_net_reduce a)
{
    __shared__ float part[REDUCERS];
    const int me = (int) threadIdx.x, lane = me % 32, warp = me / 32;
    const bool all = a.dst.c == 1;
    const int c = all ? 0 : (int) blockIdx.y * 32 + lane,
              channels = rp_reduce_span(a.src.c, a.dst.c);
    const int h = rp_reduce_span(a.src.h, a.dst.h), w = rp_reduce_span(a.src.w, a.dst.w);
    const int x = (int) blockIdx.x % a.dst.w, y = (int) blockIdx.x / a.dst.w % a.dst.h;
    const int n = (int) blockIdx.x / a.dst.w / a.dst.h;
    const int count = all ? h * w * channels : h * w, threads = (int) blockDim.x,
              step = all ? threads : threads / 32;
    float v = rp_reduce_first(a.kind);

    for (int first = all ? me : warp; first < count && c < a.src.c; first += AT_ONCE * step) {
        float got[AT_ONCE];

#pragma unroll
        for (int j = 0; j < AT_ONCE; j++) {
            const int i = first + j * step, pixel = all ? i / channels : i,
                      k = all ? i % channels : c;

            got[j] = i < count ? rp_act_get(&a.src, n, y + pixel / w, x + pixel % w, k)
                               : rp_reduce_first(a.kind);
        }
#pragma unroll
        for (int j = 0; j < AT_ONCE; j++)
            v = rp_reduce_join(a.kind, v, got[j]);
    }
    part[me] = v;
    __syncthreads();
    if (all ? me : warp)
        return;
    v = rp_reduce_first(a.kind);
    for (int i = all ? 0 : lane; i < threads; i += all ? 1 : 32)
        v = a.kind == RP_REDUCE_L2 ? v + part[i] : rp_reduce_join(a.kind, v, part[i]);
    if (all || c < RP_ACT_ROUND(a.dst.c))
        rp_act_put(&a.dst, n, y, x, c,
                   c < a.dst.c ? rp_net_then(&a.then, rp_reduce_end(&a, v), c) : 0);
    for (int i = 1; all && i < 8; i++)
        rp_act_put(&a.dst, n, y, x, i, 0);
}

extern "C" int rp_cuda_net_reduce(struct rp_stream *stream, const struct rp_op_net_reduce *a)
{
    const dim3 grid((unsigned) rp_act_pixels(&a->dst), a->dst.c == 1 ? 1 : rp_div_up(a->dst.c, 32));

    const int64_t each = (int64_t) rp_reduce_span(a->src.h, a->dst.h) *
                         rp_reduce_span(a->src.w, a->dst.w) * rp_reduce_span(a->src.c, a->dst.c);

    if (grid.x)
        RP_LAUNCH(stream, grid, each < 4 * REDUCERS ? THREADS : REDUCERS, reduce, *a);
    return rp_cuda_launched("net_reduce");
}
