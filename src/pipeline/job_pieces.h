/* A job in pieces: its folder, its journal, and what is done of it. */
#ifndef RP_JOB_PIECES_H
#define RP_JOB_PIECES_H

#include <stdatomic.h>

#include "pipeline/job_folder.h"
#include "pipeline/journal.h"
#include "pipeline/segment.h"

struct rp_media_frame;

/* Pieces in a row that are missing. */
struct rp_stretch {
    int64_t first, end; /* numbers of pieces, end excluded */
    bool open;          /* nobody knows where it ends: to the end of the job */
};

struct rp_job_pieces {
    struct rp_journal_head head;
    char id[RP_JOURNAL_ID];
    struct rp_job_folder folder;
    struct rp_journal journal;
    struct rp_segment segment;   /* count 0: all of it */
    struct rp_journal_list done; /* by number, valid and there */
    int64_t from, to;            /* pieces of this process; to: INT64_MAX if it is the last share */
    char (*machine)[RP_JOURNAL_MACHINE]; /* that made what is done, each kind once; own first */
    int nmachines;

    /* Of the frames that come now, in order. */
    struct rp_content_sampler sampler; /* after the last of them */
    struct rp_journal_piece *open;     /* by number: not yet done */
    int nopen, room;
    atomic_bool damaged; /* frames of this stretch are lost */
};

/* What is wanted of what is there. */
enum rp_resume { RP_RESUME_IF_SAME = 0, RP_RESUME_OR_FAIL, RP_RESUME_JOIN };

/* Open the folder of the output and find out what is done. One line says how it goes on; what
 * another job has left there is removed, with a sentence that says what is different. If kinds of
 * machines made what is done, or will make it, whose bytes may differ, a warning says so: such
 * pieces fit together. RP_ERR_AGAIN if another process makes this output and this one makes more
 * than a share of it.
 *
 * For a join nothing is removed or begun; RP_ERR_USAGE with a sentence if what is there is of other
 * jobs, too.
 * @param job_head  of the job
 * @param pieces    that there are, at most */
int rp_job_pieces_open(struct rp_job_pieces *p, const char *output,
                       const struct rp_journal_head *job_head, const struct rp_segment *segment,
                       int64_t pieces, enum rp_resume resume);

/* The output is not made in pieces: what an earlier run has left of it, as its target was another
 * one, is removed, with a sentence. */
int rp_job_pieces_leave(const char *output);

/* The next stretch that this process has to make, beginning with piece `from`; false: none. */
bool rp_job_pieces_next(const struct rp_job_pieces *p, int64_t from, struct rp_stretch *out);

/* A finished piece by its number, or NULL. */
const struct rp_journal_piece *rp_job_pieces_find(const struct rp_job_pieces *p, int64_t number);

/* From now on frames come from the first of this piece on. */
void rp_job_pieces_begin(struct rp_job_pieces *p, const struct rp_content_sampler *sampler);

/* The next frame has been worked on. In order. */
int rp_job_pieces_count(struct rp_job_pieces *p, const struct rp_media_frame *frame);

/* A piece of the frames that were counted has its name: it becomes a line of the journal.
 * @param last  the job ends with it */
int rp_job_pieces_done(struct rp_job_pieces *p, int64_t number, const char *path, bool last);

/* Sums of what is done before piece `number`. */
struct rp_piece_sums {
    int64_t pieces, frames, faces, changed, checked, positive;
    bool overflow, damaged;
};
void rp_job_pieces_sum(const struct rp_job_pieces *p, int64_t number, struct rp_piece_sums *out);

/* Is each piece from the first to the last there? */
bool rp_job_pieces_complete(const struct rp_job_pieces *p, const struct rp_journal_piece **last);

/* The sentence for pieces that are missing: RP_ERR_AGAIN. */
int rp_job_pieces_fail_missing(const struct rp_job_pieces *p, const char *output, int64_t pieces);

/* Close it. @param remove  the folder too, as far as nobody else works in it */
void rp_job_pieces_close(struct rp_job_pieces *p, bool remove);

#endif /* RP_JOB_PIECES_H */
