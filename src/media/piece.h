/* The picture of a video, encoded in pieces.
 *
 * A video is cut at multiples of a number of frames, counted from the target's first frame: piece k
 * is its frames k*N to (k+1)*N - 1, as far as the job's range has them. Each piece has an encoder
 * of its own, which begins with a key frame and refers to nothing outside, so pieces can be encoded
 * at the same time, in any order, in any process and on any machine: a piece is a function of its
 * frames, of the settings, and of the time of the job's first frame. Joined in their order
 * (rp_writer_piece()) they are the video; sound and all else is added there.
 *
 * A piece is a file. It gets its name when it is complete and on disk, and says itself whether it
 * is whole.
 *
 *     rp_pieces_open(&pieces, output, target, reader, &params);   once; reader: of the job's range
 *     rp_piece_begin(&piece, pieces, path, pts of the job's first frame);
 *     rp_piece_write(piece, frame) ...                            frames [a, b)
 *     rp_piece_finish(piece, pts of frame b, or RP_PIECE_LAST);
 *     rp_piece_end(&piece);
 *     ...
 *     rp_writer_open(&writer, temp, target, reader, &params);     the same params
 *     rp_writer_piece(writer, path) ...                           in order
 *     rp_writer_finish(writer);
 *
 * The frames that are written must have gone through the same processors in the same way as in a
 * job of the whole: this folder knows nothing of that. */
#ifndef RP_MEDIA_PIECE_H
#define RP_MEDIA_PIECE_H

#include "media/media.h"

#define RP_PIECE_LAST INT64_MIN

/* Frames of a piece of so many seconds, by the target's rate; at least 2. 0 for 0 seconds or less:
 * the video is not cut. It is the same in every process. */
int64_t rp_piece_frames(const struct rp_video_info *info, double seconds);

/* Are these frames of the target (end excluded) in more than one piece? */
bool rp_piece_several(int64_t frames, int64_t first, int64_t end);

/* What the pieces of a job have in common. Threads: any number may make pieces of it at once. */
struct rp_pieces;

/* @param output  its extension chooses the container. Nothing is written.
 * @param reader  of the target, with the job's range; no longer needed afterwards.
 * @param params  as for the writer; strings and mark are copied or not used. `threads` is not used:
 *                every piece has the same number, so that it does not depend on the machine.
 * *out is NULL, without a failure, where pieces cannot be made exactly: for encoders other than
 * libx264, libx264rgb, libx265 and libvpx-vp9. */
int rp_pieces_open(struct rp_pieces **out, const char *output, const char *target,
                   const struct rp_reader *reader, const struct rp_writer_params *params);
void rp_pieces_close(struct rp_pieces **pieces);

/* Threads that the encoder of a piece keeps busy: the same on every machine. */
int rp_piece_threads(void);

/* ---- one piece ------------------------------------------------------------------------------- */

/* Threads: one at a time. */
struct rp_piece;

/* @param path   of the piece; its folder must exist
 * @param first  pts of the first frame of the job (not of the piece) */
int rp_piece_begin(struct rp_piece **out, const struct rp_pieces *pieces, const char *path,
                   int64_t first);

/* Encode the next frame of the piece. It stays the caller's. */
int rp_piece_write(struct rp_piece *piece, const struct rp_media_frame *frame);

/* Complete the file, on disk and under its name.
 * @param next  pts of the frame after the piece, up to which its last frame is shown; RP_PIECE_LAST
 *              at the end of the job */
int rp_piece_finish(struct rp_piece *piece, int64_t next);

/* Give up, if it is not finished, and free. */
void rp_piece_end(struct rp_piece **piece);

/* ---- files of pieces ------------------------------------------------------------------------- */

struct rp_piece_info {
    int64_t first, last; /* numbers of its first and last frame */
    int64_t end;         /* pts at which the last frame ends */
    int64_t packets;     /* encoded frames; with a lower rate there may be none */
    int64_t bytes;       /* of the file */
};

/* Reads all of it. RP_ERR_FORMAT with a sentence if it is not a piece, or not whole. */
int rp_piece_check(const char *path, struct rp_piece_info *info);

/* Add a piece to an output, in order, instead of frames. RP_ERR_FORMAT with a sentence if the piece
 * is not whole, does not follow on the one before, or was encoded with other settings. */
int rp_writer_piece(struct rp_writer *writer, const char *path);

#endif /* RP_MEDIA_PIECE_H */
