/* Inside of the media folder: what its files share. Only they include this. */
#ifndef RP_MEDIA_AV_H
#define RP_MEDIA_AV_H

#include <stdatomic.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include "media/keep.h"
#include "media/mark.h"

#define RP_SIDE_MAX 32768              /* pixels a side */
#define RP_PIXELS_MAX (1 << 28)        /* pixels a picture */
#define RP_PICTURE_FILE_MAX (1u << 30) /* bytes of a picture file */

/* Out of memory: sentence and status. The value is a constant, so that the static analyser knows
 * its sign. */
#define RP_NOMEM(path) (rp_fail(RP_ERR_NOMEM, "%s: no memory", path), RP_ERR_NOMEM)

/* rp_fail() for what a library failed at: without memory it has many names for it. */
#define RP_LIB_FAIL(path, ...) (rp_av_lacks() ? RP_NOMEM(path) : rp_fail(__VA_ARGS__))

/* Copies bytes that are not text: no zero at the end. */
static inline void rp_put_bytes(uint8_t *to, const void *from, size_t n)
{
    memcpy(to, from, n);
}

/* ---- av.c ------------------------------------------------------------------------------------ */

/* Route libav's log to ours (debug level). Cheap: everything that enters libav calls it. */
void rp_av_init(void);

/* What is noticed of one reader, writer or the like: errors that its decoder or demuxer logs, from
 * whatever thread, and memory that libraries did not get for it. Put its address into `opaque` of
 * its contexts, whose threads then report to it. Errors that end in a status are logged too. */
struct rp_watch {
    unsigned before;    /* what this thread had lacked when the present call began */
    atomic_bool lacks;  /* memory, for good */
    bool deaf;          /* to decoders: see rp_watch_trusts() */
    atomic_uint faults; /* errors of decoders, also if deaf */
    _Atomic(struct rp_frame_store *) store; /* for the decoder's frames, or NULL */
    atomic_uint errors;
    atomic_uint hints; /* warnings of a demuxer that something in the file was not as it should be */
};

/* Do errors that this decoder logs mean that pixels or samples are lost? Some decoders complain of
 * harmless things at this level; they also mark what is damaged. */
bool rp_watch_trusts(enum AVCodecID codec);

/* Memory that libraries did not get. Not all of them say so by a status: some go on without. It is
 * known from libav's log and from errno, where the allocators of C leave ENOMEM: of this thread from
 * the beginning of a call to its end, and of a codec's own threads, whenever they log anything or ask
 * for a frame. What threads of others lack does not count: a server works on many files at once.
 *
 * What the folder offers begins with one of the first two, and asks one of the others at its end: */

/* What errno holds from before is not libav's. */
void rp_av_begin(void);

/* The same, for a call on what this watch is of. */
void rp_watch_begin(struct rp_watch *w);

/* Has a library got no memory in this thread since either? For failures that it gives other names. */
bool rp_av_lacks(void);

/* The same since rp_watch_begin(), or at any time in threads of its codecs, or so far in other calls
 * on it that asked: whatever has gone on without memory may not be what was asked for. */
bool rp_watch_lacks(struct rp_watch *w);

/* From here on errno does not count, in this process: with a GPU's driver in it, it was seen to say
 * ENOMEM in threads of ours where nothing had failed. */
void rp_av_ignore_errno(void);

/* Does ENOMEM in errno after a call of this codec tell anything? Never of hardware, in which code
 * of a driver runs that tries what need not succeed. Of libx264 only if the call failed: its large
 * blocks leave ENOMEM behind also where it has got them. */
bool rp_av_errno_tells(const AVCodec *codec, bool failed);

/* For a decoder: looks at errno in the threads where it decodes. */
void rp_av_watch_buffers(AVCodecContext *dec);

/* Status for an AVERROR, without words. */
int rp_av_status(int averror);

/* "PATH: DOING: reason", as rp_fail(). */
int rp_av_fail(int averror, const char *path, const char *doing);

/* 0 if it is a file that can be read and is not empty, else a sentence and a status. */
int rp_file_check(const char *path);

/* Read the first bytes of a file; the rest of `head` becomes zero. Returns how many. */
int rp_file_head(const char *path, uint8_t *head, size_t size);

/* Open a local media file; no other protocol, and no format that opens further files. With
 * `streams` also find out about its streams, within our limits of size. */
int rp_av_open(AVFormatContext **out, const char *path, bool streams);

