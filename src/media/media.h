/* Pictures, video and audio files: the only folder that includes libav*, libjpeg-turbo, libspng,
 * libwebp, libtiff, libheif and Little CMS. Everything above it sees host memory in the formats below.
 *
 * Threads: a reader or writer belongs to one thread at a time; several may exist. */
#ifndef RP_MEDIA_H
#define RP_MEDIA_H

#include "base/base.h"

/* Pixel formats that frames keep from decoder to encoder, so that untouched pixels stay as they
 * were. A decoder's other formats are converted to the nearest of these by libswscale. */
enum rp_pixfmt {
    RP_FMT_YUV420P = 0, /* 8 bit, three planes */
    RP_FMT_YUV422P,
    RP_FMT_YUV444P,
    RP_FMT_YUV420P10, /* 10 bits in 16, little endian */
    RP_FMT_YUV422P10,
    RP_FMT_YUV444P10,
    RP_FMT_BGR24,  /* pictures, RGB video, GIF: one plane */
    RP_FMT_YUVA420P, /* with alpha as a fourth plane: VP9 */
    RP_FMT_YUVA444P10, /* ProRes 4444 */
    RP_FMT_YUVA422P,   /* other formats with a fourth plane */
    RP_FMT_YUVA444P,
    RP_FMT_YUVA420P10,
    RP_FMT_YUVA422P10,
    RP_FMT_BGR24_ALPHA, /* BGR24 in plane 0, alpha in plane 3 */
    RP_FMT_COUNT
};

enum rp_matrix { RP_MATRIX_BT709 = 0, RP_MATRIX_BT601, RP_MATRIX_BT2020 };

/* What decides how YUV becomes BGR. Without tags: bt601, limited. */
struct rp_colour {
    enum rp_matrix matrix;
    bool full_range;
};

/* Where the planes of frames are put: functions of a device whose copies are faster from memory of
 * its own. Threads: any. */
struct rp_frame_memory {
    int (*alloc)(void *priv, size_t size, void **out); /* zeroed */
    void (*free)(void *priv, void *p);
    void *priv; /* must stay as long as any frame */
    bool only;  /* nothing else will do when there is no more of it */
};

/* A decoded picture in a surface of a GPU's driver: luma, and chroma whose U and V alternate. */
struct rp_surface {
    uint8_t *y, *uv;
    int y_stride, uv_stride;
    int w, h;
    bool deep; /* 10 bits, the upper ones of 16 */
};

/* A decoder on a GPU (NVDEC). It must stay as long as any frame. */
struct rp_gpu_decoder {
    void *context, *queue;         /* CUcontext, CUstream: what is done there is in order */
    struct rp_frame_memory memory; /* on the GPU */
    /* Copy a surface into three planes on the GPU, and wait for that. */
    int (*read)(void *priv, const struct rp_surface *from, uint8_t *const *plane,
                const int *stride);
    void *priv;
};

/* A frame in host memory, owned by whoever holds it. The planes belong to `ref`. */
struct rp_media_frame {
    enum rp_pixfmt fmt;
    struct rp_colour colour;
    int w, h;
    uint8_t *plane[4];
    int stride[4];     /* bytes */
    int64_t index;     /* number in the file, from 0 */
    int64_t pts;       /* in the reader's time base */
    int64_t duration;  /* same; 0 when unknown */
    double time;       /* seconds after the file's first frame */
    bool key;
    bool check, positive; /* the pipeline's: is it for the content check, which is against it? */
    int faces, changed;   /* the pipeline's: found in it, and those that were worked on */
    bool overflow;        /* the pipeline's: there were more than it takes */
    bool aside;        /* outside the reader's range: to be looked at, not to be put out */
    rp_image *device;  /* not NULL: the frame has no planes; its pixels are in this picture, on the
                        * device that works on it (RP_FMT_BGR24, RP_FMT_BGR24_ALPHA) */
    bool on_gpu;       /* the planes are memory of a GPU: nothing but a port reads them */
    void *ref;         /* the AVFrame that holds the planes; only src/media writes this */
    void *store;       /* where its planes come from, or NULL; likewise */
};

