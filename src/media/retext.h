/* Converts text subtitles from one format to another (SubRip, ASS, WebVTT, MP4 text). */
#ifndef RP_MEDIA_RETEXT_H
#define RP_MEDIA_RETEXT_H

#include "media/resound.h"

struct rp_retext;

/* The format that a container takes; AV_CODEC_ID_NONE if none. */
enum AVCodecID rp_retext_codec(const AVOutputFormat *format);

/* Is it text that can be decoded? */
bool rp_retext_can(enum AVCodecID codec);

/* What cannot be decoded is counted in `damage`. */
int rp_retext_open(struct rp_retext **out, const AVStream *in, AVStream *to, enum AVCodecID codec,
                   struct rp_damage *damage, const char *path);
void rp_retext_close(struct rp_retext **retext);
int rp_retext_packet(struct rp_retext *r, const AVPacket *packet, rp_resound_fn *fn, void *priv);

#endif /* RP_MEDIA_RETEXT_H */