/* Find out about its streams, within our limits of size; 0 or libav's error. */
int rp_av_find_streams(AVFormatContext *ic);

/* rp_av_open(), with what the demuxer logs counted, also while it is opened: it may then read far ahead.
 * `watch` must outlive it. */
int rp_av_open_watched(AVFormatContext **out, const char *path, bool streams,
                       struct rp_watch *watch);

/* Seconds at the beginning of an audio track, from its first packet's time on, that are not meant
 * to be heard: what encoder and decoder put there, as the file tells; if it does not, what every
 * stream of the codec begins with. */
double rp_av_priming(const AVStream *st, const AVPacket *first);

/* Index of the first video stream that is not a cover picture; -1 if there is none. */
int rp_av_video_stream(const AVFormatContext *ic);

/* Can sound have this sample rate (1 kHz to 1.5 MHz)? Others, which a file may claim, would make a
 * resampler work for minutes, or one frame grow without limit. */
bool rp_av_rate_is_real(int rate);

/* RP_ERR_LIMIT with a sentence if a picture may not be this large. */
int rp_size_check(const char *path, int64_t w, int64_t h);

/* ---- frame.c --------------------------------------------------------------------------------- */

enum AVPixelFormat rp_pixfmt_to_av(enum rp_pixfmt fmt);

/* The nearest of our formats, and whether the planes are used as they are. */
enum rp_pixfmt rp_pixfmt_nearest(enum AVPixelFormat fmt, bool *same);

int rp_pixfmt_planes(enum rp_pixfmt fmt);
int rp_pixfmt_depth(enum rp_pixfmt fmt);
bool rp_pixfmt_alpha(enum rp_pixfmt fmt);

/* Are frames of this format used as they are? */
bool rp_pixfmt_stays(enum AVPixelFormat fmt);

struct rp_colour rp_colour_of(const AVFrame *f);
int rp_sws_matrix(enum rp_matrix matrix); /* SWS_CS_* */

struct rp_pool;
struct rp_frame_store;

/* RP_FMT_BGR24_ALPHA: an AVFrame of BGR24 with a plane of alpha in data[3]. */
int rp_bgr_alpha_alloc(AVFrame **out, int w, int h, struct rp_pool *pool);

/* A copy of it, that nothing else refers to. */
int rp_bgr_alpha_copy(AVFrame **out, const AVFrame *from);

/* An AVFrame for this format, also for RP_FMT_BGR24_ALPHA. */
int rp_frame_planes(AVFrame **out, enum rp_pixfmt fmt, int w, int h, struct rp_pool *pool);

/* Takes over the AVFrame (NULL afterwards, also on failure). */
int rp_frame_wrap(struct rp_media_frame **out, AVFrame **f, enum rp_pixfmt fmt,
                  struct rp_colour colour);

/* A new AVFrame with room for a picture; from the pool if there is one. */
struct rp_pool {
    AVBufferPool *buffers;
    size_t size;
    struct rp_frame_store *store; /* where its buffers come from; NULL: the heap */
};
int rp_avframe_alloc(AVFrame **out, enum AVPixelFormat fmt, int w, int h, struct rp_pool *pool);

/* Convert and scale `src` to `dst`. *sws is kept between calls. `from` and `to` are the colours of
 * YUV. */
int rp_sws_run(struct SwsContext **sws, const AVFrame *src, struct rp_colour from, AVFrame *dst,
               struct rp_colour to);
int rp_sws_run_with(struct SwsContext **sws, int flags, const AVFrame *src, struct rp_colour from,
                    AVFrame *dst, struct rp_colour to);

/* ---- store.c --------------------------------------------------------------------------------- */

/* Planes in a reader's rp_frame_memory. Buffers go back into pools; a store lives until its owner
 * and all its buffers and frames have let it go. Threads: any. */
int rp_frame_store_create(struct rp_frame_store **out, const struct rp_frame_memory *memory,
                          bool (*stays)(enum AVPixelFormat fmt));
struct rp_frame_store *rp_frame_store_hold(struct rp_frame_store *store);
void rp_frame_store_release(struct rp_frame_store **store);

/* A buffer of a pool, which belongs to one thread at a time. NULL: no memory. */
AVBufferRef *rp_pool_buffer(struct rp_pool *pool, size_t size);

