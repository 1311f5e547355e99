/* Whole pictures: colour conversion, resize, warp, tensors. */
#include "device/cuda/kernel.cuh"
#include "ops/convert_core.h"
#include "ops/resize_core.h"
#include "ops/tensor_core.h"
#include "ops/warp_core.h"

/* ---- yuv_to_bgr, bgr_to_yuv ------------------------------------------------------------------ */

/* A thread does four pixels of one or two rows, those that share a row of chroma samples. */
#define QUAD 4

/* For both directions; only what is used is read. */
struct quad {
    int x, y, cy;                      /* first pixel, row of chroma samples */
    int n, rows;                       /* how many of them are in the picture */
    int16_t b[QUAD], g[QUAD], r[QUAD]; /* the chroma part of the colours */
};

template <bool WIDE> RP_DEV int sample(const uint8_t *row, int x)
{
    return WIDE ? ((const uint16_t *) row)[x] : row[x];
}

template <bool WIDE> RP_DEV void put_sample(uint8_t *row, int x, int v)
{
    if (WIDE)
        ((uint16_t *) row)[x] = (uint16_t) v;
    else
        row[x] = (uint8_t) v;
}

RP_DEV bool find_quad(struct quad *q, const struct rp_planes *p, int w, int h)
{
    q->x = QUAD * rp_my_x();
    q->cy = rp_my_y();
    q->y = q->cy << p->sub_y;
    q->n = rp_mini(QUAD, w - q->x);
    q->rows = rp_mini(1 << p->sub_y, h - q->y);
    return q->n > 0 && q->rows > 0;
}

template <bool WIDE>
RP_DEV void make_terms(struct quad *q, const struct rp_planes *p, const struct rp_yuv_factors *f)
{
    const uint8_t *const u = p->plane[1] + (ptrdiff_t) q->cy * p->stride[1];
    const uint8_t *const v = p->plane[2] + (ptrdiff_t) q->cy * p->stride[2];

#pragma unroll
    for (int i = 0; i < QUAD; i++) {
        if (i >= q->n)
            continue;
        if (p->sub_x && i & 1) {
            q->b[i] = q->b[i - 1];
            q->g[i] = q->g[i - 1];
            q->r[i] = q->r[i - 1];
            continue;
        }
        const int cx = (q->x + i) >> p->sub_x;
        const int cu = sample<WIDE>(u, cx), cv = sample<WIDE>(v, cx);
        q->b[i] = rp_yuv_term_b(f, cu);
        q->g[i] = rp_yuv_term_g(f, cu, cv);
        q->r[i] = rp_yuv_term_r(f, cv);
    }
}

/* The luma samples of row k; FAST: in one read, n is 4. */
template <bool WIDE, bool FAST>
RP_DEV void read_luma(int y[QUAD], const struct quad *q, const struct rp_planes *p, int k)
{
    const uint8_t *const row = p->plane[0] + (ptrdiff_t) (q->y + k) * p->stride[0];

    if (FAST && q->n == QUAD) {
        const uint32_t *const at = (const uint32_t *) (row + ((ptrdiff_t) q->x << WIDE));
        uint32_t v[2];

        v[0] = at[0];
        v[1] = WIDE ? at[1] : 0;
#pragma unroll
        for (int i = 0; i < QUAD; i++)
            y[i] = WIDE ? (int) (v[i >> 1] >> 16 * (i & 1) & 0xffff) : rp_byte(v, i);
        return;
    }
#pragma unroll
    for (int i = 0; i < QUAD; i++)
        y[i] = i < q->n ? sample<WIDE>(row, q->x + i) : 0;
}

RP_DEV void colours(uint8_t bgr[3 * QUAD], const struct quad *q, const int y[QUAD],
                    const struct rp_yuv_factors *f)
{
#pragma unroll
    for (int i = 0; i < QUAD; i++) {
        const uint16_t l = rp_yuv_luma(f, y[i]);

        bgr[3 * i] = rp_yuv_add(l, q->b[i]);
        bgr[3 * i + 1] = rp_yuv_add(l, q->g[i]);
        bgr[3 * i + 2] = rp_yuv_add(l, q->r[i]);
    }
}

template <bool WIDE, bool FAST>
static __global__ void __launch_bounds__(256)
    yuv_to_bgr(const __grid_constant__ struct rp_planes src, const __grid_constant__ struct rp_img dst,
               const __grid_constant__ struct rp_yuv_factors f, int w, int h)
{
    struct quad q;

    if (!find_quad(&q, &src, w, h))
        return;
    make_terms<WIDE>(&q, &src, &f);
    for (int k = 0; k < q.rows; k++) {
        uint8_t *const out =
            dst.data + (ptrdiff_t) (q.y + k) * dst.stride + 3 * (ptrdiff_t) q.x;
        uint8_t bgr[3 * QUAD];
        int y[QUAD];

        read_luma<WIDE, FAST>(y, &q, &src, k);
        colours(bgr, &q, y, &f);
        if (FAST && q.n == QUAD) {
#pragma unroll
            for (int i = 0; i < 3; i++)
                ((uint32_t *) out)[i] = rp_pack(bgr + 4 * i);
        } else {
#pragma unroll
            for (int i = 0; i < 3 * QUAD; i++)
                if (i < 3 * q.n)
                    out[i] = bgr[i];
        }
    }
}

