/* Decode an audio track, change its volume, encode it again. */
#ifndef RP_MEDIA_RESOUND_H
#define RP_MEDIA_RESOUND_H

#include "media/damage.h"

struct rp_resound;

struct rp_resound_params {
    const AVCodec *encoder;
    int quality, volume; /* 0..100 */
    int least_rate;      /* Hz; sound of fewer is resampled */
    bool global_header;
    struct rp_damage *damage; /* what cannot be decoded is counted in it */
    bool apart; /* the first packets may be left out: none uses bytes of those before it */
};

/* Opens decoder and encoder; fills `out`'s codec parameters. */
int rp_resound_open(struct rp_resound **out, const AVStream *in, AVStream *to,
                    const struct rp_resound_params *params, const char *path);
void rp_resound_close(struct rp_resound **resound);

/* From now on packets that come out begin at time 0, which is `start` (microseconds) of what comes
 * in: before it sound is cut, and wherever there is none, also later, silence is put. Before the
 * first packet. */
void rp_resound_place(struct rp_resound *r, int64_t start);

/* Called with each packet that comes out, times in 1 / sample rate. */
typedef int rp_resound_fn(void *priv, AVPacket *packet, AVRational time_base);

/* One packet in (NULL: the end). */
int rp_resound_packet(struct rp_resound *r, const AVPacket *packet, rp_resound_fn *fn, void *priv);

#endif /* RP_MEDIA_RESOUND_H */