/* The store's pool for what frames become, for this thread alone until rp_frame_store_leave(). */
struct rp_pool *rp_frame_store_enter(struct rp_frame_store *store);
void rp_frame_store_leave(struct rp_frame_store *store);

/* Does a decoder put frames like this one into the store: of a format that `stays`, and by a decoder
 * that has no memory of its own? Then it does so: AVCodecContext's get_buffer2. */
bool rp_frame_store_takes(const struct rp_frame_store *store, const AVCodecContext *dec,
                          const AVFrame *f);
int rp_frame_store_decode(struct rp_frame_store *store, AVCodecContext *dec, AVFrame *f);

/* ---- orient.c -------------------------------------------------------------------------------- */

/* A turn by a multiple of 90 degrees with or without a flip: first swap x and y, then flip. */
struct rp_orient {
    bool swap, flip_x, flip_y;
};
struct rp_orient rp_orient_exif(int orientation);           /* 1..8, others like 1 */
struct rp_orient rp_orient_matrix(const int32_t matrix[9]); /* display matrix, nearest turn */
bool rp_orient_none(struct rp_orient o);
int rp_orient_degrees(struct rp_orient o); /* its clockwise turn; flips do not count */

/* One plane of w x h pixels of `bytes` each; dst is h x w when o.swap. */
void rp_orient_plane(struct rp_orient o, uint8_t *dst, ptrdiff_t dst_stride, const uint8_t *src,
                     ptrdiff_t src_stride, int w, int h, int bytes);

/* ---- reader.c -------------------------------------------------------------------------------- */

/* What the writer takes from the target's video stream. */
struct rp_video_tags {
    enum AVColorPrimaries primaries;
    enum AVColorTransferCharacteristic trc;
    enum AVColorSpace space;
    enum AVColorRange range;
    enum AVChromaLocation chroma;
    AVRational sar;
    AVDictionary *metadata; /* of the stream; owned by the reader */
    int disposition;
    int stream;
    int depth; /* bits a sample, as decoded */
    int loop;  /* of a GIF: rp_gif_loop() */
    struct rp_hdr hdr;
    struct rp_fields fields;
    const char *fields_lost; /* why the fields are gone, or NULL */
};
const struct rp_video_tags *rp_reader_tags(const struct rp_reader *reader);
const struct rp_reader_params *rp_reader_range(const struct rp_reader *reader);

/* ---- encoder.c ------------------------------------------------------------------------------- */

/* Value of an encoder setting at a quality of 0..100; see the table in encoder.c. */
int rp_quality_video(const char *encoder, int quality);
double rp_quality_audio(const char *encoder, int quality);

/* Put quality, preset and whatever else an encoder needs into its context and option list. */
void rp_encoder_setup_video(AVCodecContext *enc, AVDictionary **opts, const char *preset,
                            int quality);
void rp_encoder_setup_audio(AVCodecContext *enc, int quality);

/* The format that keeps most of `fmt` with this encoder. */
enum AVPixelFormat rp_encoder_pixfmt(const AVCodec *codec, enum rp_pixfmt fmt);
enum AVPixelFormat rp_raw_pixfmt(const AVOutputFormat *format, enum rp_pixfmt fmt);

/* Matroska, or the part of it that is WebM? */
bool rp_is_matroska(const AVOutputFormat *format);

/* Can this container hold this codec? Also knows what FFmpeg's muxers find out only later. */
bool rp_container_takes(const AVOutputFormat *format, enum AVCodecID codec);

/* The container for a file's name; NULL if there is none. */
const AVOutputFormat *rp_guess_format(const char *path);

/* The encoder of this name, or what is used instead if the container does not take it; without a
 * name the default. @param alpha  frames will have alpha */
const AVCodec *rp_find_encoder(const AVOutputFormat *format, const char *name, bool alpha);
/* The same, with a word on what is used instead, or RP_ERR_USAGE with a sentence. */
int rp_choose_encoder(const AVOutputFormat *format, const char *name, bool alpha, const char *path,
                      const AVCodec **codec);

/* Does video of this encoder in this container keep transparency? */
bool rp_keeps_alpha(const AVOutputFormat *format, const AVCodec *codec);

/* ---- tracks.c -------------------------------------------------------------------------------- */