static bool fast_planes(const struct rp_planes *p, const struct rp_img *i)
{
    return rp_aligned(p->plane[0], (size_t) p->stride[0], 4) &&
           rp_aligned(i->data, (size_t) i->stride, 4);
}

extern "C" int rp_cuda_yuv_to_bgr(struct rp_stream *stream, const struct rp_op_yuv_to_bgr *a)
{
    const int w = rp_mini(a->src->w, a->dst.w), h = rp_mini(a->src->h, a->dst.h);
    const dim3 grid = rp_grid((int) rp_div_up(w, QUAD), (int) rp_div_up(h, 1 << a->src->sub_y));
    const bool fast = fast_planes(a->src, &a->dst);
    struct rp_yuv_factors f;

    if (w < 1 || h < 1)
        return 0;
    rp_yuv_factors(&f, a->src->matrix, a->src->full_range, a->src->depth, a->src->sub_x);
    if (f.wide && fast)
        RP_LAUNCH(stream, grid, rp_tile(), (yuv_to_bgr<true, true>), *a->src, a->dst, f, w, h);
    else if (f.wide)
        RP_LAUNCH(stream, grid, rp_tile(), (yuv_to_bgr<true, false>), *a->src, a->dst, f, w, h);
    else if (fast)
        RP_LAUNCH(stream, grid, rp_tile(), (yuv_to_bgr<false, true>), *a->src, a->dst, f, w, h);
    else
        RP_LAUNCH(stream, grid, rp_tile(), (yuv_to_bgr<false, false>), *a->src, a->dst, f, w, h);
    return rp_cuda_launched("yuv_to_bgr");
}

template <bool FAST>
RP_DEV void read_colours(uint8_t bgr[3 * QUAD], const struct quad *q, const struct rp_img *img,
                         int k)
{
    const uint8_t *const in =
        img->data + (ptrdiff_t) (q->y + k) * img->stride + 3 * (ptrdiff_t) q->x;

    if (FAST && q->n == QUAD) {
        uint32_t v[3];

#pragma unroll
        for (int i = 0; i < 3; i++)
            v[i] = ((const uint32_t *) in)[i];
#pragma unroll
        for (int i = 0; i < 3 * QUAD; i++)
            bgr[i] = (uint8_t) rp_byte(v, i);
        return;
    }
#pragma unroll
    for (int i = 0; i < 3 * QUAD; i++) /* beyond the end the last pixel is repeated */
        bgr[i] = i < 3 * q->n ? in[i] : bgr[i - 3];
}

template <bool WIDE, bool FAST>
RP_DEV void write_luma(const struct quad *q, const struct rp_planes *p, int k, const int y[QUAD])
{
    uint8_t *const row = p->plane[0] + (ptrdiff_t) (q->y + k) * p->stride[0];

    if (FAST && q->n == QUAD) {
        uint32_t *const at = (uint32_t *) (row + ((ptrdiff_t) q->x << WIDE));

        if (WIDE) {
            at[0] = (uint32_t) y[0] | (uint32_t) y[1] << 16;
            at[1] = (uint32_t) y[2] | (uint32_t) y[3] << 16;
        } else {
            at[0] = (uint32_t) y[0] | (uint32_t) y[1] << 8 | (uint32_t) y[2] << 16 |
                    (uint32_t) y[3] << 24;
        }
        return;
    }
#pragma unroll
    for (int i = 0; i < QUAD; i++)
        if (i < q->n)
            put_sample<WIDE>(row, q->x + i, y[i]);
}

/* Only for blocks that differ. */
template <bool WIDE>
RP_DEV void write_chroma(const struct quad *q, const struct rp_planes *p,
                         const struct rp_yuv_factors *f, const uint8_t bgr[2][3 * QUAD],
                         const int differs[QUAD])
{
    uint8_t *const u = p->plane[1] + (ptrdiff_t) q->cy * p->stride[1];
    uint8_t *const v = p->plane[2] + (ptrdiff_t) q->cy * p->stride[2];
#pragma unroll
    for (int i = 0; i < QUAD; i++) {
        if (i >= q->n || !differs[i] || (p->sub_x && i & 1))
            continue;
        int sum[3];
#pragma unroll
        for (int c = 0; c < 3; c++) {
            const int left = bgr[0][3 * i + c] + bgr[1][3 * i + c];
            const int next = 3 * (i + 1 < QUAD ? i + 1 : i) + c;

            sum[c] = left + (p->sub_x ? bgr[0][next] + bgr[1][next] : left);
        }
        const int cx = (q->x + i) >> p->sub_x;
        put_sample<WIDE>(u, cx, rp_bgr_chroma_u(f, sum[0], sum[1], sum[2]));
        put_sample<WIDE>(v, cx, rp_bgr_chroma_v(f, sum[0], sum[1], sum[2]));
    }
}

