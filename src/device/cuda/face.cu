/* Steps on single faces: geometry, landmarks, identity, selection, content check. Each runs in one
 * block: there are only a few hundred numbers, and short launches matter most. */
#include "device/cuda/kernel.cuh"
#include "ops/classify_core.h"
#include "ops/face_core.h"
#include "ops/content_core.h"
#include "ops/geometry_core.h"
#include "ops/landmark_core.h"
#include "ops/select_core.h"

/* ---- geometry -------------------------------------------------------------------------------- */

static __global__ void __launch_bounds__(RP_WARP)
    align(const __grid_constant__ struct rp_op_align a)
{
    __shared__ uint8_t agree[25];
    const int t = (int) threadIdx.x, i = t / 5, j = t % 5;
    float from[10], to[10];
    const int known = rp_align_points(&a, from, to);

    if (t < 25)
        agree[t] = (uint8_t) (!known || i == j ? 0 : rp_ransac_agree(from, to, i, j));
    __syncthreads();
    if (t == 0) {
        struct rp_affine out; /* not in place: the map is read again meanwhile */

        rp_align_solve(&out, from, to, known ? rp_ransac_pick(agree) : 0);
        *a.dst = out;
    }
}

extern "C" int rp_cuda_align(struct rp_stream *stream, const struct rp_op_align *a)
{
    RP_LAUNCH(stream, 1, RP_WARP, align, *a);
    return rp_cuda_launched("align");
}

static __global__ void box_affine(const __grid_constant__ struct rp_op_box_affine a)
{
    struct rp_op_box_affine local = a;
    struct rp_affine out;

    local.dst = &out;
    rp_box_affine_one(&local);
    *a.dst = out;
}

extern "C" int rp_cuda_box_affine(struct rp_stream *stream, const struct rp_op_box_affine *a)
{
    RP_LAUNCH(stream, 1, 1, box_affine, *a);
    return rp_cuda_launched("box_affine");
}

#define BOX_THREADS 96 /* whole warps, a thread for each of 68 points */

static __global__ void __launch_bounds__(BOX_THREADS)
    landmark_box(const __grid_constant__ struct rp_op_landmark_box a)
{
    __shared__ float at[2][68], box[4];
    const int t = (int) threadIdx.x;

    if (t < 68)
        rp_landmark_in_crop(&a, t, &at[0][t], &at[1][t]);
    __syncthreads();
    if (t < 4)
        box[t] = rp_landmark_extreme(at[t & 1], t >= 2);
    __syncthreads();
    if (t == 0) {
        struct rp_affine dst, back;

        rp_landmark_box_maps(box, a.w, a.h, &dst, &back);
        *a.dst = dst;
        *a.back = back;
    }
}

extern "C" int rp_cuda_landmark_box(struct rp_stream *stream, const struct rp_op_landmark_box *a)
{
    RP_LAUNCH(stream, 1, BOX_THREADS, landmark_box, *a);
    return rp_cuda_launched("landmark_box");
}

static __global__ void points_tensor(const __grid_constant__ struct rp_op_points_tensor a)
{
    if (threadIdx.x < 10)
        a.dst[threadIdx.x] = rp_points_tensor_at(&a, (int) threadIdx.x);
}

extern "C" int rp_cuda_points_tensor(struct rp_stream *stream, const struct rp_op_points_tensor *a)
{
    RP_LAUNCH(stream, 1, RP_WARP, points_tensor, *a);
    return rp_cuda_launched("points_tensor");
}

static __global__ void points_angle(const __grid_constant__ struct rp_op_points_angle a)
{
    a.face->angle = rp_five_angle(a.face->lm5);
}

extern "C" int rp_cuda_points_angle(struct rp_stream *stream, const struct rp_op_points_angle *a)
{
    RP_LAUNCH(stream, 1, 1, points_angle, *a);
    return rp_cuda_launched("points_angle");
}

/* ---- copies ---------------------------------------------------------------------------------- */

#define COPY_THREADS 512

static __global__ void __launch_bounds__(COPY_THREADS)
    face_load(const __grid_constant__ struct rp_op_face_load a)
{
    const int i = rp_face_slot(a.faces, a.index);

    rp_copy_words(a.cur, i < 0 ? NULL : &a.faces->face[i], sizeof(*a.cur));
}

extern "C" int rp_cuda_face_load(struct rp_stream *stream, const struct rp_op_face_load *a)
{
    RP_LAUNCH(stream, 1, COPY_THREADS, face_load, *a);
    return rp_cuda_launched("face_load");
}

static __global__ void __launch_bounds__(COPY_THREADS)
    face_store(const __grid_constant__ struct rp_op_face_store a)
{
    const int i = rp_face_slot(a.faces, a.index);

    if (i >= 0)
        rp_copy_words(&a.faces->face[i], a.cur, sizeof(*a.cur));
}

