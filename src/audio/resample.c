#include "audio/resample.h"

#include <math.h>

#include "audio/fft.h"

/* A block: what it gives, and what it looks at on either side of that, in samples of 16 kHz. At its
 * outer ends it fades to silence, else the jump there would ring into the middle. */
#define STEP (1 << 17)
#define MARGIN (1 << 14)
#define FADE (1 << 13)
#define BLOCK (STEP + 2 * MARGIN)

struct rp_resampler {
    rp_samples_fn *fn;
    void *priv;
    float *held; /* while it may be done as a whole: all so far; then what blocks still need */
    int count, cap;
    bool blocks;
    int64_t given; /* samples of 16 kHz */
    int64_t taken; /* samples of 48 kHz */
    struct rp_rfft *big, *small;
    float *x, *y, *fade;     /* 3 * BLOCK, BLOCK, 3 * FADE */
    struct rp_complex *bins; /* of 3 * BLOCK */
};

/* ---- as a whole ------------------------------------------------------------------------------ */

/* The lower half of the spectrum of n samples as that of num samples; the upper half is zero and
 * counts twice in the lower, of which only the real part is used later. */
static void fit_spectrum(struct rp_complex *s, int n, int num)
{
    const int least = RP_MIN(n, num);

    for (int k = 1; 2 * k < least; k++) {
        s[k].re *= 2;
        s[k].im *= 2;
    }
    /* The bin in the middle of an even length stands for both halves: SciPy adds them where
     * samples get fewer, and shares them out where they get more. Else it is real. */
    if (least % 2 == 0 && num < n)
        s[least / 2].re *= 2, s[least / 2].im = 0;
    for (int k = least / 2 + 1; k < RP_MAX(n, num); k++)
        s[k] = (struct rp_complex){0, 0};
}

int rp_resample(const float *x, int n, float *y, int num)
{
    int ret;
    struct rp_complex *const s = malloc((size_t) RP_MAX(n, num) * sizeof(*s));

    if (!s)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    for (int i = 0; i < n; i++)
        s[i] = (struct rp_complex){x[i], 0};
    RP_TRY(rp_fft_any(s, n, false));
    fit_spectrum(s, n, num);
    RP_TRY(rp_fft_any(s, num, true));
    for (int i = 0; i < num; i++)
        y[i] = s[i].re / (float) n;

fail:
    free(s);
    return ret;
}

static int give_whole(struct rp_resampler *r)
{
    int ret;
    const int num = (r->count + 1) / 3; /* rounded; a third is never a half */
    float *const y = num ? malloc((size_t) num * sizeof(*y)) : NULL;

    if (!num)
        return 0;
    if (!y)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    RP_TRY(rp_resample(r->held, r->count, y, num));
    RP_TRY(r->fn(r->priv, y, num));

fail:
    free(y);
    return ret;
}

/* ---- in blocks ------------------------------------------------------------------------------- */

static int start_blocks(struct rp_resampler *r)
{
    /* In front of the first block's samples is silence. */
    const size_t before = 3 * MARGIN;
    float *const held = realloc(r->held, (RP_RESAMPLE_WHOLE + 3 * BLOCK + before) * sizeof(*held));

    if (held)
        r->held = held;
    r->x = malloc(3 * BLOCK * sizeof(float));
    r->y = malloc(BLOCK * sizeof(float));
    r->fade = malloc(3 * FADE * sizeof(float));
    r->bins = malloc((3 * BLOCK / 2 + 1) * sizeof(*r->bins));
    if (!held || !r->x || !r->y || !r->fade || !r->bins)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    RP_CHECK(rp_rfft_create(&r->big, 3 * BLOCK));
    RP_CHECK(rp_rfft_create(&r->small, BLOCK));
    for (int i = 0; i < 3 * FADE; i++)
        r->fade[i] = (float) (0.5 - 0.5 * cos(3.14159265358979323846 * (i + 0.5) / (3 * FADE)));
    r->cap = RP_RESAMPLE_WHOLE + 3 * BLOCK + (int) before;
    memmove(r->held + before, r->held, (size_t) r->count * sizeof(float));
    memset(r->held, 0, before * sizeof(float));
    r->count += (int) before;
    r->blocks = true;
    return 0;
}

/* One block from the front of what is held, which has room for it; `n` of its samples count. */
static int give_block(struct rp_resampler *r, int n)
{
    memcpy(r->x, r->held, 3 * BLOCK * sizeof(float));
    for (int i = 0; i < 3 * FADE; i++) {
        r->x[i] *= r->fade[i];
        r->x[3 * BLOCK - 1 - i] *= r->fade[i];
    }
    rp_rfft_forward(r->big, r->x, r->bins);
    r->bins[BLOCK / 2].re *= 2;
    rp_rfft_inverse(r->small, r->bins, r->y);
    for (int i = 0; i < n; i++)
        r->y[MARGIN + i] /= 3 * BLOCK;
    r->count = RP_MAX(r->count - 3 * STEP, 0);
    memmove(r->held, r->held + 3 * STEP, (size_t) r->count * sizeof(float));
    r->given += n;
    return r->fn(r->priv, r->y + MARGIN, n);
}

/* ---- the stream ------------------------------------------------------------------------------ */

int rp_resampler_create(struct rp_resampler **out, rp_samples_fn *fn, void *priv)
{
    struct rp_resampler *const r = *out = calloc(1, sizeof(*r));

    if (!r)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    r->fn = fn;
    r->priv = priv;
    return 0;
}

void rp_resampler_destroy(struct rp_resampler **resampler)
{
    struct rp_resampler *const r = *resampler;

    if (!r)
        return;
    rp_rfft_destroy(&r->big);
    rp_rfft_destroy(&r->small);
    free(r->held);
    free(r->x);
    free(r->y);
    free(r->fade);
    free(r->bins);
    free(r);
    *resampler = NULL;
}

/* Room for as much as a block needs, or for a whole sound, but little for a short one. */
static int make_room(struct rp_resampler *r)
{
    if (r->count < r->cap)
        return 0;
    const int cap = RP_CLAMP(2 * r->cap, 1 << 16, RP_RESAMPLE_WHOLE);
    float *const p = realloc(r->held, (size_t) cap * sizeof(*p));

    if (!p)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    r->held = p;
    r->cap = cap;
    return 0;
}

int rp_resampler_put(struct rp_resampler *r, const float *x, int n)
{
    r->taken += n;
    while (n > 0) {
        if (!r->blocks && r->count == RP_RESAMPLE_WHOLE)
            RP_CHECK(start_blocks(r));
        while (r->blocks && r->count >= 3 * BLOCK)
            RP_CHECK(give_block(r, STEP));
        if (!r->blocks)
            RP_CHECK(make_room(r));
        const int now = RP_MIN(n, r->cap - r->count);

        memcpy(r->held + r->count, x, (size_t) now * sizeof(*x));
        r->count += now;
        x += now;
        n -= now;
    }
    return 0;
}

int rp_resampler_end(struct rp_resampler *r)
{
    const int64_t num = (r->taken + 1) / 3;

    if (!r->blocks)
        return give_whole(r);
    while (r->given < num) {
        if (r->count < 3 * BLOCK) {
            memset(r->held + r->count, 0, (size_t) (3 * BLOCK - r->count) * sizeof(float));
            r->count = 3 * BLOCK;
        }
        RP_CHECK(give_block(r, (int) RP_MIN(STEP, num - r->given)));
    }
    return 0;
}