template <bool WIDE, bool FAST>
static __global__ void __launch_bounds__(256)
    bgr_to_yuv(const __grid_constant__ struct rp_canvas src, const __grid_constant__ struct rp_planes dst,
               const __grid_constant__ struct rp_yuv_factors f, int w, int h)
{
    const struct rp_planes *const p = &dst;
    struct quad q;
    uint8_t bgr[2][3 * QUAD];
    int y[2][QUAD], differs[QUAD] = {0, 0, 0, 0};

    if (!find_quad(&q, p, w, h))
        return;
    const int tx = q.x / RP_TILE, ty = q.y / RP_TILE;
    if (tx >= src.tiles_w || ty >= src.tiles_h ||
        !src.changed[(size_t) ty * src.tiles_w + tx])
        return;

    make_terms<WIDE>(&q, p, &f);
#pragma unroll
    for (int k = 0; k < 2; k++) {
        const int row = k < q.rows ? k : 0; /* a block of one row counts that twice */
        uint8_t had[3 * QUAD];

        read_luma<WIDE, FAST>(y[k], &q, p, row);
        colours(had, &q, y[k], &f);
        read_colours<FAST>(bgr[k], &q, &src.img, row);
#pragma unroll
        for (int i = 0; i < QUAD; i++)
            if (i < q.n)
                differs[i] |= (had[3 * i] ^ bgr[k][3 * i]) | (had[3 * i + 1] ^ bgr[k][3 * i + 1]) |
                              (had[3 * i + 2] ^ bgr[k][3 * i + 2]);
    }
    if (p->sub_x) {
        differs[0] = differs[1] = differs[0] | differs[1];
        differs[2] = differs[3] = differs[2] | differs[3];
    }
    if (!(differs[0] | differs[1] | differs[2] | differs[3]))
        return;

#pragma unroll
    for (int k = 0; k < 2; k++) {
        if (k >= q.rows)
            continue;
#pragma unroll
        for (int i = 0; i < QUAD; i++)
            if (differs[i])
                y[k][i] = rp_bgr_luma(&f, bgr[k][3 * i], bgr[k][3 * i + 1], bgr[k][3 * i + 2]);
        write_luma<WIDE, FAST>(&q, p, k, y[k]);
    }

    write_chroma<WIDE>(&q, p, &f, bgr, differs);
}

extern "C" int rp_cuda_bgr_to_yuv(struct rp_stream *stream, const struct rp_op_bgr_to_yuv *a)
{
    const int w = rp_mini(a->src.img.w, a->dst->w), h = rp_mini(a->src.img.h, a->dst->h);
    const dim3 grid = rp_grid((int) rp_div_up(w, QUAD), (int) rp_div_up(h, 1 << a->dst->sub_y));
    const bool fast = fast_planes(a->dst, &a->src.img);
    struct rp_yuv_factors f;

    if (w < 1 || h < 1)
        return 0;
    rp_yuv_factors(&f, a->dst->matrix, a->dst->full_range, a->dst->depth, a->dst->sub_x);
    if (f.wide && fast)
        RP_LAUNCH(stream, grid, rp_tile(), (bgr_to_yuv<true, true>), a->src, *a->dst, f, w, h);
    else if (f.wide)
        RP_LAUNCH(stream, grid, rp_tile(), (bgr_to_yuv<true, false>), a->src, *a->dst, f, w, h);
    else if (fast)
        RP_LAUNCH(stream, grid, rp_tile(), (bgr_to_yuv<false, true>), a->src, *a->dst, f, w, h);
    else
        RP_LAUNCH(stream, grid, rp_tile(), (bgr_to_yuv<false, false>), a->src, *a->dst, f, w, h);
    return rp_cuda_launched("bgr_to_yuv");
}

/* ---- packed BGR ------------------------------------------------------------------------------ */

static __global__ void __launch_bounds__(256)
    bgr_rows(uint8_t *dst, int dst_stride, const uint8_t *src, int src_stride, int bytes, int h)
{
    const int x = rp_my_x() * 4, y = rp_my_y();

    if (y >= h)
        return;
    for (int i = x; i < x + 4 && i < bytes; i++)
        dst[(ptrdiff_t) y * dst_stride + i] = src[(ptrdiff_t) y * src_stride + i];
}