/* A frame with room for pixels (not cleared). Its colour is that of untagged video. */
int rp_media_frame_alloc(struct rp_media_frame **out, enum rp_pixfmt fmt, int w, int h);

void rp_media_frame_free(struct rp_media_frame **frame);

/* Make the planes of a frame writable (copies them if they are shared with the decoder). */
int rp_media_frame_writable(struct rp_media_frame *frame);

/* Room for what a frame shall become (not filled in): planes of the same format and w x h pixels,
 * from the reader's rp_frame_memory. *out is NULL if the frame does not come from such a reader. */
int rp_media_frame_twin(const struct rp_media_frame *frame, int w, int h,
                        struct rp_media_frame **out);
/* The frame takes over the twin's planes and size; the twin (NULL afterwards) is gone. */
int rp_media_frame_become(struct rp_media_frame *frame, struct rp_media_frame **twin);

/* Give a frame without alpha an alpha plane (plane[3], not filled in). Its format becomes the one
 * with alpha; the other planes stay. */
int rp_media_frame_add_alpha(struct rp_media_frame *frame);

/* Give a frame new planes of another size, all zero except alpha, which is scaled. Colour and times
 * stay. A frame over a picture's BGR pixels gets malloc()ed planes, which become the caller's, with
 * alpha zero too. RP_ERR_LIMIT over the limits of rp_image. */
int rp_media_frame_resize(struct rp_media_frame *frame, int w, int h);

/* Scale a frame, bicubic as the writer does. */
int rp_media_frame_scale(struct rp_media_frame *frame, int w, int h);

/* A copy as a picture, BGR, or BGRA if the frame has alpha; 8 bits, converted as a reader's `rgb`
 * does. To be freed with rp_image_free(). */
int rp_media_frame_image(const struct rp_media_frame *frame, rp_image *out);

enum rp_media_kind { RP_MEDIA_UNKNOWN = 0, RP_MEDIA_IMAGE, RP_MEDIA_VIDEO, RP_MEDIA_AUDIO };

/* What a file is, by its content and, if that is not enough, its extension. A GIF with one frame is
 * an image, with several a video. Fails for a file that is missing, empty, unreadable or unknown,
 * and for a directory. */
int rp_media_probe(const char *path, enum rp_media_kind *kind);

/* ---- video in -------------------------------------------------------------------------------- */

struct rp_reader;

struct rp_reader_params {
    int64_t start, end; /* frame numbers, end excluded; end <= 0 means to the last */
    int around;         /* so many frames before `start` and from `end` on come as well, `aside` */
    int threads;        /* of the decoder; 0: one for each core */
    bool rgb;           /* frames come as RP_FMT_BGR24, unless they have alpha */
    bool refuse;        /* fail as soon as it is certain that the part is cut or damaged */
    struct rp_frame_memory memory; /* for planes; without functions: the heap */
    bool memory_later;             /* it comes with rp_reader_attach() */
    /* Not NULL: decode there where it gives the same samples; `memory` is needed too. When anything
     * seems to be wrong with the file, all is decoded again by the processor, from the first frame
     * on that has not come, and that decides what is damaged. */
    const struct rp_gpu_decoder *gpu;
};

struct rp_video_info {
    int w, h;                 /* after rotation */
    enum rp_pixfmt fmt;
    struct rp_colour colour;
    int fps_num, fps_den;     /* r_frame_rate (FaceFusion's fps); if that is absurd, the average */
    int tb_num, tb_den;       /* time base of pts */
    int64_t frames;           /* estimate for the whole file: round(duration * fps) */
    double duration;          /* seconds, 0 when unknown */
    double origin;            /* of the first frame, seconds on the file's own clock */
    int64_t start;            /* in tb: when the file begins, with sound or picture */
    bool jumps;               /* its clock may; duration and frames may then be of a part */
    bool variable_rate;       /* avg_frame_rate and r_frame_rate differ */
    bool hdr;                 /* its colours are of PQ, HLG or wider than BT.709 */
    int rotation;             /* the rotation that was undone: 0, 90, 180, 270 */
    char codec[32], container[32];
    int audio_tracks, subtitle_tracks;
};

