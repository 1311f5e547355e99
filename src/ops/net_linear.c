/* Fully connected layers in C: each sum in eight lanes, in the same order whatever else is summed.
 */
#include "base/base.h"
#include "ops/net_core.h"

#define LANES 8
#define OUTS 4 /* at a time: they share what is read of the source */

typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));

/* Sums of OUTS rows of weights, `width` numbers each, a multiple of 8. */
RP_HOT static void dots(const float *s, const float *const w[OUTS], int width, bool squares,
                        float sum[OUTS])
{
    lanes acc[OUTS] = {0}, v, u;

    for (int k = 0; k < width; k += LANES) {
        memcpy(&v, s + k, sizeof(v));
        if (squares)
            v *= v;
        for (int o = 0; o < OUTS; o++) {
            memcpy(&u, w[o] + k, sizeof(u));
            acc[o] += v * u;
        }
    }
    for (int o = 0; o < OUTS; o++)
        sum[o] = ((acc[o][0] + acc[o][4]) + (acc[o][1] + acc[o][5])) +
                 ((acc[o][2] + acc[o][6]) + (acc[o][3] + acc[o][7]));
}

static void one_row(const struct rp_op_net_linear *a, int part, int r)
{
    const int width = RP_ACT_ROUND(a->src.c), outs = a->dst.c;

    for (int o = 0; o < outs; o += OUTS) {
        float sum[OUTS];
        const float *w[OUTS], *const source =
                                  (const float *) a->src.data + rp_linear_source(a, part, r, o);

        for (int i = 0; i < OUTS; i++)
            w[i] = a->weights + ((int64_t) part * outs + RP_MIN(o + i, outs - 1)) * width;
        dots(source, w, width, a->squares != 0, sum);
        for (int i = 0; i < RP_MIN(outs - o, OUTS); i++)
            rp_linear_finish(a, sum[i], part, r, o + i);
    }
}

int rp_c_net_linear(struct rp_stream *stream, const struct rp_op_net_linear *a)
{
    (void) stream;
    for (int part = 0; part < rp_linear_parts(a); part++)
        for (int r = 0; r < a->src.n; r++)
            one_row(a, part, r);
    return 0;
}
