/* Frames that never come although nobody reports an error: where each packet becomes one frame, the
 * times of packets are remembered until a frame of that time has come out of the decoder.
 *
 * Tiny packets may be without a picture; those of H.264 and HEVC are looked at. Only MP4, MOV and Matroska with codecs whose packets are
 * whole frames, progressive ones: a field may have a packet of its own. Leading pictures (before
 * the key frame that they follow) may be left out by the decoder, and so may what comes before the
 * first frame, but not the first of all packets if it is a key frame. */
#ifndef RP_MEDIA_EXPECT_H
#define RP_MEDIA_EXPECT_H

#include "media/av.h"

#define RP_EXPECT_ROOM 512 /* packets inside a decoder, more than any holds back */

struct rp_expect {
    bool on;
    enum AVCodecID codec;
    int length;   /* bytes of the length before each part of a packet (H.264, HEVC); 0: unknown */
    int patience; /* frames after which a packet counts as lost */
    int64_t pts[RP_EXPECT_ROOM], sent[RP_EXPECT_ROOM]; /* sent: frames that had come by then */
    bool begins[RP_EXPECT_ROOM]; /* the first packet of all, a key frame */
    int count;
    bool begun;
    int64_t key, first; /* times of the last key packet and of the first frame */
    int64_t came, lost;
};

/* `threads` of the decoder, which holds back a frame for each. */
void rp_expect_begin(struct rp_expect *e, const AVFormatContext *ic, const AVStream *st,
                     int threads);
void rp_expect_packet(struct rp_expect *e, const AVPacket *p);
void rp_expect_frame(struct rp_expect *e, const AVFrame *f);

/* At the end: how many have not come. */
int64_t rp_expect_end(struct rp_expect *e);

#endif /* RP_MEDIA_EXPECT_H */
