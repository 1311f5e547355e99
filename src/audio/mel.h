/* Mono sound of 16 kHz to the columns of a mel spectrogram, as a stream. */
#ifndef RP_AUDIO_MEL_H
#define RP_AUDIO_MEL_H

#include "audio/speech.h"
#include "base/base.h"

#define RP_MEL_BINS 401 /* of a window of 800 samples */

/* Weights of the bands. */
void rp_mel_filters(float filter[RP_SPEECH_BANDS][RP_MEL_BINS]);

struct rp_mel;

int rp_mel_create(struct rp_mel **out);
void rp_mel_destroy(struct rp_mel **mel);

/* More samples, of any size: what counts is their share of the greatest. One that is not finite
 * counts as silence. */
int rp_mel_put(struct rp_mel *mel, const float *x, int n);

/* There are no more: *speech gets the columns, for start 0. They are all zero if all samples are.
 */
int rp_mel_end(struct rp_mel *mel, struct rp_speech **speech);

#endif /* RP_AUDIO_MEL_H */
