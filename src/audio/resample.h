/* Sound of 48 kHz to 16 kHz, by a Fourier transform as FaceFusion does it (SciPy's `resample`): the
 * complete sound is one period, and nothing above 8 kHz is left. */
#ifndef RP_AUDIO_RESAMPLE_H
#define RP_AUDIO_RESAMPLE_H

#include "base/base.h"

#define RP_RESAMPLE_WHOLE (60 * 48000) /* samples of a sound up to which it is done as a whole */

/* n samples to `num`, both at least 1: a whole period of n to one of num. */
int rp_resample(const float *x, int n, float *y, int num);

/* A stream. Up to RP_RESAMPLE_WHOLE samples the result is that of rp_resample() to the third part
 * of their number, rounded. A longer sound, which would need much memory, is done in overlapping
 * blocks and gives every third sample; its ends meet silence instead of each other. */
struct rp_resampler;

typedef int rp_samples_fn(void *priv, const float *x, int n);

/* @param fn  gets the samples of 16 kHz, in order; a failure of it is passed on */
int rp_resampler_create(struct rp_resampler **out, rp_samples_fn *fn, void *priv);
void rp_resampler_destroy(struct rp_resampler **resampler);
int rp_resampler_put(struct rp_resampler *resampler, const float *x, int n);
/* There are no more. */
int rp_resampler_end(struct rp_resampler *resampler);

#endif /* RP_AUDIO_RESAMPLE_H */