extern "C" int rp_cuda_bgr_read(struct rp_stream *stream, const struct rp_op_bgr_read *a)
{
    const int w = rp_mini(a->src->w, a->dst.w), h = rp_mini(a->src->h, a->dst.h);

    if (w < 1 || h < 1)
        return 0;
    RP_LAUNCH(stream, rp_grid((int) rp_div_up(3 * w, 4), h), rp_tile(), bgr_rows, a->dst.data,
              a->dst.stride, a->src->plane[0], a->src->stride[0], 3 * w, h);
    return rp_cuda_launched("bgr_read");
}

extern "C" int rp_cuda_bgr_write(struct rp_stream *stream, const struct rp_op_bgr_write *a)
{
    const int w = rp_mini(a->dst->w, a->src.w), h = rp_mini(a->dst->h, a->src.h);

    if (w < 1 || h < 1)
        return 0;
    RP_LAUNCH(stream, rp_grid((int) rp_div_up(3 * w, 4), h), rp_tile(), bgr_rows, a->dst->plane[0],
              a->dst->stride[0], a->src.data, a->src.stride, 3 * w, h);
    return rp_cuda_launched("bgr_write");
}

/* ---- a GPU's decoder ------------------------------------------------------------------------- */

/* Four luma samples and, in rows that have any, the four chroma samples at the same place. */
static __global__ void __launch_bounds__(256)
    semi_rows(const __grid_constant__ struct rp_img luma, const __grid_constant__ struct rp_img uv,
              const __grid_constant__ struct rp_planes d, int w, int h)
{
    const int x0 = rp_my_x() * 4, y = rp_my_y(), deep = d.depth > 8;

    if (y >= h)
        return;
    for (int x = x0; x < x0 + 4 && x < w; x++)
        rp_semi_sample(d.plane[0] + (ptrdiff_t) y * d.stride[0], x,
                       luma.data + (ptrdiff_t) y * luma.stride, x, deep);
    if (y >= (h + 1) / 2)
        return;
    for (int x = x0; x < x0 + 4 && x < (w + 1) / 2 * 2; x++)
        rp_semi_sample(d.plane[1 + (x & 1)] + (ptrdiff_t) y * d.stride[1 + (x & 1)], x / 2,
                       uv.data + (ptrdiff_t) y * uv.stride, x, deep);
}

extern "C" int rp_cuda_semi_read(struct rp_stream *stream, const struct rp_op_semi_read *a)
{
    const int w = rp_mini(a->y.w, a->dst->w), h = rp_mini(a->y.h, a->dst->h);

    if (w < 1 || h < 1)
        return 0;
    RP_LAUNCH(stream, rp_grid((int) rp_div_up(w + 1, 4), h), rp_tile(), semi_rows, a->y, a->uv,
              *a->dst, w, h);
    return rp_cuda_launched("semi_read");
}

/* ---- resize ---------------------------------------------------------------------------------- */

/* n units of V bytes per row. */
template <typename V>
static __global__ void __launch_bounds__(256)
    copy_rows(const __grid_constant__ struct rp_img s, const __grid_constant__ struct rp_img d,
              int n)
{
    const int x = rp_my_x(), y = rp_my_y();

    if (x < n && y < d.h)
        ((V *) (d.data + (ptrdiff_t) y * d.stride))[x] =
            ((const V *) (s.data + (ptrdiff_t) y * s.stride))[x];
}

template <int CH>
static __global__ void __launch_bounds__(256)
    halve(const __grid_constant__ struct rp_img s, const __grid_constant__ struct rp_img d)
{
    const int x = rp_my_x(), y = rp_my_y();

    if (x >= d.w || y >= d.h)
        return;
    const uint8_t *const p = s.data + (ptrdiff_t) (2 * y) * s.stride + 2 * CH * (ptrdiff_t) x;
    const uint8_t *const q = p + s.stride;
    uint8_t *const out = d.data + (ptrdiff_t) y * d.stride + CH * (ptrdiff_t) x;
#pragma unroll
    for (int c = 0; c < CH; c++)
        out[c] = rp_resize_mean(p[c], p[CH + c], q[c], q[CH + c]);
}

/* Positions and weights are made once per block. */
struct resize_axis {
    int at0, at1, w0, w1;
};

