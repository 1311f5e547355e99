/* A number that is not finite must not become the scale: compared with infinity everything is
 * near. */
#include "engine/compare.h"

#include <math.h>

static uint32_t next_random(uint32_t *seed)
{
    return *seed = *seed * 1664525u + 1013904223u;
}

/* 0 to 1, from the upper bits of the seed: the lower ones repeat soon. */
static float next_unit(uint32_t *seed)
{
    return (float) (next_random(seed) >> 8) * 0x1p-24f;
}

void rp_fill_floats(float *to, size_t n, float low, float span, uint32_t *seed)
{
    for (size_t i = 0; i < n; i++)
        to[i] = low + span * next_unit(seed);
}

void rp_fill_tensor(const struct rp_tensor *t, void *to, uint32_t *seed)
{
    if (t->type == RP_TYPE_F32) {
        rp_fill_floats(to, t->count, -1, 2, seed);
        return;
    }
    for (size_t i = 0; i < t->count; i++) {
        switch (t->type) {
        case RP_TYPE_F64:
            ((double *) to)[i] = 2 * (double) next_unit(seed) - 1;
            break;
        case RP_TYPE_I64:
            ((int64_t *) to)[i] = next_random(seed) >> 31;
            break;
        case RP_TYPE_I32:
            ((int32_t *) to)[i] = (int32_t) (next_random(seed) >> 31);
            break;
        default:
            ((uint8_t *) to)[i] = (uint8_t) (next_random(seed) >> 24);
        }
    }
}

static double apart(float x, float y)
{
    if (isfinite(x) && isfinite(y))
        return fabs((double) x - (double) y);
    return x == y || (isnan(x) && isnan(y)) ? 0 : INFINITY;
}

static struct rp_difference of_floats(const uint8_t *got, const uint8_t *want, size_t n)
{
    struct rp_difference d = {0};

    for (size_t i = 0; i < n; i++) {
        float x, y;

        memcpy(&x, got + 4 * i, sizeof(x));
        memcpy(&y, want + 4 * i, sizeof(y));
        d.most = fmax(d.most, apart(x, y));
        if (isfinite(y))
            d.scale = fmax(d.scale, fabs((double) y));
    }
    return d;
}

struct rp_difference rp_difference(const struct rp_tensor *t, const void *got, const void *want)
{
    if (t->type == RP_TYPE_F32)
        return of_floats(got, want, t->count);
    return (struct rp_difference){.most = t->bytes && memcmp(got, want, t->bytes) != 0 ? 1 : 0};
}

bool rp_is_near(const struct rp_tensor *t, const void *got, const void *want, double tolerance)
{
    const struct rp_difference d = rp_difference(t, got, want);

    return d.most <= tolerance * d.scale;
}
