/* Is in the file what was written? An account of what a muxer is given, and its comparison with the
 * finished file, for libraries that lose something without a word.
 *
 * What is compared:
 *
 *   everywhere                 the streams and their kinds; a picture for each packet of the video,
 *                              but in MPEG program streams, Ogg and raw streams, whose packets are
 *                              not the muxer's
 *   MP4, MOV, Matroska, WebM   codecs, sizes, headers of decoders, chapters; packets of sound and
 *                              subtitles, where the muxer does not join them; from the first to
 *                              the last time of the video
 *   MP4, MOV                   the offsets by which pictures are shown after their turn; that the
 *                              index comes first
 *   AVI, MP4, MOV              the bytes of sound that is not compressed
 *
 * MP4 and MOV are not read for it, but for their index; of others the packets are. */
#ifndef RP_MEDIA_WRITTEN_H
#define RP_MEDIA_WRITTEN_H

#include "media/av.h"

#define RP_WRITTEN_LOOK 32 /* packets whose offsets are compared */

struct rp_written_stream {
    int64_t packets, bytes; /* of packets with content */
    int64_t first, last;    /* of them, in the stream's time base; see rp_written_check() */
    int64_t first_dts, last_dts;
    int64_t offset[RP_WRITTEN_LOOK]; /* pts - dts */
};

struct rp_written {
    struct rp_written_stream *streams;
    unsigned count;
    int video; /* the stream that is the picture */
};

/* After the header is written. 0 or, without a sentence, AVERROR(ENOMEM). Freed by
 * rp_written_free(). */
int rp_written_begin(struct rp_written *w, const AVFormatContext *oc, int video);
void rp_written_free(struct rp_written *w);

/* av_interleaved_write_frame(), noted. */
int rp_written_packet(struct rp_written *w, AVFormatContext *oc, AVPacket *p);

/* After the trailer: is all of it in the file at `path`? If not, a sentence about `name` and
 * RP_ERR_IO.
 * @param frames  that the video must have at least; may be less than packets, as invisible ones are
 *                joined to others */
int rp_written_check(const struct rp_written *w, const AVFormatContext *oc, const char *path,
                     const char *name, int64_t frames);

#endif /* RP_MEDIA_WRITTEN_H */
