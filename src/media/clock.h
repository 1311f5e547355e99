/* Packets on a clock that goes on, and where a file begins on it.
 *
 * Streams that are cut and joined (MPEG-TS, MPEG-PS, Ogg) may jump: back where two files were
 * joined, far ahead where a receiver's clock was set. Such a jump is taken out, for all streams by
 * the same amount, so that sound and picture keep their distance. Gaps of other formats are meant
 * and stay.
 *
 * A reader of the picture and one of the sound see the same clock, although they open the file each
 * for itself: what is done depends only on the packets of the picture and of its sound, and those
 * are read by both.
 *
 * Threads: one at a time. */
#ifndef RP_MEDIA_CLOCK_H
#define RP_MEDIA_CLOCK_H

#include "media/av.h"

struct rp_clock;

/* For a file whose streams are known and of which no packet has been read. Streams that are not
 * wanted must have been discarded; the clock takes back those that it has to see. `ic` stays the
 * caller's and must outlive the clock. */
int rp_clock_open(struct rp_clock **out, AVFormatContext *ic);
void rp_clock_close(struct rp_clock **clock);

/* As av_read_frame(), with the times put right. Packets of streams that were discarded may come. */
int rp_clock_read(struct rp_clock *clock, AVPacket *packet);

/* Has it jumped so far, as where recordings were joined? */
bool rp_clock_jumped(const struct rp_clock *clock);

/* Can the clock of this format jump? */
bool rp_clock_jumps(const AVFormatContext *ic);

/* Is this stream's clock the picture's: are both in one program, or are there none? */
bool rp_clock_shared(const AVFormatContext *ic, int video, int stream);

/* When the file begins (microseconds): with the first frame of the picture, at `first`, or with
 * sound that is heard before. What lies before 0 is not shown, but in formats whose clock may have
 * any value. */
int64_t rp_clock_start(const AVFormatContext *ic, int video, int64_t first);

#endif /* RP_MEDIA_CLOCK_H */
