/* Weights as float16.
 *
 * The nearest float16 of each weight is not what makes the nearest sums. What a convolution
 * multiplies is much alike from pixel to pixel, and after an activation mostly positive: errors of
 * weights that are multiplied with like numbers add up if they have one sign, and cancel if they
 * have both. So each weight is rounded up or down, to make the square of a sum's error, as it is to
 * be expected, small. For numbers with a mean square of 1, where ALIKE is the mean product of two
 * of a channel and COMMON that of any two, it is
 *
 *     (1 - ALIKE) * sum of e^2 + ALIKE * sum over channels of (sum of its e)^2
 *                              + COMMON * (sum of all e)^2
 *
 * with e the error of a weight, near enough (COMMON counts twice within a channel). Starting
 * at the nearest, in each channel the weight goes to its other side that makes this smallest, as
 * long as one does; then the sum of all is made small by those that lose least by it. The idea, of
 * three such terms without any data, is that of "SQuant: On-the-Fly Data-Free Quantization via
 * Diagonal Hessian Approximation" (Guo and others, 2022). ALIKE and COMMON were found by trying:
 * docs/speed.md has the figures. */
#include <math.h>

#include "base/base.h"
#include "ops/net_core.h"

#define ALIKE 0.6F
#define COMMON 0.2F
#define PASSES 8
#define MOST 65504 /* the largest float16 */
#define UNIT 0x1p-11F

/* To the nearest float16, and what leads from there to the one on the other side of w, 0 if there
 * is none. Adding a large number to w, and taking it away, rounds away what is below its last
 * bit. */
static float nearest(float w, float *step)
{
    uint32_t bits;
    float unit;

    memcpy(&bits, &w, sizeof(bits));
    bits = RP_MAX(bits & 0x7f800000, 113U << 23) - (10U << 23); /* 2^-24 below 2^-14 */
    memcpy(&unit, &bits, sizeof(bits));
    const float large = unit * 0x1.8p23F, near = (w + large) - large;
    *step = unit * (float) ((near < w) - (near > w));
    return near;
}

/* The weights of an output, and what is known of them. */
struct row {
    const float *w;
    float *rounded, *step;
    int channels, taps;
    float all; /* the sum of all errors */
};

/* What the error squared changes by if weight i moves, without what is as `pull` says. */
static float change(const struct row *r, int i, float pull)
{
    return r->step[i] *
           (2 * (1 - ALIKE) * (r->rounded[i] - r->w[i]) + pull + (1 + COMMON) * r->step[i]);
}

static float sum_of(const struct row *r, int first)
{
    float sum = 0;

    for (int i = first; i < first + r->taps; i++)
        sum += r->rounded[i] - r->w[i];
    return sum;
}

static void move(struct row *r, int i, float *sum)
{
    r->rounded[i] += r->step[i];
    *sum += r->step[i];
    r->all += r->step[i];
    r->step[i] = -r->step[i];
}

/* The weight of a channel that helps its sum most, as long as one does. */
static void balance_channel(struct row *r, int first)
{
    float sum = sum_of(r, first);

    for (int moved = 0; moved < r->taps; moved++) {
        int best = -1;
        float least = 0;

        for (int i = first; i < first + r->taps; i++) {
            const float c = change(r, i, 2 * ALIKE * sum);

            best = c < least ? i : best;
            least = c < least ? c : least;
        }
        if (best < 0)
            return;
        move(r, best, &sum);
    }
}

/* Weights whose error is at least `part` of a step, for the sum of all. */
static void balance_all(struct row *r, float part)
{
    for (int first = 0; first < r->channels * r->taps; first += r->taps) {
        float sum = sum_of(r, first);

        for (int i = first; i < first + r->taps; i++)
            if (fabsf(r->rounded[i] - r->w[i]) >= part * fabsf(r->step[i]) &&
                change(r, i, 2 * (ALIKE * sum + COMMON * r->all)) < 0)
                move(r, i, &sum);
    }
}

void rp_round_weights(const float *w, int channels, int taps, float *rounded, float *step)
{
    struct row r = {w, rounded, step, channels, taps, 0};
    const int count = channels * taps;
    float largest = 0;

    for (int i = 0; i < count; i++)
        rounded[i] = nearest(w[i], &step[i]);
    for (int i = 0; i < count; i++) {
        r.all += rounded[i] - w[i];
        largest = RP_MAX(largest, fabsf(rounded[i]));
    }
    if (!(largest < MOST)) /* too large for float16, or not a number: others find that out */
        return;
    for (int i = 0; taps > 1 && i < count; i += taps)
        balance_channel(&r, i);
    for (int i = 1; i <= PASSES && fabsf(r.all) > largest * UNIT; i++)
        balance_all(&r, 0.5F - 0.05F * (float) i);
}