template <int CH>
static __global__ void __launch_bounds__(256)
    resize(const __grid_constant__ struct rp_img s, const __grid_constant__ struct rp_img d,
           double sx, double sy)
{
    __shared__ struct resize_axis column[RP_TILE_W], row[RP_TILE_H];
    const int x = rp_my_x(), y = rp_my_y(), t = rp_my_number();
    float f;

    if (t < RP_TILE_W) {
        struct resize_axis *const c = &column[t];

        c->at0 = rp_resize_column(x, sx, s.w, &f);
        c->at1 = rp_mini(c->at0 + 1, s.w - 1); /* weight 0 at the edge */
        c->w0 = rp_resize_weight(1.0f - f);
        c->w1 = rp_resize_weight(f);
    } else if (t < RP_TILE_W + RP_TILE_H) {
        struct resize_axis *const r = &row[t - RP_TILE_W];
        const int top = rp_resize_at((int) blockIdx.y * RP_TILE_H + t - RP_TILE_W, sy, &f);

        r->at0 = rp_clampi(top, 0, s.h - 1);
        r->at1 = rp_clampi(top + 1, 0, s.h - 1);
        r->w0 = rp_resize_weight(1.0f - f);
        r->w1 = rp_resize_weight(f);
    }
    __syncthreads();
    if (x >= d.w || y >= d.h)
        return;

    const struct resize_axis c = column[threadIdx.x], r = row[threadIdx.y];
    const uint8_t *const p = s.data + (ptrdiff_t) r.at0 * s.stride;
    const uint8_t *const q = s.data + (ptrdiff_t) r.at1 * s.stride;
    uint8_t *const out = d.data + (ptrdiff_t) y * d.stride + CH * (ptrdiff_t) x;
#pragma unroll
    for (int k = 0; k < CH; k++) {
        const int l = CH * c.at0 + k, m = CH * c.at1 + k;
        const int upper = (int16_t) rp_resize_across(p[l], p[m], c.w0, c.w1);
        const int lower = (int16_t) rp_resize_across(q[l], q[m], c.w0, c.w1);

        out[k] = rp_resize_down(upper, lower, r.w0, r.w1);
    }
}

static void launch_copy(struct rp_stream *stream, const struct rp_img *s, const struct rp_img *d)
{
    const int n = d->w * d->ch;

    if (n % 16 == 0 && rp_aligned(s->data, (size_t) s->stride, 16) &&
        rp_aligned(d->data, (size_t) d->stride, 16))
        RP_LAUNCH(stream, rp_grid(n / 16, d->h), rp_tile(), copy_rows<uint4>, *s, *d, n / 16);
    else
        RP_LAUNCH(stream, rp_grid(n, d->h), rp_tile(), copy_rows<uint8_t>, *s, *d, n);
}

template <int CH>
static void launch_resize(struct rp_stream *stream, const struct rp_img *s, const struct rp_img *d)
{
    const dim3 grid = rp_grid(d->w, d->h);

    if (rp_resize_is_half(s->w, s->h, d->w, d->h))
        RP_LAUNCH(stream, grid, rp_tile(), halve<CH>, *s, *d);
    else
        RP_LAUNCH(stream, grid, rp_tile(), resize<CH>, *s, *d, rp_resize_scale(s->w, d->w),
                  rp_resize_scale(s->h, d->h));
}

extern "C" int rp_cuda_resize(struct rp_stream *stream, const struct rp_op_resize *a)
{
    const struct rp_img *const s = &a->src, *const d = &a->dst;

    if (s->w < 1 || s->h < 1 || d->w < 1 || d->h < 1)
        return 0;
    if (s->w == d->w && s->h == d->h)
        launch_copy(stream, s, d);
    else if (d->ch == 3)
        launch_resize<3>(stream, s, d);
    else if (d->ch == 4)
        launch_resize<4>(stream, s, d);
    else
        launch_resize<1>(stream, s, d);
    return rp_cuda_launched("resize");
}

static __global__ void __launch_bounds__(256)
    resize_float(const __grid_constant__ struct rp_op_resize_float a, double sx, double sy)
{
    __shared__ struct {
        int left, right;
        float f;
    } column[RP_TILE_W];
    __shared__ struct {
        int top;
        float f;
    } row[RP_TILE_H];
    const int x = rp_my_x(), y = rp_my_y(), t = rp_my_number();

    if (t < RP_TILE_W) {
        column[t].left = rp_resize_column(x, sx, a.sw, &column[t].f);
        column[t].right = rp_mini(column[t].left + 1, a.sw - 1);
    } else if (t < RP_TILE_W + RP_TILE_H) {
        const int i = t - RP_TILE_W;

        row[i].top = rp_resize_at((int) blockIdx.y * RP_TILE_H + i, sy, &row[i].f);
    }
    __syncthreads();
    if (x >= a.dw || y >= a.dh)
        return;

    const int top = row[threadIdx.y].top;
    const float down = row[threadIdx.y].f, w = column[threadIdx.x].f;
    const float *const p = a.src + (size_t) rp_clampi(top, 0, a.sh - 1) * a.sw * a.ch;
    const float *const q = a.src + (size_t) rp_clampi(top + 1, 0, a.sh - 1) * a.sw * a.ch;
    float *const out = a.dst + ((size_t) y * a.dw + x) * a.ch;
    for (int k = 0; k < a.ch; k++) {
        const int l = column[threadIdx.x].left * a.ch + k, r = column[threadIdx.x].right * a.ch + k;
        const float upper = rp_resize_mix(p[l], p[r], 1.0f - w, w);
        const float lower = rp_resize_mix(q[l], q[r], 1.0f - w, w);

        out[k] = rp_resize_mix(upper, lower, 1.0f - down, down);
    }
}

