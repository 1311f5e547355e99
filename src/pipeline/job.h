/* Inside of the public job: job.c checks and dispatches, job_image.c and job_video.c work. */
#ifndef RP_JOB_H
#define RP_JOB_H

#include <stdatomic.h>

#include "base/path.h"
#include "pipeline/journal.h"
#include "pipeline/pipeline.h"

/* Frames from which on measuring pays: all, ten minutes; the networks' precision, one. */
#define RP_LONG_VIDEO 15000
#define RP_MIDDLING_VIDEO 1500

/* Of a job that is made in segments: what only who has its models open can know, and what a join
 * needs of it. */
struct rp_job_facts {
    char models[RP_SHA256_HEX]; /* as in the journal's head, like the next two */
    char device[32];
    int64_t lockstep;
    struct rp_mark mark; /* but for the software */
    char heard[320];     /* damage of the sound that lips follow */
    bool alpha;          /* frames are transparent */
};

struct rp_job {
    rp_runtime *runtime;
    const struct rp_settings *settings; /* of the options, which must outlive the job */
    struct rp_executor *executor; /* its thread opens and runs the job; NULL: the caller's does */
    struct rp_pipeline *pipeline;
    struct rp_reader
        *reader; /* of a GPU's video: opened before the pipeline was, and kept for it */
    enum rp_media_kind kind;
    bool still; /* one frame of a video becomes a picture */
    unsigned measures; /* RP_USE_MEASURE, RP_USE_MEASURE_PRECISION: what suits the GPU best, if it
                        * is not known; for long videos */
    bool join;     /* nothing is made: the output is joined of pieces that are there */
    struct rp_job_facts
        *facts; /* the options are those of segments, and only a join is possible: the
                 * pipeline has only the content check, on the processor; or NULL */
    char *target, *output;
    int slots; /* 0: to be measured */
    atomic_int cancelled;

    rp_progress_fn *progress_fn;
    void *progress_priv;
    double created, started, last_told, window_start;
    int64_t window_frames;
    struct rp_report report;
};

int rp_job_run_image(struct rp_job *job, struct rp_partial *out);
/* Commits the output itself: pieces are kept until then. */
int rp_job_run_video(struct rp_job *job, struct rp_partial *out);

/* Open the reader of a video's job before there is a pipeline: it gets its memory later. */
int rp_job_open_reader(const struct rp_job *job, struct rp_reader **reader);

/* ---- job_head.c: what a job in pieces is ---- */

/* For its journal. Reads the target and the files of options.
 * @param piece  frames of a piece
 * @param voice  hash of the voice extractor, "" if none was used */
int rp_job_head(const struct rp_job *job, int64_t piece, const char *voice,
                struct rp_journal_head *head);

/* ---- job_options.c ---- */

/* Keep the options for rp_options_read_job(), and facts for rp_job_facts_read(). */
int rp_job_options_write(const struct rp_job *job, const struct rp_job_facts *facts,
                         const char *folder, const char *id);

/* @param path  of the file that rp_options_read_job() has read; see rp_options_job_file() */
int rp_job_facts_read(const char *path, struct rp_job_facts *facts);

/* ---- job_still.c: --frame ---- */

/* RP_ERR_USAGE with a sentence if --frame does not fit the target or other options. */
int rp_job_still_check(const struct rp_job *job);
/* The sentence for a frame that is not there. */
int rp_job_still_missing(const struct rp_job *job, const struct rp_reader *reader);
/* Write the frame. @param w,h  size of the picture */
int rp_job_still_write(const struct rp_job *job, struct rp_partial *out,
                       const struct rp_media_frame *frame, int w, int h,
                       const struct rp_mark *mark);

/* Report progress to the caller, at most a few times a second unless `now`. */
void rp_job_tell(struct rp_job *job, bool now);

/* Frames were enlarged, but no option says to keep that size: log which option would. */
void rp_job_tell_size(const struct rp_job *job, const char *option, int target_w, int w);

/* Add a slot's clocks to the report. */
void rp_job_add_clocks(struct rp_job *job, const struct rp_slot *slot);

#endif /* RP_JOB_H */