/* Everything of the output that is not the video stream. */
struct rp_tracks;
struct rp_tracks_params {
    const char *target, *replace_audio;
    const char *audio_encoder;
    int audio_quality, audio_volume;
    bool cut_start;
    bool to_end; /* nothing is cut at the end */
    bool refuse; /* fail as soon as it is certain that a track is cut short or damaged */
    struct rp_written *written; /* the account of the output; of the caller */
};
int rp_tracks_open(struct rp_tracks **out, AVFormatContext *oc, const char *path,
                   const struct rp_tracks_params *params);
void rp_tracks_close(struct rp_tracks **tracks);

/* The output starts at this time of the target (microseconds). Before the header is written. */
int rp_tracks_start(struct rp_tracks *tracks, int64_t start);

/* Write packets up to this time of the target. */
int rp_tracks_until(struct rp_tracks *tracks, int64_t time);

/* Write the rest: to the end of the video if it is `cut` there, else to the end of the tracks. */
int rp_tracks_finish(struct rp_tracks *tracks, int64_t end, bool cut);

/* Append what of the tracks is lost, as far as they were read, to a text. */
void rp_tracks_damage(const struct rp_tracks *tracks, char *text, size_t size);

/* ---- mark.c ---------------------------------------------------------------------------------- */

/* Put the mark into container metadata; any_key: the container takes keys of any name. */
int rp_mark_to_dict(const struct rp_mark *mark, AVDictionary **dict, bool any_key);

/* After the muxer has finished the file: for formats whose muxer keeps no tags (GIF). */
int rp_mark_append(const struct rp_mark *mark, const char *path, const AVOutputFormat *format);

/* What is wrong with the input is known when the tags are already written: first they get a text
 * that keeps the place, which is then replaced in the finished file, by blanks if there is nothing
 * to say. */
void rp_mark_hold(struct rp_mark *mark);
int rp_mark_fill(const char *path, const char *text);

/* ---- damage.c -------------------------------------------------------------------------------- */

/* What a decoder of pictures calls when it has pixels, but not all or not the right ones: a failure
 * with a sentence or, if the caller of rp_image_read_damaged() takes such pictures, 0. */
int rp_image_damaged(const char *name, const char *why);

/* Whether this thread takes such pictures from now on; `note`, if not NULL, gets what was wrong with
 * the last one, or "". */
void rp_image_take_damaged(bool accept, char *note, size_t size);

/* ---- image*.c -------------------------------------------------------------------------------- */

/* One picture format. `size` bytes at `data`; `name` is for messages. */
struct rp_image_codec {
    const char *name;
    const char *extensions; /* "jpg,jpeg" */
    bool (*is)(const uint8_t *data, size_t size);
    int (*decode)(rp_image *out, const uint8_t *data, size_t size, const char *name);
    /* Write to memory: *data is malloc()ed. xmp may be NULL. */
    int (*encode)(const rp_image *image, int quality, const char *xmp, uint8_t **data, size_t *size,
                  const char *name);
    /* Where the XMP packet lies; NULL if there is none. */
    const uint8_t *(*xmp)(const uint8_t *data, size_t size, size_t *length);
};
extern const struct rp_image_codec rp_image_jpeg, rp_image_png, rp_image_webp, rp_image_bmp,
    rp_image_tiff, rp_image_gif, rp_image_heif;

/* Room for pixels; stride without padding. Checks the limits. */
int rp_image_alloc(rp_image *out, int64_t w, int64_t h, enum rp_pixel format, const char *name);

/* The codec for a file's first bytes, or for a name's extension; NULL if unknown. */
const struct rp_image_codec *rp_image_codec_of(const uint8_t *data, size_t size);
const struct rp_image_codec *rp_image_codec_for(const char *path);

/* Decode a picture file in memory. */
int rp_image_decode(rp_image *out, const uint8_t *data, size_t size, const char *name);

/* Turn in place (allocates new pixels if the sides swap). */
int rp_image_orient(rp_image *image, struct rp_orient o);

/* Make BGRA whose alpha is 255 everywhere BGR, in place. Only for pixels without padding. */
void rp_image_drop_opaque(rp_image *image);

/* The decoder of rp_image_tiff. */
int rp_tiff_decode(rp_image *out, const uint8_t *data, size_t size, const char *name);

/* Say that only the first picture of an animation is used. */
void rp_image_is_animated(const char *name);

/* Decode one picture with libavcodec: directly if the codec is known, else through the demuxer that
 * recognises the bytes. */
int rp_image_av_decode(rp_image *out, const uint8_t *data, size_t size, enum AVCodecID codec,
                       const char *name);

#endif /* RP_MEDIA_AV_H */
