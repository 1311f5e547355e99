/* Built in place of nearly all of this folder if FFmpeg and the picture libraries are missing. */
#include "media/media.h"
#include "media/piece.h"
#include "media/sound.h"

static int none(void)
{
    return rp_fail(RP_ERR_UNSUPPORTED,
                   "this program was built without FFmpeg: it cannot read or write media files");
}

int rp_media_frame_alloc(struct rp_media_frame **out, enum rp_pixfmt fmt, int w, int h)
{
    (void) fmt, (void) w, (void) h;
    *out = NULL;
    return none();
}

void rp_media_frame_free(struct rp_media_frame **frame)
{
    *frame = NULL;
}

int rp_media_frame_writable(struct rp_media_frame *frame)
{
    (void) frame;
    return none();
}

int rp_media_frame_add_alpha(struct rp_media_frame *frame)
{
    (void) frame;
    return none();
}

int rp_media_frame_resize(struct rp_media_frame *frame, int w, int h)
{
    (void) frame, (void) w, (void) h;
    return none();
}

int rp_media_frame_scale(struct rp_media_frame *frame, int w, int h)
{
    (void) frame, (void) w, (void) h;
    return none();
}

int rp_media_frame_image(const struct rp_media_frame *frame, rp_image *out)
{
    (void) frame;
    *out = (rp_image){0};
    return none();
}

bool rp_image_keeps_alpha(const char *path)
{
    (void) path;
    return true;
}

bool rp_video_keeps_alpha(const char *path, const char *encoder)
{
    (void) path, (void) encoder;
    return true;
}

const struct rp_hardware *rp_encoder_hardware(const char *encoder)
{
    (void) encoder;
    return NULL;
}

int rp_encoder_opens(const char *encoder, char *why, size_t size)
{
    (void) encoder;
    snprintf(why, size, "built without FFmpeg");
    return 0;
}

int rp_media_probe(const char *path, enum rp_media_kind *kind)
{
    (void) path;
    *kind = RP_MEDIA_UNKNOWN;
    return none();
}

int rp_media_frame_twin(const struct rp_media_frame *frame, int w, int h,
                        struct rp_media_frame **out)
{
    (void) frame, (void) w, (void) h;
    *out = NULL;
    return 0;
}

int rp_media_frame_become(struct rp_media_frame *frame, struct rp_media_frame **twin)
{
    (void) frame, (void) twin;
    return none();
}

int rp_reader_open(struct rp_reader **out, const char *path, const struct rp_reader_params *params)
{
    (void) path, (void) params;
    *out = NULL;
    return none();
}

void rp_media_versions(char *text, size_t size)
{
    snprintf(text, size, "no FFmpeg");
}

int rp_reader_attach(struct rp_reader *reader, const struct rp_frame_memory *memory)
{
    (void) reader, (void) memory;
    return none();
}

void rp_reader_close(struct rp_reader **reader)
{
    *reader = NULL;
}

const struct rp_video_info *rp_reader_info(const struct rp_reader *reader)
{
    (void) reader;
    return NULL;
}

int rp_reader_next(struct rp_reader *reader, struct rp_media_frame **frame)
{
    (void) reader;
    *frame = NULL;
    return none();
}

bool rp_reader_damage(struct rp_reader *reader, char *text, size_t size)
{
    (void) reader;
    snprintf(text, size, "%s", "");
    return false;
}

int rp_reader_forward(struct rp_reader *reader, int64_t index, struct rp_media_frame **frame)
{
    (void) reader, (void) index;
    *frame = NULL;
    return none();
}

int rp_reader_frame(const char *path, int64_t index, struct rp_media_frame **frame)
{
    (void) path, (void) index;
    *frame = NULL;
    return none();
}

int rp_writer_open(struct rp_writer **out, const char *path, const char *target,
                   const struct rp_reader *reader, const struct rp_writer_params *params)
{
    (void) path, (void) target, (void) reader, (void) params;
    *out = NULL;
    return none();
}

int rp_writer_write(struct rp_writer *writer, const struct rp_media_frame *frame)
{
    (void) writer, (void) frame;
    return none();
}

void rp_writer_note(struct rp_writer *writer, const char *damage)
{
    (void) writer, (void) damage;
}

int rp_writer_finish(struct rp_writer *writer)
{
    (void) writer;
    return none();
}

void rp_writer_close(struct rp_writer **writer)
{
    *writer = NULL;
}

static const char *const no_encoders[] = {NULL};

const char *const *rp_video_encoders(void)
{
    return no_encoders;
}

const char *const *rp_audio_encoders(void)
{
    return no_encoders;
}

int rp_image_read_sized(rp_image *out, size_t size, const char *path)
{
    (void) path;
    memset(out, 0, size);
    return none();
}

