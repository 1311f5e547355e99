/* What is done of a job in pieces: a text file in its folder, with a line for each finished piece.
 *
 *     reprise-journal 2 CRC
 *     program ... CRC           the head: what the job is
 *     ...
 *     piece 0 0 250 ... CRC     one line a piece
 *
 * A line ends with the CRC-32, as eight hex digits, of all lines so far. What does not fit it ends
 * the valid part, so that of a journal that was cut or damaged anywhere the lines before that place
 * count and nothing else. A piece's file is on disk before its line is (rp_journal_add), and the
 * line says its SHA-256.
 *
 * Each process writes a journal of its own: there may be many in a folder, and no two machines
 * write to the same file. */
#ifndef RP_JOURNAL_H
#define RP_JOURNAL_H

#include "base/hash.h"
#include "face/content.h"

#define RP_JOURNAL_EXT ".journal"
enum { RP_JOURNAL_MAX = 64 << 20 }; /* bytes that are read of one */

#define RP_JOURNAL_MACHINE 480

/* What the job is: pieces of jobs with the same head may be joined. */
struct rp_journal_head {
    char program[64];            /* version and build */
    char options[RP_SHA256_HEX]; /* those that change the picture */
    char models[RP_SHA256_HEX];  /* the files that are used */
    char target[RP_SHA256_HEX];
    char sources[RP_SHA256_HEX]; /* and other files that options name */
    char device[32];             /* "cpu", "gpu" */
    int64_t lockstep;            /* frames whose networks run together, at least 1 */
    int64_t first, end;          /* frames of the target that are asked for; end 0: to the last */
    int64_t piece;               /* frames of a piece, at least 1 */

    /* Where it is made, as far as bytes may depend on it: kind of processor and GPU, libraries. Of
     * no account for rp_journal_same() and rp_journal_id(). */
    char machine[RP_JOURNAL_MACHINE];
};

struct rp_journal_piece {
    int64_t number;
    int64_t first, end; /* frames of the target, end excluded */
    int64_t frames;     /* that there were */
    int64_t bytes;      /* of its file */
    char sha256[RP_SHA256_HEX];
    int64_t faces, changed;
    int64_t checked, positive; /* by the content check */
    bool overflow, damaged;    /* more faces than there is room for; frames of the target lost */
    bool last;                 /* the target ends with it */
    uint32_t before;           /* rp_journal_state() of the sampler before its first frame */
    struct rp_content_sampler after; /* after its last frame */
    int machine; /* not in the text: which of the machines that the reader of journals counts */
};

/* What a journal says; all that is valid of it. */
struct rp_journal_list {
    struct rp_journal_piece *piece;
    int n, room;
};

/* Add what a journal's text says to the list. False if its head is not whole; *head is then not to
 * be used. Any bytes may be given. RP_ERR_NOMEM makes it fail as a whole. */
int rp_journal_parse(const char *text, size_t size, struct rp_journal_head *head, bool *valid,
                     struct rp_journal_list *list);
int rp_journal_put(struct rp_journal_list *list, const struct rp_journal_piece *piece);
void rp_journal_list_free(struct rp_journal_list *list);

/* Do two jobs make the same pieces? Else `what`, if not NULL, becomes what differs: "the options
 * and the target". */
bool rp_journal_same(const struct rp_journal_head *a, const struct rp_journal_head *b, char *what,
                     size_t size);

/* 12 hex digits that stand for the head, in names of files. */
#define RP_JOURNAL_ID 13
int rp_journal_id(const struct rp_journal_head *head, char id[RP_JOURNAL_ID]);

/* A checksum of the sampler's state. */
uint32_t rp_journal_state(const struct rp_content_sampler *sampler);

/* One that is being written. */
struct rp_journal {
    char *path; /* NULL: none is open */
    int fd, folder;
    uint32_t crc;
};

/* Make a journal that is not there yet, with its head, on disk. */
int rp_journal_begin(struct rp_journal *journal, const char *path,
                     const struct rp_journal_head *head);

/* A line for a piece whose file has its name and is on disk (with its data; the folder is flushed
 * here, before the line). When this returns the line is on disk, too. */
int rp_journal_add(struct rp_journal *journal, const struct rp_journal_piece *piece);
void rp_journal_close(struct rp_journal *journal);

#endif /* RP_JOURNAL_H */
