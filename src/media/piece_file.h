/* Files of pieces: what is written, and how it is read again.
 *
 * All numbers are little endian. First the head: "RPPIECE1", shape and settings of the encoder, the
 * headers that it gave; then packets; at the end what they are and a CRC-32 of everything before.
 * Packets keep times, flags and side data exactly.
 *
 * A file may come from anywhere: nothing of it is believed before it is checked. */
#ifndef RP_MEDIA_PIECE_FILE_H
#define RP_MEDIA_PIECE_FILE_H

#include "media/encode.h"
#include "media/piece.h"

#define RP_PIECE_SETTINGS 256
#define RP_PIECE_DELAY_MAX 8 /* packets */

struct rp_piece_head {
    struct rp_encode_shape shape;
    int64_t origin;                   /* pts of the job's first frame */
    char settings[RP_PIECE_SETTINGS]; /* rp_piece_settings() */
};

/* What must be equal for pieces to fit together, as far as an encoder's headers need not show it.
 */
void rp_piece_settings(const struct rp_encode *encode, char text[RP_PIECE_SETTINGS]);

/* ---- writing --------------------------------------------------------------------------------- */

struct rp_piece_out {
    FILE *file;
    const char *path; /* for messages */
    uint32_t crc;
    int64_t packets;
    int error; /* 0, or errno of the first failure */
};

/* None of these fails before rp_piece_out_end(), which tells. */
void rp_piece_out_head(struct rp_piece_out *out, const struct rp_piece_head *head,
                       const uint8_t *extradata, size_t size);
void rp_piece_out_packet(struct rp_piece_out *out, const AVPacket *packet);
int rp_piece_out_end(struct rp_piece_out *out, const struct rp_piece_info *info);

/* ---- reading --------------------------------------------------------------------------------- */

struct rp_piece_file;

/* Checks all of it: RP_ERR_FORMAT with a sentence if it is not whole. */
int rp_piece_file_open(struct rp_piece_file **out, const char *path);
/* The same for an open file, which becomes the reader's, also on failure. */
int rp_piece_file_take(struct rp_piece_file **out, FILE *file, const char *path);
void rp_piece_file_close(struct rp_piece_file **file);

const struct rp_piece_head *rp_piece_file_head(const struct rp_piece_file *file);
const struct rp_piece_info *rp_piece_file_info(const struct rp_piece_file *file);

/* The next packet: 1, 0 after the last. */
int rp_piece_file_next(struct rp_piece_file *file, AVPacket *packet);

/* Was it made as `encode`, and as a piece with this head? RP_ERR_FORMAT with a sentence. */
int rp_piece_file_fits(const struct rp_piece_file *file, const struct rp_encode *encode,
                       const struct rp_piece_head *head);

/* ---- times ----------------------------------------------------------------------------------- */

/* When packets of joined pieces are decoded: encoders know only their own piece, so the order of
 * all times decides, as in one encoder. Packet i is decoded when frame i - delay is shown. */
struct rp_piece_clock {
    int delay;
    int64_t step;                     /* of an ordinary frame, in the encoder's time base */
    int64_t count;                    /* packets so far */
    int64_t first;                    /* time of the first frame */
    int64_t last[RP_PIECE_DELAY_MAX]; /* the latest times, in a ring */
    int64_t newest;                   /* of all; of the pieces before the one that is read */
};

/* For an encoder like that of the pieces. */
int rp_piece_clock_begin(struct rp_piece_clock *clock, const struct rp_encode *encode);

/* Set the dts of the packet that rp_piece_file_next() just gave. RP_ERR_FORMAT with a sentence if
 * the piece does not follow on the ones before, or it is decoded after it is shown. */
int rp_piece_clock_set(struct rp_piece_clock *clock, const struct rp_piece_file *file,
                       AVPacket *packet);

#endif /* RP_MEDIA_PIECE_FILE_H */
