/* The folders of the jobs: JOBS/drafted, queued, completed and failed, with a file ID.json for each
 * job, FaceFusion's.
 *
 * Several processes may work in them. Whoever changes anything holds a lock (flock) on the folder
 * JOBS, shortly; whoever runs a job also holds one on the job's file, from the claim to the end,
 * and no other process touches a job that is held. Both locks end with the process, however it
 * ends. A file is replaced by a whole one, which is on the disk before it gets its name. */
#ifndef JOB_STORE_H
#define JOB_STORE_H

#include "app/job_file.h"

#define JOB_FOLDERS 4 /* the first of enum job_status */

struct job_store {
    char *path;
    int dir; /* of `path`, which is locked */
    int folders[JOB_FOLDERS];
    int locks; /* how often this process has locked it */
};

/* Make the folders if they are not there. */
int job_store_open(struct job_store *store, const char *path);
void job_store_close(struct job_store *store);

/* Wait for the lock of the folder. May be nested. */
int job_store_lock(struct job_store *store);
void job_store_unlock(struct job_store *store);

/* One job, held. */
struct job {
    char id[JOB_ID_SIZE];
    enum job_status folder;
    int fd; /* locked; -1: there is none yet, or it is only looked at */
    json_t *json;
};

/* The folder that a job is in; -1 if there is none of this id. */
int job_store_find(const struct job_store *store, const char *id);

/* Open the file of a job.
 * @param how  JOB_READ: what is in it; JOB_HOLD: lock it
 * @return 0; JOB_BUSY, without a sentence, if another process holds it; or a failure. Under the
 * lock of the folder. */
#define JOB_READ 1u
#define JOB_HOLD 2u
#define JOB_BUSY 1
int job_load(struct job *job, struct job_store *store, const char *id, enum job_status folder,
             unsigned how);
void job_close(struct job *job);

/* Write the job into its folder, and hold the new file. `dated`: as of now. Locks by itself. */
int job_save(struct job *job, struct job_store *store, bool dated);

/* Move its file. Locks by itself. */
int job_move(struct job *job, struct job_store *store, enum job_status folder);

/* Remove its file. Under the lock of the folder. */
int job_remove(struct job *job, struct job_store *store);

/* The ids in a folder, the oldest file first; to be freed as one. Returns how many, or a failure.
 */
int job_list(const struct job_store *store, enum job_status folder, char (**ids)[JOB_ID_SIZE]);

#endif /* JOB_STORE_H */
