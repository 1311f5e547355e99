/* Is a media file all there, as far as its container says how long it is?
 *
 * What is promised, by container:
 *
 *   MP4, MOV        the samples in the index, within the edit list; with fragments, the size of
 *                   the last box
 *   Matroska, WebM  the size of the segment, unless it was written to a stream (unknown size)
 *   AVI             the size of the list "movi", which a recorder fills in at the end
 *   ASF             the size of the file in its properties, unless marked as broadcast
 *   FLV             "filesize" of its metadata
 *   WAV             the size of the chunk "data"
 *   FLAC            the number of samples in its head (sound.c asks for it)
 *   GIF             nothing, but its blocks end with an empty one
 *   MP3             the bytes that the first frame of most encoders tells (Xing, Info)
 *   MPEG-TS, -PS, raw streams, Ogg: nothing. A recording ends where it was stopped, so that it
 *                   ends early is only said, and only errors before good data count as damage. But
 *                   the packets of MPEG-TS, of MPEG-PS and the pages of Ogg have their lengths: a
 *                   file that ends within one is cut.
 *
 * Reading heads only; no decoding. */
#ifndef RP_MEDIA_WHOLE_H
#define RP_MEDIA_WHOLE_H

#include "media/av.h"

struct rp_whole {
    bool promises;  /* the container says where it ends */
    bool cut;       /* the file ends before that, or within a packet of a stated length */
    bool torn;      /* it promises nothing, and ends in the middle of a piece */
    int64_t size;   /* bytes there */
    int64_t should; /* bytes there should be at least, if cut */
};

/* `ic` is open, of this path, with its streams known; nothing is read through it. Fails if the file
 * cannot be opened again. */
int rp_whole_look(struct rp_whole *out, const char *path, const AVFormatContext *ic);

/* Samples of a stream that an index promises (0: it promises none), and those of them that are
 * there. Samples that an edit list leaves out do not count. */
void rp_whole_samples(const struct rp_whole *whole, const AVFormatContext *ic, const AVStream *st,
                      int64_t *promised, int64_t *there);

#endif /* RP_MEDIA_WHOLE_H */
