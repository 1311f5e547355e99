/* A source for each face. */
#include "device/cuda/kernel.cuh"
#include "ops/map_core.h"

#define MAP_THREADS 512

/* The source of a face, computed by a warp; valid in lane 0. */
RP_DEV int warp_source(const struct rp_op_map_faces *a, const struct rp_dface *f)
{
    const int lane = (int) threadIdx.x % RP_WARP, n = rp_map_references(a);
    float own[RP_PER_LANE];
    int source = -1;
    double best = 0;

    if (!(f->has & RP_HAS_EMBEDDING))
        return a->other;
#pragma unroll
    for (int m = 0; m < RP_PER_LANE; m++)
        own[m] = f->embedding_norm[lane + RP_WARP * m];
    for (int i = 0; i < n; i++) {
        const float *const other = a->references->embedding_norm[i];
        double s[RP_PER_LANE];

#pragma unroll
        for (int m = 0; m < RP_PER_LANE; m++)
            s[m] = (double) own[m] * other[lane + RP_WARP * m];
        rp_map_look(a, i, rp_warp_sum_512(s), &source, &best);
    }
    return source < 0 ? a->other : source;
}

static __global__ void __launch_bounds__(MAP_THREADS)
    map_faces(const __grid_constant__ struct rp_op_map_faces a)
{
    __shared__ int source[RP_MAX_FACES];
    const int n = rp_map_places(&a), t = (int) threadIdx.x;

    for (int i = t / RP_WARP; i < n; i += MAP_THREADS / RP_WARP) {
        const int face = rp_map_face(&a, i);
        const int got = face < 0 ? -1 : warp_source(&a, &a.faces->face[face]);

        if (t % RP_WARP == 0)
            source[i] = got;
    }
    __syncthreads();
    const int in = t < n && source[t] >= 0;
    const int count = __syncthreads_count(in);
    if (in) {
        int place = 0;

        for (int j = 0; j < t; j++)
            place += source[j] >= 0;
        a.dst->chosen.index[place] = rp_map_face(&a, t);
        a.dst->source[place] = source[t];
    }
    if (t == 0)
        a.dst->chosen.count = count;
}

extern "C" int rp_cuda_map_faces(struct rp_stream *stream, const struct rp_op_map_faces *a)
{
    RP_LAUNCH(stream, 1, MAP_THREADS, map_faces, *a);
    return rp_cuda_launched("map_faces");
}

#define MIX_THREADS 256

static __global__ void __launch_bounds__(MIX_THREADS)
    source_mix(const __grid_constant__ struct rp_op_source_mix a)
{
    const int i = (int) (blockIdx.x * MIX_THREADS + threadIdx.x);

    if (i >= a.n)
        return;
    const float v = rp_source_value(&a, rp_source_row(&a), i);
    for (int k = 0; k < a.copies; k++)
        a.dst[(size_t) k * (size_t) a.n + (size_t) i] = v;
}

extern "C" int rp_cuda_source_mix(struct rp_stream *stream, const struct rp_op_source_mix *a)
{
    if (a->n < 1)
        return 0;
    RP_LAUNCH(stream, rp_div_up(a->n, MIX_THREADS), MIX_THREADS, source_mix, *a);
    return rp_cuda_launched("source_mix");
}
