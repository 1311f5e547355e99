#include "audio/fft.h"

#include <math.h>

#include <kiss_fftr.h>

#define FACTOR_MAX 13 /* kissfft takes n * p steps for a prime factor p */

_Static_assert(sizeof(struct rp_complex) == sizeof(kiss_fft_cpx), "the same two floats");

struct rp_rfft {
    kiss_fftr_cfg forward, inverse;
};

static const double pi = 3.14159265358979323846;

static kiss_fft_cpx *kiss(struct rp_complex *x)
{
    return (kiss_fft_cpx *) (void *) x;
}

static const kiss_fft_cpx *kiss_const(const struct rp_complex *x)
{
    return (const kiss_fft_cpx *) (const void *) x;
}

int rp_rfft_create(struct rp_rfft **out, int n)
{
    struct rp_rfft *const f = *out = calloc(1, sizeof(*f));

    if (f) {
        f->forward = kiss_fftr_alloc(n, 0, NULL, NULL);
        f->inverse = kiss_fftr_alloc(n, 1, NULL, NULL);
    }
    if (f && f->forward && f->inverse)
        return 0;
    rp_rfft_destroy(out);
    return rp_fail(RP_ERR_NOMEM, "out of memory");
}

void rp_rfft_destroy(struct rp_rfft **fft)
{
    struct rp_rfft *const f = *fft;

    if (!f)
        return;
    kiss_fftr_free(f->forward);
    kiss_fftr_free(f->inverse);
    free(f);
    *fft = NULL;
}

void rp_rfft_forward(struct rp_rfft *fft, const float *x, struct rp_complex *bins)
{
    kiss_fftr(fft->forward, x, kiss(bins));
}

void rp_rfft_inverse(struct rp_rfft *fft, const struct rp_complex *bins, float *x)
{
    kiss_fftri(fft->inverse, kiss_const(bins), x);
}

/* ---- any length ------------------------------------------------------------------------------ */

static bool has_small_factors(int n)
{
    for (int p = 2; p <= FACTOR_MAX; p++)
        while (n % p == 0)
            n /= p;
    return n == 1;
}

static int transform(const struct rp_complex *x, struct rp_complex *y, int n, bool inverse)
{
    const kiss_fft_cfg cfg = kiss_fft_alloc(n, inverse, NULL, NULL);

    if (!cfg)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    kiss_fft(cfg, kiss_const(x), kiss(y));
    kiss_fft_free(cfg);
    return 0;
}

static struct rp_complex multiply(struct rp_complex a, struct rp_complex b)
{
    return (struct rp_complex){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

/* exp(-+ i pi k^2 / n); the square is reduced first, exactly. */
static struct rp_complex chirp(int k, int n, bool inverse)
{
    const int64_t square = (int64_t) k * k % (2 * (int64_t) n);
    const double a = pi * (double) square / n;

    return (struct rp_complex){(float) cos(a), (float) (inverse ? sin(a) : -sin(a))};
}

/* jk = (j^2 + k^2 - (k - j)^2) / 2 makes a convolution with a chirp of a transform: of x times the
 * chirp in `a`, with the conjugate chirp in `b`, both of length m >= 2n - 1. */
static int convolve(struct rp_complex *x, int n, bool inverse, int m, struct rp_complex *a,
                    struct rp_complex *b, struct rp_complex *c)
{
    for (int k = 0; k < n; k++) {
        const struct rp_complex w = chirp(k, n, inverse);

        a[k] = multiply(x[k], w);
        b[k] = (struct rp_complex){w.re, -w.im};
        if (k)
            b[m - k] = b[k];
    }
    RP_CHECK(transform(a, c, m, false));
    RP_CHECK(transform(b, a, m, false));
    for (int k = 0; k < m; k++)
        a[k] = multiply(a[k], c[k]);
    RP_CHECK(transform(a, c, m, true));
    for (int k = 0; k < n; k++) {
        const struct rp_complex y = multiply(c[k], chirp(k, n, inverse));

        x[k] = (struct rp_complex){y.re / (float) m, y.im / (float) m};
    }
    return 0;
}

int rp_fft_any(struct rp_complex *x, int n, bool inverse)
{
    const bool direct = has_small_factors(n);
    const int m = direct ? n : kiss_fft_next_fast_size(2 * n - 1);
    struct rp_complex *const a = calloc((size_t) m, sizeof(*a));
    struct rp_complex *const b = direct ? NULL : calloc((size_t) m, sizeof(*b));
    struct rp_complex *const c = direct ? NULL : calloc((size_t) m, sizeof(*c));
    int ret;

    if (!a || (!direct && (!b || !c))) {
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
    } else if (!direct) {
        ret = convolve(x, n, inverse, m, a, b, c);
    } else if ((ret = transform(x, a, n, inverse)) >= 0) {
        memcpy(x, a, (size_t) n * sizeof(*x));
    }
    free(c);
    free(b);
    free(a);
    return ret;
}
