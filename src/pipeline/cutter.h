/* The encoders of a video that is encoded in pieces (media/piece.h), several at the same time.
 *
 * Frames come in order and wait for the encoder of their piece. While a piece comes in, the ones
 * before it are still being encoded: with as many encoders as frames can be made for, half a piece
 * for each encoder waits. So pieces are short, and what waits is bounded: who puts frames has to
 * wait until there is room. */
#ifndef RP_CUTTER_H
#define RP_CUTTER_H

#include "base/base.h"

struct rp_media_frame;
struct rp_pieces;
struct rp_cutter;

struct rp_cutter_params {
    const struct rp_pieces *pieces;
    int64_t frames; /* of a piece, rp_piece_frames() */
    int64_t origin; /* pts of the first frame of the job, which need not be the first that is put */
    int encoders;   /* at the same time, at least 1 */
    int64_t waiting; /* bytes of frames that may wait; one frame always may */
    /* A heap string, where piece `number` is to be written; NULL if out of memory. Any thread. */
    char *(*name)(void *priv, int64_t number);
    /* A piece is complete: called for one after the other in their order, on the thread that puts
     * frames. A status < 0 ends all. */
    int (*done)(void *priv, int64_t number, const char *path);
    void *priv;
};

/* Starts the threads of the encoders. */
int rp_cutter_create(struct rp_cutter **out, const struct rp_cutter_params *params);

/* Takes the next frame. The first failure of any encoder comes out of this, and of the next one. */
int rp_cutter_put(struct rp_cutter *cutter, struct rp_media_frame **frame);

/* There are no more: ends the last piece, and waits for all.
 * @param after  pts of the frame that would be next; RP_PIECE_LAST at the end of the job */
int rp_cutter_finish(struct rp_cutter *cutter, int64_t after);

/* Gives up what is not finished. */
void rp_cutter_destroy(struct rp_cutter **cutter);

/* How many encoders there should be for frames of so many bytes on so many cores, and how many
 * bytes of frames may then wait, which is a part of `memory`. */
int rp_cutter_encoders(int cores, int64_t frames, int64_t bytes, int64_t memory, int64_t *waiting);

#endif /* RP_CUTTER_H */