extern "C" int rp_cuda_face_store(struct rp_stream *stream, const struct rp_op_face_store *a)
{
    RP_LAUNCH(stream, 1, COPY_THREADS, face_store, *a);
    return rp_cuda_launched("face_store");
}

static __global__ void __launch_bounds__(COPY_THREADS)
    face_pick(const __grid_constant__ struct rp_op_face_pick a)
{
    const int i = rp_face_chosen(&a);

    rp_copy_words(a.cur, i < 0 ? NULL : &a.faces->face[i], sizeof(*a.cur));
}

extern "C" int rp_cuda_face_pick(struct rp_stream *stream, const struct rp_op_face_pick *a)
{
    RP_LAUNCH(stream, 1, COPY_THREADS, face_pick, *a);
    return rp_cuda_launched("face_pick");
}

/* One block per face. */
static __global__ void __launch_bounds__(COPY_THREADS)
    face_scale(const __grid_constant__ struct rp_op_face_scale a)
{
    const int k = (int) blockIdx.x, i = (int) threadIdx.x;

    if (k == 0 && i == 0) {
        a.dst->count = a.src->count;
        a.dst->overflow = a.src->overflow;
    }
    if (k >= rp_faces_stored(a.src))
        return;
    rp_copy_words(&a.dst->face[k], &a.src->face[k], sizeof(a.dst->face[k]));
    __syncthreads();
    if (i < RP_FACE_COORDINATES)
        rp_face_scale_one(&a.dst->face[k], i, a.x, a.y);
}

extern "C" int rp_cuda_face_scale(struct rp_stream *stream, const struct rp_op_face_scale *a)
{
    RP_LAUNCH(stream, RP_MAX_FACES, COPY_THREADS, face_scale, *a);
    return rp_cuda_launched("face_scale");
}

/* ---- landmarks ------------------------------------------------------------------------------- */

#define POINTS 68
#define HEAT_THREADS 1024 /* one block has to read a megabyte of heat maps */
#define FEW_THREADS 160   /* else one thread per coordinate is enough */
#define PARTS 4           /* of a heat map, so that all warps have about the same work */

/* Maximum of a warp, in all lanes; never NaN. */
RP_DEV float warp_larger(float v)
{
#pragma unroll
    for (int k = RP_WARP / 2; k; k /= 2)
        v = rp_larger(__shfl_xor_sync(RP_ALL_LANES, v, k), v);
    return v;
}

/* The maximum of a quarter of a map; map: 16-byte aligned if fast. */
RP_DEV float peak_of(const float *map, bool fast)
{
    enum { N = RP_HEAT_SIZE / PARTS };
    const int lane = (int) threadIdx.x % RP_WARP;
    float best = (float) -rp_inf();

    if (fast) {
        float4 v[N / 4 / RP_WARP];

#pragma unroll
        for (int i = 0; i < N / 4 / RP_WARP; i++)
            v[i] = ((const float4 *) map)[lane + i * RP_WARP];
#pragma unroll
        for (int i = 0; i < N / 4 / RP_WARP; i++) {
            best = rp_larger(v[i].x, best);
            best = rp_larger(v[i].y, best);
            best = rp_larger(v[i].z, best);
            best = rp_larger(v[i].w, best);
        }
    } else {
        for (int i = lane; i < N; i += RP_WARP)
            best = rp_larger(map[i], best);
    }
    return warp_larger(best);
}

/* The points, and the numbers for the score: maxima of the heat maps, or the third number of each
 * point. */
static __global__ void __launch_bounds__(HEAT_THREADS)
    landmarks(const __grid_constant__ struct rp_op_landmarks a, bool fast)
{
    __shared__ float point[2 * POINTS], peak[PARTS * POINTS];
    __shared__ int stays;
    struct rp_dface *const f = a.face;
    const int t = (int) threadIdx.x, lane = t % RP_WARP, five = a.kind == RP_LANDMARK_FAN_68_5;
    float bad = 0;

    if (t < POINTS) {
        bad = rp_landmark_point(&a, t, point + 2 * t);
        if (a.kind == RP_LANDMARK_PEPPA)
            peak[t] = a.t[0][3 * t + 2];
    }
    if (a.kind == RP_LANDMARK_2DFAN4)
        for (int i = t / RP_WARP; i < PARTS * POINTS; i += HEAT_THREADS / RP_WARP) {
            const float v = peak_of(a.t[1] + (size_t) i * (RP_HEAT_SIZE / PARTS), fast);

            if (lane == 0)
                peak[i] = v;
        }
    const int broken = __syncthreads_or(bad != 0);
    if (a.kind == RP_LANDMARK_2DFAN4) {
        float best = 0;

        if (t < POINTS) {
            best = peak[PARTS * t];
            for (int i = 1; i < PARTS; i++)
                best = rp_larger(peak[PARTS * t + i], best);
        }
        __syncthreads();
        if (t < POINTS)
            peak[t] = best;
        __syncthreads();
    }
    if (t == 0) {
        const float score = broken ? 0 : rp_landmarks_score(a.kind, peak, 1);

        stays = rp_landmarks_first_stays(&a, f->landmark_score, score, broken);
        if (!stays)
            f->landmark_score = score;
        if (!stays && !broken && five)
            f->angle = rp_face_angle(point);
    }
    __syncthreads();
    if (stays)
        return;
    if (five && t < 10)
        f->lm5_68[t] = f->lm5[t];
    if (!broken && t < 2 * POINTS) {
        f->lm68[t] = point[t];
        if (five)
            f->lm68_5[t] = point[t];
    }
}