extern "C" int rp_cuda_resize_float(struct rp_stream *stream, const struct rp_op_resize_float *a)
{
    if (a->sw < 1 || a->sh < 1 || a->dw < 1 || a->dh < 1)
        return 0;
    RP_LAUNCH(stream, rp_grid(a->dw, a->dh), rp_tile(), resize_float, *a,
              rp_resize_scale(a->sw, a->dw), rp_resize_scale(a->sh, a->dh));
    return rp_cuda_launched("resize_float");
}

/* ---- warp ------------------------------------------------------------------------------------ */

/* The mix of the four samples at a position; outside are black or the nearest pixel. */
template <int CH>
RP_DEV void warp_mix(float v[CH], const struct rp_img *s, const struct rp_warp_line *l, int x,
                     int replicate)
{
    float tx, ty;
    const int ix = rp_warp_split(rp_warp_x(l, x), s->w, &tx);
    const int iy = rp_warp_split(rp_warp_y(l, x), s->h, &ty);
    const int x0 = rp_clampi(ix, 0, s->w - 1), x1 = rp_clampi(ix + 1, 0, s->w - 1);
    const int y0 = rp_clampi(iy, 0, s->h - 1), y1 = rp_clampi(iy + 1, 0, s->h - 1);
    const bool in_x0 = replicate || x0 == ix, in_x1 = replicate || x1 == ix + 1;
    const bool in_y0 = replicate || y0 == iy, in_y1 = replicate || y1 == iy + 1;
    const uint8_t *const p = s->data + (ptrdiff_t) y0 * s->stride;
    const uint8_t *const q = s->data + (ptrdiff_t) y1 * s->stride;

#pragma unroll
    for (int c = 0; c < CH; c++)
        v[c] = rp_bilinear((float) (in_x0 && in_y0 ? p[CH * x0 + c] : 0),
                           (float) (in_x1 && in_y0 ? p[CH * x1 + c] : 0),
                           (float) (in_x0 && in_y1 ? q[CH * x0 + c] : 0),
                           (float) (in_x1 && in_y1 ? q[CH * x1 + c] : 0), tx, ty);
}

#define MAX_SAMPLES 64 /* of a pixel: 8 x 8 */

template <int CH, bool AREA>
static __global__ void __launch_bounds__(256) warp(const __grid_constant__ struct rp_op_warp a)
{
    __shared__ struct rp_warp_line line[RP_TILE_H * (AREA ? MAX_SAMPLES : 1)];
    const int x = rp_my_x(), y = rp_my_y();
    const double *const m = a.affine->inv;
    const int side = AREA ? rp_warp_samples(m) : 1, n = side * side;
    float v[CH];

    for (int i = rp_my_number(); i < RP_TILE_H * n; i += RP_TILE_W * RP_TILE_H) {
        const int row = (int) blockIdx.y * RP_TILE_H + i / n, j = i % n;

        line[i] = side == 1 ? rp_warp_line(m, 0.0, 0.0, row)
                            : rp_warp_line(m, rp_warp_offset(j % side, side),
                                           rp_warp_offset(j / side, side), row);
    }
    __syncthreads();
    if (x >= a.dst.w || y >= a.dst.h)
        return;

    uint8_t *const out = a.dst.data + (ptrdiff_t) y * a.dst.stride + CH * (ptrdiff_t) x;
    if (side == 1) {
        warp_mix<CH>(v, &a.src, &line[threadIdx.y], x, a.border == 1);
#pragma unroll
        for (int c = 0; c < CH; c++)
            out[c] = (uint8_t) rp_round_f(v[c]);
        return;
    }
    const float scale = 1.0f / (float) n;
    float sum[CH];
#pragma unroll
    for (int c = 0; c < CH; c++)
        sum[c] = 0.0f;
    for (int j = 0; j < n; j++) {
        warp_mix<CH>(v, &a.src, &line[(int) threadIdx.y * n + j], x, a.border == 1);
#pragma unroll
        for (int c = 0; c < CH; c++)
            sum[c] += v[c];
    }
#pragma unroll
    for (int c = 0; c < CH; c++)
        out[c] = rp_round_u8(sum[c] * scale);
}

template <int CH> static void launch_warp(struct rp_stream *stream, const struct rp_op_warp *a)
{
    const dim3 grid = rp_grid(a->dst.w, a->dst.h);

    if (a->area)
        RP_LAUNCH(stream, grid, rp_tile(), (warp<CH, true>), *a);
    else
        RP_LAUNCH(stream, grid, rp_tile(), (warp<CH, false>), *a);
}

