/* From frames to packets: what stands between a writer, or a piece of a video, and its encoder.
 *
 * The encoder is made when the shape of the frames is known. What it encodes is a function of its
 * parameters and of the frames that it is given, and of nothing else: so an encoder of a piece
 * makes the same packets in whatever process.
 *
 * Threads: one at a time. */
#ifndef RP_MEDIA_ENCODE_H
#define RP_MEDIA_ENCODE_H

#include <stdatomic.h>

#include "media/av.h"

struct rp_encode;

/* What several encoders of one video say, or find out, once. */
struct rp_encode_said {
    atomic_bool alpha, fields;
    atomic_int transparent; /* is anything of the target? 0: unknown */
};

/* What decides, of the frames, how they are encoded. */
struct rp_encode_shape {
    int w, h;
    enum rp_pixfmt fmt; /* without alpha if that is not kept */
    struct rp_colour colour;
};

/* Takes a packet in the time base of the encoder. What it leaves is unreferenced. */
typedef int rp_encode_fn(void *priv, AVPacket *packet);

/* Everything that is pointed to must outlive the encoder. */
struct rp_encode_params {
    const AVOutputFormat *format; /* of the file that the packets are for */
    const AVCodec *codec;
    const char *path, *target; /* for messages, and the file that frames are of */
    const char *preset;
    int quality;      /* 0..100 */
    int out_w, out_h; /* size of the encoded picture; 0: that of the frames */
    double fps;       /* as of rp_writer_params */
    bool alpha;       /* frames will have alpha, which must not be lost */
    int threads;
    bool piece;                /* of a video: nothing of the headers may depend on the machine */
    bool quiet;                /* what is lost is said elsewhere */
    struct rp_video_info info; /* of the target */
    struct rp_video_tags tags; /* of the target; metadata is not used */
    struct rp_reader_params range; /* of the target that is put out */
    struct rp_encode_said *said;
    struct rp_watch *watch; /* of whose encoder it is */
    rp_encode_fn *fn;
    void *priv;
};

int rp_encode_create(struct rp_encode **out, const struct rp_encode_params *params);
void rp_encode_free(struct rp_encode **encode);

/* The shape that the encoder gets for the frames of a video of which this is the first. It may read
 * the target, to find out whether anything of it is transparent. */
void rp_encode_shape_of(struct rp_encode *encode, const struct rp_media_frame *first,
                        struct rp_encode_shape *shape);

/* Open the encoder. `first` is the time of the first frame that is put out (of the whole video, in
 * the target's time base), from which on the output counts. */
int rp_encode_open(struct rp_encode *encode, const struct rp_encode_shape *shape, int64_t first);

/* The frame stays the caller's. Every frame must have the size of the shape. */
int rp_encode_write(struct rp_encode *encode, const struct rp_media_frame *frame);

/* Encode what is left. At a constant rate the last frame is shown up to `end` (in the target's time
 * base), and, if `some`, at least once, if no frame was put out. */
int rp_encode_finish(struct rp_encode *encode, int64_t end, bool some);

/* Once it is open. */
const AVCodecContext *rp_encode_codec(const struct rp_encode *encode);
/* Are frames dropped and repeated to a constant rate? */
bool rp_encode_constant(const struct rp_encode *encode);
/* The time of the target that becomes 0. */
int64_t rp_encode_offset(const struct rp_encode *encode);
/* By how many packets decoding runs ahead of showing, as an encoder like this one does with a few
 * frames. */
int rp_encode_delay(const struct rp_encode *encode, int *delay);

/* The settings as words. */
void rp_encode_settings(const struct rp_encode *encode, char *text, size_t size);

/* Where a frame ends, in the target's time base. */
int64_t rp_encode_end(const struct rp_video_info *info, const struct rp_media_frame *frame);

/* Is the video, from the pts of its first frame to its end, shorter than half a frame of the
 * constant rate? */
bool rp_encode_is_empty(const struct rp_encode *encode, int64_t first, int64_t end);

/* RP_ERR_IO with a sentence if there are fewer packets than frames. */
int rp_encode_check(const struct rp_encode *encode, int64_t frames, int64_t packets);

/* Frames that the encoder was given, and packets that it gave: without memory some lose a few. */
void rp_encode_counts(const struct rp_encode *encode, int64_t *frames, int64_t *packets);

bool rp_pixfmt_is_rgb(enum AVPixelFormat fmt);

/* Is this a format of the family of MP4? */
bool rp_is_mov_family(const AVOutputFormat *format);

#endif /* RP_MEDIA_ENCODE_H */
