/* What a job reports while it runs, and at its end. */
#include "base/api.h"
#include "pipeline/job.h"

#define TELL_EVERY 0.1  /* seconds between two calls of the progress function */
#define FPS_WINDOW 3.0  /* seconds over which the speed is measured */

/* What follows these in the public report must not move when they grow. */
_Static_assert(RP_STAGE_COUNT <= RP_STAGE_MAX, "no room for more stages in rp_report");
_Static_assert(sizeof(rp_progress) <= sizeof(((rp_report *) 0)->room),
               "no room for more progress in rp_report");

void rp_job_report_sized(const rp_job *job, rp_report *out, size_t size)
{
    rp_report own = job->report;

    own.slots = job->slots;
    rp_api_give(out, size, &own, sizeof(own));
}

void rp_job_tell(struct rp_job *job, bool now)
{
    rp_progress *const p = &job->report.progress;
    const double t = rp_now();

    p->seconds = t - job->started;
    if (!now && t - job->last_told < TELL_EVERY)
        return;
    if (p->frames_total > 0) /* an estimate, of joined files too low */
        p->frames_total = RP_MAX(p->frames_total, p->frames_done);
    if (t > job->window_start)
        p->fps = (double) (p->frames_done - job->window_frames) / (t - job->window_start);
    if (now && p->seconds > 0)
        p->fps = (double) p->frames_done / p->seconds;
    if (t - job->window_start > FPS_WINDOW) {
        job->window_start = t;
        job->window_frames = p->frames_done;
    }
    job->last_told = t;
    if (job->progress_fn)
        job->progress_fn(job->progress_priv, p);
}

void rp_job_tell_size(const struct rp_job *job, const char *option, int target_w, int w)
{
    if (w != target_w && !rp_settings_is_set(job->settings, option))
        rp_log(RP_LOG_INFO, "the output is scaled to the target's size; --%s %d keeps what the "
               "processors make", option, w / target_w);
}

void rp_job_add_clocks(struct rp_job *job, const struct rp_slot *slot)
{
    for (int i = 0; i < RP_STAGE_COUNT; i++) {
        job->report.own_seconds[i] += slot->own_seconds[i];
        job->report.model_seconds[i] += slot->model_seconds[i];
    }
}