/* Open the first video stream that is not a cover picture. Frames come upright, turned by the
 * display matrix (so the output has none). If seeking is not exact, frames before `start` are
 * decoded, counted and dropped, so that numbers are always those of the whole file. */
int rp_reader_open(struct rp_reader **out, const char *path, const struct rp_reader_params *params);
void rp_reader_close(struct rp_reader **reader);

/* Memory for the planes of a reader that was opened without, for whoever must know what the video
 * is before there is a device. Before its first frame is taken; the few frames that are decoded by
 * then stay where they are. */
int rp_reader_attach(struct rp_reader *reader, const struct rp_frame_memory *memory);
const struct rp_video_info *rp_reader_info(const struct rp_reader *reader);

/* Next frame in presentation order; *frame is NULL at the end. Broken packets are skipped and
 * counted, or with `refuse` are a failure; a file with no decodable frame at all fails with
 * RP_ERR_FORMAT. */
int rp_reader_next(struct rp_reader *reader, struct rp_media_frame **frame);

/* How much there is in the packets of the reader's whole video, from its file alone: nothing that the
 * file says of itself counts. Nothing is decoded, so there may be fewer frames, but not more.
 * Threads: any, also while frames are read. */
struct rp_video_count {
    int64_t frames;
    double seconds; /* from the first packet to the last */
    double longest; /* between two packets in a row */
};
int rp_reader_count(const struct rp_reader *reader, struct rp_video_count *count);

/* Is anything of the frames that have come so far, or should have, lost? Then `text` says what:
 * "video: 156 of 277 frames, cut short". */
bool rp_reader_damage(struct rp_reader *reader, char *text, size_t size);

/* On to the frame of this number, which has not come yet, or to the last one if there are fewer. */
int rp_reader_forward(struct rp_reader *reader, int64_t index, struct rp_media_frame **frame);

/* One frame by its number, or the last if there are fewer: for the reference frame. */
int rp_reader_frame(const char *path, int64_t index, struct rp_media_frame **frame);

/* Versions of what decodes, scales and encodes: "libavcodec 59.37.100, libswscale 6.7.100". */
void rp_media_versions(char *text, size_t size);

/* ---- video out ------------------------------------------------------------------------------- */

struct rp_writer;

/* Encoder settings; names as in FaceFusion. encoder.c maps quality and preset. */
struct rp_writer_params {
    const char *video_encoder;  /* "libx264"; NULL: the first that FFmpeg has */
    const char *video_preset;   /* "veryfast" */
    int video_quality;          /* 0..100 */
    const char *audio_encoder;  /* NULL: copy; encode only if that is impossible or volume != 100 */
    int audio_quality;          /* 0..100 */
    int audio_volume;           /* 0..100; 0 drops audio, 100 copies */
    int out_w, out_h;           /* size of the encoded picture; 0: that of the frames */
    double fps;                 /* 0: the target's timestamps (also at variable rate); else frames
                                   are dropped or repeated to give this constant rate */
    const char *replace_audio;  /* a file whose first audio track replaces the target's; or NULL */
    const struct rp_mark *mark; /* written to the metadata */
    bool alpha;                 /* frames will have alpha, which must not be lost */
    bool refuse;                /* fail when a track that is kept is cut short or damaged */
    bool note;                  /* say so in the mark and in a warning, with rp_writer_note() */
    int threads;
    const char *name;           /* of the output in messages; NULL: the path */
};

