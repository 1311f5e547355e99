/* The sound of a file as samples, in order, in bounded memory.
 *
 * Threads: one at a time. */
#ifndef RP_MEDIA_SOUND_H
#define RP_MEDIA_SOUND_H

#include "base/base.h"

#define RP_SOUND_RATE 48000

struct rp_sound;

struct rp_sound_params {
    bool in_place; /* sound that belongs to the file's picture: gaps in its times become silence,
                    * and what overlaps is dropped. Else samples follow each other whatever their
                    * times, as with the ffmpeg program. */
    double origin; /* in_place: the time of the picture's first frame, rp_video_info.origin */
    bool refuse;   /* fail as soon as it is certain that sound is lost */
    double until;  /* seconds of sound that matter; 0: all */
};

/* Open the first audio track of which something can be decoded; in a file without picture the one
 * that FFmpeg thinks best comes first.
 *
 * Samples are 48 kHz, 2 channels, 16 bits, as "ffmpeg -ac 2 -ar 48000" gives them; what encoders
 * put before the first sample is skipped.
 *
 * @return 0; *out is NULL if the file has no audio track. RP_ERR_FORMAT or RP_ERR_UNSUPPORTED with
 *         a sentence if it has, but nothing of it can be decoded. */
int rp_sound_open(struct rp_sound **out, const char *path, const struct rp_sound_params *params);
void rp_sound_close(struct rp_sound **sound);

/* Seconds from the origin to the first sample; negative if sound starts before the picture. Unless
 * in_place 0, or, if samples come that encoders put before the sound, as the file does not tell of
 * them (ADTS): less their time. */
double rp_sound_start(const struct rp_sound *sound);

/* The next n samples, left and right; fewer at the end. Broken packets are skipped and counted, or
 * with `refuse` are a failure.
 * @return how many; 0 at the end */
int rp_sound_read(struct rp_sound *sound, int16_t (*samples)[2], int n);

/* Is any of the sound lost, as far as it was read? Then `text` says what. */
bool rp_sound_damage(const struct rp_sound *sound, char *text, size_t size);

#endif /* RP_MEDIA_SOUND_H */