int rp_image_encode_sized(const rp_image *image, size_t size, const char *name, int quality,
                          uint8_t **data, size_t *bytes)
{
    (void) image, (void) size, (void) name, (void) quality;
    *data = NULL;
    *bytes = 0;
    return none();
}

int rp_file_look_sized(const char *path, rp_file_info *out, size_t size)
{
    (void) path;
    memset(out, 0, size);
    return none();
}

int rp_live_open_sized(rp_live **out, const rp_live_params *params, size_t size)
{
    (void) params, (void) size;
    *out = NULL;
    return none();
}

int rp_live_next_sized(rp_live *live, rp_image *image, size_t image_size, rp_live_frame *frame,
                       size_t frame_size)
{
    (void) live, (void) frame, (void) frame_size;
    memset(image, 0, image_size);
    return none();
}

void rp_live_stop(rp_live *live)
{
    (void) live;
}

void rp_live_close(rp_live **live)
{
    *live = NULL;
}

int rp_frames_open(rp_frames **out, const char *path)
{
    (void) path;
    *out = NULL;
    return none();
}

void rp_frames_close(rp_frames **frames)
{
    *frames = NULL;
}

int rp_frames_read_sized(rp_frames *frames, rp_image *out, size_t size, int64_t index, int width)
{
    (void) frames, (void) index, (void) width;
    memset(out, 0, size);
    return none();
}

int rp_frame_read_sized(rp_image *out, size_t size, const char *path, int64_t index, int width)
{
    (void) path, (void) index, (void) width;
    memset(out, 0, size);
    return none();
}

int rp_image_read_damaged(rp_image *out, const char *path, bool accept, char *note, size_t size)
{
    (void) path, (void) accept;
    memset(out, 0, sizeof(*out));
    snprintf(note, size, "%s", "");
    return none();
}

int rp_image_write_sized(const rp_image *image, size_t size, const char *path, int quality)
{
    (void) image, (void) size, (void) path, (void) quality;
    return none();
}

int rp_image_write_marked(const rp_image *image, const char *path, const char *format_of,
                          int quality, const struct rp_mark *mark)
{
    (void) image, (void) path, (void) format_of, (void) quality, (void) mark;
    return none();
}

int rp_image_scale(rp_image *out, const rp_image *image, int w, int h)
{
    (void) image, (void) w, (void) h;
    memset(out, 0, sizeof(*out));
    return none();
}

int rp_join_videos(int n, const char *const *paths, const char *output)
{
    (void) n, (void) paths, (void) output;
    return none();
}

int rp_inspect_sized(const char *path, rp_mark *out, size_t size)
{
    (void) path;
    memset(out, 0, size);
    return none();
}

int rp_sound_open(struct rp_sound **out, const char *path, const struct rp_sound_params *params)
{
    (void) path, (void) params;
    *out = NULL;
    return none();
}

void rp_sound_close(struct rp_sound **sound)
{
    *sound = NULL;
}

double rp_sound_start(const struct rp_sound *sound)
{
    (void) sound;
    return 0;
}

int rp_sound_read(struct rp_sound *sound, int16_t (*samples)[2], int n)
{
    (void) sound, (void) samples, (void) n;
    return none();
}

bool rp_sound_damage(const struct rp_sound *sound, char *text, size_t size)
{
    (void) sound;
    snprintf(text, size, "%s", "");
    return false;
}

int64_t rp_piece_frames(const struct rp_video_info *info, double seconds)
{
    (void) info, (void) seconds;
    return 0;
}

bool rp_piece_several(int64_t frames, int64_t first, int64_t end)
{
    (void) frames, (void) first, (void) end;
    return false;
}

int rp_pieces_open(struct rp_pieces **out, const char *output, const char *target,
                   const struct rp_reader *reader, const struct rp_writer_params *params)
{
    (void) output, (void) target, (void) reader, (void) params;
    *out = NULL;
    return none();
}

void rp_pieces_close(struct rp_pieces **pieces)
{
    *pieces = NULL;
}

int rp_piece_threads(void)
{
    return 1;
}

int rp_piece_begin(struct rp_piece **out, const struct rp_pieces *pieces, const char *path,
                   int64_t first)
{
    (void) pieces, (void) path, (void) first;
    *out = NULL;
    return none();
}

int rp_piece_write(struct rp_piece *piece, const struct rp_media_frame *frame)
{
    (void) piece, (void) frame;
    return none();
}

int rp_piece_finish(struct rp_piece *piece, int64_t next)
{
    (void) piece, (void) next;
    return none();
}

void rp_piece_end(struct rp_piece **piece)
{
    *piece = NULL;
}

int rp_piece_check(const char *path, struct rp_piece_info *info)
{
    (void) path, (void) info;
    return none();
}

int rp_writer_piece(struct rp_writer *writer, const char *path)
{
    (void) writer, (void) path;
    return none();
}
