/* The voice that lip syncers follow: columns of a mel spectrogram, made once for a job.
 *
 * Method: FaceFusion's (as Wav2Lip's): 16 kHz mono, pre-emphasis 0.97, windows of 800 samples every
 * 200, 80 bands from 55 to 7600 Hz. */
#ifndef RP_SPEECH_H
#define RP_SPEECH_H

#include <stdint.h>

#define RP_SPEECH_BANDS 80
#define RP_SPEECH_RATE 80   /* columns a second */
#define RP_SPEECH_WINDOW 16 /* columns that a network is given for one frame */

/* Immutable once made; read by all lanes. */
struct rp_speech {
    int64_t count; /* columns */
    float *mel;    /* [count][RP_SPEECH_BANDS], magnitudes, no logarithm taken */
    double start;  /* seconds from the target's first frame to column 0; negative: before it */
};

/* The columns for a frame, as [RP_SPEECH_BANDS][RP_SPEECH_WINDOW], zero where there is no sound.
 *
 * @param speech  NULL: silence
 * @param time    of the frame, seconds from the target's first frame
 * @param fps     the target's frame rate: FaceFusion's alignment, which drops the first whole
 *                frames, depends on it */
void rp_speech_window(const struct rp_speech *speech, double time, double fps, float *window);

/* The first of these columns, as if the sound had no end and no beginning; INT64_MIN where there is
 * none (a picture). */
int64_t rp_speech_column(const struct rp_speech *speech, double time, double fps);

/* A window as networks take it, in place: log10 * 1.6 + 3.2, clipped to -4..4, then times factor. */
void rp_speech_levels(float *window, float factor);

void rp_speech_free(struct rp_speech **speech);

#endif /* RP_SPEECH_H */
