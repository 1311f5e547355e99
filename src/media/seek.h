/* Jump to a frame by its number. */
#ifndef RP_MEDIA_SEEK_H
#define RP_MEDIA_SEEK_H

#include "media/av.h"

/* The time of frame `index` and of the frame before, if they can be known without decoding; `first`
 * is the time of frame 0, for a check. Returns 1 if known, 0 if not. */
int rp_seek_time(const char *path, const AVFormatContext *ic, const AVStream *st, int64_t index,
                 int64_t first, int64_t *before, int64_t *at);

/* See rp_reader_count(). */
int rp_count_packets(const char *path, int stream, struct rp_video_count *count);

/* Whole packets of a stream that are in the file; -1 if it cannot be read. Reads all of it. */
int64_t rp_seek_packets(const char *path, int stream);

/* Seconds at which the last packet of any stream ends; huge if they have no times. Reads all of it.
 */
double rp_seek_reach(const char *path);

#endif /* RP_MEDIA_SEEK_H */
