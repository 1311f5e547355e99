/* Inside of a job on a video. job_video.c says what comes after what; each of the other files has
 * one part of it:
 *
 *     job_video_open.c    what is known before the first frame; the writer
 *     job_video_crew.c    who works on the frames
 *     job_video_flow.c    the threads, and the frames' way through them
 *     job_video_pieces.c  the video in pieces
 *     job_video_check.c   the content check's verdict */
#ifndef RP_JOB_VIDEO_H
#define RP_JOB_VIDEO_H

#include <pthread.h>

#include "pipeline/crew.h"
#include "pipeline/cutter.h"
#include "pipeline/job.h"
#include "pipeline/job_pieces.h"
#include "pipeline/speech.h"
#include "pipeline/surface.h"

#define RP_MAX_GPUS 16

struct rp_job_video;

/* A further GPU: its own pipeline and crew, the same ring. */
struct rp_helper {
    struct rp_job_video *video;
    int gpu; /* index into --execution-device-ids */
    struct rp_executor *executor;
    struct rp_task task;
};

struct rp_job_video {
    struct rp_job *job;
    struct rp_reader *reader;     /* of the whole job */
    struct rp_reader *part;       /* of the stretch of pieces that is made now, or NULL */
    struct rp_surfaces *surfaces; /* of its decoder; NULL: the processor decodes */
    struct rp_writer *writer;     /* NULL for a still; in pieces, until they are joined */
    struct rp_media_frame *still; /* the frame that becomes a picture, once it is done */
    struct rp_ring *ring;
    struct rp_tracker *tracker; /* NULL: off */
    struct rp_crew *crew;
    struct rp_speech *speech; /* NULL: silence, or nobody listens */
    struct rp_helper helper[RP_MAX_GPUS];
    pthread_t read_thread, write_thread;
    bool reading, writing;
    struct rp_content_sampler sampler; /* the reading thread's */
    int64_t most; /* frames for the content check at most; known for sure if `counted` */
    bool counted;
    int64_t checked, positive; /* by the content check, in the order of the video */
    int64_t first;             /* number of the first frame */
    int64_t total;             /* estimated number of frames */
    bool ends;                 /* they end where it was asked for, not with the file */
    double read_seconds, write_seconds;
    int write_status;

    char damage[320];          /* of the sound that is heard */
    char voice[RP_SHA256_HEX]; /* hash of the voice extractor, "" if there is none */

    struct rp_pieces *pieces; /* NULL: the video is not cut */
    struct rp_job_pieces cut; /* if it is */
    struct rp_cutter *cutter;
    int64_t npieces; /* there are at most so many */
    int64_t origin;  /* pts of the job's first frame */
    int64_t end;     /* frame at which the stretch ends within the job; 0: it does not */
    int64_t after;   /* pts of that frame, RP_PIECE_LAST if none came */
    bool ending;     /* all frames of the stretch are with the encoders */
    bool whole;      /* one stretch was all of the job */
    char lost[320];  /* of the target, read anew */

    pthread_mutex_t lock; /* guards what follows, and the report's clocks */
    int64_t faces, changed;
    bool overflow;
};

/* ---- job_video_open.c ---- */

/* All that must be known before the first frame: reader, sizes, reference faces, sound. */
int rp_job_video_open(struct rp_job_video *v);
/* What this job's frames are told; plans outlive jobs. */
void rp_job_video_set_speech(const struct rp_job_video *v, struct rp_pipeline *pipeline);
void rp_job_video_unset_speech(struct rp_pipeline *pipeline);

/* GPUs that work on it, at least 1. */
int rp_job_video_gpus(const struct rp_job *job);
/* A side of what is put out, of that of the target. */
int rp_job_video_side(const struct rp_job_video *v, int side);
/* Are frames read as RGB? */
bool rp_job_video_rgb(const struct rp_job_video *v);
/* How the job's readers read these frames (end <= 0: to the last). */
struct rp_reader_params rp_job_video_range(const struct rp_job_video *v, int64_t start,
                                           int64_t end);
struct rp_tracker_params rp_job_video_tracker(const struct rp_job_video *v);

/* @param mark  filled in; it must stay as long as the parameters are used */
struct rp_writer_params rp_job_video_writer_params(const struct rp_job_video *v,
                                                   struct rp_mark *mark);
/* Nothing for a still. */
int rp_job_video_open_writer(struct rp_job_video *v, const char *temp);

/* ---- job_video_crew.c ---- */

/* On a GPU: how many launches of how many frames, if it is not said; measured where that pays. */
int rp_job_video_choose(struct rp_job_video *v);
/* The ring and the first crew, with all the memory that is used. */
int rp_job_video_make_crew(struct rp_job_video *v);
/* Of a further GPU: it begins on that GPU's thread as soon as that is free. */
int rp_job_video_start_helper(struct rp_job_video *v, int gpu);
/* For rp_crew_each(): adds a slot's clocks to the report. @param priv  struct rp_job_video */
void rp_job_video_add_clocks(void *priv, const struct rp_slot *slot);

/* ---- job_video_flow.c ---- */

/* All frames from the reader to the writer, or to the encoders of pieces. When this returns no
 * thread works on them any more. */
int rp_job_video_flow(struct rp_job_video *v);

/* ---- job_video_pieces.c ---- */

/* Is the video cut (v->pieces)? Then also what is done of it already. */
int rp_job_video_open_pieces(struct rp_job_video *v);
/* Make those that are missing. */
int rp_job_video_run_pieces(struct rp_job_video *v);
/* Give them to the writer. */
int rp_job_video_add_pieces(struct rp_job_video *v, const char *temp);
/* The sentence for a job that is interrupted. */
int rp_job_video_fail_cancelled(const struct rp_job_video *v);
/* @param ret  how the job ended */
void rp_job_video_close_pieces(struct rp_job_video *v, int ret);
/* ---- job_video_check.c ---- */

/* The sampler before a piece. Where another process makes the piece before, it is what it would be
 * at a constant rate; whether it is that shows when the pieces are joined. */
void rp_job_video_sampler(const struct rp_job_video *v, int64_t number,
                          struct rp_content_sampler *out);

/* Of the next frame, in order: RP_ERR_BLOCKED once the video cannot pass any more. */
int rp_job_video_verdict(struct rp_job_video *v, const struct rp_media_frame *frame);
/* Examine what was not examined while frames came: the file has more frames than it claims, or
 * fewer; or pieces were made by several processes. */
int rp_job_video_check_missing(struct rp_job_video *v);
int rp_job_video_check_pieces(struct rp_job_video *v);
/* The sentence. */
int rp_job_video_refuse(const struct rp_job_video *v);

#endif /* RP_JOB_VIDEO_H */
