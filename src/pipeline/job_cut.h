/* The pieces of one job: where they lie, and that they become the output. */
#ifndef RP_JOB_CUT_H
#define RP_JOB_CUT_H

#include "pipeline/job.h"

struct rp_job_cut;

struct rp_job_cut_params {
    struct rp_job *job;
    const char *temp; /* of the output; beside it a folder holds the pieces */
    const struct rp_reader *reader;
    const struct rp_writer_params *params; /* of the writer */
    struct rp_writer *writer;              /* takes the pieces, in the thread that puts frames */
    int64_t first, total;                  /* frames of the job, total as the file claims */
};

/* *out is NULL, without a failure, if the video is not cut: it has no more than one piece, the
 * encoder cannot do it, or the option says so. */
int rp_job_cut_open(struct rp_job_cut **out, const struct rp_job_cut_params *params);

/* Takes a frame, in order. */
int rp_job_cut_put(struct rp_job_cut *pieces, struct rp_media_frame **frame);

/* There are no more frames; afterwards the writer has all. */
int rp_job_cut_finish(struct rp_job_cut *pieces);

/* Also removes the folder. */
void rp_job_cut_close(struct rp_job_cut **pieces);

#endif /* RP_JOB_CUT_H */
