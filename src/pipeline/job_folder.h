/* The folder of a job in pieces: ".NAME.job", beside the output NAME. In it are
 *
 *     ID-NUMBER.piece    a piece that is done
 *     ID-....journal     what is known of the pieces, one file for each process
 *     ID.options         of a job in segments (job_options.c)
 *     HOST-PID.live      of each process that works on the job, as long as it does
 *
 * ID stands for what the job is (rp_journal_id), so that what another job has left is never taken
 * for this one's. A process holds a lock on its own .live file. Where locks do not pass from one
 * machine to the other, as on some network file systems, a process of another machine counts as
 * alive until its file has not changed for a day. Nothing but telling the living from the dead
 * depends on locks. */
#ifndef RP_JOB_FOLDER_H
#define RP_JOB_FOLDER_H

#include "base/base.h"

#define RP_FOLDER_EXT ".job"
#define RP_PIECE_EXT ".piece"
#define RP_LIVE_EXT ".live"
#define RP_OPTIONS_EXT ".options"

struct rp_job_folder {
    char *path; /* NULL: not open */
    char *live; /* name of this process's file */
    int lock;
};

/* The folder's path for an output, a heap string; NULL if out of memory. A link is followed. */
char *rp_job_folder_path(const char *output);

/* Make it, if it is not there, and this process's file in it. */
int rp_job_folder_open(struct rp_job_folder *folder, const char *path);

/* Say that this process still works on it, where locks do not say so. */
void rp_job_folder_touch(const struct rp_job_folder *folder);

/* Take this process's file away. */
void rp_job_folder_close(struct rp_job_folder *folder);

/* Does another process work on the job? @param but  NULL, or the name of a .live file not to count
 * @param sure  only a lock that is held counts */
bool rp_job_folder_is_live(const char *path, const char *but, bool sure);

/* Remove files of ours; the folder too, if it is empty then.
 * @param keep  NULL, or an ID whose files stay. @return false if something is left */
bool rp_job_folder_remove(const char *path, const char *keep);

/* Each file of ours with this ending. `fn` returns 0 to go on. */
typedef int rp_job_file_fn(void *priv, const char *name, int64_t bytes);
int rp_job_folder_each(const char *path, const char *ext, rp_job_file_fn *fn, void *priv);

/* ---- whole names of files in it; heap strings, NULL if out of memory ---- */

char *rp_job_folder_piece(const char *path, const char *id, int64_t number);
char *rp_job_folder_options(const char *path, const char *id);
/* A journal that is not there yet. */
char *rp_job_folder_journal(const char *path, const char *id);

#endif /* RP_JOB_FOLDER_H */