extern "C" int rp_cuda_landmarks(struct rp_stream *stream, const struct rp_op_landmarks *a)
{
    const bool heat = a->kind == RP_LANDMARK_2DFAN4, fast = heat && rp_aligned(a->t[1], 0, 16);

    RP_LAUNCH(stream, 1, heat ? HEAT_THREADS : FEW_THREADS, landmarks, *a, fast);
    return rp_cuda_launched("landmarks");
}

static __global__ void __launch_bounds__(FEW_THREADS)
    face_points(const __grid_constant__ struct rp_op_face_points a)
{
    __shared__ float lm68[2 * POINTS], five[10];
    struct rp_dface *const f = a.face;
    const int t = (int) threadIdx.x;
    int some = 0;

    if (t < 2 * POINTS) {
        lm68[t] = f->lm68[t];
        some = lm68[t] != 0;
    }
    const int any = __syncthreads_or(some);
    if (t == 0)
        rp_points_68_to_5(lm68, five);
    __syncthreads();
    if (a.no_detector_points) {
        if (t < 10)
            f->lm5[t] = f->lm5_68[t] = five[t];
        if (t < 2 * POINTS)
            f->lm68_5[t] = lm68[t];
        if (t == 0)
            f->angle = rp_face_angle(lm68);
    } else if (t < 10) {
        f->lm5_68[t] = f->landmark_score > a.threshold ? five[t] : f->lm5[t];
    }
    if (t == 0) {
        uint32_t has = f->has & ~(uint32_t) (RP_HAS_LANDMARK_5 | RP_HAS_LANDMARK_68);

        has |= any ? RP_HAS_LANDMARK_68 : 0;
        has |= any || !a.no_detector_points ? RP_HAS_LANDMARK_5 : 0;
        f->has = has;
    }
}

extern "C" int rp_cuda_face_points(struct rp_stream *stream, const struct rp_op_face_points *a)
{
    RP_LAUNCH(stream, 1, FEW_THREADS, face_points, *a);
    return rp_cuda_launched("face_points");
}

/* ---- identity -------------------------------------------------------------------------------- */

#define LENGTH 512 /* of an embedding */

static __global__ void __launch_bounds__(LENGTH)
    embedding(const __grid_constant__ struct rp_op_embedding a)
{
    __shared__ double length;
    const int t = (int) threadIdx.x;

    if (t < RP_WARP) {
        double s[RP_PER_LANE];

#pragma unroll
        for (int m = 0; m < RP_PER_LANE; m++)
            s[m] = (double) a.src[t + RP_WARP * m] * a.src[t + RP_WARP * m];
        const double sum = rp_warp_sum_512(s);
        if (t == 0)
            length = rp_embedding_length(sum);
    }
    __syncthreads();
    rp_embedding_set(a.face, t, a.src[t], length);
    if (t == 0)
        rp_embedding_flag(a.face, length);
}

extern "C" int rp_cuda_embedding(struct rp_stream *stream, const struct rp_op_embedding *a)
{
    RP_LAUNCH(stream, 1, LENGTH, embedding, *a);
    return rp_cuda_launched("embedding");
}

static __global__ void classify(const __grid_constant__ struct rp_op_classify a)
{
    rp_classify_one(&a);
}

extern "C" int rp_cuda_classify(struct rp_stream *stream, const struct rp_op_classify *a)
{
    RP_LAUNCH(stream, 1, 1, classify, *a);
    return rp_cuda_launched("classify");
}

/* ---- selection ------------------------------------------------------------------------------- */

#define SELECT_THREADS 512