extern "C" int rp_cuda_warp(struct rp_stream *stream, const struct rp_op_warp *a)
{
    if (a->src.w < 1 || a->src.h < 1 || a->dst.w < 1 || a->dst.h < 1)
        return 0;
    if (a->src.ch == 3)
        launch_warp<3>(stream, a);
    else if (a->src.ch == 4)
        launch_warp<4>(stream, a);
    else
        launch_warp<1>(stream, a);
    return rp_cuda_launched("warp");
}

/* ---- tensors --------------------------------------------------------------------------------- */

#define TENSOR_ROWS 2 /* per thread: loading the table is worth more than one pixel */

/* One layer per tensor. */
static dim3 tiled(dim3 grid, int tiles)
{
    return dim3(grid.x, grid.y, tiles > 1 ? (unsigned) tiles : 1);
}

static __global__ void __launch_bounds__(256)
    to_tensor(const __grid_constant__ struct rp_op_to_tensor a)
{
    __shared__ float lut[3 * 256];
    const int x = rp_my_x(), k = (int) blockIdx.z;
    const int t = a.tiles ? rp_tile_number(a.step, a.tiles, a.turn, k) : 0;
    const int off_x = a.tiles ? t % a.step : a.off_x, off_y = a.tiles ? t / a.step : a.off_y;
    const int w = rp_tile_side(a.w, a.src.w, a.step, off_x);
    const int h = rp_tile_side(a.h, a.src.h, a.step, off_y);
    const size_t plane = (size_t) a.w * a.h;
    float *const dst = a.dst + 3 * plane * (size_t) k;

    for (int i = rp_my_number(); i < 3 * 256; i += RP_TILE_W * RP_TILE_H)
        lut[i] = a.lut[i];
    __syncthreads();
    if (x >= a.w || t < 0)
        return;
    for (int r = 0; r < TENSOR_ROWS; r++) {
        const int y = ((int) blockIdx.y * TENSOR_ROWS + r) * RP_TILE_H + (int) threadIdx.y;
        int v[3] = {0, 0, 0}; /* in tensor order */

        if (y >= a.h)
            return;
        if (x < w && y < h) {
            const uint8_t *const p = rp_pixel(&a.src, x * a.step + off_x, y * a.step + off_y);

            v[0] = p[a.rgb ? 2 : 0];
            v[1] = p[1];
            v[2] = p[a.rgb ? 0 : 2];
        }
#pragma unroll
        for (int c = 0; c < 3; c++) {
            const size_t at = (size_t) y * a.w + x;

            dst[a.nhwc ? 3 * at + c : plane * c + at] = lut[256 * c + v[c]];
        }
    }
}

extern "C" int rp_cuda_to_tensor(struct rp_stream *stream, const struct rp_op_to_tensor *a)
{
    if (a->w < 1 || a->h < 1)
        return 0;
    RP_LAUNCH(stream, tiled(rp_grid(a->w, (int) rp_div_up(a->h, TENSOR_ROWS)), a->tiles), rp_tile(),
              to_tensor, *a);
    return rp_cuda_launched("to_tensor");
}

static __global__ void __launch_bounds__(256)
    to_gray(const __grid_constant__ struct rp_op_to_gray a)
{
    const int x = rp_my_x(), y = rp_my_y();

    if (x >= a.src.w || y >= a.src.h)
        return;
    const uint8_t *const p = rp_pixel(&a.src, x, y);
    a.dst[(size_t) y * a.src.w + x] = (float) rp_grey(p[0], p[1], p[2]) * a.scale;
}

extern "C" int rp_cuda_to_gray(struct rp_stream *stream, const struct rp_op_to_gray *a)
{
    if (a->src.w < 1 || a->src.h < 1)
        return 0;
    RP_LAUNCH(stream, rp_grid(a->src.w, a->src.h), rp_tile(), to_gray, *a);
    return rp_cuda_launched("to_gray");
}

static __global__ void __launch_bounds__(256)
    from_tensor(const __grid_constant__ struct rp_op_from_tensor a)
{
    const int x = rp_my_x(), y = rp_my_y(), k = (int) blockIdx.z;
    const int t = a.tiles ? rp_tile_number(a.step, a.tiles, a.turn, k) : 0;

    if (x >= a.w || y >= a.h || t < 0)
        return;
    const int off_x = a.tiles ? t % a.step : a.off_x, off_y = a.tiles ? t / a.step : a.off_y;
    const size_t plane = (size_t) a.w * a.h, out_w = (size_t) a.w * a.step;
    const float *const p = a.src + 3 * plane * (size_t) k + (size_t) y * a.w + x;
    float *const o =
        a.dst + 3 * (((size_t) y * a.step + off_y) * out_w + off_x) + 3 * (size_t) a.step * x;
#pragma unroll
    for (int c = 0; c < 3; c++)
        o[a.rgb ? 2 - c : c] = rp_from_tensor(p[plane * c], a.mul[c], a.add[c], a.round);
}

