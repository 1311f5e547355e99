/* Containers that keep no times of sound (AVI): it begins with the picture, and packets follow each
 * other. */
#ifndef RP_MEDIA_STEADY_H
#define RP_MEDIA_STEADY_H

#include "media/av.h"

/* Is this such a container? */
bool rp_steady_needed(const AVOutputFormat *format);

/* Samples in a packet, by the codec or else by its duration; 0 if unknown. */
int64_t rp_steady_samples(AVCodecParameters *par, const AVPacket *p, AVRational base);

/* Is less than half of a packet after `start`? What is cut off is then nearest to right. */
bool rp_steady_early(int64_t pts, int64_t samples, AVRational base, int rate, int64_t start);

/* Would the packets of a file's track, those left out that are early, play at their times? Reads
 * through the file. */
bool rp_steady_is(const char *path, int stream, int64_t start);

#endif /* RP_MEDIA_STEADY_H */
