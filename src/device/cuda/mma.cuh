/* Matrix units: multiplication of small matrices by a warp, how their operands come from shared
 * memory, and how they get there beside the arithmetic. What a GPU does not have is done by other
 * means, to the same meaning. Where kernels are compiled for the CPU there are no operands and
 * products. */
#ifndef RP_MMA_CUH
#define RP_MMA_CUH

#include "device/cuda/kernel.cuh"
#include "ops/half_core.h"

/* A kernel that was launched before those before it had ended waits for them here; the ones after
 * it may be launched. */
RP_DEV void rp_after_others(void)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
    asm volatile("griddepcontrol.launch_dependents;");
#endif
}

/* ---- 16 bytes from global to shared memory, zeros if `have` is false ----------------------------
 */

RP_DEV void rp_fetch(void *shared, const void *global, bool have)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    const unsigned to = (unsigned) __cvta_generic_to_shared(shared);

    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global),
                 "r"(have ? 16 : 0));
#else
    uint4 v = {0, 0, 0, 0};

    if (have)
        v = *(const uint4 *) global;
    *(uint4 *) shared = v;
#endif
}

/* What was fetched since the last one is a group. */
RP_DEV void rp_fetch_group(void)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;");
#endif
}

/* Waits for all but the last `left` groups (0, 1, 2, 3 or 5) of this thread. */
RP_DEV void rp_fetch_wait(int left)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    if (left == 5)
        asm volatile("cp.async.wait_group 5;" ::: "memory");
    else if (left == 3)
        asm volatile("cp.async.wait_group 3;" ::: "memory");
    else if (left == 2)
        asm volatile("cp.async.wait_group 2;" ::: "memory");
    else if (left == 1)
        asm volatile("cp.async.wait_group 1;" ::: "memory");
    else
        asm volatile("cp.async.wait_group 0;" ::: "memory");
#else
    (void) left;
#endif
}

#ifdef __CUDACC__

/* ---- operands ----------------------------------------------------------------------------------
 */

/* Four matrices of 8 rows of 16 bytes: lane i gives the address of row i % 8 of matrix i / 8, and
 * gets word i % 4 of row i / 4 of each. */
RP_DEV void rp_rows_of_four(uint32_t r[4], const void *row)
{
    const unsigned from = (unsigned) __cvta_generic_to_shared(row);

    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(from));
}

/* float32 to the nearest TF32. */
RP_DEV uint32_t rp_to_tf32(uint32_t v)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    uint32_t r;

    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "r"(v));
    return r;
#else
    return v;
#endif
}

/* ---- products ----------------------------------------------------------------------------------
 */

RP_DEV float rp_word_float(uint32_t v)
{
    float f;

    memcpy(&f, &v, sizeof(f));
    return f;
}

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
/* Without units for it: the numbers of other lanes, one by one. */
RP_DEV void rp_mma_float_by_lanes(float d[4], const uint32_t a[4], const uint32_t b[2])
{
    const int lane = (int) (threadIdx.x % RP_WARP), g = lane / 4, t = lane % 4;

#pragma unroll
    for (int k = 0; k < 8; k++) {
        const float a0 = rp_word_float(__shfl_sync(RP_ALL_LANES, a[k / 4 * 2], g * 4 + k % 4));
        const float a1 = rp_word_float(__shfl_sync(RP_ALL_LANES, a[k / 4 * 2 + 1], g * 4 + k % 4));
        const float b0 = rp_word_float(__shfl_sync(RP_ALL_LANES, b[k / 4], t * 8 + k % 4));
        const float b1 = rp_word_float(__shfl_sync(RP_ALL_LANES, b[k / 4], t * 8 + 4 + k % 4));

        d[0] = fmaf(a0, b0, d[0]);
        d[1] = fmaf(a0, b1, d[1]);
        d[2] = fmaf(a1, b0, d[2]);
        d[3] = fmaf(a1, b1, d[3]);
    }
}
#endif

/* d += a b: 16 x 16 times 16 x 8 of float16. */
RP_DEV void rp_mma_half(float d[4], const uint32_t a[4], const uint32_t b[2])
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, "
                 "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
#pragma unroll
    for (int k = 0; k < 2; k++)
        asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, "
                     "{%6}, {%0, %1, %2, %3};"
                     : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                     : "r"(a[2 * k]), "r"(a[2 * k + 1]), "r"(b[k]));
#endif
}

/* d += a b: 16 x 8 times 8 x 8 of float32, as TF32. */
RP_DEV void rp_mma_float(float d[4], const uint32_t a[4], const uint32_t b[2])
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, "
                 "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#elif defined(__CUDA_ARCH__)
    rp_mma_float_by_lanes(d, a, b);
#endif
}

#endif /* __CUDACC__ */

#endif /* RP_MMA_CUH */
