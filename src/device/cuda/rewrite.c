/* Replaces recorded copies and fills by kernels.
 *
 * ONNX Runtime copies inside the device for Concat, Split and Slice, and a graph gives each such
 * node to a copy engine, which costs several microseconds of waiting between engines and processor
 * time at every launch. A small kernel moves the same bytes in about one microsecond. So before a
 * captured graph is instantiated, its copies within the device, its fills, and copies of a few
 * bytes to or from pinned memory are replaced, node by node, with the same dependencies. Large
 * copies between host and device stay: for those the copy engine is better. */
#include "device/cuda/cuda.h"

#define BLOCK 256
#define MOST_BLOCKS 1056      /* 8 per multiprocessor of a large GPU */
#define SMALL_HOST (16 << 10) /* bytes between host and device that a kernel may move */

struct copy_args {
    uint8_t *dst;
    size_t dst_pitch;
    const uint8_t *src;
    size_t src_pitch, words, rows;
};

struct fill_args {
    uint8_t *dst;
    size_t pitch;
    unsigned value;
    size_t width, rows;
};

static unsigned blocks_for(size_t n)
{
    return (unsigned) RP_CLAMP((n + BLOCK - 1) / BLOCK, 1, MOST_BLOCKS);
}

/* The largest unit of 16, 4 or 1 bytes that all sizes and addresses are multiples of. */
static size_t unit_of(uintptr_t all)
{
    return all % 16 == 0 ? 16 : all % 4 == 0 ? 4 : 1;
}

static bool on_device(const void *p)
{
    struct cudaPointerAttributes a;

    if (cudaPointerGetAttributes(&a, p) != cudaSuccess) {
        cudaGetLastError();
        return false;
    }
    return a.type == cudaMemoryTypeDevice;
}

/* Pinned host memory is mapped: a kernel reaches it through its device address. */
static void *device_address(void *p)
{
    struct cudaPointerAttributes a;

    if (cudaPointerGetAttributes(&a, p) != cudaSuccess) {
        cudaGetLastError();
        return NULL;
    }
    return a.type == cudaMemoryTypeDevice || a.type == cudaMemoryTypeHost ? a.devicePointer : NULL;
}

/* The kernel that does what a copy node does; false if it should stay a copy. */
static bool copy_kernel(cudaGraphNode_t node, struct copy_args *a, const void **func)
{
    struct cudaMemcpy3DParms p;

    if (cudaGraphMemcpyNodeGetParams(node, &p) != cudaSuccess || p.srcArray || p.dstArray ||
        p.extent.depth > 1 || p.extent.width == 0 || p.srcPos.x || p.srcPos.y || p.srcPos.z ||
        p.dstPos.x || p.dstPos.y || p.dstPos.z) {
        cudaGetLastError();
        return false;
    }
    const size_t rows = RP_MAX(p.extent.height, 1), bytes = p.extent.width * rows;
    if ((!on_device(p.srcPtr.ptr) || !on_device(p.dstPtr.ptr)) && bytes > SMALL_HOST)
        return false;
    a->dst = device_address(p.dstPtr.ptr);
    a->src = device_address(p.srcPtr.ptr);
    if (!a->dst || !a->src)
        return false;
    a->rows = rows;
    a->dst_pitch = rows > 1 ? p.dstPtr.pitch : 0;
    a->src_pitch = rows > 1 ? p.srcPtr.pitch : 0;
    const size_t unit = unit_of((uintptr_t) a->dst | (uintptr_t) a->src | a->dst_pitch |
                                a->src_pitch | p.extent.width);
    a->words = p.extent.width / unit;
    *func = rp_cuda_copy_kernel((int) unit);
    return true;
}

