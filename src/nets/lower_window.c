/* Windows that move over a picture: kernels, strides, dilations, pads. */
#include "nets/lower.h"
#include "onnx/attr.h"

static bool take(const struct rp_onnx_attr *a, int from, int rank, int least, int *to)
{
    for (int i = 0; i < rank && a->there; i++) {
        const int64_t v = from + i < a->nints ? a->ints[from + i] : -1;

        if (v < least || v > 1 << 15)
            return false;
        to[2 - rank + i] = (int) v;
    }
    return true;
}

/* auto_pad: as much as makes the output's size that of the input over the stride. */
static void same_pads(struct rp_nn_window *w, const struct rp_nn_act *x, bool lower)
{
    const int size[2] = {x->h, x->w};

    for (int i = 0; i < 2; i++) {
        const int out = (size[i] + w->stride[i] - 1) / w->stride[i];
        const int all =
            (out - 1) * w->stride[i] + w->dilation[i] * (w->kernel[i] - 1) + 1 - size[i];

        w->begin[i] = all > 0 ? (all + (lower ? 1 : 0)) / 2 : 0;
        w->end[i] = all > 0 ? all - w->begin[i] : 0;
    }
}

/* Of one or two axes; a single one is the width. Of three the first one is left out: the caller has
 * looked at it. */
bool rp_nn_window_of(const struct rp_nn_node *n, int rank, const struct rp_nn_act *x,
                     struct rp_nn_window *w)
{
    const struct rp_onnx_attr stride = rp_onnx_attr(n->onnx, "strides"),
                              dilation = rp_onnx_attr(n->onnx, "dilations"),
                              pads = rp_onnx_attr(n->onnx, "pads"),
                              more = rp_onnx_attr(n->onnx, "output_padding"),
                              same = rp_onnx_attr(n->onnx, "auto_pad");

    for (int i = 0; i < 2; i++)
        w->stride[i] = w->dilation[i] = 1;
    const int skip = RP_MAX(rank - 2, 0), axes = rank - skip;
    if (!take(&stride, skip, axes, 1, w->stride) || !take(&dilation, skip, axes, 1, w->dilation) ||
        !take(&pads, skip, axes, 0, w->begin) || !take(&pads, rank + skip, axes, 0, w->end) ||
        !take(&more, skip, axes, 0, w->output_pad))
        return false;
    for (int i = 0; i < 2; i++)
        if (w->kernel[i] < 1 || w->kernel[i] > 1 << 15)
            return false;
    if (!same.there || rp_onnx_is(same.s, "NOTSET") || rp_onnx_is(same.s, "VALID"))
        return true;
    same_pads(w, x, rp_onnx_is(same.s, "SAME_LOWER"));
    return rp_onnx_is(same.s, "SAME_LOWER") || rp_onnx_is(same.s, "SAME_UPPER");
}

/* The size that the window gives, or -1. */
int64_t rp_nn_slide(int64_t size, const struct rp_nn_window *w, int i)
{
    const int64_t room =
        size + w->begin[i] + w->end[i] - (int64_t) w->dilation[i] * (w->kernel[i] - 1) - 1;

    return room < 0 ? -1 : room / w->stride[i] + 1;
}

int64_t rp_nn_unslide(int64_t size, const struct rp_nn_window *w, int i)
{
    return w->stride[i] * (size - 1) + w->output_pad[i] +
           (int64_t) w->dilation[i] * (w->kernel[i] - 1) + 1 - w->begin[i] - w->end[i];
}
