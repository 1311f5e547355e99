/* Which tensors are float16 in a plan of float16.
 *
 * A convolution or a product with a constant matrix multiplies numbers of 11 bits either way: TF32
 * rounds float32 as it is read, float16 is rounded as it was written. So a tensor that is only
 * multiplied loses nothing by being float16, and these are the ones that cost time. What is added
 * up, normalised or scaled before it is multiplied would be rounded once more: it stays float32, so
 * that float16 is as near to float32 as TF32 is. A tensor is float16 if all of this is true:
 *
 *   - such a product reads it, or what reads it only moves numbers or picks among neighbours, for a
 *     product (what a normalisation makes for a product and for a sum is stored twice). A picture
 *     that is enlarged by blending neighbours is float32, and smaller than what comes of it;
 *   - it is large: LARGE numbers in a row of the batch, along more than one axis. Vectors (styles,
 *     embeddings, scales, what a global mean gives) are float32, and so are the matrices that make
 *     them;
 *   - it is not rounded where TF32 would not be: outputs of the file; what attention multiplies and
 *     what goes into a softmax, whose e^x makes errors of x large; what depthwise convolutions and
 *     others of groups too small for matrix units read (a GPU multiplies all of these as float32);
 *     and what is only moved, added or scaled on its way there.
 *
 * Weights have the type of what they are multiplied with. Sums, normalisations' statistics and
 * biases are float32 whatever the storage. */
#include "nets/lower.h"
#include "onnx/attr.h"

#define LARGE 2048

/* Does it multiply input 0 with constants? */
static bool is_product(const struct rp_nn_graph *g, const struct rp_nn_node *n)
{
    const struct rp_nn_value *const w = rp_nn_in(g, n, 1);

    return n->kind == RP_NN_CONV || n->kind == RP_NN_CONV_TRANSPOSE || n->kind == RP_NN_GEMM ||
           n->kind == RP_NN_MODULATED || (n->kind == RP_NN_MATMUL && w && w->constant);
}

/* A convolution of groups that a GPU's matrix units cannot take: rp_conv_is_depthwise(), _is_odd().
 */
static bool is_thin(const struct rp_nn_graph *g, const struct rp_nn_node *n)
{
    const struct rp_nn_value *const w = rp_nn_in(g, n, 1);

    return n->kind == RP_NN_CONV && w && w->rank > 1 && w->dim[1] % 8 != 0 &&
           rp_onnx_attr_int(n->onnx, "group", 1) > 1;
}

static bool is_sensitive(const struct rp_nn_graph *g, const struct rp_nn_node *n)
{
    return n->kind == RP_NN_SOFTMAX || n->kind == RP_NN_GRID_SAMPLE || n->kind == RP_NN_GATHER ||
           (n->kind == RP_NN_MATMUL && !is_product(g, n));
}

/* A normalisation makes numbers of another kind: those before it may be rounded. */
static bool is_norm(enum rp_nn_kind kind)
{
    return kind == RP_NN_NORM || kind == RP_NN_INSTANCE_NORM || kind == RP_NN_LAYER_NORM;
}

/* Are its results numbers of its inputs, but for sign or scale? */
static bool passes(const struct rp_nn_node *n)
{
#define MOVES(name, onnx) case RP_NN_##name:
    switch (n->kind) {
        RP_NN_MOVE(MOVES)
    case RP_NN_RELU:
    case RP_NN_LEAKY:
    case RP_NN_PRELU:
    case RP_NN_MAX_POOL:
        return true;
    case RP_NN_RESIZE:
        return rp_nn_is_nearest(n);
    default:
        return false;
    }
#undef MOVES
}

/* What of a value is known so far, from those that read it. */
struct use {
    bool exact; /* it may not be rounded */
    bool added; /* somebody adds it up, or the like: what is rounded there stays rounded */
};

/* What is known of a node's results goes on to its inputs. */
static void pass_back(const struct rp_nn_graph *g, const struct rp_nn_node *n, bool *before,
                      struct use *use)
{
    bool multiplied = false, precise = is_sensitive(g, n);
    const bool product = is_product(g, n);
    bool added = !product && !passes(n);

    for (int i = 0; i < n->nout; i++)
        if (n->out[i] >= 0) {
            multiplied |= before[n->out[i]];
            precise |= use[n->out[i]].exact && !product && !is_norm(n->kind);
            added |= use[n->out[i]].added && !product;
        }
    if (n->also >= 0)
        precise |= use[n->also].exact && !product;
    multiplied &= passes(n);
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] >= 0) {
            before[n->in[i]] |= multiplied || (product && i == 0);
            /* positions and indices, not the picture that is looked at */
            use[n->in[i]].added |= added;
            use[n->in[i]].exact |=
                (precise && ((n->kind != RP_NN_GRID_SAMPLE && n->kind != RP_NN_GATHER) || i > 0)) ||
                (i == 0 && is_thin(g, n));
        }
    if (n->residual >= 0) {
        use[n->residual].exact |= precise;
        use[n->residual].added = true;
    }
}

/* What a normalisation makes for a product and for others: float32, and float16 beside it. */
static void choose_twice(const struct rp_nn_graph *g, const struct rp_nn_node *n,
                         const struct use *use, bool *half, bool *twice)
{
    const int y = n->nout > 0 ? n->out[0] : -1;

    if (y < 0 || !is_norm(n->kind) || !half[y] || !use[y].added || g->value[y].rank != 4)
        return;
    half[y] = false;
    twice[y] = true;
}

void rp_nn_choose_storage(const struct rp_nn_graph *g, bool *half, bool *twice)
{
    struct use *const use = calloc((size_t) g->nvalues + 1, sizeof(*use));

    if (!use) /* all stays float32: then the caller's memory is short, too */
        return;
    for (int i = 0; i < g->noutputs; i++)
        use[g->output[i]].exact = true;
    for (int i = g->nnodes - 1; i >= 0; i--)
        if (!g->node[i].gone)
            pass_back(g, &g->node[i], half, use);
    for (int i = 0; i < g->nvalues; i++)
        half[i] &= !use[i].exact;
    for (int i = 0; i < g->nnodes; i++)
        if (!g->node[i].gone)
            choose_twice(g, &g->node[i], use, half, twice);
    free(use);
}

bool rp_nn_is_large(const struct rp_nn_lower *l, int rank, const int64_t *dim)
{
    int axes = 0;
    int64_t count = 1;

    for (int i = 0; i < rank; i++) {
        count *= dim[i];
        axes += dim[i] > 1 && (i || dim[i] != l->batch);
    }
    return axes > 1 && count / l->batch >= LARGE;
}