static bool fill_kernel(cudaGraphNode_t node, struct fill_args *a, const void **func)
{
    struct cudaMemsetParams p;

    if (cudaGraphMemsetNodeGetParams(node, &p) != cudaSuccess || p.width == 0 || p.height == 0) {
        cudaGetLastError();
        return false;
    }
    *a = (struct fill_args){p.dst, p.height > 1 ? p.pitch : 0, p.value, p.width, p.height};
    *func = rp_cuda_fill_kernel((int) p.elementSize);
    if (p.elementSize == 1 && p.height == 1 && p.width % 4 == 0 && (uintptr_t) p.dst % 4 == 0) {
        a->value = (p.value & 255) * 0x01010101u; /* four at once */
        a->width /= 4;
        *func = rp_cuda_fill_kernel(4);
    }
    return true;
}

/* Add a kernel node with the edges of `node`, and remove that. */
static int replace(cudaGraph_t graph, cudaGraphNode_t node, const void *func, unsigned blocks,
                   void **args)
{
    int ret = 0;
    size_t nin = 0, nout = 0;
    cudaGraphNode_t new_node, *edges = NULL;
    struct cudaKernelNodeParams k = {.func = (void *) (uintptr_t) func, .gridDim = {blocks, 1, 1},
                                     .blockDim = {BLOCK, 1, 1}, .kernelParams = args};

    CU_TRY("edges in", cudaGraphNodeGetDependencies(node, NULL, NULL, &nin));
    CU_TRY("edges out", cudaGraphNodeGetDependentNodes(node, NULL, NULL, &nout));
    if (!(edges = calloc(nin + 2 * nout + 1, sizeof(*edges))))
        return rp_host.fail(RP_ERR_NOMEM, "out of memory");
    if (nin)
        CU_TRY("edges in", cudaGraphNodeGetDependencies(node, edges, NULL, &nin));
    if (nout)
        CU_TRY("edges out", cudaGraphNodeGetDependentNodes(node, edges + nin, NULL, &nout));
    CU_TRY("copy kernel node", cudaGraphAddKernelNode(&new_node, graph, edges, nin, &k));
    for (size_t i = 0; i < nout; i++)
        edges[nin + nout + i] = new_node;
    if (nout && cudaGraphAddDependencies(graph, edges + nin + nout, edges + nin, NULL, nout)) {
        cudaGraphDestroyNode(new_node);
        ret = rp_cuda_fail(cudaErrorInvalidValue, "edges of the copy kernel");
        goto fail;
    }
    CU_TRY("removal of a copy node", cudaGraphDestroyNode(node));

fail:
    free(edges);
    return ret;
}

static int rewrite_node(cudaGraph_t graph, cudaGraphNode_t node)
{
    const void *func;
    struct copy_args c;
    struct fill_args f;
    enum cudaGraphNodeType type;

    if (cudaGraphNodeGetType(node, &type) != cudaSuccess)
        return 0;
    if (type == cudaGraphNodeTypeMemcpy && copy_kernel(node, &c, &func))
        return replace(graph, node, func, blocks_for(c.words * c.rows),
                       (void *[]){&c.dst, &c.dst_pitch, &c.src, &c.src_pitch, &c.words, &c.rows});
    if (type == cudaGraphNodeTypeMemset && fill_kernel(node, &f, &func))
        return replace(graph, node, func, blocks_for(f.width * f.rows),
                       (void *[]){&f.dst, &f.pitch, &f.value, &f.width, &f.rows});
    return 0;
}

/* A failed step leaves a correct graph: at worst both nodes are in it and move the same bytes. So a
 * failure only ends the rewriting. */
void rp_cuda_rewrite(cudaGraph_t graph)
{
    int ret;
    size_t n = 0;
    cudaGraphNode_t *nodes = NULL;

    if (getenv("REPRISE_KEEP_COPIES")) /* to measure what this brings */
        return;
    if (cudaGraphGetNodes(graph, NULL, &n) != cudaSuccess || !n ||
        !(nodes = calloc(n, sizeof(*nodes))) || cudaGraphGetNodes(graph, nodes, &n) != cudaSuccess)
        n = 0;
    for (size_t i = 0; i < n; i++) {
        if ((ret = rewrite_node(graph, nodes[i])) < 0) {
            rp_host.log(RP_LOG_DEBUG, "copies from node %zu of %zu stay copies", i, n);
            break;
        }
    }
    cudaGetLastError();
    free(nodes);
}