extern "C" int rp_cuda_from_tensor(struct rp_stream *stream, const struct rp_op_from_tensor *a)
{
    if (a->w < 1 || a->h < 1)
        return 0;
    RP_LAUNCH(stream, tiled(rp_grid(a->w, a->h), a->tiles), rp_tile(), from_tensor, *a);
    return rp_cuda_launched("from_tensor");
}

/* n values per row, four per thread. FAST: rows are aligned on both sides. */
template <bool FAST>
static __global__ void __launch_bounds__(256)
    u8_to_float(const __grid_constant__ struct rp_op_u8_to_float a, int n)
{
    const int x = QUAD * rp_my_x(), y = rp_my_y();

    if (x >= n || y >= a.src.h)
        return;
    const uint8_t *const in = a.src.data + (ptrdiff_t) y * a.src.stride + x;
    float *const out = a.dst + (size_t) y * n + x;
    if (FAST) {
        const uint32_t v = *(const uint32_t *) in;

        *(float4 *) out = make_float4((float) rp_byte(&v, 0), (float) rp_byte(&v, 1),
                                      (float) rp_byte(&v, 2), (float) rp_byte(&v, 3));
    } else {
        for (int i = 0; i < QUAD && x + i < n; i++)
            out[i] = (float) in[i];
    }
}

template <bool FAST>
static __global__ void __launch_bounds__(256)
    float_to_u8(const __grid_constant__ struct rp_op_float_to_u8 a, int n)
{
    const int x = QUAD * rp_my_x(), y = rp_my_y();

    if (x >= n || y >= a.dst.h)
        return;
    const float *const in = a.src + (size_t) y * n + x;
    uint8_t *const out = a.dst.data + (ptrdiff_t) y * a.dst.stride + x;
    if (FAST) {
        const float4 v = *(const float4 *) in;
        const uint8_t b[4] = {rp_trunc_u8(v.x), rp_trunc_u8(v.y), rp_trunc_u8(v.z),
                              rp_trunc_u8(v.w)};

        *(uint32_t *) out = rp_pack(b);
    } else {
        for (int i = 0; i < QUAD && x + i < n; i++)
            out[i] = rp_trunc_u8(in[i]);
    }
}

static bool fast_floats(const struct rp_img *img, const float *f, int n)
{
    return n % QUAD == 0 && rp_aligned(img->data, (size_t) img->stride, 4) && rp_aligned(f, 0, 16);
}

extern "C" int rp_cuda_u8_to_float(struct rp_stream *stream, const struct rp_op_u8_to_float *a)
{
    const int n = a->src.w * a->src.ch;
    const dim3 grid = rp_grid((int) rp_div_up(n, QUAD), a->src.h);

    if (n < 1 || a->src.h < 1)
        return 0;
    if (fast_floats(&a->src, a->dst, n))
        RP_LAUNCH(stream, grid, rp_tile(), u8_to_float<true>, *a, n);
    else
        RP_LAUNCH(stream, grid, rp_tile(), u8_to_float<false>, *a, n);
    return rp_cuda_launched("u8_to_float");
}

extern "C" int rp_cuda_float_to_u8(struct rp_stream *stream, const struct rp_op_float_to_u8 *a)
{
    const int n = a->dst.w * a->dst.ch;
    const dim3 grid = rp_grid((int) rp_div_up(n, QUAD), a->dst.h);

    if (n < 1 || a->dst.h < 1)
        return 0;
    if (fast_floats(&a->dst, a->src, n))
        RP_LAUNCH(stream, grid, rp_tile(), float_to_u8<true>, *a, n);
    else
        RP_LAUNCH(stream, grid, rp_tile(), float_to_u8<false>, *a, n);
    return rp_cuda_launched("float_to_u8");
}

static __global__ void __launch_bounds__(256)
    float_to_tensor(const __grid_constant__ struct rp_op_float_to_tensor a)
{
    const int x = rp_my_x(), y = rp_my_y();

    if (x >= a.w || y >= a.h)
        return;
    const size_t at = (size_t) y * a.w + x, plane = (size_t) a.w * a.h;
#pragma unroll
    for (int c = 0; c < 3; c++)
        a.dst[(size_t) c * plane + at] =
            rp_normalise(a.src[3 * at + (a.rgb ? 2 - c : c)], a.div, a.mean[c], a.std[c]);
}

extern "C" int rp_cuda_float_to_tensor(struct rp_stream *stream,
                                       const struct rp_op_float_to_tensor *a)
{
    if (a->w < 1 || a->h < 1)
        return 0;
    RP_LAUNCH(stream, rp_grid(a->w, a->h), rp_tile(), float_to_tensor, *a);
    return rp_cuda_launched("float_to_tensor");
}