/* rp_select_matches() by a warp; the answer is in all lanes. */
RP_DEV bool warp_matches(const struct rp_op_select *a, const struct rp_dface *f)
{
    const int lane = (int) threadIdx.x % RP_WARP;
    const int n = a->references ? rp_mini(a->references->count, RP_MAX_REFERENCES) : 0;
    float own[RP_PER_LANE];

    if (!(f->has & RP_HAS_EMBEDDING))
        return false;
#pragma unroll
    for (int m = 0; m < RP_PER_LANE; m++)
        own[m] = f->embedding_norm[lane + RP_WARP * m];
    for (int i = 0; i < n; i++) {
        const float *const other = a->references->embedding_norm[i];
        double s[RP_PER_LANE];

#pragma unroll
        for (int m = 0; m < RP_PER_LANE; m++)
            s[m] = (double) own[m] * other[lane + RP_WARP * m];
        const double dot = __shfl_sync(RP_ALL_LANES, rp_warp_sum_512(s), 0);
        if (rp_embedding_near(dot, a->distance))
            return true;
    }
    return false;
}

static __global__ void __launch_bounds__(SELECT_THREADS)
    select_faces(const __grid_constant__ struct rp_op_select a)
{
    __shared__ uint8_t in[RP_MAX_FACES];
    __shared__ uint32_t key[RP_MAX_FACES];
    const int n = rp_faces_stored(a.faces), t = (int) threadIdx.x;

    if (rp_select_by_reference(&a)) {
        for (int i = t / RP_WARP; i < n; i += SELECT_THREADS / RP_WARP) {
            const bool near = warp_matches(&a, &a.faces->face[i]);

            if (t % RP_WARP == 0) {
                in[i] = (uint8_t) rp_select_decide(&a, &a.faces->face[i], near);
                key[i] = 0;
            }
        }
    } else if (t < n) {
        const struct rp_dface *const f = &a.faces->face[t];

        in[t] = (uint8_t) rp_select_decide(&a, f, rp_select_passes(&a, f));
        key[t] = rp_select_key(&a, f);
    }
    __syncthreads();
    const int chosen = t < n && in[t];
    int count = __syncthreads_count(chosen);
    if (a.mode == RP_SELECT_ONE && count > 1)
        count = 1;
    if (chosen) {
        const int place = rp_select_place(in, key, n, t);

        if (place < count)
            a.dst->index[place] = t;
    }
    if (t == 0)
        a.dst->count = count;
}

extern "C" int rp_cuda_select(struct rp_stream *stream, const struct rp_op_select *a)
{
    RP_LAUNCH(stream, 1, SELECT_THREADS, select_faces, *a);
    return rp_cuda_launched("select");
}

/* ---- content check --------------------------------------------------------------------------- */

#define VOTE_THREADS 1024

struct found {
    float v;
    int at; /* INT32_MAX: nothing was found */
};

/* What rp_content_largest() would have kept: the first NaN, else the first of the largest. */
RP_DEV struct found better(struct found a, struct found b)
{
    const bool first = a.at < b.at, a_nan = a.v != a.v, b_nan = b.v != b.v;

    if (a.at == INT32_MAX || b.at == INT32_MAX)
        return first ? a : b;
    if (a_nan != b_nan)
        return a_nan ? a : b;
    if (a_nan || a.v == b.v)
        return first ? a : b;
    return a.v > b.v ? a : b;
}

static __global__ void __launch_bounds__(VOTE_THREADS)
    content_vote(const __grid_constant__ struct rp_op_content_vote a, int from)
{
    __shared__ struct found part[VOTE_THREADS / RP_WARP];
    const int t = (int) threadIdx.x;
    struct found best = {0, INT32_MAX};

    for (int i = from + t; i < a.n; i += (int) blockDim.x) {
        const struct found one = {a.src[i], i};

        best = better(best, one);
    }
    for (int k = RP_WARP / 2; k; k /= 2) {
        const struct found other = {__shfl_xor_sync(RP_ALL_LANES, best.v, k),
                                    __shfl_xor_sync(RP_ALL_LANES, best.at, k)};

        best = better(best, other);
    }
    if (t % RP_WARP == 0)
        part[t / RP_WARP] = best;
    __syncthreads();
    if (t > 0)
        return;
    for (int i = 1; i < (int) blockDim.x / RP_WARP; i++)
        best = better(best, part[i]);
    rp_content_one(&a, rp_content_score(&a, best.v));
}

extern "C" int rp_cuda_content_vote(struct rp_stream *stream, const struct rp_op_content_vote *a)
{
    if (a->kind == RP_CONTENT_NSFW_1)
        RP_LAUNCH(stream, 1, VOTE_THREADS, content_vote, *a, rp_content_from(a));
    else
        RP_LAUNCH(stream, 1, RP_WARP, content_vote, *a, a->n);
    return rp_cuda_launched("content_vote");
}
