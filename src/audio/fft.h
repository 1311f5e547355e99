/* Fourier transforms of any length over kissfft, single precision.
 *
 * Threads: a plan belongs to one at a time. */
#ifndef RP_AUDIO_FFT_H
#define RP_AUDIO_FFT_H

#include "base/base.h"

struct rp_complex {
    float re, im;
};

/* Real transforms, of an even length with small factors: windows of a spectrogram, blocks. */
struct rp_rfft;

int rp_rfft_create(struct rp_rfft **out, int n);
void rp_rfft_destroy(struct rp_rfft **fft);

/* n numbers to n / 2 + 1 bins, not scaled. */
void rp_rfft_forward(struct rp_rfft *fft, const float *x, struct rp_complex *bins);
/* And back, not scaled: forward and inverse together multiply by n. What the first and the last bin
 * have of imaginary is ignored. */
void rp_rfft_inverse(struct rp_rfft *fft, const struct rp_complex *bins, float *x);

/* Complex transform of any length in place, once, not scaled. A length with a large prime factor
 * goes through Bluestein's convolution, of more than twice that length.
 * @param n  1 to 2^28 */
int rp_fft_any(struct rp_complex *x, int n, bool inverse);

#endif /* RP_AUDIO_FFT_H */
