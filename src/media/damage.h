/* What of one stream of a file is lost: an account that readers keep, and the sentence about it.
 *
 * A piece is a frame, or a packet of a stream that is only copied. What does not count:
 *
 *   - before the first good piece: a recording may begin anywhere, and its first frames refer to
 *     what was never recorded. Where the container knows its own length and the first packet is a
 *     key frame, errors (not frames marked as doubtful) count there too.
 *   - at the end, up to three errors, if the container does not say how long the file should be: a
 *     recording is stopped in the middle of a packet. Good frames may still come after that one,
 *     as they are shown later.
 *
 * Threads: one at a time. */
#ifndef RP_MEDIA_DAMAGE_H
#define RP_MEDIA_DAMAGE_H

#include "media/whole.h"

struct rp_damage {
    char what[96];    /* "video", "audio track 1 (aac)" */
    const char *unit; /* "frames", "packets" */
    bool strict;      /* the container knows its length */
    bool loose;       /* errors before the first good piece do not count */
    bool exact;       /* `promised` is no estimate */
    int64_t promised; /* pieces; 0: unknown */
    int64_t good;     /* pieces that came */
    int64_t bad;      /* pieces that are refused or marked as damaged */
    int64_t missing;  /* pieces of which nothing came */
    bool cut;         /* the file ended before the stream did */
    double at;        /* seconds, of the first of them */
    char why[96];

    bool begun;
    int early, pending; /* not yet known whether they count */
    int since;          /* good pieces after the first pending one */
    int tail;           /* errors at the end that do not */
    double pending_at;
    char pending_why[96];
};

/* `whole` may be NULL: nothing is known about the file. */
void rp_damage_begin(struct rp_damage *d, const struct rp_whole *whole, const char *unit,
                     const char *fmt, ...) RP_PRINTF(4, 5);

/* A piece has come. */
void rp_damage_good(struct rp_damage *d);

/* A piece was refused by a decoder or a reader, for a reason. `doubtful`: it came, marked. */
void rp_damage_bad(struct rp_damage *d, double at, const char *why, bool doubtful);

/* The end was reached, `cut` before it should be. */
void rp_damage_end(struct rp_damage *d, bool cut);

/* Is anything lost for certain? */
bool rp_damage_any(const struct rp_damage *d);

/* "video: 156 of 277 frames, cut short". Without ';' and line ends. Returns `text`. */
char *rp_damage_text(const struct rp_damage *d, char *text, size_t size);

/* RP_ERR_FORMAT with the sentence. */
int rp_damage_fail(const struct rp_damage *d, const char *path);

/* What a frame says about itself, or NULL if it is good. */
const char *rp_damage_of_frame(const AVFrame *f);

#endif /* RP_MEDIA_DAMAGE_H */
