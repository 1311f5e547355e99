/* Windows of sound to columns of a spectrogram and back. Hann windows, nothing scaled.
 *
 * Threads: one at a time. */
#ifndef RP_AUDIO_STFT_H
#define RP_AUDIO_STFT_H

#include "audio/fft.h"

struct rp_stft {
    int size;      /* of a window: even, with small factors */
    float *window; /* [size] */
    float *x;      /* [size], scratch */
    struct rp_rfft *fft;
};

/* @param symmetric  the window's last number is like its first; else it is one of a period */
int rp_stft_create(struct rp_stft **out, int size, bool symmetric);
void rp_stft_destroy(struct rp_stft **stft);

/* size samples to size / 2 + 1 bins. */
void rp_stft_column(struct rp_stft *stft, const float *x, struct rp_complex *bins);

/* Add a column's samples to those of others: size times the sound, times the square of the
 * window. */
void rp_stft_add(struct rp_stft *stft, const struct rp_complex *bins, float *sum);

/* By how much the sum is to be divided: add what a column contributes. */
void rp_stft_add_weight(const struct rp_stft *stft, float *weight);

#endif /* RP_AUDIO_STFT_H */