/* Start an output file.
 *
 * @param path    the temporary name; its extension chooses the container (mp4, m4v, mkv, webm, mov,
 *                avi, gif ...). The caller renames it when the writer has finished.
 * @param target  the file whose audio and subtitle tracks, metadata, chapters and colour tags are
 *                kept: tracks are copied packet by packet if the container allows, else encoded
 *                (audio) or dropped, with a warning that names the track and the reason.
 * @param reader  of the same target: gives size, time base, trim range.
 * RP_ERR_USAGE if this FFmpeg does not have the encoder, or if the encoder does not fit the
 * container or would lose alpha. */
int rp_writer_open(struct rp_writer **out, const char *path, const char *target,
                   const struct rp_reader *reader, const struct rp_writer_params *params);

/* Encode one frame, in format and size like the first one. The frame stays the caller's. Audio and
 * subtitle packets are interleaved by time, with bounded buffering. RP_ERR_IO with a sentence if
 * the disk is full. */
int rp_writer_write(struct rp_writer *writer, const struct rp_media_frame *frame);

/* What is lost of the input, for the mark and a warning; before rp_writer_finish(). "" is nothing. */
void rp_writer_note(struct rp_writer *writer, const char *damage);

/* Flush and finish the file. After a failure only rp_writer_close() may be called. */
int rp_writer_finish(struct rp_writer *writer);
void rp_writer_close(struct rp_writer **writer);

/* Encoders of FaceFusion's list that this FFmpeg has, NULL-terminated: the choices of options. */
const char *const *rp_video_encoders(void);
const char *const *rp_audio_encoders(void);

/* What an encoder of the list needs besides this program: {"NVIDIA", "an NVIDIA GPU with its driver"};
 * NULL: nothing. */
struct rp_hardware {
    const char *end; /* of the encoders' names */
    const char *brand, *needs;
};
const struct rp_hardware *rp_encoder_hardware(const char *encoder);

/* Can this encoder be opened here? 1, or 0, and then `why` is libav's word for it; RP_ERR_NOMEM. */
int rp_encoder_opens(const char *encoder, char *why, size_t size);

/* Does a video of this name keep alpha with this encoder (NULL: the one that is chosen for frames
 * with alpha)? True also where such a file cannot be written at all. */
bool rp_video_keeps_alpha(const char *path, const char *encoder);

/* ---- pictures -------------------------------------------------------------------------------- */

/* The functions of rp_image of the public header are in this folder too. */

/* Like rp_image_read(), which refuses a damaged file; if `accept`, what can be decoded of it is the
 * picture, and `note` says what is wrong, else it is "". */
int rp_image_read_damaged(rp_image *out, const char *path, bool accept, char *note, size_t size);

/* Like rp_image_write(), but to exactly this name, and with the mark, as an XMP packet. `format_of`
 * is the name whose extension chooses the format, and which messages use. */
int rp_image_write_marked(const rp_image *image, const char *path, const char *format_of,
                          int quality, const struct rp_mark *mark);

/* Does a picture file of this name keep alpha? */
bool rp_image_keeps_alpha(const char *path);

/* A copy in another size (bicubic). RP_ERR_LIMIT over the limits of rp_image. */
int rp_image_scale(rp_image *out, const rp_image *image, int w, int h);

/* ---- marking --------------------------------------------------------------------------------- */

/* One more thing that was wrong with the input; "" is nothing. What does not fit is left out. */
void rp_mark_add_damage(struct rp_mark *mark, const char *damage);

/* The XMP packet of a mark (heap string): Iptc4xmpExt:DigitalSourceType, xmp:CreatorTool,
 * reprise:Processors, reprise:Models. NULL if out of memory. */
char *rp_mark_xmp(const struct rp_mark *mark);

/* The same text for rp_image.mark: kept as long as the process lives, and equal texts once.
 * @param before  of what was done to the picture earlier, whose processors and models come first;
 *                or NULL
 * NULL if out of memory. */
const char *rp_mark_keep(const struct rp_mark *mark, const char *before);

/* rp_inspect() of the public header is in this folder. */

#endif /* RP_MEDIA_H */
