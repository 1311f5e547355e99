/* Running the steps of a job.
 *
 * Each step writes to a name of its own, "DIR/STEM-ID-STEP.EXT". When all are done, each output
 * gets its name: a picture by its last step, a video by all of its steps, joined in their order. A
 * job that is interrupted or killed stays in the queue; what it has completed is kept, and is not
 * done again. */
#ifndef JOB_RUN_H
#define JOB_RUN_H

#include "app/app.h"
#include "app/job_store.h"

struct job_runner {
    struct app *app;
    struct job_store *store;
    rp_runtime *runtime; /* one for all jobs: models stay open */
    bool items; /* steps have nothing to do with each other: a failed one does not end the others,
                 * and an output that only one step writes gets its name at once */
    bool halt;  /* but with this it does */
    size_t done, failed; /* steps, so far */
};

int job_runner_open(struct job_runner *runner, struct app *app, struct job_store *store);
void job_runner_close(struct job_runner *runner);

/* Run a job that is held and queued, and move it to its last folder; if it was interrupted
 * (RP_ERR_CANCELLED) it stays queued. With `items` the completed steps of a job that failed are
 * taken out of it, so that job-retry does only the others.
 * @return 0, or the failure of the first step that failed */
int job_run(struct job_runner *runner, struct job *job);

#endif /* JOB_RUN_H */
