/* What a video says about its picture beside the pixels: light of a mastering display, fields,
 * repetitions of a GIF. A reader finds it; a writer keeps what its encoder and its container have a
 * place for, and names the rest. */
#ifndef RP_MEDIA_KEEP_H
#define RP_MEDIA_KEEP_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/mastering_display_metadata.h>

#include "base/base.h"

/* ---- av.c ------------------------------------------------------------------------------------ */

/* Set an option of libav's; that there was no memory for it counts as a shortage. */
void rp_dict_set(AVDictionary **dict, const char *key, const char *value, int flags);
void rp_dict_set_int(AVDictionary **dict, const char *key, int64_t value, int flags);

/* ---- hdr.c ----------------------------------------------------------------------------------- */

struct rp_hdr {
    bool has_display, has_light;
    AVMasteringDisplayMetadata display; /* numbers within what every encoder takes */
    AVContentLightMetadata light;
    bool dynamic; /* HDR10+: cannot be kept */
    bool dolby;   /* Dolby Vision: cannot be kept */
};

/* Of a frame; what it does not say, of its stream. */
void rp_hdr_find(struct rp_hdr *hdr, const AVFrame *frame, const AVStream *stream);

/* For encoders that write it into the picture's own data. */
void rp_hdr_to_encoder(const struct rp_hdr *hdr, const AVCodec *codec, AVDictionary **opts);

/* For the container. */
int rp_hdr_to_stream(const struct rp_hdr *hdr, AVStream *stream);

/* Is it PQ, HLG, or of wider colours than BT.709, so that without tags it would look wrong? */
bool rp_is_hdr(enum AVColorTransferCharacteristic trc, enum AVColorPrimaries primaries);

/* A list of words, the names of what is lost. */
struct rp_lost {
    char text[512];
};
void rp_lose(struct rp_lost *lost, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What of `hdr` and of the colours of `enc`, which hold the target's, neither the encoder nor the
 * container keeps. */
void rp_hdr_lost(struct rp_lost *lost, const struct rp_hdr *hdr, const AVCodecContext *enc,
                 const AVOutputFormat *format);

/* ---- fields.c -------------------------------------------------------------------------------- */

struct rp_fields {
    bool interlaced;
    bool top_first;          /* of frames that do not say */
    enum AVFieldOrder order; /* of the stream */
};

struct rp_fields rp_fields_find(const AVFrame *frame, const AVStream *stream);

/* After a turn upside down of an even number of lines. */
void rp_fields_flip(struct rp_fields *fields);

/* Prepare an encoder that is not yet open. False if it has no interlaced pictures. */
bool rp_fields_to_encoder(const struct rp_fields *fields, AVCodecContext *enc, AVDictionary **opts);

/* Flags of one frame for the encoder. `from` is the target's, or NULL. */
void rp_fields_mark(const struct rp_fields *fields, AVFrame *frame, const AVFrame *from);

/* The two fields of a frame as frames of half its height, over the same pixels, if each has whole
 * lines of chroma. Only format, size and planes are set; nothing is owned. */
bool rp_fields_split(const AVFrame *frame, AVFrame field[2]);

/* ---- gif.c ----------------------------------------------------------------------------------- */

#define RP_LOOP_UNKNOWN (-2)

/* The number in a GIF's NETSCAPE extension: 0 is endless; -1 without one, RP_LOOP_UNKNOWN if it is
 * no GIF. */
int rp_gif_loop(const char *path);

/* Make the frame in a packet of FFmpeg's GIF encoder vanish before the next one is shown. Its
 * palette has less than 256 opaque colours. */
void rp_gif_dispose(uint8_t *data, size_t size);

/* ---- transparent.c --------------------------------------------------------------------------- */

/* The alpha of a frame of RGB, grey or a palette, 8 bits, as large as the frame. A palette that is
 * all transparent says nothing about alpha: then it is opaque. */
void rp_alpha_plane(const AVFrame *from, uint8_t *to, int stride);

/* Grey with alpha to YUVA of equal depth or of 10 bits; false if it is something else. */
bool rp_copy_grey_alpha(const AVFrame *src, AVFrame *dst);

/* Is a pixel of 8 bits (not) opaque? @param soft  look for what is neither opaque nor transparent
 */
bool rp_alpha_used(const uint8_t *alpha, int stride, int w, int h, bool soft);

#endif /* RP_MEDIA_KEEP_H */
