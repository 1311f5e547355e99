/* What the commands for jobs and batch-run share. */
#ifndef JOBS_H
#define JOBS_H

#include "app/app.h"
#include "app/job_store.h"

/* The folders of --jobs-path. */
int app_open_jobs(const struct app *app, struct job_store *store);

#endif /* JOBS_H */
